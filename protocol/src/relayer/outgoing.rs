//! Chunks on their way out: what is to be written next, and where it ends.

use crate::wire::{range_prefix, Range};
use bytes::Bytes;

/// Names chunks that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendingId(pub(super) u64);

/// Chunks that go out on a stream of their own.
#[derive(Clone, Debug)]
pub struct Outgoing {
	id: SendingId,
	range: Range,
	prefix: Bytes,
	data: Bytes,
	/// Size of its chunks.
	chunk: usize,
	/// Of prefix and data.
	written: usize,
	/// Where it ends.
	end: usize,
	fetched: Option<u32>,
}

impl Outgoing {
	/// This data in chunks of `1 << chunk_log2`, of use for so many milliseconds where it was fetched.
	pub(super) fn new(id: SendingId, range: Range, data: Bytes, chunk_log2: u8, fetched: Option<u32>) -> Self {
		Self {
			id,
			range,
			prefix: range_prefix(&range),
			end: data.len(),
			data,
			chunk: 1 << chunk_log2,
			written: 0,
			fetched,
		}
	}

	/// Names it to its session.
	pub fn id(&self) -> SendingId {
		self.id
	}

	/// Which chunks.
	pub fn range(&self) -> Range {
		self.range
	}

	/// Where they were fetched: how long they are of use, milliseconds.
	pub fn within_ms(&self) -> Option<u32> {
		self.fetched
	}

	/// What is to be written next, in this order; shared with all other viewers. Nothing, once it is over.
	pub fn rest(&self) -> [Bytes; 2] {
		let (prefix, written) = (self.prefix.len(), self.written);
		if self.is_over() {
			return [Bytes::new(), Bytes::new()];
		}
		[
			self.prefix.slice(written.min(prefix)..),
			self.data.slice(written.saturating_sub(prefix)..self.end),
		]
	}

	/// So many of these bytes were written.
	pub fn advance(&mut self, bytes: usize) {
		self.written += bytes;
		debug_assert!(self.written <= self.prefix.len() + self.end);
	}

	/// It ends behind the chunk that was begun last; with nothing, where nothing was written.
	pub fn cut(&mut self) {
		let begun = self.written.saturating_sub(self.prefix.len()).div_ceil(self.chunk);
		let least = usize::from(self.written > 0);
		self.end = self.end.min(begun.max(least) * self.chunk);
	}

	/// Bytes that were written.
	pub fn bytes(&self) -> usize {
		self.written
	}

	/// Whether all of it is written.
	pub fn is_over(&self) -> bool {
		self.end == 0 || self.written == self.prefix.len() + self.end
	}

	/// Chunks that go out, as it is now.
	pub fn chunks(&self) -> u32 {
		self.end.div_ceil(self.chunk) as u32
	}
}
