//! The viewer's session against every way a relayer can deceive it.

use super::*;
use crate::{
	fixture::{self, Broadcast, GENESIS},
	wire::{HEADER_BYTES, PREFIX_BYTES},
};
use clustercast_primitives::{crypto::KeyPair, Ticket};

/// A session that was offered these terms.
fn offered(config: ViewerConfig, terms: Option<Terms>) -> ViewerSession {
	let mut session = ViewerSession::new(config);
	session.handle(&ToViewer::Terms(terms).to_frame()).unwrap();
	session
}

fn paying() -> ViewerSession {
	offered(fixture::viewer_config(), Some(fixture::terms()))
}

fn free() -> ViewerSession {
	let config = ViewerConfig {
		payment: None,
		..fixture::viewer_config()
	};
	offered(config, None)
}

fn send(session: &mut ViewerSession, message: ToViewer) -> Result<(), Fault> {
	session.handle(&message.to_frame())
}

/// The window with its initialisation segment where the session does not have it.
fn show(session: &mut ViewerSession, window: &EncodedWindow) -> Result<(), Fault> {
	if session.init.as_ref().map(|(hash, _)| *hash) != Some(window.header().init) {
		send(session, ToViewer::Init(window.init().clone()))?;
	}
	session.handle(&window.frame())
}

fn receipt(window: &EncodedWindow, serial: u8) -> Receipt {
	Receipt {
		session: fixture::payer().session,
		window: window.id(),
		root: window.header().root,
		delivered: window.header().root,
		bytes: window.header().bytes,
		price_per_gb: fixture::terms().price_per_gb,
		commitment: Hash([serial; 32]),
	}
}

fn signed(receipt: Receipt) -> ToViewer {
	ToViewer::Receipt(fixture::relayer_key().sign(receipt, &GENESIS))
}

fn ticket(due: &Due) -> SignedTicket {
	let Share::Ticket {
		face_value,
		win_probability,
	} = due.share
	else {
		panic!("{due:?}");
	};
	let ticket = Ticket {
		sender: fixture::SENDER,
		session: fixture::payer().session,
		recipient: due.recipient,
		window: due.window,
		bytes: due.bytes,
		face_value,
		win_probability,
		commitment: due.commitment,
		nonce: 0,
		expiry: 100,
	};
	fixture::session_key().sign(ticket, &GENESIS)
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
fn window_is_verified_receipted_and_paid() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let window = broadcast.segment(&fixture::media(100_000, 1));
	let subscribe = session.poll_transmit().unwrap();
	assert_eq!(subscribe[4], Kind::Subscribe as u8);
	show(&mut session, &window).unwrap();
	let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
	let [Event::Terms(Some(_)), Event::Init(init), Event::Window(emitted)] = &events[..] else {
		panic!("{events:?}");
	};
	assert_eq!((init, emitted.frame()), (window.init(), window.frame()));
	assert_eq!(session.resume(), Some(Resume::after(window.header())));

	send(&mut session, signed(receipt(&window, 1))).unwrap();
	let (_, due) = drain(&mut session);
	let due = due.unwrap();
	assert_eq!((due.window, due.bytes), (window.id(), 100_000));
	// 100,000 bytes at 2,000,000 per GB are 200 of 50,000.
	let share = Share::Ticket {
		face_value: 50_000,
		win_probability: ((200u128 << 64) / 50_000) as u64,
	};
	assert_eq!(due.share, share);
	let ticket = ticket(&due);
	let payment = Payment::Ticket(ticket.clone());
	session.pay(&due, payment.clone()).unwrap();
	assert_eq!(session.pay(&due, payment), Err(NotDue::Window(window.id())));
	assert_eq!(session.poll_transmit(), Some(ToRelayer::Ticket(ticket).to_frame()));
	assert_eq!(session.poll_transmit(), None);
	send(&mut session, ToViewer::Paid(window.id())).unwrap();
	assert!(matches!(session.poll_event(), Some(Event::Paid(id)) if id == window.id()));
}

#[test]
fn every_flipped_bit_is_a_fault_of_its_place() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(40_000, 1));
	let frame = window.frame();
	let fault = |at: usize| {
		let mut session = free();
		send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
		let mut bent = frame.to_vec();
		bent[at] ^= 1 << (at % 8);
		let fault = session.handle(&bent).unwrap_err();
		assert!(drain(&mut session).0.is_empty());
		fault
	};
	for at in PREFIX_BYTES..PREFIX_BYTES + HEADER_BYTES {
		assert!(matches!(fault(at), Fault::Header(_)), "byte {at}");
	}
	let data = frame.len() - 40_000;
	for at in PREFIX_BYTES + HEADER_BYTES..data {
		assert_eq!(fault(at), Fault::BadLeaves(window.id()), "byte {at}");
	}
	for at in (data..frame.len()).step_by(997) {
		let index = ((at - data) / merkle::CHUNK_BYTES) as u16;
		let window = window.id();
		assert_eq!(fault(at), Fault::BadChunk { window, index }, "byte {at}");
	}
	for at in 0..PREFIX_BYTES {
		fault(at);
	}
}

#[test]
fn fault_comes_with_the_first_byte_that_can_show_it() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(100_000, 1));
	let frame = window.frame();
	let data = frame.len() - 100_000;
	let noticed_at = |at: usize| {
		let mut session = free();
		send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
		let mut bent = frame.to_vec();
		bent[at] ^= 1;
		bent.iter().position(|byte| session.handle(&[*byte]).is_err()).unwrap() + 1
	};
	assert_eq!(noticed_at(PREFIX_BYTES), PREFIX_BYTES + HEADER_BYTES);
	assert_eq!(noticed_at(data - 1), data);
	assert_eq!(noticed_at(data), data + merkle::CHUNK_BYTES);
	assert_eq!(noticed_at(frame.len() - 1), frame.len());
}

#[test]
fn chunks_and_leaves_cannot_be_swapped() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&fixture::media(100_000, 1));
	let data = window.frame().len() - 100_000;
	let swapped = |at: usize, len: usize| {
		let mut frame = window.frame().to_vec();
		let (head, tail) = frame[at..].split_at_mut(len);
		head.swap_with_slice(&mut tail[..len]);
		let mut session = free();
		send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
		session.handle(&frame).unwrap_err()
	};
	let bad = Fault::BadChunk {
		window: window.id(),
		index: 1,
	};
	assert_eq!(swapped(data + merkle::CHUNK_BYTES, merkle::CHUNK_BYTES), bad);
	assert_eq!(swapped(PREFIX_BYTES + HEADER_BYTES, 32), Fault::BadLeaves(window.id()));
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
	// The right place under the right key, in another chain.
	let mut fork = Broadcast {
		next: id(1),
		previous: Hash([1; 32]),
		..Broadcast::default()
	};
	let forked = fork.segment(&[9; 100]);
	assert_eq!(show(&mut behind_first(), &forked), Err(Fault::BrokenChain(id(1))));
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
fn resumed_session_goes_on_behind_the_last_window() {
	let mut broadcast = Broadcast::default();
	let windows: Vec<_> = (0..3).map(|i| broadcast.segment(&[i; 100])).collect();
	let resumed = |at: usize| {
		let config = ViewerConfig {
			payment: None,
			resume: Some(Resume::after(windows[at].header())),
			..fixture::viewer_config()
		};
		offered(config, None)
	};
	assert_eq!(show(&mut resumed(0), &windows[1]), Ok(()));
	assert!(matches!(show(&mut resumed(0), &windows[2]), Err(Fault::Omitted { .. })));
	assert!(matches!(show(&mut resumed(1), &windows[1]), Err(Fault::Replayed(_))));
}

#[test]
fn window_of_another_stream_or_key_is_refused() {
	let mut other = Broadcast::default();
	other.next.rendition = 1;
	let window = other.segment(&[1; 10]);
	assert_eq!(show(&mut free(), &window), Err(Fault::WrongStream(window.id())));
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
fn initialisation_segment_must_be_the_named_one() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&[1; 10]);
	assert_eq!(free().handle(&window.frame()), Err(Fault::BadInit(window.id())));
	let mut session = free();
	send(&mut session, ToViewer::Init(Bytes::from_static(b"other"))).unwrap();
	assert_eq!(session.handle(&window.frame()), Err(Fault::BadInit(window.id())));
	assert!(!std::iter::from_fn(|| session.poll_event()).any(|e| matches!(e, Event::Init(_))));
	// Changed by the broadcaster and not sent again.
	let mut session = free();
	show(&mut session, &window).unwrap();
	broadcast.init = Bytes::from_static(b"new");
	let changed = broadcast.segment(&[2; 10]);
	assert_eq!(session.handle(&changed.frame()), Err(Fault::BadInit(changed.id())));
}

#[test]
fn terms_are_held_to_the_viewers_limits() {
	let answer = |terms: Terms| {
		send(
			&mut ViewerSession::new(fixture::viewer_config()),
			ToViewer::Terms(Some(terms)),
		)
	};
	let terms = fixture::terms;
	let dear = Terms {
		price_per_gb: 5_001_000,
		..terms()
	};
	assert_eq!(
		answer(dear),
		Err(Fault::PriceTooHigh {
			max: 5_000,
			asked: 5_001
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
	assert_eq!(answer(Terms { credit: 0, ..terms() }), Err(Fault::NoCredit));
	let limits = Terms {
		price_per_gb: 5_000_000,
		mode: PaymentMode::Tickets { face_value: 1_000_000 },
		credit: 1,
		..terms()
	};
	assert_eq!(answer(limits), Ok(()));
	let config = ViewerConfig {
		payment: None,
		..fixture::viewer_config()
	};
	let asked = send(&mut ViewerSession::new(config), ToViewer::Terms(Some(terms())));
	assert_eq!(asked, Err(Fault::PaymentAsked));
}

#[test]
fn receipt_must_say_what_was_delivered() {
	let mut broadcast = Broadcast::default();
	let window = broadcast.segment(&[1; 100]);
	let fault = |message: ToViewer| {
		let mut session = paying();
		show(&mut session, &window).unwrap();
		let fault = send(&mut session, message).unwrap_err();
		assert!(drain(&mut session).1.is_none());
		match fault {
			Fault::BadReceipt { window: id, reason } if id == window.id() => reason,
			other => panic!("{other:?}"),
		}
	};
	let changed = |change: fn(&mut Receipt)| {
		let mut receipt = receipt(&window, 1);
		change(&mut receipt);
		fault(signed(receipt))
	};
	assert_eq!(changed(|r| r.session.0[0] ^= 1), ReceiptFault::Session);
	assert_eq!(changed(|r| r.window.segment += 1), ReceiptFault::Window);
	assert_eq!(changed(|r| r.root.0[0] ^= 1), ReceiptFault::Root);
	assert_eq!(changed(|r| r.delivered.0[0] ^= 1), ReceiptFault::Delivered);
	assert_eq!(changed(|r| r.bytes += 1), ReceiptFault::Bytes);
	assert_eq!(changed(|r| r.price_per_gb += 1), ReceiptFault::Price);
	let forged = fixture::session_key().sign(receipt(&window, 1), &GENESIS);
	assert_eq!(
		fault(ToViewer::Receipt(forged)),
		ReceiptFault::Signature(SignatureError::Invalid)
	);

	let mut session = paying();
	show(&mut session, &window).unwrap();
	send(&mut session, signed(receipt(&window, 1))).unwrap();
	let second = broadcast.segment(&[2; 100]);
	show(&mut session, &second).unwrap();
	let again = Fault::BadReceipt {
		window: second.id(),
		reason: ReceiptFault::Commitment,
	};
	assert_eq!(send(&mut session, signed(receipt(&second, 1))), Err(again));
}

#[test]
fn relayer_is_held_to_its_own_credit() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	for serial in 0..2 {
		let window = broadcast.segment(&[serial; 100]);
		show(&mut session, &window).unwrap();
		send(&mut session, signed(receipt(&window, serial))).unwrap();
	}
	let third = broadcast.segment(&[3; 100]);
	assert_eq!(show(&mut session, &third), Err(Fault::CreditExceeded(2)));
}

#[test]
fn window_that_no_ticket_can_pay_is_refused() {
	let terms = Terms {
		mode: PaymentMode::Tickets { face_value: 20 },
		..fixture::terms()
	};
	let mut session = offered(fixture::viewer_config(), Some(terms));
	let window = Broadcast::default().segment(&[1; 10_000]);
	assert_eq!(show(&mut session, &window), Err(Fault::Unpayable(window.id())));
}

#[test]
fn messages_out_of_turn_are_refused() {
	let window = Broadcast::default().segment(&[1; 10]);
	let unexpected = |session: &mut ViewerSession, message: ToViewer| {
		let kind = message.kind();
		assert_eq!(send(session, message), Err(Fault::Unexpected(kind)));
	};
	let init = || ToViewer::Init(window.init().clone());
	let new = || ViewerSession::new(fixture::viewer_config());
	unexpected(&mut new(), init());
	unexpected(&mut new(), ToViewer::Paid(window.id()));
	assert_eq!(new().handle(&window.frame()), Err(Fault::Unexpected(Kind::Window)));
	unexpected(&mut free(), ToViewer::Terms(None));
	unexpected(&mut free(), signed(receipt(&window, 1)));
	unexpected(&mut paying(), signed(receipt(&window, 1)));
	unexpected(&mut paying(), ToViewer::Paid(window.id()));
	let mut twice = free();
	send(&mut twice, init()).unwrap();
	unexpected(&mut twice, init());
	// A window where its receipt is due, and "paid" before a ticket was sent.
	let mut session = paying();
	show(&mut session, &window).unwrap();
	assert_eq!(session.handle(&window.frame()), Err(Fault::Unexpected(Kind::Window)));
	let mut session = paying();
	show(&mut session, &window).unwrap();
	unexpected(&mut session, init());
	let mut session = paying();
	show(&mut session, &window).unwrap();
	send(&mut session, signed(receipt(&window, 1))).unwrap();
	unexpected(&mut session, ToViewer::Paid(window.id()));
	let mut ended = free();
	send(&mut ended, ToViewer::End(EndReason::Finished)).unwrap();
	unexpected(&mut ended, ToViewer::End(EndReason::Finished));
}

#[test]
fn nothing_is_paid_or_sent_after_a_fault() {
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let first = broadcast.segment(&[1; 100]);
	show(&mut session, &first).unwrap();
	send(&mut session, signed(receipt(&first, 1))).unwrap();
	let due = match std::iter::from_fn(|| session.poll_event()).last() {
		Some(Event::PaymentDue(due)) => due,
		other => panic!("{other:?}"),
	};
	let mut bad = broadcast.segment(&[2; 100]).frame().to_vec();
	*bad.last_mut().unwrap() ^= 1;
	let fault = session.handle(&bad).unwrap_err();
	assert!(matches!(fault, Fault::BadChunk { index: 0, .. }));
	assert_eq!(session.pay(&due, Payment::Ticket(ticket(&due))), Err(NotDue::Faulted));
	assert_eq!(session.poll_transmit(), None);
	assert_eq!(session.handle(&[]), Err(fault.clone()));
	assert_eq!(session.finish(), Err(fault));

	// A payment that was due and not polled is gone; the window verified before it is not.
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let first = broadcast.segment(&[1; 100]);
	show(&mut session, &first).unwrap();
	send(&mut session, signed(receipt(&first, 1))).unwrap();
	session.handle(&bad).unwrap_err();
	assert_eq!(drain(&mut session), (vec![first.id()], None));
}

#[test]
fn stream_cut_inside_a_window_is_a_fault() {
	let window = Broadcast::default().segment(&[1; 100]);
	let mut session = free();
	send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
	assert_eq!(session.finish(), Ok(()));
	session.handle(&window.frame()[..250]).unwrap();
	let cut = WireError::Truncated(Some(Kind::Window));
	assert_eq!(session.finish(), Err(Fault::Wire(cut)));
}

/// A session paid by vouchers, and its first receipt's due.
fn by_voucher(newest: Option<SignedVoucher>) -> Result<ViewerSession, Fault> {
	let terms = Terms {
		mode: PaymentMode::Vouchers { newest },
		..fixture::terms()
	};
	let mut session = ViewerSession::new(fixture::viewer_config());
	send(&mut session, ToViewer::Terms(Some(terms)))?;
	Ok(session)
}

fn voucher(change: impl Fn(&mut Voucher)) -> SignedVoucher {
	let mut voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::payer().session,
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		amount: 900,
		bytes: 500_000,
		expiry: 1_000_000,
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
	send(&mut session, signed(receipt(&window, 1))).unwrap();
	let due = drain(&mut session).1.unwrap();
	// 200.998 of a micro-USDC, rounded down.
	assert_eq!(due.share, Share::Voucher { amount: 200 });
	let voucher = voucher(|_| {});
	session.pay(&due, Payment::Voucher(voucher.clone())).unwrap();
	let again = session.pay(&due, Payment::Voucher(voucher.clone()));
	assert_eq!(again, Err(NotDue::Window(window.id())));
	let frame = ToRelayer::Voucher(window.id(), voucher).to_frame();
	assert_eq!(session.poll_transmit(), Some(frame));
	send(&mut session, ToViewer::Paid(window.id())).unwrap();
}

#[test]
fn vouchers_are_only_asked_of_a_viewer_who_offers_them() {
	assert!(by_voucher(None).is_ok());
	let mut config = fixture::viewer_config();
	config.payment.as_mut().unwrap().payer.vouchers = false;
	let terms = Terms {
		mode: PaymentMode::Vouchers { newest: None },
		..fixture::terms()
	};
	let answer = send(&mut ViewerSession::new(config), ToViewer::Terms(Some(terms)));
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
	let mut forged = voucher(|_| {});
	forged.message.amount += 1;
	assert_eq!(shown(forged), Some(Fault::BadVoucher));
}

#[test]
fn window_below_the_smallest_voucher_is_refused() {
	let window = |bytes| Broadcast::default().segment(&vec![1; bytes]);
	let (free, paid) = (window(499), window(500));
	assert_eq!(
		show(&mut by_voucher(None).unwrap(), &free),
		Err(Fault::Unpayable(free.id()))
	);
	assert_eq!(show(&mut by_voucher(None).unwrap(), &paid), Ok(()));
}

/// What a paid session finds against a relayer that sends `frame` for the window and this receipt behind it.
fn convict(window: &EncodedWindow, frame: &[u8], receipt: Receipt, piece: usize) -> Option<crate::Evidence> {
	let mut session = paying();
	send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
	let bytes = [frame, &signed(receipt).to_frame()].concat();
	for part in bytes.chunks(piece) {
		match session.fault() {
			None => drop(session.handle(part)),
			Some(_) => drop(session.pursue(part)),
		}
	}
	assert!(session.fault().is_some() && session.poll_event().is_some());
	assert!(drain(&mut session).1.is_none());
	assert!(!session.pursue(&[0; 100]));
	let evidence = session.take_evidence();
	assert_eq!(session.take_evidence(), None);
	evidence
}

/// A window, its frame with one wrong byte in this chunk, and the receipt of a relayer that signs for it.
fn bent(chunk: usize) -> (EncodedWindow, Vec<u8>, Receipt) {
	let window = Broadcast::default().segment(&fixture::media(400_000, 1));
	let mut frame = window.frame().to_vec();
	let data = frame.len() - 400_000;
	frame[data + chunk * merkle::CHUNK_BYTES] ^= 1;
	let receipt = Receipt {
		delivered: merkle::root(&merkle::leaves(&frame[data..])),
		..receipt(&window, 1)
	};
	(window, frame, receipt)
}

#[test]
fn relayer_that_signs_for_a_bad_chunk_is_convicted() {
	for (chunk, piece) in [(0, 1 << 20), (3, 1_000), (11, 40_000), (24, 16_384)] {
		let (window, frame, receipt) = bent(chunk);
		let Some(crate::Evidence::Fraud(fraud)) = convict(&window, &frame, receipt, piece) else {
			panic!("chunk {chunk} in pieces of {piece}");
		};
		assert_eq!((usize::from(fraud.index), fraud.check()), (chunk, Ok(())));
		assert_eq!(fraud.receipt.verify(&fixture::relayer_key().public(), &GENESIS), Ok(()));
	}
}

#[test]
fn receipt_that_shows_nothing_convicts_nobody() {
	let none = |change: fn(&mut Receipt)| {
		let (window, frame, mut receipt) = bent(3);
		change(&mut receipt);
		assert_eq!(convict(&window, &frame, receipt, 30_000), None);
	};
	none(|r| r.delivered = r.root);
	none(|r| r.delivered.0[0] ^= 1);
	none(|r| r.window.segment += 1);
	none(|r| r.root.0[0] ^= 1);
	none(|r| r.bytes += 1);
	let (window, frame, receipt) = bent(3);
	let mut session = paying();
	send(&mut session, ToViewer::Init(window.init().clone())).unwrap();
	session.handle(&frame).unwrap_err();
	let forged = ToViewer::Receipt(fixture::session_key().sign(receipt, &GENESIS));
	assert!(!session.pursue(&forged.to_frame()));
	assert_eq!(session.take_evidence(), None);
}

#[test]
fn hidden_leaves_are_completed_by_an_honest_relayer() {
	let (window, mut frame, receipt) = bent(5);
	frame[PREFIX_BYTES + HEADER_BYTES + 5 * 32] ^= 1;
	let Some(crate::Evidence::Suspicion(suspicion)) = convict(&window, &frame, receipt, 9_999) else {
		panic!("no suspicion");
	};
	assert_eq!(suspicion.window(), window.id());
	let fraud = suspicion.complete(&window).unwrap();
	assert_eq!((fraud.index, fraud.check()), (5, Ok(())));
	let other = Broadcast::default().segment(&fixture::media(400_000, 2));
	assert_eq!(suspicion.complete(&other), None);
}

#[test]
fn second_header_for_a_place_is_equivocation() {
	let (first, second) = (
		Broadcast::default().segment(&[1; 100]),
		Broadcast::default().segment(&[2; 100]),
	);
	let mut witness = crate::Witness::default();
	assert_eq!(witness.note(first.signed_header()), None);
	assert_eq!(witness.note(first.signed_header()), None);
	let evidence = witness.note(second.signed_header()).unwrap();
	assert_eq!(evidence.check(), Ok(()));
	// A session that refuses the fork still shows its header.
	let mut broadcast = Broadcast::default();
	let mut session = free();
	show(&mut session, &broadcast.segment(&[1; 100])).unwrap();
	broadcast.previous = Hash([9; 32]);
	let fork = broadcast.segment(&[3; 100]);
	assert_eq!(show(&mut session, &fork), Err(Fault::BrokenChain(fork.id())));
	assert_eq!(session.header(), Some(fork.signed_header()));
}

#[test]
fn mode_of_payment_changes_between_windows_and_nothing_else_does() {
	let vouchers = || Terms {
		mode: PaymentMode::Vouchers { newest: None },
		..fixture::terms()
	};
	let state = |session: &mut ViewerSession, terms| send(session, ToViewer::Terms(terms));
	let (mut session, mut broadcast) = (paying(), Broadcast::default());
	let mut shares = Vec::new();
	for (serial, terms) in [None, Some(vouchers()), Some(fixture::terms())].into_iter().enumerate() {
		if let Some(terms) = terms {
			state(&mut session, Some(terms)).unwrap();
		}
		let window = broadcast.segment(&fixture::media(100_000, 1));
		show(&mut session, &window).unwrap();
		if serial == 0 {
			// Behind the window and before its receipt: which terms would that be for?
			let mut confused = paying();
			show(&mut confused, &window).unwrap();
			assert_eq!(
				state(&mut confused, Some(vouchers())),
				Err(Fault::Unexpected(Kind::Terms))
			);
		}
		send(&mut session, signed(receipt(&window, serial as u8))).unwrap();
		let due = drain(&mut session).1.unwrap();
		let payment = match due.share {
			Share::Ticket { .. } => Payment::Ticket(ticket(&due)),
			Share::Voucher { .. } => Payment::Voucher(voucher(|_| {})),
		};
		session.pay(&due, payment).unwrap();
		send(&mut session, ToViewer::Paid(window.id())).unwrap();
		shares.push(matches!(due.share, Share::Voucher { .. }));
	}
	assert_eq!(shares, [false, true, false]);

	let unexpected = Err(Fault::Unexpected(Kind::Terms));
	for change in [
		|t: &mut Terms| t.price_per_gb -= 1,
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

#[test]
fn surge_is_the_price_in_parts_of_the_baseline() {
	let surge = |baseline| fixture::terms().surge_ppm(baseline);
	assert_eq!(fixture::terms().price_per_gb, 2_000);
	assert_eq!(
		(surge(2_000), surge(1_000), surge(3_000)),
		(1_000_000, 2_000_000, 666_666)
	);
	assert_eq!(surge(0), 2_000_000_000);
}
