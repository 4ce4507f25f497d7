//! The windows of the streams served, as they come, shared by everyone who serves them: a bounded cache and a bell that
//! rings when there is something new.

use clustercast_primitives::{SignedStatus, StreamId, TrackId};
use clustercast_protocol::{Cursor, EncodedWindow, Lookup, WindowCache};
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Changes whenever there is something new: see [`Feed::news`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
	/// Windows pushed so far.
	pub windows: u64,
	/// Statuses pushed so far.
	pub statuses: u64,
	/// No more will come: the broadcast is over.
	pub finished: bool,
}

/// Clones share the same windows.
#[derive(Clone, Debug)]
pub struct Feed {
	cache: Arc<Mutex<WindowCache>>,
	statuses: Arc<Mutex<BTreeMap<StreamId, Arc<SignedStatus>>>>,
	news: watch::Sender<News>,
}

impl Feed {
	/// Holds at most `max_bytes` of windows; the oldest go first.
	pub fn new(max_bytes: usize) -> Self {
		Self {
			cache: Arc::new(Mutex::new(WindowCache::new(max_bytes))),
			statuses: Arc::default(),
			news: watch::Sender::new(News::default()),
		}
	}

	/// Adds a window and wakes all who wait; `false`, without effect, when its place is taken.
	pub fn push(&self, window: EncodedWindow) -> bool {
		let new = self.lock().insert(window);
		if new {
			self.news.send_modify(|news| {
				news.windows += 1;
				news.finished = false;
			});
		}
		new
	}

	/// Takes a status whose signature verified and wakes all who wait; `false`, without effect, where it is not newer
	/// than the one that is here.
	pub fn push_status(&self, status: SignedStatus) -> bool {
		let message = &status.status.message;
		let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
		let known = statuses.get(&message.stream);
		if known.is_some_and(|known| !message.supersedes(&known.status.message)) {
			return false;
		}
		statuses.insert(message.stream, Arc::new(status));
		drop(statuses);
		self.news.send_modify(|news| news.statuses += 1);
		true
	}

	/// How a stream stands, by the newest status.
	pub fn status(&self, stream: StreamId) -> Option<Arc<SignedStatus>> {
		let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
		statuses.get(&stream).cloned()
	}

	/// Says that no more windows come: subscriptions end when they have delivered what is here. A window that comes
	/// nevertheless takes it back.
	pub fn finish(&self) {
		self.news.send_modify(|news| news.finished = true);
	}

	/// What the cursor asks for.
	pub fn get(&self, cursor: Cursor) -> Lookup {
		self.lock().get_after(cursor)
	}

	/// The newest window.
	pub fn latest(&self, stream: StreamId, track: TrackId) -> Option<EncodedWindow> {
		self.lock().latest(stream, track).cloned()
	}

	/// Bytes held.
	pub fn bytes(&self) -> usize {
		self.lock().bytes()
	}

	/// To wait on. Look with [`get`](Self::get) after each change.
	pub fn news(&self) -> watch::Receiver<News> {
		self.news.subscribe()
	}

	fn lock(&self) -> MutexGuard<'_, WindowCache> {
		// The cache's own code does not panic half-way; should it ever, its contents are still verified windows.
		self.cache.lock().unwrap_or_else(PoisonError::into_inner)
	}
}
