//! What a broadcast consists of: its tracks, how each is decoded, where else it is to be had.
//!
//! The broadcaster signs the [`CatalogSeal`], which names the [`Catalog`] by hash: evidence of two catalogs under one
//! number stays small however large they are. Each window's header names its catalog by the same hash.

use crate::{
	crypto::{sha256, Hash, Signed, SignedMessage},
	register::Domain,
	text::Text,
	window::{StreamId, TrackId},
	BlockNumber,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Most tracks of a stream.
pub const MAX_TRACKS: u32 = 64;

/// Largest initialisation segment (`ftyp` + `moov`), bytes: four chunks of the default size.
pub const MAX_INIT_BYTES: u32 = 64 * 1024;

/// What a track holds.
pub mod kind {
	/// Picture and sound in one.
	pub const MUXED: u8 = 0;
	/// Picture.
	pub const VIDEO: u8 = 1;
	/// Sound.
	pub const AUDIO: u8 = 2;
	/// Captions.
	pub const TEXT: u8 = 3;
}

/// What a track is for; numbers of a kind of their own can be added.
pub mod role {
	/// The one to begin with.
	pub const MAIN: u8 = 0;
	/// The same in another quality or language.
	pub const ALTERNATE: u8 = 1;
	/// Captions for those who do not hear.
	pub const CAPTION: u8 = 2;
	/// Words of the picture for those who do not see.
	pub const DESCRIPTION: u8 = 3;
}

/// One sequence of windows under one initialisation segment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Track {
	/// Its number in headers.
	pub id: TrackId,
	/// See [`kind`].
	pub kind: u8,
	/// See [`role`].
	pub role: u8,
	/// BCP 47; empty where it has none or is not known.
	pub language: Text<35>,
	/// RFC 6381, as in `codecs="avc1.64001f,mp4a.40.2"`.
	pub codecs: Text<128>,
	/// Bits a second, on average; 0 is not known.
	pub bitrate: u32,
	/// Of the picture, pixels; 0 without one.
	pub width: u16,
	/// Of the picture, pixels; 0 without one.
	pub height: u16,
	/// Frames of the picture in 1,000 seconds, or samples of the sound a second; 0 is not known.
	pub rate: u32,
	/// Units of its timestamps in a second.
	pub timescale: u32,
	/// [`init_hash`] of its initialisation segment; zero without one.
	pub init: Hash,
}

/// How windows are encrypted. None is used today.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Protection {
	/// Which scheme; a relayer carries what it does not know.
	pub scheme: u8,
	/// Which key.
	pub key_id: [u8; 16],
	/// Which tracks; empty for all.
	pub tracks: BoundedVec<TrackId, ConstU32<MAX_TRACKS>>,
}

/// What a broadcast consists of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Catalog {
	/// The stream.
	pub stream: StreamId,
	/// As in the headers that name it.
	pub epoch: BlockNumber,
	/// Counts from 0 in an epoch; a higher one replaces all before.
	pub number: u32,
	/// For people.
	pub title: Text<128>,
	/// Of ascending ids, at least one.
	pub tracks: BoundedVec<Track, ConstU32<MAX_TRACKS>>,
	/// None today.
	pub protection: BoundedVec<Protection, ConstU32<4>>,
	/// Where else it is to be had: URLs or multiaddresses, with nothing promised.
	pub mirrors: BoundedVec<Text<256>, ConstU32<8>>,
}

/// What the broadcaster signs for a catalog. 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CatalogSeal {
	/// The stream.
	pub stream: StreamId,
	/// See [`Catalog::epoch`].
	pub epoch: BlockNumber,
	/// See [`Catalog::number`].
	pub number: u32,
	/// [`Catalog::hash`].
	pub hash: Hash,
}

impl SignedMessage for CatalogSeal {
	const DOMAIN: Domain = Domain::Catalog;
}

impl CatalogSeal {
	/// Whether the two are different catalogs under one number: equivocation, when one key signed both.
	pub fn conflicts_with(&self, other: &Self) -> bool {
		let place = |seal: &Self| (seal.stream, seal.epoch, seal.number);
		place(self) == place(other) && self != other
	}
}

/// A catalog as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedCatalog {
	/// Signed.
	pub seal: Signed<CatalogSeal>,
	/// What the seal names.
	pub catalog: Catalog,
}

/// Why a catalog is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogError {
	/// The seal names another catalog.
	Seal,
	/// Signature not by the stream's signing key for this chain.
	Signature(crate::crypto::SignatureError),
	/// No tracks, or ids that do not ascend.
	Tracks,
}

impl fmt::Display for CatalogError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Seal => f.write_str("the seal is for another catalog"),
			Self::Signature(e) => write!(f, "catalog's {e}"),
			Self::Tracks => f.write_str("a catalog needs tracks of ascending ids"),
		}
	}
}

impl core::error::Error for CatalogError {}

/// Names an initialisation segment: `H(0x00 ‖ bytes)`.
pub fn init_hash(init: &[u8]) -> Hash {
	crate::merkle::leaf_hash(init)
}

impl Track {
	/// Picture and sound of which nothing is known but the initialisation segment.
	pub fn unknown(init: &[u8]) -> Self {
		Self {
			id: 0,
			kind: kind::MUXED,
			role: role::MAIN,
			language: Text::default(),
			codecs: Text::default(),
			bitrate: 0,
			width: 0,
			height: 0,
			rate: 0,
			timescale: 0,
			init: init_hash(init),
		}
	}
}

impl Catalog {
	/// Names it: `H(0x00 ‖ domain ‖ SCALE(self))`.
	pub fn hash(&self) -> Hash {
		sha256(&[&[0], Domain::Catalog.bytes(), &self.encode()])
	}

	/// What is signed for it.
	pub fn seal(&self) -> CatalogSeal {
		CatalogSeal {
			stream: self.stream,
			epoch: self.epoch,
			number: self.number,
			hash: self.hash(),
		}
	}

	/// Its track of this number.
	pub fn track(&self, id: TrackId) -> Option<&Track> {
		self.tracks.iter().find(|track| track.id == id)
	}

	/// Whether its parts agree with each other.
	pub fn check(&self) -> Result<(), CatalogError> {
		let ascending = self.tracks.windows(2).all(|pair| pair[0].id < pair[1].id);
		match ascending && !self.tracks.is_empty() {
			true => Ok(()),
			false => Err(CatalogError::Tracks),
		}
	}
}

#[cfg(feature = "keys")]
impl SignedCatalog {
	/// Signed by the stream's key for this chain.
	pub fn sign(catalog: Catalog, key: &crate::crypto::KeyPair, genesis: &Hash) -> Self {
		Self {
			seal: key.sign(catalog.seal(), genesis),
			catalog,
		}
	}

	/// Its parts agree, the seal is for it, and the stream's signing key signed it for this chain.
	pub fn check(&self, signing_key: &crate::PublicKey, genesis: &Hash) -> Result<(), CatalogError> {
		self.check_parts()?;
		self.seal.verify(signing_key, genesis).map_err(CatalogError::Signature)
	}
}

impl SignedCatalog {
	/// Its parts agree, and the seal is for it; nothing is said of the signature. For one that a header names by hash.
	pub fn check_parts(&self) -> Result<(), CatalogError> {
		self.catalog.check()?;
		match self.seal.message == self.catalog.seal() {
			true => Ok(()),
			false => Err(CatalogError::Seal),
		}
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use crate::crypto::{KeyPair, SignatureError};

	pub fn track(id: TrackId) -> Track {
		Track {
			id,
			kind: kind::MUXED,
			role: role::MAIN,
			language: Text::default(),
			codecs: Text::try_from("avc1.64001f,mp4a.40.2").unwrap(),
			bitrate: 1_500_000,
			width: 854,
			height: 480,
			rate: 30_000,
			timescale: 90_000,
			init: init_hash(b"ftyp moov"),
		}
	}

	fn catalog(ids: &[TrackId]) -> Catalog {
		Catalog {
			stream: StreamId(1),
			epoch: 9,
			number: 0,
			title: Text::try_from("Harbour").unwrap(),
			tracks: ids
				.iter()
				.map(|id| track(*id))
				.collect::<alloc::vec::Vec<_>>()
				.try_into()
				.unwrap(),
			protection: BoundedVec::new(),
			mirrors: BoundedVec::new(),
		}
	}

	#[test]
	fn catalog_is_checked_both_ways() {
		let (key, genesis) = (KeyPair::from_seed([1; 32]), Hash([2; 32]));
		let signed = |ids: &[TrackId]| SignedCatalog::sign(catalog(ids), &key, &genesis);
		let check = |catalog: &SignedCatalog| catalog.check(&key.public(), &genesis);
		assert_eq!(check(&signed(&[0, 3])), Ok(()));
		assert_eq!(check(&signed(&[])), Err(CatalogError::Tracks));
		assert_eq!(check(&signed(&[3, 3])), Err(CatalogError::Tracks));
		assert_eq!(check(&signed(&[3, 0])), Err(CatalogError::Tracks));
		let mut other = signed(&[0]);
		other.catalog.title = Text::try_from("Quay").unwrap();
		assert_eq!(check(&other), Err(CatalogError::Seal));
		let foreign = SignedCatalog::sign(catalog(&[0]), &KeyPair::from_seed([3; 32]), &genesis);
		assert_eq!(check(&foreign), Err(CatalogError::Signature(SignatureError::Invalid)));
		assert_eq!(signed(&[0, 3]).catalog.track(3).map(|t| t.id), Some(3));
		assert_eq!(signed(&[0, 3]).catalog.track(1), None);
	}

	#[test]
	fn two_catalogs_of_one_number_conflict() {
		let (one, mut other) = (catalog(&[0]), catalog(&[0, 1]));
		assert!(one.seal().conflicts_with(&other.seal()));
		assert!(!one.seal().conflicts_with(&one.seal()));
		other.number = 1;
		assert!(!one.seal().conflicts_with(&other.seal()));
		(other.number, other.epoch) = (0, 10);
		assert!(!one.seal().conflicts_with(&other.seal()));
	}
}
