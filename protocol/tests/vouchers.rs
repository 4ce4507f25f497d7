//! Sessions that pay by voucher while connections break, relayer and viewer are killed and restored, modes change, and
//! viewers cheat; replayed from a seed. What is checked: nobody sends beyond its credit, nobody pays twice, and whatever
//! was acknowledged is owed on disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{amount, merkle::DEFAULT_CHUNK_LOG2, Balance, BlockNumber, Hash, SignedVoucher};
use clustercast_protocol::{
	relayer::{self, Requote, SendingId},
	viewer::{self, Taken},
	wire::range_prefix,
	BookConfig, Cursor, EncodedWindow, Outcome, Payment, PaymentMode, Purse, Range, RelayerSession, Resume, Share,
	Terms, TicketBook, ViewerConfig, ViewerSession,
};
use fixture::{Broadcast, GENESIS};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

const BLOCK: BlockNumber = 10_000;
/// Bytes ahead of payment; at most so large is a window.
const CREDIT: u32 = 300_000;
const LONGEST: u32 = 150_000;
/// What a viewer does with its purse.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Viewer {
	Honest,
	/// Pays every window with the purse as it was at the start: the same money again and again.
	SpendsAgain,
	/// Never answers.
	TakesAndGoes,
}

/// What the relayer's database holds of vouchers under one counter of terms, and what the chain has paid for them.
struct Stored {
	newest: SignedVoucher,
	settled: Balance,
}

/// What the relayer is to be paid with for one receipt.
struct Owed {
	share: Share,
}

struct Simulator {
	rng: ChaCha8Rng,
	kind: Viewer,
	broadcast: Broadcast,
	windows: Vec<EncodedWindow>,
	/// Micro-USDC per 10^9 bytes: the most that the chain allows.
	price: u64,

	book: TicketBook,
	/// By counter.
	disk: BTreeMap<u32, Stored>,
	/// Of the stream's terms.
	counter: u32,
	/// No older terms are under way: they change once in twenty minutes.
	settled_down: bool,
	/// What was asked for, by commitment.
	asked: HashMap<Hash, Owed>,

	purse: Purse,
	stored: Option<Vec<u8>>,
	resume: Option<Resume>,

	/// What the viewer found due by voucher, by commitment.
	verified: HashMap<Hash, Balance>,
	/// Acknowledged to the viewer as paid by voucher: at least what they cost.
	acknowledged: Balance,
	/// Receipts that were paid, and what was asked for by voucher.
	paid: HashMap<Hash, Balance>,
	/// What the simulation has reached.
	seen: HashSet<&'static str>,
	refused: usize,
	unpaid_at_end: Vec<u64>,
}

/// At the highest price that the chain allows there is no room for rounding in the relayer's favour.
fn book(price: u64) -> TicketBook {
	let mut book = TicketBook::new(BookConfig {
		max_price_per_gb: price,
		..fixture::book_config()
	});
	book.credit().at_block(BLOCK);
	book.credit().enter(&fixture::session()).unwrap();
	book
}

impl Simulator {
	fn new(seed: u64, kind: Viewer) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let price = [2_000_000, 3_141_593, 77_777][rng.gen_range(0..3)];
		Self {
			rng,
			kind,
			broadcast: Broadcast::default(),
			windows: Vec::new(),
			price,
			book: book(price),
			disk: BTreeMap::new(),
			counter: 3,
			settled_down: true,
			asked: HashMap::new(),
			purse: Purse::new(fixture::purse_config(), fixture::session_key()),
			stored: None,
			resume: None,
			verified: HashMap::new(),
			acknowledged: 0,
			paid: HashMap::new(),
			seen: HashSet::new(),
			refused: 0,
			unpaid_at_end: Vec::new(),
		}
	}

	/// Subscriptions one after the other, each ended by something.
	fn run(mut self, subscriptions: usize) -> Self {
		for _ in 0..subscriptions {
			self.subscription();
			if self.rng.gen_bool(0.4) {
				self.restart_relayer();
			}
			if self.rng.gen_bool(0.4) {
				self.restart_viewer();
			}
		}
		self
	}

	/// Only what is on disk is left.
	fn restart_relayer(&mut self) {
		self.book = book(self.price);
		for stored in self.disk.values() {
			self.book.restore_voucher(&stored.newest.message, stored.settled, BLOCK);
		}
	}

	/// Only what was stored is left: vouchers signed since are forgotten.
	fn restart_viewer(&mut self) {
		let (config, key) = (fixture::purse_config(), fixture::session_key());
		self.purse = match &self.stored {
			Some(state) => Purse::restore(config, key, state).unwrap(),
			None => Purse::new(config, key),
		};
	}

	/// The chain pays what the newest vouchers on disk owe, and the relayer hears of it.
	fn redeem(&mut self) {
		for stored in self.disk.values_mut() {
			let message = &stored.newest.message;
			let paid = message.amount - stored.settled;
			stored.settled = message.amount;
			self.book.settle_voucher(message, paid, BLOCK, true);
		}
	}

	fn mode(&mut self) -> PaymentMode {
		match self.rng.gen_bool(0.8) {
			true => PaymentMode::Vouchers {
				newest: self.disk.get(&self.counter).map(|stored| stored.newest.clone()),
			},
			false => fixture::terms().mode,
		}
	}

	/// A window of some length; one that costs more than a micro-USDC often, and not always.
	fn next_window(&mut self) -> EncodedWindow {
		let bytes = match self.rng.gen_bool(0.5) {
			true => self.rng.gen_range(1..2_000),
			false => self.rng.gen_range(20_000..LONGEST as usize),
		};
		let window = self.broadcast.segment(&fixture::media(bytes, 1));
		self.windows.push(window.clone());
		window
	}

	fn sign(&mut self, due: &viewer::Due) -> Option<Payment> {
		match self.kind {
			Viewer::TakesAndGoes => return None,
			Viewer::SpendsAgain => self.restart_viewer(),
			Viewer::Honest => {},
		}
		if let Some(state) = self.purse.reserve(&due.recipient, BLOCK) {
			// A cheat never stores what it spent.
			if self.kind == Viewer::Honest || self.stored.is_none() {
				self.stored = Some(state);
			}
		}
		Some(self.purse.pay(due, BLOCK).unwrap())
	}

	fn subscription(&mut self) {
		let mut viewer = ViewerSession::new(ViewerConfig {
			resume: self.resume.clone(),
			..fixture::viewer_config()
		});
		viewer.set_head(BLOCK);
		viewer.set_terms(self.counter);
		let challenge = Hash(self.rng.gen());
		let mut relayer = RelayerSession::new(GENESIS, challenge, vec![fixture::binding()]);
		let (mut to_viewer, mut to_relayer) = (Vec::<u8>::new(), Vec::<u8>::new());
		let mut chunks = VecDeque::new();
		let rounds = self.rng.gen_range(1..60);
		for _ in 0..rounds {
			if self.rng.gen_bool(0.1) {
				self.redeem();
			}
			self.relayer_acts(&mut relayer);
			while let Some(frame) = relayer.poll_transmit() {
				to_viewer.extend(frame);
			}
			if self.rng.gen_bool(0.8) {
				self.relayer_sends(&mut relayer, &mut chunks);
			}
			if to_viewer.is_empty() {
				self.settled_down = true;
				viewer.set_terms(self.counter);
			}
			let some = self.rng.gen_range(0..=to_viewer.len());
			let fragment: Vec<u8> = to_viewer.drain(..some).collect();
			viewer.handle(&fragment).unwrap();
			self.viewer_takes(&mut viewer, &mut relayer, &mut chunks);
			let some = self.rng.gen_range(0..=to_relayer.len());
			let fragment: Vec<u8> = to_relayer.drain(..some).collect();
			relayer.handle(&fragment).unwrap();
			self.viewer_acts(&mut viewer);
			while let Some(frame) = viewer.poll_transmit() {
				to_relayer.extend(frame);
			}
		}
		// The connection breaks here, with whatever is under way in both directions.
		self.unpaid_at_end.push(relayer.owed());
		for commitment in relayer.unpaid() {
			self.book.close(&commitment, clustercast_protocol::Debt::Ours);
		}
	}

	/// Writes what is queued, of some not all: then less is owed.
	fn relayer_sends(&mut self, relayer: &mut RelayerSession, chunks: &mut VecDeque<(SendingId, Range, Bytes)>) {
		let Some(mut outgoing) = relayer.poll_sending() else {
			return;
		};
		let [prefix, data] = outgoing.rest();
		if self.rng.gen_bool(0.2) {
			outgoing.advance(self.rng.gen_range(0..prefix.len() + data.len()));
			outgoing.cut();
			self.seen.insert("cut");
		}
		let size = usize::try_from(outgoing.chunks()).unwrap() << DEFAULT_CHUNK_LOG2;
		let sent = data.slice(..data.len().min(size));
		match relayer.sent(outgoing.id(), outgoing.chunks()) {
			Some(Requote::Owed(expectation)) => {
				let owed = Owed {
					share: expectation.share,
				};
				self.asked.insert(expectation.commitment, owed);
				self.book.open(expectation).unwrap();
			},
			Some(Requote::Nothing(commitment)) => {
				self.asked.remove(&commitment);
				self.book.close(&commitment, clustercast_protocol::Debt::Ours);
			},
			None => {},
		}
		if !sent.is_empty() {
			chunks.push_back((outgoing.id(), outgoing.range(), sent));
		}
	}

	/// Some of the chunks that are on their way arrive, in whatever order.
	fn viewer_takes(
		&mut self,
		viewer: &mut ViewerSession,
		relayer: &mut RelayerSession,
		chunks: &mut VecDeque<(SendingId, Range, Bytes)>,
	) {
		for _ in 0..chunks.len() {
			let Some((id, range, data)) = chunks.pop_front() else {
				return;
			};
			let prefix: Vec<u8> = range_prefix(&range).into();
			match viewer.begin_chunks(&prefix.try_into().unwrap()).unwrap() {
				Taken::As(body) if self.rng.gen_bool(0.9) => {
					viewer.chunks(body, &data).unwrap();
					viewer.end_chunks(body, true).unwrap();
					relayer.arrived(id);
				},
				// It breaks, with the connection.
				Taken::As(_) => return,
				Taken::NotYet => chunks.push_back((id, range, data)),
			}
		}
	}

	fn relayer_acts(&mut self, relayer: &mut RelayerSession) {
		while let Some(event) = relayer.poll_event() {
			let (commitment, judged) = match event {
				relayer::Event::Subscribed(_) => {
					let terms = Terms {
						price_per_gb: self.price,
						mode: self.mode(),
						credit: CREDIT,
						interval: self.rng.gen_range(0..CREDIT),
						counter: self.counter,
						..fixture::terms()
					};
					let signer = fixture::signer();
					signer.set_block(BLOCK);
					relayer.accept(terms, signer).unwrap();
					continue;
				},
				relayer::Event::Reserve(_) => unreachable!("none is asked for"),
				relayer::Event::Fetch(_) | relayer::Event::Cancel(_) => unreachable!("all comes by itself"),
				relayer::Event::Ticket(ticket) => {
					let judged = self.book.accept(&ticket, &fixture::account(), BLOCK);
					let judged = judged.map(|outcome| {
						self.seen.insert("ticket");
						if let Outcome::Won(winner) = outcome {
							self.book.settle(&winner, BLOCK, true);
						}
					});
					(ticket.message.commitment, judged)
				},
				relayer::Event::Voucher { commitment, voucher } => {
					let account = fixture::account();
					let judged = self.book.accept_voucher(&commitment, &voucher, &account, BLOCK);
					if judged.is_ok() {
						// On disk, and killed before it could say so.
						let counter = voucher.message.terms;
						let settled = self.disk.get(&counter).map_or(0, |stored| stored.settled);
						let newest = Stored {
							newest: voucher,
							settled,
						};
						self.disk.insert(counter, newest);
						if self.rng.gen_bool(0.05) {
							relayer.end(clustercast_protocol::EndReason::ShuttingDown);
							continue;
						}
						self.acknowledged += by_voucher(&self.asked[&commitment].share);
					}
					(commitment, judged)
				},
			};
			match judged {
				Ok(()) => {
					let Owed { share } = &self.asked[&commitment];
					let before = self.paid.insert(commitment, by_voucher(share));
					assert_eq!(before, None, "it was paid before");
					relayer.paid(commitment).unwrap();
					if self.rng.gen_bool(0.1) {
						if self.settled_down && self.rng.gen_bool(0.3) {
							self.counter += 1;
							self.settled_down = false;
						}
						relayer.restate(self.mode(), self.counter).unwrap();
					}
				},
				Err(error) => {
					assert_ne!(self.kind, Viewer::Honest, "{error}");
					self.refused += 1;
					relayer.end(clustercast_protocol::EndReason::TicketRefused(error));
				},
			}
		}
		while let Some(cursor) = relayer.wants() {
			let next = match cursor {
				// Those who resume are sent what follows; the others what comes next.
				Cursor::After { id: last, .. } => self.windows.iter().find(|w| w.id() > last).cloned(),
				Cursor::Live { .. } => None,
			};
			let window = next.unwrap_or_else(|| self.next_window());
			if relayer.quote(&window, &window.range()).unwrap() == relayer::Quote::TooMuch {
				relayer.settle();
				break;
			}
			match relayer.deliver(&window).unwrap() {
				Some(expectation) => {
					let owed = Owed {
						share: expectation.share,
					};
					let before = self.asked.insert(expectation.commitment, owed);
					let grows = |before: Owed| before.share.bytes() <= expectation.share.bytes();
					assert!(before.is_none_or(grows));
					self.book.open(expectation).unwrap();
				},
				None => {
					self.seen.insert("nothing due");
				},
			}
			assert!(relayer.owed() <= CREDIT.into());
			if self.rng.gen_bool(0.3) {
				break;
			}
		}
		// As where nothing follows for a while.
		if self.rng.gen_bool(0.1) {
			relayer.settle();
		}
	}

	fn viewer_acts(&mut self, viewer: &mut ViewerSession) {
		while let Some(event) = viewer.poll_event() {
			match event {
				viewer::Event::Challenged(subscription) => viewer.subscribe(self.purse.subscribe(subscription)),
				viewer::Event::Terms(Some(terms)) => {
					if let PaymentMode::Vouchers { newest: Some(newest) } = terms.mode {
						self.purse.adopt(&newest).unwrap();
					}
				},
				viewer::Event::Window(window) => self.resume = Some(Resume::after(&window)),
				viewer::Event::PaymentDue(due) => {
					// Both sides count alike.
					assert_eq!(due.share, self.asked[&due.commitment].share);
					let amount = by_voucher(&due.share);
					if amount > 0 {
						self.verified.insert(due.commitment, amount);
					}
					if let Some(payment) = self.sign(&due) {
						let _ = viewer.pay(&due, payment);
					}
				},
				_ => {},
			}
		}
	}

	/// By the newest vouchers that the relayer has.
	fn owed(&self) -> Balance {
		self.disk.values().map(|stored| stored.newest.message.amount).sum()
	}

	/// Bytes that they state.
	fn stated(&self) -> u64 {
		self.disk.values().map(|stored| stored.newest.message.bytes).sum()
	}
}

/// What a share owes by voucher.
fn by_voucher(share: &Share) -> Balance {
	match share {
		Share::Voucher { amount, .. } => *amount,
		Share::Ticket { .. } => 0,
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	/// Whatever breaks: a relayer has a voucher for all that it acknowledged, and no viewer owes or pays more than what it
	/// verified costs.
	#[test]
	fn vouchers_owe_what_was_acknowledged_and_never_more_than_was_verified(seed: u64) {
		let mut run = Simulator::new(seed, Viewer::Honest).run(12);
		run.redeem();
		let verified: Balance = run.verified.values().sum();
		prop_assert!(run.acknowledged <= run.owed(), "{} acknowledged, {} owed", run.acknowledged, run.owed());
		prop_assert!(run.owed() <= verified, "{} owed, {} verified", run.owed(), verified);
		prop_assert!(run.disk.values().all(|stored| stored.settled == stored.newest.message.amount));
		let within = amount::is_voucher_within(run.price, run.stated(), run.owed());
		prop_assert!(within, "{} for {} bytes", run.owed(), run.stated());
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= CREDIT.into()));
	}

	/// A viewer who signs the same money again is served the credit of each subscription and no window more.
	#[test]
	fn money_spent_again_buys_nothing(seed: u64) {
		let run = Simulator::new(seed, Viewer::SpendsAgain).run(12);
		prop_assert!(run.acknowledged <= run.owed());
		let bought: Balance = run.paid.values().sum();
		prop_assert!(bought <= run.owed(), "windows worth {bought} for {}", run.owed());
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= CREDIT.into()));
	}

	#[test]
	fn who_pays_nothing_gets_the_credit_and_no_more(seed: u64) {
		let run = Simulator::new(seed, Viewer::TakesAndGoes).run(4);
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= CREDIT.into()));
		prop_assert_eq!((run.owed(), run.paid.len()), (0, 0));
	}
}

#[test]
fn simulation_reaches_what_it_is_made_for() {
	let honest: Vec<_> = (0..8)
		.map(|seed| Simulator::new(seed, Viewer::Honest).run(12))
		.collect();
	assert!(honest.iter().all(|run| run.acknowledged > 0));
	assert!(
		honest.iter().any(|run| run.owed() > run.acknowledged),
		"killed between disk and answer"
	);
	for what in ["ticket", "nothing due", "cut"] {
		assert!(honest.iter().any(|run| run.seen.contains(what)), "{what}");
	}
	assert!(honest.iter().any(|run| run.disk.len() > 1), "terms change");
	let cheats: Vec<_> = (0..8)
		.map(|seed| Simulator::new(seed, Viewer::SpendsAgain).run(12))
		.collect();
	assert!(cheats.iter().any(|run| run.refused > 0));
}
