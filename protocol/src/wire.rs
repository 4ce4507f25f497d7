//! Messages and frames. Decoders are bounded and total: whatever arrives ends in a message or a typed error.
//!
//! ```text
//! frame        = length: u32 LE (of kind and body) ‖ kind: u8 ‖ body
//! body         = SCALE of the message; of Init the raw bytes; of Pushed and Offered:
//! announcement = SCALE of SignedHeader (247 bytes) ‖ length of items: u16 LE ‖ SCALE of items ‖ leaf hashes (32 bytes each)
//! chunks       = SCALE of Range (40 bytes) ‖ the bytes of its chunks, at least of the first; on a stream of their own
//! ```
//!
//! Each message has exactly one encoding: SCALE's lengths are refused unless they are the shortest, and of no items the
//! length is zero.

use crate::{
	routes::{Names, Path},
	tickets::TicketError,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::{BufMut, Bytes, BytesMut};
use clustercast_primitives::{
	catalog::{SignedCatalog, MAX_INIT_BYTES},
	channel::SignedReservation,
	ext::Items,
	merkle,
	receipt::{Deliveries, SignedReceipt},
	status::SignedStatus,
	subscribe::{SignedSubscription, Subscription, Tracks},
	window::{SignedHeader, MAX_WINDOW_BYTES},
	AccountId, Balance, BlockNumber, Hash, History, PublicKey, SignedTicket, SignedVoucher, StreamId, TrackId,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::fmt;

/// Name of the protocol as TLS negotiates it (ALPN). Its number rises with every change of a frame: peers that speak another
/// one find that out before they send anything. 2 brought vouchers, 3 version 2 of what is signed, 4 reservations, 5 `Waiting`,
/// 6 QUIC of our own, 7 places that name a header and receipts for intervals, 8 chunks on streams of their own, 9 `Seats`,
/// 10 `Route`,
/// `Others`, `IdleLately`, `PriceRose` and `Denied`.
pub const PROTOCOL_NAME: &str = "/clustercast/deliver/10";

/// Length and kind.
pub const PREFIX_BYTES: usize = 5;

/// SCALE length of a [`SignedHeader`].
pub const HEADER_BYTES: usize = 247;

/// SCALE length of a [`Range`]: what chunks begin with.
pub const RANGE_BYTES: usize = 40;

/// Fetches of one subscription that may wait for their answer.
pub const MAX_FETCHES: usize = 16;

/// Length of the items behind a header.
const ITEMS_PREFIX_BYTES: usize = 2;

/// Bytes of a leaf hash.
pub(crate) const LEAF_BYTES: usize = 32;

/// What a frame carries: its fifth byte. Requests are below `0x80`, answers above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
	/// [`Subscribe`]
	Subscribe = 0x01,
	/// [`SignedTicket`]
	Ticket = 0x02,
	/// Commitment of the receipt that it pays, [`SignedVoucher`]
	Voucher = 0x03,
	/// [`SignedReservation`]
	Reserve = 0x04,
	/// Nothing.
	Leave = 0x05,
	/// [`Fetch`]
	Fetch = 0x06,
	/// [`Range`]
	Cancel = 0x07,
	/// [`Follow`]
	Follow = 0x08,
	/// `Option<`[`Terms`]`>`
	Terms = 0x81,
	/// Initialisation segment, raw.
	Init = 0x82,
	/// [`Announcement`] of a window that comes by itself.
	Pushed = 0x83,
	/// [`SignedReceipt`], [`Deliveries`]
	Receipt = 0x84,
	/// Commitment of the receipt that is paid.
	Paid = 0x85,
	/// [`EndReason`]
	End = 0x86,
	/// 32 random bytes.
	Challenge = 0x87,
	/// [`SignedCatalog`]
	Catalog = 0x88,
	/// [`SignedStatus`]
	Status = 0x89,
	/// [`History`]
	History = 0x8a,
	/// Counter of the reservation that is final on the chain.
	Reserved = 0x8b,
	/// Nothing.
	Waiting = 0x8c,
	/// [`Announcement`] of a window that can be fetched.
	Offered = 0x8d,
	/// [`Range`]
	Lacks = 0x8e,
	/// How many viewers whoever is told may serve.
	Seats = 0x8f,
	/// [`Path`]
	Route = 0x90,
	/// [`Names`]
	Others = 0x91,
}

impl Kind {
	fn from_byte(byte: u8) -> Option<Self> {
		Some(match byte {
			0x01 => Self::Subscribe,
			0x02 => Self::Ticket,
			0x03 => Self::Voucher,
			0x04 => Self::Reserve,
			0x05 => Self::Leave,
			0x06 => Self::Fetch,
			0x07 => Self::Cancel,
			0x08 => Self::Follow,
			0x81 => Self::Terms,
			0x82 => Self::Init,
			0x83 => Self::Pushed,
			0x84 => Self::Receipt,
			0x85 => Self::Paid,
			0x86 => Self::End,
			0x87 => Self::Challenge,
			0x88 => Self::Catalog,
			0x89 => Self::Status,
			0x8a => Self::History,
			0x8b => Self::Reserved,
			0x8c => Self::Waiting,
			0x8d => Self::Offered,
			0x8e => Self::Lacks,
			0x8f => Self::Seats,
			0x90 => Self::Route,
			0x91 => Self::Others,
			_ => return None,
		})
	}

	/// Whether it goes to a relayer.
	fn is_request(self) -> bool {
		(self as u8) < 0x80
	}

	/// Longest body of this kind, bytes.
	pub fn max_body(self) -> usize {
		match self {
			Self::Subscribe => Subscribe::max_encoded_len(),
			Self::Ticket => SignedTicket::max_encoded_len(),
			Self::Voucher => <(Hash, SignedVoucher)>::max_encoded_len(),
			Self::Reserve => SignedReservation::max_encoded_len(),
			Self::Reserved | Self::Seats => u32::max_encoded_len(),
			Self::Route => Path::max_encoded_len(),
			Self::Others => Names::max_encoded_len(),
			Self::Terms => Option::<Terms>::max_encoded_len(),
			Self::Init => MAX_INIT_BYTES as usize,
			Self::Pushed | Self::Offered => {
				let chunks = merkle::chunk_count(MAX_WINDOW_BYTES, *merkle::CHUNK_LOG2.start()) as usize;
				let items = ITEMS_PREFIX_BYTES + Items::max_encoded_len();
				HEADER_BYTES + items + chunks * LEAF_BYTES
			},
			Self::Fetch => Fetch::max_encoded_len(),
			Self::Cancel | Self::Lacks => RANGE_BYTES,
			Self::Follow => Follow::max_encoded_len(),
			Self::Receipt => <(SignedReceipt, Deliveries)>::max_encoded_len(),
			Self::Paid | Self::Challenge => Hash::max_encoded_len(),
			Self::End => EndReason::max_encoded_len(),
			Self::Catalog => SignedCatalog::max_encoded_len(),
			Self::Status => SignedStatus::max_encoded_len(),
			Self::History => History::max_encoded_len(),
			Self::Waiting | Self::Leave => 0,
		}
	}
}

impl fmt::Display for Kind {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Debug::fmt(self, f)
	}
}

/// Why bytes are no message of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
	/// A kind that this protocol does not know.
	#[error("unknown message kind {0:#04x}")]
	UnknownKind(u8),
	/// A kind that the other side sends, never this one.
	#[error("{0} travels the other way")]
	WrongDirection(Kind),
	/// The frame has no room for a kind.
	#[error("empty frame")]
	EmptyFrame,
	/// Longer than any message of its kind.
	#[error("{kind} of {len} bytes; at most {max} are allowed")]
	TooLong {
		/// Of the frame.
		kind: Kind,
		/// Stated length of the body, bytes.
		len: usize,
		/// Allowed, bytes.
		max: usize,
	},
	/// The body, or the stream, ends inside a message. `None`: inside length and kind.
	#[error("message cut short")]
	Truncated(Option<Kind>),
	/// The body goes on after the message.
	#[error("{0} is followed by bytes that belong to no message")]
	TrailingBytes(Kind),
	/// A value that the message's type does not have.
	#[error("{0} holds an impossible value")]
	Malformed(Kind),
	/// A window's chunk count does not follow from its length.
	#[error("{chunks} chunks stated for {bytes} bytes")]
	ChunkCount {
		/// As the header says.
		chunks: u32,
		/// As the header says.
		bytes: u32,
	},
	/// An announcement is not as long as that of the window which its header describes.
	#[error("announcement of {got} bytes for a window that needs {expected}")]
	AnnouncementLength {
		/// Body length that the header calls for.
		expected: usize,
		/// Stated body length.
		got: usize,
	},
	/// Chunks of a window that does not have them, or none.
	#[error("{0} is not within its window")]
	NoSuchChunks(Range),
}

/// First message of a viewer: what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Subscribe {
	/// Genesis hash of the chain that both sides mean.
	pub genesis: Hash,
	/// Stream key on the chain.
	pub stream: StreamId,
	/// At least one; of those that are served here, which is one today.
	pub tracks: Tracks,
	/// Where to begin.
	pub start: Start,
	/// What is sent of new windows.
	pub follow: Follow,
	/// Who pays; `None`, a guest, asks to be served for nothing.
	pub payer: Option<Payer>,
}

impl Subscribe {
	/// The one track that is asked for; `None` where it is none or several.
	pub fn track(&self) -> Option<TrackId> {
		match self.tracks[..] {
			[track] => Some(track),
			_ => None,
		}
	}
}

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub enum Start {
	/// At the newest window that can be decoded by itself.
	Live,
	/// With the direct successor of this window.
	After {
		/// Its epoch.
		epoch: BlockNumber,
		/// Its segment.
		segment: u64,
		/// Its part.
		part: u16,
		/// Hash of its header: tells another history apart.
		header: Hash,
	},
}

/// What a subscription brings by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub enum Follow {
	/// New windows, whole.
	#[default]
	Windows,
	/// Announcements of them; what is wanted is fetched.
	Announcements,
}

/// Chunks of one window, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct Range {
	/// Hash of its header.
	pub header: Hash,
	/// The first of them, from 0.
	pub first: u32,
	/// How many.
	pub count: u32,
}

impl Range {
	/// Behind its last chunk; `None` where there is no such number.
	pub fn end(&self) -> Option<u32> {
		self.first.checked_add(self.count)
	}
}

impl fmt::Display for Range {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { header, first, count } = self;
		write!(f, "{count} chunks from {first} of window {header}")
	}
}

/// What is wanted beyond what comes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Fetch {
	/// Which chunks; at least one.
	pub range: Range,
	/// They are of no use later than so long after this was sent, milliseconds.
	pub within_ms: u32,
}

/// Who pays, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey {
	/// Holds the deposit.
	pub account: AccountId,
	/// Signs what pays.
	pub key: PublicKey,
}

/// Who pays for a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Payer {
	/// Names account and session; signed by the session key, for this connection alone.
	pub subscription: SignedSubscription,
	/// Whether it also pays by vouchers. Every payer pays by tickets.
	pub vouchers: bool,
}

impl Payer {
	/// By name.
	pub fn session(&self) -> SessionKey {
		let Subscription { account, session, .. } = self.subscription.message;
		SessionKey { account, key: session }
	}
}

/// A relayer's offer; holds for the whole subscription, but for the mode of payment and the counter: the relayer may change
/// these by stating the terms again between two windows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Terms {
	/// Recipient of the payments.
	pub recipient: AccountId,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// What receipts are paid with.
	pub mode: PaymentMode,
	/// Bytes that it sends ahead of payment; one window may be larger.
	pub credit: u32,
	/// Bytes that are worth a receipt; of 0 each window has one.
	pub interval: u32,
	/// Counter of the stream's terms on the chain: vouchers add up under it.
	pub counter: u32,
	/// Asks the viewer to reserve something; `None` where it takes no reservations.
	pub reserve: Option<ReserveTerms>,
}

/// What a relayer asks to be reserved for it. How much is the viewer's to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct ReserveTerms {
	/// Without this much it does not serve for long, micro-USDC.
	pub least: Balance,
	/// For handing a reservation in and releasing what is left at the end, micro-USDC each time.
	pub reward: Balance,
}

impl Terms {
	/// The price relative to a stream's baseline (micro-USDC per 10^9 bytes), parts per million; rounded down.
	pub fn surge_ppm(&self, baseline: u64) -> u64 {
		let ppm = u128::from(self.price_per_gb) * 1_000_000 / u128::from(baseline.max(1));
		u64::try_from(ppm).unwrap_or(u64::MAX)
	}
}

/// What the windows of a subscription are paid with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
#[allow(clippy::large_enum_variant, reason = "one for a subscription")]
pub enum PaymentMode {
	/// A ticket each.
	Tickets {
		/// Of each, micro-USDC.
		face_value: Balance,
	},
	/// A voucher each, which replaces the one before it. Only for a [`Payer`] who takes part.
	Vouchers {
		/// The newest that the relayer has from this session for this stream under these terms: a viewer who lost track
		/// goes on from it.
		newest: Option<SignedVoucher>,
	},
}

/// Why a relayer ends a subscription; in words, of the relayer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
	/// The broadcast is over.
	#[error("it says that the broadcast is over")]
	Finished,
	/// Stream or track not served here.
	#[error("it does not carry this stream")]
	NotServed,
	/// No room for another viewer.
	#[error("it has no room for another viewer")]
	Full,
	/// Payment did not come in time.
	#[error("it says that payment did not come in time")]
	Unpaid,
	/// What follows the window that was named is not in the cache any more, or that window is unknown: far ahead of all
	/// that came, not here after a while, or of another history. Begin live.
	#[error("it does not have the next window any more")]
	WindowGone,
	/// A ticket or voucher was refused.
	#[error("it refused a payment: {0}")]
	TicketRefused(TicketError),
	/// The peer is not on the list of those served.
	#[error("it serves only those on its list")]
	NotAllowed,
	/// Served only against payment.
	#[error("it serves only against payment")]
	PaymentRequired,
	/// The subscription names another chain.
	#[error("it is on another chain")]
	WrongChain,
	/// The viewer broke the protocol.
	#[error("it says that we broke the protocol")]
	ProtocolError,
	/// The relayer is shutting down.
	#[error("it is shutting down")]
	ShuttingDown,
	/// The subscription is not signed by its session key for this connection and request.
	#[error("it says that the subscription is not signed as it should be")]
	BadSubscription,
	/// Nothing more goes out without a reservation, and none came in time.
	#[error("it got no reservation in time")]
	ReservationNeeded,
	/// The reservation was refused.
	#[error("it refused the reservation: it {0}")]
	ReservationRefused(ReserveError),
	/// The relayer's view of the chain is too old to judge payments by.
	#[error("its node is behind the chain: it sells nothing until it knows better")]
	Behind,
	/// The relayer has no room for payments, or its disk fails.
	#[error("it cannot store payments: it sells nothing until it can")]
	CannotStore,
	/// Nothing was delivered for long, and nothing heard, or too little was bought and somebody else has the seat: subscribe again to
	/// go on waiting.
	#[error("nothing was bought there for long")]
	Idle,
	/// The same peer subscribed to the same track again: the newest counts.
	#[error("it was asked for the same by the same peer again")]
	Replaced,
	/// The account watches here as often as it may.
	#[error("the account watches there as often as it may")]
	SeatsTaken,
	/// The account had seats lately and paid nothing in them, and all are taken: nobody makes room for it for so many seconds.
	#[error("the account paid nothing for the seats that it had there, and has none before others for {0} s")]
	IdleLately(u16),
	/// Fewer pay for what the stream costs the relayer, so it sells it for more than was agreed: subscribe again to hear its price.
	#[error("its price rose, as fewer share what the stream costs it")]
	PriceRose,
	/// The relayer's operator does not want it carried, or not for what may be asked for it.
	#[error("its operator does not carry this stream")]
	Denied,
}

impl EndReason {
	/// Whether it is of the relayer's own making: what is unpaid by then is nobody's debt.
	pub fn is_own(&self) -> bool {
		matches!(self, Self::ShuttingDown | Self::Behind | Self::CannotStore)
	}

	/// Whether others may serve what is refused for it.
	pub fn names_others(&self) -> bool {
		matches!(self, Self::Full | Self::Denied)
	}
}

/// Why a relayer does not hand a reservation in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
	/// For another account, session or recipient than the subscription's.
	#[error("is for another channel")]
	WrongChannel,
	/// Counter or cap are not above those that the chain has.
	#[error("does not rise")]
	NotRising,
	/// Below what was asked.
	#[error("rewards too little")]
	RewardTooSmall,
	/// Its last block is too near or too far.
	#[error("cannot be handed in in time")]
	SubmitBy,
	/// Session or deposit do not cover it.
	#[error("the session or the deposit does not cover it")]
	Means,
	/// Not by the session key.
	#[error("signature does not verify")]
	BadSignature,
	/// The one before is still on its way.
	#[error("another one is on its way")]
	Busy,
	/// Reservations of this account have cost the relayer too much lately.
	#[error("too many of the account have failed")]
	Distrusted,
	/// The chain did not take it.
	#[error("the chain refused it")]
	Chain,
	/// Reservations of others have failed at the relayer's cost: it hands in no more within the hour.
	#[error("too many have failed lately")]
	Crowded,
}

/// What a viewer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToRelayer {
	/// First, once.
	Subscribe(Subscribe),
	/// Pays one receipt.
	Ticket(SignedTicket),
	/// Pays the receipt with this commitment: its amount includes that of all before it.
	Voucher(Hash, SignedVoucher),
	/// Sets money aside on the chain, once the relayer hands it in. Where the terms ask for it.
	Reserve(SignedReservation),
	/// Wants no more windows, and a receipt for all that has none.
	Leave,
	/// Wants these chunks as well.
	Fetch(Fetch),
	/// Does not want these chunks any more, which are on their way or to come. What comes nevertheless counts.
	Cancel(Range),
	/// What is to come by itself from now on.
	Follow(Follow),
}

impl ToRelayer {
	/// The whole frame.
	pub fn to_frame(&self) -> Bytes {
		match self {
			Self::Subscribe(subscribe) => frame(Kind::Subscribe, subscribe),
			Self::Ticket(ticket) => frame(Kind::Ticket, ticket),
			Self::Voucher(commitment, voucher) => frame(Kind::Voucher, &(commitment, voucher)),
			Self::Reserve(reservation) => frame(Kind::Reserve, reservation),
			Self::Leave => frame(Kind::Leave, &()),
			Self::Fetch(fetch) => frame(Kind::Fetch, fetch),
			Self::Cancel(range) => frame(Kind::Cancel, range),
			Self::Follow(follow) => frame(Kind::Follow, follow),
		}
	}
}

/// What a relayer sends, but for chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToViewer {
	/// First; `None` serves for nothing. Again between windows, with nothing changed but the mode of payment.
	Terms(Option<Terms>),
	/// Before the first window and where it changes: at most [`MAX_INIT_BYTES`], none for a track without one.
	Init(Bytes),
	/// For what went out whole and has none.
	Receipt(SignedReceipt, Deliveries),
	/// The ticket or voucher for the receipt with this commitment is accepted and safe.
	Paid(Hash),
	/// Last.
	End(EndReason),
	/// Before all else: what a subscription that pays has to sign.
	Challenge(Hash),
	/// Before the first window and where it changes.
	Catalog(Box<SignedCatalog>),
	/// How the broadcast stands, whenever there is a newer one.
	Status(Box<SignedStatus>),
	/// Of the headers before the first window, to a viewer who begins live.
	History(History),
	/// The reservation with this counter is final on the chain.
	Reserved(u32),
	/// It is there and has nothing newer than what it sent: where nothing else is to be said for a while.
	Waiting,
	/// The next window, which comes by itself.
	Pushed(Box<Announcement>),
	/// The next window, which can be fetched.
	Offered(Box<Announcement>),
	/// These chunks do not come: it does not have them, or has them no more, or their time was over.
	Lacks(Range),
	/// So many viewers of this stream, whose key limits them, may be served by whoever is told this, until it is told otherwise or the
	/// subscription is over. Who is told nothing may serve nobody.
	Seats(u32),
	/// The relayers that the stream comes through, its own key first; again where that changes. An origin says nothing.
	Route(Path),
	/// Before the end: relayers that may serve what is refused.
	Others(Names),
}

/// A window but for its chunks. Unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
	/// What the broadcaster signed.
	pub header: SignedHeader,
	/// What belongs to it beside the chunks.
	pub items: Items,
	/// Of all its chunks.
	pub leaves: Vec<Hash>,
	/// The whole frame, as it came or goes.
	pub frame: Bytes,
}

impl Announcement {
	/// Of a window that comes by itself.
	pub(crate) fn new(header: SignedHeader, items: Items, leaves: Vec<Hash>) -> Self {
		let encoded = match items.iter().next() {
			None => Vec::new(),
			Some(_) => items.encode(),
		};
		let body = HEADER_BYTES + ITEMS_PREFIX_BYTES + encoded.len() + leaves.len() * LEAF_BYTES;
		let mut out = prefix(Kind::Pushed, body);
		out.put_slice(&header.encode());
		out.put_u16_le(encoded.len() as u16);
		out.put_slice(&encoded);
		leaves.iter().for_each(|leaf| out.put_slice(&leaf.0));
		Self {
			header,
			items,
			leaves,
			frame: out.freeze(),
		}
	}

	/// `frame` is whole.
	fn decode(kind: Kind, frame: &[u8]) -> Result<Self, WireError> {
		let body = &frame[PREFIX_BYTES..];
		let truncated = WireError::Truncated(Some(kind));
		let (header, rest) = body.split_at_checked(HEADER_BYTES).ok_or(truncated.clone())?;
		let header: SignedHeader = decode(kind, header)?;
		let (bytes, chunks, chunk_log2) = (header.message.bytes, header.message.chunks, header.message.chunk_log2);
		if !merkle::CHUNK_LOG2.contains(&chunk_log2) || chunks != merkle::chunk_count(bytes, chunk_log2) {
			return Err(WireError::ChunkCount { chunks, bytes });
		}
		let (length, rest) = rest.split_first_chunk::<ITEMS_PREFIX_BYTES>().ok_or(truncated)?;
		let items = usize::from(u16::from_le_bytes(*length));
		let expected = HEADER_BYTES + ITEMS_PREFIX_BYTES + items + chunks as usize * LEAF_BYTES;
		if body.len() != expected {
			let got = body.len();
			return Err(WireError::AnnouncementLength { expected, got });
		}
		let (encoded, leaves) = rest.split_at(items);
		let items = match encoded {
			[] => Items::default(),
			encoded => decode::<Items>(kind, encoded)?,
		};
		// Of no items the length is zero.
		if !encoded.is_empty() && items.iter().next().is_none() {
			return Err(WireError::Malformed(kind));
		}
		let (leaves, _) = leaves.as_chunks::<LEAF_BYTES>();
		Ok(Self {
			header,
			items,
			leaves: leaves.iter().copied().map(Hash).collect(),
			frame: frame_as(frame, Kind::Pushed),
		})
	}
}

/// The same frame under another kind of the same body.
pub(crate) fn frame_as(frame: &[u8], kind: Kind) -> Bytes {
	let mut out = BytesMut::from(frame);
	out[PREFIX_BYTES - 1] = kind as u8;
	out.freeze()
}

/// What the chunks of a stream begin with.
pub fn range_prefix(range: &Range) -> Bytes {
	range.encode().into()
}

/// The range that a stream of chunks begins with.
pub fn read_range(prefix: &[u8; RANGE_BYTES]) -> Range {
	Range::decode(&mut &prefix[..]).expect("of fixed length, and any bytes are one")
}

impl ToViewer {
	/// The whole frame.
	pub fn to_frame(&self) -> Bytes {
		match self {
			Self::Terms(terms) => frame(Kind::Terms, terms),
			Self::Init(init) => {
				let mut out = prefix(Kind::Init, init.len());
				out.put_slice(init);
				out.freeze()
			},
			Self::Receipt(receipt, deliveries) => frame(Kind::Receipt, &(receipt, deliveries)),
			Self::Paid(commitment) => frame(Kind::Paid, commitment),
			Self::End(reason) => frame(Kind::End, reason),
			Self::Challenge(challenge) => frame(Kind::Challenge, challenge),
			Self::Catalog(catalog) => frame(Kind::Catalog, catalog),
			Self::Status(status) => frame(Kind::Status, status),
			Self::History(history) => frame(Kind::History, history),
			Self::Reserved(counter) => frame(Kind::Reserved, counter),
			Self::Waiting => prefix(Kind::Waiting, 0).freeze(),
			Self::Pushed(announcement) => announcement.frame.clone(),
			Self::Offered(announcement) => frame_as(&announcement.frame, Kind::Offered),
			Self::Lacks(range) => frame(Kind::Lacks, range),
			Self::Seats(seats) => frame(Kind::Seats, seats),
			Self::Route(path) => frame(Kind::Route, path),
			Self::Others(names) => frame(Kind::Others, names),
		}
	}

	/// Which kind of frame it travels in.
	pub fn kind(&self) -> Kind {
		match self {
			Self::Terms(_) => Kind::Terms,
			Self::Init(_) => Kind::Init,
			Self::Receipt(..) => Kind::Receipt,
			Self::Paid(_) => Kind::Paid,
			Self::End(_) => Kind::End,
			Self::Challenge(_) => Kind::Challenge,
			Self::Catalog(_) => Kind::Catalog,
			Self::Status(_) => Kind::Status,
			Self::History(_) => Kind::History,
			Self::Reserved(_) => Kind::Reserved,
			Self::Waiting => Kind::Waiting,
			Self::Pushed(_) => Kind::Pushed,
			Self::Offered(_) => Kind::Offered,
			Self::Lacks(_) => Kind::Lacks,
			Self::Seats(_) => Kind::Seats,
			Self::Route(_) => Kind::Route,
			Self::Others(_) => Kind::Others,
		}
	}
}

/// Length and kind of a frame with a body of `body` bytes; has room for the body.
pub(crate) fn prefix(kind: Kind, body: usize) -> BytesMut {
	debug_assert!(body <= kind.max_body());
	let mut out = BytesMut::with_capacity(PREFIX_BYTES + body);
	out.put_u32_le(1 + body as u32);
	out.put_u8(kind as u8);
	out
}

fn frame(kind: Kind, message: &impl Encode) -> Bytes {
	let body = message.encode();
	let mut out = prefix(kind, body.len());
	out.put_slice(&body);
	out.freeze()
}

/// Decodes a body that holds exactly one message.
fn decode<T: Decode>(kind: Kind, body: &[u8]) -> Result<T, WireError> {
	let mut input = Body {
		rest: body,
		short: false,
	};
	let message = T::decode(&mut input).map_err(|_| match input.short {
		true => WireError::Truncated(Some(kind)),
		false => WireError::Malformed(kind),
	})?;
	match input.rest {
		[] => Ok(message),
		_ => Err(WireError::TrailingBytes(kind)),
	}
}

/// SCALE input that remembers whether it was asked for more than it had.
struct Body<'a> {
	rest: &'a [u8],
	short: bool,
}

impl codec::Input for Body<'_> {
	/// Not told: a list longer than the rest would be refused before anything is asked for, and pass for malformed. How
	/// much is kept for a list is bounded by its type.
	fn remaining_len(&mut self) -> Result<Option<usize>, codec::Error> {
		Ok(None)
	}

	fn read(&mut self, into: &mut [u8]) -> Result<(), codec::Error> {
		let Some((head, rest)) = self.rest.split_at_checked(into.len()) else {
			self.short = true;
			return Err("body cut short".into());
		};
		into.copy_from_slice(head);
		self.rest = rest;
		Ok(())
	}
}

/// The frame that is arriving, prefix included, and how far it has to come before it can be looked at again.
#[derive(Debug)]
struct Frame {
	buffer: Vec<u8>,
	goal: usize,
}

impl Frame {
	fn new() -> Self {
		Self {
			buffer: Vec::new(),
			goal: PREFIX_BYTES,
		}
	}

	/// Takes from `input` what is missing; whether the goal is reached.
	fn fill(&mut self, input: &mut &[u8]) -> bool {
		let missing = self.goal - self.buffer.len();
		let (now, later) = input.split_at(missing.min(input.len()));
		self.buffer.extend_from_slice(now);
		*input = later;
		self.buffer.len() == self.goal
	}

	/// Kind and body length, once the prefix is here.
	fn prefix(&self) -> Result<(Kind, usize), WireError> {
		let [a, b, c, d, kind, ..] = self.buffer[..] else {
			return Err(WireError::Truncated(None));
		};
		let len = u32::from_le_bytes([a, b, c, d]) as usize;
		let len = len.checked_sub(1).ok_or(WireError::EmptyFrame)?;
		let kind = Kind::from_byte(kind).ok_or(WireError::UnknownKind(kind))?;
		match kind.max_body() {
			max if len > max => Err(WireError::TooLong { kind, len, max }),
			_ => Ok((kind, len)),
		}
	}

	fn body(&self) -> &[u8] {
		&self.buffer[PREFIX_BYTES..]
	}

	/// Nothing is kept between two messages: most of the time there is none, and a node has thousands of peers.
	fn reset(&mut self) {
		*self = Self::new();
	}

	/// Whether the stream may end here.
	fn finish(&self) -> Result<(), WireError> {
		match self.buffer.len() {
			0 => Ok(()),
			n if n < PREFIX_BYTES => Err(WireError::Truncated(None)),
			_ => Err(WireError::Truncated(Kind::from_byte(self.buffer[PREFIX_BYTES - 1]))),
		}
	}
}

/// Reads what a viewer sends. Holds one frame, at most a few hundred bytes.
#[derive(Debug)]
pub struct RequestDecoder {
	frame: Frame,
	kind: Option<Kind>,
}

impl Default for RequestDecoder {
	fn default() -> Self {
		Self {
			frame: Frame::new(),
			kind: None,
		}
	}
}

impl RequestDecoder {
	/// Takes bytes off the front of `input` until a message is complete; `None` when `input` is used up before that.
	/// After an error the stream cannot be read on.
	pub fn poll(&mut self, input: &mut &[u8]) -> Result<Option<ToRelayer>, WireError> {
		while self.frame.fill(input) {
			let Some(kind) = self.kind else {
				let (kind, len) = self.frame.prefix()?;
				if !kind.is_request() {
					return Err(WireError::WrongDirection(kind));
				}
				self.kind = Some(kind);
				self.frame.goal += len;
				continue;
			};
			let message = match kind {
				Kind::Subscribe => ToRelayer::Subscribe(decode(kind, self.frame.body())?),
				Kind::Voucher => {
					let (commitment, voucher) = decode(kind, self.frame.body())?;
					ToRelayer::Voucher(commitment, voucher)
				},
				Kind::Reserve => ToRelayer::Reserve(decode(kind, self.frame.body())?),
				Kind::Leave => {
					let () = decode(kind, self.frame.body())?;
					ToRelayer::Leave
				},
				Kind::Fetch => ToRelayer::Fetch(decode(kind, self.frame.body())?),
				Kind::Cancel => ToRelayer::Cancel(decode(kind, self.frame.body())?),
				Kind::Follow => ToRelayer::Follow(decode(kind, self.frame.body())?),
				_ => ToRelayer::Ticket(decode(kind, self.frame.body())?),
			};
			self.kind = None;
			self.frame.reset();
			return Ok(Some(message));
		}
		Ok(None)
	}

	/// The stream ended: an error when it did so inside a message.
	pub fn finish(&self) -> Result<(), WireError> {
		self.frame.finish()
	}
}

/// Reads what a relayer sends. Holds one frame, at most an announcement.
#[derive(Debug)]
pub struct AnswerDecoder {
	frame: Frame,
	kind: Option<Kind>,
}

impl Default for AnswerDecoder {
	fn default() -> Self {
		Self {
			frame: Frame::new(),
			kind: None,
		}
	}
}

impl AnswerDecoder {
	/// Takes bytes off the front of `input` until a message is complete; `None` when `input` is used up before that.
	/// After an error the stream cannot be read on.
	pub fn poll(&mut self, input: &mut &[u8]) -> Result<Option<ToViewer>, WireError> {
		while self.frame.fill(input) {
			let Some(kind) = self.kind else {
				let (kind, len) = self.frame.prefix()?;
				if kind.is_request() {
					return Err(WireError::WrongDirection(kind));
				}
				self.kind = Some(kind);
				self.frame.goal += len;
				continue;
			};
			let message = self.message(kind)?;
			self.kind = None;
			self.frame.reset();
			return Ok(Some(message));
		}
		Ok(None)
	}

	/// The stream ended: an error when it did so inside a message.
	pub fn finish(&self) -> Result<(), WireError> {
		self.frame.finish()
	}

	fn message(&self, kind: Kind) -> Result<ToViewer, WireError> {
		let body = self.frame.body();
		let announcement = || Announcement::decode(kind, &self.frame.buffer).map(Box::new);
		Ok(match kind {
			Kind::Terms => ToViewer::Terms(decode(kind, body)?),
			Kind::Init => ToViewer::Init(Bytes::copy_from_slice(body)),
			Kind::Receipt => {
				let (receipt, deliveries) = decode(kind, body)?;
				ToViewer::Receipt(receipt, deliveries)
			},
			Kind::Challenge => ToViewer::Challenge(decode(kind, body)?),
			Kind::Catalog => ToViewer::Catalog(decode(kind, body)?),
			Kind::Status => ToViewer::Status(decode(kind, body)?),
			Kind::History => ToViewer::History(decode(kind, body)?),
			Kind::Paid => ToViewer::Paid(decode(kind, body)?),
			Kind::End => ToViewer::End(decode(kind, body)?),
			Kind::Reserved => ToViewer::Reserved(decode(kind, body)?),
			Kind::Waiting => {
				let () = decode(kind, body)?;
				ToViewer::Waiting
			},
			Kind::Pushed => ToViewer::Pushed(announcement()?),
			Kind::Offered => ToViewer::Offered(announcement()?),
			Kind::Lacks => ToViewer::Lacks(decode(kind, body)?),
			Kind::Seats => ToViewer::Seats(decode(kind, body)?),
			Kind::Route => ToViewer::Route(decode(kind, body)?),
			Kind::Others => ToViewer::Others(decode(kind, body)?),
			Kind::Subscribe
			| Kind::Ticket
			| Kind::Voucher
			| Kind::Reserve
			| Kind::Leave
			| Kind::Fetch
			| Kind::Cancel
			| Kind::Follow => return Err(WireError::WrongDirection(kind)),
		})
	}
}

#[cfg(test)]
mod tests;
