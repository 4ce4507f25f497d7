//! One relayer and one viewer over an in-memory pipe that fragments at random, with every attack the pipe or the
//! relayer can make, replayed from a seed. Money is real: purse and ticket book are in the loop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{
	crypto::{KeyPair, SignatureError},
	merkle::CHUNK_BYTES,
	receipt::SignedReceipt,
	window::{flags, HeaderError},
	WindowId,
};
use clustercast_protocol::{
	relayer, viewer,
	viewer::ReceiptFault,
	wire::{Kind, ToViewer, HEADER_BYTES, PREFIX_BYTES},
	EncodedWindow, Fault, Lookup, Outcome, PaymentMode, Purse, RelayerSession, Terms, TicketBook, ViewerSession,
	WindowCache, WireError,
};
use codec::DecodeAll;
use fixture::{Broadcast, GENESIS};
use proptest::prelude::*;
use rand::{seq::SliceRandom, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WINDOWS: usize = 8;

/// What goes wrong, at one window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
	Nothing,
	FlipHeader,
	FlipLeaf,
	FlipData,
	SwapChunks,
	SwapLeavesToo,
	Replay,
	Omit,
	ForgeHeader,
	ForgeReceipt,
	Overcharge,
	WrongInit,
	CutOff,
}

const ATTACKS: [Attack; 12] = [
	Attack::FlipHeader,
	Attack::FlipLeaf,
	Attack::FlipData,
	Attack::SwapChunks,
	Attack::SwapLeavesToo,
	Attack::Replay,
	Attack::Omit,
	Attack::ForgeHeader,
	Attack::ForgeReceipt,
	Attack::Overcharge,
	Attack::WrongInit,
	Attack::CutOff,
];

/// How a run ended.
struct Run {
	origin: Vec<EncodedWindow>,
	emitted: Vec<EncodedWindow>,
	fault: Option<Fault>,
	/// Accepted by the relayer's book.
	tickets: Vec<WindowId>,
	acknowledged: usize,
	/// Window that the attack is made at.
	at: usize,
	/// What the attack should be called.
	expected: Option<Fault>,
}

struct Simulator {
	rng: ChaCha8Rng,
	attack: Attack,
	at: usize,
	origin: Vec<EncodedWindow>,
	/// Windows that passed the pipe.
	passed: usize,
	expected: Option<Fault>,
}

impl Simulator {
	fn new(seed: u64, attack: Attack) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let mut broadcast = Broadcast::default();
		let origin = (0..WINDOWS)
			.map(|index| {
				if rng.gen_bool(0.2) {
					broadcast.init = Bytes::from(vec![index as u8; rng.gen_range(1..500)]);
				}
				let independent = if index == 0 || broadcast.next.part == 0 {
					flags::INDEPENDENT
				} else {
					0
				};
				let last = if rng.gen_bool(0.7) { flags::LAST_PART } else { 0 };
				// At least three whole chunks, so that there is something to swap.
				let mut media = vec![0; rng.gen_range(3 * CHUNK_BYTES..5 * CHUNK_BYTES)];
				rng.fill(&mut media[..]);
				broadcast.window(independent | last, &media)
			})
			.collect();
		Self {
			// Behind the first one, and not the last: a replay needs a past, an omission a future.
			at: rng.gen_range(1..WINDOWS - 1),
			rng,
			attack,
			origin,
			passed: 0,
			expected: None,
		}
	}

	/// The pipe: what becomes of a frame on its way to the viewer.
	fn tamper(&mut self, frame: Bytes) -> Vec<u8> {
		let kind = frame[PREFIX_BYTES - 1];
		let window = match kind == Kind::Window as u8 {
			true => self.passed,
			// Receipts follow their window, initialisation segments precede it.
			false if kind == Kind::Receipt as u8 => self.passed - 1,
			false => self.passed,
		};
		if kind == Kind::Window as u8 {
			self.passed += 1;
		}
		let mut bytes = frame.to_vec();
		if window != self.at || (kind == Kind::Paid as u8) {
			return bytes;
		}
		let target = self.origin[self.at].clone();
		let id = target.id();
		let leaves_at = PREFIX_BYTES + HEADER_BYTES;
		let data_at = frame.len().saturating_sub(target.header().bytes as usize);
		let bit = 1u8 << self.rng.gen_range(0..8);
		match (self.attack, kind) {
			(Attack::FlipHeader, 0x83) => bytes[self.rng.gen_range(PREFIX_BYTES..leaves_at)] ^= bit,
			(Attack::FlipLeaf, 0x83) => {
				bytes[self.rng.gen_range(leaves_at..data_at)] ^= bit;
				self.expected = Some(Fault::BadLeaves(id));
			},
			(Attack::FlipData, 0x83) => {
				let at = self.rng.gen_range(data_at..bytes.len());
				bytes[at] ^= bit;
				let index = ((at - data_at) / CHUNK_BYTES) as u16;
				self.expected = Some(Fault::BadChunk { window: id, index });
			},
			(Attack::SwapChunks | Attack::SwapLeavesToo, 0x83) => {
				let (first, second) = (0, self.rng.gen_range(1..3));
				for i in 0..CHUNK_BYTES {
					bytes.swap(data_at + first * CHUNK_BYTES + i, data_at + second * CHUNK_BYTES + i);
				}
				self.expected = Some(Fault::BadChunk { window: id, index: 0 });
				if self.attack == Attack::SwapLeavesToo {
					for i in 0..32 {
						bytes.swap(leaves_at + first * 32 + i, leaves_at + second * 32 + i);
					}
					self.expected = Some(Fault::BadLeaves(id));
				}
			},
			(Attack::Replay, 0x83) => {
				let old = &self.origin[self.rng.gen_range(0..self.at)];
				bytes = old.frame().to_vec();
				self.expected = Some(Fault::Replayed(old.id()));
			},
			(Attack::ForgeHeader, 0x83) => {
				let key = KeyPair::from_seed([66; 32]);
				let header = key.sign(target.header().clone(), &GENESIS);
				let forged = EncodedWindow::new(header, target.init().clone(), &target.data()).unwrap();
				bytes = forged.frame().to_vec();
				self.expected = Some(Fault::Header(HeaderError::Signature(SignatureError::Invalid)));
			},
			(Attack::ForgeReceipt | Attack::Overcharge, 0x84) => {
				let mut receipt = SignedReceipt::decode_all(&mut &bytes[PREFIX_BYTES..]).unwrap().message;
				let (key, reason) = match self.attack {
					Attack::Overcharge => {
						receipt.price_per_gb += 1;
						(fixture::relayer_key(), ReceiptFault::Price)
					},
					_ => (
						KeyPair::from_seed([66; 32]),
						ReceiptFault::Signature(SignatureError::Invalid),
					),
				};
				bytes = ToViewer::Receipt(key.sign(receipt, &GENESIS)).to_frame().to_vec();
				self.expected = Some(Fault::BadReceipt { window: id, reason });
			},
			(Attack::WrongInit, 0x83) => {
				let other = ToViewer::Init(Bytes::from_static(b"not the one")).to_frame();
				// Where the relayer has just sent one itself, the second is out of turn.
				let fresh = self.origin[self.at - 1].header().init != target.header().init;
				self.expected = Some(match fresh {
					true => Fault::Unexpected(Kind::Init),
					false => Fault::BadInit(id),
				});
				bytes = [&other[..], &bytes].concat();
			},
			(Attack::CutOff, 0x83) => {
				bytes.truncate(self.rng.gen_range(PREFIX_BYTES..bytes.len()));
				self.expected = Some(Fault::Wire(WireError::Truncated(Some(Kind::Window))));
			},
			_ => {},
		}
		bytes
	}

	fn run(mut self) -> Run {
		let mut cache = WindowCache::new(1 << 30);
		// A viewer that begins live begins at the first window; the others follow while it watches.
		cache.insert(self.origin[0].clone());
		let mut viewer = ViewerSession::new(fixture::viewer_config());
		let mut relayer = RelayerSession::new(GENESIS, self.rng.gen());
		let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
		let mut book = TicketBook::new(fixture::book_config());
		let (mut emitted, mut tickets, mut acknowledged) = (Vec::new(), Vec::new(), 0);
		let (mut to_viewer, mut to_relayer) = (Vec::<u8>::new(), Vec::<u8>::new());
		let block = 10_000;
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

			// Relayer's driver.
			while let Some(event) = relayer.poll_event() {
				match event {
					relayer::Event::Subscribed(_) => {
						let credit = self.rng.gen_range(1..4);
						let mut terms = Terms {
							credit,
							..fixture::terms()
						};
						if self.rng.gen_bool(0.5) {
							terms.mode = PaymentMode::Vouchers { newest: None };
						}
						relayer.accept(terms, fixture::signer()).unwrap();
					},
					relayer::Event::Ticket(ticket) => {
						let window = ticket.message.window;
						if let Outcome::Won(winning) = book.accept(&ticket, &fixture::account(), block).unwrap() {
							assert!(winning.is_winner());
							book.settle(&winning);
						}
						relayer.paid(window).unwrap();
						tickets.push(window);
					},
					relayer::Event::Voucher {
						window,
						commitment,
						voucher,
					} => {
						book.accept_voucher(&commitment, &voucher, &fixture::account(), block)
							.unwrap();
						relayer.paid(window).unwrap();
						tickets.push(window);
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
					self.expected = Some(Fault::Omitted {
						expected: window.id(),
						got: next.id(),
					});
					window = next;
				}
				book.open(relayer.deliver(&window).unwrap().unwrap()).unwrap();
				if omits {
					break;
				}
			}
			while let Some(frame) = relayer.poll_transmit() {
				if !cut {
					let bytes = self.tamper(frame);
					cut = matches!(self.expected, Some(Fault::Wire(_)));
					to_viewer.extend(bytes);
				}
			}

			// The pipes.
			let some = self.rng.gen_range(0..=to_viewer.len().min(70_000));
			if some > 0 {
				idle = 0;
				let fragment: Vec<u8> = to_viewer.drain(..some).collect();
				let _ = viewer.handle(&fragment);
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
					viewer::Event::Window(window) => emitted.push(window),
					viewer::Event::PaymentDue(due) => {
						purse.reserve(block);
						viewer.pay(&due, purse.pay(&due, block).unwrap()).unwrap();
					},
					viewer::Event::Paid(_) => acknowledged += 1,
					_ => {},
				}
			}
			if viewer.fault().is_some() {
				assert_eq!(viewer.poll_transmit(), None);
			}
			while let Some(frame) = viewer.poll_transmit() {
				to_relayer.extend(frame);
			}
		}
		Run {
			origin: self.origin,
			emitted,
			fault: viewer.fault().cloned(),
			tickets,
			acknowledged,
			at: self.at,
			expected: self.expected,
		}
	}
}

/// Whatever happened: the viewer emitted a prefix of the broadcast, byte for byte, and paid for no more than that.
fn check_prefix(run: &Run) {
	for (got, sent) in run.emitted.iter().zip(&run.origin) {
		assert_eq!(got.id(), sent.id());
		assert!(got.frame() == sent.frame() && got.data() == sent.data() && got.init() == sent.init());
	}
	assert!(run.tickets.len() <= run.emitted.len());
	for (paid, sent) in run.tickets.iter().zip(&run.origin) {
		assert_eq!(*paid, sent.id());
	}
}

fn check_caught(seed: u64, attack: Attack) {
	let run = Simulator::new(seed, attack).run();
	check_prefix(&run);
	let fault = run.fault.unwrap_or_else(|| panic!("{attack:?} went unnoticed"));
	match (attack, run.expected) {
		(Attack::FlipHeader, _) => assert!(matches!(fault, Fault::Header(_)), "{fault:?}"),
		(_, expected) => assert_eq!(Some(fault), expected, "{attack:?}"),
	}
	// A bad receipt comes behind a good window; every other attack spoils the window itself.
	let receipt = matches!(attack, Attack::ForgeReceipt | Attack::Overcharge);
	assert_eq!(run.emitted.len(), run.at + usize::from(receipt));
	assert!(run.tickets.len() <= run.at);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(24))]

	#[test]
	fn honest_relayer_delivers_everything_and_is_paid_for_each_window(seed: u64) {
		let run = Simulator::new(seed, Attack::Nothing).run();
		check_prefix(&run);
		prop_assert_eq!(run.fault, None);
		prop_assert_eq!(run.emitted.len(), WINDOWS);
		prop_assert_eq!(run.tickets.len(), WINDOWS);
		prop_assert_eq!(run.acknowledged, WINDOWS);
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
