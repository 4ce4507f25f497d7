//! `[buying]`: what is spent at most on windows that other relayers sell.

use super::usdc;
use clustercast_pay::funds::Wanted;
use clustercast_primitives::{Balance, Usdc};
use serde::{Deserialize, Serialize};

/// Most that a single winning ticket may cost, unless it is said: five of those that relayers ask as a rule.
const MAX_FACE_VALUE: Usdc = Usdc(100_000);

/// The table of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BuyingSettings {
	/// Held for payments, USDC; topped up when less than half is left.
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub deposit: Option<Usdc>,
	/// Most that one session key may spend, USDC; the deposit if `None`.
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub limit: Option<Usdc>,
	/// Highest price that is paid, micro-USDC per 10^9 bytes.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub max_price_per_gb: Option<u64>,
	/// Most that a single winning ticket may cost, USDC.
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub max_face_value: Option<Usdc>,
}

/// Complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buying {
	/// Deposit and limit.
	pub wanted: Wanted,
	/// Micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Micro-USDC.
	pub max_face_value: Balance,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[buying] has no {0}: say how much is spent at most")]
pub struct Missing(&'static str);

impl BuyingSettings {
	/// How much money is at stake has no default.
	pub fn check(self) -> Result<Buying, Missing> {
		let deposit = self.deposit.ok_or(Missing("deposit"))?;
		Ok(Buying {
			wanted: Wanted {
				deposit: deposit.0,
				limit: self.limit.unwrap_or(deposit).0,
			},
			max_price_per_gb: self.max_price_per_gb.ok_or(Missing("max_price_per_gb"))?,
			max_face_value: self.max_face_value.unwrap_or(MAX_FACE_VALUE).0,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_spent_at_most_must_be_said() {
		let said = BuyingSettings {
			deposit: Some(Usdc(5)),
			max_price_per_gb: Some(7),
			..BuyingSettings::default()
		};
		let buying = said.clone().check().unwrap();
		assert_eq!(
			(buying.wanted.deposit, buying.wanted.limit, buying.max_price_per_gb),
			(5, 5, 7)
		);
		let without = |change: fn(&mut BuyingSettings)| {
			let mut settings = said.clone();
			change(&mut settings);
			settings.check().unwrap_err().to_string()
		};
		assert!(without(|s| s.deposit = None).contains("no deposit"));
		assert!(without(|s| s.max_price_per_gb = None).contains("no max_price_per_gb"));
	}
}
