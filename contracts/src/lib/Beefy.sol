// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Mmr} from "./Mmr.sol";
import {Scale} from "./Scale.sol";

/// @title BEEFY: what validators sign about a finalised block, and the check that enough of them did
library Beefy {
	/// @notice The most validators that a set may have: as many as there are bits in `signers`.
	uint256 internal constant MAX_VALIDATORS = 256;

	/// @notice A validator set, by the commitment to its members' Ethereum addresses.
	struct ValidatorSet {
		uint64 id;
		uint32 length;
		/// Merkle root over keccak256(address), a node being keccak256(left ‖ right), the last of an odd row promoted.
		bytes32 commitment;
	}

	/// @notice What validators sign: that the range's root after `blockNumber` is `mmrRoot`.
	struct Commitment {
		bytes32 mmrRoot;
		uint32 blockNumber;
		uint64 setId;
	}

	/// @notice A signature of secp256k1 in 64 bytes (EIP-2098): the recovery bit is the highest of `vs`, so `s` has to be in
	/// the lower half of the order.
	struct Signature {
		bytes32 r;
		bytes32 vs;
	}

	/// @notice Who signed.
	struct Signatures {
		/// Bit i says that validator i signed.
		uint256 signers;
		/// Those of the signers, in their order.
		Signature[] signatures;
		/// Every validator of the set, in its order.
		address[] validators;
	}

	/// @notice `validators` are not the members of the set.
	error WrongValidators(uint64 setId);
	/// @notice A bit of `signers` beyond the set's length.
	error SignerOutOfSet();
	/// @notice As many signatures as signers are needed.
	error SignatureCount(uint256 signers, uint256 signatures);
	/// @notice Fewer than `threshold` of the set signed.
	error TooFewSigners(uint256 signers, uint256 needed);
	/// @notice The signature is not by the validator in whose place it stands.
	error WrongSignature(uint256 validator);
	/// @notice The signature is by a validator whose signature was already counted.
	error DuplicateSigner(uint256 validator);

	/// @notice keccak256 of the commitment's SCALE encoding, 48 bytes: a payload of one entry (its count, its name "mh", its
	/// length, the root), block number u32, set id u64, little-endian.
	function hash(Commitment calldata commitment) internal pure returns (bytes32) {
		return keccak256(
			abi.encodePacked(
				bytes4(0x046d6880), // one entry, "mh", 32 bytes; counts and lengths in compact form
				commitment.mmrRoot,
				Scale.le32(commitment.blockNumber),
				Scale.le64(commitment.setId)
			)
		);
	}

	/// @notice Signatures that a set of `length` needs so that more than two thirds signed: BEEFY's own threshold.
	/// @dev `length` is not zero.
	function threshold(uint256 length) internal pure returns (uint256) {
		return length - (length - 1) / 3;
	}

	/// @notice The commitment to a set of at least one validator.
	function commitmentOf(address[] calldata validators) internal pure returns (bytes32) {
		uint256 width = validators.length;
		bytes32[] memory row = new bytes32[](width);
		for (uint256 i = 0; i < width; ++i) {
			row[i] = keccak256(abi.encodePacked(validators[i]));
		}
		for (; width > 1; width = (width + 1) >> 1) {
			for (uint256 i = 0; i < width; i += 2) {
				row[i >> 1] = i + 1 < width ? Mmr.hashPair(row[i], row[i + 1]) : row[i];
			}
		}
		return row[0];
	}

	/// @notice Reverts unless enough of `set` signed `message`.
	function verify(ValidatorSet memory set, bytes32 message, Signatures calldata signed) internal pure {
		if (signed.validators.length != set.length || commitmentOf(signed.validators) != set.commitment) {
			revert WrongValidators(set.id);
		}
		uint256 signers = signed.signers;
		if (set.length < MAX_VALIDATORS && signers >> set.length != 0) revert SignerOutOfSet();
		uint256 count = popCount(signers);
		if (signed.signatures.length != count) revert SignatureCount(count, signed.signatures.length);
		if (count < threshold(set.length)) revert TooFewSigners(count, threshold(set.length));

		uint256 used = 0;
		for (uint256 i = 0; signers != 0; ++i) {
			if (signers & 1 == 1) {
				address signer = recover(message, signed.signatures[used++]);
				// Recovery that fails gives zero, which a set may contain: the chain's word for a key without an address.
				if (signer == address(0) || signer != signed.validators[i]) revertWith(signer, i, signed);
			}
			signers >>= 1;
		}
	}

	function recover(bytes32 message, Signature calldata signature) private pure returns (address) {
		uint8 v = uint8(uint256(signature.vs) >> 255) + 27;
		return ecrecover(message, v, signature.r, (signature.vs << 1) >> 1);
	}

	/// @dev Says what is wrong with the signature in validator `i`'s place.
	function revertWith(address signer, uint256 i, Signatures calldata signed) private pure {
		for (uint256 earlier = 0; earlier < i; ++earlier) {
			bool counted = (signed.signers >> earlier) & 1 == 1;
			if (counted && signer != address(0) && signer == signed.validators[earlier]) revert DuplicateSigner(i);
		}
		revert WrongSignature(i);
	}

	function popCount(uint256 bits) private pure returns (uint256 count) {
		for (; bits != 0; bits &= bits - 1) ++count;
	}
}
