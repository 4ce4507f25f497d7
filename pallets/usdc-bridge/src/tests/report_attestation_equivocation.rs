//! `report_attestation_equivocation`: a validator that contradicts itself is muted and reported, once.

use crate::{mock::*, Attested, Error, Event};
use clustercast_primitives::bridge::{Attestation, DoubleAttestation};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
};
use sp_keyring::Sr25519Keyring;

fn evidence(validator: Sr25519Keyring, first: Attestation, second: Attestation) -> DoubleAttestation {
	DoubleAttestation {
		first: (first, sign(validator, &first)),
		second: (second, sign(validator, &second)),
	}
}

fn report(n: u32, evidence: DoubleAttestation) -> DispatchResultWithPostInfo {
	Bridge::report_attestation_equivocation(RuntimeOrigin::signed(ALICE), n, evidence)
}

fn assert_refused(n: u32, evidence: DoubleAttestation, error: Error<Test>) {
	assert_eq!(report(n, evidence).unwrap_err().error, error.into());
	assert!(Offenders::get().is_empty());
}

#[test]
fn who_contradicts_itself_is_muted_and_reported() {
	ExtBuilder::default().build_and_execute(|| {
		let (one, other) = (attestation(1, &deposits(1)), attestation(1, &deposits(2)));
		assert_ok!(say(0, one));
		assert_ok!(say(1, one));
		let proof = evidence(VALIDATORS[0], one, other);
		assert_eq!(report(0, proof).unwrap().pays_fee, Pays::No);
		assert_eq!(Offenders::get(), [VALIDATORS[0].to_account_id()]);
		let validator = VALIDATORS[0].to_account_id();
		System::assert_last_event(
			Event::Muted {
				validator,
				reporter: ALICE,
			}
			.into(),
		);
		// What it said counts no more, and it says nothing more.
		assert_ok!(say(2, one));
		assert_eq!(Attested::<Test>::get(), None);
		assert_noop!(say(0, attestation(2, &deposits(2))), Error::<Test>::AttestorMuted);
		assert_eq!(report(0, proof).unwrap_err().error, Error::<Test>::AttestorMuted.into());
		assert_ok!(say(3, one));
		assert_eq!(Attested::<Test>::get(), Some(one));
	});
}

#[test]
fn a_validator_stays_muted_until_it_changes_its_key() {
	ExtBuilder::default().build_and_execute(|| {
		let (one, other) = (attestation(1, &deposits(1)), attestation(1, &deposits(2)));
		assert_ok!(report(0, evidence(VALIDATORS[0], one, other)));
		new_session(&VALIDATORS);
		assert_noop!(say(0, one), Error::<Test>::AttestorMuted);
		new_session(&[Sr25519Keyring::Eve]);
		new_session(&VALIDATORS);
		assert_ok!(say(0, one));
	});
}

#[test]
fn statements_about_two_l2s_or_of_two_kinds_are_no_offence() {
	ExtBuilder::default().build_and_execute(|| {
		let one = attestation(1, &deposits(1));
		let other = attestation(1, &deposits(2));
		for elsewhere in [Attestation { l2: 1, ..other }, Attestation { kind: 1, ..other }] {
			assert_refused(0, evidence(VALIDATORS[0], one, elsewhere), Error::NoConflict);
			assert_refused(0, evidence(VALIDATORS[0], elsewhere, one), Error::NoConflict);
		}
		// The same words about one L2 are.
		assert_ok!(report(0, evidence(VALIDATORS[0], one, other)));
	});
}

#[test]
fn who_says_two_things_about_the_light_client_is_reported() {
	ExtBuilder::default().build_and_execute(|| {
		let one = attestation(1, &deposits(1));
		let other = Attestation {
			light_client_block: 9,
			..one
		};
		assert_ok!(report(0, evidence(VALIDATORS[0], one, other)));
		assert_eq!(Offenders::get(), [VALIDATORS[0].to_account_id()]);
	});
}

#[test]
fn what_shows_no_contradiction_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let (one, other) = (attestation(1, &deposits(1)), attestation(1, &deposits(2)));
		let (alice, bob) = (VALIDATORS[0], VALIDATORS[1]);
		assert_refused(0, evidence(alice, one, one), Error::NoConflict);
		let later = attestation(2, &deposits(2));
		assert_refused(0, evidence(alice, one, later), Error::NoConflict);
		assert_refused(4, evidence(alice, one, other), Error::UnknownAttestor);
		assert_refused(1, evidence(alice, one, other), Error::BadSignature);
		let mixed = DoubleAttestation {
			second: (other, sign(bob, &other)),
			..evidence(alice, one, other)
		};
		assert_refused(0, mixed, Error::BadSignature);
		let mixed = DoubleAttestation {
			first: (one, sign(bob, &one)),
			..evidence(alice, one, other)
		};
		assert_refused(0, mixed, Error::BadSignature);
	});
}
