//! What must hold whatever happens, checked at each event from outside: by the frames and chunks that pass, by what nodes hand on, and by
//! what the chain pays. It knows the broadcast, and which nodes are honest; it does not look into their machines.

use crate::{
	calendar::{Micros, SECOND},
	chain::{Chain, GENESIS},
	net::{BodyNo, ConnId, NodeId},
};
use bytes::Bytes;
use clustercast_primitives::{amount, AccountId, Balance, Hash, PublicKey, SignedTicket, WindowId};
use clustercast_protocol::{
	wire::{read_range, Kind, RequestDecoder, ToRelayer, PREFIX_BYTES, RANGE_BYTES},
	EncodedWindow, EndReason, Range,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Notes that are kept: what led to a violation.
const NOTES: usize = 200_000;

/// Who failed rests for so long at least.
const REST: Micros = SECOND;

/// Who misses somebody calls one, and perhaps asks another.
const AT_ONCE: usize = 2;

/// What a relayer that is honest loses at most, and a viewer may owe it: as it was told.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
	/// Micro-USDC per 10^9 bytes.
	pub price: u64,
	/// What it may lose to strangers in an hour, micro-USDC.
	pub per_hour: Balance,
	/// Bytes that one account may owe or have left unpaid.
	pub of_one: u64,
	/// Bytes that a subscription may owe, where it owes more than one window.
	pub credit: u64,
	/// Whom the chain pays.
	pub recipient: AccountId,
}

#[derive(Debug, Default)]
struct Seen {
	honest: bool,
	policy: Option<Policy>,
	/// What it handed on last.
	last: Option<WindowId>,
	/// It may go on behind a gap.
	may_skip: bool,
	/// When it called somebody last, and how many then.
	called: (Micros, usize),
	/// Who failed, and when.
	failed: BTreeMap<NodeId, Micros>,
	/// Caught at a fault.
	caught: BTreeSet<NodeId>,
	/// Winners that it acknowledged, and what of them it counts as income.
	won: BTreeMap<(PublicKey, u64), Balance>,
	income: Balance,
	/// Of its life by now.
	life: u32,
	unpaid: u64,
	unpaid_of: BTreeMap<NodeId, u64>,
	subscriptions: u64,
}

#[derive(Debug)]
struct Line {
	viewer: NodeId,
	relayer: NodeId,
	life: u32,
	/// Bytes of chunks that the relayer wrote.
	written: u64,
	/// Those that came and are the broadcaster's.
	good: u64,
	/// What the viewer signed for: bytes.
	signed: u64,
	/// What of it the relayer acknowledged.
	paid: u64,
	payments: BTreeMap<Hash, Payment>,
	bodies: BTreeMap<BodyNo, u32>,
	written_of: BTreeMap<BodyNo, u32>,
}

#[derive(Debug)]
enum Payment {
	Ticket(Box<SignedTicket>),
	/// Whose, for whom, and for how many bytes in all.
	Voucher(PublicKey, AccountId, u64),
}

impl Line {
	fn unpaid(&self) -> u64 {
		self.written.saturating_sub(self.paid)
	}
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
	/// When.
	pub at: Micros,
	/// By whom.
	pub node: NodeId,
	/// With whom, where somebody else is concerned.
	pub with: Option<NodeId>,
	/// Which rule.
	pub rule: Rule,
	/// What was seen.
	pub what: String,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
	/// What an honest node hands on or sends is the broadcaster's.
	Unverified,
	/// Windows leave in their order, once, without a gap that nothing explains.
	Order,
	/// Nobody signs for more than what came.
	Overpaid,
	/// Nothing is paid, acknowledged or counted twice.
	Twice,
	/// A payment is acknowledged only if it is good, and then it is kept; an honest one is good.
	Kept,
	/// A relayer loses no more than it was told.
	Loss,
	/// What waits is bounded.
	Bound,
	/// Who was caught is not called again, and nobody is called all the time.
	Calls,
	/// Once nothing fails any more, everybody plays.
	Alive,
}

#[derive(Clone, Copy, Debug)]
struct Note {
	at: Micros,
	node: NodeId,
	what: &'static str,
	one: u64,
	other: u64,
}

impl Note {
	fn line(&self) -> String {
		let Self {
			at,
			node,
			what,
			one,
			other,
		} = self;
		format!("{:>10.6} s  node {:<3} {what} {one} {other}", *at as f64 / 1e6, node.0)
	}

	/// Whether it is about this node and nobody else.
	fn is_of(&self, node: NodeId) -> bool {
		self.node == node && !self.what.ends_with("and to")
	}
}

/// See the module.
#[derive(Debug, Default)]
pub struct Audit {
	/// Off where only figures are wanted.
	pub on: bool,
	truth: BTreeMap<Hash, EncodedWindow>,
	nodes: BTreeMap<NodeId, Seen>,
	lines: BTreeMap<ConnId, Line>,
	/// Which receipt a nonce was used for.
	nonces: BTreeMap<(PublicKey, AccountId, u64), Hash>,
	/// Bytes of the highest voucher of a session for a recipient: that was signed, and that was acknowledged.
	vouchers: BTreeMap<(PublicKey, AccountId), [u64; 2]>,
	notes: VecDeque<Note>,
	violation: Option<Violation>,
	/// By now.
	pub now: Micros,
}

impl Audit {
	/// The first one.
	pub fn violation(&self) -> Option<&Violation> {
		self.violation.as_ref()
	}

	/// What happened last between those who are concerned.
	pub fn trace(&self, most: usize) -> Vec<String> {
		let concerned = self
			.violation
			.as_ref()
			.map(|violation| (violation.node, violation.with));
		let about = |note: &&Note| match concerned {
			None => true,
			Some((node, None)) => note.node == node,
			Some((node, Some(with))) => {
				let one = (note.node, note.other);
				one == (node, with.0.into()) || one == (with, node.0.into()) || note.is_of(node) || note.is_of(with)
			},
		};
		let notes: Vec<&Note> = self.notes.iter().filter(about).collect();
		let notes = notes.iter().skip(notes.len().saturating_sub(most));
		notes.map(|note| note.line()).collect()
	}

	/// What happened to a node from then on.
	pub fn trace_of(&self, node: NodeId, from: Micros, most: usize) -> Vec<String> {
		let notes = self.notes.iter().filter(|note| note.at >= from && note.is_of(node));
		notes.take(most).map(Note::line).collect()
	}

	/// Remembers what happened, for the trace.
	pub fn note(&mut self, node: NodeId, what: &'static str, one: u64, other: u64) {
		if !self.on {
			return;
		}
		if self.notes.len() >= NOTES {
			self.notes.pop_front();
		}
		let at = self.now;
		self.notes.push_back(Note {
			at,
			node,
			what,
			one,
			other,
		});
	}

	/// This must not be; the first counts.
	pub fn violate(&mut self, node: NodeId, rule: Rule, what: impl Into<String>) {
		self.violate_with(node, None, rule, what);
	}

	fn violate_with(&mut self, node: NodeId, with: Option<NodeId>, rule: Rule, what: impl Into<String>) {
		let (at, what) = (self.now, what.into());
		self.violation.get_or_insert(Violation {
			at,
			node,
			with,
			rule,
			what,
		});
	}

	/// A node takes part.
	pub fn join(&mut self, node: NodeId, honest: bool, policy: Option<Policy>) {
		let seen = Seen {
			honest,
			policy,
			..Seen::default()
		};
		self.nodes.insert(node, seen);
	}

	/// Whether a node does what it should.
	pub fn is_honest(&self, node: NodeId) -> bool {
		self.nodes.get(&node).is_some_and(|seen| seen.honest)
	}

	/// The broadcaster has signed this.
	pub fn signed(&mut self, window: &EncodedWindow) {
		if self.on {
			self.truth.insert(window.hash(), window.clone());
		}
	}

	/// A node begins: what it knew before, it does not know.
	pub fn begins(&mut self, node: NodeId, life: u32) {
		self.note(node, "begins, life", life.into(), 0);
		if let Some(seen) = self.nodes.get_mut(&node) {
			(seen.life, seen.unpaid, seen.subscriptions) = (life, 0, 0);
			seen.unpaid_of.clear();
			(seen.last, seen.may_skip) = (None, true);
			seen.caught.clear();
			seen.failed.clear();
		}
	}

	/// A node calls another.
	pub fn called(&mut self, node: NodeId, other: NodeId) {
		if !self.on {
			return;
		}
		self.note(node, "calls", other.0.into(), 0);
		let now = self.now;
		let Some(seen) = self.nodes.get_mut(&node).filter(|seen| seen.honest) else {
			return;
		};
		seen.called = match seen.called {
			(at, count) if at == now => (at, count + 1),
			_ => (now, 1),
		};
		if seen.called.1 > AT_ONCE {
			let what = format!("calls {} at once", seen.called.1);
			return self.violate(node, Rule::Calls, what);
		}
		let soon = seen.failed.get(&other).is_some_and(|at| now < at + REST);
		let caught = seen.caught.contains(&other);
		if soon {
			self.violate(
				node,
				Rule::Calls,
				format!("calls node {} again as soon as it has failed", other.0),
			);
		}
		if caught {
			self.violate(
				node,
				Rule::Calls,
				format!("calls node {} again, which it has caught", other.0),
			);
		}
	}

	/// A node has given another up, for now.
	pub fn failed(&mut self, node: NodeId, other: NodeId) {
		let now = self.now;
		if let Some(seen) = self.nodes.get_mut(&node).filter(|_| self.on) {
			seen.failed.insert(other, now);
		}
	}

	/// How often somebody was caught.
	pub fn all_caught(&self) -> usize {
		self.nodes.values().map(|seen| seen.caught.len()).sum()
	}

	/// A node has caught another.
	pub fn caught(&mut self, node: NodeId, other: NodeId) {
		self.note(node, "has caught", other.0.into(), 0);
		if self.on && self.is_honest(other) && self.is_honest(node) {
			self.violate(
				node,
				Rule::Calls,
				format!("has caught node {}, which is honest", other.0),
			);
		}
		if let Some(seen) = self.nodes.get_mut(&node) {
			seen.caught.insert(other);
		}
	}

	/// A subscription begins to be served.
	pub fn serves(&mut self, conn: ConnId, relayer: NodeId, viewer: NodeId) {
		if !self.on {
			return;
		}
		let seen = self.nodes.entry(relayer).or_default();
		seen.subscriptions += 1;
		let life = seen.life;
		self.lines.insert(
			conn,
			Line {
				viewer,
				relayer,
				life,
				written: 0,
				good: 0,
				signed: 0,
				paid: 0,
				payments: BTreeMap::new(),
				bodies: BTreeMap::new(),
				written_of: BTreeMap::new(),
			},
		);
	}

	/// A node sends a frame.
	pub fn frame(&mut self, node: NodeId, conn: ConnId, frame: &Bytes) {
		if !self.on {
			return;
		}
		let kind = frame.get(PREFIX_BYTES - 1).copied().unwrap_or(0);
		let other = self.lines.get(&conn).map_or(0, |line| {
			if line.viewer == node {
				line.relayer.0
			} else {
				line.viewer.0
			}
		});
		self.note(node, "sends a frame, of kind and to", kind.into(), other.into());
		if kind == Kind::Ticket as u8 || kind == Kind::Voucher as u8 {
			if let Ok(Some(message)) = RequestDecoder::default().poll(&mut &frame[..]) {
				self.payment(node, conn, message);
			}
		}
		if kind == Kind::Paid as u8 {
			let commitment = frame
				.get(PREFIX_BYTES..)
				.and_then(|hash| hash.try_into().ok())
				.map(Hash);
			if let Some(commitment) = commitment {
				self.acknowledges(node, conn, commitment);
			}
		}
	}

	fn payment(&mut self, node: NodeId, conn: ConnId, message: ToRelayer) {
		let honest = self.is_honest(node);
		let Some(line) = self.lines.get(&conn) else { return };
		let price = self
			.nodes
			.get(&line.relayer)
			.and_then(|seen| seen.policy)
			.map_or(0, |policy| policy.price);
		let (commitment, bytes, payment) = match message {
			ToRelayer::Ticket(signed) => {
				let ticket = &signed.message;
				let used = (ticket.session, ticket.recipient, ticket.nonce);
				let before = self.nonces.insert(used, ticket.commitment);
				if honest && before.is_some_and(|before| before != ticket.commitment) {
					self.violate(node, Rule::Twice, format!("uses nonce {} twice", ticket.nonce));
				}
				let fair = amount::win_probability(ticket.bytes, price, ticket.face_value);
				if honest && fair.is_none_or(|fair| ticket.win_probability > fair) {
					self.violate(node, Rule::Overpaid, "a ticket is worth more than its bytes");
				}
				(ticket.commitment, ticket.bytes, Payment::Ticket(Box::new(signed)))
			},
			ToRelayer::Voucher(commitment, signed) => {
				let voucher = &signed.message;
				if honest && voucher.amount > amount::cost(voucher.bytes, price) {
					self.violate(node, Rule::Overpaid, "a voucher owes more than its bytes cost");
				}
				let [before, _] = self.vouchers.entry((voucher.session, voucher.recipient)).or_default();
				let bytes = voucher.bytes.saturating_sub(*before);
				*before = voucher.bytes.max(*before);
				let payment = Payment::Voucher(voucher.session, voucher.recipient, voucher.bytes);
				(commitment, bytes, payment)
			},
			_ => return,
		};
		let Some(line) = self.lines.get_mut(&conn) else { return };
		let again = line.payments.insert(commitment, payment).is_some();
		line.signed += bytes;
		let (signed, good) = (line.signed, line.good);
		if honest && again {
			self.violate(node, Rule::Twice, "pays a receipt twice");
		}
		// Counted in units.
		if honest && signed > amount::ticket_bytes(good) {
			self.violate(
				node,
				Rule::Overpaid,
				format!("has signed for {signed} bytes, and {good} came"),
			);
		}
	}

	/// A relayer says that a payment is good.
	fn acknowledges(&mut self, node: NodeId, conn: ConnId, commitment: Hash) {
		let Some(line) = self.lines.get_mut(&conn) else { return };
		let before = line.unpaid();
		let Some(payment) = line.payments.remove(&commitment) else {
			return self.violate(node, Rule::Twice, "acknowledges what was not paid, or was before");
		};
		line.paid += match &payment {
			Payment::Ticket(ticket) => ticket.message.bytes,
			Payment::Voucher(session, recipient, bytes) => {
				let [_, before] = self.vouchers.entry((*session, *recipient)).or_default();
				let more = bytes.saturating_sub(*before);
				*before = (*before).max(*bytes);
				more
			},
		};
		let (viewer, life, after) = (line.viewer, line.life, line.unpaid());
		self.owed(node, viewer, life, before, after);
		let policy = self
			.nodes
			.get(&node)
			.filter(|seen| seen.honest)
			.and_then(|seen| seen.policy);
		if let (Payment::Ticket(ticket), Some(policy)) = (payment, policy) {
			let message = &ticket.message;
			let fair = amount::win_probability(message.bytes, policy.price, message.face_value);
			let good = ticket.verify(&message.session, &GENESIS).is_ok()
				&& message.recipient == policy.recipient
				&& Some(message.win_probability) == fair;
			if !good {
				self.violate(node, Rule::Kept, "acknowledges a payment that is not good");
			}
		}
	}

	fn owed(&mut self, relayer: NodeId, viewer: NodeId, life: u32, before: u64, after: u64) {
		let Some(seen) = self.nodes.get_mut(&relayer) else {
			return;
		};
		let Some(policy) = seen.policy.filter(|_| seen.honest && seen.life == life) else {
			return;
		};
		seen.unpaid = (seen.unpaid + after).saturating_sub(before);
		let of_one = seen.unpaid_of.entry(viewer).or_default();
		*of_one = (*of_one + after).saturating_sub(before);
		let (all, one) = (amount::cost(seen.unpaid, policy.price), *of_one);
		// Each receipt is rounded up by less than a unit, and each sum by less than a micro-USDC.
		let rounded = u64::from(amount::TICKET_BYTES as u32);
		let slack = amount::cost(rounded * seen.subscriptions, policy.price) + Balance::from(seen.subscriptions);
		if all > policy.per_hour + slack {
			self.violate(
				relayer,
				Rule::Loss,
				format!("{all} micro-USDC are not paid; {} may be", policy.per_hour),
			);
		}
		if one > policy.of_one + rounded {
			let most = policy.of_one;
			self.violate(
				relayer,
				Rule::Loss,
				format!("node {} has not paid {one} bytes; {most} may be", viewer.0),
			);
		}
	}

	/// A chunk of a window, by the prefix of its stream and how many came before it.
	fn is_true(&self, range: &Range, index: u32, data: &[u8]) -> bool {
		let window = self.truth.get(&range.header);
		let chunk = window.and_then(|window| window.chunks(range.first.saturating_add(index), 1));
		chunk.is_some_and(|chunk| chunk == data)
	}

	/// A node writes a chunk.
	pub fn writes(&mut self, node: NodeId, conn: ConnId, body: BodyNo, prefix: &Bytes, data: &Bytes) {
		if !self.on {
			return;
		}
		let Some(range) = range(prefix) else { return };
		let to = self.lines.get(&conn).map_or(0, |line| line.viewer.0);
		self.note(node, "writes a chunk, of bytes and to", data.len() as u64, to.into());

		let Some(line) = self.lines.get_mut(&conn) else { return };
		let index = line.written_of.entry(body).or_default();
		let at = *index;
		*index += 1;
		let before = line.unpaid();
		line.written += data.len() as u64;
		let (viewer, life, after) = (line.viewer, line.life, line.unpaid());
		if self.is_honest(node) && !self.is_true(&range, at, data) {
			self.violate(node, Rule::Unverified, "sends what the broadcaster did not sign");
		}
		let policy = self.nodes.get(&node).and_then(|seen| seen.policy);
		if let Some(policy) = policy.filter(|_| self.is_honest(node)) {
			// One window may be larger than all credit.
			let window = self
				.truth
				.get(&range.header)
				.map_or(0, |window| u64::from(window.header().bytes));
			if after > policy.credit.max(window) + amount::TICKET_BYTES {
				let what = format!("{after} bytes go out to node {} ahead of payment", viewer.0);
				self.violate_with(node, Some(viewer), Rule::Loss, what);
			}
		}
		self.owed(node, viewer, life, before, after);
	}

	/// A chunk comes.
	pub fn came(&mut self, conn: ConnId, body: BodyNo, prefix: &Bytes, data: &Bytes) {
		if !self.on {
			return;
		}
		let Some(range) = range(prefix) else { return };
		let Some(line) = self.lines.get_mut(&conn) else { return };
		let index = line.bodies.entry(body).or_default();
		let at = *index;
		*index += 1;
		if self.is_true(&range, at, data) {
			if let Some(line) = self.lines.get_mut(&conn) {
				line.good += data.len() as u64;
			}
		}
	}

	/// A node hands a window on: to a player, or into its cache.
	pub fn handed_on(&mut self, node: NodeId, id: WindowId, header: &Hash, data: &[u8]) {
		if !self.on {
			return;
		}
		self.note(node, "hands on window", id.segment, data.len() as u64);
		let truth = self.truth.get(header);
		if truth.is_none_or(|window| window.id() != id || window.data() != data) {
			return self.violate(
				node,
				Rule::Unverified,
				format!("hands on {id}, which is not the broadcaster's"),
			);
		}
		let Some(seen) = self.nodes.get_mut(&node) else { return };
		let last = seen.last.replace(id);
		let skips = std::mem::take(&mut seen.may_skip);
		// A run that begins anew may begin anywhere.
		let expected = last.filter(|last| last.epoch == id.epoch).map(|last| last.segment + 1);
		if last.is_some_and(|last| id <= last) {
			self.violate(node, Rule::Order, format!("hands on {id} again"));
		} else if !skips && expected.is_some_and(|next| id.segment != next) {
			self.violate(
				node,
				Rule::Order,
				format!("hands on {id} behind a gap that nothing explains"),
			);
		}
	}

	/// A node takes some chunks of a window.
	pub fn sampled(&mut self, node: NodeId, range: &Range, data: &[u8]) {
		if !self.on {
			return;
		}
		let window = self.truth.get(&range.header);
		let chunks = window.and_then(|window| window.chunks(range.first, range.count));
		if chunks.is_none_or(|chunks| chunks != data) {
			self.violate(node, Rule::Unverified, "takes chunks that are not the broadcaster's");
		}
	}

	/// A node has a reason for a gap.
	pub fn may_skip(&mut self, node: NodeId) {
		if let Some(seen) = self.nodes.get_mut(&node) {
			seen.may_skip = true;
		}
	}

	/// A relayer does not take what a viewer paid.
	pub fn refuses(&mut self, node: NodeId, viewer: NodeId, why: EndReason) {
		if self.on && self.is_honest(node) && self.is_honest(viewer) {
			let what = format!("refuses a payment of node {}, which is honest: {why}", viewer.0);
			self.violate_with(node, Some(viewer), Rule::Kept, what);
		}
	}

	/// A relayer has accepted a winner, and is about to say so.
	pub fn won(&mut self, node: NodeId, ticket: &SignedTicket) {
		if !self.on {
			return;
		}
		let message = &ticket.message;
		let Some(seen) = self.nodes.get_mut(&node) else { return };
		let place = (message.session, message.nonce);
		if seen.won.insert(place, message.face_value).is_some() {
			self.violate(node, Rule::Twice, format!("takes nonce {} twice", message.nonce));
		}
	}

	/// Winners that a relayer has, as it begins, that are not redeemed.
	pub fn keeps(&mut self, node: NodeId, keeps: &BTreeSet<(PublicKey, u64)>) {
		if !self.on {
			return;
		}
		let Some(seen) = self.nodes.get(&node) else { return };
		let lost = seen.won.keys().filter(|place| !keeps.contains(place)).count();
		if lost > 0 {
			self.violate(
				node,
				Rule::Kept,
				format!("has lost {lost} winners that it acknowledged"),
			);
		}
	}

	/// A relayer was paid by the chain, it thinks.
	pub fn income(&mut self, node: NodeId, amount: Balance, chain: &Chain) {
		if !self.on {
			return;
		}
		let Some(seen) = self.nodes.get_mut(&node) else { return };
		seen.income += amount;
		let Some(policy) = seen.policy else { return };
		let (income, paid) = (seen.income, chain.paid(&policy.recipient));
		if income > paid {
			self.violate(
				node,
				Rule::Twice,
				format!("counts {income} micro-USDC as income; the chain paid {paid}"),
			);
		}
	}

	/// So much of something waits at a node.
	pub fn bound(&mut self, node: NodeId, what: &str, waits: usize, most: usize) {
		if self.on && waits > most {
			self.violate(node, Rule::Bound, format!("{waits} {what}; {most} at most"));
		}
	}
}

fn range(prefix: &Bytes) -> Option<Range> {
	let prefix: &[u8; RANGE_BYTES] = prefix.get(..)?.try_into().ok()?;
	Some(read_range(prefix))
}
