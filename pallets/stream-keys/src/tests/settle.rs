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
fn a_rental_that_is_over_is_cleaned_up_once() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		run_to(10 + CHANGE_DELAY);
		assert_eq!(held(&BOB), MINT_DEPOSIT);
		assert_eq!(
			Due::<Test>::iter_keys().collect::<Vec<_>>(),
			[(11 + CHANGE_DELAY, STREAM)]
		);
		run_to(11 + CHANGE_DELAY);
		System::assert_last_event(
			Event::Returned {
				id: STREAM,
				renter: BOB,
			}
			.into(),
		);
		assert_eq!(held(&BOB), 0);
		assert_eq!(Due::<Test>::iter_keys().count(), 0);
		assert_eq!(OldestDue::<Test>::get(), 12 + CHANGE_DELAY);
		assert_eq!(Stored::<Test>::get(STREAM).unwrap().rental, None);
	});
}

#[test]
fn whoever_touches_a_key_cleans_it_up() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		System::set_block_number(500);
		assert_ok!(update(ALICE, b"x"));
		assert_eq!(held(&BOB), 0);
		assert_eq!(Due::<Test>::iter_keys().count(), 0);
		run_to(500);
		assert_eq!(OldestDue::<Test>::get(), 501);
	});
}

#[test]
fn a_key_is_listed_for_what_comes_first() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let due = || Due::<Test>::iter_keys().map(|(block, _)| block).collect::<Vec<_>>();
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [1 + 2 * CHANGE_DELAY]);
		System::set_block_number(20);
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [20 + 2 * CHANGE_DELAY]);
		assert_ok!(set_terms(ALICE, TERMS));
		assert_eq!(due(), [0; 0]);
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		assert_eq!(due(), [30 + CHANGE_DELAY]);
		System::set_block_number(30);
		assert_ok!(burn(ALICE));
		assert_eq!(due(), [30 + CHANGE_DELAY]);
		run_to(30 + CHANGE_DELAY);
		assert_eq!(due(), [30 + 2 * CHANGE_DELAY]);
		run_to(30 + 2 * CHANGE_DELAY);
		assert_eq!(due(), [0; 0]);
	});
}

#[test]
fn no_more_is_cleaned_up_than_there_is_weight_for() {
	ExtBuilder.build_and_execute(|| {
		burn_all(5);
		let now = 1 + 2 * CHANGE_DELAY;
		System::set_block_number(now);
		let base = <() as WeightInfo>::settle(0);
		let each = <() as WeightInfo>::settle(1) - base;
		assert_eq!(StreamKeys::on_idle(now, Weight::zero()), Weight::zero());
		assert_eq!(OldestDue::<Test>::get(), 0);
		// The blocks before, then this one with two keys of it.
		let enough = base * u64::from(now + 1) + each * 2;
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
