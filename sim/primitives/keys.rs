//! Keys of the simulator, in place of Ed25519: a signature is a hash of the public key and of what is signed, so whoever knows the public
//! key could make one. Nobody in the simulator does: who cheats there alters what was signed, sends it twice, or makes something up.
//!
//! Compiled into `clustercast-sim-primitives` alone: in `primitives` the feature `keys` brings `ed25519`, and this file is for who has
//! the first without the second.

use super::*;

/// The signature of what is signed under a key.
fn signature(key: &PublicKey, payload: &[u8]) -> Signature {
	let mut signature = [0; 64];
	signature[..32].copy_from_slice(&sha256(&[b"simulated", &key.0, payload]).0);
	Signature(signature)
}

impl PublicKey {
	/// Checks `signature` over `payload`: it is the only one there is.
	pub fn verify(&self, payload: &[u8], given: &Signature) -> Result<(), SignatureError> {
		match signature(self, payload) == *given {
			true => Ok(()),
			false => Err(SignatureError::Invalid),
		}
	}
}

impl<T: SignedMessage> Signed<T> {
	/// Checks the signature under `key` for the chain with this genesis hash.
	pub fn verify(&self, key: &PublicKey, genesis: &Hash) -> Result<(), SignatureError> {
		key.verify(&self.message.signing_payload(genesis), &self.signature)
	}
}

/// Key pair. Never printed: `Debug` shows the public half.
#[derive(Clone)]
pub struct KeyPair {
	seed: [u8; 32],
	public: PublicKey,
}

impl KeyPair {
	/// From a seed of 32 bytes.
	pub fn from_seed(seed: [u8; 32]) -> Self {
		let public = PublicKey(sha256(&[b"simulated key", &seed]).0);
		Self { seed, public }
	}

	/// The public half.
	pub fn public(&self) -> PublicKey {
		self.public
	}

	/// The seed.
	pub fn seed(&self) -> [u8; 32] {
		self.seed
	}

	/// Signs raw bytes.
	pub fn sign_bytes(&self, payload: &[u8]) -> Signature {
		signature(&self.public, payload)
	}

	/// Signs a message for the chain with this genesis hash.
	pub fn sign<T: SignedMessage>(&self, message: T, genesis: &Hash) -> Signed<T> {
		let signature = self.sign_bytes(&message.signing_payload(genesis));
		Signed { message, signature }
	}
}

impl fmt::Debug for KeyPair {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "KeyPair({})", self.public)
	}
}
