// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title USDC for tests: anyone mints
/// @notice Has the rules of FiatTokenV2_2 that matter to who holds or moves it: 6 decimals, domain "USD Coin" version "2",
/// EIP-2612, EIP-3009 (used once, valid strictly between two times, received only by the payee), a blacklist.
contract MockUsdc is ERC20, EIP712, Nonces {
	bytes32 private constant PERMIT =
		keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
	bytes32 private constant RECEIVE = keccak256(
		"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
	);

	mapping(address account => bool) public blacklisted;
	/// @dev Used or cancelled.
	mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

	error Blacklisted(address account);
	error PermitExpired();
	error InvalidSignature();
	error NotThePayee();
	error NotYetValid();
	error AuthorizationExpired();
	error AuthorizationUsed();

	event AuthorizationSpent(address indexed authorizer, bytes32 indexed nonce);

	constructor() ERC20("USD Coin", "USDC") EIP712("USD Coin", "2") {}

	function decimals() public pure override returns (uint8) {
		return 6;
	}

	function mint(address to, uint256 amount) external {
		_mint(to, amount);
	}

	function setBlacklisted(address account, bool yes) external {
		blacklisted[account] = yes;
	}

	// Named as in the token.
	// forge-lint: disable-next-line(mixed-case-function)
	function DOMAIN_SEPARATOR() external view returns (bytes32) {
		return _domainSeparatorV4();
	}

	function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature)
		external
	{
		if (block.timestamp > deadline) revert PermitExpired();
		check(owner, keccak256(abi.encode(PERMIT, owner, spender, value, _useNonce(owner), deadline)), signature);
		_approve(owner, spender, value);
	}

	function receiveWithAuthorization(
		address from,
		address to,
		uint256 value,
		uint256 validAfter,
		uint256 validBefore,
		bytes32 nonce,
		bytes calldata signature
	) external {
		if (msg.sender != to) revert NotThePayee();
		if (block.timestamp <= validAfter) revert NotYetValid();
		if (block.timestamp >= validBefore) revert AuthorizationExpired();
		if (authorizationState[from][nonce]) revert AuthorizationUsed();
		check(from, keccak256(abi.encode(RECEIVE, from, to, value, validAfter, validBefore, nonce)), signature);
		authorizationState[from][nonce] = true;
		emit AuthorizationSpent(from, nonce);
		_transfer(from, to, value);
	}

	function check(address signer, bytes32 structHash, bytes calldata signature) private view {
		if (!SignatureChecker.isValidSignatureNow(signer, _hashTypedDataV4(structHash), signature)) {
			revert InvalidSignature();
		}
	}

	function _update(address from, address to, uint256 value) internal override {
		if (blacklisted[from]) revert Blacklisted(from);
		if (blacklisted[to]) revert Blacklisted(to);
		super._update(from, to, value);
	}
}
