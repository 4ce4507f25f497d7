//! `set_terms`: announced, in force after the delay, in whichever direction, one change at a time.

use crate::{mock::*, Error, Event};
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB,
	chain::{StreamTerms, TermsChange, PPM},
};
use frame_support::{assert_noop, assert_ok};

const OTHER: StreamTerms = StreamTerms {
	price_per_gb: 2_000_000,
	max_surge_ppm: PPM,
	broadcaster_share_ppm: 0,
};

const THIRD: StreamTerms = StreamTerms {
	price_per_gb: 3_000_000,
	..OTHER
};

#[test]
fn other_terms_are_in_force_after_the_delay() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_terms(ALICE, OTHER));
		let change = TermsChange {
			terms: Some(OTHER),
			from: 1 + CHANGE_DELAY,
		};
		System::assert_last_event(
			Event::ChangeAnnounced {
				id: STREAM,
				change: Some(change),
			}
			.into(),
		);
		System::set_block_number(CHANGE_DELAY);
		assert_eq!((info().terms(), info().change), (TERMS, Some(change)));
		System::set_block_number(1 + CHANGE_DELAY);
		assert_eq!((info().terms(), info().change), (OTHER, None));
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!((info().terms(), info().change), (OTHER, None));
	});
}

#[test]
fn what_was_announced_can_be_replaced_and_taken_back() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_terms(ALICE, OTHER));
		System::set_block_number(CHANGE_DELAY);
		assert_ok!(set_terms(ALICE, THIRD));
		System::set_block_number(1 + CHANGE_DELAY);
		assert_eq!(info().terms(), TERMS);
		assert_eq!(info().change.map(|change| change.from), Some(2 * CHANGE_DELAY));
		assert_ok!(set_terms(ALICE, TERMS));
		System::assert_last_event(
			Event::ChangeAnnounced {
				id: STREAM,
				change: None,
			}
			.into(),
		);
		run_to(10 * CHANGE_DELAY);
		assert_eq!((info().terms(), info().change), (TERMS, None));
	});
}

#[test]
fn terms_change_one_after_the_other_and_each_is_in_force_for_an_era() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_terms(ALICE, OTHER));
		System::set_block_number(1 + CHANGE_DELAY);
		assert_ok!(set_terms(ALICE, THIRD));
		System::set_block_number(2 * CHANGE_DELAY);
		assert_eq!((info().terms(), info().terms_counter), (OTHER, 1));
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!((info().terms(), info().terms_counter), (THIRD, 2));
	});
}

#[test]
fn set_terms_fails_for_all_but_the_owner_and_for_unknown_streams() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(set_terms(ALICE, OTHER), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(set_terms(BOB, OTHER), Error::<Test>::NotOwner);
	});
}

#[test]
fn set_terms_is_bound_as_mint_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let with = |price_per_gb, max_surge_ppm, broadcaster_share_ppm| {
			set_terms(
				ALICE,
				StreamTerms {
					price_per_gb,
					max_surge_ppm,
					broadcaster_share_ppm,
				},
			)
		};
		assert_noop!(with(MAX_PRICE_PER_GB + 1, PPM, 0), Error::<Test>::PriceTooHigh);
		assert_noop!(with(0, PPM - 1, 0), Error::<Test>::SurgeOutOfBounds);
		assert_noop!(with(0, 10_000_001, 0), Error::<Test>::SurgeOutOfBounds);
		assert_noop!(with(0, PPM, 300_001), Error::<Test>::ShareTooLarge);
		assert_ok!(with(MAX_PRICE_PER_GB, 10_000_000, 300_000));
	});
}

#[test]
fn terms_stand_while_the_key_is_rented() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_noop!(set_terms(BOB, OTHER), Error::<Test>::NotOwner);
		System::set_block_number(60);
		assert_noop!(set_terms(ALICE, OTHER), Error::<Test>::StillRented);
		System::set_block_number(61);
		assert_ok!(set_terms(ALICE, OTHER));
	});
}
