//! The side that receives, and pays what it has verified.

use super::piece::Piece;
use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use clustercast_primitives::{receipt::Deliveries, Delivery, Hash, WindowId};

/// Receipts that may wait for what they name; an honest deliverer has no more unpaid ones.
const MAX_WAITING: usize = 64;

/// Why a receipt is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillFault {
	/// It names what neither came nor is coming, or what another receipt named.
	#[error("it is for what was not delivered")]
	NotDelivered,
	/// Its deliveries do not ascend, or are none.
	#[error("its deliveries are out of order")]
	Order,
	/// It states other bytes than its deliveries have.
	#[error("it states other bytes than were delivered")]
	Bytes,
	/// Too many wait for what they name.
	#[error("too many receipts for what is still on its way")]
	TooMany,
}

/// A receipt all of which has verified: to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
	/// Names it.
	pub commitment: Hash,
	/// Of all its deliveries.
	pub bytes: u64,
	/// The last place in it.
	pub window: WindowId,
}

#[derive(Debug)]
struct Waiting {
	commitment: Hash,
	bytes: u64,
	deliveries: Deliveries,
}

/// What verified of a piece.
#[derive(Debug)]
struct Received {
	place: (WindowId, u32),
	delivery: Delivery,
	bytes: u64,
}

/// See the module. Pieces that come have numbers of the caller's.
#[derive(Debug, Default)]
pub struct Debtor {
	coming: BTreeMap<u64, Piece>,
	/// In no receipt that was taken, by header and first chunk.
	received: BTreeMap<(Hash, u32), Received>,
	waiting: VecDeque<Waiting>,
}

impl Debtor {
	/// A piece begins to come.
	pub fn begin(&mut self, number: u64, piece: Piece) {
		self.coming.insert(number, piece);
	}

	/// So many of its chunks have verified, and no more come: all of them, or it was cut off. `leaves` are its window's.
	pub fn end(&mut self, number: u64, verified: u32, leaves: &[Hash]) {
		let ended = self.coming.remove(&number).and_then(|piece| piece.prefix(verified));
		if let Some((piece, delivery)) = ended.and_then(|piece| Some((piece, piece.delivery(leaves)?))) {
			let received = Received {
				place: piece.place(),
				delivery,
				bytes: piece.bytes(),
			};
			self.received.insert((delivery.header, delivery.first), received);
		}
	}

	/// Bytes that verified and are in no receipt that was taken.
	pub fn unbilled(&self) -> u64 {
		self.received.values().map(|received| received.bytes).sum()
	}

	/// A receipt came, whose signature and terms the caller has checked.
	pub fn receipt(&mut self, commitment: Hash, bytes: u64, deliveries: Deliveries) -> Result<(), BillFault> {
		if self.waiting.len() == MAX_WAITING {
			return Err(BillFault::TooMany);
		}
		self.waiting.push_back(Waiting {
			commitment,
			bytes,
			deliveries,
		});
		Ok(())
	}

	/// The next receipt, in the order in which they came, once all that it names has verified. Ask after each
	/// [`Debtor::receipt`] and [`Debtor::end`], until there is none.
	pub fn poll(&mut self) -> Result<Option<Bill>, BillFault> {
		let Some(next) = self.waiting.front() else {
			return Ok(None);
		};
		let mut places = Vec::with_capacity(next.deliveries.len());
		let mut bytes = 0;
		for delivery in &next.deliveries {
			match self.received.get(&(delivery.header, delivery.first)) {
				Some(received) if received.delivery == *delivery => {
					places.push(received.place);
					bytes += received.bytes;
				},
				// What it will be is seen when it is there.
				_ if self.is_coming(delivery) => return Ok(None),
				_ => return Err(BillFault::NotDelivered),
			}
		}
		let Some(&(window, _)) = places.last() else {
			return Err(BillFault::Order);
		};
		// What was received does not overlap, if nothing is asked for twice: then ascending places do not, either.
		if places.windows(2).any(|pair| pair[0] >= pair[1]) {
			return Err(BillFault::Order);
		}
		if bytes != next.bytes {
			return Err(BillFault::Bytes);
		}
		let commitment = next.commitment;
		let paid = self.waiting.pop_front();
		for delivery in paid.iter().flat_map(|paid| &paid.deliveries) {
			self.received.remove(&(delivery.header, delivery.first));
		}
		Ok(Some(Bill {
			commitment,
			bytes,
			window,
		}))
	}

	fn is_coming(&self, delivery: &Delivery) -> bool {
		self.coming.values().any(|piece| {
			(piece.body.header, piece.first, piece.count) == (delivery.header, delivery.first, delivery.count)
		})
	}
}
