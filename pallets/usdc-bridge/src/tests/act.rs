//! `act`: an Ethereum wallet's messages do what they say for its own account, once, in time.

use crate::{mock::*, Error, Event, UsedActions, Withdrawals};
use clustercast_primitives::{
	amount::USDC,
	bridge::{Domain, EthereumAction},
	Balance, EthereumAddress, EthereumSignature, Signature,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use pallet_ticket_broker::Sessions;
use sp_core::ecdsa;
use sp_runtime::TokenError;

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

fn withdraw(amount: Balance, fee: Balance, tip: Balance) -> EthereumAction {
	EthereumAction::Withdraw {
		to: TO,
		amount,
		fee,
		tip,
		nonce: 0,
		deadline: 100,
	}
}

fn unlock(amount: Balance, tip: Balance, nonce: u64) -> EthereumAction {
	EthereumAction::Unlock {
		amount,
		tip,
		nonce,
		deadline: 100,
	}
}

fn collect(tip: Balance) -> EthereumAction {
	EthereumAction::Collect {
		tip,
		nonce: 0,
		deadline: 1 + UNLOCK_DELAY,
	}
}

fn authorize(limit: Balance, tip: Balance) -> EthereumAction {
	EthereumAction::Authorize {
		key: session_key(7).public(),
		limit,
		expiry: 500,
		proof: session_proof(7, &account(&wallet(1))),
		tip,
		nonce: 0,
		deadline: 100,
	}
}

fn stored(id: u64) -> (EthereumAddress, Balance, Balance) {
	let stored = Withdrawals::<Test>::get(id).unwrap();
	(stored.to, stored.amount, stored.fee)
}

#[test]
fn withdraw_takes_what_it_says_and_tips_the_submitter() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let action = withdraw(10 * USDC, USDC, 2 * USDC);
		assert_ok!(act(&wallet, action));
		assert_eq!(stored(0), (TO, 10 * USDC, USDC));
		assert_eq!(free(&account(&wallet)), 48 * USDC);
		assert_eq!(free(&BOB), ENDOWMENT + 2 * USDC);
		System::assert_last_event(
			Event::Acted {
				address: address(&wallet),
				account: account(&wallet),
				submitter: BOB,
				tip: 2 * USDC,
				digest: action.digest(&L2),
			}
			.into(),
		);
	});
}

#[test]
fn withdraw_of_nothing_is_of_everything_that_is_free() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		assert_ok!(act(&wallet, withdraw(0, USDC, 2 * USDC)));
		// What is deposited for tickets keeps the account alive.
		assert_eq!(stored(0), (TO, 58 * USDC - EXISTENTIAL_DEPOSIT, USDC));
		assert_eq!(Broker::deposit_of(&account(&wallet)), 40 * USDC);
	});
}

#[test]
fn everything_can_be_taken_back() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		assert_ok!(act(&wallet, unlock(0, 0, 0)));
		assert_noop!(act(&wallet, collect(0)), pallet_ticket_broker::Error::<Test>::TooEarly);
		run_to(1 + UNLOCK_DELAY);
		assert_ok!(act(&wallet, collect(USDC)));
		assert_eq!(free(&account(&wallet)), 99 * USDC);
		let all = EthereumAction::Withdraw {
			to: TO,
			amount: 0,
			fee: 0,
			tip: 0,
			nonce: 0,
			deadline: 1_300,
		};
		assert_ok!(act(&wallet, all));
		assert_eq!(stored(0), (TO, 99 * USDC, 0));
		assert!(!System::account_exists(&account(&wallet)));
	});
}

#[test]
fn collect_pays_its_tip_from_what_it_collects() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		assert_ok!(act(&wallet, unlock(0, 0, 0)));
		assert_ok!(act(&wallet, withdraw(0, 0, 0)));
		assert_eq!(free(&account(&wallet)), EXISTENTIAL_DEPOSIT);
		run_to(1 + UNLOCK_DELAY);
		assert_ok!(act(&wallet, collect(40 * USDC)));
		assert_eq!(free(&BOB), ENDOWMENT + 40 * USDC);
	});
}

#[test]
fn authorize_makes_a_session() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		assert_ok!(act(&wallet, authorize(5 * USDC, USDC)));
		let session = Sessions::<Test>::get(session_key(7).public()).unwrap();
		assert_eq!(
			(session.owner, session.limit, session.expiry),
			(account(&wallet), 5 * USDC, 500)
		);
		assert_eq!(free(&BOB), ENDOWMENT + USDC);
	});
}

/// Whoever saw a key could have made it a session of his own, and its owner could never use it.
#[test]
fn nobody_takes_a_key_that_is_not_theirs() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let refusal = || pallet_ticket_broker::Error::<Test>::BadProof;
		let with = |other| match authorize(USDC, 0) {
			EthereumAction::Authorize {
				key,
				limit,
				expiry,
				tip,
				nonce,
				deadline,
				..
			} => EthereumAction::Authorize {
				key,
				limit,
				expiry,
				proof: other,
				tip,
				nonce,
				deadline,
			},
			_ => unreachable!(),
		};
		// Of another key, for another account, and none.
		assert_noop!(act(&wallet, with(session_proof(8, &account(&wallet)))), refusal());
		assert_noop!(act(&wallet, with(session_proof(7, &BOB))), refusal());
		assert_noop!(act(&wallet, with(Signature([0; 64]))), refusal());
		// The wallet's signature is good whatever the proof is: it is not part of what the wallet signs.
		let signed = sign_action(&wallet, &with(Signature([0; 64])));
		assert_ok!(Bridge::act(RuntimeOrigin::signed(BOB), authorize(USDC, 0), signed));
	});
}

#[test]
fn a_message_is_taken_once() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let action = withdraw(10 * USDC, 0, 0);
		assert_ok!(act(&wallet, action));
		assert_noop!(act(&wallet, action), Error::<Test>::AlreadyUsed);
		// Nor in the other form that every ECDSA signature has.
		let mut other = sign_action(&wallet, &action).0;
		let order = primitive_order();
		let s: [u8; 32] = other[32..64].try_into().unwrap();
		other[32..64].copy_from_slice(&subtract(order, s));
		other[64] = 27 + 28 - other[64];
		assert_noop!(
			Bridge::act(RuntimeOrigin::signed(BOB), action, EthereumSignature(other)),
			Error::<Test>::AlreadyUsed
		);
		// The same again under another nonce is another message.
		let EthereumAction::Withdraw {
			to,
			amount,
			fee,
			tip,
			deadline,
			..
		} = action
		else {
			unreachable!()
		};
		let again = EthereumAction::Withdraw {
			to,
			amount,
			fee,
			tip,
			deadline,
			nonce: 1,
		};
		assert_ok!(act(&wallet, again));
	});
}

/// Order of secp256k1's group, big-endian.
fn primitive_order() -> [u8; 32] {
	let mut order = [0xff; 32];
	order[15] = 0xfe;
	order[16..].copy_from_slice(&[
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	]);
	order
}

fn subtract(from: [u8; 32], what: [u8; 32]) -> [u8; 32] {
	let (mut rest, mut borrow) = ([0; 32], 0i16);
	for place in (0..32).rev() {
		let digit = i16::from(from[place]) - i16::from(what[place]) - borrow;
		borrow = i16::from(digit < 0);
		rest[place] = digit.rem_euclid(256) as u8;
	}
	rest
}

#[test]
fn wallets_may_sign_the_same_message() {
	ExtBuilder::default().build_and_execute(|| {
		let wallets = [wallet(1), wallet(2)];
		let deposits: Vec<_> = (0..)
			.zip(&wallets)
			.map(|(number, w)| deposit_of(number, account(w)))
			.collect();
		bridge_in(&deposits);
		for wallet in &wallets {
			assert_ok!(act(wallet, unlock(USDC, 0, 0)));
			assert_noop!(act(wallet, unlock(USDC, 0, 0)), Error::<Test>::AlreadyUsed);
		}
	});
}

#[test]
fn a_message_has_its_time() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let until = |deadline| EthereumAction::Unlock {
			amount: USDC,
			tip: 0,
			nonce: 0,
			deadline,
		};
		run_to(10);
		assert_noop!(act(&wallet, until(9)), Error::<Test>::Expired);
		assert_noop!(act(&wallet, until(11 + MAX_ACTION_LIFE)), Error::<Test>::DeadlineTooFar);
		assert_ok!(act(&wallet, until(10 + MAX_ACTION_LIFE)));
		assert_eq!(UsedActions::<Test>::iter_prefix(1).count(), 1);
	});
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		run_to(100);
		assert_ok!(act(&wallet, unlock(USDC, 0, 0)));
	});
}

#[test]
fn nobody_acts_for_another() {
	ExtBuilder::default().build_and_execute(|| {
		let (owner, thief) = (funded_wallet(), wallet(2));
		let action = withdraw(10 * USDC, 0, 0);
		assert_noop!(act(&thief, action), Error::<Test>::UnknownAccount);
		// A signature of the owner for something else, for another vault or chain, or a broken one.
		let submit = |signature| Bridge::act(RuntimeOrigin::signed(BOB), action, signature);
		let other = sign_action(&owner, &withdraw(9 * USDC, 0, 0));
		assert_noop!(submit(other), Error::<Test>::UnknownAccount);
		for domain in [
			Domain { chain_id: 1, ..L2 },
			Domain {
				vault: EthereumAddress([1; 20]),
				..L2
			},
		] {
			let elsewhere = owner.sign_prehashed(&action.digest(&domain).0).0;
			assert_noop!(submit(EthereumSignature(elsewhere)), Error::<Test>::UnknownAccount);
		}
		assert_noop!(submit(EthereumSignature([0; 65])), Error::<Test>::BadSignature);
		assert_noop!(submit(EthereumSignature([0xff; 65])), Error::<Test>::BadSignature);
		let mut bad_v = sign_action(&owner, &action);
		bad_v.0[64] = 31;
		assert_noop!(submit(bad_v), Error::<Test>::BadSignature);
		assert_ok!(act(&owner, action));
	});
}

#[test]
fn some_wallets_write_v_from_zero() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet: ecdsa::Pair = funded_wallet();
		let action = unlock(USDC, 0, 0);
		let mut signature = sign_action(&wallet, &action);
		signature.0[64] -= 27;
		assert_ok!(Bridge::act(RuntimeOrigin::signed(BOB), action, signature));
	});
}

#[test]
fn a_message_that_cannot_be_followed_changes_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		type Refusal = pallet_ticket_broker::Error<Test>;
		let wallet = funded_wallet();
		// Neither tip nor withdrawal alone.
		assert_noop!(
			act(&wallet, withdraw(59 * USDC, 0, 2 * USDC)),
			TokenError::FundsUnavailable
		);
		assert_noop!(act(&wallet, withdraw(USDC, 0, 61 * USDC)), TokenError::FundsUnavailable);
		assert_noop!(act(&wallet, withdraw(USDC, 2 * USDC, 0)), Error::<Test>::FeeTooLarge);
		assert_noop!(act(&wallet, withdraw(USDC / 2, 0, 0)), Error::<Test>::AmountTooSmall);
		assert_noop!(act(&wallet, unlock(41 * USDC, USDC, 0)), Refusal::DepositTooSmall);
		assert_noop!(act(&wallet, collect(0)), Refusal::NotUnlocking);
		assert_noop!(act(&wallet, authorize(0, USDC)), Refusal::ZeroAmount);
		assert_ok!(act(&wallet, unlock(40 * USDC, USDC, 0)));
		assert_noop!(act(&wallet, unlock(USDC, USDC, 1)), Refusal::AlreadyUnlocking);
	});
}

#[test]
fn everything_is_no_more_than_one_withdrawal_may_be() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		MaxWithdrawal::set(50 * USDC);
		assert_ok!(act(&wallet, withdraw(0, 0, 0)));
		assert_eq!(stored(0), (TO, 50 * USDC, 0));
		assert_eq!(Balances::balance(&account(&wallet)), 10 * USDC);
	});
}

#[test]
fn a_chain_without_a_vault_follows_no_message() {
	ExtBuilder { no_vault: true }.build_and_execute(|| {
		assert_noop!(act(&wallet(1), unlock(USDC, 0, 0)), Error::<Test>::NoVault);
	});
}
