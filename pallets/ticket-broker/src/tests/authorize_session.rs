//! `authorize_session`: one owner a key, which proves that it is the owner's; a bounded number of keys an owner, each for
//! a bounded time and a deposit.

use crate::{mock::*, Error, Event, HoldReason, Session, Sessions, SessionsOf};
use clustercast_primitives::{amount::USDC, nonces::Nonces, AccountId, Balance, Hash, Signature, StreamId, Tip};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::DispatchResult,
	traits::fungible::{Inspect, InspectHold},
};
use sp_runtime::{AccountId32, DispatchError, TokenError};

fn allow(who: AccountId32, seed: u8, limit: Balance, expiry: u32) -> DispatchResult {
	try_authorize(who, &key(seed), limit, 7, expiry)
}

/// What is held on an account for its sessions.
fn held(who: &AccountId32) -> Balance {
	Balances::balance_on_hold(&RuntimeHoldReason::from(HoldReason::Session), who)
}

#[test]
fn authorize_session_records_the_key() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(9);
		assert_ok!(allow(ALICE, 1, 5, 100));
		let key = key(1).public();
		System::assert_last_event(
			Event::SessionAuthorized {
				owner: ALICE,
				key,
				limit: 5,
				extra_limit: 7,
				expiry: 100,
			}
			.into(),
		);
		let session = Session {
			owner: ALICE,
			limit: 5,
			spent: 0,
			extra_limit: 7,
			extra_spent: 0,
			expiry: 100,
			registered: 9,
			deposit: SESSION_DEPOSIT,
			buys: false,
			tips: Nonces::default(),
		};
		assert_eq!(Sessions::<Test>::get(key), Some(session));
		assert_eq!(SessionsOf::<Test>::get(ALICE).into_inner(), vec![key]);
	});
}

#[test]
fn authorize_session_remembers_whether_a_relayer_buys_with_it() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(allow(BOB, 1, 5, 100));
		Bonded::set(vec![BOB]);
		assert_ok!(allow(BOB, 2, 5, 100));
		let buys = |seed| Sessions::<Test>::get(key(seed).public()).unwrap().buys;
		assert_eq!((buys(1), buys(2)), (false, true));
	});
}

#[test]
fn authorize_session_fails_for_a_key_in_use_whoever_asks() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(allow(ALICE, 1, 5, 100));
		assert_noop!(allow(ALICE, 1, 5, 100), Error::<Test>::SessionExists);
		assert_noop!(allow(BOB, 1, 5, 100), Error::<Test>::SessionExists);
	});
}

#[test]
fn authorize_session_fails_beyond_the_number_of_sessions() {
	ExtBuilder.build_and_execute(|| {
		for n in 0..MAX_SESSIONS as u8 {
			assert_ok!(allow(ALICE, n, 5, 100));
		}
		assert_noop!(allow(ALICE, 200, 5, 100), Error::<Test>::TooManySessions);
		assert_eq!(held(&ALICE), SESSION_DEPOSIT * Balance::from(MAX_SESSIONS));
		assert_ok!(allow(BOB, 200, 5, 100));
	});
}

#[test]
fn authorize_session_fails_without_limit_or_in_the_past() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(50);
		assert_noop!(allow(ALICE, 1, 0, 100), Error::<Test>::ZeroAmount);
		assert_noop!(allow(ALICE, 1, 5, 49), Error::<Test>::SessionExpired);
		assert_ok!(allow(ALICE, 1, 5, 50));
	});
}

#[test]
fn a_session_has_a_longest_life() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(50);
		let longest = 50 + MAX_SESSION_LIFE;
		assert_noop!(allow(ALICE, 1, 5, longest + 1), Error::<Test>::SessionTooLong);
		assert_noop!(allow(ALICE, 1, 5, u32::MAX), Error::<Test>::SessionTooLong);
		assert_ok!(allow(ALICE, 1, 5, longest));
	});
}

#[test]
fn a_session_key_proves_that_it_is_the_accounts_on_this_chain() {
	ExtBuilder.build_and_execute(|| {
		let (key, other) = (key(1), key(2));
		let with = |proof| Broker::authorize_session(RuntimeOrigin::signed(ALICE), key.public(), 5, 7, 100, proof);
		let account = AccountId(ALICE.into());
		let message = clustercast_primitives::session::SessionProof { account };
		let tip = Tip {
			sender: account,
			session: key.public(),
			stream: StreamId(0),
			amount: 0,
			reward: 0,
			nonce: 0,
			expiry: 0,
		};
		let mut raised = proof(&ALICE, &key);
		raise(&mut raised);
		let bad = [
			Signature([0; 64]),
			// Of the same account by another key, of another account, for another chain, of something else.
			proof(&ALICE, &other),
			proof(&BOB, &key),
			key.sign(message, &Hash([1; 32])).signature,
			key.sign(tip, &genesis()).signature,
			raised,
		];
		for (n, bad) in bad.into_iter().enumerate() {
			assert_noop!(with(bad), Error::<Test>::BadProof);
			assert!(!Sessions::<Test>::contains_key(key.public()), "{n}");
		}
		assert_ok!(with(proof(&ALICE, &key)));
	});
}

#[test]
fn a_session_holds_a_deposit_from_free_balance() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, USDC);
		let free = Balances::balance(&ALICE);
		assert_ok!(allow(ALICE, 1, 5, 100));
		assert_ok!(allow(ALICE, 2, 5, 100));
		assert_eq!(held(&ALICE), 2 * SESSION_DEPOSIT);
		assert_eq!(Balances::balance(&ALICE), free - 2 * SESSION_DEPOSIT);
		assert_eq!((deposited(&ALICE), total(&ALICE)), (USDC, ENDOWMENT));
	});
}

#[test]
fn a_session_holds_a_deposit_from_the_deposit_where_nothing_else_is_left() {
	ExtBuilder.build_and_execute(|| {
		endow(&ALICE, USDC);
		deposit(ALICE, USDC - SESSION_DEPOSIT);
		// What is free keeps the account's minimum, and is too little by that.
		assert_ok!(allow(ALICE, 1, 5, 100));
		assert_eq!(held(&ALICE), SESSION_DEPOSIT);
		assert_eq!(deposited(&ALICE), USDC - 2 * SESSION_DEPOSIT);
		assert_eq!(Balances::balance(&ALICE), SESSION_DEPOSIT);

		// Exactly enough above the minimum.
		endow(&BOB, USDC + EXISTENTIAL_DEPOSIT);
		deposit(BOB, USDC - SESSION_DEPOSIT);
		assert_ok!(allow(BOB, 2, 5, 100));
		assert_eq!(deposited(&BOB), USDC - SESSION_DEPOSIT);
		assert_eq!(Balances::balance(&BOB), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn a_session_without_money_for_its_deposit_is_none() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			allow(NOBODY, 1, 5, 100),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		endow(&NOBODY, 2 * SESSION_DEPOSIT - 1);
		deposit(NOBODY, SESSION_DEPOSIT - 1);
		assert_noop!(
			allow(NOBODY, 1, 5, 100),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_eq!(SessionsOf::<Test>::get(NOBODY).len(), 0);
	});
}

#[test]
fn an_unlock_of_nothing_goes_with_a_deposit_that_became_a_sessions() {
	ExtBuilder.build_and_execute(|| {
		endow(&ALICE, SESSION_DEPOSIT + EXISTENTIAL_DEPOSIT);
		deposit(ALICE, SESSION_DEPOSIT);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), SESSION_DEPOSIT));
		assert_ok!(allow(ALICE, 1, 5, 100));
		assert_eq!((deposited(&ALICE), Broker::unlocking(&ALICE)), (0, None));
	});
}
