//! What a relayer says of itself: to the chain when it registers, to peers at any time.

use crate::{
	crypto::{AccountId, Hash, PublicKey, Signed, SignedMessage},
	register::Domain,
	text::Text,
	window::StreamId,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Shows that whoever registers a relayer holds its signing key; signed with that key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RelayerProof {
	/// The account that registers.
	pub account: AccountId,
}

impl SignedMessage for RelayerProof {
	const DOMAIN: Domain = Domain::RelayerProof;
}

/// Bits of [`RelayerNotice::transports`].
pub mod transport {
	/// libp2p over QUIC.
	pub const QUIC: u32 = 1;
	/// WebTransport.
	pub const WEB_TRANSPORT: u32 = 1 << 1;
	/// WebRTC.
	pub const WEB_RTC: u32 = 1 << 2;
}

/// Where a relayer is, what it asks and how far it is from the broadcaster. Signed by its registered key; of two, the
/// higher number holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RelayerNotice {
	/// The relayer's account.
	pub account: AccountId,
	/// Its registered key.
	pub key: PublicKey,
	/// Rises.
	pub number: u64,
	/// The stream that it serves.
	pub stream: StreamId,
	/// Multiaddresses.
	pub addresses: BoundedVec<Text<128>, ConstU32<8>>,
	/// See [`transport`].
	pub transports: u32,
	/// SHA-256 of certificates that browsers will be shown.
	pub certificates: BoundedVec<Hash, ConstU32<4>>,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Viewers that it has room for.
	pub free_seats: u32,
	/// Relayers from the broadcaster to it, the nearest to the broadcaster first.
	pub path: BoundedVec<AccountId, ConstU32<16>>,
	/// How long after capture a window is here, milliseconds.
	pub lag_ms: u32,
	/// How its operator is reached.
	pub contact: Text<128>,
	/// Where reports of a stream are taken.
	pub reports: Text<128>,
	/// Holds until then: Unix time, milliseconds.
	pub until_ms: u64,
}

impl SignedMessage for RelayerNotice {
	const DOMAIN: Domain = Domain::RelayerNotice;
}

/// A notice as it travels.
pub type SignedRelayerNotice = Signed<RelayerNotice>;
