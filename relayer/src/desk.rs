//! Decides who is served and takes the money: subscriptions against the viewer's account, tickets and vouchers against
//! the book, winners and vouchers into the store before anyone is told.

use crate::{
	accounts::{Accounts, Entry, Ledger},
	metrics,
	payment::{Rule, Standings},
	recorder::{NotKept, Recorder},
	store::{self, Kept, Store, VoucherOutcome},
	surge::Surge,
};
use clustercast_chain::Head;
use clustercast_network::serve::{Closed, Grant, Policy};
use clustercast_primitives::{
	amount,
	chain::{TicketRefusal, ViewerAccount, VoucherPlace},
	receipt::Kind,
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedTicket, SignedVoucher, StreamId, TrackId, Voucher,
	WinningTicket,
};
use clustercast_protocol::{
	purse::MAX_PAYEES, EndReason, Expectation, Outcome, PaymentMode, ReceiptSigner, SessionKey, Subscribe, Terms,
	TicketBook, TicketError,
};
use std::{
	collections::HashMap,
	sync::{
		atomic::{AtomicBool, AtomicU32, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::{SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, time::Instant};

/// The one track there is: picture and sound at 480p.
pub const TRACK: TrackId = 0;

/// Blocks that a ticket must have left: five minutes to redeem it, with a second attempt.
pub const MIN_TICKET_LIFE: BlockNumber = 150;

/// How far behind the newest block receipts are dated: a viewer's node may be so much behind ours, and the blocks that
/// viewers allow ahead, before it takes them for receipts of another time. Evidence counts 8 s shorter for it.
const RECEIPT_LAG: BlockNumber = 4;

/// Windows that an account may leave unpaid, net of those it paid. Four abrupt partings are forgiven; taking the credit
/// of one subscription after the other is not.
const MAX_DEBT: u32 = 8;

/// Accounts whose debts are remembered. Each needs a deposit and a session key on the chain, so this many are dear.
const MAX_DEBTORS: usize = 10_000;

/// See the module. One per relayer.
pub struct Desk<L> {
	/// What is served.
	pub stream: StreamId,
	/// The account that is paid.
	pub recipient: AccountId,
	/// Of each ticket, and what an account must be able to pay at once, micro-USDC.
	pub face_value: Balance,
	/// Windows ahead of payment.
	pub credit: u8,
	/// Counter of the stream's terms: vouchers add up under it.
	pub terms: AtomicU32,
	/// What windows cost now.
	pub surge: Arc<Surge>,
	/// Tickets or vouchers.
	pub rule: Rule,
	/// What sessions have paid by ticket.
	pub standings: Standings,
	/// Signs receipts, draws secrets.
	pub signer: Arc<ReceiptSigner>,
	/// Viewers on the chain.
	pub accounts: Accounts<L>,
	/// How far the chain is.
	pub head: watch::Receiver<Head>,
	/// Winners and vouchers.
	pub store: Arc<Store>,
	/// Writes vouchers into it.
	pub recorder: Recorder,
	/// Judges tickets.
	pub book: Mutex<TicketBook>,
	/// Windows taken and not paid.
	pub debts: Debts,
}

/// One subscription.
pub struct Seat {
	payer: SessionKey,
	account: Arc<Entry>,
	/// Micro-USDC per 10^9 bytes, for this subscription.
	price_per_gb: u64,
	/// It may go on by voucher: it takes part, and we have whatever vouchers the chain knows of.
	may_voucher: bool,
	/// It pays by voucher.
	vouchers: AtomicBool,
	/// Under these terms of the stream.
	terms: AtomicU32,
	_viewer: Viewer,
}

/// Counts a viewer as long as it lives.
struct Viewer(Arc<Surge>);

impl Viewer {
	fn new(surge: Arc<Surge>) -> Self {
		surge.enter();
		::metrics::gauge!(metrics::VIEWERS).increment(1.0);
		::metrics::counter!(metrics::SUBSCRIPTIONS).increment(1);
		Self(surge)
	}
}

impl Drop for Viewer {
	fn drop(&mut self) {
		self.0.leave();
		::metrics::gauge!(metrics::VIEWERS).decrement(1.0);
	}
}

impl<L: Ledger> Desk<L> {
	/// The chain has decided about a winner: it no longer burdens its viewer.
	pub fn settle(&self, winner: &WinningTicket) {
		self.book().settle(winner);
	}

	/// The chain has decided about a session's vouchers: what it settled no longer burdens the viewer. One whose voucher
	/// the chain will not pay although it has not expired is not served again.
	pub fn settle_voucher(&self, voucher: &Voucher, outcome: &VoucherOutcome) {
		let (VoucherOutcome::Paid(level) | VoucherOutcome::Lost(level, _)) = *outcome;
		self.book().settle_voucher(voucher, level);
		if matches!(outcome, VoucherOutcome::Lost(_, reason) if *reason != TicketRefusal::Expired) {
			self.debts.left(voucher.sender, MAX_DEBT as usize);
		}
	}

	/// The stream key allows this price from now on, micro-USDC per 10^9 bytes.
	pub fn limit_price(&self, per_gb: u64) {
		self.surge.limit(per_gb);
		self.book().set_max_price(per_gb);
	}

	/// The stream has these terms now, until this block where that is known: then the vouchers of those who watch begin
	/// anew.
	pub fn set_terms(&self, counter: u32, until: Option<BlockNumber>) {
		self.terms.store(counter, Ordering::Relaxed);
		if let Some(until) = until {
			self.book().supersede(counter, until);
		}
	}

	/// The chain is at this block: receipts say so, tickets that have expired are forgotten.
	pub fn at_block(&self, now: BlockNumber) {
		self.signer.set_block(now.saturating_sub(RECEIPT_LAG));
		self.book().prune(now);
	}

	fn book(&self) -> MutexGuard<'_, TicketBook> {
		// A book whose caller panicked half-way may lack a nonce; the store still refuses a second winner with it.
		self.book.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn place(&self, payer: &SessionKey) -> VoucherPlace {
		VoucherPlace {
			session: payer.key,
			recipient: self.recipient,
			stream: self.stream,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: self.terms.load(Ordering::Relaxed),
		}
	}

	/// The newest voucher of this payer under the terms of now. One lookup in the database's memory.
	fn kept(&self, payer: &SessionKey) -> Result<Option<Kept>, EndReason> {
		self.store.voucher(&self.place(payer)).map_err(|error| {
			tracing::error!(%error, "store of vouchers");
			EndReason::NotServed
		})
	}

	/// Whether vouchers can be asked of this payer. Not where the chain has paid more than we have vouchers for, since we
	/// could not show the newest to a viewer who lost track; nor where the session has no room for another recipient.
	async fn may_voucher(&self, payer: &SessionKey, account: &ViewerAccount) -> Result<bool, EndReason> {
		if !self.rule.ever() {
			return Ok(false);
		}
		let paid = match self.accounts.vouchers_paid(&self.place(payer)).await {
			Ok(paid) => paid,
			Err(error) => {
				tracing::warn!(%error, "a viewer pays by ticket: what its vouchers have paid cannot be looked up");
				return Ok(false);
			},
		};
		let mut sessions = account.sessions.iter();
		let full = sessions.any(|s| s.key == payer.key && s.payees as usize >= MAX_PAYEES);
		if paid.amount == 0 && full {
			return Ok(false);
		}
		let kept = self.kept(payer)?;
		let newest = kept.map_or((0, 0), |k| (k.newest.message.amount, k.newest.message.bytes));
		Ok(newest.0 >= paid.amount && newest.1 >= paid.bytes)
	}

	/// What this payer pays with from here on. When it is by voucher, the book knows the newest.
	fn mode(&self, payer: &SessionKey, may_voucher: bool) -> Result<PaymentMode, EndReason> {
		let tickets = PaymentMode::Tickets {
			face_value: self.face_value,
		};
		if !may_voucher {
			return Ok(tickets);
		}
		let kept = self.kept(payer)?;
		let by_voucher = kept.as_ref().map_or(0, |kept| kept.newest.message.amount);
		if !self
			.rule
			.vouchers(self.standings.of(&payer.key).saturating_add(by_voucher))
		{
			return Ok(tickets);
		}
		if let Some(kept) = &kept {
			let now = self.head.borrow().best;
			self.book().restore_voucher(&kept.newest.message, kept.settled, now);
		}
		Ok(PaymentMode::Vouchers {
			newest: kept.map(|kept| kept.newest),
		})
	}

	/// Counts a judged payment and its viewer's debt; passes the reason of a refusal on.
	fn judged(&self, seat: &Seat, judged: Result<(), EndReason>) -> Result<(), EndReason> {
		match &judged {
			Ok(()) => self.debts.paid(&seat.payer.account),
			Err(reason) => {
				tracing::debug!(?reason, "payment refused");
				::metrics::counter!(metrics::TICKETS_REFUSED, "reason" => label(reason)).increment(1);
			},
		}
		judged
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
		if request.stream != self.stream || request.track() != Some(TRACK) {
			return Err(EndReason::NotServed);
		}
		let offered = request.payer.as_ref().ok_or(EndReason::PaymentRequired)?;
		let payer = offered.session();
		if self.debts.of(&payer.account) >= MAX_DEBT {
			return Err(EndReason::Unpaid);
		}
		let account = self.accounts.fetch(payer.account).await.map_err(|error| {
			tracing::warn!(%error, "a viewer is refused: its account cannot be looked up");
			EndReason::NotServed
		})?;
		let now = self.head.borrow().best;
		check_means(&account.get(), &payer.key, self.face_value, now)
			.map_err(|reason| EndReason::TicketRefused(TicketError::Chain(reason)))?;
		let may_voucher = offered.vouchers && self.may_voucher(&payer, &account.get()).await?;
		let counter = self.terms.load(Ordering::Relaxed);
		let mode = self.mode(&payer, may_voucher)?;
		let terms = Terms {
			recipient: self.recipient,
			price_per_gb: self.surge.price(Instant::now()),
			mode,
			credit: self.credit,
			counter,
		};
		let seat = Seat {
			payer,
			account,
			price_per_gb: terms.price_per_gb,
			may_voucher,
			vouchers: AtomicBool::new(matches!(terms.mode, PaymentMode::Vouchers { .. })),
			terms: AtomicU32::new(counter),
			_viewer: Viewer::new(self.surge.clone()),
		};
		::metrics::gauge!(metrics::PRICE).set(terms.price_per_gb as f64);
		Ok((Grant::Paid(terms, self.signer.clone()), seat))
	}

	fn delivering(&self, seat: &Seat, expectation: Expectation) -> Result<(), EndReason> {
		// The stream key was made cheaper under this subscription: the next one is.
		if !self.surge.allows(seat.price_per_gb) {
			return Err(EndReason::NotServed);
		}
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
		if let Ok(won) = kept {
			::metrics::counter!(metrics::TICKETS).increment(1);
			::metrics::counter!(metrics::WINNERS).increment(won.into());
			let value = amount::cost(ticket.message.bytes, seat.price_per_gb);
			self.standings.note(seat.payer.key, value);
		}
		self.judged(seat, kept.map(drop))
	}

	async fn voucher(&self, seat: &Seat, commitment: Hash, voucher: SignedVoucher) -> Result<(), EndReason> {
		let account = seat.account.get();
		let now = self.head.borrow().best;
		let judged = self.book().accept_voucher(&commitment, &voucher, &account, now);
		let kept = match judged {
			// Accepted and not kept: the next one brings what this one would have.
			Ok(()) => self.recorder.keep(voucher).await.map_err(|error| match error {
				NotKept::Full => EndReason::Full,
				NotKept::Failed => EndReason::NotServed,
			}),
			Err(error) => Err(EndReason::TicketRefused(error)),
		};
		if kept.is_ok() {
			::metrics::counter!(metrics::VOUCHERS).increment(1);
		}
		self.judged(seat, kept)
	}

	fn restate(&self, seat: &Seat) -> Option<(PaymentMode, u32)> {
		let counter = self.terms.load(Ordering::Relaxed);
		let changed = seat.terms.swap(counter, Ordering::Relaxed) != counter;
		let by_voucher = seat.vouchers.load(Ordering::Relaxed);
		if !seat.may_voucher || (by_voucher && !changed) {
			return None;
		}
		let mode = self.mode(&seat.payer, true).ok()?;
		let vouchers = matches!(mode, PaymentMode::Vouchers { .. });
		seat.vouchers.store(vouchers, Ordering::Relaxed);
		(vouchers || by_voucher).then_some((mode, counter))
	}

	fn sent(&self, bytes: usize) {
		self.surge.sent(bytes, Instant::now());
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
mod tests;
