//! Links and connections. A node has a line: a rate each way, a queue in front of the way down, a delay, loss. What is sent
//! goes in packets, of one frame or one chunk each: the unit that is lost, queued and sent again.
//!
//! - Frames of a connection's own stream are in order, and before all chunks.
//! - Each range of chunks has a stream of its own: a chunk that is lost holds up those behind it in its stream, nothing else.
//! - Streams of all connections share a node's way up, a chunk each in turns; how many chunks of a connection are under way is bounded
//!   by a window that halves with each loss.
//! - Who is cut off or gone is noticed by silence, or by a reset once it is there again.

use crate::calendar::{Calendar, Micros, MS, SECOND};
use bytes::Bytes;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId {
	slot: u32,
	turn: u32,
}

/// A stream of chunks of a connection.
pub type BodyNo = u32;

/// A connection of which nothing was heard for so long is dead: as in `network`.
pub const SILENCE: Micros = 10 * SECOND;

/// Something is sent at least this often: as in `network`.
const KEEP_ALIVE: Micros = 4 * SECOND;

/// Who does not answer a call within this is not there.
const CALL: Micros = 5 * SECOND;

/// Bytes of frames that a connection takes ahead of the other side's reading them.
pub const FRAMES_AHEAD: usize = 64 << 10;

/// Bytes of chunks that a connection takes before the other side has them: scaled as the windows are, which have a sixth of what
/// real ones have.
pub const CHUNKS_AHEAD: usize = 256 << 10;

/// Chunks of a connection under way, at first and at most.
const FIRST_WINDOW: u32 = 2;
const MOST_WINDOW: u32 = 64;

/// Longest wait before something lost is sent again.
const LONGEST_AGAIN: Micros = 2 * SECOND;

/// How a node is connected.
#[derive(Clone, Copy, Debug)]
pub struct Line {
	/// Bytes a second.
	pub up: u64,
	/// The same.
	pub down: u64,
	/// What comes and would wait longer is dropped.
	pub queue: Micros,
	/// To the middle of the network.
	pub delay: Micros,
	/// Packets lost, of a million.
	pub loss_ppm: u32,
}

/// What is to happen.
#[derive(Debug)]
pub enum Event {
	/// A node's way up is free.
	Free(NodeId),
	/// At the line of the other side.
	Arrive(Packet),
	/// At the other side.
	Deliver(Packet),
	/// The sender knows that a chunk is there.
	Acknowledged(Acknowledged),
	/// The sender knows that it is lost.
	Lost(Packet),
	/// A call is answered, or not.
	Answered(ConnId),
	/// Who was called hears of it.
	Called(ConnId),
	/// One end may have heard nothing for too long.
	Silent(ConnId, usize),
	/// One end is told that there is no such connection.
	Reset(ConnId, usize),
	/// A node wanted to be woken: itself, or one of its connections.
	Wake(NodeId, u32, Option<ConnId>),
	/// Something of the plan.
	Fault(usize),
}

/// What a node is told.
#[derive(Debug)]
pub enum Input {
	/// It begins, again perhaps.
	Start,
	/// It wanted to be woken.
	Wake(Option<ConnId>),
	/// Its call was answered.
	Opened(ConnId),
	/// Its call was not, or the connection is gone.
	Gone(ConnId),
	/// It is called by this one.
	Called(ConnId, NodeId),
	/// A frame.
	Frame(ConnId, Bytes),
	/// A chunk of a stream with this prefix; whether it is the last.
	Chunk(ConnId, BodyNo, Bytes, Bytes, bool),
	/// The other side has all of this stream.
	Arrived(ConnId, BodyNo),
	/// There is room for more.
	Room(ConnId),
}

/// That a chunk of so many bytes came.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
	conn: ConnId,
	/// Which end sent it.
	end: u8,
	body: BodyNo,
	bytes: usize,
}

/// A frame or a chunk under way.
#[derive(Debug)]
pub struct Packet {
	conn: ConnId,
	/// Which end sent it.
	end: u8,
	/// `None`: a frame.
	body: Option<BodyNo>,
	index: u32,
	data: Bytes,
	last: bool,
	tries: u8,
}

#[derive(Debug)]
struct Node {
	line: Line,
	alive: bool,
	/// Counts its beginnings.
	life: u32,
	/// Connections that it is an end of, or was as long as the other end has it.
	conns: u32,
	/// Nodes of other islands are cut off.
	island: u8,
	/// What of its rate is left, of 100.
	rate: u64,
	sending: bool,
	frames: VecDeque<(ConnId, usize)>,
	chunks: VecDeque<(ConnId, usize)>,
	/// The way down is free.
	down_free: Micros,
	/// Bytes sent, what was sent again included; and of these in chunks.
	sent: u64,
	chunks_sent: u64,
}

#[derive(Debug, Default)]
struct Out {
	prefix: Bytes,
	pending: VecDeque<Packet>,
	next: u32,
	unacknowledged: u32,
	last: bool,
}

#[derive(Debug, Default)]
struct In {
	next: u32,
	early: BTreeMap<u32, Packet>,
}

#[derive(Debug)]
struct End {
	node: NodeId,
	life: u32,
	/// This side has it.
	open: bool,
	/// Since when the other side cannot be reached.
	broken: Option<Micros>,
	frames: Out,
	/// Bytes of frames that are not there.
	frames_ahead: usize,
	bodies: BTreeMap<BodyNo, Out>,
	/// Those that have something to send.
	turns: VecDeque<BodyNo>,
	next_body: BodyNo,
	chunks_ahead: usize,
	/// Somebody waits for room.
	full: bool,
	window: u32,
	/// Of the next chunk that the window grows by.
	grown: u32,
	slow_start: bool,
	under_way: u32,
	waits: [bool; 2],
	came: In,
	bodies_came: BTreeMap<BodyNo, (Bytes, In)>,
}

#[derive(Debug)]
struct Conn {
	turn: u32,
	ends: [End; 2],
}

/// See the module.
#[derive(Debug)]
pub struct Net {
	/// By what was planned.
	pub calendar: Calendar<Event>,
	/// By now.
	pub now: Micros,
	/// How often somebody has made another source its parent.
	pub reparents: u64,
	rng: ChaCha8Rng,
	nodes: Vec<Node>,
	conns: Vec<Option<Conn>>,
	turns: Vec<u32>,
	free: Vec<u32>,
	told: VecDeque<(NodeId, Input)>,
	/// Room for what a packet brings in order: empty between two.
	here: Vec<Packet>,
}

impl Net {
	/// Of no nodes.
	pub fn new(rng: ChaCha8Rng) -> Self {
		Self {
			calendar: Calendar::default(),
			now: 0,
			reparents: 0,
			rng,
			nodes: Vec::new(),
			conns: Vec::new(),
			turns: Vec::new(),
			free: Vec::new(),
			told: VecDeque::new(),
			here: Vec::new(),
		}
	}

	/// Another node, which has not begun.
	pub fn add(&mut self, line: Line) -> NodeId {
		self.nodes.push(Node {
			line,
			alive: false,
			life: 0,
			conns: 0,
			island: 0,
			rate: 100,
			sending: false,
			frames: VecDeque::new(),
			chunks: VecDeque::new(),
			down_free: 0,
			sent: 0,
			chunks_sent: 0,
		});
		NodeId(self.nodes.len() as u32 - 1)
	}

	/// Bytes that a node has sent.
	pub fn sent(&self, node: NodeId) -> u64 {
		self.nodes[node.0 as usize].sent
	}

	/// Of these, in chunks.
	pub fn chunks_sent(&self, node: NodeId) -> u64 {
		self.nodes[node.0 as usize].chunks_sent
	}

	/// Whether it runs.
	pub fn is_alive(&self, node: NodeId) -> bool {
		self.nodes[node.0 as usize].alive
	}

	/// How often it has begun.
	pub fn life(&self, node: NodeId) -> u32 {
		self.nodes[node.0 as usize].life
	}

	/// Connections that one end has.
	pub fn connections(&self) -> usize {
		self.conns.iter().flatten().count()
	}

	/// What nodes are told by now.
	pub fn poll(&mut self) -> Option<(NodeId, Input)> {
		self.told.pop_front()
	}

	/// Wakes a node of this life then.
	pub fn wake(&mut self, node: NodeId, conn: Option<ConnId>, at: Micros) {
		let life = self.life(node);
		self.calendar.put(at.max(self.now), Event::Wake(node, life, conn));
	}

	/// It begins, or begins again: who has a connection to its life before is told so.
	pub fn start(&mut self, node: NodeId) {
		let one = &mut self.nodes[node.0 as usize];
		(one.alive, one.life) = (true, one.life + 1);
		self.told.push_back((node, Input::Start));
		for (conn, end) in self.of(node) {
			let other = 1 - end;
			let after = self.rng.gen_range(0..KEEP_ALIVE);
			self.calendar.put(self.now + after, Event::Reset(conn, other));
		}
	}

	/// It is gone, without a word.
	pub fn kill(&mut self, node: NodeId) {
		let one = &mut self.nodes[node.0 as usize];
		one.alive = false;
		one.frames.clear();
		one.chunks.clear();
		for (conn, end) in self.of(node) {
			self.drop_end(conn, end);
		}
		self.notice();
	}

	/// Cuts it off from all that are not on this island.
	pub fn isolate(&mut self, node: NodeId, island: u8) {
		self.nodes[node.0 as usize].island = island;
		self.notice();
	}

	/// So much of its rate is left, of 100.
	pub fn slow(&mut self, node: NodeId, rate: u64) {
		self.nodes[node.0 as usize].rate = rate.max(1);
	}

	/// Looks at all there are, but for a node that has none: each of a crowd, as it begins.
	fn of(&self, node: NodeId) -> Vec<(ConnId, usize)> {
		let mut found = Vec::new();
		if self.nodes[node.0 as usize].conns == 0 {
			return found;
		}
		for (slot, conn) in self.conns.iter().enumerate() {
			let Some(conn) = conn else { continue };
			let id = ConnId {
				slot: slot as u32,
				turn: conn.turn,
			};
			found.extend((0..2).filter(|end| conn.ends[*end].node == node).map(|end| (id, end)));
		}
		found
	}

	fn reaches(&self, a: &End, b: &End) -> bool {
		let (one, other) = (&self.nodes[a.node.0 as usize], &self.nodes[b.node.0 as usize]);
		one.alive && other.alive && one.island == other.island && other.life == b.life && one.life == a.life
	}

	/// What can be reached has changed: silences begin and end.
	fn notice(&mut self) {
		for slot in 0..self.conns.len() {
			let Some(conn) = &self.conns[slot] else { continue };
			let reaches = self.reaches(&conn.ends[0], &conn.ends[1]);
			let now = self.now;
			let Some(conn) = &mut self.conns[slot] else { continue };
			let id = ConnId {
				slot: slot as u32,
				turn: conn.turn,
			};
			for (at, end) in conn.ends.iter_mut().enumerate() {
				match (reaches, end.broken) {
					(true, _) => end.broken = None,
					(false, None) => {
						end.broken = Some(now);
						self.calendar.put(now + SILENCE, Event::Silent(id, at));
					},
					_ => {},
				}
			}
		}
	}

	fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
		self.conns
			.get_mut(id.slot as usize)?
			.as_mut()
			.filter(|conn| conn.turn == id.turn)
	}

	/// Which end of a connection a node is, where it has it.
	fn end(&mut self, id: ConnId, node: NodeId) -> Option<(usize, &mut End)> {
		let conn = self.conn(id)?;
		let at = (0..2).find(|at| conn.ends[*at].node == node)?;
		Some((at, &mut conn.ends[at])).filter(|(_, end)| end.open)
	}

	fn delay(&self, a: NodeId, b: NodeId) -> Micros {
		self.nodes[a.0 as usize].line.delay + self.nodes[b.0 as usize].line.delay
	}

	/// Calls somebody. The answer comes as [`Input::Opened`] or [`Input::Gone`].
	pub fn call(&mut self, from: NodeId, to: NodeId) -> ConnId {
		let slot = self.free.pop().unwrap_or_else(|| {
			self.conns.push(None);
			self.turns.push(0);
			self.conns.len() as u32 - 1
		});
		self.turns[slot as usize] += 1;
		let turn = self.turns[slot as usize];
		let id = ConnId { slot, turn };
		let end = |node: NodeId, open| End {
			node,
			life: self.nodes[node.0 as usize].life,
			open,
			broken: None,
			frames: Out::default(),
			frames_ahead: 0,
			bodies: BTreeMap::new(),
			turns: VecDeque::new(),
			next_body: 0,
			chunks_ahead: 0,
			full: false,
			window: FIRST_WINDOW,
			grown: 0,
			slow_start: true,
			under_way: 0,
			waits: [false; 2],
			came: In::default(),
			bodies_came: BTreeMap::new(),
		};
		let ends = [end(from, true), end(to, false)];
		for node in [from, to] {
			self.nodes[node.0 as usize].conns += 1;
		}
		let reaches = self.reaches(&ends[0], &ends[1]);
		self.conns[slot as usize] = Some(Conn { turn, ends });
		let took = match reaches {
			true => 2 * self.delay(from, to),
			false => CALL,
		};
		self.calendar.put(self.now + took, Event::Answered(id));
		id
	}

	/// Hangs up: the other side hears of it, where it can.
	pub fn close(&mut self, id: ConnId, node: NodeId) {
		let Some((at, _)) = self.end(id, node) else { return };
		self.drop_end(id, at);
		let Some(conn) = self.conn(id) else { return };
		let (from, to) = (conn.ends[at].node, conn.ends[1 - at].node);
		let delay = self.delay(from, to);
		self.calendar.put(self.now + delay, Event::Reset(id, 1 - at));
	}

	/// One end has it no more; the whole goes with the other.
	fn drop_end(&mut self, id: ConnId, at: usize) {
		let Some(conn) = self.conn(id) else { return };
		let end = &mut conn.ends[at];
		end.open = false;
		end.bodies.clear();
		end.turns.clear();
		end.frames.pending.clear();
		end.bodies_came.clear();
		if !conn.ends[1 - at].open {
			let nodes = [0, 1].map(|at| conn.ends[at].node);
			for node in nodes {
				self.nodes[node.0 as usize].conns -= 1;
			}
			self.conns[id.slot as usize] = None;
			self.free.push(id.slot);
		}
	}

	/// Whether a node has this connection.
	pub fn has(&self, id: ConnId, node: NodeId) -> bool {
		let conn = self.conns.get(id.slot as usize).and_then(Option::as_ref);
		let conn = conn.filter(|conn| conn.turn == id.turn);
		conn.is_some_and(|conn| conn.ends.iter().any(|end| end.node == node && end.open))
	}

	/// Bytes of frames that the other side does not have.
	pub fn frames_ahead(&mut self, id: ConnId, node: NodeId) -> usize {
		self.end(id, node).map_or(0, |(_, end)| end.frames_ahead)
	}

	/// Sends a frame.
	pub fn frame(&mut self, id: ConnId, node: NodeId, data: Bytes) {
		let Some((at, end)) = self.end(id, node) else { return };
		end.frames_ahead += data.len();
		let index = end.frames.next;
		end.frames.next += 1;
		end.frames.pending.push_back(Packet {
			conn: id,
			end: at as u8,
			body: None,
			index,
			data,
			last: false,
			tries: 0,
		});
		self.ready(id, at);
	}

	/// Whether chunks can be written now. Where not, [`Input::Room`] says when.
	pub fn has_room(&mut self, id: ConnId, node: NodeId) -> bool {
		let Some((_, end)) = self.end(id, node) else {
			return false;
		};
		end.full = end.chunks_ahead >= CHUNKS_AHEAD;
		!end.full
	}

	/// Bytes of chunks that the other side does not have.
	pub fn chunks_ahead(&mut self, id: ConnId, node: NodeId) -> usize {
		self.end(id, node).map_or(0, |(_, end)| end.chunks_ahead)
	}

	/// Opens a stream of chunks that begins with this.
	pub fn body(&mut self, id: ConnId, node: NodeId, prefix: Bytes) -> Option<BodyNo> {
		let (_, end) = self.end(id, node)?;
		let body = end.next_body;
		end.next_body += 1;
		end.bodies.insert(
			body,
			Out {
				prefix,
				..Out::default()
			},
		);
		Some(body)
	}

	/// Writes a chunk; whether it is the last.
	pub fn chunk(&mut self, id: ConnId, node: NodeId, body: BodyNo, data: Bytes, last: bool) {
		let Some((at, end)) = self.end(id, node) else { return };
		let Some(out) = end.bodies.get_mut(&body) else { return };
		end.chunks_ahead += data.len();
		let index = out.next;
		out.next += 1;
		out.last |= last;
		out.unacknowledged += 1;
		if out.pending.is_empty() {
			end.turns.push_back(body);
		}
		out.pending.push_back(Packet {
			conn: id,
			end: at as u8,
			body: Some(body),
			index,
			data,
			last,
			tries: 0,
		});
		self.ready(id, at);
	}

	/// Puts an end that has something to send in line.
	fn ready(&mut self, id: ConnId, at: usize) {
		let Some(conn) = self.conn(id) else { return };
		let end = &mut conn.ends[at];
		let node = end.node;
		let has = [
			!end.frames.pending.is_empty(),
			!end.turns.is_empty() && end.under_way < end.window,
		];
		let mut join = [false; 2];
		for kind in 0..2 {
			join[kind] = has[kind] && !end.waits[kind];
			end.waits[kind] |= has[kind];
		}
		let one = &mut self.nodes[node.0 as usize];
		if join[0] {
			one.frames.push_back((id, at));
		}
		if join[1] {
			one.chunks.push_back((id, at));
		}
		if !one.sending {
			self.send(node);
		}
	}

	/// Sends the next packet of a node, if there is one.
	fn send(&mut self, node: NodeId) {
		loop {
			let one = &mut self.nodes[node.0 as usize];
			let (kind, next) = match one.frames.pop_front() {
				Some(next) => (0, next),
				None => match one.chunks.pop_front() {
					Some(next) => (1, next),
					None => break,
				},
			};
			let (id, at) = next;
			let Some(conn) = self.conn(id) else { continue };
			let end = &mut conn.ends[at];
			end.waits[kind] = false;
			let packet = match kind {
				0 => end.frames.pending.pop_front(),
				_ => Self::next_chunk(end),
			};
			let other = conn.ends[1 - at].node;
			let Some(packet) = packet else { continue };
			let delay = self.delay(node, other);
			let one = &mut self.nodes[node.0 as usize];
			let length = packet.data.len() as u64 + 60;
			let took = length * SECOND * 100 / (one.line.up.max(1) * one.rate);
			one.sent += length;
			one.chunks_sent += if packet.body.is_some() { length } else { 0 };
			one.sending = true;
			let loss = one.line.loss_ppm + self.nodes[other.0 as usize].line.loss_ppm;
			let left = self.now + took;
			self.calendar.put(left, Event::Free(node));
			match self.rng.gen_ratio(loss.min(1_000_000), 1_000_000) {
				true => self.lose(packet, left, delay),
				false => self.calendar.put(left + delay, Event::Arrive(packet)),
			}
			// What follows is in line behind the others.
			self.ready(id, at);
			return;
		}
		self.nodes[node.0 as usize].sending = false;
	}

	fn next_chunk(end: &mut End) -> Option<Packet> {
		let body = end.turns.pop_front()?;
		let out = end.bodies.get_mut(&body)?;
		let packet = out.pending.pop_front()?;
		if !out.pending.is_empty() {
			end.turns.push_back(body);
		}
		end.under_way += 1;
		Some(packet)
	}

	/// The sender notices after a round trip and a bit, later each time.
	fn lose(&mut self, packet: Packet, left: Micros, delay: Micros) {
		let again = (2 * delay + delay / 2 + 10 * MS) << packet.tries.min(6);
		self.calendar.put(left + again.min(LONGEST_AGAIN), Event::Lost(packet));
	}

	/// What was planned happens. Nodes are told by [`Net::poll`].
	pub fn on(&mut self, event: Event) {
		match event {
			Event::Free(node) => {
				if self.is_alive(node) {
					self.send(node);
				} else {
					self.nodes[node.0 as usize].sending = false;
				}
			},
			Event::Arrive(packet) => self.arrive(packet),
			Event::Deliver(packet) => self.deliver(packet),
			Event::Acknowledged(chunk) => self.acknowledged(chunk),
			Event::Lost(packet) => self.lost(packet),
			Event::Answered(id) => self.answered(id),
			Event::Called(id) => {
				let Some(conn) = self.conn(id) else { return };
				let (from, to) = (conn.ends[0].node, conn.ends[1].node);
				let Some(conn) = self.conns[id.slot as usize].as_ref() else {
					return;
				};
				if self.reaches(&conn.ends[0], &conn.ends[1]) {
					if let Some(conn) = self.conn(id) {
						conn.ends[1].open = true;
					}
					self.told.push_back((to, Input::Called(id, from)));
				}
			},
			Event::Silent(id, at) => {
				let now = self.now;
				let Some(conn) = self.conn(id) else { return };
				if conn.ends[at].broken.is_some_and(|since| since + SILENCE <= now) {
					self.hang_up(id, at);
				}
			},
			Event::Reset(id, at) => self.hang_up(id, at),
			Event::Wake(node, life, conn) => {
				if self.is_alive(node) && self.life(node) == life {
					self.told.push_back((node, Input::Wake(conn)));
				}
			},
			Event::Fault(_) => {},
		}
	}

	fn hang_up(&mut self, id: ConnId, at: usize) {
		let Some(conn) = self.conn(id) else { return };
		let end = &conn.ends[at];
		if end.open {
			let node = end.node;
			self.drop_end(id, at);
			if self.is_alive(node) {
				self.told.push_back((node, Input::Gone(id)));
			}
		}
	}

	fn answered(&mut self, id: ConnId) {
		let Some(conn) = self.conns.get(id.slot as usize).and_then(Option::as_ref) else {
			return;
		};
		if conn.turn != id.turn || !conn.ends[0].open {
			return;
		}
		let (from, to) = (conn.ends[0].node, conn.ends[1].node);
		match self.reaches(&conn.ends[0], &conn.ends[1]) {
			true => {
				self.told.push_back((from, Input::Opened(id)));
				let delay = self.delay(from, to);
				self.calendar.put(self.now + delay, Event::Called(id));
			},
			false => self.hang_up(id, 0),
		}
	}

	fn arrive(&mut self, packet: Packet) {
		let Some(conn) = self.conns.get(packet.conn.slot as usize).and_then(Option::as_ref) else {
			return;
		};
		if conn.turn != packet.conn.turn {
			return;
		}
		let at = usize::from(packet.end);
		let (from, to) = (&conn.ends[at], &conn.ends[1 - at]);
		let (sender, receiver) = (from.node, to.node);
		let delay = self.delay(sender, receiver);
		if !self.reaches(from, to) {
			return self.lose(packet, self.now - delay, delay);
		}
		let one = &mut self.nodes[receiver.0 as usize];
		let length = packet.data.len() as u64 + 60;
		let took = length * SECOND * 100 / (one.line.down.max(1) * one.rate);
		if packet.body.is_none() {
			// Frames go first.
			one.down_free = one.down_free.max(self.now) + took;
			return self.calendar.put(self.now + took, Event::Deliver(packet));
		}
		let waits = one.down_free.saturating_sub(self.now);
		if waits > one.line.queue {
			return self.lose(packet, self.now - delay, delay);
		}
		one.down_free = self.now + waits + took;
		self.calendar.put(self.now + waits + took, Event::Deliver(packet));
	}

	fn deliver(&mut self, packet: Packet) {
		let (id, sender, bytes) = (packet.conn, usize::from(packet.end), packet.data.len());
		let mut here = std::mem::take(&mut self.here);
		let Some(conn) = self.conn(id) else {
			return self.here = here;
		};
		let (from, to) = (conn.ends[sender].node, conn.ends[1 - sender].node);
		if !conn.ends[1 - sender].open {
			return self.here = here;
		}
		match packet.body {
			None => {
				let ahead = &mut conn.ends[sender].frames_ahead;
				*ahead = ahead.saturating_sub(bytes);
				conn.ends[1 - sender].came.take(packet, &mut here);
				for frame in here.drain(..) {
					self.told.push_back((to, Input::Frame(id, frame.data)));
				}
				self.told.push_back((from, Input::Room(id)));
			},
			Some(body) => {
				let prefix = conn.ends[sender].bodies.get(&body).map(|out| out.prefix.clone());
				let end = &mut conn.ends[1 - sender];
				let (prefix, came) = end
					.bodies_came
					.entry(body)
					.or_insert_with(|| (prefix.unwrap_or_default(), In::default()));
				let known = prefix.clone();
				came.take(packet, &mut here);
				if here.iter().any(|chunk| chunk.last) {
					end.bodies_came.remove(&body);
				}
				for chunk in here.drain(..) {
					let input = Input::Chunk(id, body, known.clone(), chunk.data, chunk.last);
					self.told.push_back((to, input));
				}
				let delay = self.delay(from, to);
				let acknowledged = Acknowledged {
					conn: id,
					end: sender as u8,
					body,
					bytes,
				};
				self.calendar.put(self.now + delay, Event::Acknowledged(acknowledged));
			},
		}
		self.here = here;
	}

	fn acknowledged(&mut self, chunk: Acknowledged) {
		let (id, at, body) = (chunk.conn, usize::from(chunk.end), chunk.body);
		let Some(conn) = self.conn(id) else { return };
		let end = &mut conn.ends[at];
		if !end.open {
			return;
		}
		let node = end.node;
		end.under_way = end.under_way.saturating_sub(1);
		end.chunks_ahead = end.chunks_ahead.saturating_sub(chunk.bytes);
		end.grown += 1;
		if end.slow_start || end.grown >= end.window {
			end.grown = 0;
			end.window = (end.window + 1).min(MOST_WINDOW);
		}
		let mut arrived = false;
		if let Some(out) = end.bodies.get_mut(&body) {
			out.unacknowledged -= 1;
			arrived = out.last && out.unacknowledged == 0;
		}
		if arrived {
			end.bodies.remove(&body);
		}
		let room = std::mem::take(&mut end.full);
		if arrived {
			self.told.push_back((node, Input::Arrived(id, body)));
		}
		if room {
			self.told.push_back((node, Input::Room(id)));
		}
		self.ready(id, at);
	}

	fn lost(&mut self, packet: Packet) {
		let Some(conn) = self.conn(packet.conn) else { return };
		let (id, at) = (packet.conn, usize::from(packet.end));
		let end = &mut conn.ends[at];
		if !end.open {
			return;
		}
		let again = Packet {
			tries: packet.tries.saturating_add(1),
			..packet
		};
		match again.body {
			None => end.frames.pending.push_front(again),
			Some(body) => {
				end.under_way = end.under_way.saturating_sub(1);
				end.window = (end.window / 2).max(1);
				(end.slow_start, end.grown) = (false, 0);
				let Some(out) = end.bodies.get_mut(&body) else { return };
				if out.pending.is_empty() {
					end.turns.push_front(body);
				}
				out.pending.push_front(again);
			},
		}
		self.ready(id, at);
	}
}

impl In {
	/// Takes a packet; those that are in order by now.
	fn take(&mut self, packet: Packet, here: &mut Vec<Packet>) {
		if packet.index == self.next && self.early.is_empty() {
			self.next += 1;
			return here.push(packet);
		}
		self.early.insert(packet.index, packet);
		while let Some(packet) = self.early.remove(&self.next) {
			self.next += 1;
			here.push(packet);
		}
	}
}

#[cfg(test)]
mod tests;
