//! Every refusal, both ways, and what the book remembers.

use super::*;
use crate::fixture::{self, account, book_config, GENESIS, NONCES, RECIPIENT};
use clustercast_primitives::{amount, chain::Unlocking, Signature, StreamId, Ticket};
use TicketRefusal as Refusal;

const NOW: BlockNumber = 1_020;

/// On the grid.
const EXPIRY: BlockNumber = NOW + 300;

/// On the grid, in the epoch before.
const EARLIER: BlockNumber = 1_140;

/// A delivery that takes two units, `serial` windows in.
fn expectation(serial: u64) -> Expectation {
	let rand = ticket::rand(&[9; 32], &fixture::session().key, &fixture::CHALLENGE, serial);
	Expectation {
		payer: fixture::session(),
		window: WindowId {
			stream: fixture::STREAM,
			segment: serial,
			..WindowId::default()
		},
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 3,
		share: Share::Ticket {
			bytes: 131_072,
			face_value: 50_000,
			win_probability: amount::win_probability(131_072, 2_000_000, 50_000).unwrap(),
		},
		commitment: ticket::commitment(&rand),
		rand,
	}
}

/// The ticket that a viewer would sign for it.
fn honest(expectation: &Expectation, nonce: u64) -> Ticket {
	let Share::Ticket {
		bytes,
		face_value,
		win_probability,
	} = expectation.share
	else {
		panic!("{expectation:?}");
	};
	Ticket {
		sender: expectation.payer.account,
		session: expectation.payer.key,
		recipient: RECIPIENT,
		stream: expectation.window.stream,
		kind: expectation.kind,
		context: expectation.context,
		bytes,
		face_value,
		win_probability,
		commitment: expectation.commitment,
		nonce,
		expiry: EXPIRY,
	}
}

fn sign(ticket: Ticket) -> SignedTicket {
	fixture::session_key().sign(ticket, &GENESIS)
}

fn book() -> TicketBook {
	TicketBook::new(book_config())
}

/// What the book says to the honest ticket after this change; and that the honest one passes behind it.
fn refusal(change: impl Fn(&mut Ticket)) -> TicketError {
	let (mut book, expectation) = (book(), expectation(0));
	book.open(expectation.clone()).unwrap();
	let mut ticket = honest(&expectation, 0);
	change(&mut ticket);
	let error = book.accept(&sign(ticket), &account(), NOW).unwrap_err();
	assert!(book.accept(&sign(honest(&expectation, 0)), &account(), NOW).is_ok());
	error
}

/// A delivery whose ticket always wins.
fn sure_win(serial: u64) -> Expectation {
	Expectation {
		share: Share::Ticket {
			bytes: 131_072,
			face_value: 50_000,
			win_probability: u64::MAX,
		},
		..expectation(serial)
	}
}

/// Opens and pays a sure winner with this nonce.
fn win(book: &mut TicketBook, nonce: u64, account: &ViewerAccount) -> Result<WinningTicket, TicketError> {
	let expectation = sure_win(nonce);
	book.open(expectation.clone()).unwrap();
	match book.accept(&sign(honest(&expectation, nonce)), account, NOW)? {
		Outcome::Won(winning) => Ok(winning),
		Outcome::Lost => panic!("certain and lost"),
	}
}

#[test]
fn every_field_must_be_what_was_agreed() {
	assert_eq!(refusal(|t| t.commitment.0[0] ^= 1), TicketError::NotOwed);
	assert_eq!(refusal(|t| t.recipient.0[0] ^= 1), TicketError::WrongRecipient);
	assert_eq!(refusal(|t| t.session.0[0] ^= 1), TicketError::WrongSession);
	assert_eq!(
		refusal(|t| t.sender.0[0] ^= 1),
		TicketError::Chain(Refusal::WrongSender)
	);
	assert_eq!(refusal(|t| t.stream = StreamId(8)), TicketError::WrongStream);
	assert_eq!(refusal(|t| t.kind = Kind::REPLAY), TicketError::WrongPurpose);
	assert_eq!(refusal(|t| t.context.0[31] = 1), TicketError::WrongPurpose);
	assert_eq!(refusal(|t| t.bytes -= 65_536), TicketError::WrongBytes);
	assert_eq!(refusal(|t| t.bytes += 65_536), TicketError::WrongBytes);
	assert_eq!(refusal(|t| t.face_value += 1), TicketError::WrongFaceValue);
	assert_eq!(refusal(|t| t.win_probability -= 1), TicketError::WrongWinProbability);
	assert_eq!(refusal(|t| t.win_probability += 1), TicketError::WrongWinProbability);
}

#[test]
fn expiry_and_nonce_are_held_to_the_chains_rules() {
	let too_far = TicketError::Chain(Refusal::ExpiryTooFar);
	assert_eq!(refusal(|t| t.expiry = 960), TicketError::Chain(Refusal::Expired));
	assert_eq!(refusal(|t| t.expiry = NOW + 660), too_far);
	assert_eq!(refusal(|t| t.expiry = u32::MAX - u32::MAX % 60), too_far);
	assert_eq!(refusal(|t| t.expiry = NOW), TicketError::ExpiryTooSoon);
	assert_eq!(refusal(|t| t.expiry = NOW + 60), TicketError::ExpiryTooSoon);
	for off in [1, 59] {
		assert_eq!(
			refusal(|t| t.expiry += off),
			TicketError::Chain(Refusal::ExpiryOffGrid),
			"{off} blocks off"
		);
	}
	assert_eq!(
		refusal(|t| t.nonce = NONCES.into()),
		TicketError::Chain(Refusal::NonceTooLarge)
	);
	// Not taken for the nonce that its low half is.
	assert_eq!(
		refusal(|t| t.nonce = 1 << 32),
		TicketError::Chain(Refusal::NonceTooLarge)
	);
	assert_eq!(
		refusal(|t| t.nonce = u64::MAX),
		TicketError::Chain(Refusal::NonceTooLarge)
	);
	// One ticket, seen from both ends of the time in which it is good; and with the last nonce.
	let judge = |now, nonce: u64| {
		let (mut book, expectation) = (book(), expectation(0));
		book.open(expectation.clone()).unwrap();
		book.accept(&sign(honest(&expectation, nonce)), &account(), now)
			.map(|_| ())
	};
	assert_eq!(judge(EXPIRY - 601, 0), Err(too_far));
	assert_eq!(judge(EXPIRY - 600, 0), Ok(()));
	assert_eq!(judge(EXPIRY - 100, 0), Ok(()));
	assert_eq!(judge(EXPIRY - 99, 0), Err(TicketError::ExpiryTooSoon));
	assert_eq!(judge(EXPIRY, 0), Err(TicketError::ExpiryTooSoon));
	assert_eq!(judge(EXPIRY + 1, 0), Err(TicketError::Chain(Refusal::Expired)));
	assert_eq!(judge(NOW, u64::from(NONCES) - 1), Ok(()));
}

#[test]
fn face_value_below_the_chains_minimum_is_refused() {
	let mut book = book();
	for (face_value, refused) in [(999, true), (1_000, false)] {
		let expectation = Expectation {
			share: Share::Ticket {
				bytes: 65_536,
				face_value,
				win_probability: 1 << 40,
			},
			..expectation(0)
		};
		book.open(expectation.clone()).unwrap();
		let answer = book.accept(&sign(honest(&expectation, 0)), &account(), NOW);
		assert_eq!(answer == Err(TicketError::Chain(Refusal::FaceValueTooSmall)), refused);
	}
}

#[test]
fn signature_must_be_the_sessions_for_this_chain() {
	let (mut book, expectation) = (book(), expectation(0));
	book.open(expectation.clone()).unwrap();
	let ticket = honest(&expectation, 0);
	let bad = Err(TicketError::Chain(Refusal::BadSignature));
	let forged = fixture::relayer_key().sign(ticket.clone(), &GENESIS);
	assert_eq!(book.accept(&forged, &account(), NOW), bad);
	let elsewhere = fixture::session_key().sign(ticket.clone(), &Hash([0; 32]));
	assert_eq!(book.accept(&elsewhere, &account(), NOW), bad);
	let mut bent = sign(ticket.clone());
	bent.signature = Signature([0xff; 64]);
	assert_eq!(
		book.accept(&bent, &account(), NOW),
		Err(TicketError::Chain(Refusal::NonCanonicalSignature))
	);
	assert!(book.accept(&sign(ticket), &account(), NOW).is_ok());
}

#[test]
fn ticket_is_accepted_once() {
	let mut book = book();
	let (first, second) = (expectation(0), expectation(1));
	book.open(first.clone()).unwrap();
	let ticket = sign(honest(&first, 5));
	assert!(book.accept(&ticket, &account(), NOW).is_ok());
	assert_eq!(book.expectations(), 0);
	assert_eq!(book.accept(&ticket, &account(), NOW), Err(TicketError::Duplicate));
	// Another window under the same nonce; the same nonce in another epoch is another nonce.
	book.open(second.clone()).unwrap();
	assert_eq!(
		book.accept(&sign(honest(&second, 5)), &account(), NOW),
		Err(TicketError::Duplicate)
	);
	let other_epoch = Ticket {
		expiry: EARLIER,
		..honest(&second, 5)
	};
	assert_ne!(other_epoch.expiry / 600, honest(&second, 5).expiry / 600);
	assert!(book.accept(&sign(other_epoch), &account(), NOW).is_ok());
	// A new nonce does not pay the same window again.
	assert_eq!(
		book.accept(&sign(honest(&first, 6)), &account(), NOW),
		Err(TicketError::NotOwed)
	);
}

#[test]
fn closed_delivery_cannot_be_paid() {
	let (mut book, expectation) = (book(), expectation(0));
	book.open(expectation.clone()).unwrap();
	book.close(&expectation.commitment);
	assert_eq!(
		book.accept(&sign(honest(&expectation, 0)), &account(), NOW),
		Err(TicketError::NotOwed)
	);
}

#[test]
fn outcome_is_the_chains() {
	let mut book = book();
	let winning = win(&mut book, 0, &account()).unwrap();
	assert!(winning.is_winner());
	let never = Expectation {
		share: Share::Ticket {
			bytes: 65_536,
			face_value: 50_000,
			win_probability: 0,
		},
		..expectation(1)
	};
	book.open(never.clone()).unwrap();
	assert_eq!(
		book.accept(&sign(honest(&never, 1)), &account(), NOW),
		Ok(Outcome::Lost)
	);
	for serial in 2..60 {
		let expectation = expectation(serial);
		book.open(expectation.clone()).unwrap();
		let signed = sign(honest(&expectation, serial));
		let won = WinningTicket {
			signed: signed.clone(),
			rand: expectation.rand,
		};
		let expected = match won.is_winner() {
			true => Outcome::Won(won),
			false => Outcome::Lost,
		};
		assert_eq!(book.accept(&signed, &account(), NOW), Ok(expected));
	}
}

#[test]
fn money_must_be_there_for_all_that_is_unsettled() {
	let with = |change: &dyn Fn(&mut ViewerAccount)| {
		let mut account = account();
		change(&mut account);
		account
	};
	let refused = |account: &ViewerAccount| {
		let mut book = book();
		win(&mut book, 0, &fixture::account()).unwrap();
		win(&mut book, 1, account).unwrap_err()
	};
	assert_eq!(
		refused(&with(&|a| a.sessions.clear())),
		TicketError::Chain(Refusal::UnknownSession)
	);
	assert_eq!(
		refused(&with(&|a| a.sessions[0].expiry = EXPIRY - 1)),
		TicketError::Chain(Refusal::SessionExpired)
	);
	assert_eq!(
		refused(&with(&|a| a.sessions[0].spent = a.sessions[0].limit - 99_999)),
		TicketError::Chain(Refusal::SessionLimitReached)
	);
	assert_eq!(
		refused(&with(&|a| a.deposit = 99_999)),
		TicketError::Chain(Refusal::DepositTooSmall)
	);
	let leaving = |unlocks_at| {
		with(&|a| {
			a.deposit = 150_000;
			a.unlocking = Some(Unlocking {
				amount: 50_001,
				unlocks_at,
			})
		})
	};
	assert_eq!(refused(&leaving(EXPIRY)), TicketError::Chain(Refusal::DepositTooSmall));
	let enough = [
		leaving(EXPIRY + 1),
		with(&|a| a.deposit = 100_000),
		with(&|a| a.sessions[0].spent = a.sessions[0].limit - 100_000),
		with(&|a| a.sessions[0].expiry = EXPIRY),
	];
	for account in enough {
		let mut book = book();
		win(&mut book, 0, &fixture::account()).unwrap();
		assert!(win(&mut book, 1, &account).is_ok());
	}
}

#[test]
fn float_bounds_what_is_unsettled() {
	let mut book = TicketBook::new(BookConfig {
		float: 120_000,
		..book_config()
	});
	let first = win(&mut book, 0, &account()).unwrap();
	win(&mut book, 1, &account()).unwrap();
	assert_eq!(book.unsettled(&fixture::SENDER), 100_000);
	assert_eq!(win(&mut book, 2, &account()), Err(TicketError::FloatExceeded));
	book.settle(&first);
	book.settle(&first);
	assert_eq!(book.unsettled(&fixture::SENDER), 50_000);
	assert!(win(&mut book, 3, &account()).is_ok());
	book.prune(EXPIRY);
	assert_eq!(book.unsettled(&fixture::SENDER), 100_000);
	book.prune(EXPIRY + 1);
	assert_eq!(book.unsettled(&fixture::SENDER), 0);
}

#[test]
fn restored_winner_counts_and_blocks_its_nonce() {
	let winning = win(&mut book(), 7, &account()).unwrap();
	let mut restarted = book();
	restarted.restore(&winning);
	restarted.restore(&winning);
	assert_eq!(restarted.unsettled(&fixture::SENDER), 50_000);
	assert_eq!(win(&mut restarted, 7, &account()), Err(TicketError::Duplicate));
	restarted.settle(&winning);
	assert_eq!(restarted.unsettled(&fixture::SENDER), 0);
	// Paid, and its nonce stays spent until its epoch is over.
	assert_eq!(win(&mut restarted, 7, &account()), Err(TicketError::Duplicate));
}

#[test]
fn nonces_are_forgotten_only_when_their_epoch_is_over() {
	let mut book = book();
	win(&mut book, 7, &account()).unwrap();
	// Expiry 1,320 lies in epoch 2, which is over at block 1,800.
	book.prune(1_799);
	assert_eq!(book.nonces.len(), 1);
	book.prune(1_800);
	assert!(book.nonces.is_empty());
}

#[test]
fn book_is_bounded() {
	let mut book = TicketBook::new(BookConfig {
		max_expectations: 2,
		max_sessions: 1,
		..book_config()
	});
	book.open(expectation(0)).unwrap();
	book.open(expectation(1)).unwrap();
	assert_eq!(book.open(expectation(2)), Err(TicketError::BookFull));
	book.accept(&sign(honest(&expectation(0), 0)), &account(), NOW).unwrap();
	let other_epoch = Ticket {
		expiry: EARLIER,
		..honest(&expectation(1), 0)
	};
	assert_eq!(
		book.accept(&sign(other_epoch), &account(), NOW),
		Err(TicketError::BookFull)
	);
	assert!(book.accept(&sign(honest(&expectation(1), 1)), &account(), NOW).is_ok());
}

/// A delivery of 131,072 bytes at 2,000,000 per GB, paid by voucher.
fn voucher_due(serial: u64) -> Expectation {
	Expectation {
		share: Share::Voucher {
			bytes: 131_072,
			amount: 200,
		},
		..expectation(serial)
	}
}

fn voucher(amount: Balance, bytes: u64) -> Voucher {
	Voucher {
		sender: fixture::SENDER,
		session: fixture::session().key,
		recipient: RECIPIENT,
		stream: fixture::STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 3,
		amount,
		bytes,
		expiry: EXPIRY,
	}
}

/// Opens a delivery and judges a voucher for it.
fn judge(book: &mut TicketBook, serial: u64, voucher: Voucher, account: &ViewerAccount) -> Result<(), TicketError> {
	let expectation = voucher_due(serial);
	book.open(expectation.clone()).unwrap();
	let signed = fixture::session_key().sign(voucher, &GENESIS);
	let judged = book.accept_voucher(&expectation.commitment, &signed, account, NOW);
	book.close(&expectation.commitment);
	judged
}

#[test]
fn every_field_of_a_voucher_must_be_what_was_agreed() {
	let refused = |change: fn(&mut Voucher)| {
		let (mut book, mut changed) = (book(), voucher(200, 131_072));
		change(&mut changed);
		let error = judge(&mut book, 0, changed, &account()).unwrap_err();
		assert_eq!(book.unsettled(&fixture::SENDER), 0);
		assert_eq!(judge(&mut book, 0, voucher(200, 131_072), &account()), Ok(()));
		error
	};
	assert_eq!(refused(|v| v.recipient.0[0] ^= 1), TicketError::WrongRecipient);
	assert_eq!(refused(|v| v.session.0[0] ^= 1), TicketError::WrongSession);
	assert_eq!(
		refused(|v| v.sender.0[0] ^= 1),
		TicketError::Chain(Refusal::WrongSender)
	);
	assert_eq!(refused(|v| v.stream.0 += 1), TicketError::WrongStream);
	assert_eq!(refused(|v| v.kind = Kind::REPLAY), TicketError::WrongPurpose);
	assert_eq!(refused(|v| v.context.0[31] = 1), TicketError::WrongPurpose);
	assert_eq!(refused(|v| v.terms += 1), TicketError::WrongPurpose);
	assert_eq!(refused(|v| v.terms -= 1), TicketError::WrongPurpose);
	assert_eq!(refused(|v| v.amount -= 1), TicketError::VoucherTooLow);
	assert_eq!(refused(|v| v.bytes -= 65_536), TicketError::WrongBytes);
	assert_eq!(refused(|v| v.bytes += 1), TicketError::Chain(Refusal::BadBytes));
	// The bound is 4,000,000 per GB: 524 for these bytes.
	assert_eq!(refused(|v| v.amount = 525), TicketError::VoucherTooDear);
	assert_eq!(refused(|v| v.amount = u128::MAX), TicketError::VoucherTooDear);
	let off_grid = TicketError::Chain(Refusal::ExpiryOffGrid);
	assert_eq!(refused(|v| v.expiry += 1), off_grid);
	assert_eq!(refused(|v| v.expiry = 960), TicketError::Chain(Refusal::Expired));
	assert_eq!(refused(|v| v.expiry = NOW), TicketError::ExpiryTooSoon);
	assert_eq!(refused(|v| v.expiry = NOW + 60), TicketError::ExpiryTooSoon);
	assert_eq!(
		refused(|v| v.expiry = NOW + 660),
		TicketError::Chain(Refusal::ExpiryTooFar)
	);
	for fine in [voucher(524, 131_072), voucher(250, 196_608)] {
		assert_eq!(judge(&mut book(), 0, fine, &account()), Ok(()));
	}
}

/// The attack: a viewer waits with its payment until its vouchers under the old terms are worth nothing, and has the one
/// that is still paid replaced.
#[test]
fn no_voucher_under_old_terms_replaces_one_that_is_paid() {
	let judged = |from: BlockNumber| {
		let mut book = book();
		book.supersede(3, from);
		judge(&mut book, 0, voucher(200, 131_072), &account())
	};
	// Signed 600 blocks before it expires, as far as the chain can tell.
	let signed_at = EXPIRY - fixture::MAX_TICKET_LIFE;
	assert_eq!(judged(signed_at + 1), Ok(()));
	assert_eq!(judged(signed_at), Err(TicketError::Chain(Refusal::WrongTerms)));
	let mut book = book();
	book.supersede(2, 0);
	assert_eq!(judge(&mut book, 0, voucher(200, 131_072), &account()), Ok(()), "others");
}

#[test]
fn voucher_must_be_signed_by_the_session_for_this_chain() {
	let expectation = voucher_due(0);
	let mut book = book();
	book.open(expectation.clone()).unwrap();
	let message = voucher(200, 131_072);
	let bad = Err(TicketError::Chain(Refusal::BadSignature));
	for signed in [
		fixture::relayer_key().sign(message.clone(), &GENESIS),
		fixture::session_key().sign(message.clone(), &Hash([0; 32])),
	] {
		let judged = book.accept_voucher(&expectation.commitment, &signed, &account(), NOW);
		assert_eq!(judged, bad);
	}
	assert_eq!(judge(&mut book, 0, message, &account()), Ok(()));
}

#[test]
fn each_voucher_exceeds_the_one_before() {
	let mut book = book();
	let mut next = |serial, amount, bytes| judge(&mut book, serial, voucher(amount, bytes), &account());
	assert_eq!(next(0, 200, 131_072), Ok(()));
	assert_eq!(next(1, 200, 131_072), Err(TicketError::VoucherTooLow));
	assert_eq!(next(1, 399, 262_144), Err(TicketError::VoucherTooLow));
	assert_eq!(next(1, 400, 196_608), Err(TicketError::WrongBytes));
	assert_eq!(next(1, 400, 262_144), Ok(()));
	assert_eq!(book.unsettled(&fixture::SENDER), 400);
}

#[test]
fn mode_is_the_agreed_one() {
	let mut book = book();
	let ticket_due = expectation(0);
	book.open(ticket_due.clone()).unwrap();
	let signed = fixture::session_key().sign(voucher(200, 131_072), &GENESIS);
	let judged = book.accept_voucher(&ticket_due.commitment, &signed, &account(), NOW);
	assert_eq!(judged, Err(TicketError::WrongMode));
	let by_voucher = voucher_due(1);
	book.open(by_voucher.clone()).unwrap();
	let ticket = Ticket {
		commitment: by_voucher.commitment,
		..honest(&ticket_due, 0)
	};
	assert_eq!(book.accept(&sign(ticket), &account(), NOW), Err(TicketError::WrongMode));
	let unknown = book.accept_voucher(&Hash([0; 32]), &signed, &account(), NOW);
	assert_eq!(unknown, Err(TicketError::NotOwed));
}

#[test]
fn vouchers_add_up_apart_for_each_kind_context_and_terms() {
	let mut book = book();
	let places: [fn(&mut Expectation); 4] = [
		|_| {},
		|e| e.kind = Kind::REPLAY,
		|e| e.context = Hash([1; 32]),
		|e| e.terms += 1,
	];
	let mut next = |serial, place: fn(&mut Expectation), amount, bytes| {
		let mut expectation = voucher_due(serial);
		place(&mut expectation);
		book.open(expectation.clone()).unwrap();
		let voucher = Voucher {
			kind: expectation.kind,
			context: expectation.context,
			terms: expectation.terms,
			..voucher(amount, bytes)
		};
		let signed = fixture::session_key().sign(voucher, &GENESIS);
		let judged = book.accept_voucher(&expectation.commitment, &signed, &account(), NOW);
		book.close(&expectation.commitment);
		(judged, book.unsettled(&fixture::SENDER))
	};
	for (serial, place) in (0..).zip(places) {
		assert_eq!(
			next(serial, place, 200, 131_072),
			(Ok(()), 200 * (serial + 1) as Balance)
		);
	}
	for (serial, place) in (4..).zip(places) {
		assert_eq!(next(serial, place, 399, 262_144).0, Err(TicketError::VoucherTooLow));
		assert_eq!(
			next(serial, place, 400, 262_144),
			(Ok(()), 200 * (serial + 1) as Balance)
		);
	}
}

/// What the meter asks at the highest price of a stream is what the book takes, voucher by voucher.
#[test]
fn vouchers_at_the_highest_price_are_taken() {
	let mut book = TicketBook::new(BookConfig {
		max_price_per_gb: 20_000,
		..book_config()
	});
	let (mut meter, mode) = (crate::Meter::default(), crate::PaymentMode::Vouchers { newest: None });
	let (mut owed, mut stated) = (0, 0);
	for serial in 0..6 {
		let share = meter.charge(375_000, 20_000, &mode).unwrap().unwrap();
		let Share::Voucher { bytes, amount } = share else {
			panic!("{share:?}");
		};
		(owed, stated) = (owed + amount, stated + bytes);
		let expectation = Expectation {
			share,
			..expectation(serial)
		};
		book.open(expectation.clone()).unwrap();
		let signed = fixture::session_key().sign(voucher(owed, stated), &GENESIS);
		let judged = book.accept_voucher(&expectation.commitment, &signed, &account(), NOW);
		assert_eq!(judged, Ok(()), "voucher {serial}");
	}
	assert_eq!(owed, 45);
}

#[test]
fn vouchers_and_winners_share_deposit_limit_and_float() {
	let refused = |change: fn(&mut ViewerAccount), float: Balance| {
		let mut book = TicketBook::new(BookConfig { float, ..book_config() });
		let mut account = account();
		change(&mut account);
		win(&mut book, 7, &account).unwrap();
		judge(&mut book, 0, voucher(200, 131_072), &account)
	};
	let deposit = Err(TicketError::Chain(Refusal::DepositTooSmall));
	let limit = Err(TicketError::Chain(Refusal::SessionLimitReached));
	let wide = 1_000_000;
	assert_eq!(refused(|a| a.deposit = 50_200, wide), Ok(()));
	assert_eq!(refused(|a| a.deposit = 50_199, wide), deposit);
	assert_eq!(refused(|a| a.sessions[0].limit = 50_200, wide), Ok(()));
	assert_eq!(refused(|a| a.sessions[0].limit = 50_199, wide), limit);
	assert_eq!(refused(|_| {}, 50_200), Ok(()));
	assert_eq!(refused(|_| {}, 50_199), Err(TicketError::FloatExceeded));
}

#[test]
fn settled_vouchers_burden_nobody_and_are_remembered() {
	let mut book = book();
	let first = voucher(200, 131_072);
	judge(&mut book, 0, first.clone(), &account()).unwrap();
	judge(&mut book, 1, voucher(400, 262_144), &account()).unwrap();
	book.settle_voucher(&first, 200);
	assert_eq!(book.unsettled(&fixture::SENDER), 200);
	let mut restored = self::book();
	restored.restore_voucher(&voucher(400, 262_144), 200, NOW);
	assert_eq!(restored.unsettled(&fixture::SENDER), 200);
	restored.restore_voucher(&voucher(200, 131_072), 0, NOW);
	assert_eq!(
		restored.unsettled(&fixture::SENDER),
		200,
		"an older one changes nothing"
	);
	let again = judge(&mut restored, 1, voucher(400, 262_144), &account());
	assert_eq!(again, Err(TicketError::VoucherTooLow));
	// Also one that had expired is remembered for a ticket's life, in which the next one comes.
	restored.prune(NOW + fixture::MAX_TICKET_LIFE);
	assert_eq!(restored.unsettled(&fixture::SENDER), 200);
	restored.prune(NOW + fixture::MAX_TICKET_LIFE + 1);
	assert_eq!(restored.unsettled(&fixture::SENDER), 0);
	let mut settled = self::book();
	settled.restore_voucher(&voucher(400, 262_144), 0, NOW);
	settled.settle_voucher(&first, 1_000);
	assert_eq!(
		settled.unsettled(&fixture::SENDER),
		0,
		"more was paid than this relayer has"
	);
}
