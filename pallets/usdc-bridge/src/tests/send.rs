//! Deposits of kind 1: what comes with one is done for its depositor's account, by the rules of `act`; the money is credited
//! whatever becomes of it, and nobody else's deposit waits for it.

use crate::{mock::*, Call, Error, Event, Imported, NextDeposit, Stranded, Withdrawals, Withdrawn};
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		account_of,
		deposit::{prove, MAX_BODY, MIN_ACTION},
		Action, Body, Deposit, EthereumAction,
	},
	Balance, EthereumAddress, Signature,
};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::GetDispatchInfo,
	storage::with_transaction,
	traits::fungible::{Inspect, Mutate},
	weights::{constants::ExtrinsicBaseWeight, Weight},
};
use pallet_ticket_broker::Sessions;
use sp_runtime::{AccountId32, DispatchError, TokenError, TransactionOutcome};
use std::collections::HashSet;

type Refusal = pallet_ticket_broker::Error<Test>;

/// A contract: nobody has a key of it.
const SAFE: EthereumAddress = EthereumAddress([0x5a; 20]);

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

fn safe() -> AccountId32 {
	account_of(L2.chain_id, &SAFE).0.into()
}

const fn withdraw(amount: Balance, fee: Balance) -> Action {
	Action::Withdraw { to: TO, amount, fee }
}

fn authorize(limit: Balance, expiry: u32) -> Action {
	Action::Authorize {
		key: session_key(7).public(),
		limit,
		expiry,
		proof: session_proof(7, &safe()),
	}
}

/// Deposits in their order.
struct Line(Vec<Deposit>);

impl Line {
	/// The Safe has 100 USDC, 40 of them deposited for tickets.
	fn funded() -> Self {
		bridge_in(&[funding(SAFE)]);
		Self(vec![funding(SAFE)])
	}

	/// Imports another one, in the next block.
	fn bring(&mut self, deposit: impl FnOnce(u64) -> Deposit) {
		self.bring_all([deposit(self.0.len() as u64)]);
	}

	fn bring_all<const N: usize>(&mut self, deposits: [Deposit; N]) {
		let from = self.0.len();
		self.0.extend(deposits);
		run_to(System::block_number() + 1);
		System::reset_events();
		accept(attestation(self.0.len() as u64, &self.0));
		assert_ok!(import(prove(&self.0, from as u64, N)));
	}

	/// The Safe sends an action with 2 USDC.
	fn send(&mut self, action: Action) {
		self.bring(|number| sent(number, SAFE, action.body()));
	}
}

/// What became of actions in this block, in order.
fn outcomes() -> Vec<(u64, Result<(), DispatchError>)> {
	let outcome = |event| match event {
		Event::ActionFollowed { number, .. } => Some((number, Ok(()))),
		Event::ActionRefused { number, reason, .. } => Some((number, Err(reason))),
		_ => None,
	};
	events().into_iter().filter_map(outcome).collect()
}

fn stored(id: u64) -> Option<(EthereumAddress, Balance, Balance)> {
	Withdrawals::<Test>::get(id).map(|stored| (stored.to, stored.amount, stored.fee))
}

#[test]
fn an_action_is_done_after_the_money_that_came_with_it() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		let issuance = Balances::total_issuance();
		// 60 are free, and 2 come along.
		line.send(withdraw(61 * USDC, USDC));
		assert_eq!(stored(0), Some((TO, 61 * USDC, USDC)));
		assert_eq!(free(&safe()), USDC);
		assert_eq!(Balances::total_issuance(), issuance + 2 * USDC - 61 * USDC);
		assert_eq!(
			(Imported::<Test>::get(), Withdrawn::<Test>::get()),
			(102 * USDC, 61 * USDC)
		);
		let (number, account) = (1, safe());
		let told: Vec<_> = events()
			.into_iter()
			.skip_while(|e| !matches!(e, Event::Imported { .. }))
			.collect();
		assert_eq!(
			told,
			[
				Event::Imported {
					number,
					account: account.clone(),
					amount: 2 * USDC,
					escrowed: 0,
				},
				Event::WithdrawalRequested {
					id: 0,
					from: account.clone(),
					to: TO,
					amount: 61 * USDC,
					fee: USDC,
				},
				Event::ActionFollowed { number, account },
			]
		);
	});
}

#[test]
fn a_contract_takes_everything_back() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		line.send(Action::Unlock { amount: 0 });
		run_to(1 + System::block_number() + UNLOCK_DELAY);
		line.send(Action::Collect);
		assert_eq!((free(&safe()), Broker::deposit_of(&safe())), (104 * USDC, 0));
		line.send(withdraw(0, USDC));
		assert_eq!(outcomes(), [(3, Ok(()))]);
		assert_eq!(stored(0), Some((TO, 106 * USDC, USDC)));
		assert!(!System::account_exists(&safe()));
	});
}

#[test]
fn a_contract_lets_a_session_key_sign() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		line.send(authorize(5 * USDC, 500));
		let session = Sessions::<Test>::get(session_key(7).public()).unwrap();
		assert_eq!((session.owner, session.limit, session.expiry), (safe(), 5 * USDC, 500));
	});
}

/// The first that an account ever has.
#[test]
fn the_least_deposit_makes_an_account_and_all_of_it_can_be_acted_with() {
	ExtBuilder::default().build_and_execute(|| {
		let least = |number, action: Action| Deposit {
			amount: MIN_ACTION,
			..sent(number, SAFE, action.body())
		};
		bridge_in(&[least(0, authorize(5 * USDC, 500)), least(1, withdraw(0, 0))]);
		assert_eq!(
			outcomes(),
			[(0, Ok(())), (1, Err(Error::<Test>::AmountTooSmall.into()))]
		);
		assert_eq!(Balances::total_balance(&safe()), 2 * MIN_ACTION);
	});
}

#[test]
fn an_action_that_fails_changes_nothing_but_that_the_money_is_there() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		line.send(Action::Unlock { amount: 10 * USDC });
		let unproven = Action::Authorize {
			key: session_key(7).public(),
			limit: USDC,
			expiry: 5_000,
			proof: session_proof(8, &safe()),
		};
		let cases: [(Action, DispatchError); 11] = [
			(withdraw(200 * USDC, 0), TokenError::FundsUnavailable.into()),
			(withdraw(USDC - 1, 0), Error::<Test>::AmountTooSmall.into()),
			(withdraw(MAX_WITHDRAWAL + 1, 0), Error::<Test>::AmountTooLarge.into()),
			(withdraw(USDC, USDC + 1), Error::<Test>::FeeTooLarge.into()),
			(
				withdraw(Balance::MAX, Balance::MAX),
				Error::<Test>::AmountTooLarge.into(),
			),
			(
				Action::Withdraw {
					to: L2.vault,
					amount: USDC,
					fee: 0,
				},
				Error::<Test>::BadRecipient.into(),
			),
			(Action::Unlock { amount: USDC }, Refusal::AlreadyUnlocking.into()),
			(Action::Collect, Refusal::TooEarly.into()),
			(unproven, Refusal::BadProof.into()),
			(authorize(0, 500), Refusal::ZeroAmount.into()),
			(authorize(USDC, 1), Refusal::SessionExpired.into()),
		];
		for (action, reason) in cases {
			let number = line.0.len() as u64;
			let (before, deposit) = (free(&safe()), Broker::deposit_of(&safe()));
			line.send(action);
			assert_eq!(outcomes(), [(number, Err(reason))], "{action:?}");
			assert_eq!(free(&safe()), before + 2 * USDC);
			assert_eq!(Broker::deposit_of(&safe()), deposit);
			assert_eq!((stored(0), Sessions::<Test>::iter().count()), (None, 0));
			assert_eq!(NextDeposit::<Test>::get(), number + 1);
			try_state();
		}
	});
}

#[test]
fn an_action_that_finds_the_line_full_is_not_done_later() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		run_to(2);
		for _ in 0..MAX_QUEUE {
			assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), TO, USDC, 0));
		}
		line.0.push(sent(1, SAFE, withdraw(USDC, 0).body()));
		accept(attestation(2, &line.0));
		assert_ok!(import(prove(&line.0, 1, 1)));
		assert_eq!(outcomes(), [(1, Err(Error::<Test>::QueueFull.into()))]);
		assert_eq!(free(&safe()), 62 * USDC);
		line.send(withdraw(USDC, 0));
		assert_eq!(outcomes(), [(2, Ok(()))]);
		assert_eq!(stored(MAX_QUEUE.into()), Some((TO, USDC, 0)));
		assert_eq!((stored(u64::from(MAX_QUEUE) + 1), free(&safe())), (None, 63 * USDC));
	});
}

#[test]
fn what_is_no_action_is_credited_and_said() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		let good = withdraw(USDC, 0).body();
		let good = good.bytes();
		let bodies = [
			vec![],
			vec![Action::VERSION],
			// Of another version; not known; too short; too long; as long as there can be.
			[&[2], &good[1..]].concat(),
			[&[Action::VERSION, 4], &good[2..]].concat(),
			good[..good.len() - 1].to_vec(),
			[good, &[0]].concat(),
			vec![0xff; MAX_BODY],
			// A credit's.
			credit_of(BOB).body().bytes().to_vec(),
		];
		for body in bodies {
			let (number, before) = (line.0.len() as u64, free(&safe()));
			line.bring(|number| sent(number, SAFE, body.clone().try_into().unwrap()));
			assert_eq!(
				outcomes(),
				[(number, Err(Error::<Test>::UnknownAction.into()))],
				"{body:?}"
			);
			assert_eq!(free(&safe()), before + 2 * USDC);
		}
		assert_eq!((Stranded::<Test>::count(), stored(0)), (0, None));
		assert_eq!(Balances::total_balance(&BOB), ENDOWMENT);
	});
}

#[test]
fn an_action_is_its_depositors_and_nobody_elses() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		let stranger = EthereumAddress([0x5b; 20]);
		let strangers: AccountId32 = account_of(L2.chain_id, &stranger).0.into();
		// Whoever it goes back to.
		line.bring(|number| Deposit {
			refund_to: SAFE,
			..sent(number, stranger, withdraw(0, 0).body())
		});
		assert_eq!(stored(0), Some((TO, 2 * USDC, 0)));
		line.bring(|number| sent(number, stranger, authorize(USDC, 500).body()));
		assert_eq!(outcomes(), [(2, Err(Refusal::BadProof.into()))]);
		line.bring(|number| sent(number, stranger, Action::Unlock { amount: USDC }.body()));
		assert_eq!(outcomes(), [(3, Err(Refusal::DepositTooSmall.into()))]);
		assert_eq!((free(&safe()), free(&strangers)), (60 * USDC, 4 * USDC));
		assert_eq!(Broker::deposit_of(&safe()), 40 * USDC);
	});
}

#[test]
fn actions_neither_stop_nor_reorder_other_deposits() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		line.bring_all([
			deposit_of(1, ALICE),
			sent(2, SAFE, withdraw(500 * USDC, 0).body()),
			unknown(3),
			sent(4, SAFE, Body::default()),
			sent(5, SAFE, withdraw(10 * USDC, 0).body()),
			deposit_of(6, BOB),
			sent(7, SAFE, withdraw(0, 0).body()),
		]);
		let imported: Vec<_> = events()
			.into_iter()
			.filter_map(|event| match event {
				Event::Imported { number, .. } => Some(number),
				Event::Stranded { deposit } => Some(deposit.number),
				_ => None,
			})
			.collect();
		assert_eq!(imported, [1, 2, 3, 4, 5, 6, 7]);
		let reasons = [
			(2, Err(TokenError::FundsUnavailable.into())),
			(4, Err(Error::<Test>::UnknownAction.into())),
			(5, Ok(())),
			(7, Ok(())),
		];
		assert_eq!(outcomes(), reasons);
		// What the account keeps to exist for its deposit's sake stays.
		let rest = 60 * USDC + 4 * 2 * USDC - 10 * USDC - EXISTENTIAL_DEPOSIT;
		assert_eq!((stored(0), stored(1)), (Some((TO, 10 * USDC, 0)), Some((TO, rest, 0))));
		assert_eq!(Balances::total_balance(&ALICE), ENDOWMENT + 20 * USDC);
		assert_eq!(Balances::total_balance(&BOB), ENDOWMENT + 20 * USDC);
		assert_eq!((Stranded::<Test>::count(), NextDeposit::<Test>::get()), (1, 8));
	});
}

#[test]
fn an_action_is_done_once() {
	ExtBuilder::default().build_and_execute(|| {
		let mut line = Line::funded();
		line.send(withdraw(10 * USDC, 0));
		assert_noop!(import(prove(&line.0, 1, 1)), Error::<Test>::AlreadyImported);
		// The same again is another deposit.
		line.send(withdraw(10 * USDC, 0));
		assert_eq!(free(&safe()), 44 * USDC);
	});
}

/// What no account can hold goes back, and nothing is done; the vault takes none of them.
#[test]
fn nothing_is_done_with_what_cannot_be_credited() {
	ExtBuilder::default().build_and_execute(|| {
		let dust = Deposit {
			amount: EXISTENTIAL_DEPOSIT - 1,
			..sent(0, SAFE, withdraw(0, 0).body())
		};
		let least = Deposit {
			amount: EXISTENTIAL_DEPOSIT,
			..sent(1, SAFE, withdraw(0, 0).body())
		};
		let too_much = Deposit {
			amount: Balance::MAX,
			..sent(2, SAFE, withdraw(USDC, 0).body())
		};
		bridge_in(&[dust, least, too_much]);
		assert_eq!(outcomes(), [(1, Err(Error::<Test>::AmountTooSmall.into()))]);
		assert!(Stranded::<Test>::contains_key(0) && Stranded::<Test>::contains_key(2));
		assert_eq!((Stranded::<Test>::count(), free(&safe())), (2, EXISTENTIAL_DEPOSIT));
	});
}

/// Whatever a message of the wallet is refused for, or does, the same action with a deposit is refused for, or does.
#[test]
fn an_action_has_the_rules_of_a_message() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let (depositor, account) = (address(&wallet), account(&wallet));
		let mut line = Line(vec![funding(depositor)]);
		let holdings = || {
			let sessions = Sessions::<Test>::iter().count();
			(free(&account), Broker::deposit_of(&account), sessions, stored(0))
		};
		let mut done = HashSet::new();
		// Before anything is asked for, while it waits, and when it can be collected.
		for round in 0..3 {
			if round == 1 {
				line.bring(|number| sent(number, depositor, Action::Unlock { amount: 5 * USDC }.body()));
			}
			if round == 2 {
				run_to(System::block_number() + UNLOCK_DELAY);
			}
			for message in messages(&account) {
				let by_message = undone(|| {
					// As much as comes with a deposit.
					Balances::mint_into(&account, 2 * USDC).unwrap();
					let outcome = act(&wallet, message);
					outcome.map(|()| holdings())
				});
				let by_deposit = undone(|| {
					let mut line = Line(line.0.clone());
					line.bring(|number| sent(number, depositor, Action::from(&message).body()));
					outcomes()[0].1.map(|()| holdings())
				});
				assert_eq!(by_message, by_deposit, "{message:?}");
				if by_message.is_ok() {
					done.insert(std::mem::discriminant(&message));
				}
			}
		}
		assert_eq!(done.len(), 4, "of each kind some are done");
	});
}

/// Good and bad ones of each kind.
fn messages(account: &AccountId32) -> Vec<EthereumAction> {
	let (tip, nonce, deadline) = (0, 0, System::block_number() + 100);
	let (key, proof) = (session_key(7).public(), session_proof(7, account));
	let amounts = [
		(0, 0),
		(USDC, 0),
		(USDC, 2 * USDC),
		(61 * USDC, 0),
		(69 * USDC, 0),
		(USDC - 1, 0),
	];
	let withdrawals = amounts.map(|(amount, fee)| EthereumAction::Withdraw {
		to: TO,
		amount,
		fee,
		tip,
		nonce,
		deadline,
	});
	let unlocks = [0, USDC, 41 * USDC].map(|amount| EthereumAction::Unlock {
		amount,
		tip,
		nonce,
		deadline,
	});
	let collect = EthereumAction::Collect { tip, nonce, deadline };
	let sessions =
		[(0, proof), (USDC, proof), (USDC, Signature([0; 64]))].map(|(limit, proof)| EthereumAction::Authorize {
			key,
			limit,
			expiry: 5_000,
			proof,
			tip,
			nonce,
			deadline,
		});
	let all = withdrawals.into_iter().chain(unlocks).chain([collect]).chain(sessions);
	all.collect()
}

/// What `body` returns; nothing that it did is left.
fn undone<R>(body: impl FnOnce() -> R) -> R {
	with_transaction(|| TransactionOutcome::Rollback(Ok::<_, DispatchError>(body()))).unwrap()
}

#[test]
fn an_import_weighs_every_action_in_it() {
	ExtBuilder::default().build_and_execute(|| {
		use crate::WeightInfo;
		let weight = |deposits: &[Deposit]| {
			let deposits = prove(deposits, 0, deposits.len()).try_into().unwrap();
			let call = Call::<Test>::import_deposits { deposits };
			call.get_dispatch_info().call_weight - ExtrinsicBaseWeight::get()
		};
		let of = |action: Action| sent(0, SAFE, action.body());
		let cases: [(Deposit, Weight); 6] = [
			(of(withdraw(0, 0)), <() as WeightInfo>::act_withdraw()),
			(of(Action::Unlock { amount: 0 }), <() as WeightInfo>::act_unlock()),
			(of(Action::Collect), <() as WeightInfo>::act_collect()),
			(of(authorize(USDC, 9)), <() as WeightInfo>::act_authorize()),
			(sent(0, SAFE, Body::default()), Weight::zero()),
			// The kind says what the body is.
			(
				Deposit {
					kind: 0,
					..of(withdraw(0, 0))
				},
				Weight::zero(),
			),
		];
		for (deposit, more) in &cases {
			let one = <() as WeightInfo>::import_deposits(1);
			assert_eq!(weight(std::slice::from_ref(deposit)), one + *more);
		}
		let all = cases.clone().map(|(deposit, _)| deposit);
		let sum = cases.iter().fold(Weight::zero(), |sum, (_, more)| sum + *more);
		assert_eq!(weight(&all), <() as WeightInfo>::import_deposits(6) + sum);
	});
}
