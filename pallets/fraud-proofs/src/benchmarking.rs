//! Benchmarks: the largest window, its last chunk, and the oldest key that a stream keeps.

use super::*;
use alloc::{boxed::Box, vec::Vec};
use clustercast_primitives::{
	amount::USDC,
	crypto::SignedMessage,
	fraud::{ChunkFraud, Equivocation},
	merkle,
	window::{flags, MAX_WINDOW_BYTES},
	Hash, PublicKey, Receipt, Signature, Signed, StreamId, WindowHeader, WindowId,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{fungible::Mutate, UnixTime},
	weights::WeightMeter,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use pallet_relayer_registry::Bonds;
use pallet_stream_keys::Streams;
use pallet_ticket_broker::SessionOwners;
use sp_runtime::{traits::Zero, KeyTypeId, SaturatedConversion};

/// Keys of the benchmark's keystore.
const KEY_TYPE: KeyTypeId = KeyTypeId(*b"frau");

/// An account with enough for everything here.
fn rich<T: Config>(name: &'static str) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(name, 0, 0);
	T::Currency::set_balance(&who, 1_000 * USDC);
	who
}

fn new_key() -> PublicKey {
	PublicKey(sp_io::crypto::ed25519_generate(KEY_TYPE, None).0)
}

fn sign<T: Config, M: SignedMessage>(key: &PublicKey, message: M) -> Signed<M> {
	let genesis = Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).into());
	let payload = message.signing_payload(&genesis);
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key.0.into(), &payload).expect("the keystore made this key");
	Signed {
		message,
		signature: Signature(signature.0),
	}
}

fn header<T: Config>(stream: StreamId, root: Hash) -> WindowHeader {
	WindowHeader {
		id: WindowId {
			stream,
			..Default::default()
		},
		flags: flags::INDEPENDENT | flags::LAST_PART,
		start_ms: T::Time::now().as_millis().saturated_into(),
		duration_ms: 2_000,
		bytes: MAX_WINDOW_BYTES,
		chunks: merkle::chunk_count(MAX_WINDOW_BYTES) as u16,
		root,
		init: Hash([0; 32]),
		previous: Hash([0; 32]),
	}
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>, T::Streams: Streams<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn report_invalid_chunk() {
		let (stream_key, relayer_key) = (new_key(), new_key());
		T::Relayers::create(rich::<T>("relayer"), relayer_key);
		let stream = T::Streams::create_rotated(&rich::<T>("broadcaster"), stream_key);
		let signed: Vec<_> = (0..merkle::chunk_count(MAX_WINDOW_BYTES))
			.map(|n| merkle::leaf_hash(&n.to_le_bytes()))
			.collect();
		let mut delivered = signed.clone();
		if let Some(last) = delivered.last_mut() {
			last.0[0] ^= 1;
		}
		let header = header::<T>(stream, merkle::root(&signed));
		let receipt = Receipt {
			session: T::Sessions::create(rich::<T>("viewer")),
			window: header.id,
			root: header.root,
			delivered: merkle::root(&delivered),
			bytes: header.bytes,
			price_per_gb: 1_000,
			commitment: Hash([1; 32]),
		};
		let evidence = ChunkFraud::find(
			sign::<T, _>(&stream_key, header),
			sign::<T, _>(&relayer_key, receipt),
			&signed,
			&delivered,
		)
		.expect("the last leaf differs");
		#[extrinsic_call]
		_(
			RawOrigin::Signed(rich::<T>("reporter")),
			relayer_key,
			Box::new(evidence),
		);
		assert_eq!(Punished::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn report_equivocation() {
		let stream_key = new_key();
		let stream = T::Streams::create_rotated(&rich::<T>("broadcaster"), stream_key);
		let evidence = Equivocation {
			first: sign::<T, _>(&stream_key, header::<T>(stream, Hash([1; 32]))),
			second: sign::<T, _>(&stream_key, header::<T>(stream, Hash([2; 32]))),
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("reporter")), Box::new(evidence));
		assert!(Taken::<T>::get() > 0);
	}

	#[benchmark]
	fn forget(n: Linear<0, 100>) {
		for index in 0..n {
			let mut offence = Hash([0; 32]);
			offence.0[..4].copy_from_slice(&index.to_le_bytes());
			Punished::<T>::insert(0, offence, ());
		}
		OldestDay::<T>::put(0);
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::forget_before(1, &mut meter);
		}
		assert_eq!(OldestDay::<T>::get(), Some(1));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build_with_keystore(), crate::mock::Test);
}
