//! `set_rent`: on offer, on other terms, not on offer; a rental that runs goes on.

use crate::{mock::*, Error, Event, Offences};
use clustercast_primitives::chain::RentOffer;
use frame_support::{assert_noop, assert_ok};

#[test]
fn set_rent_offers_until_it_does_not() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let offer = |price, blocks| Some(RentOffer { price, blocks });
		for offer in [offer(0, CHANGE_DELAY), offer(7, MAX_RENTAL), None] {
			assert_ok!(StreamKeys::set_rent(RuntimeOrigin::signed(ALICE), STREAM, offer));
			System::assert_last_event(Event::RentSet { id: STREAM, offer }.into());
			assert_eq!(info().rent_offer, offer);
		}
		assert_noop!(rent(BOB), Error::<Test>::NotForRent);
	});
}

#[test]
fn set_rent_bounds_the_period() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(set_rent(ALICE, 5, CHANGE_DELAY - 1), Error::<Test>::BadPeriod);
		assert_noop!(set_rent(ALICE, 5, MAX_RENTAL + 1), Error::<Test>::BadPeriod);
		assert_ok!(set_rent(ALICE, 5, CHANGE_DELAY));
		assert_ok!(set_rent(ALICE, 5, MAX_RENTAL));
	});
}

#[test]
fn set_rent_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(set_rent(ALICE, 5, 60), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(set_rent(BOB, 5, 60), Error::<Test>::NotOwner);
		// Whoever rents it does not let it to others.
		assert_ok!(set_rent(ALICE, 5, 60));
		assert_ok!(rent(BOB));
		assert_noop!(set_rent(BOB, 5, 60), Error::<Test>::NotOwner);
	});
}

#[test]
fn the_owner_cannot_end_a_rental_early() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 5, 60));
		assert_ok!(rent(BOB));
		assert_ok!(StreamKeys::set_rent(RuntimeOrigin::signed(ALICE), STREAM, None));
		assert_ok!(set_signing_key(ALICE, 8));
		assert_noop!(burn(ALICE), Error::<Test>::StillRented);
		assert_noop!(set_terms(ALICE, TERMS), Error::<Test>::StillRented);
		assert_ok!(transfer(ALICE, CAROL));
		System::set_block_number(60);
		let rented = info();
		assert_eq!((rented.broadcaster.0, rented.signing_key), ([2; 32], signer(9)));
		assert_eq!(rented.rented_until, Some(61));
	});
}

#[test]
fn a_flagged_key_is_not_for_rent() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 5, 60));
		drop(StreamKeys::flag(STREAM, &signer(7)));
		assert_noop!(rent(BOB), Error::<Test>::NotForRent);
		assert_noop!(set_rent(ALICE, 5, 60), Error::<Test>::IsFlagged);
		assert_ok!(StreamKeys::set_rent(RuntimeOrigin::signed(ALICE), STREAM, None));
	});
}
