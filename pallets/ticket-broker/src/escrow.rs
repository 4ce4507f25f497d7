//! Deposits: in and out. What other pallets may do here: act for accounts whose owners sign elsewhere.

use crate::{
	pallet::{Config, Error, Event, HoldReason, Pallet, Unlocks},
	Relayers,
};
use clustercast_primitives::{chain::Unlocking, Balance, BlockNumber, PublicKey, Signature};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::{
		fungible::{hold::Mutate as _, Inspect},
		tokens::{Fortitude, Precision, Preservation},
		Get,
	},
};

/// Acts on deposits and sessions for accounts whose owners did not sign a call of this chain, by the rules of the
/// calls. Each function does all of what it says or changes nothing.
pub trait Escrow<AccountId> {
	/// Deposits up to `amount` of the account's free balance: what the cap leaves room for, and the existential deposit
	/// stays free. Returns how much it was, micro-USDC.
	fn deposit_for(who: &AccountId, amount: Balance) -> Balance;

	/// Lets `key` sign payments for the account; `proof` is the key's signature over that.
	fn authorize_for(
		who: &AccountId,
		key: PublicKey,
		limit: Balance,
		extra_limit: Balance,
		expiry: BlockNumber,
		proof: &Signature,
	) -> DispatchResult;

	/// Asks for `amount` of the account's deposit, all of it for 0.
	fn unlock_for(who: &AccountId, amount: Balance) -> DispatchResult;

	/// Takes out what was asked for, once the delay is over.
	fn collect_for(who: &AccountId) -> DispatchResult;

	/// Goes on to a block in which all that was asked for can be taken.
	#[cfg(feature = "runtime-benchmarks")]
	fn skip_delay();
}

impl<T: Config> Escrow<T::AccountId> for Pallet<T> {
	fn deposit_for(who: &T::AccountId, amount: Balance) -> Balance {
		let room = T::MaxDeposit::get().saturating_sub(Self::deposit_of(who));
		let free = T::Currency::reducible_balance(who, Preservation::Protect, Fortitude::Force);
		let amount = amount.min(room).min(free);
		let deposited = with_storage_layer(|| Self::do_deposit(who.clone(), amount));
		deposited.map_or(0, |()| amount)
	}

	fn authorize_for(
		who: &T::AccountId,
		key: PublicKey,
		limit: Balance,
		extra_limit: Balance,
		expiry: BlockNumber,
		proof: &Signature,
	) -> DispatchResult {
		with_storage_layer(|| Self::do_authorize_session(who.clone(), key, limit, extra_limit, expiry, proof))
	}

	fn unlock_for(who: &T::AccountId, amount: Balance) -> DispatchResult {
		let amount = match amount {
			0 => Self::deposit_of(who),
			some => some,
		};
		with_storage_layer(|| Self::do_request_unlock(who.clone(), amount))
	}

	fn collect_for(who: &T::AccountId) -> DispatchResult {
		with_storage_layer(|| Self::do_withdraw(who.clone()))
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn skip_delay() {
		let later = Self::now().saturating_add(T::UnlockDelay::get());
		frame_system::Pallet::<T>::set_block_number(later.into());
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_deposit(who: T::AccountId, amount: Balance) -> DispatchResult {
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		let deposit = Self::deposit_of(&who);
		// What a relayer buys with is not a viewer's purse, and its bond answers for it.
		ensure!(
			deposit.saturating_add(amount) <= T::MaxDeposit::get() || T::Relayers::is_bonded(&who),
			Error::<T>::DepositTooLarge
		);
		// What tickets took of the part that is leaving is gone: new money does not take its place.
		if let Some(unlocking) = Self::unlocking(&who) {
			if unlocking.amount == 0 {
				Unlocks::<T>::remove(&who);
			} else {
				Unlocks::<T>::insert(&who, unlocking);
			}
		}
		T::Currency::hold(&HoldReason::TicketDeposit.into(), &who, amount)?;
		Self::deposit_event(Event::Deposited { who, amount });
		Ok(())
	}

	pub(crate) fn do_request_unlock(who: T::AccountId, amount: Balance) -> DispatchResult {
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		ensure!(!Unlocks::<T>::contains_key(&who), Error::<T>::AlreadyUnlocking);
		ensure!(amount <= Self::deposit_of(&who), Error::<T>::DepositTooSmall);
		let unlocks_at = Self::now().saturating_add(T::UnlockDelay::get());
		Unlocks::<T>::insert(&who, Unlocking { amount, unlocks_at });
		Self::deposit_event(Event::UnlockRequested {
			who,
			amount,
			unlocks_at,
		});
		Ok(())
	}

	pub(crate) fn do_cancel_unlock(who: T::AccountId) -> DispatchResult {
		Unlocks::<T>::take(&who).ok_or(Error::<T>::NotUnlocking)?;
		Self::deposit_event(Event::UnlockCancelled { who });
		Ok(())
	}

	pub(crate) fn do_withdraw(who: T::AccountId) -> DispatchResult {
		let Unlocking { amount, unlocks_at } = Self::unlocking(&who).ok_or(Error::<T>::NotUnlocking)?;
		ensure!(Self::now() >= unlocks_at, Error::<T>::TooEarly);
		// What is reserved stays, and stays asked for.
		let taken = amount.min(Self::free_deposit_of(&who));
		let left = amount.saturating_sub(taken);
		ensure!(taken > 0 || left == 0, Error::<T>::AllReserved);
		match left {
			0 => Unlocks::<T>::remove(&who),
			amount => Unlocks::<T>::insert(&who, Unlocking { amount, unlocks_at }),
		}
		if taken > 0 {
			T::Currency::release(&HoldReason::TicketDeposit.into(), &who, taken, Precision::Exact)?;
		}
		Self::deposit_event(Event::Withdrawn { who, amount: taken });
		Ok(())
	}

	/// Where nothing is deposited, nothing is on its way out: the account may go.
	pub(crate) fn forget_unlock_of_nothing(who: &T::AccountId) {
		if Self::deposit_of(who) == 0 {
			Unlocks::<T>::remove(who);
		}
	}
}
