//! `rent`: price and royalty, deposit, who broadcasts from when to when, and nothing but what the renter accepted.

use crate::{mock::*, Error, Event};
use clustercast_primitives::{
	amount::USDC,
	chain::{RentOffer, StreamTerms},
	Balance,
};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::TokenError;

fn rent_for(max_price: Balance, min_blocks: u32) -> DispatchResult {
	StreamKeys::rent(RuntimeOrigin::signed(BOB), STREAM, signer(9), max_price, min_blocks)
}

#[test]
fn rent_pays_the_owner_less_the_royalty_and_makes_the_renter_the_broadcaster() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 39, 10));
		System::set_block_number(5);
		assert_ok!(rent(BOB));
		System::assert_last_event(
			Event::Rented {
				id: STREAM,
				renter: BOB,
				until: 15,
				price: 39,
				royalty: 1,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), held(&BOB)), (MINT_DEPOSIT, MINT_DEPOSIT));
		assert_eq!((total(&ALICE), total(&BOB)), (ENDOWMENT + 38, ENDOWMENT - 39));
		assert_eq!(total(&TREASURY), USDC + 1);
		assert_eq!(Balances::total_issuance(), issuance);
		let rented = info();
		assert_eq!((rented.owner.0, rented.broadcaster.0), ([1; 32], [2; 32]));
		assert_eq!((rented.signing_key, rented.previous_keys), (signer(9), vec![signer(7)]));
		assert_eq!((rented.rented_until, rented.flagged), (Some(15), false));
	});
}

#[test]
fn a_rental_returns_by_itself() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		System::set_block_number(10);
		assert_eq!((info().broadcaster.0, info().signing_key), ([2; 32], signer(9)));
		System::set_block_number(11);
		let back = info();
		assert_eq!((back.broadcaster.0, back.signing_key), ([1; 32], signer(7)));
		assert_eq!((back.rented_until, back.previous_keys), (None, vec![signer(9)]));
	});
}

#[test]
fn a_rental_of_one_block_lasts_one_block() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 1));
		assert_ok!(rent(BOB));
		assert_eq!(info().broadcaster.0, [2; 32]);
		System::set_block_number(2);
		assert_eq!(info().broadcaster.0, [1; 32]);
	});
}

#[test]
fn a_key_is_rented_to_one_at_a_time() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_ok!(rent(BOB));
		// In its last block, when it is over, and as long as tickets from it may be redeemed.
		for block in [1, 10, 11, 10 + CHANGE_DELAY] {
			System::set_block_number(block);
			assert_noop!(rent(CAROL), Error::<Test>::StillRented);
			assert_noop!(rent(BOB), Error::<Test>::StillRented);
		}
		System::set_block_number(11 + CHANGE_DELAY);
		assert_ok!(rent(CAROL));
		assert_eq!((held(&BOB), held(&CAROL)), (0, MINT_DEPOSIT));
		assert_eq!(info().broadcaster.0, [3; 32]);
	});
}

#[test]
fn rent_fails_above_the_price_and_below_the_period_that_the_renter_accepts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 100, 10));
		assert_noop!(rent_for(99, 10), Error::<Test>::AboveMaxPrice);
		assert_noop!(rent_for(100, 11), Error::<Test>::PeriodTooShort);
		assert_ok!(rent_for(100, 10));
	});
}

#[test]
fn rent_fails_of_what_is_not_for_rent_and_for_the_owner() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(rent(BOB), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(rent(BOB), Error::<Test>::NotForRent);
		assert_ok!(set_rent(ALICE, 0, 10));
		assert_noop!(rent(ALICE), Error::<Test>::SameOwner);
	});
}

#[test]
fn rent_fails_when_the_renter_cannot_pay_price_and_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let most = ENDOWMENT - MINT_DEPOSIT - EXISTENTIAL_DEPOSIT;
		assert_ok!(set_rent(ALICE, ENDOWMENT, 10));
		assert_noop!(rent(BOB), TokenError::FundsUnavailable);
		assert_noop!(rent(NOBODY), TokenError::FundsUnavailable);
		assert_ok!(set_rent(ALICE, most, 10));
		assert_ok!(rent(BOB));
		assert_eq!(Balances::free_balance(&BOB), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn rent_fails_without_a_treasury() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		Treasury::set(None);
		assert_noop!(rent(BOB), Error::<Test>::NoTreasury);
	});
}

#[test]
fn rent_fails_while_the_terms_are_about_to_change() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		let nothing = StreamTerms {
			broadcaster_share_ppm: 0,
			..TERMS
		};
		assert_ok!(set_terms(ALICE, nothing));
		System::set_block_number(CHANGE_DELAY);
		assert_noop!(rent(BOB), Error::<Test>::ChangeAnnounced);
		assert_ok!(burn(ALICE));
		assert_noop!(rent(BOB), Error::<Test>::ChangeAnnounced);
		assert_ok!(set_terms(ALICE, nothing));
		System::set_block_number(2 * CHANGE_DELAY);
		assert_ok!(rent(BOB));
		assert_eq!(info().terms(), nothing);
	});
}

#[test]
fn rent_fails_where_no_signing_key_can_be_replaced() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		for n in 1..=3 {
			assert_ok!(set_signing_key(ALICE, 100 + n));
		}
		assert_noop!(rent(BOB), Error::<Test>::TooManyRotations);
		System::set_block_number(102);
		assert_ok!(rent(BOB));
	});
}

#[test]
fn an_offer_stands_for_the_next_renter() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 7, 10));
		assert_ok!(rent(BOB));
		let offer = RentOffer { price: 7, blocks: 10 };
		assert_eq!(info().rent_offer, Some(offer));
		run_to(11 + CHANGE_DELAY);
		assert_ok!(rent(CAROL));
		assert_eq!(total(&ALICE), ENDOWMENT + 14);
	});
}
