//! Chunks of one window, one after the other: what is delivered, counted and paid together.

use clustercast_primitives::{merkle, Delivery, Hash, WindowHeader, WindowId};

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
	/// All of a window, by its header and that one's hash.
	pub fn whole(header: &WindowHeader, hash: Hash) -> Self {
		Self {
			delivery: Delivery {
				header: hash,
				first: 0,
				count: header.chunks,
				delivered: header.root,
			},
			window: header.id,
			bytes: header.bytes.into(),
		}
	}

	/// These chunks of it, by all its leaves; `None` where it does not have them, or there are none.
	pub fn part(header: &WindowHeader, hash: Hash, leaves: &[Hash], first: u32, count: u32) -> Option<Self> {
		if (first, count) == (0, header.chunks) {
			return Some(Self::whole(header, hash));
		}
		let end = first
			.checked_add(count)
			.filter(|end| count > 0 && *end <= header.chunks)?;
		let delivered = merkle::root(leaves.get(first as usize..end as usize)?);
		let at = |index: u32| u64::from(header.bytes).min(u64::from(index) << header.chunk_log2);
		Some(Self {
			delivery: Delivery {
				header: hash,
				first,
				count,
				delivered,
			},
			window: header.id,
			bytes: at(end) - at(first),
		})
	}

	/// Orders pieces as receipts have them.
	pub fn place(&self) -> (WindowId, u32) {
		(self.window, self.delivery.first)
	}
}

/// Whether some chunk is in both.
pub fn overlap(a: &Delivery, b: &Delivery) -> bool {
	let end = |delivery: &Delivery| delivery.first.saturating_add(delivery.count);
	a.header == b.header && a.first < end(b) && b.first < end(a)
}
