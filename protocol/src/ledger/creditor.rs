//! The side that delivers ahead of payment.

use super::piece::Piece;
use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use clustercast_primitives::{receipt::MAX_DELIVERIES, Hash, WindowId};
use core::time::Duration;

/// How far a deliverer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Bytes that may be on their way or unpaid.
	pub credit: u64,
	/// Bytes that are worth a receipt.
	pub interval: u64,
	/// Bytes that may be sent and cut off in a time of [`Limits::forgets`], and that nobody pays.
	pub forgiven: u64,
	/// After so long, that is.
	pub forgets: Duration,
}

/// There is no credit for it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no credit for it")]
pub struct NoRoom;

/// What was wasted of late: forgotten at an even pace.
#[derive(Debug, Default)]
struct Wasted {
	bytes: u64,
	at: Duration,
}

impl Wasted {
	fn of_late(&self, now: Duration, limits: &Limits) -> u64 {
		let passed = now.saturating_sub(self.at).as_millis();
		let whole = limits.forgets.as_millis().max(1);
		let forgotten = passed.saturating_mul(limits.forgiven.into()) / whole;
		self.bytes.saturating_sub(u64::try_from(forgotten).unwrap_or(u64::MAX))
	}
}

/// A piece on its way.
#[derive(Debug)]
struct Way {
	piece: Piece,
	/// Sending stopped behind so many bytes.
	reset: Option<u64>,
}

#[derive(Debug)]
struct Billed {
	commitment: Hash,
	bytes: u64,
}

/// See the module. Pieces on their way have numbers of the caller's.
#[derive(Debug)]
pub struct Creditor {
	limits: Limits,
	under_way: BTreeMap<u64, Way>,
	/// Whole and in no receipt, as receipts have them.
	whole: BTreeMap<(WindowId, u32), Piece>,
	billed: VecDeque<Billed>,
	wasted: Wasted,
	asked: bool,
	/// Something waits for credit.
	short: bool,
}

impl Creditor {
	/// Nobody owes anything.
	pub fn new(limits: Limits) -> Self {
		Self {
			limits,
			under_way: BTreeMap::new(),
			whole: BTreeMap::new(),
			billed: VecDeque::new(),
			wasted: Wasted::default(),
			asked: false,
			short: false,
		}
	}

	/// Bytes on their way, whole ones that are in no receipt, and those of receipts that are not paid.
	pub fn owed(&self) -> u64 {
		let sum = |pieces: &mut dyn Iterator<Item = &Piece>| pieces.map(Piece::bytes).sum::<u64>();
		let billed: u64 = self.billed.iter().map(|billed| billed.bytes).sum();
		sum(&mut self.under_way.values().map(|way| &way.piece)) + sum(&mut self.whole.values()) + billed
	}

	/// Bytes that may be sent now.
	pub fn room(&self) -> u64 {
		self.limits.credit.saturating_sub(self.owed())
	}

	/// Begins to send as much of a piece as there is credit for: that much. It is counted from here on.
	pub fn begin(&mut self, number: u64, piece: Piece) -> Result<Piece, NoRoom> {
		match piece.within(self.room()) {
			Some(piece) => {
				self.under_way.insert(number, Way { piece, reset: None });
				Ok(piece)
			},
			None => {
				self.short = true;
				Err(NoRoom)
			},
		}
	}

	/// All of it was sent.
	pub fn finish(&mut self, number: u64) {
		if let Some(way) = self.under_way.remove(&number) {
			self.whole.insert(way.piece.place(), way.piece);
		}
	}

	/// Whether sending may stop behind `sent` bytes of it, since it is not wanted any more: what of that turns out not to have
	/// come is forgiven. Otherwise it goes on to its end. Where it may, [`Creditor::named`] is next.
	pub fn reset(&mut self, number: u64, sent: u64, now: Duration) -> bool {
		let Some(way) = self.under_way.get_mut(&number).filter(|way| way.reset.is_none()) else {
			return false;
		};
		let sent = sent.min(way.piece.bytes());
		let wasted = self.wasted.of_late(now, &self.limits).saturating_add(sent);
		if wasted > self.limits.forgiven {
			return false;
		}
		way.reset = Some(sent);
		self.wasted = Wasted { bytes: wasted, at: now };
		true
	}

	/// The receiver has so many chunks of a piece that was reset; whether that can be.
	pub fn named(&mut self, number: u64, verified: u32) -> bool {
		let Some((piece, sent)) = self
			.under_way
			.get(&number)
			.and_then(|way| Some((way.piece, way.reset?)))
		else {
			return false;
		};
		let kept = piece.prefix(verified);
		let bytes = kept.map_or(0, |kept| kept.bytes());
		if bytes > sent || verified > piece.count {
			return false;
		}
		self.under_way.remove(&number);
		self.wasted.bytes = self.wasted.bytes.saturating_sub(bytes);
		if let Some(kept) = kept {
			self.whole.insert(kept.place(), kept);
		}
		true
	}

	/// The receiver wants a receipt for what it has.
	pub fn ask(&mut self) {
		self.asked = true;
	}

	/// What is to be in a receipt now, as it has to stand there; the caller signs it and says so with
	/// [`Creditor::billed`].
	pub fn bill(&mut self) -> Option<Vec<Piece>> {
		let bytes: u64 = self.whole.values().map(Piece::bytes).sum();
		let full = bytes >= self.limits.interval || self.whole.len() >= MAX_DELIVERIES as usize;
		if self.whole.is_empty() || !(full || self.asked || self.short) {
			return None;
		}
		(self.asked, self.short) = (false, false);
		let mut pieces: Vec<Piece> = Vec::new();
		while let Some((place, piece)) = self.whole.pop_first() {
			if pieces.len() == MAX_DELIVERIES as usize {
				self.whole.insert(place, piece);
				break;
			}
			pieces.push(piece);
		}
		Some(pieces)
	}

	/// They are in the receipt with this commitment.
	pub fn billed(&mut self, pieces: &[Piece], commitment: Hash) {
		let bytes = pieces.iter().map(Piece::bytes).sum();
		self.billed.push_back(Billed { commitment, bytes });
	}

	/// The receipt is paid; whether it was owed.
	pub fn paid(&mut self, commitment: &Hash) -> bool {
		let at = self.billed.iter().position(|billed| billed.commitment == *commitment);
		at.and_then(|at| self.billed.remove(at)).is_some()
	}

	/// Commitments of receipts that are not paid.
	pub fn unpaid(&self) -> impl Iterator<Item = Hash> + '_ {
		self.billed.iter().map(|billed| billed.commitment)
	}
}
