//! `report_invalid_chunk`: every check both ways, who gets what, once.

use crate::{mock::*, Burnt, Error, Event, Penalty, Punished, Taken};
use clustercast_primitives::{
	amount::USDC,
	crypto::{KeyPair, SignedMessage},
	fraud::{ChunkFraud, Equivocation, Leaf, MAX_CHUNK_FRAUD_BYTES},
	merkle::{self, DEFAULT_CHUNK_LOG2},
	receipt::{Kind, SignedReceipt, MAX_BLOCKS_AHEAD},
	AccountId, Balance, Hash, Receipt, Signature, StreamId,
};
use codec::MaxEncodedLen;
use curve25519_dalek::{EdwardsPoint, Scalar};
use frame_support::{assert_noop, assert_ok, dispatch::Pays, traits::Hooks, weights::Weight};
use sha2::{Digest, Sha512};
use sp_runtime::{AccountId32, DispatchError};

/// The evidence with another receipt, signed anew by the relayer.
fn with_receipt(mut evidence: ChunkFraud, change: impl FnOnce(&mut Receipt)) -> ChunkFraud {
	change(&mut evidence.receipt.message);
	evidence.receipt = sign(2, evidence.receipt.message);
	evidence
}

/// What a payer may get back for a receipt of the mock, micro-USDC: 100 times 40,000 bytes at 1 USDC per 10^9.
const CLAIM: Balance = 4_000;

#[test]
fn a_wrong_chunk_freezes_the_bond_and_pays_when_all_had_time_to_come() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		let evidence = flipped(5);
		let receipt = evidence.receipt.message.hash();
		let info = report(evidence).unwrap();
		assert_eq!(info.pays_fee, Pays::No);
		let due = 1 + UNBOND_DELAY;
		System::assert_has_event(
			Event::InvalidChunk {
				relayer: RELAYER,
				receipt,
				reporter: BOB,
				penalty: 5 * USDC,
				due,
			}
			.into(),
		);
		let everybody = [RELAYER, ALICE, BOB, TREASURY];
		System::set_block_number(due - 1);
		idle();
		assert_eq!(everybody.each_ref().map(total), [ENDOWMENT; 4], "not a block earlier");
		System::set_block_number(due);
		idle();
		let penalty = Penalty {
			viewers: CLAIM,
			reporters: 625_000,
			treasury: 750_000,
			burnt: 5 * USDC - CLAIM - 625_000 - 750_000,
		};
		System::assert_has_event(
			Event::Compensated {
				receipt,
				viewer: CLAIM,
				reporter: 625_000,
			}
			.into(),
		);
		System::assert_last_event(
			Event::Settled {
				relayer: RELAYER,
				penalty,
			}
			.into(),
		);
		assert_eq!(total(&RELAYER), ENDOWMENT - 5 * USDC);
		assert_eq!(total(&ALICE), ENDOWMENT + penalty.viewers);
		assert_eq!(total(&BOB), ENDOWMENT + penalty.reporters);
		assert_eq!(total(&TREASURY), ENDOWMENT + penalty.treasury);
		assert_eq!(Balances::total_issuance(), issuance - penalty.burnt);
		assert_eq!((Taken::<Test>::get(), Burnt::<Test>::get()), (5 * USDC, penalty.burnt));
	});
}

#[test]
fn a_viewer_who_reports_has_both_parts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(report_by(ALICE, flipped(5)));
		settle();
		assert_eq!(total(&ALICE), ENDOWMENT + CLAIM + 625_000);
	});
}

/// The evidence, with a payer that has no account on the chain, bound by the receipt all the same.
fn of_a_stranger(mut evidence: ChunkFraud) -> ChunkFraud {
	evidence.payer.account = AccountId([9; 32]);
	let payer = evidence.payer.hash();
	with_receipt(evidence, |receipt| receipt.payer = payer)
}

#[test]
fn a_payer_need_not_be_known_to_the_chain() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(report(of_a_stranger(flipped(5))));
		settle();
		assert_eq!(total(&AccountId32::new([9; 32])), CLAIM);
		assert_eq!(total(&ALICE), ENDOWMENT);
	});
}

#[test]
fn what_nobody_can_receive_is_burnt() {
	ExtBuilder.build_and_execute(|| {
		// Less than an account begins with.
		let small = with_receipt(of_a_stranger(flipped(5)), |receipt| receipt.bytes = 9_999);
		assert_ok!(report(small));
		settle();
		assert_eq!(Burnt::<Test>::get(), 5 * USDC - 625_000 - 750_000);
		assert!(!System::account_exists(&AccountId32::new([9; 32])));
	});
}

/// Another signature of the same message by the same key: valid, and not the one that is made from key and message alone.
fn signed_again(key: &KeyPair, receipt: &SignedReceipt) -> SignedReceipt {
	let payload = receipt.message.signing_payload(&genesis());
	let digest: [u8; 64] = Sha512::digest(key.seed()).into();
	let mut secret: [u8; 32] = digest[..32].try_into().unwrap();
	(secret[0], secret[31]) = (secret[0] & 248, secret[31] & 63 | 64);
	let nonce = Scalar::from(7u64);
	let point = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
	let hash = Sha512::new()
		.chain_update(point)
		.chain_update(key.public().0)
		.chain_update(payload);
	let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
	let scalar = nonce + challenge * Scalar::from_bytes_mod_order(secret);
	let mut signature = Signature([0; 64]);
	signature.0[..32].copy_from_slice(&point);
	signature.0[32..].copy_from_slice(scalar.as_bytes());
	SignedReceipt {
		message: receipt.message.clone(),
		signature,
	}
}

#[test]
fn a_receipt_is_punished_once_and_each_is() {
	ExtBuilder.build_and_execute(|| {
		// One receipt of two windows, with two wrong chunks in each.
		let leaves = merkle::leaves(&[7; 80_000], DEFAULT_CHUNK_LOG2);
		let mut wrong = leaves.clone();
		(wrong[1], wrong[3]) = (Hash([1; 32]), Hash([2; 32]));
		let headers = [header(5, &[7; 80_000]), header(6, &[7; 80_000])];
		let account = account(&headers.each_ref().map(|header| delivery(header, 0, &wrong)));
		let find = |at: usize, signed: &[Hash]| ChunkFraud::find(&account, at, &headers[at], signed, &wrong).unwrap();
		let first = find(0, &leaves);
		assert_ok!(report(first.clone()));
		let punished = |evidence| {
			assert_noop!(report(evidence), Error::<Test>::AlreadyPunished);
		};
		punished(first.clone());
		punished(find(1, &leaves));
		// The other wrong chunk, found by whoever does not look at the first one.
		let mut half = leaves.clone();
		half[1] = wrong[1];
		let mut other_chunk = find(0, &half);
		assert_eq!((first.index, other_chunk.index), (1, 3));
		other_chunk.signed = Leaf::of(&leaves, 3).unwrap();
		assert_eq!(other_chunk.check(), Ok(()));
		punished(other_chunk);
		// Signed again, with another signature that is as good.
		let mut again = first.clone();
		again.receipt = signed_again(&key(2), &first.receipt);
		assert_ne!(again.receipt.signature, first.receipt.signature);
		assert_eq!(again.receipt.verify(&key(2).public(), &genesis()), Ok(()));
		punished(again);
		// Another receipt is another offence; signed like that, it convicts as well.
		let mut other_receipt = flipped(8);
		other_receipt.receipt = signed_again(&key(2), &other_receipt.receipt);
		assert_eq!(report(other_receipt).unwrap().pays_fee, Pays::No);
		// Nothing is left to take: who was deceived has a claim all the same, and pays the fee.
		let info = report(flipped(7)).unwrap();
		assert_eq!(info.pays_fee, Pays::Yes);
		punished(first.clone());
		settle();
		assert_eq!(
			(total(&RELAYER), Taken::<Test>::get()),
			(ENDOWMENT - 10 * USDC, 10 * USDC)
		);
		assert_eq!(total(&ALICE), ENDOWMENT + 3 * CLAIM);
	});
}

#[test]
fn a_relayer_on_its_way_out_is_punished() {
	ExtBuilder.build_and_execute(|| {
		let relayer = || RuntimeOrigin::signed(RELAYER);
		assert_ok!(Registry::unbond(relayer(), RELAYER));
		System::set_block_number(UNBOND_DELAY);
		assert_ok!(report(flipped(5)));
		System::set_block_number(1 + UNBOND_DELAY);
		let frozen = pallet_relayer_registry::Error::<Test>::Frozen;
		assert_noop!(Registry::withdraw_bond(relayer(), RELAYER), frozen);
		System::set_block_number(2 * UNBOND_DELAY);
		idle();
		assert_ok!(Registry::withdraw_bond(relayer(), RELAYER));
		assert_eq!(total(&RELAYER), ENDOWMENT - 5 * USDC);
		assert_noop!(report(flipped(6)), Error::<Test>::UnknownRelayer);
	});
}

#[test]
fn every_lie_in_the_evidence_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		let fails = |change: &dyn Fn(&mut ChunkFraud), error: Error<Test>| {
			let mut evidence = flipped(5);
			change(&mut evidence);
			assert_noop!(report(evidence), error);
		};
		for kind in [Kind::REPAIR, Kind(3), Kind::CAPACITY, Kind::ACCESS] {
			fails(
				&|e| *e = with_receipt(e.clone(), |receipt| receipt.kind = kind),
				Error::NotByChunks,
			);
		}
		fails(&|e| e.payer.account.0 = BOB.into(), Error::Payer);
		fails(&|e| e.payer.salt.0[0] ^= 1, Error::Payer);
		fails(&|e| e.delivery.first += 1, Error::DeliveryPath);
		fails(&|e| e.place.index = 0, Error::DeliveryPath);
		fails(&|e| e.header.root = Hash([0; 32]), Error::Unrelated);
		fails(&|e| e.index = 3, Error::Range);
		fails(&|e| e.delivered = e.signed.clone(), Error::SameLeaf);
		fails(&|e| e.signed.hash = Hash([9; 32]), Error::SignedPath);
		fails(&|e| e.delivered.path.clear(), Error::DeliveredPath);
		fails(&|e| e.receipt.signature.0[5] ^= 1, Error::ReceiptSignature);
		fails(&|e| e.receipt.signature.0[63] |= 0x20, Error::ReceiptSignature);
		fails(&|e| e.receipt.message.bytes += 1, Error::ReceiptSignature);
		fails(
			&|e| e.receipt = sign(9, e.receipt.message.clone()),
			Error::ReceiptSignature,
		);
		let elsewhere = Hash([9; 32]);
		fails(
			&|e| e.receipt = key(2).sign(e.receipt.message.clone(), &elsewhere),
			Error::ReceiptSignature,
		);
		assert_ok!(report(flipped(5)));
	});
}

#[test]
fn a_replay_convicts_as_live_does() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(report(with_receipt(flipped(5), |receipt| receipt.kind = Kind::REPLAY)));
	});
}

#[test]
fn the_relayer_is_the_account_that_the_receipt_names() {
	ExtBuilder.build_and_execute(|| {
		let named = |who: AccountId32| with_receipt(flipped(5), |receipt| receipt.payee = AccountId(who.into()));
		// A relayer with another key than that of the receipt.
		register(BOB, 6);
		assert_noop!(report(named(BOB)), Error::<Test>::UnknownRelayer);
		// A key that nobody registered.
		let mut unknown = flipped(5);
		unknown.receipt.message.key = key(9).public();
		unknown.receipt = sign(9, unknown.receipt.message);
		assert_noop!(report(unknown), Error::<Test>::UnknownRelayer);
		// The key is free again, and another account registers it: neither of them is convicted.
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(RELAYER), RELAYER));
		System::set_block_number(1 + UNBOND_DELAY);
		let evidence = flipped(5);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(RELAYER), RELAYER));
		assert_noop!(report(evidence.clone()), Error::<Test>::UnknownRelayer);
		register(CAROL, 2);
		assert_noop!(report(evidence), Error::<Test>::UnknownRelayer);
		assert_eq!(total(&CAROL), ENDOWMENT);
		// What is signed for its account from then on is another matter.
		assert_ok!(report(named(CAROL)));
	});
}

#[test]
fn evidence_counts_for_a_day_of_blocks() {
	ExtBuilder.build_and_execute(|| {
		let evidence = [flipped(5), flipped(6)];
		System::set_block_number(1 + FRAUD_WINDOW);
		assert_ok!(report(evidence[0].clone()));
		System::set_block_number(2 + FRAUD_WINDOW);
		assert_noop!(report(evidence[1].clone()), Error::<Test>::TooOld);
	});
}

/// The attack: a relayer dates its receipt as far ahead as viewers take it, and the report is refused when it is found.
#[test]
fn evidence_counts_as_early_as_viewers_take_the_receipt() {
	ExtBuilder.build_and_execute(|| {
		let dated = |segment, block| with_receipt(flipped(segment), |receipt| receipt.block = block);
		assert_noop!(report(dated(5, 1 + MAX_BLOCKS_AHEAD + 1)), Error::<Test>::FromTheFuture);
		assert_ok!(report(dated(5, 1 + MAX_BLOCKS_AHEAD)));
		// It is remembered where it belongs, also across the border of a span.
		System::set_block_number(FRAUD_WINDOW - 1);
		let next = dated(6, FRAUD_WINDOW);
		assert_ok!(report(next.clone()));
		assert!(Punished::<Test>::contains_key(1, next.receipt.message.hash()));
		assert_noop!(report(next), Error::<Test>::AlreadyPunished);
	});
}

/// The window's time is the broadcaster's word, and says nothing: it may be any.
#[test]
fn the_time_in_a_header_is_not_looked_at() {
	ExtBuilder.build_and_execute(|| {
		let leaves = merkle::leaves(&[7; 40_000], DEFAULT_CHUNK_LOG2);
		let mut wrong = leaves.clone();
		wrong[1] = Hash([1; 32]);
		for start_ms in [0, u64::MAX] {
			let mut header = header(5, &[7; 40_000]);
			header.start_ms = start_ms;
			let account = account(&[delivery(&header, 0, &wrong)]);
			assert_ok!(report(ChunkFraud::find(&account, 0, &header, &leaves, &wrong).unwrap()));
		}
	});
}

#[test]
fn evidence_outlives_keys_streams_and_what_headers_had() {
	ExtBuilder.build_and_execute(|| {
		let owner = || RuntimeOrigin::signed(CAROL);
		let evidence: Vec<_> = (0..3).map(flipped).collect();
		// More keys than are kept: the first one is forgotten.
		for (seed, block) in (20..30).zip((200..).step_by(200)) {
			System::set_block_number(block);
			assert_ok!(StreamKeys::set_signing_key(owner(), StreamId(0), key(seed).public()));
		}
		let known = <StreamKeys as pallet_stream_keys::Offences>::signing_keys(StreamId(0));
		assert!(!known.contains(&key(1).public()));
		assert_ok!(report(evidence[0].clone()));
		// Burnt, and gone.
		assert_ok!(StreamKeys::burn(owner(), StreamId(0)));
		System::set_block_number(2_000 + 600);
		assert_ok!(report(evidence[1].clone()));
		System::set_block_number(2_000 + 1_200);
		StreamKeys::on_idle(3_200, Weight::MAX);
		assert_eq!(pallet_stream_keys::StreamKeys::<Test>::get(StreamId(0)), None);
		assert_ok!(report(evidence[2].clone()));
		// Flags, items and sizes that nobody knows yet, of a stream that never was.
		let leaves = merkle::leaves(&[7; 40_000], DEFAULT_CHUNK_LOG2);
		let mut wrong = leaves.clone();
		wrong[2] = Hash([1; 32]);
		let mut header = header(9, &[7; 40_000]);
		header.id.stream = StreamId(77);
		(header.flags, header.ext, header.chunk_log2, header.duration_ms) = (u16::MAX, Hash([3; 32]), 200, u32::MAX);
		let account = account(&[delivery(&header, 0, &wrong)]);
		assert_ok!(report(ChunkFraud::find(&account, 0, &header, &leaves, &wrong).unwrap()));
	});
}

#[test]
fn evidence_is_bounded_by_its_type() {
	assert_eq!(ChunkFraud::max_encoded_len(), 4_565);
	const { assert!(MAX_CHUNK_FRAUD_BYTES <= 4_565) };
	assert_eq!(Equivocation::max_encoded_len(), 1_808);
}

#[test]
fn only_accounts_report() {
	ExtBuilder.build_and_execute(|| {
		let by = |origin| FraudProofs::report_invalid_chunk(origin, Box::new(flipped(5)));
		assert_noop!(by(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_noop!(by(RuntimeOrigin::root()), DispatchError::BadOrigin);
	});
}
