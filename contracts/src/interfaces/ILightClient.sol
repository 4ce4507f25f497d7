// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What the vault asks of the light client
interface ILightClient {
	/// @notice The Merkle mountain range's root in slot `slot` (0 to 15) of the newest that the validators signed; zero when
	/// there is none yet.
	function roots(uint256 slot) external view returns (bytes32);

	/// @notice Newest block of the chain that the validators' signatures were accepted for; zero when there is none yet.
	function newestBlock() external view returns (uint32);
}
