//! Runs FFmpeg for as long as the broadcast lasts: starts it, hands over its windows, starts it again when it dies.
//!
//! After a restart the media timeline continues where the last window ended, and the first window says
//! [`Window::restarted`].

pub(crate) mod command;
mod process;

pub use command::{Input, InputError, GOP};

use crate::fmp4::{Fragment, Piece};
use bytes::Bytes;
use process::{Exit, Fault, Process};
use std::{
	io,
	path::PathBuf,
	process::{Command, Stdio},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{sleep_until, timeout_at, Instant};

/// Pause before the first restart; doubles with each that brought no window.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How long the encoder may take to encode what it has when the broadcast ends.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
	/// No such program.
	#[error("{} not found: install FFmpeg (with libx264), or say where it is with --ffmpeg", .0.display())]
	NotInstalled(PathBuf),
	/// The file or device cannot be opened.
	#[error("input {}: {error}", .path.display())]
	Input {
		/// As given.
		path: PathBuf,
		/// From the system.
		error: io::Error,
	},
	/// Nobody can publish there.
	#[error("cannot listen on {host}:{port}: {error}")]
	Listen {
		/// As given.
		host: String,
		/// As given.
		port: u16,
		/// From the system.
		error: io::Error,
	},
	/// FFmpeg ended before it made a single window.
	#[error("FFmpeg failed: {0}")]
	Failed(String),
	/// The system does not run it.
	#[error("FFmpeg: {0}")]
	Io(#[from] io::Error),
}

/// What the encoder is to do.
#[derive(Clone, Debug)]
pub struct Config {
	/// Where the video comes from.
	pub input: Input,
	/// Plays a file again and again.
	pub repeat: bool,
	/// The program.
	pub ffmpeg: PathBuf,
}

impl Config {
	/// Whether the program is there and the input can be opened.
	pub fn check(&self) -> Result<(), EncoderError> {
		let version = Command::new(&self.ffmpeg).arg("-version").stdin(Stdio::null()).output();
		version.map_err(|error| process::spawn_error(&self.ffmpeg, error))?;
		self.input.check()
	}
}

/// A window as it was encoded.
#[derive(Clone, Debug)]
pub struct Window {
	/// Initialisation segment that it decodes with.
	pub init: Bytes,
	/// The window itself.
	pub fragment: Fragment,
	/// When its first frame entered the encoder: Unix time, milliseconds.
	pub start_ms: u64,
	/// First one of an encoder that was started anew.
	pub restarted: bool,
}

/// A supervised encoder.
#[derive(Debug)]
pub struct Encoder {
	config: Config,
	state: State,
	/// Since the last start.
	init: Option<Bytes>,
	/// Where the next start continues the media timeline.
	timeline: Duration,
	/// Whether any start brought a window.
	encoded: bool,
	/// The next window is the first of another start.
	restarted: bool,
	pause: Duration,
	/// Set by [`Encoder::finish`]: no start any more, and by when it must be gone.
	finishing: Option<Instant>,
}

#[derive(Debug)]
enum State {
	/// To be started then.
	Waiting(Instant),
	Running(Box<Process>),
	Finished,
}

impl Encoder {
	/// FFmpeg itself starts with the first [`next`](Self::next). `continues`: where on the media timeline earlier runs
	/// of this broadcast ended, if there were any.
	pub fn new(config: Config, continues: Option<Duration>) -> Self {
		Self {
			config,
			state: State::Waiting(Instant::now()),
			init: None,
			timeline: continues.unwrap_or_default(),
			encoded: false,
			restarted: continues.is_some(),
			pause: FIRST_PAUSE,
			finishing: None,
		}
	}

	/// The next window; `None` when a file has ended, or after [`finish`](Self::finish). Cancel safe.
	///
	/// # Errors
	/// When FFmpeg cannot be started, or ends before its very first window. Later, and for RTMP always, it is started
	/// again.
	pub async fn next(&mut self) -> Result<Option<Window>, EncoderError> {
		loop {
			match &mut self.state {
				State::Finished => return Ok(None),
				State::Waiting(_) if self.finishing.is_some() => self.state = State::Finished,
				State::Waiting(until) => {
					sleep_until(*until).await;
					self.start()?;
				},
				State::Running(process) => {
					let piece = match self.finishing {
						Some(deadline) => timeout_at(deadline, process.next())
							.await
							.unwrap_or(Err(Fault::Stalled)),
						None => process.next().await,
					};
					match piece {
						Ok(Some(Piece::Init(init))) => self.init = Some(init),
						Ok(Some(Piece::Window(fragment))) => return Ok(Some(self.window(fragment))),
						Ok(None) => self.end().await?,
						Err(fault) => {
							tracing::warn!(%fault, "encoder stopped");
							process.kill();
							if matches!(fault, Fault::WrongStreamKey) {
								// A stranger must not keep the broadcaster waiting.
								self.pause = FIRST_PAUSE;
							}
							self.end().await?;
						},
					}
				},
			}
		}
	}

	/// Ends the broadcast: no more starts. What the encoder holds still comes from [`next`](Self::next), then `None`.
	pub fn finish(&mut self) {
		if self.finishing.is_none() {
			self.finishing = Some(Instant::now() + FINISH_LIMIT);
			if let State::Running(process) = &self.state {
				process.interrupt();
			}
		}
	}

	fn start(&mut self) -> Result<(), EncoderError> {
		let Config { input, repeat, ffmpeg } = &self.config;
		let process = Process::spawn(ffmpeg, input, *repeat, self.timeline)?;
		if let Input::Rtmp(address) = input {
			tracing::info!("waiting for a publisher on {address}");
		}
		self.restarted |= self.encoded;
		self.state = State::Running(Box::new(process));
		Ok(())
	}

	fn window(&mut self, fragment: Fragment) -> Window {
		self.timeline = Duration::from_micros(fragment.end_us);
		self.encoded = true;
		self.pause = FIRST_PAUSE;
		Window {
			init: self
				.init
				.clone()
				.expect("the splitter cuts windows only after an initialisation segment"),
			start_ms: fragment
				.captured_ms
				.unwrap_or_else(|| unix_ms().saturating_sub(fragment.duration_ms.into())),
			restarted: std::mem::take(&mut self.restarted),
			fragment,
		}
	}

	/// Waits for the end of the process, and decides what comes then.
	async fn end(&mut self) -> Result<(), EncoderError> {
		let State::Running(process) = &mut self.state else {
			return Ok(());
		};
		let Exit { status, reason } = process.end().await?;
		let live = matches!(self.config.input, Input::Rtmp(_));
		if self.finishing.is_some() {
			self.state = State::Finished;
		} else if !self.encoded && !live {
			return Err(EncoderError::Failed(reason.unwrap_or_else(|| status.to_string())));
		} else if status.success() && matches!(self.config.input, Input::File(_)) {
			self.state = State::Finished;
		} else {
			tracing::warn!(%status, pause = ?self.pause, "encoder ended; starting it again");
			self.state = State::Waiting(Instant::now() + self.pause);
			self.pause = (self.pause * 2).min(LONGEST_PAUSE);
		}
		Ok(())
	}
}

/// Now: Unix time, milliseconds.
pub fn unix_ms() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
