// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Credit, CreditBody} from "../src/lib/CreditBody.sol";
import {DepositTree} from "../src/lib/DepositTree.sol";
import {OutgoingTree} from "../src/lib/OutgoingTree.sol";
import {Bridge} from "./util/Bridge.sol";
import {Reference} from "./util/Reference.sol";
import {bound, vm} from "./util/Vm.sol";
import {Careless} from "./util/Wallets.sol";

contract DepositTest is Bridge {
	uint256 private constant KEY = 0xa11ce;
	address private immutable alice = vm.addr(KEY);
	address private constant SUBMITTER = address(0x5b);
	uint128 private constant AMOUNT = 20e6;
	uint128 private constant FEE = 50_000;
	uint256 private constant AFTER = 1_699_999_000;
	uint256 private constant BEFORE = 1_700_001_000;

	event Deposited(
		uint64 indexed number,
		bytes32 indexed subject,
		address indexed depositor,
		uint8 kind,
		uint128 amount,
		address refundTo,
		bytes body
	);

	function setUp() public {
		start(1);
		usdc.mint(alice, 100_000e6);
	}

	function credit() private view returns (Credit memory) {
		return Credit({
			account: accountOf(alice),
			escrow: 15e6,
			sessionKey: keccak256("session"),
			sessionLimit: 10e6,
			sessionExpiry: 43_200,
			sessionProof: [keccak256("R"), keccak256("S")]
		});
	}

	function order() private view returns (Vault.Order memory) {
		return orderOf(alice, AMOUNT, credit());
	}

	function approve(uint256 amount) private {
		vm.prank(alice);
		usdc.approve(address(vault), amount);
	}

	function deposit(Vault.Order memory o) private {
		vm.prank(alice);
		vault.deposit(o);
	}

	/// The vault has taken one deposit of `depositor` and it alone.
	function assertDeposited(address depositor, Vault.Order memory o) private view {
		(uint64 count, bytes32 root,) = vault.state();
		vm.assertEq(count, 1);
		bytes32[] memory leaves = new bytes32[](1);
		leaves[0] = leafOf(0, depositor, o);
		vm.assertEq(root, Reference.paddedRoot(hex"01", leaves, 32));
		vm.assertEq(usdc.balanceOf(address(vault)), o.amount);
	}

	function testFuzz_account_of_an_address_is_its_tagged_hash(address owner) public view {
		vm.assertEq(vault.accountOf(owner), accountOf(owner));
	}

	// deposit

	function test_deposit_takes_the_amount_and_records_every_field() public {
		approve(AMOUNT);
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(0, accountOf(alice), alice, 0, AMOUNT, alice, order().body);
		deposit(order());
		assertDeposited(alice, order());
		vm.assertEq(usdc.balanceOf(alice), 100_000e6 - AMOUNT);
		(uint64 count, uint64 lastBlock, uint128 total) = vault.deposits();
		vm.assertEq(count, 1);
		vm.assertEq(lastBlock, 1_000_000);
		vm.assertEq(total, AMOUNT);
	}

	function testFuzz_deposits_are_recorded_in_their_order(uint128[8] calldata amounts) public {
		bytes32[] memory leaves = new bytes32[](amounts.length);
		uint256 total = 0;
		approve(type(uint256).max);
		for (uint64 i = 0; i < amounts.length; ++i) {
			uint128 amount = uint128(bound(amounts[i], 1e6, 10_000e6));
			Credit memory c = credit();
			c.escrow = amounts[i] % amount;
			Vault.Order memory o = orderOf(alice, amount, c);
			vm.roll(1_000_000 + i);
			deposit(o);
			leaves[i] = leafOf(i, alice, o);
			total += o.amount;
		}
		(uint64 count, bytes32 root,) = vault.state();
		vm.assertEq(count, amounts.length);
		vm.assertEq(root, Reference.paddedRoot(hex"01", leaves, 32));
		(, uint64 lastBlock, uint128 sum) = vault.deposits();
		vm.assertEq(lastBlock, 1_000_007);
		vm.assertEq(sum, total);
		vm.assertEq(usdc.balanceOf(address(vault)), total);
	}

	function test_refused_when_less_than_the_least_or_more_than_the_most() public {
		approve(type(uint256).max);
		Vault.Order memory o = orderOf(alice, 1e6 - 1);
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, o.amount));
		deposit(o);
		o.amount = 10_000e6 + 1;
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, o.amount));
		deposit(o);
		o.amount = 1e6;
		deposit(o);
		o.amount = 10_000e6;
		deposit(o);
	}

	/// `c` is refused with this error, and `good` is taken.
	function assertRefused(Credit memory c, bytes memory refusal, Credit memory good) private {
		approve(type(uint256).max);
		vm.expectRevert(refusal);
		deposit(orderOf(alice, AMOUNT, c));
		deposit(orderOf(alice, AMOUNT, good));
	}

	function test_refused_when_more_for_the_escrow_than_deposited() public {
		(Credit memory c, Credit memory good) = (credit(), credit());
		(c.escrow, good.escrow) = (AMOUNT + 1, AMOUNT);
		assertRefused(c, abi.encodeWithSelector(CreditBody.EscrowAboveAmount.selector, AMOUNT + 1, AMOUNT), good);
	}

	function test_refused_without_an_account() public {
		(Credit memory c, Credit memory good) = (credit(), credit());
		(c.account, good.account) = (0, bytes32(uint256(1)));
		assertRefused(c, abi.encodeWithSelector(CreditBody.NoAccount.selector), good);
	}

	function test_refused_when_limit_expiry_or_proof_have_no_session_key() public {
		Credit memory c = creditOf(alice);
		bytes memory refusal = abi.encodeWithSelector(CreditBody.NoSessionKey.selector);
		c.sessionLimit = 1;
		assertRefused(c, refusal, creditOf(alice));
		(c.sessionLimit, c.sessionExpiry) = (0, 1);
		assertRefused(c, refusal, credit());
		(c.sessionExpiry, c.sessionProof[1]) = (0, bytes32(uint256(1)));
		assertRefused(c, refusal, creditOf(alice));
		(c.sessionProof[0], c.sessionProof[1]) = (bytes32(uint256(1)), 0);
		assertRefused(c, refusal, creditOf(alice));
	}

	function test_refused_when_a_credit_has_another_length() public {
		approve(type(uint256).max);
		Vault.Order memory o = order();
		bytes memory body = o.body;
		o.body = bytes.concat(body, hex"00");
		vm.expectRevert(abi.encodeWithSelector(CreditBody.WrongLength.selector, 165));
		deposit(o);
		o.body = "";
		vm.expectRevert(abi.encodeWithSelector(CreditBody.WrongLength.selector, 0));
		deposit(o);
		o.body = body;
		deposit(o);
	}

	function testFuzz_a_kind_that_is_not_known_is_recorded_as_it_is(uint8 kind, bytes calldata raw) public {
		approve(AMOUNT);
		Vault.Order memory o = order();
		o.kind = uint8(bound(kind, 2, 255));
		o.body = raw[:raw.length % 257];
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(0, bytes32(o.body), alice, o.kind, AMOUNT, alice, o.body);
		deposit(o);
		assertDeposited(alice, o);
	}

	function test_refused_when_the_body_is_longer_than_it_may_be() public {
		approve(type(uint256).max);
		Vault.Order memory o = order();
		o.kind = 1;
		o.body = new bytes(257);
		vm.expectRevert(abi.encodeWithSelector(Vault.BodyTooLong.selector, 257));
		deposit(o);
		o.body = new bytes(256);
		deposit(o);
	}

	function test_refused_when_nobody_could_be_refunded() public {
		approve(type(uint256).max);
		Vault.Order memory o = order();
		for (uint256 i = 0; i < 2; ++i) {
			o.refundTo = [address(0), address(vault)][i];
			vm.expectRevert(abi.encodeWithSelector(Vault.BadRefundAddress.selector, o.refundTo));
			deposit(o);
		}
		o.refundTo = SUBMITTER;
		deposit(o);
	}

	function test_a_vault_names_its_chain_which_fits() public {
		vm.assertEq(vault.l2(), block.chainid);
		uint256[2] memory wrong = [uint256(0), uint256(type(uint32).max) + 1];
		for (uint256 i = 0; i < wrong.length; ++i) {
			vm.chainId(wrong[i]);
			vm.expectRevert(abi.encodeWithSelector(Vault.ChainIdOutOfBounds.selector, wrong[i]));
			new Vault(usdc, ILightClient(address(client)));
		}
		vm.chainId(type(uint32).max);
		Vault last = new Vault(usdc, ILightClient(address(client)));
		vm.assertEq(last.l2(), type(uint32).max);
		// The same address has another account there.
		vm.assertTrue(last.accountOf(alice) != vault.accountOf(alice));
		vm.assertEq(last.accountOf(alice), accountOf(alice));
	}

	function test_the_state_says_how_far_the_light_client_is() public {
		(,, uint32 known) = vault.state();
		vm.assertEq(known, 0);
		chain.produce(new OutgoingTree.Withdrawal[](0));
		chain.produce(new OutgoingTree.Withdrawal[](0));
		relay();
		(,, known) = vault.state();
		vm.assertEq(known, 2);
		vm.assertEq(client.newestBlock(), 2);
	}

	function test_refused_without_approval_or_balance_and_nothing_recorded() public {
		approve(AMOUNT - 1);
		vm.expectRevert("ERC20: transfer amount exceeds allowance");
		deposit(order());
		approve(AMOUNT);
		vm.prank(alice);
		usdc.transfer(SUBMITTER, 100_000e6 - AMOUNT + 1);
		vm.expectRevert("ERC20: transfer amount exceeds balance");
		deposit(order());
		(uint64 count,,) = vault.state();
		vm.assertEq(count, 0);
	}

	function test_refused_when_the_tree_is_full() public {
		approve(type(uint256).max);
		// The count is the lowest 64 bits of the vault's first slot.
		vm.store(address(vault), 0, bytes32(uint256(type(uint32).max)));
		vm.expectRevert(DepositTree.TreeFull.selector);
		deposit(order());
		vm.store(address(vault), 0, bytes32(uint256(type(uint32).max) - 1));
		deposit(order());
	}

	// depositWithPermit

	function test_permit_replaces_the_approval() public {
		bytes memory signature = signPermit(KEY, AMOUNT, 0, BEFORE);
		vm.prank(alice);
		vault.depositWithPermit(order(), BEFORE, signature);
		assertDeposited(alice, order());
	}

	function test_permit_that_somebody_submitted_before_is_as_good() public {
		bytes memory signature = signPermit(KEY, AMOUNT, 0, BEFORE);
		vm.prank(SUBMITTER);
		usdc.permit(alice, address(vault), AMOUNT, BEFORE, signature);
		vm.prank(alice);
		vault.depositWithPermit(order(), BEFORE, signature);
		assertDeposited(alice, order());
	}

	function test_refused_when_the_permit_is_bad() public {
		bytes memory noAllowance = "ERC20: transfer amount exceeds allowance";
		// Less than the amount.
		bytes memory signature = signPermit(KEY, AMOUNT - 1, 0, BEFORE);
		vm.expectRevert(noAllowance);
		vm.prank(alice);
		vault.depositWithPermit(order(), BEFORE, signature);
		// Expired.
		signature = signPermit(KEY, AMOUNT, 0, AFTER);
		vm.expectRevert(noAllowance);
		vm.prank(alice);
		vault.depositWithPermit(order(), AFTER, signature);
		// Another's: a permit is good for whom it is by, and that is who calls.
		signature = signPermit(KEY, AMOUNT, 0, BEFORE);
		vm.expectRevert(noAllowance);
		vm.prank(SUBMITTER);
		vault.depositWithPermit(order(), BEFORE, signature);
	}

	// depositWithAuthorization

	function authorize(Vault.Order memory o, uint128 fee) private view returns (bytes memory) {
		bytes32 nonce = vault.authorizationNonce(o, fee, AFTER, BEFORE);
		return signAuthorization(KEY, uint256(o.amount) + fee, AFTER, BEFORE, nonce);
	}

	function test_anyone_submits_an_authorization_and_gets_the_fee() public {
		bytes memory signature = authorize(order(), FEE);
		vm.prank(SUBMITTER);
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
		assertDeposited(alice, order());
		vm.assertEq(usdc.balanceOf(SUBMITTER), FEE);
		vm.assertEq(usdc.balanceOf(alice), 100_000e6 - AMOUNT - FEE);
	}

	function test_an_authorization_may_have_no_fee() public {
		bytes memory signature = authorize(order(), 0);
		vm.prank(SUBMITTER);
		vault.depositWithAuthorization(order(), 0, alice, AFTER, BEFORE, signature);
		assertDeposited(alice, order());
		vm.assertEq(usdc.balanceOf(SUBMITTER), 0);
	}

	function test_a_contract_wallet_authorizes() public {
		address wallet = address(new Careless(alice));
		usdc.mint(wallet, AMOUNT);
		bytes32 nonce = vault.authorizationNonce(order(), 0, AFTER, BEFORE);
		bytes memory signature = signTyped(
			KEY,
			keccak256(
				abi.encode(
					keccak256(
						"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
					),
					wallet,
					address(vault),
					AMOUNT,
					AFTER,
					BEFORE,
					nonce
				)
			)
		);
		vault.depositWithAuthorization(order(), 0, wallet, AFTER, BEFORE, signature);
		assertDeposited(wallet, order());
	}

	function test_who_submits_an_authorization_can_change_nothing() public {
		bytes memory signature = authorize(order(), FEE);
		Vault.Order[4] memory changed;
		for (uint256 i = 0; i < changed.length; ++i) {
			changed[i] = order();
		}
		changed[0].kind = 1;
		changed[1].amount += FEE;
		changed[2].refundTo = SUBMITTER;
		Credit memory theirs = credit();
		theirs.account = accountOf(SUBMITTER);
		changed[3].body = CreditBody.encode(theirs);
		for (uint256 i = 0; i < changed.length; ++i) {
			vm.expectRevert("FiatTokenV2: invalid signature");
			// The whole stays what was signed where amount and fee are shifted.
			vault.depositWithAuthorization(changed[i], i == 1 ? 0 : FEE, alice, AFTER, BEFORE, signature);
		}
		vm.expectRevert("FiatTokenV2: invalid signature");
		vault.depositWithAuthorization(order(), FEE + 1, alice, AFTER, BEFORE, signature);
		vm.expectRevert("FiatTokenV2: invalid signature");
		vault.depositWithAuthorization(order(), FEE, SUBMITTER, AFTER, BEFORE, signature);
		vm.expectRevert("FiatTokenV2: invalid signature");
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE + 1, signature);
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
	}

	function test_an_authorization_is_good_once() public {
		bytes memory signature = authorize(order(), FEE);
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
		vm.expectRevert("FiatTokenV2: authorization is used or canceled");
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
		// The same deposit again, authorised until another time.
		bytes32 nonce = vault.authorizationNonce(order(), FEE, AFTER, BEFORE + 1);
		signature = signAuthorization(KEY, uint256(AMOUNT) + FEE, AFTER, BEFORE + 1, nonce);
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE + 1, signature);
	}

	function test_an_authorization_is_good_for_the_vault_alone() public {
		bytes memory signature = authorize(order(), FEE);
		bytes32 nonce = vault.authorizationNonce(order(), FEE, AFTER, BEFORE);
		vm.expectRevert("FiatTokenV2: caller must be the payee");
		usdc.receiveWithAuthorization(alice, address(vault), AMOUNT + FEE, AFTER, BEFORE, nonce, signature);
	}

	function test_an_authorization_has_its_time() public {
		bytes memory signature = authorize(order(), FEE);
		vm.warp(AFTER);
		vm.expectRevert("FiatTokenV2: authorization is not yet valid");
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
		vm.warp(BEFORE);
		vm.expectRevert("FiatTokenV2: authorization is expired");
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
		vm.warp(BEFORE - 1);
		vault.depositWithAuthorization(order(), FEE, alice, AFTER, BEFORE, signature);
	}

	function test_an_authorized_order_has_the_same_bounds() public {
		Vault.Order memory o = order();
		o.amount = 10_000e6 + 1;
		bytes memory signature = authorize(o, 0);
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, o.amount));
		vault.depositWithAuthorization(o, 0, alice, AFTER, BEFORE, signature);
	}
}
