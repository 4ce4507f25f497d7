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
			payer: None,
			..subscribe.clone()
		}),
		ToRelayer::Subscribe(subscribe),
		ToRelayer::Ticket(fixture::session_key().sign(ticket, &fixture::GENESIS)),
		ToRelayer::Voucher(Hash([9; 32]), voucher()),
		ToRelayer::Reserve(reservation()),
		ToRelayer::Leave,
	]
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
		ToViewer::End(EndReason::Finished),
		ToViewer::End(EndReason::BadSubscription),
		ToViewer::End(EndReason::SeatsTaken),
		ToViewer::End(EndReason::ReservationRefused(ReserveError::Busy)),
		ToViewer::End(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::DepositTooSmall,
		))),
	]
}

/// Kinds of requests.
const UP: [Kind; 4] = [Kind::Subscribe, Kind::Ticket, Kind::Voucher, Kind::Reserve];

/// Kinds of answers but for windows.
const DOWN: [Kind; 11] = [
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
];

fn read_request(mut bytes: &[u8]) -> Result<Option<ToRelayer>, WireError> {
	RequestDecoder::default().poll(&mut bytes)
}

fn read_answer(mut bytes: &[u8]) -> Result<Option<Delivery>, WireError> {
	DeliveryDecoder::default().poll(&mut bytes)
}

fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
	let mut frame = (1 + body.len() as u32).to_le_bytes().to_vec();
	frame.push(kind);
	frame.extend_from_slice(body);
	frame
}

/// A window's deliveries, fed in pieces of this length.
fn read_window(frame: &[u8], piece: usize) -> Result<Vec<Delivery>, WireError> {
	let mut decoder = DeliveryDecoder::default();
	let mut found = Vec::new();
	for mut input in frame.chunks(piece) {
		while let Some(delivery) = decoder.poll(&mut input)? {
			if let Delivery::Chunk(index) = delivery {
				assert!(!decoder.chunk(index).is_empty());
				assert!(decoder.chunk(index + 1).is_empty());
			}
			found.push(delivery);
		}
		assert!(input.is_empty());
	}
	decoder.finish()?;
	Ok(found)
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

/// A frame with this window's header, leaves and data and these bytes for items, of which it states so many.
fn with_raw_items(window: &EncodedWindow, items: &[u8], stated: usize) -> Vec<u8> {
	let leaves = merkle::leaves(&window.data(), window.header().chunk_log2);
	let body = [
		&window.signed_header().encode()[..],
		&(stated as u16).to_le_bytes(),
		items,
		&leaves.iter().flat_map(|leaf| leaf.0).collect::<Vec<_>>(),
		&window.data(),
	]
	.concat();
	raw(Kind::Window as u8, &body)
}

#[test]
fn messages_come_back_as_they_were() {
	for request in requests() {
		assert_eq!(read_request(&request.to_frame()), Ok(Some(request)));
	}
	for answer in answers() {
		assert_eq!(read_answer(&answer.to_frame()), Ok(Some(Delivery::Message(answer))));
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
fn window_comes_piece_by_piece() {
	for window in [window(), window_with_items()] {
		let leaves = merkle::leaves(&window.data(), 14);
		for piece in [1, 7, 203, 16_384, 1 << 20] {
			let found = read_window(&window.frame(), piece).unwrap();
			let expected = [
				Delivery::Header(window.signed_header().clone()),
				Delivery::Items(window.items().clone()),
				Delivery::Leaves(leaves.clone()),
				Delivery::Chunk(0),
				Delivery::Chunk(1),
				Delivery::Chunk(2),
				Delivery::Window(window.frame()),
			];
			assert_eq!(found, expected);
		}
	}
}

#[test]
fn chunks_can_be_read_while_the_window_arrives() {
	for window in [window(), window_with_items()] {
		let frame = window.frame();
		let mut decoder = DeliveryDecoder::default();
		let mut input = &frame[..];
		while let Some(delivery) = decoder.poll(&mut input).unwrap() {
			if let Delivery::Chunk(index) = delivery {
				let start = index as usize * (16 << 10);
				let end = (start + (16 << 10)).min(40_000);
				assert_eq!(decoder.chunk(index), &window.data()[start..end]);
			}
		}
		assert!(decoder.chunk(0).is_empty());
	}
}

#[test]
fn largest_window_passes_in_chunks_of_every_size() {
	let item = |kind| Item {
		kind,
		data: vec![kind as u8; MAX_ITEM_BYTES as usize].try_into().unwrap(),
	};
	let items = Items::new((0..MAX_ITEMS as u16).map(item).collect()).unwrap();
	let data = vec![0x5a; MAX_WINDOW_BYTES as usize];
	for (chunk_log2, chunks) in [(12, 2_048), (13, 1_024), (14, 512), (15, 256), (16, 128)] {
		let mut broadcast = Broadcast {
			items: items.clone(),
			chunk_log2,
			..Broadcast::default()
		};
		let frame = broadcast.segment(&data).frame();
		let body = frame.len() - PREFIX_BYTES;
		match chunk_log2 {
			12 => assert_eq!(body, Kind::Window.max_body()),
			_ => assert!(body < Kind::Window.max_body()),
		}
		let found = read_window(&frame, 1 << 20).unwrap();
		assert_eq!(found.len(), 3 + chunks + 1);
		assert_eq!(found.last(), Some(&Delivery::Window(frame)));
	}
}

#[test]
fn items_have_one_encoding_and_the_stated_length() {
	let (plain, window) = (window(), window_with_items());
	let items = window.items().encode();
	assert_eq!(with_raw_items(&window, &items, items.len()), window.frame());
	assert_eq!(with_raw_items(&plain, &[], 0), plain.frame());
	let malformed = Err(WireError::Malformed(Kind::Window));
	let read = |bytes: &[u8]| read_window(&with_raw_items(&window, bytes, bytes.len()), 1_000);
	assert_eq!(read(&[0]), malformed, "of no items the length is zero");
	let longer = [&items[..], &[0]].concat();
	assert_eq!(read(&longer), Err(WireError::TrailingBytes(Kind::Window)));
	for len in 1..items.len() {
		let short = Err(WireError::Truncated(Some(Kind::Window)));
		assert_eq!(read(&items[..len]), short, "{len} bytes");
	}
	let item = |kind| Item {
		kind,
		data: Default::default(),
	};
	assert_eq!(
		read(&[item(1), item(2)].to_vec().encode()).map(|found| found.len()),
		Ok(7)
	);
	assert_eq!(read(&[item(2), item(1)].to_vec().encode()), malformed);
	assert_eq!(read(&[item(1), item(1)].to_vec().encode()), malformed);
	assert_eq!(read(&(0..17).map(item).collect::<Vec<_>>().encode()), malformed);

	// Stated otherwise than the frame has room for.
	let body = window.frame().len() - PREFIX_BYTES;
	for stated in [items.len() - 1, items.len() + 1, 0, usize::from(u16::MAX)] {
		let expected = body - items.len() + stated;
		let frame = with_raw_items(&window, &items, stated);
		assert_eq!(
			read_window(&frame, 1_000),
			Err(WireError::WindowLength { expected, got: body })
		);
	}
}

#[test]
fn unknown_kind_is_named() {
	for kind in [0x00, 0x06, 0x80, 0x8d, 0xff] {
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
	let window = window().frame();
	assert_eq!(read_request(&window), Err(WireError::WrongDirection(Kind::Window)));
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
	for kind in DOWN.into_iter().chain([Kind::Window]) {
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
			ToViewer::Init(_) => {},
			ToViewer::Waiting => check(Kind::Waiting, &()),
		}
	}
	let empty = raw(Kind::Init as u8, &[]);
	assert_eq!(
		read_answer(&empty),
		Ok(Some(Delivery::Message(ToViewer::Init(Bytes::new())))),
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
	assert_eq!(
		read(&[4], 1),
		Ok(Some(Delivery::Message(ToViewer::Status(Box::new(state.clone())))))
	);
	assert_eq!(read(&[5, 0], 1), malformed);
	assert_eq!(read(&[6, 0, 0, 0], 1), malformed);
	// One more than allowed, in a frame that has no room for all of them: the length is judged first.
	assert_eq!(read(&[5, 1], 1), malformed);
}

#[test]
fn window_frame_must_have_the_length_that_its_header_calls_for() {
	let frame = window().frame();
	let body = frame.len() - PREFIX_BYTES;
	for got in [body - 1, body + 1, HEADER_BYTES] {
		let mut other = frame.to_vec();
		other[..4].copy_from_slice(&(got as u32 + 1).to_le_bytes());
		let expected = body;
		assert_eq!(
			read_window(&other, 1 << 20),
			Err(WireError::WindowLength { expected, got })
		);
	}
	let cut = raw(Kind::Window as u8, &[0; HEADER_BYTES - 1]);
	assert_eq!(read_answer(&cut), Err(WireError::Truncated(Some(Kind::Window))));
}

#[test]
fn window_with_wrong_chunk_count_is_refused() {
	let window = window();
	let refused = |chunk_log2, chunks| {
		let mut header = window.signed_header().clone();
		(header.message.chunk_log2, header.message.chunks) = (chunk_log2, chunks);
		let frame = raw(Kind::Window as u8, &[header.encode(), vec![0; 2 + 40_096]].concat());
		let bytes = 40_000;
		assert_eq!(
			read_window(&frame, 1 << 20),
			Err(WireError::ChunkCount { chunks, bytes })
		);
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
		let mut decoder = DeliveryDecoder::default();
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
