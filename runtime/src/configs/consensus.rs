//! Who makes blocks and who makes them final: Aura, GRANDPA, BEEFY over an MMR, and the sessions that name the
//! validators.

use super::delivery::Treasury;
use crate::{
	constants::*, weights, AccountId, Aura, Balances, BeefyMmrLeaf, BlockNumber, Grandpa, Runtime, RuntimeEvent,
	RuntimeHoldReason, Session, SessionKeys, UsdcBridge, Validators,
};
use alloc::vec::Vec;
#[cfg(feature = "runtime-benchmarks")]
use codec::Encode;
use frame_support::{
	parameter_types,
	traits::{ConstBool, ConstU128, ConstU32, ConstU64, Get},
	weights::{constants::WEIGHT_REF_TIME_PER_MICROS, Weight},
};
use pallet_session::{
	disabling::UpToLimitDisablingStrategy, historical::IdentificationTuple, FindAccountFromAuthorIndex,
	PeriodicSessions,
};
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_beefy::{ecdsa_crypto::AuthorityId as BeefyId, mmr::MmrLeafVersion};
use sp_consensus_grandpa::SetId;
use sp_core::H256;
use sp_runtime::traits::{Convert, ConvertInto, Keccak256, OpaqueKeys};
use sp_staking::{
	offence::{Kind, Offence, OffenceError, ReportOffence},
	SessionIndex,
};

impl pallet_aura::Config for Runtime {
	type AuthorityId = AuraId;
	type DisabledValidators = Session;
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
	type AllowMultipleBlocksPerSlot = ConstBool<false>;
	type SlotDuration = ConstU64<SLOT_MILLIS>;
}

impl pallet_authorship::Config for Runtime {
	type FindAuthor = FindAccountFromAuthorIndex<Self, Aura>;
	type EventHandler = Validators;
}

/// Brings to [`Validators`] what GRANDPA and BEEFY have proven. Aura has no reports: two blocks of one validator for one
/// slot cost it nothing, and bring nothing either, since GRANDPA makes one of them final.
pub struct Reports;

type Offender = IdentificationTuple<Runtime>;
type GrandpaOffence = pallet_grandpa::EquivocationOffence<Offender>;
type BeefyOffence = pallet_beefy::EquivocationOffence<Offender, BlockNumber>;

/// The session of a GRANDPA set, while it is known. Each session has a set of its own, but for the first two.
fn session_of_grandpa_set(set: SetId) -> Option<SessionIndex> {
	let last = Grandpa::session_for_set(set)?;
	Some(if set == 0 { 0 } else { last })
}

fn report(
	kind: Kind,
	offender: &Offender,
	session: Option<SessionIndex>,
	reporters: Vec<AccountId>,
) -> Result<(), OffenceError> {
	let session = session.ok_or(OffenceError::DuplicateReport)?;
	match Validators::slash_for(kind, &offender.0, session, reporters.into_iter().next()) {
		Ok(_) => Ok(()),
		Err(_) => Err(OffenceError::DuplicateReport),
	}
}

/// Whether nothing can come of a report: its set is forgotten, or all were punished.
fn is_known(kind: Kind, offenders: &[Offender], session: Option<SessionIndex>) -> bool {
	session.is_none_or(|session| {
		let mut accounts = offenders.iter().map(|(account, ())| account);
		accounts.all(|account| Validators::is_punished(kind, account, session))
	})
}

impl ReportOffence<AccountId, Offender, GrandpaOffence> for Reports {
	fn report_offence(reporters: Vec<AccountId>, offence: GrandpaOffence) -> Result<(), OffenceError> {
		let session = session_of_grandpa_set(offence.time_slot.set_id);
		report(GrandpaOffence::ID, &offence.offender, session, reporters)
	}

	fn is_known_offence(offenders: &[Offender], slot: &pallet_grandpa::TimeSlot) -> bool {
		is_known(GrandpaOffence::ID, offenders, session_of_grandpa_set(slot.set_id))
	}
}

impl ReportOffence<AccountId, Offender, BeefyOffence> for Reports {
	fn report_offence(reporters: Vec<AccountId>, offence: BeefyOffence) -> Result<(), OffenceError> {
		let session = pallet_beefy::SetIdSession::<Runtime>::get(offence.slot.set_id);
		report(BeefyOffence::ID, &offence.offender, session, reporters)
	}

	fn is_known_offence(offenders: &[Offender], slot: &pallet_beefy::Slot<BlockNumber>) -> bool {
		let session = pallet_beefy::SetIdSession::<Runtime>::get(slot.set_id);
		is_known(BeefyOffence::ID, offenders, session)
	}
}

/// What reports weigh: signatures, who owned the key in a full set, and the punishment. Upstream's figures are for
/// another punishment, another database, and as many validators as the report itself says.
///
/// Nodes of a membership proof weigh nothing more: those that prove nothing are refused, and whoever sends them pays
/// for their bytes.
pub struct ReportWeights;

/// For checking an Ed25519 signature or recovering an ECDSA key: upstream's 48 and 50 us, for a processor three times
/// slower.
const SIGNATURE: Weight = Weight::from_parts(150 * WEIGHT_REF_TIME_PER_MICROS, 0);

impl ReportWeights {
	fn report(signatures: u32) -> Weight {
		type Measured = weights::pallet_validators::WeightInfo<Runtime>;
		SIGNATURE
			.saturating_mul(signatures.into())
			.saturating_add(<Measured as pallet_validators::WeightInfo>::check_key_owner())
			.saturating_add(<Measured as pallet_validators::WeightInfo>::slash_for())
			// Which session a set was of and the one before it, and the keys in use.
			.saturating_add(<Runtime as frame_system::Config>::DbWeight::get().reads(8))
	}
}

impl pallet_grandpa::WeightInfo for ReportWeights {
	fn report_equivocation(_: u32, _: u32) -> Weight {
		Self::report(2)
	}
	fn note_stalled() -> Weight {
		<Runtime as frame_system::Config>::DbWeight::get().writes(1)
	}
}

impl pallet_beefy::WeightInfo for ReportWeights {
	fn report_voting_equivocation(votes: u32, _: u32, _: u32) -> Weight {
		Self::report(votes)
	}
	fn set_new_genesis() -> Weight {
		<Runtime as frame_system::Config>::DbWeight::get().writes(1)
	}
}

/// What setting keys weighs, measured with the keys of this chain.
pub struct SessionWeights;

impl pallet_session::WeightInfo for SessionWeights {
	fn set_keys() -> Weight {
		<weights::pallet_validators::WeightInfo<Runtime> as pallet_validators::WeightInfo>::set_keys()
			// First keys were measured; others replace three.
			.saturating_add(<Runtime as frame_system::Config>::DbWeight::get().writes(3))
	}
	fn purge_keys() -> Weight {
		<weights::pallet_validators::WeightInfo<Runtime> as pallet_validators::WeightInfo>::purge_keys()
	}
}

/// Blocks that a report may wait in a pool: as long as it can count.
const REPORT_LIFE: u64 = PROVABLE_SESSIONS as u64 * SESSION as u64;

impl pallet_grandpa::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = ConstU64<{ PROVABLE_SESSIONS as u64 }>;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Reports, Validators, ConstU64<REPORT_LIFE>>;
	type WeightInfo = ReportWeights;
}

impl pallet_beefy::Config for Runtime {
	type BeefyId = BeefyId;
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = ConstU64<{ PROVABLE_SESSIONS as u64 }>;
	type OnNewValidatorSet = BeefyMmrLeaf;
	type AncestryHelper = BeefyMmrLeaf;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_beefy::EquivocationReportSystem<Self, Reports, Validators, ConstU64<REPORT_LIFE>>;
	type WeightInfo = ReportWeights;
}

impl pallet_mmr::Config for Runtime {
	const INDEXING_PREFIX: &'static [u8] = sp_mmr_primitives::INDEXING_PREFIX;
	type Hashing = Keccak256;
	type LeafData = BeefyMmrLeaf;
	type OnNewRoot = pallet_beefy_mmr::DepositBeefyDigest<Runtime>;
	type BlockHashProvider = pallet_mmr::DefaultBlockHashProvider<Runtime>;
	type WeightInfo = weights::pallet_mmr::WeightInfo<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = ();
}

parameter_types! {
	/// Of the MMR's leaves, for those who verify proofs.
	pub LeafVersion: MmrLeafVersion = MmrLeafVersion::new(0, 0);
}

impl pallet_beefy_mmr::Config for Runtime {
	type LeafVersion = LeafVersion;
	type BeefyAuthorityToMerkleLeaf = pallet_beefy_mmr::BeefyEcdsaToEthereum;
	type LeafExtra = H256;
	type BeefyDataProvider = UsdcBridge;
	type WeightInfo = weights::pallet_beefy_mmr::WeightInfo<Runtime>;
}

/// Says nothing of a validator but its account.
pub struct Unidentified;

impl Convert<AccountId, Option<()>> for Unidentified {
	fn convert(_: AccountId) -> Option<()> {
		Some(())
	}
}

/// Blocks in a session: what genesis says, or [`SESSION`].
pub struct SessionLength;

impl Get<BlockNumber> for SessionLength {
	fn get() -> BlockNumber {
		pallet_validators::SessionLength::<Runtime>::get().unwrap_or(SESSION)
	}
}

impl pallet_session::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = PeriodicSessions<SessionLength, ConstU32<0>>;
	type NextSessionRotation = PeriodicSessions<SessionLength, ConstU32<0>>;
	type SessionManager = pallet_session::historical::NoteHistoricalRoot<Self, Validators>;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type Keys = SessionKeys;
	type DisablingStrategy = UpToLimitDisablingStrategy;
	type Currency = Balances;
	type KeyDeposit = ConstU128<SESSION_KEYS_DEPOSIT>;
	type WeightInfo = SessionWeights;
}

impl pallet_session::historical::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = ();
	type FullIdentificationOf = Unidentified;
}

/// The validators of this session with the keys that it began with: what the four of them hold in the same order.
pub struct KeysInUse;

impl Get<Vec<(AccountId, SessionKeys)>> for KeysInUse {
	fn get() -> Vec<(AccountId, SessionKeys)> {
		// GRANDPA takes the new set over at the end of the block in which the session begins.
		let grandpa = match Grandpa::pending_change() {
			Some(change) => change.next_authorities.into_inner(),
			None => Grandpa::grandpa_authorities(),
		};
		let aura = pallet_aura::Authorities::<Runtime>::get();
		let beefy = pallet_beefy::Authorities::<Runtime>::get();
		let bridge = UsdcBridge::keys();
		let keys = aura.into_iter().zip(grandpa).zip(beefy).zip(bridge);
		let keys = keys.map(|(((aura, (grandpa, _)), beefy), bridge)| SessionKeys {
			aura,
			grandpa,
			beefy,
			bridge,
		});
		Session::validators().into_iter().zip(keys).collect()
	}
}

/// Makes session keys for benchmarks, in the keystore of whoever measures.
#[cfg(feature = "runtime-benchmarks")]
pub struct GeneratedKeys;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_validators::BenchmarkHelper<AccountId, SessionKeys> for GeneratedKeys {
	fn keys(owner: &AccountId) -> (SessionKeys, Vec<u8>) {
		let generated = SessionKeys::generate(&owner.encode(), None);
		(generated.keys, generated.proof.encode())
	}
}

impl pallet_validators::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = Treasury;
	type KeysInUse = KeysInUse;
	type MaxValidators = ConstU32<MAX_VALIDATORS>;
	type MaxCandidates = ConstU32<MAX_CANDIDATES>;
	type MinBond = ConstU128<MIN_VALIDATOR_BOND>;
	type EvidenceSessions = ConstU32<PROVABLE_SESSIONS>;
	type SlashShare = ConstU32<VALIDATOR_SLASH_PPM>;
	type ReporterPart = ConstU32<VALIDATOR_PENALTY_REPORTER_PPM>;
	type TreasuryPart = ConstU32<VALIDATOR_PENALTY_TREASURY_PPM>;
	type WeightInfo = weights::pallet_validators::WeightInfo<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = GeneratedKeys;
}
