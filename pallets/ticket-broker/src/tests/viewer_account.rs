//! The view of an account that pays for video.

use crate::mock::*;
use clustercast_primitives::{
	amount::USDC,
	chain::{SessionInfo, Unlocking, ViewerAccount},
	channel::Reservation,
	AccountId,
};
use frame_support::assert_ok;

#[test]
fn viewer_account_shows_money_and_sessions() {
	ExtBuilder.build_and_execute(|| {
		let (first, second) = (key(1), key(2));
		deposit(ALICE, 3 * USDC);
		assert_ok!(try_authorize(ALICE, &first, 2 * USDC, USDC, 500));
		System::set_block_number(2);
		authorize(ALICE, &second, USDC, 900);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
		redeem(vec![winner(&second, 0)]);
		let reservation = Reservation {
			sender: AccountId(ALICE.into()),
			session: first.public(),
			recipient: AccountId(RELAYER.into()),
			counter: 1,
			cap: USDC + 1,
			reward: 0,
			submit_by: 2,
		};
		assert_ok!(Broker::reserve(
			RuntimeOrigin::signed(BOB),
			first.sign(reservation, &genesis())
		));
		let session =
			|key: &clustercast_primitives::crypto::KeyPair, limit, spent, extra_limit, registered| SessionInfo {
				key: key.public(),
				limit,
				spent,
				extra_limit,
				extra_spent: 0,
				expiry: 400 * registered + 100,
				registered,
			};
		let expected = ViewerAccount {
			// The account's minimum cannot be spent while there is a deposit.
			free: ENDOWMENT - 3 * USDC - 2 * SESSION_DEPOSIT - EXISTENTIAL_DEPOSIT,
			deposit: 3 * USDC - USDC / 2,
			reserved: USDC + 1,
			unlocking: Some(Unlocking {
				amount: USDC,
				unlocks_at: 2 + UNLOCK_DELAY,
			}),
			sessions: vec![
				session(&first, 2 * USDC, USDC + 1, USDC, 1),
				session(&second, USDC, USDC / 2, 0, 2),
			],
		};
		assert_eq!(Broker::viewer_account(&ALICE), expected);
	});
}

#[test]
fn viewer_account_shows_of_an_unlock_what_is_left() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC);
		authorize(ALICE, &key, USDC, 500);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
		redeem(vec![winner(&key, 0)]);
		let account = Broker::viewer_account(&ALICE);
		assert_eq!(
			(account.deposit, account.unlocking.unwrap().amount),
			(USDC / 2, USDC / 2)
		);
	});
}

#[test]
fn a_stranger_has_nothing() {
	ExtBuilder.build_and_execute(|| assert_eq!(Broker::viewer_account(&NOBODY), ViewerAccount::default()));
}
