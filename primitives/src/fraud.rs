//! Evidence against those who signed: a relayer's receipt for a wrong chunk, a broadcaster's two words for one thing.
//!
//! Evidence consists of signatures and hashes alone, so that a chain can judge it without a byte of video. The checks
//! here are all but the signatures': those need the keys that the chain has for the stream and the relayer.

use crate::{
	catalog::CatalogSeal,
	crypto::{Hash, Signature, Signed, SignedMessage},
	merkle::{Path, Proof},
	receipt::{Delivery, PayerOpening, SignedReceipt},
	status::Status,
	window::{SignedHeader, StreamId, WindowHeader},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Longest encoding of a [`ChunkFraud`] that holds, bytes: one receipt of 256 deliveries, about one of 2,048 chunks. The
/// type itself could be longer, with paths that verify nowhere.
pub const MAX_CHUNK_FRAUD_BYTES: usize = (222 + 64) + 97 + 72 + (16 + 1 + 32 * 8) + 183 + 4 + 2 * (32 + 1 + 32 * 11);

/// A leaf and the siblings on its way to the root, from the leaf up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Leaf {
	/// The leaf hash.
	pub hash: Hash,
	/// To the root.
	pub path: Path,
}

impl Leaf {
	/// `leaves[index]` with its path; `None` where there is none.
	pub fn of(leaves: &[Hash], index: u64) -> Option<Self> {
		let proof = Proof::new(leaves, index)?;
		Some(Self {
			hash: *leaves.get(usize::try_from(index).ok()?)?,
			path: proof.path,
		})
	}

	fn stands(&self, index: u64, width: u64, root: &Hash) -> bool {
		let proof = Proof {
			index,
			width,
			path: self.path.clone(),
		};
		proof.verify(root, &self.hash)
	}
}

/// A relayer signed that it delivered another chunk than the header has that it names. The header needs no signature:
/// the relayer vouches for it by its hash, so neither a forgotten key nor a burnt stream ends what it answers for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ChunkFraud {
	/// What the relayer signed.
	pub receipt: SignedReceipt,
	/// Opens [`crate::Receipt::payer`]: who was deceived.
	pub payer: PayerOpening,
	/// One of its deliveries.
	pub delivery: Delivery,
	/// That it is one.
	pub place: Proof,
	/// The header that the delivery names.
	pub header: WindowHeader,
	/// Position among the chunks of the delivery, from 0.
	pub index: u32,
	/// Stands at `index` under [`Delivery::delivered`].
	pub delivered: Leaf,
	/// Stands at `first + index` under [`WindowHeader::root`].
	pub signed: Leaf,
}

/// A stream's key signed two things of which one must be untrue.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Equivocation {
	/// Two headers for one place.
	Headers {
		/// One of them.
		first: SignedHeader,
		/// The other.
		second: SignedHeader,
	},
	/// A header, and a later one of its track and epoch whose history has another in its place.
	History {
		/// Number `i`.
		earlier: SignedHeader,
		/// Number above `i`.
		later: SignedHeader,
		/// Stands at `i` under the later one's history.
		leaf: Leaf,
	},
	/// Two statuses of one number.
	Statuses {
		/// One of them.
		first: Signed<Status>,
		/// The other.
		second: Signed<Status>,
	},
	/// Two catalogs of one number.
	Catalogs {
		/// One of them.
		first: Signed<CatalogSeal>,
		/// The other.
		second: Signed<CatalogSeal>,
	},
}

/// Why evidence shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FraudError {
	/// The receipt is of a kind that says nothing by chunks.
	NotByChunks,
	/// The opening is not of the payer that the receipt states.
	Payer,
	/// The delivery is not under the receipt's root.
	DeliveryPath,
	/// The delivery names another header.
	Unrelated,
	/// The position is outside the delivery or the window.
	Range,
	/// The delivered leaf does not stand at the index under the delivery's root.
	DeliveredPath,
	/// The signed leaf does not stand at its index under the header's root.
	SignedPath,
	/// The chunk is what the header has.
	SameLeaf,
	/// What was signed does not contradict itself.
	NoConflict,
}

impl fmt::Display for FraudError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NotByChunks => "a receipt of this kind says nothing by chunks",
			Self::Payer => "the opening is not of the receipt's payer",
			Self::DeliveryPath => "the delivery is not under the receipt's root",
			Self::Unrelated => "the delivery names another header",
			Self::Range => "the position is outside the delivery or the window",
			Self::DeliveredPath => "the delivered leaf is not under the delivery's root",
			Self::SignedPath => "the signed leaf is not under the header's root",
			Self::SameLeaf => "the chunk is what the broadcaster signed",
			Self::NoConflict => "what was signed does not contradict itself",
		})
	}
}

impl core::error::Error for FraudError {}

/// A receipt as a viewer keeps it who was deceived: what [`ChunkFraud::find`] needs beside leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
	/// As it was signed.
	pub receipt: SignedReceipt,
	/// Who was to pay.
	pub payer: PayerOpening,
	/// All of them.
	pub deliveries: Vec<Delivery>,
}

impl ChunkFraud {
	/// Evidence from delivery `at` of a receipt, the header that it names, the leaves of the whole window and those that
	/// were delivered; `None` where they are the same or do not fit the delivery.
	pub fn find(
		account: &Account,
		at: usize,
		header: &WindowHeader,
		signed: &[Hash],
		delivered: &[Hash],
	) -> Option<Self> {
		let delivery = *account.deliveries.get(at)?;
		let first = delivery.first as usize;
		let range = signed.get(first..first.checked_add(delivery.count as usize)?)?;
		if range.len() != delivered.len() {
			return None;
		}
		let index = range.iter().zip(delivered).position(|(a, b)| a != b)?;
		let leaves: Vec<Hash> = account.deliveries.iter().map(Delivery::leaf).collect();
		Some(Self {
			receipt: account.receipt.clone(),
			payer: account.payer,
			delivery,
			place: Proof::new(&leaves, at as u64)?,
			header: header.clone(),
			index: u32::try_from(index).ok()?,
			delivered: Leaf::of(delivered, index as u64)?,
			signed: Leaf::of(signed, (first + index) as u64)?,
		})
	}

	/// Whether it shows a wrong chunk, provided that the receipt's signature is right. Total. Whatever else the header
	/// says is not looked at: nothing that is added to headers one day can end this.
	pub fn check(&self) -> Result<(), FraudError> {
		let (receipt, delivery, header) = (&self.receipt.message, &self.delivery, &self.header);
		if !receipt.kind.proves_chunks() {
			return Err(FraudError::NotByChunks);
		}
		if self.payer.hash() != receipt.payer {
			return Err(FraudError::Payer);
		}
		if !self.place.verify(&receipt.root, &delivery.leaf()) {
			return Err(FraudError::DeliveryPath);
		}
		if header.hash() != delivery.header {
			return Err(FraudError::Unrelated);
		}
		let (first, index) = (u64::from(delivery.first), u64::from(self.index));
		let (count, chunks) = (u64::from(delivery.count), u64::from(header.chunks));
		if index >= count || first + count > chunks {
			return Err(FraudError::Range);
		}
		if self.delivered.hash == self.signed.hash {
			return Err(FraudError::SameLeaf);
		}
		if !self.signed.stands(first + index, chunks, &header.root) {
			return Err(FraudError::SignedPath);
		}
		if !self.delivered.stands(index, count, &delivery.delivered) {
			return Err(FraudError::DeliveredPath);
		}
		Ok(())
	}
}

impl Equivocation {
	/// The stream whose key signed both.
	pub fn stream(&self) -> StreamId {
		match self {
			Self::Headers { first, .. } => first.message.id.stream,
			Self::History { earlier, .. } => earlier.message.id.stream,
			Self::Statuses { first, .. } => first.message.stream,
			Self::Catalogs { first, .. } => first.message.stream,
		}
	}

	/// The two payloads that one key signed on this chain.
	pub fn signed(&self, genesis: &Hash) -> [(Vec<u8>, Signature); 2] {
		fn payload<M: SignedMessage>(signed: &Signed<M>, genesis: &Hash) -> (Vec<u8>, Signature) {
			(signed.message.signing_payload(genesis), signed.signature)
		}
		match self {
			Self::Headers { first, second }
			| Self::History {
				earlier: first,
				later: second,
				..
			} => [payload(first, genesis), payload(second, genesis)],
			Self::Statuses { first, second } => [payload(first, genesis), payload(second, genesis)],
			Self::Catalogs { first, second } => [payload(first, genesis), payload(second, genesis)],
		}
	}

	/// Whether the two contradict each other, provided that both signatures are right. Total.
	pub fn check(&self) -> Result<(), FraudError> {
		let conflict = match self {
			Self::Headers { first, second } => first.message.conflicts_with(&second.message),
			Self::History { earlier, later, leaf } => {
				let (earlier, later) = (&earlier.message, &later.message);
				let run = |header: &WindowHeader| (header.id.stream, header.id.track, header.id.epoch);
				run(earlier) == run(later)
					&& earlier.number < later.number
					&& leaf.hash != earlier.hash()
					&& leaf.stands(earlier.number, later.number, &later.history)
			},
			Self::Statuses { first, second } => first.message.conflicts_with(&second.message),
			Self::Catalogs { first, second } => first.message.conflicts_with(&second.message),
		};
		match conflict {
			true => Ok(()),
			false => Err(FraudError::NoConflict),
		}
	}
}

#[cfg(test)]
mod tests;
