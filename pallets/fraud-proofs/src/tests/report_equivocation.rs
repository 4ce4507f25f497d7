//! `report_equivocation`: two words of one key for one thing flag the stream, once.

use crate::{mock::*, Error, Event, Penalty};
use clustercast_primitives::{
	catalog::CatalogSeal,
	chain::RentOffer,
	crypto::sha256,
	fraud::{Equivocation, Leaf},
	merkle,
	status::State,
	Hash, PublicKey, Status, StreamId, WindowHeader,
};
use codec::Encode;
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
};
use sp_runtime::DispatchError;

/// As evidence against this key.
fn report_of(key: PublicKey, evidence: Equivocation) -> DispatchResultWithPostInfo {
	FraudProofs::report_equivocation(RuntimeOrigin::signed(BOB), key, Box::new(evidence))
}

/// As evidence against the key that signed the first of the two.
fn report(evidence: Equivocation) -> DispatchResultWithPostInfo {
	let [(payload, signature), _] = evidence.signed(&genesis());
	let mut keys = (1..40).map(|seed| key(seed).public());
	let signer = keys.find(|key| key.verify(&payload, &signature).is_ok());
	let signer = signer.unwrap_or(key(1).public());
	report_of(signer, evidence)
}

/// Two headers of window 5, over these, each signed by this key.
fn headers(one: (u8, &[u8]), two: (u8, &[u8])) -> Equivocation {
	let signed = |(seed, data)| sign(seed, header(5, data));
	Equivocation::Headers {
		first: signed(one),
		second: signed(two),
	}
}

/// Header number 2, and number 4 whose history has another one in its place; signed by these keys.
fn history(one: u8, two: u8) -> Equivocation {
	let leaves = [1, 2, 3, 4].map(|n| Hash([n; 32]));
	let earlier = WindowHeader {
		number: 2,
		..header(5, b"a")
	};
	let later = WindowHeader {
		number: 4,
		history: merkle::root(&leaves),
		..header(7, b"b")
	};
	Equivocation::History {
		earlier: sign(one, earlier),
		later: sign(two, later),
		leaf: Leaf::of(&leaves, 2).unwrap(),
	}
}

/// Live and ended under one number; signed by these keys.
fn statuses(one: u8, two: u8) -> Equivocation {
	let status = |state| Status {
		stream: StreamId(0),
		epoch: 1,
		number: 5,
		state,
		at_ms: 1_700_000_000_000,
		valid_ms: 5_000,
		after: Hash([0; 32]),
		tracks: Hash([0; 32]),
	};
	Equivocation::Statuses {
		first: sign(one, status(State::Live)),
		second: sign(two, status(State::Ended)),
	}
}

/// Two catalogs under one number; signed by these keys.
fn catalogs(one: u8, two: u8) -> Equivocation {
	let seal = |hash| CatalogSeal {
		stream: StreamId(0),
		epoch: 1,
		number: 5,
		hash: Hash([hash; 32]),
	};
	Equivocation::Catalogs {
		first: sign(one, seal(1)),
		second: sign(two, seal(2)),
	}
}

/// Each kind of evidence, signed by these keys.
fn all(one: u8, two: u8) -> [Equivocation; 4] {
	[
		headers((one, b"a"), (two, b"b")),
		history(one, two),
		statuses(one, two),
		catalogs(one, two),
	]
}

#[test]
fn two_words_for_one_thing_flag_the_stream_and_cost_its_deposit() {
	for kind in 0..4 {
		ExtBuilder.build_and_execute(|| {
			let issuance = Balances::total_issuance();
			let evidence = all(1, 1)[kind].clone();
			let info = report(evidence.clone()).unwrap();
			assert_eq!(info.pays_fee, Pays::No);
			let penalty = Penalty {
				reporters: 499_500,
				treasury: 499_500,
				..Penalty::default()
			};
			System::assert_has_event(
				Event::Equivocated {
					stream: StreamId(0),
					evidence: sha256(&[&evidence.encode()]),
					reporter: BOB,
					penalty,
				}
				.into(),
			);
			assert!(StreamKeys::stream_key(StreamId(0)).unwrap().flagged);
			assert_eq!(total(&CAROL), ENDOWMENT - 999_000);
			assert_eq!(total(&BOB), ENDOWMENT + 499_500);
			assert_eq!(Balances::total_issuance(), issuance);
			for again in all(1, 1) {
				assert_noop!(report(again), Error::<Test>::AlreadyFlagged);
			}
		});
	}
}

#[test]
fn what_does_not_contradict_itself_shows_nothing() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(report(headers((1, b"a"), (1, b"a"))), Error::<Test>::NoConflict);
		let (first, second) = (sign(1, header(5, b"a")), sign(1, header(6, b"b")));
		assert_noop!(
			report(Equivocation::Headers { first, second }),
			Error::<Test>::NoConflict
		);
		let Equivocation::History {
			earlier,
			later,
			mut leaf,
		} = history(1, 1)
		else {
			panic!("it is one of history")
		};
		leaf.hash = Hash([9; 32]);
		assert_noop!(
			report(Equivocation::History { earlier, later, leaf }),
			Error::<Test>::NoConflict
		);
		let Equivocation::Statuses { first, .. } = statuses(1, 1) else {
			panic!("it is one of statuses")
		};
		let second = first.clone();
		assert_noop!(
			report(Equivocation::Statuses { first, second }),
			Error::<Test>::NoConflict
		);
		let Equivocation::Catalogs { first, .. } = catalogs(1, 1) else {
			panic!("it is one of catalogs")
		};
		let second = first.clone();
		assert_noop!(
			report(Equivocation::Catalogs { first, second }),
			Error::<Test>::NoConflict
		);
	});
}

#[test]
fn both_must_be_signed_by_one_key_of_the_stream() {
	ExtBuilder.build_and_execute(|| {
		for (one, two) in [(1, 9), (9, 1), (9, 9)] {
			for evidence in all(one, two) {
				assert_noop!(report(evidence), Error::<Test>::StreamSignature);
			}
		}
		// For another chain.
		let first = key(1).sign(header(5, b"a"), &Hash([9; 32]));
		let second = sign(1, header(5, b"b"));
		assert_noop!(
			report(Equivocation::Headers { first, second }),
			Error::<Test>::StreamSignature
		);
		// Rotating away does not help.
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(CAROL),
			StreamId(0),
			key(7).public()
		));
		assert_noop!(report(headers((1, b"a"), (7, b"b"))), Error::<Test>::StreamSignature);
		assert_ok!(report(headers((1, b"a"), (1, b"b"))));
	});
}

#[test]
fn a_signature_that_is_not_canonical_convicts_nobody() {
	ExtBuilder.build_and_execute(|| {
		let mut evidence = headers((1, b"a"), (1, b"b"));
		if let Equivocation::Headers { second, .. } = &mut evidence {
			// An `R` that is no shortest encoding of a point.
			second.signature.0[..32].copy_from_slice(&[0xff; 32]);
		}
		assert_noop!(report(evidence), Error::<Test>::StreamSignature);
	});
}

#[test]
fn streams_that_do_not_exist_and_origins_without_account_are_refused() {
	ExtBuilder.build_and_execute(|| {
		let of_another = |data: &[u8]| {
			let mut header = header(5, data);
			header.id.stream = StreamId(9);
			sign(1, header)
		};
		let evidence = Equivocation::Headers {
			first: of_another(b"a"),
			second: of_another(b"b"),
		};
		assert_noop!(report(evidence), Error::<Test>::UnknownStream);
		let evidence = headers((1, b"a"), (1, b"b"));
		assert_noop!(
			FraudProofs::report_equivocation(RuntimeOrigin::none(), key(1).public(), Box::new(evidence)),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn whoever_the_key_was_of_pays_and_no_one_else() {
	ExtBuilder.build_and_execute(|| {
		let twice = |seed| report(headers((seed, b"a"), (seed, b"b")));
		let stream = StreamId(0);
		let offer = RentOffer { price: 0, blocks: 600 };
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
		// The key is given away: its former owner still answers for what its key signed, the new one for what signs now.
		assert_ok!(StreamKeys::transfer(
			RuntimeOrigin::signed(CAROL),
			stream,
			TREASURY,
			key(8).public()
		));
		let before = total(&CAROL);
		assert_ok!(twice(1));
		assert_eq!(total(&CAROL), before - 999_000);
		assert_noop!(twice(1), Error::<Test>::AlreadyFlagged);
		assert_ok!(twice(8));
	});
}

/// The attack: junk that a node verifies under each of the nine keys that a stream can have, for nothing.
#[test]
fn a_key_that_is_not_the_streams_is_refused_before_any_signature_is_verified() {
	ExtBuilder.build_and_execute(|| {
		let evidence = headers((1, b"a"), (1, b"b"));
		// Both signatures hold under the first one, and it is not this stream's.
		let foreign = headers((9, b"a"), (9, b"b"));
		assert_noop!(report_of(key(9).public(), foreign), Error::<Test>::StreamSignature);
		// A key that the stream had counts, and only where it is the one that is named.
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(CAROL),
			StreamId(0),
			key(7).public()
		));
		assert_noop!(
			report_of(key(7).public(), evidence.clone()),
			Error::<Test>::StreamSignature
		);
		assert_ok!(report_of(key(1).public(), evidence));
	});
}
