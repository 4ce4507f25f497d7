//! Payments are judged on a draft and written once.
//!
//! A [`Batch`] holds what its payments read, as they leave it. What tickets, vouchers and tips have in common is
//! here: whose session it is, whether it can afford the amount, who receives it. Each of these steps changes nothing
//! but caches; [`Batch::charge`], [`Batch::credit`] and the like change the draft and cannot fail, so a payment that passed all
//! checks is in it whole, and one that did not is not in it at all. [`Batch::settle`] writes the draft: each session,
//! channel, deposit and payee once, however many payments concern it.

use crate::{
	pallet::{Channels, Config, Error, HoldReason, Ledgers, Pallet, Sessions, Treasury, VouchersPaid},
	types::{account_at, Account, Channel, Ledger, Purse, Session, VoucherTotals},
	Relayers,
};
use alloc::collections::{btree_map::Entry, BTreeMap};
use clustercast_primitives::{
	chain::{TicketRefusal, VoucherPlace},
	crypto::{is_canonical, Signed, SignedMessage},
	ticket::is_on_grid,
	Balance, BlockNumber, Hash, PublicKey, StreamId,
};
use clustercast_verify::is_signed;
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{hold::Mutate as _, Balanced, BalancedHold, Credit, Inspect},
		tokens::{imbalance::Imbalance, DepositConsequence, Provenance},
		Get,
	},
};
use pallet_stream_keys::{Payee, Streams};

/// Whether a session key signed something for the chain with this genesis hash, in canonical form.
pub(crate) fn check_signed<M: SignedMessage>(
	signed: &Signed<M>,
	key: &PublicKey,
	genesis: &Hash,
) -> Result<(), TicketRefusal> {
	match is_signed(signed, key, genesis) {
		true => Ok(()),
		false if is_canonical(key, &signed.signature) => Err(TicketRefusal::BadSignature),
		false => Err(TicketRefusal::NonCanonicalSignature),
	}
}

/// A stored value as the batch leaves it, and whether it differs from what is stored.
pub(crate) struct Draft<V> {
	pub value: V,
	changed: bool,
}

impl<V> Draft<V> {
	fn new(value: V) -> Self {
		Self { value, changed: false }
	}

	pub fn change(&mut self) -> &mut V {
		self.changed = true;
		&mut self.value
	}
}

/// A viewer's deposit as the batch leaves it, micro-USDC.
struct Deposit {
	/// Not reserved, before the batch.
	free: Balance,
	/// Spent of it.
	spent: Balance,
	/// Spent of what is reserved.
	drawn: Balance,
}

/// Terms of a stream, and the block in which they ended.
type Terms<AccountId> = Option<(Payee<AccountId>, Option<BlockNumber>)>;

/// Ledgers by relayer, stream and counter of its terms.
type Accounts<AccountId> = BTreeMap<(AccountId, StreamId, u32), Draft<Option<Ledger<AccountId>>>>;

/// What vouchers have paid, by session and place of it.
type Vouchers<AccountId> = BTreeMap<(PublicKey, Account<AccountId>), Draft<Option<VoucherTotals>>>;

/// Payments that are being made.
pub(crate) struct Batch<T: Config> {
	pub now: BlockNumber,
	genesis: Hash,
	pub(crate) treasury: Option<T::AccountId>,
	/// The only one that may be paid; anybody, where nothing will be written.
	recipient: Option<T::AccountId>,
	sessions: BTreeMap<PublicKey, Draft<Option<Session<T::AccountId>>>>,
	channels: BTreeMap<(PublicKey, T::AccountId), Draft<Channel>>,
	vouchers: Vouchers<T::AccountId>,
	deposits: BTreeMap<T::AccountId, Deposit>,
	/// By stream and block of signing.
	streams: BTreeMap<(StreamId, BlockNumber), Option<Payee<T::AccountId>>>,
	/// By stream and counter.
	terms: BTreeMap<(StreamId, u32), Terms<T::AccountId>>,
	ledgers: Accounts<T::AccountId>,
	/// Where relayers' money goes, and whether they are bonded.
	relayers: BTreeMap<T::AccountId, (T::AccountId, bool)>,
	payouts: BTreeMap<T::AccountId, Balance>,
	/// Shares set aside, and taken from what was.
	set_aside: (Balance, Balance),
	/// What broadcasters earned.
	earned: BTreeMap<(StreamId, T::AccountId), Balance>,
	/// Bytes and value, by relayer and viewer.
	deliveries: BTreeMap<(T::AccountId, T::AccountId), (u64, Balance)>,
}

impl<T: Config> Batch<T> {
	/// An empty batch in this block, for this recipient alone.
	pub fn open(recipient: Option<T::AccountId>) -> Self {
		Self {
			now: Pallet::<T>::now(),
			genesis: Pallet::<T>::genesis(),
			treasury: Treasury::<T>::get(),
			recipient,
			sessions: BTreeMap::new(),
			channels: BTreeMap::new(),
			vouchers: BTreeMap::new(),
			deposits: BTreeMap::new(),
			streams: BTreeMap::new(),
			terms: BTreeMap::new(),
			ledgers: BTreeMap::new(),
			relayers: BTreeMap::new(),
			payouts: BTreeMap::new(),
			set_aside: (0, 0),
			earned: BTreeMap::new(),
			deliveries: BTreeMap::new(),
		}
	}

	/// Whether this batch may pay `recipient`.
	pub fn check_recipient(&self, recipient: &T::AccountId) -> Result<(), TicketRefusal> {
		let may = self.recipient.as_ref().is_none_or(|only| only == recipient);
		ensure!(may, TicketRefusal::NotRecipient);
		Ok(())
	}

	/// Whether something with this expiry can be paid in this block.
	pub fn check_expiry(&self, expiry: BlockNumber) -> Result<(), TicketRefusal> {
		ensure!(is_on_grid(expiry), TicketRefusal::ExpiryOffGrid);
		ensure!(expiry >= self.now, TicketRefusal::Expired);
		ensure!(
			expiry - self.now <= T::MaxTicketLife::get(),
			TicketRefusal::ExpiryTooFar
		);
		Ok(())
	}

	/// Whether the session key signed it for this chain, in the one encoding that counts.
	pub fn check_signature<M: SignedMessage>(&self, signed: &Signed<M>, key: &PublicKey) -> Result<(), TicketRefusal> {
		check_signed(signed, key, &self.genesis)
	}

	/// The session of `sender` with this key, if it covers this expiry.
	pub fn check_session(
		&mut self,
		key: PublicKey,
		sender: &T::AccountId,
		expiry: BlockNumber,
	) -> Result<&Session<T::AccountId>, TicketRefusal> {
		let session = self.session(key).value.as_ref().ok_or(TicketRefusal::UnknownSession)?;
		ensure!(session.owner == *sender, TicketRefusal::WrongSender);
		ensure!(session.expiry >= expiry, TicketRefusal::SessionExpired);
		Ok(session)
	}

	pub(crate) fn session(&mut self, key: PublicKey) -> &mut Draft<Option<Session<T::AccountId>>> {
		let draft = self.sessions.entry(key);
		draft.or_insert_with(|| Draft::new(Sessions::<T>::get(key)))
	}

	/// What a session reserved for a recipient and paid it.
	pub fn channel(&mut self, key: PublicKey, recipient: &T::AccountId) -> &mut Draft<Channel> {
		let draft = self.channels.entry((key, recipient.clone()));
		draft.or_insert_with_key(|(key, recipient)| Draft::new(Channels::<T>::get(key, recipient).unwrap_or_default()))
	}

	/// What a payment to this recipient can draw from what is reserved for it.
	pub fn reserved(&mut self, key: PublicKey, purse: Purse, recipient: Option<&T::AccountId>) -> Balance {
		match (purse, recipient) {
			(Purse::Bytes, Some(recipient)) => self.channel(key, recipient).value.open,
			_ => 0,
		}
	}

	/// Whether this amount can be paid to this recipient: from what is reserved for it first, where it is by bytes, and
	/// from the free part of the owner's deposit, as far as the session's limit goes. If not, why, and how much can.
	pub fn check_funds(
		&mut self,
		key: PublicKey,
		purse: Purse,
		recipient: Option<&T::AccountId>,
		amount: Balance,
	) -> Result<(), (TicketRefusal, Balance)> {
		let reserved = self.reserved(key, purse, recipient);
		let session = self.session(key).value.as_ref();
		let session = session.ok_or((TicketRefusal::UnknownSession, 0))?;
		let (left, owner) = (session.left(purse), session.owner.clone());
		let rest = amount.saturating_sub(reserved);
		if rest == 0 {
			return Ok(());
		}
		let deposit = self.deposit(owner);
		let free = deposit.free.saturating_sub(deposit.spent);
		let payable = reserved.saturating_add(left.min(free));
		ensure!(left >= rest, (TicketRefusal::SessionLimitReached, payable));
		ensure!(free >= rest, (TicketRefusal::DepositTooSmall, payable));
		Ok(())
	}

	fn deposit(&mut self, owner: T::AccountId) -> &mut Deposit {
		match self.deposits.entry(owner) {
			Entry::Occupied(known) => known.into_mut(),
			Entry::Vacant(unknown) => {
				let free = Pallet::<T>::free_deposit_of(unknown.key());
				unknown.insert(Deposit {
					free,
					spent: 0,
					drawn: 0,
				})
			},
		}
	}

	/// What vouchers have paid at a place.
	pub fn vouchers(&mut self, place: &VoucherPlace) -> &mut Draft<Option<VoucherTotals>> {
		let (key, account) = (place.session, account_at(place));
		let paid = self.vouchers.entry((key, account));
		paid.or_insert_with_key(|(key, account)| Draft::new(VouchersPaid::<T>::get(key, account)))
	}

	/// Who is paid for what was signed in block `at` for a stream, and on which terms.
	pub fn payee(&mut self, stream: StreamId, at: BlockNumber) -> Result<Payee<T::AccountId>, TicketRefusal> {
		let payee = self.streams.entry((stream, at));
		let payee = payee.or_insert_with(|| T::Streams::payee(stream, at));
		payee.clone().ok_or(TicketRefusal::UnknownStream)
	}

	/// Who is paid for a stream under these terms, and the block in which they ended.
	pub fn payee_under(
		&mut self,
		stream: StreamId,
		terms: u32,
	) -> Result<(Payee<T::AccountId>, Option<BlockNumber>), TicketRefusal> {
		let found = self.terms.entry((stream, terms));
		let found = found.or_insert_with(|| T::Streams::payee_under(stream, terms));
		found.clone().ok_or(TicketRefusal::WrongTerms)
	}

	/// Shares that a relayer paid with a stream under these terms.
	pub(crate) fn ledger(
		&mut self,
		relayer: &T::AccountId,
		stream: StreamId,
		terms: u32,
	) -> &mut Draft<Option<Ledger<T::AccountId>>> {
		let draft = self.ledgers.entry((relayer.clone(), stream, terms));
		draft.or_insert_with_key(|key| Draft::new(Ledgers::<T>::get(key)))
	}

	/// Where a recipient's money goes, and whether it is a bonded relayer.
	pub(crate) fn relayer(&mut self, recipient: &T::AccountId) -> (T::AccountId, bool) {
		let relayer = self.relayers.entry(recipient.clone());
		relayer
			.or_insert_with_key(|who| (T::Relayers::payout(who), T::Relayers::is_bonded(who)))
			.clone()
	}

	/// Whether an account can be credited this, on top of what it has of this batch.
	pub fn check_receiver(&self, who: &T::AccountId, amount: Balance) -> Result<(), TicketRefusal> {
		let sum = self
			.payouts
			.get(who)
			.copied()
			.unwrap_or_default()
			.saturating_add(amount);
		let can = amount == 0 || T::Currency::can_deposit(who, sum, Provenance::Extant) == DepositConsequence::Success;
		ensure!(can, TicketRefusal::CannotReceive);
		Ok(())
	}

	/// Takes what [`Batch::check_funds`] found: from the channel first, where there is one.
	pub fn charge(&mut self, key: PublicKey, purse: Purse, recipient: Option<&T::AccountId>, amount: Balance) {
		let mut rest = amount;
		if let (Purse::Bytes, Some(recipient)) = (purse, recipient) {
			let channel = self.channel(key, recipient).change();
			rest = rest.saturating_sub(channel.open);
			channel.open = channel.open.saturating_sub(amount);
			channel.paid = channel.paid.saturating_add(amount);
		}
		let draft = self.session(key);
		let Some(owner) = draft.value.as_ref().map(|session| session.owner.clone()) else {
			return debug_assert!(false, "its funds were checked");
		};
		if rest > 0 {
			if let Some(session) = draft.change() {
				session.spend(purse, rest);
			}
		}
		let deposit = self.deposit(owner);
		deposit.spent = deposit.spent.saturating_add(rest);
		deposit.drawn = deposit.drawn.saturating_add(amount.saturating_sub(rest));
	}

	/// Gives an account what was charged.
	pub fn credit(&mut self, who: T::AccountId, amount: Balance) {
		if amount > 0 {
			let sum = self.payouts.entry(who).or_default();
			*sum = sum.saturating_add(amount);
		}
	}

	/// Gives a broadcaster what was charged.
	pub fn credit_broadcaster(&mut self, stream: StreamId, who: T::AccountId, amount: Balance) {
		if amount > 0 {
			let sum = self.earned.entry((stream, who.clone())).or_default();
			*sum = sum.saturating_add(amount);
			self.credit(who, amount);
		}
	}

	/// Sets shares aside, and takes from those that are.
	pub(crate) fn set_aside(&mut self, more: Balance, less: Balance) {
		self.set_aside.0 = self.set_aside.0.saturating_add(more);
		self.set_aside.1 = self.set_aside.1.saturating_add(less);
	}

	/// Remembers what a relayer delivered to a viewer.
	pub fn note_delivery(&mut self, relayer: T::AccountId, viewer: T::AccountId, bytes: u64, value: Balance) {
		let delivery = self.deliveries.entry((relayer, viewer)).or_default();
		delivery.0 = delivery.0.saturating_add(bytes);
		delivery.1 = delivery.1.saturating_add(value);
	}

	/// Writes the draft. An error would mean that a check above is wrong; it undoes the whole call.
	pub fn settle(self) -> DispatchResult {
		for (key, draft) in self.sessions.into_iter().filter(|(_, draft)| draft.changed) {
			Sessions::<T>::set(key, draft.value);
		}
		for ((key, recipient), draft) in self.channels.into_iter().filter(|(_, draft)| draft.changed) {
			Channels::<T>::insert(key, recipient, draft.value);
		}
		for ((key, account), draft) in self.vouchers.into_iter().filter(|(_, draft)| draft.changed) {
			VouchersPaid::<T>::set(key, account, draft.value);
		}
		for (key, draft) in self.ledgers.into_iter().filter(|(_, draft)| draft.changed) {
			Pallet::<T>::store_ledger(key, draft.value);
		}
		let mut collected = Credit::<T::AccountId, T::Currency>::zero();
		let mut collect = |reason: HoldReason, who: &T::AccountId, amount| -> DispatchResult {
			if amount > 0 {
				let (credit, missing) = T::Currency::slash(&reason.into(), who, amount);
				ensure!(missing == 0, Error::<T>::Unbalanced);
				collected.subsume(credit);
			}
			Ok(())
		};
		for (sender, deposit) in self.deposits {
			collect(HoldReason::TicketDeposit, &sender, deposit.spent)?;
			collect(HoldReason::Reserved, &sender, deposit.drawn)?;
			if deposit.spent == deposit.free && deposit.spent.saturating_add(deposit.drawn) > 0 {
				Pallet::<T>::forget_unlock_of_nothing(&sender);
			}
		}
		let (more, less) = self.set_aside;
		let mut payouts = self.payouts;
		if let Some(treasury) = self.treasury {
			collect(HoldReason::Shares, &treasury, less.saturating_sub(more))?;
			let more = more.saturating_sub(less);
			if more > 0 {
				let sum = payouts.entry(treasury.clone()).or_default();
				*sum = sum.saturating_add(more);
			}
		}
		for (who, amount) in payouts {
			let credit = collected.extract(amount);
			ensure!(credit.peek() == amount, Error::<T>::Unbalanced);
			T::Currency::resolve(&who, credit).map_err(|_| Error::<T>::Unbalanced)?;
		}
		if let Some(treasury) = Treasury::<T>::get().filter(|_| more > less) {
			T::Currency::hold(&HoldReason::Shares.into(), &treasury, more - less)?;
		}
		for ((stream, broadcaster), amount) in self.earned {
			T::Streams::earned(stream, &broadcaster, amount);
		}
		for ((relayer, viewer), (bytes, value)) in self.deliveries {
			T::Relayers::delivered(&relayer, &viewer, bytes, value);
		}
		collected.drop_zero().map_err(|_| Error::<T>::Unbalanced.into())
	}
}
