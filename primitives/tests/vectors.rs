//! The committed vector files are what the generator writes, and what anyone gets who follows the words of the
//! protocol: the second half of this file reads nothing but the files and lays the bytes out by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/vectors/cases.rs"]
mod cases;

use clustercast_primitives::{
	amount,
	crypto::{sha256, KeyPair, PublicKey, Signature},
	merkle::{self, Proof},
	Hash, WinningTicket,
};
use codec::DecodeAll;
use serde_json::Value;
use std::{env, fs, path::PathBuf};

/// Where cargo says it is now, which is not where it was built when clones share a build.
fn folder() -> PathBuf {
	PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("vectors")
}

fn read(name: &str) -> Value {
	serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
	read(name)["cases"].as_array().unwrap().clone()
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

/// A number that is written as text.
fn wide(value: &Value) -> u128 {
	value.as_str().unwrap().parse().unwrap()
}

fn narrow(value: &Value) -> u64 {
	value.as_u64().unwrap()
}

/// Lays out fields as SCALE does: integers little-endian, bytes as they are.
#[derive(Default)]
struct Layout(Vec<u8>);

impl Layout {
	fn bytes(mut self, value: &Value) -> Self {
		self.0.extend(bytes(value));
		self
	}

	/// The lowest `width` bytes of a number.
	fn number(mut self, value: &Value, width: usize) -> Self {
		let number = value.as_u64().map_or_else(|| wide(value), u128::from);
		self.0.extend(&number.to_le_bytes()[..width]);
		self
	}

	fn window(self, id: &Value) -> Self {
		self.number(&id["stream"], 8)
			.number(&id["rendition"], 1)
			.number(&id["segment"], 8)
			.number(&id["part"], 2)
	}
}

/// Encoding, payload and signature of a case are what its fields say.
fn check_signed(case: &Value, encoded: Layout) {
	assert_eq!(bytes(&case["encoded"]), encoded.0);
	let domain = case["domain"].as_str().unwrap();
	assert!(domain.starts_with("clustercast/") && domain.ends_with("/v1"));
	let payload = [domain.as_bytes(), &bytes(&case["genesis"]), &encoded.0].concat();
	assert_eq!(bytes(&case["payload"]), payload);
	let key: PublicKey = case["publicKey"].as_str().unwrap().parse().unwrap();
	let pair = KeyPair::from_seed(bytes(&case["seed"]).try_into().unwrap());
	let signature: Signature = case["signature"].as_str().unwrap().parse().unwrap();
	assert_eq!((pair.public(), pair.sign_bytes(&payload)), (key, signature));
	assert_eq!(key.verify(&payload, &signature), Ok(()));
}

#[test]
fn committed_files_are_what_the_generator_writes() {
	let mut names: Vec<String> = fs::read_dir(folder())
		.unwrap()
		.map(|entry| entry.unwrap().file_name().into_string().unwrap())
		.collect();
	let mut expected: Vec<String> = Vec::new();
	for (name, vectors) in cases::files() {
		assert!(read(name) == vectors, "{name} is stale: run the `vectors` example");
		expected.push(name.into());
	}
	names.sort();
	expected.sort();
	assert_eq!(names, expected);
}

#[test]
fn merkle_trees_follow_from_their_inputs() {
	/// RFC 6962, 2.1: split at the largest power of two below the width.
	fn reference(leaves: &[Hash]) -> Hash {
		match leaves {
			[] => sha256(&[]),
			[leaf] => *leaf,
			_ => {
				let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
				sha256(&[&[1], &reference(left).0, &reference(right).0])
			},
		}
	}
	let file = read("merkle.json");
	assert_eq!(hash(&file["emptyRoot"]), reference(&[]));
	for tree in list(&file["trees"]) {
		let leaves: Vec<Hash> = list(&tree["leaves"]).iter().map(hash).collect();
		let inputs = list(&tree["inputs"]).iter().map(|input| sha256(&[&[0], &bytes(input)]));
		assert!(inputs.eq(leaves.iter().copied()));
		let root = hash(&tree["root"]);
		assert_eq!(root, reference(&leaves));
		assert_eq!(list(&tree["proofs"]).len(), leaves.len());
		for (index, proof) in list(&tree["proofs"]).iter().enumerate() {
			let proof = Proof {
				index: narrow(&proof["index"]) as u16,
				width: narrow(&proof["width"]) as u16,
				path: list(&proof["path"]).iter().map(hash).collect(),
			};
			assert_eq!(
				(usize::from(proof.index), usize::from(proof.width)),
				(index, leaves.len())
			);
			assert!(proof.verify(&root, &leaves[index]));
		}
	}
	for window in list(&file["windows"]) {
		let (len, seed) = (narrow(&window["bytes"]), narrow(&window["seed"]));
		let media: Vec<u8> = (0..len).map(|i| ((i * 31 + seed) % 251) as u8).collect();
		let chunk = narrow(&file["chunkBytes"]) as usize;
		let leaves: Vec<Hash> = media.chunks(chunk).map(|chunk| sha256(&[&[0], chunk])).collect();
		assert_eq!(list(&window["leaves"]).iter().map(hash).collect::<Vec<_>>(), leaves);
		assert_eq!(hash(&window["root"]), reference(&leaves));
	}
}

#[test]
fn window_headers_follow_from_their_fields() {
	let mut previous = Hash([0; 32]);
	for case in cases("window.json") {
		let header = &case["message"];
		let encoded = Layout::default()
			.window(&header["id"])
			.number(&header["flags"], 1)
			.number(&header["startMs"], 8)
			.number(&header["durationMs"], 4)
			.number(&header["bytes"], 4)
			.number(&header["chunks"], 2)
			.bytes(&header["root"])
			.bytes(&header["init"])
			.bytes(&header["previous"]);
		assert_eq!(hash(&header["previous"]), previous);
		previous = sha256(&[&encoded.0]);
		assert_eq!(hash(&case["hash"]), previous);
		check_signed(&case, encoded);
	}
}

#[test]
fn receipts_follow_from_their_fields() {
	for case in cases("receipt.json") {
		let receipt = &case["message"];
		let encoded = Layout::default()
			.bytes(&receipt["session"])
			.window(&receipt["window"])
			.bytes(&receipt["root"])
			.bytes(&receipt["delivered"])
			.number(&receipt["bytes"], 4)
			.number(&receipt["pricePerGb"], 8)
			.bytes(&receipt["commitment"]);
		check_signed(&case, encoded);
	}
}

#[test]
fn tickets_follow_from_their_fields_and_the_relayers_secret() {
	let file = read("ticket.json");
	let domain = |name: &str| file[name].as_str().unwrap().as_bytes().to_vec();
	let (secret, salt) = (bytes(&file["secret"]), bytes(&file["salt"]));
	let mut outcomes = [0, 0];
	for case in list(&file["cases"]) {
		let ticket = &case["message"];
		let encoded = Layout::default()
			.bytes(&ticket["sender"])
			.bytes(&ticket["session"])
			.bytes(&ticket["recipient"])
			.window(&ticket["window"])
			.number(&ticket["bytes"], 4)
			.number(&ticket["faceValue"], 16)
			.number(&ticket["winProbability"], 8)
			.bytes(&ticket["commitment"])
			.number(&ticket["nonce"], 4)
			.number(&ticket["expiry"], 4);
		let signature = bytes(&case["signature"]);
		let signed = [&encoded.0[..], &signature].concat();
		check_signed(case, encoded);

		let serial = (wide(&case["serial"]) as u64).to_le_bytes();
		let session = bytes(&ticket["session"]);
		let rand = sha256(&[&domain("randDomain"), &secret, &session, &salt, &serial]);
		assert_eq!(hash(&case["rand"]), rand);
		let commitment = sha256(&[&domain("commitmentDomain"), &rand.0]);
		assert_eq!(hash(&ticket["commitment"]), commitment);
		let draw = sha256(&[&domain("outcomeDomain"), &signature, &rand.0]).0;
		let draw = u64::from_be_bytes(draw[..8].try_into().unwrap());
		let wins = u128::from(draw) < wide(&ticket["winProbability"]);
		assert_eq!(case["wins"].as_bool(), Some(wins));
		outcomes[usize::from(wins)] += 1;

		assert_eq!(hash(&case["id"]), sha256(&[&signed]));
		let winning = [&signed[..], &rand.0].concat();
		assert_eq!(bytes(&case["winningTicket"]), winning);
		let decoded = WinningTicket::decode_all(&mut &winning[..]).unwrap();
		assert_eq!(decoded.is_winner(), wins);
	}
	assert!(
		outcomes.iter().all(|count| *count > 1),
		"both outcomes are among the cases"
	);
}

#[test]
fn vouchers_and_tips_follow_from_their_fields() {
	for case in cases("voucher.json") {
		let voucher = &case["message"];
		let encoded = Layout::default()
			.bytes(&voucher["sender"])
			.bytes(&voucher["session"])
			.bytes(&voucher["recipient"])
			.number(&voucher["stream"], 8)
			.number(&voucher["amount"], 16)
			.number(&voucher["bytes"], 8)
			.number(&voucher["expiry"], 4);
		check_signed(&case, encoded);
	}
	for case in cases("tip.json") {
		let tip = &case["message"];
		let encoded = Layout::default()
			.bytes(&tip["sender"])
			.bytes(&tip["session"])
			.number(&tip["stream"], 8)
			.number(&tip["amount"], 16)
			.number(&tip["reward"], 16)
			.number(&tip["nonce"], 4)
			.number(&tip["expiry"], 4);
		check_signed(&case, encoded);
	}
}

#[test]
fn win_probabilities_follow_from_long_division() {
	/// `floor(owed x 2^64 / unit)` bit by bit.
	fn quotient(owed: u128, unit: u128) -> u64 {
		let (mut rest, mut quotient) = (owed, 0);
		for _ in 0..64 {
			rest *= 2;
			quotient = quotient << 1 | u64::from(rest >= unit);
			rest -= if rest >= unit { unit } else { 0 };
		}
		quotient
	}
	let file = read("win_probability.json");
	let mut kinds = [0, 0];
	for case in list(&file["cases"]) {
		let (paid, price, face) = (
			narrow(&case["bytes"]),
			wide(&case["pricePerGb"]),
			wide(&case["faceValue"]),
		);
		let owed = u128::from(paid) * price;
		assert_eq!(wide(&case["cost"]), owed / 1_000_000);
		let expected = face
			.checked_mul(1_000_000)
			.filter(|unit| owed < *unit && *unit >> 96 == 0 && price <= wide(&file["maxPricePerGb"]))
			.map(|unit| quotient(owed, unit));
		kinds[usize::from(expected.is_some())] += 1;
		assert_eq!(
			case["winProbability"].as_str().map(str::to_owned),
			expected.map(|p| p.to_string())
		);
		assert_eq!(amount::win_probability(paid as u32, price as u64, face), expected);
	}
	assert!(kinds.iter().all(|count| *count > 1), "both kinds are among the cases");
}

#[test]
fn relayer_proofs_follow_from_their_fields() {
	for case in cases("relayer_proof.json") {
		check_signed(&case, Layout::default().bytes(&case["message"]["account"]));
	}
}

#[test]
fn chunk_rule_is_the_files() {
	assert_eq!(narrow(&read("merkle.json")["chunkBytes"]), merkle::CHUNK_BYTES as u64);
}
