//! Slashing: so much an offence, from bonds on their way out too; who is left with too little leaves.

use crate::{mock::*, Bonds, Error, Event, Relayers};
use clustercast_primitives::{amount::USDC, Balance};
use frame_support::{
	assert_noop, assert_ok,
	traits::{fungible::Inspect, tokens::imbalance::Imbalance},
};

/// Slashes Alice and burns it.
fn slash() -> Balance {
	<Registry as Bonds<_>>::slash(&ALICE).peek()
}

fn bond_extra(amount: Balance) {
	assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(ALICE), amount));
}

#[test]
fn slash_takes_a_share_of_a_large_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		bond_extra(30 * USDC);
		assert_eq!(slash(), 8 * USDC);
		System::assert_has_event(
			Event::Slashed {
				relayer: ALICE,
				amount: 8 * USDC,
				bond: 32 * USDC,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), 32 * USDC);
		assert_eq!(Balances::total_balance(&ALICE), ENDOWMENT - 8 * USDC);
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().unbonds_at, None);
	});
}

#[test]
fn slash_takes_the_least_of_a_small_bond_and_no_more_than_there_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_eq!(slash(), 5 * USDC);
		let relayer = Relayers::<Test>::get(ALICE).unwrap();
		assert_eq!((relayer.bond, relayer.unbonds_at), (5 * USDC, Some(1 + UNBOND_DELAY)));
		System::assert_has_event(
			Event::Unbonding {
				relayer: ALICE,
				unbonds_at: 1 + UNBOND_DELAY,
			}
			.into(),
		);
	});
}

#[test]
fn slash_of_the_whole_bond_removes_the_relayer_at_once() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_eq!(slash(), 5 * USDC);
		System::set_block_number(100);
		assert_eq!(slash(), 5 * USDC);
		System::assert_has_event(
			Event::Left {
				relayer: ALICE,
				bond: 0,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), slash()), (0, 0));
		assert!(!Relayers::<Test>::contains_key(ALICE));
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(ALICE)),
			Error::<Test>::NotRegistered
		);
		// The key is free: for whoever can prove that it has it.
		assert_ok!(register(ALICE, &key(1)));
	});
}

#[test]
fn slash_that_leaves_anything_keeps_the_relayer() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		bond_extra(1);
		assert_eq!(slash(), 5 * USDC);
		assert_eq!(slash(), 5 * USDC);
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().bond, 1);
		System::set_block_number(1 + UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE)));
	});
}

#[test]
fn slash_of_a_leaving_relayer_does_not_delay_it() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE)));
		System::set_block_number(UNBOND_DELAY);
		assert_eq!(slash(), 5 * USDC);
		System::set_block_number(1 + UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE)));
		assert_eq!(Balances::balance(&ALICE), ENDOWMENT - 5 * USDC);
		assert_eq!(slash(), 0, "who is gone has no bond");
	});
}

#[test]
fn cancel_unbond_needs_the_minimum_again() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		slash();
		let cancel = || Registry::cancel_unbond(RuntimeOrigin::signed(ALICE));
		bond_extra(5 * USDC - 1);
		assert_noop!(cancel(), Error::<Test>::BondTooSmall);
		bond_extra(1);
		assert_ok!(cancel());
	});
}

#[test]
fn relayer_is_found_by_its_key_until_it_is_gone() {
	ExtBuilder.build_and_execute(|| {
		let relayer = || <Registry as Bonds<_>>::relayer(&key(1).public());
		assert_eq!(relayer(), None);
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE)));
		assert_eq!(relayer(), Some(ALICE));
		System::set_block_number(1 + UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE)));
		assert_eq!(relayer(), None);
	});
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn a_share_of_more_than_everything_is_found() {
	use frame_support::traits::Hooks;
	SlashShare::set(1_000_001);
	Registry::integrity_test();
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn an_offence_for_nothing_is_found() {
	use frame_support::traits::Hooks;
	MinSlash::set(0);
	Registry::integrity_test();
}
