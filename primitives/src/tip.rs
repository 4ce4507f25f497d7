//! Tips: a session key gives the broadcaster money from the deposit.

use crate::{
	amount::Balance,
	crypto::{AccountId, PublicKey, Signed, SignedMessage},
	register::Domain,
	window::StreamId,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Gives `amount` to whoever broadcasts `stream`. Anybody may submit it; whoever does gets `reward` for the fee.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Tip {
	/// Whose deposit pays.
	pub sender: AccountId,
	/// Session key that signs; registered by `sender` on the chain.
	pub session: PublicKey,
	/// The stream whose broadcaster receives it.
	pub stream: StreamId,
	/// Micro-USDC for the broadcaster, less the treasury's share.
	pub amount: Balance,
	/// Micro-USDC for the submitter, on top.
	pub reward: Balance,
	/// Rises with each tip of the session, and is never used again while it lives.
	pub nonce: u64,
	/// Last block in which it can be submitted; a multiple of [`crate::ticket::EXPIRY_GRID`].
	pub expiry: BlockNumber,
}

impl SignedMessage for Tip {
	const DOMAIN: Domain = Domain::Tip;
}

/// A tip, signed by the session key.
pub type SignedTip = Signed<Tip>;
