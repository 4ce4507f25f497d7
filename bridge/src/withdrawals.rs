//! Withdrawals to the vault: which of them wait, which pay, and their execution. When one is tried again is [`retry`]'s to say.

use crate::{
	abi::Vault,
	fees::Wait,
	l2::L2Error,
	proofs,
	relay::{Relay, RelayError, Signed},
	retry::{self, Attempts, Verdict},
};
use clustercast_chain::bridge::MAX_ANSWER;
use clustercast_primitives::{
	bridge::{Withdrawal, WithdrawalInfo, WithdrawalPlace},
	Balance, BlockNumber,
};
use std::{collections::BTreeMap, time::Instant};

/// What a commitment and a withdrawal take, gas and bytes of calldata: docs/l2.md, rounded up.
const COMMITMENT: (u64, usize) = (125_000, 2_100);
const WITHDRAWAL: (u64, usize) = (115_000, 1_700);

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
	/// Those of them that are to be executed, and the attempts at each.
	waiting: BTreeMap<u64, (WithdrawalInfo, Attempts)>,
}

/// Whether withdrawals with these fees pay for themselves, each at the cost of one, and for the commitment before them, if it takes
/// one. Where it costs more the dearest go first, as many as pay for it all; what is said is how many.
fn worthwhile(fees: &[Balance], commitment: Option<Balance>, each: Balance) -> usize {
	let (mut sum, mut count) = (0, 0);
	for (place, fee) in fees.iter().enumerate() {
		sum += fee;
		let costs = commitment.unwrap_or_default() + each * (place as Balance + 1);
		if sum >= costs && *fee >= each {
			count = place + 1;
		}
	}
	count
}

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

	/// Learns of new withdrawals and executes what can be executed now, and pays. `newest` is what BEEFY signed last. How many
	/// were executed.
	pub async fn step(&mut self, relay: &Relay<'_>, newest: &Signed) -> Result<usize, RelayError> {
		self.learn(relay).await?;
		let now = Instant::now();
		let due = |(id, (info, attempts)): (&u64, &(WithdrawalInfo, Attempts))| {
			let place = info.place.filter(|place| place.block <= newest.block)?;
			attempts.due(now).then_some((*id, place, info.withdrawal.fee))
		};
		let due: Vec<_> = self.waiting.iter().filter_map(due).collect();
		let due = self.affordable(relay, due).await?;
		let wanted = due.iter().map(|(_, place, _)| place.block).max();
		relay.up_to(newest, wanted).await?;
		let mut executed = 0;
		for (id, place, fee) in due {
			let brings = (self.choice != Choice::All).then_some(fee);
			let attempt = execute(relay, id, place, brings).await;
			match attempt {
				Ok(ours) => executed += usize::from(ours),
				Err(RelayError::L2(error)) if error.revert().is_some() => match error.revert().map(retry::judge) {
					Some(Verdict::Stale) => continue,
					Some(Verdict::Never) => tracing::warn!(id, %error, "a withdrawal that this vault cannot pay"),
					Some(Verdict::Paid) => {},
					_ => {
						self.hold(id, now, &error);
						continue;
					},
				},
				// The chain's node has no proof of it, or lies; or it costs more than the others of its kind. That is no reason to
				// leave the others.
				Err(error @ (RelayError::Proof(_) | RelayError::L2(L2Error::Deferred(Wait::Unprofitable { .. })))) => {
					self.hold(id, now, &error);
					continue;
				},
				Err(error) => return Err(error),
			}
			self.waiting.remove(&id);
		}
		Ok(executed)
	}

	fn hold(&mut self, id: u64, now: Instant, error: &dyn std::error::Error) {
		if let Some((_, attempts)) = self.waiting.get_mut(&id) {
			let pause = attempts.held(now);
			tracing::warn!(id, %error, ?pause, "a withdrawal is held up");
		}
	}

	/// Those that pay, together, for what executing them costs now; all where costs and fees are not compared.
	async fn affordable(
		&self,
		relay: &Relay<'_>,
		mut due: Vec<(u64, WithdrawalPlace, Balance)>,
	) -> Result<Vec<(u64, WithdrawalPlace, Balance)>, RelayError> {
		let rules = *relay.l2.rules();
		let (Some(ether_price), Choice::Fee(_), false) = (rules.ether_price, self.choice, due.is_empty()) else {
			return Ok(due);
		};
		let costs = async |(gas, calldata): (u64, usize)| relay.l2.quote(gas, calldata).await;
		let (commitment, each) = (costs(COMMITMENT).await?, costs(WITHDRAWAL).await?);
		let known = relay.l2.light_client_state().await?.block;
		let needed = due.iter().any(|(_, place, _)| place.block > known);
		due.sort_by_key(|(id, _, fee)| (std::cmp::Reverse(*fee), *id));
		let paid: Vec<_> = due.iter().map(|(_, _, fee)| *fee).collect();
		let commitment = needed.then(|| commitment.usdc(ether_price));
		let count = worthwhile(&paid, commitment, each.usdc(ether_price));
		if count < due.len() {
			tracing::debug!(waiting = due.len() - count, "withdrawals wait for gas to be cheaper");
		}
		due.truncate(count);
		Ok(due)
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
					self.waiting.insert(withdrawal.id, (info, Attempts::default()));
				}
			}
			self.next = last + 1;
		}
	}
}

/// Executes one withdrawal that the light client's newest root covers, unless it costs more than it `brings` (micro-USDC). False
/// where somebody else had done it.
pub async fn execute(
	relay: &Relay<'_>,
	id: u64,
	place: WithdrawalPlace,
	brings: Option<Balance>,
) -> Result<bool, RelayError> {
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
	let sent = relay
		.l2
		.execute_for(relay.signer, relay.l2.vault, &call, brings, |_| {})
		.await;
	match sent {
		Ok(receipt) => {
			tracing::info!(id, gas = receipt.gas_used, "executed a withdrawal");
			Ok(true)
		},
		// Between our look and our call.
		Err(error) if error.revert().map(retry::judge) == Some(Verdict::Paid) => Ok(false),
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
				return execute(relay, id, place, None).await.map(Some);
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn withdrawals_wait_until_they_pay_for_what_executing_them_costs() {
		// Dearest first; a commitment of 10 and 5 for each.
		let count = |fees: &[Balance], commitment| worthwhile(fees, commitment, 5);
		assert_eq!(count(&[20], Some(10)), 1);
		assert_eq!(count(&[14], Some(10)), 0);
		assert_eq!(count(&[14], None), 1, "the root is there already");
		assert_eq!(count(&[10, 10], Some(10)), 2, "together");
		assert_eq!(
			count(&[40, 6, 4, 0], Some(10)),
			2,
			"nobody pays for who pays too little"
		);
		assert_eq!(count(&[], Some(10)), 0);
	}
}
