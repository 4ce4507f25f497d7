//! Several sources at once: what `player/src/{failover,subscription,swarming,crew}.rs` do around the machines of `protocol::swarm`, which
//! decide.

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
use clustercast_primitives::{crypto::sha256, Hash, PublicKey};
use clustercast_protocol::{
	swarm::{Action, Offer, Playhead, SourceId, Stage, Swarm},
	viewer::Event,
	EndReason, Fault, Fetch, Follow, Patience, Payment, PaymentMode, Range, Resume, Silence, Standing, ViewerSession,
};
use std::{
	collections::{BTreeMap, VecDeque},
	sync::Arc,
	time::Duration,
};

/// How long standbys may take to show which of them brings what a lost parent does not.
const INTERREGNUM: Micros = 2 * SECOND;

/// How long who is left may take to hear the last word.
const FAREWELL: Micros = SECOND;

/// Sources at a time at most: those that stay, those that are called where nobody brings anything, and who came before of these.
const MOST: usize = 16;

/// Windows that a player with a bug goes back.
const REWIND: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct Several {
	taste: Taste,
	sources: Arc<Vec<Source>>,
	stream_key: PublicKey,
	roster: Roster,
	wallet: Option<Box<Wallet>>,
	standing: Standing,
	/// Behind the last window that is out.
	resume: Option<Resume>,
	/// What a player with a bug goes on behind.
	recent: VecDeque<Resume>,
	swarm: Swarm,
	stage: Stage<NodeId>,
	playhead: Playhead,
	next: u32,
	links: BTreeMap<ConnId, Box<Link>>,
	/// Those that are left, and until when they are waited for.
	parting: BTreeMap<ConnId, (Box<Link>, Micros)>,
	/// Who is called.
	calls: BTreeMap<ConnId, NodeId>,
	parent: Option<ConnId>,
	patience: Patience,
	begins_live: bool,
	/// The parent has brought a window.
	served: bool,
	/// Until then standbys show who is the next parent.
	interregnum: Option<Micros>,
	rests: Option<Micros>,
	question: Question,
	refusals: Refusals,
	paid_last: Option<Payment>,
	got: VecDeque<Got>,
	armed: Micros,
	/// Wants no more, and pays until then.
	settles: Option<Micros>,
	over: bool,
}

#[derive(Debug)]
struct Link {
	id: SourceId,
	watch: Watch,
	/// It did nothing wrong, and is paid before it is left.
	leaves: bool,
}

impl Several {
	/// From these sources.
	pub fn new(
		taste: Taste,
		sources: Arc<Vec<Source>>,
		order: Vec<NodeId>,
		stream_key: PublicKey,
		wallet: Option<Wallet>,
	) -> Self {
		Self {
			roster: Roster::new(order, taste.rest),
			swarm: Swarm::new(taste.standbys),
			taste,
			sources,
			stream_key,
			wallet: wallet.map(Box::new),
			standing: Standing::default(),
			resume: None,
			recent: VecDeque::new(),
			stage: Stage::default(),
			playhead: Playhead::default(),
			next: 0,
			links: BTreeMap::new(),
			parting: BTreeMap::new(),
			calls: BTreeMap::new(),
			parent: None,
			patience: Patience::new(0, None, Duration::ZERO),
			begins_live: true,
			served: false,
			interregnum: None,
			rests: None,
			question: Question::default(),
			refusals: Refusals::default(),
			paid_last: None,
			got: VecDeque::new(),
			armed: Micros::MAX,
			settles: None,
			over: false,
		}
	}

	/// Whom windows come from by themselves.
	pub fn parent(&self) -> Option<NodeId> {
		Some(self.links.get(&self.parent?)?.watch.peer)
	}

	fn source(&self, node: NodeId) -> Option<Source> {
		self.sources.iter().find(|source| source.node == node).copied()
	}

	fn session(&self, peer: NodeId, follow: Follow, io: &Io<'_>) -> Option<ViewerSession> {
		let (source, wallet) = (self.source(peer)?, self.wallet.as_deref());
		Some(watch::session(
			source,
			self.stream_key,
			wallet,
			self.resume.clone(),
			follow,
			io,
		))
	}

	fn call(&mut self, node: NodeId, io: &mut Io<'_>) {
		let conn = io.call(node);
		self.calls.insert(conn, node);
		let sources = self.calls.len() + self.links.len();
		io.audit.bound(io.node, "sources are called or watched", sources, MOST);
	}

	/// A call was answered: who is missing a parent has one, the others have a standby.
	fn opened(&mut self, conn: ConnId, io: &mut Io<'_>) {
		let Some(node) = self.calls.remove(&conn) else { return };
		if self.resume.is_some() && io.has(Bug::ForgetPlace) {
			self.resume = None;
		}
		if let Some(old) = self.recent.front().filter(|_| io.has(Bug::OldPlace)).cloned() {
			self.stage = Stage::behind(Some(old.id));
			self.resume = Some(old);
		}
		let appointed = self.parent.is_none() && self.interregnum.is_none();
		let follow = match appointed || self.swarm.is_overdue(io.time()) {
			true => Follow::Windows,
			false => Follow::Announcements,
		};
		let (Some(session), Some(source)) = (self.session(node, follow, io), self.source(node)) else {
			return;
		};
		self.next += 1;
		let (id, now) = (SourceId(self.next), io.time());
		let hash = sha256(&[&io.node.0.to_le_bytes(), &source.key.0]).0;
		let tie = hash.iter().take(8).fold(0, |tie, byte| tie << 8 | u64::from(*byte));
		self.swarm
			.join(id, clustercast_protocol::swarm::Source::new(source.price, tie), now);
		self.swarm.called(true, now);
		let watch = Watch::new(conn, node, session);
		let leaves = false;
		self.links.insert(conn, Box::new(Link { id, watch, leaves }));
		if appointed {
			self.appoint(conn, io);
		}
	}

	/// This one sends windows from now on.
	fn appoint(&mut self, conn: ConnId, io: &mut Io<'_>) {
		let Some(link) = self.links.get_mut(&conn) else { return };
		if self.resume.is_some() {
			io.reparents();
		}
		link.watch.session.follow(Follow::Windows);
		self.swarm.appoint(link.id, io.time());
		let have = self.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		(self.parent, self.interregnum) = (Some(conn), None);
		(self.begins_live, self.served) = (have.is_none(), false);
		self.patience = Patience::new(0, have, io.time());
		if have.is_some() {
			self.patience.status(&self.standing, io.time());
		}
	}

	/// A source is none any more.
	fn lose(&mut self, conn: ConnId, ending: Option<Ending>, io: &mut Io<'_>) {
		let Some(mut link) = self.links.remove(&conn) else {
			return;
		};
		let (peer, is_parent) = (link.watch.peer, self.parent == Some(conn));
		io.audit.note(
			io.node,
			"leaves node, for ending",
			peer.0.into(),
			ending.map_or(9, |e| e as u64),
		);
		let now = io.time();
		self.salvage(&mut link);
		self.swarm.leave(link.id, now);
		self.gather(now);
		let patience = match ending {
			// Who did nothing wrong is paid what it brought.
			None => {
				link.watch.session.leave();
				link.leaves = true;
				SETTLE
			},
			Some(_) => FAREWELL,
		};
		self.parting.insert(conn, (link, io.now() + patience));
		if is_parent {
			self.question.hang_up(io);
			self.parent = None;
			self.interregnum = (!self.links.is_empty()).then(|| io.now() + INTERREGNUM);
		}
		if let Some(ending) = ending {
			self.roster.report(peer, ending, is_parent && self.served, io.now());
			if ending == Ending::Failed {
				io.audit.failed(io.node, peer);
			}
		}
	}

	/// Says the last words, and hangs up.
	fn see_off(&mut self, io: &mut Io<'_>) {
		let mut over = Vec::new();
		for (conn, (link, until)) in &mut self.parting {
			link.watch.flush(io);
			let told = io.net.frames_ahead(*conn, io.node) == 0;
			let owes = link.watch.session.owes() && link.watch.session.fault().is_none() && link.leaves;
			if told && !owes || io.now() >= *until {
				over.push(*conn);
			}
		}
		for conn in over {
			self.parting.remove(&conn);
			io.close(conn);
		}
		if let Some(until) = self.parting.values().map(|(_, until)| *until).min() {
			self.arm(until, io);
		}
	}

	/// Takes what comes from one that is left: what it brought is paid.
	fn exchange_last(&mut self, conn: ConnId, input: Input, io: &mut Io<'_>) {
		let Some((mut link, until)) = self.parting.remove(&conn) else {
			return;
		};
		link.watch.refresh(io);
		let took = match input {
			Input::Frame(_, frame) => link.watch.frame(&frame, self.wallet.as_deref_mut(), io),
			Input::Chunk(_, body, prefix, data, last) => link.watch.arrive(body, prefix, data, last, io),
			_ => Ok(()),
		};
		let mut good = took.is_ok();
		while let Some(event) = link.watch.session.poll_event() {
			match event {
				Event::PaymentDue(due) if !io.has(Bug::PayUnchecked) => {
					let (wallet, before) = (self.wallet.as_deref_mut(), &mut self.paid_last);
					good &= watch::pay(&mut link.watch, wallet, before, self.taste.conduct, &due, io);
				},
				Event::Ended(_) => good = false,
				_ => {},
			}
		}
		match good {
			true => drop(self.parting.insert(conn, (link, until))),
			false => io.close(conn),
		}
	}

	/// Keeps what a source brought of windows that are not whole.
	fn salvage(&mut self, link: &mut Link) {
		let open: Vec<Hash> = self.stage.open().collect();
		for header in open {
			for chunks in link.watch.session.partial(&header) {
				self.stage.put(&link.watch.peer, &chunks);
			}
		}
	}

	/// Puts together all that is here of windows that are not whole, and tells the swarm what is not.
	fn gather(&mut self, now: Duration) {
		let mut links = std::mem::take(&mut self.links);
		links.values_mut().for_each(|link| self.salvage(link));
		self.links = links;
		let open: Vec<Hash> = self.stage.open().collect();
		for header in open {
			self.swarm.lost(&header, &self.stage.missing(&header), now);
		}
	}

	fn find(&mut self, id: SourceId) -> Option<&mut Link> {
		self.links.values_mut().find(|link| link.id == id).map(Box::as_mut)
	}

	fn forgo(&mut self, header: &Hash) {
		self.links
			.values_mut()
			.for_each(|link| link.watch.session.forgo(header));
	}

	/// Begins anew with the newest window.
	fn go_live(&mut self, io: &mut Io<'_>) {
		io.audit.note(io.node, "goes on live", 0, 0);
		self.got.push_back(Got::Skipped);
		for conn in std::mem::take(&mut self.links).into_keys() {
			io.close(conn);
		}
		for conn in std::mem::take(&mut self.calls).into_keys() {
			io.close(conn);
		}
		(self.resume, self.parent, self.interregnum) = (None, None, None);
		(self.swarm, self.stage, self.playhead) =
			(Swarm::new(self.taste.standbys), Stage::default(), Playhead::default());
	}

	/// Whoever is called already, or watched from.
	fn in_use(&self) -> Vec<NodeId> {
		let links = self.links.values().map(|link| link.watch.peer);
		let parting = self.parting.values().map(|(link, _)| link.watch.peer);
		links.chain(parting).chain(self.calls.values().copied()).collect()
	}

	/// Hands out what is whole, and does what the swarm has decided.
	fn perform(&mut self, io: &mut Io<'_>) {
		loop {
			while let Some((window, _)) = self.stage.pop() {
				self.forgo(&window.hash());
				self.standing.note_header(window.header());
				let last = Resume::after(&window);
				if self.parent.is_some() {
					let have = (last.id.epoch, last.history.count());
					self.patience.reached(have, &self.standing, io.time());
				}
				if io.has(Bug::OldPlace) {
					self.recent.push_back(last.clone());
					self.recent.drain(..self.recent.len().saturating_sub(REWIND));
				}
				self.resume = Some(last);
				self.got.push_back(Got::Window(window));
			}
			let now = io.time();
			for (id, header) in self.stage.take_passed() {
				self.swarm.pass_over(id, now);
				self.forgo(&header);
			}
			let Some(action) = self.swarm.poll_action() else {
				return;
			};
			match action {
				Action::Fetch { source, range, within } => self.fetch(source, range, within, now),
				Action::Cancel { source, range } => {
					if let Some(link) = self.find(source) {
						link.watch.session.cancel(range);
					}
				},
				Action::Whole => self.gather(now),
				Action::Promote(_) | Action::Call if io.has(Bug::StayWithParent) && self.parent.is_some() => {},
				Action::Call if io.has(Bug::CallEverybody) => {
					while let Some(node) = self.roster.standby(&self.in_use(), io.now()) {
						self.call(node, io);
					}
				},
				Action::Promote(id) => {
					let Some((conn, peer)) = self.find(id).map(|link| (link.watch.conn, link.watch.peer)) else {
						continue;
					};
					io.audit.note(io.node, "makes parent of node", peer.0.into(), 0);
					if io.has(Bug::ForgetStage) {
						self.stage = Stage::behind(self.resume.as_ref().map(|last| last.id));
					}
					if let Some(before) = self.parent.and_then(|before| self.links.get_mut(&before)) {
						before.watch.session.follow(Follow::Announcements);
					}
					self.appoint(conn, io);
				},
				Action::Replace(id) => {
					let ending = match self.swarm.announces(id, now) {
						true => Ending::Short,
						false => Ending::Failed,
					};
					if let Some(conn) = self.find(id).map(|link| link.watch.conn) {
						self.lose(conn, Some(ending), io);
					}
				},
				Action::Rest(id) => {
					if let Some(link) = self.find(id) {
						link.watch.session.follow(Follow::Announcements);
					}
				},
				Action::Dismiss(id) => {
					if let Some(conn) = self.find(id).map(|link| link.watch.conn) {
						self.lose(conn, None, io);
					}
				},
				Action::Call => match self.roster.standby(&self.in_use(), io.now()) {
					Some(node) => self.call(node, io),
					None => self.swarm.nobody(now),
				},
				Action::Skip(id) => {
					io.audit.note(io.node, "passes over window", id.segment, 0);
					self.got.push_back(Got::Skipped);
					for header in self.stage.skip(id) {
						self.forgo(&header);
					}
				},
			}
		}
	}

	fn fetch(&mut self, source: SourceId, range: Range, within: Duration, now: Duration) {
		let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
		let fetch = Fetch { range, within_ms };
		let asked = self.find(source).is_some_and(|link| link.watch.session.fetch(fetch));
		if !asked {
			self.swarm.lacks(source, range, now);
		}
	}

	/// Where nobody sends windows: the standby that shows that it can, or whoever is next.
	fn succeed(&mut self, io: &mut Io<'_>) {
		if self.parent.is_some() || self.over {
			return;
		}
		if !self.links.is_empty() {
			let until = *self.interregnum.get_or_insert(io.now() + INTERREGNUM);
			if io.now() >= until {
				let short = |link: &&Link| self.swarm.source(link.id).map_or(u32::MAX, |source| source.shortfall());
				let best = self
					.links
					.values()
					.map(Box::as_ref)
					.min_by_key(short)
					.map(|link| link.watch.conn);
				if let Some(best) = best {
					self.appoint(best, io);
				}
			}
			return;
		}
		self.interregnum = None;
		if !self.calls.is_empty() {
			return;
		}
		if io.has(Bug::NoRest) {
			self.roster.never_rest();
		}
		self.rests = None;
		loop {
			match self.roster.next(io.now()) {
				Next::Try(node) => {
					self.swarm.calling(io.time());
					return self.call(node, io);
				},
				Next::Wait(until) => return self.rests = Some(until),
				Next::GoLive => self.go_live(io),
				Next::Nobody => {
					io.audit.note(io.node, "has nobody left", 0, 0);
					self.over = true;
					return;
				},
			}
		}
	}

	/// Does whatever is due, and sees to being woken.
	fn turn(&mut self, io: &mut Io<'_>) {
		self.see_off(io);
		if self.over {
			return;
		}
		if let Some(until) = self.settles {
			self.flush(io);
			if io.now() >= until || !self.links.values().any(|link| link.watch.session.owes()) {
				self.hang_up(io);
			}
			return;
		}
		loop {
			self.swarm.tick(io.time());
			self.perform(io);
			self.succeed(io);
			let Some(conn) = self.parent else { break };
			let stall = Duration::from_micros(self.taste.stall);
			match self.patience.judge(&self.standing, stall, io.time()) {
				Ok((silence, until)) => {
					self.swarm.status(silence != Silence::None, io.time());
					if silence == Silence::Absence && self.taste.player {
						if let Some(peer) = self.links.get(&conn).map(|link| link.watch.peer) {
							let others = self.roster.others(peer, io.now());
							self.question.ask(&others, io);
						}
					}
					self.arm(until.as_micros() as Micros + 1, io);
					break;
				},
				Err(_) if io.has(Bug::NoPatience) => break self.arm(io.now() + SECOND, io),
				Err(_) => self.lose(conn, Some(Ending::Failed), io),
			}
		}
		self.perform(io);
		self.flush(io);
		self.see_off(io);
		let timeout = self.swarm.poll_timeout(io.time()).filter(|_| !io.has(Bug::DeafToTime));
		let timeout = timeout.map(|at| at.as_micros() as Micros + 1);
		let due = [timeout, self.interregnum, self.rests].into_iter().flatten().min();
		if let Some(due) = due {
			self.arm(due, io);
		}
	}

	fn arm(&mut self, at: Micros, io: &mut Io<'_>) {
		if at < self.armed || self.armed <= io.now() {
			self.armed = at;
			io.wake(None, at);
		}
	}

	fn flush(&mut self, io: &mut Io<'_>) {
		self.links.values_mut().for_each(|link| link.watch.flush(io));
	}

	fn hang_up(&mut self, io: &mut Io<'_>) {
		for conn in std::mem::take(&mut self.links).into_keys() {
			io.close(conn);
		}
		for conn in std::mem::take(&mut self.calls).into_keys() {
			io.close(conn);
		}
		self.question.hang_up(io);
		(self.parent, self.over) = (None, true);
	}

	/// Takes what a source brings.
	fn exchange(&mut self, conn: ConnId, input: Input, io: &mut Io<'_>) {
		let Some(mut link) = self.links.remove(&conn) else {
			return;
		};
		let is_parent = self.parent == Some(conn);
		link.watch.refresh(io);
		let took = match input {
			Input::Frame(_, frame) => {
				if is_parent {
					self.patience.hear(io.time());
				}
				link.watch.frame(&frame, self.wallet.as_deref_mut(), io)
			},
			Input::Chunk(_, body, prefix, data, last) => link.watch.arrive(body, prefix, data, last, io),
			_ => Ok(()),
		};
		// What was verified ahead of the fault comes first.
		let ended = self.events(&mut link, is_parent, io);
		self.links.insert(conn, link);
		match (took, ended) {
			(Err(fault), _) => self.on_fault(conn, &fault, io),
			(Ok(()), Some(ending)) => self.lose(conn, Some(ending), io),
			(Ok(()), None) => {},
		}
	}

	fn on_fault(&mut self, conn: ConnId, fault: &Fault, io: &mut Io<'_>) {
		let ending = watch::ending(fault);
		let peer = self.links.get(&conn).map(|link| link.watch.peer);
		if let Some(peer) = peer.filter(|_| ending == Ending::Fault && self.taste.player) {
			io.audit.caught(io.node, peer);
		}
		// A relayer has few upstreams, and tries each again.
		let forgives = !self.taste.player || io.has(Bug::ForgiveFaults);
		self.lose(conn, Some(if forgives { Ending::Failed } else { ending }), io);
	}

	/// What a session tells; how it ended, where it did.
	fn events(&mut self, link: &mut Link, is_parent: bool, io: &mut Io<'_>) -> Option<Ending> {
		let (id, settles) = (link.id, self.settles.is_some());
		while let Some(event) = link.watch.session.poll_event() {
			let time = io.time();
			match event {
				Event::Challenged(challenge) => {
					if let Some(wallet) = &mut self.wallet {
						link.watch.session.subscribe(wallet.purse().subscribe(challenge));
					}
				},
				Event::Status(status) => {
					self.standing.note_status(&status, time);
					if is_parent {
						self.patience.status(&self.standing, time);
					}
					self.got.push_back(Got::Status(status));
				},
				Event::Waiting if is_parent => self.patience.answer(time),
				Event::Terms(Some(terms)) => {
					if let (Some(wallet), PaymentMode::Vouchers { newest: Some(newest) }) =
						(&mut self.wallet, &terms.mode)
					{
						if wallet.purse().adopt(newest).is_err() {
							return Some(Ending::Refused);
						}
					}
					link.watch.terms = Some(terms);
				},
				Event::Announced(of) if !settles => {
					let of = io.pool.announced(of);
					link.watch.session.share(&of);
					let (header, pushed) = (of.header(), link.watch.session.pushes(&of.hash()));
					let length = Duration::from_millis(header.duration_ms.into());
					let due = self.playhead.see(header.id.epoch, header.start_ms, length, time);
					self.stage.announced(&of);
					if self.resume.as_ref().is_none_or(|last| last.id < of.id()) {
						self.swarm.announced(id, Offer::of(&of), pushed, due, time);
					}
				},
				Event::Progress(range) => drop(self.swarm.progress(id, range, time)),
				Event::Chunks(chunks) => {
					self.stage.put(&link.watch.peer, &chunks);
					self.swarm.ended(id, chunks.range(), time);
				},
				Event::Lacks(range) => self.swarm.lacks(id, range, time),
				Event::Window(window) if !settles => {
					let is_old = !self.standing.is_live_within(window.header(), time, OLDEST_START_MS);
					if self.taste.player && is_parent && self.begins_live && !self.served && is_old {
						return Some(Ending::Failed);
					}
					self.served |= is_parent;
					if io.has(Bug::PlayEarly) {
						self.got.push_back(Got::Window(window));
						continue;
					}
					self.stage.whole(&link.watch.peer, window);
				},
				Event::Skipped(window) => {
					self.salvage(link);
					self.swarm.passed(id, window, time);
				},
				Event::PaymentDue(due) => {
					let wallet = self.wallet.as_deref_mut();
					let paid = io.has(Bug::PayUnchecked)
						|| watch::pay(
							&mut link.watch,
							wallet,
							&mut self.paid_last,
							self.taste.conduct,
							&due,
							io,
						);
					if !paid {
						return Some(Ending::Refused);
					}
				},
				Event::Paid(_) => self.refusals.paid(),
				Event::Ended(reason) => {
					if reason == EndReason::WindowGone && !self.taste.player {
						self.resume = None;
					}
					return Some(self.refusals.ending(reason, &self.taste));
				},
				Event::Waiting
				| Event::Window(_)
				| Event::Announced(_)
				| Event::Seats(_)
				| Event::Route(_)
				| Event::Others(_)
				| Event::Terms(None)
				| Event::Catalog(_)
				| Event::Init(_)
				| Event::Covered(_)
				| Event::Reserved(_) => {},
			}
		}
		None
	}

	fn on_question(&mut self, input: Input, io: &mut Io<'_>) {
		let mut question = std::mem::take(&mut self.question);
		let session = match &input {
			Input::Opened(_) => question
				.whom()
				.and_then(|other| self.session(other, Follow::Windows, io)),
			_ => None,
		};
		let knows_more = question.on(input, session, self.wallet.as_deref_mut(), &mut self.standing, io);
		self.question = question;
		if let Some(parent) = self.parent.filter(|_| knows_more) {
			self.lose(parent, Some(Ending::Failed), io);
		}
	}
}

impl Intake for Several {
	fn start(&mut self, io: &mut Io<'_>) {
		self.turn(io);
	}

	fn has(&self, conn: ConnId) -> bool {
		self.links.contains_key(&conn)
			|| self.parting.contains_key(&conn)
			|| self.calls.contains_key(&conn)
			|| self.question.has(conn)
	}

	fn on(&mut self, input: Input, io: &mut Io<'_>) {
		let of = match &input {
			Input::Opened(conn) | Input::Gone(conn) | Input::Frame(conn, _) | Input::Chunk(conn, ..) => Some(*conn),
			_ => None,
		};
		match (input, of) {
			(input, Some(conn)) if self.question.has(conn) => self.on_question(input, io),
			(Input::Opened(conn), _) => self.opened(conn, io),
			(Input::Gone(conn), _) => match self.calls.remove(&conn) {
				Some(node) => {
					self.roster.report(node, Ending::Failed, false, io.now());
					io.audit.failed(io.node, node);
					self.swarm.called(false, io.time());
				},
				None if self.parting.remove(&conn).is_some() => {},
				None => self.lose(conn, Some(Ending::Failed), io),
			},
			(input, Some(conn)) if self.parting.contains_key(&conn) => self.exchange_last(conn, input, io),
			(input, Some(conn)) => self.exchange(conn, input, io),
			_ => {},
		}
		self.turn(io);
	}

	fn poll(&mut self) -> Option<Got> {
		self.got.pop_front()
	}

	fn leave(&mut self, io: &mut Io<'_>) {
		self.links.values_mut().for_each(|link| link.watch.session.leave());
		let until = io.now() + SETTLE;
		self.settles = Some(until);
		io.wake(None, until);
		self.turn(io);
	}

	fn crash(&mut self, order: Vec<NodeId>) {
		let wallet = self.wallet.take().map(|mut wallet| {
			wallet.reopen();
			*wallet
		});
		*self = Self::new(self.taste, self.sources.clone(), order, self.stream_key, wallet);
	}
}
