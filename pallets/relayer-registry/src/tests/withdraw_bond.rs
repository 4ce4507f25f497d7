//! `withdraw_bond`: after the delay and not before; frees the key.

use crate::{mock::*, Error, Event, Relayers, SigningKeys};
use frame_support::{assert_noop, assert_ok};

#[test]
fn withdraw_bond_returns_the_bond_when_the_delay_is_over() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		System::set_block_number(UNBOND_DELAY);
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::TooEarly
		);
		System::set_block_number(1 + UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE));
		System::assert_last_event(
			Event::Left {
				relayer: ALICE,
				bond: MIN_BOND,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), 0);
		assert_eq!(Balances::free_balance(&ALICE), ENDOWMENT);
		assert_eq!(Relayers::<Test>::get(ALICE), None);
		assert_eq!(SigningKeys::<Test>::get(key(1).public()), None);
		assert_ok!(register(BOB, &key(1)));
	});
}

#[test]
fn withdraw_bond_fails_for_who_stays_and_for_strangers() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::NotUnbonding
		);
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(BOB), BOB),
			Error::<Test>::NotRegistered
		);
	});
}
