//! Tips: money for the broadcaster, whole.

use crate::{
	batch::Batch,
	pallet::{Config, Error, Event, Pallet},
	pool::Outlook,
	types::Purse,
};
use clustercast_primitives::{chain::TicketRefusal, Balance, SignedTip, StreamId};
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
		let nonce = Self::check_nonce(tip.nonce)?;
		ensure!(tip.amount >= T::MinFaceValue::get(), TicketRefusal::FaceValueTooSmall);
		let sender = T::AccountId::from(tip.sender.0);
		self.check_session(tip.session, &sender, tip.expiry)?;
		let epoch = Pallet::<T>::epoch_of(tip.expiry);
		let spent = self.nonces(epoch, tip.session).value.contains(nonce);
		ensure!(!spent, TicketRefusal::AlreadyRedeemed);
		let sum = tip
			.amount
			.checked_add(tip.reward)
			.ok_or(TicketRefusal::DepositTooSmall)?;
		self.check_funds(tip.session, Purse::Bytes, sum)?;
		let broadcaster = self.payee(tip.stream, self.now)?.account;
		self.check_receiver(&broadcaster, tip.amount)?;
		self.check_receiver(submitter, tip.reward)?;
		self.check_signature(signed, &tip.session)?;

		// Nothing fails from here on.
		let is_new = self.nonces(epoch, tip.session).change().insert(nonce);
		debug_assert!(is_new, "checked above; qed");
		self.charge(tip.session, Purse::Bytes, sum);
		self.credit(broadcaster.clone(), tip.amount);
		self.credit(submitter.clone(), tip.reward);
		Ok(broadcaster)
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_tip(from: T::AccountId, stream: StreamId, amount: Balance) -> DispatchResult {
		let to = Self::tipped(stream, amount)?;
		T::Currency::transfer(&from, &to, amount, Preservation::Preserve)?;
		Self::deposit_event(Event::Tipped {
			from,
			to,
			stream,
			amount,
		});
		Ok(())
	}

	pub(crate) fn do_tip_from_deposit(from: T::AccountId, stream: StreamId, amount: Balance) -> DispatchResult {
		let to = Self::tipped(stream, amount)?;
		ensure!(Self::deposit_of(&from) >= amount, Error::<T>::DepositTooSmall);
		T::Currency::transfer_on_hold(
			&crate::HoldReason::TicketDeposit.into(),
			&from,
			&to,
			amount,
			Precision::Exact,
			Restriction::Free,
			Fortitude::Polite,
		)?;
		Self::deposit_event(Event::Tipped {
			from,
			to,
			stream,
			amount,
		});
		Ok(())
	}

	/// What [`Pallet::submit_tip`] by this account would pay now, reward included, and until which block. Changes nothing.
	pub fn tip_outlook(submitter: &T::AccountId, signed: &SignedTip) -> Result<Outlook, TicketRefusal> {
		Batch::<T>::open().tip(signed, submitter)?;
		let tip = &signed.message;
		Ok(Outlook {
			value: tip.amount.saturating_add(tip.reward),
			expiry: tip.expiry,
		})
	}

	pub(crate) fn do_submit_tip(submitter: T::AccountId, signed: &SignedTip) -> DispatchResult {
		let mut batch = Batch::<T>::open();
		let to = batch.tip(signed, &submitter).map_err(Error::<T>::from)?;
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

	/// Who receives a tip of this amount.
	fn tipped(stream: StreamId, amount: Balance) -> Result<T::AccountId, Error<T>> {
		ensure!(amount >= T::MinFaceValue::get(), Error::<T>::TipTooSmall);
		let payee = T::Streams::payee(stream, Self::now()).ok_or(Error::<T>::UnknownStream)?;
		Ok(payee.account)
	}
}

/// A call fails with one error, so the reason of a signed tip's refusal becomes an error of the pallet.
impl<T: Config> From<TicketRefusal> for Error<T> {
	fn from(refusal: TicketRefusal) -> Self {
		match refusal {
			TicketRefusal::AlreadyRedeemed => Self::AlreadySpent,
			TicketRefusal::Expired => Self::Expired,
			TicketRefusal::ExpiryTooFar => Self::ExpiryTooFar,
			TicketRefusal::ExpiryOffGrid => Self::ExpiryOffGrid,
			TicketRefusal::NonceTooLarge => Self::NonceTooLarge,
			TicketRefusal::FaceValueTooSmall => Self::TipTooSmall,
			TicketRefusal::UnknownSession => Self::UnknownSession,
			TicketRefusal::WrongSender => Self::NotOwner,
			TicketRefusal::SessionExpired => Self::SessionExpired,
			TicketRefusal::SessionLimitReached => Self::SessionLimitReached,
			TicketRefusal::DepositTooSmall => Self::DepositTooSmall,
			TicketRefusal::UnknownStream => Self::UnknownStream,
			TicketRefusal::CannotReceive => Self::CannotReceive,
			// All but the first two concern tickets and vouchers only.
			TicketRefusal::BadSignature
			| TicketRefusal::NonCanonicalSignature
			| TicketRefusal::WrongSecret
			| TicketRefusal::NotAWinner
			| TicketRefusal::NothingNew
			| TicketRefusal::TooManyPayees
			| TicketRefusal::PriceAboveBound
			| TicketRefusal::BadBytes
			| TicketRefusal::WrongTerms => Self::BadSignature,
		}
	}
}
