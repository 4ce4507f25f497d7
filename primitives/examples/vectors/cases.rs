//! What the vector files hold: of every message a minimal and a maximal case, and what decoders refuse.

mod bridge;
mod shown;

use bounded_collections::{BoundedVec, ConstU32};
use clustercast_primitives::{
	amount,
	catalog::{self, init_hash, Protection, Track},
	channel::{Close, Release, Reservation},
	crypto::{KeyPair, SignedMessage},
	ext::{self, Item, Items},
	fraud::{Account, ChunkFraud, Equivocation, Leaf},
	history::History,
	merkle::{self, Proof},
	notice::{transport, RelayerNotice, RelayerProof},
	receipt::{self, Kind, PayerOpening},
	report::{Quality, Report},
	session::SessionProof,
	status::{State, TrackState, TrackStates, MAX_VALID_MS},
	subscribe::{Binding, Subscription},
	text::Text,
	ticket,
	window::{flags, MAX_DURATION_MS, MAX_WINDOW_BYTES},
	AccountId, Catalog, Delivery, Domain, Hash, PublicKey, Receipt, Signed, SignedCatalog, SignedStatus, Status,
	StreamId, Ticket, Tip, TrackId, Voucher, WindowHeader, WindowId, WinningTicket,
};
use codec::Encode;
use serde_json::{json, Value};
use shown::{bytes, Shown};

/// Genesis hash in every payload.
const GENESIS: Hash = Hash([0x47; 32]);

/// Seeds of the keys that sign.
const STREAM_SEED: [u8; 32] = [1; 32];
const RELAYER_SEED: [u8; 32] = [2; 32];
const SESSION_SEED: [u8; 32] = [3; 32];
const RECIPIENT_SEED: [u8; 32] = [4; 32];

/// Accounts of the viewer and of the relayer.
const SENDER: AccountId = AccountId([0x31; 32]);
const RECIPIENT: AccountId = AccountId([0x32; 32]);

const STREAM: StreamId = StreamId(7);
const ZERO: Hash = Hash([0; 32]);
const ONES: Hash = Hash([0xff; 32]);
const MAX_ID: StreamId = StreamId(u64::MAX);
const MAX_ACCOUNT: AccountId = AccountId([0xff; 32]);

/// Name and content of each file.
pub fn files() -> Vec<(&'static str, Value)> {
	vec![
		("merkle.json", merkle_vectors()),
		("history.json", history_vectors()),
		("ext.json", ext_vectors()),
		("window.json", window_vectors()),
		("catalog.json", catalog_vectors()),
		("status.json", status_vectors()),
		("subscribe.json", subscribe_vectors()),
		("receipt.json", receipt_vectors()),
		("fraud.json", fraud_vectors()),
		("ticket.json", ticket_vectors()),
		("voucher.json", voucher_vectors()),
		("reservation.json", reservation_vectors()),
		("close.json", close_vectors()),
		("release.json", release_vectors()),
		("tip.json", tip_vectors()),
		("session_proof.json", session_proof_vectors()),
		("relayer_proof.json", relayer_proof_vectors()),
		("relayer_notice.json", relayer_notice_vectors()),
		("report.json", report_vectors()),
		("qos.json", quality_vectors()),
		("win_probability.json", win_probability_vectors()),
		("bridge.json", bridge::vectors()),
	]
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

/// Exactly as long as it may be, of two-byte letters and one that a decoder could swallow: a byte order mark.
fn longest<const N: u32>() -> Text<N> {
	let letters = "\u{feff}".to_owned() + &"č".repeat((N as usize - 3) / 2);
	let pad = "x".repeat(N as usize - letters.len());
	short(&(letters + &pad))
}

fn short<const N: u32>(text: &str) -> Text<N> {
	Text::try_from(text).unwrap_or_else(|_| unreachable!("as short as it may be"))
}

/// As many as there may be.
fn most<T, const N: u32>(item: impl FnMut(u32) -> T) -> BoundedVec<T, ConstU32<N>> {
	list((0..N).map(item).collect())
}

fn list<T, const N: u32>(items: Vec<T>) -> BoundedVec<T, ConstU32<N>> {
	BoundedVec::try_from(items).unwrap_or_else(|_| unreachable!("no more than there may be"))
}

fn session() -> PublicKey {
	KeyPair::from_seed(SESSION_SEED).public()
}

/// A signed message: its fields, what is signed, and the signature.
fn signed<T: SignedMessage + Shown>(seed: [u8; 32], name: &str, message: T) -> Value {
	let key = KeyPair::from_seed(seed);
	json!({
		"name": name,
		"seed": bytes(seed),
		"publicKey": key.public().to_string(),
		"genesis": GENESIS.to_string(),
		"domain": T::DOMAIN.name(),
		"message": message.shown(),
		"encoded": bytes(message.encode()),
		"payload": bytes(message.signing_payload(&GENESIS)),
		"signature": key.sign_bytes(&message.signing_payload(&GENESIS)).to_string(),
	})
}

/// What a decoder refuses: the fault, as a decoder may call it, what it is here, and the bytes.
type Refused = Vec<(&'static str, &'static str, Vec<u8>)>;

/// Of any message: one byte less, one more.
fn cut(encoded: &[u8]) -> Refused {
	let shorter = encoded[..encoded.len() - 1].to_vec();
	let longer = [encoded, &[0]].concat();
	vec![
		("too short", "ends too early", shorter),
		("too long", "bytes behind the end", longer),
	]
}

/// [`cut`], and the key at `at` of another scheme.
fn cut_and_scheme(encoded: &[u8], at: usize) -> Refused {
	let mut scheme = encoded.to_vec();
	scheme[at] = 1;
	let mut refused = cut(encoded);
	refused.push(("scheme", "key of an unknown scheme", scheme));
	refused
}

fn refused_json(refused: Refused) -> Value {
	let item =
		|(fault, reason, raw): (&str, &str, Vec<u8>)| json!({ "fault": fault, "reason": reason, "bytes": bytes(raw) });
	refused.into_iter().map(item).collect()
}

fn file(cases: impl IntoIterator<Item = Value>, refused: Refused) -> Value {
	json!({ "cases": cases.into_iter().collect::<Value>(), "refused": refused_json(refused) })
}

/// A minimal and a maximal case of a message whose key, if it has one, stands at `key_at`.
fn extremes<T: SignedMessage + Shown>(seed: [u8; 32], minimal: T, maximal: T, key_at: Option<usize>) -> Value {
	let encoded = minimal.encode();
	let refused = match key_at {
		Some(at) => cut_and_scheme(&encoded, at),
		None => cut(&encoded),
	};
	file(
		[signed(seed, "minimal", minimal), signed(seed, "maximal", maximal)],
		refused,
	)
}

fn proofs(leaves: &[Hash], indices: impl IntoIterator<Item = u64>) -> Vec<Value> {
	let proof = |index| Proof::new(leaves, index);
	indices
		.into_iter()
		.filter_map(proof)
		.map(|proof| proof.shown())
		.collect()
}

fn merkle_vectors() -> Value {
	let tree = |width: usize| {
		let inputs: Vec<Vec<u8>> = (0..width).map(|leaf| media(leaf * 5, leaf)).collect();
		let leaves: Vec<Hash> = inputs.iter().map(|input| merkle::leaf_hash(input)).collect();
		json!({
			"inputs": inputs.iter().map(bytes).collect::<Vec<_>>(),
			"leaves": hashes(&leaves),
			"root": merkle::root(&leaves).to_string(),
			"proofs": proofs(&leaves, 0..width as u64),
		})
	};
	let window = |len: usize, log2: u8| {
		let leaves = merkle::leaves(&media(len, 9), log2);
		json!({
			"rule": "byte i is (i * 31 + seed) mod 251",
			"seed": 9,
			"bytes": len,
			"chunkLog2": log2,
			"leaves": hashes(&leaves),
			"root": merkle::root(&leaves).to_string(),
		})
	};
	let lengths = |log2: u8| [1, 1 << log2, (1 << log2) + 1, 200_000].map(|len| window(len, log2));
	let trees = [1, 2, 3, 4, 5, 7, 8, 13].map(tree);
	let windows: Vec<Value> = merkle::CHUNK_LOG2.flat_map(lengths).collect();
	json!({ "emptyRoot": merkle::root(&[]).to_string(), "trees": trees, "windows": windows })
}

fn history_vectors() -> Value {
	let leaf = |n: u32| merkle::leaf_hash(&n.to_le_bytes());
	let case = |count: u32| {
		let mut history = History::default();
		let leaves: Vec<Hash> = (0..count).map(leaf).collect();
		assert!(leaves.iter().all(|leaf| history.append(*leaf)), "far from full");
		let last = u64::from(count).saturating_sub(1);
		json!({
			"message": history.shown(),
			"encoded": bytes(history.encode()),
			"root": history.root().to_string(),
			"proofs": proofs(&leaves, [0, last / 2, last]),
		})
	};
	let mut cases: Vec<Value> = [0, 1, 2, 3, 4, 5, 7, 8, 13, 255, 256, 1_000].map(case).to_vec();
	let peaks = |count: usize| (0..count).map(|n| leaf(n as u32)).collect::<Vec<_>>();
	// As many peaks as there can be; nobody appended so many leaves.
	let full = (merkle::MAX_WIDTH - 1, peaks(merkle::MAX_PATH));
	let root = full
		.1
		.iter()
		.rev()
		.copied()
		.reduce(|right, left| merkle::node_hash(&left, &right));
	cases.push(json!({
		"message": { "count": text(full.0), "peaks": hashes(&full.1) },
		"encoded": bytes(full.encode()),
		"root": root.map(|root| root.to_string()),
		"proofs": [],
	}));
	let mut refused = cut(&(3u64, peaks(2)).encode());
	refused.extend([
		("count", "too few peaks", (3u64, peaks(1)).encode()),
		("count", "too many peaks", (4u64, peaks(2)).encode()),
		(
			"count",
			"more leaves than there can be",
			(merkle::MAX_WIDTH, peaks(1)).encode(),
		),
		(
			"count",
			"more peaks than there can be",
			(u64::MAX, peaks(merkle::MAX_PATH + 1)).encode(),
		),
	]);
	let mut file = file(cases, refused);
	file["rule"] = json!("leaf i is H(0x00 ‖ i as u32)");
	file
}

fn item(kind: u16, data: Vec<u8>) -> Item {
	Item { kind, data: list(data) }
}

fn items(items: Vec<Item>) -> Items {
	Items::new(items).unwrap_or_else(|_| unreachable!("few, and ascending"))
}

fn ext_vectors() -> Value {
	let case = |name: &str, all: Vec<Item>| {
		let items = items(all);
		json!({
			"name": name,
			"message": { "items": items.shown() },
			"encoded": bytes(items.encode()),
			"root": items.root().to_string(),
		})
	};
	let encryption = item(ext::kind::ENCRYPTION, media(32, 5));
	let largest = |n: u16| {
		item(
			u16::MAX - ext::MAX_ITEMS as u16 + 1 + n,
			media(ext::MAX_ITEM_BYTES as usize, n.into()),
		)
	};
	let cases = [
		case("minimal", Vec::new()),
		case("encrypted", vec![encryption.clone()]),
		case("maximal", (0..ext::MAX_ITEMS as u16).map(largest).collect()),
	];
	let raw = |items: &[(u16, usize)]| {
		let item = |(kind, len): &(u16, usize)| (*kind, media(*len, 5));
		items.iter().map(item).collect::<Vec<_>>().encode()
	};
	let mut refused = cut(&vec![encryption].encode());
	refused.extend([
		("order", "kinds descend", raw(&[(2, 1), (1, 1)])),
		("order", "one kind twice", raw(&[(2, 1), (2, 1)])),
		(
			"count",
			"17 items",
			raw(&(0..17).map(|kind| (kind, 0)).collect::<Vec<_>>()),
		),
		("count", "257 bytes", raw(&[(1, 257)])),
		("count", "a number that is not as short as it can be", vec![0x01, 0x00]),
	]);
	file(cases, refused)
}

/// Header number 0 of an epoch over `len` bytes.
fn header(len: usize) -> WindowHeader {
	let leaves = merkle::leaves(&media(len, 9), merkle::DEFAULT_CHUNK_LOG2);
	WindowHeader {
		id: WindowId {
			stream: STREAM,
			track: 0,
			epoch: 1_000,
			segment: 0,
			part: 0,
		},
		number: 0,
		history: merkle::empty_root(),
		flags: 0,
		start_ms: 1_700_000_000_123,
		duration_ms: 200,
		bytes: len as u32,
		chunks: leaves.len() as u32,
		chunk_log2: merkle::DEFAULT_CHUNK_LOG2,
		root: merkle::root(&leaves),
		catalog: Hash([0x0c; 32]),
		ext: ZERO,
	}
}

/// Each field as large as peers take it.
fn largest_header() -> WindowHeader {
	WindowHeader {
		id: WindowId {
			stream: MAX_ID,
			track: TrackId::MAX,
			epoch: u32::MAX,
			segment: u64::MAX,
			part: u16::MAX,
		},
		number: merkle::MAX_WIDTH - 2,
		history: ONES,
		flags: flags::ALL | !flags::CRITICAL,
		start_ms: u64::MAX,
		duration_ms: MAX_DURATION_MS,
		bytes: MAX_WINDOW_BYTES,
		chunks: 2_048,
		chunk_log2: 12,
		root: ONES,
		catalog: ONES,
		ext: ONES,
	}
}

fn window_vectors() -> Value {
	let first = WindowHeader {
		flags: flags::INDEPENDENT,
		..header(1)
	};
	let mut history = History::default();
	assert!(history.append(first.hash()), "far from full");
	let mut second = header(37_500);
	(second.id.part, second.number, second.history) = (1, 1, history.root());
	(second.flags, second.id.track) = (flags::LAST_PART | flags::DISCONTINUITY, 0);
	let broken = |change: fn(&mut WindowHeader)| {
		let mut header = second.clone();
		change(&mut header);
		header.encode()
	};
	let mut refused = cut(&first.encode());
	refused.extend([
		("range", "a flag that must be known", broken(|h| h.flags |= 0x80)),
		("range", "no bytes", broken(|h| (h.bytes, h.chunks) = (0, 0))),
		(
			"range",
			"too many bytes",
			broken(|h| (h.bytes, h.chunks) = (MAX_WINDOW_BYTES + 1, 513)),
		),
		("range", "too long", broken(|h| h.duration_ms = MAX_DURATION_MS + 1)),
		(
			"range",
			"chunks too small",
			broken(|h| (h.chunk_log2, h.chunks) = (11, 19)),
		),
		(
			"range",
			"chunks too large",
			broken(|h| (h.chunk_log2, h.chunks) = (17, 1)),
		),
		("range", "another number of chunks", broken(|h| h.chunks = 2)),
		("hash", "a history of no windows", broken(|h| h.number = 0)),
		(
			"range",
			"more windows than there can be",
			broken(|h| h.number = merkle::MAX_WIDTH - 1),
		),
	]);
	let case = |name: &str, header: WindowHeader| {
		let hash = header.hash();
		let mut value = signed(STREAM_SEED, name, header);
		value["hash"] = json!(hash.to_string());
		value
	};
	let cases = [
		case("minimal", first),
		case("second", second),
		case("maximal", largest_header()),
	];
	file(cases, refused)
}

fn smallest_track(id: TrackId) -> Track {
	Track {
		id,
		kind: catalog::kind::MUXED,
		role: catalog::role::MAIN,
		language: Text::default(),
		codecs: Text::default(),
		bitrate: 0,
		width: 0,
		height: 0,
		rate: 0,
		timescale: 0,
		init: ZERO,
	}
}

fn largest_track(n: u32) -> Track {
	Track {
		id: TrackId::MAX - 63 + n as u16,
		kind: u8::MAX,
		role: u8::MAX,
		language: longest(),
		codecs: longest(),
		bitrate: u32::MAX,
		width: u16::MAX,
		height: u16::MAX,
		rate: u32::MAX,
		timescale: u32::MAX,
		init: init_hash(b"ftyp moov"),
	}
}

fn catalog_vectors() -> Value {
	let case = |name: &str, catalog: Catalog| {
		let travels = SignedCatalog::sign(catalog, &KeyPair::from_seed(STREAM_SEED), &GENESIS);
		let mut value = signed(STREAM_SEED, name, travels.catalog.seal());
		value["hash"] = json!(travels.catalog.hash().to_string());
		value["catalog"] = travels.catalog.shown();
		value["catalogEncoded"] = json!(bytes(travels.catalog.encode()));
		value["travels"] = json!(bytes(travels.encode()));
		value
	};
	let smallest = Catalog {
		stream: StreamId(0),
		epoch: 0,
		number: 0,
		title: Text::default(),
		tracks: list(vec![smallest_track(0)]),
		protection: BoundedVec::new(),
		mirrors: BoundedVec::new(),
	};
	let largest = Catalog {
		stream: MAX_ID,
		epoch: u32::MAX,
		number: u32::MAX,
		title: longest(),
		tracks: most(largest_track),
		protection: most(|n| Protection {
			scheme: n as u8,
			key_id: [n as u8; 16],
			tracks: most(|track| track as TrackId),
		}),
		mirrors: most(|_| longest()),
	};
	let refused = {
		// The same bytes, with no bounds.
		let raw = |title: &[u8], ids: &[TrackId], protections: usize, mirrors: usize| {
			let tracks: Vec<Track> = ids.iter().map(|id| smallest_track(*id)).collect();
			let protection = vec![(1u8, [2u8; 16], vec![0u16]); protections];
			(
				7u64,
				1u32,
				0u32,
				title.to_vec(),
				tracks,
				protection,
				vec![b"https://a".to_vec(); mirrors],
			)
				.encode()
		};
		let ids: Vec<TrackId> = (0..65).collect();
		let mut refused = cut(&raw(b"", &[0], 4, 8));
		refused.extend([
			("order", "no tracks", raw(b"", &[], 0, 0)),
			("order", "tracks descend", raw(b"", &[1, 0], 0, 0)),
			("order", "one track twice", raw(b"", &[1, 1], 0, 0)),
			("count", "65 tracks", raw(b"", &ids, 0, 0)),
			("count", "5 protections", raw(b"", &[0], 5, 0)),
			("count", "9 mirrors", raw(b"", &[0], 0, 9)),
			("count", "a title of 129 bytes", raw(&[b'a'; 129], &[0], 0, 0)),
			("text", "a title that is not UTF-8", raw(b"\xff", &[0], 0, 0)),
			("text", "half a pair of surrogates", raw(b"\xed\xa0\x80", &[0], 0, 0)),
			("text", "a control character", raw(b"\x1b[2J", &[0], 0, 0)),
			(
				"text",
				"a control character of two bytes",
				raw("\u{85}".as_bytes(), &[0], 0, 0),
			),
		]);
		refused
	};
	file([case("minimal", smallest), case("maximal", largest)], refused)
}

fn status(state: State, valid_ms: u32) -> Status {
	Status {
		stream: STREAM,
		epoch: 1_000,
		number: 0,
		state,
		at_ms: 1_700_000_000_123,
		valid_ms,
		after: ZERO,
		tracks: ZERO,
	}
}

fn status_vectors() -> Value {
	let key = KeyPair::from_seed(STREAM_SEED);
	let track = |n: u32| TrackState {
		track: TrackId::MAX - 63 + n as u16,
		count: merkle::MAX_WIDTH - 1,
		last: ONES,
		history: ONES,
	};
	let case = |name: &str, status: Status, tracks: TrackStates| {
		let travels = SignedStatus::sign(status, tracks, &key, &GENESIS);
		let mut value = signed(STREAM_SEED, name, travels.status.message);
		value["hash"] = json!(travels.status.message.hash().to_string());
		value["tracks"] = travels.tracks.shown();
		value["travels"] = json!(bytes(travels.encode()));
		value
	};
	let largest = Status {
		stream: MAX_ID,
		epoch: u32::MAX,
		number: u64::MAX,
		at_ms: u64::MAX,
		after: ONES,
		..status(State::Ended, MAX_VALID_MS)
	};
	let two = [track(0), track(1)];
	let cases = [
		case("minimal", status(State::Live, 0), TrackStates::new()),
		case("idle", status(State::Idle, 4_000), list(two.to_vec())),
		case("maximal", largest, most(track)),
	];
	// The same bytes, with no bounds.
	let raw = |status: Status, tracks: &[TrackState], of: &[TrackState]| {
		let tracks_root = clustercast_primitives::status::tracks_root(of);
		(
			key.sign(
				Status {
					tracks: tracks_root,
					..status
				},
				&GENESIS,
			),
			tracks.to_vec(),
		)
			.encode()
	};
	let live = status(State::Live, 4_000);
	let good = raw(live, &two, &two);
	let mut state = good.clone();
	state[8 + 4 + 8] = 3;
	let many: Vec<TrackState> = (0..65).map(|n| TrackState { track: n, ..track(0) }).collect();
	let mut refused = cut(&good);
	refused.extend([
		("range", "an unknown state", state),
		(
			"range",
			"holds too long",
			raw(status(State::Live, MAX_VALID_MS + 1), &two, &two),
		),
		("hash", "states of another root", raw(live, &two[..1], &two)),
		(
			"order",
			"tracks descend",
			raw(live, &[two[1], two[0]], &[two[1], two[0]]),
		),
		("count", "65 tracks", raw(live, &many, &many)),
	]);
	file(cases, refused)
}

fn subscribe_vectors() -> Value {
	let minimal = Subscription {
		account: AccountId([0; 32]),
		session: session(),
		stream: StreamId(0),
		tracks: list(vec![0]),
		challenge: ZERO,
		binding: Binding::PeerKey([0x0b; 32]),
	};
	let maximal = Subscription {
		account: MAX_ACCOUNT,
		session: session(),
		stream: MAX_ID,
		tracks: most(|n| TrackId::MAX - 15 + n as u16),
		challenge: ONES,
		binding: Binding::Certificate([0xcc; 32]),
	};
	let raw = |tracks: Vec<TrackId>, kind: u8| (SENDER, session(), STREAM, tracks, ONES, kind, [0x0bu8; 32]).encode();
	let mut refused = cut_and_scheme(&minimal.encode(), 32);
	refused.extend([
		("order", "no tracks", raw(vec![], 0)),
		("order", "tracks descend", raw(vec![2, 1], 0)),
		("order", "one track twice", raw(vec![2, 2], 0)),
		("count", "17 tracks", raw((0..17).collect(), 0)),
		("range", "an unknown binding", raw(vec![0], 2)),
	]);
	let cases = [
		signed(SESSION_SEED, "minimal", minimal),
		signed(SESSION_SEED, "maximal", maximal),
	];
	file(cases, refused)
}

fn opening() -> PayerOpening {
	PayerOpening {
		salt: Hash([0x51; 32]),
		account: SENDER,
		session: session(),
	}
}

/// A receipt over these, to [`opening`].
fn receipt(kind: Kind, deliveries: &[Delivery]) -> Receipt {
	Receipt {
		kind,
		context: ZERO,
		payer: opening().hash(),
		payee: RECIPIENT,
		key: KeyPair::from_seed(RELAYER_SEED).public(),
		stream: STREAM,
		root: receipt::deliveries_root(deliveries),
		bytes: 0,
		price: 0,
		commitment: ZERO,
		block: 0,
	}
}

fn receipt_vectors() -> Value {
	let delivery = |n: u32| Delivery {
		header: merkle::leaf_hash(&n.to_le_bytes()),
		first: u32::MAX - n,
		count: 1 + n,
		delivered: merkle::leaf_hash(&(!n).to_le_bytes()),
	};
	let case = |name: &str, receipt: Receipt, deliveries: &[Delivery]| {
		let hash = receipt.hash();
		let mut value = signed(RELAYER_SEED, name, receipt);
		value["hash"] = json!(hash.to_string());
		value["deliveries"] = deliveries.shown();
		value["deliveriesEncoded"] = json!(bytes(deliveries.encode()));
		value["opening"] = opening().shown();
		value["openingEncoded"] = json!(bytes(opening().encode()));
		value
	};
	let one = [delivery(0)];
	let most: Vec<Delivery> = (0..receipt::MAX_DELIVERIES).map(delivery).collect();
	let capacity = Receipt {
		context: Hash([0xca; 32]),
		price: 5_000_000,
		..receipt(Kind::CAPACITY, &[])
	};
	let largest = Receipt {
		context: ONES,
		stream: MAX_ID,
		payee: MAX_ACCOUNT,
		bytes: u64::MAX,
		price: u64::MAX,
		commitment: ONES,
		block: u32::MAX,
		..receipt(Kind(u8::MAX), &most)
	};
	let refused = cut_and_scheme(&receipt(Kind::LIVE, &one).encode(), 1 + 32 + 32 + 32);
	let cases = [
		case("minimal", receipt(Kind::LIVE, &one), &one),
		case("capacity", capacity, &[]),
		case("maximal", largest, &most),
	];
	let mut refused_deliveries = cut(&one.to_vec().encode());
	refused_deliveries.push(("count", "257 deliveries", vec![delivery(0); 257].encode()));
	let mut file = file(cases, refused);
	file["refusedDeliveries"] = refused_json(refused_deliveries);
	file
}

/// Evidence over a window of `chunks` of 4 KiB, the last of which was delivered wrong, as the last of `deliveries`.
fn chunk_fraud(chunks: usize, deliveries: usize) -> ChunkFraud {
	let data = media(chunks << 12, 9);
	let signed = merkle::leaves(&data, 12);
	let header = WindowHeader {
		bytes: data.len() as u32,
		chunks: chunks as u32,
		chunk_log2: 12,
		root: merkle::root(&signed),
		..header(1)
	};
	let mut delivered = signed.clone();
	delivered[chunks - 1] = merkle::leaf_hash(b"another one");
	let delivery = Delivery {
		header: header.hash(),
		first: 0,
		count: chunks as u32,
		delivered: merkle::root(&delivered),
	};
	let deliveries = vec![delivery; deliveries];
	let account = Account {
		receipt: KeyPair::from_seed(RELAYER_SEED).sign(receipt(Kind::LIVE, &deliveries), &GENESIS),
		payer: opening(),
		deliveries,
	};
	let last = account.deliveries.len() - 1;
	ChunkFraud::find(&account, last, &header, &signed, &delivered)
		.unwrap_or_else(|| unreachable!("the chunk is another one"))
}

fn fraud_vectors() -> Value {
	let chunk = |name: &str, evidence: ChunkFraud| {
		json!({
			"name": name,
			"genesis": GENESIS.to_string(),
			"message": evidence.shown(),
			"encoded": bytes(evidence.encode()),
		})
	};
	let broken = |change: fn(&mut ChunkFraud)| {
		let mut evidence = chunk_fraud(5, 3);
		change(&mut evidence);
		evidence.encode()
	};
	let mut refused = cut(&chunk_fraud(1, 1).encode());
	refused.extend([
		(
			"NotByChunks",
			"a receipt that says nothing by chunks",
			broken(|e| e.receipt.message.kind = Kind::REPAIR),
		),
		("Payer", "another payer", broken(|e| e.payer.account.0[0] ^= 1)),
		(
			"DeliveryPath",
			"a delivery of another receipt",
			broken(|e| e.place.index = 0),
		),
		("Unrelated", "another header", broken(|e| e.header.flags = 1)),
		("Range", "a position outside the delivery", broken(|e| e.index = 5)),
		("SameLeaf", "the same leaf", broken(|e| e.delivered = e.signed.clone())),
		(
			"SignedPath",
			"a leaf that was not signed",
			broken(|e| e.signed.hash.0[0] ^= 1),
		),
		(
			"DeliveredPath",
			"a leaf that was not delivered",
			broken(|e| e.delivered.hash.0[0] ^= 1),
		),
	]);
	json!({
		"chunks": [chunk("minimal", chunk_fraud(1, 1)), chunk("maximal", chunk_fraud(2_048, 256))],
		"refusedChunks": refused_json(refused),
		"equivocations": equivocations(),
	})
}

fn equivocations() -> Value {
	let key = KeyPair::from_seed(STREAM_SEED);
	fn sign<T: SignedMessage>(key: &KeyPair, message: T) -> Signed<T> {
		key.sign(message, &GENESIS)
	}
	let (first, second) = (header(1), header(2));
	let leaves = [first.hash(), Hash([0x0a; 32]), Hash([0x0b; 32])];
	let mut later = header(3);
	(later.number, later.history, later.id.segment) = (3, merkle::root(&leaves), 3);
	let leaf = Leaf::of(&leaves, 0).unwrap_or_else(|| unreachable!("there are three"));
	let seal = |hash| catalog::CatalogSeal {
		stream: STREAM,
		epoch: 1_000,
		number: 5,
		hash,
	};
	let cases = [
		Equivocation::Headers {
			first: sign(&key, first),
			second: sign(&key, second.clone()),
		},
		Equivocation::History {
			earlier: sign(&key, second),
			later: sign(&key, later),
			leaf,
		},
		Equivocation::Statuses {
			first: sign(&key, status(State::Live, 4_000)),
			second: sign(&key, status(State::Ended, 4_000)),
		},
		Equivocation::Catalogs {
			first: sign(&key, seal(ZERO)),
			second: sign(&key, seal(ONES)),
		},
	];
	let case = |evidence: &Equivocation| {
		let parts = match evidence {
			Equivocation::Headers { first, second } => json!([first.shown(), second.shown()]),
			Equivocation::History { earlier, later, leaf } => json!([earlier.shown(), later.shown(), leaf.shown()]),
			Equivocation::Statuses { first, second } => json!([first.shown(), second.shown()]),
			Equivocation::Catalogs { first, second } => json!([first.shown(), second.shown()]),
		};
		json!({
			"publicKey": key.public().to_string(),
			"genesis": GENESIS.to_string(),
			"parts": parts,
			"encoded": bytes(evidence.encode()),
			"payloads": evidence.signed(&GENESIS).map(|(payload, _)| bytes(payload)),
		})
	};
	cases.iter().map(case).collect()
}

fn ticket_vectors() -> Value {
	let key = KeyPair::from_seed(SESSION_SEED);
	let (secret, salt) = ([0x21; 32], Hash([0x22; 32]));
	let case = |name: &str, serial: u64, change: &dyn Fn(&mut Ticket)| {
		let rand = ticket::rand(&secret, &key.public(), &salt, serial);
		let mut message = Ticket {
			sender: SENDER,
			session: key.public(),
			recipient: RECIPIENT,
			stream: STREAM,
			kind: Kind::LIVE,
			context: ZERO,
			bytes: 6 * amount::TICKET_BYTES,
			face_value: 50_000,
			win_probability: 1 << 63,
			commitment: ticket::commitment(&rand),
			nonce: 8_191 - serial,
			expiry: 123_480,
		};
		change(&mut message);
		let winning = WinningTicket {
			signed: key.sign(message, &GENESIS),
			rand,
		};
		let mut value = signed(SESSION_SEED, name, winning.signed.message.clone());
		value["serial"] = json!(text(serial));
		value["rand"] = json!(rand.to_string());
		value["wins"] = json!(winning.is_winner());
		value["id"] = json!(winning.id().to_string());
		value["winningTicket"] = json!(bytes(winning.encode()));
		value
	};
	let largest = |ticket: &mut Ticket| {
		(ticket.sender, ticket.recipient, ticket.stream) = (MAX_ACCOUNT, MAX_ACCOUNT, MAX_ID);
		(ticket.kind, ticket.context, ticket.bytes) = (Kind(u8::MAX), ONES, u64::MAX);
		(ticket.face_value, ticket.win_probability) = (u128::MAX, ticket::CERTAIN);
		(ticket.nonce, ticket.expiry) = (u64::MAX, u32::MAX);
	};
	let smallest = |ticket: &mut Ticket| {
		(ticket.bytes, ticket.face_value, ticket.win_probability) = (0, 0, 0);
		(ticket.stream, ticket.nonce, ticket.expiry) = (StreamId(0), 0, 0);
	};
	let fair = amount::win_probability(6 * amount::TICKET_BYTES, 2_000_000, 50_000).unwrap_or(0);
	let mut cases = vec![case("minimal", 0, &smallest), case("maximal", 1, &largest)];
	cases.extend((2..10).map(|serial| case("half", serial, &|_| ())));
	cases.extend((10..12).map(|serial| case("fair", serial, &|ticket| ticket.win_probability = fair)));
	let refused = cut_and_scheme(
		&hex::decode(&cases[0]["encoded"].as_str().unwrap_or_default()[2..]).unwrap_or_default(),
		32,
	);
	let mut file = file(cases, refused);
	file["randDomain"] = json!(Domain::Rand.name());
	file["commitmentDomain"] = json!(Domain::Commitment.name());
	file["outcomeDomain"] = json!(Domain::Outcome.name());
	file["secret"] = json!(bytes(secret));
	file["salt"] = json!(bytes(salt));
	file
}

fn voucher_vectors() -> Value {
	let minimal = Voucher {
		sender: SENDER,
		session: session(),
		recipient: RECIPIENT,
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: ZERO,
		terms: 0,
		amount: 0,
		bytes: 0,
		expiry: 0,
	};
	let maximal = Voucher {
		sender: MAX_ACCOUNT,
		session: session(),
		recipient: MAX_ACCOUNT,
		stream: MAX_ID,
		kind: Kind(u8::MAX),
		context: ONES,
		terms: u32::MAX,
		amount: u128::MAX,
		bytes: u64::MAX,
		expiry: u32::MAX,
	};
	extremes(SESSION_SEED, minimal, maximal, Some(32))
}

fn reservation_vectors() -> Value {
	let minimal = Reservation {
		sender: SENDER,
		session: session(),
		recipient: RECIPIENT,
		counter: 1,
		cap: 0,
		reward: 0,
		submit_by: 0,
	};
	let maximal = Reservation {
		sender: MAX_ACCOUNT,
		session: session(),
		recipient: MAX_ACCOUNT,
		counter: u32::MAX,
		cap: u128::MAX,
		reward: u128::MAX,
		submit_by: u32::MAX,
	};
	extremes(SESSION_SEED, minimal, maximal, Some(32))
}

fn close_vectors() -> Value {
	let minimal = Close {
		sender: SENDER,
		session: session(),
		recipient: RECIPIENT,
		counter: 1,
		submit_by: 0,
	};
	let maximal = Close {
		sender: MAX_ACCOUNT,
		session: session(),
		recipient: MAX_ACCOUNT,
		counter: u32::MAX,
		submit_by: u32::MAX,
	};
	extremes(SESSION_SEED, minimal, maximal, Some(32))
}

fn release_vectors() -> Value {
	let minimal = Release {
		recipient: RECIPIENT,
		session: session(),
		registered: 0,
		counter: 1,
		kept: 0,
	};
	let maximal = Release {
		recipient: MAX_ACCOUNT,
		session: session(),
		registered: u32::MAX,
		counter: u32::MAX,
		kept: u128::MAX,
	};
	extremes(RECIPIENT_SEED, minimal, maximal, Some(32))
}

fn tip_vectors() -> Value {
	let minimal = Tip {
		sender: SENDER,
		session: session(),
		stream: StreamId(0),
		amount: 0,
		reward: 0,
		nonce: 0,
		expiry: 0,
	};
	let maximal = Tip {
		sender: MAX_ACCOUNT,
		session: session(),
		stream: MAX_ID,
		amount: u128::MAX,
		reward: u128::MAX,
		nonce: u64::MAX,
		expiry: u32::MAX,
	};
	extremes(SESSION_SEED, minimal, maximal, Some(32))
}

fn session_proof_vectors() -> Value {
	let proof = |account| SessionProof { account };
	extremes(SESSION_SEED, proof(AccountId([0; 32])), proof(MAX_ACCOUNT), None)
}

fn relayer_proof_vectors() -> Value {
	let proof = |account| RelayerProof { account };
	extremes(RELAYER_SEED, proof(AccountId([0; 32])), proof(MAX_ACCOUNT), None)
}

fn relayer_notice_vectors() -> Value {
	let key = KeyPair::from_seed(RELAYER_SEED).public();
	let minimal = RelayerNotice {
		account: AccountId([0; 32]),
		key,
		number: 0,
		stream: StreamId(0),
		addresses: BoundedVec::new(),
		transports: 0,
		certificates: BoundedVec::new(),
		price_per_gb: 0,
		free_seats: 0,
		path: BoundedVec::new(),
		lag_ms: 0,
		contact: Text::default(),
		reports: Text::default(),
		until_ms: 0,
	};
	let maximal = RelayerNotice {
		account: MAX_ACCOUNT,
		key,
		number: u64::MAX,
		stream: MAX_ID,
		addresses: most(|_| longest()),
		transports: transport::QUIC | transport::WEB_TRANSPORT | transport::WEB_RTC | 1 << 31,
		certificates: most(|n| Hash([n as u8; 32])),
		price_per_gb: u64::MAX,
		free_seats: u32::MAX,
		path: most(|n| AccountId([n as u8; 32])),
		lag_ms: u32::MAX,
		contact: longest(),
		reports: longest(),
		until_ms: u64::MAX,
	};
	// The same bytes, with no bounds.
	let raw = |addresses: Vec<Vec<u8>>, certificates: usize, path: usize, contact: &[u8]| {
		let place = (
			SENDER,
			key,
			0u64,
			STREAM,
			addresses,
			0u32,
			vec![ZERO; certificates],
			0u64,
			0u32,
		);
		let rest = (vec![SENDER; path], 0u32, contact.to_vec(), Vec::<u8>::new(), 0u64);
		(place, rest).encode()
	};
	let address = |len: usize| vec![b'a'; len];
	let mut refused = cut_and_scheme(&minimal.encode(), 32);
	refused.extend([
		("count", "9 addresses", raw(vec![address(1); 9], 0, 0, b"")),
		("count", "an address of 129 bytes", raw(vec![address(129)], 0, 0, b"")),
		("count", "5 certificates", raw(vec![], 5, 0, b"")),
		("count", "a path of 17", raw(vec![], 0, 17, b"")),
		("text", "contact that is not UTF-8", raw(vec![], 0, 0, b"\xc3\x28")),
		("text", "contact with a control character", raw(vec![], 0, 0, b"a\nb")),
	]);
	let cases = [
		signed(RELAYER_SEED, "minimal", minimal),
		signed(RELAYER_SEED, "maximal", maximal),
	];
	file(cases, refused)
}

fn report_vectors() -> Value {
	let minimal = Report {
		session: session(),
		window: header(1).id,
		header: ZERO,
		reason: 0,
		text: Text::default(),
		at_ms: 0,
	};
	let maximal = Report {
		session: session(),
		window: largest_header().id,
		header: ONES,
		reason: u8::MAX,
		text: longest(),
		at_ms: u64::MAX,
	};
	let raw = |text: &[u8]| (session(), header(1).id, ZERO, 0u8, text.to_vec(), 0u64).encode();
	let mut refused = cut_and_scheme(&minimal.encode(), 0);
	refused.extend([
		("count", "text of 513 bytes", raw(&[b'a'; 513])),
		("text", "text that is not UTF-8", raw(b"\xff")),
		("text", "text with a control character", raw(b"\0")),
	]);
	let cases = [
		signed(SESSION_SEED, "minimal", minimal),
		signed(SESSION_SEED, "maximal", maximal),
	];
	file(cases, refused)
}

fn quality_vectors() -> Value {
	let minimal = Quality {
		session: session(),
		stream: StreamId(0),
		relayer: AccountId([0; 32]),
		from_ms: 0,
		duration_ms: 0,
		bytes: 0,
		start_up_ms: 0,
		stalls: 0,
		stalled_ms: 0,
		latency_ms: 0,
		refused: 0,
		commitments: BoundedVec::new(),
	};
	let maximal = Quality {
		session: session(),
		stream: MAX_ID,
		relayer: MAX_ACCOUNT,
		from_ms: u64::MAX,
		duration_ms: u32::MAX,
		bytes: u64::MAX,
		start_up_ms: u32::MAX,
		stalls: u32::MAX,
		stalled_ms: u32::MAX,
		latency_ms: u32::MAX,
		refused: u32::MAX,
		commitments: most(|n| Hash([n as u8; 32])),
	};
	let mut many = minimal.encode();
	many.pop();
	many.extend(vec![ZERO; 65].encode());
	let mut refused = cut_and_scheme(&minimal.encode(), 0);
	refused.push(("count", "65 commitments", many));
	let cases = [
		signed(SESSION_SEED, "minimal", minimal),
		signed(SESSION_SEED, "maximal", maximal),
	];
	file(cases, refused)
}

fn win_probability_vectors() -> Value {
	let (max_price, max_bytes) = (amount::MAX_PRICE_PER_GB, amount::MAX_TICKET_BYTES);
	let cases = [
		(0, 0, 1),
		(0, 2_000_000, 50_000),
		(1, 1, 1),
		(1, 1, u128::from(u64::MAX)),
		(375_000, 2_000_000, 50_000),
		(375_000, 2_000_000, 750),
		(375_000, 2_000_000, 751),
		(375_000, 2_000_000, 0),
		(1_000_000_000, 10, 20),
		(1_000_000_000, 10, 10),
		(8 << 20, 1_000_000_000, 50_000_000),
		(max_bytes - 1, max_price, u128::from(u64::MAX)),
		(max_bytes - 1, max_price, 1 << 60),
		(max_bytes - 1, max_price, (1 << 66) - 1),
		// On either side of a face value of 2^96 / 10^9.
		(max_bytes - 1, max_price, (1 << 96) / amount::BYTES_PER_GB),
		(max_bytes - 1, max_price, (1 << 96) / amount::BYTES_PER_GB + 1),
		(max_bytes, max_price, u128::from(u64::MAX)),
		(max_bytes - 1, max_price + 1, u128::from(u64::MAX)),
		(1, 1, u128::MAX),
	];
	let cases = cases.map(|(paid, price, face)| {
		json!({
			"bytes": text(paid),
			"pricePerGb": text(price),
			"faceValue": text(face),
			"winProbability": amount::win_probability(paid, price, face).map(text),
			"cost": text(amount::cost(paid, price)),
		})
	});
	json!({ "maxPricePerGb": text(max_price), "maxBytes": text(max_bytes), "cases": cases })
}
