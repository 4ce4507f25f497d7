//! What an Ethereum wallet signs to act for its account on the chain: typed data of EIP-712, which the wallet shows
//! field by field.
//!
//! ```text
//! EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)
//!     "ClusterCast", "2", the L2's chain id, the vault
//! Withdraw(address to,uint128 amount,uint128 fee,uint128 tip,uint64 nonce,uint32 deadline)
//! Unlock(uint128 amount,uint128 tip,uint64 nonce,uint32 deadline)
//! Collect(uint128 tip,uint64 nonce,uint32 deadline)
//! Authorize(bytes32 key,uint128 limit,uint32 expiry,uint128 tip,uint64 nonce,uint32 deadline)
//! digest = H(0x1901 ‖ H(domain) ‖ H(message))
//! ```
//!
//! The domain names the L2, so no message does; the type of a message is its kind.
//!
//! What the key itself signs goes along with `Authorize` and is none of its fields: the wallet's owner need not look at it,
//! and whoever changes it makes the message one that is refused.
//!
//! `nonce` is any number: it tells apart messages that otherwise say the same. A message is taken once.

use crate::{
	amount::Balance,
	crypto::{keccak256, EthereumAddress, Hash, PublicKey, Signature},
	BlockNumber,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What a signature is good for: this vault on this L2, and so the one chain that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Domain {
	/// The L2's chain id (EIP-155); messages of the bridge call it `l2`.
	pub chain_id: u32,
	/// The vault.
	pub vault: EthereumAddress,
}

impl Domain {
	/// EIP-712's `hashStruct` of the domain.
	pub fn separator(&self) -> Hash {
		let fields = Fields::default()
			.hash(keccak256(&[b"ClusterCast"]))
			.hash(keccak256(&[b"2"]))
			.number(self.chain_id.into())
			.address(&self.vault);
		fields.hash_struct(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
	}

	/// What is signed of a message whose `hashStruct` this is.
	pub(super) fn typed(&self, message: &Hash) -> Hash {
		keccak256(&[b"\x19\x01", &self.separator().0, &message.0])
	}
}

/// A message of an Ethereum wallet about its account. `tip` goes from the account to whoever submits it; `deadline` is
/// the last block of the chain in which it is taken. Money in micro-USDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase", rename_all_fields = "camelCase")
)]
pub enum EthereumAction {
	/// Takes free balance back to the L2.
	Withdraw {
		/// Receives it.
		to: EthereumAddress,
		/// So much; 0 for everything that is left after the tip.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		amount: Balance,
		/// Of it, for whoever executes it on the L2.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		fee: Balance,
		/// See [`EthereumAction`].
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		tip: Balance,
		/// See [the module](self).
		nonce: u64,
		/// See [`EthereumAction`].
		deadline: BlockNumber,
	},
	/// Asks for part of the deposit for tickets.
	Unlock {
		/// So much; 0 for all of it.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		amount: Balance,
		/// See [`EthereumAction`].
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		tip: Balance,
		/// See [the module](self).
		nonce: u64,
		/// See [`EthereumAction`].
		deadline: BlockNumber,
	},
	/// Takes what was asked for out of the deposit, once its delay is over.
	Collect {
		/// See [`EthereumAction`].
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		tip: Balance,
		/// See [the module](self).
		nonce: u64,
		/// See [`EthereumAction`].
		deadline: BlockNumber,
	},
	/// Lets a session key sign tickets.
	Authorize {
		/// The session's key (Ed25519).
		key: PublicKey,
		/// Most that it may spend in all.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		limit: Balance,
		/// Last block of the chain for which it can sign.
		expiry: BlockNumber,
		/// The key's signature over [`SessionProof`](crate::session::SessionProof) for the account. The wallet does not sign
		/// it.
		proof: Signature,
		/// See [`EthereumAction`].
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		tip: Balance,
		/// See [the module](self).
		nonce: u64,
		/// See [`EthereumAction`].
		deadline: BlockNumber,
	},
}

impl EthereumAction {
	/// For whoever submits it, micro-USDC.
	pub const fn tip(&self) -> Balance {
		match self {
			Self::Withdraw { tip, .. }
			| Self::Unlock { tip, .. }
			| Self::Collect { tip, .. }
			| Self::Authorize { tip, .. } => *tip,
		}
	}

	/// Last block of the chain in which it is taken.
	pub const fn deadline(&self) -> BlockNumber {
		match self {
			Self::Withdraw { deadline, .. }
			| Self::Unlock { deadline, .. }
			| Self::Collect { deadline, .. }
			| Self::Authorize { deadline, .. } => *deadline,
		}
	}

	/// What the wallet signs (ECDSA over secp256k1, with recovery).
	pub fn digest(&self, domain: &Domain) -> Hash {
		domain.typed(&self.hash_struct())
	}

	fn hash_struct(&self) -> Hash {
		let fields = Fields::default();
		match self {
			Self::Withdraw {
				to,
				amount,
				fee,
				tip,
				nonce,
				deadline,
			} => fields
				.address(to)
				.number(*amount)
				.number(*fee)
				.envelope(*tip, *nonce, *deadline)
				.hash_struct(
					b"Withdraw(address to,uint128 amount,uint128 fee,uint128 tip,uint64 nonce,uint32 deadline)",
				),
			Self::Unlock {
				amount,
				tip,
				nonce,
				deadline,
			} => fields
				.number(*amount)
				.envelope(*tip, *nonce, *deadline)
				.hash_struct(b"Unlock(uint128 amount,uint128 tip,uint64 nonce,uint32 deadline)"),
			Self::Collect { tip, nonce, deadline } => fields
				.envelope(*tip, *nonce, *deadline)
				.hash_struct(b"Collect(uint128 tip,uint64 nonce,uint32 deadline)"),
			Self::Authorize {
				key,
				limit,
				expiry,
				proof: _,
				tip,
				nonce,
				deadline,
			} => fields
				.hash(Hash(key.0))
				.number(*limit)
				.number((*expiry).into())
				.envelope(*tip, *nonce, *deadline)
				.hash_struct(
					b"Authorize(bytes32 key,uint128 limit,uint32 expiry,uint128 tip,uint64 nonce,uint32 deadline)",
				),
		}
	}
}

/// Fields of a struct as EIP-712 encodes them: a word of 32 bytes each, big-endian.
#[derive(Default)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
	pub(super) fn hash(mut self, hash: Hash) -> Self {
		self.0.extend_from_slice(&hash.0);
		self
	}

	pub(super) fn number(mut self, number: u128) -> Self {
		self.0.extend_from_slice(&[0; 16]);
		self.0.extend_from_slice(&number.to_be_bytes());
		self
	}

	pub(super) fn address(mut self, address: &EthereumAddress) -> Self {
		self.0.extend_from_slice(&[0; 12]);
		self.0.extend_from_slice(&address.0);
		self
	}

	/// The fields that every message ends with.
	fn envelope(self, tip: Balance, nonce: u64, deadline: BlockNumber) -> Self {
		self.number(tip).number(nonce.into()).number(deadline.into())
	}

	/// `H(H(type) ‖ fields)`.
	pub(super) fn hash_struct(&self, r#type: &[u8]) -> Hash {
		keccak256(&[&keccak256(&[r#type]).0, &self.0])
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const DOMAIN: Domain = Domain {
		chain_id: 8_453,
		vault: EthereumAddress([7; 20]),
	};

	fn withdraw(amount: Balance, tip: Balance, nonce: u64) -> EthereumAction {
		EthereumAction::Withdraw {
			to: EthereumAddress([1; 20]),
			amount,
			fee: 3,
			tip,
			nonce,
			deadline: 6,
		}
	}

	#[test]
	fn a_message_is_signed_for_one_vault_on_one_chain() {
		let elsewhere = Domain { chain_id: 1, ..DOMAIN };
		let other = Domain {
			vault: EthereumAddress([8; 20]),
			..DOMAIN
		};
		let message = withdraw(2, 4, 5);
		assert_ne!(message.digest(&DOMAIN), message.digest(&elsewhere));
		assert_ne!(message.digest(&DOMAIN), message.digest(&other));
	}

	#[test]
	fn messages_that_differ_have_different_digests() {
		let (tip, nonce, deadline, amount) = (4, 5, 6, 2);
		let (key, limit, expiry, proof) = (PublicKey([9; 32]), 10, 11, Signature([7; 64]));
		let messages = [
			withdraw(2, 4, 5),
			withdraw(3, 4, 5),
			withdraw(2, 5, 5),
			withdraw(2, 4, 6),
			EthereumAction::Unlock {
				amount,
				tip,
				nonce,
				deadline,
			},
			EthereumAction::Unlock {
				amount,
				tip,
				nonce,
				deadline: 7,
			},
			EthereumAction::Collect { tip, nonce, deadline },
			EthereumAction::Authorize {
				key,
				limit,
				expiry,
				proof,
				tip,
				nonce,
				deadline,
			},
			EthereumAction::Authorize {
				key,
				limit: 11,
				expiry,
				proof,
				tip,
				nonce,
				deadline,
			},
			EthereumAction::Authorize {
				key,
				limit,
				expiry: 12,
				proof,
				tip,
				nonce,
				deadline,
			},
		];
		for (index, one) in messages.iter().enumerate() {
			assert!(messages[..index]
				.iter()
				.all(|other| other.digest(&DOMAIN) != one.digest(&DOMAIN)));
		}
		let proven_otherwise = EthereumAction::Authorize {
			key,
			limit,
			expiry,
			proof: Signature([8; 64]),
			tip,
			nonce,
			deadline,
		};
		assert_eq!(
			proven_otherwise.digest(&DOMAIN),
			messages[7].digest(&DOMAIN),
			"the wallet does not sign the proof"
		);
		assert!(messages
			.iter()
			.all(|message| message.tip() >= 4 && message.deadline() >= 6));
	}
}
