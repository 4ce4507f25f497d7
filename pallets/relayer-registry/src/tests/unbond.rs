//! `unbond`: starts the delay, once.

use crate::{mock::*, Error, Event, Relayers};
use frame_support::{assert_noop, assert_ok};

#[test]
fn unbond_starts_the_delay_and_returns_nothing_yet() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		System::set_block_number(10);
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		let unbonds_at = 10 + UNBOND_DELAY;
		System::assert_last_event(
			Event::Unbonding {
				relayer: ALICE,
				unbonds_at,
			}
			.into(),
		);
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().unbonds_at, Some(unbonds_at));
		assert_eq!(held(&ALICE), MIN_BOND);
	});
}

#[test]
fn unbond_fails_twice_and_for_strangers() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::NotRegistered
		);
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_noop!(
			Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::AlreadyUnbonding
		);
	});
}
