//! Sets: who is in one, who is sent off, who makes no blocks.

use crate::{mock::*, Authored, Bonds, Cause, Event, Floor, Ranking, ShutOut, Standing};
use frame_support::assert_ok;
use sp_runtime::AccountId32;

const OFFENCE: crate::Kind = *b"some offence....";

fn disabled() -> Vec<AccountId32> {
	let set = Session::validators();
	Session::disabled_validators()
		.iter()
		.map(|i| set[*i as usize].clone())
		.collect()
}

#[test]
fn the_validators_of_genesis_are_the_floor() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(Floor::<Test>::get().into_inner(), FLOOR);
		assert_eq!(Session::validators(), FLOOR);
		run_to(30);
		assert_eq!(Session::validators(), FLOOR);
	});
}

#[test]
fn the_highest_bonds_take_the_seats_two_sessions_later() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=15u8 {
			assert_ok!(register(account(number), MIN_BOND * u128::from(number)));
		}
		run_to(1);
		assert_eq!(Session::validators(), FLOOR);
		run_to(2);
		let set = [FLOOR.to_vec(), vec![account(15), account(14), account(13)]].concat();
		assert_eq!(Session::validators(), set);
	});
}

#[test]
fn a_candidate_without_keys_is_passed_over() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=14u8 {
			assert_ok!(register(account(number), MIN_BOND * u128::from(number)));
		}
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(account(14))));
		run_to(2);
		let set = [FLOOR.to_vec(), vec![account(13), account(12), account(11)]].concat();
		assert_eq!(Session::validators(), set);
	});
}

#[test]
fn every_session_is_provable_and_then_forgotten() {
	ExtBuilder.build_and_execute(|| {
		run_to(20);
		let root = |session: u32| Historical::historical_root(session).is_some();
		assert!((20 - EVIDENCE - 1..=21).all(root));
		assert!(!root(20 - EVIDENCE - 2));
	});
}

#[test]
fn whoever_makes_no_block_in_its_session_is_sent_off() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		assert!(Session::validators().contains(&ALICE));
		// Session 2 goes by without her.
		Author::set(None);
		for _ in 0..SESSION {
			next_block();
		}
		assert_eq!(session(), 3);
		let free_in = 2 + 2 + EVIDENCE;
		System::assert_has_event(
			Event::Leaving {
				validator: ALICE,
				cause: Cause::Idle,
				free_in,
			}
			.into(),
		);
		assert_eq!(
			Bonds::<Test>::get(ALICE).unwrap().standing,
			Standing::Leaving { free_in }
		);
		assert!(Ranking::<Test>::get().is_empty());
		assert_eq!(held(&ALICE), MIN_BOND, "absence costs nothing");
		run_to(4);
		assert_eq!(Session::validators(), FLOOR, "the floor stays, idle or not");
		assert_ok!(Validators::rejoin(RuntimeOrigin::signed(ALICE)));
		run_to(8);
		assert!(Session::validators().contains(&ALICE));
		assert_eq!(Bonds::<Test>::get(ALICE).unwrap().standing, Standing::Candidate);
	});
}

#[test]
fn who_has_no_seat_cannot_be_idle() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=14u8 {
			assert_ok!(register(account(number), MIN_BOND * u128::from(number)));
		}
		run_to(6);
		assert_eq!(Bonds::<Test>::get(account(11)).unwrap().standing, Standing::Candidate);
	});
}

#[test]
fn authors_are_forgotten_with_their_session() {
	ExtBuilder.build_and_execute(|| {
		run_to(1);
		assert_eq!(Authored::<Test>::iter().count(), 0);
		next_block();
		assert_eq!(Authored::<Test>::iter().count(), 1);
	});
}

#[test]
fn an_offender_of_the_floor_makes_no_blocks_in_this_session_and_the_next() {
	ExtBuilder.build_and_execute(|| {
		// Of three none can be missing: with four, one can.
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::slash_for(OFFENCE, &FLOOR[1], 3, None));
		assert_eq!(disabled(), FLOOR[1..2]);
		run_to(4);
		assert_eq!(disabled(), FLOOR[1..2]);
		run_to(5);
		assert!(disabled().is_empty());
		assert!(Session::validators().contains(&FLOOR[1]));
		assert!(ShutOut::<Test>::iter().next().is_none());
	});
}

#[test]
fn an_expelled_candidate_makes_no_blocks_until_its_seat_is_gone() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::slash_for(OFFENCE, &ALICE, 3, None));
		assert!(Ranking::<Test>::get().is_empty());
		for session in [3, 4] {
			run_to(session);
			assert_eq!(disabled(), [ALICE]);
		}
		run_to(5);
		assert_eq!(Session::validators(), FLOOR);
	});
}

#[test]
fn fewer_than_a_third_are_shut_out() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=13 {
			assert_ok!(register(account(number), MIN_BOND));
		}
		run_to(3);
		assert_eq!(Session::validators().len(), 6);
		for who in [&FLOOR[0], &FLOOR[1], &ALICE] {
			assert_ok!(Validators::slash_for(OFFENCE, who, 3, None));
			// One of six: two would be a third.
			assert_eq!(disabled(), FLOOR[..1]);
		}
		assert_eq!(held(&ALICE), 0, "the bond goes all the same");
	});
	ExtBuilder.build_and_execute(|| {
		// Of three not even one.
		assert_ok!(Validators::slash_for(OFFENCE, &FLOOR[0], 0, None));
		assert!(disabled().is_empty());
	});
}

#[test]
fn who_has_no_seat_is_not_shut_out() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		assert_ok!(Validators::slash_for(OFFENCE, &ALICE, 0, None));
		assert!(ShutOut::<Test>::iter().next().is_none());
	});
}
