//! What a wallet of whatever kind sends to the chain by the vault, contracts too: an action, as the body of a deposit of
//! kind 1, and the message by which it lets anybody bring that.
//!
//! ```text
//! body of kind 1 = version u8, 1 ‖ which u8 ‖ fields, big-endian
//!     0 withdraw    to 20 ‖ amount u128 ‖ fee u128
//!     1 unlock      amount u128
//!     2 collect
//!     3 authorize   key 32 ‖ limit u128 ‖ expiry u32 ‖ proof 64
//!
//! Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)
//!     typed data of EIP-712, under the domain of the messages to the chain, see super::action
//! ```
//!
//! The account that an action is about is the depositor's own: the vault vouches for whoever that is, and takes each
//! deposit once. So an action has neither signature nor nonce here, and no tip: the deposit pays for its way.

use super::{
	action::{Domain, EthereumAction, Fields},
	deposit::Body,
};
use crate::{
	amount::Balance,
	crypto::{EthereumAddress, Hash, PublicKey, Signature},
	BlockNumber,
};

/// What is done for an account, whichever way it was asked for: by a message of its wallet, or with a deposit. Money in
/// micro-USDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase", rename_all_fields = "camelCase")
)]
pub enum Action {
	/// See [`EthereumAction::Withdraw`].
	Withdraw {
		/// Receives it on the L2.
		to: EthereumAddress,
		/// So much; 0 for everything that is free.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		amount: Balance,
		/// Of it, for whoever executes it on the L2.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		fee: Balance,
	},
	/// See [`EthereumAction::Unlock`].
	Unlock {
		/// So much; 0 for all of it.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		amount: Balance,
	},
	/// See [`EthereumAction::Collect`].
	Collect,
	/// See [`EthereumAction::Authorize`].
	Authorize {
		/// The session's key (Ed25519).
		key: PublicKey,
		/// Most that it may spend in all.
		#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
		limit: Balance,
		/// Last block of the chain for which it can sign.
		expiry: BlockNumber,
		/// The key's signature over [`SessionProof`](crate::session::SessionProof) for the account.
		proof: Signature,
	},
}

const WITHDRAW: u8 = 0;
const UNLOCK: u8 = 1;
const COLLECT: u8 = 2;
const AUTHORIZE: u8 = 3;

impl Action {
	/// The kind of its deposits.
	pub const KIND: u8 = 1;

	/// First byte of its body.
	pub const VERSION: u8 = 1;

	/// The body, see [the module](self).
	pub fn body(&self) -> Body {
		match self {
			Self::Withdraw { to, amount, fee } => Body::of(&[
				&[Self::VERSION, WITHDRAW],
				&to.0,
				&amount.to_be_bytes(),
				&fee.to_be_bytes(),
			]),
			Self::Unlock { amount } => Body::of(&[&[Self::VERSION, UNLOCK], &amount.to_be_bytes()]),
			Self::Collect => Body::of(&[&[Self::VERSION, COLLECT]]),
			Self::Authorize {
				key,
				limit,
				expiry,
				proof,
			} => Body::of(&[
				&[Self::VERSION, AUTHORIZE],
				&key.0,
				&limit.to_be_bytes(),
				&expiry.to_be_bytes(),
				&proof.0,
			]),
		}
	}

	/// From a body; `None` where it is of another version, or none of the actions that are known here.
	pub fn decode_body(body: &[u8]) -> Option<Self> {
		let ([version, which], fields) = body.split_first_chunk()?;
		if *version != Self::VERSION {
			return None;
		}
		match *which {
			WITHDRAW => {
				let (to, fields) = fields.split_first_chunk()?;
				let (amount, fee) = fields.split_first_chunk()?;
				Some(Self::Withdraw {
					to: EthereumAddress(*to),
					amount: Balance::from_be_bytes(*amount),
					fee: Balance::from_be_bytes(fee.try_into().ok()?),
				})
			},
			UNLOCK => Some(Self::Unlock {
				amount: Balance::from_be_bytes(fields.try_into().ok()?),
			}),
			COLLECT => fields.is_empty().then_some(Self::Collect),
			AUTHORIZE => {
				let (key, fields) = fields.split_first_chunk()?;
				let (limit, fields) = fields.split_first_chunk()?;
				let (expiry, proof) = fields.split_first_chunk()?;
				Some(Self::Authorize {
					key: PublicKey(*key),
					limit: Balance::from_be_bytes(*limit),
					expiry: BlockNumber::from_be_bytes(*expiry),
					proof: Signature(proof.try_into().ok()?),
				})
			},
			_ => None,
		}
	}
}

impl From<&EthereumAction> for Action {
	/// What a message says, without its envelope.
	fn from(message: &EthereumAction) -> Self {
		match *message {
			EthereumAction::Withdraw { to, amount, fee, .. } => Self::Withdraw { to, amount, fee },
			EthereumAction::Unlock { amount, .. } => Self::Unlock { amount },
			EthereumAction::Collect { .. } => Self::Collect,
			EthereumAction::Authorize {
				key,
				limit,
				expiry,
				proof,
				..
			} => Self::Authorize {
				key,
				limit,
				expiry,
				proof,
			},
		}
	}
}

/// What a wallet signs so that anybody can bring a deposit of its own to the vault, once (`Vault.sendFor`). Money in
/// micro-USDC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
	/// Whose deposit it is. It is signed too, since one key may be the owner of several wallets.
	pub wallet: EthereumAddress,
	/// See [`Deposit::kind`](super::Deposit::kind).
	pub kind: u8,
	/// What is deposited.
	pub amount: Balance,
	/// See [`Deposit::body`](super::Deposit::body).
	pub body: Body,
	/// On top of the amount, for whoever brings it.
	pub fee: Balance,
	/// Any number: tells apart what is otherwise the same.
	pub nonce: u64,
	/// Last second, by the L2's blocks, in which it is taken.
	pub deadline: u64,
}

impl Sending {
	/// What the wallet signs.
	pub fn digest(&self, domain: &Domain) -> Hash {
		let message = Fields::default()
			.address(&self.wallet)
			.number(self.kind.into())
			.number(self.amount)
			.hash(self.body.hash())
			.number(self.fee)
			.number(self.nonce.into())
			.number(self.deadline.into())
			.hash_struct(
				b"Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)",
			);
		domain.typed(&message)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::bridge::deposit::MAX_BODY;
	use proptest::prelude::*;

	const ACTIONS: [Action; 4] = [
		Action::Withdraw {
			to: EthereumAddress([1; 20]),
			amount: 2,
			fee: 3,
		},
		Action::Unlock { amount: 4 },
		Action::Collect,
		Action::Authorize {
			key: PublicKey([5; 32]),
			limit: 6,
			expiry: 7,
			proof: Signature([8; 64]),
		},
	];

	#[test]
	fn an_action_is_what_its_body_says_and_nothing_else_is() {
		let lengths = [54, 18, 2, 118];
		for (action, length) in ACTIONS.into_iter().zip(lengths) {
			let body = action.body();
			let bytes = body.bytes();
			assert_eq!((bytes.len(), Action::decode_body(bytes)), (length, Some(action)));
			assert_eq!(Action::decode_body(&bytes[..length - 1]), None);
			assert_eq!(Action::decode_body(&[bytes, &[0]].concat()), None);
			for version in [0, 2, u8::MAX] {
				let other = [&[version], &bytes[1..]].concat();
				assert_eq!(Action::decode_body(&other), None, "version {version}");
			}
			let unknown = [&[Action::VERSION, 4], &bytes[2..]].concat();
			assert_eq!(Action::decode_body(&unknown), None);
		}
		assert_eq!(Action::decode_body(&[]), None);
	}

	#[test]
	fn a_message_and_a_deposit_ask_for_the_same() {
		let (tip, nonce, deadline) = (9, 10, 11);
		let (to, amount, fee) = (EthereumAddress([1; 20]), 2, 3);
		let (key, limit, expiry, proof) = (PublicKey([5; 32]), 6, 7, Signature([8; 64]));
		let messages = [
			EthereumAction::Withdraw {
				to,
				amount,
				fee,
				tip,
				nonce,
				deadline,
			},
			EthereumAction::Unlock {
				amount: 4,
				tip,
				nonce,
				deadline,
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
		];
		assert_eq!(messages.each_ref().map(Action::from), ACTIONS);
	}

	fn sending() -> Sending {
		Sending {
			wallet: EthereumAddress([1; 20]),
			kind: Action::KIND,
			amount: 100_000,
			body: Action::Collect.body(),
			fee: 5,
			nonce: 6,
			deadline: 7,
		}
	}

	#[test]
	fn everything_that_is_sent_is_signed_for_one_vault_on_one_chain() {
		let domain = Domain {
			chain_id: 8_453,
			vault: EthereumAddress([7; 20]),
		};
		let changes: [fn(&mut Sending); 7] = [
			|s| s.wallet.0[0] ^= 1,
			|s| s.kind += 1,
			|s| s.amount += 1,
			|s| s.body = Body::of(&[&[1, 3]]),
			|s| s.fee += 1,
			|s| s.nonce += 1,
			|s| s.deadline += 1,
		];
		let signed = sending().digest(&domain);
		for change in changes {
			let mut changed = sending();
			change(&mut changed);
			assert_ne!(changed.digest(&domain), signed);
		}
		for elsewhere in [
			Domain { chain_id: 1, ..domain },
			Domain {
				vault: EthereumAddress([8; 20]),
				..domain
			},
		] {
			assert_ne!(sending().digest(&elsewhere), signed);
		}
	}

	proptest! {
		#[test]
		fn an_action_has_one_body(body in prop::collection::vec(any::<u8>(), 0..=MAX_BODY)) {
			let action = Action::decode_body(&body);
			prop_assert!(action.is_none_or(|action| action.body().bytes() == body));
		}

		#[test]
		fn bodies_of_the_right_length_are_actions(which in 0..4u8, rest in prop::collection::vec(any::<u8>(), 116)) {
			let length = [52, 16, 0, 116][usize::from(which)];
			let body = [&[Action::VERSION, which], &rest[..length]].concat();
			let action = Action::decode_body(&body).map(|action| action.body().bytes().to_vec());
			prop_assert_eq!(action, Some(body));
		}
	}
}
