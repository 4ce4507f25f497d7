//! Turns vouchers into money. Many viewers' newest vouchers go in one call; what the finalised chain has paid at a place
//! is asked for, not inferred, so whoever handed a voucher in and however often, it is credited once.
//!
//! ```text
//! owing --(amount, age or expiry says so)--> posted --(finalised chain: paid up to its amount)--> settled
//!   ^                                          |                                                   |
//!   +------ refused, may change; not included -+                   newer voucher <-----------------+
//! ```
//!
//! A voucher is worth a fee of its own only when it owes enough, so the thresholds count for each alone. When one has
//! passed, all that are half-way there go along: the call is shared, and they need none of their own soon.

use super::{chain_error, pause, Error, EXPIRY_MARGIN, MAX_BATCH, REPOST_MS, RETRY_MS};
use crate::store::{
	self,
	vouchers::{Kept, Owing, Posted},
	Store, VoucherOutcome,
};
use clustercast_primitives::{
	chain::{TicketRefusal, TicketVerdict, VoucherPlace, VoucherTotals},
	Balance, BlockNumber, Hash, SignedVoucher, Voucher,
};
use std::{fmt, future::Future, sync::Arc, time::Duration};

/// The chain as the collector needs it.
pub trait Chain: Send + Sync + 'static {
	/// Why it cannot answer.
	type Error: fmt::Display + Send;

	/// Number and hash of the last finalised block.
	fn finalised(&self) -> impl Future<Output = Result<(BlockNumber, Hash), Self::Error>> + Send;

	/// What has been paid at these places, in this order, at this block.
	fn paid(
		&self,
		places: &[VoucherPlace],
		at: Hash,
	) -> impl Future<Output = Result<Vec<VoucherTotals>, Self::Error>> + Send;

	/// What the chain would do with these vouchers, in this order, at this block.
	fn check(
		&self,
		vouchers: &[SignedVoucher],
		at: Hash,
	) -> impl Future<Output = Result<Vec<TicketVerdict>, Self::Error>> + Send;

	/// Posts one batch. Hash of the extrinsic, or `None` when the node saw nothing in it that would be paid and posted
	/// nothing. After an error it may or may not be on its way.
	fn submit(&self, vouchers: &[SignedVoucher]) -> impl Future<Output = Result<Option<Hash>, Self::Error>> + Send;
}

/// When a voucher is worth a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
	/// It owes this much, micro-USDC.
	pub value: Balance,
	/// It has owed for this long.
	pub age: Duration,
	/// Least that the chain pays at a time, micro-USDC: below this it waits, whatever else.
	pub least: Balance,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
	/// Vouchers posted.
	pub posted: usize,
	/// What the finalised chain decided, with the newest voucher of the place.
	pub settled: Vec<(Voucher, VoucherOutcome)>,
	/// Places left that the chain would pay something.
	pub pending: usize,
	/// What all places left owe, micro-USDC.
	pub pending_value: Balance,
}

/// See the module.
pub struct Collector<C> {
	store: Arc<Store>,
	chain: C,
	thresholds: Thresholds,
}

impl<C: Chain> Collector<C> {
	/// One per store.
	pub fn new(store: Arc<Store>, chain: C, thresholds: Thresholds) -> Self {
		Self {
			store,
			chain,
			thresholds,
		}
	}

	/// Looks at all that owe something: settles what the finalised chain has decided and posts at most one batch.
	/// `now_ms` is Unix time. With `all`, value and age do not count: whatever can be paid is posted.
	pub async fn step(&self, now_ms: u64, all: bool) -> Result<Step, Error> {
		let owing = self.blocking(Store::owing).await?;
		if owing.is_empty() {
			return Ok(Step::default());
		}
		let (number, hash) = self.chain.finalised().await.map_err(chain_error)?;
		let triggered = all || owing.iter().any(|place| self.is_due(place, 1, number, now_ms));
		let (due, rest): (Vec<_>, Vec<_>) = owing.into_iter().partition(|place| {
			let (kept, owing) = place;
			owing.posted.is_some()
				|| kept.newest.message.expiry < number
				|| (triggered && (all || self.is_due(place, 2, number, now_ms)) && self.is_payable(place, now_ms))
		});
		let mut step = Step::default();
		rest.iter().for_each(|(kept, _)| self.count(&mut step, kept));
		let mut batch = Vec::new();
		for page in due.chunks(MAX_BATCH) {
			let left = self.settle(page, number, hash, now_ms, &mut step).await?;
			self.judge(left, hash, now_ms, number, &mut batch, &mut step).await?;
		}
		if !batch.is_empty() {
			step.posted = self.post(batch, now_ms).await?;
		}
		Ok(step)
	}

	/// Whether it has come `1 / part` of the way to a threshold, or is about to expire.
	fn is_due(&self, (kept, owing): &(Kept, Owing), part: u32, finalised: BlockNumber, now_ms: u64) -> bool {
		let waits = kept.owed() >= self.thresholds.least && owing.posted.is_none() && owing.retry_ms <= now_ms;
		let age = u64::try_from(self.thresholds.age.as_millis()).unwrap_or(u64::MAX);
		waits
			&& (kept.owed().saturating_mul(part.into()) >= self.thresholds.value
				|| now_ms.saturating_sub(owing.since_ms).saturating_mul(part.into()) >= age
				|| kept.newest.message.expiry <= finalised.saturating_add(EXPIRY_MARGIN))
	}

	/// Whether the chain could pay it now, for all we know.
	fn is_payable(&self, (kept, owing): &(Kept, Owing), now_ms: u64) -> bool {
		kept.owed() >= self.thresholds.least && owing.retry_ms <= now_ms
	}

	fn count(&self, step: &mut Step, kept: &Kept) {
		step.pending += usize::from(kept.owed() >= self.thresholds.least);
		step.pending_value += kept.owed();
	}

	/// Credits what the finalised chain has paid and gives up what has expired. What still owes something.
	async fn settle(
		&self,
		page: &[(Kept, Owing)],
		number: BlockNumber,
		hash: Hash,
		now_ms: u64,
		step: &mut Step,
	) -> Result<Vec<(Kept, Owing)>, Error> {
		let places: Vec<VoucherPlace> = page.iter().map(|(kept, _)| kept.newest.message.place()).collect();
		let paid = self.chain.paid(&places, hash).await.map_err(chain_error)?;
		same_length(paid.len(), places.len())?;
		let (mut outcomes, mut left) = (Vec::new(), Vec::new());
		for ((place, (kept, owing)), paid) in places.into_iter().zip(page).zip(paid) {
			let voucher = &kept.newest.message;
			let mut decided = Vec::new();
			if paid.amount > kept.paid {
				decided.push(VoucherOutcome::Paid(paid.amount));
			}
			let unpaid = voucher.amount > kept.settled.max(paid.amount);
			if unpaid && voucher.expiry < number {
				decided.push(VoucherOutcome::Lost(voucher.amount, TicketRefusal::Expired));
			}
			match decided.is_empty() {
				true => left.push((kept.clone(), owing.clone())),
				// A place that was settled in part is looked at again with the next step.
				false if unpaid && voucher.expiry >= number => {
					let level = kept.settled.max(paid.amount);
					self.count(
						step,
						&Kept {
							settled: level,
							..kept.clone()
						},
					);
				},
				false => {},
			}
			step.settled
				.extend(decided.iter().map(|outcome| (voucher.clone(), *outcome)));
			outcomes.extend(decided.into_iter().map(|outcome| (place, outcome)));
		}
		if !outcomes.is_empty() {
			self.blocking(move |store| store.settle_vouchers(&outcomes, number, now_ms))
				.await?;
		}
		Ok(left)
	}

	/// Asks the chain about those that are to be posted, and acts on what it says.
	async fn judge(
		&self,
		left: Vec<(Kept, Owing)>,
		hash: Hash,
		now_ms: u64,
		number: BlockNumber,
		batch: &mut Vec<(Kept, Owing)>,
		step: &mut Step,
	) -> Result<(), Error> {
		left.iter().for_each(|(kept, _)| self.count(step, kept));
		let asked = |place: &(Kept, Owing)| {
			let posted = place.1.posted.as_ref();
			// A clock that was set back must not keep a voucher waiting until it expires.
			let again = posted
				.is_none_or(|p| now_ms < p.at_ms || now_ms - p.at_ms >= pause(REPOST_MS, p.times.saturating_sub(1)));
			again && self.is_payable(place, now_ms)
		};
		let asked: Vec<(Kept, Owing)> = left.into_iter().filter(asked).collect();
		if asked.is_empty() {
			return Ok(());
		}
		let vouchers: Vec<SignedVoucher> = asked.iter().map(|(kept, _)| kept.newest.clone()).collect();
		let verdicts = self.chain.check(&vouchers, hash).await.map_err(chain_error)?;
		same_length(verdicts.len(), vouchers.len())?;
		let (mut changed, mut lost) = (Vec::new(), Vec::new());
		for ((kept, mut owing), verdict) in asked.into_iter().zip(verdicts) {
			let voucher = &kept.newest.message;
			match verdict {
				TicketVerdict::Accepted(payout) if batch.len() < MAX_BATCH => {
					let times = owing.posted.as_ref().map_or(0, |p| p.times);
					owing.posted = Some(Posted {
						amount: voucher.amount,
						at_ms: now_ms,
						times: times.saturating_add(1),
						payout,
						transaction: None,
					});
					batch.push((kept, owing));
				},
				TicketVerdict::Accepted(_) => {},
				// It owes too little for the chain, which knows of more than we do: a newer voucher may owe enough.
				TicketVerdict::Refused(reason) if reason.is_final() && reason != TicketRefusal::FaceValueTooSmall => {
					let outcome = VoucherOutcome::Lost(voucher.amount, reason);
					step.pending -= 1;
					step.pending_value -= kept.owed();
					step.settled.push((voucher.clone(), outcome));
					lost.push((voucher.place(), outcome));
				},
				TicketVerdict::Refused(reason) => {
					let times = owing.refused.map_or(0, |(_, times)| times);
					owing.refused = Some((reason, times.saturating_add(1)));
					owing.retry_ms = now_ms.saturating_add(pause(RETRY_MS, times));
					changed.push((voucher.place(), owing));
				},
			}
		}
		if !changed.is_empty() {
			self.blocking(move |store| store.update_owing(&changed)).await?;
		}
		if !lost.is_empty() {
			self.blocking(move |store| store.settle_vouchers(&lost, number, now_ms))
				.await?;
		}
		Ok(())
	}

	/// Records that the batch is on its way, then sends it. How many were posted.
	async fn post(&self, batch: Vec<(Kept, Owing)>, now_ms: u64) -> Result<usize, Error> {
		let vouchers: Vec<SignedVoucher> = batch.iter().map(|(kept, _)| kept.newest.clone()).collect();
		self.record(&batch, |_| {}).await?;
		let transaction = self.chain.submit(&vouchers).await.map_err(chain_error)?;
		match transaction {
			Some(_) => {
				let confirm = |owing: &mut Owing| owing.posted.iter_mut().for_each(|p| p.transaction = transaction);
				self.record(&batch, confirm).await?;
				Ok(vouchers.len())
			},
			// The best chain would pay none, or has: as if they had not been posted, but not at once again.
			None => {
				let undo = |owing: &mut Owing| match &owing.posted {
					Some(posted) if posted.times > 1 => {},
					_ => {
						owing.posted = None;
						owing.retry_ms = now_ms.saturating_add(RETRY_MS);
					},
				};
				self.record(&batch, undo).await?;
				Ok(0)
			},
		}
	}

	async fn record(&self, batch: &[(Kept, Owing)], change: impl Fn(&mut Owing)) -> Result<(), Error> {
		let changed: Vec<(VoucherPlace, Owing)> = batch
			.iter()
			.map(|(kept, owing)| {
				let mut owing = owing.clone();
				change(&mut owing);
				(kept.newest.message.place(), owing)
			})
			.collect();
		self.blocking(move |store| store.update_owing(&changed)).await
	}

	/// The store syncs to disk: off the async threads.
	async fn blocking<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
	) -> Result<T, Error> {
		let store = self.store.clone();
		Ok(tokio::task::spawn_blocking(move || work(&store))
			.await
			.expect("store methods do not panic")?)
	}
}

fn same_length(answers: usize, questions: usize) -> Result<(), Error> {
	match answers == questions {
		true => Ok(()),
		false => Err(Error::Chain(format!("{answers} answers for {questions} vouchers"))),
	}
}

#[cfg(test)]
mod tests;
