//! Benchmarks. The worst batch: every ticket of another viewer and session, half of it reserved; the shares of each are
//! looked up and set aside, since viewers are relayers that buy and the recipient has a ledger for each stream.

use super::*;
use alloc::vec::Vec;
use clustercast_primitives::{
	amount::TICKET_BYTES,
	chain::{TicketRefusal, TicketVerdict},
	channel::{Close, Release, Reservation},
	crypto::SignedMessage,
	receipt::Kind,
	session::SessionProof,
	ticket::{self, EXPIRY_GRID},
	AccountId, Balance, BlockNumber, Hash, PublicKey, Signature, Signed, SignedVoucher, StreamId, Ticket, Tip, Voucher,
	WinningTicket,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{hold::Mutate as _, Inspect, Mutate},
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

/// An account with two full deposits, and those of its sessions.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId {
	let who: T::AccountId = account(name, index, 0);
	let sessions = T::SessionDeposit::get() * Balance::from(T::MaxSessions::get());
	let balance = T::MaxDeposit::get() * 2 + sessions + T::Currency::minimum_balance();
	T::Currency::set_balance(&who, balance);
	who
}

/// A bonded relayer whose deliveries are noted.
fn relayer<T: Config>() -> T::AccountId {
	let who = rich::<T>("relayer", 0);
	T::Relayers::prepare(&who);
	who
}

/// A viewer with a full deposit.
fn viewer<T: Config>(index: u32) -> T::AccountId {
	let who = rich::<T>("viewer", index);
	Pallet::<T>::deposit(RawOrigin::Signed(who.clone()).into(), T::MaxDeposit::get()).expect("has the money");
	who
}

/// The treasury, which exists.
fn treasury<T: Config>() -> T::AccountId {
	let who = rich::<T>("treasury", 0);
	Treasury::<T>::put(&who);
	who
}

/// As bytes.
fn public<T: Config>(who: &T::AccountId) -> AccountId {
	AccountId(who.clone().into())
}

/// A key of the keystore.
fn new_key() -> PublicKey {
	PublicKey(sp_io::crypto::ed25519_generate(KEY_TYPE, None).0)
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

/// That a session key is the account's.
fn proof<T: Config>(owner: &T::AccountId, key: &PublicKey) -> Signature {
	let account = public::<T>(owner);
	sign::<T, _>(key, SessionProof { account }).signature
}

/// Expiry of a session with the longest life.
fn latest<T: Config>() -> BlockNumber {
	Pallet::<T>::now() + T::MaxSessionLife::get()
}

/// Registers a session.
fn authorize<T: Config>(owner: &T::AccountId, expiry: BlockNumber) -> PublicKey {
	let key = new_key();
	let proof = proof::<T>(owner, &key);
	let origin = RawOrigin::Signed(owner.clone()).into();
	Pallet::<T>::authorize_session(origin, key, Balance::MAX, Balance::MAX, expiry, proof).expect("the key is new");
	key
}

/// A reservation of the smallest amount above the one before.
fn reservation<T: Config>(
	owner: &T::AccountId,
	key: PublicKey,
	recipient: &T::AccountId,
	counter: u32,
) -> Signed<Reservation> {
	let message = Reservation {
		sender: public::<T>(owner),
		session: key,
		recipient: public::<T>(recipient),
		counter,
		cap: T::MinFaceValue::get() * Balance::from(counter),
		reward: T::MinFaceValue::get(),
		submit_by: Pallet::<T>::now() + T::MaxTicketLife::get(),
	};
	sign::<T, _>(&key, message)
}

/// A closing of that.
fn close<T: Config>(owner: &T::AccountId, key: PublicKey, recipient: &T::AccountId) -> Signed<Close> {
	let message = Close {
		sender: public::<T>(owner),
		session: key,
		recipient: public::<T>(recipient),
		counter: 1,
		submit_by: Pallet::<T>::now() + T::MaxTicketLife::get(),
	};
	sign::<T, _>(&key, message)
}

/// A viewer with a full deposit, its session, and the smallest amount reserved for a recipient.
fn payer<T: Config>(index: u32, recipient: &T::AccountId) -> (T::AccountId, PublicKey) {
	let sender = viewer::<T>(index);
	let key = authorize::<T>(&sender, latest::<T>());
	let first = reservation::<T>(&sender, key, recipient, 1);
	Pallet::<T>::reserve(RawOrigin::Signed(recipient.clone()).into(), first).expect("the deposit is there");
	(sender, key)
}

/// Expiry of everything that is paid.
fn expiry<T: Config>() -> BlockNumber {
	(Pallet::<T>::now() + T::MaxTicketLife::get() / 2).next_multiple_of(EXPIRY_GRID)
}

/// Streams of as many broadcasters; in the recipient's ledger a micro-USDC of each share, under these terms.
fn streams<T: Config>(count: u32, recipient: &T::AccountId, terms: impl Fn(StreamId) -> u32) -> Vec<StreamId> {
	let treasury = treasury::<T>();
	let create = |index| {
		let broadcaster = rich::<T>("broadcaster", index);
		let stream = T::Streams::create(&broadcaster);
		let credit = Shares {
			broadcaster: 1,
			treasury: 1,
		};
		let ledger = Ledger {
			credit,
			..Ledger::new(broadcaster, 0)
		};
		Pallet::<T>::store_ledger((recipient.clone(), stream, terms(stream)), Some(ledger));
		T::Currency::hold(&HoldReason::Shares.into(), &treasury, credit.sum()).expect("the treasury is rich");
		stream
	};
	(0..count).map(create).collect()
}

/// The session's owner is a relayer that buys, but for that of the first payment, whose delivery is noted.
fn buys<T: Config>(index: u32, key: PublicKey) {
	Sessions::<T>::mutate(key, |session| {
		session.as_mut().expect("it was registered").buys = index > 0;
	});
}

/// Of every payment: half is reserved.
fn face_value<T: Config>() -> Balance {
	T::MinFaceValue::get() * 2
}

/// `count` tickets for as many of these streams as there are, with signatures spoiled where not `are_good`.
fn tickets<T: Config>(
	count: u32,
	streams: u32,
	recipient: &T::AccountId,
	are_good: bool,
) -> BoundedVec<WinningTicket, T::MaxBatch> {
	let signed_at = Pallet::<T>::signed_at(expiry::<T>());
	let terms = |stream| T::Streams::payee(stream, signed_at).expect("it was created").terms;
	let streams = self::streams::<T>(streams, recipient, terms);
	let ticket = |index: u32| {
		let (sender, key) = payer::<T>(index, recipient);
		buys::<T>(index, key);
		let ticket = Ticket {
			sender: public::<T>(&sender),
			session: key,
			recipient: public::<T>(recipient),
			stream: streams[index as usize % streams.len()],
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			bytes: 12 * TICKET_BYTES,
			face_value: face_value::<T>(),
			win_probability: ticket::CERTAIN,
			commitment: ticket::commitment(&RAND),
			nonce: 0,
			expiry: expiry::<T>(),
		};
		let mut signed = sign::<T, _>(&key, ticket);
		signed.message.face_value += Balance::from(!are_good);
		WinningTicket { signed, rand: RAND }
	};
	let tickets: Vec<_> = (0..count).map(ticket).collect();
	tickets.try_into().expect("no more than a batch holds")
}

/// The same as vouchers.
fn vouchers<T: Config>(
	count: u32,
	streams: u32,
	recipient: &T::AccountId,
	are_good: bool,
) -> BoundedVec<SignedVoucher, T::MaxBatch> {
	// The terms of now, which are looked at last: what a stream was made with has just changed.
	let terms = 1;
	let streams = self::streams::<T>(streams, recipient, |_| terms);
	let voucher = |index: u32| {
		let (sender, key) = payer::<T>(index, recipient);
		buys::<T>(index, key);
		let voucher = Voucher {
			sender: public::<T>(&sender),
			session: key,
			recipient: public::<T>(recipient),
			stream: streams[index as usize % streams.len()],
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms,
			amount: face_value::<T>(),
			bytes: 12 * TICKET_BYTES,
			expiry: expiry::<T>(),
		};
		let mut signed = sign::<T, _>(&key, voucher);
		signed.message.bytes += u64::from(!are_good) * TICKET_BYTES;
		signed
	};
	let vouchers: Vec<_> = (0..count).map(voucher).collect();
	vouchers.try_into().expect("no more than a batch holds")
}

/// That the recipient was paid by all of these sessions.
fn assert_paid<T: Config>(sessions: impl Iterator<Item = PublicKey>, recipient: &T::AccountId) {
	for session in sessions {
		let channel = Channels::<T>::get(session, recipient).expect("it paid");
		assert_eq!((channel.paid, channel.open), (face_value::<T>(), 0));
	}
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// A viewer whose whole deposit is on its way out.
	fn leaving<T: Config>() -> T::AccountId {
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

	/// Its deposit comes from the deposit for payments.
	#[benchmark]
	fn authorize_session() {
		let who = viewer::<T>(0);
		for _ in 1..T::MaxSessions::get() {
			authorize::<T>(&who, latest::<T>());
		}
		T::Currency::set_balance(&who, T::Currency::minimum_balance());
		let key = new_key();
		let proof = proof::<T>(&who, &key);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), key, 1, 1, latest::<T>(), proof);
		assert!(Sessions::<T>::contains_key(key));
		assert!(Pallet::<T>::deposit_of(&who) < T::MaxDeposit::get());
	}

	#[benchmark]
	fn revoke_session() {
		let who = viewer::<T>(0);
		let key = authorize::<T>(&who, latest::<T>());
		#[extrinsic_call]
		_(RawOrigin::Signed(who), key);
		assert!(Sessions::<T>::get(key).is_some_and(|session| session.expiry < latest::<T>()));
	}

	/// On top of another reservation.
	#[benchmark]
	fn reserve() {
		let recipient = rich::<T>("relayer", 0);
		let (sender, key) = payer::<T>(0, &recipient);
		let second = reservation::<T>(&sender, key, &recipient, 2);
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("submitter", 0)), second);
		assert_eq!(Pallet::<T>::reserved_of(&sender), 2 * T::MinFaceValue::get());
	}

	#[benchmark]
	fn close_channel() {
		let recipient = rich::<T>("relayer", 0);
		let (sender, key) = payer::<T>(0, &recipient);
		let close = close::<T>(&sender, key, &recipient);
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("submitter", 0)), close);
		assert!(Channels::<T>::get(key, recipient).is_some_and(|channel| channel.closes_at.is_some()));
	}

	#[benchmark]
	fn release() {
		let recipient = relayer::<T>();
		let (sender, key) = payer::<T>(0, &recipient);
		let message = Release {
			recipient: public::<T>(&recipient),
			session: key,
			registered: Pallet::<T>::now(),
			counter: 1,
			kept: 0,
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(recipient), message);
		assert_eq!(Pallet::<T>::reserved_of(&sender), 0);
	}

	#[benchmark]
	fn redeem_batch(
		t: Linear<{ T::MaxBatch::get() / 2 }, { T::MaxBatch::get() }>,
		s: Linear<1, { T::MaxBatch::get() / 2 }>,
	) {
		let recipient = relayer::<T>();
		let tickets = tickets::<T>(t, s, &recipient, true);
		#[extrinsic_call]
		_(RawOrigin::Signed(recipient.clone()), tickets.clone());
		assert_paid::<T>(tickets.iter().map(|winning| winning.signed.message.session), &recipient);
	}

	#[benchmark]
	fn refuse_batch(t: Linear<1, { T::MaxBatch::get() }>) {
		let recipient = relayer::<T>();
		let tickets = tickets::<T>(t, t, &recipient, false);
		#[extrinsic_call]
		redeem_batch(RawOrigin::Signed(recipient), tickets.clone());
		let verdicts = Pallet::<T>::check_tickets(&tickets);
		assert!(verdicts
			.into_iter()
			.all(|v| v == TicketVerdict::Refused(TicketRefusal::BadSignature)));
	}

	#[benchmark]
	fn redeem_vouchers(
		v: Linear<{ T::MaxBatch::get() / 2 }, { T::MaxBatch::get() }>,
		s: Linear<1, { T::MaxBatch::get() / 2 }>,
	) {
		let recipient = relayer::<T>();
		let vouchers = vouchers::<T>(v, s, &recipient, true);
		#[extrinsic_call]
		_(RawOrigin::Signed(recipient.clone()), vouchers.clone());
		assert_paid::<T>(vouchers.iter().map(|signed| signed.message.session), &recipient);
	}

	#[benchmark]
	fn refuse_vouchers(v: Linear<1, { T::MaxBatch::get() }>) {
		let recipient = relayer::<T>();
		let vouchers = vouchers::<T>(v, v, &recipient, false);
		#[extrinsic_call]
		redeem_vouchers(RawOrigin::Signed(recipient), vouchers.clone());
		let verdicts = Pallet::<T>::check_vouchers(&vouchers);
		assert!(verdicts
			.into_iter()
			.all(|v| v == TicketVerdict::Refused(TicketRefusal::BadSignature)));
	}

	#[benchmark]
	fn tip() {
		let (who, owner) = (rich::<T>("viewer", 0), rich::<T>("broadcaster", 0));
		let (treasury, stream) = (treasury::<T>(), T::Streams::create(&owner));
		let before = T::Currency::total_balance(&owner) + T::Currency::total_balance(&treasury);
		#[extrinsic_call]
		_(RawOrigin::Signed(who), stream, T::MaxDeposit::get());
		let after = T::Currency::total_balance(&owner) + T::Currency::total_balance(&treasury);
		assert_eq!(after, before + T::MaxDeposit::get());
	}

	#[benchmark]
	fn tip_from_deposit() {
		let (who, owner) = (leaving::<T>(), rich::<T>("broadcaster", 0));
		treasury::<T>();
		let stream = T::Streams::create(&owner);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), stream, T::MaxDeposit::get());
		assert_eq!(Pallet::<T>::deposit_of(&who), 0);
	}

	#[benchmark]
	fn submit_tip() {
		treasury::<T>();
		let stream = T::Streams::create(&rich::<T>("broadcaster", 0));
		let sender = viewer::<T>(0);
		let key = authorize::<T>(&sender, latest::<T>());
		let message = Tip {
			sender: public::<T>(&sender),
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

	/// Ledgers with something set aside, each for another broadcaster: what else ends reads and writes less.
	#[benchmark]
	fn end(n: Linear<0, 100>) {
		streams::<T>(n, &rich::<T>("relayer", 0), |_| 0);
		let over = T::ShareMemory::get();
		OldestEnd::<T>::put(over);
		frame_system::Pallet::<T>::set_block_number(over.into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_end(&mut meter);
		}
		assert_eq!(OldestEnd::<T>::get(), over + 1);
		assert_eq!(Ledgers::<T>::iter().count(), 0);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build_with_keystore(), crate::mock::Test);
}
