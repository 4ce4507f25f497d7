//! What is kept of what was earned: a part, up to a bound, of whoever answers, and lost with the rest.

use crate::{mock::*, Offences, StreamKeys as Stored, Streams};
use clustercast_primitives::{amount::USDC, Balance, StreamId};
use frame_support::{
	assert_ok,
	traits::{
		fungible::{Inspect, Mutate},
		tokens::imbalance::Imbalance,
	},
};
use sp_runtime::AccountId32;

/// Pays somebody for the first stream, as a batch does.
fn earn(who: &AccountId32, amount: Balance) {
	assert_ok!(Balances::mint_into(who, amount));
	<StreamKeys as Streams<_>>::earned(STREAM, who, amount);
}

fn flag(seed: u8) -> Option<Balance> {
	StreamKeys::flag(STREAM, &signer(seed)).map(|taken| taken.peek())
}

#[test]
fn a_part_of_what_was_earned_is_kept_until_there_is_enough() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		earn(&ALICE, 5 * USDC);
		assert_eq!(
			(held(&ALICE), info().deposit),
			(MINT_DEPOSIT + USDC / 2, MINT_DEPOSIT + USDC / 2)
		);
		earn(&ALICE, 9);
		assert_eq!(info().deposit, MINT_DEPOSIT + USDC / 2, "rounded down");
		earn(&ALICE, 100 * USDC);
		assert_eq!((held(&ALICE), info().deposit), (MAX_DEPOSIT, MAX_DEPOSIT));
		earn(&ALICE, 100 * USDC);
		assert_eq!(held(&ALICE), MAX_DEPOSIT);
		assert_eq!(total(&ALICE), ENDOWMENT + 205 * USDC + 9, "it stays the account's own");
	});
}

#[test]
fn nothing_is_written_when_there_is_enough() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		earn(&ALICE, 100 * USDC);
		let root = || sp_io::storage::root(sp_runtime::StateVersion::V1);
		let before = root();
		<StreamKeys as Streams<_>>::earned(STREAM, &ALICE, 100 * USDC);
		<StreamKeys as Streams<_>>::earned(STREAM, &BOB, 100 * USDC);
		<StreamKeys as Streams<_>>::earned(StreamId(9), &ALICE, 100 * USDC);
		assert_eq!(root(), before);
	});
}

#[test]
fn an_offence_costs_what_was_kept_as_well() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		earn(&ALICE, 20 * USDC);
		assert_eq!(flag(7), Some(MINT_DEPOSIT + 2 * USDC - EXISTENTIAL_DEPOSIT));
		// One that is flagged has no more to lose, so nothing more is kept.
		earn(&ALICE, 20 * USDC);
		assert_eq!(held(&ALICE), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn what_was_kept_stays_with_whoever_earned_it() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		earn(&ALICE, 20 * USDC);
		assert_ok!(list(ALICE, 0));
		assert_ok!(buy(BOB));
		assert_eq!((held(&ALICE), held(&BOB)), (MINT_DEPOSIT + 2 * USDC, MINT_DEPOSIT));
		// What comes late is kept too.
		earn(&ALICE, 10 * USDC);
		assert_eq!(held(&ALICE), MINT_DEPOSIT + 3 * USDC);
		assert_eq!(flag(7), Some(MINT_DEPOSIT + 3 * USDC - EXISTENTIAL_DEPOSIT));
		assert_eq!(held(&BOB), MINT_DEPOSIT);
		run_to(1 + KEY_MEMORY);
		assert_eq!(held(&ALICE), 0);
		earn(&ALICE, 10 * USDC);
		assert_eq!(held(&ALICE), 0, "she answers for nothing any more");
	});
}

#[test]
fn a_renters_earnings_are_kept_for_the_rental() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		earn(&BOB, 20 * USDC);
		assert_eq!((held(&ALICE), held(&BOB)), (MINT_DEPOSIT, MINT_DEPOSIT + 2 * USDC));
		run_to(61 + KEY_MEMORY);
		assert_eq!(held(&BOB), 0);
		assert_eq!(total(&BOB), ENDOWMENT + 20 * USDC);
	});
}

#[test]
fn no_more_is_kept_than_the_account_can_spare() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		Balances::set_balance(&ALICE, EXISTENTIAL_DEPOSIT + 7);
		<StreamKeys as Streams<_>>::earned(STREAM, &ALICE, 100 * USDC);
		assert_eq!(Stored::<Test>::get(STREAM).unwrap().deposit, MINT_DEPOSIT + 7);
		assert_eq!(Balances::balance(&ALICE), EXISTENTIAL_DEPOSIT);
	});
}
