//! Windows that go out as they come: what is owed is what went out, whether or not the rest comes.

use super::*;
use crate::{open::OpenWindow, Chunks};

const CHUNK: usize = 16 << 10;

/// Chunks of the window that is sent.
const CHUNKS: u32 = 12;

fn run(window: &EncodedWindow, first: u32, count: u32) -> Chunks {
	window.verify(first, &window.chunks(first, count).unwrap()).unwrap()
}

/// Of three units, of which four chunks are here.
fn open() -> (EncodedWindow, OpenWindow) {
	let window = Broadcast::default().segment(&fixture::media(3 * UNIT, 1));
	assert_eq!(window.header().chunks, CHUNKS);
	let open = OpenWindow::new(window.announced().clone(), run(&window, 0, 4)).unwrap();
	(window, open)
}

/// Writes all that is here; the bytes without what goes before them.
fn write_all(outgoing: &mut Outgoing) -> Vec<u8> {
	let mut all = Vec::new();
	loop {
		let [prefix, data] = outgoing.rest();
		if prefix.is_empty() && data.is_empty() {
			return all;
		}
		outgoing.advance(prefix.len() + data.len());
		all.extend_from_slice(&data);
	}
}

/// The receipt among what is said.
fn receipt(session: &mut RelayerSession) -> Option<(Receipt, Deliveries)> {
	let mut frames = std::iter::from_fn(|| session.poll_transmit());
	let frame = frames.find(|frame| is_a(frame, Kind::Receipt))?;
	let (signed, deliveries): (SignedReceipt, Deliveries) = DecodeAll::decode_all(&mut &frame[5..]).unwrap();
	Some((signed.message, deliveries))
}

#[test]
fn window_goes_out_as_it_comes_and_is_owed_like_any_other() {
	let ((window, open), mut session) = (open(), serving_intervals());
	let quoted = session.deliver_open(&open).unwrap().unwrap();
	assert_eq!(quoted.share.bytes(), 3 * UNIT as u64, "for all of it");
	let mut outgoing = session.poll_sending().unwrap();
	let mut sent = write_all(&mut outgoing);
	assert_eq!((sent.len(), outgoing.waits()), (4 * CHUNK, true));
	assert!(receipt(&mut session).is_none(), "before it is over");
	let mut whole = open;
	assert!(whole.extend(run(&window, 4, 8)));
	let from = outgoing.lacks().unwrap();
	whole.rest(from).into_iter().for_each(|run| outgoing.hand(run));
	sent.extend(write_all(&mut outgoing));
	assert_eq!((sent, outgoing.is_over()), (window.data().to_vec(), true));
	assert_eq!(session.sent(outgoing.id(), outgoing.chunks()), None);
	let (receipt, deliveries) = receipt(&mut session).unwrap();
	assert_eq!(
		(receipt.bytes, receipt.commitment),
		(3 * UNIT as u64, quoted.commitment)
	);
	assert_eq!(deliveries[..], [window.piece().delivery]);
}

/// The attack on ourselves: a receipt for chunks that never came here would convict who signs it, and be paid for nothing.
#[test]
fn where_the_rest_does_not_come_only_what_went_out_is_signed_for_and_owed() {
	let ((window, open), mut session) = (open(), serving_intervals());
	let quoted = session.deliver_open(&open).unwrap().unwrap();
	let mut outgoing = session.poll_sending().unwrap();
	write_all(&mut outgoing);
	outgoing.cut();
	assert!(outgoing.is_over());
	let Some(Requote::Owed(less)) = session.sent(outgoing.id(), outgoing.chunks()) else {
		panic!("less went out");
	};
	assert_eq!((less.commitment, less.share.bytes()), (quoted.commitment, UNIT as u64));
	assert_eq!(session.owed(), UNIT as u64);
	session.settle();
	let (receipt, deliveries) = receipt(&mut session).unwrap();
	assert_eq!(receipt.bytes, UNIT as u64);
	let part = Piece::part(window.header(), window.hash(), window.leaves(), 0, 4).unwrap();
	assert_eq!(deliveries[..], [part.delivery]);
}

#[test]
fn what_was_given_up_before_its_turn_is_owed_nothing_for() {
	let ((window, open), mut session) = (open(), serving_intervals());
	session.deliver_open(&open).unwrap();
	let mut outgoing = session.poll_sending().unwrap();
	outgoing.cut();
	assert!(matches!(
		session.sent(outgoing.id(), outgoing.chunks()),
		Some(Requote::Nothing(_))
	));
	assert_eq!(session.owed(), 0);
	assert_eq!(kinds(&mut session).last(), Some(&Kind::Lacks));
	assert!(session.unpaid().is_empty() && session.has_new(&window, &window.range()));
}

/// What is announced and does not come by itself is asked for at once.
#[test]
fn window_of_which_the_rest_is_coming_is_announced_to_nobody_who_would_fetch_it() {
	let ((window, open), mut session) = (open(), serving());
	session
		.handle(&ToRelayer::Follow(Follow::Announcements).to_frame())
		.unwrap();
	assert_eq!(session.deliver_open(&open), Err(SessionError::NotWanted(window.id())));
	assert!(kinds(&mut session).is_empty());
	session.deliver(&window).unwrap();
	assert_eq!(kinds(&mut session).last(), Some(&Kind::Offered));
}

/// A viewer whose relayer ends a window early pays what it has, and has no fault to find.
#[test]
fn viewer_pays_for_the_beginning_of_a_window_what_its_relayer_signs_for() {
	let ((_, open), mut relayer) = (open(), serving_intervals());
	let mut viewer = crate::ViewerSession::new(fixture::viewer_config());
	viewer.handle(&ToViewer::Challenge(CHALLENGE).to_frame()).unwrap();
	let Some(crate::viewer::Event::Challenged(subscription)) = viewer.poll_event() else {
		panic!("it is asked to sign");
	};
	viewer.subscribe(fixture::session_key().sign(subscription, &GENESIS));
	let terms = Terms {
		credit: 5 * UNIT as u32,
		interval: 3 * UNIT as u32,
		..fixture::terms()
	};
	viewer.handle(&ToViewer::Terms(Some(terms)).to_frame()).unwrap();
	relayer.deliver_open(&open).unwrap();
	while let Some(frame) = relayer.poll_transmit() {
		viewer.handle(&frame).unwrap();
	}
	let mut outgoing = relayer.poll_sending().unwrap();
	let came = write_all(&mut outgoing);
	outgoing.cut();
	fixture::give(&mut viewer, outgoing.range(), &came).unwrap();
	relayer.sent(outgoing.id(), outgoing.chunks());
	relayer.arrived(outgoing.id());
	relayer.settle();
	while let Some(frame) = relayer.poll_transmit() {
		viewer.handle(&frame).unwrap();
	}
	let events: Vec<_> = std::iter::from_fn(|| viewer.poll_event()).collect();
	let here = events.iter().find_map(|event| match event {
		crate::viewer::Event::Chunks(chunks) => Some(chunks.range().count),
		_ => None,
	});
	assert_eq!(here, Some(4), "what came is good, and the rest is to be had elsewhere");
	let due = events.into_iter().find_map(|event| match event {
		crate::viewer::Event::PaymentDue(due) => Some(due),
		_ => None,
	});
	let due = due.unwrap();
	assert_eq!(due.share.bytes(), UNIT as u64);
	let ticket = fixture::ticket(&due);
	viewer.pay(&due, crate::Payment::Ticket(ticket)).unwrap();
	let frame = std::iter::from_fn(|| viewer.poll_transmit()).last().unwrap();
	relayer.handle(&frame).unwrap();
	assert!(matches!(relayer.poll_event(), Some(Event::Ticket(ticket)) if ticket.message.commitment == due.commitment));
}
