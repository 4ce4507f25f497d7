//! What the chain answers about tickets, viewers, relayers and stream keys: one shape for the runtime, the node's
//! JSON-RPC and every program that asks. In JSON, amounts are decimal strings of micro-USDC and bytes are `0x` hex.

use crate::{
	amount::{Balance, MAX_PRICE_PER_GB},
	crypto::{AccountId, Hash, PublicKey},
	receipt::Kind,
	window::StreamId,
	BlockNumber,
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Shares are in parts per million.
pub const PPM: u32 = 1_000_000;

/// Longest title of a stream key, bytes.
pub const MAX_TITLE: u32 = 64;

/// Longest category of a stream key, bytes.
pub const MAX_CATEGORY: u32 = 32;

/// Why the chain does not pay a ticket. Every one can be tried again until the ticket expires, but for those that
/// [`TicketRefusal::is_final`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TicketRefusal {
	/// Paid before: a ticket of this session to this recipient, or a tip of it, had this nonce.
	AlreadyRedeemed,
	/// The chain is past the ticket's expiry block.
	Expired,
	/// The expiry lies further ahead than a ticket may live.
	ExpiryTooFar,
	/// The expiry is not on the grid.
	ExpiryOffGrid,
	/// The nonce lies too far below the highest that was redeemed to say whether it was.
	NonceTooOld,
	/// Face value below the chain's minimum.
	FaceValueTooSmall,
	/// The secret does not open the ticket's commitment.
	WrongSecret,
	/// The secret opens the commitment, and the ticket loses.
	NotAWinner,
	/// Signature not in canonical form.
	NonCanonicalSignature,
	/// Signature not by the session key.
	BadSignature,
	/// No such session key on the chain.
	UnknownSession,
	/// The session key belongs to another account than the ticket's sender.
	WrongSender,
	/// The session key's expiry lies before the ticket's.
	SessionExpired,
	/// The session's spending limit, less what is reserved for others, does not cover it.
	SessionLimitReached,
	/// The sender's deposit, less what is reserved for others, does not cover it.
	DepositTooSmall,
	/// No such stream key.
	UnknownStream,
	/// An account that has a share in it cannot receive: it has no account on the chain, or the share is too small.
	CannotReceive,
	/// The voucher owes no more than was paid, or is for fewer bytes.
	NothingNew,
	/// Pays somebody for whom whoever hands it in may not redeem.
	NotRecipient,
	/// Worth more than its bytes cost at the highest price that the stream key allows.
	PriceAboveBound,
	/// Bytes that are not a multiple of the unit, too many, or of a kind that is not by bytes.
	BadBytes,
	/// Signed under terms of the stream that do not hold any more, or not yet.
	WrongTerms,
}

impl TicketRefusal {
	/// Whether trying again can never help.
	pub fn is_final(self) -> bool {
		!matches!(
			self,
			Self::ExpiryTooFar
				| Self::UnknownSession
				| Self::SessionLimitReached
				| Self::DepositTooSmall
				| Self::CannotReceive
				| Self::UnknownStream
				| Self::WrongTerms
				| Self::PriceAboveBound
		)
	}
}

impl TicketRefusal {
	/// What has to be other for it to be paid, and whose it is to change: for people.
	pub fn remedy(self) -> &'static str {
		match self {
			Self::AlreadyRedeemed => "nothing to do: this nonce was paid; the viewer signs each payment with a new one",
			Self::Expired => "relayer: redeem earlier (redeem-age-s); viewer: a later expiry in what it signs next",
			Self::ExpiryTooFar => "viewer: an expiry at most MaxTicketLife blocks ahead; or wait until it is",
			Self::ExpiryOffGrid => "viewer: an expiry that is a multiple of 60 blocks",
			Self::NonceTooOld => "relayer: redeem the winners of a session in the order of their nonces",
			Self::FaceValueTooSmall => {
				"relayer: ask at least MinFaceValue (face-value); with a voucher, wait until more is owed"
			},
			Self::WrongSecret => {
				"relayer: the secret of this very receipt; was the state directory's `secret` replaced?"
			},
			Self::NotAWinner => "nothing to do: it lost",
			Self::NonCanonicalSignature => {
				"viewer: a signature whose S is below the group order and whose R is no small-order point"
			},
			Self::BadSignature => "viewer: sign with the session key, for this chain's genesis hash",
			Self::UnknownSession => "viewer: TicketBroker.authorize_session with this key",
			Self::WrongSender => "viewer: name the account that owns the session key as sender",
			Self::SessionExpired => "viewer: a session whose expiry is not before the payment's (authorize_session)",
			Self::SessionLimitReached => "viewer: a new session with a higher limit (authorize_session)",
			Self::DepositTooSmall => "viewer: TicketBroker.deposit, or cancel an unlock in time",
			Self::UnknownStream => "broadcaster: the stream key does not exist (StreamKeys.mint)",
			Self::CannotReceive => "an account that has a share needs the existential deposit first: send it some USDC",
			Self::NothingNew => "nothing to do: everything it owes was paid; hand in a newer voucher",
			Self::NotRecipient => "the recipient, or its operator, hands in what pays it, and nothing else with it",
			Self::BadBytes => "viewer: bytes rounded up to 65,536, below 2^40; none where the kind is not by bytes",
			Self::WrongTerms => "relayer: terms with the stream's counter; viewer: a voucher under it",
			Self::PriceAboveBound => {
				"relayer: ask at most the stream key's price times its surge bound (price-per-gb); broadcaster: a higher bound (StreamKeys.set_terms)"
			},
		}
	}
}

impl fmt::Display for TicketRefusal {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::AlreadyRedeemed => "already redeemed",
			Self::Expired => "ticket expired",
			Self::ExpiryOffGrid => "expiry is not on the grid of 60 blocks",
			Self::ExpiryTooFar => "expiry further ahead than a ticket may live",
			Self::NonceTooOld => "nonce too far below the highest that was redeemed",
			Self::FaceValueTooSmall => "face value below the minimum",
			Self::WrongSecret => "secret does not open the commitment",
			Self::NotAWinner => "not a winning ticket",
			Self::NonCanonicalSignature => "signature is not in canonical form",
			Self::BadSignature => "signature does not verify",
			Self::UnknownSession => "session key not registered",
			Self::WrongSender => "session key belongs to another account",
			Self::SessionExpired => "session key expires before the ticket",
			Self::SessionLimitReached => "session limit, less what is reserved, does not cover it",
			Self::DepositTooSmall => "deposit, less what is reserved, does not cover it",
			Self::UnknownStream => "no such stream key",
			Self::CannotReceive => "a recipient's account cannot receive its share",
			Self::NothingNew => "voucher owes no more than was paid",
			Self::NotRecipient => "handed in by somebody who may not redeem for its recipient",
			Self::PriceAboveBound => "worth more than its bytes may cost",
			Self::BadBytes => "states bytes that no ticket can pay for",
			Self::WrongTerms => "signed under other terms than the stream has",
		})
	}
}

impl core::error::Error for TicketRefusal {}

/// Who gets what of a payment, micro-USDC. The three add up to what was paid, but where relayers buy from each other: what
/// they paid in shares is set aside for what they will owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Payout {
	/// The ticket's recipient.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub relayer: Balance,
	/// Who broadcasts the stream: the stream key's owner, or whoever rents it.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub broadcaster: Balance,
	/// Treasury.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub treasury: Balance,
}

/// What the chain would do with a ticket now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub enum TicketVerdict {
	/// It would pay this.
	Accepted(Payout),
	/// It would not, for this reason.
	Refused(TicketRefusal),
}

/// Why a ticket would or would not be paid now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct TicketExplanation {
	/// What `redeem_batch` would do with it.
	pub verdict: TicketVerdict,
	/// The rule that stops it, in words.
	pub rule: Option<String>,
	/// What has to be changed, and by whom.
	pub remedy: Option<String>,
	/// Receives the broadcaster's share; `None` where there is no such stream.
	pub broadcaster: Option<AccountId>,
	/// Receives the treasury's share.
	pub treasury: Option<AccountId>,
	/// The sender's deposit, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub deposit: Balance,
	/// The session as the chain has it.
	pub session: Option<SessionInfo>,
	/// Block in which this was judged: the one after that which was asked.
	pub block: BlockNumber,
}

/// A session key of a viewer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct SessionInfo {
	/// Ed25519 key that signs tickets.
	pub key: PublicKey,
	/// Most that it may spend in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub limit: Balance,
	/// Spent so far, what is reserved included, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub spent: Balance,
	/// Most that it may spend in all on what is not by bytes: access, capacity. Micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub extra_limit: Balance,
	/// Spent so far of `extra_limit`, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub extra_spent: Balance,
	/// Last block for which it can sign tickets.
	pub expiry: BlockNumber,
	/// Block in which it was registered.
	pub registered: BlockNumber,
}

/// A session and whom it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelKey {
	/// Session key that signs.
	pub session: PublicKey,
	/// The relayer's account.
	pub recipient: AccountId,
}

/// What a session reserves for a recipient, and what it paid it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct ChannelInfo {
	/// Of the latest reservation; 0 before the first.
	pub counter: u32,
	/// Micro-USDC in all, what was paid included, that the latest reservation covers.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub cap: Balance,
	/// Micro-USDC that were paid by bytes, from the reservation or from free money.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub paid: Balance,
	/// Micro-USDC that are reserved now.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub open: Balance,
	/// First block in which they are not reserved any more, as far as that is settled.
	pub ends_at: BlockNumber,
	/// Block in which the session was registered.
	pub registered: BlockNumber,
	/// One above the highest nonce of a ticket that was redeemed.
	pub next_nonce: u64,
}

/// Where the vouchers of a session add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoucherPlace {
	/// Session key that signs them.
	pub session: PublicKey,
	/// The relayer's account.
	pub recipient: AccountId,
	/// The stream that was delivered.
	pub stream: StreamId,
	/// What for.
	pub kind: Kind,
	/// As in the receipt.
	pub context: Hash,
	/// Counter of the stream's terms.
	pub terms: u32,
}

/// What the vouchers of one place have paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoucherTotals {
	/// Micro-USDC in all.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub amount: Balance,
	/// Bytes in all.
	pub bytes: u64,
}

/// Money on its way out of a deposit; still pays tickets until it is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Unlocking {
	/// Micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub amount: Balance,
	/// First block in which it can be withdrawn.
	pub unlocks_at: BlockNumber,
}

/// What the chain knows of an account that pays for video.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct ViewerAccount {
	/// Spendable outside the deposit, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub free: Balance,
	/// Held for payments, micro-USDC, `reserved` and `unlocking` included.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub deposit: Balance,
	/// Part of the deposit that is reserved for recipients.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub reserved: Balance,
	/// Part of the deposit that is on its way out.
	pub unlocking: Option<Unlocking>,
	/// Session keys, expired ones that nobody removed included.
	pub sessions: Vec<SessionInfo>,
}

/// A relayer in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct RelayerInfo {
	/// The account that registered: a ticket's recipient, whoever acts for it later.
	pub account: AccountId,
	/// Receives the relayer's share and owns the bond.
	pub payout: AccountId,
	/// Redeems, and changes addresses, price and signing key.
	pub operator: AccountId,
	/// Signs receipts; also the key of its libp2p peer id.
	pub signing_key: PublicKey,
	/// Multiaddresses, as text.
	pub addresses: Vec<String>,
	/// Asking price, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Bonded, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub bond: Balance,
	/// Leaving: first block in which the bond can be withdrawn.
	pub unbonds_at: Option<BlockNumber>,
	/// What it was paid for.
	pub reputation: Reputation,
}

/// What a relayer was paid for since it registered. Counted from tickets and vouchers that were redeemed, so from
/// deliveries that a viewer verified and paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Reputation {
	/// Bytes, as the payers signed them: `value` costs something to fake, this does not.
	pub bytes: u64,
	/// Paid by viewers, all shares included, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub value: Balance,
	/// Accounts that paid: exact for a few, otherwise an estimate; 7,689 stands for that many or more.
	pub viewers: u32,
	/// Times that the account was slashed, also before it registered this time.
	pub slashes: u32,
	/// Block in which it registered.
	pub since: BlockNumber,
}

/// What tickets for a stream may cost, and the broadcaster's part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct StreamTerms {
	/// Baseline price, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Most that a relayer may ask, parts per million of the baseline; at least [`PPM`].
	pub max_surge_ppm: u32,
	/// The broadcaster's share of each ticket, parts per million.
	pub broadcaster_share_ppm: u32,
}

impl StreamTerms {
	/// Highest price that a relayer may ask, micro-USDC per 10^9 bytes: baseline times surge bound, rounded down, and no
	/// more than can be stated.
	pub fn max_price_per_gb(&self) -> u64 {
		let price = u128::from(self.price_per_gb) * u128::from(self.max_surge_ppm) / u128::from(PPM);
		u64::try_from(price).map_or(MAX_PRICE_PER_GB, |price| price.min(MAX_PRICE_PER_GB))
	}
}

/// What becomes of a stream key's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct TermsChange {
	/// What follows; `None`: nothing, the key is burnt.
	pub terms: Option<StreamTerms>,
	/// First block in which it is in force.
	pub from: BlockNumber,
}

/// For how much and how long a stream key can be rented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct RentOffer {
	/// For the whole period, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub price: Balance,
	/// The period.
	pub blocks: BlockNumber,
}

/// A stream key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct StreamKeyInfo {
	/// Its number.
	pub id: StreamId,
	/// Owns it.
	pub owner: AccountId,
	/// Broadcasts now: whoever rents it, else the owner.
	pub broadcaster: AccountId,
	/// Receives the broadcaster's share of what is signed now: the broadcaster, or for a while who was it before.
	pub payee: AccountId,
	/// Signs window headers now.
	pub signing_key: PublicKey,
	/// For people, UTF-8.
	pub title: String,
	/// For people, UTF-8.
	pub category: String,
	/// Most viewers at a time; 0 is no limit.
	pub max_viewers: u32,
	/// Baseline price, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Most that a relayer may ask, parts per million of the baseline.
	pub max_surge_ppm: u32,
	/// The broadcaster's share of each ticket, parts per million.
	pub broadcaster_share_ppm: u32,
	/// Counts changes of the three above and of `payee`: vouchers add up under it.
	pub terms_counter: u32,
	/// When it rises next, if that is known, and what the three above are then.
	pub change: Option<TermsChange>,
	/// All other signing keys that are known: what they signed is still valid.
	pub previous_keys: Vec<PublicKey>,
	/// Held on who broadcasts now, and lost by signing two windows for one place, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal"))]
	pub deposit: Balance,
	/// Whoever broadcasts now signed two windows for one place.
	pub flagged: bool,
	/// Anybody can buy it for this, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "decimal::option"))]
	pub sale_price: Option<Balance>,
	/// Anybody can rent it for this, once it is not rented.
	pub rent_offer: Option<RentOffer>,
	/// Rented now: first block in which the owner broadcasts again.
	pub rented_until: Option<BlockNumber>,
}

impl StreamKeyInfo {
	/// What is in force now.
	pub fn terms(&self) -> StreamTerms {
		StreamTerms {
			price_per_gb: self.price_per_gb,
			max_surge_ppm: self.max_surge_ppm,
			broadcaster_share_ppm: self.broadcaster_share_ppm,
		}
	}
}

/// Amounts as decimal strings: JSON numbers lose precision above 2^53.
#[cfg(feature = "serde")]
pub(crate) mod decimal {
	use super::*;
	use alloc::string::ToString;
	use serde::{de::Error, Deserialize, Deserializer, Serializer};

	pub fn serialize<S: Serializer>(amount: &Balance, s: S) -> Result<S::Ok, S::Error> {
		s.serialize_str(&amount.to_string())
	}

	pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Balance, D::Error> {
		String::deserialize(d)?.parse().map_err(D::Error::custom)
	}

	/// The same, or null.
	pub mod option {
		use super::*;

		pub fn serialize<S: Serializer>(amount: &Option<Balance>, s: S) -> Result<S::Ok, S::Error> {
			match amount {
				Some(amount) => super::serialize(amount, s),
				None => s.serialize_none(),
			}
		}

		pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Balance>, D::Error> {
			let text = Option::<String>::deserialize(d)?;
			text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn highest_price_is_the_baseline_times_the_surge_bound() {
		let bound = |price_per_gb, max_surge_ppm| {
			let terms = StreamTerms {
				price_per_gb,
				max_surge_ppm,
				broadcaster_share_ppm: 0,
			};
			terms.max_price_per_gb()
		};
		assert_eq!(bound(2_000, PPM), 2_000);
		assert_eq!(bound(2_000, 1_500_000), 3_000);
		assert_eq!(bound(1, 1_999_999), 1);
		assert_eq!(bound(0, 10_000_000), 0);
		assert_eq!(bound(MAX_PRICE_PER_GB, 10_000_000), MAX_PRICE_PER_GB);
		assert_eq!(bound(u64::MAX, u32::MAX), MAX_PRICE_PER_GB);
	}
}
