// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Deposits as an incremental Merkle tree of depth 32
/// @notice The i-th leaf ever added is leaf i; absent leaves are zero. Only the left siblings of the next leaf's path are
/// kept, so that adding a leaf writes one slot; the root is computed when asked for. The chain's validators attest to it and
/// the chain proves deposits against it.
library DepositTree {
	uint256 internal constant DEPTH = 32;
	/// @notice Leaves that fit. One less than there is room for: the path of a last leaf has no left sibling to be kept.
	uint64 internal constant CAPACITY = type(uint32).max;

	struct Tree {
		/// Per height, the newest complete left subtree; those that the count's bits do not name are stale.
		bytes32[DEPTH] branch;
	}

	/// @notice A deposit: an envelope that is the same for all kinds, and the hash of what it asks for.
	struct Deposit {
		/// This chain (EIP-155).
		uint32 l2;
		uint64 number;
		/// What the body says: `CreditBody.KIND`, or what the chain learns one day.
		uint8 kind;
		/// Micro-USDC.
		uint128 amount;
		/// Who paid on this side.
		address depositor;
		/// Who gets it back here where the chain cannot do what the body says.
		address refundTo;
		/// keccak256 of the body.
		bytes32 bodyHash;
	}

	/// @notice The tree has `CAPACITY` leaves.
	error TreeFull();

	/// @notice keccak256(0x00 ‖ l2 u32 ‖ number u64 ‖ kind u8 ‖ amount u128 ‖ depositor 20 ‖ refund to 20 ‖ body's hash 32),
	/// integers big-endian.
	function hash(Deposit memory deposit) internal pure returns (bytes32) {
		return keccak256(
			abi.encodePacked(
				bytes1(0x00),
				deposit.l2,
				deposit.number,
				deposit.kind,
				deposit.amount,
				deposit.depositor,
				deposit.refundTo,
				deposit.bodyHash
			)
		);
	}

	/// @notice keccak256(0x01 ‖ left ‖ right).
	function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
		assembly ("memory-safe") {
			let free := mload(0x40)
			mstore8(0x00, 0x01)
			mstore(0x01, left)
			// Ends in the free memory pointer's first byte, which is put back.
			mstore(0x21, right)
			node := keccak256(0x00, 0x41)
			mstore(0x40, free)
		}
	}

	/// @notice Adds a leaf to a tree of `count` leaves.
	function insert(Tree storage tree, uint64 count, bytes32 leaf) internal {
		if (count >= CAPACITY) revert TreeFull();
		bytes32 node = leaf;
		uint256 height = 0;
		// While the path comes from the right, the left sibling is known; the first time it comes from the left, the node is
		// the left sibling of leaves to come.
		for (; (count >> height) & 1 == 1; ++height) {
			node = hashPair(tree.branch[height], node);
		}
		tree.branch[height] = node;
	}

	/// @notice The root of a tree of `count` leaves.
	function root(Tree storage tree, uint64 count) internal view returns (bytes32 node) {
		bytes32 empty = 0;
		for (uint256 height = 0; height < DEPTH; ++height) {
			node = (count >> height) & 1 == 1 ? hashPair(tree.branch[height], node) : hashPair(node, empty);
			empty = hashPair(empty, empty);
		}
	}
}
