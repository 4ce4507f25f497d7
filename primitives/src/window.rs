//! Streams, windows, and the signed chain of window headers.

use crate::{
	crypto::{sha256, Hash, SignatureError, Signed, SignedMessage},
	merkle,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Number of a stream key on the chain; a stream is what that key signs.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct StreamId(pub u64);

impl fmt::Display for StreamId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		self.0.fmt(f)
	}
}

/// Largest window: 8 MiB, 2 s at 33 Mb/s. Bounds what anyone has to hold before it verifies.
pub const MAX_WINDOW_BYTES: u32 = 8 << 20;

/// Largest initialisation segment (`ftyp` + `moov`): one chunk.
pub const MAX_INIT_BYTES: usize = merkle::CHUNK_BYTES;

/// Bits of [`WindowHeader::flags`]; any other bit is refused.
pub mod flags {
	/// Starts with a random access point: decodable without earlier windows.
	pub const INDEPENDENT: u8 = 1;
	/// Last part of its segment.
	pub const LAST_PART: u8 = 1 << 1;
	/// The encoder was restarted before this window: timestamps or parameters may jump.
	pub const DISCONTINUITY: u8 = 1 << 2;
	/// All that are known.
	pub const ALL: u8 = INDEPENDENT | LAST_PART | DISCONTINUITY;
}

/// Place of a window: unique under a stream key. Orders by time within a rendition.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WindowId {
	/// Stream key on the chain.
	pub stream: StreamId,
	/// Rendition of the stream; 0 is 480p.
	pub rendition: u8,
	/// Segment number, from 0, never reused under one key.
	pub segment: u64,
	/// Part of the segment, from 0; a whole segment is part 0.
	pub part: u16,
}

impl fmt::Display for WindowId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}/{}/{}.{}", self.stream, self.rendition, self.segment, self.part)
	}
}

/// What the broadcaster signs for each window. 134 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WindowHeader {
	/// Which window this is.
	pub id: WindowId,
	/// See [`flags`].
	pub flags: u8,
	/// When its first frame was captured: Unix time, milliseconds, on the broadcaster's clock.
	pub start_ms: u64,
	/// How long it plays, milliseconds.
	pub duration_ms: u32,
	/// Length, 1 to [`MAX_WINDOW_BYTES`].
	pub bytes: u32,
	/// Number of chunks: `ceil(bytes / 16 KiB)`.
	pub chunks: u16,
	/// Root of the tree over its chunks.
	pub root: Hash,
	/// [`merkle::leaf_hash`] of the initialisation segment that it decodes with.
	pub init: Hash,
	/// [`WindowHeader::hash`] of the window before it; zero for the first one of a key.
	pub previous: Hash,
}

impl SignedMessage for WindowHeader {
	const DOMAIN: &'static [u8] = b"clustercast/window/v1";
}

/// A header as it travels.
pub type SignedHeader = Signed<WindowHeader>;

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
	/// Signature not by the stream's signing key for this chain.
	Signature(SignatureError),
	/// A flag bit that is not known.
	UnknownFlags(u8),
	/// Length zero or above [`MAX_WINDOW_BYTES`].
	Length(u32),
	/// Chunk count does not follow from the length.
	ChunkCount(u16),
}

impl fmt::Display for HeaderError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Signature(e) => write!(f, "header {e}"),
			Self::UnknownFlags(flags) => write!(f, "unknown header flags {flags:#04x}"),
			Self::Length(bytes) => write!(f, "window of {bytes} bytes; allowed are 1 to {MAX_WINDOW_BYTES}"),
			Self::ChunkCount(count) => write!(f, "{count} chunks do not fit the window's length"),
		}
	}
}

impl core::error::Error for HeaderError {}

impl WindowHeader {
	/// Links the next header to this one: SHA-256 of the SCALE encoding.
	pub fn hash(&self) -> Hash {
		sha256(&[&self.encode()])
	}

	/// Whether the fields agree with each other.
	pub fn check(&self) -> Result<(), HeaderError> {
		if self.flags & !flags::ALL != 0 {
			return Err(HeaderError::UnknownFlags(self.flags));
		}
		if self.bytes == 0 || self.bytes > MAX_WINDOW_BYTES {
			return Err(HeaderError::Length(self.bytes));
		}
		if u32::from(self.chunks) != merkle::chunk_count(self.bytes) {
			return Err(HeaderError::ChunkCount(self.chunks));
		}
		Ok(())
	}

	/// Whether it has this flag.
	pub fn has(&self, flag: u8) -> bool {
		self.flags & flag != 0
	}

	/// Length of chunk `index`; zero past the end.
	pub fn chunk_len(&self, index: u16) -> usize {
		let at = usize::from(index) * merkle::CHUNK_BYTES;
		(self.bytes as usize).saturating_sub(at).min(merkle::CHUNK_BYTES)
	}

	/// Whether `self` and `other` are two different headers for one place: equivocation, when one key signed both.
	pub fn conflicts_with(&self, other: &Self) -> bool {
		self.id == other.id && self != other
	}
}

#[cfg(feature = "std")]
impl SignedHeader {
	/// Fields agree and the stream's signing key signed them for this chain.
	pub fn check(&self, signing_key: &crate::PublicKey, genesis: &Hash) -> Result<(), HeaderError> {
		self.message.check()?;
		self.verify(signing_key, genesis).map_err(HeaderError::Signature)
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use crate::crypto::KeyPair;

	/// A valid header over `data`.
	pub fn header(segment: u64, data: &[u8]) -> WindowHeader {
		let leaves = merkle::leaves(data);
		WindowHeader {
			id: WindowId {
				stream: StreamId(1),
				rendition: 0,
				segment,
				part: 0,
			},
			flags: flags::INDEPENDENT | flags::LAST_PART,
			start_ms: 1_700_000_000_000,
			duration_ms: 2_000,
			bytes: data.len() as u32,
			chunks: leaves.len() as u16,
			root: merkle::root(&leaves),
			init: merkle::leaf_hash(b"init"),
			previous: Hash([0; 32]),
		}
	}

	#[test]
	fn header_is_checked_both_ways() {
		let (key, genesis) = (KeyPair::from_seed([1; 32]), Hash([2; 32]));
		let good = header(0, &[1; 40_000]);
		let check = |h: WindowHeader| key.sign(h, &genesis).check(&key.public(), &genesis);
		assert_eq!(check(good.clone()), Ok(()));
		assert_eq!(
			check(WindowHeader {
				flags: 0x80,
				..good.clone()
			}),
			Err(HeaderError::UnknownFlags(0x80))
		);
		assert_eq!(
			check(WindowHeader {
				bytes: 0,
				chunks: 0,
				..good.clone()
			}),
			Err(HeaderError::Length(0))
		);
		let large = MAX_WINDOW_BYTES + 1;
		assert_eq!(
			check(WindowHeader {
				bytes: large,
				chunks: 513,
				..good.clone()
			}),
			Err(HeaderError::Length(large))
		);
		assert_eq!(
			check(WindowHeader {
				chunks: 2,
				..good.clone()
			}),
			Err(HeaderError::ChunkCount(2))
		);
		let other = KeyPair::from_seed([3; 32]);
		assert_eq!(
			key.sign(good, &genesis).check(&other.public(), &genesis),
			Err(HeaderError::Signature(SignatureError::Invalid))
		);
	}

	#[test]
	fn chunk_lengths_add_up() {
		let h = header(0, &[1; 40_000]);
		assert_eq!((0..h.chunks).map(|i| h.chunk_len(i)).sum::<usize>(), 40_000);
		assert_eq!(h.chunk_len(h.chunks), 0);
	}

	#[test]
	fn encoded_length_is_as_documented() {
		assert_eq!(WindowHeader::max_encoded_len(), header(0, &[1]).encode().len());
		assert_eq!(WindowHeader::max_encoded_len(), 134);
	}
}
