//! `request_unlock`: starts the delay for part of a deposit, which still pays.

use crate::{mock::*, Error, Event};
use clustercast_primitives::{
	amount::USDC,
	chain::{TicketVerdict, Unlocking},
	Balance,
};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::AccountId32;

fn request(who: AccountId32, amount: Balance) -> DispatchResult {
	Broker::request_unlock(RuntimeOrigin::signed(who), amount)
}

#[test]
fn request_unlock_starts_the_delay() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, 3 * USDC);
		System::set_block_number(7);
		assert_ok!(request(ALICE, USDC));
		let unlocks_at = 7 + UNLOCK_DELAY;
		System::assert_last_event(
			Event::UnlockRequested {
				who: ALICE,
				amount: USDC,
				unlocks_at,
			}
			.into(),
		);
		let unlocking = Unlocking {
			amount: USDC,
			unlocks_at,
		};
		assert_eq!(Broker::unlocking(&ALICE), Some(unlocking));
		assert_eq!(deposited(&ALICE), 3 * USDC);
	});
}

#[test]
fn request_unlock_fails_beyond_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(request(ALICE, 1), Error::<Test>::DepositTooSmall);
		deposit(ALICE, USDC);
		assert_noop!(request(ALICE, 0), Error::<Test>::ZeroAmount);
		assert_noop!(request(ALICE, USDC + 1), Error::<Test>::DepositTooSmall);
		assert_ok!(request(ALICE, USDC));
	});
}

#[test]
fn request_unlock_fails_while_one_is_under_way() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, 2 * USDC);
		assert_ok!(request(ALICE, USDC));
		assert_noop!(request(ALICE, USDC), Error::<Test>::AlreadyUnlocking);
	});
}

#[test]
fn what_is_unlocking_still_pays_tickets() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		assert_ok!(request(ALICE, MAX_DEPOSIT));
		System::set_block_number(UNLOCK_DELAY);
		let verdicts = Broker::check_tickets(&[winner(&key, 0)]);
		assert!(matches!(verdicts[..], [TicketVerdict::Accepted(_)]));
	});
}

#[test]
fn the_delay_outlasts_every_ticket_signed_before() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let last = signed(
			&key,
			clustercast_primitives::Ticket {
				expiry: latest(),
				..ticket(&key, 0)
			},
		);
		assert_ok!(request(ALICE, MAX_DEPOSIT));
		System::set_block_number(MAX_TICKET_LIFE);
		assert_noop!(Broker::withdraw(RuntimeOrigin::signed(ALICE)), Error::<Test>::TooEarly);
		assert!(matches!(
			Broker::check_tickets(&[last])[..],
			[TicketVerdict::Accepted(_)]
		));
	});
}
