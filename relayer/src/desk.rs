//! Decides who is served and takes the money: subscriptions against the viewer's account, windows against its credit,
//! tickets and vouchers against the book, winners and vouchers into the store before anyone is told.

use crate::{
	accounts::{self, Accounts, Entry, Ledger},
	blame::Leniency,
	channels::Order,
	config::policy::Policy as Carries,
	directory::Directory,
	door::{check_means, label, label_of_end},
	metrics,
	recorder::{NotKept, Recorder},
	store::{self, Kept, Store},
	streams::{Served, Streams, Viewer},
	surge::Load,
};
use clustercast_chain::{tip, Tip};
use clustercast_network::serve::{Closed, Freight, Grant, Policy, Unpaid};
use clustercast_primitives::{
	amount,
	chain::{ChannelInfo, ChannelKey, TicketRefusal, VoucherPlace},
	channel::SignedReservation,
	receipt::Kind,
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedTicket, SignedVoucher, TrackId, Voucher, WinningTicket,
};
use clustercast_protocol::{
	routes::{self, Names, Path},
	tickets::EXPIRY_MARGIN,
	Debt, EndReason, Expectation, Follow, Outcome, PaymentMode, ReceiptSigner, Releasable, ReserveError, ReserveTerms,
	SessionKey, Shortage, Subscribe, Terms, TicketBook, TicketError,
};
use std::{
	collections::{HashMap, HashSet},
	sync::{
		atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError, Weak,
	},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	sync::{mpsc, Semaphore},
	time::Instant,
};

/// The one track there is: picture and sound at 480p.
pub const TRACK: TrackId = 0;

/// Winners that wait for room on the disk: in memory, and not acknowledged.
pub const MAX_HELD: usize = 1_000;

/// Between two attempts to store a winner on a full disk.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How far behind the newest block receipts are dated: a viewer's node may be so much behind ours, and the blocks that
/// viewers allow ahead, before it takes them for receipts of another time. Evidence counts 8 s shorter for it.
const RECEIPT_LAG: BlockNumber = 4;

/// Of so many blocks that the clock is ahead of the node, receipts are dated one further back: a chain whose validators are away
/// makes fewer blocks than the clock counts.
const CLOCK_PER_LAG: BlockNumber = 5;

/// The block that receipts state at the block `now`, where the node told of `best` last.
fn dated(now: BlockNumber, best: BlockNumber) -> BlockNumber {
	let by_clock = now.saturating_sub(best).min(tip::MAX_AHEAD);
	now.saturating_sub(RECEIPT_LAG + by_clock / CLOCK_PER_LAG)
}

/// See the module. One per relayer, for all its streams: accounts, credit and what is owed are of all of them together.
pub struct Desk<L> {
	/// What is served.
	pub streams: Streams,
	/// How full the relayer is.
	pub load: Arc<Load>,
	/// The account that is paid.
	pub recipient: AccountId,
	/// Of each ticket, and what an account must be able to pay at once, micro-USDC.
	pub face_value: Balance,
	/// Bytes ahead of payment.
	pub credit: u32,
	/// Bytes that are worth a receipt.
	pub interval: u32,
	/// Most blocks that the chain lets a payment live, and a session that was revoked.
	pub max_ticket_life: BlockNumber,
	/// Signs receipts, draws secrets.
	pub signer: Arc<ReceiptSigner>,
	/// Viewers on the chain.
	pub accounts: Accounts<L>,
	/// How far the chain is.
	pub tip: Tip,
	/// Winners and vouchers.
	pub store: Arc<Store>,
	/// Writes vouchers into it.
	pub recorder: Recorder,
	/// Judges tickets, and how much is lent.
	pub book: Mutex<TicketBook>,
	/// What viewers are asked to reserve; `None`: nothing.
	pub reserve: Option<ReserveTerms>,
	/// Hash of block 0.
	pub genesis: Hash,
	/// Hands reservations in.
	pub orders: mpsc::Sender<Order>,
	/// Places for winners on their way to the disk: [`MAX_HELD`].
	pub held: Arc<Semaphore>,
	/// Who was forgiven what is nobody's fault.
	pub leniency: Mutex<Leniency>,
	/// Reservations on their way, by session.
	pub pending: Mutex<HashMap<PublicKey, Weak<Mutex<Pending>>>>,
	/// What our operator carries.
	pub carries: Carries,
	/// Whom we may name to who is refused.
	pub directory: Directory,
}

/// One subscription.
pub struct Seat {
	payer: SessionKey,
	account: Arc<Entry>,
	/// Micro-USDC per 10^9 bytes, for this subscription; falls only.
	price_per_gb: AtomicU64,
	/// It may go on by voucher: it takes part, and we have whatever vouchers the chain knows of.
	may_voucher: bool,
	/// It pays by voucher.
	vouchers: AtomicBool,
	/// Under these terms of the stream.
	terms: AtomicU32,
	/// Its last reservation, where it is on its way.
	pending: Arc<Mutex<Pending>>,
	viewer: Viewer,
}

impl Seat {
	/// What it watches.
	fn stream(&self) -> &Served {
		&self.viewer.stream
	}
}

/// A reservation on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
	/// There is none.
	#[default]
	None,
	/// With this counter.
	UnderWay(u32),
	/// It failed.
	Failed,
}

impl<L: Ledger> Desk<L> {
	/// The finalised block `at` has decided about a winner: it no longer burdens its viewer.
	pub fn settle(&self, winner: &WinningTicket, at: BlockNumber, paid: bool) {
		self.book().settle(winner, at, paid);
	}

	/// The finalised block `at` has decided about so much more of a session's vouchers.
	pub fn settle_voucher(&self, voucher: &Voucher, amount: Balance, at: BlockNumber, paid: bool) {
		self.book().settle_voucher(voucher, amount, at, paid);
	}

	/// Sessions to be redeemed at once.
	pub fn urgent(&self) -> HashSet<PublicKey> {
		self.book().credit().urgent().collect()
	}

	/// All whose channels matter.
	pub fn payers(&self) -> Vec<SessionKey> {
		self.book().credit().sessions().collect()
	}

	/// Names a channel to this relayer.
	pub fn channel_key(&self, payer: &SessionKey) -> ChannelKey {
		ChannelKey {
			session: payer.key,
			recipient: self.recipient,
		}
	}

	/// Sessions whose reservation holds all that they signed for.
	pub fn well_reserved(&self) -> HashSet<PublicKey> {
		self.book().credit().reserved().collect()
	}

	/// What the finalised block `at` says of a channel. Whether it says for the first time that what we released is free.
	pub fn channel(&self, payer: &SessionKey, at: BlockNumber, info: Option<ChannelInfo>) -> bool {
		self.book().channel(payer, at, info)
	}

	/// What the finalised block `at` says of a channel that may be of an earlier run. Whether there was room for it.
	pub fn restore_channel(
		&self,
		payer: &SessionKey,
		at: BlockNumber,
		info: ChannelInfo,
	) -> Result<bool, store::Error> {
		let released = self.store.released(&payer.key)?;
		let mut book = self.book();
		let fits = book.credit().restore_channel(payer, at, info);
		if let (true, Some(counter)) = (fits, released) {
			book.credit().released(payer, counter);
		}
		Ok(fits)
	}

	/// Channels to be released now: they cover nothing any more. When all `ends`, nobody has time to come back.
	pub fn take_releasable(&self, most: usize, ends: bool) -> Vec<Releasable> {
		self.book().credit().take_releasable(most, ends)
	}

	/// A reservation was handed in and is final. That it counts is seen by [`Desk::channel`].
	pub fn reservation_stands(&self, payer: &SessionKey, counter: u32) {
		self.book().credit().handed_in(payer, counter, true);
	}

	/// A reservation could not be handed in: its fee is lost.
	pub fn reservation_failed(&self, payer: &SessionKey, counter: u32) {
		self.book().credit().handed_in(payer, counter, false);
		if let Some(pending) = self.pending(payer) {
			let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
			if *pending == Pending::UnderWay(counter) {
				*pending = Pending::Failed;
			}
		}
	}

	/// That of all seats of a session.
	fn pending(&self, payer: &SessionKey) -> Option<Arc<Mutex<Pending>>> {
		let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
		all.retain(|_, pending| pending.strong_count() > 0);
		all.get(&payer.key).and_then(Weak::upgrade)
	}

	/// The key of a stream allows this price under its terms of now, and the lower one `to_come` under what is announced;
	/// micro-USDC per 10^9 bytes. What is asked is the lower one at once; what was agreed before is paid as the terms before say.
	pub fn limit_price(&self, stream: &Served, per_gb: u64, to_come: u64) {
		stream.surge.limit(to_come);
		self.book().set_max_price(stream.id, stream.terms(), per_gb);
	}

	/// A stream has these terms now, until this block where that is known: then the vouchers of those who watch it begin
	/// anew.
	pub fn set_terms(&self, stream: &Served, counter: u32, until: Option<BlockNumber>) {
		let before = stream.set_terms(counter);
		let now = self.tip.block();
		let mut book = self.book();
		if before != counter {
			book.superseded(stream.id, before, now);
		}
		book.supersede(stream.id, counter, until);
	}

	/// The chain is at this block: receipts say so, tickets that have expired are forgotten.
	pub fn at_block(&self, now: BlockNumber) {
		self.signer.set_block(dated(now, self.tip.head().best));
		self.book().prune(now);
	}

	fn book(&self) -> MutexGuard<'_, TicketBook> {
		// A book whose caller panicked half-way may lack a nonce; the store still refuses a second winner with it.
		self.book.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn place(&self, stream: &Served, payer: &SessionKey) -> VoucherPlace {
		VoucherPlace {
			session: payer.key,
			recipient: self.recipient,
			stream: stream.id,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: stream.terms(),
		}
	}

	/// The newest voucher of this payer for a stream under its terms of now. One lookup in the database's memory.
	fn kept(&self, stream: &Served, payer: &SessionKey) -> Result<Option<Kept>, store::Error> {
		let place = self.place(stream, payer);
		let kept = self.store.voucher(&place)?;
		let Some(newest) = self.recorder.held(&place) else {
			return Ok(kept);
		};
		let (paid, settled) = kept.map_or((0, 0), |kept| (kept.paid, kept.settled));
		Ok(Some(Kept { newest, paid, settled }))
	}

	/// Whether vouchers can be asked of this payer. Not where the chain has paid more than we have vouchers for, since we
	/// could not show the newest to a viewer who lost track.
	async fn may_voucher(&self, stream: &Served, payer: &SessionKey) -> Result<bool, EndReason> {
		if !stream.rule.ever() && self.reserve.is_none() {
			return Ok(false);
		}
		// By ticket where that cannot be looked up.
		let Some(paid) = self.accounts.vouchers_paid(&self.place(stream, payer)).await else {
			return Ok(false);
		};
		// Where the store fails, a ticket that loses needs none.
		let Ok(kept) = self.kept(stream, payer) else {
			return Ok(false);
		};
		let newest = kept.map_or((0, 0), |k| (k.newest.message.amount, k.newest.message.bytes));
		Ok(newest.0 >= paid.amount && newest.1 >= paid.bytes)
	}

	/// What this payer pays for a stream with from here on. When it is by voucher, the book knows the newest.
	fn mode(&self, stream: &Served, payer: &SessionKey, may_voucher: bool) -> Result<PaymentMode, EndReason> {
		let tickets = PaymentMode::Tickets {
			face_value: self.face_value,
		};
		if !may_voucher {
			return Ok(tickets);
		}
		let Ok(kept) = self.kept(stream, payer) else {
			return Ok(tickets);
		};
		let by_voucher = kept.as_ref().map_or(0, |kept| kept.newest.message.amount);
		// What is reserved can wait for as long as it takes to be worth a fee.
		let covered = self.reserve.is_some() && self.book().credit().is_covered(payer, self.face_value.min(1));
		let so_far = stream.standings.of(&payer.key).saturating_add(by_voucher);
		if !covered && !stream.rule.vouchers(so_far) {
			return Ok(tickets);
		}
		if let Some(kept) = &kept {
			let now = self.tip.block();
			self.book().restore_voucher(&kept.newest.message, kept.settled, now);
		}
		Ok(PaymentMode::Vouchers {
			newest: kept.map(|kept| kept.newest),
		})
	}

	/// Counts a refused payment; passes its reason on.
	fn judged(&self, judged: Result<(), EndReason>) -> Result<(), EndReason> {
		if let Err(reason) = &judged {
			tracing::debug!(?reason, "payment refused");
			::metrics::counter!(metrics::TICKETS_REFUSED, "reason" => label(reason)).increment(1);
		}
		judged
	}

	/// Whether the session lasts until this block, whatever its viewer did behind the block up to which we know of it: one that
	/// is revoked lasts as long as a payment may live from then. Else the viewer could sign its last voucher for longer than
	/// that, before we hear of it, and void with it all those that it replaces.
	///
	/// Who signs no further ahead of `now` than viewers do is not to blame: it is us who know too little.
	fn outlasts(&self, known: BlockNumber, expiry: BlockNumber, now: BlockNumber) -> Result<(), EndReason> {
		let usual = self
			.max_ticket_life
			.saturating_sub(EXPIRY_MARGIN)
			.saturating_add(tip::LATE);
		match expiry > known.saturating_add(self.max_ticket_life) {
			false => Ok(()),
			true if expiry <= now.saturating_add(usual) => Err(EndReason::Behind),
			true => Err(EndReason::TicketRefused(TicketError::Chain(
				TicketRefusal::ExpiryTooFar,
			))),
		}
	}

	/// Why nothing is sold now, by the fault of our disk or our node: nobody is to blame, and nothing would be paid.
	fn shop_is_shut(&self) -> Option<EndReason> {
		match (self.store.is_shut(), self.tip.is_lost()) {
			(true, _) => Some(EndReason::CannotStore),
			(false, true) => Some(EndReason::Behind),
			(false, false) => None,
		}
	}

	/// Takes a place in the book for a subscription that is being decided.
	fn enter(
		&self,
		payer: SessionKey,
		channel: Option<(BlockNumber, Option<ChannelInfo>)>,
	) -> Result<Place<'_, L>, EndReason> {
		let released = self.store.released(&payer.key).map_err(|error| {
			tracing::debug!(%error, "store of releases");
			EndReason::CannotStore
		})?;
		let mut book = self.book();
		book.credit().enter(&payer).map_err(|_| EndReason::Full)?;
		if let Some(counter) = released {
			book.credit().released(&payer, counter);
		}
		// Where the chain does not say what stands, what it said last does.
		if let Some((at, channel)) = channel {
			book.channel(&payer, at, channel);
		}
		Ok(Place {
			desk: self,
			payer: Some(payer),
		})
	}

	/// Ends when the winner is on disk. A full disk is waited for: until then the window counts as unpaid, and the viewer is
	/// served on within its credit.
	async fn keep(&self, winner: WinningTicket) -> Result<(), EndReason> {
		let Ok(place) = self.held.clone().try_acquire_owned() else {
			self.settle(&winner, 0, true);
			return Err(EndReason::CannotStore);
		};
		let (store, ticket) = (self.store.clone(), winner.clone());
		// Goes on where the viewer leaves meanwhile: it has paid.
		let stored = tokio::spawn(async move {
			let stored = store_winner(store, ticket).await;
			drop(place);
			stored
		});
		match stored.await.expect("store methods do not panic") {
			Ok(()) => return Ok(()),
			Err(store::Error::NonceSpent) => Err(EndReason::TicketRefused(TicketError::Duplicate)),
			Err(store::Error::Full) => {
				tracing::error!("{}", store::Error::Full);
				Err(EndReason::Full)
			},
			Err(error) => {
				tracing::error!(%error, "a winning ticket could not be stored; its viewer is not served on");
				Err(EndReason::CannotStore)
			},
		}
		// We could not keep it: not the viewer's fault.
		.inspect_err(|_| self.settle(&winner, 0, true))
	}
}

/// Stores a winner, again and again where the disk is full.
async fn store_winner(store: Arc<Store>, winner: WinningTicket) -> Result<(), store::Error> {
	let mut failed = false;
	loop {
		let (to, ticket, now) = (store.clone(), winner.clone(), unix_ms());
		let stored = tokio::task::spawn_blocking(move || match to.insert(&ticket, now) {
			// What broke may have been written nevertheless.
			Err(store::Error::NonceSpent) if failed && to.has(&ticket)? => Ok(()),
			other => other,
		});
		match stored.await.expect("store methods do not panic") {
			Err(error) if error.is_of_the_disk() => {
				failed = true;
				tokio::time::sleep(STORE_AGAIN).await;
			},
			other => return other,
		}
	}
}

/// Given back unless it is kept.
struct Place<'a, L: Ledger> {
	desk: &'a Desk<L>,
	payer: Option<SessionKey>,
}

impl<L: Ledger> Place<'_, L> {
	fn keep(mut self) {
		self.payer = None;
	}
}

impl<L: Ledger> Drop for Place<'_, L> {
	fn drop(&mut self) {
		if let Some(payer) = self.payer {
			self.desk.book().credit().leave(&payer, true);
		}
	}
}

impl<L: Ledger> Policy for Desk<L> {
	type Seat = Seat;

	async fn subscribe(&self, peer: PublicKey, request: &Subscribe) -> Result<(Grant, Seat), EndReason> {
		let served = self.streams.get(request.stream).filter(|stream| !stream.is_gone());
		let stream = served.ok_or_else(|| self.carries.refusal(request.stream))?;
		if request.track() != Some(TRACK) {
			return Err(EndReason::NotServed);
		}
		let offered = request.payer.as_ref().ok_or(EndReason::PaymentRequired)?;
		let payer = offered.session();
		if let Some(reason) = self.shop_is_shut() {
			return Err(reason);
		}
		let account = self.accounts.fetch(payer.account).await.ok_or(EndReason::Behind)?;
		let channel = self.accounts.channel(&self.channel_key(&payer)).await;
		let now = self.tip.block();
		let open = match channel {
			Some((_, channel)) => channel.map_or(0, |channel| channel.open),
			None => self.book().credit().channel_of(&payer).open,
		};
		// What is known is not enough, or was not when it was known.
		let is_old = channel.is_none() || self.tip.is_late() || account.age() >= self.accounts.pace().stale;
		check_means(&account.get(), &payer.key, self.face_value.saturating_sub(open), now).map_err(|reason| {
			match is_old {
				true => EndReason::Behind,
				false => EndReason::TicketRefused(TicketError::Chain(reason)),
			}
		})?;
		let may_voucher = offered.vouchers && self.may_voucher(stream, &payer).await?;
		let place = self.enter(payer, channel)?;
		// It is asked what was asked before it came.
		let price_per_gb = stream.price(Instant::now());
		self.carries.judge(price_per_gb)?;
		let viewer = stream.enter(peer, payer.account, request.follow)?;
		let counter = stream.terms();
		let mode = self.mode(stream, &payer, may_voucher)?;
		let terms = Terms {
			recipient: self.recipient,
			price_per_gb,
			mode,
			credit: self.credit,
			interval: self.interval,
			counter,
			reserve: self.reserve.filter(|_| may_voucher),
		};
		let pending = self.pending(&payer).unwrap_or_default();
		let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
		all.insert(payer.key, Arc::downgrade(&pending));
		drop(all);
		let seat = Seat {
			payer,
			pending,
			account,
			price_per_gb: terms.price_per_gb.into(),
			may_voucher,
			vouchers: AtomicBool::new(matches!(terms.mode, PaymentMode::Vouchers { .. })),
			terms: AtomicU32::new(counter),
			viewer,
		};
		note_price(stream, price_per_gb);
		place.keep();
		Ok((Grant::Paid(terms, self.signer.clone()), seat))
	}

	fn price(&self, seat: &Seat) -> Option<u64> {
		let agreed = seat.price_per_gb.load(Ordering::Relaxed);
		if seat.stream().surge.allows(agreed) {
			return None;
		}
		// The stream was made cheaper under this subscription.
		let price = seat.stream().price(Instant::now());
		seat.price_per_gb.store(price, Ordering::Relaxed);
		note_price(seat.stream(), price);
		Some(price)
	}

	fn lend(&self, seat: &Seat, expectation: Expectation) -> Result<bool, EndReason> {
		let now = self.tip.block();
		let mut book = self.book();
		// What could not be paid is not delivered: its refusal would be of our own making.
		book.check_means(&seat.payer, &expectation.share, &seat.account.get(), now)
			.map_err(EndReason::TicketRefused)?;
		match book.open(expectation) {
			Ok(()) => Ok(true),
			Err(shortage @ (Shortage::Reservation | Shortage::Pool)) => {
				tracing::debug!(%shortage, "a window waits for credit");
				Ok(false)
			},
			Err(Shortage::Full) => Err(EndReason::Full),
		}
	}

	fn forgo(&self, _: &Seat, commitment: Hash) {
		self.book().close(&commitment, Debt::Ours);
	}

	async fn reserve(&self, seat: &Seat, reservation: SignedReservation) -> Result<(), EndReason> {
		let refused = |error| {
			tracing::debug!(%error, "reservation refused");
			Err(EndReason::ReservationRefused(error))
		};
		let Some(asked) = &self.reserve else {
			return Err(EndReason::ProtocolError);
		};
		let mut pending = seat.pending.lock().unwrap_or_else(PoisonError::into_inner);
		if matches!(*pending, Pending::UnderWay(_)) {
			return refused(ReserveError::Busy);
		}
		let terms = (asked, &self.recipient, &self.genesis);
		let judged = self
			.book()
			.credit()
			.check_reservation(&reservation, terms, &seat.payer, &seat.account.get());
		if let Err(error) = judged {
			return refused(error);
		}
		let counter = reservation.message.counter;
		let order = Order {
			payer: seat.payer,
			reservation,
		};
		let Ok(place) = self.orders.try_reserve() else {
			return refused(ReserveError::Busy);
		};
		self.book().credit().hand_in(&seat.payer, counter, asked.reward);
		place.send(order);
		*pending = Pending::UnderWay(counter);
		Ok(())
	}

	fn reserved(&self, seat: &Seat) -> Result<Option<u32>, EndReason> {
		let mut pending = seat.pending.lock().unwrap_or_else(PoisonError::into_inner);
		match *pending {
			Pending::None => Ok(None),
			Pending::Failed => {
				*pending = Pending::None;
				Err(EndReason::ReservationRefused(ReserveError::Chain))
			},
			Pending::UnderWay(counter) => {
				let final_ = self.book().credit().channel_of(&seat.payer).counter;
				if final_ < counter {
					return Ok(None);
				}
				*pending = Pending::None;
				Ok(Some(counter))
			},
		}
	}

	async fn ticket(&self, seat: &Seat, ticket: SignedTicket) -> Result<(), EndReason> {
		let (known, account) = seat.account.known();
		let now = self.tip.block();
		let judged = self.outlasts(known, ticket.message.expiry, now);
		let accept = || {
			self.book()
				.accept(&ticket, &account, now)
				.map_err(EndReason::TicketRefused)
		};
		let kept = match judged.and_then(|()| accept()) {
			Ok(Outcome::Lost) => Ok(false),
			Ok(Outcome::Won(winner)) => self.keep(winner).await.map(|()| true),
			Err(reason) => Err(reason),
		};
		if let Ok(won) = kept {
			::metrics::counter!(metrics::TICKETS).increment(1);
			::metrics::counter!(metrics::WINNERS).increment(won.into());
			let price = seat.price_per_gb.load(Ordering::Relaxed);
			let value = amount::cost(ticket.message.bytes, price);
			seat.stream().standings.note(seat.payer.key, value);
		}
		self.judged(kept.map(drop))
	}

	async fn voucher(&self, seat: &Seat, commitment: Hash, voucher: SignedVoucher) -> Result<(), EndReason> {
		let (known, account) = seat.account.known();
		let now = self.tip.block();
		let judged = self.outlasts(known, voucher.message.expiry, now);
		let accept = || {
			let accepted = self.book().accept_voucher(&commitment, &voucher, &account, now);
			accepted.map_err(EndReason::TicketRefused)
		};
		let kept = match judged.and_then(|()| accept()) {
			// Accepted and not kept: the next one brings what this one would have.
			Ok(()) => self.recorder.keep(voucher).await.map_err(|error| match error {
				NotKept::Full => EndReason::Full,
				NotKept::Failed => EndReason::CannotStore,
			}),
			Err(reason) => Err(reason),
		};
		if kept.is_ok() {
			::metrics::counter!(metrics::VOUCHERS).increment(1);
		}
		self.judged(kept)
	}

	fn restate(&self, seat: &Seat) -> Option<(PaymentMode, u32)> {
		let counter = seat.stream().terms();
		let changed = seat.terms.swap(counter, Ordering::Relaxed) != counter;
		let by_voucher = seat.vouchers.load(Ordering::Relaxed);
		if !seat.may_voucher || (by_voucher && !changed) {
			return None;
		}
		let mode = self.mode(seat.stream(), &seat.payer, true).ok()?;
		let vouchers = matches!(mode, PaymentMode::Vouchers { .. });
		seat.vouchers.store(vouchers, Ordering::Relaxed);
		(vouchers || by_voucher).then_some((mode, counter))
	}

	fn route(&self, seat: &Seat) -> Option<Path> {
		seat.stream().route()
	}

	/// It is busy, or few share what the stream costs it.
	fn is_dear(&self, seat: &Seat) -> bool {
		seat.price_per_gb.load(Ordering::Relaxed) > seat.stream().surge.baseline()
	}

	fn others(&self, peer: &PublicKey, request: &Subscribe) -> Names {
		let Some(stream) = self.streams.get(request.stream) else {
			return Names::default();
		};
		let known = stream.neighbours().into_iter().filter(|key| self.directory.has(key));
		routes::named(peer, &self.signer.public(), known)
	}

	fn shut(&self, seat: &Seat) -> Option<EndReason> {
		let is_old = seat.account.age() >= accounts::OLDEST;
		let price = seat.price_per_gb.load(Ordering::Relaxed);
		let of_the_stream = || seat.viewer.shut(price, Instant::now());
		self.shop_is_shut()
			.or(is_old.then_some(EndReason::Behind))
			.or_else(of_the_stream)
	}

	fn places(&self, seat: &Seat) -> Option<usize> {
		Some(seat.stream().places())
	}

	fn freight(&self, seat: &Seat) -> Option<Freight> {
		let carries = self.load.uplink()?;
		let takes = seat.stream().takes();
		Some(Freight { takes, carries })
	}

	/// It is registered, so a bond answers for what it sells.
	fn resells(&self, seat: &Seat) -> bool {
		self.directory.has(seat.viewer.peer())
	}

	fn seated(&self, seat: &Seat, seated: bool) {
		seat.viewer.sit(seated);
	}

	fn follows(&self, seat: &Seat, follow: Follow) {
		seat.viewer.follow(follow);
	}

	fn earns(&self, seat: &Seat, earns: bool) {
		seat.viewer.count(earns);
	}

	fn bought(&self, seat: &Seat, bytes: u64) {
		let price = seat.price_per_gb.load(Ordering::Relaxed);
		seat.stream().paid(seat.payer.account, bytes, price, Instant::now());
	}

	fn sent(&self, bytes: usize) {
		self.load.sent(bytes, Instant::now());
		::metrics::counter!(metrics::BYTES_SENT).increment(bytes as u64);
	}

	fn closed(&self, seat: Option<Seat>, unpaid: Unpaid, why: &Closed) {
		let debt = match &seat {
			Some(seat) if !unpaid.sent.is_empty() => {
				let mut leniency = self.leniency.lock().unwrap_or_else(PoisonError::into_inner);
				leniency.judge(&seat.payer.key, why, Instant::now())
			},
			_ => Debt::Payers,
		};
		let mut book = self.book();
		unpaid
			.unsent
			.iter()
			.for_each(|commitment| book.close(commitment, Debt::Ours));
		unpaid.sent.iter().for_each(|commitment| book.close(commitment, debt));
		if let Some(seat) = seat {
			let farewell =
				unpaid == Unpaid::default() && matches!(why, Closed::Left | Closed::Ended(EndReason::Finished));
			book.credit().leave(&seat.payer, farewell);
		}
		drop(book);
		::metrics::counter!(metrics::CLOSED, "reason" => label_of_end(why)).increment(1);
	}
}

fn note_price(stream: &Served, per_gb: u64) {
	::metrics::gauge!(metrics::PRICE, "stream" => stream.id.to_string()).set(per_gb as f64);
}

/// Unix time, milliseconds.
pub fn unix_ms() -> u64 {
	let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
