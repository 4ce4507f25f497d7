//! One relayer and one viewer over in-memory pipes that fragment at random, and let chunks and words overtake each other, with every attack the pipe or the
//! relayer can make, replayed from a seed. Money is real: purse and ticket book are in the loop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{
	amount,
	crypto::{KeyPair, SignatureError},
	ext::Items,
	receipt::{deliveries_root, Deliveries, SignedReceipt},
	status::{SignedStatus, State, StatusError},
	window::{flags, HeaderError},
	Balance, Hash, History, WindowId,
};
use clustercast_protocol::{
	ledger::BillFault,
	relayer::{self, SendingId},
	viewer::{self, BodyId, ReceiptFault, Taken},
	window::WindowError,
	wire::{range_prefix, Kind, ToRelayer, ToViewer, HEADER_BYTES, PREFIX_BYTES},
	EncodedWindow, Fault, Lookup, Outcome, Payment, PaymentMode, Purse, Range, RelayerSession, Share, Terms,
	TicketBook, ViewerSession, WindowCache, WireError,
};
use codec::{DecodeAll, Encode};
use fixture::{Broadcast, GENESIS};
use proptest::prelude::*;
use rand::{seq::SliceRandom, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

const WINDOWS: usize = 8;

const BLOCK: u32 = 10_000;

/// Where the items of a window begin in its frame, behind their length.
const ITEMS: usize = PREFIX_BYTES + HEADER_BYTES + 2;

/// What goes wrong, at one window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
	Nothing,
	FlipHeader,
	BendItems,
	FlipLeaf,
	FlipData,
	SwapChunks,
	SwapLeavesToo,
	Replay,
	Omit,
	ForgeHeader,
	ForgeReceipt,
	Overcharge,
	OtherPayer,
	OtherDelivery,
	StaleReceipt,
	WrongInit,
	WrongCatalog,
	WrongPeaks,
	ForgeStatus,
	CutOff,
	CutChunk,
	TooMuch,
	/// Old statuses, and newer ones under another key, again and again: no fault, and without effect.
	ReplayStatus,
}

/// All that end the session.
const ATTACKS: [Attack; 21] = [
	Attack::FlipHeader,
	Attack::BendItems,
	Attack::FlipLeaf,
	Attack::FlipData,
	Attack::SwapChunks,
	Attack::SwapLeavesToo,
	Attack::Replay,
	Attack::Omit,
	Attack::ForgeHeader,
	Attack::ForgeReceipt,
	Attack::Overcharge,
	Attack::OtherPayer,
	Attack::OtherDelivery,
	Attack::StaleReceipt,
	Attack::WrongInit,
	Attack::WrongCatalog,
	Attack::WrongPeaks,
	Attack::ForgeStatus,
	Attack::CutOff,
	Attack::CutChunk,
	Attack::TooMuch,
];

/// How a run ended.
struct Run {
	origin: Vec<EncodedWindow>,
	emitted: Vec<EncodedWindow>,
	fault: Option<Fault>,
	/// Whose receipts were paid, as the relayer's book accepted it.
	paid: Vec<WindowId>,
	/// Receipts that took a payment.
	due: usize,
	acknowledged: usize,
	/// Bytes of the tickets that were accepted, and the newest voucher's amount.
	tickets: u64,
	voucher: Balance,
	/// By what the book and the purse say.
	unsettled: Balance,
	spent: Balance,
	by_voucher: bool,
	/// Numbers of the statuses that came out, and of the newest that the relayer had.
	statuses: Vec<u64>,
	newest_status: u64,
	/// Window that the attack is made at.
	at: usize,
	/// What the attack should be called.
	expected: Option<Fault>,
}

impl Run {
	/// Media bytes of what was emitted.
	fn bytes(&self) -> u64 {
		self.emitted.iter().map(|window| u64::from(window.header().bytes)).sum()
	}
}

/// Newer than all, and not signed by the stream's key.
fn forged_status() -> ToViewer {
	let mut status = fixture::status(1_000, State::Ended);
	status.status = KeyPair::from_seed([66; 32]).sign(status.status.message, &GENESIS);
	ToViewer::Status(Box::new(status))
}

/// Chunks on their way, and who takes them.
struct Body {
	sending: SendingId,
	range: Range,
	rest: Vec<u8>,
	taken: Option<BodyId>,
}

struct Simulator {
	rng: ChaCha8Rng,
	attack: Attack,
	at: usize,
	origin: Vec<EncodedWindow>,
	/// Windows that passed the pipe.
	passed: usize,
	/// Statuses that passed it.
	statuses: Vec<Bytes>,
	/// Chunks on their way.
	bodies: Vec<Body>,
	expected: Option<Fault>,
}

impl Simulator {
	fn new(seed: u64, attack: Attack) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let at = match attack {
			// Peaks come before the first one.
			Attack::WrongPeaks => 0,
			// Behind the first one, and not the last: a replay needs a past, an omission a future.
			_ => rng.gen_range(1..WINDOWS - 1),
		};
		let mut broadcast = Broadcast::default();
		// The viewer comes late.
		for _ in 0..rng.gen_range(0..5) {
			broadcast.segment(&[1; 10]);
		}
		let origin = (0..WINDOWS)
			.map(|index| {
				if rng.gen_bool(0.2) {
					broadcast.reinit(vec![index as u8; rng.gen_range(1..500)]);
				}
				// What is left out at the end of an epoch nobody can tell from an epoch that ended before.
				let may_begin = index > 0 && !(attack == Attack::Omit && index == at + 1);
				if may_begin && rng.gen_bool(0.15) {
					broadcast.begin_epoch(broadcast.next.epoch + 1);
					(broadcast.next.segment, broadcast.next.part) = (broadcast.next.segment + 1, 0);
				}
				broadcast.items = match rng.gen_bool(0.4) {
					true => fixture::items(),
					false => Items::default(),
				};
				broadcast.chunk_log2 = rng.gen_range(12..=16);
				let independent = if index == 0 || broadcast.next.part == 0 {
					flags::INDEPENDENT
				} else {
					0
				};
				let last = if rng.gen_bool(0.7) { flags::LAST_PART } else { 0 };
				// At least three whole chunks, so that there is something to swap.
				let chunk = 1 << broadcast.chunk_log2;
				let mut media = vec![0; rng.gen_range(3 * chunk..5 * chunk)];
				rng.fill(&mut media[..]);
				broadcast.window(independent | last, &media)
			})
			.collect();
		Self {
			at,
			rng,
			attack,
			origin,
			passed: 0,
			statuses: Vec::new(),
			bodies: Vec::new(),
			expected: None,
		}
	}

	/// The pipe: what becomes of a frame on its way to the viewer.
	fn tamper(&mut self, frame: Bytes) -> Vec<u8> {
		let kind = frame[PREFIX_BYTES - 1];
		let window = match kind == Kind::Receipt as u8 {
			// Receipts follow their window, all else precedes it.
			true => self.passed - 1,
			false => self.passed,
		};
		if kind == Kind::Pushed as u8 {
			self.passed += 1;
		}
		if kind == Kind::Status as u8 {
			self.statuses.push(frame.clone());
		}
		let mut bytes = frame.to_vec();
		if self.attack == Attack::ReplayStatus {
			if let Some(old) = self.statuses.choose(&mut self.rng) {
				bytes.extend_from_slice(old);
				bytes.extend_from_slice(&forged_status().to_frame());
			}
			return bytes;
		}
		if window != self.at || kind == Kind::Paid as u8 {
			return bytes;
		}
		match kind {
			kind if kind == Kind::Pushed as u8 => self.tamper_window(frame),
			kind if kind == Kind::Receipt as u8 => self.tamper_receipt(bytes),
			kind if kind == Kind::History as u8 && self.attack == Attack::WrongPeaks => {
				let mut history = History::decode_all(&mut &bytes[PREFIX_BYTES..]).unwrap();
				match self.rng.gen_bool(0.5) {
					// One header more than the window follows.
					true => assert!(history.append(Hash([6; 32]))),
					// As many, and others.
					false => {
						let count = history.count();
						history = History::default();
						(0..count.max(1)).for_each(|_| assert!(history.append(Hash([6; 32]))));
					},
				}
				self.expected = Some(Fault::BrokenChain(self.origin[self.at].id()));
				ToViewer::History(history).to_frame().to_vec()
			},
			_ => bytes,
		}
	}

	fn tamper_window(&mut self, frame: Bytes) -> Vec<u8> {
		let mut bytes = frame.to_vec();
		let (target, before) = (
			self.origin[self.at].clone(),
			self.origin[self.at.saturating_sub(1)].clone(),
		);
		let id = target.id();
		let leaves_at = frame.len() - 32 * target.header().chunks as usize;
		let bit = 1u8 << self.rng.gen_range(0..8);
		match self.attack {
			Attack::FlipHeader => bytes[self.rng.gen_range(PREFIX_BYTES..PREFIX_BYTES + HEADER_BYTES)] ^= bit,
			Attack::BendItems => {
				match leaves_at - ITEMS {
					// Items where there are none.
					0 => {
						let items = fixture::items().encode();
						bytes.splice(ITEMS - 2..ITEMS, (items.len() as u16).to_le_bytes());
						bytes.splice(ITEMS..ITEMS, items.iter().copied());
						let len = (bytes.len() - 4) as u32;
						bytes.splice(..4, len.to_le_bytes());
					},
					// The last byte of the last one.
					_ => bytes[leaves_at - 1] ^= bit,
				}
				self.expected = Some(Fault::BadItems(id));
			},
			Attack::FlipLeaf => {
				bytes[self.rng.gen_range(leaves_at..frame.len())] ^= bit;
				self.expected = Some(Fault::BadLeaves(id));
			},
			Attack::SwapLeavesToo => {
				let (first, second) = (0, 1);
				for i in 0..32 {
					bytes.swap(leaves_at + first * 32 + i, leaves_at + second * 32 + i);
				}
				self.expected = Some(Fault::BadLeaves(id));
			},
			Attack::Replay => {
				let old = &self.origin[self.rng.gen_range(0..self.at)];
				bytes = old.announcement(true).to_vec();
				self.expected = Some(Fault::Replayed(old.id()));
			},
			Attack::ForgeHeader => {
				let header = KeyPair::from_seed([66; 32]).sign(target.header().clone(), &GENESIS);
				let (setting, history, items) = (target.setting(), target.history(), target.items());
				let forged =
					EncodedWindow::new(header, setting.clone(), history.clone(), items.clone(), &target.data())
						.unwrap();
				bytes = forged.announcement(true).to_vec();
				self.expected = Some(Fault::Header(HeaderError::Signature(SignatureError::Invalid)));
			},
			Attack::WrongInit | Attack::WrongCatalog => {
				// Where the relayer has just sent one itself, the second is out of turn.
				let (other, fresh, reason) = match self.attack {
					Attack::WrongInit => (
						ToViewer::Init(Bytes::from_static(b"not the one")),
						before.init() != target.init(),
						WindowError::Init,
					),
					_ => (
						ToViewer::Catalog(Box::new(fixture::catalog(&[0], target.init(), 1_000))),
						before.catalog() != target.catalog(),
						WindowError::Catalog,
					),
				};
				self.expected = Some(match fresh {
					true => Fault::Unexpected(other.kind()),
					false => Fault::BadSetting { window: id, reason },
				});
				bytes = [&other.to_frame()[..], &bytes].concat();
			},
			Attack::ForgeStatus => {
				let mut status = fixture::status(1_000, State::Ended);
				status.tracks[0].count += 1;
				bytes = [&ToViewer::Status(Box::new(status)).to_frame()[..], &bytes].concat();
				self.expected = Some(Fault::Status(StatusError::Tracks));
			},
			Attack::CutOff => {
				bytes.truncate(self.rng.gen_range(PREFIX_BYTES..bytes.len()));
				self.expected = Some(Fault::Wire(WireError::Truncated(Some(Kind::Pushed))));
			},
			_ => {},
		}
		bytes
	}

	/// What becomes of chunks on their way.
	fn tamper_chunks(&mut self, range: Range, data: Bytes) -> Vec<u8> {
		let (target, mut bytes) = (self.origin[self.at].clone(), data.to_vec());
		if range.header != target.hash() {
			return bytes;
		}
		let (window, chunk) = (target.id(), target.header().chunk_bytes());
		let index = match self.attack {
			Attack::FlipData => {
				let at = self.rng.gen_range(0..bytes.len());
				bytes[at] ^= 1u8 << self.rng.gen_range(0..8);
				(at / chunk) as u32
			},
			Attack::SwapChunks => {
				let second = self.rng.gen_range(1..3);
				(0..chunk).for_each(|i| bytes.swap(i, second * chunk + i));
				0
			},
			Attack::CutChunk => {
				let whole = bytes.len();
				bytes.truncate(self.rng.gen_range(0..whole));
				if bytes.len() % chunk == 0 && !bytes.is_empty() {
					bytes.pop();
				}
				self.expected = Some(Fault::Wire(WireError::Truncated(Some(Kind::Pushed))));
				return bytes;
			},
			Attack::TooMuch => {
				bytes.push(0);
				self.expected = Some(Fault::Wire(WireError::TrailingBytes(Kind::Pushed)));
				return bytes;
			},
			_ => return bytes,
		};
		self.expected = Some(Fault::BadChunk { window, index });
		bytes
	}

	/// Some of what is on its way arrives; whether there was anything.
	fn carry_chunks(&mut self, viewer: &mut ViewerSession, relayer: &mut RelayerSession) -> bool {
		if self.bodies.is_empty() {
			return false;
		}
		let at = self.rng.gen_range(0..self.bodies.len());
		let body = &mut self.bodies[at];
		let id = match body.taken {
			Some(id) => id,
			None => {
				let prefix: Vec<u8> = range_prefix(&body.range).into();
				match viewer.begin_chunks(&prefix.try_into().unwrap()) {
					Ok(Taken::As(id)) => {
						body.taken = Some(id);
						id
					},
					Ok(Taken::NotYet) => return false,
					Err(_) => {
						self.bodies.swap_remove(at);
						return true;
					},
				}
			},
		};
		let some = self.rng.gen_range(0..=body.rest.len().min(70_000));
		let fragment: Vec<u8> = body.rest.drain(..some).collect();
		let mut over = viewer.chunks(id, &fragment).is_err();
		if body.rest.is_empty() && !over {
			let _ = viewer.end_chunks(id, true);
			over = true;
		}
		if over {
			relayer.arrived(body.sending);
			self.bodies.swap_remove(at);
		}
		true
	}

	fn tamper_receipt(&mut self, bytes: Vec<u8>) -> Vec<u8> {
		let (signed, mut deliveries): (SignedReceipt, Deliveries) =
			DecodeAll::decode_all(&mut &bytes[PREFIX_BYTES..]).unwrap();
		let (mut receipt, mut key) = (signed.message, fixture::relayer_key());
		let reason = match self.attack {
			Attack::Overcharge => {
				receipt.price += 1;
				ReceiptFault::Price
			},
			Attack::OtherPayer => {
				receipt.payer.0[self.rng.gen_range(0..32)] ^= 1;
				ReceiptFault::Payer
			},
			Attack::OtherDelivery => {
				deliveries[0].header = self.origin[self.at - 1].hash();
				receipt.root = deliveries_root(&deliveries);
				ReceiptFault::Bill(BillFault::NotDelivered)
			},
			Attack::StaleReceipt => {
				receipt.block -= 21;
				ReceiptFault::Block
			},
			Attack::ForgeReceipt => {
				key = KeyPair::from_seed([66; 32]);
				ReceiptFault::Signature(SignatureError::Invalid)
			},
			_ => return bytes,
		};
		// By what it says.
		let named = self.at - usize::from(self.attack == Attack::OtherDelivery);
		let window = self.origin[named].id();
		self.expected = Some(Fault::BadReceipt { window, reason });
		ToViewer::Receipt(key.sign(receipt, &GENESIS), deliveries)
			.to_frame()
			.to_vec()
	}

	fn run(mut self) -> Run {
		let mut cache = WindowCache::new(1 << 30);
		// A viewer that begins live begins at the first window; the others follow while it watches.
		cache.insert(self.origin[0].clone());
		let mut viewer = ViewerSession::new(fixture::viewer_config());
		viewer.set_head(BLOCK);
		let challenge = Hash(self.rng.gen());
		let mut relayer = RelayerSession::new(GENESIS, challenge, vec![fixture::binding()]);
		let signer = fixture::signer();
		signer.set_block(BLOCK);
		let by_voucher = self.rng.gen_bool(0.5);
		let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
		let mut book = TicketBook::new(fixture::book_config());
		book.credit().enter(&fixture::session()).unwrap();
		let (mut emitted, mut paid, mut acknowledged) = (Vec::new(), Vec::new(), 0);
		let (mut expected_of, mut tickets, mut voucher_amount) = (HashMap::new(), 0, 0);
		let (mut statuses, mut newest_status) = (Vec::new(), 0);
		let (mut to_viewer, mut to_relayer) = (Vec::<u8>::new(), Vec::<u8>::new());
		let mut inserted = 1;
		let mut cut = false;
		let mut idle = 0;
		while idle < 50 {
			idle += 1;
			if !emitted.is_empty() && inserted < WINDOWS && self.rng.gen_bool(0.3) {
				cache.insert(self.origin[inserted].clone());
				inserted += 1;
				idle = 0;
			}
			if !emitted.is_empty() && newest_status < 20 && self.rng.gen_bool(0.05) {
				newest_status += 1;
				idle = 0;
				let state = [State::Live, State::Idle][self.rng.gen_range(0..2)];
				relayer.status(&fixture::status(newest_status, state));
			}

			// Relayer's driver.
			while let Some(event) = relayer.poll_event() {
				match event {
					relayer::Event::Subscribed(_) => {
						let credit = self.rng.gen_range(1..4);
						let mut terms = Terms {
							credit,
							..fixture::terms()
						};
						if by_voucher {
							terms.mode = PaymentMode::Vouchers { newest: None };
						}
						relayer.accept(terms, signer.clone()).unwrap();
					},
					relayer::Event::Reserve(_) => unreachable!("none is asked for"),
					relayer::Event::Fetch(_) | relayer::Event::Cancel(_) => unreachable!("all comes by itself"),
					relayer::Event::Ticket(ticket) => {
						let commitment = ticket.message.commitment;
						if let Outcome::Won(winning) = book.accept(&ticket, &fixture::account(), BLOCK).unwrap() {
							assert!(winning.is_winner());
							book.settle(&winning, BLOCK, true);
						}
						tickets += ticket.message.bytes;
						relayer.paid(commitment).unwrap();
						paid.push(expected_of[&commitment]);
					},
					relayer::Event::Voucher { commitment, voucher } => {
						book.accept_voucher(&commitment, &voucher, &fixture::account(), BLOCK)
							.unwrap();
						voucher_amount = voucher.message.amount;
						relayer.paid(commitment).unwrap();
						paid.push(expected_of[&commitment]);
					},
				}
			}
			while let Some(cursor) = relayer.wants() {
				let Lookup::Found(mut window) = cache.get_after(cursor) else {
					break;
				};
				let omits = self.attack == Attack::Omit && window.id() == self.origin[self.at].id();
				// The relayer lost this window, and hands out the next for it.
				if omits {
					let next = self.origin[self.at + 1].clone();
					let (expected, got) = (window.id(), next.id());
					self.expected = Some(match self.origin[self.at - 1].id().epoch == expected.epoch {
						true => Fault::Omitted { expected, got },
						// The first of an epoch.
						false => Fault::BrokenChain(got),
					});
					window = next;
				}
				if relayer.quote(&window, &window.range()).unwrap() == relayer::Quote::TooMuch {
					break;
				}
				if let Some(expectation) = relayer.deliver(&window).unwrap() {
					expected_of.insert(expectation.commitment, expectation.window);
					book.open(expectation).unwrap();
				}
				if omits {
					break;
				}
			}
			loop {
				while let Some(frame) = relayer.poll_transmit() {
					if !cut {
						let bytes = self.tamper(frame);
						cut = matches!(self.expected, Some(Fault::Wire(_))) && self.attack == Attack::CutOff;
						to_viewer.extend(bytes);
					}
				}
				let Some(outgoing) = relayer.poll_sending() else {
					break;
				};
				let [_, data] = outgoing.rest();
				let (sending, range) = (outgoing.id(), outgoing.range());
				assert_eq!(relayer.sent(sending, outgoing.chunks()), None);
				let rest = self.tamper_chunks(range, data);
				if !cut {
					self.bodies.push(Body {
						sending,
						range,
						rest,
						taken: None,
					});
				}
			}

			// The pipes.
			let some = self.rng.gen_range(0..=to_viewer.len().min(70_000));
			if some > 0 {
				idle = 0;
				let fragment: Vec<u8> = to_viewer.drain(..some).collect();
				let _ = viewer.handle(&fragment);
			}
			if self.carry_chunks(&mut viewer, &mut relayer) {
				idle = 0;
			}
			if cut && to_viewer.is_empty() {
				let _ = viewer.finish();
			}
			let some = self.rng.gen_range(0..=to_relayer.len());
			if some > 0 {
				idle = 0;
				let fragment: Vec<u8> = to_relayer.drain(..some).collect();
				relayer.handle(&fragment).unwrap();
			}

			// Viewer's driver.
			while let Some(event) = viewer.poll_event() {
				match event {
					viewer::Event::Challenged(subscription) => viewer.subscribe(purse.subscribe(subscription)),
					viewer::Event::Window(window) => emitted.push(window),
					viewer::Event::Status(status) => statuses.push(number_of(&status)),
					viewer::Event::PaymentDue(due) => {
						purse.reserve(&due.recipient, BLOCK);
						let payment = purse.pay(&due, BLOCK).unwrap();
						let is_voucher = matches!((&payment, &due.share), (Payment::Voucher(_), Share::Voucher { .. }));
						assert_eq!(is_voucher, by_voucher);
						viewer.pay(&due, payment).unwrap();
					},
					viewer::Event::Paid(_) => acknowledged += 1,
					_ => {},
				}
			}
			if viewer.fault().is_some() {
				// At most that it leaves, and so wants the receipt that may convict.
				let last: Vec<_> = std::iter::from_fn(|| viewer.poll_transmit()).collect();
				assert!(last.is_empty() || last == [ToRelayer::Leave.to_frame()]);
			}
			while let Some(frame) = viewer.poll_transmit() {
				to_relayer.extend(frame);
			}
		}
		Run {
			origin: self.origin,
			emitted,
			fault: viewer.fault().cloned(),
			due: expected_of.len(),
			paid,
			acknowledged,
			tickets,
			voucher: voucher_amount,
			unsettled: book.credit().signed(&fixture::session()),
			spent: purse.spent(),
			by_voucher,
			statuses,
			newest_status,
			at: self.at,
			expected: self.expected,
		}
	}
}

fn number_of(status: &SignedStatus) -> u64 {
	status.status.message.number
}

/// Whatever happened: the viewer emitted a prefix of the broadcast, byte for byte, and paid for no more than that.
fn check_prefix(run: &Run) {
	for (got, sent) in run.emitted.iter().zip(&run.origin) {
		assert_eq!(got.id(), sent.id());
		assert!(
			got.announcement(true) == sent.announcement(true)
				&& got.data() == sent.data()
				&& got.setting() == sent.setting()
		);
		assert_eq!((got.history(), got.items()), (sent.history(), sent.items()));
	}
	assert!(run.paid.len() <= run.emitted.len());
	let emitted: Vec<_> = run.emitted.iter().map(|window| window.id()).collect();
	assert!(run.paid.windows(2).all(|pair| pair[0] < pair[1]));
	assert!(run.paid.iter().all(|window| emitted.contains(window)));
	let price = fixture::terms().price_per_gb;
	// A micro-USDC more where the sum of tickets is rounded up.
	let most = amount::cost(amount::ticket_bytes(run.bytes()), price) + Balance::from(!run.by_voucher);
	assert!(run.spent <= most, "{} spent for {} bytes", run.spent, run.bytes());
	assert!(run.tickets <= amount::ticket_bytes(run.bytes()));
	assert!(run.statuses.windows(2).all(|pair| pair[0] < pair[1]));
}

/// Everything came, and was paid to the micro-USDC.
fn check_whole(run: &Run) {
	check_prefix(run);
	assert_eq!(run.fault, None);
	assert_eq!(run.emitted.len(), WINDOWS);
	assert_eq!((run.paid.len(), run.acknowledged), (run.due, run.due));
	let price = fixture::terms().price_per_gb;
	let units = run.bytes().div_ceil(65_536) * 65_536;
	let (tickets, voucher) = match run.by_voucher {
		true => (0, amount::cost(units, price)),
		false => (units, 0),
	};
	assert_eq!((run.tickets, run.voucher), (tickets, voucher));
	assert_eq!(run.unsettled, voucher);
	let worth = amount::cost(tickets, price) + voucher;
	assert!(
		(worth..=worth + 1).contains(&run.spent),
		"{} spent for {worth}",
		run.spent
	);
	assert_eq!(
		run.statuses.last().copied().unwrap_or(run.newest_status),
		run.newest_status
	);
}

fn check_caught(seed: u64, attack: Attack) {
	let run = Simulator::new(seed, attack).run();
	check_prefix(&run);
	let fault = run.fault.unwrap_or_else(|| panic!("{attack:?} went unnoticed"));
	match (attack, run.expected) {
		// Numbers that decide how long it is are looked at first.
		(Attack::FlipHeader, _) => assert!(
			matches!(
				fault,
				Fault::Header(_) | Fault::Wire(WireError::AnnouncementLength { .. } | WireError::ChunkCount { .. })
			),
			"{fault:?}"
		),
		(_, expected) => assert_eq!(Some(fault), expected, "{attack:?}"),
	}
	// A bad receipt comes behind a good window; every other attack spoils the window itself.
	let receipt = matches!(
		attack,
		Attack::ForgeReceipt | Attack::Overcharge | Attack::OtherPayer | Attack::OtherDelivery | Attack::StaleReceipt
	);
	// Words overtake chunks, also those of windows before it, and chunks overtake receipts.
	let emitted = run.emitted.len();
	assert!(receipt || emitted <= run.at, "{emitted} of {}", run.at);
	assert!(run.paid.len() <= run.at);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(24))]

	#[test]
	fn honest_relayer_delivers_everything_and_is_paid_for_all_of_it(seed: u64) {
		check_whole(&Simulator::new(seed, Attack::Nothing).run());
	}

	#[test]
	fn old_statuses_change_nothing(seed: u64) {
		check_whole(&Simulator::new(seed, Attack::ReplayStatus).run());
	}

	#[test]
	fn every_attack_is_caught_and_named(seed: u64) {
		let mut attacks = ATTACKS;
		attacks.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
		for attack in &attacks[..4] {
			check_caught(seed, *attack);
		}
	}
}

#[test]
fn each_attack_is_caught_once_at_least() {
	for (seed, attack) in ATTACKS.into_iter().enumerate() {
		check_caught(seed as u64, attack);
	}
}

/// What the runs are made of: both modes, windows that are paid ahead, epochs, items, statuses.
#[test]
fn simulation_reaches_what_it_is_made_for() {
	let runs: Vec<_> = (0..12)
		.map(|seed| Simulator::new(seed, Attack::Nothing).run())
		.collect();
	let some = |what: fn(&Run) -> bool| runs.iter().any(what);
	assert!(some(|run| run.by_voucher) && some(|run| !run.by_voucher));
	assert!(some(|run| run.due < WINDOWS), "paid ahead");
	assert!(some(|run| run.origin[0].header().number > 0) && some(|run| run.origin[0].header().number == 0));
	let epoch = |run: &Run, at: usize| run.origin[at].id().epoch;
	assert!(runs.iter().any(|run| epoch(run, 0) < epoch(run, WINDOWS - 1)));
	assert!(some(|run| run.origin.iter().any(|window| window
		.items()
		.iter()
		.next()
		.is_some())));
	assert!(some(|run| run.statuses.len() > 1));
}
