//! Benchmarks: every call with the longest texts.

use super::*;
use alloc::vec;
use clustercast_primitives::{amount::MAX_PRICE_PER_MB, Balance, PublicKey};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	Get,
};
use frame_system::RawOrigin;

/// The longest metadata with the largest figures.
fn largest<T: Config>() -> Metadata<T> {
	let text = |length: u32| vec![b'x'; length as usize];
	Metadata {
		title: text(T::MaxTitle::get()).try_into().expect("as long as the bound"),
		category: text(T::MaxCategory::get()).try_into().expect("as long as the bound"),
		max_viewers: u32::MAX,
		price_per_mb: MAX_PRICE_PER_MB,
		broadcaster_share_ppm: T::MaxBroadcasterShare::get(),
	}
}

/// Mints a key with the largest metadata for `owner`, who must hold the deposit and an account's minimum.
pub(crate) fn mint_largest<T: Config>(owner: &T::AccountId) -> StreamId {
	Pallet::<T>::do_mint(owner.clone(), PublicKey([7; 32]), largest::<T>()).expect("owner can pay the deposit")
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	/// An account that can pay for a key.
	fn rich<T: Config>() -> T::AccountId
	where
		T::Currency: Mutate<T::AccountId>,
	{
		let who: T::AccountId = account("owner", 0, 0);
		let balance: Balance = T::MintDeposit::get() * 2 + T::Currency::minimum_balance();
		T::Currency::set_balance(&who, balance);
		who
	}

	#[benchmark]
	fn mint() {
		let owner = rich::<T>();
		let data = largest::<T>();
		#[extrinsic_call]
		_(
			RawOrigin::Signed(owner),
			PublicKey([7; 32]),
			data.title,
			data.category,
			data.max_viewers,
			data.price_per_mb,
			data.broadcaster_share_ppm,
		);
		assert_eq!(NextStream::<T>::get(), StreamId(1));
	}

	#[benchmark]
	fn update() {
		let owner = rich::<T>();
		let id = mint_largest::<T>(&owner);
		let data = largest::<T>();
		#[extrinsic_call]
		_(
			RawOrigin::Signed(owner),
			id,
			data.title,
			data.category,
			0,
			data.price_per_mb,
			data.broadcaster_share_ppm,
		);
		assert_eq!(StreamKeys::<T>::get(id).map(|k| k.metadata.max_viewers), Some(0));
	}

	#[benchmark]
	fn set_signing_key() {
		let owner = rich::<T>();
		let id = mint_largest::<T>(&owner);
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, PublicKey([8; 32]));
		assert_eq!(
			StreamKeys::<T>::get(id).map(|k| k.signing_key),
			Some(PublicKey([8; 32]))
		);
	}

	#[benchmark]
	fn burn() {
		let owner = rich::<T>();
		let id = mint_largest::<T>(&owner);
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id);
		assert!(!StreamKeys::<T>::contains_key(id));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build(), crate::mock::Test);
}
