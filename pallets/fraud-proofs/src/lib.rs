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
//! - *Case*: the offences of a relayer from the first one, which freezes its bond, until their penalties are paid.
//! - *Claim*: what the payer of one of these receipts may get, at most [`REFUND`] times the receipt's price.
//!
//! ## Design
//! *Whoever follows the protocol cannot be punished.* A relayer that signs receipts only for chunks as they stand in the
//! header that the receipt names by its hash has the same leaf in both places of the evidence: at one position of one
//! tree stands one leaf. Whatever else the broadcaster signs changes nothing in that.
//!
//! *A relayer answers by its receipt alone*: for the header it vouches by naming it, so that neither a stream key that was
//! forgotten nor a stream that is burnt ends what it answers for. Account, key and payer stand in the receipt: who
//! registers the key later, or a session, has nothing to do with it.
//!
//! *Nobody is paid before the time is over in which all who were deceived can come.* The first offence freezes the bond,
//! and opens a case. When the delay is over, offences and claims are what they are, and idle blocks pay: of the whole
//! penalty at most [`VIEWERS_PPM`] to the payers, [`REPORTERS_PPM`] of what an offence cost to who reported it,
//! [`Config::TreasuryPart`] to the treasury; the rest, and what an account cannot receive, is burnt. So who is relayer,
//! viewer, reporter and broadcaster in one gets back at most half. Never the block's author: nobody gains by keeping
//! evidence out of a block.
//!
//! *Sham receipts do not dilute a true one.* Each payer gets what it claims up to one bound for all ([`claims`]), so
//! that only as many claims as the payers' part has room for, each at least as large, take anything from one; and those
//! cost a fee each: *reporting is free of charge* only where the offence takes something from the bond, which few do.
//!
//! *A broadcaster's* penalty goes in half to the reporter and in half to the treasury, at once. [`Burnt`] says how much
//! more USDC the vault holds than the chain for all penalties.
//!
//! *Offences are remembered by span*, a fraud window of receipts' blocks, so that a span can be forgotten by prefix once
//! the next one is over too: from then on its evidence is refused for its age.
//!
//! ## Invariants (checked by `try_state`)
//! 1. No offence is remembered of a span that was forgotten.
//! 2. What was burnt is at most what was taken.
//! 3. The cases from the oldest to the next number are all there, each of another relayer, and no others; they are due in
//!    this order.
//! 4. Claims are of a case; one that pays nothing yet counts all of its own.
//! 5. What the claims of a case will get, and those who reported them, is at most what its relayer owes.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod claims;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

use clustercast_primitives::{chain::PPM, Balance};

/// Most that the payer of a receipt gets back, as a multiple of the receipt's price.
pub const REFUND: Balance = 100;

/// Most that all payers of a case get together, parts per million of its penalty.
pub const VIEWERS_PPM: u32 = 375_000;

/// What a reporter gets, parts per million of what the offence cost.
pub const REPORTERS_PPM: u32 = 125_000;

const _: () = assert!(
	VIEWERS_PPM + REPORTERS_PPM <= PPM / 2,
	"one who is all of them gets back at most half"
);

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::claims::Levels;
	use alloc::{boxed::Box, vec::Vec};
	use clustercast_primitives::{
		amount::{cost, share},
		crypto::sha256,
		fraud::{ChunkFraud, Equivocation, FraudError},
		receipt::MAX_BLOCKS_AHEAD,
		BlockNumber, Hash, PublicKey, StreamId,
	};
	use clustercast_upkeep::work_off;
	use clustercast_verify::{is_signature, is_signed};
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
	use pallet_relayer_registry::{Bonds, Conviction};
	use pallet_stream_keys::Offences as _;
	use sp_runtime::SaturatedConversion;

	/// Most offences forgotten in one block.
	pub const MAX_FORGOTTEN_PER_BLOCK: u32 = 1_000;

	/// Most claims paid in one block.
	pub const MAX_PAID_PER_BLOCK: u32 = 200;

	/// Number of a case, in the order in which they were opened.
	pub type CaseId = u32;

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

		/// The treasury's part of a penalty, parts per million; at most half.
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

	/// Cases whose penalties are not all paid.
	#[pallet::storage]
	pub type Cases<T: Config> = StorageMap<_, Twox64Concat, CaseId, Case<T::AccountId>>;

	/// A relayer's case.
	#[pallet::storage]
	pub type CaseOf<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, CaseId>;

	/// Claims by case and receipt's hash.
	#[pallet::storage]
	pub type Claims<T: Config> = StorageDoubleMap<_, Twox64Concat, CaseId, Identity, Hash, Claim<T::AccountId>>;

	/// The first case that is not closed.
	#[pallet::storage]
	pub type OldestCase<T: Config> = StorageValue<_, CaseId, ValueQuery>;

	/// The next one to be opened.
	#[pallet::storage]
	pub type NextCase<T: Config> = StorageValue<_, CaseId, ValueQuery>;

	/// Who got what of a penalty, micro-USDC.
	#[derive(
		Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
	)]
	pub struct Penalty {
		/// The payers who were deceived; nobody for a broadcaster's penalty.
		pub viewers: Balance,
		/// Whoever brought the evidence.
		pub reporters: Balance,
		/// Treasury.
		pub treasury: Balance,
		/// Nobody.
		pub burnt: Balance,
	}

	/// The offences of a relayer whose bond is frozen.
	#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Case<AccountId> {
		/// The relayer.
		pub relayer: AccountId,
		/// First block in which it pays.
		pub due: BlockNumber,
		/// What is claimed.
		pub levels: Levels,
		/// What each payer gets at most, micro-USDC, once the first is paid.
		pub most_each: Option<Balance>,
		/// Who got what so far.
		pub paid: Penalty,
	}

	/// What is due for one offence.
	#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Claim<AccountId> {
		/// Whom the receipt binds as its payer.
		pub viewer: AccountId,
		/// Most that it gets, micro-USDC.
		pub amount: Balance,
		/// Who brought the evidence.
		pub reporter: AccountId,
		/// What that brings, micro-USDC.
		pub reward: Balance,
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
			/// What it costs the relayer, micro-USDC.
			penalty: Balance,
			/// First block in which it is paid.
			due: BlockNumber,
		},
		/// For an offence was paid what there was for it.
		Compensated {
			/// Hash of the receipt.
			receipt: Hash,
			/// To its payer, micro-USDC.
			viewer: Balance,
			/// To who brought the evidence, micro-USDC.
			reporter: Balance,
		},
		/// All penalties of a relayer are paid.
		Settled {
			/// The relayer.
			relayer: T::AccountId,
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
		/// The receipt's block lies further ahead than viewers take it.
		FromTheFuture,
		/// No such stream key.
		UnknownStream,
		/// The account that the receipt names has no relayer with the receipt's key.
		UnknownRelayer,
		/// The key is none of the stream, or did not sign both.
		StreamSignature,
		/// The receipt is not signed by its key.
		ReceiptSignature,
		/// This offence was punished.
		AlreadyPunished,
		/// Whoever answers for the signing key is flagged already, or gave the stream up too long ago.
		AlreadyFlagged,
		/// What the relayer did is being paid for just now: what else it did can be reported behind that.
		Settling,
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
		/// Pays the penalties that are due, and forgets offences of spans whose evidence is too old, as many as the block has
		/// weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_settle(&mut meter);
			Self::do_forget(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::FraudWindow::get() > 0, "evidence counts for a while");
			assert!(T::TreasuryPart::get() <= PPM / 2, "the parts cannot exceed the whole");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Shows that a relayer signed for a wrong chunk. Free of charge where it holds and costs the relayer something.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::report_invalid_chunk())]
		pub fn report_invalid_chunk(origin: OriginFor<T>, evidence: Box<ChunkFraud>) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			let penalty = Self::do_report_invalid_chunk(reporter, &evidence)?;
			Ok(match penalty {
				0 => Pays::Yes,
				_ => Pays::No,
			}
			.into())
		}

		/// Shows that `key` of a stream signed two things of which one must be untrue. Free of charge where it holds.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::report_equivocation())]
		pub fn report_equivocation(
			origin: OriginFor<T>,
			key: PublicKey,
			evidence: Box<Equivocation>,
		) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report_equivocation(reporter, &key, &evidence)?;
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
			let case = CaseOf::<T>::get(&relayer).and_then(Cases::<T>::get);
			ensure!(case.is_none_or(|case| case.most_each.is_none()), Error::<T>::Settling);
			ensure!(
				is_signed(signed, &receipt.key, &Self::genesis()),
				Error::<T>::ReceiptSignature
			);
			Ok(Offence {
				relayer,
				span,
				receipt: id,
			})
		}

		/// Whether the evidence holds against this key, and whoever answers for it is not flagged yet. At most two
		/// verifications, none for a key that is not the stream's.
		pub fn check_equivocation(key: &PublicKey, evidence: &Equivocation) -> Result<(), Error<T>> {
			evidence.check().map_err(Error::<T>::from)?;
			let stream = evidence.stream();
			let keys = T::Streams::signing_keys(stream);
			ensure!(!keys.is_empty(), Error::<T>::UnknownStream);
			ensure!(keys.contains(key), Error::<T>::StreamSignature);
			ensure!(T::Streams::can_flag(stream, key), Error::<T>::AlreadyFlagged);
			let signed = evidence.signed(&Self::genesis());
			let mut both = signed.iter();
			ensure!(
				both.all(|(payload, signature)| is_signature(payload, signature, key)),
				Error::<T>::StreamSignature
			);
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// What it costs the relayer.
		fn do_report_invalid_chunk(
			reporter: T::AccountId,
			evidence: &ChunkFraud,
		) -> Result<Balance, sp_runtime::DispatchError> {
			let Offence { relayer, span, receipt } = Self::check_invalid_chunk(evidence)?;
			let Conviction { penalty, due } = T::Relayers::convict(&relayer).ok_or(Error::<T>::UnknownRelayer)?;
			Punished::<T>::insert(span, receipt, ());
			if !OldestSpan::<T>::exists() {
				OldestSpan::<T>::put(Self::first_kept());
			}
			let signed = &evidence.receipt.message;
			let claim = Claim {
				viewer: T::AccountId::from(evidence.payer.account.0),
				amount: cost(signed.bytes, signed.price).saturating_mul(REFUND),
				reporter: reporter.clone(),
				reward: share(penalty, REPORTERS_PPM),
			};
			let case = CaseOf::<T>::get(&relayer).unwrap_or_else(|| Self::open(&relayer, due));
			Cases::<T>::mutate(case, |case| {
				if let Some(case) = case {
					case.levels.note(claim.amount);
				}
			});
			Claims::<T>::insert(case, receipt, claim);
			Self::deposit_event(Event::InvalidChunk {
				relayer,
				receipt,
				reporter,
				penalty,
				due,
			});
			Ok(penalty)
		}

		/// Opens a relayer's case.
		pub(crate) fn open(relayer: &T::AccountId, due: BlockNumber) -> CaseId {
			let id = NextCase::<T>::get();
			NextCase::<T>::put(id.saturating_add(1));
			CaseOf::<T>::insert(relayer, id);
			let case = Case {
				relayer: relayer.clone(),
				due,
				levels: Levels::default(),
				most_each: None,
				paid: Penalty::default(),
			};
			Cases::<T>::insert(id, case);
			id
		}

		/// Pays the penalties that are due, the oldest case first, as far as `meter` allows.
		pub(crate) fn do_settle(meter: &mut WeightMeter) {
			let base = T::WeightInfo::settle(0);
			let each = T::WeightInfo::settle(1).saturating_sub(base);
			let mut left = MAX_PAID_PER_BLOCK;
			// In most blocks there is nothing to do, and looking is all that is spent.
			while meter.try_consume(T::DbWeight::get().reads(2)).is_ok() {
				let id = OldestCase::<T>::get();
				let due = Cases::<T>::get(id).filter(|case| case.due <= Self::now());
				let Some(mut case) = due.filter(|_| meter.try_consume(base).is_ok()) else {
					return;
				};
				let most_each = case.most_each.unwrap_or_else(|| Self::begin(&mut case));
				let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
				let limit = left.min(affordable.saturated_into());
				let claims: Vec<_> = Claims::<T>::drain_prefix(id).take(limit as usize).collect();
				let paid = claims.len() as u32;
				for (receipt, claim) in claims {
					Self::compensate(&mut case, receipt, claim, most_each);
				}
				meter.consume(each.saturating_mul(paid.into()));
				left = left.saturating_sub(paid);
				if paid == limit {
					Cases::<T>::insert(id, case);
					return;
				}
				Self::close(id, case);
			}
		}

		/// Gives the treasury its part of a case, and fixes what each payer gets at most.
		fn begin(case: &mut Case<T::AccountId>) -> Balance {
			let whole = T::Relayers::owed(&case.relayer);
			let mut credit = T::Relayers::take(&case.relayer, share(whole, T::TreasuryPart::get()));
			let part = credit.peek();
			let treasury = Self::give(T::Treasury::get(), &mut credit, part);
			case.paid.treasury = treasury;
			case.paid.burnt = Self::burn(part, credit);
			let most_each = case.levels.most_each(share(whole, VIEWERS_PPM));
			case.most_each = Some(most_each);
			most_each
		}

		/// Pays one claim.
		fn compensate(case: &mut Case<T::AccountId>, receipt: Hash, claim: Claim<T::AccountId>, most_each: Balance) {
			let part = claim.amount.min(most_each);
			let mut credit = T::Relayers::take(&case.relayer, part.saturating_add(claim.reward));
			let whole = credit.peek();
			let viewer = Self::give(Some(claim.viewer), &mut credit, part);
			let reporter = Self::give(Some(claim.reporter), &mut credit, claim.reward);
			let burnt = Self::burn(whole, credit);
			let paid = &mut case.paid;
			paid.viewers = paid.viewers.saturating_add(viewer);
			paid.reporters = paid.reporters.saturating_add(reporter);
			paid.burnt = paid.burnt.saturating_add(burnt);
			Self::deposit_event(Event::Compensated {
				receipt,
				viewer,
				reporter,
			});
		}

		/// Burns what is left of the penalty and ends the freeze.
		fn close(id: CaseId, case: Case<T::AccountId>) {
			let credit = T::Relayers::thaw(&case.relayer);
			let burnt = Self::burn(credit.peek(), credit);
			let Case { relayer, mut paid, .. } = case;
			paid.burnt = paid.burnt.saturating_add(burnt);
			Cases::<T>::remove(id);
			CaseOf::<T>::remove(&relayer);
			OldestCase::<T>::put(id.saturating_add(1));
			Self::deposit_event(Event::Settled { relayer, penalty: paid });
		}

		fn do_report_equivocation(reporter: T::AccountId, key: &PublicKey, evidence: &Equivocation) -> DispatchResult {
			Self::check_equivocation(key, evidence)?;
			let stream = evidence.stream();
			let mut credit = T::Streams::flag(stream, key).ok_or(Error::<T>::AlreadyFlagged)?;
			let whole = credit.peek();
			let mut penalty = Penalty {
				reporters: Self::give(Some(reporter.clone()), &mut credit, whole / 2),
				treasury: Self::give(T::Treasury::get(), &mut credit, whole - whole / 2),
				..Penalty::default()
			};
			penalty.burnt = Self::burn(whole, credit);
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
			ensure!(block <= now.saturating_add(MAX_BLOCKS_AHEAD), Error::<T>::FromTheFuture);
			ensure!(now.saturating_sub(block) <= T::FraudWindow::get(), Error::<T>::TooOld);
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

		/// Burns what is left of so much that was taken, and says how much that is.
		fn burn(taken: Balance, left: CreditOf<T>) -> Balance {
			let burnt = left.peek();
			Taken::<T>::mutate(|sum| *sum = sum.saturating_add(taken));
			Burnt::<T>::mutate(|sum| *sum = sum.saturating_add(burnt));
			burnt
		}

		/// Forgets spans that are over, oldest first, as far as `meter` allows.
		pub(crate) fn do_forget(meter: &mut WeightMeter) {
			Self::forget_before(Self::first_kept(), meter);
		}

		pub(crate) fn forget_before(first_kept: BlockNumber, meter: &mut WeightMeter) {
			work_off(
				meter,
				MAX_FORGOTTEN_PER_BLOCK,
				T::WeightInfo::forget,
				|| OldestSpan::<T>::get().filter(|span| *span < first_kept),
				|span, limit| {
					let forgotten = Punished::<T>::iter_key_prefix(span).take(limit as usize);
					forgotten.map(|offence| Punished::<T>::remove(span, offence)).count() as u32
				},
				|span| OldestSpan::<T>::put(span.saturating_add(1)),
			);
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
			let ids = OldestCase::<T>::get()..NextCase::<T>::get();
			let mut due = 0;
			for id in ids.clone() {
				let case = Cases::<T>::get(id).ok_or("3: a case is missing")?;
				ensure!(
					CaseOf::<T>::get(&case.relayer) == Some(id) && case.due >= due,
					"3: a case is not its relayer's, or out of order"
				);
				due = case.due;
				let claims: Vec<_> = Claims::<T>::iter_prefix_values(id).collect();
				ensure!(
					case.most_each.is_some() || case.levels.count() as usize == claims.len(),
					"4: a case does not count its claims"
				);
				let owed = T::Relayers::owed(&case.relayer);
				let most_each = case
					.most_each
					.unwrap_or_else(|| case.levels.most_each(share(owed, VIEWERS_PPM)));
				let promised = claims.iter().fold(0, |sum: Balance, claim| {
					let part = claim.amount.min(most_each).saturating_add(claim.reward);
					sum.saturating_add(part)
				});
				ensure!(promised <= owed, "5: more is promised than owed");
			}
			ensure!(
				Cases::<T>::iter_keys().count() == ids.len() && CaseOf::<T>::iter_keys().count() == ids.len(),
				"3: a case that is closed"
			);
			ensure!(
				Claims::<T>::iter_keys().all(|(id, _)| ids.contains(&id)),
				"4: a claim without a case"
			);
			Ok(())
		}
	}
}
