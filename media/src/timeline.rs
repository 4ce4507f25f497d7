//! A publisher's stamps on one axis that only grows.

use std::{fmt, time::Duration};

/// Which of a publisher's two tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
	/// H.264.
	Picture,
	/// AAC.
	Sound,
}

/// Where a frame stands on the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
	/// Never less than for the frame before it of the same track. Whole milliseconds; the first frame of a publisher is at
	/// [`Timeline::START`]. Composition times (in the tag's body) count from here.
	pub at: Duration,
	/// With this frame its track left the line of stamps that it was on.
	pub began: bool,
	/// To be logged: one a minute at most.
	pub notice: Option<Notice>,
}

/// What was wrong with the stamps, for the broadcaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
	/// What was seen now.
	pub fault: Fault,
	/// So many others of any kind were passed over since the notice before.
	pub unsaid: u64,
}

/// Kinds of trouble with stamps. All are mended; nothing is lost but what the publisher left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
	/// A track's stamps jumped by so many milliseconds; real time goes on.
	Jump(Track, i64),
	/// A track's stamps are so many milliseconds from those of the other that came at the same time: they are put together.
	Apart(Track, i64),
	/// Stamps do not run with time; the time of arrival is taken instead.
	Useless(Track),
	/// They do again, and are taken again.
	Mended,
}

impl fmt::Display for Notice {
	fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
		Ok(())
	}
}

/// The axis of one publisher, from its first frame to its last.
#[derive(Debug, Default)]
pub struct Timeline {}

impl Timeline {
	/// Where the first frame is put: what comes later with an earlier stamp has room before it.
	pub const START: Duration = Duration::from_secs(1);

	/// Of a publisher that has sent nothing yet.
	pub fn new() -> Self {
		Self::default()
	}

	/// Places the next frame of `track`, stamped `stamp` (milliseconds, modulo 2^32 or 2^31), that arrived at `now` (any monotone clock).
	/// Codec headers are not frames: their stamps mean nothing, and they go to the decoder with [`Timeline::last`].
	pub fn place(&mut self, _track: Track, _stamp: u32, _now: Duration) -> Placed {
		Placed {
			at: Self::START,
			began: false,
			notice: None,
		}
	}

	/// Where the last frame of `track` was placed, or where the first one will be.
	pub fn last(&self, _track: Track) -> Duration {
		Self::START
	}
}
