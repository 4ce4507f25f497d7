//! Proofs of who owned a session key: over the keys that the session began with.

use crate::mock::*;
use frame_support::{assert_ok, traits::KeyOwnerProofSystem};
use sp_runtime::{testing::UintAuthorityId, AccountId32, KeyTypeId, RuntimeAppPublic};
use sp_session::MembershipProof;

fn key(number: u64) -> (KeyTypeId, UintAuthorityId) {
	(UintAuthorityId::ID, UintAuthorityId(number))
}

fn prove(number: u64) -> MembershipProof {
	Validators::prove(key(number)).unwrap()
}

fn owner(number: u64, proof: MembershipProof) -> Option<AccountId32> {
	Validators::check_proof(key(number), proof).map(|(who, ())| who)
}

#[test]
fn a_key_has_its_owner_in_its_session_and_later() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		let proof = prove(11);
		assert_eq!(owner(11, proof.clone()), Some(ALICE));
		assert_eq!(owner(12, proof.clone()), None);
		assert_ok!(Validators::leave(RuntimeOrigin::signed(ALICE)));
		run_to(5);
		assert!(!Session::validators().contains(&ALICE));
		assert_eq!(owner(11, proof.clone()), Some(ALICE));
		// No longer than evidence counts.
		run_to(3 + EVIDENCE);
		assert_eq!(owner(11, proof.clone()), Some(ALICE));
		run_to(4 + EVIDENCE);
		assert_eq!(owner(11, proof), None);
	});
}

#[test]
fn who_changed_its_keys_still_owns_those_in_use() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		let before = prove(11);
		assert_ok!(set_keys(ALICE, 40));
		let after = prove(11);
		assert_eq!(before, after);
		assert_eq!(owner(11, after.clone()), Some(ALICE));
		assert_eq!(owner(40, prove(40)), None, "not in use yet");
		assert_eq!(Session::load_keys(&ALICE), Some(keys(40)), "proving changes nothing");
		run_to(3);
		assert_eq!(owner(11, after), Some(ALICE));
		run_to(4);
		assert_eq!(owner(40, prove(40)), Some(ALICE));
	});
}

#[test]
fn who_gave_its_keys_up_still_owns_those_in_use() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(ALICE)));
		assert_eq!(owner(11, prove(11)), Some(ALICE));
		assert_eq!(Session::load_keys(&ALICE), None);
	});
}

#[test]
fn a_proof_of_another_session_or_count_is_none() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(2);
		let proof = prove(11);
		let lie = |change: &dyn Fn(&mut MembershipProof)| {
			let mut proof = proof.clone();
			change(&mut proof);
			assert_eq!(owner(11, proof), None);
		};
		lie(&|p| p.session += 7);
		lie(&|p| p.validator_count += 1);
		lie(&|p| p.trie_nodes.truncate(1));
		lie(&|p| p.trie_nodes.push(vec![0; 40]));
	});
}
