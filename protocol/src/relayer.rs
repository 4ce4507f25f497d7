//! Sending side of a subscription: announces windows, delivers chunks of them within credit, signs a receipt for each interval,
//! takes what pays for it.
//!
//! Chunks go out one range after the other. What is written is not on its way for long: a driver that writes the next one while
//! too much is under way has a viewer who cannot follow ([`RelayerSession::wants`] says nothing then), and passes over windows
//! for it ([`RelayerSession::pass`]). A window may begin to go out before it is whole ([`RelayerSession::deliver_open`]).

use crate::{
	assembly::Announced,
	cache::Cursor,
	ledger::{Creditor, Limits, Piece},
	meter::{Meter, Share},
	open::OpenWindow,
	routes::{Names, Path},
	tickets::Expectation,
	viewer::next,
	window::EncodedWindow,
	wire::{
		self, EndReason, Fetch, Follow, PaymentMode, Range, RequestDecoder, SessionKey, Start, Subscribe, Terms,
		ToRelayer, ToViewer, WireError, MAX_FETCHES, PREFIX_BYTES,
	},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use bytes::Bytes;
use clustercast_primitives::{
	channel::SignedReservation,
	crypto::KeyPair,
	receipt::{deliveries_root, payer, Deliveries, Kind},
	status::SignedStatus,
	subscribe::Binding,
	ticket::{self, SignedTicket},
	BlockNumber, Hash, PublicKey, Receipt, SignedVoucher, WindowId,
};
use core::{
	fmt,
	sync::atomic::{AtomicU32, Ordering},
};

mod outgoing;

pub use outgoing::{Outgoing, SendingId};

/// Frames that may wait for transmission before [`RelayerSession::wants`] asks for another window: two announcements, each
/// with catalog, initialisation segment or receipt.
const MAX_WAITING_FRAMES: usize = 4;

/// Windows that may be under way to a viewer, from the moment they are queued until it has them: a slow one holds references to
/// two windows, not to all of them. Where they are small, more of them.
const UNDER_WAY: usize = 2;

/// Bytes up to which there may be more: what 20 Mb/s carries in a fifth of a second.
const UNDER_WAY_BYTES: u64 = 512 << 10;

/// Ranges that may be under way however small they are: half the streams that a viewer allows.
const MOST_UNDER_WAY: usize = 16;

/// What went out is billed at the latest when so many windows were announced behind it: viewers remember twice as many.
const BILLED_BEHIND: u32 = 32;

/// Signs receipts: the relayer's registered key, and the secret that its commitments are drawn from.
pub struct ReceiptSigner {
	key: KeyPair,
	secret: [u8; 32],
	block: AtomicU32,
}

impl ReceiptSigner {
	/// `secret` must be unpredictable and stay private: whoever knows it foresees which tickets win.
	pub fn new(key: KeyPair, secret: [u8; 32]) -> Self {
		Self {
			key,
			secret,
			block: AtomicU32::new(0),
		}
	}

	/// The chain's newest block: what receipts state from now on. Viewers refuse receipts of another time.
	pub fn set_block(&self, block: BlockNumber) {
		self.block.store(block, Ordering::Relaxed);
	}

	/// The public half of its key.
	pub fn public(&self) -> PublicKey {
		self.key.public()
	}
}

impl fmt::Debug for ReceiptSigner {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "ReceiptSigner({})", self.key.public())
	}
}

/// What a session tells its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
	/// First, once. Answer with `accept`, `accept_free` or `end`.
	Subscribed(Subscribe),
	/// For a receipt that is not paid. Judge it, then answer with `paid` or `end`.
	Ticket(SignedTicket),
	/// The same by voucher.
	Voucher {
		/// Of the receipt: names the [`Expectation`].
		commitment: Hash,
		/// Not judged yet.
		voucher: SignedVoucher,
	},
	/// Judge it and hand it in; once it is final, answer with `reserved`.
	Reserve(SignedReservation),
	/// Chunks are wanted: look up their window, answer with `send` or `lacks`.
	Fetch(Fetch),
	/// What is under way of this is to end, with [`Outgoing::cut`], and what was fetched and waits is answered with `lacks`.
	Cancel(Range),
}

/// What is under way.
#[derive(Debug)]
struct Sending {
	id: SendingId,
	/// As long as something of it goes out.
	window: Option<Arc<Announced>>,
	piece: Piece,
	/// What it is paid under.
	commitment: Option<Hash>,
}

/// Why a session cannot go on, or cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
	/// Bytes that are no message.
	#[error(transparent)]
	Wire(#[from] WireError),
	/// A second subscription on one stream.
	#[error("subscribes twice")]
	SubscribedTwice,
	/// The subscription is for another chain.
	#[error("subscribes for another chain")]
	WrongChain,
	/// The subscription is not signed by its session key, for this connection and this request.
	#[error("the subscription is not signed for this connection")]
	BadSubscription,
	/// A ticket or voucher for a receipt that was not sent, or is paid.
	#[error("payment for receipt {0}, which is not owed")]
	NotOwed(Hash),
	/// Nothing to answer: no subscription, answered before, or ended.
	#[error("no subscription awaits an answer")]
	NotAwaiting,
	/// Terms of payment for a viewer who named no payer.
	#[error("the viewer offered no payment")]
	NoPayer,
	/// Vouchers from a viewer who offered tickets only.
	#[error("the viewer offered no vouchers")]
	NoVouchers,
	/// A reservation that the terms do not ask for.
	#[error("a reservation that was not asked for")]
	NotAsked,
	/// The window is not what the session wants: see [`RelayerSession::wants`].
	#[error("window {0} is not wanted now")]
	NotWanted(WindowId),
	/// The window costs as much as a ticket's face value or more.
	#[error("window {0} costs what no payment of these terms can be worth")]
	Unpayable(WindowId),
	/// More than [`MAX_FETCHES`] of them.
	#[error("fetches more than is answered")]
	TooManyFetches,
	/// Of no chunks.
	#[error("fetches nothing")]
	NothingFetched,
}

/// What a window would take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "short-lived")]
pub enum Quote {
	/// Nothing: it may go out.
	Nothing,
	/// A payment like this for all that is in no receipt, this included. To be opened in the ticket book before it
	/// [goes out](RelayerSession::deliver), in place of what was quoted before under the same commitment.
	Owed(Expectation),
	/// More than there is credit for, or than one payment can be worth: what went before it is to be billed first.
	TooMuch,
}

/// What is quoted anew where less went out than was quoted for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "short-lived")]
pub enum Requote {
	/// This much is owed.
	Owed(Expectation),
	/// Nothing is owed any more under this commitment.
	Nothing(Hash),
}

/// Terms that hold from the next receipt on.
#[derive(Debug, Default)]
struct Restated {
	mode: Option<(PaymentMode, u32)>,
	price_per_gb: Option<u64>,
}

#[derive(Debug)]
struct Paid {
	terms: Terms,
	payer: SessionKey,
	/// Whether it takes vouchers.
	vouchers: bool,
	meter: Meter,
	ledger: Creditor,
	/// Of the next receipt.
	serial: u64,
	/// Receipt whose payment covers what is delivered next, as far as it goes.
	covers: Option<Hash>,
	/// What windows that were begun to be sent are paid under, but for those that are paid.
	sent: Vec<Hash>,
	signer: Arc<ReceiptSigner>,
}

#[derive(Debug)]
enum State {
	/// Nothing heard yet.
	New,
	/// Awaits the driver's answer.
	Asked(Box<Subscribe>),
	/// Windows go out.
	Serving(Cursor),
	Ended,
}

/// One subscription of one viewer, seen by the relayer.
#[derive(Debug)]
pub struct RelayerSession {
	genesis: Hash,
	challenge: Hash,
	/// What the viewer can see of this relayer.
	bindings: Vec<Binding>,
	decoder: RequestDecoder,
	state: State,
	catalog: Option<Hash>,
	init: Option<Bytes>,
	/// Epoch and number of the newest status that was sent.
	status: Option<(BlockNumber, u64)>,
	/// How many viewers it was told last that it may serve.
	seats: Option<u32>,
	/// What was said of the relayers that it comes through.
	route: Option<Path>,
	/// It was told who else may serve it.
	referred: bool,
	/// Serves against payment; also when it has ended.
	paid: Option<Paid>,
	follow: Follow,
	/// A receipt is to be made as soon as nothing is under way.
	settles: bool,
	/// To be stated behind it.
	restated: Restated,
	sending: Vec<Sending>,
	queue: VecDeque<Outgoing>,
	next_id: u64,
	fetches: usize,
	/// Windows that were announced since something went out that has no receipt.
	behind: u32,
	/// Bytes that were announced, and that were sent.
	announced: u64,
	given: u64,
	/// The viewer wants no more windows.
	leaves: bool,
	events: VecDeque<Event>,
	transmit: VecDeque<Bytes>,
}

impl RelayerSession {
	/// Begins with a challenge to be transmitted. `challenge` is random and drawn for this session alone; `bindings` are
	/// this relayer's ends of a connection as viewers see them: a subscription that pays must be bound to one.
	pub fn new(genesis: Hash, challenge: Hash, bindings: Vec<Binding>) -> Self {
		Self {
			genesis,
			challenge,
			bindings,
			decoder: RequestDecoder::default(),
			state: State::New,
			catalog: None,
			init: None,
			status: None,
			seats: None,
			route: None,
			referred: false,
			paid: None,
			follow: Follow::Windows,
			settles: false,
			restated: Restated::default(),
			sending: Vec::new(),
			queue: VecDeque::new(),
			next_id: 0,
			fetches: 0,
			behind: 0,
			announced: 0,
			given: 0,
			leaves: false,
			events: VecDeque::new(),
			transmit: VecDeque::from([ToViewer::Challenge(challenge).to_frame()]),
		}
	}

	/// Takes bytes from the viewer, in any fragments. An error ends the session; its reason is queued for the viewer.
	pub fn handle(&mut self, mut bytes: &[u8]) -> Result<(), SessionError> {
		self.read(&mut bytes).inspect_err(|error| {
			self.end(match error {
				SessionError::WrongChain => EndReason::WrongChain,
				SessionError::BadSubscription => EndReason::BadSubscription,
				_ => EndReason::ProtocolError,
			})
		})
	}

	/// The viewer's stream ended: an error when it did so inside a message.
	pub fn finish(&self) -> Result<(), SessionError> {
		Ok(self.decoder.finish()?)
	}

	/// Next thing that happened.
	pub fn poll_event(&mut self) -> Option<Event> {
		next(&mut self.events)
	}

	/// Next bytes of the subscription's own stream; a whole frame. What announces a window is shared with all its viewers.
	pub fn poll_transmit(&mut self) -> Option<Bytes> {
		self.bill();
		next(&mut self.transmit)
	}

	/// Next chunks to be written, on a stream of their own. When it is over, [`RelayerSession::sent`] is to be called.
	pub fn poll_sending(&mut self) -> Option<Outgoing> {
		let outgoing = self.queue.pop_front()?;
		let sending = self.sending.iter().find(|sending| sending.id == outgoing.id());
		let commitment = sending.and_then(|sending| sending.commitment);
		if let (Some(commitment), Some(paid)) = (commitment, &mut self.paid) {
			if !paid.sent.contains(&commitment) {
				paid.sent.push(commitment);
			}
		}
		Some(outgoing)
	}

	/// So many chunks of this were written, and no more will be. What is owed is quoted anew, where that is less than before.
	pub fn sent(&mut self, id: SendingId, chunks: u32) -> Option<Requote> {
		let at = self.sending.iter().position(|sending| sending.id == id)?;
		let Sending { window, piece, .. } = &mut self.sending[at];
		let (place, count) = (piece.place(), piece.delivery.count);
		let window = window.take()?;
		let part = Piece::part(
			window.header(),
			window.hash(),
			window.leaves(),
			piece.delivery.first,
			chunks,
		);
		let is_less = part.is_none_or(|part| part.bytes < piece.bytes);
		match part {
			Some(part) => *piece = part,
			None => {
				let (header, first) = (piece.delivery.header, piece.delivery.first);
				self.sending.remove(at);
				self.transmit
					.push_back(ToViewer::Lacks(Range { header, first, count }).to_frame());
			},
		}
		let paid = self.paid.as_mut()?;
		paid.ledger.ended(&place, part);
		is_less.then(|| paid.requote(place.0, &self.challenge))
	}

	/// The viewer has all of it.
	pub fn arrived(&mut self, id: SendingId) {
		self.sending
			.retain(|sending| sending.id != id || sending.window.is_some());
	}

	/// Serves against payment.
	pub fn accept(&mut self, terms: Terms, signer: Arc<ReceiptSigner>) -> Result<(), SessionError> {
		let State::Asked(subscribe) = &self.state else {
			return Err(SessionError::NotAwaiting);
		};
		let payer = subscribe.payer.as_ref().ok_or(SessionError::NoPayer)?;
		if matches!(terms.mode, PaymentMode::Vouchers { .. }) && !payer.vouchers {
			return Err(SessionError::NoVouchers);
		}
		let cursor = cursor(subscribe).ok_or(SessionError::NotAwaiting)?;
		self.transmit.push_back(ToViewer::Terms(Some(terms.clone())).to_frame());
		self.paid = Some(Paid {
			payer: payer.session(),
			vouchers: payer.vouchers,
			meter: Meter::default(),
			ledger: Creditor::new(Limits {
				credit: terms.credit.into(),
				interval: terms.interval.into(),
			}),
			serial: 0,
			covers: None,
			sent: Vec::new(),
			signer,
			terms,
		});
		self.state = State::Serving(cursor);
		Ok(())
	}

	/// States the terms again with another mode of payment or counter of the stream's terms: they hold for all that is
	/// delivered from here on, what was delivered before is paid as it was.
	pub fn restate(&mut self, mode: PaymentMode, counter: u32) -> Result<(), SessionError> {
		let Some(paid) = self.paid.as_ref().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Err(SessionError::NoPayer);
		};
		if matches!(mode, PaymentMode::Vouchers { .. }) && !paid.vouchers {
			return Err(SessionError::NoVouchers);
		}
		self.restated.mode = Some((mode, counter));
		self.settle();
		Ok(())
	}

	/// States the terms again with a lower price, for all that is delivered from here on. Does nothing where it is no lower:
	/// what was agreed is never raised.
	pub fn lower(&mut self, price_per_gb: u64) -> Result<(), SessionError> {
		let Some(paid) = self.paid.as_ref().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Err(SessionError::NoPayer);
		};
		if price_per_gb < self.restated.price_per_gb.unwrap_or(paid.terms.price_per_gb) {
			self.restated.price_per_gb = Some(price_per_gb);
			self.settle();
		}
		Ok(())
	}

	/// Serves for nothing: no receipts, no tickets.
	pub fn accept_free(&mut self) -> Result<(), SessionError> {
		let State::Asked(subscribe) = &self.state else {
			return Err(SessionError::NotAwaiting);
		};
		let cursor = cursor(subscribe).ok_or(SessionError::NotAwaiting)?;
		self.transmit.push_back(ToViewer::Terms(None).to_frame());
		self.state = State::Serving(cursor);
		Ok(())
	}

	/// Passes on how the broadcast stands, where the viewer does not have it yet. Of several that wait for a slow viewer
	/// only the newest is sent.
	pub fn status(&mut self, status: &SignedStatus) {
		let message = &status.status.message;
		let place = Some((message.epoch, message.number));
		if matches!(self.state, State::Serving(_)) && self.status < place {
			self.status = place;
			self.say_newest(&ToViewer::Status(Box::new(status.clone())));
		}
	}

	/// Says how many viewers of the stream, whose key limits them, it may serve itself, where it was told otherwise or nothing.
	pub fn seats(&mut self, seats: u32) {
		if matches!(self.state, State::Serving(_)) && self.seats != Some(seats) {
			self.seats = Some(seats);
			self.say_newest(&ToViewer::Seats(seats));
		}
	}

	/// Says which relayers the stream comes through, where that was not said or is another one now.
	pub fn route(&mut self, path: &Path) {
		if matches!(self.state, State::Serving(_)) && self.route.as_ref() != Some(path) {
			self.route = Some(path.clone());
			self.say_newest(&ToViewer::Route(path.clone()));
		}
	}

	/// Names others, before it is ended; once.
	pub fn others(&mut self, names: &Names) {
		if !matches!(self.state, State::Ended) && !names.is_empty() && !core::mem::replace(&mut self.referred, true) {
			self.say_newest(&ToViewer::Others(names.clone()));
		}
	}

	/// In place of one of its kind that still waits for a slow viewer.
	fn say_newest(&mut self, message: &ToViewer) {
		let (kind, frame) = (message.kind(), message.to_frame());
		match self.transmit.iter_mut().find(|waiting| is_a(waiting, kind)) {
			Some(waiting) => *waiting = frame,
			None => self.transmit.push_back(frame),
		}
	}

	/// Makes a receipt for all that has none, before its interval is full: where nothing follows for a while, or at the end. It
	/// waits for what is being written, and nothing else is delivered before it.
	pub fn settle(&mut self) {
		self.settles |= matches!(self.state, State::Serving(_)) && self.paid.is_some();
		self.bill();
	}

	/// Makes the receipt that is due, and states the terms that hold behind it.
	fn bill(&mut self) {
		let Some(paid) = &mut self.paid else {
			return;
		};
		if !self.settles || !paid.ledger.is_settled() || self.is_ended() {
			return;
		}
		(self.settles, self.behind) = (false, 0);
		let Some(paid) = &mut self.paid else {
			return;
		};
		self.transmit.extend(paid.bill(&self.challenge, &self.genesis));
		let Restated { mode, price_per_gb } = core::mem::take(&mut self.restated);
		if mode.is_none() && price_per_gb.is_none() {
			return;
		}
		let counter = mode.as_ref().map(|(_, counter)| *counter);
		// What vouchers say at one price, or under one counter, does not say it at another.
		if price_per_gb.is_some() || counter.is_some_and(|counter| counter != paid.terms.counter) {
			paid.meter.begin_anew();
		}
		if let Some((mode, counter)) = mode {
			(paid.terms.mode, paid.terms.counter) = (mode, counter);
		}
		paid.terms.price_per_gb = price_per_gb.unwrap_or(paid.terms.price_per_gb);
		let terms = paid.terms.clone();
		self.transmit.push_back(ToViewer::Terms(Some(terms)).to_frame());
	}

	/// Says that we are there and have nothing newer, where nothing waits to be sent: a viewer who hears nothing for long
	/// takes us for dead.
	pub fn waiting(&mut self) {
		if matches!(self.state, State::Serving(_)) && self.transmit.is_empty() {
			self.transmit.push_back(ToViewer::Waiting.to_frame());
		}
	}

	/// Ends the subscription, whatever its state; also how one is refused. Payments that arrive later are not looked at:
	/// a driver that wants to be paid for the last windows waits until [`RelayerSession::unpaid`] is empty.
	pub fn end(&mut self, reason: EndReason) {
		if !matches!(self.state, State::Ended) {
			self.state = State::Ended;
			// The end is behind all that comes.
			for outgoing in self.queue.drain(..) {
				self.transmit.push_back(ToViewer::Lacks(outgoing.range()).to_frame());
			}
			self.transmit.push_back(ToViewer::End(reason).to_frame());
		}
	}

	/// What to look up and deliver next; `None` while nothing is wanted, credit is used up, a receipt waits for what is being
	/// written, or too much is under way.
	pub fn wants(&self) -> Option<Cursor> {
		match &self.state {
			State::Serving(cursor) => {
				let may = match self.follow {
					Follow::Windows => self.may_send(),
					Follow::Announcements => !self.leaves,
				};
				(may && self.transmit.len() < MAX_WAITING_FRAMES).then_some(*cursor)
			},
			_ => None,
		}
	}

	/// Whether a window, or a range that was fetched, may go out now, as far as that does not depend on which.
	pub fn may_send(&self) -> bool {
		let lends = self.paid.as_ref().is_none_or(|paid| paid.ledger.lends(1));
		let bytes: u64 = self.sending.iter().map(|sending| sending.piece.bytes).sum();
		let few = self.sending.len() < UNDER_WAY || bytes < UNDER_WAY_BYTES;
		let room = few && self.sending.len() < MOST_UNDER_WAY;
		matches!(self.state, State::Serving(_)) && lends && room && !self.leaves && !self.settles
	}

	/// Whether the viewer has all that was queued.
	pub fn is_idle(&self) -> bool {
		self.sending.is_empty()
	}

	/// Bytes of the windows that were announced.
	pub fn announced(&self) -> u64 {
		self.announced
	}

	/// Whether new windows are to come by themselves.
	pub fn follows(&self) -> Follow {
		self.follow
	}

	/// What it takes to send these chunks of a window. Changes nothing.
	pub fn quote(&self, window: &Announced, range: &Range) -> Result<Quote, SessionError> {
		let Some(paid) = self.paid.as_ref().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Ok(Quote::Nothing);
		};
		let piece = piece(window, range)?;
		// What is in the next receipt is not in there twice: a window of which a range was fetched before it came by itself waits for that.
		if self.settles || !paid.ledger.lends(piece.bytes) || !paid.ledger.takes(&piece) {
			return Ok(Quote::TooMuch);
		}
		let unbilled = paid.ledger.unbilled();
		let mut meter = paid.meter.clone();
		let share = match meter.charge(unbilled + piece.bytes, paid.terms.price_per_gb, &paid.terms.mode) {
			Ok(share) => share,
			// With a receipt of its own it may be payable.
			Err(_) if unbilled > 0 => return Ok(Quote::TooMuch),
			Err(_) => return Err(SessionError::Unpayable(window.id())),
		};
		Ok(match share {
			None => Quote::Nothing,
			Some(share) => Quote::Owed(paid.expectation(share, window.id(), &self.challenge)),
		})
	}

	/// Tells the viewer that its reservation with this counter is final.
	pub fn reserved(&mut self, counter: u32) {
		if !self.is_ended() {
			self.transmit.push_back(ToViewer::Reserved(counter).to_frame());
		}
	}

	/// Announces the window that [`RelayerSession::wants`] names, with catalog, initialisation segment and history where these are
	/// new, and, unless announcements are all that is wanted, queues all its chunks. Returns what was quoted for these.
	pub fn deliver(&mut self, window: &EncodedWindow) -> Result<Option<Expectation>, SessionError> {
		match self.follow {
			Follow::Announcements => self.announce(window, false).map(|()| None),
			Follow::Windows => {
				let data = core::iter::once(window.data());
				self.push(window.announced(), data)
			},
		}
	}

	/// The same of one of which the rest is coming: what is here of it goes out, and the rest is [handed](Outgoing::hand) to what is
	/// sent. It is quoted as a whole, and [what went out](RelayerSession::sent) is owed. Only where windows come by themselves: what is
	/// announced and nothing more can be had at once.
	pub fn deliver_open(&mut self, window: &OpenWindow) -> Result<Option<Expectation>, SessionError> {
		match self.follow {
			Follow::Announcements => Err(SessionError::NotWanted(window.id())),
			Follow::Windows => self.push(window.announced(), window.rest(0)),
		}
	}

	fn push(
		&mut self,
		window: &Arc<Announced>,
		data: impl IntoIterator<Item = Bytes>,
	) -> Result<Option<Expectation>, SessionError> {
		let range = window.range();
		let quoted = self.afford(window, &range)?;
		self.announce(window, true)?;
		self.send_chunks(window, range, data, None, quoted.as_ref())?;
		Ok(quoted)
	}

	/// Announces the window that [`RelayerSession::wants`] names and does not send it: the viewer cannot follow.
	pub fn pass(&mut self, window: &EncodedWindow) -> Result<(), SessionError> {
		self.announce(window, false)
	}

	/// Answers a fetch with these chunks. Returns what was quoted for them.
	pub fn send(&mut self, window: &EncodedWindow, fetch: &Fetch) -> Result<Option<Expectation>, SessionError> {
		if !self.may_send() || !self.has_new(window, &fetch.range) {
			return Err(SessionError::NotWanted(window.id()));
		}
		let Range { first, count, .. } = fetch.range;
		let data = window.chunks(first, count);
		let data = data.ok_or(SessionError::NotWanted(window.id()))?;
		let window = window.announced();
		let quoted = self.afford(window, &fetch.range)?;
		self.fetches = self.fetches.saturating_sub(1);
		self.send_chunks(window, fetch.range, [data], Some(fetch.within_ms), quoted.as_ref())?;
		Ok(quoted)
	}

	/// Answers a fetch: these chunks do not come.
	pub fn lacks(&mut self, range: &Range) {
		self.fetches = self.fetches.saturating_sub(1);
		if !self.is_ended() {
			self.transmit.push_back(ToViewer::Lacks(*range).to_frame());
		}
	}

	/// Whether these chunks can be sent now as what they are: of this window, and none of them is in the next receipt. Who is
	/// served for nothing is sent no more than was announced to it.
	pub fn has_new(&self, window: &EncodedWindow, range: &Range) -> bool {
		let Ok(piece) = piece(window, range) else {
			return false;
		};
		match &self.paid {
			Some(paid) => paid.ledger.takes(&piece),
			None => self.given + piece.bytes <= self.announced,
		}
	}

	fn afford(&self, window: &Announced, range: &Range) -> Result<Option<Expectation>, SessionError> {
		match self.quote(window, range)? {
			Quote::TooMuch => Err(SessionError::NotWanted(window.id())),
			Quote::Nothing => Ok(None),
			Quote::Owed(expectation) => Ok(Some(expectation)),
		}
	}

	fn announce(&mut self, window: &Announced, comes: bool) -> Result<(), SessionError> {
		let id = window.id();
		let wanted = self.wants().is_some_and(|cursor| match cursor {
			Cursor::Live { stream, track } => id.stream == stream && id.track == track,
			Cursor::After { id: last, .. } => id.stream == last.stream && id.track == last.track && id > last,
		});
		let State::Serving(cursor) = &mut self.state else {
			return Err(SessionError::NotWanted(id));
		};
		if !wanted {
			return Err(SessionError::NotWanted(id));
		}
		let begins = matches!(cursor, Cursor::Live { .. });
		*cursor = Cursor::After {
			id,
			header: window.hash(),
		};
		if self.catalog != Some(window.header().catalog) {
			self.catalog = Some(window.header().catalog);
			let catalog = Box::new(window.catalog().as_ref().clone());
			self.transmit.push_back(ToViewer::Catalog(catalog).to_frame());
		}
		let init = window.init();
		if self.init.as_ref() != Some(init) {
			self.init = Some(init.clone());
			self.transmit.push_back(ToViewer::Init(init.clone()).to_frame());
		}
		if begins {
			self.transmit
				.push_back(ToViewer::History(window.history().clone()).to_frame());
		}
		self.transmit.push_back(window.announcement(comes));
		self.announced += u64::from(window.header().bytes);
		if self.paid.as_ref().is_some_and(|paid| paid.ledger.unbilled() > 0) {
			self.behind += 1;
			self.settles |= self.behind >= BILLED_BEHIND;
		}
		Ok(())
	}

	fn send_chunks(
		&mut self,
		window: &Arc<Announced>,
		range: Range,
		data: impl IntoIterator<Item = Bytes>,
		fetched: Option<u32>,
		quoted: Option<&Expectation>,
	) -> Result<(), SessionError> {
		let piece = piece(window, &range)?;
		self.given += piece.bytes;
		let id = SendingId(self.next_id);
		self.next_id += 1;
		let chunk_log2 = window.header().chunk_log2;
		let mut outgoing = Outgoing::new(id, range, piece.bytes as usize, chunk_log2, fetched);
		data.into_iter().for_each(|run| outgoing.hand(run));
		self.queue.push_back(outgoing);
		self.sending.push(Sending {
			id,
			window: Some(window.clone()),
			piece,
			commitment: quoted.map(|quoted| quoted.commitment),
		});
		if let Some(paid) = &mut self.paid {
			paid.ledger.deliver(piece);
			self.settles |= paid.ledger.is_due();
		}
		Ok(())
	}

	/// The viewer does not want these chunks any more.
	fn on_cancel(&mut self, range: Range) {
		let of = |sending: &&Sending| {
			let delivery = &sending.piece.delivery;
			(delivery.header, delivery.first) == (range.header, range.first) && sending.window.is_some()
		};
		let Some(id) = self.sending.iter().find(of).map(|sending| sending.id) else {
			// Perhaps it waits to be answered.
			self.events.push_back(Event::Cancel(range));
			return;
		};
		let waiting = self.queue.iter().position(|outgoing| outgoing.id() == id);
		match waiting {
			// It ends before it has begun: see `Event::Cancel`.
			Some(at) => {
				let mut outgoing = self.queue.remove(at).expect("it is there");
				outgoing.cut();
				self.queue.insert(at, outgoing);
			},
			None => self.events.push_back(Event::Cancel(range)),
		}
	}

	/// What paid the receipt with this commitment is accepted and stored, if there is something to store: tells the viewer
	/// and gives its credit back.
	pub fn paid(&mut self, commitment: Hash) -> Result<(), SessionError> {
		let paid = self.paid.as_mut().ok_or(SessionError::NotOwed(commitment))?;
		if !paid.ledger.paid(&commitment) {
			return Err(SessionError::NotOwed(commitment));
		}
		paid.sent.retain(|sent| *sent != commitment);
		if !matches!(self.state, State::Ended) {
			self.transmit.push_back(ToViewer::Paid(commitment).to_frame());
		}
		Ok(())
	}

	/// Commitments of what is not paid, in a receipt or not yet: what to close in the ticket book when the session is over.
	pub fn unpaid(&self) -> Vec<Hash> {
		let Some(paid) = &self.paid else {
			return Vec::new();
		};
		let coming = (paid.ledger.unbilled() > 0).then(|| ticket::commitment(&paid.rand(&self.challenge)));
		paid.ledger.unpaid().chain(coming).collect()
	}

	/// Bytes that are delivered and not paid.
	pub fn owed(&self) -> u64 {
		self.paid.as_ref().map_or(0, |paid| paid.ledger.owed())
	}

	/// Bytes that were delivered, and are paid or cost nothing.
	pub fn settled(&self) -> u64 {
		self.paid.as_ref().map_or(0, |paid| paid.ledger.settled())
	}

	/// Whether a receipt went out for which no payment has come.
	pub fn awaits_payment(&self) -> bool {
		self.paid.as_ref().is_some_and(|paid| paid.ledger.awaits())
	}

	/// Those of them of whose windows none was even begun to be sent: nobody owes anything for them.
	pub fn unsent(&self) -> Vec<Hash> {
		let sent = self.paid.as_ref().map(|paid| &paid.sent[..]).unwrap_or_default();
		let mut unpaid = self.unpaid();
		unpaid.retain(|commitment| !sent.contains(commitment));
		unpaid
	}

	/// Whether it is over; what is queued may still be transmitted.
	pub fn is_ended(&self) -> bool {
		matches!(self.state, State::Ended)
	}

	fn read(&mut self, bytes: &mut &[u8]) -> Result<(), SessionError> {
		// What a viewer still says after the end is of no interest and not kept.
		while !self.is_ended() {
			let Some(message) = self.decoder.poll(bytes)? else {
				break;
			};
			match message {
				ToRelayer::Subscribe(subscribe) => {
					if !matches!(self.state, State::New) {
						return Err(SessionError::SubscribedTwice);
					}
					if subscribe.genesis != self.genesis {
						return Err(SessionError::WrongChain);
					}
					if !self.is_bound(&subscribe) {
						return Err(SessionError::BadSubscription);
					}
					self.follow = subscribe.follow;
					self.state = State::Asked(Box::new(subscribe.clone()));
					self.events.push_back(Event::Subscribed(subscribe));
				},
				ToRelayer::Ticket(ticket) => {
					self.answered(ticket.message.commitment)?;
					self.events.push_back(Event::Ticket(ticket));
				},
				ToRelayer::Reserve(reservation) => {
					if !self.asks_reservations() {
						return Err(SessionError::NotAsked);
					}
					self.events.push_back(Event::Reserve(reservation));
				},
				ToRelayer::Leave => {
					self.leaves = true;
					self.settle();
				},
				ToRelayer::Fetch(fetch) => {
					if fetch.range.count == 0 {
						return Err(SessionError::NothingFetched);
					}
					if self.fetches >= MAX_FETCHES {
						return Err(SessionError::TooManyFetches);
					}
					self.fetches += 1;
					self.events.push_back(Event::Fetch(fetch));
				},
				ToRelayer::Cancel(range) => self.on_cancel(range),
				ToRelayer::Follow(follow) => self.follow = follow,
				ToRelayer::Voucher(commitment, voucher) => {
					self.answered(commitment)?;
					self.events.push_back(Event::Voucher { commitment, voucher });
				},
			}
		}
		Ok(())
	}

	fn asks_reservations(&self) -> bool {
		matches!(&self.paid, Some(paid) if paid.terms.reserve.is_some())
	}

	/// Whether who pays signed this very request, for this relayer, on this connection. A guest has nothing to sign.
	fn is_bound(&self, subscribe: &Subscribe) -> bool {
		let Some(payer) = &subscribe.payer else {
			return true;
		};
		let signed = &payer.subscription;
		let message = &signed.message;
		(message.stream, &message.tracks, message.challenge) == (subscribe.stream, &subscribe.tracks, self.challenge)
			&& self.bindings.contains(&message.binding)
			&& signed.verify(&message.session, &self.genesis).is_ok()
	}

	/// The viewer pays this receipt: once.
	fn answered(&mut self, commitment: Hash) -> Result<(), SessionError> {
		match self.paid.as_mut().is_some_and(|paid| paid.ledger.answer(&commitment)) {
			true => Ok(()),
			false => Err(SessionError::NotOwed(commitment)),
		}
	}
}

impl Paid {
	/// Behind the commitment of the next receipt.
	fn rand(&self, challenge: &Hash) -> Hash {
		ticket::rand(&self.signer.secret, &self.payer.key, challenge, self.serial)
	}

	/// What the next receipt is to be paid with, where it is for all up to this window.
	fn expectation(&self, share: Share, window: WindowId, challenge: &Hash) -> Expectation {
		let rand = self.rand(challenge);
		Expectation {
			payer: self.payer,
			window,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: self.terms.counter,
			share,
			commitment: ticket::commitment(&rand),
			rand,
		}
	}

	/// What is owed for all that has no receipt.
	fn requote(&self, window: WindowId, challenge: &Hash) -> Requote {
		let mut meter = self.meter.clone();
		let share = meter.charge(self.ledger.unbilled(), self.terms.price_per_gb, &self.terms.mode);
		match share {
			Ok(Some(share)) => Requote::Owed(self.expectation(share, window, challenge)),
			// More was payable.
			_ => Requote::Nothing(ticket::commitment(&self.rand(challenge))),
		}
	}

	/// The frame of a receipt for all that has none.
	fn bill(&mut self, challenge: &Hash, genesis: &Hash) -> Option<Bytes> {
		let pieces = self.ledger.bill();
		let stream = pieces.first()?.window.stream;
		let commitment = ticket::commitment(&self.rand(challenge));
		self.serial += 1;
		let bytes = pieces.iter().map(|piece| piece.bytes).sum();
		let share = self.meter.charge(bytes, self.terms.price_per_gb, &self.terms.mode);
		// Quoted before: it is payable.
		match share {
			Ok(Some(_)) => {
				self.ledger.billed(commitment, bytes);
				self.covers = Some(commitment);
			},
			_ => self.ledger.covered(self.covers.as_ref(), bytes),
		}
		let mut deliveries = Deliveries::new();
		pieces.iter().for_each(|piece| deliveries.force_push(piece.delivery));
		let receipt = Receipt {
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			payer: payer(challenge, &self.payer.account, &self.payer.key),
			payee: self.terms.recipient,
			key: self.signer.key.public(),
			stream,
			root: deliveries_root(&deliveries),
			bytes,
			price: self.terms.price_per_gb,
			commitment,
			block: self.signer.block.load(Ordering::Relaxed),
		};
		Some(ToViewer::Receipt(self.signer.key.sign(receipt, genesis), deliveries).to_frame())
	}
}

/// These chunks of a window, to be paid.
fn piece(window: &Announced, range: &Range) -> Result<Piece, SessionError> {
	let Range { header, first, count } = *range;
	let piece = Piece::part(window.header(), window.hash(), window.leaves(), first, count);
	let piece = piece.filter(|_| header == window.hash());
	piece.ok_or(SessionError::NotWanted(window.id()))
}

/// Whether a frame is of this kind.
fn is_a(frame: &Bytes, kind: wire::Kind) -> bool {
	frame.get(PREFIX_BYTES - 1) == Some(&(kind as u8))
}

/// Where a subscription begins; `None` where it is not for one track.
fn cursor(subscribe: &Subscribe) -> Option<Cursor> {
	let (stream, track) = (subscribe.stream, subscribe.track()?);
	Some(match subscribe.start {
		Start::Live => Cursor::Live { stream, track },
		Start::After {
			epoch,
			segment,
			part,
			header,
		} => Cursor::After {
			id: WindowId {
				stream,
				track,
				epoch,
				segment,
				part,
			},
			header,
		},
	})
}

#[cfg(test)]
mod tests;
