//! The pool takes payments that pay and evidence that holds, and nothing of it reaches a block.

use super::*;
use crate::pool::{PoolRules, FRAUD_ERRORS};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::TicketRefusal,
	fraud::Equivocation,
	merkle,
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
const RELAYER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// Of every payment here.
const EXPIRY: BlockNumber = 120;

/// What the pool is told of Ferdie's extrinsic.
fn at_the_door(call: impl Into<RuntimeCall>) -> TransactionValidity {
	from(TransactionSource::External, call)
}

fn from(source: TransactionSource, call: impl Into<RuntimeCall>) -> TransactionValidity {
	let extrinsic = signed(RELAYER, call);
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

fn dispatch(who: Sr25519Keyring, call: impl Into<RuntimeCall>) {
	assert_ok!(call.into().dispatch(RuntimeOrigin::signed(who.to_account_id())));
}

/// A chain where Dave has a stream with key 1 and Eve a deposit and a session with key 2.
fn with_a_viewer<R>(test: impl FnOnce() -> R) -> R {
	in_first_block(crate::genesis::LOCAL, || {
		dispatch(Sr25519Keyring::Dave, new_stream(key(1).public()));
		dispatch(VIEWER, Broker::deposit { amount: 50 * USDC });
		let session = Broker::authorize_session {
			key: key(2).public(),
			limit: 1_000 * USDC,
			extra_limit: 0,
			expiry: 10_000,
		};
		dispatch(VIEWER, session);
		test()
	})
}

/// Eve's winning ticket for Ferdie, good for 120 blocks.
fn winning(nonce: u64, face_value: Balance) -> WinningTicket {
	let rand = RawHash([6; 32]);
	let ticket = Ticket {
		sender: raw(VIEWER),
		session: key(2).public(),
		recipient: raw(RELAYER),
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: RawHash([0; 32]),
		bytes: ticket_bytes(bytes_for(face_value)),
		face_value,
		win_probability: ticket::CERTAIN,
		commitment: ticket::commitment(&rand),
		nonce,
		expiry: EXPIRY,
	};
	let signed = key(2).sign(ticket, &genesis_hash());
	WinningTicket { signed, rand }
}

/// More than cost so much at the stream's price.
fn bytes_for(amount: Balance) -> u64 {
	amount as u64 / 8
}

fn redeem(tickets: Vec<WinningTicket>) -> Broker<Runtime> {
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

		assert_eq!(at_the_door(tip(0, 0)), refused(TicketRefusal::AlreadyRedeemed));
		assert!(at_the_door(tip(1, 0)).is_ok());
	});
}

#[test]
fn evidence_that_does_not_hold_is_refused_at_the_door() {
	with_a_viewer(|| {
		type Error = pallet_fraud_proofs::Error<Runtime>;
		let refused = |error: Error| -> TransactionValidity {
			Err(InvalidTransaction::Custom(FRAUD_ERRORS + error.encode()[0]).into())
		};
		assert_eq!(at_the_door(equivocation(1, 1, 1)), refused(Error::NoConflict));
		assert_eq!(at_the_door(equivocation(1, 2, 3)), refused(Error::StreamSignature));
		assert_eq!(
			priority(equivocation(1, 2, 1)).1,
			constants::MAX_PRIORITY_BOOST,
			"evidence goes first"
		);
		assert_ok!(apply(signed(RELAYER, equivocation(1, 2, 1))));
		assert_eq!(at_the_door(equivocation(1, 3, 1)), refused(Error::AlreadyFlagged));
	});
}

#[test]
fn a_payments_worth_is_its_priority_up_to_a_bound_far_below_that_of_consensus() {
	with_a_viewer(|| {
		let worth = |nonces: u64, face_value| priority(redeem((0..nonces).map(|n| winning(n, face_value)).collect())).1;
		assert_eq!(worth(1, USDC), USDC as u64);
		assert_eq!(worth(4, USDC), 4 * USDC as u64);
		assert_eq!(worth(5, USDC), 4 * USDC as u64, "no further signature is verified");
		assert_eq!(worth(1, 10 * USDC), constants::MAX_PRIORITY_BOOST);
		assert_eq!(worth(1, 50 * USDC), constants::MAX_PRIORITY_BOOST);
		assert_eq!(priority(tip(0, 500)).1, USDC as u64 + 500);
		assert_eq!(priority(voucher(3 * USDC)).1, 3 * USDC as u64);
		let (plain, boost) = priority(redeem(vec![winning(0, 50 * USDC)]));
		assert!(plain + boost < u64::MAX / 1_000_000);
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

#[test]
fn a_block_may_contain_what_the_pool_refuses() {
	with_a_viewer(|| {
		let empty = redeem(vec![]);
		assert!(at_the_door(empty.clone()).is_err());
		assert!(from(TransactionSource::Local, empty.clone()).is_err());
		assert_ok!(apply(signed(RELAYER, empty)));
	});
}

#[test]
fn clients_need_not_know_the_rules() {
	assert_eq!(PoolRules.encode(), [0; 0]);
	assert_eq!(
		TransactionExtension::<RuntimeCall>::weight(&PoolRules, &redeem(vec![]).into()),
		Default::default()
	);
	// Both subxt and @polkadot/api leave out an extension they do not know if both of its types are empty.
	let known = <TxExtension as TransactionExtension<RuntimeCall>>::metadata();
	let rules = known.into_iter().find(|e| e.identifier == "PoolRules").unwrap();
	let TypeDef::Composite(fields) = rules.ty.type_info().type_def else {
		panic!("a struct");
	};
	assert!(fields.fields.is_empty());
	assert_eq!(rules.implicit, scale_info::meta_type::<()>());
}
