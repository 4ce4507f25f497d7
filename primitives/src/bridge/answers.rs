//! What the chain answers about the bridge.

use super::{Attestation, Deposit, Withdrawal};
use crate::{
	amount::Balance,
	crypto::{EthereumAddress, Hash},
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
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
	pub chain_id: u32,
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
	/// Imported deposits that wait to be sent back, see [`Stranded`].
	pub stranded: u32,
	/// Number that the next withdrawal gets.
	pub next_withdrawal: u64,
	/// Withdrawals that wait for their release.
	pub queued: u32,
	/// What can still be released in this period, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub outflow_left: Balance,
	/// Minted for deposits, or sent back, in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub imported: Balance,
	/// Burnt for withdrawals, or sent back, in all, micro-USDC.
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

/// A deposit that was imported and credited to nobody, since the chain does not know its kind, its body is none of that
/// kind, or no account can hold it. Its USDC is in the vault and was not minted; anybody's call sends it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Stranded {
	/// The L2 that it came from, and goes back to (EIP-155).
	pub l2: u32,
	/// The deposit's number.
	pub number: u64,
	/// Its kind.
	pub kind: u8,
	/// Micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub amount: Balance,
	/// Gets all of it back.
	pub refund_to: EthereumAddress,
	/// Keccak-256 of its body.
	pub body_hash: Hash,
}

impl From<&Deposit> for Stranded {
	fn from(deposit: &Deposit) -> Self {
		Self {
			l2: deposit.l2,
			number: deposit.number,
			kind: deposit.kind,
			amount: deposit.amount,
			refund_to: deposit.refund_to,
			body_hash: deposit.body.hash(),
		}
	}
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
				l2: 8_453,
				kind: 0,
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
			"l2": 8_453,
			"kind": 0,
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
				l2: 8_453,
				kind: 0,
				l2_block: 16,
				l2_hash: hash,
				root: hash,
				count: 3,
				light_client_block: 9,
			}),
			next_deposit: 2,
			stranded: 1,
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
			"attested": {
				"l2": 8_453,
				"kind": 0,
				"l2Block": 16,
				"l2Hash": hash.to_string(),
				"root": hash.to_string(),
				"count": 3,
				"lightClientBlock": 9,
			},
			"nextDeposit": 2,
			"stranded": 1,
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

	#[test]
	fn a_deposit_that_stranded_has_the_shape_that_clients_read() {
		let hash = Hash([2; 32]);
		let stranded = Stranded {
			l2: 8_453,
			number: 3,
			kind: 9,
			amount: 5_000_000,
			refund_to: EthereumAddress([1; 20]),
			body_hash: hash,
		};
		let json = json!({
			"l2": 8_453,
			"number": 3,
			"kind": 9,
			"amount": "5000000",
			"refundTo": "0x0101010101010101010101010101010101010101",
			"bodyHash": hash.to_string(),
		});
		assert_eq!(serde_json::to_value(stranded).unwrap(), json);
		assert_eq!(serde_json::from_value::<Stranded>(json).unwrap(), stranded);
	}

	#[test]
	fn a_chain_id_that_does_not_fit_is_refused() {
		let domain = |id: u64| json!({ "chainId": id, "vault": "0x0101010101010101010101010101010101010101" });
		let read = |id| serde_json::from_value::<crate::bridge::Domain>(domain(id));
		assert_eq!(read(u32::MAX.into()).unwrap().chain_id, u32::MAX);
		assert!(read(1 << 32).is_err());
	}
}
