//! Messages and frames. Decoders are bounded and total: whatever arrives ends in a message or a typed error.
//!
//! ```text
//! frame  = length: u32 LE (of kind and body) ‖ kind: u8 ‖ body
//! body   = SCALE of the message; of Init the raw bytes; of Window:
//! window = SCALE of SignedHeader (247 bytes) ‖ length of items: u16 LE ‖ SCALE of items ‖ leaf hashes (32 bytes each) ‖ data
//! ```
//!
//! Each message has exactly one encoding: SCALE's lengths are refused unless they are the shortest, and of no items the
//! length is zero.

use crate::tickets::TicketError;
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
/// 6 QUIC of our own, 7 places that name a header and receipts for intervals.
pub const PROTOCOL_NAME: &str = "/clustercast/deliver/7";

/// Length and kind.
pub const PREFIX_BYTES: usize = 5;

/// SCALE length of a [`SignedHeader`].
pub const HEADER_BYTES: usize = 247;

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
	/// `Option<`[`Terms`]`>`
	Terms = 0x81,
	/// Initialisation segment, raw.
	Init = 0x82,
	/// Header, items, leaves, data.
	Window = 0x83,
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
}

impl Kind {
	fn from_byte(byte: u8) -> Option<Self> {
		Some(match byte {
			0x01 => Self::Subscribe,
			0x02 => Self::Ticket,
			0x03 => Self::Voucher,
			0x04 => Self::Reserve,
			0x05 => Self::Leave,
			0x81 => Self::Terms,
			0x82 => Self::Init,
			0x83 => Self::Window,
			0x84 => Self::Receipt,
			0x85 => Self::Paid,
			0x86 => Self::End,
			0x87 => Self::Challenge,
			0x88 => Self::Catalog,
			0x89 => Self::Status,
			0x8a => Self::History,
			0x8b => Self::Reserved,
			0x8c => Self::Waiting,
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
			Self::Reserved => u32::max_encoded_len(),
			Self::Terms => Option::<Terms>::max_encoded_len(),
			Self::Init => MAX_INIT_BYTES as usize,
			Self::Window => {
				let chunks = merkle::chunk_count(MAX_WINDOW_BYTES, *merkle::CHUNK_LOG2.start()) as usize;
				let items = ITEMS_PREFIX_BYTES + Items::max_encoded_len();
				HEADER_BYTES + items + chunks * LEAF_BYTES + MAX_WINDOW_BYTES as usize
			},
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
	/// A window frame's length is not that of the window its header describes.
	#[error("window frame of {got} bytes for a window that needs {expected}")]
	WindowLength {
		/// Body length that the header calls for.
		expected: usize,
		/// Stated body length.
		got: usize,
	},
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
	/// What each window is paid with.
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
	/// Nothing was delivered for long, and nothing heard: subscribe again to go on waiting.
	#[error("it had nothing to deliver for long")]
	Idle,
	/// The same peer subscribed to the same track again: the newest counts.
	#[error("it was asked for the same by the same peer again")]
	Replaced,
	/// The account watches here as often as it may.
	#[error("the account watches there as often as it may")]
	SeatsTaken,
}

impl EndReason {
	/// Whether it is of the relayer's own making: what is unpaid by then is nobody's debt.
	pub fn is_own(&self) -> bool {
		matches!(self, Self::ShuttingDown | Self::Behind | Self::CannotStore)
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
		}
	}
}

/// What a relayer sends, but for windows, which are [`crate::EncodedWindow`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToViewer {
	/// First; `None` serves for nothing. Again between windows, with nothing changed but the mode of payment.
	Terms(Option<Terms>),
	/// Before the first window and where it changes: at most [`MAX_INIT_BYTES`], none for a track without one.
	Init(Bytes),
	/// After each window that is to be paid.
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

	fn reset(&mut self) {
		self.buffer.clear();
		self.goal = PREFIX_BYTES;
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

/// What [`DeliveryDecoder`] finds, in order of arrival. A window comes as `Header`,
/// `Items`, `Leaves`, `Chunk` 0 and up, `Window`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
	/// A whole message.
	Message(ToViewer),
	/// A window begins. Unverified, like all that follows.
	Header(SignedHeader),
	/// Its items.
	Items(Items),
	/// All its leaf hashes.
	Leaves(Vec<Hash>),
	/// This chunk is complete: see [`DeliveryDecoder::chunk`].
	Chunk(u32),
	/// The whole frame; always after the window's last chunk.
	Window(Bytes),
}

/// How far the frame that is arriving has come.
#[derive(Clone, Debug)]
enum Stage {
	Prefix,
	Body(Kind),
	Header,
	/// Header handed out: its numbers decide what follows.
	Layout(WindowLayout),
	Items(WindowLayout),
	Leaves(WindowLayout),
	/// This chunk comes next; past the last one the frame is complete.
	Chunk(WindowLayout, u32),
}

/// The numbers of a window frame.
#[derive(Clone, Debug)]
struct WindowLayout {
	bytes: u32,
	chunks: u32,
	chunk_log2: u8,
	/// Of the encoded items, bytes; 0 until that is read.
	items: usize,
	/// Length of the body, bytes.
	body: usize,
}

impl WindowLayout {
	/// Offset of the data in the frame.
	fn data_at(&self) -> usize {
		data_offset(self.items, self.chunks)
	}

	/// Where chunk `index` begins in the frame, or the data ends.
	fn chunk_at(&self, index: u32) -> usize {
		self.data_at() + (self.bytes as usize).min((index as usize) << self.chunk_log2)
	}

	/// Whether the header's numbers fit each other and can fit the frame, before anything is kept for them.
	fn check_header(&self) -> Result<(), WireError> {
		let (chunks, bytes) = (self.chunks, self.bytes);
		let sizes = merkle::CHUNK_LOG2.contains(&self.chunk_log2);
		if !sizes || chunks != merkle::chunk_count(bytes, self.chunk_log2) {
			return Err(WireError::ChunkCount { chunks, bytes });
		}
		self.check_length(|expected, body| body >= expected)
	}

	fn check_length(&self, fits: impl Fn(usize, usize) -> bool) -> Result<(), WireError> {
		let expected = self.data_at() - PREFIX_BYTES + self.bytes as usize;
		match fits(expected, self.body) {
			true => Ok(()),
			false => Err(WireError::WindowLength {
				expected,
				got: self.body,
			}),
		}
	}
}

/// Offset of the leaves in the frame of a window with items of this encoded length.
fn leaves_offset(items: usize) -> usize {
	PREFIX_BYTES + HEADER_BYTES + ITEMS_PREFIX_BYTES + items
}

/// Offset of the data in the frame of a window with items of this encoded length and this many chunks.
pub(crate) fn data_offset(items: usize, chunks: u32) -> usize {
	leaves_offset(items) + chunks as usize * LEAF_BYTES
}

/// The frame of a window whose parts agree, and the length of its items in it.
pub(crate) fn window_frame(header: &SignedHeader, items: &Items, leaves: &[Hash], data: &[u8]) -> (Bytes, usize) {
	let items = match items.iter().next() {
		None => Vec::new(),
		Some(_) => items.encode(),
	};
	let body = leaves_offset(items.len()) - PREFIX_BYTES + leaves.len() * LEAF_BYTES + data.len();
	let mut out = prefix(Kind::Window, body);
	out.put_slice(&header.encode());
	out.put_u16_le(items.len() as u16);
	out.put_slice(&items);
	leaves.iter().for_each(|leaf| out.put_slice(&leaf.0));
	out.put_slice(data);
	(out.freeze(), items.len())
}

/// Reads what a relayer sends. Holds one frame: at most a window of [`MAX_WINDOW_BYTES`] and its leaves.
///
/// A window can be judged while it arrives: the frame's length is compared with the header's numbers only after the
/// header was handed out, so a caller who verifies it first learns of a forged header before anything else.
#[derive(Debug)]
pub struct DeliveryDecoder {
	frame: Frame,
	stage: Stage,
	/// Body length of the frame that is arriving.
	body: usize,
}

impl Default for DeliveryDecoder {
	fn default() -> Self {
		Self {
			frame: Frame::new(),
			stage: Stage::Prefix,
			body: 0,
		}
	}
}

impl DeliveryDecoder {
	/// Takes bytes off the front of `input` until there is something to say; `None` when `input` is used up before
	/// that. After an error the stream cannot be read on.
	pub fn poll(&mut self, input: &mut &[u8]) -> Result<Option<Delivery>, WireError> {
		while self.frame.fill(input) {
			match self.stage.clone() {
				Stage::Prefix => self.begin()?,
				Stage::Body(kind) => {
					let message = self.message(kind)?;
					self.reset();
					return Ok(Some(Delivery::Message(message)));
				},
				Stage::Header => {
					let header: SignedHeader = decode(Kind::Window, self.frame.body())?;
					self.stage = Stage::Layout(WindowLayout {
						bytes: header.message.bytes,
						chunks: header.message.chunks,
						chunk_log2: header.message.chunk_log2,
						items: 0,
						body: self.body,
					});
					return Ok(Some(Delivery::Header(header)));
				},
				Stage::Layout(layout) => {
					layout.check_header()?;
					self.frame.goal += ITEMS_PREFIX_BYTES;
					self.stage = Stage::Items(layout);
				},
				Stage::Items(mut layout) if layout.items == 0 => {
					let at = PREFIX_BYTES + HEADER_BYTES;
					let length = [self.frame.buffer[at], self.frame.buffer[at + 1]];
					layout.items = u16::from_le_bytes(length).into();
					layout.check_length(|expected, body| body == expected)?;
					self.frame
						.buffer
						.reserve_exact(PREFIX_BYTES + layout.body - self.frame.buffer.len());
					if layout.items > 0 {
						self.frame.goal += layout.items;
						self.stage = Stage::Items(layout);
						continue;
					}
					self.frame.goal = layout.data_at();
					self.stage = Stage::Leaves(layout);
					return Ok(Some(Delivery::Items(Items::default())));
				},
				Stage::Items(layout) => {
					let encoded = &self.frame.buffer[leaves_offset(0)..leaves_offset(layout.items)];
					let items: Items = decode(Kind::Window, encoded)?;
					if items.iter().next().is_none() {
						return Err(WireError::Malformed(Kind::Window));
					}
					self.frame.goal = layout.data_at();
					self.stage = Stage::Leaves(layout);
					return Ok(Some(Delivery::Items(items)));
				},
				Stage::Leaves(layout) => {
					let (leaves, _) = self.frame.buffer[leaves_offset(layout.items)..].as_chunks::<LEAF_BYTES>();
					let leaves = leaves.iter().copied().map(Hash).collect();
					self.frame.goal = layout.chunk_at(1);
					self.stage = Stage::Chunk(layout, 0);
					return Ok(Some(Delivery::Leaves(leaves)));
				},
				Stage::Chunk(layout, index) if index < layout.chunks => {
					self.frame.goal = layout.chunk_at(index + 2);
					self.stage = Stage::Chunk(layout, index + 1);
					return Ok(Some(Delivery::Chunk(index)));
				},
				Stage::Chunk(..) => {
					let frame = Bytes::from(core::mem::take(&mut self.frame.buffer));
					self.reset();
					return Ok(Some(Delivery::Window(frame)));
				},
			}
		}
		Ok(None)
	}

	/// A chunk that [`Delivery::Chunk`] announced and whose window is still arriving; empty for any other.
	pub fn chunk(&self, index: u32) -> &[u8] {
		let Stage::Chunk(layout, next) = &self.stage else {
			return &[];
		};
		match index < *next {
			true => &self.frame.buffer[layout.chunk_at(index)..layout.chunk_at(index + 1)],
			false => &[],
		}
	}

	/// The stream ended: an error when it did so inside a message.
	pub fn finish(&self) -> Result<(), WireError> {
		self.frame.finish()
	}

	fn begin(&mut self) -> Result<(), WireError> {
		let (kind, len) = self.frame.prefix()?;
		self.body = len;
		match kind {
			_ if kind.is_request() => return Err(WireError::WrongDirection(kind)),
			Kind::Window if len < HEADER_BYTES => return Err(WireError::Truncated(Some(kind))),
			Kind::Window => {
				self.stage = Stage::Header;
				self.frame.goal = PREFIX_BYTES + HEADER_BYTES;
			},
			_ => {
				self.stage = Stage::Body(kind);
				self.frame.goal = PREFIX_BYTES + len;
			},
		}
		Ok(())
	}

	fn message(&self, kind: Kind) -> Result<ToViewer, WireError> {
		let body = self.frame.body();
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
			Kind::Subscribe | Kind::Ticket | Kind::Voucher | Kind::Reserve | Kind::Leave | Kind::Window => {
				return Err(WireError::WrongDirection(kind))
			},
		})
	}

	fn reset(&mut self) {
		self.frame.reset();
		self.stage = Stage::Prefix;
	}
}

#[cfg(test)]
mod tests;
