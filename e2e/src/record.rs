//! What an origin broadcast, looked at as a viewer who counts: windows of 60 pictures without a seam, and what is seen and heard in
//! each half second of them.

use crate::{
	gauge::Gauge,
	media::Window,
	process::{output, tool},
	pusher::Span,
};
use anyhow::{ensure, Context, Result};
use bytes::Bytes;
use clustercast_media::fragment::{self, Fragment, Kind, Layout};
use std::{fs, path::Path, time::Duration};
use tokio::process::Command;

/// Pictures of a window, and its length in milliseconds.
const PICTURES: usize = 60;
const WINDOW_MS: u64 = 2_000;

/// Pictures of a moment, the piece that is judged, and its length in milliseconds.
const MOMENT: usize = 15;
const MOMENT_MS: u64 = 500;

/// Size in which pictures are compared, and samples a second of the sound that is listened to.
const SIZE: (usize, usize) = (64, 36);
const RATE: usize = 8_000;

/// Longest that FFmpeg may take over a record.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is sent is seen so much later at most, where the machine is not late itself: the playout buffer has up to a second, the
/// decoder a little.
const DELAY_MS: u64 = 2_000;

/// Moments that are enough to judge by.
const ENOUGH: usize = 3;

/// Later than that by its own clock, and a machine is too busy for anything that is judged by the clock.
const BUSY: Duration = Duration::from_secs(2);

/// Half a second of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
	/// Capture of its first picture, Unix milliseconds.
	pub at: u64,
	/// The picture at its end is another one than at the end of the moment before.
	pub moves: bool,
	/// There is sound.
	pub sounds: bool,
	/// Almost all of the picture is dark, as the slate is.
	pub dark: bool,
}

/// What is to be seen and heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
	/// The clip.
	Moving,
	/// A picture of it each second.
	Jerky,
	/// One picture of it.
	Still,
	/// What stands for a broadcaster who shows nothing.
	Slate,
}

/// A record, decoded.
pub struct Record {
	/// In order.
	pub moments: Vec<Moment>,
	/// The machine could not keep up: something was left out.
	busy: bool,
}

impl Record {
	/// Reads a record that is complete, with the log of its windows.
	///
	/// # Errors
	/// Unless it is one initialisation segment and windows of exactly 60 pictures and their sound, one behind the other on both
	/// tracks' times; numbered and captured one behind the other; and FFmpeg decodes every picture of it without a complaint.
	pub async fn read(file: &Path, log: &[Window]) -> Result<Self> {
		let bytes = Bytes::from(fs::read(file).with_context(|| file.display().to_string())?);
		let windows = is_seamless(&bytes).with_context(|| file.display().to_string())?;
		ensure!(
			windows == log.len(),
			"{windows} windows in the file, {} in the log",
			log.len()
		);
		follow_each_other(log)?;
		let (pictures, sound) = decode(file).await?;
		ensure!(
			pictures.len() == log.len() * PICTURES,
			"{} pictures in {} windows",
			pictures.len(),
			log.len()
		);
		Ok(Self {
			moments: moments(&pictures, &sound, log),
			busy: log
				.windows(2)
				.any(|pair| pair[1].start_ms - pair[0].start_ms > WINDOW_MS + 20),
		})
	}

	/// Checks that this was seen and heard from a little after the span's begin, when the buffer is filled, to its end. Where the
	/// machine could not keep up, two thirds of it have to be right, if there is enough to be judged.
	pub fn shows(&self, span: Span, shows: Shows, sounds: bool, gauge: &Gauge) -> Result<()> {
		let late = gauge.late();
		let from = span.begin + DELAY_MS + late.as_millis() as u64;
		let judged: Vec<Moment> = self
			.moments
			.iter()
			.copied()
			.filter(|moment| moment.at >= from && moment.at + MOMENT_MS <= span.end)
			.collect();
		let busy = self.busy || late > BUSY;
		if judged.len() < ENOUGH {
			ensure!(busy, "nothing to judge in {span:?}: {:?}", self.around(span));
			println!("not judged: this machine is too busy");
			return Ok(());
		}
		let right = (0..judged.len()).filter(|at| {
			let moment = judged[*at];
			let seen = match (moment.moves, moment.dark) {
				(_, true) => Shows::Slate,
				(true, false) => Shows::Moving,
				(false, false) => Shows::Still,
			};
			// A picture a second moves every other moment; at any, one of three in a row.
			let near = &judged[at.saturating_sub(1)..judged.len().min(at + 2)];
			let jerky = shows == Shows::Jerky && !moment.dark && near.iter().any(|near| near.moves);
			(seen == shows || jerky) && moment.sounds == sounds
		});
		let (right, all) = (right.count(), judged.len());
		ensure!(
			right == all || busy && 3 * right >= 2 * all,
			"{span:?} should have been {shows:?}, with sound {sounds}: {right} of {all} are, of {:?}",
			self.around(span)
		);
		Ok(())
	}

	fn around(&self, span: Span) -> String {
		let moments = self.moments.iter();
		let around = moments.filter(|m| m.at + 3_000 >= span.begin && m.at <= span.end + 3_000);
		around
			.map(|m| {
				let picture = match (m.moves, m.dark) {
					(_, true) => "slate",
					(true, _) => "moving",
					_ => "still",
				};
				let sound = if m.sounds { "" } else { " silent" };
				format!("{}:{picture}{sound} ", i128::from(m.at) - i128::from(span.begin))
			})
			.collect()
	}
}

/// Checks that windows are numbered one behind the other and captured 2 s after each other: more only where the machine could not
/// keep up, less never, so that nothing is sent in a burst.
pub fn follow_each_other(log: &[Window]) -> Result<()> {
	for pair in log.windows(2) {
		let (a, b) = (&pair[0], &pair[1]);
		ensure!(
			b.part == 0 && b.segment == a.segment + 1,
			"window {:?} follows {:?}",
			b.place(),
			a.place()
		);
		let apart = b.start_ms.saturating_sub(a.start_ms);
		ensure!(
			apart >= WINDOW_MS - 20,
			"{apart} ms from window {:?} to {:?}",
			a.place(),
			b.place()
		);
	}
	Ok(())
}

/// Checks that the windows took 2 s each, or that the origin said that it left something out, since it could not keep up. How much,
/// milliseconds.
pub fn left_out(log: &[Window], said: &str) -> Result<u64> {
	let (Some(first), Some(last)) = (log.first(), log.last()) else {
		return Ok(0);
	};
	let left_out = (last.start_ms - first.start_ms).saturating_sub(WINDOW_MS * (log.len() as u64 - 1));
	ensure!(
		left_out < 500 || said.contains("this machine encodes too slowly"),
		"{left_out} ms are missing, and nothing is said of it"
	);
	Ok(left_out)
}

/// How many windows a file has, if each begins where the one before ended.
fn is_seamless(bytes: &Bytes) -> Result<usize> {
	let (init, windows) = fragment::cut(bytes)?;
	let layout = Layout::read(&init)?;
	let kinds: Vec<Kind> = layout.tracks().iter().map(|track| track.kind).collect();
	ensure!(kinds == [Kind::Picture, Kind::Sound], "tracks {kinds:?}");
	let inits = bytes.windows(4).filter(|name| name == b"ftyp").count();
	ensure!(inits == 1, "{inits} initialisation segments");
	let mut ends = [0, 0];
	for (number, window) in windows.iter().enumerate() {
		let fragment = Fragment::read(&layout, window)?;
		for (end, track) in ends.iter_mut().zip(layout.tracks()) {
			let run = fragment.run(track.id).context("a track is missing")?;
			ensure!(
				number == 0 || run.start == *end,
				"window {number}: {:?} at {}, not {end}",
				track.kind,
				run.start
			);
			*end = run.end();
			let count = run.samples.len();
			let right = match track.kind {
				Kind::Picture => count == PICTURES,
				// 93.75 frames of AAC.
				_ => (93..=95).contains(&count),
			};
			ensure!(right, "window {number}: {count} samples of {:?}", track.kind);
		}
	}
	Ok(windows.len())
}

/// All pictures, small and grey, and all sound, mono.
async fn decode(file: &Path) -> Result<(Vec<Vec<u8>>, Vec<i16>)> {
	let beside = file.with_extension("pcm");
	let mut command = Command::new(tool("ffmpeg")?);
	command
		.args(["-nostdin", "-v", "error", "-y", "-i"])
		.arg(file)
		.args(["-map", "0:v", "-fps_mode", "passthrough", "-vf"])
		.arg(format!("scale={}:{}:flags=area,format=gray", SIZE.0, SIZE.1))
		.args(["-f", "rawvideo", "-", "-map", "0:a", "-ac", "1", "-ar"])
		.args([&RATE.to_string(), "-f", "s16le"])
		.arg(&beside);
	let decoded = output(&mut command, PATIENCE).await?;
	let complaints = String::from_utf8_lossy(&decoded.stderr);
	ensure!(
		decoded.status.success() && complaints.is_empty(),
		"ffmpeg: {complaints}"
	);
	let pictures = decoded.stdout.chunks(SIZE.0 * SIZE.1).map(<[u8]>::to_vec).collect();
	let sound = fs::read(&beside)?
		.chunks_exact(2)
		.map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
		.collect();
	Ok((pictures, sound))
}

fn moments(pictures: &[Vec<u8>], sound: &[i16], log: &[Window]) -> Vec<Moment> {
	const SAMPLES: usize = RATE * MOMENT / 30;
	let per_window = PICTURES / MOMENT;
	let pieces = pictures.chunks_exact(MOMENT).enumerate();
	let mut before = pictures.first();
	pieces
		.map(|(number, piece)| {
			let last = &piece[MOMENT - 1];
			let moves = before.replace(last).is_some_and(|before| differs(before, last) > MOVES);
			let heard = sound.get(number * SAMPLES..).unwrap_or_default();
			let heard = &heard[..heard.len().min(SAMPLES)];
			let loudest = heard
				.iter()
				.map(|sample| sample.unsigned_abs())
				.max()
				.unwrap_or_default();
			Moment {
				at: log[number / per_window].start_ms + (number % per_window) as u64 * MOMENT_MS,
				moves,
				sounds: loudest > SOUNDS,
				dark: brightest(&piece[0]) < DARK,
			}
		})
		.collect()
}

/// Above what a moving picture differs from itself half a second later, in hundredths of a level of grey for each pixel.
const MOVES: u64 = 60;

/// Above which a sample is no remainder of a silence that was encoded.
const SOUNDS: u16 = 300;

/// Above which a sixth of the picture lies of every clip, also of one that stands upright between black bars; of a slate only its
/// letters do.
const DARK: u8 = 48;

fn differs(a: &[u8], b: &[u8]) -> u64 {
	let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
	sum * 100 / a.len() as u64
}

/// What a sixth of the picture is as bright as, at least.
fn brightest(picture: &[u8]) -> u8 {
	let mut sorted = picture.to_vec();
	sorted.sort_unstable();
	sorted[sorted.len() * 5 / 6]
}
