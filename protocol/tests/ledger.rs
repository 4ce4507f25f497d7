//! One relayer and one viewer in simulated time: lines of any delay and rate, on which words and chunks overtake each other and
//! which break; ranges that are fetched, cancelled, or late; viewers that do not pay, relayers that bill what they did not
//! deliver. Whatever happens: two that are honest come to an end with each other, to the byte; one that is honest loses no more than
//! its credit. `CLUSTERCAST_SEQUENCES` says how many are played (2,000), or which, as `17..18`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{
	receipt::{deliveries_root, Deliveries, SignedReceipt},
	Hash,
};
use clustercast_protocol::{
	relayer::{self, Outgoing, Quote, SendingId},
	viewer::{self, BodyId, Taken},
	wire::{range_prefix, Kind, ToViewer},
	Cursor, EncodedWindow, EndReason, Fault, Fetch, Follow, Payment, Range, RelayerSession, Terms, ViewerConfig,
	ViewerSession,
};
use codec::DecodeAll;
use fixture::{Broadcast, GENESIS};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	thread,
};

/// What time is counted in, milliseconds.
const TICK: u64 = 10;

/// A window each so many ticks.
const WINDOW: u64 = 20;

/// Longest that two who are honest may take to settle, once nothing more comes.
const SETTLED: u64 = 120_000 / TICK;

const CHUNK_LOG2: u8 = 12;

/// Who does not do as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cheat {
	Nobody,
	/// Takes what there is and pays nothing.
	NeverPays,
	/// Cancels whatever begins, and pays nothing.
	CancelsAll,
	/// Bills all of what was cut short.
	BillsWhole,
}

/// Chunks on their way.
struct Body {
	sending: SendingId,
	range: Range,
	/// What comes, and when.
	pieces: VecDeque<(u64, Bytes)>,
	/// When its end comes.
	ends: Option<u64>,
	taken: Option<BodyId>,
}

/// What came of a seed.
#[derive(Debug, Default)]
struct Outcome {
	reached: BTreeSet<&'static str>,
	/// Bytes that were paid, and that a break left unpaid.
	paid: u64,
	lost: u64,
}

struct Play {
	rng: ChaCha8Rng,
	cheat: Cheat,
	now: u64,
	windows: Vec<EncodedWindow>,
	credit: u32,
	interval: u32,
	/// Of what comes by itself.
	follow: Follow,
	/// Ticks that a word takes at least, and bytes that go out in one.
	delay: u64,
	rate: usize,
	relayer: RelayerSession,
	viewer: ViewerSession,
	down: VecDeque<(u64, Bytes)>,
	up: VecDeque<(u64, Bytes)>,
	writing: Option<Outgoing>,
	/// No more of it is of use.
	until: Option<u64>,
	bodies: Vec<Body>,
	fetches: VecDeque<(Fetch, u64)>,
	/// To be paid at this time.
	dues: VecDeque<(u64, viewer::Due)>,
	announced: Vec<EncodedWindow>,
	/// Bytes that were written, that came whole, and that receipts are for.
	written: u64,
	came: u64,
	billed: BTreeMap<Hash, u64>,
	/// Pieces that were cut, as they began.
	cut: BTreeMap<(Hash, u32), Range>,
	paid: u64,
	seen: BTreeSet<&'static str>,
	fault: Option<Fault>,
}

impl Play {
	fn new(seed: u64) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let mut broadcast = Broadcast {
			chunk_log2: CHUNK_LOG2,
			..Broadcast::default()
		};
		let windows = (0..rng.gen_range(2..10))
			.map(|n| {
				let bytes = rng.gen_range(1..60_000);
				broadcast.segment(&fixture::media(bytes, n))
			})
			.collect();
		let cheats = [Cheat::NeverPays, Cheat::CancelsAll, Cheat::BillsWhole];
		let cheat = match rng.gen_bool(0.3) {
			true => cheats[rng.gen_range(0..3)],
			false => Cheat::Nobody,
		};
		let follow = match rng.gen_bool(0.4) {
			true => Follow::Announcements,
			false => Follow::Windows,
		};
		let config = ViewerConfig {
			follow,
			..fixture::viewer_config()
		};
		let challenge = Hash(rng.gen());
		Self {
			cheat,
			now: 0,
			windows,
			credit: rng.gen_range(0..200_000),
			interval: rng.gen_range(0..150_000),
			follow,
			delay: rng.gen_range(0..40),
			rate: rng.gen_range(500..60_000),
			relayer: RelayerSession::new(GENESIS, challenge, vec![fixture::binding()]),
			viewer: ViewerSession::new(config),
			down: VecDeque::new(),
			up: VecDeque::new(),
			writing: None,
			until: None,
			bodies: Vec::new(),
			fetches: VecDeque::new(),
			dues: VecDeque::new(),
			announced: Vec::new(),
			written: 0,
			came: 0,
			billed: BTreeMap::new(),
			cut: BTreeMap::new(),
			paid: 0,
			seen: BTreeSet::new(),
			fault: None,
			rng,
		}
	}

	/// When something that is sent now arrives, on a line where it may overtake.
	fn arrival(&mut self) -> u64 {
		self.now + self.delay + self.rng.gen_range(0..=self.delay / 2 + 1)
	}

	/// On one stream nothing overtakes.
	fn behind(at: u64, last: Option<u64>) -> u64 {
		last.map_or(at, |last| at.max(last))
	}

	fn relayer_acts(&mut self) {
		while let Some(event) = self.relayer.poll_event() {
			match event {
				relayer::Event::Subscribed(_) => {
					let terms = Terms {
						credit: self.credit,
						interval: self.interval,
						..fixture::terms()
					};
					self.relayer.accept(terms, fixture::signer()).unwrap();
				},
				relayer::Event::Ticket(ticket) => {
					let commitment = ticket.message.commitment;
					self.relayer.paid(commitment).unwrap();
					self.paid += self.billed[&commitment];
				},
				relayer::Event::Fetch(fetch) => {
					let until = self.now + u64::from(fetch.within_ms) / TICK;
					self.fetches.push_back((fetch, until));
				},
				relayer::Event::Cancel(range) => {
					if let Some(at) = self.fetches.iter().position(|(fetch, _)| fetch.range == range) {
						self.fetches.remove(at);
						self.relayer.lacks(&range);
					}
					if let Some(outgoing) = &mut self.writing {
						if outgoing.range() == range {
							outgoing.cut();
						}
					}
				},
				relayer::Event::Voucher { .. } | relayer::Event::Reserve(_) => unreachable!("not asked for"),
			}
		}
		self.answer();
		// As a driver does, one at a time.
		let produced = usize::try_from(self.now / WINDOW).unwrap();
		if let Some(cursor) = self.relayer.wants() {
			let next = match cursor {
				Cursor::After { id, .. } => self.windows.iter().position(|window| window.id() > id),
				Cursor::Live { .. } => Some(0),
			};
			if let Some(window) = next
				.filter(|next| *next < produced)
				.map(|next| self.windows[next].clone())
			{
				match self.follow == Follow::Windows && self.is_too_much(&window, &window.range()) {
					true => self.relayer.settle(),
					false => drop(self.relayer.deliver(&window).unwrap()),
				}
			} else if self.rng.gen_bool(0.05) {
				self.relayer.settle();
			}
		}
		let owed = self.relayer.owed();
		let largest = self.windows.iter().map(|window| u64::from(window.header().bytes)).max();
		assert!(owed <= u64::from(self.credit).max(largest.unwrap()), "{owed} owed");
		self.write();
		self.relayer_speaks();
	}

	fn is_too_much(&self, window: &EncodedWindow, range: &Range) -> bool {
		self.relayer.quote(window, range).unwrap() == Quote::TooMuch
	}

	fn answer(&mut self) {
		while let Some((fetch, until)) = self.fetches.front().copied() {
			let window = self.windows.iter().find(|window| window.hash() == fetch.range.header);
			let window = window
				.filter(|window| self.relayer.has_new(window, &fetch.range))
				.cloned();
			let (Some(window), true) = (window, self.now < until) else {
				self.fetches.pop_front();
				self.relayer.lacks(&fetch.range);
				self.seen.insert("lacks");
				continue;
			};
			if !self.relayer.may_send() {
				return;
			}
			if self.is_too_much(&window, &fetch.range) {
				self.relayer.settle();
				return;
			}
			self.fetches.pop_front();
			self.relayer.send(&window, &fetch).unwrap();
		}
	}

	fn write(&mut self) {
		if self.writing.is_none() {
			self.writing = self.relayer.poll_sending();
			let within = self.writing.as_ref().and_then(Outgoing::within_ms);
			self.until = within.map(|ms| self.now + u64::from(ms) / TICK);
		}
		let Some(mut outgoing) = self.writing.take() else {
			return;
		};
		if self.until.is_some_and(|until| self.now >= until) {
			outgoing.cut();
			self.seen.insert("late");
		}
		let [prefix, data] = outgoing.rest();
		let first = prefix.len().min(self.rate);
		let length = data.len().min(self.rate - first);
		if first + length > 0 {
			outgoing.advance(first + length);
			let at = self.arrival();
			let id = outgoing.id();
			if !self.bodies.iter().any(|body| body.sending == id) {
				self.bodies.push(Body {
					sending: id,
					range: outgoing.range(),
					pieces: VecDeque::new(),
					ends: None,
					taken: None,
				});
			}
			let body = self.bodies.iter_mut().find(|body| body.sending == id).unwrap();
			let at = Self::behind(at, body.pieces.back().map(|(at, _)| *at));
			body.pieces.push_back((at, data.slice(..length)));
		}
		if !outgoing.is_over() {
			self.writing = Some(outgoing);
			return;
		}
		let (id, range, chunks) = (outgoing.id(), outgoing.range(), outgoing.chunks());
		if chunks < range.count {
			self.seen.insert(if chunks == 0 { "not begun" } else { "cut" });
			self.cut.insert((range.header, range.first), range);
		}
		let at = self.arrival();
		if let Some(body) = self.bodies.iter_mut().find(|body| body.sending == id) {
			body.ends = Some(Self::behind(at, body.pieces.back().map(|(at, _)| *at)));
		}
		let window = self
			.windows
			.iter()
			.find(|window| window.hash() == range.header)
			.unwrap();
		let sent = window.chunks(range.first, chunks).map_or(0, |sent| sent.len() as u64);
		self.written += sent;
		self.relayer.sent(id, chunks);
	}

	fn relayer_speaks(&mut self) {
		while let Some(mut frame) = self.relayer.poll_transmit() {
			if frame[4] == Kind::Receipt as u8 {
				let (signed, deliveries): (SignedReceipt, Deliveries) =
					DecodeAll::decode_all(&mut &frame[5..]).unwrap();
				self.billed.insert(signed.message.commitment, signed.message.bytes);
				if self.cheat == Cheat::BillsWhole {
					frame = self.bill_whole(signed, deliveries);
				}
			}
			let at = self.arrival();
			let at = Self::behind(at, self.down.back().map(|(at, _)| *at));
			self.down.push_back((at, frame));
		}
	}

	/// As if nothing had been cut short.
	fn bill_whole(&mut self, signed: SignedReceipt, mut deliveries: Deliveries) -> Bytes {
		let mut receipt = signed.message;
		for delivery in deliveries.iter_mut() {
			let Some(range) = self.cut.get(&(delivery.header, delivery.first)) else {
				continue;
			};
			let window = self
				.windows
				.iter()
				.find(|window| window.hash() == range.header)
				.unwrap();
			let of = |count: u32| window.chunks(range.first, count).unwrap().len() as u64;
			receipt.bytes += of(range.count) - of(delivery.count);
			delivery.count = range.count;
			let leaves = &window.leaves()[range.first as usize..(range.first + range.count) as usize];
			delivery.delivered = clustercast_primitives::merkle::root(leaves);
			self.seen.insert("bills whole");
		}
		receipt.root = deliveries_root(&deliveries);
		ToViewer::Receipt(fixture::relayer_key().sign(receipt, &GENESIS), deliveries).to_frame()
	}

	fn carry(&mut self) {
		while self.down.front().is_some_and(|(at, _)| *at <= self.now) {
			let (_, frame) = self.down.pop_front().unwrap();
			if let Err(fault) = self.viewer.handle(&frame) {
				self.fault = Some(fault);
			}
		}
		let mut bodies = std::mem::take(&mut self.bodies);
		bodies.retain_mut(|body| {
			let due = body.pieces.front().is_some_and(|(at, _)| *at <= self.now) || body.taken.is_some();
			if !due || self.fault.is_some() {
				return true;
			}
			let id = match body.taken {
				Some(id) => id,
				None => match self
					.viewer
					.begin_chunks(&range_prefix(&body.range)[..].try_into().unwrap())
				{
					Ok(Taken::As(id)) => *body.taken.insert(id),
					Ok(Taken::NotYet) => {
						self.seen.insert("overtakes");
						return true;
					},
					Err(fault) => {
						self.fault = Some(fault);
						return false;
					},
				},
			};
			while body.pieces.front().is_some_and(|(at, _)| *at <= self.now) {
				let (_, bytes) = body.pieces.pop_front().unwrap();
				self.viewer.chunks(id, &bytes).unwrap();
				self.came += bytes.len() as u64;
			}
			let ended = body.pieces.is_empty() && body.ends.is_some_and(|at| at <= self.now);
			if ended {
				if let Err(fault) = self.viewer.end_chunks(id, true) {
					self.fault = Some(fault);
				}
				self.relayer.arrived(body.sending);
			}
			!ended
		});
		// Of what began meanwhile there is nothing.
		self.bodies = bodies;
		while self.up.front().is_some_and(|(at, _)| *at <= self.now) {
			let (_, frame) = self.up.pop_front().unwrap();
			self.relayer.handle(&frame).unwrap();
		}
	}

	fn viewer_acts(&mut self, quiet: bool) {
		while let Some(event) = self.viewer.poll_event() {
			match event {
				viewer::Event::Challenged(subscription) => {
					self.viewer
						.subscribe(fixture::session_key().sign(subscription, &GENESIS));
				},
				viewer::Event::Announced(of) => {
					let window = self.windows.iter().find(|window| window.hash() == of.hash()).unwrap();
					self.announced.push(window.clone());
					if self.cheat == Cheat::CancelsAll {
						self.viewer.cancel(of.range());
					}
				},
				viewer::Event::PaymentDue(due) if !matches!(self.cheat, Cheat::NeverPays | Cheat::CancelsAll) => {
					let at = self.now + self.rng.gen_range(0..30);
					self.dues.push_back((at, due));
				},
				viewer::Event::Skipped(_) => drop(self.seen.insert("skipped")),
				viewer::Event::Chunks(_) => drop(self.seen.insert("fetched")),
				_ => {},
			}
		}
		let often = if self.cheat == Cheat::BillsWhole { 0.5 } else { 0.1 };
		if !quiet && self.fault.is_none() && !self.announced.is_empty() && self.rng.gen_bool(often) {
			// Mostly the newest.
			let oldest = self
				.announced
				.len()
				.saturating_sub(if self.rng.gen_bool(0.7) { 1 } else { 10 });
			let window = &self.announced[self.rng.gen_range(oldest..self.announced.len())];
			let chunks = window.header().chunks;
			let first = self.rng.gen_range(0..chunks);
			let range = Range {
				first,
				count: self.rng.gen_range(1..=chunks - first),
				..window.range()
			};
			match self.rng.gen_bool(0.6) {
				true => {
					let within_ms = self.rng.gen_range(0..3_000);
					self.viewer.fetch(Fetch { range, within_ms });
				},
				false => {
					let whole = window.range();
					self.viewer.cancel(whole);
				},
			}
		}
		while self.dues.front().is_some_and(|(at, _)| *at <= self.now) {
			let (_, due) = self.dues.pop_front().unwrap();
			let ticket = fixture::ticket(&due);
			let _ = self.viewer.pay(&due, Payment::Ticket(ticket));
		}
		while let Some(frame) = self.viewer.poll_transmit() {
			let at = self.arrival();
			let at = Self::behind(at, self.up.back().map(|(at, _)| *at));
			self.up.push_back((at, frame));
		}
	}

	fn tick(&mut self, quiet: bool) {
		self.relayer_acts();
		self.carry();
		self.viewer_acts(quiet);
		self.now += 1;
		self.viewer.set_latest_start(fixture::LATEST_START_MS + self.now * TICK);
	}

	fn is_settled(&self) -> bool {
		let idle = self.writing.is_none() && self.bodies.is_empty() && self.fetches.is_empty();
		let said = self.down.is_empty() && self.up.is_empty();
		idle && said && self.relayer.owed() == 0 && !self.viewer.owes()
	}

	fn run(mut self) -> Outcome {
		// The line breaks at some time, or not.
		let all = (self.windows.len() as u64 + 2) * WINDOW;
		let breaks = self.rng.gen_bool(0.3).then(|| self.rng.gen_range(0..2 * all));
		while self.now < all + 100 && breaks.is_none_or(|at| self.now < at) && self.fault.is_none() {
			self.tick(false);
		}
		if breaks.is_none() && self.fault.is_none() && self.cheat == Cheat::Nobody {
			self.viewer.leave();
			let begun = self.now;
			while !self.is_settled() {
				self.tick(true);
				assert!(self.fault.is_none(), "{:?}", self.fault);
				assert!(
					self.now < begun + SETTLED,
					"{} owed, {} of {} written paid",
					self.relayer.owed(),
					self.paid,
					self.written
				);
			}
			// Some of it with the tickets before, which were for whole units.
			let billed: u64 = self.billed.values().sum();
			assert_eq!((billed, self.came), (self.written, self.written));
			assert!(self.paid > 0 || self.written == 0);
			self.relayer.end(EndReason::Finished);
			self.seen.insert("settled");
		}
		match (self.cheat, &self.fault) {
			(Cheat::BillsWhole, Some(Fault::BadReceipt { .. })) => drop(self.seen.insert("caught")),
			(_, None) => {},
			(cheat, fault) => panic!("{cheat:?}: {fault:?}"),
		}
		// Nobody pays what did not come.
		assert!(self.paid <= self.came);
		if let Cheat::NeverPays | Cheat::CancelsAll = self.cheat {
			assert_eq!(self.paid, 0);
			self.seen.insert("cheated");
		}
		Outcome {
			reached: self.seen,
			paid: self.paid,
			lost: self.relayer.owed(),
		}
	}
}

/// Which are played: the first so many, or what the environment says.
fn sequences() -> std::ops::Range<u64> {
	match std::env::var("CLUSTERCAST_SEQUENCES") {
		Err(_) => 0..2_000,
		Ok(text) => match text.split_once("..") {
			None => 0..text.parse().unwrap(),
			Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
		},
	}
}

#[test]
fn two_who_are_honest_settle_to_the_byte_and_one_who_is_loses_its_credit_at_most() {
	let all = sequences();
	let (from, to) = (all.start, all.end);
	let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
	let workers: Vec<_> = (0..threads)
		.map(|worker| {
			let mine = (from + worker..to).step_by(threads as usize);
			thread::spawn(move || {
				mine.map(|seed| {
					std::panic::catch_unwind(|| Play::new(seed).run()).unwrap_or_else(|_| panic!("sequence {seed}"))
				})
				.collect::<Vec<_>>()
			})
		})
		.collect();
	let outcomes: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
	let reached: BTreeSet<_> = outcomes
		.iter()
		.flat_map(|outcome| outcome.reached.iter().copied())
		.collect();
	let (paid, lost) = outcomes
		.iter()
		.fold((0, 0), |(paid, lost), one| (paid + one.paid, lost + one.lost));
	println!(
		"{} sequences: {paid} bytes paid, {lost} left unpaid by breaks and cheats; {reached:?}",
		to - from
	);
	if to - from >= 2_000 {
		let expected = [
			"bills whole",
			"caught",
			"cheated",
			"cut",
			"fetched",
			"lacks",
			"late",
			"not begun",
			"overtakes",
			"settled",
			"skipped",
		];
		assert!(reached.iter().eq(&expected), "{reached:?}");
	}
}
