//! Payments are judged on a draft and written once.
//!
//! A [`Batch`] holds what its payments read, as they leave it. What tickets, vouchers and tips have in common is
//! here: whose session it is, whether it can afford the amount, who receives it. Each of these steps changes nothing
//! but caches; [`Batch::charge`] and [`Batch::credit`] change the draft and cannot fail, so a payment that passed all
//! checks is in it whole, and one that did not is not in it at all. [`Batch::settle`] writes the draft: each session,
//! bitmap, deposit and payee once, however many payments concern it.

use crate::{
	pallet::{Config, Error, HoldReason, Pallet, Sessions, SpentNonces, Treasury, VouchersPaid},
	types::{account_at, Account, NonceBitmap, Purse, Session, VoucherTotals},
	Deliveries,
};
use alloc::collections::{btree_map::Entry, BTreeMap};
use clustercast_primitives::{
	amount::share,
	chain::{Payout, TicketRefusal, VoucherPlace},
	crypto::{is_canonical, Signed, SignedMessage},
	ticket::is_on_grid,
	Balance, BlockNumber, Hash, PublicKey, StreamId,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{Balanced, BalancedHold, Credit, Inspect},
		tokens::{imbalance::Imbalance, DepositConsequence, Provenance},
		Get,
	},
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_stream_keys::{Payee, Streams};

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
	held: Balance,
	spent: Balance,
}

/// What a relayer delivered to a viewer, as far as the batch pays for it.
#[derive(Default)]
struct Delivery {
	bytes: u64,
	value: Balance,
}

/// What vouchers have paid, by session and place of it.
type Vouchers<AccountId> = BTreeMap<(PublicKey, Account<AccountId>), Draft<Option<VoucherTotals>>>;

/// Payments that are being made.
pub(crate) struct Batch<T: Config> {
	pub now: BlockNumber,
	genesis: Hash,
	treasury: Option<T::AccountId>,
	sessions: BTreeMap<PublicKey, Draft<Option<Session<T::AccountId>>>>,
	nonces: BTreeMap<(BlockNumber, PublicKey), Draft<NonceBitmap<T::MaxNonces>>>,
	vouchers: Vouchers<T::AccountId>,
	deposits: BTreeMap<T::AccountId, Deposit>,
	/// By stream and block of signing.
	streams: BTreeMap<(StreamId, BlockNumber), Option<Payee<T::AccountId>>>,
	payouts: BTreeMap<T::AccountId, Balance>,
	deliveries: BTreeMap<(T::AccountId, T::AccountId), Delivery>,
}

impl<T: Config> Batch<T> {
	/// An empty batch in this block.
	pub fn open() -> Self {
		Self {
			now: Pallet::<T>::now(),
			genesis: Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into()),
			treasury: Treasury::<T>::get(),
			sessions: BTreeMap::new(),
			nonces: BTreeMap::new(),
			vouchers: BTreeMap::new(),
			deposits: BTreeMap::new(),
			streams: BTreeMap::new(),
			payouts: BTreeMap::new(),
			deliveries: BTreeMap::new(),
		}
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

	/// A nonce as bitmaps have it.
	pub fn check_nonce(nonce: u64) -> Result<u32, TicketRefusal> {
		let nonce = u32::try_from(nonce).map_err(|_| TicketRefusal::NonceTooLarge)?;
		ensure!(nonce < T::MaxNonces::get(), TicketRefusal::NonceTooLarge);
		Ok(nonce)
	}

	/// Whether the session key signed it for this chain, in the one encoding that counts.
	pub fn check_signature<M: SignedMessage>(&self, signed: &Signed<M>, key: &PublicKey) -> Result<(), TicketRefusal> {
		ensure!(
			is_canonical(key, &signed.signature),
			TicketRefusal::NonCanonicalSignature
		);
		let payload = signed.message.signing_payload(&self.genesis);
		let good = sp_io::crypto::ed25519_verify(&signed.signature.0.into(), &payload, &key.0.into());
		ensure!(good, TicketRefusal::BadSignature);
		Ok(())
	}

	/// Whether `key` is a session of `sender` that covers this expiry.
	pub fn check_session(
		&mut self,
		key: PublicKey,
		sender: &T::AccountId,
		expiry: BlockNumber,
	) -> Result<&Session<T::AccountId>, TicketRefusal> {
		let draft = self
			.sessions
			.entry(key)
			.or_insert_with(|| Draft::new(Sessions::<T>::get(key)));
		let session = draft.value.as_ref().ok_or(TicketRefusal::UnknownSession)?;
		ensure!(session.owner == *sender, TicketRefusal::WrongSender);
		ensure!(session.expiry >= expiry, TicketRefusal::SessionExpired);
		Ok(session)
	}

	/// Whether the session's limit and its owner's deposit cover this amount.
	pub fn check_funds(&mut self, key: PublicKey, purse: Purse, amount: Balance) -> Result<(), TicketRefusal> {
		let draft = self
			.sessions
			.entry(key)
			.or_insert_with(|| Draft::new(Sessions::<T>::get(key)));
		let session = draft.value.as_ref().ok_or(TicketRefusal::UnknownSession)?;
		ensure!(session.left(purse) >= amount, TicketRefusal::SessionLimitReached);
		let deposit = match self.deposits.entry(session.owner.clone()) {
			Entry::Occupied(known) => known.into_mut(),
			Entry::Vacant(unknown) => {
				let held = Pallet::<T>::deposit_of(unknown.key());
				unknown.insert(Deposit { held, spent: 0 })
			},
		};
		ensure!(
			deposit.held.saturating_sub(deposit.spent) >= amount,
			TicketRefusal::DepositTooSmall
		);
		Ok(())
	}

	/// Nonces that a session spent in an epoch.
	pub fn nonces(&mut self, epoch: BlockNumber, key: PublicKey) -> &mut Draft<NonceBitmap<T::MaxNonces>> {
		self.nonces
			.entry((epoch, key))
			.or_insert_with(|| Draft::new(SpentNonces::<T>::get(epoch, key)))
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

	/// Who receives what of an amount that `recipient` earned with a stream, if all of them can.
	pub fn split(
		&mut self,
		recipient: &T::AccountId,
		payee: Payee<T::AccountId>,
		amount: Balance,
	) -> Result<Shares<T::AccountId>, TicketRefusal> {
		let treasury = self.treasury.clone().ok_or(TicketRefusal::CannotReceive)?;
		let to_broadcaster = share(amount, payee.share_ppm);
		let to_treasury = share(amount, T::TreasuryShare::get());
		let payout = Payout {
			relayer: amount.saturating_sub(to_broadcaster).saturating_sub(to_treasury),
			broadcaster: to_broadcaster,
			treasury: to_treasury,
		};
		let parts = [
			(recipient.clone(), payout.relayer),
			(payee.account, payout.broadcaster),
			(treasury, payout.treasury),
		];
		for (who, amount) in &parts {
			self.check_receiver(who, *amount)?;
		}
		Ok(Shares { payout, parts })
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

	/// Takes from a session and its owner's deposit what [`Batch::check_funds`] found there.
	pub fn charge(&mut self, key: PublicKey, purse: Purse, amount: Balance) {
		let Some(draft) = self.sessions.get_mut(&key) else {
			return debug_assert!(false, "its funds were checked");
		};
		if let Some(session) = draft.change() {
			session.spend(purse, amount);
			if let Some(deposit) = self.deposits.get_mut(&session.owner) {
				deposit.spent = deposit.spent.saturating_add(amount);
			}
		}
	}

	/// One more place that a session's vouchers pay.
	pub fn count_payee(&mut self, key: PublicKey) {
		if let Some(session) = self.sessions.get_mut(&key).and_then(|draft| draft.change().as_mut()) {
			session.payees = session.payees.saturating_add(1);
		}
	}

	/// Gives an account what was charged.
	pub fn credit(&mut self, who: T::AccountId, amount: Balance) {
		if amount > 0 {
			let sum = self.payouts.entry(who).or_default();
			*sum = sum.saturating_add(amount);
		}
	}

	/// Remembers what a relayer delivered to a viewer.
	pub fn note_delivery(&mut self, relayer: T::AccountId, viewer: T::AccountId, bytes: u64, value: Balance) {
		let delivery = self.deliveries.entry((relayer, viewer)).or_default();
		delivery.bytes = delivery.bytes.saturating_add(bytes);
		delivery.value = delivery.value.saturating_add(value);
	}

	/// Writes the draft. An error would mean that a check above is wrong; it undoes the whole call.
	pub fn settle(self) -> DispatchResult {
		for (key, draft) in self.sessions.into_iter().filter(|(_, draft)| draft.changed) {
			Sessions::<T>::set(key, draft.value);
		}
		for ((epoch, key), draft) in self.nonces.into_iter().filter(|(_, draft)| draft.changed) {
			SpentNonces::<T>::insert(epoch, key, draft.value);
		}
		for ((key, account), draft) in self.vouchers.into_iter().filter(|(_, draft)| draft.changed) {
			VouchersPaid::<T>::set(key, account, draft.value);
		}
		let mut collected = Credit::<T::AccountId, T::Currency>::zero();
		for (sender, deposit) in self.deposits.into_iter().filter(|(_, deposit)| deposit.spent > 0) {
			let (credit, missing) = T::Currency::slash(&HoldReason::TicketDeposit.into(), &sender, deposit.spent);
			ensure!(missing == 0, Error::<T>::Unbalanced);
			collected.subsume(credit);
		}
		for (who, amount) in self.payouts {
			let credit = collected.extract(amount);
			ensure!(credit.peek() == amount, Error::<T>::Unbalanced);
			T::Currency::resolve(&who, credit).map_err(|_| Error::<T>::Unbalanced)?;
		}
		for ((relayer, viewer), delivery) in self.deliveries {
			T::Deliveries::delivered(&relayer, &viewer, delivery.bytes, delivery.value);
		}
		collected.drop_zero().map_err(|_| Error::<T>::Unbalanced.into())
	}
}

/// Who receives what: broadcaster's and treasury's share rounded down, the relayer's is the rest.
pub(crate) struct Shares<AccountId> {
	pub payout: Payout,
	pub parts: [(AccountId, Balance); 3],
}
