// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title What the vault uses of USDC (FiatTokenV2_2) beyond ERC-20
/// @notice Signatures are bytes: 65 of a key, or whatever a contract wallet takes (EIP-1271).
interface IUsdc is IERC20 {
	/// @notice EIP-2612: lets `spender` take `value` of `owner`, who signed so.
	function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature) external;

	/// @notice EIP-3009: moves `value` from `from`, who signed so, to `to`, who has to be the caller.
	function receiveWithAuthorization(
		address from,
		address to,
		uint256 value,
		uint256 validAfter,
		uint256 validBefore,
		bytes32 nonce,
		bytes calldata signature
	) external;
}
