//! One file of windows, whatever came before and between: its times begin at 0 and go on without a jump, and players that read only
//! one initialisation segment play it from end to end.

use crate::fragment::{self, Error, Fragment, Layout};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A window's times go on where they begin within this behind the end of the one before, nanoseconds: silence of half a second
/// is heard as it was; more is missing windows, or another clock.
const LONGEST_HOLE: u128 = 500_000_000;

/// And within this before it: what rounding of times makes.
const ROUNDING: u128 = 1_000_000;

/// What to do with a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
	/// Append these bytes.
	Append(Vec<Bytes>),
	/// No file that began as this one did can hold it: begin another one, with another [`Copy`].
	Another,
}

/// What is known of a file that windows are appended to.
#[derive(Debug, Default)]
pub struct Copy {
	/// What the file began with.
	first: Option<Layout>,
	/// What the newest window decodes with; whether it differs, or ever did, from what the file began with.
	newest: Option<(Bytes, Layout)>,
	changed: bool,
	/// What is added to the times of each track, in its timescale.
	shift: BTreeMap<u32, i128>,
	/// Where tracks of the newest window end, before anything is added.
	ends: BTreeMap<u32, u64>,
	/// Length of the file, nanoseconds.
	length: u128,
}

impl Copy {
	/// Takes the next window and the initialisation segment that it decodes with. Of an error nothing is remembered: leave the
	/// window out.
	pub fn append(&mut self, init: &Bytes, window: &Bytes) -> Result<Step, Error> {
		let known = self.newest.as_ref().filter(|(newest, _)| newest == init);
		let layout = match known {
			Some((_, layout)) => layout.clone(),
			None => Layout::read(init)?,
		};
		if self.first.as_ref().is_some_and(|first| !first.takes(&layout)) {
			return Ok(Step::Another);
		}
		let fragment = Fragment::read(&layout, window)?;
		let changed = self.changed || (self.newest.is_some() && known.is_none());
		let shift = match self.goes_on(&layout, &fragment) {
			true => self.shift.clone(),
			false => self.join(&layout, &fragment),
		};
		let by = |track: u32| shift.get(&track).copied().unwrap_or_default();
		let bytes = match fragment.moved(window, by).filter(|_| !changed) {
			Some(moved) => moved,
			None => {
				let mut runs = fragment.runs.clone();
				for run in &mut runs {
					let start = i128::from(run.start) + by(run.track);
					run.start = u64::try_from(start).map_err(|_| Error::Time)?;
				}
				if changed {
					fragment::with_parameter_sets(&layout, &mut runs);
				}
				fragment::write(0, &runs)
			},
		};
		let mut append = Vec::with_capacity(2);
		if self.first.is_none() {
			self.first = Some(layout.clone());
			append.push(init.clone());
		}
		append.push(bytes);
		self.ends = fragment.runs.iter().map(|run| (run.track, run.end())).collect();
		for track in layout.tracks() {
			if let Some(run) = fragment.run(track.id) {
				let end = u64::try_from(i128::from(run.end()) + by(track.id)).map_err(|_| Error::Time)?;
				self.length = self.length.max(track.nanoseconds(end));
			}
		}
		(self.shift, self.changed) = (shift, changed);
		self.newest = Some((init.clone(), layout));
		Ok(Step::Append(append))
	}

	/// Whether every track that the window before had goes on where it ended there.
	fn goes_on(&self, layout: &Layout, fragment: &Fragment) -> bool {
		let mut known = false;
		for track in layout.tracks() {
			let (Some(run), Some(end)) = (fragment.run(track.id), self.ends.get(&track.id)) else {
				continue;
			};
			let (start, end) = (track.nanoseconds(run.start), track.nanoseconds(*end));
			if start + ROUNDING < end || start > end + LONGEST_HOLE {
				return false;
			}
			known = true;
		}
		known
	}

	/// What is to be added so that the window begins where the file ends. All tracks move by the same time.
	fn join(&self, layout: &Layout, fragment: &Fragment) -> BTreeMap<u32, i128> {
		let start = |track: &fragment::Track| Some(track.nanoseconds(fragment.run(track.id)?.start));
		let earliest = layout.tracks().iter().filter_map(start).min().unwrap_or_default();
		let shift = |track: &fragment::Track| {
			let by = i128::from(track.ticks(self.length)) - i128::from(track.ticks(earliest));
			// Rounding must not move a track before the start of the file.
			let start = fragment.run(track.id).map_or(0, |run| i128::from(run.start));
			(track.id, by.max(-start))
		};
		layout.tracks().iter().map(shift).collect()
	}
}

#[cfg(test)]
mod tests;
