//! `register`: every check both ways; who goes when the ranking is full.

use crate::{mock::*, Bond, Bonds, Cause, Error, Event, Ranking, Standing};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn a_bond_is_held_and_ranked() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		assert_eq!(held(&ALICE), MIN_BOND);
		let bond = Bond {
			amount: MIN_BOND,
			standing: Standing::Candidate,
		};
		assert_eq!(Bonds::<Test>::get(ALICE), Some(bond));
		assert_eq!(Ranking::<Test>::get().into_inner(), [(ALICE, MIN_BOND)]);
		System::assert_last_event(
			Event::Registered {
				validator: ALICE,
				bond: MIN_BOND,
			}
			.into(),
		);
	});
}

#[test]
fn a_bond_has_a_minimum() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(register(ALICE, MIN_BOND - 1), Error::<Test>::BondTooSmall);
		assert_noop!(register(ALICE, ENDOWMENT + 1), TokenError::FundsUnavailable);
		assert_ok!(register(ALICE, MIN_BOND));
	});
}

#[test]
fn a_candidate_has_keys_and_no_other_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(register(KEYLESS, MIN_BOND), Error::<Test>::NoKeys);
		assert_ok!(set_keys(KEYLESS, 30));
		assert_ok!(register(KEYLESS, MIN_BOND));
		assert_noop!(register(KEYLESS, MIN_BOND), Error::<Test>::AlreadyBonded);
		assert_ok!(Validators::leave(RuntimeOrigin::signed(KEYLESS)));
		assert_noop!(register(KEYLESS, MIN_BOND), Error::<Test>::AlreadyBonded);
	});
}

#[test]
fn the_floor_has_no_bond() {
	ExtBuilder.build_and_execute(|| {
		for who in FLOOR {
			assert_noop!(register(who, MIN_BOND), Error::<Test>::OfTheFloor);
		}
	});
}

#[test]
fn the_largest_bond_is_first_and_who_was_there_first_among_equals() {
	ExtBuilder.build_and_execute(|| {
		for (who, bond) in [(CAROL, 2), (ALICE, 1), (BOB, 2), (account(14), 3)] {
			assert_ok!(register(who, bond * MIN_BOND));
		}
		let ranking: Vec<_> = Ranking::<Test>::get().into_iter().map(|(who, _)| who).collect();
		assert_eq!(ranking, [account(14), CAROL, BOB, ALICE]);
	});
}

#[test]
fn a_full_ranking_takes_only_who_puts_up_more() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=15 {
			assert_ok!(register(account(number), 2 * MIN_BOND));
		}
		assert_noop!(register(account(16), 2 * MIN_BOND), Error::<Test>::Outbid);
		assert_ok!(register(account(16), 2 * MIN_BOND + 1));
		let ranking = Ranking::<Test>::get();
		assert_eq!((ranking.len(), &ranking[0].0), (5, &account(16)));
		// The youngest of the smallest goes, and its bond with it, in its own time.
		let free_in = 2 + EVIDENCE;
		assert_eq!(
			Bonds::<Test>::get(account(15)).unwrap().standing,
			Standing::Leaving { free_in }
		);
		assert_eq!(held(&account(15)), 2 * MIN_BOND);
		System::assert_has_event(
			Event::Leaving {
				validator: account(15),
				cause: Cause::Outbid,
				free_in,
			}
			.into(),
		);
	});
}

#[test]
fn only_accounts_register() {
	ExtBuilder.build_and_execute(|| {
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(Validators::register(origin, MIN_BOND), DispatchError::BadOrigin);
		}
	});
}
