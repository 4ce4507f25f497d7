// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @notice What a wallet lets anybody bring to the vault, once.
struct Sending {
	/// Of the deposit, see `Vault.Order`.
	uint8 kind;
	/// Micro-USDC that are deposited.
	uint128 amount;
	/// Of the deposit.
	bytes body;
	/// Micro-USDC on top of the amount, for whoever brings it.
	uint128 fee;
	/// Any number: tells apart what is otherwise the same.
	uint64 nonce;
	/// Last second (of this chain's blocks) in which it is taken.
	uint64 deadline;
}

/// @title What a wallet signs for `Vault.sendFor`, and whether it did
/// @notice Typed data of EIP-712, under the same domain as the wallets' messages to the chain:
/// Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)
/// The wallet is part of what is signed: one key may be the owner of several.
library SendMessage {
	bytes32 private constant DOMAIN_TYPE =
		keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
	bytes32 private constant NAME = keccak256("ClusterCast");
	bytes32 private constant VERSION = keccak256("2");
	bytes32 private constant TYPE =
		keccak256("Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)");
	/// What a signature ends with that is of a contract that is not there yet (ERC-6492).
	bytes32 private constant NOT_DEPLOYED = 0x6492649264926492649264926492649264926492649264926492649264926492;

	/// @notice The signature is of a contract wallet that is not deployed yet (ERC-6492). Nothing is deployed here: deploy the
	/// wallet, then send what is inside the signature, or sign again.
	error NotDeployed(address wallet);
	/// @notice Neither is it by the wallet's key, nor does the wallet's contract say that it is good (EIP-1271).
	error BadSignature(address wallet);

	/// @notice What is signed for this contract on this chain.
	function digest(Sending calldata sending, address wallet) internal view returns (bytes32) {
		bytes32 message = keccak256(
			abi.encode(
				TYPE,
				wallet,
				sending.kind,
				sending.amount,
				keccak256(sending.body),
				sending.fee,
				sending.nonce,
				sending.deadline
			)
		);
		bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
		return keccak256(abi.encodePacked(hex"1901", domain, message));
	}

	/// @notice Reverts unless `wallet` signed this.
	/// @dev The key is asked first, and the address's code only where the key did not sign. Whoever has the key of an address
	/// can send a transaction from it, also where it lets code run (EIP-7702), and the chain follows the key's messages; so
	/// that gives nobody more than he has. And it lets those sign whose code has no EIP-1271, or answers otherwise: were the
	/// code asked first, as the token does, they could not. The code's answer is a static call, which can change nothing; it
	/// is paid for by whoever brings this, with as much gas as he gives.
	function check(address wallet, bytes32 hash, bytes calldata signature) internal view {
		uint256 length = signature.length;
		if (length >= 32 && bytes32(signature[length - 32:]) == NOT_DEPLOYED) revert NotDeployed(wallet);
		(address by, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(hash, signature);
		if (problem == ECDSA.RecoverError.NoError && by == wallet) return;
		if (!SignatureChecker.isValidERC1271SignatureNowCalldata(wallet, hash, signature)) revert BadSignature(wallet);
	}
}
