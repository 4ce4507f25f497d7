//! `report_invalid_chunk`: every check both ways, who gets what, once.

use crate::{mock::*, Burnt, Error, Event, Penalty, Taken};
use clustercast_primitives::{amount::USDC, fraud::ChunkFraud, AccountId, Hash, PublicKey, StreamId};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
};
use sp_runtime::{AccountId32, DispatchError};

fn report_by(who: AccountId32, evidence: ChunkFraud) -> DispatchResultWithPostInfo {
	FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(who), key(2).public(), Box::new(evidence))
}

fn report(evidence: ChunkFraud) -> DispatchResultWithPostInfo {
	report_by(BOB, evidence)
}

#[test]
fn a_wrong_chunk_costs_the_relayer_and_refunds_the_viewer() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		let evidence = flipped(5);
		let window = evidence.header.message.id;
		let info = report(evidence).unwrap();
		assert_eq!(info.pays_fee, Pays::No);
		let penalty = Penalty {
			viewer: 2_500_000,
			reporter: 1_250_000,
			treasury: 750_000,
			burnt: 500_000,
		};
		System::assert_has_event(
			Event::InvalidChunk {
				relayer: RELAYER,
				window,
				index: 1,
				reporter: BOB,
				penalty,
			}
			.into(),
		);
		assert_eq!(total(&RELAYER), ENDOWMENT - 5 * USDC);
		assert_eq!(total(&ALICE), ENDOWMENT + penalty.viewer);
		assert_eq!(total(&BOB), ENDOWMENT + penalty.reporter);
		assert_eq!(total(&TREASURY), ENDOWMENT + penalty.treasury);
		assert_eq!(Balances::total_issuance(), issuance - penalty.burnt);
		assert_eq!((Taken::<Test>::get(), Burnt::<Test>::get()), (5 * USDC, 500_000));
	});
}

#[test]
fn a_viewer_who_reports_has_both_parts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(report_by(ALICE, flipped(5)));
		assert_eq!(total(&ALICE), ENDOWMENT + 3_750_000);
	});
}

#[test]
fn what_nobody_can_receive_is_burnt() {
	ExtBuilder.build_and_execute(|| {
		let mut evidence = flipped(5);
		// A session that the chain does not know.
		evidence.receipt.message.session = key(8).public();
		evidence.receipt = key(2).sign(evidence.receipt.message, &genesis());
		let issuance = Balances::total_issuance();
		assert_ok!(report(evidence));
		assert_eq!(Burnt::<Test>::get(), 500_000 + 2_500_000);
		assert_eq!(Balances::total_issuance(), issuance - 3_000_000);
	});
}

#[test]
fn an_offence_is_punished_once_and_each_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(report(flipped(5)));
		assert_noop!(report(flipped(5)), Error::<Test>::AlreadyPunished);
		// Another chunk of the same window is the same offence.
		let right = [7; 40_000];
		let mut wrong = right;
		wrong[0] ^= 1;
		assert_noop!(
			report(evidence(5, &right, &wrong).unwrap()),
			Error::<Test>::AlreadyPunished
		);
		assert_ok!(report(flipped(6)));
		assert_eq!(total(&RELAYER), ENDOWMENT - 10 * USDC);
		// Nothing is left to take, nor anybody to take it from: such a report would be free of charge for ever.
		assert_noop!(report(flipped(7)), Error::<Test>::UnknownRelayer);
		assert_noop!(report(flipped(5)), Error::<Test>::AlreadyPunished);
		assert_eq!(Taken::<Test>::get(), 10 * USDC);
	});
}

#[test]
fn a_relayer_on_its_way_out_is_punished() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(RELAYER)));
		System::set_block_number(1_800);
		assert_ok!(report(flipped(5)));
		System::set_block_number(1_801);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(RELAYER)));
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
		fails(&|e| e.receipt.message.window.segment = 6, Error::Unrelated);
		fails(&|e| e.receipt.message.root = Hash([0; 32]), Error::Unrelated);
		fails(&|e| e.header.message.chunks = 9, Error::BadHeader);
		fails(&|e| e.delivered.path.clear(), Error::DeliveredPath);
		fails(&|e| e.signed.hash = Hash([9; 32]), Error::SignedPath);
		fails(&|e| e.delivered = e.signed.clone(), Error::SameLeaf);
		fails(&|e| e.header.signature.0[5] ^= 1, Error::HeaderSignature);
		fails(&|e| e.receipt.signature.0[5] ^= 1, Error::ReceiptSignature);
		fails(
			&|e| e.header = key(9).sign(e.header.message.clone(), &genesis()),
			Error::HeaderSignature,
		);
		fails(
			&|e| e.receipt = key(9).sign(e.receipt.message.clone(), &genesis()),
			Error::ReceiptSignature,
		);
		fails(
			&|e| e.receipt = key(2).sign(e.receipt.message.clone(), &Hash([9; 32])),
			Error::ReceiptSignature,
		);
		fails(
			&|e| {
				e.header.message.id.stream = StreamId(9);
				e.receipt.message.window.stream = StreamId(9);
			},
			Error::UnknownStream,
		);
		assert_ok!(report(flipped(5)));
	});
}

#[test]
fn the_relayer_is_the_one_that_signed() {
	ExtBuilder.build_and_execute(|| {
		let accuse =
			|key: PublicKey| FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(BOB), key, Box::new(flipped(5)));
		assert_noop!(accuse(key(9).public()), Error::<Test>::UnknownRelayer);
		let other = key(6);
		let account = AccountId(BOB.into());
		let proof = other.sign(clustercast_primitives::chain::RelayerProof { account }, &genesis());
		let addresses = vec![b"/ip4/203.0.113.8".to_vec().try_into().unwrap()]
			.try_into()
			.unwrap();
		assert_ok!(Registry::register(
			RuntimeOrigin::signed(BOB),
			other.public(),
			proof.signature,
			addresses,
			1_000,
			10 * USDC
		));
		assert_noop!(accuse(other.public()), Error::<Test>::ReceiptSignature);
		assert_ok!(accuse(key(2).public()));
	});
}

#[test]
fn evidence_counts_for_a_day() {
	ExtBuilder.build_and_execute(|| {
		let evidence = [flipped(5), flipped(6)];
		NowMs::set(START + FRAUD_WINDOW);
		assert_ok!(report(evidence[0].clone()));
		NowMs::set(START + FRAUD_WINDOW + 1);
		assert_noop!(report(evidence[1].clone()), Error::<Test>::TooOld);
		// Clocks differ, but not by that much.
		NowMs::set(START - MAX_CLOCK_SKEW);
		assert_ok!(report(evidence[1].clone()));
		NowMs::set(START + 1);
		let early = flipped(7);
		NowMs::set(START - MAX_CLOCK_SKEW);
		assert_noop!(report(early), Error::<Test>::FromTheFuture);
	});
}

#[test]
fn windows_of_a_replaced_key_count() {
	ExtBuilder.build_and_execute(|| {
		let evidence = flipped(5);
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(CAROL),
			StreamId(0),
			key(7).public()
		));
		assert_ok!(report(evidence));
	});
}

#[test]
fn only_accounts_report() {
	ExtBuilder.build_and_execute(|| {
		let by = |origin| FraudProofs::report_invalid_chunk(origin, key(2).public(), Box::new(flipped(5)));
		assert_noop!(by(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_noop!(by(RuntimeOrigin::root()), DispatchError::BadOrigin);
	});
}
