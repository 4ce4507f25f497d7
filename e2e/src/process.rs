//! Programs under test: found, started in their own process group, logged to files, gone when their owner is.

use crate::lab::{tail, Lab};
use anyhow::{bail, Context, Result};
use nix::{
	sys::{
		prctl,
		signal::{self, killpg, SigHandler, Signal},
		wait::waitpid,
	},
	unistd::Pid,
};
use serde_json::Value;
use std::{
	env, fs,
	fs::File,
	path::PathBuf,
	process::{ExitStatus, Output, Stdio},
	time::Duration,
};
use tokio::{
	io::{AsyncBufReadExt, BufReader},
	process::{Child, ChildStdout, Command},
	sync::mpsc,
	time::timeout,
};

/// Lines of standard output that may wait for a reader; programs print a handful. Later ones are dropped, so that a
/// program never blocks on a reader that does not listen.
const STDOUT_LINES: usize = 1024;

/// Longest that a program may take to print the line that is waited for, or to end after it was told to: a relayer
/// waits for its last redemption.
const PATIENCE: Duration = Duration::from_secs(90);

/// Path of a program of this workspace: in `CLUSTERCAST_BIN`, else where the running program was built.
pub fn program(name: &str) -> Result<PathBuf> {
	let dir = match env::var_os("CLUSTERCAST_BIN") {
		Some(dir) => PathBuf::from(dir),
		None => {
			let exe = env::current_exe().context("cannot tell where this program is")?;
			exe.ancestors()
				.skip(1)
				.find(|dir| !dir.ends_with("deps"))
				.map(PathBuf::from)
				.context("this program has no folder")?
		},
	};
	let path = dir.join(name);
	if !path.is_file() {
		bail!("{name} is not in {}: run scripts/build", dir.display());
	}
	Ok(path)
}

/// A tool of the system, by its name; says what to do when it is missing.
pub fn tool(name: &str) -> Result<PathBuf> {
	env::var_os("PATH")
		.iter()
		.flat_map(env::split_paths)
		.map(|dir| dir.join(name))
		.find(|path| path.is_file())
		.with_context(|| format!("{name} is not installed: run scripts/setup"))
}

/// The same command, started by a tool that does something to itself first, such as `prlimit` or `env`.
pub fn under(tool_and_arguments: &[&str], command: &Command) -> Result<Command> {
	let (name, arguments) = tool_and_arguments.split_first().context("a tool has a name")?;
	let command = command.as_std();
	let mut under = Command::new(tool(name)?);
	under
		.args(arguments)
		.arg(command.get_program())
		.args(command.get_args());
	Ok(under)
}

/// Sets a soft limit of a running program, as `prlimit` names it: `nofile`, `fsize`; `unlimited` is none.
pub async fn limit(pid: Pid, what: &str, most: &str) -> Result<()> {
	let mut prlimit = Command::new(tool("prlimit")?);
	prlimit.args(["--pid", &pid.to_string(), &format!("--{what}={most}:")]);
	let done = output(&mut prlimit, PATIENCE).await?;
	let said = String::from_utf8_lossy(&done.stderr);
	anyhow::ensure!(done.status.success(), "prlimit: {said}");
	Ok(())
}

/// A running program. Killed with its whole process group when dropped, and by the kernel when this program dies.
pub struct Process {
	name: String,
	child: Child,
	group: Pid,
	log: PathBuf,
	stdout: mpsc::Receiver<String>,
}

impl Process {
	/// Starts `command`; what it logs goes to `NAME.log` in the lab, appended when it ran before.
	pub fn spawn(lab: &Lab, name: &str, command: &mut Command) -> Result<Self> {
		let log = lab.path(&format!("{name}.log"));
		let stderr = File::options()
			.create(true)
			.append(true)
			.open(&log)
			.with_context(|| format!("cannot write {}", log.display()))?;
		own_group(command)
			.stdin(Stdio::null())
			.stdout(Stdio::piped())
			.stderr(stderr);
		let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
		let pid = child.id().context("it has a process id until it is waited for")?;
		let stdout = child.stdout.take().context("its output was piped")?;
		let (lines, receiver) = mpsc::channel(STDOUT_LINES);
		tokio::spawn(forward(stdout, lines));
		Ok(Self {
			name: name.to_owned(),
			child,
			group: Pid::from_raw(pid.try_into()?),
			log,
			stdout: receiver,
		})
	}

	/// Its process id.
	pub fn pid(&self) -> Pid {
		self.group
	}

	/// Process ids of its children that run this program.
	pub fn children(&self, program: &str) -> Result<Vec<Pid>> {
		let mut children = Vec::new();
		for entry in fs::read_dir("/proc")? {
			// Processes come and go while we look.
			let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
				continue;
			};
			// pid (name) state parent ...; the name may hold anything, so it ends at the last parenthesis.
			let Some((pid, rest)) = stat.split_once(" (") else {
				continue;
			};
			let Some((name, rest)) = rest.rsplit_once(") ") else {
				continue;
			};
			let parent = rest.split(' ').nth(1).and_then(|parent| parent.parse().ok());
			if name == program && parent == Some(self.group.as_raw()) {
				children.push(Pid::from_raw(pid.parse()?));
			}
		}
		Ok(children)
	}

	/// The next line of its standard output, as JSON.
	///
	/// # Errors
	/// When it ends first, prints something else, or takes longer than a minute.
	pub async fn json_line(&mut self) -> Result<Value> {
		let Ok(line) = timeout(PATIENCE, self.stdout.recv()).await else {
			bail!(
				"{} printed nothing for {PATIENCE:?}; its log: {}",
				self.name,
				self.log.display()
			);
		};
		match line {
			Some(line) => serde_json::from_str(&line).with_context(|| format!("{} printed {line:?}", self.name)),
			None => {
				let status = self.child.wait().await?;
				bail!("{} ended with {status}: {}", self.name, tail(&self.log, 3).join(" | "))
			},
		}
	}

	/// Fails when the program is no longer there.
	pub fn check_alive(&mut self) -> Result<()> {
		match self.child.try_wait()? {
			None => Ok(()),
			Some(status) => bail!("{} ended with {status}: {}", self.name, tail(&self.log, 3).join(" | ")),
		}
	}

	/// Waits until it ends of itself.
	pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
		match timeout(limit, self.child.wait()).await {
			Ok(status) => Ok(status?),
			Err(_) => bail!(
				"{} still runs after {limit:?}; its log: {}",
				self.name,
				self.log.display()
			),
		}
	}

	/// Asks it to end, as Ctrl-C does, and waits for that.
	pub async fn interrupt(&mut self) -> Result<ExitStatus> {
		nix::sys::signal::kill(self.group, Signal::SIGINT)?;
		self.wait(PATIENCE).await
	}

	/// Asks it to end, as a machine that shuts down does, and waits for that.
	pub async fn terminate(&mut self) -> Result<ExitStatus> {
		nix::sys::signal::kill(self.group, Signal::SIGTERM)?;
		self.wait(PATIENCE).await
	}

	/// kill -9, of it alone, and waits until it is gone.
	pub async fn kill_9(&mut self) -> Result<()> {
		nix::sys::signal::kill(self.group, Signal::SIGKILL)?;
		self.wait(PATIENCE).await.map(drop)
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		// The group outlives its leader while a grandchild lives; gone already is fine.
		let _ = killpg(self.group, Signal::SIGKILL);
		// Dead at once, so this does not wait long; without it, it would stay a zombie where init does not reap.
		if self.child.id().is_some() {
			let _ = waitpid(self.group, None);
		}
	}
}

/// Runs a program to its end, with its output.
pub async fn output(command: &mut Command, limit: Duration) -> Result<Output> {
	own_group(command).stdin(Stdio::null()).kill_on_drop(true);
	let name = command.as_std().get_program().to_string_lossy().into_owned();
	timeout(limit, command.output())
		.await
		.with_context(|| format!("{name} did not end within {limit:?}"))?
		.with_context(|| format!("{name} does not start"))
}

/// In its own process group, so that Ctrl-C reaches only the program that owns it; killed by the kernel with its parent. A file that
/// may not grow ([`limit`]) is to it what a full disk is: an error, and no signal.
fn own_group(command: &mut Command) -> &mut Command {
	command.process_group(0);
	let prepare = || {
		// SAFETY: nothing handles the signal, and nothing of this process is touched.
		unsafe { signal::signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
		prctl::set_pdeathsig(Signal::SIGKILL)?;
		Ok(())
	};
	// SAFETY: both are one system call each: they allocate nothing and take no lock, as a fork's child must not.
	unsafe { command.pre_exec(prepare) }
}

async fn forward(stdout: ChildStdout, lines: mpsc::Sender<String>) {
	let mut reader = BufReader::new(stdout).lines();
	while let Ok(Some(line)) = reader.next_line().await {
		let _ = lines.try_send(line);
	}
}
