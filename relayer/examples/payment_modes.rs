//! A session of 10,000 windows, paid by lottery and by voucher, side by side: what the viewer pays, how much that varies,
//! and what redeeming it costs. Purse, ticket book, store and redeemers are the real ones; the chain is a ledger that
//! pays by the chain's rules and counts fees. Prints a table for docs/benchmarks.md.
//!
//! ```text
//! cargo run --release -p clustercast-relayer --example payment_modes -- [SEEDS] [WINDOWS]
//! ```

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::{
	amount::{self, USDC},
	chain::{Payout, TicketRefusal, TicketVerdict, VoucherPlace, VoucherTotals},
	crypto::KeyPair,
	receipt::Kind,
	ticket, Balance, BlockNumber, Hash, SignedVoucher, WindowId, WinningTicket,
};
use clustercast_protocol::{
	BookConfig, Due, Expectation, Meter, Outcome, Payment as Paid, PaymentMode, Purse, PurseConfig, SessionKey,
	TicketBook,
};
use clustercast_relayer::{
	payment::{Payment, Rule},
	redeemer::{
		self,
		vouchers::{self, Collector, Look},
		Receipts, Redeemer, Thresholds,
	},
	store::{self, Store, VoucherOutcome},
};
use std::{
	collections::{BTreeMap, HashMap, HashSet},
	sync::{Arc, Mutex, MutexGuard},
	time::Duration,
};

/// Micro-USDC per 10^9 bytes.
const PRICE: u64 = 20_000;

/// 2 s windows of about 1.5 Mb/s.
const WINDOW_MS: u64 = 2_000;

const REDEEM_VALUE: Balance = USDC;
const REDEEM_AGE: Duration = Duration::from_secs(600);
const VOUCHER_AGE: Duration = Duration::from_secs(7_200);
const MIN_FACE_VALUE: Balance = 1_000;

/// Fees in micro-USDC of an extrinsic with none, and of each item in it, by the first table of docs/economics.md.
mod fee {
	pub const TICKETS: (u128, u128) = (153, 123);
	pub const VOUCHERS: (u128, u128) = (152, 111);
}

/// What the chain did.
#[derive(Default)]
struct State {
	block: BlockNumber,
	tickets: Vec<Vec<WinningTicket>>,
	batches: Vec<Vec<SignedVoucher>>,
	spent: HashSet<u64>,
	/// Of each block.
	receipts: HashMap<BlockNumber, Receipts>,
	vouchers: VoucherTotals,
	paid: Balance,
	redemptions: u64,
	calls: u64,
	fees: Balance,
}

#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<State>>);

fn split(amount: Balance) -> Payout {
	let (broadcaster, treasury) = (amount / 10, amount / 50);
	Payout {
		relayer: amount - broadcaster - treasury,
		broadcaster,
		treasury,
	}
}

impl Ledger {
	fn state(&self) -> MutexGuard<'_, State> {
		self.0.lock().unwrap()
	}

	/// One block: whatever was posted is included and final.
	fn advance(&self) {
		let mut state = self.state();
		state.block += 1;
		for batch in std::mem::take(&mut state.tickets) {
			state.calls += 1;
			state.fees += fee::TICKETS.0 + fee::TICKETS.1 * batch.len() as u128;
			for winner in batch {
				if let TicketVerdict::Accepted(_) = Self::ticket(&state, &winner) {
					let message = winner.signed.message.clone();
					let (block, payout) = (state.block, split(message.face_value));
					state.spent.insert(message.nonce);
					let receipts = state.receipts.entry(block).or_default();
					receipts.tickets.push((winner.id(), payout));
					state.paid += message.face_value;
					state.redemptions += 1;
				}
			}
		}
		for batch in std::mem::take(&mut state.batches) {
			state.calls += 1;
			state.fees += fee::VOUCHERS.0 + fee::VOUCHERS.1 * batch.len() as u128;
			for voucher in batch {
				if let TicketVerdict::Accepted(_) = Self::voucher(&state, &voucher) {
					let message = voucher.message;
					state.paid += message.amount - state.vouchers.amount;
					state.vouchers = VoucherTotals {
						amount: message.amount,
						bytes: message.bytes,
					};
					state.redemptions += 1;
				}
			}
		}
	}

	fn ticket(state: &State, winner: &WinningTicket) -> TicketVerdict {
		let message = &winner.signed.message;
		assert!(winner.is_winner());
		if state.spent.contains(&message.nonce) {
			return TicketVerdict::Refused(TicketRefusal::AlreadyRedeemed);
		}
		match message.expiry < state.block {
			true => TicketVerdict::Refused(TicketRefusal::Expired),
			false => TicketVerdict::Accepted(split(message.face_value)),
		}
	}

	fn voucher(state: &State, voucher: &SignedVoucher) -> TicketVerdict {
		let message = &voucher.message;
		match message.amount.checked_sub(state.vouchers.amount) {
			_ if message.expiry < state.block => TicketVerdict::Refused(TicketRefusal::Expired),
			None | Some(0) => TicketVerdict::Refused(TicketRefusal::NothingNew),
			Some(more) if more < MIN_FACE_VALUE => TicketVerdict::Refused(TicketRefusal::FaceValueTooSmall),
			Some(more) => TicketVerdict::Accepted(split(more)),
		}
	}
}

impl redeemer::Events for Ledger {
	type Error = &'static str;

	async fn receipts(&self, block: BlockNumber) -> Result<Receipts, Self::Error> {
		Ok(self.state().receipts.get(&block).cloned().unwrap_or_default())
	}
}

impl redeemer::Chain for Ledger {
	type Error = &'static str;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
		Ok((self.state().block, Hash([0; 32])))
	}

	async fn check(&self, tickets: &[WinningTicket], _: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
		let state = self.state();
		Ok(tickets.iter().map(|t| Self::ticket(&state, t)).collect())
	}

	async fn submit(&self, tickets: &[WinningTicket]) -> Result<Option<Hash>, Self::Error> {
		self.state().tickets.push(tickets.to_vec());
		Ok(Some(Hash([1; 32])))
	}
}

impl vouchers::Chain for Ledger {
	type Error = &'static str;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
		redeemer::Chain::finalised(self).await
	}

	async fn paid(&self, places: &[VoucherPlace], _: Hash) -> Result<Vec<VoucherTotals>, Self::Error> {
		Ok(vec![self.state().vouchers; places.len()])
	}

	async fn check(&self, vouchers: &[SignedVoucher], _: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
		let state = self.state();
		Ok(vouchers.iter().map(|v| Self::voucher(&state, v)).collect())
	}

	async fn submit(&self, vouchers: &[SignedVoucher]) -> Result<Option<Hash>, Self::Error> {
		self.state().batches.push(vouchers.to_vec());
		Ok(Some(Hash([2; 32])))
	}
}

/// What a session came to, micro-USDC.
struct Session {
	owed: Balance,
	paid: Balance,
	redemptions: u64,
	calls: u64,
	fees: Balance,
}

/// One viewer, `windows` windows, until everything is settled.
async fn session(seed: u64, windows: u64, payment: Payment, face_value: Balance) -> Session {
	let rule = Rule::new(payment, PRICE, face_value, VOUCHER_AGE);
	let secret = ticket::rand(&[9; 32], &fixture::session().key, &Hash([0; 32]), seed).0;
	let key = KeyPair::from_seed(secret);
	let payer = SessionKey {
		key: key.public(),
		..fixture::session()
	};
	let mut account = fixture::account();
	account.sessions[0].key = payer.key;
	let mut purse = Purse::new(
		PurseConfig {
			budget: 100 * USDC,
			..fixture::purse_config()
		},
		key,
	);
	let mut book = TicketBook::new(BookConfig {
		max_price_per_gb: PRICE,
		..fixture::book_config()
	});
	book.credit().enter(&payer).unwrap();
	let dir = tempfile::tempdir_in("/dev/shm")
		.or_else(|_| tempfile::tempdir())
		.unwrap();
	let store = Store::open(&dir.path().join("winners.redb"), &fixture::GENESIS);
	let store = Arc::new(store.unwrap());
	let ledger = Ledger::default();
	let tickets = Redeemer::new(
		store.clone(),
		ledger.clone(),
		Thresholds {
			value: REDEEM_VALUE,
			age: REDEEM_AGE,
		},
	);
	let collector = Collector::new(
		store.clone(),
		ledger.clone(),
		vouchers::Thresholds {
			value: REDEEM_VALUE,
			age: VOUCHER_AGE,
			least: MIN_FACE_VALUE,
			worth: MIN_FACE_VALUE,
		},
	);
	let (mut owed_billionths, mut by_ticket, mut by_voucher) = (0u128, 0, 0);
	let (mut serial, mut meter) = (0, Meter::default());
	loop {
		let block = ledger.state().block;
		let now_ms = u64::from(block) * WINDOW_MS;
		if serial < windows {
			let rand = ticket::rand(&secret, &payer.key, &Hash([1; 32]), serial);
			// A quarter more or less than 375 kB.
			let draw = u16::from_le_bytes([rand.0[30], rand.0[31]]);
			let bytes = 281_250 + u64::from(draw) * 187_500 / 65_536;
			let mode = match rule.vouchers(by_ticket + by_voucher) {
				true => PaymentMode::Vouchers { newest: None },
				false => PaymentMode::Tickets { face_value },
			};
			let share = meter.charge(bytes, PRICE, &mode).unwrap();
			owed_billionths += u128::from(bytes) * u128::from(PRICE);
			let window = WindowId {
				stream: fixture::STREAM,
				segment: serial,
				..WindowId::default()
			};
			let commitment = ticket::commitment(&rand);
			let (kind, context, terms) = (Kind::LIVE, Hash([0; 32]), 0);
			purse.reserve(&fixture::RECIPIENT, block);
			if let Some(share) = share {
				book.open(Expectation {
					payer,
					window,
					kind,
					context,
					terms,
					share,
					commitment,
					rand,
				})
				.unwrap();
				let due = Due {
					recipient: fixture::RECIPIENT,
					window,
					kind,
					context,
					terms,
					price_per_gb: PRICE,
					commitment,
					share,
				};
				match purse.pay(&due, block).unwrap() {
					Paid::Ticket(signed) => {
						by_ticket += amount::cost(share.bytes(), PRICE);
						if let Outcome::Won(winner) = book.accept(&signed, &account, block).unwrap() {
							store.insert(&winner, now_ms).unwrap();
						}
					},
					Paid::Voucher(signed) => {
						book.accept_voucher(&commitment, &signed, &account, block).unwrap();
						by_voucher = signed.message.amount;
						assert_eq!(store.keep(&[signed], now_ms).unwrap(), [true]);
					},
				}
			}
			serial += 1;
		}
		let urgent = HashSet::new();
		let won = tickets.step(now_ms, false, &urgent).await.unwrap();
		for (winner, outcome) in &won.settled {
			book.settle(winner, won.at, matches!(outcome, store::Outcome::Paid(_)));
		}
		let look = Look {
			now_ms,
			all: false,
			urgent: &urgent,
			reserved: &HashSet::new(),
			terms: &BTreeMap::new(),
		};
		let collected = collector.step(look).await.unwrap();
		for settled in &collected.settled {
			let paid = matches!(settled.outcome, VoucherOutcome::Paid(_));
			book.settle_voucher(&settled.voucher, settled.amount, collected.at, paid);
		}
		book.prune(block);
		ledger.advance();
		if serial == windows && won.pending == 0 && collected.pending_value == 0 {
			break;
		}
	}
	let state = ledger.state();
	let (totals, sums) = (store.totals().unwrap(), store.voucher_sums().unwrap());
	assert_eq!(totals.paid_value + sums.paid, state.paid, "credited once");
	Session {
		owed: owed_billionths / amount::BYTES_PER_GB,
		paid: state.paid,
		redemptions: state.redemptions,
		calls: state.calls,
		fees: state.fees,
	}
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
	let count = values.clone().count();
	values.sum::<f64>() / count as f64
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
	let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
	let (seeds, windows) = (arguments.next().unwrap_or(20), arguments.next().unwrap_or(10_000));
	println!("{windows} windows of 375 kB at {PRICE} micro-USDC per GB, {seeds} sessions each; amounts in USDC\n");
	println!("| paid by | owed | paid | deviation from owed, least to most | sigma | redemptions | calls | fees | fees of paid |");
	println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
	for (name, payment, face_value) in [
		("tickets of 0.005", Payment::Tickets, 5_000),
		("tickets of 0.02", Payment::Tickets, 20_000),
		("vouchers", Payment::Vouchers, 20_000),
		("auto, 0.02", Payment::Auto, 20_000),
	] {
		let mut sessions = Vec::new();
		for seed in 0..seeds {
			sessions.push(session(seed, windows, payment, face_value).await);
		}
		let average = |of: fn(&Session) -> f64| mean(sessions.iter().map(of));
		let usdc = USDC as f64;
		let off = |s: &Session| (s.paid as f64 - s.owed as f64) / s.owed as f64;
		let (least, most) = sessions
			.iter()
			.map(off)
			.fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(x), b.max(x)));
		let sigma = mean(sessions.iter().map(|s| off(s).powi(2))).sqrt();
		let (paid, fees) = (average(|s| s.paid as f64), average(|s| s.fees as f64));
		println!(
			"| {name} | {:.4} | {:.4} | {:+.2} % to {:+.2} % | {:.2} % | {:.0} | {:.0} | {:.4} | {:.2} % |",
			average(|s| s.owed as f64) / usdc,
			paid / usdc,
			100.0 * least,
			100.0 * most,
			100.0 * sigma,
			average(|s| s.redemptions as f64),
			average(|s| s.calls as f64),
			fees / usdc,
			100.0 * fees / paid,
		);
	}
}
