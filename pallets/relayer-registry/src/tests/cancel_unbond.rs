//! `cancel_unbond`: the relayer stays; a later exit waits the whole delay again.

use crate::{mock::*, Error, Event, Relayers};
use frame_support::{assert_noop, assert_ok};

#[test]
fn cancel_unbond_keeps_the_relayer() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_ok!(Registry::cancel_unbond(RuntimeOrigin::signed(ALICE), ALICE));
		System::assert_last_event(Event::UnbondCancelled { relayer: ALICE }.into());
		System::set_block_number(1 + UNBOND_DELAY);
		assert_noop!(
			Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::NotUnbonding
		);
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(
			Relayers::<Test>::get(ALICE).unwrap().unbonds_at,
			Some(1 + 2 * UNBOND_DELAY)
		);
	});
}

#[test]
fn cancel_unbond_fails_for_who_stays_and_for_strangers() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(
			Registry::cancel_unbond(RuntimeOrigin::signed(ALICE), ALICE),
			Error::<Test>::NotUnbonding
		);
		assert_noop!(
			Registry::cancel_unbond(RuntimeOrigin::signed(BOB), BOB),
			Error::<Test>::NotRegistered
		);
	});
}
