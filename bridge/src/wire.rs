//! What agents and those whom they serve say to each other: JSON over HTTP, docs/agent-api.md. Amounts are micro-USDC, as decimal
//! strings; times are seconds since 1970; the id of a deposit is the digest that the wallet signed, of an action the hash of wallet and
//! digest.

use crate::{
	abi::{Order, ReceiveWithAuthorization, Vault},
	signing::{self, SignedAction},
};
use alloy::{
	primitives::{Address, Signature, B256, U256},
	sol_types::SolCall,
};
use clustercast_primitives::{bridge::deposit::Body, Balance, BlockNumber, EthereumAddress, EthereumSignature, Hash};
use serde::{Deserialize, Serialize};

/// Longest that an authorisation may be good, seconds: so long a depositor waits at most before another one can be signed.
pub const MAX_VALIDITY: u64 = 900;

/// Largest body of a request, bytes: a deposit or an action takes less than 2,000.
pub const MAX_BODY: usize = 4_096;

/// Unsigned numbers that JavaScript cannot hold, as decimal strings.
mod decimal {
	use serde::{de::Error, Deserialize, Deserializer, Serializer};

	pub(super) fn serialize<S: Serializer>(number: &u128, s: S) -> Result<S::Ok, S::Error> {
		s.collect_str(number)
	}

	pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
		let text = String::deserialize(d)?;
		// Rust takes a plus sign as well.
		match text.bytes().all(|b| b.is_ascii_digit()) {
			true => text.parse().map_err(D::Error::custom),
			false => Err(D::Error::custom("a number is decimal digits in quotes")),
		}
	}
}

/// What an agent asks, and of which bridge it is: `GET /v1/terms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
	/// The L2's chain id.
	pub l2: u32,
	/// The vault there.
	pub vault: EthereumAddress,
	/// The token there.
	pub usdc: EthereumAddress,
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// For deposits.
	pub deposit: DepositTerms,
	/// For actions; none are taken where it is null.
	pub action: Option<ActionTerms>,
	/// For withdrawals.
	pub withdrawal: WithdrawalTerms,
}

/// What a deposit costs, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositTerms {
	/// On top of the amount.
	#[serde(with = "decimal")]
	pub fee: Balance,
	/// Of it, so many percent above what it costs.
	pub margin_percent: u32,
	/// Gas that it is reckoned with.
	pub gas: u64,
	/// Wei for each.
	#[serde(with = "decimal")]
	pub gas_price: u128,
	/// Wei for data on Ethereum; 0 where the L2 does not ask for that apart.
	#[serde(with = "decimal")]
	pub l1_fee: u128,
	/// Micro-USDC for an ether.
	#[serde(with = "decimal")]
	pub ether_price: Balance,
	/// Longest validity of an authorisation, seconds.
	pub max_validity: u64,
}

/// What submitting an action costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionTerms {
	/// Least tip.
	#[serde(with = "decimal")]
	pub tip: Balance,
}

/// What executing a withdrawal costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalTerms {
	/// Least fee in a withdrawal that this agent executes.
	#[serde(with = "decimal")]
	pub fee: Balance,
}

/// A deposit that its depositor signed: an authorisation (EIP-3009) whose nonce is the hash of all that is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedDeposit {
	/// Whose USDC.
	pub depositor: EthereumAddress,
	/// What the body says: 0 for a credit.
	pub kind: u8,
	/// Deposited.
	#[serde(with = "decimal")]
	pub amount: Balance,
	/// Who gets it back on the L2 where the chain cannot do what the body says.
	pub refund_to: EthereumAddress,
	/// See docs/integrate.md.
	pub body: Body,
	/// For whoever submits it, on top.
	#[serde(with = "decimal")]
	pub fee: Balance,
	/// Good behind this time.
	pub valid_after: u64,
	/// And before this one.
	pub valid_before: u64,
	/// Over the digest.
	pub signature: EthereumSignature,
}

impl SignedDeposit {
	/// What is ordered of the vault.
	pub fn order(&self) -> Order {
		Order {
			kind: self.kind,
			amount: self.amount,
			refundTo: Address::from(self.refund_to.0),
			body: self.body.bytes().to_vec().into(),
		}
	}

	/// The authorisation's nonce: `Vault.authorizationNonce`.
	pub fn nonce(&self) -> B256 {
		let call = Vault::authorizationNonceCall {
			order: self.order(),
			fee: self.fee,
			validAfter: U256::from(self.valid_after),
			validBefore: U256::from(self.valid_before),
		};
		alloy::primitives::keccak256(&call.abi_encode()[4..])
	}

	/// What the wallet signs, for this vault and a token with this domain: the deposit's id.
	pub fn digest(&self, vault: Address, token: &B256) -> Hash {
		let message = ReceiveWithAuthorization {
			from: Address::from(self.depositor.0),
			to: vault,
			value: U256::from(self.amount) + U256::from(self.fee),
			validAfter: U256::from(self.valid_after),
			validBefore: U256::from(self.valid_before),
			nonce: self.nonce(),
		};
		Hash(signing::typed(token, &message).0)
	}

	/// Whether its depositor signed the digest, by a key of its own. A contract's signature is none.
	pub fn is_signed(&self, digest: &Hash) -> bool {
		// As the token has it: `v` is 27 or 28, and `s` in the lower half.
		let v = self.signature.0[64];
		Signature::from_raw_array(&self.signature.0)
			.ok()
			.filter(|signature| matches!(v, 27 | 28) && signature.normalize_s().is_none())
			.and_then(|signature| signature.recover_address_from_prehash(&B256::from(digest.0)).ok())
			.is_some_and(|by| by == Address::from(self.depositor.0))
	}

	/// The vault's call.
	pub fn call(&self) -> Vault::depositWithAuthorizationCall {
		Vault::depositWithAuthorizationCall {
			order: self.order(),
			fee: self.fee,
			depositor: Address::from(self.depositor.0),
			validAfter: U256::from(self.valid_after),
			validBefore: U256::from(self.valid_before),
			signature: self.signature.0.to_vec().into(),
		}
	}
}

/// Something that an agent was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
	/// On the L2.
	Deposit(SignedDeposit),
	/// On the chain.
	Action(SignedAction),
}

impl Request {
	/// Who signed it.
	pub fn wallet(&self) -> EthereumAddress {
		match self {
			Self::Deposit(deposit) => deposit.depositor,
			Self::Action(action) => action.signer,
		}
	}
}

/// How far a deposit or an action is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum State {
	/// Taken, and not sent: it is about to be, or waits for this.
	Waiting {
		/// Such as the price of gas.
		#[serde(default, skip_serializing_if = "Option::is_none")]
		reason: Option<String>,
	},
	/// A deposit: its transaction is on its way. An action: it is in the chain's pool.
	Sent {
		/// Of the L2.
		#[serde(default, skip_serializing_if = "Option::is_none")]
		transaction: Option<Hash>,
	},
	/// A deposit: in a block of the L2.
	OnL2 {
		/// In which transaction.
		transaction: Hash,
		/// Its number in the vault.
		deposit: u64,
	},
	/// A deposit: attested by enough validators.
	Attested {
		/// As above.
		transaction: Hash,
		/// As above.
		deposit: u64,
	},
	/// A deposit: credited on the chain.
	Usable {
		/// As above.
		transaction: Hash,
		/// As above.
		deposit: u64,
	},
	/// A deposit that the chain could not credit: it goes back to `refundTo`.
	Stranded {
		/// As above.
		transaction: Hash,
		/// As above.
		deposit: u64,
	},
	/// An action that moves nothing back to the L2: done.
	Done {
		/// In this final block of the chain.
		block: BlockNumber,
	},
	/// A withdrawal: burnt on the chain, it waits for its release.
	Queued {
		/// Its number.
		withdrawal: u64,
	},
	/// A withdrawal: released, it is on its way to the vault.
	Released {
		/// Its number.
		withdrawal: u64,
	},
	/// A withdrawal: paid by the vault.
	Paid {
		/// Its number.
		withdrawal: u64,
	},
	/// Nothing more is done for it, and whether it was done is not known: the chain's node has forgotten the blocks that say it.
	Unknown,
	/// Given up, and why; nothing was done.
	Refused {
		/// Why.
		error: Refusal,
	},
}

impl State {
	/// Whether it does not change any more.
	pub fn is_final(&self) -> bool {
		matches!(
			self,
			Self::Usable { .. }
				| Self::Stranded { .. }
				| Self::Done { .. }
				| Self::Paid { .. }
				| Self::Unknown
				| Self::Refused { .. }
		)
	}
}

/// `GET /v1/deposits/ID`, `GET /v1/actions/ID`, and what the two `POST`s answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
	/// A deposit: its digest. An action: the hash of wallet and digest.
	pub id: Hash,
	/// How far it is.
	#[serde(flatten)]
	pub state: State,
}

/// Why an agent does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Refusal {
	/// Not what the page says.
	#[error("malformed: {reason}")]
	Malformed {
		/// From the reader.
		reason: String,
	},
	/// More than 4,096 bytes, or more than 5 s for them.
	#[error("the request is too long")]
	TooLong,
	/// No such path.
	#[error("no such path")]
	NoSuchPath,
	/// Another method than the path has.
	#[error("the path has another method")]
	Method,
	/// Nothing has this id here.
	#[error("no such id here")]
	UnknownId,
	/// Not signed by who it says, for this bridge. Wallets that are contracts are not served.
	#[error("not signed by the wallet that it names, for this bridge")]
	BadSignature,
	/// The depositor's address has code, a contract's or one that the wallet let run (EIP-7702): what it signs may change its mind.
	#[error("the depositor has code: wallets that are contracts, or let one run, are not served")]
	Contract,
	/// The session key's own signature is not for the wallet's account.
	#[error("the session key did not sign for this account")]
	BadProof,
	/// Fee or tip is too low.
	#[error("it pays less than {least} micro-USDC")]
	TooLow {
		/// What would be taken now.
		#[serde(with = "decimal")]
		least: Balance,
	},
	/// Its time is over, or not there yet.
	#[error("its time is over, or has not begun")]
	NotNow,
	/// Good for longer than agents take.
	#[error("good for longer than {most} (seconds, or blocks of the chain)")]
	ValidTooLong {
		/// Seconds of a deposit, blocks of an action.
		most: u64,
	},
	/// Nobody could use what is sent there.
	#[error("{reason}")]
	BadRecipient {
		/// Which it is.
		reason: String,
	},
	/// Vault or token refuse it, tried just now.
	#[error("the L2 refuses it: {reason}")]
	Reverts {
		/// Their error.
		reason: String,
	},
	/// The chain refuses it, tried just now.
	#[error("the chain refuses it: {reason}")]
	Chain {
		/// Its error.
		reason: String,
	},
	/// Cancelled by the wallet.
	#[error("the authorisation was cancelled")]
	Cancelled,
	/// This agent does not take actions.
	#[error("this agent takes no actions")]
	NoActions,
	/// Too many requests from an address, or orders of a wallet.
	#[error("too many requests: again in {seconds} s")]
	TooMany {
		/// Until the next is answered.
		seconds: u64,
	},
	/// As many of the wallet's deposits, or actions, are open here as one may have.
	#[error("{most} of this wallet are open here, and that is as many as are taken")]
	Underway {
		/// So many.
		most: usize,
	},
	/// As much is under way as this agent keeps.
	#[error("too much is under way here")]
	Busy,
	/// The chain or the L2 does not answer, or the disk fails.
	#[error("not able to, for now: {reason}")]
	Away {
		/// What does not work.
		reason: String,
	},
}

impl Refusal {
	/// Of HTTP.
	pub fn status(&self) -> u16 {
		match self {
			Self::Malformed { .. } => 400,
			Self::NoSuchPath | Self::UnknownId => 404,
			Self::Method => 405,
			Self::TooLong => 413,
			Self::TooMany { .. } | Self::Underway { .. } => 429,
			Self::Busy | Self::Away { .. } => 503,
			_ => 422,
		}
	}
}

/// What an agent answers where it does not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
	/// Why.
	pub error: Refusal,
	/// The same for people.
	pub message: String,
}

impl From<Refusal> for Failure {
	fn from(error: Refusal) -> Self {
		let message = error.to_string();
		Self { error, message }
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use alloy::signers::{local::PrivateKeySigner, SignerSync};

	/// A domain of a token, and a vault.
	pub(crate) const TOKEN: B256 = B256::repeat_byte(0x22);
	pub(crate) const VAULT: Address = Address::repeat_byte(0x11);

	/// A deposit of 20 USDC by a key that consists of one byte, changed and then signed.
	pub(crate) fn deposit(key: u8, change: impl FnOnce(&mut SignedDeposit)) -> SignedDeposit {
		let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(key)).unwrap();
		let address = EthereumAddress(signer.address().0 .0);
		let mut deposit = SignedDeposit {
			depositor: address,
			kind: 0,
			amount: 20_000_000,
			refund_to: address,
			body: vec![7; 164].try_into().unwrap(),
			fee: 2_200,
			valid_after: 0,
			valid_before: 1_900,
			signature: EthereumSignature([0; 65]),
		};
		change(&mut deposit);
		let digest = deposit.digest(VAULT, &TOKEN);
		let signature = signer.sign_hash_sync(&B256::from(digest.0)).unwrap();
		deposit.signature = EthereumSignature(signature.as_bytes());
		deposit
	}

	#[test]
	fn signature_binds_all_that_is_ordered() {
		let good = deposit(1, |_| {});
		let id = good.digest(VAULT, &TOKEN);
		assert!(good.is_signed(&id));
		let changes: [fn(&mut SignedDeposit); 8] = [
			|d| d.amount += 1,
			|d| d.fee += 1,
			// The sum that is authorised stays the same.
			|d| (d.amount, d.fee) = (d.amount + 1, d.fee - 1),
			|d| d.refund_to.0[0] ^= 1,
			|d| d.body = vec![8; 164].try_into().unwrap(),
			|d| d.valid_before += 1,
			|d| d.kind = 1,
			|d| d.depositor.0[0] ^= 1,
		];
		for (index, change) in changes.iter().enumerate() {
			let mut changed = good.clone();
			change(&mut changed);
			let other = changed.digest(VAULT, &TOKEN);
			assert!(other != id && !changed.is_signed(&other), "{index}");
		}
		for (vault, token) in [(Address::ZERO, TOKEN), (VAULT, B256::ZERO)] {
			let elsewhere = good.digest(vault, &token);
			assert!(!good.is_signed(&elsewhere));
		}
	}

	#[test]
	fn signature_has_one_form_only() {
		let good = deposit(1, |_| {});
		let id = good.digest(VAULT, &TOKEN);
		let mut other = good.clone();
		other.signature.0[64] -= 27;
		assert!(!other.is_signed(&id), "v is 27 or 28 for the token");
		let signature = Signature::from_raw_array(&good.signature.0).unwrap();
		let order =
			U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
		let high = Signature::new(signature.r(), order - signature.s(), !signature.v());
		other.signature = EthereumSignature(high.as_bytes());
		assert!(!other.is_signed(&id), "the token takes the lower s alone");
	}

	#[test]
	fn messages_are_as_the_page_says() {
		let report = Report {
			id: Hash([1; 32]),
			state: State::OnL2 {
				transaction: Hash([2; 32]),
				deposit: 3,
			},
		};
		let json = serde_json::to_value(&report).unwrap();
		assert_eq!(json["state"], "onL2");
		assert_eq!(json["deposit"], 3);
		assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
		let failure = Failure::from(Refusal::TooLow { least: 2_200 });
		let json = serde_json::to_value(&failure).unwrap();
		assert_eq!(
			(&json["error"]["code"], &json["error"]["least"]),
			(&"tooLow".into(), &"2200".into())
		);

		let mut json = serde_json::to_value(deposit(1, |_| {})).unwrap();
		assert_eq!(json["amount"], "20000000");
		for (field, wrong) in [("amount", "+1"), ("amount", "1.5"), ("fee", ""), ("more", "1")] {
			let before = json[field].take();
			json[field] = wrong.into();
			assert!(
				serde_json::from_value::<SignedDeposit>(json.clone()).is_err(),
				"{field} {wrong}"
			);
			json[field] = before;
		}
	}
}
