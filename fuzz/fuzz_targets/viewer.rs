//! Whatever a relayer sends, in whatever pieces: a viewer's session ends in a typed fault, never a panic, and hands out
//! nothing that was not signed.
//!
//! An honest relayer serves the session. The input bends, cuts and drops what it says and sends, brings it in pieces, adds words
//! and chunks of its own, and has the viewer ask for more and for less: so that it is also read behind terms, in the middle
//! of chunks, where a receipt is due, and behind a fault.

#![no_main]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::{status::State, Hash, SignedVoucher, Voucher};
use clustercast_protocol::{
	relayer::{self, Outgoing, Quote, RelayerSession, SendingId},
	viewer::{BodyId, Event, NotDue, Taken, ViewerSession},
	wire::{range_prefix, RANGE_BYTES},
	Chunks, EncodedWindow, Evidence, Fetch, Follow, Payment, PaymentMode, Range, Terms, ViewerConfig,
};
use libfuzzer_sys::{
	arbitrary::{Arbitrary, Result, Unstructured},
	fuzz_target,
};
use std::{collections::VecDeque, slice::Iter, sync::LazyLock};

/// Of a frame or of chunks on their way.
#[derive(Debug)]
enum Harm {
	/// A byte is another one.
	Bent(u16, u8),
	/// What stands behind this byte is missing.
	Cut(u16),
	/// All of it is missing.
	Skip,
}

impl<'a> Arbitrary<'a> for Harm {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(match u8::arbitrary(input)? % 4 {
			0 => Self::Cut(u16::arbitrary(input)?),
			1 => Self::Skip,
			_ => Self::Bent(u16::arbitrary(input)?, u8::arbitrary(input)?),
		})
	}
}

impl Harm {
	fn to(&self, bytes: &mut Vec<u8>) {
		let within = |at: u16| usize::from(at) % bytes.len().max(1);
		match *self {
			Self::Bent(at, byte) => {
				let at = within(at);
				bytes.iter_mut().skip(at).take(1).for_each(|b| *b = byte);
			},
			Self::Cut(at) => bytes.truncate(within(at)),
			Self::Skip => bytes.clear(),
		}
	}
}

/// Window, first chunk and count, of which only a few are there.
#[derive(Debug)]
struct Picked(u8, u8, u8);

impl<'a> Arbitrary<'a> for Picked {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(Self(
			u8::arbitrary(input)?,
			u8::arbitrary(input)? % 16,
			u8::arbitrary(input)? % 16,
		))
	}
}

impl Picked {
	fn window(&self) -> &'static EncodedWindow {
		&WINDOWS[usize::from(self.0) % WINDOWS.len()]
	}

	fn range(&self) -> Range {
		Range {
			first: self.1.into(),
			count: self.2.into(),
			..self.window().range()
		}
	}
}

/// What the input is, one by one.
#[derive(Debug)]
enum Step {
	/// All that the relayer says and sends comes as it should.
	Honest,
	/// Its next frame comes.
	Frame(Option<Harm>),
	/// Any bytes come on the subscription's stream.
	Bytes(Vec<u8>),
	/// It writes so many bytes of chunks.
	Write(u16),
	/// So many of these that are on their way come.
	Arrive(u8, u16),
	/// These that are on their way are harmed.
	Harm(u8, Harm),
	/// Their stream breaks.
	Break(u8),
	/// Chunks that are nobody's answer begin: the right ones, if there are any.
	Unasked(Picked),
	/// Any bytes begin a stream of chunks.
	Stream(Vec<u8>),
	/// The relayer passes over the next window.
	Pass,
	/// It has a status.
	Status(u8),
	/// It makes a receipt for what has none.
	Settle,
	/// It states the terms again: by voucher or by ticket, or at a lower price.
	Restate(bool, Option<u32>),
	/// The viewer wants these.
	Fetch(Picked),
	/// It does not.
	Cancel(Picked),
	/// It has them from elsewhere.
	Supply(u8),
	/// It wants windows, or announcements.
	Follow(bool),
	/// It wants no more.
	Leave,
}

impl<'a> Arbitrary<'a> for Step {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(match u8::arbitrary(input)? % 32 {
			0 => Self::Bytes(Vec::arbitrary(input)?),
			1 | 2 => Self::Frame(Option::arbitrary(input)?),
			3..6 => Self::Write(u16::arbitrary(input)?),
			6..9 => Self::Arrive(u8::arbitrary(input)?, u16::arbitrary(input)?),
			9 => Self::Harm(u8::arbitrary(input)?, Harm::arbitrary(input)?),
			10 => Self::Break(u8::arbitrary(input)?),
			11 => Self::Unasked(Picked::arbitrary(input)?),
			12 => Self::Stream(Vec::arbitrary(input)?),
			13 => Self::Pass,
			14 => Self::Status(u8::arbitrary(input)?),
			15 => Self::Settle,
			16 => Self::Restate(bool::arbitrary(input)?, Option::arbitrary(input)?),
			17..20 => Self::Fetch(Picked::arbitrary(input)?),
			20 => Self::Cancel(Picked::arbitrary(input)?),
			21 => Self::Supply(u8::arbitrary(input)?),
			22 => Self::Follow(bool::arbitrary(input)?),
			23 => Self::Leave,
			_ => Self::Honest,
		})
	}
}

/// Who begins, and on what terms.
#[derive(Debug)]
struct Input {
	pays: bool,
	by_voucher: bool,
	/// Receipts are for more than one window.
	interval: bool,
	announcements: bool,
	steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Input {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		let flags = u8::arbitrary(input)?;
		Ok(Self {
			pays: flags & 1 == 0,
			by_voucher: flags & 2 > 0,
			interval: flags & 4 > 0,
			announcements: flags & 8 > 0,
			steps: Vec::arbitrary(input)?,
		})
	}
}

/// Of more than one window, and less than all.
const CREDIT: u32 = 120_000;
const INTERVAL: u32 = 40_000;

/// A window that the relayer can send as it comes, and not again.
const GONE: usize = 3;

/// Streams that the input adds.
const MAX_BODIES: usize = 8;

static WINDOWS: LazyLock<Vec<EncodedWindow>> = LazyLock::new(|| {
	let mut broadcast = fixture::Broadcast {
		chunk_log2: 12,
		..fixture::Broadcast::default()
	};
	let sign = |round: u8| {
		match round {
			1 => broadcast.items = fixture::items(),
			2 => broadcast.reinit(vec![1; 20]),
			5 => broadcast.begin_epoch(fixture::EPOCH + 1),
			_ => {},
		}
		broadcast.segment(&fixture::media(9_000 + 13_000 * usize::from(round % 3), round))
	};
	(0..10).map(sign).collect()
});

/// What another session had of each window but one: all but the first chunk, and that one.
static ELSEWHERE: LazyLock<Vec<Chunks>> = LazyLock::new(|| {
	let mut scene = Scene::new(&Input {
		pays: false,
		by_voucher: false,
		interval: false,
		announcements: true,
		steps: Vec::new(),
	});
	scene.honest();
	for window in &*WINDOWS {
		let all = window.range();
		for (first, count) in [(1, all.count - 1), (0, 1)] {
			scene.fetch(Range { first, count, ..all });
			scene.honest();
		}
	}
	assert_eq!(scene.fetched.len(), 2 * (WINDOWS.len() - 1));
	scene.fetched
});

/// It says nothing: the relayer's session leaves it to the book to judge it.
static VOUCHER: LazyLock<SignedVoucher> = LazyLock::new(|| {
	let voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: Default::default(),
		context: Hash([0; 32]),
		terms: 0,
		amount: 0,
		bytes: 0,
		expiry: 0,
	};
	fixture::session_key().sign(voucher, &fixture::GENESIS)
});

fn mode(by_voucher: bool) -> PaymentMode {
	match by_voucher {
		true => PaymentMode::Vouchers { newest: None },
		false => fixture::terms().mode,
	}
}

/// Chunks on their way.
struct Body {
	/// Of the relayer's, where they are.
	sending: Option<SendingId>,
	/// Once the viewer has begun to take them.
	id: Option<BodyId>,
	/// Written, and not there.
	bytes: Vec<u8>,
	/// No more is written.
	ended: bool,
}

struct Scene {
	relayer: RelayerSession,
	viewer: ViewerSession,
	terms: Terms,
	/// Not delivered yet.
	left: Iter<'static, EncodedWindow>,
	/// To be answered.
	fetches: VecDeque<Fetch>,
	writing: Option<Outgoing>,
	bodies: Vec<Body>,
	/// Not handed out yet.
	expected: Iter<'static, EncodedWindow>,
	commitment: Option<Hash>,
	fetched: Vec<Chunks>,
}

impl Scene {
	fn new(input: &Input) -> Self {
		let config = fixture::viewer_config();
		let mut scene = Self {
			relayer: RelayerSession::new(fixture::GENESIS, fixture::CHALLENGE, vec![fixture::binding()]),
			viewer: ViewerSession::new(ViewerConfig {
				payment: config.payment.filter(|_| input.pays),
				follow: follow(input.announcements),
				..config
			}),
			terms: Terms {
				mode: mode(input.by_voucher),
				credit: CREDIT,
				interval: if input.interval { INTERVAL } else { 0 },
				..fixture::terms()
			},
			left: WINDOWS.iter(),
			fetches: VecDeque::new(),
			writing: None,
			bodies: Vec::new(),
			expected: WINDOWS.iter(),
			commitment: None,
			fetched: Vec::new(),
		};
		scene.exchange();
		scene
	}

	/// What both do before anything else comes.
	fn exchange(&mut self) {
		self.answer();
		while let Some(frame) = self.viewer.poll_transmit() {
			// A viewer who was told a wrong challenge signs that.
			let _ = self.relayer.handle(&frame);
		}
		while let Some(event) = self.relayer.poll_event() {
			self.on_request(event);
		}
		self.fetches.retain(|fetch| {
			let mut there = WINDOWS.iter().filter(|window| window.hash() != WINDOWS[GONE].hash());
			let window = there.find(|window| window.hash() == fetch.range.header);
			let window = window.filter(|window| self.relayer.has_new(window, &fetch.range));
			let Some(window) = window else {
				self.relayer.lacks(&fetch.range);
				return false;
			};
			// What has to be paid first may be by then.
			self.relayer.send(window, fetch).is_err()
		});
		while self.relayer.wants().is_some() {
			let Some(window) = self.left.as_slice().first() else {
				break;
			};
			let quote = self.relayer.quote(window, &window.range()).expect("payable");
			if self.relayer.follows() == Follow::Windows && quote == Quote::TooMuch {
				self.relayer.settle();
				break;
			}
			self.relayer
				.deliver(window)
				.expect("it is wanted, and within its credit");
			self.left.next();
		}
	}

	fn on_request(&mut self, event: relayer::Event) {
		use relayer::Event;
		let relayer = &mut self.relayer;
		match event {
			Event::Subscribed(subscribe) => match subscribe.payer {
				Some(_) => relayer.accept(self.terms.clone(), fixture::signer()).expect("it pays"),
				None => relayer.accept_free().expect("it is asked for one track"),
			},
			Event::Ticket(ticket) => relayer.paid(ticket.message.commitment).expect("it was owed"),
			Event::Voucher { commitment, .. } => relayer.paid(commitment).expect("it was owed"),
			Event::Reserve(reservation) => relayer.reserved(reservation.message.counter),
			Event::Fetch(fetch) => self.fetches.push_back(fetch),
			Event::Cancel(range) => {
				if let Some(outgoing) = self.writing.as_mut().filter(|outgoing| outgoing.range() == range) {
					outgoing.cut();
					self.over();
				}
			},
		}
	}

	/// What the viewer makes of what came.
	fn answer(&mut self) {
		let caught = self.viewer.fault().is_some();
		while let Some(event) = self.viewer.poll_event() {
			match event {
				Event::Challenged(subscription) => {
					let signed = fixture::session_key().sign(subscription, &fixture::GENESIS);
					self.viewer.subscribe(signed);
				},
				Event::Announced(announced) => {
					let signed = WINDOWS.iter().find(|window| window.hash() == announced.hash());
					let signed = signed.expect("nobody signed it");
					assert_eq!(announced.leaves(), signed.leaves());
					assert_eq!(announced.setting(), signed.setting());
				},
				Event::Window(window) => {
					let signed = self.expected.find(|signed| signed.id() == window.id());
					let signed = signed.expect("nobody signed it, or again");
					assert_eq!(window.announcement(true), signed.announcement(true));
					assert!(window.data() == signed.data(), "other bytes");
				},
				Event::Chunks(chunks) => {
					let range = chunks.range();
					let signed = WINDOWS.iter().find(|window| window.hash() == range.header);
					let data = signed.and_then(|window| window.chunks(range.first, range.count));
					assert!(
						data.as_ref() == Some(chunks.data()),
						"other bytes, or nobody signed them"
					);
					self.fetched.push(chunks);
				},
				Event::PaymentDue(due) => {
					assert!(!caught, "nothing is due from who was caught");
					assert!(
						self.commitment.replace(due.commitment) != Some(due.commitment),
						"due twice"
					);
					let paid = self.viewer.pay(&due, Payment::Voucher(VOUCHER.clone()));
					assert!(matches!(paid, Ok(()) | Err(NotDue::Ended)), "{paid:?}");
				},
				_ => {},
			}
		}
	}

	/// The next frame of the relayer; `false` where there is none.
	fn frame(&mut self, harm: Option<&Harm>) -> bool {
		let Some(frame) = self.relayer.poll_transmit() else {
			return false;
		};
		let mut frame = frame.to_vec();
		if let Some(harm) = harm {
			harm.to(&mut frame);
		}
		self.hear(&frame);
		true
	}

	fn hear(&mut self, bytes: &[u8]) {
		match self.viewer.fault() {
			Some(_) => self.viewer.pursue(bytes),
			None => drop(self.viewer.handle(bytes)),
		}
	}

	/// Up to so many bytes; `false` where there is nothing to write.
	fn write(&mut self, most: usize) -> bool {
		if self.writing.is_none() {
			self.writing = self.relayer.poll_sending();
		}
		let Some(outgoing) = &mut self.writing else {
			return false;
		};
		let id = Some(outgoing.id());
		let mut bytes = outgoing.rest().concat();
		bytes.truncate(most);
		outgoing.advance(bytes.len());
		match self.bodies.iter_mut().find(|body| body.sending == id) {
			Some(body) => body.bytes.extend(bytes),
			None => self.bodies.push(Body {
				sending: id,
				id: None,
				bytes,
				ended: false,
			}),
		}
		self.over();
		true
	}

	/// Perhaps all is written of what was begun.
	fn over(&mut self) {
		let Some(outgoing) = self.writing.take_if(|outgoing| outgoing.is_over()) else {
			return;
		};
		self.relayer.sent(outgoing.id(), outgoing.chunks());
		let bodies = self.bodies.iter_mut();
		bodies
			.filter(|body| body.sending == Some(outgoing.id()))
			.for_each(|body| body.ended = true);
	}

	/// Up to so many bytes of these chunks; `false` once nothing more of them is to come.
	fn arrive(&mut self, at: usize, most: usize) -> bool {
		let body = &mut self.bodies[at];
		if body.id.is_none() {
			let Some(prefix) = body.bytes.first_chunk::<RANGE_BYTES>() else {
				return !body.ended;
			};
			match self.viewer.begin_chunks(prefix) {
				Ok(Taken::As(id)) => body.id = Some(id),
				Ok(Taken::NotYet) => return true,
				Err(_) => return false,
			}
			body.bytes.drain(..RANGE_BYTES);
		}
		let Some(id) = body.id else {
			return false;
		};
		let now = most.min(body.bytes.len());
		let bytes: Vec<u8> = body.bytes.drain(..now).collect();
		// Behind a fault the rest may convict.
		let _ = self.viewer.chunks(id, &bytes);
		let over = body.ended && body.bytes.is_empty();
		if over {
			let _ = self.viewer.end_chunks(id, true);
		}
		!over
	}

	/// These are no longer on their way.
	fn remove(&mut self, at: usize) {
		let body = self.bodies.remove(at);
		if let Some(sending) = body.sending {
			self.relayer.arrived(sending);
		}
	}

	/// All that is to be said and sent, until there is nothing more.
	fn honest(&mut self) {
		loop {
			let mut any = false;
			while self.frame(None) {
				any = true;
				self.exchange();
			}
			any |= self.write(usize::MAX);
			for at in (0..self.bodies.len()).rev() {
				if !self.arrive(at, usize::MAX) {
					self.remove(at);
				}
			}
			self.exchange();
			if !any {
				return;
			}
		}
	}

	fn fetch(&mut self, range: Range) {
		self.viewer.fetch(Fetch {
			range,
			within_ms: 1_000,
		});
		self.exchange();
	}

	/// Another stream of chunks begins.
	fn begin(&mut self, bytes: Vec<u8>) {
		if self.bodies.len() < MAX_BODIES {
			self.bodies.push(Body {
				sending: None,
				id: None,
				bytes,
				ended: true,
			});
		}
	}

	/// One of those that are on their way.
	fn body(&self, which: u8) -> Option<usize> {
		usize::from(which).checked_rem(self.bodies.len())
	}

	fn step(&mut self, step: Step) {
		match step {
			Step::Honest => self.honest(),
			Step::Frame(harm) => drop(self.frame(harm.as_ref())),
			Step::Bytes(bytes) => self.hear(&bytes),
			Step::Write(most) => drop(self.write(most.into())),
			Step::Arrive(which, most) => {
				if let Some(at) = self.body(which) {
					if !self.arrive(at, most.into()) {
						self.remove(at);
					}
				}
			},
			Step::Harm(which, harm) => {
				if let Some(at) = self.body(which) {
					harm.to(&mut self.bodies[at].bytes);
				}
			},
			Step::Break(which) => {
				if let Some(at) = self.body(which) {
					if let Some(id) = self.bodies[at].id {
						let _ = self.viewer.end_chunks(id, false);
					}
					self.remove(at);
				}
			},
			Step::Unasked(picked) => {
				let range = picked.range();
				let data = picked.window().chunks(range.first, range.count);
				self.begin([&range_prefix(&range)[..], &data.unwrap_or_default()].concat());
			},
			Step::Stream(bytes) => self.begin(bytes),
			Step::Pass => {
				if self.relayer.wants().is_some() {
					if let Some(window) = self.left.next() {
						self.relayer.pass(window).expect("it is wanted");
					}
				}
			},
			Step::Status(number) => self.relayer.status(&fixture::status(number.into(), State::Live)),
			Step::Settle => self.relayer.settle(),
			Step::Restate(by_voucher, price) => {
				let _ = match price {
					Some(price) => self.relayer.lower(price.into()),
					None => self.relayer.restate(mode(by_voucher), self.terms.counter),
				};
			},
			Step::Fetch(picked) => self.fetch(picked.range()),
			Step::Cancel(picked) => self.viewer.cancel(picked.range()),
			Step::Supply(which) => {
				self.viewer.supply(&ELSEWHERE[usize::from(which) % ELSEWHERE.len()]);
			},
			Step::Follow(announcements) => self.viewer.follow(follow(announcements)),
			Step::Leave => self.viewer.leave(),
		}
		self.exchange();
	}
}

fn follow(announcements: bool) -> Follow {
	match announcements {
		true => Follow::Announcements,
		false => Follow::Windows,
	}
}

fuzz_target!(|input: Input| {
	LazyLock::force(&ELSEWHERE);
	let mut scene = Scene::new(&input);
	for step in input.steps {
		scene.step(step);
		if scene.viewer.fault().is_some() && !scene.viewer.pursues() {
			break;
		}
	}
	// What is bent on its way may look like other leaves, never like a lie that can be shown.
	match scene.viewer.take_evidence() {
		None => {},
		Some(Evidence::Suspicion(suspicion)) => {
			let proofs = WINDOWS.iter().filter_map(|window| suspicion.complete(window));
			assert_eq!(proofs.count(), 0, "the relayer never signed for anything wrong");
		},
		Some(Evidence::Fraud(fraud)) => panic!("the relayer never signed for anything wrong: {fraud:?}"),
	}
});
