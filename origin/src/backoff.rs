//! How long to wait before a child is started again. Time is an argument.

use std::time::Duration;

/// Pause before the first restart; doubles with each run that was of no use.
pub const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A run whose output came for this long was good. Not its first output: what dies at each key frame gives a picture every time.
pub const GOOD_RUN: Duration = Duration::from_secs(2);

/// Restarts of one child. Times are of any clock that never goes back.
#[derive(Clone, Debug)]
pub struct Backoff {
	pause: Duration,
	/// When this run's first output came.
	first: Option<Duration>,
}

impl Default for Backoff {
	fn default() -> Self {
		Self {
			pause: FIRST_PAUSE,
			first: None,
		}
	}
}

impl Backoff {
	/// The child gave something.
	pub fn output(&mut self, now: Duration) {
		let first = *self.first.get_or_insert(now);
		if now.saturating_sub(first) >= GOOD_RUN {
			self.pause = FIRST_PAUSE;
		}
	}

	/// The child ended: when it may be started again.
	pub fn ended(&mut self, now: Duration) -> Duration {
		self.first = None;
		let pause = self.pause;
		self.pause = (pause * 2).min(LONGEST_PAUSE);
		now + pause
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const fn ms(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	#[test]
	fn pauses_double_up_to_a_limit() {
		let mut backoff = Backoff::default();
		let pauses: Vec<_> = (0..8).map(|_| backoff.ended(ms(100)) - ms(100)).collect();
		assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000].map(ms));
	}

	#[test]
	fn a_good_run_is_forgiven_all_before() {
		let mut backoff = Backoff::default();
		for _ in 0..5 {
			backoff.ended(ms(0));
		}
		backoff.output(ms(1_000));
		backoff.output(ms(3_000));
		assert_eq!(backoff.ended(ms(4_000)), ms(4_250));
		assert_eq!(backoff.ended(ms(5_000)), ms(5_500));
	}

	#[test]
	fn one_picture_before_each_crash_is_no_good_run() {
		let mut backoff = Backoff::default();
		let mut now = ms(0);
		for run in 0..6 {
			backoff.output(now + ms(50));
			let again = backoff.ended(now + ms(100));
			assert_eq!(again - now, ms(100) + (FIRST_PAUSE * (1 << run)).min(LONGEST_PAUSE));
			now = again;
		}
	}
}
