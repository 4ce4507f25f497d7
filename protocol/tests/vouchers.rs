//! Sessions that pay by voucher while connections break, relayer and viewer are killed and restored, modes change, and
//! viewers cheat; replayed from a seed. What is checked: nobody sends beyond its credit, nobody pays twice, and whatever
//! was acknowledged is owed on disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use clustercast_primitives::{Balance, SignedVoucher, WindowId};
use clustercast_protocol::{
	relayer, viewer, Cursor, EncodedWindow, Outcome, Payment, PaymentMode, Purse, RelayerSession, Resume, Share, Terms,
	TicketBook, ViewerConfig, ViewerSession,
};
use fixture::{Broadcast, GENESIS};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};

const BLOCK: u32 = 10_000;
const CREDIT: u8 = 2;
/// Of each window, by voucher: 1,000 bytes at 2,000,000 per GB.
const PRICE: Balance = 2;

/// What a viewer does with its purse.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Viewer {
	Honest,
	/// Pays every window with the purse as it was at the start: the same money again and again.
	SpendsAgain,
	/// Never answers.
	TakesAndGoes,
}

/// What the relayer's database holds.
#[derive(Default)]
struct Disk {
	newest: Option<SignedVoucher>,
	settled: Balance,
}

struct Simulator {
	rng: ChaCha8Rng,
	kind: Viewer,
	broadcast: Broadcast,
	windows: Vec<EncodedWindow>,

	book: TicketBook,
	disk: Disk,
	/// What the chain has paid for vouchers.
	chain: Balance,

	purse: Purse,
	stored: Option<Vec<u8>>,
	resume: Option<Resume>,

	/// Verified by the viewer with a receipt, and what they cost by voucher.
	verified: HashMap<WindowId, Balance>,
	/// Acknowledged to the viewer as paid by voucher: at least what they cost.
	acknowledged: Balance,
	paid: HashSet<WindowId>,
	refused: usize,
	unpaid_at_end: Vec<usize>,
}

impl Simulator {
	fn new(seed: u64, kind: Viewer) -> Self {
		Self {
			rng: ChaCha8Rng::seed_from_u64(seed),
			kind,
			broadcast: Broadcast::default(),
			windows: Vec::new(),
			book: TicketBook::new(fixture::book_config()),
			disk: Disk::default(),
			chain: 0,
			purse: Purse::new(fixture::purse_config(), fixture::session_key()),
			stored: None,
			resume: None,
			verified: HashMap::new(),
			acknowledged: 0,
			paid: HashSet::new(),
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
		self.book = TicketBook::new(fixture::book_config());
		if let Some(newest) = &self.disk.newest {
			self.book.restore_voucher(&newest.message, self.disk.settled, BLOCK);
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

	/// The chain pays what the newest voucher on disk owes, and the relayer hears of it.
	fn redeem(&mut self) {
		if let Some(newest) = &self.disk.newest {
			self.chain = self.chain.max(newest.message.amount);
			self.disk.settled = self.chain;
			self.book.settle_voucher(&newest.message, self.chain);
		}
	}

	fn mode(&mut self) -> PaymentMode {
		match self.rng.gen_bool(0.8) {
			true => PaymentMode::Vouchers {
				newest: self.disk.newest.clone(),
			},
			false => fixture::terms().mode,
		}
	}

	fn sign(&mut self, due: &viewer::Due) -> Option<Payment> {
		match self.kind {
			Viewer::TakesAndGoes => return None,
			Viewer::SpendsAgain => self.restart_viewer(),
			Viewer::Honest => {},
		}
		if let Some(state) = self.purse.reserve(BLOCK) {
			// A cheat never stores what it spent.
			if self.kind == Viewer::Honest || self.stored.is_none() {
				self.stored = Some(state);
			}
		}
		Some(self.purse.pay(due, BLOCK).unwrap())
	}

	fn subscription(&mut self) {
		let mut viewer = ViewerSession::new(ViewerConfig {
			resume: self.resume,
			..fixture::viewer_config()
		});
		let mut relayer = RelayerSession::new(GENESIS, self.rng.gen());
		let (mut to_viewer, mut to_relayer) = (Vec::<u8>::new(), Vec::<u8>::new());
		let rounds = self.rng.gen_range(1..60);
		for _ in 0..rounds {
			if self.rng.gen_bool(0.1) {
				self.redeem();
			}
			self.relayer_acts(&mut relayer);
			while let Some(frame) = relayer.poll_transmit() {
				to_viewer.extend(frame);
			}
			let some = self.rng.gen_range(0..=to_viewer.len());
			let fragment: Vec<u8> = to_viewer.drain(..some).collect();
			viewer.handle(&fragment).unwrap();
			let some = self.rng.gen_range(0..=to_relayer.len());
			let fragment: Vec<u8> = to_relayer.drain(..some).collect();
			relayer.handle(&fragment).unwrap();
			self.viewer_acts(&mut viewer);
			while let Some(frame) = viewer.poll_transmit() {
				to_relayer.extend(frame);
			}
		}
		// The connection breaks here, with whatever is under way in both directions.
		self.unpaid_at_end.push(relayer.unpaid().count());
		for commitment in relayer.unpaid().collect::<Vec<_>>() {
			self.book.close(&commitment);
		}
	}

	fn relayer_acts(&mut self, relayer: &mut RelayerSession) {
		while let Some(event) = relayer.poll_event() {
			let (window, judged) = match event {
				relayer::Event::Subscribed(_) => {
					let terms = Terms {
						mode: self.mode(),
						credit: CREDIT,
						..fixture::terms()
					};
					relayer.accept(terms, fixture::signer()).unwrap();
					continue;
				},
				relayer::Event::Ticket(ticket) => {
					let judged = self.book.accept(&ticket, &fixture::account(), BLOCK);
					let judged = judged.map(|outcome| {
						if let Outcome::Won(winner) = outcome {
							self.book.settle(&winner);
						}
					});
					(ticket.message.window, judged)
				},
				relayer::Event::Voucher {
					window,
					commitment,
					voucher,
				} => {
					let account = fixture::account();
					let judged = self.book.accept_voucher(&commitment, &voucher, &account, BLOCK);
					if judged.is_ok() {
						// On disk, and killed before it could say so.
						self.disk.newest = Some(voucher);
						if self.rng.gen_bool(0.05) {
							relayer.end(clustercast_protocol::EndReason::ShuttingDown);
							continue;
						}
						self.acknowledged += PRICE;
					}
					(window, judged)
				},
			};
			match judged {
				Ok(()) => {
					assert!(self.paid.insert(window), "{window} was paid before");
					relayer.paid(window).unwrap();
					if self.rng.gen_bool(0.1) {
						relayer.restate(self.mode()).unwrap();
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
				Cursor::After(last) => self.windows.iter().find(|w| w.id() > last).cloned(),
				Cursor::Live { .. } => None,
			};
			let window = next.unwrap_or_else(|| {
				self.windows.push(self.broadcast.segment(&fixture::media(1_000, 1)));
				self.windows[self.windows.len() - 1].clone()
			});
			self.book.open(relayer.deliver(&window).unwrap().unwrap()).unwrap();
			assert!(relayer.unpaid().count() <= CREDIT.into());
			if self.rng.gen_bool(0.3) {
				break;
			}
		}
	}

	fn viewer_acts(&mut self, viewer: &mut ViewerSession) {
		while let Some(event) = viewer.poll_event() {
			match event {
				viewer::Event::Terms(Some(terms)) => {
					if let PaymentMode::Vouchers { newest: Some(newest) } = terms.mode {
						self.purse.adopt(&newest).unwrap();
					}
				},
				viewer::Event::Window(window) => self.resume = Some(Resume::after(window.header())),
				viewer::Event::PaymentDue(due) => {
					if let Share::Voucher { amount } = due.share {
						assert_eq!(amount, PRICE);
						self.verified.insert(due.window, amount);
					}
					if let Some(payment) = self.sign(&due) {
						let _ = viewer.pay(&due, payment);
					}
				},
				_ => {},
			}
		}
	}

	/// Newest voucher that the relayer has.
	fn owed(&self) -> Balance {
		self.disk.newest.as_ref().map_or(0, |voucher| voucher.message.amount)
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
		prop_assert_eq!(run.chain, run.owed());
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= usize::from(CREDIT)));
	}

	/// A viewer who signs the same money again is served the credit of each subscription and no window more.
	#[test]
	fn money_spent_again_buys_nothing(seed: u64) {
		let run = Simulator::new(seed, Viewer::SpendsAgain).run(12);
		prop_assert!(run.acknowledged <= run.owed());
		let by_voucher = run.paid.iter().filter(|window| run.verified.contains_key(window)).count();
		prop_assert!(by_voucher as Balance * PRICE <= run.owed(), "{by_voucher} windows for {}", run.owed());
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= usize::from(CREDIT)));
	}

	#[test]
	fn who_pays_nothing_gets_the_credit_and_no_more(seed: u64) {
		let run = Simulator::new(seed, Viewer::TakesAndGoes).run(4);
		prop_assert!(run.unpaid_at_end.iter().all(|unpaid| *unpaid <= usize::from(CREDIT)));
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
	let cheats: Vec<_> = (0..8)
		.map(|seed| Simulator::new(seed, Viewer::SpendsAgain).run(12))
		.collect();
	assert!(cheats.iter().any(|run| run.refused > 0));
}
