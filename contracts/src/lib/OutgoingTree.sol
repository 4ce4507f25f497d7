// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DepositTree} from "./DepositTree.sol";

/// @title Withdrawals that one block of the chain released, as a Merkle tree
/// @notice Of RFC 6962's shape: a right node without a sibling is promoted as it is.
library OutgoingTree {
	/// @notice The kind of a withdrawal that releases USDC.
	uint8 internal constant RELEASE = 0;

	/// @notice A withdrawal, as the chain burnt it.
	struct Withdrawal {
		/// The chain whose vault owes it (EIP-155).
		uint32 l2;
		/// What the vault does.
		uint8 kind;
		/// Counts up from 0 over the chain's life.
		uint64 id;
		address to;
		/// Micro-USDC burnt on the chain.
		uint128 amount;
		/// Micro-USDC of `amount` for whoever executes the withdrawal here.
		uint128 fee;
	}

	/// @notice The way from a withdrawal to its block's root.
	struct Proof {
		/// Which of the block's withdrawals it is.
		uint32 index;
		/// How many the block released.
		uint32 width;
		/// From the leaf upwards; no entry where a node was promoted.
		bytes32[] siblings;
	}

	/// @notice keccak256(0x00 ‖ l2 u32 ‖ kind u8 ‖ id u64 ‖ to 20 ‖ amount u128 ‖ fee u128), integers big-endian.
	function hash(Withdrawal calldata withdrawal) internal pure returns (bytes32) {
		return keccak256(
			abi.encodePacked(
				bytes1(0x00),
				withdrawal.l2,
				withdrawal.kind,
				withdrawal.id,
				withdrawal.to,
				withdrawal.amount,
				withdrawal.fee
			)
		);
	}

	/// @notice Whether `proof` leads from `leaf` to `root` and is as long as index and width say.
	function verify(bytes32 root, bytes32 leaf, Proof calldata proof) internal pure returns (bool) {
		uint256 index = proof.index;
		uint256 width = proof.width;
		if (index >= width) return false;
		uint256 used = 0;
		bytes32 node = leaf;
		for (; width > 1; width = (width + 1) >> 1) {
			// The last of an odd row is promoted.
			if (index != width - 1 || index & 1 == 1) {
				if (used == proof.siblings.length) return false;
				bytes32 sibling = proof.siblings[used++];
				node = index & 1 == 1 ? DepositTree.hashPair(sibling, node) : DepositTree.hashPair(node, sibling);
			}
			index >>= 1;
		}
		return used == proof.siblings.length && node == root;
	}
}
