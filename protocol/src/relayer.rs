//! Sending side of a subscription: delivers shared windows within credit, signs a receipt for each, takes what pays for it.

use crate::{
	cache::Cursor,
	meter::Meter,
	tickets::Expectation,
	window::EncodedWindow,
	wire::{
		EndReason, PaymentMode, RequestDecoder, SessionKey, Start, Subscribe, Terms, ToRelayer, ToViewer, WireError,
	},
};
use bytes::Bytes;
use clustercast_primitives::{
	crypto::KeyPair,
	receipt::{deliveries_root, payer, Deliveries, Kind},
	status::SignedStatus,
	subscribe::Binding,
	ticket::{self, SignedTicket},
	BlockNumber, Delivery, Hash, PublicKey, Receipt, SignedVoucher, WindowId,
};
use std::{
	collections::VecDeque,
	fmt,
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc,
	},
};

/// Receipts sent ahead of payment unless configured otherwise: one is being paid while the next arrives.
pub const DEFAULT_CREDIT: u8 = 2;

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
	/// The window is not what the session wants: see [`RelayerSession::wants`].
	#[error("window {0} is not wanted now")]
	NotWanted(WindowId),
	/// The window costs as much as a ticket's face value or more.
	#[error("window {0} costs what no payment of these terms can be worth")]
	Unpayable(WindowId),
}

#[derive(Debug)]
struct Paid {
	terms: Terms,
	payer: SessionKey,
	/// Whether it takes vouchers.
	vouchers: bool,
	meter: Meter,
	signer: Arc<ReceiptSigner>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one for a subscription")]
enum State {
	/// Nothing heard yet.
	New,
	/// Awaits the driver's answer.
	Asked(Subscribe),
	/// Windows go out; `None` for nothing.
	Serving(Cursor, Option<Paid>),
	Ended,
}

#[derive(Debug)]
struct Unpaid {
	commitment: Hash,
	/// A ticket or voucher was handed to the driver.
	answered: bool,
}

/// One subscription of one viewer, seen by the relayer.
#[derive(Debug)]
pub struct RelayerSession {
	genesis: Hash,
	challenge: Hash,
	/// What the viewer can see of this relayer.
	bindings: Vec<Binding>,
	serial: u64,
	decoder: RequestDecoder,
	state: State,
	catalog: Option<Hash>,
	init: Option<Bytes>,
	/// Epoch and number of the newest status that was sent.
	status: Option<(BlockNumber, u64)>,
	/// At most the terms' credit.
	unpaid: VecDeque<Unpaid>,
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
			serial: 0,
			decoder: RequestDecoder::default(),
			state: State::New,
			catalog: None,
			init: None,
			status: None,
			unpaid: VecDeque::new(),
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
		self.events.pop_front()
	}

	/// Next bytes for the viewer; a whole frame, a window's shared with all its viewers.
	pub fn poll_transmit(&mut self) -> Option<Bytes> {
		self.transmit.pop_front()
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
		let paid = Paid {
			terms,
			payer: payer.session(),
			vouchers: payer.vouchers,
			meter: Meter::default(),
			signer,
		};
		self.state = State::Serving(cursor, Some(paid));
		Ok(())
	}

	/// States the terms again with another mode of payment or counter of the stream's terms: they hold for all windows
	/// that are delivered from here on, those delivered before are paid as they were.
	pub fn restate(&mut self, mode: PaymentMode, counter: u32) -> Result<(), SessionError> {
		let State::Serving(_, Some(paid)) = &mut self.state else {
			return Err(SessionError::NoPayer);
		};
		if matches!(mode, PaymentMode::Vouchers { .. }) && !paid.vouchers {
			return Err(SessionError::NoVouchers);
		}
		(paid.terms.mode, paid.terms.counter) = (mode, counter);
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
		self.state = State::Serving(cursor, None);
		Ok(())
	}

	/// Passes on how the broadcast stands, where the viewer does not have it yet.
	pub fn status(&mut self, status: &SignedStatus) {
		let message = &status.status.message;
		let place = Some((message.epoch, message.number));
		if matches!(self.state, State::Serving(..)) && self.status < place {
			self.status = place;
			self.transmit
				.push_back(ToViewer::Status(Box::new(status.clone())).to_frame());
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
			State::Serving(cursor, paid) => {
				let credit = paid.as_ref().map_or(usize::MAX, |p| p.terms.credit.into());
				(self.unpaid.len() < credit && self.transmit.len() < MAX_WAITING_FRAMES).then_some(*cursor)
			},
			_ => None,
		}
	}

	/// Queues the window that [`RelayerSession::wants`] names, with catalog, initialisation segment and history where
	/// these are new and, when paid, its receipt. What is returned must be opened in the ticket book before a ticket for
	/// it is judged; nothing where nothing is to be paid for it now.
	pub fn deliver(&mut self, window: &EncodedWindow) -> Result<Option<Expectation>, SessionError> {
		let id = window.id();
		let wanted = self.wants().is_some_and(|cursor| match cursor {
			Cursor::Live { stream, track } => id.stream == stream && id.track == track,
			Cursor::After(last) => id.stream == last.stream && id.track == last.track && id > last,
		});
		let State::Serving(cursor, paid) = &mut self.state else {
			return Err(SessionError::NotWanted(id));
		};
		if !wanted {
			return Err(SessionError::NotWanted(id));
		}
		let receipt = match paid {
			None => None,
			Some(paid) => {
				let rand = ticket::rand(&paid.signer.secret, &paid.payer.key, &self.challenge, self.serial);
				let header = window.header();
				let share = paid
					.meter
					.charge(header.bytes.into(), paid.terms.price_per_gb, &paid.terms.mode)
					.map_err(|_| SessionError::Unpayable(id))?;
				self.serial += 1;
				let commitment = ticket::commitment(&rand);
				let frame = paid.receipt(window, &self.challenge, commitment, &self.genesis);
				let expectation = share.map(|share| Expectation {
					payer: paid.payer,
					window: id,
					kind: Kind::LIVE,
					context: Hash([0; 32]),
					terms: paid.terms.counter,
					share,
					commitment,
					rand,
				});
				Some((frame, expectation))
			},
		};
		let begins = matches!(cursor, Cursor::Live { .. });
		*cursor = Cursor::After(id);
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
		let Some((frame, expectation)) = receipt else {
			return Ok(None);
		};
		self.transmit.push_back(frame);
		if let Some(expectation) = &expectation {
			self.unpaid.push_back(Unpaid {
				commitment: expectation.commitment,
				answered: false,
			});
		}
		Ok(expectation)
	}

	/// What paid the receipt with this commitment is accepted and stored, if there is something to store: tells the viewer
	/// and gives its credit back.
	pub fn paid(&mut self, commitment: Hash) -> Result<(), SessionError> {
		let at = self
			.unpaid
			.iter()
			.position(|u| u.commitment == commitment && u.answered);
		self.unpaid.remove(at.ok_or(SessionError::NotOwed(commitment))?);
		if !matches!(self.state, State::Ended) {
			self.transmit.push_back(ToViewer::Paid(commitment).to_frame());
		}
		Ok(())
	}

	/// Commitments of receipts that are not paid: what to close in the ticket book when the session is over.
	pub fn unpaid(&self) -> impl Iterator<Item = Hash> + '_ {
		self.unpaid.iter().map(|u| u.commitment)
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
				ToRelayer::Voucher(commitment, voucher) => {
					self.answered(commitment)?;
					self.events.push_back(Event::Voucher { commitment, voucher });
				},
			}
		}
		Ok(())
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
		let unpaid = self
			.unpaid
			.iter_mut()
			.find(|u| u.commitment == commitment && !u.answered);
		unpaid.ok_or(SessionError::NotOwed(commitment))?.answered = true;
		Ok(())
	}
}

impl Paid {
	/// The frame of the receipt for a whole window.
	fn receipt(&self, window: &EncodedWindow, challenge: &Hash, commitment: Hash, genesis: &Hash) -> Bytes {
		let header = window.header();
		let mut deliveries = Deliveries::new();
		deliveries.force_push(Delivery {
			header: window.hash(),
			first: 0,
			count: header.chunks,
			delivered: header.root,
		});
		let receipt = Receipt {
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			payer: payer(challenge, &self.payer.account, &self.payer.key),
			payee: self.terms.recipient,
			key: self.signer.key.public(),
			stream: header.id.stream,
			root: deliveries_root(&deliveries),
			bytes: header.bytes.into(),
			price: self.terms.price_per_gb,
			commitment,
			block: self.signer.block.load(Ordering::Relaxed),
		};
		ToViewer::Receipt(self.signer.key.sign(receipt, genesis), deliveries).to_frame()
	}
}

/// Where a subscription begins; `None` where it is not for one track.
fn cursor(subscribe: &Subscribe) -> Option<Cursor> {
	let (stream, track) = (subscribe.stream, subscribe.track()?);
	Some(match subscribe.start {
		Start::Live => Cursor::Live { stream, track },
		Start::After { epoch, segment, part } => Cursor::After(WindowId {
			stream,
			track,
			epoch,
			segment,
			part,
		}),
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		fixture::{self, Broadcast, GENESIS, STREAM},
		wire::Kind,
	};
	use clustercast_primitives::{amount, receipt::SignedReceipt, Ticket};
	use codec::DecodeAll;

	fn subscribe(payer: Option<Payer>) -> Subscribe {
		Subscribe {
			genesis: GENESIS,
			stream: STREAM,
			rendition: 0,
			start: Start::Live,
			payer,
		}
	}

	fn subscribed(subscribe: Subscribe) -> RelayerSession {
		let mut session = RelayerSession::new(GENESIS, [1; 16]);
		session
			.handle(&ToRelayer::Subscribe(subscribe.clone()).to_frame())
			.unwrap();
		assert_eq!(session.poll_event(), Some(Event::Subscribed(subscribe)));
		session
	}

	fn serving() -> RelayerSession {
		let mut session = subscribed(subscribe(Some(fixture::payer())));
		session.accept(fixture::terms(), fixture::signer()).unwrap();
		assert_eq!(kinds(&mut session), [Kind::Terms]);
		session
	}

	/// Kinds of all frames that wait, taken out.
	fn kinds(session: &mut RelayerSession) -> Vec<Kind> {
		let known = [
			Kind::Terms,
			Kind::Init,
			Kind::Window,
			Kind::Receipt,
			Kind::Paid,
			Kind::End,
		];
		std::iter::from_fn(|| session.poll_transmit())
			.map(|frame| known.into_iter().find(|k| *k as u8 == frame[4]).unwrap())
			.collect()
	}

	fn ticket(expectation: &Expectation) -> Bytes {
		let Share::Ticket {
			face_value,
			win_probability,
		} = expectation.share
		else {
			panic!("{expectation:?}");
		};
		let ticket = Ticket {
			sender: expectation.payer.account,
			session: expectation.payer.session,
			recipient: fixture::RECIPIENT,
			window: expectation.window,
			bytes: expectation.bytes,
			face_value,
			win_probability,
			commitment: expectation.commitment,
			nonce: 0,
			expiry: 100,
		};
		ToRelayer::Ticket(fixture::session_key().sign(ticket, &GENESIS)).to_frame()
	}

	#[test]
	fn delivers_within_credit_and_goes_on_when_paid() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; 20_000])).collect();
		assert_eq!(
			session.wants(),
			Some(Cursor::Live {
				stream: STREAM,
				rendition: 0
			})
		);
		let first = session.deliver(&windows[0]).unwrap().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Init, Kind::Window, Kind::Receipt]);
		assert_eq!(session.wants(), Some(Cursor::After(windows[0].id())));
		let second = session.deliver(&windows[1]).unwrap().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Window, Kind::Receipt]);
		assert_ne!(first.commitment, second.commitment);

		assert_eq!(session.wants(), None);
		assert_eq!(
			session.deliver(&windows[2]),
			Err(SessionError::NotWanted(windows[2].id()))
		);
		assert_eq!(session.paid(first.window), Err(SessionError::NotOwed(first.window)));
		session.handle(&ticket(&first)).unwrap();
		assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));
		assert_eq!(session.wants(), None);
		session.paid(first.window).unwrap();
		assert_eq!(kinds(&mut session), [Kind::Paid]);
		assert_eq!(session.unpaid().collect::<Vec<_>>(), [second.commitment]);
		assert_eq!(session.wants(), Some(Cursor::After(windows[1].id())));
		assert!(session.deliver(&windows[2]).is_ok());
	}

	#[test]
	fn receipt_and_expectation_say_the_same() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let window = broadcast.segment(&fixture::media(30_000, 1));
		let expectation = session.deliver(&window).unwrap().unwrap();
		let frame = std::iter::from_fn(|| session.poll_transmit()).last().unwrap();
		let signed = SignedReceipt::decode_all(&mut &frame[5..]).unwrap();
		assert_eq!(signed.verify(&fixture::relayer_key().public(), &GENESIS), Ok(()));
		let receipt = signed.message;
		assert_eq!((receipt.window, receipt.bytes), (window.id(), 30_000));
		assert_eq!(
			(receipt.root, receipt.delivered),
			(window.header().root, window.header().root)
		);
		assert_eq!(
			(receipt.session, receipt.price_per_gb),
			(fixture::payer().session, 2_000)
		);
		assert_eq!(receipt.commitment, expectation.commitment);
		assert_eq!(ticket::commitment(&expectation.rand), expectation.commitment);
		let win_probability = amount::win_probability(30_000, 2_000, 50_000).unwrap();
		let share = Share::Ticket {
			face_value: 50_000,
			win_probability,
		};
		assert_eq!(expectation.share, share);
	}

	#[test]
	fn slow_viewer_holds_few_windows() {
		let (mut session, mut broadcast) = (subscribed(subscribe(None)), Broadcast::default());
		session.accept_free().unwrap();
		let mut delivered = 0;
		while session.wants().is_some() && delivered < 10 {
			assert_eq!(session.deliver(&broadcast.segment(&[1; 10])), Ok(None));
			delivered += 1;
		}
		assert_eq!(delivered, 2);
		assert_eq!(
			kinds(&mut session),
			[Kind::Terms, Kind::Init, Kind::Window, Kind::Window]
		);
		assert!(session.wants().is_some());
	}

	#[test]
	fn init_is_sent_again_only_where_it_changes() {
		let (mut session, mut broadcast) = (subscribed(subscribe(None)), Broadcast::default());
		session.accept_free().unwrap();
		let mut sent = Vec::new();
		for init in ["a", "a", "b", "b", "a"] {
			broadcast.init = Bytes::from_static(init.as_bytes());
			session.deliver(&broadcast.segment(&[1; 10])).unwrap();
			sent.extend(kinds(&mut session).into_iter().filter(|k| *k == Kind::Init));
		}
		assert_eq!(sent.len(), 3);
	}

	#[test]
	fn terms_need_a_payer() {
		let mut session = subscribed(subscribe(None));
		assert_eq!(
			session.accept(fixture::terms(), fixture::signer()),
			Err(SessionError::NoPayer)
		);
		session.end(EndReason::PaymentRequired);
		assert_eq!(kinds(&mut session), [Kind::End]);
		assert_eq!(session.accept_free(), Err(SessionError::NotAwaiting));
	}

	#[test]
	fn mode_is_restated_for_what_is_delivered_from_then_on() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let by_ticket = session.deliver(&broadcast.segment(&[1; 10_000])).unwrap().unwrap();
		kinds(&mut session);
		session.restate(PaymentMode::Vouchers { newest: None }).unwrap();
		let by_voucher = session.deliver(&broadcast.segment(&[1; 10_000])).unwrap().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Terms, Kind::Window, Kind::Receipt]);
		assert!(matches!(by_ticket.share, Share::Ticket { .. }));
		assert_eq!(by_voucher.share, Share::Voucher { amount: 20 });
		session.handle(&ticket(&by_ticket)).unwrap();
		assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));

		let mut by_tickets_only = fixture::payer();
		by_tickets_only.vouchers = false;
		let mut session = subscribed(subscribe(Some(by_tickets_only)));
		session.accept(fixture::terms(), fixture::signer()).unwrap();
		let vouchers = || PaymentMode::Vouchers { newest: None };
		assert_eq!(session.restate(vouchers()), Err(SessionError::NoVouchers));
		assert_eq!(session.restate(fixture::terms().mode), Ok(()));
		let mut free = subscribed(subscribe(None));
		free.accept_free().unwrap();
		assert_eq!(free.restate(vouchers()), Err(SessionError::NoPayer));
		session.end(EndReason::Finished);
		assert_eq!(session.restate(fixture::terms().mode), Err(SessionError::NoPayer));
	}

	#[test]
	fn window_that_no_ticket_can_pay_is_not_sent() {
		let (mut session, mut broadcast) = (subscribed(subscribe(Some(fixture::payer()))), Broadcast::default());
		let terms = Terms {
			mode: PaymentMode::Tickets { face_value: 20 },
			..fixture::terms()
		};
		session.accept(terms, fixture::signer()).unwrap();
		kinds(&mut session);
		// 10,000 bytes at 2,000,000 per GB cost 20: the whole face value.
		let dear = broadcast.segment(&[1; 10_000]);
		assert_eq!(session.deliver(&dear), Err(SessionError::Unpayable(dear.id())));
		assert!(kinds(&mut session).is_empty());
		assert!(session.deliver(&broadcast.segment(&[1; 9_999])).is_ok());
	}

	#[test]
	fn only_the_wanted_stream_and_direction_is_sent() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let (old, new) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
		let mut foreign = Broadcast::default();
		foreign.next.rendition = 1;
		let other = foreign.segment(&[1; 10]);
		assert_eq!(session.deliver(&other), Err(SessionError::NotWanted(other.id())));
		session.deliver(&new).unwrap();
		assert_eq!(session.deliver(&old), Err(SessionError::NotWanted(old.id())));
	}

	#[test]
	fn viewer_who_breaks_the_protocol_is_told_and_left() {
		let broken = |session: &mut RelayerSession, bytes: &[u8]| {
			let error = session.handle(bytes).unwrap_err();
			assert!(session.is_ended());
			assert_eq!(kinds(session).last(), Some(&Kind::End));
			error
		};
		let again = ToRelayer::Subscribe(subscribe(None)).to_frame();
		assert_eq!(broken(&mut serving(), &again), SessionError::SubscribedTwice);
		let mut elsewhere = subscribe(None);
		elsewhere.genesis = Hash([0; 32]);
		let elsewhere = ToRelayer::Subscribe(elsewhere).to_frame();
		let mut new = RelayerSession::new(GENESIS, [1; 16]);
		assert_eq!(broken(&mut new, &elsewhere), SessionError::WrongChain);
		assert_eq!(
			broken(&mut serving(), &[9; 9]),
			SessionError::Wire(WireError::UnknownKind(9))
		);
		// A ticket for what was never delivered, and a second one for the same window.
		let mut session = serving();
		let owed = session
			.deliver(&Broadcast::default().segment(&[1; 10]))
			.unwrap()
			.unwrap();
		assert_eq!(
			broken(&mut serving(), &ticket(&owed)),
			SessionError::NotOwed(owed.window)
		);
		session.handle(&ticket(&owed)).unwrap();
		assert_eq!(broken(&mut session, &ticket(&owed)), SessionError::NotOwed(owed.window));
	}

	#[test]
	fn nothing_is_read_or_wanted_behind_the_end() {
		let mut session = serving();
		session.end(EndReason::Finished);
		session.end(EndReason::Full);
		assert_eq!(kinds(&mut session), [Kind::End]);
		assert_eq!(session.handle(&[9; 100]), Ok(()));
		assert_eq!((session.wants(), session.poll_event()), (None, None));
	}
}
