//! `burn`: the deposit comes back, the number does not.

use crate::{mock::*, Error, Event};
use clustercast_primitives::StreamId;
use frame_support::{assert_noop, assert_ok};

fn burn(who: sp_runtime::AccountId32, id: u64) -> frame_support::dispatch::DispatchResult {
	StreamKeys::burn(RuntimeOrigin::signed(who), StreamId(id))
}

#[test]
fn burn_returns_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(burn(ALICE, 0));
		System::assert_last_event(
			Event::Burnt {
				id: StreamId(0),
				owner: ALICE,
			}
			.into(),
		);
		assert_eq!(StreamKeys::stream_key(StreamId(0)), None);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		assert_ok!(burn(ALICE, 1));
		assert_eq!(held(&ALICE), 0);
		assert_eq!(Balances::free_balance(&ALICE), ENDOWMENT);
	});
}

#[test]
fn a_burnt_number_is_never_used_again() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(burn(ALICE, 0));
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_eq!(StreamKeys::stream_key(StreamId(0)), None);
		assert!(StreamKeys::stream_key(StreamId(1)).is_some());
	});
}

#[test]
fn burn_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_noop!(burn(BOB, 0), Error::<Test>::NotOwner);
		assert_noop!(burn(ALICE, 1), Error::<Test>::UnknownStream);
		assert_ok!(burn(ALICE, 0));
		assert_noop!(burn(ALICE, 0), Error::<Test>::UnknownStream);
	});
}
