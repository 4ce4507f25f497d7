//! One session at a time, and the next relayer where it fails: the policy of `player/src/{failover,subscription,opinion}.rs` and
//! `relayer/src/ingest.rs`, whose decisions are `protocol`'s.

use crate::{
	bugs::Bug,
	calendar::{Micros, SECOND},
	chain::{unix_ms, GENESIS},
	desk::{STREAM, TERMS},
	intake::{Got, Intake, Source},
	net::{BodyNo, ConnId, Input, NodeId},
	node::{Conduct, Io},
	roster::{Ending, Next, Roster},
	wallet::Wallet,
};
use bytes::Bytes;
use clustercast_primitives::{
	chain::TicketRefusal, subscribe::Binding, window::MAX_AHEAD_OF_VIEWER_MS, PublicKey, WindowId,
};
use clustercast_protocol::{
	viewer::{BodyId, Due, Event, Taken},
	wire::{read_range, AnswerDecoder, Kind, ToRelayer, ToViewer, PREFIX_BYTES, RANGE_BYTES},
	EndReason, Fault, Fetch, Follow, Meter, Patience, Payment, PaymentTerms, Resume, Silence, Standing, Terms,
	TicketError, ViewerConfig, ViewerSession,
};
use rand::Rng;
use std::{
	collections::{BTreeMap, VecDeque},
	sync::Arc,
	time::Duration,
};

/// At the end, how long receipts and acknowledgements are waited for.
const SETTLE: Micros = 3 * SECOND;

/// Between two questions to others, and how long an answer takes at most.
const ASK: Micros = 5 * SECOND;

/// Streams of chunks of one connection.
const MAX_BODIES: usize = 32;

/// Connections in a row that served nothing before a relayer asks no more for the window behind the last one.
const MAX_FRUITLESS: u32 = 2;

/// Who begins live is given no window that ended longer ago, milliseconds.
const OLDEST_START_MS: u64 = 30_000;

/// How a node receives.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
	/// As a player: who is caught is never called again, and others are asked where the broadcaster is away.
	pub player: bool,
	/// How long a window may take that exists.
	pub stall: Micros,
	/// Longest rest of who failed.
	pub rest: Micros,
	/// Takes announcements, and some ranges.
	pub samples: bool,
	/// How it pays.
	pub conduct: Conduct,
}

/// See the module.
#[derive(Debug)]
pub struct Single {
	taste: Taste,
	sources: Arc<Vec<Source>>,
	stream_key: PublicKey,
	roster: Roster,
	wallet: Option<Box<Wallet>>,
	standing: Standing,
	resume: Option<Resume>,
	/// Behind the last windows.
	recent: VecDeque<Resume>,
	phase: Phase,
	question: Option<(ConnId, NodeId, Option<Box<ViewerSession>>, Micros)>,
	asked: (usize, Micros),
	/// The reason of the last end, as long as nothing was paid since.
	refused: Option<EndReason>,
	paid_last: Option<Payment>,
	got: VecDeque<Got>,
	armed: Micros,
	/// Connections in a row that served nothing.
	fruitless: u32,
	/// What is on its disk.
	position: Option<Resume>,
}

#[derive(Debug)]
enum Phase {
	Resting(Micros),
	Calling(ConnId, NodeId),
	Watching(Box<Watch>),
	/// Until when it is paid.
	Settling(Box<Watch>, Micros),
	Over,
}

#[derive(Debug)]
struct Watch {
	conn: ConnId,
	peer: NodeId,
	session: ViewerSession,
	bodies: BTreeMap<BodyNo, BodyId>,
	/// Of windows that are not announced yet.
	waiting: Vec<Waiting>,
	patience: Patience,
	begins_live: bool,
	served: bool,
	bugs: Unchecked,
}

#[derive(Debug)]
struct Waiting {
	body: BodyNo,
	prefix: Bytes,
	chunks: Vec<(Bytes, bool)>,
}

/// What only a node with a bug looks at.
#[derive(Debug, Default)]
struct Unchecked {
	terms: Option<Terms>,
	meter: Meter,
	played: BTreeMap<BodyNo, u32>,
}

impl Single {
	/// From one of these sources.
	pub fn new(
		taste: Taste,
		sources: Arc<Vec<Source>>,
		order: Vec<NodeId>,
		stream_key: PublicKey,
		wallet: Option<Wallet>,
	) -> Self {
		Self {
			roster: Roster::new(order, taste.rest),
			taste,
			sources,
			stream_key,
			wallet: wallet.map(Box::new),
			standing: Standing::default(),
			resume: None,
			recent: VecDeque::new(),
			phase: Phase::Over,
			question: None,
			asked: (0, 0),
			refused: None,
			paid_last: None,
			got: VecDeque::new(),
			armed: Micros::MAX,
			fruitless: 0,
			position: None,
		}
	}

	/// As it is after a crash: what is on the disk.
	pub fn crash(&mut self, order: Vec<NodeId>) {
		let wallet = self.wallet.take().map(|mut wallet| {
			wallet.reopen();
			*wallet
		});
		// Players begin live, relayers go on a bit before their place.
		let position = self.position.take().filter(|_| !self.taste.player);
		*self = Self::new(self.taste, self.sources.clone(), order, self.stream_key, wallet);
		self.resume = position;
	}

	fn source(&self, node: NodeId) -> Option<Source> {
		self.sources.iter().find(|source| source.node == node).copied()
	}

	fn session(&self, peer: NodeId, resume: Option<Resume>, io: &Io<'_>) -> Option<ViewerSession> {
		let source = self.source(peer)?;
		let payment = self.wallet.as_ref().filter(|_| source.account.is_some());
		Some(ViewerSession::new(ViewerConfig {
			genesis: GENESIS,
			stream: STREAM,
			track: 0,
			keys: self.stream_key.into(),
			relayer_key: source.key,
			relayer_account: source.account,
			binding: Binding::PeerKey(source.key.0),
			payment: payment.map(|wallet| PaymentTerms {
				session: wallet.session(),
				vouchers: true,
				terms: TERMS,
				max_price_per_gb: 10_000_000,
				max_face_value: 1_000_000,
			}),
			head: io.block(),
			latest_start_ms: unix_ms(io.now()) + MAX_AHEAD_OF_VIEWER_MS,
			resume,
			follow: match self.taste.samples {
				true => Follow::Announcements,
				false => Follow::Windows,
			},
		}))
	}

	/// Tries the next one.
	fn next(&mut self, io: &mut Io<'_>) {
		if io.has(Bug::NoRest) {
			self.roster.never_rest();
		}
		loop {
			match self.roster.next(io.now()) {
				Next::Try(node) => {
					let conn = io.call(node);
					self.phase = Phase::Calling(conn, node);
					return;
				},
				Next::Wait(until) => {
					self.phase = Phase::Resting(until);
					self.arm(until, io);
					return;
				},
				Next::GoLive => {
					io.audit.note(io.node, "goes on live", 0, 0);
					self.got.push_back(Got::Skipped);
					self.resume = None;
				},
				Next::Nobody => {
					io.audit.note(io.node, "has nobody left", 0, 0);
					self.phase = Phase::Over;
					return;
				},
			}
		}
	}

	fn arm(&mut self, at: Micros, io: &mut Io<'_>) {
		if at < self.armed || self.armed <= io.now() {
			self.armed = at;
			io.wake(None, at);
		}
	}

	fn opened(&mut self, conn: ConnId, io: &mut Io<'_>) {
		let Phase::Calling(_, peer) = self.phase else { return };
		if io.has(Bug::ForgetPlace) {
			self.resume = None;
		}
		if io.has(Bug::OldPlace) {
			self.resume = self.recent.front().cloned();
		}
		let resume = match self.taste.samples {
			true => None,
			false => self.resume.clone(),
		};
		let have = resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		let mut patience = Patience::new(0, have, io.time());
		if have.is_some() {
			patience.status(&self.standing, io.time());
		}
		let Some(mut session) = self.session(peer, resume, io) else {
			return;
		};
		if !self.taste.player {
			// Whoever is served needs each of them.
			session.wait_for_all();
		}
		let mut watch = Watch {
			conn,
			peer,
			session,
			bodies: BTreeMap::new(),
			waiting: Vec::new(),
			patience,
			begins_live: have.is_none(),
			served: false,
			bugs: Unchecked::default(),
		};
		watch.flush(io);
		self.phase = Phase::Watching(Box::new(watch));
		self.judge(io);
	}

	/// The attempt is over.
	fn over(&mut self, ending: Ending, io: &mut Io<'_>) {
		let (peer, served, conn) = match &self.phase {
			Phase::Watching(watch) => (watch.peer, watch.served, watch.conn),
			Phase::Calling(conn, peer) => (*peer, false, *conn),
			_ => return,
		};
		io.audit
			.note(io.node, "leaves node, for ending", peer.0.into(), ending as u64);
		io.close(conn);
		self.hang_up_question(io);
		// An upstream that is there, and never brings what follows, has begun anew.
		self.fruitless = match served {
			true => 0,
			false if matches!(self.phase, Phase::Watching(_)) => self.fruitless + 1,
			false => self.fruitless,
		};
		if !self.taste.player && self.fruitless >= MAX_FRUITLESS {
			self.resume = None;
			self.got.push_back(Got::Skipped);
		}
		self.roster.report(peer, ending, served, io.now());
		if ending == Ending::Failed {
			io.audit.failed(io.node, peer);
		}
		self.next(io);
	}

	fn hang_up_question(&mut self, io: &mut Io<'_>) {
		if let Some((conn, ..)) = self.question.take() {
			io.close(conn);
		}
	}

	/// Why no window comes, and what follows from it.
	fn judge(&mut self, io: &mut Io<'_>) {
		let Phase::Watching(watch) = &self.phase else { return };
		let stall = Duration::from_micros(self.taste.stall);
		match watch.patience.judge(&self.standing, stall, io.time()) {
			Ok((silence, until)) => {
				let peer = watch.peer;
				if silence == Silence::Absence && self.taste.player {
					self.ask(peer, io);
				}
				self.arm(until.as_micros() as Micros + 1, io);
			},
			Err(_) if io.has(Bug::NoPatience) => self.arm(io.now() + SECOND, io),
			Err(_) => self.over(Ending::Failed, io),
		}
	}

	/// Asks another one, whether it knows more of the broadcaster.
	fn ask(&mut self, than: NodeId, io: &mut Io<'_>) {
		let now = io.now();
		if self.question.as_ref().is_some_and(|(.., until)| *until <= now) {
			self.hang_up_question(io);
		}
		if self.question.is_some() || now < self.asked.1 {
			return;
		}
		let others = self.roster.others(than, now);
		let Some(other) = others.get(self.asked.0 % others.len().max(1)).copied() else {
			return;
		};
		self.asked = (self.asked.0 + 1, now + ASK);
		let conn = io.call(other);
		self.question = Some((conn, other, None, now + ASK));
	}

	fn on_question(&mut self, input: Input, io: &mut Io<'_>) {
		let Some((conn, other, session, _)) = self.question.take() else {
			return;
		};
		let (until, mut session) = (io.now() + ASK, session);
		match input {
			Input::Opened(_) => session = self.session(other, self.resume.clone(), io).map(Box::new),
			Input::Frame(_, frame) => {
				if let Some(session) = &mut session {
					let _ = session.handle(&frame);
				}
			},
			Input::Gone(_) => return,
			_ => {},
		}
		let mut knows_more = false;
		if let Some(session) = &mut session {
			while let Some(event) = session.poll_event() {
				match event {
					Event::Challenged(challenge) => {
						if let Some(wallet) = &mut self.wallet {
							session.subscribe(wallet.purse().subscribe(challenge));
						}
					},
					Event::Status(status) => {
						let news = self.standing.note_status(&status, io.time());
						knows_more |= news && self.standing.holds(io.time());
					},
					Event::Window(_) => knows_more = true,
					_ => {},
				}
			}
			while let Some(frame) = session.poll_transmit() {
				io.frame(conn, frame);
			}
		}
		self.question = Some((conn, other, session, until));
		if knows_more {
			self.over(Ending::Failed, io);
		}
	}

	/// Takes what a connection that is watched brings.
	fn exchange(&mut self, input: Input, io: &mut Io<'_>) {
		let (Phase::Watching(watch) | Phase::Settling(watch, _)) = &mut self.phase else {
			return;
		};
		watch.session.set_head(io.block());
		watch
			.session
			.set_latest_start(unix_ms(io.now()) + MAX_AHEAD_OF_VIEWER_MS);
		let took = match input {
			Input::Frame(_, frame) => {
				watch.patience.hear(io.time());
				if io.has(Bug::PayUnchecked) {
					pay_unchecked(watch, self.wallet.as_deref_mut(), &frame, io);
				}
				watch.session.handle(&frame).and_then(|()| watch.begin_waiting())
			},
			Input::Chunk(_, body, prefix, data, last) => {
				if io.has(Bug::PlayUnverified) {
					play_unverified(watch, body, &prefix, &data, io);
				}
				let took = watch.chunk(body, prefix, data, last);
				io.audit.bound(io.node, "streams wait", watch.waiting.len(), MAX_BODIES);
				took
			},
			_ => Ok(()),
		};
		// What was verified ahead of the fault comes first.
		let ended = self.events(io);
		if let Err(fault) = took {
			return self.on_fault(&fault, io);
		}
		if let Some(ending) = ended {
			return self.over(ending, io);
		}
		let settled = match &mut self.phase {
			Phase::Watching(watch) => {
				watch.flush(io);
				false
			},
			Phase::Settling(watch, _) => {
				watch.flush(io);
				!watch.session.owes()
			},
			_ => false,
		};
		match settled {
			true => self.done(io),
			false => self.judge(io),
		}
	}

	/// Hangs up for good.
	fn done(&mut self, io: &mut Io<'_>) {
		if let Phase::Settling(watch, _) = &self.phase {
			io.close(watch.conn);
		}
		self.hang_up_question(io);
		self.phase = Phase::Over;
	}

	fn on_fault(&mut self, fault: &Fault, io: &mut Io<'_>) {
		let (Phase::Watching(watch) | Phase::Settling(watch, _)) = &self.phase else {
			return;
		};
		let peer = watch.peer;
		let refused = matches!(
			fault,
			Fault::PriceTooHigh { .. }
				| Fault::FaceValue { .. }
				| Fault::PaymentAsked
				| Fault::VouchersAsked
				| Fault::WrongRecipient { .. }
				| Fault::Unpayable(_)
		);
		let ending = match (refused, fault.may_be_honest()) {
			(true, _) => Ending::Refused,
			(false, true) => Ending::Failed,
			(false, false) => {
				if self.taste.player {
					io.audit.caught(io.node, peer);
				}
				Ending::Fault
			},
		};
		if matches!(self.phase, Phase::Settling(..)) {
			return self.done(io);
		}
		// A relayer has no other upstream, and tries it again.
		let forgives = !self.taste.player || io.has(Bug::ForgiveFaults);
		self.over(if forgives { Ending::Failed } else { ending }, io);
	}

	/// What the session tells; how the attempt ended, where it did.
	fn events(&mut self, io: &mut Io<'_>) -> Option<Ending> {
		let settles = matches!(self.phase, Phase::Settling(..));
		loop {
			let (Phase::Watching(watch) | Phase::Settling(watch, _)) = &mut self.phase else {
				return None;
			};
			let event = watch.session.poll_event()?;
			let time = io.time();
			match event {
				Event::Challenged(challenge) => {
					if let Some(wallet) = &mut self.wallet {
						watch.session.subscribe(wallet.purse().subscribe(challenge));
					}
				},
				Event::Status(status) => {
					self.standing.note_status(&status, time);
					watch.patience.status(&self.standing, time);
					self.got.push_back(Got::Status(status));
				},
				Event::Waiting => watch.patience.answer(time),
				Event::Terms(Some(terms)) => {
					if let (Some(wallet), clustercast_protocol::PaymentMode::Vouchers { newest: Some(newest) }) =
						(&mut self.wallet, &terms.mode)
					{
						if wallet.purse().adopt(newest).is_err() {
							return Some(Ending::Refused);
						}
					}
					watch.bugs.terms = Some(terms);
				},
				Event::Window(window) if !settles => {
					let is_old = !self.standing.is_live_within(window.header(), time, OLDEST_START_MS);
					if self.taste.player && watch.begins_live && !watch.served && is_old {
						return Some(Ending::Failed);
					}
					self.standing.note_header(window.header());
					watch.patience.window(window.header(), &self.standing, time);
					watch.served = true;
					let last = Resume::after(&window);
					self.recent.push_back(last.clone());
					// A restart begins so far behind the last window.
					while self.recent.len() > 8 {
						self.recent.pop_front();
					}
					self.position = self.recent.front().cloned();
					self.resume = Some(last);
					self.got.push_back(Got::Window(window));
				},
				Event::Announced(of) if self.taste.samples && !settles => {
					self.standing.note_header(of.header());
					watch.patience.window(of.header(), &self.standing, time);
					watch.served = true;
					let chunks = of.header().chunks;
					let first = io.rng.gen_range(0..chunks);
					let mut range = of.range();
					(range.first, range.count) = (first, io.rng.gen_range(1..=chunks - first));
					let within_ms = io.rng.gen_range(100..3_000);
					watch.session.fetch(Fetch { range, within_ms });
					if io.rng.gen_ratio(1, 4) {
						watch.session.cancel(range);
					}
				},
				Event::Chunks(chunks) => io.audit.sampled(io.node, &chunks.range(), chunks.data()),
				Event::Skipped(_) => self.got.push_back(Got::Skipped),
				Event::PaymentDue(due) => {
					if io.has(Bug::PayUnchecked) {
						continue;
					}
					if !pay(
						watch,
						self.wallet.as_deref_mut(),
						&mut self.paid_last,
						self.taste.conduct,
						&due,
						io,
					) {
						return Some(Ending::Refused);
					}
				},
				Event::Paid(_) => self.refused = None,
				Event::Ended(reason) => {
					let ending = self.on_end(reason);
					if self.resume.is_none() {
						self.got.push_back(Got::Skipped);
					}
					return Some(ending);
				},
				Event::Window(_)
				| Event::Announced(_)
				| Event::Seats(_)
				| Event::Route(_)
				| Event::Others(_)
				| Event::Terms(None)
				| Event::Catalog(_)
				| Event::Init(_)
				| Event::Progress(_)
				| Event::Lacks(_)
				| Event::Covered(_)
				| Event::Reserved(_) => {},
			}
		}
	}

	/// What a relayer's reason means: the rows of `player/src/refusal.rs` that come here.
	fn on_end(&mut self, reason: EndReason) -> Ending {
		let again = self.refused.replace(reason) == Some(reason);
		match reason {
			EndReason::WindowGone if !self.taste.player => {
				self.resume = None;
				Ending::Failed
			},
			EndReason::WindowGone => Ending::Gone,
			_ if !self.taste.player || reason.is_own() => Ending::Failed,
			EndReason::Finished | EndReason::NotServed | EndReason::Full => Ending::Failed,
			EndReason::Idle | EndReason::Replaced | EndReason::PriceRose => Ending::Failed,
			EndReason::ReservationNeeded | EndReason::SeatsTaken if again => Ending::Later,
			EndReason::IdleLately(_) => Ending::Later,
			EndReason::TicketRefused(TicketError::Chain(TicketRefusal::Expired | TicketRefusal::ExpiryTooFar))
				if again =>
			{
				Ending::Later
			},
			EndReason::NotAllowed | EndReason::PaymentRequired | EndReason::WrongChain => Ending::Refused,
			_ if again && self.taste.conduct == Conduct::Honest => Ending::Refused,
			_ => Ending::Failed,
		}
	}
}

impl Intake for Single {
	fn start(&mut self, io: &mut Io<'_>) {
		self.next(io);
	}

	fn has(&self, conn: ConnId) -> bool {
		let own = match &self.phase {
			Phase::Calling(own, _) => *own == conn,
			Phase::Watching(watch) | Phase::Settling(watch, _) => watch.conn == conn,
			Phase::Resting(_) | Phase::Over => false,
		};
		own || self.question.as_ref().is_some_and(|(own, ..)| *own == conn)
	}

	fn on(&mut self, input: Input, io: &mut Io<'_>) {
		let of = match &input {
			Input::Opened(conn) | Input::Gone(conn) | Input::Frame(conn, _) | Input::Chunk(conn, ..) => Some(*conn),
			_ => None,
		};
		if of.is_some() && self.question.as_ref().map(|(conn, ..)| *conn) == of {
			return self.on_question(input, io);
		}
		match input {
			Input::Opened(conn) => self.opened(conn, io),
			Input::Gone(_) => match &self.phase {
				Phase::Settling(..) => self.done(io),
				_ if io.has(Bug::NoReturn) && !self.taste.player => self.phase = Phase::Over,
				_ => self.over(Ending::Failed, io),
			},
			Input::Wake(None) => match &self.phase {
				Phase::Resting(until) if *until <= io.now() => self.next(io),
				Phase::Resting(until) => {
					let until = *until;
					self.arm(until, io);
				},
				Phase::Settling(_, until) if *until <= io.now() => self.done(io),
				_ => self.judge(io),
			},
			input => self.exchange(input, io),
		}
	}

	fn poll(&mut self) -> Option<Got> {
		self.got.pop_front()
	}

	fn leave(&mut self, io: &mut Io<'_>) {
		match std::mem::replace(&mut self.phase, Phase::Over) {
			Phase::Watching(mut watch) => {
				watch.session.leave();
				watch.flush(io);
				let until = io.now() + SETTLE;
				self.phase = Phase::Settling(watch, until);
				io.wake(None, until);
			},
			Phase::Calling(conn, _) => io.close(conn),
			Phase::Settling(..) | Phase::Resting(_) | Phase::Over => {},
		}
	}
}

impl Watch {
	fn flush(&mut self, io: &mut Io<'_>) {
		while let Some(frame) = self.session.poll_transmit() {
			let kind = frame.get(PREFIX_BYTES - 1).copied();
			if io.has(Bug::PayTwice) && kind == Some(Kind::Ticket as u8) {
				io.frame(self.conn, frame.clone());
			}
			io.frame(self.conn, frame);
		}
	}

	fn chunk(&mut self, body: BodyNo, prefix: Bytes, data: Bytes, last: bool) -> Result<(), Fault> {
		if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.body == body) {
			waiting.chunks.push((data, last));
			return Ok(());
		}
		let id = match self.bodies.get(&body) {
			Some(id) => *id,
			None => match self.session.begin_chunks(&begin(&prefix))? {
				Taken::As(id) => {
					self.bodies.insert(body, id);
					id
				},
				Taken::NotYet => {
					let chunks = vec![(data, last)];
					self.waiting.push(Waiting { body, prefix, chunks });
					return Ok(());
				},
			},
		};
		self.session.chunks(id, &data)?;
		if last {
			self.bodies.remove(&body);
			self.session.end_chunks(id, true)?;
		}
		Ok(())
	}

	/// Some may be announced by now.
	fn begin_waiting(&mut self) -> Result<(), Fault> {
		for Waiting { body, prefix, chunks } in std::mem::take(&mut self.waiting) {
			for (data, last) in chunks {
				self.chunk(body, prefix.clone(), data, last)?;
			}
		}
		Ok(())
	}
}

fn begin(prefix: &Bytes) -> [u8; RANGE_BYTES] {
	let mut begin = [0; RANGE_BYTES];
	let length = prefix.len().min(RANGE_BYTES);
	begin[..length].copy_from_slice(&prefix[..length]);
	begin
}

/// Pays what is due, as this node does; `false` where it cannot.
fn pay(
	watch: &mut Watch,
	wallet: Option<&mut Wallet>,
	before: &mut Option<Payment>,
	conduct: Conduct,
	due: &Due,
	io: &Io<'_>,
) -> bool {
	let Some(wallet) = wallet else { return false };
	if conduct == Conduct::NeverPays {
		return true;
	}
	let Ok(payment) = wallet.pay(due, io) else { return false };
	let payment = match (conduct, payment) {
		(Conduct::Forges, Payment::Ticket(mut ticket)) => {
			ticket.message.win_probability /= 2;
			Payment::Ticket(ticket)
		},
		(Conduct::Forges, Payment::Voucher(mut voucher)) => {
			voucher.message.amount += 1;
			Payment::Voucher(voucher)
		},
		(Conduct::Replays, payment) => before.replace(payment.clone()).unwrap_or(payment),
		(_, payment) => payment,
	};
	// Refused only where a fault was found meanwhile.
	let _ = watch.session.pay(due, payment);
	true
}

/// The bug: a receipt is paid as it comes.
fn pay_unchecked(watch: &mut Watch, wallet: Option<&mut Wallet>, frame: &[u8], io: &mut Io<'_>) {
	let (Some(terms), Some(wallet)) = (&watch.bugs.terms, wallet) else {
		return;
	};
	let Ok(Some(ToViewer::Receipt(signed, _))) = AnswerDecoder::default().poll(&mut &frame[..]) else {
		return;
	};
	let receipt = signed.message;
	let Ok(Some(share)) = watch.bugs.meter.charge(receipt.bytes, receipt.price, &terms.mode) else {
		return;
	};
	let due = Due {
		recipient: terms.recipient,
		window: WindowId {
			stream: receipt.stream,
			..WindowId::default()
		},
		kind: receipt.kind,
		context: receipt.context,
		terms: terms.counter,
		price_per_gb: receipt.price,
		commitment: receipt.commitment,
		share,
	};
	if let Ok(payment) = wallet.pay(&due, io) {
		let message = match payment {
			Payment::Ticket(ticket) => ToRelayer::Ticket(ticket),
			Payment::Voucher(voucher) => ToRelayer::Voucher(due.commitment, voucher),
		};
		io.frame(watch.conn, message.to_frame());
	}
}

/// The bug: chunks are played as they come.
fn play_unverified(watch: &mut Watch, body: BodyNo, prefix: &Bytes, data: &[u8], io: &mut Io<'_>) {
	let played = watch.bugs.played.entry(body).or_default();
	let mut range = read_range(&begin(prefix));
	(range.first, range.count) = (range.first + *played, 1);
	*played += 1;
	if !data.is_empty() {
		io.audit.sampled(io.node, &range, data);
	}
}
