//! Where a run keeps its files and logs, and what happens to them when it fails.

use crate::gauge::Gauge;
use anyhow::{bail, Context, Result};
use std::{
	cell::Cell,
	collections::VecDeque,
	env,
	fs::{self, File},
	io::{self, BufRead, BufReader, Write},
	net::{TcpListener, UdpSocket},
	path::{Path, PathBuf},
	process,
	sync::atomic::{AtomicU16, Ordering},
	thread,
};
use tempfile::TempDir;

/// Lines of each log that are shown when a run fails.
const TAIL_LINES: usize = 12;

/// Ports that [`free_port`] gives: those of each slot of the test runner, and then those of whoever runs without one.
const FIRST_PORT: u16 = 20_000;
const PORTS_OF_A_SLOT: u16 = 190;
const SLOTS: u16 = 64;

/// Runs of a test whose machine is late each time: the last one counts.
const RUNS: u32 = 3;

/// Names a file for what was void: a line for each run.
const VOID: &str = "CLUSTERCAST_VOID";

/// A temporary directory with the state and the logs of the programs of one run. Removed when the run went well; kept,
/// and the tails of its logs printed, when not.
pub struct Lab {
	name: String,
	dir: Option<TempDir>,
	path: PathBuf,
	passed: Cell<bool>,
}

impl Lab {
	/// A new empty directory, for the run called `name`.
	pub fn new(name: &str) -> Result<Self> {
		let dir = tempfile::Builder::new()
			.prefix("clustercast-")
			.tempdir()
			.context("no temporary directory")?;
		Ok(Self {
			name: name.to_owned(),
			path: dir.path().to_owned(),
			dir: Some(dir),
			passed: Cell::new(false),
		})
	}

	/// Runs one test in a lab of its own. A run that fails while the machine itself is late or crowded ([`Gauge`]) is void, and is done
	/// again, with no other beside it.
	///
	/// # Panics
	/// When the test fails, after its logs were shown: so the test harness sees it.
	pub fn run(test: impl AsyncFn(&Lab) -> Result<()>) {
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(2)
			.enable_all()
			.build()
			.expect("a runtime needs only threads and epoll");
		// The test harness calls the thread like the test.
		let thread = thread::current();
		let mut name = thread.name().unwrap_or("test").to_owned();
		let mut company = Company::Any;
		for run in 1.. {
			let lab = Lab::new(&name).expect("a test needs a temporary directory");
			let _turn = Turn::take(company).expect("a file beside the one for what was void");
			let gauge = Gauge::start();
			match runtime.block_on(test(&lab)) {
				Ok(()) => {
					println!("{gauge}");
					return lab.passed();
				},
				Err(error) if run < RUNS && gauge.is_void() => {
					void(&format!("{name}: {gauge}: {error:#}"));
					name.push_str(", again");
					company = Company::None;
				},
				Err(error) => panic!("{error:?}\n\n{gauge}"),
			}
		}
	}

	/// What this run is called: nobody else on the same chain is.
	pub fn name(&self) -> &str {
		&self.name
	}

	/// The run went well: nothing of it needs to be kept.
	pub fn passed(&self) {
		self.passed.set(true);
	}

	/// All files stay; where.
	pub fn keep(mut self) -> PathBuf {
		self.passed.set(true);
		self.dir.take().map(TempDir::keep);
		self.path.clone()
	}

	/// A path in the directory.
	pub fn path(&self, name: &str) -> PathBuf {
		self.path.join(name)
	}

	fn show_logs(&self) {
		let mut logs: Vec<PathBuf> = fs::read_dir(&self.path)
			.into_iter()
			.flatten()
			.flatten()
			.map(|entry| entry.path())
			.filter(|path| path.extension().is_some_and(|e| e == "log"))
			.collect();
		logs.sort();
		for log in logs {
			eprintln!("--- {}", log.display());
			for line in tail(&log, TAIL_LINES) {
				eprintln!("{line}");
			}
		}
		eprintln!("--- all files of this run: {}", self.path.display());
	}
}

impl Drop for Lab {
	fn drop(&mut self) {
		if !self.passed.get() {
			self.show_logs();
			self.dir.take().map(TempDir::keep);
		}
	}
}

/// Who may run beside a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
	Any,
	None,
}

/// A test's turn among the other processes with the same file for what was void ([`VOID`]); without one, nobody waits for anybody. It
/// ends with this value.
struct Turn {
	/// Holds the lock as long as it is open.
	_room: Option<File>,
}

impl Turn {
	/// Waits for it: who wants to be alone until the others have ended, while nobody else begins.
	fn take(company: Company) -> io::Result<Self> {
		let Some(path) = env::var_os(VOID) else {
			return Ok(Self { _room: None });
		};
		let open = |kind: &str| {
			let mut path = path.clone();
			path.push(kind);
			File::options().append(true).create(true).open(path)
		};
		let (door, room) = (open(".door")?, open(".room")?);
		door.lock()?;
		match company {
			Company::Any => room.lock_shared()?,
			Company::None => room.lock()?,
		}
		Ok(Self { _room: Some(room) })
	}
}

/// Says that a run was void, and why.
fn void(what: &str) {
	let line = format!("void: {}\n", what.replace('\n', " "));
	eprint!("{line}");
	if let Some(path) = env::var_os(VOID) {
		let file = File::options().append(true).create(true).open(path);
		let said = file.and_then(|mut file| file.write_all(line.as_bytes()));
		said.unwrap_or_else(|error| eprintln!("{VOID}: {error}"));
	}
}

/// The last lines of a text file; none of one that cannot be read.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
	let mut last = VecDeque::with_capacity(lines);
	if let Ok(file) = File::open(path) {
		for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
			if last.len() == lines {
				last.pop_front();
			}
			last.push_back(String::from_utf8_lossy(&line).into_owned());
		}
	}
	last.into()
}

/// The slot that the test runner gave this test: no two that run at the same time have the same one.
pub fn slot() -> Option<u16> {
	env::var("NEXTEST_TEST_GLOBAL_SLOT").ok()?.parse().ok()
}

/// A loopback port that neither TCP nor UDP uses now, and another one each time. Below those that the kernel hands out,
/// and of tests that run at the same time each has its own.
pub fn free_port() -> Result<u16> {
	static NEXT: AtomicU16 = AtomicU16::new(0);
	let first = FIRST_PORT + slot().unwrap_or(SLOTS) % (SLOTS + 1) * PORTS_OF_A_SLOT;
	// Those of the last run may linger.
	let offset = (process::id() % u32::from(PORTS_OF_A_SLOT)) as u16;
	for _ in 0..PORTS_OF_A_SLOT {
		let port = first + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS_OF_A_SLOT;
		if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
			return Ok(port);
		}
	}
	bail!("no free port from {first} on")
}
