//! What two encoders are fed, and what becomes of what they write: windows of exactly 60 pictures, whatever the encoders do.
//!
//! ```text
//!  push ──► pictures since the open part began ──feed──► [picture encoder] ──tag──► access units ─┐
//!           sound likewise, and a little before ─feed──► [sound encoder]   ──tag──► frames ───────┴─► window
//! ```
//!
//! Neither encoder is told a time: the n-th picture in is the n-th out, and a frame of sound stands where its number says. Raw
//! input is kept until its part is out. So an encoder that crashes, hangs or writes nonsense costs time alone: another one is
//! started at the open part's first picture, whatever of that part there was is thrown away, and its input is fed again. The
//! sound's encoder begins a few frames earlier ([`WARM_UP`]), so that its first frame that counts joins the one before.
//!
//! Live latency is the product: encoders that stay behind cost pictures, in one cut (`lag`), and so does time in which none ran
//! ([`TOO_MANY`]). Media times go on; the next window has the true time of its capture, and says that it does not follow.
//!
//! Time is an argument: since any moment, on a clock that never goes back. Encoders are judged by the part of it in which we ran
//! ourselves (`awake`).
//!
//! | held | at most |
//! | --- | --- |
//! | raw pictures and their sound | [`MOST_HELD`]: 130 MB of pictures, 1.4 MB of sound; 40 MB of them in operation, less where pictures are the same allocation. A pause fills an open segment up with its last picture and one silence, the same allocations: fewer than 60 places more |
//! | encoded, for each encoder | [`MOST_ENCODED`]: 3 MiB |

mod awake;
mod lag;
mod lane;
mod seam;

use crate::{
	flv::{Content, Tag},
	mux::{AccessUnit, Init, MediaTime, Part},
	picture::{Picture, CHANNELS, PICTURES_PER_SEGMENT, RATE, SAMPLES_PER_FRAME, SAMPLES_PER_PICTURE},
};
use awake::Awake;
use bytes::{BufMut, Bytes, BytesMut};
pub use lag::OVERLOAD;
use lag::{Lag, Look};
use lane::Lane;
pub use lane::{Fault, MOST_ENCODED, STALL_LIMIT, START_LIMIT};
use seam::Seam;
use std::{collections::VecDeque, time::Duration};

/// Most pictures that are taken and held: the 60 of an open window, [`STALL_LIMIT`] until a hang is seen, 2 s to start another encoder and
/// to catch up.
pub const MOST_HELD: usize = 210;

/// Where an encoder is started and more pictures are held, what is old is skipped: all but [`YOUNG`]. 6 s: a hang that is seen after
/// [`STALL_LIMIT`] costs nothing, as the open window is 2 s, and half a second passes before anything is owed.
pub const TOO_MANY: usize = 180;

/// What is not skipped then: it takes an encoder as long to start.
const YOUNG: Duration = Duration::from_millis(500);

/// A window whose capture begins so much later than where the one before ends says that it does not follow, ms. Less is drift: the
/// clock that is set right by a hundredth moves it by 20.
const JUMP_MS: u64 = 100;

/// Frames of earlier sound that a sound encoder is fed before those that count: its filter bank overlaps one frame, its
/// decisions on block sizes and bits settle within a few.
pub const WARM_UP: u64 = 8;

/// Frames that FFmpeg's AAC encoder writes before those of what it was fed (`initial_padding` of 1024 samples).
const PRIMING: u64 = 1;

/// Silence behind the last sound when encoders are to write all they have, samples: the last frame reaches beyond the picture,
/// and no encoder pads by more.
const PADDING: usize = 4 * SAMPLES_PER_FRAME as usize;

/// Bytes of a sample of all channels.
const SAMPLE_BYTES: usize = 2 * CHANNELS;

/// One of the two encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
	/// Raw pictures in, H.264 out.
	Picture,
	/// Signed 16 bit in, AAC out.
	Sound,
}

impl Track {
	/// Both.
	pub const ALL: [Self; 2] = [Self::Picture, Self::Sound];
}

/// What is to be done with an encoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
	/// Start one; [`Plan::started`] or [`Plan::ended`] is to follow.
	Start {
		/// Its first picture is that of the segment: key frames are due at multiples of 60 *of the segment*.
		in_segment: u32,
	},
	/// End this one and say [`Plan::ended`]: it is of no more use.
	Kill(Fault),
}

/// What goes into an encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
	/// Behind what came before.
	Data(Bytes),
	/// Its input is over.
	End,
}

/// Encoders are slower than pictures come: this one was not taken. Its sound is to be dropped with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the encoder is too slow: {waiting} pictures wait")]
pub struct Overloaded {
	/// Taken and not yet encoded.
	pub waiting: u64,
}

/// A window, or a part of one, as it was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
	/// What it decodes with.
	pub init: Init,
	/// The fragment.
	pub data: Bytes,
	/// When its first picture was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// How long it plays, milliseconds; those of a segment add up to 2,000.
	pub duration_ms: u32,
	/// Decodable without what came before.
	pub independent: bool,
	/// The first one with another initialisation segment, behind a pause, or behind what was left out or skipped.
	pub discontinuity: bool,
	/// Last part of its segment.
	pub last_part: bool,
	/// Where it ends on the media timeline: what the next run of the program continues from.
	pub end: MediaTime,
}

/// A picture that is held.
#[derive(Clone, Debug)]
struct Held {
	picture: Picture,
	captured_ms: u64,
	/// When it was taken.
	came: Duration,
}

/// See the module's own words.
#[derive(Debug)]
pub struct Plan {
	/// Pictures of a part.
	per_part: u32,
	/// First picture of the open part.
	base: MediaTime,
	/// From there on.
	held: VecDeque<Held>,
	/// Sound of pictures, the first one being that of picture [`Plan::sound_from`]. The last picture's is not here yet.
	sound: VecDeque<Bytes>,
	sound_from: u64,
	/// Where sound was left out since the newest that is held.
	seam: Seam,
	picture_lane: Lane<AccessUnit>,
	sound_lane: Lane<Bytes>,
	/// Encoders are to write all they have: until the next picture.
	flushing: bool,
	awake: Awake,
	lag: Lag,
	/// Pictures that were, and became old.
	skipped: u64,
	/// Where the first run began, if nothing was before it.
	origin: Option<MediaTime>,
	/// Windows that begin here say that they do not follow.
	breaks: VecDeque<MediaTime>,
	/// Where the capture of the last window ended, ms.
	captured_to: Option<u64>,
	/// In force, and what it was made of.
	init: Option<(Init, [Bytes; 2])>,
}

impl Plan {
	/// Parts of `per_part` pictures (60: whole segments). `continues`: where earlier runs of the program ended; the segment
	/// that was open then is skipped.
	pub fn new(per_part: u32, continues: Option<MediaTime>) -> Self {
		let base = match continues {
			Some(time) if time.in_segment() > 0 => time.segment_end(),
			other => other.unwrap_or_default(),
		};
		Self {
			per_part,
			base,
			held: VecDeque::new(),
			sound: VecDeque::new(),
			sound_from: base.pictures(),
			seam: Seam::default(),
			picture_lane: Lane::default(),
			sound_lane: Lane::default(),
			flushing: false,
			awake: Awake::default(),
			lag: Lag::default(),
			skipped: 0,
			captured_to: None,
			origin: continues.is_none().then_some(base),
			breaks: continues.map(|_| base).into_iter().collect(),
			init: None,
		}
	}

	/// Takes the next picture, and the sound of the one before it: 1600 samples of each channel. Sound is known later than
	/// its picture, and encoded sooner. Of the first one, and behind [`Plan::flush`], there is none before it. Where pictures were
	/// left out, what was heard before them fades out into what is heard behind them.
	///
	/// # Errors
	/// When encoders are too slow: nothing is taken then.
	pub fn push(
		&mut self,
		picture: Picture,
		samples: &[i16],
		captured_ms: u64,
		now: Duration,
	) -> Result<(), Overloaded> {
		debug_assert_eq!(samples.len(), SAMPLES_PER_PICTURE * CHANNELS);
		self.watch(now);
		if !self.has_room(now) {
			self.lag.cut();
			if self.sound_end() < self.end().pictures() {
				self.seam.open(samples.iter().copied());
			}
			return Err(Overloaded {
				waiting: self.waiting(),
			});
		}
		self.flushing = false;
		if self.sound_end() < self.end().pictures() {
			let mut sound = BytesMut::with_capacity(samples.len() * 2);
			samples.iter().for_each(|sample| sound.put_i16_le(*sample));
			self.seam.close(&mut sound);
			self.sound.push_back(sound.freeze());
		}
		self.held.push_back(Held {
			picture,
			captured_ms,
			came: now,
		});
		self.watch(now);
		Ok(())
	}

	/// Behind the last picture whose sound is here: the last one, or the one before it.
	fn sound_end(&self) -> u64 {
		self.sound_from + self.sound.len() as u64
	}

	/// Pictures that were taken, and skipped since they had become old: so far.
	pub fn skipped(&self) -> u64 {
		self.skipped
	}

	/// Pictures that were taken and are not encoded by both: the figure of backpressure. 4 in operation.
	pub fn waiting(&self) -> u64 {
		let reached = self.reached(Track::Picture).min(self.reached(Track::Sound));
		self.end().pictures().saturating_sub(reached)
	}

	/// Whether the next picture would be taken.
	pub fn has_room(&self, now: Duration) -> bool {
		self.held.len() < MOST_HELD && !self.lag.is_behind(self.look(self.awake.peek(now)))
	}

	/// `now` on the clock of the time in which we ran.
	fn look(&self, now: Duration) -> Look {
		Look {
			waiting: self.waiting(),
			starts: self.picture_lane.starts() || self.sound_lane.starts(),
			silent: self.picture_lane.silent(now) || self.sound_lane.silent(now),
			now,
		}
	}

	/// Whether a segment ends here: no picture of an open one was taken.
	pub fn at_boundary(&self) -> bool {
		self.end().in_segment() == 0
	}

	/// Nothing is held, and nothing will come out until more is taken.
	pub fn is_empty(&self) -> bool {
		self.held.is_empty()
	}

	/// Nothing follows for now: what was taken becomes windows. An open segment is filled up with its last picture and
	/// silence, which is the sound of the last one that was taken as well. The next window, whenever it comes, says that it does not follow.
	pub fn flush(&mut self, now: Duration) {
		while let (false, Some(last)) = (self.at_boundary(), self.held.back().cloned()) {
			let captured_ms = last.captured_ms + u64::from(1_000 / RATE);
			self.held.push_back(Held {
				captured_ms,
				came: now,
				..last
			});
		}
		while self.sound_end() < self.end().pictures() {
			self.sound.push_back(Bytes::from_static(&SILENCE));
		}
		self.flushing = true;
		self.seam = Seam::default();
		let end = self.end();
		if self.origin != Some(end) && self.breaks.back() != Some(&end) {
			self.breaks.push_back(end);
		}
		self.watch(now);
	}

	/// What is to be done with an encoder now. To be asked when what encoders wrote until now was handed over.
	pub fn order(&mut self, track: Track, now: Duration) -> Option<Order> {
		let awake = self.awake.look(now);
		let (startable, fault) = match track {
			Track::Picture => (self.picture_lane.startable(awake), self.picture_lane.overdue(awake)),
			Track::Sound => (self.sound_lane.startable(awake), self.sound_lane.overdue(awake)),
		};
		if let Some(fault) = fault {
			return Some(Order::Kill(fault));
		}
		if !startable || !self.has_work(track) {
			return None;
		}
		self.skip_what_is_old(now);
		self.has_work(track).then_some(Order::Start {
			in_segment: self.base.in_segment(),
		})
	}

	fn has_work(&self, track: Track) -> bool {
		self.reached(track) < self.end().pictures()
	}

	/// Before an encoder starts, where none ran for long.
	fn skip_what_is_old(&mut self, now: Duration) {
		// What nothing follows is whole windows, and stays.
		if self.flushing || self.held.len() <= TOO_MANY {
			return;
		}
		let is_old = |held: &&Held| now.saturating_sub(held.came) > YOUNG;
		let old = self.held.iter().take_while(is_old).count() as u64;
		// What came before a pause is older still.
		let pause = self.breaks.back().copied();
		let skipped = old.max(pause.map_or(0, |at| at.since(self.base)));
		let from = (self.base.pictures() - self.sound_from) as usize;
		self.held.drain(..skipped as usize);
		// The last picture's is not here.
		let old: Vec<Bytes> = self
			.sound
			.drain(from..self.sound.len().min(from + skipped as usize))
			.collect();
		self.join_sound(old.first().filter(|_| pause.is_none()), from);
		self.breaks.clear();
		self.breaks.extend(pause.is_some().then_some(self.base));
		self.picture_lane.skip();
		self.sound_lane.skip();
		self.skipped += skipped;
	}

	/// Where sound was skipped, what would have been heard `next` fades out over the sound at this place, or over what comes next.
	fn join_sound(&mut self, next: Option<&Bytes>, at: usize) {
		let Some(next) = next else {
			return;
		};
		let mut seam = Seam::default();
		seam.open(
			next.chunks_exact(2)
				.map(|sample| i16::from_le_bytes([sample[0], sample[1]])),
		);
		match self.sound.get_mut(at) {
			Some(sound) => {
				let mut joined = BytesMut::from(&sound[..]);
				seam.close(&mut joined);
				*sound = joined.freeze();
			},
			None => self.seam = seam,
		}
	}

	/// When [`order`](Self::order) has to be asked again at the latest, if nothing else happens.
	pub fn deadline(&self) -> Option<Duration> {
		let picture = self.picture_lane.deadline(self.has_work(Track::Picture));
		let sound = self.sound_lane.deadline(self.has_work(Track::Sound));
		let at = picture.into_iter().chain(sound).min()?;
		Some(self.awake.due(at))
	}

	/// An encoder runs, as ordered, and has been fed nothing.
	pub fn started(&mut self, track: Track, now: Duration) {
		match track {
			Track::Picture => self.picture_lane.start(self.base.pictures(), self.base.pictures(), 0),
			Track::Sound => {
				let (frame, warm_up) = self.sound_start();
				let fed_from = (frame - warm_up) * u64::from(SAMPLES_PER_FRAME);
				self.sound_lane.start(frame, fed_from, warm_up + PRIMING);
			},
		}
		self.watch(now);
	}

	/// The first frame that counts, and how many are fed before it.
	fn sound_start(&self) -> (u64, u64) {
		let frame = self.base.frame();
		(frame, frame.min(WARM_UP))
	}

	/// What goes next into an encoder, to be asked when all that came before is in; `None`: nothing for now.
	pub fn feed(&mut self, track: Track, now: Duration) -> Option<Feed> {
		let (end, flushing) = (self.end(), self.flushing);
		let sound_end = self.sound_end() * SAMPLES_PER_PICTURE as u64;
		let feed = match track {
			Track::Picture => {
				let at = self.picture_lane.fed()?;
				let held = self.held.get((at - self.base.pictures()) as usize);
				match held {
					Some(held) => {
						self.picture_lane.advance(1);
						Some(Feed::Data(held.picture.clone()))
					},
					None if flushing => {
						self.picture_lane.finish(end.pictures());
						self.picture_lane.close();
						Some(Feed::End)
					},
					None => None,
				}
			},
			Track::Sound => {
				let at = self.sound_lane.fed()?;
				if self.sound_lane.finishing() {
					self.sound_lane.close();
					Some(Feed::End)
				} else if at < sound_end {
					let (number, within) = (at / SAMPLES_PER_PICTURE as u64, at % SAMPLES_PER_PICTURE as u64);
					let samples = number
						.checked_sub(self.sound_from)
						.and_then(|index| self.sound.get(index as usize).cloned())
						.unwrap_or(Bytes::from_static(&SILENCE));
					self.sound_lane.advance(SAMPLES_PER_PICTURE as u64 - within);
					Some(Feed::Data(samples.slice(within as usize * SAMPLE_BYTES..)))
				} else if flushing {
					self.sound_lane.finish(end.frame());
					self.sound_lane.advance(PADDING as u64);
					Some(Feed::Data(Bytes::from_static(&PADDED)))
				} else {
					None
				}
			},
		};
		self.watch(now);
		feed
	}

	/// An encoder wrote this.
	///
	/// # Errors
	/// When it is nothing that it can have made of what it was fed: it is to be ended, and [`Plan::ended`] said.
	pub fn tag(&mut self, track: Track, tag: &Tag, now: Duration) -> Result<(), Fault> {
		let awake = self.awake.look(now);
		let content = tag.content()?;
		let header = matches!(content, Content::PictureHeader(_) | Content::SoundHeader(_));
		match track {
			Track::Picture => self.picture_lane.picture(content, awake)?,
			Track::Sound => self.sound_lane.sound(content, awake)?,
		}
		if let (true, Some(picture), Some(sound)) = (header, self.picture_lane.header(), self.sound_lane.header()) {
			// Only to see whether it can be used: it comes into force with its first window.
			Init::new(&picture, &sound).map_err(|_| Fault::Header)?;
		}
		self.watch(now);
		Ok(())
	}

	/// An encoder is gone, or could not be started. Whether another one is needed, and when, [`order`](Self::order) says.
	/// Returns whether it had done all that it was to do.
	pub fn ended(&mut self, track: Track, now: Duration) -> bool {
		let awake = self.awake.look(now);
		match track {
			Track::Picture => self.picture_lane.stop(awake),
			Track::Sound => self.sound_lane.stop(awake),
		}
	}

	/// Encoders in a row, of this track, that ended before a single window was made of what they wrote.
	pub fn failures(&self, track: Track) -> u32 {
		match track {
			Track::Picture => self.picture_lane.failures(),
			Track::Sound => self.sound_lane.failures(),
		}
	}

	/// The next window, once all of it is here.
	pub fn window(&mut self) -> Option<Window> {
		let end = self.base.part_end(self.per_part);
		let pictures = end.since(self.base) as usize;
		let frames = (end.frame() - self.base.frame()) as usize;
		let made_of = [self.picture_lane.header()?, self.sound_lane.header()?];
		let (units, sound) = (self.picture_lane.first(pictures)?, self.sound_lane.first(frames)?);
		let (start_ms, duration_ms) = (self.held.front()?.captured_ms, (end.ms() - self.base.ms()) as u32);
		let jump = self.captured_to.is_some_and(|to| start_ms.abs_diff(to) > JUMP_MS);
		let mut discontinuity = jump || self.breaks.front() == Some(&self.base);
		let known = self.init.as_ref().filter(|(_, of)| *of == made_of);
		let init = known.map(|(init, _)| init.clone()).unwrap_or_else(|| {
			discontinuity |= self.init.is_some();
			Init::new(&made_of[0], &made_of[1]).expect("tried when the header came")
		});
		let part = Part {
			at: self.base,
			captured_ms: start_ms,
			pictures: units,
			parameter_sets: &init.parameter_sets,
			frames: sound,
		};
		let data = part.to_bytes().expect("lanes hold at most 3 MiB each");
		let independent = units[0].key;
		self.init = Some((init.clone(), made_of));
		self.captured_to = Some(start_ms + u64::from(duration_ms));
		self.picture_lane.release(pictures);
		self.sound_lane.release(frames);
		self.held.drain(..pictures);
		self.base = end;
		while self.breaks.front().is_some_and(|at| *at < end) {
			self.breaks.pop_front();
		}
		self.forget_sound();
		Some(Window {
			init,
			data,
			start_ms,
			duration_ms,
			independent,
			discontinuity,
			last_part: end.in_segment() == 0,
			end,
		})
	}

	/// Sound that no encoder will be fed again. None of before a pause is: there is nothing to join.
	fn forget_sound(&mut self) {
		let (frame, warm_up) = self.sound_start();
		let mut from = (frame - warm_up) * u64::from(SAMPLES_PER_FRAME) / SAMPLES_PER_PICTURE as u64;
		if self.breaks.front() == Some(&self.base) {
			from = self.base.pictures();
		}
		while self.sound_from < from && self.sound.pop_front().is_some() {
			self.sound_from += 1;
		}
	}

	/// Behind the last picture.
	fn end(&self) -> MediaTime {
		self.base.after(self.held.len() as u64)
	}

	/// Number of the first picture whose access unit, or sound, is not here.
	fn reached(&self, track: Track) -> u64 {
		match track {
			Track::Picture => self.base.pictures() + self.picture_lane.len() as u64,
			Track::Sound => {
				let frame = self.base.frame() + self.sound_lane.len() as u64;
				// All of those whose frames begin before.
				(frame * u64::from(SAMPLES_PER_FRAME) / SAMPLES_PER_PICTURE as u64).max(self.base.pictures())
			},
		}
	}

	/// Takes note of whether encoders owe something.
	fn watch(&mut self, now: Duration) {
		let (now, end) = (self.awake.look(now), self.end().pictures());
		let picture = end.saturating_sub(self.reached(Track::Picture));
		let sound = end.saturating_sub(self.reached(Track::Sound));
		self.picture_lane.watch(picture, now);
		self.sound_lane.watch(sound, now);
		self.lag.watch(self.look(now));
	}
}

/// A picture's time of silence.
static SILENCE: [u8; SAMPLES_PER_PICTURE * SAMPLE_BYTES] = [0; SAMPLES_PER_PICTURE * SAMPLE_BYTES];

/// [`PADDING`] of it.
static PADDED: [u8; PADDING * SAMPLE_BYTES] = [0; PADDING * SAMPLE_BYTES];

const _: () = assert!(MOST_HELD > TOO_MANY && TOO_MANY > PICTURES_PER_SEGMENT as usize + (RATE as usize) * 3);

#[cfg(test)]
mod tests;
