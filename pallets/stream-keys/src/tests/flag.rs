//! Flagging: whoever answers for the key pays, once, the whole deposit but an account's minimum, and no way of giving a
//! key up changes that.

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
		run_to(1 + CHANGE_DELAY + KEY_MEMORY);
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
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_ok!(set_signing_key(BOB, 10));
		assert_eq!(flag(9), Some(PENALTY));
		assert_eq!(flag(10), None, "one renter is punished once");
		assert!(info().flagged);
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT, ENDOWMENT - PENALTY));
		System::set_block_number(61);
		assert!(!info().flagged, "the owner did nothing");
		assert_eq!(flag(7), Some(PENALTY));
		assert!(info().flagged);
		run_to(61 + KEY_MEMORY);
		assert_eq!((held(&ALICE), held(&BOB)), (EXISTENTIAL_DEPOSIT, 0));
	});
}

#[test]
fn a_renter_answers_as_long_as_its_key_is_remembered() {
	let late = |block: u32| {
		let mut taken = None;
		ExtBuilder.build_and_execute(|| {
			assert_ok!(mint(ALICE, New::default()));
			assert_ok!(set_rent(ALICE, 0, 60));
			assert_ok!(rent(BOB));
			run_to(block);
			taken = flag(9);
			assert!(!info().flagged, "the owner did nothing");
			assert_eq!(total(&BOB), ENDOWMENT - taken.unwrap_or_default());
		});
		taken
	};
	assert_eq!(late(61), Some(PENALTY));
	assert_eq!(late(60 + KEY_MEMORY), Some(PENALTY));
	assert_eq!(late(61 + KEY_MEMORY), None);
}

#[test]
fn each_renter_answers_for_itself() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_ok!(set_signing_key(BOB, 10));
		System::set_block_number(61);
		assert_ok!(StreamKeys::rent(RuntimeOrigin::signed(CAROL), STREAM, signer(20), 0, 1));
		run_to(61 + CHANGE_DELAY);
		assert_eq!(flag(20), Some(PENALTY));
		assert_eq!(total(&CAROL), ENDOWMENT - PENALTY);
		assert_eq!(flag(9), Some(PENALTY));
		assert_eq!(flag(10), None);
		assert_eq!(total(&BOB), ENDOWMENT - PENALTY);
		assert_eq!(total(&ALICE), ENDOWMENT);
	});
}

#[test]
fn a_seller_answers_for_what_it_signed_and_the_buyer_does_not() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 0));
		assert_ok!(buy(BOB));
		assert_eq!(flag(7), Some(PENALTY));
		assert_eq!(flag(7), None, "once");
		assert!(!info().flagged);
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT - PENALTY, ENDOWMENT));
		assert_eq!(flag(8), Some(PENALTY));
		assert!(info().flagged);
		assert_eq!(total(&BOB), ENDOWMENT - PENALTY);
		run_to(1 + KEY_MEMORY);
		assert_eq!((held(&ALICE), held(&BOB)), (0, EXISTENTIAL_DEPOSIT));
	});
}

#[test]
fn whoever_gives_a_key_away_answers_for_what_it_signed() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_eq!(flag(7), Some(PENALTY));
		assert!(!info().flagged);
		// What signs now was named by the giver, but is the new owner's, who has the deposit for it.
		assert_eq!(flag(6), Some(PENALTY));
		assert!(info().flagged);
		assert_eq!(total(&ALICE), ENDOWMENT - MINT_DEPOSIT - PENALTY);
		assert_eq!(total(&BOB), ENDOWMENT + MINT_DEPOSIT - PENALTY);
	});
}

#[test]
fn no_way_to_give_a_key_up_leads_away_from_an_offence() {
	let nothing: &dyn Fn() = &|| {};
	let ways: [(&str, &dyn Fn()); 6] = [
		("keeping it", nothing),
		("a gift", &|| {
			assert_ok!(transfer(ALICE, BOB));
		}),
		("a gift and back", &|| {
			assert_ok!(transfer(ALICE, BOB));
			assert_ok!(transfer(BOB, ALICE));
		}),
		("a sale for nothing", &|| {
			assert_ok!(list(ALICE, 0));
			assert_ok!(buy(BOB));
		}),
		("another key, and a sale of it by the buyer", &|| {
			assert_ok!(set_signing_key(ALICE, 40));
			assert_ok!(list(ALICE, 0));
			assert_ok!(buy(BOB));
			assert_ok!(transfer(BOB, CAROL));
		}),
		("its end", &|| {
			assert_ok!(burn(ALICE));
		}),
	];
	for (way, escape) in ways {
		for wait in [0, 1, CHANGE_DELAY, KEY_MEMORY - 1] {
			ExtBuilder.build_and_execute(|| {
				assert_ok!(mint(ALICE, New::default()));
				escape();
				run_to(1 + wait);
				let before = total(&ALICE);
				assert!(StreamKeys::can_flag(STREAM, &signer(7)), "{way}, {wait} blocks later");
				assert_eq!(flag(7), Some(PENALTY), "{way}, {wait} blocks later");
				assert_eq!(total(&ALICE), before - PENALTY, "{way}, {wait} blocks later");
			});
		}
	}
}

#[test]
fn whoever_names_the_key_of_another_one_does_not_answer_in_its_place() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(StreamKeys::rent(RuntimeOrigin::signed(BOB), STREAM, signer(7), 0, 1));
		assert_eq!(flag(7), Some(PENALTY));
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT - PENALTY, ENDOWMENT));
	});
}

#[test]
fn a_burnt_key_is_punished_until_its_deposit_is_returned() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		run_to(CHANGE_DELAY + KEY_MEMORY);
		assert_eq!(flag(7), Some(PENALTY));
		run_to(1 + CHANGE_DELAY + KEY_MEMORY);
		assert_eq!(flag(7), None);
		assert_eq!(total(&ALICE), ENDOWMENT - PENALTY);
		assert_eq!(held(&ALICE), 0);
	});
}
