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
		assert_ok!(set_rent(ALICE, 39, 60));
		System::set_block_number(5);
		assert_ok!(rent(BOB));
		System::assert_last_event(
			Event::Rented {
				id: STREAM,
				renter: BOB,
				from: 5,
				until: 65,
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
		assert_eq!((rented.rented_until, rented.flagged), (Some(65), false));
	});
}

#[test]
fn a_rental_returns_by_itself() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		System::set_block_number(60);
		assert_eq!((info().broadcaster.0, info().signing_key), ([2; 32], signer(9)));
		System::set_block_number(61);
		let back = info();
		assert_eq!((back.broadcaster.0, back.signing_key), ([1; 32], signer(7)));
		assert_eq!((back.rented_until, back.previous_keys), (None, vec![signer(9)]));
	});
}

#[test]
fn a_rental_begins_as_soon_as_an_era_can() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		System::set_block_number(10);
		assert_ok!(transfer(ALICE, CAROL));
		assert_ok!(set_rent(CAROL, 0, 60));
		System::set_block_number(20);
		assert_ok!(rent(BOB));
		System::assert_last_event(
			Event::Rented {
				id: STREAM,
				renter: BOB,
				from: 70,
				until: 130,
				price: 0,
				royalty: 0,
			}
			.into(),
		);
		for (block, broadcaster, key, next) in [
			(69, CAROL, signer(6), Some(70)),
			(70, BOB, signer(9), Some(130)),
			(130, CAROL, signer(6), None),
		] {
			System::set_block_number(block);
			let info = info();
			let broadcaster = clustercast_primitives::AccountId(broadcaster.into());
			assert_eq!(
				(info.broadcaster, info.payee, info.signing_key),
				(broadcaster, broadcaster, key)
			);
			assert_eq!(info.change.map(|change| change.from), next);
		}
		assert_eq!(info().terms_counter, 3);
	});
}

#[test]
fn a_key_is_rented_to_one_at_a_time() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		for block in [1, 60] {
			System::set_block_number(block);
			assert_noop!(rent(CAROL), Error::<Test>::StillRented);
			assert_noop!(rent(BOB), Error::<Test>::StillRented);
		}
		// When it is over, to begin when the owner was paid for an era.
		System::set_block_number(61);
		assert_ok!(rent(CAROL));
		assert_eq!((held(&BOB), held(&CAROL)), (MINT_DEPOSIT, MINT_DEPOSIT));
		assert_eq!(info().broadcaster.0, [1; 32]);
		System::set_block_number(61 + CHANGE_DELAY);
		assert_eq!(info().broadcaster.0, [3; 32]);
	});
}

#[test]
fn rent_fails_above_the_price_and_below_the_period_that_the_renter_accepts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 100, 60));
		assert_noop!(rent_for(99, 60), Error::<Test>::AboveMaxPrice);
		assert_noop!(rent_for(100, 61), Error::<Test>::PeriodTooShort);
		assert_ok!(rent_for(100, 60));
	});
}

#[test]
fn rent_fails_of_what_is_not_for_rent_and_for_the_owner() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(rent(BOB), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(rent(BOB), Error::<Test>::NotForRent);
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_noop!(rent(ALICE), Error::<Test>::SameOwner);
	});
}

#[test]
fn rent_fails_when_the_renter_cannot_pay_price_and_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let most = ENDOWMENT - MINT_DEPOSIT - EXISTENTIAL_DEPOSIT;
		assert_ok!(set_rent(ALICE, ENDOWMENT, 60));
		assert_noop!(rent(BOB), TokenError::FundsUnavailable);
		assert_noop!(rent(NOBODY), TokenError::FundsUnavailable);
		assert_ok!(set_rent(ALICE, most, 60));
		assert_ok!(rent(BOB));
		assert_eq!(Balances::free_balance(&BOB), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn rent_fails_without_a_treasury() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		Treasury::set(None);
		assert_noop!(rent(BOB), Error::<Test>::NoTreasury);
	});
}

#[test]
fn rent_fails_while_the_terms_are_about_to_change() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
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
		assert_ok!(set_rent(ALICE, 0, 60));
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
		assert_ok!(set_rent(ALICE, 7, 60));
		assert_ok!(rent(BOB));
		let offer = RentOffer { price: 7, blocks: 60 };
		assert_eq!(info().rent_offer, Some(offer));
		run_to(61);
		assert_ok!(rent(CAROL));
		assert_eq!(total(&ALICE), ENDOWMENT + 14);
	});
}
