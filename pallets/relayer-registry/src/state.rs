//! The invariants at the head of the pallet, checked.

use crate::{Config, HoldReason, Pallet, Relayers, Reputations, SigningKeys, Slashes};
use alloc::collections::BTreeMap;
use clustercast_primitives::Balance;
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};

impl<T: Config> Pallet<T> {
	/// Natively always there, since tests of other pallets ask too.
	pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		let (mut relayers, mut keys) = (0, 0);
		let mut bonds = BTreeMap::<T::AccountId, Balance>::new();
		for (account, relayer) in Relayers::<T>::iter() {
			relayers += 1;
			keys += 1 + relayer.previous_keys.len();
			let sum = bonds.entry(relayer.payout.clone()).or_default();
			*sum = sum.saturating_add(relayer.bond);
			ensure!(
				relayer.bond >= T::MinBond::get() || relayer.unbonds_at.is_some() || relayer.frozen.is_some(),
				"2: a bond is below the minimum"
			);
			ensure!(
				relayer.bond > 0 || relayer.frozen.is_some(),
				"2: a relayer without a bond"
			);
			let previous = relayer.previous_keys.iter().map(|previous| previous.key);
			ensure!(
				previous
					.chain([relayer.signing_key])
					.all(|key| SigningKeys::<T>::get(key).as_ref() == Some(&account)),
				"3: a signing key does not lead back to its relayer"
			);
			ensure!(
				Self::check(&relayer.addresses, relayer.price_per_gb).is_ok(),
				"4: a relayer's addresses or price are out of bounds"
			);
			ensure!(
				relayer.frozen.is_none_or(|freeze| freeze.owed <= relayer.bond),
				"7: a frozen bond does not have what it owes"
			);
		}
		ensure!(
			SigningKeys::<T>::iter().count() == keys,
			"3: a signing key without a relayer"
		);
		for (account, record) in Reputations::<T>::iter() {
			ensure!(
				Relayers::<T>::contains_key(&account),
				"5: a reputation without a relayer"
			);
			ensure!(
				record.since <= record.turn && record.turn <= Self::now(),
				"5: a reputation from the future"
			);
		}
		ensure!(
			Reputations::<T>::iter_keys().count() == relayers,
			"5: a relayer without a reputation"
		);
		ensure!(
			Slashes::<T>::iter_values().all(|slashes| slashes > 0),
			"6: slashes of somebody who has none"
		);
		ensure!(
			bonds.keys().all(frame_system::Account::<T>::contains_key),
			"1: a bond without an account"
		);
		for who in frame_system::Account::<T>::iter_keys() {
			let bond = bonds.get(&who).copied().unwrap_or_default();
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::RelayerBond.into(), &who) == bond,
				"1: a bond differs from what is held"
			);
		}
		Ok(())
	}
}
