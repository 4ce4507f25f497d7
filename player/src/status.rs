//! The live line in the terminal, and log lines that do not run into it.

use clustercast_primitives::Usdc;
use std::{
	fmt,
	io::{self, IsTerminal, Write},
	time::Duration,
};

/// Back to the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// What the live line says.
#[derive(Clone, Debug, Default)]
pub struct Line {
	/// Of the last window, bits per second.
	pub bitrate: u64,
	/// Verified so far, bytes.
	pub verified_bytes: u64,
	/// Expected value of all tickets.
	pub spent: Usdc,
	/// Peer id.
	pub relayer: String,
	/// From capture to playable, milliseconds; negative when the broadcaster's clock is ahead of ours.
	pub delay_ms: i64,
}

impl fmt::Display for Line {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		// The end of a peer id differs; its beginning says only that it is an Ed25519 key.
		let tail = self.relayer.len().saturating_sub(8);
		write!(
			f,
			"{:.2} Mb/s | {:.1} MB verified | {} USDC | relayer …{} | {:.1} s behind",
			self.bitrate as f64 / 1e6,
			self.verified_bytes as f64 / 1e6,
			self.spent,
			self.relayer.get(tail..).unwrap_or_default(),
			self.delay_ms as f64 / 1e3
		)
	}
}

/// What the live line says while the broadcaster pauses or is away.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
	/// Nothing is heard of the broadcaster.
	pub away: bool,
	/// So far.
	pub lasting: Duration,
}

impl fmt::Display for Pause {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let what = match self.away {
			true => "the broadcaster is away",
			false => "the broadcaster pauses",
		};
		write!(f, "{what}, for {} s so far", self.lasting.as_secs())
	}
}

/// The terminal, if standard error is one.
#[derive(Debug)]
pub struct Status {
	on: bool,
}

impl Default for Status {
	fn default() -> Self {
		Self {
			on: io::stderr().is_terminal(),
		}
	}
}

impl Status {
	/// Shows a line in the place of the last one. A terminal that went away is not worth ending the run for.
	pub fn show(&self, line: impl fmt::Display) {
		if self.on {
			let mut stderr = io::stderr().lock();
			let _ = write!(stderr, "{CLEAR_LINE}{line}").and_then(|()| stderr.flush());
		}
	}
}

impl Drop for Status {
	fn drop(&mut self) {
		if self.on {
			let _ = writeln!(io::stderr());
		}
	}
}

/// A line on standard output. Nobody reading is not worth ending the run for.
pub fn print_line(line: impl fmt::Display) {
	let _ = writeln!(io::stdout(), "{line}");
}

/// Where logs go: standard error, each line in the place of the live line.
pub fn log_writer() -> impl Write {
	let stderr = io::stderr();
	if stderr.is_terminal() {
		let _ = write!(stderr.lock(), "{CLEAR_LINE}");
	}
	stderr
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn line_is_short_and_has_its_units() {
		let line = Line {
			bitrate: 1_520_000,
			verified_bytes: 12_340_000,
			spent: Usdc(123),
			relayer: "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X".into(),
			delay_ms: 3_210,
		};
		assert_eq!(
			line.to_string(),
			"1.52 Mb/s | 12.3 MB verified | 0.000123 USDC | relayer …ft9HyQ6X | 3.2 s behind"
		);
		assert!(Line::default().to_string().contains("0.00 Mb/s"));
	}

	#[test]
	fn line_says_whose_silence_it_is() {
		let pause = |away| Pause {
			away,
			lasting: Duration::from_millis(125_900),
		};
		assert_eq!(pause(false).to_string(), "the broadcaster pauses, for 125 s so far");
		assert_eq!(pause(true).to_string(), "the broadcaster is away, for 125 s so far");
	}
}
