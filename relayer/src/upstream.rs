//! When upstream is tried again after it was lost, and what is said of it: sans-IO. Time is counted from any beginning.

use std::time::Duration;

/// Pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause where nobody answers. An attempt takes five seconds by itself and costs three packets; the first window after
/// the origin is back must not wait.
const UNREACHABLE_PAUSE: Duration = FIRST_PAUSE;

/// Longest pause where somebody answers and does not serve us: it has work with each attempt.
const REFUSED_PAUSE: Duration = Duration::from_secs(15);

/// A connection that lasted for so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// An outage is told as it begins, and again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// How a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
	/// There was none.
	Unreachable,
	/// It ended by itself or was ended: after so long, and whether windows had come.
	Ended {
		/// From being served to the end.
		lasted: Duration,
		/// At least one.
		served: bool,
		/// It broke the protocol.
		broke: bool,
	},
	/// It is there, and no longer has what follows our place: it is asked for what it has.
	Gone {
		/// It brought windows before.
		served: bool,
	},
}

/// What upstream gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
	/// A word of the broadcaster.
	Word,
	/// A window.
	Window,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
	/// Before the next attempt.
	pub pause: Duration,
	/// Worth a line.
	pub say: bool,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outage {
	/// Failures in a row.
	failures: u32,
	/// It has just been asked for what it has.
	gone: bool,
	/// Begin of the outage, and when it was told last.
	since: Option<(Duration, Duration)>,
	/// It ended with what we refuse: that upstream speaks with us says nothing yet.
	refused: bool,
}

impl Outage {
	/// A connection is lost, or none could be had.
	pub fn failed(&mut self, loss: Loss, now: Duration) -> Step {
		let longest = match loss {
			Loss::Unreachable => {
				self.gone = false;
				UNREACHABLE_PAUSE
			},
			Loss::Ended { lasted, served, broke } => {
				self.refused = broke;
				if served || lasted >= GOOD {
					self.failures = 0;
					self.gone = false;
				}
				REFUSED_PAUSE
			},
			// Nobody's failing, after a restart or a pause: unless what it has is gone at once, too.
			Loss::Gone { served } if served || !self.gone => {
				self.gone = true;
				return Step {
					pause: Duration::ZERO,
					say: false,
				};
			},
			Loss::Gone { .. } => REFUSED_PAUSE,
		};
		let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(longest);
		self.failures = self.failures.saturating_add(1);
		let say = self.since.is_none_or(|(_, told)| now >= told + SAY_AGAIN);
		let begin = self.since.map_or(now, |(begin, _)| begin);
		let told = self.since.map_or(now, |(_, told)| if say { now } else { told });
		self.since = Some((begin, told));
		Step { pause, say }
	}

	/// Upstream serves us; how long it did not, where that was told. What we refused before must first come otherwise.
	pub fn connected(&mut self, brought: Brought, now: Duration) -> Option<Duration> {
		if self.refused && brought == Brought::Word {
			return None;
		}
		self.refused = false;
		let (begin, _) = self.since.take()?;
		Some(now.saturating_sub(begin))
	}
}

/// Which of several addresses of upstream is next: one after the other, as long as none serves us.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
	addresses: usize,
	at: usize,
}

impl Turns {
	/// Of so many addresses; the first one is first.
	pub fn new(addresses: usize) -> Self {
		Self { addresses, at: 0 }
	}

	/// The one to try now.
	pub fn now(&self) -> usize {
		self.at
	}

	/// That one did not serve us.
	pub fn pass(&mut self) {
		self.at = (self.at + 1).checked_rem(self.addresses).unwrap_or(0);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn addresses_take_turns_and_one_that_serves_keeps_its_own() {
		let mut turns = Turns::new(3);
		let tried: Vec<_> = (0..4)
			.map(|_| {
				let now = turns.now();
				turns.pass();
				now
			})
			.collect();
		assert_eq!(tried, [0, 1, 2, 0]);
		assert_eq!((turns.now(), turns.now()), (1, 1));
	}

	fn ended(seconds: u64, served: bool) -> Loss {
		Loss::Ended {
			lasted: Duration::from_secs(seconds),
			served,
			broke: false,
		}
	}

	#[test]
	fn origin_that_is_gone_is_tried_all_the_time_and_told_of_every_ten_minutes() {
		let mut outage = Outage::default();
		let mut now = Duration::ZERO;
		let mut told = Vec::new();
		for _ in 0..5_000 {
			let step = outage.failed(Loss::Unreachable, now);
			assert!(step.pause <= UNREACHABLE_PAUSE);
			told.extend(step.say.then_some(now.as_secs()));
			now += step.pause;
		}
		assert_eq!(told, [0, 600, 1_200, 1_800, 2_400]);
		assert_eq!(outage.connected(Brought::Word, now), Some(now));
		assert_eq!(outage.connected(Brought::Word, now), None, "once");
		assert!(outage.failed(Loss::Unreachable, now).say, "another outage");
	}

	#[test]
	fn who_refuses_us_is_asked_less_and_less_often() {
		let mut outage = Outage::default();
		let pauses: Vec<u128> = (0..8)
			.map(|_| outage.failed(ended(0, false), Duration::ZERO).pause.as_millis())
			.collect();
		assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
		assert_eq!(
			outage.failed(Loss::Unreachable, Duration::ZERO).pause,
			UNREACHABLE_PAUSE,
			"it restarts"
		);
	}

	/// The fault: an origin whose windows come from the future for an hour had three lines every 15 s, since its statuses are right.
	#[test]
	fn windows_that_are_refused_for_hours_are_told_of_every_ten_minutes() {
		let mut outage = Outage::default();
		let (mut now, mut told) = (Duration::ZERO, Vec::new());
		while now < Duration::from_secs(3_600) {
			let loss = Loss::Ended {
				lasted: Duration::ZERO,
				served: false,
				broke: true,
			};
			let step = outage.failed(loss, now);
			told.extend(step.say.then_some(now.as_secs() / 60));
			now += step.pause;
			assert_eq!(outage.connected(Brought::Word, now), None);
		}
		assert_eq!(told, [0, 10, 20, 30, 40, 50]);
		assert_eq!(outage.connected(Brought::Window, now), Some(now));
	}

	#[test]
	fn upstream_without_what_follows_our_place_is_asked_for_what_it_has_at_once_and_it_is_no_outage() {
		let mut outage = Outage::default();
		let at_once = Step {
			pause: Duration::ZERO,
			say: false,
		};
		assert_eq!(outage.failed(Loss::Gone { served: false }, Duration::ZERO), at_once);
		assert_eq!(
			outage.connected(Brought::Word, Duration::ZERO),
			None,
			"nothing was told"
		);
		assert_eq!(outage.failed(Loss::Gone { served: true }, Duration::ZERO), at_once);
		// One that gives nothing is not asked without end.
		let step = outage.failed(Loss::Gone { served: false }, Duration::ZERO);
		assert!(step.say && step.pause == FIRST_PAUSE, "{step:?}");
		let pause = (0..8).map(|_| outage.failed(Loss::Gone { served: false }, Duration::ZERO).pause);
		assert_eq!(pause.last(), Some(REFUSED_PAUSE));
		// It was restarted.
		outage.failed(Loss::Unreachable, Duration::ZERO);
		assert_eq!(outage.failed(Loss::Gone { served: false }, Duration::ZERO), at_once);
	}

	#[test]
	fn good_connection_forgives() {
		for good in [ended(0, true), ended(10, false)] {
			let mut outage = Outage::default();
			for _ in 0..9 {
				outage.failed(ended(0, false), Duration::ZERO);
			}
			assert_eq!(outage.failed(good, Duration::ZERO).pause, FIRST_PAUSE);
		}
	}
}
