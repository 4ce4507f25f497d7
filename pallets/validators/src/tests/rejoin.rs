//! `rejoin`: who may come back, and to which place.

use crate::{mock::*, Bonds, Error, Event, Ranking, Standing};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError};

fn leave(who: AccountId32) {
	assert_ok!(Validators::leave(RuntimeOrigin::signed(who)));
}

fn rejoin(who: AccountId32) -> DispatchResult {
	Validators::rejoin(RuntimeOrigin::signed(who))
}

#[test]
fn whoever_returns_is_behind_its_equals_and_not_leaving() {
	ExtBuilder.build_and_execute(|| {
		for who in [ALICE, BOB, CAROL] {
			assert_ok!(register(who, MIN_BOND));
		}
		leave(ALICE);
		assert_ok!(rejoin(ALICE));
		System::assert_last_event(Event::Rejoined { validator: ALICE }.into());
		let ranking: Vec<_> = Ranking::<Test>::get().into_iter().map(|(who, _)| who).collect();
		assert_eq!(ranking, [BOB, CAROL, ALICE]);
		assert_eq!(Bonds::<Test>::get(ALICE).unwrap().standing, Standing::Candidate);
		run_to(20);
		let withdraw = Validators::withdraw(RuntimeOrigin::signed(ALICE));
		assert_noop!(withdraw, Error::<Test>::NotLeaving);
	});
}

#[test]
fn a_full_ranking_takes_back_only_who_puts_up_more() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		leave(ALICE);
		for number in 12..=16 {
			assert_ok!(register(account(number), MIN_BOND));
		}
		assert_noop!(rejoin(ALICE), Error::<Test>::Outbid);
		assert_ok!(Validators::bond_more(RuntimeOrigin::signed(ALICE), 1));
		assert_ok!(rejoin(ALICE));
		assert!(matches!(
			Bonds::<Test>::get(account(16)).unwrap().standing,
			Standing::Leaving { .. }
		));
	});
}

#[test]
fn every_refusal_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(rejoin(ALICE), Error::<Test>::NotBonded);
		assert_ok!(register(ALICE, MIN_BOND));
		assert_noop!(rejoin(ALICE), Error::<Test>::NotLeaving);
		leave(ALICE);
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(ALICE)));
		assert_noop!(rejoin(ALICE), Error::<Test>::NoKeys);
		assert_ok!(set_keys(ALICE, 40));
		assert_ok!(rejoin(ALICE));
		Validators::slash_for(*b"an offence of a.", &ALICE, 0, None).unwrap();
		assert_noop!(rejoin(ALICE), Error::<Test>::NotLeaving);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(Validators::rejoin(origin), DispatchError::BadOrigin);
		}
	});
}
