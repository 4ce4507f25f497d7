//! What signing costs: prints the tables of `docs/protocol.md`, from messages that are really encoded. See there
//! how it is run.

use clustercast_primitives::{
	crypto::{sha256, KeyPair},
	fraud::{Account, ChunkFraud},
	merkle::{self, Proof, CHUNK_LOG2},
	receipt::{deliveries_root, Kind, PayerOpening},
	ticket, AccountId, Delivery, Hash, Receipt, StreamId, Ticket, WindowHeader, WindowId,
};
use codec::Encode;
use std::time::{Duration, Instant};

const GENESIS: Hash = Hash([0x47; 32]);
const ONES: Hash = Hash([0xff; 32]);

/// Milliseconds of a window, bits of it a second.
const WINDOWS: [u32; 3] = [200, 500, 2_000];
const RATES: [u32; 2] = [1_500_000, 6_000_000];

fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

fn media(bytes: u32) -> Vec<u8> {
	(0..bytes).map(|i| (i * 31 % 251) as u8).collect()
}

fn header(data: &[u8], chunk_log2: u8) -> WindowHeader {
	let leaves = merkle::leaves(data, chunk_log2);
	WindowHeader {
		id: WindowId::default(),
		number: 432_000,
		history: ONES,
		flags: 0,
		start_ms: 1_700_000_000_000,
		duration_ms: 200,
		bytes: data.len() as u32,
		chunks: leaves.len() as u32,
		chunk_log2,
		root: merkle::root(&leaves),
		catalog: ONES,
		ext: Hash([0; 32]),
	}
}

fn opening() -> PayerOpening {
	PayerOpening {
		salt: ONES,
		account: AccountId([0x31; 32]),
		session: key(3).public(),
	}
}

fn receipt(deliveries: &[Delivery]) -> Receipt {
	Receipt {
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		payer: opening().hash(),
		payee: AccountId([0x32; 32]),
		key: key(2).public(),
		stream: StreamId(7),
		root: deliveries_root(deliveries),
		bytes: 375_000,
		price: 2_000_000,
		commitment: ticket::commitment(&ONES),
		block: 1_000,
	}
}

fn delivery(header: &WindowHeader, delivered: &[Hash]) -> Delivery {
	Delivery {
		header: header.hash(),
		first: 0,
		count: header.chunks,
		delivered: merkle::root(delivered),
	}
}

/// Bytes of a signed receipt for this many windows, with its deliveries.
fn receipt_bytes(windows: usize) -> usize {
	let header = header(b"a window", 14);
	let deliveries = vec![delivery(&header, &[ONES]); windows];
	key(2).sign(receipt(&deliveries), &GENESIS).encoded_size() + deliveries.encoded_size()
}

fn ticket_bytes() -> usize {
	let ticket = Ticket {
		sender: AccountId([0x31; 32]),
		session: key(3).public(),
		recipient: AccountId([0x32; 32]),
		stream: StreamId(7),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 393_216,
		face_value: 50_000,
		win_probability: 1 << 60,
		commitment: ONES,
		nonce: 1,
		expiry: 600,
	};
	key(3).sign(ticket, &GENESIS).encoded_size()
}

/// Bytes of the evidence that the first chunk of the last window of a receipt was another one.
fn fraud_bytes(data: &[u8], chunk_log2: u8, windows: usize) -> usize {
	let (header, signed) = (header(data, chunk_log2), merkle::leaves(data, chunk_log2));
	let mut delivered = signed.clone();
	if let Some(first) = delivered.first_mut() {
		*first = ONES;
	}
	let deliveries = vec![delivery(&header, &delivered); windows];
	let account = Account {
		receipt: key(2).sign(receipt(&deliveries), &GENESIS),
		payer: opening(),
		deliveries,
	};
	ChunkFraud::find(&account, windows - 1, &header, &signed, &delivered).map_or(0, |evidence| evidence.encoded_size())
}

/// The shortest of many runs.
fn best(mut work: impl FnMut()) -> Duration {
	let run = |_| {
		let began = Instant::now();
		work();
		began.elapsed()
	};
	(0..300).map(run).min().unwrap_or_default()
}

/// Time to verify a window, and to hash its bytes alone.
fn verify_time(data: &[u8], chunk_log2: u8) -> (Duration, Duration) {
	let signed = key(1).sign(header(data, chunk_log2), &GENESIS);
	let stream_key = key(1).public();
	let verified = best(|| {
		let root = merkle::root(&merkle::leaves(data, chunk_log2));
		assert!(
			root == signed.message.root && signed.check(&stream_key, &GENESIS).is_ok(),
			"it is a good window"
		);
	});
	let hashed = best(|| {
		std::hint::black_box(sha256(&[data]));
	});
	(verified, hashed)
}

fn main() {
	let ticket = ticket_bytes();
	println!("| chunk | window | Mb/s | chunks | signed header | leaves | receipt | in all, a receipt each 2 s | a receipt each window | ticket up | proof of a chunk | evidence | verify : hash |");
	println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
	for chunk_log2 in CHUNK_LOG2.filter(|log2| *log2 != 15) {
		for window_ms in WINDOWS {
			for rate in RATES {
				row(chunk_log2, window_ms, rate, ticket);
			}
		}
	}
	let (data, signed) = (media(1 << 20), key(1).sign(header(b"a window", 14), &GENESIS));
	let hashed = best(|| {
		std::hint::black_box(sha256(&[&data]));
	});
	let stream_key = key(1).public();
	let checked = best(|| assert!(signed.check(&stream_key, &GENESIS).is_ok(), "it is a good header"));
	println!(
		"\nSHA-256: {:.0} MB/s; a header's signature: {} us",
		1.048_576 / hashed.as_secs_f64(),
		checked.as_micros()
	);
	moments();
}

/// Figures from the header to the ticket are bytes a second and viewer.
fn row(chunk_log2: u8, window_ms: u32, rate: u32, ticket: usize) {
	let data = media(rate / 8 / 1_000 * window_ms);
	let leaves = merkle::leaves(&data, chunk_log2);
	let header = header(&data, chunk_log2);
	let windows = (2_000 / window_ms) as usize;
	let per_second = |bytes: usize, ms: u32| bytes as f64 * 1_000.0 / f64::from(ms);
	let head = per_second(key(1).sign(header, &GENESIS).encoded_size(), window_ms);
	let tree = per_second(leaves.len() * 32, window_ms);
	let each_two_seconds = per_second(receipt_bytes(windows), 2_000);
	let each_window = per_second(receipt_bytes(1), window_ms);
	let share = |bytes: f64| 100.0 * bytes / f64::from(rate / 8);
	let all = head + tree + each_two_seconds;
	let all_each = head + tree + each_window;
	let proof = Proof::new(&leaves, 0).map_or(0, |proof| proof.encoded_size());
	let evidence = fraud_bytes(&data, chunk_log2, windows);
	let (verified, hashed) = verify_time(&data, chunk_log2);
	println!(
		"| {} KiB | {window_ms} ms | {} | {} | {head:.0} | {tree:.0} | {each_two_seconds:.0} | {all:.0}: {:.2} % | {all_each:.0}: {:.2} % | {:.0} | {proof} | {evidence} | {:.2} |",
		(1 << chunk_log2) / 1024,
		f64::from(rate) / 1e6,
		leaves.len(),
		share(all),
		share(all_each),
		per_second(ticket, 2_000),
		verified.as_secs_f64() / hashed.as_secs_f64(),
	);
}

/// A moment: one signature over the root of up to 16 header hashes in place of one each. The root follows from header and
/// path, so that signature, width and index are all that is sent beside them.
fn moments() {
	const SIGNATURE: usize = 64;
	let data = media(96_000 / 8 / 1_000 * 200);
	let message = header(&data, 14);
	let header = message.encoded_size();
	println!(
		"\n| 200 ms of sound at 96 kb/s, {} bytes | bytes | of the sound |",
		data.len()
	);
	println!("| --- | ---: | ---: |");
	let line =
		|what: &str, bytes: f64| println!("| {what} | {bytes:.0} | {:.1} % |", 100.0 * bytes / data.len() as f64);
	line("signed header", (header + SIGNATURE) as f64);
	for tracks in [2, 6, 16] {
		let path = Proof::new(&vec![message.hash(); tracks], 0).map_or(0, |proof| 32 * proof.path.len());
		let alone = header + SIGNATURE + 2 + path;
		let together = header as f64 + (SIGNATURE + 1) as f64 / tracks as f64;
		line(&format!("header in a moment of {tracks}, with its path"), alone as f64);
		line(
			&format!("header in a moment of {tracks}, all of them together"),
			together,
		);
	}
}
