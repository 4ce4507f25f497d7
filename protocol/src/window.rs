//! A window encoded once: every viewer's stream is handed the same bytes.

use crate::wire::{self, Kind};
use bytes::{BufMut, Bytes};
use clustercast_primitives::{
	crypto::KeyPair,
	merkle,
	window::{HeaderError, SignedHeader, MAX_INIT_BYTES},
	Hash, WindowHeader, WindowId,
};
use codec::Encode;
use std::{fmt, sync::Arc};

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
	/// Initialisation segment empty or longer than [`MAX_INIT_BYTES`].
	#[error("initialisation segment of {0} bytes; allowed are 1 to {MAX_INIT_BYTES}")]
	InitLength(usize),
	/// The header names another initialisation segment.
	#[error("the header names another initialisation segment")]
	Init,
}

/// What a broadcaster decides about a window; the rest of its header follows from the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
	/// Which window it is.
	pub id: WindowId,
	/// See [`clustercast_primitives::window::flags`].
	pub flags: u8,
	/// When its first frame was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// How long it plays, milliseconds.
	pub duration_ms: u32,
	/// [`EncodedWindow::hash`] of the window before it; zero for the first one of a key.
	pub previous: Hash,
}

/// A window with its header, leaves and initialisation segment, all in agreement, as the frame that travels.
/// Cloning shares it.
#[derive(Clone)]
pub struct EncodedWindow(Arc<Inner>);

struct Inner {
	header: SignedHeader,
	hash: Hash,
	init: Bytes,
	frame: Bytes,
}

impl EncodedWindow {
	/// Joins a header with its data. Hashes all of it; the signature is not looked at.
	pub fn new(header: SignedHeader, init: Bytes, data: &[u8]) -> Result<Self, WindowError> {
		header.message.check()?;
		check_init_length(&init)?;
		if header.message.bytes as usize != data.len() {
			return Err(WindowError::Length {
				stated: header.message.bytes,
				got: data.len(),
			});
		}
		if merkle::leaf_hash(&init) != header.message.init {
			return Err(WindowError::Init);
		}
		let leaves = merkle::leaves(data);
		if merkle::root(&leaves) != header.message.root {
			return Err(WindowError::Root);
		}
		Ok(Self::assemble(header, init, &leaves, data))
	}

	/// Hashes and signs a new window: what a broadcaster does. `key` is the stream's signing key.
	pub fn sign(draft: Draft, init: Bytes, data: &[u8], key: &KeyPair, genesis: &Hash) -> Result<Self, WindowError> {
		check_init_length(&init)?;
		let leaves = merkle::leaves(data);
		let header = WindowHeader {
			id: draft.id,
			flags: draft.flags,
			start_ms: draft.start_ms,
			duration_ms: draft.duration_ms,
			bytes: u32::try_from(data.len()).unwrap_or(u32::MAX),
			chunks: u16::try_from(leaves.len()).unwrap_or(u16::MAX),
			root: merkle::root(&leaves),
			init: merkle::leaf_hash(&init),
			previous: draft.previous,
		};
		header.check()?;
		Ok(Self::assemble(key.sign(header, genesis), init, &leaves, data))
	}

	fn assemble(header: SignedHeader, init: Bytes, leaves: &[Hash], data: &[u8]) -> Self {
		let body = wire::HEADER_BYTES + leaves.len() * wire::LEAF_BYTES + data.len();
		let mut frame = wire::prefix(Kind::Window, body);
		frame.put_slice(&header.encode());
		leaves.iter().for_each(|leaf| frame.put_slice(&leaf.0));
		frame.put_slice(data);
		Self::from_verified_frame(header, init, frame.freeze())
	}

	/// From a frame that was found to agree with its header and initialisation segment.
	pub(crate) fn from_verified_frame(header: SignedHeader, init: Bytes, frame: Bytes) -> Self {
		let hash = header.message.hash();
		Self(Arc::new(Inner {
			header,
			hash,
			init,
			frame,
		}))
	}

	/// Which window it is.
	pub fn id(&self) -> WindowId {
		self.0.header.message.id
	}

	/// What the broadcaster signed.
	pub fn header(&self) -> &WindowHeader {
		&self.0.header.message
	}

	/// With its signature.
	pub fn signed_header(&self) -> &SignedHeader {
		&self.0.header
	}

	/// [`WindowHeader::hash`]: what the next header names as previous.
	pub fn hash(&self) -> Hash {
		self.0.hash
	}

	/// Initialisation segment that it decodes with.
	pub fn init(&self) -> &Bytes {
		&self.0.init
	}

	/// The media bytes; shares the frame's memory.
	pub fn data(&self) -> Bytes {
		self.0.frame.slice(wire::data_offset(self.0.header.message.chunks)..)
	}

	/// The frame that travels, whole; shared by all clones.
	pub fn frame(&self) -> Bytes {
		self.0.frame.clone()
	}

	/// What it costs in memory, bytes: its frame. The initialisation segment is shared between windows.
	pub fn size(&self) -> usize {
		self.0.frame.len()
	}
}

impl fmt::Debug for EncodedWindow {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "EncodedWindow({}, {} bytes)", self.id(), self.header().bytes)
	}
}

fn check_init_length(init: &[u8]) -> Result<(), WindowError> {
	match init.len() {
		1..=MAX_INIT_BYTES => Ok(()),
		len => Err(WindowError::InitLength(len)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};
	use clustercast_primitives::window::flags;

	#[test]
	fn window_agrees_with_what_it_was_made_of() {
		let data = fixture::media(40_000, 1);
		let window = Broadcast::default().segment(&data);
		assert_eq!(window.data(), data);
		assert_eq!(window.header().bytes, 40_000);
		assert_eq!(window.header().chunks, 3);
		assert_eq!(window.hash(), window.header().hash());
		let key = fixture::stream_key().public();
		assert_eq!(window.signed_header().check(&key, &fixture::GENESIS), Ok(()));
		let again = EncodedWindow::new(window.signed_header().clone(), window.init().clone(), &data).unwrap();
		assert_eq!(again.frame(), window.frame());
	}

	#[test]
	fn clones_share_one_frame() {
		let window = Broadcast::default().segment(&[1; 100]);
		assert_eq!(window.clone().frame().as_ptr(), window.frame().as_ptr());
		let frame = window.frame();
		assert_eq!(window.data().as_ptr(), frame[frame.len() - 100..].as_ptr());
	}

	#[test]
	fn data_that_is_not_the_headers_is_refused() {
		let data = fixture::media(40_000, 1);
		let window = Broadcast::default().segment(&data);
		let (header, init) = (window.signed_header().clone(), window.init().clone());
		let with = |init: &Bytes, data: &[u8]| EncodedWindow::new(header.clone(), init.clone(), data).unwrap_err();
		let mut flipped = data.clone();
		flipped[39_999] ^= 1;
		assert_eq!(with(&init, &flipped), WindowError::Root);
		assert_eq!(
			with(&init, &data[1..]),
			WindowError::Length {
				stated: 40_000,
				got: 39_999
			}
		);
		assert_eq!(with(&Bytes::from_static(b"other"), &data), WindowError::Init);
		assert_eq!(with(&Bytes::new(), &data), WindowError::InitLength(0));
		let long = Bytes::from(vec![0; MAX_INIT_BYTES + 1]);
		assert_eq!(with(&long, &data), WindowError::InitLength(MAX_INIT_BYTES + 1));
	}

	#[test]
	fn what_cannot_be_a_window_is_not_signed() {
		let key = fixture::stream_key();
		let draft = |flags| Draft {
			id: WindowId::default(),
			flags,
			start_ms: 0,
			duration_ms: 0,
			previous: Hash([0; 32]),
		};
		let sign = |flags, data: &[u8]| {
			EncodedWindow::sign(draft(flags), Bytes::from_static(b"i"), data, &key, &fixture::GENESIS).unwrap_err()
		};
		assert_eq!(sign(0, &[]), WindowError::Header(HeaderError::Length(0)));
		assert_eq!(sign(0x80, &[1]), WindowError::Header(HeaderError::UnknownFlags(0x80)));
		let large = vec![0; (8 << 20) + 1];
		let length = HeaderError::Length(large.len() as u32);
		assert_eq!(sign(flags::ALL, &large), WindowError::Header(length));
	}
}
