//! The newest windows of the streams served, bounded in bytes together. Where there is no more room, the oldest window goes of the
//! stream that takes up most: so one that has large windows, or many, drives out its own, and each keeps what is its equal part.
//! Of each stream one window may be here of which the rest is coming.

use crate::{
	assembly::{Announced, Chunks},
	open::{Held, OpenWindow},
	window::EncodedWindow,
};
use alloc::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	vec::Vec,
};
use clustercast_primitives::{window::flags, BlockNumber, Hash, StreamId, TrackId, WindowId};
use codec::Encode;
use core::ops::Bound;

/// Segments behind the newest one here that a viewer may have seen elsewhere already: two minutes of the usual 2 s, more than
/// any relayer falls behind before it takes its upstream for failing.
pub const MAX_SEGMENTS_AHEAD: u64 = 64;

/// Blocks that an epoch may lie behind the newest one here: a minute. An epoch is named after the block it begins in.
pub const MAX_BLOCKS_AHEAD: BlockNumber = 30;

/// What a subscription needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
	/// The newest window that can be decoded by itself.
	Live {
		/// Of this stream.
		stream: StreamId,
		/// Of this track.
		track: TrackId,
	},
	/// The direct successor of this window.
	After {
		/// Its place.
		id: WindowId,
		/// Hash of its header.
		header: Hash,
	},
}

impl Cursor {
	/// Stream that it moves in.
	pub fn stream(&self) -> StreamId {
		match self {
			Self::Live { stream, .. } => *stream,
			Self::After { id, .. } => id.stream,
		}
	}

	/// Track that it moves in.
	pub fn track(&self) -> TrackId {
		match self {
			Self::Live { track, .. } => *track,
			Self::After { id, .. } => id.track,
		}
	}
}

/// Answer of [`WindowCache::get_after`].
#[derive(Clone, Debug)]
pub enum Lookup {
	/// Here it is.
	Found(EncodedWindow),
	/// Its beginning is here, and the rest is coming.
	Open(OpenWindow),
	/// Not yet: ask again after the next insertion.
	NotYet,
	/// Neither the window that the cursor names is here nor any behind it: it may come.
	Unknown,
	/// It was evicted or never came, or cannot be told from a later one; the cursor is far ahead of all that is here, or of
	/// another history.
	Gone,
}

/// Windows by place, with a budget in bytes.
#[derive(Debug)]
pub struct WindowCache {
	max_bytes: usize,
	bytes: usize,
	windows: BTreeMap<WindowId, Held>,
	/// By the hash of its header.
	places: BTreeMap<Hash, WindowId>,
	shelves: BTreeMap<StreamId, Shelf>,
	/// Epochs of keys that were replaced, of which something is here.
	retired: BTreeSet<(StreamId, BlockNumber)>,
}

/// What is here of a stream.
#[derive(Debug, Default)]
struct Shelf {
	bytes: usize,
	/// In order of insertion, with what each costs, bytes.
	ages: VecDeque<(WindowId, usize)>,
	/// The one that is not whole.
	open: Option<WindowId>,
}

impl WindowCache {
	/// Holds at most so many bytes; the newest window of each stream stays even when these alone are larger.
	pub fn new(max_bytes: usize) -> Self {
		Self {
			max_bytes,
			bytes: 0,
			windows: BTreeMap::new(),
			places: BTreeMap::new(),
			shelves: BTreeMap::new(),
			retired: BTreeSet::new(),
		}
	}

	/// The key of all that is here of a stream was replaced, and the chain is at block `now`: it is no beginning any more, and
	/// stays for those who go on behind it. What is of an epoch that no honest run can have begun yet goes, since the next
	/// run would be behind it.
	pub fn retire(&mut self, stream: StreamId, now: BlockNumber) {
		self.give_up(stream);
		let none = VecDeque::new();
		let ages = self.shelves.get(&stream).map_or(&none, |shelf| &shelf.ages);
		let early: Vec<_> = ages.iter().map(|(id, _)| *id).filter(|id| id.epoch >= now).collect();
		early.into_iter().for_each(|id| self.remove(id));
		let held: BTreeSet<_> = self.windows.keys().map(|id| (id.stream, id.epoch)).collect();
		self.retired.retain(|epoch| held.contains(epoch));
		self.retired.extend(held.into_iter().filter(|(of, _)| *of == stream));
	}

	/// Adds a window, or the rest of one; `false` when its place is another's or it is here, which changes nothing. One of which the
	/// rest did not come before this one is given up.
	pub fn insert(&mut self, window: EncodedWindow) -> bool {
		let (id, hash) = (window.id(), window.hash());
		match self.windows.get_mut(&id) {
			Some(held) if held.whole().is_some() => return false,
			// It counts already.
			Some(held) if held.announced().hash() == hash => *held = Held::Whole(window),
			// What is whole needs not wait for the rest of another one.
			Some(_) => {
				self.remove(id);
				self.add(Held::Whole(window));
			},
			None => self.add(Held::Whole(window)),
		}
		let open = self.shelves.get(&id.stream).and_then(|shelf| shelf.open);
		if open == Some(id) {
			self.shelves.entry(id.stream).or_default().open = None;
		} else if open < Some(id) {
			self.give_up(id.stream);
		}
		true
	}

	/// Adds a run of a window of which the rest is coming, the first one or that behind what is here; `false` where it is neither, where
	/// the window is whole, where its place is another's, or where a newer one is here: that changes nothing. It counts as if all of it
	/// were here, and an older one of which the rest did not come is given up.
	pub fn extend(&mut self, of: &Arc<Announced>, run: Chunks) -> bool {
		let id = of.id();
		match self.windows.get_mut(&id) {
			Some(Held::Open(window)) => return window.hash() == of.hash() && window.extend(run),
			Some(Held::Whole(_)) => return false,
			None => {},
		}
		let newest = self.track(id.stream, id.track).next_back();
		if newest.is_some_and(|newest| newest.announced().id() > id) {
			return false;
		}
		let Some(window) = OpenWindow::new(of.clone(), run) else {
			return false;
		};
		self.give_up(id.stream);
		self.add(Held::Open(window));
		self.shelves.entry(id.stream).or_default().open = Some(id);
		true
	}

	/// Chunks of this window, from its beginning, that are here, where its next run may be [added](WindowCache::extend).
	pub fn reached(&self, of: &Announced) -> Option<u32> {
		match self.windows.get(&of.id()) {
			None => Some(0),
			Some(Held::Open(window)) if window.hash() == of.hash() => Some(window.here()),
			Some(_) => None,
		}
	}

	/// The rest of a window of this stream does not come: what is here of it goes. Whether there was one.
	pub fn give_up(&mut self, stream: StreamId) -> bool {
		let open = self.shelves.get(&stream).and_then(|shelf| shelf.open);
		open.map(|id| self.remove(id)).is_some()
	}

	fn add(&mut self, window: Held) {
		let (id, cost) = (window.announced().id(), self.cost(window.announced()));
		self.places.insert(window.announced().hash(), id);
		self.windows.insert(id, window);
		let shelf = self.shelves.entry(id.stream).or_default();
		shelf.ages.push_back((id, cost));
		shelf.bytes += cost;
		self.bytes += cost;
		while self.bytes > self.max_bytes && self.evict() {}
	}

	/// Gives up the oldest window of the stream that takes up most and has another; whether there is one.
	fn evict(&mut self) -> bool {
		let shelves = self.shelves.values().filter(|shelf| shelf.ages.len() > 1);
		let largest = shelves.max_by_key(|shelf| shelf.bytes);
		let oldest = largest.and_then(|shelf| shelf.ages.front()).map(|(id, _)| *id);
		oldest.map(|id| self.remove(id)).is_some()
	}

	fn remove(&mut self, id: WindowId) {
		if let Some(window) = self.windows.remove(&id) {
			self.places.remove(&window.announced().hash());
		}
		let Some(shelf) = self.shelves.get_mut(&id.stream) else {
			return;
		};
		shelf.open.take_if(|open| *open == id);
		let at = shelf.ages.iter().position(|(other, _)| *other == id);
		if let Some((_, cost)) = at.and_then(|at| shelf.ages.remove(at)) {
			shelf.bytes -= cost;
			self.bytes -= cost;
		}
	}

	/// What a window takes up: catalog and initialisation segment count where the window of its stream inserted before has
	/// others, so that a broadcaster who changes them with each window fills no more than the budget.
	fn cost(&self, window: &Announced) -> usize {
		let shelf = self.shelves.get(&window.id().stream);
		let last = shelf.and_then(|shelf| shelf.ages.back());
		let before = last.and_then(|(id, _)| self.windows.get(id));
		let before = before.map(|before| before.announced().setting());
		let setting = window.setting();
		let catalog = match before.is_some_and(|before| Arc::ptr_eq(&before.catalog, &setting.catalog)) {
			true => 0,
			false => setting.catalog.encoded_size(),
		};
		let init = match before.is_some_and(|before| before.init.as_ptr() == setting.init.as_ptr()) {
			true => 0,
			false => setting.init.len(),
		};
		window.size() + catalog + init + size_of_val(window.history().peaks())
	}

	/// What the cursor asks for.
	pub fn get_after(&self, cursor: Cursor) -> Lookup {
		match cursor {
			Cursor::Live { stream, track } => self
				.track(stream, track)
				.rev()
				// Who begins has something to play at once.
				.filter_map(Held::whole)
				.find(|w| w.header().has(flags::INDEPENDENT) && !self.retired.contains(&(stream, w.id().epoch)))
				.map_or(Lookup::NotYet, |w| Lookup::Found(w.clone())),
			Cursor::After { id, header } => {
				let named = self.windows.get(&id);
				let end = last_of(id.stream, id.track);
				let is_gone = match named {
					Some(window) => window.announced().hash() != header,
					None => self.is_far_ahead(id),
				};
				if id >= end || is_gone {
					return Lookup::Gone;
				}
				let next = self.windows.range((Bound::Excluded(id), Bound::Included(end))).next();
				match (next, named) {
					(None, Some(_)) => Lookup::NotYet,
					(None, None) => Lookup::Unknown,
					(Some((_, next)), _) if self.succeeds(id, next.announced()) => match next {
						Held::Whole(window) => Lookup::Found(window.clone()),
						Held::Open(window) => Lookup::Open(window.clone()),
					},
					(Some(_), _) => Lookup::Gone,
				}
			},
		}
	}

	/// The window whose header has this hash, if all of it is here.
	pub fn find(&self, header: &Hash) -> Option<&EncodedWindow> {
		self.held(header)?.whole()
	}

	/// What is here of the window whose header has this hash.
	pub fn held(&self, header: &Hash) -> Option<&Held> {
		self.windows.get(self.places.get(header)?)
	}

	/// The newest window of a track that is whole.
	pub fn latest(&self, stream: StreamId, track: TrackId) -> Option<&EncodedWindow> {
		self.track(stream, track).rev().find_map(Held::whole)
	}

	/// Bytes held.
	pub fn bytes(&self) -> usize {
		self.bytes
	}

	/// Windows held.
	pub fn len(&self) -> usize {
		self.windows.len()
	}

	/// Whether it holds none.
	pub fn is_empty(&self) -> bool {
		self.windows.is_empty()
	}

	/// Whether no honest viewer can have seen this window yet, by the newest one that is here.
	fn is_far_ahead(&self, id: WindowId) -> bool {
		self.latest(id.stream, id.track).is_some_and(|latest| {
			let newest = latest.id();
			match id.epoch == newest.epoch {
				true => id.segment > newest.segment.saturating_add(MAX_SEGMENTS_AHEAD),
				false => id.epoch > newest.epoch.saturating_add(MAX_BLOCKS_AHEAD),
			}
		})
	}

	/// Whether `next` surely comes directly after the window at `id`: its header states the history up to there, or it
	/// begins an epoch. When that window is not here, nothing tells whether it was the last part of its segment.
	fn succeeds(&self, id: WindowId, next: &Announced) -> bool {
		if next.id().epoch != id.epoch {
			return next.header().number == 0;
		}
		match self.windows.get(&id) {
			Some(before) => next.header().follows(&before.announced().history_after()),
			None => next.id().segment == id.segment && Some(next.id().part) == id.part.checked_add(1),
		}
	}

	fn track(&self, stream: StreamId, track: TrackId) -> impl DoubleEndedIterator<Item = &Held> {
		let first = WindowId {
			stream,
			track,
			epoch: 0,
			segment: 0,
			part: 0,
		};
		self.windows.range(first..=last_of(stream, track)).map(|(_, w)| w)
	}
}

fn last_of(stream: StreamId, track: TrackId) -> WindowId {
	WindowId {
		stream,
		track,
		epoch: u32::MAX,
		segment: u64::MAX,
		part: u16::MAX,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast, STREAM};
	use bytes::Bytes;
	use clustercast_primitives::catalog::Track;

	const LIVE: Cursor = Cursor::Live {
		stream: STREAM,
		track: 0,
	};

	fn after(window: &EncodedWindow) -> Cursor {
		Cursor::After {
			id: window.id(),
			header: window.hash(),
		}
	}

	fn found(lookup: Lookup) -> WindowId {
		match lookup {
			Lookup::Found(window) => window.id(),
			other => panic!("{other:?}"),
		}
	}

	#[test]
	fn cursor_walks_from_window_to_window() {
		let mut broadcast = Broadcast::default();
		let mut cache = WindowCache::new(1 << 20);
		assert!(matches!(cache.get_after(LIVE), Lookup::NotYet));
		let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; 100])).collect();
		windows.iter().for_each(|w| assert!(cache.insert(w.clone())));
		assert!(!cache.insert(windows[0].clone()));
		assert_eq!(cache.len(), 4);
		assert_eq!(found(cache.get_after(LIVE)), windows[3].id());
		for pair in windows.windows(2) {
			assert_eq!(found(cache.get_after(after(&pair[0]))), pair[1].id());
		}
		assert!(matches!(cache.get_after(after(&windows[3])), Lookup::NotYet));
	}

	/// This run of a window.
	fn run(window: &EncodedWindow, first: u32, count: u32) -> Chunks {
		let range = crate::Range {
			first,
			count,
			..window.range()
		};
		Chunks::verified(range, window.chunks(first, count).unwrap())
	}

	/// Of 10 chunks each.
	fn two_large() -> [EncodedWindow; 2] {
		let mut broadcast = Broadcast::default();
		[1, 2].map(|seed| broadcast.segment(&fixture::media(10 << 14, seed)))
	}

	#[test]
	fn window_is_found_as_it_comes_and_is_whole_in_its_place() {
		let [first, next] = two_large();
		let mut cache = WindowCache::new(1 << 20);
		assert!(cache.insert(first.clone()));
		let of = next.announced();
		assert_eq!(cache.reached(of), Some(0));
		assert!(!cache.extend(of, run(&next, 4, 4)), "not its beginning");
		assert!(cache.extend(of, run(&next, 0, 4)));
		assert!(!cache.extend(of, run(&next, 0, 4)), "it is here");
		assert!(!cache.extend(of, run(&next, 5, 4)), "what is between is not");
		assert!(cache.extend(of, run(&next, 4, 4)));
		assert_eq!(cache.reached(of), Some(8));
		let open =
			|lookup| matches!(lookup, Lookup::Open(window) if window.hash() == next.hash() && window.here() == 8);
		assert!(open(cache.get_after(after(&first))));
		assert_eq!(
			cache.held(&next.hash()).unwrap().rest(4).concat(),
			next.data()[4 << 14..8 << 14]
		);
		assert!(
			matches!(cache.get_after(after(&next)), Lookup::NotYet),
			"nothing is behind it yet"
		);
		// Who begins, or takes ranges of it, is served with what is whole.
		assert_eq!(found(cache.get_after(LIVE)), first.id());
		assert_eq!(cache.latest(STREAM, 0).unwrap().id(), first.id());
		assert!(cache.find(&next.hash()).is_none());
		assert!(cache.insert(next.clone()) && !cache.insert(next.clone()));
		assert_eq!(found(cache.get_after(after(&first))), next.id());
		assert_eq!((cache.reached(of), cache.len()), (None, 2));
		assert!(!cache.extend(of, run(&next, 8, 2)), "it is whole");
		assert_eq!(
			cache.held(&next.hash()).unwrap().rest(8).concat(),
			next.data()[8 << 14..]
		);
		assert!(!cache.give_up(STREAM) && cache.find(&next.hash()).is_some());
	}

	#[test]
	fn window_that_comes_counts_as_a_whole_one_and_goes_when_it_is_given_up() {
		let [first, next] = two_large();
		let mut whole = WindowCache::new(1 << 20);
		assert!([&first, &next].into_iter().all(|window| whole.insert(window.clone())));
		let mut cache = WindowCache::new(1 << 20);
		cache.insert(first.clone());
		let before = cache.bytes();
		assert!(cache.extend(next.announced(), run(&next, 0, 4)));
		assert_eq!(cache.bytes(), whole.bytes());
		assert!(cache.give_up(STREAM) && !cache.give_up(STREAM));
		assert_eq!((cache.bytes(), cache.len()), (before, 1));
		assert!(cache.held(&next.hash()).is_none());
		assert!(
			matches!(cache.get_after(after(&first)), Lookup::NotYet),
			"it may come again"
		);
		cache.extend(next.announced(), run(&next, 0, 4));
		cache.insert(next.clone());
		assert_eq!(cache.bytes(), whole.bytes(), "it counts once");
		// A key that was replaced brings no rest.
		let mut replaced = WindowCache::new(1 << 20);
		replaced.extend(first.announced(), run(&first, 0, 4));
		replaced.retire(STREAM, BlockNumber::MAX);
		assert_eq!((replaced.bytes(), replaced.len()), (0, 0));
	}

	#[test]
	fn window_that_comes_drives_out_the_oldest() {
		let [first, next] = two_large();
		let mut cache = WindowCache::new(first.size() + 1_000);
		cache.insert(first.clone());
		assert!(cache.extend(next.announced(), run(&next, 0, 4)));
		assert_eq!((cache.len(), cache.find(&first.hash()).is_some()), (1, false));
		assert_eq!(cache.reached(next.announced()), Some(4), "the newest one stays");
	}

	#[test]
	fn window_is_superseded_by_a_newer_one_and_another_header_takes_no_place() {
		let [first, next] = two_large();
		let [other, _] = {
			let mut broadcast = Broadcast::default();
			[7, 8].map(|seed| broadcast.segment(&fixture::media(10 << 14, seed)))
		};
		let mut cache = WindowCache::new(1 << 20);
		assert!(cache.extend(first.announced(), run(&first, 0, 4)));
		assert_eq!(cache.reached(other.announced()), None);
		assert!(!cache.extend(other.announced(), run(&other, 4, 4)));
		assert_eq!(cache.reached(first.announced()), Some(4));
		assert!(cache.insert(next.clone()));
		assert!(
			cache.held(&first.hash()).is_none(),
			"what is behind it came before its rest"
		);
		assert!(!cache.extend(first.announced(), run(&first, 0, 4)));
		assert_eq!(cache.len(), 1);
	}

	/// An attack of who has the key: one header's beginning, and another one whole.
	#[test]
	fn what_is_whole_takes_the_place_of_another_one_that_is_not() {
		let [first, _] = two_large();
		let other = Broadcast::default().segment(&fixture::media(10 << 14, 7));
		let mut cache = WindowCache::new(1 << 20);
		assert!(cache.extend(first.announced(), run(&first, 0, 4)));
		assert!(cache.insert(other.clone()) && !cache.insert(first.clone()));
		assert_eq!((cache.len(), cache.bytes() >= other.size()), (1, true));
		assert!(cache.find(&other.hash()).is_some() && cache.held(&first.hash()).is_none());
	}

	/// The fault: who had waited through a pause was told that its place was gone, as soon as the first window began to come.
	#[test]
	fn who_follows_the_first_window_of_a_new_run_as_it_comes_waits_for_the_next_one() {
		let mut broadcast = Broadcast::default();
		let before = broadcast.segment(&fixture::media(10 << 14, 1));
		broadcast.begin_epoch(before.id().epoch + MAX_BLOCKS_AHEAD + 1);
		let first = broadcast.segment(&fixture::media(10 << 14, 2));
		let mut cache = WindowCache::new(1 << 20);
		cache.insert(before);
		assert!(cache.extend(first.announced(), run(&first, 0, 4)));
		assert!(matches!(cache.get_after(after(&first)), Lookup::NotYet));
	}

	#[test]
	fn oldest_windows_make_room() {
		let mut broadcast = Broadcast::default();
		let windows: Vec<_> = (0..5).map(|i| broadcast.segment(&[i; 1_000])).collect();
		// The history before window 3 has two peaks, that before window 4 one.
		let size = 2 * windows[0].size() + 3 * 32;
		let mut cache = WindowCache::new(size);
		windows.iter().for_each(|w| assert!(cache.insert(w.clone())));
		assert_eq!((cache.len(), cache.bytes()), (2, size));
		assert_eq!(found(cache.get_after(after(&windows[3]))), windows[4].id());
		assert!(matches!(cache.get_after(after(&windows[1])), Lookup::Gone));
		let mut tiny = WindowCache::new(1);
		windows.iter().for_each(|w| assert!(tiny.insert(w.clone())));
		assert_eq!(tiny.latest(STREAM, 0).unwrap().id(), windows[4].id());
		assert_eq!(tiny.len(), 1);
	}

	/// The attack: a stream of large windows, or of many small ones, beside others on one relayer.
	#[test]
	fn stream_with_large_windows_drives_out_its_own() {
		let of = |stream: u64| {
			let (key, after) = (fixture::stream_key(), Hash([0; 32]));
			let mut broadcast =
				crate::Broadcast::begin(key, fixture::GENESIS, StreamId(stream), fixture::EPOCH, after, 0);
			broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
			let mut number = 0;
			move |bytes: usize| {
				number += 1;
				broadcast.segment(2_000 * number, &vec![number as u8; bytes]).unwrap()
			}
		};
		let (mut large, mut many, mut small) = (of(1), of(2), of(3));
		let budget = 300_000;
		let mut cache = WindowCache::new(budget);
		let held = |cache: &WindowCache, stream: u64| cache.track(StreamId(stream), 0).count();
		let first = small(1_000);
		cache.insert(first.clone());
		for _ in 0..20 {
			cache.insert(small(1_000));
		}
		assert_eq!(held(&cache, 3), 21, "alone it has all the room that it needs");
		for _ in 0..50 {
			cache.insert(large(70_000));
			for _ in 0..5 {
				cache.insert(many(9_000));
			}
			assert!(cache.bytes() <= budget);
		}
		assert_eq!(held(&cache, 3), 21, "less than its third");
		assert!(matches!(cache.get_after(after(&first)), Lookup::Found(_)));
		let bytes = |cache: &WindowCache, stream: u64| cache.shelves[&StreamId(stream)].bytes;
		let (large_has, many_has) = (bytes(&cache, 1), bytes(&cache, 2));
		// But for the window that was given up last.
		assert!(large_has + 71_000 > budget / 3, "{large_has}");
		assert!(many_has > budget / 3, "{many_has}");
		// One window is larger than its part, and is there all the same.
		cache.insert(large(120_000));
		assert_eq!((held(&cache, 1), held(&cache, 3)), (1, 21));
		assert!(cache.bytes() <= budget);
		let all: usize = (1..4).map(|stream| bytes(&cache, stream)).sum();
		assert_eq!(cache.bytes(), all);
	}

	/// The attack: small windows, each with a catalog and an initialisation segment of its own.
	#[test]
	fn what_windows_are_decoded_with_counts_where_it_changes() {
		let mut broadcast = Broadcast::default();
		let mut cache = WindowCache::new(100_000);
		for i in 0..20 {
			broadcast.reinit(vec![i; 30_000]);
			cache.insert(broadcast.segment(&[i; 10]));
		}
		assert_eq!(cache.len(), 3, "by their frames alone all of them would stay");
		for i in 0..20 {
			cache.insert(broadcast.segment(&[i; 10]));
		}
		assert!(cache.len() > 20, "what is shared counts once");
	}

	#[test]
	fn gap_is_never_bridged() {
		let mut broadcast = Broadcast::default();
		let parts: Vec<_> = [0, 0, flags::LAST_PART, 0]
			.map(|f| broadcast.window(f, &[1; 10]))
			.into();
		let mut cache = WindowCache::new(1 << 20);
		for at in [0, 2, 3] {
			cache.insert(parts[at].clone());
		}
		assert!(matches!(cache.get_after(after(&parts[0])), Lookup::Gone));
		assert_eq!(found(cache.get_after(after(&parts[1]))), parts[2].id());
		assert_eq!(found(cache.get_after(after(&parts[2]))), parts[3].id());
		// Without part 2 nothing tells whether its segment went on behind it.
		let mut late = WindowCache::new(1 << 20);
		late.insert(parts[3].clone());
		assert!(matches!(late.get_after(after(&parts[2])), Lookup::Gone));
		// Part 1 of another segment is not the part behind part 0 of this one.
		late = WindowCache::new(1 << 20);
		late.insert(broadcast.window(0, &[2; 10]));
		assert!(matches!(late.get_after(after(&parts[0])), Lookup::Gone));
	}

	/// The attack: a place that never comes holds a seat for ever.
	#[test]
	fn place_that_nobody_can_have_seen_is_refused_and_one_slightly_ahead_is_waited_for() {
		let mut broadcast = Broadcast::default();
		let mut cache = WindowCache::new(1 << 20);
		let elsewhere = |epoch, segment| Cursor::After {
			id: WindowId {
				stream: STREAM,
				track: 0,
				epoch,
				segment,
				part: 0,
			},
			header: Hash([9; 32]),
		};
		// Of an empty cache nothing can be told, but for the end of all numbers.
		assert!(matches!(cache.get_after(elsewhere(u32::MAX, 0)), Lookup::Unknown));
		let end = WindowId {
			part: u16::MAX,
			..last_of(STREAM, 0)
		};
		let end = Cursor::After {
			id: end,
			header: Hash([9; 32]),
		};
		assert!(matches!(cache.get_after(end), Lookup::Gone));
		cache.insert(broadcast.segment(&[1; 10]));
		let newest = broadcast.segment(&[2; 10]);
		cache.insert(newest.clone());
		let (epoch, segment) = (newest.id().epoch, newest.id().segment);
		for (epoch, segment, far) in [
			(epoch, segment + 1, false),
			(epoch, segment + MAX_SEGMENTS_AHEAD, false),
			(epoch, segment + MAX_SEGMENTS_AHEAD + 1, true),
			(epoch + MAX_BLOCKS_AHEAD, 0, false),
			(epoch + MAX_BLOCKS_AHEAD + 1, 0, true),
			(u32::MAX, 0, true),
		] {
			let lookup = cache.get_after(elsewhere(epoch, segment));
			assert_eq!(matches!(lookup, Lookup::Gone), far, "{epoch} {segment}");
			assert_eq!(matches!(lookup, Lookup::Unknown), !far, "{epoch} {segment}");
		}
	}

	#[test]
	fn another_history_at_the_same_place_is_told_apart() {
		let mut broadcast = Broadcast::default();
		let mut cache = WindowCache::new(1 << 20);
		let (first, second) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
		cache.insert(first.clone());
		let other = |window: &EncodedWindow| Cursor::After {
			id: window.id(),
			header: Hash([9; 32]),
		};
		assert!(matches!(cache.get_after(other(&first)), Lookup::Gone));
		assert!(matches!(cache.get_after(after(&first)), Lookup::NotYet));
		cache.insert(second.clone());
		assert!(matches!(cache.get_after(other(&first)), Lookup::Gone));
		assert_eq!(found(cache.get_after(after(&first))), second.id());
	}

	#[test]
	fn epoch_is_entered_at_its_beginning_only() {
		let mut broadcast = Broadcast::default();
		let last = broadcast.segment(&[1; 10]);
		broadcast.begin_epoch(fixture::EPOCH + 1);
		let (first, second) = (broadcast.segment(&[2; 10]), broadcast.segment(&[3; 10]));
		let mut cache = WindowCache::new(1 << 20);
		cache.insert(last.clone());
		cache.insert(second.clone());
		assert!(matches!(cache.get_after(after(&last)), Lookup::Gone));
		cache.insert(first.clone());
		assert_eq!(found(cache.get_after(after(&last))), first.id());
		assert_eq!(found(cache.get_after(after(&first))), second.id());
		assert_eq!(found(cache.get_after(LIVE)), second.id());
	}

	#[test]
	fn nobody_begins_with_what_a_replaced_key_signed_and_who_is_behind_catches_up() {
		let mut broadcast = Broadcast::default();
		let (first, last) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
		// Of a block that is not there yet: whoever stole the key would be ahead of the next run for ever.
		broadcast.begin_epoch(fixture::EPOCH + 9);
		let ahead = broadcast.segment(&[3; 10]);
		let mut cache = WindowCache::new(1 << 20);
		for window in [&first, &last] {
			cache.insert(window.clone());
		}
		let bytes = cache.bytes();
		cache.insert(ahead);
		cache.retire(STREAM, fixture::EPOCH + 5);
		assert_eq!(cache.bytes(), bytes);
		assert!(matches!(cache.get_after(LIVE), Lookup::NotYet));
		assert_eq!(found(cache.get_after(after(&first))), last.id());
		assert!(matches!(cache.get_after(after(&last)), Lookup::NotYet));
		let mut next = Broadcast::default();
		next.begin_epoch(fixture::EPOCH + 4);
		next.next.segment = 2;
		let next = next.segment(&[4; 10]);
		cache.insert(next.clone());
		assert_eq!(found(cache.get_after(LIVE)), next.id());
		assert_eq!(found(cache.get_after(after(&last))), next.id());
		// It is of that stream alone.
		cache.retire(StreamId(STREAM.0 + 1), BlockNumber::MAX);
		assert_eq!(found(cache.get_after(LIVE)), next.id());
	}

	#[test]
	fn live_begins_where_a_decoder_can() {
		let mut broadcast = Broadcast::default();
		let mut cache = WindowCache::new(1 << 20);
		let first = broadcast.window(flags::INDEPENDENT, &[1; 10]);
		cache.insert(first.clone());
		cache.insert(broadcast.window(flags::LAST_PART, &[2; 10]));
		assert_eq!(found(cache.get_after(LIVE)), first.id());
		let other = Cursor::Live {
			stream: STREAM,
			track: 1,
		};
		assert!(matches!(cache.get_after(other), Lookup::NotYet));
		assert!(cache.latest(StreamId(8), 0).is_none());
	}
}
