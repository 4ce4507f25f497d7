//! What a page hands in and gets back. SCALE, as everything that travels; `web/src/core/scale.ts` reads and writes it.

use alloc::{string::String, vec::Vec};
use clustercast_primitives::{
	notice::SignedRelayerNotice, AccountId, Balance, BlockNumber, Hash, PublicKey, StreamId, TrackId,
};
use codec::{Decode, Encode};

/// What is watched, and who pays.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Config {
	/// Genesis hash of the chain: part of every signature.
	pub genesis: Hash,
	/// Stream key on the chain.
	pub stream: StreamId,
	/// Of its catalog.
	pub track: TrackId,
	/// Of now.
	pub facts: Facts,
	/// Whose money.
	pub payer: Payer,
}

/// What the chain says by now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Facts {
	/// Signs the stream's headers.
	pub key: PublicKey,
	/// Signed them before.
	pub former: Vec<PublicKey>,
	/// Counter of the stream's terms.
	pub terms: u32,
	/// The newest block.
	pub head: BlockNumber,
}

/// Whose money, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Payer {
	/// Holds the deposit.
	pub account: AccountId,
	/// Signs; the page has the other half.
	pub session: PublicKey,
	/// Last block for which it may sign.
	pub expiry: BlockNumber,
	/// Blocks from signing to a payment's expiry, at most: the chain's rule.
	pub max_ticket_life: BlockNumber,
	/// Most that it may spend in its whole life, in expected value, micro-USDC.
	pub limit: Balance,
	/// What the deposit has now that is free, micro-USDC.
	pub deposit: Balance,
	/// Most that is accepted, micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Of a single ticket, micro-USDC.
	pub max_face_value: Balance,
	/// What [`Output::Store`] said last of this session key; `None` for one that never signed.
	pub purse: Option<Vec<u8>>,
}

/// A relayer, as a connection to it stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Relayer {
	/// Registered; signs receipts.
	pub key: PublicKey,
	/// The account that the chain has under this key.
	pub account: AccountId,
	/// SHA-256 of the certificate that it showed.
	pub certificate: Hash,
	/// In which it says that the certificate is its own.
	pub notice: SignedRelayerNotice,
}

/// Of the page's clocks, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Time {
	/// From any beginning; only goes forward.
	pub elapsed_ms: u64,
	/// Unix time.
	pub unix_ms: u64,
}

/// Why no window comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Silence {
	/// Windows come, or are due.
	None,
	/// The broadcaster pauses.
	Pause,
	/// Nothing was heard of the broadcaster for too long.
	Absence,
	/// The broadcast is over.
	Over,
}

/// What a fault says of a relayer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Blame {
	/// Nothing: one of the two does not know yet what the chain, or a clock, says. It may be tried again.
	None,
	/// It asks what the viewer does not accept.
	Terms,
	/// It broke the protocol, and is not to be trusted again.
	Broken,
}

/// Why a relayer ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum End {
	/// The broadcast is over, by the broadcaster's own word.
	Over,
	/// The next window is not to be had any more: the next subscription begins live.
	Gone,
	/// It has no place for this viewer, or none for its account.
	Full,
	/// It does not carry the stream.
	Absent,
	/// Anything else.
	Other,
}

/// What the page is to do, or to know; in order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Output {
	/// To be sent on the subscription's own stream.
	Send(Vec<u8>),
	/// To be stored under the session key. Nothing that is numbered is signed before the page says, with this number, that it is.
	Store(u32, Vec<u8>),
	/// To be signed by the session key, and handed back under this number.
	Sign(u32, Vec<u8>),
	/// The relayer serves on these terms.
	Terms {
		/// Micro-USDC per 10^9 bytes.
		price_per_gb: u64,
	},
	/// Initialisation segment of the windows that follow.
	Init {
		/// RFC 6381.
		codecs: String,
		/// What the broadcaster calls the broadcast.
		title: String,
		/// `ftyp moov`.
		data: Vec<u8>,
	},
	/// The next window, every byte verified.
	Window {
		/// Run of the broadcast: another one has times of its own.
		epoch: BlockNumber,
		/// Unix time of its first frame's capture, broadcaster's clock, milliseconds.
		start_ms: u64,
		/// Milliseconds.
		duration_ms: u32,
		/// Fragmented MP4.
		data: Vec<u8>,
	},
	/// A window did not come in time; later ones follow.
	Skipped,
	/// What is spent and left, in expected value, micro-USDC: at the start, and whenever the relayer has a payment.
	Money {
		/// By this session key, at all relayers.
		spent: Balance,
		/// Of the key's limit and of the deposit, whichever is less.
		left: Balance,
		/// A payment arrived.
		paid: bool,
	},
	/// Why no window comes has changed.
	Silence(Silence),
	/// Nothing more is paid with this session key: its limit is used up, or it is too old.
	CannotPay(String),
	/// The relayer ended the subscription.
	Ended {
		/// As far as it matters.
		end: End,
		/// For people.
		reason: String,
	},
	/// The relayer is to be left for what it did.
	Fault {
		/// What that says of it.
		blame: Blame,
		/// A chunk or a leaf was not what the broadcaster signed.
		rejected: bool,
		/// For people.
		reason: String,
	},
	/// The relayer brings nothing, and is to be left.
	Failed(String),
	/// The next window is late, and nothing of it comes: others may have it. Told again while it is so.
	Late,
}
