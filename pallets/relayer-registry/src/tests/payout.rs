//! `set_payout` and `set_operator`: who may do what, and that the bond goes where the authority goes.

use crate::{mock::*, Error, Event, Relayers};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::{AccountId32, DispatchError, TokenError};

/// Acts for Alice's relayer.
const HOT: AccountId32 = AccountId32::new([7; 32]);

fn by(who: &AccountId32) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.clone())
}

#[test]
fn the_bond_moves_to_the_new_payout_and_reputation_stays() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		Registry::note_delivery(&ALICE, &BOB, 5, 7);
		let before = Registry::reputation(&ALICE);
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		System::assert_last_event(
			Event::PayoutChanged {
				relayer: ALICE,
				payout: BOB,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), held(&BOB)), (0, MIN_BOND));
		assert_eq!(Balances::total_balance(&ALICE), ENDOWMENT - MIN_BOND);
		assert_eq!((Registry::payout(&ALICE), Registry::reputation(&ALICE)), (BOB, before));
		// Alice's account may be gone: the relayer is there all the same.
		assert_ok!(Balances::transfer_all(by(&ALICE), BOB, false));
		assert!(!System::account_exists(&ALICE));
		assert_ok!(Registry::bond_extra(by(&BOB), ALICE, 3));
		assert_ok!(Registry::unbond(by(&BOB), ALICE));
		wait(UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(by(&BOB), ALICE));
		assert_eq!(Balances::balance(&BOB), 2 * ENDOWMENT);
	});
}

/// The attack: whoever got hold of a hot key takes the bond, or sends the money elsewhere.
#[test]
fn only_the_payout_touches_bond_and_authority() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::set_operator(by(&ALICE), ALICE, HOT));
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		// The operator, and the account that registered and is neither any more.
		for who in [&HOT, &ALICE] {
			let refused = || Error::<Test>::NotPayout;
			assert_noop!(Registry::unbond(by(who), ALICE), refused());
			assert_noop!(Registry::cancel_unbond(by(who), ALICE), refused());
			assert_noop!(Registry::withdraw_bond(by(who), ALICE), refused());
			assert_noop!(Registry::bond_extra(by(who), ALICE, 1), refused());
			assert_noop!(Registry::set_payout(by(who), ALICE, HOT), refused());
			assert_noop!(Registry::set_operator(by(who), ALICE, ALICE), refused());
		}
		let update = |who: &AccountId32| Registry::update(by(who), ALICE, addresses(&["/dns4/a"]), 7);
		assert_noop!(update(&ALICE), Error::<Test>::NotOperator);
		assert_noop!(set_key(ALICE, ALICE, &key(2)), Error::<Test>::NotOperator);
		assert_ok!(update(&HOT));
		assert_ok!(update(&BOB));
		assert_ok!(set_key(HOT, ALICE, &key(2)));
		assert_ok!(set_key(BOB, ALICE, &key(3)));
		// A leaked operator is replaced.
		assert_ok!(Registry::set_operator(by(&BOB), ALICE, NOBODY));
		System::assert_last_event(
			Event::OperatorChanged {
				relayer: ALICE,
				operator: NOBODY,
			}
			.into(),
		);
		assert_noop!(update(&HOT), Error::<Test>::NotOperator);
	});
}

#[test]
fn the_money_goes_to_the_payout_whoever_redeems() {
	ExtBuilder.build_and_execute(|| {
		assert!(Registry::may_redeem(&ALICE, &ALICE) && !Registry::may_redeem(&BOB, &ALICE));
		assert_eq!(Registry::payout(&ALICE), ALICE, "who is not registered has nobody else");
		assert_ok!(register(ALICE, &key(1)));
		assert_eq!(Registry::payout(&ALICE), ALICE);
		assert!(!Registry::may_redeem(&BOB, &ALICE) && !Registry::may_redeem(&HOT, &ALICE));
		assert_ok!(Registry::set_operator(by(&ALICE), ALICE, HOT));
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		for who in [&BOB, &HOT] {
			assert!(Registry::may_redeem(who, &ALICE));
		}
		assert!(!Registry::may_redeem(&NOBODY, &ALICE));
		assert!(Registry::is_operator(&HOT, &ALICE) && !Registry::is_operator(&BOB, &ALICE));
		assert!(!Registry::may_redeem(&HOT, &BOB), "for that relayer alone");
		assert_eq!(Registry::payout(&ALICE), BOB);
	});
}

/// The attack: the key that registered was stolen, and replaced by a payout and an operator. Whoever has it could still
/// release what is reserved, and burn the nonces of winners by handing in tickets of its own to the relayer.
#[test]
fn who_registered_has_no_power_once_others_act_for_it() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::set_operator(by(&ALICE), ALICE, HOT));
		assert!(Registry::may_redeem(&ALICE, &ALICE), "still its payout");
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		assert!(!Registry::may_redeem(&ALICE, &ALICE));
		assert_noop!(
			Registry::set_operator(by(&ALICE), ALICE, ALICE),
			Error::<Test>::NotPayout
		);
		assert_ok!(Registry::unbond(by(&BOB), ALICE));
		wait(UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(by(&BOB), ALICE));
		assert!(
			Registry::may_redeem(&ALICE, &ALICE),
			"what is paid to it after it has left is its own"
		);
	});
}

#[test]
fn who_is_bonded_has_at_least_the_minimum() {
	ExtBuilder.build_and_execute(|| {
		assert!(!Registry::is_bonded(&ALICE));
		assert_ok!(register(ALICE, &key(1)));
		assert!(Registry::is_bonded(&ALICE));
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		assert!(
			Registry::is_bonded(&ALICE) && !Registry::is_bonded(&BOB),
			"it is the relayer that is"
		);
		assert_ok!(Registry::unbond(by(&BOB), ALICE));
		assert!(Registry::is_bonded(&ALICE), "until the bond is withdrawn");
	});
}

#[test]
fn one_account_can_be_the_payout_of_several() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(register(BOB, &key(2)));
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, BOB));
		assert_eq!(held(&BOB), 2 * MIN_BOND);
		for relayer in [ALICE, BOB] {
			assert_ok!(Registry::unbond(by(&BOB), relayer));
		}
		wait(UNBOND_DELAY);
		assert_ok!(Registry::withdraw_bond(by(&BOB), ALICE));
		assert_eq!(held(&BOB), MIN_BOND);
	});
}

#[test]
fn a_payout_needs_an_account_and_a_relayer() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Registry::set_payout(by(&ALICE), ALICE, BOB),
			Error::<Test>::NotRegistered
		);
		assert_noop!(
			Registry::set_operator(by(&ALICE), ALICE, BOB),
			Error::<Test>::NotRegistered
		);
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(
			Registry::set_payout(by(&ALICE), ALICE, NOBODY),
			DispatchError::Token(TokenError::CannotCreateHold)
		);
		// To itself: nothing moves.
		assert_ok!(Registry::set_payout(by(&ALICE), ALICE, ALICE));
		assert_eq!(held(&ALICE), MIN_BOND);
		assert_eq!(Relayers::<Test>::get(ALICE).unwrap().payout, ALICE);
	});
}
