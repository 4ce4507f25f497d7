//! What a viewer signs to be served: bound to one relayer, one connection and one moment, so that nobody who sees it can
//! use it elsewhere.

use crate::{
	crypto::{AccountId, Hash, PublicKey, Signed, SignedMessage},
	register::Domain,
	window::{StreamId, TrackId},
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Most tracks of a subscription.
pub const MAX_TRACKS: u32 = 16;

/// Tracks of ascending numbers.
pub type Tracks = BoundedVec<TrackId, ConstU32<MAX_TRACKS>>;

/// Whom the viewer sees at the other end of its connection. A browser proves no key of its own, so the relayer's end is
/// what a subscription is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Binding {
	/// libp2p: the relayer's peer key (Ed25519).
	PeerKey([u8; 32]),
	/// WebTransport, WebRTC: SHA-256 of the certificate that the relayer showed.
	Certificate([u8; 32]),
}

/// "Serve me this; I pay from this account." Signed by the session key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Subscription {
	/// Holds the deposit.
	pub account: AccountId,
	/// Signs this and what pays.
	pub session: PublicKey,
	/// The stream.
	pub stream: StreamId,
	/// At least one.
	pub tracks: Tracks,
	/// What the relayer said first on this connection, drawn at random for it alone; also the salt of
	/// [`crate::receipt::payer`].
	pub challenge: Hash,
	/// The relayer, as the viewer sees it.
	pub binding: Binding,
}

impl SignedMessage for Subscription {
	const DOMAIN: Domain = Domain::Subscribe;
}

/// As it travels.
pub type SignedSubscription = Signed<Subscription>;
