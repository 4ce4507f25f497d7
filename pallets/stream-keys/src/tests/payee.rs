//! What is paid for a block, or under terms, whenever it is asked: to whom, in which share, up to which price.

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

/// What is paid under terms, and in which block they ended.
fn under(terms: u32) -> Option<(Payee<AccountId32>, Option<u32>)> {
	<StreamKeys as Streams<_>>::payee_under(STREAM, terms)
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
		assert_ok!(set_rent(ALICE, 0, 60));
		System::set_block_number(20);
		assert_ok!(rent(BOB));
		for now in [20, 79] {
			run_to(now);
			assert_eq!([19, 20].map(account), [ALICE, BOB], "in block {now}");
			let eras = [0, 1, 2].map(|terms| under(terms).map(|(payee, end)| (payee.account, end)));
			assert_eq!(
				eras,
				[Some((ALICE, Some(20))), Some((BOB, None)), None],
				"in block {now}"
			);
		}
		// The same answers as long as anybody can ask.
		for now in [80, 79 + CHANGE_DELAY] {
			run_to(now);
			assert_eq!([20, 79, 80].map(account), [BOB, BOB, ALICE], "in block {now}");
			let eras = [0, 1, 2].map(|terms| under(terms).map(|(payee, end)| (payee.account, end)));
			assert_eq!(
				eras,
				[None, Some((BOB, Some(80))), Some((ALICE, None))],
				"in block {now}"
			);
		}
		run_to(80 + CHANGE_DELAY);
		assert_eq!(under(1), None);
		assert_eq!(info().terms_counter, 2);
	});
}

#[test]
fn whoever_buys_too_early_is_paid_when_the_era_is_over() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		System::set_block_number(20);
		assert_ok!(buy(BOB));
		assert_eq!(
			(info().payee.0, info().terms_counter, info().change),
			([2; 32], 1, None)
		);
		System::set_block_number(79);
		assert_eq!([19, 20].map(account), [ALICE, BOB]);
		// It changes hands again before its time: what Alice and Bob are owed stays theirs, and Bob is paid until then.
		assert_ok!(transfer(BOB, CAROL));
		let change = clustercast_primitives::chain::TermsChange {
			terms: Some(TERMS),
			from: 80,
		};
		assert_eq!(
			(info().owner.0, info().payee.0, info().change),
			([3; 32], [2; 32], Some(change))
		);
		assert_ok!(transfer(CAROL, ALICE));
		assert_eq!([19, 20, 79].map(account), [ALICE, BOB, BOB]);
		for now in [80, 79 + CHANGE_DELAY] {
			run_to(now);
			assert_eq!([79, 80].map(account), [BOB, ALICE]);
			assert_eq!(under(1).unwrap().1, Some(80));
		}
		assert_eq!(info().terms_counter, 2);
	});
}

#[test]
fn nobody_puts_a_buyer_off_by_announcing_something() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(list(ALICE, 5));
		System::set_block_number(10);
		assert_ok!(transfer(ALICE, CAROL));
		assert_ok!(list(CAROL, 5));
		let dear = StreamTerms {
			price_per_gb: 9_000_000,
			..TERMS
		};
		assert_ok!(set_terms(CAROL, dear));
		System::set_block_number(60);
		assert_ok!(set_terms(CAROL, dear));
		assert_eq!(info().change.map(|change| change.from), Some(60 + CHANGE_DELAY));
		assert_ok!(buy(BOB));
		assert_eq!(
			info().change.map(|change| (change.terms, change.from)),
			Some((Some(TERMS), 70))
		);
		run_to(70);
		assert_eq!((account(69), account(70), info().terms()), (CAROL, BOB, TERMS));
		// An owner's own announcement puts its own boundary off, and taking it back undoes that.
		System::set_block_number(100);
		assert_ok!(transfer(BOB, ALICE));
		assert_ok!(set_terms(ALICE, dear));
		assert_eq!(info().change.map(|change| change.from), Some(160));
		assert_ok!(set_terms(ALICE, TERMS));
		assert_eq!(info().change.map(|change| change.from), Some(130));
		run_to(130);
		assert_eq!((account(129), account(130)), (BOB, ALICE));
	});
}

#[test]
fn a_key_that_comes_back_before_its_time_needs_no_era() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(transfer(BOB, CAROL));
		assert_ok!(transfer(CAROL, BOB));
		run_to(200);
		assert_eq!((info().payee.0, account(200)), ([2; 32], BOB));
	});
}

#[test]
fn a_rented_key_that_is_sold_pays_everyone_for_their_blocks() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(set_rent(ALICE, 0, 60));
		System::set_block_number(20);
		assert_ok!(rent(BOB));
		System::set_block_number(25);
		assert_ok!(transfer(ALICE, CAROL));
		assert_eq!([19, 20].map(account), [ALICE, BOB]);
		System::set_block_number(90);
		assert_eq!([20, 79, 80].map(account), [BOB, BOB, CAROL]);
	});
}

#[test]
fn the_owner_is_paid_in_place_of_another_one_whose_account_is_gone() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		assert_ok!(transfer(ALICE, BOB));
		assert_ok!(transfer(BOB, CAROL));
		let leave = |value| {
			let call = pallet_balances::Call::transfer_allow_death { dest: CAROL, value };
			assert_ok!(RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(BOB)));
		};
		// As long as its deposit is held, it can be paid.
		leave(Balances::free_balance(&BOB) - EXISTENTIAL_DEPOSIT);
		assert_eq!(account(1), BOB);
		// The owner puts its own boundary off until that is returned.
		for block in [50, 100] {
			run_to(block);
			assert_ok!(set_terms(
				CAROL,
				StreamTerms {
					price_per_gb: 7,
					..TERMS
				}
			));
		}
		run_to(1 + KEY_MEMORY);
		leave(Balances::free_balance(&BOB));
		assert_eq!(total(&BOB), 0);
		assert_eq!(account(101), CAROL);
		assert_eq!(under(1).unwrap().0.account, CAROL);
		Balances::set_balance(&BOB, EXISTENTIAL_DEPOSIT);
		assert_eq!(account(101), BOB);
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
			assert_eq!(under(0).unwrap().0.max_price_per_gb, TERMS.max_price_per_gb());
			assert_eq!(under(1).unwrap().0.max_price_per_gb, 3);
		}
		run_to(first + CHANGE_DELAY);
		assert_eq!(under(0), None, "nothing can have been signed under them");
		// Another owner is another payee; other texts and keys are nothing.
		assert_ok!(update(ALICE, b"Second light"));
		assert_ok!(set_signing_key(ALICE, 40));
		assert_eq!(info().terms_counter, 1);
		assert_ok!(transfer(ALICE, BOB));
		assert_eq!(info().terms_counter, 2);
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
		assert_eq!(under(0).unwrap().1, Some(1 + CHANGE_DELAY));
		assert_eq!(under(1), None);
		run_to(1 + 2 * CHANGE_DELAY);
		assert_eq!(payee(1 + CHANGE_DELAY), None);
		assert_eq!(under(0), None);
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
