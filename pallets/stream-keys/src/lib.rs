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
//! `ticket-broker` learns owner and share through [`Streams`] and knows nothing else of this pallet.
//!
//! ## Invariants (checked by `try_state`)
//! 1. The deposits recorded for an owner's keys add up to what this pallet holds on that account, for every account.
//! 2. Every key's number is below the next number.
//! 3. Title and category are UTF-8; price and broadcaster share are within bounds.

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

use clustercast_primitives::StreamId;

/// Who is paid for a stream besides the relayer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee<AccountId> {
	/// Receives the broadcaster's share.
	pub account: AccountId,
	/// The broadcaster's share, parts per million of the face value.
	pub share_ppm: u32,
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
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::string::String;
	use clustercast_primitives::{
		amount::MAX_PRICE_PER_MB,
		chain::{StreamKeyInfo, PPM},
		Balance, PublicKey,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{hold::Mutate as MutateHold, Inspect},
			tokens::Precision,
		},
	};
	use frame_system::pallet_prelude::*;

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
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// Held on the owner while a key exists, micro-USDC.
		#[pallet::constant]
		type MintDeposit: Get<Balance>;

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
			})
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
					metadata,
				},
			);
			Self::deposit_event(Event::Minted { id, owner });
			Ok(id)
		}

		fn do_update(who: T::AccountId, id: StreamId, metadata: Metadata<T>) -> DispatchResult {
			Self::check(&metadata)?;
			Self::mutate_owned(&who, id, |key| key.metadata = metadata)?;
			Self::deposit_event(Event::Updated { id });
			Ok(())
		}

		fn do_set_signing_key(who: T::AccountId, id: StreamId, signing_key: PublicKey) -> DispatchResult {
			Self::mutate_owned(&who, id, |key| key.signing_key = signing_key)?;
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
		fn mutate_owned(who: &T::AccountId, id: StreamId, change: impl FnOnce(&mut StreamKey<T>)) -> DispatchResult {
			StreamKeys::<T>::try_mutate(id, |key| {
				let key = key.as_mut().ok_or(Error::<T>::UnknownStream)?;
				ensure!(key.owner == *who, Error::<T>::NotOwner);
				change(key);
				Ok(())
			})
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
