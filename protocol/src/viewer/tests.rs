//! The viewer's session against every way a relayer can deceive it.

mod chunks;

use super::*;
use crate::{
	evidence::{Evidence, Suspicion, Witness},
	fixture::{self, give, ticket, Broadcast, CHALLENGE, EPOCH, GENESIS, HEAD},
	ledger::{BillFault, Piece},
	standing::Reach,
	wire::{WireError, HEADER_BYTES, PREFIX_BYTES},
};
use clustercast_primitives::{
	amount::TICKET_BYTES,
	catalog::CatalogError,
	crypto::{KeyPair, SignatureError},
	ext::Items,
	fraud::ChunkFraud,
	receipt::Kind as Purpose,
	status::{State, StatusError},
	window::HeaderError,
	Delivery as Delivered, PublicKey,
};
use codec::{Decode, Encode};

/// Of a window that takes a ticket of one unit, to the byte.
const UNIT: usize = TICKET_BYTES as usize;

/// Bytes of a chunk unless a test says otherwise.
const CHUNK: usize = 16 << 10;

/// Where the leaves begin in the announcement of a window without items.
const LEAVES: usize = PREFIX_BYTES + HEADER_BYTES + 2;

/// A session whose subscription is sent, signed where it has to be.
fn subscribed(config: ViewerConfig) -> ViewerSession {
	let mut session = ViewerSession::new(config);
	send(&mut session, ToViewer::Challenge(CHALLENGE)).unwrap();
	if let Some(Event::Challenged(subscription)) = session.poll_event() {
		session.subscribe(fixture::session_key().sign(subscription, &GENESIS));
	}
	session
}

/// A session that was offered these terms.
fn offered(config: ViewerConfig, terms: Option<Terms>) -> ViewerSession {
	let mut session = subscribed(config);
	send(&mut session, ToViewer::Terms(terms)).unwrap();
	session
}

fn paying() -> ViewerSession {
	offered(fixture::viewer_config(), Some(fixture::terms()))
}

fn guest() -> ViewerConfig {
	ViewerConfig {
		payment: None,
		..fixture::viewer_config()
	}
}

fn free() -> ViewerSession {
	offered(guest(), None)
}

/// Goes on behind this window, for nothing.
fn behind(window: &EncodedWindow) -> ViewerSession {
	let resume = Some(Resume::after(window));
	offered(ViewerConfig { resume, ..guest() }, None)
}

fn send(session: &mut ViewerSession, message: ToViewer) -> Result<(), Fault> {
	session.handle(&message.to_frame())
}

fn catalog_of(window: &EncodedWindow) -> ToViewer {
	ToViewer::Catalog(Box::new(window.catalog().as_ref().clone()))
}

fn history_before(window: &EncodedWindow) -> ToViewer {
	ToViewer::History(window.history().clone())
}

/// What goes before the window, where the session does not have it.
fn prepare(session: &mut ViewerSession, window: &EncodedWindow) -> Result<(), Fault> {
	let known = session.setting.clone();
	if known.as_ref().map(|setting| &setting.catalog) != Some(window.catalog()) {
		send(session, catalog_of(window))?;
	}
	if known.as_ref().map(|setting| &setting.init) != Some(window.init()) {
		send(session, ToViewer::Init(window.init().clone()))?;
	}
	match session.announced {
		None => send(session, history_before(window)),
		Some(_) => Ok(()),
	}
}

/// The window behind what goes before it.
fn show(session: &mut ViewerSession, window: &EncodedWindow) -> Result<(), Fault> {
	prepare(session, window)?;
	bring(session, window)
}

/// The window alone: its announcement, and all its chunks.
fn bring(session: &mut ViewerSession, window: &EncodedWindow) -> Result<(), Fault> {
	session.handle(&window.announcement(true))?;
	give(session, window.range(), &window.data())
}

/// An announcement of these parts, that comes by itself.
fn announcement(header: &SignedHeader, items: &Items, leaves: Vec<Hash>) -> Bytes {
	Announcement::new(header.clone(), items.clone(), leaves).frame
}

/// A free session that has what goes before this window.
fn expecting(window: &EncodedWindow) -> ViewerSession {
	let mut session = free();
	prepare(&mut session, window).unwrap();
	session
}

/// The whole window, as it was signed.
fn whole(window: &EncodedWindow) -> Delivered {
	Delivered {
		header: window.header().hash(),
		first: 0,
		count: window.header().chunks,
		delivered: window.header().root,
	}
}

fn receipt(window: &EncodedWindow, serial: u8) -> Receipt {
	Receipt {
		kind: Purpose::LIVE,
		context: Hash([0; 32]),
		payer: receipt::payer(&CHALLENGE, &fixture::SENDER, &fixture::session_key().public()),
		payee: fixture::RECIPIENT,
		key: fixture::relayer_key().public(),
		stream: fixture::STREAM,
		root: deliveries_root(&[whole(window)]),
		bytes: window.header().bytes.into(),
		price: fixture::terms().price_per_gb,
		commitment: Hash([serial; 32]),
		block: HEAD,
	}
}

fn signed(receipt: Receipt, deliveries: &[Delivered]) -> ToViewer {
	let signed = fixture::relayer_key().sign(receipt, &GENESIS);
	ToViewer::Receipt(signed, deliveries.to_vec().try_into().unwrap())
}

/// What an honest relayer signs for this window.
fn honest(window: &EncodedWindow, serial: u8) -> ToViewer {
	signed(receipt(window, serial), &[whole(window)])
}

/// Windows among the events, and the last payment due.
fn drain(session: &mut ViewerSession) -> (Vec<WindowId>, Option<Due>) {
	let (mut windows, mut last) = (Vec::new(), None);
	while let Some(event) = session.poll_event() {
		match event {
			Event::Window(window) => windows.push(window.id()),
			Event::PaymentDue(due) => last = Some(due),
			_ => {},
		}
	}
	(windows, last)
}

#[test]
fn who_refuses_names_others_once_and_before_its_last_word() {
	let names: Names = vec![PublicKey([3; 32])].try_into().unwrap();
	let mut session = subscribed(fixture::viewer_config());
	send(&mut session, ToViewer::Others(names.clone())).unwrap();
	send(&mut session, ToViewer::End(EndReason::Full)).unwrap();
	let said: Vec<Event> = core::iter::from_fn(|| session.poll_event()).collect();
	assert!(
		matches!(&said[..], [Event::Others(named), Event::Ended(EndReason::Full)] if *named == names),
		"{said:?}"
	);
	let mut session = paying();
	send(&mut session, ToViewer::Others(names.clone())).unwrap();
	assert_eq!(
		send(&mut session, ToViewer::Others(names)),
		Err(Fault::Unexpected(Kind::Others))
	);
}

#[test]
fn route_is_told_as_often_as_it_changes() {
	let mut session = subscribed(guest());
	let path = crate::routes::below_origin(&PublicKey([3; 32]));
	send(&mut session, ToViewer::Terms(None)).unwrap();
	for _ in 0..2 {
		send(&mut session, ToViewer::Route(path.clone())).unwrap();
	}
	let told = core::iter::from_fn(|| session.poll_event())
		.filter(|event| matches!(event, Event::Route(told) if *told == path));
	assert_eq!(told.count(), 2);
}

#[test]
fn subscription_is_asked_for_with_the_challenge_and_sent_once() {
	let mut session = ViewerSession::new(fixture::viewer_config());
	let subscription = fixture::payer().subscription;
	session.subscribe(subscription.clone());
	assert_eq!(session.poll_transmit(), None, "nothing was asked for yet");
	send(&mut session, ToViewer::Challenge(CHALLENGE)).unwrap();
	let Some(Event::Challenged(asked)) = session.poll_event() else {
		panic!("no challenge");
	};
	assert_eq!(asked, fixture::subscription());
	session.subscribe(subscription.clone());
	let subscribe = Subscribe {
		genesis: GENESIS,
		stream: fixture::STREAM,
		tracks: vec![0].try_into().unwrap(),
		start: Start::Live,
		follow: Follow::Windows,
		payer: Some(Payer {
			subscription: subscription.clone(),
			vouchers: true,
		}),
	};
	let frame = ToRelayer::Subscribe(subscribe.clone()).to_frame();
	assert_eq!(session.poll_transmit(), Some(frame));
	session.subscribe(subscription.clone());
	assert_eq!(session.poll_transmit(), None);

	// A guest waits for nothing and signs nothing.
	let mut guest = ViewerSession::new(guest());
	let free = ToRelayer::Subscribe(Subscribe {
		payer: None,
		..subscribe
	})
	.to_frame();
	assert_eq!(guest.poll_transmit(), Some(free));
	send(&mut guest, ToViewer::Challenge(CHALLENGE)).unwrap();
	assert!(guest.poll_event().is_none());
	guest.subscribe(subscription);
	assert_eq!(guest.poll_transmit(), None);
}

#[test]
fn window_is_verified_receipted_and_paid() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let window = broadcast.segment(&fixture::media(100_000, 1));
	let subscribe = session.poll_transmit().unwrap();
	assert_eq!(subscribe[4], Kind::Subscribe as u8);
	show(&mut session, &window).unwrap();
	let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
	let [Event::Terms(Some(_)), Event::Catalog(catalog), Event::Announced(announced), Event::Progress(here), Event::Init(init), Event::Window(emitted)] =
		&events[..]
	else {
		panic!("{events:?}");
	};
	assert_eq!((catalog, init), (window.catalog(), window.init()));
	assert_eq!((announced.range(), *here), (window.range(), window.range()));
	assert_eq!(
		(emitted.announcement(true), emitted.data()),
		(window.announcement(true), window.data())
	);
	assert_eq!(emitted.history_after(), window.history_after());
	assert_eq!(session.resume(), Some(Resume::after(&window)));

	send(&mut session, honest(&window, 1)).unwrap();
	let (_, due) = drain(&mut session);
	let due = due.unwrap();
	// 100,000 bytes, rounded up to two units: at 2,000,000 per GB 262.144 of 50,000.
	let share = Share::Ticket {
		bytes: 131_072,
		face_value: 50_000,
		win_probability: ((262_144u128 << 64) / 50_000_000) as u64,
	};
	let expected = Due {
		recipient: fixture::RECIPIENT,
		window: window.id(),
		kind: Purpose::LIVE,
		context: Hash([0; 32]),
		terms: 3,
		price_per_gb: 2_000_000,
		commitment: Hash([1; 32]),
		share,
	};
	assert_eq!(due, expected);
	let ticket = ticket(&due);
	let payment = Payment::Ticket(ticket.clone());
	session.pay(&due, payment.clone()).unwrap();
	assert_eq!(session.pay(&due, payment), Err(NotDue::Receipt(due.commitment)));
	assert_eq!(session.poll_transmit(), Some(ToRelayer::Ticket(ticket).to_frame()));
	assert_eq!(session.poll_transmit(), None);
	send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
	assert!(matches!(session.poll_event(), Some(Event::Paid(commitment)) if commitment == due.commitment));
}

#[test]
fn what_was_paid_ahead_is_neither_due_nor_credit() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let mut dues = Vec::new();
	for serial in 0..7 {
		let window = broadcast.segment(&fixture::media(10_000, serial));
		show(&mut session, &window).unwrap();
		send(&mut session, honest(&window, serial)).unwrap();
		dues.extend(drain(&mut session).1.map(|due| (serial, due)));
	}
	// The first ticket pays 65,536 bytes: six windows and a part of the seventh.
	let found: Vec<_> = dues.iter().map(|(serial, due)| (*serial, due.share.bytes())).collect();
	assert_eq!(found, [(0, 65_536), (6, 65_536)]);
	let mut forged = dues[0].1.clone();
	forged.commitment = Hash([1; 32]);
	let payment = Payment::Ticket(ticket(&forged));
	assert_eq!(session.pay(&forged, payment), Err(NotDue::Receipt(Hash([1; 32]))));
}

#[test]
fn every_flipped_bit_is_a_fault_of_its_place() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(40_000, 1));
	let (frame, data) = (window.announcement(true), window.data());
	let bent = |bytes: &[u8], at: usize| {
		let mut bent = bytes.to_vec();
		bent[at] ^= 1 << (at % 8);
		bent
	};
	let fault = |at: usize| {
		let mut session = expecting(&window);
		let answer = session.handle(&bent(&frame, at));
		// A frame that is longer than what comes is no fault yet.
		assert!(answer.is_err() || at < PREFIX_BYTES, "byte {at}");
		assert!(drain(&mut session).0.is_empty());
		answer.err()
	};
	for at in PREFIX_BYTES..PREFIX_BYTES + HEADER_BYTES {
		let fault = fault(at);
		// Numbers that decide how long it is are looked at first.
		let length = matches!(
			fault,
			Some(Fault::Wire(
				WireError::AnnouncementLength { .. } | WireError::ChunkCount { .. }
			))
		);
		assert!(
			length || matches!(fault, Some(Fault::Header(_))),
			"byte {at}: {fault:?}"
		);
	}
	for at in PREFIX_BYTES + HEADER_BYTES..LEAVES {
		let length = matches!(fault(at), Some(Fault::Wire(WireError::AnnouncementLength { .. })));
		assert!(length, "byte {at}");
	}
	for at in LEAVES..frame.len() {
		assert_eq!(fault(at), Some(Fault::BadLeaves(window.id())), "byte {at}");
	}
	for at in 0..PREFIX_BYTES {
		fault(at);
	}
	for at in (0..data.len()).step_by(997) {
		let mut session = expecting(&window);
		session.handle(&frame).unwrap();
		let (index, window_id) = ((at / CHUNK) as u32, window.id());
		let bad = Fault::BadChunk {
			window: window_id,
			index,
		};
		assert_eq!(
			give(&mut session, window.range(), &bent(&data, at)),
			Err(bad),
			"byte {at}"
		);
		assert!(drain(&mut session).0.is_empty());
	}
}

#[test]
fn items_must_be_the_named_ones() {
	let mut broadcast = Broadcast {
		items: fixture::items(),
		..Broadcast::default()
	};
	let window = broadcast.segment(&[1; 100]);
	let answer = |header: &SignedHeader, items: &Items| {
		let leaves = merkle::leaves(&window.data(), 14);
		let range = Range {
			header: header.message.hash(),
			..window.range()
		};
		let mut session = expecting(&window);
		let answer = session.handle(&announcement(header, items, leaves));
		let answer = answer.and_then(|()| give(&mut session, range, &window.data()));
		assert_eq!(drain(&mut session).0.is_empty(), answer.is_err());
		answer
	};
	let bad = Err(Fault::BadItems(window.id()));
	assert_eq!(answer(window.signed_header(), window.items()), Ok(()));
	assert_eq!(answer(window.signed_header(), &Items::default()), bad);
	let fewer = Items::new(window.items().iter().take(1).cloned().collect()).unwrap();
	assert_eq!(answer(window.signed_header(), &fewer), bad);
	// Items where the broadcaster signed none.
	let mut none = window.header().clone();
	none.ext = Hash([0; 32]);
	let none = fixture::stream_key().sign(none, &GENESIS);
	assert_eq!(answer(&none, &Items::default()), Ok(()));
	assert_eq!(answer(&none, window.items()), bad);
	// Every byte of them.
	let len = window.items().encode().len();
	for at in LEAVES..LEAVES + len {
		let mut frame = window.announcement(true).to_vec();
		frame[at] ^= 1;
		let fault = expecting(&window).handle(&frame).unwrap_err();
		assert!(
			matches!(fault, Fault::BadItems(_) | Fault::Wire(_)),
			"byte {at}: {fault:?}"
		);
	}
}

#[test]
fn fault_comes_with_the_first_byte_that_can_show_it() {
	let window = Broadcast::default().segment(&fixture::media(100_000, 1));
	let noticed_at = |at: usize| {
		let mut session = expecting(&window);
		session.handle(&window.announcement(true)).unwrap();
		let prefix: Vec<u8> = window.range().encode();
		let Ok(Taken::As(id)) = session.begin_chunks(&prefix.try_into().unwrap()) else {
			panic!("it was announced");
		};
		let mut bent = window.data().to_vec();
		bent[at] ^= 1;
		bent.iter()
			.position(|byte| session.chunks(id, &[*byte]).is_err())
			.unwrap() + 1
	};
	assert_eq!(noticed_at(0), CHUNK);
	assert_eq!(noticed_at(CHUNK), 2 * CHUNK);
	assert_eq!(noticed_at(99_999), 100_000);
}

#[test]
fn chunks_and_leaves_cannot_be_swapped() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(100_000, 1));
	let swapped = |bytes: &[u8], at: usize, len: usize| {
		let mut bytes = bytes.to_vec();
		let (head, tail) = bytes[at..].split_at_mut(len);
		head.swap_with_slice(&mut tail[..len]);
		bytes
	};
	let mut session = expecting(&window);
	session.handle(&window.announcement(true)).unwrap();
	let bad = Fault::BadChunk {
		window: window.id(),
		index: 1,
	};
	let data = swapped(&window.data(), CHUNK, CHUNK);
	assert_eq!(give(&mut session, window.range(), &data), Err(bad));
	let frame = swapped(&window.announcement(true), LEAVES, 32);
	assert_eq!(expecting(&window).handle(&frame), Err(Fault::BadLeaves(window.id())));
}

/// A history of other headers.
fn foreign_history(count: u8) -> History {
	let mut history = History::default();
	for leaf in 0..count {
		assert!(history.append(Hash([leaf; 32])));
	}
	history
}

#[test]
fn succession_is_exact() {
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; 100])).collect();
	let behind_first = || {
		let mut session = free();
		show(&mut session, &windows[0]).unwrap();
		session
	};
	assert_eq!(show(&mut behind_first(), &windows[1]), Ok(()));
	let id = |at: usize| windows[at].id();
	assert_eq!(show(&mut behind_first(), &windows[0]), Err(Fault::Replayed(id(0))));
	let omitted = Fault::Omitted {
		expected: id(1),
		got: id(2),
	};
	assert_eq!(show(&mut behind_first(), &windows[2]), Err(omitted));
	// The right place under the right key, behind another header, and behind more or fewer.
	let more = windows[1].history_after();
	for history in [foreign_history(1), more, foreign_history(0)] {
		let mut fork = Broadcast {
			next: id(1),
			history,
			..Broadcast::default()
		};
		let forked = fork.segment(&[9; 100]);
		assert_eq!(show(&mut behind_first(), &forked), Err(Fault::BrokenChain(id(1))));
	}
}

#[test]
fn late_joiner_checks_the_history_that_it_is_given() {
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..5).map(|i| broadcast.segment(&[i; 100])).collect();
	let window = &windows[3];
	let joined = |history: Option<History>| {
		let mut session = free();
		send(&mut session, catalog_of(window)).unwrap();
		send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
		if let Some(history) = history {
			send(&mut session, ToViewer::History(history))?;
		}
		bring(&mut session, window).map(|()| session)
	};
	let mut session = joined(Some(window.history().clone())).unwrap();
	assert_eq!(session.resume(), Some(Resume::after(window)));
	assert_eq!(show(&mut session, &windows[4]), Ok(()));
	let broken = || Fault::BrokenChain(window.id());
	assert_eq!(joined(None).unwrap_err(), broken());
	assert_eq!(joined(Some(foreign_history(3))).unwrap_err(), broken());
	assert_eq!(joined(Some(windows[2].history().clone())).unwrap_err(), broken());
	assert_eq!(joined(Some(window.history_after())).unwrap_err(), broken());
	// Peaks that are none: of three headers there are two.
	let ill = |count: u64, peaks: usize| {
		let encoded = (count, vec![Hash([1; 32]); peaks]).encode();
		History::decode(&mut &encoded[..]).unwrap()
	};
	for (count, peaks) in [(3, 1), (3, 3), (0, 1), (1 << 40, 1), (u64::MAX, 40)] {
		let fault = joined(Some(ill(count, peaks))).unwrap_err();
		assert_eq!(fault, Fault::BadHistory(count));
	}
	// The first of an epoch needs an empty one.
	assert_eq!(show(&mut free(), &windows[0]), Ok(()));
}

#[test]
fn epoch_begins_at_number_0_with_a_window_that_can_be_decoded() {
	let mut broadcast = Broadcast::default();
	let (first, second) = (broadcast.segment(&[1; 100]), broadcast.segment(&[2; 100]));
	let begun = |flags: u16, history: History| {
		let mut next = Broadcast::default();
		next.begin_epoch(fixture::EPOCH + 1);
		next.history = history;
		let window = next.window(flags, &[3; 100]);
		show(&mut behind(&first), &window).map_err(|fault| (fault, window.id()))
	};
	let independent = flags::INDEPENDENT | flags::LAST_PART;
	assert_eq!(begun(independent, History::default()), Ok(()));
	let (fault, id) = begun(flags::LAST_PART, History::default()).unwrap_err();
	assert_eq!(fault, Fault::NotIndependent(id));
	for history in [foreign_history(1), first.history_after()] {
		let (fault, id) = begun(independent, history).unwrap_err();
		assert_eq!(fault, Fault::BrokenChain(id));
	}

	// In the new epoch segments may begin anew, and nothing of the one before comes back.
	let mut session = behind(&first);
	broadcast.begin_epoch(fixture::EPOCH + 3);
	broadcast.next.segment = 0;
	let (third, fourth) = (broadcast.segment(&[3; 100]), broadcast.segment(&[4; 100]));
	show(&mut session, &third).unwrap();
	show(&mut session, &fourth).unwrap();
	assert_eq!(drain(&mut session).0, [third.id(), fourth.id()]);
	assert_eq!(show(&mut session, &second), Err(Fault::Replayed(second.id())));
	assert_eq!(show(&mut behind(&fourth), &third), Err(Fault::Replayed(third.id())));
	let mut skipped = behind(&first);
	assert_eq!(show(&mut skipped, &fourth), Err(Fault::BrokenChain(fourth.id())));
}

#[test]
fn parts_follow_each_other_and_then_the_next_segment() {
	let mut broadcast = Broadcast::default();
	let parts = [flags::INDEPENDENT, 0, flags::LAST_PART, flags::INDEPENDENT].map(|f| broadcast.window(f, &[1; 50]));
	let mut session = free();
	for part in &parts {
		show(&mut session, part).unwrap();
	}
	let mut session = free();
	assert_eq!(show(&mut session, &parts[1]), Err(Fault::NotIndependent(parts[1].id())));
	let mut session = free();
	show(&mut session, &parts[0]).unwrap();
	let omitted = Fault::Omitted {
		expected: parts[1].id(),
		got: parts[3].id(),
	};
	assert_eq!(show(&mut session, &parts[3]), Err(omitted));
}

#[test]
fn resumed_session_goes_on_behind_the_last_window_and_needs_no_history() {
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..3).map(|i| broadcast.segment(&[i; 100])).collect();
	assert_eq!(show(&mut behind(&windows[0]), &windows[1]), Ok(()));
	let omitted = Fault::Omitted {
		expected: windows[1].id(),
		got: windows[2].id(),
	};
	assert_eq!(show(&mut behind(&windows[0]), &windows[2]), Err(omitted));
	let replayed = Fault::Replayed(windows[1].id());
	assert_eq!(show(&mut behind(&windows[1]), &windows[1]), Err(replayed));
	let unexpected = Err(Fault::Unexpected(Kind::History));
	assert_eq!(send(&mut behind(&windows[0]), history_before(&windows[1])), unexpected);
	let resume = Some(Resume::after(&windows[1]));
	let mut session = ViewerSession::new(ViewerConfig { resume, ..guest() });
	let subscribe = Subscribe {
		genesis: GENESIS,
		stream: fixture::STREAM,
		tracks: vec![0].try_into().unwrap(),
		start: Start::After {
			epoch: fixture::EPOCH,
			segment: 41,
			part: 0,
			header: windows[1].hash(),
		},
		follow: Follow::Windows,
		payer: None,
	};
	assert_eq!(
		session.poll_transmit(),
		Some(ToRelayer::Subscribe(subscribe).to_frame())
	);
}

/// A header that the stream's key signed, in place of this window's.
fn reheaded(window: &EncodedWindow, change: impl Fn(&mut WindowHeader)) -> Bytes {
	let mut header = window.header().clone();
	change(&mut header);
	signed_by(&fixture::stream_key(), header, window)
}

/// This window under a header that this key signed.
fn signed_by(key: &KeyPair, header: WindowHeader, window: &EncodedWindow) -> Bytes {
	let leaves = merkle::leaves(&window.data(), window.header().chunk_log2);
	announcement(&key.sign(header, &GENESIS), window.items(), leaves)
}

#[test]
fn window_of_another_stream_or_key_is_refused() {
	let window = Broadcast::default().segment(&[1; 10]);
	for change in [|id: &mut WindowId| id.track = 1, |id: &mut WindowId| id.stream.0 += 1] {
		let mut id = window.id();
		change(&mut id);
		let frame = reheaded(&window, |header| header.id = id);
		assert_eq!(expecting(&window).handle(&frame), Err(Fault::WrongStream(id)));
	}
	let mut forger = Broadcast {
		key: KeyPair::from_seed([66; 32]),
		..Broadcast::default()
	};
	let invalid = HeaderError::Signature(SignatureError::Invalid);
	assert_eq!(
		show(&mut free(), &forger.segment(&[1; 10])),
		Err(Fault::Header(invalid))
	);
}

#[test]
fn window_comes_with_the_catalog_and_init_that_are_named() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&[1; 10]);
	let bad = |window: WindowId, reason| Err(Fault::BadSetting { window, reason });
	let answer = |config: ViewerConfig, catalog: Option<SignedCatalog>, init: Option<&'static [u8]>, frame: &[u8]| {
		let mut session = offered(config, None);
		send(&mut session, history_before(&window)).unwrap();
		if let Some(catalog) = catalog {
			send(&mut session, ToViewer::Catalog(Box::new(catalog))).unwrap();
		}
		if let Some(init) = init {
			send(&mut session, ToViewer::Init(Bytes::from_static(init))).unwrap();
		}
		let answer = session.handle(frame);
		let emitted = std::iter::from_fn(|| session.poll_event()).filter(|e| !matches!(e, Event::Terms(_)));
		assert_eq!(
			emitted.count() > 0,
			answer.is_ok(),
			"nothing is handed out that did not verify"
		);
		answer
	};
	let (catalog, init) = (|| Some(window.catalog().as_ref().clone()), Some(&b"ftyp moov"[..]));
	let (id, frame) = (window.id(), window.announcement(true));
	assert_eq!(answer(guest(), catalog(), init, &frame), Ok(()));
	assert_eq!(answer(guest(), None, init, &frame), bad(id, WindowError::Catalog));
	assert_eq!(answer(guest(), catalog(), None, &frame), bad(id, WindowError::Init));
	assert_eq!(
		answer(guest(), catalog(), Some(b"other"), &frame),
		bad(id, WindowError::Init)
	);
	let other = fixture::catalog(&[0, 1], b"ftyp moov", 0);
	assert_eq!(
		answer(guest(), Some(other.clone()), init, &frame),
		bad(id, WindowError::Catalog)
	);
	// Named by the header, and without its track or of another stream.
	let track = |track| ViewerConfig { track, ..guest() };
	let second = |catalog: &SignedCatalog| {
		let hash = catalog.catalog.hash();
		reheaded(&window, |header| (header.id.track, header.catalog) = (1, hash))
	};
	let id = WindowId { track: 1, ..id };
	assert_eq!(answer(track(1), Some(other.clone()), init, &second(&other)), Ok(()));
	let one_track = window.catalog();
	assert_eq!(
		answer(track(1), catalog(), init, &second(one_track)),
		bad(id, WindowError::Track(1))
	);
	let mut foreign = other.catalog;
	foreign.stream.0 += 1;
	let foreign = SignedCatalog::sign(foreign, &fixture::stream_key(), &GENESIS);
	let frame = second(&foreign);
	assert_eq!(
		answer(track(1), Some(foreign), init, &frame),
		bad(id, WindowError::Catalog)
	);

	// Changed by the broadcaster and not sent again.
	broadcast.reinit(&b"new"[..]);
	let changed = broadcast.segment(&[2; 10]);
	let behind_first = || {
		let mut session = free();
		show(&mut session, &window).unwrap();
		session
	};
	let mut session = behind_first();
	assert_eq!(
		session.handle(&changed.announcement(true)),
		bad(changed.id(), WindowError::Catalog)
	);
	let mut session = behind_first();
	send(&mut session, catalog_of(&changed)).unwrap();
	assert_eq!(
		session.handle(&changed.announcement(true)),
		bad(changed.id(), WindowError::Init)
	);
	assert_eq!(show(&mut behind_first(), &changed), Ok(()));
}

#[test]
fn catalog_must_be_one() {
	let answer = |catalog| send(&mut free(), ToViewer::Catalog(Box::new(catalog)));
	assert_eq!(answer(fixture::catalog(&[0, 1], b"init", 0)), Ok(()));
	for tracks in [&[][..], &[1, 0], &[1, 1]] {
		let refused = Err(Fault::Catalog(CatalogError::Tracks));
		assert_eq!(answer(fixture::catalog(tracks, b"init", 0)), refused);
	}
	let (mut one, other) = (fixture::catalog(&[0], b"init", 0), fixture::catalog(&[0], b"init", 1));
	one.seal = other.seal;
	assert_eq!(answer(one), Err(Fault::Catalog(CatalogError::Seal)));
	let catalog = fixture::catalog(&[0], b"init", 0).catalog;
	let forged = SignedCatalog::sign(catalog, &fixture::relayer_key(), &GENESIS);
	assert_eq!(
		answer(forged),
		Err(Fault::Catalog(CatalogError::Signature(SignatureError::Invalid)))
	);
}

#[test]
fn status_is_the_streams_own_and_an_old_one_says_nothing() {
	let answer = |status: &SignedStatus| send(&mut free(), ToViewer::Status(Box::new(status.clone())));
	let status = fixture::status(3, State::Live);
	assert_eq!(answer(&status), Ok(()));
	let resigned = |change: fn(&mut clustercast_primitives::Status), key: KeyPair| {
		let mut message = status.status.message;
		change(&mut message);
		SignedStatus::sign(message, status.tracks.clone(), &key, &GENESIS)
	};
	let forged = resigned(|_| {}, KeyPair::from_seed([66; 32]));
	let mut deceived = free();
	send(&mut deceived, ToViewer::Status(Box::new(forged))).unwrap();
	let said = std::iter::from_fn(|| deceived.poll_event()).any(|event| matches!(event, Event::Status(_)));
	assert!(
		!said,
		"under another key it says nothing: that key may have been the stream's a moment ago"
	);
	let long = resigned(|status| status.valid_ms = 10_001, fixture::stream_key());
	assert_eq!(answer(&long), Err(Fault::Status(StatusError::Valid(10_001))));
	let foreign = resigned(|status| status.stream.0 += 1, fixture::stream_key());
	assert_eq!(answer(&foreign), Err(Fault::WrongStatus));
	let mut bent = status.clone();
	bent.tracks[0].count += 1;
	assert_eq!(answer(&bent), Err(Fault::Status(StatusError::Tracks)));

	let mut session = free();
	let mut emitted = Vec::new();
	let later = resigned(
		|status| (status.epoch, status.number) = (fixture::EPOCH + 1, 0),
		fixture::stream_key(),
	);
	let others = [(3, State::Live), (2, State::Ended), (3, State::Idle), (4, State::Idle)];
	let others = others.map(|(number, state)| fixture::status(number, state));
	for status in others.iter().chain([&later, &others[3], &others[1]]) {
		send(&mut session, ToViewer::Status(Box::new(status.clone()))).unwrap();
	}
	while let Some(event) = session.poll_event() {
		if let Event::Status(status) = event {
			emitted.push(*status);
		}
	}
	assert_eq!(emitted, [others[0].clone(), others[3].clone(), later]);
	// It cuts into nothing: also behind a window whose receipt is due.
	let window = Broadcast::default().segment(&[1; 10]);
	let mut session = paying();
	show(&mut session, &window).unwrap();
	send(&mut session, ToViewer::Status(Box::new(status.clone()))).unwrap();
	assert_eq!(send(&mut session, honest(&window, 1)), Ok(()));
}

#[test]
fn terms_are_held_to_the_viewers_limits() {
	let answer = |terms: Terms| send(&mut subscribed(fixture::viewer_config()), ToViewer::Terms(Some(terms)));
	let terms = fixture::terms;
	let dear = Terms {
		price_per_gb: 5_000_001,
		..terms()
	};
	assert_eq!(
		answer(dear),
		Err(Fault::PriceTooHigh {
			max: 5_000_000,
			asked: 5_000_001
		})
	);
	for asked in [0, 1_000_001] {
		let max = 1_000_000;
		let terms = Terms {
			mode: PaymentMode::Tickets { face_value: asked },
			..terms()
		};
		assert_eq!(answer(terms), Err(Fault::FaceValue { max, asked }));
	}
	let limits = Terms {
		price_per_gb: 5_000_000,
		mode: PaymentMode::Tickets { face_value: 1_000_000 },
		credit: 0,
		..terms()
	};
	assert_eq!(answer(limits), Ok(()));
	let asked = send(&mut subscribed(guest()), ToViewer::Terms(Some(terms())));
	assert_eq!(asked, Err(Fault::PaymentAsked));
}

/// The attacks: money to an account without a bond, and places of vouchers that the chain does not pay, each of which
/// takes one of the session's few.
#[test]
fn terms_name_the_account_and_the_counter_that_the_chain_has() {
	let answer = |terms: Terms| send(&mut subscribed(fixture::viewer_config()), ToViewer::Terms(Some(terms)));
	let registered = fixture::RECIPIENT;
	let mut terms = fixture::terms();
	terms.recipient.0[0] ^= 1;
	let asked = terms.recipient;
	assert_eq!(answer(terms.clone()), Err(Fault::WrongRecipient { registered, asked }));
	let unknown = ViewerConfig {
		relayer_account: None,
		..fixture::viewer_config()
	};
	assert_eq!(send(&mut subscribed(unknown), ToViewer::Terms(Some(terms))), Ok(()));

	let known = fixture::terms().counter;
	let counting = |counter| Terms {
		counter,
		..fixture::terms()
	};
	for counter in [known, known + 1] {
		assert_eq!(answer(counting(counter)), Ok(()));
	}
	for asked in [0, known - 1, known + 2, u32::MAX] {
		assert_eq!(answer(counting(asked)), Err(Fault::WrongTerms { known, asked }));
	}
	let mut session = subscribed(fixture::viewer_config());
	session.set_terms(known + 1);
	assert_eq!(send(&mut session, ToViewer::Terms(Some(counting(known + 2)))), Ok(()));
}

/// The attack: a key that was stolen, or sold, signs a place behind all that its stream can ever have.
#[test]
fn nothing_is_taken_of_an_epoch_that_cannot_have_begun() {
	let answer = |epoch| {
		let mut broadcast = Broadcast::default();
		broadcast.begin_epoch(epoch);
		let window = broadcast.segment(&[1; 10]);
		(show(&mut free(), &window), window.id())
	};
	let last = HEAD + MAX_EPOCH_AHEAD;
	assert_eq!(answer(last).0, Ok(()));
	for epoch in [last + 1, u32::MAX] {
		let (answer, id) = answer(epoch);
		assert_eq!(answer, Err(Fault::FutureEpoch { id, head: HEAD }));
	}
	let heard = |epoch| {
		let mut session = free();
		let status = fixture::status(1, State::Ended);
		let message = clustercast_primitives::Status {
			epoch,
			..status.status.message
		};
		let status = SignedStatus::sign(message, status.tracks, &fixture::stream_key(), &GENESIS);
		send(&mut session, ToViewer::Status(Box::new(status))).unwrap();
		std::iter::from_fn(|| session.poll_event()).any(|event| matches!(event, Event::Status(_)))
	};
	assert!(heard(last));
	assert!(!heard(last + 1));
}

/// The attack: a broadcaster's clock a minute ahead, or a day, in the playlists of all who watch.
#[test]
fn a_window_begins_no_later_than_clocks_may_differ_and_as_early_as_it_likes() {
	let window = Broadcast::default().segment(&[1; 100]);
	let start_ms = window.header().start_ms;
	let answer = |latest_start_ms| {
		let mut session = free();
		session.set_latest_start(latest_start_ms);
		show(&mut session, &window)
	};
	assert_eq!(answer(start_ms), Ok(()));
	assert_eq!(answer(start_ms + 86_400_000), Ok(()), "an old window is a replay");
	let ahead = Fault::FutureStart(window.id());
	assert!(ahead.may_be_honest(), "our clock may be behind");
	assert_eq!(answer(start_ms - 1), Err(ahead));
}

/// Another key of the stream than the one that the session was told of.
fn other_key() -> KeyPair {
	KeyPair::from_seed([9; 32])
}

/// A broadcast under that key.
fn by_other_key(epoch: u32) -> Broadcast {
	let mut broadcast = Broadcast {
		key: other_key(),
		..Broadcast::default()
	};
	broadcast.begin_epoch(epoch);
	broadcast
}

/// The chain names the key of [`fixture`], and has replaced the other one when it had told of so many windows.
fn replaced(told: Option<Reach>) -> StreamKeys {
	let mut keys = StreamKeys::from(other_key().public());
	let former = vec![KeyPair::from_seed([8; 32]).public(), other_key().public()];
	assert!(keys.replace(fixture::stream_key().public(), former, told));
	keys
}

/// The attack of a stolen key: it goes on signing windows behind those that are watched, which were paid as before.
#[test]
fn a_replaced_key_signs_nothing_more_and_what_it_signed_before_stays_good() {
	let mut broadcast = by_other_key(EPOCH);
	let windows = [1, 2, 3].map(|n| broadcast.segment(&[n; 100]));
	let with = |resume, told| ViewerConfig {
		keys: replaced(told),
		resume,
		..guest()
	};
	let resumed = Some(Resume::after(&windows[0]));
	let refused = |window: &EncodedWindow| {
		let fault = Fault::FormerKey(window.id());
		assert!(fault.may_be_honest(), "a relayer may not have heard of it");
		Err(fault)
	};
	// Two were told of before it was replaced: that far one catches up.
	let mut session = offered(with(resumed.clone(), Some((EPOCH, 2))), None);
	assert_eq!(show(&mut session, &windows[1]), Ok(()));
	assert_eq!(show(&mut session, &windows[2]), refused(&windows[2]));
	// Nobody has told of any, or of another run.
	for told in [None, Some((EPOCH, 1)), Some((EPOCH + 1, 9)), Some((EPOCH - 1, 9))] {
		let mut session = offered(with(resumed.clone(), told), None);
		assert_eq!(show(&mut session, &windows[1]), refused(&windows[1]), "{told:?}");
	}
	// Who does not watch it begins with what the key of now signed.
	let mut session = offered(with(None, Some((EPOCH, 9))), None);
	assert_eq!(show(&mut session, &windows[1]), refused(&windows[1]));
	// Nor does a former key begin another run, for who watched it.
	let mut later = by_other_key(EPOCH + 1);
	later.next.segment = windows[1].id().segment;
	let anew = later.segment(&[3; 100]);
	let mut session = offered(with(resumed.clone(), Some((EPOCH + 1, 9))), None);
	assert_eq!(show(&mut session, &anew), refused(&anew));
	// A key that was never the stream's is a forger's.
	let mut session = behind(&windows[0]);
	let invalid = SignatureError::Invalid;
	assert_eq!(
		show(&mut session, &windows[1]),
		Err(Fault::Catalog(CatalogError::Signature(invalid)))
	);
}

#[test]
fn a_key_that_is_replaced_while_its_run_is_watched_is_out_at_once_and_the_next_run_follows() {
	let mut broadcast = by_other_key(EPOCH);
	let windows = [1, 2].map(|n| broadcast.segment(&[n; 100]));
	let mut next = Broadcast::default();
	next.begin_epoch(EPOCH + 1);
	next.next.segment = windows[0].id().segment + 1;
	let next = next.segment(&[3; 100]);
	let watching = || {
		let config = ViewerConfig {
			keys: other_key().public().into(),
			resume: Some(Resume::after(&windows[0])),
			..guest()
		};
		let mut session = offered(config, None);
		session.set_keys(replaced(Some((EPOCH, 1))));
		session
	};
	assert_eq!(
		show(&mut watching(), &windows[1]),
		Err(Fault::FormerKey(windows[1].id()))
	);
	let mut session = watching();
	assert_eq!(show(&mut session, &next), Ok(()));
}

/// Sale, rental and its end: another account begins a run under its own key.
#[test]
fn the_run_of_whoever_broadcasts_next_follows_under_its_key() {
	let first = Broadcast::default().segment(&[1; 100]);
	let next = |epoch| {
		let mut broadcast = by_other_key(epoch);
		broadcast.next.segment = first.id().segment + 1;
		broadcast.segment(&[2; 100])
	};
	// The chain names the new key, and the viewer knows it.
	let told = ViewerConfig {
		keys: StreamKeys {
			former: vec![fixture::stream_key().public()],
			..other_key().public().into()
		},
		resume: Some(Resume::after(&first)),
		..guest()
	};
	assert_eq!(show(&mut offered(told, None), &next(EPOCH + 1)), Ok(()));
	// It was changed a moment ago: perhaps our node does not know yet.
	let untold = |head| {
		let mut session = behind(&first);
		session.set_head(head);
		session
	};
	let window = next(EPOCH + 1);
	let began = window.id().epoch;
	let unknown = Fault::UnknownKey(began);
	assert!(unknown.may_be_honest());
	assert_eq!(
		show(&mut untold(began + MAX_BLOCKS_BEHIND), &window),
		Err(unknown.clone())
	);
	// The same where the catalog is known, and the header comes first.
	let mut session = untold(began);
	session.pending_catalog = Some(window.catalog().clone());
	assert_eq!(session.handle(&window.announcement(true)), Err(unknown));
	// A run goes on under the key that it began with, however young it is.
	let young = Broadcast::default().segment(&[1; 100]);
	let mut session = behind(&young);
	session.set_head(EPOCH);
	let forged = signed_by(&other_key(), young.header().clone(), &young);
	session.pending_catalog = Some(young.catalog().clone());
	let invalid = HeaderError::Signature(SignatureError::Invalid);
	assert_eq!(session.handle(&forged), Err(Fault::Header(invalid)));
	// Later than that every node does, and it is a forgery.
	let answer = show(&mut untold(began + MAX_BLOCKS_BEHIND + 1), &window);
	assert!(answer.is_err_and(|fault| !fault.may_be_honest()));
}

#[test]
fn receipt_must_say_what_was_delivered() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(40_000, 1));
	let answer = |message: ToViewer| {
		let mut session = paying();
		show(&mut session, &window).unwrap();
		let answer = send(&mut session, message);
		assert_eq!(drain(&mut session).1.is_some(), answer.is_ok());
		answer.map_err(|fault| match fault {
			Fault::BadReceipt { window: id, reason } if id == window.id() => reason,
			other => panic!("{other:?}"),
		})
	};
	let changed = |change: fn(&mut Receipt)| {
		let mut receipt = receipt(&window, 1);
		change(&mut receipt);
		answer(signed(receipt, &[whole(&window)])).unwrap_err()
	};
	assert_eq!(answer(honest(&window, 1)), Ok(()));
	assert_eq!(changed(|r| r.kind = Purpose::REPLAY), ReceiptFault::Purpose);
	assert_eq!(changed(|r| r.context.0[31] = 1), ReceiptFault::Purpose);
	assert_eq!(changed(|r| r.payer.0[0] ^= 1), ReceiptFault::Payer);
	assert_eq!(changed(|r| r.payee.0[0] ^= 1), ReceiptFault::Payee);
	assert_eq!(changed(|r| r.key.0[0] ^= 1), ReceiptFault::Payee);
	assert_eq!(changed(|r| r.stream.0 += 1), ReceiptFault::Stream);
	assert_eq!(changed(|r| r.root.0[0] ^= 1), ReceiptFault::Root);
	assert_eq!(changed(|r| r.bytes += 1), ReceiptFault::Bill(BillFault::Bytes));
	assert_eq!(changed(|r| r.bytes -= 1), ReceiptFault::Bill(BillFault::Bytes));
	assert_eq!(changed(|r| r.price += 1), ReceiptFault::Price);
	assert_eq!(changed(|r| r.price -= 1), ReceiptFault::Price);
	let session = fixture::session_key().public();
	for payer in [
		receipt::payer(&Hash([0; 32]), &fixture::SENDER, &session),
		receipt::payer(&CHALLENGE, &fixture::RECIPIENT, &session),
		receipt::payer(&CHALLENGE, &fixture::SENDER, &fixture::relayer_key().public()),
	] {
		let other = Receipt {
			payer,
			..receipt(&window, 1)
		};
		assert_eq!(answer(signed(other, &[whole(&window)])), Err(ReceiptFault::Payer));
	}
	let forged = fixture::session_key().sign(receipt(&window, 1), &GENESIS);
	let deliveries: Deliveries = vec![whole(&window)].try_into().unwrap();
	let invalid = Err(ReceiptFault::Signature(SignatureError::Invalid));
	assert_eq!(answer(ToViewer::Receipt(forged, deliveries)), invalid);

	// Deliveries that are not this window, whole: under their own root, and under the honest one.
	let one = whole(&window);
	let other = broadcast.segment(&fixture::media(40_000, 1));
	let (order, absent) = (BillFault::Order, BillFault::NotDelivered);
	for (deliveries, fault) in [
		(vec![], order),
		(vec![one, one], absent),
		(vec![whole(&other)], absent),
		(vec![one, whole(&other)], absent),
		(vec![Delivered { count: 2, ..one }], absent),
		(
			vec![Delivered {
				first: 1,
				count: 2,
				..one
			}],
			absent,
		),
		(
			vec![Delivered {
				delivered: Hash([1; 32]),
				..one
			}],
			absent,
		),
	] {
		let own = Receipt {
			root: deliveries_root(&deliveries),
			..receipt(&window, 1)
		};
		assert_eq!(answer(signed(own, &deliveries)), Err(ReceiptFault::Bill(fault)));
		assert_eq!(
			answer(signed(receipt(&window, 1), &deliveries)),
			Err(ReceiptFault::Root)
		);
	}
}

#[test]
fn receipt_is_of_now() {
	let window = Broadcast::default().segment(&[1; 100]);
	let answer = |head: BlockNumber, block: BlockNumber| {
		let mut session = paying();
		session.set_head(head);
		show(&mut session, &window).unwrap();
		let receipt = Receipt {
			block,
			..receipt(&window, 1)
		};
		send(&mut session, signed(receipt, &[whole(&window)]))
	};
	let bad = Err(Fault::BadReceipt {
		window: window.id(),
		reason: ReceiptFault::Block,
	});
	assert_eq!(answer(100, 79), bad);
	assert_eq!(answer(100, 80), Ok(()));
	assert_eq!(answer(100, 102), Ok(()));
	assert_eq!(answer(100, 103), bad);
	assert_eq!(
		answer(100, 130),
		bad,
		"which was taken where epochs and receipts had one bound"
	);
	assert!(
		bad.as_ref().is_err_and(Fault::may_be_honest),
		"its node may be ahead of ours"
	);
	assert_eq!(answer(10, 0), Ok(()), "there are no twenty blocks before");
	assert_eq!(answer(u32::MAX, u32::MAX), Ok(()));
}

/// What an honest relayer signs for these windows together.
fn for_all(windows: &[&EncodedWindow], serial: u8) -> ToViewer {
	let deliveries: Vec<_> = windows.iter().map(|window| whole(window)).collect();
	let all = Receipt {
		root: deliveries_root(&deliveries),
		bytes: windows.iter().map(|window| u64::from(window.header().bytes)).sum(),
		..receipt(windows[0], serial)
	};
	signed(all, &deliveries)
}

#[test]
fn several_windows_are_paid_by_one_receipt_and_none_twice() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let windows: Vec<_> = (0..4).map(|n| broadcast.segment(&[n; UNIT])).collect();
	windows.iter().for_each(|window| show(&mut session, window).unwrap());
	assert!(session.owes());
	send(&mut session, for_all(&[&windows[0], &windows[1], &windows[2]], 1)).unwrap();
	let (_, due) = drain(&mut session);
	let due = due.unwrap();
	assert_eq!((due.share.bytes(), due.window), (3 * UNIT as u64, windows[2].id()));
	let again = Fault::BadReceipt {
		window: windows[3].id(),
		reason: ReceiptFault::Bill(BillFault::NotDelivered),
	};
	assert_eq!(send(&mut session, for_all(&[&windows[2], &windows[3]], 2)), Err(again));
}

#[test]
fn who_leaves_says_so_once_and_owes_until_all_is_acknowledged() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let window = broadcast.segment(&[1; UNIT]);
	show(&mut session, &window).unwrap();
	while session.poll_transmit().is_some() {}
	session.leave();
	session.leave();
	assert_eq!(session.poll_transmit(), Some(ToRelayer::Leave.to_frame()));
	assert_eq!(session.poll_transmit(), None);
	// One that was on its way.
	let late = broadcast.segment(&[2; UNIT]);
	show(&mut session, &late).unwrap();
	send(&mut session, for_all(&[&window, &late], 1)).unwrap();
	let due = drain(&mut session).1.unwrap();
	session.pay(&due, Payment::Ticket(ticket(&due))).unwrap();
	assert!(session.owes());
	send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
	assert!(!session.owes());
	let mut guest = free();
	while guest.poll_transmit().is_some() {}
	guest.leave();
	assert_eq!((guest.poll_transmit(), guest.owes()), (None, false));
}

/// The receipt for a bad window is for others, too, and comes behind windows that were on their way.
#[test]
fn bad_chunk_among_windows_of_an_interval_convicts() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let data = fixture::media(40_000, 1);
	let (good, bad, behind) = (
		broadcast.segment(&data),
		broadcast.segment(&data),
		broadcast.segment(&data),
	);
	show(&mut session, &good).unwrap();
	let mut spoilt = data.clone();
	*spoilt.last_mut().unwrap() ^= 1;
	let delivered = Delivered {
		delivered: merkle::root(&merkle::leaves(&spoilt, bad.header().chunk_log2)),
		..whole(&bad)
	};
	let deliveries = [whole(&good), delivered, whole(&behind)];
	let all = Receipt {
		root: deliveries_root(&deliveries),
		bytes: 120_000,
		..receipt(&good, 1)
	};
	let all = signed(all, &deliveries).to_frame();
	session.handle(&bad.announcement(true)).unwrap();
	session.handle(&behind.announcement(true)).unwrap();
	// The receipt may overtake the chunks, or come behind them.
	for overtakes in [true, false] {
		let mut session = paying();
		show(&mut session, &good).unwrap();
		session.handle(&bad.announcement(true)).unwrap();
		session.handle(&behind.announcement(true)).unwrap();
		while session.poll_transmit().is_some() {}
		if overtakes {
			session.handle(&all).unwrap();
		}
		let prefix: Vec<u8> = bad.range().encode();
		let Ok(Taken::As(id)) = session.begin_chunks(&prefix.try_into().unwrap()) else {
			panic!("it was announced");
		};
		assert!(matches!(session.chunks(id, &spoilt), Err(Fault::BadChunk { .. })));
		assert_eq!(session.poll_transmit(), Some(ToRelayer::Leave.to_frame()));
		assert!(session.pursues());
		assert!(session.end_chunks(id, true).is_err());
		if !overtakes {
			session.pursue(&all);
		}
		assert!(!session.pursues());
		assert!(matches!(session.take_evidence(), Some(Evidence::Fraud(_))));
	}
}

#[test]
fn commitment_is_never_the_one_before() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let (first, second) = (broadcast.segment(&[1; 100]), broadcast.segment(&[2; 100]));
	show(&mut session, &first).unwrap();
	send(&mut session, honest(&first, 1)).unwrap();
	show(&mut session, &second).unwrap();
	let again = Fault::BadReceipt {
		window: second.id(),
		reason: ReceiptFault::Commitment,
	};
	assert_eq!(send(&mut session, honest(&second, 1)), Err(again));
}

#[test]
fn window_that_no_ticket_can_pay_is_refused() {
	// A unit costs 131.072, two of them 262.144.
	let terms = Terms {
		mode: PaymentMode::Tickets { face_value: 262 },
		..fixture::terms()
	};
	let answer = |bytes: usize| {
		let window = Broadcast::default().segment(&vec![1; bytes]);
		show(&mut offered(fixture::viewer_config(), Some(terms.clone())), &window)
	};
	let id = Broadcast::default().next;
	assert_eq!(answer(UNIT), Ok(()));
	assert_eq!(answer(UNIT + 1), Err(Fault::Unpayable(id)));
}

#[test]
fn messages_out_of_turn_are_refused() {
	let window = Broadcast::default().segment(&[1; 10]);
	let unexpected = |session: &mut ViewerSession, message: ToViewer| {
		let kind = message.kind();
		assert_eq!(send(session, message), Err(Fault::Unexpected(kind)));
	};
	let init = || ToViewer::Init(window.init().clone());
	let status = || ToViewer::Status(Box::new(fixture::status(1, State::Live)));
	let paid = || ToViewer::Paid(Hash([1; 32]));
	let before_terms = [init(), paid(), status(), catalog_of(&window), history_before(&window)];
	for message in before_terms {
		unexpected(&mut subscribed(fixture::viewer_config()), message);
	}
	let mut new = subscribed(fixture::viewer_config());
	assert_eq!(
		new.handle(&window.announcement(true)),
		Err(Fault::Unexpected(Kind::Pushed))
	);
	let early = subscribed(fixture::viewer_config()).begin_chunks(&window.range().encode().try_into().unwrap());
	assert_eq!(early, Ok(Taken::NotYet), "chunks may overtake all words");
	// Terms for who has not subscribed, and a second challenge.
	let mut silent = ViewerSession::new(fixture::viewer_config());
	unexpected(&mut silent, ToViewer::Terms(Some(fixture::terms())));
	for session in [&mut subscribed(fixture::viewer_config()), &mut paying(), &mut free()] {
		unexpected(session, ToViewer::Challenge(CHALLENGE));
	}
	unexpected(&mut free(), ToViewer::Terms(None));
	unexpected(&mut free(), honest(&window, 1));
	unexpected(&mut paying(), honest(&window, 1));
	unexpected(&mut paying(), paid());
	for message in [&init as &dyn Fn() -> ToViewer, &|| catalog_of(&window), &|| {
		history_before(&window)
	}] {
		let mut twice = free();
		send(&mut twice, message()).unwrap();
		unexpected(&mut twice, message());
	}
	let mut receipted = free();
	show(&mut receipted, &window).unwrap();
	unexpected(&mut receipted, history_before(&window));
	// "Paid" before a ticket was sent.
	let mut session = paying();
	show(&mut session, &window).unwrap();
	send(&mut session, honest(&window, 1)).unwrap();
	unexpected(&mut session, paid());
	let ended = || {
		let mut session = free();
		send(&mut session, ToViewer::End(EndReason::Finished)).unwrap();
		session
	};
	unexpected(&mut ended(), ToViewer::End(EndReason::Finished));
	unexpected(&mut ended(), status());
}

#[test]
fn nothing_is_paid_or_sent_after_a_fault() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let first = broadcast.segment(&[1; 100]);
	show(&mut session, &first).unwrap();
	send(&mut session, honest(&first, 1)).unwrap();
	let due = match std::iter::from_fn(|| session.poll_event()).last() {
		Some(Event::PaymentDue(due)) => due,
		other => panic!("{other:?}"),
	};
	let bad = broadcast.segment(&[2; 100]);
	session.handle(&bad.announcement(true)).unwrap();
	let fault = give(&mut session, bad.range(), &[3; 100]).unwrap_err();
	assert!(matches!(fault, Fault::BadChunk { index: 0, .. }));
	assert_eq!(session.pay(&due, Payment::Ticket(ticket(&due))), Err(NotDue::Faulted));
	// But that it wants the receipt which may convict.
	assert_eq!(session.poll_transmit(), Some(ToRelayer::Leave.to_frame()));
	assert_eq!(session.poll_transmit(), None);
	assert_eq!(session.handle(&[]), Err(fault.clone()));
	assert_eq!(session.finish(), Err(fault));

	// A payment that was due and not polled is gone; the window verified before it is not.
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let first = broadcast.segment(&[1; 100]);
	show(&mut session, &first).unwrap();
	send(&mut session, honest(&first, 1)).unwrap();
	session.handle(&bad.announcement(true)).unwrap();
	give(&mut session, bad.range(), &[3; 100]).unwrap_err();
	assert_eq!(drain(&mut session), (vec![first.id()], None));
}

#[test]
fn rejected_are_the_bytes_behind_the_last_whole_message_and_chunk() {
	let mut broadcast = Broadcast::default();
	let (first, second) = (broadcast.segment(&[1; 100]), broadcast.segment(&[2; 40_000]));
	let mut session = expecting(&first);
	bring(&mut session, &first).unwrap();
	let frame = second.announcement(true);
	session.handle(&frame[..300]).unwrap();
	assert_eq!(session.rejected_bytes(), 0);
	let mut bent = frame.to_vec();
	bent[299] ^= 1;
	let mut other = expecting(&first);
	bring(&mut other, &first).unwrap();
	other.handle(&bent).unwrap_err();
	assert_eq!(other.rejected_bytes(), frame.len() as u64);
	session.handle(&frame[300..]).unwrap();
	let mut data = second.data().to_vec();
	data[39_000] ^= 1;
	give(&mut session, second.range(), &data).unwrap_err();
	// None of its chunks was looked at before.
	assert_eq!(session.rejected_bytes(), 40_000);
}

#[test]
fn stream_cut_inside_a_message_or_a_chunk_is_a_fault() {
	let window = Broadcast::default().segment(&[1; 40_000]);
	let mut session = expecting(&window);
	assert_eq!(session.finish(), Ok(()));
	session.handle(&window.announcement(true)[..250]).unwrap();
	let cut = Fault::Wire(WireError::Truncated(Some(Kind::Pushed)));
	assert_eq!(session.finish(), Err(cut.clone()));
	for length in [0, 1, CHUNK - 1, CHUNK + 1, 39_999] {
		let mut session = expecting(&window);
		session.handle(&window.announcement(true)).unwrap();
		let answer = give(&mut session, window.range(), &window.data()[..length]);
		assert_eq!(answer, Err(cut.clone()), "{length}");
	}
	let mut session = expecting(&window);
	session.handle(&window.announcement(true)).unwrap();
	let more = [&window.data()[..], &[1]].concat();
	let answer = give(&mut session, window.range(), &more);
	assert_eq!(answer, Err(Fault::Wire(WireError::TrailingBytes(Kind::Pushed))));
}

/// A session paid by vouchers, and its first receipt's due.
fn by_voucher(newest: Option<SignedVoucher>) -> Result<ViewerSession, Fault> {
	let terms = Terms {
		mode: PaymentMode::Vouchers { newest },
		..fixture::terms()
	};
	let mut session = subscribed(fixture::viewer_config());
	send(&mut session, ToViewer::Terms(Some(terms)))?;
	Ok(session)
}

fn voucher(change: impl Fn(&mut Voucher)) -> SignedVoucher {
	let mut voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: Purpose::LIVE,
		context: Hash([0; 32]),
		terms: 3,
		amount: 900,
		bytes: 500_000,
		expiry: 600,
	};
	change(&mut voucher);
	fixture::session_key().sign(voucher, &GENESIS)
}

#[test]
fn window_is_paid_by_voucher_once() {
	let mut session = by_voucher(None).unwrap();
	session.poll_transmit();
	let window = Broadcast::default().segment(&fixture::media(100_499, 1));
	show(&mut session, &window).unwrap();
	send(&mut session, honest(&window, 1)).unwrap();
	let due = drain(&mut session).1.unwrap();
	// Two units, which cost 262.144 micro-USDC.
	let share = Share::Voucher {
		bytes: 131_072,
		amount: 262,
	};
	assert_eq!(due.share, share);
	let voucher = voucher(|_| {});
	session.pay(&due, Payment::Voucher(voucher.clone())).unwrap();
	let again = session.pay(&due, Payment::Voucher(voucher.clone()));
	assert_eq!(again, Err(NotDue::Receipt(due.commitment)));
	let frame = ToRelayer::Voucher(due.commitment, voucher).to_frame();
	assert_eq!(session.poll_transmit(), Some(frame));
	send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
}

#[test]
fn vouchers_are_only_asked_of_a_viewer_who_offers_them() {
	assert!(by_voucher(None).is_ok());
	let mut config = fixture::viewer_config();
	config.payment.as_mut().unwrap().vouchers = false;
	let terms = Terms {
		mode: PaymentMode::Vouchers { newest: None },
		..fixture::terms()
	};
	let answer = send(&mut subscribed(config), ToViewer::Terms(Some(terms)));
	assert_eq!(answer, Err(Fault::VouchersAsked));
}

#[test]
fn voucher_that_is_shown_must_be_the_sessions_own() {
	let shown = |voucher| by_voucher(Some(voucher)).err();
	assert_eq!(shown(voucher(|_| {})), None);
	assert_eq!(shown(voucher(|v| v.sender.0[0] ^= 1)), Some(Fault::BadVoucher));
	assert_eq!(shown(voucher(|v| v.session.0[0] ^= 1)), Some(Fault::BadVoucher));
	assert_eq!(shown(voucher(|v| v.recipient.0[0] ^= 1)), Some(Fault::BadVoucher));
	assert_eq!(shown(voucher(|v| v.stream.0 += 1)), Some(Fault::BadVoucher));
	assert_eq!(shown(voucher(|v| v.terms += 1)), Some(Fault::BadVoucher));
	let mut forged = voucher(|_| {});
	forged.message.amount += 1;
	assert_eq!(shown(forged), Some(Fault::BadVoucher));
}

#[test]
fn window_below_the_next_micro_usdc_is_counted_with_the_next() {
	let (mut session, mut broadcast) = (subscribed(fixture::viewer_config()), Broadcast::default());
	// 0.4 micro-USDC for a unit.
	let terms = Terms {
		mode: PaymentMode::Vouchers { newest: None },
		price_per_gb: 6_104,
		..fixture::terms()
	};
	send(&mut session, ToViewer::Terms(Some(terms))).unwrap();
	let shares: Vec<_> = [65_536, 65_537, 1, 65_535, 65_536]
		.into_iter()
		.zip(1..)
		.map(|(bytes, serial)| {
			let window = broadcast.segment(&vec![1; bytes]);
			show(&mut session, &window).unwrap();
			let receipt = Receipt {
				price: 6_104,
				..receipt(&window, serial)
			};
			send(&mut session, signed(receipt, &[whole(&window)])).unwrap();
			let due = drain(&mut session).1?;
			session.pay(&due, Payment::Voucher(voucher(|_| {}))).unwrap();
			send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
			Some(due.share)
		})
		.collect();
	let share = |units: u64| {
		Some(Share::Voucher {
			bytes: 65_536 * units,
			amount: 1,
		})
	};
	assert_eq!(shares, [None, share(3), None, None, share(2)]);
}

/// What a paid session finds against a relayer that announces the window with this frame, brings this data, and says this behind
/// it.
fn convict(window: &EncodedWindow, frame: &[u8], data: &[u8], behind: &[ToViewer], piece: usize) -> Option<Evidence> {
	let mut session = paying();
	prepare(&mut session, window).unwrap();
	let say = |session: &mut ViewerSession, bytes: &[u8]| {
		for part in bytes.chunks(piece) {
			match session.fault() {
				None => drop(session.handle(part)),
				Some(_) => session.pursue(part),
			}
		}
	};
	say(&mut session, frame);
	if let Ok(Taken::As(id)) = session.begin_chunks(&window.range().encode().try_into().unwrap()) {
		data.chunks(piece).for_each(|part| drop(session.chunks(id, part)));
		let _ = session.end_chunks(id, true);
	}
	let behind: Vec<u8> = behind.iter().flat_map(|message| message.to_frame()).collect();
	say(&mut session, &behind);
	assert!(session.fault().is_some() && session.poll_event().is_some());
	assert!(drain(&mut session).1.is_none());
	let evidence = session.take_evidence();
	assert_eq!(session.take_evidence(), None);
	evidence
}

/// A window in chunks of this size, its data with one wrong byte in this one, and what a relayer that signs for it
/// says that it delivered.
fn bent(chunk: usize, chunk_log2: u8) -> (EncodedWindow, Vec<u8>, Delivered) {
	let mut broadcast = Broadcast {
		chunk_log2,
		..Broadcast::default()
	};
	let window = broadcast.segment(&fixture::media(400_000, 1));
	let mut data = window.data().to_vec();
	data[chunk << chunk_log2] ^= 1;
	let delivery = Delivered {
		delivered: merkle::root(&merkle::leaves(&data, chunk_log2)),
		..whole(&window)
	};
	(window, data, delivery)
}

/// A receipt for these, changed.
fn receipt_for(window: &EncodedWindow, deliveries: &[Delivered], change: impl Fn(&mut Receipt)) -> ToViewer {
	let mut receipt = Receipt {
		root: deliveries_root(deliveries),
		..receipt(window, 1)
	};
	change(&mut receipt);
	signed(receipt, deliveries)
}

fn fraud(evidence: Option<Evidence>) -> ChunkFraud {
	match evidence {
		Some(Evidence::Fraud(fraud)) => *fraud,
		other => panic!("{other:?}"),
	}
}

#[test]
fn relayer_that_signs_for_a_bad_chunk_is_convicted() {
	for (chunk, chunk_log2, piece) in [
		(0, 14, 1 << 20),
		(3, 14, 1_000),
		(11, 14, 40_000),
		(24, 14, 16_384),
		(0, 12, 4_096),
		(50, 12, 1 << 20),
		(97, 12, 30_000),
		(0, 16, 70_000),
		(6, 16, 5_000),
	] {
		let (window, data, delivery) = bent(chunk, chunk_log2);
		let receipt = receipt_for(&window, &[delivery], |_| {});
		let fraud = fraud(convict(&window, &window.announcement(true), &data, &[receipt], piece));
		assert_eq!((fraud.index as usize, fraud.check()), (chunk, Ok(())));
		assert_eq!((fraud.delivery, &fraud.header), (delivery, window.header()));
		assert_eq!(fraud.receipt.verify(&fixture::relayer_key().public(), &GENESIS), Ok(()));
		let payer = PayerOpening {
			salt: CHALLENGE,
			account: fixture::SENDER,
			session: fixture::session_key().public(),
		};
		assert_eq!(fraud.payer, payer);
	}
}

#[test]
fn neither_other_deliveries_nor_words_between_save_who_signed() {
	let (window, data, delivery) = bent(3, 14);
	let mut broadcast = Broadcast::default();
	broadcast.next.segment += 1;
	let other = whole(&broadcast.segment(&[1; 10]));
	for deliveries in [vec![other, delivery], vec![whole(&window), other, delivery, other]] {
		let receipt = receipt_for(&window, &deliveries, |_| {});
		let fraud = fraud(convict(&window, &window.announcement(true), &data, &[receipt], 30_000));
		assert_eq!((fraud.index, fraud.delivery, fraud.check()), (3, delivery, Ok(())));
	}
	let status = ToViewer::Status(Box::new(fixture::status(1, State::Live)));
	let receipt = || receipt_for(&window, &[delivery], |_| {});
	fraud(convict(
		&window,
		&window.announcement(true),
		&data,
		&[status, receipt()],
		30_000,
	));
	// What a viewer would not pay for is evidence still.
	for change in [
		|r: &mut Receipt| r.bytes += 1,
		|r: &mut Receipt| r.price += 1,
		|r: &mut Receipt| r.block = 0,
	] {
		let receipt = receipt_for(&window, &[delivery], change);
		assert_eq!(
			fraud(convict(&window, &window.announcement(true), &data, &[receipt], 30_000)).check(),
			Ok(())
		);
	}
	// Behind anything else no receipt is awaited.
	let end = ToViewer::End(EndReason::Finished);
	assert_eq!(
		convict(&window, &window.announcement(true), &data, &[end, receipt()], 30_000),
		None
	);
}

#[test]
fn receipt_that_shows_nothing_convicts_nobody() {
	let (window, data, delivery) = bent(3, 14);
	let found = |receipt: ToViewer| convict(&window, &window.announcement(true), &data, &[receipt], 30_000);
	let (chunks, root) = (window.header().chunks, window.header().root);
	let other = |change: &dyn Fn(&mut Delivered)| {
		let mut delivery = delivery;
		change(&mut delivery);
		found(receipt_for(&window, &[delivery], |_| {}))
	};
	assert!(other(&|_| {}).is_some());
	// The broadcaster's root, a third one, another header, another range.
	assert_eq!(other(&|d| d.delivered = root), None);
	assert_eq!(other(&|d| d.delivered.0[0] ^= 1), None);
	assert_eq!(other(&|d| d.header.0[0] ^= 1), None);
	assert_eq!(other(&|d| d.first = 1), None);
	assert_eq!(other(&|d| d.count = chunks - 1), None);
	assert_eq!(other(&|d| (d.first, d.count) = (1, chunks - 1)), None);
	assert_eq!(found(receipt_for(&window, &[], |_| {})), None);

	let changed = |change: fn(&mut Receipt)| found(receipt_for(&window, &[delivery], change));
	assert_eq!(changed(|r| r.kind = Purpose::REPAIR), None);
	assert_eq!(changed(|r| r.payer.0[0] ^= 1), None);
	assert_eq!(changed(|r| r.root.0[0] ^= 1), None);
	assert_eq!(changed(|r| r.key.0[0] ^= 1), None);
	let ToViewer::Receipt(mut forged, deliveries) = receipt_for(&window, &[delivery], |_| {}) else {
		panic!("no receipt");
	};
	forged.signature = fixture::session_key().sign(forged.message.clone(), &GENESIS).signature;
	assert_eq!(found(ToViewer::Receipt(forged, deliveries)), None);
}

#[test]
fn hidden_leaves_are_completed_by_an_honest_relayer() {
	for (chunk, chunk_log2) in [(5, 14), (60, 12), (5, 16)] {
		let (window, data, delivery) = bent(chunk, chunk_log2);
		let mut frame = window.announcement(true).to_vec();
		frame[LEAVES + chunk * 32] ^= 1;
		let receipt = receipt_for(&window, &[delivery], |_| {});
		let suspicion: Suspicion = match convict(&window, &frame, &data, &[receipt], 9_999) {
			Some(Evidence::Suspicion(suspicion)) => *suspicion,
			other => panic!("{other:?}"),
		};
		assert_eq!(suspicion.window(), window.id());
		let fraud = suspicion.complete(&window).unwrap();
		assert_eq!((fraud.index as usize, fraud.check()), (chunk, Ok(())));
		let other = Broadcast::default().segment(&fixture::media(400_000, 2));
		assert_eq!(suspicion.complete(&other), None);
	}
	// Leaves that are wrong while the relayer signs for what is right.
	let (window, _, _) = bent(5, 14);
	let mut frame = window.announcement(true).to_vec();
	frame[LEAVES] ^= 1;
	assert_eq!(
		convict(&window, &frame, &window.data(), &[honest(&window, 1)], 9_999),
		None
	);
}

#[test]
fn second_header_for_a_place_is_equivocation() {
	let (first, second) = (
		Broadcast::default().segment(&[1; 100]),
		Broadcast::default().segment(&[2; 100]),
	);
	let mut witness = Witness::default();
	assert_eq!(witness.note(first.signed_header()), None);
	assert_eq!(witness.note(first.signed_header()), None);
	let evidence = witness.note(second.signed_header()).unwrap();
	assert_eq!(evidence.check(), Ok(()));
	// A session that refuses the fork still shows its header.
	let mut broadcast = Broadcast::default();
	let mut session = free();
	show(&mut session, &broadcast.segment(&[1; 100])).unwrap();
	broadcast.history = foreign_history(1);
	let fork = broadcast.segment(&[3; 100]);
	assert_eq!(show(&mut session, &fork), Err(Fault::BrokenChain(fork.id())));
	assert_eq!(session.header(), Some(fork.signed_header()));
}

#[test]
fn second_status_or_catalog_of_a_number_is_equivocation() {
	let mut witness = Witness::default();
	let live = fixture::status(1, State::Live).status;
	assert_eq!(witness.note_status(&live), None);
	assert_eq!(witness.note_status(&live), None);
	assert_eq!(witness.note_status(&fixture::status(2, State::Idle).status), None);
	let evidence = witness.note_status(&fixture::status(1, State::Idle).status).unwrap();
	assert_eq!(evidence.check(), Ok(()));
	let seal = |tracks: &[TrackId], number| fixture::catalog(tracks, b"init", number).seal;
	assert_eq!(witness.note_catalog(&seal(&[0], 0)), None);
	assert_eq!(witness.note_catalog(&seal(&[0], 0)), None);
	assert_eq!(witness.note_catalog(&seal(&[0, 1], 1)), None);
	let evidence = witness.note_catalog(&seal(&[0, 1], 0)).unwrap();
	assert_eq!(evidence.check(), Ok(()));
}

#[test]
fn mode_and_counter_change_between_windows_and_the_price_falls_and_nothing_else_does() {
	let vouchers = || Terms {
		mode: PaymentMode::Vouchers { newest: None },
		counter: 4,
		..fixture::terms()
	};
	let state = |session: &mut ViewerSession, terms| send(session, ToViewer::Terms(terms));
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let mut found = Vec::new();
	for (serial, terms) in [None, Some(vouchers()), Some(fixture::terms())].into_iter().enumerate() {
		if let Some(terms) = terms {
			state(&mut session, Some(terms)).unwrap();
		}
		let window = broadcast.segment(&fixture::media(100_000, 1));
		show(&mut session, &window).unwrap();
		send(&mut session, honest(&window, serial as u8)).unwrap();
		let due = drain(&mut session).1.unwrap();
		let payment = match due.share {
			Share::Ticket { .. } => Payment::Ticket(ticket(&due)),
			Share::Voucher { .. } => Payment::Voucher(voucher(|_| {})),
		};
		session.pay(&due, payment).unwrap();
		send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
		found.push((matches!(due.share, Share::Voucher { .. }), due.share.bytes(), due.terms));
	}
	// Each is two units; of the first one 31,072 bytes, of the second 62,144 are ahead, and of the third window the rest.
	assert_eq!(found, [(false, 131_072, 3), (true, 131_072, 4), (false, 65_536, 3)]);

	let unexpected = Err(Fault::Unexpected(Kind::Terms));
	for change in [
		|t: &mut Terms| t.price_per_gb += 1,
		|t: &mut Terms| t.credit += 1,
		|t: &mut Terms| t.recipient.0[0] ^= 1,
	] {
		let mut terms = vouchers();
		change(&mut terms);
		assert_eq!(state(&mut paying(), Some(terms)), unexpected);
	}
	assert_eq!(state(&mut paying(), None), unexpected);
	assert_eq!(state(&mut free(), Some(vouchers())), unexpected);
	assert_eq!(state(&mut free(), None), unexpected);
	// What is refused at first is refused later.
	let dear = Terms {
		mode: PaymentMode::Tickets {
			face_value: fixture::viewer_config().payment.unwrap().max_face_value + 1,
		},
		..fixture::terms()
	};
	assert!(matches!(state(&mut paying(), Some(dear)), Err(Fault::FaceValue { .. })));
}

/// Both sides count the same: see `price_falls_for_what_is_delivered_from_then_on` of the relayer.
#[test]
fn price_falls_for_the_windows_that_follow() {
	let terms = |price_per_gb| {
		Some(Terms {
			mode: PaymentMode::Vouchers { newest: None },
			price_per_gb,
			..fixture::terms()
		})
	};
	let mut session = offered(fixture::viewer_config(), terms(2_000_000));
	let (mut broadcast, mut found) = (Broadcast::default(), Vec::new());
	for (serial, price) in [2_000_000, 1_000_000, 1_000_000].into_iter().enumerate() {
		if serial == 1 {
			send(&mut session, ToViewer::Terms(terms(price))).unwrap();
		}
		let window = broadcast.segment(&[1; UNIT]);
		show(&mut session, &window).unwrap();
		let priced = Receipt {
			price,
			..receipt(&window, serial as u8)
		};
		send(&mut session, signed(priced, &[whole(&window)])).unwrap();
		let due = drain(&mut session).1.unwrap();
		session.pay(&due, Payment::Voucher(voucher(|_| {}))).unwrap();
		send(&mut session, ToViewer::Paid(due.commitment)).unwrap();
		found.push((due.price_per_gb, due.share));
	}
	let share = |amount| Share::Voucher {
		bytes: UNIT as u64,
		amount,
	};
	assert_eq!(
		found,
		[(2_000_000, share(131)), (1_000_000, share(65)), (1_000_000, share(66))]
	);
}

#[test]
fn surge_is_the_price_in_parts_of_the_baseline() {
	let surge = |baseline| fixture::terms().surge_ppm(baseline);
	assert_eq!(fixture::terms().price_per_gb, 2_000_000);
	assert_eq!(
		(surge(2_000_000), surge(1_000_000), surge(3_000_000)),
		(1_000_000, 2_000_000, 666_666)
	);
	assert_eq!(surge(0), 2_000_000_000_000);
}

/// The window's announcement alone: as it is handed out.
fn announced(session: &mut ViewerSession, window: &EncodedWindow) -> Arc<Announced> {
	prepare(session, window).unwrap();
	session.handle(&window.announcement(true)).unwrap();
	let events = core::iter::from_fn(|| session.poll_event());
	let mut announced = events.filter_map(|event| match event {
		Event::Announced(of) => Some(of),
		_ => None,
	});
	announced.next().unwrap()
}

#[test]
fn what_two_sources_announce_alike_is_in_memory_once() {
	let mut broadcast = Broadcast::default();
	let [one, two] = [1, 2].map(|seed| broadcast.segment(&fixture::media(UNIT, seed)));
	let (mut first, mut second) = (free(), free());
	let of = announced(&mut first, &one);
	let [same, other] = [&one, &two].map(|window| announced(&mut second, window));
	let before = Arc::strong_count(&other);
	second.share(&of);
	assert_eq!((Arc::strong_count(&same), Arc::strong_count(&other)), (1, before));
	// It is put together as it was.
	give(&mut second, one.range(), &one.data()).unwrap();
	assert_eq!(drain(&mut second).0, [one.id()]);
}
