//! `set_signing_key`: by the owner only.

use crate::{mock::*, Error, Event};
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
