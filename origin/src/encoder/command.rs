//! What FFmpeg is told: where the video comes from, how it is encoded, how it is cut.
//!
//! | choice | why |
//! | --- | --- |
//! | 854x480 at 30 frames/s, letterboxed | one rendition that a small machine encodes and most lines carry |
//! | 1350 kb/s + AAC 128 kb/s, 1500 kb/s over any second | about 1.5 Mb/s, so that no window is late for being large |
//! | closed GOP of 60 frames, no scene-cut key frames | every window is exactly 2 s and decodable by itself |
//! | no B-frames, 3 frames of lookahead, sliced threads | 0.15 s from last frame in to window out; x264's defaults take 0.48 s for 0.1 dB of SSIM, `zerolatency` 0.04 s but loses 0.4 dB |
//! | a fragment per GOP, `delay_moov`, `frag_discont` | the initialisation segment is the same on every start, decode times begin where they are told to |
//! | `prft` side data, `write_prft` | each fragment says when its first frame entered the encoder |

use super::EncoderError;
use crate::door::{Address, AddressError};
use std::{
	ffi::OsString,
	fs::File,
	io,
	net::TcpListener,
	path::{Path, PathBuf},
	str::FromStr,
	time::Duration,
};

/// How long a GOP, and so a window, plays.
pub const GOP: Duration = Duration::from_secs(2);

/// Frames per second.
const FRAME_RATE: u64 = 30;

/// AAC's encoder starts one frame of 1024 samples early: 21.34 ms at 48 kHz. A timeline that starts this much late
/// has no negative times, and after a restart no two audio frames at one time.
const AUDIO_PRIMING: Duration = Duration::from_micros(21_334);

/// Where the video comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
	/// A generated picture with a running clock, and a tone.
	Test,
	/// A media file, played at its own speed.
	File(PathBuf),
	/// A camera or capture card (Video4Linux), without sound.
	Device(PathBuf),
	/// Whoever publishes to this address over RTMP: OBS, FFmpeg, a hardware encoder.
	Rtmp(Address),
}

/// Why a text names no input. Never repeats the text: a stream key may be in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
	/// No address to listen on, or a stream key that nobody can send.
	#[error(transparent)]
	Rtmp(#[from] AddressError),
	/// Nobody could publish.
	#[error("the stream key is missing; write it like rtmp://0.0.0.0:1935/live/KEY")]
	NoKey,
	/// Another kind of URL.
	#[error("unknown kind of input; use test, rtmp://…, device:PATH or the path of a file")]
	Unknown,
	/// Nothing at all.
	#[error("empty")]
	Empty,
}

impl FromStr for Input {
	type Err = InputError;

	fn from_str(text: &str) -> Result<Self, InputError> {
		if text.starts_with("rtmp://") {
			let address: Address = text.parse()?;
			return if address.key.is_some() {
				Ok(Self::Rtmp(address))
			} else {
				Err(InputError::NoKey)
			};
		}
		if let Some(path) = text.strip_prefix("device:").filter(|path| !path.is_empty()) {
			return Ok(Self::Device(path.into()));
		}
		match text {
			"" | "device:" => Err(InputError::Empty),
			"test" => Ok(Self::Test),
			url if url.contains("://") => Err(InputError::Unknown),
			path => Ok(Self::File(path.into())),
		}
	}
}

impl Input {
	/// Whether it can be opened now: FFmpeg would say so less clearly, and later.
	pub(super) fn check(&self) -> Result<(), EncoderError> {
		match self {
			Self::Test => Ok(()),
			Self::File(path) | Self::Device(path) => File::open(path)
				.and_then(|file| file.metadata())
				.and_then(|m| {
					if m.is_dir() {
						Err(io::ErrorKind::IsADirectory.into())
					} else {
						Ok(())
					}
				})
				.map_err(|error| EncoderError::Input {
					path: path.clone(),
					error,
				}),
			Self::Rtmp(Address { host, port, .. }) => {
				TcpListener::bind((&**host, *port))
					.map(drop)
					.map_err(|error| EncoderError::Listen {
						host: host.clone(),
						port: *port,
						error,
					})
			},
		}
	}
}

/// FFmpeg's arguments, the last one being where it writes. `after`: end of what earlier runs encoded on this timeline; zero when nothing was.
pub fn arguments(input: &Input, repeat: bool, after: Duration) -> Vec<OsString> {
	let mut args = Arguments::default();
	args.words("-hide_banner -nostdin -nostats -loglevel warning");
	match input {
		Input::Test => {
			let source =
				format!("testsrc2=size=854x480:rate={FRAME_RATE}[out0];sine=frequency=440:sample_rate=48000[out1]");
			args.words("-re -f lavfi -i").push(source);
		},
		Input::File(path) => {
			args.words(if repeat { "-re -stream_loop -1" } else { "-re" });
			// The prefix keeps a path with a colon or a leading dash from being read as something else.
			args.words("-i").push(prefixed("file:", path));
		},
		Input::Device(path) => {
			args.words("-f v4l2 -i").push(path);
		},
		Input::Rtmp(address) => {
			let key = address.key.as_ref().map_or("", |key| key.reveal());
			args.words("-f flv -listen 1 -i").push(format!("{address}/{key}"));
		},
	}
	let gop = GOP.as_secs() * FRAME_RATE;
	args.words("-map 0:v:0 -map 0:a:0? -map_metadata -1 -map_chapters -1")
		.words("-vf")
		.push(format!(
			"scale=854:480:force_original_aspect_ratio=decrease:force_divisible_by=2,pad=854:480:-1:-1,setsar=1,\
			 fps={FRAME_RATE},format=yuv420p"
		))
		.words("-c:v libx264 -preset veryfast -b:v 1350k -maxrate 1500k -bufsize 1500k -bf 0 -sc_threshold 0")
		.words(&format!("-g {gop} -keyint_min {gop}"))
		.words("-x264-params open-gop=0:rc-lookahead=3:sync-lookahead=0:sliced-threads=1")
		.words("-export_side_data prft")
		// Fills the gaps that a live source leaves, so that sound stays with the picture.
		.words("-af aresample=async=1 -c:a aac -b:a 128k -ar 48000 -ac 2")
		.words("-f mp4 -movflags +frag_keyframe+delay_moov+default_base_moof+frag_discont+skip_trailer")
		.words("-fflags +bitexact -write_prft wallclock -output_ts_offset")
		.push(seconds(after + AUDIO_PRIMING))
		.push("pipe:1");
	args.0
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
	/// Each word is an argument.
	fn words(&mut self, words: &str) -> &mut Self {
		self.0.extend(words.split(' ').map(OsString::from));
		self
	}

	/// One argument, whatever it contains.
	fn push(&mut self, argument: impl Into<OsString>) -> &mut Self {
		self.0.push(argument.into());
		self
	}
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
	let mut text = OsString::from(prefix);
	text.push(path);
	text
}

fn seconds(time: Duration) -> String {
	format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn input_is_what_its_text_says() {
		for (text, input) in [
			("test", Ok(Input::Test)),
			("film.mp4", Ok(Input::File("film.mp4".into()))),
			("-odd: name.mkv", Ok(Input::File("-odd: name.mkv".into()))),
			("device:/dev/video0", Ok(Input::Device("/dev/video0".into()))),
			(
				"rtmp://[::1]:1936/live/key",
				Ok(Input::Rtmp("rtmp://[::1]:1936/live/key".parse().unwrap())),
			),
			("rtmp://127.0.0.1:1935/live", Err(InputError::NoKey)),
			(
				"rtmp://127.0.0.1:99999/live/key",
				Err(InputError::Rtmp(AddressError::Port)),
			),
			("http://host/film.mp4", Err(InputError::Unknown)),
			("device:", Err(InputError::Empty)),
			("", Err(InputError::Empty)),
		] {
			assert_eq!(text.parse::<Input>(), input, "{text}");
		}
	}

	#[test]
	fn timeline_continues_after_what_was_encoded() {
		let offset = |after| {
			let args = arguments(&Input::Test, false, after);
			let at = args.iter().position(|a| a == "-output_ts_offset").unwrap();
			args[at + 1].clone()
		};
		assert_eq!(offset(Duration::ZERO), "0.021334");
		assert_eq!(offset(Duration::from_millis(10_500)), "10.521334");
	}

	#[test]
	fn path_stays_one_argument() {
		let input = Input::File("-a film; with: words.mp4".into());
		assert!(arguments(&input, true, Duration::ZERO).contains(&"file:-a film; with: words.mp4".into()));
	}
}
