//! Handing what a wallet signed to agents: which of them, for how much, and when another signature may be asked for. Sans-IO. Nobody is
//! paid twice, since all are given the same bytes, of which the L2 or the chain takes one.

use crate::wire::{SignedDeposit, Terms};
use clustercast_primitives::{
	bridge::{
		deposit::{MAX_DEPOSIT, MIN_DEPOSIT},
		EthereumAction,
	},
	Balance, EthereumAddress, Hash, Usdc,
};

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
	/// Fee or tip: what the first of them asks, which is the one that is preferred. The others are given the same bytes, and take them where
	/// it pays for what they cost; nobody earns more because somebody else is dear.
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
				if plan.agents.is_empty() {
					plan.pays = asks;
				}
				plan.agents.push(place);
			},
			Err(why) => plan.passed.push((place, why)),
		}
	}
	plan
}

/// What became of something that was handed over before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier<T> {
	/// Anybody may still use it: nothing else is signed.
	Open,
	/// It was used, for this.
	Used(T),
	/// Nobody can use it any more.
	Over,
}

/// Judges it by what a final block says: `reached` is that block's time or number, `end` the first at which nobody can use it any more. What
/// was `used` was looked for up to that block, or behind it.
pub fn earlier<T>(used: Option<T>, reached: u64, end: u64) -> Earlier<T> {
	match used {
		Some(used) => Earlier::Used(used),
		None if reached >= end => Earlier::Over,
		None => Earlier::Open,
	}
}

/// How much is to be deposited, and how much is there, micro-USDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
	/// None for all that is there.
	pub asked: Option<Balance>,
	/// What the wallet has.
	pub there: Balance,
}

/// Why a sum cannot be deposited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
	/// Out of the vault's bounds.
	#[error("a deposit is {} to {} USDC, not {}", Usdc(MIN_DEPOSIT), Usdc(MAX_DEPOSIT), Usdc(*.0))]
	Bounds(Balance),
	/// More than there is.
	#[error("{} USDC are there, and with the fee of {} USDC it takes {}", Usdc(*.there), Usdc(*.fee), Usdc(*.takes))]
	TooMuch {
		/// Micro-USDC.
		there: Balance,
		/// Micro-USDC.
		fee: Balance,
		/// Micro-USDC.
		takes: Balance,
	},
}

impl Sum {
	/// What is deposited where somebody gets such a fee on top.
	pub fn amount(&self, fee: Balance) -> Result<Balance, SumError> {
		let there = self.there;
		let amount = self.asked.unwrap_or(there.saturating_sub(fee).min(MAX_DEPOSIT));
		if !(MIN_DEPOSIT..=MAX_DEPOSIT).contains(&amount) {
			return Err(SumError::Bounds(amount));
		}
		match amount.saturating_add(fee) {
			takes if takes > there => Err(SumError::TooMuch { there, fee, takes }),
			_ => Ok(amount),
		}
	}
}

/// Whether a deposit that was signed asks for the same as one that is to be, whatever fee and time: then the earlier bytes are handed over
/// again, not new ones. All that is there is the same as all that was there, whatever it came to.
pub fn is_same_order(kept: (&SignedDeposit, bool), wanted: &SignedDeposit, sum: &Sum) -> bool {
	let order = |d: &SignedDeposit| (d.depositor, d.kind, d.refund_to, d.body.clone());
	let (kept, is_all) = kept;
	let is_same_sum = match sum.asked {
		None => is_all,
		Some(amount) => !is_all && kept.amount == amount,
	};
	is_same_sum && order(kept) == order(wanted)
}

/// The same for messages to the chain: tip, deadline and nonce are the envelope's. A nonce that somebody `insists` on tells two apart.
pub fn is_same_action(kept: &EthereumAction, wanted: &EthereumAction, insists: Option<u64>) -> bool {
	let (kept, nonce) = bare(*kept);
	insists.is_none_or(|wanted| wanted == nonce) && kept == bare(*wanted).0
}

/// An action without its envelope, and its nonce.
fn bare(mut action: EthereumAction) -> (EthereumAction, u64) {
	let (EthereumAction::Withdraw {
		tip, nonce, deadline, ..
	}
	| EthereumAction::Unlock {
		tip, nonce, deadline, ..
	}
	| EthereumAction::Collect { tip, nonce, deadline }
	| EthereumAction::Authorize {
		tip, nonce, deadline, ..
	}) = &mut action;
	let was = *nonce;
	(*tip, *nonce, *deadline) = (0, 0, 0);
	(action, was)
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
	fn dead_and_dear_agents_are_passed_over_and_the_first_of_the_others_says_what_is_paid() {
		let plan = deposits(vec![
			Err("nobody listens".into()),
			Ok(asking(40)),
			Ok(asking(101)),
			Ok(asking(70)),
		]);
		// Not what the dearest asks: that would be anybody's to set.
		assert_eq!((plan.pays, &plan.agents[..]), (40, &[1, 3][..]));
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
	fn another_signature_waits_until_a_final_block_says_that_the_first_is_used_or_over() {
		// Whatever newer blocks say: they may go away again.
		assert_eq!(earlier::<()>(None, 1_899, 1_900), Earlier::Open);
		assert_eq!(earlier::<()>(None, 1_900, 1_900), Earlier::Over);
		assert_eq!(earlier(Some(3), 1_000, 1_900), Earlier::Used(3));
		assert_eq!(earlier(Some(3), 9_000, 1_900), Earlier::Used(3));
	}

	const TWENTY: Sum = Sum {
		asked: Some(20_000_000),
		there: 50_000_000,
	};

	#[test]
	fn same_order_is_told_whatever_its_fee_and_time() {
		let one = deposit(1, |_| {});
		let same = |other: &SignedDeposit| is_same_order((&one, false), other, &TWENTY);
		assert!(same(&deposit(1, |d| (d.fee, d.valid_before) = (9, 2_000))));
		assert!(!same(&deposit(1, |d| d.body = vec![8; 164].try_into().unwrap())));
		assert!(!same(&deposit(2, |_| {})));
		let more = Sum {
			asked: Some(20_000_001),
			..TWENTY
		};
		assert!(!is_same_order((&one, false), &one, &more));
	}

	#[test]
	fn all_that_there_was_is_the_same_order_when_it_is_gone() {
		let one = deposit(1, |_| {});
		let rest = Sum { asked: None, there: 7 };
		assert!(is_same_order((&one, true), &one, &rest));
		assert!(!is_same_order((&one, false), &one, &rest), "twenty were meant");
		assert!(!is_same_order((&one, true), &one, &TWENTY), "all was meant");
	}

	#[test]
	fn sum_that_vault_or_token_would_refuse_is_never_signed() {
		let (fee, there) = (100, 20_000_000);
		let amount = |asked| Sum { asked, there }.amount(fee);
		assert_eq!(amount(None), Ok(19_999_900));
		assert_eq!(amount(Some(19_999_900)), Ok(19_999_900));
		let takes = 20_000_001;
		assert_eq!(amount(Some(19_999_901)), Err(SumError::TooMuch { there, fee, takes }));
		assert_eq!(amount(Some(999_999)), Err(SumError::Bounds(999_999)));
		let little = Sum {
			asked: None,
			there: 1_000_000,
		};
		assert_eq!(little.amount(fee), Err(SumError::Bounds(999_900)));
	}

	#[test]
	fn same_message_is_told_whatever_its_envelope() {
		let unlock = |amount, (tip, nonce, deadline)| EthereumAction::Unlock {
			amount,
			tip,
			nonce,
			deadline,
		};
		let kept = unlock(5, (1, 2, 3));
		assert!(is_same_action(&kept, &unlock(5, (4, 5, 6)), None));
		assert!(is_same_action(&kept, &unlock(5, (4, 2, 6)), Some(2)));
		assert!(
			!is_same_action(&kept, &unlock(5, (4, 5, 6)), Some(5)),
			"another is meant"
		);
		assert!(!is_same_action(&kept, &unlock(6, (1, 2, 3)), None));
		let (tip, nonce, deadline) = (1, 2, 3);
		assert!(!is_same_action(
			&kept,
			&EthereumAction::Collect { tip, nonce, deadline },
			None
		));
	}
}
