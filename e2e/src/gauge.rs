//! How late and how crowded this machine is while something is timed: a control. What fails on a machine that was either says nothing of
//! the programs.

use std::{
	fmt, fs,
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering},
		Arc,
	},
	thread,
	time::{Duration, Instant},
};

/// Between two looks.
const STEP: Duration = Duration::from_millis(50);

/// Where one look in a hundred is later than this, the machine was late: the rule of the network lab.
const LATEST: Duration = Duration::from_millis(50);

/// So it was where a single one is: longer than programs that are well wait for each other.
const STILL: Duration = Duration::from_secs(1);

/// So it was where, on the average, more threads than this wanted each core: who sleeps most of the time, as this control does, is let
/// in at once, while an encoder, who needs a third of a core, is behind for good.
const CROWD: f64 = 4.0;

/// Looks at the clock in a thread of its own until it is dropped, and at how many threads want to run.
#[derive(Default)]
pub struct Gauge {
	seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
	looks: AtomicU64,
	late: AtomicU64,
	/// Milliseconds.
	worst: AtomicU64,
	/// Threads that wanted to run, the sum over all looks.
	wanting: AtomicU64,
	ends: AtomicBool,
}

impl Gauge {
	/// Begins.
	pub fn start() -> Self {
		let gauge = Self::default();
		let seen = gauge.seen.clone();
		thread::spawn(move || {
			while !seen.ends.load(Ordering::Relaxed) {
				let began = Instant::now();
				thread::sleep(STEP);
				seen.look(began.elapsed().saturating_sub(STEP), wanting());
			}
		});
		gauge
	}

	/// The latest look so far.
	pub fn late(&self) -> Duration {
		Duration::from_millis(self.seen.worst.load(Ordering::Relaxed))
	}

	/// The machine was so late, or so crowded, that what was timed meanwhile is void.
	pub fn is_void(&self) -> bool {
		let (looks, late) = (&self.seen.looks, &self.seen.late);
		let late = late.load(Ordering::Relaxed) * 100 > looks.load(Ordering::Relaxed);
		late || self.late() > STILL || self.crowd() > CROWD
	}

	/// How many threads wanted each core, on the average.
	fn crowd(&self) -> f64 {
		let looks = self.seen.looks.load(Ordering::Relaxed).max(1);
		self.seen.wanting.load(Ordering::Relaxed) as f64 / looks as f64 / cores()
	}
}

fn cores() -> f64 {
	thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Threads that run or would now, this one left out: the fourth field of `/proc/loadavg` begins with them.
fn wanting() -> u64 {
	let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
	let running = all.split(' ').nth(3).and_then(|field| field.split('/').next());
	let running: u64 = running.and_then(|count| count.parse().ok()).unwrap_or(0);
	running.saturating_sub(1)
}

impl fmt::Display for Gauge {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (looks, late) = (&self.seen.looks, &self.seen.late);
		write!(
			f,
			"{} of {} looks at the clock were more than {} ms late, the latest {} ms; {:.1} threads wanted each core",
			late.load(Ordering::Relaxed),
			looks.load(Ordering::Relaxed),
			LATEST.as_millis(),
			self.late().as_millis(),
			self.crowd()
		)
	}
}

impl Seen {
	fn look(&self, late: Duration, wanting: u64) {
		self.wanting.fetch_add(wanting, Ordering::Relaxed);
		self.looks.fetch_add(1, Ordering::Relaxed);
		if late > LATEST {
			self.late.fetch_add(1, Ordering::Relaxed);
		}
		let late = late.as_millis().try_into().unwrap_or(u64::MAX);
		self.worst.fetch_max(late, Ordering::Relaxed);
	}
}

impl Drop for Gauge {
	fn drop(&mut self) {
		self.seen.ends.store(true, Ordering::Relaxed);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn gauge(looks: &[(u64, u64)]) -> Gauge {
		let gauge = Gauge::default();
		for (times, late) in looks {
			for _ in 0..*times {
				gauge.seen.look(Duration::from_millis(*late), 1);
			}
		}
		gauge
	}

	#[test]
	fn machine_was_late_where_one_look_in_a_hundred_was_or_it_stood_still() {
		assert!(!gauge(&[(99, 50), (1, 1_000)]).is_void());
		assert!(gauge(&[(98, 0), (2, 51)]).is_void());
		assert!(gauge(&[(9_999, 0), (1, 1_001)]).is_void());
		assert!(!gauge(&[]).is_void());
	}

	#[test]
	fn machine_was_crowded_where_threads_waited_for_each_other_though_no_look_was_late() {
		let crowded = |each: f64| {
			let gauge = Gauge::default();
			for wanting in [0.0, 2.0 * each * cores()] {
				gauge.seen.look(Duration::ZERO, wanting as u64);
			}
			gauge.is_void()
		};
		assert!(!crowded(CROWD));
		assert!(crowded(CROWD + 1.0));
		assert!(wanting() < 10_000, "no sum of another field");
	}
}
