//! Sending side of a subscription: delivers shared windows within credit, signs a receipt for each interval, takes what pays
//! for it.

use crate::{
	cache::Cursor,
	ledger::{Creditor, Limits},
	meter::{Meter, Share},
	tickets::Expectation,
	window::EncodedWindow,
	wire::{
		self, EndReason, PaymentMode, RequestDecoder, SessionKey, Start, Subscribe, Terms, ToRelayer, ToViewer,
		WireError, PREFIX_BYTES,
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

/// Frames that may wait for transmission before [`RelayerSession::wants`] asks for another window: two windows, each
/// with catalog, initialisation segment or receipt. A slow viewer holds references to two windows, not to all of them.
const MAX_WAITING_FRAMES: usize = 4;

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
}

/// What a window would take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "short-lived")]
pub enum Quote {
	/// Nothing: it may go out.
	Nothing,
	/// A payment like this for all that is in no receipt, this window included. To be opened in the ticket book before it
	/// [goes out](RelayerSession::deliver), in place of what was quoted before under the same commitment.
	Owed(Expectation),
	/// More than there is credit for, or than one payment can be worth: what went before it is to be billed first.
	TooMuch,
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
	/// What windows that were begun to be sent are paid under, but for those that are paid.
	sent: Vec<Hash>,
	signer: Arc<ReceiptSigner>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one for a subscription")]
enum State {
	/// Nothing heard yet.
	New,
	/// Awaits the driver's answer.
	Asked(Subscribe),
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
	/// Serves against payment; also when it has ended.
	paid: Option<Paid>,
	/// The viewer wants no more windows.
	leaves: bool,
	events: VecDeque<Event>,
	transmit: VecDeque<Bytes>,
	/// What the windows in `transmit` are paid under, in their order: nothing where nothing is to be paid.
	windows: VecDeque<Option<Hash>>,
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
			paid: None,
			leaves: false,
			events: VecDeque::new(),
			transmit: VecDeque::from([ToViewer::Challenge(challenge).to_frame()]),
			windows: VecDeque::new(),
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
		self.events.pop_front()
	}

	/// Next bytes for the viewer; a whole frame, a window's shared with all its viewers.
	pub fn poll_transmit(&mut self) -> Option<Bytes> {
		let frame = self.transmit.pop_front()?;
		if is_a(&frame, wire::Kind::Window) {
			let commitment = self.windows.pop_front().flatten();
			if let (Some(commitment), Some(paid)) = (commitment, &mut self.paid) {
				if paid.sent.last() != Some(&commitment) {
					paid.sent.push(commitment);
				}
			}
		}
		Some(frame)
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
			sent: Vec::new(),
			signer,
			terms,
		});
		self.state = State::Serving(cursor);
		Ok(())
	}

	/// States the terms again with another mode of payment or counter of the stream's terms: they hold for all windows
	/// that are delivered from here on, those delivered before are paid as they were.
	pub fn restate(&mut self, mode: PaymentMode, counter: u32) -> Result<(), SessionError> {
		self.settle();
		let Some(paid) = self.paid.as_mut().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Err(SessionError::NoPayer);
		};
		if matches!(mode, PaymentMode::Vouchers { .. }) && !paid.vouchers {
			return Err(SessionError::NoVouchers);
		}
		if counter != paid.terms.counter {
			paid.meter.begin_anew();
		}
		(paid.terms.mode, paid.terms.counter) = (mode, counter);
		let terms = paid.terms.clone();
		self.transmit.push_back(ToViewer::Terms(Some(terms)).to_frame());
		Ok(())
	}

	/// States the terms again with a lower price, for all windows that are delivered from here on. Does nothing where it is no
	/// lower: what was agreed is never raised.
	pub fn lower(&mut self, price_per_gb: u64) -> Result<(), SessionError> {
		let Some(paid) = self.paid.as_mut().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Err(SessionError::NoPayer);
		};
		if price_per_gb >= paid.terms.price_per_gb {
			return Ok(());
		}
		// What went out before is paid at the price before.
		self.transmit.extend(paid.bill(&self.challenge, &self.genesis));
		// What vouchers say at one price does not say it at another.
		paid.meter.begin_anew();
		paid.terms.price_per_gb = price_per_gb;
		let terms = paid.terms.clone();
		self.transmit.push_back(ToViewer::Terms(Some(terms)).to_frame());
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
			let frame = ToViewer::Status(Box::new(status.clone())).to_frame();
			match self
				.transmit
				.iter_mut()
				.find(|waiting| is_a(waiting, wire::Kind::Status))
			{
				Some(waiting) => *waiting = frame,
				None => self.transmit.push_back(frame),
			}
		}
	}

	/// Makes a receipt for all that has none, before its interval is full: where nothing follows for a while, or at the end.
	pub fn settle(&mut self) {
		if let (State::Serving(_), Some(paid)) = (&self.state, &mut self.paid) {
			self.transmit.extend(paid.bill(&self.challenge, &self.genesis));
		}
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
			self.transmit.push_back(ToViewer::End(reason).to_frame());
		}
	}

	/// What to look up and deliver next; `None` while nothing is wanted, credit is used up or frames wait for
	/// transmission.
	pub fn wants(&self) -> Option<Cursor> {
		match &self.state {
			State::Serving(cursor) => {
				let lends = self.paid.as_ref().is_none_or(|paid| paid.ledger.lends(1));
				(lends && !self.leaves && self.transmit.len() < MAX_WAITING_FRAMES).then_some(*cursor)
			},
			_ => None,
		}
	}

	/// What it takes to send this window. Changes nothing.
	pub fn quote(&self, window: &EncodedWindow) -> Result<Quote, SessionError> {
		let Some(paid) = self.paid.as_ref().filter(|_| matches!(self.state, State::Serving(_))) else {
			return Ok(Quote::Nothing);
		};
		let bytes = window.header().bytes.into();
		if !paid.ledger.lends(bytes) {
			return Ok(Quote::TooMuch);
		}
		let unbilled = paid.ledger.unbilled();
		let mut meter = paid.meter.clone();
		let share = match meter.charge(unbilled + bytes, paid.terms.price_per_gb, &paid.terms.mode) {
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

	/// Queues the window that [`RelayerSession::wants`] names, with catalog, initialisation segment and history where
	/// these are new and, once an interval is full, a receipt. Returns what was quoted for it.
	pub fn deliver(&mut self, window: &EncodedWindow) -> Result<Option<Expectation>, SessionError> {
		let id = window.id();
		let quote = match self.quote(window)? {
			Quote::TooMuch => return Err(SessionError::NotWanted(id)),
			Quote::Nothing => None,
			Quote::Owed(expectation) => Some(expectation),
		};
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
		if self.init.as_ref() != Some(window.init()) {
			self.init = Some(window.init().clone());
			self.transmit
				.push_back(ToViewer::Init(window.init().clone()).to_frame());
		}
		if begins {
			self.transmit
				.push_back(ToViewer::History(window.history().clone()).to_frame());
		}
		self.transmit.push_back(window.frame());
		self.windows.push_back(quote.as_ref().map(|quote| quote.commitment));
		if let Some(paid) = &mut self.paid {
			paid.ledger.deliver(window.piece());
			if paid.ledger.is_due() {
				self.transmit.extend(paid.bill(&self.challenge, &self.genesis));
			}
		}
		Ok(quote)
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
					self.state = State::Asked(subscribe.clone());
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

	/// The frame of a receipt for all that has none.
	fn bill(&mut self, challenge: &Hash, genesis: &Hash) -> Option<Bytes> {
		let pieces = self.ledger.bill();
		let stream = pieces.first()?.window.stream;
		let commitment = ticket::commitment(&self.rand(challenge));
		self.serial += 1;
		let bytes = pieces.iter().map(|piece| piece.bytes).sum();
		let share = self.meter.charge(bytes, self.terms.price_per_gb, &self.terms.mode);
		// Quoted before: it is payable.
		if matches!(share, Ok(Some(_))) {
			self.ledger.billed(commitment, bytes);
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
