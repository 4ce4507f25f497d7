//! Receiving side of a subscription: verifies while bytes arrive, hands out only what verified, says what is owed.
//!
//! Order of checks for a window: header fields and signature, place and history, catalog and initialisation segment,
//! items, leaves against the signed root, each chunk against its leaf in the call that brings its last byte. The relayer's
//! receipts are for chunks that verified; one that overtakes them waits. The first check that fails ends the session with a
//! [`Fault`]: nothing more is emitted, sent or paid.
//!
//! Announcements follow each other without a gap, whatever becomes of their windows. These leave in order; one whose chunks do not
//! come is skipped once a later one is whole, and one that is still coming once more of them wait than are of use.

use crate::{
	assembly::{Announced, Chunks},
	evidence::{Evidence, Pursuit},
	ledger::{BillFault, Debtor},
	meter::{Meter, Share},
	open::Verified,
	routes::{Names, Path},
	window::{EncodedWindow, Setting, WindowError},
	wire::{
		read_range, Announcement, AnswerDecoder, EndReason, Fetch, Follow, Kind, Payer, PaymentMode, Range, SessionKey,
		Start, Subscribe, Terms, ToRelayer, ToViewer, RANGE_BYTES,
	},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use body::Bad;
use bytes::Bytes;
use clustercast_primitives::{
	catalog::{CatalogError, SignedCatalog},
	channel::SignedReservation,
	crypto::SignatureError,
	merkle,
	receipt::{
		self, deliveries_root, Deliveries, PayerOpening, Receipt, SignedReceipt, MAX_BLOCKS_AHEAD, MAX_BLOCKS_BEHIND,
	},
	status::SignedStatus,
	subscribe::{SignedSubscription, Subscription},
	window::{flags, HeaderError, SignedHeader},
	AccountId, BlockNumber, Hash, History, SignedTicket, SignedVoucher, TrackId, Voucher, WindowHeader, WindowId,
};
use content::Content;

mod body;
mod config;
mod content;
mod fault;
mod keys;
mod resume;

pub use config::{PaymentTerms, ViewerConfig};
pub use content::{BUDGET, MIN_BUDGET};
pub use fault::{Fault, NotDue, ReceiptFault};
pub use keys::StreamKeys;
pub use resume::Resume;

/// How far the epoch of a broadcast may lie ahead: a minute that our node may be behind.
pub const MAX_EPOCH_AHEAD: BlockNumber = 30;

/// What a receipt asks for: what [`crate::Purse::pay`] signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
	/// The relayer's account.
	pub recipient: AccountId,
	/// The last of those that it is for.
	pub window: WindowId,
	/// What for.
	pub kind: receipt::Kind,
	/// As in the receipt.
	pub context: Hash,
	/// Counter of the stream's terms.
	pub terms: u32,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// From the relayer's receipt.
	pub commitment: Hash,
	/// What to pay it with.
	pub share: Share,
}

/// What pays a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
	/// For one receipt.
	Ticket(SignedTicket),
	/// For all so far.
	Voucher(SignedVoucher),
}

/// What a session tells its driver. In order; a window comes right behind its initialisation segment where that is new.
#[derive(Clone, Debug)]
pub enum Event {
	/// The relayer awaits a subscription: have the session key sign this, then call [`ViewerSession::subscribe`].
	Challenged(Subscription),
	/// The relayer serves, on these terms; `None` for nothing. Comes again when the mode of payment changes.
	Terms(Option<Terms>),
	/// Catalog of the windows that follow. Verified.
	Catalog(Arc<SignedCatalog>),
	/// How the broadcast stands. Verified.
	Status(Box<SignedStatus>),
	/// Initialisation segment of the windows that follow. Verified.
	Init(Bytes),
	/// The next window. Verified but for its chunks.
	Announced(Arc<Announced>),
	/// Every byte verified, and the successor of the one before.
	Window(EncodedWindow),
	/// This one does not come whole, or not in time; later ones follow.
	Skipped(WindowId),
	/// These chunks are here and verified, and more of their stream may come: [`ViewerSession::partial`] has them.
	Progress(Range),
	/// What was fetched, or the first part of it; or of what came by itself, where that ended early. Verified.
	Chunks(Chunks),
	/// What was fetched does not come.
	Lacks(Range),
	/// The receipt for a window verified: pay it.
	PaymentDue(Due),
	/// The receipt for windows up to this one verified, and what was paid before covers it.
	Covered(WindowId),
	/// The relayer has the payment for the receipt with this commitment.
	Paid(Hash),
	/// The relayer says that the reservation with this counter is final. Where that is untrue it is its own loss.
	Reserved(u32),
	/// The relayer is there, and has nothing newer than what it sent.
	Waiting,
	/// So many viewers of the stream, whose key limits them, we may serve ourselves.
	Seats(u32),
	/// It comes through these relayers, the relayer says.
	Route(Path),
	/// These may serve what is refused here, the relayer says.
	Others(Names),
	/// The relayer ended the subscription.
	Ended(EndReason),
}

/// Receipts and terms that may wait for chunks.
const MAX_HELD: usize = 64;

/// Names a stream of chunks to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyId(u64);

/// What becomes of a stream of chunks that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
	/// What comes on it goes to [`ViewerSession::chunks`].
	As(BodyId),
	/// Its window is not announced yet: to be asked again after the next message.
	NotYet,
}

/// Behind a receipt whose chunks are not here.
#[derive(Debug)]
enum Held {
	Receipt(Box<SignedReceipt>, Deliveries),
	Terms(Box<Option<Terms>>),
}

#[derive(Debug)]
struct Owed {
	commitment: Hash,
	sent: bool,
}

/// One subscription at one relayer, seen by the viewer.
#[derive(Debug)]
pub struct ViewerSession {
	config: ViewerConfig,
	decoder: AnswerDecoder,
	/// First word of the relayer.
	challenge: Option<Hash>,
	/// A subscription was sent.
	subscribed: bool,
	/// Outer `None`: not told yet.
	terms: Option<Option<Terms>>,
	meter: Meter,
	/// Sent, and not yet named by a verified header.
	pending_catalog: Option<Arc<SignedCatalog>>,
	/// The same.
	pending_init: Option<Bytes>,
	/// The same: of the headers before the first one.
	pending_history: Option<History>,
	/// Of the last verified window.
	setting: Option<Setting>,
	/// Epoch and number of the newest status.
	status: Option<(BlockNumber, u64)>,
	/// Behind the last announcement.
	announced: Option<Resume>,
	content: Content,
	/// What verified and has no receipt.
	ledger: Debtor,
	held: VecDeque<Held>,
	/// We want no more windows.
	leaves: bool,
	/// Receipts that the relayer has not acknowledged a payment for.
	owed: VecDeque<Owed>,
	last_commitment: Option<Hash>,
	ended: bool,
	/// It has named others.
	referred: bool,
	/// Why, as long as what it was ended behind is still coming.
	ending: Option<EndReason>,
	fault: Option<Fault>,
	/// The failed window whose receipt may convict the relayer.
	pursuit: Option<Box<Pursuit>>,
	evidence: Option<Box<Evidence>>,
	/// The last header whose signature verified, whatever else is wrong with it.
	header: Option<SignedHeader>,
	/// Received and not yet part of a whole message that verified; since a fault, of chunks as well.
	unverified: u64,
	events: VecDeque<Event>,
	transmit: VecDeque<Bytes>,
}

impl ViewerSession {
	/// Begins with a subscription to be transmitted, or with a wait for the relayer's challenge where it pays.
	pub fn new(config: ViewerConfig) -> Self {
		let mut session = Self {
			announced: config.resume.clone(),
			content: Content::new(config.resume.clone(), config.latest_start_ms),
			held: VecDeque::new(),
			config,
			decoder: AnswerDecoder::default(),
			challenge: None,
			subscribed: false,
			terms: None,
			meter: Meter::default(),
			pending_catalog: None,
			pending_init: None,
			pending_history: None,
			setting: None,
			status: None,
			ledger: Debtor::default(),
			leaves: false,
			owed: VecDeque::new(),
			last_commitment: None,
			ended: false,
			referred: false,
			ending: None,
			fault: None,
			pursuit: None,
			evidence: None,
			header: None,
			unverified: 0,
			events: VecDeque::new(),
			transmit: VecDeque::new(),
		};
		if session.config.payment.is_none() {
			session.send_subscribe(None);
		}
		session
	}

	/// Subscribes with what [`Event::Challenged`] asked for, signed. Any other call is without effect.
	pub fn subscribe(&mut self, subscription: SignedSubscription) {
		if let (Some(payment), Some(_), false) = (&self.config.payment, self.challenge, self.subscribed) {
			let vouchers = payment.vouchers;
			self.send_subscribe(Some(Payer { subscription, vouchers }));
		}
	}

	/// The chain's newest block.
	pub fn set_head(&mut self, head: BlockNumber) {
		self.config.head = head;
	}

	/// The stream's keys, as the chain says by now: one that was replaced signs nothing more from here on.
	pub fn set_keys(&mut self, keys: StreamKeys) {
		if keys.current != self.config.keys.current {
			// Its words have no say in what the next one's are.
			self.status = None;
		}
		self.config.keys = keys;
	}

	/// Counter of the stream's terms, as the chain says by now.
	pub fn set_terms(&mut self, counter: u32) {
		if let Some(payment) = &mut self.config.payment {
			payment.terms = counter;
		}
	}

	/// The latest start of a window that is taken, Unix time in milliseconds: now, and what clocks may differ by. Also says how long
	/// whole windows have waited for one that is late.
	pub fn set_latest_start(&mut self, latest_start_ms: u64) {
		self.config.latest_start_ms = latest_start_ms;
		self.content.set_now(latest_start_ms);
	}

	/// Gives no window up because others wait for it, as far as their bytes allow: for whoever passes windows on to those who have none
	/// without the one before.
	pub fn wait_for_all(&mut self) {
		self.content.wait_for_all();
	}

	/// Holds at most so many bytes of windows that are not whole yet, [`BUDGET`] unless it is said and [`MIN_BUDGET`] at least: beyond
	/// that the oldest of them is given up. What comes of it nevertheless is verified and paid, and nobody is to blame for it.
	pub fn hold_at_most(&mut self, bytes: u64) {
		self.content.hold_at_most(bytes);
		self.note();
	}

	/// Whether an epoch may have begun.
	fn has_begun(&self, epoch: BlockNumber) -> bool {
		epoch <= self.config.head.saturating_add(MAX_EPOCH_AHEAD)
	}

	/// Whether an epoch began so short ago that the chain, as our node has it, may not name its key yet.
	fn is_recent(&self, epoch: BlockNumber) -> bool {
		self.has_begun(epoch) && epoch.saturating_add(MAX_BLOCKS_BEHIND) >= self.config.head
	}

	fn send_subscribe(&mut self, payer: Option<Payer>) {
		let start = self.config.resume.take().map_or(Start::Live, |last| Start::After {
			epoch: last.id.epoch,
			segment: last.id.segment,
			part: last.id.part,
			header: last.header,
		});
		let subscribe = ToRelayer::Subscribe(Subscribe {
			genesis: self.config.genesis,
			stream: self.config.stream,
			tracks: tracks(self.config.track),
			start,
			follow: self.config.follow,
			payer,
		});
		self.subscribed = true;
		self.transmit.push_back(subscribe.to_frame());
	}

	/// Who pays, as receipts must name it.
	fn payer(&self) -> Option<PayerOpening> {
		let session = self.config.payment.as_ref()?.session;
		Some(PayerOpening {
			salt: self.challenge?,
			account: session.account,
			session: session.key,
		})
	}

	/// Takes bytes of the subscription's own stream, in any fragments. After a fault every call returns it again; events of
	/// windows that verified before it can still be polled, nothing can be paid.
	pub fn handle(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			return Err(fault.clone());
		}
		self.unverified += bytes.len() as u64;
		self.read(&mut bytes).map_err(|fault| {
			let fault = self.fail(fault);
			self.pursue(bytes);
			fault
		})
	}

	/// A stream of chunks begins with this. After a fault only what may convict the relayer is taken.
	pub fn begin_chunks(&mut self, prefix: &[u8; RANGE_BYTES]) -> Result<Taken, Fault> {
		let range = read_range(prefix);
		if let Some(fault) = &self.fault {
			let id = self.content.name();
			return match self.pursuit.as_mut().is_some_and(|pursuit| pursuit.begin(&range, id)) {
				true => Ok(Taken::As(id)),
				false => Err(fault.clone()),
			};
		}
		let taken = self.content.begin(range);
		self.note();
		taken.map_err(|fault| self.fail(fault))
	}

	/// The next bytes of a stream of chunks.
	pub fn chunks(&mut self, id: BodyId, bytes: &[u8]) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			if let Some(pursuit) = &mut self.pursuit {
				pursuit.chunks(id, bytes);
			}
			return Err(fault.clone());
		}
		let (bad, of, first) = match self.content.push(id, bytes) {
			Ok(fresh) => {
				self.events.extend(fresh.map(Event::Progress));
				self.note();
				return Ok(());
			},
			Err(bad) => bad,
		};
		let Bad { fault, delivered, rest } = bad;
		// Only a relayer that is paid signs receipts.
		if matches!((&fault, &self.terms), (Fault::BadChunk { .. }, Some(Some(_)))) {
			let mut pursuit = Pursuit::new(of.signed_header().clone(), Some(of.leaves().to_vec()));
			pursuit.adopt(id, first, delivered, rest);
			self.pursuit = Some(Box::new(pursuit));
		}
		Err(self.fail(fault))
	}

	/// A stream of chunks is over: it `ended` where the relayer ended it, or broke.
	pub fn end_chunks(&mut self, id: BodyId, ended: bool) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			let fault = fault.clone();
			if self.pursuit.as_mut().is_some_and(|pursuit| !pursuit.end(id, ended)) {
				self.pursuit = None;
			}
			self.convict();
			return Err(fault);
		}
		self.on_body_end(id, ended).map_err(|fault| self.fail(fault))
	}

	/// Whether what comes may still convict the relayer: behind a bad chunk or bad leaves, up to its receipt for that window. Of
	/// what comes nothing is kept but hashes of one window's chunks.
	pub fn pursues(&self) -> bool {
		self.pursuit.is_some()
	}

	/// Takes what the relayer says behind a fault, while the session [pursues](ViewerSession::pursues) it.
	pub fn pursue(&mut self, mut bytes: &[u8]) {
		while self.pursuit.is_some() {
			match self.decoder.poll(&mut bytes) {
				Ok(Some(ToViewer::Receipt(receipt, deliveries))) => {
					if let Some(pursuit) = &mut self.pursuit {
						pursuit.receipt(receipt, deliveries);
					}
					self.convict();
				},
				// Says nothing of the window.
				Ok(Some(
					ToViewer::Status(_)
					| ToViewer::Reserved(_)
					| ToViewer::Waiting
					| ToViewer::Seats(_)
					| ToViewer::Route(_)
					| ToViewer::Others(_)
					| ToViewer::Paid(_)
					| ToViewer::Pushed(_)
					| ToViewer::Offered(_)
					| ToViewer::Lacks(_)
					| ToViewer::Catalog(_)
					| ToViewer::Init(_),
				)) => {},
				Ok(None) => return,
				// Whatever else it says: no receipt, no evidence.
				Ok(Some(_)) | Err(_) => self.pursuit = None,
			}
		}
	}

	/// Whether the receipt is here that shows something.
	fn convict(&mut self) {
		let Some((pursuit, payer)) = self.pursuit.as_ref().zip(self.payer()) else {
			return;
		};
		let (relayer, genesis) = (&self.config.relayer_key, &self.config.genesis);
		if let Some(verdict) = pursuit.close(payer, relayer, genesis) {
			self.evidence = verdict.map(Box::new);
			self.pursuit = None;
		}
	}

	/// What was found against the relayer, once.
	pub fn take_evidence(&mut self) -> Option<Evidence> {
		self.evidence.take().map(|evidence| *evidence)
	}

	/// The last header that the stream's key signed, also one that was refused: for [`crate::Witness::note`].
	pub fn header(&self) -> Option<&SignedHeader> {
		self.header.as_ref()
	}

	/// The relayer's stream ended: a fault when it did so inside a message.
	pub fn finish(&mut self) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			return Err(fault.clone());
		}
		self.decoder.finish().map_err(|e| self.fail(e.into()))
	}

	/// Next thing that happened.
	pub fn poll_event(&mut self) -> Option<Event> {
		next(&mut self.events)
	}

	/// Next bytes for the relayer; a whole frame.
	pub fn poll_transmit(&mut self) -> Option<Bytes> {
		next(&mut self.transmit)
	}

	/// Sends what pays a window that is due, as [`crate::Purse::pay`] signed it. Each is paid once.
	pub fn pay(&mut self, due: &Due, payment: Payment) -> Result<(), NotDue> {
		if self.fault.is_some() {
			return Err(NotDue::Faulted);
		}
		if self.ended {
			return Err(NotDue::Ended);
		}
		let commitment = due.commitment;
		let owed = self
			.owed
			.iter_mut()
			.find(|o| o.commitment == commitment && !o.sent)
			.ok_or(NotDue::Receipt(commitment))?;
		owed.sent = true;
		let message = match payment {
			Payment::Ticket(ticket) => ToRelayer::Ticket(ticket),
			Payment::Voucher(voucher) => ToRelayer::Voucher(commitment, voucher),
		};
		self.transmit.push_back(message.to_frame());
		Ok(())
	}

	/// Sends a reservation, where the terms ask for it; whether it was.
	pub fn reserve(&mut self, reservation: SignedReservation) -> bool {
		let asked = matches!(&self.terms, Some(Some(terms)) if terms.reserve.is_some());
		let sent = asked && self.fault.is_none() && !self.ended;
		if sent {
			let frame = ToRelayer::Reserve(reservation).to_frame();
			self.transmit.push_back(frame);
		}
		sent
	}

	/// Asks for these chunks; whether that makes sense: a window that was announced has them, this relayer has not sent them, and
	/// fewer than [`MAX_FETCHES`] are on their way. They come as [`Event::Chunks`], fewer where their time was over, or as [`Event::Lacks`].
	pub fn fetch(&mut self, fetch: Fetch) -> bool {
		let asks = self.fault.is_none() && !self.ended && !self.leaves;
		if !asks || !self.content.fetch(fetch.range) {
			return false;
		}
		self.transmit.push_back(ToRelayer::Fetch(fetch).to_frame());
		true
	}

	/// Does not want these chunks any more: fetched ones, or a window that comes by itself. What comes of them nevertheless is
	/// paid.
	pub fn cancel(&mut self, range: Range) {
		if self.fault.is_none() && !self.ended {
			self.transmit.push_back(ToRelayer::Cancel(range).to_frame());
		}
	}

	/// Takes chunks from elsewhere for a window that comes here, or was to; whether they help.
	pub fn supply(&mut self, chunks: &Chunks) -> bool {
		let taken = self.content.supply(chunks);
		self.note();
		taken
	}

	/// Keeps this in place of what was announced here of the same window, where it says the same: who has several sources has it in
	/// memory once.
	pub fn share(&mut self, of: &Arc<Announced>) {
		self.content.share(of);
	}

	/// What is here of a window that is not whole: copied, for who puts it together from several sources.
	pub fn partial(&self, header: &Hash) -> Vec<Chunks> {
		self.content.partial(header)
	}

	/// What is here of a window that is not whole, from this chunk on, as far as one stream brought it: for who passes it on as it comes.
	pub fn verified(&self, header: &Hash, from: u32) -> Option<Verified<'_>> {
		self.content.verified(header, from)
	}

	/// Whether this window was announced to come by itself.
	pub fn pushes(&self, header: &Hash) -> bool {
		self.content.pushes(header)
	}

	/// This window is not put together here any more, as it is whole elsewhere or passed over: those behind it need not wait for it.
	/// What comes of it is verified and paid nevertheless.
	pub fn forgo(&mut self, header: &Hash) {
		self.content.forgo(header);
		self.note();
	}

	/// What is sent of the windows from the next announcement on.
	pub fn follow(&mut self, follow: Follow) {
		if self.fault.is_none() && !self.ended && self.config.follow != follow {
			self.config.follow = follow;
			self.transmit.push_back(ToRelayer::Follow(follow).to_frame());
		}
	}

	/// Wants no more windows, and a receipt for what came. Those that are on their way still come.
	pub fn leave(&mut self) {
		if matches!(self.terms, Some(Some(_))) && self.fault.is_none() && !self.ended && !self.leaves {
			self.leaves = true;
			self.transmit.push_back(ToRelayer::Leave.to_frame());
		}
	}

	/// Whether something that came is not paid, or the relayer has not said so.
	pub fn owes(&self) -> bool {
		self.ledger.unbilled() > 0 || !self.owed.is_empty() || !self.held.is_empty()
	}

	/// Where the next session goes on: behind the last window emitted, or behind the one this session began after.
	pub fn resume(&self) -> Option<Resume> {
		self.content.last().cloned()
	}

	/// Bytes thrown away by a fault: those received behind the last whole message that verified. 0 without a fault.
	pub fn rejected_bytes(&self) -> u64 {
		self.fault.as_ref().map_or(0, |_| self.unverified)
	}

	/// What ended the session, if something did.
	pub fn fault(&self) -> Option<&Fault> {
		self.fault.as_ref()
	}

	fn fail(&mut self, fault: Fault) -> Fault {
		self.fault = Some(fault.clone());
		self.unverified += self.content.stop();
		self.owed.clear();
		self.transmit.clear();
		self.events.retain(|event| !matches!(event, Event::PaymentDue(_)));
		if let Some(pursuit) = &mut self.pursuit {
			// The receipt that may convict it is due now, if it is not here.
			self.transmit.push_back(ToRelayer::Leave.to_frame());
			for held in self.held.drain(..) {
				if let Held::Receipt(receipt, deliveries) = held {
					pursuit.receipt(*receipt, deliveries);
				}
			}
		}
		fault
	}

	fn read(&mut self, bytes: &mut &[u8]) -> Result<(), Fault> {
		while let Some(message) = self.decoder.poll(bytes)? {
			self.on_message(message)?;
			self.unverified = bytes.len() as u64;
		}
		Ok(())
	}

	fn on_message(&mut self, message: ToViewer) -> Result<(), Fault> {
		let kind = message.kind();
		let early = matches!(kind, Kind::Challenge | Kind::Terms | Kind::Others | Kind::End);
		if self.ended || (self.terms.is_none() && !early) || (kind == Kind::Terms && !self.subscribed) {
			return Err(Fault::Unexpected(kind));
		}
		match message {
			ToViewer::Challenge(challenge) if self.challenge.is_none() => {
				self.on_challenge(challenge);
				Ok(())
			},
			ToViewer::Catalog(catalog) if self.pending_catalog.is_none() => {
				let (invalid, epoch) = (
					CatalogError::Signature(SignatureError::Invalid),
					catalog.seal.message.epoch,
				);
				// Under a former key it is the header that decides.
				match self
					.config
					.keys
					.signer(invalid, |key| catalog.check(key, &self.config.genesis))
				{
					Ok(_) => {},
					Err(error) if error == invalid && self.is_recent(epoch) => return Err(Fault::UnknownKey(epoch)),
					Err(error) => return Err(error.into()),
				}
				self.pending_catalog = Some(Arc::new(*catalog));
				Ok(())
			},
			ToViewer::History(history) if self.announced.is_none() && self.pending_history.is_none() => {
				if !history.is_well_formed() {
					return Err(Fault::BadHistory(history.count()));
				}
				self.pending_history = Some(history);
				Ok(())
			},
			ToViewer::Status(status) => self.on_status(status),
			ToViewer::Terms(terms) => self.hold(Held::Terms(Box::new(terms))),
			ToViewer::Init(init) if self.pending_init.is_none() => {
				self.pending_init = Some(init);
				Ok(())
			},
			ToViewer::Receipt(receipt, deliveries) => {
				self.check_receipt(&receipt, &deliveries)?;
				self.hold(Held::Receipt(Box::new(receipt), deliveries))
			},
			ToViewer::Pushed(announcement) => self.on_announcement(*announcement, true),
			ToViewer::Offered(announcement) => self.on_announcement(*announcement, false),
			ToViewer::Lacks(range) => {
				self.content.lack(range)?;
				self.note();
				self.end();
				Ok(())
			},
			ToViewer::Paid(commitment) => match self.owed.iter().position(|o| o.commitment == commitment && o.sent) {
				Some(at) => {
					self.owed.remove(at);
					self.events.push_back(Event::Paid(commitment));
					Ok(())
				},
				None => Err(Fault::Unexpected(kind)),
			},
			ToViewer::Reserved(counter) => {
				self.events.push_back(Event::Reserved(counter));
				Ok(())
			},
			ToViewer::Waiting => {
				self.events.push_back(Event::Waiting);
				Ok(())
			},
			ToViewer::Seats(seats) => {
				self.events.push_back(Event::Seats(seats));
				Ok(())
			},
			ToViewer::Route(path) => {
				self.events.push_back(Event::Route(path));
				Ok(())
			},
			ToViewer::Others(names) if !self.referred => {
				self.referred = true;
				self.events.push_back(Event::Others(names));
				Ok(())
			},
			ToViewer::End(reason) => {
				self.ended = true;
				self.ending = Some(reason);
				self.end();
				Ok(())
			},
			ToViewer::Init(_)
			| ToViewer::Challenge(_)
			| ToViewer::Catalog(_)
			| ToViewer::History(_)
			| ToViewer::Others(_) => Err(Fault::Unexpected(kind)),
		}
	}

	/// Says that the relayer has ended, once all is here that it ended behind.
	fn end(&mut self) {
		let orderly = |reason: &EndReason| matches!(reason, EndReason::Finished | EndReason::ShuttingDown);
		let coming = self.content.is_coming();
		if let Some(reason) = self.ending.take_if(|reason| !orderly(reason) || !coming) {
			self.events.push_back(Event::Ended(reason));
		}
	}

	/// Whether the relayer has said its last word, and what it ended behind is still coming.
	pub fn is_ending(&self) -> bool {
		self.ending.is_some()
	}

	fn on_challenge(&mut self, challenge: Hash) {
		self.challenge = Some(challenge);
		if let Some(payment) = &self.config.payment {
			self.events.push_back(Event::Challenged(Subscription {
				account: payment.session.account,
				session: payment.session.key,
				stream: self.config.stream,
				tracks: tracks(self.config.track),
				challenge,
				binding: self.config.binding,
			}));
		}
	}

	/// A status that is not newer than the one before is repeated, by mistake or to deceive: it says nothing. Nor does one
	/// under another key, which may have been the stream's until a moment ago, or of an epoch that cannot have begun.
	fn on_status(&mut self, status: Box<SignedStatus>) -> Result<(), Fault> {
		status.check_parts()?;
		if status
			.status
			.verify(&self.config.keys.current, &self.config.genesis)
			.is_err()
		{
			return Ok(());
		}
		let message = &status.status.message;
		if message.stream != self.config.stream {
			return Err(Fault::WrongStatus);
		}
		let place = Some((message.epoch, message.number));
		if self.status < place && self.has_begun(message.epoch) {
			self.status = place;
			self.events.push_back(Event::Status(status));
		}
		Ok(())
	}

	/// What was said behind a receipt that waits holds behind that.
	fn hold(&mut self, held: Held) -> Result<(), Fault> {
		let kind = match &held {
			Held::Receipt(..) => Kind::Receipt,
			Held::Terms(_) => Kind::Terms,
		};
		if self.held.len() >= MAX_HELD {
			return Err(Fault::Unexpected(kind));
		}
		self.held.push_back(held);
		self.settle()
	}

	/// Takes receipts and terms in their order, as far as what they are for is here.
	fn settle(&mut self) -> Result<(), Fault> {
		while let Some(held) = self.held.front() {
			if let Held::Receipt(_, deliveries) = held {
				if !deliveries.iter().all(|delivery| self.ledger.has(delivery)) {
					return Ok(());
				}
			}
			match self.held.pop_front() {
				Some(Held::Receipt(receipt, deliveries)) => self.on_receipt(&receipt.message, &deliveries)?,
				Some(Held::Terms(terms)) if self.may_state(terms.as_ref().as_ref()) => self.on_terms(*terms)?,
				Some(Held::Terms(_)) => return Err(Fault::Unexpected(Kind::Terms)),
				None => {},
			}
		}
		Ok(())
	}

	/// Terms come first; later ones differ from them by mode of payment, counter and a lower price at most.
	fn may_state(&self, terms: Option<&Terms>) -> bool {
		match (&self.terms, terms) {
			(None, _) => true,
			(Some(Some(agreed)), Some(terms)) => {
				let Terms {
					recipient,
					price_per_gb,
					mode: _,
					credit,
					interval,
					counter: _,
					reserve,
				} = agreed;
				let kept = (*recipient, *credit, *interval, *reserve);
				terms.price_per_gb <= *price_per_gb
					&& kept == (terms.recipient, terms.credit, terms.interval, terms.reserve)
			},
			_ => false,
		}
	}

	fn on_terms(&mut self, terms: Option<Terms>) -> Result<(), Fault> {
		if let Some(asked) = &terms {
			let Some(accepted) = &self.config.payment else {
				return Err(Fault::PaymentAsked);
			};
			if asked.price_per_gb > accepted.max_price_per_gb {
				return Err(Fault::PriceTooHigh {
					max: accepted.max_price_per_gb,
					asked: asked.price_per_gb,
				});
			}
			match &asked.mode {
				PaymentMode::Tickets { face_value } if *face_value == 0 || *face_value > accepted.max_face_value => {
					return Err(Fault::FaceValue {
						max: accepted.max_face_value,
						asked: *face_value,
					});
				},
				PaymentMode::Vouchers { .. } if !accepted.vouchers => return Err(Fault::VouchersAsked),
				PaymentMode::Vouchers { newest: Some(newest) } if !self.is_ours(newest, asked, &accepted.session) => {
					return Err(Fault::BadVoucher);
				},
				_ => {},
			}
			if let Some(registered) = self
				.config
				.relayer_account
				.filter(|account| *account != asked.recipient)
			{
				return Err(Fault::WrongRecipient {
					registered,
					asked: asked.recipient,
				});
			}
			let known = accepted.terms;
			if asked.counter != known && Some(asked.counter) != known.checked_add(1) {
				return Err(Fault::WrongTerms {
					known,
					asked: asked.counter,
				});
			}
		}
		let basis = |terms: &Option<Terms>| terms.as_ref().map(|terms| (terms.counter, terms.price_per_gb));
		if self.terms.as_ref().is_some_and(|before| basis(before) != basis(&terms)) {
			self.meter.begin_anew();
		}
		self.terms = Some(terms.clone());
		self.events.push_back(Event::Terms(terms));
		Ok(())
	}

	/// Whether this session signed the voucher, for the relayer of these terms and the stream under them.
	fn is_ours(&self, voucher: &SignedVoucher, terms: &Terms, payer: &SessionKey) -> bool {
		let Voucher {
			sender,
			session,
			recipient,
			stream,
			terms: counter,
			..
		} = voucher.message;
		(sender, session, recipient, stream) == (payer.account, payer.key, terms.recipient, self.config.stream)
			&& counter == terms.counter
			&& voucher.verify(&payer.key, &self.config.genesis).is_ok()
	}

	fn on_announcement(&mut self, announcement: Announcement, comes: bool) -> Result<(), Fault> {
		let history = self.check_header(&announcement.header)?;
		let header = &announcement.header.message;
		let setting = self.setting_for(header)?;
		if announcement.items.root() != header.ext {
			return Err(Fault::BadItems(header.id));
		}
		if merkle::root(&announcement.leaves) != header.root {
			if matches!(&self.terms, Some(Some(_))) {
				self.pursuit = Some(Box::new(Pursuit::new(announcement.header.clone(), None)));
			}
			return Err(Fault::BadLeaves(header.id));
		}
		if self.pending_catalog.take().is_some() {
			self.events.push_back(Event::Catalog(setting.catalog.clone()));
		}
		self.pending_init = None;
		self.setting = Some(setting.clone());
		let of = Arc::new(Announced::new(announcement, setting, history));
		self.announced = Some(of.resume());
		let collects = comes || self.config.follow == Follow::Windows;
		let pays = matches!(&self.terms, Some(Some(_)));
		self.content.announce(of, comes, collects, pays);
		self.note();
		Ok(())
	}

	/// The headers before it.
	fn check_header(&mut self, header: &SignedHeader) -> Result<History, Fault> {
		let id = header.message.id;
		let goes_on = self.announced.as_ref().is_some_and(|last| last.id.epoch == id.epoch);
		let invalid = HeaderError::Signature(SignatureError::Invalid);
		let keys = &self.config.keys;
		let signer = match keys.signer(invalid, |key| header.check(key, &self.config.genesis)) {
			Ok(signer) => signer,
			Err(error) if error == invalid && !goes_on && self.is_recent(id.epoch) => {
				return Err(Fault::UnknownKey(id.epoch));
			},
			Err(error) => return Err(error.into()),
		};
		self.header = Some(header.clone());
		if id.stream != self.config.stream || id.track != self.config.track {
			return Err(Fault::WrongStream(id));
		}
		if !self.has_begun(id.epoch) {
			let head = self.config.head;
			return Err(Fault::FutureEpoch { id, head });
		}
		if !header.message.begins_by(self.config.latest_start_ms) {
			return Err(Fault::FutureStart(id));
		}
		if !self.config.keys.allow(signer, &header.message, goes_on) {
			return Err(Fault::FormerKey(id));
		}
		let history = match &self.announced {
			None if !header.message.has(flags::INDEPENDENT) => return Err(Fault::NotIndependent(id)),
			None => self
				.pending_history
				.take()
				.filter(|history| header.message.follows(history)),
			Some(last) => {
				last.check_next(&header.message)?;
				Some(match last.id.epoch == id.epoch {
					true => last.history.clone(),
					false => History::default(),
				})
			},
		};
		let history = history.ok_or(Fault::BrokenChain(id))?;
		if let Some(Some(terms)) = &self.terms {
			// In a receipt of its own.
			if Meter::default()
				.charge(header.message.bytes.into(), terms.price_per_gb, &terms.mode)
				.is_err()
			{
				return Err(Fault::Unpayable(id));
			}
		}
		Ok(history)
	}

	/// What a window with this header is decoded with: what was sent for it, else what the one before had.
	fn setting_for(&self, header: &WindowHeader) -> Result<Setting, Fault> {
		let bad = |reason| Fault::BadSetting {
			window: header.id,
			reason,
		};
		let known = self.setting.as_ref();
		let catalog = self.pending_catalog.as_ref().or(known.map(|setting| &setting.catalog));
		let init = self.pending_init.as_ref().or(known.map(|setting| &setting.init));
		let setting = Setting {
			catalog: catalog.ok_or_else(|| bad(WindowError::Catalog))?.clone(),
			init: init.ok_or_else(|| bad(WindowError::Init))?.clone(),
		};
		setting.check(header).map_err(bad)?;
		Ok(setting)
	}

	fn on_body_end(&mut self, id: BodyId, ended: bool) -> Result<(), Fault> {
		let piece = self.content.end(id, ended)?;
		if let (Some(Some(_)), Some(piece)) = (&self.terms, piece) {
			self.ledger.received(piece);
		}
		self.note();
		self.settle()?;
		self.end();
		Ok(())
	}

	/// Tells what became of content, in its place among the rest.
	fn note(&mut self) {
		for range in self.content.take_given_up() {
			self.cancel(range);
		}
		self.events.extend(core::iter::from_fn(|| self.content.poll_event()));
	}

	/// The last window that a receipt is for, or should be.
	fn about(&self, deliveries: &Deliveries) -> Option<WindowId> {
		let last = deliveries.last().map(|delivery| delivery.header);
		let announced = self.announced.as_ref()?;
		Some(last.and_then(|last| self.content.window(&last)).unwrap_or(announced.id))
	}

	/// What can be said of a receipt before what it is for is here.
	fn check_receipt(&mut self, signed: &SignedReceipt, deliveries: &Deliveries) -> Result<(), Fault> {
		let (Some(Some(terms)), Some(payer), Some(window)) = (&self.terms, self.payer(), self.about(deliveries)) else {
			return Err(Fault::Unexpected(Kind::Receipt));
		};
		let bad = |reason| Fault::BadReceipt { window, reason };
		let receipt: &Receipt = &signed.message;
		let earliest = self.config.head.saturating_sub(MAX_BLOCKS_BEHIND);
		let latest = self.config.head.saturating_add(MAX_BLOCKS_AHEAD);
		let purpose = (receipt::Kind::LIVE, Hash([0; 32]));
		let wrong = [
			((receipt.kind, receipt.context) != purpose, ReceiptFault::Purpose),
			(receipt.payer != payer.hash(), ReceiptFault::Payer),
			(
				(receipt.payee, receipt.key) != (terms.recipient, self.config.relayer_key),
				ReceiptFault::Payee,
			),
			(receipt.stream != window.stream, ReceiptFault::Stream),
			(receipt.root != deliveries_root(deliveries), ReceiptFault::Root),
			(!(earliest..=latest).contains(&receipt.block), ReceiptFault::Block),
			(
				self.last_commitment == Some(receipt.commitment),
				ReceiptFault::Commitment,
			),
		];
		if let Some((_, reason)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
			return Err(bad(reason));
		}
		signed
			.verify(&self.config.relayer_key, &self.config.genesis)
			.map_err(|e| bad(e.into()))?;
		for delivery in deliveries {
			let range = Range {
				header: delivery.header,
				first: delivery.first,
				count: delivery.count,
			};
			if !self.content.bill(&range) {
				return Err(bad(BillFault::NotDelivered.into()));
			}
		}
		self.ledger.check(deliveries).map_err(|e| bad(e.into()))?;
		self.last_commitment = Some(receipt.commitment);
		Ok(())
	}

	/// All that it is for is here.
	fn on_receipt(&mut self, receipt: &Receipt, deliveries: &Deliveries) -> Result<(), Fault> {
		let (Some(Some(terms)), Some(window)) = (&self.terms, self.about(deliveries)) else {
			return Err(Fault::Unexpected(Kind::Receipt));
		};
		let bad = |reason| Fault::BadReceipt { window, reason };
		if receipt.price != terms.price_per_gb {
			return Err(bad(ReceiptFault::Price));
		}
		let window = self
			.ledger
			.receipt(receipt.bytes, deliveries)
			.map_err(|e| bad(e.into()))?;
		let share = self
			.meter
			.charge(receipt.bytes, receipt.price, &terms.mode)
			.map_err(|_| Fault::Unpayable(window))?;
		let commitment = receipt.commitment;
		let Some(share) = share else {
			self.events.push_back(Event::Covered(window));
			return Ok(());
		};
		self.owed.push_back(Owed {
			commitment,
			sent: false,
		});
		self.events.push_back(Event::PaymentDue(Due {
			recipient: terms.recipient,
			window,
			kind: receipt.kind,
			context: receipt.context,
			terms: terms.counter,
			price_per_gb: receipt.price,
			commitment,
			share,
		}));
		Ok(())
	}
}

/// The next one of a queue, whose memory is given back as soon as there is none: most sessions wait most of the time.
pub(crate) fn next<T>(queue: &mut VecDeque<T>) -> Option<T> {
	if queue.is_empty() {
		*queue = VecDeque::new();
	}
	queue.pop_front()
}

/// A subscription's tracks, where it is for one.
fn tracks(track: TrackId) -> clustercast_primitives::subscribe::Tracks {
	let mut tracks = clustercast_primitives::subscribe::Tracks::new();
	tracks.force_push(track);
	tracks
}

#[cfg(test)]
mod tests;
