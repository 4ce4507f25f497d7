//! What a relayer spends on a ticket: `ticket_accept/book` is the whole accept path, `ticket_accept/ed25519` the bare
//! signature check of the same bytes, the least that any such path can cost.

#[path = "../src/fixture.rs"]
mod fixture;

use clustercast_primitives::{
	amount,
	crypto::{PublicKey, SignedMessage},
	receipt::Kind,
	ticket, Hash, SignedTicket, Ticket, WindowId,
};
use clustercast_protocol::{BookConfig, Expectation, Float, Share, TicketBook};
use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use std::{
	hint::black_box,
	time::{Duration, Instant},
};

/// 300 blocks before an expiry on the grid.
const NOW: u32 = 1_020;

/// Tickets of one session.
const TICKETS: u32 = 8_192;

fn delivery(serial: u32) -> (Expectation, SignedTicket) {
	let payer = fixture::session();
	let rand = ticket::rand(&[9; 32], &payer.key, &fixture::CHALLENGE, serial.into());
	let (bytes, face_value) = (amount::ticket_bytes(375_000), 50_000);
	let win_probability =
		amount::win_probability(bytes, 2_000_000, face_value).expect("costs less than the face value");
	let expectation = Expectation {
		payer,
		window: WindowId {
			stream: fixture::STREAM,
			segment: serial.into(),
			..WindowId::default()
		},
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 3,
		share: Share::Ticket {
			bytes,
			face_value,
			win_probability,
		},
		commitment: ticket::commitment(&rand),
		rand,
	};
	let ticket = Ticket {
		sender: payer.account,
		session: payer.key,
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: expectation.kind,
		context: expectation.context,
		bytes,
		face_value,
		win_probability,
		commitment: expectation.commitment,
		nonce: serial.into(),
		expiry: NOW + 300,
	};
	(expectation, fixture::session_key().sign(ticket, &fixture::GENESIS))
}

fn book(deliveries: &[(Expectation, SignedTicket)]) -> TicketBook {
	let mut config = BookConfig {
		max_expectations: deliveries.len(),
		..fixture::book_config()
	};
	config.credit.float = Float {
		bytes: u64::MAX,
		value: u128::MAX >> 1,
		per_hour: u128::MAX >> 1,
	};
	let mut book = TicketBook::new(config);
	book.credit().enter(&fixture::session()).expect("room for one");
	for (expectation, _) in deliveries {
		book.open(expectation.clone()).expect("room for all");
	}
	book
}

fn ticket_accept(c: &mut Criterion) {
	let deliveries: Vec<_> = (0..TICKETS).map(delivery).collect();
	let mut account = fixture::account();
	account.deposit = u128::MAX;
	account.sessions[0].limit = u128::MAX;

	let mut group = c.benchmark_group("ticket_accept");
	group.throughput(Throughput::Elements(1));
	let (mut ours, mut next) = (book(&deliveries), 0);
	group.bench_function("book", |b| {
		b.iter_custom(|iterations| {
			let mut spent = Duration::ZERO;
			for _ in 0..iterations {
				if next == deliveries.len() {
					(ours, next) = (book(&deliveries), 0);
				}
				let start = Instant::now();
				black_box(ours.accept(black_box(&deliveries[next].1), &account, NOW)).expect("an honest ticket");
				spent += start.elapsed();
				next += 1;
			}
			spent
		})
	});
	let payloads: Vec<_> = deliveries
		.iter()
		.map(|(_, t)| (t.message.signing_payload(&fixture::GENESIS), t))
		.collect();
	let mut at = 0;
	group.bench_function("ed25519", |b| {
		b.iter(|| {
			let (payload, signed) = &payloads[at % payloads.len()];
			at += 1;
			let key: PublicKey = signed.message.session;
			black_box(key.verify(black_box(payload), &signed.signature)).expect("an honest signature");
		})
	});
	group.finish();
}

criterion_group!(benches, ticket_accept);
criterion_main!(benches);
