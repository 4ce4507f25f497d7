//! Whether a key signed a message: the one place where pallets ask, so that none forgets half of the question.
//!
//! The rule is that of [`clustercast_primitives::crypto`]: the host function's (ZIP 215), and the canonical form beside it.
//! It stands here and not there because programs link no host functions.

#![cfg_attr(not(feature = "std"), no_std)]

use clustercast_primitives::{
	crypto::{is_canonical, SignedMessage},
	Hash, PublicKey, Signature, Signed,
};

/// Whether `key` signed this message for the chain with this genesis hash, in canonical form. One verification, none where
/// the form is another.
pub fn is_signed<M: SignedMessage>(signed: &Signed<M>, key: &PublicKey, genesis: &Hash) -> bool {
	is_signature(&signed.message.signing_payload(genesis), &signed.signature, key)
}

/// The same of a payload.
pub fn is_signature(payload: &[u8], signature: &Signature, key: &PublicKey) -> bool {
	is_canonical(key, signature) && sp_io::crypto::ed25519_verify(&signature.0.into(), payload, &key.0.into())
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{crypto::KeyPair, notice::RelayerProof, AccountId};

	const GENESIS: Hash = Hash([7; 32]);

	fn signed() -> Signed<RelayerProof> {
		let account = AccountId([1; 32]);
		key().sign(RelayerProof { account }, &GENESIS)
	}

	fn key() -> KeyPair {
		KeyPair::from_seed([1; 32])
	}

	#[test]
	fn message_key_chain_and_signature_all_count() {
		let (good, public) = (signed(), key().public());
		assert!(is_signed(&good, &public, &GENESIS));
		assert!(!is_signed(&good, &public, &Hash([8; 32])));
		assert!(!is_signed(&good, &KeyPair::from_seed([2; 32]).public(), &GENESIS));
		let mut other = good.clone();
		other.message.account.0[0] ^= 1;
		assert!(!is_signed(&other, &public, &GENESIS));
		let mut other = good;
		other.signature.0[40] ^= 1;
		assert!(!is_signed(&other, &public, &GENESIS));
	}

	/// The host function alone takes the neutral point in a second encoding, which "signs" everything.
	#[test]
	fn what_the_host_takes_in_another_form_is_refused() {
		let mut key = PublicKey([0xff; 32]);
		(key.0[0], key.0[31]) = (0xee, 0x7f);
		let mut signature = Signature([0; 64]);
		signature.0[0] = 1;
		assert!(sp_io::crypto::ed25519_verify(&signature.0.into(), b"", &key.0.into()));
		assert!(!is_signature(b"", &signature, &key));
	}
}
