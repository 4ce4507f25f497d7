// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LightClient} from "../src/LightClient.sol";
import {Beefy} from "../src/lib/Beefy.sol";
import {Mmr} from "../src/lib/Mmr.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Chain} from "./util/Chain.sol";
import {bound, vm} from "./util/Vm.sol";

contract LightClientTest {
	uint64 private constant FIRST_SET = 6;
	uint256 private constant ALL = (1 << 21) - 1;
	/// secp256k1's order.
	uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

	Chain private chain;
	LightClient private client;

	event Committed(uint32 blockNumber, bytes32 mmrRoot, uint256 slot);
	event HandedOver(uint64 indexed setId);

	function setUp() public {
		chain = new Chain(21, FIRST_SET);
		client = new LightClient(chain.set(FIRST_SET), chain.set(FIRST_SET + 1));
		block_();
		block_();
	}

	function block_() private returns (uint32) {
		return chain.produce(new OutgoingTree.Withdrawal[](0));
	}

	/// A commitment to the newest block with as few signatures as suffice.
	function signed() private view returns (Beefy.Commitment memory c, Beefy.Signatures memory s) {
		c = chain.commitment();
		s = chain.sign(c, chain.quorum());
	}

	function submit() private {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		client.submit(c, s);
	}

	function handOver() private {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		client.handOver(c, s, chain.leafOf(c.blockNumber), chain.proofOf(c.blockNumber));
	}

	// Commitments of the current set.

	function test_two_thirds_and_one_suffice() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		vm.assertEq(s.signatures.length, 15);
		vm.expectEmit(true, true, true, true, address(client));
		emit Committed(2, chain.root(), 0);
		client.submit(c, s);
		vm.assertEq(client.roots(0), chain.root());
		(,,, uint32 blockNumber, uint96 commitments) = client.state();
		vm.assertEq(blockNumber, 2);
		vm.assertEq(commitments, 1);
	}

	function testFuzz_any_two_thirds_and_one_suffice_and_no_fewer(uint256 signers) public {
		signers &= ALL;
		uint256 count = 0;
		for (uint256 rest = signers; rest != 0; rest &= rest - 1) {
			++count;
		}
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, signers);
		if (count < 15) vm.expectRevert(abi.encodeWithSelector(Beefy.TooFewSigners.selector, count, 15));
		client.submit(c, s);
	}

	function test_refused_when_one_signature_short() public {
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, chain.quorum() >> 1);
		vm.expectRevert(abi.encodeWithSelector(Beefy.TooFewSigners.selector, 14, 15));
		client.submit(c, s);
	}

	function test_threshold_is_that_of_beefy_for_every_size() public {
		uint256[9] memory sizes = [uint256(1), 2, 3, 4, 5, 6, 7, 10, 22];
		uint256[9] memory needed = [uint256(1), 2, 3, 3, 4, 5, 5, 7, 15];
		for (uint256 i = 0; i < sizes.length; ++i) {
			Chain other = new Chain(sizes[i], 0);
			LightClient its = new LightClient(other.set(0), other.set(1));
			other.produce(new OutgoingTree.Withdrawal[](0));
			Beefy.Commitment memory c = other.commitment();
			Beefy.Signatures memory few = other.sign(c, (1 << (needed[i] - 1)) - 1);
			vm.expectRevert(abi.encodeWithSelector(Beefy.TooFewSigners.selector, needed[i] - 1, needed[i]));
			its.submit(c, few);
			its.submit(c, other.sign(c, (1 << needed[i]) - 1));
		}
	}

	function test_refused_when_the_block_does_not_rise() public {
		Beefy.Commitment memory older = chain.commitment();
		Beefy.Signatures memory s = chain.sign(older, chain.quorum());
		block_();
		submit();
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleBlock.selector, 2, 3));
		client.submit(older, s);
		(Beefy.Commitment memory same, Beefy.Signatures memory again) = signed();
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleBlock.selector, 3, 3));
		client.submit(same, again);
		block_();
		submit();
	}

	function test_refused_when_a_signature_is_of_another_commitment() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		c.mmrRoot ^= bytes32(uint256(1));
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, 0));
		client.submit(c, s);
	}

	function testFuzz_refused_when_a_signature_is_changed(uint256 which, uint256 bit) public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		which = bound(which, 0, 14);
		if (bit % 2 == 0) s.signatures[which].r ^= bytes32(1 << (bit % 256));
		else s.signatures[which].vs ^= bytes32(1 << (bit % 256));
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, which));
		client.submit(c, s);
	}

	function test_refused_when_a_validator_signs_in_anothers_place() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		(s.signatures[3], s.signatures[9]) = (s.signatures[9], s.signatures[3]);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, 3));
		client.submit(c, s);
	}

	function test_refused_when_a_validator_signs_twice() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		s.signatures[14] = s.signatures[0];
		vm.expectRevert(abi.encodeWithSelector(Beefy.DuplicateSigner.selector, 14));
		client.submit(c, s);
	}

	function test_refused_when_a_stranger_signs() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		(bytes32 r, bytes32 vs) = vm.signCompact(4711, chain.digestOf(c));
		s.signatures[0] = Beefy.Signature({r: r, vs: vs});
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, 0));
		client.submit(c, s);
	}

	function test_refused_when_the_set_contains_no_address_and_recovery_fails() public {
		// A key without an address is the zero address in the chain's commitment, and what failed recovery gives.
		address[] memory nobody = new address[](1);
		Beefy.ValidatorSet memory set = Beefy.ValidatorSet({id: 0, length: 1, commitment: chain.commitmentOf(nobody)});
		LightClient its = new LightClient(set, chain.set(1));
		Beefy.Signatures memory s =
			Beefy.Signatures({signers: 1, signatures: new Beefy.Signature[](1), validators: nobody});
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, 0));
		its.submit(Beefy.Commitment({mmrRoot: "forged", blockNumber: 1, setId: 0}), s);
	}

	function test_refused_when_s_is_in_the_upper_half() public {
		// Its highest bit is where the recovery bit stands, so such a signature has no 64-byte form.
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		bytes32 low = (s.signatures[0].vs << 1) >> 1;
		s.signatures[0].vs = bytes32(ORDER - uint256(low));
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongSignature.selector, 0));
		client.submit(c, s);
	}

	function test_refused_when_signatures_are_not_as_many_as_signers() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		s.signers |= 1 << 20;
		vm.expectRevert(abi.encodeWithSelector(Beefy.SignatureCount.selector, 16, 15));
		client.submit(c, s);
		s.signers = chain.quorum() >> 1;
		vm.expectRevert(abi.encodeWithSelector(Beefy.SignatureCount.selector, 14, 15));
		client.submit(c, s);
	}

	function test_refused_when_a_signer_is_beyond_the_set() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		s.signers |= 1 << 21;
		vm.expectRevert(Beefy.SignerOutOfSet.selector);
		client.submit(c, s);
	}

	function test_refused_when_the_validators_are_others() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		address[] memory members = s.validators;
		s.validators = chain.validators(FIRST_SET + 1);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET));
		client.submit(c, s);

		// Another order.
		s.validators = members;
		(members[19], members[20]) = (members[20], members[19]);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET));
		client.submit(c, s);

		// One missing, none.
		s.validators = new address[](20);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET));
		client.submit(c, s);
		s.validators = new address[](0);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET));
		client.submit(c, s);
	}

	function test_refused_when_the_set_has_another_length_than_its_members() public {
		Beefy.ValidatorSet memory shorter = chain.set(FIRST_SET);
		shorter.length = 20;
		LightClient its = new LightClient(shorter, chain.set(FIRST_SET + 1));
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET));
		its.submit(c, s);
	}

	function test_sixteen_roots_are_kept() public {
		bytes32[] memory roots = new bytes32[](17);
		for (uint256 i = 0; i < 17; ++i) {
			roots[i] = chain.root();
			submit();
			block_();
		}
		vm.assertEq(client.roots(0), roots[16]);
		for (uint256 slot = 1; slot < 16; ++slot) {
			vm.assertEq(client.roots(slot), roots[slot]);
		}
	}

	// Hand-overs.

	function test_two_hand_overs_in_a_row() public {
		submit();
		handOver();
		handOver();
		vm.assertEq(client.currentSet().id, FIRST_SET + 2);
		vm.assertEq(client.currentSet().commitment, chain.set(FIRST_SET + 2).commitment);
		vm.assertEq(client.nextSet().id, FIRST_SET + 3);
		vm.assertEq(client.nextSet().commitment, chain.set(FIRST_SET + 3).commitment);
		block_();
		submit();
	}

	function test_a_hand_over_says_so_and_keeps_the_root() public {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		vm.expectEmit(true, true, true, true, address(client));
		emit Committed(3, chain.root(), 0);
		vm.expectEmit(true, true, true, true, address(client));
		emit HandedOver(FIRST_SET + 1);
		client.handOver(c, s, chain.leafOf(3), chain.proofOf(3));
		vm.assertEq(client.roots(0), chain.root());
	}

	function test_refused_when_the_sets_time_is_over() public {
		(Beefy.Commitment memory old, Beefy.Signatures memory s) = signed();
		handOver();
		// Even about a block above the newest.
		old.blockNumber = 100;
		s = chain.sign(old, chain.quorum());
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleSet.selector, FIRST_SET, FIRST_SET + 1));
		client.submit(old, s);
	}

	function test_refused_when_a_hand_over_is_missing() public {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		vm.expectRevert(abi.encodeWithSelector(LightClient.UnknownSet.selector, FIRST_SET + 1, FIRST_SET));
		client.submit(c, s);

		chain.newSession();
		(c, s) = signed();
		Mmr.Leaf memory leaf = chain.leafOf(4);
		Mmr.Proof memory proof = chain.proofOf(4);
		vm.expectRevert(abi.encodeWithSelector(LightClient.UnknownSet.selector, FIRST_SET + 2, FIRST_SET + 1));
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_the_current_set_hands_over() public {
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		Mmr.Leaf memory leaf = chain.leafOf(2);
		Mmr.Proof memory proof = chain.proofOf(2);
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleSet.selector, FIRST_SET, FIRST_SET + 1));
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_the_hand_over_is_replayed() public {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		Mmr.Leaf memory leaf = chain.leafOf(3);
		Mmr.Proof memory proof = chain.proofOf(3);
		client.handOver(c, s, leaf, proof);
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleSet.selector, FIRST_SET + 1, FIRST_SET + 2));
		client.handOver(c, s, leaf, proof);
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleBlock.selector, 3, 3));
		client.submit(c, s);
	}

	function test_refused_when_the_hand_over_is_about_an_older_block() public {
		block_();
		submit();
		Beefy.Commitment memory c = chain.commitment();
		c.setId = FIRST_SET + 1;
		Beefy.Signatures memory s = chain.sign(c, chain.quorum());
		Mmr.Leaf memory leaf = chain.leafOf(3);
		Mmr.Proof memory proof = chain.proofOf(3);
		vm.expectRevert(abi.encodeWithSelector(LightClient.StaleBlock.selector, 3, 3));
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_the_leaf_is_wrong() public {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		Mmr.Proof memory proof = chain.proofOf(3);
		// A set of the submitter's own choice.
		Mmr.Leaf memory leaf = chain.leafOf(3);
		leaf.nextSetCommitment = "forged";
		vm.expectRevert(LightClient.WrongLeaf.selector);
		client.handOver(c, s, leaf, proof);
		leaf = chain.leafOf(3);
		leaf.nextSetLength = 1;
		vm.expectRevert(LightClient.WrongLeaf.selector);
		client.handOver(c, s, leaf, proof);
		// The right leaf with another's proof.
		leaf = chain.leafOf(3);
		proof = chain.proofOf(2);
		vm.expectRevert(LightClient.WrongLeaf.selector);
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_the_leaf_names_another_set_than_the_one_after() public {
		chain.newSession();
		(Beefy.Commitment memory c, Beefy.Signatures memory s) = signed();
		// Of the old set's time: names the set that takes over now.
		Mmr.Leaf memory leaf = chain.leafOf(2);
		Mmr.Proof memory proof = chain.proofOf(2);
		vm.expectRevert(abi.encodeWithSelector(LightClient.WrongNextSet.selector, FIRST_SET + 1, FIRST_SET + 2));
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_too_few_of_the_next_set_sign() public {
		chain.newSession();
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, chain.quorum() >> 1);
		Mmr.Leaf memory leaf = chain.leafOf(3);
		Mmr.Proof memory proof = chain.proofOf(3);
		vm.expectRevert(abi.encodeWithSelector(Beefy.TooFewSigners.selector, 14, 15));
		client.handOver(c, s, leaf, proof);
	}

	function test_refused_when_the_current_set_signs_for_the_next() public {
		chain.newSession();
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, chain.quorum());
		s.validators = chain.validators(FIRST_SET);
		Mmr.Leaf memory leaf = chain.leafOf(3);
		Mmr.Proof memory proof = chain.proofOf(3);
		vm.expectRevert(abi.encodeWithSelector(Beefy.WrongValidators.selector, FIRST_SET + 1));
		client.handOver(c, s, leaf, proof);
	}

	/// A range of one leaf, whose root is the leaf's hash, that names a set of `length`.
	function handOverTo(uint32 length) private {
		Mmr.Leaf memory leaf = Mmr.Leaf({
			version: 0,
			parentNumber: 0,
			parentHash: 0,
			nextSetId: FIRST_SET + 2,
			nextSetLength: length,
			nextSetCommitment: 0,
			extra: 0
		});
		Beefy.Commitment memory c =
			Beefy.Commitment({mmrRoot: chain.hashOf(leaf), blockNumber: 9, setId: FIRST_SET + 1});
		Beefy.Signatures memory s = chain.sign(c, chain.quorum());
		if (length == 0 || length > 256) {
			vm.expectRevert(abi.encodeWithSelector(LightClient.SetLength.selector, length));
		}
		client.handOver(c, s, leaf, Mmr.Proof({siblings: new bytes32[](0), order: 0}));
	}

	function test_refused_when_the_set_after_is_empty() public {
		handOverTo(0);
	}

	function test_refused_when_the_set_after_has_more_members_than_bits() public {
		handOverTo(257);
	}

	function test_a_set_has_at_most_256_members() public {
		handOverTo(256);
		vm.assertEq(client.nextSet().length, 256);
	}

	function test_a_set_of_256_signs() public {
		Chain large = new Chain(256, 0);
		LightClient its = new LightClient(large.set(0), large.set(1));
		large.produce(new OutgoingTree.Withdrawal[](0));
		Beefy.Commitment memory c = large.commitment();
		its.submit(c, large.sign(c, type(uint256).max));
	}

	// Construction.

	function test_not_built_unless_the_sets_follow_each_other() public {
		Beefy.ValidatorSet memory current = chain.set(FIRST_SET);
		Beefy.ValidatorSet memory next = chain.set(FIRST_SET + 2);
		vm.expectRevert(abi.encodeWithSelector(LightClient.WrongNextSet.selector, FIRST_SET + 2, FIRST_SET + 1));
		new LightClient(current, next);
	}

	function test_not_built_with_an_empty_or_too_large_set() public {
		Beefy.ValidatorSet memory good = chain.set(FIRST_SET);
		Beefy.ValidatorSet memory bad = chain.set(FIRST_SET + 1);
		bad.length = 0;
		vm.expectRevert(abi.encodeWithSelector(LightClient.SetLength.selector, 0));
		new LightClient(good, bad);
		bad.length = 257;
		vm.expectRevert(abi.encodeWithSelector(LightClient.SetLength.selector, 257));
		new LightClient(good, bad);
		(good.id, bad.id) = (bad.id, good.id);
		vm.expectRevert(abi.encodeWithSelector(LightClient.SetLength.selector, 257));
		new LightClient(bad, good);
	}
}
