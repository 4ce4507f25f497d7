// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Vault} from "../../src/Vault.sol";
import {IUsdc} from "../../src/interfaces/IUsdc.sol";
import {vm} from "./Vm.sol";

/// @title Wallets that are contracts, good and bad

/// @notice A wallet of several owners of whom `threshold` sign, in the manner of a Safe: a transaction that anybody submits
/// and pays for, and messages that they sign as the wallet's own, so that they are none of another wallet's.
contract SafeLike is IERC1271 {
	struct Call {
		address to;
		bytes data;
	}

	bytes32 private constant DOMAIN_TYPE = keccak256("EIP712Domain(uint256 chainId,address verifyingContract)");
	bytes32 private constant MESSAGE_TYPE = keccak256("SafeMessage(bytes message)");

	uint256 public immutable threshold;
	uint256 public nonce;
	mapping(address owner => bool) private owners;

	constructor(address[] memory owners_, uint256 threshold_) {
		for (uint256 i = 0; i < owners_.length; ++i) {
			owners[owners_[i]] = true;
		}
		threshold = threshold_;
	}

	/// @notice Does these calls, all or none.
	function execTransaction(Call[] calldata calls, bytes calldata signatures) external {
		require(approved(transactionHash(calls, nonce++), signatures), "not signed by the owners");
		for (uint256 i = 0; i < calls.length; ++i) {
			(bool done, bytes memory why) = calls[i].to.call(calls[i].data);
			if (!done) {
				assembly ("memory-safe") {
					revert(add(why, 32), mload(why))
				}
			}
		}
	}

	function isValidSignature(bytes32 hash, bytes calldata signatures) external view returns (bytes4) {
		return approved(messageHash(hash), signatures) ? this.isValidSignature.selector : bytes4(0);
	}

	function transactionHash(Call[] calldata calls, uint256 nonce_) public view returns (bytes32) {
		return typed(keccak256(abi.encode(calls, nonce_)));
	}

	/// @notice What the owners sign so that the wallet has signed `hash`.
	function messageHash(bytes32 hash) public view returns (bytes32) {
		return typed(keccak256(abi.encode(MESSAGE_TYPE, keccak256(abi.encode(hash)))));
	}

	function typed(bytes32 structHash) private view returns (bytes32) {
		bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, block.chainid, address(this)));
		return keccak256(abi.encodePacked(hex"1901", domain, structHash));
	}

	/// @dev Signatures are in the order of their owners' addresses, so that nobody counts twice.
	function approved(bytes32 hash, bytes calldata signatures) private view returns (bool) {
		if (signatures.length != 65 * threshold) return false;
		address last;
		for (uint256 i = 0; i < threshold; ++i) {
			(address by,,) = ECDSA.tryRecoverCalldata(hash, signatures[65 * i:65 * (i + 1)]);
			if (!owners[by] || by <= last) return false;
			last = by;
		}
		return true;
	}
}

/// @notice Signs with the keys of a Safe's owners.
library Owners {
	/// @notice Of these keys, each signature behind the one before in the order of the addresses.
	function sign(uint256[] memory keys, bytes32 hash) internal pure returns (bytes memory signatures) {
		for (uint256 i = 0; i < keys.length; ++i) {
			for (uint256 j = i + 1; j < keys.length; ++j) {
				if (vm.addr(keys[j]) < vm.addr(keys[i])) (keys[i], keys[j]) = (keys[j], keys[i]);
			}
			(uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[i], hash);
			signatures = bytes.concat(signatures, abi.encodePacked(r, s, v));
		}
	}
}

/// @notice Whose one owner signs what it signs, whichever wallet of his it is for.
contract Careless is IERC1271 {
	address private immutable owner;

	constructor(address owner_) {
		owner = owner_;
	}

	function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
		return ECDSA.recover(hash, signature) == owner ? this.isValidSignature.selector : bytes4(0);
	}
}

/// @notice Says that it signed anything.
contract Liar is IERC1271 {
	function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
		return this.isValidSignature.selector;
	}
}

/// @notice Answers what `answer` is, or reverts with it.
contract Odd {
	bytes private answer;
	bool private reverts;

	constructor(bytes memory answer_, bool reverts_) {
		(answer, reverts) = (answer_, reverts_);
	}

	fallback() external {
		bytes memory said = answer;
		bool fails = reverts;
		assembly ("memory-safe") {
			if fails { revert(add(said, 32), mload(said)) }
			return(add(said, 32), mload(said))
		}
	}
}

/// @notice Burns all the gas that it is given.
contract Burner {
	fallback() external {
		assembly ("memory-safe") {
			invalid()
		}
	}
}

/// @notice Sends something while it is asked whether it signed, does not mind whether it could, and says that it signed.
contract Reenterer {
	Vault private immutable vault;

	constructor(Vault vault_) {
		vault = vault_;
		IUsdc usdc = vault_.usdc();
		usdc.approve(address(vault_), type(uint256).max);
	}

	function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
		(bool done,) = address(vault).call(abi.encodeCall(vault.send, (100_000, "")));
		require(!done, "a static call wrote");
		return this.isValidSignature.selector;
	}
}
