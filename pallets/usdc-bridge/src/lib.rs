//! # USDC bridge
//!
//! USDC in from the L2 and out to it. Here it is minted for deposits into the vault and burnt for withdrawals, and
//! nowhere else.
//!
//! ## Terms
//! - *Vault*: the contract on the L2 that holds the USDC; see [`clustercast_primitives::bridge`] for all bytes.
//! - *Attestation*: what a validator says of the vault's deposits at an L2 block that is final there. It is *accepted*
//!   when so many of the current validators say the same that they are more than two thirds
//!   ([`clustercast_primitives::bridge::threshold`]).
//! - *Import* of a deposit: its USDC is minted, against a Merkle proof under the accepted root.
//! - *Release* of a withdrawal: its leaf enters the root of a block, which the block's MMR leaf carries to the L2.
//! - *Stranded* is a deposit that nobody was credited with: its kind is not known here, its body is none of that kind,
//!   or no account can hold it. Its *refund* is a withdrawal of all of it to whom it names for that.
//! - *Action*: what an Ethereum wallet has done for the account that belongs to it, by a message, or with a deposit that it
//!   paid.
//!
//! ## Design
//! *Attestations and imports are unsigned extrinsics*: validators need no balance, and the first USDC has nobody to pay
//! a fee. Everything is checked before they enter the pool, and what passes changes something once: a validator is heard
//! once in a block, and only with something newer than it said and than was accepted; a deposit is imported once.
//!
//! *Deposits are imported in their order*, so that one number says which ones are done: nothing to look up, nothing to
//! prune, and none is left behind. An import cannot fail for a right proof, whatever the deposits say: what does not fit
//! the escrow stays free, a session that is refused is reported, and the money is there either way; what is not
//! understood strands, and is not minted. It goes back by `refund`, unsigned and free as an import is, so that whoever
//! imports can make the room that [`Config::MaxStranded`] leaves for it: no deposit stops the next ones.
//!
//! *An action with a deposit is its depositor's*, whoever that is: the vault vouches for who paid, so wallets that are
//! contracts, and sign no message that could be checked here, can do all that others can. The money is credited first and
//! stays whatever becomes of the action: one that fails, or is not known here, changes nothing else, and is an event. A
//! deposit is imported once, so that an action needs no nonce; it pays no tip, since an import has nobody to receive it.
//!
//! *A session key inside a deposit counts only for the depositor's own account*, the one that belongs to the paying
//! address. Otherwise a stranger could deposit a little for somebody and let his own key spend all of their deposit. And
//! the key proves that it wants to be that account's: a key has one account for good, and must not be taken by another.
//!
//! *Withdrawals are burnt at once and released later*: in order, at most [`Config::ReleasesPerBlock`] in a block and
//! [`Config::OutflowLimit`] in a period, so that a fault that nobody knows of yet costs no more than that before it is
//! seen. What is released is kept for [`Config::Memory`] so that whoever executes it finds all of its proof here.
//!
//! *This pallet must run before pallet-mmr in a block* (its number in the runtime is lower): the root that it makes in
//! `on_initialize` is in the same block's MMR leaf.
//!
//! ## Invariants (checked by `try_state`)
//! 1. Issuance is what genesis had, and what was imported, less what was withdrawn and what penalties burnt.
//! 2. Withdrawals are stored without gaps; the first are released and have a place, the others wait and have none; no
//!    more wait than the bound.
//! 3. Places of a block are numbered from 0 without gaps, and this block's root is the one over its leaves.
//! 4. No deposit was imported that is not attested.
//! 5. Who is muted says nothing; what the others said is of a checkpoint.
//! 6. No used action is remembered of an epoch that was cleared.
//! 7. No more was released in the period than the limit.
//! 8. What is stranded was imported from this L2; no more is than the bound.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod actions;
mod attestations;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod deposits;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;
mod withdrawals;

pub use pallet::*;
pub use types::{Attestor, LineNumbers, Outflow, StoredWithdrawal, VaultInfo};
pub use weights::WeightInfo;

/// Keys with which validators attest.
pub mod crypto {
	use clustercast_primitives::bridge::attestation;
	use sp_application_crypto::{app_crypto, sr25519, KeyTypeId};

	/// Their type in a keystore.
	pub const KEY_TYPE: KeyTypeId = KeyTypeId(attestation::KEY_TYPE);

	app_crypto!(sr25519, KEY_TYPE);
}

/// Key with which a validator attests; part of its session keys.
pub type AttestorId = crypto::Public;

/// Learns of validators who contradicted themselves.
pub trait AttestationOffences<ValidatorId> {
	/// The validator signed two attestations of one kind and one block of an L2 that differ. Cannot fail.
	fn contradicted_itself(validator: &ValidatorId);
}

/// Being muted is all that happens to them.
impl<ValidatorId> AttestationOffences<ValidatorId> for () {
	fn contradicted_itself(_: &ValidatorId) {}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use clustercast_primitives::{
		bridge::{
			threshold, Action, Attestation, BridgeInfo, DoubleAttestation, EthereumAction, ProvenDeposit,
			Stranded as StrandedDeposit, WithdrawalInfo,
		},
		Balance, BlockNumber, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature,
	};
	use frame_support::{
		dispatch::{DispatchResultWithPostInfo, Pays},
		pallet_prelude::*,
		traits::fungible::{Inspect, Mutate},
		weights::{constants::ExtrinsicBaseWeight, WeightMeter},
	};
	use frame_system::pallet_prelude::*;
	use pallet_ticket_broker::Escrow;
	use sp_runtime::SaturatedConversion;

	/// What an unsigned extrinsic with this call weighs in all: no extension adds what is around it.
	fn around(call: Weight) -> Weight {
		ExtrinsicBaseWeight::get().saturating_add(call)
	}

	/// What following a message weighs, by what it says.
	fn act_weight<T: Config>(action: &Action) -> Weight {
		match action {
			Action::Withdraw { .. } => T::WeightInfo::act_withdraw(),
			Action::Unlock { .. } => T::WeightInfo::act_unlock(),
			Action::Collect => T::WeightInfo::act_collect(),
			Action::Authorize { .. } => T::WeightInfo::act_authorize(),
		}
	}

	/// What importing these weighs. One with an action is weighed as a credit with all that can be in it, and as the message
	/// besides: both are more than what is done, since nothing goes into the escrow, no tip is paid, no wallet's signature
	/// checked.
	fn import_weight<T: Config>(deposits: &[ProvenDeposit]) -> Weight {
		deposits.iter().filter_map(|proven| proven.deposit.action()).fold(
			T::WeightInfo::import_deposits(deposits.len() as u32),
			|weight, action| weight.saturating_add(act_weight::<T>(&action)),
		)
	}

	/// Most withdrawals, or deposits that stranded, in one answer.
	pub const MAX_PER_ANSWER: u32 = 100;

	#[pallet::config]
	pub trait Config:
		frame_system::Config<
		RuntimeEvent: From<Event<Self>>,
		AccountId: From<[u8; 32]> + Into<[u8; 32]>,
		Hash: Into<[u8; 32]>,
	>
	{
		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance> + Mutate<Self::AccountId>;

		/// Deposits for tickets and the sessions that spend them.
		type Escrow: Escrow<Self::AccountId>;

		/// Learns of validators who contradicted themselves.
		type Offences: AttestationOffences<Self::AccountId>;

		/// What penalties have burnt in all, micro-USDC.
		type Burnt: Get<Balance>;

		/// Most validators.
		#[pallet::constant]
		type MaxAttestors: Get<u32>;

		/// Most deposits in one import.
		#[pallet::constant]
		type MaxImports: Get<u32>;

		/// Most stranded deposits that wait to be sent back.
		#[pallet::constant]
		type MaxStranded: Get<u32>;

		/// Smallest withdrawal, micro-USDC.
		#[pallet::constant]
		type MinWithdrawal: Get<Balance>;

		/// Largest withdrawal, micro-USDC.
		#[pallet::constant]
		type MaxWithdrawal: Get<Balance>;

		/// Most withdrawals that wait.
		#[pallet::constant]
		type MaxQueue: Get<u32>;

		/// Most withdrawals released in a block.
		#[pallet::constant]
		type ReleasesPerBlock: Get<u32>;

		/// Most that is released in a period, micro-USDC.
		#[pallet::constant]
		type OutflowLimit: Get<Balance>;

		/// Blocks in a period.
		#[pallet::constant]
		type OutflowPeriod: Get<BlockNumber>;

		/// Blocks for which a released withdrawal is kept.
		#[pallet::constant]
		type Memory: Get<BlockNumber>;

		/// Furthest that an action's deadline may lie ahead, blocks; also the length of an epoch of used actions.
		#[pallet::constant]
		type MaxActionLife: Get<BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// The other end; none on a chain without a bridge.
	#[pallet::storage]
	pub type Vault<T: Config> = StorageValue<_, VaultInfo>;

	/// Issuance at genesis, micro-USDC.
	#[pallet::storage]
	pub type GenesisIssuance<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// The current validators, in the order of the session.
	#[pallet::storage]
	pub type Attestors<T: Config> = StorageValue<_, BoundedVec<Attestor<T::AccountId>, T::MaxAttestors>, ValueQuery>;

	/// The accepted attestation.
	#[pallet::storage]
	pub type Attested<T: Config> = StorageValue<_, Attestation>;

	/// Number of the first deposit that was not imported.
	#[pallet::storage]
	pub type NextDeposit<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// Minted for deposits, or sent back, in all, micro-USDC.
	#[pallet::storage]
	pub type Imported<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Imported deposits that nobody was credited with and that wait to be sent back, by number: so much more is in the
	/// vault than on the chain.
	#[pallet::storage]
	pub type Stranded<T: Config> = CountedStorageMap<_, Twox64Concat, u64, StrandedDeposit>;

	/// Burnt for withdrawals, or sent back, in all, micro-USDC.
	#[pallet::storage]
	pub type Withdrawn<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Withdrawals that wait, and those released within [`Config::Memory`].
	#[pallet::storage]
	pub type Withdrawals<T: Config> = StorageMap<_, Twox64Concat, u64, StoredWithdrawal>;

	/// Which withdrawals those are.
	#[pallet::storage]
	pub type Line<T: Config> = StorageValue<_, LineNumbers, ValueQuery>;

	/// What was released in the newest period in which something was.
	#[pallet::storage]
	pub type Released<T: Config> = StorageValue<_, Outflow, ValueQuery>;

	/// Root over what this block releases; none where it releases nothing.
	#[pallet::storage]
	pub type BlockRoot<T: Config> = StorageValue<_, Hash>;

	/// Digests of actions that were taken, by epoch of their deadline.
	#[pallet::storage]
	pub type UsedActions<T: Config> = StorageDoubleMap<_, Twox64Concat, BlockNumber, Identity, Hash, ()>;

	/// First epoch whose used actions are not all cleared.
	#[pallet::storage]
	pub type OldestEpoch<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

	/// What the chain starts with.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The L2's chain id and the vault's address there; none for a chain without a bridge.
		pub l2: Option<clustercast_primitives::bridge::Domain>,
		/// Attested L2 blocks are multiples of this; 0 is 1.
		pub interval: u32,
		/// L2 block from which the vault exists.
		pub first: u64,
		#[serde(skip)]
		#[allow(missing_docs)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			GenesisIssuance::<T>::put(T::Currency::total_issuance());
			if let Some(l2) = self.l2 {
				assert!(l2.chain_id != 0, "the L2 has a chain id");
				Vault::<T>::put(VaultInfo {
					l2,
					interval: self.interval.max(1),
					first: self.first,
				});
			}
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A validator said something of the vault.
		Said {
			/// The validator.
			validator: T::AccountId,
			/// What it said.
			attestation: Attestation,
		},
		/// Enough validators said the same: deposits up to its count can be imported.
		Accepted {
			/// What they said.
			attestation: Attestation,
		},
		/// A validator contradicted itself and is not heard any more under its key.
		Muted {
			/// The validator.
			validator: T::AccountId,
			/// Who brought the evidence.
			reporter: T::AccountId,
		},
		/// A deposit was credited.
		Imported {
			/// Its number.
			number: u64,
			/// Received it.
			account: T::AccountId,
			/// Micro-USDC.
			amount: Balance,
			/// Of it, so much is in the deposit for tickets, micro-USDC.
			escrowed: Balance,
		},
		/// A deposit's session key may not sign; the money was credited all the same.
		SessionRefused {
			/// The deposit's number.
			number: u64,
			/// The key.
			key: PublicKey,
			/// Why.
			reason: DispatchError,
		},
		/// Nobody was credited with a deposit; it can be sent back.
		Stranded {
			/// The deposit.
			deposit: StrandedDeposit,
		},
		/// A stranded deposit goes back as a withdrawal, without a fee.
		Refunded {
			/// The deposit's number.
			number: u64,
			/// The withdrawal's number.
			id: u64,
			/// Receives it on the L2.
			to: EthereumAddress,
			/// Micro-USDC.
			amount: Balance,
		},
		/// USDC was burnt; the vault owes it.
		WithdrawalRequested {
			/// The withdrawal's number.
			id: u64,
			/// Who had it.
			from: T::AccountId,
			/// Receives it on the L2.
			to: EthereumAddress,
			/// Micro-USDC.
			amount: Balance,
			/// Of it, for whoever executes it on the L2, micro-USDC.
			fee: Balance,
		},
		/// Withdrawals are under this block's root.
		Released {
			/// The first one's number.
			first: u64,
			/// How many.
			count: u32,
			/// The root.
			root: Hash,
		},
		/// An Ethereum wallet's message was followed.
		Acted {
			/// The wallet's address.
			address: EthereumAddress,
			/// Its account here.
			account: T::AccountId,
			/// Brought the message.
			submitter: T::AccountId,
			/// Received by the submitter, micro-USDC.
			tip: Balance,
			/// What the wallet signed.
			digest: Hash,
		},
		/// What came with a deposit was done for its depositor's account, behind what it caused.
		ActionFollowed {
			/// The deposit's number.
			number: u64,
			/// The account.
			account: T::AccountId,
		},
		/// What came with a deposit was not done; the money was credited all the same.
		ActionRefused {
			/// The deposit's number.
			number: u64,
			/// The account that has it.
			account: T::AccountId,
			/// Why.
			reason: DispatchError,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// This chain has no vault.
		NoVault,
		/// No validator has this number.
		UnknownAttestor,
		/// The validator contradicted itself and is not heard any more.
		AttestorMuted,
		/// It is about another L2 than the vault's.
		OtherL2,
		/// It is of a kind that is not known here.
		OtherKind,
		/// The L2 block is not a multiple of the interval.
		NotACheckpoint,
		/// A newer L2 block was accepted.
		Outdated,
		/// This very attestation was accepted.
		AlreadyAccepted,
		/// Another attestation of this L2 block was accepted.
		ContradictsAccepted,
		/// It speaks of no more deposits than were accepted.
		NothingNew,
		/// The validator said this, or something of a newer L2 block.
		AlreadySaid,
		/// The validator said something else of this L2 block.
		ContradictsItself,
		/// The validator was heard in this block.
		TooSoon,
		/// Not signed by the validator's key, or by no key at all.
		BadSignature,
		/// The two attestations can both be true.
		NoConflict,
		/// No attestation was accepted.
		NothingAttested,
		/// There is no deposit in it.
		NoDeposits,
		/// The deposit was imported.
		AlreadyImported,
		/// Another deposit comes first.
		OutOfOrder,
		/// The deposit is not among those that are attested.
		NotAttested,
		/// The deposit is not under the attested root.
		BadProof,
		/// As many deposits wait to be sent back as can: refunds come first.
		StrandedFull,
		/// No such deposit waits to be sent back.
		NotStranded,
		/// The session's account is not the one that belongs to the depositor's address.
		NotTheDepositors,
		/// The withdrawal is smaller than the smallest.
		AmountTooSmall,
		/// The withdrawal is larger than the largest.
		AmountTooLarge,
		/// The fee is more than the amount.
		FeeTooLarge,
		/// Nobody can receive there: the zero address, or the vault itself.
		BadRecipient,
		/// As many withdrawals wait as can.
		QueueFull,
		/// The action's deadline is over.
		Expired,
		/// The action's deadline lies further ahead than it may.
		DeadlineTooFar,
		/// The action was taken.
		AlreadyUsed,
		/// The account that belongs to the signing address does not exist.
		UnknownAccount,
		/// What came with a deposit is none of the actions that are known here.
		UnknownAction,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Releases withdrawals into this block's root.
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			// And one that was looked at, and did not fit.
			T::WeightInfo::release(Self::do_release().saturating_add(1))
		}

		/// Forgets released withdrawals and used actions whose time is over, as many as the block has weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_forget_withdrawals(&mut meter);
			Self::do_clear_actions(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(
				T::MaxAttestors::get() > 0
					&& T::MaxImports::get() > 0
					&& T::MaxStranded::get() >= T::MaxImports::get()
					&& T::MaxQueue::get() > 0
					&& T::ReleasesPerBlock::get() > 0,
				"bounds allow something"
			);
			assert!(
				T::MinWithdrawal::get() > 0 && T::MinWithdrawal::get() <= T::MaxWithdrawal::get(),
				"a withdrawal can be made"
			);
			assert!(
				T::MaxWithdrawal::get() <= T::OutflowLimit::get(),
				"the largest withdrawal can be released"
			);
			assert!(
				T::OutflowPeriod::get() > 0 && T::MaxActionLife::get() > 0,
				"periods and epochs have blocks"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Hears what validator number `authority_index` says of the vault. Unsigned.
		#[pallet::call_index(0)]
		#[pallet::weight((T::WeightInfo::attest(), DispatchClass::Operational))]
		pub fn attest(
			origin: OriginFor<T>,
			attestation: Attestation,
			authority_index: u32,
			signature: Signature,
		) -> DispatchResult {
			ensure_none(origin)?;
			Self::do_attest(attestation, authority_index, &signature)
		}

		/// Imports deposits, the next ones in their order. Unsigned.
		#[pallet::call_index(1)]
		#[pallet::weight(around(import_weight::<T>(deposits)))]
		pub fn import_deposits(
			origin: OriginFor<T>,
			deposits: BoundedVec<ProvenDeposit, T::MaxImports>,
		) -> DispatchResult {
			ensure_none(origin)?;
			Self::do_import_deposits(&deposits)
		}

		/// Burns `amount` of the caller's free balance; the vault pays it to `to`, less `fee` for whoever executes it there.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>, to: EthereumAddress, amount: Balance, fee: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, to, amount, fee)
		}

		/// Follows a message of an Ethereum wallet about the account that belongs to it. The caller receives its tip.
		#[pallet::call_index(3)]
		#[pallet::weight(act_weight::<T>(&action.into()))]
		pub fn act(origin: OriginFor<T>, action: EthereumAction, signature: EthereumSignature) -> DispatchResult {
			let submitter = ensure_signed(origin)?;
			Self::do_act(submitter, &action, &signature)
		}

		/// Shows that validator number `authority_index` contradicted itself. Free of charge where it holds.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::report_attestation_equivocation())]
		pub fn report_attestation_equivocation(
			origin: OriginFor<T>,
			authority_index: u32,
			evidence: DoubleAttestation,
		) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_report(reporter, authority_index, &evidence)?;
			Ok(Pays::No.into())
		}

		/// Sends a stranded deposit back to the L2. Unsigned.
		#[pallet::call_index(5)]
		#[pallet::weight(around(T::WeightInfo::refund()))]
		pub fn refund(origin: OriginFor<T>, number: u64) -> DispatchResult {
			ensure_none(origin)?;
			Self::do_refund(number)
		}
	}

	// Upstream's successor of this attribute needs another transaction extension in every client; its own consensus
	// pallets still use this one.
	#[allow(deprecated)]
	#[pallet::validate_unsigned]
	impl<T: Config> ValidateUnsigned for Pallet<T> {
		type Call = Call<T>;

		/// What a node does for it is bounded: one signature, or 32 hashes for each deposit, where everything else is as it
		/// should be. A validator has one in a pool, an import is one for all. The code of a refusal is the number of the
		/// [`Error`].
		fn validate_unsigned(_: TransactionSource, call: &Self::Call) -> TransactionValidity {
			match call {
				Call::attest {
					attestation,
					authority_index,
					signature,
				} => Self::validate_attestation(attestation, *authority_index, signature),
				Call::import_deposits { deposits } => Self::validate_import(deposits),
				Call::refund { number } => Self::validate_refund(*number),
				_ => InvalidTransaction::Call.into(),
			}
		}

		/// The call verifies signatures and proofs, and weighs that; so here is asked only whether it came too late, which
		/// costs some reads.
		fn pre_dispatch(call: &Self::Call) -> Result<(), TransactionValidityError> {
			match call {
				Call::attest {
					attestation,
					authority_index,
					..
				} => Self::admit_attestation(attestation, *authority_index),
				Call::import_deposits { deposits } => Self::admit_import(deposits),
				Call::refund { number } => Self::admit_refund(*number),
				_ => Err(InvalidTransaction::Call.into()),
			}
		}
	}

	impl<T: Config> Error<T> {
		/// As a pool says it.
		pub(crate) fn invalid(self) -> TransactionValidityError {
			let number = self.encode().first().copied().unwrap_or(u8::MAX);
			InvalidTransaction::Custom(number).into()
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// The bridge as it is now.
		pub fn bridge() -> BridgeInfo {
			let vault = Vault::<T>::get();
			let line = Line::<T>::get();
			let attestors = Attestors::<T>::decode_len().unwrap_or_default() as u32;
			BridgeInfo {
				chain_id: Self::l2(),
				vault: vault.map_or(EthereumAddress([0; 20]), |vault| vault.l2.vault),
				interval: vault.map_or(0, |vault| vault.interval),
				first: vault.map_or(0, |vault| vault.first),
				attested: Attested::<T>::get(),
				next_deposit: NextDeposit::<T>::get(),
				stranded: Stranded::<T>::count(),
				next_withdrawal: line.next,
				queued: line.queued().saturated_into(),
				outflow_left: Self::outflow_left(),
				imported: Imported::<T>::get(),
				withdrawn: Withdrawn::<T>::get(),
				issuance: T::Currency::total_issuance(),
				attestors,
				threshold: threshold(attestors),
				genesis: Self::genesis(),
			}
		}

		/// Keys of the current validators, in the order of their numbers.
		pub fn attestor_keys() -> Vec<PublicKey> {
			Attestors::<T>::get().into_iter().map(|attestor| attestor.key).collect()
		}

		/// Withdrawals from number `from` on, at most `limit` and [`MAX_PER_ANSWER`]; those that were
		/// forgotten are left out.
		pub fn withdrawals(from: u64, limit: u32) -> Vec<WithdrawalInfo> {
			let limit = limit.min(MAX_PER_ANSWER) as usize;
			let l2 = Self::l2();
			let info = |id| Withdrawals::<T>::get(id).map(|stored| stored.info(l2, id));
			(from.max(Line::<T>::get().oldest)..)
				.map_while(info)
				.take(limit)
				.collect()
		}

		/// Deposits that wait to be sent back, from number `from` on, at most `limit` and [`MAX_PER_ANSWER`].
		pub fn stranded(from: u64, limit: u32) -> Vec<StrandedDeposit> {
			Self::list_stranded(from, limit.min(MAX_PER_ANSWER) as usize)
		}
	}

	/// The root that this block's MMR leaf carries; zero where the block releases nothing.
	impl<T: Config> sp_consensus_beefy::mmr::BeefyDataProvider<sp_core::H256> for Pallet<T> {
		fn extra_data() -> sp_core::H256 {
			BlockRoot::<T>::get().map(|root| root.0).unwrap_or_default().into()
		}
	}

	impl<T: Config> Pallet<T> {
		/// The block that is being made.
		pub(crate) fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		/// Chain id of the vault's L2; 0 without one.
		pub(crate) fn l2() -> u32 {
			Vault::<T>::get().map_or(0, |vault| vault.l2.chain_id)
		}

		pub(crate) fn genesis() -> Hash {
			Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into())
		}

		/// Checks the invariants at the head of this file.
		#[cfg(any(feature = "try-runtime", test))]
		pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
			let made = GenesisIssuance::<T>::get().saturating_add(Imported::<T>::get());
			let gone = Withdrawn::<T>::get().saturating_add(T::Burnt::get());
			ensure!(
				made.checked_sub(gone) == Some(T::Currency::total_issuance()),
				"1: issuance is not what was imported and not withdrawn"
			);
			Self::try_withdrawals()?;
			ensure!(
				NextDeposit::<T>::get() <= Attested::<T>::get().map_or(0, |attested| attested.count),
				"4: a deposit was imported that is not attested"
			);
			let interval = Vault::<T>::get().map_or(1, |vault| vault.interval);
			for attestor in Attestors::<T>::get() {
				let sane = attestor.said.is_none_or(|(attestation, _)| {
					!attestor.muted && attestation.l2_block.is_multiple_of(interval.into())
				});
				ensure!(sane, "5: a validator said what it could not say");
			}
			ensure!(
				UsedActions::<T>::iter_keys().all(|(epoch, _)| epoch >= OldestEpoch::<T>::get()),
				"6: a used action of an epoch that was cleared"
			);
			ensure!(
				Released::<T>::get().released <= T::OutflowLimit::get(),
				"7: more was released than the limit"
			);
			Self::try_stranded()?;
			Ok(())
		}
	}
}
