//! Unix time from our own clock, for captures and statuses: it follows the system's clock and never goes back by itself. A step of
//! the system's clock is spread over time, or followed at once. One back that is too long for that is followed only behind
//! [`Wall::turn_back`], for another epoch: till then peers would refuse what seems to come from the future. Sans-IO.

use clustercast_primitives::window::MAX_AHEAD_MS;
use std::{fmt, time::Duration};

/// How far a second of ours may be off while it catches up with the system's clock: one part in so many.
const SLEW: i64 = 100;

/// A system clock so much ahead of ours was wrong before, or the machine was asleep: it is followed at once. µs.
const JUMP: i64 = 10_000_000;

/// Our times may be so far ahead of the system's clock: half of what a relayer lets pass; the other half is for its own. µs.
const MOST_AHEAD: i64 = MAX_AHEAD_MS as i64 * 1_000 / 2;

/// A step that is worth a line. µs.
const WORTH: i64 = 1_000_000;

/// The system's clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
	/// How far, µs; below zero it was set back.
	by: i64,
	follows: Follows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
	AtOnce,
	Slowly,
	InAnotherEpoch,
}

impl fmt::Display for Step {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let seconds = self.by.unsigned_abs() as f64 / 1e6;
		let way = if self.by < 0 { "back" } else { "ahead" };
		write!(f, "the system's clock was set {way} by {seconds:.1} s: ")?;
		f.write_str(match self.follows {
			Follows::AtOnce => "capture times follow at once",
			Follows::Slowly => "capture times follow, by 1 % of the time that passes",
			Follows::InAnotherEpoch => "capture times follow in a new epoch, behind the next final block",
		})
	}
}

/// See the module's own words.
#[derive(Debug, Default)]
pub struct Wall {
	/// Unix time at zero of our clock, µs; none before the first question.
	offset: Option<i64>,
	/// The same by the system's clock, at the last question.
	measured: i64,
	/// Our clock at the last question.
	asked: Duration,
	/// The last capture, ms.
	last_ms: u64,
	/// The next answers may lie before the last ones.
	may_turn: bool,
	/// Not yet told.
	step: Option<Step>,
}

impl Wall {
	/// Unix time of `at`, milliseconds, later than all before in this epoch. At `now` of our clock the system's says `system`,
	/// since 1970.
	pub fn capture_ms(&mut self, at: Duration, now: Duration, system: Duration) -> u64 {
		let offset = self.follow(now, system);
		self.last_ms = ms(at, offset).max(self.last_ms + 1);
		self.last_ms
	}

	/// Unix time now, milliseconds, by the clock that captures are stamped with.
	pub fn now_ms(&mut self, now: Duration, system: Duration) -> u64 {
		let offset = self.follow(now, system);
		ms(now, offset)
	}

	/// Whether our times are ahead of the system's clock by more than they may be: another epoch is needed.
	pub fn is_ahead(&self) -> bool {
		self.offset.is_some_and(|offset| offset - self.measured > MOST_AHEAD)
	}

	/// There is another epoch for what is captured from now on: its times begin where the system's clock is.
	pub fn turn_back(&mut self) {
		self.may_turn = true;
	}

	/// What is to be said of the system's clock, once.
	pub fn step(&mut self) -> Option<Step> {
		self.step.take()
	}

	/// The offset at `now`.
	fn follow(&mut self, now: Duration, system: Duration) -> i64 {
		let measured = micros(system) - micros(now);
		let offset = match self.offset {
			None => measured,
			Some(offset) => {
				let (behind, room) = (measured - offset, micros(now.saturating_sub(self.asked)) / SLEW);
				let turns = std::mem::take(&mut self.may_turn) && behind < -MOST_AHEAD;
				if turns {
					self.last_ms = 0;
				}
				let follows = match behind {
					JUMP.. => Follows::AtOnce,
					_ if turns => Follows::AtOnce,
					_ if behind < -MOST_AHEAD => Follows::InAnotherEpoch,
					_ => Follows::Slowly,
				};
				let by = measured - self.measured;
				if by.abs() >= WORTH {
					self.step = Some(Step { by, follows });
				}
				match follows {
					Follows::AtOnce => measured,
					Follows::Slowly | Follows::InAnotherEpoch => offset + behind.clamp(-room, room),
				}
			},
		};
		(self.offset, self.measured, self.asked) = (Some(offset), measured, now);
		offset
	}
}

fn ms(at: Duration, offset: i64) -> u64 {
	u64::try_from((micros(at) + offset) / 1_000).unwrap_or_default()
}

fn micros(time: Duration) -> i64 {
	i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
	use super::*;

	const UNIX: Duration = Duration::from_secs(1_700_000_000);
	const TICK: Duration = Duration::from_micros(33_333);

	/// Ticks for so long, with a system clock that is off by so many milliseconds: the last answer, and the longest and shortest step.
	fn run(wall: &mut Wall, from: Duration, ticks: u32, off_ms: i64) -> (Duration, i64, u64, u64) {
		let (mut now, mut last, mut longest, mut shortest) = (from, wall.last_ms, 0, u64::MAX);
		for _ in 0..ticks {
			now += TICK;
			let system = UNIX + now;
			let system = match off_ms {
				0.. => system + Duration::from_millis(off_ms.unsigned_abs()),
				_ => system - Duration::from_millis(off_ms.unsigned_abs()),
			};
			let ms = wall.capture_ms(now, now, system);
			if let Some(step) = ms.checked_sub(last).filter(|_| last > 0) {
				longest = longest.max(step);
				shortest = shortest.min(step);
			}
			last = ms;
		}
		(now, last as i64 - (UNIX + now).as_millis() as i64, longest, shortest)
	}

	#[test]
	fn times_are_the_systems() {
		let (_, off, longest, shortest) = run(&mut Wall::default(), Duration::ZERO, 900, 0);
		assert!(
			off.abs() <= 1 && longest <= 34 && shortest >= 33,
			"{off} {longest} {shortest}"
		);
	}

	#[test]
	fn a_step_is_spread_over_time_in_both_directions() {
		for step in [-5_000i64, 5_000] {
			let mut wall = Wall::default();
			let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
			let (now, off, longest, shortest) = run(&mut wall, now, 3_000, step);
			assert!(longest <= 35 && shortest >= 32, "{longest} {shortest}");
			assert!((off - step / 5).abs() < 20, "a hundredth of 100 s: {off}");
			let (_, off, ..) = run(&mut wall, now, 15_000, step);
			assert!((off - step).abs() <= 1, "{off}");
		}
	}

	#[test]
	fn a_clock_that_was_set_right_is_followed_at_once() {
		let mut wall = Wall::default();
		let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
		let (_, off, ..) = run(&mut wall, now, 1, 3_600_000);
		assert!((off - 3_600_000).abs() <= 1, "{off}");
	}

	#[test]
	fn times_never_go_back_by_themselves() {
		let mut wall = Wall::default();
		let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
		let (_, _, _, shortest) = run(&mut wall, now, 300, -3_600_000);
		assert!(shortest >= 32, "{shortest}");
	}

	/// The fault: set back by two minutes, an hour later it was still a minute and a half ahead, and every relayer refused it.
	#[test]
	fn a_clock_that_is_set_back_too_far_is_followed_in_another_epoch() {
		for back in [-31_000, -120_000, -86_400_000] {
			let mut wall = Wall::default();
			let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
			assert!(!wall.is_ahead());
			let (now, ..) = run(&mut wall, now, 30, back);
			assert!(wall.is_ahead(), "{back}");
			wall.turn_back();
			let (now, off, ..) = run(&mut wall, now, 1, back);
			assert!((off - back).abs() <= 1 && !wall.is_ahead(), "{off}");
			let (_, off, longest, shortest) = run(&mut wall, now, 900, back);
			assert!((off - back).abs() <= 1 && longest <= 34 && shortest >= 33, "{off}");
		}
	}

	#[test]
	fn what_nobody_refuses_needs_no_other_epoch() {
		let mut wall = Wall::default();
		let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
		run(&mut wall, now, 30, -29_000);
		assert!(!wall.is_ahead());
	}

	#[test]
	fn statuses_and_captures_go_by_one_clock() {
		let mut wall = Wall::default();
		let (now, off, ..) = run(&mut wall, Duration::ZERO, 30, 0);
		assert!(off.abs() <= 1);
		let now = now + TICK;
		let status = wall.now_ms(now, UNIX + now - Duration::from_secs(20));
		let capture = wall.capture_ms(now, now, UNIX + now - Duration::from_secs(20));
		assert!(capture.abs_diff(status) <= 1, "{capture} {status}");
	}

	#[test]
	fn a_step_is_told_once_with_what_is_done_about_it() {
		for (step, told) in [
			(100, None),
			(-100, None),
			(5_000, Some("ahead by 5.0 s: capture times follow, by 1 %")),
			(-5_000, Some("back by 5.0 s: capture times follow, by 1 %")),
			(3_600_000, Some("ahead by 3600.0 s: capture times follow at once")),
			(
				-3_600_000,
				Some("back by 3600.0 s: capture times follow in a new epoch"),
			),
		] {
			let mut wall = Wall::default();
			let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
			run(&mut wall, now, 300, step);
			let line = wall.step().map(|step| step.to_string());
			assert_eq!(line.is_some(), told.is_some(), "{step} {line:?}");
			assert!(line.unwrap_or_default().contains(told.unwrap_or_default()));
			assert_eq!(wall.step(), None);
		}
	}
}
