//! `burn`: announced, in force after the delay; the deposit comes back when nobody answers for its keys any more, the
//! number does not.

use crate::{mock::*, Error, Event, Offences};
use clustercast_primitives::{chain::TermsChange, StreamId};
use frame_support::{assert_noop, assert_ok};

#[test]
fn burn_ends_the_key_after_the_delay_and_returns_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		let change = Some(TermsChange {
			terms: None,
			from: 1 + CHANGE_DELAY,
		});
		System::assert_last_event(Event::ChangeAnnounced { id: STREAM, change }.into());
		run_to(CHANGE_DELAY);
		assert_eq!((info().change, info().terms()), (change, TERMS));
		assert_ok!(update(ALICE, b"the end is near"));
		run_to(1 + CHANGE_DELAY);
		assert_eq!(StreamKeys::stream_key(STREAM), None);
		assert_eq!(held(&ALICE), 2 * MINT_DEPOSIT);
		run_to(CHANGE_DELAY + KEY_MEMORY);
		assert_eq!(held(&ALICE), 2 * MINT_DEPOSIT);
		// What it signed can be shown until the deposit is gone.
		assert_eq!(StreamKeys::signing_keys(STREAM), [signer(7)]);
		run_to(1 + CHANGE_DELAY + KEY_MEMORY);
		System::assert_last_event(
			Event::Burnt {
				id: STREAM,
				owner: ALICE,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		assert!(StreamKeys::signing_keys(STREAM).is_empty());
		assert!(StreamKeys::stream_key(StreamId(1)).is_some());
	});
}

#[test]
fn nothing_can_be_done_with_a_key_that_has_ended() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 0));
		assert_ok!(burn(ALICE));
		// Not cleaned up, then cleaned up.
		for block in [1 + CHANGE_DELAY, 2 + CHANGE_DELAY + KEY_MEMORY] {
			System::set_block_number(block);
			assert_noop!(burn(ALICE), Error::<Test>::UnknownStream);
			assert_noop!(set_terms(ALICE, TERMS), Error::<Test>::UnknownStream);
			assert_noop!(update(ALICE, b"x"), Error::<Test>::UnknownStream);
			assert_noop!(set_signing_key(ALICE, 8), Error::<Test>::UnknownStream);
			assert_noop!(transfer(ALICE, BOB), Error::<Test>::UnknownStream);
			assert_noop!(list(ALICE, 0), Error::<Test>::UnknownStream);
			assert_noop!(buy(BOB), Error::<Test>::UnknownStream);
			assert_noop!(set_rent(ALICE, 0, CHANGE_DELAY), Error::<Test>::UnknownStream);
			assert_noop!(rent(BOB), Error::<Test>::UnknownStream);
		}
		run_to(2 + CHANGE_DELAY + KEY_MEMORY);
		assert_noop!(update(ALICE, b"x"), Error::<Test>::UnknownStream);
	});
}

#[test]
fn burn_is_taken_back_by_set_terms() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		System::set_block_number(CHANGE_DELAY);
		assert_ok!(set_terms(ALICE, TERMS));
		run_to(10 * CHANGE_DELAY);
		assert_eq!(info().change, None);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
	});
}

#[test]
fn a_burnt_number_is_never_used_again() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		run_to(1 + CHANGE_DELAY + KEY_MEMORY);
		assert_ok!(mint(ALICE, New::default()));
		assert_eq!(StreamKeys::stream_key(STREAM), None);
		assert!(StreamKeys::stream_key(StreamId(1)).is_some());
	});
}

#[test]
fn burn_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(burn(ALICE), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(burn(BOB), Error::<Test>::NotOwner);
	});
}

#[test]
fn a_rented_key_is_not_burnt_under_its_renter() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		System::set_block_number(60);
		assert_noop!(burn(ALICE), Error::<Test>::StillRented);
		System::set_block_number(61);
		assert_ok!(burn(ALICE));
		run_to(61 + CHANGE_DELAY + KEY_MEMORY);
		assert_eq!((held(&ALICE), held(&BOB)), (0, 0));
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT, ENDOWMENT));
	});
}
