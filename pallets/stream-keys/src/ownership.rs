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
	pub(crate) fn do_transfer(who: T::AccountId, id: StreamId, to: T::AccountId) -> DispatchResult {
		Self::mutate(id, |key, now| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(key.owner != to, Error::<T>::SameOwner);
			T::Currency::transfer_on_hold(
				&HoldReason::StreamKey.into(),
				&who,
				&to,
				key.deposit,
				Precision::Exact,
				Restriction::OnHold,
				Fortitude::Polite,
			)?;
			Self::hand_over(key, to.clone(), now);
			Ok(())
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
			let rental = key.rental_at(now);
			ensure!(
				rental.is_none_or(|rental| rental.until <= max_rented_until),
				Error::<T>::RentedTooLong
			);
			Self::release(&key.owner, key.deposit)?;
			key.deposit = Self::take_deposit(&who)?;
			let royalty = Self::pay(&who, &key.owner, price)?;
			Self::rotate(key, signing_key, who.clone(), now)?;
			Ok((Self::hand_over(key, who.clone(), now), price, royalty))
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

	/// Makes `to` the owner, and returns who was. What the owner before offered or announced, and was not taken up, ends.
	fn hand_over(key: &mut StreamKey<T>, to: T::AccountId, now: BlockNumber) -> T::AccountId {
		let from = core::mem::replace(&mut key.owner, to);
		let remembered = |former: &Former<_>| former.until.saturating_add(T::ChangeDelay::get()) > now;
		if !key.former.as_ref().is_some_and(remembered) {
			key.former = Some(Former {
				account: from.clone(),
				until: now,
			});
		}
		(key.sale_price, key.rent_offer) = (None, None);
		key.change = key.change.filter(|change| change.from <= now);
		from
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
