//! Cleaning up in idle time: in the order in which it falls due, as far as the weight reaches.

use crate::{mock::*, weights::WeightInfo, Due, Event, OldestDue, StreamKeys as Stored};
use clustercast_primitives::StreamId;
use frame_support::{assert_ok, traits::Hooks, weights::Weight};

/// Mints ten keys of Alice, of which so many are on their way out, all in block 1.
fn burn_all(count: u64) {
	for id in 0..count {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(ALICE), StreamId(id)));
	}
}

#[test]
fn the_deposit_of_a_rental_returns_once() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		let due = || Due::<Test>::iter_keys().collect::<Vec<_>>();
		assert_eq!(due(), [(61, STREAM)]);
		run_to(60 + KEY_MEMORY);
		assert_eq!(held(&BOB), MINT_DEPOSIT);
		assert_eq!(due(), [(61 + KEY_MEMORY, STREAM)]);
		assert_eq!(Stored::<Test>::get(STREAM).unwrap().rental, None);
		run_to(61 + KEY_MEMORY);
		System::assert_last_event(
			Event::Returned {
				id: STREAM,
				who: BOB,
				deposit: MINT_DEPOSIT,
			}
			.into(),
		);
		assert_eq!(held(&BOB), 0);
		assert_eq!(Due::<Test>::iter_keys().count(), 0);
		assert_eq!(OldestDue::<Test>::get(), 62 + KEY_MEMORY);
	});
}

#[test]
fn whoever_touches_a_key_brings_it_to_its_block() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		System::set_block_number(500);
		assert_ok!(update(ALICE, b"x"));
		let key = Stored::<Test>::get(STREAM).unwrap();
		assert_eq!((key.rental, key.counter, key.era.payee), (None, 2, ALICE));
		// Deposits wait for idle time.
		assert_eq!(held(&BOB), MINT_DEPOSIT);
		run_to(500);
		assert_eq!(held(&BOB), 0);
		assert_eq!(Due::<Test>::iter_keys().count(), 0);
		assert_eq!(OldestDue::<Test>::get(), 501);
	});
}

#[test]
fn a_key_is_listed_for_what_comes_first() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let due = || Due::<Test>::iter_keys().map(|(block, _)| block).collect::<Vec<_>>();
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [1 + CHANGE_DELAY]);
		System::set_block_number(20);
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [20 + CHANGE_DELAY]);
		assert_ok!(set_terms(ALICE, TERMS));
		assert_eq!(due(), [0; 0]);
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_eq!(due(), [80]);
		System::set_block_number(80);
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [80 + CHANGE_DELAY]);
		run_to(80 + CHANGE_DELAY);
		assert_eq!(due(), [80 + KEY_MEMORY]);
		run_to(80 + KEY_MEMORY);
		assert_eq!(due(), [80 + CHANGE_DELAY + KEY_MEMORY]);
		run_to(80 + CHANGE_DELAY + KEY_MEMORY);
		assert_eq!(due(), [0; 0]);
		assert_eq!((held(&ALICE), held(&BOB)), (0, 0));
	});
}

#[test]
fn several_deposits_that_are_due_in_one_block_are_all_returned() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(transfer(BOB, CAROL));
		assert_ok!(transfer(CAROL, BOB));
		assert_eq!(Due::<Test>::iter_keys().count(), 1);
		run_to(1 + KEY_MEMORY);
		assert_eq!([ALICE, BOB, CAROL].map(|who| held(&who)), [0, MINT_DEPOSIT, 0]);
	});
}

#[test]
fn no_more_is_cleaned_up_than_there_is_weight_for() {
	ExtBuilder.build_and_execute(|| {
		burn_all(5);
		run_to(1 + CHANGE_DELAY);
		let (now, done) = (1 + CHANGE_DELAY + KEY_MEMORY, OldestDue::<Test>::get());
		System::set_block_number(now);
		let base = <() as WeightInfo>::settle(0);
		let each = <() as WeightInfo>::settle(1) - base;
		assert_eq!(StreamKeys::on_idle(now, Weight::zero()), Weight::zero());
		assert_eq!(OldestDue::<Test>::get(), done);
		// The blocks before, then this one with two keys of it.
		let enough = base * u64::from(now - done + 1) + each * 2;
		assert_eq!(StreamKeys::on_idle(now, enough), enough);
		assert_eq!(
			(Stored::<Test>::iter_keys().count(), OldestDue::<Test>::get()),
			(3, now)
		);
		assert_eq!(StreamKeys::on_idle(now, base + each), base + each);
		assert_eq!(
			(Stored::<Test>::iter_keys().count(), OldestDue::<Test>::get()),
			(2, now)
		);
		run_to(now);
		assert_eq!(
			(Stored::<Test>::iter_keys().count(), OldestDue::<Test>::get()),
			(0, now + 1)
		);
		assert_eq!(total(&ALICE), ENDOWMENT);
	});
}
