//! Each invariant of `try_state` is broken by hand once and found; no sequence of calls breaks one, or makes or loses
//! money.

use crate::{
	mock::*, Attested, Attestors, BlockRoot, Event, Imported, Line, NextDeposit, OldestEpoch, Released, Stranded,
	UsedActions, Withdrawals, Withdrawn,
};
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		deposit::{prove, MIN_ACTION},
		Action, Attestation, Credit, Deposit, EthereumAction,
	},
	Balance, EthereumAddress, Hash,
};
use frame_support::{
	assert_ok,
	traits::{
		fungible::{Inspect, Mutate},
		Hooks,
	},
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::BTreeMap;

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder::default().build().execute_with(|| {
		funded_wallet();
		for _ in 0..3 {
			assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), TO, USDC, 0));
		}
		run_to(2);
		assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), TO, USDC, 0));
		assert_ok!(Bridge::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = Bridge::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

#[test]
fn constants_agree() {
	ExtBuilder::default().build_and_execute(Bridge::integrity_test);
}

#[test]
#[should_panic(expected = "bounds allow something")]
fn an_import_of_nothing_is_found() {
	MaxImports::set(0);
	Bridge::integrity_test();
}

#[test]
#[should_panic(expected = "a withdrawal can be made")]
fn bounds_that_exclude_each_other_are_found() {
	MinWithdrawal::set(MAX_WITHDRAWAL + 1);
	Bridge::integrity_test();
}

#[test]
#[should_panic(expected = "the largest withdrawal can be released")]
fn a_withdrawal_that_would_wait_for_ever_is_found() {
	MaxWithdrawal::set(OUTFLOW_LIMIT + 1);
	Bridge::integrity_test();
}

#[test]
#[should_panic(expected = "periods and epochs have blocks")]
fn an_empty_period_is_found() {
	OutflowPeriod::set(0);
	Bridge::integrity_test();
}

#[test]
fn money_from_nowhere_is_found() {
	let expected = "1: issuance is not what was imported and not withdrawn";
	assert_eq!(complaint(|| assert!(Balances::mint_into(&ALICE, 1).is_ok())), expected);
	assert_eq!(complaint(|| Imported::<Test>::put(1)), expected);
	assert_eq!(complaint(|| Withdrawn::<Test>::mutate(|sum| *sum -= 1)), expected);
	assert_eq!(complaint(|| Withdrawn::<Test>::put(Balance::MAX)), expected);
	assert_eq!(complaint(|| Burnt::set(1)), expected);
}

#[test]
fn withdrawals_out_of_line_are_found() {
	let text = complaint(|| Line::<Test>::mutate(|line| line.waiting = 5));
	assert_eq!(text, "2: numbers of withdrawals are out of order");
	let text = complaint(|| Withdrawals::<Test>::remove(1));
	assert_eq!(text, "2: a withdrawal is stored that is not in line");
	let text = complaint(|| Withdrawals::<Test>::swap(1, 9));
	assert_eq!(text, "2: a withdrawal in line is missing");
	let text = complaint(|| Line::<Test>::mutate(|line| line.waiting = 4));
	assert_eq!(text, "2: a withdrawal has a place while it waits, or none after");
	let text = complaint(|| Line::<Test>::mutate(|line| line.waiting = 2));
	assert_eq!(text, "2: a withdrawal has a place while it waits, or none after");
	let text = complaint(|| {
		let stored = Withdrawals::<Test>::get(3).unwrap();
		(4..44).for_each(|id| Withdrawals::<Test>::insert(id, stored));
		Line::<Test>::mutate(|line| line.next = 44);
	});
	assert_eq!(text, "2: more withdrawals wait than can");
}

#[test]
fn places_with_gaps_and_wrong_roots_are_found() {
	let expected = "3: places of a block are not numbered from 0 without gaps";
	let text = complaint(|| Withdrawals::<Test>::swap(0, 1));
	assert_eq!(text, expected);
	let text = complaint(|| {
		Withdrawals::<Test>::mutate(2, |stored| {
			if let Some(place) = stored.as_mut().and_then(|stored| stored.place.as_mut()) {
				place.width = 4;
			}
		})
	});
	assert_eq!(text, expected);
	let expected = "3: the block's root is not the one over its leaves";
	assert_eq!(complaint(BlockRoot::<Test>::kill), expected);
	assert_eq!(complaint(|| BlockRoot::<Test>::put(Hash([1; 32]))), expected);
	assert_eq!(complaint(|| System::set_block_number(3)), expected);
}

#[test]
fn an_import_that_nobody_attested_is_found() {
	let expected = "4: a deposit was imported that is not attested";
	assert_eq!(complaint(|| NextDeposit::<Test>::put(2)), expected);
	assert_eq!(complaint(Attested::<Test>::kill), expected);
}

#[test]
fn validators_who_say_what_they_cannot_are_found() {
	let expected = "5: a validator said what it could not say";
	let text = complaint(|| Attestors::<Test>::mutate(|all| all[0].muted = true));
	assert_eq!(text, expected);
	let off = Attestation {
		l2_block: 9,
		..attestation(1, &[])
	};
	let text = complaint(|| Attestors::<Test>::mutate(|all| all[3].said = Some((off, 1))));
	assert_eq!(text, expected);
}

#[test]
fn a_used_action_that_should_be_cleared_is_found() {
	let text = complaint(|| {
		UsedActions::<Test>::insert(0, Hash([1; 32]), ());
		OldestEpoch::<Test>::put(1);
	});
	assert_eq!(text, "6: a used action of an epoch that was cleared");
}

#[test]
fn an_outflow_above_the_limit_is_found() {
	let text = complaint(|| Released::<Test>::mutate(|outflow| outflow.released = OUTFLOW_LIMIT + 1));
	assert_eq!(text, "7: more was released than the limit");
}

#[test]
fn stranded_deposits_that_cannot_be_are_found() {
	let expected = "8: a deposit is stranded that was not imported";
	let strand = |number: u64, deposit: Deposit| {
		Stranded::<Test>::insert(number, clustercast_primitives::bridge::Stranded::from(&deposit))
	};
	assert_eq!(complaint(|| strand(1, unknown(1))), expected);
	assert_eq!(complaint(|| strand(0, unknown(1))), expected);
	let elsewhere = Deposit { l2: 1, ..unknown(0) };
	assert_eq!(complaint(|| strand(0, elsewhere)), expected);
	let expected = "8: more deposits are stranded than can, or are counted";
	let text = complaint(|| {
		strand(0, unknown(0));
		frame_support::storage::unhashed::kill(&Stranded::<Test>::counter_storage_final_key());
	});
	assert_eq!(text, expected);
	let text = complaint(|| {
		strand(0, unknown(0));
		MaxStranded::set(0);
	});
	assert_eq!(text, expected);
}

#[test]
#[should_panic(expected = "bounds allow something")]
fn an_import_that_could_not_strand_is_found() {
	MaxStranded::set(31);
	Bridge::integrity_test();
}

#[derive(Clone, Debug)]
enum Step {
	/// Somebody pays into the vault: for a credit (kind 0), for an action that is none (1), for what may be malformed (2), or for
	/// something unknown (3).
	Deposit {
		whose: u8,
		own: bool,
		amount: Balance,
		escrow: Balance,
		key: u8,
		limit: Balance,
		kind: u8,
	},
	/// A wallet pays into the vault, with an action of kind 0 to 3.
	Send {
		wallet: u8,
		amount: Balance,
		action: u8,
		of: Balance,
	},
	/// So many validators say how many deposits there are: all, or with a lie by the first.
	Attest {
		speakers: u8,
		lie: bool,
	},
	Import {
		limit: usize,
		skip: u64,
	},
	/// Of the deposit that was stranded so many before the last, or of one that was not.
	Refund {
		back: u64,
	},
	Withdraw {
		who: u8,
		amount: Balance,
		fee: Balance,
	},
	Act {
		wallet: u8,
		action: u8,
		amount: Balance,
		tip: Balance,
		nonce: u64,
		life: u32,
	},
	Transfer {
		from: u8,
		to: u8,
		amount: Balance,
	},
	/// Whoever keeps nothing is reaped, if nothing is held.
	TransferAll {
		from: u8,
		to: u8,
		keep_alive: bool,
	},
	/// Of an account's deposit for tickets, to be transferred away once it is free.
	Leave {
		who: u8,
		amount: Balance,
	},
	RevokeSession {
		who: u8,
		key: u8,
	},
	Wait {
		blocks: u32,
	},
}

fn amount() -> impl Strategy<Value = Balance> {
	prop_oneof![
		4 => 0..40 * USDC,
		1 => 0..2 * EXISTENTIAL_DEPOSIT,
		1 => 9_000 * USDC..11_000 * USDC,
		1 => Just(0),
	]
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		3 => (0..6u8, any::<bool>(), amount(), amount(), 0..4u8, amount(), prop_oneof![4 => Just(0u8), 1 => 1..4u8])
			.prop_map(|(whose, own, amount, escrow, key, limit, kind)| {
				Step::Deposit { whose, own, amount, escrow, key, limit, kind }
			}),
		3 => (0..3u8, amount(), 0..4u8, amount())
			.prop_map(|(wallet, amount, action, of)| Step::Send { wallet, amount, action, of }),
		4 => (0..5u8, prop::bool::weighted(0.2)).prop_map(|(speakers, lie)| Step::Attest { speakers, lie }),
		3 => (0..5usize, prop_oneof![4 => Just(0u64), 1 => 1..3u64]).prop_map(|(limit, skip)| Step::Import { limit, skip }),
		2 => (0..3u64).prop_map(|back| Step::Refund { back }),
		3 => (0..6u8, amount(), amount()).prop_map(|(who, amount, fee)| Step::Withdraw { who, amount, fee }),
		4 => (0..3u8, 0..4u8, amount(), amount(), 0..2u64, 0..2_000u32)
			.prop_map(|(wallet, action, amount, tip, nonce, life)| Step::Act { wallet, action, amount, tip, nonce, life }),
		1 => (0..6u8, 0..6u8, amount()).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
		2 => (0..6u8, 0..6u8, any::<bool>())
			.prop_map(|(from, to, keep_alive)| Step::TransferAll { from, to, keep_alive }),
		2 => (0..6u8, amount()).prop_map(|(who, amount)| Step::Leave { who, amount }),
		1 => (0..6u8, 0..4u8).prop_map(|(who, key)| Step::RevokeSession { who, key }),
		2 => prop_oneof![1..3u32, 1_150..1_300u32].prop_map(|blocks| Step::Wait { blocks }),
	]
}

/// Accounts that steps name: two of keys, one that nobody has yet, three of wallets.
fn person(n: u8) -> AccountId32 {
	match n {
		0 => ALICE,
		1 => BOB,
		2 => NOBODY,
		n => account(&wallet(n)),
	}
}

/// How many actions of deposits were done or refused in this block.
fn answers() -> usize {
	let is_answer = |event: &Event<Test>| matches!(event, Event::ActionFollowed { .. } | Event::ActionRefused { .. });
	events().iter().filter(|event| is_answer(event)).count()
}

/// The vault, and what the chain has to agree with.
#[derive(Default)]
struct World {
	deposits: Vec<Deposit>,
	checkpoint: u64,
	/// Imported so far, by number.
	imported: u64,
	minted: Balance,
	burnt: Balance,
	/// Neither credited nor sent back so far, by number.
	stranded: BTreeMap<u64, Balance>,
	/// Sent back.
	refunded: Balance,
}

impl World {
	/// Calls fail as they like; what they may not do is checked behind them.
	fn apply(&mut self, step: Step) {
		let _refused_or_not = match step {
			Step::Deposit {
				whose,
				own,
				amount,
				escrow,
				key,
				limit,
				kind,
			} => {
				let amount = amount.clamp(USDC, MAX_WITHDRAWAL);
				let expiry = 2_000;
				let kind = if kind == 3 { 7 } else { kind };
				let (kind, escrow, (limit, expiry)) = match (kind, key) {
					(2, _) => (Credit::KIND, escrow, (limit, expiry)),
					(_, 0) => (kind, escrow.min(amount), (0, 0)),
					_ => (kind, escrow.min(amount), (limit, expiry)),
				};
				let credit = match key {
					0 => Credit {
						escrow,
						session_limit: limit,
						session_expiry: expiry,
						..credit_of(person(whose))
					},
					_ => Credit {
						escrow,
						session_key: session_key(key).public(),
						session_limit: limit,
						session_expiry: expiry,
						session_proof: session_proof(key, &person(whose)),
						..credit_of(person(whose))
					},
				};
				self.deposits.push(Deposit {
					depositor: if own && whose > 2 { address(&wallet(whose)) } else { TO },
					amount,
					kind,
					..asking(self.deposits.len() as u64, credit)
				});
				Ok(())
			},
			Step::Send {
				wallet,
				amount,
				action,
				of,
			} => {
				let wallet = self::wallet(wallet + 3);
				let action = match action {
					0 => Action::Withdraw {
						to: TO,
						amount: of,
						fee: 0,
					},
					1 => Action::Unlock { amount: of },
					2 => Action::Collect,
					_ => Action::Authorize {
						key: session_key(1).public(),
						limit: of,
						expiry: 3_000,
						proof: session_proof(1, &account(&wallet)),
					},
				};
				self.deposits.push(Deposit {
					amount: amount.clamp(MIN_ACTION, MAX_WITHDRAWAL),
					..sent(self.deposits.len() as u64, address(&wallet), action.body())
				});
				Ok(())
			},
			Step::Attest { speakers, lie } => {
				self.checkpoint += 1;
				let truth = attestation(self.checkpoint, &self.deposits);
				let before = Attested::<Test>::get();
				let agree = (0..u32::from(speakers).min(4))
					.filter(|n| {
						let words = Attestation {
							root: if lie && *n == 0 { Hash([9; 32]) } else { truth.root },
							..truth
						};
						say(*n, words).is_ok() && words == truth
					})
					.count();
				let after = Attested::<Test>::get();
				assert!(after == before || (after == Some(truth) && agree >= 3));
				Ok(())
			},
			Step::Import { limit, skip } => {
				let count = Attested::<Test>::get().map_or(0, |attested| attested.count) as usize;
				let proven = prove(&self.deposits[..count], NextDeposit::<Test>::get() + skip, limit);
				let (understood, others): (Vec<_>, Vec<_>) = proven
					.iter()
					.map(|proven| proven.deposit.clone())
					.partition(|deposit| deposit.kind == Action::KIND || deposit.credit().is_some());
				let (empty, many) = (proven.is_empty(), proven.len() as u64);
				let actions = understood.iter().filter(|deposit| deposit.kind == Action::KIND);
				let (asked, answered, before) = (actions.count(), answers(), Balances::total_issuance());
				let outcome = import(proven);
				// A right proof never fails, and no other succeeds.
				assert_eq!(outcome.is_ok(), skip == 0 && !empty);
				if outcome.is_ok() {
					self.imported += many;
					let minted = understood.iter().map(|deposit| deposit.amount).sum::<Balance>();
					self.minted += minted;
					// By actions that take it back.
					self.burnt += before + minted - Balances::total_issuance();
					assert_eq!(answers() - answered, asked, "each action is done or refused");
					self.stranded
						.extend(others.iter().map(|deposit| (deposit.number, deposit.amount)));
				}
				assert_eq!(NextDeposit::<Test>::get(), self.imported);
				outcome
			},
			Step::Refund { back } => {
				let last = self.stranded.keys().nth_back(back as usize);
				let number = last.copied().unwrap_or(back);
				let before = Line::<Test>::get().next;
				let outcome = Bridge::refund(RuntimeOrigin::none(), number);
				let amount = self.stranded.remove(&number);
				// Whatever waits goes back, and nothing else.
				assert_eq!(outcome.is_ok(), amount.is_some());
				if let Some(amount) = amount {
					let owed = Withdrawals::<Test>::get(before).unwrap();
					let to = self.deposits[number as usize].refund_to;
					assert_eq!((owed.to, owed.amount, owed.fee), (to, amount, 0));
					self.refunded += amount;
				}
				outcome
			},
			Step::Withdraw { who, amount, fee } => {
				let outcome = Bridge::withdraw(RuntimeOrigin::signed(person(who)), TO, amount, fee);
				if outcome.is_ok() {
					self.burnt += amount;
				}
				outcome
			},
			Step::Act {
				wallet,
				action,
				amount,
				tip,
				nonce,
				life,
			} => {
				let deadline = System::block_number() + life;
				let action = match action {
					0 => EthereumAction::Withdraw {
						to: TO,
						amount,
						fee: 0,
						tip,
						nonce,
						deadline,
					},
					1 => EthereumAction::Unlock {
						amount,
						tip,
						nonce,
						deadline,
					},
					2 => EthereumAction::Collect { tip, nonce, deadline },
					_ => {
						let account = account(&self::wallet(wallet + 3));
						EthereumAction::Authorize {
							key: session_key(wallet).public(),
							limit: amount,
							expiry: deadline,
							proof: session_proof(wallet, &account),
							tip,
							nonce,
							deadline,
						}
					},
				};
				let before = Balances::total_issuance();
				let wallet = self::wallet(wallet + 3);
				let outcome = act(&wallet, action);
				if outcome.is_ok() {
					assert_eq!(act(&wallet, action), Err(crate::Error::<Test>::AlreadyUsed.into()));
				}
				self.burnt += before - Balances::total_issuance();
				outcome
			},
			Step::Transfer { from, to, amount } => {
				Balances::transfer_allow_death(RuntimeOrigin::signed(person(from)), person(to), amount)
			},
			Step::TransferAll { from, to, keep_alive } => {
				let outcome = Balances::transfer_all(RuntimeOrigin::signed(person(from)), person(to), keep_alive);
				let holds =
					Broker::deposit_of(&person(from)) > 0 || !Broker::viewer_account(&person(from)).sessions.is_empty();
				if outcome.is_ok() && !keep_alive && from != to && !holds {
					assert!(!System::account_exists(&person(from)), "it is reaped");
				}
				outcome
			},
			Step::Leave { who, amount } => {
				let asked = Broker::request_unlock(RuntimeOrigin::signed(person(who)), amount);
				let left = Broker::withdraw(RuntimeOrigin::signed(person(who)));
				asked.or(left)
			},
			Step::RevokeSession { who, key } => {
				Broker::revoke_session(RuntimeOrigin::signed(person(who)), session_key(key).public())
			},
			Step::Wait { blocks } => {
				run_to(System::block_number() + blocks);
				idle();
				Ok(())
			},
		};
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..14)) {
		ExtBuilder::default().build_and_execute(|| {
			let issuance = Balances::total_issuance();
			let mut world = World::default();
			for step in steps {
				world.apply(step);
				try_state();
				let sum: Balance = frame_system::Account::<Test>::iter_keys().map(|who| Balances::total_balance(&who)).sum();
				assert_eq!(sum, Balances::total_issuance());
				assert_eq!(sum, issuance + world.minted - world.burnt);
				let waiting: Balance = Withdrawals::<Test>::iter_values().map(|stored| stored.amount).sum();
				assert!(waiting <= world.burnt + world.refunded);
				let stranded: Balance = Stranded::<Test>::iter_values().map(|deposit| deposit.amount).sum();
				assert_eq!(stranded, world.stranded.values().sum());
				// The vault's side: what is in it is on the chain, waits here, or is owed.
				let vault: Balance = world.deposits.iter().take(world.imported as usize).map(|d| d.amount).sum();
				assert_eq!(vault, Imported::<Test>::get() + stranded);
				assert_eq!(Withdrawn::<Test>::get(), world.burnt + world.refunded);
			}
		});
	}
}
