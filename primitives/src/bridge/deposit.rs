//! Deposits into the vault on the L2 and the tree over them.
//!
//! ```text
//! leaf = H(0x00 ‖ index u64 ‖ depositor 20 ‖ account 32 ‖ amount u128 ‖ escrow u128
//!               ‖ session key 32 ‖ session limit u128 ‖ session expiry u32)
//! node = H(0x01 ‖ left ‖ right)
//! ```
//!
//! The tree is 32 levels high and filled from the left; what is not filled yet is a leaf of 32 zero bytes. Its
//! contract adds a leaf with one write and no recursion, the way of Ethereum's beacon deposit contract.

use super::{leaf_hash, node_hash};
use crate::{
	amount::{Balance, USDC},
	crypto::{AccountId, EthereumAddress, Hash, PublicKey},
	BlockNumber,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Levels of the tree: 2^32 - 1 deposits.
pub const DEPTH: usize = 32;

/// Smallest deposit that the vault takes: far above the chain's existential deposit, so that crediting it cannot fail.
pub const MIN_DEPOSIT: Balance = USDC;

/// Largest deposit that the vault takes: bounds what one mistake costs, and keeps sums far inside 128 bits.
pub const MAX_DEPOSIT: Balance = 10_000 * USDC;

/// Money that was paid into the vault for an account on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Deposit {
	/// Its number, from 0; also its place in the tree.
	pub index: u64,
	/// Who paid on the L2.
	pub depositor: EthereumAddress,
	/// Receives it on the chain.
	pub account: AccountId,
	/// Micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub amount: Balance,
	/// Of it, so much goes to the account's deposit for tickets. Micro-USDC, at most `amount`.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub escrow: Balance,
	/// Session key that may sign tickets for the account; zero for none.
	pub session_key: PublicKey,
	/// Most that the session may spend in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub session_limit: Balance,
	/// Last block of the chain for which the session can sign.
	pub session_expiry: BlockNumber,
}

impl Deposit {
	/// Its leaf, see [the module](self).
	pub fn leaf(&self) -> Hash {
		leaf_hash(&[
			&self.index.to_be_bytes(),
			&self.depositor.0,
			&self.account.0,
			&self.amount.to_be_bytes(),
			&self.escrow.to_be_bytes(),
			&self.session_key.0,
			&self.session_limit.to_be_bytes(),
			&self.session_expiry.to_be_bytes(),
		])
	}

	/// The session key, if it names one.
	pub fn session(&self) -> Option<PublicKey> {
		(self.session_key.0 != [0; 32]).then_some(self.session_key)
	}
}

/// A deposit and the way from its leaf to the attested root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ProvenDeposit {
	/// What was deposited.
	pub deposit: Deposit,
	/// That the vault recorded it.
	pub proof: DepositProof,
}

/// Siblings on the way from a leaf to the root, the leaf's own first. Which side each is on follows from the index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DepositProof(pub [Hash; DEPTH]);

impl DepositProof {
	/// For the leaf at `index` of the tree over `leaves`; `None` where there is no such leaf.
	pub fn new(leaves: &[Hash], index: u64) -> Option<Self> {
		let mut place = usize::try_from(index).ok().filter(|place| *place < leaves.len())?;
		let mut level = leaves.to_vec();
		let mut empty = Hash([0; 32]);
		let mut siblings = [empty; DEPTH];
		for sibling in &mut siblings {
			*sibling = level.get(place ^ 1).copied().unwrap_or(empty);
			level = level
				.chunks(2)
				.map(|pair| node_hash(&pair[0], pair.get(1).unwrap_or(&empty)))
				.collect();
			empty = node_hash(&empty, &empty);
			place /= 2;
		}
		Some(Self(siblings))
	}

	/// Whether `leaf` stands at `index` of the tree with this root.
	pub fn verify(&self, root: &Hash, leaf: &Hash, index: u64) -> bool {
		let climb = |below: Hash, (level, sibling): (usize, &Hash)| match index >> level & 1 {
			0 => node_hash(&below, sibling),
			_ => node_hash(sibling, &below),
		};
		index >> DEPTH == 0 && self.0.iter().enumerate().fold(*leaf, climb) == *root
	}
}

/// The tree as the vault keeps it: of each level, the newest left node that waits for its right sibling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositTree {
	branch: [Hash; DEPTH],
	count: u64,
}

impl Default for DepositTree {
	fn default() -> Self {
		Self {
			branch: [Hash([0; 32]); DEPTH],
			count: 0,
		}
	}
}

impl DepositTree {
	/// Leaves so far.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// Adds a leaf. False, and nothing is changed, where the tree is full.
	#[must_use]
	pub fn push(&mut self, leaf: Hash) -> bool {
		let count = self.count + 1;
		if count >> DEPTH != 0 {
			return false;
		}
		let height = count.trailing_zeros() as usize;
		let node = self.branch[..height]
			.iter()
			.fold(leaf, |node, left| node_hash(left, &node));
		self.branch[height] = node;
		self.count = count;
		true
	}

	/// Root over the leaves so far.
	pub fn root(&self) -> Hash {
		let mut empty = Hash([0; 32]);
		let mut root = empty;
		for (level, left) in self.branch.iter().enumerate() {
			root = match self.count >> level & 1 {
				0 => node_hash(&root, &empty),
				_ => node_hash(left, &root),
			};
			empty = node_hash(&empty, &empty);
		}
		root
	}
}

impl Extend<Hash> for DepositTree {
	/// Adds leaves as long as there is room.
	fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
		leaves.into_iter().all(|leaf| self.push(leaf));
	}
}

/// Root of the tree over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
	let mut tree = DepositTree::default();
	tree.extend(leaves.iter().copied());
	tree.root()
}

/// Proves each of `deposits[from..]`, at most `limit` of them, under the root of all of `deposits`.
pub fn prove(deposits: &[Deposit], from: u64, limit: usize) -> Vec<ProvenDeposit> {
	let leaves: Vec<Hash> = deposits.iter().map(Deposit::leaf).collect();
	let proven = |index: u64| {
		Some(ProvenDeposit {
			deposit: deposits.get(index as usize)?.clone(),
			proof: DepositProof::new(&leaves, index)?,
		})
	};
	(from..).map_while(proven).take(limit).collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn leaves(count: u64) -> Vec<Hash> {
		(0..count).map(|n| leaf_hash(&[&n.to_be_bytes()])).collect()
	}

	/// The whole tree, node by node.
	fn reference(leaves: &[Hash], level: usize) -> Hash {
		if level == 0 {
			return leaves.first().copied().unwrap_or(Hash([0; 32]));
		}
		if leaves.is_empty() {
			let below = reference(&[], level - 1);
			return node_hash(&below, &below);
		}
		let (left, right) = leaves.split_at(leaves.len().min(1 << (level - 1)));
		node_hash(&reference(left, level - 1), &reference(right, level - 1))
	}

	#[test]
	fn the_empty_tree_is_the_beacon_deposit_contracts_shape() {
		assert_eq!(root(&[]), reference(&[], DEPTH));
		assert_eq!(DepositTree::default().count(), 0);
	}

	#[test]
	fn every_leaf_is_proven_at_its_place_only() {
		for count in 1..20 {
			let leaves = leaves(count);
			let root = root(&leaves);
			assert_eq!(root, reference(&leaves, DEPTH));
			for (index, leaf) in (0..).zip(&leaves) {
				let proof = DepositProof::new(&leaves, index).unwrap();
				for (other, candidate) in (0..).zip(&leaves) {
					assert_eq!(proof.verify(&root, leaf, other), other == index);
					assert_eq!(proof.verify(&root, candidate, index), other == index);
				}
				assert!(!proof.verify(&root, leaf, index + (1 << DEPTH)));
				assert!(!proof.verify(&Hash([9; 32]), leaf, index));
			}
			assert_eq!(DepositProof::new(&leaves, count), None);
		}
	}

	#[test]
	fn a_full_tree_takes_no_more() {
		let mut tree = DepositTree {
			count: (1 << DEPTH) - 2,
			..DepositTree::default()
		};
		assert!(tree.push(Hash([1; 32])));
		let full = tree.clone();
		assert!(!tree.push(Hash([2; 32])));
		assert_eq!((tree.count(), tree), ((1 << DEPTH) - 1, full));
	}

	#[test]
	fn deposits_are_proven_together() {
		let deposit = |index| Deposit {
			index,
			depositor: EthereumAddress([1; 20]),
			account: AccountId([2; 32]),
			amount: 5 * USDC,
			escrow: USDC,
			session_key: PublicKey([0; 32]),
			session_limit: 0,
			session_expiry: 0,
		};
		let deposits: Vec<_> = (0..5).map(deposit).collect();
		let leaves: Vec<_> = deposits.iter().map(Deposit::leaf).collect();
		let proven = prove(&deposits, 3, 32);
		assert_eq!(proven.len(), 2);
		assert!(proven
			.iter()
			.all(|p| p.proof.verify(&root(&leaves), &p.deposit.leaf(), p.deposit.index)));
		assert_eq!(prove(&deposits, 0, 4).len(), 4);
		assert!(prove(&deposits, 5, 4).is_empty());
		assert_eq!(deposit(0).session(), None);
	}

	proptest! {
		#[test]
		fn every_field_is_in_the_leaf(byte in 0usize..144, flip in 1u8..) {
			let mut raw = [3; 144];
			let before = Deposit::decode(&mut &raw[..]).unwrap();
			raw[byte] ^= flip;
			let after = Deposit::decode(&mut &raw[..]).unwrap();
			prop_assert_ne!(before.leaf(), after.leaf());
			prop_assert_eq!(Deposit::max_encoded_len(), 144);
		}
	}
}
