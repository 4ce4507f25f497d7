//! What the bridge agent asks of the chain: the bridge itself, and what BEEFY signed about it. Nothing here is checked
//! beyond its shape: who pays for gas on the L2 verifies first.

use crate::{
	calls::Call,
	client::{hex_of, within, Chain},
	error::ChainError,
};
use clustercast_primitives::{
	bridge::{
		beefy::{Commitment, MmrLeaf, MmrProof},
		BridgeInfo, EthereumAction, ProvenDeposit, Stranded, WithdrawalInfo,
	},
	Balance, BlockNumber, EthereumAddress, EthereumSignature, Hash,
};
use codec::{Decode, DecodeAll};
use serde::Deserialize;
use subxt::rpcs::client::rpc_params;

/// Name of BEEFY among consensus engines.
const BEEFY: [u8; 4] = *b"BEEF";

/// Most withdrawals, or stranded deposits, in one answer of a node.
pub const MAX_ANSWER: u32 = 100;

/// Validators of a BEEFY set.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct ValidatorSet {
	/// Their secp256k1 public keys, compressed, in their order.
	pub validators: Vec<[u8; 33]>,
	/// Number of the set.
	pub id: u64,
}

/// A commitment with the signatures that a node has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justification {
	/// What was signed.
	pub commitment: Commitment,
	/// One place for each validator of the set: `r`, `s`, recovery id (0 or 1).
	pub signatures: Vec<Option<[u8; 65]>>,
}

impl Justification {
	/// From BEEFY's `VersionedFinalityProof`. `None` where it is of another version or shape, or commits to more than
	/// the MMR root.
	pub fn decode(mut raw: &[u8]) -> Option<Self> {
		const VERSION: u8 = 1;
		const COMMITMENT: usize = 48;
		let version = u8::decode(&mut raw).ok()?;
		let (commitment, rest) = raw.split_at_checked(COMMITMENT)?;
		let commitment = Commitment::decode(commitment)?;
		let (signers, validators, signatures) = <(Vec<u8>, u32, Vec<[u8; 65]>)>::decode_all(&mut &rest[..]).ok()?;
		// Bits are packed from the highest down; the last byte is filled up with zeros.
		let signed = |n: u32| {
			signers
				.get(n as usize / 8)
				.is_some_and(|byte| byte << (n % 8) & 0x80 != 0)
		};
		let enough_bits = validators as usize <= signers.len() * 8;
		let mut given = signatures.iter();
		let places: Vec<_> = (0..if enough_bits { validators } else { 0 })
			.map(|n| signed(n).then(|| given.next().copied()))
			.collect();
		let complete = places.iter().all(|place| *place != Some(None)) && given.next().is_none();
		(version == VERSION && enough_bits && complete).then(|| Self {
			commitment,
			signatures: places.into_iter().map(Option::flatten).collect(),
		})
	}
}

/// A leaf of the MMR with the way to the root as of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLeaf {
	/// The leaf.
	pub leaf: MmrLeaf,
	/// The way.
	pub proof: MmrProof,
}

impl ProvenLeaf {
	/// From the two encodings that `mmr_generateProof` answers with for one block.
	fn decode(leaves: &[u8], proof: &[u8]) -> Option<Self> {
		let leaves = <Vec<Vec<u8>>>::decode_all(&mut &leaves[..]).ok()?;
		let (indices, count, items) = <(Vec<u64>, u64, Vec<Hash>)>::decode_all(&mut &proof[..]).ok()?;
		let ([leaf], [index]) = (&leaves[..], &indices[..]) else {
			return None;
		};
		Some(Self {
			leaf: MmrLeaf::decode_all(&mut &leaf[..]).ok()?,
			proof: MmrProof::from_items(*index, count, &items)?,
		})
	}
}

/// Bytes as JSON-RPC has them.
#[derive(Deserialize)]
struct Bytes(String);

impl Bytes {
	fn decode(&self) -> Result<Vec<u8>, ChainError> {
		let text = self.0.strip_prefix("0x").unwrap_or(&self.0);
		hex::decode(text).map_err(|e| ChainError::Node(format!("bytes in hexadecimal expected: {e}")))
	}
}

impl Chain {
	/// The bridge at a block (default: the best).
	pub async fn bridge(&self, at: Option<Hash>) -> Result<BridgeInfo, ChainError> {
		self.request("clustercast_bridge", rpc_params![at]).await
	}

	/// Withdrawals from number `from` on, released or waiting, at most [`MAX_ANSWER`], at a block (default: the best).
	pub async fn withdrawals(
		&self,
		from: u64,
		limit: u32,
		at: Option<Hash>,
	) -> Result<Vec<WithdrawalInfo>, ChainError> {
		let limit = limit.min(MAX_ANSWER);
		self.request("clustercast_withdrawals", rpc_params![from, limit, at])
			.await
	}

	/// Imported deposits that wait to be sent back, from number `from` on, at most [`MAX_ANSWER`], at a block (default: the
	/// best).
	pub async fn stranded(&self, from: u64, limit: u32, at: Option<Hash>) -> Result<Vec<Stranded>, ChainError> {
		let limit = limit.min(MAX_ANSWER);
		self.request("clustercast_stranded", rpc_params![from, limit, at]).await
	}

	/// Hash of the last block that BEEFY finalised, as this node knows; an error for a while after it started.
	pub async fn beefy_head(&self) -> Result<Hash, ChainError> {
		self.request("beefy_getFinalizedHead", rpc_params![]).await
	}

	/// BEEFY's signatures on a block, where the node has them.
	pub async fn justification(&self, block: Hash) -> Result<Option<Justification>, ChainError> {
		#[derive(Deserialize)]
		struct SignedBlock {
			justifications: Option<Vec<([u8; 4], Vec<u8>)>>,
		}
		let signed: Option<SignedBlock> = self.request("chain_getBlock", rpc_params![block]).await?;
		let all = signed.and_then(|block| block.justifications).unwrap_or_default();
		let Some((_, raw)) = all.iter().find(|(engine, _)| *engine == BEEFY) else {
			return Ok(None);
		};
		let shape = || ChainError::Metadata("BEEFY justification of another shape".into());
		Justification::decode(raw).map(Some).ok_or_else(shape)
	}

	/// BEEFY's validators as of a block; [`ChainError::Refused`] where the node has no state that old.
	pub async fn validator_set(&self, at: Hash) -> Result<Option<ValidatorSet>, ChainError> {
		let raw: Bytes = self
			.request("state_call", rpc_params!["BeefyApi_validator_set", "0x", at])
			.await?;
		<Option<ValidatorSet>>::decode_all(&mut &raw.decode()?[..])
			.map_err(|e| ChainError::Metadata(format!("BeefyApi_validator_set: {e}")))
	}

	/// The validators that took over with a block, from its header, which every node has; `None` where none did.
	pub async fn new_validators(&self, block: Hash) -> Result<Option<ValidatorSet>, ChainError> {
		#[derive(Deserialize)]
		struct Header {
			digest: Digest,
		}
		#[derive(Deserialize)]
		struct Digest {
			logs: Vec<Bytes>,
		}
		let header: Option<Header> = self.request("chain_getHeader", rpc_params![block]).await?;
		let logs = header.map(|header| header.digest.logs).unwrap_or_default();
		for log in logs {
			if let Some(set) = authorities_change(&log.decode()?) {
				return Ok(Some(set));
			}
		}
		Ok(None)
	}

	/// Leaf of the MMR that a block made, and its proof under the root as of block `best`.
	pub async fn mmr_leaf(&self, block: BlockNumber, best: BlockNumber) -> Result<ProvenLeaf, ChainError> {
		#[derive(Deserialize)]
		struct LeavesProof {
			leaves: Bytes,
			proof: Bytes,
		}
		let params = rpc_params![[block], best];
		let answer: LeavesProof = self.request("mmr_generateProof", params).await?;
		ProvenLeaf::decode(&answer.leaves.decode()?, &answer.proof.decode()?)
			.ok_or_else(|| ChainError::Metadata("MMR proof of another shape".into()))
	}

	/// Submits a call that nobody signs; the hash of the extrinsic once it is in the node's pool.
	pub async fn submit_unsigned(&self, call: &Call) -> Result<Hash, ChainError> {
		let encoded = within("encoding", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			let extrinsic = at.transactions().create_unsigned(call);
			let extrinsic = extrinsic.map_err(|e| ChainError::Metadata(format!("{}: {e}", call.full_name())))?;
			Ok(hex_of(extrinsic.encoded()))
		})
		.await?;
		self.request("author_submitExtrinsic", rpc_params![encoded]).await
	}
}

/// BEEFY's announcement of a new set among a header's digest items.
fn authorities_change(item: &[u8]) -> Option<ValidatorSet> {
	const CONSENSUS: u8 = 4;
	const AUTHORITIES_CHANGE: u8 = 1;
	let (kind, engine, message) = <(u8, [u8; 4], Vec<u8>)>::decode_all(&mut &item[..]).ok()?;
	let (log, set) = <(u8, ValidatorSet)>::decode_all(&mut &message[..]).ok()?;
	(kind == CONSENSUS && engine == BEEFY && log == AUTHORITIES_CHANGE).then_some(set)
}

/// Credits deposits that the vault recorded, in their order. Not signed: whoever's first USDC it is could not pay.
pub fn import_deposits(deposits: &[ProvenDeposit]) -> Call {
	Call::new("UsdcBridge", "import_deposits").argument("deposits", &deposits)
}

/// Sends a stranded deposit back to the L2. Not signed: whoever sent it may have nothing here.
pub fn refund(number: u64) -> Call {
	Call::new("UsdcBridge", "refund").number("number", Balance::from(number))
}

/// Takes USDC back to the L2; `fee` of it goes to whoever executes it there.
pub fn withdraw(to: &EthereumAddress, amount: Balance, fee: Balance) -> Call {
	Call::new("UsdcBridge", "withdraw")
		.argument("to", to)
		.number("amount", amount)
		.number("fee", fee)
}

/// Submits a message of an Ethereum wallet; its tip goes to whoever signs this.
pub fn act(message: &EthereumAction, signature: &EthereumSignature) -> Call {
	Call::new("UsdcBridge", "act")
		.argument("action", message)
		.argument("signature", signature)
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::bridge::beefy::AuthoritySet;
	use codec::Encode;

	const COMMITMENT: Commitment = Commitment {
		mmr_root: Hash([5; 32]),
		block: 8,
		set: 1,
	};

	fn justification(bits: &[u8], validators: u32, signatures: &[[u8; 65]]) -> Vec<u8> {
		let signed = (bits.to_vec(), validators, signatures.to_vec()).encode();
		[&[1], &COMMITMENT.encode()[..], &signed].concat()
	}

	#[test]
	fn justification_has_a_place_for_each_validator() {
		// Ten validators; the second and the last signed. Bits come from the highest down.
		let raw = justification(&[0b0100_0000, 0b0100_0000], 10, &[[7; 65], [9; 65]]);
		let read = Justification::decode(&raw).unwrap();
		assert_eq!(read.commitment, COMMITMENT);
		assert_eq!(read.signatures.len(), 10);
		for (place, signature) in read.signatures.iter().enumerate() {
			let expected = match place {
				1 => Some([7; 65]),
				9 => Some([9; 65]),
				_ => None,
			};
			assert_eq!(*signature, expected, "{place}");
		}
	}

	#[test]
	fn justification_of_another_shape_is_none() {
		let good = justification(&[0b1100_0000], 2, &[[7; 65], [9; 65]]);
		assert!(Justification::decode(&good).is_some());
		let mut other_version = good.clone();
		other_version[0] = 2;
		let mut other_payload = good.clone();
		other_payload[2] ^= 1;
		for wrong in [
			other_version,
			other_payload,
			good[..good.len() - 1].to_vec(),
			[&good[..], &[0]].concat(),
			justification(&[0b1100_0000], 2, &[[7; 65]]),
			justification(&[0b1000_0000], 2, &[[7; 65], [9; 65]]),
			justification(&[], u32::MAX, &[]),
			vec![],
		] {
			assert_eq!(Justification::decode(&wrong), None);
		}
	}

	#[test]
	fn leaf_is_read_with_its_proof() {
		let leaf = MmrLeaf {
			version: 0,
			parent_number: 3,
			parent_hash: Hash([1; 32]),
			next_authority_set: AuthoritySet {
				id: 7,
				len: 4,
				keyset_commitment: Hash([2; 32]),
			},
			leaf_extra: Hash([3; 32]),
		};
		let leaves = vec![leaf.encode()].encode();
		let proof = |indices: Vec<u64>| (indices, 2u64, vec![Hash([4; 32])]).encode();
		let read = ProvenLeaf::decode(&leaves, &proof(vec![1])).unwrap();
		assert_eq!((read.leaf, read.proof.order), (leaf, 1));
		assert_eq!(ProvenLeaf::decode(&leaves, &proof(vec![0, 1])), None);
		assert_eq!(ProvenLeaf::decode(&leaves, &proof(vec![2])), None, "no such leaf");
		assert_eq!(
			ProvenLeaf::decode(&Vec::<Vec<u8>>::new().encode(), &proof(vec![1])),
			None
		);
		let longer = vec![[leaf.encode(), vec![0]].concat()].encode();
		assert_eq!(ProvenLeaf::decode(&longer, &proof(vec![1])), None);
	}

	#[test]
	fn new_validators_are_found_among_digest_items() {
		let set = ValidatorSet {
			validators: vec![[2; 33]],
			id: 5,
		};
		let message = |log: u8| (log, &set.validators, set.id).encode();
		let item = |kind: u8, engine: [u8; 4], message: Vec<u8>| (kind, engine, message).encode();
		assert_eq!(authorities_change(&item(4, BEEFY, message(1))), Some(set.clone()));
		assert_eq!(authorities_change(&item(6, BEEFY, message(1))), None);
		assert_eq!(authorities_change(&item(4, *b"FRNK", message(1))), None);
		assert_eq!(authorities_change(&item(4, BEEFY, message(3))), None);
		assert_eq!(authorities_change(&[]), None);
	}
}
