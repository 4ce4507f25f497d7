//! For what may go wrong many times a second and is worth a line now and then: sans-IO.

use std::time::{Duration, Instant};

/// Between two lines about the same thing.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Lets one through for each [`MINUTE`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Seldom {
	told: Option<Instant>,
	untold: u64,
}

impl Seldom {
	/// It went wrong. Whether that is worth a line: then, how often it did since the last one, which nobody was told.
	pub fn due(&mut self, now: Instant) -> Option<u64> {
		if self.told.is_some_and(|told| now < told + MINUTE) {
			self.untold += 1;
			return None;
		}
		self.told = Some(now);
		Some(std::mem::take(&mut self.untold))
	}

	/// It goes well again; whether anybody was told that it did not. The next failure is worth a line at once.
	pub fn well(&mut self) -> bool {
		std::mem::take(self).told.is_some()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn one_line_a_minute_says_how_many_were_left_out() {
		let (mut seldom, start) = (Seldom::default(), Instant::now());
		let lines: Vec<_> = (0..1_800)
			.filter_map(|tenth| seldom.due(start + Duration::from_millis(100 * tenth)))
			.collect();
		assert_eq!(lines, [0, 599, 599]);
		assert!(seldom.well() && !seldom.well());
		assert_eq!(seldom.due(start), Some(0));
	}
}
