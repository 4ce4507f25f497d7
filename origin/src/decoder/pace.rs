//! When what was decoded of a file is given: in real time, both tracks by one clock, and neither waits for the other. Sans-IO: time is
//! counted from any beginning.

use std::time::Duration;

/// The first of one track waits for the first of the other, so that the clock begins with both; no longer than that: a file may have
/// hours without sound, and finding that out takes reading them.
const BEGIN: Duration = Duration::from_secs(10);

/// A file that is so much behind its time, in all tracks, goes on from there: what stood still sends no burst.
const MAX_BEHIND: Duration = Duration::from_secs(1);

/// Which track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
	Picture,
	Sound,
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
	Now,
	At(Duration),
	/// Nobody knows yet: to be asked again when the other track has been offered or is over, then at the latest.
	Unknown(Duration),
}

/// Of a track.
#[derive(Clone, Copy, Debug)]
enum State {
	/// Nothing came so far.
	Awaited,
	/// Its first waits since then.
	Waits { at: Duration, since: Duration },
	/// How late the newest was.
	Plays { late: Duration },
	/// There is none, or no more.
	Over,
}

/// See the module's own words.
#[derive(Debug)]
pub(super) struct Pace {
	tracks: [State; 2],
	/// Our clock, and what was due then.
	anchor: Option<(Duration, Duration)>,
}

impl Pace {
	/// Of a file with these tracks.
	pub(super) fn new(has: impl Fn(Kind) -> bool) -> Self {
		let state = |kind| if has(kind) { State::Awaited } else { State::Over };
		Self {
			tracks: [state(Kind::Picture), state(Kind::Sound)],
			anchor: None,
		}
	}

	/// The next of this track has this stamp.
	pub(super) fn offer(&mut self, kind: Kind, at: Duration, now: Duration) -> When {
		let (clock, stamp) = match self.anchor {
			Some(anchor) => anchor,
			None => {
				let track = &mut self.tracks[kind as usize];
				if matches!(track, State::Awaited) {
					*track = State::Waits { at, since: now };
				}
				let waits = |track: &State| match track {
					State::Waits { at, since } => Some((*at, *since)),
					_ => None,
				};
				let until = self
					.tracks
					.iter()
					.filter_map(waits)
					.map(|(_, since)| since)
					.min()
					.unwrap_or(now) + BEGIN;
				if now < until && self.tracks.iter().any(|track| matches!(track, State::Awaited)) {
					return When::Unknown(until);
				}
				let first = self
					.tracks
					.iter()
					.filter_map(waits)
					.map(|(at, _)| at)
					.min()
					.unwrap_or(at);
				*self.anchor.insert((now, first))
			},
		};
		let due = clock + at.saturating_sub(stamp);
		let late = now.saturating_sub(due);
		self.tracks[kind as usize] = State::Plays { late };
		let all_late = self.tracks.iter().filter_map(|track| match track {
			State::Plays { late } => Some(*late),
			_ => None,
		});
		let least = all_late.min().unwrap_or_default();
		if least >= MAX_BEHIND {
			self.anchor = Some((clock + least, stamp));
		}
		if now < due {
			When::At(due)
		} else {
			When::Now
		}
	}

	/// Nothing more comes of it.
	pub(super) fn over(&mut self, kind: Kind) {
		self.tracks[kind as usize] = State::Over;
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use Kind::{Picture, Sound};

	fn at(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	fn both() -> Pace {
		Pace::new(|_| true)
	}

	#[test]
	fn both_tracks_begin_together_by_one_clock() {
		let mut pace = both();
		assert_eq!(pace.offer(Sound, at(500), at(1_000)), When::Unknown(at(11_000)));
		assert_eq!(pace.offer(Picture, at(0), at(3_000)), When::Now);
		assert_eq!(pace.offer(Sound, at(500), at(3_000)), When::At(at(3_500)));
		assert_eq!(pace.offer(Picture, at(10_000), at(3_010)), When::At(at(13_000)));
		assert_eq!(pace.offer(Sound, at(521), at(3_505)), When::At(at(3_521)));
	}

	#[test]
	fn a_track_that_never_comes_is_not_waited_for() {
		let mut pace = both();
		pace.offer(Picture, at(0), at(0));
		pace.over(Sound);
		assert_eq!(pace.offer(Picture, at(0), at(100)), When::Now);
		let mut late = both();
		late.offer(Picture, at(0), at(0));
		assert_eq!(late.offer(Picture, at(0), at(10_000)), When::Now, "or not long");
		assert_eq!(late.offer(Sound, at(60_000), at(20_000)), When::At(at(70_000)));
		assert_eq!(Pace::new(|kind| kind == Sound).offer(Sound, at(0), at(7)), When::Now);
	}

	#[test]
	fn a_track_that_is_late_does_not_keep_the_other_waiting() {
		let mut pace = both();
		pace.offer(Picture, at(0), at(0));
		pace.offer(Sound, at(0), at(0));
		for second in 1..60 {
			// Pictures are decoded at half their speed.
			pace.offer(Picture, at(500 * second), at(1_000 * second));
			assert_eq!(
				pace.offer(Sound, at(1_000 * second), at(1_000 * second - 5)),
				When::At(at(1_000 * second))
			);
		}
	}

	#[test]
	fn what_stood_still_goes_on_from_there() {
		let mut pace = both();
		pace.offer(Picture, at(0), at(0));
		pace.offer(Sound, at(0), at(0));
		pace.offer(Picture, at(100), at(60_100));
		pace.offer(Sound, at(100), at(60_100));
		assert_eq!(pace.offer(Picture, at(140), at(60_101)), When::At(at(60_140)));
		assert_eq!(pace.offer(Sound, at(200), at(60_101)), When::At(at(60_200)));
	}
}
