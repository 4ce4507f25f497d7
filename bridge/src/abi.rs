//! The contracts' words: signatures, structs, events and errors of `contracts/src`.

#![allow(missing_docs)] // Said in the contracts.
#![allow(clippy::too_many_arguments)] // Of constructors that `sol!` generates.

use alloy::{
	primitives::Bytes,
	sol,
	sol_types::{SolError, SolInterface},
};

sol! {
	/// `Beefy.Commitment`.
	#[derive(Debug, PartialEq, Eq)]
	struct Commitment {
		bytes32 mmrRoot;
		uint32 blockNumber;
		uint64 setId;
	}

	/// `Beefy.Signature`: EIP-2098.
	#[derive(Debug, PartialEq, Eq)]
	struct CompactSignature {
		bytes32 r;
		bytes32 vs;
	}

	/// `Beefy.Signatures`.
	#[derive(Debug, PartialEq, Eq)]
	struct Signatures {
		uint256 signers;
		CompactSignature[] signatures;
		address[] validators;
	}

	/// `Beefy.ValidatorSet`.
	#[derive(Debug, PartialEq, Eq)]
	struct Validators {
		uint64 id;
		uint32 length;
		bytes32 commitment;
	}

	/// `Mmr.Leaf`.
	#[derive(Debug, PartialEq, Eq)]
	struct Leaf {
		uint8 version;
		uint32 parentNumber;
		bytes32 parentHash;
		uint64 nextSetId;
		uint32 nextSetLength;
		bytes32 nextSetCommitment;
		bytes32 extra;
	}

	/// `Mmr.Proof`.
	#[derive(Debug, PartialEq, Eq)]
	struct LeafProof {
		bytes32[] siblings;
		uint256 order;
	}

	/// `OutgoingTree.Withdrawal`.
	#[derive(Debug, PartialEq, Eq)]
	struct Outgoing {
		uint32 l2;
		uint8 kind;
		uint64 id;
		address to;
		uint128 amount;
		uint128 fee;
	}

	/// `OutgoingTree.Proof`.
	#[derive(Debug, PartialEq, Eq)]
	struct OutgoingProof {
		uint32 index;
		uint32 width;
		bytes32[] siblings;
	}

	/// `Vault.Proof`.
	#[derive(Debug, PartialEq, Eq)]
	struct WithdrawalProof {
		OutgoingProof outgoing;
		Leaf leaf;
		LeafProof mmr;
		uint8 slot;
	}

	/// `Vault.Order`.
	#[derive(Debug, PartialEq, Eq)]
	struct Order {
		uint8 kind;
		uint128 amount;
		address refundTo;
		bytes body;
	}

	/// `SendMessage.Sending`.
	#[derive(Debug, PartialEq, Eq)]
	struct Sending {
		uint8 kind;
		uint128 amount;
		bytes body;
		uint128 fee;
		uint64 nonce;
		uint64 deadline;
	}

	#[derive(Debug)]
	contract LightClient {
		error StaleBlock(uint32 blockNumber, uint32 newest);
		error StaleSet(uint64 setId, uint64 expected);
		error UnknownSet(uint64 setId, uint64 expected);
		error WrongLeaf();
		error WrongNextSet(uint64 setId, uint64 expected);
		error SetLength(uint256 length);
		error WrongValidators(uint64 setId);
		error SignerOutOfSet();
		error SignatureCount(uint256 signers, uint256 signatures);
		error TooFewSigners(uint256 signers, uint256 needed);
		error WrongSignature(uint256 validator);
		error DuplicateSigner(uint256 validator);
		error ProofTooLong(uint256 length);

		function state() external view returns (uint64 setId, uint32 length, uint32 nextLength, uint32 blockNumber, uint96 commitments);
		function roots(uint256 slot) external view returns (bytes32);
		function currentSet() external view returns (Validators memory);
		function nextSet() external view returns (Validators memory);
		function submit(Commitment calldata commitment, Signatures calldata signed) external;
		function handOver(Commitment calldata commitment, Signatures calldata signed, Leaf calldata leaf, LeafProof calldata proof) external;
	}

	#[derive(Debug)]
	contract Vault {
		event Deposited(
			uint64 indexed number,
			bytes32 indexed subject,
			address indexed depositor,
			uint8 kind,
			uint128 amount,
			address refundTo,
			bytes body
		);
		event Withdrawn(uint64 indexed id, address indexed to, uint128 amount, uint128 fee, address executor);

		error AmountOutOfBounds(uint128 amount);
		error BodyTooLong(uint256 length);
		error BadRefundAddress(address refundTo);
		error Expired(uint64 deadline);
		error AlreadySent(bytes32 digest);
		error NotDeployed(address wallet);
		error BadSignature(address wallet);
		error WrongLength(uint256 length);
		error EscrowAboveAmount(uint128 escrow, uint128 amount);
		error NoAccount();
		error NoSessionKey();
		error OtherL2(uint32 l2);
		error UnknownKind(uint8 kind);
		error AlreadyExecuted(uint64 id);
		error NoRoot(uint8 slot);
		error WrongLeaf();
		error WrongWithdrawal(uint64 id);
		error ProofTooLong(uint256 length);

		function usdc() external view returns (address);
		function lightClient() external view returns (address);
		function l2() external view returns (uint32);
		function state() external view returns (uint64 count, bytes32 root, uint32 lightClientBlock);
		function executed(uint64 id) external view returns (bool);
		function deposit(Order calldata order) external;
		function depositWithPermit(Order calldata order, uint256 deadline, bytes calldata signature) external;
		function depositWithAuthorization(
			Order calldata order,
			uint128 fee,
			address depositor,
			uint256 validAfter,
			uint256 validBefore,
			bytes calldata signature
		) external;
		function authorizationNonce(Order calldata order, uint128 fee, uint256 validAfter, uint256 validBefore) external pure returns (bytes32);
		function send(uint128 amount, bytes calldata body) external;
		function sendFor(Sending calldata sending, address wallet, bytes calldata signature) external;
		function sendDigest(Sending calldata sending, address wallet) external view returns (bytes32);
		function sent(bytes32 digest) external view returns (bool);
		function withdraw(Outgoing calldata withdrawal, WithdrawalProof calldata proof) external;
	}

	/// Circle's token refuses with sentences. The error is that of who calls it (OpenZeppelin's `SafeERC20`).
	#[derive(Debug)]
	contract Usdc {
		error SafeERC20FailedOperation(address token);

		function balanceOf(address account) external view returns (uint256);
		function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
		function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature) external;
		function allowance(address owner, address spender) external view returns (uint256);
		function approve(address spender, uint256 value) external returns (bool);
		function nonces(address owner) external view returns (uint256);
		function DOMAIN_SEPARATOR() external view returns (bytes32);
	}

	/// Of an OP-stack chain, at the same address on each: what data costs there.
	#[derive(Debug)]
	contract GasPriceOracle {
		function getL1FeeUpperBound(uint256 unsignedTxSize) external view returns (uint256);
	}

	/// What USDC checks for EIP-2612.
	struct Permit {
		address owner;
		address spender;
		uint256 value;
		uint256 nonce;
		uint256 deadline;
	}

	/// What USDC checks for EIP-3009.
	struct ReceiveWithAuthorization {
		address from;
		address to;
		uint256 value;
		uint256 validAfter;
		uint256 validBefore;
		bytes32 nonce;
	}
}

/// What a contract reverted with. As text it is as declared there: `AlreadyExecuted { id: 3 }`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Revert {
	/// An error of the vault.
	Vault(Vault::VaultErrors),
	/// An error of the light client.
	LightClient(LightClient::LightClientErrors),
	/// The token did not do what it was asked.
	Usdc(Usdc::UsdcErrors),
	/// A sentence, as Circle's token says.
	Reason(String),
	/// Nothing.
	Silent,
	/// Of no contract that is known here.
	Unknown(Bytes),
}

impl Revert {
	/// From what a call returned.
	pub fn decode(data: &Bytes) -> Self {
		if let Ok(error) = Vault::VaultErrors::abi_decode(data) {
			return Self::Vault(error);
		}
		if let Ok(error) = LightClient::LightClientErrors::abi_decode(data) {
			return Self::LightClient(error);
		}
		if let Ok(error) = Usdc::UsdcErrors::abi_decode(data) {
			return Self::Usdc(error);
		}
		match alloy::sol_types::Revert::abi_decode(data) {
			Ok(revert) => Self::Reason(revert.reason),
			Err(_) if data.is_empty() => Self::Silent,
			Err(_) => Self::Unknown(data.clone()),
		}
	}
}

impl std::fmt::Display for Revert {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Self::Vault(error) => f.write_str(&described(error)),
			Self::LightClient(error) => f.write_str(&described(error)),
			Self::Usdc(error) => f.write_str(&described(error)),
			Self::Reason(reason) => f.write_str(reason),
			Self::Silent => f.write_str("without a reason"),
			Self::Unknown(data) => write!(f, "unknown error {data}"),
		}
	}
}

/// Variants are named as their errors: `AlreadyExecuted(AlreadyExecuted { id: 3 })`.
fn described(error: &impl std::fmt::Debug) -> String {
	let text = format!("{error:?}");
	match text.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')) {
		Some(inner) => inner.to_owned(),
		None => text,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn reverts_are_named_as_in_the_contracts() {
		let reason = |raw: Vec<u8>| Revert::decode(&raw.into()).to_string();
		assert_eq!(
			reason(Vault::AlreadyExecuted { id: 3 }.abi_encode()),
			"AlreadyExecuted { id: 3 }"
		);
		let stale = LightClient::StaleBlock {
			blockNumber: 4,
			newest: 5,
		};
		assert_eq!(reason(stale.abi_encode()), "StaleBlock { blockNumber: 4, newest: 5 }");
		assert_eq!(reason(alloy::sol_types::Revert::from("no").abi_encode()), "no");
		let failed = Usdc::SafeERC20FailedOperation {
			token: Default::default(),
		};
		assert!(reason(failed.abi_encode()).starts_with("SafeERC20FailedOperation { token: 0x00"));
		assert_eq!(reason(vec![]), "without a reason");
		assert_eq!(reason(vec![1, 2, 3, 4]), "unknown error 0x01020304");
	}
}
