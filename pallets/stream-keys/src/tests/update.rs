//! `update`: what people see, by whoever broadcasts, within the bounds of `mint`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};

#[test]
fn update_replaces_the_texts_and_nothing_else() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(update(ALICE, b"Second light"));
		System::assert_last_event(Event::Updated { id: STREAM }.into());
		let info = info();
		assert_eq!(
			(info.title.as_str(), info.category.as_str(), info.max_viewers),
			("Second light", "science", 50)
		);
		assert_eq!((info.terms(), info.change), (TERMS, None));
		assert_eq!((info.owner.0, info.signing_key), ([1; 32], signer(7)));
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
	});
}

#[test]
fn update_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(update(ALICE, b"x"), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(update(BOB, b"x"), Error::<Test>::NotOwner);
	});
}

#[test]
fn update_fails_when_text_is_not_utf8() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(update(ALICE, &[0x80]), Error::<Test>::NotUtf8);
	});
}

#[test]
fn a_renter_has_texts_of_its_own_while_the_rental_lasts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_eq!(info().title, "First light");
		assert_ok!(update(BOB, b"Bob's hour"));
		assert_ok!(update(ALICE, b"Back again"));
		assert_eq!(info().title, "Bob's hour");
		System::set_block_number(60);
		assert_ok!(update(BOB, b"Bob's last block"));
		assert_eq!(info().title, "Bob's last block");
		System::set_block_number(61);
		assert_eq!(info().title, "Back again");
		assert_noop!(update(BOB, b"Bob's again"), Error::<Test>::NotOwner);
	});
}
