// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {ActionBody} from "../src/lib/ActionBody.sol";
import {Beefy} from "../src/lib/Beefy.sol";
import {Credit} from "../src/lib/CreditBody.sol";
import {Mmr} from "../src/lib/Mmr.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Sending} from "../src/lib/SendMessage.sol";
import {Bridge} from "./util/Bridge.sol";
import {vm} from "./util/Vm.sol";
import {Owners, SafeLike} from "./util/Wallets.sol";

/// @notice What transactions cost, all included: 21,000, calldata, execution, refunds. `scripts/bench bridge-gas` writes it to
/// snapshots/bridge.json, which is committed, and prints it beside the aims; `scripts/lint gas` compares.
/// @dev Everything is as it is when the bridge has been in use for a while: 21 validators, one round of roots kept, a million
/// blocks on the chain and a thousand deposits, so that no cost of a first time hides or adds to the usual.
contract GasTest is Bridge {
	uint256 private constant KEY = 0xa11ce;
	address private immutable alice = vm.addr(KEY);
	address private constant BOB = address(0xb0b);

	/// The aims of the project, in gas.
	uint256 private constant PER_SIGNATURE = 8_000;
	uint256 private constant DEPOSIT = 90_000;
	uint256 private constant WITHDRAWAL = 120_000;

	function setUp() public {
		start(21);
		usdc.mint(alice, 1_000_000e6);
		vm.prank(alice);
		usdc.approve(address(vault), type(uint256).max);
		for (uint256 i = 0; i < 4; ++i) {
			vm.prank(alice);
			vault.deposit(order());
		}
		for (uint256 i = 0; i < 16; ++i) {
			chain.produce(new OutgoingTree.Withdrawal[](0));
			relay();
		}
	}

	function order() private view returns (Vault.Order memory) {
		return orderOf(
			alice,
			20e6,
			Credit({
				account: accountOf(alice),
				escrow: 15e6,
				sessionKey: keccak256("session"),
				sessionLimit: 15e6,
				sessionExpiry: 43_200,
				sessionProof: [keccak256("R"), keccak256("S")]
			})
		);
	}

	function record(string memory name, uint256 aim) private {
		uint256 gas = vm.snapshotGasLastCall("bridge", name);
		vm.assertLe(gas, aim, name);
	}

	/// Of deposits one in two writes one slot, one in four another and reads one, and so on: the average is over 64.
	function test_deposit() public {
		uint256 sum = 0;
		for (uint256 i = 0; i < 64; ++i) {
			vm.prank(alice);
			vault.deposit(order());
			sum += vm.lastCallGas().gasTotalUsed;
		}
		vm.snapshotValue("bridge", "deposit, average of 64", sum / 64);
		vm.assertLe(sum / 64, DEPOSIT, "deposit");
	}

	function test_deposit_with_authorization() public {
		uint256 validBefore = block.timestamp + 1;
		bytes32 nonce = vault.authorizationNonce(order(), 50_000, 0, validBefore);
		bytes memory signature = signAuthorization(KEY, 20_050_000, 0, validBefore, nonce);
		usdc.mint(BOB, 1);
		vm.prank(BOB);
		vault.depositWithAuthorization(order(), 50_000, alice, 0, validBefore, signature);
		vm.snapshotGasLastCall("bridge", "deposit with authorization");
	}

	function test_send() public {
		uint256 sum = 0;
		for (uint256 i = 0; i < 64; ++i) {
			vm.prank(alice);
			vault.send(100_000, ActionBody.withdraw(alice, 0, 20_000));
			sum += vm.lastCallGas().gasTotalUsed;
		}
		vm.snapshotValue("bridge", "send, average of 64", sum / 64);
		vm.assertLe(sum / 64, DEPOSIT, "send");
	}

	function sending(address wallet) private view returns (Sending memory) {
		return Sending({
			kind: ActionBody.KIND,
			amount: 100_000,
			body: ActionBody.withdraw(wallet, 0, 20_000),
			fee: 50_000,
			nonce: 1,
			deadline: uint64(block.timestamp)
		});
	}

	function bring(address wallet, bytes memory signature) private {
		usdc.mint(BOB, 1);
		vm.prank(BOB);
		vault.sendFor(sending(wallet), wallet, signature);
	}

	function test_send_for_a_key() public {
		(uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, vault.sendDigest(sending(alice), alice));
		bring(alice, abi.encodePacked(r, s, v));
		vm.snapshotGasLastCall("bridge", "sendFor, a key's");
	}

	function test_send_for_a_contract_wallet() public {
		uint256[] memory keys = new uint256[](2);
		(keys[0], keys[1]) = (0x51, 0x52);
		address[] memory owners = new address[](3);
		(owners[0], owners[1], owners[2]) = (vm.addr(0x51), vm.addr(0x52), vm.addr(0x53));
		SafeLike safe = new SafeLike(owners, 2);
		usdc.mint(address(safe), 1e6);
		vm.prank(address(safe));
		usdc.approve(address(vault), type(uint256).max);
		bytes32 digest = vault.sendDigest(sending(address(safe)), address(safe));
		bring(address(safe), Owners.sign(keys, safe.messageHash(digest)));
		vm.snapshotGasLastCall("bridge", "sendFor, a contract wallet's, two of three owners");
	}

	function test_commitment() public {
		chain.produce(new OutgoingTree.Withdrawal[](0));
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, chain.quorum());
		client.submit(c, s);
		record("commitment, 15 of 21 signatures", 15 * PER_SIGNATURE);
	}

	function test_hand_over() public {
		chain.newSession();
		Beefy.Commitment memory c = chain.commitment();
		Beefy.Signatures memory s = chain.sign(c, chain.quorum());
		Mmr.Leaf memory leaf = chain.leafOf(c.blockNumber);
		Mmr.Proof memory proof = longer(chain.proofOf(c.blockNumber));
		c.mmrRoot = rootOf(leaf, proof);
		s = chain.sign(c, chain.quorum());
		client.handOver(c, s, leaf, proof);
		vm.snapshotGasLastCall("bridge", "hand-over, 15 of 21 signatures");
	}

	/// Sixteen withdrawals in the block, a range of a million blocks, an id whose word of the bitmap is in use (255 of 256).
	function test_withdrawal() public {
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](16);
		for (uint64 i = 0; i < 16; ++i) {
			list[i] = withdrawal(i, BOB, 5e6, 50_000);
		}
		uint32 blockNumber = chain.produce(list);
		Vault.Proof memory first = chain.prove(blockNumber, 0, 0);
		Vault.Proof memory second = chain.prove(blockNumber, 1, 0);
		// The root of a longer range, as it would be.
		first.mmr = longer(first.mmr);
		second.mmr = first.mmr;
		Beefy.Commitment memory c = chain.commitment();
		c.mmrRoot = rootOf(first.leaf, first.mmr);
		client.submit(c, chain.sign(c, chain.quorum()));

		usdc.mint(BOB, 1);
		usdc.mint(address(0xe8ec), 1);
		vm.prank(address(0xe8ec));
		vault.withdraw(list[0], first);
		vm.snapshotGasLastCall("bridge", "withdrawal, first of 256 ids");
		vm.prank(address(0xe8ec));
		vault.withdraw(list[1], second);
		record("withdrawal", WITHDRAWAL);
	}

	/// A proof of 20 siblings, as long as in a range of a million leaves.
	function longer(Mmr.Proof memory proof) private pure returns (Mmr.Proof memory) {
		bytes32[] memory siblings = new bytes32[](20);
		for (uint256 i = 0; i < 20; ++i) {
			siblings[i] = i < proof.siblings.length ? proof.siblings[i] : keccak256(abi.encode("sibling", i));
		}
		return Mmr.Proof({siblings: siblings, order: proof.order});
	}

	function rootOf(Mmr.Leaf memory leaf, Mmr.Proof memory proof) private view returns (bytes32 node) {
		node = chain.hashOf(leaf);
		for (uint256 i = 0; i < proof.siblings.length; ++i) {
			bytes32 sibling = proof.siblings[i];
			bool left = (proof.order >> i) & 1 == 1;
			node = left ? keccak256(bytes.concat(sibling, node)) : keccak256(bytes.concat(node, sibling));
		}
	}
}
