//! `set_signing_key`: by the owner only.

use crate::{mock::*, Error, Event, Offences, PreviousKey, StreamKeys as Stored};
use clustercast_primitives::{PublicKey, StreamId};
use frame_support::{assert_noop, assert_ok};

#[test]
fn set_signing_key_replaces_the_key() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let key = PublicKey([8; 32]);
		assert_ok!(StreamKeys::set_signing_key(
			RuntimeOrigin::signed(ALICE),
			StreamId(0),
			key
		));
		System::assert_last_event(Event::SigningKeySet { id: StreamId(0), key }.into());
		let info = StreamKeys::stream_key(StreamId(0)).unwrap();
		assert_eq!((info.signing_key, info.title.as_str()), (key, "First light"));
	});
}

#[test]
fn set_signing_key_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let set = |who, id| StreamKeys::set_signing_key(RuntimeOrigin::signed(who), StreamId(id), PublicKey([8; 32]));
		assert_noop!(set(BOB, 0), Error::<Test>::NotOwner);
		assert_noop!(set(ALICE, 1), Error::<Test>::UnknownStream);
	});
}

/// The key that is set as the `n`th.
fn nth(n: u8) -> PublicKey {
	PublicKey([100 + n; 32])
}

fn set(n: u8) -> frame_support::dispatch::DispatchResult {
	StreamKeys::set_signing_key(RuntimeOrigin::signed(ALICE), StreamId(0), nth(n))
}

#[test]
fn replaced_keys_stay_known() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let first = StreamKeys::stream_key(StreamId(0)).unwrap().signing_key;
		System::set_block_number(5);
		assert_ok!(set(1));
		System::set_block_number(7);
		assert_ok!(set(2));
		// The same key again is no rotation.
		assert_ok!(set(2));
		let previous = |key, until| PreviousKey { key, until };
		let stored = Stored::<Test>::get(StreamId(0)).unwrap();
		assert_eq!(
			stored.previous_keys.into_inner(),
			[previous(first, 5), previous(nth(1), 7)]
		);
		assert_eq!(StreamKeys::signing_keys(StreamId(0)), [nth(2), nth(1), first]);
		assert_eq!(
			StreamKeys::stream_key(StreamId(0)).unwrap().previous_keys,
			[first, nth(1)]
		);
		assert!(StreamKeys::signing_keys(StreamId(9)).is_empty());
	});
}

#[test]
fn nobody_rotates_away_from_what_was_signed() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let first = StreamKeys::stream_key(StreamId(0)).unwrap().signing_key;
		for n in 1..=3 {
			System::set_block_number(n.into());
			assert_ok!(set(n));
		}
		// The first one was replaced in block 1 and is remembered for 100.
		System::set_block_number(101);
		assert_noop!(set(4), Error::<Test>::TooManyRotations);
		assert_eq!(
			StreamKeys::signing_keys(StreamId(0)).len(),
			StreamKeys::max_signing_keys() as usize
		);
		System::set_block_number(102);
		assert_ok!(set(4));
		assert_eq!(StreamKeys::signing_keys(StreamId(0)), [nth(4), nth(3), nth(2), nth(1)]);
		assert!(!StreamKeys::signing_keys(StreamId(0)).contains(&first));
		assert_noop!(set(5), Error::<Test>::TooManyRotations);
	});
}
