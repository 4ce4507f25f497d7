// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LightClient} from "../src/LightClient.sol";
import {Vault} from "../src/Vault.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {IUsdc} from "../src/interfaces/IUsdc.sol";
import {ActionBody} from "../src/lib/ActionBody.sol";
import {Beefy} from "../src/lib/Beefy.sol";
import {Credit, CreditBody} from "../src/lib/CreditBody.sol";
import {DepositTree} from "../src/lib/DepositTree.sol";
import {Mmr} from "../src/lib/Mmr.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Sending} from "../src/lib/SendMessage.sol";
import {IFiatToken, Usdc} from "./util/Usdc.sol";
import {vm} from "./util/Vm.sol";

/// @dev The libraries behind external calls, so that they take calldata.
contract Hashes {
	using DepositTree for DepositTree.Tree;

	DepositTree.Tree private tree;
	uint64 private count;

	function insert(bytes32 deposit) external {
		tree.insert(count++, deposit);
	}

	function depositRoot() external view returns (bytes32) {
		return tree.root(count);
	}

	function credit(bytes calldata body) external pure returns (Credit memory) {
		return CreditBody.decode(body);
	}

	function withdrawal(OutgoingTree.Withdrawal calldata w) external pure returns (bytes32) {
		return OutgoingTree.hash(w);
	}

	function withdrawalProven(bytes32 root, bytes32 leaf, OutgoingTree.Proof calldata proof)
		external
		pure
		returns (bool)
	{
		return OutgoingTree.verify(root, leaf, proof);
	}

	function mmrLeaf(Mmr.Leaf calldata l) external pure returns (bytes32) {
		return Mmr.hash(l);
	}

	function mmrRoot(bytes32 leaf, Mmr.Proof calldata proof) external pure returns (bytes32) {
		return Mmr.root(leaf, proof);
	}

	function commitment(Beefy.Commitment calldata c) external pure returns (bytes32) {
		return Beefy.hash(c);
	}

	function keyset(address[] calldata validators) external pure returns (bytes32) {
		return Beefy.commitmentOf(validators);
	}
}

/// @notice Every byte that the contracts hash, prove or check, as Rust has it: primitives/vectors/bridge.json, which
/// primitives/examples/vectors writes with the chain's own types and libraries.
contract VectorsTest {
	string private json;
	Hashes private hashes;

	function setUp() public {
		json = vm.readFile("../primitives/vectors/bridge.json");
		hashes = new Hashes();
	}

	/// `.name[i]`, whether or not the file has it.
	function item(string memory name, uint256 i) private pure returns (string memory) {
		return string.concat(".", name, "[", vm.toString(i), "]");
	}

	function exists(string memory key) private view returns (bool) {
		return vm.keyExistsJson(json, key);
	}

	function number(string memory key, string memory field) private view returns (uint256) {
		return vm.parseJsonUint(json, string.concat(key, field));
	}

	function hash(string memory key, string memory field) private view returns (bytes32) {
		return vm.parseJsonBytes32(json, string.concat(key, field));
	}

	function list(string memory key, string memory field) private view returns (bytes32[] memory) {
		return vm.parseJsonBytes32Array(json, string.concat(key, field));
	}

	function test_accounts() public {
		uint256 i = 0;
		for (; exists(item("accounts.cases", i)); ++i) {
			string memory place = item("accounts.cases", i);
			vm.chainId(number(place, ".l2"));
			Vault vault = new Vault(IUsdc(address(0)), ILightClient(address(0)));
			address owner = vm.parseJsonAddress(json, string.concat(place, ".address"));
			vm.assertEq(vault.accountOf(owner), hash(place, ".account"), place);
		}
		vm.assertTrue(i >= 9);
	}

	function test_deposit_bounds() public {
		Vault vault = new Vault(IUsdc(address(0)), ILightClient(address(0)));
		vm.assertEq(vault.MIN_DEPOSIT(), number("", ".deposits.minDeposit"));
		vm.assertEq(vault.MIN_ACTION(), number("", ".deposits.minAction"));
		vm.assertEq(vault.MAX_DEPOSIT(), number("", ".deposits.maxDeposit"));
		vm.assertEq(vault.MAX_BODY(), number("", ".deposits.maxBody"));
		vm.assertEq(DepositTree.DEPTH, number("", ".deposits.depth"));
		vm.assertEq(CreditBody.KIND, number("", ".deposits.creditKind"));
		vm.assertEq(CreditBody.LENGTH, number("", ".deposits.creditLength"));
		vm.assertEq(ActionBody.KIND, number("", ".deposits.actionKind"));
		vm.assertEq(ActionBody.VERSION, number("", ".sent.version"));
	}

	function test_deposit_leaves() public view {
		uint256 i = 0;
		for (; exists(item("deposits.items", i)); ++i) {
			string memory place = item("deposits.items", i);
			DepositTree.Deposit memory deposit = DepositTree.Deposit({
				l2: uint32(number(place, ".l2")),
				number: uint64(number(place, ".number")),
				kind: uint8(number(place, ".kind")),
				amount: uint128(number(place, ".amount")),
				depositor: vm.parseJsonAddress(json, string.concat(place, ".depositor")),
				refundTo: vm.parseJsonAddress(json, string.concat(place, ".refundTo")),
				bodyHash: keccak256(bodyAt(place))
			});
			vm.assertEq(deposit.bodyHash, hash(place, ".bodyHash"), place);
			vm.assertEq(DepositTree.hash(deposit), hash(place, ".leaf"), place);
		}
		vm.assertTrue(i >= 7);
	}

	function bodyAt(string memory place) private view returns (bytes memory) {
		return vm.parseJsonBytes(json, string.concat(place, ".body"));
	}

	function test_credits() public view {
		uint256 credits = 0;
		for (uint256 i = 0; exists(item("deposits.items", i)); ++i) {
			string memory place = item("deposits.items", i);
			if (number(place, ".kind") != CreditBody.KIND) continue;
			string memory fields = string.concat(place, ".credit");
			bytes memory proof = vm.parseJsonBytes(json, string.concat(fields, ".sessionProof"));
			Credit memory credit = Credit({
				account: hash(fields, ".account"),
				escrow: uint128(number(fields, ".escrow")),
				sessionKey: hash(fields, ".sessionKey"),
				sessionLimit: uint128(number(fields, ".sessionLimit")),
				sessionExpiry: uint32(number(fields, ".sessionExpiry")),
				sessionProof: abi.decode(proof, (bytes32[2]))
			});
			bytes memory body = bodyAt(place);
			vm.assertEq(CreditBody.encode(credit), body, place);
			vm.assertEq(abi.encode(hashes.credit(body)), abi.encode(credit), place);
			++credits;
		}
		vm.assertTrue(credits >= 4);
	}

	/// The vault records what the file has, under the file's root: credits, an action, and a kind that it does not know.
	function test_the_vault_records_the_deposits() public {
		vm.chainId(number("", ".deposits.items[0].l2"));
		IFiatToken usdc = Usdc.deploy();
		LightClient client = new LightClient(
			Beefy.ValidatorSet({id: 0, length: 1, commitment: 0}), Beefy.ValidatorSet({id: 1, length: 1, commitment: 0})
		);
		Vault vault = new Vault(usdc, ILightClient(address(client)));
		for (uint256 i = 0; i < 6; ++i) {
			string memory place = item("deposits.items", i);
			address depositor = vm.parseJsonAddress(json, string.concat(place, ".depositor"));
			Vault.Order memory order = Vault.Order({
				kind: uint8(number(place, ".kind")),
				amount: uint128(number(place, ".amount")),
				refundTo: vm.parseJsonAddress(json, string.concat(place, ".refundTo")),
				body: bodyAt(place)
			});
			usdc.mint(depositor, order.amount);
			vm.prank(depositor);
			usdc.approve(address(vault), order.amount);
			vm.prank(depositor);
			vault.deposit(order);
			(uint64 count, bytes32 root,) = vault.state();
			vm.assertEq(count, i + 1);
			vm.assertEq(root, hash(item("deposits.trees", i + 1), ".root"), place);
		}
	}

	function test_actions() public view {
		uint256 i = 0;
		for (; exists(item("sent.bodies", i)); ++i) {
			string memory place = item("sent.bodies", i);
			vm.assertEq(actionAt(place), bodyAt(place), place);
		}
		vm.assertTrue(i >= 6);
	}

	function actionAt(string memory place) private view returns (bytes memory) {
		string memory fields = string.concat(place, ".fields");
		bytes32 action = keccak256(bytes(vm.parseJsonString(json, string.concat(place, ".action"))));
		if (action == keccak256("withdraw")) {
			address to = vm.parseJsonAddress(json, string.concat(fields, ".to"));
			return ActionBody.withdraw(to, uint128(number(fields, ".amount")), uint128(number(fields, ".fee")));
		}
		if (action == keccak256("unlock")) return ActionBody.unlock(uint128(number(fields, ".amount")));
		if (action == keccak256("collect")) return ActionBody.collect();
		require(action == keccak256("authorize"), "another action");
		bytes memory proof = vm.parseJsonBytes(json, string.concat(fields, ".proof"));
		return ActionBody.authorize(
			hash(fields, ".key"),
			uint128(number(fields, ".limit")),
			uint32(number(fields, ".expiry")),
			abi.decode(proof, (bytes32[2]))
		);
	}

	/// What a wallet signs for `sendFor`, as a vault at the file's address on the file's chain hashes it.
	function test_sendings() public {
		vm.chainId(number("", ".actions.domain.chainId"));
		Vault here = new Vault(IUsdc(address(0)), ILightClient(address(0)));
		address there = vm.parseJsonAddress(json, ".actions.domain.verifyingContract");
		vm.etch(there, address(here).code);
		uint256 i = 0;
		for (; exists(item("sent.messages", i)); ++i) {
			string memory place = item("sent.messages", i);
			string memory message = string.concat(place, ".message");
			Sending memory sending = Sending({
				kind: uint8(number(message, ".kind")),
				amount: uint128(number(message, ".amount")),
				body: bodyAt(message),
				fee: uint128(number(message, ".fee")),
				nonce: uint64(number(message, ".nonce")),
				deadline: uint64(number(message, ".deadline"))
			});
			address wallet = vm.parseJsonAddress(json, string.concat(message, ".wallet"));
			bytes32 digest = Vault(there).sendDigest(sending, wallet);
			vm.assertEq(digest, hash(place, ".digest"), place);
			(bytes32 r, bytes32 s, uint8 v) = split(vm.parseJsonBytes(json, string.concat(place, ".signature")));
			vm.assertEq(ecrecover(digest, v, r, s), vm.parseJsonAddress(json, ".sent.signer"));
		}
		vm.assertTrue(i >= 3);
	}

	function test_deposit_roots_and_proofs() public {
		uint256 i = 0;
		for (; exists(item("deposits.trees", i)); ++i) {
			string memory place = item("deposits.trees", i);
			vm.assertEq(number(place, ".count"), i, place);
			bytes32 root = hash(place, ".root");
			vm.assertEq(hashes.depositRoot(), root, place);
			for (uint256 leaf = 0; leaf < i; ++leaf) {
				bytes32[] memory path = list(place, string.concat(".proofs[", vm.toString(leaf), "]"));
				vm.assertEq(path.length, 32, place);
				bytes32 node = hash(item("deposits.items", leaf), ".leaf");
				for (uint256 height = 0; height < 32; ++height) {
					bool right = (leaf >> height) & 1 == 1;
					node = right ? DepositTree.hashPair(path[height], node) : DepositTree.hashPair(node, path[height]);
				}
				vm.assertEq(node, root, place);
			}
			string memory next = item("deposits.items", i);
			if (exists(next)) hashes.insert(hash(next, ".leaf"));
		}
		vm.assertTrue(i >= 8);
	}

	function test_withdrawal_leaves() public view {
		uint256 i = 0;
		for (; exists(item("withdrawals.items", i)); ++i) {
			string memory place = item("withdrawals.items", i);
			OutgoingTree.Withdrawal memory withdrawal = OutgoingTree.Withdrawal({
				l2: uint32(number(place, ".l2")),
				kind: uint8(number(place, ".kind")),
				id: uint64(number(place, ".id")),
				to: vm.parseJsonAddress(json, string.concat(place, ".to")),
				amount: uint128(number(place, ".amount")),
				fee: uint128(number(place, ".fee"))
			});
			vm.assertEq(hashes.withdrawal(withdrawal), hash(place, ".leaf"), place);
		}
		vm.assertTrue(i >= 6);
	}

	function test_withdrawal_proofs() public view {
		uint256 proofs = 0;
		for (uint256 i = 0; exists(item("withdrawals.trees", i)); ++i) {
			string memory tree = item("withdrawals.trees", i);
			bytes32 root = hash(tree, ".root");
			for (uint256 j = 0; j < number(tree, ".width"); ++j) {
				string memory place = string.concat(tree, ".proofs[", vm.toString(j), "]");
				OutgoingTree.Proof memory proof = OutgoingTree.Proof({
					index: uint32(number(place, ".index")),
					width: uint32(number(place, ".width")),
					siblings: list(place, ".path")
				});
				bytes32 leaf = hash(item("withdrawals.items", j), ".leaf");
				vm.assertTrue(hashes.withdrawalProven(root, leaf, proof));
				vm.assertFalse(hashes.withdrawalProven(root, ~leaf, proof));
				++proofs;
			}
		}
		vm.assertTrue(proofs >= 21);
	}

	function test_keysets() public view {
		uint256 i = 0;
		for (; exists(item("keysets", i)); ++i) {
			string memory place = item("keysets", i);
			address[] memory validators = vm.parseJsonAddressArray(json, string.concat(place, ".addresses"));
			// The light client has no empty set.
			if (validators.length != 0) vm.assertEq(hashes.keyset(validators), hash(place, ".commitment"), place);
		}
		vm.assertTrue(i >= 8);
	}

	function leafAt(string memory place) private view returns (Mmr.Leaf memory) {
		return Mmr.Leaf({
			version: uint8(number(place, ".version")),
			parentNumber: uint32(number(place, ".parentNumber")),
			parentHash: hash(place, ".parentHash"),
			nextSetId: uint64(number(place, ".nextAuthoritySetId")),
			nextSetLength: uint32(number(place, ".nextAuthoritySetLen")),
			nextSetCommitment: hash(place, ".nextAuthoritySetCommitment"),
			extra: hash(place, ".leafExtra")
		});
	}

	function test_mmr_leaves() public view {
		uint256 i = 0;
		for (; exists(item("mmr.leaves", i)); ++i) {
			string memory place = item("mmr.leaves", i);
			vm.assertEq(hashes.mmrLeaf(leafAt(place)), hash(place, ".hash"), place);
			vm.assertEq(
				keccak256(vm.parseJsonBytes(json, string.concat(place, ".encoded"))), hash(place, ".hash"), place
			);
		}
		vm.assertTrue(i >= 11);
	}

	function test_mmr_proofs() public view {
		uint256 proofs = 0;
		for (uint256 i = 0; exists(item("mmr.mmrs", i)); ++i) {
			string memory mmr = item("mmr.mmrs", i);
			for (uint256 j = 0; exists(string.concat(mmr, ".proofs[", vm.toString(j), "]")); ++j) {
				string memory place = string.concat(mmr, ".proofs[", vm.toString(j), "]");
				Mmr.Proof memory proof = Mmr.Proof({siblings: list(place, ".items"), order: number(place, ".order")});
				bytes32 leaf = hash(item("mmr.leaves", number(place, ".index")), ".hash");
				vm.assertEq(hashes.mmrRoot(leaf, proof), hash(mmr, ".root"), place);
				++proofs;
			}
		}
		vm.assertTrue(proofs >= 11);
	}

	/// The commitments of the file in their order, each accepted by a light client of the set that signed it.
	function test_commitments_and_their_signatures() public {
		uint256 i = 0;
		for (; exists(item("mmr.mmrs", i)); ++i) {
			string memory place = string.concat(item("mmr.mmrs", i), ".commitment");
			Beefy.Commitment memory commitment = Beefy.Commitment({
				mmrRoot: hash(item("mmr.mmrs", i), ".root"),
				blockNumber: uint32(number(place, ".block")),
				setId: uint64(number(place, ".set"))
			});
			vm.assertEq(hashes.commitment(commitment), hash(place, ".digest"), place);
			vm.assertEq(
				keccak256(vm.parseJsonBytes(json, string.concat(place, ".encoded"))), hash(place, ".digest"), place
			);
			assertAccepted(commitment, vm.parseJsonBytesArray(json, string.concat(place, ".signatures")));
		}
		vm.assertTrue(i >= 11);
	}

	/// Signatures are r, s and 27 or 28, of the first members of the only set that needs as many.
	function assertAccepted(Beefy.Commitment memory commitment, bytes[] memory signatures) private {
		bytes32 digest = hashes.commitment(commitment);
		for (uint256 i = 0; exists(item("keysets", i)); ++i) {
			address[] memory members = vm.parseJsonAddressArray(json, string.concat(item("keysets", i), ".addresses"));
			if (members.length == 0 || members.length - (members.length - 1) / 3 != signatures.length) continue;
			Beefy.Signatures memory signed = Beefy.Signatures({
				signers: (1 << signatures.length) - 1,
				signatures: new Beefy.Signature[](signatures.length),
				validators: members
			});
			for (uint256 j = 0; j < signatures.length; ++j) {
				(bytes32 r, bytes32 s, uint8 v) = split(signatures[j]);
				if (ecrecover(digest, v, r, s) != members[j]) break;
				signed.signatures[j] = Beefy.Signature({r: r, vs: s | bytes32(uint256(v - 27) << 255)});
			}
			if (signed.signatures[signatures.length - 1].r == 0) continue;
			uint64 id = commitment.setId;
			bytes32 root = hash(item("keysets", i), ".commitment");
			LightClient client = new LightClient(
				Beefy.ValidatorSet({id: id, length: uint32(members.length), commitment: root}),
				Beefy.ValidatorSet({id: id + 1, length: uint32(members.length), commitment: root})
			);
			client.submit(commitment, signed);
			return;
		}
		revert("no set of the file signed this");
	}

	function split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
		require(signature.length == 65, "not r, s, v");
		assembly ("memory-safe") {
			r := mload(add(signature, 0x20))
			s := mload(add(signature, 0x40))
			v := byte(0, mload(add(signature, 0x60)))
		}
	}

	/// What an Ethereum wallet signs to act for its account on the chain, hashed as EIP-712 says.
	function test_typed_data() public view {
		bytes32 separator = keccak256(
			abi.encode(
				keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
				keccak256("ClusterCast"),
				keccak256("2"),
				number("", ".actions.domain.chainId"),
				vm.parseJsonAddress(json, ".actions.domain.verifyingContract")
			)
		);
		vm.assertEq(separator, hash("", ".actions.separator"));
		uint256 i = 0;
		for (; exists(item("actions.cases", i)); ++i) {
			string memory place = item("actions.cases", i);
			bytes32 digest = keccak256(abi.encodePacked(hex"1901", separator, structHash(place)));
			vm.assertEq(digest, hash(place, ".digest"), place);
			(bytes32 r, bytes32 s, uint8 v) = split(vm.parseJsonBytes(json, string.concat(place, ".signature")));
			vm.assertEq(ecrecover(digest, v, r, s), vm.parseJsonAddress(json, ".actions.signer"));
		}
		vm.assertTrue(i >= 5);
	}

	function structHash(string memory place) private view returns (bytes32) {
		string memory message = string.concat(place, ".message");
		bytes memory envelope =
			abi.encode(number(message, ".tip"), number(message, ".nonce"), number(message, ".deadline"));
		bytes32 kind = keccak256(bytes(vm.parseJsonString(json, string.concat(place, ".type"))));
		if (kind == keccak256("Withdraw")) {
			bytes32 typeHash =
				keccak256("Withdraw(address to,uint128 amount,uint128 fee,uint128 tip,uint64 nonce,uint32 deadline)");
			address to = vm.parseJsonAddress(json, string.concat(message, ".to"));
			return keccak256(
				bytes.concat(abi.encode(typeHash, to, number(message, ".amount"), number(message, ".fee")), envelope)
			);
		}
		if (kind == keccak256("Unlock")) {
			bytes32 typeHash = keccak256("Unlock(uint128 amount,uint128 tip,uint64 nonce,uint32 deadline)");
			return keccak256(bytes.concat(abi.encode(typeHash, number(message, ".amount")), envelope));
		}
		if (kind == keccak256("Collect")) {
			bytes32 typeHash = keccak256("Collect(uint128 tip,uint64 nonce,uint32 deadline)");
			return keccak256(bytes.concat(abi.encode(typeHash), envelope));
		}
		require(kind == keccak256("Authorize"), "a message of another type");
		bytes32 authorize =
			keccak256("Authorize(bytes32 key,uint128 limit,uint32 expiry,uint128 tip,uint64 nonce,uint32 deadline)");
		return keccak256(
			bytes.concat(
				abi.encode(authorize, hash(message, ".key"), number(message, ".limit"), number(message, ".expiry")),
				envelope
			)
		);
	}
}
