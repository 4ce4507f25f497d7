//! One publisher, device or file: its pictures and sound on the way from arrival to the tick.

use super::{
	pictures::Pictures, playout::Playout, playout::Verdict, sound::Sound, Figures, SourceId, Track, FRAME, SECOND,
};

/// A source takes over with its first picture, or with its sound if none came so long after that could be heard.
const ONLY_SOUND: i64 = 2 * SECOND;

/// A source that is heard already may take so long to give a picture before the slate is shown.
const PICTURE_COMES: i64 = SECOND;

/// A source that has begun may take so long to give something before the slate is shown where the one before ended.
const PATIENCE: i64 = 2 * SECOND;

/// Times are ns of our clock.
#[derive(Debug)]
pub(super) struct Source<P> {
	pub(super) id: SourceId,
	pub(super) cover: Option<P>,
	began: i64,
	playout: Playout,
	pictures: Pictures<P>,
	sound: Sound,
	playing_since: Option<i64>,
	ended: bool,
	/// When the last new picture was shown.
	new_picture: Option<i64>,
	/// Until when there was sound.
	heard: Option<i64>,
}

impl<P> Source<P> {
	pub(super) fn new(id: SourceId, now: i64) -> Self {
		Self {
			id,
			cover: None,
			began: now,
			playout: Playout::default(),
			pictures: Pictures::new(),
			sound: Sound::new(),
			playing_since: None,
			ended: false,
			new_picture: None,
			heard: None,
		}
	}

	pub(super) fn picture(&mut self, at: i64, picture: P, now: i64, figures: &mut Figures) {
		figures.pictures += 1;
		match self.arrive(Track::Picture, at, now, figures) {
			true => self.pictures.push(at, picture, figures),
			false => self.pictures.push_late(at, picture, now, figures),
		}
	}

	pub(super) fn sound(&mut self, at: i64, samples: &[i16], now: i64, figures: &mut Figures) {
		match self.arrive(Track::Sound, at, now, figures) {
			true => self.sound.push(at, samples, figures),
			false => {
				self.sound.lose();
				figures.late_samples += (samples.len() / crate::picture::CHANNELS) as u64;
			},
		}
	}

	/// Whether it can be played.
	fn arrive(&mut self, track: Track, at: i64, now: i64, figures: &mut Figures) -> bool {
		let verdict = self.playout.arrive(track, at, now);
		figures.grown += u64::from(verdict == Verdict::Grown);
		self.follow_jump(figures);
		verdict != Verdict::Hopeless
	}

	fn follow_jump(&mut self, figures: &mut Figures) {
		let by = self.playout.take_jump();
		if by != 0 {
			self.sound.jump(-by, figures);
		}
	}

	pub(super) fn end(&mut self) {
		self.ended = true;
	}

	/// Ended, and nothing waits.
	pub(super) fn drained(&self) -> bool {
		self.ended && self.pictures.is_empty() && self.sound.is_over()
	}

	/// Whether what was shown before stays until it has shown a picture.
	pub(super) fn shows_what_was(&self, now: i64) -> bool {
		self.pictures.any() || self.cover.is_none() && self.playing_since.is_some_and(|s| now - s < PICTURE_COMES)
	}

	/// Whether it can be expected to show something soon.
	pub(super) fn promises(&self, now: i64) -> bool {
		!self.pictures.is_empty() || now - self.began < PATIENCE
	}

	/// Moves the offset for the tick at `now`.
	pub(super) fn steer(&mut self, now: i64, figures: &mut Figures) {
		figures.cut += u64::from(self.playout.steer(now));
		self.follow_jump(figures);
		if self.playing_since.is_none() && self.playout.position(now).is_some() {
			self.playing_since = Some(now);
		}
	}

	/// Whether it should be on air; `free`: nobody else is.
	pub(super) fn ready(&self, now: i64, free: bool) -> bool {
		let (Some(since), Some(position)) = (self.playing_since, self.playout.position(now)) else {
			return false;
		};
		let sound_due = !self.sound.is_empty() && (free || now - since > ONLY_SOUND);
		self.pictures.due(position) || sound_due
	}

	/// The picture for the tick at `now`, if it is a new one.
	pub(super) fn choose(&mut self, now: i64, figures: &mut Figures) -> Option<P> {
		let picture = self.pictures.choose(self.playout.position(now)?, now, figures);
		if picture.is_some() {
			self.new_picture = Some(now);
		}
		picture
	}

	/// The samples of the thirtieth before the tick at `now`.
	pub(super) fn read(&mut self, now: i64, out: &mut Vec<i16>, figures: &mut Figures) -> u64 {
		let Some(position) = self.playout.position(now - FRAME) else {
			return 0;
		};
		let silence = self.sound.read(position, out, figures);
		if silence < crate::picture::SAMPLES_PER_PICTURE as u64 {
			self.heard = Some(now);
		}
		silence
	}

	pub(super) fn picture_for(&self, now: i64) -> Option<i64> {
		self.new_picture.map(|then| (now - then).max(0))
	}

	pub(super) fn silent_for(&self, now: i64) -> Option<i64> {
		self.heard.map(|then| (now - then).max(0))
	}

	pub(super) fn report(&self, figures: &mut Figures) {
		figures.buffer = super::duration(self.playout.buffer());
		figures.jitter = super::duration(self.playout.jitter());
		figures.ppm = self.playout.ppm();
		figures.queued_pictures = self.pictures.len();
		figures.queued_samples = self.sound.len();
	}
}
