//! Withdrawals to the L2 and the tree over those that one block releases.
//!
//! `leaf = H(0x00 ‖ l2 u32 ‖ kind u8 ‖ id u64 ‖ to 20 ‖ amount u128 ‖ fee u128)`, `node = H(0x01 ‖ left ‖ right)`, a
//! lone right node is promoted: RFC 6962's shape. The root of a block's withdrawals is the extra data of that block's
//! MMR leaf, zero where it releases none. Proofs bind index and width, since promotion alone lets positions alias.

use super::{leaf_hash, node_hash};
use crate::{
	amount::Balance,
	crypto::{EthereumAddress, Hash},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Kind of a withdrawal that releases USDC: the only one that the vault knows.
pub const RELEASE: u8 = 0;

/// What the vault owes for what the chain burnt, or never minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Withdrawal {
	/// The L2 whose vault owes it (EIP-155).
	pub l2: u32,
	/// What the vault does: [`RELEASE`].
	pub kind: u8,
	/// Its number, from 0; the vault pays each once.
	pub id: u64,
	/// Receives `amount` less `fee` on the L2.
	pub to: EthereumAddress,
	/// Leaves the vault, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub amount: Balance,
	/// Of it, so much goes to whoever executes it. Micro-USDC, at most `amount`.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub fee: Balance,
}

impl Withdrawal {
	/// Its leaf, see [the module](self).
	pub fn leaf(&self) -> Hash {
		leaf_hash(&[
			&self.l2.to_be_bytes(),
			&[self.kind],
			&self.id.to_be_bytes(),
			&self.to.0,
			&self.amount.to_be_bytes(),
			&self.fee.to_be_bytes(),
		])
	}
}

fn parents(level: &[Hash]) -> Vec<Hash> {
	let parent = |pair: &[Hash]| pair.get(1).map_or(pair[0], |right| node_hash(&pair[0], right));
	level.chunks(2).map(parent).collect()
}

/// Root over these leaves; zero over none.
pub fn root(leaves: &[Hash]) -> Hash {
	let mut level = leaves.to_vec();
	while level.len() > 1 {
		level = parents(&level);
	}
	level.first().copied().unwrap_or(Hash([0; 32]))
}

/// That one leaf stands at `index` of a tree of `width` leaves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct WithdrawalProof {
	/// Place of the leaf, from 0.
	pub index: u32,
	/// Leaves in the tree.
	pub width: u32,
	/// Siblings on the way to the root, the leaf's own first.
	pub path: Vec<Hash>,
}

impl WithdrawalProof {
	/// For the leaf at `index`; `None` where there is no such leaf.
	pub fn new(leaves: &[Hash], index: u32) -> Option<Self> {
		let width = u32::try_from(leaves.len()).ok().filter(|width| index < *width)?;
		let (mut level, mut place, mut path) = (leaves.to_vec(), index as usize, Vec::new());
		while level.len() > 1 {
			path.extend(level.get(place ^ 1));
			level = parents(&level);
			place /= 2;
		}
		Some(Self { index, width, path })
	}

	/// Whether `leaf` stands at this index of a tree of this width with this root.
	pub fn verify(&self, root: &Hash, leaf: &Hash) -> bool {
		if self.index >= self.width {
			return false;
		}
		let (mut place, mut width, mut below) = (self.index, self.width, *leaf);
		let mut path = self.path.iter();
		while width > 1 {
			// A lone right node has no sibling: it is promoted.
			if place % 2 == 1 || place + 1 < width {
				let Some(sibling) = path.next() else { return false };
				below = match place % 2 {
					0 => node_hash(&below, sibling),
					_ => node_hash(sibling, &below),
				};
			}
			place /= 2;
			width = width.div_ceil(2);
		}
		path.next().is_none() && below == *root
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn leaves(count: u64) -> Vec<Hash> {
		(0..count).map(|n| leaf_hash(&[&n.to_be_bytes()])).collect()
	}

	/// RFC 6962, 2.1: split at the largest power of two below the width.
	fn reference(leaves: &[Hash]) -> Hash {
		match leaves {
			[] => Hash([0; 32]),
			[leaf] => *leaf,
			_ => {
				let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
				node_hash(&reference(left), &reference(right))
			},
		}
	}

	#[test]
	fn every_leaf_is_proven_at_its_place_and_width_only() {
		assert_eq!(root(&[]), Hash([0; 32]));
		for count in 1..20 {
			let leaves = leaves(count.into());
			let root = root(&leaves);
			assert_eq!(root, reference(&leaves));
			for (index, leaf) in (0..).zip(&leaves) {
				let proof = WithdrawalProof::new(&leaves, index).unwrap();
				assert!(proof.verify(&root, leaf));
				for (other, candidate) in (0..).zip(&leaves) {
					assert_eq!(proof.verify(&root, candidate), other == index);
					// Where two places have the same path, as in a tree of one, only index and width tell.
					let moved = WithdrawalProof {
						index: other,
						..proof.clone()
					};
					assert_eq!(
						moved.verify(&root, leaf),
						other == index,
						"{index} as {other} of {count}"
					);
				}
				let mut longer = proof.clone();
				longer.path.push(Hash([0; 32]));
				assert!(!longer.verify(&root, leaf));
				let mut shorter = proof.clone();
				if shorter.path.pop().is_some() {
					assert!(!shorter.verify(&root, leaf));
				}
				assert!(!WithdrawalProof { index: count, ..proof }.verify(&root, leaf));
			}
			assert_eq!(WithdrawalProof::new(&leaves, count), None);
		}
	}

	proptest! {
		#[test]
		fn every_field_is_in_the_leaf(byte in 0usize..65, flip in 1u8..) {
			let mut raw = [3; 65];
			let before = Withdrawal::decode(&mut &raw[..]).unwrap();
			raw[byte] ^= flip;
			let after = Withdrawal::decode(&mut &raw[..]).unwrap();
			prop_assert_ne!(before.leaf(), after.leaf());
			prop_assert_eq!(Withdrawal::max_encoded_len(), 65);
		}
	}
}
