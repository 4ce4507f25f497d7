//! So many at once, then one each pause. Time is an argument.

use std::time::{Duration, Instant};

/// A bucket that leaks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
	/// Until when it holds something.
	full: Option<Instant>,
}

impl Bucket {
	/// Whether one more passes: `burst` at once, then one each `pause`.
	pub fn pass(&mut self, burst: u32, pause: Duration, now: Instant) -> bool {
		let full = self.full.filter(|full| *full > now).unwrap_or(now);
		let passes = full + pause <= now + pause * burst;
		if passes {
			self.full = Some(full + pause);
		}
		passes
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn so_many_pass_at_once_and_then_one_each_pause() {
		let (mut bucket, start, pause) = (Bucket::default(), Instant::now(), Duration::from_secs(2));
		let mut passed = |ms: u64| bucket.pass(3, pause, start + Duration::from_millis(ms));
		assert_eq!([0, 0, 1, 1, 1_999].map(&mut passed), [true, true, true, false, false]);
		let rest = (2_000..22_000).step_by(10).filter(|ms| passed(*ms)).count();
		assert_eq!(rest, 10);
		// Full again after a rest.
		assert_eq!([60_000; 4].map(passed), [true, true, true, false]);
	}
}
