//! Reputation: counted for relayers alone, gone with the registration; slashes stay with the account.

use crate::{mock::*, Bonds, Relayers, Reputations, Slashes, MAX_PAGE};
use clustercast_primitives::{
	amount::USDC,
	chain::{RelayerInfo, Reputation},
	Balance,
};
use frame_support::{assert_ok, traits::fungible::Mutate};
use sp_runtime::AccountId32;

/// Bob watches Alice for a USDC.
fn deliver() {
	Registry::note_delivery(&ALICE, &BOB, 1_000_000, USDC);
}

/// Alice leaves as soon as she can.
fn leave() {
	assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
	System::set_block_number(System::block_number() + UNBOND_DELAY);
	assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE));
}

/// Alice is convicted, and pays when the time is there.
fn slash() {
	if let Some(conviction) = <Registry as Bonds<_>>::convict(&ALICE) {
		System::set_block_number(conviction.due);
	}
	drop(<Registry as Bonds<_>>::thaw(&ALICE));
}

#[test]
fn deliveries_of_a_relayer_add_up() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(7);
		assert_ok!(register(ALICE, &key(1)));
		for _ in 0..3 {
			deliver();
		}
		Registry::note_delivery(&ALICE, &NOBODY, 5, 7);
		let expected = Reputation {
			bytes: 3_000_005,
			value: 3 * USDC + 7,
			viewers: 2,
			slashes: 0,
			since: 7,
		};
		assert_eq!(Registry::reputation(&ALICE), expected);
		assert_eq!(Registry::relayers(None, 1)[0].reputation, expected);
	});
}

#[test]
fn a_turn_is_remembered_of_relayers_that_stay() {
	ExtBuilder.build_and_execute(|| {
		Registry::note_turn(&ALICE);
		assert_eq!(Registry::last_turn(&ALICE), None);
		System::set_block_number(7);
		assert_ok!(register(ALICE, &key(1)));
		assert_eq!(
			Registry::last_turn(&ALICE),
			Some(7),
			"who registers stands behind all others"
		);
		System::set_block_number(9);
		deliver();
		assert_eq!(Registry::last_turn(&ALICE), Some(7));
		Registry::note_turn(&ALICE);
		assert_eq!(Registry::last_turn(&ALICE), Some(9));
		assert_eq!(Registry::reputation(&ALICE).since, 7);
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(Registry::last_turn(&ALICE), None);
		assert_ok!(Registry::cancel_unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(Registry::last_turn(&ALICE), Some(9));
	});
}

#[test]
fn deliveries_of_others_do_not_count() {
	ExtBuilder.build_and_execute(|| {
		deliver();
		assert_eq!(Registry::reputation(&ALICE), Reputation::default());
		assert_eq!(Reputations::<Test>::iter().count(), 0);
	});
}

#[test]
fn deliveries_of_a_leaving_relayer_count_until_it_is_gone() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		deliver();
		assert_eq!(Registry::reputation(&ALICE).value, USDC);
	});
}

#[test]
fn whoever_comes_back_begins_anew() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		deliver();
		leave();
		assert_eq!(Registry::reputation(&ALICE), Reputation::default());
		assert_ok!(register(ALICE, &key(1)));
		let anew = Reputation {
			since: 1 + UNBOND_DELAY,
			..Default::default()
		};
		assert_eq!(Registry::reputation(&ALICE), anew);
	});
}

#[test]
fn a_change_of_mind_costs_no_reputation() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		deliver();
		let before = Registry::reputation(&ALICE);
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_ok!(Registry::cancel_unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(Registry::reputation(&ALICE), before);
	});
}

#[test]
fn slashes_are_not_washed_off_by_leaving() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		deliver();
		slash();
		let slashed = Registry::reputation(&ALICE);
		assert_eq!((slashed.value, slashed.slashes), (USDC, 1));
		// Leaving is what the first offence began.
		wait(UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(Slashes::<Test>::get(ALICE), 1);
		assert_ok!(register(ALICE, &key(2)));
		let back = Registry::reputation(&ALICE);
		assert_eq!((back.value, back.slashes), (0, 1));
	});
}

#[test]
fn slashes_are_not_washed_off_by_losing_the_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		deliver();
		slash();
		slash();
		assert!(!Relayers::<Test>::contains_key(ALICE));
		assert_ok!(register(ALICE, &key(1)));
		let back = Registry::reputation(&ALICE);
		assert_eq!((back.value, back.viewers, back.slashes), (0, 0, 2));
	});
}

#[test]
fn slash_of_nobody_is_not_counted() {
	ExtBuilder.build_and_execute(|| {
		slash();
		assert_eq!(Slashes::<Test>::iter().count(), 0);
	});
}

/// Registers `count` relayers; the n-th was paid `value(n)`.
fn populate(count: u8, value: impl Fn(u8) -> Balance) {
	for n in 1..=count {
		let who = AccountId32::new([n; 32]);
		Balances::set_balance(&who, ENDOWMENT);
		assert_ok!(register(who.clone(), &key(n)));
		Registry::note_delivery(&who, &BOB, 1, value(n));
	}
}

/// The leaderboard, by first byte of the account.
fn leaders(limit: u32) -> Vec<u8> {
	let leaders = Registry::leaderboard(limit);
	leaders.iter().map(|r| r.account.0[0]).collect()
}

fn info_of(n: u8) -> RelayerInfo {
	let all = Registry::relayers(None, MAX_PAGE);
	all.into_iter().find(|r| r.account.0[0] == n).unwrap()
}

#[test]
fn leaderboard_begins_with_who_was_paid_most() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(leaders(10), [0; 0]);
		populate(9, |n| [30, 10, 20][usize::from(n) % 3]);
		// Equal ones in the order of their accounts.
		assert_eq!(leaders(10), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
		assert_eq!(leaders(4), [3, 6, 9, 2]);
		assert_eq!(leaders(0), [0; 0]);
		assert_eq!(Registry::leaderboard(1)[0], info_of(3));
	});
}

#[test]
fn leaderboard_is_capped() {
	ExtBuilder.build_and_execute(|| {
		populate(120, Balance::from);
		assert_eq!(leaders(u32::MAX), (21..=120).rev().collect::<Vec<_>>());
	});
}
