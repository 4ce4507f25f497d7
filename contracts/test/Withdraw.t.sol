// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Bridge} from "./util/Bridge.sol";
import {bound, vm} from "./util/Vm.sol";

contract WithdrawTest is Bridge {
	address private constant ALICE = address(0xa11ce);
	address private constant BOB = address(0xb0b);
	address private constant EXECUTOR = address(0xe8ec);

	event Withdrawn(uint64 indexed id, address indexed to, uint128 amount, uint128 fee, address executor);

	function setUp() public {
		start(4);
		fund(ALICE, 100e6);
	}

	/// Three withdrawals of one block: ids 0 to 2, the middle one is what tests are about.
	function released() private view returns (OutgoingTree.Withdrawal[] memory list) {
		list = new OutgoingTree.Withdrawal[](3);
		list[0] = withdrawal(0, ALICE, 10e6, 0);
		list[1] = withdrawal(1, BOB, 20e6, 30_000);
		list[2] = withdrawal(2, ALICE, 30e6, 30e6);
	}

	/// The block of `released`, between others, and its proof for `index`.
	function prepare(uint32 index) private returns (OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) {
		OutgoingTree.Withdrawal[] memory none;
		chain.produce(none);
		uint32 blockNumber = chain.produce(released());
		chain.produce(none);
		return (released()[index], chain.prove(blockNumber, index, relay()));
	}

	function execute(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) private {
		vm.prank(EXECUTOR);
		vault.withdraw(w, proof);
	}

	function test_pays_whom_the_chain_said_and_who_executes() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		vm.assertFalse(vault.executed(1));
		vm.expectEmit(true, true, true, true, address(vault));
		emit Withdrawn(1, BOB, 20e6, 30_000, EXECUTOR);
		execute(w, proof);
		vm.assertTrue(vault.executed(1));
		vm.assertEq(usdc.balanceOf(BOB), 20e6 - 30_000);
		vm.assertEq(usdc.balanceOf(EXECUTOR), 30_000);
		vm.assertEq(usdc.balanceOf(address(vault)), 80e6);
	}

	function test_every_withdrawal_of_a_block_is_paid_in_any_order() public {
		prepare(0);
		for (uint32 i = 3; i > 0; --i) {
			execute(released()[i - 1], chain.prove(2, i - 1, 0));
		}
		vm.assertEq(usdc.balanceOf(ALICE), 10e6);
		vm.assertEq(usdc.balanceOf(EXECUTOR), 30e6 + 30_000);
		vm.assertEq(usdc.balanceOf(address(vault)), 40e6);
	}

	function test_refused_when_paid_already() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		execute(w, proof);
		vm.expectRevert(abi.encodeWithSelector(Vault.AlreadyExecuted.selector, 1));
		execute(w, proof);
		// Under another root too.
		chain.produce(new OutgoingTree.Withdrawal[](0));
		proof = chain.prove(2, 1, relay());
		vm.expectRevert(abi.encodeWithSelector(Vault.AlreadyExecuted.selector, 1));
		execute(w, proof);
	}

	function test_refused_when_claimed_for_another_address() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		w.to = EXECUTOR;
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
		vm.assertFalse(vault.executed(1));
	}

	function test_refused_when_claimed_under_another_id_amount_or_fee() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		w.id = 7;
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 7));
		execute(w, proof);
		(w.id, w.amount) = (1, 20e6 + 1);
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
		(w.amount, w.fee) = (20e6, 20e6);
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
		w.fee = 30_000;
		execute(w, proof);
	}

	function test_refused_when_another_l2s_or_of_another_kind() public {
		// The chain may release such a one: for another vault, or for one that knows more.
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](3);
		for (uint64 i = 0; i < 3; ++i) {
			list[i] = withdrawal(i, BOB, 10e6, 0);
		}
		list[0].l2 += 1;
		list[1].kind = 1;
		uint32 blockNumber = chain.produce(list);
		uint8 slot = relay();
		Vault.Proof memory proof = chain.prove(blockNumber, 0, slot);
		vm.expectRevert(abi.encodeWithSelector(Vault.OtherL2.selector, list[0].l2));
		execute(list[0], proof);
		proof = chain.prove(blockNumber, 1, slot);
		vm.expectRevert(abi.encodeWithSelector(Vault.UnknownKind.selector, 1));
		execute(list[1], proof);
		// Nor as if it were ours.
		list[1].kind = 0;
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(list[1], proof);
		list[0].l2 -= 1;
		proof = chain.prove(blockNumber, 0, slot);
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 0));
		execute(list[0], proof);
		execute(list[2], chain.prove(blockNumber, 2, slot));
		vm.assertEq(usdc.balanceOf(BOB), 10e6);
	}

	function test_refused_when_claimed_at_another_place() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		proof.outgoing.index = 0;
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
		(proof.outgoing.index, proof.outgoing.width) = (1, 2);
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
		proof.outgoing.width = 1;
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
	}

	function test_refused_when_the_leaf_is_not_the_chains() public {
		// Somebody's own tree, right in itself, under a leaf of their own.
		(, Vault.Proof memory proof) = prepare(1);
		OutgoingTree.Withdrawal memory forged = withdrawal(9, EXECUTOR, 100e6, 0);
		proof.outgoing = OutgoingTree.Proof({index: 0, width: 1, siblings: new bytes32[](0)});
		proof.leaf.extra = keccak256(
			abi.encodePacked(hex"00", forged.l2, forged.kind, forged.id, forged.to, forged.amount, forged.fee)
		);
		vm.expectRevert(Vault.WrongLeaf.selector);
		execute(forged, proof);
	}

	function testFuzz_refused_when_any_field_of_the_leaf_is_changed(uint256 field) public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		field %= 6;
		if (field == 0) ++proof.leaf.version;
		if (field == 1) ++proof.leaf.parentNumber;
		if (field == 2) proof.leaf.parentHash = "another";
		if (field == 3) ++proof.leaf.nextSetId;
		if (field == 4) ++proof.leaf.nextSetLength;
		if (field == 5) proof.leaf.nextSetCommitment = "another";
		vm.expectRevert(Vault.WrongLeaf.selector);
		execute(w, proof);
	}

	function test_refused_when_the_leaf_is_another_blocks() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		proof.leaf = chain.leafOf(1);
		vm.expectRevert(abi.encodeWithSelector(Vault.WrongWithdrawal.selector, 1));
		execute(w, proof);
	}

	function test_refused_when_the_light_client_has_no_such_root() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		proof.slot = 1;
		vm.expectRevert(abi.encodeWithSelector(Vault.NoRoot.selector, 1));
		execute(w, proof);
		// Another root, in which the path leads elsewhere.
		chain.produce(new OutgoingTree.Withdrawal[](0));
		relay();
		vm.expectRevert(Vault.WrongLeaf.selector);
		execute(w, proof);
		proof.slot = 0;
		execute(w, proof);
	}

	function test_refused_when_there_is_no_such_slot() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		proof.slot = 16;
		vm.expectRevert(bytes(""));
		execute(w, proof);
	}

	function test_a_proof_stays_good_for_fifteen_commitments_and_is_made_again_after() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		(OutgoingTree.Withdrawal memory other, Vault.Proof memory late) = (released()[0], chain.prove(2, 0, 0));
		for (uint256 i = 0; i < 15; ++i) {
			chain.produce(new OutgoingTree.Withdrawal[](0));
			relay();
		}
		execute(w, proof);
		chain.produce(new OutgoingTree.Withdrawal[](0));
		relay();
		vm.expectRevert(Vault.WrongLeaf.selector);
		execute(other, late);
		execute(other, chain.prove(2, 0, 0));
	}

	function test_refused_when_the_vault_has_too_little_and_paid_once_it_has() public {
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](1);
		list[0] = withdrawal(0, BOB, 100e6 + 1, 0);
		uint32 blockNumber = chain.produce(list);
		Vault.Proof memory proof = chain.prove(blockNumber, 0, relay());
		vm.expectRevert("ERC20: transfer amount exceeds balance");
		execute(list[0], proof);
		fund(ALICE, 1e6);
		execute(list[0], proof);
		vm.assertEq(usdc.balanceOf(BOB), 100e6 + 1);
	}

	function test_a_recipient_that_usdc_refuses_is_paid_when_it_does_not_any_more() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		usdc.blacklist(BOB);
		vm.expectRevert("Blacklistable: account is blacklisted");
		execute(w, proof);
		vm.assertFalse(vault.executed(1));
		usdc.unBlacklist(BOB);
		execute(w, proof);
	}

	function test_nothing_is_lost_while_usdc_is_paused() public {
		(OutgoingTree.Withdrawal memory w, Vault.Proof memory proof) = prepare(1);
		usdc.pause();
		vm.expectRevert("Pausable: paused");
		execute(w, proof);
		vm.assertFalse(vault.executed(1));
		Vault.Order memory order = orderOf(ALICE, 1e6);
		(uint64 count,,) = vault.state();
		vm.expectRevert("Pausable: paused");
		vm.prank(ALICE);
		vault.deposit(order);
		(uint64 after_,,) = vault.state();
		vm.assertEq(after_, count);
		usdc.unpause();
		execute(w, proof);
	}

	function testFuzz_ids_are_executed_apart(uint64 first, uint64 second) public {
		vm.assume(first != second);
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](2);
		list[0] = withdrawal(first, BOB, 1e6, 0);
		list[1] = withdrawal(second, BOB, 1e6, 0);
		uint32 blockNumber = chain.produce(list);
		uint8 slot = relay();
		execute(list[0], chain.prove(blockNumber, 0, slot));
		vm.assertTrue(vault.executed(first));
		vm.assertFalse(vault.executed(second));
		execute(list[1], chain.prove(blockNumber, 1, slot));
	}

	function testFuzz_amount_and_fee_are_paid_in_full(uint128 amount, uint128 fee) public {
		amount = uint128(bound(amount, 1, 100e6));
		fee = uint128(bound(fee, 0, amount));
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](1);
		list[0] = withdrawal(0, BOB, amount, fee);
		uint32 blockNumber = chain.produce(list);
		execute(list[0], chain.prove(blockNumber, 0, relay()));
		vm.assertEq(usdc.balanceOf(BOB), amount - fee);
		vm.assertEq(usdc.balanceOf(EXECUTOR), fee);
		vm.assertEq(usdc.balanceOf(address(vault)), 100e6 - amount);
	}
}
