//! How far the broadcaster's clock is ahead of ours at least: what was captured is over. What is learnt belongs to an epoch, and is
//! forgotten after a while, since clocks are set. Pure.

use clustercast_primitives::WindowId;
use std::time::{Duration, Instant};

/// What is seen counts for so long at least, and twice that at most: windows come later by the network's unevenness alone, and
/// players want a clock that stands still meanwhile.
const COUNTS: Duration = Duration::from_secs(60);

/// See the module's own words.
#[derive(Debug, Default)]
pub struct Ahead {
	/// Stream and epoch of what was seen.
	of: Option<(u64, u32)>,
	/// Since when the newest is gathered.
	since: Option<Instant>,
	/// The most that was seen since then, and in the time before; milliseconds.
	newest: u64,
	before: u64,
}

impl Ahead {
	/// A window came that ends at `end_ms` by the broadcaster's clock, when ours said `now_ms`.
	pub fn see(&mut self, id: &WindowId, end_ms: u64, now_ms: u64, now: Instant) {
		let of = Some((id.stream.0, id.epoch));
		if self.of != of {
			*self = Self { of, ..Self::default() };
		}
		let since = *self.since.get_or_insert(now);
		if now.saturating_duration_since(since) >= COUNTS {
			(self.before, self.newest, self.since) = (self.newest, 0, Some(now));
		}
		self.newest = self.newest.max(end_ms.saturating_sub(now_ms));
	}

	/// Milliseconds.
	pub fn ms(&self) -> u64 {
		self.newest.max(self.before)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::StreamId;

	fn id(epoch: u32) -> WindowId {
		WindowId {
			stream: StreamId(7),
			track: 0,
			epoch,
			segment: 1,
			part: 0,
		}
	}

	/// A window each 2 s from this second on, so many milliseconds ahead of ours: what is said after each.
	fn see(ahead: &mut Ahead, epoch: u32, start: Instant, seconds: std::ops::Range<u64>, ms: u64) -> Vec<u64> {
		let at = |second: &u64| {
			ahead.see(
				&id(epoch),
				1_000 * second + ms,
				1_000 * second,
				start + Duration::from_secs(*second),
			);
			ahead.ms()
		};
		seconds.step_by(2).collect::<Vec<_>>().iter().map(at).collect()
	}

	/// The fault: after one window from the future the clock was wrong until the player was started again.
	#[test]
	fn what_one_epoch_taught_says_nothing_of_the_next() {
		let (mut ahead, start) = (Ahead::default(), Instant::now());
		see(&mut ahead, 1, start, 0..10, 50_000);
		assert_eq!(ahead.ms(), 50_000);
		assert_eq!(see(&mut ahead, 2, start, 10..12, 0), [0]);
	}

	#[test]
	fn a_clock_that_was_set_right_is_right_within_two_minutes() {
		let (mut ahead, start) = (Ahead::default(), Instant::now());
		see(&mut ahead, 1, start, 0..2, 50_000);
		let said = see(&mut ahead, 1, start, 2..122, 300);
		assert_eq!((said.first(), said.last()), (Some(&50_000), Some(&300)));
	}

	#[test]
	fn windows_that_come_late_do_not_move_the_clock() {
		let (mut ahead, start) = (Ahead::default(), Instant::now());
		for minute in 0..20 {
			let from = 60 * minute;
			see(&mut ahead, 1, start, from..from + 2, 5_000);
			let said = see(&mut ahead, 1, start, from + 2..from + 60, 3_000);
			assert!(said.iter().all(|ms| *ms == 5_000), "{said:?}");
		}
	}
}
