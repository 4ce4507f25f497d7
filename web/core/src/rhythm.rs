//! Whether the next window is late, long before it is sure that a relayer failed ([`Patience`](clustercast_protocol::Patience)): the broadcaster
//! is live, the time for it has passed, and nothing of it comes. Whether somebody else is asked is the page's to decide.
//!
//! Time is our own, from any beginning, and only goes forward.

use core::time::Duration;

/// A window comes when the one before it was here for its own length. The page holds 0.7 s beyond that: what is left of it then is for
/// turning to another relayer.
const LATE: Duration = Duration::from_millis(400);

/// Where windows are late now and then, by whoever's fault, the picture has been held back by as much: so many times what was seen of late.
const TIMES: u32 = 2;

/// But not for longer than this.
const MOST: Duration = Duration::from_secs(2);

/// Of who was just turned to: a connection stands already, the account is looked up, and what it has comes at once.
const FIRST: Duration = Duration::from_secs(2);

/// While bytes come at least so often something is coming.
const STILL: Duration = Duration::from_millis(300);

/// How often it is told.
const AGAIN: Duration = Duration::from_millis(500);

/// See the module. One for each relayer that is turned to.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
	/// It was turned to.
	begun: Duration,
	/// When the last window was whole, whoever brought it.
	fed: Option<Duration>,
	/// When the last bytes of one came.
	moved: Duration,
	/// When it was told.
	told: Option<Duration>,
	/// This relayer brought a window.
	serves: bool,
	/// How late its windows were of late.
	usual: Duration,
}

impl Rhythm {
	/// Turns to a relayer.
	pub fn new(now: Duration) -> Self {
		Self {
			begun: now,
			fed: None,
			moved: now,
			told: None,
			serves: false,
			usual: Duration::ZERO,
		}
	}

	/// The same, behind what others brought.
	pub fn turn(&self, now: Duration) -> Self {
		Self {
			fed: self.fed,
			..Self::new(now)
		}
	}

	/// Bytes of a window came.
	pub fn moved(&mut self, now: Duration) {
		self.moved = now;
	}

	/// A window is whole. `length`: of the one before it.
	pub fn window(&mut self, length: Duration, now: Duration) {
		if let (true, Some(fed)) = (self.serves, self.fed) {
			self.usual = (self.usual * 7 / 8).max(now.saturating_sub(fed + length));
		}
		(self.fed, self.moved, self.told, self.serves) = (Some(now), now, None, true);
	}

	/// Whether to tell that the next one is late: windows take so long, and the broadcaster makes them.
	pub fn is_late(&mut self, is_live: bool, length: Duration, now: Duration) -> bool {
		// Who begins live may wait for the whole of one.
		let slack = (self.usual * TIMES).clamp(LATE, MOST);
		let due = self.fed.map_or(self.begun + FIRST, |fed| fed + slack) + length;
		let due = due.max(self.begun + FIRST).max(self.moved + STILL);
		let again = self.told.map_or(Duration::ZERO, |told| told + AGAIN);
		let is_late = is_live && now >= due.max(again);
		if is_late {
			self.told = Some(now);
		}
		is_late
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const LENGTH: Duration = Duration::from_secs(2);

	fn at(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	/// When it is told, looked at every 100 ms until then.
	fn told(mut rhythm: Rhythm, from: u64, to: u64, is_live: bool) -> Vec<u64> {
		let looks = (from..=to).step_by(100);
		looks.filter(|ms| rhythm.is_late(is_live, LENGTH, at(*ms))).collect()
	}

	#[test]
	fn window_is_late_when_its_time_has_passed_and_is_told_again() {
		let mut rhythm = Rhythm::new(at(0));
		rhythm.window(LENGTH, at(10_000));
		assert_eq!(told(rhythm, 10_000, 13_500, true), [12_400, 12_900, 13_400]);
		rhythm.window(LENGTH, at(12_000));
		assert_eq!(told(rhythm, 12_000, 14_800, true), [14_400]);
	}

	#[test]
	fn window_that_is_late_now_and_then_is_waited_for_longer_and_never_for_ever() {
		let mut rhythm = Rhythm::new(at(0));
		rhythm.window(LENGTH, at(10_000));
		// Half a second late.
		rhythm.window(LENGTH, at(12_500));
		assert_eq!(told(rhythm, 12_500, 15_600, true), [15_500]);
		let mut forgotten = rhythm;
		(1..=8).for_each(|n| forgotten.window(LENGTH, at(12_500 + 2_000 * n)));
		assert_eq!(told(forgotten, 28_500, 31_000, true), [30_900]);
		rhythm.window(LENGTH, at(60_000));
		assert_eq!(told(rhythm, 60_000, 64_000, true), [64_000]);
		// What the one before it took is not the next one's.
		let mut next = rhythm.turn(at(64_000));
		next.window(LENGTH, at(64_300));
		assert_eq!(told(next, 64_300, 66_700, true), [66_700]);
	}

	#[test]
	fn nothing_is_late_while_the_broadcaster_makes_none() {
		let mut rhythm = Rhythm::new(at(0));
		rhythm.window(LENGTH, at(10_000));
		assert_eq!(told(rhythm, 10_000, 60_000, false), [0; 0]);
	}

	#[test]
	fn window_that_comes_is_waited_for() {
		let mut rhythm = Rhythm::new(at(0));
		rhythm.window(LENGTH, at(10_000));
		rhythm.moved(at(12_300));
		assert_eq!(told(rhythm, 12_300, 12_700, true), [12_600]);
	}

	/// The fault: who was just turned to was late at once, as the one before it had been.
	#[test]
	fn who_was_just_turned_to_has_its_time_and_who_begins_live_that_of_a_window_more() {
		assert_eq!(told(Rhythm::new(at(0)), 0, 4_100, true), [4_000]);
		let mut before = Rhythm::new(at(0));
		before.window(LENGTH, at(10_000));
		assert!(before.is_late(true, LENGTH, at(12_500)));
		assert_eq!(told(before.turn(at(12_500)), 12_500, 14_600, true), [14_500]);
		// Nor sooner than the window can be there.
		assert_eq!(told(before.turn(at(10_100)), 10_100, 12_500, true), [12_400]);
	}
}
