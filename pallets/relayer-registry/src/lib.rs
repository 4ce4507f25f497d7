//! # Relayer registry
//!
//! Bonded relayers: who they are, who may act for them, where they listen, what they ask.
//!
//! ## Terms
//! - *Relayer*: an account with a *bond*, a *signing key*, addresses and an asking price. It is named for ever by the
//!   account that registered: what is paid to it names this account, whoever acts for it later.
//! - *Payout*: the account that receives its money and owns the bond. The top authority, meant to be cold: it leaves,
//!   withdraws, and names the operator or another payout.
//! - *Operator*: the hot account. Redeems, changes addresses and price, replaces the signing key; cannot touch the bond.
//!   Both are the registering account until others are named.
//! - *Signing key*: the Ed25519 key that signs receipts. It is also the relayer's libp2p identity, so its peer id
//!   follows from it and is not stored.
//! - *Proof of possession*: a [`RelayerProof`] for the registering account, signed by the signing key, so that nobody
//!   registers another's key.
//! - *Offence*: what was proven elsewhere, behind [`Bonds`]. Costs a share of the bond.
//! - *Freeze*: from the first offence until its penalties are paid.
//! - *Unbonding*: a relayer on its way out; the bond stays held until the delay is over.
//! - *Reputation*: what a relayer was paid for since it registered, and by how many; see [`reputation`].
//!
//! ## Design
//! *The bond* is held on the payout account, and moves there when another one is named. An account may be the payout of
//! several relayers. One account a relayer, one relayer a signing key: viewers find who signed a receipt by its key alone.
//! The delay leaves time to bring a receipt against a relayer that leaves: its bond can be taken until it is withdrawn.
//!
//! *Each is changed by the one above it*, payout, then operator, then signing key, without loss of reputation or of what
//! is owed: all that is signed for a relayer names the registering account, which never changes. That account has no
//! power of its own once others are named, but for what is paid to it after it has left the registry.
//!
//! *A replaced signing key* stays tied to the relayer for [`Config::KeyMemory`]: evidence against it counts, and nobody
//! else can register it. At most [`Config::MaxPreviousKeys`] are kept, so that is how often a key can change meanwhile.
//!
//! *The first offence freezes the bond*: nothing leaves, and the payout cannot change, until the delay from then is over
//! and the penalties are paid. Each further offence takes its share of what the ones before leave. A relayer whose bond is
//! frozen is in no list. One that has lost its whole bond is removed at once: there is nothing left to secure, and nobody
//! who would come to clean up; who is left with less than the minimum is leaving.
//!
//! *Reputation* belongs to a registration: whoever leaves, or is removed, begins anew when it comes back, so neither age
//! nor earnings can be carried past a gap. Slashes belong to the account and are kept for good: leaving washes off none.
//! An offence costs a bond, so what is kept of it is paid for.
//!
//! ## Invariants (checked by `try_state`)
//! 1. What this pallet holds on an account is the sum of the bonds of the relayers whose payout it is; nothing is held for
//!    anybody else.
//! 2. Every bond is at least the minimum, or its relayer is leaving or frozen with what is left of it, which is something.
//! 3. Relayers and signing keys are two views of one relation: each relayer's keys, the replaced ones included, lead back
//!    to it, and no others do.
//! 4. Each relayer has an address; each address is UTF-8 and starts with `/`; prices are within bounds.
//! 5. Every relayer has a reputation, nobody else has one, and it began no later than now.
//! 6. Slashes are recorded of those alone who have some.
//! 7. Who is frozen owes no more than its bond.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
pub mod reputation;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod state;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Freeze, PreviousKey, Relayer};
pub use weights::WeightInfo;

use clustercast_primitives::{Balance, BlockNumber, PublicKey};

/// What a proven offence costs, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conviction {
	/// What it takes of the bond, micro-USDC; nothing where those before took all of it.
	pub penalty: Balance,
	/// First block in which penalties are paid.
	pub due: BlockNumber,
}

/// What judges of relayers need.
pub trait Bonds<AccountId> {
	/// What is taken, not yet given to anybody.
	type Credit;

	/// Who answers for this signing key; replaced ones that are still tied, and those on their way out, included.
	fn relayer(signing_key: &PublicKey) -> Option<AccountId>;

	/// Notes an offence: freezes the bond, where it is not frozen, and takes nothing yet. `None` for who is no relayer.
	fn convict(relayer: &AccountId) -> Option<Conviction>;

	/// What the offences of a frozen relayer cost that was not taken yet, micro-USDC.
	fn owed(relayer: &AccountId) -> Balance;

	/// Takes part of what is owed, as much of it as there is.
	fn take(relayer: &AccountId, amount: Balance) -> Self::Credit;

	/// Ends the freeze and takes the rest of what is owed. Whoever has nothing left is removed, whoever has too little is
	/// leaving.
	fn thaw(relayer: &AccountId) -> Self::Credit;

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
		notice::RelayerProof,
		Hash, Signature, Signed,
	};
	use core::cmp::Reverse;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{
				hold::{Balanced as BalancedHold, Mutate as MutateHold},
				Balanced, Credit, Inspect,
			},
			tokens::{imbalance::Imbalance, Fortitude, Precision, Restriction},
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

		/// Blocks between leaving and the bond's return; between the first offence and its penalty.
		#[pallet::constant]
		type UnbondDelay: Get<BlockNumber>;

		/// Blocks for which a replaced signing key stays tied: longer than evidence counts.
		#[pallet::constant]
		type KeyMemory: Get<BlockNumber>;

		/// Most replaced signing keys that are tied to a relayer at a time.
		#[pallet::constant]
		type MaxPreviousKeys: Get<u32>;

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

	/// Whose a signing key is, or was until not long ago.
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
		/// Another account receives a relayer's money and owns its bond.
		PayoutChanged {
			/// Its account.
			relayer: T::AccountId,
			/// The new one.
			payout: T::AccountId,
		},
		/// Another account acts for a relayer.
		OperatorChanged {
			/// Its account.
			relayer: T::AccountId,
			/// The new one.
			operator: T::AccountId,
		},
		/// A relayer signs with another key.
		SigningKeyChanged {
			/// Its account.
			relayer: T::AccountId,
			/// The new one.
			signing_key: PublicKey,
			/// Last block in which it answers for the one before.
			until: BlockNumber,
		},
		/// A relayer was convicted of an offence; its bond is frozen.
		Convicted {
			/// Its account.
			relayer: T::AccountId,
			/// What this offence costs, micro-USDC.
			penalty: Balance,
			/// First block in which penalties are paid.
			due: BlockNumber,
		},
		/// A relayer's penalties are paid, and its bond is no longer frozen.
		Thawed {
			/// Its account.
			relayer: T::AccountId,
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
		/// Only the relayer's payout account may do this.
		NotPayout,
		/// Only the relayer's operator or payout account may do this.
		NotOperator,
		/// This signing key is a relayer's, or was until not long ago.
		SigningKeyTaken,
		/// As many signing keys as there may be were replaced not long ago.
		TooManyKeys,
		/// The bond is frozen by an offence.
		Frozen,
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
				T::KeyMemory::get() > 0 && T::MaxPreviousKeys::get() > 0,
				"a relayer answers for the keys that it replaced"
			);
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

		/// Replaces a relayer's addresses and price. By its operator or payout.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update())]
		pub fn update(
			origin: OriginFor<T>,
			relayer: T::AccountId,
			addresses: Addresses<T>,
			price_per_gb: u64,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_update(who, relayer, addresses, price_per_gb)
		}

		/// Raises a relayer's bond. By its payout, who pays it.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::bond_extra())]
		pub fn bond_extra(origin: OriginFor<T>, relayer: T::AccountId, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_bond_extra(who, relayer, amount)
		}

		/// Begins to leave: the bond can be withdrawn after the delay. By the payout.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::unbond())]
		pub fn unbond(origin: OriginFor<T>, relayer: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unbond(who, relayer)
		}

		/// Stays after all. Fails with a bond below the minimum: raise it first. By the payout.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::cancel_unbond())]
		pub fn cancel_unbond(origin: OriginFor<T>, relayer: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel_unbond(who, relayer)
		}

		/// Leaves: returns the bond and frees the signing keys. Once the delay is over. By the payout.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw_bond())]
		pub fn withdraw_bond(origin: OriginFor<T>, relayer: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_bond(who, relayer)
		}

		/// Names another account that receives the money and owns the bond, which moves there. It needs the existential
		/// deposit of its own. By the payout so far.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::set_payout())]
		pub fn set_payout(origin: OriginFor<T>, relayer: T::AccountId, payout: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_payout(who, relayer, payout)
		}

		/// Names another account that acts for the relayer. By the payout.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::set_operator())]
		pub fn set_operator(origin: OriginFor<T>, relayer: T::AccountId, operator: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_operator(who, relayer, operator)
		}

		/// Replaces the signing key. `proof` is the new one's signature over [`RelayerProof`] for `relayer`. By the operator
		/// or payout.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::set_signing_key())]
		pub fn set_signing_key(
			origin: OriginFor<T>,
			relayer: T::AccountId,
			signing_key: PublicKey,
			proof: Signature,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_signing_key(who, relayer, signing_key, proof)
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// Relayers behind `start_after` in the storage's order, at most `limit` and never more than [`MAX_PAGE`], but for
		/// those whose bond is frozen. `start_after` may have left since: the order does not depend on who is there.
		pub fn relayers(start_after: Option<T::AccountId>, limit: u32) -> Vec<RelayerInfo> {
			let all = match start_after {
				Some(account) => Relayers::<T>::iter_from_key(account),
				None => Relayers::<T>::iter(),
			};
			all.filter(|(_, relayer)| relayer.frozen.is_none())
				.take(limit.min(MAX_PAGE) as usize)
				.map(|(account, relayer)| Self::info(account, relayer))
				.collect()
		}

		/// The relayers whose viewers paid most, those first, at most `limit` and never more than [`MAX_PAGE`]; the best of
		/// [`MAX_RANKED`]. None whose bond is frozen.
		pub fn leaderboard(limit: u32) -> Vec<RelayerInfo> {
			let limit = limit.min(MAX_PAGE) as usize;
			let is_frozen = |account: &T::AccountId| Relayers::<T>::get(account).is_none_or(|r| r.frozen.is_some());
			let mut best = BTreeSet::new();
			for (account, record) in Reputations::<T>::iter().take(MAX_RANKED as usize) {
				let rank = (Reverse(record.value), account);
				let is_behind = best.len() >= limit && best.last().is_none_or(|last| *last < rank);
				if is_behind || is_frozen(&rank.1) {
					continue;
				}
				best.insert(rank);
				if best.len() > limit {
					best.pop_last();
				}
			}
			best.into_iter()
				.filter_map(|(_, account)| Some(Self::info(account.clone(), Relayers::<T>::get(account)?)))
				.collect()
		}

		/// Whether `who` is a relayer with a bond of at least the minimum that no offence has frozen.
		pub fn is_bonded(who: &T::AccountId) -> bool {
			Relayers::<T>::get(who).is_some_and(|r| r.frozen.is_none() && r.bond >= T::MinBond::get())
		}

		/// Whether `who` may redeem what is owed to `relayer`, and release what is reserved for it: its payout or operator.
		/// An unregistered recipient has but itself; a registered one whose key was lost, and which others act for, has not.
		pub fn may_redeem(who: &T::AccountId, relayer: &T::AccountId) -> bool {
			Relayers::<T>::get(relayer).map_or(who == relayer, |r| *who == r.payout || *who == r.operator)
		}

		/// Whether `who` is the one account that acts for `relayer` day by day.
		pub fn is_operator(who: &T::AccountId, relayer: &T::AccountId) -> bool {
			Relayers::<T>::get(relayer).is_some_and(|r| *who == r.operator)
		}

		/// Who receives what is owed to `relayer`: the account itself where it is not registered.
		pub fn payout(relayer: &T::AccountId) -> T::AccountId {
			Relayers::<T>::get(relayer).map_or_else(|| relayer.clone(), |r| r.payout)
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
				payout: clustercast_primitives::AccountId(relayer.payout.into()),
				operator: clustercast_primitives::AccountId(relayer.operator.into()),
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
			let stays = |relayer: &Relayer<T>| relayer.unbonds_at.is_none() && relayer.frozen.is_none();
			Relayers::<T>::get(relayer).filter(stays)?;
			Reputations::<T>::get(relayer).map(|record| record.turn)
		}
	}

	impl<T: Config> Bonds<T::AccountId> for Pallet<T> {
		type Credit = Credit<T::AccountId, T::Currency>;

		fn relayer(signing_key: &PublicKey) -> Option<T::AccountId> {
			let relayer = SigningKeys::<T>::get(signing_key)?;
			let record = Relayers::<T>::get(&relayer)?;
			let is_tied = |previous: &PreviousKey| previous.key == *signing_key && previous.until >= Self::now();
			let answers = record.signing_key == *signing_key || record.previous_keys.iter().any(is_tied);
			answers.then_some(relayer)
		}

		fn convict(relayer: &T::AccountId) -> Option<Conviction> {
			let mut record = Relayers::<T>::get(relayer)?;
			let mut freeze = record.frozen.unwrap_or(Freeze {
				due: Self::now().saturating_add(T::UnbondDelay::get()),
				owed: 0,
			});
			let left = record.bond.saturating_sub(freeze.owed);
			let share = left.saturating_mul(T::SlashShare::get().into()) / Balance::from(PPM);
			let penalty = share.max(T::MinSlash::get()).min(left);
			freeze.owed = freeze.owed.saturating_add(penalty);
			record.frozen = Some(freeze);
			Relayers::<T>::insert(relayer, record);
			Slashes::<T>::mutate(relayer, |slashes| *slashes = slashes.saturating_add(1));
			let due = freeze.due;
			Self::deposit_event(Event::Convicted {
				relayer: relayer.clone(),
				penalty,
				due,
			});
			Some(Conviction { penalty, due })
		}

		fn owed(relayer: &T::AccountId) -> Balance {
			Relayers::<T>::get(relayer)
				.and_then(|record| record.frozen)
				.map_or(0, |freeze| freeze.owed)
		}

		fn take(relayer: &T::AccountId, amount: Balance) -> Self::Credit {
			let Some(mut record) = Relayers::<T>::get(relayer) else {
				return Credit::<T::AccountId, T::Currency>::zero();
			};
			let taken = Self::take_from(&mut record, amount);
			Relayers::<T>::insert(relayer, record);
			taken
		}

		fn thaw(relayer: &T::AccountId) -> Self::Credit {
			let Some(mut record) = Relayers::<T>::get(relayer) else {
				return Credit::<T::AccountId, T::Currency>::zero();
			};
			let taken = Self::take_from(&mut record, Balance::MAX);
			record.frozen = None;
			Self::deposit_event(Event::Thawed {
				relayer: relayer.clone(),
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
			ensure!(Self::is_free(&signing_key), Error::<T>::SigningKeyTaken);
			ensure!(Self::proves(&relayer, &signing_key, proof), Error::<T>::BadProof);
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
					payout: relayer.clone(),
					operator: relayer.clone(),
					signing_key,
					previous_keys: BoundedVec::new(),
					addresses,
					price_per_gb,
					bond,
					unbonds_at: None,
					frozen: None,
				},
			);
			Self::deposit_event(Event::Registered {
				relayer,
				signing_key,
				bond,
			});
			Ok(())
		}

		fn do_update(
			who: T::AccountId,
			relayer: T::AccountId,
			addresses: Addresses<T>,
			price_per_gb: u64,
		) -> DispatchResult {
			Self::check(&addresses, price_per_gb)?;
			Self::mutate(&relayer, |r| {
				r.check_operator(&who)?;
				r.addresses = addresses;
				r.price_per_gb = price_per_gb;
				Ok(())
			})?;
			Self::deposit_event(Event::Updated { relayer });
			Ok(())
		}

		fn do_bond_extra(who: T::AccountId, relayer: T::AccountId, amount: Balance) -> DispatchResult {
			ensure!(amount > 0, Error::<T>::ZeroAmount);
			let bond = Self::mutate(&relayer, |r| {
				r.check_owner(&who)?;
				T::Currency::hold(&HoldReason::RelayerBond.into(), &who, amount)?;
				r.bond = r
					.bond
					.checked_add(amount)
					.ok_or(sp_runtime::ArithmeticError::Overflow)?;
				Ok(r.bond)
			})?;
			Self::deposit_event(Event::BondRaised { relayer, bond });
			Ok(())
		}

		fn do_unbond(who: T::AccountId, relayer: T::AccountId) -> DispatchResult {
			let unbonds_at = Self::now().saturating_add(T::UnbondDelay::get());
			Self::mutate(&relayer, |r| {
				r.check_owner(&who)?;
				ensure!(r.unbonds_at.is_none(), Error::<T>::AlreadyUnbonding);
				r.unbonds_at = Some(unbonds_at);
				Ok(())
			})?;
			Self::deposit_event(Event::Unbonding { relayer, unbonds_at });
			Ok(())
		}

		fn do_cancel_unbond(who: T::AccountId, relayer: T::AccountId) -> DispatchResult {
			Self::mutate(&relayer, |r| {
				r.check_owner(&who)?;
				r.unbonds_at.take().ok_or(Error::<T>::NotUnbonding)?;
				ensure!(r.bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
				Ok(())
			})?;
			Self::deposit_event(Event::UnbondCancelled { relayer });
			Ok(())
		}

		fn do_withdraw_bond(who: T::AccountId, relayer: T::AccountId) -> DispatchResult {
			let record = Relayers::<T>::get(&relayer).ok_or(Error::<T>::NotRegistered)?;
			record.check_owner(&who)?;
			let unbonds_at = record.unbonds_at.ok_or(Error::<T>::NotUnbonding)?;
			ensure!(Self::now() >= unbonds_at, Error::<T>::TooEarly);
			T::Currency::release(&HoldReason::RelayerBond.into(), &who, record.bond, Precision::Exact)?;
			Self::remove(relayer, &record);
			Ok(())
		}

		fn do_set_payout(who: T::AccountId, relayer: T::AccountId, payout: T::AccountId) -> DispatchResult {
			Self::mutate(&relayer, |r| {
				r.check_owner(&who)?;
				if payout != who {
					T::Currency::transfer_on_hold(
						&HoldReason::RelayerBond.into(),
						&who,
						&payout,
						r.bond,
						Precision::Exact,
						Restriction::OnHold,
						Fortitude::Polite,
					)?;
				}
				r.payout = payout.clone();
				Ok(())
			})?;
			Self::deposit_event(Event::PayoutChanged { relayer, payout });
			Ok(())
		}

		fn do_set_operator(who: T::AccountId, relayer: T::AccountId, operator: T::AccountId) -> DispatchResult {
			Self::mutate(&relayer, |r| {
				ensure!(r.payout == who, Error::<T>::NotPayout);
				r.operator = operator.clone();
				Ok(())
			})?;
			Self::deposit_event(Event::OperatorChanged { relayer, operator });
			Ok(())
		}

		fn do_set_signing_key(
			who: T::AccountId,
			relayer: T::AccountId,
			signing_key: PublicKey,
			proof: Signature,
		) -> DispatchResult {
			let mut record = Relayers::<T>::get(&relayer).ok_or(Error::<T>::NotRegistered)?;
			record.check_operator(&who)?;
			ensure!(Self::is_free(&signing_key), Error::<T>::SigningKeyTaken);
			ensure!(Self::proves(&relayer, &signing_key, proof), Error::<T>::BadProof);
			// Read again: one of its own replaced keys may have been freed.
			record = Relayers::<T>::get(&relayer).ok_or(Error::<T>::NotRegistered)?;
			Self::free_keys(&mut record);
			let until = Self::now().saturating_add(T::KeyMemory::get());
			let key = core::mem::replace(&mut record.signing_key, signing_key);
			record
				.previous_keys
				.try_push(PreviousKey { key, until })
				.map_err(|_| Error::<T>::TooManyKeys)?;
			SigningKeys::<T>::insert(signing_key, &relayer);
			Relayers::<T>::insert(&relayer, record);
			Self::deposit_event(Event::SigningKeyChanged {
				relayer,
				signing_key,
				until,
			});
			Ok(())
		}

		/// Forgets a relayer that has nothing bonded any more, but for its slashes.
		fn remove(relayer: T::AccountId, record: &Relayer<T>) {
			let previous = record.previous_keys.iter().map(|previous| previous.key);
			previous.chain([record.signing_key]).for_each(SigningKeys::<T>::remove);
			Reputations::<T>::remove(&relayer);
			Relayers::<T>::remove(&relayer);
			Self::deposit_event(Event::Left {
				relayer,
				bond: record.bond,
			});
		}

		/// Unties replaced keys whose time is over.
		fn free_keys(record: &mut Relayer<T>) {
			let now = Self::now();
			record.previous_keys.retain(|previous| {
				let is_tied = previous.until >= now;
				if !is_tied {
					SigningKeys::<T>::remove(previous.key);
				}
				is_tied
			});
		}

		/// Whether nobody has this signing key; unties it where its time is over.
		fn is_free(signing_key: &PublicKey) -> bool {
			if let Some(relayer) = SigningKeys::<T>::get(signing_key) {
				Relayers::<T>::mutate(relayer, |record| record.as_mut().map(Self::free_keys));
			}
			!SigningKeys::<T>::contains_key(signing_key)
		}

		/// Takes from a bond, and from what it owes, at most `amount`.
		fn take_from(record: &mut Relayer<T>, amount: Balance) -> Credit<T::AccountId, T::Currency> {
			let Some(freeze) = &mut record.frozen else {
				return Credit::<T::AccountId, T::Currency>::zero();
			};
			let amount = amount.min(freeze.owed);
			let (taken, missing) = T::Currency::slash(&HoldReason::RelayerBond.into(), &record.payout, amount);
			debug_assert!(missing == 0, "the bond is held; qed");
			freeze.owed = freeze.owed.saturating_sub(amount);
			record.bond = record.bond.saturating_sub(taken.peek());
			taken
		}

		pub(crate) fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		/// Whether `proof` is the signing key's signature over `relayer` for this chain.
		fn proves(relayer: &T::AccountId, signing_key: &PublicKey, proof: Signature) -> bool {
			let genesis = Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into());
			let account = clustercast_primitives::AccountId(relayer.clone().into());
			let proof = Signed {
				message: RelayerProof { account },
				signature: proof,
			};
			clustercast_verify::is_signed(&proof, signing_key, &genesis)
		}

		/// Whether addresses and price are within bounds.
		pub(crate) fn check(addresses: &Addresses<T>, price_per_gb: u64) -> Result<(), Error<T>> {
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
	}
}
