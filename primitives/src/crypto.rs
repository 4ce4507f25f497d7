//! SHA-256 and Keccak-256, Ed25519 keys and signatures, and the payloads that are signed.

use crate::register::Domain;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;
use sha2::{Digest, Sha256};
use sha3::Keccak256;

macro_rules! bytes_type {
	($(#[$meta:meta])* $name:ident, $len:literal) => {
		$(#[$meta])*
		#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
		pub struct $name(pub [u8; $len]);

		impl fmt::Display for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				f.write_str("0x")?;
				self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
			}
		}
		impl fmt::Debug for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				fmt::Display::fmt(self, f)
			}
		}
		impl AsRef<[u8]> for $name {
			fn as_ref(&self) -> &[u8] {
				&self.0
			}
		}
		impl From<[u8; $len]> for $name {
			fn from(raw: [u8; $len]) -> Self {
				Self(raw)
			}
		}
		impl core::str::FromStr for $name {
			type Err = hex::FromHexError;
			/// Hexadecimal, with or without `0x`.
			fn from_str(s: &str) -> Result<Self, Self::Err> {
				let mut raw = [0; $len];
				hex::decode_to_slice(s.strip_prefix("0x").unwrap_or(s), &mut raw)?;
				Ok(Self(raw))
			}
		}
		#[cfg(feature = "serde")]
		impl serde::Serialize for $name {
			fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
				s.collect_str(self)
			}
		}
		#[cfg(feature = "serde")]
		impl<'de> serde::Deserialize<'de> for $name {
			fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
				<alloc::string::String as serde::Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
			}
		}
	};
}

bytes_type!(
	/// SHA-256 digest, 32 bytes; a Keccak-256 digest where the bridge says so. Also the chain's genesis hash, which is
	/// opaque here.
	#[derive(Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	Hash, 32
);
bytes_type!(
	/// Account on the chain, 32 bytes (`AccountId32`).
	#[derive(Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	AccountId, 32
);
bytes_type!(
	/// Ed25519 public key; sr25519 where validators attest the L2. Encoded as 33 bytes: the scheme, which is
	/// [`ED25519`] here, and the key, so that a key of another scheme can stand in its place one day. A decoder refuses
	/// schemes that it does not know. As text it is the 32 bytes alone.
	PublicKey, 32
);
bytes_type!(
	/// Ed25519 signature, 64 bytes; sr25519 where validators attest the L2.
	#[derive(Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	Signature, 64
);
bytes_type!(
	/// Address on an Ethereum-like chain, 20 bytes.
	#[derive(Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	EthereumAddress, 20
);
bytes_type!(
	/// secp256k1 signature of an Ethereum wallet, 65 bytes: `r`, `s`, `v`, where `v` is 27 or 28 (or 0 or 1, as some
	/// wallets have it).
	#[derive(Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	EthereumSignature, 65
);

/// Scheme byte of an Ed25519 key, as [`PublicKey`]s are encoded.
pub const ED25519: u8 = 0;

impl Encode for PublicKey {
	fn size_hint(&self) -> usize {
		Self::max_encoded_len()
	}

	fn encode_to<T: codec::Output + ?Sized>(&self, out: &mut T) {
		out.push_byte(ED25519);
		out.write(&self.0);
	}
}

impl codec::EncodeLike for PublicKey {}

impl Decode for PublicKey {
	fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
		match input.read_byte()? {
			ED25519 => Decode::decode(input).map(Self),
			_ => Err("key of an unknown scheme".into()),
		}
	}
}

impl DecodeWithMemTracking for PublicKey {}

impl MaxEncodedLen for PublicKey {
	fn max_encoded_len() -> usize {
		1 + 32
	}
}

/// To clients of the chain a key is a variant of its schemes.
impl TypeInfo for PublicKey {
	type Identity = Self;

	fn type_info() -> scale_info::Type {
		use scale_info::build::{Fields, Variants};
		let schemes = Variants::new().variant("Ed25519", |scheme| {
			scheme
				.index(ED25519)
				.fields(Fields::unnamed().field(|field| field.ty::<[u8; 32]>()))
		});
		scale_info::Type::builder()
			.path(scale_info::Path::new("PublicKey", "clustercast_primitives::crypto"))
			.variant(schemes)
	}
}

/// SHA-256 over the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
	let mut hasher = Sha256::new();
	parts.iter().for_each(|p| hasher.update(p));
	Hash(hasher.finalize().into())
}

/// Keccak-256, Ethereum's hash, over the parts, one after the other.
pub fn keccak256(parts: &[&[u8]]) -> Hash {
	let mut hasher = Keccak256::new();
	parts.iter().for_each(|p| hasher.update(p));
	Hash(hasher.finalize().into())
}

/// `H(prefix ‖ message)` of each message: [`sha256`] one after the other, or in lanes where that is faster.
pub fn sha256_each(prefix: u8, messages: &[&[u8]]) -> Vec<Hash> {
	let mut digests = Vec::with_capacity(messages.len());
	#[cfg(all(feature = "std", target_arch = "x86_64"))]
	for group in messages.chunks(crate::lanes::LANES).take_while(|group| group.len() > 1) {
		let lanes = core::array::from_fn(|lane| group.get(lane).copied().unwrap_or_default());
		match crate::lanes::digest(prefix, lanes) {
			Some(found) => digests.extend_from_slice(&found[..group.len()]),
			None => break,
		}
	}
	let rest = &messages[digests.len()..];
	digests.extend(rest.iter().map(|message| sha256(&[&[prefix], message])));
	digests
}

/// A message that is signed: its domain separates it from every other kind.
pub trait SignedMessage: Encode {
	/// Its row in the register.
	const DOMAIN: Domain;

	/// The bytes that are signed: `domain ‖ genesis ‖ SCALE(self)`.
	fn signing_payload(&self, genesis: &Hash) -> Vec<u8> {
		let mut payload = Vec::with_capacity(Self::DOMAIN.bytes().len() + 32 + self.encoded_size());
		payload.extend_from_slice(Self::DOMAIN.bytes());
		payload.extend_from_slice(&genesis.0);
		self.encode_to(&mut payload);
		payload
	}
}

/// A message with the Ed25519 signature over its [`SignedMessage::signing_payload`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Signed<T> {
	/// What was signed.
	pub message: T,
	/// Over [`SignedMessage::signing_payload`].
	pub signature: Signature,
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum SignatureError {
	/// `R` or the key is not the shortest encoding of its point, or `S` is not below the group order: another
	/// signature of the same content could be made from this one.
	NonCanonical,
	/// Does not verify under this key.
	Invalid,
}

impl fmt::Display for SignatureError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NonCanonical => "signature is not in canonical form",
			Self::Invalid => "signature does not verify",
		})
	}
}

impl core::error::Error for SignatureError {}

/// Whether key and signature are canonically encoded: `y < 2^255 - 19` in the key and in `R`, `S` below the group
/// order. Checked beside verification, on chain and off, so that one message under one nonce has one signature.
pub fn is_canonical(key: &PublicKey, signature: &Signature) -> bool {
	// Little-endian 2^252 + 27742317777372353535851937790883648493, the order of the base point.
	const ORDER: [u8; 32] = [
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	];
	// Little-endian 2^255 - 19.
	const FIELD: [u8; 32] = {
		let mut p = [0xff; 32];
		p[0] = 0xed;
		p[31] = 0x7f;
		p
	};
	let below = |value: &[u8], bound: &[u8; 32]| value.iter().rev().lt(bound.iter().rev());
	let without_sign = |half: &[u8]| {
		let mut y = [0; 32];
		y.copy_from_slice(half);
		y[31] &= 0x7f;
		y
	};
	below(&without_sign(&key.0), &FIELD)
		&& below(&without_sign(&signature.0[..32]), &FIELD)
		&& below(&signature.0[32..], &ORDER)
}

#[cfg(feature = "ed25519")]
mod native {
	use super::*;
	use ed25519_zebra::{SigningKey, VerificationKey};

	impl PublicKey {
		/// Checks `signature` over `payload`; the same rules as the chain's host function (ZIP 215) plus [`is_canonical`].
		pub fn verify(&self, payload: &[u8], signature: &Signature) -> Result<(), SignatureError> {
			if !is_canonical(self, signature) {
				return Err(SignatureError::NonCanonical);
			}
			VerificationKey::try_from(self.0)
				.and_then(|key| key.verify(&signature.0.into(), payload))
				.map_err(|_| SignatureError::Invalid)
		}
	}

	impl<T: SignedMessage> Signed<T> {
		/// Checks the signature under `key` for the chain with this genesis hash.
		pub fn verify(&self, key: &PublicKey, genesis: &Hash) -> Result<(), SignatureError> {
			key.verify(&self.message.signing_payload(genesis), &self.signature)
		}
	}

	/// Ed25519 key pair. Never printed: `Debug` shows the public half.
	#[derive(Clone)]
	pub struct KeyPair {
		signing: SigningKey,
		public: PublicKey,
	}

	impl KeyPair {
		/// From the 32-byte seed of RFC 8032.
		pub fn from_seed(seed: [u8; 32]) -> Self {
			let signing = SigningKey::from(seed);
			let public = PublicKey(VerificationKey::from(&signing).into());
			Self { signing, public }
		}

		/// The public half.
		pub fn public(&self) -> PublicKey {
			self.public
		}

		/// The 32-byte seed, for libraries that want their own key type (libp2p). Secret.
		pub fn seed(&self) -> [u8; 32] {
			self.signing.to_bytes()
		}

		/// Signs raw bytes.
		pub fn sign_bytes(&self, payload: &[u8]) -> Signature {
			Signature(self.signing.sign(payload).into())
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
}

/// Nothing but the simulator's own package is built so: here, `keys` brings `ed25519`.
#[cfg(all(feature = "keys", not(feature = "ed25519")))]
#[path = "../../sim/primitives/keys.rs"]
mod native;

#[cfg(feature = "keys")]
pub use native::KeyPair;

#[cfg(test)]
mod tests {
	use super::*;

	#[derive(Clone, Encode)]
	struct Note(u8);
	impl SignedMessage for Note {
		const DOMAIN: Domain = Domain::Tip;
	}

	#[test]
	fn signature_verifies_only_for_its_message_key_and_chain() {
		let (key, other) = (KeyPair::from_seed([1; 32]), KeyPair::from_seed([2; 32]));
		let genesis = Hash([7; 32]);
		let signed = key.sign(Note(5), &genesis);
		assert_eq!(signed.verify(&key.public(), &genesis), Ok(()));
		assert_eq!(signed.verify(&other.public(), &genesis), Err(SignatureError::Invalid));
		assert_eq!(
			signed.verify(&key.public(), &Hash([8; 32])),
			Err(SignatureError::Invalid)
		);
		let altered = Signed {
			message: Note(6),
			signature: signed.signature,
		};
		assert_eq!(altered.verify(&key.public(), &genesis), Err(SignatureError::Invalid));
	}

	#[test]
	fn non_canonical_signature_is_refused() {
		let key = KeyPair::from_seed([1; 32]);
		let good = key.sign_bytes(b"x");
		assert_eq!(key.public().verify(b"x", &good), Ok(()));
		// S + order is the same scalar: valid to a verifier that does not insist on the canonical form.
		const ORDER: [u8; 32] = [
			0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
		];
		let mut bad = good;
		let mut carry = 0u16;
		for (byte, order) in bad.0[32..].iter_mut().zip(ORDER) {
			carry += u16::from(*byte) + u16::from(order);
			*byte = carry as u8;
			carry >>= 8;
		}
		assert_eq!(key.public().verify(b"x", &bad), Err(SignatureError::NonCanonical));
		let mut bad = good;
		bad.0[..32].copy_from_slice(&[0xff; 32]);
		assert_eq!(key.public().verify(b"x", &bad), Err(SignatureError::NonCanonical));
	}

	#[test]
	fn key_is_encoded_with_its_scheme_and_no_other_is_taken() {
		let key = PublicKey([7; 32]);
		let encoded = key.encode();
		assert_eq!((encoded.len(), encoded[0]), (PublicKey::max_encoded_len(), ED25519));
		assert_eq!(PublicKey::decode(&mut &encoded[..]), Ok(key));
		for scheme in 1..=u8::MAX {
			let mut other = encoded.clone();
			other[0] = scheme;
			assert!(PublicKey::decode(&mut &other[..]).is_err(), "scheme {scheme}");
		}
	}

	#[test]
	fn seed_is_the_one_it_was_made_from() {
		assert_eq!(KeyPair::from_seed([9; 32]).seed(), [9; 32]);
	}

	#[test]
	fn sha256_of_each_is_sha256_of_every_one() {
		let data = [7; 500];
		for count in 0..20 {
			let messages: Vec<&[u8]> = (0..count).map(|i| &data[..i * 23]).collect();
			let expected: Vec<Hash> = messages.iter().map(|m| sha256(&[&[9], m])).collect();
			assert_eq!(sha256_each(9, &messages), expected);
		}
	}

	#[test]
	fn keccak256_is_ethereums_and_of_parts_that_of_their_concatenation() {
		assert_eq!(keccak256(&[b"a", b"", b"bc"]), keccak256(&[b"abc"]));
		let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
		assert_eq!(keccak256(&[]), empty.parse().unwrap());
	}

	#[test]
	fn sha256_of_parts_is_sha256_of_their_concatenation() {
		assert_eq!(sha256(&[b"a", b"", b"bc"]), sha256(&[b"abc"]));
		assert_eq!(
			sha256(&[b"abc"]).0,
			*hex::decode("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
				.unwrap()
				.as_slice()
		);
	}
}
