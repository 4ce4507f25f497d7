// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Scale} from "./Scale.sol";

/// @title The chain's Merkle mountain range: its leaves and their proofs
/// @notice Every block adds one leaf. A leaf is hashed from 113 bytes and a node from 64, so neither can pass as the other.
library Mmr {
	/// @notice What a block adds to the range.
	/// @dev SCALE, 113 bytes: version u8, parent number u32, parent hash 32, next validator set (id u64, length u32,
	/// commitment 32), extra 32; integers little-endian.
	struct Leaf {
		uint8 version;
		uint32 parentNumber;
		bytes32 parentHash;
		uint64 nextSetId;
		uint32 nextSetLength;
		bytes32 nextSetCommitment;
		/// Root of the withdrawals that the block released, see OutgoingTree; zero when it released none.
		bytes32 extra;
	}

	/// @notice The way from a leaf to the range's root. Within a mountain it is that of any Merkle tree; the peaks are then
	/// hashed together from right to left, the sum so far standing on the left: H(H(p3, p2), p1).
	struct Proof {
		/// What to hash with at each step.
		bytes32[] siblings;
		/// Bit i says that sibling i stands on the left.
		uint256 order;
	}

	/// @notice More siblings than `order` has bits.
	error ProofTooLong(uint256 length);

	uint256 private constant MAX_SIBLINGS = 256;

	function hash(Leaf calldata leaf) internal pure returns (bytes32) {
		return keccak256(
			abi.encodePacked(
				leaf.version,
				Scale.le32(leaf.parentNumber),
				leaf.parentHash,
				Scale.le64(leaf.nextSetId),
				Scale.le32(leaf.nextSetLength),
				leaf.nextSetCommitment,
				leaf.extra
			)
		);
	}

	/// @notice The root to which `proof` leads from a leaf's hash.
	function root(bytes32 leafHash, Proof calldata proof) internal pure returns (bytes32 node) {
		uint256 length = proof.siblings.length;
		if (length > MAX_SIBLINGS) revert ProofTooLong(length);
		node = leafHash;
		for (uint256 i = 0; i < length; ++i) {
			bytes32 sibling = proof.siblings[i];
			node = (proof.order >> i) & 1 == 1 ? hashPair(sibling, node) : hashPair(node, sibling);
		}
	}

	/// @notice keccak256(left ‖ right), in the scratch space.
	function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
		assembly ("memory-safe") {
			mstore(0x00, left)
			mstore(0x20, right)
			node := keccak256(0x00, 0x40)
		}
	}
}
