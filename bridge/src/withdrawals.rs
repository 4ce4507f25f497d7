//! Withdrawals to the vault: which of them wait, which pay, and their execution.

use crate::{
	abi::Vault,
	l2::L2Error,
	proofs,
	relay::{Relay, RelayError, Signed},
};
use clustercast_chain::bridge::MAX_ANSWER;
use clustercast_primitives::{
	bridge::{Withdrawal, WithdrawalInfo, WithdrawalPlace},
	Balance, BlockNumber,
};
use std::collections::BTreeMap;

/// Which withdrawals are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
	/// Those that pay at least so much, micro-USDC.
	Fee(Balance),
	/// All.
	All,
}

impl Choice {
	/// Whether this one is.
	pub fn takes(&self, withdrawal: &Withdrawal) -> bool {
		match self {
			Self::Fee(least) => withdrawal.fee >= *least,
			Self::All => true,
		}
	}
}

/// Withdrawals that wait, in memory only.
pub struct Withdrawals {
	choice: Choice,
	/// All before this number were looked at.
	next: u64,
	/// Those of them that are to be executed, and how often the vault refused each.
	waiting: BTreeMap<u64, (WithdrawalInfo, u32)>,
}

/// Times that the vault may refuse a withdrawal before it is left to others. A root that was replaced in the meantime is
/// one; a recipient on USDC's blacklist is refused for ever.
const MAX_REFUSALS: u32 = 3;

impl Withdrawals {
	/// Begins with the oldest that the chain remembers.
	pub fn new(choice: Choice) -> Self {
		Self {
			choice,
			next: 0,
			waiting: BTreeMap::new(),
		}
	}

	/// How many wait.
	pub fn waiting(&self) -> usize {
		self.waiting.len()
	}

	/// Learns of new withdrawals and executes what can be executed now. `newest` is what BEEFY signed last. How many were
	/// executed.
	pub async fn step(&mut self, relay: &Relay<'_>, newest: &Signed) -> Result<usize, RelayError> {
		self.learn(relay).await?;
		let place = |(info, _): &(WithdrawalInfo, u32)| info.place.filter(|place| place.block <= newest.block);
		let due: Vec<_> = self
			.waiting
			.iter()
			.filter_map(|(id, known)| Some((*id, place(known)?)))
			.collect();
		let wanted = due.iter().map(|(_, place)| place.block).max();
		relay.up_to(newest, wanted).await?;
		let mut executed = 0;
		for (id, place) in due {
			match execute(relay, id, place).await {
				Ok(ours) => executed += usize::from(ours),
				Err(RelayError::L2(error)) if error.revert().is_some() => {
					let refusals = self.waiting.get_mut(&id).map_or(MAX_REFUSALS, |(_, refusals)| {
						*refusals += 1;
						*refusals
					});
					if refusals < MAX_REFUSALS {
						continue;
					}
					tracing::warn!(id, %error, "left to others");
				},
				Err(error) => return Err(error),
			}
			self.waiting.remove(&id);
		}
		Ok(executed)
	}

	/// Looks at withdrawals that are new, and again at those that had no place yet. As of the last final block: before
	/// that, a withdrawal may still get another number or place.
	async fn learn(&mut self, relay: &Relay<'_>) -> Result<(), RelayError> {
		let at = Some(relay.chain.finalised_hash().await?);
		let unplaced = self
			.waiting
			.iter()
			.find(|(_, (info, _))| info.place.is_none())
			.map(|(id, _)| *id);
		if let Some(first) = unplaced {
			for info in relay.chain.withdrawals(first, MAX_ANSWER, at).await? {
				if let Some((known, _)) = self.waiting.get_mut(&info.withdrawal.id) {
					*known = info;
				}
			}
		}
		loop {
			let page = relay.chain.withdrawals(self.next, MAX_ANSWER, at).await?;
			let Some(last) = page.last().map(|info| info.withdrawal.id) else {
				return Ok(());
			};
			for info in page {
				let withdrawal = &info.withdrawal;
				if self.choice.takes(withdrawal) && !relay.l2.executed(withdrawal.id).await? {
					self.waiting.insert(withdrawal.id, (info, 0));
				}
			}
			self.next = last + 1;
		}
	}
}

/// Executes one withdrawal that the light client's newest root covers. False where somebody else had done it.
pub async fn execute(relay: &Relay<'_>, id: u64, place: WithdrawalPlace) -> Result<bool, RelayError> {
	if relay.l2.executed(id).await? {
		return Ok(false);
	}
	let state = relay.l2.light_client_state().await?;
	let first = id.saturating_sub(place.index.into());
	let released = relay.chain.withdrawals(first, place.width, None).await?;
	let released: Vec<Withdrawal> = released.into_iter().map(|info| info.withdrawal).collect();
	let proven = relay.chain.mmr_leaf(place.block, state.block).await?;
	let (withdrawal, proof) = proofs::withdrawal(&released, &place, &proven, &state.root, state.slot)?;
	let call = Vault::withdrawCall { withdrawal, proof };
	match relay.l2.execute(relay.signer, relay.l2.vault, &call).await {
		Ok(receipt) => {
			tracing::info!(id, gas = receipt.gas_used, "executed a withdrawal");
			Ok(true)
		},
		// Between our look and our call.
		Err(L2Error::Reverts { reason, .. }) if reason.starts_with("AlreadyExecuted") => Ok(false),
		Err(error) => Err(error.into()),
	}
}

/// Executes one withdrawal, whatever it pays, with the commitments that it needs; waits for each of them. `None` where
/// the chain knows of no such withdrawal.
pub async fn claim(relay: &Relay<'_>, id: u64) -> Result<Option<bool>, RelayError> {
	let mut heads = relay.chain.heads();
	loop {
		let at = relay.chain.finalised_hash().await?;
		let page = relay.chain.withdrawals(id, 1, Some(at)).await?;
		let Some(info) = page.first().filter(|info| info.withdrawal.id == id) else {
			return Ok(None);
		};
		if let Some(place) = info.place {
			if covered(relay, place.block).await? {
				return execute(relay, id, place).await.map(Some);
			}
		}
		// Ends only with the connection, which lives as long as the relay.
		if heads.changed().await.is_err() {
			return Ok(None);
		}
	}
}

/// Whether the light client has a root over this block, once what is there to be relayed is.
async fn covered(relay: &Relay<'_>, block: BlockNumber) -> Result<bool, RelayError> {
	match relay.newest().await {
		Ok(newest) => Ok(relay.up_to(&newest, Some(block)).await?.block >= block),
		Err(RelayError::NotSigned(_)) => Ok(false),
		Err(error) => Err(error),
	}
}
