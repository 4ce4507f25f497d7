//! Evidence against those who signed: a relayer's receipt for a wrong chunk, a broadcaster's two headers for one place.
//!
//! Evidence consists of signatures and hashes alone, so that a chain can judge it without a byte of video. The checks
//! here are all but the signatures': those need the keys that the chain has for the stream and the relayer.

use crate::{
	crypto::Hash,
	merkle::{Proof, MAX_PATH},
	receipt::SignedReceipt,
	window::SignedHeader,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;
use scale_info::TypeInfo;

/// Longest encoding of a [`ChunkFraud`], bytes: two signed messages, two leaves, two paths.
pub const MAX_CHUNK_FRAUD_BYTES: usize = 198 + 239 + 2 + 2 * (32 + 1 + 32 * MAX_PATH);

/// A leaf and the siblings on its way to the root, from the leaf up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Leaf {
	/// The leaf hash.
	pub hash: Hash,
	/// At most [`MAX_PATH`].
	pub path: Vec<Hash>,
}

/// A relayer signed that it delivered another chunk than the broadcaster signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ChunkFraud {
	/// What the broadcaster signed.
	pub header: SignedHeader,
	/// What the relayer signed for that header.
	pub receipt: SignedReceipt,
	/// Position of the chunk, from 0.
	pub index: u16,
	/// Stands at `index` under [`crate::Receipt::delivered`].
	pub delivered: Leaf,
	/// Stands at `index` under [`crate::WindowHeader::root`].
	pub signed: Leaf,
}

/// A stream's key signed two headers for one place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Equivocation {
	/// One of them.
	pub first: SignedHeader,
	/// The other.
	pub second: SignedHeader,
}

/// Why evidence shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FraudError {
	/// Header and receipt are about different windows, lengths or roots.
	Unrelated,
	/// The header's fields contradict each other.
	BadHeader,
	/// The delivered leaf does not stand at the index under the receipt's root.
	DeliveredPath,
	/// The signed leaf does not stand at the index under the header's root.
	SignedPath,
	/// The chunk is what the broadcaster signed.
	SameLeaf,
	/// The headers are for different places, or the same.
	NoConflict,
}

impl fmt::Display for FraudError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Unrelated => "header and receipt are not about the same window",
			Self::BadHeader => "the header's fields contradict each other",
			Self::DeliveredPath => "the delivered leaf is not under the receipt's root",
			Self::SignedPath => "the signed leaf is not under the header's root",
			Self::SameLeaf => "the chunk is what the broadcaster signed",
			Self::NoConflict => "the headers do not contradict each other",
		})
	}
}

impl core::error::Error for FraudError {}

impl ChunkFraud {
	/// Evidence from the leaves that the broadcaster signed and those that were delivered; `None` where they are the
	/// same or not equally many.
	pub fn find(header: SignedHeader, receipt: SignedReceipt, signed: &[Hash], delivered: &[Hash]) -> Option<Self> {
		if signed.len() != delivered.len() {
			return None;
		}
		let at = signed.iter().zip(delivered).position(|(a, b)| a != b)?;
		let index = u16::try_from(at).ok()?;
		let leaf = |leaves: &[Hash]| {
			Some(Leaf {
				hash: leaves[at],
				path: Proof::new(leaves, index)?.path,
			})
		};
		Some(Self {
			header,
			receipt,
			index,
			delivered: leaf(delivered)?,
			signed: leaf(signed)?,
		})
	}

	/// Whether it shows a wrong chunk, provided that both signatures are right. Total.
	pub fn check(&self) -> Result<(), FraudError> {
		let (header, receipt) = (&self.header.message, &self.receipt.message);
		header.check().map_err(|_| FraudError::BadHeader)?;
		if (header.id, header.root, header.bytes) != (receipt.window, receipt.root, receipt.bytes) {
			return Err(FraudError::Unrelated);
		}
		if self.delivered.hash == self.signed.hash {
			return Err(FraudError::SameLeaf);
		}
		// One width for both: where they are the same tree, they have the same leaf at the same place.
		let stands = |leaf: &Leaf, root| {
			let path = leaf.path.clone();
			let proof = Proof {
				index: self.index,
				width: header.chunks,
				path,
			};
			proof.verify(root, &leaf.hash)
		};
		if !stands(&self.signed, &header.root) {
			return Err(FraudError::SignedPath);
		}
		if !stands(&self.delivered, &receipt.delivered) {
			return Err(FraudError::DeliveredPath);
		}
		Ok(())
	}
}

impl Equivocation {
	/// Whether it shows two headers for one place, provided that both signatures are right.
	pub fn check(&self) -> Result<(), FraudError> {
		match self.first.message.conflicts_with(&self.second.message) {
			true => Ok(()),
			false => Err(FraudError::NoConflict),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		crypto::{KeyPair, PublicKey},
		merkle, window, Receipt,
	};
	use proptest::prelude::*;

	const GENESIS: Hash = Hash([7; 32]);

	/// Evidence over `signed` and `delivered` windows as a relayer makes it that signs what it sent.
	fn fraud(signed: &[u8], delivered: &[u8]) -> Option<ChunkFraud> {
		let header = KeyPair::from_seed([1; 32]).sign(window::tests::header(4, signed), &GENESIS);
		let (signed, delivered) = (merkle::leaves(signed), merkle::leaves(delivered));
		let receipt = Receipt {
			session: PublicKey([3; 32]),
			window: header.message.id,
			root: header.message.root,
			delivered: merkle::root(&delivered),
			bytes: header.message.bytes,
			price_per_mb: 1_000,
			commitment: Hash([4; 32]),
		};
		let receipt = KeyPair::from_seed([2; 32]).sign(receipt, &GENESIS);
		ChunkFraud::find(header, receipt, &signed, &delivered)
	}

	fn evidence() -> ChunkFraud {
		let mut wrong = [5; 50_000];
		wrong[20_000] ^= 1;
		fraud(&[5; 50_000], &wrong).unwrap()
	}

	#[test]
	fn wrong_chunk_is_shown() {
		let evidence = evidence();
		assert_eq!(evidence.index, 1);
		assert_eq!(evidence.check(), Ok(()));
		assert!(evidence.encode().len() <= MAX_CHUNK_FRAUD_BYTES);
		assert!(fraud(&[5; 50_000], &[5; 50_000]).is_none());
	}

	#[test]
	fn each_lie_has_its_error() {
		let check = |change: fn(&mut ChunkFraud)| {
			let mut evidence = evidence();
			change(&mut evidence);
			evidence.check()
		};
		assert_eq!(
			check(|e| e.receipt.message.window.segment += 1),
			Err(FraudError::Unrelated)
		);
		assert_eq!(
			check(|e| e.receipt.message.root = Hash([0; 32])),
			Err(FraudError::Unrelated)
		);
		assert_eq!(check(|e| e.receipt.message.bytes -= 1), Err(FraudError::Unrelated));
		assert_eq!(check(|e| e.header.message.chunks += 1), Err(FraudError::BadHeader));
		assert_eq!(check(|e| e.delivered = e.signed.clone()), Err(FraudError::SameLeaf));
		assert_eq!(check(|e| e.index = 2), Err(FraudError::SignedPath));
		assert_eq!(check(|e| e.signed.hash = Hash([9; 32])), Err(FraudError::SignedPath));
		assert_eq!(
			check(|e| e.delivered.hash = Hash([9; 32])),
			Err(FraudError::DeliveredPath)
		);
		assert_eq!(
			check(|e| e.delivered.path.push(Hash([9; 32]))),
			Err(FraudError::DeliveredPath)
		);
	}

	#[test]
	fn equivocation_needs_two_headers_for_one_place() {
		let key = KeyPair::from_seed([1; 32]);
		let sign = |segment, data: &[u8]| key.sign(window::tests::header(segment, data), &GENESIS);
		let check = |first, second| Equivocation { first, second }.check();
		assert_eq!(check(sign(1, b"a"), sign(1, b"b")), Ok(()));
		assert_eq!(check(sign(1, b"a"), sign(1, b"a")), Err(FraudError::NoConflict));
		assert_eq!(check(sign(1, b"a"), sign(2, b"b")), Err(FraudError::NoConflict));
	}

	proptest! {
		/// Whoever signs only for what the broadcaster signed cannot be shown guilty, whatever leaves are claimed.
		#[test]
		fn honest_receipt_shows_nothing(
			len in 1usize..100_000, index: u16, hash: [u8; 32], path in prop::collection::vec(any::<[u8; 32]>(), 0..6),
			swap: bool, chunks: Option<u16>,
		) {
			let mut evidence = evidence();
			let data = vec![6; len];
			let leaves = merkle::leaves(&data);
			evidence.header.message = window::tests::header(4, &data);
			let header = &evidence.header.message;
			evidence.receipt.message.root = header.root;
			evidence.receipt.message.delivered = header.root;
			evidence.receipt.message.bytes = header.bytes;
			let honest = index % header.chunks;
			let right = Leaf { hash: leaves[usize::from(honest)], path: Proof::new(&leaves, honest).unwrap().path };
			let claimed = Leaf { hash: Hash(hash), path: path.into_iter().map(Hash).collect() };
			evidence.index = if chunks.is_some() { index } else { honest };
			if let Some(chunks) = chunks {
				evidence.header.message.chunks = chunks;
			}
			(evidence.signed, evidence.delivered) = if swap { (claimed, right) } else { (right, claimed) };
			prop_assert!(evidence.check().is_err());
		}
	}
}
