//! The headers of an epoch of a track, as one RFC 6962 root that grows: what `WindowHeader::history` states.
//!
//! Whoever follows a track keeps the peaks, at most 40 hashes, and appends each header: a mismatch is a fork. Whoever
//! comes late gets them from a peer and checks them against the root in the header that follows.

use crate::{
	crypto::Hash,
	merkle::{empty_root, node_hash, MAX_PATH, MAX_WIDTH},
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Leaves of a tree that only grows. Holds a peak for each bit of `count` that is set, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct History {
	count: u64,
	peaks: BoundedVec<Hash, ConstU32<{ MAX_PATH as u32 }>>,
}

impl History {
	/// How many leaves.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// Roots of the perfect trees that it consists of, the largest first.
	pub fn peaks(&self) -> &[Hash] {
		&self.peaks
	}

	/// Whether there are as many peaks as `count` asks for: what a peer sent may be anything.
	pub fn is_well_formed(&self) -> bool {
		self.count < MAX_WIDTH && self.peaks.len() == self.count.count_ones() as usize
	}

	/// RFC 6962 root over the leaves.
	pub fn root(&self) -> Hash {
		let mut peaks = self.peaks.iter().rev();
		let last = peaks.next().copied().unwrap_or_else(empty_root);
		peaks.fold(last, |right, left| node_hash(left, &right))
	}

	/// Adds a leaf; `false`, and nothing is changed, where [`MAX_WIDTH`] is reached or it is not well formed.
	#[must_use]
	pub fn append(&mut self, leaf: Hash) -> bool {
		if !self.is_well_formed() || self.count + 1 >= MAX_WIDTH {
			return false;
		}
		let mut node = leaf;
		for _ in 0..self.count.trailing_ones() {
			if let Some(left) = self.peaks.pop() {
				node = node_hash(&left, &node);
			}
		}
		self.count += 1;
		self.peaks.try_push(node).is_ok()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::merkle::{leaf_hash, root};
	use alloc::vec::Vec;

	#[test]
	fn root_is_that_of_the_tree_after_each_leaf() {
		let mut history = History::default();
		let mut leaves = Vec::new();
		for n in 0..200u32 {
			assert_eq!(history.root(), root(&leaves), "{n} leaves");
			assert!(history.is_well_formed());
			assert_eq!(history.count(), u64::from(n));
			let leaf = leaf_hash(&n.to_le_bytes());
			leaves.push(leaf);
			assert!(history.append(leaf));
		}
	}

	#[test]
	fn peaks_that_do_not_fit_the_count_are_told() {
		let mut history = History::default();
		for n in 0..5u8 {
			assert!(history.append(Hash([n; 32])));
		}
		let peaks = history.peaks.clone();
		let ill = |count| History {
			count,
			peaks: peaks.clone(),
		};
		assert!(ill(6).is_well_formed());
		assert!(!ill(7).is_well_formed());
		assert!(!ill(4).is_well_formed());
		assert!(!ill(4).append(Hash([9; 32])));
	}

	#[test]
	fn it_ends_before_paths_grow_too_long() {
		let mut full = History {
			count: MAX_WIDTH - 1,
			peaks: alloc::vec![Hash([1; 32]); MAX_PATH].try_into().unwrap(),
		};
		assert!(full.is_well_formed());
		assert!(!full.append(Hash([2; 32])));
	}
}
