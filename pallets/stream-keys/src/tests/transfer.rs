//! `transfer`: a deposit goes along, the giver's own stays for a while; offers and announcements end.

use crate::{mock::*, Error, Event, Offences};
use clustercast_primitives::{amount::USDC, chain::StreamTerms, StreamId};
use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate};
use sp_runtime::TokenError;

#[test]
fn transfer_takes_a_deposit_along_and_names_what_signs() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		System::assert_last_event(
			Event::Transferred {
				id: STREAM,
				from: ALICE,
				to: BOB,
			}
			.into(),
		);
		assert_eq!((info().owner.0, info().broadcaster.0), ([2; 32], [2; 32]));
		assert_eq!((info().signing_key, info().previous_keys), (signer(6), vec![signer(7)]));
		assert_eq!((held(&ALICE), held(&BOB)), (MINT_DEPOSIT, MINT_DEPOSIT));
		// A gift costs who receives it nothing.
		assert_eq!(Balances::free_balance(&BOB), ENDOWMENT);
		assert_eq!(total(&ALICE), ENDOWMENT - MINT_DEPOSIT);
		assert_noop!(transfer(ALICE, CAROL), Error::<Test>::NotOwner);
		assert_ok!(transfer(BOB, CAROL));
		run_to(1 + KEY_MEMORY);
		assert_eq!([ALICE, BOB, CAROL].map(|who| held(&who)), [0, 0, MINT_DEPOSIT]);
	});
}

#[test]
fn transfer_fails_where_the_giver_cannot_pay_a_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		Balances::set_balance(&ALICE, MINT_DEPOSIT - 1);
		assert_noop!(transfer(ALICE, BOB), TokenError::FundsUnavailable);
		Balances::set_balance(&ALICE, MINT_DEPOSIT + EXISTENTIAL_DEPOSIT);
		assert_ok!(transfer(ALICE, BOB));
	});
}

#[test]
fn a_key_goes_from_hand_to_hand_only_so_often() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let pairs = [(ALICE, BOB), (BOB, CAROL), (CAROL, ALICE), (ALICE, BOB)];
		for (from, to) in pairs {
			assert_ok!(transfer(from, to));
		}
		assert_noop!(transfer(BOB, CAROL), Error::<Test>::TooManyRotations);
		run_to(2 + KEY_MEMORY);
		assert_ok!(transfer(BOB, CAROL));
	});
}

#[test]
fn offers_and_announcements_end_with_a_transfer() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 1));
		assert_ok!(set_rent(ALICE, 1, 60));
		assert_ok!(burn(ALICE));
		assert_ok!(transfer(ALICE, BOB));
		let info = info();
		assert_eq!((info.sale_price, info.rent_offer, info.change), (None, None, None));
		assert_noop!(buy(CAROL), Error::<Test>::NotForSale);
		assert_noop!(rent(CAROL), Error::<Test>::NotForRent);
	});
}

#[test]
fn terms_in_force_stay_in_force() {
	ExtBuilder.build_and_execute(|| {
		let other = StreamTerms {
			price_per_gb: 9_000,
			..TERMS
		};
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_terms(ALICE, other));
		System::set_block_number(1 + CHANGE_DELAY);
		assert_ok!(transfer(ALICE, BOB));
		assert_eq!(info().terms(), other);
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(info().terms(), other);
	});
}

#[test]
fn transfer_fails_to_oneself_to_nobody_and_of_what_is_not_there() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(transfer(ALICE, BOB), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(transfer(BOB, BOB), Error::<Test>::NotOwner);
		assert_noop!(transfer(ALICE, ALICE), Error::<Test>::SameOwner);
		assert_noop!(transfer(ALICE, NOBODY), TokenError::CannotCreateHold);
		assert_eq!(info().owner.0, [1; 32]);
	});
}

#[test]
fn a_rental_goes_on_under_another_owner() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, USDC, 60));
		assert_ok!(rent(BOB));
		assert_ok!(transfer(ALICE, CAROL));
		let rented = info();
		assert_eq!((rented.owner.0, rented.broadcaster.0), ([3; 32], [2; 32]));
		assert_eq!(rented.rented_until, Some(61));
		assert_noop!(transfer(BOB, BOB), Error::<Test>::NotOwner);
		System::set_block_number(61);
		assert_eq!(info().broadcaster.0, [3; 32]);
	});
}

#[test]
fn a_flagged_key_can_be_given_away_and_stays_flagged() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		drop(StreamKeys::flag(STREAM, &signer(7)));
		assert_ok!(transfer(ALICE, BOB));
		assert!(info().flagged);
		assert_eq!((held(&ALICE), held(&BOB)), (0, EXISTENTIAL_DEPOSIT));
		assert_eq!(StreamKeys::stream_key(StreamId(1)), None);
	});
}
