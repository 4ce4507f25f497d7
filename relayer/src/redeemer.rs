//! Turns stored winners into money: posts them in batches, reads in finalised blocks what became of them, and tries again
//! until each is paid, expired or refused for good.
//!
//! ```text
//! stored --(value, age, expiry or credit says so)--> posted --(a finalised event names it)--> paid
//!    ^                                                 |
//!    +---- refused, may change; not included ----------+   expired / refused: when the finalised chain says so
//! ```
//!
//! A winner is recorded as posted *before* it is sent. So after a crash at any point, the store says at least as much
//! as the chain has seen, and the chain's window of spent nonces makes posting twice harmless. That a nonce is spent says
//! nothing of who was paid with it: *paid* is a winner whose id stands in an event of a finalised block.
//!
//! The winners of a session are redeemed in the order of their nonces: the chain takes none that is more than 128 below
//! the highest. So one that has to wait holds up those far above it, until they are about to expire.

pub mod vouchers;

use crate::store::{self, Outcome, Posted, Store, Winner};
use clustercast_primitives::{
	chain::{Payout, TicketRefusal, TicketVerdict},
	nonces::WINDOW,
	Balance, BlockNumber, Hash, PublicKey, WinningTicket,
};
use std::{
	collections::{HashMap, HashSet},
	fmt,
	future::Future,
	sync::Arc,
	time::Duration,
};

/// Tickets in a `redeem_batch`: the chain's limit.
pub const MAX_BATCH: usize = 100;

/// A posted winner that the finalised chain does not know after this is posted again. Inclusion and finality take
/// some ten seconds; doubles with each attempt.
const REPOST_MS: u64 = 60_000;

/// A winner that the chain refuses, but might pay later, is asked about again after this; doubles with each refusal.
const RETRY_MS: u64 = 15_000;

/// Pauses stop doubling at 8 times the first one: a ticket lives twenty minutes.
const MAX_DOUBLINGS: u32 = 3;

/// Calls on their way at a time: a loaded relayer has a tenth of that, since each is final after some 20 s. Where blocks take
/// none of them, more would only queue behind them, each with the next nonce.
const MAX_ON_THEIR_WAY: usize = 16;

/// A call that no block has taken is forgotten by the pool after this: 64 blocks.
const CALL_LIFE_MS: u64 = 128_000;

/// Winners this close to their expiry are posted whatever they are worth: four minutes, time for a second attempt.
const EXPIRY_MARGIN: BlockNumber = 120;

/// Blocks whose events are noted at a time.
const SCAN: BlockNumber = 64;

/// A node that keeps no more of the past has forgotten the events of blocks further back.
const KEPT_BLOCKS: BlockNumber = 250;

/// What the events of some blocks say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
	/// Our tickets that were paid, by id, in order.
	pub tickets: Vec<(Hash, Payout)>,
	/// The relayer's share of what vouchers to it paid, micro-USDC.
	pub earned_by_voucher: Balance,
}

/// Where events of finalised blocks are read.
pub trait Events: Send + Sync + 'static {
	/// Why they cannot be read.
	type Error: fmt::Display + Send;

	/// What the events of this block, which is finalised, say of payments to us.
	fn receipts(&self, block: BlockNumber) -> impl Future<Output = Result<Receipts, Self::Error>> + Send;
}

/// Reads the events of finalised blocks up to this one, where something may have been on its way to the chain in them.
pub async fn scan<C: Events>(store: &Arc<Store>, chain: &C, finalised: BlockNumber) -> Result<(), Error> {
	let read = |store: &Store| Ok::<_, store::Error>((store.scanned()?, store.posted_since()?));
	let (scanned, since) = blocking(store, read).await?;
	let Some(since) = since else {
		return Ok(());
	};
	let mut next = scanned.map_or(0, |scanned| scanned.saturating_add(1)).max(since);
	let oldest = finalised.saturating_sub(KEPT_BLOCKS);
	if next < oldest {
		tracing::error!(
			next,
			oldest,
			"the node has forgotten events: what they paid is not in the books"
		);
		next = oldest;
	}
	while next <= finalised {
		let last = finalised.min(next.saturating_add(SCAN - 1));
		let mut found = Receipts::default();
		for block in next..=last {
			let receipts = chain.receipts(block).await.map_err(chain_error)?;
			found.tickets.extend(receipts.tickets);
			found.earned_by_voucher = found.earned_by_voucher.saturating_add(receipts.earned_by_voucher);
		}
		let note = move |store: &Store| store.note_paid(last, &found.tickets, found.earned_by_voucher);
		blocking(store, note).await?;
		next = last.saturating_add(1);
	}
	Ok(())
}

/// The store syncs to disk: off the async threads.
async fn blocking<T: Send + 'static>(
	store: &Arc<Store>,
	work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Error> {
	let store = store.clone();
	Ok(tokio::task::spawn_blocking(move || work(&store))
		.await
		.expect("store methods do not panic")?)
}

/// The chain as the redeemer needs it.
pub trait Chain: Send + Sync + 'static {
	/// Why it cannot answer.
	type Error: fmt::Display + Send;

	/// Number and hash of the last finalised block.
	fn finalised(&self) -> impl Future<Output = Result<(BlockNumber, Hash), Self::Error>> + Send;

	/// What the chain would do with these tickets, in this order, at this block.
	fn check(
		&self,
		tickets: &[WinningTicket],
		at: Hash,
	) -> impl Future<Output = Result<Vec<TicketVerdict>, Self::Error>> + Send;

	/// Posts one batch. Hash of the extrinsic, or `None` when the node saw nothing in it that would be paid and posted
	/// nothing. After an error it may or may not be on its way.
	fn submit(&self, tickets: &[WinningTicket]) -> impl Future<Output = Result<Option<Hash>, Self::Error>> + Send;
}

/// When winners are worth a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
	/// Face value that waits, micro-USDC.
	pub value: Balance,
	/// Age of the oldest one.
	pub age: Duration,
}

/// Why a step could not be finished. The next one begins where the store says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// The store failed.
	#[error("store of winners: {0}")]
	Store(#[from] store::Error),
	/// The chain does not answer, or not sensibly.
	#[error("chain: {0}")]
	Chain(String),
	/// Blocks do not take what was sent.
	#[error("{MAX_ON_THEIR_WAY} calls are on their way and in no block; more wait for them")]
	Crowded,
}

/// What a step did; amounts are face values in micro-USDC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
	/// Finalised block that it looked at; 0 where there was nothing to look for.
	pub at: BlockNumber,
	/// Winners posted.
	pub posted: usize,
	/// Winners that would be, but for [`Error::Crowded`].
	pub held: usize,
	/// Winners whose fate is final.
	pub settled: Vec<(WinningTicket, Outcome)>,
	/// Winners left.
	pub pending: usize,
	/// What these are worth.
	pub pending_value: Balance,
}

/// See the module.
pub struct Redeemer<C> {
	store: Arc<Store>,
	chain: C,
	thresholds: Thresholds,
}

impl<C: Chain + Events> Redeemer<C> {
	/// One per store.
	pub fn new(store: Arc<Store>, chain: C, thresholds: Thresholds) -> Self {
		Self {
			store,
			chain,
			thresholds,
		}
	}

	/// Looks at all winners once: settles what the finalised chain has decided and posts at most one batch. `now_ms` is
	/// Unix time. With `all`, thresholds do not count: whatever can be paid is posted; nor do they for sessions that are
	/// `urgent`.
	pub async fn step(&self, now_ms: u64, all: bool, urgent: &HashSet<PublicKey>) -> Result<Step, Error> {
		let mut winners = self.blocking(|store| store.winners()).await?;
		if winners.is_empty() {
			return Ok(Step::default());
		}
		let (number, hash) = self.chain.finalised().await.map_err(chain_error)?;
		scan(&self.store, &self.chain, number).await?;
		let order = Order::new(&winners, number);
		winners.sort_by_key(|(_, w)| order.key(w));
		let triggered = all || self.triggered(&winners, number, now_ms);
		let (due, rest): (Vec<_>, Vec<_>) = winners.into_iter().partition(|(_, w)| {
			let now = (triggered || urgent.contains(&w.message().session)) && w.retry_ms <= now_ms;
			w.posted.is_some() || (now && !order.waits(w))
		});

		let mut step = Step {
			at: number,
			pending: rest.len(),
			pending_value: rest.iter().map(|(_, w)| w.message().face_value).sum(),
			..Step::default()
		};
		let posted = due.iter().filter_map(|(_, w)| w.posted.as_ref());
		let crowded = on_their_way(posted.map(|posted| posted.at_ms), now_ms) >= MAX_ON_THEIR_WAY;
		let mut batch = Vec::new();
		for page in due.chunks(MAX_BATCH) {
			let judged = self.judge(page, hash).await?;
			let mut outcomes = Vec::new();
			let mut changed = Vec::new();
			for ((serial, mut winner), verdict) in page.iter().cloned().zip(judged) {
				let id = winner.ticket.id();
				let paid = self.blocking(move |store| store.paid(&id)).await?;
				match next(&winner, verdict, paid, number, now_ms) {
					Next::Settle(outcome) => {
						outcomes.push((serial, outcome));
						step.settled.push((winner.ticket, outcome));
						continue;
					},
					Next::Post(posted) if batch.len() < MAX_BATCH => batch.push((serial, winner.clone(), posted)),
					Next::Retry(reason, retry_ms) if retry_ms != winner.retry_ms => {
						let times = winner.refused.map_or(0, |(_, times)| times).saturating_add(1);
						winner.refused = Some((reason, times));
						winner.retry_ms = retry_ms;
						changed.push((serial, winner.clone()));
					},
					Next::Post(_) | Next::Retry(..) | Next::Wait => {},
				}
				step.pending += 1;
				step.pending_value += winner.message().face_value;
			}
			if !changed.is_empty() {
				self.blocking(move |store| store.update(&changed)).await?;
			}
			if !outcomes.is_empty() {
				self.blocking(move |store| store.settle(&outcomes, number, now_ms))
					.await?;
			}
		}
		match crowded {
			true => step.held = batch.len(),
			false if batch.is_empty() => {},
			false => step.posted = self.post(batch, now_ms).await?,
		}
		Ok(step)
	}

	/// Whether what waits is worth a transaction.
	fn triggered(&self, winners: &[(u64, Winner)], finalised: BlockNumber, now_ms: u64) -> bool {
		let waiting = || {
			winners
				.iter()
				.map(|(_, w)| w)
				.filter(|w| w.posted.is_none() && w.retry_ms <= now_ms)
		};
		let age = u64::try_from(self.thresholds.age.as_millis()).unwrap_or(u64::MAX);
		waiting().map(|w| w.message().face_value).sum::<Balance>() >= self.thresholds.value
			|| waiting().any(|w| {
				now_ms.saturating_sub(w.stored_ms) >= age
					|| w.message().expiry <= finalised.saturating_add(EXPIRY_MARGIN)
			})
	}

	async fn judge(&self, page: &[(u64, Winner)], at: Hash) -> Result<Vec<TicketVerdict>, Error> {
		let tickets: Vec<WinningTicket> = page.iter().map(|(_, w)| w.ticket.clone()).collect();
		let verdicts = self.chain.check(&tickets, at).await.map_err(chain_error)?;
		match verdicts.len() == tickets.len() {
			true => Ok(verdicts),
			false => Err(Error::Chain(format!(
				"{} verdicts for {} tickets",
				verdicts.len(),
				tickets.len()
			))),
		}
	}

	/// Records that the batch is on its way, then sends it. How many were posted.
	async fn post(&self, batch: Vec<(u64, Winner, Posted)>, now_ms: u64) -> Result<usize, Error> {
		let tickets: Vec<WinningTicket> = batch.iter().map(|(_, w, _)| w.ticket.clone()).collect();
		self.record(&batch, |winner, posted| winner.posted = Some(posted))
			.await?;
		let transaction = self.chain.submit(&tickets).await.map_err(chain_error)?;
		match transaction {
			Some(_) => {
				let confirm = |winner: &mut Winner, posted| winner.posted = Some(Posted { transaction, ..posted });
				self.record(&batch, confirm).await?;
				Ok(tickets.len())
			},
			// The best chain would pay none: as they were before, but not at once again.
			None => {
				let undo = |winner: &mut Winner, _| match &mut winner.posted {
					Some(before) => before.at_ms = now_ms,
					None => winner.retry_ms = now_ms.saturating_add(RETRY_MS),
				};
				self.record(&batch, undo).await?;
				Ok(0)
			},
		}
	}

	async fn record(&self, batch: &[(u64, Winner, Posted)], change: impl Fn(&mut Winner, Posted)) -> Result<(), Error> {
		let mut changed: Vec<(u64, Winner)> = Vec::with_capacity(batch.len());
		for (serial, winner, posted) in batch {
			let mut winner = winner.clone();
			change(&mut winner, posted.clone());
			changed.push((*serial, winner));
		}
		self.blocking(move |store| store.update(&changed)).await
	}

	async fn blocking<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
	) -> Result<T, Error> {
		blocking(&self.store, work).await
	}
}

/// What to do with a winner.
#[derive(Debug, PartialEq, Eq)]
enum Next {
	Settle(Outcome),
	Post(Posted),
	Retry(TicketRefusal, u64),
	Wait,
}

/// Decides by what the finalised chain says, at block `at`, up to which all events were read: `paid` is what one says of this
/// winner.
fn next(winner: &Winner, verdict: TicketVerdict, paid: Option<Payout>, at: BlockNumber, now_ms: u64) -> Next {
	if let Some(payout) = paid {
		return Next::Settle(Outcome::Paid(payout));
	}
	match (verdict, &winner.posted) {
		(TicketVerdict::Refused(TicketRefusal::Expired), _) => Next::Settle(Outcome::Expired),
		(TicketVerdict::Refused(reason), _) if reason.is_final() => Next::Settle(Outcome::Refused(reason)),
		(TicketVerdict::Refused(reason), _) if winner.retry_ms <= now_ms => {
			let times = winner.refused.map_or(0, |(_, times)| times);
			Next::Retry(reason, now_ms.saturating_add(pause(RETRY_MS, times)))
		},
		(TicketVerdict::Refused(_), _) => Next::Wait,
		(TicketVerdict::Accepted(_), posted) => {
			let times = posted.as_ref().map_or(0, |p| p.times);
			let due = posted.as_ref().is_none_or(|p| {
				// A clock that was set back must not keep a ticket waiting until it expires.
				now_ms < p.at_ms || now_ms - p.at_ms >= pause(REPOST_MS, p.times.saturating_sub(1))
			});
			match due {
				true => Next::Post(Posted {
					at_ms: now_ms,
					times: times.saturating_add(1),
					since: posted.as_ref().map_or(at, |p| p.since),
					transaction: None,
				}),
				false => Next::Wait,
			}
		},
	}
}

/// In which order winners are redeemed: sessions by their first expiry, each session by nonce.
struct Order(HashMap<PublicKey, First>);

/// Of a session's winners.
struct First {
	expiry: BlockNumber,
	nonce: u64,
	/// The highest nonce that cannot wait: those below go along, and before it.
	up_to: Option<u64>,
}

impl Order {
	fn new(winners: &[(u64, Winner)], finalised: BlockNumber) -> Self {
		let mut sessions = HashMap::new();
		for (_, winner) in winners {
			let ticket = winner.message();
			let first = sessions.entry(ticket.session).or_insert(First {
				expiry: ticket.expiry,
				nonce: ticket.nonce,
				up_to: None,
			});
			let soon = ticket.expiry <= finalised.saturating_add(EXPIRY_MARGIN);
			first.expiry = first.expiry.min(ticket.expiry);
			first.nonce = first.nonce.min(ticket.nonce);
			first.up_to = first.up_to.max(soon.then_some(ticket.nonce));
		}
		Self(sessions)
	}

	fn key(&self, winner: &Winner) -> (BlockNumber, PublicKey, u64) {
		let ticket = winner.message();
		let expiry = self.0.get(&ticket.session).map_or(ticket.expiry, |first| first.expiry);
		(expiry, ticket.session, ticket.nonce)
	}

	/// It would make a lower one of its session too old, and has time.
	fn waits(&self, winner: &Winner) -> bool {
		let nonce = winner.message().nonce;
		let first = self.0.get(&winner.message().session);
		first.is_some_and(|first| nonce - first.nonce >= WINDOW && first.up_to < Some(nonce))
	}
}

/// Of what was posted at these times: calls that may be in the pool.
fn on_their_way(posted_ms: impl Iterator<Item = u64>, now_ms: u64) -> usize {
	let waits = |at: &u64| now_ms.checked_sub(*at).is_some_and(|age| age < CALL_LIFE_MS);
	posted_ms.filter(waits).collect::<HashSet<_>>().len()
}

/// Doubles with each time.
fn pause(first_ms: u64, doublings: u32) -> u64 {
	first_ms << doublings.min(MAX_DOUBLINGS)
}

fn chain_error(error: impl fmt::Display) -> Error {
	Error::Chain(error.to_string())
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::store::tests::{ticket, FACE, GENESIS, PAYOUT};
	use std::{
		path::Path,
		sync::{Mutex, MutexGuard},
	};

	const EXPIRY: BlockNumber = 1_000;
	const THRESHOLDS: Thresholds = Thresholds {
		value: 3 * FACE,
		age: Duration::from_secs(60),
	};

	/// Where the connection to the chain breaks in `submit`.
	#[derive(Clone, Copy, PartialEq)]
	enum Break {
		Before,
		After,
	}

	/// A chain with one pool: what is posted is paid when `finalise` is called.
	#[derive(Default)]
	struct State {
		finalised: BlockNumber,
		pool: Vec<WinningTicket>,
		/// Nonces spent on the finalised chain.
		spent: HashSet<u64>,
		payments: HashMap<u64, u32>,
		/// Ids that the event of each block names.
		events: HashMap<BlockNumber, Vec<Hash>>,
		refusals: HashMap<u64, TicketRefusal>,
		submits: usize,
		largest: usize,
		/// The best chain is ahead of the finalised one, and would pay nothing.
		nothing_to_pay: bool,
		broken: Option<Break>,
	}

	#[derive(Clone, Default)]
	struct Fake(Arc<Mutex<State>>);

	impl Fake {
		fn state(&self) -> MutexGuard<'_, State> {
			self.0.lock().unwrap()
		}

		/// Includes what waits in the pool. Each nonce is paid once.
		fn finalise(&self) {
			let mut state = self.state();
			state.finalised += 1;
			for ticket in std::mem::take(&mut state.pool) {
				let nonce = ticket.signed.message.nonce;
				if !state.refusals.contains_key(&nonce) && state.spent.insert(nonce) {
					*state.payments.entry(nonce).or_default() += 1;
					let block = state.finalised;
					state.events.entry(block).or_default().push(ticket.id());
				}
			}
		}

		fn verdict(state: &State, ticket: &WinningTicket) -> TicketVerdict {
			let message = &ticket.signed.message;
			if state.spent.contains(&message.nonce) {
				TicketVerdict::Refused(TicketRefusal::AlreadyRedeemed)
			} else if state.finalised > message.expiry {
				TicketVerdict::Refused(TicketRefusal::Expired)
			} else if let Some(reason) = state.refusals.get(&message.nonce) {
				TicketVerdict::Refused(*reason)
			} else {
				TicketVerdict::Accepted(PAYOUT)
			}
		}
	}

	impl Chain for Fake {
		type Error = &'static str;

		async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
			Ok((self.state().finalised, Hash([0; 32])))
		}

		async fn check(&self, tickets: &[WinningTicket], _: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
			let state = self.state();
			Ok(tickets.iter().map(|t| Self::verdict(&state, t)).collect())
		}

		async fn submit(&self, tickets: &[WinningTicket]) -> Result<Option<Hash>, Self::Error> {
			let mut state = self.state();
			state.submits += 1;
			state.largest = state.largest.max(tickets.len());
			if state.broken == Some(Break::Before) {
				return Err("lost before it was posted");
			}
			if state.nothing_to_pay
				|| !tickets
					.iter()
					.any(|t| matches!(Self::verdict(&state, t), TicketVerdict::Accepted(_)))
			{
				return Ok(None);
			}
			state.pool.extend_from_slice(tickets);
			match state.broken {
				Some(_) => Err("lost after it was posted"),
				None => Ok(Some(Hash([9; 32]))),
			}
		}
	}

	impl Events for Fake {
		type Error = &'static str;

		async fn receipts(&self, block: BlockNumber) -> Result<Receipts, Self::Error> {
			let state = self.state();
			assert!(block <= state.finalised, "not final");
			let ids = state.events.get(&block).cloned().unwrap_or_default();
			Ok(Receipts {
				tickets: ids.into_iter().map(|id| (id, PAYOUT)).collect(),
				earned_by_voucher: 0,
			})
		}
	}

	/// A redeemer as it is after a start: nothing but the store is remembered.
	fn restart(dir: &Path, chain: &Fake) -> Redeemer<Fake> {
		let store = Store::open(&dir.join("winners.redb"), &GENESIS).unwrap();
		Redeemer::new(Arc::new(store), chain.clone(), THRESHOLDS)
	}

	fn with_winners(dir: &Path, chain: &Fake, count: u64) -> Redeemer<Fake> {
		let redeemer = restart(dir, chain);
		for nonce in 0..count {
			redeemer.store.insert(&ticket(1, nonce, EXPIRY), 0).unwrap();
		}
		redeemer
	}

	fn paid(step: &Step) -> usize {
		step.settled
			.iter()
			.filter(|(_, outcome)| matches!(outcome, Outcome::Paid(_)))
			.count()
	}

	fn lost(step: &Step) -> usize {
		step.settled.len() - paid(step)
	}

	#[tokio::test]
	async fn winners_wait_until_value_or_age_or_expiry_says_so() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 2);
		let idle = Step {
			pending: 2,
			pending_value: 2 * FACE,
			..Step::default()
		};
		assert_eq!(redeemer.step(59_999, false, &HashSet::new()).await.unwrap(), idle);
		assert_eq!(
			redeemer.step(60_000, false, &HashSet::new()).await.unwrap(),
			Step { posted: 2, ..idle },
			"age"
		);

		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		assert_eq!(
			redeemer.step(1, false, &HashSet::new()).await.unwrap().posted,
			3,
			"value"
		);

		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 1);
		chain.state().finalised = EXPIRY - EXPIRY_MARGIN - 1;
		assert_eq!(redeemer.step(1, false, &HashSet::new()).await.unwrap().posted, 0);
		chain.state().finalised += 1;
		assert_eq!(
			redeemer.step(1, false, &HashSet::new()).await.unwrap().posted,
			1,
			"expiry"
		);

		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 1);
		assert_eq!(
			redeemer.step(1, true, &HashSet::new()).await.unwrap().posted,
			1,
			"asked to"
		);
	}

	#[tokio::test]
	async fn posted_winner_is_paid_when_the_finalised_chain_says_so() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		redeemer.step(0, false, &HashSet::new()).await.unwrap();
		let waiting = Step {
			pending: 3,
			pending_value: 3 * FACE,
			..Step::default()
		};
		assert_eq!(redeemer.step(1_000, false, &HashSet::new()).await.unwrap(), waiting);
		chain.finalise();
		let step = redeemer.step(2_000, false, &HashSet::new()).await.unwrap();
		assert_eq!((paid(&step), lost(&step), step.pending), (3, 0, 0));
		let totals = redeemer.store.totals().unwrap();
		assert_eq!(
			(totals.paid, totals.paid_value, totals.earned),
			(3, 3 * FACE, 3 * PAYOUT.relayer)
		);
		assert_eq!(chain.state().submits, 1);
	}

	/// Blocks are full, or the node is cut off: what is sent stays in the pool.
	#[tokio::test]
	async fn calls_that_no_block_takes_are_bounded_and_more_wait_until_they_are_forgotten() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 0);
		let none = HashSet::new();
		let mut held = 0;
		for call in 0..40 {
			redeemer.store.insert(&ticket(1, call, EXPIRY), 0).unwrap();
			let step = redeemer.step(1_000 * call, true, &none).await.unwrap();
			assert_eq!(step.posted + step.held, step.posted.max(step.held), "one or the other");
			held = step.held;
		}
		assert_eq!((chain.state().submits, held), (MAX_ON_THEIR_WAY, 40 - MAX_ON_THEIR_WAY));
		// They are not lost: the pool has forgotten the first of them by now.
		let step = redeemer.step(CALL_LIFE_MS, true, &none).await.unwrap();
		assert!(step.posted > 0 && step.held == 0, "{step:?}");
		chain.finalise();
		let step = redeemer.step(CALL_LIFE_MS + 1, true, &none).await.unwrap();
		assert!(paid(&step) > MAX_ON_THEIR_WAY, "{step:?}");
	}

	#[tokio::test]
	async fn batch_is_bounded_and_the_rest_follows() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 130);
		let none = HashSet::new();
		assert_eq!(redeemer.step(0, false, &none).await.unwrap().posted, MAX_BATCH);
		// The last two of the session would make the first ones too old.
		assert_eq!(redeemer.step(1, false, &none).await.unwrap().posted, 28);
		chain.finalise();
		assert_eq!(paid(&redeemer.step(2, true, &none).await.unwrap()), 128);
		assert_eq!(redeemer.step(3, true, &none).await.unwrap().posted, 2);
		chain.finalise();
		assert_eq!(paid(&redeemer.step(4, true, &none).await.unwrap()), 2);
		assert_eq!(chain.state().largest, MAX_BATCH);
	}

	/// Stops for good at `at`, starts anew from what is on disk, and must end with each ticket paid exactly once.
	async fn crash_and_recover(at: Break) -> usize {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		chain.state().broken = Some(at);
		redeemer.step(0, false, &HashSet::new()).await.unwrap_err();
		drop(redeemer);

		chain.state().broken = None;
		chain.finalise();
		let redeemer = restart(dir.path(), &chain);
		let mut now = 1_000;
		while redeemer.step(now, false, &HashSet::new()).await.unwrap().pending > 0 {
			chain.finalise();
			now += 10_000;
			assert!(now < 10 * REPOST_MS, "never settles");
		}
		let totals = redeemer.store.totals().unwrap();
		assert_eq!((totals.paid, totals.lost), (3, 0));
		let state = chain.state();
		assert_eq!(state.payments, HashMap::from([(0, 1), (1, 1), (2, 1)]));
		state.submits
	}

	#[tokio::test]
	async fn crash_before_posting_loses_nothing() {
		assert_eq!(crash_and_recover(Break::Before).await, 2, "posted again");
	}

	#[tokio::test]
	async fn crash_after_posting_redeems_none_twice() {
		assert_eq!(
			crash_and_recover(Break::After).await,
			1,
			"the chain had it: not posted again"
		);
	}

	#[tokio::test]
	async fn crash_between_winning_and_posting_loses_nothing() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		drop(with_winners(dir.path(), &chain, 3));
		let redeemer = restart(dir.path(), &chain);
		assert_eq!(redeemer.step(0, false, &HashSet::new()).await.unwrap().posted, 3);
		chain.finalise();
		assert_eq!(paid(&redeemer.step(1, false, &HashSet::new()).await.unwrap()), 3);
	}

	#[tokio::test]
	async fn winner_that_is_not_included_is_posted_again_later_and_later() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		let mut posted_at = Vec::new();
		for second in 0..1_500 {
			if redeemer
				.step(second * 1_000, false, &HashSet::new())
				.await
				.unwrap()
				.posted > 0
			{
				posted_at.push(second);
			}
			chain.state().pool.clear();
		}
		assert_eq!(posted_at, [0, 60, 180, 420, 900, 1_380]);
	}

	#[tokio::test]
	async fn winner_that_the_best_chain_would_not_pay_was_not_posted() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		chain.state().nothing_to_pay = true;
		let step = redeemer.step(0, false, &HashSet::new()).await.unwrap();
		assert_eq!((step.posted, step.pending), (0, 3));
		assert!(redeemer
			.store
			.winners()
			.unwrap()
			.iter()
			.all(|(_, w)| w.posted.is_none()));
		redeemer.step(RETRY_MS - 1, false, &HashSet::new()).await.unwrap();
		assert_eq!(chain.state().submits, 1, "not at once again");

		// Somebody else's ticket with the same nonces was in the block on its way.
		chain.state().spent.extend([0, 1, 2]);
		assert_eq!(lost(&redeemer.step(RETRY_MS, true, &HashSet::new()).await.unwrap()), 3);
	}

	#[tokio::test]
	async fn clock_set_back_does_not_hold_a_winner() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		redeemer.step(1_000_000, false, &HashSet::new()).await.unwrap();
		chain.state().pool.clear();
		assert_eq!(redeemer.step(5, false, &HashSet::new()).await.unwrap().posted, 3);
	}

	#[tokio::test]
	async fn expired_winner_is_a_loss() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 1);
		chain.state().finalised = EXPIRY + 1;
		let step = redeemer.step(0, false, &HashSet::new()).await.unwrap();
		assert_eq!((step.posted, lost(&step), step.pending), (0, 1, 0));
		assert_eq!(redeemer.store.settled().unwrap()[0].outcome, Outcome::Expired);
	}

	#[tokio::test]
	async fn nonce_spent_elsewhere_is_refused_and_not_called_paid() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		chain.state().spent.insert(1);
		let step = redeemer.step(0, false, &HashSet::new()).await.unwrap();
		assert_eq!((step.posted, paid(&step), lost(&step)), (2, 0, 1));
		let outcome = redeemer.store.settled().unwrap()[0].outcome;
		assert_eq!(outcome, Outcome::Refused(TicketRefusal::AlreadyRedeemed));
		chain.finalise();
		let step = redeemer.step(1, false, &HashSet::new()).await.unwrap();
		assert_eq!((paid(&step), lost(&step)), (2, 0), "the others are");
	}

	/// The attack: the winners are posted, and their nonces are burnt before they are in a block.
	#[tokio::test]
	async fn nonce_burnt_after_posting_is_not_called_paid() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		redeemer.step(0, false, &HashSet::new()).await.unwrap();
		// One of the three gets into a block.
		chain.state().pool.truncate(1);
		chain.finalise();
		chain.state().spent.extend([0, 1, 2]);
		let step = redeemer.step(1_000, false, &HashSet::new()).await.unwrap();
		assert_eq!((paid(&step), lost(&step), step.pending), (1, 2, 0));
		let totals = redeemer.store.totals().unwrap();
		assert_eq!(
			(totals.paid_value, totals.earned, totals.lost_value),
			(FACE, PAYOUT.relayer, 2 * FACE)
		);
	}

	/// The attack: the counter jumps, so that what was signed before it becomes too old when what follows is redeemed first.
	#[tokio::test]
	async fn winners_of_a_session_are_redeemed_in_the_order_of_their_nonces() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = restart(dir.path(), &chain);
		for (nonce, expiry) in [
			(1_000, EXPIRY),
			(7, EXPIRY),
			(500, 2 * EXPIRY),
			(130, EXPIRY),
			(5, EXPIRY),
		] {
			redeemer.store.insert(&ticket(1, nonce, expiry), 0).unwrap();
		}
		redeemer.store.insert(&ticket(2, 9_000, EXPIRY), 0).unwrap();
		let posted = || {
			let pool = std::mem::take(&mut chain.state().pool);
			pool.iter()
				.map(|t| (t.signed.message.session.0[0], t.signed.message.nonce))
				.collect::<Vec<_>>()
		};
		redeemer.step(0, true, &HashSet::new()).await.unwrap();
		assert_eq!(posted(), [(1, 5), (1, 7), (1, 130), (2, 9_000)], "those far above wait");
		// The lowest cannot be paid and holds up what is far above it, until that is about to expire.
		chain.state().refusals.insert(5, TicketRefusal::DepositTooSmall);
		redeemer.step(REPOST_MS, true, &HashSet::new()).await.unwrap();
		assert_eq!(posted(), [(1, 7), (1, 130), (2, 9_000)]);
		chain.state().finalised = EXPIRY - EXPIRY_MARGIN;
		redeemer.step(REPOST_MS + 1, true, &HashSet::new()).await.unwrap();
		assert_eq!(posted(), [(1, 500), (1, 1_000)], "what lies between goes before it");
	}

	#[tokio::test]
	async fn urgent_session_does_not_wait_for_the_others() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = restart(dir.path(), &chain);
		redeemer.store.insert(&ticket(1, 0, EXPIRY), 0).unwrap();
		redeemer.store.insert(&ticket(2, 1, EXPIRY), 0).unwrap();
		let urgent = HashSet::from([PublicKey([2; 32])]);
		let step = redeemer.step(0, false, &urgent).await.unwrap();
		assert_eq!((step.posted, step.pending), (1, 2));
		assert_eq!(chain.state().pool[0].signed.message.session, PublicKey([2; 32]));
	}

	#[tokio::test]
	async fn refusal_that_may_change_is_asked_again_and_a_final_one_is_not() {
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let redeemer = with_winners(dir.path(), &chain, 3);
		chain.state().refusals.insert(0, TicketRefusal::DepositTooSmall);
		chain.state().refusals.insert(1, TicketRefusal::BadSignature);
		let step = redeemer.step(0, false, &HashSet::new()).await.unwrap();
		assert_eq!((step.posted, lost(&step), step.pending), (1, 1, 2));
		assert_eq!(
			redeemer.store.winners().unwrap()[0].1.refused,
			Some((TicketRefusal::DepositTooSmall, 1))
		);

		chain.finalise();
		chain.state().refusals.clear();
		assert_eq!(
			redeemer.step(RETRY_MS - 1, true, &HashSet::new()).await.unwrap().posted,
			0,
			"not yet"
		);
		assert_eq!(redeemer.step(RETRY_MS, true, &HashSet::new()).await.unwrap().posted, 1);
	}

	#[tokio::test]
	async fn unanswered_or_wrong_count_of_verdicts_changes_nothing() {
		struct Short(Fake);
		impl Chain for Short {
			type Error = &'static str;
			async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
				self.0.finalised().await
			}
			async fn check(&self, _: &[WinningTicket], _: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
				Ok(Vec::new())
			}
			async fn submit(&self, tickets: &[WinningTicket]) -> Result<Option<Hash>, Self::Error> {
				self.0.submit(tickets).await
			}
		}
		impl Events for Short {
			type Error = &'static str;
			async fn receipts(&self, block: BlockNumber) -> Result<Receipts, Self::Error> {
				self.0.receipts(block).await
			}
		}
		let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
		let store = with_winners(dir.path(), &chain, 3).store;
		let before = store.winners().unwrap();
		let redeemer = Redeemer::new(store, Short(chain.clone()), THRESHOLDS);
		assert!(matches!(
			redeemer.step(0, true, &HashSet::new()).await,
			Err(Error::Chain(_))
		));
		assert_eq!(redeemer.store.winners().unwrap(), before);
		assert_eq!(chain.state().submits, 0);
	}
}
