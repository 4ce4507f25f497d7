//! Chunks of one window, one after the other: what is fetched, sent, counted and paid together.

use clustercast_primitives::{merkle, Delivery, Hash, WindowHeader, WindowId};

/// What a window's chunks are cut from, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
	/// Its place.
	pub window: WindowId,
	/// Names it in receipts.
	pub header: Hash,
	/// In all.
	pub bytes: u32,
	/// Size of its chunks.
	pub chunk_log2: u8,
}

impl Body {
	/// Of this header, whose hash the caller has.
	pub fn new(header: &WindowHeader, hash: Hash) -> Self {
		Self {
			window: header.id,
			header: hash,
			bytes: header.bytes,
			chunk_log2: header.chunk_log2,
		}
	}

	/// How many chunks it has.
	pub fn chunks(&self) -> u32 {
		merkle::chunk_count(self.bytes, self.chunk_log2)
	}

	/// All of it.
	pub fn whole(self) -> Piece {
		Piece {
			body: self,
			first: 0,
			count: self.chunks(),
		}
	}

	/// These chunks; `None` where it does not have them, or they are none.
	pub fn piece(self, first: u32, count: u32) -> Option<Piece> {
		let end = first.checked_add(count)?;
		(count > 0 && end <= self.chunks()).then_some(Piece {
			body: self,
			first,
			count,
		})
	}
}

/// See the module. At least one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
	/// Of this window.
	pub body: Body,
	/// From 0.
	pub first: u32,
	/// At least 1.
	pub count: u32,
}

impl Piece {
	/// Orders pieces as receipts have them.
	pub fn place(&self) -> (WindowId, u32) {
		(self.body.window, self.first)
	}

	/// The chunk behind it.
	pub fn end(&self) -> u32 {
		self.first + self.count
	}

	/// Bytes of it.
	pub fn bytes(&self) -> u64 {
		let at = |chunk: u32| (u64::from(chunk) << self.body.chunk_log2).min(self.body.bytes.into());
		at(self.end()) - at(self.first)
	}

	/// Its first chunks; `None` of none.
	pub fn prefix(&self, count: u32) -> Option<Self> {
		(count > 0).then(|| Self {
			count: count.min(self.count),
			..*self
		})
	}

	/// As many of its first chunks as so many bytes hold.
	pub fn within(&self, bytes: u64) -> Option<Self> {
		if self.bytes() <= bytes {
			return Some(*self);
		}
		// All but a window's last chunk are of full size.
		self.prefix(
			u32::try_from(bytes >> self.body.chunk_log2)
				.unwrap_or(u32::MAX)
				.min(self.count - 1),
		)
	}

	/// Whether they have a chunk in common.
	pub fn overlaps(&self, other: &Self) -> bool {
		self.body.window == other.body.window && self.first < other.end() && other.first < self.end()
	}

	/// What a receipt says of it, where these are the leaves of its window.
	pub fn delivery(&self, leaves: &[Hash]) -> Option<Delivery> {
		let own = leaves.get(self.first as usize..self.end() as usize)?;
		Some(Delivery {
			header: self.body.header,
			first: self.first,
			count: self.count,
			delivered: merkle::root(own),
		})
	}
}
