//! `deposit`: held on the viewer's own account, up to the cap.

use crate::{mock::*, Error, Event, Unlocks};
use clustercast_primitives::{amount::USDC, channel::Reservation, AccountId, Balance};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError, TokenError};

fn put(who: AccountId32, amount: Balance) -> DispatchResult {
	Broker::deposit(RuntimeOrigin::signed(who), amount)
}

#[test]
fn deposit_holds_on_the_viewers_own_account() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(put(ALICE, 3 * USDC));
		assert_ok!(put(ALICE, 4 * USDC));
		System::assert_last_event(
			Event::Deposited {
				who: ALICE,
				amount: 4 * USDC,
			}
			.into(),
		);
		assert_eq!(deposited(&ALICE), 7 * USDC);
		assert_eq!(Balances::free_balance(&ALICE), ENDOWMENT - 7 * USDC);
		assert_eq!(total(&ALICE), ENDOWMENT);
	});
}

#[test]
fn deposit_fails_above_the_cap() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(put(ALICE, MAX_DEPOSIT + 1), Error::<Test>::DepositTooLarge);
		assert_ok!(put(ALICE, MAX_DEPOSIT));
		assert_noop!(put(ALICE, 1), Error::<Test>::DepositTooLarge);
		assert_noop!(put(ALICE, u128::MAX), Error::<Test>::DepositTooLarge);
	});
}

#[test]
fn deposit_fails_on_nothing_and_without_the_money() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(put(ALICE, 0), Error::<Test>::ZeroAmount);
		assert_noop!(put(NOBODY, 1), DispatchError::Token(TokenError::FundsUnavailable));
		// The account's minimum stays free.
		assert_noop!(put(RELAYER, USDC), DispatchError::Token(TokenError::FundsUnavailable));
		assert_ok!(put(RELAYER, USDC - EXISTENTIAL_DEPOSIT));
	});
}

#[test]
fn deposit_does_not_refill_what_is_unlocking() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC);
		authorize(ALICE, &key, USDC, 10_000);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
		// Half of what is leaving is spent; a new deposit has the whole delay before it.
		assert_ok!(Broker::redeem_batch(
			RuntimeOrigin::signed(RELAYER),
			vec![winner(&key, 0)].try_into().unwrap()
		));
		assert_ok!(put(ALICE, 10 * USDC));
		assert_eq!(Broker::unlocking(&ALICE).unwrap().amount, USDC / 2);
		System::set_block_number(1 + UNLOCK_DELAY);
		assert_ok!(Broker::withdraw(RuntimeOrigin::signed(ALICE)));
		assert_eq!(deposited(&ALICE), 10 * USDC);
	});
}

#[test]
fn an_unlock_goes_with_the_deposit_that_tickets_took() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC / 2);
		authorize(ALICE, &key, USDC, 10_000);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC / 2));
		assert_ok!(Broker::redeem_batch(
			RuntimeOrigin::signed(RELAYER),
			vec![winner(&key, 0)].try_into().unwrap()
		));
		assert_eq!(Unlocks::<Test>::get(ALICE), None);
		assert_ok!(put(ALICE, USDC));
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
	});
}

#[test]
fn a_bonded_relayer_deposits_above_the_cap() {
	ExtBuilder.build_and_execute(|| {
		Bonded::set(vec![BOB]);
		assert_ok!(put(BOB, MAX_DEPOSIT + 1));
		assert_ok!(put(BOB, USDC));
		assert_noop!(put(ALICE, MAX_DEPOSIT + 1), Error::<Test>::DepositTooLarge);
		// What it has stays when the bond goes; no more comes.
		Bonded::set(vec![]);
		assert_noop!(put(BOB, 1), Error::<Test>::DepositTooLarge);
		assert_eq!(deposited(&BOB), MAX_DEPOSIT + 1 + USDC);
	});
}

#[test]
fn what_is_reserved_counts_against_the_cap() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let reservation = Reservation {
			sender: AccountId(ALICE.into()),
			session: key.public(),
			recipient: AccountId(RELAYER.into()),
			counter: 1,
			cap: 20 * USDC,
			reward: 0,
			submit_by: 1,
		};
		assert_ok!(Broker::reserve(
			RuntimeOrigin::signed(BOB),
			key.sign(reservation, &genesis())
		));
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT);
		assert_noop!(put(ALICE, 1), Error::<Test>::DepositTooLarge);
	});
}
