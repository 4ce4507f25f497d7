//! When a window has to be here. The broadcaster's clock need not be right: what counts is how soon windows of late could be had.

use core::time::Duration;

/// Windows' time from when a window can be had until it is played: a window of 2 s is played 6 s behind its capture at the latest.
const AHEAD: u32 = 2;

/// However short windows are: what a connection across the world takes to lose a packet and be asked for another source.
const LEAST: Duration = Duration::from_secs(1);

/// What was seen counts for so long at least, and twice as long at most: clocks drift, and are set.
const COUNTS: Duration = Duration::from_secs(60);

/// See the module. For one run of a broadcast; another begins anew.
#[derive(Clone, Debug, Default)]
pub struct Playhead {
	epoch: u32,
	since: Option<Duration>,
	/// How long behind its capture, by its stamp, the soonest window was announced: by our clock less theirs. The newest, and those before.
	soonest: Option<i64>,
	before: Option<i64>,
}

impl Playhead {
	/// A window with this capture time (Unix time, milliseconds) was announced for the first time; when it is due.
	pub fn see(&mut self, epoch: u32, start_ms: u64, length: Duration, now: Duration) -> Duration {
		if self.epoch != epoch {
			*self = Self {
				epoch,
				..Self::default()
			};
		}
		let since = *self.since.get_or_insert(now);
		if now.saturating_sub(since) >= COUNTS {
			(self.before, self.soonest, self.since) = (self.soonest, None, Some(now));
		}
		let behind = i64::try_from(now.as_millis())
			.unwrap_or(i64::MAX)
			.saturating_sub(i64::try_from(start_ms).unwrap_or(i64::MAX));
		let newest = self.soonest.map_or(behind, |soonest| soonest.min(behind));
		self.soonest = Some(newest);
		let soonest = self.before.map_or(newest, |before| before.min(newest));
		// One that is announced late is played late: nothing is gained by passing it over at once.
		let late = Duration::from_millis(u64::try_from(behind.saturating_sub(soonest)).unwrap_or(0));
		let ahead = length.saturating_mul(AHEAD).max(LEAST);
		now + ahead.saturating_sub(late).max(length.min(ahead) / 2)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const LENGTH: Duration = Duration::from_secs(2);

	fn at(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	#[test]
	fn window_is_due_two_windows_behind_when_the_soonest_could_be_had() {
		let mut playhead = Playhead::default();
		let captured = 1_700_000_000_000;
		assert_eq!(playhead.see(1, captured, LENGTH, at(2_300)), at(6_300));
		// This relayer is 200 ms quicker, the next window 500 ms later.
		assert_eq!(playhead.see(1, captured + 2_000, LENGTH, at(4_100)), at(8_100));
		assert_eq!(playhead.see(1, captured + 4_000, LENGTH, at(6_600)), at(10_100));
	}

	#[test]
	fn window_that_is_announced_late_has_half_its_time_nevertheless() {
		let mut playhead = Playhead::default();
		playhead.see(1, 1_000, LENGTH, at(3_000));
		assert_eq!(playhead.see(1, 3_000, LENGTH, at(30_000)), at(31_000));
		// Nor does another run inherit anything.
		assert_eq!(playhead.see(2, 99_000, LENGTH, at(31_000)), at(35_000));
	}

	#[test]
	fn parts_of_200_ms_have_a_second() {
		let length = Duration::from_millis(200);
		assert_eq!(Playhead::default().see(1, 5, length, at(700)), at(1_700));
	}

	#[test]
	fn clock_that_was_set_is_forgotten_in_two_minutes() {
		let mut playhead = Playhead::default();
		playhead.see(1, 60_000, LENGTH, at(2_000));
		let mut due = Duration::ZERO;
		for second in (4..=130).step_by(2) {
			due = playhead.see(1, second * 1_000 - 2_000, LENGTH, at(second * 1_000)) - at(second * 1_000);
		}
		assert_eq!(due, at(4_000));
	}
}
