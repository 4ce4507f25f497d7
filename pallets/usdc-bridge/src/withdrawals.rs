//! USDC leaves: it is burnt, waits for its turn, and enters a block's root.

use crate::{
	pallet::{BlockRoot, Config, Error, Event, Line, Pallet, Released, Vault, Withdrawals, Withdrawn},
	types::{Outflow, StoredWithdrawal, VaultInfo},
	weights::WeightInfo,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	bridge::{withdrawal, WithdrawalPlace},
	Balance, EthereumAddress,
};
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{
		fungible::Mutate,
		tokens::{Fortitude, Precision, Preservation},
	},
	weights::WeightMeter,
};
use sp_runtime::SaturatedConversion;

/// Most withdrawals forgotten in one block.
const MAX_FORGOTTEN_PER_BLOCK: u32 = 1_000;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_withdraw(
		from: T::AccountId,
		to: EthereumAddress,
		amount: Balance,
		fee: Balance,
	) -> DispatchResult {
		let vault = Vault::<T>::get().ok_or(Error::<T>::NoVault)?;
		ensure!(amount >= T::MinWithdrawal::get(), Error::<T>::AmountTooSmall);
		ensure!(fee <= amount, Error::<T>::FeeTooLarge);
		Self::check_withdrawal(&vault, &to, amount)?;

		T::Currency::burn_from(
			&from,
			amount,
			Preservation::Expendable,
			Precision::Exact,
			Fortitude::Polite,
		)?;
		let place = None;
		let id = Self::append(StoredWithdrawal { to, amount, fee, place });
		Self::deposit_event(Event::WithdrawalRequested {
			id,
			from,
			to,
			amount,
			fee,
		});
		Ok(())
	}

	/// What holds for every withdrawal: it can be released and paid, and there is room in line.
	pub(crate) fn check_withdrawal(vault: &VaultInfo, to: &EthereumAddress, amount: Balance) -> Result<(), Error<T>> {
		ensure!(amount <= T::MaxWithdrawal::get(), Error::AmountTooLarge);
		ensure!(to.0 != [0; 20] && *to != vault.l2.vault, Error::BadRecipient);
		ensure!(Line::<T>::get().queued() < T::MaxQueue::get().into(), Error::QueueFull);
		Ok(())
	}

	/// Counts a withdrawal that was checked as gone and puts it in line. Its number.
	pub(crate) fn append(withdrawal: StoredWithdrawal) -> u64 {
		Withdrawn::<T>::mutate(|sum| *sum = sum.saturating_add(withdrawal.amount));
		let mut line = Line::<T>::get();
		let id = line.next;
		line.next = line.next.saturating_add(1);
		Line::<T>::put(line);
		Withdrawals::<T>::insert(id, withdrawal);
		id
	}

	/// What can still be released in this block's period, micro-USDC.
	pub(crate) fn outflow_left() -> Balance {
		T::OutflowLimit::get().saturating_sub(Self::outflow().released)
	}

	/// What was released in this block's period.
	fn outflow() -> Outflow {
		let period = Self::now().checked_div(T::OutflowPeriod::get()).unwrap_or_default();
		let newest = Released::<T>::get();
		if newest.period == period {
			newest
		} else {
			Outflow { period, released: 0 }
		}
	}

	/// Moves withdrawals from the queue into this block's root, in order, as many as the bounds allow. Returns how many.
	pub(crate) fn do_release() -> u32 {
		BlockRoot::<T>::kill();
		let mut line = Line::<T>::get();
		if line.queued() == 0 {
			return 0;
		}
		let l2 = Self::l2();
		let mut outflow = Self::outflow();
		let first = line.waiting;
		let last = line.next.min(first.saturating_add(T::ReleasesPerBlock::get().into()));
		let mut released = Vec::new();
		for id in first..last {
			let Some(stored) = Withdrawals::<T>::get(id) else { break };
			let sum = outflow.released.saturating_add(stored.amount);
			if sum > T::OutflowLimit::get() {
				break;
			}
			outflow.released = sum;
			released.push((id, stored));
		}
		let width = released.len() as u32;
		if width == 0 {
			return 0;
		}
		let leaves: Vec<_> = released
			.iter()
			.map(|(id, stored)| stored.withdrawal(l2, *id).leaf())
			.collect();
		let block = Self::now();
		for (index, (id, stored)) in (0..).zip(released) {
			let place = Some(WithdrawalPlace { block, index, width });
			Withdrawals::<T>::insert(id, StoredWithdrawal { place, ..stored });
		}
		line.waiting = first.saturating_add(width.into());
		Line::<T>::put(line);
		Released::<T>::put(outflow);
		let root = withdrawal::root(&leaves);
		BlockRoot::<T>::put(root);
		Self::deposit_event(Event::Released {
			first,
			count: width,
			root,
		});
		width
	}

	/// Forgets released withdrawals whose time is over, oldest first, as far as `meter` allows.
	pub(crate) fn do_forget_withdrawals(meter: &mut WeightMeter) {
		let base = T::WeightInfo::forget_withdrawals(0);
		let each = T::WeightInfo::forget_withdrawals(1).saturating_sub(base);
		if meter.try_consume(base).is_err() {
			return;
		}
		let mut line = Line::<T>::get();
		let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
		let limit = affordable.min(MAX_FORGOTTEN_PER_BLOCK.into());
		let is_over = |id: &u64| {
			let place = Withdrawals::<T>::get(id).and_then(|stored| stored.place);
			place.is_some_and(|place| place.block.saturating_add(T::Memory::get()) < Self::now())
		};
		let over = (line.oldest..line.waiting)
			.take_while(is_over)
			.take(limit.saturated_into());
		let forgotten = over.map(Withdrawals::<T>::remove).count() as u64;
		if forgotten > 0 {
			meter.consume(each.saturating_mul(forgotten));
			line.oldest = line.oldest.saturating_add(forgotten);
			Line::<T>::put(line);
		}
	}

	/// Invariants 2 and 3.
	#[cfg(any(feature = "try-runtime", test))]
	pub(crate) fn try_withdrawals() -> Result<(), sp_runtime::TryRuntimeError> {
		let line = Line::<T>::get();
		ensure!(
			line.oldest <= line.waiting && line.waiting <= line.next,
			"2: numbers of withdrawals are out of order"
		);
		ensure!(
			Withdrawals::<T>::iter_keys().count() as u64 == line.next - line.oldest,
			"2: a withdrawal is stored that is not in line"
		);
		ensure!(
			line.queued() <= T::MaxQueue::get().into(),
			"2: more withdrawals wait than can"
		);
		let l2 = Self::l2();
		let mut leaves = Vec::new();
		let mut before: Option<WithdrawalPlace> = None;
		for id in line.oldest..line.next {
			let stored = Withdrawals::<T>::get(id).ok_or("2: a withdrawal in line is missing")?;
			ensure!(
				stored.place.is_some() == (id < line.waiting),
				"2: a withdrawal has a place while it waits, or none after"
			);
			let Some(place) = stored.place else { continue };
			let follows = match before {
				Some(before) if before.block == place.block => {
					place.index == before.index + 1 && place.width == before.width
				},
				Some(before) => before.index + 1 == before.width && place.index == 0 && place.block > before.block,
				// Of the oldest block that is kept, the first may be forgotten.
				None => true,
			};
			ensure!(
				follows && place.index < place.width && place.width <= T::ReleasesPerBlock::get(),
				"3: places of a block are not numbered from 0 without gaps"
			);
			if place.block == Self::now() {
				leaves.push(stored.withdrawal(l2, id).leaf());
			}
			before = Some(place);
		}
		let root = (!leaves.is_empty()).then(|| withdrawal::root(&leaves));
		ensure!(
			BlockRoot::<T>::get() == root,
			"3: the block's root is not the one over its leaves"
		);
		Ok(())
	}
}
