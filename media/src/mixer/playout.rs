//! When a source's time is played on our clock: one offset for both tracks, and the buffer that arrival's jitter asks
//! for.

use super::{Track, SECOND};
use std::collections::VecDeque;

/// Never less, and what a source begins with: pictures come in bursts of a network's and a scheduler's making.
const MIN_BUFFER: i64 = SECOND / 10;

/// Never more: viewers wait for all of it.
const MAX_BUFFER: i64 = SECOND;

/// Kept free behind the latest arrival.
const MARGIN: i64 = SECOND / 50;

/// That much above [`MAX_BUFFER`], and the buffer is cut at once.
const EXCESS: i64 = SECOND / 4;

/// So long after the start the buffer is cut to what it needs, if that is worth it: what comes first comes badly.
const SETTLE: i64 = 3 * SECOND;
const WORTH_IT: i64 = SECOND / 5;

/// Picture and sound are moved against our clock by no more than that: a seventieth of a semitone.
pub(super) const MAX_PPM: f64 = 1_000.0;

/// Differences are made up for in about that time, s.
const CALM: f64 = 10.0;

/// Nothing but hopelessly late things for so long: the way has become longer, and the offset follows.
const PATIENCE: i64 = SECOND / 2;

/// The other track counts as in time if something of it was, no longer ago.
const LATELY: i64 = SECOND;

/// Arrivals are remembered for so many seconds.
const MEMORY: i64 = 30;

/// A picture may wait so long (queues hold that), whatever sound asks for.
const PICTURE_SPAN: i64 = SECOND * 5 / 4;

/// Likewise sound. It is small, and pictures take longer to decode.
pub(super) const SOUND_SPAN: i64 = SECOND * 7 / 2;

/// Sound is needed a ramp and half a filter before it is heard: 5.7 ms.
const SOUND_LEAD: i64 = SECOND * 7 / 1000;

/// What an arrival is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
	/// It can be played.
	InTime,
	/// Only since the buffer has just grown for it.
	Grown,
	/// Not even the largest buffer would help.
	Hopeless,
}

/// From source time to arrival, least and most, in each of the last seconds.
#[derive(Debug, Default)]
struct Transits {
	seconds: VecDeque<(i64, i64, i64)>,
	in_time: Option<i64>,
	/// Since when all is hopeless, how much came since, and the least transit of that.
	hopeless: Option<(i64, u32, i64)>,
}

impl Transits {
	fn see(&mut self, transit: i64, now: i64) {
		let second = now.div_euclid(SECOND);
		match self.seconds.back_mut() {
			Some((s, least, most)) if *s == second => (*least, *most) = ((*least).min(transit), (*most).max(transit)),
			_ => self.seconds.push_back((second, transit, transit)),
		}
		while self.seconds.front().is_some_and(|(s, ..)| s + MEMORY < second) {
			self.seconds.pop_front();
		}
	}

	fn least(&self) -> Option<i64> {
		self.seconds.iter().map(|(_, least, _)| *least).min()
	}

	fn most(&self) -> Option<i64> {
		self.seconds.iter().map(|(.., most)| *most).max()
	}

	fn restart(&mut self, transit: i64, now: i64) {
		*self = Self {
			in_time: Some(now),
			..Self::default()
		};
		self.see(transit, now);
	}
}

/// Times are ns; offset and transits are clock minus source.
#[derive(Debug, Default)]
pub(super) struct Playout {
	tracks: [Transits; 2],
	first: Option<i64>,
	/// `None` until the first picture or sound has waited.
	offset: Option<i64>,
	settled: bool,
	steered: i64,
	ppm: f64,
	/// How far the offset jumped.
	jumped: i64,
}

impl Playout {
	/// Something of source time `at` arrived.
	pub(super) fn arrive(&mut self, track: Track, at: i64, now: i64) -> Verdict {
		let lead = if track == Track::Sound { SOUND_LEAD } else { 0 };
		let transit = now - at + lead;
		self.first.get_or_insert(now);
		let Some(offset) = self.offset else {
			self.tracks[track as usize].see(transit, now);
			return Verdict::InTime;
		};
		if transit <= offset {
			let own = &mut self.tracks[track as usize];
			(own.in_time, own.hopeless) = (Some(now), None);
			own.see(transit, now);
			return Verdict::InTime;
		}
		if self.grow(track, transit, now) {
			return Verdict::Grown;
		}
		let own = &mut self.tracks[track as usize];
		let (since, count, least) = own.hopeless.unwrap_or((now, 0, transit));
		own.hopeless = Some((since, count + 1, least.min(transit)));
		if count == 0 || now - since < PATIENCE {
			return Verdict::Hopeless;
		}
		// The way has become longer, for this track or for both.
		let other = &mut self.tracks[track.other() as usize];
		if other.in_time.is_none_or(|then| now - then > LATELY) {
			*other = Transits::default();
		} else if other
			.least()
			.is_some_and(|l| transit + MIN_BUFFER > l + span(track.other()))
		{
			return Verdict::Hopeless;
		}
		self.tracks[track as usize].restart(transit, now);
		self.set(transit + MIN_BUFFER);
		Verdict::Grown
	}

	/// The buffer grows at once if that is enough.
	fn grow(&mut self, track: Track, transit: i64, now: i64) -> bool {
		let limit = self.limit(track, transit);
		if transit > limit {
			return false;
		}
		let own = &mut self.tracks[track as usize];
		(own.in_time, own.hopeless) = (Some(now), None);
		own.see(transit, now);
		self.set(limit.min(transit + MARGIN));
		true
	}

	/// How far the offset may go, if something of `track` with `transit` counts as well.
	fn limit(&self, track: Track, transit: i64) -> i64 {
		let least = |t: Track| {
			let known = self.tracks[t as usize].least();
			if t == track {
				Some(known.map_or(transit, |l| l.min(transit)))
			} else {
				known
			}
		};
		let slowest = Track::BOTH.into_iter().filter_map(least).max().unwrap_or(transit);
		farthest(least).min(slowest + MAX_BUFFER)
	}

	/// How far the offset may go at all.
	fn farthest(&self) -> i64 {
		farthest(|track| self.tracks[track as usize].least())
	}

	fn set(&mut self, offset: i64) {
		self.jumped += self.offset.map_or(0, |before| offset - before);
		self.offset = Some(offset);
	}

	/// The slower track's quickest arrival: what waits nothing at this offset.
	fn base(&self) -> Option<i64> {
		self.tracks.iter().filter_map(Transits::least).max()
	}

	/// Between the quickest and the slowest arrival.
	pub(super) fn jitter(&self) -> i64 {
		let most = self.tracks.iter().filter_map(Transits::most).max();
		most.zip(self.base()).map_or(0, |(most, base)| (most - base).max(0))
	}

	/// Moves the offset for a frame at `now`; whether the buffer was cut.
	pub(super) fn steer(&mut self, now: i64) -> bool {
		let passed = (now - self.steered).clamp(0, SECOND);
		self.steered = now;
		let (Some(first), Some(base)) = (self.first, self.base()) else {
			return false;
		};
		let Some(offset) = self.offset else {
			if now - first >= MIN_BUFFER {
				self.forget(now + SECOND);
				self.offset = Some((base + MIN_BUFFER).min(self.farthest()));
			}
			return false;
		};
		let settles = !self.settled && now - first > SETTLE;
		if settles {
			self.forget(now - SECOND);
		}
		// What was quicker since then would wait for longer than its queue holds.
		let farthest = self.farthest();
		let target = (base + self.need()).min(farthest);
		self.settled |= settles;
		let excess = offset > farthest.min(base + MAX_BUFFER + EXCESS);
		if excess || settles && offset > target + WORTH_IT {
			self.ppm = 0.0;
			self.set(target);
			return true;
		}
		let wanted = (target - offset) as f64 / SECOND as f64 / CALM * 1e6;
		self.ppm = wanted.clamp(-MAX_PPM, MAX_PPM);
		self.offset = Some(offset + (passed as f64 * self.ppm / 1e6) as i64);
		false
	}

	/// What came late until then does not count for the buffer.
	fn forget(&mut self, until: i64) {
		for (second, least, most) in self.tracks.iter_mut().flat_map(|t| &mut t.seconds) {
			if *second < until.div_euclid(SECOND) {
				*most = *least;
			}
		}
	}

	/// How large the buffer should be.
	fn need(&self) -> i64 {
		(self.jitter() + MARGIN).clamp(MIN_BUFFER, MAX_BUFFER)
	}

	/// How large it is.
	pub(super) fn buffer(&self) -> i64 {
		self.offset
			.zip(self.base())
			.map_or(0, |(offset, base)| (offset - base).max(0))
	}

	/// The source time that is due at `now`.
	pub(super) fn position(&self, now: i64) -> Option<i64> {
		self.offset.map(|offset| now - offset)
	}

	/// How fast the offset moves, parts per million: above 0 the source is played slower.
	pub(super) fn ppm(&self) -> f64 {
		self.ppm
	}

	/// How far the offset has jumped since this was asked: above 0 the source is played so much later.
	pub(super) fn take_jump(&mut self) -> i64 {
		std::mem::take(&mut self.jumped)
	}
}

/// Where the quickest of each track waits as long as it may.
fn farthest(least: impl Fn(Track) -> Option<i64>) -> i64 {
	let spans = Track::BOTH.into_iter().filter_map(|t| least(t).map(|l| l + span(t)));
	spans.min().unwrap_or(i64::MAX)
}

fn span(track: Track) -> i64 {
	match track {
		Track::Picture => PICTURE_SPAN,
		Track::Sound => SOUND_SPAN,
	}
}
