//! Verification of a whole window at the viewer: header signature, leaves, root, every chunk.
//!
//! `verify/window` takes all chunks as one read, `verify/fragments` in reads of 128 KiB as the network client makes them;
//! `verify/sha256` is one SHA-256 over 16 KiB, what a verifier without lanes is made of. Throughput counts media bytes.

#[path = "../src/fixture.rs"]
mod fixture;

use clustercast_primitives::crypto::sha256;
use clustercast_protocol::{
	viewer::{Event, Taken},
	wire::{range_prefix, ToViewer},
	EncodedWindow, ViewerConfig, ViewerSession,
};
use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};
use std::hint::black_box;

/// 2 s at 1.5 Mb/s.
const WINDOW_BYTES: usize = 375_000;

/// One read of a QUIC stream.
const FRAGMENT_BYTES: usize = 128 << 10;

/// A session that expects `window` next.
fn session(window: &EncodedWindow) -> ViewerSession {
	let mut session = ViewerSession::new(ViewerConfig {
		payment: None,
		..fixture::viewer_config()
	});
	let before = [
		ToViewer::Challenge(fixture::CHALLENGE),
		ToViewer::Terms(None),
		ToViewer::Catalog(Box::new(window.catalog().as_ref().clone())),
		ToViewer::Init(window.init().clone()),
		ToViewer::History(window.history().clone()),
	];
	for message in before {
		session.handle(&message.to_frame()).expect("in turn");
	}
	session
}

fn receive(mut session: ViewerSession, window: &EncodedWindow, read: usize) -> ViewerSession {
	session.handle(&window.announcement(true)).expect("an honest window");
	let prefix: Vec<u8> = range_prefix(&window.range()).into();
	let taken = session.begin_chunks(&prefix.try_into().expect("of its length"));
	let Ok(Taken::As(id)) = taken else {
		panic!("it was announced");
	};
	for fragment in window.data().chunks(read) {
		session.chunks(id, black_box(fragment)).expect("an honest window");
	}
	session.end_chunks(id, true).expect("an honest window");
	session
}

fn verify(c: &mut Criterion) {
	let window = fixture::Broadcast::default().segment(&fixture::media(WINDOW_BYTES, 1));
	let mut emitted = receive(session(&window), &window, WINDOW_BYTES);
	assert!(std::iter::from_fn(|| emitted.poll_event()).any(|e| matches!(e, Event::Window(_))));

	let mut group = c.benchmark_group("verify");
	group.throughput(Throughput::Bytes(WINDOW_BYTES as u64));
	for (name, read) in [("window", WINDOW_BYTES), ("fragments", FRAGMENT_BYTES)] {
		group.bench_function(name, |b| {
			b.iter_batched(
				|| session(&window),
				|session| receive(session, &window, read),
				BatchSize::LargeInput,
			)
		});
	}
	let block = fixture::media(16 << 10, 1);
	group.throughput(Throughput::Bytes(block.len() as u64));
	group.bench_function("sha256", |b| b.iter(|| sha256(&[black_box(&block)])));
	group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
