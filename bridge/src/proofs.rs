//! What the contracts are shown, built from what a node of the chain answers, and checked here by the contracts' own
//! rules before anybody pays for gas.

use crate::abi::{self, Leaf, LeafProof, Outgoing, OutgoingProof, Signatures};
use alloy::{
	primitives::{Address, Signature, B256, U256},
	signers::k256::ecdsa::VerifyingKey,
};
use clustercast_chain::bridge::{Justification, ProvenLeaf, ValidatorSet};
use clustercast_primitives::{
	bridge::{
		beefy::{keyset_commitment, Commitment, MmrLeaf},
		deposit::{self, DepositTree},
		threshold, Attestation, Deposit, ProvenDeposit, Withdrawal, WithdrawalPlace, WithdrawalProof,
	},
	EthereumAddress, Hash,
};

/// Most validators in a set: `Beefy.MAX_VALIDATORS`.
const MAX_VALIDATORS: usize = 256;

/// What does not fit together. None of it costs anybody anything but the time to ask again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
	/// A validator's key is no point of the curve.
	#[error("validator {0} has no valid key")]
	Key(usize),
	/// The node's validators are not those that the light client knows.
	#[error("the validators of set {0} are others than the light client expects")]
	Validators(u64),
	/// Signed by a set that the light client does not take now.
	#[error("signed by set {found}, the light client expects set {expected}")]
	Set {
		/// As the light client says.
		expected: u64,
		/// As the commitment says.
		found: u64,
	},
	/// Fewer valid signatures than the contract needs.
	#[error("{valid} valid signatures of set {set}, {needed} are needed")]
	Signatures {
		/// The set.
		set: u64,
		/// Ours to use.
		valid: usize,
		/// The contract's threshold.
		needed: usize,
	},
	/// The leaf does not lead to the root.
	#[error("the MMR proof for block {0} does not lead to the signed root")]
	Leaf(u32),
	/// A hand-over needs the leaf that names the set after.
	#[error("the leaf names set {found}, a hand-over needs set {expected}")]
	NextSet {
		/// The one after the set that signs.
		expected: u64,
		/// In the leaf.
		found: u64,
	},
	/// The others of its block are not all there.
	#[error("block {block} released {width} withdrawals, the node names {found} of them")]
	Siblings {
		/// Of the chain.
		block: u32,
		/// In its tree.
		width: u32,
		/// That the node named.
		found: usize,
	},
	/// The withdrawal does not lead to the leaf's root.
	#[error("withdrawal {0} is not under the root of its block's leaf")]
	Withdrawal(u64),
	/// Logs of the vault and the validators' attestation do not agree.
	#[error("the vault's first {count} deposits have another root than was attested")]
	Deposits {
		/// As attested.
		count: u64,
	},
	/// The L2's node did not name every deposit.
	#[error("{attested} deposits are attested, the L2's node names {found}")]
	MissingDeposits {
		/// As attested.
		attested: u64,
		/// In its logs.
		found: u64,
	},
}

fn word(hash: &Hash) -> B256 {
	B256::from(hash.0)
}

/// What validators sign with, as the contracts know them.
pub fn addresses(set: &ValidatorSet) -> Result<Vec<Address>, ProofError> {
	let address = |(place, key): (usize, &[u8; 33])| {
		let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| ProofError::Key(place))?;
		Ok(Address::from_public_key(&key))
	};
	set.validators.iter().enumerate().map(address).collect()
}

/// A set of validators by its members, as the contracts hold it.
pub fn commitment_of(set: u64, validators: &[Address]) -> abi::Validators {
	let members: Vec<_> = validators.iter().map(|a| EthereumAddress(a.0 .0)).collect();
	abi::Validators {
		id: set,
		length: members.len() as u32,
		commitment: word(&keyset_commitment(&members)),
	}
}

fn committed(commitment: &Commitment) -> abi::Commitment {
	abi::Commitment {
		mmrRoot: word(&commitment.mmr_root),
		blockNumber: commitment.block,
		setId: commitment.set,
	}
}

/// A commitment with as many signatures as `expected`, the light client's set, needs, all of them valid.
pub fn signed(
	justification: &Justification,
	validators: Vec<Address>,
	expected: &abi::Validators,
) -> Result<(abi::Commitment, Signatures), ProofError> {
	let Justification { commitment, signatures } = justification;
	if commitment.set != expected.id {
		return Err(ProofError::Set {
			expected: expected.id,
			found: commitment.set,
		});
	}
	if commitment_of(expected.id, &validators) != *expected || validators.len() > MAX_VALIDATORS {
		return Err(ProofError::Validators(expected.id));
	}
	let digest = word(&commitment.digest());
	let valid = |(signature, validator): (&Option<[u8; 65]>, &Address)| {
		let signature = Signature::from_raw_array(signature.as_ref()?).ok()?;
		// The contract takes but the lower of the two signatures that a key makes with one nonce. BEEFY takes both, and
		// each can be made of the other.
		let signature = signature.normalize_s().unwrap_or(signature);
		let by = signature.recover_address_from_prehash(&digest).ok()?;
		(by == *validator).then_some(signature)
	};
	let needed = threshold(validators.len() as u32) as usize;
	let (mut signers, mut compact) = (U256::ZERO, Vec::with_capacity(needed));
	for (place, signature) in signatures.iter().zip(&validators).map(valid).enumerate() {
		if let Some(signature) = signature.filter(|_| compact.len() < needed) {
			signers.set_bit(place, true);
			compact.push(abi::CompactSignature {
				r: B256::from(signature.r()),
				vs: B256::from(signature.s() | U256::from(u8::from(signature.v())) << 255),
			});
		}
	}
	if compact.len() < needed {
		return Err(ProofError::Signatures {
			set: expected.id,
			valid: compact.len(),
			needed,
		});
	}
	let signed = Signatures {
		signers,
		signatures: compact,
		validators,
	};
	Ok((committed(commitment), signed))
}

/// A leaf of the MMR as the contracts take it, if it leads to `root`.
pub fn leaf(proven: &ProvenLeaf, root: &B256) -> Result<(Leaf, LeafProof), ProofError> {
	let ProvenLeaf { leaf, proof } = proven;
	if word(&proof.root(&leaf.hash())) != *root {
		return Err(ProofError::Leaf(leaf.parent_number.saturating_add(1)));
	}
	let MmrLeaf {
		version,
		parent_number,
		parent_hash,
		next_authority_set,
		leaf_extra,
	} = leaf;
	let words = Leaf {
		version: *version,
		parentNumber: *parent_number,
		parentHash: word(parent_hash),
		nextSetId: next_authority_set.id,
		nextSetLength: next_authority_set.len,
		nextSetCommitment: word(&next_authority_set.keyset_commitment),
		extra: word(leaf_extra),
	};
	let way = LeafProof {
		siblings: proof.items.iter().map(word).collect(),
		order: U256::from(proof.order),
	};
	Ok((words, way))
}

/// The leaf that goes with a commitment of set `set` so that the light client hands over to it.
pub fn successor(proven: &ProvenLeaf, root: &B256, set: u64) -> Result<(Leaf, LeafProof), ProofError> {
	let (found, expected) = (proven.leaf.next_authority_set.id, set + 1);
	if found != expected {
		return Err(ProofError::NextSet { expected, found });
	}
	leaf(proven, root)
}

/// A withdrawal and its proof as the vault takes them. `released` are all withdrawals of its block, in order; `proven` is
/// that block's leaf; `root` is the light client's in `slot`.
pub fn withdrawal(
	released: &[Withdrawal],
	place: &WithdrawalPlace,
	proven: &ProvenLeaf,
	root: &B256,
	slot: u8,
) -> Result<(Outgoing, abi::WithdrawalProof), ProofError> {
	let missing = ProofError::Siblings {
		block: place.block,
		width: place.width,
		found: released.len(),
	};
	if released.len() != place.width as usize {
		return Err(missing);
	}
	let leaves: Vec<Hash> = released.iter().map(Withdrawal::leaf).collect();
	let Some((withdrawal, proof)) = released
		.get(place.index as usize)
		.zip(WithdrawalProof::new(&leaves, place.index))
	else {
		return Err(missing);
	};
	if !proof.verify(&proven.leaf.leaf_extra, &withdrawal.leaf()) {
		return Err(ProofError::Withdrawal(withdrawal.id));
	}
	let (leaf, mmr) = leaf(proven, root)?;
	let outgoing = Outgoing {
		l2: withdrawal.l2,
		kind: withdrawal.kind,
		id: withdrawal.id,
		to: Address::from(withdrawal.to.0),
		amount: withdrawal.amount,
		fee: withdrawal.fee,
	};
	let proof = abi::WithdrawalProof {
		outgoing: OutgoingProof {
			index: proof.index,
			width: proof.width,
			siblings: proof.path.iter().map(word).collect(),
		},
		leaf,
		mmr,
		slot,
	};
	Ok((outgoing, proof))
}

/// Deposits from number `from` on, at most `limit`, proven under the attested root. `deposits` are all of the vault's from
/// the first one; those after the attestation do not matter.
pub fn deposits(
	deposits: &[Deposit],
	attested: &Attestation,
	from: u64,
	limit: usize,
) -> Result<Vec<ProvenDeposit>, ProofError> {
	let missing = ProofError::MissingDeposits {
		attested: attested.count,
		found: deposits.len() as u64,
	};
	let count = usize::try_from(attested.count).map_err(|_| missing.clone())?;
	let known = deposits.get(..count).ok_or(missing)?;
	let mut tree = DepositTree::default();
	tree.extend(known.iter().map(Deposit::leaf));
	let in_order = (0..).zip(known).all(|(number, deposit)| deposit.number == number);
	if !in_order || tree.root() != attested.root {
		return Err(ProofError::Deposits { count: attested.count });
	}
	Ok(deposit::prove(known, from, limit))
}

#[cfg(test)]
#[path = "proofs_tests.rs"]
mod tests;
