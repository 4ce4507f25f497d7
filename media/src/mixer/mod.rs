//! 30 pictures and 48,000 samples a second on our clock, whatever comes.
//!
//! ```text
//! begin -> picture, sound (source time, time of arrival) -> end
//!              playout: one offset from source time to our clock for both tracks, a buffer of 100 ms to 1 s
//!              pictures: chosen by stamp        sound: read by stamp, resampled by at most 1,000 ppm
//! tick(now) -> Frame: a picture, and the 1,600 samples that are heard with the one before it
//! ```

mod pictures;
mod playout;
mod sound;
mod source;

use crate::{
	picture::{Picture, Samples, CHANNELS, RATE, SAMPLES_PER_PICTURE, SAMPLE_RATE},
	timeline::Track,
};
use source::Source;
use std::time::Duration;

/// ns.
const SECOND: i64 = 1_000_000_000;

/// From one frame to the next, to a nanosecond.
const FRAME: i64 = SECOND / RATE as i64;

/// Further behind the clock than that, frames are skipped: what was stopped or is overloaded must not send a burst.
const MAX_BEHIND: i64 = SECOND / 2;

/// Names a publisher, device or run through a file; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u64);

/// What goes to the encoders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<P = Picture> {
	/// The clock's time that it stands for: a thirtieth of a second after the frame before it, or a whole number of
	/// them where time was skipped.
	pub at: Duration,
	/// How many thirtieths were skipped before it: 0 but after a pause of the whole program, or overload, of more
	/// than 500 ms.
	pub skipped: u64,
	/// Where it comes from.
	pub shows: Shows,
	/// What to show.
	pub picture: P,
	/// [`SAMPLES_PER_PICTURE`](crate::picture::SAMPLES_PER_PICTURE), stereo, interleaved: what is heard in the thirtieth
	/// before `at`. A picture does not wait for the sound until the next one.
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
	/// How fast what is heard runs against our clock, parts per million: the publisher's drift, and what the buffer
	/// gains or loses.
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
	/// Clock of frame 0, ns.
	start: i64,
	/// Number of the next frame.
	next: i64,
	on_air: Option<Source<P>>,
	waiting: Option<Source<P>>,
	/// What the frame before showed of a source.
	showing: Option<P>,
	figures: Figures,
}

impl<P: Clone> Mixer<P> {
	/// Begins at `now`: the first frame stands for it. `slate` is shown where there is no picture.
	pub fn new(slate: P, now: Duration) -> Self {
		Self {
			slate,
			start: ns(now),
			next: 0,
			on_air: None,
			waiting: None,
			showing: None,
			figures: Figures::default(),
		}
	}

	/// Another slate from the next frame on.
	pub fn set_slate(&mut self, slate: P) {
		self.slate = slate;
	}

	/// A source will give pictures and sound. The one before goes on until something of this one is due; of two that
	/// wait, the later one.
	pub fn begin(&mut self, source: SourceId, now: Duration) {
		self.waiting = Some(Source::new(source, ns(now)));
	}

	/// What to show instead of the slate as long as the source has given no picture.
	pub fn cover(&mut self, source: SourceId, picture: P) {
		if let Some((source, _)) = self.source(source) {
			source.cover = Some(picture);
		}
	}

	/// A picture at source time `at` (from [`timeline`](crate::timeline) or a file) arrived at `now`. Order may be off
	/// a little.
	pub fn picture(&mut self, source: SourceId, at: Duration, picture: P, now: Duration) {
		if let Some((source, figures)) = self.source(source) {
			source.picture(ns(at), picture, ns(now), figures);
		}
	}

	/// Stereo samples, the first of which is at source time `at`, arrived at `now`.
	pub fn sound(&mut self, source: SourceId, at: Duration, samples: &[i16], now: Duration) {
		if let Some((source, figures)) = self.source(source) {
			source.sound(ns(at), samples, ns(now), figures);
		}
	}

	/// Nothing more will come: what waits is played, the last picture held until the sound is over, then the slate is
	/// shown.
	pub fn end(&mut self, source: SourceId) {
		if let Some((source, _)) = self.source(source) {
			source.end();
		}
	}

	fn source(&mut self, id: SourceId) -> Option<(&mut Source<P>, &mut Figures)> {
		match [&mut self.on_air, &mut self.waiting]
			.into_iter()
			.flatten()
			.find(|s| s.id == id)
		{
			Some(source) => Some((source, &mut self.figures)),
			None => {
				self.figures.stray += 1;
				None
			},
		}
	}

	/// The source ended and all that it gave was played, or it gave way to another.
	pub fn is_drained(&self, source: SourceId) -> bool {
		!self
			.on_air
			.iter()
			.chain(&self.waiting)
			.any(|s| s.id == source && !s.drained())
	}

	/// When the next frame is due.
	pub fn next_due(&self) -> Duration {
		duration(self.due(self.next))
	}

	fn due(&self, frame: i64) -> i64 {
		self.start + frame * SECOND / i64::from(RATE)
	}

	/// The next frame that is due at `now`, to be asked until there is none. More than 500 ms behind, all but the
	/// newest are skipped.
	pub fn tick(&mut self, now: Duration) -> Option<Frame<P>> {
		let now = ns(now);
		if now < self.due(self.next) {
			return None;
		}
		let mut skipped = 0;
		if now - self.due(self.next) > MAX_BEHIND {
			let newest = (now - self.start) * i64::from(RATE) / SECOND;
			skipped = (newest - self.next).max(0);
			self.next += skipped;
		}
		let at = self.due(self.next);
		self.next += 1;
		let mut samples = vec![0; SAMPLES_PER_PICTURE * CHANNELS];
		let silence = self.sources(at, &mut samples);
		let (shows, picture) = self.show(at);
		self.figures.frames += 1;
		self.figures.skipped += skipped as u64;
		self.figures.silence += silence;
		self.figures.held += u64::from(shows == Shows::Held);
		self.figures.slate += u64::from(shows == Shows::Slate);
		Some(Frame {
			at: duration(at),
			skipped: skipped as u64,
			shows,
			picture,
			samples,
		})
	}

	/// Who is on air at `at`, and what is heard of it until then. Returns how much of that is silence.
	fn sources(&mut self, at: i64, samples: &mut Vec<i16>) -> u64 {
		let figures = &mut self.figures;
		if self.on_air.as_ref().is_some_and(Source::drained) {
			self.on_air = None;
		}
		if self.waiting.as_ref().is_some_and(Source::drained) {
			self.waiting = None;
		}
		if let Some(source) = &mut self.waiting {
			source.steer(at, figures);
		}
		let mut silence = SAMPLES_PER_PICTURE as u64;
		let free = self.on_air.is_none();
		if self.waiting.as_ref().is_some_and(|w| w.ready(at, free)) {
			let mut before = vec![0; samples.len()];
			if let Some(mut last) = self.on_air.take() {
				last.read(at, &mut before, figures);
			}
			self.on_air = self.waiting.take();
			if let Some(source) = &mut self.on_air {
				silence = source.read(at, samples, figures);
			}
			fade_out(&before, samples);
		} else if let Some(source) = &mut self.on_air {
			// What is heard until now belongs to the picture before: where the buffer is cut, both jump from here.
			silence = source.read(at, samples, figures);
			source.steer(at, figures);
		}
		silence
	}

	fn show(&mut self, at: i64) -> (Shows, P) {
		if let Some(source) = &mut self.on_air {
			if let Some(picture) = source.choose(at, &mut self.figures) {
				self.showing = Some(picture.clone());
				return (Shows::New, picture);
			}
			if self.showing.is_none() || !source.shows_what_was(at) {
				self.showing = None;
				return (Shows::Slate, source.cover.as_ref().unwrap_or(&self.slate).clone());
			}
		} else if !self.waiting.as_ref().is_some_and(|w| w.promises(at)) {
			self.showing = None;
		}
		match &self.showing {
			Some(picture) => (Shows::Held, picture.clone()),
			None => (Shows::Slate, self.slate.clone()),
		}
	}

	/// Counts, and how the buffer stands.
	pub fn figures(&self) -> Figures {
		let mut figures = self.figures;
		if let Some(source) = &self.on_air {
			source.report(&mut figures);
		}
		figures
	}

	/// What the source on air gives.
	pub fn presence(&self) -> Option<Presence> {
		let now = self.due(self.next);
		self.on_air.as_ref().map(|source| Presence {
			source: source.id,
			picture_for: source.picture_for(now).map(duration),
			silent_for: source.silent_for(now).map(duration),
		})
	}
}

/// Adds what was heard before to what is heard now, fading out in 5 ms.
fn fade_out(before: &[i16], now: &mut [i16]) {
	const LENGTH: usize = SAMPLE_RATE as usize / 200 * CHANNELS;
	for (i, (old, new)) in before.iter().zip(now).take(LENGTH).enumerate() {
		let gain = 1.0 - i as f32 / LENGTH as f32;
		*new = new.saturating_add((f32::from(*old) * gain) as i16);
	}
}

fn ns(time: Duration) -> i64 {
	i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn duration(ns: i64) -> Duration {
	Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
}
