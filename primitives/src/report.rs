//! What viewers say of what they saw: about a stream's content, and about how well it came.

use crate::{
	crypto::{AccountId, Hash, PublicKey, Signed, SignedMessage},
	register::Domain,
	text::Text,
	window::{StreamId, WindowId},
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A viewer's report of a stream, for whoever takes reports of it. Signed by the session key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Report {
	/// The viewer's session key.
	pub session: PublicKey,
	/// The window that it is about; it names the stream.
	pub window: WindowId,
	/// Hash of that window's header, so that nobody can say it was another one.
	pub header: Hash,
	/// 0 unlawful, 1 stolen, 2 against its description, 255 other.
	pub reason: u8,
	/// In the viewer's words.
	pub text: Text<512>,
	/// Unix time, milliseconds.
	pub at_ms: u64,
}

impl SignedMessage for Report {
	const DOMAIN: Domain = Domain::Report;
}

/// A report as it travels.
pub type SignedReport = Signed<Report>;

/// A viewer's figures for an interval at one relayer. Signed by the session key; the commitments of what it paid show
/// that it was there.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Quality {
	/// The viewer's session key.
	pub session: PublicKey,
	/// The stream.
	pub stream: StreamId,
	/// The relayer's account.
	pub relayer: AccountId,
	/// Unix time, milliseconds.
	pub from_ms: u64,
	/// How long the interval is, milliseconds.
	pub duration_ms: u32,
	/// Verified bytes.
	pub bytes: u64,
	/// From the first byte asked for to the first picture, milliseconds; 0 where it did not begin in this interval.
	pub start_up_ms: u32,
	/// Times that playing stopped.
	pub stalls: u32,
	/// How long in all, milliseconds.
	pub stalled_ms: u32,
	/// From capture to picture, milliseconds, the median.
	pub latency_ms: u32,
	/// Chunks that were refused.
	pub refused: u32,
	/// Of the receipts that it paid.
	pub commitments: BoundedVec<Hash, ConstU32<64>>,
}

impl SignedMessage for Quality {
	const DOMAIN: Domain = Domain::Quality;
}

/// Figures as they travel.
pub type SignedQuality = Signed<Quality>;
