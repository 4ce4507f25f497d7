//! Serves a made-up broadcast over HTTP in real time, as the player does, with faults on command: what tests of stock players and
//! browsers drive.
//! usage: serve [--hls ADDR] [--place FILE] [--origins ORIGINS] [--wait]
//!
//! Commands on standard input, one a line; each is answered by a line when it begins:
//!
//! | command | does |
//! | --- | --- |
//! | `go` | begins, where `--wait` was given |
//! | `restart SECONDS` | the program is away for so long; the broadcast goes on. Behind it `back` says how many seconds were missed |
//! | `stall SECONDS` | nothing arrives for so long, then all of it at once: another relayer was looked for |
//! | `miss N` | the next N windows never arrive |
//! | `pause SECONDS` | the broadcaster is away; media times go on afterwards, capture times jump |
//! | `source NAME` | `both`, `mute`, `other`: sound and picture, no sound, another size; media times begin anew |
//! | `epoch` | another run of the broadcast; media times begin anew |
//! | `stream N` | another stream on the same port, with a state of its own |
//! | `long SECONDS` | one window of so many seconds |
//! | `finish` | the broadcast is over; `epoch` and `go` begin another |
//! | `lose` | no relayer brings it any more; `go` has one again |

use anyhow::Context;
use bytes::Bytes;
use clustercast_cli::http::Limits;
use clustercast_media::{
	copy::{Copy, Step},
	fragment::{self, Fragment, Layout, Run},
};
use clustercast_player::{
	hls::{Hls, Options},
	origins::Origins,
	outlook::Outlook,
};
use clustercast_primitives::{catalog::Track, crypto::KeyPair, text::Text, window::flags, Hash, StreamId};
use clustercast_protocol::{Broadcast, Silence, Timing};
use clustercast_testing::clip::Clip;
use std::{
	collections::BTreeMap,
	net::SocketAddr,
	path::PathBuf,
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{sleep, sleep_until, Instant};

const WINDOW: Duration = Duration::from_secs(2);
const TITLE: &str = "Harbour, live";

/// A loop of windows that FFmpeg made.
struct Source {
	init: Bytes,
	windows: Vec<Bytes>,
	track: Track,
}

impl Source {
	fn make(size: &str, profile: &str, sound: bool) -> anyhow::Result<Self> {
		// Key frames repeat their parameter sets, as the origin's do.
		let more = format!(
			"-profile:v {profile} -sc_threshold 0 -b:v 400k -maxrate 400k -bufsize 400k -use_editlist 0 \
			 -x264-params repeat-headers=1"
		);
		let film = Clip {
			size,
			channels: if sound { 2 } else { 0 },
			seconds: 10,
			more: &more,
		};
		let (init, mut windows) = fragment::cut(&film.mp4())?;
		// The first is longer, and the last may be a rest.
		windows.truncate(5);
		windows.remove(0);
		let (width, height) = size.split_once('x').context("size")?;
		let config = init.windows(4).position(|w| w == b"avcC").context("avcC")? + 5;
		let profile: String = init[config..config + 3].iter().map(|b| format!("{b:02x}")).collect();
		let codecs = format!("avc1.{profile}{}", if sound { ",mp4a.40.2" } else { "" });
		let track = Track {
			codecs: Text::try_from(codecs.as_str()).unwrap_or_default(),
			bitrate: 700_000,
			width: width.parse()?,
			height: height.parse()?,
			rate: 30_000,
			..Track::unknown(&init)
		};
		Ok(Self { init, windows, track })
	}
}

/// What the broadcaster sends.
struct Studio {
	sources: BTreeMap<&'static str, Source>,
	source: &'static str,
	stream: u64,
	epoch: u32,
	broadcast: Broadcast,
	copy: Copy,
	made: usize,
	/// The next window is the first behind a change.
	restarted: bool,
}

impl Studio {
	fn new() -> anyhow::Result<Self> {
		let sources = [
			("both", Source::make("426x240", "main", true)?),
			("mute", Source::make("426x240", "main", false)?),
			("other", Source::make("320x180", "high", true)?),
		];
		let (stream, epoch) = (1, 100);
		let mut studio = Self {
			sources: sources.into_iter().collect(),
			source: "both",
			stream,
			epoch,
			broadcast: broadcast(stream, epoch, 0),
			copy: Copy::default(),
			made: 0,
			restarted: false,
		};
		studio.describe();
		Ok(studio)
	}

	fn describe(&mut self) {
		let source = &self.sources[self.source];
		self.broadcast.describe(source.track.clone(), source.init.clone());
	}

	fn turn_to(&mut self, name: &str) -> anyhow::Result<()> {
		self.source = self
			.sources
			.keys()
			.copied()
			.find(|known| *known == name)
			.context("no such source")?;
		(self.copy, self.restarted) = (Copy::default(), true);
		self.describe();
		Ok(())
	}

	fn begin_epoch(&mut self, stream: u64) {
		let segment = self.broadcast.next().segment;
		self.epoch += 1;
		let segment = if stream == self.stream { segment } else { 0 };
		self.stream = stream;
		self.broadcast = broadcast(stream, self.epoch, segment);
		(self.copy, self.restarted) = (Copy::default(), true);
		self.describe();
	}

	fn bytes(&mut self) -> anyhow::Result<Bytes> {
		let source = &self.sources[self.source];
		let window = &source.windows[self.made % source.windows.len()];
		self.made += 1;
		match self.copy.append(&source.init, window)? {
			Step::Append(mut bytes) => bytes.pop().context("a window"),
			Step::Another => anyhow::bail!("the source changed"),
		}
	}

	/// A window of so many windows' time, captured from `start_ms` on.
	fn window(&mut self, start_ms: u64, length: u32) -> anyhow::Result<clustercast_protocol::EncodedWindow> {
		let mut data = self.bytes()?;
		let layout = Layout::read(&self.sources[self.source].init)?;
		let mut runs: Vec<Run> = Fragment::read(&layout, &data)?.runs;
		for _ in 1..length {
			data = self.bytes()?;
			for run in Fragment::read(&layout, &data)?.runs {
				if let Some(before) = runs.iter_mut().find(|before| before.track == run.track) {
					before.samples.extend(run.samples);
				}
			}
		}
		let flag = if std::mem::take(&mut self.restarted) {
			flags::DISCONTINUITY
		} else {
			0
		};
		let timing = Timing {
			flags: flags::INDEPENDENT | flags::LAST_PART | flag,
			start_ms,
			duration_ms: 2_000 * length,
		};
		Ok(self.broadcast.sign(timing, &fragment::write(1, &runs))?)
	}
}

fn broadcast(stream: u64, epoch: u32, segment: u64) -> Broadcast {
	let key = KeyPair::from_seed([1; 32]);
	let title = Text::try_from(TITLE).unwrap_or_default();
	Broadcast::begin(key, Hash([2; 32]), StreamId(stream), epoch, Hash([0; 32]), segment).titled(title)
}

fn unix_ms() -> u64 {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default()
		.as_millis() as u64
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
	let mut address: SocketAddr = "127.0.0.1:0".parse()?;
	let (mut place, mut origins, mut wait) = (None, Origins::Any, false);
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
		match argument.as_str() {
			"--hls" => address = value()?.parse()?,
			"--place" => place = Some(PathBuf::from(value()?)),
			"--origins" => origins = value()?.parse()?,
			"--wait" => wait = true,
			_ => anyhow::bail!("unknown: {argument}"),
		}
	}
	let mut studio = Studio::new()?;
	let mut options = Options {
		address,
		origins,
		place,
		title: TITLE.into(),
		limits: Limits::default(),
	};
	let mut hls = Some(Hls::bind(options.clone()).await?);
	let mut outlook = Outlook::default();
	let note = |hls: &Option<Hls>, outlook: &mut Outlook, silence, since: Instant| {
		outlook.silence(silence, false, since.into_std());
		if let Some(hls) = hls {
			hls.note(*outlook);
		}
	};
	if wait {
		note(&hls, &mut outlook, Silence::Pause, Instant::now());
	}
	let url = hls.as_ref().map(Hls::url).unwrap_or_default();
	options.address = url
		.trim_start_matches("http://")
		.trim_end_matches("/index.m3u8")
		.parse()?;
	println!("{}", serde_json::json!({ "hls": url }));
	let (send, mut commands) = tokio::sync::mpsc::channel(16);
	std::thread::spawn(move || {
		for line in std::io::stdin().lines().map_while(Result::ok) {
			if send.blocking_send(line).is_err() {
				return;
			}
		}
	});
	let mut next = Instant::now();
	let (mut missed, mut away_until, mut length) = (0, None, 1);
	let (mut lost, mut stalled_until, mut late) = (Duration::ZERO, next, Vec::new());
	loop {
		let back = away_until.unwrap_or(next + Duration::from_secs(3_600));
		tokio::select! {
			() = sleep_until(back), if away_until.is_some() => {
				away_until = None;
				hls = Some(Hls::bind(options.clone()).await?);
				println!("back {}", std::mem::take(&mut lost).as_secs());
			},
			() = sleep_until(next), if !wait => {
				next += WINDOW * length;
				let span = WINDOW * length;
				let window = studio.window(unix_ms() - span.as_millis() as u64, length)?;
				length = 1;
				match &hls {
					_ if missed > 0 => missed -= 1,
					Some(_) if Instant::now() < stalled_until => late.push(window),
					Some(hls) => {
						late.drain(..).chain([window]).for_each(|window| hls.push(&window));
						outlook.window(Instant::now().into_std());
					},
					None => lost += span,
				}
			},
			line = commands.recv() => {
				let Some(line) = line else {
					return Ok(());
				};
				let (command, value) = line.split_once(' ').unwrap_or((&line, ""));
				let seconds = || anyhow::Ok(Duration::from_secs(value.parse()?));
				match command {
					"go" => (wait, next) = (false, Instant::now()),
					"restart" => {
						hls = None;
						away_until = Some(Instant::now() + seconds()?);
					},
					"stall" => stalled_until = Instant::now() + seconds()?,
					"miss" => missed = value.parse()?,
					"pause" => {
						note(&hls, &mut outlook, Silence::Pause, Instant::now());
						studio.restarted = true;
						next += seconds()?;
					},
					"source" => studio.turn_to(value)?,
					"epoch" => studio.begin_epoch(studio.stream),
					"stream" => {
						studio.begin_epoch(value.parse()?);
						drop(hls.take());
						options.place = options.place.map(|place| place.with_extension(value));
						sleep(Duration::from_secs(1)).await;
						hls = Some(Hls::bind(options.clone()).await?);
					},
					"long" => {
						length = u32::try_from(seconds()?.as_secs() / WINDOW.as_secs())?;
						next += WINDOW * (length - 1);
					},
					"finish" => {
						note(&hls, &mut outlook, Silence::Over, Instant::now());
						wait = true;
					},
					"lose" => {
						note(&hls, &mut outlook, Silence::None, Instant::now());
						wait = true;
					},
					_ => anyhow::bail!("unknown command: {line}"),
				}
				println!("{line}");
			},
		}
	}
}
