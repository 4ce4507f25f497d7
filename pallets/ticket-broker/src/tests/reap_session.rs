//! `reap_session`: by anyone, once expired; frees the owner's place and the key.

use crate::{mock::*, Error, Event, Sessions, SessionsOf};
use clustercast_primitives::amount::USDC;
use frame_support::{assert_noop, assert_ok};

#[test]
fn reap_session_removes_an_expired_session() {
	ExtBuilder.build_and_execute(|| {
		let (key, other) = (key(1).public(), key(2).public());
		authorize(ALICE, key, USDC, 30);
		authorize(ALICE, other, USDC, 60);
		System::set_block_number(30);
		assert_noop!(
			Broker::reap_session(RuntimeOrigin::signed(BOB), key),
			Error::<Test>::SessionNotExpired
		);
		System::set_block_number(31);
		assert_ok!(Broker::reap_session(RuntimeOrigin::signed(BOB), key));
		System::assert_last_event(Event::SessionReaped { owner: ALICE, key }.into());
		assert_eq!(Sessions::<Test>::get(key), None);
		assert_eq!(SessionsOf::<Test>::get(ALICE).into_inner(), vec![other]);
		System::set_block_number(61);
		assert_ok!(Broker::reap_session(RuntimeOrigin::signed(BOB), other));
		assert!(!SessionsOf::<Test>::contains_key(ALICE));
	});
}

#[test]
fn reap_session_makes_room_for_another() {
	ExtBuilder.build_and_execute(|| {
		for n in 0..MAX_SESSIONS as u8 {
			authorize(ALICE, &key(n), USDC, 30);
		}
		System::set_block_number(31);
		assert_ok!(Broker::reap_session(RuntimeOrigin::signed(ALICE), key(3).public()));
		authorize(ALICE, &key(100), USDC, 60);
	});
}

#[test]
fn reap_session_fails_for_an_unknown_key() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Broker::reap_session(RuntimeOrigin::signed(BOB), key(1).public()),
			Error::<Test>::UnknownSession
		);
	});
}
