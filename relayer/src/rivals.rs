//! When this program holds its transactions back because another one sends with the same account: two that take turns at one
//! counter of nonces refuse each other's. Sans-IO.

use std::time::{Duration, Instant};

/// First pause; doubles with each time that the other one is seen again.
const FIRST: Duration = Duration::from_secs(15);

/// Longest pause: a payment is handed in four minutes before it expires.
const LONGEST: Duration = Duration::from_secs(60);

/// Who has not seen another one for so long begins anew: somebody changed an entry by hand.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rivals {
	/// How often another one was seen.
	seen: u64,
	/// When it was seen last, and how long that makes us wait.
	last: Option<(Instant, Duration)>,
}

impl Rivals {
	/// Another one was seen so often by now. Whether to wait.
	pub fn holds(&mut self, seen: u64, now: Instant) -> bool {
		if seen > self.seen {
			self.seen = seen;
			let before = self.last.filter(|(at, _)| now < *at + FORGOTTEN);
			let pause = before.map_or(FIRST, |(_, pause)| (pause * 2).min(LONGEST));
			self.last = Some((now, pause));
		}
		self.last.is_some_and(|(at, pause)| now < at + pause)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn who_sees_another_one_waits_and_longer_each_time() {
		let (mut rivals, start) = (Rivals::default(), Instant::now());
		let at = |seconds| start + Duration::from_secs(seconds);
		assert!(!rivals.holds(0, at(0)));
		assert!(rivals.holds(1, at(0)) && rivals.holds(1, at(14)) && !rivals.holds(1, at(15)));
		assert!(rivals.holds(2, at(20)) && rivals.holds(2, at(49)) && !rivals.holds(2, at(50)));
		assert!(rivals.holds(5, at(60)) && !rivals.holds(5, at(120)));
		assert!(
			rivals.holds(6, at(130)) && !rivals.holds(6, at(190)),
			"a minute at most"
		);
		assert!(
			rivals.holds(7, at(730)) && !rivals.holds(7, at(745)),
			"after ten minutes anew"
		);
	}
}
