//! Benchmarks: every call with the longest addresses.

use super::*;
use alloc::vec;
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB, crypto::SignedMessage, notice::RelayerProof, Balance, Hash, PublicKey, Signature,
};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	Get,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_runtime::{traits::One, KeyTypeId};

/// Keys of the benchmark's keystore.
const KEY_TYPE: KeyTypeId = KeyTypeId(*b"rely");

/// As many and as long addresses as there may be.
pub(crate) fn longest<T: Config>() -> Addresses<T> {
	let mut text = vec![b'/'];
	text.resize(T::MaxAddressLength::get() as usize, b'x');
	let address: Address<T> = text.try_into().expect("as long as the bound");
	vec![address; T::MaxAddresses::get() as usize]
		.try_into()
		.expect("as many as the bound")
}

fn new_key() -> PublicKey {
	PublicKey(sp_io::crypto::ed25519_generate(KEY_TYPE, None).0)
}

/// A key's proof for `account`.
fn proof<T: Config>(key: &PublicKey, account: &T::AccountId) -> Signature {
	let genesis = Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into());
	let account = clustercast_primitives::AccountId(account.clone().into());
	let payload = RelayerProof { account }.signing_payload(&genesis);
	let proof = sp_io::crypto::ed25519_sign(KEY_TYPE, &key.0.into(), &payload);
	Signature(proof.expect("the keystore made this key").0)
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	/// An account that can pay two bonds.
	fn rich<T: Config>(name: &'static str) -> T::AccountId
	where
		T::Currency: Mutate<T::AccountId>,
	{
		let who: T::AccountId = account(name, 0, 0);
		let balance: Balance = T::MinBond::get() * 3 + T::Currency::minimum_balance();
		T::Currency::set_balance(&who, balance);
		who
	}

	/// A relayer of this name, with this key.
	fn with_key<T: Config>(name: &'static str, key: PublicKey) -> T::AccountId
	where
		T::Currency: Mutate<T::AccountId>,
	{
		let who = rich::<T>(name);
		let proof = proof::<T>(&key, &who);
		let origin = RawOrigin::Signed(who.clone()).into();
		Pallet::<T>::register(origin, key, proof, longest::<T>(), MAX_PRICE_PER_GB, T::MinBond::get())
			.expect("everything is in order");
		who
	}

	/// A relayer.
	fn registered<T: Config>() -> T::AccountId
	where
		T::Currency: Mutate<T::AccountId>,
	{
		with_key::<T>("relayer", new_key())
	}

	/// Replaces a relayer's signing key as often as it can be.
	fn replace_keys<T: Config>(who: &T::AccountId) -> Result<(), BenchmarkError> {
		for _ in 0..T::MaxPreviousKeys::get() {
			let key = new_key();
			let origin = RawOrigin::Signed(who.clone()).into();
			Pallet::<T>::set_signing_key(origin, who.clone(), key, proof::<T>(&key, who))?;
		}
		Ok(())
	}

	/// A key that another relayer had long ago, as all that it still keeps: whoever names it next unties them.
	fn untied<T: Config>() -> Result<PublicKey, BenchmarkError>
	where
		T::Currency: Mutate<T::AccountId>,
	{
		let key = new_key();
		replace_keys::<T>(&with_key::<T>("other", key))?;
		let over = frame_system::Pallet::<T>::block_number() + T::KeyMemory::get().into() + One::one();
		frame_system::Pallet::<T>::set_block_number(over);
		Ok(key)
	}

	#[benchmark]
	fn register() -> Result<(), BenchmarkError> {
		let who = rich::<T>("relayer");
		let key = untied::<T>()?;
		let proof = proof::<T>(&key, &who);
		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			key,
			proof,
			longest::<T>(),
			MAX_PRICE_PER_GB,
			T::MinBond::get(),
		);
		assert!(Relayers::<T>::contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn update() {
		let who = registered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone(), longest::<T>(), 1);
		assert_eq!(Relayers::<T>::get(&who).map(|r| r.price_per_gb), Some(1));
	}

	#[benchmark]
	fn bond_extra() {
		let who = registered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone(), T::MinBond::get());
		assert_eq!(Relayers::<T>::get(&who).map(|r| r.bond), Some(T::MinBond::get() * 2));
	}

	#[benchmark]
	fn unbond() {
		let who = registered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone());
		assert!(Relayers::<T>::get(&who).is_some_and(|r| r.unbonds_at.is_some()));
	}

	#[benchmark]
	fn cancel_unbond() -> Result<(), BenchmarkError> {
		let who = registered::<T>();
		Pallet::<T>::unbond(RawOrigin::Signed(who.clone()).into(), who.clone())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone());
		assert!(Relayers::<T>::get(&who).is_some_and(|r| r.unbonds_at.is_none()));
		Ok(())
	}

	#[benchmark]
	fn withdraw_bond() -> Result<(), BenchmarkError> {
		let who = registered::<T>();
		replace_keys::<T>(&who)?;
		Pallet::<T>::unbond(RawOrigin::Signed(who.clone()).into(), who.clone())?;
		let over = frame_system::Pallet::<T>::block_number() + T::UnbondDelay::get().into() + One::one();
		frame_system::Pallet::<T>::set_block_number(over);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone());
		assert!(!Relayers::<T>::contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn set_payout() {
		let who = registered::<T>();
		let payout: T::AccountId = account("payout", 0, 0);
		T::Currency::set_balance(&payout, T::MinBond::get());
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone(), payout.clone());
		assert_eq!(Pallet::<T>::payout(&who), payout);
	}

	#[benchmark]
	fn set_operator() {
		let who = registered::<T>();
		let operator: T::AccountId = account("operator", 0, 0);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone(), operator.clone());
		assert!(Pallet::<T>::may_redeem(&operator, &who));
	}

	#[benchmark]
	fn set_signing_key() -> Result<(), BenchmarkError> {
		let who = registered::<T>();
		replace_keys::<T>(&who)?;
		let key = untied::<T>()?;
		let proof = proof::<T>(&key, &who);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), who.clone(), key, proof);
		assert_eq!(Relayers::<T>::get(&who).map(|r| r.previous_keys.len()), Some(1));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build_with_keystore(), crate::mock::Test);
}
