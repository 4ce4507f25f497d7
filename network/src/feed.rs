//! The windows of the streams served, as they come, shared by everyone who serves them: a bounded cache and a bell that
//! rings when there is something new.

use clustercast_primitives::{BlockNumber, Hash, SignedStatus, StreamId, TrackId};
use clustercast_protocol::{cache::MAX_BLOCKS_AHEAD, Cursor, EncodedWindow, Lookup, Standing, WindowCache};
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Changes whenever there is something new: see [`Feed::news`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
	/// Windows pushed so far.
	pub windows: u64,
	/// Statuses pushed so far.
	pub statuses: u64,
	/// No more will come: every broadcast is over.
	pub finished: bool,
}

/// Clones share the same windows.
#[derive(Clone, Debug)]
pub struct Feed {
	cache: Arc<Mutex<WindowCache>>,
	standings: Arc<Mutex<BTreeMap<StreamId, Standing>>>,
	/// Whether the broadcasts of the streams that are expected are over.
	over: Arc<Mutex<BTreeMap<StreamId, bool>>>,
	/// Standings count time from here.
	begun: Instant,
	news: watch::Sender<News>,
}

impl Feed {
	/// Holds at most `max_bytes` of windows, of all streams; see [`WindowCache`].
	pub fn new(max_bytes: usize) -> Self {
		Self {
			cache: Arc::new(Mutex::new(WindowCache::new(max_bytes))),
			standings: Arc::default(),
			over: Arc::default(),
			begun: Instant::now(),
			news: watch::Sender::new(News::default()),
		}
	}

	/// Adds a window and wakes all who wait; `false`, without effect, when its place is taken.
	pub fn push(&self, window: EncodedWindow) -> bool {
		let stream = window.id().stream;
		let new = self.lock().insert(window);
		if new {
			self.over().insert(stream, false);
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
		let stream = status.status.message.stream;
		let new = self
			.standings()
			.entry(stream)
			.or_default()
			.note_status(&status, self.now());
		if new {
			self.news.send_modify(|news| news.statuses += 1);
		}
		new
	}

	/// How a stream stands, by the newest status.
	pub fn status(&self, stream: StreamId) -> Option<SignedStatus> {
		self.standings().get(&stream)?.status().cloned()
	}

	/// The stream has another key now, which nothing that is here is signed with; the chain is at block `now`. Nobody begins
	/// with it, and the word of the key before holds no more. See [`WindowCache::retire`].
	pub fn retire(&self, stream: StreamId, now: BlockNumber) {
		self.lock().retire(stream, now);
		self.standings().remove(&stream);
	}

	/// Windows of this stream may come: as long as they may, what is served is not over.
	pub fn expect(&self, stream: StreamId) {
		self.over().entry(stream).or_insert(false);
	}

	/// Says that no more windows come: subscriptions end when they have delivered what is here. A window that comes
	/// nevertheless takes it back.
	pub fn finish(&self) {
		self.over().values_mut().for_each(|over| *over = true);
		self.news.send_modify(|news| news.finished = true);
	}

	/// The same of one stream.
	pub fn finish_stream(&self, stream: StreamId) {
		let mut over = self.over();
		over.insert(stream, true);
		let finished = over.values().all(|over| *over);
		// Under the lock: a window of another stream may come just now.
		self.news.send_modify(|news| news.finished = finished);
	}

	/// Whether no more windows of this stream come.
	pub fn is_over(&self, stream: StreamId) -> bool {
		self.news.borrow().finished || self.over().get(&stream) == Some(&true)
	}

	/// What the cursor asks for. Who begins live waits where the newest window is not: from before a pause, or of a run that
	/// ended ([`Standing::is_live`]). It stays for those who go on behind the one before it.
	pub fn get(&self, cursor: Cursor) -> Lookup {
		let found = self.lock().get_after(cursor);
		match (&found, cursor) {
			(Lookup::Found(window), Cursor::Live { stream, .. }) => {
				let standings = self.standings();
				let is_live = standings
					.get(&stream)
					.is_none_or(|standing| standing.is_live(window.header(), self.now()));
				match is_live {
					true => found,
					false => Lookup::NotYet,
				}
			},
			(Lookup::Unknown, Cursor::After { id, header }) => {
				let standings = self.standings();
				let status = standings.get(&id.stream).and_then(Standing::status);
				let epoch = status.map(|status| status.status.message.epoch);
				let last = status.and_then(|status| status.track(id.track)).map(|track| track.last);
				match epoch {
					// The broadcaster's newest word names it as the last there is.
					Some(epoch) if epoch == id.epoch && last == Some(header) => Lookup::NotYet,
					Some(epoch) if id.epoch > epoch.saturating_add(MAX_BLOCKS_AHEAD) => Lookup::Gone,
					_ => found,
				}
			},
			_ => found,
		}
	}

	/// The window of this stream whose header has this hash.
	pub fn find(&self, stream: StreamId, header: &Hash) -> Option<EncodedWindow> {
		let found = self.lock().find(header).cloned();
		found.filter(|window| window.id().stream == stream)
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

	fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	fn standings(&self) -> MutexGuard<'_, BTreeMap<StreamId, Standing>> {
		// A standing is replaced field by field, each of which is good alone.
		self.standings.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn over(&self) -> MutexGuard<'_, BTreeMap<StreamId, bool>> {
		// Each entry is good alone.
		self.over.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn lock(&self) -> MutexGuard<'_, WindowCache> {
		// The cache's own code does not panic half-way; should it ever, its contents are still verified windows.
		self.cache.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_served_is_over_when_every_stream_is() {
		let (one, other) = (StreamId(1), StreamId(2));
		let feed = Feed::new(1 << 20);
		let finished = || feed.news().borrow().finished;
		feed.expect(one);
		feed.expect(other);
		feed.finish_stream(one);
		assert!(!finished(), "the other has not begun");
		assert!(feed.is_over(one) && !feed.is_over(other));
		feed.finish_stream(other);
		assert!(finished());
		let alone = Feed::new(1 << 20);
		alone.finish_stream(one);
		assert!(alone.news().borrow().finished);
	}
}
