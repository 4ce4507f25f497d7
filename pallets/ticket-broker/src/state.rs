//! The invariants at the head of the pallet, checked.

use crate::pallet::{Config, OldestEpoch, Pallet, Sessions, SessionsOf, SpentNonces, Treasury, Unlocks, VouchersPaid};
use alloc::vec::Vec;
use clustercast_primitives::Balance;
use frame_support::{
	ensure,
	traits::{fungible::Inspect, Get},
};

impl<T: Config> Pallet<T> {
	/// Checks the invariants at the head of the pallet.
	pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		for who in frame_system::Account::<T>::iter_keys() {
			ensure!(
				Self::deposit_of(&who) <= T::MaxDeposit::get(),
				"1: a deposit exceeds the cap"
			);
		}

		let mut listed = 0;
		for (owner, keys) in SessionsOf::<T>::iter() {
			ensure!(!keys.is_empty(), "2: an empty list of sessions is stored");
			ensure!(
				keys.len() as u32 <= T::MaxSessions::get(),
				"2: an account has too many sessions"
			);
			for key in keys {
				listed += 1;
				ensure!(
					Sessions::<T>::get(key).is_some_and(|s| s.owner == owner),
					"2: a listed session is not its owner's"
				);
			}
		}
		ensure!(
			Sessions::<T>::iter_keys().count() == listed,
			"2: a session is in no list, or in two"
		);
		ensure!(
			Sessions::<T>::iter_values().all(|s| s.spent <= s.limit && s.extra_spent <= s.extra_limit),
			"3: a session spent more than its limits"
		);

		for (epoch, _, bitmap) in SpentNonces::<T>::iter() {
			ensure!(bitmap.is_well_formed(), "4: a bitmap is empty or too long");
			ensure!(
				epoch >= OldestEpoch::<T>::get(),
				"4: a bitmap of an epoch that was cleared"
			);
		}

		for (who, unlocking) in Unlocks::<T>::iter() {
			ensure!(
				unlocking.amount > 0 && unlocking.amount <= T::MaxDeposit::get(),
				"5: an amount that cannot be unlocking"
			);
			ensure!(
				frame_system::Account::<T>::contains_key(&who),
				"5: an account that does not exist is unlocking"
			);
		}

		let mut payees = 0;
		for (key, session) in Sessions::<T>::iter() {
			let paid: Vec<_> = VouchersPaid::<T>::iter_prefix_values(key)
				.map(|paid| paid.amount)
				.collect();
			payees += paid.len();
			ensure!(
				paid.len() as u32 == session.payees && session.payees <= T::MaxPayees::get(),
				"7: a session's places are not counted right"
			);
			ensure!(
				paid.iter().sum::<Balance>() <= session.spent.saturating_add(session.extra_spent),
				"7: vouchers paid more than their session spent"
			);
		}
		ensure!(
			VouchersPaid::<T>::iter_keys().count() == payees,
			"7: vouchers of a session that does not exist"
		);

		let treasury = Treasury::<T>::get().ok_or("6: there is no treasury")?;
		ensure!(
			T::Currency::total_balance(&treasury) >= T::Currency::minimum_balance(),
			"6: the treasury's account does not exist"
		);
		Ok(())
	}
}
