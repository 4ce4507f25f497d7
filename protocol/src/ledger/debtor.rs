//! The side that receives, and pays what it has verified.

use super::piece::{overlap, Piece};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use clustercast_primitives::{Delivery, Hash, WindowId};

/// Why a receipt is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillFault {
	/// It names what did not come, or what an earlier receipt named.
	#[error("it is for what was not delivered")]
	NotDelivered,
	/// Its deliveries do not ascend, or are none.
	#[error("its deliveries are out of order")]
	Order,
	/// It states other bytes than its deliveries have.
	#[error("it states other bytes than were delivered")]
	Bytes,
}

/// Pieces that are remembered: of many receipts that wait for one that is late.
pub const MOST_RECEIVED: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub struct Debtor {
	/// In no receipt, by header and first chunk: at most [`MOST_RECEIVED`]. Mostly one, where a map has room for eleven at once.
	received: BTreeMap<(Hash, u32), Box<Piece>>,
}

impl Debtor {
	/// All of it verified. Where the other side makes no receipt for long, the oldest will not be paid.
	pub fn received(&mut self, piece: Piece) {
		self.received
			.insert((piece.delivery.header, piece.delivery.first), Box::new(piece));
		if self.received.len() > MOST_RECEIVED {
			let oldest = self.received.values().min_by_key(|piece| piece.place());
			if let Some(Delivery { header, first, .. }) = oldest.map(|piece| piece.delivery) {
				self.received.remove(&(header, first));
			}
		}
	}

	/// Bytes that are in no receipt.
	pub fn unbilled(&self) -> u64 {
		self.received.values().map(|piece| piece.bytes).sum()
	}

	/// Whether exactly this is here, and in no receipt.
	pub fn has(&self, delivery: &Delivery) -> bool {
		let piece = self.received.get(&(delivery.header, delivery.first));
		piece.is_some_and(|piece| piece.delivery == *delivery)
	}

	/// Whether a receipt for these may come true: what is here of them is here as they say.
	pub fn check(&self, deliveries: &[Delivery]) -> Result<(), BillFault> {
		if deliveries.is_empty() {
			return Err(BillFault::Order);
		}
		let other = |piece: &Piece| {
			let overlaps = |delivery: &Delivery| piece.delivery != *delivery && overlap(&piece.delivery, delivery);
			deliveries.iter().any(overlaps)
		};
		match self.received.values().any(|piece| other(piece)) {
			true => Err(BillFault::NotDelivered),
			false => Ok(()),
		}
	}

	/// Takes a receipt for so many bytes; the last place in it. On an error nothing is taken.
	pub fn receipt(&mut self, bytes: u64, deliveries: &[Delivery]) -> Result<WindowId, BillFault> {
		let mut pieces = Vec::with_capacity(deliveries.len());
		for delivery in deliveries {
			match self.received.get(&(delivery.header, delivery.first)) {
				Some(piece) if piece.delivery == *delivery => pieces.push(**piece),
				_ => return Err(BillFault::NotDelivered),
			}
		}
		// What was received does not overlap: nothing is asked for twice.
		let ascend = pieces.windows(2).all(|pair| pair[0].place() < pair[1].place());
		let last = pieces.last().filter(|_| ascend).ok_or(BillFault::Order)?;
		if pieces.iter().map(|piece| piece.bytes).sum::<u64>() != bytes {
			return Err(BillFault::Bytes);
		}
		for Delivery { header, first, .. } in deliveries {
			self.received.remove(&(*header, *first));
		}
		Ok(last.window)
	}
}
