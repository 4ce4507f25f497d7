//! Deposits to the chain: reads what the vault recorded, proves the next ones under the attested root, submits them; and
//! has those sent back that the chain could not credit.

mod history;

use crate::{
	l2::{L2Error, L2},
	proofs::{self, ProofError},
	retry::Trouble,
};
use clustercast_chain::{
	bridge::{self, MAX_ANSWER},
	Chain, ChainError,
};
use history::History;

/// Deposits in one `import_deposits`: what the chain takes.
pub const BATCH: usize = 32;

/// Blocks that a submitted batch has until it is submitted again.
const PATIENCE: u32 = 5;

/// Why nothing was imported. All of it is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
	/// The chain.
	#[error("chain: {0}")]
	Chain(#[from] ChainError),
	/// The L2.
	#[error(transparent)]
	L2(#[from] L2Error),
	/// Not what was attested. The L2's node lies or lags behind.
	#[error(transparent)]
	Proof(#[from] ProofError),
	/// The L2's node has not come as far as validators have: what it does not know yet is not what it denies.
	#[error("the L2's node is at block {head}, block {attested} is attested")]
	Behind {
		/// Of the node.
		head: u64,
		/// By validators.
		attested: u64,
	},
}

impl ImportError {
	/// Of which kind it is for who tries again.
	pub fn trouble(&self) -> Trouble {
		match self {
			Self::L2(error) => error.trouble(),
			_ => Trouble::Other,
		}
	}
}

/// What is known of the vault's deposits, in memory only. Everything in it was checked against an attested root or will
/// be, before it is used.
#[derive(Default)]
pub struct Imports {
	history: History,
	/// The batch that waits to be in a block: its first deposit, and the block until which it waits.
	waiting: Option<(u64, u32)>,
}

impl Imports {
	/// Has stranded deposits sent back, and submits the next batch if there is one that is attested and not on its way. How
	/// many deposits that were.
	pub async fn step(&mut self, chain: &Chain, l2: &L2) -> Result<usize, ImportError> {
		let bridge = chain.bridge(None).await?;
		if bridge.stranded > 0 {
			refund(chain).await?;
		}
		let Some(attested) = bridge.attested.filter(|attested| attested.count > bridge.next_deposit) else {
			return Ok(0);
		};
		let now = chain.head().best;
		if self
			.waiting
			.is_some_and(|(first, until)| first == bridge.next_deposit && now < until)
		{
			return Ok(0);
		}
		self.read_up_to(l2, bridge.first, attested.l2_block).await?;
		let batch = match proofs::deposits(self.history.deposits(), &attested, bridge.next_deposit, BATCH) {
			Ok(batch) => batch,
			Err(error) => {
				// What was read may be of a history that is none any more.
				self.history.rewind();
				return Err(error.into());
			},
		};
		self.history.verified(attested.count, attested.l2_block);
		let again = self.waiting.is_some_and(|(first, _)| first == bridge.next_deposit);
		let submitted = chain.submit_unsigned(&bridge::import_deposits(&batch)).await;
		match submitted {
			Ok(transaction) => {
				tracing::info!(%transaction, first = bridge.next_deposit, count = batch.len(), "importing deposits")
			},
			// Another agent was faster, or this one before a crash: the same bytes are in the pool, or in a block.
			Err(ChainError::Refused { message, .. }) if again => {
				tracing::warn!(
					message,
					first = bridge.next_deposit,
					"the pool does not take the batch, and no block has it"
				);
			},
			Err(ChainError::Refused { message, .. }) => tracing::debug!(message, "the pool does not take the batch"),
			Err(error) => return Err(error.into()),
		}
		self.waiting = Some((bridge.next_deposit, now.saturating_add(PATIENCE)));
		Ok(batch.len())
	}

	/// Reads blocks up to this one, and keeps each page that was answered; there is no vault before block `first`.
	async fn read_up_to(&mut self, l2: &L2, first: u64, block: u64) -> Result<(), ImportError> {
		if self.history.page(first, block).is_none() {
			return Ok(());
		}
		let head = l2.block_number().await?;
		if head < block {
			return Err(ImportError::Behind { head, attested: block });
		}
		while let Some((from, last)) = self.history.page(first, block) {
			match l2.deposits_in(from, last).await {
				Ok(found) => self.history.read(from, last, found),
				Err(error) if error.is_refusal() && self.history.refused(from, last) => {},
				Err(error) => return Err(error.into()),
			}
		}
		Ok(())
	}
}

/// Submits refunds of as many deposits as the chain names at a time, each until it is no more among them.
async fn refund(chain: &Chain) -> Result<(), ImportError> {
	for deposit in chain.stranded(0, MAX_ANSWER, None).await? {
		let number = deposit.number;
		match chain.submit_unsigned(&bridge::refund(number)).await {
			Ok(transaction) => tracing::info!(%transaction, number, to = %deposit.refund_to, "sending a deposit back"),
			// In the pool already, or there is no room in line.
			Err(ChainError::Refused { message, .. }) => tracing::debug!(message, number, "the pool takes no refund"),
			Err(error) => return Err(error.into()),
		}
	}
	Ok(())
}
