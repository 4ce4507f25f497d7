//! What is said of an input that gives less than it should: once when it begins, once when it is over. Sans-IO.

use clustercast_media::mixer::{Presence, SourceId};
use std::time::Duration;

/// Something that was missing for so long is worth a line.
const WORTH: Duration = Duration::from_secs(5);

/// Lines about one source and track; then no more: a broken input says the same all day.
const MOST: u32 = 20;

/// Between two lines about captions, of whichever source: who comes back every few seconds says the same all day, too.
const CAPTIONS_PAUSE: Duration = Duration::from_secs(600);

/// Of captions inside the picture, whoever sends them.
pub const CAPTIONS: &str = "there are captions in the picture (CEA-608 or CEA-708): they are dropped";

/// What was said of a source.
#[derive(Debug, Default)]
pub struct Remarks {
	source: Option<SourceId>,
	/// When it was first seen.
	since: Duration,
	picture: Said,
	sound: Said,
	captions: bool,
	/// When captions were last spoken of.
	captions_said: Option<Duration>,
}

/// Of a track.
#[derive(Debug, Default)]
struct Said {
	missing: bool,
	lines: u32,
}

impl Said {
	/// Whether there is something new to say: `Some(true)` that it is missing, `Some(false)` that it is back.
	fn update(&mut self, missing: bool) -> Option<bool> {
		if missing == self.missing {
			return None;
		}
		self.missing = missing;
		self.lines += 1;
		(self.lines <= MOST).then_some(missing)
	}
}

impl Remarks {
	/// What is to be said at `now`, given what the source on air gives. `captions`: which source has some in its pictures.
	pub fn look(&mut self, presence: Option<Presence>, captions: Option<SourceId>, now: Duration) -> Vec<&'static str> {
		let source = presence.map(|presence| presence.source);
		if self.source != source {
			*self = Self {
				source,
				since: now,
				captions_said: self.captions_said,
				..Self::default()
			};
		}
		let Some(presence) = presence else {
			return Vec::new();
		};
		let on_for = now.saturating_sub(self.since);
		let missing = |for_so_long: Option<Duration>| for_so_long.unwrap_or(on_for) >= WORTH;
		let mut lines = Vec::new();
		match (self.picture.update(missing(presence.picture_for)), presence.picture_for) {
			(Some(true), Some(_)) => lines.push("no new picture for 5 s: the last one is shown"),
			(Some(true), None) => lines.push("no picture so far: the slate is shown"),
			(Some(false), _) => lines.push("there are pictures again"),
			(None, _) => {},
		}
		match (self.sound.update(missing(presence.silent_for)), presence.silent_for) {
			(Some(true), Some(_)) => lines.push("no sound for 5 s: silence is sent"),
			(Some(true), None) => lines.push("no sound so far: silence is sent"),
			(Some(false), _) => lines.push("there is sound again"),
			(None, _) => {},
		}
		if captions == source && !self.captions {
			self.captions = true;
			if self.captions_said.is_none_or(|said| now >= said + CAPTIONS_PAUSE) {
				self.captions_said = Some(now);
				lines.push(CAPTIONS);
			}
		}
		lines
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn gives(picture: Option<u64>, silent: Option<u64>) -> Option<Presence> {
		Some(Presence {
			source: SourceId(1),
			picture_for: picture.map(Duration::from_secs),
			silent_for: silent.map(Duration::from_secs),
		})
	}

	#[test]
	fn each_thing_is_said_once() {
		let mut remarks = Remarks::default();
		let at = Duration::from_secs;
		assert!(remarks.look(gives(Some(0), None), None, at(100)).is_empty());
		assert_eq!(
			remarks.look(gives(Some(0), None), None, at(105)),
			["no sound so far: silence is sent"]
		);
		assert!(remarks.look(gives(Some(4), None), None, at(200)).is_empty());
		assert_eq!(
			remarks.look(gives(Some(0), Some(0)), None, at(201)),
			["there is sound again"]
		);
		let both = [
			"no new picture for 5 s: the last one is shown",
			"no sound for 5 s: silence is sent",
		];
		assert_eq!(remarks.look(gives(Some(5), Some(6)), None, at(300)), both);
		assert!(remarks.look(gives(Some(50), Some(60)), None, at(400)).is_empty());
	}

	#[test]
	fn captions_are_spoken_of_once_and_not_of_everybody_who_comes_back() {
		let mut remarks = Remarks::default();
		let mut look = |source: u64, captions: Option<u64>, second: u64| {
			let presence = gives(Some(0), Some(0)).map(|presence| Presence {
				source: SourceId(source),
				..presence
			});
			remarks.look(presence, captions.map(SourceId), Duration::from_secs(second))
		};
		assert!(look(1, None, 0).is_empty());
		assert!(look(1, Some(2), 1).is_empty(), "somebody who is not on air");
		assert_eq!(look(2, Some(2), 2), [CAPTIONS]);
		assert!(look(2, Some(2), 700).is_empty());
		assert_eq!(look(3, Some(3), 701), [CAPTIONS]);
		assert!(look(4, Some(4), 702).is_empty(), "a second later");
	}

	#[test]
	fn a_broken_input_says_no_more_than_so_many_lines() {
		let mut remarks = Remarks::default();
		let said: usize = (0..1_000)
			.map(|i| {
				remarks
					.look(gives(Some(0), Some(i % 2 * 9)), None, Duration::from_secs(i))
					.len()
			})
			.sum();
		assert_eq!(said as u32, MOST);
	}
}
