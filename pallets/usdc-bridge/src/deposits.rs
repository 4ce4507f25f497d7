//! Deposits become USDC on the chain, or go back.

use crate::{
	pallet::{Attested, Config, Error, Event, Imported, NextDeposit, Pallet, Stranded, Vault},
	types::StoredWithdrawal,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	bridge::{account_of, Action, Attestation, Credit, Deposit, ProvenDeposit, Stranded as StrandedDeposit},
	Balance,
};
use frame_support::{ensure, pallet_prelude::*, storage::with_storage_layer, traits::fungible::Mutate};
use pallet_ticket_broker::Escrow;
use sp_runtime::transaction_validity::TransactionPriority;

/// Before what people send, behind attestations.
const PRIORITY: TransactionPriority = TransactionPriority::MAX / 4;

/// Blocks for which one waits in a pool.
const LONGEVITY: u64 = 32;

impl<T: Config> Pallet<T> {
	/// Whether these are the next deposits, and there is room even if all of them strand. Returns what is attested.
	fn check_order(deposits: &[ProvenDeposit]) -> Result<Attestation, Error<T>> {
		let attested = Attested::<T>::get().ok_or(Error::NothingAttested)?;
		let next = NextDeposit::<T>::get();
		let first = deposits.first().ok_or(Error::NoDeposits)?;
		ensure!(first.deposit.number >= next, Error::AlreadyImported);
		for (number, proven) in (next..).zip(deposits) {
			ensure!(proven.deposit.number == number, Error::OutOfOrder);
			ensure!(number < attested.count, Error::NotAttested);
			ensure!(proven.deposit.l2 == attested.l2, Error::OtherL2);
		}
		let room = T::MaxStranded::get().saturating_sub(Stranded::<T>::count());
		ensure!(deposits.len() <= room as usize, Error::StrandedFull);
		Ok(attested)
	}

	/// The same, and whether they are attested. What costs least comes first, of all of them.
	fn check_import(deposits: &[ProvenDeposit]) -> Result<(), Error<T>> {
		let attested = Self::check_order(deposits)?;
		for ProvenDeposit { deposit, proof } in deposits {
			ensure!(
				proof.verify(&attested.root, &deposit.leaf(), deposit.number),
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

	/// Whether a block takes it: what the call itself checks but the proofs, which it verifies once.
	pub(crate) fn admit_import(deposits: &[ProvenDeposit]) -> Result<(), TransactionValidityError> {
		Self::check_order(deposits).map(|_| ()).map_err(Error::invalid)
	}

	pub(crate) fn do_import_deposits(deposits: &[ProvenDeposit]) -> DispatchResult {
		Self::check_import(deposits)?;
		for ProvenDeposit { deposit, .. } in deposits {
			match (deposit.kind, deposit.credit()) {
				(Action::KIND, _) => Self::send(deposit),
				(_, Some(credit)) => Self::credit(deposit, &credit),
				(_, None) => Self::strand(deposit),
			}
		}
		NextDeposit::<T>::mutate(|next| *next = next.saturating_add(deposits.len() as u64));
		Ok(())
	}

	/// Mints a deposit for its account. Cannot fail; what could not be done is reported.
	fn credit(deposit: &Deposit, credit: &Credit) {
		let Deposit { l2, number, amount, .. } = *deposit;
		let account = T::AccountId::from(credit.account.0);
		if T::Currency::mint_into(&account, amount).is_err() {
			return Self::strand(deposit);
		}
		Self::count_in(amount);
		let escrowed = T::Escrow::deposit_for(&account, credit.escrow);
		if let Some(key) = credit.session() {
			let outcome = if credit.account == account_of(l2, &deposit.depositor) {
				T::Escrow::authorize_for(
					&account,
					key,
					credit.session_limit,
					0,
					credit.session_expiry,
					&credit.session_proof,
				)
			} else {
				Err(Error::<T>::NotTheDepositors.into())
			};
			if let Err(reason) = outcome {
				Self::deposit_event(Event::SessionRefused { number, key, reason });
			}
		}
		Self::deposit_event(Event::Imported {
			number,
			account,
			amount,
			escrowed,
		});
	}

	/// Mints a deposit for the account of whoever paid it, and does there what it says, whole or not at all. Cannot fail; why it
	/// was not done is reported.
	fn send(deposit: &Deposit) {
		let Deposit {
			l2,
			number,
			amount,
			depositor,
			..
		} = *deposit;
		let account = T::AccountId::from(account_of(l2, &depositor).0);
		if T::Currency::mint_into(&account, amount).is_err() {
			return Self::strand(deposit);
		}
		Self::count_in(amount);
		Self::deposit_event(Event::Imported {
			number,
			account: account.clone(),
			amount,
			escrowed: 0,
		});
		let outcome = deposit
			.action()
			.ok_or_else(|| Error::<T>::UnknownAction.into())
			// Nobody brought it who could be tipped.
			.and_then(|action| with_storage_layer(|| Self::follow(&account, action, |_| Ok(()))));
		Self::deposit_event(match outcome {
			Ok(()) => Event::ActionFollowed { number, account },
			Err(reason) => Event::ActionRefused {
				number,
				account,
				reason,
			},
		});
	}

	/// Notes a deposit that nobody can be credited with. Nothing is minted.
	fn strand(deposit: &Deposit) {
		let stranded = StrandedDeposit::from(deposit);
		Stranded::<T>::insert(stranded.number, stranded);
		Self::deposit_event(Event::Stranded { deposit: stranded });
	}

	fn count_in(amount: Balance) {
		Imported::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
	}

	/// Whether a deposit waits to be sent back, and can be now.
	fn check_refund(number: u64) -> Result<StrandedDeposit, Error<T>> {
		let vault = Vault::<T>::get().ok_or(Error::NoVault)?;
		let stranded = Stranded::<T>::get(number).ok_or(Error::NotStranded)?;
		Self::check_withdrawal(&vault, &stranded.refund_to, stranded.amount)?;
		Ok(stranded)
	}

	/// Whether a block takes it: all that the call itself checks.
	pub(crate) fn admit_refund(number: u64) -> Result<(), TransactionValidityError> {
		Self::check_refund(number).map(|_| ()).map_err(Error::invalid)
	}

	pub(crate) fn validate_refund(number: u64) -> TransactionValidity {
		Self::check_refund(number).map_err(Error::invalid)?;
		// Behind imports.
		ValidTransaction::with_tag_prefix("UsdcBridgeRefund")
			.priority(PRIORITY.saturating_sub(1))
			.and_provides(number)
			.longevity(LONGEVITY)
			.propagate(true)
			.build()
	}

	/// Sends a deposit back whole, as a withdrawal without a fee. However small it is: its sender did not choose this.
	pub(crate) fn do_refund(number: u64) -> DispatchResult {
		let StrandedDeposit { amount, refund_to, .. } = Self::check_refund(number)?;
		Stranded::<T>::remove(number);
		// As if it had been minted and burnt.
		Self::count_in(amount);
		let (to, fee, place) = (refund_to, 0, None);
		let id = Self::append(StoredWithdrawal { to, amount, fee, place });
		Self::deposit_event(Event::Refunded { number, id, to, amount });
		Ok(())
	}

	/// Deposits that wait to be sent back, from number `from` on, in order.
	pub(crate) fn list_stranded(from: u64, limit: usize) -> Vec<StrandedDeposit> {
		let mut found: Vec<_> = Stranded::<T>::iter_values()
			.filter(|deposit| deposit.number >= from)
			.collect();
		found.sort_unstable_by_key(|deposit| deposit.number);
		found.truncate(limit);
		found
	}

	/// Invariant 8.
	#[cfg(any(feature = "try-runtime", test))]
	pub(crate) fn try_stranded() -> Result<(), sp_runtime::TryRuntimeError> {
		let l2 = Self::l2();
		let next = NextDeposit::<T>::get();
		let mut count: u32 = 0;
		for (number, deposit) in Stranded::<T>::iter() {
			ensure!(
				deposit.number == number && number < next && deposit.l2 == l2,
				"8: a deposit is stranded that was not imported"
			);
			count = count.saturating_add(1);
		}
		ensure!(
			count == Stranded::<T>::count() && count <= T::MaxStranded::get(),
			"8: more deposits are stranded than can, or are counted"
		);
		Ok(())
	}
}
