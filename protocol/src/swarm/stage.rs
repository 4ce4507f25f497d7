//! Windows put together from what several sources bring, handed out in order: nothing gets in that a session has not verified.
//!
//! What waits for a window that is not whole takes no more than a budget, whoever sends what. Beyond it the window that holds up
//! everything is passed over, so that those behind it leave: a viewer loses that one, which is late by all that was sent since, where
//! without those behind it, which are here and paid, it would lose them as well. What would be asked for is not, as far as there is no
//! room for it ([`Swarm::hold_at_most`](super::Swarm::hold_at_most)), so it is only what comes by itself that passes a window over.
//! Who passes windows on can pass none over: what is furthest from being played goes, and it is said that there is
//! [no more room](Stage::crowded).

use crate::{
	assembly::{Announced, Assembly, Chunks},
	open,
	viewer::{ViewerSession, BUDGET, MIN_BUDGET},
	window::EncodedWindow,
	wire::Range,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use clustercast_primitives::{Hash, WindowId};

/// Windows that are put together at a time: as many as relayers announce ahead of what they deliver, and then some. Those that come
/// whole need no place.
const MAX: usize = 64;

/// Windows that wait at a time, however small: of 200 ms those of 50 s.
const MAX_WAITING: usize = 4 * MAX;

/// See the module. Sources have a name each, an `N`.
#[derive(Debug)]
pub struct Stage<N> {
	windows: BTreeMap<WindowId, Slot<N>>,
	/// The last one that is out, or was passed over.
	last: Option<WindowId>,
	/// Bytes that may wait.
	budget: u64,
	/// No window is passed over for want of room.
	patient: bool,
	/// For want of room, and nobody was told.
	passed: Vec<(WindowId, Hash)>,
}

impl<N> Default for Stage<N> {
	fn default() -> Self {
		Self {
			windows: BTreeMap::new(),
			last: None,
			budget: BUDGET,
			patient: false,
			passed: Vec::new(),
		}
	}
}

#[derive(Debug)]
struct Slot<N> {
	hash: Hash,
	state: State,
	/// Bytes that each brought, by its name.
	by: BTreeMap<N, u64>,
}

#[derive(Debug)]
enum State {
	/// It is put together.
	Open(Assembly),
	/// It leaves in its turn.
	Whole(EncodedWindow),
	/// There was no room: it does not leave, and nothing waits for it.
	Passed,
	/// There was no room: nothing of it is here, and those behind it wait.
	Lost,
}

impl<N> Slot<N> {
	fn new(hash: Hash, state: State) -> Self {
		Self {
			hash,
			state,
			by: BTreeMap::new(),
		}
	}

	/// Whether those behind it wait for it.
	fn holds_up(&self) -> bool {
		matches!(self.state, State::Open(_) | State::Lost)
	}

	/// Bytes of memory.
	fn held(&self) -> u64 {
		match &self.state {
			State::Open(assembly) => assembly.held(),
			State::Whole(window) => window.header().bytes.into(),
			State::Passed | State::Lost => 0,
		}
	}
}

/// A whole window, and how many bytes of it came from whom.
pub type Ready<N> = (EncodedWindow, BTreeMap<N, u64>);

impl<N: Ord + Clone> Stage<N> {
	/// Goes on behind this window.
	pub fn behind(last: Option<WindowId>) -> Self {
		Self {
			last,
			..Self::default()
		}
	}

	/// Holds so many bytes at most of windows that are not whole and of those that wait for them, [`BUDGET`] unless it is said;
	/// [`MIN_BUDGET`] where that is more.
	pub fn hold_at_most(&mut self, bytes: u64) {
		self.budget = bytes.max(MIN_BUDGET);
		self.keep_to_budget();
	}

	/// Passes no window over for want of room: for whoever passes windows on to those who have none without the one before.
	pub fn wait_for_all(&mut self) {
		self.patient = true;
	}

	/// A window was announced, by whomever.
	pub fn announced(&mut self, of: &Arc<Announced>) {
		let id = of.id();
		if self.last >= Some(id) || self.windows.len() >= MAX {
			return;
		}
		self.windows
			.entry(id)
			.or_insert_with(|| Slot::new(of.hash(), State::Open(Assembly::new(of.clone()))));
	}

	/// What was announced of a window that is not whole, by whoever was first: the others say the same.
	pub fn first(&self, id: WindowId) -> Option<&Arc<Announced>> {
		match &self.windows.get(&id)?.state {
			State::Open(assembly) => Some(assembly.announced()),
			_ => None,
		}
	}

	/// Chunks came from there.
	pub fn put(&mut self, from: &N, chunks: &Chunks) {
		let range = chunks.range();
		let Some(slot) = self.windows.values_mut().find(|slot| slot.hash == range.header) else {
			return;
		};
		let State::Open(assembly) = &mut slot.state else {
			return;
		};
		let gaps = assembly.missing();
		let fresh = gaps.iter().map(|gap| {
			let (first, end) = (
				gap.first.max(range.first),
				(gap.first + gap.count).min(range.first + range.count),
			);
			assembly.announced().offset(end.max(first)) - assembly.announced().offset(first)
		});
		let fresh: usize = fresh.sum();
		if assembly.put(chunks) {
			*slot.by.entry(from.clone()).or_default() += fresh as u64;
			if let Some(window) = assembly.finish() {
				slot.state = State::Whole(window);
			}
		}
		self.keep_to_budget();
	}

	/// All of a window came from there.
	pub fn whole(&mut self, from: &N, window: EncodedWindow) {
		let id = window.id();
		if self.last >= Some(id) {
			return;
		}
		let bytes = u64::from(window.header().bytes);
		match self.windows.get_mut(&id) {
			None => {
				let mut slot = Slot::new(window.hash(), State::Whole(window));
				slot.by.insert(from.clone(), bytes);
				self.windows.insert(id, slot);
			},
			Some(slot) if matches!(slot.state, State::Open(_)) => {
				let others = slot.by.iter().filter(|(other, _)| *other != from);
				let others: u64 = others.map(|(_, bytes)| bytes).sum();
				slot.by.insert(from.clone(), bytes.saturating_sub(others));
				slot.state = State::Whole(window);
			},
			Some(_) => {},
		}
		self.keep_to_budget();
	}

	/// What is not here of a window that is not whole.
	pub fn missing(&self, header: &Hash) -> Vec<Range> {
		let mut slots = self.windows.values().filter(|slot| slot.hash == *header);
		slots
			.find_map(|slot| match &slot.state {
				State::Open(assembly) => Some(assembly.missing()),
				_ => None,
			})
			.unwrap_or_default()
	}

	/// The window that those behind it wait for, as it was announced.
	pub fn next(&self) -> Option<&Arc<Announced>> {
		match &self.windows.first_key_value()?.1.state {
			State::Open(assembly) => Some(assembly.announced()),
			_ => None,
		}
	}

	/// The next run of that window, from this chunk on: of what is here and in these sessions, whoever brought it. See [`open::run`].
	pub fn run<'a>(&'a self, from: u32, sessions: impl Iterator<Item = &'a ViewerSession> + Clone) -> Option<Chunks> {
		let State::Open(assembly) = &self.windows.first_key_value()?.1.state else {
			return None;
		};
		let of = assembly.announced();
		open::run(of, from, |chunk| {
			let sessions = sessions.clone();
			let theirs = sessions.filter_map(|session| session.verified(&of.hash(), chunk));
			let here = assembly.verified(chunk).into_iter().chain(theirs);
			here.max_by_key(|verified| verified.bytes().len())
		})
	}

	/// Windows that are not whole.
	pub fn open(&self) -> impl Iterator<Item = Hash> + '_ {
		self.windows
			.values()
			.filter(|slot| matches!(slot.state, State::Open(_)))
			.map(|slot| slot.hash)
	}

	/// Passes this window, and those before it, over; their headers.
	pub fn skip(&mut self, id: WindowId) -> Vec<Hash> {
		self.last = self.last.max(Some(id));
		let later = self.windows.split_off(&id);
		let before = core::mem::replace(&mut self.windows, later);
		let at = self.windows.remove(&id);
		before.into_values().chain(at).map(|slot| slot.hash).collect()
	}

	/// The next window, once it is whole.
	pub fn pop(&mut self) -> Option<Ready<N>> {
		loop {
			let first = self.windows.first_entry()?;
			if first.get().holds_up() {
				return None;
			}
			let (id, slot) = first.remove_entry();
			self.last = Some(id);
			if let State::Whole(window) = slot.state {
				return Some((window, slot.by));
			}
		}
	}

	/// Windows that were passed over for want of room since this was asked last, and their headers.
	pub fn take_passed(&mut self) -> Vec<(WindowId, Hash)> {
		core::mem::take(&mut self.passed)
	}

	/// The window that holds up more than there is room for, where [none is passed over](Stage::wait_for_all): what went for it does
	/// not come again, so it is gone on anew behind the last one.
	pub fn crowded(&self) -> Option<WindowId> {
		let lost = self.windows.values().any(|slot| matches!(slot.state, State::Lost));
		let mut up = self.windows.iter().filter(|(_, slot)| slot.holds_up());
		up.next().filter(|_| lost).map(|(id, _)| *id)
	}

	/// What is not whole, and waits for that. Those before are on their way out.
	fn waiting(&self) -> impl Iterator<Item = &Slot<N>> {
		self.windows.values().skip_while(|slot| !slot.holds_up())
	}

	/// Bytes of that.
	pub fn held(&self) -> u64 {
		self.waiting().map(Slot::held).sum()
	}

	fn keep_to_budget(&mut self) {
		let whole = |slot: &&Slot<N>| matches!(slot.state, State::Whole(_));
		while self.held() > self.budget || self.waiting().filter(whole).count() > MAX_WAITING {
			if self.patient {
				let furthest = self.windows.values_mut().rev().find(|slot| slot.held() > 0);
				match furthest {
					Some(slot) => slot.state = State::Lost,
					None => return,
				}
				continue;
			}
			let Some((id, slot)) = self.windows.iter_mut().find(|(_, slot)| slot.holds_up()) else {
				return;
			};
			slot.state = State::Passed;
			self.passed.push((*id, slot.hash));
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};

	fn windows(count: u8) -> Vec<EncodedWindow> {
		let mut broadcast = Broadcast::default();
		(0..count)
			.map(|seed| broadcast.segment(&fixture::media(1_000, seed)))
			.collect()
	}

	fn ids(stage: &mut Stage<&str>) -> Vec<u64> {
		core::iter::from_fn(|| stage.pop())
			.map(|(window, _)| window.id().segment)
			.collect()
	}

	#[test]
	fn windows_leave_once_and_in_their_order_and_what_was_passed_over_does_not() {
		let windows = windows(4);
		let first = windows[0].id().segment;
		let mut stage = Stage::default();
		for at in [2, 1, 1] {
			stage.whole(&"a", windows[at].clone());
		}
		assert_eq!(ids(&mut stage), [first + 1, first + 2]);
		// Another one was later, or what was before.
		for at in [0, 1, 2] {
			stage.whole(&"b", windows[at].clone());
		}
		assert!(ids(&mut stage).is_empty());
		assert!(stage.skip(windows[3].id()).is_empty());
		stage.whole(&"b", windows[3].clone());
		assert!(ids(&mut stage).is_empty());
	}

	/// Of a large window.
	const LARGE: usize = 2 << 20;

	fn large(count: usize) -> Vec<EncodedWindow> {
		let mut broadcast = Broadcast::default();
		let window = |seed| broadcast.segment(&fixture::media(LARGE, seed as u8));
		(0..count).map(window).collect()
	}

	fn first_chunk(window: &EncodedWindow) -> Chunks {
		let range = Range {
			count: 1,
			..window.range()
		};
		Chunks::verified(range, window.chunks(0, 1).unwrap())
	}

	/// The attack: of the first window one chunk never comes, and those behind it are whole. 64 of 8 MiB took 512 MiB.
	#[test]
	fn windows_behind_one_that_never_gets_whole_take_no_more_than_the_budget_and_leave_then() {
		let windows = large(BUDGET as usize / LARGE + 3);
		let (first, mut stage) = (windows[0].id().segment, Stage::default());
		stage.announced(windows[0].announced());
		stage.put(&"a", &first_chunk(&windows[0]));
		let mut left = Vec::new();
		for window in &windows[1..] {
			stage.whole(&"a", window.clone());
			assert!(stage.held() <= BUDGET);
			left.extend(ids(&mut stage));
		}
		let all: Vec<_> = (first + 1..first + windows.len() as u64).collect();
		assert_eq!(left, all, "none of what is here is lost");
		assert_eq!(stage.take_passed(), [(windows[0].id(), windows[0].hash())]);
		assert!(stage.take_passed().is_empty(), "once");
		// Nor does it come later, behind those.
		stage.announced(windows[0].announced());
		stage.whole(&"b", windows[0].clone());
		assert!(ids(&mut stage).is_empty() && stage.open().next().is_none());
	}

	/// The same with one chunk of each: with the first chunk there is room for all of them.
	#[test]
	fn windows_of_which_only_a_chunk_comes_take_no_more_than_the_budget() {
		let windows = large(BUDGET as usize / LARGE + 5);
		let mut stage = Stage::default();
		for window in &windows {
			stage.announced(window.announced());
			stage.put(&"a", &first_chunk(window));
			assert!(stage.held() <= BUDGET);
		}
		let gone: Vec<_> = windows[..5].iter().map(|window| (window.id(), window.hash())).collect();
		assert_eq!(stage.take_passed(), gone, "the oldest, and no more than that");
		// What comes of them is of no use any more.
		windows[..5]
			.iter()
			.for_each(|window| stage.put(&"b", &first_chunk(window)));
		assert_eq!(stage.open().count(), windows.len() - 5);
		assert!(ids(&mut stage).is_empty());
	}

	#[test]
	fn windows_that_wait_are_counted_however_small_they_are() {
		let mut broadcast = Broadcast::default();
		let windows: Vec<_> = (0..MAX_WAITING + 2).map(|_| broadcast.segment(&[1])).collect();
		let mut stage = Stage::default();
		stage.announced(windows[0].announced());
		let (last, rest) = windows[1..].split_last().unwrap();
		rest.iter().for_each(|window| stage.whole(&"a", window.clone()));
		assert!(ids(&mut stage).is_empty(), "there is room");
		stage.whole(&"a", last.clone());
		assert_eq!(ids(&mut stage).len(), MAX_WAITING + 1);
	}

	#[test]
	fn who_passes_windows_on_passes_none_over_and_is_told_that_there_is_no_more_room() {
		let windows = large(MIN_BUDGET as usize / LARGE + 3);
		let mut stage = Stage::default();
		stage.wait_for_all();
		stage.hold_at_most(0);
		stage.announced(windows[0].announced());
		for (at, window) in windows[1..].iter().enumerate() {
			assert_eq!(
				stage.crowded(),
				(at > MIN_BUDGET as usize / LARGE).then_some(windows[0].id())
			);
			stage.whole(&"a", window.clone());
			assert!(stage.held() <= MIN_BUDGET && ids(&mut stage).is_empty());
		}
		assert!(stage.take_passed().is_empty());
		// What is next to be played is what is kept, and nothing leaves behind what is not.
		stage.whole(&"b", windows[0].clone());
		let first = windows[0].id().segment;
		let kept = MIN_BUDGET / LARGE as u64;
		assert_eq!(ids(&mut stage), (first..=first + kept).collect::<Vec<_>>());
		assert_eq!(stage.crowded().map(|id| id.segment), Some(first + kept + 1));
	}

	#[test]
	fn next_window_is_passed_on_in_runs_and_none_behind_it() {
		let windows = large(2);
		let mut stage = Stage::default();
		stage.announced(windows[0].announced());
		stage.announced(windows[1].announced());
		assert_eq!(stage.next(), Some(windows[0].announced()));
		let chunks = |window: &EncodedWindow, first, count| {
			let range = Range {
				first,
				count,
				..window.range()
			};
			Chunks::verified(range, window.chunks(first, count).unwrap())
		};
		let none = core::iter::empty;
		stage.put(&"a", &chunks(&windows[1], 0, 9));
		stage.put(&"a", &chunks(&windows[0], 0, 3));
		assert!(stage.run(0, none()).is_none(), "48 KiB");
		stage.put(&"b", &chunks(&windows[0], 3, 2));
		let run = stage.run(0, none()).unwrap();
		assert_eq!(run, chunks(&windows[0], 0, 5), "whoever brought what");
		assert!(stage.run(5, none()).is_none());
		stage.whole(&"a", windows[0].clone());
		assert!(
			stage.next().is_none() && stage.run(5, none()).is_none(),
			"it leaves whole"
		);
		stage.pop();
		assert_eq!(stage.next(), Some(windows[1].announced()));
		assert_eq!(stage.run(0, none()), Some(chunks(&windows[1], 0, 9)));
	}

	#[test]
	fn window_counts_for_who_brought_it_first() {
		let windows = windows(1);
		let mut stage = Stage::default();
		stage.whole(&"a", windows[0].clone());
		stage.whole(&"b", windows[0].clone());
		let (window, by) = stage.pop().unwrap();
		assert_eq!(by, [("a", u64::from(window.header().bytes))].into());
	}
}
