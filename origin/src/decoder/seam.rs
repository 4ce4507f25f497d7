//! Makes one film of a file that is played again and again: where a turn begins, FFmpeg leaves a hole in the stamps as long as the
//! samples that the sound's codec wants before the first one (23 ms of AAC at 44.1 kHz). It is closed, for both tracks alike.

use super::Output;
use clustercast_media::picture::{CHANNELS, SAMPLE_RATE};
use std::time::Duration;

/// Longest hole that is closed: two frames of 2,048 samples at 44.1 kHz. Longer ones are the film's: a picture that goes on while
/// the sound is over.
const LONGEST_HOLE: Duration = Duration::from_millis(93);

/// What sound's stamps are off by rounding.
const ROUNDING: Duration = Duration::from_millis(1);

/// Moves stamps.
#[derive(Debug, Default)]
pub(super) struct Seam {
	/// All holes so far.
	closed: Duration,
	/// When the sound so far ends, as FFmpeg counts.
	sound_end: Option<Duration>,
	/// As moved.
	last_picture: Duration,
}

impl Seam {
	pub(super) fn mend(&mut self, output: &mut Output) {
		match output {
			Output::Sound { at, samples } => {
				let length = Duration::from_secs((samples.len() / CHANNELS) as u64) / SAMPLE_RATE;
				let hole = self.sound_end.map_or(Duration::ZERO, |end| at.saturating_sub(end));
				if (ROUNDING..LONGEST_HOLE).contains(&hole) {
					self.closed += hole;
				}
				self.sound_end = Some(*at + length);
				*at = at.saturating_sub(self.closed);
			},
			Output::Picture { at, .. } => {
				// The first of a turn may come before the sound that says how far to move.
				*at = at.saturating_sub(self.closed).max(self.last_picture);
				self.last_picture = *at;
			},
			Output::End(_) => {},
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_media::picture::Picture;

	const fn ms(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	/// Where 100 ms of sound, or a picture, end up.
	fn moved(seam: &mut Seam, sound: bool, at: Duration) -> Duration {
		let mut output = if sound {
			Output::Sound {
				at,
				samples: vec![0; 9_600],
			}
		} else {
			Output::Picture {
				at,
				picture: Picture::new(),
			}
		};
		seam.mend(&mut output);
		match output {
			Output::Sound { at, .. } | Output::Picture { at, .. } => at,
			Output::End(_) => unreachable!(),
		}
	}

	#[test]
	fn small_holes_are_closed_for_both_and_large_ones_stay() {
		let mut seam = Seam::default();
		assert_eq!(moved(&mut seam, true, ms(0)), ms(0));
		assert_eq!(moved(&mut seam, false, ms(90)), ms(90));
		assert_eq!(moved(&mut seam, true, ms(123)), ms(100));
		assert_eq!(moved(&mut seam, true, ms(223)), ms(200));
		assert_eq!(moved(&mut seam, false, ms(233)), ms(210));
		assert_eq!(moved(&mut seam, true, ms(1_323)), ms(1_300));
	}

	#[test]
	fn pictures_never_go_back() {
		let mut seam = Seam::default();
		moved(&mut seam, true, ms(0));
		assert_eq!(moved(&mut seam, false, ms(123)), ms(123));
		moved(&mut seam, true, ms(123));
		assert_eq!(moved(&mut seam, false, ms(139)), ms(123));
		assert_eq!(moved(&mut seam, false, ms(156)), ms(133));
	}
}
