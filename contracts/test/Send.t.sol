// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {ActionBody} from "../src/lib/ActionBody.sol";
import {CreditBody} from "../src/lib/CreditBody.sol";
import {SendMessage, Sending} from "../src/lib/SendMessage.sol";
import {Bridge} from "./util/Bridge.sol";
import {Reference} from "./util/Reference.sol";
import {bound, vm} from "./util/Vm.sol";
import {Burner, Careless, Liar, Odd, Owners, Reenterer, SafeLike} from "./util/Wallets.sol";

/// @notice `send` and `sendFor`: a wallet of whatever kind acts for its account on the chain, and nobody else does.
contract SendTest is Bridge {
	uint256 private constant KEY = 0xa11ce;
	uint256[3] private OWNERS = [uint256(0x51), 0x52, 0x53];
	address private immutable alice = vm.addr(KEY);
	address private constant SUBMITTER = address(0x5b);
	uint128 private constant AMOUNT = 100_000;
	uint128 private constant FEE = 50_000;
	uint64 private constant DEADLINE = 1_700_000_900;
	bytes32 private constant SUFFIX = 0x6492649264926492649264926492649264926492649264926492649264926492;

	event Deposited(
		uint64 indexed number,
		bytes32 indexed subject,
		address indexed depositor,
		uint8 kind,
		uint128 amount,
		address refundTo,
		bytes body
	);

	SafeLike private safe;

	function setUp() public {
		start(1);
		usdc.mint(alice, 100e6);
		safe = newSafe();
		usdc.mint(address(safe), 100e6);
	}

	function newSafe() private returns (SafeLike) {
		address[] memory owners = new address[](3);
		for (uint256 i = 0; i < 3; ++i) {
			owners[i] = vm.addr(OWNERS[i]);
		}
		return new SafeLike(owners, 2);
	}

	/// Takes everything back to its wallet.
	function body(address wallet) private pure returns (bytes memory) {
		return ActionBody.withdraw(wallet, 0, 20_000);
	}

	function sending(address wallet) private pure returns (Sending memory) {
		return Sending({kind: 1, amount: AMOUNT, body: body(wallet), fee: FEE, nonce: 7, deadline: DEADLINE});
	}

	function approve(address wallet) private {
		vm.prank(wallet);
		usdc.approve(address(vault), type(uint256).max);
	}

	/// What is signed, from the words of the interface.
	function digestOf(Sending memory s, address wallet) private view returns (bytes32) {
		return digestOf(s, wallet, address(vault), block.chainid);
	}

	function digestOf(Sending memory s, address wallet, address vault_, uint256 chain_) private pure returns (bytes32) {
		bytes32 domain = keccak256(
			abi.encode(
				keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
				keccak256("ClusterCast"),
				keccak256("2"),
				chain_,
				vault_
			)
		);
		bytes32 message = keccak256(
			abi.encode(
				keccak256(
					"Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)"
				),
				wallet,
				s.kind,
				s.amount,
				keccak256(s.body),
				s.fee,
				s.nonce,
				s.deadline
			)
		);
		return keccak256(bytes.concat(hex"1901", domain, message));
	}

	function sign(uint256 key, bytes32 digest) private pure returns (bytes memory) {
		(uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
		return abi.encodePacked(r, s, v);
	}

	/// Two of the Safe's three owners sign.
	function signSafe(bytes32 digest) private view returns (bytes memory) {
		return ownersSign(safe.messageHash(digest));
	}

	function ownersSign(bytes32 hash) private view returns (bytes memory) {
		uint256[] memory keys = new uint256[](2);
		(keys[0], keys[1]) = (OWNERS[2], OWNERS[0]);
		return Owners.sign(keys, hash);
	}

	function bring(Sending memory s, address wallet, bytes memory signature) private {
		vm.prank(SUBMITTER);
		vault.sendFor(s, wallet, signature);
	}

	function orderOf(Sending memory s, address wallet) private pure returns (Vault.Order memory) {
		return Vault.Order({kind: s.kind, amount: s.amount, refundTo: wallet, body: s.body});
	}

	/// The vault has taken one deposit, this one, and its USDC.
	function assertTaken(address depositor, Vault.Order memory o) private view {
		(uint64 count, bytes32 root,) = vault.state();
		vm.assertEq(count, 1);
		bytes32[] memory leaves = new bytes32[](1);
		leaves[0] = leafOf(0, depositor, o);
		vm.assertEq(root, Reference.paddedRoot(hex"01", leaves, 32));
		vm.assertEq(usdc.balanceOf(address(vault)), o.amount);
	}

	function assertNothingTaken() private view {
		(uint64 count,,) = vault.state();
		vm.assertEq(count, 0);
		vm.assertEq(usdc.balanceOf(address(vault)), 0);
		vm.assertEq(usdc.balanceOf(SUBMITTER), 0);
	}

	/// Refused with this error, and nothing has happened.
	function assertRefused(Sending memory s, address wallet, bytes memory signature, bytes memory reason) private {
		vm.expectRevert(reason);
		bring(s, wallet, signature);
		assertNothingTaken();
		vm.assertFalse(vault.sent(digestOf(s, wallet)));
	}

	function badSignature(address wallet) private pure returns (bytes memory) {
		return abi.encodeWithSelector(SendMessage.BadSignature.selector, wallet);
	}

	// send

	function test_send_records_the_callers_own_action() public {
		approve(alice);
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(0, bytes32(body(alice)), alice, 1, AMOUNT, alice, body(alice));
		vm.prank(alice);
		vault.send(AMOUNT, body(alice));
		assertTaken(alice, orderOf(sending(alice), alice));
		vm.assertEq(usdc.balanceOf(alice), 100e6 - AMOUNT);
	}

	function testFuzz_send_is_a_deposit_of_kind_1(uint128 amount, bytes calldata raw) public {
		amount = uint128(bound(amount, 100_000, 100e6));
		bytes memory asked = raw[:raw.length % 257];
		approve(alice);
		vm.prank(alice);
		vault.send(amount, asked);
		assertTaken(alice, Vault.Order({kind: 1, amount: amount, refundTo: alice, body: asked}));
	}

	/// Somebody else submits what two of three owners signed: the wallet needs no ETH, and is the caller.
	function test_a_contract_wallet_sends() public {
		SafeLike.Call[] memory calls = new SafeLike.Call[](2);
		calls[0] = SafeLike.Call(address(usdc), abi.encodeCall(usdc.approve, (address(vault), AMOUNT)));
		calls[1] = SafeLike.Call(address(vault), abi.encodeCall(vault.send, (AMOUNT, body(address(safe)))));
		bytes memory signatures = ownersSign(safe.transactionHash(calls, 0));
		vm.assertEq(address(safe).balance, 0);
		vm.prank(SUBMITTER);
		safe.execTransaction(calls, signatures);
		assertTaken(address(safe), orderOf(sending(address(safe)), address(safe)));
	}

	function test_each_kind_has_its_least() public {
		approve(alice);
		vm.startPrank(alice);
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 99_999));
		vault.send(99_999, "");
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 10_000e6 + 1));
		vault.send(10_000e6 + 1, "");
		vault.send(100_000, "");
		Vault.Order memory o = orderOf(alice, 999_999);
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 999_999));
		vault.deposit(o);
		(o.kind, o.body) = (2, "");
		vm.expectRevert(abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 999_999));
		vault.deposit(o);
		o.kind = 1;
		vault.deposit(o);
		vm.assertEq(vault.MIN_ACTION(), 100_000);
	}

	function test_send_has_the_bounds_of_deposits() public {
		approve(alice);
		vm.startPrank(alice);
		vm.expectRevert(abi.encodeWithSelector(Vault.BodyTooLong.selector, 257));
		vault.send(AMOUNT, new bytes(257));
		vault.send(AMOUNT, new bytes(256));
	}

	function test_send_is_refused_without_approval_and_nothing_recorded() public {
		vm.expectRevert("ERC20: transfer amount exceeds allowance");
		vm.prank(alice);
		vault.send(AMOUNT, body(alice));
		assertNothingTaken();
	}

	// sendFor: who may

	function test_anyone_brings_what_a_key_signed_and_gets_the_fee() public {
		approve(alice);
		Sending memory s = sending(alice);
		vm.expectEmit(true, true, true, true, address(vault));
		emit Deposited(0, bytes32(s.body), alice, 1, AMOUNT, alice, s.body);
		bring(s, alice, sign(KEY, digestOf(s, alice)));
		assertTaken(alice, orderOf(s, alice));
		vm.assertEq(usdc.balanceOf(SUBMITTER), FEE);
		vm.assertEq(usdc.balanceOf(alice), 100e6 - AMOUNT - FEE);
	}

	function test_anyone_brings_what_a_contract_wallets_owners_signed() public {
		approve(address(safe));
		Sending memory s = sending(address(safe));
		bring(s, address(safe), signSafe(digestOf(s, address(safe))));
		assertTaken(address(safe), orderOf(s, address(safe)));
		vm.assertEq(usdc.balanceOf(SUBMITTER), FEE);
	}

	/// Without ETH, without an approval, without anything before: one signature, which the token checks (EIP-3009).
	function test_a_contract_wallet_that_approved_nothing_authorizes_its_action() public {
		Sending memory s = sending(address(safe));
		Vault.Order memory o = orderOf(s, address(safe));
		bytes32 nonce = vault.authorizationNonce(o, FEE, 0, DEADLINE);
		bytes32 message = keccak256(
			abi.encode(
				keccak256(
					"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
				),
				safe,
				vault,
				uint256(AMOUNT) + FEE,
				0,
				DEADLINE,
				nonce
			)
		);
		bytes memory signatures = signSafe(keccak256(bytes.concat(hex"1901", usdc.DOMAIN_SEPARATOR(), message)));
		vm.assertEq(usdc.allowance(address(safe), address(vault)), 0);
		// Who brings it can ask for nothing else.
		o.body = body(SUBMITTER);
		vm.expectRevert("FiatTokenV2: invalid signature");
		vault.depositWithAuthorization(o, FEE, address(safe), 0, DEADLINE, signatures);
		o.body = s.body;
		vm.prank(SUBMITTER);
		vault.depositWithAuthorization(o, FEE, address(safe), 0, DEADLINE, signatures);
		assertTaken(address(safe), o);
		vm.assertEq(usdc.balanceOf(SUBMITTER), FEE);
		vm.expectRevert("FiatTokenV2: authorization is used or canceled");
		vault.depositWithAuthorization(o, FEE, address(safe), 0, DEADLINE, signatures);
	}

	/// An address with a key that lets code run (EIP-7702): the key's signature is good whatever the code says of it, and so is
	/// what the code says is good.
	function test_a_key_signs_whatever_code_its_address_runs() public {
		approve(alice);
		Sending memory s = sending(alice);
		address[3] memory codes = [address(new Burner()), address(new Odd("", true)), address(new Careless(SUBMITTER))];
		for (uint64 i = 0; i < codes.length; ++i) {
			vm.etch(alice, codes[i].code);
			s.nonce = i;
			bring(s, alice, sign(KEY, digestOf(s, alice)));
			(uint64 count,,) = vault.state();
			vm.assertEq(count, i + 1);
		}
		// Its code takes another key's.
		uint256 other = 0x0dd;
		vm.etch(alice, address(new Careless(vm.addr(other))).code);
		s.nonce = 3;
		bring(s, alice, sign(other, digestOf(s, alice)));
		(uint64 all,,) = vault.state();
		vm.assertEq(all, 4);
	}

	function test_refused_when_another_signed() public {
		approve(alice);
		approve(address(safe));
		Sending memory s = sending(alice);
		assertRefused(s, alice, sign(0xbad, digestOf(s, alice)), badSignature(alice));
		assertRefused(s, alice, "", badSignature(alice));
		// Who nobody has the key of.
		assertRefused(s, address(0), sign(KEY, digestOf(s, address(0))), badSignature(address(0)));
		// One owner of three, twice; and a stranger.
		s = sending(address(safe));
		bytes32 hash = safe.messageHash(digestOf(s, address(safe)));
		bytes memory one = sign(OWNERS[0], hash);
		assertRefused(s, address(safe), one, badSignature(address(safe)));
		assertRefused(s, address(safe), bytes.concat(one, one), badSignature(address(safe)));
		assertRefused(s, address(safe), bytes.concat(one, sign(KEY, hash)), badSignature(address(safe)));
		bring(s, address(safe), signSafe(digestOf(s, address(safe))));
	}

	/// Not deployed, or not when it signed (ERC-6492): the refusal says so. What it signed is good once it is there.
	function test_refused_when_the_wallet_is_not_deployed() public {
		address later = address(uint160(uint256(keccak256("counterfactual"))));
		usdc.mint(later, 1e6);
		approve(later);
		Sending memory s = sending(later);
		bytes memory inner = sign(KEY, digestOf(s, later));
		bytes memory wrapped = bytes.concat(abi.encode(address(0xfac), bytes("create"), inner), SUFFIX);
		bytes memory reason = abi.encodeWithSelector(SendMessage.NotDeployed.selector, later);
		assertRefused(s, later, wrapped, reason);
		assertRefused(s, later, abi.encodePacked(SUFFIX), reason);
		assertRefused(s, later, inner, badSignature(later));
		vm.etch(later, address(new Careless(alice)).code);
		assertRefused(s, later, wrapped, reason);
		bring(s, later, inner);
		assertTaken(later, orderOf(s, later));
	}

	// sendFor: what is signed

	function testFuzz_what_is_signed_is_typed_data(Sending memory s, address wallet) public view {
		vm.assertEq(vault.sendDigest(s, wallet), digestOf(s, wallet));
	}

	function test_who_brings_it_can_change_nothing() public {
		approve(alice);
		approve(SUBMITTER);
		usdc.mint(SUBMITTER, 10e6);
		bytes memory signature = sign(KEY, digestOf(sending(alice), alice));
		for (uint256 i = 0; i < 7; ++i) {
			Sending memory s = sending(alice);
			address wallet = alice;
			// The least of which is another.
			if (i == 0) (s.kind, s.amount) = (2, 1e6);
			// Amount and fee are the same together.
			if (i == 1) (s.amount, s.fee) = (AMOUNT + FEE, 0);
			if (i == 2) s.body = body(SUBMITTER);
			if (i == 3) ++s.fee;
			if (i == 4) ++s.nonce;
			if (i == 5) ++s.deadline;
			if (i == 6) wallet = SUBMITTER;
			vm.expectRevert(badSignature(wallet));
			vault.sendFor(s, wallet, signature);
		}
		vault.sendFor(sending(alice), alice, signature);
	}

	function test_what_is_signed_is_good_for_one_vault_on_one_chain() public {
		approve(alice);
		Sending memory s = sending(alice);
		Vault other = new Vault(usdc, ILightClient(address(client)));
		vm.prank(alice);
		usdc.approve(address(other), type(uint256).max);
		bytes memory signature = sign(KEY, digestOf(s, alice));
		vm.expectRevert(badSignature(alice));
		other.sendFor(s, alice, signature);
		// Where the chain forks, each side is another chain.
		uint256 here = block.chainid;
		vm.chainId(here + 1);
		vm.expectRevert(badSignature(alice));
		vault.sendFor(s, alice, signature);
		vm.chainId(here);
		bring(s, alice, signature);
	}

	/// Owner of two wallets that do not make their own what he signs: it is good for the one that he named.
	function test_what_one_wallet_signed_is_not_the_others() public {
		address one = address(new Careless(alice));
		address other = address(new Careless(alice));
		address[3] memory wallets = [one, other, alice];
		for (uint256 i = 0; i < 3; ++i) {
			usdc.mint(wallets[i], 1e6);
			approve(wallets[i]);
		}
		Sending memory s = sending(one);
		bytes memory signature = sign(KEY, digestOf(s, one));
		assertRefused(s, other, signature, badSignature(other));
		assertRefused(s, alice, signature, badSignature(alice));
		bring(s, one, signature);
	}

	function test_it_is_taken_once() public {
		approve(alice);
		approve(address(safe));
		Sending memory s = sending(alice);
		bytes32 digest = digestOf(s, alice);
		bytes memory signature = sign(KEY, digest);
		vm.assertFalse(vault.sent(digest));
		bring(s, alice, signature);
		vm.assertTrue(vault.sent(digest));
		bytes memory reason = abi.encodeWithSelector(Vault.AlreadySent.selector, digest);
		vm.expectRevert(reason);
		bring(s, alice, signature);
		// Nor with another signature, whatever it is.
		vm.expectRevert(reason);
		bring(s, alice, "");
		++s.nonce;
		bring(s, alice, sign(KEY, digestOf(s, alice)));
		// A Safe's, by two other owners.
		s = sending(address(safe));
		digest = digestOf(s, address(safe));
		bring(s, address(safe), signSafe(digest));
		uint256[] memory keys = new uint256[](2);
		(keys[0], keys[1]) = (OWNERS[0], OWNERS[1]);
		signature = Owners.sign(keys, safe.messageHash(digest));
		vm.expectRevert(abi.encodeWithSelector(Vault.AlreadySent.selector, digest));
		bring(s, address(safe), signature);
	}

	function test_it_has_its_time() public {
		approve(alice);
		Sending memory s = sending(alice);
		bytes memory signature = sign(KEY, digestOf(s, alice));
		vm.warp(uint256(DEADLINE) + 1);
		assertRefused(s, alice, signature, abi.encodeWithSelector(Vault.Expired.selector, DEADLINE));
		vm.warp(DEADLINE);
		bring(s, alice, signature);
	}

	// sendFor: what is taken

	function test_it_may_have_no_fee() public {
		approve(alice);
		Sending memory s = sending(alice);
		s.fee = 0;
		bring(s, alice, sign(KEY, digestOf(s, alice)));
		assertTaken(alice, orderOf(s, alice));
		vm.assertEq(usdc.balanceOf(SUBMITTER), 0);
		vm.assertEq(usdc.balanceOf(alice), 100e6 - AMOUNT);
	}

	/// What failed for want of an approval or of USDC can be brought when there is one.
	function test_refused_when_amount_or_fee_cannot_be_taken_and_good_once_they_can() public {
		Sending memory s = sending(alice);
		bytes memory signature = sign(KEY, digestOf(s, alice));
		for (uint256 i = 0; i < 2; ++i) {
			uint256 short = [uint256(AMOUNT) - 1, uint256(AMOUNT) + FEE - 1][i];
			vm.prank(alice);
			usdc.approve(address(vault), short);
			assertRefused(s, alice, signature, "ERC20: transfer amount exceeds allowance");
		}
		approve(alice);
		vm.prank(alice);
		usdc.transfer(address(0xb0b), 100e6 - AMOUNT - FEE + 1);
		assertRefused(s, alice, signature, "ERC20: transfer amount exceeds balance");
		usdc.mint(alice, 1);
		bring(s, alice, signature);
		assertTaken(alice, orderOf(s, alice));
		vm.assertEq(usdc.balanceOf(alice), 0);
	}

	function test_it_has_the_bounds_of_deposits() public {
		approve(alice);
		Sending[5] memory wrong;
		bytes[5] memory errors;
		for (uint256 i = 0; i < wrong.length; ++i) {
			wrong[i] = sending(alice);
			errors[i] = abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 100_000);
		}
		wrong[0].amount = 99_999;
		errors[0] = abi.encodeWithSelector(Vault.AmountOutOfBounds.selector, 99_999);
		wrong[1].body = new bytes(257);
		errors[1] = abi.encodeWithSelector(Vault.BodyTooLong.selector, 257);
		wrong[2].kind = 0;
		wrong[3].kind = 2;
		(wrong[4].kind, wrong[4].amount) = (0, 1e6);
		errors[4] = abi.encodeWithSelector(CreditBody.WrongLength.selector, wrong[4].body.length);
		for (uint256 i = 0; i < wrong.length; ++i) {
			assertRefused(wrong[i], alice, sign(KEY, digestOf(wrong[i], alice)), errors[i]);
		}
	}

	/// Tickets for an account, by a wallet that approved once.
	function test_a_credit_can_be_brought_as_well() public {
		approve(address(safe));
		Sending memory s = sending(address(safe));
		(s.kind, s.amount) = (0, 20e6);
		s.body = orderOf(address(safe), 20e6).body;
		bring(s, address(safe), signSafe(digestOf(s, address(safe))));
		assertTaken(address(safe), orderOf(s, address(safe)));
	}

	// sendFor: wallets that are not what they should be

	/// A wallet that says yes to everything gives away what is its own, and nothing else.
	function test_a_wallet_that_lies_harms_itself_alone() public {
		approve(alice);
		approve(address(safe));
		address liar = address(new Liar());
		usdc.mint(liar, 1e6);
		approve(liar);
		Sending memory s = sending(alice);
		assertRefused(s, alice, "signed, I swear", badSignature(alice));
		assertRefused(s, address(safe), "signed, I swear", badSignature(address(safe)));
		bring(s, liar, "signed, I swear");
		assertTaken(liar, orderOf(s, liar));
		vm.assertEq(usdc.balanceOf(liar), 1e6 - AMOUNT - FEE);
		vm.assertEq(usdc.balanceOf(alice), 100e6);
		vm.assertEq(usdc.balanceOf(address(safe)), 100e6);
	}

	function test_refused_when_the_wallet_does_not_say_that_it_signed() public {
		bytes4 magic = 0x1626ba7e;
		Odd[8] memory wallets = [
			// Reverts, with nothing and with the right answer.
			new Odd("", true),
			new Odd(abi.encode(magic), true),
			// Says nothing, or less than a word; something else; true; the right letters, and more behind them in the word.
			new Odd("", false),
			new Odd(abi.encodePacked(magic, bytes27(0)), false),
			new Odd(abi.encode(bytes4(0xffffffff)), false),
			new Odd(abi.encode(true), false),
			new Odd(abi.encodePacked(magic, bytes28(uint224(1))), false),
			new Odd(abi.encode(uint256(uint32(magic))), false)
		];
		for (uint256 i = 0; i < wallets.length; ++i) {
			address wallet = address(wallets[i]);
			usdc.mint(wallet, 1e6);
			approve(wallet);
			assertRefused(sending(wallet), wallet, sign(KEY, digestOf(sending(wallet), wallet)), badSignature(wallet));
		}
		// And what stands behind the right answer changes nothing.
		address long = address(new Odd(bytes.concat(abi.encode(magic), new bytes(10_000)), false));
		usdc.mint(long, 1e6);
		approve(long);
		bring(sending(long), long, "");
		assertTaken(long, orderOf(sending(long), long));
	}

	/// It costs who brings it the gas that he gave, and nobody else anything: others' deposits go on.
	function test_a_wallet_that_burns_gas_costs_who_brings_it() public {
		address burner = address(new Burner());
		usdc.mint(burner, 1e6);
		approve(burner);
		approve(alice);
		Sending memory s = sending(burner);
		bytes memory signature = sign(KEY, digestOf(s, burner));
		vm.prank(SUBMITTER);
		try vault.sendFor{gas: 1_000_000}(s, burner, signature) {
			revert("taken");
		} catch {}
		assertNothingTaken();
		s = sending(alice);
		bring(s, alice, sign(KEY, digestOf(s, alice)));
	}

	/// While it is asked, it can write nothing, not even what it could at any other time.
	function test_a_wallet_that_calls_back_changes_nothing() public {
		address wallet = address(new Reenterer(vault));
		usdc.mint(wallet, 1e6);
		Sending memory s = sending(wallet);
		bring(s, wallet, "");
		assertTaken(wallet, orderOf(s, wallet));
		vm.assertEq(usdc.balanceOf(wallet), 1e6 - AMOUNT - FEE);
	}
}
