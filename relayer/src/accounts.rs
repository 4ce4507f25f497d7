//! What the chain says of the viewers served: asked once when a viewer comes, refreshed in the background while it
//! stays, never asked for a ticket.

use clustercast_chain::{Chain, ChainError, Head};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, ViewerAccount, VoucherPlace, VoucherTotals},
	AccountId, BlockNumber,
};
use std::{
	collections::HashMap,
	fmt,
	future::Future,
	sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
	time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// How old answers may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
	/// Younger ones are good enough for another subscription of the same viewer.
	pub fresh: Duration,
	/// Older ones are asked for again while the viewer stays. What it can spend elsewhere in this time is bounded by
	/// the float.
	pub stale: Duration,
}

impl Default for Pace {
	/// One block, and some eight.
	fn default() -> Self {
		Self {
			fresh: Duration::from_secs(2),
			stale: Duration::from_secs(15),
		}
	}
}

/// Requests to the node at a time: strangers who subscribe wait for each other, not the tickets of others.
const CONCURRENT_REQUESTS: usize = 8;

/// Blocks that a fork may be long: what the best chain says of blocks further back counts as if it were final, where finality
/// is further behind. A minute.
const LONGEST_FORK: BlockNumber = 30;

/// Who knows the accounts.
pub trait Ledger: Send + Sync + 'static {
	/// Why it cannot answer.
	type Error: fmt::Display + Send;

	/// What an account has to pay with, as of now, and a block up to which that says all that happened to it.
	fn viewer_account(
		&self,
		id: &AccountId,
	) -> impl Future<Output = Result<(BlockNumber, ViewerAccount), Self::Error>> + Send;

	/// What vouchers have paid at a place, as of now.
	fn vouchers_paid(&self, place: &VoucherPlace) -> impl Future<Output = Result<VoucherTotals, Self::Error>> + Send;

	/// What a channel reserves and has paid in the last finalised block, and its number.
	fn channel(
		&self,
		key: &ChannelKey,
	) -> impl Future<Output = Result<(BlockNumber, Option<ChannelInfo>), Self::Error>> + Send;
}

impl Ledger for Chain {
	type Error = ChainError;

	async fn viewer_account(&self, id: &AccountId) -> Result<(BlockNumber, ViewerAccount), ChainError> {
		// Read before: the answer may be of a later block.
		let known = all_known(self.head());
		Ok((known, Self::viewer_account(self, id, None).await?))
	}

	async fn vouchers_paid(&self, place: &VoucherPlace) -> Result<VoucherTotals, ChainError> {
		let paid = Self::vouchers_paid(self, &[*place], None).await?;
		Ok(paid.first().copied().unwrap_or_default())
	}

	async fn channel(&self, key: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), ChainError> {
		let (number, hash) = self.finalised().await?;
		let channels = self.channels(&[*key], Some(hash)).await?;
		Ok((number, channels.first().copied().flatten()))
	}
}

/// The block up to which the best chain says all, whichever fork becomes final.
fn all_known(head: Head) -> BlockNumber {
	head.finalised.max(head.best.saturating_sub(LONGEST_FORK))
}

/// What the chain said, and when.
#[derive(Debug)]
struct Answer {
	account: ViewerAccount,
	known: BlockNumber,
	at: Instant,
}

/// An account that somebody is served for. Refreshed as long as a clone of the `Arc` lives.
#[derive(Debug)]
pub struct Entry(Mutex<Answer>);

impl Entry {
	fn new((known, account): (BlockNumber, ViewerAccount)) -> Self {
		let at = Instant::now();
		Self(Mutex::new(Answer { account, known, at }))
	}

	/// As the chain said last.
	pub fn get(&self) -> ViewerAccount {
		self.known().1
	}

	/// The same, and the block up to which that says all: what happened behind it, we may not have heard of.
	pub fn known(&self) -> (BlockNumber, ViewerAccount) {
		let answer = self.lock();
		(answer.known, answer.account.clone())
	}

	fn set(&self, (known, account): (BlockNumber, ViewerAccount)) {
		let at = Instant::now();
		*self.lock() = Answer { account, known, at };
	}

	fn age(&self) -> Duration {
		self.lock().at.elapsed()
	}

	fn lock(&self) -> MutexGuard<'_, Answer> {
		// Replaced whole: never half written.
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// See the module.
#[derive(Debug)]
pub struct Accounts<L> {
	ledger: L,
	pace: Pace,
	entries: Mutex<HashMap<AccountId, Weak<Entry>>>,
	requests: Semaphore,
}

impl<L: Ledger> Accounts<L> {
	/// Of no one yet.
	pub fn new(ledger: L, pace: Pace) -> Self {
		Self {
			ledger,
			pace,
			entries: Mutex::new(HashMap::new()),
			requests: Semaphore::new(CONCURRENT_REQUESTS),
		}
	}

	#[cfg(test)]
	pub(crate) fn ledger(&self) -> &L {
		&self.ledger
	}

	/// Asks the ledger, unless it was asked just now.
	pub async fn fetch(&self, id: AccountId) -> Result<Arc<Entry>, L::Error> {
		let known = self.lock().get(&id).and_then(Weak::upgrade);
		if let Some(entry) = known.filter(|entry| entry.age() < self.pace.fresh) {
			return Ok(entry);
		}
		let account = self.ask(&id).await?;
		let mut entries = self.lock();
		// Another subscription may have been faster.
		if let Some(entry) = entries.get(&id).and_then(Weak::upgrade) {
			entry.set(account);
			return Ok(entry);
		}
		let entry = Arc::new(Entry::new(account));
		entries.insert(id, Arc::downgrade(&entry));
		Ok(entry)
	}

	/// What vouchers have paid at a place.
	pub async fn vouchers_paid(&self, place: &VoucherPlace) -> Result<VoucherTotals, L::Error> {
		let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
		self.ledger.vouchers_paid(place).await
	}

	/// What a channel reserves in the last finalised block.
	pub async fn channel(&self, key: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), L::Error> {
		let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
		self.ledger.channel(key).await
	}

	/// Keeps all accounts in use fresh, and forgets the others. Runs until it is dropped.
	pub async fn refresh(&self) {
		loop {
			tokio::time::sleep(self.pace.fresh).await;
			let due: Vec<(AccountId, Arc<Entry>)> = {
				let mut entries = self.lock();
				entries.retain(|_, entry| entry.strong_count() > 0);
				let alive = entries.iter().filter_map(|(id, entry)| Some((*id, entry.upgrade()?)));
				alive.filter(|(_, entry)| entry.age() >= self.pace.stale).collect()
			};
			let asked = due.iter().map(|(id, entry)| async move {
				match self.ask(id).await {
					Ok(account) => entry.set(account),
					Err(error) => tracing::warn!(%error, "cannot refresh a viewer's account; keeping the last answer"),
				}
			});
			futures::future::join_all(asked).await;
		}
	}

	async fn ask(&self, id: &AccountId) -> Result<(BlockNumber, ViewerAccount), L::Error> {
		let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
		self.ledger.viewer_account(id).await
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Weak<Entry>>> {
		// A map of weak references is good in any state that a panic leaves.
		self.entries.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use std::sync::atomic::{AtomicUsize, Ordering};

	/// Answers the same for every account, and counts.
	#[derive(Clone, Debug, Default)]
	pub struct Fake {
		pub account: ViewerAccount,
		pub known: BlockNumber,
		pub paid: VoucherTotals,
		pub channel: Arc<Mutex<Option<ChannelInfo>>>,
		pub asked: Arc<AtomicUsize>,
	}

	impl Ledger for Fake {
		type Error = &'static str;

		async fn viewer_account(&self, _: &AccountId) -> Result<(BlockNumber, ViewerAccount), Self::Error> {
			self.asked.fetch_add(1, Ordering::Relaxed);
			Ok((self.known, self.account.clone()))
		}

		async fn vouchers_paid(&self, _: &VoucherPlace) -> Result<VoucherTotals, Self::Error> {
			Ok(self.paid)
		}

		async fn channel(&self, _: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), Self::Error> {
			Ok((1, *self.channel.lock().unwrap()))
		}
	}

	const WHO: AccountId = AccountId([1; 32]);

	#[test]
	fn what_the_best_chain_says_of_its_last_minute_may_be_undone() {
		let known = |best, finalised| all_known(Head { best, finalised });
		assert_eq!(known(1_000, 997), 997);
		assert_eq!(known(1_000, 100), 970, "finality stands");
		assert_eq!(known(3, 0), 0);
	}

	#[tokio::test]
	async fn account_is_asked_for_once_then_in_the_background_until_nobody_needs_it() {
		let ledger = Fake::default();
		let asked = || ledger.asked.load(Ordering::Relaxed);
		let accounts = Accounts::new(ledger.clone(), Pace::default());
		let held = accounts.fetch(WHO).await.unwrap();
		assert!(Arc::ptr_eq(&held, &accounts.fetch(WHO).await.unwrap()));
		assert_eq!(asked(), 1, "fresh");

		let quick = Pace {
			fresh: Duration::from_millis(1),
			stale: Duration::from_millis(1),
		};
		let accounts = Accounts {
			pace: quick,
			..accounts
		};
		tokio::time::sleep(quick.fresh).await;
		assert!(
			Arc::ptr_eq(&held, &accounts.fetch(WHO).await.unwrap()),
			"one entry for all its subscriptions"
		);
		assert_eq!(asked(), 2, "not fresh");

		let watched = async {
			while asked() < 10 {
				tokio::task::yield_now().await;
			}
			drop(held);
			while !accounts.lock().is_empty() {
				tokio::task::yield_now().await;
			}
		};
		tokio::select! {
			() = accounts.refresh() => unreachable!("it runs for ever"),
			done = tokio::time::timeout(Duration::from_secs(10), watched) => done.expect("refreshed, then forgotten"),
		}
	}
}
