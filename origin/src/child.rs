//! A program that we run (FFmpeg, ffprobe): nothing of it outlives us, it takes no more memory than it is given, and what it says
//! is read with bounds.
//!
//! | property | how |
//! | --- | --- |
//! | dies with us, whatever ends us | `PR_SET_PDEATHSIG`, which follows the *thread* that forked: one of our own, which never ends |
//! | no key stroke of a terminal reaches it | a process group of its own |
//! | cannot eat the machine | `RLIMIT_DATA` of [`MEMORY_LIMIT`] |
//! | cannot fill our memory | lines of [`MAX_LOG_LINE`] bytes, [`MAX_LOG_LINES`] of them are kept |
//! | is not seen as a zombie | reaped by Tokio, also after a drop |
//! | does not show the stream key | our environment without [`ENVIRONMENT`] |
//!
//! Arguments are seen by everybody (`ps`): no secret belongs there. Nothing else in this crate starts programs: clippy.toml forbids it.

mod cause;

pub use cause::Cause;

use crate::door::ENVIRONMENT;
use nix::{
	sys::{
		prctl,
		resource::{setrlimit, Resource},
		signal::{killpg, Signal},
	},
	unistd::{getppid, Pid},
};
use std::{
	collections::VecDeque,
	ffi::OsString,
	io,
	path::{Path, PathBuf},
	process::{ExitStatus, Stdio},
	sync::{mpsc, OnceLock},
	thread,
	time::Duration,
};
use tokio::{
	io::{AsyncBufReadExt, BufReader},
	process::{ChildStderr, ChildStdin, ChildStdout, Command},
	runtime::Handle,
	task::JoinHandle,
	time::timeout,
};

/// What a child may allocate: 4096x4096 pictures of 10 bit, 16 of them held for reference, take 0.8 GB, x264 at 854x480 takes
/// 0.1 GB. Bytes.
pub const MEMORY_LIMIT: u64 = 2 << 30;

/// How long a child may take to end once it was told to, or its output has ended.
const EXIT_LIMIT: Duration = Duration::from_secs(2);

/// Longest line of a child's log that is kept; what follows counts as the next line. Bytes.
const MAX_LOG_LINE: usize = 1024;

/// Last lines of a child's log from which the cause of its end is read: FFmpeg tells the cause first, then what came of it.
const MAX_LOG_LINES: usize = 16;

/// Why a child does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
	/// No such program.
	#[error("{} not found: install FFmpeg (with libx264), or say where it is with --ffmpeg", .0.display())]
	NotInstalled(PathBuf),
	/// The system does not run it.
	#[error("{} cannot be started: {error}", .program.display())]
	Io {
		/// As given.
		program: PathBuf,
		/// From the system.
		error: io::Error,
	},
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Child {
	/// Where it reads, if it was given [`Stdio::piped`]. Dropped: it reads the end.
	pub stdin: Option<ChildStdin>,
	/// Where it writes, to be taken for reading.
	pub stdout: Option<ChildStdout>,
	child: tokio::process::Child,
	log: JoinHandle<VecDeque<String>>,
	killed: bool,
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
	/// From the system.
	pub status: ExitStatus,
	/// We killed it, so the status says nothing.
	pub killed: bool,
	/// Last lines of its log, newest last.
	pub lines: Vec<String>,
}

impl Exit {
	/// Why it ended; `None` when it ended in order or since we wanted it to.
	pub fn cause(&self) -> Option<Cause> {
		(!self.killed && !self.status.success()).then(|| Cause::read(self.status, &self.lines))
	}
}

impl Child {
	/// Starts `program`, its output on a pipe. Takes as long as a fork does: milliseconds.
	///
	/// # Errors
	/// When there is no such program, or the system does not run it.
	///
	/// # Panics
	/// Outside of a Tokio runtime.
	pub fn spawn<A: Into<OsString>>(
		program: &Path,
		args: impl IntoIterator<Item = A>,
		stdin: impl Into<Stdio>,
	) -> Result<Self, SpawnError> {
		#[allow(clippy::disallowed_methods, reason = "the one place")]
		let mut command = Command::new(program);
		command
			.args(args.into_iter().map(Into::into))
			.env_remove(ENVIRONMENT)
			.stdin(stdin)
			.stdout(Stdio::piped())
			.stderr(Stdio::piped())
			.kill_on_drop(true)
			.process_group(0);
		let parent = Pid::this();
		// SAFETY: between fork and exec only setrlimit(2), prctl(2) and getppid(2) are called: none allocates or takes a lock.
		unsafe {
			command.pre_exec(move || {
				setrlimit(Resource::RLIMIT_DATA, MEMORY_LIMIT, MEMORY_LIMIT)?;
				prctl::set_pdeathsig(Signal::SIGKILL)?;
				// We may have died before that.
				if getppid() == parent {
					Ok(())
				} else {
					Err(io::ErrorKind::NotConnected.into())
				}
			});
		}
		let mut child = fork(command).map_err(|error| match error.kind() {
			io::ErrorKind::NotFound => SpawnError::NotInstalled(program.into()),
			_ => SpawnError::Io {
				program: program.into(),
				error,
			},
		})?;
		let stderr = child.stderr.take().expect("stderr was set to piped above");
		tracing::debug!(pid = child.id(), program = %program.display(), "child started");
		Ok(Self {
			stdin: child.stdin.take(),
			stdout: child.stdout.take(),
			child,
			log: tokio::spawn(forward_log(stderr)),
			killed: false,
		})
	}

	/// Its number; `None` once it was waited for.
	pub fn id(&self) -> Option<Pid> {
		self.child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
	}

	/// Asks it to finish what it has and to end, as Ctrl-C does.
	pub fn interrupt(&self) {
		self.signal(Signal::SIGINT);
	}

	/// Kills it at once, with whatever it started.
	pub fn kill(&mut self) {
		self.killed = true;
		self.signal(Signal::SIGKILL);
	}

	/// Waits until it is gone; kills it when that takes longer than 2 s. To be called once its output has ended, or it was
	/// interrupted or killed. Cancel safe; not to be called again once it returned.
	///
	/// # Errors
	/// From the system.
	pub async fn end(&mut self) -> io::Result<Exit> {
		// A child that waits for more input would wait for ever.
		self.stdin = None;
		let status = match timeout(EXIT_LIMIT, self.child.wait()).await {
			Ok(status) => status?,
			Err(_) => {
				self.kill();
				self.child.wait().await?
			},
		};
		// Its end has closed the log, unless something that it started holds it.
		let lines = match timeout(EXIT_LIMIT, &mut self.log).await {
			Ok(lines) => lines.unwrap_or_default().into(),
			Err(_) => Vec::new(),
		};
		Ok(Exit {
			status,
			killed: self.killed,
			lines,
		})
	}

	/// Gone already is fine.
	fn signal(&self, signal: Signal) {
		// The group has its number for as long as it was not waited for.
		self.id().map(|group| killpg(group, signal));
	}
}

impl Drop for Child {
	fn drop(&mut self) {
		self.signal(Signal::SIGKILL);
		self.log.abort();
	}
}

/// A command to fork, where its pipes are watched, and to whom the child goes.
type Order = (Command, Handle, mpsc::SyncSender<io::Result<tokio::process::Child>>);

/// Forks on a thread that lives as long as this process: the kernel kills a child when the thread ends that forked it.
fn fork(command: Command) -> io::Result<tokio::process::Child> {
	static ORDERS: OnceLock<mpsc::SyncSender<Order>> = OnceLock::new();
	let orders = ORDERS.get_or_init(|| {
		let (orders, inbox) = mpsc::sync_channel::<Order>(0);
		let forge = move || {
			for (mut command, runtime, reply) in inbox {
				let _context = runtime.enter();
				// Nobody waits any more: the child is killed as it is dropped.
				let _ = reply.send(command.spawn());
			}
		};
		// Without a thread the inbox is gone with the closure: every order fails below.
		let _ = thread::Builder::new().name("children".into()).spawn(forge);
		orders
	});
	let (reply, answer) = mpsc::sync_channel(1);
	let gone = || io::Error::other("no thread to start programs from");
	orders.send((command, Handle::current(), reply)).map_err(|_| gone())?;
	answer.recv().map_err(|_| gone())?
}

/// Logs what a child says; returns its last lines.
async fn forward_log(stderr: ChildStderr) -> VecDeque<String> {
	let mut reader = BufReader::with_capacity(MAX_LOG_LINE, stderr);
	let mut last = VecDeque::with_capacity(MAX_LOG_LINES);
	let mut line = Vec::with_capacity(MAX_LOG_LINE);
	loop {
		let (used, whole) = match reader.fill_buf().await {
			Ok([]) | Err(_) => {
				keep(&mut last, &line);
				return last;
			},
			Ok(bytes) => {
				let room = &bytes[..bytes.len().min(MAX_LOG_LINE - line.len())];
				// FFmpeg ends lines that it writes over with a carriage return.
				let end = room.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
				let used = end.map_or(room.len(), |end| end + 1);
				line.extend_from_slice(&room[..used]);
				(used, end.is_some() || line.len() == MAX_LOG_LINE)
			},
		};
		reader.consume(used);
		if whole {
			keep(&mut last, &line);
			line.clear();
		}
	}
}

fn keep(last: &mut VecDeque<String>, line: &[u8]) {
	let text = String::from_utf8_lossy(line).trim().to_owned();
	if !text.is_empty() {
		tracing::debug!(target: "ffmpeg", "{text}");
		if last.len() == MAX_LOG_LINES {
			last.pop_front();
		}
		last.push_back(text);
	}
}

#[cfg(test)]
mod tests;
