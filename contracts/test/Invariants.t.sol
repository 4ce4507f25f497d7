// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {ActionBody} from "../src/lib/ActionBody.sol";
import {Credit} from "../src/lib/CreditBody.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Sending} from "../src/lib/SendMessage.sol";
import {Bridge} from "./util/Bridge.sol";
import {Reference} from "./util/Reference.sol";
import {bound, vm} from "./util/Vm.sol";

/// @dev What people and the chain do, in whatever order, and what has to come of it.
contract Handler is Bridge {
	uint256 private constant KEYS = 4;
	uint256 private constant FIRST_KEY = 0xa11ce;
	address private constant EXECUTOR = address(0xe8ec);

	struct Released {
		OutgoingTree.Withdrawal withdrawal;
		uint32 blockNumber;
		uint32 index;
	}

	bytes32[] private leaves;
	Released[] private released;
	/// Newest block whose root the light client has, and where.
	uint32 private relayed;
	uint8 private slot;
	uint256 private authorizations;

	uint256 public deposited;
	uint256 public burnt;
	uint256 public paid;
	uint256 public payouts;
	mapping(uint64 id => uint256) public timesPaid;

	constructor() {
		start(1);
		for (uint256 i = 0; i < KEYS; ++i) {
			usdc.mint(vm.addr(FIRST_KEY + i), 1e15);
			vm.prank(vm.addr(FIRST_KEY + i));
			usdc.approve(address(vault), type(uint256).max);
		}
	}

	// Actions.

	function deposit(uint256 who, uint256 amount, uint256 escrow, bytes32 key, uint8 kind) external {
		address owner = vm.addr(FIRST_KEY + who % KEYS);
		Vault.Order memory order = orderFor(owner, amount, escrow, key);
		order.kind = kind;
		vm.prank(owner);
		vault.deposit(order);
		recordDeposit(owner, order);
	}

	function depositWithAuthorization(uint256 who, uint256 amount, uint256 escrow, bytes32 key, uint256 fee) external {
		uint256 signer = FIRST_KEY + who % KEYS;
		Vault.Order memory order = orderFor(vm.addr(signer), amount, escrow, key);
		uint128 fee_ = uint128(bound(fee, 0, 1e6));
		uint256 validBefore = block.timestamp + ++authorizations;
		bytes32 nonce = vault.authorizationNonce(order, fee_, 0, validBefore);
		bytes memory signature = signAuthorization(signer, uint256(order.amount) + fee_, 0, validBefore, nonce);
		vm.prank(EXECUTOR);
		vault.depositWithAuthorization(order, fee_, vm.addr(signer), 0, validBefore, signature);
		recordDeposit(vm.addr(signer), order);
	}

	function send(uint256 who, uint256 amount, uint128 asked) external {
		address owner = vm.addr(FIRST_KEY + who % KEYS);
		Vault.Order memory order = actionOf(owner, amount, asked);
		vm.prank(owner);
		vault.send(order.amount, order.body);
		recordDeposit(owner, order);
	}

	/// Brought once by somebody, and never again, nor for another wallet.
	function sendFor(uint256 who, uint256 amount, uint128 asked, uint256 fee) external {
		uint256 key = FIRST_KEY + who % KEYS;
		Vault.Order memory order = actionOf(vm.addr(key), amount, asked);
		bring(key, order, uint128(bound(fee, 0, 1e6)));
		recordDeposit(vm.addr(key), order);
	}

	function bring(uint256 key, Vault.Order memory order, uint128 fee) private {
		Sending memory s = Sending({
			kind: order.kind,
			amount: order.amount,
			body: order.body,
			fee: fee,
			nonce: uint64(++authorizations),
			deadline: uint64(block.timestamp)
		});
		address owner = vm.addr(key);
		bytes memory signature = sign(key, vault.sendDigest(s, owner));
		uint256 had = usdc.balanceOf(owner);
		vm.prank(EXECUTOR);
		vault.sendFor(s, owner, signature);
		require(had - usdc.balanceOf(owner) == uint256(order.amount) + fee, "took another amount");
		for (uint256 i = 0; i < KEYS; ++i) {
			try vault.sendFor(s, vm.addr(FIRST_KEY + i), signature) {
				revert("taken twice, or for another");
			} catch {}
		}
	}

	function sign(uint256 key, bytes32 digest) private pure returns (bytes memory) {
		(uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
		return abi.encodePacked(r, s, v);
	}

	/// The chain burns part of what it has and releases it in a block.
	function release(uint256 count, uint256 amount, uint256 fee) external {
		OutgoingTree.Withdrawal[] memory list = new OutgoingTree.Withdrawal[](bound(count, 1, 4));
		uint32 blockNumber = relayedOrNext();
		for (uint32 i = 0; i < list.length; ++i) {
			uint128 each = uint128(bound(amount, 0, (deposited - burnt) / list.length));
			address to = vm.addr(FIRST_KEY + i);
			list[i] = withdrawal(uint64(released.length), to, each, uint128(bound(fee, 0, each)));
			released.push(Released({withdrawal: list[i], blockNumber: blockNumber, index: i}));
		}
		for (uint256 i = 0; i < list.length; ++i) {
			burnt += list[i].amount;
		}
		require(chain.produce(list) == blockNumber);
	}

	/// The light client follows, if there is anything new.
	function follow() external {
		uint32 newest = relayedOrNext() - 1;
		if (newest == relayed) return;
		slot = relay();
		relayed = newest;
	}

	/// Pays a withdrawal, or is refused where it was paid, or where the light client does not know of it.
	function execute(uint256 which) external {
		if (released.length == 0) return;
		Released memory r = released[which % released.length];
		Vault.Proof memory proof = chain.prove(r.blockNumber, r.index, slot);
		// Where the client is behind the chain, the proof is against a root that it has not got.
		bool known = relayed == relayedOrNext() - 1;
		uint256 before = usdc.balanceOf(address(vault));
		vm.prank(EXECUTOR);
		try vault.withdraw(r.withdrawal, proof) {
			require(known, "paid under an unknown root");
			++timesPaid[r.withdrawal.id];
			++payouts;
			paid += r.withdrawal.amount;
			require(before - usdc.balanceOf(address(vault)) == r.withdrawal.amount, "paid another amount");
		} catch {
			require(!known || timesPaid[r.withdrawal.id] == 1, "a right claim was refused");
		}
	}

	/// Claims what the chain did not release; must never be paid.
	function claim(uint256 which, uint256 how, uint256 seed) external {
		if (released.length == 0 || relayed == 0) return;
		Released memory r = released[which % released.length];
		OutgoingTree.Withdrawal memory w = r.withdrawal;
		Vault.Proof memory proof = chain.prove(r.blockNumber, r.index, slot);
		how %= 8;
		if (how == 0) w.to = EXECUTOR;
		if (how == 1) w.amount += uint128(bound(seed, 1, 1e9));
		if (how == 2) w.id = uint64(released.length + bound(seed, 0, 1000));
		if (how == 3) w.fee += 1;
		if (how == 4) {
			proof.leaf.extra = keccak256(abi.encodePacked(hex"00", w.l2, w.kind, w.id, w.to, w.amount, w.fee));
		}
		if (how == 4) proof.outgoing = OutgoingTree.Proof({index: 0, width: 1, siblings: new bytes32[](0)});
		// A lone leaf in a block is its own tree: what is forged then is the block.
		if (how == 4) proof.leaf.parentHash = bytes32(seed);
		if (how == 5) proof.outgoing.index = proof.outgoing.width;
		if (how == 6) ++w.l2;
		if (how == 7) ++w.kind;
		try vault.withdraw(w, proof) {
			revert("paid a forged claim");
		} catch {}
	}

	// Invariants' other side.

	function depositsRecorded() external view returns (uint256 count, bytes32 root) {
		return (leaves.length, Reference.paddedRoot(hex"01", leaves, 32));
	}

	function stateOfVault() external view returns (uint256 count, bytes32 root, uint256 total, uint256 balance) {
		(count, root,) = vault.state();
		(,, total) = vault.deposits();
		balance = usdc.balanceOf(address(vault));
	}

	function releasedCount() external view returns (uint64) {
		return uint64(released.length);
	}

	function executed(uint64 id) external view returns (bool) {
		return vault.executed(id);
	}

	function relayedOrNext() private view returns (uint32) {
		return released.length == 0 ? 1 : released[released.length - 1].blockNumber + 1;
	}

	function orderFor(address owner, uint256 amount, uint256 escrow, bytes32 key)
		private
		view
		returns (Vault.Order memory)
	{
		uint128 amount_ = uint128(bound(amount, 1e6, 10_000e6));
		Credit memory credit = creditOf(owner);
		credit.escrow = uint128(bound(escrow, 0, amount_));
		credit.sessionKey = key;
		if (key == 0) return orderOf(owner, amount_, credit);
		(credit.sessionLimit, credit.sessionExpiry) = (uint128(escrow), uint32(amount));
		credit.sessionProof = [key, bytes32(escrow)];
		return orderOf(owner, amount_, credit);
	}

	function actionOf(address owner, uint256 amount, uint128 asked) private pure returns (Vault.Order memory) {
		return Vault.Order({
			kind: ActionBody.KIND,
			amount: uint128(bound(amount, 100_000, 10_000e6)),
			refundTo: owner,
			body: ActionBody.unlock(asked)
		});
	}

	function recordDeposit(address owner, Vault.Order memory o) private {
		deposited += o.amount;
		leaves.push(leafOf(uint64(leaves.length), owner, o));
	}
}

contract InvariantsTest {
	Handler private handler;

	function setUp() public {
		handler = new Handler();
	}

	/// Read by forge: whose functions it calls.
	function targetContracts() external view returns (address[] memory targets) {
		targets = new address[](1);
		targets[0] = address(handler);
	}

	function invariant_vault_holds_deposits_less_withdrawals() public view {
		(,, uint256 total, uint256 balance) = handler.stateOfVault();
		vm.assertEq(total, handler.deposited());
		vm.assertEq(balance, handler.deposited() - handler.paid());
	}

	function invariant_no_id_is_paid_twice() public view {
		uint256 payouts = 0;
		for (uint64 id = 0; id < handler.releasedCount(); ++id) {
			uint256 times = handler.timesPaid(id);
			vm.assertTrue(times <= 1);
			vm.assertTrue(handler.executed(id) == (times == 1));
			payouts += times;
		}
		vm.assertEq(payouts, handler.payouts());
	}

	function invariant_deposit_root_is_that_of_the_full_tree() public view {
		(uint256 count, bytes32 root,,) = handler.stateOfVault();
		(uint256 expectedCount, bytes32 expected) = handler.depositsRecorded();
		vm.assertEq(count, expectedCount);
		vm.assertEq(root, expected);
	}

	/// The runs would prove little if nothing was ever paid in them.
	function test_the_handler_pays() public {
		handler.deposit(0, 5e6, 0, 0, 0);
		handler.release(2, 1e6, 10);
		handler.follow();
		handler.execute(0);
		handler.execute(1);
		handler.execute(0);
		handler.claim(0, 0, 0);
		vm.assertEq(handler.payouts(), 2);
	}
}
