// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {ILightClient} from "./interfaces/ILightClient.sol";
import {IUsdc} from "./interfaces/IUsdc.sol";
import {ActionBody} from "./lib/ActionBody.sol";
import {CreditBody} from "./lib/CreditBody.sol";
import {DepositTree} from "./lib/DepositTree.sol";
import {Mmr} from "./lib/Mmr.sol";
import {OutgoingTree} from "./lib/OutgoingTree.sol";
import {Scale} from "./lib/Scale.sol";
import {SendMessage, Sending} from "./lib/SendMessage.sol";

/// @title Holds the USDC that circulates on the chain
/// @notice What is deposited here the chain mints, once more than two thirds of its validators attested to the root of the
/// tree of deposits. What the chain burns for a withdrawal is paid out here, once, to whom the chain said, on a proof under
/// a root that more than two thirds of the validators signed. Nothing else takes USDC out. Nobody owns it, nothing in it can
/// be changed. Amounts are micro-USDC.
contract Vault {
	using SafeERC20 for IUsdc;
	using BitMaps for BitMaps.BitMap;
	using DepositTree for DepositTree.Tree;

	/// @notice What a depositor asks for.
	struct Order {
		/// What the body says: 0 for a credit (see `CreditBody`), 1 for an action of the depositor's account (see `ActionBody`). The
		/// chain sends back what it does not know.
		uint8 kind;
		uint128 amount;
		/// Who gets the amount back here where the chain cannot do what the body says.
		address refundTo;
		/// At most `MAX_BODY` bytes.
		bytes body;
	}

	/// @notice The way from a withdrawal to a root of the light client.
	struct Proof {
		/// From the withdrawal to `leaf.extra`.
		OutgoingTree.Proof outgoing;
		/// The leaf of the block that released the withdrawal.
		Mmr.Leaf leaf;
		/// From the leaf to the root.
		Mmr.Proof mmr;
		/// Where the light client keeps the root.
		uint8 slot;
	}

	/// @dev One slot.
	struct Deposits {
		uint64 count;
		/// This chain's block of the newest deposit.
		uint64 lastBlock;
		/// All that was ever deposited.
		uint128 total;
	}

	/// @notice 1 USDC: far above what an account needs to exist on the chain and what an import is worth, so that no deposit
	/// can fail to be imported for being dust, and filling the tree takes 4 billion USDC.
	uint128 public constant MIN_DEPOSIT = 1e6;
	/// @notice 0.1 USDC, the least for a deposit of kind 1: a hundred times what an account needs to exist, so that it can be
	/// credited, and enough that nobody fills the line in which everybody's deposits wait for nothing.
	uint128 public constant MIN_ACTION = 100_000;
	/// @notice 10,000 USDC: two hundred full escrows. Bounds what one mistaken account number can lose.
	uint128 public constant MAX_DEPOSIT = 10_000e6;
	/// @notice Longest body of a deposit, bytes.
	uint256 public constant MAX_BODY = 256;

	/// @notice This chain's id (EIP-155), which every message of the bridge names.
	uint32 public immutable l2;

	IUsdc public immutable usdc;
	ILightClient public immutable lightClient;

	Deposits public deposits;
	DepositTree.Tree private tree;
	BitMaps.BitMap private executedIds;

	/// @notice Whether what has this digest (`sendDigest`) was brought by `sendFor`.
	mapping(bytes32 digest => bool) public sent;

	/// @notice A deposit: everything that its leaf is hashed from. `subject` is the first 32 bytes of the body, zeros behind
	/// a shorter one: of a credit, the account.
	event Deposited(
		uint64 indexed number,
		bytes32 indexed subject,
		address indexed depositor,
		uint8 kind,
		uint128 amount,
		address refundTo,
		bytes body
	);
	/// @notice A withdrawal was paid: `amount - fee` to `to`, `fee` to `executor`.
	event Withdrawn(uint64 indexed id, address indexed to, uint128 amount, uint128 fee, address executor);

	/// @notice Below `MIN_DEPOSIT`, of kind 1 below `MIN_ACTION`, or above `MAX_DEPOSIT`.
	error AmountOutOfBounds(uint128 amount);
	/// @notice More bytes than `MAX_BODY`.
	error BodyTooLong(uint256 length);
	/// @notice Nobody could get a refund there: the zero address, or the vault.
	error BadRefundAddress(address refundTo);
	/// @notice The time in which it could be brought is over.
	error Expired(uint64 deadline);
	/// @notice It was brought already.
	error AlreadySent(bytes32 digest);
	/// @notice The withdrawal is another chain's.
	error OtherL2(uint32 l2);
	/// @notice The withdrawal is of a kind that this vault does not know.
	error UnknownKind(uint8 kind);
	/// @notice This chain's id does not fit the bridge's messages.
	error ChainIdOutOfBounds(uint256 chainId);
	/// @notice The withdrawal was paid already.
	error AlreadyExecuted(uint64 id);
	/// @notice The light client has no root in that slot.
	error NoRoot(uint8 slot);
	/// @notice The leaf is not under the light client's root: not a leaf of the chain, or the root has been replaced.
	error WrongLeaf();
	/// @notice No such withdrawal among those of the leaf's block: another id, address, amount or fee, or a wrong path.
	error WrongWithdrawal(uint64 id);

	constructor(IUsdc usdc_, ILightClient lightClient_) {
		if (block.chainid == 0 || block.chainid > type(uint32).max) revert ChainIdOutOfBounds(block.chainid);
		// Checked above.
		// forge-lint: disable-next-line(unsafe-typecast)
		l2 = uint32(block.chainid);
		usdc = usdc_;
		lightClient = lightClient_;
	}

	/// @notice The chain account of an Ethereum address of this L2: keccak256("clustercast/account/v2" ‖ l2 u32 ‖ address),
	/// little-endian. Nobody has its private key; the chain lets EIP-712 messages of the address act for it.
	function accountOf(address owner) external view returns (bytes32) {
		return keccak256(abi.encodePacked("clustercast/account/v2", Scale.le32(l2), owner));
	}

	/// @notice What the chain's validators attest to: how many deposits there are, the root of their tree, and the newest
	/// block of the chain that the light client knows.
	function state() external view returns (uint64 count, bytes32 root, uint32 lightClientBlock) {
		count = deposits.count;
		root = tree.root(count);
		lightClientBlock = lightClient.newestBlock();
	}

	/// @notice Whether withdrawal `id` was paid.
	function executed(uint64 id) external view returns (bool) {
		return executedIds.get(id);
	}

	/// @notice Deposits USDC of the caller, who has approved the vault.
	function deposit(Order calldata order) external {
		add(order.kind, order.amount, order.refundTo, order.body, msg.sender);
		usdc.safeTransferFrom(msg.sender, address(this), order.amount);
	}

	/// @notice Deposits USDC of the caller, whose EIP-2612 permit over `amount` comes along.
	/// @dev A permit that fails is not the end: somebody may have submitted it before, and then the approval is there.
	function depositWithPermit(Order calldata order, uint256 deadline, bytes calldata signature) external {
		add(order.kind, order.amount, order.refundTo, order.body, msg.sender);
		try usdc.permit(msg.sender, address(this), order.amount, deadline, signature) {} catch {}
		usdc.safeTransferFrom(msg.sender, address(this), order.amount);
	}

	/// @notice Deposits USDC of `depositor`, who signed an EIP-3009 authorisation over `order.amount + fee` with the nonce of
	/// `authorizationNonce`, so that whoever submits it can change nothing. `fee` goes to the caller.
	function depositWithAuthorization(
		Order calldata order,
		uint128 fee,
		address depositor,
		uint256 validAfter,
		uint256 validBefore,
		bytes calldata signature
	) external {
		add(order.kind, order.amount, order.refundTo, order.body, depositor);
		usdc.receiveWithAuthorization(
			depositor,
			address(this),
			uint256(order.amount) + fee,
			validAfter,
			validBefore,
			authorizationNonce(order, fee, validAfter, validBefore),
			signature
		);
		if (fee != 0) usdc.safeTransfer(msg.sender, fee);
	}

	/// @notice The nonce of the authorisation that `depositWithAuthorization` needs. Equal deposits have equal nonces and a
	/// nonce is good once; another `validBefore` gives another nonce.
	function authorizationNonce(Order calldata order, uint128 fee, uint256 validAfter, uint256 validBefore)
		public
		pure
		returns (bytes32)
	{
		return keccak256(abi.encode(order, fee, validAfter, validBefore));
	}

	/// @notice Deposits USDC of the caller, who has approved the vault, for its own account, and has the chain do there what
	/// `body` says (see `ActionBody`). So whoever calls acts for its account, a contract as well as a key: what calls anything
	/// for anybody must own nothing there.
	function send(uint128 amount, bytes calldata body) external {
		add(ActionBody.KIND, amount, msg.sender, body, msg.sender);
		usdc.safeTransferFrom(msg.sender, address(this), amount);
	}

	/// @notice Deposits USDC of `wallet`, which has approved the vault and signed exactly this (see `SendMessage`): a key, a
	/// contract (EIP-1271), or both in one (EIP-7702). Anyone may call; `sending.fee` goes to the caller. What cannot be
	/// credited goes back to the wallet. Once.
	/// @dev A wallet that approved nothing needs no call of its own all the same: `depositWithAuthorization` takes the same
	/// order with one signature, which the token checks.
	function sendFor(Sending calldata sending, address wallet, bytes calldata signature) external {
		if (block.timestamp > sending.deadline) revert Expired(sending.deadline);
		bytes32 digest = SendMessage.digest(sending, wallet);
		if (sent[digest]) revert AlreadySent(digest);
		SendMessage.check(wallet, digest, signature);

		sent[digest] = true;
		add(sending.kind, sending.amount, wallet, sending.body, wallet);
		usdc.safeTransferFrom(wallet, address(this), sending.amount);
		if (sending.fee != 0) usdc.safeTransferFrom(wallet, msg.sender, sending.fee);
	}

	/// @notice What `wallet` signs for `sendFor`.
	function sendDigest(Sending calldata sending, address wallet) external view returns (bytes32) {
		return SendMessage.digest(sending, wallet);
	}

	/// @notice Pays a withdrawal. Anyone may call; the fee goes to the caller.
	function withdraw(OutgoingTree.Withdrawal calldata withdrawal, Proof calldata proof) external {
		if (withdrawal.l2 != l2) revert OtherL2(withdrawal.l2);
		if (withdrawal.kind != OutgoingTree.RELEASE) revert UnknownKind(withdrawal.kind);
		if (executedIds.get(withdrawal.id)) revert AlreadyExecuted(withdrawal.id);
		if (!OutgoingTree.verify(proof.leaf.extra, OutgoingTree.hash(withdrawal), proof.outgoing)) {
			revert WrongWithdrawal(withdrawal.id);
		}
		bytes32 root = lightClient.roots(proof.slot);
		if (root == 0) revert NoRoot(proof.slot);
		if (Mmr.root(Mmr.hash(proof.leaf), proof.mmr) != root) revert WrongLeaf();

		executedIds.set(withdrawal.id);
		emit Withdrawn(withdrawal.id, withdrawal.to, withdrawal.amount, withdrawal.fee, msg.sender);
		usdc.safeTransfer(withdrawal.to, withdrawal.amount - withdrawal.fee);
		if (withdrawal.fee != 0) usdc.safeTransfer(msg.sender, withdrawal.fee);
	}

	/// @dev Records a deposit; the USDC is taken after, in the same transaction or not at all. `depositor` has called, or signed
	/// what is recorded: the chain lets it act for its account.
	function add(uint8 kind, uint128 amount, address refundTo, bytes calldata body, address depositor) private {
		uint128 least = kind == ActionBody.KIND ? MIN_ACTION : MIN_DEPOSIT;
		if (amount < least || amount > MAX_DEPOSIT) revert AmountOutOfBounds(amount);
		if (refundTo == address(0) || refundTo == address(this)) revert BadRefundAddress(refundTo);
		if (body.length > MAX_BODY) revert BodyTooLong(body.length);
		if (kind == CreditBody.KIND) CreditBody.check(body, amount);

		Deposits memory before = deposits;
		tree.insert(
			before.count,
			DepositTree.hash(
				DepositTree.Deposit({
					l2: l2,
					number: before.count,
					kind: kind,
					amount: amount,
					depositor: depositor,
					refundTo: refundTo,
					bodyHash: keccak256(body)
				})
			)
		);
		deposits = Deposits({count: before.count + 1, lastBlock: uint64(block.number), total: before.total + amount});
		emit Deposited(before.count, bytes32(body), depositor, kind, amount, refundTo, body);
	}
}
