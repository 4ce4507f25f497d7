//! What the vector files hold. Bytes are `0x` hex, `u64` and wider are decimal strings, smaller numbers are numbers.

mod bridge;

use clustercast_primitives::{
	amount,
	chain::RelayerProof,
	crypto::{KeyPair, SignedMessage},
	merkle::{self, Proof},
	ticket,
	window::flags,
	AccountId, Hash, Receipt, Signed, StreamId, Ticket, Tip, Voucher, WindowHeader, WindowId, WinningTicket,
};
use codec::Encode;
use serde_json::{json, Value};

/// Genesis hash in every payload.
const GENESIS: Hash = Hash([0x47; 32]);

/// Seeds of the keys that sign.
const STREAM_SEED: [u8; 32] = [1; 32];
const RELAYER_SEED: [u8; 32] = [2; 32];
const SESSION_SEED: [u8; 32] = [3; 32];

/// Name and content of each file.
pub fn files() -> Vec<(&'static str, Value)> {
	vec![
		("merkle.json", merkle_vectors()),
		("window.json", window_vectors()),
		("receipt.json", receipt_vectors()),
		("ticket.json", ticket_vectors()),
		("voucher.json", voucher_vectors()),
		("tip.json", tip_vectors()),
		("win_probability.json", win_probability_vectors()),
		("relayer_proof.json", relayer_proof_vectors()),
		("bridge.json", bridge::vectors()),
	]
}

fn bytes(raw: impl AsRef<[u8]>) -> String {
	format!("0x{}", hex::encode(raw))
}

fn text(number: impl Into<u128>) -> String {
	number.into().to_string()
}

fn hashes(all: &[Hash]) -> Vec<String> {
	all.iter().map(Hash::to_string).collect()
}

/// Media bytes by rule, so that the files stay short: byte `i` is `i x 31 + seed`, modulo 251.
fn media(len: usize, seed: usize) -> Vec<u8> {
	(0..len).map(|i| ((i * 31 + seed) % 251) as u8).collect()
}

fn window_id() -> WindowId {
	WindowId {
		stream: StreamId(7),
		rendition: 0,
		segment: 1_234_567,
		part: 2,
	}
}

fn id_json(id: &WindowId) -> Value {
	json!({
		"stream": text(id.stream.0),
		"rendition": id.rendition,
		"segment": text(id.segment),
		"part": id.part,
	})
}

/// A signed message: its fields, what is signed, and the signature.
fn signed_json<T: SignedMessage>(seed: [u8; 32], signed: &Signed<T>, message: Value) -> Value {
	json!({
		"seed": bytes(seed),
		"publicKey": KeyPair::from_seed(seed).public().to_string(),
		"genesis": GENESIS.to_string(),
		"domain": String::from_utf8_lossy(T::DOMAIN),
		"message": message,
		"encoded": bytes(signed.message.encode()),
		"payload": bytes(signed.message.signing_payload(&GENESIS)),
		"signature": signed.signature.to_string(),
	})
}

fn merkle_vectors() -> Value {
	let tree = |width: usize| {
		let inputs: Vec<Vec<u8>> = (0..width).map(|leaf| media(leaf * 5, leaf)).collect();
		let leaves: Vec<Hash> = inputs.iter().map(|input| merkle::leaf_hash(input)).collect();
		let proofs: Vec<Value> = (0..width as u16)
			.filter_map(|index| Proof::new(&leaves, index))
			.map(|proof| {
				json!({
					"index": proof.index,
					"width": proof.width,
					"path": hashes(&proof.path),
				})
			})
			.collect();
		json!({
			"inputs": inputs.iter().map(bytes).collect::<Vec<_>>(),
			"leaves": hashes(&leaves),
			"root": merkle::root(&leaves).to_string(),
			"proofs": proofs,
		})
	};
	let window = |len: usize| {
		let leaves = merkle::leaves(&media(len, 9));
		json!({
			"rule": "byte i is (i * 31 + seed) mod 251",
			"seed": 9,
			"bytes": len,
			"leaves": hashes(&leaves),
			"root": merkle::root(&leaves).to_string(),
		})
	};
	let trees = [1, 2, 3, 4, 5, 7, 8, 13].map(tree);
	let windows = [1, 16_384, 16_385, 375_000].map(window);
	json!({
		"chunkBytes": merkle::CHUNK_BYTES,
		"emptyRoot": merkle::root(&[]).to_string(),
		"trees": trees,
		"windows": windows,
	})
}

fn window_vectors() -> Value {
	let key = KeyPair::from_seed(STREAM_SEED);
	let case = |id: WindowId, flags: u8, len: usize, previous: Hash| {
		let leaves = merkle::leaves(&media(len, 9));
		let header = WindowHeader {
			id,
			flags,
			start_ms: 1_700_000_000_123,
			duration_ms: 2_000,
			bytes: len as u32,
			chunks: leaves.len() as u16,
			root: merkle::root(&leaves),
			init: merkle::leaf_hash(b"ftyp moov"),
			previous,
		};
		let message = json!({
			"id": id_json(&header.id),
			"flags": header.flags,
			"startMs": text(header.start_ms),
			"durationMs": header.duration_ms,
			"bytes": header.bytes,
			"chunks": header.chunks,
			"root": header.root.to_string(),
			"init": header.init.to_string(),
			"previous": header.previous.to_string(),
		});
		let hash = header.hash();
		let mut value = signed_json(STREAM_SEED, &key.sign(header, &GENESIS), message);
		value["hash"] = json!(hash.to_string());
		(hash, value)
	};
	let first = WindowId {
		stream: StreamId(7),
		..WindowId::default()
	};
	let (previous, first) = case(first, flags::INDEPENDENT | flags::LAST_PART, 375_000, Hash([0; 32]));
	let (_, second) = case(window_id(), flags::DISCONTINUITY, 1, previous);
	json!({ "cases": [first, second] })
}

fn receipt_vectors() -> Value {
	let receipt = Receipt {
		session: KeyPair::from_seed(SESSION_SEED).public(),
		window: window_id(),
		root: Hash([0x11; 32]),
		delivered: Hash([0x12; 32]),
		bytes: 375_000,
		price_per_gb: 2_000_000,
		commitment: Hash([0x13; 32]),
	};
	let message = json!({
		"session": receipt.session.to_string(),
		"window": id_json(&receipt.window),
		"root": receipt.root.to_string(),
		"delivered": receipt.delivered.to_string(),
		"bytes": receipt.bytes,
		"pricePerGb": text(receipt.price_per_gb),
		"commitment": receipt.commitment.to_string(),
	});
	let signed = KeyPair::from_seed(RELAYER_SEED).sign(receipt, &GENESIS);
	json!({ "cases": [signed_json(RELAYER_SEED, &signed, message)] })
}

fn ticket_vectors() -> Value {
	let key = KeyPair::from_seed(SESSION_SEED);
	let (secret, salt) = ([0x21; 32], [0x22; 16]);
	let case = |serial: u64, bytes_paid: u32, face_value: u128, win_probability: u64| {
		let rand = ticket::rand(&secret, &key.public(), &salt, serial);
		let message = Ticket {
			sender: AccountId([0x31; 32]),
			session: key.public(),
			recipient: AccountId([0x32; 32]),
			window: window_id(),
			bytes: bytes_paid,
			face_value,
			win_probability,
			commitment: ticket::commitment(&rand),
			nonce: 8_191 - serial as u32,
			expiry: 123_456,
		};
		let fields = json!({
			"sender": message.sender.to_string(),
			"session": message.session.to_string(),
			"recipient": message.recipient.to_string(),
			"window": id_json(&message.window),
			"bytes": message.bytes,
			"faceValue": text(message.face_value),
			"winProbability": text(message.win_probability),
			"commitment": message.commitment.to_string(),
			"nonce": message.nonce,
			"expiry": message.expiry,
		});
		let winning = WinningTicket {
			signed: key.sign(message, &GENESIS),
			rand,
		};
		let mut value = signed_json(SESSION_SEED, &winning.signed, fields);
		value["serial"] = json!(text(serial));
		value["rand"] = json!(rand.to_string());
		value["wins"] = json!(winning.is_winner());
		value["id"] = json!(winning.id().to_string());
		value["winningTicket"] = json!(bytes(winning.encode()));
		value
	};
	let fair = amount::win_probability(375_000, 2_000, 50_000).unwrap_or(0);
	let mut cases = vec![case(0, 375_000, 50_000, 0), case(1, 375_000, u128::MAX, u64::MAX)];
	cases.extend((2..10).map(|serial| case(serial, 375_000, 50_000, 1 << 63)));
	cases.extend((10..12).map(|serial| case(serial, 375_000, 50_000, fair)));
	json!({
		"randDomain": "clustercast/rand/v1",
		"commitmentDomain": "clustercast/commitment/v1",
		"outcomeDomain": "clustercast/outcome/v1",
		"secret": bytes(secret),
		"salt": bytes(salt),
		"cases": cases,
	})
}

fn voucher_vectors() -> Value {
	let key = KeyPair::from_seed(SESSION_SEED);
	let case = |amount: u128, total_bytes: u64| {
		let message = Voucher {
			sender: AccountId([0x31; 32]),
			session: key.public(),
			recipient: AccountId([0x32; 32]),
			stream: StreamId(7),
			amount,
			bytes: total_bytes,
			expiry: 123_456,
		};
		let fields = json!({
			"sender": message.sender.to_string(),
			"session": message.session.to_string(),
			"recipient": message.recipient.to_string(),
			"stream": text(message.stream.0),
			"amount": text(message.amount),
			"bytes": text(message.bytes),
			"expiry": message.expiry,
		});
		signed_json(SESSION_SEED, &key.sign(message, &GENESIS), fields)
	};
	json!({ "cases": [case(0, 0), case(2_000_000, 1_000_000_000), case(u128::MAX, u64::MAX)] })
}

fn tip_vectors() -> Value {
	let key = KeyPair::from_seed(SESSION_SEED);
	let case = |amount: u128, reward: u128| {
		let message = Tip {
			sender: AccountId([0x31; 32]),
			session: key.public(),
			stream: StreamId(7),
			amount,
			reward,
			nonce: 8_191,
			expiry: 123_456,
		};
		let fields = json!({
			"sender": message.sender.to_string(),
			"session": message.session.to_string(),
			"stream": text(message.stream.0),
			"amount": text(message.amount),
			"reward": text(message.reward),
			"nonce": message.nonce,
			"expiry": message.expiry,
		});
		signed_json(SESSION_SEED, &key.sign(message, &GENESIS), fields)
	};
	json!({ "cases": [case(0, 0), case(1_000_000, 1_000), case(u128::MAX, u128::MAX)] })
}

fn win_probability_vectors() -> Value {
	let max_price = amount::MAX_PRICE_PER_GB;
	let cases = [
		(0, 0, 1),
		(0, 2_000, 50_000),
		(1, 1, 1),
		(1, 1, u128::from(u64::MAX)),
		(375_000, 2_000, 50_000),
		(375_000, 2_000, 750),
		(375_000, 2_000, 751),
		(375_000, 2_000, 0),
		(1_000_000, 10, 20),
		(1_000_000, 10, 10),
		(8 << 20, 1_000_000, 50_000_000),
		(u32::MAX, max_price, u128::from(u64::MAX)),
		(u32::MAX, max_price, 4_722_366_482_869_645),
		(u32::MAX, max_price + 1, u128::from(u64::MAX)),
		(1, 1, u128::MAX),
	];
	let cases = cases.map(|(paid, price, face)| {
		json!({
			"bytes": paid,
			"pricePerGb": text(price),
			"faceValue": text(face),
			"winProbability": amount::win_probability(paid, price, face).map(text),
			"cost": text(amount::cost(paid.into(), price)),
		})
	});
	json!({ "maxPricePerGb": text(max_price), "cases": cases })
}

fn relayer_proof_vectors() -> Value {
	let proof = RelayerProof {
		account: AccountId([0x32; 32]),
	};
	let message = json!({ "account": proof.account.to_string() });
	let signed = KeyPair::from_seed(RELAYER_SEED).sign(proof, &GENESIS);
	json!({ "cases": [signed_json(RELAYER_SEED, &signed, message)] })
}
