//! Every message there and back, and every way bytes can fail to be one.

use super::*;
use crate::{
	fixture::{self, Broadcast},
	EncodedWindow,
};
use clustercast_primitives::{
	catalog::{Catalog, Protection, Track, MAX_TRACKS},
	chain::TicketRefusal,
	channel::Reservation,
	ext::{Item, MAX_ITEMS, MAX_ITEM_BYTES},
	receipt::{self, MAX_DELIVERIES},
	status::{State, TrackState},
	subscribe,
	text::Text,
	Delivery as Delivered, Receipt, Ticket, Voucher,
};
use codec::EncodeLike;

fn requests() -> Vec<ToRelayer> {
	let tracks: Tracks = vec![1].try_into().unwrap();
	let mut subscription = fixture::subscription();
	subscription.tracks = (0..subscribe::MAX_TRACKS as u16)
		.collect::<Vec<_>>()
		.try_into()
		.unwrap();
	let subscribe = Subscribe {
		genesis: fixture::GENESIS,
		stream: fixture::STREAM,
		tracks: subscription.tracks.clone(),
		start: Start::After {
			epoch: 7,
			segment: 9,
			part: 2,
			header: Hash([3; 32]),
		},
		follow: Follow::Announcements,
		payer: Some(Payer {
			subscription: fixture::session_key().sign(subscription, &fixture::GENESIS),
			vouchers: true,
		}),
	};
	let ticket = Ticket {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: receipt::Kind::REPLAY,
		context: Hash([4; 32]),
		bytes: 5,
		face_value: 6,
		win_probability: 7,
		commitment: Hash([8; 32]),
		nonce: 9,
		expiry: 10,
	};
	vec![
		ToRelayer::Subscribe(Subscribe {
			tracks,
			start: Start::Live,
			follow: Follow::Windows,
			payer: None,
			..subscribe.clone()
		}),
		ToRelayer::Subscribe(subscribe),
		ToRelayer::Ticket(fixture::session_key().sign(ticket, &fixture::GENESIS)),
		ToRelayer::Voucher(Hash([9; 32]), voucher()),
		ToRelayer::Reserve(reservation()),
		ToRelayer::Leave,
		ToRelayer::Fetch(Fetch {
			range: range(),
			within_ms: 5,
		}),
		ToRelayer::Cancel(range()),
		ToRelayer::Follow(Follow::Windows),
		ToRelayer::Follow(Follow::Announcements),
	]
}

fn range() -> Range {
	Range {
		header: Hash([1; 32]),
		first: 2,
		count: 3,
	}
}

fn reservation() -> SignedReservation {
	let reservation = Reservation {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		counter: 1,
		cap: 2,
		reward: 3,
		submit_by: 4,
	};
	fixture::session_key().sign(reservation, &fixture::GENESIS)
}

fn voucher() -> SignedVoucher {
	let voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: receipt::Kind::LIVE,
		context: Hash([4; 32]),
		terms: 3,
		amount: 5,
		bytes: 6,
		expiry: 7,
	};
	fixture::session_key().sign(voucher, &fixture::GENESIS)
}

/// As long as a catalog can be.
fn longest_catalog() -> SignedCatalog {
	fn text<const N: u32>() -> Text<N> {
		Text::try_from(&"x".repeat(N as usize)[..]).unwrap()
	}
	let track = |id| Track {
		id,
		kind: 1,
		role: 2,
		language: text(),
		codecs: text(),
		bitrate: 3,
		width: 4,
		height: 5,
		rate: 6,
		timescale: 7,
		init: Hash([8; 32]),
	};
	let ids: Vec<u16> = (0..MAX_TRACKS as u16).collect();
	let protection = Protection {
		scheme: 1,
		key_id: [2; 16],
		tracks: ids.clone().try_into().unwrap(),
	};
	let catalog = Catalog {
		stream: fixture::STREAM,
		epoch: fixture::EPOCH,
		number: 1,
		title: text(),
		tracks: ids.into_iter().map(track).collect::<Vec<_>>().try_into().unwrap(),
		protection: vec![protection; 4].try_into().unwrap(),
		mirrors: vec![text(); 8].try_into().unwrap(),
	};
	SignedCatalog::sign(catalog, &fixture::stream_key(), &fixture::GENESIS)
}

fn longest_status() -> SignedStatus {
	let state = |track| TrackState {
		track,
		count: 1,
		last: Hash([2; 32]),
		history: Hash([3; 32]),
	};
	let tracks: Vec<_> = (0..MAX_TRACKS as u16).map(state).collect();
	let status = fixture::status(1, State::Idle).status.message;
	SignedStatus::sign(
		status,
		tracks.try_into().unwrap(),
		&fixture::stream_key(),
		&fixture::GENESIS,
	)
}

/// With peaks as a peer may state them.
fn history(count: u64, peaks: usize) -> History {
	History::decode(&mut &(count, vec![Hash([5; 32]); peaks]).encode()[..]).unwrap()
}

fn answers() -> Vec<ToViewer> {
	let delivery = Delivered {
		header: Hash([1; 32]),
		first: 2,
		count: 3,
		delivered: Hash([4; 32]),
	};
	let receipt = |deliveries: usize| {
		let receipt = Receipt {
			kind: receipt::Kind::LIVE,
			context: Hash([0; 32]),
			payer: Hash([1; 32]),
			payee: fixture::RECIPIENT,
			key: fixture::relayer_key().public(),
			stream: fixture::STREAM,
			root: Hash([2; 32]),
			bytes: 3,
			price: 4_000,
			commitment: Hash([5; 32]),
			block: 6,
		};
		let signed = fixture::relayer_key().sign(receipt, &fixture::GENESIS);
		ToViewer::Receipt(signed, vec![delivery; deliveries].try_into().unwrap())
	};
	vec![
		ToViewer::Challenge(fixture::CHALLENGE),
		ToViewer::Terms(None),
		ToViewer::Terms(Some(fixture::terms())),
		ToViewer::Terms(Some(Terms {
			mode: PaymentMode::Vouchers {
				newest: Some(voucher()),
			},
			reserve: Some(ReserveTerms { least: 1, reward: 2 }),
			..fixture::terms()
		})),
		ToViewer::Catalog(Box::new(fixture::catalog(&[0], b"i", 0))),
		ToViewer::Catalog(Box::new(longest_catalog())),
		ToViewer::Init(Bytes::from_static(b"i")),
		ToViewer::Init(Bytes::from(vec![7; MAX_INIT_BYTES as usize])),
		ToViewer::History(History::default()),
		ToViewer::History(history((1 << 40) - 1, merkle::MAX_PATH)),
		ToViewer::Status(Box::new(fixture::status(1, State::Ended))),
		ToViewer::Status(Box::new(longest_status())),
		receipt(0),
		receipt(1),
		receipt(MAX_DELIVERIES as usize),
		ToViewer::Paid(Hash([9; 32])),
		ToViewer::Reserved(7),
		ToViewer::Waiting,
		ToViewer::Seats(u32::MAX),
		ToViewer::Route(Path::default()),
		ToViewer::Route(vec![PublicKey([7; 32]); 8].try_into().unwrap()),
		ToViewer::Others(Names::default()),
		ToViewer::Others(vec![PublicKey([7; 32]); 3].try_into().unwrap()),
		ToViewer::Lacks(range()),
		announcement(&window(), true),
		announcement(&window_with_items(), false),
		announcement(&longest_window(), true),
		announcement(&longest_window(), false),
		ToViewer::End(EndReason::Finished),
		ToViewer::End(EndReason::BadSubscription),
		ToViewer::End(EndReason::SeatsTaken),
		ToViewer::End(EndReason::IdleLately(500)),
		ToViewer::End(EndReason::PriceRose),
		ToViewer::End(EndReason::Denied),
		ToViewer::End(EndReason::ReservationRefused(ReserveError::Busy)),
		ToViewer::End(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::DepositTooSmall,
		))),
	]
}

/// Kinds of requests.
const UP: [Kind; 7] = [
	Kind::Subscribe,
	Kind::Ticket,
	Kind::Voucher,
	Kind::Reserve,
	Kind::Fetch,
	Kind::Cancel,
	Kind::Follow,
];

/// Kinds of answers.
const DOWN: [Kind; 17] = [
	Kind::Challenge,
	Kind::Terms,
	Kind::Catalog,
	Kind::Init,
	Kind::History,
	Kind::Status,
	Kind::Receipt,
	Kind::Paid,
	Kind::End,
	Kind::Reserved,
	Kind::Waiting,
	Kind::Pushed,
	Kind::Offered,
	Kind::Lacks,
	Kind::Seats,
	Kind::Route,
	Kind::Others,
];

fn read_request(mut bytes: &[u8]) -> Result<Option<ToRelayer>, WireError> {
	RequestDecoder::default().poll(&mut bytes)
}

fn read_answer(mut bytes: &[u8]) -> Result<Option<ToViewer>, WireError> {
	AnswerDecoder::default().poll(&mut bytes)
}

fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
	let mut frame = (1 + body.len() as u32).to_le_bytes().to_vec();
	frame.push(kind);
	frame.extend_from_slice(body);
	frame
}

fn announcement(window: &EncodedWindow, comes: bool) -> ToViewer {
	let announcement = Announcement::new(
		window.signed_header().clone(),
		window.items().clone(),
		window.leaves().to_vec(),
	);
	match comes {
		true => ToViewer::Pushed(Box::new(announcement)),
		false => ToViewer::Offered(Box::new(announcement)),
	}
}

/// As many chunks and items as there can be.
fn longest_window() -> EncodedWindow {
	let item = |kind| Item {
		kind,
		data: vec![3; MAX_ITEM_BYTES as usize].try_into().unwrap(),
	};
	let mut broadcast = Broadcast {
		items: Items::new((1..=MAX_ITEMS as u16).map(item).collect()).unwrap(),
		chunk_log2: 12,
		..Broadcast::default()
	};
	broadcast.segment(&vec![1; MAX_WINDOW_BYTES as usize])
}

fn window() -> EncodedWindow {
	Broadcast::default().segment(&fixture::media(40_000, 1))
}

/// The same with items.
fn window_with_items() -> EncodedWindow {
	let mut broadcast = Broadcast {
		items: fixture::items(),
		..Broadcast::default()
	};
	broadcast.segment(&fixture::media(40_000, 1))
}

/// An announcement with this window's header and leaves and these bytes for items, of which it states so many.
fn with_raw_items(window: &EncodedWindow, items: &[u8], stated: usize) -> Vec<u8> {
	let body = [
		&window.signed_header().encode()[..],
		&(stated as u16).to_le_bytes(),
		items,
		&window.leaves().iter().flat_map(|leaf| leaf.0).collect::<Vec<_>>(),
	]
	.concat();
	raw(Kind::Pushed as u8, &body)
}

#[test]
fn messages_come_back_as_they_were() {
	for request in requests() {
		assert_eq!(read_request(&request.to_frame()), Ok(Some(request)));
	}
	for answer in answers() {
		assert_eq!(read_answer(&answer.to_frame()), Ok(Some(answer)));
	}
}

#[test]
fn longest_messages_fill_their_bounds() {
	let longest = |kind: Kind| {
		let requests = requests().into_iter().map(|m| m.to_frame());
		let answers = answers().into_iter().map(|m| m.to_frame());
		requests
			.chain(answers)
			.filter(|f| f[4] == kind as u8)
			.map(|f| f.len() - PREFIX_BYTES)
			.max()
	};
	for kind in UP.into_iter().chain(DOWN) {
		assert_eq!(longest(kind), Some(kind.max_body()), "{kind}");
	}
	assert_eq!(HEADER_BYTES, SignedHeader::max_encoded_len());
}

#[test]
fn announcement_is_shared_and_says_whether_the_window_comes() {
	for window in [window(), window_with_items(), longest_window()] {
		for comes in [true, false] {
			let frame = window.announcement(comes);
			assert_eq!(frame, announcement(&window, comes).to_frame());
			let read = read_answer(&frame).unwrap().unwrap();
			let (ToViewer::Pushed(read) | ToViewer::Offered(read)) = read else {
				panic!("{read:?}");
			};
			assert_eq!((&read.header, &read.items), (window.signed_header(), window.items()));
			assert_eq!(read.leaves, merkle::leaves(&window.data(), window.header().chunk_log2));
		}
	}
}

#[test]
fn range_is_what_chunks_begin_with() {
	let prefix = range_prefix(&range());
	assert_eq!(prefix.len(), RANGE_BYTES);
	assert_eq!(read_range(&prefix[..].try_into().unwrap()), range());
	let far = Range {
		first: u32::MAX,
		..range()
	};
	assert_eq!((range().end(), far.end()), (Some(5), None));
}

#[test]
fn items_have_one_encoding_and_the_stated_length() {
	let (plain, window) = (window(), window_with_items());
	let items = window.items().encode();
	assert_eq!(with_raw_items(&window, &items, items.len()), window.announcement(true));
	assert_eq!(with_raw_items(&plain, &[], 0), plain.announcement(true));
	let malformed = Err(WireError::Malformed(Kind::Pushed));
	let read = |bytes: &[u8]| read_answer(&with_raw_items(&window, bytes, bytes.len()));
	assert_eq!(read(&[0]), malformed, "of no items the length is zero");
	let longer = [&items[..], &[0]].concat();
	assert_eq!(read(&longer), Err(WireError::TrailingBytes(Kind::Pushed)));
	for len in 1..items.len() {
		let short = Err(WireError::Truncated(Some(Kind::Pushed)));
		assert_eq!(read(&items[..len]), short, "{len} bytes");
	}
	let item = |kind| Item {
		kind,
		data: Default::default(),
	};
	assert!(read(&[item(1), item(2)].to_vec().encode()).is_ok());
	assert_eq!(read(&[item(2), item(1)].to_vec().encode()), malformed);
	assert_eq!(read(&[item(1), item(1)].to_vec().encode()), malformed);
	assert_eq!(read(&(0..17).map(item).collect::<Vec<_>>().encode()), malformed);

	// Stated otherwise than the frame has room for.
	let body = window.announcement(true).len() - PREFIX_BYTES;
	for stated in [items.len() - 1, items.len() + 1, 0, usize::from(u16::MAX)] {
		let expected = body - items.len() + stated;
		let frame = with_raw_items(&window, &items, stated);
		assert_eq!(
			read_answer(&frame),
			Err(WireError::AnnouncementLength { expected, got: body })
		);
	}
}

#[test]
fn unknown_kind_is_named() {
	for kind in [0x00, 0x09, 0x80, 0x92, 0xff] {
		assert_eq!(read_request(&raw(kind, &[])), Err(WireError::UnknownKind(kind)));
		assert_eq!(read_answer(&raw(kind, &[])), Err(WireError::UnknownKind(kind)));
	}
}

#[test]
fn messages_of_the_other_side_are_refused() {
	for request in requests() {
		assert!(matches!(
			read_answer(&request.to_frame()),
			Err(WireError::WrongDirection(_))
		));
	}
	for answer in answers() {
		assert!(matches!(
			read_request(&answer.to_frame()),
			Err(WireError::WrongDirection(_))
		));
	}
}

#[test]
fn frame_without_kind_is_refused() {
	assert_eq!(read_request(&[0, 0, 0, 0, 1]), Err(WireError::EmptyFrame));
	assert_eq!(read_answer(&[0, 0, 0, 0, 0x85]), Err(WireError::EmptyFrame));
}

#[test]
fn oversized_frame_is_refused_at_its_prefix() {
	for kind in UP {
		let max = kind.max_body();
		let mut prefix = (max as u32 + 2).to_le_bytes().to_vec();
		prefix.push(kind as u8);
		let len = max + 1;
		assert_eq!(read_request(&prefix), Err(WireError::TooLong { kind, len, max }));
	}
	for kind in DOWN {
		let max = kind.max_body();
		let mut prefix = (max as u32 + 2).to_le_bytes().to_vec();
		prefix.push(kind as u8);
		let len = max + 1;
		assert_eq!(read_answer(&prefix), Err(WireError::TooLong { kind, len, max }));
	}
}

#[test]
fn short_and_long_bodies_are_told_apart() {
	fn check<T: Encode + EncodeLike + Decode + std::fmt::Debug + PartialEq>(kind: Kind, message: &T) {
		let body = message.encode();
		assert_eq!(decode::<T>(kind, &body).as_ref(), Ok(message));
		// Of the longest some lengths only.
		for len in (0..body.len()).step_by(1 + body.len() / 1_000) {
			assert_eq!(decode::<T>(kind, &body[..len]), Err(WireError::Truncated(Some(kind))));
		}
		let longer = [&body[..], &[0]].concat();
		assert_eq!(decode::<T>(kind, &longer), Err(WireError::TrailingBytes(kind)));
	}
	for request in requests() {
		match request {
			ToRelayer::Subscribe(m) => check(Kind::Subscribe, &m),
			ToRelayer::Ticket(m) => check(Kind::Ticket, &m),
			ToRelayer::Voucher(commitment, m) => check(Kind::Voucher, &(commitment, m)),
			ToRelayer::Reserve(m) => check(Kind::Reserve, &m),
			ToRelayer::Leave => check(Kind::Leave, &()),
			ToRelayer::Fetch(m) => check(Kind::Fetch, &m),
			ToRelayer::Cancel(m) => check(Kind::Cancel, &m),
			ToRelayer::Follow(m) => check(Kind::Follow, &m),
		}
	}
	for answer in answers() {
		match answer {
			ToViewer::Terms(m) => check(Kind::Terms, &m),
			ToViewer::Receipt(m, deliveries) => check(Kind::Receipt, &(m, deliveries)),
			ToViewer::Paid(m) => check(Kind::Paid, &m),
			ToViewer::Challenge(m) => check(Kind::Challenge, &m),
			ToViewer::End(m) => check(Kind::End, &m),
			ToViewer::Catalog(m) => check(Kind::Catalog, &*m),
			ToViewer::Status(m) => check(Kind::Status, &*m),
			ToViewer::History(m) => check(Kind::History, &m),
			ToViewer::Reserved(m) => check(Kind::Reserved, &m),
			ToViewer::Lacks(m) => check(Kind::Lacks, &m),
			ToViewer::Seats(m) => check(Kind::Seats, &m),
			ToViewer::Route(m) => check(Kind::Route, &m),
			ToViewer::Others(m) => check(Kind::Others, &m),
			ToViewer::Init(_) | ToViewer::Pushed(_) | ToViewer::Offered(_) => {},
			ToViewer::Waiting => check(Kind::Waiting, &()),
		}
	}
	let empty = raw(Kind::Init as u8, &[]);
	assert_eq!(
		read_answer(&empty),
		Ok(Some(ToViewer::Init(Bytes::new()))),
		"a track without one"
	);
}

#[test]
fn impossible_values_are_refused() {
	assert_eq!(read_answer(&raw(0x81, &[2])), Err(WireError::Malformed(Kind::Terms)));
	assert_eq!(read_answer(&raw(0x86, &[200])), Err(WireError::Malformed(Kind::End)));
	let mut subscribe = requests()[0].to_frame().to_vec();
	// Behind genesis hash, stream and one track.
	let start = PREFIX_BYTES + 32 + 8 + 3;
	subscribe[start] = 9;
	assert_eq!(read_request(&subscribe), Err(WireError::Malformed(Kind::Subscribe)));
}

#[test]
fn lengths_are_bounded_and_the_shortest() {
	// A compact length of one item, in two bytes and in four.
	let state = fixture::status(1, State::Live);
	let (signed, track) = (state.status.encode(), state.tracks[0].encode());
	let read = |length: &[u8], tracks: usize| {
		let tracks = track.repeat(tracks);
		read_answer(&raw(Kind::Status as u8, &[&signed[..], length, &tracks].concat()))
	};
	let malformed = Err(WireError::Malformed(Kind::Status));
	assert_eq!(read(&[4], 1), Ok(Some(ToViewer::Status(Box::new(state.clone())))));
	assert_eq!(read(&[5, 0], 1), malformed);
	assert_eq!(read(&[6, 0, 0, 0], 1), malformed);
	// One more than allowed, in a frame that has no room for all of them: the length is judged first.
	assert_eq!(read(&[5, 1], 1), malformed);
}

#[test]
fn announcement_must_have_the_length_that_its_header_calls_for() {
	let frame = window().announcement(true);
	let expected = frame.len() - PREFIX_BYTES;
	for got in [expected - 1, expected + 1, HEADER_BYTES + 2] {
		let body: Vec<u8> = frame[PREFIX_BYTES..].iter().copied().chain([0]).take(got).collect();
		let answer = read_answer(&raw(Kind::Offered as u8, &body));
		assert_eq!(answer, Err(WireError::AnnouncementLength { expected, got }));
	}
	for len in [0, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1] {
		let cut = read_answer(&raw(Kind::Pushed as u8, &frame[PREFIX_BYTES..PREFIX_BYTES + len]));
		assert_eq!(cut, Err(WireError::Truncated(Some(Kind::Pushed))), "{len}");
	}
}

#[test]
fn window_with_wrong_chunk_count_is_refused() {
	let window = window();
	let refused = |chunk_log2, chunks| {
		let mut header = window.signed_header().clone();
		(header.message.chunk_log2, header.message.chunks) = (chunk_log2, chunks);
		let frame = raw(Kind::Pushed as u8, &[header.encode(), vec![0; 2 + 96]].concat());
		let bytes = 40_000;
		assert_eq!(read_answer(&frame), Err(WireError::ChunkCount { chunks, bytes }));
	};
	for chunks in [0, 2, 4, u32::MAX] {
		refused(14, chunks);
	}
	// Counted rightly, of a size that is not allowed.
	for (chunk_log2, chunks) in [(0, 40_000), (11, 20), (17, 1), (31, 1), (32, 1), (255, 1)] {
		assert_eq!(merkle::chunk_count(40_000, chunk_log2), chunks);
		refused(chunk_log2, chunks);
	}
}

#[test]
fn stream_may_end_only_between_messages() {
	let frame = ToViewer::Paid(Hash([9; 32])).to_frame();
	for len in 0..frame.len() {
		let mut decoder = AnswerDecoder::default();
		assert_eq!(decoder.poll(&mut &frame[..len]), Ok(None));
		let expected = match len {
			0 => Ok(()),
			1..PREFIX_BYTES => Err(WireError::Truncated(None)),
			_ => Err(WireError::Truncated(Some(Kind::Paid))),
		};
		assert_eq!(decoder.finish(), expected);
	}
	let frame = requests()[0].to_frame();
	let mut decoder = RequestDecoder::default();
	assert_eq!(decoder.poll(&mut &frame[..9]), Ok(None));
	assert_eq!(decoder.finish(), Err(WireError::Truncated(Some(Kind::Subscribe))));
}
