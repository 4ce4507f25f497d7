//! Handing what a wallet signed to agents: which of them, for how much, and when another signature may be asked for. Sans-IO. Nobody is
//! paid twice, since all are given the same bytes, of which the L2 or the chain takes one.

use crate::wire::{SignedDeposit, Terms};
use clustercast_primitives::{Balance, EthereumAddress, Hash, Usdc};

/// Which bridge the wallet's owner means, as nodes of his own choice say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
	/// The L2's chain id.
	pub l2: u32,
	/// The vault there.
	pub vault: EthereumAddress,
	/// The token there, where it was asked for.
	pub usdc: Option<EthereumAddress>,
	/// Genesis hash of the chain.
	pub genesis: Hash,
}

/// Why an agent is passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Passed {
	/// It does not answer.
	#[error("{0}")]
	Silent(String),
	/// It serves another bridge, or lies about this one.
	#[error("it serves another bridge")]
	OtherBridge,
	/// It does not do this at all.
	#[error("it does not offer this")]
	NotOffered,
	/// It asks for too much.
	#[error("it asks {}, at most {} USDC are paid", Usdc(*.asks), Usdc(*.most))]
	TooDear {
		/// Micro-USDC.
		asks: Balance,
		/// Micro-USDC.
		most: Balance,
	},
}

/// Who is turned to, in the order given, and what is signed for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
	/// Fee or tip: what the dearest of them asks, so that each of them takes the same bytes.
	pub pays: Balance,
	/// Their places in the list.
	pub agents: Vec<usize>,
	/// The others, and why.
	pub passed: Vec<(usize, Passed)>,
}

/// Chooses among agents by what they answered to `/v1/terms`. `asks` is what one asks for this; at most `most` is paid.
pub fn plan(
	answers: Vec<Result<Terms, String>>,
	expected: &Expected,
	asks: impl Fn(&Terms) -> Option<Balance>,
	most: Balance,
) -> Plan {
	let judged = answers.into_iter().map(|answer| {
		let terms = answer.map_err(Passed::Silent)?;
		let is_ours = (terms.l2, terms.vault, terms.genesis) == (expected.l2, expected.vault, expected.genesis)
			&& expected.usdc.is_none_or(|usdc| usdc == terms.usdc);
		if !is_ours {
			return Err(Passed::OtherBridge);
		}
		match asks(&terms) {
			None => Err(Passed::NotOffered),
			Some(asks) if asks > most => Err(Passed::TooDear { asks, most }),
			Some(asks) => Ok(asks),
		}
	});
	let mut plan = Plan {
		pays: 0,
		agents: Vec::new(),
		passed: Vec::new(),
	};
	for (place, judgement) in judged.enumerate() {
		match judgement {
			Ok(asks) => {
				plan.pays = plan.pays.max(asks);
				plan.agents.push(place);
			},
			Err(why) => plan.passed.push((place, why)),
		}
	}
	plan
}

/// What became of an authorisation that was handed over before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
	/// Any agent may still use it: nothing else is signed.
	Open,
	/// It was used, or cancelled.
	Spent,
	/// Nobody can use it any more.
	Over,
}

/// Judges it by what the L2 says: whether it is spent, and the time of its newest block.
pub fn earlier(deposit: &SignedDeposit, is_spent: bool, now: u64) -> Earlier {
	match (is_spent, now >= deposit.valid_before) {
		(true, _) => Earlier::Spent,
		(false, true) => Earlier::Over,
		(false, false) => Earlier::Open,
	}
}

/// Whether two deposits ask for the same but for fee and time: then the earlier bytes are handed over again, not new ones.
pub fn is_same_order(one: &SignedDeposit, other: &SignedDeposit) -> bool {
	let order = |d: &SignedDeposit| (d.depositor, d.kind, d.amount, d.refund_to, d.body.clone());
	order(one) == order(other)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::wire::{tests::deposit, ActionTerms, DepositTerms, WithdrawalTerms};

	const EXPECTED: Expected = Expected {
		l2: 8_453,
		vault: EthereumAddress([1; 20]),
		usdc: Some(EthereumAddress([2; 20])),
		genesis: Hash([3; 32]),
	};

	fn asking(fee: Balance) -> Terms {
		Terms {
			l2: EXPECTED.l2,
			vault: EXPECTED.vault,
			usdc: EthereumAddress([2; 20]),
			genesis: EXPECTED.genesis,
			deposit: DepositTerms {
				fee,
				margin_percent: 50,
				gas: 1,
				gas_price: 1,
				l1_fee: 0,
				ether_price: 1,
				max_validity: 900,
			},
			action: None,
			withdrawal: WithdrawalTerms { fee: 0 },
		}
	}

	fn deposits(answers: Vec<Result<Terms, String>>) -> Plan {
		plan(answers, &EXPECTED, |terms| Some(terms.deposit.fee), 100)
	}

	#[test]
	fn dead_and_dear_agents_are_passed_over_and_the_others_can_all_take_the_same_bytes() {
		let plan = deposits(vec![
			Err("nobody listens".into()),
			Ok(asking(40)),
			Ok(asking(101)),
			Ok(asking(70)),
		]);
		assert_eq!((plan.pays, &plan.agents[..]), (70, &[1, 3][..]));
		let passed = [
			(0, Passed::Silent("nobody listens".into())),
			(2, Passed::TooDear { asks: 101, most: 100 }),
		];
		assert_eq!(plan.passed, passed);
	}

	#[test]
	fn agent_that_names_another_vault_or_token_is_never_turned_to() {
		let changes: [fn(&mut Terms); 4] = [
			|terms| terms.l2 = 1,
			|terms| terms.vault.0[0] = 9,
			|terms| terms.usdc.0[0] = 9,
			|terms| terms.genesis.0[0] = 9,
		];
		for (index, change) in changes.iter().enumerate() {
			let mut terms = asking(1);
			change(&mut terms);
			let plan = deposits(vec![Ok(terms)]);
			assert_eq!(plan.passed, [(0, Passed::OtherBridge)], "{index}");
			assert!(plan.agents.is_empty());
		}
	}

	#[test]
	fn agent_that_takes_no_actions_is_asked_for_none() {
		let tip = |terms: &Terms| terms.action.map(|action| action.tip);
		let takes = Terms {
			action: Some(ActionTerms { tip: 5 }),
			..asking(1)
		};
		let plan = plan(vec![Ok(asking(1)), Ok(takes)], &EXPECTED, tip, 100);
		assert_eq!((plan.pays, &plan.agents[..]), (5, &[1][..]));
		assert_eq!(plan.passed, [(0, Passed::NotOffered)]);
	}

	#[test]
	fn another_signature_waits_until_the_first_is_spent_or_over() {
		let signed = deposit(1, |d| d.valid_before = 1_900);
		assert_eq!(earlier(&signed, false, 1_899), Earlier::Open);
		assert_eq!(earlier(&signed, false, 1_900), Earlier::Over);
		assert_eq!(earlier(&signed, true, 1_000), Earlier::Spent);
		assert_eq!(earlier(&signed, true, 9_000), Earlier::Spent);
	}

	#[test]
	fn same_order_is_told_whatever_its_fee_and_time() {
		let one = deposit(1, |_| {});
		assert!(is_same_order(
			&one,
			&deposit(1, |d| (d.fee, d.valid_before) = (9, 2_000))
		));
		assert!(!is_same_order(&one, &deposit(1, |d| d.amount += 1)));
		assert!(!is_same_order(
			&one,
			&deposit(1, |d| d.body = vec![8; 164].try_into().unwrap())
		));
		assert!(!is_same_order(&one, &deposit(2, |_| {})));
	}
}
