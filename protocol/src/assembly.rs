//! A window from its announcement to its last chunk, whoever brings them: nothing is in here that did not verify.

use crate::{
	viewer::Resume,
	window::{EncodedWindow, Setting},
	wire::{Announcement, Range},
};
use alloc::{sync::Arc, vec, vec::Vec};
use bytes::Bytes;
use clustercast_primitives::{window::SignedHeader, Hash, History, WindowHeader, WindowId};

/// What the broadcaster signed of a window: header, items, leaves, and what it is decoded with. Verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
	announcement: Announcement,
	hash: Hash,
	setting: Setting,
	history: History,
}

impl Announced {
	/// Of parts that were found to agree.
	pub(crate) fn new(announcement: Announcement, setting: Setting, history: History) -> Self {
		Self {
			hash: announcement.header.message.hash(),
			announcement,
			setting,
			history,
		}
	}

	/// Which window it is.
	pub fn id(&self) -> WindowId {
		self.header().id
	}

	/// What the broadcaster signed.
	pub fn header(&self) -> &WindowHeader {
		&self.announcement.header.message
	}

	/// With its signature.
	pub fn signed_header(&self) -> &SignedHeader {
		&self.announcement.header
	}

	/// [`WindowHeader::hash`]
	pub fn hash(&self) -> Hash {
		self.hash
	}

	/// Of all its chunks.
	pub fn leaves(&self) -> &[Hash] {
		&self.announcement.leaves
	}

	/// What it is decoded with.
	pub fn setting(&self) -> &Setting {
		&self.setting
	}

	/// All its chunks.
	pub fn range(&self) -> Range {
		Range {
			header: self.hash,
			first: 0,
			count: self.header().chunks,
		}
	}

	/// Whether it has these chunks.
	pub fn has(&self, range: &Range) -> bool {
		let within = range.end().is_some_and(|end| end <= self.header().chunks);
		range.header == self.hash && range.count > 0 && within
	}

	/// Where this chunk begins among its bytes, or these end.
	pub fn offset(&self, chunk: u32) -> usize {
		let header = self.header();
		(header.bytes as usize).min((chunk as usize) << header.chunk_log2)
	}

	/// Behind it.
	pub fn resume(&self) -> Resume {
		Resume::behind(self.header(), self.hash, &self.history)
	}
}

/// Chunks that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
	range: Range,
	data: Bytes,
}

impl Chunks {
	/// These bytes were found to be the range's.
	pub(crate) fn verified(range: Range, data: Bytes) -> Self {
		Self { range, data }
	}

	/// Which.
	pub fn range(&self) -> Range {
		self.range
	}

	/// Their bytes.
	pub fn data(&self) -> &Bytes {
		&self.data
	}
}

#[derive(Debug)]
enum Data {
	Nothing,
	/// As they came: not copied.
	All(Bytes),
	Some(Vec<u8>),
}

/// See the module.
#[derive(Debug)]
pub struct Assembly {
	of: Arc<Announced>,
	here: Vec<bool>,
	data: Data,
}

impl Assembly {
	/// Nothing of it is here.
	pub fn new(of: Arc<Announced>) -> Self {
		Self {
			here: vec![false; of.header().chunks as usize],
			of,
			data: Data::Nothing,
		}
	}

	/// What is put together.
	pub fn announced(&self) -> &Arc<Announced> {
		&self.of
	}

	/// Keeps this in place of what it was made from, which says the same.
	pub(crate) fn share(&mut self, of: &Arc<Announced>) {
		debug_assert_eq!(self.of, *of, "it says the same");
		self.of = of.clone();
	}

	/// Takes chunks; whether they are of this window. What is here already stays.
	pub fn put(&mut self, chunks: &Chunks) -> bool {
		let Range { first, count, .. } = chunks.range;
		if !self.of.has(&chunks.range) {
			return false;
		}
		match &mut self.data {
			Data::Nothing if chunks.range == self.of.range() => self.data = Data::All(chunks.data.clone()),
			Data::Nothing => {
				self.data = Data::Some(vec![0; self.of.header().bytes as usize]);
				return self.put(chunks);
			},
			Data::All(_) => {},
			Data::Some(data) => {
				let from = self.of.offset(first);
				data[from..from + chunks.data.len()].copy_from_slice(&chunks.data);
			},
		}
		self.here[first as usize..(first + count) as usize].fill(true);
		true
	}

	/// What is here, copied where it came in several pieces; in as few ranges as possible.
	pub fn here(&self) -> Vec<Chunks> {
		let data = |range: &Range| {
			let (from, to) = (self.of.offset(range.first), self.of.offset(range.first + range.count));
			match &self.data {
				Data::Nothing => Bytes::new(),
				Data::All(data) => data.slice(from..to),
				Data::Some(data) => data[from..to].to_vec().into(),
			}
		};
		let here = self.runs(true).into_iter();
		here.map(|range| Chunks::verified(range, data(&range))).collect()
	}

	/// What is not here, in as few ranges as possible.
	pub fn missing(&self) -> Vec<Range> {
		self.runs(false)
	}

	fn runs(&self, are: bool) -> Vec<Range> {
		let mut runs: Vec<Range> = Vec::new();
		for (index, _) in self.here.iter().enumerate().filter(|(_, here)| **here == are) {
			let index = index as u32;
			match runs.last_mut() {
				Some(range) if range.first + range.count == index => range.count += 1,
				_ => runs.push(Range {
					header: self.of.hash,
					first: index,
					count: 1,
				}),
			}
		}
		runs
	}

	/// Bytes of memory that it takes: with the first chunk, room for all of them.
	pub fn held(&self) -> u64 {
		match &self.data {
			Data::Nothing => 0,
			Data::All(data) => data.len() as u64,
			Data::Some(data) => data.len() as u64,
		}
	}

	/// Whether all of it is here.
	pub fn is_whole(&self) -> bool {
		self.here.iter().all(|here| *here)
	}

	/// The window, once it is whole. Nothing is left of it here.
	pub fn finish(&mut self) -> Option<EncodedWindow> {
		if !self.is_whole() {
			return None;
		}
		let data = match core::mem::replace(&mut self.data, Data::Nothing) {
			Data::Nothing => return None,
			Data::All(data) => data,
			Data::Some(data) => data.into(),
		};
		self.here.fill(false);
		let Announced {
			announcement,
			setting,
			history,
			..
		} = &*self.of;
		let (announcement, setting) = (announcement.clone(), setting.clone());
		Some(EncodedWindow::assemble(announcement, setting, history.clone(), data))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};

	fn announced(window: &EncodedWindow) -> Arc<Announced> {
		let announcement = Announcement::new(
			window.signed_header().clone(),
			window.items().clone(),
			window.leaves().to_vec(),
		);
		let (setting, history) = (window.setting().clone(), window.history().clone());
		Arc::new(Announced::new(announcement, setting, history))
	}

	fn chunks(window: &EncodedWindow, first: u32, count: u32) -> Chunks {
		let range = Range {
			first,
			count,
			..window.range()
		};
		Chunks::verified(range, window.chunks(first, count).unwrap())
	}

	#[test]
	fn window_is_whole_with_its_last_chunk_in_whatever_order_they_come() {
		let window = Broadcast::default().segment(&fixture::media(70_000, 3));
		assert_eq!(window.header().chunks, 5);
		let mut assembly = Assembly::new(announced(&window));
		assert_eq!(assembly.missing(), [window.range()]);
		assert!(assembly.put(&chunks(&window, 3, 1)) && assembly.put(&chunks(&window, 0, 1)));
		let gaps: Vec<_> = assembly.missing().iter().map(|r| (r.first, r.count)).collect();
		assert_eq!(gaps, [(1, 2), (4, 1)]);
		assert!(assembly.finish().is_none());
		// Again, and beyond.
		assert!(assembly.put(&chunks(&window, 2, 3)) && assembly.put(&chunks(&window, 1, 1)));
		let whole = assembly.finish().unwrap();
		assert_eq!((whole.data(), whole.hash()), (window.data(), window.hash()));
		assert_eq!(whole.announcement(true), window.announcement(true));
		assert!(assembly.finish().is_none(), "once");
	}

	#[test]
	fn what_comes_in_one_piece_is_not_copied() {
		let window = Broadcast::default().segment(&fixture::media(70_000, 3));
		let mut assembly = Assembly::new(announced(&window));
		assert!(assembly.put(&chunks(&window, 0, 5)) && assembly.put(&chunks(&window, 2, 1)));
		assert_eq!(assembly.finish().unwrap().data().as_ptr(), window.data().as_ptr());
	}

	#[test]
	fn chunks_of_another_window_are_not_taken() {
		let mut broadcast = Broadcast::default();
		let [one, two] = [1, 2].map(|seed| broadcast.segment(&fixture::media(70_000, seed)));
		let mut assembly = Assembly::new(announced(&one));
		assert!(!assembly.put(&chunks(&two, 0, 5)));
		assert_eq!(assembly.missing(), [one.range()]);
	}
}
