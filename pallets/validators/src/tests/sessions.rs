//! Sets: who is in one, who is sent off, who makes no blocks.

use crate::{mock::*, Authored, Bonds, Cause, Error, Event, Floor, Ranking, ShutOut, Standing};
use codec::Encode;
use frame_support::{assert_noop, assert_ok};
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
fn a_candidate_without_keys_loses_its_place() {
	ExtBuilder.build_and_execute(|| {
		for number in 11..=14u8 {
			assert_ok!(register(account(number), MIN_BOND * u128::from(number)));
		}
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(account(14))));
		run_to(1);
		let free_in = 1 + 2 + EVIDENCE;
		System::assert_has_event(
			Event::Leaving {
				validator: account(14),
				cause: Cause::NoKeys,
				free_in,
			}
			.into(),
		);
		let ranking = Ranking::<Test>::get().into_iter().map(|(who, _)| who);
		assert!(ranking.eq([13, 12, 11].map(account)));
		run_to(2);
		let set = [FLOOR.to_vec(), vec![account(13), account(12), account(11)]].concat();
		assert_eq!(Session::validators(), set);
		// With keys again it comes back to the place that its bond has.
		let rejoin = || Validators::rejoin(RuntimeOrigin::signed(account(14)));
		assert_noop!(rejoin(), Error::<Test>::NoKeys);
		assert_ok!(set_keys(account(14), 40));
		assert_ok!(rejoin());
		assert_eq!(Ranking::<Test>::get()[0].0, account(14));
	});
}

/// The set of a floor of `floor` and of as many candidates as the ranking has places: how many are in it, and how many of these are candidates.
fn set_with(floor: u8) -> (usize, usize) {
	let mut counts = (0, 0);
	ExtBuilder.build_and_execute(|| {
		let accounts: Vec<_> = (1..=floor).map(account).collect();
		for who in &accounts[accounts.len().min(FLOOR.len())..] {
			pallet_session::NextKeys::<Test>::insert(who, keys(who.encode()[0].into()));
		}
		Floor::<Test>::put(frame_support::BoundedVec::truncate_from(accounts.clone()));
		for number in RICH.take(PLACES as usize) {
			assert_ok!(register(account(number), MIN_BOND * u128::from(number)));
		}
		run_to(2);
		let set = Session::validators();
		assert!(set.starts_with(&accounts), "the floor is in each set");
		counts = (set.len(), set.len() - accounts.len());
	});
	counts
}

#[test]
fn candidates_alone_never_stop_finality() {
	// Two of six could, which a floor of four would leave seats for.
	assert_eq!(set_with(4), (5, 1));
	for floor in 1..=9 {
		let (all, candidates) = set_with(floor);
		// GRANDPA and BEEFY go on with all but so many.
		let missing = (all - 1) / 3;
		assert!(candidates <= missing, "{candidates} of {all}");
		assert_eq!(
			candidates,
			((usize::from(floor) - 1) / 2).min(SEATS as usize - usize::from(floor))
		);
	}
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
		assert_eq!(Session::validators().len(), 10);
		for who in [&FLOOR[0], &FLOOR[1], &FLOOR[2], &ALICE] {
			assert_ok!(Validators::slash_for(OFFENCE, who, 3, None));
		}
		// Three of ten: four would be a third.
		assert_eq!(disabled(), FLOOR[..3]);
		assert_eq!(held(&ALICE), 0, "the bond goes all the same");
	});
	ExtBuilder.build_and_execute(|| {
		for who in &FLOOR[..3] {
			assert_ok!(Validators::slash_for(OFFENCE, who, 0, None));
		}
		// Two of seven.
		assert_eq!(disabled(), FLOOR[..2]);
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
