//! Chunks on their way out: what is to be written next, and where it ends.

use crate::wire::{range_prefix, Range};
use alloc::collections::VecDeque;
use bytes::Bytes;

/// Names chunks that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendingId(pub(super) u64);

/// Chunks that go out on a stream of their own. Of a window that is not whole yet the rest is [handed](Outgoing::hand) to it as it comes.
#[derive(Clone, Debug)]
pub struct Outgoing {
	id: SendingId,
	range: Range,
	prefix: Bytes,
	/// The run that is being written, and those behind it.
	run: Bytes,
	runs: VecDeque<Bytes>,
	/// Where in all data the run begins.
	at: usize,
	/// Where what is here ends.
	here: usize,
	/// Size of its chunks.
	chunk: usize,
	/// Of prefix and data.
	written: usize,
	/// Where it ends.
	end: usize,
	fetched: Option<u32>,
}

impl Outgoing {
	/// So many bytes in chunks of `1 << chunk_log2`, of use for so many milliseconds where they were fetched; nothing is here yet.
	pub(super) fn new(id: SendingId, range: Range, bytes: usize, chunk_log2: u8, fetched: Option<u32>) -> Self {
		Self {
			id,
			range,
			prefix: range_prefix(&range),
			run: Bytes::new(),
			runs: VecDeque::new(),
			at: 0,
			here: 0,
			chunk: 1 << chunk_log2,
			written: 0,
			end: bytes,
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

	/// Here is what follows what is here: whole chunks that verified. What is behind its end is not taken.
	pub fn hand(&mut self, mut run: Bytes) {
		run.truncate(self.end.saturating_sub(self.here));
		self.here += run.len();
		if !run.is_empty() {
			self.runs.push_back(run);
			self.turn();
		}
	}

	/// From one run to the next, where it is written.
	fn turn(&mut self) {
		let data = self.written.saturating_sub(self.prefix.len());
		while data == self.at + self.run.len() {
			let Some(next) = self.runs.pop_front() else {
				return;
			};
			self.at += self.run.len();
			self.run = next;
		}
	}

	/// What is to be written next, in this order; shared with all other viewers. Nothing, once it is over, or as long as it
	/// [waits](Outgoing::waits).
	pub fn rest(&self) -> [Bytes; 2] {
		let (prefix, written) = (self.prefix.len(), self.written);
		if self.is_over() {
			return [Bytes::new(), Bytes::new()];
		}
		let end = self.end.min(self.at + self.run.len()) - self.at;
		[
			self.prefix.slice(written.min(prefix)..),
			self.run.slice(written.saturating_sub(prefix) - self.at..end),
		]
	}

	/// So many of these bytes were written.
	pub fn advance(&mut self, bytes: usize) {
		self.written += bytes;
		debug_assert!(self.written <= self.prefix.len() + self.end.min(self.here));
		self.turn();
	}

	/// It ends behind the chunk that was begun last; with nothing, where nothing was written.
	pub fn cut(&mut self) {
		let begun = self.written.saturating_sub(self.prefix.len()).div_ceil(self.chunk);
		let least = usize::from(self.written > 0);
		self.end = self.end.min(begun.max(least) * self.chunk);
	}

	/// Chunks of it that are here or were, if that is not all.
	pub fn lacks(&self) -> Option<u32> {
		(self.here < self.end).then(|| (self.here / self.chunk) as u32)
	}

	/// Whether all that is here of it is written, and more is to come.
	pub fn waits(&self) -> bool {
		!self.is_over() && self.written == self.prefix.len() + self.here
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

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::Hash;

	const CHUNK: usize = 1 << 12;

	/// Of ten chunks, the last one of 10 bytes.
	fn outgoing() -> (Outgoing, Bytes) {
		let range = Range {
			header: Hash([1; 32]),
			first: 0,
			count: 10,
		};
		let data: Vec<u8> = (0..9 * CHUNK + 10).map(|at| (at / 7) as u8).collect();
		(Outgoing::new(SendingId(0), range, data.len(), 12, None), data.into())
	}

	/// Writes what is here, so many bytes at a time.
	fn write(outgoing: &mut Outgoing, step: usize) -> Vec<u8> {
		let mut all = Vec::new();
		loop {
			let mut rest = outgoing.rest().concat();
			rest.truncate(step);
			if rest.is_empty() {
				return all;
			}
			outgoing.advance(rest.len());
			all.extend(rest);
		}
	}

	#[test]
	fn runs_are_written_as_they_come_in_whatever_steps() {
		for step in [1, 100, CHUNK, usize::MAX] {
			let (mut outgoing, data) = outgoing();
			let prefix = range_prefix(&outgoing.range()).len();
			assert_eq!(outgoing.lacks(), Some(0));
			outgoing.hand(data.slice(..4 * CHUNK));
			assert!(!outgoing.waits() && outgoing.lacks() == Some(4));
			let mut all = write(&mut outgoing, step);
			assert!(outgoing.waits() && !outgoing.is_over());
			assert_eq!(all.len(), prefix + 4 * CHUNK);
			outgoing.hand(data.slice(4 * CHUNK..5 * CHUNK));
			outgoing.hand(data.slice(5 * CHUNK..));
			assert!(!outgoing.waits() && outgoing.lacks().is_none());
			all.extend(write(&mut outgoing, step));
			assert!(outgoing.is_over() && !outgoing.waits());
			assert_eq!((all[prefix..].to_vec(), outgoing.chunks()), (data.to_vec(), 10));
		}
	}

	#[test]
	fn what_waits_for_more_is_cut_behind_what_went_out() {
		let (mut outgoing, data) = outgoing();
		outgoing.hand(data.slice(..4 * CHUNK));
		write(&mut outgoing, usize::MAX);
		outgoing.cut();
		assert!(outgoing.is_over() && !outgoing.waits() && outgoing.lacks().is_none());
		assert_eq!(outgoing.chunks(), 4);
		outgoing.hand(data.slice(4 * CHUNK..));
		assert!(outgoing.rest().concat().is_empty(), "what comes then does not go out");
	}

	#[test]
	fn chunk_that_is_begun_goes_out_whole_and_no_more() {
		let (mut outgoing, data) = outgoing();
		outgoing.hand(data.slice(..4 * CHUNK));
		let prefix = outgoing.rest()[0].len();
		outgoing.advance(prefix + CHUNK + 1);
		outgoing.cut();
		assert_eq!(write(&mut outgoing, usize::MAX).len(), CHUNK - 1);
		assert_eq!((outgoing.is_over(), outgoing.chunks()), (true, 2));
	}
}
