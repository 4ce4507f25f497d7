//! Real FFmpeg processes: they are killed, hang, talk nonsense, end at once. What comes out is decoded again: each picture has
//! its number in it, sound has clicks at known samples.

use super::*;
use bytes::{BufMut, BytesMut};
use clustercast_media::picture::{CHANNELS, HEIGHT, SAMPLES_PER_FRAME, SAMPLES_PER_PICTURE, WIDTH};
use clustercast_media::plan::STALL_LIMIT;
use nix::sys::signal::{kill, Signal};
use std::{
	collections::HashSet,
	fs,
	os::unix::fs::PermissionsExt,
	path::Path,
	process::{Command, Output},
};
use tokio::time::{sleep, timeout};

/// Pixels of a bit of a picture's number, each way.
const BIT: usize = 32;

/// Bits of it.
const BITS: usize = 16;

/// Samples between clicks, and before the first one: they fall on all places in frames and pictures.
const CLICKS: u64 = 17_777;
const FIRST_CLICK: u64 = 5_000;

/// A picture with its number in the upper left, on something that moves.
fn picture(number: u64) -> Picture {
	let mut picture = BytesMut::with_capacity(PICTURE_BYTES);
	for row in 0..HEIGHT {
		for column in 0..WIDTH {
			let bit = column / BIT;
			picture.put_u8(match row < BIT && bit < BITS {
				true if number >> bit & 1 == 1 => 235,
				true => 16,
				false => 60 + ((column + row / 2 + 3 * number as usize) / 8 % 100) as u8,
			});
		}
	}
	picture.put_bytes(128, PICTURE_BYTES - WIDTH * HEIGHT);
	picture.freeze()
}

/// The sound of a picture.
fn samples(number: u64) -> Vec<i16> {
	let first = number * SAMPLES_PER_PICTURE as u64;
	(first..first + SAMPLES_PER_PICTURE as u64)
		.flat_map(|sample| [if sample % CLICKS == FIRST_CLICK { 30_000 } else { 0 }; CHANNELS])
		.collect()
}

/// The sound of the one before it, which comes with it.
fn before(number: u64) -> Vec<i16> {
	samples(number.saturating_sub(1))
}

/// An encoder that is fed, and what came out.
struct Studio {
	encoder: Encoder,
	next: u64,
	windows: Vec<Window>,
}

impl Studio {
	fn new(encoder: Encoder, next: u64) -> Self {
		let windows = Vec::new();
		Self { encoder, next, windows }
	}

	fn start() -> Self {
		Self::new(Encoder::start(Config::default(), None), 0)
	}

	/// Pictures up to this number, as fast as encoders take them.
	async fn fast(&mut self, until: u64) {
		while self.next < until {
			if self.encoder.waiting() < 20 {
				self.push();
				self.listen(Duration::ZERO).await;
			} else {
				self.listen(Duration::from_millis(5)).await;
			}
		}
	}

	/// Likewise, 30 a second, but for those that are not taken.
	async fn live(&mut self, until: u64) {
		let mut clock = tokio::time::interval(Duration::from_secs(1) / 30);
		while self.next < until {
			let at = clock.tick().await;
			self.try_push();
			self.listen(Duration::from_millis(20).saturating_sub(at.elapsed()))
				.await;
		}
	}

	fn push(&mut self) {
		assert!(self.try_push(), "{} wait", self.encoder.waiting());
	}

	/// Whether it was taken.
	fn try_push(&mut self) -> bool {
		let captured_ms = 1_000_000 + self.next * 100 / 3;
		let taken = self
			.encoder
			.push(picture(self.next), &before(self.next), captured_ms)
			.is_ok();
		self.next += u64::from(taken);
		taken
	}

	async fn listen(&mut self, time: Duration) {
		if let Ok(window) = timeout(time, self.encoder.next()).await {
			self.windows.extend(window.unwrap());
		}
	}

	/// Until so many windows are out.
	async fn windows(&mut self, count: usize) {
		while self.windows.len() < count {
			let window = self.encoder.next().await.unwrap();
			self.windows.push(window.expect("not finished"));
		}
	}

	async fn finish(&mut self) {
		self.encoder.finish();
		while let Some(window) = self.encoder.next().await.unwrap() {
			self.windows.push(window);
		}
	}

	/// Kills it; another one is at work when it returns.
	async fn kill(&mut self, track: Track) {
		let pid = self.encoder.pid(track).expect("runs");
		kill(pid, Signal::SIGKILL).unwrap();
		while self.encoder.pid(track).is_none_or(|now| now == pid) {
			self.listen(Duration::from_millis(1)).await;
		}
	}
}

/// Standard output of a tool that has nothing to complain about.
fn quiet(program: &str, args: &str, path: &Path, more: &str) -> Vec<u8> {
	let Output { status, stdout, stderr } = Command::new(program)
		.args(args.split_whitespace())
		.arg(path)
		.args(more.split_whitespace())
		.output()
		.unwrap();
	let complaints = String::from_utf8_lossy(&stderr);
	assert!(
		status.success() && complaints.is_empty(),
		"{program} {args} {more}: {complaints}"
	);
	stdout
}

/// Decodes windows that follow each other: pictures and sound are those with these numbers, each once, in step to the sample.
fn check(windows: &[Window], from: u64, pictures: &[u64]) {
	let dir = tempfile::tempdir().unwrap();
	let file = dir.path().join("windows.mp4");
	let init = &windows[0].init;
	assert!(windows.iter().all(|window| window.init == *init));
	let data: Vec<&[u8]> = windows.iter().map(|window| &window.data[..]).collect();
	fs::write(&file, [&init.segment[..], &data.concat()].concat()).unwrap();

	quiet("ffmpeg", "-nostdin -v warning -i", &file, "-xerror -f null -");
	let crop = format!(
		"-map 0:v -vf crop={}:{BIT}:0:0 -fps_mode passthrough -pix_fmt gray -f rawvideo -",
		BIT * BITS
	);
	let shown = quiet("ffmpeg", "-nostdin -v error -i", &file, &crop);
	let number = |picture: &[u8]| {
		let middle = &picture[BIT / 2 * BIT * BITS..];
		(0..BITS)
			.map(|bit| u64::from(middle[bit * BIT + BIT / 2] > 128) << bit)
			.sum::<u64>()
	};
	let shown: Vec<u64> = shown.chunks(BIT * BIT * BITS).map(number).collect();
	assert_eq!(shown, pictures);

	// Where the sound is at each picture's time is where it was pushed.
	let heard = quiet("ffmpeg", "-nostdin -v error -i", &file, "-map 0:a -f s16le -");
	let heard: Vec<i16> = heard
		.chunks(2 * CHANNELS)
		.map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
		.collect();
	let begin = MediaTime::new(from).unwrap();
	let end = begin.after(pictures.len() as u64);
	assert_eq!(
		heard.len() as u64,
		(end.frame() - begin.frame()) * u64::from(SAMPLES_PER_FRAME)
	);
	let first = begin.frame() * u64::from(SAMPLES_PER_FRAME);
	let mut clicks = 0;
	for click in (FIRST_CLICK..)
		.step_by(CLICKS as usize)
		.skip_while(|at| *at < first + 1_024)
	{
		let Some(around) = (click - first < heard.len() as u64 - 1_024).then(|| (click - first) as usize) else {
			break;
		};
		// Where the last picture is held there is silence, from its beginning.
		let number = click / SAMPLES_PER_PICTURE as u64;
		let shown = |number: u64| pictures.get((number - from) as usize);
		if shown(number) != Some(&number) || shown(number + 1).is_some_and(|next| *next != number + 1) {
			continue;
		}
		let range = around - 1_000..around + 1_000;
		let loudest = range.max_by_key(|at| heard[*at].unsigned_abs()).unwrap();
		assert_eq!(loudest, around, "click at {click}");
		assert!(heard[loudest].unsigned_abs() > 8_000, "{}", heard[loudest]);
		clicks += 1;
	}
	assert!(clicks > 0);

	// Times are counted, key frames stand at the beginnings of segments.
	let packets = quiet(
		"ffprobe",
		"-v error -select_streams v -show_entries packet=pts,duration,flags -of csv=p=0",
		&file,
		"",
	);
	for (index, line) in String::from_utf8(packets).unwrap().lines().enumerate() {
		let fields: Vec<&str> = line.trim_end_matches(',').split(',').collect();
		let at = from + index as u64;
		assert_eq!((fields[0].parse(), fields[1].parse()), (Ok(at * 1_000), Ok(1_000)));
		assert_eq!(fields[2].starts_with('K'), at.is_multiple_of(60));
	}
}

fn alive(pid: nix::unistd::Pid) -> bool {
	kill(pid, None).is_ok()
}

/// A program in place of FFmpeg.
fn script(dir: &Path, text: &str) -> PathBuf {
	let path = dir.join("ffmpeg");
	fs::write(&path, format!("#!/bin/sh\ncd '{}'\n{text}\n", dir.display())).unwrap();
	fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
	path
}

#[tokio::test]
async fn windows_are_what_was_pushed_to_the_sample() {
	let mut studio = Studio::start();
	studio.fast(200).await;
	studio.finish().await;
	assert_eq!(studio.windows.len(), 4);
	let pictures: Vec<u64> = (0..240).map(|number| number.min(199)).collect();
	check(&studio.windows, 0, &pictures);
	for (number, window) in studio.windows.iter().enumerate() {
		assert_eq!((window.duration_ms, window.discontinuity), (2_000, false));
		assert!(window.independent && window.last_part);
		assert_eq!(window.start_ms, 1_000_000 + number as u64 * 2_000);
	}

	let dir = tempfile::tempdir().unwrap();
	let file = dir.path().join("alone.mp4");
	fs::write(
		&file,
		[&studio.windows[2].init.segment[..], &studio.windows[2].data].concat(),
	)
	.unwrap();
	quiet("ffmpeg", "-nostdin -v warning -i", &file, "-xerror -f null -");
	let entries = "-v error -show_entries \
	               stream=codec_name,profile,width,height,sample_aspect_ratio,pix_fmt,color_range,color_space,color_transfer,\
	               color_primaries,has_b_frames,sample_rate,channels -of csv=p=0";
	let said = String::from_utf8(quiet("ffprobe", entries, &file, "")).unwrap();
	assert_eq!(
		said,
		"h264,High,854,480,0,1:1,yuv420p,tv,bt709,bt709,bt709\naac,LC,48000,2\n"
	);
}

#[tokio::test]
async fn killed_encoders_cost_no_picture_and_no_sample() {
	let mut studio = Studio::start();
	studio.fast(95).await;
	studio.kill(Track::Picture).await;
	studio.fast(160).await;
	studio.kill(Track::Sound).await;
	studio.fast(215).await;
	for track in Track::ALL {
		kill(studio.encoder.pid(track).unwrap(), Signal::SIGKILL).unwrap();
	}
	studio.fast(300).await;
	studio.finish().await;
	check(&studio.windows, 0, &(0..300).collect::<Vec<_>>());
	assert!(studio.windows.iter().all(|window| !window.discontinuity));
	assert!(studio
		.windows
		.windows(2)
		.all(|pair| pair[0].start_ms + 2_000 == pair[1].start_ms));
}

#[tokio::test]
async fn killed_encoder_costs_nothing_in_parts_either() {
	let config = Config {
		pictures_per_part: 10,
		..Config::default()
	};
	let mut studio = Studio::new(Encoder::start(config, None), 0);
	studio.fast(60).await;
	studio.windows(3).await;
	studio.kill(Track::Picture).await;
	studio.fast(130).await;
	studio.kill(Track::Sound).await;
	studio.fast(180).await;
	studio.finish().await;
	assert_eq!(studio.windows.len(), 18);
	let durations: u32 = studio.windows.iter().map(|window| window.duration_ms).sum();
	assert_eq!(durations, 6_000);
	let last: Vec<usize> = (0..18).filter(|part| studio.windows[*part].last_part).collect();
	assert_eq!(last, [5, 11, 17]);
	let independent = studio.windows.iter().filter(|window| window.independent).count();
	assert!(
		(3..=4).contains(&independent),
		"the segments, and the part where another encoder began"
	);
}

#[tokio::test]
async fn stopped_encoders_are_replaced_and_cost_nothing() {
	let mut studio = Studio::start();
	studio.fast(65).await;
	let stopped = Track::ALL.map(|track| studio.encoder.pid(track).unwrap());
	stopped.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP).unwrap());
	studio.live(65 + 30 * 5).await;
	assert!(stopped.iter().all(|pid| !alive(*pid)));
	studio.fast(240).await;
	studio.finish().await;
	check(&studio.windows, 0, &(0..240).collect::<Vec<_>>());
}

#[tokio::test]
async fn stop_of_this_program_is_no_hang_of_an_encoder() {
	let mut studio = Studio::start();
	studio.fast(65).await;
	let pids = Track::ALL.map(|track| studio.encoder.pid(track).unwrap());
	// They owe something, and have it ready when we come back.
	while studio.encoder.waiting() < 28 {
		studio.push();
	}
	studio.listen(Duration::ZERO).await;
	std::thread::sleep(STALL_LIMIT + Duration::from_millis(500));
	studio.fast(180).await;
	assert_eq!(Track::ALL.map(|track| studio.encoder.pid(track).unwrap()), pids);
	studio.finish().await;
	check(&studio.windows, 0, &(0..180).collect::<Vec<_>>());
}

#[tokio::test]
async fn crash_loop_and_nonsense_in_the_middle_cost_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let text = "if test -e broken; then echo >>tried; test $(wc -l <tried) = 1 && exit 1; exec head -c 5000 /dev/urandom; fi\n\
	            exec ffmpeg \"$@\"";
	let config = Config {
		ffmpeg: script(dir.path(), text),
		..Config::default()
	};
	let mut studio = Studio::new(Encoder::start(config, None), 0);
	studio.fast(90).await;
	fs::write(dir.path().join("broken"), "").unwrap();
	let pid = studio.encoder.pid(Track::Picture).unwrap();
	kill(pid, Signal::SIGKILL).unwrap();
	let tried = dir.path().join("tried");
	while fs::read(&tried).map_or(0, |lines| lines.len()) < 4 {
		studio.listen(Duration::from_millis(5)).await;
	}
	fs::remove_file(dir.path().join("broken")).unwrap();
	studio.fast(180).await;
	studio.finish().await;
	check(&studio.windows, 0, &(0..180).collect::<Vec<_>>());
}

#[tokio::test]
async fn pause_ends_the_encoders_and_the_next_window_says_that_it_does_not_follow() {
	let mut studio = Studio::start();
	assert!(
		studio.encoder.pid(Track::Picture).is_none(),
		"none runs before there is something to encode"
	);
	studio.fast(70).await;
	let pids: HashSet<_> = Track::ALL
		.into_iter()
		.map(|track| studio.encoder.pid(track).unwrap())
		.collect();
	studio.encoder.pause();
	studio.windows(2).await;
	assert!(studio.encoder.is_idle() && studio.encoder.at_boundary());
	while pids.iter().any(|pid| alive(*pid)) {
		studio.listen(Duration::from_millis(5)).await;
	}
	// Media time went on: the window was filled up.
	studio.next = 120;
	studio.fast(180).await;
	studio.finish().await;
	let broken: Vec<bool> = studio.windows.iter().map(|window| window.discontinuity).collect();
	assert_eq!(broken, [false, false, true]);
	let pictures: Vec<u64> = (0..180)
		.map(|number| if number < 120 { number.min(69) } else { number })
		.collect();
	check(&studio.windows, 0, &pictures);
}

#[tokio::test]
async fn next_run_of_the_program_goes_on_in_media_time() {
	let mut studio = Studio::start();
	studio.fast(60).await;
	studio.finish().await;
	let end = studio.windows[0].end;
	let mut next = Studio::new(Encoder::start(Config::default(), Some(end)), end.pictures());
	next.fast(180).await;
	next.finish().await;
	assert_eq!(
		next.windows
			.iter()
			.map(|window| window.discontinuity)
			.collect::<Vec<_>>(),
		[true, false]
	);
	check(&next.windows, 60, &(60..180).collect::<Vec<_>>());
	let both = [studio.windows, next.windows].concat();
	check(&both, 0, &(0..180).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_work_is_said() {
	let dir = tempfile::tempdir().unwrap();
	let error = async |ffmpeg: PathBuf| {
		let config = Config {
			ffmpeg,
			..Config::default()
		};
		let mut encoder = Encoder::start(config, None);
		for number in 0..30 {
			encoder.push(picture(number), &before(number), 0).unwrap();
		}
		encoder.next().await.unwrap_err()
	};
	let missing = error("no-such-ffmpeg".into()).await;
	assert!(
		missing
			.to_string()
			.starts_with("no-such-ffmpeg not found: install FFmpeg"),
		"{missing}"
	);
	let (exits, nonsense, lacks) = tokio::join!(
		error(script(dir.path(), "exit 3")),
		async {
			let dir = tempfile::tempdir().unwrap();
			error(script(dir.path(), "cat /dev/urandom")).await
		},
		async {
			let dir = tempfile::tempdir().unwrap();
			let text =
				"for a; do test \"$a\" = libx264 && a=libx999; set -- \"$@\" \"$a\"; shift; done; exec ffmpeg \"$@\"";
			error(script(dir.path(), text)).await
		},
	);
	assert!(matches!(exits, EncoderError::Failed(_, Cause::Other(_))), "{exits}");
	assert!(
		matches!(nonsense, EncoderError::Useless(_, Fault::Flv(_))),
		"{nonsense}"
	);
	assert!(
		matches!(&lacks, EncoderError::Failed("picture", Cause::NoEncoder(name)) if name == "libx999"),
		"{lacks}"
	);
}

#[tokio::test]
async fn dropped_encoder_leaves_no_process() {
	let mut studio = Studio::start();
	studio.fast(30).await;
	let pids = Track::ALL.map(|track| studio.encoder.pid(track).unwrap());
	drop(studio);
	// Killed now, and reaped by the runtime in a moment.
	while pids.iter().any(|pid| alive(*pid)) {
		sleep(Duration::from_millis(10)).await;
	}
}

#[tokio::test]
async fn finish_does_not_wait_for_an_encoder_that_hangs() {
	let mut studio = Studio::start();
	studio.fast(90).await;
	let pid = studio.encoder.pid(Track::Picture).unwrap();
	kill(pid, Signal::SIGSTOP).unwrap();
	let begun = Instant::now();
	studio.finish().await;
	assert!(begun.elapsed() < FINISH_LIMIT + Duration::from_secs(1));
	assert!(
		matches!(studio.windows.len(), 1 | 2),
		"it may have been replaced in time"
	);
	assert!(studio.encoder.next().await.unwrap().is_none());
}

#[tokio::test]
async fn slate_is_made_with_any_title_and_without_a_program() {
	let ground = |picture: &Picture| picture[..WIDTH].iter().all(|pixel| pixel.abs_diff(24) < 3);
	let bars = slate::bars();
	assert_eq!(bars.len(), PICTURE_BYTES);
	for title in ["", " \n", "\u{7}"] {
		assert_eq!(slate::slate("ffmpeg".as_ref(), title).await, bars);
	}
	assert_eq!(slate::slate("no-such-ffmpeg".as_ref(), "Harbour").await, bars);
	assert_eq!(slate::slate("false".as_ref(), "Harbour").await, bars);
	let plain = slate::slate("ffmpeg".as_ref(), "Harbour").await;
	// Titles are text, whatever they look like to a filter graph.
	for title in [
		"a:b'c\\d[e],f;g=%{n}\"",
		"x,drawbox=color=white:t=fill",
		"'x'[out];",
		&"wide ".repeat(25),
		"Grüße 港口",
	] {
		let picture = slate::slate("ffmpeg".as_ref(), title).await;
		assert_eq!(picture.len(), PICTURE_BYTES);
		assert!(ground(&picture));
		assert_eq!(
			picture == bars,
			plain == bars,
			"{title}: where there is a font, all of them are drawn"
		);
		assert!(picture != plain || plain == bars);
	}
}

#[test]
fn key_frames_belong_to_segments_wherever_an_encoder_begins() {
	let key = |in_segment| {
		let arguments = settings::arguments(Track::Picture, in_segment);
		assert!(arguments.iter().all(|argument| !argument.is_empty()));
		let at = arguments.iter().position(|argument| argument == "-force_key_frames");
		at.map(|at| arguments[at + 1].clone())
	};
	assert_eq!(key(0), None, "every sixtieth, from the first one on");
	assert_eq!(key(12).as_deref(), Some("expr:eq(mod(n+12,60),0)"));
}
