//! The desk against viewers who pay, who do not, and who come back.

mod price;
mod shut;

use super::*;
use crate::{
	accounts::{tests::Fake, Pace},
	door::MIN_TICKET_LIFE,
	payment::{Payment, Rule},
	streams::Offer,
};
use clustercast_chain::Head;
use clustercast_primitives::{
	amount::TICKET_BYTES,
	chain::{SessionInfo, ViewerAccount, VoucherTotals},
	channel::Reservation,
	crypto::KeyPair,
	subscribe::{Binding, Subscription, Tracks},
	ticket, StreamId, Ticket, WindowId,
};
use clustercast_protocol::{credit::HOUR, BookConfig, CreditConfig, Float, Follow, Payer, Share, Start};
use std::{path::Path, sync::atomic::AtomicUsize, time::Duration};

const GENESIS: Hash = Hash([7; 32]);
const STREAM: StreamId = StreamId(3);
const RECIPIENT: AccountId = AccountId([2; 32]);
const VIEWER: AccountId = AccountId([1; 32]);
const FACE: Balance = 100;
/// A unit of tickets costs 655.
const PRICE: u64 = 10_000_000;
pub(crate) const NOW: BlockNumber = 1_050;
/// On the grid, and just far enough ahead.
const EXPIRY: BlockNumber = NOW + MIN_TICKET_LIFE;

fn session() -> KeyPair {
	KeyPair::from_seed([4; 32])
}

/// Just enough for a ticket, for a few of them with `times`.
fn account(times: Balance) -> ViewerAccount {
	let session = SessionInfo {
		key: session().public(),
		limit: FACE * times + 50,
		spent: 50,
		extra_limit: 0,
		extra_spent: 0,
		expiry: NOW + MIN_TICKET_LIFE,
		registered: 1,
	};
	ViewerAccount {
		deposit: FACE * times,
		sessions: vec![session],
		..ViewerAccount::default()
	}
}

fn book_config() -> BookConfig {
	BookConfig {
		genesis: GENESIS,
		recipient: RECIPIENT,
		max_ticket_life: 600,
		min_ticket_life: MIN_TICKET_LIFE,
		min_face_value: 1,
		credit: CreditConfig {
			float: Float {
				bytes: 1 << 20,
				value: 10 * FACE,
				per_hour: 100 * FACE,
			},
			margin: 300,
			least: 1,
			max_sessions: 100,
		},
		max_expectations: 100,
		max_price_per_gb: PRICE,
	}
}

/// A desk as it is after a start with this folder.
fn desk(dir: &Path, account: ViewerAccount) -> Desk<Fake> {
	counting_desk(dir, account, &Arc::default())
}

/// It counts in `asked` how often the chain is asked for an account.
fn counting_desk(dir: &Path, account: ViewerAccount, asked: &Arc<AtomicUsize>) -> Desk<Fake> {
	let store = Arc::new(Store::open(&dir.join("winners.redb"), &GENESIS).unwrap());
	desk_with(store, account, asked)
}

fn desk_with(store: Arc<Store>, account: ViewerAccount, asked: &Arc<AtomicUsize>) -> Desk<Fake> {
	let mut book = TicketBook::new(book_config());
	store
		.winners()
		.unwrap()
		.iter()
		.for_each(|(_, winner)| book.restore(&winner.ticket));
	let load = Arc::new(Load::new(100, None));
	let auto = Rule::new(Payment::Auto, PRICE, FACE, Duration::from_secs(300));
	Desk {
		streams: [served(STREAM, PRICE, auto, &load)].into_iter().collect(),
		load,
		recipient: RECIPIENT,
		face_value: FACE,
		credit: 2 * TICKET_BYTES as u32,
		interval: 0,
		max_ticket_life: 600,
		signer: Arc::new(ReceiptSigner::new(KeyPair::from_seed([5; 32]), [6; 32])),
		accounts: Accounts::new(
			Fake {
				account,
				known: NOW,
				asked: asked.clone(),
				..Fake::default()
			},
			Pace::default(),
		),
		tip: Tip::fixed(Head {
			best: NOW,
			finalised: NOW,
		}),
		recorder: Recorder::start(store.clone(), 10 * FACE).unwrap(),
		held: Arc::new(Semaphore::new(MAX_HELD)),
		store,
		book: Mutex::new(book),
		reserve: None,
		genesis: GENESIS,
		orders: mpsc::channel(1).0,
		leniency: Mutex::default(),
		pending: Mutex::default(),
		carries: Default::default(),
		directory: Default::default(),
	}
}

/// A stream with a hundred places, at most so dear.
fn served(id: StreamId, highest: u64, rule: Rule, load: &Arc<Load>) -> Served {
	let offer = Offer {
		baseline: PRICE,
		highest,
		places: 100,
		rule,
	};
	Served::new(id, offer, 0, load.clone())
}

/// The one that this desk serves.
fn stream(desk: &Desk<Fake>) -> &Served {
	desk.streams.get(STREAM).unwrap()
}

/// Its viewers are asked for vouchers.
fn ask_for_vouchers(desk: &mut Desk<Fake>) {
	let rule = Rule::new(Payment::Vouchers, PRICE, FACE, Duration::ZERO);
	desk.streams = [served(STREAM, PRICE, rule, &desk.load)].into_iter().collect();
}

/// What the session owes.
fn owed(desk: &Desk<Fake>) -> Balance {
	desk.book().credit().signed(&who_pays())
}

pub(crate) fn who_pays() -> SessionKey {
	SessionKey {
		account: VIEWER,
		key: session().public(),
	}
}

/// Signed by this key for the account; nothing here looks at the signature.
fn payer(key: &KeyPair, vouchers: bool) -> Payer {
	let subscription = Subscription {
		account: VIEWER,
		session: key.public(),
		stream: STREAM,
		tracks: tracks(&[TRACK]),
		challenge: Hash([1; 32]),
		binding: Binding::PeerKey([2; 32]),
	};
	Payer {
		subscription: key.sign(subscription, &GENESIS),
		vouchers,
	}
}

fn tracks(tracks: &[TrackId]) -> Tracks {
	tracks.to_vec().try_into().unwrap()
}

fn request() -> Subscribe {
	Subscribe {
		genesis: GENESIS,
		stream: STREAM,
		tracks: tracks(&[TRACK]),
		start: Start::Live,
		follow: Follow::Windows,
		payer: Some(payer(&session(), false)),
	}
}

async fn seat(desk: &Desk<Fake>) -> Seat {
	desk.subscribe(PublicKey([0; 32]), &request()).await.unwrap().1
}

/// Of a viewer who pays by ticket.
pub(crate) async fn seat_of(desk: &Desk<Fake>) -> Seat {
	seat(desk).await
}

async fn refusal(desk: &Desk<Fake>, request: &Subscribe) -> EndReason {
	desk.subscribe(PublicKey([0; 32]), request)
		.await
		.map(|_| ())
		.unwrap_err()
}

/// What a window of 1,000 bytes brings.
fn expectation(seat: &Seat, serial: u8, share: Share) -> Expectation {
	let rand = Hash([serial; 32]);
	Expectation {
		payer: seat.payer,
		window: WindowId {
			stream: STREAM,
			segment: serial.into(),
			..WindowId::default()
		},
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		share,
		commitment: ticket::commitment(&rand),
		rand,
	}
}

/// A window that was delivered, and the viewer's ticket for it; it wins with this probability of 2^64. It is worth 10.
fn sell(desk: &Desk<Fake>, seat: &Seat, nonce: u8, win_probability: u64) -> SignedTicket {
	let share = Share::Ticket {
		bytes: 1_000,
		face_value: FACE,
		win_probability,
	};
	let expectation = expectation(seat, nonce, share);
	let message = Ticket {
		sender: VIEWER,
		session: session().public(),
		recipient: RECIPIENT,
		stream: STREAM,
		kind: expectation.kind,
		context: expectation.context,
		bytes: 1_000,
		face_value: FACE,
		win_probability,
		commitment: expectation.commitment,
		nonce: nonce.into(),
		expiry: EXPIRY,
	};
	assert!(desk.lend(seat, expectation).unwrap());
	session().sign(message, &GENESIS)
}

/// A window that is to be paid by voucher, and its commitment.
fn delivery(seat: &Seat, serial: u8) -> (Hash, Expectation) {
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 10,
	};
	let expectation = expectation(seat, serial, share);
	(expectation.commitment, expectation)
}

/// A window that was delivered against a voucher, and the voucher that owes so much in all.
fn sell_by_voucher(desk: &Desk<Fake>, seat: &Seat, serial: u8, amount: Balance) -> (Hash, SignedVoucher) {
	let (commitment, expectation) = delivery(seat, serial);
	let voucher = Voucher {
		sender: VIEWER,
		session: session().public(),
		recipient: RECIPIENT,
		stream: STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount,
		bytes: amount.div_ceil(10) as u64 * TICKET_BYTES,
		expiry: EXPIRY,
	};
	assert!(desk.lend(seat, expectation).unwrap());
	(commitment, session().sign(voucher, &GENESIS))
}

/// Subscribes as a viewer who takes part in vouchers.
pub(crate) async fn modern(desk: &Desk<Fake>) -> (Terms, Seat) {
	let mut request = request();
	request.payer.as_mut().unwrap().vouchers = true;
	match desk.subscribe(PublicKey([0; 32]), &request).await.unwrap() {
		(Grant::Paid(terms, _), seat) => (terms, seat),
		(Grant::Free, _) => panic!("served for nothing"),
	}
}

const TICKETS: PaymentMode = PaymentMode::Tickets { face_value: FACE };

#[tokio::test]
async fn stranger_pays_by_ticket_and_goes_on_by_voucher_once_it_is_worth_it() {
	let dir = tempfile::tempdir().unwrap();
	let newest = {
		let desk = desk(dir.path(), account(5));
		let (terms, seat) = modern(&desk).await;
		assert_eq!(terms.mode, TICKETS);
		for nonce in 0..30 {
			assert_eq!(
				desk.restate(&seat),
				None,
				"{nonce} windows of 10 bring less than three tickets, whose fees are a channel's"
			);
			let due = sell(&desk, &seat, nonce, 0);
			desk.ticket(&seat, due).await.unwrap();
		}
		assert_eq!(desk.restate(&seat), Some((PaymentMode::Vouchers { newest: None }, 0)));
		assert_eq!(desk.restate(&seat), None, "once");
		for (serial, amount) in [(20, 10), (21, 20)] {
			let (commitment, voucher) = sell_by_voucher(&desk, &seat, serial, amount);
			desk.voucher(&seat, commitment, voucher.clone()).await.unwrap();
			// On disk when it is acknowledged.
			assert_eq!(desk.kept(stream(&desk), &seat.payer).unwrap().unwrap().newest, voucher);
		}
		// Another subscription of the same session begins where this one is.
		let newest = desk.kept(stream(&desk), &seat.payer).unwrap().map(|kept| kept.newest);
		assert_eq!(
			modern(&desk).await.0.mode,
			PaymentMode::Vouchers { newest: newest.clone() }
		);
		newest
	};
	// After a restart it is a stranger, until what its voucher owes says otherwise.
	let desk = desk(dir.path(), account(5));
	let (terms, seat) = modern(&desk).await;
	assert_eq!(terms.mode, TICKETS);
	for nonce in 0..28 {
		let due = sell(&desk, &seat, nonce, 0);
		desk.ticket(&seat, due).await.unwrap();
	}
	assert_eq!(desk.restate(&seat), Some((PaymentMode::Vouchers { newest }, 0)));
	let (commitment, old) = sell_by_voucher(&desk, &seat, 30, 20);
	let too_low = Err(EndReason::TicketRefused(TicketError::VoucherTooLow));
	assert_eq!(desk.voucher(&seat, commitment, old).await, too_low);
	let (commitment, next) = sell_by_voucher(&desk, &seat, 31, 30);
	desk.voucher(&seat, commitment, next).await.unwrap();
	assert_eq!(owed(&desk), 30);
}

/// The attack: revoke the session, and sign for longer than it lasts before the relayer has looked. The newest voucher
/// replaces those before it, so all that was owed would be void with it.
#[tokio::test]
async fn nothing_is_taken_that_a_session_may_not_outlast_for_all_we_know() {
	let dir = tempfile::tempdir().unwrap();
	let mut account = account(50);
	account.sessions[0].expiry = NOW + 10_000;
	let mut desk = desk(dir.path(), account.clone());
	ask_for_vouchers(&mut desk);
	// The account is as in the block before: a session revoked in this one lasts until `NOW + 600`.
	let last = (NOW + 600) / 60 * 60;
	let known = last - 601;
	assert!(known < NOW);
	let fake = Fake {
		account,
		known,
		..Fake::default()
	};
	desk.accounts = Accounts::new(fake, Pace::default());
	let seat = modern(&desk).await.1;
	let voucher = |serial: u8, expiry| {
		let (commitment, voucher) = sell_by_voucher(&desk, &seat, serial, 10 * Balance::from(serial));
		let message = Voucher {
			expiry,
			..voucher.message
		};
		(commitment, session().sign(message, &GENESIS))
	};
	let (commitment, first) = voucher(1, last - 60);
	desk.voucher(&seat, commitment, first.clone()).await.unwrap();
	let too_far = Err(EndReason::TicketRefused(TicketError::Chain(
		TicketRefusal::ExpiryTooFar,
	)));
	let (commitment, late) = voucher(2, last);
	assert_eq!(desk.voucher(&seat, commitment, late).await, too_far);
	assert_eq!(desk.kept(stream(&desk), &seat.payer).unwrap().unwrap().newest, first);
	let ticket = sell(&desk, &seat, 3, ticket::CERTAIN);
	let message = Ticket {
		expiry: last,
		..ticket.message
	};
	assert_eq!(desk.ticket(&seat, session().sign(message, &GENESIS)).await, too_far);
}

#[tokio::test]
async fn vouchers_are_only_asked_where_none_is_missing() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	ask_for_vouchers(&mut desk);
	let seat = seat(&desk).await;
	assert_eq!(desk.restate(&seat), None, "this viewer takes no part in it");
	assert_eq!(modern(&desk).await.0.mode, PaymentMode::Vouchers { newest: None });
	let with = |paid| {
		let fake = Fake {
			account: account(5),
			known: NOW,
			paid,
			..Fake::default()
		};
		Accounts::new(fake, Pace::default())
	};
	let paid = |amount, bytes| VoucherTotals { amount, bytes };
	let (commitment, newest) = sell_by_voucher(&desk, &seat, 1, 10);
	desk.voucher(&seat, commitment, newest.clone()).await.unwrap();
	let vouchers = PaymentMode::Vouchers { newest: Some(newest) };
	for (paid, expected) in [
		(paid(10, TICKET_BYTES), &vouchers),
		(paid(0, 0), &vouchers),
		(paid(11, TICKET_BYTES), &TICKETS),
		(paid(10, TICKET_BYTES + 1), &TICKETS),
	] {
		desk.accounts = with(paid);
		let (terms, seat) = modern(&desk).await;
		assert_eq!((&terms.mode, desk.restate(&seat)), (expected, None), "{paid:?}");
	}
}

#[tokio::test]
async fn what_the_chain_settles_burdens_nobody() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let seat = modern(&desk).await.1;
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 1, 10);
	desk.voucher(&seat, commitment, voucher.clone()).await.unwrap();
	desk.settle_voucher(&voucher.message, 7, NOW, true);
	assert_eq!(owed(&desk), 3);
	desk.settle_voucher(&voucher.message, 3, NOW, false);
	assert_eq!(owed(&desk), 0);
}

/// A viewer of this desk, to which so much is not worth a fee, leaves in order and owes a little less: how much, and where.
pub(crate) async fn owes(desk: &mut Desk<Fake>, least: Balance) -> (Balance, VoucherPlace) {
	*desk.book() = TicketBook::new(BookConfig {
		credit: CreditConfig {
			least: least + 1,
			..book_config().credit
		},
		..book_config()
	});
	desk.at_block(NOW);
	ask_for_vouchers(desk);
	*desk.accounts.ledger().channel.lock().unwrap() = Some(channel(1, 2_000));
	let seat = modern(desk).await.1;
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: least,
	};
	let expectation = expectation(&seat, 1, share);
	let voucher = Voucher {
		sender: VIEWER,
		session: session().public(),
		recipient: RECIPIENT,
		stream: STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount: least,
		bytes: TICKET_BYTES,
		expiry: EXPIRY,
	};
	let place = voucher.place();
	let commitment = expectation.commitment;
	assert!(desk.lend(&seat, expectation).unwrap());
	let signed = session().sign(voucher, &GENESIS);
	desk.voucher(&seat, commitment, signed).await.unwrap();
	desk.closed(Some(seat), Unpaid::default(), &Closed::Left);
	(least, place)
}

/// What a desk asks for in these tests.
const ASKED: ReserveTerms = ReserveTerms { least: 1, reward: 5 };

pub(crate) fn reservation(counter: u32, cap: Balance) -> SignedReservation {
	let reservation = Reservation {
		sender: VIEWER,
		session: session().public(),
		recipient: RECIPIENT,
		counter,
		cap,
		reward: ASKED.reward,
		submit_by: NOW + 90,
	};
	session().sign(reservation, &GENESIS)
}

/// A desk that asks for reservations, and where its orders go. A session may last.
pub(crate) fn asking(dir: &Path) -> (Desk<Fake>, mpsc::Receiver<Order>) {
	let mut rich = account(50);
	rich.sessions[0].expiry = NOW + 10_000;
	let mut desk = desk(dir, rich);
	let (orders, ordered) = mpsc::channel(1);
	(desk.reserve, desk.orders) = (Some(ASKED), orders);
	desk.at_block(NOW);
	(desk, ordered)
}

pub(crate) fn channel(counter: u32, open: Balance) -> ChannelInfo {
	ChannelInfo {
		counter,
		cap: open,
		open,
		ends_at: NOW + 5_000,
		registered: 1,
		..ChannelInfo::default()
	}
}

#[tokio::test]
async fn reservation_counts_when_a_finalised_block_has_it_and_not_before() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, mut ordered) = asking(dir.path());
	let (terms, seat) = modern(&desk).await;
	assert_eq!((terms.reserve, &terms.mode), (Some(ASKED), &TICKETS));
	desk.reserve(&seat, reservation(1, 2_000)).await.unwrap();
	assert_eq!(ordered.try_recv().unwrap().reservation, reservation(1, 2_000));
	let busy = EndReason::ReservationRefused(ReserveError::Busy);
	assert_eq!(desk.reserve(&seat, reservation(2, 3_000)).await, Err(busy));
	assert_eq!(desk.reserved(&seat), Ok(None));
	assert!(!desk.book().credit().is_covered(&who_pays(), 1));
	desk.channel(&who_pays(), NOW - 1, Some(channel(1, 2_000)));
	assert_eq!(desk.reserved(&seat), Ok(Some(1)));
	assert_eq!(desk.reserved(&seat), Ok(None), "once");
	assert!(desk.book().credit().is_covered(&who_pays(), 2_000));
	// From here on by voucher: what is reserved can wait.
	assert_eq!(desk.restate(&seat), Some((PaymentMode::Vouchers { newest: None }, 0)));
	// Another subscription of it begins so.
	*desk.accounts.ledger().channel.lock().unwrap() = Some(channel(1, 2_000));
	assert_eq!(modern(&desk).await.0.mode, PaymentMode::Vouchers { newest: None });
}

#[tokio::test]
async fn reservation_that_the_chain_refuses_ends_the_subscription_and_is_not_forgotten() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, mut ordered) = asking(dir.path());
	let seat = modern(&desk).await.1;
	let refused = |error| Err(EndReason::ReservationRefused(error));
	desk.reserve(&seat, reservation(1, 2_000)).await.unwrap();
	drop(ordered.try_recv());
	desk.reservation_failed(&who_pays(), 1);
	assert_eq!(
		desk.reserved(&seat),
		Err(EndReason::ReservationRefused(ReserveError::Chain))
	);
	let mut worthless = reservation(1, 2_000);
	worthless.message.cap += 1;
	assert_eq!(
		desk.reserve(&seat, worthless).await,
		refused(ReserveError::BadSignature)
	);
	// What makes it dear is what was handed in, and failed.
	for counter in 1.. {
		if desk.reserve(&seat, reservation(counter, 2_000)).await.is_err() {
			break;
		}
		drop(ordered.try_recv());
		desk.reservation_failed(&who_pays(), counter);
		let _ = desk.reserved(&seat);
	}
	assert_eq!(
		desk.reserve(&seat, reservation(2, 2_000)).await,
		refused(ReserveError::Distrusted)
	);
}

#[tokio::test]
async fn released_reservation_covers_nothing_after_a_restart_either() {
	let dir = tempfile::tempdir().unwrap();
	{
		let (desk, _) = asking(dir.path());
		desk.store.note_released(&[(session().public(), 3)]).unwrap();
	}
	let (desk, _) = asking(dir.path());
	*desk.accounts.ledger().channel.lock().unwrap() = Some(channel(3, 2_000));
	assert_eq!(modern(&desk).await.0.mode, TICKETS);
	*desk.accounts.ledger().channel.lock().unwrap() = Some(channel(4, 2_000));
	assert_eq!(modern(&desk).await.0.mode, PaymentMode::Vouchers { newest: None });
}

#[tokio::test]
async fn vouchers_begin_anew_where_the_streams_terms_change() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	ask_for_vouchers(&mut desk);
	let seat = modern(&desk).await.1;
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 1, 10);
	desk.voucher(&seat, commitment, voucher.clone()).await.unwrap();
	assert_eq!(desk.restate(&seat), None);
	desk.set_terms(stream(&desk), 1, None);
	assert_eq!(desk.restate(&seat), Some((PaymentMode::Vouchers { newest: None }, 1)));
	assert_eq!(desk.restate(&seat), None, "once");
	assert_eq!(modern(&desk).await.0.counter, 1);
	assert_eq!(
		desk.store.owing().unwrap()[0].0.newest,
		voucher,
		"what was owed before is owed"
	);
}

/// The attack: announce other terms and take that back. Nobody could pay by voucher any more once they would have held for
/// a while.
#[tokio::test]
async fn terms_that_were_announced_and_taken_back_end_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	ask_for_vouchers(&mut desk);
	let seat = modern(&desk).await.1;
	desk.set_terms(stream(&desk), 0, Some(NOW - 500));
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 1, 10);
	let late = Err(EndReason::TicketRefused(TicketError::Chain(TicketRefusal::WrongTerms)));
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, late);
	desk.set_terms(stream(&desk), 0, None);
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 2, 10);
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, Ok(()));
}

#[tokio::test]
async fn price_is_that_of_the_moment_and_stays_unless_the_stream_is_made_cheaper() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	desk.load = Arc::new(Load::new(4, None));
	let auto = Rule::new(Payment::Auto, PRICE, FACE, Duration::from_secs(300));
	desk.streams = [served(STREAM, 2 * PRICE, auto, &desk.load)].into_iter().collect();
	let (mut seats, mut prices) = (Vec::new(), Vec::new());
	for _ in 0..4 {
		let (terms, seat) = modern(&desk).await;
		desk.earns(&seat, true);
		prices.push(terms.price_per_gb);
		seats.push(seat);
	}
	assert_eq!(prices, [PRICE, PRICE, PRICE, PRICE + PRICE / 2]);
	let deliver = |seat: &Seat, serial| {
		let (_, expectation) = delivery(seat, serial);
		desk.lend(seat, expectation)
	};
	desk.limit_price(stream(&desk), 2 * PRICE, PRICE);
	assert_eq!(desk.price(&seats[3]), Some(PRICE));
	assert_eq!(desk.price(&seats[3]), None, "once");
	assert_eq!(desk.price(&seats[0]), None);
	assert_eq!((deliver(&seats[3], 1), deliver(&seats[0], 2)), (Ok(true), Ok(true)));
	seats.truncate(1);
	assert_eq!(modern(&desk).await.0.price_per_gb, PRICE);
}

/// The fault: a lower price was announced, and what had been signed at the price of before was called too dear: refused, a
/// debt, and its viewers shut out.
#[tokio::test]
async fn voucher_of_the_price_that_was_agreed_is_taken_when_a_lower_one_is_announced() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let (_, seat) = modern(&desk).await;
	// Of 131 micro-USDC for each 64 KiB at most.
	desk.limit_price(stream(&desk), 2_000_000, 2_000_000);
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 1, 10);
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, Ok(()));
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 2, 20);
	desk.limit_price(stream(&desk), 2_000_000, 1_000);
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, Ok(()));
	// What the chain does not pay under these terms is refused.
	desk.limit_price(stream(&desk), 1_000, 1_000);
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 3, 30);
	let dear = Err(EndReason::TicketRefused(TicketError::VoucherTooDear));
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, dear);
}

/// The fault: a session key that was revoked, or was spent, got windows that it could not pay, and each was a debt.
#[tokio::test]
async fn what_cannot_be_paid_is_not_delivered() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(1));
	let seat = seat(&desk).await;
	let share = Share::Ticket {
		bytes: 1_000,
		face_value: FACE,
		win_probability: 1,
	};
	let refused = |reason| Err(EndReason::TicketRefused(TicketError::Chain(reason)));
	let lend = |desk: &Desk<Fake>, serial| desk.lend(&seat, expectation(&seat, serial, share));
	assert_eq!(lend(&desk, 1), Ok(true));
	let winner = sell(&desk, &seat, 1, u64::MAX);
	desk.ticket(&seat, winner).await.unwrap();
	let spent = TicketRefusal::SessionLimitReached;
	assert_eq!(lend(&desk, 2), refused(spent), "it is promised");
	// In the next block nothing that it signs can be handed in in time.
	let head = Head {
		best: NOW + 1,
		finalised: NOW + 1,
	};
	desk.tip = Tip::fixed(head);
	assert_eq!(lend(&desk, 3), refused(TicketRefusal::SessionExpired));
}

#[tokio::test]
async fn winner_is_on_disk_when_it_is_acknowledged_and_a_loser_never() {
	let (dir, asked) = (tempfile::tempdir().unwrap(), Arc::default());
	let desk = counting_desk(dir.path(), account(5), &asked);
	let seat = seat(&desk).await;
	let loser = sell(&desk, &seat, 1, 0);
	desk.ticket(&seat, loser).await.unwrap();
	assert!(desk.store.winners().unwrap().is_empty());
	let winner = sell(&desk, &seat, 2, u64::MAX);
	desk.ticket(&seat, winner.clone()).await.unwrap();
	let stored = desk.store.winners().unwrap();
	assert_eq!(stored.len(), 1);
	assert_eq!(stored[0].1.ticket.signed, winner);
	assert!(stored[0].1.ticket.is_winner());
	assert_eq!(asked.load(Ordering::Relaxed), 1, "no request for a ticket");
}

#[tokio::test]
async fn full_disk_keeps_nobody_from_losing_and_a_winner_waits_for_room() {
	let (dir, full) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
	let store = Arc::new(store::tests::on_a_disk(dir.path(), &full));
	let desk = desk_with(store.clone(), account(5), &Arc::default());
	let seat = seat(&desk).await;
	full.store(true, Ordering::Relaxed);
	for nonce in 1..4 {
		let loser = sell(&desk, &seat, nonce, 0);
		desk.ticket(&seat, loser).await.unwrap();
	}
	let winner = sell(&desk, &seat, 4, u64::MAX);
	let mut waiting = Box::pin(desk.ticket(&seat, winner.clone()));
	assert!(futures::poll!(&mut waiting).is_pending());
	let loser = sell(&desk, &seat, 5, 0);
	desk.ticket(&seat, loser).await.unwrap();
	assert!(
		futures::poll!(&mut waiting).is_pending(),
		"not acknowledged before it is on disk"
	);
	assert!(store.winners().unwrap().is_empty());
	full.store(false, Ordering::Relaxed);
	waiting.await.unwrap();
	assert_eq!(store.winners().unwrap()[0].1.ticket.signed, winner);
	// One that is left by its viewer is stored all the same.
	full.store(true, Ordering::Relaxed);
	let winner = sell(&desk, &seat, 6, u64::MAX);
	let mut left = Box::pin(desk.ticket(&seat, winner));
	assert!(futures::poll!(&mut left).is_pending());
	drop(left);
	full.store(false, Ordering::Relaxed);
	while store.winners().unwrap().len() < 2 {
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
}

#[tokio::test]
async fn nonce_of_a_winner_is_refused_after_a_restart_even_when_that_one_is_settled() {
	let dir = tempfile::tempdir().unwrap();
	let duplicate = Err(EndReason::TicketRefused(TicketError::Duplicate));
	{
		let desk = desk(dir.path(), account(5));
		let seat = seat(&desk).await;
		let winner = sell(&desk, &seat, 2, u64::MAX);
		desk.ticket(&seat, winner).await.unwrap();
	}
	{
		let desk = desk(dir.path(), account(5));
		let seat = seat(&desk).await;
		let again = sell(&desk, &seat, 2, u64::MAX);
		assert_eq!(desk.ticket(&seat, again).await, duplicate);
		desk.store.settle(&[(0, store::Outcome::Expired)], 0, 0).unwrap();
	}
	let desk = desk(dir.path(), account(5));
	let seat = seat(&desk).await;
	let again = sell(&desk, &seat, 2, u64::MAX);
	assert_eq!(desk.ticket(&seat, again).await, duplicate);
	assert_eq!(owed(&desk), 0, "a winner that was not kept burdens nobody");
}

#[tokio::test]
async fn winners_count_against_the_deposit_until_they_are_settled() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(1));
	let seat = seat(&desk).await;
	let (first, second) = (sell(&desk, &seat, 1, u64::MAX), sell(&desk, &seat, 2, u64::MAX));
	desk.ticket(&seat, first).await.unwrap();
	let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionLimitReached));
	assert_eq!(desk.ticket(&seat, second.clone()).await, Err(refused));
	desk.settle(&desk.store.winners().unwrap()[0].1.ticket, NOW, true);
	desk.ticket(&seat, second).await.unwrap();
}

#[tokio::test]
async fn only_what_is_relayed_is_served_and_only_to_who_can_pay() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(1));
	assert!(desk.subscribe(PublicKey([0; 32]), &request()).await.is_ok());
	let refused = |r| EndReason::TicketRefused(TicketError::Chain(r));
	let other_key = payer(&KeyPair::from_seed([9; 32]), false);
	for (request, reason) in [
		(
			Subscribe {
				stream: StreamId(4),
				..request()
			},
			EndReason::NotServed,
		),
		(
			Subscribe {
				tracks: tracks(&[1]),
				..request()
			},
			EndReason::NotServed,
		),
		(
			Subscribe {
				payer: None,
				..request()
			},
			EndReason::PaymentRequired,
		),
		(
			Subscribe {
				payer: Some(other_key),
				..request()
			},
			refused(TicketRefusal::UnknownSession),
		),
	] {
		assert_eq!(refusal(&desk, &request).await, reason);
	}
}

/// The attack: an account takes the windows of one subscription after the other and goes. It is bounded by what it has left
/// unpaid within the hour; what we sent it away from is forgiven.
#[tokio::test]
async fn who_takes_windows_and_goes_is_not_served_on() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 100,
	};
	let take = |serial: u8, seat: Seat, why: &Closed| {
		let expectation = expectation(&seat, serial, share);
		let commitment = expectation.commitment;
		let served = desk.lend(&seat, expectation).unwrap();
		let unpaid = Unpaid {
			sent: vec![commitment],
			unsent: Vec::new(),
		};
		desk.closed(Some(seat), unpaid, why);
		served
	};
	let mut taken = 0;
	for serial in 0..20 {
		let stopped = Closed::Ended(EndReason::ShuttingDown);
		assert!(take(100 + serial, seat(&desk).await, &stopped) || taken == 10);
		taken += u32::from(take(serial, seat(&desk).await, &Closed::Left));
	}
	assert_eq!(taken, 10, "1,000 micro-USDC");
}

/// The fault: payments with a session key that was revoked were debts of its account, which was then served with no other one.
/// And the attacks: a revoked one is used again and again; others have its copy again and again, and it has windows for nothing.
#[tokio::test]
async fn what_a_session_key_could_not_pay_any_more_is_no_debt_once() {
	let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionExpired));
	for reason in [refused, EndReason::Full] {
		no_debt_once(reason).await;
	}
}

async fn no_debt_once(reason: EndReason) {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 100,
	};
	let mut taken = 0;
	for serial in 0..20 {
		let seat = seat(&desk).await;
		let expectation = expectation(&seat, serial, share);
		let commitment = expectation.commitment;
		taken += u32::from(desk.lend(&seat, expectation).unwrap());
		let unpaid = Unpaid {
			sent: vec![commitment],
			..Unpaid::default()
		};
		desk.closed(Some(seat), unpaid, &Closed::Ended(reason));
	}
	assert_eq!(taken, 11, "1,000 micro-USDC, and the first: {reason:?}");
}

/// The fault: what was never sent, or was cut off by a failing of ours, was a debt of the viewer, who was then served no more.
#[tokio::test]
async fn nothing_that_was_not_the_payers_own_fault_is_its_debt() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 100,
	};
	let mut serial = 0;
	let mut leave_unpaid = |seat: Seat, sent: bool, why: &Closed| {
		serial += 1;
		let expectation = expectation(&seat, serial, share);
		let commitment = vec![expectation.commitment];
		let lends = desk.lend(&seat, expectation).unwrap();
		let unpaid = match sent {
			true => Unpaid {
				sent: commitment,
				..Unpaid::default()
			},
			false => Unpaid {
				unsent: commitment,
				..Unpaid::default()
			},
		};
		desk.closed(Some(seat), unpaid, why);
		lends
	};
	for _ in 0..20 {
		for why in [
			Closed::Stalled,
			Closed::Unseated(EndReason::Replaced),
			Closed::Ended(EndReason::WindowGone),
		] {
			assert!(leave_unpaid(seat(&desk).await, false, &why), "{why:?}");
		}
		for reason in [EndReason::NotServed, EndReason::ShuttingDown] {
			let why = Closed::Ended(reason);
			assert!(leave_unpaid(seat(&desk).await, true, &why), "{why:?}");
		}
	}
	for _ in 0..10 {
		assert!(leave_unpaid(seat(&desk).await, true, &Closed::Stalled));
	}
	assert!(!leave_unpaid(seat(&desk).await, true, &Closed::Stalled));
	// Debts are forgotten, though nobody pays them.
	desk.at_block(NOW + 2 * HOUR);
	assert!(leave_unpaid(seat(&desk).await, true, &Closed::Stalled));
}

/// The attack: as many subscriptions of one account as there are seats, each with its credit, before any debt is booked.
#[tokio::test]
async fn parallel_subscriptions_of_an_account_are_lent_together_what_one_is() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(5));
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 100,
	};
	let mut seats = Vec::new();
	for _ in 0..40 {
		seats.push(seat(&desk).await);
	}
	let lent = (0..80).filter(|n| {
		let seat = &seats[usize::from(n % 40)];
		desk.lend(seat, expectation(seat, *n, share)).unwrap()
	});
	assert_eq!(lent.count(), 10, "1,000 micro-USDC");
}

/// The attack: what two subscriptions afford each alone is more than they afford together. The window that is refused is
/// not sent.
#[tokio::test]
async fn credit_is_taken_once_by_many_at_a_time() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(20));
	let (one, other) = (seat(&desk).await, seat(&desk).await);
	let share = Share::Voucher {
		bytes: 1_000,
		amount: 600,
	};
	assert_eq!(desk.lend(&one, expectation(&one, 1, share)), Ok(true));
	assert_eq!(desk.lend(&other, expectation(&other, 2, share)), Ok(false));
}

/// The attack: a ticket of a nonce that was used, or one that jumped back, is refused before it could be worth something.
#[tokio::test]
async fn nonce_is_taken_once_and_never_from_far_below() {
	let dir = tempfile::tempdir().unwrap();
	let desk = desk(dir.path(), account(50));
	let seat = seat(&desk).await;
	let first = sell(&desk, &seat, 200, u64::MAX);
	desk.ticket(&seat, first).await.unwrap();
	let refused = |error| Err(EndReason::TicketRefused(error));
	let again = sell(&desk, &seat, 200, 0);
	assert_eq!(desk.ticket(&seat, again).await, refused(TicketError::Duplicate));
	let old = sell(&desk, &seat, 72, 0);
	let too_old = TicketError::Chain(TicketRefusal::NonceTooOld);
	assert_eq!(desk.ticket(&seat, old).await, refused(too_old));
}
