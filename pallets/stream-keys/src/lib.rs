//! # Stream keys
//!
//! Who may sign a stream, what it is called, what it costs and how its tickets are split; and the trade in these rights.
//!
//! ## Terms
//! - *Stream key*: a numbered right to a stream. Its owner chooses the Ed25519 *signing key* for window headers, the
//!   texts that people see, and the *terms*: the price, how far above it relayers may go (*surge bound*), and the
//!   *broadcaster share*, parts per million of every ticket paid for the stream.
//! - *Broadcaster*: the owner, or whoever rents the key. Signs and names the stream.
//! - *Era*: a row of blocks in which payments for a stream are split in one way: one payee, share and price bound. Eras
//!   are counted. *Boundary*: the first block of an era.
//! - *Deposit*: held on the owner while the key exists, and another one on the renter while it is rented. It grows with
//!   what its account earns, and stays for [`Config::KeyMemory`] after the key was burnt, given, sold or returned.
//! - *Royalty*: the treasury's part of a price that a key is bought or rented for, rounded down.
//!
//! ## Design
//! Numbers are handed out in order and never used again, so that a ticket, a receipt or a header of a burnt key cannot
//! come to mean another stream. Deposits bound state, and as a side effect keep accounts alive: an account with a hold
//! cannot be reaped, so whoever is owed a broadcaster share can always receive it.
//!
//! *How a payment is split depends on its era alone*, so on (stream, counter), and not on when it is redeemed, nor on what
//! anybody does after it was signed. An era lasts for [`Config::ChangeDelay`] at least (but the first one, which begins
//! with the key), and as long after its end it is remembered: longer than a ticket lives. So two eras are all that is ever
//! looked back on, and a relayer has always that long to redeem what was signed under the one before. A ticket is judged
//! by the block in which it can have been signed ([`Streams::payee`]), a voucher by the counter that it names
//! ([`Streams::payee_under`]).
//!
//! *Boundaries.* Other terms, and the end of a key, begin [`Config::ChangeDelay`] after they were announced, in whichever
//! direction, so that relayers can follow. Another payee begins at once where the era has lasted long enough, and otherwise
//! as soon as it has, or with the boundary that is coming anyway. *Whoever buys or is given a key owns it at once*, signs
//! with it, answers for it and decides on it; who was paid is paid until the boundary, and no later than that. The other
//! way, to refuse a sale or a gift until a boundary is free, would let an owner block buyers for ever by announcing
//! something each time; moving the boundary would end eras early, and with them what was promised under them. So nothing is
//! refused, and what a buyer can lose is known beforehand: the share of [`Config::ChangeDelay`] at most, in which it need
//! not broadcast. Only an owner can put its own boundary off, by announcing other terms. A rental begins and ends with an
//! era, so it lasts for one at least.
//!
//! *A sale* holds a deposit of the buyer. *A transfer* takes one of the giver's money along, so that nobody's money is held
//! by a stranger's gift, and names the key that signs from then on, as a sale does. Offers and announcements of the owner
//! before end with both.
//!
//! *A rental* lasts as long as was agreed: the owner can sell the key meanwhile, but neither burn it nor change its
//! terms. It ends by itself, since who broadcasts is computed from the block number. Whoever buys or rents names the worst
//! that they accept: price, period, and a rental that runs already.
//!
//! *Rotation* keeps the keys before: what they signed stays verifiable, and provable. At most [`Config::MaxPreviousKeys`]
//! are kept, and none is forgotten before [`Config::KeyMemory`], so that nobody rotates away from an offence. Room for the
//! renter's key and for one of the owner's is left by whatever a renter does.
//!
//! *A key that signed two windows for one place* costs whoever answers for it the deposit, but for what keeps the account
//! alive. Who signed is judged elsewhere, behind [`Offences`]. The owner answers for what signs while nobody rents, whoever
//! chose it, the renter for the rental's, and who was one of them before for what they named: with the deposit that stays
//! behind. So neither giving, selling, renting out nor burning a key leads away from an offence, and a buyer does not pay
//! for what the seller signed. An owner's offence flags the key for good, a renter's the rental; a flagged key is neither
//! sold nor rented out.
//!
//! *The penalty grows with what was earned*: [`Config::EarningsKept`] of each share that is paid out is held on top of the
//! deposit, until that is [`Config::MaxDeposit`]; from then on a payment writes nothing here.
//!
//! `ticket-broker` learns payee and terms through [`Streams`] and knows nothing else of this pallet.
//!
//! Why not `pallet-nfts`: its 39 calls let strangers make collections, items, attributes and approvals, none of which a
//! stream has, while nothing in it knows of rentals, of a payee, or of terms that outlive an owner; its transfers and
//! locks would have to be closed one by one.
//!
//! ## Invariants (checked by `try_state`)
//! 1. The deposits recorded of owners, renters and those before add up to what this pallet holds, for every account.
//! 2. Every key's number is below the next number.
//! 3. Title and category are UTF-8; price, surge bound and broadcaster share are within bounds.
//! 4. Signing keys were replaced in the past, and a renter's finds room when it is replaced, as does its deposit.
//! 5. A rental lasts for an era at least and no longer than it may; so does an offer of one.
//! 6. What falls due is listed, once for each key, for the first block in which something does.
//! 7. A flagged key is not on offer.
//! 8. Eras follow each other no sooner than they may, not even within a rental, and in the last one the owner is paid.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod broadcast;
#[cfg(test)]
mod mock;
mod ownership;
mod rental;
#[cfg(any(feature = "try-runtime", test))]
mod state;
mod terms;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{About, Culprit, Era, Former, PreviousKey, Rental, StreamKey, Text};
pub use weights::WeightInfo;

use alloc::vec::Vec;
use clustercast_primitives::{Balance, BlockNumber, PublicKey, StreamId};

/// Who is paid for a stream besides the relayer, and how much the relayer may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee<AccountId> {
	/// Receives the broadcaster's share.
	pub account: AccountId,
	/// The broadcaster's share, parts per million of the face value.
	pub share_ppm: u32,
	/// Highest price, micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Counts the eras before: one more with each other payee, share or price bound that came into force.
	pub terms: u32,
}

/// What judges of broadcasters need.
pub trait Offences {
	/// What is taken, not yet given to anybody.
	type Credit;

	/// Keys that signed or may sign this stream: the current one first. Empty where there is no such stream.
	fn signing_keys(stream: StreamId) -> Vec<PublicKey>;

	/// Most keys that [`Offences::signing_keys`] returns.
	fn max_signing_keys() -> u32;

	/// Whether [`Offences::flag`] would.
	fn can_flag(stream: StreamId, key: &PublicKey) -> bool;

	/// Marks whoever answers for this key of a stream, and takes their deposit. `None` where they are marked already, or
	/// gave the stream up longer ago than its keys are remembered.
	fn flag(stream: StreamId, key: &PublicKey) -> Option<Self::Credit>;
}

/// What the payment side needs to know of streams.
pub trait Streams<AccountId> {
	/// Upper bound of every [`Payee::share_ppm`].
	fn max_share_ppm() -> u32;

	/// Blocks for which [`Streams::payee`] and [`Streams::payee_under`] remember what was.
	fn memory() -> BlockNumber;

	/// Who is paid for what was signed in block `at`, which is no further back than [`Streams::memory`] and not ahead, and
	/// on which terms; `None` where there is no such stream, or was none any more.
	fn payee(stream: StreamId, at: BlockNumber) -> Option<Payee<AccountId>>;

	/// Who is paid for what was signed under these terms, counted as in [`Payee::terms`], if they are in force or ended less
	/// than [`Streams::memory`] blocks ago; with the first block in which they were not in force any more, `None` while
	/// they are. The same share and price for ever, and the same account as long as that exists.
	fn payee_under(stream: StreamId, terms: u32) -> Option<(Payee<AccountId>, Option<BlockNumber>)>;

	/// Tells what a payee was just paid for a stream, micro-USDC, once for each stream and payee of a batch: a part of it,
	/// which must be on the account, is kept as a deposit. Never fails.
	fn earned(stream: StreamId, payee: &AccountId, amount: Balance);

	/// Makes a stream owned by `owner`, with the largest share and the highest price.
	#[cfg(feature = "runtime-benchmarks")]
	fn create(owner: &AccountId) -> StreamId;

	/// The same, with as many replaced keys as are kept, of which `key` is the oldest.
	#[cfg(feature = "runtime-benchmarks")]
	fn create_rotated(owner: &AccountId, key: PublicKey) -> StreamId;
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use clustercast_primitives::chain::{RentOffer, StreamTerms, TermsChange, PPM};
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{
			hold::{Balanced as BalancedHold, Mutate as MutateHold},
			Balanced, Inspect, Mutate,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use sp_runtime::SaturatedConversion;

	/// Most keys of which something is cleaned up in one block's idle time.
	pub const MAX_SETTLED_PER_BLOCK: u32 = 256;

	#[pallet::config]
	pub trait Config:
		frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId: From<[u8; 32]> + Into<[u8; 32]>>
	{
		/// The runtime's hold reason, made from this pallet's.
		type RuntimeHoldReason: From<HoldReason>;

		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Balanced<Self::AccountId>
			+ Mutate<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId>;

		/// Receives royalties.
		type Treasury: Get<Option<Self::AccountId>>;

		/// Held on the owner while a key exists, and on who rents it, at the least, micro-USDC.
		#[pallet::constant]
		type MintDeposit: Get<Balance>;

		/// What that grows to with what was earned, micro-USDC.
		#[pallet::constant]
		type MaxDeposit: Get<Balance>;

		/// Part of each broadcaster's share that is kept until then, parts per million.
		#[pallet::constant]
		type EarningsKept: Get<u32>;

		/// The treasury's part of a price that a key is bought or rented for, parts per million.
		#[pallet::constant]
		type Royalty: Get<u32>;

		/// Blocks from announcing other terms, or the end of a key, until that is in force; that an era lasts at least; and for
		/// which it is remembered. No shorter than a ticket's life.
		#[pallet::constant]
		type ChangeDelay: Get<BlockNumber>;

		/// Longest rental, blocks.
		#[pallet::constant]
		type MaxRental: Get<BlockNumber>;

		/// Most replaced signing keys that are kept.
		#[pallet::constant]
		type MaxPreviousKeys: Get<u32>;

		/// Blocks for which a replaced signing key is kept at least, and whoever named it answers for it.
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

		/// Largest surge bound, parts per million of the price.
		#[pallet::constant]
		type MaxSurge: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a stream key, owned or rented.
		#[codec(index = 0)]
		StreamKey,
	}

	/// Stream keys by number.
	#[pallet::storage]
	pub type StreamKeys<T: Config> = StorageMap<_, Twox64Concat, StreamId, StreamKey<T>>;

	/// Number of the next stream key.
	#[pallet::storage]
	pub type NextStream<T: Config> = StorageValue<_, StreamId, ValueQuery>;

	/// Keys of which something falls due in a block.
	#[pallet::storage]
	pub type Due<T: Config> = StorageDoubleMap<_, Twox64Concat, BlockNumber, Twox64Concat, StreamId, ()>;

	/// First block of which not all that falls due is cleaned up.
	#[pallet::storage]
	pub type OldestDue<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

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
		/// What people see of a stream changed.
		Updated {
			/// The stream key's number.
			id: StreamId,
		},
		/// Another key signs the stream from now on; if the owner named it while the key is rented, from then on.
		SigningKeySet {
			/// The stream key's number.
			id: StreamId,
			/// The new signing key.
			key: PublicKey,
		},
		/// Other terms, or the end of a stream key, were announced, or taken back.
		ChangeAnnounced {
			/// The stream key's number.
			id: StreamId,
			/// What changes and when; `None`: nothing does.
			change: Option<TermsChange>,
		},
		/// Somebody signed two windows for one place.
		Flagged {
			/// The stream key's number.
			id: StreamId,
			/// Its owner, its renter, or who was one of them.
			who: T::AccountId,
			/// Taken from the deposit, micro-USDC.
			slashed: Balance,
		},
		/// A stream key is gone and its deposit returned.
		Burnt {
			/// Its number.
			id: StreamId,
			/// Who owned it.
			owner: T::AccountId,
		},
		/// A stream key was given to another account.
		Transferred {
			/// Its number.
			id: StreamId,
			/// Who owned it.
			from: T::AccountId,
			/// Its owner.
			to: T::AccountId,
		},
		/// A stream key is for sale, or is no more.
		Listed {
			/// Its number.
			id: StreamId,
			/// Its price, micro-USDC.
			price: Option<Balance>,
		},
		/// A stream key was sold.
		Sold {
			/// Its number.
			id: StreamId,
			/// Who owned it.
			from: T::AccountId,
			/// Its owner.
			to: T::AccountId,
			/// What the buyer paid, micro-USDC.
			price: Balance,
			/// The treasury's part of it, micro-USDC.
			royalty: Balance,
		},
		/// A stream key can be rented, or no more.
		RentSet {
			/// Its number.
			id: StreamId,
			/// On these terms.
			offer: Option<RentOffer>,
		},
		/// A stream key was rented.
		Rented {
			/// Its number.
			id: StreamId,
			/// Who broadcasts with it.
			renter: T::AccountId,
			/// From this block on.
			from: BlockNumber,
			/// First block in which the owner does again.
			until: BlockNumber,
			/// What the renter paid, micro-USDC.
			price: Balance,
			/// The treasury's part of it, micro-USDC.
			royalty: Balance,
		},
		/// The deposit of a former owner or renter was returned.
		Returned {
			/// The stream key's number.
			id: StreamId,
			/// Who owned or rented it.
			who: T::AccountId,
			/// Micro-USDC.
			deposit: Balance,
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
		/// Surge bound below the price itself, or above the maximum.
		SurgeOutOfBounds,
		/// As many signing keys were replaced of late, or as many deposits stayed behind, as are kept.
		TooManyRotations,
		/// No numbers left.
		TooManyStreams,
		/// Other terms, or the end of the key, are announced.
		ChangeAnnounced,
		/// The stream key is rented, or about to be.
		StillRented,
		/// The account has the stream key already.
		SameOwner,
		/// The stream key is not for sale.
		NotForSale,
		/// The stream key is not for rent.
		NotForRent,
		/// The price is above what the caller accepts.
		AboveMaxPrice,
		/// The stream key is rented for longer than the caller accepts.
		RentedTooLong,
		/// The period of a rental is shorter than an era, or longer than the maximum.
		BadPeriod,
		/// The period is shorter than the caller accepts.
		PeriodTooShort,
		/// The owner signed two windows for one place.
		IsFlagged,
		/// There is no treasury to receive the royalty.
		NoTreasury,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Cleans up what is over, as much as the block has weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_settle(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::MaxBroadcasterShare::get() <= PPM, "a share cannot exceed the whole");
			assert!(T::Royalty::get() <= PPM, "a royalty cannot exceed the price");
			assert!(T::MaxSurge::get() >= PPM, "a surge bound allows the price itself");
			assert!(
				T::MintDeposit::get() >= T::Currency::minimum_balance(),
				"the mint deposit must be worth an account"
			);
			assert!(T::EarningsKept::get() <= PPM, "no more is kept than was earned");
			assert!(
				T::MaxDeposit::get() >= T::MintDeposit::get(),
				"a deposit does not shrink"
			);
			assert!(
				T::ChangeDelay::get() > 0 && T::MaxRental::get() >= T::ChangeDelay::get(),
				"periods have blocks, and a rental lasts for an era"
			);
			assert!(
				T::KeyMemory::get() >= T::ChangeDelay::get(),
				"a deposit stays as long as what was in force is remembered"
			);
			assert!(
				T::MaxPreviousKeys::get() >= 2,
				"owner and renter can each replace a signing key"
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
			terms: StreamTerms,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			let about = About {
				title,
				category,
				max_viewers,
			};
			Self::do_mint(owner, signing_key, about, terms).map(|_| ())
		}

		/// Replaces what people see of a stream. Its broadcaster, and its owner while it is rented for afterwards.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update())]
		pub fn update(
			origin: OriginFor<T>,
			id: StreamId,
			title: Text<T::MaxTitle>,
			category: Text<T::MaxCategory>,
			max_viewers: u32,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let about = About {
				title,
				category,
				max_viewers,
			};
			Self::do_update(who, id, about)
		}

		/// Replaces the key that signs the stream. Its broadcaster, and its owner while it is rented for afterwards.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_signing_key())]
		pub fn set_signing_key(origin: OriginFor<T>, id: StreamId, key: PublicKey) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_signing_key(who, id, key)
		}

		/// Announces the end of a stream key: after `ChangeDelay` nothing is paid for what is signed from then on, and
		/// `KeyMemory` after that the deposit is returned. Until it is in force, `set_terms` takes it back. Only its owner,
		/// and not while it is rented.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::burn())]
		pub fn burn(origin: OriginFor<T>, id: StreamId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_announce(who, id, None)
		}

		/// Announces other terms: they are in force after `ChangeDelay`. Replaces what was announced and is not in force
		/// yet; the terms that are in force take it back. Only its owner, and not while it is rented.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::set_terms())]
		pub fn set_terms(origin: OriginFor<T>, id: StreamId, terms: StreamTerms) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::check_terms(&terms)?;
			Self::do_announce(who, id, Some(terms))
		}

		/// Gives a stream key with a deposit of the caller's to another account, which must exist, and which answers for
		/// `signing_key` from then on. The caller's own deposit is returned after `KeyMemory`. Only its owner.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::transfer())]
		pub fn transfer(
			origin: OriginFor<T>,
			id: StreamId,
			to: T::AccountId,
			signing_key: PublicKey,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_transfer(who, id, to, signing_key)
		}

		/// Offers a stream key for sale, micro-USDC, or no longer. Only its owner.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::list())]
		pub fn list(origin: OriginFor<T>, id: StreamId, price: Option<Balance>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_list(who, id, price)
		}

		/// Buys a stream key that is for sale: the price goes to its owner, less the royalty, and the caller's deposit is
		/// held. It signs with `signing_key` from then on; if it is rented, when the rental is over. The caller is paid from
		/// the next boundary on. Fails where the price is above `max_price`, or a rental runs beyond block
		/// `max_rented_until`.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::buy())]
		pub fn buy(
			origin: OriginFor<T>,
			id: StreamId,
			signing_key: PublicKey,
			max_price: Balance,
			max_rented_until: BlockNumber,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_buy(who, id, signing_key, max_price, max_rented_until)
		}

		/// Offers a stream key for rent, to one renter after the other, or no longer. Only its owner. A rental that runs
		/// goes on.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::set_rent())]
		pub fn set_rent(origin: OriginFor<T>, id: StreamId, offer: Option<RentOffer>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_rent(who, id, offer)
		}

		/// Rents a stream key: the price goes to its owner, less the royalty, and the caller's deposit is held. The caller
		/// broadcasts, with `signing_key`, and is paid from the next boundary on, this block if it can be one, until the
		/// period is over. Fails where the price is above `max_price`, or the period shorter than `min_blocks`.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::rent())]
		pub fn rent(
			origin: OriginFor<T>,
			id: StreamId,
			signing_key: PublicKey,
			max_price: Balance,
			min_blocks: BlockNumber,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_rent(who, id, signing_key, max_price, min_blocks)
		}
	}

	impl<T: Config> Pallet<T> {
		/// Changes a key that exists, after it was brought to this block.
		pub(crate) fn mutate<R>(
			id: StreamId,
			change: impl FnOnce(&mut StreamKey<T>, BlockNumber) -> Result<R, DispatchError>,
		) -> Result<R, DispatchError> {
			let mut key = StreamKeys::<T>::get(id).ok_or(Error::<T>::UnknownStream)?;
			let (due, now) = (key.due(), Self::now());
			Self::advance(&mut key, now)?;
			ensure!(key.era.terms.is_some(), Error::<T>::UnknownStream);
			let result = change(&mut key, now)?;
			Self::store(id, due, key);
			Ok(result)
		}

		/// Writes a key that fell due in block `due_before` until now.
		pub(crate) fn store(id: StreamId, due_before: Option<BlockNumber>, key: StreamKey<T>) {
			let due = key.due();
			if due != due_before {
				due_before.into_iter().for_each(|block| Due::<T>::remove(block, id));
				due.into_iter().for_each(|block| Due::<T>::insert(block, id, ()));
			}
			StreamKeys::<T>::insert(id, key);
		}

		/// The block that is being made.
		pub(crate) fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}
	}
}
