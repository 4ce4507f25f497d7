//! Flagging: whoever named the key pays, once, the whole deposit but an account's minimum.

use crate::{mock::*, Event, Offences};
use clustercast_primitives::{Balance, StreamId};
use frame_support::{
	assert_ok,
	traits::{fungible::Inspect, tokens::imbalance::Imbalance},
};

const PENALTY: Balance = MINT_DEPOSIT - EXISTENTIAL_DEPOSIT;

/// What flagging takes for a key of the first stream.
fn flag(seed: u8) -> Option<Balance> {
	StreamKeys::flag(STREAM, &signer(seed)).map(|taken| taken.peek())
}

#[test]
fn flag_takes_the_deposit_and_marks_the_key_once() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert!(StreamKeys::can_flag(STREAM, &signer(7)) && !StreamKeys::can_flag(STREAM, &signer(8)));
		assert_eq!(flag(7), Some(PENALTY));
		assert!(!StreamKeys::can_flag(STREAM, &signer(7)));
		System::assert_has_event(
			Event::Flagged {
				id: STREAM,
				who: ALICE,
				slashed: PENALTY,
			}
			.into(),
		);
		assert!(info().flagged);
		assert_eq!(total(&ALICE), ENDOWMENT - PENALTY);
		assert_eq!(flag(7), None, "one offence is punished once");
		assert!(
			StreamKeys::flag(StreamId(1), &signer(7)).is_none(),
			"there is no such stream"
		);
		assert!(!info().title.is_empty());
	});
}

#[test]
fn another_key_of_the_owner_is_not_touched() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(mint(ALICE, New::default()));
		drop(StreamKeys::flag(StreamId(1), &signer(7)));
		assert!(!info().flagged);
		assert_ok!(burn(ALICE));
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(ALICE), StreamId(1)));
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(Balances::balance(&ALICE), ENDOWMENT - PENALTY);
	});
}

#[test]
fn the_owner_answers_for_replaced_keys_too() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_signing_key(ALICE, 8));
		assert_eq!(flag(99), None, "nobody named that key");
		assert_eq!(flag(7), Some(PENALTY));
	});
}

#[test]
fn a_renter_answers_for_its_own_keys_and_the_owner_for_the_others() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		assert_ok!(set_signing_key(BOB, 10));
		assert_eq!(flag(9), Some(PENALTY));
		assert_eq!(flag(10), None, "one renter is punished once");
		assert!(info().flagged);
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT, ENDOWMENT - PENALTY));
		System::set_block_number(11);
		assert!(!info().flagged, "the owner did nothing");
		assert_eq!(flag(7), Some(PENALTY));
		assert!(info().flagged);
		run_to(11 + CHANGE_DELAY);
		assert_eq!((held(&ALICE), held(&BOB)), (EXISTENTIAL_DEPOSIT, 0));
	});
}

#[test]
fn a_rental_is_punished_as_long_as_its_deposit_is_held() {
	let late = |block: u32| {
		let mut taken = None;
		ExtBuilder.build_and_execute(|| {
			assert_ok!(mint(ALICE, New::default()));
			assert_ok!(set_rent(ALICE, 0, 10));
			assert_ok!(rent(BOB));
			run_to(block);
			taken = flag(9);
			assert!(!info().flagged);
		});
		taken
	};
	assert_eq!(late(11), Some(PENALTY));
	assert_eq!(late(10 + CHANGE_DELAY), Some(PENALTY));
	assert_eq!(late(11 + CHANGE_DELAY), None);
}

#[test]
fn the_next_renter_does_not_answer_for_the_one_before() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		assert_ok!(set_signing_key(BOB, 10));
		System::set_block_number(11 + CHANGE_DELAY);
		assert_ok!(StreamKeys::rent(RuntimeOrigin::signed(CAROL), STREAM, signer(20), 0, 1));
		assert_eq!((flag(9), flag(10)), (None, None));
		assert_eq!(flag(20), Some(PENALTY));
		assert_eq!(total(&CAROL), ENDOWMENT - PENALTY);
	});
}

#[test]
fn a_buyer_does_not_answer_for_the_seller() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(buy(BOB));
		assert_eq!(flag(7), None);
		assert!(!info().flagged);
		assert_eq!(flag(8), Some(PENALTY));
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT + 5, ENDOWMENT - 5 - PENALTY));
	});
}

#[test]
fn who_was_given_a_key_does_not_answer_for_the_giver() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_eq!(flag(7), None);
		// The same key, named by its owner: it answers from then on.
		assert_ok!(set_signing_key(BOB, 7));
		assert_eq!(flag(7), Some(PENALTY));
	});
}

#[test]
fn a_key_that_comes_back_is_its_owners_again() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(set_signing_key(BOB, 8));
		assert_ok!(transfer(BOB, ALICE));
		assert_eq!(flag(8), None);
		assert_eq!(flag(7), Some(PENALTY));
	});
}

#[test]
fn a_burnt_key_is_punished_until_its_deposit_is_returned() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		System::set_block_number(2 * CHANGE_DELAY);
		assert_eq!(flag(7), Some(PENALTY));
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(flag(7), None);
		assert_eq!(total(&ALICE), ENDOWMENT - PENALTY);
	});
}
