//! One session at a time, and the next relayer where it fails: the policy of `player/src/{failover,subscription,opinion}.rs` and
//! `relayer/src/ingest.rs`, whose decisions are `protocol`'s.

use crate::{
	bugs::Bug,
	calendar::{Micros, SECOND},
	intake::{Got, Intake, Source, Taste, OLDEST_START_MS, SETTLE},
	net::{ConnId, Input, NodeId},
	node::Io,
	question::Question,
	roster::{Ending, Next, Refusals, Roster},
	wallet::Wallet,
	watch::{self, Watch},
};
use clustercast_primitives::PublicKey;
use clustercast_protocol::{
	viewer::Event, EndReason, Fault, Fetch, Follow, Patience, Payment, Resume, Silence, Standing, ViewerSession,
};
use rand::Rng;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Connections in a row that served nothing before a relayer asks no more for the window behind the last one.
const MAX_FRUITLESS: u32 = 2;

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
	question: Question,
	refusals: Refusals,
	patience: Patience,
	begins_live: bool,
	/// The one that it watches has brought a window.
	served: bool,
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
			question: Question::default(),
			refusals: Refusals::default(),
			patience: Patience::new(0, None, Duration::ZERO),
			begins_live: true,
			served: false,
			paid_last: None,
			got: VecDeque::new(),
			armed: Micros::MAX,
			fruitless: 0,
			position: None,
		}
	}

	/// Whom windows come from.
	pub fn parent(&self) -> Option<NodeId> {
		match &self.phase {
			Phase::Watching(watch) => Some(watch.peer),
			_ => None,
		}
	}

	fn source(&self, node: NodeId) -> Option<Source> {
		self.sources.iter().find(|source| source.node == node).copied()
	}

	fn session(&self, peer: NodeId, resume: Option<Resume>, io: &Io<'_>) -> Option<ViewerSession> {
		let source = self.source(peer)?;
		let follow = match self.taste.samples {
			true => Follow::Announcements,
			false => Follow::Windows,
		};
		Some(watch::session(
			source,
			self.stream_key,
			self.wallet.as_deref(),
			resume,
			follow,
			io,
		))
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
		let mut watch = Watch::new(conn, peer, session);
		(self.patience, self.begins_live, self.served) = (patience, have.is_none(), false);
		watch.flush(io);
		self.phase = Phase::Watching(Box::new(watch));
		self.judge(io);
	}

	/// The attempt is over.
	fn over(&mut self, ending: Ending, io: &mut Io<'_>) {
		let (peer, served, conn) = match &self.phase {
			Phase::Watching(watch) => (watch.peer, self.served, watch.conn),
			Phase::Calling(conn, peer) => (*peer, false, *conn),
			_ => return,
		};
		io.audit
			.note(io.node, "leaves node, for ending", peer.0.into(), ending as u64);
		io.close(conn);
		self.question.hang_up(io);
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

	/// Why no window comes, and what follows from it.
	fn judge(&mut self, io: &mut Io<'_>) {
		let Phase::Watching(watch) = &self.phase else { return };
		let stall = Duration::from_micros(self.taste.stall);
		match self.patience.judge(&self.standing, stall, io.time()) {
			Ok((silence, until)) => {
				let peer = watch.peer;
				if silence == Silence::Absence && self.taste.player {
					let others = self.roster.others(peer, io.now());
					self.question.ask(&others, io);
				}
				self.arm(until.as_micros() as Micros + 1, io);
			},
			Err(_) if io.has(Bug::NoPatience) => self.arm(io.now() + SECOND, io),
			Err(_) => self.over(Ending::Failed, io),
		}
	}

	fn on_question(&mut self, input: Input, io: &mut Io<'_>) {
		let mut question = std::mem::take(&mut self.question);
		let session = match &input {
			Input::Opened(_) => question
				.whom()
				.and_then(|other| self.session(other, self.resume.clone(), io)),
			_ => None,
		};
		let knows_more = question.on(input, session, self.wallet.as_deref_mut(), &mut self.standing, io);
		self.question = question;
		if knows_more {
			self.over(Ending::Failed, io);
		}
	}

	/// Takes what a connection that is watched brings.
	fn exchange(&mut self, input: Input, io: &mut Io<'_>) {
		let (Phase::Watching(watch) | Phase::Settling(watch, _)) = &mut self.phase else {
			return;
		};
		watch.refresh(io);
		let took = match input {
			Input::Frame(_, frame) => {
				self.patience.hear(io.time());
				watch.frame(&frame, self.wallet.as_deref_mut(), io)
			},
			Input::Chunk(_, body, prefix, data, last) => watch.arrive(body, prefix, data, last, io),
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
		self.question.hang_up(io);
		self.phase = Phase::Over;
	}

	fn on_fault(&mut self, fault: &Fault, io: &mut Io<'_>) {
		let (Phase::Watching(watch) | Phase::Settling(watch, _)) = &self.phase else {
			return;
		};
		let peer = watch.peer;
		let ending = watch::ending(fault);
		if ending == Ending::Fault && self.taste.player {
			io.audit.caught(io.node, peer);
		}
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
					self.patience.status(&self.standing, time);
					self.got.push_back(Got::Status(status));
				},
				Event::Waiting => self.patience.answer(time),
				Event::Terms(Some(terms)) => {
					if let (Some(wallet), clustercast_protocol::PaymentMode::Vouchers { newest: Some(newest) }) =
						(&mut self.wallet, &terms.mode)
					{
						if wallet.purse().adopt(newest).is_err() {
							return Some(Ending::Refused);
						}
					}
					watch.terms = Some(terms);
				},
				Event::Window(window) if !settles => {
					let is_old = !self.standing.is_live_within(window.header(), time, OLDEST_START_MS);
					if self.taste.player && self.begins_live && !self.served && is_old {
						return Some(Ending::Failed);
					}
					self.standing.note_header(window.header());
					self.patience.window(window.header(), &self.standing, time);
					self.served = true;
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
				Event::Announced(of) if !self.taste.samples || settles => {
					let of = io.pool.announced(of);
					watch.session.share(&of);
				},
				Event::Announced(of) => {
					self.standing.note_header(of.header());
					self.patience.window(of.header(), &self.standing, time);
					self.served = true;
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
					if !watch::pay(
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
				Event::Paid(_) => self.refusals.paid(),
				Event::Ended(reason) => {
					let ending = self.on_end(reason);
					if self.resume.is_none() {
						self.got.push_back(Got::Skipped);
					}
					return Some(ending);
				},
				Event::Window(_)
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

	fn on_end(&mut self, reason: EndReason) -> Ending {
		if reason == EndReason::WindowGone && !self.taste.player {
			self.resume = None;
		}
		self.refusals.ending(reason, &self.taste)
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
		own || self.question.has(conn)
	}

	fn on(&mut self, input: Input, io: &mut Io<'_>) {
		let of = match &input {
			Input::Opened(conn) | Input::Gone(conn) | Input::Frame(conn, _) | Input::Chunk(conn, ..) => Some(*conn),
			_ => None,
		};
		if of.is_some_and(|conn| self.question.has(conn)) {
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

	fn crash(&mut self, order: Vec<NodeId>) {
		let wallet = self.wallet.take().map(|mut wallet| {
			wallet.reopen();
			*wallet
		});
		// Players begin live, relayers go on a bit before their place.
		let position = self.position.take().filter(|_| !self.taste.player);
		*self = Self::new(self.taste, self.sources.clone(), order, self.stream_key, wallet);
		self.resume = position;
	}
}
