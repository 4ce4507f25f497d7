//! `withdraw`: after the delay, what tickets have left.

use crate::{mock::*, Error, Event, Unlocks};
use clustercast_primitives::{
	amount::USDC,
	chain::{TicketVerdict, Unlocking},
	channel::{Release, Reservation},
	AccountId, Ticket,
};
use frame_support::{assert_noop, assert_ok};

#[test]
fn withdraw_returns_what_was_asked_for_when_the_delay_is_over() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, 5 * USDC);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), 2 * USDC));
		System::set_block_number(UNLOCK_DELAY);
		assert_noop!(Broker::withdraw(RuntimeOrigin::signed(ALICE)), Error::<Test>::TooEarly);
		System::set_block_number(1 + UNLOCK_DELAY);
		assert_ok!(Broker::withdraw(RuntimeOrigin::signed(ALICE)));
		System::assert_last_event(
			Event::Withdrawn {
				who: ALICE,
				amount: 2 * USDC,
			}
			.into(),
		);
		assert_eq!(deposited(&ALICE), 3 * USDC);
		assert_eq!(Balances::free_balance(&ALICE), ENDOWMENT - 3 * USDC);
		assert_eq!(Unlocks::<Test>::get(ALICE), None);
	});
}

#[test]
fn withdraw_fails_when_nothing_is_leaving() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, USDC);
		assert_noop!(
			Broker::withdraw(RuntimeOrigin::signed(ALICE)),
			Error::<Test>::NotUnlocking
		);
	});
}

#[test]
fn withdraw_returns_only_what_tickets_have_left() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, 2 * USDC);
		authorize(ALICE, &key, 10 * USDC, 10_000);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), 2 * USDC));
		let redeem = |nonce| {
			let tickets = vec![winner(&key, nonce)].try_into().unwrap();
			assert_ok!(Broker::redeem_batch(RuntimeOrigin::signed(RELAYER), tickets));
		};
		redeem(0);
		System::set_block_number(1 + UNLOCK_DELAY);
		assert_ok!(Broker::withdraw(RuntimeOrigin::signed(ALICE)));
		assert_eq!(deposited(&ALICE), 0);
		assert_eq!(total(&ALICE), ENDOWMENT - USDC / 2);

		// All of it spent: nothing to return, and the way is free again.
		deposit(ALICE, USDC / 2);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC / 2));
		redeem(1);
		assert_eq!(Unlocks::<Test>::get(ALICE), None);
		System::set_block_number(1 + 2 * UNLOCK_DELAY);
		assert_noop!(
			Broker::withdraw(RuntimeOrigin::signed(ALICE)),
			Error::<Test>::NotUnlocking
		);
		assert_eq!(total(&ALICE), ENDOWMENT - USDC);
	});
}

#[test]
fn withdraw_leaves_what_is_reserved_and_it_stays_asked_for() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, 3 * USDC);
		authorize(ALICE, &key, 10 * USDC, 10_000);
		let withdraw = || Broker::withdraw(RuntimeOrigin::signed(ALICE));
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), 3 * USDC));
		// What is unlocking may be reserved.
		let reservation = Reservation {
			sender: AccountId(ALICE.into()),
			session: key.public(),
			recipient: AccountId(RELAYER.into()),
			counter: 1,
			cap: 2 * USDC,
			reward: 0,
			submit_by: 1,
		};
		assert_ok!(Broker::reserve(
			RuntimeOrigin::signed(BOB),
			key.sign(reservation, &genesis())
		));
		let unlocks_at = 1 + UNLOCK_DELAY;
		run_to(unlocks_at);
		assert_ok!(withdraw());
		System::assert_last_event(
			Event::Withdrawn {
				who: ALICE,
				amount: USDC,
			}
			.into(),
		);
		let left = Unlocking {
			amount: 2 * USDC,
			unlocks_at,
		};
		assert_eq!(Unlocks::<Test>::get(ALICE), Some(left.clone()));
		assert_eq!((deposited(&ALICE), Broker::reserved_of(&ALICE)), (2 * USDC, 2 * USDC));
		assert_noop!(withdraw(), Error::<Test>::AllReserved);
		assert_eq!(Unlocks::<Test>::get(ALICE), Some(left));

		// The recipient is paid half of it and frees the rest, which leaves at once.
		let winning = signed(
			&key,
			Ticket {
				face_value: USDC,
				..ticket(&key, 0)
			},
		);
		assert!(matches!(redeem_one(winning), TicketVerdict::Accepted(_)));
		assert_noop!(withdraw(), Error::<Test>::AllReserved);
		let release = Release {
			recipient: AccountId(RELAYER.into()),
			session: key.public(),
			registered: 1,
			counter: 1,
			kept: 0,
		};
		assert_ok!(Broker::release(RuntimeOrigin::signed(RELAYER), release));
		assert_ok!(withdraw());
		assert_eq!((deposited(&ALICE), Unlocks::<Test>::get(ALICE)), (0, None));
		assert_eq!(total(&ALICE), ENDOWMENT - USDC);
	});
}
