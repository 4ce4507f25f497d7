//! Puts vouchers on disk for all viewers at once. Every window brings one, and each must be safe before its viewer is
//! told so; a sync takes milliseconds. So one thread writes whatever has come while it wrote the last ones.

use crate::{desk::unix_ms, store::Store};
use clustercast_primitives::SignedVoucher;
use std::{io, sync::Arc, thread};
use tokio::sync::{mpsc, oneshot};

/// Vouchers in one transaction, and vouchers that wait for theirs.
const MAX_TOGETHER: usize = 1_000;

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

/// See the module. Dropped, it waits for its thread, which writes what it has.
#[derive(Debug)]
pub struct Recorder {
	/// `None` only while it is dropped.
	entries: Option<mpsc::Sender<Entry>>,
	thread: Option<thread::JoinHandle<()>>,
}

impl Recorder {
	/// Starts the thread.
	pub fn start(store: Arc<Store>) -> io::Result<Self> {
		let (sender, entries) = mpsc::channel(MAX_TOGETHER);
		let thread = thread::Builder::new()
			.name("recorder".into())
			.spawn(move || record(&store, entries))?;
		Ok(Self {
			entries: Some(sender),
			thread: Some(thread),
		})
	}

	/// Ends when the voucher is on disk.
	pub async fn keep(&self, voucher: SignedVoucher) -> Result<(), NotKept> {
		let (answer, kept) = oneshot::channel();
		let entries = self.entries.as_ref().ok_or(NotKept::Failed)?;
		let sent = entries.send(Entry { voucher, answer }).await;
		sent.map_err(|_| NotKept::Failed)?;
		kept.await.unwrap_or(Err(NotKept::Failed))
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

fn record(store: &Store, mut entries: mpsc::Receiver<Entry>) {
	while let Some(first) = entries.blocking_recv() {
		let more = std::iter::from_fn(|| entries.try_recv().ok());
		let together = std::iter::once(first).chain(more).take(MAX_TOGETHER);
		let (vouchers, answers): (Vec<_>, Vec<_>) = together.map(|e| (e.voucher, e.answer)).unzip();
		let kept = store.keep(&vouchers, unix_ms()).inspect_err(|error| {
			tracing::error!(%error, "vouchers could not be stored; their viewers are not served on");
		});
		for (at, answer) in answers.into_iter().enumerate() {
			// A viewer who left meanwhile does not hear it.
			let _ = answer.send(match &kept {
				Ok(kept) if kept[at] => Ok(()),
				Ok(_) => Err(NotKept::Full),
				Err(_) => Err(NotKept::Failed),
			});
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::store::{tests::GENESIS, vouchers::tests::voucher};

	#[tokio::test]
	async fn vouchers_of_many_viewers_are_on_disk_when_they_are_answered() {
		let dir = tempfile::tempdir().unwrap();
		let open = || Store::open(&dir.path().join("winners.redb"), &GENESIS).unwrap();
		let store = Arc::new(open());
		let recorder = Recorder::start(store.clone()).unwrap();
		let all = (0..200).map(|session| recorder.keep(voucher(session, 1_000, 9)));
		assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
		assert_eq!(store.owing().unwrap().len(), 200);
		drop(recorder);
		drop(Arc::into_inner(store).expect("its thread has let the store go"));
		assert_eq!(open().owing().unwrap().len(), 200);
	}
}
