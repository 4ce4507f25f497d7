//! Broadcasters and relayers who begin large windows and finish none: memory is bounded, and nobody honest pays for it.

use super::*;
use crate::viewer::{content::MAX_KNOWN, BUDGET, MIN_BUDGET};

/// Of a large window.
const LARGE: usize = 2 << 20;

fn large(broadcast: &mut Broadcast, count: u64) -> Vec<EncodedWindow> {
	(0..count)
		.map(|n| broadcast.segment(&fixture::media(LARGE, n as u8)))
		.collect()
}

/// Bytes that windows take that are not whole, at least: room for each that has begun.
fn taken(session: &ViewerSession, windows: &[EncodedWindow]) -> u64 {
	let begun = windows
		.iter()
		.filter(|window| !session.partial(&window.hash()).is_empty());
	begun.count() as u64 * LARGE as u64
}

/// A stream of chunks that brings so many bytes of a window, and goes on.
fn begin(session: &mut ViewerSession, window: &EncodedWindow, bytes: usize) -> BodyId {
	let Ok(Taken::As(id)) = session.begin_chunks(&window.range().encode().try_into().unwrap()) else {
		panic!("it was announced");
	};
	session.chunks(id, &window.data()[..bytes]).unwrap();
	id
}

/// The attack: 320 windows of 8 MiB, of each of which one chunk comes, took 2.5 GiB.
#[test]
fn windows_of_which_only_a_chunk_comes_take_no_more_than_the_budget() {
	let mut session = free();
	let windows = large(&mut Broadcast::default(), BUDGET / LARGE as u64 + 10);
	for window in &windows {
		push(&mut session, window);
		give(&mut session, window.range(), &data(window, 0, 1)).unwrap();
		assert!(taken(&session, &windows) <= BUDGET);
	}
	let gone: Vec<_> = windows[..10]
		.iter()
		.map(|window| (window.id().segment, false))
		.collect();
	assert_eq!(outcome(&mut session), gone, "the oldest, and no more than that");
}

/// The same with streams that never end.
#[test]
fn windows_that_are_coming_take_no_more_than_the_budget() {
	let mut session = free();
	let windows = large(&mut Broadcast::default(), BUDGET / LARGE as u64 + 10);
	for window in &windows {
		push(&mut session, window);
		begin(&mut session, window, LARGE - 1);
		assert!(taken(&session, &windows) <= BUDGET);
		assert!(session.content.held() <= BUDGET);
	}
	assert!(outcome(&mut session).iter().all(|(_, whole)| !whole));
}

/// Or with what is offered, brought by others.
#[test]
fn chunks_of_others_take_no_more_than_the_budget() {
	let mut session = free();
	let windows = large(&mut Broadcast::default(), BUDGET / LARGE as u64 + 10);
	assert!(windows.len() < MAX_KNOWN);
	for window in &windows {
		push(&mut session, window);
		assert!(session.supply(&Chunks::verified(range(window, 3, 1), data(window, 3, 1))));
		assert!(taken(&session, &windows) <= BUDGET);
	}
}

/// The oldest of these is given up in the middle of its chunks, as the newest takes its room. Its stream, and where it stands.
fn crowded(session: &mut ViewerSession, windows: &[EncodedWindow]) -> (BodyId, usize) {
	session.hold_at_most(MIN_BUDGET + 100_000);
	windows.iter().for_each(|window| push(session, window));
	let coming = begin(session, &windows[0], 40_000);
	windows[1..].iter().for_each(|window| {
		begin(session, window, LARGE - 1);
	});
	assert_eq!(outcome(session), [(windows[0].id().segment, false)]);
	(coming, 40_000)
}

#[test]
fn who_brings_a_window_that_is_given_up_is_paid_for_all_that_comes_and_told_to_bring_no_more() {
	let mut session = paying();
	let windows = large(&mut Broadcast::default(), MIN_BUDGET / LARGE as u64 + 1);
	let (oldest, newest) = (&windows[0], windows.last().unwrap());
	let (coming, came) = crowded(&mut session, &windows);
	let said: Vec<_> = std::iter::from_fn(|| session.poll_transmit()).collect();
	assert!(said.contains(&ToRelayer::Cancel(oldest.range()).to_frame()));
	// The relayer ends it where it is when it hears that: behind some more chunks.
	session.chunks(coming, &oldest.data()[came..163_840]).unwrap();
	assert!(session.partial(&oldest.hash()).is_empty(), "nothing of it is kept");
	session.end_chunks(coming, true).unwrap();
	let delivered = [part(oldest, 0, 10)];
	send(&mut session, receipt_of(newest, &delivered, 163_840, 1)).unwrap();
	assert_eq!(drain(&mut session).1.unwrap().share.bytes(), 196_608);
}

#[test]
fn what_nobody_needs_any_more_is_verified_all_the_same() {
	let mut session = free();
	let windows = large(&mut Broadcast::default(), MIN_BUDGET / LARGE as u64 + 1);
	let (coming, came) = crowded(&mut session, &windows);
	session.chunks(coming, &windows[0].data()[came..49_152]).unwrap();
	let fault = session.chunks(coming, &windows[1].data()[49_152..65_536]).unwrap_err();
	assert!(matches!(fault, Fault::BadChunk { index: 3, .. }), "{fault}");
}

#[test]
fn windows_behind_one_that_is_given_up_leave() {
	let mut session = free();
	session.hold_at_most(MIN_BUDGET + 100_000);
	let windows = large(&mut Broadcast::default(), MIN_BUDGET / LARGE as u64 + 2);
	windows.iter().for_each(|window| push(&mut session, window));
	give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
	begin(&mut session, &windows[0], LARGE - 1);
	for window in &windows[2..] {
		assert!(outcome(&mut session).is_empty(), "there is room");
		begin(&mut session, window, LARGE - 1);
	}
	let first = windows[0].id().segment;
	assert_eq!(outcome(&mut session), [(first, false), (first + 1, true)]);
}

#[test]
fn what_was_asked_for_is_never_given_up_and_no_more_is_asked_for_than_there_is_room_for() {
	let mut session = standby(None);
	session.hold_at_most(MIN_BUDGET);
	let windows = large(&mut Broadcast::default(), MIN_BUDGET / LARGE as u64 + 1);
	for (at, window) in windows.iter().enumerate() {
		offer(&mut session, window).unwrap();
		let asks = session.fetch(fetch(window.range()));
		assert_eq!(asks, at < windows.len() - 1, "{at}");
	}
	for window in &windows[..windows.len() - 1] {
		begin(&mut session, window, LARGE - 1);
	}
	for window in &windows[..windows.len() - 1] {
		assert_eq!(session.partial(&window.hash()).len(), 1);
	}
	assert!(events(&mut session)
		.iter()
		.all(|event| !matches!(event, Event::Skipped(_) | Event::Lacks(_))));
}
