//! Where on the media timeline something stands, counted in pictures; sound follows from that.

use crate::picture::{PICTURES_PER_SEGMENT, RATE, SAMPLES_PER_FRAME};

use super::SAMPLES;

/// Pictures since the first one of the stream, over all runs of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(u64);

impl MediaTime {
	/// Where a stream begins.
	pub const ZERO: Self = Self(0);

	/// Latest that a stream may be: 1,100 years. Nothing that is counted from it overflows.
	const LATEST: u64 = 1 << 40;

	/// Behind so many pictures; `None` where no stream can be.
	pub const fn new(pictures: u64) -> Option<Self> {
		if pictures <= Self::LATEST {
			Some(Self(pictures))
		} else {
			None
		}
	}

	/// How many pictures are before it.
	pub const fn pictures(self) -> u64 {
		self.0
	}

	/// So many pictures later.
	#[must_use]
	pub const fn after(self, pictures: u64) -> Self {
		Self(self.0.saturating_add(pictures))
	}

	/// Pictures from `earlier` to here; 0 where it is later.
	pub const fn since(self, earlier: Self) -> u64 {
		self.0.saturating_sub(earlier.0)
	}

	/// Pictures since its segment began: 0 to 59.
	pub const fn in_segment(self) -> u32 {
		(self.0 % PICTURES_PER_SEGMENT as u64) as u32
	}

	/// Where the segment ends that the picture here belongs to.
	#[must_use]
	pub const fn segment_end(self) -> Self {
		Self(self.0 - self.0 % PICTURES_PER_SEGMENT as u64 + PICTURES_PER_SEGMENT as u64)
	}

	/// Where the part ends that the picture here belongs to, in parts of `pictures` (the last one of a segment ends with it).
	#[must_use]
	pub fn part_end(self, pictures: u32) -> Self {
		let per_part = u64::from(pictures.clamp(1, PICTURES_PER_SEGMENT));
		let within = self.0 % u64::from(PICTURES_PER_SEGMENT);
		let end = self.0 - within % per_part + per_part;
		Self(end).min(self.segment_end())
	}

	/// Samples of each channel before it.
	pub const fn samples(self) -> u64 {
		self.0 * SAMPLES
	}

	/// Number of the first frame of sound that begins here or later: less than one frame later. So a segment has 93 or 94.
	pub const fn frame(self) -> u64 {
		self.samples().div_ceil(SAMPLES_PER_FRAME as u64)
	}

	/// Milliseconds, rounded down: differences add up exactly.
	pub const fn ms(self) -> u64 {
		self.0 * 1_000 / RATE as u64
	}
}
