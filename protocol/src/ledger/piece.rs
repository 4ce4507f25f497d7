//! Chunks of one window, one after the other: what is delivered, counted and paid together.

use clustercast_primitives::{merkle, Delivery, Hash, WindowHeader, WindowId};

/// What a window's chunks are cut from, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
	/// Its place.
	pub window: WindowId,
	/// Names its header in receipts.
	pub header: Hash,
	/// Over all its chunks.
	pub root: Hash,
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
			root: header.root,
			bytes: header.bytes,
			chunk_log2: header.chunk_log2,
		}
	}

	/// All of it.
	pub fn whole(self) -> Piece {
		Piece {
			delivery: Delivery {
				header: self.header,
				first: 0,
				count: merkle::chunk_count(self.bytes, self.chunk_log2),
				delivered: self.root,
			},
			window: self.window,
			bytes: self.bytes.into(),
		}
	}
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
	/// As a receipt has it.
	pub delivery: Delivery,
	/// Where.
	pub window: WindowId,
	/// How many.
	pub bytes: u64,
}

impl Piece {
	/// Orders pieces as receipts have them.
	pub fn place(&self) -> (WindowId, u32) {
		(self.window, self.delivery.first)
	}
}
