//! What is paid for a stream, block by block; how that changes; and how what is over is forgotten.

use crate::{
	pallet::{Config, Due, Error, Event, OldestDue, Pallet, StreamKeys, MAX_SETTLED_PER_BLOCK},
	types::{PreviousKey, StreamKey},
	weights::WeightInfo,
	Payee, Streams,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB,
	chain::{StreamTerms, TermsChange, PPM},
	BlockNumber, StreamId,
};
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult},
	storage::with_storage_layer,
	traits::{fungible::Inspect, Get},
	weights::WeightMeter,
};
use sp_runtime::SaturatedConversion;

impl<T: Config> Streams<T::AccountId> for Pallet<T> {
	fn max_share_ppm() -> u32 {
		T::MaxBroadcasterShare::get()
	}

	fn memory() -> BlockNumber {
		T::ChangeDelay::get()
	}

	fn payee(stream: StreamId, at: BlockNumber) -> Option<Payee<T::AccountId>> {
		let key = StreamKeys::<T>::get(stream)?;
		let terms = key.terms_at(at)?;
		let is_alive = |who: &_| T::Currency::total_balance(who) >= T::Currency::minimum_balance();
		let account = match key.rental_at(at) {
			Some(rental) => &rental.renter,
			None => key.owner_at(at, is_alive),
		};
		Some(Payee {
			account: account.clone(),
			share_ppm: terms.broadcaster_share_ppm,
			max_price_per_gb: terms.max_price_per_gb(),
			terms: key.counter_at(at),
		})
	}

	fn payee_under(stream: StreamId, terms: u32) -> Option<(Payee<T::AccountId>, Option<BlockNumber>)> {
		let now = Self::now();
		if let Some(payee) = Self::payee(stream, now).filter(|payee| payee.terms == terms) {
			return Some((payee, None));
		}
		let ended = StreamKeys::<T>::get(stream)?.change.map(|change| change.from)?;
		let before = Self::payee(stream, ended.checked_sub(1)?)?;
		let remembered = ended <= now && now - ended <= Self::memory();
		(before.terms == terms && remembered).then_some((before, Some(ended)))
	}

	fn earned(_: StreamId, _: &T::AccountId, _: clustercast_primitives::Balance) {}

	#[cfg(feature = "runtime-benchmarks")]
	fn create(owner: &T::AccountId) -> StreamId {
		crate::benchmarking::mint_largest::<T>(owner)
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn create_rotated(owner: &T::AccountId, key: clustercast_primitives::PublicKey) -> StreamId {
		crate::benchmarking::mint_rotated::<T>(owner, key)
	}
}

impl<T: Config> Pallet<T> {
	/// Announces other terms, or the end of a key.
	pub(crate) fn do_announce(who: T::AccountId, id: StreamId, terms: Option<StreamTerms>) -> DispatchResult {
		let change = Self::mutate(id, |key, now| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(key.rental_at(now).is_none(), Error::<T>::StillRented);
			ensure!(
				key.change.is_none_or(|change| change.from > now),
				Error::<T>::ChangedLately
			);
			let from = now.saturating_add(T::ChangeDelay::get());
			key.change = (terms != Some(key.terms)).then_some(TermsChange { terms, from });
			Ok(key.change)
		})?;
		Self::deposit_event(Event::ChangeAnnounced { id, change });
		Ok(())
	}

	/// Whether terms are within bounds.
	pub(crate) fn check_terms(terms: &StreamTerms) -> Result<(), Error<T>> {
		ensure!(terms.price_per_gb <= MAX_PRICE_PER_GB, Error::<T>::PriceTooHigh);
		ensure!(
			(PPM..=T::MaxSurge::get()).contains(&terms.max_surge_ppm),
			Error::<T>::SurgeOutOfBounds
		);
		ensure!(
			terms.broadcaster_share_ppm <= T::MaxBroadcasterShare::get(),
			Error::<T>::ShareTooLarge
		);
		Ok(())
	}

	/// Forgets what is over of a key for so long that no ticket concerns it. `None` where that is all of it.
	pub(crate) fn settle(id: StreamId, mut key: StreamKey<T>) -> Result<Option<StreamKey<T>>, DispatchError> {
		let now = Self::now();
		let is_over = |end: BlockNumber| end.saturating_add(T::ChangeDelay::get()) <= now;
		if let Some(rental) = key.rental.take_if(|rental| is_over(rental.until)) {
			Self::release(&rental.renter, rental.deposit)?;
			let replaced = PreviousKey {
				key: rental.signing_key,
				by: rental.renter.clone(),
				until: rental.until,
			};
			Self::remember(&mut key, replaced)?;
			Self::deposit_event(Event::Returned {
				id,
				renter: rental.renter,
			});
		}
		match key.change.take_if(|change| is_over(change.from)) {
			Some(TermsChange { terms: None, .. }) => {
				Self::release(&key.owner, key.deposit)?;
				Self::deposit_event(Event::Burnt { id, owner: key.owner });
				return Ok(None);
			},
			Some(TermsChange { terms: Some(terms), .. }) => {
				key.terms = terms;
				key.terms_counter = key.terms_counter.saturating_add(1);
			},
			None => {},
		}
		Ok(Some(key))
	}

	/// Cleans up what fell due, oldest first, as far as `meter` allows.
	pub(crate) fn do_settle(meter: &mut WeightMeter) {
		let base = T::WeightInfo::settle(0);
		let each = T::WeightInfo::settle(1).saturating_sub(base);
		let mut left = MAX_SETTLED_PER_BLOCK;
		while meter.try_consume(base).is_ok() {
			let block = OldestDue::<T>::get();
			if block > Self::now() {
				return;
			}
			let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
			let limit = left.min(affordable.saturated_into());
			let due: Vec<_> = Due::<T>::iter_key_prefix(block).take(limit as usize).collect();
			let settled = due.len() as u32;
			for id in due {
				let done = with_storage_layer(|| Self::settle_due(id, block));
				debug_assert!(
					done.is_ok(),
					"deposits are held, and there is room for the renter's key; qed"
				);
			}
			meter.consume(each.saturating_mul(settled.into()));
			left = left.saturating_sub(settled);
			if settled == limit {
				// There may be more in this block: go on with it in the next one.
				return;
			}
			OldestDue::<T>::put(block.saturating_add(1));
		}
	}

	fn settle_due(id: StreamId, block: BlockNumber) -> DispatchResult {
		let stored = StreamKeys::<T>::get(id).ok_or(Error::<T>::UnknownStream)?;
		let due = stored.due();
		match Self::settle(id, stored)? {
			Some(key) => Self::store(id, due, key),
			None => {
				StreamKeys::<T>::remove(id);
				Due::<T>::remove(block, id);
			},
		}
		Ok(())
	}
}
