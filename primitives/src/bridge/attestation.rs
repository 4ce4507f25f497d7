//! What validators sign of the vault on the L2, once the L2 block is final.

use crate::crypto::{Hash, Signature, SignedMessage};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Type of the keys that attest, in a validator's keystore: sr25519.
pub const KEY_TYPE: [u8; 4] = *b"ccl2";

/// The vault's deposits at a block of the L2. Signed by a validator's bridge key (sr25519) over
/// [`SignedMessage::signing_payload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Attestation {
	/// Number of the L2 block; a multiple of the interval that the chain was started with.
	pub l2_block: u64,
	/// Its hash.
	pub l2_hash: Hash,
	/// Root of the vault's tree in that block.
	pub root: Hash,
	/// Deposits in the vault in that block.
	pub count: u64,
}

/// Two attestations of one validator that cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DoubleAttestation {
	/// One of them.
	pub first: (Attestation, Signature),
	/// The other.
	pub second: (Attestation, Signature),
}

impl SignedMessage for Attestation {
	const DOMAIN: crate::Domain = crate::Domain::Attestation;
}

impl Attestation {
	/// The newest L2 block that may be attested when `finalised` is final: all validators look at the same one.
	pub const fn checkpoint(finalised: u64, interval: u32) -> Option<u64> {
		match finalised.checked_rem(interval as u64) {
			Some(past) => Some(finalised - past),
			None => None,
		}
	}

	/// Whether the two cannot both be true: they speak of one L2 block and differ.
	pub fn contradicts(&self, other: &Self) -> bool {
		self.l2_block == other.l2_block && self != other
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const ATTESTATION: Attestation = Attestation {
		l2_block: 16,
		l2_hash: Hash([1; 32]),
		root: Hash([2; 32]),
		count: 3,
	};

	#[test]
	fn checkpoint_is_the_multiple_at_or_below_what_is_final() {
		let cases = [
			(0, 8, Some(0)),
			(7, 8, Some(0)),
			(8, 8, Some(8)),
			(23, 8, Some(16)),
			(5, 1, Some(5)),
			(5, 0, None),
		];
		for (finalised, interval, expected) in cases {
			assert_eq!(Attestation::checkpoint(finalised, interval), expected);
		}
	}

	#[test]
	fn only_different_words_about_one_block_contradict() {
		assert!(!ATTESTATION.contradicts(&ATTESTATION));
		let count = Attestation {
			count: 4,
			..ATTESTATION
		};
		let root = Attestation {
			root: Hash([9; 32]),
			..ATTESTATION
		};
		let hash = Attestation {
			l2_hash: Hash([9; 32]),
			..ATTESTATION
		};
		for other in [count, root, hash] {
			assert!(ATTESTATION.contradicts(&other) && other.contradicts(&ATTESTATION));
			assert!(!ATTESTATION.contradicts(&Attestation { l2_block: 24, ..other }));
		}
	}
}
