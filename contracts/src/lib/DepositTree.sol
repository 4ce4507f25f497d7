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

	/// @notice A deposit, as the chain credits it.
	struct Deposit {
		uint64 index;
		/// Who paid on this side.
		address depositor;
		/// Whom the chain credits: a public key, or what `Vault.accountOf` gives for an Ethereum address.
		bytes32 account;
		/// Micro-USDC.
		uint128 amount;
		/// Micro-USDC of `amount` that go to the account's ticket escrow.
		uint128 escrow;
		/// Ed25519 key that may sign tickets for the account; zero for none.
		bytes32 sessionKey;
		/// Micro-USDC that the session key may spend.
		uint128 sessionLimit;
		/// The chain's block at which the session key expires.
		uint32 sessionExpiry;
	}

	/// @notice The tree has `CAPACITY` leaves.
	error TreeFull();

	/// @notice keccak256(0x00 ‖ index u64 ‖ depositor 20 ‖ account 32 ‖ amount u128 ‖ escrow u128 ‖ session key 32 ‖
	/// session limit u128 ‖ session expiry u32), integers big-endian.
	function hash(Deposit memory deposit) internal pure returns (bytes32) {
		return keccak256(
			abi.encodePacked(
				bytes1(0x00),
				deposit.index,
				deposit.depositor,
				deposit.account,
				deposit.amount,
				deposit.escrow,
				deposit.sessionKey,
				deposit.sessionLimit,
				deposit.sessionExpiry
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
