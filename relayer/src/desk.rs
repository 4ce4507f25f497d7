//! Decides who is served and takes the money: subscriptions against the viewer's account, tickets against the book,
//! winners into the store before anyone is told.

use crate::{
	accounts::{Accounts, Entry, Ledger},
	metrics,
	store::{self, Store},
};
use clustercast_chain::Head;
use clustercast_network::serve::{Closed, Grant, Policy};
use clustercast_primitives::{
	chain::{TicketRefusal, ViewerAccount},
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedTicket, StreamId, WinningTicket,
};
use clustercast_protocol::{
	EndReason, Expectation, Outcome, Payer, ReceiptSigner, Subscribe, Terms, TicketBook, TicketError,
};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// The one rendition there is: 480p.
pub const RENDITION: u8 = 0;

/// Blocks that a ticket must have left: five minutes to redeem it, with a second attempt.
pub const MIN_TICKET_LIFE: BlockNumber = 150;

/// Windows that an account may leave unpaid, net of those it paid. Four abrupt partings are forgiven; taking the credit
/// of one subscription after the other is not.
const MAX_DEBT: u32 = 8;

/// Accounts whose debts are remembered. Each needs a deposit and a session key on the chain, so this many are dear.
const MAX_DEBTORS: usize = 10_000;

/// See the module. One per relayer.
pub struct Desk<L> {
	/// What is served.
	pub stream: StreamId,
	/// To everyone alike.
	pub terms: Terms,
	/// What an account must be able to pay at once, micro-USDC.
	pub face_value: Balance,
	/// Signs receipts, draws secrets.
	pub signer: Arc<ReceiptSigner>,
	/// Viewers on the chain.
	pub accounts: Accounts<L>,
	/// How far the chain is.
	pub head: watch::Receiver<Head>,
	/// Winners.
	pub store: Arc<Store>,
	/// Judges tickets.
	pub book: Mutex<TicketBook>,
	/// Windows taken and not paid.
	pub debts: Debts,
}

/// One subscription.
pub struct Seat {
	payer: Payer,
	account: Arc<Entry>,
	_viewer: Viewer,
}

/// Counts a viewer as long as it lives.
struct Viewer;

impl Viewer {
	fn new() -> Self {
		::metrics::gauge!(metrics::VIEWERS).increment(1.0);
		::metrics::counter!(metrics::SUBSCRIPTIONS).increment(1);
		Self
	}
}

impl Drop for Viewer {
	fn drop(&mut self) {
		::metrics::gauge!(metrics::VIEWERS).decrement(1.0);
	}
}

impl<L: Ledger> Desk<L> {
	/// The chain has decided about a winner: it no longer burdens its viewer.
	pub fn settle(&self, winner: &WinningTicket) {
		self.book().settle(winner);
	}

	/// Forgets tickets that have expired.
	pub fn prune(&self, now: BlockNumber) {
		self.book().prune(now);
	}

	fn book(&self) -> MutexGuard<'_, TicketBook> {
		// A book whose caller panicked half-way may lack a nonce; the store still refuses a second winner with it.
		self.book.lock().unwrap_or_else(PoisonError::into_inner)
	}

	async fn keep(&self, winner: WinningTicket) -> Result<(), EndReason> {
		let (store, ticket, now) = (self.store.clone(), winner.clone(), unix_ms());
		let stored = tokio::task::spawn_blocking(move || store.insert(&ticket, now)).await;
		match stored.expect("store methods do not panic") {
			Ok(()) => return Ok(()),
			Err(store::Error::NonceSpent) => Err(EndReason::TicketRefused(TicketError::Duplicate)),
			Err(store::Error::Full) => {
				tracing::error!("{}", store::Error::Full);
				Err(EndReason::Full)
			},
			Err(error) => {
				tracing::error!(%error, "a winning ticket could not be stored; its viewer is not served on");
				Err(EndReason::NotServed)
			},
		}
		.inspect_err(|_| self.settle(&winner))
	}
}

impl<L: Ledger> Policy for Desk<L> {
	type Seat = Seat;

	async fn subscribe(&self, _: PublicKey, request: &Subscribe) -> Result<(Grant, Seat), EndReason> {
		if request.stream != self.stream || request.rendition != RENDITION {
			return Err(EndReason::NotServed);
		}
		let payer = request.payer.ok_or(EndReason::PaymentRequired)?;
		if self.debts.of(&payer.account) >= MAX_DEBT {
			return Err(EndReason::Unpaid);
		}
		let account = self.accounts.fetch(payer.account).await.map_err(|error| {
			tracing::warn!(%error, "a viewer is refused: its account cannot be looked up");
			EndReason::NotServed
		})?;
		let now = self.head.borrow().best;
		check_means(&account.get(), &payer.session, self.face_value, now)
			.map_err(|reason| EndReason::TicketRefused(TicketError::Chain(reason)))?;
		let grant = Grant::Paid(self.terms.clone(), self.signer.clone());
		Ok((
			grant,
			Seat {
				payer,
				account,
				_viewer: Viewer::new(),
			},
		))
	}

	fn delivering(&self, _: &Seat, expectation: Expectation) -> Result<(), EndReason> {
		self.book().open(expectation).map_err(|_| EndReason::Full)
	}

	async fn ticket(&self, seat: &Seat, ticket: SignedTicket) -> Result<(), EndReason> {
		let account = seat.account.get();
		let now = self.head.borrow().best;
		let judged = self.book().accept(&ticket, &account, now);
		let kept = match judged {
			Ok(Outcome::Lost) => Ok(false),
			Ok(Outcome::Won(winner)) => self.keep(winner).await.map(|()| true),
			Err(error) => Err(EndReason::TicketRefused(error)),
		};
		match kept {
			Ok(won) => {
				::metrics::counter!(metrics::TICKETS).increment(1);
				::metrics::counter!(metrics::WINNERS).increment(won.into());
				self.debts.paid(&seat.payer.account);
				Ok(())
			},
			Err(reason) => {
				tracing::debug!(?reason, "ticket refused");
				::metrics::counter!(metrics::TICKETS_REFUSED, "reason" => label(&reason)).increment(1);
				Err(reason)
			},
		}
	}

	fn sent(&self, bytes: usize) {
		::metrics::counter!(metrics::BYTES_SENT).increment(bytes as u64);
	}

	fn closed(&self, seat: Option<Seat>, unpaid: Vec<Hash>, why: &Closed) {
		let mut book = self.book();
		unpaid.iter().for_each(|commitment| book.close(commitment));
		drop(book);
		// Who was sent away by us owes nothing for what was on its way.
		if let (Some(seat), false) = (seat, matches!(why, Closed::Ended(EndReason::ShuttingDown))) {
			self.debts.left(seat.payer.account, unpaid.len());
		}
		let reason = match why {
			Closed::Ended(reason) => label(reason),
			Closed::Left => "Left".into(),
			Closed::Session(_) => "ProtocolError".into(),
			Closed::Silent => "Silent".into(),
			Closed::Stalled => "Stalled".into(),
			_ => "Lost".into(),
		};
		::metrics::counter!(metrics::CLOSED, "reason" => reason).increment(1);
	}
}

/// Name of a reason, without what is in it: labels are few.
fn label(reason: &EndReason) -> String {
	match reason {
		EndReason::TicketRefused(TicketError::Chain(refusal)) => format!("{refusal:?}"),
		EndReason::TicketRefused(error) => format!("{error:?}"),
		other => format!("{other:?}"),
	}
}

/// Whether an account could pay one ticket: what is checked before anything is delivered. The book checks each ticket.
fn check_means(
	account: &ViewerAccount,
	session: &PublicKey,
	face_value: Balance,
	now: BlockNumber,
) -> Result<(), TicketRefusal> {
	let session = account
		.sessions
		.iter()
		.find(|s| s.key == *session)
		.ok_or(TicketRefusal::UnknownSession)?;
	if session.expiry < now.saturating_add(MIN_TICKET_LIFE) {
		return Err(TicketRefusal::SessionExpired);
	}
	if session.limit.saturating_sub(session.spent) < face_value {
		return Err(TicketRefusal::SessionLimitReached);
	}
	if account.deposit < face_value {
		return Err(TicketRefusal::DepositTooSmall);
	}
	Ok(())
}

/// Windows that accounts took and did not pay, less those they paid since.
#[derive(Debug, Default)]
pub struct Debts(Mutex<HashMap<AccountId, u32>>);

impl Debts {
	fn of(&self, account: &AccountId) -> u32 {
		self.lock().get(account).copied().unwrap_or(0)
	}

	fn left(&self, account: AccountId, windows: usize) {
		let windows = u32::try_from(windows).unwrap_or(u32::MAX);
		let mut debts = self.lock();
		if windows == 0 {
			return;
		}
		if debts.len() >= MAX_DEBTORS && !debts.contains_key(&account) {
			// Forgive the small ones; those at the limit are why this list exists.
			debts.retain(|_, debt| *debt >= MAX_DEBT);
			if debts.len() >= MAX_DEBTORS {
				debts.clear();
			}
		}
		let debt = debts.entry(account).or_default();
		*debt = debt.saturating_add(windows);
	}

	fn paid(&self, account: &AccountId) {
		let mut debts = self.lock();
		if let Some(debt) = debts.get_mut(account) {
			*debt -= 1;
			if *debt == 0 {
				debts.remove(account);
			}
		}
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, u32>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Unix time, milliseconds.
pub fn unix_ms() -> u64 {
	let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		accounts::{tests::Fake, Pace},
		store::tests::EPOCH_BLOCKS,
	};
	use clustercast_primitives::{chain::SessionInfo, crypto::KeyPair, ticket, Ticket, WindowId};
	use clustercast_protocol::{BookConfig, PaymentMode, Share, Start};
	use std::{
		path::Path,
		sync::atomic::{AtomicUsize, Ordering},
	};

	const GENESIS: Hash = Hash([7; 32]);
	const STREAM: StreamId = StreamId(3);
	const RECIPIENT: AccountId = AccountId([2; 32]);
	const VIEWER: AccountId = AccountId([1; 32]);
	const FACE: Balance = 100;
	const NOW: BlockNumber = 1_000;

	fn session() -> KeyPair {
		KeyPair::from_seed([4; 32])
	}

	/// Just enough for a ticket, for a few of them with `times`.
	fn account(times: Balance) -> ViewerAccount {
		let session = SessionInfo {
			key: session().public(),
			limit: FACE * times + 50,
			spent: 50,
			expiry: NOW + MIN_TICKET_LIFE,
			payees: 0,
		};
		ViewerAccount {
			deposit: FACE * times,
			sessions: vec![session],
			..ViewerAccount::default()
		}
	}

	/// A desk as it is after a start with this folder.
	fn desk(dir: &Path, account: ViewerAccount) -> Desk<Fake> {
		counting_desk(dir, account, &Arc::default())
	}

	/// It counts in `asked` how often the chain is asked for an account.
	fn counting_desk(dir: &Path, account: ViewerAccount, asked: &Arc<AtomicUsize>) -> Desk<Fake> {
		let store = Arc::new(Store::open(&dir.join("winners.redb"), &GENESIS, EPOCH_BLOCKS).unwrap());
		let mut book = TicketBook::new(BookConfig {
			genesis: GENESIS,
			recipient: RECIPIENT,
			epoch_length: EPOCH_BLOCKS,
			nonces_per_epoch: 8_192,
			max_ticket_life: 600,
			min_ticket_life: MIN_TICKET_LIFE,
			min_face_value: 1,
			float: 10 * FACE,
			max_expectations: 100,
			max_sessions: 100,
			max_price_per_mb: 1,
		});
		store
			.winners()
			.unwrap()
			.iter()
			.for_each(|(_, winner)| book.restore(&winner.ticket));
		Desk {
			stream: STREAM,
			face_value: FACE,
			terms: Terms {
				recipient: RECIPIENT,
				price_per_mb: 1,
				mode: PaymentMode::Tickets { face_value: FACE },
				credit: 2,
			},
			signer: Arc::new(ReceiptSigner::new(KeyPair::from_seed([5; 32]), [6; 32])),
			accounts: Accounts::new(
				Fake {
					account,
					asked: asked.clone(),
				},
				Pace::default(),
			),
			head: watch::Sender::new(Head {
				best: NOW,
				finalised: NOW,
			})
			.subscribe(),
			store,
			book: Mutex::new(book),
			debts: Debts::default(),
		}
	}

	fn request() -> Subscribe {
		Subscribe {
			genesis: GENESIS,
			stream: STREAM,
			rendition: RENDITION,
			start: Start::Live,
			payer: Some(Payer {
				account: VIEWER,
				session: session().public(),
				vouchers: false,
			}),
		}
	}

	async fn seat(desk: &Desk<Fake>) -> Seat {
		desk.subscribe(PublicKey([0; 32]), &request()).await.unwrap().1
	}

	async fn refusal(desk: &Desk<Fake>, request: &Subscribe) -> EndReason {
		desk.subscribe(PublicKey([0; 32]), request)
			.await
			.map(|_| ())
			.unwrap_err()
	}

	/// A window that was delivered, and the viewer's ticket for it; it wins with this probability of 2^64.
	fn sell(desk: &Desk<Fake>, seat: &Seat, nonce: u32, win_probability: u64) -> SignedTicket {
		let rand = Hash([nonce as u8; 32]);
		let expectation = Expectation {
			payer: seat.payer,
			window: WindowId {
				stream: STREAM,
				rendition: RENDITION,
				segment: nonce.into(),
				part: 0,
			},
			bytes: 1_000,
			share: Share::Ticket {
				face_value: FACE,
				win_probability,
			},
			commitment: ticket::commitment(&rand),
			rand,
		};
		let message = Ticket {
			sender: VIEWER,
			session: session().public(),
			recipient: RECIPIENT,
			window: expectation.window,
			bytes: expectation.bytes,
			face_value: FACE,
			win_probability,
			commitment: expectation.commitment,
			nonce,
			expiry: NOW + MIN_TICKET_LIFE,
		};
		desk.delivering(seat, expectation).unwrap();
		session().sign(message, &GENESIS)
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
		assert_eq!(
			desk.book().unsettled(&VIEWER),
			0,
			"a winner that was not kept burdens nobody"
		);
	}

	#[tokio::test]
	async fn winners_count_against_the_deposit_until_they_are_settled() {
		let dir = tempfile::tempdir().unwrap();
		let desk = desk(dir.path(), account(1));
		let seat = seat(&desk).await;
		let first = sell(&desk, &seat, 1, u64::MAX);
		desk.ticket(&seat, first).await.unwrap();
		let second = sell(&desk, &seat, 2, u64::MAX);
		let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionLimitReached));
		assert_eq!(desk.ticket(&seat, second.clone()).await, Err(refused));
		desk.settle(&desk.store.winners().unwrap()[0].1.ticket);
		desk.ticket(&seat, second).await.unwrap();
	}

	#[tokio::test]
	async fn only_what_is_relayed_is_served_and_only_to_who_can_pay() {
		let dir = tempfile::tempdir().unwrap();
		let desk = desk(dir.path(), account(1));
		assert!(desk.subscribe(PublicKey([0; 32]), &request()).await.is_ok());
		let refused = |r| EndReason::TicketRefused(TicketError::Chain(r));
		let other_key = Payer {
			account: VIEWER,
			session: PublicKey([9; 32]),
			vouchers: false,
		};
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
					rendition: 1,
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

	#[test]
	fn viewer_needs_the_means_for_one_ticket() {
		let key = session().public();
		let check = |account: &ViewerAccount, now| check_means(account, &key, FACE, now);
		assert_eq!(check(&account(1), NOW), Ok(()));
		assert_eq!(check(&account(1), NOW + 1), Err(TicketRefusal::SessionExpired));
		let poor = ViewerAccount {
			deposit: FACE - 1,
			..account(1)
		};
		assert_eq!(check(&poor, NOW), Err(TicketRefusal::DepositTooSmall));
		let mut spent = account(1);
		spent.sessions[0].spent += 1;
		assert_eq!(check(&spent, NOW), Err(TicketRefusal::SessionLimitReached));
	}

	#[tokio::test]
	async fn who_takes_windows_and_goes_is_not_served_again_until_it_has_paid_others() {
		let dir = tempfile::tempdir().unwrap();
		let desk = desk(dir.path(), account(5));
		let paying = seat(&desk).await;
		let due = sell(&desk, &paying, 1, 0);
		for _ in 0..MAX_DEBT / 2 {
			desk.closed(Some(seat(&desk).await), vec![Hash([0; 32]); 2], &Closed::Left);
		}
		assert_eq!(refusal(&desk, &request()).await, EndReason::Unpaid);
		desk.ticket(&paying, due).await.unwrap();
		let stopped = Closed::Ended(EndReason::ShuttingDown);
		desk.closed(Some(seat(&desk).await), vec![Hash([0; 32]); 2], &stopped);
		seat(&desk).await;
	}

	#[test]
	fn debts_shrink_to_nothing_and_not_below() {
		let (debts, who) = (Debts::default(), VIEWER);
		debts.paid(&who);
		debts.left(who, 2);
		debts.left(who, 0);
		assert_eq!(debts.of(&who), 2);
		debts.paid(&who);
		debts.paid(&who);
		assert!(debts.lock().is_empty());
	}

	#[test]
	fn debtors_are_bounded_and_the_worst_are_remembered_longest() {
		let debts = Debts::default();
		let who = |n: usize| AccountId(std::array::from_fn(|i| n.to_le_bytes().get(i).copied().unwrap_or(0)));
		debts.left(who(0), MAX_DEBT as usize);
		(1..=MAX_DEBTORS + 10).for_each(|n| debts.left(who(n), 1));
		assert!(debts.lock().len() <= MAX_DEBTORS);
		assert_eq!(debts.of(&who(0)), MAX_DEBT);
	}
}
