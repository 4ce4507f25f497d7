//! One subscription that is served: its session, what is written to it, and when it is over. As in `network/src/{serve,sending,
//! deadlines}.rs`, without tasks.

use crate::{
	bugs::Bug,
	calendar::{Micros, MS, SECOND},
	chain::GENESIS,
	desk::Desk,
	net::{BodyNo, ConnId, NodeId, FRAMES_AHEAD},
	node::{Conduct, Io},
};
use bytes::Bytes;
use clustercast_primitives::{subscribe::Binding, Hash};
use clustercast_protocol::{
	patience::HEARTBEAT,
	relayer::{Event, Outgoing, Quote, Requote, SendingId, SessionError},
	wire::{range_prefix, AnswerDecoder, Kind, ToViewer, MAX_FETCHES, PREFIX_BYTES},
	Cursor, EncodedWindow, EndReason, Fetch, Follow, Lookup, Range, RelayerSession, SessionKey, Subscribe, Terms,
};
use rand::Rng;
use std::collections::{BTreeMap, VecDeque};

/// As in `network`: to subscribe, to pay, until there is credit, until a place is known, for what goes out to be there.
const SUBSCRIBE: Micros = 5 * SECOND;
const PAY: Micros = 20 * SECOND;
const CREDIT: Micros = 60 * SECOND;
const LOST: Micros = 30 * SECOND;
const STUCK: Micros = 10 * SECOND;

/// Whoever takes so long for a range cannot follow.
const SLOW: Micros = 3 * SECOND;

/// Who was told that it is over may take so long to hang up.
const LINGER: Micros = 500 * MS;

/// Largest chunk, bytes.
const CHUNK: usize = 16 << 10;

#[derive(Debug)]
struct Writing {
	outgoing: Outgoing,
	prefix: Bytes,
	body: Option<BodyNo>,
	/// The last chunk is out.
	ended: bool,
	until: Option<Micros>,
}

/// See the module.
#[derive(Debug)]
pub struct Link {
	conn: ConnId,
	peer: NodeId,
	session: RelayerSession,
	payer: Option<SessionKey>,
	served: bool,
	fetches: VecDeque<(Fetch, Micros)>,
	writing: Option<Writing>,
	/// Under way, and since when.
	flying: BTreeMap<BodyNo, (SendingId, Micros)>,
	stirred: Micros,
	behind: bool,
	begun: Micros,
	said: Micros,
	owing: Option<Micros>,
	short: Option<Micros>,
	lost: Option<Micros>,
	/// Told that it is over: why, and until when it is waited for.
	parting: Option<(EndReason, Micros)>,
	armed: Micros,
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "short-lived")]
pub enum Over {
	/// For this reason, which is told.
	Told(EndReason),
	/// Without a word.
	Silent,
}

impl From<SessionError> for Over {
	fn from(_: SessionError) -> Self {
		// Where the session had a better one, that is told.
		Self::Told(EndReason::ProtocolError)
	}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivered {
	Nothing,
	Queued,
	Unpaid,
	NotYet,
}

impl Link {
	/// Somebody calls.
	pub fn new(conn: ConnId, peer: NodeId, desk: &Desk, io: &mut Io<'_>) -> Self {
		let bindings = vec![Binding::PeerKey(desk.key.public().0)];
		let now = io.now();
		Self {
			conn,
			peer,
			session: RelayerSession::new(GENESIS, Hash(io.rng.gen()), bindings),
			payer: None,
			served: false,
			fetches: VecDeque::new(),
			writing: None,
			flying: BTreeMap::new(),
			stirred: now,
			behind: false,
			begun: now,
			said: now,
			owing: None,
			short: None,
			lost: None,
			parting: None,
			armed: Micros::MAX,
		}
	}

	/// Who it is.
	pub fn peer(&self) -> NodeId {
		self.peer
	}

	/// Whether it has a seat.
	pub fn is_served(&self) -> bool {
		self.served && self.parting.is_none()
	}

	/// What it is sent.
	pub fn follows(&self) -> Follow {
		self.session.follows()
	}

	/// Whoever came later has a higher one.
	pub fn number(&self) -> (Micros, ConnId) {
		(self.begun, self.conn)
	}

	/// Receipts that are not paid.
	pub fn unpaid(&self) -> usize {
		self.session.unpaid().len()
	}

	/// Takes what the viewer says; what it subscribes to, where it does.
	pub fn hear(&mut self, frame: &[u8], desk: &mut Desk, io: &mut Io<'_>) -> Result<Option<Subscribe>, Over> {
		self.session.handle(frame)?;
		let mut subscribed = None;
		while let Some(event) = self.session.poll_event() {
			match event {
				Event::Subscribed(request) => subscribed = Some(request),
				Event::Ticket(ticket) => {
					desk.ticket(&ticket, io).map_err(|why| self.refuse(why, io))?;
					self.paid(ticket.message.commitment, io)?;
				},
				Event::Voucher { commitment, voucher } => {
					desk.voucher(&commitment, voucher, io)
						.map_err(|why| self.refuse(why, io))?;
					self.paid(commitment, io)?;
				},
				Event::Reserve(_) => return Err(Over::Told(EndReason::ProtocolError)),
				Event::Fetch(fetch) => {
					let until = io.now() + Micros::from(fetch.within_ms) * MS;
					self.fetches.push_back((fetch, until));
					io.audit.bound(io.node, "fetches wait", self.fetches.len(), MAX_FETCHES);
				},
				Event::Cancel(range) => self.cancel(&range),
			}
		}
		Ok(subscribed)
	}

	fn refuse(&self, why: EndReason, io: &mut Io<'_>) -> Over {
		io.audit.refuses(io.node, self.peer, why);
		Over::Told(why)
	}

	fn paid(&mut self, commitment: Hash, io: &Io<'_>) -> Result<(), Over> {
		self.session.paid(commitment)?;
		self.owing = Some(io.now());
		Ok(())
	}

	/// It is served: on these terms, or for nothing.
	pub fn accept(&mut self, grant: Option<(Terms, SessionKey)>, desk: &Desk, io: &mut Io<'_>) -> Result<(), Over> {
		match grant {
			None => self.session.accept_free()?,
			Some((terms, payer)) => {
				self.payer = Some(payer);
				self.session.accept(terms, desk.signer.clone())?;
			},
		}
		self.served = true;
		io.audit.serves(self.conn, io.node, self.peer);
		Ok(())
	}

	fn cancel(&mut self, range: &Range) {
		if let Some(writing) = &mut self.writing {
			let own = writing.outgoing.range();
			if (own.header, own.first) == (range.header, range.first) {
				writing.outgoing.cut();
			}
		}
		if let Some(at) = self.fetches.iter().position(|(fetch, _)| fetch.range == *range) {
			self.fetches.remove(at);
			self.session.lacks(range);
		}
	}

	/// The viewer has all of this.
	pub fn arrived(&mut self, body: BodyNo, now: Micros) {
		self.stirred = now;
		if let Some((id, since)) = self.flying.remove(&body) {
			self.behind |= now > since + SLOW;
			self.session.arrived(id);
		}
	}

	/// Until when it is waited for, where it was told that it is over.
	pub fn parting(&mut self, io: &mut Io<'_>) -> Option<Micros> {
		let (_, until) = self.parting?;
		self.transmit_all(io);
		Some(until)
	}

	/// Says the last word.
	pub fn part(&mut self, reason: EndReason, io: &mut Io<'_>) {
		if self.parting.is_some() {
			return;
		}
		io.audit
			.note(io.node, "ends a subscription of node", self.peer.0.into(), 0);
		let until = io.now() + LINGER;
		self.session.end(reason);
		self.parting = Some((reason, until));
		self.transmit_all(io);
		io.wake(Some(self.conn), until);
	}

	/// It is over.
	pub fn close(self, desk: &mut Desk, io: &Io<'_>) {
		if let Some(payer) = self.payer {
			let unsent = self.session.unsent();
			let mut sent = self.session.unpaid();
			sent.retain(|commitment| !unsent.contains(commitment));
			desk.closed(&payer, &sent, &unsent, self.parting.map(|(reason, _)| reason), io);
		}
	}

	/// Does whatever can be done now.
	pub fn attend(&mut self, desk: &mut Desk, io: &mut Io<'_>) -> Result<(), Over> {
		self.due(io.now())?;
		if !self.served {
			self.transmit(desk, io);
			return Ok(());
		}
		loop {
			if let Some(status) = desk.standing.status() {
				self.session.status(status);
			}
			self.transmit(desk, io);
			self.write(desk, io)?;
			match self.answer(desk, io)? {
				Delivered::Queued => {
					(self.short, self.lost) = (None, None);
					continue;
				},
				Delivered::NotYet => self.short = self.short.or(Some(io.now())),
				Delivered::Nothing | Delivered::Unpaid => {},
			}
			self.transmit(desk, io);
			let Some(cursor) = self.session.wants() else { break };
			match desk.look(cursor, io) {
				Lookup::Found(window) => match self.deliver(&window, desk, io)? {
					Delivered::Queued => {
						(self.short, self.lost) = (None, None);
						continue;
					},
					Delivered::NotYet => self.short = self.short.or(Some(io.now())),
					Delivered::Nothing | Delivered::Unpaid => {},
				},
				Lookup::Gone => return Err(Over::Told(EndReason::WindowGone)),
				// Nothing comes in runs here.
				Lookup::NotYet | Lookup::Open(_) => self.lost = None,
				Lookup::Unknown => self.lost = self.lost.or(Some(io.now())),
			}
			break;
		}
		self.transmit(desk, io);
		match self.session.awaits_payment() {
			true => self.owing = self.owing.or(Some(io.now())),
			false => self.owing = None,
		}
		if io.now() >= self.said + HEARTBEAT.as_micros() as Micros {
			self.session.waiting();
			self.session.settle();
			self.transmit(desk, io);
			self.said = io.now();
		}
		Ok(())
	}

	/// Whether it is over by now.
	fn due(&self, now: Micros) -> Result<(), Over> {
		let over = |since: Option<Micros>, within: Micros| since.is_some_and(|since| now >= since + within);
		let oldest = self.flying.values().map(|(_, since)| *since).min();
		if !self.served && now >= self.begun + SUBSCRIBE || over(oldest.map(|since| since.max(self.stirred)), STUCK) {
			return Err(Over::Silent);
		}
		let reasons = [
			(self.owing, PAY, EndReason::Unpaid),
			(self.short, CREDIT, EndReason::ReservationNeeded),
			(self.lost, LOST, EndReason::WindowGone),
		];
		match reasons.into_iter().find(|(since, within, _)| over(*since, *within)) {
			Some((_, _, reason)) => Err(Over::Told(reason)),
			None => Ok(()),
		}
	}

	/// Is woken when something may be due.
	pub fn arm(&mut self, io: &mut Io<'_>) {
		let oldest = self.flying.values().map(|(_, since)| (*since).max(self.stirred)).min();
		let dues = [
			(!self.served).then_some(self.begun + SUBSCRIBE),
			self.served.then_some(self.said + HEARTBEAT.as_micros() as Micros),
			oldest.map(|since| since + STUCK),
			self.owing.map(|since| since + PAY),
			self.short.map(|since| since + CREDIT),
			self.lost.map(|since| since + LOST),
			self.fetches.front().map(|(_, until)| *until),
			self.writing.as_ref().and_then(|writing| writing.until),
		];
		let due = dues.into_iter().flatten().min().unwrap_or(Micros::MAX);
		if self.armed <= io.now() || due < self.armed {
			self.armed = due.max(io.now() + MS);
			io.wake(Some(self.conn), self.armed);
		}
	}

	/// Hands over frames as far as the viewer reads them.
	fn transmit(&mut self, desk: &Desk, io: &mut Io<'_>) {
		while io.has(Bug::NoBackpressure) || io.net.frames_ahead(self.conn, io.node) < FRAMES_AHEAD {
			let Some(frame) = self.session.poll_transmit() else {
				break;
			};
			self.said = io.now();
			let frame = tamper(frame, desk);
			let kind = frame.get(PREFIX_BYTES - 1).copied();
			let twice = [(Bug::ReceiptTwice, Kind::Receipt), (Bug::AckTwice, Kind::Paid)];
			if twice.iter().any(|(bug, of)| io.has(*bug) && kind == Some(*of as u8)) {
				io.frame(self.conn, frame.clone());
			}
			io.frame(self.conn, frame);
		}
		let ahead = io.net.frames_ahead(self.conn, io.node);
		io.audit.bound(io.node, "bytes of frames wait", ahead, 2 * FRAMES_AHEAD);
	}

	/// The same of the last words.
	fn transmit_all(&mut self, io: &mut Io<'_>) {
		while let Some(frame) = self.session.poll_transmit() {
			io.frame(self.conn, frame);
		}
	}

	/// Writes chunks as far as there is room.
	fn write(&mut self, desk: &mut Desk, io: &mut Io<'_>) -> Result<(), Over> {
		if desk.conduct == Conduct::Withholds {
			return Ok(());
		}
		loop {
			let now = io.now();
			if self.writing.is_none() {
				let Some(outgoing) = self.session.poll_sending() else {
					break;
				};
				let until = outgoing.within_ms().map(|ms| now + Micros::from(ms) * MS);
				self.writing = Some(Writing {
					prefix: range_prefix(&outgoing.range()),
					outgoing,
					body: None,
					ended: false,
					until,
				});
			}
			let Some(writing) = &mut self.writing else { break };
			if writing.until.is_some_and(|until| now >= until) {
				writing.until = None;
				writing.outgoing.cut();
			}
			if !writing.outgoing.is_over() {
				let room = io.net.has_room(self.conn, io.node);
				if !room && !io.has(Bug::NoBackpressure) {
					break;
				}
				if writing.body.is_none() {
					writing.body = io.net.body(self.conn, io.node, writing.prefix.clone());
				}
				let Some(body) = writing.body else { break };
				let [prefix, data] = writing.outgoing.rest();
				let chunk = data.slice(..data.len().min(CHUNK));
				writing.outgoing.advance(prefix.len() + chunk.len());
				writing.ended = writing.outgoing.is_over();
				self.stirred = now;
				let chunk = spoil(chunk, desk, io);
				io.chunk(self.conn, body, &writing.prefix, chunk, writing.ended);
				io.audit.bound(
					io.node,
					"bytes of chunks wait",
					io.net.chunks_ahead(self.conn, io.node),
					crate::net::CHUNKS_AHEAD + CHUNK,
				);
				continue;
			}
			let Some(Writing {
				outgoing,
				prefix,
				body,
				ended,
				..
			}) = self.writing.take()
			else {
				break;
			};
			if let Some(body) = body {
				if !ended {
					// It was cut behind what is out.
					io.chunk(self.conn, body, &prefix, Bytes::new(), true);
				}
				self.flying.insert(body, (outgoing.id(), now));
			}
			match self.session.sent(outgoing.id(), outgoing.chunks()) {
				Some(Requote::Owed(expectation)) => drop(desk.lend(expectation, io).map_err(Over::Told)?),
				Some(Requote::Nothing(commitment)) => desk.forgo(commitment),
				None => {},
			}
		}
		Ok(())
	}

	/// Answers the oldest fetch, if that can be done now.
	fn answer(&mut self, desk: &mut Desk, io: &mut Io<'_>) -> Result<Delivered, Over> {
		while let Some((fetch, until)) = self.fetches.front().copied() {
			let window = desk.cache.find(&fetch.range.header).cloned();
			let window = window.filter(|window| self.session.has_new(window, &fetch.range));
			let left = until.saturating_sub(io.now());
			let (Some(window), false) = (window, left == 0) else {
				self.fetches.pop_front();
				self.session.lacks(&fetch.range);
				continue;
			};
			if !self.session.may_send() {
				return Ok(Delivered::Nothing);
			}
			let delivered = self.afford(&window, &fetch.range, desk, io)?;
			if delivered == Delivered::Queued {
				self.fetches.pop_front();
				let within_ms = u32::try_from(left / MS).unwrap_or(u32::MAX);
				self.session.send(&window, &Fetch { within_ms, ..fetch })?;
			}
			return Ok(delivered);
		}
		Ok(Delivered::Nothing)
	}

	/// Announces a window, and queues it.
	fn deliver(&mut self, window: &EncodedWindow, desk: &mut Desk, io: &mut Io<'_>) -> Result<Delivered, Over> {
		if self.session.follows() == Follow::Announcements {
			self.session.deliver(window)?;
			return Ok(Delivered::Queued);
		}
		if desk.offer.passes && self.behind {
			let id = window.id();
			let live = Cursor::Live {
				stream: id.stream,
				track: id.track,
			};
			match desk.look(live, io) {
				Lookup::Found(newest) if newest.id() > id => {
					io.audit.note(io.node, "passes over window", id.segment, 0);
					self.session.pass(window)?;
					return Ok(Delivered::Queued);
				},
				_ => self.behind = false,
			}
		}
		let delivered = self.afford(window, &window.range(), desk, io)?;
		if delivered == Delivered::Queued {
			self.session.deliver(window)?;
		}
		Ok(delivered)
	}

	/// Whether these chunks can be paid, and are lent.
	fn afford(
		&mut self,
		window: &EncodedWindow,
		range: &Range,
		desk: &mut Desk,
		io: &Io<'_>,
	) -> Result<Delivered, Over> {
		match self.session.quote(window, range)? {
			Quote::Nothing => Ok(Delivered::Queued),
			Quote::TooMuch => {
				self.session.settle();
				Ok(Delivered::Unpaid)
			},
			Quote::Owed(expectation) => match desk.lend(expectation, io).map_err(Over::Told)? {
				true => Ok(Delivered::Queued),
				false if io.has(Bug::SendUnlent) => Ok(Delivered::Queued),
				false => {
					self.session.settle();
					Ok(Delivered::NotYet)
				},
			},
		}
	}
}

/// What becomes of a frame, where its sender is no honest one.
fn tamper(frame: Bytes, desk: &Desk) -> Bytes {
	if desk.conduct != Conduct::WrongReceipts || frame.get(PREFIX_BYTES - 1) != Some(&(Kind::Receipt as u8)) {
		return frame;
	}
	match AnswerDecoder::default().poll(&mut &frame[..]) {
		Ok(Some(ToViewer::Receipt(mut receipt, deliveries))) => {
			receipt.message.price += 1;
			ToViewer::Receipt(desk.key.sign(receipt.message, &GENESIS), deliveries).to_frame()
		},
		_ => frame,
	}
}

/// What becomes of a chunk: of a liar's, or of one whose memory is not what the disk has.
fn spoil(chunk: Bytes, desk: &Desk, io: &mut Io<'_>) -> Bytes {
	let one_of = match desk.conduct {
		Conduct::WrongChunks(one_of) => one_of,
		_ if io.has(Bug::ServeUnverified) => 200,
		_ => return chunk,
	};
	if chunk.is_empty() || !io.rng.gen_ratio(1, one_of) {
		return chunk;
	}
	let mut bytes = chunk.to_vec();
	let at = io.rng.gen_range(0..bytes.len());
	bytes[at] ^= 1 << io.rng.gen_range(0..8);
	bytes.into()
}
