//! `vectors/bridge.json` is what anyone gets who follows the words of the documentation: this file lays the bytes out by
//! hand and uses nothing of the crate but Keccak-256. That the file is what the generator writes is checked in
//! `vectors.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_primitives::{crypto::keccak256, Hash};
use serde_json::Value;
use std::{env, fs, path::PathBuf};

fn file() -> Value {
	// Where cargo says it is now, which is not where it was built when clones share a build.
	let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("vectors");
	serde_json::from_str(&fs::read_to_string(folder.join("bridge.json")).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
	value.as_array().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
	hex::decode(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

fn hash(value: &Value) -> Hash {
	value.as_str().unwrap().parse().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
	list(value).iter().map(hash).collect()
}

/// A number, big-endian at this width.
fn number(value: &Value, width: usize) -> Vec<u8> {
	let number = value
		.as_u64()
		.map_or_else(|| value.as_str().unwrap().parse().unwrap(), u128::from);
	let mut wide = vec![0; 16];
	wide.extend(number.to_be_bytes());
	wide[32 - width..].to_vec()
}

/// The same, little-endian.
fn little(value: &Value, width: usize) -> Vec<u8> {
	number(value, width).into_iter().rev().collect()
}

fn node(left: &Hash, right: &Hash) -> Hash {
	keccak256(&[&[1], &left.0, &right.0])
}

/// Hash of a hand-made packing.
fn packed(parts: &[Vec<u8>]) -> Hash {
	keccak256(&[&parts.concat()])
}

#[test]
fn accounts_follow_from_addresses() {
	let accounts = &file()["accounts"];
	let domain = accounts["domain"].as_str().unwrap().as_bytes().to_vec();
	for case in list(&accounts["cases"]) {
		let account = packed(&[domain.clone(), little(&case["l2"], 4), bytes(&case["address"])]);
		assert_eq!(hash(&case["account"]), account);
	}
}

#[test]
fn deposits_follow_from_their_fields() {
	let deposits = &file()["deposits"];
	let leaves: Vec<Hash> = list(&deposits["items"])
		.iter()
		.map(|item| {
			let body = bytes(&item["body"]);
			assert_eq!(hash(&item["bodyHash"]), keccak256(&[&body]));
			let leaf = packed(&[
				vec![0],
				number(&item["l2"], 4),
				number(&item["number"], 8),
				number(&item["kind"], 1),
				number(&item["amount"], 16),
				bytes(&item["depositor"]),
				bytes(&item["refundTo"]),
				bytes(&item["bodyHash"]),
			]);
			assert_eq!(hash(&item["leaf"]), leaf);
			let credit = &item["credit"];
			assert_eq!(credit.is_null(), item["kind"] != deposits["creditKind"]);
			if !credit.is_null() {
				let expected = [
					bytes(&credit["account"]),
					number(&credit["escrow"], 16),
					bytes(&credit["sessionKey"]),
					number(&credit["sessionLimit"], 16),
					number(&credit["sessionExpiry"], 4),
					bytes(&credit["sessionProof"]),
				]
				.concat();
				assert_eq!(body, expected);
				assert_eq!(deposits["creditLength"].as_u64(), Some(body.len() as u64));
			}
			assert!(body.len() as u64 <= deposits["maxBody"].as_u64().unwrap());
			leaf
		})
		.collect();
	for tree in list(&deposits["trees"]) {
		let count = tree["count"].as_u64().unwrap() as usize;
		let (mut level, mut empty) = (leaves[..count].to_vec(), Hash([0; 32]));
		for _ in 0..deposits["depth"].as_u64().unwrap() {
			let pairs = level.chunks(2);
			level = pairs
				.map(|pair| node(&pair[0], pair.get(1).unwrap_or(&empty)))
				.collect();
			empty = node(&empty, &empty);
		}
		let root = level.first().copied().unwrap_or(empty);
		assert_eq!(hash(&tree["root"]), root);
		assert_eq!(list(&tree["proofs"]).len(), count);
		for (index, proof) in list(&tree["proofs"]).iter().enumerate() {
			let climb = |below: Hash, (height, sibling): (usize, &Hash)| match index >> height & 1 {
				0 => node(&below, sibling),
				_ => node(sibling, &below),
			};
			let path = hashes(proof);
			assert_eq!(path.iter().enumerate().fold(leaves[index], climb), root);
		}
	}
}

#[test]
fn withdrawals_follow_from_their_fields() {
	/// RFC 6962, 2.1: split at the largest power of two below the width.
	fn root(leaves: &[Hash]) -> Hash {
		match leaves {
			[] => Hash([0; 32]),
			[leaf] => *leaf,
			_ => {
				let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
				node(&root(left), &root(right))
			},
		}
	}
	/// RFC 6962, 2.1.1: siblings from the leaf to the root.
	fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
		if leaves.len() == 1 {
			return vec![];
		}
		let split = leaves.len().next_power_of_two() / 2;
		let (left, right) = leaves.split_at(split);
		let (mut below, sibling) = if index < split {
			(path(index, left), root(right))
		} else {
			(path(index - split, right), root(left))
		};
		below.push(sibling);
		below
	}
	let withdrawals = &file()["withdrawals"];
	let leaf = |item: &Value| {
		let leaf = packed(&[
			vec![0],
			number(&item["l2"], 4),
			number(&item["kind"], 1),
			number(&item["id"], 8),
			bytes(&item["to"]),
			number(&item["amount"], 16),
			number(&item["fee"], 16),
		]);
		assert_eq!(hash(&item["leaf"]), leaf);
		leaf
	};
	let leaves: Vec<Hash> = list(&withdrawals["items"]).iter().map(leaf).collect();
	for tree in list(&withdrawals["trees"]) {
		let leaves = &leaves[..tree["width"].as_u64().unwrap() as usize];
		assert_eq!(hash(&tree["root"]), root(leaves));
		assert_eq!(list(&tree["proofs"]).len(), leaves.len());
		for (index, proof) in list(&tree["proofs"]).iter().enumerate() {
			assert_eq!(hashes(&proof["path"]), path(index, leaves));
			assert_eq!(
				(proof["index"].as_u64(), proof["width"].as_u64()),
				(Some(index as u64), Some(leaves.len() as u64))
			);
		}
	}
}

#[test]
fn attestations_follow_from_their_fields() {
	let case = &file()["attestation"];
	let message = &case["message"];
	let encoded = [
		little(&message["l2"], 4),
		little(&message["kind"], 1),
		little(&message["l2Block"], 8),
		bytes(&message["l2Hash"]),
		bytes(&message["root"]),
		little(&message["count"], 8),
		little(&message["lightClientBlock"], 4),
	]
	.concat();
	assert_eq!(bytes(&case["encoded"]), encoded);
	let domain = case["domain"].as_str().unwrap().as_bytes();
	assert_eq!(
		bytes(&case["payload"]),
		[domain, &bytes(&case["genesis"]), &encoded].concat()
	);
}

#[test]
fn actions_follow_from_eip_712() {
	let actions = &file()["actions"];
	let string = |text: &str| keccak256(&[text.as_bytes()]).0.to_vec();
	let domain = &actions["domain"];
	let separator = packed(&[
		string("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
		string(domain["name"].as_str().unwrap()),
		string(domain["version"].as_str().unwrap()),
		number(&domain["chainId"], 32),
		vec![0; 12],
		bytes(&domain["verifyingContract"]),
	]);
	assert_eq!(hash(&actions["separator"]), separator);
	let types = [
		"Withdraw(address to,uint128 amount,uint128 fee,uint128 tip,uint64 nonce,uint32 deadline)",
		"Unlock(uint128 amount,uint128 tip,uint64 nonce,uint32 deadline)",
		"Collect(uint128 tip,uint64 nonce,uint32 deadline)",
		"Authorize(bytes32 key,uint128 limit,uint32 expiry,uint128 tip,uint64 nonce,uint32 deadline)",
	];
	let mut seen = [0; 4];
	for case in list(&actions["cases"]) {
		let name = case["type"].as_str().unwrap();
		let place = types.iter().position(|t| t.split('(').next() == Some(name)).unwrap();
		seen[place] += 1;
		let fields = types[place].split(['(', ')']).nth(1).unwrap().split(',');
		let mut parts = vec![string(types[place])];
		for field in fields {
			let (kind, name) = field.split_once(' ').unwrap();
			let value = &case["message"][name];
			parts.push(match kind {
				"address" => [vec![0; 12], bytes(value)].concat(),
				"bytes32" => bytes(value),
				_ => number(value, 32),
			});
		}
		let digest = packed(&[vec![0x19, 0x01], separator.0.to_vec(), packed(&parts).0.to_vec()]);
		assert_eq!(hash(&case["digest"]), digest);
	}
	assert!(seen.iter().all(|count| *count > 0));
}

/// The fields of an action's body: its number, and each field with its width.
fn layout(action: &str) -> (u8, &'static [(&'static str, usize)]) {
	match action {
		"withdraw" => (0, &[("to", 20), ("amount", 16), ("fee", 16)]),
		"unlock" => (1, &[("amount", 16)]),
		"collect" => (2, &[]),
		"authorize" => (3, &[("key", 32), ("limit", 16), ("expiry", 4), ("proof", 64)]),
		other => panic!("an action {other}"),
	}
}

#[test]
fn actions_that_are_sent_follow_from_their_fields() {
	let file = file();
	let sent = &file["sent"];
	let mut seen = [0; 4];
	let mut bodies = Vec::new();
	for case in list(&sent["bodies"]) {
		let (which, fields) = layout(case["action"].as_str().unwrap());
		seen[usize::from(which)] += 1;
		let mut body = [number(&sent["version"], 1), vec![which]].concat();
		for (name, width) in fields {
			let value = &case["fields"][name];
			body.extend(match value.as_str().filter(|text| text.starts_with("0x")) {
				Some(_) => bytes(value),
				None => number(value, *width),
			});
		}
		let length = 2 + fields.iter().map(|(_, width)| width).sum::<usize>();
		assert_eq!((body.len(), bytes(&case["body"])), (length, body.clone()));
		bodies.push(body);
	}
	assert!(seen.iter().all(|count| *count > 0));
	let deposits = &file["deposits"];
	let with_actions: Vec<_> = list(&deposits["items"])
		.iter()
		.filter(|item| item["kind"] == deposits["actionKind"])
		.collect();
	assert!(!with_actions.is_empty());
	for item in with_actions {
		assert_eq!(item["amount"], deposits["minAction"]);
		assert_eq!(bytes(&item["body"])[..2], bodies[0][..2]);
	}
}

#[test]
fn what_lets_anybody_bring_an_action_follows_from_eip_712() {
	let file = file();
	let word = |value: &Value| number(value, 32);
	let address = |value: &Value| [vec![0; 12], bytes(value)].concat();
	let type_hash = keccak256(&[
		b"Send(address wallet,uint8 kind,uint128 amount,bytes body,uint128 fee,uint64 nonce,uint64 deadline)",
	]);
	let messages = list(&file["sent"]["messages"]);
	assert!(messages.len() >= 3);
	for case in messages {
		let message = &case["message"];
		let hashed = packed(&[
			type_hash.0.to_vec(),
			address(&message["wallet"]),
			word(&message["kind"]),
			word(&message["amount"]),
			keccak256(&[&bytes(&message["body"])]).0.to_vec(),
			word(&message["fee"]),
			word(&message["nonce"]),
			word(&message["deadline"]),
		]);
		let separator = hash(&file["actions"]["separator"]);
		let digest = packed(&[vec![0x19, 0x01], separator.0.to_vec(), hashed.0.to_vec()]);
		assert_eq!(hash(&case["digest"]), digest);
	}
}

#[test]
fn commitments_cover_the_leaves_that_proofs_lead_from() {
	let mmr = &file()["mmr"];
	let leaves: Vec<Hash> = list(&mmr["leaves"])
		.iter()
		.map(|leaf| {
			let encoded = bytes(&leaf["encoded"]);
			assert_eq!((encoded.len(), hash(&leaf["hash"])), (113, keccak256(&[&encoded])));
			assert_eq!(encoded[81..], bytes(&leaf["leafExtra"]));
			hash(&leaf["hash"])
		})
		.collect();
	for range in list(&mmr["mmrs"]) {
		let root = hash(&range["root"]);
		for proof in list(&range["proofs"]) {
			let order: u64 = proof["order"].as_str().unwrap().parse().unwrap();
			let climb = |below: Hash, (place, sibling): (usize, &Hash)| match order >> place & 1 {
				0 => keccak256(&[&below.0, &sibling.0]),
				_ => keccak256(&[&sibling.0, &below.0]),
			};
			let index = proof["index"].as_u64().unwrap() as usize;
			let items = hashes(&proof["items"]);
			assert_eq!(items.iter().enumerate().fold(leaves[index], climb), root);
		}
		let commitment = &range["commitment"];
		let encoded = bytes(&commitment["encoded"]);
		assert_eq!(encoded[..4], *b"\x04mh\x80");
		assert_eq!(encoded[4..36], root.0);
		assert_eq!(hash(&commitment["digest"]), keccak256(&[&encoded]));
	}
}
