//! Time in which we ran ourselves: what was stopped, suspended or starved of CPU cannot know whether others were silent meanwhile.

use std::time::Duration;

/// Between two looks while something is waited for, at most.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// Of the time since the look before, no more than this counts: looks are a little late on a busy machine.
const COUNTS: Duration = Duration::from_millis(400);

/// A clock that stands still while nobody looks at it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Awake {
	/// The last look.
	last: Option<Duration>,
	/// What did not count.
	away: Duration,
}

impl Awake {
	/// Looks: `now` on this clock.
	pub(super) fn look(&mut self, now: Duration) -> Duration {
		self.away = self.away_at(now);
		self.last = Some(now);
		now.saturating_sub(self.away)
	}

	/// The same without a look.
	pub(super) fn peek(&self, now: Duration) -> Duration {
		now.saturating_sub(self.away_at(now))
	}

	/// When this clock will show `at`, looked at often enough; or when it has to be looked at.
	pub(super) fn due(&self, at: Duration) -> Duration {
		let due = at.saturating_add(self.away);
		self.last.map_or(due, |last| due.min(last + LOOK))
	}

	fn away_at(&self, now: Duration) -> Duration {
		let since = self.last.map_or(Duration::ZERO, |last| now.saturating_sub(last));
		self.away + since.saturating_sub(COUNTS)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn time_in_which_nobody_looked_counts_for_little_and_every_other_in_full() {
		let mut awake = Awake::default();
		let at = Duration::from_millis;
		assert_eq!(awake.look(at(70_000)), at(70_000));
		for now in (70_100..80_000).step_by(100) {
			assert_eq!(awake.look(at(now)), at(now));
		}
		assert_eq!(awake.peek(at(3_600_000)), at(79_900) + COUNTS);
		assert_eq!(awake.look(at(3_600_000)), at(79_900) + COUNTS);
		assert_eq!(awake.look(at(3_600_300)), at(80_200) + COUNTS);
		assert_eq!(
			awake.due(at(80_250) + COUNTS),
			at(3_600_350),
			"it stood still for so long"
		);
		assert_eq!(awake.due(at(90_000)), at(3_600_300) + LOOK);
	}
}
