//! BEEFY's signatures to the light client: every hand-over from one set of validators to the next, and, when something
//! waits for it, the newest commitment.
//!
//! A hand-over to set `n` is a commitment by set `n` with a leaf that names set `n + 1`. The first block of each set's
//! time is one that BEEFY must sign, and whose signatures every node keeps; it is found by bisection over the sets that
//! leaves name, so that an agent that was away for long catches up from any node.

use crate::{
	abi::{self, LightClient},
	l2::{L2Error, LightClientState, L2},
	proofs::{self, ProofError},
	retry::Trouble,
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use clustercast_chain::{
	bridge::{Justification, ProvenLeaf},
	Chain, ChainError,
};
use clustercast_primitives::{BlockNumber, Hash};

/// Blocks after the first of a set's time in which its signatures are looked for. BEEFY signs at least each eighth while
/// finality keeps up.
const SEARCH: BlockNumber = 64;

/// Why nothing was relayed. All of it is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
	/// The chain.
	#[error("chain: {0}")]
	Chain(#[from] ChainError),
	/// The L2.
	#[error(transparent)]
	L2(#[from] L2Error),
	/// What the node says does not fit together.
	#[error("the chain's node contradicts itself or the light client: {0}")]
	Proof(#[from] ProofError),
	/// BEEFY is behind.
	#[error("no BEEFY signatures on a block of set {0} yet")]
	NotSigned(u64),
}

impl RelayError {
	/// Of which kind it is for who tries again.
	pub fn trouble(&self) -> Trouble {
		match self {
			Self::L2(error) => error.trouble(),
			_ => Trouble::Other,
		}
	}
}

/// The newest block that BEEFY signed.
pub struct Signed {
	/// Its number.
	pub block: BlockNumber,
	hash: Hash,
	justification: Justification,
}

/// Carries commitments.
pub struct Relay<'a> {
	/// From here.
	pub chain: &'a Chain,
	/// To here.
	pub l2: &'a L2,
	/// Pays for gas.
	pub signer: &'a PrivateKeySigner,
}

impl Relay<'_> {
	/// The newest block that BEEFY signed, as far as the node knows.
	pub async fn newest(&self) -> Result<Signed, RelayError> {
		let hash = self.chain.beefy_head().await?;
		let justification = self.chain.justification(hash).await?;
		let justification = justification.ok_or(RelayError::NotSigned(0))?;
		Ok(Signed {
			block: justification.commitment.block,
			hash,
			justification,
		})
	}

	/// Relays all hand-overs that the light client lacks, and then, if `wanted` is a block that it has no root of, the
	/// newest commitment. The light client's state after that.
	pub async fn up_to(&self, newest: &Signed, wanted: Option<BlockNumber>) -> Result<LightClientState, RelayError> {
		let mut state = self.l2.light_client_state().await?;
		while state.set < newest.justification.commitment.set {
			self.hand_over(&state, newest).await?;
			state = self.l2.light_client_state().await?;
		}
		if wanted.is_some_and(|block| state.block < block && block <= newest.block) {
			self.submit(newest).await?;
			state = self.l2.light_client_state().await?;
		}
		Ok(state)
	}

	/// A commitment of the current set.
	async fn submit(&self, newest: &Signed) -> Result<(), RelayError> {
		let expected = self
			.l2
			.view(self.l2.light_client, &LightClient::currentSetCall {})
			.await?;
		let validators = self.validators(&expected, newest.hash, newest.block).await?;
		let (commitment, signed) = proofs::signed(&newest.justification, validators, &expected)?;
		let call = LightClient::submitCall { commitment, signed };
		let receipt = self.l2.execute(self.signer, self.l2.light_client, &call).await?;
		tracing::info!(block = newest.block, gas = receipt.gas_used, "relayed a commitment");
		Ok(())
	}

	/// A commitment of the next set, with the leaf that names the one after.
	async fn hand_over(&self, state: &LightClientState, newest: &Signed) -> Result<(), RelayError> {
		let expected = self.l2.view(self.l2.light_client, &LightClient::nextSetCall {}).await?;
		let first = self.first_naming(expected.id + 1, state.block, newest.block).await?;
		let (justification, hash) = self
			.signed_after(expected.id, first.max(state.block + 1), newest)
			.await?;
		let block = justification.commitment.block;
		let validators = self.validators(&expected, hash, first).await?;
		let (commitment, signed) = proofs::signed(&justification, validators, &expected)?;
		let proven = self.chain.mmr_leaf(first, block).await?;
		let (leaf, proof) = proofs::successor(&proven, &commitment.mmrRoot, expected.id)?;
		let call = LightClient::handOverCall {
			commitment,
			signed,
			leaf,
			proof,
		};
		let receipt = self.l2.execute(self.signer, self.l2.light_client, &call).await?;
		tracing::info!(set = expected.id, block, gas = receipt.gas_used, "relayed a hand-over");
		Ok(())
	}

	/// The first block, up to `last`, whose leaf names set `set` as the next one. `after` has a leaf that does not, or is
	/// no block's number.
	async fn first_naming(&self, set: u64, after: BlockNumber, last: BlockNumber) -> Result<BlockNumber, RelayError> {
		if self.leaf(last, last).await?.leaf.next_authority_set.id < set {
			return Err(RelayError::NotSigned(set - 1));
		}
		let names = async |block| Ok(self.leaf(block, last).await?.leaf.next_authority_set.id >= set);
		first(after, last, names).await
	}

	async fn leaf(&self, block: BlockNumber, best: BlockNumber) -> Result<ProvenLeaf, RelayError> {
		Ok(self.chain.mmr_leaf(block, best).await?)
	}

	/// The first commitment of a set in a block from `first` on.
	async fn signed_after(
		&self,
		set: u64,
		first: BlockNumber,
		newest: &Signed,
	) -> Result<(Justification, Hash), RelayError> {
		for block in first..=newest.block.min(first.saturating_add(SEARCH)) {
			let hash = self.chain.block_hash(block).await?;
			let justification = self.chain.justification(hash).await?;
			if let Some(found) = justification.filter(|j| j.commitment.set == set) {
				return Ok((found, hash));
			}
		}
		// Those of blocks in between may be lost; the newest are not.
		match newest.justification.commitment.set == set {
			true => Ok((newest.justification.clone(), newest.hash)),
			false => Err(RelayError::NotSigned(set)),
		}
	}

	/// Members of a set. From state as of `signed`, a block of its time, where the node has it; else from the header of
	/// the block with which their time began, `first` or the one before.
	async fn validators(
		&self,
		expected: &abi::Validators,
		signed: Hash,
		first: BlockNumber,
	) -> Result<Vec<Address>, RelayError> {
		let set = match self.chain.validator_set(signed).await {
			Ok(set) => set.filter(|set| set.id == expected.id),
			// State that old is pruned.
			Err(ChainError::Refused { .. }) => None,
			Err(error) => return Err(error.into()),
		};
		if let Some(set) = set {
			return Ok(proofs::addresses(&set)?);
		}
		for block in [first, first.saturating_sub(1)] {
			let header = self.chain.block_hash(block).await?;
			let set = self.chain.new_validators(header).await?;
			if let Some(set) = set.filter(|set| set.id == expected.id) {
				return Ok(proofs::addresses(&set)?);
			}
		}
		Err(ProofError::Validators(expected.id).into())
	}
}

/// The first number up to `high` for which `holds`, where it holds for `high` and all from the first on, and not for `low`.
async fn first<E>(
	mut low: BlockNumber,
	mut high: BlockNumber,
	holds: impl AsyncFn(BlockNumber) -> Result<bool, E>,
) -> Result<BlockNumber, E> {
	while high.saturating_sub(low) > 1 {
		let middle = low + (high - low) / 2;
		match holds(middle).await? {
			true => high = middle,
			false => low = middle,
		}
	}
	Ok(high)
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{cell::Cell, convert::Infallible};

	#[tokio::test]
	async fn first_block_is_found_with_few_questions() {
		for (low, high) in [(0u32, 1u32), (0, 2), (7, 40), (0, 1_000_000)] {
			for wanted in [low + 1, low + (high - low).div_ceil(2), high] {
				let asked = Cell::new(0);
				let holds = async |block| {
					asked.set(asked.get() + 1);
					Ok::<_, Infallible>(block >= wanted)
				};
				assert_eq!(first(low, high, holds).await, Ok(wanted), "from {low} to {high}");
				assert!(asked.get() <= 20, "{} questions", asked.get());
			}
		}
		let refused = first(0, 8, async |block| Err::<bool, _>(block)).await;
		assert_eq!(refused, Err(4));
	}
}
