//! Every refusal, both ways, and what the book remembers.

use super::*;
use crate::{
	credit::Float,
	fixture::{self, account, book_config, GENESIS, RECIPIENT, STREAM},
};
use clustercast_primitives::{amount, chain::Unlocking, Signature, Ticket};
use TicketRefusal as Refusal;

const NOW: BlockNumber = 1_020;

/// On the grid.
const EXPIRY: BlockNumber = NOW + 300;

/// A delivery that takes two units, `serial` windows in.
fn expectation(serial: u64) -> Expectation {
	let rand = ticket::rand(&[9; 32], &fixture::session().key, &fixture::CHALLENGE, serial);
	Expectation {
		payer: fixture::session(),
		window: WindowId {
			stream: STREAM,
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
	book_with(book_config())
}

/// The session is being served.
fn book_with(config: BookConfig) -> TicketBook {
	let mut book = TicketBook::new(config);
	book.credit().at_block(NOW);
	book.credit().enter(&fixture::session()).unwrap();
	book
}

/// What the session signed for and did not pay yet.
fn unsettled(book: &mut TicketBook) -> Balance {
	book.credit().signed(&fixture::session())
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
		refusal(|t| t.nonce = u64::MAX),
		TicketError::Duplicate,
		"nothing could follow it, so it counts as spent"
	);
	// One ticket, seen from both ends of the time in which it is good.
	let judge = |now| {
		let (mut book, expectation) = (book(), expectation(0));
		book.open(expectation.clone()).unwrap();
		book.accept(&sign(honest(&expectation, 0)), &account(), now).map(|_| ())
	};
	assert_eq!(judge(EXPIRY - 601), Err(too_far));
	assert_eq!(judge(EXPIRY - 600), Ok(()));
	assert_eq!(judge(EXPIRY - 100), Ok(()));
	assert_eq!(judge(EXPIRY - 99), Err(TicketError::ExpiryTooSoon));
	assert_eq!(judge(EXPIRY), Err(TicketError::ExpiryTooSoon));
	assert_eq!(judge(EXPIRY + 1), Err(TicketError::Chain(Refusal::Expired)));
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
	// Another window under the same nonce, whenever it expires.
	book.open(second.clone()).unwrap();
	for expiry in [EXPIRY, EXPIRY + 60] {
		let again = Ticket {
			expiry,
			..honest(&second, 5)
		};
		assert_eq!(book.accept(&sign(again), &account(), NOW), Err(TicketError::Duplicate));
	}
	assert!(book.accept(&sign(honest(&second, 4)), &account(), NOW).is_ok());
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
	book.close(&expectation.commitment, Debt::Payers);
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

/// The attack: one deposit pays for what each of an account's sessions signed.
#[test]
fn what_an_accounts_other_session_signed_for_is_not_there_for_this_one() {
	let other = SessionKey {
		key: PublicKey([77; 32]),
		..fixture::session()
	};
	let refused = |deposit, reserved: Option<Balance>| {
		let mut book = book();
		book.credit().restore_winner(&other, 5, 50_000);
		let info = reserved.map(|open| ChannelInfo {
			open,
			counter: 1,
			ends_at: NOW + 10_000,
			..ChannelInfo::default()
		});
		book.credit().channel(&other, NOW, info);
		let account = ViewerAccount {
			deposit,
			reserved: reserved.unwrap_or(0),
			..account()
		};
		win(&mut book, 0, &account).map(|_| ())
	};
	let too_small = Err(TicketError::Chain(Refusal::DepositTooSmall));
	assert_eq!(refused(99_999, None), too_small);
	assert_eq!(refused(100_000, None), Ok(()));
	// What is reserved for it pays that, and counts once.
	assert_eq!(refused(100_000, Some(50_000)), Ok(()));
	assert_eq!(refused(99_999, Some(50_000)), too_small);
}

/// The attack: each of many accounts takes the float in winners and voids them. Accounts cost nothing.
#[test]
fn float_bounds_what_is_unsettled_over_all_accounts() {
	let mut config = book_config();
	config.credit.float = Float {
		value: 120_000,
		per_hour: 250_000,
		..fixture::FLOAT
	};
	let mut book = TicketBook::new(config);
	book.credit().at_block(NOW);
	let mut held = 0;
	for n in 0..100 {
		let key = clustercast_primitives::crypto::KeyPair::from_seed([100 + n; 32]);
		let payer = SessionKey {
			account: AccountId([n; 32]),
			key: key.public(),
		};
		let mut theirs = account();
		theirs.sessions[0].key = payer.key;
		book.credit().enter(&payer).unwrap();
		for serial in 0..3 {
			let mut expectation = sure_win(serial);
			expectation.payer = payer;
			expectation.rand = Hash([n; 32]);
			expectation.rand.0[0] = serial as u8;
			expectation.commitment = ticket::commitment(&expectation.rand);
			match book.open(expectation.clone()) {
				Ok(()) => {},
				Err(shortage) => {
					let expected = [Shortage::Reservation, Shortage::Pool][usize::from(held >= 250_000)];
					assert!(
						held > 0 && (serial == 2 || shortage == expected),
						"{n} {serial} {shortage}"
					);
					continue;
				},
			}
			let signed = key.sign(honest(&expectation, serial), &GENESIS);
			assert!(matches!(book.accept(&signed, &theirs, NOW), Ok(Outcome::Won(_))));
			held += 50_000;
		}
	}
	assert_eq!(held, 250_000);
}

#[test]
fn restored_winner_counts_and_blocks_its_nonce() {
	let winning = win(&mut book(), 7, &account()).unwrap();
	let mut restarted = book();
	restarted.restore(&winning);
	restarted.restore(&winning);
	assert_eq!(unsettled(&mut restarted), 50_000);
	assert_eq!(win(&mut restarted, 7, &account()), Err(TicketError::Duplicate));
	restarted.settle(&winning, NOW, true);
	assert_eq!(unsettled(&mut restarted), 0);
	assert_eq!(win(&mut restarted, 7, &account()), Err(TicketError::Duplicate));
}

/// The attack: the counter jumps; what is signed below it is too old for the chain once what lies above is redeemed.
#[test]
fn nonce_that_jumped_cannot_go_back() {
	let mut book = book();
	win(&mut book, 8_000, &account()).unwrap();
	let too_old = Err(TicketError::Chain(Refusal::NonceTooOld));
	assert_eq!(win(&mut book, 8_000 - 128, &account()), too_old);
	assert!(win(&mut book, 8_000 - 127, &account()).is_ok());
	assert!(win(&mut book, 8_001, &account()).is_ok());
}

/// A relayer that lost its store learns from the chain which nonces are spent.
#[test]
fn nonces_that_the_chain_has_redeemed_are_not_taken_again() {
	let mut book = book();
	let info = ChannelInfo {
		next_nonce: 50,
		..ChannelInfo::default()
	};
	book.channel(&fixture::session(), 1, Some(info));
	assert_eq!(win(&mut book, 49, &account()), Err(TicketError::Duplicate));
	assert!(win(&mut book, 50, &account()).is_ok());
}

#[test]
fn nonces_are_forgotten_with_what_the_session_owes() {
	let mut book = book();
	let winning = win(&mut book, 7, &account()).unwrap();
	book.credit().leave(&fixture::session(), true);
	book.prune(NOW + 1);
	assert_eq!(book.nonces.len(), 1, "the winner is not redeemed");
	book.settle(&winning, NOW, true);
	book.prune(NOW + 2);
	assert!(book.nonces.is_empty());
}

#[test]
fn book_is_bounded() {
	let mut config = book_config();
	config.max_expectations = 2;
	config.credit.max_sessions = 1;
	let mut book = book_with(config);
	book.open(expectation(0)).unwrap();
	book.open(expectation(1)).unwrap();
	assert_eq!(book.open(expectation(2)), Err(Shortage::Full));
	let other = SessionKey {
		account: AccountId([1; 32]),
		..fixture::session()
	};
	assert_eq!(book.credit().enter(&other), Err(Shortage::Full));
	assert_eq!(
		book.credit().enter(&fixture::session()),
		Ok(()),
		"another subscription of it"
	);
	let stranger = Expectation {
		payer: other,
		..expectation(3)
	};
	book.close(&expectation(1).commitment, Debt::Ours);
	assert_eq!(book.open(stranger), Err(Shortage::Full));
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
		stream: STREAM,
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
	book.close(&expectation.commitment, Debt::Ours);
	judged
}

#[test]
fn every_field_of_a_voucher_must_be_what_was_agreed() {
	let refused = |change: fn(&mut Voucher)| {
		let (mut book, mut changed) = (book(), voucher(200, 131_072));
		change(&mut changed);
		let error = judge(&mut book, 0, changed, &account()).unwrap_err();
		assert_eq!(unsettled(&mut book), 0);
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

/// The attack: the terms change in the middle, and what is owed under the old ones is signed too late to be redeemed.
#[test]
fn voucher_under_old_terms_is_taken_as_long_as_it_can_be_redeemed() {
	let judged = |from: BlockNumber| {
		let mut book = book();
		book.supersede(STREAM, 3, Some(from));
		judge(&mut book, 0, voucher(200, 131_072), &account())
	};
	// The chain pays it for 600 blocks from there, of which 100 are needed to redeem it.
	assert_eq!(judged(NOW - 499), Ok(()));
	assert_eq!(judged(NOW - 500), Err(TicketError::Chain(Refusal::WrongTerms)));
	let mut book = book();
	book.supersede(STREAM, 2, Some(0));
	assert_eq!(judge(&mut book, 0, voucher(200, 131_072), &account()), Ok(()), "others");
}

/// The attack: the terms change to dearer ones, and the last voucher under the old ones owes what only those allow. It takes
/// the place of those before it, and the chain pays none of it.
#[test]
fn voucher_owes_no_more_than_its_own_terms_allow() {
	let mut book = book();
	book.set_max_price(STREAM, 3, 4_000_000);
	assert_eq!(judge(&mut book, 0, voucher(524, 131_072), &account()), Ok(()));
	book.superseded(STREAM, 3, NOW);
	book.set_max_price(STREAM, 4, 8_000_000);
	let dear = voucher(1_049, 262_144);
	assert_eq!(
		judge(&mut book, 1, dear.clone(), &account()),
		Err(TicketError::VoucherTooDear)
	);
	assert_eq!(judge(&mut book, 1, voucher(1_048, 262_144), &account()), Ok(()));
	// And what was known of terms long ago is forgotten.
	book.set_max_price(STREAM, 5, 8_000_000);
	assert_eq!(book.terms.len(), KNOWN_TERMS);
}

/// A relayer serves many streams, whose terms count from 0 each.
#[test]
fn terms_of_one_stream_are_not_those_of_another() {
	let other = StreamId(STREAM.0 + 1);
	let mut book = book();
	book.set_max_price(STREAM, 3, 4_000_000);
	book.set_max_price(other, 3, 1);
	book.supersede(other, 3, Some(0));
	book.superseded(other, 3, 0);
	for terms in 4..10 {
		book.set_max_price(other, terms, 1);
	}
	assert_eq!(book.terms.len(), 1 + KNOWN_TERMS, "what is forgotten is its own");
	assert_eq!(judge(&mut book, 0, voucher(524, 131_072), &account()), Ok(()));
	let dear = judge(&mut book, 1, voucher(1_049, 262_144), &account());
	assert_eq!(dear, Err(TicketError::VoucherTooDear));
}

/// Another payee may begin at once: that is heard of some blocks later.
#[test]
fn terms_that_ended_unannounced_end_when_that_is_heard_of() {
	let judged = |ended: BlockNumber| {
		let mut book = book();
		book.superseded(STREAM, 3, ended);
		book.supersede(STREAM, 4, Some(NOW + 1_000));
		judge(&mut book, 0, voucher(200, 131_072), &account())
	};
	assert_eq!(judged(NOW - 499), Ok(()));
	assert_eq!(judged(NOW - 500), Err(TicketError::Chain(Refusal::WrongTerms)));
	let mut book = book();
	book.supersede(STREAM, 3, Some(NOW - 500));
	book.superseded(STREAM, 3, NOW - 490);
	let late = judge(&mut book, 0, voucher(200, 131_072), &account());
	assert_eq!(
		late,
		Err(TicketError::Chain(Refusal::WrongTerms)),
		"announced for an earlier block"
	);
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
	assert_eq!(unsettled(&mut book), 400);
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
		book.close(&expectation.commitment, Debt::Ours);
		(judged, unsettled(&mut book))
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
	let mut book = book_with(BookConfig {
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
fn vouchers_and_winners_share_deposit_and_limit_beside_what_is_reserved() {
	let refused = |open: Balance, change: fn(&mut ViewerAccount)| {
		let (mut book, mut account) = (book(), account());
		let info = ChannelInfo {
			open,
			ends_at: NOW + 10_000,
			..ChannelInfo::default()
		};
		book.channel(&fixture::session(), 1, Some(info));
		win(&mut book, 7, &account).unwrap();
		change(&mut account);
		judge(&mut book, 0, voucher(200, 131_072), &account)
	};
	let deposit = Err(TicketError::Chain(Refusal::DepositTooSmall));
	let limit = Err(TicketError::Chain(Refusal::SessionLimitReached));
	assert_eq!(refused(0, |a| a.deposit = 50_200), Ok(()));
	assert_eq!(refused(0, |a| a.deposit = 50_199), deposit);
	assert_eq!(refused(0, |a| a.sessions[0].limit = 50_200), Ok(()));
	assert_eq!(refused(0, |a| a.sessions[0].limit = 50_199), limit);
	// What is reserved for others pays nobody else; what is reserved for us, us alone.
	assert_eq!(refused(0, |a| (a.deposit, a.reserved) = (60_199, 10_000)), deposit);
	assert_eq!(refused(10_000, |a| (a.deposit, a.reserved) = (50_200, 10_000)), Ok(()));
	assert_eq!(refused(10_000, |a| (a.deposit, a.reserved) = (50_199, 10_000)), deposit);
	// The attacks: all that is free is given away as a tip, or the session's limit is used up by tickets to oneself.
	assert_eq!(refused(50_200, |a| (a.deposit, a.reserved) = (50_200, 50_200)), Ok(()));
	assert_eq!(refused(50_200, |a| a.sessions[0].spent = a.sessions[0].limit), Ok(()));
	assert_eq!(refused(50_199, |a| a.sessions[0].spent = a.sessions[0].limit), limit);
}

#[test]
fn settled_vouchers_burden_nobody_and_are_remembered() {
	let mut book = book();
	let first = voucher(200, 131_072);
	judge(&mut book, 0, first.clone(), &account()).unwrap();
	judge(&mut book, 1, voucher(400, 262_144), &account()).unwrap();
	book.settle_voucher(&first, 200, NOW, true);
	assert_eq!(unsettled(&mut book), 200);
	let mut restored = self::book();
	restored.restore_voucher(&voucher(400, 262_144), 200, NOW);
	assert_eq!(unsettled(&mut restored), 200);
	restored.restore_voucher(&voucher(200, 131_072), 0, NOW);
	assert_eq!(unsettled(&mut restored), 200, "an older one changes nothing");
	let again = judge(&mut restored, 1, voucher(400, 262_144), &account());
	assert_eq!(again, Err(TicketError::VoucherTooLow));
	// What is owed counts until it is settled, also when the voucher is forgotten.
	restored.prune(NOW + fixture::MAX_TICKET_LIFE + 1);
	assert_eq!(unsettled(&mut restored), 200);
	restored.settle_voucher(&first, 1_000, NOW, true);
	assert_eq!(unsettled(&mut restored), 0, "more was paid than this relayer has");
}
