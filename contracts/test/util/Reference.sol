// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Mmr} from "../../src/lib/Mmr.sol";

/// @title Every tree once more, from its definition and with no thought of gas, to compare with
library Reference {
	/// @notice keccak256(prefix ‖ left ‖ right).
	function node(bytes memory prefix, bytes32 left, bytes32 right) internal pure returns (bytes32) {
		return keccak256(bytes.concat(prefix, left, right));
	}

	/// @notice RFC 6962: the left subtree is the largest complete one that leaves something on the right.
	function root(bytes memory prefix, bytes32[] memory leaves) internal pure returns (bytes32) {
		uint256 n = leaves.length;
		if (n == 0) return 0;
		if (n == 1) return leaves[0];
		uint256 k = split(n);
		return node(prefix, root(prefix, slice(leaves, 0, k)), root(prefix, slice(leaves, k, n)));
	}

	/// @notice Siblings from leaf `index` upwards.
	function path(bytes memory prefix, bytes32[] memory leaves, uint256 index)
		internal
		pure
		returns (bytes32[] memory)
	{
		uint256 n = leaves.length;
		if (n == 1) return new bytes32[](0);
		uint256 k = split(n);
		bytes32[] memory left = slice(leaves, 0, k);
		bytes32[] memory right = slice(leaves, k, n);
		return index < k
			? append(path(prefix, left, index), root(prefix, right))
			: append(path(prefix, right, index - k), root(prefix, left));
	}

	/// @notice Of the complete tree of depth `depth` whose other leaves are zero.
	function paddedRoot(bytes memory prefix, bytes32[] memory leaves, uint256 depth) internal pure returns (bytes32) {
		bytes32 empty = 0;
		for (uint256 height = 0; height < depth; ++height) {
			bytes32[] memory row = new bytes32[]((leaves.length + 1) / 2);
			for (uint256 i = 0; i < row.length; ++i) {
				row[i] = node(prefix, leaves[2 * i], 2 * i + 1 < leaves.length ? leaves[2 * i + 1] : empty);
			}
			empty = node(prefix, empty, empty);
			leaves = row;
		}
		return leaves.length == 0 ? empty : leaves[0];
	}

	/// @notice Of the Merkle mountain range: mountains are the complete trees that the bits of the number of leaves name,
	/// the largest first; their peaks are hashed from the right, what is already hashed standing on the left.
	function mmrRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
		uint256 n = leaves.length;
		uint256 k = mountain(n);
		bytes32 peak = root("", slice(leaves, 0, k));
		return k == n ? peak : node("", mmrRoot(slice(leaves, k, n)), peak);
	}

	/// @notice From leaf `index` to that root.
	function mmrProof(bytes32[] memory leaves, uint256 index) internal pure returns (Mmr.Proof memory proof) {
		uint256 n = leaves.length;
		uint256 k = mountain(n);
		if (index >= k) {
			proof = mmrProof(slice(leaves, k, n), index - k);
			// The bagged rest, in which the leaf is, stands on the left: the peak is on the right.
			proof.siblings = append(proof.siblings, root("", slice(leaves, 0, k)));
			return proof;
		}
		proof = Mmr.Proof({siblings: path("", slice(leaves, 0, k), index), order: index});
		if (k != n) {
			proof.order |= 1 << proof.siblings.length;
			proof.siblings = append(proof.siblings, mmrRoot(slice(leaves, k, n)));
		}
	}

	function slice(bytes32[] memory items, uint256 from, uint256 to) internal pure returns (bytes32[] memory part) {
		part = new bytes32[](to - from);
		for (uint256 i = 0; i < part.length; ++i) {
			part[i] = items[from + i];
		}
	}

	function append(bytes32[] memory items, bytes32 last) internal pure returns (bytes32[] memory longer) {
		longer = new bytes32[](items.length + 1);
		for (uint256 i = 0; i < items.length; ++i) {
			longer[i] = items[i];
		}
		longer[items.length] = last;
	}

	/// @dev Largest power of two below `n`.
	function split(uint256 n) private pure returns (uint256 k) {
		for (k = 1; k * 2 < n; k *= 2) {}
	}

	/// @dev Largest power of two that is at most `n`.
	function mountain(uint256 n) private pure returns (uint256 k) {
		for (k = 1; k * 2 <= n; k *= 2) {}
	}
}
