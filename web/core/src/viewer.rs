//! A viewer in the middle of a broadcast: place in the stream, purse, and the subscription at one relayer after the other.

use crate::{
	message::{Blame, Config, End, Facts, Output, Payer, Relayer, Silence, Time},
	rhythm::Rhythm,
};
use alloc::{
	boxed::Box,
	collections::{BTreeMap, VecDeque},
	string::ToString,
	vec::Vec,
};
use clustercast_primitives::{
	catalog::CatalogError,
	crypto::{SignatureError, SignedMessage},
	notice::transport,
	session::SessionProof,
	status::State,
	subscribe::{Binding, SignedSubscription, Subscription},
	ticket::EXPIRY_GRID,
	window::{HeaderError, MAX_AHEAD_OF_VIEWER_MS},
	AccountId, Balance, BlockNumber, Hash, PublicKey, Signature,
};
use clustercast_protocol::{
	patience::{self, Patience},
	purse::Draft,
	standing,
	tickets::EXPIRY_MARGIN,
	viewer::{BodyId, Due, Event, Taken},
	wire::RANGE_BYTES,
	EncodedWindow, EndReason, Fault, Follow, PaymentTerms, Purse, PurseConfig, PurseError, Resume, SessionKey,
	Standing, StreamKeys, ViewerConfig, ViewerSession,
};
use core::time::Duration;

/// Length of a window as long as none has been seen.
const USUAL_WINDOW_MS: u32 = 2_000;

/// Windows' time without a whole one that makes a stall.
const STALL_WINDOWS: u32 = 3;

/// Between two blocks of the chain, milliseconds.
const BLOCK_MS: u64 = 2_000;

/// Blocks that are counted by the clock beyond what was heard, at most: as the player has it.
const MOST_BY_CLOCK: u64 = 300;

/// Bounds of that time, milliseconds: as the player has them.
const STALL_MS: (u32, u32) = (2_000, 30_000);

/// Fewer blocks than the chain allows a ticket to live: its expiry is rounded up to the grid, and relayers take none that expires later.
const EXPIRY_SLACK: BlockNumber = EXPIRY_GRID + EXPIRY_MARGIN;

/// Who begins live is given no window that ended longer ago, on the broadcaster's clock, milliseconds: as the player has it.
const OLDEST_START_MS: u64 = 30_000;

/// Why a connection is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
	/// Its notice is not signed by the relayer's key.
	Signature(SignatureError),
	/// The notice is of another relayer.
	Relayer,
	/// The notice holds no more.
	Old,
	/// The notice does not name the certificate.
	Certificate,
}

impl core::fmt::Display for Unfit {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		match self {
			Self::Signature(error) => write!(f, "the relayer's notice: {error}"),
			Self::Relayer => f.write_str("the notice is of another relayer"),
			Self::Old => f.write_str("the relayer's notice holds no more"),
			Self::Certificate => f.write_str("the relayer does not name the certificate that it shows"),
		}
	}
}

impl core::error::Error for Unfit {}

/// What waits for its signature.
#[derive(Debug)]
enum Unsigned {
	Subscription(Subscription),
	Payment(Due, Box<Draft>),
}

impl Unsigned {
	fn payload(&self, genesis: &Hash) -> Vec<u8> {
		match self {
			Self::Subscription(subscription) => subscription.signing_payload(genesis),
			Self::Payment(_, draft) => draft.signing_payload(genesis),
		}
	}
}

/// See the module.
#[derive(Debug)]
pub struct Viewer {
	config: Config,
	keys: StreamKeys,
	purse: Purse<PublicKey>,
	time: Time,
	/// When the facts were heard.
	learnt: Time,
	session: Option<ViewerSession>,
	patience: Patience,
	rhythm: Rhythm,
	standing: Standing,
	silence: Silence,
	/// Behind the last window that was handed out.
	resume: Option<Resume>,
	/// Initialisation segment that was handed out last.
	init: Option<Hash>,
	window_ms: u32,
	/// By number; those of a subscription that is over are not here any more.
	unsigned: BTreeMap<u32, Unsigned>,
	/// The same of streams of chunks.
	bodies: BTreeMap<u32, BodyId>,
	/// Number of whatever is next.
	next: u32,
	/// What is being stored: nothing is numbered until it is.
	storing: Option<u32>,
	/// Due, and waiting for that.
	unstored: VecDeque<Due>,
	/// What this key had spent at the start, micro-USDC.
	before: Balance,
	/// This relayer brought a window.
	served: bool,
	outputs: VecDeque<Output>,
}

impl Viewer {
	/// Nobody brings it anything yet. Fails where the purse that was stored is another session key's.
	pub fn new(mut config: Config, time: Time) -> Result<Self, PurseError> {
		let Payer {
			account,
			session,
			expiry,
			max_ticket_life,
			limit,
			..
		} = config.payer;
		let purse_config = PurseConfig {
			genesis: config.genesis,
			sender: account,
			session_expiry: expiry,
			ticket_life: max_ticket_life.saturating_sub(EXPIRY_SLACK),
			budget: limit,
		};
		let purse = match config.payer.purse.take() {
			Some(stored) => Purse::restore(purse_config, session, &stored)?,
			None => Purse::new(purse_config, session),
		};
		let keys = StreamKeys {
			former: config.facts.former.clone(),
			..config.facts.key.into()
		};
		let before = purse.spent();
		let mut viewer = Self {
			patience: Patience::new(config.track, None, elapsed(time)),
			rhythm: Rhythm::new(elapsed(time)),
			config,
			keys,
			purse,
			time,
			learnt: time,
			session: None,
			standing: Standing::default(),
			silence: Silence::None,
			resume: None,
			init: None,
			window_ms: USUAL_WINDOW_MS,
			unsigned: BTreeMap::new(),
			bodies: BTreeMap::new(),
			next: 0,
			storing: None,
			unstored: VecDeque::new(),
			before,
			served: false,
			outputs: VecDeque::new(),
		};
		viewer.tell_money(false);
		Ok(viewer)
	}

	/// Subscribes on a connection to this relayer, in place of whatever was there before; behind the last window.
	pub fn connect(&mut self, relayer: &Relayer) -> Result<(), Unfit> {
		self.check(relayer)?;
		let Payer {
			account,
			session,
			max_price_per_gb,
			max_face_value,
			..
		} = self.config.payer;
		// What was asked for the one before is of no use to this one.
		self.disconnected();
		self.served = false;
		let now = elapsed(self.time);
		self.rhythm = self.rhythm.turn(now);
		let have = self.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		self.patience = Patience::new(self.config.track, have, now);
		if have.is_some() {
			self.patience.status(&self.standing, now);
		}
		self.session = Some(ViewerSession::new(ViewerConfig {
			genesis: self.config.genesis,
			stream: self.config.stream,
			track: self.config.track,
			keys: self.keys.clone(),
			relayer_key: relayer.key,
			relayer_account: Some(relayer.account),
			binding: Binding::Certificate(relayer.certificate.0),
			payment: Some(PaymentTerms {
				session: SessionKey { account, key: session },
				vouchers: false,
				terms: self.config.facts.terms,
				max_price_per_gb,
				max_face_value,
			}),
			head: self.head(),
			latest_start_ms: self.latest_start_ms(),
			resume: self.resume.clone(),
			follow: Follow::Windows,
		}));
		self.pump();
		Ok(())
	}

	/// Whether the relayer whom the chain names says that this certificate is its own.
	fn check(&self, relayer: &Relayer) -> Result<(), Unfit> {
		let notice = &relayer.notice;
		notice
			.verify(&relayer.key, &self.config.genesis)
			.map_err(Unfit::Signature)?;
		let notice = &notice.message;
		let is_its = (notice.key, notice.account) == (relayer.key, relayer.account)
			&& notice.transports & transport::WEB_TRANSPORT != 0;
		if !is_its {
			return Err(Unfit::Relayer);
		}
		if notice.until_ms < self.time.unix_ms {
			return Err(Unfit::Old);
		}
		match notice.certificates.contains(&relayer.certificate) {
			true => Ok(()),
			false => Err(Unfit::Certificate),
		}
	}

	/// Of now. What is overdue is told.
	pub fn tick(&mut self, time: Time) {
		self.time = time;
		let (latest, head, now) = (self.latest_start_ms(), self.head(), elapsed(time));
		let Some(session) = &mut self.session else {
			return;
		};
		session.set_latest_start(latest);
		session.set_head(head);
		let stall = self
			.window_ms
			.saturating_mul(STALL_WINDOWS)
			.clamp(STALL_MS.0, STALL_MS.1);
		match self
			.patience
			.judge(&self.standing, Duration::from_millis(stall.into()), now)
		{
			Ok((silence, _)) => {
				let silence = match silence {
					patience::Silence::None => Silence::None,
					patience::Silence::Pause => Silence::Pause,
					patience::Silence::Absence => Silence::Absence,
					patience::Silence::Over => Silence::Over,
				};
				if core::mem::replace(&mut self.silence, silence) != silence {
					self.outputs.push_back(Output::Silence(silence));
				}
			},
			Err(failing) => self.give_up(Output::Failed(failing.to_string())),
		}
		let (is_live, length) = (self.standing.at(now) == Some(State::Live), self.window_ms);
		let is_late = self.rhythm.is_late(is_live, Duration::from_millis(length.into()), now);
		if is_late && self.session.is_some() {
			self.outputs.push_back(Output::Late);
		}
		self.pump();
	}

	/// What the chain says by now. The block goes on by the clock until more is said, and is then what is said: a chain that is slower
	/// than its clock would be left behind, and take no payment that lives longer than it allows.
	pub fn learn(&mut self, facts: Facts) {
		self.learnt = self.time;
		let told = self.standing.told(self.config.track);
		if self.keys.replace(facts.key, facts.former.clone(), told) {
			self.standing = Standing::default();
		}
		if let Some(session) = &mut self.session {
			session.set_head(facts.head);
			session.set_keys(self.keys.clone());
			session.set_terms(facts.terms);
		}
		self.config.facts = facts;
	}

	/// Bytes of the subscription's own stream.
	pub fn said(&mut self, bytes: &[u8]) {
		self.drive(|session| session.handle(bytes));
	}

	/// A stream of chunks begins with this: its number, or `None` where its window is not announced yet, and it is to be asked again
	/// after the next words. Of a relayer that is left none is taken.
	pub fn begin(&mut self, prefix: &[u8; RANGE_BYTES]) -> Option<u32> {
		match self.drive(|session| session.begin_chunks(prefix))? {
			Taken::As(id) => {
				let number = self.number();
				self.bodies.insert(number, id);
				Some(number)
			},
			Taken::NotYet => None,
		}
	}

	/// The next bytes of it. Of one that is not known nothing is taken.
	pub fn chunks(&mut self, body: u32, bytes: &[u8]) {
		if let Some(id) = self.bodies.get(&body).copied() {
			self.rhythm.moved(elapsed(self.time));
			self.drive(|session| session.chunks(id, bytes));
		}
	}

	/// It is over: `ended` where the relayer ended it, or broke.
	pub fn end(&mut self, body: u32, ended: bool) {
		if let Some(id) = self.bodies.remove(&body) {
			self.drive(|session| session.end_chunks(id, ended));
		}
	}

	/// The session key's signature of what was asked under this number. One that is not its own is not used.
	pub fn signed(&mut self, number: u32, signature: Signature) -> Result<(), SignatureError> {
		let (Some(unsigned), Some(session)) = (self.unsigned.remove(&number), &mut self.session) else {
			// For a subscription that is over.
			return Ok(());
		};
		let payload = unsigned.payload(&self.config.genesis);
		self.config.payer.session.verify(&payload, &signature)?;
		match unsigned {
			Unsigned::Subscription(message) => session.subscribe(SignedSubscription { message, signature }),
			// Refused only where the subscription is over, which is told otherwise.
			Unsigned::Payment(due, draft) => drop(session.pay(&due, (*draft).signed(signature))),
		}
		self.pump();
		Ok(())
	}

	/// What was to be stored under this number is. Where it could not be, the viewer is to be dropped: another one goes on with what was
	/// stored before.
	pub fn stored(&mut self, number: u32) {
		if self.storing == Some(number) {
			self.storing = None;
			for due in core::mem::take(&mut self.unstored) {
				self.pay(due);
			}
			self.pump();
		}
	}

	/// Wants no more windows: what came is paid.
	pub fn leave(&mut self) {
		if let Some(session) = &mut self.session {
			session.leave();
		}
		self.pump();
	}

	/// The next windows are those of now, where they cannot be had behind the last one.
	pub fn go_live(&mut self) {
		self.resume = None;
	}

	/// The connection is gone, and whatever was for it. What was spent on it is to be stored.
	pub fn disconnected(&mut self) {
		let was_there = self.session.take().is_some();
		self.unsigned.clear();
		self.bodies.clear();
		self.unstored.clear();
		let is_for_it = |output: &Output| matches!(output, Output::Send(_) | Output::Sign(..));
		self.outputs.retain(|output| !is_for_it(output));
		if was_there {
			self.store(self.purse.state());
		}
	}

	/// What is to be done next.
	pub fn poll(&mut self) -> Option<Output> {
		self.outputs.pop_front()
	}

	/// Does something on the session, hands out what came of it, and ends it where that is a fault.
	fn drive<T>(&mut self, act: impl FnOnce(&mut ViewerSession) -> Result<T, Fault>) -> Option<T> {
		let done = act(self.session.as_mut()?);
		// What was verified ahead of a fault is handed out first.
		self.pump();
		match done {
			Ok(value) => Some(value),
			Err(fault) => {
				let rejected = matches!(fault, Fault::BadChunk { .. } | Fault::BadLeaves(_));
				self.give_up(Output::Fault {
					blame: blame(&fault),
					rejected,
					reason: fault.to_string(),
				});
				None
			},
		}
	}

	/// The session is over, for this reason.
	fn give_up(&mut self, why: Output) {
		self.disconnected();
		self.outputs.push_back(why);
	}

	fn pump(&mut self) {
		while let Some(event) = self.session.as_mut().and_then(ViewerSession::poll_event) {
			self.take(event);
		}
		while let Some(bytes) = self.session.as_mut().and_then(ViewerSession::poll_transmit) {
			self.outputs.push_back(Output::Send(bytes.to_vec()));
		}
	}

	fn take(&mut self, event: Event) {
		let now = elapsed(self.time);
		self.patience.hear(now);
		match event {
			Event::Challenged(subscription) => self.ask(Unsigned::Subscription(subscription)),
			Event::Terms(terms) => {
				let price_per_gb = terms.map_or(0, |terms| terms.price_per_gb);
				self.outputs.push_back(Output::Terms { price_per_gb });
			},
			Event::Status(status) => {
				self.standing.note_status(&status, now);
				self.patience.status(&self.standing, now);
			},
			Event::Window(window) if self.is_old(&window, now) => {
				// Nothing of the past is paid as live.
				self.give_up(Output::Failed("it began with a window from before the pause".into()));
			},
			Event::Window(window) => self.show(&window, now),
			Event::Skipped(_) => self.outputs.push_back(Output::Skipped),
			Event::PaymentDue(due) => self.pay(due),
			Event::Paid(_) => self.tell_money(true),
			Event::Waiting => self.patience.answer(now),
			Event::Ended(reason) => {
				let over = self.standing.at(now) == Some(State::Ended);
				self.disconnected();
				self.outputs.push_back(Output::Ended {
					end: end(reason, over),
					reason: reason.to_string(),
				});
			},
			Event::Catalog(_)
			| Event::Init(_)
			| Event::Announced(_)
			| Event::Covered(_)
			| Event::Progress(_)
			| Event::Chunks(_)
			| Event::Lacks(_)
			| Event::Reserved(_)
			| Event::Seats(_)
			| Event::Route(_)
			| Event::Others(_) => {},
		}
	}

	/// Whether a window is none to begin live with.
	fn is_old(&self, window: &EncodedWindow, now: Duration) -> bool {
		let begins = self.resume.is_none() && !self.served;
		begins && !self.standing.is_live_within(window.header(), now, OLDEST_START_MS)
	}

	fn tell_money(&mut self, paid: bool) {
		let spent = self.purse.spent();
		let Payer { limit, deposit, .. } = self.config.payer;
		let of_deposit = deposit.saturating_sub(spent.saturating_sub(self.before));
		let left = of_deposit.min(limit.saturating_sub(spent));
		self.outputs.push_back(Output::Money { spent, left, paid });
	}

	fn show(&mut self, window: &EncodedWindow, now: Duration) {
		self.served = true;
		self.resume = self.session.as_ref().and_then(ViewerSession::resume);
		let header = window.header();
		self.standing.note_header(header);
		self.rhythm.window(Duration::from_millis(self.window_ms.into()), now);
		self.patience.reached(standing::reach(header), &self.standing, now);
		self.window_ms = header.duration_ms;
		let catalog = &window.catalog().catalog;
		let track = catalog.track(header.id.track);
		if let Some(track) = track.filter(|track| Some(track.init) != self.init) {
			self.init = Some(track.init);
			self.outputs.push_back(Output::Init {
				codecs: track.codecs.as_str().into(),
				title: catalog.title.as_str().into(),
				data: window.init().to_vec(),
			});
		}
		self.outputs.push_back(Output::Window {
			epoch: header.id.epoch,
			start_ms: header.start_ms,
			duration_ms: header.duration_ms,
			data: window.data().to_vec(),
		});
	}

	/// What is numbered is to be on disk before it is signed.
	fn pay(&mut self, due: Due) {
		if self.storing.is_some() {
			return self.unstored.push_back(due);
		}
		let block = self.head();
		if let Some(state) = self.purse.reserve(&due.recipient, block) {
			self.store(state);
			return self.unstored.push_back(due);
		}
		match self.purse.draft(&due, block) {
			Ok(draft) => self.ask(Unsigned::Payment(due, Box::new(draft))),
			Err(error) => self.outputs.push_back(Output::CannotPay(error.to_string())),
		}
	}

	fn store(&mut self, state: Vec<u8>) {
		let number = self.number();
		self.storing = Some(number);
		self.outputs.push_back(Output::Store(number, state));
	}

	fn ask(&mut self, unsigned: Unsigned) {
		let payload = unsigned.payload(&self.config.genesis);
		let number = self.number();
		self.unsigned.insert(number, unsigned);
		self.outputs.push_back(Output::Sign(number, payload));
	}

	fn number(&mut self) -> u32 {
		let number = self.next;
		self.next = number.wrapping_add(1);
		number
	}

	/// The chain's newest block by now.
	fn head(&self) -> BlockNumber {
		let passed = self.time.elapsed_ms.saturating_sub(self.learnt.elapsed_ms);
		let counted = (passed / BLOCK_MS).min(MOST_BY_CLOCK);
		let counted = BlockNumber::try_from(counted).unwrap_or(BlockNumber::MAX);
		self.config.facts.head.saturating_add(counted)
	}

	fn latest_start_ms(&self) -> u64 {
		self.time.unix_ms.saturating_add(MAX_AHEAD_OF_VIEWER_MS)
	}
}

/// What a fault says of the relayer: as the player judges it.
fn blame(fault: &Fault) -> Blame {
	let unsigned = [
		Fault::Header(HeaderError::Signature(SignatureError::Invalid)),
		Fault::Catalog(CatalogError::Signature(SignatureError::Invalid)),
	];
	match fault {
		Fault::PriceTooHigh { .. }
		| Fault::FaceValue { .. }
		| Fault::PaymentAsked
		| Fault::VouchersAsked
		| Fault::WrongRecipient { .. }
		| Fault::Unpayable(_) => Blame::Terms,
		// The stream's key may have been replaced.
		fault if fault.may_be_honest() || unsigned.contains(fault) => Blame::None,
		_ => Blame::Broken,
	}
}

/// What a relayer's reason to end a subscription means. That a broadcast is over is the broadcaster's to say.
fn end(reason: EndReason, is_over: bool) -> End {
	match reason {
		EndReason::Finished if is_over => End::Over,
		EndReason::WindowGone => End::Gone,
		EndReason::Full | EndReason::SeatsTaken | EndReason::IdleLately(_) => End::Full,
		EndReason::NotServed | EndReason::Denied | EndReason::NotAllowed => End::Absent,
		_ => End::Other,
	}
}

/// What a session key signs to show that whoever registers it for this account has it.
pub fn proof(account: AccountId, genesis: &Hash) -> Vec<u8> {
	SessionProof { account }.signing_payload(genesis)
}

fn elapsed(time: Time) -> Duration {
	Duration::from_millis(time.elapsed_ms)
}
