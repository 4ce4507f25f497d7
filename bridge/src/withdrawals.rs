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
	/// Those of them that are to be executed.
	waiting: BTreeMap<u64, Waiting>,
}

/// One that is to be executed.
struct Waiting {
	info: WithdrawalInfo,
	attempts: Attempts,
	/// The vault's newest block has it as paid, which is no reason to forget it before that block is final.
	is_seen_paid: bool,
}

/// What one is when it is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
	/// Paid for good: forget it.
	Over,
	/// Paid in a block that may go away: look again later.
	Paid,
	/// Not paid, or not any more.
	Due,
}

/// Judges one by what the vault says in its newest final block, and in its newest.
fn look(is_paid_for_good: bool, is_paid: bool) -> Look {
	match (is_paid_for_good, is_paid) {
		(true, _) => Look::Over,
		(false, true) => Look::Paid,
		(false, false) => Look::Due,
	}
}

/// What is done about a withdrawal whose execution failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
	/// Others go on, it waits.
	Hold,
	/// Again with the next look.
	Again,
	/// Never again.
	Never,
	/// It is paid; see [`Look::Paid`].
	Paid,
	/// It is not about this one.
	Everybodys,
}

fn failed(error: &RelayError) -> Failed {
	match error {
		RelayError::L2(error) if error.revert().is_some() => match error.revert().map(retry::judge) {
			Some(Verdict::Stale) => Failed::Again,
			Some(Verdict::Never) => Failed::Never,
			Some(Verdict::Paid) => Failed::Paid,
			_ => Failed::Hold,
		},
		// The chain's node has no proof of it, or lies; it costs more than the others of its kind; or it was paid for and failed, which
		// counts as an attempt. That is no reason to leave the others.
		RelayError::Proof(_) | RelayError::L2(L2Error::Deferred(Wait::Unprofitable { .. }) | L2Error::Reverted(_)) => {
			Failed::Hold
		},
		_ => Failed::Everybodys,
	}
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
		self.waiting.values().filter(|one| !one.is_seen_paid).count()
	}

	/// Learns of new withdrawals and executes what can be executed now, and pays. `newest` is what BEEFY signed last. How many
	/// were executed.
	pub async fn step(&mut self, relay: &Relay<'_>, newest: &Signed) -> Result<usize, RelayError> {
		self.learn(relay).await?;
		let now = Instant::now();
		self.look_again(relay, now).await?;
		let due = |(id, one): (&u64, &Waiting)| {
			let place = one.info.place.filter(|place| place.block <= newest.block)?;
			let is_due = one.attempts.due(now) && !one.is_seen_paid;
			is_due.then_some((*id, place, one.info.withdrawal.fee))
		};
		let due: Vec<_> = self.waiting.iter().filter_map(due).collect();
		let due = self.affordable(relay, due).await?;
		let wanted = due.iter().map(|(_, place, _)| place.block).max();
		relay.up_to(newest, wanted).await?;
		let mut executed = 0;
		for (id, place, fee) in due {
			let brings = (self.choice != Choice::All).then_some(fee);
			match execute(relay, id, place, brings).await {
				Ok(ours) => {
					executed += usize::from(ours);
					self.seen_paid(id, now);
				},
				Err(error) => match failed(&error) {
					Failed::Again => {},
					Failed::Paid => self.seen_paid(id, now),
					Failed::Hold => self.hold(id, now, &error),
					Failed::Never => {
						tracing::warn!(id, %error, "a withdrawal that this vault cannot pay");
						self.waiting.remove(&id);
					},
					Failed::Everybodys => return Err(error),
				},
			}
		}
		Ok(executed)
	}

	/// Looks again at those that were seen paid: they are forgotten when that is final, and executed when it is so no more.
	async fn look_again(&mut self, relay: &Relay<'_>, now: Instant) -> Result<(), RelayError> {
		let seen = |(id, one): (&u64, &Waiting)| (one.is_seen_paid && one.attempts.due(now)).then_some(*id);
		let seen: Vec<_> = self.waiting.iter().filter_map(seen).collect();
		for id in seen {
			match look(relay.l2.executed_for_good(id).await?, relay.l2.executed(id).await?) {
				Look::Over => drop(self.waiting.remove(&id)),
				Look::Paid => self.seen_paid(id, now),
				Look::Due => {
					tracing::warn!(id, "a withdrawal was paid in a block that is no more");
					if let Some(one) = self.waiting.get_mut(&id) {
						(one.is_seen_paid, one.attempts) = (false, Attempts::default());
					}
				},
			}
		}
		Ok(())
	}

	fn seen_paid(&mut self, id: u64, now: Instant) {
		if let Some(one) = self.waiting.get_mut(&id) {
			if !one.is_seen_paid {
				(one.is_seen_paid, one.attempts) = (true, Attempts::default());
			}
			one.attempts.held(now);
		}
	}

	fn hold(&mut self, id: u64, now: Instant, error: &dyn std::error::Error) {
		if let Some(one) = self.waiting.get_mut(&id) {
			let pause = one.attempts.held(now);
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
			.find(|(_, one)| one.info.place.is_none())
			.map(|(id, _)| *id);
		if let Some(first) = unplaced {
			for info in relay.chain.withdrawals(first, MAX_ANSWER, at).await? {
				if let Some(known) = self.waiting.get_mut(&info.withdrawal.id) {
					known.info = info;
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
				if self.choice.takes(withdrawal) && !relay.l2.executed_for_good(withdrawal.id).await? {
					let waiting = Waiting {
						info,
						attempts: Attempts::default(),
						is_seen_paid: false,
					};
					self.waiting.insert(waiting.info.withdrawal.id, waiting);
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
	use crate::abi::{Revert, Vault};
	use alloy::{primitives::B256, sol_types::SolError};

	#[test]
	fn withdrawal_is_forgotten_only_when_a_final_block_paid_it() {
		assert_eq!(look(false, true), Look::Paid, "its block may go away");
		assert_eq!(look(true, true), Look::Over);
		assert_eq!(look(true, false), Look::Over, "a node that lags");
		assert_eq!(look(false, false), Look::Due);
	}

	#[test]
	fn withdrawal_whose_transaction_reverted_waits_and_stops_no_others() {
		let failed = |error: L2Error| failed(&error.into());
		assert_eq!(failed(L2Error::Reverted(B256::ZERO)), Failed::Hold);
		let reverts = |raw: Vec<u8>| L2Error::Reverts {
			function: "withdraw",
			revert: Revert::decode(&raw.into()),
		};
		assert_eq!(
			failed(reverts(Vault::AlreadyExecuted { id: 3 }.abi_encode())),
			Failed::Paid
		);
		assert_eq!(failed(reverts(Vault::OtherL2 { l2: 1 }.abi_encode())), Failed::Never);
		assert_eq!(failed(reverts(Vault::WrongLeaf {}.abi_encode())), Failed::Again);
		assert_eq!(failed(reverts(vec![])), Failed::Hold);
		let node = L2Error::Node {
			doing: "asking",
			reason: "gone".into(),
		};
		assert_eq!(failed(node), Failed::Everybodys);
	}

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
