// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a deposit of kind 0 asks the chain for: USDC for an account.
struct Credit {
	/// Whom the chain credits: a public key, or what `Vault.accountOf` gives for an Ethereum address. Not zero.
	bytes32 account;
	/// Of the amount, what goes to the account's ticket escrow as far as its cap allows. Micro-USDC.
	uint128 escrow;
	/// Ed25519 key that may sign tickets for the account; zero for none, and then limit, expiry and proof are zero too.
	bytes32 sessionKey;
	/// Micro-USDC that the session key may spend.
	uint128 sessionLimit;
	/// The chain's block at which the session key expires.
	uint32 sessionExpiry;
	/// What the session key signed to become the account's: `R` and `S` of its Ed25519 signature. The chain verifies it.
	bytes32[2] sessionProof;
}

/// @title The body of a deposit of kind 0
/// @notice 164 bytes: account 32 ‖ escrow u128 ‖ session key 32 ‖ session limit u128 ‖ session expiry u32 ‖ session proof
/// 64, integers big-endian.
library CreditBody {
	/// @notice The kind of its deposits.
	uint8 internal constant KIND = 0;
	uint256 internal constant LENGTH = 164;

	/// @notice Another length than a credit's.
	error WrongLength(uint256 length);
	/// @notice More for the escrow than is deposited.
	error EscrowAboveAmount(uint128 escrow, uint128 amount);
	/// @notice No account: nobody could ever use the money.
	error NoAccount();
	/// @notice A limit, an expiry or a proof without a session key.
	error NoSessionKey();

	function encode(Credit memory credit) internal pure returns (bytes memory) {
		return abi.encodePacked(
			credit.account,
			credit.escrow,
			credit.sessionKey,
			credit.sessionLimit,
			credit.sessionExpiry,
			credit.sessionProof
		);
	}

	function decode(bytes calldata body) internal pure returns (Credit memory) {
		if (body.length != LENGTH) revert WrongLength(body.length);
		return Credit({
			account: bytes32(body[:32]),
			escrow: uint128(bytes16(body[32:48])),
			sessionKey: bytes32(body[48:80]),
			sessionLimit: uint128(bytes16(body[80:96])),
			sessionExpiry: uint32(bytes4(body[96:100])),
			sessionProof: [bytes32(body[100:132]), bytes32(body[132:])]
		});
	}

	/// @notice Reverts unless the chain can credit this, by the chain's own rules.
	function check(bytes calldata body, uint128 amount) internal pure {
		Credit memory credit = decode(body);
		if (credit.escrow > amount) revert EscrowAboveAmount(credit.escrow, amount);
		if (credit.account == 0) revert NoAccount();
		if (credit.sessionKey != 0) return;
		bool proven = credit.sessionProof[0] != 0 || credit.sessionProof[1] != 0;
		if (credit.sessionLimit != 0 || credit.sessionExpiry != 0 || proven) revert NoSessionKey();
	}
}
