//! Decoders are total: any bytes, in any fragments, end in messages or a typed error, and what decodes has one encoding.

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{
	chain::TicketRefusal, receipt::SignedReceipt, AccountId, Hash, PublicKey, Receipt, Signature, Signed, SignedTicket,
	SignedVoucher, StreamId, Ticket, Voucher, WindowId,
};
use clustercast_protocol::{
	wire::{Delivery, DeliveryDecoder, RequestDecoder, ToRelayer, ToViewer},
	EndReason, Payer, PaymentMode, RelayerSession, Start, Subscribe, Terms, TicketError, ViewerSession, WireError,
};
use proptest::prelude::*;

fn window_id() -> impl Strategy<Value = WindowId> {
	any::<(u64, u8, u64, u16)>().prop_map(|(stream, rendition, segment, part)| WindowId {
		stream: StreamId(stream),
		rendition,
		segment,
		part,
	})
}

fn hash() -> impl Strategy<Value = Hash> {
	any::<[u8; 32]>().prop_map(Hash)
}

fn key() -> impl Strategy<Value = PublicKey> {
	any::<[u8; 32]>().prop_map(PublicKey)
}

fn account() -> impl Strategy<Value = AccountId> {
	any::<[u8; 32]>().prop_map(AccountId)
}

fn signed<T: std::fmt::Debug>(message: impl Strategy<Value = T>) -> impl Strategy<Value = Signed<T>> {
	(message, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(message, r, s)| {
		let mut signature = Signature([0; 64]);
		signature.0[..32].copy_from_slice(&r);
		signature.0[32..].copy_from_slice(&s);
		Signed { message, signature }
	})
}

fn ticket() -> impl Strategy<Value = SignedTicket> {
	let parties = (account(), key(), account(), window_id(), hash());
	signed((parties, any::<(u32, u128, u64, u32, u32)>()).prop_map(
		|((sender, session, recipient, window, commitment), (bytes, face_value, win_probability, nonce, expiry))| {
			Ticket {
				sender,
				session,
				recipient,
				window,
				bytes,
				face_value,
				win_probability,
				commitment,
				nonce,
				expiry,
			}
		},
	))
}

fn voucher() -> impl Strategy<Value = SignedVoucher> {
	signed((account(), key(), account(), any::<(u64, u128, u64, u32)>()).prop_map(
		|(sender, session, recipient, (stream, amount, bytes, expiry))| Voucher {
			sender,
			session,
			recipient,
			stream: StreamId(stream),
			amount,
			bytes,
			expiry,
		},
	))
}

fn receipt() -> impl Strategy<Value = SignedReceipt> {
	signed(
		(key(), window_id(), hash(), hash(), hash(), any::<(u32, u64)>()).prop_map(
			|(session, window, root, delivered, commitment, (bytes, price_per_gb))| Receipt {
				session,
				window,
				root,
				delivered,
				bytes,
				price_per_gb,
				commitment,
			},
		),
	)
}

fn request() -> impl Strategy<Value = ToRelayer> {
	let start = prop_oneof![
		Just(Start::Live),
		any::<(u64, u16)>().prop_map(|(segment, part)| Start::After { segment, part }),
	];
	let payer = prop::option::of(
		(account(), key(), any::<bool>()).prop_map(|(account, session, vouchers)| Payer {
			account,
			session,
			vouchers,
		}),
	);
	let subscribe =
		(hash(), any::<(u64, u8)>(), start, payer).prop_map(|(genesis, (stream, rendition), start, payer)| {
			ToRelayer::Subscribe(Subscribe {
				genesis,
				stream: StreamId(stream),
				rendition,
				start,
				payer,
			})
		});
	let paid = (window_id(), voucher()).prop_map(|(window, voucher)| ToRelayer::Voucher(window, voucher));
	prop_oneof![subscribe, ticket().prop_map(ToRelayer::Ticket), paid]
}

fn answer() -> impl Strategy<Value = ToViewer> {
	let mode = prop_oneof![
		any::<u128>().prop_map(|face_value| PaymentMode::Tickets { face_value }),
		prop::option::of(voucher()).prop_map(|newest| PaymentMode::Vouchers { newest }),
	];
	let terms = (account(), any::<(u64, u8)>(), mode).prop_map(|(recipient, (price_per_gb, credit), mode)| Terms {
		recipient,
		price_per_gb,
		mode,
		credit,
	});
	let end = prop_oneof![
		Just(EndReason::Finished),
		Just(EndReason::ShuttingDown),
		Just(EndReason::TicketRefused(TicketError::Duplicate)),
		Just(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::CannotReceive
		))),
	];
	prop_oneof![
		prop::option::of(terms).prop_map(ToViewer::Terms),
		prop::collection::vec(any::<u8>(), 1..2_000).prop_map(|init| ToViewer::Init(Bytes::from(init))),
		receipt().prop_map(ToViewer::Receipt),
		window_id().prop_map(ToViewer::Paid),
		end.prop_map(ToViewer::End),
	]
}

/// Cuts `bytes` at these places, over and over.
fn fragments<'a>(mut bytes: &'a [u8], lengths: &'a [u16]) -> impl Iterator<Item = &'a [u8]> {
	let mut lengths = lengths.iter().cycle();
	std::iter::from_fn(move || {
		let len = usize::from(*lengths.next()?)
			.clamp(1, bytes.len().max(1))
			.min(bytes.len());
		let (now, later) = bytes.split_at(len);
		bytes = later;
		(!now.is_empty()).then_some(now)
	})
}

fn read_requests(bytes: &[u8], lengths: &[u16]) -> Result<Vec<ToRelayer>, WireError> {
	let (mut decoder, mut found) = (RequestDecoder::default(), Vec::new());
	for mut fragment in fragments(bytes, lengths) {
		while let Some(message) = decoder.poll(&mut fragment)? {
			found.push(message);
		}
	}
	decoder.finish().map(|()| found)
}

fn read_answers(bytes: &[u8], lengths: &[u16]) -> Result<Vec<Delivery>, WireError> {
	let (mut decoder, mut found) = (DeliveryDecoder::default(), Vec::new());
	for mut fragment in fragments(bytes, lengths) {
		while let Some(delivery) = decoder.poll(&mut fragment)? {
			found.push(delivery);
		}
	}
	decoder.finish().map(|()| found)
}

fn lengths() -> impl Strategy<Value = Vec<u16>> {
	prop::collection::vec(1u16..400, 1..8)
}

/// Bytes with a plausible prefix, so that more than the first check is reached.
fn nearly_a_frame() -> impl Strategy<Value = Vec<u8>> {
	let kind = prop_oneof![1u8..4, 0x80u8..0x88, any::<u8>()];
	(kind, prop::collection::vec(any::<u8>(), 0..600), -2i64..3).prop_map(|(kind, body, off)| {
		let len = (1 + body.len() as i64 + off).max(0) as u32;
		[&len.to_le_bytes()[..], &[kind], &body].concat()
	})
}

proptest! {
	#[test]
	fn requests_come_back_in_any_fragments(requests in prop::collection::vec(request(), 0..6), lengths in lengths()) {
		let bytes: Vec<u8> = requests.iter().flat_map(|r| r.to_frame()).collect();
		prop_assert_eq!(read_requests(&bytes, &lengths), Ok(requests));
	}

	#[test]
	fn answers_come_back_in_any_fragments(answers in prop::collection::vec(answer(), 0..6), lengths in lengths()) {
		let bytes: Vec<u8> = answers.iter().flat_map(|a| a.to_frame()).collect();
		let expected: Vec<_> = answers.into_iter().map(Delivery::Message).collect();
		prop_assert_eq!(read_answers(&bytes, &lengths), Ok(expected));
	}

	#[test]
	fn any_bytes_end_in_messages_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400), lengths in lengths()) {
		let _ = read_requests(&bytes, &lengths);
		let _ = read_answers(&bytes, &lengths);
	}

	/// Whatever decodes is what its message encodes to: nothing has two encodings.
	#[test]
	fn what_decodes_has_one_encoding(frame in nearly_a_frame()) {
		if let Ok(requests) = read_requests(&frame, &[1_000]) {
			let again: Vec<u8> = requests.iter().flat_map(|r| r.to_frame()).collect();
			prop_assert_eq!(&again, &frame);
		}
		let whole = |deliveries: &[Delivery]| deliveries.iter().filter_map(|d| match d {
			Delivery::Message(message) => Some(message.to_frame()),
			Delivery::Window(frame) => Some(frame.clone()),
			_ => None,
		}).flatten().collect::<Vec<u8>>();
		if let Ok(deliveries) = read_answers(&frame, &[1_000]) {
			prop_assert_eq!(&whole(&deliveries), &frame);
		}
	}

	/// Fragments never change the answer.
	#[test]
	fn fragments_do_not_matter(frame in nearly_a_frame(), lengths in lengths()) {
		prop_assert_eq!(read_requests(&frame, &lengths), read_requests(&frame, &[60_000]));
		prop_assert_eq!(read_answers(&frame, &lengths), read_answers(&frame, &[60_000]));
	}

	#[test]
	fn sessions_are_total(bytes in nearly_a_frame(), lengths in lengths()) {
		let mut viewer = ViewerSession::new(fixture::viewer_config());
		let mut relayer = RelayerSession::new(fixture::GENESIS, [0; 16]);
		for fragment in fragments(&bytes, &lengths) {
			let fault = viewer.handle(fragment).err();
			prop_assert_eq!(fault.as_ref(), viewer.fault());
			let broke = relayer.handle(fragment).is_err();
			prop_assert!(!broke || relayer.is_ended());
		}
	}
}
