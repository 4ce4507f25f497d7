//! `reserve`, `close_channel`, `release`: each rule both ways, and what a channel pays.

use crate::{mock::*, Channels, Error, Event, Refusal, Sessions};
use clustercast_primitives::{
	amount::USDC,
	chain::{
		ChannelInfo, ChannelKey, TicketRefusal,
		TicketVerdict::{self, Accepted, Refused},
	},
	channel::{Close, Release, Reservation},
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash,
};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{AccountId32, DispatchError};

/// Submitted by Bob.
fn submit(session: &KeyPair, reservation: Reservation) -> DispatchResult {
	Broker::reserve(RuntimeOrigin::signed(BOB), session.sign(reservation, &genesis()))
}

fn refused(refusal: TicketRefusal) -> DispatchError {
	Error::<Test>::Refused(Refusal(refusal)).into()
}

fn channel(session: &KeyPair) -> ChannelInfo {
	let key = ChannelKey {
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
	};
	Broker::channels(&[key])[0].unwrap()
}

/// Redeems, as the relayer, what a session owes it in all.
fn redeem_owed(session: &KeyPair, amount: Balance) -> TicketVerdict {
	let vouchers = vec![session.sign(voucher(session, amount), &genesis())];
	let verdict = Broker::check_vouchers(&vouchers)[0];
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(RELAYER),
		vouchers.try_into().unwrap()
	));
	verdict
}

fn release(who: AccountId32, counter: u32, registered: u32, kept: Balance) -> DispatchResult {
	let release = Release {
		recipient: AccountId(RELAYER.into()),
		session: key(1).public(),
		registered,
		counter,
		kept,
	};
	Broker::release(RuntimeOrigin::signed(who), release)
}

#[test]
fn reserve_sets_money_aside_and_rewards_who_submits_it() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let bob = total(&BOB);
		assert_ok!(submit(&session, reservation(&session, RELAYER, 3, 5 * USDC, 200)));
		System::assert_last_event(
			Event::Reserved {
				session: session.public(),
				sender: ALICE,
				recipient: RELAYER,
				counter: 3,
				cap: 5 * USDC,
				open: 5 * USDC,
				reward: 200,
			}
			.into(),
		);
		assert_eq!(total(&BOB), bob + 200);
		assert_eq!(
			(Broker::reserved_of(&ALICE), Broker::free_deposit_of(&ALICE)),
			(5 * USDC, MAX_DEPOSIT - 5 * USDC - 200)
		);
		assert_eq!(Broker::viewer_account(&ALICE).reserved, 5 * USDC);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - 200);
		assert_eq!(Sessions::<Test>::get(session.public()).unwrap().spent, 5 * USDC + 200);
		let info = ChannelInfo {
			counter: 3,
			cap: 5 * USDC,
			paid: 0,
			open: 5 * USDC,
			ends_at: 10_000 + CHANNEL_DELAY - MAX_TICKET_LIFE,
			registered: 1,
			next_nonce: 0,
		};
		assert_eq!(channel(&session), info);
		let nothing = ChannelKey {
			session: session.public(),
			recipient: AccountId(BOB.into()),
		};
		assert_eq!(Broker::channels(&[nothing]), [None]);
	});
}

#[test]
fn reserve_fails_unless_counter_and_cap_rise() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let with = |counter, cap| submit(&session, reservation(&session, RELAYER, counter, cap, 0));
		assert_noop!(with(0, USDC), Error::<Test>::CounterNotAbove);
		assert_noop!(with(1, MIN_FACE_VALUE - 1), Error::<Test>::CapNotAbove);
		assert_ok!(with(2, USDC));
		assert_noop!(with(2, 2 * USDC), Error::<Test>::CounterNotAbove);
		assert_noop!(with(1, 2 * USDC), Error::<Test>::CounterNotAbove);
		assert_noop!(with(3, USDC), Error::<Test>::CapNotAbove);
		assert_ok!(with(3, USDC + 1));
		assert_eq!(channel(&session).open, USDC + 1);
	});
}

#[test]
fn reserve_fails_for_what_a_payment_would_fail_for() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let good = reservation(&session, RELAYER, 1, USDC, 0);
		let with = |change: &dyn Fn(&mut Reservation)| {
			let mut reservation = good.clone();
			change(&mut reservation);
			submit(&session, reservation)
		};
		assert_noop!(
			submit(
				&session,
				Reservation {
					session: key(9).public(),
					..good.clone()
				}
			),
			Error::<Test>::UnknownSession
		);
		assert_noop!(
			with(&|r| r.sender = AccountId(BOB.into())),
			refused(TicketRefusal::WrongSender)
		);
		assert_noop!(with(&|r| r.submit_by = 0), refused(TicketRefusal::Expired));
		assert_noop!(
			with(&|r| r.submit_by = 2 + MAX_TICKET_LIFE),
			refused(TicketRefusal::ExpiryTooFar)
		);
		assert_noop!(
			with(&|r| r.cap = MAX_DEPOSIT + 1),
			refused(TicketRefusal::DepositTooSmall)
		);
		assert_noop!(
			with(&|r| (r.cap, r.reward) = (MAX_DEPOSIT, 1)),
			refused(TicketRefusal::DepositTooSmall)
		);
		assert_noop!(with(&|r| r.reward = Balance::MAX), Error::<Test>::DepositTooSmall);
		assert_noop!(
			with(&|r| r.cap = MAX_DEPOSIT * 100 + 1),
			refused(TicketRefusal::SessionLimitReached)
		);
		let by_another = key(9).sign(good.clone(), &genesis());
		assert_noop!(
			Broker::reserve(RuntimeOrigin::signed(BOB), by_another),
			refused(TicketRefusal::BadSignature)
		);
		let for_another_chain = session.sign(good.clone(), &Hash([1; 32]));
		assert_noop!(
			Broker::reserve(RuntimeOrigin::signed(BOB), for_another_chain),
			refused(TicketRefusal::BadSignature)
		);
		assert_ok!(with(&|r| r.submit_by = 1 + MAX_TICKET_LIFE));
		System::set_block_number(10_001);
		assert_noop!(
			with(&|r| (r.counter, r.cap, r.submit_by) = (2, 2 * USDC, 10_001)),
			refused(TicketRefusal::SessionExpired)
		);
	});
}

#[test]
fn a_payment_draws_from_its_channel_first_and_then_from_what_is_free() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, USDC);
		assert!(matches!(redeem_owed(&session, USDC / 2), Accepted(_)));
		assert_eq!((channel(&session).open, channel(&session).paid), (USDC / 2, USDC / 2));
		assert_eq!(Broker::free_deposit_of(&ALICE), MAX_DEPOSIT - USDC);
		assert!(matches!(redeem_owed(&session, 3 * USDC), Accepted(_)));
		assert_eq!((channel(&session).open, channel(&session).paid), (0, 3 * USDC));
		assert_eq!(Broker::free_deposit_of(&ALICE), MAX_DEPOSIT - 3 * USDC);
		assert_eq!(Sessions::<Test>::get(session.public()).unwrap().spent, 3 * USDC);
		// What was paid is part of the next cap.
		let next = try_reserve(&session, RELAYER, 2, 3 * USDC);
		assert_eq!(next, Err(Error::<Test>::CapNotAbove.into()));
		reserve(&session, RELAYER, 2, 4 * USDC);
		assert_eq!(channel(&session).open, USDC);
	});
}

#[test]
fn a_voucher_beyond_what_is_there_pays_that_and_owes_the_rest() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, USDC);
		let free = Broker::free_deposit_of(&ALICE);
		assert_ok!(Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, free));
		let payout = |verdict| match verdict {
			Accepted(payout) => payout.relayer + payout.broadcaster + payout.treasury,
			Refused(refusal) => panic!("{refusal}"),
		};
		assert_eq!(payout(redeem_owed(&session, 3 * USDC)), USDC);
		assert_eq!(redeem_owed(&session, 3 * USDC), Refused(TicketRefusal::DepositTooSmall));
		deposit(ALICE, USDC / 2);
		assert_eq!(payout(redeem_owed(&session, 3 * USDC)), USDC / 2);
		deposit(ALICE, 10 * USDC);
		assert_eq!(payout(redeem_owed(&session, 3 * USDC)), 3 * USDC / 2);
		assert_eq!(redeem_owed(&session, 3 * USDC), Refused(TicketRefusal::NothingNew));
		assert_eq!(channel(&session).paid, 3 * USDC);
	});
}

#[test]
fn close_frees_what_is_reserved_after_the_delay() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		assert_noop!(close(&session, RELAYER, 1), Error::<Test>::NothingReserved);
		reserve(&session, RELAYER, 2, USDC);
		assert_noop!(close(&session, RELAYER, 1), Error::<Test>::WrongCounter);
		System::set_block_number(50);
		assert_ok!(close(&session, RELAYER, 2));
		let closes_at = 50 + CHANNEL_DELAY;
		System::assert_last_event(
			Event::ChannelClosed {
				session: session.public(),
				recipient: RELAYER,
				closes_at,
			}
			.into(),
		);
		assert_eq!(channel(&session).ends_at, closes_at);
		run_to(60);
		assert_noop!(close(&session, RELAYER, 2), Error::<Test>::AlreadyClosed);
		run_to(closes_at - 1);
		assert_eq!(Broker::reserved_of(&ALICE), USDC);
		run_to(closes_at);
		assert_eq!(Broker::reserved_of(&ALICE), 0);
		assert_eq!(Sessions::<Test>::get(session.public()).unwrap().spent, 0);
		// The next reservation begins where what was paid ended.
		reserve(&session, RELAYER, 3, MIN_FACE_VALUE);
	});
}

#[test]
fn what_is_reserved_again_is_not_freed_by_the_close_before() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, USDC);
		assert_ok!(close(&session, RELAYER, 1));
		reserve(&session, RELAYER, 2, 2 * USDC);
		run_to(1 + CHANNEL_DELAY);
		assert_eq!(channel(&session).open, 2 * USDC);
	});
}

#[test]
fn close_is_signed_by_the_session_key() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, USDC);
		let close = Close {
			sender: AccountId(ALICE.into()),
			session: session.public(),
			recipient: AccountId(RELAYER.into()),
			counter: 1,
			submit_by: 100,
		};
		let forged = key(9).sign(close.clone(), &genesis());
		let submit = |close| Broker::close_channel(RuntimeOrigin::signed(RELAYER), close);
		assert_noop!(submit(forged), refused(TicketRefusal::BadSignature));
		System::set_block_number(101);
		assert_noop!(submit(session.sign(close, &genesis())), refused(TicketRefusal::Expired));
	});
}

#[test]
fn release_frees_at_once_what_the_recipient_does_not_keep() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, 5 * USDC);
		assert!(matches!(redeem_owed(&session, USDC), Accepted(_)));
		assert_ok!(release(RELAYER, 1, 1, 3 * USDC));
		System::assert_last_event(
			Event::Released {
				session: session.public(),
				recipient: RELAYER,
				freed: 2 * USDC,
				open: 2 * USDC,
			}
			.into(),
		);
		assert_eq!(Broker::reserved_of(&ALICE), 2 * USDC);
		assert_eq!(Sessions::<Test>::get(session.public()).unwrap().spent, 3 * USDC);
		// A second time is nothing new; the rest, with nothing kept.
		assert_ok!(release(RELAYER, 1, 1, 3 * USDC));
		assert_ok!(release(RELAYER, 1, 1, 0));
		assert_eq!(Broker::reserved_of(&ALICE), 0);
		assert_eq!(channel(&session).cap, USDC, "what was paid");
		reserve(&session, RELAYER, 2, USDC + MIN_FACE_VALUE);
	});
}

#[test]
fn release_is_the_recipients_and_for_one_reservation_of_one_registration() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		assert_noop!(release(RELAYER, 1, 1, 0), Error::<Test>::NothingReserved);
		reserve(&session, RELAYER, 1, 5 * USDC);
		for who in [ALICE, BOB] {
			assert_noop!(release(who, 1, 1, 0), Error::<Test>::NotRecipient);
		}
		assert_noop!(release(RELAYER, 2, 1, 0), Error::<Test>::WrongCounter);
		assert_noop!(release(RELAYER, 1, 2, 0), Error::<Test>::WrongRegistration);
		assert_noop!(release(RELAYER, 1, 1, 5 * USDC + 1), Error::<Test>::CapNotAbove);
		Acting::mutate(|all| all.push((RELAYER, CAROL, BOB)));
		assert_noop!(release(BOB, 1, 1, 0), Error::<Test>::NotRecipient);
		assert_ok!(release(CAROL, 1, 1, 0));
	});
}

#[test]
fn what_is_not_by_bytes_is_not_reserved_for() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		deposit(ALICE, USDC);
		try_authorize(ALICE, &session, USDC, USDC, 10_000).unwrap();
		reserve(&session, RELAYER, 1, USDC);
		let mut access = ticket(&session, 0);
		(access.kind, access.bytes) = (Kind::ACCESS, 0);
		assert_eq!(
			redeem_one(signed(&session, access)),
			Refused(TicketRefusal::DepositTooSmall)
		);
		assert_eq!(Channels::<Test>::get(session.public(), RELAYER).unwrap().open, USDC);
	});
}

/// A viewer who left owes little and never more: it is paid, so that the relayer can let go of the rest.
#[test]
fn what_a_reservation_holds_whole_is_paid_down_to_the_last_unit() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		assert_eq!(
			redeem_owed(&session, 1),
			Refused(TicketRefusal::FaceValueTooSmall),
			"nothing is reserved"
		);
		reserve(&session, RELAYER, 1, MIN_FACE_VALUE);
		assert!(matches!(redeem_owed(&session, 1), Accepted(_)));
		let free = Broker::free_deposit_of(&ALICE);
		let rest = MIN_FACE_VALUE - 1;
		assert!(matches!(redeem_owed(&session, rest), Accepted(_)));
		assert_eq!((channel(&session).paid, channel(&session).open), (rest, 1));
		// One more than is reserved would be drawn from what is free, too.
		assert_eq!(
			redeem_owed(&session, rest + 2),
			Refused(TicketRefusal::FaceValueTooSmall)
		);
		assert!(matches!(redeem_owed(&session, rest + 1), Accepted(_)));
		assert_eq!(
			redeem_owed(&session, rest + 2),
			Refused(TicketRefusal::FaceValueTooSmall)
		);
		assert_eq!(Broker::free_deposit_of(&ALICE), free);
	});
}

/// What is reserved for one is no reason to pay another little, nor is what was released or is not by bytes.
#[test]
fn small_payments_are_for_who_has_the_reservation_alone() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		reserve(&session, RELAYER, 1, USDC);
		let little = |change: &dyn Fn(&mut clustercast_primitives::Voucher)| {
			let mut voucher = voucher(&session, 100);
			change(&mut voucher);
			Broker::check_vouchers(&[session.sign(voucher, &genesis())])[0]
		};
		assert!(matches!(little(&|_| {}), Accepted(_)));
		let too_small = Refused(TicketRefusal::FaceValueTooSmall);
		assert_eq!(little(&|voucher| voucher.recipient = AccountId(BOB.into())), too_small);
		let access = |voucher: &mut clustercast_primitives::Voucher| {
			(voucher.kind, voucher.bytes) = (Kind::ACCESS, 0);
		};
		assert_eq!(little(&access), too_small);
		// Two that are reserved for one by one, and not together: each is judged by what the other leaves.
		assert_ok!(release(RELAYER, 1, 1, 150));
		let here = session.sign(voucher(&session, 100), &genesis());
		let mut elsewhere = voucher(&session, 100);
		elsewhere.context = Hash([1; 32]);
		let elsewhere = session.sign(elsewhere, &genesis());
		let both = Broker::check_vouchers(&[here, elsewhere]);
		assert!(matches!(both[0], Accepted(_)));
		assert_eq!(both[1], too_small);
		assert_ok!(release(RELAYER, 1, 1, 0));
		assert_eq!(little(&|_| {}), too_small);
	});
}
