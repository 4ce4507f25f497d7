//! What a broadcaster's key signs in one run: each window behind the one before it, the catalog that describes them, how
//! it stands. A run is an epoch, or several where its clock was set back.

use crate::window::{Draft, EncodedWindow, Setting, WindowError};
use alloc::sync::Arc;
use bytes::Bytes;
use clustercast_primitives::{
	catalog::{Catalog, SignedCatalog, Track},
	crypto::KeyPair,
	ext::Items,
	merkle::{self, DEFAULT_CHUNK_LOG2},
	status::{SignedStatus, State, Status, TrackState, TrackStates, MAX_VALID_MS},
	text::Text,
	window::flags,
	BlockNumber, Hash, History, StreamId, WindowId,
};

/// What the media says of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
	/// See [`flags`].
	pub flags: u16,
	/// When its first frame was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// How long it plays, milliseconds.
	pub duration_ms: u32,
}

/// One track of one stream in one epoch.
#[derive(Debug)]
pub struct Broadcast {
	key: KeyPair,
	genesis: Hash,
	title: Text<128>,
	/// Place of the next window.
	next: WindowId,
	/// Of the windows so far.
	history: History,
	/// [`Announced::hash`](crate::Announced::hash) of the newest one; zero before the first.
	last: Hash,
	/// When it ends: Unix time, milliseconds.
	ends_ms: u64,
	setting: Option<Setting>,
	/// Number of the next catalog.
	catalogs: u32,
	/// Number of the next status.
	status: u64,
	/// Latest time that a status said: Unix time, milliseconds.
	said_ms: u64,
	/// The newest status of the epoch before.
	after: Hash,
}

impl Broadcast {
	/// Begins an epoch. `epoch` must never have been used under this stream, see [`WindowId::epoch`]; `after` is the hash of
	/// the newest status known of the one before, zero for none; segments count from `segment`.
	pub fn begin(key: KeyPair, genesis: Hash, stream: StreamId, epoch: BlockNumber, after: Hash, segment: u64) -> Self {
		Self {
			key,
			genesis,
			title: Text::default(),
			next: WindowId {
				stream,
				track: 0,
				epoch,
				segment,
				part: 0,
			},
			history: History::default(),
			last: Hash([0; 32]),
			ends_ms: 0,
			setting: None,
			catalogs: 0,
			status: 0,
			said_ms: 0,
			after,
		}
	}

	/// The same, with this title in its catalogs.
	pub fn titled(mut self, title: Text<128>) -> Self {
		self.title = title;
		self
	}

	/// The windows that follow are decoded with this. Makes a new catalog where it differs from what is in force.
	pub fn describe(&mut self, track: Track, init: Bytes) {
		let track = Track {
			id: self.next.track,
			..track
		};
		let in_force = self
			.setting
			.as_ref()
			.is_some_and(|setting| setting.init == init && setting.catalog.catalog.track(track.id) == Some(&track));
		if in_force {
			return;
		}
		let mut catalog = Catalog {
			stream: self.next.stream,
			epoch: self.next.epoch,
			number: self.catalogs,
			title: self.title.clone(),
			tracks: Default::default(),
			protection: Default::default(),
			mirrors: Default::default(),
		};
		catalog.tracks.force_push(track);
		self.catalogs += 1;
		self.setting = Some(Setting {
			catalog: Arc::new(SignedCatalog::sign(catalog, &self.key, &self.genesis)),
			init,
		});
	}

	/// Signs the next window. It takes its place only with [`Broadcast::advance`]: a broadcaster has it on disk before.
	pub fn draft(&self, timing: Timing, data: &[u8]) -> Result<EncodedWindow, WindowError> {
		let draft = Draft {
			id: self.next,
			flags: timing.flags,
			start_ms: timing.start_ms,
			duration_ms: timing.duration_ms,
			history: self.history.clone(),
			items: Items::default(),
			chunk_log2: DEFAULT_CHUNK_LOG2,
		};
		let setting = self.setting.clone().ok_or(WindowError::Catalog)?;
		EncodedWindow::sign(draft, setting, data, &self.key, &self.genesis)
	}

	/// The window of the last [`Broadcast::draft`] is out.
	pub fn advance(&mut self, window: &EncodedWindow) {
		debug_assert_eq!(window.id(), self.next);
		self.history = window.history_after();
		self.last = window.hash();
		self.ends_ms = window
			.header()
			.start_ms
			.saturating_add(window.header().duration_ms.into());
		match window.header().has(flags::LAST_PART) {
			true => (self.next.segment, self.next.part) = (self.next.segment.saturating_add(1), 0),
			false => self.next.part = self.next.part.saturating_add(1),
		}
	}

	/// Signs the next window and moves on.
	pub fn sign(&mut self, timing: Timing, data: &[u8]) -> Result<EncodedWindow, WindowError> {
		let window = self.draft(timing, data)?;
		self.advance(&window);
		Ok(window)
	}

	/// A whole segment of two seconds that can be decoded by itself.
	pub fn segment(&mut self, start_ms: u64, data: &[u8]) -> Result<EncodedWindow, WindowError> {
		let timing = Timing {
			flags: flags::INDEPENDENT | flags::LAST_PART,
			start_ms,
			duration_ms: 2_000,
		};
		self.sign(timing, data)
	}

	/// Signs how it stands while it runs; the next one has a higher number. Within an epoch the time does not go back: whoever
	/// counted it on would take the word for an old one.
	pub fn status(&mut self, state: State, at_ms: u64) -> SignedStatus {
		self.said_ms = self.said_ms.max(at_ms);
		let at_ms = self.said_ms;
		let number = self.status;
		self.status = self.status.saturating_add(1);
		self.sign_status(number, state, at_ms)
	}

	/// Signs that the epoch is over with the newest window: the last word about it, of the highest number. It follows from
	/// the windows alone, so whoever says it again, after a crash, says the same.
	pub fn end(&self) -> SignedStatus {
		self.sign_status(u64::MAX, State::Ended, self.ends_ms)
	}

	fn sign_status(&self, number: u64, state: State, at_ms: u64) -> SignedStatus {
		let track = TrackState {
			track: self.next.track,
			count: self.history.count(),
			last: self.last,
			history: self.history.root(),
		};
		let mut tracks = TrackStates::new();
		tracks.force_push(track);
		let status = Status {
			stream: self.next.stream,
			epoch: self.next.epoch,
			number,
			state,
			at_ms,
			valid_ms: MAX_VALID_MS,
			after: self.after,
			tracks: merkle::empty_root(),
		};
		SignedStatus::sign(status, tracks, &self.key, &self.genesis)
	}

	/// Place of the next window.
	pub fn next(&self) -> WindowId {
		self.next
	}

	/// The newest status of the epoch before.
	pub fn after(&self) -> Hash {
		self.after
	}

	/// Goes on behind this window of its epoch, under its catalog.
	pub fn resume(&mut self, window: &EncodedWindow) {
		self.next = window.id();
		self.catalogs = window.catalog().catalog.number.saturating_add(1);
		self.setting = Some(window.setting().clone());
		self.advance(window);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{stream_key, GENESIS, STREAM};
	use clustercast_primitives::merkle::Proof;

	fn begin(epoch: BlockNumber, after: Hash) -> Broadcast {
		let mut broadcast = Broadcast::begin(stream_key(), GENESIS, STREAM, epoch, after, 7);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		broadcast
	}

	#[test]
	fn windows_follow_each_other_and_the_status_proves_them() {
		let mut broadcast = begin(5, Hash([0; 32]));
		let windows: Vec<_> = (0..9)
			.map(|i| broadcast.segment(2_000 * i, &[i as u8; 50]).unwrap())
			.collect();
		for pair in windows.windows(2) {
			assert!(pair[1].header().follows(&pair[0].history_after()));
			assert_eq!(pair[1].id().segment, pair[0].id().segment + 1);
		}
		let status = broadcast.status(State::Live, 20_000);
		assert_eq!(status.check(&stream_key().public(), &GENESIS), Ok(()));
		let hashes: Vec<Hash> = windows.iter().map(|window| window.hash()).collect();
		for (index, window) in windows.iter().enumerate() {
			assert!(status.proves(window.header(), &Proof::new(&hashes, index as u64).unwrap()));
		}
		let ended = broadcast.end();
		assert!(ended.status.message.supersedes(&status.status.message));
		assert_eq!(ended.tracks, status.tracks);
		assert_eq!(ended.status.message.at_ms, 18_000);
	}

	#[test]
	fn statuses_of_an_epoch_do_not_go_back_in_time() {
		let mut broadcast = begin(5, Hash([0; 32]));
		let times = [20_000, 19_000, 24_000].map(|at| broadcast.status(State::Live, at).status.message.at_ms);
		assert_eq!(times, [20_000, 20_000, 24_000]);
	}

	#[test]
	fn draft_that_is_not_taken_leaves_its_place() {
		let mut broadcast = begin(5, Hash([0; 32]));
		let timing = Timing {
			flags: flags::INDEPENDENT,
			start_ms: 0,
			duration_ms: 200,
		};
		let lost = broadcast.draft(timing, b"one").unwrap();
		let taken = broadcast.sign(timing, b"other").unwrap();
		assert_eq!(lost.id(), taken.id());
		let next = broadcast.sign(timing, b"two").unwrap();
		assert_eq!((next.id().segment, next.id().part), (7, 1));
	}

	#[test]
	fn catalog_changes_with_what_it_describes() {
		let mut broadcast = begin(5, Hash([0; 32]));
		let number = |broadcast: &mut Broadcast| broadcast.segment(0, b"x").unwrap().catalog().catalog.number;
		assert_eq!(number(&mut broadcast), 0);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		assert_eq!(number(&mut broadcast), 0);
		broadcast.describe(Track::unknown(b"other"), Bytes::from_static(b"other"));
		assert_eq!(number(&mut broadcast), 1);
		let fresh = Broadcast::begin(stream_key(), GENESIS, STREAM, 6, Hash([0; 32]), 0);
		let timing = Timing {
			flags: 0,
			start_ms: 0,
			duration_ms: 0,
		};
		assert_eq!(fresh.draft(timing, b"x").unwrap_err(), WindowError::Catalog);
	}

	#[test]
	fn resumed_run_goes_on_behind_the_window() {
		let mut broadcast = begin(5, Hash([3; 32]));
		let first = broadcast.segment(0, b"one").unwrap();
		let mut resumed = begin(5, Hash([3; 32]));
		resumed.resume(&first);
		assert_eq!(
			resumed.end(),
			broadcast.end(),
			"the last word is the same whoever says it"
		);
		let second = resumed.segment(2_000, b"two").unwrap();
		assert!(second.header().follows(&first.history_after()));
		assert_eq!(second.catalog(), first.catalog());
	}
}
