//! The broadcaster's and the treasury's shares: paid once over any number of hops.
//!
//! As with a value-added tax, every payment owes them. Where the sender is a relayer, they are not handed on but set
//! aside for it: they pay what it owes when it sells. If it sold first, and so paid shares out of its own income, they
//! come back to it with what it buys. So whoever pays last pays the shares, and the broadcaster and the treasury receive
//! those of the last price alone, in whatever order the payments are redeemed. What nobody sells on is theirs as well:
//! [`Config::ShareMemory`] after the last payment all of it, and of a ledger that payments keep alive, what was set aside
//! for that long and not used, one to three times that after it was.
//!
//! Nothing is given that was not paid: what is set aside lies on the treasury's account, held.

use crate::{
	batch::Batch,
	pallet::{Config, Ends, Error, Event, HoldReason, Ledgers, Pallet, Treasury},
	types::{End, Ledger, Shares},
};
use clustercast_primitives::{
	amount::share,
	chain::{Payout, TicketRefusal},
	Balance, BlockNumber, PublicKey, StreamId,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::hold::Mutate as _,
		tokens::{Fortitude, Precision, Restriction},
		Get,
	},
};
use pallet_stream_keys::{Payee, Streams};

/// Where the parts of a payment go.
pub(crate) struct Flow<AccountId> {
	stream: StreamId,
	terms: u32,
	sender: AccountId,
	recipient: AccountId,
	/// Receives the relayer's part.
	to: AccountId,
	broadcaster: AccountId,
	treasury: AccountId,
	/// Whether the shares are the sender's to be credited.
	buys: bool,
	/// Whether the recipient has a ledger.
	sells: bool,
	/// Micro-USDC of the payment.
	amount: Balance,
	/// What it owes.
	due: Shares,
	/// Of it, from what is set aside for the recipient.
	used: Shares,
	/// Of it, what comes back to the sender.
	returned: Shares,
}

impl<T: Config> Batch<T> {
	/// Who receives what of an amount that a session of `sender` pays `recipient` for a stream, if all of them can.
	pub fn flow(
		&mut self,
		key: PublicKey,
		sender: &T::AccountId,
		recipient: &T::AccountId,
		stream: StreamId,
		payee: Payee<T::AccountId>,
		amount: Balance,
	) -> Result<Flow<T::AccountId>, TicketRefusal> {
		let treasury = self.treasury.clone().ok_or(TicketRefusal::CannotReceive)?;
		let buys = self.session(key).value.as_ref().is_some_and(|session| session.buys);
		let (to, sells) = self.relayer(recipient);
		let due = Shares {
			broadcaster: share(amount, payee.share_ppm),
			treasury: share(amount, T::TreasuryShare::get()),
		};
		let mut ledger = |who: &T::AccountId| {
			let ledger = self.ledger(who, stream, payee.terms).value.as_ref();
			ledger.map(|ledger| (ledger.credit, ledger.paid)).unwrap_or_default()
		};
		let used = match sells {
			true => ledger(recipient).0.min(due),
			false => Shares::default(),
		};
		let returned = match buys {
			// Who buys from itself has just paid out of its income.
			true if sells && sender == recipient => ledger(sender).1.plus(due.minus(used)).min(due),
			true => ledger(sender).1.min(due),
			false => Shares::default(),
		};
		let flow = Flow {
			stream,
			terms: payee.terms,
			sender: sender.clone(),
			recipient: recipient.clone(),
			to,
			broadcaster: payee.account,
			treasury,
			buys,
			sells,
			amount,
			due,
			used,
			returned,
		};
		let payout = flow.payout();
		self.check_receiver(&flow.to, payout.relayer)?;
		self.check_receiver(&flow.broadcaster, payout.broadcaster)?;
		self.check_receiver(&flow.treasury, due.sum())?;
		self.check_receiver(&flow.sender, returned.sum())?;
		Ok(flow)
	}
}

impl<AccountId: Clone + Ord> Flow<AccountId> {
	/// Who gets what at once.
	pub fn payout(&self) -> Payout {
		let now = match self.buys {
			true => Shares::default(),
			false => self.due,
		};
		Payout {
			relayer: self.amount.saturating_sub(self.due.minus(self.used).sum()),
			broadcaster: now.broadcaster,
			treasury: now.treasury,
		}
	}

	/// What of the amount counts for the recipient's reputation: as much of it as pays shares that nobody paid before, so
	/// nothing of what owes none, and nothing of what relayers pay each other.
	fn reputed(&self) -> Balance {
		let (due, paid) = (self.due.sum(), self.due.minus(self.used).sum());
		match self.buys {
			true => 0,
			false => self.amount.saturating_mul(paid).checked_div(due).unwrap_or_default(),
		}
	}

	/// Changes the draft of a batch in which it was found possible.
	pub fn apply<T: Config<AccountId = AccountId>>(self, batch: &mut Batch<T>) {
		let payout = self.payout();
		let (stream, terms, now) = (self.stream, self.terms, batch.now);
		if self.sells {
			let ledger = batch
				.ledger(&self.recipient, stream, terms)
				.change()
				.get_or_insert_with(|| Ledger::new(self.broadcaster.clone(), now));
			ledger.credit = ledger.credit.minus(self.used);
			// The oldest first.
			ledger.idle = ledger.idle.minus(self.used);
			ledger.paid = ledger.paid.plus(self.due.minus(self.used));
			ledger.touched = now;
		}
		let mut kept = Shares::default();
		if self.buys {
			kept = self.due.minus(self.returned);
			let ledger = batch
				.ledger(&self.sender, stream, terms)
				.change()
				.get_or_insert_with(|| Ledger::new(self.broadcaster.clone(), now));
			ledger.paid = ledger.paid.minus(self.returned);
			ledger.credit = ledger.credit.plus(kept);
			ledger.touched = now;
			batch.credit(self.sender, self.returned.sum());
		}
		batch.set_aside(kept.sum(), self.used.sum());
		batch.credit(self.to, payout.relayer);
		batch.credit_broadcaster(stream, self.broadcaster, payout.broadcaster);
		batch.credit(self.treasury, payout.treasury);
	}

	/// Remembers `bytes` as delivered to whoever pays, where that is no relayer.
	pub fn note<T: Config<AccountId = AccountId>>(&self, bytes: u64, batch: &mut Batch<T>) {
		if !self.buys {
			batch.note_delivery(self.recipient.clone(), self.sender.clone(), bytes, self.reputed());
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Writes a ledger; the first time, notes when it ends.
	pub(crate) fn store_ledger(key: (T::AccountId, StreamId, u32), ledger: Option<Ledger<T::AccountId>>) {
		if let (Some(ledger), false) = (&ledger, Ledgers::<T>::contains_key(&key)) {
			let (relayer, stream, terms) = key.clone();
			let at = ledger.touched.saturating_add(T::ShareMemory::get());
			Ends::<T>::insert(at, End::Ledger(relayer, stream, terms), ());
		}
		Ledgers::<T>::set(key, ledger);
	}

	/// Ends a ledger that was not touched for long; or hands on what of it nobody used for long, and notes when it may end.
	pub(crate) fn end_ledger(relayer: T::AccountId, stream: StreamId, terms: u32, block: BlockNumber) {
		let key = (relayer, stream, terms);
		let Some(mut ledger) = Ledgers::<T>::get(&key) else {
			return;
		};
		let at = ledger.touched.saturating_add(T::ShareMemory::get());
		let (broadcaster, mut over) = (ledger.broadcaster.clone(), ledger.credit);
		if at > block {
			Ends::<T>::insert(at, End::Ledger(key.0.clone(), stream, terms), ());
			if ledger.since.saturating_add(T::ShareMemory::get()) > block {
				return;
			}
			// Else who pays itself a little every day would keep the others' shares for ever.
			over = ledger.idle;
			ledger.credit = ledger.credit.minus(over);
			(ledger.since, ledger.idle) = (block, ledger.credit);
			Ledgers::<T>::insert(&key, ledger);
		} else {
			Ledgers::<T>::remove(&key);
		}
		let handed_on = Self::hand_on(&key.0, stream, terms, broadcaster, over);
		debug_assert!(handed_on.is_ok(), "what is set aside is held: {handed_on:?}");
	}

	/// Gives broadcaster and treasury shares that were set aside. A broadcaster that cannot receive them leaves them to the
	/// treasury.
	fn hand_on(
		relayer: &T::AccountId,
		stream: StreamId,
		terms: u32,
		payee: T::AccountId,
		shares: Shares,
	) -> DispatchResult {
		if shares.sum() == 0 {
			return Ok(());
		}
		let treasury = Treasury::<T>::get().ok_or(Error::<T>::Unbalanced)?;
		let reason = HoldReason::Shares.into();
		let given = T::Currency::transfer_on_hold(
			&reason,
			&treasury,
			&payee,
			shares.broadcaster,
			Precision::Exact,
			Restriction::Free,
			Fortitude::Polite,
		);
		let broadcaster = given.unwrap_or_default();
		let rest = shares.sum().saturating_sub(broadcaster);
		let released = T::Currency::release(&reason, &treasury, rest, Precision::Exact)?;
		ensure!(released == rest, Error::<T>::Unbalanced);
		if broadcaster > 0 {
			T::Streams::earned(stream, &payee, broadcaster);
		}
		Self::deposit_event(Event::SharesHandedOn {
			relayer: relayer.clone(),
			stream,
			terms,
			broadcaster,
			treasury: rest,
		});
		Ok(())
	}
}
