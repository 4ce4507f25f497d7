//! `report_equivocation`: two headers of one key for one place flag the stream, once.

use crate::{mock::*, Error, Event, Penalty};
use clustercast_primitives::{chain::RentOffer, fraud::Equivocation, window::SignedHeader, StreamId};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
};
use sp_runtime::DispatchError;

fn report(first: SignedHeader, second: SignedHeader) -> DispatchResultWithPostInfo {
	FraudProofs::report_equivocation(RuntimeOrigin::signed(BOB), Box::new(Equivocation { first, second }))
}

#[test]
fn two_windows_for_one_place_flag_the_stream_and_cost_its_deposit() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		let info = report(signed_header(5, b"a"), signed_header(5, b"b")).unwrap();
		assert_eq!(info.pays_fee, Pays::No);
		let penalty = Penalty {
			reporter: 499_500,
			treasury: 499_500,
			..Penalty::default()
		};
		System::assert_has_event(
			Event::Equivocated {
				stream: StreamId(0),
				window: header(5, b"a").id,
				reporter: BOB,
				penalty,
			}
			.into(),
		);
		assert!(StreamKeys::stream_key(StreamId(0)).unwrap().flagged);
		assert_eq!(total(&CAROL), ENDOWMENT - 999_000);
		assert_eq!(total(&BOB), ENDOWMENT + 499_500);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_noop!(
			report(signed_header(6, b"a"), signed_header(6, b"b")),
			Error::<Test>::AlreadyFlagged
		);
	});
}

#[test]
fn headers_that_do_not_contradict_each_other_show_nothing() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			report(signed_header(5, b"a"), signed_header(5, b"a")),
			Error::<Test>::NoConflict
		);
		assert_noop!(
			report(signed_header(5, b"a"), signed_header(6, b"b")),
			Error::<Test>::NoConflict
		);
	});
}

#[test]
fn both_must_be_signed_by_one_key_of_the_stream() {
	ExtBuilder.build_and_execute(|| {
		let by = |seed, data: &[u8]| key(seed).sign(header(5, data), &genesis());
		assert_noop!(report(by(1, b"a"), by(9, b"b")), Error::<Test>::HeaderSignature);
		assert_noop!(report(by(9, b"a"), by(1, b"b")), Error::<Test>::HeaderSignature);
		assert_noop!(report(by(9, b"a"), by(9, b"b")), Error::<Test>::HeaderSignature);
		// Rotating away does not help.
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(CAROL),
			StreamId(0),
			key(7).public()
		));
		assert_noop!(report(by(1, b"a"), by(7, b"b")), Error::<Test>::HeaderSignature);
		assert_ok!(report(by(1, b"a"), by(1, b"b")));
	});
}

#[test]
fn streams_that_do_not_exist_and_origins_without_account_are_refused() {
	ExtBuilder.build_and_execute(|| {
		let of_another = |data: &[u8]| {
			let mut header = header(5, data);
			header.id.stream = StreamId(9);
			key(1).sign(header, &genesis())
		};
		assert_noop!(report(of_another(b"a"), of_another(b"b")), Error::<Test>::UnknownStream);
		let evidence = Equivocation {
			first: signed_header(5, b"a"),
			second: signed_header(5, b"b"),
		};
		assert_noop!(
			FraudProofs::report_equivocation(RuntimeOrigin::none(), Box::new(evidence)),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn who_named_the_key_pays_and_no_one_else() {
	ExtBuilder.build_and_execute(|| {
		let twice = |seed| {
			let by = |data: &[u8]| key(seed).sign(header(5, data), &genesis());
			report(by(b"a"), by(b"b"))
		};
		let stream = StreamId(0);
		let offer = RentOffer { price: 0, blocks: 10 };
		assert_ok!(StreamKeys::set_rent(RuntimeOrigin::signed(CAROL), stream, Some(offer)));
		assert_ok!(StreamKeys::rent(
			RuntimeOrigin::signed(ALICE),
			stream,
			key(7).public(),
			0,
			10
		));
		assert_ok!(twice(7));
		assert_eq!((total(&ALICE), total(&CAROL)), (ENDOWMENT - 999_000, ENDOWMENT));
		assert_noop!(twice(7), Error::<Test>::AlreadyFlagged);
		// The key is given away: nobody answers for what its former owner signs.
		assert_ok!(StreamKeys::transfer(RuntimeOrigin::signed(CAROL), stream, TREASURY));
		assert_noop!(twice(1), Error::<Test>::AlreadyFlagged);
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(TREASURY),
			stream,
			key(8).public()
		));
		assert_ok!(twice(8));
	});
}
