//! Puts vouchers on disk for all viewers at once. Every receipt brings one, and each must be safe before its viewer is
//! told so; a sync takes milliseconds. So one thread writes whatever has come while it wrote the last ones.
//!
//! Where the disk is full the newest voucher of each place is held in memory, and its viewer served on, as long as all that is
//! held is worth no more than the relayer lends strangers: only a crash before there is room would lose it.

use crate::{desk::unix_ms, store::Store};
use clustercast_primitives::{chain::VoucherPlace, Balance, SignedVoucher};
use std::{
	io,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	thread,
	time::Duration,
};
use tokio::{
	runtime::Handle,
	sync::{mpsc, oneshot},
	time::timeout,
};

/// Vouchers in one transaction, and vouchers that wait for theirs.
const MAX_TOGETHER: usize = 1_000;

/// How often what is held is tried to be stored.
const RETRY: Duration = Duration::from_secs(1);

/// Why a voucher is not on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
	/// Too many places owe something already.
	#[error("too many sessions owe something; accepting no more by voucher")]
	Full,
	/// The store failed; it is in the log.
	#[error("the store of vouchers failed")]
	Failed,
}

#[derive(Debug)]
struct Entry {
	voucher: SignedVoucher,
	answer: oneshot::Sender<Result<(), NotKept>>,
}

/// The newest vouchers that are not on disk.
#[derive(Debug, Default)]
struct Held {
	vouchers: Vec<SignedVoucher>,
	/// What they owe beyond those on disk, micro-USDC.
	worth: Balance,
}

impl Held {
	fn of(&self, place: &VoucherPlace) -> Option<&SignedVoucher> {
		self.vouchers.iter().find(|held| held.message.place() == *place)
	}

	/// Takes a voucher, where on disk there is one of `stored`; not where all would be worth more than `most`, or are too many.
	fn take(&mut self, voucher: SignedVoucher, stored: Balance, most: Balance) -> bool {
		let place = voucher.message.place();
		let at = self.vouchers.iter().position(|held| held.message.place() == place);
		let before = at.map_or(stored, |at| self.vouchers[at].message.amount.max(stored));
		let more = voucher.message.amount.saturating_sub(before);
		let worth = self.worth.saturating_add(more);
		if worth > most || (at.is_none() && self.vouchers.len() >= MAX_TOGETHER) {
			return false;
		}
		self.worth = worth;
		match at {
			Some(at) if more > 0 => self.vouchers[at] = voucher,
			Some(_) => {},
			None => self.vouchers.push(voucher),
		}
		true
	}
}

/// See the module. Dropped, it waits for its thread, which writes what it has.
#[derive(Debug)]
pub struct Recorder {
	/// `None` only while it is dropped.
	entries: Option<mpsc::Sender<Entry>>,
	held: Arc<Mutex<Held>>,
	thread: Option<thread::JoinHandle<()>>,
}

impl Recorder {
	/// Starts the thread, on the runtime. What is not on disk is worth at most so much, micro-USDC.
	pub fn start(store: Arc<Store>, most_held: Balance) -> io::Result<Self> {
		let (sender, entries) = mpsc::channel(MAX_TOGETHER);
		let held = Arc::new(Mutex::default());
		let work = Work {
			store,
			entries,
			held: held.clone(),
			most_held,
		};
		let runtime = Handle::current();
		let thread = thread::Builder::new()
			.name("recorder".into())
			.spawn(move || work.run(&runtime))?;
		Ok(Self {
			entries: Some(sender),
			held,
			thread: Some(thread),
		})
	}

	/// Ends when the voucher is safe.
	pub async fn keep(&self, voucher: SignedVoucher) -> Result<(), NotKept> {
		let (answer, kept) = oneshot::channel();
		let entries = self.entries.as_ref().ok_or(NotKept::Failed)?;
		let sent = entries.send(Entry { voucher, answer }).await;
		sent.map_err(|_| NotKept::Failed)?;
		kept.await.unwrap_or(Err(NotKept::Failed))
	}

	/// The newest voucher of a place that is not on disk yet.
	pub fn held(&self, place: &VoucherPlace) -> Option<SignedVoucher> {
		lock(&self.held).of(place).cloned()
	}
}

impl Drop for Recorder {
	fn drop(&mut self) {
		drop(self.entries.take());
		if let Some(Err(_)) = self.thread.take().map(thread::JoinHandle::join) {
			tracing::error!("the recorder of vouchers panicked");
		}
	}
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
	// A voucher more or less is held in any state that a panic leaves.
	held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's.
struct Work {
	store: Arc<Store>,
	entries: mpsc::Receiver<Entry>,
	held: Arc<Mutex<Held>>,
	most_held: Balance,
}

impl Work {
	fn run(mut self, runtime: &Handle) {
		loop {
			let nothing_held = lock(&self.held).vouchers.is_empty();
			let first = match nothing_held {
				true => self.entries.blocking_recv(),
				false => match runtime.block_on(async { timeout(RETRY, self.entries.recv()).await }) {
					Ok(first) => first,
					Err(_) => {
						self.store(Vec::new());
						continue;
					},
				},
			};
			let Some(first) = first else { break };
			let more = std::iter::from_fn(|| self.entries.try_recv().ok());
			let together = std::iter::once(first).chain(more).take(MAX_TOGETHER).collect();
			self.store(together);
		}
		self.store(Vec::new());
		let held = lock(&self.held);
		if !held.vouchers.is_empty() {
			let (vouchers, micro_usdc) = (held.vouchers.len(), held.worth);
			tracing::error!(vouchers, micro_usdc, "lost: vouchers that there was no room for");
		}
	}

	/// Stores these and what is held; or holds them.
	fn store(&self, entries: Vec<Entry>) {
		let (vouchers, answers): (Vec<_>, Vec<_>) = entries.into_iter().map(|e| (e.voucher, e.answer)).unzip();
		// Nobody but this thread changes what is held, and others look at it while this one waits for the disk.
		let before = lock(&self.held).vouchers.clone();
		let all: Vec<SignedVoucher> = [&before[..], &vouchers[..]].concat();
		if all.is_empty() {
			return;
		}
		let kept: Vec<Result<(), NotKept>> = match self.store.keep(&all, unix_ms()) {
			Ok(kept) => {
				*lock(&self.held) = Held::default();
				let kept = kept.into_iter().skip(before.len());
				kept.map(|kept| if kept { Ok(()) } else { Err(NotKept::Full) })
					.collect()
			},
			Err(error) => {
				tracing::debug!(%error, "vouchers are not stored");
				let hold = |voucher: SignedVoucher| {
					let stored = self.store.voucher(&voucher.message.place()).ok().flatten();
					let stored = stored.map_or(0, |kept| kept.newest.message.amount);
					match error.is_of_the_disk() && lock(&self.held).take(voucher, stored, self.most_held) {
						true => Ok(()),
						false => Err(NotKept::Failed),
					}
				};
				vouchers.into_iter().map(hold).collect()
			},
		};
		for (answer, kept) in answers.into_iter().zip(kept) {
			// A viewer who left meanwhile does not hear it.
			let _ = answer.send(kept);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::store::{
		tests::{on_a_disk, GENESIS},
		vouchers::tests::voucher,
	};
	use std::sync::atomic::{AtomicBool, Ordering};

	#[tokio::test]
	async fn vouchers_of_many_viewers_are_on_disk_when_they_are_answered() {
		let dir = tempfile::tempdir().unwrap();
		let open = || Store::open(&dir.path().join("winners.redb"), &GENESIS).unwrap();
		let store = Arc::new(open());
		let recorder = Recorder::start(store.clone(), 10).unwrap();
		let all = (0..200).map(|session| recorder.keep(voucher(session, 1_000, 9)));
		assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
		assert_eq!(store.owing().unwrap().len(), 200);
		assert!(recorder.held(&voucher(0, 0, 0).message.place()).is_none());
		drop(recorder);
		drop(Arc::into_inner(store).expect("its thread has let the store go"));
		assert_eq!(open().owing().unwrap().len(), 200);
	}
	#[tokio::test]
	async fn full_disk_stops_no_viewer_until_too_much_would_be_lost_with_it() {
		let (dir, full) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
		let store = Arc::new(on_a_disk(dir.path(), &full));
		let recorder = Recorder::start(store.clone(), 1_000).unwrap();
		recorder.keep(voucher(1, 5_000, 9)).await.unwrap();
		full.store(true, Ordering::Relaxed);
		for amount in [5_400, 5_800] {
			recorder.keep(voucher(1, amount, 9)).await.unwrap();
		}
		recorder.keep(voucher(2, 200, 9)).await.unwrap();
		assert_eq!(
			recorder.keep(voucher(3, 1, 9)).await,
			Err(NotKept::Failed),
			"1,000 are held"
		);
		let newest = |session| recorder.held(&voucher(session, 0, 0).message.place());
		assert_eq!(newest(1), Some(voucher(1, 5_800, 9)));
		full.store(false, Ordering::Relaxed);
		// By itself, without another voucher.
		let stored = async {
			while newest(2).is_some() {
				tokio::time::sleep(Duration::from_millis(20)).await;
			}
		};
		tokio::time::timeout(20 * RETRY, stored)
			.await
			.expect("it is stored when there is room");
		let mut amounts: Vec<_> = store
			.owing()
			.unwrap()
			.iter()
			.map(|(kept, _)| kept.newest.message.amount)
			.collect();
		amounts.sort_unstable();
		assert_eq!(amounts, [200, 5_800]);
		recorder.keep(voucher(3, 900, 9)).await.unwrap();
	}
}
