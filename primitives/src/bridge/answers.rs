//! What the chain answers about the bridge.

use super::{Attestation, Withdrawal};
use crate::{
	amount::Balance,
	crypto::{EthereumAddress, Hash},
	BlockNumber,
};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The bridge as of one block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct BridgeInfo {
	/// The L2's chain id (EIP-155); 0 on a chain without a vault.
	pub chain_id: u64,
	/// The vault on the L2.
	pub vault: EthereumAddress,
	/// Attested L2 blocks are multiples of this.
	pub interval: u32,
	/// L2 block from which the vault exists: nothing before it has to be read.
	pub first: u64,
	/// What enough validators last said of the vault.
	pub attested: Option<Attestation>,
	/// Number of the first deposit that was not imported.
	pub next_deposit: u64,
	/// Number that the next withdrawal gets.
	pub next_withdrawal: u64,
	/// Withdrawals that wait for their release.
	pub queued: u32,
	/// What can still be released in this period, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub outflow_left: Balance,
	/// Minted for deposits in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub imported: Balance,
	/// Burnt for withdrawals in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub withdrawn: Balance,
	/// All USDC on the chain, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub issuance: Balance,
	/// Validators who can attest, and how many of them must agree.
	pub attestors: u32,
	/// See `attestors`.
	pub threshold: u32,
	/// The chain's genesis hash.
	pub genesis: Hash,
}

/// A withdrawal and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct WithdrawalInfo {
	/// What the vault pays.
	#[cfg_attr(feature = "serde", serde(flatten))]
	pub withdrawal: Withdrawal,
	/// Where its leaf is; `None` while it waits.
	pub place: Option<WithdrawalPlace>,
}

/// Where the leaf of a withdrawal is. Withdrawals are released in the order of their numbers: the others of its tree
/// are those from `id - index`, `width` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct WithdrawalPlace {
	/// The block whose MMR leaf has the root.
	pub block: BlockNumber,
	/// Place of the leaf in the block's tree.
	pub index: u32,
	/// Leaves in the block's tree.
	pub width: u32,
}

#[cfg(all(test, feature = "serde"))]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn withdrawals_are_flat_and_amounts_are_strings() {
		let info = WithdrawalInfo {
			withdrawal: Withdrawal {
				id: 7,
				to: EthereumAddress([1; 20]),
				amount: 5_000_000,
				fee: 10_000,
			},
			place: Some(WithdrawalPlace {
				block: 12,
				index: 0,
				width: 3,
			}),
		};
		let json = json!({
			"id": 7,
			"to": "0x0101010101010101010101010101010101010101",
			"amount": "5000000",
			"fee": "10000",
			"place": { "block": 12, "index": 0, "width": 3 },
		});
		assert_eq!(serde_json::to_value(info).unwrap(), json);
		assert_eq!(serde_json::from_value::<WithdrawalInfo>(json).unwrap(), info);
		let waits = WithdrawalInfo { place: None, ..info };
		assert!(serde_json::to_value(waits).unwrap()["place"].is_null());
	}

	#[test]
	fn the_bridge_has_the_shape_that_clients_read() {
		let hash = Hash([2; 32]);
		let info = BridgeInfo {
			chain_id: 8_453,
			vault: EthereumAddress([1; 20]),
			interval: 8,
			first: 5,
			attested: Some(Attestation {
				l2_block: 16,
				l2_hash: hash,
				root: hash,
				count: 3,
			}),
			next_deposit: 2,
			next_withdrawal: 1,
			queued: 1,
			outflow_left: 100,
			imported: 40,
			withdrawn: 2,
			issuance: 38,
			attestors: 4,
			threshold: 3,
			genesis: hash,
		};
		let json = json!({
			"chainId": 8_453,
			"vault": "0x0101010101010101010101010101010101010101",
			"interval": 8,
			"first": 5,
			"attested": { "l2Block": 16, "l2Hash": hash.to_string(), "root": hash.to_string(), "count": 3 },
			"nextDeposit": 2,
			"nextWithdrawal": 1,
			"queued": 1,
			"outflowLeft": "100",
			"imported": "40",
			"withdrawn": "2",
			"issuance": "38",
			"attestors": 4,
			"threshold": 3,
			"genesis": hash.to_string(),
		});
		assert_eq!(serde_json::to_value(&info).unwrap(), json);
		assert_eq!(serde_json::from_value::<BridgeInfo>(json).unwrap(), info);
	}
}
