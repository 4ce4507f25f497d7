//! `attest`: two thirds of the validators make an attestation count, and nothing less does.

use crate::{mock::*, Attested, Attestors, Call, Error, Event};
use clustercast_primitives::{bridge::Attestation, Hash, Signature};
use frame_support::{assert_noop, assert_ok};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
	traits::BadOrigin,
	transaction_validity::{InvalidTransaction, TransactionValidity},
};

fn check(n: u32, attestation: Attestation, signature: Signature) -> TransactionValidity {
	let call = Call::attest {
		attestation,
		authority_index: n,
		signature,
	};
	validate(&call)
}

/// The pool refuses it, and so does a block.
fn assert_refused(n: u32, attestation: Attestation, signature: Signature, error: Error<Test>) {
	let number = sp_runtime::codec::Encode::encode(&error)[0];
	assert_eq!(
		check(n, attestation, signature),
		InvalidTransaction::Custom(number).into()
	);
	assert_noop!(Bridge::attest(RuntimeOrigin::none(), attestation, n, signature), error);
}

fn refused(n: u32, attestation: Attestation, error: Error<Test>) {
	let signature = VALIDATORS
		.get(n as usize)
		.map_or(Signature([0; 64]), |validator| sign(*validator, &attestation));
	assert_refused(n, attestation, signature, error);
}

#[test]
fn what_is_enough_for_a_smaller_set_counts_when_it_begins() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(3, &deposits(2));
		for n in 0..2 {
			assert_ok!(say(n, said));
		}
		new_session(&VALIDATORS[..3]);
		assert_eq!(Attested::<Test>::get(), None);
		new_session(&VALIDATORS[..2]);
		assert_eq!(Attested::<Test>::get(), Some(said));
		System::assert_last_event(Event::Accepted { attestation: said }.into());
		System::reset_events();
		new_session(&VALIDATORS[..2]);
		assert_eq!(System::events(), []);
	});
}

#[test]
fn more_than_two_thirds_make_it_count() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(3, &deposits(2));
		for n in 0..2 {
			assert_ok!(say(n, said));
			assert_eq!(Attested::<Test>::get(), None);
		}
		assert_ok!(say(3, said));
		assert_eq!(Attested::<Test>::get(), Some(said));
		let validator = VALIDATORS[3].to_account_id();
		System::assert_has_event(
			Event::Said {
				validator,
				attestation: said,
			}
			.into(),
		);
		System::assert_last_event(Event::Accepted { attestation: said }.into());
	});
}

#[test]
fn half_and_half_count_for_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let (one, other) = (attestation(1, &deposits(2)), attestation(1, &deposits(3)));
		assert_ok!(say(0, one));
		assert_ok!(say(1, one));
		assert_ok!(say(2, other));
		assert_ok!(say(3, other));
		assert_eq!(Attested::<Test>::get(), None);
		assert_eq!(sayings(), [Some(one), Some(one), Some(other), Some(other)]);
		// Later they agree.
		run_to(2);
		let said = attestation(2, &deposits(3));
		(0..3).for_each(|n| say(n, said).unwrap());
		assert_eq!(Attested::<Test>::get(), Some(said));
	});
}

#[test]
fn one_validator_alone_is_enough_where_there_is_one() {
	ExtBuilder::default().build_and_execute(|| {
		new_session(&VALIDATORS[..1]);
		assert_ok!(say(0, attestation(1, &deposits(1))));
		assert!(Attested::<Test>::get().is_some());
	});
}

#[test]
fn every_rule_has_its_error() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(3, &deposits(2));
		let off = Attestation { l2_block: 25, ..said };
		let none = attestation(3, &[]);
		refused(4, said, Error::UnknownAttestor);
		refused(u32::MAX, said, Error::UnknownAttestor);
		refused(0, off, Error::NotACheckpoint);
		refused(0, Attestation { l2: 1, ..said }, Error::OtherL2);
		refused(0, Attestation { kind: 1, ..said }, Error::OtherKind);
		refused(0, none, Error::NothingNew);
		let by_another = sign(VALIDATORS[1], &said);
		assert_refused(0, said, by_another, Error::BadSignature);
		assert_refused(0, said, Signature([0; 64]), Error::BadSignature);
		let of_another = sign(VALIDATORS[0], &attestation(4, &deposits(2)));
		assert_refused(0, said, of_another, Error::BadSignature);

		assert_ok!(say(0, said));
		refused(0, said, Error::AlreadySaid);
		refused(0, attestation(2, &deposits(2)), Error::AlreadySaid);
		refused(0, attestation(3, &deposits(1)), Error::ContradictsItself);
		let other_hash = Attestation {
			l2_hash: Hash([9; 32]),
			..said
		};
		refused(0, other_hash, Error::ContradictsItself);
		let other_client = Attestation {
			light_client_block: 9,
			..said
		};
		refused(0, other_client, Error::ContradictsItself);
		refused(0, attestation(4, &deposits(2)), Error::TooSoon);
		run_to(2);
		assert_ok!(say(0, attestation(4, &deposits(2))));
	});
}

#[test]
fn who_disagrees_about_the_light_client_does_not_agree() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(3, &deposits(2));
		let ahead = Attestation {
			light_client_block: 9,
			..said
		};
		for (n, words) in [(0, said), (1, said), (2, ahead)] {
			assert_ok!(say(n, words));
		}
		assert_eq!(Attested::<Test>::get(), None);
		assert_ok!(say(3, said));
		assert_eq!(Attested::<Test>::get(), Some(said));
	});
}

#[test]
fn what_was_accepted_stands() {
	ExtBuilder::default().build_and_execute(|| {
		let accepted = attestation(3, &deposits(3));
		accept(accepted);
		run_to(2);
		refused(3, accepted, Error::AlreadyAccepted);
		refused(3, attestation(3, &deposits(4)), Error::ContradictsAccepted);
		let other_client = Attestation {
			light_client_block: 9,
			..accepted
		};
		refused(3, other_client, Error::ContradictsAccepted);
		refused(3, attestation(2, &deposits(4)), Error::Outdated);
		// Neither count nor block can fall, or stand still.
		refused(3, attestation(4, &deposits(3)), Error::NothingNew);
		refused(3, attestation(4, &deposits(2)), Error::NothingNew);
		assert_eq!(Attested::<Test>::get(), Some(accepted));
		(0..3).for_each(|n| say(n, attestation(4, &deposits(4))).unwrap());
		assert_eq!(Attested::<Test>::get(), Some(attestation(4, &deposits(4))));
	});
}

#[test]
fn a_chain_without_a_vault_hears_nothing() {
	ExtBuilder { no_vault: true }.build_and_execute(|| {
		refused(0, attestation(1, &deposits(1)), Error::NoVault);
	});
}

#[test]
fn only_unsigned_extrinsics_are_taken() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(1, &deposits(1));
		let signature = sign(VALIDATORS[0], &said);
		assert_noop!(
			Bridge::attest(RuntimeOrigin::signed(ALICE), said, 0, signature),
			BadOrigin
		);
		let other = Call::withdraw {
			to: L2.vault,
			amount: 1,
			fee: 0,
		};
		assert_eq!(validate(&other), InvalidTransaction::Call.into());
	});
}

#[test]
fn a_pool_holds_one_of_each_validator_and_prefers_the_newest() {
	ExtBuilder::default().build_and_execute(|| {
		let validity = |n: u32, checkpoint| {
			let said = attestation(checkpoint, &deposits(1));
			check(n, said, sign(VALIDATORS[n as usize], &said)).unwrap()
		};
		let (old, new, other) = (validity(0, 1), validity(0, 2), validity(1, 1));
		assert_eq!(old.provides, new.provides);
		assert_ne!(old.provides, other.provides);
		assert!(new.priority > old.priority && old.propagate);
	});
}

#[test]
fn a_new_session_keeps_what_those_who_stay_said() {
	ExtBuilder::default().build_and_execute(|| {
		let said = attestation(1, &deposits(1));
		assert_ok!(say(1, said));
		new_session(&[Sr25519Keyring::Eve, Sr25519Keyring::Bob]);
		assert_eq!(sayings(), [None, Some(said)]);
		assert_eq!(
			Bridge::attestor_keys(),
			[attestor_key(Sr25519Keyring::Eve), attestor_key(Sr25519Keyring::Bob)]
		);
		// Alice is no validator any more: her number is Eve's.
		refused(0, said, Error::BadSignature);
		let signature = sign(Sr25519Keyring::Eve, &said);
		assert_ok!(Bridge::attest(RuntimeOrigin::none(), said, 0, signature));
		assert_eq!(Attested::<Test>::get(), Some(said));
		assert_eq!(Attestors::<Test>::get().len(), 2);
	});
}
