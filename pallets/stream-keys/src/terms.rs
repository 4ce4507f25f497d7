//! What is paid for a stream, era by era; how that changes; what is kept of it; and how what is over is forgotten.

use crate::{
	pallet::{Config, Due, Error, Event, HoldReason, OldestDue, Pallet, StreamKeys, MAX_SETTLED_PER_BLOCK},
	types::{Culprit, Era, Former, PreviousKey, StreamKey},
	weights::WeightInfo,
	Payee, Streams,
};
use clustercast_primitives::{
	amount::{share, MAX_PRICE_PER_GB},
	chain::{StreamTerms, TermsChange, PPM},
	Balance, BlockNumber, StreamId,
};
use clustercast_upkeep::work_off;
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::{
		fungible::{hold::Mutate as _, Inspect},
		tokens::{Fortitude, Preservation},
		Get,
	},
	weights::WeightMeter,
};

impl<T: Config> Streams<T::AccountId> for Pallet<T> {
	fn max_share_ppm() -> u32 {
		T::MaxBroadcasterShare::get()
	}

	fn memory() -> BlockNumber {
		T::ChangeDelay::get()
	}

	fn payee(stream: StreamId, at: BlockNumber) -> Option<Payee<T::AccountId>> {
		let key = StreamKeys::<T>::get(stream)?;
		let (counter, era) = key.era_at(at);
		Self::payee_of(&key, counter, era)
	}

	fn payee_under(stream: StreamId, terms: u32) -> Option<(Payee<T::AccountId>, Option<BlockNumber>)> {
		let (key, now) = (StreamKeys::<T>::get(stream)?, Self::now());
		let (era, end) = key.era(terms, now)?;
		let is_remembered = end.is_none_or(|end| now < end.saturating_add(T::ChangeDelay::get()));
		let payee = Self::payee_of(&key, terms, era).filter(|_| is_remembered)?;
		Some((payee, end))
	}

	fn earned(stream: StreamId, payee: &T::AccountId, amount: Balance) {
		let Some(mut key) = StreamKeys::<T>::get(stream) else {
			return;
		};
		let is_renter = key.rental.as_ref().is_some_and(|rental| rental.renter == *payee);
		let culprit = match (key.owner == *payee, is_renter) {
			(true, _) => Some(Culprit::Owner),
			(false, true) => Some(Culprit::Renter),
			(false, false) => key
				.former
				.iter()
				.rposition(|former| former.account == *payee)
				.map(Culprit::Former),
		};
		let Some((who, deposit, flagged)) = culprit.and_then(|who| key.answer(who)) else {
			return;
		};
		if *flagged {
			return;
		}
		let missing = T::MaxDeposit::get().saturating_sub(*deposit);
		let free = T::Currency::reducible_balance(who, Preservation::Protect, Fortitude::Polite);
		let kept = share(amount, T::EarningsKept::get()).min(missing).min(free);
		// What cannot be held stays where it is: that nothing is kept voids no payment.
		if kept > 0 && T::Currency::hold(&HoldReason::StreamKey.into(), who, kept).is_ok() {
			*deposit = deposit.saturating_add(kept);
			StreamKeys::<T>::insert(stream, key);
		}
	}

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
	/// Who is paid in an era. Who has no account any more cannot receive anything: the owner of today does.
	fn payee_of(key: &StreamKey<T>, counter: u32, era: Era<T::AccountId>) -> Option<Payee<T::AccountId>> {
		let terms = era.terms?;
		let is_alive = T::Currency::total_balance(&era.payee) >= T::Currency::minimum_balance();
		Some(Payee {
			account: if is_alive { era.payee } else { key.owner.clone() },
			share_ppm: terms.broadcaster_share_ppm,
			max_price_per_gb: terms.max_price_per_gb(),
			terms: counter,
		})
	}

	/// Announces other terms, or the end of a key.
	pub(crate) fn do_announce(who: T::AccountId, id: StreamId, terms: Option<StreamTerms>) -> DispatchResult {
		let change = Self::mutate(id, |key, now| {
			ensure!(key.owner == who, Error::<T>::NotOwner);
			ensure!(key.rental.is_none(), Error::<T>::StillRented);
			let from = now.saturating_add(T::ChangeDelay::get());
			key.change = (terms != key.era.terms).then_some(TermsChange { terms, from });
			Self::follow_owner(key, now);
			Ok(key.change)
		})?;
		Self::deposit_event(Event::ChangeAnnounced { id, change });
		Ok(())
	}

	/// Sees to it that the owner is paid as soon as another era can begin.
	pub(crate) fn follow_owner(key: &mut StreamKey<T>, now: BlockNumber) {
		if key.rental.is_some() || key.change.is_some() {
			// The owner is paid in the era that follows as it is.
			return;
		}
		if key.era.payee == key.owner {
			return;
		}
		let (terms, from) = (key.era.terms, key.free(now));
		if from > now {
			key.change = Some(TermsChange { terms, from });
		} else {
			let payee = key.owner.clone();
			key.begin(Era { payee, terms, from });
		}
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

	/// Brings a key to this block: eras that began meanwhile, and the end of a rental.
	pub(crate) fn advance(key: &mut StreamKey<T>, now: BlockNumber) -> DispatchResult {
		let counter = key.counter;
		for (_, era) in key.eras().filter(|(number, era)| *number > counter && era.from <= now) {
			key.begin(era);
		}
		key.change.take_if(|change| change.from <= now);
		let Some(rental) = key.rental.take_if(|rental| rental.until <= now) else {
			return Ok(());
		};
		let replaced = PreviousKey {
			key: rental.signing_key,
			by: rental.renter.clone(),
			until: rental.until,
		};
		Self::remember(key, replaced)?;
		let former = Former {
			account: rental.renter,
			deposit: rental.deposit,
			flagged: rental.flagged,
			until: rental.until,
		};
		key.former
			.try_push(former)
			.map_err(|_| Error::<T>::TooManyRotations.into())
	}

	/// Cleans up what fell due, oldest first, as far as `meter` allows.
	pub(crate) fn do_settle(meter: &mut WeightMeter) {
		work_off(
			meter,
			MAX_SETTLED_PER_BLOCK,
			T::WeightInfo::settle,
			|| Some(OldestDue::<T>::get()).filter(|block| *block <= Self::now()),
			|block, limit| {
				let mut settled = 0;
				// One thing of a key at a time: more of it may be due.
				while let Some(id) = Due::<T>::iter_key_prefix(block).next().filter(|_| settled < limit) {
					settled += 1;
					let done = with_storage_layer(|| Self::settle_due(id, block));
					debug_assert!(
						done.is_ok(),
						"deposits are held, and there is room for the renter's key; qed"
					);
				}
				settled
			},
			|block| OldestDue::<T>::put(block.saturating_add(1)),
		);
	}

	/// Cleans up the first thing of a key that fell due in a block. More may have: then it stays listed for it.
	fn settle_due(id: StreamId, block: BlockNumber) -> DispatchResult {
		let mut key = StreamKeys::<T>::get(id).ok_or(Error::<T>::UnknownStream)?;
		let due = key.due();
		let is_forgotten = |end: BlockNumber| end.saturating_add(T::KeyMemory::get()) <= block;
		Self::advance(&mut key, Self::now())?;
		if let Some(place) = key.former.iter().position(|former| is_forgotten(former.until)) {
			let Former { account, deposit, .. } = key.former.remove(place);
			Self::release(&account, deposit)?;
			Self::deposit_event(Event::Returned {
				id,
				who: account,
				deposit,
			});
		} else if key.era.terms.is_none() && is_forgotten(key.era.from) {
			Self::release(&key.owner, key.deposit)?;
			Self::deposit_event(Event::Burnt { id, owner: key.owner });
			StreamKeys::<T>::remove(id);
			due.into_iter().for_each(|block| Due::<T>::remove(block, id));
			return Ok(());
		}
		Self::store(id, due, key);
		Ok(())
	}
}
