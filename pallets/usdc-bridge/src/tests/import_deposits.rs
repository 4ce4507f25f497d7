//! `import_deposits`: each attested deposit once, in order, whole; a right proof never fails.

use crate::{mock::*, Attested, Call, Error, Event, Imported, NextDeposit, Stranded};
use clustercast_primitives::{
	amount::USDC,
	bridge::{deposit::prove, Attestation, Deposit, ProvenDeposit},
	AccountId, Balance, EthereumAddress, Hash, PublicKey,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use pallet_ticket_broker::Sessions;
use sp_runtime::{
	traits::BadOrigin,
	transaction_validity::{InvalidTransaction, TransactionValidity},
	AccountId32,
};

fn check(proven: Vec<ProvenDeposit>) -> TransactionValidity {
	let call = Call::import_deposits {
		deposits: proven.try_into().unwrap(),
	};
	validate(&call)
}

/// The pool refuses it, and so does a block.
fn assert_refused(proven: Vec<ProvenDeposit>, error: Error<Test>) {
	let number = sp_runtime::codec::Encode::encode(&error)[0];
	assert_eq!(check(proven.clone()), InvalidTransaction::Custom(number).into());
	assert_noop!(import(proven), error);
}

#[test]
fn a_deposit_is_minted_for_its_account_and_escrow() {
	ExtBuilder::default().build_and_execute(|| {
		let issuance = Balances::total_issuance();
		bridge_in(&deposits(3));
		for n in 0..3 {
			let account = AccountId32::new([0x80 + n; 32]);
			assert_eq!(Balances::total_balance(&account), 20 * USDC);
			assert_eq!(Broker::deposit_of(&account), 10 * USDC);
		}
		assert_eq!(Balances::total_issuance(), issuance + 60 * USDC);
		assert_eq!((Imported::<Test>::get(), NextDeposit::<Test>::get()), (60 * USDC, 3));
		System::assert_last_event(
			Event::Imported {
				index: 2,
				account: AccountId32::new([0x82; 32]),
				amount: 20 * USDC,
				escrowed: 10 * USDC,
			}
			.into(),
		);
	});
}

#[test]
fn every_rule_has_its_error() {
	ExtBuilder::default().build_and_execute(|| {
		let deposits = deposits(5);
		assert_refused(prove(&deposits, 0, 1), Error::NothingAttested);
		accept(attestation(1, &deposits[..4]));
		let attested = &deposits[..4];
		assert_refused(vec![], Error::NoDeposits);
		assert_refused(prove(attested, 1, 1), Error::OutOfOrder);
		let gap = [prove(attested, 0, 1), prove(attested, 2, 1)].concat();
		assert_refused(gap, Error::OutOfOrder);
		let twice = [prove(attested, 0, 1), prove(attested, 0, 1)].concat();
		assert_refused(twice, Error::OutOfOrder);
		// Proven under the root of five, of which four are attested.
		assert_refused(prove(&deposits, 0, 1), Error::BadProof);
		assert_ok!(import(prove(attested, 0, 2)));
		assert_refused(prove(attested, 0, 1), Error::AlreadyImported);
		assert_refused(prove(attested, 1, 2), Error::AlreadyImported);
		assert_refused(prove(&deposits, 2, 3), Error::NotAttested);
		assert_ok!(import(prove(attested, 2, 2)));
		assert_refused(prove(&deposits, 4, 1), Error::NotAttested);
	});
}

#[test]
fn a_deposit_that_was_altered_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let deposits = deposits(2);
		accept(attestation(1, &deposits));
		let proven = prove(&deposits, 0, 2);
		let alterations: [fn(&mut Deposit); 7] = [
			|d| d.amount += 1,
			|d| d.account = AccountId([7; 32]),
			|d| d.depositor = EthereumAddress([7; 20]),
			|d| d.escrow += 1,
			|d| d.session_key = PublicKey([7; 32]),
			|d| d.session_limit += 1,
			|d| d.session_expiry += 1,
		];
		for alter in alterations {
			let mut altered = proven.clone();
			alter(&mut altered[1].deposit);
			assert_refused(altered, Error::BadProof);
		}
		for level in 0..32 {
			let mut altered = proven.clone();
			altered[0].proof.0[level] = Hash([7; 32]);
			assert_refused(altered, Error::BadProof);
		}
		assert_ok!(import(proven));
	});
}

#[test]
fn what_the_escrow_cannot_take_stays_free() {
	ExtBuilder::default().build_and_execute(|| {
		let whole = |index, amount: Balance| Deposit {
			amount,
			escrow: amount,
			..deposit_of(index, NOBODY)
		};
		bridge_in(&[whole(0, USDC), whole(1, 60 * USDC), whole(2, 5 * USDC)]);
		// The existential deposit of the first; beyond the cap of the second; all of the third.
		assert_eq!(Broker::deposit_of(&NOBODY), MAX_DEPOSIT);
		assert_eq!(free(&NOBODY), 16 * USDC);
		let escrowed: Vec<_> = events()
			.into_iter()
			.filter_map(|event| match event {
				Event::Imported { escrowed, .. } => Some(escrowed),
				_ => None,
			})
			.collect();
		let first = USDC - EXISTENTIAL_DEPOSIT;
		assert_eq!(escrowed, [first, MAX_DEPOSIT - first, 0]);
	});
}

#[test]
fn more_escrow_than_amount_is_the_amount() {
	ExtBuilder::default().build_and_execute(|| {
		bridge_in(&[Deposit {
			escrow: Balance::MAX,
			..deposit_of(0, ALICE)
		}]);
		assert_eq!(Broker::deposit_of(&ALICE), 20 * USDC);
		assert_eq!(free(&ALICE), ENDOWMENT);
	});
}

#[test]
fn the_depositors_own_session_key_may_sign() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = wallet(1);
		let key = PublicKey([7; 32]);
		bridge_in(&[Deposit {
			depositor: address(&wallet),
			session_key: key,
			session_limit: 5 * USDC,
			session_expiry: 1_000,
			..deposit_of(0, account(&wallet))
		}]);
		let session = Sessions::<Test>::get(key).unwrap();
		assert_eq!(session.owner, account(&wallet));
		assert_eq!((session.limit, session.expiry, session.spent), (5 * USDC, 1_000, 0));
	});
}

#[test]
fn a_stranger_cannot_slip_a_session_key_into_an_account() {
	ExtBuilder::default().build_and_execute(|| {
		let (owner, stranger) = (wallet(1), wallet(2));
		let key = PublicKey([7; 32]);
		let slipped = |index, whose: AccountId32| Deposit {
			depositor: address(&stranger),
			session_key: key,
			session_limit: 50 * USDC,
			session_expiry: 1_000,
			..deposit_of(index, whose)
		};
		bridge_in(&[slipped(0, account(&owner)), slipped(1, ALICE)]);
		assert_eq!(Sessions::<Test>::get(key), None);
		// The money is there all the same.
		assert_eq!(Broker::deposit_of(&account(&owner)), 10 * USDC);
		let reason = Error::<Test>::NotTheDepositors.into();
		System::assert_has_event(Event::SessionRefused { index: 0, key, reason }.into());
		System::assert_has_event(Event::SessionRefused { index: 1, key, reason }.into());
	});
}

#[test]
fn a_session_that_is_refused_costs_no_money() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = wallet(1);
		let with = |index, limit, expiry| Deposit {
			depositor: address(&wallet),
			session_key: PublicKey([7; 32]),
			session_limit: limit,
			session_expiry: expiry,
			..deposit_of(index, account(&wallet))
		};
		run_to(5);
		bridge_in(&[with(0, 0, 10), with(1, USDC, 4), with(2, USDC, 5), with(3, USDC, 6)]);
		assert_eq!(Balances::total_balance(&account(&wallet)), 80 * USDC);
		let refused: Vec<_> = events()
			.into_iter()
			.filter_map(|event| match event {
				Event::SessionRefused { index, reason, .. } => Some((index, reason)),
				_ => None,
			})
			.collect();
		type Refusal = pallet_ticket_broker::Error<Test>;
		assert_eq!(
			refused,
			[
				(0, Refusal::ZeroAmount.into()),
				(1, Refusal::SessionExpired.into()),
				(3, Refusal::SessionExists.into()),
			]
		);
	});
}

#[test]
fn a_deposit_that_no_account_can_hold_does_not_stop_the_next() {
	ExtBuilder::default().build_and_execute(|| {
		// The vault takes neither; two thirds of the validators would have to lie.
		let dust = Deposit {
			amount: EXISTENTIAL_DEPOSIT - 1,
			..deposit_of(0, NOBODY)
		};
		let too_much = Deposit {
			amount: Balance::MAX,
			..deposit_of(1, ALICE)
		};
		bridge_in(&[dust, too_much, deposit_of(2, BOB)]);
		assert_eq!(Balances::total_balance(&NOBODY), 0);
		assert_eq!(Balances::total_balance(&BOB), ENDOWMENT + 20 * USDC);
		assert_eq!((Imported::<Test>::get(), NextDeposit::<Test>::get()), (20 * USDC, 3));
		assert_eq!(Stranded::<Test>::get(), Balance::MAX);
		System::assert_has_event(
			Event::Stranded {
				index: 0,
				amount: EXISTENTIAL_DEPOSIT - 1,
			}
			.into(),
		);
	});
}

#[test]
fn only_unsigned_extrinsics_are_taken() {
	ExtBuilder::default().build_and_execute(|| {
		let deposits = deposits(1);
		accept(attestation(1, &deposits));
		let proven = prove(&deposits, 0, 1).try_into().unwrap();
		assert_noop!(Bridge::import_deposits(RuntimeOrigin::signed(ALICE), proven), BadOrigin);
	});
}

#[test]
fn a_pool_holds_one_import_and_prefers_the_largest() {
	ExtBuilder::default().build_and_execute(|| {
		let deposits = deposits(32);
		accept(attestation(1, &deposits));
		let (small, large) = (
			check(prove(&deposits, 0, 1)).unwrap(),
			check(prove(&deposits, 0, 32)).unwrap(),
		);
		assert_eq!(small.provides, large.provides);
		assert!(large.priority > small.priority && small.propagate);
		assert_ok!(import(prove(&deposits, 0, 1)));
		assert_ne!(check(prove(&deposits, 1, 1)).unwrap().provides, small.provides);
	});
}

#[test]
fn a_later_attestation_proves_what_is_still_missing() {
	ExtBuilder::default().build_and_execute(|| {
		let all = deposits(6);
		accept(attestation(1, &all[..3]));
		assert_ok!(import(prove(&all[..3], 0, 1)));
		run_to(2);
		accept(attestation(2, &all));
		assert_noop!(import(prove(&all[..3], 1, 2)), Error::<Test>::BadProof);
		assert_ok!(import(prove(&all, 1, 32)));
		let Attestation { count, .. } = Attested::<Test>::get().unwrap();
		assert_eq!(NextDeposit::<Test>::get(), count);
	});
}
