//! Where a run keeps its files and logs, and what happens to them when it fails.

use anyhow::{Context, Result};
use std::{
	cell::Cell,
	collections::{BTreeSet, VecDeque},
	fs,
	io::{BufRead, BufReader},
	net::{TcpListener, UdpSocket},
	path::{Path, PathBuf},
	sync::{Mutex, PoisonError},
};
use tempfile::TempDir;

/// Lines of each log that are shown when a run fails.
const TAIL_LINES: usize = 12;

/// A temporary directory with the state and the logs of the programs of one run. Removed when the run went well; kept,
/// and the tails of its logs printed, when not.
pub struct Lab {
	dir: Option<TempDir>,
	path: PathBuf,
	passed: Cell<bool>,
}

impl Lab {
	/// A new empty directory.
	pub fn new() -> Result<Self> {
		let dir = tempfile::Builder::new()
			.prefix("clustercast-")
			.tempdir()
			.context("no temporary directory")?;
		Ok(Self {
			path: dir.path().to_owned(),
			dir: Some(dir),
			passed: Cell::new(false),
		})
	}

	/// Runs one test in a lab of its own.
	///
	/// # Panics
	/// When the test fails, after its logs were shown: so the test harness sees it.
	pub fn run(test: impl AsyncFnOnce(&Lab) -> Result<()>) {
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(2)
			.enable_all()
			.build()
			.expect("a runtime needs only threads and epoll");
		let lab = Lab::new().expect("a test needs a temporary directory");
		match runtime.block_on(test(&lab)) {
			Ok(()) => lab.passed(),
			Err(error) => panic!("{error:?}"),
		}
	}

	/// The run went well: nothing of it needs to be kept.
	pub fn passed(&self) {
		self.passed.set(true);
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

/// The last lines of a text file; none of one that cannot be read.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
	let mut last = VecDeque::with_capacity(lines);
	if let Ok(file) = fs::File::open(path) {
		for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
			if last.len() == lines {
				last.pop_front();
			}
			last.push_back(String::from_utf8_lossy(&line).into_owned());
		}
	}
	last.into()
}

/// A loopback port that neither TCP nor UDP uses now, and another one each time.
pub fn free_port() -> Result<u16> {
	static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
	loop {
		let tcp = TcpListener::bind("127.0.0.1:0").context("no free TCP port")?;
		let port = tcp.local_addr()?.port();
		let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
		if UdpSocket::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
			return Ok(port);
		}
	}
}
