//! `set_signing_key`: by the owner, or the renter for its rental.

use crate::{mock::*, Error, Event, Offences, PreviousKey, StreamKeys as Stored};
use clustercast_primitives::StreamId;
use frame_support::{assert_noop, assert_ok};

#[test]
fn set_signing_key_replaces_the_key() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_signing_key(ALICE, 8));
		let key = signer(8);
		System::assert_last_event(Event::SigningKeySet { id: STREAM, key }.into());
		assert_eq!((info().signing_key, info().title.as_str()), (key, "First light"));
	});
}

#[test]
fn set_signing_key_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(set_signing_key(ALICE, 8), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(set_signing_key(BOB, 8), Error::<Test>::NotOwner);
	});
}

#[test]
fn replaced_keys_stay_known() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		System::set_block_number(5);
		assert_ok!(set_signing_key(ALICE, 101));
		System::set_block_number(7);
		assert_ok!(set_signing_key(ALICE, 102));
		// The same key again is no rotation.
		assert_ok!(set_signing_key(ALICE, 102));
		let previous = |seed, until| PreviousKey {
			key: signer(seed),
			by: ALICE,
			until,
		};
		let stored = Stored::<Test>::get(STREAM).unwrap();
		assert_eq!(stored.previous_keys.into_inner(), [previous(7, 5), previous(101, 7)]);
		let all = [signer(102), signer(101), signer(7)];
		assert_eq!(StreamKeys::signing_keys(STREAM), all);
		assert_eq!(info().previous_keys, all[1..]);
		assert!(StreamKeys::signing_keys(StreamId(9)).is_empty());
	});
}

#[test]
fn nobody_rotates_away_from_what_was_signed() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		for n in 1..=4 {
			System::set_block_number(n.into());
			assert_ok!(set_signing_key(ALICE, 100 + n));
		}
		// The first one was replaced in block 1 and is remembered for 100.
		System::set_block_number(101);
		assert_noop!(set_signing_key(ALICE, 105), Error::<Test>::TooManyRotations);
		System::set_block_number(102);
		assert_ok!(set_signing_key(ALICE, 105));
		assert_eq!(
			StreamKeys::signing_keys(STREAM),
			[105, 104, 103, 102, 101].map(signer),
			"the oldest one is forgotten"
		);
		assert_noop!(set_signing_key(ALICE, 106), Error::<Test>::TooManyRotations);
	});
}

#[test]
fn a_renter_replaces_its_own_key_and_the_owner_that_which_signs_afterwards() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_eq!(StreamKeys::signing_keys(STREAM), [9, 7].map(signer));
		assert_ok!(set_signing_key(BOB, 10));
		assert_ok!(set_signing_key(BOB, 10));
		assert_ok!(set_signing_key(ALICE, 8));
		assert_eq!(info().signing_key, signer(10));
		assert_eq!(info().previous_keys, [8, 7, 9].map(signer));
		System::set_block_number(61);
		assert_eq!(info().signing_key, signer(8));
		assert_eq!(info().previous_keys, [10, 7, 9].map(signer));
		assert_noop!(set_signing_key(BOB, 11), Error::<Test>::NotOwner);
		run_to(61);
		assert_eq!(StreamKeys::signing_keys(STREAM), [8, 10, 7, 9].map(signer));
	});
}

#[test]
fn a_renter_leaves_room_for_its_own_key_and_one_of_the_owners() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 1_000));
		assert_ok!(rent(BOB));
		// Of four places one is its own, one the owner's.
		assert_ok!(set_signing_key(BOB, 10));
		assert_ok!(set_signing_key(BOB, 11));
		assert_noop!(set_signing_key(BOB, 12), Error::<Test>::TooManyRotations);
		assert_ok!(set_signing_key(ALICE, 13));
		assert_noop!(set_signing_key(ALICE, 14), Error::<Test>::TooManyRotations);
		let most = StreamKeys::max_signing_keys() as usize;
		let keys = StreamKeys::signing_keys(STREAM);
		assert_eq!((keys.len(), keys), (most, [11, 13, 7, 10, 9].map(signer).to_vec()));
		run_to(1_001);
		let keys = StreamKeys::signing_keys(STREAM);
		assert_eq!((keys.len(), keys), (most, [13, 11, 7, 10, 9].map(signer).to_vec()));
	});
}
