//! What the session pallet asks for: sets, their beginning and end, their blocks, and who owned a key.

use crate::{pallet::Session, *};
use alloc::vec::Vec;
use frame_support::{
	dispatch::DispatchClass,
	storage::{with_transaction_unchecked, TransactionOutcome},
	traits::{Get, KeyOwnerProofSystem},
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_session::{historical, NextKeys};
use sp_runtime::KeyTypeId;
use sp_staking::offence::OffenceSeverity;

impl<T: Config> Pallet<T> {
	/// Most candidates in a set with a floor of so many: fewer than a third of it.
	pub(crate) fn seats(floor: usize) -> usize {
		let left = (T::MaxValidators::get() as usize).saturating_sub(floor);
		left.min(floor.saturating_sub(1) / 2)
	}

	/// The floor, then candidates from the top of the ranking.
	fn next_set() -> Vec<T::AccountId> {
		let floor = Floor::<T>::get();
		let seats = Self::seats(floor.len());
		let ranking = Ranking::<T>::get().into_iter().map(|(who, _)| who);
		floor.into_iter().chain(ranking.take(seats)).collect()
	}

	/// Sends candidates off that have no keys.
	fn dismiss_keyless() {
		for (who, _) in Ranking::<T>::get() {
			if !Self::has_keys(&who) {
				Self::strike(&who);
				Self::send_off(who, Cause::NoKeys);
			}
		}
	}

	/// Sends candidates off that had a seat and made no block.
	fn dismiss_idle() {
		for who in Session::<T>::validators() {
			let is_candidate = || Bonds::<T>::get(&who).is_some_and(|bond| bond.standing == Standing::Candidate);
			if !Authored::<T>::contains_key(&who) && is_candidate() {
				Self::strike(&who);
				Self::send_off(who, Cause::Idle);
			}
		}
		// As many as there are seats, at most.
		let _ = Authored::<T>::clear(u32::MAX, None);
	}

	/// Answers with each validator's keys being those given, whatever was set since.
	pub(crate) fn with_keys<R>(keys: Vec<(T::AccountId, T::Keys)>, answer: impl FnOnce() -> R) -> R {
		with_transaction_unchecked(|| {
			for (validator, keys) in keys {
				NextKeys::<T>::insert(validator, keys);
			}
			TransactionOutcome::Rollback(answer())
		})
	}
}

/// The sets.
impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
	/// Always names a set, even the same: each session's becomes provable.
	fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		Self::dismiss_keyless();
		let set = Self::next_set();
		(!set.is_empty()).then_some(set)
	}

	/// The keys of genesis name the set. Its two sessions can be proven while they last: nobody in them has a bond.
	fn new_session_genesis(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		None
	}

	/// Shuts out again who is to be: a new set begins with everybody.
	fn start_session(begun: SessionIndex) {
		// No more than there are seats in two sets.
		for (who, last) in ShutOut::<T>::iter().collect::<Vec<_>>() {
			if last < begun {
				ShutOut::<T>::remove(who);
			} else {
				Session::<T>::report_offence(who, OffenceSeverity::max_severity());
			}
		}
	}

	fn end_session(ended: SessionIndex) {
		Self::dismiss_idle();
		let kept = T::EvidenceSessions::get();
		historical::Pallet::<T>::prune_up_to(ended.saturating_sub(kept));
		if let Some(forgotten) = ended.checked_sub(kept) {
			// As many as there are seats, of each kind.
			let _ = Punished::<T>::clear_prefix(forgotten, u32::MAX, None);
		}
	}
}

impl<T: Config> historical::SessionManager<T::AccountId, ()> for Pallet<T> {
	fn new_session(planned: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
		let set = <Self as pallet_session::SessionManager<_>>::new_session(planned)?;
		Some(set.into_iter().map(|who| (who, ())).collect())
	}

	fn new_session_genesis(_: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
		None
	}

	fn start_session(begun: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::start_session(begun);
	}

	fn end_session(ended: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::end_session(ended);
	}
}

/// Who makes blocks.
impl<T: Config> pallet_authorship::EventHandler<T::AccountId, BlockNumberFor<T>> for Pallet<T> {
	fn note_author(author: T::AccountId) {
		Authored::<T>::insert(author, ());
		let weight = <T as Config>::WeightInfo::note_author();
		frame_system::Pallet::<T>::register_extra_weight_unchecked(weight, DispatchClass::Mandatory);
	}
}

/// [`historical`]'s proofs, over the keys that are in use.
impl<T: Config, D: AsRef<[u8]>> KeyOwnerProofSystem<(KeyTypeId, D)> for Pallet<T> {
	type Proof = sp_session::MembershipProof;
	type IdentificationTuple = historical::IdentificationTuple<T>;

	fn prove(key: (KeyTypeId, D)) -> Option<Self::Proof> {
		Self::with_keys(T::KeysInUse::get(), || historical::Pallet::<T>::prove(key))
	}

	fn check_proof(key: (KeyTypeId, D), proof: Self::Proof) -> Option<Self::IdentificationTuple> {
		Self::with_keys(T::KeysInUse::get(), || historical::Pallet::<T>::check_proof(key, proof))
	}
}
