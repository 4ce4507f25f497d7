//! A window from its announcement to its last chunk, whoever brings them: nothing is in here that did not verify.

use crate::{
	open::Verified,
	viewer::Resume,
	window::{EncodedWindow, Setting},
	wire::{frame_as, Announcement, Kind, Range},
};
use alloc::{sync::Arc, vec, vec::Vec};
use bytes::Bytes;
use clustercast_primitives::{
	catalog::SignedCatalog, ext::Items, merkle, window::SignedHeader, Hash, History, WindowHeader, WindowId,
};

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

	/// [`WindowHeader::hash`]: what names it in histories and deliveries.
	pub fn hash(&self) -> Hash {
		self.hash
	}

	/// Of all its chunks.
	pub fn leaves(&self) -> &[Hash] {
		&self.announcement.leaves
	}

	/// What belongs to it beside the chunks.
	pub fn items(&self) -> &Items {
		&self.announcement.items
	}

	/// What it is decoded with.
	pub fn setting(&self) -> &Setting {
		&self.setting
	}

	/// Describes its track.
	pub fn catalog(&self) -> &Arc<SignedCatalog> {
		&self.setting.catalog
	}

	/// Initialisation segment that it decodes with.
	pub fn init(&self) -> &Bytes {
		&self.setting.init
	}

	/// The headers before it in its epoch and track.
	pub fn history(&self) -> &History {
		&self.history
	}

	/// The same with its own: what the next one follows.
	pub fn history_after(&self) -> History {
		let mut history = self.history.clone();
		let appended = history.append(self.hash);
		debug_assert!(appended, "its number was checked");
		history
	}

	/// What announces it, shared where it comes by itself.
	pub fn announcement(&self, comes: bool) -> Bytes {
		let frame = &self.announcement.frame;
		match comes {
			true => frame.clone(),
			false => frame_as(frame, Kind::Offered),
		}
	}

	/// What it costs in memory with all its chunks, bytes. Catalog and initialisation segment are shared between windows.
	pub fn size(&self) -> usize {
		self.header().bytes as usize + 2 * self.announcement.frame.len()
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

	/// These bytes as its chunks from this one on, where that is what they are.
	pub fn verify(&self, first: u32, data: &[u8]) -> Option<Chunks> {
		let leaves = merkle::leaves(data, self.header().chunk_log2);
		let range = Range {
			header: self.hash,
			first,
			count: u32::try_from(leaves.len()).ok()?,
		};
		let signed = |end: u32| self.leaves().get(first as usize..end as usize);
		let right = self.has(&range) && signed(first + range.count) == Some(&leaves);
		right.then(|| Chunks::verified(range, Bytes::copy_from_slice(data)))
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

	/// What is here from this chunk on, without a gap; not copied.
	pub fn verified(&self, from: u32) -> Option<Verified<'_>> {
		let data: &[u8] = match &self.data {
			Data::Nothing => return None,
			Data::All(data) => data,
			Data::Some(data) => data,
		};
		let here = self.here.get(from as usize..)?.iter().take_while(|here| **here).count() as u32;
		Verified::new(&data[self.of.offset(from)..self.of.offset(from + here)])
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
		Some(EncodedWindow::assemble(self.of.clone(), data))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};

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
		let mut assembly = Assembly::new(window.announced().clone());
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
	fn bytes_are_chunks_where_they_are_those_that_were_signed() {
		let window = Broadcast::default().segment(&fixture::media(70_000, 3));
		let data = window.data();
		let verify = |first: u32, from: usize, to: usize| window.verify(first, &data[from..to]);
		assert_eq!(verify(1, 1 << 14, 3 << 14), Some(chunks(&window, 1, 2)));
		assert_eq!(verify(4, 4 << 14, 70_000), Some(chunks(&window, 4, 1)));
		for (first, from, to) in [
			(0, 1 << 14, 3 << 14),
			(1, 1 << 14, (3 << 14) - 1),
			(4, 4 << 14, 69_999),
			(5, 0, 1 << 14),
			(u32::MAX, 0, 1 << 14),
			(0, 0, 0),
		] {
			assert_eq!(verify(first, from, to), None, "{first} {from} {to}");
		}
	}

	#[test]
	fn what_is_here_from_a_chunk_on_ends_at_the_first_gap() {
		let window = Broadcast::default().segment(&fixture::media(70_000, 3));
		let mut assembly = Assembly::new(window.announced().clone());
		assert!(assembly.verified(0).is_none());
		assembly.put(&chunks(&window, 1, 2));
		assembly.put(&chunks(&window, 4, 1));
		let bytes = |from| assembly.verified(from).map(|verified| verified.bytes().to_vec());
		let data = window.data();
		let expected = |from: usize, to: usize| Some(data[from..to].to_vec());
		assert_eq!(bytes(1), expected(1 << 14, 3 << 14));
		assert_eq!(bytes(2), expected(2 << 14, 3 << 14));
		assert_eq!(bytes(4), expected(4 << 14, 70_000));
		assert!([0, 3, 5, 6].map(bytes).iter().all(Option::is_none));
	}

	#[test]
	fn what_comes_in_one_piece_is_not_copied() {
		let window = Broadcast::default().segment(&fixture::media(70_000, 3));
		let mut assembly = Assembly::new(window.announced().clone());
		assert!(assembly.put(&chunks(&window, 0, 5)) && assembly.put(&chunks(&window, 2, 1)));
		assert_eq!(assembly.finish().unwrap().data().as_ptr(), window.data().as_ptr());
	}

	#[test]
	fn chunks_of_another_window_are_not_taken() {
		let mut broadcast = Broadcast::default();
		let [one, two] = [1, 2].map(|seed| broadcast.segment(&fixture::media(70_000, seed)));
		let mut assembly = Assembly::new(one.announced().clone());
		assert!(!assembly.put(&chunks(&two, 0, 5)));
		assert_eq!(assembly.missing(), [one.range()]);
	}
}
