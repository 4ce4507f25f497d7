//! Tips: money for the broadcaster, less the treasury's share. Never what is reserved for somebody.

use crate::{
	batch::Batch,
	channels::refused,
	pallet::{Config, Error, Event, HoldReason, Pallet, Treasury},
	pool::Outlook,
	types::Purse,
};
use clustercast_primitives::{amount::share, chain::TicketRefusal, Balance, SignedTip, StreamId};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{hold::Mutate as _, Mutate},
		tokens::{Fortitude, Precision, Preservation, Restriction},
		Get,
	},
};
use pallet_stream_keys::Streams;

impl<T: Config> Batch<T> {
	/// Pays a tip into the draft, and `submitter` its reward; or says why not and leaves the draft's sums as they were.
	fn tip(&mut self, signed: &SignedTip, submitter: &T::AccountId) -> Result<T::AccountId, TicketRefusal> {
		let tip = &signed.message;
		self.check_expiry(tip.expiry)?;
		ensure!(tip.amount >= T::MinFaceValue::get(), TicketRefusal::FaceValueTooSmall);
		let sender = T::AccountId::from(tip.sender.0);
		let session = self.check_session(tip.session, &sender, tip.expiry)?;
		session.tips.check(tip.nonce)?;
		let sum = tip
			.amount
			.checked_add(tip.reward)
			.ok_or(TicketRefusal::DepositTooSmall)?;
		self.check_funds(tip.session, Purse::Bytes, None, sum)
			.map_err(|(refusal, _)| refusal)?;
		let broadcaster = self.payee(tip.stream, self.now)?.account;
		let treasury = self.treasury.clone().ok_or(TicketRefusal::CannotReceive)?;
		let to_treasury = share(tip.amount, T::TreasuryShare::get());
		self.check_receiver(&broadcaster, tip.amount.saturating_sub(to_treasury))?;
		self.check_receiver(&treasury, to_treasury)?;
		self.check_receiver(submitter, tip.reward)?;
		self.check_signature(signed, &tip.session)?;

		// Nothing fails from here on.
		if let Some(session) = self.session(tip.session).change() {
			let is_new = session.tips.insert(tip.nonce);
			debug_assert!(is_new, "checked above; qed");
		}
		self.charge(tip.session, Purse::Bytes, None, sum);
		self.credit_broadcaster(tip.stream, broadcaster.clone(), tip.amount.saturating_sub(to_treasury));
		self.credit(treasury, to_treasury);
		self.credit(submitter.clone(), tip.reward);
		Ok(broadcaster)
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_tip(from: T::AccountId, stream: StreamId, amount: Balance) -> DispatchResult {
		Self::give_tip(&from, stream, amount, |to, amount| {
			T::Currency::transfer(&from, to, amount, Preservation::Preserve).map(|_| ())
		})
	}

	pub(crate) fn do_tip_from_deposit(from: T::AccountId, stream: StreamId, amount: Balance) -> DispatchResult {
		ensure!(Self::free_deposit_of(&from) >= amount, Error::<T>::DepositTooSmall);
		Self::give_tip(&from, stream, amount, |to, amount| {
			T::Currency::transfer_on_hold(
				&HoldReason::TicketDeposit.into(),
				&from,
				to,
				amount,
				Precision::Exact,
				Restriction::Free,
				Fortitude::Polite,
			)
			.map(|_| ())
		})?;
		Self::forget_unlock_of_nothing(&from);
		Ok(())
	}

	/// What [`Pallet::submit_tip`] by this account would pay it now, and until which block. Changes nothing.
	pub fn tip_outlook(submitter: &T::AccountId, signed: &SignedTip) -> Result<Outlook, TicketRefusal> {
		Batch::<T>::open(None).tip(signed, submitter)?;
		let tip = &signed.message;
		Ok(Outlook {
			value: tip.reward,
			expiry: tip.expiry,
		})
	}

	pub(crate) fn do_submit_tip(submitter: T::AccountId, signed: &SignedTip) -> DispatchResult {
		let mut batch = Batch::<T>::open(None);
		let to = batch.tip(signed, &submitter).map_err(refused::<T>)?;
		batch.settle()?;
		let tip = &signed.message;
		Self::deposit_event(Event::Tipped {
			from: tip.sender.0.into(),
			to,
			stream: tip.stream,
			amount: tip.amount,
		});
		Ok(())
	}

	/// Gives the broadcaster of a stream a tip, and the treasury its share, by `give`.
	fn give_tip(
		from: &T::AccountId,
		stream: StreamId,
		amount: Balance,
		give: impl Fn(&T::AccountId, Balance) -> DispatchResult,
	) -> DispatchResult {
		ensure!(amount >= T::MinFaceValue::get(), Error::<T>::TipTooSmall);
		let payee = T::Streams::payee(stream, Self::now()).ok_or(Error::<T>::UnknownStream)?;
		let treasury = Treasury::<T>::get().ok_or(refused::<T>(TicketRefusal::CannotReceive))?;
		let to_treasury = share(amount, T::TreasuryShare::get());
		let to_broadcaster = amount.saturating_sub(to_treasury);
		give(&payee.account, to_broadcaster)?;
		give(&treasury, to_treasury)?;
		T::Streams::earned(stream, &payee.account, to_broadcaster);
		Self::deposit_event(Event::Tipped {
			from: from.clone(),
			to: payee.account,
			stream,
			amount,
		});
		Ok(())
	}
}
