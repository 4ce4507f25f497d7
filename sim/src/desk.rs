//! What a node that serves has for all its subscriptions: windows, the broadcaster's word, the book of payments, and what of them is on its
//! disk. As `relayer/src/desk.rs` and `network/src/feed.rs` have it, without reservations.

use crate::{
	bugs::Bug,
	calendar::Micros,
	node::{Conduct, Io},
};
use clustercast_primitives::{
	chain::VoucherPlace, crypto::KeyPair, receipt::Kind, AccountId, Balance, Hash, PublicKey, SignedTicket,
	SignedVoucher, StreamId, WinningTicket,
};
use clustercast_protocol::{
	cache::MAX_BLOCKS_AHEAD, BookConfig, CreditConfig, Cursor, Debt, EncodedWindow, EndReason, Expectation, Float,
	Lookup, Outcome, PaymentMode, ReceiptSigner, SessionKey, Shortage, Standing, Subscribe, Terms, TicketBook,
	WindowCache,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// The one stream.
pub const STREAM: StreamId = StreamId(7);

/// Counter of its terms.
pub const TERMS: u32 = 3;

/// Expectations that a book has open at most: as in `relayer`, for fewer viewers.
const MAX_EXPECTATIONS: usize = 10_000;

/// How it serves.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
	/// For nothing: an origin.
	pub free: bool,
	/// Whom the chain pays.
	pub recipient: AccountId,
	/// Micro-USDC per 10^9 bytes.
	pub price: u64,
	/// Of each ticket, micro-USDC.
	pub face_value: Balance,
	/// Bytes ahead of payment.
	pub credit: u32,
	/// Bytes that are worth a receipt.
	pub interval: u32,
	/// By vouchers.
	pub vouchers: bool,
	/// Subscriptions at a time.
	pub seats: usize,
	/// Whether windows are passed over for who cannot follow.
	pub passes: bool,
	/// What it risks.
	pub float: Float,
	/// Bytes of windows.
	pub cache: usize,
}

/// What is on its disk.
#[derive(Debug, Default)]
pub struct Disk {
	winners: Vec<WinningTicket>,
	redeemed: Vec<WinningTicket>,
	vouchers: BTreeMap<VoucherPlace, SignedVoucher>,
	settled: BTreeMap<VoucherPlace, Balance>,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
	/// How it serves.
	pub offer: Offer,
	/// How it behaves.
	pub conduct: Conduct,
	/// Its identity.
	pub key: KeyPair,
	/// Signs receipts.
	pub signer: Arc<ReceiptSigner>,
	/// What it has.
	pub cache: WindowCache,
	/// What the broadcaster says.
	pub standing: Standing,
	book: TicketBook,
	disk: Disk,
	/// Acknowledged and not on the disk.
	unstored: Vec<WinningTicket>,
}

impl Desk {
	/// Begins, with what is on the disk.
	pub fn open(offer: Offer, conduct: Conduct, key: KeyPair, mut disk: Disk, io: &mut Io<'_>) -> Self {
		let seed = key.sign_bytes(b"secret").0;
		let secret = std::array::from_fn(|index| seed[index]);
		let mut book = TicketBook::new(BookConfig {
			genesis: crate::chain::GENESIS,
			recipient: offer.recipient,
			max_ticket_life: crate::chain::TICKET_LIFE,
			min_ticket_life: 100,
			min_face_value: 1_000,
			credit: CreditConfig {
				float: offer.float,
				margin: 300,
				least: 1_000,
				max_sessions: 1_000,
			},
			max_expectations: MAX_EXPECTATIONS,
			max_price_per_gb: offer.price * 2,
		});
		let place = |winner: &WinningTicket| (winner.signed.message.session, winner.signed.message.nonce);
		let keeps: BTreeSet<(PublicKey, u64)> = disk.winners.iter().chain(&disk.redeemed).map(place).collect();
		io.audit.keeps(io.node, &keeps);
		if io.has(Bug::CountTwice) {
			let again = disk.redeemed.clone();
			disk.winners.extend(again);
		}
		book.prune(io.block());
		disk.winners.iter().for_each(|winner| book.restore(winner));
		let cache = match io.has(Bug::KeepAll) {
			true => usize::MAX,
			false => offer.cache,
		};
		Self {
			signer: Arc::new(ReceiptSigner::new(key.clone(), secret)),
			key,
			cache: WindowCache::new(cache),
			standing: Standing::default(),
			book,
			disk,
			unstored: Vec::new(),
			offer,
			conduct,
		}
	}

	/// Ends without a word; what is left is on the disk.
	pub fn crash(self) -> Disk {
		self.disk
	}

	/// What a cursor asks for, as `network/src/feed.rs` answers it.
	pub fn look(&self, cursor: Cursor, io: &Io<'_>) -> Lookup {
		let found = self.cache.get_after(cursor);
		match (&found, cursor) {
			(Lookup::Found(window), Cursor::Live { .. }) => match self.standing.is_live(window.header(), io.time()) {
				true => found,
				false => Lookup::NotYet,
			},
			(Lookup::Unknown, Cursor::After { id, header }) => {
				let status = self.standing.status();
				let epoch = status.map(|status| status.status.message.epoch);
				let last = status.and_then(|status| status.track(id.track)).map(|track| track.last);
				match epoch {
					Some(epoch) if epoch == id.epoch && last == Some(header) => Lookup::NotYet,
					Some(epoch) if id.epoch > epoch.saturating_add(MAX_BLOCKS_AHEAD) => Lookup::Gone,
					_ => found,
				}
			},
			_ => found,
		}
	}

	/// Whether it has this window, or a later one.
	pub fn has_as_new(&self, window: &EncodedWindow) -> bool {
		let newest = self.cache.latest(STREAM, 0);
		newest.is_some_and(|newest| window.id() <= newest.id())
	}

	/// Takes a window.
	pub fn push(&mut self, window: EncodedWindow, io: &mut Io<'_>) {
		self.cache.insert(io.pool.window(window));
		let held = self.cache.bytes();
		io.audit.bound(io.node, "bytes are cached", held, self.offer.cache);
	}

	/// A block later: prunes and redeems.
	pub fn at_block(&mut self, io: &mut Io<'_>) {
		let now = io.block();
		self.signer.set_block(now);
		self.book.prune(now);
		self.disk.winners.append(&mut self.unstored);
		if now.is_multiple_of(6) {
			self.redeem(io);
		}
	}

	/// Whoever owes something has a subscription: so many receipts are not paid in all of them.
	pub fn check_open(&self, unpaid: usize, io: &mut Io<'_>) {
		let open = self.book.expectations();
		io.audit
			.bound(io.node, "expectations are open", open, unpaid.min(MAX_EXPECTATIONS));
	}

	fn redeem(&mut self, io: &mut Io<'_>) {
		let (at, now) = (io.block(), io.now());
		for winner in std::mem::take(&mut self.disk.winners) {
			let paid = io.chain.redeem(&winner, now);
			self.book.settle(&winner, at, paid);
			if paid || io.has(Bug::CountTwice) {
				io.audit.income(io.node, winner.signed.message.face_value, io.chain);
			}
			self.disk.redeemed.push(winner);
		}
		for (place, voucher) in &self.disk.vouchers {
			let settled = self.disk.settled.get(place).copied().unwrap_or(0);
			if voucher.message.amount.saturating_sub(settled) < 1_000 {
				continue;
			}
			let paid = io.chain.redeem_voucher(voucher, now);
			self.disk.settled.insert(*place, settled + paid);
			self.book.settle_voucher(&voucher.message, paid, at, true);
			let counted = if io.has(Bug::CountWhole) {
				voucher.message.amount
			} else {
				paid
			};
			io.audit.income(io.node, counted, io.chain);
		}
	}

	/// Whether a subscription is served, and on what terms; `None` for nothing.
	pub fn subscribe(&mut self, request: &Subscribe, io: &Io<'_>) -> Result<Option<(Terms, SessionKey)>, EndReason> {
		if request.stream != STREAM {
			return Err(EndReason::NotServed);
		}
		if self.offer.free {
			return Ok(None);
		}
		let offered = request.payer.as_ref().ok_or(EndReason::PaymentRequired)?;
		let payer = offered.session();
		self.book.credit().enter(&payer).map_err(|_| EndReason::Full)?;
		let mode = match self.offer.vouchers && offered.vouchers {
			false => PaymentMode::Tickets {
				face_value: self.offer.face_value,
			},
			true => {
				let place = VoucherPlace {
					session: payer.key,
					recipient: self.offer.recipient,
					stream: STREAM,
					kind: Kind::LIVE,
					context: Hash([0; 32]),
					terms: TERMS,
				};
				let newest = self.disk.vouchers.get(&place).cloned();
				if let Some(newest) = &newest {
					let settled = self.disk.settled.get(&place).copied().unwrap_or(0);
					self.book.restore_voucher(&newest.message, settled, io.block());
				}
				PaymentMode::Vouchers { newest }
			},
		};
		let terms = Terms {
			recipient: self.offer.recipient,
			price_per_gb: self.offer.price,
			mode,
			credit: self.offer.credit,
			interval: self.offer.interval,
			counter: TERMS,
			reserve: None,
		};
		Ok(Some((terms, payer)))
	}

	/// Whether a window may go out that is to be paid with this.
	pub fn lend(&mut self, expectation: Expectation, io: &Io<'_>) -> Result<bool, EndReason> {
		let account = io.chain.account(&expectation.payer.account);
		let means = self
			.book
			.check_means(&expectation.payer, &expectation.share, &account, io.block());
		means.map_err(EndReason::TicketRefused)?;
		match self.book.open(expectation) {
			Ok(()) => Ok(true),
			Err(Shortage::Reservation | Shortage::Pool) => Ok(false),
			Err(Shortage::Full) => Err(EndReason::Full),
		}
	}

	/// Nothing is to be paid any more under this commitment.
	pub fn forgo(&mut self, commitment: Hash) {
		self.book.close(&commitment, Debt::Ours);
	}

	/// Judges a ticket.
	pub fn ticket(&mut self, ticket: &SignedTicket, io: &mut Io<'_>) -> Result<(), EndReason> {
		let account = io.chain.account(&ticket.message.sender);
		match self.book.accept(ticket, &account, io.block()) {
			Ok(Outcome::Lost) => Ok(()),
			Ok(Outcome::Won(winner)) => {
				io.audit.won(io.node, ticket);
				match io.has(Bug::LoseWinners) {
					true => self.unstored.push(winner),
					false => self.disk.winners.push(winner),
				}
				Ok(())
			},
			Err(_) if io.has(Bug::AcceptUnjudged) => {
				self.book.close(&ticket.message.commitment, Debt::Ours);
				Ok(())
			},
			Err(error) => Err(EndReason::TicketRefused(error)),
		}
	}

	/// Judges a voucher.
	pub fn voucher(&mut self, commitment: &Hash, voucher: SignedVoucher, io: &mut Io<'_>) -> Result<(), EndReason> {
		let account = io.chain.account(&voucher.message.sender);
		let judged = self.book.accept_voucher(commitment, &voucher, &account, io.block());
		judged.map_err(EndReason::TicketRefused)?;
		self.disk.vouchers.insert(voucher.message.place(), voucher);
		Ok(())
	}

	/// A subscription is over; `sent` is not paid, and `unsent` did not go out.
	pub fn closed(&mut self, payer: &SessionKey, sent: &[Hash], unsent: &[Hash], why: Option<EndReason>, io: &Io<'_>) {
		let debt = match why {
			_ if io.has(Bug::ForgetDebts) => Debt::Ours,
			Some(reason) if reason.is_own() => Debt::Ours,
			Some(EndReason::WindowGone | EndReason::PriceRose | EndReason::Full) => Debt::Nobodys,
			_ => Debt::Payers,
		};
		if !io.has(Bug::NeverClose) {
			unsent
				.iter()
				.for_each(|commitment| self.book.close(commitment, Debt::Ours));
			sent.iter().for_each(|commitment| self.book.close(commitment, debt));
		}
		self.book.credit().leave(payer, false);
	}
}

/// How long a window is, microseconds.
pub const WINDOW: Micros = 2_000_000;
