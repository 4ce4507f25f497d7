//! Windows put together from what several sources bring, handed out in order: nothing gets in that a session has not verified.

use crate::{
	assembly::{Announced, Assembly, Chunks},
	window::EncodedWindow,
	wire::Range,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use clustercast_primitives::{Hash, WindowId};

/// Windows that are put together at a time: as many as relayers announce ahead of what they deliver, and then some. Those that come
/// whole need no place.
const MAX: usize = 64;

/// See the module. Sources have a name each, an `N`.
#[derive(Debug)]
pub struct Stage<N> {
	windows: BTreeMap<WindowId, Slot<N>>,
	/// The last one that is out, or was passed over.
	last: Option<WindowId>,
}

impl<N> Default for Stage<N> {
	fn default() -> Self {
		Self {
			windows: BTreeMap::new(),
			last: None,
		}
	}
}

#[derive(Debug)]
struct Slot<N> {
	hash: Hash,
	assembly: Option<Assembly>,
	whole: Option<EncodedWindow>,
	/// Bytes that each brought, by its name.
	by: BTreeMap<N, u64>,
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

	/// A window was announced, by whomever.
	pub fn announced(&mut self, of: &Arc<Announced>) {
		let id = of.id();
		if self.last >= Some(id) || self.windows.len() >= MAX {
			return;
		}
		self.windows.entry(id).or_insert_with(|| Slot {
			hash: of.hash(),
			assembly: Some(Assembly::new(of.clone())),
			whole: None,
			by: BTreeMap::new(),
		});
	}

	/// Chunks came from there.
	pub fn put(&mut self, from: &N, chunks: &Chunks) {
		let range = chunks.range();
		let Some(slot) = self.windows.values_mut().find(|slot| slot.hash == range.header) else {
			return;
		};
		let Some(assembly) = &mut slot.assembly else {
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
			slot.whole = assembly.finish();
		}
		if slot.whole.is_some() {
			slot.assembly = None;
		}
	}

	/// All of a window came from there.
	pub fn whole(&mut self, from: &N, window: EncodedWindow) {
		let id = window.id();
		if self.last >= Some(id) {
			return;
		}
		let slot = self.windows.entry(id).or_insert_with(|| Slot {
			hash: window.hash(),
			assembly: None,
			whole: None,
			by: BTreeMap::new(),
		});
		if slot.whole.is_none() {
			let others: u64 = slot
				.by
				.iter()
				.filter(|(other, _)| *other != from)
				.map(|(_, bytes)| bytes)
				.sum();
			slot.by
				.insert(from.clone(), u64::from(window.header().bytes).saturating_sub(others));
			(slot.assembly, slot.whole) = (None, Some(window));
		}
	}

	/// What is not here of a window that is not whole.
	pub fn missing(&self, header: &Hash) -> Vec<Range> {
		let mut slots = self.windows.values().filter(|slot| slot.hash == *header);
		slots
			.find_map(|slot| slot.assembly.as_ref())
			.map(Assembly::missing)
			.unwrap_or_default()
	}

	/// Windows that are not whole.
	pub fn open(&self) -> impl Iterator<Item = Hash> + '_ {
		self.windows
			.values()
			.filter(|slot| slot.whole.is_none())
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
		let first = self.windows.first_entry()?;
		first.get().whole.as_ref()?;
		let (id, slot) = first.remove_entry();
		self.last = Some(id);
		slot.whole.map(|window| (window, slot.by))
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
