//! # Validators
//!
//! Who makes blocks and makes them final: a fixed floor and bonded candidates, and what an offence costs them.
//!
//! ## Terms
//! - *Floor*: the validators of genesis. Each is in every set, and none has a bond.
//! - *Candidate*: an account with session keys and a *bond*, ranked by it; whoever was there first stands before others
//!   with the same bond.
//! - *Set*: the validators of one session: the floor, then candidates from the top of the ranking while there are *seats*.
//! - *Offence*: of a validator, of one kind, in one session, proven elsewhere. Punished once.
//! - *Evidence counts* for [`Config::EvidenceSessions`] sessions after the one that it is about.
//!
//! ## Design
//! *Seats*: with a floor of `f`, at most `(f - 1) / 2` candidates are in a set, without exception: that is fewer than a third of
//! it, so that candidates alone, whatever they have bonded, can neither keep blocks from becoming final nor, being fewer
//! than two thirds, sign anything. No size of bond buys more: what two thirds of a set can take includes the bonds, which
//! lie in the vault's money like everything else, so no bond that is held on this chain covers that case.
//!
//! *Sets are planned a session ahead*, so whoever leaves may still be in this session's set and in the next one. A bond
//! therefore stays held, and can be slashed, for two sessions more than evidence counts. No new bond of the same account
//! can take its place before, so a bond answers for what was done behind it and for nothing else.
//!
//! *Own code*, since pallet-collator-selection returns a bond at once and slashes nobody, and pallet-staking brings
//! nominators, eras and origins that nobody has here; pallet-offences remembers each report for good.
//!
//! *What an offence costs.* [`Config::SlashShare`] of the bond. Whoever runs one node with the keys commits none: GRANDPA's
//! votes are on disk before they are sent, and BEEFY signs only what is final. A share that grows with the number of those who offend together, as elsewhere,
//! says little where a set has a few dozen seats, and those who mean harm would offend one by one. One offence a
//! session: two machines with one key contradict each other round after round.
//!
//! *Where it goes.* [`Config::ReporterPart`] to whoever brought the evidence, unless that is the block's author, who
//! could take the evidence of others for its own; [`Config::TreasuryPart`] to the treasury; the rest, and what nobody
//! can receive, is burnt: [`Burnt`] says how much more USDC the vault holds than the chain for that reason.
//!
//! *The offender* makes no more blocks in this session and the next, its seats being taken already, as long as fewer
//! than a third are shut out. That is all that happens to a validator of the floor.
//!
//! *Whoever is idle leaves.* A candidate that made no block in a whole session of its own is sent off, and may return:
//! absent machines would bring the set to where nothing becomes final. So is, when a set is planned, a candidate without
//! session keys: a place in the ranking is for those who can take a seat.
//!
//! *Keys in use.* [`Pallet`] proves who owned a session key over the keys that the session began with. Upstream's
//! [`historical`] takes those that were set last, and so would not convict a validator that changed keys and then
//! signed with the old ones; its trie cannot be built from other keys, and so it is shown those in a transaction that is
//! rolled back.
//!
//! ## Invariants (checked by `try_state`)
//! 1. Every recorded bond is what this pallet holds on its account; nothing is held for anybody else. An account of whose
//!    bond nothing is left may be gone.
//! 2. The ranking holds each candidate once, with its bond, at least the minimum, the largest first.
//! 3. The floor has no bond, and nobody is in it twice.
//! 4. The next set has no more candidates than it has seats for them, and whoever is in it is of the floor or bonded.
//! 5. What was burnt is at most what was taken.
//! 6. Offences are remembered while their evidence counts; nobody is shut out beyond the next session.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
mod session;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use sp_staking::{offence::Kind, SessionIndex};
pub use weights::WeightInfo;

/// The kind of offence of a validator that attested two different things of one block of another chain.
pub const ATTESTATION: Kind = *b"bridge:attestati";

/// Fewest blocks in a session: a set's keys have to be final before the next set's count.
pub const MIN_SESSION: u32 = 5;

/// Session keys for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId, Keys> {
	/// New keys, and the proof that `owner` has them.
	fn keys(owner: &AccountId) -> (Keys, alloc::vec::Vec<u8>);
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use clustercast_primitives::{chain::PPM, Balance};
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
	use pallet_session::historical;
	use sp_runtime::Saturating as _;
	use sp_staking::offence::OffenceSeverity;

	pub(crate) type Session<T> = pallet_session::Pallet<T>;
	type Usdc<T> = <T as Config>::Currency;
	type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, Usdc<T>>;

	/// Candidates with their bonds, the largest first.
	type Candidates<T> = BoundedVec<(<T as frame_system::Config>::AccountId, Balance), <T as Config>::MaxCandidates>;

	/// Where a bonded account stands.
	#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	pub enum Standing {
		/// In the ranking.
		Candidate,
		/// On its way out.
		Leaving {
			/// First session in which the bond can be withdrawn.
			free_in: SessionIndex,
		},
		/// Punished, and on its way out for good.
		Expelled {
			/// First session in which what is left of the bond can be withdrawn.
			free_in: SessionIndex,
		},
	}

	/// A bond as it is stored.
	#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Bond {
		/// Held on the account, micro-USDC.
		pub amount: Balance,
		/// Where the account stands.
		pub standing: Standing,
	}

	/// Why a candidate is leaving.
	#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	pub enum Cause {
		/// It wants to.
		Own,
		/// Another one put up more, and the ranking is full.
		Outbid,
		/// It made no block in a session of its own.
		Idle,
		/// It has no session keys.
		NoKeys,
	}

	/// Who got what of a penalty, micro-USDC.
	#[derive(
		Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
	)]
	pub struct Penalty {
		/// Whoever brought the evidence.
		pub reporter: Balance,
		/// Treasury.
		pub treasury: Balance,
		/// Nobody.
		pub burnt: Balance,
	}

	#[pallet::config]
	pub trait Config:
		frame_system::Config<RuntimeEvent: From<Event<Self>>>
		+ pallet_authorship::Config
		+ pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
		+ historical::Config
	{
		/// The runtime's hold reason, made from this pallet's.
		type RuntimeHoldReason: From<HoldReason>;

		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Balanced<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId>;

		/// The treasury's account, if there is one.
		type Treasury: Get<Option<Self::AccountId>>;

		/// Validators of the current session with the keys that it began with.
		type KeysInUse: Get<Vec<(Self::AccountId, Self::Keys)>>;

		/// Most validators in a set, the floor included, whatever the floor has seats for.
		#[pallet::constant]
		type MaxValidators: Get<u32>;

		/// Most candidates in the ranking.
		#[pallet::constant]
		type MaxCandidates: Get<u32>;

		/// Smallest bond, micro-USDC.
		#[pallet::constant]
		type MinBond: Get<Balance>;

		/// Sessions for which evidence counts after the one that it is about.
		#[pallet::constant]
		type EvidenceSessions: Get<SessionIndex>;

		/// What an offence costs, parts per million of the bond.
		#[pallet::constant]
		type SlashShare: Get<u32>;

		/// The reporter's part of it, parts per million.
		#[pallet::constant]
		type ReporterPart: Get<u32>;

		/// The treasury's part of it, parts per million.
		#[pallet::constant]
		type TreasuryPart: Get<u32>;

		/// Weights of the calls, and of what others call.
		type WeightInfo: WeightInfo;

		/// Session keys for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId, Self::Keys>;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A validator's bond.
		#[codec(index = 0)]
		ValidatorBond,
	}

	/// The validators of genesis.
	#[pallet::storage]
	pub type Floor<T: Config> = StorageValue<_, BoundedVec<T::AccountId, T::MaxValidators>, ValueQuery>;

	/// Bonds by account. Each is worth a bond's minimum at least when it comes to be.
	#[pallet::storage]
	pub type Bonds<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Bond>;

	/// Candidates with their bonds, the largest first.
	#[pallet::storage]
	pub type Ranking<T: Config> = StorageValue<_, Candidates<T>, ValueQuery>;

	/// Who made a block in this session.
	#[pallet::storage]
	pub type Authored<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, ()>;

	/// Offences that were punished, by session: at most one of a kind a validator.
	#[pallet::storage]
	pub type Punished<T: Config> =
		StorageDoubleMap<_, Twox64Concat, SessionIndex, Blake2_128Concat, (Kind, T::AccountId), ()>;

	/// Offenders that are to make no blocks, up to and with this session.
	#[pallet::storage]
	pub type ShutOut<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, SessionIndex>;

	/// Taken in all, micro-USDC.
	#[pallet::storage]
	pub type Taken<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Burnt in all, micro-USDC: so much more is in the vault than on the chain.
	#[pallet::storage]
	pub type Burnt<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Blocks in a session, where genesis says. Nothing changes it.
	#[pallet::storage]
	pub type SessionLength<T: Config> = StorageValue<_, BlockNumberFor<T>>;

	/// The session pallet's keys say who the validators are.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Blocks in a session, [`MIN_SESSION`] at least; for chains that last no longer than a test.
		pub session_length: Option<BlockNumberFor<T>>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			if let Some(length) = self.session_length {
				assert!(
					length >= MIN_SESSION.into(),
					"a session has {MIN_SESSION} blocks at least"
				);
				SessionLength::<T>::put(length);
			}
			let validators = Session::<T>::validators();
			Floor::<T>::put(BoundedVec::try_from(validators).expect("genesis has no more validators than a set"));
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A candidate bonded.
		Registered {
			/// Its account.
			validator: T::AccountId,
			/// Its bond, micro-USDC.
			bond: Balance,
		},
		/// A bond was raised.
		BondRaised {
			/// Its account.
			validator: T::AccountId,
			/// The whole bond now, micro-USDC.
			bond: Balance,
		},
		/// A candidate is leaving.
		Leaving {
			/// Its account.
			validator: T::AccountId,
			/// Why.
			cause: Cause,
			/// First session in which the bond can be withdrawn.
			free_in: SessionIndex,
		},
		/// Whoever was leaving is a candidate again.
		Rejoined {
			/// Its account.
			validator: T::AccountId,
		},
		/// A bond was returned.
		Withdrawn {
			/// Its account.
			validator: T::AccountId,
			/// The bond returned, micro-USDC.
			bond: Balance,
		},
		/// A validator was punished.
		Offended {
			/// Its account.
			validator: T::AccountId,
			/// What it did.
			kind: Kind,
			/// When.
			session: SessionIndex,
			/// Who brought the evidence, unless it was the block's author.
			reporter: Option<T::AccountId>,
			/// Who got what.
			penalty: Penalty,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The account is of the floor, which needs no bond.
		OfTheFloor,
		/// The account has a bond already.
		AlreadyBonded,
		/// The account has no bond.
		NotBonded,
		/// The account has no session keys: set them first.
		NoKeys,
		/// Bond below the minimum.
		BondTooSmall,
		/// The ranking is full, and this bond is not above its smallest.
		Outbid,
		/// An amount of zero.
		ZeroAmount,
		/// The account is no candidate.
		NotCandidate,
		/// The account is not leaving, or was punished.
		NotLeaving,
		/// The account was punished: it can come anew once it has withdrawn.
		Expelled,
		/// The bond is not free yet.
		TooEarly,
		/// Evidence of this session does not count: too long ago, or still to come.
		NotProvable,
		/// This offence was punished.
		AlreadyPunished,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(
				T::MinBond::get() >= Usdc::<T>::minimum_balance(),
				"a bond must be worth an account"
			);
			assert!(
				T::MaxValidators::get() > 0 && T::MaxCandidates::get() > 0,
				"bounds allow something"
			);
			assert!(T::EvidenceSessions::get() > 0, "evidence counts for a while");
			assert!(
				(1..=PPM).contains(&T::SlashShare::get()),
				"an offence costs something, and no more than the bond"
			);
			assert!(
				T::ReporterPart::get().saturating_add(T::TreasuryPart::get()) <= PPM,
				"the parts cannot exceed the whole"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Bonds the caller, who has set session keys, as a candidate.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::register())]
		pub fn register(origin: OriginFor<T>, bond: Balance) -> DispatchResult {
			let validator = ensure_signed(origin)?;
			Self::do_register(validator, bond)
		}

		/// Raises the caller's bond.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::bond_more())]
		pub fn bond_more(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let validator = ensure_signed(origin)?;
			Self::do_bond_more(validator, amount)
		}

		/// Begins to leave: the bond can be withdrawn once no evidence can count that it answers for.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::leave())]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let validator = ensure_signed(origin)?;
			Self::do_leave(validator)
		}

		/// Makes the caller, who is leaving, a candidate again.
		#[pallet::call_index(3)]
		#[pallet::weight(<T as Config>::WeightInfo::rejoin())]
		pub fn rejoin(origin: OriginFor<T>) -> DispatchResult {
			let validator = ensure_signed(origin)?;
			Self::do_rejoin(validator)
		}

		/// Returns the caller's bond, or what is left of it. Once it is free.
		#[pallet::call_index(4)]
		#[pallet::weight(<T as Config>::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let validator = ensure_signed(origin)?;
			Self::do_withdraw(validator)
		}
	}

	/// What judges of validators need.
	impl<T: Config> Pallet<T> {
		/// Punishes a validator of that session for an offence of this kind, which the caller has proven.
		pub fn slash_for(
			kind: Kind,
			validator: &T::AccountId,
			session: SessionIndex,
			reporter: Option<T::AccountId>,
		) -> Result<Penalty, DispatchError> {
			let now = Session::<T>::current_index();
			let age = now.checked_sub(session);
			ensure!(
				age.is_some_and(|age| age <= T::EvidenceSessions::get()),
				Error::<T>::NotProvable
			);
			ensure!(
				!Self::is_punished(kind, validator, session),
				Error::<T>::AlreadyPunished
			);
			Punished::<T>::insert(session, (kind, validator), ());
			Self::shut_out(validator, now);

			let reporter = reporter.filter(|r| Some(r) != pallet_authorship::Pallet::<T>::author().as_ref());
			let mut credit = Self::expel(validator);
			let whole = credit.peek();
			let part = |ppm: u32| whole.saturating_mul(ppm.into()) / Balance::from(PPM);
			let penalty = Penalty {
				reporter: Self::give(reporter.clone(), &mut credit, part(T::ReporterPart::get())),
				treasury: Self::give(T::Treasury::get(), &mut credit, part(T::TreasuryPart::get())),
				burnt: credit.peek(),
			};
			drop(credit);
			Taken::<T>::mutate(|taken| taken.saturating_accrue(whole));
			Burnt::<T>::mutate(|burnt| burnt.saturating_accrue(penalty.burnt));
			Self::deposit_event(Event::Offended {
				validator: validator.clone(),
				kind,
				session,
				reporter,
				penalty,
			});
			Ok(penalty)
		}

		/// Whether the validator was punished for an offence of this kind in that session.
		pub fn is_punished(kind: Kind, validator: &T::AccountId, session: SessionIndex) -> bool {
			Punished::<T>::contains_key(session, (kind, validator))
		}
	}

	impl<T: Config> Pallet<T> {
		fn do_register(validator: T::AccountId, bond: Balance) -> DispatchResult {
			ensure!(!Floor::<T>::get().contains(&validator), Error::<T>::OfTheFloor);
			ensure!(!Bonds::<T>::contains_key(&validator), Error::<T>::AlreadyBonded);
			ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
			ensure!(Self::has_keys(&validator), Error::<T>::NoKeys);
			Usdc::<T>::hold(&HoldReason::ValidatorBond.into(), &validator, bond)?;
			Self::enter(&validator, bond)?;
			Bonds::<T>::insert(
				&validator,
				Bond {
					amount: bond,
					standing: Standing::Candidate,
				},
			);
			Self::deposit_event(Event::Registered { validator, bond });
			Ok(())
		}

		fn do_bond_more(validator: T::AccountId, amount: Balance) -> DispatchResult {
			ensure!(amount > 0, Error::<T>::ZeroAmount);
			let bond = Self::mutate(&validator, |bond| {
				let is_candidate = match bond.standing {
					Standing::Candidate => true,
					Standing::Leaving { .. } => false,
					Standing::Expelled { .. } => return Err(Error::<T>::Expelled.into()),
				};
				Usdc::<T>::hold(&HoldReason::ValidatorBond.into(), &validator, amount)?;
				bond.amount = bond
					.amount
					.checked_add(amount)
					.ok_or(sp_runtime::ArithmeticError::Overflow)?;
				if is_candidate {
					Self::strike(&validator);
					Self::enter(&validator, bond.amount)?;
				}
				Ok(bond.amount)
			})?;
			Self::deposit_event(Event::BondRaised { validator, bond });
			Ok(())
		}

		fn do_leave(validator: T::AccountId) -> DispatchResult {
			let bond = Bonds::<T>::get(&validator).ok_or(Error::<T>::NotBonded)?;
			ensure!(bond.standing == Standing::Candidate, Error::<T>::NotCandidate);
			Self::strike(&validator);
			Self::send_off(validator, Cause::Own);
			Ok(())
		}

		fn do_rejoin(validator: T::AccountId) -> DispatchResult {
			ensure!(Self::has_keys(&validator), Error::<T>::NoKeys);
			Self::mutate(&validator, |bond| {
				ensure!(
					matches!(bond.standing, Standing::Leaving { .. }),
					Error::<T>::NotLeaving
				);
				bond.standing = Standing::Candidate;
				Self::enter(&validator, bond.amount)
			})?;
			Self::deposit_event(Event::Rejoined { validator });
			Ok(())
		}

		fn do_withdraw(validator: T::AccountId) -> DispatchResult {
			let Bond { amount: bond, standing } = Bonds::<T>::get(&validator).ok_or(Error::<T>::NotBonded)?;
			let free_in = match standing {
				Standing::Candidate => return Err(Error::<T>::NotLeaving.into()),
				Standing::Leaving { free_in } | Standing::Expelled { free_in } => free_in,
			};
			ensure!(Session::<T>::current_index() >= free_in, Error::<T>::TooEarly);
			if bond > 0 {
				Usdc::<T>::release(&HoldReason::ValidatorBond.into(), &validator, bond, Precision::Exact)?;
			}
			Bonds::<T>::remove(&validator);
			Self::deposit_event(Event::Withdrawn { validator, bond });
			Ok(())
		}

		/// Changes a bond.
		fn mutate<R>(
			validator: &T::AccountId,
			change: impl FnOnce(&mut Bond) -> Result<R, DispatchError>,
		) -> Result<R, DispatchError> {
			Bonds::<T>::try_mutate(validator, |bond| change(bond.as_mut().ok_or(Error::<T>::NotBonded)?))
		}

		pub(crate) fn has_keys(validator: &T::AccountId) -> bool {
			Session::<T>::load_keys(validator).is_some()
		}

		/// First session in which no evidence counts any more against whoever leaves now.
		fn free_in() -> SessionIndex {
			Session::<T>::current_index()
				.saturating_add(2)
				.saturating_add(T::EvidenceSessions::get())
		}

		/// Ranks a candidate, behind those with the same bond; the last one makes room where there is none.
		fn enter(validator: &T::AccountId, bond: Balance) -> DispatchResult {
			Ranking::<T>::try_mutate(|ranking| {
				let place = ranking.partition_point(|(_, other)| *other >= bond);
				if ranking.is_full() {
					ensure!(place < ranking.len(), Error::<T>::Outbid);
					if let Some((last, _)) = ranking.pop() {
						Self::send_off(last, Cause::Outbid);
					}
				}
				ranking
					.try_insert(place, (validator.clone(), bond))
					.map_err(|_| Error::<T>::Outbid.into())
			})
		}

		/// Removes a candidate from the ranking.
		pub(crate) fn strike(validator: &T::AccountId) {
			Ranking::<T>::mutate(|ranking| ranking.retain(|(other, _)| other != validator));
		}

		/// Lets a candidate leave that is not in the ranking any more.
		pub(crate) fn send_off(validator: T::AccountId, cause: Cause) {
			let free_in = Self::free_in();
			Bonds::<T>::mutate(&validator, |bond| {
				if let Some(bond) = bond {
					bond.standing = Standing::Leaving { free_in };
				}
			});
			Self::deposit_event(Event::Leaving {
				validator,
				cause,
				free_in,
			});
		}

		/// Takes the penalty from an offender's bond, if it has one. It is no candidate from then on.
		fn expel(validator: &T::AccountId) -> CreditOf<T> {
			let Some(bond) = Bonds::<T>::get(validator) else {
				return CreditOf::<T>::zero();
			};
			let free_in = match bond.standing {
				Standing::Candidate => {
					Self::strike(validator);
					Self::free_in()
				},
				Standing::Leaving { free_in } | Standing::Expelled { free_in } => free_in,
			};
			let penalty = bond.amount.saturating_mul(T::SlashShare::get().into()) / Balance::from(PPM);
			let (taken, missing) = Usdc::<T>::slash(&HoldReason::ValidatorBond.into(), validator, penalty);
			debug_assert!(missing == 0, "the bond is held; qed");
			Bonds::<T>::insert(
				validator,
				Bond {
					amount: bond.amount.saturating_sub(taken.peek()),
					standing: Standing::Expelled { free_in },
				},
			);
			taken
		}

		/// Keeps an offender from making blocks in this session and the next, if it has a seat.
		fn shut_out(validator: &T::AccountId, now: SessionIndex) {
			let is_next = || Session::<T>::queued_keys().iter().any(|(next, _)| next == validator);
			if Session::<T>::validators().contains(validator) || is_next() {
				ShutOut::<T>::insert(validator, now.saturating_add(1));
				Session::<T>::report_offence(validator.clone(), OffenceSeverity::max_severity());
			}
		}

		/// Gives part of a credit to an account and says how much it got: all or nothing.
		fn give(to: Option<T::AccountId>, credit: &mut CreditOf<T>, amount: Balance) -> Balance {
			let Some(to) = to else { return 0 };
			let part = credit.extract(amount);
			let amount = part.peek();
			match Usdc::<T>::resolve(&to, part) {
				Ok(()) => amount,
				Err(part) => {
					credit.subsume(part);
					0
				},
			}
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			use alloc::collections::BTreeSet;
			use frame_support::traits::fungible::InspectHold;

			for who in frame_system::Account::<T>::iter_keys() {
				let bond = Bonds::<T>::get(&who).map_or(0, |b| b.amount);
				ensure!(
					Usdc::<T>::balance_on_hold(&HoldReason::ValidatorBond.into(), &who) == bond,
					"1: a bond differs from what is held"
				);
			}
			ensure!(
				Bonds::<T>::iter().all(|(who, bond)| bond.amount == 0 || frame_system::Account::<T>::contains_key(who)),
				"1: a bond without an account"
			);

			let ranking = Ranking::<T>::get();
			for (who, bond) in &ranking {
				ensure!(
					Bonds::<T>::get(who).is_some_and(|b| b.standing == Standing::Candidate && b.amount == *bond),
					"2: the ranking and a bond differ"
				);
				ensure!(*bond >= T::MinBond::get(), "2: a candidate's bond is below the minimum");
			}
			ensure!(
				ranking.windows(2).all(|pair| pair[0].1 >= pair[1].1),
				"2: the ranking is out of order"
			);
			let ranked: BTreeSet<_> = ranking.iter().map(|(who, _)| who).collect();
			let candidates = Bonds::<T>::iter_values().filter(|b| b.standing == Standing::Candidate);
			ensure!(
				ranked.len() == ranking.len() && candidates.count() == ranking.len(),
				"2: a candidate is not in the ranking, or twice"
			);

			let floor = Floor::<T>::get();
			ensure!(
				floor.iter().collect::<BTreeSet<_>>().len() == floor.len()
					&& !floor.iter().any(Bonds::<T>::contains_key),
				"3: somebody of the floor is bonded, or there twice"
			);

			let set = Session::<T>::queued_keys();
			let candidates = || set.iter().filter(|(who, _)| !floor.contains(who));
			ensure!(
				candidates().all(|(who, _)| Bonds::<T>::contains_key(who)),
				"4: somebody is in the set without a bond"
			);
			ensure!(
				candidates().count() <= Self::seats(floor.len()),
				"4: more candidates are in the set than there are seats"
			);

			ensure!(Burnt::<T>::get() <= Taken::<T>::get(), "5: more was burnt than taken");

			let now = Session::<T>::current_index();
			let oldest = now.saturating_sub(T::EvidenceSessions::get());
			ensure!(
				Punished::<T>::iter_keys().all(|(session, _)| (oldest..=now).contains(&session)),
				"6: an offence of a session whose evidence does not count"
			);
			ensure!(
				ShutOut::<T>::iter_values().all(|last| (now..=now.saturating_add(1)).contains(&last)),
				"6: somebody is shut out for too long"
			);
			Ok(())
		}
	}
}
