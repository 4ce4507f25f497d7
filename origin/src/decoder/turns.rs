//! A file that is played again and again: the stamps of each turn follow those of the turn before, to the sample. Sans-IO.
//!
//! Each turn is a process of its own that decodes the file from its beginning. So what codecs put before the first sample and
//! behind the last one is left out as when it is played once; FFmpeg's own loop leaves the former in its stamps.

use super::Output;
use clustercast_media::picture::{CHANNELS, RATE, SAMPLE_RATE};
use std::time::Duration;

/// Least length of a turn: a single picture would be a process each thirtieth of a second.
const SHORTEST: Duration = Duration::from_secs(1);

/// Where the turns of a file stand on one axis.
#[derive(Debug)]
pub(super) struct Turns {
	/// How long its sound is, where the file says so: codecs fill up the last frame with silence.
	sound: Option<Duration>,
	/// Where this turn began.
	began: Duration,
	/// The last picture, and how long those before it were shown.
	picture: Option<Duration>,
	shown: Duration,
	/// Where pictures and sound end so far.
	ends: [Duration; 2],
}

impl Turns {
	/// Of a file whose sound is so long.
	pub(super) fn new(sound: Option<Duration>) -> Self {
		Self {
			sound,
			began: Duration::ZERO,
			picture: None,
			shown: Duration::from_secs(1) / RATE,
			ends: [Duration::ZERO; 2],
		}
	}

	/// The same at its place; `None` for sound behind the end.
	pub(super) fn place(&mut self, output: Output) -> Option<Output> {
		match output {
			Output::Picture { at, picture } => {
				if let Some(before) = self.picture.replace(at).filter(|before| *before < at) {
					self.shown = at - before;
				}
				self.ends[0] = self.ends[0].max(at + self.shown);
				Some(Output::Picture {
					at: self.began + at,
					picture,
				})
			},
			Output::Sound { at, mut samples } => {
				if let Some(sound) = self.sound {
					let left = sound.saturating_sub(at).as_nanos() * u128::from(SAMPLE_RATE);
					// To the nearest: stamps are rounded.
					let left = (left + 500_000_000) / 1_000_000_000;
					samples.truncate(usize::try_from(left).unwrap_or(usize::MAX).saturating_mul(CHANNELS));
				}
				if samples.is_empty() {
					return None;
				}
				self.ends[1] = self.ends[1].max(at + length(&samples));
				Some(Output::Sound {
					at: self.began + at,
					samples,
				})
			},
			end @ Output::End(_) => Some(end),
		}
	}

	/// The file begins again, where its longer track ended. False: nothing of it came.
	pub(super) fn again(&mut self) -> bool {
		let [pictures, sound] = std::mem::take(&mut self.ends);
		self.began += pictures.max(sound).max(SHORTEST);
		self.picture = None;
		pictures.max(sound) > Duration::ZERO
	}
}

fn length(samples: &[i16]) -> Duration {
	Duration::from_nanos((samples.len() / CHANNELS) as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_media::picture::Picture;

	fn at(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	fn picture(ms: u64) -> Output {
		Output::Picture {
			at: at(ms),
			picture: Picture::new(),
		}
	}

	fn sound(ms: u64, count: usize) -> Output {
		Output::Sound {
			at: at(ms),
			samples: vec![1; count * CHANNELS],
		}
	}

	#[test]
	fn a_turn_begins_where_the_longer_track_of_the_one_before_ended() {
		let mut turns = Turns::new(None);
		for ms in [1_000, 1_040, 1_080] {
			assert_eq!(turns.place(picture(ms)), Some(picture(ms)));
		}
		turns.place(sound(1_000, 4_800));
		assert!(turns.again());
		assert_eq!(turns.place(picture(0)), Some(picture(1_120)));
		assert_eq!(turns.place(sound(900, 9_600)), Some(sound(2_020, 9_600)));
		assert!(turns.again());
		assert_eq!(turns.place(sound(5, 10)), Some(sound(2_225, 10)));
	}

	#[test]
	fn sound_behind_the_end_is_left_out() {
		let mut turns = Turns::new(Some(at(1_100)));
		assert_eq!(turns.place(sound(1_000, 4_000)), Some(sound(1_000, 4_000)));
		assert_eq!(turns.place(sound(1_090, 4_000)), Some(sound(1_090, 480)));
		assert_eq!(turns.place(sound(1_110, 100)), None);
		assert!(turns.again());
		assert_eq!(turns.place(sound(0, 1)), Some(sound(1_100, 1)));
	}

	#[test]
	fn a_single_picture_comes_once_a_second() {
		let mut turns = Turns::new(None);
		turns.place(picture(0));
		assert!(turns.again());
		assert_eq!(turns.place(picture(0)), Some(picture(1_000)));
	}

	#[test]
	fn a_file_of_which_nothing_comes_is_not_played_again() {
		let mut turns = Turns::new(None);
		assert!(!turns.again());
		turns.place(picture(0));
		assert!(turns.again());
		assert!(!turns.again());
	}
}
