//! Decoders are total: any bytes, in any fragments, end in messages or a typed error, and what decodes has one encoding.

#[path = "../src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_primitives::{
	catalog::{Catalog, CatalogSeal, Protection, SignedCatalog, Track},
	chain::TicketRefusal,
	channel::{Reservation, SignedReservation},
	ext::{Item, Items},
	receipt::{Deliveries, Kind, SignedReceipt},
	status::{SignedStatus, State, Status, TrackState},
	subscribe::{Binding, SignedSubscription, Subscription, Tracks},
	text::Text,
	AccountId, Hash, History, PublicKey, Receipt, Signature, Signed, SignedTicket, SignedVoucher, StreamId, Ticket,
	Voucher,
};
use clustercast_protocol::{
	wire::{AnswerDecoder, RequestDecoder, ToRelayer, ToViewer},
	EndReason, Fetch, Follow, Payer, PaymentMode, Range, RelayerSession, ReserveError, ReserveTerms, Start, Subscribe,
	Terms, TicketError, ViewerSession, WireError,
};
use codec::{Decode, Encode};
use proptest::{collection::vec, prelude::*};

fn hash() -> impl Strategy<Value = Hash> {
	any::<[u8; 32]>().prop_map(Hash)
}

fn key() -> impl Strategy<Value = PublicKey> {
	any::<[u8; 32]>().prop_map(PublicKey)
}

fn account() -> impl Strategy<Value = AccountId> {
	any::<[u8; 32]>().prop_map(AccountId)
}

fn stream() -> impl Strategy<Value = StreamId> {
	any::<u64>().prop_map(StreamId)
}

fn tracks() -> impl Strategy<Value = Tracks> {
	vec(any::<u16>(), 0..=16).prop_map(|tracks| tracks.try_into().expect("within the bound"))
}

fn text<const N: u32>() -> impl Strategy<Value = Text<N>> {
	"[a-zé€]{0,10}".prop_map(|text| Text::try_from(&text[..]).expect("short"))
}

fn signed<T: std::fmt::Debug>(message: impl Strategy<Value = T>) -> impl Strategy<Value = Signed<T>> {
	(message, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(message, r, s)| {
		let mut signature = Signature([0; 64]);
		signature.0[..32].copy_from_slice(&r);
		signature.0[32..].copy_from_slice(&s);
		Signed { message, signature }
	})
}

/// What tickets, vouchers and receipts have in common: who is paid, by whom, for what.
fn purpose() -> impl Strategy<Value = (AccountId, PublicKey, AccountId, StreamId, Kind, Hash)> {
	(
		account(),
		key(),
		account(),
		stream(),
		any::<u8>().prop_map(Kind),
		hash(),
	)
}

fn ticket() -> impl Strategy<Value = SignedTicket> {
	let numbers = any::<(u64, u128, u64, u64, u32)>();
	signed((purpose(), hash(), numbers).prop_map(
		|(
			(sender, session, recipient, stream, kind, context),
			commitment,
			(bytes, face_value, win_probability, nonce, expiry),
		)| Ticket {
			sender,
			session,
			recipient,
			stream,
			kind,
			context,
			bytes,
			face_value,
			win_probability,
			commitment,
			nonce,
			expiry,
		},
	))
}

fn voucher() -> impl Strategy<Value = SignedVoucher> {
	signed((purpose(), any::<(u32, u128, u64, u32)>()).prop_map(
		|((sender, session, recipient, stream, kind, context), (terms, amount, bytes, expiry))| Voucher {
			sender,
			session,
			recipient,
			stream,
			kind,
			context,
			terms,
			amount,
			bytes,
			expiry,
		},
	))
}

fn receipt() -> impl Strategy<Value = SignedReceipt> {
	let numbers = any::<(u64, u64, u32)>();
	signed((purpose(), hash(), hash(), hash(), numbers).prop_map(
		|((payee, key, _, stream, kind, context), payer, root, commitment, (bytes, price, block))| Receipt {
			kind,
			context,
			payer,
			payee,
			key,
			stream,
			root,
			bytes,
			price,
			commitment,
			block,
		},
	))
}

fn deliveries() -> impl Strategy<Value = Deliveries> {
	let delivery = (hash(), any::<(u32, u32)>(), hash()).prop_map(|(header, (first, count), delivered)| {
		clustercast_primitives::Delivery {
			header,
			first,
			count,
			delivered,
		}
	});
	vec(delivery, 0..20).prop_map(|deliveries| deliveries.try_into().expect("within the bound"))
}

fn subscription() -> impl Strategy<Value = SignedSubscription> {
	let binding = prop_oneof![
		any::<[u8; 32]>().prop_map(Binding::PeerKey),
		any::<[u8; 32]>().prop_map(Binding::Certificate),
	];
	signed((account(), key(), stream(), tracks(), hash(), binding).prop_map(
		|(account, session, stream, tracks, challenge, binding)| Subscription {
			account,
			session,
			stream,
			tracks,
			challenge,
			binding,
		},
	))
}

fn track() -> impl Strategy<Value = Track> {
	(any::<(u16, u8, u8, u32, u16, u16, u32, u32)>(), text(), text(), hash()).prop_map(
		|((id, kind, role, bitrate, width, height, rate, timescale), language, codecs, init)| Track {
			id,
			kind,
			role,
			language,
			codecs,
			bitrate,
			width,
			height,
			rate,
			timescale,
			init,
		},
	)
}

fn catalog() -> impl Strategy<Value = SignedCatalog> {
	let protection =
		(any::<u8>(), any::<[u8; 16]>(), vec(any::<u16>(), 0..5)).prop_map(|(scheme, key_id, tracks)| Protection {
			scheme,
			key_id,
			tracks: tracks.try_into().expect("within the bound"),
		});
	let catalog = (
		stream(),
		any::<(u32, u32)>(),
		text(),
		vec(track(), 0..6),
		vec(protection, 0..4),
		vec(text(), 0..8),
	)
		.prop_map(
			|(stream, (epoch, number), title, tracks, protection, mirrors)| Catalog {
				stream,
				epoch,
				number,
				title,
				tracks: tracks.try_into().expect("within the bound"),
				protection: protection.try_into().expect("within the bound"),
				mirrors: mirrors.try_into().expect("within the bound"),
			},
		);
	let seal = signed(
		(stream(), any::<(u32, u32)>(), hash()).prop_map(|(stream, (epoch, number), hash)| CatalogSeal {
			stream,
			epoch,
			number,
			hash,
		}),
	);
	(seal, catalog).prop_map(|(seal, catalog)| SignedCatalog { seal, catalog })
}

fn status() -> impl Strategy<Value = SignedStatus> {
	let state = prop_oneof![Just(State::Live), Just(State::Idle), Just(State::Ended)];
	let status = (stream(), any::<(u32, u64, u64, u32)>(), state, hash(), hash()).prop_map(
		|(stream, (epoch, number, at_ms, valid_ms), state, after, tracks)| Status {
			stream,
			epoch,
			number,
			state,
			at_ms,
			valid_ms,
			after,
			tracks,
		},
	);
	let track = (any::<(u16, u64)>(), hash(), hash()).prop_map(|((track, count), last, history)| TrackState {
		track,
		count,
		last,
		history,
	});
	(signed(status), vec(track, 0..20)).prop_map(|(status, tracks)| SignedStatus {
		status,
		tracks: tracks.try_into().expect("within the bound"),
	})
}

/// Also such as no honest peer sends.
fn history() -> impl Strategy<Value = History> {
	(any::<u64>(), vec(any::<[u8; 32]>(), 0..=40))
		.prop_map(|parts| History::decode(&mut &parts.encode()[..]).expect("within the bound"))
}

fn items() -> impl Strategy<Value = Items> {
	let data = vec(any::<u8>(), 0..=256);
	prop::collection::btree_map(any::<u16>(), data, 0..=16).prop_map(|items| {
		let item = |(kind, data): (u16, Vec<u8>)| Item {
			kind,
			data: data.try_into().expect("within the bound"),
		};
		Items::new(items.into_iter().map(item).collect()).expect("in order")
	})
}

fn reservation() -> impl Strategy<Value = SignedReservation> {
	let numbers = any::<(u32, u128, u128, u32)>();
	signed((account(), key(), account(), numbers).prop_map(
		|(sender, session, recipient, (counter, cap, reward, submit_by))| Reservation {
			sender,
			session,
			recipient,
			counter,
			cap,
			reward,
			submit_by,
		},
	))
}

fn request() -> impl Strategy<Value = ToRelayer> {
	let start = prop_oneof![
		Just(Start::Live),
		(any::<(u32, u64, u16)>(), hash()).prop_map(|((epoch, segment, part), header)| Start::After {
			epoch,
			segment,
			part,
			header
		}),
	];
	let payer = prop::option::of(
		(subscription(), any::<bool>()).prop_map(|(subscription, vouchers)| Payer { subscription, vouchers }),
	);
	let subscribe = (hash(), stream(), tracks(), start, follow(), payer).prop_map(
		|(genesis, stream, tracks, start, follow, payer)| {
			ToRelayer::Subscribe(Subscribe {
				genesis,
				stream,
				tracks,
				start,
				follow,
				payer,
			})
		},
	);
	let fetch = (range(), any::<u32>()).prop_map(|(range, within_ms)| ToRelayer::Fetch(Fetch { range, within_ms }));
	let paid = (hash(), voucher()).prop_map(|(commitment, voucher)| ToRelayer::Voucher(commitment, voucher));
	prop_oneof![
		subscribe,
		ticket().prop_map(ToRelayer::Ticket),
		paid,
		reservation().prop_map(ToRelayer::Reserve),
		Just(ToRelayer::Leave),
		fetch,
		range().prop_map(ToRelayer::Cancel),
		follow().prop_map(ToRelayer::Follow),
	]
}

fn follow() -> impl Strategy<Value = Follow> {
	prop_oneof![Just(Follow::Windows), Just(Follow::Announcements)]
}

fn range() -> impl Strategy<Value = Range> {
	(hash(), any::<u32>(), any::<u32>()).prop_map(|(header, first, count)| Range { header, first, count })
}

fn answer() -> impl Strategy<Value = ToViewer> {
	let mode = prop_oneof![
		any::<u128>().prop_map(|face_value| PaymentMode::Tickets { face_value }),
		prop::option::of(voucher()).prop_map(|newest| PaymentMode::Vouchers { newest }),
	];
	let reserve = prop::option::of(any::<(u128, u128)>().prop_map(|(least, reward)| ReserveTerms { least, reward }));
	let terms = (account(), any::<(u64, u32, u32, u32)>(), mode, reserve).prop_map(
		|(recipient, (price_per_gb, credit, interval, counter), mode, reserve)| Terms {
			recipient,
			price_per_gb,
			mode,
			credit,
			interval,
			counter,
			reserve,
		},
	);
	let end = prop_oneof![
		Just(EndReason::Finished),
		Just(EndReason::ShuttingDown),
		Just(EndReason::Idle),
		Just(EndReason::Replaced),
		Just(EndReason::SeatsTaken),
		any::<u16>().prop_map(EndReason::IdleLately),
		Just(EndReason::PriceRose),
		Just(EndReason::Denied),
		Just(EndReason::BadSubscription),
		Just(EndReason::ReservationNeeded),
		Just(EndReason::ReservationRefused(ReserveError::Means)),
		Just(EndReason::Behind),
		Just(EndReason::CannotStore),
		Just(EndReason::TicketRefused(TicketError::Duplicate)),
		Just(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::CannotReceive
		))),
	];
	prop_oneof![
		hash().prop_map(ToViewer::Challenge),
		prop::option::of(terms).prop_map(ToViewer::Terms),
		catalog().prop_map(|catalog| ToViewer::Catalog(Box::new(catalog))),
		vec(any::<u8>(), 1..2_000).prop_map(|init| ToViewer::Init(Bytes::from(init))),
		history().prop_map(ToViewer::History),
		any::<u32>().prop_map(ToViewer::Reserved),
		Just(ToViewer::Waiting),
		any::<u32>().prop_map(ToViewer::Seats),
		vec(key(), 0..=8).prop_map(|keys| ToViewer::Route(keys.try_into().expect("eight at most"))),
		vec(key(), 0..=3).prop_map(|keys| ToViewer::Others(keys.try_into().expect("three at most"))),
		range().prop_map(ToViewer::Lacks),
		status().prop_map(|status| ToViewer::Status(Box::new(status))),
		(receipt(), deliveries()).prop_map(|(receipt, deliveries)| ToViewer::Receipt(receipt, deliveries)),
		hash().prop_map(ToViewer::Paid),
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

fn read_answers(bytes: &[u8], lengths: &[u16]) -> Result<Vec<ToViewer>, WireError> {
	let (mut decoder, mut found) = (AnswerDecoder::default(), Vec::new());
	for mut fragment in fragments(bytes, lengths) {
		while let Some(delivery) = decoder.poll(&mut fragment)? {
			found.push(delivery);
		}
	}
	decoder.finish().map(|()| found)
}

fn lengths() -> impl Strategy<Value = Vec<u16>> {
	vec(1u16..400, 1..8)
}

/// Bytes with a plausible prefix, so that more than the first check is reached.
fn nearly_a_frame() -> impl Strategy<Value = Vec<u8>> {
	let kind = prop_oneof![1u8..9, 0x81u8..0x8f, any::<u8>()];
	(kind, vec(any::<u8>(), 0..600), -2i64..3).prop_map(|(kind, body, off)| {
		let len = (1 + body.len() as i64 + off).max(0) as u32;
		[&len.to_le_bytes()[..], &[kind], &body].concat()
	})
}

/// A whole frame with a byte that is another one.
fn bent_frame() -> impl Strategy<Value = Vec<u8>> {
	let window = (items(), 12u8..=16, 1usize..9_000).prop_map(|(items, chunk_log2, bytes)| {
		let mut broadcast = fixture::Broadcast {
			items,
			chunk_log2,
			..fixture::Broadcast::default()
		};
		broadcast
			.segment(&fixture::media(bytes, 1))
			.announcement(bytes % 2 == 0)
	});
	let frame = prop_oneof![
		request().prop_map(|r| r.to_frame()),
		answer().prop_map(|a| a.to_frame()),
		window,
	];
	(frame, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(frame, at, byte)| {
		let mut frame = frame.to_vec();
		let at = at.index(frame.len().min(600));
		frame[at] = byte;
		frame
	})
}

proptest! {
	#[test]
	fn requests_come_back_in_any_fragments(requests in vec(request(), 0..6), lengths in lengths()) {
		let bytes: Vec<u8> = requests.iter().flat_map(|r| r.to_frame()).collect();
		prop_assert_eq!(read_requests(&bytes, &lengths), Ok(requests));
	}

	#[test]
	fn answers_come_back_in_any_fragments(answers in vec(answer(), 0..6), lengths in lengths()) {
		let bytes: Vec<u8> = answers.iter().flat_map(|a| a.to_frame()).collect();
		prop_assert_eq!(read_answers(&bytes, &lengths), Ok(answers));
	}

	/// Header, items and leaves come back whatever the items and the size of chunks, also between other messages.
	#[test]
	fn announcements_come_back_in_any_fragments(
		items in items(), chunk_log2 in 12u8..=16, bytes in 1usize..200_000, lengths in lengths(), after in answer(),
	) {
		let mut broadcast = fixture::Broadcast { items, chunk_log2, ..fixture::Broadcast::default() };
		let window = broadcast.segment(&fixture::media(bytes, 1));
		let found = read_answers(&[window.announcement(true), after.to_frame()].concat(), &lengths).unwrap();
		let [ToViewer::Pushed(announced), second] = &found[..] else {
			panic!("{found:?}");
		};
		prop_assert_eq!(second, &after);
		prop_assert_eq!((&announced.header, &announced.items), (window.signed_header(), window.items()));
		prop_assert_eq!(&announced.leaves[..], window.leaves());
		prop_assert_eq!(announced.leaves.len(), bytes.div_ceil(1 << chunk_log2));
	}

	#[test]
	fn any_bytes_end_in_messages_or_an_error(bytes in vec(any::<u8>(), 0..400), lengths in lengths()) {
		let _ = read_requests(&bytes, &lengths);
		let _ = read_answers(&bytes, &lengths);
	}

	/// Whatever decodes is what its message encodes to: nothing has two encodings.
	#[test]
	fn what_decodes_has_one_encoding(frame in prop_oneof![nearly_a_frame(), bent_frame()]) {
		if let Ok(requests) = read_requests(&frame, &[1_000]) {
			let again: Vec<u8> = requests.iter().flat_map(|r| r.to_frame()).collect();
			prop_assert_eq!(&again, &frame);
		}
		if let Ok(answers) = read_answers(&frame, &[1_000]) {
			let again: Vec<u8> = answers.iter().flat_map(|a| a.to_frame()).collect();
			prop_assert_eq!(&again, &frame);
		}
	}

	/// Fragments never change the answer.
	#[test]
	fn fragments_do_not_matter(frame in prop_oneof![nearly_a_frame(), bent_frame()], lengths in lengths()) {
		prop_assert_eq!(read_requests(&frame, &lengths), read_requests(&frame, &[60_000]));
		prop_assert_eq!(read_answers(&frame, &lengths), read_answers(&frame, &[60_000]));
	}

	/// As new, and where windows are served.
	#[test]
	fn sessions_are_total(bytes in nearly_a_frame(), lengths in lengths(), serving: bool) {
		let mut viewer = ViewerSession::new(fixture::viewer_config());
		let mut relayer = RelayerSession::new(fixture::GENESIS, fixture::CHALLENGE, vec![fixture::binding()]);
		if serving {
			let subscribe = Subscribe {
				genesis: fixture::GENESIS,
				stream: fixture::STREAM,
				tracks: fixture::subscription().tracks,
				start: Start::Live,
				follow: Follow::Windows,
				payer: Some(fixture::payer()),
			};
			prop_assert_eq!(relayer.handle(&ToRelayer::Subscribe(subscribe).to_frame()), Ok(()));
			prop_assert_eq!(relayer.accept(fixture::terms(), fixture::signer()), Ok(()));
			prop_assert_eq!(viewer.handle(&ToViewer::Challenge(fixture::CHALLENGE).to_frame()), Ok(()));
			viewer.subscribe(fixture::payer().subscription);
			prop_assert_eq!(viewer.handle(&ToViewer::Terms(Some(fixture::terms())).to_frame()), Ok(()));
		}
		for fragment in fragments(&bytes, &lengths) {
			let fault = viewer.handle(fragment).err();
			prop_assert_eq!(fault.as_ref(), viewer.fault());
			let broke = relayer.handle(fragment).is_err();
			prop_assert!(!broke || relayer.is_ended());
		}
	}
}
