//! Chunks of a window and the trees over hashes: RFC 6962's Merkle tree over SHA-256.
//!
//! `leaf = H(0x00 ‖ chunk)`, `node = H(0x01 ‖ left ‖ right)`, a lone right node is promoted. Proofs bind index and
//! width, since promotion alone lets positions alias.

use crate::crypto::{sha256, sha256_each, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use rs_merkle::{Hasher, MerkleTree};
use scale_info::TypeInfo;

/// Sizes of chunks that peers take, as powers of two: 4 to 64 KiB.
pub const CHUNK_LOG2: core::ops::RangeInclusive<u8> = 12..=16;

/// What broadcasters use unless they say otherwise: 16 KiB, by the table in `docs/protocol.md`.
pub const DEFAULT_CHUNK_LOG2: u8 = 14;

/// Most leaves of a tree: 2^40, three thousand years of windows of 100 ms.
pub const MAX_WIDTH: u64 = 1 << 40;

/// Longest proof path: that of [`MAX_WIDTH`] leaves.
pub const MAX_PATH: usize = 40;

/// Hashes on the way from a leaf to the root, from the leaf up. At most [`MAX_PATH`].
pub type Path = bounded_collections::BoundedVec<Hash, bounded_collections::ConstU32<{ MAX_PATH as u32 }>>;

/// `H(0x00 ‖ chunk)`.
pub fn leaf_hash(chunk: &[u8]) -> Hash {
	sha256(&[&[0], chunk])
}

/// `H(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
	sha256(&[&[1], &left.0, &right.0])
}

/// How many chunks of `2^chunk_log2` bytes `bytes` make. The last one may be shorter.
pub fn chunk_count(bytes: u32, chunk_log2: u8) -> u32 {
	match 1u32.checked_shl(chunk_log2.into()) {
		Some(chunk) => bytes.div_ceil(chunk),
		None => u32::from(bytes > 0),
	}
}

/// Leaf hashes of a window's chunks of `2^chunk_log2` bytes, in order.
pub fn leaves(window: &[u8], chunk_log2: u8) -> Vec<Hash> {
	let chunk = 1usize.checked_shl(chunk_log2.into()).unwrap_or(usize::MAX);
	leaf_hashes(&window.chunks(chunk).collect::<Vec<_>>())
}

/// [`leaf_hash`] of each chunk, several at a time where the processor gains by it.
pub fn leaf_hashes(chunks: &[&[u8]]) -> Vec<Hash> {
	sha256_each(0, chunks)
}

/// Domain-separating hasher for `rs_merkle`. Leaves enter already hashed.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
	type Hash = [u8; 32];

	fn hash(data: &[u8]) -> [u8; 32] {
		leaf_hash(data).0
	}

	fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
		right.map_or(*left, |right| sha256(&[&[1], left, right]).0)
	}
}

fn tree(leaves: &[Hash]) -> MerkleTree<Rfc6962> {
	let raw: Vec<[u8; 32]> = leaves.iter().map(|l| l.0).collect();
	MerkleTree::from_leaves(&raw)
}

/// Root of no leaves: the hash of the empty string, as RFC 6962 has it.
pub fn empty_root() -> Hash {
	sha256(&[])
}

/// Root over leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
	tree(leaves).root().map_or_else(empty_root, Hash)
}

/// That one leaf stands at `index` of a tree of `width` leaves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Proof {
	/// Position of the leaf, from 0.
	pub index: u64,
	/// Number of leaves.
	pub width: u64,
	/// Sibling hashes from the leaf up.
	pub path: Path,
}

impl Proof {
	/// Proof for `leaves[index]`; `None` when there is no such leaf.
	pub fn new(leaves: &[Hash], index: u64) -> Option<Self> {
		let at = usize::try_from(index).ok().filter(|at| *at < leaves.len())?;
		let siblings = tree(leaves).proof(&[at]);
		let path: Vec<Hash> = siblings.proof_hashes().iter().map(|hash| Hash(*hash)).collect();
		Some(Self {
			index,
			width: leaves.len() as u64,
			path: path.try_into().ok()?,
		})
	}

	/// Whether `leaf` stands at `index` of the tree with this root and width. Total: any input gives an answer. As
	/// RFC 9162, section 2.1.3.2, has it; on 64-bit numbers also where addresses have 32 bits.
	pub fn verify(&self, root: &Hash, leaf: &Hash) -> bool {
		if self.index >= self.width || self.width > MAX_WIDTH {
			return false;
		}
		let (mut index, mut last, mut hash) = (self.index, self.width - 1, *leaf);
		for sibling in &self.path {
			if last == 0 {
				return false;
			}
			if index % 2 == 1 || index == last {
				hash = node_hash(sibling, &hash);
				while index % 2 == 0 && index != 0 {
					(index, last) = (index / 2, last / 2);
				}
			} else {
				hash = node_hash(&hash, sibling);
			}
			(index, last) = (index / 2, last / 2);
		}
		last == 0 && hash == *root
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn hashes(n: usize) -> Vec<Hash> {
		(0..n).map(|i| leaf_hash(&(i as u32).to_le_bytes())).collect()
	}

	/// The definition in RFC 6962, section 2.1, word for word.
	fn rfc_root(leaves: &[Hash]) -> Hash {
		match leaves {
			[] => sha256(&[]),
			[one] => *one,
			many => {
				let split = many.len().next_power_of_two() / 2;
				node_hash(&rfc_root(&many[..split]), &rfc_root(&many[split..]))
			},
		}
	}

	#[test]
	fn root_is_that_of_rfc_6962_at_every_width() {
		for n in 0..200 {
			assert_eq!(root(&hashes(n)), rfc_root(&hashes(n)), "{n} leaves");
		}
	}

	#[test]
	fn every_leaf_of_every_tree_is_proven() {
		for width in 1..70 {
			let leaves = hashes(width);
			for (index, leaf) in leaves.iter().enumerate() {
				let proof = Proof::new(&leaves, index as u64).unwrap();
				assert!(proof.verify(&root(&leaves), leaf), "{index} of {width}");
			}
			assert_eq!(Proof::new(&leaves, width as u64), None);
		}
	}

	proptest! {
		#[test]
		fn proof_verifies_only_at_its_place(width in 1usize..80, index in 0usize..80, other in 0usize..80, shift in 0u64..4) {
			let (index, other) = (index % width, other % width);
			let leaves = hashes(width);
			let root = root(&leaves);
			let proof = Proof::new(&leaves, index as u64).unwrap();
			prop_assert!(proof.verify(&root, &leaves[index]));
			prop_assert_eq!(proof.verify(&root, &leaves[other]), other == index);
			let moved = Proof { index: other as u64, ..proof.clone() };
			prop_assert_eq!(moved.verify(&root, &leaves[index]), other == index);
			let mut longer = proof.clone();
			longer.path.try_push(root).unwrap();
			prop_assert!(!longer.verify(&root, &leaves[index]));
			let mut shorter = proof.clone();
			prop_assert!(shorter.path.pop().is_none() || !shorter.verify(&root, &leaves[index]));
			let wider = Proof { width: proof.width + shift, ..proof };
			prop_assert!(shift == 0 || !wider.verify(&root, &leaves[other]) || other == index);
		}

		#[test]
		fn verify_is_total(index: u64, width: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..40), leaf: [u8; 32]) {
			let path: Vec<Hash> = path.into_iter().map(Hash).collect();
			let proof = Proof { index, width, path: path.try_into().unwrap() };
			proof.verify(&Hash([0; 32]), &Hash(leaf));
		}
	}

	#[test]
	fn chunks_are_counted_as_they_are_cut() {
		for log2 in CHUNK_LOG2 {
			let chunk = 1 << log2;
			for bytes in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk] {
				let window = alloc::vec![9; bytes as usize];
				assert_eq!(leaves(&window, log2).len() as u32, chunk_count(bytes, log2));
			}
		}
		assert_eq!(chunk_count(u32::MAX, 255), 1);
		assert_eq!(chunk_count(0, 255), 0);
	}
}
