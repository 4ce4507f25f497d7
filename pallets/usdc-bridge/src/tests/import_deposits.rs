//! `import_deposits`: each attested deposit once, in order, whole; a right proof never fails.

use crate::{mock::*, Attested, Call, Error, Event, Imported, NextDeposit, Stranded};
use clustercast_primitives::{
	amount::USDC,
	bridge::{account_of, deposit::prove, Attestation, Credit, Deposit, ProvenDeposit},
	AccountId, Balance, EthereumAddress, Hash, Signature,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use pallet_ticket_broker::Sessions;
use sp_core::ecdsa;
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
				number: 2,
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
		let alterations: [fn(&mut Deposit); 6] = [
			|d| d.amount += 1,
			|d| d.depositor = EthereumAddress([7; 20]),
			|d| d.refund_to = EthereumAddress([7; 20]),
			// It would go to another account, or back.
			|d| d.body = credit_of(NOBODY).body(),
			|d| d.body = Default::default(),
			|d| d.kind = 1,
		];
		for alter in alterations {
			let mut altered = proven.clone();
			alter(&mut altered[1].deposit);
			assert_refused(altered, Error::BadProof);
		}
		let mut elsewhere = proven.clone();
		elsewhere[1].deposit.l2 = 1;
		assert_refused(elsewhere, Error::OtherL2);
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
		let whole = |number, amount: Balance| {
			let credit = Credit {
				escrow: amount,
				..credit_of(NOBODY)
			};
			Deposit {
				amount,
				..asking(number, credit)
			}
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

/// A deposit that this wallet paid, with session key 7 for this account.
fn with_session(number: u64, payer: &ecdsa::Pair, whose: AccountId32, limit: Balance, expiry: u32) -> Deposit {
	let credit = Credit {
		session_key: session_key(7).public(),
		session_limit: limit,
		session_expiry: expiry,
		session_proof: session_proof(7, &whose),
		..credit_of(whose)
	};
	Deposit {
		depositor: address(payer),
		..asking(number, credit)
	}
}

#[test]
fn the_depositors_own_session_key_may_sign() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = wallet(1);
		let key = session_key(7).public();
		bridge_in(&[with_session(0, &wallet, account(&wallet), 5 * USDC, 1_000)]);
		let session = Sessions::<Test>::get(key).unwrap();
		assert_eq!(session.owner, account(&wallet));
		assert_eq!((session.limit, session.expiry, session.spent), (5 * USDC, 1_000, 0));
	});
}

#[test]
fn a_stranger_cannot_slip_a_session_key_into_an_account() {
	ExtBuilder::default().build_and_execute(|| {
		let (owner, stranger) = (wallet(1), wallet(2));
		let key = session_key(7).public();
		let slipped = |number, whose| with_session(number, &stranger, whose, 50 * USDC, 1_000);
		bridge_in(&[slipped(0, account(&owner)), slipped(1, ALICE)]);
		assert_eq!(Sessions::<Test>::get(key), None);
		// The money is there all the same.
		assert_eq!(Broker::deposit_of(&account(&owner)), 10 * USDC);
		let reason = Error::<Test>::NotTheDepositors.into();
		System::assert_has_event(Event::SessionRefused { number: 0, key, reason }.into());
		System::assert_has_event(Event::SessionRefused { number: 1, key, reason }.into());
	});
}

/// Whoever saw a key could have deposited 1 USDC with it, and its owner could never use it.
#[test]
fn nobody_takes_a_key_that_is_not_theirs() {
	ExtBuilder::default().build_and_execute(|| {
		let (owner, thief) = (wallet(1), wallet(2));
		let proven = |number, payer: &ecdsa::Pair, session_proof| {
			let honest = with_session(number, payer, account(payer), USDC, 1_000);
			let credit = Credit {
				session_proof,
				..honest.credit().unwrap()
			};
			Deposit {
				body: credit.body(),
				..honest
			}
		};
		bridge_in(&[
			proven(0, &thief, session_proof(7, &account(&owner))),
			proven(1, &thief, session_proof(8, &account(&thief))),
			proven(2, &thief, Signature([0; 64])),
			proven(3, &owner, session_proof(7, &account(&owner))),
		]);
		let key = session_key(7).public();
		let reason = pallet_ticket_broker::Error::<Test>::BadProof.into();
		for number in 0..3 {
			System::assert_has_event(Event::SessionRefused { number, key, reason }.into());
		}
		assert_eq!(Balances::total_balance(&account(&thief)), 60 * USDC);
		assert_eq!(Sessions::<Test>::get(key).unwrap().owner, account(&owner));
	});
}

#[test]
fn a_session_that_is_refused_costs_no_money() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = wallet(1);
		let with = |number, limit, expiry| with_session(number, &wallet, account(&wallet), limit, expiry);
		run_to(5);
		bridge_in(&[with(0, 0, 10), with(1, USDC, 4), with(2, USDC, 5), with(3, USDC, 6)]);
		assert_eq!(Balances::total_balance(&account(&wallet)), 80 * USDC);
		let refused: Vec<_> = events()
			.into_iter()
			.filter_map(|event| match event {
				Event::SessionRefused { number, reason, .. } => Some((number, reason)),
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
		assert_eq!(Stranded::<Test>::get(0).unwrap().amount, EXISTENTIAL_DEPOSIT - 1);
		assert_eq!(Stranded::<Test>::get(1).unwrap().amount, Balance::MAX);
	});
}

#[test]
fn the_same_address_on_another_l2_is_somebody_else() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = wallet(1);
		let there = AccountId32::new(account_of(1, &address(&wallet)).0);
		assert_ne!(there, account(&wallet));
		bridge_in(&[with_session(0, &wallet, there.clone(), USDC, 1_000)]);
		// Credited as any account is, but not as the payer's own.
		assert_eq!(Balances::total_balance(&there), 20 * USDC);
		let (key, reason) = (session_key(7).public(), Error::<Test>::NotTheDepositors.into());
		assert_eq!(Sessions::<Test>::get(key), None);
		let number = 0;
		System::assert_has_event(Event::SessionRefused { number, key, reason }.into());
	});
}

#[test]
fn deposits_that_are_not_understood_strand_and_do_not_stop_those_behind_them() {
	ExtBuilder::default().build_and_execute(|| {
		let nobodys = Credit {
			account: AccountId([0; 32]),
			..credit_of(NOBODY)
		};
		let escrow_above = Credit {
			escrow: 20 * USDC + 1,
			..credit_of(NOBODY)
		};
		let session_less = Credit {
			session_limit: 1,
			..credit_of(NOBODY)
		};
		let short = Deposit {
			body: credit_of(NOBODY).body().bytes()[..163].to_vec().try_into().unwrap(),
			..deposit_of(2, NOBODY)
		};
		let all = [
			deposit_of(0, ALICE),
			unknown(1),
			short,
			asking(3, nobodys),
			asking(4, escrow_above),
			asking(5, session_less),
			deposit_of(6, BOB),
		];
		let issuance = Balances::total_issuance();
		accept(attestation(1, &all));
		assert_ok!(import(prove(&all, 0, 1)));
		// None can be left out: were it refused, nothing would ever come in behind it.
		for n in 2..7 {
			assert_refused(prove(&all, n, 7), Error::OutOfOrder);
		}
		assert_ok!(import(prove(&all, 1, 6)));
		assert_eq!(Balances::total_balance(&ALICE), ENDOWMENT + 20 * USDC);
		assert_eq!(Balances::total_balance(&BOB), ENDOWMENT + 20 * USDC);
		assert_eq!(Balances::total_balance(&NOBODY), 0);
		assert_eq!(Balances::total_issuance(), issuance + 40 * USDC);
		assert_eq!((Imported::<Test>::get(), NextDeposit::<Test>::get()), (40 * USDC, 7));
		let stranded = Bridge::stranded(0, 100);
		assert_eq!(stranded, [1, 2, 3, 4, 5].map(|n: usize| (&all[n]).into()));
		for deposit in stranded {
			System::assert_has_event(Event::Stranded { deposit }.into());
		}
	});
}

#[test]
fn an_import_waits_where_not_all_of_it_could_strand() {
	ExtBuilder::default().build_and_execute(|| {
		let all: Vec<_> = (0..MAX_STRANDED.into())
			.map(unknown)
			.chain([deposit_of(MAX_STRANDED.into(), BOB)])
			.collect();
		accept(attestation(1, &all));
		assert_ok!(import(prove(&all, 0, 32)));
		assert_refused(prove(&all, 32, 9), Error::StrandedFull);
		assert_ok!(import(prove(&all, 32, 8)));
		try_state();
		assert_refused(prove(&all, 40, 1), Error::StrandedFull);
		assert_ok!(Bridge::refund(RuntimeOrigin::none(), 17));
		assert_ok!(import(prove(&all, 40, 1)));
		assert_eq!(Balances::total_balance(&BOB), ENDOWMENT + 20 * USDC);
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
