//! What a viewer wants, from whom, and what it is ready to pay.

use super::{Resume, StreamKeys};
use crate::wire::{Follow, SessionKey};
use clustercast_primitives::{subscribe::Binding, AccountId, Balance, BlockNumber, Hash, PublicKey, StreamId, TrackId};

/// Of one subscription.
#[derive(Clone, Debug)]
pub struct ViewerConfig {
	/// Genesis hash of the chain: part of every signature.
	pub genesis: Hash,
	/// Stream key on the chain.
	pub stream: StreamId,
	/// Track of the stream.
	pub track: TrackId,
	/// Sign the stream's headers, or did before.
	pub keys: StreamKeys,
	/// Signs the relayer's receipts, as the chain says.
	pub relayer_key: PublicKey,
	/// The account that the chain has under this key: the one whose bond answers for it, and so the only one to be paid.
	/// `None` where the relayer is not registered.
	pub relayer_account: Option<AccountId>,
	/// The relayer's end of this connection, as it proved to be: what a subscription that pays is bound to.
	pub binding: Binding,
	/// How it pays; `None` asks to be served for nothing.
	pub payment: Option<PaymentTerms>,
	/// The chain's newest block: epochs and receipts of another time are refused, see [`super::ViewerSession::set_head`].
	pub head: BlockNumber,
	/// Windows that begin later are refused, see [`super::ViewerSession::set_latest_start`]: Unix time, milliseconds.
	pub latest_start_ms: u64,
	/// Goes on behind this window; `None` begins live.
	pub resume: Option<Resume>,
	/// What comes by itself.
	pub follow: Follow,
}

/// Who pays, and the most that is accepted.
#[derive(Clone, Debug)]
pub struct PaymentTerms {
	/// Whose deposit and session key.
	pub session: SessionKey,
	/// Whether it also pays by vouchers.
	pub vouchers: bool,
	/// Counter of the stream's terms, as the chain says; the next one is accepted too, since the relayer may know of a
	/// change first. Any other would make a place of its own for vouchers that the chain does not pay.
	pub terms: u32,
	/// Micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Micro-USDC a single ticket may be worth when it wins.
	pub max_face_value: Balance,
}
