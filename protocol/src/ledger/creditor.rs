//! The side that delivers ahead of payment.

use super::piece::{overlap, Piece};
use alloc::{
	boxed::Box,
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use clustercast_primitives::{receipt::MAX_DELIVERIES, Hash, WindowId};

/// Pieces that are worth a receipt, however small: far fewer than one can name, and than the receiver remembers windows.
pub const MOST_PIECES: usize = 32;

const _: () = assert!(MOST_PIECES <= MAX_DELIVERIES as usize);

/// How far a deliverer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Bytes that may be unpaid. One window may be larger, where nothing else is.
	pub credit: u64,
	/// Bytes that are worth a receipt; of 0 each piece is.
	pub interval: u64,
}

#[derive(Debug)]
struct Billed {
	commitment: Hash,
	bytes: u64,
	/// A payment came and is being judged.
	answered: bool,
}

#[derive(Debug)]
struct Delivered {
	piece: Piece,
	/// Nothing more of it goes out.
	ended: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Creditor {
	limits: Limits,
	/// In no receipt yet, as receipts have them. Mostly one, where a map has room for eleven at once.
	delivered: BTreeMap<(WindowId, u32), Box<Delivered>>,
	billed: VecDeque<Billed>,
	/// Bytes that are in a receipt and that nothing is owed for any more.
	settled: u64,
}

impl Creditor {
	/// Nobody owes anything.
	pub fn new(limits: Limits) -> Self {
		Self {
			limits,
			delivered: BTreeMap::new(),
			billed: VecDeque::new(),
			settled: 0,
		}
	}

	/// Bytes that are in no receipt.
	pub fn unbilled(&self) -> u64 {
		self.delivered.values().map(|delivered| delivered.piece.bytes).sum()
	}

	/// Bytes that are not paid.
	pub fn owed(&self) -> u64 {
		self.unbilled() + self.billed.iter().map(|billed| billed.bytes).sum::<u64>()
	}

	/// Bytes that are in a receipt, and paid, or that none has to be paid for.
	pub fn settled(&self) -> u64 {
		self.settled
	}

	/// Whether so many more may be delivered.
	pub fn lends(&self, bytes: u64) -> bool {
		let owed = self.owed();
		owed == 0 || owed.saturating_add(bytes) <= self.limits.credit
	}

	/// Whether this can be in the next receipt: none of it is in there.
	pub fn takes(&self, piece: &Piece) -> bool {
		let taken = |other: &Delivered| overlap(&other.piece.delivery, &piece.delivery);
		!self.delivered.values().any(|delivered| taken(delivered))
	}

	/// It goes out, to be paid.
	pub fn deliver(&mut self, piece: Piece) {
		let ended = false;
		self.delivered
			.insert(piece.place(), Box::new(Delivered { piece, ended }));
	}

	/// What is delivered at this place has ended, as this piece of it, or before anything went out.
	pub fn ended(&mut self, place: &(WindowId, u32), piece: Option<Piece>) {
		match piece {
			Some(piece) => {
				debug_assert_eq!(piece.place(), *place);
				let ended = true;
				self.delivered.insert(*place, Box::new(Delivered { piece, ended }));
			},
			None => {
				self.delivered.remove(place);
			},
		}
	}

	/// Whether what was delivered is worth a receipt.
	pub fn is_due(&self) -> bool {
		let bytes = self.unbilled();
		bytes > 0 && bytes >= self.limits.interval || self.delivered.len() >= MOST_PIECES
	}

	/// Whether all that was delivered has ended.
	pub fn is_settled(&self) -> bool {
		self.delivered.values().all(|delivered| delivered.ended)
	}

	/// All that is in no receipt, as one has it; nothing where something has not ended. To be asked when it
	/// [is due](Creditor::is_due), or there is another reason; at most [`MOST_PIECES`] if it is asked as soon as that.
	pub fn bill(&mut self) -> Vec<Piece> {
		if !self.is_settled() {
			return Vec::new();
		}
		let delivered = core::mem::take(&mut self.delivered);
		delivered.into_values().map(|delivered| delivered.piece).collect()
	}

	/// A receipt for so many went out, and is to be paid.
	pub fn billed(&mut self, commitment: Hash, bytes: u64) {
		self.billed.push_back(Billed {
			commitment,
			bytes,
			answered: false,
		});
	}

	/// A receipt for so many went out, and needs no payment: what was asked for the one before it covers it, where there was one. As
	/// long as that is not paid, neither is this.
	pub fn covered(&mut self, by: Option<&Hash>, bytes: u64) {
		let before = |billed: &&mut Billed| Some(&billed.commitment) == by;
		match self.billed.iter_mut().find(before) {
			Some(billed) => billed.bytes = billed.bytes.saturating_add(bytes),
			None => self.settled = self.settled.saturating_add(bytes),
		}
	}

	/// A payment came for this receipt; whether one was due.
	pub fn answer(&mut self, commitment: &Hash) -> bool {
		let billed = self.billed.iter_mut();
		let due = billed.filter(|billed| !billed.answered);
		due.filter(|billed| billed.commitment == *commitment)
			.map(|billed| billed.answered = true)
			.next()
			.is_some()
	}

	/// What came for this receipt is good; whether something had come.
	pub fn paid(&mut self, commitment: &Hash) -> bool {
		let answered = |billed: &Billed| billed.answered && billed.commitment == *commitment;
		let at = self.billed.iter().position(answered);
		let paid = at.and_then(|at| self.billed.remove(at));
		self.settled = self.settled.saturating_add(paid.as_ref().map_or(0, |paid| paid.bytes));
		paid.is_some()
	}

	/// Commitments of receipts that are not paid.
	pub fn unpaid(&self) -> impl Iterator<Item = Hash> + '_ {
		self.billed.iter().map(|billed| billed.commitment)
	}

	/// Whether a receipt went out for which nothing has come.
	pub fn awaits(&self) -> bool {
		self.billed.iter().any(|billed| !billed.answered)
	}
}
