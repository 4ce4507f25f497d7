//! Capture times from our own clock: they follow the system's clock, never go back, and a step of it is spread over time. Sans-IO.

use std::time::Duration;

/// How far a second of ours may be off while it catches up with the system's clock: one part in so many.
const SLEW: i64 = 100;

/// A system clock so much ahead of ours was wrong before, or the machine was asleep: it is followed at once. µs.
const JUMP: i64 = 10_000_000;

/// See the module's own words.
#[derive(Debug, Default)]
pub struct Wall {
	/// Unix time at zero of our clock, µs; none before the first question.
	offset: Option<i64>,
	/// Our clock at the last question.
	asked: Duration,
	/// The last answer, ms.
	last_ms: u64,
}

impl Wall {
	/// Unix time of `at`, milliseconds, later than all before. At `now` of our clock the system's says `system`, since 1970.
	pub fn capture_ms(&mut self, at: Duration, now: Duration, system: Duration) -> u64 {
		let measured = micros(system) - micros(now);
		let offset = match self.offset {
			None => measured,
			Some(offset) => {
				let (behind, room) = (measured - offset, micros(now.saturating_sub(self.asked)) / SLEW);
				match behind {
					JUMP.. => measured,
					_ => offset + behind.clamp(-room, room),
				}
			},
		};
		(self.offset, self.asked) = (Some(offset), now);
		let ms = u64::try_from((micros(at) + offset) / 1_000).unwrap_or_default();
		self.last_ms = ms.max(self.last_ms + 1);
		self.last_ms
	}
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
			if last > 0 {
				longest = longest.max(ms - last);
				shortest = shortest.min(ms - last);
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
	fn times_never_go_back() {
		let mut wall = Wall::default();
		let (now, ..) = run(&mut wall, Duration::ZERO, 30, 0);
		let (_, _, _, shortest) = run(&mut wall, now, 300, -3_600_000);
		assert!(shortest >= 32, "{shortest}");
	}
}
