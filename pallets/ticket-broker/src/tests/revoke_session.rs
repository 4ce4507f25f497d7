//! `revoke_session`: ends new tickets, not those already signed.

use crate::{mock::*, Error, Event, Sessions};
use clustercast_primitives::{
	amount::USDC,
	chain::{TicketRefusal, TicketVerdict},
	Ticket,
};
use frame_support::{assert_noop, assert_ok};

#[test]
fn revoke_session_brings_the_expiry_forward() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		let key = session.public();
		authorize(ALICE, &session, USDC, 10_000);
		System::set_block_number(20);
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key));
		let expiry = 20 + MAX_TICKET_LIFE;
		System::assert_last_event(Event::SessionRevoked { key, expiry }.into());
		assert_eq!(Sessions::<Test>::get(key).unwrap().expiry, expiry);
	});
}

#[test]
fn revoke_session_never_moves_the_expiry_back() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		let key = session.public();
		authorize(ALICE, &session, USDC, 30);
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key));
		assert_eq!(Sessions::<Test>::get(key).unwrap().expiry, 30);
		authorize(BOB, &self::key(2), USDC, 10_000);
		assert_ok!(Broker::revoke_session(
			RuntimeOrigin::signed(BOB),
			self::key(2).public()
		));
		System::set_block_number(400);
		assert_ok!(Broker::revoke_session(
			RuntimeOrigin::signed(BOB),
			self::key(2).public()
		));
		let session = Sessions::<Test>::get(self::key(2).public()).unwrap();
		assert_eq!(session.expiry, 1 + MAX_TICKET_LIFE);
	});
}

#[test]
fn tickets_signed_before_the_revocation_are_still_paid() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let with = |nonce, expiry| {
			let plain = ticket(&key, nonce);
			signed(&key, Ticket { expiry, ..plain })
		};
		let longest = with(0, latest());
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
		System::set_block_number(MAX_TICKET_LIFE);
		let later = with(1, MAX_TICKET_LIFE + 60);
		let verdicts = Broker::check_tickets(&[longest, later]);
		assert!(matches!(verdicts[0], TicketVerdict::Accepted(_)));
		assert_eq!(verdicts[1], TicketVerdict::Refused(TicketRefusal::SessionExpired));
	});
}

#[test]
fn revoke_session_fails_for_all_but_the_owner() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		let key = session.public();
		let revoke = |who| Broker::revoke_session(RuntimeOrigin::signed(who), key);
		assert_noop!(revoke(ALICE), Error::<Test>::UnknownSession);
		authorize(ALICE, &session, USDC, 10_000);
		assert_noop!(revoke(BOB), Error::<Test>::NotOwner);
	});
}
