//! Minting, and what the broadcaster decides: texts and signing key. What the signing key did wrong.

use crate::{
	pallet::{Config, Error, Event, HoldReason, NextStream, Pallet, StreamKeys},
	types::{About, Era, PreviousKey, Rental, StreamKey},
	Offences, Streams,
};
use alloc::{string::String, vec::Vec};
use clustercast_primitives::{
	chain::{StreamKeyInfo, StreamTerms, TermsChange},
	Balance, BlockNumber, PublicKey, StreamId,
};
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult},
	traits::{
		fungible::{
			hold::{Balanced as _, Mutate as _},
			Credit, Inspect,
		},
		tokens::imbalance::Imbalance,
		Get,
	},
	BoundedVec,
};

impl<T: Config> Pallet<T> {
	/// A stream key, in the words of the JSON-RPC.
	pub fn stream_key(id: StreamId) -> Option<StreamKeyInfo> {
		let (key, now) = (StreamKeys::<T>::get(id)?, Self::now());
		let (counter, era) = key.era_at(now);
		let terms = era.terms?;
		let payee = <Self as Streams<_>>::payee(id, now)?.account;
		let next = key.next_era(now).map(|next| TermsChange {
			terms: next.terms,
			from: next.from,
		});
		let (about, rental) = (key.about_at(now), key.rental_at(now));
		let (deposit, flagged) = rental.map_or((key.deposit, key.flagged), |rental| (rental.deposit, rental.flagged));
		let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
		let public = |who: &T::AccountId| clustercast_primitives::AccountId(who.clone().into());
		let mut signing_keys = key.signing_keys(now).into_iter();
		Some(StreamKeyInfo {
			id,
			owner: public(&key.owner),
			broadcaster: public(rental.map_or(&key.owner, |rental| &rental.renter)),
			payee: public(&payee),
			signing_key: signing_keys.next()?,
			title: text(&about.title),
			category: text(&about.category),
			max_viewers: about.max_viewers,
			price_per_gb: terms.price_per_gb,
			max_surge_ppm: terms.max_surge_ppm,
			broadcaster_share_ppm: terms.broadcaster_share_ppm,
			terms_counter: counter,
			change: next,
			previous_keys: signing_keys.collect(),
			deposit,
			flagged,
			sale_price: key.sale_price,
			rent_offer: key.rent_offer,
			rented_until: rental.map(|rental| rental.until),
		})
	}

	pub(crate) fn do_mint(
		owner: T::AccountId,
		signing_key: PublicKey,
		about: About<T>,
		terms: StreamTerms,
	) -> Result<StreamId, DispatchError> {
		Self::check_about(&about)?;
		Self::check_terms(&terms)?;
		let id = NextStream::<T>::get();
		NextStream::<T>::put(StreamId(id.0.checked_add(1).ok_or(Error::<T>::TooManyStreams)?));
		let key = StreamKey {
			deposit: Self::take_deposit(&owner)?,
			flagged: false,
			signing_key,
			previous_keys: BoundedVec::new(),
			former: BoundedVec::new(),
			about,
			era: Era {
				payee: owner.clone(),
				terms: Some(terms),
				from: Self::now(),
			},
			counter: 0,
			before: None,
			change: None,
			owner: owner.clone(),
			sale_price: None,
			rent_offer: None,
			rental: None,
		};
		Self::store(id, None, key);
		Self::deposit_event(Event::Minted { id, owner });
		Ok(id)
	}

	pub(crate) fn do_update(who: T::AccountId, id: StreamId, about: About<T>) -> DispatchResult {
		Self::check_about(&about)?;
		Self::mutate(id, |key, now| {
			match Self::rental_of(key, &who, now)? {
				Some(rental) => rental.about = about,
				None => key.about = about,
			}
			Ok(())
		})?;
		Self::deposit_event(Event::Updated { id });
		Ok(())
	}

	pub(crate) fn do_set_signing_key(who: T::AccountId, id: StreamId, signing_key: PublicKey) -> DispatchResult {
		Self::mutate(id, |key, now| match Self::rental_of(key, &who, now)? {
			None => match key.signing_key == signing_key {
				true => Ok(()),
				false => Self::replace_key(key, signing_key, now),
			},
			Some(rental) if rental.signing_key == signing_key => Ok(()),
			Some(rental) => {
				let replaced = PreviousKey {
					key: core::mem::replace(&mut rental.signing_key, signing_key),
					by: who,
					until: now,
				};
				// Beside this one: the new one at the end of the rental, and one of the owner's.
				ensure!(key.make_room(3, now), Error::<T>::TooManyRotations);
				Self::remember(key, replaced)
			},
		})?;
		Self::deposit_event(Event::SigningKeySet { id, key: signing_key });
		Ok(())
	}

	/// Replaces the owner's signing key, for which the owner of until now answers.
	pub(crate) fn replace_key(key: &mut StreamKey<T>, new: PublicKey, now: BlockNumber) -> DispatchResult {
		let room = 1 + u32::from(key.rental.is_some());
		ensure!(key.make_room(room, now), Error::<T>::TooManyRotations);
		let replaced = PreviousKey {
			key: core::mem::replace(&mut key.signing_key, new),
			by: key.owner.clone(),
			until: now,
		};
		Self::remember(key, replaced)
	}

	/// Keeps a signing key that was replaced, for which there is room.
	pub(crate) fn remember(key: &mut StreamKey<T>, replaced: PreviousKey<T::AccountId>) -> DispatchResult {
		let kept = key.previous_keys.try_push(replaced);
		kept.map_err(|_| Error::<T>::TooManyRotations.into())
	}

	/// The rental of `who`, if it is the renter; `None` if it is the owner.
	fn rental_of<'a>(
		key: &'a mut StreamKey<T>,
		who: &T::AccountId,
		now: BlockNumber,
	) -> Result<Option<&'a mut Rental<T>>, Error<T>> {
		let is_renter = key.rental_at(now).is_some_and(|rental| rental.renter == *who);
		ensure!(is_renter || key.owner == *who, Error::<T>::NotOwner);
		Ok(key.rental.as_mut().filter(|_| is_renter))
	}

	/// Whether texts are within bounds.
	pub(crate) fn check_about(about: &About<T>) -> Result<(), Error<T>> {
		let is_text = |bytes: &[u8]| core::str::from_utf8(bytes).is_ok();
		ensure!(is_text(&about.title) && is_text(&about.category), Error::<T>::NotUtf8);
		Ok(())
	}

	/// Holds what a key, or renting one, takes, and says how much.
	pub(crate) fn take_deposit(who: &T::AccountId) -> Result<Balance, DispatchError> {
		let deposit = T::MintDeposit::get();
		T::Currency::hold(&HoldReason::StreamKey.into(), who, deposit)?;
		Ok(deposit)
	}
}

impl<T: Config> Offences for Pallet<T> {
	type Credit = Credit<T::AccountId, T::Currency>;

	fn signing_keys(stream: StreamId) -> Vec<PublicKey> {
		StreamKeys::<T>::get(stream).map_or_else(Vec::new, |key| key.signing_keys(Self::now()))
	}

	fn max_signing_keys() -> u32 {
		// The owner's, and the renter's, for which a place is kept among the others.
		T::MaxPreviousKeys::get().saturating_add(1)
	}

	fn can_flag(stream: StreamId, key: &PublicKey) -> bool {
		let key = |stored: StreamKey<T>| stored.unflagged(key).is_some();
		StreamKeys::<T>::get(stream).is_some_and(key)
	}

	fn flag(stream: StreamId, key: &PublicKey) -> Option<Self::Credit> {
		let mut stored = StreamKeys::<T>::get(stream)?;
		let culprit = stored.unflagged(key)?;
		let (who, deposit, flagged) = stored.answer(culprit)?;
		*flagged = true;
		let penalty = deposit.saturating_sub(T::Currency::minimum_balance());
		let (taken, missing) = T::Currency::slash(&HoldReason::StreamKey.into(), who, penalty);
		debug_assert!(missing == 0, "the deposit is held; qed");
		*deposit = deposit.saturating_sub(taken.peek());
		let who = who.clone();
		if stored.flagged {
			(stored.sale_price, stored.rent_offer) = (None, None);
		}
		StreamKeys::<T>::insert(stream, stored);
		Self::deposit_event(Event::Flagged {
			id: stream,
			who,
			slashed: taken.peek(),
		});
		Some(taken)
	}
}
