//! A window encoded once: every viewer is handed the same bytes.

use crate::{assembly::Announced, ledger::Piece, wire::Announcement};
use alloc::sync::Arc;
use bytes::Bytes;
use clustercast_primitives::{
	catalog::{init_hash, SignedCatalog, MAX_INIT_BYTES},
	crypto::KeyPair,
	ext::Items,
	merkle,
	window::{HeaderError, SignedHeader},
	Hash, History, WindowHeader, WindowId,
};
use core::{fmt, ops::Deref};

/// Why data makes no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
	/// The header's fields do not agree with each other.
	#[error(transparent)]
	Header(#[from] HeaderError),
	/// The header states another length than the data has.
	#[error("header states {stated} bytes, the data has {got}")]
	Length {
		/// In the header.
		stated: u32,
		/// Of the data.
		got: usize,
	},
	/// The header's root is not that of the data.
	#[error("the data has another root than the header")]
	Root,
	/// Initialisation segment longer than [`MAX_INIT_BYTES`].
	#[error("initialisation segment of {0} bytes; allowed are {MAX_INIT_BYTES}")]
	InitLength(usize),
	/// The catalog names another initialisation segment for the track.
	#[error("the catalog names another initialisation segment")]
	Init,
	/// The header names another catalog.
	#[error("the header names another catalog")]
	Catalog,
	/// The catalog has no such track.
	#[error("the catalog has no track {0}")]
	Track(u16),
	/// The header states another history.
	#[error("the header states another history")]
	History,
	/// The header names other items.
	#[error("the header names other items")]
	Items,
}

/// What a window is signed and decoded with: the same for many windows, and shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
	/// Describes its track.
	pub catalog: Arc<SignedCatalog>,
	/// Of its track.
	pub init: Bytes,
}

/// What a broadcaster decides about a window; the rest of its header follows from the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
	/// Which window it is.
	pub id: WindowId,
	/// See [`clustercast_primitives::window::flags`].
	pub flags: u16,
	/// When its first frame was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// How long it plays, milliseconds.
	pub duration_ms: u32,
	/// The headers before it in its epoch and track.
	pub history: History,
	/// What belongs to it beside the chunks.
	pub items: Items,
	/// Size of its chunks, as a power of two.
	pub chunk_log2: u8,
}

/// A window with all that belongs to it, in agreement, as it travels. Cloning shares it.
#[derive(Clone)]
pub struct EncodedWindow(Arc<Inner>);

struct Inner {
	of: Arc<Announced>,
	data: Bytes,
}

impl EncodedWindow {
	/// All of it, as a receipt names it.
	pub fn piece(&self) -> Piece {
		Piece::whole(self.header(), self.hash())
	}

	/// Joins a header with what it names. Hashes all of it; no signature is looked at.
	pub fn new(
		header: SignedHeader,
		setting: Setting,
		history: History,
		items: Items,
		data: &[u8],
	) -> Result<Self, WindowError> {
		header.message.check()?;
		setting.check(&header.message)?;
		if !header.message.follows(&history) {
			return Err(WindowError::History);
		}
		if items.root() != header.message.ext {
			return Err(WindowError::Items);
		}
		if header.message.bytes as usize != data.len() {
			return Err(WindowError::Length {
				stated: header.message.bytes,
				got: data.len(),
			});
		}
		let leaves = merkle::leaves(data, header.message.chunk_log2);
		if merkle::root(&leaves) != header.message.root {
			return Err(WindowError::Root);
		}
		let announcement = Announcement::new(header, items, leaves);
		let of = Announced::new(announcement, setting, history);
		Ok(Self::assemble(Arc::new(of), Bytes::copy_from_slice(data)))
	}

	/// Hashes and signs a new window: what a broadcaster does. `key` is the stream's signing key.
	pub fn sign(
		draft: Draft,
		setting: Setting,
		data: &[u8],
		key: &KeyPair,
		genesis: &Hash,
	) -> Result<Self, WindowError> {
		let leaves = merkle::leaves(data, draft.chunk_log2);
		let header = WindowHeader {
			id: draft.id,
			number: draft.history.count(),
			history: draft.history.root(),
			flags: draft.flags,
			start_ms: draft.start_ms,
			duration_ms: draft.duration_ms,
			bytes: u32::try_from(data.len()).unwrap_or(u32::MAX),
			chunks: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
			chunk_log2: draft.chunk_log2,
			root: merkle::root(&leaves),
			catalog: setting.catalog.catalog.hash(),
			ext: draft.items.root(),
		};
		header.check()?;
		setting.check(&header)?;
		let header = key.sign(header, genesis);
		let announcement = Announcement::new(header, draft.items, leaves);
		let of = Announced::new(announcement, setting, draft.history);
		Ok(Self::assemble(Arc::new(of), Bytes::copy_from_slice(data)))
	}

	/// All bytes of what was announced, as was found.
	pub(crate) fn assemble(of: Arc<Announced>, data: Bytes) -> Self {
		Self(Arc::new(Inner { of, data }))
	}

	/// What the broadcaster signed of it, to be shared.
	pub fn announced(&self) -> &Arc<Announced> {
		&self.0.of
	}

	/// The media bytes; shared by all clones.
	pub fn data(&self) -> Bytes {
		self.0.data.clone()
	}

	/// The bytes of some of its chunks, shared; `None` where it does not have them, or there are none.
	pub fn chunks(&self, first: u32, count: u32) -> Option<Bytes> {
		let end = first.checked_add(count)?;
		let has = count > 0 && end <= self.header().chunks;
		has.then(|| self.0.data.slice(self.offset(first)..self.offset(end)))
	}
}

/// What the broadcaster signed of it.
impl Deref for EncodedWindow {
	type Target = Announced;

	fn deref(&self) -> &Announced {
		&self.0.of
	}
}

impl Setting {
	/// Whether a window with this header is decoded with it.
	pub fn check(&self, header: &WindowHeader) -> Result<(), WindowError> {
		if self.init.len() > MAX_INIT_BYTES as usize {
			return Err(WindowError::InitLength(self.init.len()));
		}
		let catalog = &self.catalog.catalog;
		let place = (catalog.stream, catalog.epoch);
		if catalog.hash() != header.catalog || place != (header.id.stream, header.id.epoch) {
			return Err(WindowError::Catalog);
		}
		let track = catalog.track(header.id.track);
		let track = track.ok_or(WindowError::Track(header.id.track))?;
		// Captions and the like have none.
		let named = match self.init.is_empty() {
			true => Hash([0; 32]),
			false => init_hash(&self.init),
		};
		match track.init == named {
			true => Ok(()),
			false => Err(WindowError::Init),
		}
	}
}

impl fmt::Debug for EncodedWindow {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "EncodedWindow({}, {} bytes)", self.id(), self.header().bytes)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};
	use clustercast_primitives::{ext::Item, window::flags};
	use codec::{Decode, Encode};

	#[test]
	fn window_agrees_with_what_it_was_made_of() {
		let data = fixture::media(40_000, 1);
		for items in [Items::default(), fixture::items()] {
			let mut broadcast = Broadcast::default();
			broadcast.segment(&[1; 10]);
			broadcast.items = items.clone();
			let window = broadcast.segment(&data);
			assert_eq!(window.data(), data);
			assert_eq!((window.header().bytes, window.header().chunks), (40_000, 3));
			assert_eq!(window.hash(), window.header().hash());
			assert_eq!((window.header().number, window.history_after().count()), (1, 2));
			assert_eq!(window.items(), &items);
			let key = fixture::stream_key().public();
			assert_eq!(window.signed_header().check(&key, &fixture::GENESIS), Ok(()));
			let again = EncodedWindow::new(
				window.signed_header().clone(),
				window.setting().clone(),
				window.history().clone(),
				items,
				&data,
			);
			assert_eq!(again.unwrap().announcement(true), window.announcement(true));
		}
	}

	#[test]
	fn clones_share_their_bytes() {
		let window = Broadcast::default().segment(&fixture::media(40_000, 1));
		let other = window.clone();
		assert_eq!(other.announcement(true).as_ptr(), window.announcement(true).as_ptr());
		assert_eq!(other.data().as_ptr(), window.data().as_ptr());
		let (second, data) = (window.chunks(1, 1).unwrap(), window.data());
		assert_eq!(second.as_ptr(), data[1 << 14..].as_ptr());
		assert_eq!(window.chunks(1, 2).unwrap().len(), 40_000 - (1 << 14));
		for (first, count) in [(0, 0), (0, 4), (3, 1), (1, u32::MAX)] {
			assert_eq!(window.chunks(first, count), None);
		}
	}

	#[test]
	fn what_is_not_the_headers_is_refused() {
		let data = fixture::media(40_000, 1);
		let window = Broadcast::default().segment(&data);
		let with = |setting: &Setting, history: History, items: Items, data: &[u8]| {
			EncodedWindow::new(window.signed_header().clone(), setting.clone(), history, items, data).unwrap_err()
		};
		let setting = window.setting();
		let (none, no_items) = (History::default, Items::default);
		let mut flipped = data.clone();
		flipped[39_999] ^= 1;
		assert_eq!(with(setting, none(), no_items(), &flipped), WindowError::Root);
		assert_eq!(
			with(setting, none(), no_items(), &data[1..]),
			WindowError::Length {
				stated: 40_000,
				got: 39_999
			}
		);
		assert_eq!(
			with(setting, window.history_after(), no_items(), &data),
			WindowError::History
		);
		assert_eq!(with(setting, none(), fixture::items(), &data), WindowError::Items);
		let init = |init: Bytes| Setting {
			init,
			..setting.clone()
		};
		let long = vec![0; MAX_INIT_BYTES as usize + 1];
		let length = WindowError::InitLength(long.len());
		assert_eq!(
			with(&init(Bytes::from_static(b"other")), none(), no_items(), &data),
			WindowError::Init
		);
		assert_eq!(with(&init(Bytes::new()), none(), no_items(), &data), WindowError::Init);
		assert_eq!(with(&init(long.into()), none(), no_items(), &data), length);
		let mut other = setting.clone();
		other.catalog = Arc::new(fixture::catalog(&[0], b"ftyp moov", 1));
		assert_eq!(with(&other, none(), no_items(), &data), WindowError::Catalog);
	}

	/// One peak in place of two: of the right count and root, and nothing can be appended to it.
	#[test]
	fn history_needs_all_its_peaks() {
		let mut broadcast = Broadcast::default();
		(0..3).for_each(|_| drop(broadcast.segment(&[1; 10])));
		let window = broadcast.segment(&[2; 10]);
		let joined = |history: History| {
			let (header, setting) = (window.signed_header().clone(), window.setting().clone());
			EncodedWindow::new(header, setting, history, Items::default(), &[2; 10]).map(|_| ())
		};
		let root = window.header().history;
		let ill = History::decode(&mut &(3u64, vec![root]).encode()[..]).unwrap();
		assert_eq!((ill.count(), ill.root()), (window.header().number, root));
		assert_eq!(joined(ill), Err(WindowError::History));
		assert_eq!(joined(window.history().clone()), Ok(()));
	}

	#[test]
	fn what_cannot_be_a_window_is_not_signed() {
		let key = fixture::stream_key();
		let sign = |track, flags, data: &[u8]| {
			let draft = Draft {
				id: WindowId {
					stream: fixture::STREAM,
					epoch: fixture::EPOCH,
					track,
					..Default::default()
				},
				flags,
				start_ms: 0,
				duration_ms: 0,
				history: History::default(),
				items: Items::new(vec![Item {
					kind: 7,
					data: vec![1].try_into().unwrap(),
				}])
				.unwrap(),
				chunk_log2: 14,
			};
			EncodedWindow::sign(draft, fixture::setting(), data, &key, &fixture::GENESIS).unwrap_err()
		};
		assert_eq!(sign(0, 0, &[]), WindowError::Header(HeaderError::Length(0)));
		assert_eq!(
			sign(0, 0x80, &[1]),
			WindowError::Header(HeaderError::UnknownFlags(0x80))
		);
		assert_eq!(sign(5, 0, &[1]), WindowError::Track(5));
		let large = vec![0; (8 << 20) + 1];
		let length = HeaderError::Length(large.len() as u32);
		assert_eq!(sign(0, flags::ALL, &large), WindowError::Header(length));
	}
}
