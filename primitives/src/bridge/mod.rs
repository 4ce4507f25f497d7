//! The bridge to the L2: what its contracts and the chain hash, prove and sign.
//!
//! | module | holds |
//! | --- | --- |
//! | [`deposit`] | what the vault records, the tree over it, and proofs |
//! | [`attestation`] | what validators sign of the vault |
//! | [`withdrawal`] | what a block releases to the L2, the tree over it, and proofs |
//! | [`beefy`] | what the light client on the L2 checks: commitments, validator sets, MMR leaves and proofs |
//! | [`action`] | what an Ethereum wallet signs to act for its account on the chain (EIP-712) |
//! | [`send`] | what a wallet of whatever kind sends by the vault: actions as bodies of deposits |
//! | [`answers`] | what the chain answers about the bridge |
//!
//! Each message names the L2 that it is about and its own kind, so that there can be others of both.
//!
//! Unlike the rest of this crate: all hashing is Keccak-256, which the EVM has built in and BEEFY uses, and what the
//! contracts hash is packed big-endian at fixed widths, as Solidity's `abi.encodePacked` does.

pub mod action;
pub mod answers;
pub mod attestation;
pub mod beefy;
pub mod deposit;
pub mod send;
pub mod withdrawal;

pub use action::{Domain, EthereumAction};
pub use answers::{BridgeInfo, Stranded, WithdrawalInfo, WithdrawalPlace};
pub use attestation::{Attestation, DoubleAttestation};
pub use deposit::{Body, Credit, Deposit, DepositProof, DepositTree, ProvenDeposit};
pub use send::{Action, Sending};
pub use withdrawal::{Withdrawal, WithdrawalProof};

use crate::crypto::{keccak256, AccountId, EthereumAddress, Hash};

/// `H(0x00 ‖ parts)`.
fn leaf_hash(parts: &[&[u8]]) -> Hash {
	let mut packed = alloc::vec![0];
	parts.iter().for_each(|part| packed.extend_from_slice(part));
	keccak256(&[&packed])
}

/// `H(0x01 ‖ left ‖ right)`.
fn node_hash(left: &Hash, right: &Hash) -> Hash {
	keccak256(&[&[1], &left.0, &right.0])
}

/// Account of somebody who has only an Ethereum wallet on this L2: `H("clustercast/account/v2" ‖ l2 u32 ‖ address)`,
/// little-endian. No key signs for it; the wallet's messages do, see [`action`]. On another L2 the same address may be a
/// contract of somebody else, so it has another account.
pub fn account_of(l2: u32, address: &EthereumAddress) -> AccountId {
	AccountId(keccak256(&[crate::Domain::Account.bytes(), &l2.to_le_bytes(), &address.0]).0)
}

/// Validators of `count` that must agree: BEEFY's threshold, which is more than two thirds for every count.
pub const fn threshold(count: u32) -> u32 {
	count - count.saturating_sub(1) / 3
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn threshold_is_more_than_two_thirds_and_no_more_than_needed() {
		let expected = [0, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7];
		for (count, expected) in (0..).zip(expected) {
			assert_eq!(threshold(count), expected, "of {count}");
		}
		for count in 1..1_000 {
			let needed = threshold(count);
			assert!(3 * needed > 2 * count && 3 * (needed - 1) <= 2 * count);
		}
	}

	#[test]
	fn an_address_has_another_account_on_another_l2() {
		let address = EthereumAddress([1; 20]);
		assert_ne!(account_of(8_453, &address), account_of(1, &address));
		assert_ne!(
			account_of(8_453, &address),
			account_of(8_453, &EthereumAddress([2; 20]))
		);
	}

	#[test]
	fn leaves_and_nodes_cannot_be_taken_for_each_other() {
		let (left, right) = (Hash([1; 32]), Hash([2; 32]));
		assert_ne!(leaf_hash(&[&left.0, &right.0]), node_hash(&left, &right));
		assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
	}
}
