//! The committed vector files are what the generator writes, and what anyone gets who follows `docs/protocol.md`: the
//! second half of this file reads nothing but the files and that page, and lays bytes out by its words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/vectors/cases.rs"]
mod cases;

use clustercast_primitives::{
	amount,
	channel::{Close, Release, Reservation},
	crypto::{sha256, KeyPair, PublicKey, Signature},
	ext::Items,
	fraud::{ChunkFraud, Equivocation, FraudError},
	history::History,
	merkle::{Path, Proof},
	notice::{RelayerNotice, RelayerProof},
	receipt::Deliveries,
	report::{Quality, Report},
	session::SessionProof,
	subscribe::Subscription,
	Catalog, Hash, Receipt, SignedCatalog, SignedStatus, Ticket, Tip, Voucher, WindowHeader, WinningTicket,
};
use codec::{DecodeAll, Encode};
use serde_json::{json, Value};
use std::{collections::HashMap, env, fs, path::PathBuf};

/// Where cargo says it is now, which is not where it was built when clones share a build.
fn folder() -> PathBuf {
	PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap())
}

fn read(name: &str) -> Value {
	serde_json::from_str(&fs::read_to_string(folder().join("vectors").join(name)).unwrap()).unwrap()
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

/// A number that is written as text.
fn wide(value: &Value) -> u128 {
	value.as_str().unwrap().parse().unwrap()
}

fn narrow(value: &Value) -> u64 {
	value.as_u64().unwrap()
}

#[test]
fn committed_files_are_what_the_generator_writes() {
	let mut names: Vec<String> = fs::read_dir(folder().join("vectors"))
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

/// Whether the decoder of this type takes these bytes, and writes the same ones.
fn takes<T: DecodeAll + Encode>(raw: &[u8]) -> Option<T> {
	let message = T::decode_all(&mut &raw[..]).ok()?;
	assert_eq!(message.encode(), raw);
	Some(message)
}

/// Takes the bytes of a file's messages, or refuses them.
type Decoder = fn(&[u8]) -> bool;

#[test]
fn decoders_take_the_cases_and_nothing_that_is_to_be_refused() {
	let decoders: [(&str, &str, &str, Decoder); 21] = [
		("window", "refused", "encoded", |raw| {
			takes::<WindowHeader>(raw).is_some_and(|h| h.check().is_ok())
		}),
		("catalog", "refused", "catalogEncoded", |raw| {
			takes::<Catalog>(raw).is_some_and(|c| c.check().is_ok())
		}),
		("status", "refused", "travels", |raw| {
			takes::<SignedStatus>(raw).is_some_and(|s| s.check_parts().is_ok())
		}),
		("subscribe", "refused", "encoded", |raw| {
			takes::<Subscription>(raw).is_some_and(|s| s.check().is_ok())
		}),
		("receipt", "refused", "encoded", |raw| takes::<Receipt>(raw).is_some()),
		("receipt", "refusedDeliveries", "deliveriesEncoded", |raw| {
			takes::<Deliveries>(raw).is_some()
		}),
		("ticket", "refused", "encoded", |raw| takes::<Ticket>(raw).is_some()),
		("voucher", "refused", "encoded", |raw| takes::<Voucher>(raw).is_some()),
		("reservation", "refused", "encoded", |raw| {
			takes::<Reservation>(raw).is_some()
		}),
		("close", "refused", "encoded", |raw| takes::<Close>(raw).is_some()),
		("release", "refused", "encoded", |raw| takes::<Release>(raw).is_some()),
		("tip", "refused", "encoded", |raw| takes::<Tip>(raw).is_some()),
		("session_proof", "refused", "encoded", |raw| {
			takes::<SessionProof>(raw).is_some()
		}),
		("relayer_proof", "refused", "encoded", |raw| {
			takes::<RelayerProof>(raw).is_some()
		}),
		("relayer_notice", "refused", "encoded", |raw| {
			takes::<RelayerNotice>(raw).is_some()
		}),
		("report", "refused", "encoded", |raw| takes::<Report>(raw).is_some()),
		("qos", "refused", "encoded", |raw| takes::<Quality>(raw).is_some()),
		("ext", "refused", "encoded", |raw| takes::<Items>(raw).is_some()),
		("history", "refused", "encoded", |raw| {
			takes::<History>(raw).is_some_and(|h| h.is_well_formed())
		}),
		("fraud", "refusedChunks", "encoded", |raw| {
			takes::<ChunkFraud>(raw).is_some_and(|e| e.check().is_ok())
		}),
		("catalog", "", "travels", |raw| takes::<SignedCatalog>(raw).is_some()),
	];
	let mut lists = 0;
	for (name, refused, field, decoder) in decoders {
		let file = read(&format!("{name}.json"));
		let cases = if name == "fraud" {
			&file["chunks"]
		} else {
			&file["cases"]
		};
		for case in list(cases) {
			assert!(decoder(&bytes(&case[field])), "{name}: {}", case["name"]);
		}
		for case in file[refused].as_array().into_iter().flatten() {
			assert!(!decoder(&bytes(&case["bytes"])), "{name}: {}", case["reason"]);
		}
		lists += usize::from(!refused.is_empty() && !list(&file[refused]).is_empty());
	}
	assert_eq!(lists, decoders.len() - 1, "each has something to refuse");
	// Why evidence is refused. Of all else, the decoder in TypeScript says it.
	for case in list(&read("fraud.json")["refusedChunks"]) {
		if let Some(evidence) = takes::<ChunkFraud>(&bytes(&case["bytes"])) {
			let fault = format!("{:?}", evidence.check().unwrap_err());
			assert_eq!(Some(fault.as_str()), case["fault"].as_str());
		}
	}
}

// From here on, nothing but the files and the page.

/// Field, type, and where it stands if that is always the same.
type Fields = Vec<(String, String, Option<usize>)>;

/// `docs/protocol.md`.
struct Page {
	/// Behind each headline that has a name in backquotes.
	formats: HashMap<String, Fields>,
	/// Domain, fields and lengths.
	register: Vec<[String; 3]>,
}

impl Page {
	fn read() -> Self {
		let text = fs::read_to_string(folder().join("../docs/protocol.md")).unwrap();
		let (mut formats, mut register) = (HashMap::<String, Fields>::new(), Vec::new());
		let mut format = None;
		for line in text.lines() {
			let cells: Vec<&str> = line.split('|').map(str::trim).collect();
			let first = cells.get(1).and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
			match (first, &format) {
				_ if line.starts_with('#') => format = line.split('`').nth(1).map(String::from),
				(Some(domain), _) if domain.starts_with("clustercast/") => {
					register.push([domain, cells[4], cells[5]].map(String::from));
				},
				(Some(field), Some(format)) => {
					let field = (field.into(), cells[2].into(), cells[3].parse().ok());
					formats.entry(format.clone()).or_default().push(field);
				},
				_ => (),
			}
		}
		Self { formats, register }
	}

	/// Row of the domain of this name, whatever its version.
	fn row(&self, name: &str) -> &[String; 3] {
		let prefix = format!("clustercast/{name}/v");
		self.register.iter().find(|row| row[0].starts_with(&prefix)).unwrap()
	}

	/// Length of a type that has only one.
	fn length(&self, kind: &str) -> Option<usize> {
		match kind {
			"key" => Some(33),
			_ if kind.ends_with(']') || kind.starts_with("text(") || kind.starts_with("bytes(") => None,
			_ if kind.starts_with("signed(") => Some(self.length(inside(kind))? + 64),
			_ if kind.starts_with('u') && kind[1..].parse::<usize>().is_ok() => {
				Some(kind[1..].parse::<usize>().unwrap() / 8)
			},
			_ => match kind.parse() {
				Ok(length) => Some(length),
				Err(_) => self.formats[kind].iter().map(|(_, kind, _)| self.length(kind)).sum(),
			},
		}
	}

	/// A value of this type as the page says.
	fn lay(&self, kind: &str, value: &Value) -> Vec<u8> {
		if let Some((item, most)) = kind.strip_suffix(']').and_then(|kind| kind.rsplit_once('[')) {
			assert!(list(value).len() <= most.parse().unwrap(), "{kind}");
			let items = list(value).iter().flat_map(|value| self.lay(item, value));
			return count(list(value).len()).into_iter().chain(items).collect();
		}
		let counted = |raw: Vec<u8>| {
			assert!(raw.len() <= inside(kind).parse().unwrap(), "{kind}");
			[count(raw.len()), raw].concat()
		};
		match (kind, self.length(kind)) {
			("key", _) => [&[0], &bytes(value)[..]].concat(),
			(kind, None) if kind.starts_with("text(") => counted(value.as_str().unwrap().into()),
			(kind, None) if kind.starts_with("bytes(") => counted(bytes(value)),
			(kind, _) if kind.starts_with("signed(") => {
				[self.lay(inside(kind), &value["message"]), bytes(&value["signature"])].concat()
			},
			(kind, _) if self.formats.contains_key(kind) => self.lay_fields(&self.formats[kind], value),
			(kind, Some(length)) if kind.starts_with('u') => {
				let number = value.as_u64().map_or_else(|| wide(value), u128::from);
				assert!(length == 16 || number >> (8 * length) == 0, "{kind} of {number}");
				number.to_le_bytes()[..length].to_vec()
			},
			(_, length) => {
				assert_eq!(Some(bytes(value).len()), length);
				bytes(value)
			},
		}
	}

	fn lay_fields(&self, fields: &Fields, value: &Value) -> Vec<u8> {
		let field = |(name, kind, _): &(String, String, _)| self.lay(kind, &value[camel(name)]);
		assert_eq!(fields.len(), value.as_object().unwrap().len());
		fields.iter().flat_map(field).collect()
	}

	/// SHA-256 of the domain of this name and the fields of its row.
	fn hash_row(&self, name: &str, value: &Value) -> Hash {
		let [domain, fields, _] = self.row(name);
		let fields = fields.split(", ").map(|field| field.split_once(' ').unwrap());
		let fields = fields.map(|(name, kind)| (name.into(), kind.into(), None)).collect();
		sha256(&[domain.as_bytes(), &self.lay_fields(&fields, value)])
	}

	/// `H(0x00 ‖ domain ‖ bytes)`.
	fn name_hash(&self, name: &str, encoded: &[u8]) -> Hash {
		sha256(&[&[0], self.row(name)[0].as_bytes(), encoded])
	}

	/// Encoding, payload, signature and length of a case are what its fields say.
	fn check_signed(&self, format: &str, case: &Value) {
		let encoded = self.lay(format, &case["message"]);
		assert_eq!(bytes(&case["encoded"]), encoded, "{format}, {}", case["name"]);
		let [domain, _, lengths] = self.row(format);
		assert_eq!(case["domain"].as_str(), Some(domain.as_str()));
		let lengths: Vec<usize> = lengths.split(" to ").map(|length| length.parse().unwrap()).collect();
		match case["name"].as_str().unwrap() {
			"minimal" => assert_eq!(encoded.len(), lengths[0], "{format}"),
			"maximal" => assert_eq!(Some(&encoded.len()), lengths.last(), "{format}"),
			_ => (),
		}
		let payload = [domain.as_bytes(), &bytes(&case["genesis"]), &encoded].concat();
		assert_eq!(bytes(&case["payload"]), payload);
		let key: PublicKey = case["publicKey"].as_str().unwrap().parse().unwrap();
		let pair = KeyPair::from_seed(bytes(&case["seed"]).try_into().unwrap());
		let signature: Signature = case["signature"].as_str().unwrap().parse().unwrap();
		assert_eq!((pair.public(), pair.sign_bytes(&payload)), (key, signature));
		assert_eq!(key.verify(&payload, &signature), Ok(()));
	}
}

/// What is between the brackets.
fn inside(kind: &str) -> &str {
	kind.split_once('(').unwrap().1.strip_suffix(')').unwrap()
}

fn count(items: usize) -> Vec<u8> {
	match items {
		0..64 => vec![(items as u8) << 2],
		64..16_384 => ((items as u16) << 2 | 1).to_le_bytes().into(),
		_ => panic!("no format has so many"),
	}
}

fn camel(name: &str) -> String {
	let mut words = name.split('_');
	let first = words.next().unwrap().to_owned();
	words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

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

fn leaf(data: &[u8]) -> Hash {
	sha256(&[&[0], data])
}

/// Root over parts that are laid out one by one.
fn root_of(page: &Page, kind: &str, parts: &Value) -> Hash {
	let leaves: Vec<Hash> = list(parts).iter().map(|part| leaf(&page.lay(kind, part))).collect();
	reference(&leaves)
}

/// Each proof is for its index of these leaves.
fn check_proofs(proofs: &Value, leaves: &[Hash], root: &Hash) {
	for proof in list(proofs) {
		let path: Path = hashes(&proof["path"]).try_into().unwrap();
		let proof = Proof {
			index: wide(&proof["index"]) as u64,
			width: wide(&proof["width"]) as u64,
			path,
		};
		assert_eq!(proof.width, leaves.len() as u64);
		assert!(proof.verify(root, &leaves[proof.index as usize]));
	}
}

#[test]
fn page_agrees_with_itself() {
	let page = Page::read();
	for (name, fields) in &page.formats {
		let mut at = Some(0);
		for (field, kind, stands) in fields {
			assert_eq!(*stands, at, "{field} of {name}");
			at = at.and_then(|at| Some(at + page.length(kind)?));
		}
	}
	let mut compared = 0;
	for [domain, fields, length] in &page.register {
		let name = domain.split('/').nth(1).unwrap();
		if let Some(format) = page.formats.get(name) {
			let expected: Vec<String> = format.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect();
			assert_eq!(*fields, expected.join(", "), "{domain}");
			compared += 1;
		} else if length != "-" {
			let kinds = fields.split(", ").map(|field| field.split_once(' ').unwrap().1);
			let sum: usize = kinds.map(|kind| page.length(kind).unwrap()).sum();
			assert_eq!(*length, sum.to_string(), "{domain}");
		}
	}
	assert_eq!(compared, 16, "rows that have a format");
}

#[test]
fn signed_messages_follow_from_their_fields() {
	let page = Page::read();
	for format in [
		"window",
		"catalog",
		"status",
		"subscribe",
		"receipt",
		"ticket",
		"voucher",
		"reservation",
		"close",
		"release",
		"tip",
		"session-proof",
		"relayer-proof",
		"relayer-notice",
		"report",
		"qos",
	] {
		let file = read(&format!("{}.json", format.replace('-', "_")));
		let names: Vec<&str> = list(&file["cases"])
			.iter()
			.map(|case| case["name"].as_str().unwrap())
			.collect();
		assert!(names.contains(&"minimal") && names.contains(&"maximal"), "{format}");
		list(&file["cases"])
			.iter()
			.for_each(|case| page.check_signed(format, case));
	}
}

#[test]
fn merkle_trees_follow_from_their_inputs() {
	let file = read("merkle.json");
	assert_eq!(hash(&file["emptyRoot"]), reference(&[]));
	for tree in list(&file["trees"]) {
		let leaves = hashes(&tree["leaves"]);
		let inputs = list(&tree["inputs"]).iter().map(|input| leaf(&bytes(input)));
		assert!(inputs.eq(leaves.iter().copied()));
		let root = hash(&tree["root"]);
		assert_eq!(root, reference(&leaves));
		let indices = list(&tree["proofs"]).iter().map(|proof| wide(&proof["index"]) as usize);
		assert!(indices.eq(0..leaves.len()));
		check_proofs(&tree["proofs"], &leaves, &root);
	}
	let mut sizes = Vec::new();
	for window in list(&file["windows"]) {
		let (len, seed, log2) = (
			narrow(&window["bytes"]),
			narrow(&window["seed"]),
			narrow(&window["chunkLog2"]),
		);
		let media: Vec<u8> = (0..len).map(|i| ((i * 31 + seed) % 251) as u8).collect();
		let leaves: Vec<Hash> = media.chunks(1 << log2).map(leaf).collect();
		assert_eq!(hashes(&window["leaves"]), leaves);
		assert_eq!(hash(&window["root"]), reference(&leaves));
		sizes.push(log2);
	}
	sizes.dedup();
	assert_eq!(sizes, [12, 13, 14, 15, 16]);
}

#[test]
fn histories_follow_from_their_leaves() {
	let (page, file) = (Page::read(), read("history.json"));
	for case in list(&file["cases"]) {
		let history = &case["message"];
		assert_eq!(bytes(&case["encoded"]), page.lay("history", history));
		let (count, peaks, root) = (wide(&history["count"]), hashes(&history["peaks"]), hash(&case["root"]));
		assert_eq!(peaks.len(), count.count_ones() as usize);
		let joined = peaks
			.iter()
			.rev()
			.copied()
			.reduce(|right, left| sha256(&[&[1], &left.0, &right.0]));
		assert_eq!(joined.unwrap_or(sha256(&[])), root);
		if count <= 1_000 {
			let leaves: Vec<Hash> = (0..count as u32).map(|i| leaf(&i.to_le_bytes())).collect();
			assert_eq!(reference(&leaves), root);
			assert!(count == 0 || list(&case["proofs"]).len() == 3);
			check_proofs(&case["proofs"], &leaves, &root);
		}
	}
}

#[test]
fn items_follow_from_their_fields() {
	let page = Page::read();
	for case in list(&read("ext.json")["cases"]) {
		assert_eq!(bytes(&case["encoded"]), page.lay("items", &case["message"]));
		let expected = match list(&case["message"]["items"]) {
			[] => Hash([0; 32]),
			_ => root_of(&page, "item", &case["message"]["items"]),
		};
		assert_eq!(hash(&case["root"]), expected);
	}
}

#[test]
fn windows_are_named_by_hash_and_their_histories_hold_the_hashes() {
	let (page, file) = (Page::read(), read("window.json"));
	let cases = list(&file["cases"]);
	for case in cases {
		assert_eq!(hash(&case["hash"]), page.name_hash("window", &bytes(&case["encoded"])));
	}
	assert_eq!(hash(&cases[0]["message"]["history"]), reference(&[]));
	assert_eq!(
		hash(&cases[1]["message"]["history"]),
		reference(&[hash(&cases[0]["hash"])])
	);
}

#[test]
fn catalogs_follow_from_their_fields() {
	let page = Page::read();
	for case in list(&read("catalog.json")["cases"]) {
		let body = page.lay("catalog-body", &case["catalog"]);
		assert_eq!(bytes(&case["catalogEncoded"]), body);
		let name = page.name_hash("catalog", &body);
		assert_eq!((hash(&case["hash"]), hash(&case["message"]["hash"])), (name, name));
		for field in ["stream", "epoch", "number"] {
			assert_eq!(case["message"][field], case["catalog"][field]);
		}
		let travels = [page.lay("signed(catalog)", case), body].concat();
		assert_eq!(bytes(&case["travels"]), travels);
	}
}

#[test]
fn statuses_follow_from_their_fields() {
	let page = Page::read();
	for case in list(&read("status.json")["cases"]) {
		assert_eq!(hash(&case["hash"]), page.name_hash("status", &bytes(&case["encoded"])));
		assert_eq!(
			hash(&case["message"]["tracks"]),
			root_of(&page, "track-state", &case["tracks"])
		);
		let states = page.lay("track-states", &json!({ "tracks": case["tracks"] }));
		assert_eq!(
			bytes(&case["travels"]),
			[page.lay("signed(status)", case), states].concat()
		);
	}
}

#[test]
fn receipts_name_their_deliveries_and_their_payer() {
	let page = Page::read();
	for case in list(&read("receipt.json")["cases"]) {
		assert_eq!(hash(&case["hash"]), page.name_hash("receipt", &bytes(&case["encoded"])));
		assert_eq!(
			hash(&case["message"]["root"]),
			root_of(&page, "delivery", &case["deliveries"])
		);
		let deliveries = page.lay("deliveries", &json!({ "deliveries": case["deliveries"] }));
		assert_eq!(bytes(&case["deliveriesEncoded"]), deliveries);
		assert_eq!(bytes(&case["openingEncoded"]), page.lay("opening", &case["opening"]));
		assert_eq!(
			hash(&case["message"]["payer"]),
			page.hash_row("payer", &case["opening"])
		);
	}
}

#[test]
fn tickets_follow_from_the_relayers_secret() {
	let (page, file) = (Page::read(), read("ticket.json"));
	let mut outcomes = [0, 0];
	for case in list(&file["cases"]) {
		let ticket = &case["message"];
		let rand = page.hash_row(
			"rand",
			&json!({
				"secret": file["secret"], "session": ticket["session"], "salt": file["salt"], "serial": case["serial"],
			}),
		);
		assert_eq!(hash(&case["rand"]), rand);
		let commitment = page.hash_row("commitment", &json!({ "rand": case["rand"] }));
		assert_eq!(hash(&ticket["commitment"]), commitment);
		let outcome = json!({ "signature": case["signature"], "rand": case["rand"] });
		let draw = u64::from_be_bytes(page.hash_row("outcome", &outcome).0[..8].try_into().unwrap());
		let chance = wide(&ticket["winProbability"]);
		let wins = u128::from(draw) < chance || chance == u128::from(u64::MAX);
		assert_eq!(case["wins"].as_bool(), Some(wins));
		outcomes[usize::from(wins)] += 1;

		assert_eq!(hash(&case["id"]), sha256(&[&page.lay("signed(ticket)", case)]));
		let winning = page.lay("winning-ticket", &json!({ "signed": case, "rand": case["rand"] }));
		assert_eq!(bytes(&case["winningTicket"]), winning);
		let decoded = WinningTicket::decode_all(&mut &winning[..]).unwrap();
		assert_eq!(decoded.is_winner(), wins);
	}
	for (row, field) in [
		("rand", "randDomain"),
		("commitment", "commitmentDomain"),
		("outcome", "outcomeDomain"),
	] {
		assert_eq!(Some(page.row(row)[0].as_str()), file[field].as_str());
	}
	assert!(
		outcomes.iter().all(|count| *count > 1),
		"both outcomes are among the cases"
	);
}

#[test]
fn evidence_follows_from_its_fields() {
	let (page, file) = (Page::read(), read("fraud.json"));
	let longest = list(&file["chunks"])
		.iter()
		.map(|case| bytes(&case["encoded"]).len())
		.max();
	assert_eq!(longest, Some(1_685));
	for case in list(&file["chunks"]) {
		assert_eq!(bytes(&case["encoded"]), page.lay("chunk-fraud", &case["message"]));
		let receipt = &case["message"]["receipt"];
		let key: PublicKey = receipt["message"]["key"].as_str().unwrap().parse().unwrap();
		let domain = page.row("receipt")[0].as_bytes();
		let payload = [
			domain,
			&bytes(&case["genesis"]),
			&page.lay("receipt", &receipt["message"]),
		]
		.concat();
		assert_eq!(
			key.verify(&payload, &receipt["signature"].as_str().unwrap().parse().unwrap()),
			Ok(())
		);
	}
	let variants = [
		("window", &["signed(window)", "signed(window)"][..]),
		("window", &["signed(window)", "signed(window)", "leaf"]),
		("status", &["signed(status)", "signed(status)"]),
		("catalog", &["signed(catalog)", "signed(catalog)"]),
	];
	assert_eq!(list(&file["equivocations"]).len(), variants.len());
	for (variant, (case, (format, kinds))) in list(&file["equivocations"]).iter().zip(variants).enumerate() {
		let parts = list(&case["parts"]);
		assert_eq!(parts.len(), kinds.len());
		let laid = kinds.iter().zip(parts).flat_map(|(kind, part)| page.lay(kind, part));
		let encoded: Vec<u8> = [variant as u8].into_iter().chain(laid).collect();
		assert_eq!(bytes(&case["encoded"]), encoded);
		let key: PublicKey = case["publicKey"].as_str().unwrap().parse().unwrap();
		for (part, payload) in parts.iter().zip(list(&case["payloads"])) {
			let domain = page.row(format)[0].as_bytes();
			let expected = [domain, &bytes(&case["genesis"]), &page.lay(format, &part["message"])].concat();
			assert_eq!(bytes(payload), expected);
			assert_eq!(
				key.verify(&expected, &part["signature"].as_str().unwrap().parse().unwrap()),
				Ok(())
			);
		}
		let evidence = Equivocation::decode_all(&mut &encoded[..]).unwrap();
		assert_eq!(evidence.check(), Ok(()));
		// The first message twice is no contradiction.
		let twice = [
			&encoded[..1],
			&page.lay(kinds[0], &parts[0]),
			&page.lay(kinds[0], &parts[0]),
		]
		.concat();
		let leaf = kinds.get(2).map(|kind| page.lay(kind, &parts[2])).unwrap_or_default();
		let same = Equivocation::decode_all(&mut &[twice, leaf].concat()[..]).unwrap();
		assert_eq!(same.check(), Err(FraudError::NoConflict));
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
		let [paid, price, face] = ["bytes", "pricePerGb", "faceValue"].map(|field| wide(&case[field]));
		let owed = paid * price;
		assert_eq!(wide(&case["cost"]), owed / 1_000_000_000);
		let allowed = price <= wide(&file["maxPricePerGb"]) && paid < wide(&file["maxBytes"]);
		let expected = face
			.checked_mul(1_000_000_000)
			.filter(|unit| owed < *unit && *unit >> 96 == 0 && allowed)
			.map(|unit| quotient(owed, unit));
		kinds[usize::from(expected.is_some())] += 1;
		assert_eq!(
			case["winProbability"].as_str().map(str::to_owned),
			expected.map(|p| p.to_string())
		);
		assert_eq!(amount::win_probability(paid as u64, price as u64, face), expected);
	}
	assert!(kinds.iter().all(|count| *count > 1), "both kinds are among the cases");
}
