//! `bond_extra`: more is held and recorded.

use crate::{mock::*, Error, Event, Relayers};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{AccountId32, DispatchError, TokenError};

#[test]
fn bond_extra_raises_the_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(ALICE), ALICE, 7));
		System::assert_last_event(
			Event::BondRaised {
				relayer: ALICE,
				bond: MIN_BOND + 7,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), MIN_BOND + 7);
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().bond, MIN_BOND + 7);
	});
}

#[test]
fn bond_extra_fails_on_nothing_too_much_and_for_strangers() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		let extra = |who: AccountId32, amount| Registry::bond_extra(RuntimeOrigin::signed(who.clone()), who, amount);
		assert_noop!(extra(ALICE, 0), Error::<Test>::ZeroAmount);
		assert_noop!(
			extra(ALICE, ENDOWMENT),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_noop!(
			extra(ALICE, u128::MAX),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_noop!(extra(BOB, 7), Error::<Test>::NotRegistered);
	});
}
