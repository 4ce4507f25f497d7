//! What goes first, what is refused at the door, and what a node does for nothing.

use super::*;
use crate::pool::{place, PoolRules, LANE};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::TicketRefusal,
	fraud::Equivocation,
	merkle,
	notice::RelayerProof,
	receipt::Kind,
	ticket,
	window::flags,
	SignedVoucher, StreamId, Ticket, Tip, Voucher, WindowHeader, WindowId, WinningTicket,
};
use frame_support::dispatch::GetDispatchInfo;
use pallet_ticket_broker::Call as Broker;
use scale_info::TypeDef;
use sp_runtime::{
	traits::{Applyable, Checkable, Dispatchable, TransactionExtension},
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity},
};

const VIEWER: Sr25519Keyring = Sr25519Keyring::Eve;
pub(super) const RELAYER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// Of every payment here.
const EXPIRY: BlockNumber = 120;

/// What the pool is told of Ferdie's extrinsic.
fn at_the_door(call: impl Into<RuntimeCall>) -> TransactionValidity {
	from(TransactionSource::External, call)
}

fn from(source: TransactionSource, call: impl Into<RuntimeCall>) -> TransactionValidity {
	judged(source, signed(RELAYER, call))
}

/// What the pool is told of an extrinsic.
pub(super) fn judged(source: TransactionSource, extrinsic: UncheckedExtrinsic) -> TransactionValidity {
	let (length, info) = (extrinsic.encoded_size(), extrinsic.get_dispatch_info());
	let checked = extrinsic.check(&frame_system::ChainContext::<Runtime>::default())?;
	checked.validate::<Runtime>(source, &info, length)
}

fn refused(refusal: TicketRefusal) -> TransactionValidity {
	Err(InvalidTransaction::Custom(refusal.encode()[0]).into())
}

/// What this call's priority would be without the rules, and what they add to it.
fn priority(call: impl Into<RuntimeCall>) -> (u64, u64) {
	let call = call.into();
	let plain = from(TransactionSource::InBlock, call.clone()).unwrap().priority;
	(plain, at_the_door(call).unwrap().priority - plain)
}

pub(super) fn dispatch(who: Sr25519Keyring, call: impl Into<RuntimeCall>) {
	assert_ok!(call.into().dispatch(RuntimeOrigin::signed(who.to_account_id())));
}

/// Makes somebody a relayer, with the key of this number.
pub(super) fn bond(who: Sr25519Keyring, seed: u8) {
	let address = b"/ip4/203.0.113.7".to_vec().try_into().unwrap();
	let register = pallet_relayer_registry::Call::register {
		signing_key: key(seed).public(),
		proof: key(seed)
			.sign(RelayerProof { account: raw(who) }, &genesis_hash())
			.signature,
		addresses: vec![address].try_into().unwrap(),
		price_per_gb: 1_000_000,
		bond: constants::MIN_BOND,
	};
	dispatch(who, register);
}

/// A chain where Dave has a stream with key 1, Eve a deposit and a session with key 2, and Ferdie relays with key 3.
pub(super) fn with_a_viewer<R>(test: impl FnOnce() -> R) -> R {
	in_first_block(crate::genesis::LOCAL, || {
		dispatch(Sr25519Keyring::Dave, new_stream(key(1).public()));
		bond(RELAYER, 3);
		dispatch(VIEWER, Broker::deposit { amount: 50 * USDC });
		dispatch(VIEWER, authorize(VIEWER, &key(2), 1_000 * USDC, 0));
		test()
	})
}

/// Eve's winning ticket for Ferdie, good for 120 blocks.
pub(super) fn winning(nonce: u64, face_value: Balance) -> WinningTicket {
	winning_for(RELAYER, nonce, face_value, EXPIRY)
}

/// Eve's winning ticket for somebody, good until this block.
pub(super) fn winning_for(
	recipient: Sr25519Keyring,
	nonce: u64,
	face_value: Balance,
	expiry: BlockNumber,
) -> WinningTicket {
	let rand = RawHash([6; 32]);
	let ticket = Ticket {
		sender: raw(VIEWER),
		session: key(2).public(),
		recipient: raw(recipient),
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: RawHash([0; 32]),
		bytes: ticket_bytes(bytes_for(face_value)),
		face_value,
		win_probability: ticket::CERTAIN,
		commitment: ticket::commitment(&rand),
		nonce,
		expiry,
	};
	let signed = key(2).sign(ticket, &genesis_hash());
	WinningTicket { signed, rand }
}

/// More than cost so much at the stream's price.
fn bytes_for(amount: Balance) -> u64 {
	amount as u64 / 8
}

pub(super) fn redeem(tickets: Vec<WinningTicket>) -> Broker<Runtime> {
	let tickets = tickets.try_into().unwrap();
	Broker::redeem_batch { tickets }
}

fn voucher(amount: Balance) -> Broker<Runtime> {
	let voucher = Voucher {
		sender: raw(VIEWER),
		session: key(2).public(),
		recipient: raw(RELAYER),
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: RawHash([0; 32]),
		terms: 0,
		amount,
		bytes: ticket_bytes(bytes_for(amount)),
		expiry: EXPIRY,
	};
	let vouchers: Vec<SignedVoucher> = vec![key(2).sign(voucher, &genesis_hash())];
	Broker::redeem_vouchers {
		vouchers: vouchers.try_into().unwrap(),
	}
}

fn tip(nonce: u64, reward: Balance) -> Broker<Runtime> {
	let tip = Tip {
		sender: raw(VIEWER),
		session: key(2).public(),
		stream: StreamId(0),
		amount: USDC,
		reward,
		nonce,
		expiry: EXPIRY,
	};
	let tip = key(2).sign(tip, &genesis_hash());
	Broker::submit_tip { tip }
}

fn header(data: u8) -> WindowHeader {
	WindowHeader {
		id: WindowId::default(),
		number: 0,
		history: merkle::empty_root(),
		flags: flags::INDEPENDENT | flags::LAST_PART,
		start_ms: 8_000_000_000,
		duration_ms: 2_000,
		bytes: 1,
		chunks: 1,
		chunk_log2: 14,
		root: RawHash([data; 32]),
		catalog: RawHash([0; 32]),
		ext: RawHash([0; 32]),
	}
}

fn equivocation(first: u8, second: u8, seed: u8) -> pallet_fraud_proofs::Call<Runtime> {
	let evidence = Equivocation::Headers {
		first: key(seed).sign(header(first), &genesis_hash()),
		second: key(seed).sign(header(second), &genesis_hash()),
	};
	pallet_fraud_proofs::Call::report_equivocation {
		key: key(seed).public(),
		evidence: Box::new(evidence),
	}
}

#[test]
fn a_batch_that_pays_stays_until_its_first_ticket_expires() {
	with_a_viewer(|| {
		let valid = at_the_door(redeem(vec![winning(0, USDC)])).unwrap();
		// Judged in block 1, so the pool is at block 0; good up to the expiry.
		assert_eq!(valid.longevity, u64::from(EXPIRY));
		assert_eq!(at_the_door(voucher(USDC)).unwrap().longevity, u64::from(EXPIRY));
		assert_eq!(at_the_door(tip(0, 0)).unwrap().longevity, u64::from(EXPIRY));
	});
}

#[test]
fn what_pays_nothing_is_refused_at_the_door() {
	with_a_viewer(|| {
		let paid = redeem(vec![winning(0, USDC)]);
		assert_ok!(apply(signed(RELAYER, paid.clone())));
		assert_eq!(at_the_door(paid), refused(TicketRefusal::AlreadyRedeemed));
		assert_eq!(at_the_door(redeem(vec![])), refused(TicketRefusal::NothingNew));
		let mut forged = winning(1, USDC);
		forged.signed.message.nonce += 1;
		assert_eq!(
			at_the_door(redeem(vec![forged.clone()])),
			refused(TicketRefusal::BadSignature)
		);
		assert!(at_the_door(redeem(vec![forged, winning(1, USDC)])).is_ok());

		assert_ok!(apply(signed(RELAYER, voucher(USDC))));
		assert_eq!(at_the_door(voucher(USDC)), refused(TicketRefusal::NothingNew));
		assert!(at_the_door(voucher(2 * USDC)).is_ok());

		assert_ok!(apply(signed(RELAYER, tip(0, 0))));
		assert_eq!(at_the_door(tip(0, 0)), refused(TicketRefusal::AlreadyRedeemed));
		assert!(at_the_door(tip(1, 0)).is_ok());
	});
}

/// Nine signatures would be verified for nothing, as often as somebody likes.
#[test]
fn evidence_is_not_looked_at_before_it_pays() {
	with_a_viewer(|| {
		for junk in [equivocation(1, 1, 1), equivocation(1, 2, 3)] {
			assert_eq!(
				at_the_door(junk.clone()),
				from(TransactionSource::InBlock, junk.clone()),
				"no verdict"
			);
			let before = Balances::balance(&RELAYER.to_account_id());
			assert!(apply(signed(RELAYER, junk)).is_err());
			assert!(Balances::balance(&RELAYER.to_account_id()) < before, "it pays");
		}
		let before = Balances::balance(&RELAYER.to_account_id());
		assert_ok!(apply(signed(RELAYER, equivocation(1, 2, 1))));
		assert!(
			Balances::balance(&RELAYER.to_account_id()) > before,
			"what holds is free, and brings something"
		);
	});
}

#[test]
fn nothing_is_verified_for_who_has_no_bond() {
	with_a_viewer(|| {
		let mut forged = winning_for(Sr25519Keyring::Bob, 0, USDC, EXPIRY);
		forged.signed.message.nonce += 1;
		let forged = signed(Sr25519Keyring::Bob, redeem(vec![forged]));
		let unjudged = judged(TransactionSource::InBlock, forged.clone());
		assert!(unjudged.is_ok());
		assert_eq!(judged(TransactionSource::External, forged.clone()), unjudged);
		bond(Sr25519Keyring::Bob, 4);
		assert_eq!(
			judged(TransactionSource::External, forged.clone()),
			refused(TicketRefusal::BadSignature)
		);
		let relayer = Sr25519Keyring::Bob.to_account_id();
		dispatch(Sr25519Keyring::Bob, pallet_relayer_registry::Call::unbond { relayer });
		assert_eq!(
			judged(TransactionSource::External, forged),
			unjudged,
			"a relayer that leaves is none"
		);
	});
}

#[test]
fn only_a_relayers_next_extrinsic_is_judged_and_in_the_lane() {
	with_a_viewer(|| {
		let batch = redeem(vec![winning(0, USDC)]);
		let plain = from(TransactionSource::InBlock, batch.clone()).unwrap().priority;
		let behind = |nonce: u32| {
			let mut extension = extension(RELAYER);
			extension.8 = frame_system::CheckNonce::from(nonce);
			judged(
				TransactionSource::External,
				signed_with(RELAYER, batch.clone(), extension),
			)
			.unwrap()
			.priority
		};
		assert_eq!(behind(0), plain + place(System::block_number()));
		assert_eq!(behind(1), plain);
		assert_eq!(behind(7), plain);
		assert_ok!(apply(signed(RELAYER, redeem(vec![winning(1, USDC)]))));
		assert!(behind(1) >= LANE);
	});
}

#[test]
fn in_the_lane_goes_first_whose_turn_was_longest_ago() {
	with_a_viewer(|| {
		let other = Sr25519Keyring::Bob;
		let place = |who: Sr25519Keyring, nonce| {
			let batch = redeem(vec![winning_for(who, nonce, USDC, EXPIRY)]);
			judged(TransactionSource::External, signed(who, batch))
				.unwrap()
				.priority
		};
		next_block();
		bond(other, 4);
		assert!(
			place(RELAYER, 0) > place(other, 1),
			"who registers stands behind all others"
		);
		let poor = place(RELAYER, 0);
		next_block();
		assert_eq!(place(RELAYER, 0), poor, "waiting changes no place");
		assert_ok!(apply(signed(RELAYER, redeem(vec![winning(0, USDC)]))));
		assert!(place(RELAYER, 2) < place(other, 1), "and whose turn it was");
		next_block();
		// What pays nothing is a turn as well.
		assert!(apply(signed(other, redeem(vec![]))).is_err());
		assert!(place(other, 1) < place(RELAYER, 2));
	});
}

#[test]
fn the_lane_is_for_what_is_worth_many_times_its_fee() {
	with_a_viewer(|| {
		let in_lane = |face_value, count: u64| {
			let batch = redeem((0..count).map(|nonce| winning(nonce, face_value)).collect());
			priority(batch).1 >= LANE
		};
		let fee = |count: u64| {
			let batch = signed(RELAYER, redeem((0..count).map(|nonce| winning(nonce, USDC)).collect()));
			let length = batch.encoded_size() as u32;
			TransactionPayment::query_info(batch, length).partial_fee
		};
		for count in [1, 4, 20] {
			let enough = (constants::LANE_WORTH * fee(count))
				.div_ceil(count.into())
				.max(constants::MIN_FACE_VALUE);
			assert!(in_lane(enough, count), "{count}");
			pallet_transaction_payment::NextFeeMultiplier::<Runtime>::put(fees::highest());
			assert!(
				!in_lane(enough, count),
				"{count}: as dear as it gets it is not worth it"
			);
			let enough = (constants::LANE_WORTH * fee(count)).div_ceil(count.into());
			assert!(in_lane(enough, count) && !in_lane(enough - 2, count), "{count}");
			pallet_transaction_payment::NextFeeMultiplier::<Runtime>::kill();
		}
		assert!(priority(voucher(3 * USDC)).1 >= LANE);
	});
}

#[test]
fn of_a_tip_only_the_reward_buys_priority() {
	with_a_viewer(|| {
		assert_eq!(priority(tip(0, 500)).1, 500);
		assert_eq!(priority(tip(0, 0)).1, 0);
		assert_eq!(priority(tip(0, 20 * USDC)).1, constants::MAX_PRIORITY_BOOST);
		const { assert!(constants::MAX_PRIORITY_BOOST < LANE) };
	});
}

#[test]
fn the_lane_is_below_what_the_bridge_submits() {
	with_a_viewer(|| {
		let (plain, added) = priority(redeem(vec![winning(0, 50 * USDC)]));
		assert!(added >= LANE && plain + added < u64::MAX / 4);
	});
}

#[test]
fn other_calls_gain_nothing_and_need_nothing() {
	with_a_viewer(|| {
		let transfer = transfer(&VIEWER.to_account_id(), USDC);
		assert_eq!(priority(transfer.clone()).1, 0);
		// Inside another call a batch is not looked at.
		let carried = pallet_utility::Call::batch {
			calls: vec![redeem(vec![]).into()],
		};
		assert_eq!(at_the_door(carried.clone()), from(TransactionSource::InBlock, carried));
	});
}

/// Whatever they cost to judge, only the node itself can make a pool do it.
#[test]
fn unsigned_reports_of_consensus_are_not_looked_at_where_they_come_from_elsewhere() {
	with_a_viewer(|| {
		let mut tried = 0;
		for (name, call) in stuffing::samples(2) {
			if !name.ends_with("_unsigned") {
				continue;
			}
			let report = UncheckedExtrinsic::new_bare(call);
			let refused = Err(InvalidTransaction::Call.into());
			assert_eq!(judged(TransactionSource::External, report.clone()), refused, "{name}");
			assert_ne!(judged(TransactionSource::Local, report), refused, "{name}");
			tried += 1;
		}
		assert!(tried >= 4, "{tried}");
	});
}

#[test]
fn a_block_may_contain_what_the_pool_refuses() {
	with_a_viewer(|| {
		let mut forged = winning(1, USDC);
		forged.signed.message.nonce += 1;
		let forged = redeem(vec![forged]);
		assert!(at_the_door(forged.clone()).is_err());
		assert!(from(TransactionSource::Local, forged.clone()).is_err());
		assert_ok!(apply(signed(RELAYER, forged)));
	});
}

#[test]
fn clients_need_not_know_the_rules() {
	assert_eq!(PoolRules.encode(), [0; 0]);
	// Both subxt and @polkadot/api leave out an extension they do not know if both of its types are empty.
	let known = <TxExtension as TransactionExtension<RuntimeCall>>::metadata();
	let rules = known.into_iter().find(|e| e.identifier == "PoolRules").unwrap();
	let TypeDef::Composite(fields) = rules.ty.type_info().type_def else {
		panic!("a struct");
	};
	assert!(fields.fields.is_empty());
	assert_eq!(rules.implicit, scale_info::meta_type::<()>());
}
