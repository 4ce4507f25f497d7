//! Every call that a program makes. Arguments are matched by name with the node's metadata, and each is checked to
//! have the shape that the node expects before anything is signed.

use clustercast_primitives::{
	AccountId, Balance, BlockNumber, PublicKey, Signature, SignedVoucher, StreamId, WinningTicket,
};
use codec::Encode;
use subxt::{
	ext::{
		scale_decode::visitor::{decode_with_visitor, IgnoreVisitor},
		scale_encode::{self, Composite, CompositeField, EncodeAsFields, EncodeAsType, FieldIter, Variant},
		scale_type_resolver::TypeResolver,
	},
	transactions::Payload,
};

/// A call with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
	pallet: &'static str,
	name: &'static str,
	arguments: Vec<(&'static str, Argument)>,
}

#[derive(Clone, Debug)]
enum Argument {
	/// Plain or compact, as wide as the metadata says.
	Number(u128),
	/// A SCALE encoding.
	Encoded(Vec<u8>),
	/// Other calls.
	Calls(Vec<Call>),
}

impl Call {
	/// A call without arguments; names as in the metadata.
	pub fn new(pallet: &'static str, name: &'static str) -> Self {
		Self {
			pallet,
			name,
			arguments: Vec::new(),
		}
	}

	/// Adds an integer.
	pub fn number(mut self, name: &'static str, value: impl Into<u128>) -> Self {
		self.arguments.push((name, Argument::Number(value.into())));
		self
	}

	/// Adds anything else.
	pub fn argument(mut self, name: &'static str, value: &impl Encode) -> Self {
		self.arguments.push((name, Argument::Encoded(value.encode())));
		self
	}

	/// `Pallet::call`, for logs.
	pub fn full_name(&self) -> String {
		format!("{}::{}", self.pallet, self.name)
	}
}

/// What a stream key says of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStream {
	/// Signs window headers.
	pub signing_key: PublicKey,
	/// UTF-8, at most 64 bytes.
	pub title: String,
	/// UTF-8, at most 32 bytes.
	pub category: String,
	/// Most viewers at a time; 0 is no limit.
	pub max_viewers: u32,
	/// Baseline price, micro-USDC per 10^6 bytes.
	pub price_per_mb: u64,
	/// Parts per million, 0 to 300,000.
	pub broadcaster_share_ppm: u32,
}

/// Mints a stream key, owned by whoever signs.
pub fn mint(stream: &NewStream) -> Call {
	Call::new("StreamKeys", "mint")
		.argument("signing_key", &stream.signing_key)
		.argument("title", &stream.title)
		.argument("category", &stream.category)
		.number("max_viewers", stream.max_viewers)
		.number("price_per_mb", stream.price_per_mb)
		.number("broadcaster_share_ppm", stream.broadcaster_share_ppm)
}

/// Replaces the signing key of a stream.
pub fn set_signing_key(id: StreamId, key: &PublicKey) -> Call {
	Call::new("StreamKeys", "set_signing_key")
		.argument("id", &id)
		.argument("key", key)
}

/// What a relayer registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelayer {
	/// Signs receipts; its libp2p identity.
	pub signing_key: PublicKey,
	/// By that key, over `RelayerProof`.
	pub proof: Signature,
	/// At most 4 multiaddresses of at most 128 bytes.
	pub addresses: Vec<String>,
	/// Asking price, micro-USDC per 10^6 bytes.
	pub price_per_mb: u64,
	/// Micro-USDC.
	pub bond: Balance,
}

/// Registers whoever signs as a relayer.
pub fn register_relayer(relayer: &NewRelayer) -> Call {
	Call::new("RelayerRegistry", "register")
		.argument("signing_key", &relayer.signing_key)
		.argument("proof", &relayer.proof)
		.argument("addresses", &relayer.addresses)
		.number("price_per_mb", relayer.price_per_mb)
		.number("bond", relayer.bond)
}

/// Changes addresses and price of a registered relayer.
pub fn update_relayer(addresses: &[String], price_per_mb: u64) -> Call {
	Call::new("RelayerRegistry", "update")
		.argument("addresses", &addresses)
		.number("price_per_mb", price_per_mb)
}

/// Adds to the bond.
pub fn bond_extra(amount: Balance) -> Call {
	Call::new("RelayerRegistry", "bond_extra").number("amount", amount)
}

/// Begins to leave the registry.
pub fn unbond() -> Call {
	Call::new("RelayerRegistry", "unbond")
}

/// Stays in the registry after all.
pub fn cancel_unbond() -> Call {
	Call::new("RelayerRegistry", "cancel_unbond")
}

/// Takes the bond back after the delay.
pub fn withdraw_bond() -> Call {
	Call::new("RelayerRegistry", "withdraw_bond")
}

/// Holds money for tickets.
pub fn deposit(amount: Balance) -> Call {
	Call::new("TicketBroker", "deposit").number("amount", amount)
}

/// Announces a withdrawal from the deposit.
pub fn request_unlock(amount: Balance) -> Call {
	Call::new("TicketBroker", "request_unlock").number("amount", amount)
}

/// Keeps the announced money in the deposit after all.
pub fn cancel_unlock() -> Call {
	Call::new("TicketBroker", "cancel_unlock")
}

/// Takes the announced money back after the delay.
pub fn withdraw() -> Call {
	Call::new("TicketBroker", "withdraw")
}

/// Lets `key` sign tickets for whoever signs this, `limit` micro-USDC in all, up to block `expiry`.
pub fn authorize_session(key: &PublicKey, limit: Balance, expiry: BlockNumber) -> Call {
	Call::new("TicketBroker", "authorize_session")
		.argument("key", key)
		.number("limit", limit)
		.number("expiry", expiry)
}

/// Ends a session key as soon as its last ticket has expired.
pub fn revoke_session(key: &PublicKey) -> Call {
	Call::new("TicketBroker", "revoke_session").argument("key", key)
}

/// Removes an expired session key.
pub fn reap_session(key: &PublicKey) -> Call {
	Call::new("TicketBroker", "reap_session").argument("key", key)
}

/// Redeems winners, in this order, each on its own.
pub fn redeem_batch(tickets: &[WinningTicket]) -> Call {
	Call::new("TicketBroker", "redeem_batch").argument("tickets", &tickets)
}

/// Redeems vouchers, in this order, each on its own.
pub fn redeem_vouchers(vouchers: &[SignedVoucher]) -> Call {
	Call::new("TicketBroker", "redeem_vouchers").argument("vouchers", &vouchers)
}

/// Moves money; never takes the sender below the existential deposit.
pub fn transfer(to: &AccountId, amount: Balance) -> Call {
	/// Variant of `MultiAddress` that holds an account id.
	const ID: u8 = 0;
	Call::new("Balances", "transfer_keep_alive")
		.argument("dest", &(ID, to))
		.number("value", amount)
}

/// All of them under one signature, or none.
pub fn batch_all(calls: Vec<Call>) -> Call {
	let mut batch = Call::new("Utility", "batch_all");
	batch.arguments.push(("calls", Argument::Calls(calls)));
	batch
}

impl Payload for Call {
	type CallData = Self;

	fn pallet_name(&self) -> &str {
		self.pallet
	}

	fn call_name(&self) -> &str {
		self.name
	}

	fn call_data(&self) -> &Self {
		self
	}
}

/// Its fields are its arguments.
impl EncodeAsFields for Call {
	fn encode_as_fields_to<R: TypeResolver>(
		&self,
		fields: &mut dyn FieldIter<'_, R::TypeId>,
		types: &R,
		out: &mut Vec<u8>,
	) -> Result<(), scale_encode::Error> {
		let values = self
			.arguments
			.iter()
			.map(|(name, value)| (Some(*name), CompositeField::new(value)));
		Composite::new(values).encode_composite_fields_to(fields, types, out)
	}
}

/// A call inside another one is `RuntimeCall::Pallet(Call::name { arguments })`.
impl EncodeAsType for Call {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		type_id: R::TypeId,
		types: &R,
		out: &mut Vec<u8>,
	) -> Result<(), scale_encode::Error> {
		let inner = PalletCall(self);
		let outer = Variant {
			name: self.pallet,
			fields: Composite::new([(None, CompositeField::new(&inner))].into_iter()),
		};
		outer.encode_variant_as_type_to(type_id, types, out)
	}
}

/// The inner half of a `RuntimeCall`.
struct PalletCall<'a>(&'a Call);

impl EncodeAsType for PalletCall<'_> {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		type_id: R::TypeId,
		types: &R,
		out: &mut Vec<u8>,
	) -> Result<(), scale_encode::Error> {
		let values = self.0.arguments.iter();
		Variant {
			name: self.0.name,
			fields: Composite::new(values.map(|(name, value)| (Some(*name), CompositeField::new(value)))),
		}
		.encode_variant_as_type_to(type_id, types, out)
	}
}

impl EncodeAsType for Argument {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		type_id: R::TypeId,
		types: &R,
		out: &mut Vec<u8>,
	) -> Result<(), scale_encode::Error> {
		match self {
			Self::Number(value) => value.encode_as_type_to(type_id, types, out),
			Self::Calls(calls) => calls.encode_as_type_to(type_id, types, out),
			Self::Encoded(bytes) => {
				let mut rest = &bytes[..];
				decode_with_visitor(&mut rest, type_id, types, IgnoreVisitor::<R>::new())
					.map_err(|_| scale_encode::Error::custom(WrongShape))?;
				if !rest.is_empty() {
					return Err(scale_encode::Error::custom(WrongShape));
				}
				out.extend_from_slice(bytes);
				Ok(())
			},
		}
	}
}

#[derive(Debug, thiserror::Error)]
#[error("argument has another shape than the node expects")]
struct WrongShape;

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{crypto::KeyPair, Hash, Signed, Ticket, Voucher, WindowId};
	use scale_info::{MetaType, PortableRegistry, Registry, TypeInfo};

	/// Stands for the runtime's outer enum: the same nesting, other indices, one compact argument.
	#[derive(Encode, TypeInfo)]
	enum Outer {
		#[codec(index = 7)]
		TicketBroker(Broker),
		#[codec(index = 9)]
		RelayerRegistry(Registered),
	}

	#[derive(Encode, TypeInfo)]
	#[allow(non_camel_case_types)]
	enum Broker {
		#[codec(index = 3)]
		deposit {
			#[codec(compact)]
			amount: u128,
		},
		#[codec(index = 1)]
		authorize_session {
			// Not in the order in which the call is built: names decide.
			expiry: u32,
			limit: u128,
			key: PublicKey,
		},
		#[codec(index = 2)]
		redeem_batch { tickets: Vec<WinningTicket> },
		#[codec(index = 8)]
		redeem_vouchers { vouchers: Vec<SignedVoucher> },
	}

	#[derive(Encode, TypeInfo)]
	#[allow(non_camel_case_types)]
	enum Registered {
		update { addresses: Vec<Vec<u8>>, price_per_mb: u64 },
	}

	fn encode(call: &Call) -> Result<Vec<u8>, scale_encode::Error> {
		let mut registry = Registry::new();
		let id = registry.register_type(&MetaType::new::<Outer>()).id;
		let types: PortableRegistry = registry.into();
		call.encode_as_type(id, &types)
	}

	fn winner() -> WinningTicket {
		let key = KeyPair::from_seed([1; 32]);
		let ticket = Ticket {
			sender: AccountId([1; 32]),
			session: key.public(),
			recipient: AccountId([2; 32]),
			window: WindowId::default(),
			bytes: 3,
			face_value: 4,
			win_probability: 5,
			commitment: Hash([6; 32]),
			nonce: 7,
			expiry: 8,
		};
		WinningTicket {
			signed: Signed {
				signature: key.sign_bytes(b"x"),
				message: ticket,
			},
			rand: Hash([9; 32]),
		}
	}

	fn voucher() -> SignedVoucher {
		let key = KeyPair::from_seed([1; 32]);
		let voucher = Voucher {
			sender: AccountId([1; 32]),
			session: key.public(),
			recipient: AccountId([2; 32]),
			stream: StreamId(3),
			amount: 4,
			bytes: 5,
			expiry: 6,
		};
		key.sign(voucher, &Hash([7; 32]))
	}

	#[test]
	fn arguments_are_matched_by_name_and_numbers_by_type() {
		let key = PublicKey([5; 32]);
		let cases = [
			(
				deposit(1_000_000),
				Outer::TicketBroker(Broker::deposit { amount: 1_000_000 }),
			),
			(
				authorize_session(&key, 9, 8),
				Outer::TicketBroker(Broker::authorize_session {
					expiry: 8,
					limit: 9,
					key,
				}),
			),
			(
				// One element: must stay a list.
				redeem_batch(&[winner()]),
				Outer::TicketBroker(Broker::redeem_batch {
					tickets: vec![winner()],
				}),
			),
			(
				redeem_vouchers(&[voucher()]),
				Outer::TicketBroker(Broker::redeem_vouchers {
					vouchers: vec![voucher()],
				}),
			),
			(
				update_relayer(&["/ip4/127.0.0.1".into()], 12),
				Outer::RelayerRegistry(Registered::update {
					addresses: vec![b"/ip4/127.0.0.1".to_vec()],
					price_per_mb: 12,
				}),
			),
		];
		for (call, expected) in cases {
			assert_eq!(encode(&call).unwrap(), expected.encode(), "{}", call.full_name());
		}
	}

	#[test]
	fn argument_of_another_shape_is_refused_before_signing() {
		let short = Call::new("TicketBroker", "redeem_batch").argument("tickets", &vec![1u8, 2]);
		assert!(encode(&short).is_err());
		let long = Call::new("TicketBroker", "redeem_batch").argument("tickets", &(Vec::<WinningTicket>::new(), 1u8));
		assert!(encode(&long).is_err());
		assert!(
			encode(&Call::new("TicketBroker", "deposit")).is_err(),
			"argument missing"
		);
		assert!(encode(&Call::new("TicketBroker", "burn")).is_err(), "no such call");
	}
}
