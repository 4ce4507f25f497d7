//! Every call that a program makes. Arguments are matched by name with the node's metadata, and each is checked to
//! have the shape that the node expects before anything is signed.

use clustercast_primitives::{
	chain::{RentOffer, StreamTerms},
	channel::{Release, SignedClose, SignedReservation},
	fraud::{ChunkFraud, Equivocation},
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
	/// Price, surge bound, broadcaster's share.
	pub terms: StreamTerms,
}

/// Mints a stream key, owned by whoever signs.
pub fn mint(stream: &NewStream) -> Call {
	Call::new("StreamKeys", "mint")
		.argument("signing_key", &stream.signing_key)
		.argument("title", &stream.title)
		.argument("category", &stream.category)
		.number("max_viewers", stream.max_viewers)
		.argument("terms", &stream.terms)
}

/// Replaces what people see of a stream; `max_viewers` 0 is no limit.
pub fn update_stream(id: StreamId, title: &str, category: &str, max_viewers: u32) -> Call {
	Call::new("StreamKeys", "update")
		.argument("id", &id)
		.argument("title", &title)
		.argument("category", &category)
		.number("max_viewers", max_viewers)
}

/// Replaces the signing key of a stream.
pub fn set_signing_key(id: StreamId, key: &PublicKey) -> Call {
	Call::new("StreamKeys", "set_signing_key")
		.argument("id", &id)
		.argument("key", key)
}

/// Gives the broadcaster of a stream money from the free balance of whoever signs, or from its deposit.
pub fn tip(stream: StreamId, amount: Balance, from_deposit: bool) -> Call {
	let name = if from_deposit { "tip_from_deposit" } else { "tip" };
	Call::new("TicketBroker", name)
		.argument("stream", &stream)
		.number("amount", amount)
}

/// Shows that a relayer signed for a wrong chunk.
pub fn report_invalid_chunk(evidence: &ChunkFraud) -> Call {
	Call::new("FraudProofs", "report_invalid_chunk").argument("evidence", evidence)
}

/// Shows that this key of a stream signed two things of which one must be untrue.
pub fn report_equivocation(key: &PublicKey, evidence: &Equivocation) -> Call {
	Call::new("FraudProofs", "report_equivocation")
		.argument("key", key)
		.argument("evidence", evidence)
}

/// Announces other terms of a stream.
pub fn set_terms(id: StreamId, terms: &StreamTerms) -> Call {
	Call::new("StreamKeys", "set_terms")
		.argument("id", &id)
		.argument("terms", terms)
}

/// Announces the end of a stream key.
pub fn burn(id: StreamId) -> Call {
	Call::new("StreamKeys", "burn").argument("id", &id)
}

/// Gives a stream key with a deposit to another account; `signing_key` signs from then on.
pub fn transfer_stream(id: StreamId, to: &AccountId, signing_key: &PublicKey) -> Call {
	Call::new("StreamKeys", "transfer")
		.argument("id", &id)
		.argument("to", to)
		.argument("signing_key", signing_key)
}

/// Offers a stream key for sale, micro-USDC, or no longer.
pub fn list_stream(id: StreamId, price: Option<Balance>) -> Call {
	Call::new("StreamKeys", "list")
		.argument("id", &id)
		.argument("price", &price)
}

/// Buys a stream key for at most `max_price` micro-USDC, rented until block `max_rented_until` at most; `signing_key`
/// signs from then on.
pub fn buy_stream(id: StreamId, signing_key: &PublicKey, max_price: Balance, max_rented_until: BlockNumber) -> Call {
	Call::new("StreamKeys", "buy")
		.argument("id", &id)
		.argument("signing_key", signing_key)
		.number("max_price", max_price)
		.number("max_rented_until", max_rented_until)
}

/// Offers a stream key for rent, or no longer.
pub fn set_rent(id: StreamId, offer: Option<RentOffer>) -> Call {
	Call::new("StreamKeys", "set_rent")
		.argument("id", &id)
		.argument("offer", &offer)
}

/// Rents a stream key for at most `max_price` micro-USDC and at least `min_blocks`; `signing_key` signs meanwhile.
pub fn rent_stream(id: StreamId, signing_key: &PublicKey, max_price: Balance, min_blocks: BlockNumber) -> Call {
	Call::new("StreamKeys", "rent")
		.argument("id", &id)
		.argument("signing_key", signing_key)
		.number("max_price", max_price)
		.number("min_blocks", min_blocks)
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
	/// Asking price, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Micro-USDC.
	pub bond: Balance,
}

/// Registers whoever signs as a relayer.
pub fn register_relayer(relayer: &NewRelayer) -> Call {
	Call::new("RelayerRegistry", "register")
		.argument("signing_key", &relayer.signing_key)
		.argument("proof", &relayer.proof)
		.argument("addresses", &relayer.addresses)
		.number("price_per_gb", relayer.price_per_gb)
		.number("bond", relayer.bond)
}

/// Changes addresses and price of a registered relayer: by its operator or payout.
pub fn update_relayer(relayer: &AccountId, addresses: &[String], price_per_gb: u64) -> Call {
	Call::new("RelayerRegistry", "update")
		.argument("relayer", relayer)
		.argument("addresses", &addresses)
		.number("price_per_gb", price_per_gb)
}

/// Adds to a relayer's bond: by its payout, as all that follow but the last.
pub fn bond_extra(relayer: &AccountId, amount: Balance) -> Call {
	Call::new("RelayerRegistry", "bond_extra")
		.argument("relayer", relayer)
		.number("amount", amount)
}

/// Begins to leave the registry.
pub fn unbond(relayer: &AccountId) -> Call {
	Call::new("RelayerRegistry", "unbond").argument("relayer", relayer)
}

/// Stays in the registry after all.
pub fn cancel_unbond(relayer: &AccountId) -> Call {
	Call::new("RelayerRegistry", "cancel_unbond").argument("relayer", relayer)
}

/// Takes the bond back after the delay.
pub fn withdraw_bond(relayer: &AccountId) -> Call {
	Call::new("RelayerRegistry", "withdraw_bond").argument("relayer", relayer)
}

/// Names who receives a relayer's money and owns its bond from now on.
pub fn set_payout(relayer: &AccountId, payout: &AccountId) -> Call {
	Call::new("RelayerRegistry", "set_payout")
		.argument("relayer", relayer)
		.argument("payout", payout)
}

/// Names who acts for a relayer from now on.
pub fn set_operator(relayer: &AccountId, operator: &AccountId) -> Call {
	Call::new("RelayerRegistry", "set_operator")
		.argument("relayer", relayer)
		.argument("operator", operator)
}

/// Replaces a relayer's signing key: by its operator or payout. `proof` is the new one's, over `RelayerProof` for `relayer`.
pub fn set_relayer_key(relayer: &AccountId, signing_key: &PublicKey, proof: &Signature) -> Call {
	Call::new("RelayerRegistry", "set_signing_key")
		.argument("relayer", relayer)
		.argument("signing_key", signing_key)
		.argument("proof", proof)
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

/// Lets `key` sign tickets for whoever signs this, up to block `expiry`: `limit` micro-USDC in all for what is by bytes and
/// for tips, `extra_limit` in all for everything else. `proof` is the key's signature over [`SessionProof`] for the account.
///
/// [`SessionProof`]: clustercast_primitives::session::SessionProof
pub fn authorize_session(
	key: &PublicKey,
	limit: Balance,
	extra_limit: Balance,
	expiry: BlockNumber,
	proof: &Signature,
) -> Call {
	Call::new("TicketBroker", "authorize_session")
		.argument("key", key)
		.number("limit", limit)
		.number("extra_limit", extra_limit)
		.number("expiry", expiry)
		.argument("proof", proof)
}

/// Ends a session key as soon as its last ticket has expired.
pub fn revoke_session(key: &PublicKey) -> Call {
	Call::new("TicketBroker", "revoke_session").argument("key", key)
}

/// Sets money aside for the recipient that a session key names; whoever signs this receives its reward.
pub fn reserve(reservation: &SignedReservation) -> Call {
	Call::new("TicketBroker", "reserve").argument("reservation", reservation)
}

/// Begins to end what a session key reserved.
pub fn close_channel(close: &SignedClose) -> Call {
	Call::new("TicketBroker", "close_channel").argument("close", close)
}

/// Frees at once what is reserved for `release.recipient`, but for what it keeps.
pub fn release(release: &Release) -> Call {
	Call::new("TicketBroker", "release").argument("release", release)
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

/// All of them under one signature, each on its own: one that fails hinders no other.
pub fn force_batch(calls: Vec<Call>) -> Call {
	let mut batch = Call::new("Utility", "force_batch");
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
	use clustercast_primitives::{
		channel::Reservation,
		crypto::KeyPair,
		fraud::Leaf,
		merkle::Proof,
		receipt::{Kind, PayerOpening},
		Delivery, Hash, Receipt, Signed, Ticket, Voucher, WindowHeader, WindowId,
	};
	use scale_info::{MetaType, PortableRegistry, Registry, TypeInfo};

	/// Stands for the runtime's outer enum: the same nesting, other indices, one compact argument.
	#[derive(Encode, TypeInfo)]
	enum Outer {
		#[codec(index = 7)]
		TicketBroker(Broker),
		#[codec(index = 9)]
		RelayerRegistry(Registered),
		#[codec(index = 30)]
		StreamKeys(Streams),
		#[codec(index = 33)]
		FraudProofs(Fraud),
	}

	#[derive(Encode, TypeInfo)]
	#[allow(non_camel_case_types)]
	enum Fraud {
		report_invalid_chunk {
			evidence: Box<ChunkFraud>,
		},
		report_equivocation {
			key: PublicKey,
			evidence: Box<Equivocation>,
		},
	}

	/// The calls of the pallet that trade in stream keys, as it declares them.
	#[derive(Encode, TypeInfo)]
	#[allow(non_camel_case_types)]
	enum Streams {
		#[codec(index = 0)]
		mint {
			signing_key: PublicKey,
			title: Vec<u8>,
			category: Vec<u8>,
			max_viewers: u32,
			terms: StreamTerms,
		},
		#[codec(index = 1)]
		update {
			id: StreamId,
			title: Vec<u8>,
			category: Vec<u8>,
			max_viewers: u32,
		},
		#[codec(index = 3)]
		burn { id: StreamId },
		#[codec(index = 4)]
		set_terms { id: StreamId, terms: StreamTerms },
		#[codec(index = 5)]
		transfer {
			id: StreamId,
			to: AccountId,
			signing_key: PublicKey,
		},
		#[codec(index = 6)]
		list { id: StreamId, price: Option<Balance> },
		#[codec(index = 7)]
		buy {
			id: StreamId,
			signing_key: PublicKey,
			max_price: Balance,
			max_rented_until: BlockNumber,
		},
		#[codec(index = 8)]
		set_rent { id: StreamId, offer: Option<RentOffer> },
		#[codec(index = 9)]
		rent {
			id: StreamId,
			signing_key: PublicKey,
			max_price: Balance,
			min_blocks: BlockNumber,
		},
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
			extra_limit: u128,
			limit: u128,
			proof: Signature,
			key: PublicKey,
		},
		#[codec(index = 11)]
		reserve { reservation: SignedReservation },
		#[codec(index = 13)]
		release { release: Release },
		#[codec(index = 2)]
		redeem_batch { tickets: Vec<WinningTicket> },
		#[codec(index = 8)]
		redeem_vouchers { vouchers: Vec<SignedVoucher> },
	}

	#[derive(Encode, TypeInfo)]
	#[allow(non_camel_case_types)]
	enum Registered {
		#[codec(index = 1)]
		update {
			relayer: AccountId,
			addresses: Vec<Vec<u8>>,
			price_per_gb: u64,
		},
		#[codec(index = 2)]
		bond_extra { relayer: AccountId, amount: Balance },
		#[codec(index = 3)]
		unbond { relayer: AccountId },
		#[codec(index = 4)]
		cancel_unbond { relayer: AccountId },
		#[codec(index = 5)]
		withdraw_bond { relayer: AccountId },
		#[codec(index = 6)]
		set_payout { relayer: AccountId, payout: AccountId },
		#[codec(index = 7)]
		set_operator { relayer: AccountId, operator: AccountId },
		#[codec(index = 8)]
		set_signing_key {
			relayer: AccountId,
			signing_key: PublicKey,
			proof: Signature,
		},
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
			stream: StreamId(3),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			bytes: 65_536,
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
			kind: Kind::CAPACITY,
			context: Hash([1; 32]),
			terms: 2,
			amount: 4,
			bytes: 0,
			expiry: 60,
		};
		key.sign(voucher, &Hash([7; 32]))
	}

	fn reservation() -> SignedReservation {
		let key = KeyPair::from_seed([1; 32]);
		let reservation = Reservation {
			sender: AccountId([1; 32]),
			session: key.public(),
			recipient: AccountId([2; 32]),
			counter: 3,
			cap: 4,
			reward: 5,
			submit_by: 6,
		};
		key.sign(reservation, &Hash([7; 32]))
	}

	fn released() -> Release {
		Release {
			recipient: AccountId([2; 32]),
			session: PublicKey([3; 32]),
			registered: 4,
			counter: 5,
			kept: 6,
		}
	}

	#[test]
	fn arguments_are_matched_by_name_and_numbers_by_type() {
		let (key, proof) = (PublicKey([5; 32]), Signature([6; 64]));
		let cases = [
			(
				deposit(1_000_000),
				Outer::TicketBroker(Broker::deposit { amount: 1_000_000 }),
			),
			(
				authorize_session(&key, 9, 10, 8, &proof),
				Outer::TicketBroker(Broker::authorize_session {
					expiry: 8,
					extra_limit: 10,
					limit: 9,
					key,
					proof,
				}),
			),
			(
				reserve(&reservation()),
				Outer::TicketBroker(Broker::reserve {
					reservation: reservation(),
				}),
			),
			(
				release(&released()),
				Outer::TicketBroker(Broker::release { release: released() }),
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
				update_relayer(&AccountId([3; 32]), &["/ip4/127.0.0.1".into()], 12_000),
				Outer::RelayerRegistry(Registered::update {
					relayer: AccountId([3; 32]),
					addresses: vec![b"/ip4/127.0.0.1".to_vec()],
					price_per_gb: 12_000,
				}),
			),
		];
		for (call, expected) in cases {
			assert_eq!(encode(&call).unwrap(), expected.encode(), "{}", call.full_name());
		}
	}

	#[test]
	fn relayers_are_kept_in_the_pallets_words() {
		let (relayer, other, signing_key) = (AccountId([3; 32]), AccountId([4; 32]), PublicKey([5; 32]));
		let proof = Signature([6; 64]);
		let cases = [
			(bond_extra(&relayer, 7), Registered::bond_extra { relayer, amount: 7 }),
			(unbond(&relayer), Registered::unbond { relayer }),
			(cancel_unbond(&relayer), Registered::cancel_unbond { relayer }),
			(withdraw_bond(&relayer), Registered::withdraw_bond { relayer }),
			(
				set_payout(&relayer, &other),
				Registered::set_payout { relayer, payout: other },
			),
			(
				set_operator(&relayer, &other),
				Registered::set_operator {
					relayer,
					operator: other,
				},
			),
			(
				set_relayer_key(&relayer, &signing_key, &proof),
				Registered::set_signing_key {
					relayer,
					signing_key,
					proof,
				},
			),
		];
		for (call, expected) in cases {
			let expected = Outer::RelayerRegistry(expected).encode();
			assert_eq!(encode(&call).unwrap(), expected, "{}", call.full_name());
		}
	}

	#[test]
	fn evidence_is_reported_in_the_pallets_words() {
		let key = KeyPair::from_seed([1; 32]);
		let (account, zero) = (AccountId([2; 32]), Hash([0; 32]));
		let payer = PayerOpening {
			salt: zero,
			account,
			session: key.public(),
		};
		let delivery = Delivery {
			header: zero,
			first: 0,
			count: 2,
			delivered: zero,
		};
		let receipt = Receipt {
			kind: Kind::LIVE,
			context: zero,
			payer: payer.hash(),
			payee: account,
			key: key.public(),
			stream: StreamId(3),
			root: zero,
			bytes: 4,
			price: 5,
			commitment: zero,
			block: 6,
		};
		let header = WindowHeader {
			id: WindowId::default(),
			number: 1,
			history: zero,
			flags: 0,
			start_ms: 2,
			duration_ms: 3,
			bytes: 4,
			chunks: 2,
			chunk_log2: 14,
			root: zero,
			catalog: zero,
			ext: zero,
		};
		let leaf = Leaf::of(&[zero, Hash([1; 32])], 1).unwrap();
		let fraud = ChunkFraud {
			receipt: key.sign(receipt, &zero),
			payer,
			delivery,
			place: Proof::new(&[delivery.leaf()], 0).unwrap(),
			header: header.clone(),
			index: 1,
			delivered: leaf.clone(),
			signed: leaf.clone(),
		};
		let history = Equivocation::History {
			earlier: key.sign(header.clone(), &zero),
			later: key.sign(header, &zero),
			leaf,
		};
		let cases = [
			(
				report_invalid_chunk(&fraud),
				Fraud::report_invalid_chunk {
					evidence: Box::new(fraud.clone()),
				},
			),
			(
				report_equivocation(&key.public(), &history),
				Fraud::report_equivocation {
					key: key.public(),
					evidence: Box::new(history.clone()),
				},
			),
		];
		for (call, expected) in cases {
			let expected = Outer::FraudProofs(expected).encode();
			assert_eq!(encode(&call).unwrap(), expected, "{}", call.full_name());
		}
	}

	#[test]
	fn stream_keys_are_traded_in_the_pallets_words() {
		let (id, signing_key, to) = (StreamId(3), PublicKey([5; 32]), AccountId([6; 32]));
		let terms = StreamTerms {
			price_per_gb: 100_000,
			max_surge_ppm: 1_500_000,
			broadcaster_share_ppm: 200_000,
		};
		let offer = RentOffer { price: 7, blocks: 8 };
		let stream = NewStream {
			signing_key,
			title: "Harbour".into(),
			category: String::new(),
			max_viewers: 4,
			terms,
		};
		let minted = Streams::mint {
			signing_key,
			title: b"Harbour".to_vec(),
			category: vec![],
			max_viewers: 4,
			terms,
		};
		let updated = Streams::update {
			id,
			title: b"two".to_vec(),
			category: b"sport".to_vec(),
			max_viewers: 8,
		};
		let bought = Streams::buy {
			id,
			signing_key,
			max_price: 9,
			max_rented_until: 10,
		};
		let rented = Streams::rent {
			id,
			signing_key,
			max_price: 9,
			min_blocks: 10,
		};
		let cases = [
			(mint(&stream), minted),
			(update_stream(id, "two", "sport", 8), updated),
			(burn(id), Streams::burn { id }),
			(set_terms(id, &terms), Streams::set_terms { id, terms }),
			(
				transfer_stream(id, &to, &signing_key),
				Streams::transfer { id, to, signing_key },
			),
			(list_stream(id, Some(9)), Streams::list { id, price: Some(9) }),
			(list_stream(id, None), Streams::list { id, price: None }),
			(buy_stream(id, &signing_key, 9, 10), bought),
			(set_rent(id, Some(offer)), Streams::set_rent { id, offer: Some(offer) }),
			(set_rent(id, None), Streams::set_rent { id, offer: None }),
			(rent_stream(id, &signing_key, 9, 10), rented),
		];
		for (call, expected) in cases {
			let expected = Outer::StreamKeys(expected).encode();
			assert_eq!(encode(&call).unwrap(), expected, "{}", call.full_name());
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
