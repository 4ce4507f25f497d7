//! Who may stay, who is live, who takes over. Sans-IO: bytes and times come in, [`Output`] goes out.
//!
//! ```text
//! stranger --publish with the key--> candidate --no holder, a silent one, or its own key frame--> holder
//!    5 s for the handshake,              |                                                          |
//!    10 s for publish;                   12 s for something to show                                 30 s of silence
//!    oldest goes where it is full
//! ```
//!
//! The *holder* is live. A *candidate* has the key and is accepted: what it sends is held back until it is live itself.

use super::{
	address::Lock,
	event::{Came, End, Event, Line, Sent, Sound, What},
};
use bytes::Bytes;
use clustercast_media::{
	flv::{Content, Tag},
	rtmp::{Event as Said, Metadata, Session},
};
use std::{
	collections::{BTreeMap, VecDeque},
	net::SocketAddr,
	time::{Duration, Instant},
};

/// Most connections at a time. Where more come the oldest stranger goes: at 500 a second each has half a second, and a publisher
/// needs three round trips. Each costs a file and at most 300 kB before it has shown the key.
pub const MOST_CONNECTIONS: usize = 256;

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

/// So much later than it was asked for, a tick says more of this machine than of its peers.
const OVERSLEPT: Duration = Duration::from_secs(1);

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
	table: BTreeMap<Id, Connection>,
	connections: u64,
	publishers: u64,
	holder: Option<Id>,
	candidate: Option<Id>,
	/// When a living holder was last replaced.
	replaced: Option<Instant>,
	/// When [`tick`](Self::tick) was last asked for.
	planned: Option<Instant>,
	lines: Lines,
	out: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
	from: SocketAddr,
	session: Session,
	/// It came, or has just stopped to publish.
	since: Instant,
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
	/// Opened by this lock's key.
	pub fn new(lock: Lock, proof: Proof) -> Self {
		Self {
			lock,
			proof,
			table: BTreeMap::new(),
			connections: 0,
			publishers: 0,
			holder: None,
			candidate: None,
			replaced: None,
			planned: None,
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
		while self.table.len() >= MOST_CONNECTIONS && self.make_room(now) {}
		self.connections += 1;
		let id = Id(self.connections);
		self.table.insert(
			id,
			Connection {
				from,
				session: Session::default(),
				since: now,
				heard: now,
				withheld: false,
				publisher: None,
			},
		);
		id
	}

	/// Sends the oldest stranger away. Whether there was one.
	pub fn make_room(&mut self, now: Instant) -> bool {
		let strangers = self
			.table
			.iter()
			.filter(|(_, connection)| connection.publisher.is_none());
		let oldest = strangers
			.min_by_key(|(_, connection)| connection.since)
			.map(|(id, _)| *id);
		oldest.is_some_and(|id| {
			self.end(id, End::Crowded, now);
			true
		})
	}

	/// Bytes of a peer.
	pub fn received(&mut self, id: Id, mut bytes: &[u8], now: Instant) {
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
		self.flush(id);
		self.settle(now);
	}

	/// A peer's connection is closed, by itself or by its network.
	pub fn closed(&mut self, id: Id, now: Instant) {
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
	pub fn proved(&mut self, publisher: u64, decodes: bool, now: Instant) {
		let asked = self.candidate.filter(|id| {
			self.table[id]
				.publisher
				.as_ref()
				.is_some_and(|p| p.number == publisher && p.asked)
		});
		let Some(id) = asked else {
			return;
		};
		if !decodes {
			return self.end(id, End::Undecodable, now);
		}
		if let Some(publisher) = self.publisher(id) {
			publisher.proved = true;
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
		let connections = self.table.values().filter_map(Connection::deadline);
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
			candidate.and(holder).map(|holder| holder.heard + ALIVE),
			candidate.map(|candidate| candidate.since + PATIENCE),
			candidate.and(self.replaced).map(|replaced| replaced + CALM),
		];
		let waits = waits.into_iter().flatten().filter(|at| *at > now);
		self.planned = connections.chain(waits).min();
		self.planned
	}

	/// Time has passed.
	pub fn tick(&mut self, now: Instant) {
		if let Some(late) = self
			.planned
			.map(|planned| now.saturating_duration_since(planned))
			.filter(|t| *t > OVERSLEPT)
		{
			// Stopped or overloaded: what peers sent meanwhile is still to be read.
			for connection in self.table.values_mut() {
				connection.since += late;
				connection.heard += late;
				if let Some(publisher) = &mut connection.publisher {
					publisher.since += late;
				}
			}
		}
		self.planned = None;
		let is_due = |connection: &Connection| connection.deadline().is_some_and(|deadline| deadline <= now);
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
				Some(publisher) => End::NothingToShow(publisher.sent),
			};
			self.end(id, end, now);
		}
		self.settle(now);
	}

	fn publisher(&mut self, id: Id) -> Option<&mut Publisher> {
		self.table.get_mut(&id)?.publisher.as_deref_mut()
	}

	fn said(&mut self, id: Id, said: Said, now: Instant) {
		match said {
			Said::Publish { path, program } => {
				if !self.lock.opens(&path) {
					return self.end(id, End::WrongKey, now);
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
				Some(holder) if self.table[&holder].is_silent(now) => {
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

	fn is_silent(&self, now: Instant) -> bool {
		!self.withheld && self.heard + ALIVE <= now
	}
}

/// Keeps the log short whatever comes.
#[derive(Debug, Default)]
struct Lines {
	publishers: Kind,
	wrong_keys: Kind,
	crowded: Kind,
	strangers: Kind,
}

#[derive(Debug, Default)]
struct Kind {
	/// Since when, in pauses: a bucket that leaks one line a pause.
	full: Option<Instant>,
	unsaid: u32,
}

impl Lines {
	/// How many were not said before this one, or that this one is not to be said.
	fn pass(&mut self, what: &What, now: Instant) -> Option<u32> {
		match what {
			What::Ended { known: false, end, .. } => match end {
				End::WrongKey => self.wrong_keys.pass(1, STRANGERS_PAUSE, now),
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
		let full = self.full.filter(|full| *full > now).unwrap_or(now);
		if full + pause > now + pause * burst {
			self.unsaid += 1;
			return None;
		}
		self.full = Some(full + pause);
		Some(std::mem::take(&mut self.unsaid))
	}
}

#[cfg(test)]
mod tests;
