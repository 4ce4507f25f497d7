// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The cheat codes of forge that our tests use
/// @notice The whole list is in forge's book; declared here so that no library has to be fetched from elsewhere than npm.
interface Vm {
	/// What the last call cost; `gasTotalUsed` is what a receipt would say, before refunds.
	struct Gas {
		uint64 gasLimit;
		uint64 gasTotalUsed;
		uint64 gasMemoryUsed;
		int64 gasRefunded;
		uint64 gasRemaining;
	}

	function addr(uint256 privateKey) external pure returns (address);
	function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
	function signCompact(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);

	function assume(bool condition) external pure;
	function prank(address sender) external;
	function startPrank(address sender) external;
	function stopPrank() external;
	function chainId(uint256 id) external;
	function warp(uint256 timestamp) external;
	function roll(uint256 blockNumber) external;
	function load(address target, bytes32 slot) external view returns (bytes32);
	function store(address target, bytes32 slot, bytes32 value) external;
	function etch(address target, bytes calldata code) external;
	function label(address account, string calldata name) external;

	function expectRevert(bytes calldata revertData) external;
	function expectRevert(bytes4 selector) external;
	function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;

	function assertTrue(bool condition) external pure;
	function assertFalse(bool condition) external pure;
	function assertEq(uint256 left, uint256 right) external pure;
	function assertEq(uint256 left, uint256 right, string calldata message) external pure;
	function assertEq(bytes32 left, bytes32 right) external pure;
	function assertEq(bytes32 left, bytes32 right, string calldata message) external pure;
	function assertEq(address left, address right) external pure;
	function assertEq(bytes calldata left, bytes calldata right) external pure;
	function assertEq(bytes calldata left, bytes calldata right, string calldata message) external pure;
	function assertLe(uint256 left, uint256 right, string calldata message) external pure;

	function readFile(string calldata path) external view returns (string memory);
	function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
	function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
	function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
	function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
	function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
	function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
	function parseJsonBytes32Array(string calldata json, string calldata key) external pure returns (bytes32[] memory);
	function parseJsonBytesArray(string calldata json, string calldata key) external pure returns (bytes[] memory);
	function parseJsonAddressArray(string calldata json, string calldata key) external pure returns (address[] memory);
	function toString(uint256 value) external pure returns (string memory);
	function toString(address value) external pure returns (string memory);
	function parseBytes(string calldata hexadecimal) external pure returns (bytes memory);
	function replace(string calldata text, string calldata from, string calldata to)
		external
		pure
		returns (string memory);

	function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gas);
	function lastCallGas() external view returns (Gas memory gas);
	function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @notice `value` brought into `low` to `high`, both inclusive, evenly enough for fuzzing.
function bound(uint256 value, uint256 low, uint256 high) pure returns (uint256) {
	return low + value % (high - low + 1);
}
