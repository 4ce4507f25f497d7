// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DepositTree} from "../src/lib/DepositTree.sol";
import {Mmr} from "../src/lib/Mmr.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Scale} from "../src/lib/Scale.sol";
import {Reference} from "./util/Reference.sol";
import {bound, vm} from "./util/Vm.sol";

/// @dev The libraries behind external calls, so that they can revert and take calldata.
contract Libraries {
	using DepositTree for DepositTree.Tree;

	DepositTree.Tree private tree;
	uint64 public count;

	function insert(bytes32 leaf) external {
		tree.insert(count++, leaf);
	}

	function insertAt(uint64 index, bytes32 leaf) external {
		tree.insert(index, leaf);
	}

	function depositRoot() external view returns (bytes32) {
		return tree.root(count);
	}

	function verify(bytes32 root, bytes32 leaf, OutgoingTree.Proof calldata proof) external pure returns (bool) {
		return OutgoingTree.verify(root, leaf, proof);
	}

	function mmrRoot(bytes32 leaf, Mmr.Proof calldata proof) external pure returns (bytes32) {
		return Mmr.root(leaf, proof);
	}
}

contract TreesTest {
	Libraries private libraries;

	function setUp() public {
		libraries = new Libraries();
	}

	function leavesOf(uint256 count, uint256 seed) private pure returns (bytes32[] memory leaves) {
		leaves = new bytes32[](count);
		for (uint256 i = 0; i < count; ++i) {
			leaves[i] = keccak256(abi.encode(seed, i));
		}
	}

	function test_integers_are_little_endian() public pure {
		vm.assertEq(abi.encodePacked(Scale.le32(0x01020304)), hex"04030201");
		vm.assertEq(abi.encodePacked(Scale.le64(0x0102030405060708)), hex"0807060504030201");
	}

	function test_deposit_root_is_that_of_the_full_tree_after_every_leaf() public {
		bytes32[] memory leaves = leavesOf(70, 1);
		for (uint256 i = 0; i <= leaves.length; ++i) {
			vm.assertEq(libraries.depositRoot(), Reference.paddedRoot(hex"01", Reference.slice(leaves, 0, i), 32));
			if (i < leaves.length) libraries.insert(leaves[i]);
		}
	}

	function testFuzz_deposit_root_is_that_of_the_full_tree(bytes32[] calldata leaves) public {
		for (uint256 i = 0; i < leaves.length; ++i) {
			libraries.insert(leaves[i]);
		}
		vm.assertEq(libraries.depositRoot(), Reference.paddedRoot(hex"01", leaves, 32));
	}

	function test_deposit_tree_takes_all_but_the_last_leaf() public {
		libraries.insertAt(type(uint32).max - 1, "last");
		vm.expectRevert(DepositTree.TreeFull.selector);
		libraries.insertAt(type(uint32).max, "one more");
	}

	function test_every_withdrawal_of_a_block_is_proven() public view {
		for (uint256 width = 1; width <= 20; ++width) {
			bytes32[] memory leaves = leavesOf(width, 2);
			bytes32 root = Reference.root(hex"01", leaves);
			for (uint256 index = 0; index < width; ++index) {
				OutgoingTree.Proof memory proof = outgoingProof(leaves, index);
				vm.assertTrue(libraries.verify(root, leaves[index], proof));
			}
		}
	}

	function testFuzz_a_proof_is_good_for_its_leaf_at_its_place_only(uint256 width, uint256 index, uint256 other)
		public
		view
	{
		width = bound(width, 1, 40);
		index = bound(index, 0, width - 1);
		bytes32[] memory leaves = leavesOf(width, 3);
		bytes32 root = Reference.root(hex"01", leaves);
		OutgoingTree.Proof memory proof = outgoingProof(leaves, index);
		vm.assertTrue(libraries.verify(root, leaves[index], proof));

		vm.assertFalse(libraries.verify(root, keccak256("other leaf"), proof));
		vm.assertFalse(libraries.verify(keccak256("other root"), leaves[index], proof));

		// Beyond the width no place exists; within it, another place needs another leaf.
		proof.index = uint32(bound(other, 0, 2 * width));
		vm.assertTrue(proof.index == index || !libraries.verify(root, leaves[index], proof));
		proof.index = uint32(index);

		bytes32[] memory siblings = proof.siblings;
		proof.siblings = Reference.append(siblings, 0);
		vm.assertFalse(libraries.verify(root, leaves[index], proof));
		if (siblings.length == 0) return;
		proof.siblings = Reference.slice(siblings, 0, siblings.length - 1);
		vm.assertFalse(libraries.verify(root, leaves[index], proof));
		proof.siblings = Reference.slice(siblings, 0, siblings.length);
		proof.siblings[other % siblings.length] ^= bytes32(uint256(1));
		vm.assertFalse(libraries.verify(root, leaves[index], proof));
	}

	function test_no_withdrawal_is_proven_under_an_empty_block() public view {
		OutgoingTree.Proof memory proof;
		vm.assertFalse(libraries.verify(0, 0, proof));
	}

	function test_every_leaf_of_the_range_leads_to_its_root() public view {
		for (uint256 count = 1; count <= 40; ++count) {
			bytes32[] memory leaves = leavesOf(count, 4);
			bytes32 root = Reference.mmrRoot(leaves);
			for (uint256 index = 0; index < count; ++index) {
				vm.assertEq(libraries.mmrRoot(leaves[index], Reference.mmrProof(leaves, index)), root);
			}
		}
	}

	function testFuzz_a_changed_proof_leads_elsewhere(uint256 count, uint256 index, uint256 bit) public view {
		count = bound(count, 2, 100);
		index = bound(index, 0, count - 1);
		bytes32[] memory leaves = leavesOf(count, 5);
		bytes32 root = Reference.mmrRoot(leaves);
		Mmr.Proof memory proof = Reference.mmrProof(leaves, index);
		vm.assertEq(libraries.mmrRoot(leaves[index], proof), root);

		uint256 step = bit % proof.siblings.length;
		proof.order ^= 1 << step;
		vm.assertTrue(libraries.mmrRoot(leaves[index], proof) != root);
		proof.order ^= 1 << step;
		proof.siblings[step] ^= bytes32(1 << (bit % 256));
		vm.assertTrue(libraries.mmrRoot(leaves[index], proof) != root);
	}

	function test_a_proof_is_no_longer_than_its_order() public {
		Mmr.Proof memory proof = Mmr.Proof({siblings: new bytes32[](256), order: 0});
		libraries.mmrRoot(0, proof);
		proof.siblings = new bytes32[](257);
		vm.expectRevert(abi.encodeWithSelector(Mmr.ProofTooLong.selector, 257));
		libraries.mmrRoot(0, proof);
	}

	function outgoingProof(bytes32[] memory leaves, uint256 index) private pure returns (OutgoingTree.Proof memory) {
		return OutgoingTree.Proof({
			index: uint32(index), width: uint32(leaves.length), siblings: Reference.path(hex"01", leaves, index)
		});
	}
}
