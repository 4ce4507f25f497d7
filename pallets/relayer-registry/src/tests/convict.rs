//! Offences: the first one freezes the bond, each costs so much of what is left, and nothing is taken before the delay.

use crate::{mock::*, Bonds, Conviction, Error, Event, Freeze, Relayers};
use clustercast_primitives::{amount::USDC, Balance};
use frame_support::{
	assert_noop, assert_ok,
	traits::{fungible::Inspect, tokens::imbalance::Imbalance, Hooks},
};

/// Alice is convicted once more: what it costs.
fn convict() -> Balance {
	<Registry as Bonds<_>>::convict(&ALICE).unwrap().penalty
}

fn take(amount: Balance) -> Balance {
	<Registry as Bonds<_>>::take(&ALICE, amount).peek()
}

fn thaw() -> Balance {
	<Registry as Bonds<_>>::thaw(&ALICE).peek()
}

fn owed() -> Balance {
	<Registry as Bonds<_>>::owed(&ALICE)
}

fn bond_extra(amount: Balance) {
	assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(ALICE), ALICE, amount));
}

#[test]
fn the_first_offence_freezes_the_bond_and_takes_nothing_yet() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		bond_extra(30 * USDC);
		System::set_block_number(7);
		let due = 7 + UNBOND_DELAY;
		let conviction = Conviction { penalty: 8 * USDC, due };
		assert_eq!(<Registry as Bonds<_>>::convict(&ALICE), Some(conviction));
		System::assert_last_event(
			Event::Convicted {
				relayer: ALICE,
				penalty: 8 * USDC,
				due,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), owed()), (40 * USDC, 8 * USDC));
		// Each further one takes a share of what is left, and changes nothing in when it is due.
		System::set_block_number(99);
		assert_eq!(convict(), 6_400_000);
		let frozen = Relayers::<Test>::get(ALICE).unwrap().frozen;
		assert_eq!(frozen, Some(Freeze { due, owed: 14_400_000 }));
		assert_eq!(Registry::reputation(&ALICE).slashes, 2);
	});
}

#[test]
fn a_small_bond_loses_the_least_of_an_offence_and_no_more_than_there_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		bond_extra(1);
		assert_eq!([convict(), convict(), convict(), convict()], [5 * USDC, 5 * USDC, 1, 0]);
		assert_eq!(owed(), 10 * USDC + 1);
		assert_eq!(<Registry as Bonds<_>>::convict(&BOB), None, "who is no relayer");
	});
}

/// The attack: whoever is about to be convicted, or was, moves the bond out of reach.
#[test]
fn nothing_leaves_a_frozen_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		let alice = || RuntimeOrigin::signed(ALICE);
		assert_ok!(Registry::unbond(alice(), ALICE));
		System::set_block_number(UNBOND_DELAY);
		convict();
		System::set_block_number(1 + UNBOND_DELAY);
		assert_noop!(Registry::withdraw_bond(alice(), ALICE), Error::<Test>::Frozen);
		assert_noop!(Registry::set_payout(alice(), ALICE, BOB), Error::<Test>::Frozen);
		assert_noop!(Registry::cancel_unbond(alice(), ALICE), Error::<Test>::Frozen);
		assert_noop!(Registry::unbond(alice(), ALICE), Error::<Test>::Frozen);
		assert_noop!(Registry::bond_extra(alice(), ALICE, 1), Error::<Test>::Frozen);
		assert_noop!(
			Balances::transfer_allow_death(alice(), BOB, ENDOWMENT - MIN_BOND),
			sp_runtime::TokenError::Frozen
		);
		// What is hot can be changed all the same.
		assert_ok!(Registry::set_operator(alice(), ALICE, BOB));
		assert_ok!(set_key(BOB, ALICE, &key(2)));
		// Once the penalty is paid, the delay of its leaving is over as well.
		assert_eq!(thaw(), 5 * USDC);
		assert_ok!(Registry::withdraw_bond(alice(), ALICE));
		assert_eq!(Balances::balance(&ALICE), ENDOWMENT - 5 * USDC);
	});
}

#[test]
fn what_is_taken_is_at_most_what_is_owed() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_eq!(take(1), 0, "it owes nothing");
		convict();
		assert_eq!((take(2 * USDC), owed(), held(&ALICE)), (2 * USDC, 3 * USDC, 8 * USDC));
		assert_eq!((take(9 * USDC), owed(), held(&ALICE)), (3 * USDC, 0, 5 * USDC));
		assert_eq!((take(1), thaw()), (0, 0));
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().bond, 5 * USDC);
		assert_eq!(
			(
				<Registry as Bonds<_>>::take(&BOB, 1).peek(),
				<Registry as Bonds<_>>::thaw(&BOB).peek()
			),
			(0, 0)
		);
	});
}

#[test]
fn who_is_left_with_too_little_is_leaving_when_it_thaws() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		convict();
		System::set_block_number(1 + UNBOND_DELAY);
		assert_eq!(thaw(), 5 * USDC);
		let unbonds_at = 1 + 2 * UNBOND_DELAY;
		let relayer = Relayers::<Test>::get(ALICE).unwrap();
		assert_eq!(
			(relayer.bond, relayer.unbonds_at, relayer.frozen),
			(5 * USDC, Some(unbonds_at), None)
		);
		System::assert_has_event(
			Event::Unbonding {
				relayer: ALICE,
				unbonds_at,
			}
			.into(),
		);
		// Unless it brings more.
		let cancel = || Registry::cancel_unbond(RuntimeOrigin::signed(ALICE), ALICE);
		bond_extra(5 * USDC - 1);
		assert_noop!(cancel(), Error::<Test>::BondTooSmall);
		bond_extra(1);
		assert_ok!(cancel());
	});
}

#[test]
fn who_has_enough_left_serves_on() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		bond_extra(30 * USDC);
		convict();
		assert!(Registry::relayers(None, 10).is_empty() && !Registry::is_bonded(&ALICE));
		assert_eq!(thaw(), 8 * USDC);
		System::assert_has_event(
			Event::Thawed {
				relayer: ALICE,
				bond: 32 * USDC,
			}
			.into(),
		);
		assert_eq!(Registry::relayers(None, 10)[0].unbonds_at, None);
		assert!(Registry::is_bonded(&ALICE));
	});
}

#[test]
fn who_lost_the_whole_bond_is_removed_at_once_with_all_its_keys() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(set_key(ALICE, ALICE, &key(2)));
		convict();
		convict();
		assert_eq!(thaw(), 10 * USDC);
		System::assert_has_event(
			Event::Left {
				relayer: ALICE,
				bond: 0,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), owed(), take(1)), (0, 0, 0));
		assert!(!Relayers::<Test>::contains_key(ALICE));
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::NotRegistered
		);
		// The keys are free: for whoever can prove that it has them.
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(register(BOB, &key(2)));
	});
}

#[test]
fn relayer_is_found_by_its_key_until_it_is_gone() {
	ExtBuilder.build_and_execute(|| {
		let relayer = || <Registry as Bonds<_>>::relayer(&key(1).public());
		assert_eq!(relayer(), None);
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(relayer(), Some(ALICE));
		System::set_block_number(1 + UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(relayer(), None);
	});
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn a_share_of_more_than_everything_is_found() {
	SlashShare::set(1_000_001);
	Registry::integrity_test();
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn an_offence_for_nothing_is_found() {
	MinSlash::set(0);
	Registry::integrity_test();
}
