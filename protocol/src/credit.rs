//! How much a relayer lets viewers owe. Pure and bounded: what the chain says, the block it is at, deliveries and payments
//! go in; whether the next window may go out comes back.
//!
//! Two things can be lost, and they are not the same:
//!
//! - **What was delivered and never signed for.** No reservation helps: whoever leaves signs nothing. It counts against a
//!   [`Float`], with what was lost this way within the last hour.
//! - **What was signed and is not paid yet** (winners, vouchers, and what an outstanding receipt may become). A reservation
//!   that stands in a *finalised* block covers it until it ends. What it does not cover counts against the float too; and so
//!   does a voucher that owes less than it is worth to hand it in: that is given up when its viewer is gone, so that the rest of
//!   the reservation can be released.
//!
//! Accounts cost nothing, so what strangers may owe and lose together is bounded for each hour. Who has a reservation is no
//! stranger: it cost a fee and a deposit. They have a sum of their own, so that strangers who use up theirs shut nobody out.
//! In any hour the relayer loses at most [`Float::per_hour`] to each of the two, see [`Credit::grant`].
//!
//! A third thing is lost where a reservation that is handed in fails: its fee. That has a sum of its own too, [`Float::fees`],
//! for sessions that have never reserved anything and apart from them for those that have: whoever makes reservations fail
//! does not shut out who watches, nor who extends what it has reserved. What is on its way counts as failed until it stands.

use crate::{
	meter::Share,
	wire::{ReserveError, ReserveTerms, SessionKey},
};
use alloc::{collections::BTreeMap, vec::Vec};
use clustercast_primitives::{
	chain::{ChannelInfo, ViewerAccount, VoucherPlace},
	channel::SignedReservation,
	crypto::SignatureError,
	AccountId, Balance, BlockNumber, Hash, PublicKey,
};

/// Blocks of an hour.
pub const HOUR: BlockNumber = 1_800;

/// Losses are counted in steps of two minutes.
const STEP: BlockNumber = 60;

/// Blocks that a viewer whose connection was lost has to come back: five minutes.
pub const GRACE: BlockNumber = 150;

/// Blocks that a release has to become final before it is tried again: a minute, twice what it takes. Doubles each time.
const RELEASE_AGAIN: BlockNumber = 30;

/// Pauses between releases stop doubling at 16 minutes.
const MAX_DOUBLINGS: u32 = 4;

/// Fewest blocks that a reservation may be handed in before its last one: time to get into a block.
pub const MIN_SUBMIT: BlockNumber = 30;

/// Fees that may be lost in an hour are this part of what may be lost to either group: 0.05 USDC where that is 1 USDC, 125
/// reservations that fail.
const FEES_PART: Balance = 20;

/// One account may take this part of those fees, or one fee where that is less: who wants to shut others out needs as many
/// accounts with deposits.
const FEES_OF_ONE: Balance = 8;

/// Most blocks that the chain lets its last one lie ahead.
pub const MAX_SUBMIT: BlockNumber = 600;

/// What is risked where nothing is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Float {
	/// Bytes that one account may owe and have left unpaid within an hour.
	pub bytes: u64,
	/// The same in micro-USDC, winning tickets that may not be paid included.
	pub value: Balance,
	/// All accounts together, micro-USDC: strangers, and apart from them those who have reserved something.
	pub per_hour: Balance,
}

impl Default for Float {
	/// 16 MiB are 90 s of 480p (1.5 Mb/s), which a reservation needs 20 s of to become final; they cost 336 micro-USDC at
	/// 0.02 USDC per GB. 0.1 USDC is a winning ticket or two. 1 USDC is less than a third of what 256 viewers of 480p pay in an hour
	/// at that price.
	fn default() -> Self {
		Self {
			bytes: 16 << 20,
			value: 100_000,
			per_hour: 1_000_000,
		}
	}
}

impl Float {
	/// Fees of reservations that may be lost in an hour, micro-USDC: to sessions that have not reserved anything yet, and apart
	/// from them to those that have.
	pub fn fees(&self) -> Balance {
		self.per_hour / FEES_PART
	}
}

/// How much risk the relayer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditConfig {
	/// Without a reservation.
	pub float: Float,
	/// A reservation that ends within so many blocks covers nothing new: what it covers is redeemed in this time.
	pub margin: BlockNumber,
	/// Least that a voucher owes to be worth its fee, micro-USDC: who is gone and owes less is not waited for.
	pub least: Balance,
	/// Most sessions at a time.
	pub max_sessions: usize,
}

/// Why the next window waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
	/// This viewer's reservation, and what it may owe without, are used up.
	#[error("more needs a reservation")]
	Reservation,
	/// All strangers, or all who have reserved something, owe and have left unpaid as much as they may in an hour.
	#[error("too much is owed by others; a reservation helps")]
	Pool,
	/// No room for another session.
	#[error("too many sessions")]
	Full,
}

/// A receipt that awaits payment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
	bytes: u64,
	/// Price, rounded up: what is lost when nobody pays.
	cost: Balance,
	/// What may be signed for it: the amount of a voucher, the face value of a ticket.
	risk: Balance,
	/// Whether a reservation covered it.
	known: bool,
}

/// Signed for and not redeemed.
#[derive(Clone, Copy, Debug, Default)]
struct Signed {
	owed: Balance,
	/// Part of it that a reservation covered when it was delivered.
	known: Balance,
}

impl Signed {
	fn add(&mut self, amount: Balance, known: bool) {
		self.owed = self.owed.saturating_add(amount);
		self.known = self.known.saturating_add(if known { amount } else { 0 });
	}

	/// Takes so much off; what that was.
	fn take(&mut self, amount: Balance) -> Self {
		let left = self.owed.saturating_sub(amount);
		let kept = Self {
			owed: left,
			known: self.known.min(left),
		};
		let taken = Self {
			owed: self.owed - kept.owed,
			known: self.known - kept.known,
		};
		*self = kept;
		taken
	}

	fn lost(self) -> Lost {
		Lost {
			bytes: 0,
			strangers: self.owed - self.known,
			known: self.known,
			fees: Fees::default(),
		}
	}
}

/// One session.
#[derive(Clone, Debug, Default)]
struct Line {
	channel: ChannelInfo,
	/// Finalised block that `channel` is of.
	as_of: BlockNumber,
	/// Finalised block of the last payment that was settled.
	settled_at: BlockNumber,
	receipts: BTreeMap<Hash, Delivered>,
	/// Not redeemed, by nonce.
	winners: BTreeMap<u64, Signed>,
	/// Delivered, and signed for by voucher.
	vouchers: BTreeMap<VoucherPlace, Signed>,
	/// Somebody watches.
	seats: u32,
	/// Nobody does: what is left is released from this block on.
	release_at: BlockNumber,
	/// Counter of the reservation that we released: it covers nothing, whatever is said of it.
	released: u32,
	/// How often we tried to release it since somebody watched.
	releases: u32,
	/// Fees of reservations on their way, by counter.
	handed_in: BTreeMap<u32, Fees>,
	/// All risks, winners and vouchers.
	owed: Balance,
	/// What a stranger may leave unpaid or have voided, as it stands in the sum of all.
	uncovered: Balance,
	/// What somebody who has reserved something may leave unpaid all the same, as it stands in the sum of all.
	exposed: Balance,
}

impl Line {
	/// What is reserved for at least `margin` blocks from `now` on.
	fn cover(&self, now: BlockNumber, margin: BlockNumber) -> Balance {
		let ends = now.saturating_add(margin) >= self.channel.ends_at;
		match ends || self.channel.counter == self.released {
			true => 0,
			false => self.channel.open,
		}
	}

	/// What is reserved for us now, whether or not we count on it.
	fn held(&self, now: BlockNumber) -> Balance {
		match now < self.channel.ends_at {
			true => self.channel.open,
			false => 0,
		}
	}

	/// Nothing is to be had from it but what is not worth its fee.
	fn is_settled(&self, least: Balance) -> bool {
		let small = |voucher: &Signed| voucher.owed < least;
		self.receipts.is_empty() && self.winners.is_empty() && self.vouchers.values().all(small)
	}

	/// Its viewer is gone, and does not come back soon.
	fn is_left(&self, now: BlockNumber) -> bool {
		self.seats == 0 && now >= self.release_at
	}

	fn is_idle(&self, now: BlockNumber) -> bool {
		let nothing = self.receipts.is_empty() && self.handed_in.is_empty();
		self.seats == 0 && self.owed == 0 && nothing && self.held(now) == 0
	}

	fn signed(&self) -> Balance {
		let signed = self.winners.values().chain(self.vouchers.values());
		signed.map(|signed| signed.owed).sum()
	}

	/// The most that may be lost to a stranger, with one more receipt of this cost and risk. What a stranger does not sign for
	/// is lost whatever is reserved; what else is signed for, and may yet be, is as far as it exceeds the cover.
	fn uncover(&self, cover: Balance, more: Option<(Balance, Balance)>) -> Balance {
		let strangers = self.receipts.values().filter(|receipt| !receipt.known);
		let strangers = strangers.map(|receipt| (receipt.cost, receipt.risk));
		let (mut unsigned, mut signed) = (0, self.signed());
		for (cost, risk) in strangers.chain(more) {
			unsigned = Balance::saturating_add(unsigned, cost);
			signed = Balance::saturating_add(signed, risk - cost);
		}
		let known = self.receipts.values().filter(|receipt| receipt.known);
		let signed = known.fold(signed, |sum, receipt| sum.saturating_add(receipt.risk));
		unsigned.saturating_add(signed.saturating_sub(cover))
	}

	fn unpaid_bytes(&self) -> u64 {
		let bytes = self.receipts.values().map(|receipt| receipt.bytes);
		bytes.fold(0, u64::saturating_add)
	}

	/// Delivered under a reservation and not signed for, or signed for in vouchers that owe too little.
	fn expose(&self, least: Balance) -> Balance {
		let unsigned = self.receipts.values().filter(|receipt| receipt.known);
		let unsigned: Balance = unsigned.map(|receipt| receipt.cost).sum();
		let small = self.vouchers.values().filter(|voucher| voucher.owed < least);
		unsigned + small.map(|voucher| voucher.known).sum::<Balance>()
	}
}

/// Fees of reservations, micro-USDC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fees {
	/// Of sessions that have not reserved anything yet.
	first: Balance,
	/// Of those that have.
	again: Balance,
}

impl Fees {
	fn of(amount: Balance, is_first: bool) -> Self {
		match is_first {
			true => Self {
				first: amount,
				again: 0,
			},
			false => Self {
				first: 0,
				again: amount,
			},
		}
	}

	fn sum(&self) -> Balance {
		self.first.saturating_add(self.again)
	}

	fn add(&mut self, more: &Self) {
		self.first = self.first.saturating_add(more.first);
		self.again = self.again.saturating_add(more.again);
	}

	fn subtract(&mut self, less: &Self) {
		self.first = self.first.saturating_sub(less.first);
		self.again = self.again.saturating_sub(less.again);
	}
}

/// An account of nobody, under which losses are that are no account's debt.
const NOBODY: AccountId = AccountId([0; 32]);

/// Left unpaid, or not paid by the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
	bytes: u64,
	strangers: Balance,
	known: Balance,
	fees: Fees,
}

impl Lost {
	fn add(&mut self, more: &Self) {
		self.bytes = self.bytes.saturating_add(more.bytes);
		self.strangers = self.strangers.saturating_add(more.strangers);
		self.known = self.known.saturating_add(more.known);
		self.fees.add(&more.fees);
	}

	fn subtract(&mut self, less: &Self) {
		self.bytes = self.bytes.saturating_sub(less.bytes);
		self.strangers = self.strangers.saturating_sub(less.strangers);
		self.known = self.known.saturating_sub(less.known);
		self.fees.subtract(&less.fees);
	}
}

/// A channel that is to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releasable {
	/// Whose.
	pub session: PublicKey,
	/// As the finalised chain said last.
	pub channel: ChannelInfo,
	/// Vouchers that owe less than it is worth to hand them in.
	pub given_up: Vec<VoucherPlace>,
}

/// Sums over all sessions, micro-USDC.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
	/// What strangers may leave unpaid or have voided.
	uncovered: Balance,
	/// What those who have reserved something may leave unpaid.
	exposed: Balance,
	/// Within the last hour.
	lost: Lost,
	/// Of reservations on their way.
	handed_in: Fees,
}

/// See the module.
#[derive(Debug)]
pub struct Credit {
	config: CreditConfig,
	now: BlockNumber,
	lines: BTreeMap<(AccountId, PublicKey), Line>,
	/// Within the last hour, by step of blocks.
	lost: BTreeMap<(BlockNumber, AccountId), Lost>,
	/// The same in all.
	lost_by: BTreeMap<AccountId, Lost>,
	sums: Sums,
}

impl Credit {
	/// Nobody owes anything.
	pub fn new(config: CreditConfig) -> Self {
		Self {
			config,
			now: 0,
			lines: BTreeMap::new(),
			lost: BTreeMap::new(),
			lost_by: BTreeMap::new(),
			sums: Sums::default(),
		}
	}

	/// The chain's best block is this one, or a later one by now.
	pub fn at_block(&mut self, now: BlockNumber) {
		self.now = self.now.max(now);
		let now = self.now;
		self.lines.retain(|_, line| !line.is_idle(now));
		let keys: Vec<_> = self.lines.keys().copied().collect();
		keys.into_iter().for_each(|key| self.change(key, |_| {}));
		let first = (now.saturating_sub(HOUR) / STEP, AccountId([0; 32]));
		let recent = self.lost.split_off(&first);
		for ((_, account), lost) in core::mem::replace(&mut self.lost, recent) {
			self.sums.lost.subtract(&lost);
			if let Some(theirs) = self.lost_by.get_mut(&account) {
				theirs.subtract(&lost);
				if *theirs == Lost::default() {
					self.lost_by.remove(&account);
				}
			}
		}
	}

	/// Puts back what the finalised block `at` says is reserved for us, where nobody watches yet. Whether there was room.
	pub fn restore_channel(&mut self, payer: &SessionKey, at: BlockNumber, info: ChannelInfo) -> bool {
		let fits = self.lines.contains_key(&key(payer)) || self.lines.len() < self.config.max_sessions;
		if fits {
			self.restore(key(payer), |_| {});
			self.channel(payer, at, Some(info));
		}
		fits
	}

	/// Somebody watches for this session: it is not forgotten until [`Credit::leave`].
	pub fn enter(&mut self, payer: &SessionKey) -> Result<(), Shortage> {
		let known = self.lines.contains_key(&key(payer));
		if !known && self.lines.len() >= self.config.max_sessions {
			return Err(Shortage::Full);
		}
		self.change(key(payer), |line| line.seats += 1);
		Ok(())
	}

	/// It does not any more. What it has reserved is redeemed and released: at once where it said farewell, else when it has
	/// had [`GRACE`] blocks to come back.
	pub fn leave(&mut self, payer: &SessionKey, farewell: bool) {
		let now = self.now;
		self.change(key(payer), |line| {
			line.seats = line.seats.saturating_sub(1);
			line.release_at = now.saturating_add(if farewell { 0 } else { GRACE });
			line.releases = 0;
		});
	}

	/// The reservation with this counter was released, or is about to be: it covers nothing any more.
	pub fn released(&mut self, payer: &SessionKey, counter: u32) {
		self.change(key(payer), |line| line.released = line.released.max(counter));
	}

	/// What the *finalised* block `at` says of a session's channel to this relayer. An older block than before says nothing.
	/// Whether it says for the first time that what we released is free.
	pub fn channel(&mut self, payer: &SessionKey, at: BlockNumber, info: Option<ChannelInfo>) -> bool {
		let mut freed = false;
		if self.lines.contains_key(&key(payer)) {
			self.change(key(payer), |line| {
				if at >= line.as_of.max(line.settled_at) {
					(line.channel, line.as_of) = (info.unwrap_or_default(), at);
					freed = line.releases > 0 && line.channel.open == 0;
					line.releases = if freed { 0 } else { line.releases };
				}
			});
		}
		freed
	}

	/// As the finalised chain said last.
	pub fn channel_of(&self, payer: &SessionKey) -> ChannelInfo {
		self.lines
			.get(&key(payer))
			.map_or_else(Default::default, |line| line.channel)
	}

	/// Whether a reservation covers what this session owes, and `more` micro-USDC.
	pub fn is_covered(&self, payer: &SessionKey, more: Balance) -> bool {
		let line = self.lines.get(&key(payer));
		line.is_some_and(|line| {
			let cover = line.cover(self.now, self.config.margin);
			cover > 0 && line.owed.saturating_add(more) <= cover
		})
	}

	/// What this session owes, signed for or not, as far as it may have to be paid: micro-USDC.
	pub fn owed(&self, payer: &SessionKey) -> Balance {
		self.lines.get(&key(payer)).map_or(0, |line| line.owed)
	}

	/// What this session signed for and did not pay yet, micro-USDC.
	pub fn signed(&self, payer: &SessionKey) -> Balance {
		self.lines.get(&key(payer)).map_or(0, Line::signed)
	}

	/// What an account's other sessions signed for that nothing covers, micro-USDC.
	pub fn signed_elsewhere(&self, payer: &SessionKey) -> Balance {
		let others = self
			.account(&payer.account)
			.filter(|(session, _)| **session != payer.key);
		let uncovered = others.map(|(_, line)| line.signed().saturating_sub(line.cover(self.now, 0)));
		uncovered.fold(0, Balance::saturating_add)
	}

	/// Whether a window may go out that is to be paid with this.
	///
	/// In any 1,800 blocks at most `per_hour` is lost to each group: what is lost was counted at the last grant before, with
	/// all that had been lost within the hour then, and no grant goes beyond it.
	pub fn grant(&self, payer: &SessionKey, share: &Share) -> Result<(), Shortage> {
		let float = &self.config.float;
		let (bytes, cost, risk) = stake(share);
		let Some(line) = self.lines.get(&key(payer)) else {
			return Err(Shortage::Full);
		};
		let known = self.is_covered(payer, risk);
		let lost = self.lost_by(&payer.account);
		let (mut owed_bytes, mut owed) = (lost.bytes, lost.strangers.saturating_add(lost.known));
		for (session, other) in self.account(&payer.account) {
			owed_bytes = owed_bytes.saturating_add(other.unpaid_bytes());
			owed = owed.saturating_add(match known {
				true => other.exposed,
				false if *session == payer.key => 0,
				false => other.uncovered,
			});
		}
		let (before, after) = match known {
			true => (0, cost),
			false => {
				let cover = line.cover(self.now, self.config.margin);
				(line.uncovered, line.uncover(cover, Some((cost, risk))))
			},
		};
		if owed_bytes.saturating_add(bytes) > float.bytes || owed.saturating_add(after) > float.value {
			return Err(Shortage::Reservation);
		}
		let pool = match known {
			true => self.sums.lost.known + self.sums.exposed,
			false => self.sums.lost.strangers + self.sums.uncovered,
		};
		match (pool - before).saturating_add(after) > float.per_hour {
			true => Err(Shortage::Pool),
			false => Ok(()),
		}
	}

	/// A window goes out: its receipt has this commitment.
	pub fn deliver(&mut self, payer: &SessionKey, commitment: Hash, share: &Share) {
		let (bytes, cost, risk) = stake(share);
		let known = self.is_covered(payer, risk);
		let receipt = Delivered {
			bytes,
			cost,
			risk,
			known,
		};
		self.change(key(payer), |line| {
			line.receipts.insert(commitment, receipt);
		});
	}

	/// As if that had not gone out.
	pub(crate) fn take_back(&mut self, payer: &SessionKey, commitment: &Hash) -> Option<Delivered> {
		let mut taken = None;
		self.change(key(payer), |line| taken = line.receipts.remove(commitment));
		taken
	}

	/// What was [taken back](Credit::take_back) went out nevertheless.
	pub(crate) fn put_back(&mut self, payer: &SessionKey, commitment: Hash, receipt: Delivered) {
		self.change(key(payer), |line| {
			line.receipts.insert(commitment, receipt);
		});
	}

	/// A ticket pays a receipt: it wins this much under this nonce, or nothing.
	pub fn pay_by_ticket(&mut self, payer: &SessionKey, commitment: &Hash, nonce: u64, won: Option<Balance>) {
		self.change(key(payer), |line| {
			let known = line.receipts.remove(commitment).is_some_and(|receipt| receipt.known);
			if let Some(face_value) = won {
				line.winners.entry(nonce).or_default().add(face_value, known);
			}
		});
	}

	/// A voucher of this place pays a receipt.
	pub fn pay_by_voucher(&mut self, payer: &SessionKey, commitment: &Hash, place: VoucherPlace) {
		self.change(key(payer), |line| {
			if let Some(receipt) = line.receipts.remove(commitment) {
				let voucher = line.vouchers.entry(place).or_default();
				voucher.add(receipt.risk, receipt.known);
			}
		});
	}

	/// Nobody will pay this receipt: lost, and the account's debt.
	pub fn forfeit(&mut self, payer: &SessionKey, commitment: &Hash) {
		let lost = self.remove(payer, commitment);
		self.lose(payer.account, lost);
	}

	/// Nobody will pay this receipt, and that is no account's debt.
	pub fn write_off(&mut self, payer: &SessionKey, commitment: &Hash) {
		let lost = self.remove(payer, commitment);
		self.lose(NOBODY, lost);
	}

	fn remove(&mut self, payer: &SessionKey, commitment: &Hash) -> Lost {
		let mut lost = Lost::default();
		self.change(key(payer), |line| {
			if let Some(receipt) = line.receipts.remove(commitment) {
				lost.bytes = receipt.bytes;
				match receipt.known {
					true => lost.known = receipt.cost,
					false => lost.strangers = receipt.cost,
				}
			}
		});
		lost
	}

	/// This receipt needs no payment any more: we sent the viewer away.
	pub fn forgive(&mut self, payer: &SessionKey, commitment: &Hash) {
		self.remove(payer, commitment);
	}

	/// Puts back a winner that was stored and is not settled.
	pub fn restore_winner(&mut self, payer: &SessionKey, nonce: u64, face_value: Balance) {
		self.restore(key(payer), |line| {
			line.winners.insert(
				nonce,
				Signed {
					owed: face_value,
					known: 0,
				},
			);
		});
	}

	/// Puts back what the vouchers of a place owe.
	pub fn restore_voucher(&mut self, place: &VoucherPlace, account: AccountId, owed: Balance) {
		let payer = SessionKey {
			account,
			key: place.session,
		};
		self.restore(key(&payer), |line| {
			let known = line.vouchers.entry(*place).or_default();
			known.owed = known.owed.max(owed);
		});
	}

	/// The finalised block `at` has this winner paid, or it never will be.
	pub fn settle_winner(&mut self, payer: &SessionKey, nonce: u64, at: BlockNumber, paid: bool) {
		let mut lost = Lost::default();
		self.change(key(payer), |line| {
			let Some(winner) = line.winners.remove(&nonce) else {
				return;
			};
			match paid {
				true => line.spend(winner.owed, at),
				false => lost = winner.lost(),
			}
		});
		self.lose(payer.account, lost);
	}

	/// The finalised block `at` has paid so much more of a place's vouchers, or so much is given up.
	pub fn settle_voucher(
		&mut self,
		place: &VoucherPlace,
		account: AccountId,
		amount: Balance,
		at: BlockNumber,
		paid: bool,
	) {
		let payer = SessionKey {
			account,
			key: place.session,
		};
		let mut lost = Lost::default();
		self.change(key(&payer), |line| {
			let taken = line
				.vouchers
				.get_mut(place)
				.map_or_else(Signed::default, |voucher| voucher.take(amount));
			line.vouchers.retain(|_, voucher| voucher.owed > 0);
			match paid {
				true => line.spend(amount, at),
				// What was never delivered for is no loss.
				false => lost = taken.lost(),
			}
		});
		self.lose(account, lost);
	}

	/// A reservation that was judged good is handed in: until it stands, this fee counts as lost.
	pub fn hand_in(&mut self, payer: &SessionKey, counter: u32, fee: Balance) {
		let mut fees = Fees::default();
		self.change(key(payer), |line| {
			fees = Fees::of(fee, line.channel.counter == 0);
			line.handed_in.insert(counter, fees);
		});
		self.sums.handed_in.add(&fees);
	}

	/// What became of it: it stands, or its fee is lost.
	pub fn handed_in(&mut self, payer: &SessionKey, counter: u32, stands: bool) {
		if !self.lines.contains_key(&key(payer)) {
			return;
		}
		let mut fees = None;
		self.change(key(payer), |line| fees = line.handed_in.remove(&counter));
		let Some(fees) = fees else { return };
		self.sums.handed_in.subtract(&fees);
		if !stands {
			self.lose(
				payer.account,
				Lost {
					fees,
					..Lost::default()
				},
			);
		}
	}

	/// Whether one more fee may be lost, see [`Float::fees`].
	fn risks_fee(&self, payer: &SessionKey, fee: Balance) -> Result<(), ReserveError> {
		let most = self.config.float.fees();
		let on_its_way = self
			.account(&payer.account)
			.flat_map(|(_, line)| line.handed_in.values());
		let theirs = on_its_way.map(Fees::sum).fold(0, Balance::saturating_add);
		let theirs = theirs.saturating_add(self.lost_by(&payer.account).fees.sum());
		if theirs.saturating_add(fee) > fee.max(most / FEES_OF_ONE) {
			return Err(ReserveError::Distrusted);
		}
		let mut all = self.sums.lost.fees;
		all.add(&self.sums.handed_in);
		let group = match self.channel_of(payer).counter {
			0 => all.first,
			_ => all.again,
		};
		match group.saturating_add(fee) > fee.max(most) {
			true => Err(ReserveError::Crowded),
			false => Ok(()),
		}
	}

	/// Sessions whose winners and vouchers should be redeemed now, whatever they are worth: what covers them ends soon, or
	/// is to be released; or what nothing covers comes near to what may be risked.
	pub fn urgent(&self) -> impl Iterator<Item = PublicKey> + '_ {
		let float = &self.config.float;
		let pool = self.sums.lost.strangers.saturating_add(self.sums.uncovered);
		let crowded = pool.saturating_mul(2) > float.per_hour;
		let due = self.lines.iter().filter(move |(_, line)| {
			let signed = !line.winners.is_empty() || !line.vouchers.is_empty();
			let ends = line.cover(self.now, 0) > line.cover(self.now, self.config.margin);
			let leaves = line.is_left(self.now) && line.held(self.now) > 0;
			let risky = line.uncovered > 0 && (crowded || line.uncovered.saturating_mul(2) > float.value);
			signed && (ends || leaves || risky)
		});
		due.map(|((_, session), _)| *session)
	}

	/// All sessions that owe something, are watched, or have a reservation: whose channels are to be looked up.
	pub fn sessions(&self) -> impl Iterator<Item = SessionKey> + '_ {
		self.lines.keys().map(|(account, key)| SessionKey {
			account: *account,
			key: *key,
		})
	}

	/// Sessions whose reservation holds all that they signed for: the chain pays that down to the last unit.
	pub fn reserved(&self) -> impl Iterator<Item = PublicKey> + '_ {
		let holds = |line: &Line| line.held(self.now) > 0 && line.held(self.now) >= line.signed();
		self.lines
			.iter()
			.filter(move |(_, line)| holds(line))
			.map(|((_, session), _)| *session)
	}

	/// Channels that still reserve something, of viewers who are gone and owe nothing that is worth its fee: taken to be
	/// released, with what is given up. The most at a time. One that is not free in a finalised block after a while comes
	/// again, later each time. When all `ends`, who is gone has no time to come back.
	pub fn take_releasable(&mut self, most: usize, ends: bool) -> Vec<Releasable> {
		let (now, least) = (self.now, self.config.least);
		let done = |line: &Line| {
			let due = line.is_left(now) || (ends && line.seats == 0 && line.releases == 0);
			due && line.held(now) > 0 && line.is_settled(least)
		};
		let done = self.lines.iter().filter(|(_, line)| done(line)).take(most);
		let done: Vec<_> = done.map(|(key, _)| *key).collect();
		done.into_iter().map(|key| self.take_release(key)).collect()
	}

	fn take_release(&mut self, key: (AccountId, PublicKey)) -> Releasable {
		let now = self.now;
		let (mut channel, mut given_up, mut lost) = (ChannelInfo::default(), Vec::new(), Lost::default());
		self.change(key, |line| {
			channel = line.channel;
			line.released = line.channel.counter;
			line.release_at = now.saturating_add(RELEASE_AGAIN << line.releases.min(MAX_DOUBLINGS));
			line.releases = line.releases.saturating_add(1);
			for (place, voucher) in core::mem::take(&mut line.vouchers) {
				lost.add(&voucher.lost());
				given_up.push(place);
			}
		});
		self.lose(key.0, lost);
		Releasable {
			session: key.1,
			channel,
			given_up,
		}
	}

	/// Whether a reservation is worth handing in: what the chain will check, and what this relayer asks.
	pub fn check_reservation(
		&self,
		signed: &SignedReservation,
		terms: (&ReserveTerms, &AccountId, &Hash),
		payer: &SessionKey,
		account: &ViewerAccount,
	) -> Result<(), ReserveError> {
		let (asked, recipient, genesis) = terms;
		let reservation = &signed.message;
		let channel = self.channel_of(payer);
		let names = (reservation.sender, reservation.session, reservation.recipient);
		if names != (payer.account, payer.key, *recipient) {
			return Err(ReserveError::WrongChannel);
		}
		// Each costs a fee, which nobody gives back where it fails.
		self.risks_fee(payer, asked.reward)?;
		if reservation.counter <= channel.counter || reservation.cap <= channel.cap || reservation.cap <= channel.paid {
			return Err(ReserveError::NotRising);
		}
		if reservation.reward < asked.reward {
			return Err(ReserveError::RewardTooSmall);
		}
		let left = reservation.submit_by.saturating_sub(self.now);
		if !(MIN_SUBMIT..=MAX_SUBMIT).contains(&left) {
			return Err(ReserveError::SubmitBy);
		}
		let Some(session) = account.sessions.iter().find(|session| session.key == payer.key) else {
			return Err(ReserveError::Means);
		};
		let more = (reservation.cap - channel.paid).saturating_sub(channel.open);
		let needed = more.saturating_add(reservation.reward);
		let free = account.deposit.saturating_sub(account.reserved);
		if session.expiry < reservation.submit_by
			|| free < needed
			|| session.limit.saturating_sub(session.spent) < needed
		{
			return Err(ReserveError::Means);
		}
		signed.verify(&payer.key, genesis).map_err(|error| match error {
			SignatureError::NonCanonical | SignatureError::Invalid => ReserveError::BadSignature,
		})
	}

	/// Changes a line of an earlier run: its viewer has time to come back.
	fn restore(&mut self, key: (AccountId, PublicKey), change: impl FnOnce(&mut Line)) {
		let back = self.now.saturating_add(GRACE);
		self.change(key, |line| {
			if line.seats == 0 && line.as_of == 0 {
				line.release_at = line.release_at.max(back);
			}
			change(line);
		});
	}

	fn account(&self, account: &AccountId) -> impl Iterator<Item = (&PublicKey, &Line)> {
		let range = (*account, LOWEST)..=(*account, HIGHEST);
		self.lines.range(range).map(|((_, session), line)| (session, line))
	}

	fn lost_by(&self, account: &AccountId) -> Lost {
		self.lost_by.get(account).copied().unwrap_or_default()
	}

	fn lose(&mut self, account: AccountId, lost: Lost) {
		if lost == Lost::default() {
			return;
		}
		self.lost.entry((self.now / STEP, account)).or_default().add(&lost);
		self.lost_by.entry(account).or_default().add(&lost);
		self.sums.lost.add(&lost);
	}

	/// Changes a line, made where there is none, and keeps the sums right.
	fn change(&mut self, key: (AccountId, PublicKey), change: impl FnOnce(&mut Line)) {
		let line = self.lines.entry(key).or_default();
		self.sums.uncovered -= line.uncovered;
		self.sums.exposed -= line.exposed;
		change(line);
		let outstanding = line.receipts.values().map(|receipt| receipt.risk);
		line.owed = outstanding.sum::<Balance>() + line.signed();
		line.uncovered = line.uncover(line.cover(self.now, 0), None);
		line.exposed = line.expose(self.config.least);
		self.sums.uncovered += line.uncovered;
		self.sums.exposed += line.exposed;
	}
}

impl Line {
	/// The chain paid: less is reserved, unless what it said of the channel counts that already.
	fn spend(&mut self, amount: Balance, at: BlockNumber) {
		self.settled_at = self.settled_at.max(at);
		if at > self.as_of {
			self.channel.open = self.channel.open.saturating_sub(amount);
			self.channel.paid = self.channel.paid.saturating_add(amount);
		}
	}
}

/// Bytes of a share, what it costs when nobody pays (rounded up), and the most that may be signed for it; micro-USDC.
fn stake(share: &Share) -> (u64, Balance, Balance) {
	let cost = share.worth_q64().map_or(Balance::MAX >> 1, |worth| {
		(worth >> 64) + Balance::from(worth << 64 != 0)
	});
	let signed = match *share {
		Share::Ticket { face_value, .. } => face_value,
		Share::Voucher { amount, .. } => amount,
	};
	(share.bytes(), cost, signed.max(cost))
}

const LOWEST: PublicKey = PublicKey([0; 32]);
const HIGHEST: PublicKey = PublicKey([0xff; 32]);

fn key(payer: &SessionKey) -> (AccountId, PublicKey) {
	(payer.account, payer.key)
}

#[cfg(test)]
mod tests;
