//! Chunks that arrive on one stream: verified while they come.

use super::Fault;
use crate::{
	assembly::{Announced, Chunks},
	ledger::Piece,
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
		(self.data.len() - self.at(self.verified)) as u64
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
		match self.data.len() == self.expected() {
			true => self.range.count,
			false => (self.data.len() >> self.of.header().chunk_log2) as u32,
		}
	}

	/// Takes what came next; which chunks that makes whole.
	pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<Range>, Bad> {
		if self.data.len() + bytes.len() > self.expected() {
			let fault = WireError::TrailingBytes(Kind::Pushed).into();
			return Err(self.bad(fault, Vec::new()));
		}
		self.data.extend_from_slice(bytes);
		let complete = self.complete();
		let fresh = self.verified..complete;
		let chunks: Vec<&[u8]> = fresh
			.clone()
			.map(|index| &self.data[self.at(index)..self.at(index + 1)])
			.collect();
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
		let data = &self.data[..self.at(self.verified)];
		(self.verified > 0).then(|| Chunks::verified(range, data.to_vec().into()))
	}

	fn bad(&self, fault: Fault, hashes: Vec<Hash>) -> Bad {
		let first = self.range.first as usize;
		let verified = &self.of.leaves()[first..first + self.verified as usize];
		let whole = self.at(self.verified + hashes.len() as u32);
		Bad {
			fault,
			delivered: [verified, &hashes[..]].concat(),
			rest: self.data[whole..].to_vec(),
		}
	}

	/// Its stream ended; what it brought. An error where it did so inside a chunk, or before the first one was whole.
	pub(super) fn end(mut self) -> Result<(Chunks, Piece), Fault> {
		let count = self.complete();
		if count == 0 || self.at(count) != self.data.len() {
			return Err(WireError::Truncated(Some(Kind::Pushed)).into());
		}
		let (header, hash) = (self.of.header(), self.of.hash());
		let piece = Piece::part(header, hash, self.of.leaves(), self.range.first, count);
		let piece = piece.expect("within the window, as its range is");
		Ok((self.take(), piece))
	}

	/// Its stream broke; what of it verified.
	pub(super) fn broke(mut self) -> Option<Chunks> {
		(self.verified > 0).then(|| self.take())
	}

	fn take(&mut self) -> Chunks {
		let (count, end) = (self.verified, self.at(self.verified));
		let mut data = core::mem::take(&mut self.data);
		data.truncate(end);
		Chunks::verified(Range { count, ..self.range }, data.into())
	}
}
