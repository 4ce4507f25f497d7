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

use super::{
	blocking, chain_error, on_their_way, pause, scan, Error, Events, EXPIRY_MARGIN, MAX_BATCH, MAX_ON_THEIR_WAY,
	REPOST_MS, RETRY_MS,
};
use crate::store::{
	self,
	vouchers::{Kept, Owing, Posted},
	Store, VoucherOutcome,
};
use clustercast_primitives::{
	chain::{TicketRefusal, TicketVerdict, VoucherPlace, VoucherTotals},
	Balance, BlockNumber, Hash, PublicKey, SignedVoucher, StreamId, Voucher,
};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, HashSet},
	fmt,
	future::Future,
	sync::Arc,
	time::Duration,
};

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
	/// Least that the chain pays at a time under terms that hold, micro-USDC: below this it waits, whatever else.
	pub least: Balance,
	/// Least where a reservation holds all of it, which the chain pays down to the last unit: what is worth its fee.
	pub worth: Balance,
}

/// What is looked at now, and how.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
	/// Unix time.
	pub now_ms: u64,
	/// Value and age do not count: whatever can be paid is posted.
	pub all: bool,
	/// Nor do they for these sessions.
	pub urgent: &'a HashSet<PublicKey>,
	/// Sessions whose reservation holds all that they owe.
	pub reserved: &'a HashSet<PublicKey>,
	/// Counters of the streams' terms: what is owed under earlier ones grows no more, and is paid to the last unit. Of a stream
	/// that is not served any more nothing is known.
	pub terms: &'a BTreeMap<StreamId, u32>,
}

impl Look<'_> {
	/// Whether it is under terms that are over.
	fn has_ended(&self, voucher: &Voucher) -> bool {
		self.terms.get(&voucher.stream).is_some_and(|now| voucher.terms < *now)
	}
}

/// What the finalised chain decided about a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
	/// Its newest voucher.
	pub voucher: Voucher,
	/// Up to which level.
	pub outcome: VoucherOutcome,
	/// By how much that is above what was known before, micro-USDC.
	pub amount: Balance,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
	/// Finalised block that it looked at; 0 where there was nothing to look for.
	pub at: BlockNumber,
	/// Vouchers posted.
	pub posted: usize,
	/// Vouchers that would be, but for [`Error::Crowded`].
	pub held: usize,
	/// What the finalised chain decided.
	pub settled: Vec<Settled>,
	/// Places left that the chain would pay something.
	pub pending: usize,
	/// Places left that owe too little for that.
	pub waiting: usize,
	/// What all places left owe, micro-USDC.
	pub pending_value: Balance,
}

/// See the module.
pub struct Collector<C> {
	store: Arc<Store>,
	chain: C,
	thresholds: Thresholds,
}

impl<C: Chain + Events> Collector<C> {
	/// One per store.
	pub fn new(store: Arc<Store>, chain: C, thresholds: Thresholds) -> Self {
		Self {
			store,
			chain,
			thresholds,
		}
	}

	/// Looks at all that owe something: settles what the finalised chain has decided and posts at most one batch.
	pub async fn step(&self, look: Look<'_>) -> Result<Step, Error> {
		let now_ms = look.now_ms;
		let owing = self.blocking(Store::owing).await?;
		if owing.is_empty() {
			return Ok(Step::default());
		}
		let (number, hash) = self.chain.finalised().await.map_err(chain_error)?;
		// What is paid is credited by the sums of the chain; what of that is ours stands in the events alone.
		scan(&self.store, &self.chain, number).await?;
		let triggered = look.all || owing.iter().any(|place| self.is_due(place, 1, number, &look));
		let (due, rest): (Vec<_>, Vec<_>) = owing.into_iter().partition(|place| {
			let (kept, owing) = place;
			owing.posted.is_some()
				|| kept.newest.message.expiry < number
				|| (look.urgent.contains(&kept.newest.message.session) && self.is_payable(place, &look))
				|| (triggered && (look.all || self.is_due(place, 2, number, &look)) && self.is_payable(place, &look))
		});
		let mut step = Step {
			at: number,
			..Step::default()
		};
		rest.iter().for_each(|(kept, _)| self.count(&mut step, kept, &look));
		let posted = due.iter().filter_map(|(_, owing)| owing.posted.as_ref());
		let crowded = on_their_way(posted.map(|posted| posted.at_ms), now_ms) >= MAX_ON_THEIR_WAY;
		let mut batch = Vec::new();
		for page in due.chunks(MAX_BATCH) {
			let left = self.settle(page, number, hash, &look, &mut step).await?;
			self.judge(left, hash, &look, number, &mut batch, &mut step).await?;
		}
		if crowded {
			step.held = batch.len();
		} else if !batch.is_empty() {
			// A pool looks at the first few to see what the batch is worth.
			batch.sort_by_key(|(kept, _)| Reverse(kept.owed()));
			step.posted = self.post(batch, now_ms).await?;
		}
		Ok(step)
	}

	/// Whether it has come `1 / part` of the way to a threshold, or is about to expire.
	fn is_due(&self, place: &(Kept, Owing), part: u32, finalised: BlockNumber, look: &Look<'_>) -> bool {
		let (kept, owing) = place;
		let age = u64::try_from(self.thresholds.age.as_millis()).unwrap_or(u64::MAX);
		let waited = look.now_ms.saturating_sub(owing.since_ms);
		// What grows no more goes along with others at once, and is due as soon as it is worth a call of its own.
		let ended = look.has_ended(&kept.newest.message) && (part > 1 || kept.owed() >= self.thresholds.least);
		self.is_payable(place, look)
			&& owing.posted.is_none()
			&& (ended
				|| kept.owed().saturating_mul(part.into()) >= self.thresholds.value
				|| waited.saturating_mul(part.into()) >= age
				|| kept.newest.message.expiry <= finalised.saturating_add(EXPIRY_MARGIN))
	}

	/// Whether the chain could pay it now, for all we know.
	fn is_payable(&self, (kept, owing): &(Kept, Owing), look: &Look<'_>) -> bool {
		kept.owed() >= self.least(kept, look) && owing.retry_ms <= look.now_ms
	}

	/// Least that the chain pays of it, and that is worth it.
	fn least(&self, kept: &Kept, look: &Look<'_>) -> Balance {
		let voucher = &kept.newest.message;
		if look.has_ended(voucher) {
			1
		} else if look.reserved.contains(&voucher.session) {
			self.thresholds.worth
		} else {
			self.thresholds.least
		}
	}

	fn count(&self, step: &mut Step, kept: &Kept, look: &Look<'_>) {
		let payable = kept.owed() >= self.least(kept, look);
		step.pending += usize::from(payable);
		step.waiting += usize::from(!payable);
		step.pending_value += kept.owed();
	}

	/// Credits what the finalised chain has paid and gives up what has expired. What still owes something.
	async fn settle(
		&self,
		page: &[(Kept, Owing)],
		number: BlockNumber,
		hash: Hash,
		look: &Look<'_>,
		step: &mut Step,
	) -> Result<Vec<(Kept, Owing)>, Error> {
		let now_ms = look.now_ms;
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
						look,
					);
				},
				false => {},
			}
			step.settled.extend(decided.iter().map(|outcome| Settled {
				voucher: voucher.clone(),
				outcome: *outcome,
				amount: match *outcome {
					VoucherOutcome::Paid(level) => level.saturating_sub(kept.paid),
					VoucherOutcome::Lost(level, _) => level.saturating_sub(kept.settled.max(paid.amount)),
				},
			}));
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
		look: &Look<'_>,
		number: BlockNumber,
		batch: &mut Vec<(Kept, Owing)>,
		step: &mut Step,
	) -> Result<(), Error> {
		let now_ms = look.now_ms;
		left.iter().for_each(|(kept, _)| self.count(step, kept, look));
		let asked = |place: &(Kept, Owing)| {
			let posted = place.1.posted.as_ref();
			// A clock that was set back must not keep a voucher waiting until it expires.
			let again = posted
				.is_none_or(|p| now_ms < p.at_ms || now_ms - p.at_ms >= pause(REPOST_MS, p.times.saturating_sub(1)));
			again && self.is_payable(place, look)
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
				TicketVerdict::Accepted(_) if batch.len() < MAX_BATCH => {
					let (times, since) = owing.posted.as_ref().map_or((0, number), |p| (p.times, p.since));
					owing.posted = Some(Posted {
						amount: voucher.amount,
						at_ms: now_ms,
						times: times.saturating_add(1),
						since,
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
					step.settled.push(Settled {
						voucher: voucher.clone(),
						outcome,
						amount: kept.owed(),
					});
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

	async fn blocking<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
	) -> Result<T, Error> {
		blocking(&self.store, work).await
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
