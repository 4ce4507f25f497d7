//! Validators: candidates take seats in all three protocols, and real proofs of equivocation cost them their bonds.

use super::*;
use crate::constants::*;
use clustercast_primitives::amount::USDC;
use codec::Decode;
use configs::consensus::KeysInUse;
use frame_support::{
	assert_noop,
	dispatch::GetDispatchInfo,
	traits::{fungible::InspectHold, Get, Hooks, KeyOwnerProofSystem},
};
use pallet_validators::{Bonds, HoldReason, Penalty, Standing};
use sp_consensus_beefy::{
	ecdsa_crypto, known_payloads::MMR_ROOT_ID, Commitment, DoubleVotingProof, FutureBlockVotingProof, Payload,
	VoteMessage,
};
use sp_consensus_grandpa::{localized_payload, Equivocation, EquivocationProof, SetId};
use sp_core::{ecdsa, Pair};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};
use sp_runtime::{
	traits::Dispatchable,
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
	DispatchError,
};
use sp_session::MembershipProof;
use std::sync::Arc;

const BOND: Balance = 20_000 * USDC;

/// Session keys of `//{seed}`, and the proof that `owner` has them.
fn keys(seed: &str, owner: &AccountId) -> (SessionKeys, Vec<u8>) {
	let mut ext = sp_io::TestExternalities::default();
	let keystore: Arc<dyn Keystore> = Arc::new(MemoryKeystore::new());
	ext.register_extension(KeystoreExt(keystore));
	let generated = ext.execute_with(|| SessionKeys::generate(&owner.encode(), Some(format!("//{seed}").into_bytes())));
	(generated.keys, generated.proof.encode())
}

/// Sets the keys of `//{seed}` for `who`, in an extrinsic.
fn set_keys(who: Sr25519Keyring, seed: &str) {
	let (keys, proof) = keys(seed, &who.to_account_id());
	let call: RuntimeCall = pallet_session::Call::set_keys { keys, proof }.into();
	assert_ok!(apply(signed(who, call)));
}

/// Ends the session as its last block does.
fn next_session() {
	Session::validators()
		.into_iter()
		.for_each(<Validators as pallet_authorship::EventHandler<_, _>>::note_author);
	System::set_block_number(System::block_number() + 1);
	Session::rotate_session();
	Grandpa::on_finalize(System::block_number());
}

/// Runs `test` with Eve, who has a bond of [`BOND`], in the set beside Alice to Dave.
fn with_eve(test: impl FnOnce()) {
	in_first_block(crate::genesis::LOCAL, || {
		set_keys(Sr25519Keyring::Eve, "Eve");
		let register: RuntimeCall = pallet_validators::Call::register { bond: BOND }.into();
		assert_ok!(apply(signed(Sr25519Keyring::Eve, register)));
		next_session();
		next_session();
		assert_eq!(Session::validators().len(), 5);
		test();
	});
}

fn eve() -> AccountId {
	Sr25519Keyring::Eve.to_account_id()
}

fn bond_of(who: &AccountId) -> Balance {
	Balances::balance_on_hold(&HoldReason::ValidatorBond.into(), who)
}

/// Two votes of `//{seed}` in one round of the current GRANDPA set.
fn grandpa_votes(seed: &str, round: u64, hashes: [u8; 2]) -> EquivocationProof<Hash, BlockNumber> {
	let set = Grandpa::current_set_id();
	let pair = sp_core::ed25519::Pair::from_string(&format!("//{seed}"), None).unwrap();
	let vote = |hash: u8| {
		let vote = (Hash::repeat_byte(hash), 7 as BlockNumber);
		// A prevote is the first kind of message.
		let signature = pair.sign(&localized_payload(round, set, &(0u8, vote)));
		(vote, signature)
	};
	let [first, second] = hashes.map(vote);
	let encoded = (0u8, round, pair.public(), first, second).encode();
	EquivocationProof::new(set, Equivocation::decode(&mut &encoded[..]).unwrap())
}

fn beefy_vote(
	seed: &str,
	block: BlockNumber,
	root: u8,
) -> VoteMessage<BlockNumber, ecdsa_crypto::AuthorityId, ecdsa_crypto::Signature> {
	let pair = ecdsa::Pair::from_string(&format!("//{seed}"), None).unwrap();
	let commitment = Commitment {
		payload: Payload::from_single_entry(MMR_ROOT_ID, vec![root; 32]),
		block_number: block,
		validator_set_id: Beefy::validator_set().unwrap().id(),
	};
	let signature = pair.sign_prehashed(&sp_io::hashing::keccak_256(&commitment.encode()));
	VoteMessage {
		commitment,
		id: pair.public().into(),
		signature: signature.into(),
	}
}

fn beefy_votes(
	seed: &str,
	roots: [u8; 2],
) -> DoubleVotingProof<BlockNumber, ecdsa_crypto::AuthorityId, ecdsa_crypto::Signature> {
	let [first, second] = roots.map(|root| beefy_vote(seed, 1, root));
	DoubleVotingProof { first, second }
}

fn grandpa_owner(seed: &str) -> MembershipProof {
	let pair = sp_core::ed25519::Pair::from_string(&format!("//{seed}"), None).unwrap();
	Validators::prove((sp_consensus_grandpa::KEY_TYPE, pair.public())).unwrap()
}

fn beefy_owner(seed: &str) -> MembershipProof {
	let pair = ecdsa::Pair::from_string(&format!("//{seed}"), None).unwrap();
	Validators::prove((sp_consensus_beefy::KEY_TYPE, pair.public())).unwrap()
}

fn report_grandpa(votes: EquivocationProof<Hash, BlockNumber>, owner: MembershipProof) -> RuntimeCall {
	pallet_grandpa::Call::report_equivocation {
		equivocation_proof: Box::new(votes),
		key_owner_proof: owner,
	}
	.into()
}

fn report_beefy(
	votes: DoubleVotingProof<BlockNumber, ecdsa_crypto::AuthorityId, ecdsa_crypto::Signature>,
	owner: MembershipProof,
) -> RuntimeCall {
	pallet_beefy::Call::report_double_voting {
		equivocation_proof: Box::new(votes),
		key_owner_proof: owner,
	}
	.into()
}

/// What Ferdie, who reports, is told.
fn tell(report: RuntimeCall) -> Result<(), DispatchError> {
	apply(signed(Sr25519Keyring::Ferdie, report))
}

fn ferdie() -> Balance {
	Balances::balance(&Sr25519Keyring::Ferdie.to_account_id())
}

#[test]
fn a_candidate_takes_a_seat_in_all_three_protocols() {
	with_eve(|| {
		let (keys, _) = keys("Eve", &eve());
		assert_eq!(pallet_aura::Authorities::<Runtime>::get()[4], keys.aura);
		assert_eq!(Grandpa::grandpa_authorities()[4].0, keys.grandpa);
		assert_eq!(Beefy::validator_set().unwrap().validators()[4], keys.beefy);
		assert_eq!(KeysInUse::get()[4], (eve(), keys));
		assert_eq!(bond_of(&eve()), BOND);
	});
}

#[test]
fn a_floor_of_four_has_one_seat_for_candidates_whatever_they_bond() {
	with_eve(|| {
		set_keys(Sr25519Keyring::Ferdie, "Ferdie");
		let register: RuntimeCall = pallet_validators::Call::register { bond: 2 * BOND }.into();
		assert_ok!(apply(signed(Sr25519Keyring::Ferdie, register)));
		next_session();
		next_session();
		// Two of six could have stopped finality.
		let set = Session::validators();
		assert_eq!(set.len(), 5);
		assert_eq!(set[4], Sr25519Keyring::Ferdie.to_account_id());
		assert_eq!(Grandpa::grandpa_authorities().len(), 5);
		assert_eq!(Beefy::validator_set().unwrap().len(), 5);
	});
}

#[test]
fn whoever_makes_a_block_is_noted_and_who_makes_none_is_sent_off() {
	with_eve(|| {
		let authored = |who: &AccountId| pallet_validators::Authored::<Runtime>::contains_key(who);
		assert!(!authored(&eve()));
		<Authorship as Hooks<BlockNumber>>::on_initialize(System::block_number());
		assert!(authored(&Authorship::author().unwrap()));
		System::set_block_number(System::block_number() + 1);
		Session::rotate_session();
		assert!(matches!(
			Bonds::<Runtime>::get(eve()).unwrap().standing,
			Standing::Leaving { .. }
		));
		assert_eq!(bond_of(&eve()), BOND);
		Grandpa::on_finalize(System::block_number());
	});
}

#[test]
fn keys_in_use_are_known_within_the_block_that_changes_them() {
	with_eve(|| {
		set_keys(Sr25519Keyring::Eve, "Ferdie");
		next_session();
		System::set_block_number(System::block_number() + 1);
		Session::rotate_session();
		assert!(Grandpa::pending_change().is_some());
		let (new, _) = keys("Ferdie", &eve());
		assert_eq!(KeysInUse::get()[4], (eve(), new));
		Grandpa::on_finalize(System::block_number());
	});
}

#[test]
fn keys_cost_a_deposit_and_need_their_owner() {
	in_first_block(crate::genesis::LOCAL, || {
		let before = Balances::balance(&eve());
		set_keys(Sr25519Keyring::Eve, "Eve");
		assert_eq!(Balances::total_balance_on_hold(&eve()), SESSION_KEYS_DEPOSIT);
		let purge: RuntimeCall = pallet_session::Call::purge_keys {}.into();
		assert_ok!(apply(signed(Sr25519Keyring::Eve, purge)));
		assert_eq!(Balances::total_balance_on_hold(&eve()), 0);
		assert!(before - Balances::balance(&eve()) < 5_000, "only fees");
		// A proof for somebody else is none, and keys that are somebody else's cannot be taken.
		let (other, proof) = keys("Eve", &Sr25519Keyring::Ferdie.to_account_id());
		let call = |keys, proof| RuntimeCall::from(pallet_session::Call::set_keys { keys, proof });
		assert_noop!(
			call(other, proof)
				.dispatch(RuntimeOrigin::signed(eve()))
				.map_err(|e| e.error),
			pallet_session::Error::<Runtime>::InvalidProof
		);
		let (taken, proof) = keys("Alice", &eve());
		assert_noop!(
			call(taken, proof)
				.dispatch(RuntimeOrigin::signed(eve()))
				.map_err(|e| e.error),
			pallet_session::Error::<Runtime>::DuplicatedKey
		);
	});
}

#[test]
fn a_grandpa_equivocation_costs_the_bond_once_and_the_reporter_nothing() {
	with_eve(|| {
		let (issued, before) = (Balances::total_issuance(), ferdie());
		let treasury = Balances::balance(&crate::genesis::treasury());
		assert_ok!(tell(report_grandpa(
			grandpa_votes("Eve", 5, [1, 2]),
			grandpa_owner("Eve")
		)));
		let penalty = Penalty {
			reporter: BOND / 10,
			treasury: BOND * 4 / 10,
			burnt: BOND / 2,
		};
		assert_eq!(ferdie(), before + penalty.reporter, "no fee");
		assert_eq!(
			Balances::balance(&crate::genesis::treasury()),
			treasury + penalty.treasury
		);
		assert_eq!(Balances::total_issuance(), issued - penalty.burnt);
		assert_eq!(pallet_validators::Burnt::<Runtime>::get(), penalty.burnt);
		assert_eq!(bond_of(&eve()), 0);
		assert!(matches!(
			Bonds::<Runtime>::get(eve()).unwrap().standing,
			Standing::Expelled { .. }
		));
		// Makes no blocks while it has its seat.
		assert_eq!(Session::disabled_validators(), [4]);

		for round in [5, 6] {
			let report = report_grandpa(grandpa_votes("Eve", round, [1, 2]), grandpa_owner("Eve"));
			assert_eq!(
				tell(report),
				Err(pallet_grandpa::Error::<Runtime>::DuplicateOffenceReport.into())
			);
		}
		next_session();
		assert_eq!(Session::disabled_validators(), [4]);
		next_session();
		assert!(!Session::validators().contains(&eve()));
	});
}

#[test]
fn a_beefy_equivocation_costs_the_bond_once_and_the_reporter_nothing() {
	with_eve(|| {
		let before = ferdie();
		assert_ok!(tell(report_beefy(beefy_votes("Eve", [1, 2]), beefy_owner("Eve"))));
		assert_eq!(ferdie(), before + BOND / 10);
		assert_eq!(bond_of(&eve()), 0);
		assert_eq!(
			tell(report_beefy(beefy_votes("Eve", [1, 3]), beefy_owner("Eve"))),
			Err(pallet_beefy::Error::<Runtime>::DuplicateOffenceReport.into())
		);
		// Who votes for a block to come is the same offender of the same session.
		let future = pallet_beefy::Call::report_future_block_voting {
			equivocation_proof: Box::new(FutureBlockVotingProof {
				vote: beefy_vote("Eve", 1_000, 1),
			}),
			key_owner_proof: beefy_owner("Eve"),
		};
		assert_eq!(
			tell(future.into()),
			Err(pallet_beefy::Error::<Runtime>::DuplicateOffenceReport.into())
		);
	});
}

#[test]
fn a_vote_for_a_block_to_come_costs_the_bond() {
	with_eve(|| {
		let report = |block: BlockNumber| -> RuntimeCall {
			pallet_beefy::Call::report_future_block_voting {
				equivocation_proof: Box::new(FutureBlockVotingProof {
					vote: beefy_vote("Eve", block, 1),
				}),
				key_owner_proof: beefy_owner("Eve"),
			}
			.into()
		};
		assert_eq!(
			tell(report(1)),
			Err(pallet_beefy::Error::<Runtime>::InvalidFutureBlockVotingProof.into())
		);
		assert_ok!(tell(report(1_000)));
		assert_eq!(bond_of(&eve()), 0);
	});
}

#[test]
fn evidence_that_proves_nothing_has_its_error() {
	with_eve(|| {
		type Grandpa = pallet_grandpa::Error<Runtime>;
		type Beefy = pallet_beefy::Error<Runtime>;
		let grandpa = |votes, owner| tell(report_grandpa(votes, owner)).unwrap_err();
		// One vote twice; the votes of one and the key of another.
		assert_eq!(
			grandpa(grandpa_votes("Eve", 5, [1, 1]), grandpa_owner("Eve")),
			Grandpa::InvalidEquivocationProof.into()
		);
		assert_eq!(
			grandpa(grandpa_votes("Eve", 5, [1, 2]), grandpa_owner("Dave")),
			Grandpa::InvalidKeyOwnershipProof.into()
		);
		let stranger = grandpa_votes("Ferdie", 5, [1, 2]);
		assert_eq!(
			grandpa(stranger, grandpa_owner("Eve")),
			Grandpa::InvalidKeyOwnershipProof.into()
		);
		// A set that is none yet, or was before Eve.
		let other_set = |set: SetId| {
			let votes = grandpa_votes("Eve", 5, [1, 2]).encode();
			let mut bytes = set.encode();
			bytes.extend_from_slice(&votes[8..]);
			EquivocationProof::decode(&mut &bytes[..]).unwrap()
		};
		for set in [0, 2] {
			let outcome = grandpa(other_set(set), grandpa_owner("Eve"));
			assert_eq!(outcome, Grandpa::InvalidEquivocationProof.into());
		}
		let beefy = |votes, owner| tell(report_beefy(votes, owner)).unwrap_err();
		assert_eq!(
			beefy(beefy_votes("Eve", [1, 1]), beefy_owner("Eve")),
			Beefy::InvalidDoubleVotingProof.into()
		);
		assert_eq!(
			beefy(beefy_votes("Eve", [1, 2]), beefy_owner("Dave")),
			Beefy::InvalidKeyOwnershipProof.into()
		);
		let owner = MembershipProof {
			session: 1,
			..beefy_owner("Eve")
		};
		assert_eq!(
			beefy(beefy_votes("Eve", [1, 2]), owner),
			Beefy::InvalidEquivocationProofSession.into()
		);
		assert_eq!(bond_of(&eve()), BOND);
	});
}

#[test]
fn neither_new_keys_nor_leaving_nor_time_save_an_offender() {
	let escapes: [&dyn Fn(); 4] = [
		&|| set_keys(Sr25519Keyring::Eve, "One"),
		&|| Session::purge_keys(RuntimeOrigin::signed(eve())).unwrap(),
		&|| Validators::leave(RuntimeOrigin::signed(eve())).unwrap(),
		&|| {
			assert_ok!(Validators::leave(RuntimeOrigin::signed(eve())));
			(0..8).for_each(|_| next_session());
			assert_noop!(
				Validators::withdraw(RuntimeOrigin::signed(eve())),
				pallet_validators::Error::<Runtime>::TooEarly
			);
		},
	];
	for escape in escapes {
		with_eve(|| {
			// The offence, the escape, and only then somebody finds out.
			let votes = grandpa_votes("Eve", 5, [1, 2]);
			let session = Session::current_index();
			let at_once = grandpa_owner("Eve");
			escape();
			let owner = match Session::current_index() == session {
				true => grandpa_owner("Eve"),
				false => at_once.clone(),
			};
			assert_eq!(owner, at_once);
			assert_ok!(tell(report_grandpa(votes, owner)));
			assert_eq!(bond_of(&eve()), 0);
		});
	}
}

#[test]
fn evidence_outlives_its_session_and_dies_with_its_set() {
	with_eve(|| {
		let (votes, owner) = (grandpa_votes("Eve", 5, [1, 2]), grandpa_owner("Eve"));
		let beefy = (beefy_votes("Eve", [1, 2]), beefy_owner("Eve"));
		assert_ok!(Validators::leave(RuntimeOrigin::signed(eve())));
		let session = Session::current_index();
		let run_to = |to: u32| (Session::current_index()..to).for_each(|_| next_session());
		// GRANDPA wants to know the set before as well.
		run_to(session + PROVABLE_SESSIONS - 2);
		assert_ok!(tell(report_beefy(beefy.0.clone(), beefy.1.clone())));
		assert_eq!(bond_of(&eve()), 0);
		assert_ok!(tell(report_grandpa(votes.clone(), owner.clone())));
		run_to(session + PROVABLE_SESSIONS);
		assert_eq!(
			tell(report_grandpa(votes, owner)),
			Err(pallet_grandpa::Error::<Runtime>::InvalidEquivocationProof.into())
		);
		assert_eq!(
			tell(report_beefy(beefy.0, beefy.1)),
			Err(pallet_beefy::Error::<Runtime>::InvalidEquivocationProofSessionMember.into())
		);
		// The bond would have been free two sessions later: she had a seat in the next one.
		run_to(session + PROVABLE_SESSIONS + 1);
		assert_noop!(
			Validators::withdraw(RuntimeOrigin::signed(eve())),
			pallet_validators::Error::<Runtime>::TooEarly
		);
		run_to(session + PROVABLE_SESSIONS + 2);
		assert_ok!(Validators::withdraw(RuntimeOrigin::signed(eve())));
	});
}

#[test]
fn a_validator_of_the_floor_makes_no_blocks_for_two_sessions() {
	with_eve(|| {
		assert_ok!(tell(report_grandpa(
			grandpa_votes("Dave", 5, [1, 2]),
			grandpa_owner("Dave")
		)));
		assert_eq!(Session::disabled_validators(), [3]);
		assert_ok!(tell(report_beefy(beefy_votes("Dave", [1, 2]), beefy_owner("Dave"))));
		next_session();
		assert_eq!(Session::disabled_validators(), [3]);
		next_session();
		assert!(Session::disabled_validators().is_empty());
		assert!(Session::validators().contains(&Sr25519Keyring::Dave.to_account_id()));
	});
}

#[test]
fn a_node_reports_by_itself_and_the_blocks_author_has_nothing_of_it() {
	with_eve(|| {
		let report = |round: u64| {
			UncheckedExtrinsic::new_bare(
				pallet_grandpa::Call::report_equivocation_unsigned {
					equivocation_proof: Box::new(grandpa_votes("Eve", round, [1, 2])),
					key_owner_proof: grandpa_owner("Eve"),
				}
				.into(),
			)
		};
		let validity = |source| Executive::validate_transaction(source, report(5), Hash::zero());
		// From the node's own voter only, and not passed on.
		assert_eq!(
			validity(TransactionSource::External),
			Err(TransactionValidityError::Invalid(InvalidTransaction::Call))
		);
		let valid = validity(TransactionSource::Local).unwrap();
		assert!(!valid.propagate);
		let author = Authorship::author().unwrap();
		let before = Balances::balance(&author);
		assert_ok!(apply(report(5)));
		assert_eq!(bond_of(&eve()), 0);
		assert_eq!(Balances::balance(&author), before);
		assert_eq!(pallet_validators::Burnt::<Runtime>::get(), BOND * 6 / 10);
		// A second node's report of the same is not even let in.
		assert_eq!(
			validity(TransactionSource::Local),
			Err(TransactionValidityError::Invalid(InvalidTransaction::Stale))
		);
		assert_eq!(
			Executive::apply_extrinsic(report(6)),
			Err(TransactionValidityError::Invalid(InvalidTransaction::Stale))
		);
	});
}

#[test]
fn reports_weigh_what_they_do_and_fit_into_a_block_many_times() {
	with_eve(|| {
		let weigh = |call: RuntimeCall| call.get_dispatch_info().call_weight;
		let lying = |owner: MembershipProof| MembershipProof {
			validator_count: u32::MAX,
			..owner
		};
		let (grandpa, beefy) = (grandpa_votes("Eve", 5, [1, 2]), beefy_votes("Eve", [1, 2]));
		let weights = [
			weigh(report_grandpa(grandpa.clone(), grandpa_owner("Eve"))),
			weigh(report_beefy(beefy.clone(), beefy_owner("Eve"))),
		];
		let slash = <weights::pallet_validators::WeightInfo<Runtime> as pallet_validators::WeightInfo>::slash_for();
		let block = configs::RuntimeBlockWeights::get().max_block;
		for weight in weights {
			assert!(weight.ref_time() > slash.ref_time(), "{weight}");
			assert!(weight.ref_time() * 20 < block.ref_time(), "{weight}");
		}
		// What a report says of the number of validators changes nothing.
		assert_eq!(weigh(report_grandpa(grandpa, lying(grandpa_owner("Eve")))), weights[0]);
		assert_eq!(weigh(report_beefy(beefy, lying(beefy_owner("Eve")))), weights[1]);
	});
}
