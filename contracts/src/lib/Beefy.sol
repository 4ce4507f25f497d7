// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Scale} from "./Scale.sol";

/// @title BEEFY: what validators sign about a finalised block, and the check that enough of them did
library Beefy {
	/// @notice The most validators that a set may have: as many as there are bits in `signers`.
	uint256 internal constant MAX_VALIDATORS = 256;

	/// @dev No validator's place.
	uint256 private constant NONE = type(uint256).max;

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
	/// @dev Leaves stand next to each other in memory, so each pair is hashed where it is.
	function commitmentOf(address[] calldata validators) internal pure returns (bytes32 root) {
		assembly ("memory-safe") {
			let row := mload(0x40)
			let width := validators.length
			let end := add(row, shl(5, width))
			let toMember := sub(validators.offset, row)
			for { let leaf := row } lt(leaf, end) { leaf := add(leaf, 0x20) } {
				mstore(0x00, shl(96, calldataload(add(leaf, toMember))))
				mstore(leaf, keccak256(0x00, 20))
			}
			for {} gt(width, 1) { width := shr(1, add(width, 1)) } {
				end := add(row, shl(5, shr(1, width)))
				let pair := row
				for { let parent := row } lt(parent, end) { parent := add(parent, 0x20) } {
					mstore(parent, keccak256(pair, 0x40))
					pair := add(pair, 0x40)
				}
				if and(width, 1) { mstore(end, mload(pair)) }
			}
			root := mload(row)
		}
	}

	/// @notice Reverts unless enough of `set` signed `message`.
	function verify(ValidatorSet memory set, bytes32 message, Signatures calldata signed) internal view {
		address[] calldata validators = signed.validators;
		Signature[] calldata signatures = signed.signatures;
		uint256 signers = signed.signers;

		if (validators.length != set.length || commitmentOf(validators) != set.commitment) {
			revert WrongValidators(set.id);
		}
		if (set.length < MAX_VALIDATORS && signers >> set.length != 0) revert SignerOutOfSet();
		uint256 count = popCount(signers);
		uint256 needed = threshold(set.length);
		if (signatures.length != count) revert SignatureCount(count, signatures.length);
		if (count < needed) revert TooFewSigners(count, needed);

		(uint256 validator, address signer) = firstWrong(message, signers, signatures, validators);
		if (validator == NONE) return;
		for (uint256 i = 0; i < validator; ++i) {
			if ((signers >> i) & 1 == 1 && validators[i] == signer && signer != address(0)) {
				revert DuplicateSigner(validator);
			}
		}
		revert WrongSignature(validator);
	}

	/// @dev The first of the signers in whose place stands a signature that is not theirs, and whose it is: zero where it is
	/// nobody's. `NONE` where all are right. There are as many signatures as signers, and a validator for each.
	function firstWrong(
		bytes32 message,
		uint256 signers,
		Signature[] calldata signatures,
		address[] calldata validators
	) private view returns (uint256 validator, address signer) {
		assembly ("memory-safe") {
			// What ecrecover (address 1) takes: the message, 27 or 28, r, s.
			let input := mload(0x40)
			mstore(input, message)
			let signature := signatures.offset
			let member := validators.offset
			for {} signers { signers := shr(1, signers) } {
				if and(signers, 1) {
					let vs := calldataload(add(signature, 0x20))
					mstore(add(input, 0x20), add(27, shr(255, vs)))
					mstore(add(input, 0x40), calldataload(signature))
					mstore(add(input, 0x60), shr(1, shl(1, vs)))
					// Where nothing is recovered nothing is written.
					mstore(0x00, 0)
					pop(staticcall(gas(), 1, input, 0x80, 0x00, 0x20))
					signer := mload(0x00)
					// Zero is nobody's, even where the set contains it: the chain's word for a key without an address.
					if or(iszero(signer), xor(signer, calldataload(member))) { break }
					signature := add(signature, 0x40)
				}
				member := add(member, 0x20)
			}
			validator := not(0)
			if signers { validator := shr(5, sub(member, validators.offset)) }
		}
	}

	/// @dev Sums neighbouring bits, then pairs of them and so on up to lanes of 16 bits, then all lanes by a multiplication.
	function popCount(uint256 bits) private pure returns (uint256) {
		unchecked {
			bits -= (bits >> 1) & (type(uint256).max / 3);
			bits = (bits & (type(uint256).max / 5)) + ((bits >> 2) & (type(uint256).max / 5));
			bits = (bits + (bits >> 4)) & (type(uint256).max / 17);
			bits = (bits + (bits >> 8)) & (type(uint256).max / 257);
			return bits * (type(uint256).max / 65_535) >> 240;
		}
	}
}
