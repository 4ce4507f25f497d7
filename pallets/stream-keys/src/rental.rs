//! Keys are rented for a period, paid in advance.

use crate::{
	pallet::{Config, Error, Event, Pallet},
	types::{Era, Rental},
};
use clustercast_primitives::{chain::RentOffer, Balance, BlockNumber, PublicKey, StreamId};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_set_rent(who: T::AccountId, id: StreamId, offer: Option<RentOffer>) -> DispatchResult {
		ensure!(Self::is_period(offer.as_ref()), Error::<T>::BadPeriod);
		Self::mutate(id, |key, _| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(offer.is_none() || !key.flagged, Error::<T>::IsFlagged);
			key.rent_offer = offer;
			Ok(())
		})?;
		Self::deposit_event(Event::RentSet { id, offer });
		Ok(())
	}

	pub(crate) fn do_rent(
		renter: T::AccountId,
		id: StreamId,
		signing_key: PublicKey,
		max_price: Balance,
		min_blocks: BlockNumber,
	) -> DispatchResult {
		let (from, until, price, royalty) = Self::mutate(id, |key, now| {
			ensure!(key.owner != renter, Error::<T>::SameOwner);
			let RentOffer { price, blocks } = key.rent_offer.ok_or(Error::<T>::NotForRent)?;
			ensure!(key.rental.is_none(), Error::<T>::StillRented);
			ensure!(price <= max_price, Error::<T>::AboveMaxPrice);
			ensure!(blocks >= min_blocks, Error::<T>::PeriodTooShort);
			// The terms that the renter sees hold for the whole period.
			ensure!(
				key.change.is_none_or(|change| change.terms == key.era.terms),
				Error::<T>::ChangeAnnounced
			);
			// The renter's, when it is replaced by the owner's again, and one of the owner's meanwhile.
			ensure!(key.make_room(2, now) && key.has_room(), Error::<T>::TooManyRotations);
			let deposit = Self::take_deposit(&renter)?;
			let royalty = Self::pay(&renter, &key.owner, price)?;
			// Where the owner is about to be paid in place of another one, the renter is instead.
			let from = key.change.take().map_or_else(|| key.free(now), |change| change.from);
			let until = from.saturating_add(blocks);
			if from == now {
				let (payee, terms) = (renter.clone(), key.era.terms);
				key.begin(Era { payee, terms, from });
			}
			key.rental = Some(Rental {
				renter: renter.clone(),
				signing_key,
				from,
				until,
				deposit,
				flagged: false,
				about: key.about.clone(),
			});
			Ok((from, until, price, royalty))
		})?;
		Self::deposit_event(Event::Rented {
			id,
			renter,
			from,
			until,
			price,
			royalty,
		});
		Ok(())
	}

	/// Whether an offer's period is within bounds.
	pub(crate) fn is_period(offer: Option<&RentOffer>) -> bool {
		let bounds = T::ChangeDelay::get()..=T::MaxRental::get();
		offer.is_none_or(|offer| bounds.contains(&offer.blocks))
	}
}
