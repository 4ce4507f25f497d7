//! What a transaction on the L2 costs, what is asked for it, and when it waits: sans-IO.

use clustercast_primitives::{Balance, Usdc};

/// Wei in an ether.
const ETHER: u128 = 1_000_000_000_000_000_000;

/// Fees are multiples of this, micro-USDC: what a wallet shows stays short.
const STEP: Balance = 100;

/// A transaction that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
	/// Gas that it takes.
	pub gas: u64,
	/// Wei for each, as blocks take it now.
	pub gas_price: u128,
	/// Wei for its data on Ethereum, where the L2 asks for that apart.
	pub l1_fee: u128,
}

impl Quote {
	/// All of it, wei.
	pub fn wei(&self) -> u128 {
		self.gas_price
			.saturating_mul(self.gas.into())
			.saturating_add(self.l1_fee)
	}

	/// All of it, micro-USDC, rounded up. `ether_price`: micro-USDC for an ether.
	pub fn usdc(&self, ether_price: Balance) -> Balance {
		self.wei().saturating_mul(ether_price).div_ceil(ETHER)
	}
}

/// What an agent spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
	/// Most that gas may cost, wei.
	pub max_gas_price: u128,
	/// Micro-USDC for an ether; without it nothing is compared.
	pub ether_price: Option<Balance>,
}

impl Default for Rules {
	fn default() -> Self {
		Self {
			max_gas_price: u128::MAX,
			ether_price: None,
		}
	}
}

/// Why a transaction waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
	/// Gas is too dear.
	#[error("gas costs {now} wei, at most {most} is paid")]
	GasPrice {
		/// Now, wei.
		now: u128,
		/// Of the agent's settings, wei.
		most: u128,
	},
	/// It would cost more than it brings.
	#[error("it costs {} USDC now and brings {} USDC", Usdc(*.costs), Usdc(*.brings))]
	Unprofitable {
		/// Micro-USDC.
		costs: Balance,
		/// Micro-USDC.
		brings: Balance,
	},
}

impl Rules {
	/// Whether it is sent now. `brings`: micro-USDC, or `None` where it is worth whatever it costs.
	pub fn judge(&self, quote: &Quote, brings: Option<Balance>) -> Result<(), Wait> {
		if quote.gas_price > self.max_gas_price {
			return Err(Wait::GasPrice {
				now: quote.gas_price,
				most: self.max_gas_price,
			});
		}
		let (Some(ether_price), Some(brings)) = (self.ether_price, brings) else {
			return Ok(());
		};
		match quote.usdc(ether_price) {
			costs if costs > brings => Err(Wait::Unprofitable { costs, brings }),
			_ => Ok(()),
		}
	}
}

/// What is asked for something that costs so much, micro-USDC, and so many percent above, in steps of 100.
pub fn asked(costs: Balance, margin_percent: u32) -> Balance {
	let with_margin = costs
		.saturating_mul(Balance::from(margin_percent).saturating_add(100))
		.div_ceil(100);
	with_margin.div_ceil(STEP).saturating_mul(STEP)
}

#[cfg(test)]
mod tests {
	use super::*;

	/// A deposit that somebody else pays for, on Base as docs/l2.md has it: 0.22 ct.
	const DEPOSIT: Quote = Quote {
		gas: 119_477,
		gas_price: 6_000_000,
		l1_fee: 14_600_000_000,
	};
	const ETHER_PRICE: Balance = 3_000_000_000;

	#[test]
	fn data_on_ethereum_is_part_of_the_price() {
		assert_eq!(DEPOSIT.usdc(ETHER_PRICE), 2_195);
		assert_eq!(Quote { l1_fee: 0, ..DEPOSIT }.usdc(ETHER_PRICE), 2_151);
	}

	#[test]
	fn margin_is_on_top_and_the_sum_is_short() {
		assert_eq!((asked(2_195, 0), asked(2_195, 50), asked(0, 50)), (2_200, 3_300, 0));
		assert_eq!(asked(Balance::MAX, u32::MAX) % STEP, 0, "no overflow");
	}

	#[test]
	fn what_costs_more_than_it_brings_waits() {
		let rules = Rules {
			max_gas_price: 10_000_000,
			ether_price: Some(ETHER_PRICE),
		};
		assert_eq!(rules.judge(&DEPOSIT, Some(2_195)), Ok(()));
		assert_eq!(rules.judge(&DEPOSIT, None), Ok(()));
		let wait = Wait::Unprofitable {
			costs: 2_195,
			brings: 2_194,
		};
		assert_eq!(rules.judge(&DEPOSIT, Some(2_194)), Err(wait));
		assert_eq!(Rules::default().judge(&DEPOSIT, Some(0)), Ok(()), "nothing to compare");
	}

	#[test]
	fn gas_above_the_cap_is_paid_for_nothing() {
		let rules = Rules {
			max_gas_price: 10_000_000,
			ether_price: None,
		};
		let spike = Quote {
			gas_price: 10_000_001,
			..DEPOSIT
		};
		let wait = Wait::GasPrice {
			now: 10_000_001,
			most: 10_000_000,
		};
		assert_eq!(rules.judge(&spike, None), Err(wait));
		assert_eq!(rules.judge(&spike, Some(Balance::MAX)), Err(wait));
	}
}
