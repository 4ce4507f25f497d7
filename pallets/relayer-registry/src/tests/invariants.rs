//! Each invariant of `try_state` is broken by hand once and found, and so are constants that contradict each other.

use crate::{
	mock::*, reputation::Record, Freeze, HoldReason, PreviousKey, Relayers, Reputations, SigningKeys, Slashes,
};
use frame_support::{
	assert_ok,
	traits::{fungible::MutateHold, Hooks},
};

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = Registry::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

/// Changes Alice's record without the rules.
fn tamper(change: impl FnOnce(&mut crate::Relayer<Test>)) {
	Relayers::<Test>::mutate(ALICE, |relayer| change(relayer.as_mut().unwrap()));
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(Registry::integrity_test);
}

#[test]
#[should_panic(expected = "a bond must be worth an account")]
fn a_bond_below_an_accounts_minimum_is_found() {
	MinBond::set(EXISTENTIAL_DEPOSIT - 1);
	Registry::integrity_test();
}

#[test]
#[should_panic(expected = "a bond that leaves at once secures nothing")]
fn a_delay_of_nothing_is_found() {
	UnbondDelay::set(0);
	Registry::integrity_test();
}

#[test]
#[should_panic(expected = "a relayer needs an address")]
fn no_addresses_at_all_is_found() {
	MaxAddresses::set(0);
	Registry::integrity_test();
}

#[test]
fn bonds_that_differ_from_holds_are_found() {
	let reason = RuntimeHoldReason::from(HoldReason::RelayerBond);
	let stranger = complaint(|| Balances::hold(&reason, &BOB, 5).unwrap());
	assert_eq!(stranger, "1: a bond differs from what is held");
	let less = complaint(|| Balances::set_on_hold(&reason, &ALICE, MIN_BOND - 1).unwrap());
	assert_eq!(less, "1: a bond differs from what is held");
	let ghost = complaint(|| {
		let mut relayer = Relayers::<Test>::get(ALICE).unwrap();
		relayer.signing_key = key(2).public();
		relayer.payout = NOBODY;
		SigningKeys::<Test>::insert(key(2).public(), BOB);
		Relayers::<Test>::insert(BOB, relayer);
		Reputations::<Test>::insert(BOB, Record::since(1));
	});
	assert_eq!(ghost, "1: a bond without an account");
	let astray = complaint(|| tamper(|r| r.payout = BOB));
	assert_eq!(astray, "1: a bond differs from what is held");
}

#[test]
fn a_bond_below_the_minimum_is_found() {
	assert_eq!(complaint(|| tamper(|r| r.bond -= 1)), "2: a bond is below the minimum");
	let empty = complaint(|| {
		tamper(|r| {
			r.bond = 0;
			r.unbonds_at = Some(1);
		})
	});
	assert_eq!(empty, "2: a relayer without a bond");
}

#[test]
fn a_broken_key_index_is_found() {
	let astray = "3: a signing key does not lead back to its relayer";
	assert_eq!(complaint(|| tamper(|r| r.signing_key = key(2).public())), astray);
	assert_eq!(complaint(|| SigningKeys::<Test>::insert(key(1).public(), BOB)), astray);
	let orphan = complaint(|| SigningKeys::<Test>::insert(key(2).public(), ALICE));
	assert_eq!(orphan, "3: a signing key without a relayer");
}

#[test]
fn a_replaced_key_that_leads_elsewhere_is_found() {
	let previous = PreviousKey {
		key: key(2).public(),
		until: 9,
	};
	let lost = complaint(|| tamper(|r| r.previous_keys.try_push(previous).unwrap()));
	assert_eq!(lost, "3: a signing key does not lead back to its relayer");
}

#[test]
fn a_frozen_bond_that_does_not_have_what_it_owes_is_found() {
	let freeze = |owed| Some(Freeze { due: 9, owed });
	let short = complaint(|| tamper(|r| r.frozen = freeze(MIN_BOND + 1)));
	assert_eq!(short, "7: a frozen bond does not have what it owes");
}

#[test]
#[should_panic(expected = "a relayer answers for the keys that it replaced")]
fn keys_that_are_forgotten_at_once_are_found() {
	KeyMemory::set(0);
	Registry::integrity_test();
}

#[test]
fn addresses_and_prices_out_of_bounds_are_found() {
	let text = "4: a relayer's addresses or price are out of bounds";
	assert_eq!(complaint(|| tamper(|r| r.addresses = addresses(&["x"]))), text);
	assert_eq!(complaint(|| tamper(|r| r.price_per_gb = u64::MAX)), text);
}

#[test]
fn reputations_that_do_not_match_relayers_are_found() {
	let missing = complaint(|| Reputations::<Test>::remove(ALICE));
	assert_eq!(missing, "5: a relayer without a reputation");
	let stray = complaint(|| Reputations::<Test>::insert(BOB, Record::default()));
	assert_eq!(stray, "5: a reputation without a relayer");
	let early = complaint(|| Reputations::<Test>::insert(ALICE, Record::since(2)));
	assert_eq!(early, "5: a reputation from the future");
}

#[test]
fn slashes_of_nobody_are_found() {
	let none = complaint(|| Slashes::<Test>::insert(BOB, 0));
	assert_eq!(none, "6: slashes of somebody who has none");
}
