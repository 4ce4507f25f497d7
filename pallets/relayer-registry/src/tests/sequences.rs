//! No sequence of calls, transfers and reaping included, breaks an invariant; and every figure is what a ledger says that
//! has rules of its own, kept beside the pallet's.

use crate::{mock::*, reputation::Viewers, Bonds, Relayers};
use clustercast_primitives::{amount::USDC, chain::Reputation, Balance};
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	tokens::imbalance::Imbalance,
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::{BTreeMap, BTreeSet};

/// Relayers, payouts and operators are these; keys have the same numbers.
const PEOPLE: std::ops::Range<u8> = 1..5;

/// `of` is the relayer, `who` signs.
#[derive(Clone, Debug)]
enum Step {
	Register {
		who: u8,
		key: u8,
	},
	BondExtra {
		who: u8,
		of: u8,
		amount: Balance,
	},
	Unbond {
		who: u8,
		of: u8,
	},
	CancelUnbond {
		who: u8,
		of: u8,
	},
	Withdraw {
		who: u8,
		of: u8,
	},
	Payout {
		who: u8,
		of: u8,
		to: u8,
	},
	Operator {
		who: u8,
		of: u8,
		to: u8,
	},
	Key {
		who: u8,
		of: u8,
		key: u8,
	},
	Convict {
		of: u8,
	},
	Take {
		of: u8,
		amount: Balance,
	},
	Thaw {
		of: u8,
	},
	Deliver {
		of: u8,
		viewer: u8,
		bytes: u64,
		value: Balance,
	},
	Transfer {
		who: u8,
		to: u8,
		amount: Balance,
	},
	Empty {
		who: u8,
		to: u8,
	},
	Wait {
		blocks: u32,
	},
}

fn step() -> impl Strategy<Value = Step> {
	let one = || PEOPLE;
	// Whoever signs is mostly the relayer itself, which it begins as.
	let pair = || prop_oneof![3 => one().prop_map(|n| (n, n)), 2 => (one(), one())];
	prop_oneof![
		4 => (one(), one()).prop_map(|(who, key)| Step::Register { who, key }),
		2 => (pair(), 0..6 * USDC).prop_map(|((who, of), amount)| Step::BondExtra { who, of, amount }),
		2 => pair().prop_map(|(who, of)| Step::Unbond { who, of }),
		1 => pair().prop_map(|(who, of)| Step::CancelUnbond { who, of }),
		2 => pair().prop_map(|(who, of)| Step::Withdraw { who, of }),
		2 => (pair(), one()).prop_map(|((who, of), to)| Step::Payout { who, of, to }),
		1 => (pair(), one()).prop_map(|((who, of), to)| Step::Operator { who, of, to }),
		3 => (pair(), one()).prop_map(|((who, of), key)| Step::Key { who, of, key }),
		2 => one().prop_map(|of| Step::Convict { of }),
		1 => (one(), 0..6 * USDC).prop_map(|(of, amount)| Step::Take { of, amount }),
		2 => one().prop_map(|of| Step::Thaw { of }),
		3 => (one(), any::<u8>(), 0..u64::MAX / 64, 0..USDC)
			.prop_map(|(of, viewer, bytes, value)| Step::Deliver { of, viewer, bytes, value }),
		1 => (one(), one(), 0..ENDOWMENT).prop_map(|(who, to, amount)| Step::Transfer { who, to, amount }),
		1 => (one(), one()).prop_map(|(who, to)| Step::Empty { who, to }),
		3 => (1..UNBOND_DELAY).prop_map(|blocks| Step::Wait { blocks }),
	]
}

fn account(n: u8) -> AccountId32 {
	AccountId32::new([n; 32])
}

/// A relayer as the ledger has it.
#[derive(Clone, Default)]
struct Entry {
	payout: u8,
	operator: u8,
	bond: Balance,
	unbonds_at: Option<u32>,
	/// Owed while it is frozen.
	frozen: Option<Balance>,
	since: u32,
	bytes: u64,
	value: Balance,
	viewers: BTreeSet<u8>,
	/// Each of its keys, and until when it is tied.
	keys: Vec<(u8, u32)>,
}

#[derive(Default)]
struct Ledger {
	relayers: BTreeMap<u8, Entry>,
	slashes: BTreeMap<u8, u32>,
	taken: Balance,
}

impl Ledger {
	fn is_taken(&self, key: u8, now: u32) -> bool {
		let mut all = self.relayers.values().flat_map(|entry| &entry.keys);
		all.any(|(known, until)| *known == key && *until >= now)
	}

	/// The entry, where `who` may move its bond.
	fn owned(&mut self, who: u8, of: u8) -> Option<&mut Entry> {
		let entry = self.relayers.get_mut(&of)?;
		(entry.payout == who && entry.frozen.is_none()).then_some(entry)
	}

	/// Whether a call goes through follows from the ledger alone, but for what balances decide.
	fn apply(&mut self, step: Step) {
		let now = System::block_number();
		let by = |n| RuntimeOrigin::signed(account(n));
		match step {
			Step::Register { who, key } => {
				let may = !self.relayers.contains_key(&who) && !self.is_taken(key, now);
				let done = register(account(who), &self::key(key)).is_ok();
				assert!(may || !done, "registered twice, or another's key");
				if done {
					let entry = Entry {
						payout: who,
						operator: who,
						bond: MIN_BOND,
						since: now,
						keys: vec![(key, u32::MAX)],
						..Entry::default()
					};
					self.relayers.insert(who, entry);
				}
			},
			Step::BondExtra { who, of, amount } => {
				let done = Registry::bond_extra(by(who), account(of), amount).is_ok();
				let entry = self.owned(who, of);
				assert!(entry.is_some() || !done);
				if let (Some(entry), true) = (entry, done) {
					entry.bond += amount;
				}
			},
			Step::Unbond { who, of } => {
				let entry = self.owned(who, of).filter(|entry| entry.unbonds_at.is_none());
				assert_eq!(Registry::unbond(by(who), account(of)).is_ok(), entry.is_some());
				if let Some(entry) = entry {
					entry.unbonds_at = Some(now + UNBOND_DELAY);
				}
			},
			Step::CancelUnbond { who, of } => {
				let entry = self
					.owned(who, of)
					.filter(|entry| entry.unbonds_at.is_some() && entry.bond >= MIN_BOND);
				assert_eq!(Registry::cancel_unbond(by(who), account(of)).is_ok(), entry.is_some());
				if let Some(entry) = entry {
					entry.unbonds_at = None;
				}
			},
			Step::Withdraw { who, of } => {
				let before = Balances::balance(&account(who));
				let entry = self
					.owned(who, of)
					.filter(|entry| entry.unbonds_at.is_some_and(|at| at <= now));
				let bond = entry.map(|entry| entry.bond);
				assert_eq!(Registry::withdraw_bond(by(who), account(of)).is_ok(), bond.is_some());
				if let Some(bond) = bond {
					assert_eq!(Balances::balance(&account(who)) - before, bond);
					self.relayers.remove(&of);
				}
			},
			Step::Payout { who, of, to } => {
				let may = self.owned(who, of).is_some() && System::account_exists(&account(to));
				assert_eq!(Registry::set_payout(by(who), account(of), account(to)).is_ok(), may);
				if let (Some(entry), true) = (self.relayers.get_mut(&of), may) {
					entry.payout = to;
				}
			},
			Step::Operator { who, of, to } => {
				let entry = self.relayers.get_mut(&of).filter(|entry| entry.payout == who);
				let done = Registry::set_operator(by(who), account(of), account(to)).is_ok();
				assert_eq!(done, entry.is_some());
				if let Some(entry) = entry {
					entry.operator = to;
				}
			},
			Step::Key { who, of, key } => {
				let is_taken = self.is_taken(key, now);
				let entry = self.relayers.get_mut(&of).filter(|entry| {
					let tied = entry.keys.iter().filter(|(_, until)| *until >= now).count();
					[entry.payout, entry.operator].contains(&who) && !is_taken && tied <= MAX_PREVIOUS_KEYS as usize
				});
				assert_eq!(
					set_key(account(who), account(of), &self::key(key)).is_ok(),
					entry.is_some()
				);
				if let Some(entry) = entry {
					entry.keys.retain(|(_, until)| *until >= now);
					let current = entry.keys.iter_mut().find(|(_, until)| *until == u32::MAX).unwrap();
					current.1 = now + KEY_MEMORY;
					entry.keys.push((key, u32::MAX));
				}
			},
			Step::Convict { of } => {
				let conviction = <Registry as Bonds<_>>::convict(&account(of));
				let entry = self.relayers.get_mut(&of);
				assert_eq!(
					conviction.map(|c| c.penalty),
					entry.as_ref().map(|entry| {
						let left = entry.bond - entry.frozen.unwrap_or_default();
						left.min((left / 5).max(5 * USDC))
					})
				);
				if let (Some(entry), Some(conviction)) = (entry, conviction) {
					*entry.frozen.get_or_insert_default() += conviction.penalty;
					*self.slashes.entry(of).or_default() += 1;
				}
			},
			Step::Take { of, amount } => {
				let taken = <Registry as Bonds<_>>::take(&account(of), amount).peek();
				self.take(of, amount, taken);
			},
			Step::Thaw { of } => {
				let taken = <Registry as Bonds<_>>::thaw(&account(of)).peek();
				self.take(of, Balance::MAX, taken);
				if let Some(entry) = self.relayers.get_mut(&of).filter(|entry| entry.bond < MIN_BOND) {
					entry.unbonds_at.get_or_insert(now + UNBOND_DELAY);
				}
				self.relayers.retain(|n, entry| *n != of || entry.bond > 0);
				if let Some(entry) = self.relayers.get_mut(&of) {
					entry.frozen = None;
				}
			},
			Step::Deliver {
				of,
				viewer,
				bytes,
				value,
			} => {
				Registry::note_delivery(&account(of), &account(viewer), bytes, value);
				if let Some(entry) = self.relayers.get_mut(&of) {
					entry.bytes = entry.bytes.saturating_add(bytes);
					entry.value += value;
					entry.viewers.insert(viewer);
				}
			},
			Step::Transfer { who, to, amount } => drop(Balances::transfer_allow_death(by(who), account(to), amount)),
			Step::Empty { who, to } => drop(Balances::transfer_all(by(who), account(to), false)),
			Step::Wait { blocks } => wait(blocks),
		}
	}

	fn take(&mut self, of: u8, amount: Balance, taken: Balance) {
		let Some(entry) = self.relayers.get_mut(&of) else {
			assert_eq!(taken, 0);
			return;
		};
		let owed = entry.frozen.unwrap_or_default();
		assert_eq!(taken, amount.min(owed));
		entry.frozen = entry.frozen.map(|owed| owed - taken);
		entry.bond -= taken;
		self.taken += taken;
	}

	fn reputation(&self, who: u8) -> Reputation {
		let entry = self.relayers.get(&who).cloned().unwrap_or_default();
		let mut sketch = Viewers::default();
		entry.viewers.iter().for_each(|n| sketch.insert(&[*n; 32]));
		Reputation {
			bytes: entry.bytes,
			value: entry.value,
			viewers: sketch.estimate(),
			slashes: self.slashes.get(&who).copied().unwrap_or_default(),
			since: entry.since,
		}
	}

	/// The pallet says the same of one of the people.
	fn agrees(&self, n: u8) {
		let now = System::block_number();
		assert_eq!(Registry::reputation(&account(n)), self.reputation(n));
		let entry = self.relayers.get(&n);
		let stored = Relayers::<Test>::get(account(n));
		assert_eq!(
			stored.map(|r| (
				r.payout,
				r.operator,
				r.bond,
				r.unbonds_at,
				r.frozen.map(|freeze| freeze.owed)
			)),
			entry.map(|e| (account(e.payout), account(e.operator), e.bond, e.unbonds_at, e.frozen))
		);
		let is_bonded = entry.is_some_and(|entry| entry.frozen.is_none() && entry.bond >= MIN_BOND);
		assert_eq!(Registry::is_bonded(&account(n)), is_bonded);
		let answers = self.relayers.iter().find(|(_, entry)| {
			let mut keys = entry.keys.iter();
			keys.any(|(key, until)| *key == n && *until >= now)
		});
		assert_eq!(
			<Registry as Bonds<_>>::relayer(&key(n).public()),
			answers.map(|(of, _)| account(*of)),
			"key {n}"
		);
		let bonds = self
			.relayers
			.values()
			.filter(|entry| entry.payout == n)
			.map(|entry| entry.bond);
		assert_eq!(held(&account(n)), bonds.sum::<Balance>());
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 1_500, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..32)) {
		ExtBuilder.build_and_execute(|| {
			for n in PEOPLE {
				Balances::set_balance(&account(n), ENDOWMENT);
			}
			let endowed = Balances::total_issuance();
			let mut ledger = Ledger::default();
			for step in steps {
				ledger.apply(step);
				Registry::do_try_state().unwrap();
				PEOPLE.for_each(|n| ledger.agrees(n));
				// Nothing is made or lost but what was taken.
				assert_eq!(Balances::total_issuance() + ledger.taken, endowed);
			}
		});
	}
}
