//! Benchmarks. The worst batch: every ticket of another viewer and session, for another relayer and stream, with full
//! bitmaps, and nothing cached from one to the next.

use super::*;
use alloc::vec::Vec;
use clustercast_primitives::{
	amount::TICKET_BYTES,
	chain::{TicketRefusal, TicketVerdict},
	crypto::SignedMessage,
	receipt::Kind,
	ticket::{self, EXPIRY_GRID},
	Balance, Hash, PublicKey, Signature, Signed, SignedVoucher, StreamId, Ticket, Tip, Voucher, WinningTicket,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{Inspect, Mutate},
		Get,
	},
	weights::WeightMeter,
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use pallet_stream_keys::Streams;
use sp_runtime::{traits::Zero, KeyTypeId};

/// Keys of the benchmark's keystore.
const KEY_TYPE: KeyTypeId = KeyTypeId(*b"tick");

/// The relayer's secret of every ticket.
const RAND: Hash = Hash([6; 32]);

/// An account with two full deposits.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(name, index, 0);
	T::Currency::set_balance(&who, T::MaxDeposit::get() * 2 + T::Currency::minimum_balance());
	who
}

/// A relayer whose deliveries are noted.
fn relayer<T: Config>(index: u32) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who = rich::<T>("relayer", index);
	T::Deliveries::prepare(&who);
	who
}

/// A viewer with a full deposit.
fn viewer<T: Config>(index: u32) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who = rich::<T>("viewer", index);
	Pallet::<T>::deposit(RawOrigin::Signed(who.clone()).into(), T::MaxDeposit::get()).expect("has the money");
	who
}

/// The last session of an account that has as many as it may have; it never expires.
fn session<T: Config>(owner: &T::AccountId, key: PublicKey, expiry: u32) {
	let authorize = |key| {
		let owner = RawOrigin::Signed(owner.clone()).into();
		Pallet::<T>::authorize_session(owner, key, Balance::MAX, Balance::MAX, expiry).expect("the key is new");
	};
	for n in 1..T::MaxSessions::get() {
		let mut other = key;
		other.0[31] ^= 0xff;
		other.0[30] ^= n as u8;
		authorize(other);
	}
	authorize(key);
}

/// A bitmap as long as it can be.
fn full<T: Config>() -> NonceBitmap<T::MaxNonces> {
	let mut bitmap = NonceBitmap::default();
	assert!(bitmap.insert(T::MaxNonces::get() - 1));
	bitmap
}

/// Expiry of everything that is paid.
fn expiry<T: Config>() -> u32 {
	(Pallet::<T>::now() + T::MaxTicketLife::get() / 2).next_multiple_of(EXPIRY_GRID)
}

/// A viewer with a full deposit, and a session whose bitmap is full.
fn payer<T: Config>(index: u32) -> (T::AccountId, PublicKey)
where
	T::Currency: Mutate<T::AccountId>,
{
	let sender = viewer::<T>(index);
	let key = PublicKey(sp_io::crypto::ed25519_generate(KEY_TYPE, None).0);
	session::<T>(&sender, key, u32::MAX);
	SpentNonces::<T>::insert(Pallet::<T>::epoch_of(expiry::<T>()), key, full::<T>());
	(sender, key)
}

/// Signed by a key of the keystore.
fn sign<T: Config, M: SignedMessage>(key: &PublicKey, message: M) -> Signed<M> {
	let genesis = Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).into());
	let payload = message.signing_payload(&genesis);
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key.0.into(), &payload).expect("the keystore made this key");
	Signed {
		message,
		signature: Signature(signature.0),
	}
}

/// `count` vouchers of as many viewers for as many relayers and streams, with signatures spoiled where not `are_good`.
fn worst_vouchers<T: Config>(count: u32, are_good: bool) -> BoundedVec<SignedVoucher, T::MaxBatch>
where
	T::Currency: Mutate<T::AccountId>,
{
	Treasury::<T>::put(rich::<T>("treasury", 0));
	let voucher = |index| {
		let (sender, key) = payer::<T>(index);
		let voucher = Voucher {
			sender: clustercast_primitives::AccountId(sender.into()),
			session: key,
			recipient: clustercast_primitives::AccountId(relayer::<T>(index).into()),
			stream: T::Streams::create(&rich::<T>("broadcaster", index)),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			// Those of now, which are looked at last: what the stream was made with has just changed.
			terms: 1,
			amount: T::MinFaceValue::get(),
			bytes: 6 * TICKET_BYTES,
			expiry: expiry::<T>(),
		};
		let mut signed = sign::<T, _>(&key, voucher);
		signed.message.bytes += u64::from(!are_good) * TICKET_BYTES;
		signed
	};
	let vouchers: Vec<_> = (0..count).map(voucher).collect();
	vouchers.try_into().expect("no more than a batch holds")
}

/// A ticket as in the head of this file, with its signature spoiled where `is_good` is false.
fn worst_ticket<T: Config>(index: u32, is_good: bool) -> WinningTicket
where
	T::Currency: Mutate<T::AccountId>,
{
	let (sender, key) = payer::<T>(index);
	let recipient = relayer::<T>(index);
	let stream = T::Streams::create(&rich::<T>("broadcaster", index));
	let ticket = Ticket {
		sender: clustercast_primitives::AccountId(sender.into()),
		session: key,
		recipient: clustercast_primitives::AccountId(recipient.into()),
		stream,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 6 * TICKET_BYTES,
		face_value: T::MinFaceValue::get(),
		win_probability: ticket::CERTAIN,
		commitment: ticket::commitment(&RAND),
		nonce: 0,
		expiry: expiry::<T>(),
	};
	let mut signed = sign::<T, _>(&key, ticket);
	signed.message.face_value += Balance::from(!is_good);
	WinningTicket { signed, rand: RAND }
}

/// A batch of `count` such tickets.
fn worst_batch<T: Config>(count: u32, are_good: bool) -> BoundedVec<WinningTicket, T::MaxBatch>
where
	T::Currency: Mutate<T::AccountId>,
{
	if Treasury::<T>::get().is_none() {
		Treasury::<T>::put(rich::<T>("treasury", 0));
	}
	let tickets: Vec<_> = (0..count).map(|index| worst_ticket::<T>(index, are_good)).collect();
	tickets.try_into().expect("no more than a batch holds")
}

/// Sum of all deposits of the batch's viewers.
fn deposits<T: Config>(tickets: &[WinningTicket]) -> Balance {
	let deposit = |t: &WinningTicket| Pallet::<T>::deposit_of(&t.signed.message.sender.0.into());
	tickets.iter().map(deposit).sum()
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	/// A viewer whose whole deposit is on its way out.
	fn leaving<T: Config>() -> T::AccountId
	where
		T::Currency: Mutate<T::AccountId>,
	{
		let who = viewer::<T>(0);
		Pallet::<T>::request_unlock(RawOrigin::Signed(who.clone()).into(), T::MaxDeposit::get())
			.expect("the deposit is there");
		who
	}

	#[benchmark]
	fn deposit() -> Result<(), BenchmarkError> {
		let who = rich::<T>("viewer", 0);
		let half = T::MaxDeposit::get() / 2;
		Pallet::<T>::deposit(RawOrigin::Signed(who.clone()).into(), half)?;
		Pallet::<T>::request_unlock(RawOrigin::Signed(who.clone()).into(), half)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), half);
		assert_eq!(Pallet::<T>::deposit_of(&who), half * 2);
		Ok(())
	}

	#[benchmark]
	fn request_unlock() {
		let who = viewer::<T>(0);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), T::MaxDeposit::get());
		assert!(Unlocks::<T>::contains_key(&who));
	}

	#[benchmark]
	fn cancel_unlock() {
		let who = leaving::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));
		assert!(!Unlocks::<T>::contains_key(&who));
	}

	#[benchmark]
	fn withdraw() {
		let who = leaving::<T>();
		let over = frame_system::Pallet::<T>::block_number() + T::UnlockDelay::get().into();
		frame_system::Pallet::<T>::set_block_number(over);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));
		assert_eq!(Pallet::<T>::deposit_of(&who), 0);
	}

	#[benchmark]
	fn authorize_session() -> Result<(), BenchmarkError> {
		let who = rich::<T>("viewer", 0);
		for n in 1..T::MaxSessions::get() {
			let origin = RawOrigin::Signed(who.clone()).into();
			Pallet::<T>::authorize_session(origin, PublicKey([n as u8; 32]), 1, 1, u32::MAX)?;
		}
		let key = PublicKey([0xff; 32]);
		#[extrinsic_call]
		_(RawOrigin::Signed(who), key, 1, 1, u32::MAX);
		assert!(Sessions::<T>::contains_key(key));
		Ok(())
	}

	#[benchmark]
	fn revoke_session() {
		let (who, key) = (rich::<T>("viewer", 0), PublicKey([1; 32]));
		session::<T>(&who, key, u32::MAX);
		#[extrinsic_call]
		_(RawOrigin::Signed(who), key);
		assert!(Sessions::<T>::get(key).is_some_and(|s| s.expiry < u32::MAX));
	}

	#[benchmark]
	fn reap_session(p: Linear<0, { T::MaxPayees::get() }>) {
		let (who, key) = (rich::<T>("viewer", 0), PublicKey([1; 32]));
		let expiry = Pallet::<T>::now();
		session::<T>(&who, key, expiry);
		for index in 0..p {
			let recipient: T::AccountId = account("relayer", index, 0);
			let account = (recipient, StreamId(index.into()), Kind::LIVE, Hash([0; 32]), 0);
			VouchersPaid::<T>::insert(key, account, VoucherTotals::default());
		}
		Sessions::<T>::mutate(key, |session| session.as_mut().expect("it was registered").payees = p);
		frame_system::Pallet::<T>::set_block_number((expiry + 1).into());
		#[extrinsic_call]
		_(RawOrigin::Signed(who), key);
		assert!(!Sessions::<T>::contains_key(key));
	}

	#[benchmark]
	fn redeem_batch(t: Linear<0, { T::MaxBatch::get() }>) {
		let tickets = worst_batch::<T>(t, true);
		let before = deposits::<T>(&tickets);
		let paid = T::MinFaceValue::get() * Balance::from(t);
		let who: T::AccountId = whitelisted_caller();
		#[extrinsic_call]
		_(RawOrigin::Signed(who), tickets.clone());
		assert_eq!(deposits::<T>(&tickets), before - paid);
	}

	#[benchmark]
	fn refuse_batch(t: Linear<0, { T::MaxBatch::get() }>) {
		let tickets = worst_batch::<T>(t, false);
		let who: T::AccountId = whitelisted_caller();
		#[extrinsic_call]
		redeem_batch(RawOrigin::Signed(who), tickets.clone());
		let verdicts = Pallet::<T>::check_tickets(&tickets);
		assert!(verdicts
			.into_iter()
			.all(|v| v == TicketVerdict::Refused(TicketRefusal::BadSignature)));
	}

	#[benchmark]
	fn redeem_vouchers(v: Linear<0, { T::MaxBatch::get() }>) {
		let vouchers = worst_vouchers::<T>(v, true);
		let who: T::AccountId = whitelisted_caller();
		#[extrinsic_call]
		_(RawOrigin::Signed(who), vouchers.clone());
		for voucher in vouchers.iter().map(|signed| &signed.message) {
			assert_eq!(
				Sessions::<T>::get(voucher.session).map(|session| session.payees),
				Some(1)
			);
		}
	}

	#[benchmark]
	fn refuse_vouchers(v: Linear<0, { T::MaxBatch::get() }>) {
		let vouchers = worst_vouchers::<T>(v, false);
		let who: T::AccountId = whitelisted_caller();
		#[extrinsic_call]
		redeem_vouchers(RawOrigin::Signed(who), vouchers.clone());
		let verdicts = Pallet::<T>::check_vouchers(&vouchers);
		assert!(verdicts
			.into_iter()
			.all(|v| v == TicketVerdict::Refused(TicketRefusal::BadSignature)));
	}

	#[benchmark]
	fn tip() {
		let (who, owner) = (rich::<T>("viewer", 0), rich::<T>("broadcaster", 0));
		let stream = T::Streams::create(&owner);
		let before = T::Currency::total_balance(&owner);
		#[extrinsic_call]
		_(RawOrigin::Signed(who), stream, T::MaxDeposit::get());
		assert_eq!(T::Currency::total_balance(&owner), before + T::MaxDeposit::get());
	}

	#[benchmark]
	fn tip_from_deposit() {
		let (who, owner) = (viewer::<T>(0), rich::<T>("broadcaster", 0));
		let stream = T::Streams::create(&owner);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), stream, T::MaxDeposit::get());
		assert_eq!(Pallet::<T>::deposit_of(&who), 0);
	}

	#[benchmark]
	fn submit_tip() {
		let stream = T::Streams::create(&rich::<T>("broadcaster", 0));
		let (sender, key) = payer::<T>(0);
		let message = Tip {
			sender: clustercast_primitives::AccountId(sender.clone().into()),
			session: key,
			stream,
			amount: T::MinFaceValue::get(),
			reward: T::MinFaceValue::get(),
			nonce: 0,
			expiry: expiry::<T>(),
		};
		let before = Pallet::<T>::deposit_of(&sender);
		let submitter = rich::<T>("submitter", 0);
		#[extrinsic_call]
		_(RawOrigin::Signed(submitter), sign::<T, _>(&key, message));
		assert_eq!(Pallet::<T>::deposit_of(&sender), before - 2 * T::MinFaceValue::get());
	}

	#[benchmark]
	fn clear_epoch(n: Linear<0, 100>) {
		for index in 0..n {
			let mut key = PublicKey([0; 32]);
			key.0[..4].copy_from_slice(&index.to_le_bytes());
			SpentNonces::<T>::insert(0, key, full::<T>());
		}
		frame_system::Pallet::<T>::set_block_number(T::EpochLength::get().into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_clear_epochs(&mut meter);
		}
		assert_eq!(OldestEpoch::<T>::get(), 1);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build_with_keystore(), crate::mock::Test);
}
