//! What an offence costs, who gets it, once.

use crate::{mock::*, Bonds, Burnt, Error, Event, Kind, Penalty, Punished, Ranking, Standing, Taken, ATTESTATION};
use clustercast_primitives::{amount::USDC, Balance};
use frame_support::{assert_ok, traits::fungible::Inspect};
use sp_runtime::{AccountId32, DispatchError};

const OFFENCE: Kind = *b"some offence....";

fn slash(who: &AccountId32, session: u32) -> Result<Penalty, DispatchError> {
	Validators::slash_for(OFFENCE, who, session, Some(REPORTER))
}

fn total(who: &AccountId32) -> Balance {
	Balances::total_balance(who)
}

#[test]
fn an_offence_costs_the_whole_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		let issuance = Balances::total_issuance();
		let penalty = Penalty {
			reporter: 100 * USDC,
			treasury: 400 * USDC,
			burnt: 500 * USDC,
		};
		assert_eq!(slash(&ALICE, 2).unwrap(), penalty);
		System::assert_last_event(
			Event::Offended {
				validator: ALICE,
				kind: OFFENCE,
				session: 2,
				reporter: Some(REPORTER),
				penalty,
			}
			.into(),
		);
		assert_eq!(total(&ALICE), ENDOWMENT - MIN_BOND);
		assert_eq!(total(&REPORTER), ENDOWMENT + penalty.reporter);
		assert_eq!(total(&TREASURY), ENDOWMENT + penalty.treasury);
		assert_eq!(Balances::total_issuance(), issuance - penalty.burnt);
		assert_eq!((Taken::<Test>::get(), Burnt::<Test>::get()), (MIN_BOND, penalty.burnt));
		let bond = Bonds::<Test>::get(ALICE).unwrap();
		let free_in = 3 + 2 + EVIDENCE;
		assert_eq!((bond.amount, bond.standing), (0, Standing::Expelled { free_in }));
		assert!(Ranking::<Test>::get().is_empty());
	});
}

#[test]
fn a_share_of_the_bond_is_what_is_configured() {
	ExtBuilder.build_and_execute(|| {
		SlashShare::set(250_000);
		assert_ok!(register(ALICE, MIN_BOND + 3));
		slash(&ALICE, 0).unwrap();
		assert_eq!(held(&ALICE), MIN_BOND + 3 - 250 * USDC);
		assert!(Ranking::<Test>::get().is_empty());
		run_to(2 + EVIDENCE);
		assert_ok!(Validators::withdraw(RuntimeOrigin::signed(ALICE)));
		assert_eq!(total(&ALICE), ENDOWMENT - 250 * USDC);
	});
}

#[test]
fn an_offence_is_punished_once_a_session_and_kind() {
	ExtBuilder.build_and_execute(|| {
		SlashShare::set(500_000);
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		slash(&ALICE, 2).unwrap();
		assert_eq!(slash(&ALICE, 2), Err(Error::<Test>::AlreadyPunished.into()));
		assert!(Validators::is_punished(OFFENCE, &ALICE, 2));
		assert_eq!(held(&ALICE), MIN_BOND / 2);
		// Another session, another kind, another validator: another offence.
		slash(&ALICE, 1).unwrap();
		Validators::slash_for(ATTESTATION, &ALICE, 2, None).unwrap();
		slash(&BOB, 2).unwrap();
		assert_eq!(held(&ALICE), MIN_BOND / 8);
	});
}

#[test]
fn whoever_is_leaving_is_punished_and_not_kept_longer() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::leave(RuntimeOrigin::signed(ALICE)));
		run_to(8);
		slash(&ALICE, 4).unwrap();
		assert_eq!(held(&ALICE), 0);
		let free_in = 3 + 2 + EVIDENCE;
		assert_eq!(
			Bonds::<Test>::get(ALICE).unwrap().standing,
			Standing::Expelled { free_in }
		);
	});
}

#[test]
fn evidence_counts_for_some_sessions() {
	ExtBuilder.build_and_execute(|| {
		run_to(10);
		assert_eq!(slash(&FLOOR[0], 11), Err(Error::<Test>::NotProvable.into()));
		assert_eq!(
			slash(&FLOOR[0], 10 - EVIDENCE - 1),
			Err(Error::<Test>::NotProvable.into())
		);
		slash(&FLOOR[0], 10 - EVIDENCE).unwrap();
		slash(&FLOOR[0], 10).unwrap();
		assert_eq!(Punished::<Test>::iter().count(), 2);
		run_to(11);
		assert_eq!(Punished::<Test>::iter().count(), 1);
		run_to(11 + EVIDENCE);
		assert_eq!(Punished::<Test>::iter().count(), 0);
	});
}

#[test]
fn the_floor_has_nothing_to_lose_but_its_turn() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(slash(&FLOOR[0], 0).unwrap(), Penalty::default());
		assert_eq!(total(&FLOOR[0]), ENDOWMENT);
		assert_eq!(Taken::<Test>::get(), 0);
	});
}

#[test]
fn nobody_else_has_the_reporters_part() {
	let without = |reporter: Option<AccountId32>| {
		ExtBuilder.build_and_execute(|| {
			assert_ok!(register(ALICE, MIN_BOND));
			Author::set(Some(BOB));
			let penalty = Validators::slash_for(OFFENCE, &ALICE, 0, reporter).unwrap();
			assert_eq!(
				penalty,
				Penalty {
					reporter: 0,
					treasury: 400 * USDC,
					burnt: 600 * USDC
				}
			);
			assert_eq!(total(&BOB), ENDOWMENT);
		});
	};
	without(None);
	// The block's author gets nothing of what others find.
	without(Some(BOB));
}

#[test]
fn what_nobody_can_receive_is_burnt() {
	ExtBuilder.build_and_execute(|| {
		// A part below the existential deposit opens no account.
		MinBond::set(EXISTENTIAL_DEPOSIT);
		Treasury::set(None);
		assert_ok!(register(ALICE, 5_000));
		let penalty = Validators::slash_for(OFFENCE, &ALICE, 0, Some(NOBODY)).unwrap();
		assert_eq!(
			penalty,
			Penalty {
				burnt: 5_000,
				..Penalty::default()
			}
		);
		assert_eq!(Burnt::<Test>::get(), 5_000);
	});
}
