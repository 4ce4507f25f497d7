//! Every message there and back, and every way bytes can fail to be one.

use super::*;
use crate::fixture::{self, Broadcast};
use clustercast_primitives::{chain::TicketRefusal, Receipt, Ticket, Voucher};
use codec::EncodeLike;

fn requests() -> Vec<ToRelayer> {
	let subscribe = Subscribe {
		genesis: fixture::GENESIS,
		stream: fixture::STREAM,
		rendition: 1,
		start: Start::After { segment: 9, part: 2 },
		payer: Some(fixture::payer()),
	};
	let ticket = Ticket {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		window: WindowId::default(),
		bytes: 5,
		face_value: 6,
		win_probability: 7,
		commitment: Hash([8; 32]),
		nonce: 9,
		expiry: 10,
	};
	vec![
		ToRelayer::Subscribe(Subscribe {
			start: Start::Live,
			payer: None,
			..subscribe.clone()
		}),
		ToRelayer::Subscribe(subscribe),
		ToRelayer::Ticket(fixture::session_key().sign(ticket, &fixture::GENESIS)),
		ToRelayer::Voucher(WindowId::default(), voucher()),
	]
}

fn voucher() -> SignedVoucher {
	let voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		amount: 5,
		bytes: 6,
		expiry: 7,
	};
	fixture::session_key().sign(voucher, &fixture::GENESIS)
}

fn answers() -> Vec<ToViewer> {
	let receipt = Receipt {
		session: fixture::session_key().public(),
		window: WindowId::default(),
		root: Hash([1; 32]),
		delivered: Hash([2; 32]),
		bytes: 3,
		price_per_gb: 4_000,
		commitment: Hash([5; 32]),
	};
	vec![
		ToViewer::Terms(None),
		ToViewer::Terms(Some(fixture::terms())),
		ToViewer::Terms(Some(Terms {
			mode: PaymentMode::Vouchers {
				newest: Some(voucher()),
			},
			..fixture::terms()
		})),
		ToViewer::Init(Bytes::from_static(b"i")),
		ToViewer::Init(Bytes::from(vec![7; MAX_INIT_BYTES])),
		ToViewer::Receipt(fixture::relayer_key().sign(receipt, &fixture::GENESIS)),
		ToViewer::Paid(WindowId::default()),
		ToViewer::End(EndReason::Finished),
		ToViewer::End(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::DepositTooSmall,
		))),
	]
}

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

use crate::EncodedWindow;

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
	for kind in [
		Kind::Subscribe,
		Kind::Ticket,
		Kind::Terms,
		Kind::Init,
		Kind::Receipt,
		Kind::Paid,
		Kind::End,
	] {
		assert_eq!(longest(kind), Some(kind.max_body()), "{kind}");
	}
	assert_eq!(HEADER_BYTES, SignedHeader::max_encoded_len());
}

#[test]
fn window_comes_piece_by_piece() {
	let window = window();
	let leaves = merkle::leaves(&window.data());
	for piece in [1, 7, 203, 16_384, 1 << 20] {
		let found = read_window(&window.frame(), piece).unwrap();
		let expected = [
			Delivery::Header(window.signed_header().clone()),
			Delivery::Leaves(leaves.clone()),
			Delivery::Chunk(0),
			Delivery::Chunk(1),
			Delivery::Chunk(2),
			Delivery::Window(window.frame()),
		];
		assert_eq!(found, expected);
	}
}

#[test]
fn chunks_can_be_read_while_the_window_arrives() {
	let window = window();
	let frame = window.frame();
	let mut decoder = DeliveryDecoder::default();
	let mut input = &frame[..];
	while let Some(delivery) = decoder.poll(&mut input).unwrap() {
		if let Delivery::Chunk(index) = delivery {
			let start = usize::from(index) * CHUNK_BYTES;
			let end = (start + CHUNK_BYTES).min(40_000);
			assert_eq!(decoder.chunk(index), &window.data()[start..end]);
		}
	}
	assert!(decoder.chunk(0).is_empty());
}

#[test]
fn unknown_kind_is_named() {
	for kind in [0x00, 0x04, 0x80, 0x87, 0xff] {
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
	for kind in [Kind::Subscribe, Kind::Ticket] {
		let max = kind.max_body();
		let mut prefix = (max as u32 + 2).to_le_bytes().to_vec();
		prefix.push(kind as u8);
		let len = max + 1;
		assert_eq!(read_request(&prefix), Err(WireError::TooLong { kind, len, max }));
	}
	for kind in [
		Kind::Terms,
		Kind::Init,
		Kind::Window,
		Kind::Receipt,
		Kind::Paid,
		Kind::End,
	] {
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
		for len in 0..body.len() {
			assert_eq!(decode::<T>(kind, &body[..len]), Err(WireError::Truncated(Some(kind))));
		}
		let longer = [&body[..], &[0]].concat();
		assert_eq!(decode::<T>(kind, &longer), Err(WireError::TrailingBytes(kind)));
	}
	for request in requests() {
		match request {
			ToRelayer::Subscribe(m) => check(Kind::Subscribe, &m),
			ToRelayer::Ticket(m) => check(Kind::Ticket, &m),
			ToRelayer::Voucher(window, m) => check(Kind::Voucher, &(window, m)),
		}
	}
	for answer in answers() {
		match answer {
			ToViewer::Terms(m) => check(Kind::Terms, &m),
			ToViewer::Receipt(m) => check(Kind::Receipt, &m),
			ToViewer::Paid(m) => check(Kind::Paid, &m),
			ToViewer::End(m) => check(Kind::End, &m),
			ToViewer::Init(_) => {},
		}
	}
	let empty = raw(Kind::Init as u8, &[]);
	assert_eq!(read_answer(&empty), Err(WireError::Truncated(Some(Kind::Init))));
}

#[test]
fn impossible_values_are_refused() {
	assert_eq!(read_answer(&raw(0x81, &[2])), Err(WireError::Malformed(Kind::Terms)));
	assert_eq!(read_answer(&raw(0x86, &[200])), Err(WireError::Malformed(Kind::End)));
	let mut subscribe = requests()[0].to_frame().to_vec();
	let start = PREFIX_BYTES + 32 + 8 + 1;
	subscribe[start] = 9;
	assert_eq!(read_request(&subscribe), Err(WireError::Malformed(Kind::Subscribe)));
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
	for chunks in [0, 2, 4, u16::MAX] {
		let mut header = window.signed_header().clone();
		header.message.chunks = chunks;
		let frame = raw(Kind::Window as u8, &[header.encode(), vec![0; 40_096]].concat());
		let bytes = 40_000;
		assert_eq!(
			read_window(&frame, 1 << 20),
			Err(WireError::ChunkCount { chunks, bytes })
		);
	}
}

#[test]
fn stream_may_end_only_between_messages() {
	let frame = ToViewer::Paid(WindowId::default()).to_frame();
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
