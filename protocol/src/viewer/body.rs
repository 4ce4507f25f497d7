//! Chunks that arrive on one stream: verified while they come.

use super::Fault;
use crate::{
	assembly::{Announced, Chunks},
	ledger::Piece,
	open::Verified,
	wire::{Kind, Range, WireError},
};
use alloc::{sync::Arc, vec::Vec};
use clustercast_primitives::{merkle, Hash};

/// Kept at once for a body of which nothing has come yet, at most: the rest as it comes.
const FIRST: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Body {
	of: Arc<Announced>,
	range: Range,
	data: Vec<u8>,
	/// Chunks found to be right.
	verified: u32,
	/// Bytes of these that are not kept: nobody needs them.
	dropped: usize,
	/// Nothing is kept but what is to be verified.
	forgets: bool,
}

/// A chunk is wrong: what its stream has brought so far, as leaves.
#[derive(Debug)]
pub(super) struct Bad {
	pub(super) fault: Fault,
	pub(super) delivered: Vec<Hash>,
	/// Bytes behind the last whole chunk.
	pub(super) rest: Vec<u8>,
}

impl Body {
	/// `of` has this range.
	pub(super) fn new(of: Arc<Announced>, range: Range) -> Self {
		let mut body = Self {
			of,
			range,
			data: Vec::new(),
			verified: 0,
			dropped: 0,
			forgets: false,
		};
		body.data.reserve_exact(body.expected().min(FIRST));
		body
	}

	pub(super) fn range(&self) -> Range {
		self.range
	}

	pub(super) fn of(&self) -> &Arc<Announced> {
		&self.of
	}

	/// Bytes that are not verified.
	pub(super) fn unverified(&self) -> u64 {
		(self.came() - self.at(self.verified)) as u64
	}

	/// Bytes of memory that it takes.
	pub(super) fn held(&self) -> u64 {
		self.data.capacity() as u64
	}

	/// Whether what verifies is kept.
	pub(super) fn keeps(&self) -> bool {
		!self.forgets
	}

	/// Keeps nothing that has verified from here on: it is verified and paid, and of no use.
	pub(super) fn forget(&mut self) {
		self.forgets = true;
		self.drop_verified();
	}

	fn drop_verified(&mut self) {
		let end = self.at(self.verified) - self.dropped;
		self.data.drain(..end);
		self.data.shrink_to_fit();
		self.dropped += end;
	}

	/// Bytes that came.
	fn came(&self) -> usize {
		self.dropped + self.data.len()
	}

	/// These chunks, which are here.
	fn slice(&self, from: u32, to: u32) -> &[u8] {
		&self.data[self.at(from) - self.dropped..self.at(to) - self.dropped]
	}

	/// Where this chunk of the range begins in its bytes, or these end.
	fn at(&self, chunk: u32) -> usize {
		let first = self.range.first;
		self.of.offset(first + chunk.min(self.range.count)) - self.of.offset(first)
	}

	fn expected(&self) -> usize {
		self.at(self.range.count)
	}

	/// Chunks that are whole.
	fn complete(&self) -> u32 {
		match self.came() == self.expected() {
			true => self.range.count,
			false => (self.came() >> self.of.header().chunk_log2) as u32,
		}
	}

	/// Takes what came next; which chunks that makes whole.
	pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<Range>, Bad> {
		if self.came() + bytes.len() > self.expected() {
			let fault = WireError::TrailingBytes(Kind::Pushed).into();
			return Err(self.bad(fault, Vec::new()));
		}
		self.data.extend_from_slice(bytes);
		let complete = self.complete();
		let fresh = self.verified..complete;
		let chunks: Vec<&[u8]> = fresh.clone().map(|index| self.slice(index, index + 1)).collect();
		let hashes = merkle::leaf_hashes(&chunks);
		let leaves = &self.of.leaves()[self.range.first as usize..];
		let bad = fresh
			.zip(&hashes)
			.find(|(index, hash)| leaves[*index as usize] != **hash);
		if let Some((index, _)) = bad {
			let fault = Fault::BadChunk {
				window: self.of.id(),
				index: self.range.first + index,
			};
			return Err(self.bad(fault, hashes));
		}
		let first = self.verified;
		self.verified = complete;
		if self.forgets {
			self.drop_verified();
		}
		Ok((first < complete).then_some(Range {
			first: self.range.first + first,
			count: complete - first,
			..self.range
		}))
	}

	/// What of it verified, copied.
	pub(super) fn verified(&self) -> Option<Chunks> {
		let range = Range {
			count: self.verified,
			..self.range
		};
		let kept = self.verified > 0 && self.keeps();
		kept.then(|| Chunks::verified(range, self.slice(0, self.verified).to_vec().into()))
	}

	/// What of it verified from this chunk of the window on; not copied.
	pub(super) fn verified_from(&self, chunk: u32) -> Option<Verified<'_>> {
		let from = chunk.checked_sub(self.range.first)?;
		let kept = from < self.verified && self.keeps();
		Verified::new(kept.then(|| self.slice(from, self.verified))?)
	}

	fn bad(&self, fault: Fault, hashes: Vec<Hash>) -> Bad {
		let first = self.range.first as usize;
		let verified = &self.of.leaves()[first..first + self.verified as usize];
		let whole = self.at(self.verified + hashes.len() as u32) - self.dropped;
		Bad {
			fault,
			delivered: [verified, &hashes[..]].concat(),
			rest: self.data[whole..].to_vec(),
		}
	}

	/// Its stream ended; what it brought, where that was kept. An error where it did so inside a chunk, or before the first one was
	/// whole.
	pub(super) fn end(self) -> Result<(Option<Chunks>, Piece), Fault> {
		let count = self.complete();
		if count == 0 || self.at(count) != self.came() {
			return Err(WireError::Truncated(Some(Kind::Pushed)).into());
		}
		let (header, hash) = (self.of.header(), self.of.hash());
		let piece = Piece::part(header, hash, self.of.leaves(), self.range.first, count);
		let piece = piece.expect("within the window, as its range is");
		Ok((self.broke(), piece))
	}

	/// Its stream broke; what of it verified.
	pub(super) fn broke(mut self) -> Option<Chunks> {
		(self.verified > 0 && self.keeps()).then(|| self.take())
	}

	fn take(&mut self) -> Chunks {
		let (count, end) = (self.verified, self.at(self.verified));
		let mut data = core::mem::take(&mut self.data);
		data.truncate(end);
		Chunks::verified(Range { count, ..self.range }, data.into())
	}
}
