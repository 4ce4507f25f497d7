//! Chunks of a window and the tree over them: RFC 6962's Merkle tree over SHA-256.
//!
//! `leaf = H(0x00 ‖ chunk)`, `node = H(0x01 ‖ left ‖ right)`, a lone right node is promoted. Proofs bind index and
//! width, since promotion alone lets positions alias.

use crate::crypto::{sha256, sha256_each, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use rs_merkle::{Hasher, MerkleProof, MerkleTree};
use scale_info::TypeInfo;

/// Bytes of a chunk; the last one of a window may be shorter.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Longest proof path: 2^16 chunks, what a header's `u16` count can name.
pub const MAX_PATH: usize = 16;

/// `H(0x00 ‖ chunk)`.
pub fn leaf_hash(chunk: &[u8]) -> Hash {
	sha256(&[&[0], chunk])
}

/// `H(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
	sha256(&[&[1], &left.0, &right.0])
}

/// How many chunks `bytes` make.
pub fn chunk_count(bytes: u32) -> u32 {
	bytes.div_ceil(CHUNK_BYTES as u32)
}

/// Leaf hashes of a window's chunks, in order.
pub fn leaves(window: &[u8]) -> Vec<Hash> {
	leaf_hashes(&window.chunks(CHUNK_BYTES).collect::<Vec<_>>())
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

/// Root over leaf hashes; of none, the hash of the empty string as RFC 6962 has it.
pub fn root(leaves: &[Hash]) -> Hash {
	tree(leaves).root().map_or_else(|| sha256(&[]), Hash)
}

/// That one leaf stands at `index` of a tree of `width` leaves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Proof {
	/// Position of the leaf, from 0.
	pub index: u16,
	/// Number of leaves.
	pub width: u16,
	/// Sibling hashes from the leaf up; at most [`MAX_PATH`].
	pub path: Vec<Hash>,
}

impl Proof {
	/// Proof for `leaves[index]`; `None` when there is no such leaf or there are more than `u16::MAX` leaves.
	pub fn new(leaves: &[Hash], index: u16) -> Option<Self> {
		let width = u16::try_from(leaves.len()).ok()?;
		(index < width).then(|| {
			let path = tree(leaves).proof(&[index.into()]);
			Self {
				index,
				width,
				path: path.proof_hashes().iter().map(|h| Hash(*h)).collect(),
			}
		})
	}

	/// Whether `leaf` stands at `index` of the tree with this root and width. Total: any input gives an answer.
	pub fn verify(&self, root: &Hash, leaf: &Hash) -> bool {
		if self.index >= self.width || self.path.len() != path_len(self.index.into(), self.width.into()) {
			return false;
		}
		let path = self.path.iter().map(|h| h.0).collect();
		MerkleProof::<Rfc6962>::new(path).verify(root.0, &[self.index.into()], &[leaf.0], self.width.into())
	}
}

/// Number of siblings on the way from leaf `index` to the root of `width` leaves.
fn path_len(mut index: u32, mut width: u32) -> usize {
	let mut len = 0;
	while width > 1 {
		len += usize::from(index ^ 1 < width);
		(index, width) = (index / 2, width.div_ceil(2));
	}
	len
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

	proptest! {
		#[test]
		fn proof_verifies_only_at_its_place(width in 1usize..80, index in 0usize..80, other in 0usize..80, shift in 0u16..4) {
			let (index, other) = (index % width, other % width);
			let leaves = hashes(width);
			let root = root(&leaves);
			let proof = Proof::new(&leaves, index as u16).unwrap();
			prop_assert!(proof.verify(&root, &leaves[index]));
			prop_assert_eq!(proof.verify(&root, &leaves[other]), other == index);
			let moved = Proof { index: other as u16, ..proof.clone() };
			prop_assert_eq!(moved.verify(&root, &leaves[index]), other == index);
			let mut longer = proof.clone();
			longer.path.push(root);
			prop_assert!(!longer.verify(&root, &leaves[index]));
			let wider = Proof { width: proof.width + shift, ..proof };
			prop_assert!(shift == 0 || wider.index >= wider.width || !wider.verify(&root, &leaves[other]) || other == index);
		}

		#[test]
		fn verify_is_total(index: u16, width: u16, path in prop::collection::vec(any::<[u8; 32]>(), 0..20), leaf: [u8; 32]) {
			let proof = Proof { index, width, path: path.into_iter().map(Hash).collect() };
			proof.verify(&Hash([0; 32]), &Hash(leaf));
		}
	}

	#[test]
	fn chunks_are_counted_as_they_are_cut() {
		for bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
			assert_eq!(leaves(&alloc::vec![9; bytes]).len() as u32, chunk_count(bytes as u32));
		}
	}
}
