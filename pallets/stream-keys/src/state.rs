//! The invariants, checked.

use crate::pallet::{Config, Due, HoldReason, NextStream, OldestDue, Pallet, StreamKeys};
use alloc::{collections::BTreeMap, vec::Vec};
use clustercast_primitives::Balance;
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the invariants at the head of the crate.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let now = Self::now();
		let mut deposits = BTreeMap::<T::AccountId, Balance>::new();
		let mut due = 0;
		for (id, key) in StreamKeys::<T>::iter() {
			*deposits.entry(key.owner.clone()).or_default() += key.deposit;
			ensure!(id < NextStream::<T>::get(), "2: a key's number was not handed out");
			for former in &key.former {
				*deposits.entry(former.account.clone()).or_default() += former.deposit;
			}
			let announced = key.change.and_then(|change| change.terms);
			ensure!(
				Self::check_about(&key.about).is_ok()
					&& key.era.terms.is_none_or(|terms| Self::check_terms(&terms).is_ok())
					&& announced.is_none_or(|terms| Self::check_terms(&terms).is_ok()),
				"3: a key's texts or terms are out of bounds"
			);
			let reserved = u32::from(key.rental.is_some());
			ensure!(
				key.previous_keys.iter().all(|previous| previous.until <= now)
					&& key.previous_keys.len() as u32 + reserved <= T::MaxPreviousKeys::get()
					&& key.former.iter().all(|former| former.until <= now)
					&& key.former.len() as u32 + reserved <= T::MaxPreviousKeys::get(),
				"4: a signing key was replaced in the future, or a renter's finds no room"
			);
			ensure!(
				Self::is_period(key.rent_offer.as_ref()),
				"5: the period on offer is out of bounds"
			);
			if let Some(rental) = &key.rental {
				*deposits.entry(rental.renter.clone()).or_default() += rental.deposit;
				ensure!(
					Self::check_about(&rental.about).is_ok(),
					"3: a rental's texts are out of bounds"
				);
				ensure!(
					(T::ChangeDelay::get()..=T::MaxRental::get()).contains(&rental.until.saturating_sub(rental.from)),
					"5: a rental's period is out of bounds"
				);
				ensure!(key.change.is_none(), "8: terms change while the key is rented");
			}
			if let Some(block) = key.due() {
				due += 1;
				ensure!(
					Due::<T>::contains_key(block, id) && block >= OldestDue::<T>::get(),
					"6: what falls due of a key is not listed"
				);
			}
			let eras: Vec<_> = key.eras().collect();
			ensure!(
				eras.windows(2).all(|pair| {
					let lasts = pair[1].1.from.checked_sub(pair[0].1.from);
					lasts.is_some_and(|blocks| pair[0].0 == 0 || blocks >= T::ChangeDelay::get())
				}),
				"8: terms change sooner than they may"
			);
			ensure!(
				eras.last().is_some_and(|(_, era)| era.payee == key.owner),
				"8: another one than the owner is paid for good"
			);
			ensure!(
				!key.flagged || (key.sale_price.is_none() && key.rent_offer.is_none()),
				"7: a flagged key is on offer"
			);
		}
		ensure!(
			Due::<T>::iter_keys().count() == due,
			"6: a key is listed as due that is not"
		);
		for who in frame_system::Account::<T>::iter_keys() {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::StreamKey.into(), &who)
					== deposits.remove(&who).unwrap_or_default(),
				"1: deposits differ from what is held"
			);
		}
		ensure!(deposits.is_empty(), "1: a deposit of an account that does not exist");
		Ok(())
	}
}
