//! `withdraw`: burns at once, within the bounds.

use crate::{mock::*, Error, Event, Line, Withdrawals, Withdrawn};
use clustercast_primitives::{amount::USDC, bridge::Credit, Balance, EthereumAddress};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, TokenError};

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

fn withdraw(who: AccountId32, to: EthereumAddress, amount: Balance, fee: Balance) -> DispatchResult {
	Bridge::withdraw(RuntimeOrigin::signed(who), to, amount, fee)
}

#[test]
fn a_withdrawal_is_burnt_and_waits() {
	ExtBuilder::default().build_and_execute(|| {
		let issuance = Balances::total_issuance();
		assert_ok!(withdraw(ALICE, TO, 5 * USDC, USDC));
		assert_eq!(free(&ALICE), ENDOWMENT - 5 * USDC);
		assert_eq!(Balances::total_issuance(), issuance - 5 * USDC);
		assert_eq!(Withdrawn::<Test>::get(), 5 * USDC);
		let stored = Withdrawals::<Test>::get(0).unwrap();
		assert_eq!(
			(stored.to, stored.amount, stored.fee, stored.place),
			(TO, 5 * USDC, USDC, None)
		);
		System::assert_last_event(
			Event::WithdrawalRequested {
				id: 0,
				from: ALICE,
				to: TO,
				amount: 5 * USDC,
				fee: USDC,
			}
			.into(),
		);
		assert_ok!(withdraw(BOB, TO, USDC, USDC));
		assert_eq!((Line::<Test>::get().next, Line::<Test>::get().queued()), (2, 2));
	});
}

#[test]
fn every_rule_has_its_error() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(
			withdraw(ALICE, TO, MIN_WITHDRAWAL - 1, 0),
			Error::<Test>::AmountTooSmall
		);
		assert_noop!(withdraw(ALICE, TO, 0, 0), Error::<Test>::AmountTooSmall);
		assert_noop!(
			withdraw(ALICE, TO, MAX_WITHDRAWAL + 1, 0),
			Error::<Test>::AmountTooLarge
		);
		assert_noop!(withdraw(ALICE, TO, USDC, USDC + 1), Error::<Test>::FeeTooLarge);
		let zero = EthereumAddress([0; 20]);
		assert_noop!(withdraw(ALICE, zero, USDC, 0), Error::<Test>::BadRecipient);
		assert_noop!(withdraw(ALICE, L2.vault, USDC, 0), Error::<Test>::BadRecipient);
		assert_noop!(withdraw(NOBODY, TO, USDC, 0), TokenError::FundsUnavailable);
		assert_noop!(withdraw(TREASURY, TO, USDC + 1, 0), TokenError::FundsUnavailable);
		assert_ok!(withdraw(ALICE, TO, MIN_WITHDRAWAL, MIN_WITHDRAWAL));
		assert_ok!(withdraw(ALICE, TO, MAX_WITHDRAWAL, 0));
	});
}

#[test]
fn no_more_wait_than_the_bound() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..MAX_QUEUE {
			assert_ok!(withdraw(ALICE, TO, USDC, 0));
		}
		assert_noop!(withdraw(ALICE, TO, USDC, 0), Error::<Test>::QueueFull);
		run_to(2);
		assert_ok!(withdraw(ALICE, TO, USDC, 0));
	});
}

#[test]
fn what_is_deposited_for_tickets_cannot_be_withdrawn() {
	ExtBuilder::default().build_and_execute(|| {
		bridge_in(&[deposit_of(0, NOBODY)]);
		assert_noop!(withdraw(NOBODY, TO, 11 * USDC, 0), TokenError::FundsUnavailable);
		assert_ok!(withdraw(NOBODY, TO, 9 * USDC, 0));
	});
}

#[test]
fn an_account_can_be_emptied() {
	ExtBuilder::default().build_and_execute(|| {
		let plain = Credit {
			escrow: 0,
			..credit_of(NOBODY)
		};
		bridge_in(&[asking(0, plain)]);
		assert_ok!(withdraw(NOBODY, TO, 20 * USDC, 0));
		assert!(!System::account_exists(&NOBODY));
	});
}

#[test]
fn a_chain_without_a_vault_burns_nothing() {
	ExtBuilder { no_vault: true }.build_and_execute(|| {
		assert_noop!(withdraw(ALICE, TO, USDC, 0), Error::<Test>::NoVault);
	});
}
