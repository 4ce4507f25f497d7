//! `bond_more`: every check both ways, and what it does to the ranking.

use crate::{mock::*, Error, Event, Ranking};
use clustercast_primitives::Balance;
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError, TokenError};

fn bond_more(who: AccountId32, amount: Balance) -> DispatchResult {
	Validators::bond_more(RuntimeOrigin::signed(who), amount)
}

#[test]
fn a_raised_bond_climbs_the_ranking() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, 2 * MIN_BOND));
		assert_ok!(register(BOB, MIN_BOND));
		// As much as another one has: still behind.
		assert_ok!(bond_more(BOB, MIN_BOND));
		assert_eq!(Ranking::<Test>::get()[0].0, ALICE);
		assert_ok!(bond_more(BOB, 1));
		let ranking = Ranking::<Test>::get().into_inner();
		assert_eq!(ranking, [(BOB, 2 * MIN_BOND + 1), (ALICE, 2 * MIN_BOND)]);
		assert_eq!(held(&BOB), 2 * MIN_BOND + 1);
		System::assert_last_event(
			Event::BondRaised {
				validator: BOB,
				bond: 2 * MIN_BOND + 1,
			}
			.into(),
		);
	});
}

#[test]
fn the_last_of_a_full_ranking_keeps_its_place() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=15 {
			assert_ok!(register(account(number), 2 * MIN_BOND));
		}
		assert_ok!(bond_more(account(15), 1));
		assert_eq!(Ranking::<Test>::get().len(), 5);
		assert_eq!(Ranking::<Test>::get()[0].0, account(15));
	});
}

#[test]
fn who_is_leaving_may_raise_its_bond_and_is_not_ranked() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		assert_ok!(Validators::leave(RuntimeOrigin::signed(ALICE)));
		assert_ok!(bond_more(ALICE, 1));
		assert_eq!(held(&ALICE), MIN_BOND + 1);
		assert!(Ranking::<Test>::get().is_empty());
	});
}

#[test]
fn every_refusal_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(bond_more(ALICE, 1), Error::<Test>::NotBonded);
		assert_ok!(register(ALICE, MIN_BOND));
		assert_noop!(bond_more(ALICE, 0), Error::<Test>::ZeroAmount);
		assert_noop!(bond_more(ALICE, ENDOWMENT), TokenError::FundsUnavailable);
		Validators::slash_for(*b"an offence of a.", &ALICE, 0, None).unwrap();
		assert_noop!(bond_more(ALICE, 1), Error::<Test>::Expelled);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(Validators::bond_more(origin, 1), DispatchError::BadOrigin);
		}
	});
}
