//! `buy`: price and royalty to the last unit, deposits, and nothing but what the buyer accepted.

use crate::{mock::*, Error, Event};
use clustercast_primitives::{amount::USDC, Balance};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult, traits::fungible::Mutate};
use sp_runtime::{
	traits::{Dispatchable, Zero},
	TokenError,
};

fn buy_for(max_price: Balance, max_rented_until: u32) -> DispatchResult {
	StreamKeys::buy(
		RuntimeOrigin::signed(BOB),
		STREAM,
		signer(8),
		max_price,
		max_rented_until,
	)
}

#[test]
fn buy_pays_the_seller_less_the_royalty_and_moves_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 2 * USDC));
		assert_ok!(set_rent(ALICE, 5, 60));
		assert_ok!(buy(BOB));
		System::assert_last_event(
			Event::Sold {
				id: STREAM,
				from: ALICE,
				to: BOB,
				price: 2 * USDC,
				royalty: 100_000,
			}
			.into(),
		);
		assert_eq!((held(&ALICE), held(&BOB)), (MINT_DEPOSIT, MINT_DEPOSIT));
		assert_eq!(total(&ALICE), ENDOWMENT + 1_900_000);
		assert_eq!(total(&BOB), ENDOWMENT - 2 * USDC);
		assert_eq!(total(&TREASURY), USDC + 100_000);
		assert_eq!(Balances::total_issuance(), issuance);
		let info = info();
		assert_eq!((info.owner.0, info.signing_key), ([2; 32], signer(8)));
		assert_eq!(info.previous_keys, [signer(7)]);
		assert_eq!((info.sale_price, info.rent_offer), (None, None));
		assert_noop!(set_signing_key(ALICE, 9), Error::<Test>::NotOwner);
		assert_noop!(buy(CAROL), Error::<Test>::NotForSale);
		// The seller answers a while for what its key signed.
		run_to(KEY_MEMORY);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		run_to(1 + KEY_MEMORY);
		assert_eq!((held(&ALICE), held(&BOB)), (0, MINT_DEPOSIT));
		let deposit = MINT_DEPOSIT;
		System::assert_has_event(
			Event::Returned {
				id: STREAM,
				who: ALICE,
				deposit,
			}
			.into(),
		);
	});
}

#[test]
fn the_royalty_is_rounded_down() {
	for (price, royalty) in [(0, 0), (1, 0), (19, 0), (20, 1), (39, 1), (40, 2)] {
		ExtBuilder.build_and_execute(|| {
			assert_ok!(mint(ALICE, New::default()));
			assert_ok!(list(ALICE, price));
			assert_ok!(buy(BOB));
			assert_eq!(total(&TREASURY), USDC + royalty);
			assert_eq!(total(&ALICE), ENDOWMENT + price - royalty);
			assert_eq!(total(&BOB), ENDOWMENT - price);
		});
	}
}

#[test]
fn buy_fails_above_the_price_that_the_buyer_accepts() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 1_001));
		assert_noop!(buy_for(1_000, 0), Error::<Test>::AboveMaxPrice);
		assert_ok!(list(ALICE, 1_000));
		assert_ok!(buy_for(1_000, 0));
	});
}

#[test]
fn buy_fails_of_what_is_not_for_sale_and_for_the_owner() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(buy(BOB), Error::<Test>::UnknownStream);
		assert_ok!(mint(ALICE, New::default()));
		assert_noop!(buy(BOB), Error::<Test>::NotForSale);
		assert_ok!(list(ALICE, 5));
		assert_noop!(buy(ALICE), Error::<Test>::SameOwner);
	});
}

#[test]
fn buy_fails_when_the_buyer_cannot_pay_price_and_deposit() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let most = ENDOWMENT - MINT_DEPOSIT;
		assert_ok!(list(ALICE, most + 1));
		assert_noop!(buy(BOB), TokenError::FundsUnavailable);
		// The deposit alone is more than what is there.
		assert_ok!(list(ALICE, 0));
		Balances::set_balance(&CAROL, MINT_DEPOSIT - 1);
		assert_noop!(buy(CAROL), TokenError::FundsUnavailable);
		assert_noop!(buy(NOBODY), TokenError::FundsUnavailable);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		assert_ok!(list(ALICE, most - EXISTENTIAL_DEPOSIT));
		assert_ok!(buy(BOB));
		assert_eq!(Balances::free_balance(&BOB), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn buy_fails_without_a_treasury() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		Treasury::set(None);
		assert_noop!(buy(BOB), Error::<Test>::NoTreasury);
	});
}

#[test]
fn the_treasury_may_buy_and_sell() {
	ExtBuilder.build_and_execute(|| {
		Balances::set_balance(&TREASURY, 5 * USDC);
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, USDC));
		assert_ok!(buy(TREASURY));
		assert_eq!(total(&TREASURY), 5 * USDC - 950_000);
		assert_ok!(list(TREASURY, USDC));
		assert_ok!(StreamKeys::buy(RuntimeOrigin::signed(BOB), STREAM, signer(9), USDC, 0));
		assert_eq!(total(&TREASURY), 5 * USDC + 50_000);
	});
}

#[test]
fn a_rented_key_is_bought_only_by_who_accepts_the_rental() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(CAROL));
		assert_noop!(buy_for(5, 0), Error::<Test>::RentedTooLong);
		assert_noop!(buy_for(5, 60), Error::<Test>::RentedTooLong);
		assert_ok!(buy_for(5, 61));
		let rented = info();
		assert_eq!((rented.owner.0, rented.broadcaster.0), ([2; 32], [3; 32]));
		assert_eq!((rented.signing_key, rented.title.as_str()), (signer(9), "First light"));
		System::set_block_number(61);
		assert_eq!((info().broadcaster.0, info().signing_key), ([2; 32], signer(8)));
	});
}

#[test]
fn a_rental_that_is_about_to_begin_counts_as_well() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(set_rent(BOB, 0, 60));
		assert_ok!(list(BOB, 5));
		assert_ok!(rent(CAROL));
		let buy = |until| StreamKeys::buy(RuntimeOrigin::signed(ALICE), STREAM, signer(8), 5, until);
		assert_noop!(buy(120), Error::<Test>::RentedTooLong);
		assert_ok!(buy(121));
	});
}

#[test]
fn a_rental_that_is_over_does_not_matter() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(CAROL));
		System::set_block_number(61);
		assert_ok!(buy_for(5, 0));
	});
}

#[test]
fn a_renter_may_buy_what_it_rents_and_broadcasts_on() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(set_rent(ALICE, 0, 60));
		assert_ok!(rent(BOB));
		assert_ok!(buy_for(5, 61));
		assert_eq!(held(&BOB), 2 * MINT_DEPOSIT);
		assert_eq!((info().broadcaster.0, info().signing_key), ([2; 32], signer(9)));
		System::set_block_number(61);
		assert_eq!((info().broadcaster.0, info().signing_key), ([2; 32], signer(8)));
		run_to(61 + KEY_MEMORY);
		assert_eq!(held(&BOB), MINT_DEPOSIT);
	});
}

#[test]
fn a_former_owner_can_empty_its_account() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(buy(BOB));
		run_to(1 + KEY_MEMORY);
		let all = Balances::free_balance(&ALICE);
		let leave = pallet_balances::Call::transfer_allow_death {
			dest: CAROL,
			value: all,
		};
		assert_ok!(RuntimeCall::from(leave).dispatch(RuntimeOrigin::signed(ALICE)));
		assert!(total(&ALICE).is_zero());
		assert_eq!(held(&BOB), MINT_DEPOSIT);
	});
}
