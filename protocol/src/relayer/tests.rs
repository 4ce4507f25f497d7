//! The serving side: who is let in, what is sent in which order, and what is owed.

mod open;

use super::*;
use crate::{
	fixture::{self, Broadcast, CHALLENGE, GENESIS, STREAM},
	meter::Share,
	routes::{behind, below_origin},
	wire::{Kind, Payer},
};
use clustercast_primitives::{
	amount::{self, TICKET_BYTES},
	receipt::{self, SignedReceipt},
	status::State as Standing,
	subscribe::{SignedSubscription, Tracks},
	Delivery, Ticket,
};
use codec::{DecodeAll, Encode};

/// Of a window that takes a ticket of one unit, to the byte.
const UNIT: usize = TICKET_BYTES as usize;

fn tracks(ids: &[u16]) -> Tracks {
	ids.to_vec().try_into().unwrap()
}

fn subscribe(payer: Option<Payer>) -> Subscribe {
	Subscribe {
		genesis: GENESIS,
		stream: STREAM,
		tracks: tracks(&[0]),
		start: Start::Live,
		follow: Follow::Windows,
		payer,
	}
}

fn after(window: &EncodedWindow) -> Cursor {
	Cursor::After {
		id: window.id(),
		header: window.hash(),
	}
}

fn new() -> RelayerSession {
	RelayerSession::new(GENESIS, CHALLENGE, vec![fixture::binding()])
}

fn subscribed(subscribe: Subscribe) -> RelayerSession {
	let mut session = new();
	assert_eq!(kinds(&mut session), [Kind::Challenge]);
	session
		.handle(&ToRelayer::Subscribe(subscribe.clone()).to_frame())
		.unwrap();
	assert_eq!(session.poll_event(), Some(Event::Subscribed(subscribe)));
	session
}

fn serving() -> RelayerSession {
	let mut session = subscribed(subscribe(Some(fixture::payer())));
	session.accept(fixture::terms(), fixture::signer()).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	session
}

/// Serves for nothing.
fn free() -> RelayerSession {
	let mut session = subscribed(subscribe(None));
	session.accept_free().unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	session
}

/// Writes what is queued, and the viewer has it.
fn send_all(session: &mut RelayerSession) -> Vec<Range> {
	let mut ranges = Vec::new();
	while let Some(outgoing) = session.poll_sending() {
		assert_eq!(session.sent(outgoing.id(), outgoing.chunks()), None);
		session.arrived(outgoing.id());
		ranges.push(outgoing.range());
	}
	ranges
}

/// Kinds of all frames that wait, taken out; chunks are sent where they are queued.
fn kinds(session: &mut RelayerSession) -> Vec<Kind> {
	let known = [
		Kind::Challenge,
		Kind::Terms,
		Kind::Catalog,
		Kind::Init,
		Kind::History,
		Kind::Status,
		Kind::Pushed,
		Kind::Offered,
		Kind::Lacks,
		Kind::Receipt,
		Kind::Paid,
		Kind::Waiting,
		Kind::Seats,
		Kind::Route,
		Kind::Others,
		Kind::End,
	];
	let mut kinds = Vec::new();
	loop {
		let frames = std::iter::from_fn(|| session.poll_transmit());
		kinds.extend(frames.map(|frame| known.into_iter().find(|k| *k as u8 == frame[4]).unwrap()));
		if send_all(session).is_empty() {
			return kinds;
		}
	}
}

fn ticket(expectation: &Expectation) -> Bytes {
	let Share::Ticket {
		bytes,
		face_value,
		win_probability,
	} = expectation.share
	else {
		panic!("{expectation:?}");
	};
	let ticket = Ticket {
		sender: expectation.payer.account,
		session: expectation.payer.key,
		recipient: fixture::RECIPIENT,
		stream: expectation.window.stream,
		kind: expectation.kind,
		context: expectation.context,
		bytes,
		face_value,
		win_probability,
		commitment: expectation.commitment,
		nonce: 0,
		expiry: 120,
	};
	ToRelayer::Ticket(fixture::session_key().sign(ticket, &GENESIS)).to_frame()
}

#[test]
fn delivers_within_credit_and_goes_on_when_paid() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; UNIT])).collect();
	assert_eq!(
		session.wants(),
		Some(Cursor::Live {
			stream: STREAM,
			track: 0
		})
	);
	let first = session.deliver(&windows[0]).unwrap().unwrap();
	assert_eq!(
		kinds(&mut session),
		[Kind::Catalog, Kind::Init, Kind::History, Kind::Pushed, Kind::Receipt]
	);
	assert_eq!(session.wants(), Some(after(&windows[0])));
	let second = session.deliver(&windows[1]).unwrap().unwrap();
	assert_eq!(kinds(&mut session), [Kind::Pushed, Kind::Receipt]);
	assert_ne!(first.commitment, second.commitment);

	assert_eq!(session.wants(), None);
	assert_eq!(
		session.deliver(&windows[2]),
		Err(SessionError::NotWanted(windows[2].id()))
	);
	let not_owed = Err(SessionError::NotOwed(first.commitment));
	assert_eq!(session.paid(first.commitment), not_owed, "nothing came for it");
	session.handle(&ticket(&first)).unwrap();
	assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));
	assert_eq!(session.wants(), None);
	session.paid(first.commitment).unwrap();
	assert_eq!(session.paid(first.commitment), not_owed, "it was paid before");
	assert_eq!(kinds(&mut session), [Kind::Paid]);
	assert_eq!(session.unpaid(), [second.commitment]);
	assert_eq!(session.wants(), Some(after(&windows[1])));
	assert!(session.deliver(&windows[2]).is_ok());
}

/// The fault: a window that waited behind a slow viewer's line was a debt of the viewer, who never had a byte of it.
#[test]
fn what_was_never_sent_is_told_from_what_was() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let windows: Vec<_> = (0..2).map(|i| broadcast.segment(&[i; UNIT])).collect();
	let first = session.deliver(&windows[0]).unwrap().unwrap();
	while session.poll_transmit().is_some() {}
	assert_eq!(session.unsent(), [first.commitment]);
	let outgoing = session.poll_sending().unwrap();
	assert!(session.unsent().is_empty(), "its first byte counts");
	session.sent(outgoing.id(), outgoing.chunks());
	while session.poll_transmit().is_some() {}
	let second = session.deliver(&windows[1]).unwrap().unwrap();
	session.end(EndReason::NotServed);
	assert_eq!(session.unpaid().len(), 2);
	assert_eq!(session.unsent(), [second.commitment]);
}

/// What a paid session sends for this window, the receipt last.
fn receipt_of(
	session: &mut RelayerSession,
	window: &EncodedWindow,
) -> (Option<Expectation>, SignedReceipt, Deliveries) {
	let expectation = session.deliver(window).unwrap();
	send_all(session);
	let frame = std::iter::from_fn(|| session.poll_transmit()).last().unwrap();
	let (signed, deliveries) = DecodeAll::decode_all(&mut &frame[5..]).unwrap();
	(expectation, signed, deliveries)
}

#[test]
fn receipt_and_expectation_say_the_same() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let window = broadcast.segment(&fixture::media(30_000, 1));
	let (expectation, signed, deliveries) = receipt_of(&mut session, &window);
	let expectation = expectation.unwrap();
	assert_eq!(signed.verify(&fixture::relayer_key().public(), &GENESIS), Ok(()));
	let whole = Delivery {
		header: window.header().hash(),
		first: 0,
		count: 2,
		delivered: window.header().root,
	};
	assert_eq!(deliveries[..], [whole]);
	let receipt = Receipt {
		kind: receipt::Kind::LIVE,
		context: Hash([0; 32]),
		payer: payer(&CHALLENGE, &fixture::SENDER, &fixture::session_key().public()),
		payee: fixture::RECIPIENT,
		key: fixture::relayer_key().public(),
		stream: STREAM,
		root: whole.leaf(),
		bytes: 30_000,
		price: 2_000_000,
		commitment: expectation.commitment,
		block: fixture::HEAD,
	};
	assert_eq!(signed.message, receipt);
	assert_eq!(ticket::commitment(&expectation.rand), expectation.commitment);
	assert_eq!(
		(expectation.payer, expectation.window),
		(fixture::session(), window.id())
	);
	assert_eq!((expectation.kind, expectation.context), (receipt.kind, receipt.context));
	assert_eq!(expectation.terms, 3);
	// 30,000 bytes, rounded up to a unit.
	let share = Share::Ticket {
		bytes: 65_536,
		face_value: 50_000,
		win_probability: amount::win_probability(65_536, 2_000_000, 50_000).unwrap(),
	};
	assert_eq!(expectation.share, share);
}

/// A session with a receipt for each three windows of a unit, and credit for five.
fn serving_intervals() -> RelayerSession {
	let mut session = subscribed(subscribe(Some(fixture::payer())));
	let terms = Terms {
		credit: 5 * UNIT as u32,
		interval: 3 * UNIT as u32,
		..fixture::terms()
	};
	session.accept(terms, fixture::signer()).unwrap();
	kinds(&mut session);
	session
}

#[test]
fn receipt_is_for_all_windows_of_an_interval_and_its_payment_grows_with_each() {
	let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
	let windows: Vec<_> = (0..3).map(|i| broadcast.segment(&[i; UNIT])).collect();
	let quoted: Vec<_> = windows[..2]
		.iter()
		.map(|window| {
			let quoted = session.deliver(window).unwrap().unwrap();
			assert_eq!(kinds(&mut session).last(), Some(&Kind::Pushed), "no receipt");
			quoted
		})
		.collect();
	let (last, signed, deliveries) = receipt_of(&mut session, &windows[2]);
	let last = last.unwrap();
	assert!(quoted.iter().all(|quoted| quoted.commitment == last.commitment));
	let bytes: Vec<_> = quoted.iter().chain([&last]).map(|q| q.share.bytes()).collect();
	assert_eq!(bytes, [UNIT as u64, 2 * UNIT as u64, 3 * UNIT as u64]);
	assert_eq!(
		(signed.message.bytes, signed.message.commitment),
		(3 * UNIT as u64, last.commitment)
	);
	let expected: Vec<_> = windows.iter().map(|window| window.piece().delivery).collect();
	assert_eq!(deliveries[..], expected);
	assert_eq!(signed.message.root, deliveries_root(&expected));
	let next = session.deliver(&broadcast.segment(&[4; UNIT])).unwrap().unwrap();
	assert_ne!(next.commitment, last.commitment);
}

#[test]
fn nobody_waits_where_credit_ends_before_the_interval_or_more_is_wanted_than_there_is() {
	let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
	let first = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
	kinds(&mut session);
	let large = broadcast.segment(&[2; 4 * UNIT + 1]);
	assert_eq!(session.quote(&large, &large.range()), Ok(Quote::TooMuch));
	assert_eq!(session.deliver(&large), Err(SessionError::NotWanted(large.id())));
	session.settle();
	session.settle();
	assert_eq!(kinds(&mut session), [Kind::Receipt]);
	assert!(session.awaits_payment());
	session.handle(&ticket(&first)).unwrap();
	assert!(!session.awaits_payment());
	session.paid(first.commitment).unwrap();
	// Larger than the credit where nothing is owed.
	let huge = broadcast.segment(&[3; 6 * UNIT]);
	assert!(matches!(session.quote(&huge, &huge.range()), Ok(Quote::Owed(_))));
	kinds(&mut session);
	session.deliver(&huge).unwrap();
	assert_eq!((session.owed(), session.wants()), (6 * UNIT as u64, None));
}

#[test]
fn no_receipt_is_for_more_than_one_ticket_can_be_worth() {
	let (mut session, mut broadcast) = (subscribed(subscribe(Some(fixture::payer()))), Broadcast::default());
	let terms = Terms {
		// Of less than three units.
		mode: PaymentMode::Tickets { face_value: 300 },
		credit: 9 * UNIT as u32,
		interval: 9 * UNIT as u32,
		..fixture::terms()
	};
	session.accept(terms, fixture::signer()).unwrap();
	let mut receipts = 0;
	for _ in 0..6 {
		let window = broadcast.segment(&[1; UNIT]);
		if session.quote(&window, &window.range()) == Ok(Quote::TooMuch) {
			session.settle();
		}
		session.deliver(&window).unwrap();
		receipts += kinds(&mut session)
			.iter()
			.filter(|kind| **kind == Kind::Receipt)
			.count();
	}
	assert_eq!(receipts, 2);
}

#[test]
fn what_was_delivered_is_billed_before_other_terms_hold_and_to_who_leaves() {
	let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
	let by_ticket = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
	kinds(&mut session);
	session.restate(PaymentMode::Vouchers { newest: None }, 4).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Receipt, Kind::Terms]);
	let by_voucher = session.deliver(&broadcast.segment(&[2; UNIT])).unwrap().unwrap();
	kinds(&mut session);
	session.handle(&ToRelayer::Leave.to_frame()).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Receipt]);
	assert_eq!(session.wants(), None);
	assert_eq!(session.unpaid(), [by_ticket.commitment, by_voucher.commitment]);
	session.handle(&ToRelayer::Leave.to_frame()).unwrap();
	assert!(kinds(&mut session).is_empty());
}

#[test]
fn receipts_state_the_newest_block() {
	let signer = fixture::signer();
	let mut session = subscribed(subscribe(Some(fixture::payer())));
	session.accept(fixture::terms(), signer.clone()).unwrap();
	let mut broadcast = Broadcast::default();
	let mut block = |session: &mut RelayerSession| {
		let (_, signed, _) = receipt_of(session, &broadcast.segment(&[1; 10]));
		signed.message.block
	};
	assert_eq!(block(&mut session), 50);
	signer.set_block(61);
	assert_eq!(block(&mut session), 61);
}

#[test]
fn window_that_is_paid_ahead_brings_a_receipt_and_asks_for_no_payment() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let mut commitments = Vec::new();
	for _ in 0..6 {
		let (expectation, signed, _) = receipt_of(&mut session, &broadcast.segment(&[1; 10_000]));
		assert_eq!(signed.message.bytes, 10_000);
		commitments.push(signed.message.commitment);
		// 60,000 of the first ticket's 65,536.
		assert_eq!(expectation.is_some(), commitments.len() == 1);
	}
	assert_eq!(session.unpaid(), commitments[..1]);
	assert!(commitments.windows(2).all(|pair| pair[0] != pair[1]));
	let seventh = session.deliver(&broadcast.segment(&[1; 10_000])).unwrap();
	assert_eq!(seventh.map(|due| due.share.bytes()), Some(65_536));
}

/// The attack: windows far smaller than a unit. Each ticket that never comes would bring several of them.
#[test]
fn what_an_unpaid_ticket_covers_counts_against_the_credit() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let mut sent = 0;
	while session.wants().is_some() && sent < 100 {
		let window = broadcast.segment(&[1; 10_000]);
		if session.quote(&window, &window.range()).unwrap() == Quote::TooMuch {
			break;
		}
		session.deliver(&window).unwrap();
		kinds(&mut session);
		send_all(&mut session);
		kinds(&mut session);
		sent += 1;
	}
	assert_eq!(
		(sent, session.owed()),
		(13, 130_000),
		"of 131,072 bytes ahead of payment"
	);
}

#[test]
fn slow_viewer_holds_few_windows() {
	let mut broadcast = Broadcast::default();
	let mut fill = |session: &mut RelayerSession, bytes: usize| {
		let mut delivered = 0;
		while session.wants().is_some() && delivered < 10 {
			session.deliver(&broadcast.segment(&vec![1; bytes])).unwrap();
			while session.poll_transmit().is_some() {}
			delivered += 1;
		}
		delivered
	};
	let large = 300 << 10;
	let mut slow = free();
	assert_eq!(fill(&mut slow, large), 2);
	let (first, second) = (slow.poll_sending().unwrap(), slow.poll_sending().unwrap());
	slow.sent(first.id(), first.chunks());
	assert_eq!(
		fill(&mut slow, large),
		0,
		"it is written, and the viewer does not have it"
	);
	slow.arrived(first.id());
	assert_eq!(fill(&mut slow, large), 1);
	// Which is not there before it is written.
	slow.arrived(second.id());
	assert_eq!(fill(&mut slow, large), 0);
	// Small ones are counted by bytes.
	assert_eq!(fill(&mut free(), 60 << 10), 9);
	// And what announces them waits as well.
	let mut deaf = free();
	let mut delivered = 0;
	while deaf.wants().is_some() {
		deaf.deliver(&broadcast.segment(&[1; 10])).unwrap();
		delivered += 1;
	}
	assert_eq!(delivered, 1);
}

#[test]
fn announcements_alone_take_no_credit_and_what_is_fetched_is_paid() {
	let mut subscribe = subscribe(Some(fixture::payer()));
	subscribe.follow = Follow::Announcements;
	let mut session = subscribed(subscribe);
	session.accept(fixture::terms(), fixture::signer()).unwrap();
	kinds(&mut session);
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..10)
		.map(|i| broadcast.segment(&fixture::media(100_000, i)))
		.collect();
	for window in &windows {
		assert_eq!(session.deliver(window), Ok(None));
		assert_eq!(kinds(&mut session).last(), Some(&Kind::Offered));
	}
	assert_eq!(session.owed(), 0);
	let fetch = Fetch {
		range: Range {
			first: 1,
			count: 2,
			..windows[3].range()
		},
		within_ms: 2_000,
	};
	session.handle(&ToRelayer::Fetch(fetch).to_frame()).unwrap();
	assert_eq!(session.poll_event(), Some(Event::Fetch(fetch)));
	assert!(session.may_send() && session.has_new(&windows[3], &fetch.range));
	let other = SessionError::NotWanted(windows[4].id());
	assert_eq!(session.send(&windows[4], &fetch), Err(other));
	let quoted = session.send(&windows[3], &fetch).unwrap().unwrap();
	assert!(!session.has_new(&windows[3], &fetch.range), "nothing is paid twice");
	let outgoing = session.poll_sending().unwrap();
	assert_eq!((outgoing.range(), outgoing.within_ms()), (fetch.range, Some(2_000)));
	let [prefix, data] = outgoing.rest();
	assert_eq!(
		(&prefix[..], data),
		(&fetch.range.encode()[..], windows[3].chunks(1, 2).unwrap())
	);
	assert_eq!(session.sent(outgoing.id(), 2), None);
	let frame = session.poll_transmit().unwrap();
	let (receipt, deliveries): (SignedReceipt, Deliveries) = DecodeAll::decode_all(&mut &frame[5..]).unwrap();
	let part = Piece::part(windows[3].header(), windows[3].hash(), windows[3].leaves(), 1, 2).unwrap();
	assert_eq!((receipt.message.bytes, &deliveries[..]), (32_768, &[part.delivery][..]));
	assert_eq!(receipt.message.commitment, quoted.commitment);
	// What is not there.
	session.lacks(&fetch.range);
	assert_eq!(kinds(&mut session), [Kind::Lacks]);
	// And windows again, from the next one on.
	session.handle(&ToRelayer::Follow(Follow::Windows).to_frame()).unwrap();
	session.deliver(&broadcast.segment(&[1; UNIT])).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Pushed, Kind::Receipt]);
}

/// Found by fuzzing: its first chunk was fetched before it came by itself, and both were the same place in the next receipt: what ended
/// first took away what was lent for the other, and more than the credit was owed.
#[test]
fn window_waits_for_the_receipt_of_what_was_fetched_of_it_before() {
	let mut session = serving();
	let window = Broadcast::default().segment(&fixture::media(100_000, 1));
	let fetch = Fetch {
		range: Range {
			count: 1,
			..window.range()
		},
		within_ms: 2_000,
	};
	session.handle(&ToRelayer::Fetch(fetch).to_frame()).unwrap();
	assert_eq!(session.poll_event(), Some(Event::Fetch(fetch)));
	session.send(&window, &fetch).unwrap();
	assert_eq!(session.owed(), 16_384);
	let waits = SessionError::NotWanted(window.id());
	assert_eq!(session.deliver(&window), Err(waits));
	assert_eq!(session.owed(), 16_384);
	session.settle();
	assert_eq!(kinds(&mut session), [Kind::Receipt]);
	let owed = session.owed();
	session.deliver(&window).unwrap();
	assert_eq!(session.owed(), owed + 100_000);
}

#[test]
fn no_more_is_fetched_than_is_answered() {
	let window = Broadcast::default().segment(&[1; 10]);
	let fetch = |count| {
		let range = Range {
			count,
			..window.range()
		};
		ToRelayer::Fetch(Fetch { range, within_ms: 1 }).to_frame()
	};
	let mut session = free();
	assert_eq!(session.handle(&fetch(0)), Err(SessionError::NothingFetched));
	let mut session = free();
	(0..MAX_FETCHES).for_each(|_| session.handle(&fetch(1)).unwrap());
	session.lacks(&window.range());
	session.handle(&fetch(1)).unwrap();
	assert_eq!(session.handle(&fetch(1)), Err(SessionError::TooManyFetches));
}

/// Writes so many bytes of what is sent next.
fn write(session: &mut RelayerSession, bytes: usize) -> Outgoing {
	let mut outgoing = session.poll_sending().unwrap();
	outgoing.advance(bytes);
	outgoing
}

#[test]
fn piece_ends_behind_the_chunk_that_was_begun_and_less_is_owed() {
	let chunk = 16 << 10;
	let owed = |written: usize| {
		let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
		let window = broadcast.segment(&fixture::media(3 * UNIT, 1));
		let quoted = session.deliver(&window).unwrap().unwrap();
		while session.poll_transmit().is_some() {}
		let mut outgoing = write(&mut session, written);
		session.handle(&ToRelayer::Cancel(window.range()).to_frame()).unwrap();
		assert_eq!(session.poll_event(), Some(Event::Cancel(window.range())));
		outgoing.cut();
		let [prefix, data] = outgoing.rest();
		outgoing.advance(prefix.len() + data.len());
		assert!(outgoing.is_over());
		let requoted = session.sent(outgoing.id(), outgoing.chunks());
		if let Some(Requote::Owed(less)) = &requoted {
			assert_eq!(less.commitment, quoted.commitment);
		}
		let kinds = kinds(&mut session);
		let bytes = |requoted: Requote| match requoted {
			Requote::Owed(expectation) => expectation.share.bytes(),
			Requote::Nothing(commitment) => {
				assert_eq!(commitment, quoted.commitment);
				0
			},
		};
		(outgoing.chunks(), session.owed(), requoted.map(bytes), kinds)
	};
	let unit = UNIT as u64;
	// Before anything of it went out: not even its stream is opened.
	assert_eq!(owed(0), (0, 0, Some(0), vec![Kind::Lacks]));
	assert_eq!(owed(1), (1, chunk, Some(unit), vec![Kind::Receipt]));
	assert_eq!(owed(40 + 1), (1, chunk, Some(unit), vec![Kind::Receipt]));
	assert_eq!(owed(40 + chunk as usize), (1, chunk, Some(unit), vec![Kind::Receipt]));
	assert_eq!(
		owed(40 + 5 * chunk as usize - 1),
		(5, 5 * chunk, Some(2 * unit), vec![Kind::Receipt])
	);
	assert_eq!(owed(40 + 3 * UNIT), (12, 12 * chunk, None, vec![Kind::Receipt]));
}

#[test]
fn cancelled_before_its_turn_nothing_of_it_goes_out() {
	let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
	let windows: Vec<_> = (0..2).map(|i| broadcast.segment(&[i; UNIT])).collect();
	for window in &windows {
		session.deliver(window).unwrap();
		while session.poll_transmit().is_some() {}
	}
	session
		.handle(&ToRelayer::Cancel(windows[1].range()).to_frame())
		.unwrap();
	assert_eq!(session.poll_event(), None);
	let first = session.poll_sending().unwrap();
	assert_eq!(session.sent(first.id(), first.chunks()), None);
	let second = session.poll_sending().unwrap();
	assert!(second.is_over() && second.range() == windows[1].range());
	assert!(matches!(session.sent(second.id(), 0), Some(Requote::Owed(_))));
	assert_eq!((kinds(&mut session), session.owed()), (vec![Kind::Lacks], UNIT as u64));
	// What is handed over is, and what was never asked for nothing.
	for range in [windows[0].range(), broadcast.segment(&[1; 1]).range()] {
		session.handle(&ToRelayer::Cancel(range).to_frame()).unwrap();
		// It may be a fetch that waits.
		assert_eq!(
			(session.poll_event(), kinds(&mut session)),
			(Some(Event::Cancel(range)), vec![])
		);
	}
}

#[test]
fn no_receipt_is_made_before_what_it_is_for_went_out() {
	let (mut session, mut broadcast) = (serving_intervals(), Broadcast::default());
	session.deliver(&broadcast.segment(&[1; UNIT])).unwrap();
	while session.poll_transmit().is_some() {}
	let outgoing = session.poll_sending().unwrap();
	session.lower(1_000_000).unwrap();
	assert_eq!((session.poll_transmit(), session.wants()), (None, None));
	let next = broadcast.segment(&[2; UNIT]);
	assert_eq!(session.quote(&next, &next.range()), Ok(Quote::TooMuch));
	session.sent(outgoing.id(), outgoing.chunks());
	assert_eq!(kinds(&mut session), [Kind::Receipt, Kind::Terms]);
	assert!(session.wants().is_some());
}

#[test]
fn windows_are_passed_over_for_who_cannot_follow_and_cost_nothing() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let windows: Vec<_> = (0..3).map(|i| broadcast.segment(&[i; UNIT])).collect();
	session.deliver(&windows[0]).unwrap();
	kinds(&mut session);
	session.pass(&windows[1]).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Offered]);
	assert_eq!(session.owed(), UNIT as u64);
	session.deliver(&windows[2]).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Pushed, Kind::Receipt]);
}

#[test]
fn setting_is_sent_again_only_where_it_changes() {
	let (mut session, mut broadcast) = (free(), Broadcast::default());
	let mut sent = Vec::new();
	for change in [None, None, Some(&b"new"[..]), None, Some(b"newer")] {
		if let Some(init) = change {
			broadcast.reinit(init);
		}
		session.deliver(&broadcast.segment(&[1; 10])).unwrap();
		sent.push(kinds(&mut session));
	}
	let (plain, changed) = (vec![Kind::Pushed], vec![Kind::Catalog, Kind::Init, Kind::Pushed]);
	let first = vec![Kind::Catalog, Kind::Init, Kind::History, Kind::Pushed];
	assert_eq!(sent, [first, plain.clone(), changed.clone(), plain, changed]);
	// Another catalog with the same initialisation segment.
	broadcast.reinit(&b"newer"[..]);
	session.deliver(&broadcast.segment(&[1; 10])).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Catalog, Kind::Pushed]);
}

#[test]
fn history_is_for_those_who_begin_live() {
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..4).map(|i| broadcast.segment(&[i; 10])).collect();
	let mut live = free();
	live.deliver(&windows[3]).unwrap();
	let frames: Vec<_> = std::iter::from_fn(|| live.poll_transmit()).collect();
	assert_eq!(frames[2], ToViewer::History(windows[2].history_after()).to_frame());

	let last = windows[1].id();
	let mut behind = subscribe(None);
	behind.start = Start::After {
		epoch: last.epoch,
		segment: last.segment,
		part: last.part,
		header: windows[1].hash(),
	};
	let mut resumed = subscribed(behind);
	resumed.accept_free().unwrap();
	assert_eq!(resumed.wants(), Some(after(&windows[1])));
	resumed.deliver(&windows[2]).unwrap();
	assert_eq!(
		kinds(&mut resumed),
		[Kind::Terms, Kind::Catalog, Kind::Init, Kind::Pushed]
	);
}

#[test]
fn status_is_passed_on_while_it_serves_and_where_it_is_newer() {
	let status = |number| fixture::status(number, Standing::Live);
	let mut session = subscribed(subscribe(None));
	session.status(&status(9));
	assert!(kinds(&mut session).is_empty(), "before the terms");
	session.accept_free().unwrap();
	kinds(&mut session);
	let mut sent = Vec::new();
	for number in [3, 3, 2, 4] {
		session.status(&status(number));
		sent.extend(session.poll_transmit());
	}
	let expected = [3, 4].map(|number| ToViewer::Status(Box::new(status(number))).to_frame());
	assert_eq!(sent, expected);
	let mut later = status(0);
	later.status.message.epoch += 1;
	session.status(&later);
	assert_eq!(kinds(&mut session), [Kind::Status]);
	session.end(EndReason::Finished);
	session.status(&fixture::status(9, Standing::Ended));
	assert_eq!(kinds(&mut session), [Kind::End]);
}

#[test]
fn viewer_who_reads_nothing_has_one_status_waiting() {
	let mut session = subscribed(subscribe(None));
	session.accept_free().unwrap();
	let statuses = (0..100).map(|number| fixture::status(number, Standing::Live));
	statuses.for_each(|status| session.status(&status));
	let sent: Vec<Bytes> = std::iter::from_fn(|| session.poll_transmit()).collect();
	let newest = ToViewer::Status(Box::new(fixture::status(99, Standing::Live))).to_frame();
	assert_eq!(sent, [ToViewer::Terms(None).to_frame(), newest]);
}

#[test]
fn route_is_said_while_it_serves_and_only_where_it_changes() {
	let mut session = subscribed(subscribe(None));
	let (near, far) = (
		below_origin(&PublicKey([1; 32])),
		behind(
			&below_origin(&PublicKey([1; 32])),
			&PublicKey([1; 32]),
			&PublicKey([2; 32]),
		)
		.unwrap(),
	);
	session.route(&near);
	assert!(kinds(&mut session).is_empty(), "before the terms");
	session.accept_free().unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	let mut said = Vec::new();
	for path in [&near, &near, &far, &near] {
		session.route(path);
		said.extend(session.poll_transmit());
	}
	assert_eq!(
		said,
		[&near, &far, &near].map(|path| ToViewer::Route(path.clone()).to_frame())
	);
	session.end(EndReason::Finished);
	session.route(&far);
	assert_eq!(kinds(&mut session), [Kind::End]);
}

#[test]
fn who_is_refused_is_told_of_others_before_the_end() {
	let mut session = subscribed(subscribe(None));
	session.others(&Default::default());
	session.others(&vec![PublicKey([1; 32])].try_into().unwrap());
	session.end(EndReason::Full);
	session.others(&vec![PublicKey([2; 32])].try_into().unwrap());
	assert_eq!(kinds(&mut session), [Kind::Others, Kind::End]);
}

#[test]
fn seats_are_said_while_it_serves_and_only_where_they_change() {
	let mut session = subscribed(subscribe(None));
	session.seats(3);
	assert!(kinds(&mut session).is_empty(), "before the terms");
	session.accept_free().unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	let mut said = Vec::new();
	for seats in [0, 0, 2, 2, 0] {
		session.seats(seats);
		said.extend(session.poll_transmit());
	}
	assert_eq!(said, [0, 2, 0].map(|seats| ToViewer::Seats(seats).to_frame()));
	// Who reads nothing has one waiting: the newest.
	(1..100).for_each(|seats| session.seats(seats));
	assert_eq!(session.poll_transmit(), Some(ToViewer::Seats(99).to_frame()));
	assert_eq!(session.poll_transmit(), None);
	session.end(EndReason::Finished);
	session.seats(7);
	assert_eq!(kinds(&mut session), [Kind::End]);
}

#[test]
fn says_that_it_is_there_while_it_serves_and_nothing_else_is_to_be_said() {
	let mut session = subscribed(subscribe(None));
	session.waiting();
	assert!(kinds(&mut session).is_empty(), "before the terms");
	session.accept_free().unwrap();
	session.waiting();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	session.waiting();
	session.waiting();
	assert_eq!(kinds(&mut session), [Kind::Waiting]);
	session.end(EndReason::Finished);
	session.waiting();
	assert_eq!(kinds(&mut session), [Kind::End]);
}

#[test]
fn terms_need_a_payer() {
	let mut session = subscribed(subscribe(None));
	assert_eq!(
		session.accept(fixture::terms(), fixture::signer()),
		Err(SessionError::NoPayer)
	);
	session.end(EndReason::PaymentRequired);
	assert_eq!(kinds(&mut session), [Kind::End]);
	assert_eq!(session.accept_free(), Err(SessionError::NotAwaiting));
}

#[test]
fn one_track_is_served() {
	for ids in [&[][..], &[0, 1]] {
		let mut several = subscribe(None);
		several.tracks = tracks(ids);
		assert_eq!(subscribed(several).accept_free(), Err(SessionError::NotAwaiting));
	}
	let mut second = subscribe(None);
	second.tracks = tracks(&[1]);
	let mut session = subscribed(second);
	session.accept_free().unwrap();
	assert_eq!(
		session.wants(),
		Some(Cursor::Live {
			stream: STREAM,
			track: 1
		})
	);
}

#[test]
fn mode_and_counter_are_restated_for_what_is_delivered_from_then_on() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let by_ticket = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
	kinds(&mut session);
	session.restate(PaymentMode::Vouchers { newest: None }, 4).unwrap();
	let by_voucher = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms, Kind::Pushed, Kind::Receipt]);
	assert!(matches!(by_ticket.share, Share::Ticket { .. }));
	let share = Share::Voucher {
		bytes: UNIT as u64,
		amount: 131,
	};
	assert_eq!(by_voucher.share, share);
	assert_eq!((by_ticket.terms, by_voucher.terms), (3, 4));
	session.handle(&ticket(&by_ticket)).unwrap();
	assert!(matches!(session.poll_event(), Some(Event::Ticket(_))));

	let mut by_tickets_only = fixture::payer();
	by_tickets_only.vouchers = false;
	let mut session = subscribed(subscribe(Some(by_tickets_only)));
	session.accept(fixture::terms(), fixture::signer()).unwrap();
	let vouchers = || PaymentMode::Vouchers { newest: None };
	assert_eq!(session.restate(vouchers(), 3), Err(SessionError::NoVouchers));
	assert_eq!(session.restate(fixture::terms().mode, 3), Ok(()));
	assert_eq!(free().restate(vouchers(), 3), Err(SessionError::NoPayer));
	session.end(EndReason::Finished);
	assert_eq!(session.restate(fixture::terms().mode, 3), Err(SessionError::NoPayer));
}

#[test]
fn price_falls_for_what_is_delivered_from_then_on() {
	let (mut session, mut broadcast) = (subscribed(subscribe(Some(fixture::payer()))), Broadcast::default());
	let terms = Terms {
		credit: 8 * UNIT as u32,
		..fixture::terms()
	};
	session.accept(terms, fixture::signer()).unwrap();
	kinds(&mut session);
	session.restate(PaymentMode::Vouchers { newest: None }, 3).unwrap();
	let mut deliver = |session: &mut RelayerSession| {
		let expected = session.deliver(&broadcast.segment(&[1; UNIT])).unwrap().unwrap();
		match expected.share {
			Share::Voucher { amount, .. } => amount,
			other => panic!("{other:?}"),
		}
	};
	let mut found = vec![deliver(&mut session)];
	kinds(&mut session);
	// Neither raised nor repeated.
	session.lower(2_000_001).unwrap();
	session.lower(2_000_000).unwrap();
	assert_eq!(kinds(&mut session), []);
	session.lower(1_000_000).unwrap();
	assert_eq!(kinds(&mut session), [Kind::Terms]);
	found.push(deliver(&mut session));
	kinds(&mut session);
	found.push(deliver(&mut session));
	assert_eq!(found, [131, 65, 66]);
	assert_eq!(free().lower(1), Err(SessionError::NoPayer));
}

#[test]
fn window_that_no_ticket_can_pay_is_not_sent() {
	let (mut session, mut broadcast) = (subscribed(subscribe(Some(fixture::payer()))), Broadcast::default());
	let terms = Terms {
		mode: PaymentMode::Tickets { face_value: 262 },
		..fixture::terms()
	};
	session.accept(terms, fixture::signer()).unwrap();
	kinds(&mut session);
	// Two units at 2,000,000 per GB cost 262.144: more than the face value.
	let dear = broadcast.segment(&[1; UNIT + 1]);
	assert_eq!(session.deliver(&dear), Err(SessionError::Unpayable(dear.id())));
	assert!(kinds(&mut session).is_empty());
	assert!(session.deliver(&broadcast.segment(&[1; UNIT])).is_ok());
}

#[test]
fn only_the_wanted_stream_and_direction_is_sent() {
	let (mut session, mut broadcast) = (serving(), Broadcast::default());
	let (old, new) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
	broadcast.reinit(&b"of two tracks"[..]);
	broadcast.next.track = 1;
	let other = broadcast.segment(&[1; 10]);
	assert_eq!(session.deliver(&other), Err(SessionError::NotWanted(other.id())));
	session.deliver(&new).unwrap();
	kinds(&mut session);
	assert_eq!(session.deliver(&other), Err(SessionError::NotWanted(other.id())));
	assert_eq!(session.deliver(&old), Err(SessionError::NotWanted(old.id())));
	let mut later = Broadcast::default();
	later.begin_epoch(fixture::EPOCH + 1);
	assert!(
		session.deliver(&later.segment(&[1; 10])).is_ok(),
		"an epoch comes behind all of those before"
	);
}

#[test]
fn viewer_who_breaks_the_protocol_is_told_and_left() {
	let broken = |session: &mut RelayerSession, bytes: &[u8], reason: EndReason| {
		let error = session.handle(bytes).unwrap_err();
		assert!(session.is_ended());
		let last = std::iter::from_fn(|| session.poll_transmit()).last();
		assert_eq!(last, Some(ToViewer::End(reason).to_frame()));
		error
	};
	let protocol = EndReason::ProtocolError;
	let again = ToRelayer::Subscribe(subscribe(None)).to_frame();
	assert_eq!(broken(&mut serving(), &again, protocol), SessionError::SubscribedTwice);
	let mut elsewhere = subscribe(None);
	elsewhere.genesis = Hash([0; 32]);
	let elsewhere = ToRelayer::Subscribe(elsewhere).to_frame();
	assert_eq!(
		broken(&mut new(), &elsewhere, EndReason::WrongChain),
		SessionError::WrongChain
	);
	assert_eq!(
		broken(&mut serving(), &[9; 9], protocol),
		SessionError::Wire(WireError::UnknownKind(9))
	);
	// A ticket for what was never delivered, and a second one for the same receipt.
	let mut session = serving();
	let owed = session
		.deliver(&Broadcast::default().segment(&[1; 10]))
		.unwrap()
		.unwrap();
	kinds(&mut session);
	let not_owed = SessionError::NotOwed(owed.commitment);
	assert_eq!(broken(&mut serving(), &ticket(&owed), protocol), not_owed);
	session.handle(&ticket(&owed)).unwrap();
	assert_eq!(broken(&mut session, &ticket(&owed), protocol), not_owed);
}

#[test]
fn nothing_is_read_or_wanted_behind_the_end() {
	let mut session = serving();
	session.end(EndReason::Finished);
	session.end(EndReason::Full);
	assert_eq!(kinds(&mut session), [Kind::End]);
	assert_eq!(session.handle(&[9; 100]), Ok(()));
	assert_eq!((session.wants(), session.poll_event()), (None, None));
}

/// What a subscription that pays has to satisfy.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
	Stream,
	Tracks,
	Challenge,
	Binding,
	Signature,
}

const RULES: [Rule; 5] = [
	Rule::Stream,
	Rule::Tracks,
	Rule::Challenge,
	Rule::Binding,
	Rule::Signature,
];

/// A relayer that leaves out one rule.
fn serves_without(rule: Rule, subscribe: &Subscribe) -> bool {
	let signed = &subscribe.payer.as_ref().unwrap().subscription;
	let message = &signed.message;
	let holds = |each| match each {
		Rule::Stream => message.stream == subscribe.stream,
		Rule::Tracks => message.tracks == subscribe.tracks,
		Rule::Challenge => message.challenge == CHALLENGE,
		Rule::Binding => message.binding == fixture::binding(),
		Rule::Signature => signed.verify(&message.session, &GENESIS).is_ok(),
	};
	RULES.into_iter().filter(|each| *each != rule).all(holds)
}

/// Each attack would succeed with a relayer that leaves out the one rule against it, and does with no other.
#[test]
fn subscription_serves_for_what_it_was_signed_and_nothing_else() {
	let payer = |subscription: SignedSubscription| Payer {
		subscription,
		vouchers: true,
	};
	let signed = |change: fn(&mut clustercast_primitives::subscribe::Subscription)| {
		let mut subscription = fixture::subscription();
		change(&mut subscription);
		subscribe(Some(payer(fixture::session_key().sign(subscription, &GENESIS))))
	};
	let elsewhere = fixture::session_key().sign(fixture::subscription(), &Hash([0; 32]));
	let stolen = fixture::relayer_key().sign(fixture::subscription(), &GENESIS);
	let mut bent = fixture::payer().subscription;
	bent.message.account.0[0] ^= 1;
	let attacks = [
		// Whoever stands between forwards the challenge of another relayer and has its viewer sign it.
		(Rule::Binding, signed(|s| s.binding = Binding::PeerKey([0x66; 32]))),
		// The same bytes, in the place of a certificate.
		(
			Rule::Binding,
			signed(|s| s.binding = Binding::Certificate(fixture::relayer_key().public().0)),
		),
		// Heard on an earlier connection.
		(Rule::Challenge, signed(|s| s.challenge.0[0] ^= 1)),
		(Rule::Stream, signed(|s| s.stream.0 += 1)),
		(Rule::Tracks, signed(|s| s.tracks = tracks(&[1]))),
		(Rule::Tracks, signed(|s| s.tracks = tracks(&[0, 1]))),
		(Rule::Signature, subscribe(Some(payer(elsewhere)))),
		(Rule::Signature, subscribe(Some(payer(stolen)))),
		(Rule::Signature, subscribe(Some(payer(bent)))),
	];
	for (rule, attack) in attacks {
		for left_out in RULES {
			assert_eq!(serves_without(left_out, &attack), left_out == rule, "{attack:?}");
		}
		let mut session = new();
		kinds(&mut session);
		let answer = session.handle(&ToRelayer::Subscribe(attack).to_frame());
		assert_eq!(answer, Err(SessionError::BadSubscription));
		assert_eq!(session.poll_event(), None);
		let end = ToViewer::End(EndReason::BadSubscription).to_frame();
		assert_eq!(session.poll_transmit(), Some(end));
		assert!(session.is_ended());
	}
	let honest = subscribe(Some(fixture::payer()));
	assert!(RULES.into_iter().all(|rule| serves_without(rule, &honest)));
	subscribed(honest);
}

#[test]
fn relayer_is_known_by_any_of_its_ends() {
	let ends = [fixture::binding(), Binding::Certificate([7; 32])];
	for binding in ends {
		let mut subscription = fixture::subscription();
		subscription.binding = binding;
		let mut session = RelayerSession::new(GENESIS, CHALLENGE, ends.to_vec());
		let subscribe = subscribe(Some(Payer {
			subscription: fixture::session_key().sign(subscription, &GENESIS),
			vouchers: false,
		}));
		assert_eq!(session.handle(&ToRelayer::Subscribe(subscribe).to_frame()), Ok(()));
	}
}

#[test]
fn guest_has_nothing_to_sign() {
	let mut nowhere = RelayerSession::new(GENESIS, CHALLENGE, Vec::new());
	let guest = ToRelayer::Subscribe(subscribe(None)).to_frame();
	assert_eq!(nowhere.handle(&guest), Ok(()));
	assert_eq!(nowhere.accept_free(), Ok(()));
	let mut session = RelayerSession::new(GENESIS, CHALLENGE, Vec::new());
	let payer = ToRelayer::Subscribe(subscribe(Some(fixture::payer()))).to_frame();
	assert_eq!(session.handle(&payer), Err(SessionError::BadSubscription));
}
