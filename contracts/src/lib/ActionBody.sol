// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The body of a deposit of kind 1
/// @notice What the chain is to do for the depositor's own account (`Vault.accountOf`), once the deposit is credited there:
/// version 1 ‖ which 1 ‖ its fields, integers big-endian. The vault looks at none of it, so that the chain can learn other
/// actions. One that the chain does not know, or that fails there, costs nothing: the money is on the account.
library ActionBody {
	/// @notice The kind of its deposits.
	uint8 internal constant KIND = 1;
	uint8 internal constant VERSION = 1;

	uint8 internal constant WITHDRAW = 0;
	uint8 internal constant UNLOCK = 1;
	uint8 internal constant COLLECT = 2;
	uint8 internal constant AUTHORIZE = 3;

	/// @notice Takes free USDC back to the L2: 54 bytes.
	/// @param amount Micro-USDC; 0 for all that is free, at most what one withdrawal may be.
	/// @param fee Of it, for whoever executes the withdrawal here.
	function withdraw(address to, uint128 amount, uint128 fee) internal pure returns (bytes memory) {
		return abi.encodePacked(VERSION, WITHDRAW, to, amount, fee);
	}

	/// @notice Asks for USDC of the deposit for tickets: 18 bytes.
	/// @param amount Micro-USDC; 0 for all of it.
	function unlock(uint128 amount) internal pure returns (bytes memory) {
		return abi.encodePacked(VERSION, UNLOCK, amount);
	}

	/// @notice Takes what was asked for out of the deposit for tickets, once its delay is over: 2 bytes.
	function collect() internal pure returns (bytes memory) {
		return abi.encodePacked(VERSION, COLLECT);
	}

	/// @notice Lets a session key sign tickets: 118 bytes.
	/// @param key Ed25519.
	/// @param limit Micro-USDC that it may spend.
	/// @param expiry The last block of the chain for which it may sign.
	/// @param proof What the key signed to become the account's: `R` and `S`.
	function authorize(bytes32 key, uint128 limit, uint32 expiry, bytes32[2] memory proof)
		internal
		pure
		returns (bytes memory)
	{
		return abi.encodePacked(VERSION, AUTHORIZE, key, limit, expiry, proof);
	}
}
