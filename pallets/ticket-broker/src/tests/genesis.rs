//! The treasury: fixed at genesis, and never without an account.

use crate::{mock::*, GenesisConfig, Treasury};
use frame_support::{assert_noop, assert_ok, traits::BuildGenesisConfig};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn the_treasury_is_set_at_genesis() {
	ExtBuilder.build_and_execute(|| assert_eq!(Treasury::<Test>::get(), Some(TREASURY)));
}

#[test]
fn the_treasury_cannot_be_emptied_into_nothing() {
	ExtBuilder.build_and_execute(|| {
		let send = |amount| Balances::transfer_allow_death(RuntimeOrigin::signed(TREASURY), ALICE, amount);
		let all = total(&TREASURY);
		assert_noop!(send(all), DispatchError::Token(TokenError::Frozen));
		assert_ok!(send(all - EXISTENTIAL_DEPOSIT));
	});
}

#[test]
#[should_panic(expected = "the treasury has a balance at genesis")]
fn a_treasury_without_account_does_not_start() {
	ExtBuilder.build().execute_with(|| {
		GenesisConfig::<Test> { treasury: Some(NOBODY) }.build();
	});
}
