//! `refund`: a stranded deposit goes back whole, once, to whom it names.

use crate::{mock::*, Call, Error, Event, Imported, Line, Stranded, Withdrawals, Withdrawn};
use clustercast_primitives::{
	amount::USDC,
	bridge::{Deposit, Withdrawal},
	Balance, EthereumAddress,
};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{traits::BadOrigin, transaction_validity::InvalidTransaction};

fn refund(number: u64) -> DispatchResult {
	Bridge::refund(RuntimeOrigin::none(), number)
}

/// The pool refuses it, and so does a block.
fn assert_refused(number: u64, error: Error<Test>) {
	let code = sp_runtime::codec::Encode::encode(&error)[0];
	assert_eq!(
		validate(&Call::refund { number }),
		InvalidTransaction::Custom(code).into()
	);
	assert_noop!(refund(number), error);
}

#[test]
fn a_stranded_deposit_goes_back_whole_and_once() {
	ExtBuilder::default().build_and_execute(|| {
		let issuance = Balances::total_issuance();
		bridge_in(&[deposit_of(0, BOB), unknown(1), deposit_of(2, BOB)]);
		assert_eq!(Bridge::bridge().stranded, 1);
		assert_ok!(refund(1));
		assert_eq!(Bridge::bridge().stranded, 0);
		assert_eq!(Stranded::<Test>::get(1), None);
		let (to, amount) = (unknown(1).refund_to, 20 * USDC);
		let owed = Withdrawal {
			l2: L2.chain_id,
			kind: 0,
			id: 0,
			to,
			amount,
			fee: 0,
		};
		assert_eq!(Bridge::withdrawals(0, 9)[0].withdrawal, owed);
		System::assert_last_event(
			Event::Refunded {
				number: 1,
				id: 0,
				to,
				amount,
			}
			.into(),
		);
		// It was never on the chain: what came in and went out grows by it, what there is does not.
		assert_eq!(Balances::total_issuance(), issuance + 40 * USDC);
		assert_eq!(
			(Imported::<Test>::get(), Withdrawn::<Test>::get()),
			(60 * USDC, 20 * USDC)
		);
		assert_refused(1, Error::NotStranded);
		run_to(2);
		assert!(Bridge::withdrawals(0, 9)[0].place.is_some());
		assert_refused(1, Error::NotStranded);
		assert_eq!(Line::<Test>::get().next, 1);
	});
}

#[test]
fn only_what_is_stranded_goes_back() {
	ExtBuilder::default().build_and_execute(|| {
		let all = [deposit_of(0, BOB), unknown(1)];
		accept(attestation(1, &all));
		assert_refused(1, Error::NotStranded);
		assert_ok!(import(clustercast_primitives::bridge::deposit::prove(&all, 0, 2)));
		assert_refused(0, Error::NotStranded);
		assert_refused(2, Error::NotStranded);
		assert_noop!(Bridge::refund(RuntimeOrigin::signed(ALICE), 1), BadOrigin);
		assert_ok!(refund(1));
	});
}

#[test]
fn what_no_withdrawal_can_be_stays_noted() {
	ExtBuilder::default().build_and_execute(|| {
		let of = |number: u64, amount: Balance, refund_to: EthereumAddress| Deposit {
			amount,
			refund_to,
			..unknown(number)
		};
		let to = EthereumAddress([0x61; 20]);
		// The vault takes none of these; two thirds of the validators would have to lie.
		bridge_in(&[
			of(0, MAX_WITHDRAWAL + 1, to),
			of(1, USDC, EthereumAddress([0; 20])),
			of(2, USDC, L2.vault),
			of(3, 1, to),
			of(4, MAX_WITHDRAWAL, to),
		]);
		assert_refused(0, Error::AmountTooLarge);
		assert_refused(1, Error::BadRecipient);
		assert_refused(2, Error::BadRecipient);
		// Nobody chose to withdraw so little: it goes back nevertheless.
		assert_ok!(refund(3));
		assert_ok!(refund(4));
		let left: Vec<_> = Bridge::stranded(0, 9).iter().map(|deposit| deposit.number).collect();
		assert_eq!(left, [0, 1, 2]);
	});
}

#[test]
fn a_refund_waits_for_room_in_line() {
	ExtBuilder::default().build_and_execute(|| {
		bridge_in(&[unknown(0)]);
		for _ in 0..MAX_QUEUE {
			assert_ok!(Bridge::withdraw(
				RuntimeOrigin::signed(ALICE),
				EthereumAddress([0x51; 20]),
				USDC,
				0
			));
		}
		assert_refused(0, Error::QueueFull);
		assert!(Stranded::<Test>::contains_key(0));
		run_to(2);
		assert_ok!(refund(0));
		assert_eq!(
			Withdrawals::<Test>::get(u64::from(MAX_QUEUE)).unwrap().amount,
			20 * USDC
		);
	});
}

#[test]
fn a_pool_holds_each_refund_once() {
	ExtBuilder::default().build_and_execute(|| {
		bridge_in(&[unknown(0), unknown(1)]);
		let of = |number| validate(&Call::refund { number }).unwrap();
		assert_eq!(of(0).provides, of(0).provides);
		assert_ne!(of(0).provides, of(1).provides);
		assert!(of(0).propagate);
	});
}

#[test]
fn a_chain_without_a_vault_sends_nothing_back() {
	ExtBuilder { no_vault: true }.build_and_execute(|| assert_refused(0, Error::NoVault));
}

#[test]
fn stranded_deposits_are_listed_by_number() {
	ExtBuilder::default().build_and_execute(|| {
		bridge_in(&(0..5).map(unknown).collect::<Vec<_>>());
		let numbers = |from, limit| -> Vec<u64> {
			let list = Bridge::stranded(from, limit);
			list.iter().map(|deposit| deposit.number).collect()
		};
		assert_eq!(numbers(0, 100), [0, 1, 2, 3, 4]);
		assert_eq!(numbers(2, 2), [2, 3]);
		assert!(numbers(5, 9).is_empty() && numbers(0, 0).is_empty());
	});
}
