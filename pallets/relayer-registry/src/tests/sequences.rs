//! No sequence of calls breaks an invariant, and reputations are what a ledger of the same steps says.

use crate::{mock::*, reputation::Viewers, Bonds, Relayers};
use clustercast_primitives::{amount::USDC, chain::Reputation, Balance};
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	tokens::imbalance::Imbalance,
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
	Register { who: u8, key: u8 },
	BondExtra { who: u8, amount: Balance },
	Unbond { who: u8 },
	CancelUnbond { who: u8 },
	Withdraw { who: u8 },
	Slash { who: u8 },
	Deliver { who: u8, viewer: u8, value: Balance },
	Wait { blocks: u32 },
}

fn step() -> impl Strategy<Value = Step> {
	let who = 1..4u8;
	prop_oneof![
		3 => (who.clone(), 1..4u8).prop_map(|(who, key)| Step::Register { who, key }),
		1 => (who.clone(), 0..6 * USDC).prop_map(|(who, amount)| Step::BondExtra { who, amount }),
		2 => who.clone().prop_map(|who| Step::Unbond { who }),
		1 => who.clone().prop_map(|who| Step::CancelUnbond { who }),
		2 => who.clone().prop_map(|who| Step::Withdraw { who }),
		2 => who.clone().prop_map(|who| Step::Slash { who }),
		4 => (who, any::<u8>(), 0..USDC).prop_map(|(who, viewer, value)| Step::Deliver { who, viewer, value }),
		2 => (1..UNBOND_DELAY).prop_map(|blocks| Step::Wait { blocks }),
	]
}

fn account(n: u8) -> AccountId32 {
	AccountId32::new([n; 32])
}

/// What was paid to whom since it registered, and who was slashed how often.
#[derive(Default)]
struct Ledger {
	paid: BTreeMap<u8, (Balance, BTreeSet<u8>, u32)>,
	slashes: BTreeMap<u8, u32>,
	taken: Balance,
}

impl Ledger {
	/// Calls fail as they like; what they may not do is checked behind them.
	fn apply(&mut self, step: Step) {
		let by = |n| RuntimeOrigin::signed(account(n));
		match step {
			Step::Register { who, key } => {
				if register(account(who), &self::key(key)).is_ok() {
					let new = (0, BTreeSet::new(), System::block_number());
					assert!(self.paid.insert(who, new).is_none(), "registered twice");
				}
			},
			Step::BondExtra { who, amount } => drop(Registry::bond_extra(by(who), amount)),
			Step::Unbond { who } => drop(Registry::unbond(by(who))),
			Step::CancelUnbond { who } => drop(Registry::cancel_unbond(by(who))),
			Step::Withdraw { who } => {
				if Registry::withdraw_bond(by(who)).is_ok() {
					assert!(self.paid.remove(&who).is_some(), "left without being there");
				}
			},
			Step::Slash { who } => {
				self.taken += <Registry as Bonds<_>>::slash(&account(who)).peek();
				if self.paid.contains_key(&who) {
					*self.slashes.entry(who).or_default() += 1;
				}
				if !Relayers::<Test>::contains_key(account(who)) {
					self.paid.remove(&who);
				}
			},
			Step::Deliver { who, viewer, value } => {
				Registry::note_delivery(&account(who), &account(viewer), 3, value);
				if let Some((sum, viewers, _)) = self.paid.get_mut(&who) {
					*sum += value;
					viewers.insert(viewer);
				}
			},
			Step::Wait { blocks } => System::set_block_number(System::block_number() + blocks),
		}
	}

	fn reputation(&self, who: u8) -> Reputation {
		let (value, viewers, since) = self.paid.get(&who).cloned().unwrap_or_default();
		let mut sketch = Viewers::default();
		viewers.iter().for_each(|n| sketch.insert(&[*n; 32]));
		Reputation {
			bytes: Registry::reputation(&account(who)).bytes,
			value,
			viewers: sketch.estimate(),
			slashes: self.slashes.get(&who).copied().unwrap_or_default(),
			since,
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..24)) {
		ExtBuilder.build_and_execute(|| {
			let people = [1, 2, 3];
			for n in people {
				Balances::set_balance(&account(n), ENDOWMENT);
			}
			let mut ledger = Ledger::default();
			for step in steps {
				ledger.apply(step);
				Registry::do_try_state().unwrap();
				for n in people {
					assert_eq!(Registry::reputation(&account(n)), ledger.reputation(n));
				}
				let owned: Balance = people.iter().map(|n| Balances::total_balance(&account(*n))).sum();
				assert_eq!(owned + ledger.taken, 3 * ENDOWMENT);
			}
		});
	}
}
