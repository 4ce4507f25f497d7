//! How a broadcast stands: live, idle or ended, and how far each track is.
//!
//! Each status of an epoch's beginning names the last one before it by hash, whatever keys signed them: old windows are
//! proven from today's status through [`Status::after`], then by [`TrackState::proves`] in theirs.

use crate::{
	crypto::{sha256, Hash, Signed, SignedMessage},
	merkle::{leaf_hash, root, Proof},
	register::Domain,
	window::{StreamId, TrackId, WindowHeader},
	BlockNumber,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Longest that a status says anything about the present, milliseconds: nobody can replay an old one for longer.
pub const MAX_VALID_MS: u32 = 10_000;

/// Whether windows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub enum State {
	/// They do.
	Live,
	/// Not now; they will go on.
	Idle,
	/// The broadcast is over: none follows in this epoch.
	Ended,
}

/// How far a track is. 74 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct TrackState {
	/// Its number.
	pub track: TrackId,
	/// Windows of this epoch.
	pub count: u64,
	/// [`WindowHeader::hash`] of the newest one; zero before the first.
	pub last: Hash,
	/// RFC 6962 root over all of them.
	pub history: Hash,
}

impl TrackState {
	/// Whether this header is in the history of the track, in this status's epoch, by this proof.
	pub fn proves(&self, status: &Status, header: &WindowHeader, proof: &Proof) -> bool {
		let place = (header.id.stream, header.id.epoch, header.id.track);
		place == (status.stream, status.epoch, self.track)
			&& (proof.index, proof.width) == (header.number, self.count)
			&& proof.verify(&self.history, &header.hash())
	}
}

/// What the broadcaster signs. 97 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Status {
	/// The stream.
	pub stream: StreamId,
	/// As in its headers.
	pub epoch: BlockNumber,
	/// Rises in an epoch: of two, the higher one holds.
	pub number: u64,
	/// Whether windows come.
	pub state: State,
	/// When it was signed: Unix time, milliseconds, on the broadcaster's clock.
	pub at_ms: u64,
	/// How long it holds, milliseconds; at most [`MAX_VALID_MS`]. One that says that the broadcast is over, for ever.
	pub valid_ms: u32,
	/// [`Status::hash`] of the newest status known of the epoch before; zero where none is.
	pub after: Hash,
	/// RFC 6962 root over the tracks' states, leaves `H(0x00 ‖ SCALE(state))`.
	pub tracks: Hash,
}

impl SignedMessage for Status {
	const DOMAIN: Domain = Domain::Status;
}

impl Status {
	/// Names it: `H(0x00 ‖ domain ‖ SCALE(self))`.
	pub fn hash(&self) -> Hash {
		sha256(&[&[0], Self::DOMAIN.bytes(), &self.encode()])
	}

	/// Whether the two are different and of one number: equivocation, when one key signed both.
	pub fn conflicts_with(&self, other: &Self) -> bool {
		let place = |status: &Self| (status.stream, status.epoch, status.number);
		place(self) == place(other) && self != other
	}

	/// Whether it speaks of this moment (Unix time, milliseconds), for a clock that differs by at most `skew_ms`.
	pub fn holds_at(&self, now_ms: u64, skew_ms: u64) -> bool {
		let ends = self.at_ms.saturating_add(self.valid_ms.into());
		self.state == State::Ended
			|| (self.at_ms <= now_ms.saturating_add(skew_ms) && now_ms <= ends.saturating_add(skew_ms))
	}

	/// Whether it takes the place of another one of its stream. Nothing of an epoch takes that of its end.
	pub fn supersedes(&self, other: &Self) -> bool {
		let goes_on = other.state != State::Ended || self.epoch > other.epoch;
		goes_on && (self.epoch, self.number) > (other.epoch, other.number)
	}
}

/// States of all tracks, of ascending numbers.
pub type TrackStates = BoundedVec<TrackState, ConstU32<{ crate::catalog::MAX_TRACKS }>>;

/// Root over states, as [`Status::tracks`] has it.
pub fn tracks_root(tracks: &[TrackState]) -> Hash {
	root(
		&tracks
			.iter()
			.map(|track| leaf_hash(&track.encode()))
			.collect::<Vec<_>>(),
	)
}

/// A status as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedStatus {
	/// Signed.
	pub status: Signed<Status>,
	/// What the status states the root of.
	pub tracks: TrackStates,
}

/// Why a status is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusError {
	/// Signature not by the stream's signing key for this chain.
	Signature(crate::crypto::SignatureError),
	/// Meant to hold longer than [`MAX_VALID_MS`].
	Valid(u32),
	/// The tracks are not those of the root, or their numbers do not ascend.
	Tracks,
}

impl fmt::Display for StatusError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Signature(e) => write!(f, "status's {e}"),
			Self::Valid(ms) => write!(f, "status for {ms} ms; at most {MAX_VALID_MS} are allowed"),
			Self::Tracks => f.write_str("the states are not those of the status"),
		}
	}
}

impl core::error::Error for StatusError {}

#[cfg(feature = "keys")]
impl SignedStatus {
	/// Signed by the stream's key for this chain; `status.tracks` follows from `tracks`.
	pub fn sign(mut status: Status, tracks: TrackStates, key: &crate::crypto::KeyPair, genesis: &Hash) -> Self {
		status.tracks = tracks_root(&tracks);
		Self {
			status: key.sign(status, genesis),
			tracks,
		}
	}

	/// Its parts agree, and the stream's signing key signed it for this chain.
	pub fn check(&self, signing_key: &crate::PublicKey, genesis: &Hash) -> Result<(), StatusError> {
		self.check_parts()?;
		self.status.verify(signing_key, genesis).map_err(StatusError::Signature)
	}
}

impl SignedStatus {
	/// Its parts agree; nothing is said of the signature. For one that another status names by hash.
	pub fn check_parts(&self) -> Result<(), StatusError> {
		let status = &self.status.message;
		if status.valid_ms > MAX_VALID_MS {
			return Err(StatusError::Valid(status.valid_ms));
		}
		let ascending = self.tracks.windows(2).all(|pair| pair[0].track < pair[1].track);
		match ascending && tracks_root(&self.tracks) == status.tracks {
			true => Ok(()),
			false => Err(StatusError::Tracks),
		}
	}

	/// The last of `earlier` statuses, the newest first, by the hashes in [`Status::after`] from this one on, which the
	/// caller has checked; itself where there are none. No key of theirs has to be known. `None` where one is not what
	/// the one behind it names.
	pub fn reaches<'a>(&'a self, earlier: &'a [Self]) -> Option<&'a Self> {
		earlier.iter().try_fold(self, |later, earlier| {
			let (after, before) = (&later.status.message, &earlier.status.message);
			let named = before.hash() == after.after && before.stream == after.stream && before.epoch < after.epoch;
			(named && earlier.check_parts().is_ok()).then_some(earlier)
		})
	}

	/// State of this track.
	pub fn track(&self, track: TrackId) -> Option<&TrackState> {
		self.tracks.iter().find(|state| state.track == track)
	}

	/// Whether this header is in the history of one of its tracks.
	pub fn proves(&self, header: &WindowHeader, proof: &Proof) -> bool {
		self.track(header.id.track)
			.is_some_and(|track| track.proves(&self.status.message, header, proof))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::crypto::{KeyPair, SignatureError};

	fn status(number: u64, state: State) -> Status {
		Status {
			stream: StreamId(1),
			epoch: 9,
			number,
			state,
			at_ms: 1_000_000,
			valid_ms: 5_000,
			after: Hash([0; 32]),
			tracks: Hash([0; 32]),
		}
	}

	fn tracks(ids: &[TrackId]) -> TrackStates {
		let state = |track: &TrackId| TrackState {
			track: *track,
			count: 3,
			last: Hash([1; 32]),
			history: Hash([2; 32]),
		};
		ids.iter().map(state).collect::<Vec<_>>().try_into().unwrap()
	}

	#[test]
	fn status_is_checked_both_ways() {
		let (key, genesis) = (KeyPair::from_seed([1; 32]), Hash([2; 32]));
		let sign = |status, ids: &[TrackId]| SignedStatus::sign(status, tracks(ids), &key, &genesis);
		let check = |status: &SignedStatus| status.check(&key.public(), &genesis);
		let good = sign(status(1, State::Live), &[0, 2]);
		assert_eq!(check(&good), Ok(()));
		assert_eq!(check(&sign(status(1, State::Live), &[])), Ok(()));
		assert_eq!(check(&sign(status(1, State::Live), &[2, 0])), Err(StatusError::Tracks));
		let mut other = good.clone();
		other.tracks[0].count += 1;
		assert_eq!(check(&other), Err(StatusError::Tracks));
		let mut long = status(1, State::Live);
		long.valid_ms = MAX_VALID_MS + 1;
		assert_eq!(check(&sign(long, &[])), Err(StatusError::Valid(MAX_VALID_MS + 1)));
		let foreign = SignedStatus::sign(
			status(1, State::Live),
			tracks(&[]),
			&KeyPair::from_seed([3; 32]),
			&genesis,
		);
		assert_eq!(check(&foreign), Err(StatusError::Signature(SignatureError::Invalid)));
	}

	#[test]
	fn status_holds_for_its_time_and_the_end_for_ever() {
		let live = status(1, State::Live);
		assert!(live.holds_at(1_000_000, 0) && live.holds_at(1_005_000, 0));
		assert!(!live.holds_at(1_005_001, 0) && !live.holds_at(999_999, 0));
		assert!(live.holds_at(1_005_001, 1) && live.holds_at(999_999, 1));
		assert!(status(1, State::Ended).holds_at(u64::MAX, 0));
	}

	#[test]
	fn higher_number_wins_and_two_of_one_conflict() {
		let (one, two) = (status(1, State::Live), status(2, State::Ended));
		assert!(two.supersedes(&one) && !one.supersedes(&two) && !one.supersedes(&one));
		let later = Status {
			epoch: 10,
			number: 0,
			..one
		};
		assert!(later.supersedes(&two) && !two.supersedes(&later));
		assert!(
			!status(3, State::Live).supersedes(&two) && !status(3, State::Ended).supersedes(&two),
			"behind the end"
		);
		assert!(one.conflicts_with(&status(1, State::Idle)));
		assert!(!one.conflicts_with(&one) && !one.conflicts_with(&two) && !one.conflicts_with(&later));
	}

	#[test]
	fn chain_of_statuses_is_followed_by_hash_alone() {
		let sign = |epoch, after: Option<&SignedStatus>, seed| {
			let after = after.map_or(Hash([0; 32]), |status| status.status.message.hash());
			let status = Status {
				epoch,
				after,
				..status(1, State::Live)
			};
			SignedStatus::sign(status, tracks(&[0]), &KeyPair::from_seed([seed; 32]), &Hash([2; 32]))
		};
		let first = sign(1, None, 1);
		let second = sign(2, Some(&first), 2);
		let third = sign(3, Some(&second), 3);
		assert_eq!(third.reaches(&[second.clone(), first.clone()]), Some(&first));
		assert_eq!(third.reaches(&[]), Some(&third));
		assert_eq!(third.reaches(std::slice::from_ref(&first)), None, "a link is missing");
		assert_eq!(
			third.reaches(&[sign(2, None, 2), first.clone()]),
			None,
			"another one of its epoch"
		);
		let mut bent = second.clone();
		bent.tracks[0].count += 1;
		assert_eq!(third.reaches(&[bent]), None, "states that it does not state");
		let mut elsewhere = first.clone();
		elsewhere.status.message.stream = StreamId(2);
		let names_it = sign(2, Some(&elsewhere), 2);
		assert_eq!(names_it.reaches(&[elsewhere]), None, "another stream");
		let later = sign(5, None, 1);
		assert_eq!(sign(5, Some(&later), 2).reaches(&[later]), None, "not an earlier epoch");
	}
}
