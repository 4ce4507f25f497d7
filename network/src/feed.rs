//! The windows of the streams served, as they come, in runs where they are large, shared by everyone who serves them: a bounded cache,
//! and for each stream a bell that rings when there is something new of it.

use bytes::Bytes;
use clustercast_primitives::{BlockNumber, Hash, SignedStatus, StreamId, TrackId};
use clustercast_protocol::{
	cache::MAX_BLOCKS_AHEAD, Announced, Chunks, Cursor, EncodedWindow, Lookup, Standing, WindowCache,
};
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// A window of which nothing more came for so long is sent to nobody else before it is whole.
const STARVED: Duration = Duration::from_secs(10);

/// Changes whenever there is something new of a stream: see [`Feed::news`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
	/// Windows pushed so far.
	pub windows: u64,
	/// Runs of windows of which the rest is coming, and times that it did not.
	pub runs: u64,
	/// When the last run came.
	pub grown: Option<Instant>,
	/// Statuses pushed so far.
	pub statuses: u64,
	/// No more will come: the broadcast is over.
	pub finished: bool,
}

/// One for each stream that is served or asked for.
#[derive(Debug, Default)]
struct Bells {
	of: BTreeMap<StreamId, watch::Sender<News>>,
	/// All streams are over, also those that nobody has asked for.
	over: bool,
}

impl Bells {
	fn bell(&mut self, stream: StreamId) -> &watch::Sender<News> {
		let finished = self.over;
		let fresh = || News {
			finished,
			..News::default()
		};
		self.of.entry(stream).or_insert_with(|| watch::Sender::new(fresh()))
	}
}

/// Clones share the same windows.
#[derive(Clone, Debug)]
pub struct Feed {
	cache: Arc<Mutex<WindowCache>>,
	standings: Arc<Mutex<BTreeMap<StreamId, Standing>>>,
	bells: Arc<Mutex<Bells>>,
	/// Standings count time from here.
	begun: Instant,
}

impl Feed {
	/// Holds at most `max_bytes` of windows, of all streams; see [`WindowCache`].
	pub fn new(max_bytes: usize) -> Self {
		Self {
			cache: Arc::new(Mutex::new(WindowCache::new(max_bytes))),
			standings: Arc::default(),
			bells: Arc::default(),
			begun: Instant::now(),
		}
	}

	/// Adds a window and wakes all who wait for its stream; `false`, without effect, when its place is taken.
	pub fn push(&self, window: EncodedWindow) -> bool {
		let stream = window.id().stream;
		let new = self.lock().insert(window);
		if new {
			self.ring(stream, |news| {
				news.windows += 1;
				news.finished = false;
			});
		}
		new
	}

	/// Adds a run of a window of which the rest is coming, and wakes all who wait for its stream; `false`, without effect, where it is not
	/// the next one. See [`WindowCache::extend`].
	pub fn extend(&self, of: &Arc<Announced>, run: Chunks) -> bool {
		let new = self.lock().extend(of, run);
		if new {
			self.ring(of.id().stream, |news| {
				(news.runs, news.grown) = (news.runs + 1, Some(Instant::now()));
				news.finished = false;
			});
		}
		new
	}

	/// Chunks of this window, from its beginning, that are here, where the next run of it may be added.
	pub fn reached(&self, of: &Announced) -> Option<u32> {
		self.lock().reached(of)
	}

	/// The rest of what is not whole of this stream does not come: what is being sent of it ends.
	pub fn give_up(&self, stream: StreamId) {
		if self.lock().give_up(stream) {
			self.ring(stream, |news| news.runs += 1);
		}
	}

	/// What is here of this window from this chunk on, shared; `None` where it went.
	pub fn rest(&self, header: &Hash, from: u32) -> Option<Vec<Bytes>> {
		Some(self.lock().held(header)?.rest(from))
	}

	/// Takes a status whose signature verified and wakes all who wait for its stream; `false`, without effect, where it is not
	/// newer than the one that is here.
	pub fn push_status(&self, status: SignedStatus) -> bool {
		let stream = status.status.message.stream;
		let new = self
			.standings()
			.entry(stream)
			.or_default()
			.note_status(&status, self.now());
		if new {
			self.ring(stream, |news| news.statuses += 1);
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
		self.give_up(stream);
		self.lock().retire(stream, now);
		self.standings().remove(&stream);
	}

	/// Windows of this stream may come: as long as they may, what is served is not over.
	pub fn expect(&self, stream: StreamId) {
		self.bells().bell(stream);
	}

	/// Says that no more windows come, of any stream: subscriptions end when they have delivered what is here. A window that comes
	/// nevertheless takes it back for its stream. What is not whole stays so.
	pub fn finish(&self) {
		let streams: Vec<_> = self.bells().of.keys().copied().collect();
		streams.into_iter().for_each(|stream| self.give_up(stream));
		let mut bells = self.bells();
		bells.over = true;
		let finish = |bell: &watch::Sender<News>| bell.send_modify(|news| news.finished = true);
		bells.of.values().for_each(finish);
	}

	/// The same of one stream.
	pub fn finish_stream(&self, stream: StreamId) {
		self.give_up(stream);
		self.ring(stream, |news| news.finished = true);
	}

	/// Whether no more windows of this stream come.
	pub fn is_over(&self, stream: StreamId) -> bool {
		let bells = self.bells();
		bells.of.get(&stream).map_or(bells.over, |bell| bell.borrow().finished)
	}

	/// What the cursor asks for. Who begins live waits where the newest window is not: from before a pause, or of a run that
	/// ended ([`Standing::is_live`]). It stays for those who go on behind the one before it. One of which nothing came for
	/// [`STARVED`] is begun for nobody: it may come whole.
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
			(Lookup::Open(window), _) => {
				let bells = self.bells();
				let grown = bells.of.get(&window.id().stream).and_then(|bell| bell.borrow().grown);
				match grown.is_some_and(|at| at.elapsed() < STARVED) {
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

	/// To wait on for something new of this stream. Look with [`get`](Self::get) after each change.
	pub fn news(&self, stream: StreamId) -> watch::Receiver<News> {
		self.bells().bell(stream).subscribe()
	}

	fn ring(&self, stream: StreamId, change: impl FnOnce(&mut News)) {
		self.bells().bell(stream).send_modify(change);
	}

	fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	fn standings(&self) -> MutexGuard<'_, BTreeMap<StreamId, Standing>> {
		// A standing is replaced field by field, each of which is good alone.
		self.standings.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn bells(&self) -> MutexGuard<'_, Bells> {
		// Each entry is good alone.
		self.bells.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn lock(&self) -> MutexGuard<'_, WindowCache> {
		// The cache's own code does not panic half-way; should it ever, its contents are still verified windows.
		self.cache.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, status::State};
	use clustercast_protocol::Broadcast;

	fn broadcast(stream: StreamId) -> Broadcast {
		let mut broadcast = Broadcast::begin(KeyPair::from_seed([2; 32]), Hash([7; 32]), stream, 1, Hash([0; 32]), 0);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		broadcast
	}

	#[test]
	fn stream_is_over_when_that_is_said_of_it_or_of_all() {
		let (one, other) = (StreamId(1), StreamId(2));
		let feed = Feed::new(1 << 20);
		feed.expect(one);
		feed.finish_stream(one);
		assert!(feed.is_over(one) && !feed.is_over(other));
		assert!(
			feed.push(broadcast(one).segment(0, b"window").unwrap()),
			"one comes nevertheless"
		);
		assert!(!feed.is_over(one));
		feed.finish();
		assert!(feed.is_over(one) && feed.is_over(other));
		assert!(feed.news(other).borrow().finished);
	}

	/// The fault: with N streams each window woke the viewers of all of them.
	#[test]
	fn nobody_is_woken_for_what_comes_of_another_stream() {
		let streams: Vec<_> = (1..=8).map(StreamId).collect();
		let feed = Feed::new(1 << 20);
		let mut waiting: Vec<_> = streams.iter().map(|stream| feed.news(*stream)).collect();
		let mut woken = || -> Vec<StreamId> {
			let of = streams.iter().zip(&mut waiting);
			let rung = of.filter(|(_, news)| news.has_changed().unwrap());
			rung.map(|(stream, news)| {
				news.mark_unchanged();
				*stream
			})
			.collect()
		};
		assert!(woken().is_empty());
		for stream in streams.iter().copied() {
			let mut broadcast = broadcast(stream);
			feed.expect(stream);
			assert!(woken().is_empty());
			assert!(feed.push(broadcast.segment(0, b"window").unwrap()));
			assert_eq!(woken(), [stream]);
			assert!(feed.push_status(broadcast.status(State::Live, 1)));
			assert_eq!(woken(), [stream]);
			feed.finish_stream(stream);
			assert_eq!(woken(), [stream]);
		}
		feed.finish();
		assert_eq!(woken(), streams, "all of them are over");
	}
}
