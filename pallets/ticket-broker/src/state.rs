//! The invariants at the head of the pallet, checked.

use crate::{
	pallet::{
		Channels, Config, Ends, HoldReason, Ledgers, OldestEnd, Pallet, Sessions, SessionsOf, Treasury, Unlocks,
		VouchersPaid,
	},
	types::{End, Shares},
};
use alloc::{collections::BTreeMap, vec::Vec};
use clustercast_primitives::Balance;
use frame_support::{
	ensure,
	traits::{
		fungible::{Inspect, InspectHold},
		Get,
	},
};

impl<T: Config> Pallet<T> {
	/// Checks the invariants at the head of the pallet.
	pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		let ends: Vec<_> = Ends::<T>::iter_keys().collect();
		ensure!(
			ends.iter().all(|(block, _)| *block >= OldestEnd::<T>::get()),
			"8: something should have ended"
		);
		let ends_by = |end: End<T::AccountId>, by| ends.iter().any(|(block, known)| *block <= by && *known == end);

		let (mut reserved, mut deposits) = (BTreeMap::new(), BTreeMap::new());
		let mut listed = 0;
		for (owner, keys) in SessionsOf::<T>::iter() {
			ensure!(!keys.is_empty(), "2: an empty list of sessions is stored");
			for key in keys {
				listed += 1;
				let session = Sessions::<T>::get(key).filter(|session| session.owner == owner);
				let session = session.ok_or("2: a listed session is not its owner's")?;
				let channels: Vec<_> = Channels::<T>::iter_prefix(key).collect();
				ensure!(
					channels.iter().all(|(_, channel)| {
						channel.open <= channel.cap.saturating_sub(channel.paid.min(channel.cap))
							&& (channel.counter > 0 || channel.open == 0)
					}),
					"4: a channel reserves more than its cap leaves"
				);
				ensure!(
					channels.iter().all(|(recipient, channel)| channel.open == 0
						|| channel
							.closes_at
							.is_none_or(|closes_at| ends_by(End::Channel(key, recipient.clone()), closes_at))),
					"8: a closed channel has no end"
				);
				let open: Balance = channels.iter().map(|(_, channel)| channel.open).sum();
				ensure!(
					session.spent <= session.limit && session.extra_spent <= session.extra_limit,
					"3: a session spent more than its limits"
				);
				ensure!(open <= session.spent, "3: what is reserved is not spent");
				ensure!(
					ends_by(End::Session(key), Self::session_ends_at(session.expiry)),
					"8: a session has no end"
				);
				let paid: Balance = VouchersPaid::<T>::iter_prefix_values(key).map(|paid| paid.amount).sum();
				ensure!(
					paid <= session.spent.saturating_add(session.extra_spent).saturating_sub(open),
					"7: vouchers paid more than their session spent"
				);
				if open > 0 {
					*reserved.entry(owner.clone()).or_insert(0) += open;
				}
				*deposits.entry(owner.clone()).or_insert(0) += session.deposit;
			}
		}
		ensure!(
			Sessions::<T>::iter_keys().count() == listed,
			"2: a session is in no list, or in two"
		);
		ensure!(
			Channels::<T>::iter_keys().all(|(key, _)| Sessions::<T>::contains_key(key)),
			"4: a channel of a session that does not exist"
		);
		ensure!(
			VouchersPaid::<T>::iter_keys().all(|(key, _)| Sessions::<T>::contains_key(key)),
			"7: vouchers of a session that does not exist"
		);
		for who in frame_system::Account::<T>::iter_keys() {
			ensure!(
				Self::reserved_of(&who) == reserved.remove(&who).unwrap_or(0),
				"1: what is held is not what is reserved"
			);
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Session.into(), &who) == deposits.remove(&who).unwrap_or(0),
				"2: a session's deposit is not held"
			);
		}
		ensure!(reserved.is_empty(), "1: an account that does not exist reserves");
		ensure!(deposits.is_empty(), "2: an account that does not exist has a session");

		for (who, unlocking) in Unlocks::<T>::iter() {
			ensure!(unlocking.amount > 0, "5: nothing is unlocking");
			ensure!(
				Self::deposit_of(&who) > 0,
				"5: an account without a deposit is unlocking"
			);
		}

		let treasury = Treasury::<T>::get().ok_or("6: there is no treasury")?;
		ensure!(
			T::Currency::total_balance(&treasury) >= T::Currency::minimum_balance(),
			"6: the treasury's account does not exist"
		);
		let mut set_aside = Shares::default();
		for ((relayer, stream, terms), ledger) in Ledgers::<T>::iter() {
			set_aside = set_aside.plus(ledger.credit);
			ensure!(
				ledger.idle.min(ledger.credit) == ledger.idle,
				"6: more is left over than is credited"
			);
			ensure!(
				ends_by(
					End::Ledger(relayer, stream, terms),
					ledger.touched.saturating_add(T::ShareMemory::get())
				),
				"8: a ledger has no end"
			);
		}
		ensure!(
			T::Currency::balance_on_hold(&HoldReason::Shares.into(), &treasury) == set_aside.sum(),
			"6: what is set aside is not what is credited"
		);
		Ok(())
	}
}
