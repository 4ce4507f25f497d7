//! Short films that FFmpeg makes: a picture with a running clock at 30 a second, a key frame every 2 s, a tone.

use bytes::Bytes;
use std::process::{Command, Stdio};

/// What is in it.
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
	/// Width and height, as in `160x90`.
	pub size: &'a str,
	/// Channels of its sound, at 48 kHz; 0: none.
	pub channels: u32,
	/// Length, s.
	pub seconds: u32,
	/// More arguments for the output; what they say counts.
	pub more: &'a str,
}

/// Small, with stereo sound.
pub const SMALL: Clip = Clip {
	size: "160x90",
	channels: 2,
	seconds: 6,
	more: "",
};

impl Clip<'_> {
	/// Fragmented MP4: a fragment for each key frame.
	///
	/// # Panics
	/// When FFmpeg does not make it.
	pub fn mp4(&self) -> Bytes {
		let mut args = format!(
			"-hide_banner -loglevel error -nostdin -f lavfi -i testsrc2=s={}:r=30 ",
			self.size
		);
		if self.channels > 0 {
			args += &format!("-f lavfi -i sine=sample_rate=48000 -c:a aac -ac {} ", self.channels);
		}
		args += &format!("-t {} -c:v libx264 -preset ultrafast -tune zerolatency ", self.seconds);
		args += &format!(
			"-pix_fmt yuv420p -g 60 -movflags +empty_moov+default_base_moof+frag_keyframe {} -f mp4 -",
			self.more
		);
		let mut command = Command::new("ffmpeg");
		let made = command.args(args.split_whitespace()).stderr(Stdio::inherit()).output();
		let made = made.expect("ffmpeg is there");
		assert!(made.status.success(), "ffmpeg {args}: {}", made.status);
		made.stdout.into()
	}
}
