//! How late this machine is while something is timed: a control. What fails on a machine that was late says nothing of the programs.

use std::{
	fmt,
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

/// Looks at the clock in a thread of its own until it is dropped.
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
				seen.look(began.elapsed().saturating_sub(STEP));
			}
		});
		gauge
	}

	/// The latest look so far.
	pub fn late(&self) -> Duration {
		Duration::from_millis(self.seen.worst.load(Ordering::Relaxed))
	}

	/// The machine was so late that what was timed meanwhile is void.
	pub fn is_void(&self) -> bool {
		let (looks, late) = (&self.seen.looks, &self.seen.late);
		late.load(Ordering::Relaxed) * 100 > looks.load(Ordering::Relaxed) || self.late() > STILL
	}
}

impl fmt::Display for Gauge {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (looks, late) = (&self.seen.looks, &self.seen.late);
		write!(
			f,
			"{} of {} looks at the clock were more than {} ms late, the latest {} ms",
			late.load(Ordering::Relaxed),
			looks.load(Ordering::Relaxed),
			LATEST.as_millis(),
			self.late().as_millis()
		)
	}
}

impl Seen {
	fn look(&self, late: Duration) {
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
				gauge.seen.look(Duration::from_millis(*late));
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
}
