//! `authorize_session`: one owner a key, a bounded number of keys an owner.

use crate::{mock::*, Error, Event, Session, Sessions, SessionsOf};
use clustercast_primitives::{Balance, PublicKey};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::AccountId32;

const KEY: PublicKey = PublicKey([1; 32]);

fn allow(who: AccountId32, key: PublicKey, limit: Balance, expiry: u32) -> DispatchResult {
	Broker::authorize_session(RuntimeOrigin::signed(who), key, limit, 7, expiry)
}

#[test]
fn authorize_session_records_the_key() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(allow(ALICE, KEY, 5, 100));
		System::assert_last_event(
			Event::SessionAuthorized {
				owner: ALICE,
				key: KEY,
				limit: 5,
				extra_limit: 7,
				expiry: 100,
			}
			.into(),
		);
		let session = Session {
			owner: ALICE,
			limit: 5,
			spent: 0,
			extra_limit: 7,
			extra_spent: 0,
			expiry: 100,
			payees: 0,
		};
		assert_eq!(Sessions::<Test>::get(KEY), Some(session));
		assert_eq!(SessionsOf::<Test>::get(ALICE).into_inner(), vec![KEY]);
	});
}

#[test]
fn authorize_session_fails_for_a_key_in_use_whoever_asks() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(allow(ALICE, KEY, 5, 100));
		assert_noop!(allow(ALICE, KEY, 5, 100), Error::<Test>::SessionExists);
		assert_noop!(allow(BOB, KEY, 5, 100), Error::<Test>::SessionExists);
	});
}

#[test]
fn authorize_session_fails_beyond_the_number_of_sessions() {
	ExtBuilder.build_and_execute(|| {
		for n in 0..MAX_SESSIONS as u8 {
			assert_ok!(allow(ALICE, PublicKey([n; 32]), 5, 100));
		}
		assert_noop!(
			allow(ALICE, PublicKey([200; 32]), 5, 100),
			Error::<Test>::TooManySessions
		);
		assert_ok!(allow(BOB, PublicKey([200; 32]), 5, 100));
	});
}

#[test]
fn authorize_session_fails_without_limit_or_in_the_past() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(50);
		assert_noop!(allow(ALICE, KEY, 0, 100), Error::<Test>::ZeroAmount);
		assert_noop!(allow(ALICE, KEY, 5, 49), Error::<Test>::SessionExpired);
		assert_ok!(allow(ALICE, KEY, 5, 50));
	});
}
