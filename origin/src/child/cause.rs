//! Why a child of ours ended, in words for whoever gave it its input: read from how it ended and what it said last.

use nix::sys::signal::Signal;
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

/// Why FFmpeg ended out of order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
	/// The kernel's killer, or somebody, ended it, or it was refused memory.
	#[error("killed: by somebody, or out of memory")]
	OutOfMemory,
	/// A fault of its own.
	#[error("FFmpeg crashed")]
	Crashed,
	/// Another signal, from somebody else.
	#[error("FFmpeg was ended by somebody else")]
	Ended,
	/// What it was given is no media, or too damaged.
	#[error("FFmpeg cannot read it: no video or sound that it knows, or damaged")]
	Unreadable,
	/// An MP4 file whose table of contents is missing.
	#[error("FFmpeg cannot read it: the file is not complete (its index is missing)")]
	Incomplete,
	/// A playlist, or another file that names others by URL.
	#[error("FFmpeg cannot read it: it names another place in the network, and only this file is read")]
	Elsewhere,
	/// A codec that this FFmpeg lacks.
	#[error("FFmpeg cannot read it: this FFmpeg has no decoder for it")]
	NoDecoder,
	/// An encoder that this FFmpeg lacks.
	#[error("this FFmpeg has no encoder {0}")]
	NoEncoder(String),
	/// Not there.
	#[error("FFmpeg cannot read it: no such file or device")]
	NotFound,
	/// Not allowed.
	#[error("FFmpeg cannot read it: permission denied")]
	Denied,
	/// A camera that another program uses.
	#[error("FFmpeg cannot read it: another program uses it")]
	Busy,
	/// Not a camera.
	#[error("FFmpeg cannot read it: not a camera or capture card")]
	NoCamera,
	/// The medium fails, or the device is gone.
	#[error("FFmpeg cannot read it: the device does not answer any more")]
	Io,
	/// Anything else; its log, at debug level, says more.
	#[error("FFmpeg ended with an error ({0}); RUST_LOG=ffmpeg=debug shows what it says")]
	Other(ExitStatus),
}

/// What FFmpeg says, and what it means; the first of these that stands anywhere in its last lines counts.
const SIGNS: [(&str, Cause); 14] = [
	("Cannot allocate memory", Cause::OutOfMemory),
	("not on whitelist", Cause::Elsewhere),
	("is not in allowed_extensions", Cause::Elsewhere),
	("moov atom not found", Cause::Incomplete),
	("Decoder not found", Cause::NoDecoder),
	("(codec none) not found", Cause::NoDecoder),
	("No such file or directory", Cause::NotFound),
	("No such device", Cause::NotFound),
	("Permission denied", Cause::Denied),
	("Device or resource busy", Cause::Busy),
	("Inappropriate ioctl for device", Cause::NoCamera),
	("Not a video capture device", Cause::NoCamera),
	("Input/output error", Cause::Io),
	("Invalid data found when processing input", Cause::Unreadable),
];

impl Cause {
	/// From how it ended and its last lines.
	pub fn read(status: ExitStatus, lines: &[String]) -> Self {
		if let Some(signal) = status.signal() {
			return match Signal::try_from(signal) {
				// glibc aborts where C++ libraries inside FFmpeg are refused memory.
				_ if lines.iter().any(|line| line.contains("bad_alloc")) => Self::OutOfMemory,
				Ok(Signal::SIGKILL) => Self::OutOfMemory,
				Ok(Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP) => Self::Ended,
				_ => Self::Crashed,
			};
		}
		let unknown_encoder = |line: &String| {
			let name = line.split_once("Unknown encoder '")?.1;
			name.split_once('\'').map(|(name, _)| Self::NoEncoder(name.into()))
		};
		if let Some(cause) = lines.iter().find_map(unknown_encoder) {
			return cause;
		}
		let said = |sign: &str| lines.iter().any(|line| line.contains(sign));
		let sign = SIGNS.into_iter().find(|(sign, _)| said(sign));
		sign.map_or(Self::Other(status), |(_, cause)| cause)
	}
}
