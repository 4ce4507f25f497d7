//! `list`: for sale, at another price, not for sale.

use crate::{mock::*, Error, Event, Offences};
use frame_support::{assert_noop, assert_ok};

#[test]
fn list_asks_a_price_until_it_does_not() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		for price in [Some(5), Some(7), None] {
			assert_ok!(StreamKeys::list(RuntimeOrigin::signed(ALICE), STREAM, price));
			System::assert_last_event(Event::Listed { id: STREAM, price }.into());
			assert_eq!(info().sale_price, price);
		}
		assert_noop!(buy(BOB), Error::<Test>::NotForSale);
	});
}

#[test]
fn list_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(list(ALICE, 5), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(list(BOB, 5), Error::<Test>::NotOwner);
		// Nor does whoever broadcasts with it.
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_noop!(list(BOB, 5), Error::<Test>::NotOwner);
		assert_ok!(list(ALICE, 5));
	});
}

#[test]
fn a_flagged_key_is_not_for_sale() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		drop(StreamKeys::flag(STREAM, &signer(7)));
		assert_eq!(info().sale_price, None);
		assert_noop!(buy(BOB), Error::<Test>::NotForSale);
		assert_noop!(list(ALICE, 5), Error::<Test>::IsFlagged);
		assert_ok!(StreamKeys::list(RuntimeOrigin::signed(ALICE), STREAM, None));
	});
}
