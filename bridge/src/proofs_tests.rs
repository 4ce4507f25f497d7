//! Proofs from the chain's words to the contracts', with the vectors that the contracts' own tests read.

use super::*;
use clustercast_primitives::bridge::beefy::MmrProof;
use codec::DecodeAll;
use serde_json::Value;
use std::{fs, path::Path, str::FromStr};

fn vectors() -> Value {
	let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../primitives/vectors/bridge.json");
	serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn parsed<T: FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
	value.as_str().unwrap().parse().unwrap()
}

fn raw(value: &Value) -> Vec<u8> {
	hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> T) -> Vec<T> {
	value.as_array().unwrap().iter().map(item).collect()
}

/// Validators of set `n`: there are `4 + n`.
fn validators(vectors: &Value, set: u64) -> Vec<Address> {
	let of = |keyset: &&Value| keyset["addresses"].as_array().unwrap().len() as u64 == 4 + set;
	let keysets = vectors["keysets"].as_array().unwrap();
	list(&keysets.iter().find(of).unwrap()["addresses"], parsed)
}

/// What BEEFY signed of block `count`, by all of its set.
fn justification(vectors: &Value, count: usize) -> Justification {
	let commitment = &vectors["mmr"]["mmrs"][count - 1]["commitment"];
	Justification {
		commitment: Commitment::decode(&raw(&commitment["encoded"])).unwrap(),
		signatures: list(&commitment["signatures"], |s| {
			let mut signature: [u8; 65] = raw(s).try_into().unwrap();
			// As BEEFY has them: the recovery id alone.
			signature[64] -= 27;
			Some(signature)
		}),
	}
}

/// Leaf number `index` under the root over `count` leaves.
fn proven(vectors: &Value, index: usize, count: usize) -> ProvenLeaf {
	let proof = &vectors["mmr"]["mmrs"][count - 1]["proofs"][index];
	let items = list(&proof["substrateItems"], parsed);
	ProvenLeaf {
		leaf: MmrLeaf::decode_all(&mut &raw(&vectors["mmr"]["leaves"][index]["encoded"])[..]).unwrap(),
		proof: MmrProof::from_items(index as u64, count as u64, &items).unwrap(),
	}
}

fn root(vectors: &Value, count: usize) -> B256 {
	parsed(&vectors["mmr"]["mmrs"][count - 1]["root"])
}

#[test]
fn commitment_is_shown_with_as_many_signatures_as_are_needed() {
	let vectors = vectors();
	let (justification, members) = (justification(&vectors, 11), validators(&vectors, 1));
	let expected = commitment_of(1, &members);
	let (commitment, signed) = signed(&justification, members.clone(), &expected).unwrap();
	assert_eq!((commitment.blockNumber, commitment.setId), (11, 1));
	assert_eq!(commitment.mmrRoot, root(&vectors, 11));
	assert_eq!(signed.validators, members);
	assert_eq!(signed.signers, U256::from(0b1111), "four of five are enough");
	assert_eq!(signed.signatures.len(), 4);
	let digest: B256 = parsed(&vectors["mmr"]["mmrs"][10]["commitment"]["digest"]);
	for (compact, validator) in signed.signatures.iter().zip(&members) {
		let erc2098 = [compact.r.0, compact.vs.0].concat();
		let signature = Signature::from_erc2098(&erc2098);
		assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), *validator);
	}
}

#[test]
fn the_higher_of_a_keys_two_signatures_is_as_good_as_the_lower() {
	let vectors = vectors();
	let (good, members) = (justification(&vectors, 11), validators(&vectors, 1));
	let expected = commitment_of(1, &members);
	let mut high = good.clone();
	for given in high.signatures.iter_mut().flatten() {
		let signature = Signature::from_raw_array(given).unwrap();
		let order = U256::from_str_radix("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", 16);
		*given = Signature::new(signature.r(), order.unwrap() - signature.s(), !signature.v()).as_bytes();
	}
	assert_ne!(high, good);
	assert_eq!(
		signed(&high, members.clone(), &expected),
		signed(&good, members, &expected)
	);
}

#[test]
fn signatures_that_do_not_hold_are_left_out() {
	let vectors = vectors();
	let (good, members) = (justification(&vectors, 11), validators(&vectors, 1));
	let expected = commitment_of(1, &members);
	// By another validator; none; of another message; twice the same.
	let changes: [fn(&mut Justification); 4] = [
		|j| j.signatures.swap(0, 1),
		|j| (j.signatures[0], j.signatures[1]) = (None, None),
		|j| j.commitment.block += 1,
		|j| j.signatures[1] = j.signatures[0],
	];
	let valid = [3, 3, 0, 4];
	for (change, valid) in changes.into_iter().zip(valid) {
		let mut justification = good.clone();
		change(&mut justification);
		let shown = signed(&justification, members.clone(), &expected);
		match valid {
			4.. => assert_eq!(shown.unwrap().1.signers, U256::from(0b11101)),
			valid => assert_eq!(
				shown.unwrap_err(),
				ProofError::Signatures {
					set: 1,
					valid,
					needed: 4
				}
			),
		}
	}
}

#[test]
fn sets_that_the_light_client_does_not_expect_are_refused() {
	let vectors = vectors();
	let (justification, members) = (justification(&vectors, 11), validators(&vectors, 1));
	let other = commitment_of(0, &validators(&vectors, 0));
	assert_eq!(
		signed(&justification, members.clone(), &other).unwrap_err(),
		ProofError::Set { expected: 0, found: 1 }
	);
	let expected = commitment_of(1, &members);
	let mut swapped = members.clone();
	swapped.swap(0, 1);
	for others in [swapped, members[..4].to_vec(), validators(&vectors, 0)] {
		let error = signed(&justification, others, &expected).unwrap_err();
		assert_eq!(error, ProofError::Validators(1));
	}
}

#[test]
fn keyset_commitments_are_those_of_the_vectors() {
	for keyset in vectors()["keysets"].as_array().unwrap() {
		let members: Vec<Address> = list(&keyset["addresses"], parsed);
		let commitment: B256 = parsed(&keyset["commitment"]);
		assert_eq!(commitment_of(7, &members).commitment, commitment);
	}
}

#[test]
fn compressed_keys_are_addresses() {
	// The generator: the key whose secret is one, and the address known of it.
	let mut key = [0; 33];
	key[0] = 2;
	key[1..].copy_from_slice(&hex::decode("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap());
	let set = |validators| ValidatorSet { validators, id: 0 };
	let known: Address = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf".parse().unwrap();
	assert_eq!(addresses(&set(vec![key])).unwrap(), [known]);
	assert_eq!(addresses(&set(vec![key, [9; 33]])).unwrap_err(), ProofError::Key(1));
}

#[test]
fn every_leaf_leads_to_the_root_and_to_no_other() {
	let vectors = vectors();
	for count in 1..=11 {
		for index in 0..count {
			let proven = proven(&vectors, index, count);
			let (words, way) = leaf(&proven, &root(&vectors, count)).unwrap();
			let proof = &vectors["mmr"]["mmrs"][count - 1]["proofs"][index];
			assert_eq!(
				way.order,
				U256::from(proof["order"].as_u64().unwrap_or_else(|| parsed(&proof["order"])))
			);
			assert_eq!(way.siblings, list(&proof["items"], parsed::<B256>));
			assert_eq!(words.parentNumber as usize, index);
			let error = leaf(&proven, &B256::repeat_byte(9)).unwrap_err();
			assert_eq!(error, ProofError::Leaf(index as u32 + 1));
			let mut forged = proven.clone();
			forged.leaf.leaf_extra.0[0] ^= 1;
			assert!(leaf(&forged, &root(&vectors, count)).is_err());
		}
	}
}

#[test]
fn hand_over_needs_the_leaf_that_names_the_set_after() {
	let vectors = vectors();
	let root = root(&vectors, 11);
	let (words, _) = successor(&proven(&vectors, 10, 11), &root, 1).unwrap();
	assert_eq!(words.nextSetId, 2);
	let before = successor(&proven(&vectors, 3, 11), &root, 1).unwrap_err();
	assert_eq!(before, ProofError::NextSet { expected: 2, found: 1 });
}

/// The first `width` withdrawals of the vectors, which is what their blocks release.
fn released(vectors: &Value, width: usize) -> Vec<Withdrawal> {
	let items = vectors["withdrawals"]["items"].as_array().unwrap();
	let number = |value: &Value| value.as_u64().unwrap_or_else(|| parsed(value));
	let withdrawal = |item: &Value| Withdrawal {
		l2: number(&item["l2"]) as u32,
		kind: number(&item["kind"]) as u8,
		id: number(&item["id"]),
		to: parsed(&item["to"]),
		amount: parsed(&item["amount"]),
		fee: parsed(&item["fee"]),
	};
	items[..width].iter().map(withdrawal).collect()
}

#[test]
fn withdrawal_is_proven_under_leaf_and_root() {
	let vectors = vectors();
	let root = root(&vectors, 11);
	// Block 4 is leaf 3 and releases three.
	let (released, proven) = (released(&vectors, 3), proven(&vectors, 3, 11));
	for index in 0..3 {
		let place = WithdrawalPlace {
			block: 4,
			index,
			width: 3,
		};
		let (outgoing, proof) = withdrawal(&released, &place, &proven, &root, 5).unwrap();
		let known = &released[index as usize];
		assert_eq!(
			(outgoing.l2, outgoing.kind, outgoing.id),
			(known.l2, known.kind, known.id)
		);
		assert_eq!((proof.outgoing.index, proof.outgoing.width, proof.slot), (index, 3, 5));
		let path = &vectors["withdrawals"]["trees"][3]["proofs"][index as usize]["path"];
		assert_eq!(proof.outgoing.siblings, list(path, parsed::<B256>));

		let other_root = withdrawal(&released, &place, &proven, &B256::ZERO, 5).unwrap_err();
		assert_eq!(other_root, ProofError::Leaf(4));
		let fewer = withdrawal(&released[..2], &place, &proven, &root, 5).unwrap_err();
		let siblings = ProofError::Siblings {
			block: 4,
			width: 3,
			found: 2,
		};
		assert_eq!(fewer, siblings);
		let mut forged = released.clone();
		forged[index as usize].amount += 1;
		let forged = withdrawal(&forged, &place, &proven, &root, 5).unwrap_err();
		assert_eq!(forged, ProofError::Withdrawal(released[index as usize].id));
	}
	let outside = WithdrawalPlace {
		block: 4,
		index: 3,
		width: 3,
	};
	assert!(matches!(
		withdrawal(&released, &outside, &proven, &root, 5),
		Err(ProofError::Siblings { .. })
	));
}

/// The deposits of the vectors.
fn recorded(vectors: &Value) -> Vec<Deposit> {
	let number = |value: &Value| value.as_u64().unwrap_or_else(|| parsed(value));
	list(&vectors["deposits"]["items"], |item| Deposit {
		l2: number(&item["l2"]) as u32,
		number: number(&item["number"]),
		kind: number(&item["kind"]) as u8,
		amount: parsed(&item["amount"]),
		depositor: parsed(&item["depositor"]),
		refund_to: parsed(&item["refundTo"]),
		body: raw(&item["body"]).try_into().unwrap(),
	})
}

#[test]
fn deposits_are_proven_under_the_attested_root_only() {
	let vectors = vectors();
	let all = recorded(&vectors);
	for tree in vectors["deposits"]["trees"].as_array().unwrap() {
		let count = tree["count"].as_u64().unwrap_or_else(|| parsed(&tree["count"]));
		let attested = Attestation {
			l2: 8_453,
			kind: 0,
			l2_block: 8,
			l2_hash: Hash([1; 32]),
			root: parsed(&tree["root"]),
			count,
			light_client_block: 1,
		};
		// Deposits after the attestation do not matter.
		let proven = deposits(&all, &attested, 0, 32).unwrap();
		assert_eq!(proven.len() as u64, count);
		for (proven, siblings) in proven.iter().zip(tree["proofs"].as_array().unwrap()) {
			assert_eq!(proven.proof.0.to_vec(), list(siblings, parsed::<Hash>));
		}
		if count > 1 {
			assert_eq!(deposits(&all, &attested, 1, 1).unwrap()[0].deposit, all[1]);
			let mut forged = all.clone();
			forged[0].amount += 1;
			assert_eq!(
				deposits(&forged, &attested, 0, 32).unwrap_err(),
				ProofError::Deposits { count }
			);
			let mut gap = all.clone();
			gap.remove(0);
			gap.push(all[0].clone());
			assert_eq!(
				deposits(&gap, &attested, 0, 32).unwrap_err(),
				ProofError::Deposits { count }
			);
			let missing = ProofError::MissingDeposits {
				attested: count,
				found: count - 1,
			};
			assert_eq!(
				deposits(&all[..count as usize - 1], &attested, 0, 32).unwrap_err(),
				missing
			);
		}
	}
}
