//! Deposits become USDC on the chain.

use crate::pallet::{Attested, Config, Error, Event, Imported, NextDeposit, Pallet, Stranded};
use clustercast_primitives::bridge::{account_of, Deposit, ProvenDeposit};
use frame_support::{ensure, pallet_prelude::*, traits::fungible::Mutate};
use pallet_ticket_broker::Escrow;
use sp_runtime::transaction_validity::TransactionPriority;

/// Before what people send, behind attestations.
const PRIORITY: TransactionPriority = TransactionPriority::MAX / 4;

/// Blocks for which one waits in a pool.
const LONGEVITY: u64 = 32;

impl<T: Config> Pallet<T> {
	/// Whether these are the next deposits, and attested. What costs least is checked first, of all of them.
	fn check_import(deposits: &[ProvenDeposit]) -> Result<(), Error<T>> {
		let attested = Attested::<T>::get().ok_or(Error::NothingAttested)?;
		let next = NextDeposit::<T>::get();
		let first = deposits.first().ok_or(Error::NoDeposits)?;
		ensure!(first.deposit.index >= next, Error::AlreadyImported);
		for (index, proven) in (next..).zip(deposits) {
			ensure!(proven.deposit.index == index, Error::OutOfOrder);
			ensure!(index < attested.count, Error::NotAttested);
		}
		for ProvenDeposit { deposit, proof } in deposits {
			ensure!(
				proof.verify(&attested.root, &deposit.leaf(), deposit.index),
				Error::BadProof
			);
		}
		Ok(())
	}

	pub(crate) fn validate_import(deposits: &[ProvenDeposit]) -> TransactionValidity {
		Self::check_import(deposits).map_err(Error::invalid)?;
		// One in the pool at a time: that with the most deposits.
		ValidTransaction::with_tag_prefix("UsdcBridgeImport")
			.priority(PRIORITY.saturating_add(deposits.len() as u64))
			.and_provides(NextDeposit::<T>::get())
			.longevity(LONGEVITY)
			.propagate(true)
			.build()
	}

	pub(crate) fn do_import_deposits(deposits: &[ProvenDeposit]) -> DispatchResult {
		Self::check_import(deposits)?;
		for proven in deposits {
			Self::credit(&proven.deposit);
		}
		NextDeposit::<T>::mutate(|next| *next = next.saturating_add(deposits.len() as u64));
		Ok(())
	}

	/// Mints a deposit for its account. Cannot fail; what could not be done is reported.
	fn credit(deposit: &Deposit) {
		let Deposit { index, amount, .. } = *deposit;
		let account = T::AccountId::from(deposit.account.0);
		if T::Currency::mint_into(&account, amount).is_err() {
			Stranded::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
			return Self::deposit_event(Event::Stranded { index, amount });
		}
		Imported::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
		let escrowed = T::Escrow::deposit_for(&account, deposit.escrow.min(amount));
		if let Some(key) = deposit.session() {
			let outcome = if deposit.account == account_of(&deposit.depositor) {
				T::Escrow::authorize_for(&account, key, deposit.session_limit, 0, deposit.session_expiry)
			} else {
				Err(Error::<T>::NotTheDepositors.into())
			};
			if let Err(reason) = outcome {
				Self::deposit_event(Event::SessionRefused { index, key, reason });
			}
		}
		Self::deposit_event(Event::Imported {
			index,
			account,
			amount,
			escrowed,
		});
	}
}
