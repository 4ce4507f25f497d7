//! What the network keeps to: order within a stream and none across, frames first, loss, silence and resets.

use super::*;
use rand::SeedableRng;

const LINE: Line = Line {
	up: 1_000_000,
	down: 10_000_000,
	queue: SECOND,
	delay: 10 * MS,
	loss_ppm: 0,
};

/// Two nodes and a connection from the first to the second.
fn pair(line: Line) -> (Net, NodeId, NodeId, ConnId) {
	let mut net = Net::new(ChaCha8Rng::seed_from_u64(1));
	let (one, other) = (net.add(line), net.add(line));
	net.start(one);
	net.start(other);
	let conn = net.call(one, other);
	run(&mut net, SECOND);
	(net, one, other, conn)
}

/// What nodes are told before this.
fn run(net: &mut Net, end: Micros) -> Vec<(Micros, NodeId, Input)> {
	let mut told = Vec::new();
	while let Some((at, event)) = net.calendar.take(end) {
		net.now = at;
		net.on(event);
		while let Some((node, input)) = net.poll() {
			told.push((at, node, input));
		}
	}
	net.now = end;
	told
}

fn chunk(byte: u8) -> Bytes {
	vec![byte; 16 << 10].into()
}

#[test]
fn frames_and_chunks_come_in_order_and_once_however_much_is_lost() {
	let lossy = Line {
		loss_ppm: 100_000,
		..LINE
	};
	let (mut net, one, other, conn) = pair(lossy);
	let body = net.body(conn, one, Bytes::from_static(b"prefix")).unwrap();
	for byte in 0..50 {
		net.frame(conn, one, vec![byte].into());
		net.chunk(conn, one, body, chunk(byte), byte == 49);
	}
	let told = run(&mut net, 60 * SECOND);
	let frames: Vec<u8> = told
		.iter()
		.filter_map(|(_, node, input)| match input {
			Input::Frame(_, data) if *node == other => Some(data[0]),
			_ => None,
		})
		.collect();
	let chunks: Vec<(u8, bool)> = told
		.iter()
		.filter_map(|(_, _, input)| match input {
			Input::Chunk(_, _, _, data, last) => Some((data[0], *last)),
			_ => None,
		})
		.collect();
	assert_eq!(frames, (0..50).collect::<Vec<u8>>());
	assert_eq!(chunks, (0..50).map(|byte| (byte, byte == 49)).collect::<Vec<_>>());
	let arrived = told.iter().filter(|(_, _, input)| matches!(input, Input::Arrived(..)));
	assert_eq!(arrived.count(), 1);
	assert!(net.sent(one) > 50 * (16 << 10), "some went twice");
}

#[test]
fn frame_overtakes_chunks_that_wait_and_streams_take_turns() {
	let (mut net, one, _, conn) = pair(LINE);
	let bodies = [0, 1].map(|_| net.body(conn, one, Bytes::new()).unwrap());
	for byte in 0..4 {
		bodies
			.iter()
			.for_each(|body| net.chunk(conn, one, *body, chunk(byte), byte == 3));
	}
	net.frame(conn, one, Bytes::from_static(b"first"));
	let told = run(&mut net, 10 * SECOND);
	let order: Vec<String> = told
		.iter()
		.filter_map(|(_, _, input)| match input {
			Input::Frame(..) => Some("frame".into()),
			Input::Chunk(_, body, _, data, _) => Some(format!("{body}.{}", data[0])),
			_ => None,
		})
		.collect();
	// The first chunk was under way already, and the frame is there before all of it is.
	assert_eq!(order[..5], ["frame", "0.0", "1.0", "0.1", "1.1"].map(String::from));
}

#[test]
fn rate_and_delay_decide_when_something_comes() {
	let (mut net, one, _, conn) = pair(LINE);
	let body = net.body(conn, one, Bytes::new()).unwrap();
	net.chunk(conn, one, body, chunk(1), true);
	let told = run(&mut net, 2 * SECOND);
	// 16,444 bytes at 1 MB/s up and 10 MB/s down, and 20 ms.
	assert_eq!(told[0].0, SECOND + 16_444 + 20_000 + 1_644);
}

#[test]
fn whoever_is_cut_off_is_noticed_after_a_silence_and_not_before() {
	for back in [SILENCE - MS, SILENCE + MS] {
		let (mut net, one, other, conn) = pair(LINE);
		net.isolate(other, 1);
		run(&mut net, SECOND + back);
		net.isolate(other, 0);
		run(&mut net, 30 * SECOND);
		assert_eq!(net.has(conn, one), back < SILENCE);
		assert_eq!(net.has(conn, other), back < SILENCE);
	}
}

#[test]
fn node_that_begins_anew_knows_nothing_of_its_connections_and_says_so() {
	let (mut net, one, other, conn) = pair(LINE);
	net.kill(other);
	net.start(other);
	let told = run(&mut net, 6 * SECOND);
	let gone = told
		.iter()
		.find(|(_, node, input)| *node == one && matches!(input, Input::Gone(_)));
	assert!(gone.is_some_and(|(at, ..)| *at < SECOND + SILENCE));
	assert!(!net.has(conn, one) && !net.has(conn, other));
	assert_eq!(net.connections(), 0);
}

#[test]
fn call_that_nobody_answers_fails_in_time() {
	let mut net = Net::new(ChaCha8Rng::seed_from_u64(1));
	let (one, other) = (net.add(LINE), net.add(LINE));
	net.start(one);
	let conn = net.call(one, other);
	let told = run(&mut net, 10 * SECOND);
	assert!(matches!(told.last(), Some((CALL, _, Input::Gone(id))) if *id == conn));
}
