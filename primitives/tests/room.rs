//! A room: three renditions, two languages and captions in parts of 200 ms. Everything goes over the wire, is decoded by
//! today's decoders and checked as who receives it would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_primitives::{
	amount::{self, BYTES_PER_GB, TICKET_BYTES},
	catalog::{init_hash, kind, role, Protection, Track},
	crypto::{sha256, KeyPair, SignatureError},
	ext::{self, Item, Items},
	fraud::{Account, ChunkFraud, FraudError, MAX_CHUNK_FRAUD_BYTES},
	history::History,
	merkle::{self, Proof},
	receipt::{deliveries_root, Deliveries, Kind, PayerOpening, SignedReceipt, MAX_DELIVERIES},
	status::{State, StatusError, TrackState},
	text::Text,
	ticket::{self, CERTAIN},
	window::{flags, SignedHeader},
	AccountId, Catalog, Delivery, Hash, PublicKey, Receipt, SignedCatalog, SignedStatus, Status, StreamId, Ticket,
	TrackId, WindowHeader, WindowId, WinningTicket,
};
use codec::{DecodeAll, Encode};
use std::collections::BTreeMap;

const GENESIS: Hash = Hash([0x47; 32]);
const STREAM: StreamId = StreamId(7);
const NONE: Hash = Hash([0; 32]);
const LOG2: u8 = merkle::DEFAULT_CHUNK_LOG2;
/// Renditions 0 to 2, languages 3 and 4, captions 5.
const TRACKS: [TrackId; 6] = [0, 1, 2, 3, 4, 5];

/// What the other side has of it.
fn travel<T: DecodeAll + Encode>(value: &T) -> T {
	T::decode_all(&mut &value.encode()[..]).unwrap()
}

fn text<const N: u32>(text: &str) -> Text<N> {
	Text::try_from(text).unwrap()
}

fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

fn catalog(epoch: u32) -> Catalog {
	let track = |id, kind, role, language: &str, codecs: &str, bitrate, (width, height)| Track {
		id,
		kind,
		role,
		language: text(language),
		codecs: text(codecs),
		bitrate,
		width,
		height,
		rate: 0,
		timescale: 90_000,
		init: init_hash(&[id as u8; 700]),
	};
	let tracks = vec![
		track(0, kind::VIDEO, role::MAIN, "", "avc1.64001f", 1_500_000, (854, 480)),
		track(
			1,
			kind::VIDEO,
			role::ALTERNATE,
			"",
			"avc1.640028",
			6_000_000,
			(1920, 1080),
		),
		track(
			2,
			kind::VIDEO,
			role::ALTERNATE,
			"",
			"av01.0.12M.08",
			16_000_000,
			(3840, 2160),
		),
		track(3, kind::AUDIO, role::MAIN, "cs", "mp4a.40.2", 96_000, (0, 0)),
		track(4, kind::AUDIO, role::ALTERNATE, "en", "mp4a.40.2", 96_000, (0, 0)),
		track(5, kind::TEXT, role::CAPTION, "cs", "wvtt", 1_000, (0, 0)),
	];
	Catalog {
		stream: STREAM,
		epoch,
		number: 0,
		title: text("Zkouška v přístavu"),
		tracks: tracks.try_into().unwrap(),
		protection: vec![].try_into().unwrap(),
		mirrors: vec![text("https://mirror.example/7/")].try_into().unwrap(),
	}
}

/// Who signs windows in an epoch, each behind those before it.
struct Broadcaster {
	key: KeyPair,
	catalog: SignedCatalog,
	headers: BTreeMap<TrackId, Vec<WindowHeader>>,
	histories: BTreeMap<TrackId, History>,
}

impl Broadcaster {
	fn new(key: KeyPair, catalog: Catalog) -> Self {
		Self {
			catalog: SignedCatalog::sign(catalog, &key, &GENESIS),
			key,
			headers: BTreeMap::new(),
			histories: BTreeMap::new(),
		}
	}

	/// The next window of a track: parts of 200 ms, ten of them a segment.
	fn window(&mut self, track: TrackId, data: &[u8], ext: &Items) -> SignedHeader {
		let history = self.histories.entry(track).or_default();
		let leaves = merkle::leaves(data, LOG2);
		let number = history.count();
		let last = if number % 10 == 9 { flags::LAST_PART } else { 0 };
		let header = WindowHeader {
			id: WindowId {
				stream: STREAM,
				track,
				epoch: self.catalog.catalog.epoch,
				segment: number / 10,
				part: (number % 10) as u16,
			},
			number,
			history: history.root(),
			flags: if number.is_multiple_of(10) {
				flags::INDEPENDENT
			} else {
				last
			},
			start_ms: 1_700_000_000_000 + number * 200,
			duration_ms: 200,
			bytes: data.len() as u32,
			chunks: leaves.len() as u32,
			chunk_log2: LOG2,
			root: merkle::root(&leaves),
			catalog: self.catalog.catalog.hash(),
			ext: ext.root(),
		};
		assert!(history.append(header.hash()));
		self.headers.entry(track).or_default().push(header.clone());
		self.key.sign(header, &GENESIS)
	}

	fn hashes(&self, track: TrackId) -> Vec<Hash> {
		self.headers[&track].iter().map(WindowHeader::hash).collect()
	}

	fn status(&self, number: u64, state: State, after: Hash) -> SignedStatus {
		let track = |(track, history): (&TrackId, &History)| TrackState {
			track: *track,
			count: history.count(),
			last: self.headers[track].last().unwrap().hash(),
			history: history.root(),
		};
		let tracks: Vec<TrackState> = self.histories.iter().map(track).collect();
		let status = Status {
			stream: STREAM,
			epoch: self.catalog.catalog.epoch,
			number,
			state,
			at_ms: 1_700_000_000_000,
			valid_ms: 4_000,
			after,
			tracks: NONE,
		};
		SignedStatus::sign(status, tracks.try_into().unwrap(), &self.key, &GENESIS)
	}
}

/// What anybody checks of a window, a relayer as much as a viewer: nothing of its content, and no key but the stream's.
fn receive(stream_key: &PublicKey, header: &SignedHeader, items: &Items, chunks: &[&[u8]]) -> bool {
	let (header, items) = (travel(header), travel(items));
	header.check(stream_key, &GENESIS).is_ok()
		&& merkle::root(&merkle::leaf_hashes(chunks)) == header.message.root
		&& items.root() == header.message.ext
}

fn chunks(data: &[u8]) -> Vec<&[u8]> {
	data.chunks(1 << LOG2).collect()
}

/// Of the order of what 200 ms of each track are: 37 kB to 400 kB of picture, 2.4 kB of sound, some words.
fn data(track: TrackId, number: u8) -> Vec<u8> {
	let length = [37_500, 150_000, 400_000, 2_400, 2_400, 25][usize::from(track)];
	(0..length).map(|i| (i % 251) as u8 ^ number).collect()
}

fn receipt(key: &KeyPair, kind: Kind, payer: &PayerOpening, deliveries: &[Delivery], bytes: u64) -> Receipt {
	Receipt {
		kind,
		context: NONE,
		payer: payer.hash(),
		payee: AccountId(key.public().0),
		key: key.public(),
		stream: STREAM,
		root: deliveries_root(deliveries),
		bytes,
		price: 2_000_000,
		commitment: ticket::commitment(&Hash([0x13; 32])),
		block: 1_000,
	}
}

fn opening(session: &KeyPair) -> PayerOpening {
	PayerOpening {
		salt: Hash([0x51; 32]),
		account: AccountId([0x31; 32]),
		session: session.public(),
	}
}

/// A ticket that answers a receipt.
fn answer(session: &KeyPair, receipt: &Receipt, bytes: u64, face_value: u128, win_probability: u64) -> Ticket {
	Ticket {
		sender: opening(session).account,
		session: session.public(),
		recipient: receipt.payee,
		stream: receipt.stream,
		kind: receipt.kind,
		context: receipt.context,
		bytes,
		face_value,
		win_probability,
		commitment: receipt.commitment,
		nonce: 1,
		expiry: 1_200,
	}
}

/// Chunks `first..first + count` of a window as they were delivered.
fn delivery(header: &WindowHeader, first: u32, leaves: &[Hash]) -> Delivery {
	Delivery {
		header: header.hash(),
		first,
		count: leaves.len() as u32,
		delivered: merkle::root(leaves),
	}
}

#[test]
fn guest_watches_six_tracks_and_signs_nothing() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	let stream_key = room.key.public();
	let catalog = travel(&room.catalog);
	assert_eq!(catalog.check(&stream_key, &GENESIS), Ok(()));
	// Of each track what a viewer keeps: its history.
	let mut kept: BTreeMap<TrackId, (History, Hash)> = BTreeMap::new();
	for number in 0..12 {
		for track in TRACKS {
			let data = data(track, number);
			let header = travel(&room.window(track, &data, &Items::default()));
			assert!(receive(&stream_key, &header, &Items::default(), &chunks(&data)));
			let mut bent = data.clone();
			bent[10] ^= 1;
			assert!(!receive(&stream_key, &header, &Items::default(), &chunks(&bent)));
			assert!(!receive(&key(9).public(), &header, &Items::default(), &chunks(&data)));
			assert_eq!(header.message.catalog, catalog.catalog.hash());
			assert!(catalog.catalog.track(track).is_some());
			let (history, last) = kept.entry(track).or_insert((History::default(), NONE));
			assert!(header.message.follows(history));
			assert!(history.append(header.message.hash()));
			*last = header.message.hash();
		}
	}
	let status = travel(&room.status(3, State::Live, NONE));
	assert_eq!(status.check(&stream_key, &GENESIS), Ok(()));
	for track in TRACKS {
		let (state, (history, last)) = (status.track(track).unwrap(), &kept[&track]);
		assert_eq!((state.count, state.history, state.last), (12, history.root(), *last));
	}
}

#[test]
fn window_of_yesterday_is_proven_by_the_header_of_today() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	for number in 0..700 {
		room.window(3, &data(3, number as u8), &Items::default());
	}
	let hashes = room.hashes(3);
	let (yesterday, today) = (&room.headers[&3][5], travel(&room.headers[&3][699]));
	let proof = travel(&Proof::new(&hashes[..699], 5).unwrap());
	assert!(today.proves(&travel(yesterday), &proof));
	assert!(!today.proves(&room.headers[&3][6], &proof));
	let mut altered = yesterday.clone();
	altered.root = Hash([9; 32]);
	assert!(!today.proves(&altered, &proof));
	let mut elsewhere = today.clone();
	elsewhere.id.track = 4;
	assert!(!elsewhere.proves(yesterday, &proof));
}

#[test]
fn window_is_proven_after_the_end_through_two_epochs_and_ten_changes_of_the_key() {
	// The first epoch, two between, and the last one: in each, keys change as it goes on.
	let (mut seed, mut statuses, mut first) = (1, Vec::<SignedStatus>::new(), None);
	for (epoch, changes) in [(100, 3), (200, 2), (300, 3), (400, 2)] {
		let mut room = Broadcaster::new(key(seed), catalog(epoch));
		for _ in 0..changes {
			for number in 0..7 {
				room.window(0, &data(0, number), &Items::default());
			}
			seed += 1;
			room.key = key(seed);
		}
		let after = statuses.last().map_or(NONE, |status| status.status.message.hash());
		statuses.push(room.status(9, State::Ended, after));
		first.get_or_insert(room);
	}
	assert_eq!(seed, 11, "ten changes");
	let first = first.unwrap();
	let todays_key = key(11).public();

	// What who joins today is told: the newest status, those before it, an old header with a proof.
	let today = travel(&statuses.pop().unwrap());
	let earlier: Vec<SignedStatus> = statuses.iter().rev().map(travel).collect();
	assert_eq!(today.check(&todays_key, &GENESIS), Ok(()));
	assert!(today.status.message.holds_at(u64::MAX, 0));
	let unknown = Err(StatusError::Signature(SignatureError::Invalid));
	assert!(earlier
		.iter()
		.all(|status| status.check(&todays_key, &GENESIS) == unknown));

	let hashes = first.hashes(0);
	let (header, proof) = (&first.headers[&0][2], Proof::new(&hashes, 2).unwrap());
	let then = today.reaches(&earlier).unwrap();
	assert_eq!(then.status.message.epoch, 100);
	assert!(then.proves(&travel(header), &travel(&proof)));
	assert!(!today.proves(header, &proof), "of another epoch");
	let mut altered = header.clone();
	altered.root = Hash([9; 32]);
	assert!(!then.proves(&altered, &proof));

	// A key of then that leaked since signs another end of its epoch: no hash names it.
	let mut forged = Broadcaster::new(key(4), catalog(100));
	forged.window(0, b"never broadcast", &Items::default());
	let mut chain = earlier;
	*chain.last_mut().unwrap() = forged.status(9, State::Ended, NONE);
	assert_eq!(today.reaches(&chain), None);
}

#[test]
fn late_joiner_takes_peaks_from_a_peer_and_refuses_wrong_ones() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	for number in 0..300u32 {
		room.window(3, &data(3, number as u8), &Items::default());
		room.window(4, &data(4, number as u8), &Items::default());
	}
	let peaks = room.histories[&3].clone();
	let next = travel(&room.window(3, &data(3, 44), &Items::default()));
	let mut joined = travel(&peaks);
	assert!(next.message.follows(&joined));
	assert!(joined.append(next.message.hash()));
	let after = room.window(3, &data(3, 45), &Items::default());
	assert!(after.message.follows(&joined), "goes on by itself");

	assert!(!next.message.follows(&room.histories[&4]), "another track's");
	assert!(!next.message.follows(&joined), "one window too many");
	let sent = |count: u64, peaks: Vec<Hash>| History::decode_all(&mut &(count, peaks).encode()[..]).unwrap();
	let all = peaks.peaks().to_vec();
	assert!(next.message.follows(&sent(300, all.clone())));
	let mut bent = all.clone();
	bent[1] = Hash([9; 32]);
	assert!(!next.message.follows(&sent(300, bent)));
	assert!(!next.message.follows(&sent(301, all.clone())));
	// Of the same root and count, and yet no peaks of it.
	let folded = sent(300, vec![peaks.root()]);
	assert_eq!(
		(folded.count(), folded.root()),
		(next.message.number, next.message.history)
	);
	assert!(!next.message.follows(&folded), "nothing could be appended");
}

#[test]
fn encrypted_window_is_carried_by_who_knows_nothing_of_it_and_its_key_is_bought() {
	let key_id = [0xa1; 16];
	let mut protected = catalog(100);
	let protection = Protection {
		scheme: 200,
		key_id,
		tracks: vec![0, 1, 2].try_into().unwrap(),
	};
	protected.protection.try_push(protection).unwrap();
	let mut room = Broadcaster::new(key(1), protected);
	assert_eq!(travel(&room.catalog).check(&room.key.public(), &GENESIS), Ok(()));

	// A cipher of this test's own: nothing in the formats knows it.
	let content_key = Hash([0x77; 32]);
	let cipher = |key: &Hash, data: &[u8]| -> Vec<u8> {
		let pad = |block: usize| sha256(&[&key.0, &block.to_le_bytes()]).0;
		let blocks = data.chunks(32).enumerate();
		blocks
			.flat_map(|(i, block)| block.iter().zip(pad(i)).map(|(a, b)| a ^ b).collect::<Vec<_>>())
			.collect()
	};
	let plain = data(0, 1);
	let encrypted = cipher(&content_key, &plain);
	let item = Item {
		kind: ext::kind::ENCRYPTION,
		data: [&key_id[..], &[7; 16]].concat().try_into().unwrap(),
	};
	let items = Items::new(vec![item]).unwrap();
	let header = room.window(0, &encrypted, &items);
	assert!(receive(&room.key.public(), &header, &items, &chunks(&encrypted)));
	assert!(
		!receive(&room.key.public(), &header, &Items::default(), &chunks(&encrypted)),
		"items are left out"
	);
	assert!(!receive(&room.key.public(), &header, &items, &chunks(&plain)));

	// Who sells the key commits to it; what redeems the ticket that pays is the key.
	let (seller, session) = (key(2), key(3));
	let offer = Receipt {
		context: sha256(&[&key_id]),
		price: 500_000,
		commitment: ticket::commitment(&content_key),
		..receipt(&seller, Kind::ACCESS, &opening(&session), &[], 0)
	};
	let offer = travel(&seller.sign(offer, &GENESIS));
	assert_eq!(offer.verify(&seller.public(), &GENESIS), Ok(()));
	let paid = answer(&session, &offer.message, 0, u128::from(offer.message.price), CERTAIN);
	assert_eq!(paid.context, sha256(&[&key_id]));
	let redeemed = WinningTicket {
		signed: session.sign(paid, &GENESIS),
		rand: content_key,
	};
	let redeemed = travel(&redeemed);
	assert!(redeemed.is_winner() && redeemed.signed.verify(&session.public(), &GENESIS).is_ok());
	assert_eq!(cipher(&redeemed.rand, &encrypted), plain);
	let without = WinningTicket {
		rand: Hash([0x78; 32]),
		..redeemed
	};
	assert!(!without.is_winner(), "no money for another key");
}

#[test]
fn repair_chunks_mend_a_body_and_convict_nobody() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	// Symbols of 1,200 bytes, 32 of them made into 40.
	let geometry = Item {
		kind: ext::kind::BODY,
		data: (1_200u16, 32u16, 40u16).encode().try_into().unwrap(),
	};
	let items = Items::new(vec![geometry]).unwrap();
	let body = data(0, 1);
	let header = room.window(0, &body, &items).message;
	let sent = travel(&items);
	let (symbol, source, total) = <(u16, u16, u16)>::decode_all(&mut sent.get(ext::kind::BODY).unwrap()).unwrap();
	assert_eq!((symbol, source, total), (1_200, 32, 40));

	// What was sent is no chunk of the window, honestly.
	let repair: Vec<Hash> = (source..total).map(|n| merkle::leaf_hash(&n.to_le_bytes())).collect();
	let signed = merkle::leaves(&body, LOG2);
	let evidence = |kind| {
		let (relayer, payer) = (key(2), opening(&key(3)));
		let sent = &repair[..signed.len()];
		let deliveries = vec![delivery(&header, 0, sent)];
		let receipt = receipt(&relayer, kind, &payer, &deliveries, 3 * 1_200);
		let receipt = travel(&relayer.sign(receipt, &GENESIS));
		assert_eq!(receipt.verify(&relayer.public(), &GENESIS), Ok(()));
		ChunkFraud::find(
			&Account {
				receipt,
				payer,
				deliveries,
			},
			0,
			&header,
			&signed,
			sent,
		)
		.unwrap()
	};
	assert!(Kind::REPAIR.by_bytes());
	assert_eq!(travel(&evidence(Kind::REPAIR)).check(), Err(FraudError::NotByChunks));
	assert_eq!(
		travel(&evidence(Kind::LIVE)).check(),
		Ok(()),
		"as a window it would be wrong"
	);
}

#[test]
fn capacity_is_bought_for_a_time_and_no_bytes() {
	let (relayer, session) = (key(2), key(3));
	let room = Receipt {
		context: sha256(&[b"a contract"]),
		price: 5_000_000,
		..receipt(&relayer, Kind::CAPACITY, &opening(&session), &[], 0)
	};
	let room: SignedReceipt = travel(&relayer.sign(room, &GENESIS));
	assert_eq!(room.verify(&relayer.public(), &GENESIS), Ok(()));
	assert_eq!(room.message.root, merkle::empty_root());
	assert!(!room.message.kind.by_bytes());
	let ticket = answer(&session, &room.message, 0, 5_000_000, CERTAIN);
	let ticket = travel(&session.sign(ticket, &GENESIS));
	assert_eq!(ticket.verify(&session.public(), &GENESIS), Ok(()));
	assert_eq!((ticket.message.kind, ticket.message.bytes), (Kind::CAPACITY, 0));
	assert!(WinningTicket {
		signed: ticket,
		rand: Hash([0x13; 32])
	}
	.is_winner());
}

#[test]
fn two_viewers_net_what_they_delivered_and_one_ticket_pays_the_rest() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	let header = room.window(1, &data(1, 1), &Items::default()).message;
	let leaves = merkle::leaves(&data(1, 1), LOG2);
	let (one, other) = (key(2), key(3));
	let give = |from: &KeyPair, to: &KeyPair, bytes: u64| {
		let receipt = receipt(from, Kind::LIVE, &opening(to), &[delivery(&header, 0, &leaves)], bytes);
		let receipt = travel(&from.sign(receipt, &GENESIS));
		assert_eq!(receipt.verify(&from.public(), &GENESIS), Ok(()));
		assert_eq!(receipt.message.payer, opening(to).hash());
		assert_ne!(receipt.message.payer, opening(from).hash());
		receipt.message
	};
	let (owed, counter) = (give(&one, &other, 300_000_000), give(&other, &one, 200_000_000));
	let bytes = amount::ticket_bytes(owed.bytes - counter.bytes);
	assert!((100_000_000..100_000_000 + TICKET_BYTES).contains(&bytes) && bytes.is_multiple_of(TICKET_BYTES));
	let face_value = 1_000_000;
	let chance = amount::win_probability(bytes, owed.price, face_value).unwrap();
	let ticket = travel(&other.sign(answer(&other, &owed, bytes, face_value, chance), &GENESIS));
	assert_eq!(ticket.verify(&other.public(), &GENESIS), Ok(()));
	let within = |bytes| amount::is_ticket_within(owed.price, bytes, face_value, ticket.message.win_probability);
	assert!(within(bytes) && !within(bytes - TICKET_BYTES));
	assert_eq!(
		u128::from(bytes) * u128::from(owed.price) / BYTES_PER_GB,
		amount::cost(bytes, owed.price)
	);
}

#[test]
fn one_receipt_is_for_256_ranges_of_several_tracks() {
	let mut room = Broadcaster::new(key(1), catalog(100));
	let (mut deliveries, mut places, mut bytes) = (Vec::new(), Vec::new(), 0);
	let mut windows = Vec::new();
	for number in 0..19 {
		for track in TRACKS {
			let data = data(track, number);
			let header = room.window(track, &data, &Items::default()).message;
			windows.push((header, data));
		}
	}
	windows.sort_by_key(|(header, _)| header.id);
	for (header, data) in &windows {
		let leaves = merkle::leaves(data, LOG2);
		// Where there are more than two chunks, the first two and then all but the third.
		let ranges = match leaves.len() as u32 {
			few @ 0..3 => vec![(0, few)],
			3 => vec![(0, 1), (2, 3)],
			many => vec![(0, 2), (3, many - 1), (many - 1, many)],
		};
		for (from, to) in ranges {
			bytes += (from..to).map(|chunk| header.chunk_len(chunk) as u64).sum::<u64>();
			places.push((header.id, from, to));
			deliveries.push(delivery(header, from, &leaves[from as usize..to as usize]));
		}
	}
	assert_eq!(deliveries.len(), 209);
	while deliveries.len() < MAX_DELIVERIES as usize {
		let data = data(5, deliveries.len() as u8);
		let header = room.window(5, &data, &Items::default()).message;
		bytes += data.len() as u64;
		places.push((header.id, 0, 1));
		deliveries.push(delivery(&header, 0, &merkle::leaves(&data, LOG2)));
		windows.push((header, data));
	}
	assert!(places
		.windows(2)
		.all(|pair| pair[0].0 < pair[1].0 || (pair[0].0 == pair[1].0 && pair[0].2 <= pair[1].1)));

	let (relayer, payer) = (key(2), opening(&key(3)));
	let signed = travel(&relayer.sign(receipt(&relayer, Kind::LIVE, &payer, &deliveries, bytes), &GENESIS));
	let received: Deliveries = travel(&deliveries.clone().try_into().unwrap());
	assert_eq!(signed.verify(&relayer.public(), &GENESIS), Ok(()));
	assert_eq!(deliveries_root(&received), signed.message.root);
	let leaves: Vec<Hash> = received.iter().map(Delivery::leaf).collect();
	for at in [0, 100, 255] {
		let place = Proof::new(&leaves, at).unwrap();
		assert!(place.verify(&signed.message.root, &received[at as usize].leaf()));
	}
	deliveries.push(deliveries[0]);
	assert!(Deliveries::decode_all(&mut &deliveries.encode()[..]).is_err());

	// One wrong chunk among them all is shown from that receipt.
	deliveries.pop();
	let at = places
		.iter()
		.position(|(id, first, _)| id.track == 2 && *first == 3)
		.unwrap();
	let (header, data) = windows
		.iter()
		.find(|(header, _)| header.hash() == deliveries[at].header)
		.unwrap();
	let all = merkle::leaves(data, LOG2);
	let mut sent = all[3..3 + deliveries[at].count as usize].to_vec();
	assert_eq!(merkle::root(&sent), deliveries[at].delivered);
	sent[4] = Hash([9; 32]);
	deliveries[at].delivered = merkle::root(&sent);
	let account = Account {
		receipt: relayer.sign(receipt(&relayer, Kind::LIVE, &payer, &deliveries, bytes), &GENESIS),
		payer,
		deliveries,
	};
	let evidence = travel(&ChunkFraud::find(&account, at, header, &all, &sent).unwrap());
	assert_eq!((evidence.check(), evidence.index), (Ok(()), 4));
	assert!(evidence.encode().len() <= MAX_CHUNK_FRAUD_BYTES);
}
