//! The newest windows of the streams served, bounded in bytes together. Where there is no more room, the oldest window goes of the
//! stream that takes up most: so one that has large windows, or many, drives out its own, and each keeps what is its equal part.

use crate::window::EncodedWindow;
use alloc::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
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
	windows: BTreeMap<WindowId, EncodedWindow>,
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
		if let Some(shelf) = self.shelves.get_mut(&stream) {
			shelf.ages.retain(|(id, cost)| {
				let stays = id.epoch < now;
				if !stays {
					if let Some(window) = self.windows.remove(id) {
						self.places.remove(&window.hash());
					}
					self.bytes -= cost;
					shelf.bytes -= cost;
				}
				stays
			});
		}
		let held: BTreeSet<_> = self.windows.keys().map(|id| (id.stream, id.epoch)).collect();
		self.retired.retain(|epoch| held.contains(epoch));
		self.retired.extend(held.into_iter().filter(|(of, _)| *of == stream));
	}

	/// Adds a window; `false` when its place is taken, which changes nothing.
	pub fn insert(&mut self, window: EncodedWindow) -> bool {
		let id = window.id();
		if self.windows.contains_key(&id) {
			return false;
		}
		let cost = self.cost(&window);
		self.places.insert(window.hash(), id);
		self.windows.insert(id, window);
		let shelf = self.shelves.entry(id.stream).or_default();
		shelf.ages.push_back((id, cost));
		shelf.bytes += cost;
		self.bytes += cost;
		while self.bytes > self.max_bytes && self.evict() {}
		true
	}

	/// Gives up the oldest window of the stream that takes up most and has another; whether there is one.
	fn evict(&mut self) -> bool {
		let shelves = self.shelves.values_mut().filter(|shelf| shelf.ages.len() > 1);
		let Some(shelf) = shelves.max_by_key(|shelf| shelf.bytes) else {
			return false;
		};
		if let Some((oldest, cost)) = shelf.ages.pop_front() {
			if let Some(window) = self.windows.remove(&oldest) {
				self.places.remove(&window.hash());
			}
			shelf.bytes -= cost;
			self.bytes -= cost;
		}
		true
	}

	/// What a window takes up: catalog and initialisation segment count where the window of its stream inserted before has
	/// others, so that a broadcaster who changes them with each window fills no more than the budget.
	fn cost(&self, window: &EncodedWindow) -> usize {
		let shelf = self.shelves.get(&window.id().stream);
		let last = shelf.and_then(|shelf| shelf.ages.back());
		let before = last.and_then(|(id, _)| self.windows.get(id));
		let has =
			|shares: fn(&EncodedWindow, &EncodedWindow) -> bool| before.is_some_and(|other| shares(window, other));
		let catalog = match has(|a, b| Arc::ptr_eq(a.catalog(), b.catalog())) {
			true => 0,
			false => window.catalog().encoded_size(),
		};
		let init = match has(|a, b| a.init().as_ptr() == b.init().as_ptr()) {
			true => 0,
			false => window.init().len(),
		};
		window.size() + catalog + init + size_of_val(window.history().peaks())
	}

	/// What the cursor asks for.
	pub fn get_after(&self, cursor: Cursor) -> Lookup {
		match cursor {
			Cursor::Live { stream, track } => self
				.track(stream, track)
				.rev()
				.find(|w| w.header().has(flags::INDEPENDENT) && !self.retired.contains(&(stream, w.id().epoch)))
				.map_or(Lookup::NotYet, |w| Lookup::Found(w.clone())),
			Cursor::After { id, header } => {
				let named = self.windows.get(&id);
				let end = last_of(id.stream, id.track);
				if id >= end || named.is_some_and(|window| window.hash() != header) || self.is_far_ahead(id) {
					return Lookup::Gone;
				}
				let next = self.windows.range((Bound::Excluded(id), Bound::Included(end))).next();
				match (next, named) {
					(None, Some(_)) => Lookup::NotYet,
					(None, None) => Lookup::Unknown,
					(Some((_, next)), _) if self.succeeds(id, next) => Lookup::Found(next.clone()),
					(Some(_), _) => Lookup::Gone,
				}
			},
		}
	}

	/// The window whose header has this hash.
	pub fn find(&self, header: &Hash) -> Option<&EncodedWindow> {
		self.windows.get(self.places.get(header)?)
	}

	/// The newest window of a track.
	pub fn latest(&self, stream: StreamId, track: TrackId) -> Option<&EncodedWindow> {
		self.track(stream, track).next_back()
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
	fn succeeds(&self, id: WindowId, next: &EncodedWindow) -> bool {
		if next.id().epoch != id.epoch {
			return next.header().number == 0;
		}
		match self.windows.get(&id) {
			Some(before) => next.header().follows(&before.history_after()),
			None => next.id().segment == id.segment && Some(next.id().part) == id.part.checked_add(1),
		}
	}

	fn track(&self, stream: StreamId, track: TrackId) -> impl DoubleEndedIterator<Item = &EncodedWindow> {
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
