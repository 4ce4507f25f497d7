//! What validators sign of the vault on the L2, once the L2 block is final.

use crate::{
	crypto::{Hash, Signature, SignedMessage},
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Type of the keys that attest, in a validator's keystore: sr25519.
pub const KEY_TYPE: [u8; 4] = *b"ccl2";

/// Kind of a statement about the vault and the light client of an L2: the only one that is known.
pub const VAULT: u8 = 0;

/// The vault's deposits and the light client at a block of an L2. Signed by a validator's bridge key (sr25519) over
/// [`SignedMessage::signing_payload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Attestation {
	/// The L2 (EIP-155).
	pub l2: u32,
	/// What the statement is about: [`VAULT`].
	pub kind: u8,
	/// Number of the L2 block; a multiple of the interval that the chain was started with.
	pub l2_block: u64,
	/// Its hash.
	pub l2_hash: Hash,
	/// Root of the vault's tree in that block.
	pub root: Hash,
	/// Deposits in the vault in that block.
	pub count: u64,
	/// Newest block of the chain whose root the light client had in that block; 0 for none.
	pub light_client_block: BlockNumber,
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

	/// Whether the two cannot both be true: they say the same kind of thing about one block of one L2, and differ.
	pub fn contradicts(&self, other: &Self) -> bool {
		let about = |said: &Self| (said.l2, said.kind, said.l2_block);
		about(self) == about(other) && self != other
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const ATTESTATION: Attestation = Attestation {
		l2: 8_453,
		kind: VAULT,
		l2_block: 16,
		l2_hash: Hash([1; 32]),
		root: Hash([2; 32]),
		count: 3,
		light_client_block: 4,
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
		let client = Attestation {
			light_client_block: 5,
			..ATTESTATION
		};
		for other in [count, root, hash, client] {
			assert!(ATTESTATION.contradicts(&other) && other.contradicts(&ATTESTATION));
			// About another block, another L2, or something else.
			assert!(!ATTESTATION.contradicts(&Attestation { l2_block: 24, ..other }));
			assert!(!ATTESTATION.contradicts(&Attestation { l2: 1, ..other }));
			assert!(!ATTESTATION.contradicts(&Attestation { kind: 1, ..other }));
		}
	}

	#[test]
	fn every_byte_of_a_statement_is_a_field() {
		let encoded = ATTESTATION.encode();
		assert_eq!((encoded.len(), Attestation::max_encoded_len()), (89, 89));
		for byte in 0..encoded.len() {
			let mut other = encoded.clone();
			other[byte] ^= 1;
			assert_ne!(Attestation::decode(&mut &other[..]), Ok(ATTESTATION));
		}
	}
}
