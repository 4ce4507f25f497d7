//! Keys change hands: given, or sold at the price that their owner asks.

use crate::{
	pallet::{Config, Error, Event, HoldReason, Pallet},
	types::{Former, StreamKey},
};
use clustercast_primitives::{amount::share, Balance, BlockNumber, PublicKey, StreamId};
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult},
	traits::{
		fungible::{hold::Mutate as _, Mutate},
		tokens::{Fortitude, Precision, Preservation, Restriction},
		Get,
	},
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_transfer(
		who: T::AccountId,
		id: StreamId,
		to: T::AccountId,
		signing_key: PublicKey,
	) -> DispatchResult {
		Self::mutate(id, |key, now| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(key.owner != to, Error::<T>::SameOwner);
			// The giver's own stays with it, and answers for what its keys signed; of a flagged key nothing is left that could.
			let (deposit, kept) = match key.flagged {
				true => (key.deposit, 0),
				false => (Self::take_deposit(&who)?, key.deposit),
			};
			T::Currency::transfer_on_hold(
				&HoldReason::StreamKey.into(),
				&who,
				&to,
				deposit,
				Precision::Exact,
				Restriction::OnHold,
				Fortitude::Polite,
			)?;
			key.deposit = kept;
			Self::hand_over(key, to.clone(), deposit, signing_key, now)
		})?;
		Self::deposit_event(Event::Transferred { id, from: who, to });
		Ok(())
	}

	pub(crate) fn do_list(who: T::AccountId, id: StreamId, price: Option<Balance>) -> DispatchResult {
		Self::mutate(id, |key, _| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(price.is_none() || !key.flagged, Error::<T>::IsFlagged);
			key.sale_price = price;
			Ok(())
		})?;
		Self::deposit_event(Event::Listed { id, price });
		Ok(())
	}

	pub(crate) fn do_buy(
		who: T::AccountId,
		id: StreamId,
		signing_key: PublicKey,
		max_price: Balance,
		max_rented_until: BlockNumber,
	) -> DispatchResult {
		let (from, price, royalty) = Self::mutate(id, |key, now| {
			ensure!(key.owner != who, Error::<T>::SameOwner);
			let price = key.sale_price.ok_or(Error::<T>::NotForSale)?;
			ensure!(price <= max_price, Error::<T>::AboveMaxPrice);
			let rental = key.rental.as_ref();
			ensure!(
				rental.is_none_or(|rental| rental.until <= max_rented_until),
				Error::<T>::RentedTooLong
			);
			let deposit = Self::take_deposit(&who)?;
			let from = key.owner.clone();
			let royalty = Self::pay(&who, &from, price)?;
			Self::hand_over(key, who.clone(), deposit, signing_key, now)?;
			Ok((from, price, royalty))
		})?;
		Self::deposit_event(Event::Sold {
			id,
			from,
			to: who,
			price,
			royalty,
		});
		Ok(())
	}

	/// Makes `to` the owner, who answers with `deposit` for what signs from now on; who was before answers with its own for
	/// what signed until now. What the owner before offered or announced, and was not taken up, ends.
	fn hand_over(
		key: &mut StreamKey<T>,
		to: T::AccountId,
		deposit: Balance,
		signing_key: PublicKey,
		now: BlockNumber,
	) -> DispatchResult {
		ensure!(key.has_room(), Error::<T>::TooManyRotations);
		Self::replace_key(key, signing_key, now)?;
		let former = Former {
			account: core::mem::replace(&mut key.owner, to),
			deposit: core::mem::replace(&mut key.deposit, deposit),
			flagged: key.flagged,
			until: now,
		};
		if former.deposit > 0 {
			key.former.try_push(former).map_err(|_| Error::<T>::TooManyRotations)?;
		}
		(key.sale_price, key.rent_offer) = (None, None);
		key.change = key.change.filter(|change| change.terms == key.era.terms);
		Self::follow_owner(key, now);
		Ok(())
	}

	/// Pays a price, less the royalty, which it returns, to an owner.
	pub(crate) fn pay(from: &T::AccountId, to: &T::AccountId, price: Balance) -> Result<Balance, DispatchError> {
		let treasury = T::Treasury::get().ok_or(Error::<T>::NoTreasury)?;
		let royalty = share(price, T::Royalty::get());
		T::Currency::transfer(from, &treasury, royalty, Preservation::Preserve)?;
		T::Currency::transfer(from, to, price.saturating_sub(royalty), Preservation::Preserve)?;
		Ok(royalty)
	}

	/// Returns a deposit.
	pub(crate) fn release(who: &T::AccountId, deposit: Balance) -> DispatchResult {
		T::Currency::release(&HoldReason::StreamKey.into(), who, deposit, Precision::Exact).map(|_| ())
	}
}
