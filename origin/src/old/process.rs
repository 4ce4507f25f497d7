//! One run of FFmpeg: started so that nothing of it outlives us, read piece by piece, ended in order.

use super::{
	command::{arguments, Input},
	fmp4::{self, Piece, Splitter},
	EncoderError,
};
use bytes::BufMut;
use nix::{
	sys::{
		prctl,
		signal::{kill, Signal},
	},
	unistd::{getppid, Pid},
};
use std::{
	io,
	path::Path,
	process::{ExitStatus, Stdio},
	sync::Arc,
	time::Duration,
};
use tokio::{
	io::{AsyncBufReadExt, AsyncReadExt, BufReader},
	process::{Child, ChildStderr, ChildStdout, Command},
	sync::Notify,
	task::JoinHandle,
	time::{sleep, timeout},
};

/// Read at once: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// An encoder that wrote nothing for this long hangs: a camera or a publisher that stopped without a word. Several
/// times a GOP, so that a busy machine is not mistaken for it.
const STALL_LIMIT: Duration = Duration::from_secs(15);

/// How long FFmpeg may take to end after its output did.
const EXIT_LIMIT: Duration = Duration::from_secs(2);

/// Longest line of FFmpeg's log that is kept; what follows counts as the next line.
const MAX_LOG_LINE: u64 = 1024;

/// What FFmpeg's RTMP server logs when a publisher names another stream key; it would take the publisher all the same.
const WRONG_STREAM_KEY: &str = "Unexpected stream";

/// Why a run is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
	#[error("wrote nothing for {} s", STALL_LIMIT.as_secs())]
	Stalled,
	#[error("publisher refused: wrong stream key")]
	WrongStreamKey,
	#[error(transparent)]
	Format(#[from] fmp4::Error),
	#[error(transparent)]
	Io(#[from] io::Error),
}

/// A running FFmpeg. Killed when dropped, and by the kernel when the thread that spawned it ends: that is to be one that
/// lives as long as this process.
#[derive(Debug)]
pub(super) struct Process {
	child: Child,
	stdout: ChildStdout,
	splitter: Splitter,
	log: JoinHandle<Option<String>>,
	wrong_key: Arc<Notify>,
	/// Nothing has to come before somebody publishes.
	patient: bool,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Exit {
	pub(super) status: ExitStatus,
	/// Last line of its log.
	pub(super) reason: Option<String>,
}

impl Process {
	pub(super) fn spawn(ffmpeg: &Path, input: &Input, repeat: bool, after: Duration) -> Result<Self, EncoderError> {
		let mut command = Command::new(ffmpeg);
		command
			.args(arguments(input, repeat, after))
			.stdin(Stdio::null())
			.stdout(Stdio::piped())
			.stderr(Stdio::piped())
			.kill_on_drop(true)
			// Ctrl-C in a terminal goes to us; we end FFmpeg in order.
			.process_group(0);
		let parent = Pid::this();
		// SAFETY: between fork and exec only prctl(2) and getppid(2) are called: neither allocates nor takes a lock.
		unsafe {
			command.pre_exec(move || {
				prctl::set_pdeathsig(Signal::SIGKILL)?;
				// We may have died before that.
				if getppid() == parent {
					Ok(())
				} else {
					Err(io::ErrorKind::NotConnected.into())
				}
			});
		}
		let mut child = command.spawn().map_err(|error| spawn_error(ffmpeg, error))?;
		let stdout = child.stdout.take().expect("stdout was set to piped above");
		let stderr = child.stderr.take().expect("stderr was set to piped above");
		let patient = matches!(input, Input::Rtmp(_));
		let wrong_key = Arc::new(Notify::new());
		let log = forward_log(stderr, patient.then(|| wrong_key.clone()));
		tracing::debug!(pid = child.id(), "encoder started");
		Ok(Self {
			child,
			stdout,
			splitter: Splitter::new(),
			log: tokio::spawn(log),
			wrong_key,
			patient,
		})
	}

	/// The next piece; `None` when the output has ended. Cancel safe.
	pub(super) async fn next(&mut self) -> Result<Option<Piece>, Fault> {
		loop {
			if let Some(piece) = self.splitter.next_piece()? {
				return Ok(Some(piece));
			}
			let buffer = self.splitter.buffer();
			buffer.reserve(READ_BYTES);
			let mut room = buffer.limit(READ_BYTES);
			let patient = self.patient;
			tokio::select! {
				biased;
				() = self.wrong_key.notified() => return Err(Fault::WrongStreamKey),
				read = self.stdout.read_buf(&mut room) => match read? {
					0 => return Ok(None),
					_ => self.patient = false,
				},
				() = sleep(STALL_LIMIT), if !patient => return Err(Fault::Stalled),
			}
		}
	}

	/// Asks it to encode what it has and to end, as Ctrl-C does.
	pub(super) fn interrupt(&self) {
		// Gone already is fine.
		pid(&self.child).map(|pid| kill(pid, Signal::SIGINT));
	}

	/// Waits until it is gone; kills it when that takes too long. Cancel safe; to be called no more once it
	/// returned.
	pub(super) async fn end(&mut self) -> io::Result<Exit> {
		let status = match timeout(EXIT_LIMIT, self.child.wait()).await {
			Ok(status) => status?,
			Err(_) => {
				self.kill();
				self.child.wait().await?
			},
		};
		// Its end has closed the log.
		let reason = (&mut self.log).await.ok().flatten();
		Ok(Exit { status, reason })
	}

	/// Kills it at once.
	pub(super) fn kill(&mut self) {
		// Gone already is fine.
		let _ = self.child.start_kill();
	}

	#[cfg(test)]
	pub(super) fn pid(&self) -> Pid {
		pid(&self.child).unwrap()
	}
}

/// Why FFmpeg does not start.
pub(super) fn spawn_error(ffmpeg: &Path, error: io::Error) -> EncoderError {
	match error.kind() {
		io::ErrorKind::NotFound => EncoderError::NotInstalled(ffmpeg.into()),
		_ => EncoderError::Io(error),
	}
}

/// `None` once it was waited for: another process may have the number by then.
fn pid(child: &Child) -> Option<Pid> {
	child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

/// Logs what FFmpeg says; returns its last line. Rings `wrong_key` when a publisher comes with a wrong stream key.
async fn forward_log(stderr: ChildStderr, wrong_key: Option<Arc<Notify>>) -> Option<String> {
	let mut reader = BufReader::new(stderr);
	let mut last = None;
	let mut line = Vec::new();
	while let Ok(1..) = (&mut reader).take(MAX_LOG_LINE).read_until(b'\n', &mut line).await {
		let text = String::from_utf8_lossy(&line).trim().to_owned();
		line.clear();
		match &wrong_key {
			// Not logged: it holds both keys.
			Some(bell) if text.contains(WRONG_STREAM_KEY) => bell.notify_one(),
			_ if text.is_empty() => {},
			_ => {
				tracing::warn!(target: "ffmpeg", "{text}");
				last = Some(text);
			},
		}
	}
	last
}
