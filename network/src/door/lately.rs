//! Sums over the last time, in two periods: the one that runs and the one before.

use std::time::Duration;
use tokio::time::Instant;

/// Something that is offered, and what is bought of it; bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
	pub offered: u64,
	pub bought: u64,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lately {
	period: Duration,
	begun: Option<Instant>,
	current: Sum,
	previous: Sum,
}

impl Lately {
	/// Nothing yet. What is older than two of these periods does not count, and what is younger than one does.
	pub fn new(period: Duration) -> Self {
		Self {
			period,
			begun: None,
			current: Sum::default(),
			previous: Sum::default(),
		}
	}

	/// So much more.
	pub fn note(&mut self, more: Sum, now: Instant) {
		(self.previous, self.current, self.begun) = self.at(now);
		self.current.offered = self.current.offered.saturating_add(more.offered);
		self.current.bought = self.current.bought.saturating_add(more.bought);
	}

	/// In both periods.
	pub fn sum(&self, now: Instant) -> Sum {
		let (previous, current, _) = self.at(now);
		Sum {
			offered: previous.offered.saturating_add(current.offered),
			bought: previous.bought.saturating_add(current.bought),
		}
	}

	/// The period before, the one that runs, and since when.
	fn at(&self, now: Instant) -> (Sum, Sum, Option<Instant>) {
		let begun = self.begun.unwrap_or(now);
		let age = now.saturating_duration_since(begun);
		if age < self.period {
			(self.previous, self.current, Some(begun))
		} else if age < 2 * self.period {
			(self.current, Sum::default(), Some(begun + self.period))
		} else {
			(Sum::default(), Sum::default(), Some(now))
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn what_is_younger_than_a_period_counts_and_what_is_older_than_two_does_not() {
		let (period, now) = (Duration::from_secs(60), Instant::now());
		let one = Sum { offered: 10, bought: 1 };
		let mut lately = Lately::new(period);
		lately.note(one, now);
		lately.note(one, now + period / 2);
		let both = Sum { offered: 20, bought: 2 };
		assert_eq!(lately.sum(now + period - Duration::from_secs(1)), both);
		assert_eq!(lately.sum(now + period * 3 / 2), both, "in the period before");
		assert_eq!(lately.sum(now + 2 * period), Sum::default());
		lately.note(one, now + 3 * period / 2);
		assert_eq!(
			lately.sum(now + 2 * period + period / 4),
			one,
			"the first two are of too long ago"
		);
	}
}
