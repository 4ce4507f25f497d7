//! What tickets are worth in the long run: ten thousand of them, signed by a purse, judged by a book, redeemed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;

use clustercast_primitives::{
	amount::{self, USDC},
	ticket, WindowId,
};
use clustercast_protocol::{BookConfig, Due, Expectation, Outcome, Payment, Purse, Share, TicketBook};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TICKETS: u64 = 10_000;

#[test]
fn redeemed_value_is_what_was_delivered_within_five_sigma() {
	let mut rng = ChaCha8Rng::seed_from_u64(20_000);
	let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
	let mut book = TicketBook::new(BookConfig {
		float: u128::MAX,
		..fixture::book_config()
	});
	let payer = fixture::payer();
	let (price_per_gb, face_value) = (2_000, 10_000u128);
	let (mut owed_millionths, mut variance, mut winners) = (0u128, 0.0, 0u128);
	for serial in 0..TICKETS {
		// About seven windows to a block of 2 s, so that the tickets spread over several epochs.
		let block = 10_000 + (serial / 7) as u32;
		let bytes = rng.gen_range(200_000..600_000);
		let rand = ticket::rand(&[9; 32], &payer.session, &[1; 16], serial);
		let win_probability = amount::win_probability(bytes, price_per_gb, face_value).unwrap();
		let window = WindowId {
			stream: fixture::STREAM,
			segment: serial,
			..WindowId::default()
		};
		let share = Share::Ticket {
			face_value,
			win_probability,
		};
		let commitment = ticket::commitment(&rand);
		book.open(Expectation {
			payer,
			window,
			bytes,
			share,
			commitment,
			rand,
		})
		.unwrap();
		purse.reserve(block);
		let due = Due {
			recipient: fixture::RECIPIENT,
			window,
			bytes,
			price_per_gb,
			share,
			commitment,
		};
		let Payment::Ticket(ticket) = purse.pay(&due, block).unwrap() else {
			panic!("a ticket is due");
		};
		if let Outcome::Won(winning) = book.accept(&ticket, &fixture::account(), block).unwrap() {
			assert!(winning.is_winner());
			book.settle(&winning);
			winners += 1;
		}
		owed_millionths += u128::from(bytes) * u128::from(price_per_gb);
		let p = win_probability as f64 / 2f64.powi(64);
		variance += p * (1.0 - p) * (face_value as f64).powi(2);
	}
	let owed = owed_millionths / 1_000_000;
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
