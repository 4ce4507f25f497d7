//! `leave`: who may, and when the bond is free.

use crate::{mock::*, Bonds, Cause, Error, Event, Ranking, Standing};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError};

fn leave(who: AccountId32) -> DispatchResult {
	Validators::leave(RuntimeOrigin::signed(who))
}

#[test]
fn whoever_leaves_is_in_no_new_set_and_its_bond_stays() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert!(Session::validators().contains(&ALICE));
		assert_ok!(leave(ALICE));
		let free_in = 3 + 2 + EVIDENCE;
		assert_eq!(
			Bonds::<Test>::get(ALICE).unwrap().standing,
			Standing::Leaving { free_in }
		);
		System::assert_last_event(
			Event::Leaving {
				validator: ALICE,
				cause: Cause::Own,
				free_in,
			}
			.into(),
		);
		assert!(Ranking::<Test>::get().is_empty());
		assert_eq!(held(&ALICE), MIN_BOND);
		// Planned already.
		run_to(4);
		assert!(Session::validators().contains(&ALICE));
		run_to(5);
		assert!(!Session::validators().contains(&ALICE));
	});
}

#[test]
fn every_refusal_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(leave(ALICE), Error::<Test>::NotBonded);
		assert_noop!(leave(account(1)), Error::<Test>::NotBonded);
		assert_ok!(register(ALICE, MIN_BOND));
		assert_ok!(leave(ALICE));
		assert_noop!(leave(ALICE), Error::<Test>::NotCandidate);
		assert_ok!(register(BOB, MIN_BOND));
		Validators::slash_for(*b"an offence of b.", &BOB, 0, None).unwrap();
		assert_noop!(leave(BOB), Error::<Test>::NotCandidate);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(Validators::leave(origin), DispatchError::BadOrigin);
		}
	});
}
