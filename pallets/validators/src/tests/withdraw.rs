//! `withdraw`: not before the last evidence, whole, and once.

use crate::{mock::*, Bonds, Error, Event};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError};

const OFFENCE: crate::Kind = *b"some offence....";

fn withdraw(who: AccountId32) -> DispatchResult {
	Validators::withdraw(RuntimeOrigin::signed(who))
}

#[test]
fn a_bond_returns_when_no_evidence_counts_any_more() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::leave(RuntimeOrigin::signed(ALICE)));
		// The last session of hers is 4, planned when she left.
		run_to(4 + EVIDENCE);
		assert!(Session::validators().iter().all(|who| *who != ALICE));
		assert_noop!(withdraw(ALICE), Error::<Test>::TooEarly);
		run_to(5 + EVIDENCE);
		let late = Validators::slash_for(OFFENCE, &ALICE, 4, None);
		assert_eq!(late, Err(Error::<Test>::NotProvable.into()));
		assert_ok!(withdraw(ALICE));
		assert_eq!((held(&ALICE), Balances::free_balance(&ALICE)), (0, ENDOWMENT));
		assert_eq!(Bonds::<Test>::get(ALICE), None);
		System::assert_last_event(
			Event::Withdrawn {
				validator: ALICE,
				bond: MIN_BOND,
			}
			.into(),
		);
		assert_noop!(withdraw(ALICE), Error::<Test>::NotBonded);
	});
}

#[test]
fn a_bond_answers_for_the_last_session_up_to_the_end() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::leave(RuntimeOrigin::signed(ALICE)));
		run_to(4 + EVIDENCE);
		assert_ok!(Validators::slash_for(OFFENCE, &ALICE, 4, None));
		assert_eq!(held(&ALICE), 0);
		run_to(5 + EVIDENCE);
		assert_ok!(withdraw(ALICE));
		assert_eq!(Balances::free_balance(&ALICE), ENDOWMENT - MIN_BOND);
		// And may come anew.
		assert_ok!(register(ALICE, MIN_BOND));
	});
}

#[test]
fn every_refusal_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(withdraw(ALICE), Error::<Test>::NotBonded);
		assert_ok!(register(ALICE, MIN_BOND));
		assert_noop!(withdraw(ALICE), Error::<Test>::NotLeaving);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(Validators::withdraw(origin), DispatchError::BadOrigin);
		}
	});
}
