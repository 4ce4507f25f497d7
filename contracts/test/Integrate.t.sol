// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// [gift]
import {Vault} from "../src/Vault.sol";
import {IUsdc} from "../src/interfaces/IUsdc.sol";
import {Credit, CreditBody} from "../src/lib/CreditBody.sol";

/// @notice Sells hours of video for USDC: the buyer's chain account is credited, ready for tickets.
contract Box {
	Vault private immutable vault;
	IUsdc private immutable usdc;

	constructor(Vault vault_) {
		vault = vault_;
		usdc = vault_.usdc();
		usdc.approve(address(vault_), type(uint256).max);
	}

	/// @notice No session key: the chain takes one only from the owner of the account.
	function buy(uint128 amount) external {
		usdc.transferFrom(msg.sender, address(this), amount);
		vault.deposit(
			Vault.Order({
				kind: CreditBody.KIND,
				amount: amount,
				refundTo: msg.sender,
				body: CreditBody.encode(
					Credit({
						account: vault.accountOf(msg.sender),
						escrow: amount,
						sessionKey: 0,
						sessionLimit: 0,
						sessionExpiry: 0,
						sessionProof: [bytes32(0), bytes32(0)]
					})
				)
			})
		);
	}
}
// [end]

// [purse]
import {ActionBody} from "../src/lib/ActionBody.sol";

/// @notice Pays for its owner's video out of its own account on the chain, and gets back what is left of it. Any contract that
/// can call the vault can do the same, a wallet too.
contract Purse {
	/// For whoever executes the withdrawal on the L2, micro-USDC.
	uint128 private constant FEE = 20_000;

	address private immutable owner = msg.sender;
	Vault private immutable vault;

	constructor(Vault vault_) {
		vault = vault_;
		vault_.usdc().approve(address(vault_), type(uint256).max);
	}

	modifier onlyOwner() {
		require(msg.sender == owner, "not the owner");
		_;
	}

	/// @notice Lets a player's key spend; `proof` is what it signed for `vault.accountOf(address(this))`. `amount` of USDC, at
	/// least 0.1, comes to the account along with it.
	function letSpend(uint128 amount, bytes32 key, uint128 limit, uint32 expiry, bytes32[2] calldata proof)
		external
		onlyOwner
	{
		vault.send(amount, ActionBody.authorize(key, limit, expiry, proof));
	}

	/// @notice Everything that is free on the account comes back here, and the 0.1 USDC that is sent.
	function takeBack() external onlyOwner {
		vault.send(vault.MIN_ACTION(), ActionBody.withdraw(address(this), 0, FEE));
	}
}
// [end]

import {Bridge} from "./util/Bridge.sol";
import {vm} from "./util/Vm.sol";

/// @dev The Solidity snippets of docs/integrate.md.
contract IntegrateTest is Bridge {
	event Deposited(
		uint64 indexed number,
		bytes32 indexed subject,
		address indexed depositor,
		uint8 kind,
		uint128 amount,
		address refundTo,
		bytes body
	);

	function test_contract_deposits_for_its_caller() public {
		start(1);
		Box box = new Box(vault);
		address buyer = address(0xb0b);
		usdc.mint(buyer, 20e6);
		vm.prank(buyer);
		usdc.approve(address(box), 20e6);

		vm.expectEmit(true, true, true, true, address(vault));
		Credit memory credit = creditOf(buyer);
		credit.escrow = 20e6;
		emit Deposited(0, accountOf(buyer), address(box), 0, 20e6, buyer, CreditBody.encode(credit));
		vm.prank(buyer);
		box.buy(20e6);
		require(usdc.balanceOf(address(vault)) == 20e6, "all of it is in the vault");
	}

	function test_contract_acts_for_its_own_account() public {
		start(1);
		Purse purse = new Purse(vault);
		usdc.mint(address(purse), 5e6);
		bytes32[2] memory proof = [keccak256("R"), keccak256("S")];
		bytes memory body = abi.encodePacked(hex"0103", keccak256("key"), uint128(2e6), uint32(900), proof);
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(0, bytes32(body), address(purse), 1, 3e6, address(purse), body);
		purse.letSpend(3e6, keccak256("key"), 2e6, 900, proof);

		body = abi.encodePacked(hex"0100", purse, uint128(0), uint128(20_000));
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(1, bytes32(body), address(purse), 1, 100_000, address(purse), body);
		purse.takeBack();
		require(usdc.balanceOf(address(purse)) == 1_900_000, "the rest");

		vm.expectRevert("not the owner");
		vm.prank(address(0xb0b));
		purse.takeBack();
	}
}
