//! People with only an Ethereum wallet act on the account that belongs to it: by a message that somebody brings here, or
//! with a deposit.

use crate::{
	pallet::{Config, Error, Event, OldestEpoch, Pallet, UsedActions, Vault},
	weights::WeightInfo,
};
use clustercast_primitives::{
	bridge::{account_of, Action, EthereumAction},
	crypto::keccak256,
	Balance, EthereumAddress, EthereumSignature, Hash,
};
use clustercast_upkeep::work_off;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{
		fungible::{Inspect, Mutate},
		tokens::{Fortitude, Preservation},
	},
	weights::WeightMeter,
};
use pallet_ticket_broker::Escrow;

/// Most used actions cleared in one block.
const MAX_CLEARED_PER_BLOCK: u32 = 1_000;

/// Address whose key signed this; `None` where no key can have.
fn signer(digest: &Hash, signature: &EthereumSignature) -> Option<EthereumAddress> {
	let key = sp_io::crypto::secp256k1_ecdsa_recover(&signature.0, &digest.0).ok()?;
	let mut address = [0; 20];
	address.copy_from_slice(&keccak256(&[&key]).0[12..]);
	Some(EthereumAddress(address))
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_act(
		submitter: T::AccountId,
		action: &EthereumAction,
		signature: &EthereumSignature,
	) -> DispatchResult {
		let vault = Vault::<T>::get().ok_or(Error::<T>::NoVault)?;
		let (now, deadline, tip) = (Self::now(), action.deadline(), action.tip());
		ensure!(deadline >= now, Error::<T>::Expired);
		ensure!(deadline - now <= T::MaxActionLife::get(), Error::<T>::DeadlineTooFar);
		let digest = action.digest(&vault.l2);
		let epoch = Self::epoch_of(deadline);
		// Any signature belongs to some address: of one that signed something else, there is no account.
		let address = signer(&digest, signature).ok_or(Error::<T>::BadSignature)?;
		// Two wallets may sign the same message: each of them is taken once.
		let message = keccak256(&[&address.0, &digest.0]);
		ensure!(!UsedActions::<T>::contains_key(epoch, message), Error::<T>::AlreadyUsed);
		let account = T::AccountId::from(account_of(vault.l2.chain_id, &address).0);
		ensure!(
			frame_system::Pallet::<T>::account_exists(&account),
			Error::<T>::UnknownAccount
		);

		UsedActions::<T>::insert(epoch, message, ());
		Self::follow(&account, action.into(), |preservation| match tip {
			0 => Ok(()),
			_ => T::Currency::transfer(&account, &submitter, tip, preservation).map(drop),
		})?;
		Self::deposit_event(Event::Acted {
			address,
			account,
			submitter,
			tip,
			digest,
		});
		Ok(())
	}

	/// Does for an account what its wallet asked for; of what can be spent, `pay_tip` takes the tip. Where it fails it may have
	/// done a part.
	pub(crate) fn follow(
		account: &T::AccountId,
		action: Action,
		pay_tip: impl FnOnce(Preservation) -> DispatchResult,
	) -> DispatchResult {
		match action {
			Action::Withdraw { to, amount, fee } => {
				pay_tip(Preservation::Expendable)?;
				let amount = match amount {
					0 => Self::all_of(account).min(T::MaxWithdrawal::get()),
					some => some,
				};
				Self::do_withdraw(account.clone(), to, amount, fee)
			},
			Action::Unlock { amount } => {
				pay_tip(Preservation::Preserve)?;
				T::Escrow::unlock_for(account, amount)
			},
			// What is taken out may be all that there is to pay the tip from.
			Action::Collect => {
				T::Escrow::collect_for(account)?;
				pay_tip(Preservation::Preserve)
			},
			Action::Authorize {
				key,
				limit,
				expiry,
				proof,
			} => {
				pay_tip(Preservation::Preserve)?;
				T::Escrow::authorize_for(account, key, limit, 0, expiry, &proof)
			},
		}
	}

	/// What an account can spend if it need not go on, micro-USDC.
	fn all_of(account: &T::AccountId) -> Balance {
		T::Currency::reducible_balance(account, Preservation::Expendable, Fortitude::Polite)
	}

	pub(crate) fn epoch_of(deadline: u32) -> u32 {
		deadline.checked_div(T::MaxActionLife::get()).unwrap_or_default()
	}

	/// Clears used actions of epochs that are over, oldest first, as far as `meter` allows: from then on each of them is
	/// refused for its deadline.
	pub(crate) fn do_clear_actions(meter: &mut WeightMeter) {
		work_off(
			meter,
			MAX_CLEARED_PER_BLOCK,
			T::WeightInfo::clear_actions,
			|| Some(OldestEpoch::<T>::get()).filter(|epoch| *epoch < Self::epoch_of(Self::now())),
			|epoch, limit| {
				let cleared = UsedActions::<T>::iter_key_prefix(epoch).take(limit as usize);
				cleared.map(|digest| UsedActions::<T>::remove(epoch, digest)).count() as u32
			},
			|epoch| OldestEpoch::<T>::put(epoch.saturating_add(1)),
		);
	}
}
