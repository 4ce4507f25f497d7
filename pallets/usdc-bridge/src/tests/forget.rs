//! Released withdrawals and used actions are forgotten when their time is over, and not before.

use crate::{mock::*, Line, OldestEpoch, UsedActions, WeightInfo, Withdrawals};
use clustercast_primitives::{amount::USDC, bridge::EthereumAction, EthereumAddress, Hash};
use frame_support::{
	assert_ok,
	traits::Hooks,
	weights::{Weight, WeightMeter},
};

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

fn withdraw() {
	assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), TO, USDC, 0));
}

#[test]
fn a_withdrawal_is_kept_for_its_time_after_release() {
	ExtBuilder::default().build_and_execute(|| {
		withdraw();
		withdraw();
		run_to(10);
		withdraw();
		run_to(2 + MEMORY);
		idle();
		assert_eq!(Line::<Test>::get().oldest, 0);
		run_to(3 + MEMORY);
		idle();
		assert_eq!(Line::<Test>::get().oldest, 2);
		assert_eq!(
			(Withdrawals::<Test>::get(1), Bridge::withdrawals(0, 9).len()),
			(None, 1)
		);
		try_state();
		run_to(12 + MEMORY);
		idle();
		assert_eq!(
			(Line::<Test>::get().oldest, Withdrawals::<Test>::iter().count()),
			(3, 0)
		);
	});
}

#[test]
fn what_waits_is_never_forgotten() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..3 {
			assert_ok!(Bridge::withdraw(
				RuntimeOrigin::signed(ALICE),
				TO,
				MAX_WITHDRAWAL - USDC,
				0
			));
		}
		// The last one waits for a period that does not come.
		run_to(3);
		System::set_block_number(10 * MEMORY);
		idle();
		let line = Line::<Test>::get();
		assert_eq!((line.oldest, line.waiting, line.next), (2, 2, 3));
	});
}

#[test]
fn a_block_forgets_what_it_has_weight_for() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..5 {
			withdraw();
		}
		run_to(3 + MEMORY);
		let enough_for_two = <()>::forget_withdrawals(2);
		assert_eq!(Bridge::on_idle(0, enough_for_two), enough_for_two);
		assert_eq!(Line::<Test>::get().oldest, 2);
		try_state();
		assert_eq!(Bridge::on_idle(0, Weight::zero()), Weight::zero());
		idle();
		assert_eq!(Line::<Test>::get().oldest, 5);
	});
}

#[test]
fn used_actions_are_cleared_when_their_epoch_is_over() {
	ExtBuilder::default().build_and_execute(|| {
		let wallet = funded_wallet();
		let unlock = |deadline| EthereumAction::Unlock {
			amount: USDC,
			tip: 0,
			nonce: 0,
			deadline,
		};
		assert_ok!(act(&wallet, unlock(MAX_ACTION_LIFE - 1)));
		System::set_block_number(MAX_ACTION_LIFE - 1);
		idle();
		assert_eq!(UsedActions::<Test>::iter().count(), 1);
		System::set_block_number(MAX_ACTION_LIFE);
		idle();
		assert_eq!(
			(UsedActions::<Test>::iter().count(), OldestEpoch::<Test>::get()),
			(0, 1)
		);
		// It cannot come back.
		assert_eq!(
			act(&wallet, unlock(MAX_ACTION_LIFE - 1)),
			Err(crate::Error::<Test>::Expired.into())
		);
	});
}

#[test]
fn a_block_clears_what_it_has_weight_for() {
	ExtBuilder::default().build_and_execute(|| {
		for n in 0..5 {
			UsedActions::<Test>::insert(0, Hash([n; 32]), ());
		}
		System::set_block_number(MAX_ACTION_LIFE);
		let mut meter = WeightMeter::with_limit(<()>::clear_actions(2));
		Bridge::do_clear_actions(&mut meter);
		assert_eq!(
			(UsedActions::<Test>::iter().count(), OldestEpoch::<Test>::get()),
			(3, 0)
		);
		idle();
		assert_eq!(
			(UsedActions::<Test>::iter().count(), OldestEpoch::<Test>::get()),
			(0, 1)
		);
	});
}
