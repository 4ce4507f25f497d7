//! What a relayer signs for what it delivered: the viewer's evidence, and the offer that a ticket or voucher answers.

use crate::{
	crypto::{sha256, AccountId, Hash, PublicKey, Signed, SignedMessage},
	merkle::{leaf_hash, root},
	register::Domain,
	window::StreamId,
	BlockNumber,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// What was bought. Below 128 by bytes, at a price for them; from 128 on anything else, at any price.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Kind(pub u8);

impl Kind {
	/// Windows as they are made.
	pub const LIVE: Self = Self(0);
	/// Windows of earlier.
	pub const REPLAY: Self = Self(1);
	/// Chunks that mend a body which came by multicast.
	pub const REPAIR: Self = Self(2);
	/// Room on an uplink, for a time.
	pub const CAPACITY: Self = Self(128);
	/// A content key.
	pub const ACCESS: Self = Self(129);

	/// Whether it is paid by bytes: bounded by the stream's price, and counted as reputation.
	pub const fn by_bytes(self) -> bool {
		self.0 < 128
	}

	/// Whether a receipt of this kind convicts by a wrong chunk.
	pub const fn proves_chunks(self) -> bool {
		matches!(self, Self::LIVE | Self::REPLAY)
	}
}

impl fmt::Display for Kind {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match *self {
			Self::LIVE => f.write_str("live"),
			Self::REPLAY => f.write_str("replay"),
			Self::REPAIR => f.write_str("repair"),
			Self::CAPACITY => f.write_str("capacity"),
			Self::ACCESS => f.write_str("access"),
			Self(other) => write!(f, "kind {other}"),
		}
	}
}

/// How far a receipt's block may lie behind the chain's newest one for who is asked to pay: 40 s. Evidence counts from that
/// block, so an old one would end it before it begins.
pub const MAX_BLOCKS_BEHIND: BlockNumber = 20;

/// How far it may lie ahead: 4 s. A relayer states a block that was the newest one a moment ago, so only a node that is
/// well behind finds it there. The chain takes evidence as early as viewers take receipts: no relayer can date its own so
/// that what shows its fraud is refused when it is found.
pub const MAX_BLOCKS_AHEAD: BlockNumber = 2;

/// Most deliveries of a receipt.
pub const MAX_DELIVERIES: u32 = 256;

/// Chunks of one window that were delivered, one after the other. 72 bytes.
///
/// It names the header and not its root: a second header over the same bytes in chunks of another size would make an
/// inner node of this tree a leaf of that one, and the honest would look guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Delivery {
	/// [`crate::WindowHeader::hash`].
	pub header: Hash,
	/// The first of them, from 0.
	pub first: u32,
	/// How many, at least 1.
	pub count: u32,
	/// RFC 6962 root of width `count` over their leaves in ascending order: position `j` is chunk `first + j`.
	pub delivered: Hash,
}

impl Delivery {
	/// Leaf of the tree over a receipt's deliveries: `H(0x00 ‖ SCALE(self))`.
	pub fn leaf(&self) -> Hash {
		leaf_hash(&self.encode())
	}
}

/// Deliveries of a receipt. They ascend strictly by place and first chunk and do not overlap; what comes out of order
/// is another entry, and chunks that come again are not paid again. Viewers refuse other receipts.
pub type Deliveries = BoundedVec<Delivery, ConstU32<MAX_DELIVERIES>>;

/// What a receipt states of its deliveries.
pub fn deliveries_root(deliveries: &[Delivery]) -> Hash {
	root(&deliveries.iter().map(Delivery::leaf).collect::<Vec<_>>())
}

/// "I delivered this to this payer, for this price; pay against this commitment." Signed by the relayer's registered key.
/// 222 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Receipt {
	/// What for.
	pub kind: Kind,
	/// Hash of what the kind refers to, a contract or a key's id; zero for none.
	pub context: Hash,
	/// [`payer`]: shows nobody who it is who does not know already.
	pub payer: Hash,
	/// The relayer's account: answers for it, whatever key is registered later.
	pub payee: AccountId,
	/// The relayer's key: signed this.
	pub key: PublicKey,
	/// The stream.
	pub stream: StreamId,
	/// [`deliveries_root`]; of a kind that is not by bytes, the root of none.
	pub root: Hash,
	/// Bytes of all deliveries.
	pub bytes: u64,
	/// Micro-USDC per 10^9 bytes; of a kind that is not by bytes, micro-USDC in all.
	pub price: u64,
	/// `H(rand)` for the ticket that pays it, see [`crate::ticket::commitment`].
	pub commitment: Hash,
	/// One that was the newest a moment ago: evidence counts from here.
	pub block: BlockNumber,
}

impl SignedMessage for Receipt {
	const DOMAIN: Domain = Domain::Receipt;
}

/// A receipt as it travels, but for its deliveries.
pub type SignedReceipt = Signed<Receipt>;

/// Who pays, by what only the two sides of a subscription know. 97 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PayerOpening {
	/// The subscription's challenge.
	pub salt: Hash,
	/// Holds the deposit.
	pub account: AccountId,
	/// Session key.
	pub session: PublicKey,
}

impl PayerOpening {
	/// What a receipt states: `H(domain ‖ salt ‖ account ‖ SCALE(session))`.
	pub fn hash(&self) -> Hash {
		payer(&self.salt, &self.account, &self.session)
	}
}

/// See [`PayerOpening::hash`].
pub fn payer(salt: &Hash, account: &AccountId, session: &PublicKey) -> Hash {
	sha256(&[Domain::Payer.bytes(), &salt.0, &account.0, &session.encode()])
}

impl Receipt {
	/// Identifies it, and so the offence that it may show: hash of the message. A second signature makes no second one.
	pub fn hash(&self) -> Hash {
		sha256(&[&[0], Self::DOMAIN.bytes(), &self.encode()])
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn kinds_are_by_bytes_below_128() {
		for kind in 0..=u8::MAX {
			assert_eq!(Kind(kind).by_bytes(), kind < 128);
			assert!(!Kind(kind).proves_chunks() || Kind(kind).by_bytes());
		}
		assert!(!Kind::REPAIR.proves_chunks() && Kind::REPLAY.proves_chunks());
	}

	#[test]
	fn lengths_are_as_documented() {
		assert_eq!(Receipt::max_encoded_len(), 222);
		assert_eq!(Delivery::max_encoded_len(), 72);
		assert_eq!(PayerOpening::max_encoded_len(), 97);
	}

	#[test]
	fn payer_is_told_apart_by_salt_account_and_session() {
		let (salt, account, session) = (Hash([1; 32]), AccountId([2; 32]), PublicKey([3; 32]));
		let one = payer(&salt, &account, &session);
		assert_ne!(one, payer(&Hash([9; 32]), &account, &session));
		assert_ne!(one, payer(&salt, &AccountId([9; 32]), &session));
		assert_ne!(one, payer(&salt, &account, &PublicKey([9; 32])));
	}
}
