//! A source's pictures, and which of them is shown.

use super::{Figures, FRAME, SECOND};
use std::collections::VecDeque;

/// Most pictures that wait: the largest buffer at 30 a second, and some more. 30 MB of raw pictures.
const MAX_PICTURES: usize = 48;

/// Of pictures that are nearer to each other every other one is dropped at once: none of 60 a second, every other of
/// 120.
const NEAREST: i64 = SECOND * 15 / 1000;

/// A choice is kept where stamps are rounded: how near it may be before it is held on to.
const GUARD: i64 = SECOND * 15 / 10_000;

/// A late picture is shown after all if nothing newer came for so long.
const LAST: i64 = SECOND / 2;

/// Hysteresis: half a frame.
const MAX_BIAS: i64 = FRAME / 2;

/// In order of source time, ns.
#[derive(Debug)]
pub(super) struct Pictures<P> {
	waiting: VecDeque<(i64, P)>,
	/// The newest that came hopelessly late, and when.
	late: Option<(i64, P, i64)>,
	/// Source time of the picture that is shown.
	shown: Option<i64>,
	/// Added to the time for which a picture is chosen, so that choices stay clear of stamps' rounding.
	bias: i64,
}

impl<P> Pictures<P> {
	pub(super) fn new() -> Self {
		Self {
			waiting: VecDeque::new(),
			late: None,
			shown: None,
			bias: 0,
		}
	}

	pub(super) fn len(&self) -> usize {
		self.waiting.len()
	}

	pub(super) fn is_empty(&self) -> bool {
		self.waiting.is_empty()
	}

	/// Whether one has been shown.
	pub(super) fn any(&self) -> bool {
		self.shown.is_some()
	}

	/// Whether one is due at source time `position`.
	pub(super) fn due(&self, position: i64) -> bool {
		self.waiting.front().is_some_and(|(at, _)| *at <= position + self.bias)
	}

	/// A picture that came too late to be played in its time. It is dropped, but for the newest: a screen may stand
	/// still from there on.
	pub(super) fn push_late(&mut self, at: i64, picture: P, now: i64, figures: &mut Figures) {
		figures.late_pictures += 1;
		if self
			.late
			.as_ref()
			.map(|l| l.0)
			.max(self.shown)
			.is_none_or(|newest| at > newest)
		{
			self.late = Some((at, picture, now));
		}
	}

	pub(super) fn push(&mut self, at: i64, picture: P, figures: &mut Figures) {
		if self.shown.is_some_and(|shown| at <= shown) {
			figures.late_pictures += 1;
			return;
		}
		let place = self.waiting.partition_point(|(a, _)| *a < at);
		if let Some(same) = self.waiting.get_mut(place).filter(|(a, _)| *a == at) {
			same.1 = picture;
			figures.passed += 1;
			return;
		}
		// The newest is always kept: it may be the last one for long.
		if place == self.waiting.len() && place >= 2 && self.waiting[place - 1].0 - self.waiting[place - 2].0 < NEAREST
		{
			self.waiting.pop_back();
			figures.passed += 1;
		}
		self.waiting.insert(place.min(self.waiting.len()), (at, picture));
		if self.waiting.len() > MAX_PICTURES {
			self.make_room(figures);
		}
	}

	/// Drops the oldest, or one that hardly differs from its neighbours: more than 30 a second can't be shown.
	fn make_room(&mut self, figures: &mut Figures) {
		let gap = |i: &usize| self.waiting[i + 1].0 - self.waiting[i - 1].0;
		let between = (1..self.waiting.len() - 1)
			.min_by_key(gap)
			.filter(|i| gap(i) < 2 * FRAME - GUARD);
		self.waiting.remove(between.unwrap_or(0));
		figures.full_pictures += 1;
	}

	/// The picture for source time `position`, `now`, if it is another than before.
	pub(super) fn choose(&mut self, position: i64, now: i64, figures: &mut Figures) -> Option<P> {
		let target = position + self.bias;
		let mut chosen = None;
		while self.waiting.front().is_some_and(|(at, _)| *at <= target) {
			figures.passed += u64::from(chosen.is_some());
			chosen = self.waiting.pop_front();
		}
		// A near miss is kept a miss, a near hit a hit, as long as half a frame allows.
		let missed_by = self.waiting.front().map(|(at, _)| at - target).filter(|by| *by < GUARD);
		let hit_by = chosen.as_ref().map(|(at, _)| target - at).filter(|by| *by < GUARD);
		match (hit_by, missed_by) {
			(Some(by), None) => self.bias = (self.bias + GUARD - by).min(MAX_BIAS),
			(None, Some(by)) => self.bias = (self.bias - GUARD + by).max(-MAX_BIAS),
			_ => {},
		}
		if chosen.is_none() && self.late.as_ref().is_some_and(|(.., came)| now - came > LAST) {
			chosen = self.late.take().map(|(at, picture, _)| (at, picture));
			chosen = chosen.filter(|(at, _)| self.shown.is_none_or(|shown| *at > shown));
		}
		let (at, picture) = chosen?;
		self.shown = Some(at);
		Some(picture)
	}
}
