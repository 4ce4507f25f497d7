//! # Fraud proofs
//!
//! Evidence against a relayer that signed for a wrong chunk, and against a broadcaster whose key signed two things of which
//! one must be untrue; what it costs them, and who gets it.
//!
//! ## Terms
//! - *Evidence*: signatures and hashes alone, see [`clustercast_primitives::fraud`]; no video travels to the chain.
//! - *Offence* of a relayer: one receipt that it signed, however many chunks in it are wrong and however often it signed
//!   it. Punished once.
//! - *Fraud window*: how many blocks after the one that a receipt names its evidence counts. A bond stays slashable for
//!   longer than that.
//!
//! ## Design
//! *Whoever follows the protocol cannot be punished.* A relayer that signs receipts only for chunks as they stand in the
//! header that the receipt names by its hash has the same leaf in both places of the evidence: at one position of one
//! tree stands one leaf. Whatever else the broadcaster signs changes nothing in that.
//!
//! *A relayer answers by its receipt alone*: for the header it vouches by naming it, so that neither a stream key that was
//! forgotten nor a stream that is burnt ends what it answers for. Account and key stand in the receipt: who registers the
//! key later has nothing to do with it.
//!
//! *The penalty of a relayer* goes in half to the payer, whom the evidence names as the receipt binds it, in a quarter to
//! the reporter, in [`Config::TreasuryPart`] to the treasury, and the rest is burnt. A viewer who reports has three
//! quarters. What an account cannot receive is burnt as well. Never the block's author: nobody gains by keeping evidence
//! out of a block. *A broadcaster's* goes in half to the reporter and in half to the treasury. [`Burnt`] says how much more
//! USDC the vault holds than the chain for that reason.
//!
//! *Reporting costs nothing* when the evidence holds: the fee is returned.
//!
//! *Offences are remembered by span*, a fraud window of receipts' blocks, so that a span can be forgotten by prefix once
//! the next one is over too: from then on its evidence is refused for its age.
//!
//! ## Invariants (checked by `try_state`)
//! 1. No offence is remembered of a span that was forgotten.
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
		crypto::{is_canonical, sha256, SignedMessage},
		fraud::{ChunkFraud, Equivocation, FraudError},
		Balance, BlockNumber, Hash, PublicKey, Signature, StreamId,
	};
	use codec::Encode;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Balanced, Credit, Inspect},
			tokens::imbalance::Imbalance,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_relayer_registry::Bonds;
	use pallet_stream_keys::Offences as _;
	use sp_runtime::SaturatedConversion;

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

		/// The treasury's account, if there is one.
		type Treasury: Get<Option<Self::AccountId>>;

		/// Blocks for which evidence counts, from that which the receipt names.
		#[pallet::constant]
		type FraudWindow: Get<BlockNumber>;

		/// The treasury's part of a relayer's penalty, parts per million; at most a quarter.
		#[pallet::constant]
		type TreasuryPart: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Offences that were punished, by span and receipt's hash.
	#[pallet::storage]
	pub type Punished<T: Config> = StorageDoubleMap<_, Twox64Concat, BlockNumber, Identity, Hash, ()>;

	/// First span whose offences are not all forgotten. None before the first offence.
	#[pallet::storage]
	pub type OldestSpan<T: Config> = StorageValue<_, BlockNumber>;

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
		/// The payer who was deceived; nobody for a broadcaster's penalty.
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
		/// Span of the receipt's block.
		pub span: BlockNumber,
		/// [`clustercast_primitives::Receipt::hash`].
		pub receipt: Hash,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A relayer signed for a chunk that the broadcaster did not sign.
		InvalidChunk {
			/// The relayer.
			relayer: T::AccountId,
			/// Hash of the receipt.
			receipt: Hash,
			/// Who brought the evidence.
			reporter: T::AccountId,
			/// Who got what.
			penalty: Penalty,
		},
		/// A broadcaster signed two things of which one must be untrue.
		Equivocated {
			/// The stream.
			stream: StreamId,
			/// SHA-256 of the evidence.
			evidence: Hash,
			/// Who brought the evidence.
			reporter: T::AccountId,
			/// Who got what.
			penalty: Penalty,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The receipt is of a kind that says nothing by chunks.
		NotByChunks,
		/// The opening is not of the payer that the receipt states.
		Payer,
		/// The delivery is not under the receipt's root.
		DeliveryPath,
		/// The delivery names another header.
		Unrelated,
		/// The position is outside the delivery or the window.
		Range,
		/// The delivered leaf is not under the delivery's root.
		DeliveredPath,
		/// The signed leaf is not under the header's root.
		SignedPath,
		/// The chunk is what the header has.
		SameLeaf,
		/// What was signed does not contradict itself.
		NoConflict,
		/// The receipt's block lies further back than evidence counts.
		TooOld,
		/// The receipt's block is not there yet.
		FromTheFuture,
		/// No such stream key.
		UnknownStream,
		/// The receipt's key is not registered, or by another account than the receipt names.
		UnknownRelayer,
		/// No key of the stream signed both.
		StreamSignature,
		/// The receipt is not signed by its key.
		ReceiptSignature,
		/// This offence was punished.
		AlreadyPunished,
		/// Whoever answers for the signing key is flagged already, or gave the stream up too long ago.
		AlreadyFlagged,
	}

	impl<T: Config> From<FraudError> for Error<T> {
		fn from(error: FraudError) -> Self {
			match error {
				FraudError::NotByChunks => Self::NotByChunks,
				FraudError::Payer => Self::Payer,
				FraudError::DeliveryPath => Self::DeliveryPath,
				FraudError::Unrelated => Self::Unrelated,
				FraudError::Range => Self::Range,
				FraudError::DeliveredPath => Self::DeliveredPath,
				FraudError::SignedPath => Self::SignedPath,
				FraudError::SameLeaf => Self::SameLeaf,
				FraudError::NoConflict => Self::NoConflict,
			}
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Forgets offences of spans whose evidence is too old, as many as the block has weight left for.
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
		/// Shows that a relayer signed for a wrong chunk. Free of charge where it holds.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::report_invalid_chunk())]
		pub fn report_invalid_chunk(origin: OriginFor<T>, evidence: Box<ChunkFraud>) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report_invalid_chunk(reporter, &evidence)?;
			Ok(Pays::No.into())
		}

		/// Shows that a stream's key signed two things of which one must be untrue. Free of charge where it holds.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::report_equivocation())]
		pub fn report_equivocation(origin: OriginFor<T>, evidence: Box<Equivocation>) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report_equivocation(reporter, &evidence)?;
			Ok(Pays::No.into())
		}
	}

	/// What others may ask: whether a report would be taken. Cheap checks first.
	impl<T: Config> Pallet<T> {
		/// The offence that this evidence shows, if it holds now and was not punished.
		pub fn check_invalid_chunk(evidence: &ChunkFraud) -> Result<Offence<T::AccountId>, Error<T>> {
			let signed = &evidence.receipt;
			let receipt = &signed.message;
			Self::check_age(receipt.block)?;
			evidence.check().map_err(Error::<T>::from)?;
			let (span, id) = (Self::span_of(receipt.block), receipt.hash());
			ensure!(!Punished::<T>::contains_key(span, id), Error::<T>::AlreadyPunished);
			let relayer = T::Relayers::relayer(&receipt.key).ok_or(Error::<T>::UnknownRelayer)?;
			ensure!(
				relayer == T::AccountId::from(receipt.payee.0),
				Error::<T>::UnknownRelayer
			);
			let payload = receipt.signing_payload(&Self::genesis());
			ensure!(
				Self::is_signed(&payload, &signed.signature, &receipt.key),
				Error::<T>::ReceiptSignature
			);
			Ok(Offence {
				relayer,
				span,
				receipt: id,
			})
		}

		/// The key that signed both, where the evidence holds and whoever answers for it is not flagged yet.
		pub fn check_equivocation(evidence: &Equivocation) -> Result<PublicKey, Error<T>> {
			evidence.check().map_err(Error::<T>::from)?;
			let stream = evidence.stream();
			let keys = T::Streams::signing_keys(stream);
			ensure!(!keys.is_empty(), Error::<T>::UnknownStream);
			let signed = evidence.signed(&Self::genesis());
			let signed_both = |key: &PublicKey| {
				let mut both = signed.iter();
				both.all(|(payload, signature)| Self::is_signed(payload, signature, key))
			};
			let key = keys.into_iter().find(signed_both).ok_or(Error::<T>::StreamSignature)?;
			ensure!(T::Streams::can_flag(stream, &key), Error::<T>::AlreadyFlagged);
			Ok(key)
		}
	}

	impl<T: Config> Pallet<T> {
		fn do_report_invalid_chunk(reporter: T::AccountId, evidence: &ChunkFraud) -> DispatchResult {
			let Offence { relayer, span, receipt } = Self::check_invalid_chunk(evidence)?;
			Punished::<T>::insert(span, receipt, ());
			if !OldestSpan::<T>::exists() {
				OldestSpan::<T>::put(Self::first_kept());
			}
			let mut credit = T::Relayers::slash(&relayer);
			let whole = credit.peek();
			let viewer = T::AccountId::from(evidence.payer.account.0);
			let treasury_part = whole.saturating_mul(T::TreasuryPart::get().into()) / Balance::from(PPM);
			let penalty = Penalty {
				viewer: Self::give(Some(viewer), &mut credit, whole / 2),
				reporter: Self::give(Some(reporter.clone()), &mut credit, whole / 4),
				treasury: Self::give(T::Treasury::get(), &mut credit, treasury_part),
				burnt: credit.peek(),
			};
			Self::burn(whole, credit);
			Self::deposit_event(Event::InvalidChunk {
				relayer,
				receipt,
				reporter,
				penalty,
			});
			Ok(())
		}

		fn do_report_equivocation(reporter: T::AccountId, evidence: &Equivocation) -> DispatchResult {
			let key = Self::check_equivocation(evidence)?;
			let stream = evidence.stream();
			let mut credit = T::Streams::flag(stream, &key).ok_or(Error::<T>::AlreadyFlagged)?;
			let whole = credit.peek();
			let penalty = Penalty {
				viewer: 0,
				reporter: Self::give(Some(reporter.clone()), &mut credit, whole / 2),
				treasury: Self::give(T::Treasury::get(), &mut credit, whole - whole / 2),
				burnt: credit.peek(),
			};
			Self::burn(whole, credit);
			Self::deposit_event(Event::Equivocated {
				stream,
				evidence: sha256(&[&evidence.encode()]),
				reporter,
				penalty,
			});
			Ok(())
		}

		/// Whether evidence about a receipt of this block counts now.
		fn check_age(block: BlockNumber) -> Result<(), Error<T>> {
			let now = Self::now();
			ensure!(block <= now, Error::<T>::FromTheFuture);
			ensure!(now - block <= T::FraudWindow::get(), Error::<T>::TooOld);
			Ok(())
		}

		/// Where an offence of a receipt of this block is remembered.
		fn span_of(block: BlockNumber) -> BlockNumber {
			block.checked_div(T::FraudWindow::get()).unwrap_or_default()
		}

		/// First span of which evidence can still count: the last block of each span before is too old.
		fn first_kept() -> BlockNumber {
			Self::span_of(Self::now().saturating_sub(T::FraudWindow::get()))
		}

		fn is_signed(payload: &[u8], signature: &Signature, key: &PublicKey) -> bool {
			is_canonical(key, signature) && sp_io::crypto::ed25519_verify(&signature.0.into(), payload, &key.0.into())
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

		/// Forgets spans that are over, oldest first, as far as `meter` allows.
		pub(crate) fn do_forget(meter: &mut WeightMeter) {
			Self::forget_before(Self::first_kept(), meter);
		}

		pub(crate) fn forget_before(first_kept: BlockNumber, meter: &mut WeightMeter) {
			let base = T::WeightInfo::forget(0);
			let each = T::WeightInfo::forget(1).saturating_sub(base);
			let mut left = MAX_FORGOTTEN_PER_BLOCK;
			while meter.try_consume(base).is_ok() {
				let Some(span) = OldestSpan::<T>::get().filter(|span| *span < first_kept) else {
					return;
				};
				let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
				let limit = left.min(affordable.saturated_into());
				let forgotten = Punished::<T>::iter_key_prefix(span).take(limit as usize);
				let forgotten = forgotten.map(|offence| Punished::<T>::remove(span, offence)).count() as u32;
				meter.consume(each.saturating_mul(forgotten.into()));
				left = left.saturating_sub(forgotten);
				if forgotten == limit {
					return;
				}
				OldestSpan::<T>::put(span.saturating_add(1));
			}
		}

		fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		fn genesis() -> Hash {
			Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into())
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			ensure!(
				Punished::<T>::iter_keys().all(|(span, _)| OldestSpan::<T>::get().is_some_and(|oldest| span >= oldest)),
				"1: an offence of a span that was forgotten"
			);
			ensure!(Burnt::<T>::get() <= Taken::<T>::get(), "2: more was burnt than taken");
			Ok(())
		}
	}
}
