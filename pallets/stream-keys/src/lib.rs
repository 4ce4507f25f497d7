//! # Stream keys
//!
//! Who may sign a stream, what it is called, what it costs and how its tickets are split.
//!
//! ## Terms
//! - *Stream key*: a numbered right to a stream. Its owner chooses the Ed25519 *signing key* for window headers, the
//!   metadata that people see, the price, and the *broadcaster share*: the owner's part of every ticket paid for the
//!   stream, parts per million of the face value.
//! - *Mint deposit*: held on the owner while the key exists, returned when it is burnt.
//!
//! ## Design
//! Numbers are handed out in order and never used again, so that a ticket, a receipt or a header of a burnt key cannot
//! come to mean another stream. The deposit bounds state, and as a side effect keeps the owner's account alive: an
//! account with a hold cannot be reaped, so whoever is owed a broadcaster share can always receive it.
//!
//! *Rotation* keeps the keys before: what they signed stays verifiable, and provable. At most [`Config::MaxPreviousKeys`]
//! are kept, and none is forgotten before [`Config::KeyMemory`], so that nobody rotates away from an offence.
//!
//! *A key that signed two windows for one place* is flagged for good and pays its deposit, but for what keeps the
//! owner's account alive. Who signed is judged elsewhere, behind [`Offences`].
//!
//! `ticket-broker` learns owner and share through [`Streams`] and knows nothing else of this pallet.
//!
//! ## Invariants (checked by `try_state`)
//! 1. The deposits recorded for an owner's keys add up to what this pallet holds on that account, for every account.
//! 2. Every key's number is below the next number.
//! 3. Title and category are UTF-8; price and broadcaster share are within bounds.
//! 4. Replaced signing keys are in the order in which they were replaced, none of them in the future.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use clustercast_primitives::{BlockNumber, PublicKey, StreamId};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A signing key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct PreviousKey {
	/// The key.
	pub key: PublicKey,
	/// Block in which it was replaced.
	pub until: BlockNumber,
}

/// Who is paid for a stream besides the relayer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee<AccountId> {
	/// Receives the broadcaster's share.
	pub account: AccountId,
	/// The broadcaster's share, parts per million of the face value.
	pub share_ppm: u32,
}

/// What judges of broadcasters need.
pub trait Offences {
	/// What is taken, not yet given to anybody.
	type Credit;

	/// Keys that signed or may sign this stream: the current one first. Empty where there is no such stream.
	fn signing_keys(stream: StreamId) -> Vec<PublicKey>;

	/// Most keys that [`Offences::signing_keys`] returns.
	fn max_signing_keys() -> u32;

	/// Marks a stream for good and takes its deposit. `None` where it is marked already or there is no such stream.
	fn flag(stream: StreamId) -> Option<Self::Credit>;
}

/// What the payment side needs to know of streams.
pub trait Streams<AccountId> {
	/// Upper bound of every [`Payee::share_ppm`].
	fn max_share_ppm() -> u32;

	/// Who is paid for this stream; `None` where there is no such stream.
	fn payee(stream: StreamId) -> Option<Payee<AccountId>>;

	/// Makes a stream owned by `owner`, with the largest share.
	#[cfg(feature = "runtime-benchmarks")]
	fn create(owner: &AccountId) -> StreamId;

	/// The same, with as many replaced keys as are kept, of which `key` is the oldest.
	#[cfg(feature = "runtime-benchmarks")]
	fn create_rotated(owner: &AccountId, key: PublicKey) -> StreamId;
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::string::String;
	use clustercast_primitives::{
		amount::MAX_PRICE_PER_MB,
		chain::{StreamKeyInfo, PPM},
		Balance,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{
				hold::{Balanced as BalancedHold, Mutate as MutateHold},
				Balanced, Credit, Inspect,
			},
			tokens::{imbalance::Imbalance, Precision},
		},
	};
	use frame_system::pallet_prelude::*;
	use sp_runtime::SaturatedConversion;

	/// Text of bounded length; UTF-8 wherever it is stored.
	pub type Text<Max> = BoundedVec<u8, Max>;

	/// What the owner of a stream key may change.
	#[derive(
		Encode,
		Decode,
		DecodeWithMemTracking,
		MaxEncodedLen,
		TypeInfo,
		CloneNoBound,
		PartialEqNoBound,
		EqNoBound,
		DebugNoBound,
	)]
	#[scale_info(skip_type_params(T))]
	pub struct Metadata<T: Config> {
		/// For people, UTF-8.
		pub title: Text<T::MaxTitle>,
		/// For people, UTF-8.
		pub category: Text<T::MaxCategory>,
		/// Most viewers at a time; 0 is no limit.
		pub max_viewers: u32,
		/// Baseline price, micro-USDC per 10^6 bytes.
		pub price_per_mb: u64,
		/// The broadcaster's share of each ticket, parts per million.
		pub broadcaster_share_ppm: u32,
	}

	/// A stream key as it is stored.
	#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound)]
	#[scale_info(skip_type_params(T))]
	pub struct StreamKey<T: Config> {
		/// Owns it and receives the broadcaster's share.
		pub owner: T::AccountId,
		/// Signs window headers.
		pub signing_key: PublicKey,
		/// Held on the owner for it, micro-USDC.
		pub deposit: Balance,
		/// Signed before, oldest first.
		pub previous_keys: BoundedVec<PreviousKey, T::MaxPreviousKeys>,
		/// Whether it signed two windows for one place.
		pub flagged: bool,
		/// The rest.
		pub metadata: Metadata<T>,
	}

	#[pallet::config]
	pub trait Config:
		frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId: From<[u8; 32]> + Into<[u8; 32]>>
	{
		/// The runtime's hold reason, made from this pallet's.
		type RuntimeHoldReason: From<HoldReason>;

		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Balanced<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId>;

		/// Held on the owner while a key exists, micro-USDC.
		#[pallet::constant]
		type MintDeposit: Get<Balance>;

		/// Most replaced signing keys that are kept.
		#[pallet::constant]
		type MaxPreviousKeys: Get<u32>;

		/// Blocks for which a replaced signing key is kept at least.
		#[pallet::constant]
		type KeyMemory: Get<BlockNumber>;

		/// Longest title, bytes.
		#[pallet::constant]
		type MaxTitle: Get<u32>;

		/// Longest category, bytes.
		#[pallet::constant]
		type MaxCategory: Get<u32>;

		/// Largest broadcaster share, parts per million.
		#[pallet::constant]
		type MaxBroadcasterShare: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a stream key.
		#[codec(index = 0)]
		StreamKey,
	}

	/// Stream keys by number.
	#[pallet::storage]
	pub type StreamKeys<T: Config> = StorageMap<_, Twox64Concat, StreamId, StreamKey<T>>;

	/// Number of the next stream key.
	#[pallet::storage]
	pub type NextStream<T: Config> = StorageValue<_, StreamId, ValueQuery>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A stream key was minted.
		Minted {
			/// Its number.
			id: StreamId,
			/// Its owner.
			owner: T::AccountId,
		},
		/// A stream key's metadata changed.
		Updated {
			/// Its number.
			id: StreamId,
		},
		/// Another key signs the stream from now on.
		SigningKeySet {
			/// The stream key's number.
			id: StreamId,
			/// The new signing key.
			key: PublicKey,
		},
		/// A stream key signed two windows for one place.
		Flagged {
			/// Its number.
			id: StreamId,
			/// Taken from its deposit, micro-USDC.
			slashed: Balance,
		},
		/// A stream key is gone and its deposit returned.
		Burnt {
			/// Its number.
			id: StreamId,
			/// Who owned it.
			owner: T::AccountId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No stream key of this number.
		UnknownStream,
		/// The stream key belongs to another account.
		NotOwner,
		/// Title or category is not UTF-8.
		NotUtf8,
		/// Broadcaster share above the maximum.
		ShareTooLarge,
		/// Price above what tickets can express.
		PriceTooHigh,
		/// As many signing keys were replaced of late as are kept.
		TooManyRotations,
		/// No numbers left.
		TooManyStreams,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxBroadcasterShare::get() <= PPM, "a share cannot exceed the whole");
			assert!(
				T::MintDeposit::get() >= T::Currency::minimum_balance(),
				"the mint deposit must be worth an account"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Makes a new stream key owned by the caller and holds the mint deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::mint())]
		pub fn mint(
			origin: OriginFor<T>,
			signing_key: PublicKey,
			title: Text<T::MaxTitle>,
			category: Text<T::MaxCategory>,
			max_viewers: u32,
			price_per_mb: u64,
			broadcaster_share_ppm: u32,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			let metadata = Metadata {
				title,
				category,
				max_viewers,
				price_per_mb,
				broadcaster_share_ppm,
			};
			Self::do_mint(owner, signing_key, metadata).map(|_| ())
		}

		/// Replaces a stream key's metadata. Only its owner.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update())]
		pub fn update(
			origin: OriginFor<T>,
			id: StreamId,
			title: Text<T::MaxTitle>,
			category: Text<T::MaxCategory>,
			max_viewers: u32,
			price_per_mb: u64,
			broadcaster_share_ppm: u32,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let metadata = Metadata {
				title,
				category,
				max_viewers,
				price_per_mb,
				broadcaster_share_ppm,
			};
			Self::do_update(who, id, metadata)
		}

		/// Replaces the key that signs the stream. Only its owner.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_signing_key())]
		pub fn set_signing_key(origin: OriginFor<T>, id: StreamId, key: PublicKey) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_signing_key(who, id, key)
		}

		/// Ends a stream key and returns its deposit. Only its owner. Tickets for it that were not redeemed yet stay
		/// unpaid.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::burn())]
		pub fn burn(origin: OriginFor<T>, id: StreamId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_burn(who, id)
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// A stream key, in the words of the JSON-RPC.
		pub fn stream_key(id: StreamId) -> Option<StreamKeyInfo> {
			let key = StreamKeys::<T>::get(id)?;
			let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
			Some(StreamKeyInfo {
				id,
				owner: clustercast_primitives::AccountId(key.owner.into()),
				signing_key: key.signing_key,
				title: text(&key.metadata.title),
				category: text(&key.metadata.category),
				max_viewers: key.metadata.max_viewers,
				price_per_mb: key.metadata.price_per_mb,
				broadcaster_share_ppm: key.metadata.broadcaster_share_ppm,
				max_surge_ppm: PPM,
				previous_keys: key.previous_keys.into_iter().map(|previous| previous.key).collect(),
				flagged: key.flagged,
			})
		}
	}

	impl<T: Config> Offences for Pallet<T> {
		type Credit = Credit<T::AccountId, T::Currency>;

		fn signing_keys(stream: StreamId) -> Vec<PublicKey> {
			StreamKeys::<T>::get(stream).map_or_else(Vec::new, |key| {
				let previous = key.previous_keys.iter().rev().map(|previous| previous.key);
				core::iter::once(key.signing_key).chain(previous).collect()
			})
		}

		fn max_signing_keys() -> u32 {
			T::MaxPreviousKeys::get().saturating_add(1)
		}

		fn flag(stream: StreamId) -> Option<Self::Credit> {
			let mut key = StreamKeys::<T>::get(stream).filter(|key| !key.flagged)?;
			let penalty = key.deposit.saturating_sub(T::Currency::minimum_balance());
			let (taken, missing) = T::Currency::slash(&HoldReason::StreamKey.into(), &key.owner, penalty);
			debug_assert!(missing == 0, "the deposit is held; qed");
			key.deposit = key.deposit.saturating_sub(taken.peek());
			key.flagged = true;
			StreamKeys::<T>::insert(stream, key);
			Self::deposit_event(Event::Flagged {
				id: stream,
				slashed: taken.peek(),
			});
			Some(taken)
		}
	}

	impl<T: Config> Streams<T::AccountId> for Pallet<T> {
		fn max_share_ppm() -> u32 {
			T::MaxBroadcasterShare::get()
		}

		fn payee(stream: StreamId) -> Option<Payee<T::AccountId>> {
			let key = StreamKeys::<T>::get(stream)?;
			Some(Payee {
				account: key.owner,
				share_ppm: key.metadata.broadcaster_share_ppm,
			})
		}

		#[cfg(feature = "runtime-benchmarks")]
		fn create(owner: &T::AccountId) -> StreamId {
			benchmarking::mint_largest::<T>(owner)
		}

		#[cfg(feature = "runtime-benchmarks")]
		fn create_rotated(owner: &T::AccountId, key: PublicKey) -> StreamId {
			let stream = benchmarking::mint_largest::<T>(owner);
			let previous = (0..T::MaxPreviousKeys::get()).map(|n| PreviousKey {
				key: if n == 0 { key } else { PublicKey([n as u8; 32]) },
				until: 0,
			});
			let previous = previous.collect::<Vec<_>>().try_into().expect("as many as are kept");
			StreamKeys::<T>::mutate(stream, |stored| {
				if let Some(stored) = stored {
					stored.previous_keys = previous;
				}
			});
			stream
		}
	}

	impl<T: Config> Pallet<T> {
		pub(crate) fn do_mint(
			owner: T::AccountId,
			signing_key: PublicKey,
			metadata: Metadata<T>,
		) -> Result<StreamId, DispatchError> {
			Self::check(&metadata)?;
			let id = NextStream::<T>::get();
			NextStream::<T>::put(StreamId(id.0.checked_add(1).ok_or(Error::<T>::TooManyStreams)?));
			let deposit = T::MintDeposit::get();
			T::Currency::hold(&HoldReason::StreamKey.into(), &owner, deposit)?;
			StreamKeys::<T>::insert(
				id,
				StreamKey {
					owner: owner.clone(),
					signing_key,
					deposit,
					previous_keys: BoundedVec::new(),
					flagged: false,
					metadata,
				},
			);
			Self::deposit_event(Event::Minted { id, owner });
			Ok(id)
		}

		fn do_update(who: T::AccountId, id: StreamId, metadata: Metadata<T>) -> DispatchResult {
			Self::check(&metadata)?;
			Self::mutate_owned(&who, id, |key| {
				key.metadata = metadata;
				Ok(())
			})?;
			Self::deposit_event(Event::Updated { id });
			Ok(())
		}

		fn do_set_signing_key(who: T::AccountId, id: StreamId, signing_key: PublicKey) -> DispatchResult {
			let now = Self::now();
			Self::mutate_owned(&who, id, |key| {
				if key.signing_key == signing_key {
					return Ok(());
				}
				let forgotten = |previous: &PreviousKey| previous.until.saturating_add(T::KeyMemory::get()) < now;
				if key.previous_keys.is_full() && key.previous_keys.first().is_some_and(forgotten) {
					key.previous_keys.remove(0);
				}
				let replaced = PreviousKey {
					key: core::mem::replace(&mut key.signing_key, signing_key),
					until: now,
				};
				key.previous_keys
					.try_push(replaced)
					.map_err(|_| Error::<T>::TooManyRotations)
			})?;
			Self::deposit_event(Event::SigningKeySet { id, key: signing_key });
			Ok(())
		}

		fn do_burn(who: T::AccountId, id: StreamId) -> DispatchResult {
			let key = StreamKeys::<T>::get(id).ok_or(Error::<T>::UnknownStream)?;
			ensure!(key.owner == who, Error::<T>::NotOwner);
			StreamKeys::<T>::remove(id);
			T::Currency::release(&HoldReason::StreamKey.into(), &key.owner, key.deposit, Precision::Exact)?;
			Self::deposit_event(Event::Burnt { id, owner: key.owner });
			Ok(())
		}

		/// Whether metadata is within bounds.
		fn check(metadata: &Metadata<T>) -> Result<(), Error<T>> {
			let is_text = |bytes: &[u8]| core::str::from_utf8(bytes).is_ok();
			ensure!(
				is_text(&metadata.title) && is_text(&metadata.category),
				Error::<T>::NotUtf8
			);
			ensure!(metadata.price_per_mb <= MAX_PRICE_PER_MB, Error::<T>::PriceTooHigh);
			ensure!(
				metadata.broadcaster_share_ppm <= T::MaxBroadcasterShare::get(),
				Error::<T>::ShareTooLarge
			);
			Ok(())
		}

		/// Changes a key that `who` owns.
		fn mutate_owned(
			who: &T::AccountId,
			id: StreamId,
			change: impl FnOnce(&mut StreamKey<T>) -> Result<(), Error<T>>,
		) -> DispatchResult {
			StreamKeys::<T>::try_mutate(id, |key| {
				let key = key.as_mut().ok_or(Error::<T>::UnknownStream)?;
				ensure!(key.owner == *who, Error::<T>::NotOwner);
				change(key)?;
				Ok(())
			})
		}

		fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			use alloc::collections::BTreeMap;
			use frame_support::traits::fungible::InspectHold;

			let mut deposits = BTreeMap::<T::AccountId, Balance>::new();
			for (id, key) in StreamKeys::<T>::iter() {
				*deposits.entry(key.owner.clone()).or_default() += key.deposit;
				ensure!(id < NextStream::<T>::get(), "2: a key's number was not handed out");
				ensure!(
					Self::check(&key.metadata).is_ok(),
					"3: a key's metadata is out of bounds"
				);
				let previous = &key.previous_keys;
				ensure!(
					previous.is_sorted_by_key(|p| p.until) && previous.iter().all(|p| p.until <= Self::now()),
					"4: a key's earlier signing keys are not in order"
				);
			}
			for who in frame_system::Account::<T>::iter_keys() {
				ensure!(
					T::Currency::balance_on_hold(&HoldReason::StreamKey.into(), &who)
						== deposits.remove(&who).unwrap_or_default(),
					"1: deposits differ from what is held"
				);
			}
			ensure!(deposits.is_empty(), "1: a deposit of an account that does not exist");
			Ok(())
		}
	}
}
