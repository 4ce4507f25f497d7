//! `cancel_unlock`: what was leaving stays.

use crate::{mock::*, Error, Event};
use clustercast_primitives::amount::USDC;
use frame_support::{assert_noop, assert_ok};

#[test]
fn cancel_unlock_leaves_the_money_in_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, USDC);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
		assert_ok!(Broker::cancel_unlock(RuntimeOrigin::signed(ALICE)));
		System::assert_last_event(Event::UnlockCancelled { who: ALICE }.into());
		assert_eq!((deposited(&ALICE), Broker::unlocking(&ALICE)), (USDC, None));
		System::set_block_number(1 + UNLOCK_DELAY);
		assert_noop!(
			Broker::withdraw(RuntimeOrigin::signed(ALICE)),
			Error::<Test>::NotUnlocking
		);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
	});
}

#[test]
fn cancel_unlock_fails_when_nothing_is_leaving() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, USDC);
		assert_noop!(
			Broker::cancel_unlock(RuntimeOrigin::signed(ALICE)),
			Error::<Test>::NotUnlocking
		);
	});
}
