//! What a relayer signs for a window that it delivered: the viewer's evidence, and the offer that a ticket answers.

use crate::{
	crypto::{Hash, PublicKey, Signed, SignedMessage},
	window::WindowId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// "I delivered these leaves for this window to this session, for this price; pay against this commitment."
/// Signed by the relayer's registered Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Receipt {
	/// The viewer's session key.
	pub session: PublicKey,
	/// The window.
	pub window: WindowId,
	/// Root in the broadcaster's header.
	pub root: Hash,
	/// Root over the leaves as delivered; equal to `root` from an honest relayer.
	pub delivered: Hash,
	/// Bytes delivered.
	pub bytes: u32,
	/// Micro-USDC per 10^6 bytes.
	pub price_per_mb: u64,
	/// `H(rand)` for the ticket that pays this window, see [`crate::ticket::commitment`].
	pub commitment: Hash,
}

impl SignedMessage for Receipt {
	const DOMAIN: &'static [u8] = b"clustercast/receipt/v1";
}

/// A receipt as it travels.
pub type SignedReceipt = Signed<Receipt>;
