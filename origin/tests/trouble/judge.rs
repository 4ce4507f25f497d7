//! Holds windows against the rules, and what is seen and heard in their record against what was sent.

use crate::film::{read_bands, BANDS, PERIOD, PITCH, RISE};
use clustercast_media::{
	copy::{Copy, Step},
	fragment::{Fragment, Kind, Layout},
	picture::{HEIGHT, SAMPLES_PER_PICTURE, SAMPLE_RATE},
	timeline::Track,
};
use clustercast_origin::encoder::Window;
use clustercast_testing::trouble::Trouble;
use std::{
	collections::{BTreeMap, BTreeSet},
	fmt, fs,
	path::Path,
	process::Command,
};

/// Sound and picture belong together within that, s.
const IN_STEP: f64 = 0.08;

/// What arrives so long after it was taken is late whatever is done, s: the largest buffer, and decoders.
const LATE: f64 = 1.2;

/// Share of the pictures that could be shown, and were.
const SHOWN: f64 = 0.6;

/// What is captured so long after the end of the window before does not follow it, ms.
const FOLLOWS_MS: u64 = 100;

/// From the pitch of a thirtieth of a second to the next one's, s: else something was cut there.
const STEADY: f64 = 0.02;

/// What was found.
#[derive(Debug)]
pub struct Verdict {
	publishers: usize,
	windows: usize,
	/// s.
	left_out: f64,
	shown: usize,
	of: usize,
	heard: usize,
	apart: Vec<f64>,
}

impl fmt::Display for Verdict {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			publishers,
			windows,
			left_out,
			shown,
			of,
			heard,
			apart,
		} = self;
		let at = |share: f64| apart[((apart.len() - 1) as f64 * share) as usize] * 1e3;
		write!(
			f,
			"{publishers} publishers, {windows} windows, {left_out:.0} s left out, {shown} of {of} pictures shown, {heard} frames heard, "
		)?;
		match apart.len() {
			0 => f.write_str("never both"),
			n => write!(
				f,
				"sound after picture at {n} of them {:.0} to {:.0} ms, median {:.0} ms",
				at(0.0),
				at(1.0),
				at(0.5)
			),
		}
	}
}

/// Panics where a rule is broken.
pub fn judge(windows: &[Window], trouble: &Trouble, length: f64, record: &Path) -> Verdict {
	whole(windows);
	// Where the program stood still, and what encoders on a busy machine left out.
	let left_out = (length - 2.0 * windows.len() as f64).max(0.0);
	assert!(left_out < length / 2.0, "{} windows", windows.len());
	let mut copy = Copy::default();
	let mut bytes = Vec::new();
	for window in windows {
		let Ok(Step::Append(more)) = copy.append(&window.init.segment, &window.data) else {
			panic!("one file holds all");
		};
		more.iter().for_each(|more| bytes.extend_from_slice(more));
	}
	fs::write(record, bytes).unwrap();
	let streams = "-v error -show_entries stream=codec_name,start_time -of csv=p=0";
	let streams = String::from_utf8(run("ffprobe", &format!("{streams} -i"), record, "")).unwrap();
	let starts: Vec<_> = streams.lines().filter_map(|line| line.split_once(',')).collect();
	assert_eq!(starts.iter().map(|s| s.0).collect::<Vec<_>>(), ["h264", "aac"]);
	for (codec, start) in starts {
		assert!(start.parse::<f64>().unwrap().abs() < 0.03, "{codec} begins at {start}");
	}
	run("ffmpeg", "-nostdin -v error -i", record, "-xerror -f null -");

	let seen = pictures(record);
	let heard = pitches(record);
	assert_eq!(seen.len(), 60 * windows.len());
	assert!(heard.len().abs_diff(seen.len()) <= 2, "{} {}", heard.len(), seen.len());
	let verdict = Verdict {
		left_out,
		..in_step(&seen, &heard, trouble, windows.len())
	};
	let share = SHOWN * (1.0 - left_out / length);
	assert!(
		verdict.shown as f64 >= share * verdict.of as f64,
		"{verdict}; {trouble:#?}"
	);
	verdict
}

/// Rules that hold whatever comes in.
fn whole(windows: &[Window]) {
	let init = &windows[0].init;
	let layout = Layout::read(&init.segment).unwrap();
	let kinds: Vec<_> = layout.tracks().iter().map(|track| track.kind).collect();
	assert_eq!(kinds, [Kind::Picture, Kind::Sound]);
	let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
	for (number, window) in windows.iter().enumerate() {
		assert_eq!(window.init, *init, "one initialisation segment");
		assert!(window.independent && window.last_part && window.duration_ms == 2_000);
		let before = number.checked_sub(1).map(|before| windows[before].start_ms + 2_000);
		let left_out = before.is_some_and(|ends| window.start_ms.abs_diff(ends) > FOLLOWS_MS);
		assert_eq!(
			window.discontinuity, left_out,
			"window {number} begins at {}, {before:?}",
			window.start_ms
		);
		let fragment = Fragment::read(&layout, &window.data).unwrap();
		for track in layout.tracks() {
			let run = fragment
				.run(track.id)
				.unwrap_or_else(|| panic!("window {number} has both"));
			if track.kind == Kind::Picture {
				assert_eq!(run.samples.len(), 60, "window {number}");
			}
			assert_eq!(
				run.start,
				*ends.get(&track.id).unwrap_or(&run.start),
				"window {number} goes on"
			);
			ends.insert(track.id, run.end());
			let end = track.nanoseconds(run.end()) as f64 / 1e9;
			let off = end - 2.0 * (number + 1) as f64;
			assert!(
				(-1e-6..1024.0 / 48_000.0).contains(&off),
				"window {number} ends {off} s off"
			);
		}
	}
	for pair in windows.windows(2) {
		let passed = pair[1].start_ms as f64 / 1e3 - pair[0].start_ms as f64 / 1e3;
		assert!(passed > 1.9, "captured {passed} s after the window before");
	}
}

/// Publisher and time, s, of each picture.
fn pictures(record: &Path) -> Vec<Option<(usize, f64)>> {
	let filter =
		format!("-map 0:v -fps_mode passthrough -vf crop=8:{HEIGHT}:423:0,scale=1:{HEIGHT}:flags=area,format=gray");
	let levels = run(
		"ffmpeg",
		"-nostdin -v error -i",
		record,
		&format!("{filter} -f rawvideo -"),
	);
	let band = HEIGHT / BANDS;
	let read = |column: &[u8]| {
		let mean = |band: &[u8]| {
			let middle = &band[band.len() / 3..band.len() * 2 / 3];
			(middle.iter().map(|level| u32::from(*level)).sum::<u32>() / middle.len() as u32) as u8
		};
		let bands: Vec<_> = column.chunks_exact(band).map(mean).collect();
		let (publisher, ms) = read_bands(&bands.try_into().unwrap())?;
		Some((publisher, f64::from(ms) / 1e3))
	};
	levels.chunks_exact(HEIGHT).map(read).collect()
}

/// When the sound in the middle of each thirtieth of a second was taken, s modulo [`PERIOD`]; `None`: silence.
fn pitches(record: &Path) -> Vec<Option<f64>> {
	let format = format!("-map 0:a -af aresample=async=1:first_pts=0 -ac 1 -ar {SAMPLE_RATE} -f s16le -");
	let samples = run("ffmpeg", "-nostdin -v error -i", record, &format);
	let samples: Vec<_> = samples
		.chunks_exact(2)
		.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])))
		.collect();
	samples.chunks_exact(SAMPLES_PER_PICTURE).map(pitch).collect()
}

fn pitch(samples: &[f64]) -> Option<f64> {
	let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64;
	if power.sqrt() < 3_000.0 {
		return None;
	}
	let rises: Vec<_> = samples
		.windows(2)
		.enumerate()
		.filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0)
		.map(|(n, pair)| n as f64 - pair[0] / (pair[1] - pair[0]))
		.collect();
	let turns = rises.len().checked_sub(1).filter(|turns| *turns > 5)?;
	let pitch = turns as f64 / (rises[turns] - rises[0]) * f64::from(SAMPLE_RATE);
	// The turns that were counted are not quite in the middle.
	let middle = (rises[turns] + rises[0]) / 2.0 - samples.len() as f64 / 2.0;
	Some((pitch - PITCH) / RISE - middle / f64::from(SAMPLE_RATE))
}

/// From -[`PERIOD`]/2 to +[`PERIOD`]/2.
fn around(time: f64) -> f64 {
	(time + PERIOD / 2.0).rem_euclid(PERIOD) - PERIOD / 2.0
}

/// Where a picture is seen for the first time, its sound is heard.
fn in_step(seen: &[Option<(usize, f64)>], heard: &[Option<f64>], trouble: &Trouble, windows: usize) -> Verdict {
	let mut sent: BTreeMap<(usize, u32), f64> = BTreeMap::new();
	let mut of = 0;
	for (id, publisher) in trouble.publishers.iter().enumerate() {
		let pictures: Vec<_> = publisher
			.sent()
			.into_iter()
			.filter(|sent| sent.track == Track::Picture)
			.collect();
		of += (pictures.len() as f64 * (30.0 / publisher.rate).min(1.0)) as usize;
		sent.extend(
			pictures
				.iter()
				.map(|s| ((id, (s.taken * 1e3).round() as u32), s.arrives - s.taken)),
		);
	}
	let mut apart = Vec::new();
	let mut shown = BTreeSet::new();
	let steady = |n: usize| {
		let (before, after) = (heard[n - 1]?, heard[n]?);
		(around(after - before - 1.0 / 30.0).abs() < STEADY).then_some(after)
	};
	let mut faults = Vec::new();
	for n in 1..seen.len().min(heard.len()) - 1 {
		let Some(picture) = seen[n] else { continue };
		let key = (picture.0, (picture.1 * 1e3).round() as u32);
		let late = *sent
			.get(&key)
			.unwrap_or_else(|| panic!("nobody sent {picture:?}, seen at {n}"));
		if !shown.insert(key) || seen[n - 1] == seen[n] || late > LATE {
			continue;
		}
		let (Some(sound), Some(_)) = (steady(n), steady(n + 1)) else {
			continue;
		};
		let by = around(sound - 1.0 / 60.0 - picture.1);
		apart.push(by);
		if by.abs() > IN_STEP {
			faults.push(format!(
				"{:.2} s: picture {picture:?}, sound by {:.0} ms",
				n as f64 / 30.0,
				by * 1e3
			));
		}
	}
	apart.sort_by(f64::total_cmp);
	let verdict = Verdict {
		publishers: trouble.publishers.len(),
		windows,
		left_out: 0.0,
		shown: shown.len(),
		of,
		heard: heard.iter().flatten().count(),
		apart,
	};
	assert!(
		faults.is_empty(),
		"{verdict}; {} out of step: {:#?}; {trouble:#?}",
		faults.len(),
		&faults[..faults.len().min(20)]
	);
	verdict
}

/// Standard output of a tool that has nothing to complain of.
fn run(program: &str, args: &str, path: &Path, more: &str) -> Vec<u8> {
	let output = Command::new(program)
		.args(args.split_whitespace())
		.arg(path)
		.args(more.split_whitespace())
		.output()
		.unwrap();
	let said = String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success() && said.is_empty(), "{program}: {said}");
	output.stdout
}
