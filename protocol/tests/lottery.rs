//! What tickets are worth in the long run: ten thousand of them, signed by a purse, judged by a book, redeemed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use clustercast_primitives::{
	amount::{TICKET_BYTES, USDC},
	receipt::Kind,
	ticket, Hash, WindowId,
};
use clustercast_protocol::{Due, Expectation, Meter, Outcome, Payment, PaymentMode, Purse, Share, TicketBook};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TICKETS: u64 = 10_000;

#[test]
fn redeemed_value_is_what_was_delivered_within_five_sigma() {
	let mut rng = ChaCha8Rng::seed_from_u64(20_000);
	let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
	let mut book = TicketBook::new(fixture::book_config());
	let payer = fixture::session();
	book.credit().enter(&payer).unwrap();
	let (price_per_gb, face_value) = (2_000_000, 10_000u128);
	let (mode, mut meter) = (PaymentMode::Tickets { face_value }, Meter::default());
	let (mut delivered, mut billed, mut variance, mut winners) = (0, 0, 0.0, 0u128);
	for serial in 0..TICKETS {
		// About seven windows to a block of 2 s, so that expiries pass.
		let block = 10_000 + (serial / 7) as u32;
		let bytes = rng.gen_range(200_000..600_000);
		let share = meter.charge(bytes, price_per_gb, &mode).unwrap();
		let share = share.expect("a window is longer than what is paid ahead");
		let Share::Ticket { win_probability, .. } = share else {
			panic!("{share:?}");
		};
		delivered += bytes;
		billed += share.bytes();
		let rand = ticket::rand(&[9; 32], &payer.key, &fixture::CHALLENGE, serial);
		let expectation = Expectation {
			payer,
			window: WindowId {
				stream: fixture::STREAM,
				segment: serial,
				..WindowId::default()
			},
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 3,
			share,
			commitment: ticket::commitment(&rand),
			rand,
		};
		book.open(expectation.clone()).unwrap();
		purse.reserve(&fixture::RECIPIENT, block);
		let due = Due {
			recipient: fixture::RECIPIENT,
			window: expectation.window,
			kind: expectation.kind,
			context: expectation.context,
			terms: expectation.terms,
			price_per_gb,
			commitment: expectation.commitment,
			share,
		};
		let Payment::Ticket(ticket) = purse.pay(&due, block).unwrap() else {
			panic!("a ticket is due");
		};
		if let Outcome::Won(winning) = book.accept(&ticket, &fixture::account(), block).unwrap() {
			assert!(winning.is_winner());
			book.settle(&winning, block, true);
			winners += 1;
		}
		let p = win_probability as f64 / 2f64.powi(64);
		variance += p * (1.0 - p) * (face_value as f64).powi(2);
	}
	// Rounded up to a unit once, over all windows.
	assert_eq!(billed, u64::div_ceil(delivered, TICKET_BYTES) * TICKET_BYTES);
	let owed = u128::from(billed) * u128::from(price_per_gb) / 1_000_000_000;
	// Each probability is rounded down by less than 2^-64: all of them together cost less than a micro-USDC.
	assert!(purse.spent() == owed || purse.spent() == owed + 1);
	let redeemed = (winners * face_value) as f64;
	let off = (redeemed - owed as f64).abs() / variance.sqrt();
	assert!(
		off < 5.0,
		"{winners} winners redeem {redeemed} of {owed}: {off:.2} sigma"
	);
	assert!(winners > 500 && owed < 100 * USDC);
}
