//! The windows of the streams served, as they come, shared by everyone who serves them: a bounded cache and a bell that
//! rings when there is something new.

use clustercast_primitives::StreamId;
use clustercast_protocol::{Cursor, EncodedWindow, Lookup, WindowCache};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Changes whenever there is something new: see [`Feed::news`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
	/// Windows pushed so far.
	pub windows: u64,
	/// No more will come: the broadcast is over.
	pub finished: bool,
}

/// Clones share the same windows.
#[derive(Clone, Debug)]
pub struct Feed {
	cache: Arc<Mutex<WindowCache>>,
	news: watch::Sender<News>,
}

impl Feed {
	/// Holds at most `max_bytes` of windows; the oldest go first.
	pub fn new(max_bytes: usize) -> Self {
		Self {
			cache: Arc::new(Mutex::new(WindowCache::new(max_bytes))),
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
	pub fn latest(&self, stream: StreamId, rendition: u8) -> Option<EncodedWindow> {
		self.lock().latest(stream, rendition).cloned()
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
