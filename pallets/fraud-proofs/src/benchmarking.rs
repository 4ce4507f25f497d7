//! Benchmarks: evidence with paths as long as it can hold with, and the oldest key that a stream keeps.

use super::*;
use alloc::{boxed::Box, vec};
use clustercast_primitives::{
	amount::{share, USDC},
	crypto::SignedMessage,
	fraud::{ChunkFraud, Equivocation, Leaf},
	merkle::{self, node_hash, Path, Proof, MAX_PATH, MAX_WIDTH},
	receipt::{Kind, PayerOpening},
	window::{flags, MAX_WINDOW_BYTES},
	Delivery, Hash, PublicKey, Receipt, Signature, Signed, StreamId, WindowHeader, WindowId,
};
use frame_benchmarking::v2::*;
use frame_support::{traits::fungible::Mutate, weights::WeightMeter};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use pallet_relayer_registry::{Bonds, Conviction};
use pallet_stream_keys::Streams;
use sp_runtime::{traits::Zero, KeyTypeId, SaturatedConversion};

/// Keys of the benchmark's keystore.
const KEY_TYPE: KeyTypeId = KeyTypeId(*b"frau");

/// Hashes on the way from the first of as many chunks as a header can count: 2^32 - 1.
const CHUNK_PATH: usize = 32;

/// An account with enough for everything here.
fn rich<T: Config>(name: &'static str) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(name, 0, 0);
	T::Currency::set_balance(&who, 1_000 * USDC);
	who
}

fn public<T: Config>(who: T::AccountId) -> clustercast_primitives::AccountId {
	clustercast_primitives::AccountId(who.into())
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

/// So many siblings, and the root above `leaf` when it is the first one.
fn path(leaf: &Hash, length: usize) -> (Path, Hash) {
	let siblings = vec![Hash([0xaa; 32]); length];
	let root = siblings.iter().fold(*leaf, |hash, sibling| node_hash(&hash, sibling));
	(siblings.try_into().expect("no longer than a path can be"), root)
}

fn header(stream: StreamId, root: Hash) -> WindowHeader {
	WindowHeader {
		id: WindowId {
			stream,
			..Default::default()
		},
		number: 0,
		history: merkle::empty_root(),
		flags: flags::INDEPENDENT | flags::LAST_PART,
		start_ms: 1_700_000_000_000,
		duration_ms: 2_000,
		bytes: MAX_WINDOW_BYTES,
		chunks: u32::MAX,
		chunk_log2: 12,
		root,
		catalog: Hash([0; 32]),
		ext: Hash([0; 32]),
	}
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>, T::Streams: Streams<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn report_invalid_chunk() {
		let (relayer, key) = (rich::<T>("relayer"), new_key());
		T::Relayers::create(relayer.clone(), key);
		let (signed, delivered) = (Hash([1; 32]), Hash([2; 32]));
		let (signed_path, root) = path(&signed, CHUNK_PATH);
		let (delivered_path, delivered_root) = path(&delivered, CHUNK_PATH);
		let header = header(StreamId(0), root);
		let delivery = Delivery {
			header: header.hash(),
			first: 0,
			count: header.chunks,
			delivered: delivered_root,
		};
		let (place, root) = path(&delivery.leaf(), MAX_PATH);
		let payer = PayerOpening {
			salt: Hash([3; 32]),
			account: public::<T>(rich::<T>("viewer")),
			session: PublicKey([4; 32]),
		};
		let receipt = Receipt {
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			payer: payer.hash(),
			payee: public::<T>(relayer),
			key,
			stream: StreamId(0),
			root,
			bytes: 1,
			price: 1,
			commitment: Hash([1; 32]),
			block: frame_system::Pallet::<T>::block_number().saturated_into(),
		};
		let evidence = ChunkFraud {
			receipt: sign::<T, _>(&key, receipt),
			payer,
			delivery,
			place: Proof {
				index: 0,
				width: MAX_WIDTH,
				path: place,
			},
			header,
			index: 0,
			delivered: Leaf {
				hash: delivered,
				path: delivered_path,
			},
			signed: Leaf {
				hash: signed,
				path: signed_path,
			},
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("reporter")), Box::new(evidence));
		assert_eq!(Punished::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn report_equivocation() {
		let key = new_key();
		let stream = T::Streams::create_rotated(&rich::<T>("broadcaster"), key);
		let earlier = header(stream, Hash([1; 32]));
		let other = Hash([2; 32]);
		let (path, history) = path(&other, MAX_PATH);
		let later = WindowHeader {
			number: MAX_WIDTH,
			history,
			..header(stream, Hash([3; 32]))
		};
		let evidence = Equivocation::History {
			earlier: sign::<T, _>(&key, earlier),
			later: sign::<T, _>(&key, later),
			leaf: Leaf { hash: other, path },
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("reporter")), key, Box::new(evidence));
		assert!(Taken::<T>::get() > 0);
	}

	#[benchmark]
	fn settle(n: Linear<0, 100>) {
		let relayer = rich::<T>("relayer");
		T::Relayers::create(relayer.clone(), new_key());
		let Conviction { penalty, due } = T::Relayers::convict(&relayer).expect("it is registered");
		let id = Pallet::<T>::open(&relayer, due);
		for index in 0..n {
			let mut receipt = Hash([0; 32]);
			receipt.0[..4].copy_from_slice(&index.to_le_bytes());
			let someone = |name| {
				let who: T::AccountId = account(name, index, 0);
				T::Currency::set_balance(&who, USDC);
				who
			};
			let claim = Claim {
				viewer: someone("viewer"),
				amount: 1_000,
				reporter: someone("reporter"),
				reward: share(penalty, REPORTERS_PPM) / 100,
			};
			Claims::<T>::insert(id, receipt, claim);
			Cases::<T>::mutate(id, |case| {
				if let Some(case) = case {
					case.levels.note(1_000);
				}
			});
		}
		frame_system::Pallet::<T>::set_block_number(due.into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_settle(&mut meter);
		}
		assert_eq!(Cases::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn forget(n: Linear<0, 100>) {
		for index in 0..n {
			let mut offence = Hash([0; 32]);
			offence.0[..4].copy_from_slice(&index.to_le_bytes());
			Punished::<T>::insert(0, offence, ());
		}
		OldestSpan::<T>::put(0);
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::forget_before(1, &mut meter);
		}
		assert_eq!(OldestSpan::<T>::get(), Some(1));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build_with_keystore(), crate::mock::Test);
}
