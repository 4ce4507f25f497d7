//! Each invariant of `try_state` is broken by hand once and found, and so are constants that contradict each other.

use crate::{mock::*, Due, HoldReason, NextStream, OldestDue, StreamKey, StreamKeys as Keys};
use clustercast_primitives::{
	chain::{RentOffer, TermsChange},
	StreamId,
};
use frame_support::{
	assert_ok,
	traits::{fungible::MutateHold, Hooks},
};

/// Breaks the state by `damage` and returns what `try_state` says. Alice's key is rented to Bob.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_ok!(StreamKeys::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = StreamKeys::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

/// The same, by a change of the key.
fn tampered(change: impl FnOnce(&mut StreamKey<Test>)) -> String {
	complaint(|| Keys::<Test>::mutate(STREAM, |key| change(key.as_mut().unwrap())))
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(StreamKeys::integrity_test);
}

#[test]
#[should_panic(expected = "a share cannot exceed the whole")]
fn a_share_of_more_than_everything_is_found() {
	MaxBroadcasterShare::set(1_000_001);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "a royalty cannot exceed the price")]
fn a_royalty_of_more_than_everything_is_found() {
	Royalty::set(1_000_001);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "a surge bound allows the price itself")]
fn a_surge_bound_below_the_price_is_found() {
	MaxSurge::set(999_999);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "the mint deposit must be worth an account")]
fn a_deposit_below_an_accounts_minimum_is_found() {
	MintDeposit::set(EXISTENTIAL_DEPOSIT - 1);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "no more is kept than was earned")]
fn keeping_more_than_everything_is_found() {
	EarningsKept::set(1_000_001);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "a deposit does not shrink")]
fn a_largest_deposit_below_the_smallest_is_found() {
	MaxDeposit::set(MINT_DEPOSIT - 1);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "periods have blocks, and a rental lasts for an era")]
fn rentals_shorter_than_an_era_are_found() {
	MaxRental::set(CHANGE_DELAY - 1);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "a deposit stays as long as what was in force is remembered")]
fn deposits_that_leave_too_early_are_found() {
	KeyMemory::set(CHANGE_DELAY - 1);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "periods have blocks, and a rental lasts for an era")]
fn changes_at_once_are_found() {
	ChangeDelay::set(0);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "owner and renter can each replace a signing key")]
fn too_little_room_for_signing_keys_is_found() {
	MaxPreviousKeys::set(1);
	StreamKeys::integrity_test();
}

#[test]
fn deposits_that_differ_from_holds_are_found() {
	let reason = RuntimeHoldReason::from(HoldReason::StreamKey);
	let differ = "1: deposits differ from what is held";
	assert_eq!(complaint(|| Balances::hold(&reason, &CAROL, 5).unwrap()), differ);
	let less = complaint(|| Balances::set_on_hold(&reason, &ALICE, MINT_DEPOSIT - 1).unwrap());
	assert_eq!(less, differ);
	assert_eq!(tampered(|key| key.rental.as_mut().unwrap().deposit -= 1), differ);
	assert_eq!(tampered(|key| key.owner = CAROL), differ);
	let stranger = tampered(|key| key.owner = NOBODY);
	assert!(stranger.starts_with('1'), "{stranger}");
}

#[test]
fn a_number_that_was_not_handed_out_is_found() {
	let text = complaint(|| NextStream::<Test>::put(StreamId(0)));
	assert_eq!(text, "2: a key's number was not handed out");
}

#[test]
fn texts_and_terms_out_of_bounds_are_found() {
	let of_key = "3: a key's texts or terms are out of bounds";
	assert_eq!(
		tampered(|key| key.era.terms.as_mut().unwrap().broadcaster_share_ppm = 300_001),
		of_key
	);
	assert_eq!(
		tampered(|key| key.era.terms.as_mut().unwrap().max_surge_ppm = 0),
		of_key
	);
	assert_eq!(tampered(|key| key.about.title = vec![0x80].try_into().unwrap()), of_key);
	let announced = |key: &mut StreamKey<Test>| {
		let mut terms = key.era.terms.unwrap();
		terms.price_per_gb = u64::MAX;
		key.change = Some(TermsChange {
			terms: Some(terms),
			from: 1,
		});
	};
	assert_eq!(tampered(announced), of_key);
	let of_renter = tampered(|key| key.rental.as_mut().unwrap().about.category = vec![0x80].try_into().unwrap());
	assert_eq!(of_renter, "3: a rental's texts are out of bounds");
}

#[test]
fn signing_keys_that_cannot_be_are_found() {
	let previous = |until| crate::PreviousKey {
		key: signer(1),
		by: ALICE,
		until,
	};
	let text = "4: a signing key was replaced in the future, or a renter's finds no room";
	assert_eq!(
		tampered(|key| key.previous_keys = vec![previous(2)].try_into().unwrap()),
		text
	);
	assert_eq!(
		tampered(|key| key.previous_keys = vec![previous(1); 4].try_into().unwrap()),
		text
	);
	let former = |until| crate::Former {
		account: ALICE,
		deposit: 0,
		flagged: false,
		until,
	};
	assert_eq!(tampered(|key| key.former = vec![former(2)].try_into().unwrap()), text);
	assert_eq!(
		tampered(|key| key.former = vec![former(1); 4].try_into().unwrap()),
		text
	);
}

#[test]
fn periods_out_of_bounds_are_found() {
	let offered = |blocks| tampered(|key| key.rent_offer = Some(RentOffer { price: 0, blocks }));
	assert_eq!(offered(CHANGE_DELAY - 1), "5: the period on offer is out of bounds");
	assert_eq!(offered(MAX_RENTAL + 1), "5: the period on offer is out of bounds");
	let rented = |from, until| {
		tampered(|key| {
			let rental = key.rental.as_mut().unwrap();
			(rental.from, rental.until) = (from, until);
		})
	};
	let text = "5: a rental's period is out of bounds";
	assert_eq!(rented(1, 60), text);
	assert_eq!(rented(2, 1), text);
	assert_eq!(rented(1, MAX_RENTAL + 2), text);
}

#[test]
fn a_wrong_list_of_what_falls_due_is_found() {
	let missing = "6: what falls due of a key is not listed";
	assert_eq!(complaint(|| Due::<Test>::remove(61, STREAM)), missing);
	assert_eq!(complaint(|| OldestDue::<Test>::put(62)), missing);
	let more = complaint(|| Due::<Test>::insert(5, STREAM, ()));
	assert_eq!(more, "6: a key is listed as due that is not");
}

#[test]
fn a_flagged_key_on_offer_is_found() {
	assert_eq!(tampered(|key| key.flagged = true), "7: a flagged key is on offer");
	let text = tampered(|key| (key.flagged, key.rent_offer, key.sale_price) = (true, None, Some(0)));
	assert_eq!(text, "7: a flagged key is on offer");
}

#[test]
fn eras_that_cannot_be_are_found() {
	let early = tampered(|key| key.era.from = 2);
	assert_eq!(early, "8: terms change sooner than they may");
	let announced = tampered(|key| {
		key.change = Some(TermsChange {
			terms: key.era.terms,
			from: 61,
		});
	});
	assert_eq!(announced, "8: terms change while the key is rented");
	let stranger = complaint(|| {
		run_to(61);
		Keys::<Test>::mutate(STREAM, |key| key.as_mut().unwrap().era.payee = CAROL);
	});
	assert_eq!(stranger, "8: another one than the owner is paid for good");
}
