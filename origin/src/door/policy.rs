//! Who may stay, who is live, who takes over. Sans-IO: bytes and times come in, [`Output`] goes out.
//!
//! ```text
//! stranger --publish with the key--> candidate --no holder, a silent one, or its own key frame--> holder
//!    5 s for the handshake,              |                                                          |
//!    10 s for publish;                   12 s for something to show                                 30 s of silence
//!    one of its stage goes where that
//!    is full (crowd)
//! ```
//!
//! The *holder* is live. A *candidate* has the key and is accepted: what it sends is held back until it is live itself.
//!
//! Nobody is blamed for what this machine missed: time in which it slept counts for nobody, and before anybody is judged what came
//! meanwhile is read.

use super::{
	address::Lock,
	crowd::{room, victim, Member},
	event::{Came, End, Event, Line, Sent, Sound, What},
};
use crate::bucket::Bucket;
use bytes::Bytes;
use clustercast_media::{
	flv::{Content, Tag},
	rtmp::{Event as Said, Metadata, Progress, Session},
};
use rand::rngs::StdRng;
use std::{
	collections::{BTreeMap, VecDeque},
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};

/// From connecting to the end of the handshake.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// From connecting to `publish`.
pub const PUBLISH_LIMIT: Duration = Duration::from_secs(10);

/// From `publish` to the first key frame or sound. Key frames come every 2 s, or 10 s at most.
pub const SHOW_LIMIT: Duration = Duration::from_secs(12);

/// Without a byte for so long a holder cannot keep out another one with the key.
pub const ALIVE: Duration = Duration::from_secs(1);

/// Without a byte for so long a holder is lost.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Two publishers that connect again whenever they are thrown out would take turns for ever; so no living holder is replaced
/// twice within this time.
pub const CALM: Duration = Duration::from_secs(30);

/// How long a candidate waits within [`CALM`] for the holder to fall silent.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Sound alone counts as something to show after this: the picture usually comes sooner.
pub const SOUND_ALONE: Duration = Duration::from_secs(1);

/// Most bytes that are held back of a candidate: two key frames of the largest kind.
const MOST_HELD: usize = 8 * 1024 * 1024;

/// Most tags likewise: sound and pictures of a few seconds.
const MOST_HELD_TAGS: usize = 1024;

/// Longest time between two ticks while anybody is there. With [`OVERSLEPT`] less than [`ALIVE`]: a pause of this machine that could
/// make a peer look silent is noticed.
const PULSE: Duration = Duration::from_millis(250);

/// So much later than it was asked for, a tick says more of this machine than of its peers.
const OVERSLEPT: Duration = Duration::from_millis(250);

/// For so long after that nobody is judged: what came meanwhile is still to be read.
const MERCY: Duration = Duration::from_secs(1);

/// Lines of one kind in a row; then one every [`LINE_PAUSE`].
const LINES: u32 = 10;
const LINE_PAUSE: Duration = Duration::from_secs(6);

/// Between lines about strangers of one kind.
const STRANGERS_PAUSE: Duration = Duration::from_secs(60);

/// Names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

/// When a newcomer has shown that it can replace a living holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
	/// With its first key frame, or sound where there is no picture.
	#[default]
	KeyFrame,
	/// When [`Door::proved`] says so, asked by [`Event::Asks`].
	Decoder,
}

/// Whether what a newcomer sent can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
	/// Something came of it.
	Decodes,
	/// Nothing ever will.
	Undecodable,
	/// This machine could not find out: no fault of the newcomer's, and asked again.
	Unknown,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
	/// Bytes for a peer.
	Send(Id, Bytes),
	/// The end of a connection. Politely: what was sent before is to arrive.
	Close {
		/// Which.
		id: Id,
		/// With FIN, and whatever still comes thrown away.
		politely: bool,
	},
	/// For the broadcast.
	Event(Event),
	/// For the log.
	Line(Line),
}

/// The table of connections.
#[derive(Debug)]
pub struct Door {
	lock: Lock,
	proof: Proof,
	/// What somebody with a wrong key has to do.
	advice: Arc<str>,
	chance: StdRng,
	table: BTreeMap<Id, Connection>,
	connections: u64,
	publishers: u64,
	holder: Option<Id>,
	candidate: Option<Id>,
	/// When a living holder was last replaced.
	replaced: Option<Instant>,
	/// When [`tick`](Self::tick) was last asked for, until something comes.
	planned: Option<Instant>,
	/// When anything last came, or time passed.
	awake: Option<Instant>,
	/// Nobody is judged before.
	mercy: Option<Instant>,
	lines: Lines,
	out: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
	from: SocketAddr,
	session: Session,
	/// It came, or has just stopped to publish.
	since: Instant,
	/// How far it has come, and when it came so far: among whom it stands as long as it is a stranger.
	stage: Progress,
	reached: Instant,
	/// Last byte.
	heard: Instant,
	/// We do not read what it sends.
	withheld: bool,
	publisher: Option<Box<Publisher>>,
}

/// One that has the key.
#[derive(Debug)]
struct Publisher {
	number: u64,
	since: Instant,
	program: Option<String>,
	metadata: Metadata,
	picture_header: Option<Tag>,
	sound_header: Option<Tag>,
	/// A key frame came.
	key: bool,
	/// When sound first came.
	sound: Option<Instant>,
	proved: bool,
	/// Asked whether its pictures can be decoded.
	asked: bool,
	/// It is live, and what it sends goes out at once.
	came: bool,
	/// What came before that: headers stand in fields of their own.
	held: Vec<Tag>,
	held_bytes: usize,
	sent: Sent,
	damaged: bool,
}

impl Publisher {
	fn new(number: u64, program: Option<String>, now: Instant) -> Self {
		Self {
			number,
			since: now,
			program,
			metadata: Metadata::default(),
			picture_header: None,
			sound_header: None,
			key: false,
			sound: None,
			proved: false,
			asked: false,
			came: false,
			held: Vec::new(),
			held_bytes: 0,
			sent: Sent::default(),
			damaged: false,
		}
	}

	/// Whether it has something to show.
	fn shows(&self, now: Instant) -> bool {
		self.key || self.sound.is_some_and(|sound| sound + SOUND_ALONE <= now)
	}

	fn hold(&mut self, tag: Tag, key: bool) {
		let full = self.held_bytes + tag.body.len() > MOST_HELD || self.held.len() >= MOST_HELD_TAGS;
		// The newest key frame is enough to begin with.
		if full || (key && self.key) {
			self.held.clear();
			self.held_bytes = 0;
			self.key = false;
		}
		self.key |= key;
		self.held_bytes += tag.body.len();
		self.held.push(tag);
	}

	fn came(&mut self, from: SocketAddr) -> (Came, Vec<Tag>) {
		self.came = true;
		let sound = self.sound_header.as_ref().map(|tag| match tag.content() {
			Ok(Content::SoundHeader(header)) => Sound::new(&header),
			_ => Sound::new(&[]),
		});
		let came = Came {
			publisher: self.number,
			from,
			encoder: self.metadata.encoder.clone().or(self.program.clone()),
			picture: self.key,
			sound,
			metadata: self.metadata.clone(),
		};
		(came, self.take_held())
	}

	fn take_held(&mut self) -> Vec<Tag> {
		let headers = [self.picture_header.take(), self.sound_header.take()];
		self.held_bytes = 0;
		headers.into_iter().flatten().chain(self.held.drain(..)).collect()
	}
}

impl Door {
	/// Opened by this lock's key. `advice`: what somebody with a wrong one has to do.
	pub fn new(lock: Lock, proof: Proof, advice: impl Into<Arc<str>>, chance: StdRng) -> Self {
		Self {
			lock,
			proof,
			advice: advice.into(),
			chance,
			table: BTreeMap::new(),
			connections: 0,
			publishers: 0,
			holder: None,
			candidate: None,
			replaced: None,
			planned: None,
			awake: None,
			mercy: None,
			lines: Lines::default(),
			out: VecDeque::new(),
		}
	}

	/// What is to be done next.
	pub fn poll(&mut self) -> Option<Output> {
		self.out.pop_front()
	}

	/// Somebody connected.
	pub fn connected(&mut self, from: SocketAddr, now: Instant) -> Id {
		self.wake(now);
		self.make_room_among(Progress::Silent, now);
		self.connections += 1;
		let id = Id(self.connections);
		self.table.insert(
			id,
			Connection {
				from,
				session: Session::default(),
				since: now,
				stage: Progress::Silent,
				reached: now,
				heard: now,
				withheld: false,
				publisher: None,
			},
		);
		id
	}

	/// Sends a stranger away, of those that have come least far: somebody waits for whom there is no file.
	pub fn make_room(&mut self, now: Instant) {
		let stages = [Progress::Silent, Progress::Greeted, Progress::Connected];
		let _ = stages.into_iter().any(|stage| self.send_one_away(stage, now));
	}

	/// For one more at this stage, who is not there yet.
	fn make_room_among(&mut self, stage: Progress, now: Instant) {
		while self.strangers(stage).count() >= room(stage) && self.send_one_away(stage, now) {}
	}

	fn strangers(&self, stage: Progress) -> impl Iterator<Item = Member<Id>> + '_ {
		let strangers = self
			.table
			.iter()
			.filter(move |(_, connection)| connection.publisher.is_none() && connection.stage == stage);
		strangers.map(|(id, connection)| Member {
			id: *id,
			ip: connection.from.ip(),
			since: connection.reached,
		})
	}

	/// Whether there was one.
	fn send_one_away(&mut self, stage: Progress, now: Instant) -> bool {
		let strangers = self.strangers(stage).collect();
		let victim = victim(strangers, &mut self.chance);
		victim.map(|id| self.end(id, End::Crowded, now)).is_some()
	}

	/// A stranger that has come further stands among others who have.
	fn advance(&mut self, id: Id, now: Instant) {
		let advanced = |connection: &&Connection| {
			connection.publisher.is_none() && connection.session.progress() > connection.stage
		};
		let Some(connection) = self.table.get(&id).filter(advanced) else {
			return;
		};
		let stage = connection.session.progress();
		self.make_room_among(stage, now);
		if let Some(connection) = self.table.get_mut(&id) {
			(connection.stage, connection.reached) = (stage, now);
		}
	}

	/// Bytes of a peer.
	pub fn received(&mut self, id: Id, mut bytes: &[u8], now: Instant) {
		self.wake(now);
		loop {
			let Some(connection) = self.table.get_mut(&id) else {
				return;
			};
			connection.heard = now;
			match connection.session.read(&mut bytes) {
				Ok(Some(said)) => self.said(id, said, now),
				Ok(None) => break,
				Err(error) => return self.end(id, End::Fault(error), now),
			}
		}
		self.advance(id, now);
		self.flush(id);
		self.settle(now);
	}

	/// A peer's connection is closed, by itself or by its network.
	pub fn closed(&mut self, id: Id, now: Instant) {
		self.wake(now);
		self.end(id, End::Lost, now);
	}

	/// Whether it is a publisher whose tags go out at once: where there is no room for them it is not to be read.
	pub fn is_live(&self, id: Id) -> bool {
		self.holder == Some(id)
	}

	/// It is not read for a while, and so cannot be silent.
	pub fn withhold(&mut self, id: Id) {
		if let Some(connection) = self.table.get_mut(&id) {
			connection.withheld = true;
		}
	}

	/// It is read again.
	pub fn resume(&mut self, id: Id, now: Instant) {
		if let Some(connection) = self.table.get_mut(&id) {
			connection.withheld = false;
			connection.heard = now;
		}
	}

	/// The answer to [`Event::Asks`].
	pub fn proved(&mut self, publisher: u64, verdict: Verdict, now: Instant) {
		self.wake(now);
		let asked = self.candidate.filter(|id| {
			self.table[id]
				.publisher
				.as_ref()
				.is_some_and(|p| p.number == publisher && p.asked)
		});
		let Some(id) = asked else {
			return;
		};
		if verdict == Verdict::Undecodable {
			return self.end(id, End::Undecodable, now);
		}
		if let Some(publisher) = self.publisher(id) {
			publisher.proved = verdict == Verdict::Decodes;
			publisher.asked = publisher.proved;
		}
		self.settle(now);
	}

	/// The broadcast is over: everybody goes.
	pub fn shut(&mut self, now: Instant) {
		// The candidate first: it is not to become live.
		let ids: Vec<Id> = self.candidate.into_iter().chain(self.table.keys().copied()).collect();
		for id in ids {
			self.end(id, End::Over, now);
		}
	}

	/// When [`tick`](Self::tick) is wanted.
	pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
		let connections = self.table.values().filter_map(|connection| self.judged(connection));
		let holder = self.holder.and_then(|id| self.table.get(&id));
		let candidate = self.candidate.and_then(|id| self.table.get(&id)?.publisher.as_ref());
		let sound = |publisher: &Publisher| {
			publisher
				.sound
				.filter(|_| !publisher.came)
				.map(|sound| sound + SOUND_ALONE)
		};
		let waits = [
			holder.and_then(|holder| sound(holder.publisher.as_ref()?)),
			candidate.and_then(|candidate| sound(candidate)),
			candidate
				.and(holder)
				.map(|holder| self.not_before(holder.heard + ALIVE)),
			candidate.map(|candidate| candidate.since + PATIENCE),
			candidate.and(self.replaced).map(|replaced| replaced + CALM),
		];
		let waits = waits.into_iter().flatten().filter(|at| *at > now);
		let pulse = (!self.table.is_empty()).then_some(now + PULSE);
		self.planned = connections.chain(waits).chain(pulse).min();
		self.planned
	}

	/// Time has passed.
	pub fn tick(&mut self, now: Instant) {
		self.wake(now);
		let is_due = |connection: &Connection| self.judged(connection).is_some_and(|at| at <= now);
		let due: Vec<Id> = self
			.table
			.iter()
			.filter(|(_, c)| is_due(c))
			.map(|(id, _)| *id)
			.collect();
		for id in due {
			// The end of one may have been another's.
			let Some(connection) = self.table.get(&id) else {
				continue;
			};
			let end = match &connection.publisher {
				None => End::Slow {
					shook_hands: connection.session.shook_hands(),
				},
				Some(publisher) if publisher.came => End::Silent(SILENCE_LIMIT),
				Some(publisher) if publisher.shows(now) => End::Unproved,
				Some(publisher) => End::NothingToShow(publisher.sent),
			};
			self.end(id, end, now);
		}
		self.settle(now);
	}

	/// Something comes, or time has passed: whether this machine was awake all the while. If not (stopped, suspended, overloaded), the
	/// time counts for nobody.
	fn wake(&mut self, now: Instant) {
		let slept = self.planned.take().is_some_and(|planned| planned + OVERSLEPT < now);
		let since = self.awake.replace(now).filter(|_| slept);
		let Some(time) = since.map(|since| now.saturating_duration_since(since)) else {
			return;
		};
		self.mercy = Some(now + MERCY);
		for connection in self.table.values_mut() {
			connection.since += time;
			connection.heard += time;
			if let Some(publisher) = &mut connection.publisher {
				publisher.since += time;
			}
		}
	}

	fn not_before(&self, at: Instant) -> Instant {
		self.mercy.map_or(at, |mercy| mercy.max(at))
	}

	/// When it has to be gone, unless something comes.
	fn judged(&self, connection: &Connection) -> Option<Instant> {
		connection.deadline().map(|at| self.not_before(at))
	}

	fn is_silent(&self, id: Id, now: Instant) -> bool {
		let connection = &self.table[&id];
		!connection.withheld && self.not_before(connection.heard + ALIVE) <= now
	}

	fn publisher(&mut self, id: Id) -> Option<&mut Publisher> {
		self.table.get_mut(&id)?.publisher.as_deref_mut()
	}

	fn said(&mut self, id: Id, said: Said, now: Instant) {
		match said {
			Said::Publish { path, program } => {
				if !self.lock.opens(&path) {
					return self.end(id, End::WrongKey(self.advice.clone()), now);
				}
				self.publishers += 1;
				if let Some(connection) = self.table.get_mut(&id) {
					connection.session.accept();
					connection.publisher = Some(Box::new(Publisher::new(self.publishers, program, now)));
				}
				if let Some(other) = self.candidate.replace(id) {
					self.end(other, End::Overtaken, now);
				}
				self.settle(now);
			},
			Said::Metadata(metadata) => {
				if let Some(publisher) = self.publisher(id) {
					publisher.metadata = metadata;
					publisher.sent.metadata = true;
				}
			},
			Said::Tag(tag) => self.tag(id, tag, now),
			Said::Finished => {
				self.unseat(id, &End::InOrder);
				if let Some(connection) = self.table.get_mut(&id) {
					connection.publisher = None;
					connection.since = now;
					// Of those that have connected it is the newest.
					connection.stage = Progress::Silent;
					let from = connection.from;
					self.say_end(from, true, End::InOrder, now);
				}
				self.settle(now);
			},
		}
	}

	fn tag(&mut self, id: Id, tag: Tag, now: Instant) {
		let Some(connection) = self.table.get_mut(&id) else {
			return;
		};
		let from = connection.from;
		let Some(publisher) = connection.publisher.as_deref_mut() else {
			return;
		};
		let key = match tag.content() {
			Ok(Content::Unsupported(codec)) => return self.end(id, End::Codec(tag.kind, codec), now),
			Ok(Content::Nothing | Content::Script) => return,
			Err(error) => {
				if !std::mem::replace(&mut publisher.damaged, true) {
					self.say(What::Damaged { from, error }, now);
				}
				return;
			},
			Ok(Content::PictureHeader(_)) => {
				publisher.sent.picture_header = true;
				if !publisher.came {
					publisher.picture_header = Some(tag);
					return;
				}
				false
			},
			Ok(Content::SoundHeader(_)) => {
				publisher.sent.sound_header = true;
				if !publisher.came {
					publisher.sound_header = Some(tag);
					return;
				}
				false
			},
			Ok(Content::Frame { key, .. }) => {
				publisher.sent.frames = true;
				// Of no use without what they refer to.
				if !publisher.sent.picture_header || !(key || publisher.key) {
					return;
				}
				key
			},
			Ok(Content::Sound(_)) => {
				if !publisher.sent.sound_header {
					return;
				}
				publisher.sound.get_or_insert(now);
				false
			},
			Ok(Content::EndOfPictures) => false,
		};
		if publisher.came {
			publisher.key |= key;
			let publisher = publisher.number;
			self.out.push_back(Output::Event(Event::Tag { publisher, tag }));
			return;
		}
		publisher.hold(tag, key);
		if key {
			self.settle(now);
		}
	}

	/// Brings in who may come in by now.
	fn settle(&mut self, now: Instant) {
		if let Some(id) = self.candidate {
			match self.holder {
				None => self.seat(id),
				Some(holder) if self.is_silent(holder, now) => {
					self.end_without_settling(holder, End::TakenOver, now);
					self.seat(id);
				},
				Some(holder) => self.challenge(id, holder, now),
			}
		}
		let Some(id) = self.holder else {
			return;
		};
		let Some(connection) = self.table.get_mut(&id) else {
			return;
		};
		let from = connection.from;
		let Some(publisher) = connection.publisher.as_deref_mut().filter(|p| !p.came && p.shows(now)) else {
			return;
		};
		let (came, tags) = publisher.came(from);
		let number = came.publisher;
		self.say(What::Came(came.clone()), now);
		self.out.push_back(Output::Event(Event::Came(came)));
		let tags = tags
			.into_iter()
			.map(|tag| Output::Event(Event::Tag { publisher: number, tag }));
		self.out.extend(tags);
	}

	fn seat(&mut self, id: Id) {
		self.candidate = None;
		self.holder = Some(id);
	}

	/// A candidate while another one lives.
	fn challenge(&mut self, id: Id, holder: Id, now: Instant) {
		let calm = self.replaced.is_some_and(|replaced| now < replaced + CALM);
		let proof = self.proof;
		let Some(publisher) = self.publisher(id) else {
			return;
		};
		if calm {
			if publisher.since + PATIENCE <= now {
				self.end_without_settling(id, End::Busy, now);
			}
			return;
		}
		if !publisher.shows(now) {
			return;
		}
		if proof == Proof::Decoder && !publisher.proved {
			if !std::mem::replace(&mut publisher.asked, true) {
				let headers = [&publisher.picture_header, &publisher.sound_header];
				let tags = headers.into_iter().flatten().chain(&publisher.held).cloned().collect();
				let publisher = publisher.number;
				self.out.push_back(Output::Event(Event::Asks { publisher, tags }));
			}
			return;
		}
		self.replaced = Some(now);
		self.end_without_settling(holder, End::TakenOver, now);
		self.seat(id);
	}

	fn end(&mut self, id: Id, end: End, now: Instant) {
		self.end_without_settling(id, end, now);
		self.settle(now);
	}

	fn end_without_settling(&mut self, id: Id, end: End, now: Instant) {
		self.unseat(id, &end);
		let Some(mut connection) = self.table.remove(&id) else {
			return;
		};
		let refusal = end.refusal();
		if let Some(refusal) = refusal {
			connection.session.refuse(refusal);
		}
		let bytes = connection.session.outgoing().split().freeze();
		if !bytes.is_empty() {
			self.out.push_back(Output::Send(id, bytes));
		}
		self.out.push_back(Output::Close {
			id,
			politely: refusal.is_some(),
		});
		self.say_end(connection.from, connection.publisher.is_some(), end, now);
	}

	/// It is neither holder nor candidate any more.
	fn unseat(&mut self, id: Id, end: &End) {
		self.candidate = self.candidate.filter(|candidate| *candidate != id);
		if self.holder == Some(id) {
			self.holder = None;
			if let Some(publisher) = self.publisher(id).filter(|publisher| publisher.came) {
				let left = Event::Left {
					publisher: publisher.number,
					end: end.clone(),
				};
				self.out.push_back(Output::Event(left));
			}
		}
	}

	fn flush(&mut self, id: Id) {
		if let Some(connection) = self.table.get_mut(&id) {
			let bytes = connection.session.outgoing().split().freeze();
			if !bytes.is_empty() {
				self.out.push_back(Output::Send(id, bytes));
			}
		}
	}

	fn say_end(&mut self, from: SocketAddr, known: bool, end: End, now: Instant) {
		// Somebody who connects and goes is no news.
		if known || !matches!(end, End::Lost | End::InOrder | End::Over) {
			self.say(What::Ended { from, known, end }, now);
		}
	}

	fn say(&mut self, what: What, now: Instant) {
		if let Some(unsaid) = self.lines.pass(&what, now) {
			self.out.push_back(Output::Line(Line { what, unsaid }));
		}
	}
}

impl Connection {
	/// When it has to be gone, unless something comes.
	fn deadline(&self) -> Option<Instant> {
		match &self.publisher {
			None if self.session.shook_hands() => Some(self.since + PUBLISH_LIMIT),
			None => Some(self.since + HANDSHAKE_LIMIT),
			Some(publisher) if !publisher.came => Some(publisher.since + SHOW_LIMIT),
			Some(_) => (!self.withheld).then_some(self.heard + SILENCE_LIMIT),
		}
	}
}

/// Keeps the log short whatever comes.
#[derive(Debug, Default)]
struct Lines {
	publishers: Kind,
	/// Of this machine: whoever sets up an encoder.
	own_wrong_keys: Kind,
	own_faults: Kind,
	wrong_keys: Kind,
	crowded: Kind,
	strangers: Kind,
}

#[derive(Debug, Default)]
struct Kind {
	bucket: Bucket,
	unsaid: u32,
}

impl Lines {
	/// How many were not said before this one, or that this one is not to be said.
	fn pass(&mut self, what: &What, now: Instant) -> Option<u32> {
		match what {
			What::Ended {
				known: false,
				end,
				from,
			} => match end {
				End::WrongKey(_) if from.ip().is_loopback() => self.own_wrong_keys.pass(LINES, LINE_PAUSE, now),
				End::Fault(_) if from.ip().is_loopback() => self.own_faults.pass(LINES, LINE_PAUSE, now),
				End::WrongKey(_) => self.wrong_keys.pass(1, STRANGERS_PAUSE, now),
				End::Crowded => self.crowded.pass(1, STRANGERS_PAUSE, now),
				_ => self.strangers.pass(1, STRANGERS_PAUSE, now),
			},
			_ => self.publishers.pass(LINES, LINE_PAUSE, now),
		}
	}
}

impl Kind {
	/// At most `burst` at once, then one each `pause`.
	fn pass(&mut self, burst: u32, pause: Duration, now: Instant) -> Option<u32> {
		if !self.bucket.pass(burst, pause, now) {
			self.unsaid += 1;
			return None;
		}
		Some(std::mem::take(&mut self.unsaid))
	}
}

#[cfg(test)]
mod tests;
