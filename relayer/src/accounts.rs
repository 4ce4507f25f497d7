//! What the chain says of the viewers served: asked once when a viewer comes, refreshed in the background while it
//! stays, never asked for a ticket. Where the node does not answer, what it said within the last two minutes counts, also of
//! viewers who come back.

use clustercast_chain::{Chain, ChainError, Head};
use clustercast_cli::Seldom;
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
use tokio::{
	sync::Semaphore,
	time::{error::Elapsed, timeout, Instant},
};

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

/// Older answers count for nothing: as far as a relayer goes by the clock.
pub const OLDEST: Duration = Duration::from_secs(120);

/// How long the node may take to answer, where there is something else to go by. Three such answers are waited for when
/// somebody subscribes, for 5 s.
const ANSWER: Duration = Duration::from_millis(1_500);

/// Accounts whose last answer is kept after they have left: some hundred bytes each.
const MAX_LAST: usize = 1_000;

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
		// Read before: the answer may be of a later block. Asked for, since another node may answer by now, or the same one
		// anew from its beginning: then what it says is old.
		let known = self.best().await?.min(all_known(self.head()));
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
#[derive(Clone, Debug)]
struct Answer {
	account: ViewerAccount,
	known: BlockNumber,
	at: Instant,
}

/// An account that somebody is served for. Refreshed as long as a clone of the `Arc` lives.
#[derive(Debug)]
pub struct Entry(Mutex<Answer>);

impl Entry {
	/// As the chain said last.
	pub fn get(&self) -> ViewerAccount {
		self.known().1
	}

	/// The same, and the block up to which that says all: what happened behind it, we may not have heard of.
	pub fn known(&self) -> (BlockNumber, ViewerAccount) {
		let answer = self.lock();
		(answer.known, answer.account.clone())
	}

	/// Takes an answer, unless it is of an older block than the one before: a node that is behind knows less than we do.
	fn set(&self, answer: Answer) {
		let mut known = self.lock();
		if answer.known >= known.known {
			*known = answer;
		}
	}

	/// How long ago the chain said it.
	pub fn age(&self) -> Duration {
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
	known: Mutex<Known>,
	requests: Semaphore,
	/// What people are told of a node that does not answer.
	trouble: Mutex<Seldom>,
}

#[derive(Debug, Default)]
struct Known {
	/// Of those who are served.
	served: HashMap<AccountId, Weak<Entry>>,
	/// The last answers, also of those who have left.
	last: HashMap<AccountId, Answer>,
}

impl Known {
	fn note(&mut self, id: AccountId, answer: &Answer) {
		if self.last.get(&id).is_some_and(|last| last.known > answer.known) {
			return;
		}
		self.last.insert(id, answer.clone());
		if self.last.len() > MAX_LAST {
			let oldest = self.last.iter().min_by_key(|(_, answer)| answer.at).map(|(id, _)| *id);
			oldest.map(|id| self.last.remove(&id));
		}
	}

	/// What is known of an account where the chain says nothing.
	fn last(&self, id: &AccountId) -> Option<Answer> {
		let served = self
			.served
			.get(id)
			.and_then(Weak::upgrade)
			.map(|entry| entry.lock().clone());
		let answer = served.or_else(|| self.last.get(id).cloned());
		answer.filter(|answer| answer.at.elapsed() < OLDEST)
	}

	/// The entry of an account, with this answer.
	fn serve(&mut self, id: AccountId, answer: Answer) -> Arc<Entry> {
		if let Some(entry) = self.served.get(&id).and_then(Weak::upgrade) {
			entry.set(answer);
			return entry;
		}
		let entry = Arc::new(Entry(Mutex::new(answer)));
		self.served.insert(id, Arc::downgrade(&entry));
		entry
	}

	fn forget(&mut self) {
		self.served.retain(|_, entry| entry.strong_count() > 0);
		self.last.retain(|_, answer| answer.at.elapsed() < OLDEST);
	}
}

impl<L: Ledger> Accounts<L> {
	/// Of no one yet.
	pub fn new(ledger: L, pace: Pace) -> Self {
		Self {
			ledger,
			pace,
			known: Mutex::default(),
			requests: Semaphore::new(CONCURRENT_REQUESTS),
			trouble: Mutex::default(),
		}
	}

	/// How old answers may get.
	pub fn pace(&self) -> Pace {
		self.pace
	}

	#[cfg(test)]
	pub(crate) fn ledger(&self) -> &L {
		&self.ledger
	}

	/// Asks the ledger, unless it was asked just now. Where it does not answer, what it said last; `None` where that is too old.
	pub async fn fetch(&self, id: AccountId) -> Option<Arc<Entry>> {
		let known = self.lock().served.get(&id).and_then(Weak::upgrade);
		if let Some(entry) = known.filter(|entry| entry.age() < self.pace.fresh) {
			return Some(entry);
		}
		let last = self.lock().last(&id);
		let asked = self.ask(&id);
		let answer = match last {
			Some(last) => {
				let answer = self.answered(timeout(ANSWER, asked).await);
				answer.filter(|answer| answer.known >= last.known).unwrap_or(last)
			},
			None => self.answered(Ok(asked.await))?,
		};
		let mut known = self.lock();
		known.note(id, &answer);
		Some(known.serve(id, answer))
	}

	/// What vouchers have paid at a place; `None` where the chain does not say.
	pub async fn vouchers_paid(&self, place: &VoucherPlace) -> Option<VoucherTotals> {
		let asked = async {
			let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
			self.ledger.vouchers_paid(place).await
		};
		self.answered(timeout(ANSWER, asked).await)
	}

	/// What a channel reserves in the last finalised block, and its number; `None` where the chain does not say.
	pub async fn channel(&self, key: &ChannelKey) -> Option<(BlockNumber, Option<ChannelInfo>)> {
		let asked = async {
			let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
			self.ledger.channel(key).await
		};
		self.answered(timeout(ANSWER, asked).await)
	}

	/// Keeps all accounts in use fresh, and forgets the others. Runs until it is dropped.
	pub async fn refresh(&self) {
		loop {
			tokio::time::sleep(self.pace.fresh).await;
			let due: Vec<(AccountId, Arc<Entry>)> = {
				let mut known = self.lock();
				known.forget();
				let alive = known
					.served
					.iter()
					.filter_map(|(id, entry)| Some((*id, entry.upgrade()?)));
				alive.filter(|(_, entry)| entry.age() >= self.pace.stale).collect()
			};
			let asked = due.iter().map(|(id, entry)| async move {
				if let Some(answer) = self.answered(Ok(self.ask(id).await)) {
					self.lock().note(*id, &answer);
					entry.set(answer);
				}
			});
			futures::future::join_all(asked).await;
		}
	}

	async fn ask(&self, id: &AccountId) -> Result<Answer, L::Error> {
		let _permit = self.requests.acquire().await.expect("the semaphore is never closed");
		let (known, account) = self.ledger.viewer_account(id).await?;
		let at = Instant::now();
		Ok(Answer { account, known, at })
	}

	/// The answer; says that there is none, once a minute.
	fn answered<T>(&self, answer: Result<Result<T, L::Error>, Elapsed>) -> Option<T> {
		let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
		let error = match answer {
			Ok(Ok(answer)) => {
				trouble.well();
				return Some(answer);
			},
			Ok(Err(error)) => error.to_string(),
			Err(_) => format!("no answer within {ANSWER:?}"),
		};
		if let Some(untold) = trouble.due(Instant::now().into_std()) {
			tracing::warn!(%error, untold, "the node says nothing of viewers: what it said within two minutes counts");
		}
		None
	}

	fn lock(&self) -> MutexGuard<'_, Known> {
		// Each change is whole: good in any state that a panic leaves.
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use clustercast_primitives::PublicKey;
	use std::sync::atomic::{AtomicUsize, Ordering};

	/// Answers the same for every account, and counts.
	#[derive(Clone, Debug, Default)]
	pub struct Fake {
		pub account: ViewerAccount,
		pub known: BlockNumber,
		pub paid: VoucherTotals,
		pub channel: Arc<Mutex<Option<ChannelInfo>>>,
		pub asked: Arc<AtomicUsize>,
		pub state: Arc<Mutex<Node>>,
	}

	/// How the ledger is.
	#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
	pub enum Node {
		#[default]
		Well,
		Refuses,
		Hangs,
	}

	impl Fake {
		pub fn set(&self, node: Node) {
			*self.state.lock().unwrap() = node;
		}

		async fn reach(&self) -> Result<(), &'static str> {
			let node = *self.state.lock().unwrap();
			match node {
				Node::Well => Ok(()),
				Node::Refuses => Err("no node"),
				Node::Hangs => std::future::pending().await,
			}
		}
	}

	impl Ledger for Fake {
		type Error = &'static str;

		async fn viewer_account(&self, _: &AccountId) -> Result<(BlockNumber, ViewerAccount), Self::Error> {
			self.asked.fetch_add(1, Ordering::Relaxed);
			self.reach().await?;
			Ok((self.known, self.account.clone()))
		}

		async fn vouchers_paid(&self, _: &VoucherPlace) -> Result<VoucherTotals, Self::Error> {
			self.reach().await?;
			Ok(self.paid)
		}

		async fn channel(&self, _: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), Self::Error> {
			self.reach().await?;
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
	async fn what_the_node_said_last_counts_for_two_minutes_where_it_says_nothing() {
		for node in [Node::Refuses, Node::Hangs] {
			let accounts = Accounts::new(Fake::default(), Pace::default());
			drop(accounts.fetch(WHO).await.unwrap());
			let pass = |time| accounts.lock().last.values_mut().for_each(|answer| answer.at -= time);
			accounts.ledger().set(node);
			pass(Duration::from_secs(60));
			let entry = accounts.fetch(WHO).await.expect("said a minute ago");
			assert!(entry.age() >= Duration::from_secs(60), "it is as old as it was");
			drop(entry);
			let (session, recipient) = (PublicKey([4; 32]), WHO);
			assert!(accounts.channel(&ChannelKey { session, recipient }).await.is_none());
			pass(Duration::from_secs(60));
			let late = timeout(2 * ANSWER, accounts.fetch(WHO)).await;
			assert!(late.is_err() || late.unwrap().is_none(), "{node:?}");
			accounts.ledger().set(Node::Well);
			assert!(accounts.fetch(WHO).await.unwrap().age() < ANSWER);
		}
	}

	/// The node was replaced by one that syncs: it knows of no session yet.
	#[tokio::test]
	async fn node_that_is_behind_does_not_make_us_forget_what_we_knew() {
		let before = ViewerAccount {
			deposit: 5,
			..ViewerAccount::default()
		};
		let ledger = |known, account| Fake {
			account,
			known,
			..Fake::default()
		};
		let quick = Pace {
			fresh: Duration::ZERO,
			stale: Duration::ZERO,
		};
		let mut accounts = Accounts::new(ledger(100, before), quick);
		let entry = accounts.fetch(WHO).await.unwrap();
		let first = entry.lock().at;
		accounts.ledger = ledger(99, ViewerAccount::default());
		for _ in 0..3 {
			let again = accounts.fetch(WHO).await.unwrap();
			assert_eq!((again.known().0, again.get().deposit, again.lock().at), (100, 5, first));
		}
		let behind = accounts.ask(&WHO).await.unwrap();
		entry.set(behind);
		assert_eq!(entry.known().0, 100);
		drop(entry);
		assert_eq!(accounts.fetch(WHO).await.unwrap().get().deposit, 5);
		accounts.ledger = ledger(101, ViewerAccount::default());
		assert_eq!(accounts.fetch(WHO).await.unwrap().get().deposit, 0);
	}

	#[tokio::test]
	async fn answers_of_those_who_left_are_bounded() {
		let accounts = Accounts::new(Fake::default(), Pace::default());
		for n in 0..=MAX_LAST {
			let mut id = [0; 32];
			id[..8].copy_from_slice(&(n as u64).to_le_bytes());
			accounts.fetch(AccountId(id)).await.unwrap();
		}
		let known = accounts.lock();
		assert_eq!(known.last.len(), MAX_LAST);
		assert!(known.last(&AccountId([0; 32])).is_none(), "the oldest goes");
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
			while !accounts.lock().served.is_empty() {
				tokio::task::yield_now().await;
			}
		};
		tokio::select! {
			() = accounts.refresh() => unreachable!("it runs for ever"),
			done = tokio::time::timeout(Duration::from_secs(10), watched) => done.expect("refreshed, then forgotten"),
		}
	}
}
