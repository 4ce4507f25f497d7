//! Whether the machine was quick enough: a timestamp goes back and forth beside the run, over links of its own that lose and queue
//! nothing. How much later than its links have it each one comes back is how late this machine is: to wake who sends, who
//! answers and who receives, and to move packets. Where that is too much, what was measured meanwhile says nothing.
//!
//! Not over the links of the run itself: there, what the programs queue would be taken for lateness.

use crate::{
	star::{Node, CONTROL_DELAY},
	Error,
};
use serde::Serialize;
use std::{
	fmt, io,
	net::UdpSocket,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	thread::{self, JoinHandle},
	time::{Duration, Instant},
};

/// How often a timestamp is sent.
const EVERY: Duration = Duration::from_millis(20);

/// A run in which one in a hundred is later than this is void.
pub const LATEST: Duration = Duration::from_millis(50);

/// As often a run is tried.
pub const TRIES: usize = 3;

/// One that is not back by now is as late as this.
const LOST: Duration = Duration::from_secs(1);

/// How often threads look whether it is over.
const LOOK: Duration = Duration::from_millis(100);

/// How late the machine was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
	/// Timestamps that were due back.
	pub samples: usize,
	/// Median, milliseconds.
	pub late_ms_p50: f64,
	/// 99th percentile, milliseconds.
	pub late_ms_p99: f64,
	/// Longest, milliseconds.
	pub late_ms_max: f64,
}

impl Verdict {
	fn of(mut late: Vec<Duration>) -> Self {
		late.sort_unstable();
		let rank = |percent: usize| {
			let rank = (late.len() * percent).div_ceil(100).max(1);
			late.get(rank - 1).map_or(0.0, |late| late.as_secs_f64() * 1e3)
		};
		Self {
			samples: late.len(),
			late_ms_p50: rank(50),
			late_ms_p99: rank(99),
			late_ms_max: rank(100),
		}
	}

	/// Why what was measured meanwhile says nothing, where it does not: the machine was late, or nobody looked.
	pub fn void(&self) -> Option<String> {
		let is_void = self.samples == 0 || self.late_ms_p99 > LATEST.as_secs_f64() * 1e3;
		is_void.then(|| self.to_string())
	}
}

impl fmt::Display for Verdict {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"the machine was late by {:.1} ms (median), {:.1} (99th percentile), {:.1} (most)",
			self.late_ms_p50, self.late_ms_p99, self.late_ms_max
		)
	}
}

/// Measures until it is asked.
pub struct Control {
	over: Arc<AtomicBool>,
	/// Whoever sent is answered to the end.
	answered: Arc<AtomicBool>,
	echo: Option<JoinHandle<()>>,
	send: Option<JoinHandle<usize>>,
	receive: Option<JoinHandle<Vec<(usize, Duration)>>>,
}

impl Control {
	/// Between these two, over links that are nobody else's.
	pub(crate) fn start(from: &Node, to: &Node) -> Result<Self, Error> {
		let open = |node: &Node| -> io::Result<UdpSocket> {
			let socket = node.inside(|| UdpSocket::bind((node.address(), 0)))?;
			socket.set_read_timeout(Some(LOOK))?;
			Ok(socket)
		};
		let begin = || -> io::Result<Self> {
			let (near, far) = (open(from)?, open(to)?);
			near.connect(far.local_addr()?)?;
			let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
			let (sender, began) = (near.try_clone()?, Instant::now());
			let named = |name: &str| thread::Builder::new().name(name.into());
			let (end, echoing) = (over.clone(), answered.clone());
			Ok(Self {
				echo: Some(named("echo").spawn(move || echo(&far, &echoing))?),
				send: Some(named("control").spawn(move || send(&sender, began, &end))?),
				receive: Some({
					let end = over.clone();
					named("control").spawn(move || receive(&near, began, &end))?
				}),
				over,
				answered,
			})
		};
		begin().map_err(Error::of("the control"))
	}

	/// Ends it; how late the machine was all the while.
	pub fn verdict(mut self) -> Verdict {
		self.end()
	}

	fn end(&mut self) -> Verdict {
		self.over.store(true, Ordering::Relaxed);
		// A thread that panicked has measured nothing.
		let sent = self.send.take().and_then(|thread| thread.join().ok()).unwrap_or(0);
		let back = self
			.receive
			.take()
			.and_then(|thread| thread.join().ok())
			.unwrap_or_default();
		self.answered.store(true, Ordering::Relaxed);
		if let Some(echo) = self.echo.take() {
			let _ = echo.join();
		}
		let mut late = vec![LOST; sent];
		for (number, by) in back {
			if let Some(late) = late.get_mut(number) {
				*late = by;
			}
		}
		Verdict::of(late)
	}
}

impl Drop for Control {
	fn drop(&mut self) {
		self.end();
	}
}

fn due(number: usize) -> Duration {
	EVERY * u32::try_from(number).unwrap_or(u32::MAX)
}

/// How many it sent.
fn send(socket: &UdpSocket, began: Instant, over: &AtomicBool) -> usize {
	let mut number = 0;
	while !over.load(Ordering::Relaxed) {
		// When it was due, not when somebody got round to it: who waits for a slow machine must not sample it less.
		thread::sleep(due(number).saturating_sub(began.elapsed()));
		let _ = socket.send(&(number as u64).to_be_bytes());
		number += 1;
	}
	number
}

fn echo(socket: &UdpSocket, over: &AtomicBool) {
	let mut stamp = [0; 8];
	while !over.load(Ordering::Relaxed) {
		if let Ok((length, from)) = socket.recv_from(&mut stamp) {
			let _ = socket.send_to(&stamp[..length], from);
		}
	}
}

/// Those that came back, and how late.
fn receive(socket: &UdpSocket, began: Instant, over: &AtomicBool) -> Vec<(usize, Duration)> {
	let (mut back, mut stamp) = (Vec::new(), [0; 8]);
	let mut ends = None;
	while ends.is_none_or(|ends| Instant::now() < ends) {
		// Those that are under way are waited for.
		if ends.is_none() && over.load(Ordering::Relaxed) {
			ends = Some(Instant::now() + 2 * CONTROL_DELAY + LOST);
		}
		if let Ok(8) = socket.recv(&mut stamp) {
			let number = u64::from_be_bytes(stamp) as usize;
			back.push((number, began.elapsed().saturating_sub(due(number) + 2 * CONTROL_DELAY)));
		}
	}
	back
}

/// Tries of a run whose figures count only where the machine was quick enough.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tries {
	/// Why those do not count that do not.
	pub voids: Vec<String>,
}

impl Tries {
	/// Whether a run counts for which there is this reason that it does not, such as [`Verdict::void`].
	pub fn counts(&mut self, void: Option<String>) -> bool {
		let counts = void.is_none();
		self.voids.extend(void);
		counts
	}

	/// All were void: not measured.
	pub fn are_over(&self) -> bool {
		self.voids.len() >= TRIES
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	#[test]
	fn run_is_void_where_one_in_a_hundred_is_late() {
		let verdict = |late: usize| {
			let mut all = vec![MS; 1_000 - late];
			all.extend(vec![LATEST + MS; late]);
			Verdict::of(all)
		};
		let (good, bad) = (verdict(10), verdict(11));
		assert_eq!(good.void(), None);
		assert_eq!(bad.void(), Some(bad.to_string()));
		assert_eq!((good.late_ms_p50, bad.late_ms_p99, good.late_ms_max), (1.0, 51.0, 51.0));
		assert!(Verdict::of(Vec::new()).void().is_some(), "nobody looked");
	}

	#[test]
	fn three_voids_are_not_measured() {
		let mut tries = Tries::default();
		assert!(tries.counts(Verdict::of(vec![MS]).void()));
		for _ in 0..TRIES {
			assert!(!tries.are_over());
			assert!(!tries.counts(Verdict::of(vec![LOST]).void()));
		}
		assert!(tries.are_over());
		assert_eq!(tries.voids.len(), TRIES);
	}
}
