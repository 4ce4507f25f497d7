//! # Fraud proofs
//!
//! Evidence against a relayer that signed for a wrong chunk, and against a broadcaster that signed two windows for one
//! place; what it costs them, and who gets it.
//!
//! ## Terms
//! - *Evidence*: signatures and hashes alone, see [`clustercast_primitives::fraud`]; no video travels to the chain.
//! - *Offence* of a relayer: one receipt of it, for one window of one viewer's session. Punished once.
//! - *Fraud window*: how long after a window began its evidence counts. A bond stays slashable for longer than that.
//!
//! ## Design
//! *Whoever follows the protocol cannot be punished.* A relayer that signs receipts only over the root that the
//! broadcaster signed has one tree in both places of the evidence: at one position of one tree stands one leaf. Two
//! headers of a broadcaster for one window change nothing in that, since the receipt names the root that it is for.
//!
//! *The penalty of a relayer* goes in half to the viewer who was served (the owner of the session that the receipt
//! names), in a quarter to the reporter, in [`Config::TreasuryPart`] to the treasury, and the rest is burnt. A viewer
//! who reports has three quarters. What would go to an account that does not exist is burnt as well. Never the
//! block's author: nobody gains by keeping evidence out of a block. *A broadcaster's* goes in half to the reporter and
//! in half to the treasury. [`Burnt`] says how much more USDC the vault holds than the chain for that reason.
//!
//! *Reporting costs nothing* when the evidence holds: the fee is returned.
//!
//! *Offences are remembered by day* of the window's start, so that a day can be forgotten by prefix once the fraud
//! window is over: from then on its evidence is refused for its age.
//!
//! ## Invariants (checked by `try_state`)
//! 1. No offence is remembered of a day that was forgotten.
//! 2. What was burnt is at most what was taken.

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

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::boxed::Box;
	use clustercast_primitives::{
		chain::PPM,
		crypto::{is_canonical, sha256, Signed, SignedMessage},
		fraud::{ChunkFraud, Equivocation, FraudError},
		receipt::SignedReceipt,
		Balance, Hash, PublicKey, StreamId, WindowId,
	};
	use codec::Encode;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Balanced, Credit, Inspect},
			tokens::imbalance::Imbalance,
			UnixTime,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_relayer_registry::Bonds;
	use pallet_stream_keys::Offences as _;
	use pallet_ticket_broker::SessionOwners;
	use sp_runtime::SaturatedConversion;

	/// Offences are remembered by spans of this many milliseconds.
	pub const DAY: u64 = 24 * 60 * 60 * 1000;

	/// Most offences forgotten in one block.
	pub const MAX_FORGOTTEN_PER_BLOCK: u32 = 1_000;

	type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;

	#[pallet::config]
	pub trait Config:
		frame_system::Config<
		RuntimeEvent: From<Event<Self>>,
		AccountId: From<[u8; 32]> + Into<[u8; 32]>,
		Hash: Into<[u8; 32]>,
	>
	{
		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance> + Balanced<Self::AccountId>;

		/// Relayers and their bonds.
		type Relayers: Bonds<Self::AccountId, Credit = CreditOf<Self>>;

		/// Stream keys and their deposits.
		type Streams: pallet_stream_keys::Offences<Credit = CreditOf<Self>>;

		/// Whose a session is.
		type Sessions: SessionOwners<Self::AccountId>;

		/// The treasury's account, if there is one.
		type Treasury: Get<Option<Self::AccountId>>;

		/// Now.
		type Time: UnixTime;

		/// How long after a window began its evidence counts, milliseconds.
		#[pallet::constant]
		type FraudWindow: Get<u64>;

		/// How far a window's start may lie ahead of the chain's clock, milliseconds.
		#[pallet::constant]
		type MaxClockSkew: Get<u64>;

		/// The treasury's part of a relayer's penalty, parts per million; at most a quarter.
		#[pallet::constant]
		type TreasuryPart: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Offences that were punished, by day and [`Pallet::offence`].
	#[pallet::storage]
	pub type Punished<T: Config> = StorageDoubleMap<_, Twox64Concat, u64, Identity, Hash, ()>;

	/// First day whose offences are not all forgotten. None before the first offence.
	#[pallet::storage]
	pub type OldestDay<T: Config> = StorageValue<_, u64>;

	/// Taken in all, micro-USDC.
	#[pallet::storage]
	pub type Taken<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Burnt in all, micro-USDC: so much more is in the vault than on the chain.
	#[pallet::storage]
	pub type Burnt<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Who got what of a penalty, micro-USDC.
	#[derive(
		Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
	)]
	pub struct Penalty {
		/// The viewer who was served; nobody for a broadcaster's penalty.
		pub viewer: Balance,
		/// Whoever brought the evidence.
		pub reporter: Balance,
		/// Treasury.
		pub treasury: Balance,
		/// Nobody.
		pub burnt: Balance,
	}

	/// What a relayer did, once.
	pub struct Offence<AccountId> {
		/// The relayer.
		pub relayer: AccountId,
		/// Day of the window's start.
		pub day: u64,
		/// [`Pallet::offence`].
		pub id: Hash,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A relayer signed for a chunk that the broadcaster did not sign.
		InvalidChunk {
			/// The relayer.
			relayer: T::AccountId,
			/// The window.
			window: WindowId,
			/// Which chunk of it, from 0.
			index: u16,
			/// Who brought the evidence.
			reporter: T::AccountId,
			/// Who got what.
			penalty: Penalty,
		},
		/// A broadcaster signed two windows for one place.
		Equivocated {
			/// The stream.
			stream: StreamId,
			/// The place.
			window: WindowId,
			/// Who brought the evidence.
			reporter: T::AccountId,
			/// Who got what.
			penalty: Penalty,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// Header and receipt are not about the same window.
		Unrelated,
		/// The header's fields contradict each other.
		BadHeader,
		/// The delivered leaf is not under the receipt's root.
		DeliveredPath,
		/// The signed leaf is not under the header's root.
		SignedPath,
		/// The chunk is what the broadcaster signed.
		SameLeaf,
		/// The headers do not contradict each other.
		NoConflict,
		/// The window began longer ago than evidence counts.
		TooOld,
		/// The window begins later than clocks can differ.
		FromTheFuture,
		/// No such stream key.
		UnknownStream,
		/// No relayer registered this signing key, or it left.
		UnknownRelayer,
		/// A header is not signed by a key of its stream; both by the same one where there are two.
		HeaderSignature,
		/// The receipt is not signed by the relayer's key.
		ReceiptSignature,
		/// This offence was punished.
		AlreadyPunished,
		/// Whoever named the signing key is flagged already, or neither owns nor rents the stream any more.
		AlreadyFlagged,
	}

	impl<T: Config> From<FraudError> for Error<T> {
		fn from(error: FraudError) -> Self {
			match error {
				FraudError::Unrelated => Self::Unrelated,
				FraudError::BadHeader => Self::BadHeader,
				FraudError::DeliveredPath => Self::DeliveredPath,
				FraudError::SignedPath => Self::SignedPath,
				FraudError::SameLeaf => Self::SameLeaf,
				FraudError::NoConflict => Self::NoConflict,
			}
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Forgets offences of days whose evidence is too old, as many as the block has weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_forget(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::FraudWindow::get() > 0, "evidence counts for a while");
			assert!(T::TreasuryPart::get() <= PPM / 4, "the parts cannot exceed the whole");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Shows that the relayer with this signing key signed for a wrong chunk. Free of charge where it holds.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::report_invalid_chunk())]
		pub fn report_invalid_chunk(
			origin: OriginFor<T>,
			relayer: PublicKey,
			evidence: Box<ChunkFraud>,
		) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report_invalid_chunk(reporter, relayer, *evidence)?;
			Ok(Pays::No.into())
		}

		/// Shows that a stream's key signed two windows for one place. Free of charge where it holds.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::report_equivocation())]
		pub fn report_equivocation(origin: OriginFor<T>, evidence: Box<Equivocation>) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report_equivocation(reporter, *evidence)?;
			Ok(Pays::No.into())
		}
	}

	/// What others may ask: whether a report would be taken. Cheap checks first.
	impl<T: Config> Pallet<T> {
		/// The offence that this evidence shows, if it holds now and was not punished.
		pub fn check_invalid_chunk(
			relayer_key: &PublicKey,
			evidence: &ChunkFraud,
		) -> Result<Offence<T::AccountId>, Error<T>> {
			evidence.check().map_err(Error::<T>::from)?;
			let header = &evidence.header.message;
			Self::check_age(header.start_ms)?;
			let day = header.start_ms / DAY;
			let id = Self::offence(relayer_key, &evidence.receipt);
			ensure!(!Punished::<T>::contains_key(day, id), Error::<T>::AlreadyPunished);
			let relayer = T::Relayers::relayer(relayer_key).ok_or(Error::<T>::UnknownRelayer)?;
			let keys = T::Streams::signing_keys(header.id.stream);
			ensure!(!keys.is_empty(), Error::<T>::UnknownStream);
			let genesis = Self::genesis();
			ensure!(
				Self::is_signed(&evidence.receipt, relayer_key, &genesis),
				Error::<T>::ReceiptSignature
			);
			ensure!(
				keys.iter().any(|key| Self::is_signed(&evidence.header, key, &genesis)),
				Error::<T>::HeaderSignature
			);
			Ok(Offence { relayer, day, id })
		}

		/// The key that signed both windows, where the evidence holds and whoever answers for it is not flagged yet.
		pub fn check_equivocation(evidence: &Equivocation) -> Result<PublicKey, Error<T>> {
			evidence.check().map_err(Error::<T>::from)?;
			let stream = evidence.first.message.id.stream;
			let keys = T::Streams::signing_keys(stream);
			ensure!(!keys.is_empty(), Error::<T>::UnknownStream);
			let genesis = Self::genesis();
			let by_one_key = keys.into_iter().find(|key| {
				Self::is_signed(&evidence.first, key, &genesis) && Self::is_signed(&evidence.second, key, &genesis)
			});
			let key = by_one_key.ok_or(Error::<T>::HeaderSignature)?;
			ensure!(T::Streams::can_flag(stream, &key), Error::<T>::AlreadyFlagged);
			Ok(key)
		}
	}

	impl<T: Config> Pallet<T> {
		fn do_report_invalid_chunk(
			reporter: T::AccountId,
			relayer_key: PublicKey,
			evidence: ChunkFraud,
		) -> DispatchResult {
			let Offence { relayer, day, id } = Self::check_invalid_chunk(&relayer_key, &evidence)?;
			let header = &evidence.header.message;
			Punished::<T>::insert(day, id, ());
			if !OldestDay::<T>::exists() {
				OldestDay::<T>::put(Self::first_kept());
			}
			let mut credit = T::Relayers::slash(&relayer);
			let whole = credit.peek();
			let viewer = T::Sessions::owner(&evidence.receipt.message.session);
			let treasury_part = whole.saturating_mul(T::TreasuryPart::get().into()) / Balance::from(PPM);
			let penalty = Penalty {
				viewer: Self::give(viewer, &mut credit, whole / 2),
				reporter: Self::give(Some(reporter.clone()), &mut credit, whole / 4),
				treasury: Self::give(T::Treasury::get(), &mut credit, treasury_part),
				burnt: credit.peek(),
			};
			Self::burn(whole, credit);
			Self::deposit_event(Event::InvalidChunk {
				relayer,
				window: header.id,
				index: evidence.index,
				reporter,
				penalty,
			});
			Ok(())
		}

		fn do_report_equivocation(reporter: T::AccountId, evidence: Equivocation) -> DispatchResult {
			let key = Self::check_equivocation(&evidence)?;
			let window = evidence.first.message.id;
			let mut credit = T::Streams::flag(window.stream, &key).ok_or(Error::<T>::AlreadyFlagged)?;
			let whole = credit.peek();
			let penalty = Penalty {
				viewer: 0,
				reporter: Self::give(Some(reporter.clone()), &mut credit, whole / 2),
				treasury: Self::give(T::Treasury::get(), &mut credit, whole - whole / 2),
				burnt: credit.peek(),
			};
			Self::burn(whole, credit);
			Self::deposit_event(Event::Equivocated {
				stream: window.stream,
				window,
				reporter,
				penalty,
			});
			Ok(())
		}

		/// Whether evidence about a window that began then counts now.
		fn check_age(start_ms: u64) -> Result<(), Error<T>> {
			let now = Self::now_ms();
			ensure!(
				start_ms <= now.saturating_add(T::MaxClockSkew::get()),
				Error::<T>::FromTheFuture
			);
			ensure!(
				now <= start_ms.saturating_add(T::FraudWindow::get()),
				Error::<T>::TooOld
			);
			Ok(())
		}

		/// First day of which evidence can still count: the last moment of each day before is too old.
		fn first_kept() -> u64 {
			Self::now_ms().saturating_sub(T::FraudWindow::get()) / DAY
		}

		/// Identifies what a relayer did: to one session, with one window.
		pub fn offence(relayer: &PublicKey, receipt: &SignedReceipt) -> Hash {
			let receipt = &receipt.message;
			sha256(&[&relayer.0, &receipt.session.0, &receipt.window.encode()])
		}

		fn is_signed<M: SignedMessage>(signed: &Signed<M>, key: &PublicKey, genesis: &Hash) -> bool {
			let payload = signed.message.signing_payload(genesis);
			is_canonical(key, &signed.signature)
				&& sp_io::crypto::ed25519_verify(&signed.signature.0.into(), &payload, &key.0.into())
		}

		/// Gives part of a credit to an account and says how much it got: all or nothing.
		fn give(who: Option<T::AccountId>, credit: &mut CreditOf<T>, amount: Balance) -> Balance {
			let Some(who) = who else { return 0 };
			match T::Currency::resolve(&who, credit.extract(amount)) {
				Ok(()) => amount,
				Err(refused) => {
					credit.subsume(refused);
					0
				},
			}
		}

		/// Burns what is left of a penalty.
		fn burn(whole: Balance, left: CreditOf<T>) {
			Taken::<T>::mutate(|taken| *taken = taken.saturating_add(whole));
			Burnt::<T>::mutate(|burnt| *burnt = burnt.saturating_add(left.peek()));
			drop(left);
		}

		/// Forgets days that are over, oldest first, as far as `meter` allows.
		pub(crate) fn do_forget(meter: &mut WeightMeter) {
			Self::forget_before(Self::first_kept(), meter);
		}

		pub(crate) fn forget_before(first_kept: u64, meter: &mut WeightMeter) {
			let base = T::WeightInfo::forget(0);
			let each = T::WeightInfo::forget(1).saturating_sub(base);
			let mut left = MAX_FORGOTTEN_PER_BLOCK;
			while meter.try_consume(base).is_ok() {
				let Some(day) = OldestDay::<T>::get().filter(|day| *day < first_kept) else {
					return;
				};
				let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
				let limit = left.min(affordable.saturated_into());
				let forgotten = Punished::<T>::iter_key_prefix(day).take(limit as usize);
				let forgotten = forgotten.map(|offence| Punished::<T>::remove(day, offence)).count() as u32;
				meter.consume(each.saturating_mul(forgotten.into()));
				left = left.saturating_sub(forgotten);
				if forgotten == limit {
					return;
				}
				OldestDay::<T>::put(day.saturating_add(1));
			}
		}

		fn now_ms() -> u64 {
			T::Time::now().as_millis().saturated_into()
		}

		fn genesis() -> Hash {
			Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into())
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			ensure!(
				Punished::<T>::iter_keys().all(|(day, _)| OldestDay::<T>::get().is_some_and(|oldest| day >= oldest)),
				"1: an offence of a day that was forgotten"
			);
			ensure!(Burnt::<T>::get() <= Taken::<T>::get(), "2: more was burnt than taken");
			Ok(())
		}
	}
}
