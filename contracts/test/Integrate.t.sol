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

import {Bridge} from "./util/Bridge.sol";
import {vm} from "./util/Vm.sol";

/// @dev The Solidity snippet of docs/integrate.md.
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
}
