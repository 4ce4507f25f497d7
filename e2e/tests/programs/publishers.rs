//! Whatever a publisher sends, viewers get one broadcast: windows of 2 s, 60 pictures and sound in each, captured 2 s after each
//! other, under one initialisation segment. Each test lives through many faults in a row, on the same programs.
//!
//! | what is sent | test |
//! | --- | --- |
//! | sound is announced and never comes; its header comes alone; it comes 11 s late; it stops for 9 s | `tracks_come_and_go_…` |
//! | the picture stands still for 9 s while the sound goes on | `tracks_come_and_go_…` |
//! | the publisher leaves, comes back without sound and metadata, breaks off, comes back with sound | `tracks_come_and_go_…` |
//! | stamps jump by an hour, 30 s, 5 s, there and back, of one track alone; mean nothing; stand still | `stamps_that_jump_…` |
//! | stamps pass 2^24, 2^31, 2^32 ms, or wrap at 2^31 as FFmpeg's do | `stamps_that_jump_…` |
//! | B-frames, any rate, size and sampling, changed in the midst; chunks of 1 to 65,536 bytes; aggregates; enhanced H.264 and AAC; headers late, twice, between pictures; what nobody understands | `encoders_of_all_kinds_…` |
//! | sound alone | `encoders_of_all_kinds_…` |
//! | strangers who connect, shake hands, ask, probe with HTTP or TLS, and stay; wrong keys | `nobody_keeps_…` |
//! | a publisher that shows nothing, vanishes without a word, is replaced while it sends; HEVC, AV1, Opus, MP3 | `nobody_keeps_…` |
//! | keys as password managers make them, over IPv4 and IPv6 | `nobody_keeps_…` |

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	gauge::Gauge,
	lab::{free_port, Lab},
	media::{decode, probe},
	network::{Network, Person, START_MONEY},
	programs::{mint, Origin, Player},
	pusher::{is_header, is_picture, is_sound, unix_ms, write, Clip, Pusher, Span, ENCODED, TONE},
	record::{follow_each_other, left_out, Record, Shows},
	scene::{Scene, PRICE_PER_GB, TERMS},
};
use clustercast_media::{
	flv::{Kind, Tag},
	rtmp::Script,
};
use std::{
	cell::Cell,
	fs,
	net::SocketAddr,
	time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// A door that opens to `key` under the app `live`, and the broadcast behind it.
struct Door {
	origin: Origin,
	address: SocketAddr,
	key: String,
	log: std::path::PathBuf,
	gauge: Gauge,
}

impl Door {
	/// On an origin that nobody watches.
	async fn open(lab: &Lab, host: &str, key: &str) -> Result<Self> {
		let network = Network::shared(lab).await?;
		let broadcaster = Person::new(lab, "broadcaster")?;
		network.fund(&[(broadcaster.account, START_MONEY)]).await?;
		let stream = mint(&network, &broadcaster, PRICE_PER_GB).await?;
		let (address, input) = door(lab, host, key)?;
		let mut run = Origin::command(lab, "origin", &network, &broadcaster, stream)?;
		run.args(&input);
		Ok(Self {
			origin: Origin::run(lab, "origin", stream, &mut run).await?,
			address,
			key: key.into(),
			log: lab.path("origin.log"),
			gauge: Gauge::start(),
		})
	}

	/// A publisher with the key.
	async fn publisher(&self) -> Result<Pusher> {
		Pusher::publish(self.address, "live", &self.key).await
	}

	/// Ends it; what it broadcast.
	async fn end(&mut self) -> Result<Record> {
		self.origin.process.interrupt().await?;
		let windows = self.origin.windows()?;
		let (late, left_out) = (self.gauge.late(), left_out(&windows, &self.said()?)?);
		println!(
			"{} windows; {left_out} ms left out; this machine was up to {late:?} late",
			windows.len()
		);
		Record::read(&self.origin.record, &windows).await
	}

	fn said(&self) -> Result<String> {
		Ok(fs::read_to_string(&self.log)?)
	}

	/// Checks that the log has each of these lines, by their words.
	fn says(&self, lines: &[&str]) -> Result<()> {
		let log = self.said()?;
		for words in lines {
			ensure!(log.contains(words), "no line {words:?} in {log}");
		}
		Ok(())
	}
}

/// Where a door is to be, and what tells an origin so.
fn door(lab: &Lab, host: &str, key: &str) -> Result<(SocketAddr, [String; 4])> {
	use std::os::unix::fs::PermissionsExt;
	let (port, file) = (free_port()?, lab.path("rtmp.key"));
	fs::write(&file, key)?;
	fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
	let address = SocketAddr::from(([127, 0, 0, 1], port));
	let input = format!("rtmp://{host}:{port}/live");
	let file = file.display().to_string();
	Ok((address, ["--input".into(), input, "--stream-key-file".into(), file]))
}

#[test]
fn tracks_come_and_go_and_viewers_see_one_broadcast() {
	Lab::run(async |lab| {
		let (address, input) = door(lab, "127.0.0.1", "key")?;
		let input: Vec<&str> = input.iter().map(String::as_str).collect();
		let clip = Clip::usual(lab).await?;
		let mut scene = Scene::start_showing(lab, Network::shared(lab).await?, &input, &[TERMS]).await?;
		let mut player = scene.watch_from(lab, "player", &[&scene.relayers[0].address], &[])?;
		let gauge = Gauge::start();

		let mut publisher = Pusher::publish(address, "live", "key").await?;
		let without = publisher.push_only(&clip, 6.0, |tag| !is_sound(tag)).await?;
		let playlists = Playlists::follow(&player);
		let header = publisher.script();
		publisher.say(write(header, &clip.header(Kind::Sound)?)).await?;
		let header_alone = publisher
			.push_only(&clip, 5.0, |tag| !is_sound(tag) || is_header(tag))
			.await?;
		let late_sound = publisher.push(&clip, 5.0).await?;
		let muted = publisher.push_only(&clip, 9.0, |tag| !is_sound(tag)).await?;
		let again = publisher.push(&clip, 5.0).await?;
		let still = publisher.push_only(&clip, 9.0, |tag| !is_picture(tag)).await?;
		let moving = publisher.push(&clip, 5.0).await?;
		publisher.leave().await?;
		let away = pause(5).await;
		let mut publisher = Pusher::publish(address, "live", "key").await?;
		let silent = publisher.push_only(&clip, 8.0, is_picture).await?;
		// Without a word.
		drop(publisher);
		let mut publisher = Pusher::publish(address, "live", "key").await?;
		let back = publisher.push(&clip, 6.0).await?;
		publisher.leave().await?;

		let first = scene.origin.windows()?.swap_remove(0);
		let within = first.start_ms.saturating_sub(without.begin);
		ensure!(
			within < 2_000 + gauge.late().as_millis() as u64,
			"the first window begins {within} ms after its publisher"
		);
		let playlists = playlists.end(&mut player).await?;
		let summary = player.stop().await?;
		ensure!(summary["gaps"] == 0 && summary["rejectedBytes"] == 0, "{summary}");
		scene.origin.process.interrupt().await?;
		let windows = scene.origin.windows()?;
		left_out(&windows, &fs::read_to_string(lab.path("origin.log"))?)?;
		let record = Record::read(&scene.origin.record, &windows).await?;
		for (span, shows, sounds) in [
			(without, Shows::Moving, false),
			(header_alone, Shows::Moving, false),
			(late_sound, Shows::Moving, true),
			(muted, Shows::Moving, false),
			(again, Shows::Moving, true),
			(still, Shows::Still, true),
			(moving, Shows::Moving, true),
			(away, Shows::Slate, false),
			(silent, Shows::Moving, false),
			(back, Shows::Moving, true),
		] {
			record.shows(span, shows, sounds, &gauge)?;
		}
		playlists.are_of_one_broadcast()?;
		viewer_saw_all_of_it(&scene, &player).await?;
		logs_say_it_once(lab)
	});
}

/// A span in which nobody does anything.
async fn pause(seconds: u64) -> Span {
	let begin = unix_ms();
	sleep(Duration::from_secs(seconds)).await;
	Span { begin, end: unix_ms() }
}

/// Every window from its first on, byte for byte, in a file that any player plays, from one relayer that was never at fault.
async fn viewer_saw_all_of_it(scene: &Scene, player: &Player) -> Result<()> {
	let (sent, seen) = (scene.origin.windows()?, player.windows()?);
	follow_each_other(&seen)?;
	// It takes a while until it is there: a deposit comes first.
	ensure!(seen.len() >= 10, "{} windows of {}", seen.len(), sent.len());
	scene.origin.recording()?.check_output(&player.recording()?)?;
	ensure!(probe(player.output()).await?.len() == 2, "not two tracks");
	let pictures = decode(player.output(), 3_600).await?;
	ensure!(
		pictures == 60 * seen.len() as u64,
		"{pictures} in {} windows",
		seen.len()
	);
	Ok(())
}

/// What people are told: one line for each thing that happened, and nobody is blamed for what the publisher did.
fn logs_say_it_once(lab: &Lab) -> Result<()> {
	let read = |name: &str| fs::read_to_string(lab.path(&format!("{name}.log")));
	let origin = read("origin")?;
	let said = |words: &str| origin.lines().filter(|line| line.contains(words)).count();
	for (words, times) in [
		("a publisher came from 127.0.0.1", 3),
		("H.264 320x180 at 30 pictures/s, no sound so far", 1),
		("H.264 320x180 at 30 pictures/s, AAC 44100 Hz mono", 1),
		("no sound so far: silence is sent", 2),
		("no sound for 5 s: silence is sent", 1),
		("no new picture for 5 s: the last one is shown", 1),
		("there are pictures again", 1),
		("left in order", 2),
		("is lost: its connection is closed", 1),
	] {
		ensure!(
			said(words) == times,
			"{words:?} is said {} times: {origin}",
			said(words)
		);
	}
	ensure!(origin.lines().count() < 40, "{origin}");
	for wrong in ["swscaler", "Invalid", "ERROR"] {
		ensure!(!origin.contains(wrong), "{wrong}: {origin}");
	}
	let (relayer, player) = (read("relayer-1")?, read("player")?);
	ensure!(!relayer.contains("upstream lost"), "{relayer}");
	for wrong in ["stalled", "left", "blacklisted"] {
		ensure!(!player.contains(wrong), "{player}");
	}
	Ok(())
}

/// All playlists that a player served, as a page asks for them.
struct Playlists(
	tokio::task::JoinHandle<Vec<String>>,
	std::sync::Arc<std::sync::atomic::AtomicBool>,
);

/// What they were.
struct Served(Vec<String>);

impl Playlists {
	fn follow(player: &Player) -> Self {
		use std::sync::atomic::{AtomicBool, Ordering};
		let (url, ends) = (player.hls.clone(), std::sync::Arc::new(AtomicBool::new(false)));
		let end = ends.clone();
		let follow = async move {
			let mut served = Vec::new();
			while !end.load(Ordering::Relaxed) {
				if let Ok(answer) = clustercast_e2e::http::get(&url).await {
					if answer.status == 200 && served.last() != Some(&answer.text()) {
						served.push(answer.text());
					}
				}
				sleep(Duration::from_millis(500)).await;
			}
			served
		};
		Self(tokio::spawn(follow), ends)
	}

	async fn end(self, player: &mut Player) -> Result<Served> {
		player.process.check_alive()?;
		self.1.store(true, std::sync::atomic::Ordering::Relaxed);
		Ok(Served(self.0.await?))
	}
}

impl Served {
	/// One target duration and one initialisation segment for ever, no discontinuity, numbers that only grow, and windows that
	/// last as long as their captures are apart.
	fn are_of_one_broadcast(&self) -> Result<()> {
		ensure!(self.0.len() >= 10, "only {} playlists", self.0.len());
		let of = |list: &str, tag: &str| -> Vec<String> {
			let lines = list.lines().filter_map(|line| line.strip_prefix(tag));
			lines.map(str::to_owned).collect()
		};
		let mut maps = std::collections::BTreeSet::new();
		let mut before = 0;
		for list in &self.0 {
			ensure!(of(list, "#EXT-X-TARGETDURATION:") == ["2"], "{list}");
			ensure!(!list.contains("#EXT-X-DISCONTINUITY\n"), "{list}");
			maps.extend(of(list, "#EXT-X-MAP:"));
			let number: u64 = of(list, "#EXT-X-MEDIA-SEQUENCE:")[0].parse()?;
			ensure!(number >= before, "{number} after {before}");
			before = number;
			for duration in of(list, "#EXTINF:") {
				let duration: f64 = duration.split(',').next().unwrap_or_default().parse()?;
				ensure!((1.95..2.05).contains(&duration), "{list}");
			}
		}
		ensure!(maps.len() == 1, "{maps:?}");
		Ok(())
	}
}

#[test]
fn stamps_that_jump_wrap_or_mean_nothing_are_passed_in_real_time() {
	Lab::run(async |lab| {
		let clip = Clip::usual(lab).await?;
		let mut door = Door::open(lab, "127.0.0.1", "key").await?;
		let mut spans = Vec::new();

		let mut publisher = door.publisher().await?;
		publisher.jump(4_000.0);
		spans.push(publisher.push(&clip, 4.0).await?);
		for by in [3_600.0, -30.0, -5.0, 5.0, -3_600.0] {
			publisher.jump(by);
			spans.push(publisher.push(&clip, 5.0).await?);
		}
		// Of the sound alone.
		let late_sound = |_: f64, mut tag: Tag| {
			if is_sound(&tag) {
				tag.stamp = tag.stamp.wrapping_add(10_000);
			}
			vec![tag]
		};
		spans.push(publisher.push_edited(&clip, 5.0, late_sound).await?);
		publisher.leave().await?;

		for first in [(1 << 24) - 2_500, (1 << 31) - 2_500, u32::MAX - 2_500] {
			let mut publisher = door.publisher().await?;
			publisher.ahead = first;
			spans.push(publisher.push(&clip, 6.0).await?);
			publisher.leave().await?;
		}
		let mut publisher = door.publisher().await?;
		publisher.ahead = (1 << 31) - 2_500;
		let wraps = |_: f64, tag: Tag| {
			vec![Tag {
				stamp: tag.stamp & 0x7FFF_FFFF,
				..tag
			}]
		};
		spans.push(publisher.push_edited(&clip, 6.0, wraps).await?);
		publisher.leave().await?;

		let mut publisher = door.publisher().await?;
		let mut seed = 1_u32;
		let noise = |_: f64, tag: Tag| {
			seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
			vec![Tag { stamp: seed, ..tag }]
		};
		spans.push(publisher.push_edited(&clip, 6.0, noise).await?);
		publisher.leave().await?;
		let mut publisher = door.publisher().await?;
		let none = |_: f64, tag: Tag| vec![Tag { stamp: 0, ..tag }];
		// That they stand still is known after 6 to 15 s: a pause may look like it.
		publisher.push_edited(&clip, 16.0, none).await?;
		spans.push(publisher.push_edited(&clip, 5.0, none).await?);
		publisher.leave().await?;

		let record = door.end().await?;
		for span in spans {
			record.shows(span, Shows::Moving, true, &door.gauge)?;
		}
		// A line a minute of each publisher, not one a picture.
		let log = door.said()?;
		ensure!(log.lines().count() < 50, "{log}");
		door.says(&["stamps"])
	});
}

#[test]
fn encoders_of_all_kinds_are_taken_as_they_are() {
	Lab::run(async |lab| {
		let clip = Clip::usual(lab).await?;
		let fast = format!(
			"-f lavfi -i testsrc2=s=202x360:r=50 {TONE} -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -bf 3 -c:a aac -ar 22050 -ac 2"
		);
		let fast = Clip::make(lab, "fast.flv", &fast, 6).await?;
		let slow = format!("-f lavfi -i testsrc2=s=640x480:r=1 -f lavfi -i sine=sample_rate=48000 {ENCODED} -g 1");
		let slow = Clip::make(lab, "slow.flv", &slow, 6).await?;
		let mut door = Door::open(lab, "127.0.0.1", "key").await?;
		let mut taken = Vec::new();

		// B-frames, upright, 50 a second; chunks of a byte; nothing said before `publish` that need not be.
		let bare = || {
			let connect = Script::hello().connect(&[("app", "live")]);
			connect.call("createStream", 2.0, &[]).call("publish", 3.0, &["key"])
		};
		let mut publisher = Pusher::connect(door.address).await?;
		publisher.say(bare().chunks_of(1)).await?;
		taken.push(("B-frames in chunks of a byte", publisher.push(&fast, 5.5).await?));
		// The same connection publishes again, in large chunks, with another size, rate and sampling, and changes them once more.
		publisher
			.say(
				publisher
					.script()
					.call("deleteStream", 4.0, &[])
					.call("createStream", 5.0, &[]),
			)
			.await?;
		publisher
			.say(publisher.script().call("publish", 6.0, &["key"]).chunks_of(65_536))
			.await?;
		let mut publisher = publisher.anew();
		taken.push(("published twice", publisher.push(&clip, 5.5).await?));
		taken.push((RARE, publisher.push_another(&slow, 5.5).await?));
		taken.push(("changed back", publisher.push_another(&clip, 5.5).await?));
		publisher.leave().await?;

		let mut publisher = door.publisher().await?;
		publisher.aggregates = true;
		taken.push(("aggregates", publisher.push_edited(&clip, 5.5, in_twos()).await?));
		publisher.leave().await?;

		let mut publisher = door.publisher().await?;
		let enhance = |_: f64, tag: Tag| vec![enhanced(tag)];
		taken.push(("enhanced", publisher.push_edited(&clip, 5.5, enhance).await?));
		publisher.leave().await?;

		// Headers 1.5 s late, then before every picture; and among them what nobody asked for.
		let mut publisher = door.publisher().await?;
		let (picture, sound) = (clip.header(Kind::Picture)?, clip.header(Kind::Sound)?);
		let often = |at: f64, tag: Tag| match at {
			_ if is_header(&tag) => vec![],
			..1.5 => vec![tag],
			_ => {
				let header = if is_picture(&tag) { &picture } else { &sound };
				vec![
					Tag {
						stamp: tag.stamp,
						..header.clone()
					},
					tag,
				]
			},
		};
		publisher.push_edited(&clip, 1.0, often).await?;
		publisher.say(odd(publisher.script())).await?;
		taken.push((
			"late and frequent headers",
			publisher
				.push_edited(&clip, 6.0, |at, tag| often(at + 1.0, tag))
				.await?,
		));
		publisher.leave().await?;

		let mut publisher = door.publisher().await?;
		let alone = publisher.push_only(&clip, 8.0, is_sound).await?;
		publisher.leave().await?;

		let record = door.end().await?;
		for (what, span) in taken {
			let shows = if what == RARE { Shows::Jerky } else { Shows::Moving };
			record.shows(span, shows, true, &door.gauge).context(what)?;
		}
		record.shows(alone, Shows::Slate, true, &door.gauge)?;
		door.says(&[
			"no picture so far: the slate is shown",
			"H.264 202x360 at 50 pictures/s, AAC 22050 Hz stereo",
		])
	});
}

/// Pictures come so rarely that half of the half seconds have none.
const RARE: &str = "a picture a second";

/// Two tags at a time.
fn in_twos() -> impl FnMut(f64, Tag) -> Vec<Tag> {
	let mut first = None;
	move |_, tag| match first.take() {
		None => {
			first = Some(tag);
			vec![]
		},
		Some(first) => vec![first, tag],
	}
}

/// In the form of Enhanced RTMP.
fn enhanced(tag: Tag) -> Tag {
	let body = match tag.kind {
		Kind::Picture => {
			let mark = 0x80 | tag.body[0] & 0x70 | tag.body[1];
			let rest = if tag.body[1] == 1 {
				&tag.body[2..]
			} else {
				&tag.body[5..]
			};
			[&[mark], &b"avc1"[..], rest].concat()
		},
		Kind::Sound => [&[0x90 | tag.body[1]], &b"mp4a"[..], &tag.body[2..]].concat(),
		Kind::Script => return tag,
	};
	Tag {
		body: body.into(),
		..tag
	}
}

/// Empty tags, data and commands that nobody knows, shared objects, acknowledgements, pings, a window to acknowledge, a type that
/// does not exist.
fn odd(script: Script) -> Script {
	script
		.message(8, 0, b"")
		.message(9, 0, b"")
		.message(8, 0, b"\xAF")
		.message(9, 0, b"\x57\x00")
		.message(18, 0, b"\x02\0\x06onCuePoint")
		.message(18, 0, b"")
		.message(15, 0, b"\0\x02\0\x09onFI")
		.message(19, 0, b"shared")
		.message(3, 0, b"\0\0\0\x01")
		.message(4, 0, b"\0\x06\0\0\0\x01")
		.message(5, 0, b"\0\0\0\x01")
		.message(99, 0, b"what")
		.call("_checkbw", 9.0, &[])
}

#[test]
fn nobody_keeps_whoever_has_the_key_out() {
	Lab::run(async |lab| {
		let clip = Clip::usual(lab).await?;
		// All that is refused at the start is in tests of the command line.
		let key = format!("a/b%2Fc+d=e:f&g?h#ü{}", "x".repeat(280));
		let mut door = Door::open(lab, "[::]", &key).await?;
		let stranger = Pusher::connect(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], door.address.port())));
		let mut strangers = vec![stranger.await?];
		for script in [
			Script::default().raw(&[3]),
			Script::hello(),
			Script::hello()
				.connect(&[("app", "live")])
				.call("createStream", 2.0, &[]),
		] {
			let mut stranger = Pusher::connect(door.address).await?;
			stranger.say(script).await?;
			strangers.push(stranger);
		}
		for said in [
			&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
			b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03",
			b"SSH-2.0-x\r\n",
		] {
			for _ in 0..3 {
				let mut probe = Pusher::connect(door.address).await?;
				probe.say(Script::default().raw(said)).await?;
				probe.closed().await?;
			}
		}
		for (app, wrong) in [
			("live", "guess"),
			("live", ""),
			("", key.as_str()),
			("live/a", "b"),
			("other", key.as_str()),
		] {
			let mut stranger = Pusher::publish(door.address, app, wrong).await?;
			let told = stranger.closed().await?;
			ensure!(
				told.contains("wrong server or stream key"),
				"{app:?}, {wrong:?}: {told:?}"
			);
		}

		// As FFmpeg splits it.
		let (app, name) = key.rsplit_once('/').context("a slash")?;
		let mut first = Pusher::publish(door.address, &format!("live/{app}"), name).await?;
		let came = first.push(&clip, 5.0).await?;
		// It vanishes: no word, no FIN. Another one comes from elsewhere.
		sleep(Duration::from_millis(1_200)).await;
		let mut second = Pusher::publish(
			SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], door.address.port())),
			"live",
			&key,
		)
		.await?;
		let back = second.push(&clip, 5.0).await?;
		ensure!(first.closed().await?.contains("taken over"), "{:?}", first.heard());
		// Replaced while it sends; and whoever comes next is not let in at once.
		let mut third = door.publisher().await?;
		let (decided, began) = (Cell::new(false), Instant::now());
		let holds = async {
			let mut span = third.push(&clip, 8.0).await?;
			while !decided.get() {
				span.end = third.push(&clip, 1.0).await?.end;
			}
			anyhow::Ok(span)
		};
		let others = async {
			// Until its connection is closed under its hands.
			let _ = second.push(&clip, 60.0).await;
			let told = second.closed().await?;
			ensure!(
				told.contains("another publisher with this stream key has taken over"),
				"{told:?}"
			);
			let mut newcomer = door.publisher().await?;
			let _ = newcomer.push(&clip, 60.0).await;
			let told = newcomer.closed().await?;
			ensure!(
				told.contains("try again in 30 s"),
				"after {:?}: {told:?}",
				began.elapsed()
			);
			decided.set(true);
			Ok(())
		};
		let (held, ()) = tokio::try_join!(holds, others)?;
		third.leave().await?;

		for (kind, body, name) in [
			(9, &b"\x90hvc1\0\0\0\0"[..], "HEVC"),
			(9, b"\x90av01\0\0\0\0", "AV1"),
			(9, b"\x1C\0\0\0\0", "HEVC"),
			(9, b"\x90vp09\0\0\0\0", "VP9"),
			(8, b"\x90Opus\0\0", "Opus"),
			(8, b"\x2F\xFF\xFB\x90", "MP3"),
		] {
			let mut publisher = door.publisher().await?;
			publisher.say(publisher.script().message(kind, 0, body)).await?;
			let told = publisher.closed().await?;
			let wanted = if kind == 9 { "video to H.264" } else { "audio to AAC" };
			ensure!(told.contains(wanted), "{name}: {told:?}");
			// Written behind the answer.
			let words = format!("it sends {name}; set its");
			let written = async {
				while door.says(&[&words]).is_err() {
					sleep(Duration::from_millis(50)).await;
				}
			};
			let _ = timeout(Duration::from_secs(5), written).await;
			door.says(&[&words])?;
		}
		// Metadata, and then nothing; meanwhile nobody else is kept out, but that was shown.
		let mut silent = door.publisher().await?;
		let metadata = write(silent.script(), &clip.header(Kind::Script)?);
		silent.say(metadata).await?;
		let told = silent.closed().await?;
		ensure!(told.contains("no key frame and no sound came"), "{told:?}");
		for stranger in &mut strangers {
			stranger.closed().await?;
		}

		hides(&door)?;
		let record = door.end().await?;
		for span in [came, back, held] {
			record.shows(span, Shows::Moving, true, &door.gauge)?;
		}
		door.says(&["is turned away: no key frame and no sound in time; it sent metadata alone"])?;
		let log = door.said()?;
		// What happens on this machine is worth ten lines at once, then one each 6 s.
		ensure!(log.matches("somebody from").count() <= 18, "{log}");
		ensure!(log.lines().count() < 50, "{log}");
		Ok(())
	});
}

/// The key is neither in the log nor on a command line.
fn hides(door: &Door) -> Result<()> {
	let part = "b%2Fc+d=e";
	ensure!(!door.said()?.contains(part), "the key is in the log");
	let children = door.origin.process.children("ffmpeg")?;
	for pid in children.into_iter().chain([door.origin.process.pid()]) {
		let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
		ensure!(
			!String::from_utf8_lossy(&line).contains(part),
			"the key is on a command line"
		);
	}
	Ok(())
}
