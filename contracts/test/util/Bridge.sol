// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LightClient} from "../../src/LightClient.sol";
import {Vault} from "../../src/Vault.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Beefy} from "../../src/lib/Beefy.sol";
import {Credit, CreditBody} from "../../src/lib/CreditBody.sol";
import {OutgoingTree} from "../../src/lib/OutgoingTree.sol";
import {Chain} from "./Chain.sol";
import {IFiatToken, Usdc} from "./Usdc.sol";
import {vm} from "./Vm.sol";

/// @title A bridge with its chain, for tests to inherit
abstract contract Bridge {
	Chain internal chain;
	IFiatToken internal usdc;
	LightClient internal client;
	Vault internal vault;

	function start(uint256 validators) internal {
		chain = new Chain(validators, 0);
		usdc = Usdc.deploy();
		client = new LightClient(chain.set(0), chain.set(1));
		vault = new Vault(usdc, ILightClient(address(client)));
		// As on any chain that has been there for a while.
		vm.roll(1_000_000);
		vm.warp(1_700_000_000);
	}

	/// @notice The account of an Ethereum address, computed here: a call would use up a prank that waits for one.
	function accountOf(address owner) internal view returns (bytes32) {
		uint32 id = l2();
		bytes memory little = abi.encodePacked(
			bytes1(uint8(id)), bytes1(uint8(id >> 8)), bytes1(uint8(id >> 16)), bytes1(uint8(id >> 24))
		);
		return keccak256(bytes.concat("clustercast/account/v2", little, bytes20(owner)));
	}

	/// @notice This chain, as messages name it.
	function l2() internal view returns (uint32) {
		return uint32(block.chainid);
	}

	/// @notice For the account of `owner`, all else empty.
	function creditOf(address owner) internal view returns (Credit memory credit) {
		credit.account = accountOf(owner);
	}

	/// @notice An order of `amount` of `owner` that asks for this.
	function orderOf(address owner, uint128 amount, Credit memory credit) internal pure returns (Vault.Order memory) {
		return Vault.Order({kind: 0, amount: amount, refundTo: owner, body: CreditBody.encode(credit)});
	}

	/// @notice An order of `amount` for the account of `owner`, all else empty.
	function orderOf(address owner, uint128 amount) internal view returns (Vault.Order memory) {
		return orderOf(owner, amount, creditOf(owner));
	}

	/// @notice The leaf of deposit `number`.
	function leafOf(uint64 number, address depositor, Vault.Order memory o) internal view returns (bytes32) {
		return
			keccak256(
				abi.encodePacked(hex"00", l2(), number, o.kind, o.amount, depositor, o.refundTo, keccak256(o.body))
			);
	}

	/// @notice Mints `amount` to `owner`, who deposits it.
	function fund(address owner, uint128 amount) internal {
		usdc.mint(owner, amount);
		vm.prank(owner);
		usdc.approve(address(vault), amount);
		vm.prank(owner);
		vault.deposit(orderOf(owner, amount));
	}

	/// @notice The light client learns of the newest block; where its root is kept.
	function relay() internal returns (uint8 slot) {
		(,,,, uint96 commitments) = client.state();
		Beefy.Commitment memory c = chain.commitment();
		client.submit(c, chain.sign(c, chain.quorum()));
		return uint8(commitments % 16);
	}

	function withdrawal(uint64 id, address to, uint128 amount, uint128 fee)
		internal
		view
		returns (OutgoingTree.Withdrawal memory)
	{
		return OutgoingTree.Withdrawal({l2: l2(), kind: 0, id: id, to: to, amount: amount, fee: fee});
	}

	/// @notice What `owner` signs with `key` for the token under its domain.
	function signTyped(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
		(uint8 v, bytes32 r, bytes32 s) =
			vm.sign(key, keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), structHash)));
		return abi.encodePacked(r, s, v);
	}

	function signPermit(uint256 key, uint256 value, uint256 nonce, uint256 deadline)
		internal
		view
		returns (bytes memory)
	{
		return signTyped(
			key,
			keccak256(
				abi.encode(
					keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
					vm.addr(key),
					address(vault),
					value,
					nonce,
					deadline
				)
			)
		);
	}

	function signAuthorization(uint256 key, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce)
		internal
		view
		returns (bytes memory)
	{
		return signTyped(
			key,
			keccak256(
				abi.encode(
					keccak256(
						"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
					),
					vm.addr(key),
					address(vault),
					value,
					validAfter,
					validBefore,
					nonce
				)
			)
		);
	}
}
