//! Sending side of a subscription: delivers shared windows within credit, signs a receipt for each, takes what pays for it.

use crate::{
	cache::Cursor,
	meter::Meter,
	tickets::Expectation,
	window::EncodedWindow,
	wire::{
		self, EndReason, PaymentMode, RequestDecoder, SessionKey, Start, Subscribe, Terms, ToRelayer, ToViewer,
		WireError, PREFIX_BYTES,
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
		if counter != paid.terms.counter {
			paid.meter.begin_anew();
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

	/// Passes on how the broadcast stands, where the viewer does not have it yet. Of several that wait for a slow viewer
	/// only the newest is sent.
	pub fn status(&mut self, status: &SignedStatus) {
		let message = &status.status.message;
		let place = Some((message.epoch, message.number));
		if matches!(self.state, State::Serving(..)) && self.status < place {
			self.status = place;
			let frame = ToViewer::Status(Box::new(status.clone())).to_frame();
			let is_status = |waiting: &&mut Bytes| waiting.get(PREFIX_BYTES - 1) == Some(&(wire::Kind::Status as u8));
			match self.transmit.iter_mut().find(is_status) {
				Some(waiting) => *waiting = frame,
				None => self.transmit.push_back(frame),
			}
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
		fixture::{self, Broadcast, CHALLENGE, GENESIS, STREAM},
		meter::Share,
		wire::{Kind, Payer},
	};
	use clustercast_primitives::{
		amount::{self, TICKET_BYTES},
		receipt::{self, SignedReceipt},
		status::State as Standing,
		subscribe::{SignedSubscription, Tracks},
		Ticket,
	};
	use codec::DecodeAll;

	/// Of a window that takes a ticket of one unit, to the byte.
	const UNIT: usize = TICKET_BYTES as usize;

	fn tracks(ids: &[u16]) -> Tracks {
		ids.to_vec().try_into().unwrap()
	}

	fn subscribe(payer: Option<Payer>) -> Subscribe {
		Subscribe {
			genesis: GENESIS,
			stream: STREAM,
			tracks: tracks(&[0]),
			start: Start::Live,
			payer,
		}
	}

	fn new() -> RelayerSession {
		RelayerSession::new(GENESIS, CHALLENGE, vec![fixture::binding()])
	}

	fn subscribed(subscribe: Subscribe) -> RelayerSession {
		let mut session = new();
		assert_eq!(kinds(&mut session), [Kind::Challenge]);
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

	/// Serves for nothing.
	fn free() -> RelayerSession {
		let mut session = subscribed(subscribe(None));
		session.accept_free().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Terms]);
		session
	}

	/// Kinds of all frames that wait, taken out.
	fn kinds(session: &mut RelayerSession) -> Vec<Kind> {
		let known = [
			Kind::Challenge,
			Kind::Terms,
			Kind::Catalog,
			Kind::Init,
			Kind::History,
			Kind::Status,
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
			bytes,
			face_value,
			win_probability,
		} = expectation.share
		else {
			panic!("{expectation:?}");
		};
		let ticket = Ticket {
			sender: expectation.payer.account,
			session: expectation.payer.key,
			recipient: fixture::RECIPIENT,
			stream: expectation.window.stream,
			kind: expectation.kind,
			context: expectation.context,
			bytes,
			face_value,
			win_probability,
			commitment: expectation.commitment,
			nonce: 0,
			expiry: 120,
		};
		ToRelayer::Ticket(fixture::session_key().sign(ticket, &GENESIS)).to_frame()
	}

	#[test]
	fn delivers_within_credit_and_goes_on_when_paid() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; UNIT])).collect();
		assert_eq!(
			session.wants(),
			Some(Cursor::Live {
				stream: STREAM,
				track: 0
			})
		);
		let first = session.deliver(&windows[0]).unwrap().unwrap();
		assert_eq!(
			kinds(&mut session),
			[Kind::Catalog, Kind::Init, Kind::History, Kind::Window, Kind::Receipt]
		);
		assert_eq!(session.wants(), Some(Cursor::After(windows[0].id())));
		let second = session.deliver(&windows[1]).unwrap().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Window, Kind::Receipt]);
		assert_ne!(first.commitment, second.commitment);

		assert_eq!(session.wants(), None);
		assert_eq!(
			session.deliver(&windows[2]),
			Err(SessionError::NotWanted(windows[2].id()))
		);
		let not_owed = Err(SessionError::NotOwed(first.commitment));
		assert_eq!(session.paid(first.commitment), not_owed, "nothing came for it");
		session.handle(&ticket(&first)).unwrap();
		assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));
		assert_eq!(session.wants(), None);
		session.paid(first.commitment).unwrap();
		assert_eq!(session.paid(first.commitment), not_owed, "it was paid before");
		assert_eq!(kinds(&mut session), [Kind::Paid]);
		assert_eq!(session.unpaid().collect::<Vec<_>>(), [second.commitment]);
		assert_eq!(session.wants(), Some(Cursor::After(windows[1].id())));
		assert!(session.deliver(&windows[2]).is_ok());
	}

	/// What a paid session sends for this window, the receipt last.
	fn receipt_of(
		session: &mut RelayerSession,
		window: &EncodedWindow,
	) -> (Option<Expectation>, SignedReceipt, Deliveries) {
		let expectation = session.deliver(window).unwrap();
		let frame = std::iter::from_fn(|| session.poll_transmit()).last().unwrap();
		let (signed, deliveries) = DecodeAll::decode_all(&mut &frame[5..]).unwrap();
		(expectation, signed, deliveries)
	}

	#[test]
	fn receipt_and_expectation_say_the_same() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let window = broadcast.segment(&fixture::media(30_000, 1));
		let (expectation, signed, deliveries) = receipt_of(&mut session, &window);
		let expectation = expectation.unwrap();
		assert_eq!(signed.verify(&fixture::relayer_key().public(), &GENESIS), Ok(()));
		let whole = Delivery {
			header: window.header().hash(),
			first: 0,
			count: 2,
			delivered: window.header().root,
		};
		assert_eq!(deliveries[..], [whole]);
		let receipt = Receipt {
			kind: receipt::Kind::LIVE,
			context: Hash([0; 32]),
			payer: payer(&CHALLENGE, &fixture::SENDER, &fixture::session_key().public()),
			payee: fixture::RECIPIENT,
			key: fixture::relayer_key().public(),
			stream: STREAM,
			root: whole.leaf(),
			bytes: 30_000,
			price: 2_000_000,
			commitment: expectation.commitment,
			block: fixture::HEAD,
		};
		assert_eq!(signed.message, receipt);
		assert_eq!(ticket::commitment(&expectation.rand), expectation.commitment);
		assert_eq!(
			(expectation.payer, expectation.window),
			(fixture::session(), window.id())
		);
		assert_eq!((expectation.kind, expectation.context), (receipt.kind, receipt.context));
		assert_eq!(expectation.terms, 3);
		// 30,000 bytes, rounded up to a unit.
		let share = Share::Ticket {
			bytes: 65_536,
			face_value: 50_000,
			win_probability: amount::win_probability(65_536, 2_000_000, 50_000).unwrap(),
		};
		assert_eq!(expectation.share, share);
	}

	#[test]
	fn receipts_state_the_newest_block() {
		let signer = fixture::signer();
		let mut session = subscribed(subscribe(Some(fixture::payer())));
		session.accept(fixture::terms(), signer.clone()).unwrap();
		let mut broadcast = Broadcast::default();
		let mut block = |session: &mut RelayerSession| {
			let (_, signed, _) = receipt_of(session, &broadcast.segment(&[1; 10]));
			signed.message.block
		};
		assert_eq!(block(&mut session), 50);
		signer.set_block(61);
		assert_eq!(block(&mut session), 61);
	}

	#[test]
	fn window_that_is_paid_ahead_brings_a_receipt_and_takes_no_credit() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let mut commitments = Vec::new();
		for _ in 0..6 {
			let (expectation, signed, _) = receipt_of(&mut session, &broadcast.segment(&[1; 10_000]));
			assert_eq!(signed.message.bytes, 10_000);
			commitments.push(signed.message.commitment);
			// 60,000 of the first ticket's 65,536.
			assert_eq!(expectation.is_some(), commitments.len() == 1);
		}
		assert_eq!(session.unpaid().collect::<Vec<_>>(), commitments[..1]);
		assert!(commitments.windows(2).all(|pair| pair[0] != pair[1]));
		let seventh = session.deliver(&broadcast.segment(&[1; 10_000])).unwrap();
		assert_eq!(seventh.map(|due| due.share.bytes()), Some(65_536));
	}

	#[test]
	fn slow_viewer_holds_few_windows() {
		let mut broadcast = Broadcast::default();
		let mut fill = |session: &mut RelayerSession| {
			let mut delivered = 0;
			while session.wants().is_some() && delivered < 10 {
				session.deliver(&broadcast.segment(&[1; 10])).unwrap();
				delivered += 1;
			}
			delivered
		};
		let mut free = free();
		assert_eq!(fill(&mut free), 1);
		assert_eq!(
			kinds(&mut free),
			[Kind::Catalog, Kind::Init, Kind::History, Kind::Window]
		);
		assert_eq!(fill(&mut free), 4);
		let mut paid = serving();
		assert_eq!(fill(&mut paid), 1);
		kinds(&mut paid);
		assert_eq!(fill(&mut paid), 2);
		assert!(paid.unpaid().count() < 2, "it is not credit that bounds it");
		kinds(&mut paid);
		assert!(paid.wants().is_some());
	}

	#[test]
	fn setting_is_sent_again_only_where_it_changes() {
		let (mut session, mut broadcast) = (free(), Broadcast::default());
		let mut sent = Vec::new();
		for change in [None, None, Some(&b"new"[..]), None, Some(b"newer")] {
			if let Some(init) = change {
				broadcast.reinit(init);
			}
			session.deliver(&broadcast.segment(&[1; 10])).unwrap();
			sent.push(kinds(&mut session));
		}
		let (plain, changed) = (vec![Kind::Window], vec![Kind::Catalog, Kind::Init, Kind::Window]);
		let first = vec![Kind::Catalog, Kind::Init, Kind::History, Kind::Window];
		assert_eq!(sent, [first, plain.clone(), changed.clone(), plain, changed]);
		// Another catalog with the same initialisation segment.
		broadcast.reinit(&b"newer"[..]);
		session.deliver(&broadcast.segment(&[1; 10])).unwrap();
		assert_eq!(kinds(&mut session), [Kind::Catalog, Kind::Window]);
	}

	#[test]
	fn history_is_for_those_who_begin_live() {
		let mut broadcast = Broadcast::default();
		let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; 10])).collect();
		let mut live = free();
		live.deliver(&windows[3]).unwrap();
		let frames: Vec<_> = std::iter::from_fn(|| live.poll_transmit()).collect();
		assert_eq!(frames[2], ToViewer::History(windows[2].history_after()).to_frame());

		let last = windows[1].id();
		let mut behind = subscribe(None);
		behind.start = Start::After {
			epoch: last.epoch,
			segment: last.segment,
			part: last.part,
		};
		let mut resumed = subscribed(behind);
		resumed.accept_free().unwrap();
		assert_eq!(resumed.wants(), Some(Cursor::After(last)));
		resumed.deliver(&windows[2]).unwrap();
		assert_eq!(
			kinds(&mut resumed),
			[Kind::Terms, Kind::Catalog, Kind::Init, Kind::Window]
		);
	}

	#[test]
	fn status_is_passed_on_while_it_serves_and_where_it_is_newer() {
		let status = |number| fixture::status(number, Standing::Live);
		let mut session = subscribed(subscribe(None));
		session.status(&status(9));
		assert!(kinds(&mut session).is_empty(), "before the terms");
		session.accept_free().unwrap();
		kinds(&mut session);
		let mut sent = Vec::new();
		for number in [3, 3, 2, 4] {
			session.status(&status(number));
			sent.extend(session.poll_transmit());
		}
		let expected = [3, 4].map(|number| ToViewer::Status(Box::new(status(number))).to_frame());
		assert_eq!(sent, expected);
		let mut later = status(0);
		later.status.message.epoch += 1;
		session.status(&later);
		assert_eq!(kinds(&mut session), [Kind::Status]);
		session.end(EndReason::Finished);
		session.status(&fixture::status(9, Standing::Ended));
		assert_eq!(kinds(&mut session), [Kind::End]);
	}

	#[test]
	fn viewer_who_reads_nothing_has_one_status_waiting() {
		let mut session = subscribed(subscribe(None));
		session.accept_free().unwrap();
		let statuses = (0..100).map(|number| fixture::status(number, Standing::Live));
		statuses.for_each(|status| session.status(&status));
		let sent: Vec<Bytes> = std::iter::from_fn(|| session.poll_transmit()).collect();
		let newest = ToViewer::Status(Box::new(fixture::status(99, Standing::Live))).to_frame();
		assert_eq!(sent, [ToViewer::Terms(None).to_frame(), newest]);
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
	fn one_track_is_served() {
		for ids in [&[][..], &[0, 1]] {
			let mut several = subscribe(None);
			several.tracks = tracks(ids);
			assert_eq!(subscribed(several).accept_free(), Err(SessionError::NotAwaiting));
		}
		let mut second = subscribe(None);
		second.tracks = tracks(&[1]);
		let mut session = subscribed(second);
		session.accept_free().unwrap();
		assert_eq!(
			session.wants(),
			Some(Cursor::Live {
				stream: STREAM,
				track: 1
			})
		);
	}

	#[test]
	fn mode_and_counter_are_restated_for_what_is_delivered_from_then_on() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let by_ticket = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
		kinds(&mut session);
		session.restate(PaymentMode::Vouchers { newest: None }, 4).unwrap();
		let by_voucher = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
		assert_eq!(kinds(&mut session), [Kind::Terms, Kind::Window, Kind::Receipt]);
		assert!(matches!(by_ticket.share, Share::Ticket { .. }));
		let share = Share::Voucher {
			bytes: UNIT as u64,
			amount: 131,
		};
		assert_eq!(by_voucher.share, share);
		assert_eq!((by_ticket.terms, by_voucher.terms), (3, 4));
		session.handle(&ticket(&by_ticket)).unwrap();
		assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));

		let mut by_tickets_only = fixture::payer();
		by_tickets_only.vouchers = false;
		let mut session = subscribed(subscribe(Some(by_tickets_only)));
		session.accept(fixture::terms(), fixture::signer()).unwrap();
		let vouchers = || PaymentMode::Vouchers { newest: None };
		assert_eq!(session.restate(vouchers(), 3), Err(SessionError::NoVouchers));
		assert_eq!(session.restate(fixture::terms().mode, 3), Ok(()));
		assert_eq!(free().restate(vouchers(), 3), Err(SessionError::NoPayer));
		session.end(EndReason::Finished);
		assert_eq!(session.restate(fixture::terms().mode, 3), Err(SessionError::NoPayer));
	}

	#[test]
	fn window_that_no_ticket_can_pay_is_not_sent() {
		let (mut session, mut broadcast) = (subscribed(subscribe(Some(fixture::payer()))), Broadcast::default());
		let terms = Terms {
			mode: PaymentMode::Tickets { face_value: 262 },
			..fixture::terms()
		};
		session.accept(terms, fixture::signer()).unwrap();
		kinds(&mut session);
		// Two units at 2,000,000 per GB cost 262.144: more than the face value.
		let dear = broadcast.segment(&[1; UNIT + 1]);
		assert_eq!(session.deliver(&dear), Err(SessionError::Unpayable(dear.id())));
		assert!(kinds(&mut session).is_empty());
		assert!(session.deliver(&broadcast.segment(&[1; UNIT])).is_ok());
	}

	#[test]
	fn only_the_wanted_stream_and_direction_is_sent() {
		let (mut session, mut broadcast) = (serving(), Broadcast::default());
		let (old, new) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
		broadcast.reinit(&b"of two tracks"[..]);
		broadcast.next.track = 1;
		let other = broadcast.segment(&[1; 10]);
		assert_eq!(session.deliver(&other), Err(SessionError::NotWanted(other.id())));
		session.deliver(&new).unwrap();
		kinds(&mut session);
		assert_eq!(session.deliver(&other), Err(SessionError::NotWanted(other.id())));
		assert_eq!(session.deliver(&old), Err(SessionError::NotWanted(old.id())));
		let mut later = Broadcast::default();
		later.begin_epoch(fixture::EPOCH + 1);
		assert!(
			session.deliver(&later.segment(&[1; 10])).is_ok(),
			"an epoch comes behind all of those before"
		);
	}

	#[test]
	fn viewer_who_breaks_the_protocol_is_told_and_left() {
		let broken = |session: &mut RelayerSession, bytes: &[u8], reason: EndReason| {
			let error = session.handle(bytes).unwrap_err();
			assert!(session.is_ended());
			let last = std::iter::from_fn(|| session.poll_transmit()).last();
			assert_eq!(last, Some(ToViewer::End(reason).to_frame()));
			error
		};
		let protocol = EndReason::ProtocolError;
		let again = ToRelayer::Subscribe(subscribe(None)).to_frame();
		assert_eq!(broken(&mut serving(), &again, protocol), SessionError::SubscribedTwice);
		let mut elsewhere = subscribe(None);
		elsewhere.genesis = Hash([0; 32]);
		let elsewhere = ToRelayer::Subscribe(elsewhere).to_frame();
		assert_eq!(
			broken(&mut new(), &elsewhere, EndReason::WrongChain),
			SessionError::WrongChain
		);
		assert_eq!(
			broken(&mut serving(), &[9; 9], protocol),
			SessionError::Wire(WireError::UnknownKind(9))
		);
		// A ticket for what was never delivered, and a second one for the same receipt.
		let mut session = serving();
		let owed = session
			.deliver(&Broadcast::default().segment(&[1; 10]))
			.unwrap()
			.unwrap();
		let not_owed = SessionError::NotOwed(owed.commitment);
		assert_eq!(broken(&mut serving(), &ticket(&owed), protocol), not_owed);
		session.handle(&ticket(&owed)).unwrap();
		assert_eq!(broken(&mut session, &ticket(&owed), protocol), not_owed);
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

	/// What a subscription that pays has to satisfy.
	#[derive(Clone, Copy, Debug, PartialEq)]
	enum Rule {
		Stream,
		Tracks,
		Challenge,
		Binding,
		Signature,
	}

	const RULES: [Rule; 5] = [
		Rule::Stream,
		Rule::Tracks,
		Rule::Challenge,
		Rule::Binding,
		Rule::Signature,
	];

	/// A relayer that leaves out one rule.
	fn serves_without(rule: Rule, subscribe: &Subscribe) -> bool {
		let signed = &subscribe.payer.as_ref().unwrap().subscription;
		let message = &signed.message;
		let holds = |each| match each {
			Rule::Stream => message.stream == subscribe.stream,
			Rule::Tracks => message.tracks == subscribe.tracks,
			Rule::Challenge => message.challenge == CHALLENGE,
			Rule::Binding => message.binding == fixture::binding(),
			Rule::Signature => signed.verify(&message.session, &GENESIS).is_ok(),
		};
		RULES.into_iter().filter(|each| *each != rule).all(holds)
	}

	/// Each attack would succeed with a relayer that leaves out the one rule against it, and does with no other.
	#[test]
	fn subscription_serves_for_what_it_was_signed_and_nothing_else() {
		let payer = |subscription: SignedSubscription| Payer {
			subscription,
			vouchers: true,
		};
		let signed = |change: fn(&mut clustercast_primitives::subscribe::Subscription)| {
			let mut subscription = fixture::subscription();
			change(&mut subscription);
			subscribe(Some(payer(fixture::session_key().sign(subscription, &GENESIS))))
		};
		let elsewhere = fixture::session_key().sign(fixture::subscription(), &Hash([0; 32]));
		let stolen = fixture::relayer_key().sign(fixture::subscription(), &GENESIS);
		let mut bent = fixture::payer().subscription;
		bent.message.account.0[0] ^= 1;
		let attacks = [
			// Whoever stands between forwards the challenge of another relayer and has its viewer sign it.
			(Rule::Binding, signed(|s| s.binding = Binding::PeerKey([0x66; 32]))),
			// The same bytes, in the place of a certificate.
			(
				Rule::Binding,
				signed(|s| s.binding = Binding::Certificate(fixture::relayer_key().public().0)),
			),
			// Heard on an earlier connection.
			(Rule::Challenge, signed(|s| s.challenge.0[0] ^= 1)),
			(Rule::Stream, signed(|s| s.stream.0 += 1)),
			(Rule::Tracks, signed(|s| s.tracks = tracks(&[1]))),
			(Rule::Tracks, signed(|s| s.tracks = tracks(&[0, 1]))),
			(Rule::Signature, subscribe(Some(payer(elsewhere)))),
			(Rule::Signature, subscribe(Some(payer(stolen)))),
			(Rule::Signature, subscribe(Some(payer(bent)))),
		];
		for (rule, attack) in attacks {
			for left_out in RULES {
				assert_eq!(serves_without(left_out, &attack), left_out == rule, "{attack:?}");
			}
			let mut session = new();
			kinds(&mut session);
			let answer = session.handle(&ToRelayer::Subscribe(attack).to_frame());
			assert_eq!(answer, Err(SessionError::BadSubscription));
			assert_eq!(session.poll_event(), None);
			let end = ToViewer::End(EndReason::BadSubscription).to_frame();
			assert_eq!(session.poll_transmit(), Some(end));
			assert!(session.is_ended());
		}
		let honest = subscribe(Some(fixture::payer()));
		assert!(RULES.into_iter().all(|rule| serves_without(rule, &honest)));
		subscribed(honest);
	}

	#[test]
	fn relayer_is_known_by_any_of_its_ends() {
		let ends = [fixture::binding(), Binding::Certificate([7; 32])];
		for binding in ends {
			let mut subscription = fixture::subscription();
			subscription.binding = binding;
			let mut session = RelayerSession::new(GENESIS, CHALLENGE, ends.to_vec());
			let subscribe = subscribe(Some(Payer {
				subscription: fixture::session_key().sign(subscription, &GENESIS),
				vouchers: false,
			}));
			assert_eq!(session.handle(&ToRelayer::Subscribe(subscribe).to_frame()), Ok(()));
		}
	}

	#[test]
	fn guest_has_nothing_to_sign() {
		let mut nowhere = RelayerSession::new(GENESIS, CHALLENGE, Vec::new());
		let guest = ToRelayer::Subscribe(subscribe(None)).to_frame();
		assert_eq!(nowhere.handle(&guest), Ok(()));
		assert_eq!(nowhere.accept_free(), Ok(()));
		let mut session = RelayerSession::new(GENESIS, CHALLENGE, Vec::new());
		let payer = ToRelayer::Subscribe(subscribe(Some(fixture::payer()))).to_frame();
		assert_eq!(session.handle(&payer), Err(SessionError::BadSubscription));
	}
}
