//! The simulator's keys: as good as real ones for whoever makes nothing up, and good for nothing anywhere else.

use clustercast_primitives::{
	crypto::{KeyPair, SignatureError},
	AccountId, Hash, Signature, SignedTip, StreamId, Tip,
};
use real::crypto as programs;

const GENESIS: Hash = Hash([7; 32]);

fn tip(amount: u128) -> Tip {
	Tip {
		sender: AccountId([2; 32]),
		session: KeyPair::from_seed([1; 32]).public(),
		stream: StreamId(3),
		amount,
		reward: 0,
		nonce: 4,
		expiry: 60,
	}
}

#[test]
fn signature_verifies_only_for_its_message_key_and_chain() {
	let (key, other) = (KeyPair::from_seed([1; 32]), KeyPair::from_seed([2; 32]));
	let signed = key.sign(tip(5), &GENESIS);
	assert_eq!(signed.verify(&key.public(), &GENESIS), Ok(()));
	assert_eq!(signed.verify(&other.public(), &GENESIS), Err(SignatureError::Invalid));
	assert_eq!(
		signed.verify(&key.public(), &Hash([8; 32])),
		Err(SignatureError::Invalid)
	);
	let altered = SignedTip {
		message: tip(6),
		signature: signed.signature,
	};
	assert_eq!(altered.verify(&key.public(), &GENESIS), Err(SignatureError::Invalid));
	for at in 0..64 {
		let mut bytes = signed.signature.0;
		bytes[at] ^= 1;
		let forged = SignedTip {
			message: signed.message.clone(),
			signature: Signature(bytes),
		};
		assert_eq!(
			forged.verify(&key.public(), &GENESIS),
			Err(SignatureError::Invalid),
			"byte {at}"
		);
	}
}

#[test]
fn programs_take_nothing_that_is_signed_here() {
	let (key, real) = (KeyPair::from_seed([1; 32]), programs::KeyPair::from_seed([1; 32]));
	let signed = key.sign_bytes(b"payload");
	for key in [programs::PublicKey(key.public().0), real.public()] {
		assert!(key.verify(b"payload", &programs::Signature(signed.0)).is_err());
	}
	assert!(real.public().verify(b"payload", &real.sign_bytes(b"payload")).is_ok());
}
