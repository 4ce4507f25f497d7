//! Chunks in any order, from several relayers, of windows that come whole or not.

use super::{
	content::{AGAIN_MS, MAX_KNOWN, MAX_PINNED, MAX_WAITING, MAX_WAITING_BYTES},
	*,
};
use crate::assembly::Assembly;

mod budget;

/// A session that follows announcements alone, on these terms.
fn standby(terms: Option<Terms>) -> ViewerSession {
	let config = ViewerConfig {
		follow: Follow::Announcements,
		..match terms {
			Some(_) => fixture::viewer_config(),
			None => guest(),
		}
	};
	offered(config, terms)
}

/// The window is announced, and does not come by itself.
fn offer(session: &mut ViewerSession, window: &EncodedWindow) -> Result<(), Fault> {
	prepare(session, window)?;
	session.handle(&window.announcement(false))
}

/// The same, and comes.
fn push(session: &mut ViewerSession, window: &EncodedWindow) {
	prepare(session, window).unwrap();
	session.handle(&window.announcement(true)).unwrap();
}

fn range(window: &EncodedWindow, first: u32, count: u32) -> Range {
	Range {
		first,
		count,
		..window.range()
	}
}

fn data(window: &EncodedWindow, first: u32, count: u32) -> Bytes {
	window.chunks(first, count).unwrap()
}

fn fetch(range: Range) -> Fetch {
	Fetch {
		range,
		within_ms: 1_000,
	}
}

/// These chunks, as a receipt has them.
fn part(window: &EncodedWindow, first: u32, count: u32) -> Delivered {
	let piece = Piece::part(window.header(), window.hash(), window.leaves(), first, count);
	piece.unwrap().delivery
}

/// What an honest relayer signs for these.
fn receipt_of(window: &EncodedWindow, deliveries: &[Delivered], bytes: u64, serial: u8) -> ToViewer {
	let receipt = Receipt {
		root: deliveries_root(deliveries),
		bytes,
		..receipt(window, serial)
	};
	signed(receipt, deliveries)
}

fn events(session: &mut ViewerSession) -> Vec<Event> {
	std::iter::from_fn(|| session.poll_event()).collect()
}

/// Windows that came out and those that were skipped, in their order.
fn outcome(session: &mut ViewerSession) -> Vec<(u64, bool)> {
	let place = |event: Event| match event {
		Event::Window(window) => Some((window.id().segment, true)),
		Event::Skipped(id) => Some((id.segment, false)),
		_ => None,
	};
	events(session).into_iter().filter_map(place).collect()
}

fn windows(count: u8) -> Vec<EncodedWindow> {
	let mut broadcast = Broadcast::default();
	(0..count)
		.map(|n| broadcast.segment(&fixture::media(100_000, n)))
		.collect()
}

#[test]
fn windows_leave_in_order_in_whatever_order_their_chunks_come() {
	let windows = windows(3);
	let mut session = free();
	windows.iter().for_each(|window| push(&mut session, window));
	for at in [2, 0] {
		give(&mut session, windows[at].range(), &windows[at].data()).unwrap();
	}
	let first = windows[0].id().segment;
	assert_eq!(outcome(&mut session), [(first, true)]);
	assert_eq!(session.resume(), Some(Resume::after(&windows[0])));
	give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
	assert_eq!(outcome(&mut session), [(first + 1, true), (first + 2, true)]);
	assert_eq!(session.resume(), Some(Resume::after(&windows[2])));
}

/// Announced, and the first of them does not come; the rest does, each so many milliseconds behind the one before.
fn stuck(
	mut session: ViewerSession,
	windows: &[EncodedWindow],
	every_ms: u64,
) -> (ViewerSession, Vec<Vec<(u64, bool)>>) {
	windows.iter().for_each(|window| push(&mut session, window));
	while session.poll_transmit().is_some() {}
	let mut now_ms = fixture::LATEST_START_MS;
	let outcomes = windows[1..].iter().map(|window| {
		now_ms += every_ms;
		session.set_latest_start(now_ms);
		give(&mut session, window.range(), &window.data()).unwrap();
		outcome(&mut session)
	});
	let outcomes = outcomes.collect();
	(session, outcomes)
}

/// The fault: 64 whole windows waited for one that never came.
#[test]
fn window_that_does_not_come_is_given_up_behind_as_many_as_a_playout_buffer_uses() {
	let windows = windows(6);
	let first = windows[0].id().segment;
	let (mut session, outcomes) = stuck(free(), &windows, 2_000);
	let nothing = Vec::new();
	assert_eq!(outcomes[..MAX_WAITING], [nothing.clone(), nothing]);
	let gone_on = vec![(first, false), (first + 1, true), (first + 2, true), (first + 3, true)];
	assert_eq!(
		outcomes[MAX_WAITING..],
		[gone_on, vec![(first + 4, true)], vec![(first + 5, true)]]
	);
	let cancelled = ToRelayer::Cancel(windows[0].range()).to_frame();
	assert_eq!(session.poll_transmit(), Some(cancelled), "it need not be sent");
	// What comes nevertheless is late.
	give(&mut session, windows[0].range(), &windows[0].data()).unwrap();
	assert!(outcome(&mut session).is_empty());
}

#[test]
fn what_comes_all_at_once_waits_for_what_the_line_lost() {
	let windows = windows(8);
	let (mut session, outcomes) = stuck(free(), &windows, AGAIN_MS / 10);
	assert!(outcomes.iter().all(Vec::is_empty), "{outcomes:?}");
	give(&mut session, windows[0].range(), &windows[0].data()).unwrap();
	assert_eq!(outcome(&mut session).len(), windows.len());
}

/// A relayer would have none of those behind it for its viewers.
#[test]
fn who_passes_windows_on_waits_for_each() {
	let windows = windows(8);
	let mut session = free();
	session.wait_for_all();
	let (mut session, outcomes) = stuck(session, &windows, 2_000);
	assert!(outcomes.iter().all(Vec::is_empty), "{outcomes:?}");
	give(&mut session, windows[0].range(), &windows[0].data()).unwrap();
	assert_eq!(outcome(&mut session).len(), windows.len());
}

#[test]
fn no_more_bytes_wait_than_two_windows_of_the_largest_kind() {
	let mut broadcast = Broadcast::default();
	let large = || fixture::media(MAX_WAITING_BYTES as usize / 2, 1);
	let windows: Vec<_> = (0..4).map(|_| broadcast.segment(&large())).collect();
	let first = windows[0].id().segment;
	let (_, outcomes) = stuck(free(), &windows, 0);
	assert!(outcomes[..2].iter().all(Vec::is_empty), "{outcomes:?}");
	assert_eq!(outcomes[2][0], (first, false));
	assert_eq!(outcomes[2].len(), 4);
}

#[test]
fn receipt_that_overtakes_its_chunks_is_paid_when_they_are_here_and_terms_behind_it_hold_then() {
	let windows = windows(3);
	let mut session = paying();
	windows[..2].iter().for_each(|window| push(&mut session, window));
	send(&mut session, for_all(&[&windows[0], &windows[1]], 1)).unwrap();
	let cheaper = Terms {
		price_per_gb: 1_000_000,
		..fixture::terms()
	};
	send(&mut session, ToViewer::Terms(Some(cheaper))).unwrap();
	push(&mut session, &windows[2]);
	events(&mut session);
	give(&mut session, windows[2].range(), &windows[2].data()).unwrap();
	give(&mut session, windows[0].range(), &windows[0].data()).unwrap();
	assert!(drain(&mut session).1.is_none() && session.owes());
	give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
	let events = events(&mut session);
	let price = |event: &Event| match event {
		Event::PaymentDue(due) => Some(due.price_per_gb),
		Event::Terms(Some(terms)) => Some(terms.price_per_gb),
		_ => None,
	};
	assert_eq!(
		events.iter().filter_map(price).collect::<Vec<_>>(),
		[2_000_000, 1_000_000]
	);
	let at_the_new = Receipt {
		price: 1_000_000,
		..receipt(&windows[2], 2)
	};
	send(&mut session, signed(at_the_new, &[whole(&windows[2])])).unwrap();
	assert!(drain(&mut session).1.is_some());
	// At the price before it would be too much.
	let mut session = paying();
	send(
		&mut session,
		ToViewer::Terms(Some(Terms {
			price_per_gb: 1_000_000,
			..fixture::terms()
		})),
	)
	.unwrap();
	show(&mut session, &windows[0]).unwrap();
	let bad = Fault::BadReceipt {
		window: windows[0].id(),
		reason: ReceiptFault::Price,
	};
	assert_eq!(send(&mut session, honest(&windows[0], 1)), Err(bad));
}

#[test]
fn no_more_receipts_wait_than_are_honest() {
	let windows = windows(MAX_HELD as u8 + 2);
	let mut session = paying();
	windows.iter().for_each(|window| push(&mut session, window));
	let answers: Vec<_> = windows
		.iter()
		.zip(0..)
		.map(|(window, serial)| send(&mut session, honest(window, serial)))
		.collect();
	let refused = answers.iter().position(Result::is_err);
	assert_eq!(refused, Some(MAX_HELD));
	assert_eq!(answers[MAX_HELD], Err(Fault::Unexpected(Kind::Receipt)));
}

/// What was asked for: ranges of one window from two relayers at once, each paid for what it brought, to the byte.
#[test]
fn two_relayers_bring_one_window_and_each_is_paid_for_its_part() {
	let windows = windows(2);
	let terms = || Some(fixture::terms());
	let [mut one, mut other] = [standby(terms()), standby(terms())];
	let mut assembly = None;
	let halves = [range(&windows[1], 0, 4), range(&windows[1], 4, 3)];
	for (session, half) in [&mut one, &mut other].into_iter().zip(halves) {
		for window in &windows {
			offer(session, window).unwrap();
		}
		for event in events(session) {
			if let Event::Announced(of) = event {
				assembly = Some(Assembly::new(of));
			}
		}
		while session.poll_transmit().is_some() {}
		assert!(session.fetch(fetch(half)));
		assert!(!session.fetch(fetch(half)), "it is on its way");
		assert_eq!(session.poll_transmit(), Some(ToRelayer::Fetch(fetch(half)).to_frame()));
	}
	let mut assembly = assembly.unwrap();
	let mut bytes = 0;
	for (session, half) in [&mut one, &mut other].into_iter().zip(halves) {
		let (first, count) = (half.first, half.count);
		give(session, half, &data(&windows[1], first, count)).unwrap();
		let [Event::Progress(here), Event::Chunks(chunks)] = &events(session)[..] else {
			panic!("nothing but what was fetched");
		};
		assert_eq!((*here, chunks.range()), (half, half));
		assert!(assembly.put(chunks));
		let length = chunks.data().len() as u64;
		bytes += length;
		send(
			session,
			receipt_of(&windows[1], &[part(&windows[1], first, count)], length, 1),
		)
		.unwrap();
		let due = drain(session).1.unwrap();
		assert_eq!(due.share.bytes(), clustercast_primitives::amount::ticket_bytes(length));
		assert!(!session.fetch(fetch(half)), "it is here");
	}
	assert_eq!(bytes, 100_000);
	let window = assembly.finish().unwrap();
	assert_eq!(window.data(), windows[1].data());
}

#[test]
fn piece_that_its_relayer_ends_early_is_owed_as_it_came_and_the_rest_comes_from_elsewhere() {
	let windows = windows(3);
	let mut session = paying();
	push(&mut session, &windows[0]);
	push(&mut session, &windows[1]);
	while session.poll_transmit().is_some() {}
	session.cancel(windows[0].range());
	assert_eq!(
		session.poll_transmit(),
		Some(ToRelayer::Cancel(windows[0].range()).to_frame())
	);
	give(&mut session, windows[0].range(), &data(&windows[0], 0, 2)).unwrap();
	assert!(outcome(&mut session).is_empty());
	// The whole was never delivered.
	let mut cheated = paying();
	push(&mut cheated, &windows[0]);
	give(&mut cheated, windows[0].range(), &data(&windows[0], 0, 2)).unwrap();
	let absent = Fault::BadReceipt {
		window: windows[0].id(),
		reason: ReceiptFault::Bill(BillFault::NotDelivered),
	};
	assert_eq!(send(&mut cheated, honest(&windows[0], 1)), Err(absent));
	send(
		&mut session,
		receipt_of(&windows[0], &[part(&windows[0], 0, 2)], 32_768, 1),
	)
	.unwrap();
	assert_eq!(drain(&mut session).1.unwrap().share.bytes(), 65_536);
	// What another relayer brought of it.
	let mut other = standby(None);
	offer(&mut other, &windows[0]).unwrap();
	events(&mut other);
	assert!(other.fetch(fetch(range(&windows[0], 2, 5))));
	give(&mut other, range(&windows[0], 2, 5), &data(&windows[0], 2, 5)).unwrap();
	let [Event::Progress(_), Event::Chunks(chunks)] = &events(&mut other)[..] else {
		panic!("chunks");
	};
	assert!(session.supply(chunks));
	assert_eq!(outcome(&mut session), [(windows[0].id().segment, true)]);
	assert!(!session.supply(chunks), "it is out");
}

#[test]
fn rest_of_a_piece_may_be_asked_for_again_and_what_came_may_not() {
	let windows = windows(1);
	let mut session = paying();
	push(&mut session, &windows[0]);
	assert!(!session.fetch(fetch(range(&windows[0], 3, 1))), "it comes by itself");
	give(&mut session, windows[0].range(), &data(&windows[0], 0, 3)).unwrap();
	assert!(!session.fetch(fetch(range(&windows[0], 2, 2))));
	assert!(session.fetch(fetch(range(&windows[0], 3, 4))));
	give(&mut session, range(&windows[0], 3, 4), &data(&windows[0], 3, 4)).unwrap();
	let found = outcome(&mut session);
	assert_eq!(found, [(windows[0].id().segment, true)]);
	let both = [part(&windows[0], 0, 3), part(&windows[0], 3, 4)];
	send(&mut session, receipt_of(&windows[0], &both, 100_000, 1)).unwrap();
	assert_eq!(drain(&mut session).1.unwrap().share.bytes(), 131_072);
}

#[test]
fn window_that_does_not_come_whole_is_skipped_once_a_later_one_is() {
	let windows = windows(5);
	let first = windows[0].id().segment;
	let mut session = free();
	push(&mut session, &windows[0]);
	// Passed over by the relayer.
	offer(&mut session, &windows[1]).unwrap();
	// Given up, and its stream broken.
	push(&mut session, &windows[2]);
	push(&mut session, &windows[3]);
	push(&mut session, &windows[4]);
	give(&mut session, windows[0].range(), &windows[0].data()).unwrap();
	send(&mut session, ToViewer::Lacks(windows[2].range())).unwrap();
	assert_eq!(outcome(&mut session), [(first, true)]);
	let prefix = windows[3].range().encode().try_into().unwrap();
	let Ok(Taken::As(id)) = session.begin_chunks(&prefix) else {
		panic!("it was announced");
	};
	session.chunks(id, &windows[3].data()[..50_000]).unwrap();
	give(&mut session, windows[4].range(), &windows[4].data()).unwrap();
	// It is still on its way.
	assert_eq!(outcome(&mut session), [(first + 1, false), (first + 2, false)]);
	session.end_chunks(id, false).unwrap();
	assert_eq!(outcome(&mut session), [(first + 3, false), (first + 4, true)]);
	assert_eq!(session.resume(), Some(Resume::after(&windows[4])));
}

#[test]
fn nothing_is_taken_that_was_not_asked_for_or_twice_or_is_not_there() {
	let windows = windows(1);
	let offered = || {
		let mut session = standby(None);
		offer(&mut session, &windows[0]).unwrap();
		session
	};
	let begin = |session: &mut ViewerSession, range: Range| {
		let prefix = range.encode().try_into().unwrap();
		session.begin_chunks(&prefix)
	};
	let one = range(&windows[0], 1, 2);
	assert_eq!(begin(&mut offered(), one), Err(Fault::Unasked(one)));
	let all = windows[0].range();
	assert_eq!(begin(&mut offered(), all), Err(Fault::Unasked(all)));
	for (first, count) in [(0, 8), (7, 1), (0, 0), (1, u32::MAX)] {
		let range = range(&windows[0], first, count);
		let absent = Err(Fault::Wire(WireError::NoSuchChunks(range)));
		assert_eq!(begin(&mut offered(), range), absent);
		assert!(!offered().fetch(fetch(range)));
	}
	let mut session = free();
	push(&mut session, &windows[0]);
	assert!(matches!(begin(&mut session, all), Ok(Taken::As(_))));
	assert_eq!(begin(&mut session, all), Err(Fault::Again(all)));
	// Fetched ones are told when they do not come.
	let mut session = offered();
	assert!(session.fetch(fetch(one)));
	send(&mut session, ToViewer::Lacks(one)).unwrap();
	assert!(events(&mut session)
		.iter()
		.any(|event| matches!(event, Event::Lacks(range) if *range == one)));
	assert_eq!(
		send(&mut session, ToViewer::Lacks(one)),
		Err(Fault::Unexpected(Kind::Lacks))
	);
	// Of a window of which nothing is known it is waited for a word.
	assert_eq!(begin(&mut free(), all), Ok(Taken::NotYet));
}

#[test]
fn end_comes_behind_what_it_ends_behind() {
	let windows = windows(2);
	for (reason, waits) in [
		(EndReason::Finished, true),
		(EndReason::ShuttingDown, true),
		(EndReason::Unpaid, false),
	] {
		let mut session = free();
		windows.iter().for_each(|window| push(&mut session, window));
		let prefix = windows[0].range().encode().try_into().unwrap();
		let Ok(Taken::As(id)) = session.begin_chunks(&prefix) else {
			panic!("it was announced");
		};
		send(&mut session, ToViewer::End(reason)).unwrap();
		assert_eq!(session.is_ending(), waits);
		session.chunks(id, &windows[0].data()).unwrap();
		session.end_chunks(id, true).unwrap();
		give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
		assert!(!session.is_ending());
		let events = events(&mut session);
		let at = |wanted: fn(&Event) -> bool| events.iter().rposition(wanted).unwrap();
		let (ended, window) = (
			at(|event| matches!(event, Event::Ended(_))),
			at(|event| matches!(event, Event::Window(_))),
		);
		assert_eq!(ended > window, waits, "{reason:?}");
	}
}

#[test]
fn announcements_are_bounded_and_what_never_came_of_the_oldest_is_skipped() {
	let mut broadcast = Broadcast::default();
	let mut session = free();
	// Such as are to come stay longer.
	let windows: Vec<_> = (0..MAX_PINNED + 3).map(|_| broadcast.segment(&[1; 10])).collect();
	windows.iter().for_each(|window| push(&mut session, window));
	let skipped: Vec<_> = windows[..3].iter().map(|window| (window.id().segment, false)).collect();
	assert_eq!(outcome(&mut session), skipped);
	assert_eq!(session.content.len(), MAX_PINNED);
	// As if it had never been announced.
	let prefix = windows[0].range().encode().try_into().unwrap();
	assert_eq!(session.begin_chunks(&prefix), Ok(Taken::NotYet));
}

#[test]
fn offered_windows_are_forgotten_and_those_with_a_debt_are_not() {
	let mut broadcast = Broadcast::default();
	let mut session = standby(Some(fixture::terms()));
	let first = broadcast.segment(&[1; 10]);
	offer(&mut session, &first).unwrap();
	assert!(session.fetch(fetch(first.range())));
	give(&mut session, first.range(), &first.data()).unwrap();
	for _ in 0..2 * MAX_KNOWN {
		offer(&mut session, &broadcast.segment(&[1; 10])).unwrap();
	}
	assert_eq!(session.content.len(), 2 * MAX_KNOWN + 1);
	send(&mut session, honest(&first, 1)).unwrap();
	assert!(drain(&mut session).1.is_some());
	offer(&mut session, &broadcast.segment(&[1; 10])).unwrap();
	assert_eq!(session.content.len(), MAX_KNOWN);
}

#[test]
fn follows_windows_again_from_the_next_announcement_on() {
	let windows = windows(3);
	let mut session = standby(None);
	offer(&mut session, &windows[0]).unwrap();
	while session.poll_transmit().is_some() {}
	session.follow(Follow::Windows);
	session.follow(Follow::Windows);
	assert_eq!(
		session.poll_transmit(),
		Some(ToRelayer::Follow(Follow::Windows).to_frame())
	);
	assert_eq!(session.poll_transmit(), None);
	push(&mut session, &windows[1]);
	give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
	assert_eq!(outcome(&mut session), [(windows[1].id().segment, true)]);
}

/// Its relayer falls silent, or lies, in the middle of a window: what verified of it is good elsewhere.
#[test]
fn what_is_here_of_a_window_is_handed_out_in_its_middle_and_behind_a_lie() {
	let windows = windows(2);
	let mut session = free();
	push(&mut session, &windows[0]);
	assert!(session.pushes(&windows[0].hash()) && !session.pushes(&windows[1].hash()));
	events(&mut session);
	let Ok(Taken::As(id)) = session.begin_chunks(&windows[0].range().encode().try_into().unwrap()) else {
		panic!("it was announced");
	};
	let here = |session: &ViewerSession| -> Vec<(u32, u32)> {
		let chunks = session.partial(&windows[0].hash());
		let right = |chunks: &Chunks| *chunks.data() == data(&windows[0], chunks.range().first, chunks.range().count);
		assert!(chunks.iter().all(right));
		chunks
			.iter()
			.map(|chunks| (chunks.range().first, chunks.range().count))
			.collect()
	};
	session.chunks(id, &windows[0].data()[..40_000]).unwrap();
	assert!(matches!(
		events(&mut session)[..],
		[Event::Progress(Range { first: 0, count: 2, .. })]
	));
	assert_eq!(here(&session), [(0, 2)]);
	session.chunks(id, &windows[0].data()[40_000..50_000]).unwrap();
	assert!(matches!(
		events(&mut session)[..],
		[Event::Progress(Range { first: 2, count: 1, .. })]
	));
	assert!(session.chunks(id, &[0; 30_000]).is_err());
	assert_eq!(here(&session), [(0, 3)], "what was right before the lie");
}

/// What is passed on as it comes.
#[test]
fn only_what_verified_can_be_passed_on_before_a_window_is_whole() {
	let windows = windows(1);
	let (window, mut session) = (&windows[0], free());
	push(&mut session, window);
	let Ok(Taken::As(id)) = session.begin_chunks(&window.range().encode().try_into().unwrap()) else {
		panic!("it was announced");
	};
	let from = |session: &ViewerSession, chunk| {
		let verified = session.verified(&window.hash(), chunk);
		verified.map(|verified| verified.bytes().to_vec())
	};
	assert_eq!(from(&session, 0), None);
	// Two chunks, and most of the third.
	session.chunks(id, &window.data()[..3 * CHUNK - 1]).unwrap();
	assert_eq!(from(&session, 0).unwrap(), window.data()[..2 * CHUNK]);
	assert_eq!(from(&session, 1).unwrap(), window.data()[CHUNK..2 * CHUNK]);
	assert_eq!(from(&session, 2), None);
	// The third is right, and the fourth is not.
	let lie: Vec<u8> = [&window.data()[3 * CHUNK - 1..3 * CHUNK], &[0; CHUNK]].concat();
	assert!(session.chunks(id, &lie).is_err());
	let right = from(&session, 0).unwrap();
	assert_eq!(right, window.data()[..right.len()]);
	assert!(right.len() <= 3 * CHUNK && from(&session, 3).is_none());
}

/// Another relayer brings the rest.
#[test]
fn what_is_here_of_a_window_that_is_given_up_is_handed_out_then() {
	let windows = windows(4);
	let mut session = free();
	windows.iter().for_each(|window| push(&mut session, window));
	let Ok(Taken::As(id)) = session.begin_chunks(&windows[0].range().encode().try_into().unwrap()) else {
		panic!("it was announced");
	};
	session.chunks(id, &windows[0].data()[..40_000]).unwrap();
	let mut now_ms = fixture::LATEST_START_MS;
	for window in &windows[1..] {
		now_ms += 2_000;
		session.set_latest_start(now_ms);
		give(&mut session, window.range(), &window.data()).unwrap();
	}
	assert_eq!(outcome(&mut session)[0], (windows[0].id().segment, false));
	let here: Vec<Range> = session.partial(&windows[0].hash()).iter().map(Chunks::range).collect();
	assert!(matches!(here[..], [Range { first: 0, count: 2, .. }]), "{here:?}");
}

/// It came whole from others, or is passed over.
#[test]
fn window_that_is_forgone_holds_up_nothing_and_is_paid_as_far_as_it_comes() {
	let windows = windows(2);
	let mut session = paying();
	push(&mut session, &windows[0]);
	push(&mut session, &windows[1]);
	give(&mut session, windows[1].range(), &windows[1].data()).unwrap();
	assert!(outcome(&mut session).is_empty(), "the first one is to come");
	session.forgo(&windows[0].hash());
	assert_eq!(outcome(&mut session), [(windows[1].id().segment, true)]);
	give(&mut session, windows[0].range(), &data(&windows[0], 0, 2)).unwrap();
	assert!(outcome(&mut session).is_empty());
	let both = [part(&windows[0], 0, 2), part(&windows[1], 0, 7)];
	send(&mut session, receipt_of(&windows[1], &both, 132_768, 1)).unwrap();
	assert_eq!(drain(&mut session).1.unwrap().share.bytes(), 196_608);
}
