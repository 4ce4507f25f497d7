//! How the broadcast stands for whoever watches, in one word: for the page and the figures. Pure: the time is an argument.
//!
//! The broadcaster is said to do only what it has signed, or what a relayer that is there tells of it; where nothing explains that
//! no window comes, it is the relayers that cannot be reached.

use clustercast_protocol::Silence;
use serde::Serialize;
use std::time::{Duration, Instant};

/// For so long nothing has to explain that no window comes: more than what a relayer takes to be connected to and to answer (8 s),
/// and not much more than what players have buffered.
const GRACE: Duration = Duration::from_secs(10);

/// The word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Broadcast {
	/// Nothing is known yet.
	#[default]
	Connecting,
	/// It has not begun, or the next one has not, and nothing was watched before.
	Waiting,
	/// Windows come, or are due at any moment.
	Live,
	/// The broadcaster pauses.
	Paused,
	/// Nothing is heard of the broadcaster; a relayer is there.
	Away,
	/// What was watched is over.
	Over,
	/// No relayer brings it.
	Unreachable,
}

/// What the word is taken from. One for each run of the player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
	/// As long as it is explained.
	word: Broadcast,
	/// A window came.
	watched: bool,
	/// Since when nothing explains that none comes; later than now where it was said how long it may take.
	unexplained: Option<Instant>,
}

impl Outlook {
	/// A window came.
	pub fn window(&mut self, now: Instant) {
		(self.word, self.watched, self.unexplained) = (Broadcast::Live, true, Some(now));
	}

	/// A relayer that is there explains that none comes, or does not; `begun`: it says that there were some.
	pub fn silence(&mut self, silence: Silence, begun: bool, now: Instant) {
		let begun = begun || self.watched;
		self.word = match silence {
			Silence::None => return self.unexplained(now),
			Silence::Pause if begun => Broadcast::Paused,
			Silence::Absence if begun => Broadcast::Away,
			Silence::Over if self.watched => Broadcast::Over,
			_ => Broadcast::Waiting,
		};
		self.unexplained = None;
	}

	/// Nobody explains it from now on: the relayer is lost, or none was found yet.
	pub fn unexplained(&mut self, now: Instant) {
		self.unexplained.get_or_insert(now);
	}

	/// None can come before this.
	pub fn excuse(&mut self, until: Instant) {
		self.unexplained = Some(until);
	}

	/// How the broadcast stands.
	pub fn at(&self, now: Instant) -> Broadcast {
		match self.unexplained {
			Some(since) if now.saturating_duration_since(since) > GRACE => Broadcast::Unreachable,
			_ => self.word,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// What was said at each of these seconds, of what happened before.
	struct Play {
		start: Instant,
		outlook: Outlook,
	}

	impl Play {
		fn new() -> Self {
			let (start, outlook) = (Instant::now(), Outlook::default());
			let mut play = Self { start, outlook };
			play.outlook.unexplained(start);
			play
		}

		fn at(&self, second: u64) -> Instant {
			self.start + Duration::from_secs(second)
		}

		fn window(&mut self, second: u64) {
			self.outlook.window(self.at(second));
		}

		fn silence(&mut self, silence: Silence, begun: bool, second: u64) {
			self.outlook.silence(silence, begun, self.at(second));
		}

		fn lost(&mut self, second: u64) {
			self.outlook.unexplained(self.at(second));
		}

		fn said(&self, seconds: &[u64]) -> Vec<Broadcast> {
			seconds.iter().map(|second| self.outlook.at(self.at(*second))).collect()
		}
	}

	use Broadcast::{Away, Connecting, Live, Over, Paused, Unreachable, Waiting};

	/// The relayer is killed while the broadcast goes on: nobody pauses.
	#[test]
	fn relayer_that_is_gone_is_no_pause_of_the_broadcaster() {
		let mut play = Play::new();
		play.window(2);
		play.lost(5);
		play.lost(8);
		assert_eq!(play.said(&[5, 12, 13, 3_600]), [Live, Live, Unreachable, Unreachable]);
		// A pause is one again when a relayer tells of it, and no longer when that one is gone.
		play.silence(Silence::Pause, true, 3_700);
		assert_eq!(play.said(&[3_700, 9_000]), [Paused, Paused]);
		play.lost(9_000);
		assert_eq!(play.said(&[9_010, 9_011]), [Paused, Unreachable]);
		play.window(9_020);
		assert_eq!(play.said(&[9_021]), [Live]);
	}

	/// A relayer that is down, one that carries another stream, none at all.
	#[test]
	fn stream_that_nobody_brings_is_not_waited_for_in_silence() {
		let mut play = Play::new();
		assert_eq!(play.said(&[0, 10, 11]), [Connecting, Connecting, Unreachable]);
		play.lost(15);
		play.silence(Silence::None, false, 16);
		assert_eq!(
			play.said(&[16]),
			[Unreachable],
			"it is there, and has said nothing of the broadcast"
		);
	}

	#[test]
	fn windows_that_are_withheld_are_not_the_broadcasters_silence() {
		let mut play = Play::new();
		play.window(2);
		play.silence(Silence::None, true, 4);
		play.silence(Silence::None, true, 12);
		assert_eq!(play.said(&[12, 13]), [Live, Unreachable]);
	}

	#[test]
	fn broadcast_that_was_never_seen_has_not_begun() {
		for silence in [Silence::Pause, Silence::Absence, Silence::Over] {
			let mut play = Play::new();
			play.silence(silence, false, 8);
			assert_eq!(play.said(&[8, 9_000]), [Waiting, Waiting], "{silence:?}");
		}
		// One that ended before we came is none of ours; one that pauses has begun, whether or not we were there.
		let mut play = Play::new();
		play.silence(Silence::Over, true, 1);
		assert_eq!(play.said(&[1]), [Waiting]);
		play.silence(Silence::Pause, true, 2);
		assert_eq!(play.said(&[2]), [Paused]);
		play.silence(Silence::Absence, true, 3);
		assert_eq!(play.said(&[3]), [Away]);
	}

	#[test]
	fn what_was_watched_is_over_until_the_next_one_begins() {
		let mut play = Play::new();
		play.window(2);
		play.silence(Silence::Over, true, 4);
		assert_eq!(play.said(&[4, 90_000]), [Over, Over]);
		// Asked again now and then.
		play.silence(Silence::None, true, 90_000);
		play.silence(Silence::Over, true, 90_001);
		assert_eq!(play.said(&[90_005, 99_999]), [Over, Over]);
		play.window(100_000);
		assert_eq!(play.said(&[100_001]), [Live]);
	}

	#[test]
	fn reservation_that_takes_its_time_makes_nobody_unreachable() {
		let mut play = Play::new();
		play.outlook.excuse(play.at(40));
		assert_eq!(play.said(&[39, 50, 51]), [Connecting, Connecting, Unreachable]);
	}
}
