//! What other pallets do for an account follows the rules of the calls, and does all or nothing.

use crate::{mock::*, Error, Escrow, Sessions, Unlocks};
use clustercast_primitives::amount::USDC;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn a_deposit_is_as_large_as_cap_and_balance_allow() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(Broker::deposit_for(&ALICE, 20 * USDC), 20 * USDC);
		assert_eq!(Broker::deposit_for(&ALICE, 40 * USDC), 30 * USDC);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT);
		assert_eq!(Broker::deposit_for(&ALICE, USDC), 0);
		// The existential deposit stays free.
		assert_eq!(Broker::deposit_for(&RELAYER, 2 * USDC), USDC - EXISTENTIAL_DEPOSIT);
		assert_eq!(Broker::deposit_for(&NOBODY, USDC), 0);
		assert_eq!(Broker::deposit_for(&BOB, 0), 0);
		assert_eq!((deposited(&NOBODY), deposited(&BOB)), (0, 0));
	});
}

#[test]
fn a_deposit_that_fails_leaves_no_trace() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, MAX_DEPOSIT);
		assert_ok!(Broker::unlock_for(&ALICE, 2 * USDC));
		let unlocking = Unlocks::<Test>::get(&ALICE);
		assert_eq!(Broker::deposit_for(&ALICE, USDC), 0);
		assert_eq!(Unlocks::<Test>::get(&ALICE), unlocking);
	});
}

#[test]
fn sessions_follow_the_rules_of_the_call() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		let authorize = |who, limit, extra_limit, expiry| {
			Broker::authorize_for(&who, key.public(), limit, extra_limit, expiry, &proof(&who, &key))
		};
		assert_noop!(authorize(ALICE, 0, USDC, 10), Error::<Test>::ZeroAmount);
		assert_noop!(authorize(ALICE, USDC, 0, 0), Error::<Test>::SessionExpired);
		assert_noop!(
			authorize(ALICE, USDC, 0, 2 + MAX_SESSION_LIFE),
			Error::<Test>::SessionTooLong
		);
		assert_noop!(
			Broker::authorize_for(&ALICE, key.public(), USDC, 5, 10, &proof(&BOB, &key)),
			Error::<Test>::BadProof
		);
		assert_ok!(authorize(ALICE, USDC, 5, 10));
		let session = Sessions::<Test>::get(key.public()).unwrap();
		assert_eq!((session.owner, session.limit, session.extra_limit), (ALICE, USDC, 5));
		assert_noop!(authorize(BOB, USDC, 5, 10), Error::<Test>::SessionExists);
	});
}

#[test]
fn a_session_that_fails_leaves_no_trace() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		endow(&NOBODY, SESSION_DEPOSIT);
		assert_noop!(
			Broker::authorize_for(&NOBODY, key.public(), USDC, 5, 10, &proof(&NOBODY, &key)),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
	});
}

#[test]
fn a_deposit_is_unlocked_and_collected() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(Broker::unlock_for(&ALICE, 0), Error::<Test>::ZeroAmount);
		deposit(ALICE, 10 * USDC);
		assert_noop!(Broker::unlock_for(&ALICE, 11 * USDC), Error::<Test>::DepositTooSmall);
		assert_ok!(Broker::unlock_for(&ALICE, 0));
		assert_eq!(Broker::unlocking(&ALICE).unwrap().amount, 10 * USDC);
		assert_noop!(Broker::unlock_for(&ALICE, USDC), Error::<Test>::AlreadyUnlocking);
		assert_noop!(Broker::collect_for(&ALICE), Error::<Test>::TooEarly);
		run_to(1 + UNLOCK_DELAY);
		assert_ok!(Broker::collect_for(&ALICE));
		assert_eq!((deposited(&ALICE), total(&ALICE)), (0, ENDOWMENT));
		assert_noop!(Broker::collect_for(&ALICE), Error::<Test>::NotUnlocking);
	});
}
