//! # Relayer registry
//!
//! Bonded relayers: who they are, where they listen, what they ask.
//!
//! ## Terms
//! - *Relayer*: an account with a *bond*, a *signing key*, addresses and an asking price.
//! - *Signing key*: the Ed25519 key that signs receipts. It is also the relayer's libp2p identity, so its peer id
//!   follows from it and is not stored.
//! - *Proof of possession*: a [`RelayerProof`] for the registering account, signed by the signing key, so that nobody
//!   registers another's key.
//! - *Slashing*: taking part of a bond for a proven offence. Whoever is left with less than the minimum is leaving.
//! - *Unbonding*: a relayer on its way out; the bond stays held until the delay is over.
//! - *Reputation*: what a relayer was paid for since it registered, and by how many; see [`reputation`].
//!
//! ## Design
//! The bond is held on the relayer's own account. One relayer an account, one account a signing key: viewers find who
//! signed a receipt by its key alone. The delay leaves time to bring a receipt against a relayer that leaves: its bond
//! can be slashed until it is withdrawn. Who is to be slashed is judged elsewhere, behind [`Bonds`]. A relayer that has
//! lost its whole bond is removed at once: there is nothing left to secure, and nobody who would come to clean up.
//!
//! *Reputation* belongs to a registration: whoever leaves, or is removed, begins anew when it comes back, so neither age
//! nor earnings can be carried past a gap. Slashes belong to the account and are kept for good: leaving washes off none.
//! An offence costs a bond, so what is kept of it is paid for.
//!
//! ## Invariants (checked by `try_state`)
//! 1. Every relayer's recorded bond is what this pallet holds on its account; nothing is held for anybody else.
//! 2. Every bond is at least the minimum, or its relayer is leaving with what is left of it, which is something.
//! 3. Relayers and signing keys are two views of one relation: each relayer's key leads back to it, and no other does.
//! 4. Each relayer has an address; each address is UTF-8 and starts with `/`; prices are within bounds.
//! 5. Every relayer has a reputation, nobody else has one, and it began no later than now.
//! 6. Slashes are recorded of those alone who have some.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
pub mod reputation;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

use clustercast_primitives::PublicKey;

/// What judges of relayers need.
pub trait Bonds<AccountId> {
	/// What is taken, not yet given to anybody.
	type Credit;

	/// Who registered this signing key; those on their way out included.
	fn relayer(signing_key: &PublicKey) -> Option<AccountId>;

	/// Takes the penalty for one offence from a relayer's bond, as much of it as is left.
	fn slash(relayer: &AccountId) -> Self::Credit;

	/// Registers a relayer with the longest addresses, without a proof, and with so small a bond that one offence
	/// takes all of it.
	#[cfg(feature = "runtime-benchmarks")]
	fn create(relayer: AccountId, signing_key: PublicKey);
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::reputation::Record;
	use alloc::{collections::BTreeSet, string::String, vec::Vec};
	use clustercast_primitives::{
		amount::MAX_PRICE_PER_GB,
		chain::{RelayerInfo, Reputation, PPM},
		crypto::{is_canonical, SignedMessage},
		notice::RelayerProof,
		Balance, BlockNumber, Hash, Signature,
	};
	use core::cmp::Reverse;
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

	/// Most relayers that [`Pallet::relayers`] and [`Pallet::leaderboard`] return at a time: 100 of the largest are about
	/// 70 KB.
	pub const MAX_PAGE: u32 = 100;

	/// Most relayers that [`Pallet::leaderboard`] looks at. To hide somebody behind them takes a bond for each.
	pub const MAX_RANKED: u32 = 10_000;

	/// A multiaddress as text, such as `/ip4/203.0.113.7/udp/4001/quic-v1`.
	pub type Address<T> = BoundedVec<u8, <T as Config>::MaxAddressLength>;

	/// Where a relayer listens.
	pub type Addresses<T> = BoundedVec<Address<T>, <T as Config>::MaxAddresses>;

	/// A relayer as it is stored.
	#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound)]
	#[scale_info(skip_type_params(T))]
	pub struct Relayer<T: Config> {
		/// Signs receipts; also the key of its libp2p peer id.
		pub signing_key: PublicKey,
		/// Where it listens.
		pub addresses: Addresses<T>,
		/// Asking price, micro-USDC per 10^9 bytes.
		pub price_per_gb: u64,
		/// Held on its account, micro-USDC.
		pub bond: Balance,
		/// Leaving: first block in which the bond can be withdrawn.
		pub unbonds_at: Option<BlockNumber>,
	}

	#[pallet::config]
	pub trait Config:
		frame_system::Config<
		RuntimeEvent: From<Event<Self>>,
		AccountId: From<[u8; 32]> + Into<[u8; 32]>,
		Hash: Into<[u8; 32]>,
	>
	{
		/// The runtime's hold reason, made from this pallet's.
		type RuntimeHoldReason: From<HoldReason>;

		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Balanced<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId>;

		/// Smallest bond, micro-USDC.
		#[pallet::constant]
		type MinBond: Get<Balance>;

		/// Least that an offence costs, micro-USDC, as long as the bond has it.
		#[pallet::constant]
		type MinSlash: Get<Balance>;

		/// What an offence costs, parts per million of the bond.
		#[pallet::constant]
		type SlashShare: Get<u32>;

		/// Blocks between leaving and the bond's return.
		#[pallet::constant]
		type UnbondDelay: Get<BlockNumber>;

		/// Most addresses of a relayer.
		#[pallet::constant]
		type MaxAddresses: Get<u32>;

		/// Longest address, bytes.
		#[pallet::constant]
		type MaxAddressLength: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A relayer's bond.
		#[codec(index = 0)]
		RelayerBond,
	}

	/// Relayers by account.
	#[pallet::storage]
	pub type Relayers<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Relayer<T>>;

	/// Who registered a signing key.
	#[pallet::storage]
	pub type SigningKeys<T: Config> = StorageMap<_, Blake2_128Concat, PublicKey, T::AccountId>;

	/// What registered relayers were paid for.
	#[pallet::storage]
	pub type Reputations<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Record>;

	/// How often an account was slashed as a relayer, ever.
	#[pallet::storage]
	pub type Slashes<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A relayer bonded.
		Registered {
			/// Its account.
			relayer: T::AccountId,
			/// Its signing key.
			signing_key: PublicKey,
			/// Its bond, micro-USDC.
			bond: Balance,
		},
		/// A relayer changed addresses or price.
		Updated {
			/// Its account.
			relayer: T::AccountId,
		},
		/// A relayer raised its bond.
		BondRaised {
			/// Its account.
			relayer: T::AccountId,
			/// The whole bond now, micro-USDC.
			bond: Balance,
		},
		/// A relayer is leaving.
		Unbonding {
			/// Its account.
			relayer: T::AccountId,
			/// First block in which the bond can be withdrawn.
			unbonds_at: BlockNumber,
		},
		/// A relayer stays after all.
		UnbondCancelled {
			/// Its account.
			relayer: T::AccountId,
		},
		/// A relayer was punished.
		Slashed {
			/// Its account.
			relayer: T::AccountId,
			/// Taken from its bond, micro-USDC.
			amount: Balance,
			/// What is left of the bond, micro-USDC.
			bond: Balance,
		},
		/// A relayer left and has its bond back, or lost all of it.
		Left {
			/// Its account.
			relayer: T::AccountId,
			/// The bond returned, micro-USDC.
			bond: Balance,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The account is a relayer already.
		AlreadyRegistered,
		/// The account is no relayer.
		NotRegistered,
		/// Another relayer registered this signing key.
		SigningKeyTaken,
		/// The proof is not the signing key's signature over this account for this chain.
		BadProof,
		/// A relayer needs at least one address.
		NoAddress,
		/// An address is not UTF-8 text that starts with `/`.
		BadAddress,
		/// Price above what tickets can express.
		PriceTooHigh,
		/// Bond below the minimum.
		BondTooSmall,
		/// An amount of zero.
		ZeroAmount,
		/// The relayer is leaving already.
		AlreadyUnbonding,
		/// The relayer is not leaving.
		NotUnbonding,
		/// The delay is not over.
		TooEarly,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(
				T::MinBond::get() >= T::Currency::minimum_balance(),
				"a bond must be worth an account"
			);
			assert!(
				T::SlashShare::get() <= PPM && T::MinSlash::get() > 0,
				"an offence costs something, and no more than the bond"
			);
			assert!(T::UnbondDelay::get() > 0, "a bond that leaves at once secures nothing");
			assert!(
				T::MaxAddresses::get() > 0 && T::MaxAddressLength::get() > 0,
				"a relayer needs an address"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Bonds the caller as a relayer. `proof` is the signing key's signature over [`RelayerProof`] for the caller.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register())]
		pub fn register(
			origin: OriginFor<T>,
			signing_key: PublicKey,
			proof: Signature,
			addresses: Addresses<T>,
			price_per_gb: u64,
			bond: Balance,
		) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_register(relayer, signing_key, proof, addresses, price_per_gb, bond)
		}

		/// Replaces the caller's addresses and price.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update())]
		pub fn update(origin: OriginFor<T>, addresses: Addresses<T>, price_per_gb: u64) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_update(relayer, addresses, price_per_gb)
		}

		/// Raises the caller's bond.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::bond_extra())]
		pub fn bond_extra(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_bond_extra(relayer, amount)
		}

		/// Begins to leave: the bond can be withdrawn after the delay.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::unbond())]
		pub fn unbond(origin: OriginFor<T>) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_unbond(relayer)
		}

		/// Stays after all. Fails with a bond below the minimum: raise it first.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::cancel_unbond())]
		pub fn cancel_unbond(origin: OriginFor<T>) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_cancel_unbond(relayer)
		}

		/// Leaves: returns the bond and frees the signing key. Once the delay is over.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw_bond())]
		pub fn withdraw_bond(origin: OriginFor<T>) -> DispatchResult {
			let relayer = ensure_signed(origin)?;
			Self::do_withdraw_bond(relayer)
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// Relayers behind `start_after` in the storage's order, at most `limit` and never more than [`MAX_PAGE`].
		/// `start_after` may have left since: the order does not depend on who is there.
		pub fn relayers(start_after: Option<T::AccountId>, limit: u32) -> Vec<RelayerInfo> {
			let all = match start_after {
				Some(account) => Relayers::<T>::iter_from_key(account),
				None => Relayers::<T>::iter(),
			};
			all.take(limit.min(MAX_PAGE) as usize)
				.map(|(account, relayer)| Self::info(account, relayer))
				.collect()
		}

		/// The relayers whose viewers paid most, those first, at most `limit` and never more than [`MAX_PAGE`]; the best of
		/// [`MAX_RANKED`].
		pub fn leaderboard(limit: u32) -> Vec<RelayerInfo> {
			let limit = limit.min(MAX_PAGE) as usize;
			let mut best = BTreeSet::new();
			for (account, record) in Reputations::<T>::iter().take(MAX_RANKED as usize) {
				best.insert((Reverse(record.value), account));
				if best.len() > limit {
					best.pop_last();
				}
			}
			best.into_iter()
				.filter_map(|(_, account)| Some(Self::info(account.clone(), Relayers::<T>::get(account)?)))
				.collect()
		}

		/// What a relayer was paid for; nothing for who is no relayer, but for its slashes.
		pub fn reputation(account: &T::AccountId) -> Reputation {
			let record = Reputations::<T>::get(account).unwrap_or_default();
			Reputation {
				bytes: record.bytes,
				value: record.value,
				viewers: record.viewers.estimate(),
				slashes: Slashes::<T>::get(account),
				since: record.since,
			}
		}

		fn info(account: T::AccountId, relayer: Relayer<T>) -> RelayerInfo {
			let text = |address: Address<T>| String::from_utf8_lossy(&address).into_owned();
			RelayerInfo {
				reputation: Self::reputation(&account),
				account: clustercast_primitives::AccountId(account.into()),
				signing_key: relayer.signing_key,
				addresses: relayer.addresses.into_iter().map(text).collect(),
				price_per_gb: relayer.price_per_gb,
				bond: relayer.bond,
				unbonds_at: relayer.unbonds_at,
			}
		}
	}

	/// What others may tell.
	impl<T: Config> Pallet<T> {
		/// `viewer` paid `value` micro-USDC for about `bytes` that `relayer` delivered. Counts where `relayer` is one.
		pub fn note_delivery(relayer: &T::AccountId, viewer: &T::AccountId, bytes: u64, value: Balance) {
			let Some(mut record) = Reputations::<T>::get(relayer) else {
				return;
			};
			record.note(&viewer.clone().into(), bytes, value);
			Reputations::<T>::insert(relayer, record);
		}

		/// `relayer` takes its turn in this block. Counts where it is one.
		pub fn note_turn(relayer: &T::AccountId) {
			if let Some(mut record) = Reputations::<T>::get(relayer) {
				record.turn = Self::now();
				Reputations::<T>::insert(relayer, record);
			}
		}

		/// Block in which `relayer` took its last turn, or registered; `None` where it is none, or is leaving.
		pub fn last_turn(relayer: &T::AccountId) -> Option<BlockNumber> {
			Relayers::<T>::get(relayer).filter(|relayer| relayer.unbonds_at.is_none())?;
			Reputations::<T>::get(relayer).map(|record| record.turn)
		}
	}

	impl<T: Config> Bonds<T::AccountId> for Pallet<T> {
		type Credit = Credit<T::AccountId, T::Currency>;

		fn relayer(signing_key: &PublicKey) -> Option<T::AccountId> {
			SigningKeys::<T>::get(signing_key)
		}

		fn slash(relayer: &T::AccountId) -> Self::Credit {
			let Some(mut record) = Relayers::<T>::get(relayer) else {
				return Credit::<T::AccountId, T::Currency>::zero();
			};
			let share = record.bond.saturating_mul(T::SlashShare::get().into()) / Balance::from(PPM);
			let penalty = share.max(T::MinSlash::get()).min(record.bond);
			let (taken, missing) = T::Currency::slash(&HoldReason::RelayerBond.into(), relayer, penalty);
			debug_assert!(missing == 0, "the bond is held; qed");
			record.bond = record.bond.saturating_sub(taken.peek());
			Slashes::<T>::mutate(relayer, |slashes| *slashes = slashes.saturating_add(1));
			Self::deposit_event(Event::Slashed {
				relayer: relayer.clone(),
				amount: taken.peek(),
				bond: record.bond,
			});
			if record.bond == 0 {
				Self::remove(relayer.clone(), &record);
				return taken;
			}
			if record.bond < T::MinBond::get() && record.unbonds_at.is_none() {
				let unbonds_at = Self::now().saturating_add(T::UnbondDelay::get());
				record.unbonds_at = Some(unbonds_at);
				Self::deposit_event(Event::Unbonding {
					relayer: relayer.clone(),
					unbonds_at,
				});
			}
			Relayers::<T>::insert(relayer, record);
			taken
		}

		#[cfg(feature = "runtime-benchmarks")]
		fn create(relayer: T::AccountId, signing_key: PublicKey) {
			let addresses = benchmarking::longest::<T>();
			Self::insert(relayer, signing_key, addresses, 1, T::MinSlash::get()).expect("relayer has the bond");
		}
	}

	impl<T: Config> Pallet<T> {
		fn do_register(
			relayer: T::AccountId,
			signing_key: PublicKey,
			proof: Signature,
			addresses: Addresses<T>,
			price_per_gb: u64,
			bond: Balance,
		) -> DispatchResult {
			Self::check(&addresses, price_per_gb)?;
			ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
			ensure!(!Relayers::<T>::contains_key(&relayer), Error::<T>::AlreadyRegistered);
			ensure!(
				!SigningKeys::<T>::contains_key(signing_key),
				Error::<T>::SigningKeyTaken
			);
			ensure!(Self::proves(&relayer, &signing_key, &proof), Error::<T>::BadProof);
			Self::insert(relayer, signing_key, addresses, price_per_gb, bond)
		}

		fn insert(
			relayer: T::AccountId,
			signing_key: PublicKey,
			addresses: Addresses<T>,
			price_per_gb: u64,
			bond: Balance,
		) -> DispatchResult {
			T::Currency::hold(&HoldReason::RelayerBond.into(), &relayer, bond)?;
			SigningKeys::<T>::insert(signing_key, &relayer);
			Reputations::<T>::insert(&relayer, Record::since(Self::now()));
			Relayers::<T>::insert(
				&relayer,
				Relayer {
					signing_key,
					addresses,
					price_per_gb,
					bond,
					unbonds_at: None,
				},
			);
			Self::deposit_event(Event::Registered {
				relayer,
				signing_key,
				bond,
			});
			Ok(())
		}

		fn do_update(relayer: T::AccountId, addresses: Addresses<T>, price_per_gb: u64) -> DispatchResult {
			Self::check(&addresses, price_per_gb)?;
			Self::mutate(&relayer, |r| {
				r.addresses = addresses;
				r.price_per_gb = price_per_gb;
				Ok(())
			})?;
			Self::deposit_event(Event::Updated { relayer });
			Ok(())
		}

		fn do_bond_extra(relayer: T::AccountId, amount: Balance) -> DispatchResult {
			ensure!(amount > 0, Error::<T>::ZeroAmount);
			let bond = Self::mutate(&relayer, |r| {
				T::Currency::hold(&HoldReason::RelayerBond.into(), &relayer, amount)?;
				r.bond = r
					.bond
					.checked_add(amount)
					.ok_or(sp_runtime::ArithmeticError::Overflow)?;
				Ok(r.bond)
			})?;
			Self::deposit_event(Event::BondRaised { relayer, bond });
			Ok(())
		}

		fn do_unbond(relayer: T::AccountId) -> DispatchResult {
			let unbonds_at = Self::now().saturating_add(T::UnbondDelay::get());
			Self::mutate(&relayer, |r| {
				ensure!(r.unbonds_at.is_none(), Error::<T>::AlreadyUnbonding);
				r.unbonds_at = Some(unbonds_at);
				Ok(())
			})?;
			Self::deposit_event(Event::Unbonding { relayer, unbonds_at });
			Ok(())
		}

		fn do_cancel_unbond(relayer: T::AccountId) -> DispatchResult {
			Self::mutate(&relayer, |r| {
				r.unbonds_at.take().ok_or(Error::<T>::NotUnbonding)?;
				ensure!(r.bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
				Ok(())
			})?;
			Self::deposit_event(Event::UnbondCancelled { relayer });
			Ok(())
		}

		fn do_withdraw_bond(relayer: T::AccountId) -> DispatchResult {
			let record = Relayers::<T>::get(&relayer).ok_or(Error::<T>::NotRegistered)?;
			let unbonds_at = record.unbonds_at.ok_or(Error::<T>::NotUnbonding)?;
			ensure!(Self::now() >= unbonds_at, Error::<T>::TooEarly);
			T::Currency::release(&HoldReason::RelayerBond.into(), &relayer, record.bond, Precision::Exact)?;
			Self::remove(relayer, &record);
			Ok(())
		}

		/// Forgets a relayer that has nothing bonded any more, but for its slashes.
		fn remove(relayer: T::AccountId, record: &Relayer<T>) {
			SigningKeys::<T>::remove(record.signing_key);
			Reputations::<T>::remove(&relayer);
			Relayers::<T>::remove(&relayer);
			Self::deposit_event(Event::Left {
				relayer,
				bond: record.bond,
			});
		}

		fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		/// Whether `proof` is the signing key's signature over `relayer` for this chain.
		fn proves(relayer: &T::AccountId, signing_key: &PublicKey, proof: &Signature) -> bool {
			let genesis = Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into());
			let payload = RelayerProof {
				account: clustercast_primitives::AccountId(relayer.clone().into()),
			}
			.signing_payload(&genesis);
			is_canonical(signing_key, proof)
				&& sp_io::crypto::ed25519_verify(&proof.0.into(), &payload, &signing_key.0.into())
		}

		/// Whether addresses and price are within bounds.
		fn check(addresses: &Addresses<T>, price_per_gb: u64) -> Result<(), Error<T>> {
			ensure!(!addresses.is_empty(), Error::<T>::NoAddress);
			let is_address = |a: &Address<T>| core::str::from_utf8(a).is_ok_and(|a| a.starts_with('/'));
			ensure!(addresses.iter().all(is_address), Error::<T>::BadAddress);
			ensure!(price_per_gb <= MAX_PRICE_PER_GB, Error::<T>::PriceTooHigh);
			Ok(())
		}

		/// Changes a registered relayer.
		fn mutate<R>(
			relayer: &T::AccountId,
			change: impl FnOnce(&mut Relayer<T>) -> Result<R, DispatchError>,
		) -> Result<R, DispatchError> {
			Relayers::<T>::try_mutate(relayer, |r| change(r.as_mut().ok_or(Error::<T>::NotRegistered)?))
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			use frame_support::traits::fungible::InspectHold;

			let mut relayers = 0;
			for (account, relayer) in Relayers::<T>::iter() {
				relayers += 1;
				ensure!(
					relayer.bond >= T::MinBond::get() || relayer.unbonds_at.is_some(),
					"2: a bond is below the minimum"
				);
				ensure!(relayer.bond > 0, "2: a relayer without a bond");
				ensure!(
					SigningKeys::<T>::get(relayer.signing_key).as_ref() == Some(&account),
					"3: a signing key does not lead back to its relayer"
				);
				ensure!(
					Self::check(&relayer.addresses, relayer.price_per_gb).is_ok(),
					"4: a relayer's addresses or price are out of bounds"
				);
				ensure!(
					frame_system::Account::<T>::contains_key(&account),
					"1: a relayer without an account"
				);
			}
			ensure!(
				SigningKeys::<T>::iter().count() == relayers,
				"3: a signing key without a relayer"
			);
			for (account, record) in Reputations::<T>::iter() {
				ensure!(
					Relayers::<T>::contains_key(&account),
					"5: a reputation without a relayer"
				);
				ensure!(
					record.since <= record.turn && record.turn <= Self::now(),
					"5: a reputation from the future"
				);
			}
			ensure!(
				Reputations::<T>::iter_keys().count() == relayers,
				"5: a relayer without a reputation"
			);
			ensure!(
				Slashes::<T>::iter_values().all(|slashes| slashes > 0),
				"6: slashes of somebody who has none"
			);
			for who in frame_system::Account::<T>::iter_keys() {
				let bond = Relayers::<T>::get(&who).map_or(0, |r| r.bond);
				ensure!(
					T::Currency::balance_on_hold(&HoldReason::RelayerBond.into(), &who) == bond,
					"1: a bond differs from what is held"
				);
			}
			Ok(())
		}
	}
}
