//! The table of connections on an injected clock, with the bytes that publishers and strangers send.

use super::*;
use crate::door::testing::{found, name, Script};
use clustercast_media::{
	flv,
	rtmp::{chunk, handshake::HandshakeError, RtmpError},
};
use rand::SeedableRng;

/// Where a stranger is, unless it is said.
const ELSEWHERE: [u8; 4] = [10, 0, 0, 7];

/// A door, its clock, and all that came out of it.
struct World {
	door: Door,
	now: Instant,
	/// `came 1`, `1 key 40`, `left 1: …`, `asks 2: …`, `closed C`, `parted C`, and lines of the log.
	events: Vec<String>,
	lines: Vec<String>,
	sent: BTreeMap<Id, Vec<u8>>,
	closed: Vec<(Id, bool)>,
}

impl World {
	fn new() -> Self {
		Self::with(Proof::KeyFrame)
	}

	fn with(proof: Proof) -> Self {
		let lock = Lock::new("live", &found("key"));
		Self {
			door: Door::new(lock, proof, "do this", StdRng::seed_from_u64(1)),
			now: Instant::now(),
			events: Vec::new(),
			lines: Vec::new(),
			sent: BTreeMap::new(),
			closed: Vec::new(),
		}
	}

	fn connect(&mut self) -> Id {
		self.connect_from(ELSEWHERE)
	}

	fn connect_from(&mut self, ip: [u8; 4]) -> Id {
		let id = self.door.connected((ip, 4000).into(), self.now);
		self.collect();
		id
	}

	fn send(&mut self, id: Id, script: &Script) {
		self.door.received(id, script.bytes(), self.now);
		self.collect();
	}

	/// Connects and says all of it.
	fn come(&mut self, script: &Script) -> Id {
		let id = self.connect();
		self.send(id, script);
		id
	}

	/// Time passes as a driver lets it: a tick at each deadline.
	fn pass(&mut self, time: Duration) {
		let end = self.now + time;
		while let Some(deadline) = self.door.deadline(self.now).filter(|deadline| *deadline <= end) {
			assert!(deadline >= self.now);
			self.now = deadline;
			self.door.tick(self.now);
			self.collect();
		}
		self.now = end;
	}

	fn pass_ms(&mut self, ms: u64) {
		self.pass(Duration::from_millis(ms));
	}

	fn collect(&mut self) {
		while let Some(output) = self.door.poll() {
			match output {
				Output::Send(id, bytes) => self.sent.entry(id).or_default().extend_from_slice(&bytes),
				Output::Close { id, politely } => self.closed.push((id, politely)),
				Output::Line(line) => self.lines.push(line.to_string()),
				Output::Event(event) => self.events.push(match event {
					Event::Came(came) => format!("came {}", came.publisher),
					Event::Tag { publisher, tag } => format!("{publisher} {}", name(&tag)),
					Event::Left { publisher, end } => format!("left {publisher}: {end}"),
					Event::Asks { publisher, tags } => {
						format!(
							"asks {publisher}: {}",
							tags.iter().map(name).collect::<Vec<_>>().join(", ")
						)
					},
				}),
			}
		}
	}

	fn take_events(&mut self) -> Vec<String> {
		std::mem::take(&mut self.events)
	}

	fn is_closed(&self, id: Id) -> bool {
		self.closed.iter().any(|(closed, _)| *closed == id)
	}

	/// Whether it was told this, in a command.
	fn was_told(&self, id: Id, text: &str) -> bool {
		self.sent
			.get(&id)
			.is_some_and(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
	}

	fn is_live(&self, id: Id) -> bool {
		self.door.is_live(id)
	}
}

const LIVE: [&str; 4] = ["came 1", "1 picture header 0", "1 sound header 0", "1 key 0"];

#[test]
fn publisher_with_the_key_is_live_with_its_first_key_frame() {
	let mut world = World::new();
	let id = world.come(&Script::publish("live", "key").metadata().headers());
	assert!(world.was_told(id, "NetStream.Publish.Start"));
	world.send(
		id,
		&Script::default()
			.frame(10, false)
			.sound(20)
			.frame(40, true)
			.frame(80, false),
	);
	assert_eq!(
		world.take_events(),
		[
			"came 1",
			"1 picture header 0",
			"1 sound header 0",
			"1 sound 20",
			"1 key 40",
			"1 frame 80"
		]
	);
	assert_eq!(world.lines, [
		"a publisher came from 10.0.0.7:4000 with \"obs-output\": H.264 1280x720 at 30 pictures/s, AAC 44100 Hz mono, \
		 2500 kb/s announced"
	]);
	world.send(
		id,
		&Script::default()
			.call("FCUnpublish", Some("key"))
			.call("deleteStream", None),
	);
	assert_eq!(world.take_events(), ["left 1: left in order"]);
	assert_eq!(world.lines[1..], ["the publisher from 10.0.0.7:4000 left in order"]);
	world.door.closed(id, world.now);
	world.collect();
	assert_eq!((world.lines.len(), world.events.len()), (2, 0), "one line, not three");
}

#[test]
fn stamps_reach_the_tags_unharmed_through_every_wrap() {
	let mut world = World::new();
	let id = world.come(&Script::live());
	world.take_events();
	for stamp in [
		(1 << 24) - 1,
		1 << 24,
		(1 << 31) - 1,
		1 << 31,
		u32::MAX - 20,
		u32::MAX,
		19,
		0,
	] {
		world.send(id, &Script::default().frame(stamp, false));
		assert_eq!(world.take_events(), [format!("1 frame {stamp}")]);
	}
}

#[test]
fn codec_that_is_not_taken_is_refused_with_its_first_tag_in_one_line_that_names_it() {
	for (kind, body, name, advice) in [
		(9, &b"\x90hvc1\x01"[..], "HEVC", "set its video encoder to H.264"),
		(9, b"\x90av01", "AV1", "set its video encoder to H.264"),
		(9, b"\x91vp09", "VP9", "set its video encoder to H.264"),
		(9, b"\x1c\0\0\0\0", "HEVC", "set its video encoder to H.264"),
		(9, b"\x22", "Sorenson H.263", "set its video encoder to H.264"),
		(
			9,
			b"\x96\0hvc1",
			"enhanced RTMP with several tracks",
			"set its video encoder to H.264",
		),
		(8, b"\x90Opus", "Opus", "set its audio encoder to AAC"),
		(8, b"\x2f\0", "MP3", "set its audio encoder to AAC"),
	] {
		let mut world = World::new();
		let id = world.come(
			&Script::publish("live", "key")
				.metadata()
				.message(kind, 0, body)
				.message(kind, 40, body),
		);
		assert_eq!(
			world.lines,
			[format!(
				"the publisher from 10.0.0.7:4000 is refused: it sends {name}; {advice}"
			)]
		);
		assert!(world.was_told(id, "NetStream.Publish.Rejected"));
		assert_eq!(world.closed, [(id, true)]);
		assert_eq!(world.events, Vec::<String>::new());
	}
	// In the midst of a broadcast too; the place is free then.
	let mut world = World::new();
	let id = world.come(&Script::live());
	world.send(id, &Script::default().message(9, 40, b"\x90hvc1"));
	assert_eq!(
		world.take_events()[4..],
		["left 1: is refused: it sends HEVC; set its video encoder to H.264"]
	);
	world.come(&Script::live());
	assert_eq!(world.take_events()[0], "came 2");
}

#[test]
fn enhanced_h264_and_aac_are_taken() {
	let mut world = World::new();
	let script = Script::publish("live", "key")
		.message(9, 0, b"\x90avc1avcC")
		.message(8, 0, b"\x90mp4a\x12\x08");
	world.come(&script.message(9, 0, b"\x91avc1\0\0\0key"));
	assert_eq!(world.take_events(), LIVE);
}

#[test]
fn publisher_that_has_nothing_to_show_is_sent_away_in_time_with_a_line() {
	for (script, sent) in [
		(Script::publish("live", "key"), "nothing"),
		(Script::publish("live", "key").metadata(), "metadata alone"),
		(
			Script::publish("live", "key").metadata().headers(),
			"a codec's header alone",
		),
		(
			Script::publish("live", "key").headers().frame(0, false),
			"pictures without a key frame",
		),
		(
			Script::publish("live", "key").frame(0, true),
			"pictures without a key frame",
		),
	] {
		let mut world = World::new();
		let id = world.come(&script);
		world.pass(SHOW_LIMIT - Duration::from_millis(1));
		assert!(world.closed.is_empty());
		world.pass_ms(1);
		assert_eq!(world.closed, [(id, true)]);
		let line = "the publisher from 10.0.0.7:4000 is turned away: no key frame and no sound in time; it sent ";
		assert_eq!(world.lines, [format!("{line}{sent}")]);
		assert!(world.events.is_empty());
		world.come(&Script::live());
		assert_eq!(world.take_events(), LIVE.map(|event| event.replace('1', "2")));
	}
}

#[test]
fn another_one_with_the_key_need_not_wait_for_one_that_shows_nothing() {
	let mut world = World::new();
	let silent = world.come(&Script::publish("live", "key").metadata());
	world.pass_ms(300);
	// At once with its key frame; without one as soon as the other was silent for a second.
	let other = world.come(&Script::publish("live", "key").headers());
	assert!(!world.is_live(other));
	world.send(other, &Script::default().frame(0, true));
	assert!(world.is_live(other));
	assert!(world.is_closed(silent));
	assert_eq!(world.take_events()[0], "came 2");
	let mut world = World::new();
	world.come(&Script::publish("live", "key").metadata());
	world.pass_ms(300);
	let other = world.come(&Script::publish("live", "key"));
	world.pass_ms(699);
	assert!(!world.is_live(other));
	world.pass_ms(1);
	assert!(world.is_live(other));
}

#[test]
fn sound_alone_is_live_after_a_second_and_the_picture_may_come_later() {
	let mut world = World::new();
	let id = world.come(&Script::publish("live", "key").sound(0).sound_header().sound(20));
	world.pass_ms(999);
	assert!(world.events.is_empty());
	world.pass_ms(1);
	assert_eq!(world.take_events(), ["came 1", "1 sound header 0", "1 sound 20"]);
	assert_eq!(
		world.lines,
		["a publisher came from 10.0.0.7:4000 with \"FMLE/3.0\": no picture so far, AAC 44100 Hz mono"]
	);
	world.send(
		id,
		&Script::default()
			.sound(40)
			.frame(50, true)
			.picture_header()
			.frame(60, false)
			.frame(70, true),
	);
	assert_eq!(world.take_events(), ["1 sound 40", "1 picture header 0", "1 key 70"]);
}

#[test]
fn wrong_keys_are_refused_and_cost_no_more_than_a_line_a_minute() {
	let mut world = World::new();
	for (app, key) in [
		("live", "guess"),
		("live", ""),
		("live", "key/"),
		("other", "key"),
		("", "live/key"),
	] {
		let id = world.come(&Script::publish(app, key).headers().frame(0, true));
		assert!(world.was_told(id, "NetStream.Publish.BadName"));
		assert!(!world.was_told(id, "NetStream.Publish.Start"));
		assert!(world.is_closed(id));
	}
	assert_eq!(
		world.lines,
		["somebody from 10.0.0.7:4000 is refused: wrong app or stream key: do this"]
	);
	assert!(world.door.table.is_empty());
	for _ in 0..6_000 {
		world.come(&Script::publish("live", "guess"));
		world.pass_ms(10);
	}
	world.come(&Script::publish("live", "guess"));
	assert_eq!(
		world.lines[1..],
		["somebody from 10.0.0.7:4000 is refused: wrong app or stream key: do this (6004 more like it)"]
	);
	assert!(world.events.is_empty());
}

#[test]
fn each_mistake_made_on_this_machine_is_a_line_and_many_are_not() {
	let mut world = World::new();
	let mut try_from_here = |script: &Script| {
		let id = world.connect_from([127, 0, 0, 1]);
		world.send(id, script);
		assert!(world.is_closed(id));
		world.pass_ms(10_000);
		world.lines.last().cloned().unwrap_or_default()
	};
	let wrong = "somebody from 127.0.0.1:4000 is refused: wrong app or stream key: do this";
	for (app, key) in [("live", "guess"), ("life", "key"), ("live/", "k"), ("live", "key ")] {
		assert_eq!(try_from_here(&Script::publish(app, key)), wrong);
	}
	let tls = Script::raw(&[0x16, 3, 1]);
	assert!(try_from_here(&tls).contains("rtmps://"));
	assert_eq!(world.lines.len(), 5);
	for _ in 0..60_000 {
		let id = world.connect_from([127, 0, 0, 1]);
		world.send(id, &Script::publish("live", "guess"));
		world.pass_ms(1);
	}
	assert!(world.lines.len() < 30, "{}", world.lines.len());
}

#[test]
fn strangers_are_sent_away_in_time_and_probes_at_once() {
	let mut world = World::new();
	let (silent, shook) = (world.connect(), world.come(&Script::hello()));
	world.pass_ms(4_999);
	assert!(world.closed.is_empty());
	world.pass_ms(1);
	assert_eq!(world.closed, [(silent, false)]);
	world.pass_ms(5_000);
	assert_eq!(world.closed, [(silent, false), (shook, false)]);
	let http = world.connect();
	world.door.received(http, b"GET / HTTP/1.1\r\n", world.now);
	world.collect();
	assert_eq!(world.closed[2..], [(http, false)]);
	assert!(world.door.table.is_empty());
	assert_eq!(world.lines.len(), 1, "{:?}", world.lines);
}

#[test]
fn slow_loris_gets_no_longer_than_anybody() {
	let mut world = World::new();
	let script = Script::publish("live", "key");
	let id = world.connect();
	for byte in script.bytes().iter().take(5) {
		world.door.received(id, &[*byte], world.now);
		world.collect();
		world.pass_ms(1_000);
	}
	assert_eq!(world.closed, [(id, false)]);
	let id = world.come(&Script::hello());
	for byte in script.bytes()[Script::hello().bytes().len()..].iter().take(10) {
		assert!(!world.is_closed(id));
		world.door.received(id, &[*byte], world.now);
		world.collect();
		world.pass_ms(1_000);
	}
	assert!(world.is_closed(id));
}

#[test]
fn who_has_come_further_is_not_sent_away_for_one_that_has_not() {
	let mut world = World::new();
	let scripts = [Script::default(), Script::hello(), Script::hello().connect("live")];
	let live = world.come(&Script::live());
	let candidate = world.come(&Script::publish("live", "key"));
	let mut at: [Vec<Id>; 3] = Default::default();
	// Each stage is filled up three times over, the furthest first; who goes has come no further than that.
	for stage in [2, 1, 0] {
		let progress = [Progress::Silent, Progress::Greeted, Progress::Connected][stage];
		for _ in 0..3 * room(progress) {
			at[stage].push(world.come(&scripts[stage]));
		}
		assert_eq!(world.door.strangers(progress).count(), room(progress));
		let closed = std::mem::take(&mut world.closed);
		assert_eq!(closed.len(), 2 * room(progress));
		assert!(closed.iter().all(|(id, politely)| at[stage].contains(id) && !politely));
	}
	assert!(world.is_live(live) && !world.is_closed(candidate));
	assert_eq!(world.door.table.len(), 256 + 128 + 128 + 2);
	assert_eq!(world.lines.len(), 2, "{:?}", world.lines);
}

/// How many of so many publishers with the key are let in while strangers do this, so often a second. A publisher's greeting comes 5 ms
/// behind its connection; then it takes a round trip of 150 ms for each of `connect`, `createStream` and `publish`.
fn let_in(publishers: u64, strangers: &Script, a_second: u64, from: [u8; 4]) -> usize {
	let mut world = World::new();
	let steps = [
		(5, Script::hello()),
		(155, Script::default().connect("live")),
		(305, Script::default().call("createStream", None)),
		(455, Script::default().call("publish", Some("key"))),
	];
	let (mut let_in, mut came) = (0, 0);
	let begin = world.now;
	for _ in 0..publishers {
		let id = world.connect_from([192, 168, 0, 2]);
		for ms in (5..=460).step_by(5) {
			world.pass_ms(5);
			for (_, script) in steps.iter().filter(|(at, _)| *at == ms) {
				world.send(id, script);
			}
			while came < (world.now - begin).as_millis() as u64 * a_second / 1_000 {
				came += 1;
				let stranger = world.connect_from(from);
				world.send(stranger, strangers);
			}
		}
		let_in += usize::from(world.was_told(id, "NetStream.Publish.Start"));
		world.door.closed(id, world.now);
		world.collect();
	}
	let_in
}

#[test]
fn strangers_keep_nobody_with_the_key_out_at_whatever_rate_they_come() {
	let (silent, greeted) = (Script::default(), Script::hello());
	let connected = Script::hello().connect("live");
	let (elsewhere, here) = (ELSEWHERE, [192, 168, 0, 2]);
	for (strangers, a_second, from) in [
		(&silent, 700, elsewhere),
		(&silent, 3_400, elsewhere),
		(&greeted, 3_400, elsewhere),
		(&connected, 3_400, elsewhere),
		// Behind one address with the publisher, as behind a tunnel.
		(&silent, 700, here),
		(&silent, 3_400, here),
		(&greeted, 400, here),
		(&connected, 200, here),
	] {
		let all = let_in(3, strangers, a_second, from);
		assert_eq!(all, 3, "{a_second} a second from {from:?}");
	}
	// More than that, and only from there, make it a matter of chance; who tries again comes in.
	assert!((2..20).contains(&let_in(20, &greeted, 1_000, here)));
}

#[test]
fn holder_that_was_silent_for_a_second_is_replaced_at_once() {
	let mut world = World::new();
	let vanished = world.come(&Script::live());
	world.take_events();
	world.pass_ms(1_000);
	let back = world.come(&Script::publish("live", "key"));
	assert!(world.is_live(back));
	assert_eq!(
		world.take_events(),
		["left 1: is replaced: another one with the stream key took over"]
	);
	assert!(world.was_told(vanished, "NetStream.Publish.BadName"));
	assert_eq!(world.closed, [(vanished, true)]);
	// Again and again, if need be: nobody living was replaced.
	world.pass_ms(1_000);
	let again = world.come(&Script::live());
	assert!(world.is_live(again));
	assert_eq!(world.take_events()[0], "came 3");
}

#[test]
fn living_holder_is_replaced_by_a_key_frame_and_by_nothing_less() {
	let mut world = World::new();
	let holder = world.come(&Script::live());
	world.take_events();
	let newcomer = world.come(&Script::publish("live", "key").metadata());
	let go_on = |world: &mut World, script: &Script| {
		world.pass_ms(500);
		world.send(holder, &Script::default().frame(33, false));
		world.send(newcomer, script);
		world.take_events()
	};
	for script in [
		Script::default(),
		Script::default().headers(),
		Script::default().frame(0, false).sound(0),
	] {
		assert_eq!(go_on(&mut world, &script), ["1 frame 33"]);
		assert!(world.is_live(holder) && world.was_told(newcomer, "NetStream.Publish.Start"));
	}
	assert_eq!(
		go_on(&mut world, &Script::default().frame(40, true)),
		[
			"1 frame 33",
			"left 1: is replaced: another one with the stream key took over",
			"came 2",
			"2 picture header 0",
			"2 sound header 0",
			"2 sound 0",
			"2 key 40"
		]
	);
	assert!(world.was_told(holder, "NetStream.Publish.BadName"));
	assert_eq!(world.closed, [(holder, true)]);
}

#[test]
fn two_that_reconnect_whenever_they_are_thrown_out_take_turns_every_30_s_at_most() {
	let mut world = World::new();
	let mut holder = world.come(&Script::live());
	let mut other = None;
	let mut turns = 0;
	for _ in 0..1_200 {
		world.pass_ms(100);
		world.send(holder, &Script::default().frame(1, false));
		let newcomer = *other.get_or_insert_with(|| world.come(&Script::live()));
		if world.is_live(newcomer) {
			(holder, other, turns) = (newcomer, None, turns + 1);
		} else if world.is_closed(newcomer) {
			assert!(world.was_told(newcomer, "NetStream.Publish.BadName"));
			other = None;
		}
	}
	assert_eq!(turns, 4, "in two minutes");
	assert!(world.lines.len() <= 40, "{}", world.lines.len());
}

#[test]
fn within_the_calm_a_holder_that_falls_silent_is_replaced_all_the_same() {
	let mut world = World::new();
	world.come(&Script::live());
	let second = world.come(&Script::live());
	assert!(world.is_live(second));
	world.pass_ms(500);
	world.send(second, &Script::default().frame(1, false));
	let third = world.come(&Script::live());
	assert!(!world.is_live(third));
	world.pass_ms(1_000);
	assert!(world.is_live(third));
	// One that is not let in is told so within its patience.
	world.send(third, &Script::default().frame(1, false));
	let fourth = world.come(&Script::live());
	for _ in 0..20 {
		assert!(!world.is_closed(fourth));
		world.send(third, &Script::default().frame(1, false));
		world.pass_ms(100);
	}
	assert!(world.is_closed(fourth) && world.is_live(third));
}

#[test]
fn of_two_newcomers_the_later_one_counts() {
	let mut world = World::new();
	let holder = world.come(&Script::live());
	let (first, second) = (
		world.come(&Script::publish("live", "key")),
		world.come(&Script::publish("live", "key")),
	);
	assert!(world.is_closed(first) && !world.is_closed(second) && world.is_live(holder));
	world.send(first, &Script::default().headers().frame(0, true));
	assert!(world.is_live(holder));
	world.send(second, &Script::default().headers().frame(0, true));
	assert!(world.is_live(second));
}

#[test]
fn newcomer_is_live_when_the_holder_goes_by_itself() {
	for leave in [true, false] {
		let mut world = World::new();
		let holder = world.come(&Script::live());
		let newcomer = world.come(&Script::publish("live", "key"));
		if leave {
			world.send(holder, &Script::default().call("deleteStream", None));
		} else {
			world.door.closed(holder, world.now);
			world.collect();
		}
		assert!(world.is_live(newcomer));
		let left = if leave {
			"left 1: left in order"
		} else {
			"left 1: is lost: its connection is closed"
		};
		assert_eq!(world.take_events()[4..], [left]);
	}
}

#[test]
fn decoder_may_be_the_judge_of_a_newcomer() {
	let mut world = World::with(Proof::Decoder);
	let holder = world.come(&Script::live());
	// The first one is live at once: nobody is replaced.
	assert_eq!(world.take_events(), LIVE);
	let newcomer = world.come(&Script::live().frame(40, false));
	assert_eq!(world.take_events(), ["asks 2: picture header 0, sound header 0, key 0"]);
	world.door.proved(1, Verdict::Decodes, world.now);
	world.door.proved(7, Verdict::Decodes, world.now);
	world.send(newcomer, &Script::default().frame(80, false));
	assert!(world.is_live(holder) && world.take_events().is_empty());
	world.send(newcomer, &Script::default().frame(120, true));
	world.door.proved(2, Verdict::Decodes, world.now);
	world.collect();
	assert_eq!(
		world.take_events(),
		[
			"left 1: is replaced: another one with the stream key took over",
			"came 2",
			"2 picture header 0",
			"2 sound header 0",
			"2 key 120"
		]
	);
	for _ in 0..2 {
		world.pass(CALM / 2);
		world.send(newcomer, &Script::default().frame(160, false));
	}
	let bad = world.come(&Script::live());
	world.door.proved(3, Verdict::Undecodable, world.now);
	world.collect();
	assert!(world.is_live(newcomer) && world.was_told(bad, "cannot be decoded"));
}

#[test]
fn newcomer_of_whom_nothing_is_known_is_asked_for_again_and_not_blamed() {
	for answer in [Some(Verdict::Unknown), None] {
		let mut world = World::with(Proof::Decoder);
		let holder = world.come(&Script::live());
		let newcomer = world.come(&Script::live());
		let mut asked = 0;
		while !world.is_closed(newcomer) {
			let events = world.take_events();
			if events
				.iter()
				.any(|event| event.starts_with("asks 2: picture header 0, sound header 0, key "))
			{
				asked += 1;
				for _ in 0..9 {
					world.pass_ms(100);
					world.send(holder, &Script::default().frame(1, false));
				}
				answer
					.into_iter()
					.for_each(|verdict| world.door.proved(2, verdict, world.now));
			}
			world.send(holder, &Script::default().frame(1, false));
			world.send(newcomer, &Script::default().frame(40, true));
			world.pass_ms(100);
		}
		assert!(world.is_live(holder));
		assert_eq!(asked, if answer.is_some() { 12 } else { 1 });
		assert!(world.was_told(newcomer, "this machine is too busy"));
		let line =
			"the publisher from 10.0.0.7:4000 is refused: another one is live, and this machine was too busy to see \
			whether it can take over";
		assert_eq!(world.lines[1..], [line]);
	}
	// The answer may come late.
	let mut world = World::with(Proof::Decoder);
	world.come(&Script::live());
	let newcomer = world.come(&Script::live());
	world.door.proved(2, Verdict::Unknown, world.now);
	world.door.proved(2, Verdict::Decodes, world.now);
	assert!(world.is_live(newcomer));
}

#[test]
fn newcomer_that_is_muted_is_asked_for_with_its_sound() {
	let mut world = World::with(Proof::Decoder);
	let holder = world.come(&Script::live());
	let newcomer = world.come(&Script::publish("live", "key").headers().sound(0));
	world.take_events();
	for stamp in 1..=4 {
		world.pass_ms(250);
		world.send(holder, &Script::default().frame(stamp, false));
		world.send(newcomer, &Script::default().sound(stamp));
	}
	let asked = world.take_events();
	assert!(
		asked.contains(&"asks 2: picture header 0, sound header 0, sound 0, sound 1, sound 2, sound 3".into()),
		"{asked:?}"
	);
}

#[test]
fn what_is_held_back_of_a_newcomer_is_bounded() {
	let mut world = World::with(Proof::Decoder);
	let holder = world.come(&Script::live());
	let newcomer = world.come(&Script::live());
	let large = [&b"\x27\x01\0\0\0"[..], &[0; 1 << 20]].concat();
	for round in 0..40 {
		world.send(holder, &Script::default().frame(1, false));
		world.send(newcomer, &Script::default().message(9, round, &large));
		let publisher = world.door.publisher(newcomer).unwrap();
		assert!(publisher.held_bytes <= MOST_HELD && publisher.held.len() <= MOST_HELD_TAGS);
	}
	for round in 0..3_000 {
		world.send(newcomer, &Script::default().sound(round));
		assert!(world.door.publisher(newcomer).unwrap().held.len() <= MOST_HELD_TAGS);
	}
	// Begins with a key frame whatever was thrown away.
	world.send(newcomer, &Script::default().frame(7, false).frame(8, true));
	world.take_events();
	world.door.proved(2, Verdict::Decodes, world.now);
	world.collect();
	let events = world.take_events();
	let pictures: Vec<_> = events
		.iter()
		.filter(|event| event.contains("key") || event.contains("frame"))
		.collect();
	assert_eq!(
		pictures,
		[
			"left 1: is replaced: another one with the stream key took over",
			"2 key 8"
		]
	);
}

#[test]
fn silent_holder_is_lost_after_a_while_and_not_while_we_do_not_read_it() {
	let mut world = World::new();
	let id = world.come(&Script::live());
	world.take_events();
	world.pass(SILENCE_LIMIT - Duration::from_millis(1));
	assert!(world.closed.is_empty());
	world.door.withhold(id);
	world.pass(SILENCE_LIMIT);
	let newcomer = world.come(&Script::publish("live", "key"));
	world.pass_ms(5_000);
	assert!(world.is_live(id) && !world.is_closed(newcomer));
	world.door.closed(newcomer, world.now);
	world.door.resume(id, world.now);
	world.pass(SILENCE_LIMIT - Duration::from_millis(1));
	assert!(world.is_live(id));
	world.pass_ms(1);
	assert_eq!(world.take_events(), ["left 1: is lost: nothing came for 30 s"]);
}

#[test]
fn machine_that_slept_blames_nobody() {
	let seconds = Duration::from_secs;
	for asleep in [seconds(1), seconds(29), seconds(31), seconds(36), seconds(3_600)] {
		for silent_before in [
			Duration::ZERO,
			Duration::from_millis(900),
			SILENCE_LIMIT - Duration::from_millis(1),
		] {
			for first in ["time", "a stranger", "a newcomer"] {
				let what = format!("{silent_before:?} of silence, {asleep:?} asleep, first {first}");
				let mut world = World::new();
				// Alone: nobody else's time wakes the machine.
				let id = world.come(&Script::live());
				world.pass(silent_before);
				world.door.deadline(world.now);
				world.now += asleep;
				let newcomer = match first {
					"a stranger" => Some(world.connect()),
					"a newcomer" => Some(world.come(&Script::publish("live", "key"))),
					_ => None,
				};
				world.door.tick(world.now);
				world.collect();
				world.pass_ms(900);
				assert!(world.is_live(id) && world.closed.is_empty(), "{what}");
				// Only now what came meanwhile is read.
				world.send(id, &Script::default().frame(1, false));
				newcomer.into_iter().for_each(|id| world.door.closed(id, world.now));
				assert_eq!(world.take_events()[4..], ["1 frame 1"], "{what}");
				world.pass(SILENCE_LIMIT - Duration::from_millis(1));
				assert!(world.is_live(id), "{what}");
				world.pass_ms(1);
				assert_eq!(
					world.take_events(),
					["left 1: is lost: nothing came for 30 s"],
					"{what}"
				);
			}
		}
	}
	// Strangers and those who have nothing to show neither.
	let mut world = World::new();
	let holder = world.come(&Script::publish("live", "key"));
	let stranger = world.connect();
	world.door.deadline(world.now);
	world.now += seconds(100);
	world.door.tick(world.now);
	world.collect();
	world.pass_ms(4_900);
	assert!(world.closed.is_empty());
	world.pass_ms(100);
	assert!(world.is_closed(stranger) && !world.is_closed(holder));
	world.pass(SHOW_LIMIT);
	assert!(world.is_closed(holder));
}

#[test]
fn machine_that_sleeps_again_and_again_loses_a_silent_publisher_all_the_same() {
	let mut world = World::new();
	let id = world.come(&Script::live());
	for _ in 0..4 {
		assert!(world.is_live(id));
		world.pass_ms(7_600);
		world.door.deadline(world.now);
		world.now += Duration::from_secs(2);
		world.door.tick(world.now);
		world.collect();
	}
	world.pass_ms(2_000);
	assert!(world.is_closed(id));
}

#[test]
fn damaged_tag_is_left_out_and_said_once() {
	let mut world = World::new();
	let id = world.come(&Script::live());
	let damaged = Script::default()
		.message(9, 10, b"\x17")
		.message(9, 20, b"\x27\x09\0\0\0")
		.message(8, 0, b"");
	world.send(id, &damaged.frame(30, false));
	assert_eq!(world.take_events()[4..], ["1 frame 30"]);
	assert_eq!(
		world.lines[1..],
		["the publisher from 10.0.0.7:4000 sends what cannot be read: a Picture tag ends early"]
	);
}

#[test]
fn fault_of_a_publisher_ends_it_by_name_and_of_a_stranger_too() {
	let mut world = World::new();
	let id = world.come(&Script::live());
	world.door.received(id, &[0xC9], world.now);
	world.collect();
	assert_eq!(
		world.take_events()[4..],
		["left 1: is turned away: a chunk of format 3 on the unused chunk stream 9"]
	);
	let stranger = world.come(&Script::hello().message(9, 0, &[0; 70_000]));
	assert!(world.is_closed(stranger));
	assert_eq!(
		world.lines[2..],
		["somebody from 10.0.0.7:4000 is turned away: a message of 70000 bytes; allowed are 65536"]
	);
	let fault = End::Fault(RtmpError::Handshake(HandshakeError::Tls));
	assert!(fault.to_string().contains("rtmps://"));
	let long = RtmpError::Chunk(chunk::ChunkError::Streams(8));
	assert_eq!(
		End::Fault(long).to_string(),
		"is turned away: more than 8 chunk streams"
	);
}

#[test]
fn when_the_broadcast_is_over_everybody_goes_and_nobody_becomes_live() {
	let mut world = World::new();
	let (holder, candidate) = (world.come(&Script::live()), world.come(&Script::publish("live", "key")));
	let stranger = world.connect();
	world.door.shut(world.now);
	world.collect();
	assert!([holder, candidate, stranger].iter().all(|id| world.is_closed(*id)));
	assert_eq!(
		world.take_events()[4..],
		["left 1: is sent away: the broadcast is over"]
	);
	assert!(world.was_told(holder, "the broadcast is over"));
}

#[test]
fn nothing_that_is_said_holds_a_key() {
	let mut world = World::new();
	world.come(&Script::publish("live", "hush"));
	world.come(&Script::publish("live/hush", "hush"));
	let id = world.come(&Script::live());
	let printed = format!("{:?} {:?} {:?}", world.door, world.lines, world.events);
	assert!(!printed.contains("hush") && !printed.contains("\"key\""), "{printed}");
	assert!(world.is_live(id));
}

#[test]
fn sound_header_says_rate_and_channels() {
	let header = |bytes: &[u8]| Sound::new(bytes);
	assert_eq!(
		header(&[0x12, 0x08]),
		Sound {
			rate: Some(44_100),
			channels: 1
		}
	);
	assert_eq!(
		header(&[0x11, 0x90]),
		Sound {
			rate: Some(48_000),
			channels: 2
		}
	);
	assert_eq!(
		header(&[0x17, 0x80]),
		Sound {
			rate: None,
			channels: 0
		}
	);
	assert_eq!(
		header(&[]),
		Sound {
			rate: Some(96_000),
			channels: 0
		}
	);
	assert_eq!(flv::kind(9), Some(flv::Kind::Picture));
}
