//! Benchmarks: a full ranking, a full set, and keys as this chain has them.

use super::*;
use alloc::vec::Vec;
use clustercast_primitives::Balance;
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, Get, KeyOwnerProofSystem};
use frame_system::RawOrigin;
use pallet_session::{historical, Pallet as Session};
use sp_runtime::traits::OpaqueKeys;

/// An account that can pay several bonds.
fn rich<T: Config>(index: u32) -> T::AccountId
where
	<T as Config>::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account("validator", index, 0);
	<T as Config>::Currency::set_balance(&who, T::MinBond::get() * 8);
	who
}

/// The same with session keys, and these.
fn with_keys<T: Config>(index: u32) -> (T::AccountId, T::Keys)
where
	<T as Config>::Currency: Mutate<T::AccountId>,
{
	let who = rich::<T>(index);
	let (keys, proof) = T::BenchmarkHelper::keys(&who);
	let origin = RawOrigin::Signed(who.clone()).into();
	Session::<T>::set_keys(origin, keys.clone(), proof).expect("the keys are new, and who's");
	(who, keys)
}

/// A candidate.
fn candidate<T: Config>(index: u32, bond: Balance) -> T::AccountId
where
	<T as Config>::Currency: Mutate<T::AccountId>,
{
	let (who, _) = with_keys::<T>(index);
	Pallet::<T>::register(RawOrigin::Signed(who.clone()).into(), bond).expect("everything is in order");
	who
}

/// So many other candidates.
fn rank_others<T: Config>(count: u32, bond: Balance)
where
	<T as Config>::Currency: Mutate<T::AccountId>,
{
	(1..=count).for_each(|index| {
		candidate::<T>(index, bond);
	});
}

#[benchmarks(where <T as Config>::Currency: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register() {
		rank_others::<T>(T::MaxCandidates::get(), T::MinBond::get());
		let (who, _) = with_keys::<T>(0);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), T::MinBond::get() * 2);
		assert_eq!(Ranking::<T>::get().first().map(|(first, _)| first.clone()), Some(who));
	}

	#[benchmark]
	fn bond_more() {
		rank_others::<T>(T::MaxCandidates::get() - 1, T::MinBond::get() * 2);
		let who = candidate::<T>(0, T::MinBond::get());
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), T::MinBond::get() * 2);
		assert_eq!(Ranking::<T>::get().first().map(|(first, _)| first.clone()), Some(who));
	}

	#[benchmark]
	fn leave() {
		rank_others::<T>(T::MaxCandidates::get() - 1, T::MinBond::get());
		let who = candidate::<T>(0, T::MinBond::get() * 2);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));
		assert!(!Ranking::<T>::get().iter().any(|(other, _)| *other == who));
	}

	#[benchmark]
	fn rejoin() -> Result<(), BenchmarkError> {
		let who = candidate::<T>(0, T::MinBond::get() * 2);
		Pallet::<T>::leave(RawOrigin::Signed(who.clone()).into())?;
		rank_others::<T>(T::MaxCandidates::get(), T::MinBond::get());
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));
		assert_eq!(Ranking::<T>::get().first().map(|(first, _)| first.clone()), Some(who));
		Ok(())
	}

	#[benchmark]
	fn withdraw() -> Result<(), BenchmarkError> {
		let who = candidate::<T>(0, T::MinBond::get());
		Pallet::<T>::leave(RawOrigin::Signed(who.clone()).into())?;
		pallet_session::CurrentIndex::<T>::mutate(|session| *session += T::EvidenceSessions::get() + 2);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));
		assert!(!Bonds::<T>::contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn note_author() {
		let who = rich::<T>(0);
		#[block]
		{
			<Pallet<T> as pallet_authorship::EventHandler<_, _>>::note_author(who.clone());
		}
		assert!(Authored::<T>::contains_key(&who));
	}

	#[benchmark]
	fn slash_for() -> Result<(), BenchmarkError> {
		rank_others::<T>(T::MaxCandidates::get() - 1, T::MinBond::get());
		let who = candidate::<T>(0, T::MinBond::get());
		let mut set: Vec<_> = (1..T::MaxValidators::get()).map(rich::<T>).collect();
		set.push(who.clone());
		pallet_session::Validators::<T>::put(set);
		let reporter = rich::<T>(u32::MAX);
		let session = Session::<T>::current_index();
		#[block]
		{
			Pallet::<T>::slash_for(ATTESTATION, &who, session, Some(reporter))?;
		}
		assert!(Pallet::<T>::is_punished(ATTESTATION, &who, session));
		Ok(())
	}

	#[benchmark]
	fn check_key_owner() -> Result<(), BenchmarkError> {
		let keys: Vec<_> = (0..T::MaxValidators::get()).map(with_keys::<T>).collect();
		let set: Vec<_> = keys.iter().map(|(who, _)| who.clone()).collect();
		pallet_session::Validators::<T>::put(&set);
		let (owner, last) = keys
			.last()
			.cloned()
			.ok_or(BenchmarkError::Stop("a set has validators"))?;
		let kind = T::Keys::key_ids()[0];
		let key = (kind, last.get_raw(kind).to_vec());
		let proof = historical::Pallet::<T>::prove(key.clone()).ok_or(BenchmarkError::Stop("the key is in the set"))?;
		let found;
		#[block]
		{
			found = Pallet::<T>::with_keys(keys, || historical::Pallet::<T>::check_proof(key, proof));
		}
		assert_eq!(found.map(|(who, _)| who), Some(owner));
		Ok(())
	}

	#[benchmark]
	fn set_keys() -> Result<(), BenchmarkError> {
		let who = rich::<T>(0);
		let (keys, proof) = T::BenchmarkHelper::keys(&who);
		#[block]
		{
			Session::<T>::set_keys(RawOrigin::Signed(who.clone()).into(), keys, proof)?;
		}
		assert!(Pallet::<T>::has_keys(&who));
		Ok(())
	}

	#[benchmark]
	fn purge_keys() -> Result<(), BenchmarkError> {
		let (who, _) = with_keys::<T>(0);
		#[block]
		{
			Session::<T>::purge_keys(RawOrigin::Signed(who.clone()).into())?;
		}
		assert!(!Pallet::<T>::has_keys(&who));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build(), crate::mock::Test);
}
