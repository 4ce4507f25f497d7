//! 30 pictures and 48,000 samples a second on our clock, whatever comes.
//!
//! ```text
//! begin -> picture, sound (source time, time of arrival) -> end
//!              playout: one offset from source time to our clock for both tracks, a buffer of 100 ms to 1 s
//!              pictures: chosen by stamp        sound: read by stamp, resampled by at most 1,000 ppm
//! tick(now) -> Frame: a picture and the 1,600 samples that are heard with it
//! ```

use crate::picture::{Picture, Samples};
use std::time::Duration;

/// Names a publisher, device or run through a file; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u64);

/// What goes to the encoders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<P = Picture> {
	/// The clock's time that it stands for: a thirtieth of a second after the frame before it, or a whole number of them where time was skipped.
	pub at: Duration,
	/// How many thirtieths were skipped before it: 0 but after a pause of the whole program, or overload, of more than 500 ms.
	pub skipped: u64,
	/// Where it comes from.
	pub shows: Shows,
	/// What to show.
	pub picture: P,
	/// [`SAMPLES_PER_PICTURE`](crate::picture::SAMPLES_PER_PICTURE), stereo, interleaved.
	pub samples: Samples,
}

/// Where a picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
	/// The source, for the first time.
	New,
	/// The one before it, since there is no newer one.
	Held,
	/// Slate or cover, since the source has given no picture, or there is none.
	Slate,
}

/// Counts since the start, and how the buffer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
	/// Frames given.
	pub frames: u64,
	/// Thirtieths of a second skipped.
	pub skipped: u64,
	/// Pictures of sources taken in.
	pub pictures: u64,
	/// Frames that showed the picture before again.
	pub held: u64,
	/// Frames that showed slate or cover.
	pub slate: u64,
	/// Pictures that were never shown, since a newer one was due.
	pub passed: u64,
	/// Pictures that came after their time, or out of order.
	pub late_pictures: u64,
	/// Pictures dropped by a full queue.
	pub full_pictures: u64,
	/// Samples put out as silence where there was no sound, of each channel.
	pub silence: u64,
	/// Samples that came after their time, or twice, of each channel.
	pub late_samples: u64,
	/// Samples dropped by a full queue, of each channel.
	pub full_samples: u64,
	/// Times that the buffer grew at once, since something came late.
	pub grown: u64,
	/// Times that it was cut, since far too much was in it: a jump in what is seen and heard.
	pub cut: u64,
	/// Of a source that is not on, or no longer.
	pub stray: u64,
	/// How long the steadiest picture or sound waits now.
	pub buffer: Duration,
	/// Between the quickest and the slowest arrival of the last 30 s.
	pub jitter: Duration,
	/// How fast what is heard runs against our clock, parts per million: the publisher's drift, and what the buffer gains or loses.
	pub ppm: f64,
	/// Pictures that wait now.
	pub queued_pictures: usize,
	/// Samples that wait now, of each channel.
	pub queued_samples: usize,
}

/// What a source gives now: for lines like "no sound for 10 s".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
	/// Who is shown or held.
	pub source: SourceId,
	/// How long the last new picture has been shown; `None`: none yet.
	pub picture_for: Option<Duration>,
	/// How long there has been no sound, 0 while there is; `None`: none yet.
	pub silent_for: Option<Duration>,
}

/// Sources come and go; frames go on.
#[derive(Debug)]
pub struct Mixer<P = Picture> {
	slate: P,
}

impl<P: Clone> Mixer<P> {
	/// Begins at `now`: the first frame stands for it. `slate` is shown where there is no picture.
	pub fn new(slate: P, _now: Duration) -> Self {
		Self { slate }
	}

	/// Another slate from the next frame on.
	pub fn set_slate(&mut self, slate: P) {
		self.slate = slate;
	}

	/// A source will give pictures and sound. The one before goes on until something of this one is due; of two that wait, the later one.
	pub fn begin(&mut self, _source: SourceId, _now: Duration) {}

	/// What to show instead of the slate as long as the source has given no picture.
	pub fn cover(&mut self, _source: SourceId, _picture: P) {}

	/// A picture at source time `at` (from [`timeline`](crate::timeline) or a file) arrived at `now`. Order may be off a little.
	pub fn picture(&mut self, _source: SourceId, _at: Duration, _picture: P, _now: Duration) {}

	/// Stereo samples, the first of which is at source time `at`, arrived at `now`.
	pub fn sound(&mut self, _source: SourceId, _at: Duration, _samples: &[i16], _now: Duration) {}

	/// Nothing more will come: what waits is played, the last picture held until the sound is over, then the slate is shown.
	pub fn end(&mut self, _source: SourceId, _now: Duration) {}

	/// The source ended, or gave way to another, and all that it gave was played.
	pub fn is_drained(&self, _source: SourceId) -> bool {
		true
	}

	/// The next frame that is due at `now`, to be asked until there is none. More than 500 ms behind, all but the newest are skipped.
	pub fn tick(&mut self, _now: Duration) -> Option<Frame<P>> {
		None
	}

	/// When the next frame is due.
	pub fn next_due(&self) -> Duration {
		Duration::ZERO
	}

	/// Counts, and how the buffer stands.
	pub fn figures(&self) -> Figures {
		Figures::default()
	}

	/// What the source on air gives.
	pub fn presence(&self, _now: Duration) -> Option<Presence> {
		None
	}
}
