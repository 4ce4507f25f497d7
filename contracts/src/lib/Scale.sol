// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The integers of SCALE, the chain's encoding: fixed width, little-endian
library Scale {
	function le32(uint32 value) internal pure returns (bytes4) {
		value = ((value & 0x00ff00ff) << 8) | ((value >> 8) & 0x00ff00ff);
		return bytes4((value << 16) | (value >> 16));
	}

	function le64(uint64 value) internal pure returns (bytes8) {
		value = ((value & 0x00ff00ff00ff00ff) << 8) | ((value >> 8) & 0x00ff00ff00ff00ff);
		value = ((value & 0x0000ffff0000ffff) << 16) | ((value >> 16) & 0x0000ffff0000ffff);
		return bytes8((value << 32) | (value >> 32));
	}
}
