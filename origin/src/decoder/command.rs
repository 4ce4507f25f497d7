//! What FFmpeg is told to decode. Nothing of it is secret.
//!
//! | choice | why |
//! | --- | --- |
//! | FLV on standard input, one track | a publisher's sound that stops keeps no picture waiting |
//! | `-probesize 32 -analyzeduration 0 -fpsprobesize 0` | without, the first picture comes after 2 s; the sequence header says all |
//! | not `nobuffer` | it throws away what FFmpeg looked at: the first key frame |
//! | `-thread_type slice` | frame threads hold back a picture each |
//! | `-threads 1` for the output | FFmpeg's encoder of raw pictures has frame threads too |
//! | NUT, `-fps_mode passthrough`, `-copyts`, a fine time base | stamps travel; else FFmpeg rounds them to the rate that it guessed |
//! | `-syncpoints none` | FFmpeg keeps an index of all pictures otherwise, for as long as it runs |
//! | a process for each track of a file | FFmpeg writes nothing of a file's sound before its first picture is decoded, and codecs hold pictures back: where they are rare, for minutes |
//! | the file's other track to `null` | FFmpeg counts time from what it was told to read, and over jumps of it: so both count alike |
//! | `-output_ts_offset` of [`OFFSET`] | what begins before 0 would be moved there, in one track alone |
//! | no `-re` for a file | what is read is paced, by [`super::pace`]: what codecs hold back comes in time |
//! | `-max_interleave_delta` 0.1 s | where both are in one process: a track that ended or pauses keeps the other one waiting so long |
//! | `-protocol_whitelist file,pipe,fd` | a playlist is a file too, and names anything |

use super::{filters, pace::Kind, Effort, Input};
use clustercast_media::{
	h264::Shape,
	picture::{CHANNELS, RATE, SAMPLE_RATE},
};
use std::{ffi::OsString, path::Path, time::Duration};

/// Stamps of a file's tracks begin there: what begins before 0 would be moved, in one track alone.
pub(super) const OFFSET: Duration = Duration::from_secs(10);

/// What a publisher's track holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coded {
	/// H.264.
	Picture(Shape),
	/// AAC.
	Sound,
}

/// What of an input is played: streams by number, or the first one of each kind if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
	pub(super) picture: Option<(Stream, Shape)>,
	pub(super) sound: Option<Stream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
	Number(u32),
	First,
}

/// Arguments for a publisher's track on standard input.
pub(super) fn publisher(track: Coded, effort: Effort) -> Vec<OsString> {
	let mut args = Arguments::default();
	args.words("-thread_type slice -probesize 32 -analyzeduration 0 -fpsprobesize 0")
		.words("-protocol_whitelist pipe,fd -f flv -i pipe:0 -copyts");
	match track {
		// RTMP's stamps are milliseconds.
		Coded::Picture(shape) => args.pictures("0:v:0", shape, effort, "1:1000"),
		Coded::Sound => args.sound("0:a:0"),
	};
	args.nut()
}

/// Arguments for an input that brings its own time, all tracks in one process. A file is a pipe, on standard input.
pub(super) fn input(input: &Input, choice: Choice, effort: Effort) -> Vec<OsString> {
	let mut args = Arguments::default();
	match input {
		Input::Test => {
			args.words("-re -f lavfi -i").push(format!(
				"testsrc2=size=854x480:rate={RATE}[out0];sine=frequency=440:sample_rate={SAMPLE_RATE}[out1]"
			));
		},
		Input::Device(path) => {
			args.words("-thread_type slice -f v4l2 -i").push(path);
		},
		Input::File(_) => {
			// Live, mostly: what is in it has to be seen soon.
			args.words("-re -analyzeduration 1000000 -fpsprobesize 0 -protocol_whitelist pipe,fd")
				// Where H.264 and MPEG-2 do not say it.
				.words("-colorspace bt709 -i pipe:0");
		},
	}
	if let Some((stream, shape)) = choice.picture {
		args.pictures(&map("v", stream), shape, effort, "1:90000");
	}
	if let Some(stream) = choice.sound {
		args.sound(&map("a", stream));
	}
	args.words("-max_interleave_delta 100000");
	args.nut()
}

/// Arguments for one of a file's tracks. It comes as fast as it is read, on the axis that both have.
pub(super) fn track(path: &Path, choice: Choice, of: Kind, effort: Effort) -> Vec<OsString> {
	let mut args = Arguments::default();
	args.words("-protocol_whitelist file,pipe,fd -i").push(file(path));
	let other = match of {
		Kind::Picture => choice.sound.map(|stream| map("a", stream)),
		Kind::Sound => choice.picture.map(|(stream, _)| map("v", stream)),
	};
	if let Some(other) = other {
		args.words("-map").push(other).words("-c copy -f null -");
	}
	match (of, choice.picture, choice.sound) {
		(Kind::Picture, Some((stream, shape)), _) => {
			args.pictures(&map("v", stream), shape, effort, "1:90000");
		},
		(Kind::Sound, _, Some(stream)) => {
			args.sound(&map("a", stream));
		},
		_ => {},
	}
	args.words(&format!("-output_ts_offset {}", OFFSET.as_secs()));
	args.nut()
}

fn map(kind: &str, stream: Stream) -> String {
	match stream {
		Stream::Number(number) => format!("0:{number}"),
		Stream::First => format!("0:{kind}:0?"),
	}
}

/// A path that is not read as something else, whatever it begins with.
pub(super) fn file(path: &Path) -> OsString {
	let mut text = OsString::from("file:");
	text.push(path);
	text
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
	/// Each word is an argument.
	fn words(&mut self, words: &str) -> &mut Self {
		if self.0.is_empty() {
			let first = "-hide_banner -nostdin -nostats -loglevel warning";
			self.0.extend(first.split(' ').map(OsString::from));
		}
		self.0.extend(words.split(' ').map(OsString::from));
		self
	}

	/// One argument, whatever it contains.
	fn push(&mut self, argument: impl Into<OsString>) -> &mut Self {
		self.0.push(argument.into());
		self
	}

	fn pictures(&mut self, map: &str, shape: Shape, effort: Effort, time_base: &str) -> &mut Self {
		self.words("-map")
			.push(map)
			.words("-filter:v")
			.push(filters::pictures(shape, effort))
			.words("-fps_mode passthrough -c:v rawvideo -threads 1 -enc_time_base:v")
			.push(time_base)
	}

	/// No `async`: sound that comes late stays late.
	fn sound(&mut self, map: &str) -> &mut Self {
		self.words("-map")
			.push(map)
			.words("-c:a pcm_s16le")
			.words(&format!("-ar {SAMPLE_RATE} -ac {CHANNELS}"))
	}

	fn nut(mut self) -> Vec<OsString> {
		self.words("-map_metadata -1 -map_chapters -1 -f nut -syncpoints none -strict experimental")
			.words("-flush_packets 1 pipe:1");
		self.0
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn each_track_of_a_file_is_decoded_alone_and_counts_time_as_the_other_does() {
		let (number, shape) = (
			Stream::Number,
			Shape {
				width: 320,
				height: 180,
				interlaced: false,
				tagged: true,
				high_dynamic_range: false,
			},
		);
		let choice = Choice {
			picture: Some((number(3), shape)),
			sound: Some(number(5)),
		};
		let text = |of| format!("{:?}", track(Path::new("film.ts"), choice, of, Effort::Full)).replace("\", \"", " ");
		let (picture, sound) = (text(Kind::Picture), text(Kind::Sound));
		assert!(
			picture.contains("-map 0:5 -c copy -f null -") && picture.contains("rawvideo"),
			"{picture}"
		);
		assert!(
			sound.contains("-map 0:3 -c copy -f null -") && sound.contains("pcm_s16le"),
			"{sound}"
		);
		assert!(!picture.contains("pcm_s16le") && !sound.contains("rawvideo"));
		assert!([picture, sound]
			.iter()
			.all(|args| !args.contains("-re ") && !args.contains("-stream_loop")));
	}

	#[test]
	fn a_path_stays_one_argument_and_a_file() {
		let odd = Path::new("-a film; with: words.mp4");
		let choice = Choice {
			picture: None,
			sound: Some(Stream::First),
		};
		let args = track(odd, choice, Kind::Sound, Effort::Full);
		assert!(args.contains(&"file:-a film; with: words.mp4".into()));
	}
}
