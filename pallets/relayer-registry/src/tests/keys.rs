//! `set_signing_key`: the relayer stays the same, and answers for the key before as long as evidence counts.

use crate::{mock::*, Bonds, Error, Event, Relayers, SigningKeys};
use clustercast_primitives::Signature;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::AccountId32;

fn relayer_of(seed: u8) -> Option<AccountId32> {
	<Registry as Bonds<_>>::relayer(&key(seed).public())
}

#[test]
fn a_key_is_replaced_without_losing_reputation_or_bond() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		Registry::note_delivery(&ALICE, &BOB, 5, 7);
		let before = (Registry::reputation(&ALICE), Relayers::<Test>::get(ALICE).unwrap());
		assert_ok!(set_key(ALICE, ALICE, &key(2)));
		System::assert_last_event(
			Event::SigningKeyChanged {
				relayer: ALICE,
				signing_key: key(2).public(),
				until: 1 + KEY_MEMORY,
			}
			.into(),
		);
		let after = Relayers::<Test>::get(ALICE).unwrap();
		assert_eq!((after.signing_key, after.bond), (key(2).public(), before.1.bond));
		assert_eq!(Registry::reputation(&ALICE), before.0);
		assert_eq!(Registry::relayers(None, 1)[0].signing_key, key(2).public());
	});
}

/// The attack: a relayer that cheated changes its key, and nobody stands behind the receipts of yesterday.
#[test]
fn a_replaced_key_stays_tied_to_the_bond_until_evidence_is_too_old() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(set_key(ALICE, ALICE, &key(2)));
		wait(KEY_MEMORY);
		assert_eq!((relayer_of(1), relayer_of(2)), (Some(ALICE), Some(ALICE)));
		// Unusable by others, and by Alice.
		assert_noop!(register(BOB, &key(1)), Error::<Test>::SigningKeyTaken);
		assert_noop!(set_key(ALICE, ALICE, &key(1)), Error::<Test>::SigningKeyTaken);
		wait(1);
		assert_eq!((relayer_of(1), relayer_of(2)), (None, Some(ALICE)));
		assert_ok!(register(BOB, &key(1)));
		assert_eq!(relayer_of(1), Some(BOB));
		assert!(Relayers::<Test>::get(ALICE).unwrap().previous_keys.is_empty());
	});
}

#[test]
fn a_key_comes_back_when_it_is_free() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(set_key(ALICE, ALICE, &key(2)));
		wait(1 + KEY_MEMORY);
		assert_ok!(set_key(ALICE, ALICE, &key(1)));
		assert_eq!((relayer_of(1), relayer_of(2)), (Some(ALICE), Some(ALICE)));
	});
}

#[test]
fn at_most_four_changes_are_made_meanwhile() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		for seed in 2..6 {
			assert_ok!(set_key(ALICE, ALICE, &key(seed)));
			wait(10);
		}
		assert_noop!(set_key(ALICE, ALICE, &key(6)), Error::<Test>::TooManyKeys);
		assert!((1..6).all(|seed| relayer_of(seed) == Some(ALICE)));
		System::set_block_number(1 + KEY_MEMORY);
		assert_noop!(set_key(ALICE, ALICE, &key(6)), Error::<Test>::TooManyKeys);
		wait(1);
		assert_ok!(set_key(ALICE, ALICE, &key(6)));
		assert_eq!((relayer_of(1), SigningKeys::<Test>::get(key(1).public())), (None, None));
		assert_eq!(relayer_of(2), Some(ALICE));
	});
}

#[test]
fn a_key_needs_its_proof_and_must_be_nobodys() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(set_key(ALICE, ALICE, &key(2)), Error::<Test>::NotRegistered);
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(register(BOB, &key(2)));
		assert_noop!(set_key(ALICE, ALICE, &key(1)), Error::<Test>::SigningKeyTaken);
		assert_noop!(set_key(ALICE, ALICE, &key(2)), Error::<Test>::SigningKeyTaken);
		let with =
			|proof: Signature| Registry::set_signing_key(RuntimeOrigin::signed(ALICE), ALICE, key(3).public(), proof);
		// Another key's, and for another account.
		assert_noop!(with(proof(&key(4), &ALICE)), Error::<Test>::BadProof);
		assert_noop!(with(proof(&key(3), &BOB)), Error::<Test>::BadProof);
		assert_ok!(with(proof(&key(3), &ALICE)));
	});
}

#[test]
fn whoever_leaves_frees_all_keys() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		wait(UNBOND_DELAY);
		assert_ok!(set_key(ALICE, ALICE, &key(2)));
		assert_ok!(Registry::withdraw_bond(RuntimeOrigin::signed(ALICE), ALICE));
		assert_eq!(SigningKeys::<Test>::iter().count(), 0);
	});
}
