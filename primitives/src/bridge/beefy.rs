//! What the light client on the L2 checks: BEEFY's commitments, the validators who sign them, and leaves under the
//! Merkle mountain range (MMR) that they commit to. Bytes are those of polkadot-sdk; tests compare with its crates.

use crate::{
	crypto::{keccak256, EthereumAddress, Hash},
	BlockNumber,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What validators sign: the MMR root as of a block. Its SCALE encoding here is the one it has in a BEEFY commitment
/// with nothing but the root as payload, 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
	/// Root of the MMR over all blocks up to this one.
	pub mmr_root: Hash,
	/// This block.
	pub block: BlockNumber,
	/// Number of the validator set that signs.
	pub set: u64,
}

impl Commitment {
	/// `0x04 ‖ "mh" ‖ 0x80 ‖ MMR root ‖ block u32 LE ‖ set u64 LE`: a list of one item, its name, its length, itself.
	pub fn encode(&self) -> [u8; 48] {
		let mut raw = [0; 48];
		raw[..4].copy_from_slice(b"\x04mh\x80");
		raw[4..36].copy_from_slice(&self.mmr_root.0);
		raw[36..40].copy_from_slice(&self.block.to_le_bytes());
		raw[40..].copy_from_slice(&self.set.to_le_bytes());
		raw
	}

	/// The commitment that these bytes are, `None` where they are none with the MMR root alone.
	pub fn decode(raw: &[u8]) -> Option<Self> {
		let (prefix, mmr_root, block, set) = <([u8; 4], Hash, u32, u64)>::decode(&mut &raw[..]).ok()?;
		(prefix == *b"\x04mh\x80" && raw.len() == 48).then_some(Self { mmr_root, block, set })
	}

	/// What is signed (ECDSA over secp256k1): Keccak-256 of the encoding.
	pub fn digest(&self) -> Hash {
		keccak256(&[&self.encode()])
	}
}

/// Validators of a BEEFY set, by number and commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct AuthoritySet {
	/// Its number.
	pub id: u64,
	/// How many.
	pub len: u32,
	/// [`keyset_commitment`] of their addresses.
	pub keyset_commitment: Hash,
}

/// Leaf of the MMR that each block adds, 113 bytes of SCALE. The leaf of block `n` is number `n - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct MmrLeaf {
	/// Version of this format: 0.
	pub version: u8,
	/// Number of the block's parent.
	pub parent_number: BlockNumber,
	/// Hash of the block's parent.
	pub parent_hash: Hash,
	/// The validators after the present ones.
	pub next_authority_set: AuthoritySet,
	/// Root over what the block releases to the L2, see [`super::withdrawal`].
	pub leaf_extra: Hash,
}

impl MmrLeaf {
	/// Keccak-256 of the encoding.
	pub fn hash(&self) -> Hash {
		keccak256(&[&self.encode()])
	}
}

/// Merkle root over validators' addresses in their order, as pallet-beefy-mmr makes it: `leaf = H(address)`,
/// `node = H(left ‖ right)`, a lone right node is promoted, zero over none. A leaf cannot be taken for a node: 20 bytes
/// are hashed for one, 64 for the other.
pub fn keyset_commitment(addresses: &[EthereumAddress]) -> Hash {
	let parent = |pair: &[Hash]| pair.get(1).map_or(pair[0], |right| keccak256(&[&pair[0].0, &right.0]));
	let mut level: Vec<Hash> = addresses.iter().map(|address| keccak256(&[&address.0])).collect();
	while level.len() > 1 {
		level = level.chunks(2).map(parent).collect();
	}
	level.first().copied().unwrap_or(Hash([0; 32]))
}

/// That a leaf is in the MMR, in the form that is cheapest to check: siblings from the leaf to the root, and for each
/// the side that it is on. A leaf cannot be taken for a node: 113 bytes are hashed for one, 64 for the other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct MmrProof {
	/// Bit `n` is set where item `n` is the left sibling.
	pub order: u64,
	/// Siblings, the leaf's own first.
	pub items: Vec<Hash>,
}

impl MmrProof {
	/// From what the chain's `mmr_generateProof` answers for one leaf of an MMR of `leaf_count` leaves. `None` where
	/// there is no such leaf or `items` are not as many as its proof has.
	///
	/// Those items are the peaks left of the leaf's own from the left, then siblings inside its peak from the bottom,
	/// then all peaks right of it bagged into one. Bagging goes from the right and puts what it has on the left:
	/// `H(H(p3 ‖ p2) ‖ p1)`.
	pub fn from_items(leaf_index: u64, leaf_count: u64, items: &[Hash]) -> Option<Self> {
		if leaf_index >= leaf_count {
			return None;
		}
		// Peaks are the powers of two in the count, the largest first; the leaf's own is that in which it first
		// differs from the count.
		let height = (leaf_index ^ leaf_count).ilog2();
		let left_peaks = (leaf_count >> height >> 1).count_ones() as usize;
		let has_right = leaf_count & ((1 << height) - 1) != 0;
		if items.len() != left_peaks + height as usize + usize::from(has_right) {
			return None;
		}
		let (left, inside) = items.split_at(left_peaks);
		let (inside, right) = inside.split_at(height as usize);
		let mut order = leaf_index & ((1 << height) - 1);
		if has_right {
			order |= 1 << height;
		}
		let items = inside.iter().chain(right).chain(left.iter().rev()).copied().collect();
		Some(Self { order, items })
	}

	/// The root that `leaf` leads to.
	pub fn root(&self, leaf: &Hash) -> Hash {
		let climb = |below: Hash, (level, sibling): (u32, &Hash)| match self.order.checked_shr(level).unwrap_or(0) & 1 {
			0 => keccak256(&[&below.0, &sibling.0]),
			_ => keccak256(&[&sibling.0, &below.0]),
		};
		(0..).zip(&self.items).fold(*leaf, climb)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_consensus_beefy::{
		known_payloads::MMR_ROOT_ID,
		mmr::{BeefyAuthoritySet, MmrLeaf as SdkLeaf, MmrLeafVersion},
		Commitment as SdkCommitment, Payload,
	};
	use sp_core::H256;
	use sp_mmr_primitives::{
		mmr_lib::{leaf_index_to_pos, util::MemStore, Merge, Result as MmrResult, MMR},
		DataOrHash,
	};
	use sp_runtime::traits::Keccak256;

	/// Merges as pallet-mmr does.
	struct Merger;

	impl Merge for Merger {
		type Item = Hash;

		fn merge(left: &Hash, right: &Hash) -> MmrResult<Hash> {
			Ok(keccak256(&[&left.0, &right.0]))
		}
	}

	fn leaf(n: u32) -> MmrLeaf {
		MmrLeaf {
			version: 0,
			parent_number: n,
			parent_hash: Hash([n as u8; 32]),
			next_authority_set: AuthoritySet {
				id: 7,
				len: 4,
				keyset_commitment: Hash([8; 32]),
			},
			leaf_extra: Hash([9; 32]),
		}
	}

	#[test]
	fn commitment_is_the_sdks() {
		let ours = Commitment {
			mmr_root: Hash([5; 32]),
			block: 0x0102_0304,
			set: 0x0506_0708_090a_0b0c,
		};
		let theirs = SdkCommitment {
			payload: Payload::from_single_entry(MMR_ROOT_ID, H256([5; 32]).encode()),
			block_number: ours.block,
			validator_set_id: ours.set,
		};
		let encoded = theirs.encode();
		assert_eq!(ours.encode()[..], encoded);
		assert_eq!(Commitment::decode(&encoded), Some(ours));
		assert_eq!(Commitment::decode(&encoded[..47]), None);
		assert_eq!(Commitment::decode(&[&encoded[..], &[0]].concat()), None);
		for byte in 0..4 {
			let mut other = encoded.clone();
			other[byte] ^= 1;
			assert_eq!(Commitment::decode(&other), None);
		}
	}

	#[test]
	fn leaf_is_the_sdks() {
		let ours = leaf(3);
		let theirs = SdkLeaf {
			version: MmrLeafVersion::new(0, 0),
			parent_number_and_hash: (3u32, H256([3; 32])),
			beefy_next_authority_set: BeefyAuthoritySet {
				id: 7,
				len: 4,
				keyset_commitment: H256([8; 32]),
			},
			leaf_extra: H256([9; 32]),
		};
		assert_eq!(ours.encode(), theirs.encode());
		assert_eq!(ours.encode().len(), 113);
		let hash = DataOrHash::<Keccak256, _>::Data(theirs).hash();
		assert_eq!(ours.hash().0, hash.0);
	}

	#[test]
	fn keyset_commitment_is_the_sdks() {
		for count in 0..20u8 {
			let addresses: Vec<_> = (0..count).map(|n| EthereumAddress([n; 20])).collect();
			let theirs = binary_merkle_tree::merkle_root::<sp_core::KeccakHasher, _>(addresses.iter().map(|a| a.0));
			assert_eq!(keyset_commitment(&addresses).0, theirs.0, "of {count}");
		}
	}

	#[test]
	fn every_leaf_of_an_mmr_is_proven_and_no_other() {
		let store = MemStore::default();
		let mut mmr = MMR::<_, Merger, _>::new(0, &store);
		for count in 1..70u64 {
			mmr.push(leaf(count as u32 - 1).hash()).unwrap();
			let root = mmr.get_root().unwrap();
			for index in 0..count {
				let items = mmr.gen_proof(vec![leaf_index_to_pos(index)]).unwrap();
				let items = items.proof_items();
				let proof = MmrProof::from_items(index, count, items).unwrap();
				assert_eq!(proof.root(&leaf(index as u32).hash()), root, "{index} of {count}");
				assert_ne!(proof.root(&leaf(index as u32 + 1).hash()), root);
				assert_eq!(MmrProof::from_items(index, count, &[items, &[root]].concat()), None);
				if let Some((_, fewer)) = items.split_last() {
					assert_eq!(MmrProof::from_items(index, count, fewer), None);
				}
			}
			assert_eq!(MmrProof::from_items(count, count, &[]), None);
		}
		assert_eq!(MmrProof::from_items(0, 0, &[]), None);
		let huge = MmrProof {
			order: u64::MAX,
			items: vec![Hash([1; 32]); 200],
		};
		assert_ne!(huge.root(&Hash([2; 32])), Hash([2; 32]));
	}
}
