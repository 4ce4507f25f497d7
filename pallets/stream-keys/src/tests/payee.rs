//! What is paid for a block, whenever it is asked: to whom, in which share, up to which price.

use crate::{mock::*, Payee, Streams};
use clustercast_primitives::{
	chain::{StreamTerms, PPM},
	StreamId,
};
use frame_support::{assert_ok, traits::fungible::Mutate};
use sp_runtime::{traits::Dispatchable, AccountId32};

fn payee(at: u32) -> Option<Payee<AccountId32>> {
	<StreamKeys as Streams<_>>::payee(STREAM, at)
}

fn account(at: u32) -> AccountId32 {
	payee(at).unwrap().account
}

#[test]
fn streams_names_owner_share_and_highest_price() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(BOB, New::default()));
		let expected = Payee {
			account: BOB,
			share_ppm: 100_000,
			max_price_per_gb: 1_500_000,
			terms: 0,
		};
		// Whatever was before it was minted.
		assert_eq!(payee(0), Some(expected.clone()));
		assert_eq!(payee(1), Some(expected));
		assert_eq!(<StreamKeys as Streams<_>>::payee(StreamId(1), 1), None);
		assert_eq!(<StreamKeys as Streams<_>>::max_share_ppm(), 300_000);
		assert_eq!(<StreamKeys as Streams<_>>::memory(), CHANGE_DELAY);
	});
}

#[test]
fn a_renter_is_paid_for_its_blocks_and_the_owner_for_the_others() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		System::set_block_number(20);
		assert_ok!(rent(BOB));
		// The same answers as long as anybody can ask.
		for now in [30, 29 + CHANGE_DELAY] {
			run_to(now);
			let paid = [19, 20, 29, 30].map(account);
			assert_eq!(paid, [ALICE, BOB, BOB, ALICE], "in block {now}");
		}
	});
}

#[test]
fn a_seller_is_paid_for_what_was_signed_before_the_sale() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		System::set_block_number(20);
		assert_ok!(buy(BOB));
		System::set_block_number(19 + CHANGE_DELAY);
		assert_eq!([19, 20].map(account), [ALICE, BOB]);
		// It changes hands again: what Alice is owed stays hers.
		assert_ok!(transfer(BOB, CAROL));
		assert_eq!([19, 20, 79].map(account), [ALICE, CAROL, CAROL]);
		System::set_block_number(20 + CHANGE_DELAY);
		assert_ok!(transfer(CAROL, BOB));
		assert_eq!([20, 79, 80].map(account), [CAROL, CAROL, BOB]);
	});
}

#[test]
fn a_rented_key_that_is_sold_pays_everyone_for_their_blocks() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 10));
		System::set_block_number(20);
		assert_ok!(rent(BOB));
		System::set_block_number(25);
		assert_ok!(transfer(ALICE, CAROL));
		System::set_block_number(40);
		assert_eq!([19, 20, 29, 30].map(account), [ALICE, BOB, BOB, CAROL]);
	});
}

#[test]
fn the_owner_is_paid_in_place_of_a_former_one_whose_account_is_gone() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		assert_ok!(buy(BOB));
		let leave = |value| {
			let call = pallet_balances::Call::transfer_allow_death { dest: CAROL, value };
			assert_ok!(RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(ALICE)));
		};
		leave(Balances::free_balance(&ALICE) - EXISTENTIAL_DEPOSIT);
		assert_eq!(account(0), ALICE);
		leave(EXISTENTIAL_DEPOSIT);
		assert_eq!(account(0), BOB);
		Balances::set_balance(&ALICE, EXISTENTIAL_DEPOSIT);
		assert_eq!(account(0), ALICE);
	});
}

#[test]
fn shares_and_prices_are_those_of_the_block() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let other = StreamTerms {
			price_per_gb: 2_000_000,
			broadcaster_share_ppm: 300_000,
			..TERMS
		};
		assert_ok!(set_terms(ALICE, other));
		let terms = |at| {
			payee(at)
				.map(|payee| (payee.share_ppm, payee.max_price_per_gb))
				.unwrap()
		};
		let (before, after) = ((100_000, 1_500_000), (300_000, 3_000_000));
		System::set_block_number(CHANGE_DELAY);
		assert_eq!(terms(CHANGE_DELAY), before);
		for now in [1 + CHANGE_DELAY, 2 * CHANGE_DELAY] {
			run_to(now);
			assert_eq!(
				(terms(CHANGE_DELAY), terms(1 + CHANGE_DELAY)),
				(before, after),
				"in block {now}"
			);
		}
	});
}

#[test]
fn terms_are_counted_as_they_come_into_force() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let counter = |at| payee(at).unwrap().terms;
		let price = |price_per_gb| StreamTerms { price_per_gb, ..TERMS };
		// Announced, replaced and taken back: nothing that was ever in force.
		assert_ok!(set_terms(ALICE, price(1)));
		assert_ok!(set_terms(ALICE, TERMS));
		run_to(10);
		assert_eq!(info().terms_counter, 0);
		assert_ok!(set_terms(ALICE, price(2)));
		let first = 10 + CHANGE_DELAY;
		for now in [first, first + CHANGE_DELAY - 1] {
			// Before and after what is over was cleaned up, the same answers as long as anybody can ask.
			System::set_block_number(now);
			assert_eq!((counter(first - 1), counter(first), info().terms_counter), (0, 1, 1));
			run_to(now);
			assert_eq!((counter(first - 1), counter(first), info().terms_counter), (0, 1, 1));
		}
		let second = first + 2 * CHANGE_DELAY;
		run_to(first + CHANGE_DELAY);
		assert_ok!(set_terms(ALICE, price(3)));
		run_to(second - 1);
		assert_eq!(info().terms_counter, 1);
		run_to(second);
		assert_eq!((counter(second - 1), counter(second), info().terms_counter), (1, 2, 2));
		// Neither another owner nor other texts are other terms; nor is the end of a key.
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(update(BOB, b"Second light"));
		run_to(second + CHANGE_DELAY);
		assert_eq!(info().terms_counter, 2);
		assert_ok!(burn(BOB));
		run_to(second + 2 * CHANGE_DELAY);
		assert_eq!(counter(second + 2 * CHANGE_DELAY - 1), 2);
	});
}

#[test]
fn a_burnt_key_pays_for_what_was_signed_before() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(burn(ALICE));
		for now in [1 + CHANGE_DELAY, 2 * CHANGE_DELAY] {
			run_to(now);
			assert_eq!(payee(CHANGE_DELAY).unwrap().max_price_per_gb, 1_500_000);
			assert_eq!(payee(1 + CHANGE_DELAY), None);
		}
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(payee(1 + CHANGE_DELAY), None);
	});
}

#[test]
fn a_surge_bound_is_part_of_the_terms() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		let flat = StreamTerms {
			max_surge_ppm: PPM,
			..TERMS
		};
		assert_ok!(set_terms(ALICE, flat));
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(payee(1 + CHANGE_DELAY).unwrap().max_price_per_gb, 1_000_000);
	});
}
