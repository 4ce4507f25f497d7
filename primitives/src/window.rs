//! Streams, windows, and their signed headers.

use crate::{
	crypto::{sha256, Hash, SignatureError, Signed, SignedMessage},
	history::History,
	merkle::{self, Proof},
	register::Domain,
	BlockNumber,
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

/// Number of a track of a stream: one sequence of windows under one initialisation segment. 0 is the muxed picture and
/// sound of a broadcast that has nothing else.
pub type TrackId = u16;

/// Largest window: 8 MiB, 2 s at 33 Mb/s. Bounds what anyone has to hold before it verifies.
pub const MAX_WINDOW_BYTES: u32 = 8 << 20;

/// Longest a window plays: a minute. A playlist has to announce its longest segment.
pub const MAX_DURATION_MS: u32 = 60_000;

/// How far a window's start may lie ahead of the clock of a relayer that takes it from upstream: a minute.
pub const MAX_AHEAD_MS: u64 = 60_000;

/// The same for a viewer, whose clock may be four minutes behind that of an honest relayer before they disagree. How far
/// behind a start lies says nothing: an old window is a replay.
pub const MAX_AHEAD_OF_VIEWER_MS: u64 = 5 * MAX_AHEAD_MS;

/// Bits of [`WindowHeader::flags`]. Peers refuse unknown ones of the low eight; the high eight can be ignored by whoever
/// does not know them. The chain looks at none.
pub mod flags {
	/// Starts with a random access point: decodable without earlier windows.
	pub const INDEPENDENT: u16 = 1;
	/// Last part of its segment.
	pub const LAST_PART: u16 = 1 << 1;
	/// The encoder was restarted before this window: timestamps or parameters may jump.
	pub const DISCONTINUITY: u16 = 1 << 2;
	/// All that are known.
	pub const ALL: u16 = INDEPENDENT | LAST_PART | DISCONTINUITY;
	/// Those that must be known.
	pub const CRITICAL: u16 = 0xff;
}

/// Place of a window: unique under a stream. Orders by time within a track.
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
	/// Track of the stream.
	pub track: TrackId,
	/// Block of the chain in which this run of the broadcast began. A broadcaster who cannot go on behind its last
	/// header begins a new one, so that no place is signed twice.
	pub epoch: BlockNumber,
	/// Segment number; goes on over epochs where the broadcaster knows the last one.
	pub segment: u64,
	/// Part of the segment, from 0; a whole segment is part 0.
	pub part: u16,
}

impl fmt::Display for WindowId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			stream,
			track,
			epoch,
			segment,
			part,
		} = self;
		write!(f, "{stream}/{track}/{epoch}/{segment}.{part}")
	}
}

/// What the broadcaster signs for each window. 183 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WindowHeader {
	/// Which window this is.
	pub id: WindowId,
	/// Windows of this track in this epoch before it.
	pub number: u64,
	/// RFC 6962 root over their headers' hashes, see [`History`].
	pub history: Hash,
	/// See [`flags`].
	pub flags: u16,
	/// When its first frame was captured: Unix time, milliseconds, on the broadcaster's clock.
	pub start_ms: u64,
	/// How long it plays, milliseconds; at most [`MAX_DURATION_MS`].
	pub duration_ms: u32,
	/// Length, 1 to [`MAX_WINDOW_BYTES`].
	pub bytes: u32,
	/// Number of chunks: `ceil(bytes / 2^chunk_log2)`.
	pub chunks: u32,
	/// Size of a chunk, as a power of two: [`merkle::CHUNK_LOG2`].
	pub chunk_log2: u8,
	/// Root of the tree over its chunks.
	pub root: Hash,
	/// [`crate::Catalog::hash`] of the catalog that describes its track.
	pub catalog: Hash,
	/// [`crate::ext::Items::root`] of what belongs to it beside the chunks; zero for none.
	pub ext: Hash,
}

impl SignedMessage for WindowHeader {
	const DOMAIN: Domain = Domain::Window;
}

/// A header as it travels.
pub type SignedHeader = Signed<WindowHeader>;

/// Why a header is refused by peers. The chain asks none of this: what a relayer signed for, it answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
	/// Signature not by the stream's signing key for this chain.
	Signature(SignatureError),
	/// A flag that must be known and is not.
	UnknownFlags(u16),
	/// Length zero or above [`MAX_WINDOW_BYTES`].
	Length(u32),
	/// Plays longer than [`MAX_DURATION_MS`].
	Duration(u32),
	/// A size of chunks outside [`merkle::CHUNK_LOG2`].
	ChunkSize(u8),
	/// Chunk count does not follow from the length.
	ChunkCount(u32),
	/// More windows than an epoch can have, or a history where there can be none.
	Number(u64),
}

impl fmt::Display for HeaderError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Signature(e) => write!(f, "header {e}"),
			Self::UnknownFlags(flags) => write!(f, "unknown header flags {flags:#06x}"),
			Self::Length(bytes) => write!(f, "window of {bytes} bytes; allowed are 1 to {MAX_WINDOW_BYTES}"),
			Self::Duration(ms) => write!(f, "window of {ms} ms; at most {MAX_DURATION_MS} are allowed"),
			Self::ChunkSize(log2) => write!(f, "chunks of 2^{log2} bytes"),
			Self::ChunkCount(count) => write!(f, "{count} chunks do not fit the window's length"),
			Self::Number(number) => write!(f, "number {number} does not fit the history"),
		}
	}
}

impl core::error::Error for HeaderError {}

impl WindowHeader {
	/// Names this header in deliveries and histories: `H(0x00 ‖ domain ‖ SCALE(self))`, the leaf of an RFC 6962 tree. The
	/// domain keeps it apart from every chunk's.
	pub fn hash(&self) -> Hash {
		sha256(&[&[0], Self::DOMAIN.bytes(), &self.encode()])
	}

	/// Whether the fields agree with each other.
	pub fn check(&self) -> Result<(), HeaderError> {
		let unknown = self.flags & flags::CRITICAL & !flags::ALL;
		if unknown != 0 {
			return Err(HeaderError::UnknownFlags(unknown));
		}
		if self.bytes == 0 || self.bytes > MAX_WINDOW_BYTES {
			return Err(HeaderError::Length(self.bytes));
		}
		if self.duration_ms > MAX_DURATION_MS {
			return Err(HeaderError::Duration(self.duration_ms));
		}
		if !merkle::CHUNK_LOG2.contains(&self.chunk_log2) {
			return Err(HeaderError::ChunkSize(self.chunk_log2));
		}
		if self.chunks != merkle::chunk_count(self.bytes, self.chunk_log2) {
			return Err(HeaderError::ChunkCount(self.chunks));
		}
		if self.number >= merkle::MAX_WIDTH - 1 || (self.number == 0 && self.history != merkle::empty_root()) {
			return Err(HeaderError::Number(self.number));
		}
		Ok(())
	}

	/// Whether it begins no later than this, Unix time in milliseconds. There is no bound behind: an old window is a replay.
	pub fn begins_by(&self, latest_start_ms: u64) -> bool {
		self.start_ms <= latest_start_ms
	}

	/// Whether it has this flag.
	pub fn has(&self, flag: u16) -> bool {
		self.flags & flag != 0
	}

	/// Bytes of a chunk; the last one may be shorter.
	pub fn chunk_bytes(&self) -> usize {
		1usize.checked_shl(self.chunk_log2.into()).unwrap_or(usize::MAX)
	}

	/// Length of chunk `index`; zero past the end.
	pub fn chunk_len(&self, index: u32) -> usize {
		let at = (index as usize).saturating_mul(self.chunk_bytes());
		(self.bytes as usize).saturating_sub(at).min(self.chunk_bytes())
	}

	/// Whether this header was signed behind exactly these. `history` may be what a peer sent.
	pub fn follows(&self, history: &History) -> bool {
		history.is_well_formed() && history.count() == self.number && history.root() == self.history
	}

	/// Whether `self` and `other` are two different headers for one place: equivocation, when one key signed both.
	pub fn conflicts_with(&self, other: &Self) -> bool {
		self.id == other.id && self != other
	}

	/// Whether `earlier` is in the history that this header states, by this proof. Keys may have changed between them.
	pub fn proves(&self, earlier: &Self, proof: &Proof) -> bool {
		let same_run = |id: &WindowId| (id.stream, id.track, id.epoch);
		same_run(&self.id) == same_run(&earlier.id)
			&& (proof.index, proof.width) == (earlier.number, self.number)
			&& proof.verify(&self.history, &earlier.hash())
	}
}

#[cfg(feature = "keys")]
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
	use alloc::vec::Vec;

	/// A valid header over `data`, the first of its epoch.
	pub fn header(segment: u64, data: &[u8]) -> WindowHeader {
		let leaves = merkle::leaves(data, merkle::DEFAULT_CHUNK_LOG2);
		WindowHeader {
			id: WindowId {
				stream: StreamId(1),
				track: 0,
				epoch: 9,
				segment,
				part: 0,
			},
			number: 0,
			history: merkle::empty_root(),
			flags: flags::INDEPENDENT | flags::LAST_PART,
			start_ms: 1_700_000_000_000,
			duration_ms: 2_000,
			bytes: data.len() as u32,
			chunks: leaves.len() as u32,
			chunk_log2: merkle::DEFAULT_CHUNK_LOG2,
			root: merkle::root(&leaves),
			catalog: Hash([3; 32]),
			ext: Hash([0; 32]),
		}
	}

	#[test]
	fn header_is_checked_both_ways() {
		let (key, genesis) = (KeyPair::from_seed([1; 32]), Hash([2; 32]));
		let good = header(0, &[1; 40_000]);
		let check = |change: fn(&mut WindowHeader)| {
			let mut header = good.clone();
			change(&mut header);
			key.sign(header, &genesis).check(&key.public(), &genesis)
		};
		assert_eq!(check(|_| ()), Ok(()));
		assert_eq!(check(|h| h.flags |= 0x80), Err(HeaderError::UnknownFlags(0x80)));
		assert_eq!(
			check(|h| h.flags |= 0x8000),
			Ok(()),
			"who does not know it can ignore it"
		);
		assert_eq!(check(|h| (h.bytes, h.chunks) = (0, 0)), Err(HeaderError::Length(0)));
		const LARGE: u32 = MAX_WINDOW_BYTES + 1;
		assert_eq!(
			check(|h| (h.bytes, h.chunks) = (LARGE, 513)),
			Err(HeaderError::Length(LARGE))
		);
		assert_eq!(check(|h| h.duration_ms = 60_001), Err(HeaderError::Duration(60_001)));
		assert_eq!(check(|h| h.chunks = 2), Err(HeaderError::ChunkCount(2)));
		assert_eq!(check(|h| (h.chunk_log2, h.chunks) = (12, 10)), Ok(()));
		assert_eq!(
			check(|h| (h.chunk_log2, h.chunks) = (11, 20)),
			Err(HeaderError::ChunkSize(11))
		);
		assert_eq!(
			check(|h| (h.chunk_log2, h.chunks) = (17, 1)),
			Err(HeaderError::ChunkSize(17))
		);
		assert_eq!(check(|h| h.history = Hash([1; 32])), Err(HeaderError::Number(0)));
		assert_eq!(check(|h| h.number = u64::MAX), Err(HeaderError::Number(u64::MAX)));
		let other = KeyPair::from_seed([3; 32]);
		assert_eq!(
			key.sign(good, &genesis).check(&other.public(), &genesis),
			Err(HeaderError::Signature(SignatureError::Invalid))
		);
	}

	/// The attack: a window of seven weeks, or one of tomorrow, for a playlist that has to announce it.
	#[test]
	fn a_start_is_bounded_ahead_only_and_a_duration_always() {
		let now = 1_700_000_000_000;
		let begins = |start_ms| {
			let header = WindowHeader {
				start_ms,
				..header(0, &[1])
			};
			assert_eq!(header.check(), Ok(()), "it says nothing of clocks");
			header.begins_by(now)
		};
		assert!(begins(0) && begins(now - 86_400_000) && begins(now));
		assert!(!begins(now + 1) && !begins(u64::MAX));
		for duration_ms in [0, MAX_DURATION_MS, MAX_DURATION_MS + 1, u32::MAX] {
			let header = WindowHeader {
				duration_ms,
				..header(0, &[1])
			};
			let refused = duration_ms > MAX_DURATION_MS;
			assert_eq!(header.check().is_err(), refused);
		}
	}

	#[test]
	fn chunk_lengths_add_up() {
		for log2 in merkle::CHUNK_LOG2 {
			let mut h = header(0, &[1; 40_000]);
			(h.chunk_log2, h.chunks) = (log2, merkle::chunk_count(40_000, log2));
			assert_eq!((0..h.chunks).map(|i| h.chunk_len(i)).sum::<usize>(), 40_000);
			assert_eq!(h.chunk_len(h.chunks), 0);
		}
	}

	#[test]
	fn encoded_length_is_as_documented() {
		assert_eq!(WindowHeader::max_encoded_len(), header(0, &[1]).encode().len());
		assert_eq!(WindowHeader::max_encoded_len(), 183);
	}

	#[test]
	fn every_header_is_proven_by_every_later_one_of_its_epoch() {
		let (mut history, mut headers) = (History::default(), Vec::<WindowHeader>::new());
		for segment in 0..20 {
			let header = WindowHeader {
				number: history.count(),
				history: history.root(),
				..header(segment, &[segment as u8; 10])
			};
			assert!(header.follows(&history));
			assert!(history.append(header.hash()));
			headers.push(header);
		}
		let hashes: Vec<Hash> = headers.iter().map(WindowHeader::hash).collect();
		for later in &headers {
			for earlier in &headers {
				let proof = Proof::new(&hashes[..later.number as usize], earlier.number);
				let expected = earlier.number < later.number;
				assert_eq!(proof.is_some_and(|proof| later.proves(earlier, &proof)), expected);
			}
		}
		// The same header, moved to another track or epoch, is not in it.
		let proof = Proof::new(&hashes[..19], 3).unwrap();
		for change in [|id: &mut WindowId| id.track = 1, |id: &mut WindowId| id.epoch = 10] {
			let mut moved = headers[3].clone();
			change(&mut moved.id);
			assert!(!headers[19].proves(&moved, &proof));
		}
	}
}
