//! Flagging: once, for good, for the whole deposit but an account's minimum.

use crate::{mock::*, Event, Offences};
use clustercast_primitives::StreamId;
use frame_support::{
	assert_ok,
	traits::{fungible::Inspect, tokens::imbalance::Imbalance},
};

#[test]
fn flag_takes_the_deposit_and_marks_the_key_once() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let penalty = MINT_DEPOSIT - Balances::minimum_balance();
		assert!(!StreamKeys::is_flagged(StreamId(0)));
		assert_eq!(StreamKeys::flag(StreamId(0)).map(|taken| taken.peek()), Some(penalty));
		assert!(StreamKeys::is_flagged(StreamId(0)) && !StreamKeys::is_flagged(StreamId(1)));
		System::assert_has_event(
			Event::Flagged {
				id: StreamId(0),
				slashed: penalty,
			}
			.into(),
		);
		assert!(StreamKeys::stream_key(StreamId(0)).unwrap().flagged);
		assert_eq!(Balances::total_balance(&ALICE), ENDOWMENT - penalty);
		assert!(StreamKeys::flag(StreamId(0)).is_none(), "one offence is punished once");
		assert!(StreamKeys::flag(StreamId(1)).is_none(), "there is no such stream");
		assert!(!StreamKeys::stream_key(StreamId(0)).unwrap().title.is_empty());
	});
}

#[test]
fn another_key_of_the_owner_is_not_touched() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(mint(ALICE, Metadata::default()));
		drop(StreamKeys::flag(StreamId(1)));
		assert!(!StreamKeys::stream_key(StreamId(0)).unwrap().flagged);
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(ALICE), StreamId(1)));
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(ALICE), StreamId(0)));
		assert_eq!(
			Balances::balance(&ALICE),
			ENDOWMENT - (MINT_DEPOSIT - Balances::minimum_balance())
		);
	});
}
