//! What each pallet is given. Consensus and delivery have files of their own.

pub(crate) mod consensus;
mod delivery;

use crate::{
	calls::NotNobodys,
	constants::*,
	money::{OneMicroUsdcPer, PriceOfFullness, ToAuthor, ToTreasury},
	weights, AccountId, Aura, Balance, Balances, Block, Hash, Nonce, OriginCaller, PalletInfo, Runtime, RuntimeCall,
	RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin, RuntimeTask, System, UncheckedExtrinsic,
	VERSION,
};
use frame_support::{
	derive_impl,
	dispatch::DispatchClass,
	parameter_types,
	traits::{ConstU128, ConstU16, ConstU32, ConstU64, ConstU8, VariantCountOf},
	weights::{
		constants::{ExtrinsicBaseWeight, ParityDbWeight, WEIGHT_REF_TIME_PER_MILLIS},
		Weight,
	},
};
use frame_system::{
	limits::{BlockLength, BlockWeights},
	offchain::{CreateBare, CreateTransactionBase},
};
use pallet_transaction_payment::FungibleAdapter;
use pallet_usdc_bridge::WeightInfo;
use sp_runtime::Perbill;
use sp_version::RuntimeVersion;

/// Computing in a block: a quarter of the slot, so that a slower validator keeps up.
const BLOCK_MILLIS: u64 = SLOT_MILLIS / 4;

/// Extrinsics in a block.
const BLOCK_BYTES: u32 = 5 * 1024 * 1024;

/// What signed extrinsics may take of a block.
const NORMAL_SHARE: Perbill = Perbill::from_percent(75);

/// What one of them may take: what the block itself needs is left, so that it fits some time.
const LARGEST_SHARE: Perbill = Perbill::from_percent(65);

const _: () = assert!(
	BLOCK_BYTES as u64 * PICOSECONDS_PER_BYTE >= BLOCK_MILLIS * WEIGHT_REF_TIME_PER_MILLIS,
	"a block could be full of bytes and look empty"
);

parameter_types! {
	/// See [`VERSION`].
	pub const Version: RuntimeVersion = VERSION;
	/// See [`BLOCK_MILLIS`]. Operational are attestations alone: there is room for one of each validator, which nobody else
	/// can take, and no more. What is around a signed call is weighed with its extensions ([`crate::pool`]), so that its
	/// price rises too.
	pub RuntimeBlockWeights: BlockWeights = {
		let block = Weight::from_parts(BLOCK_MILLIS * WEIGHT_REF_TIME_PER_MILLIS, u64::MAX);
		let attestation = weights::pallet_usdc_bridge::WeightInfo::<Runtime>::attest();
		let attestations = attestation
			.saturating_add(ExtrinsicBaseWeight::get())
			.saturating_mul(MAX_VALIDATORS.into());
		let mut limits = BlockWeights::builder()
			.for_class(DispatchClass::Normal, |limits| {
				limits.base_extrinsic = Weight::zero();
				limits.max_extrinsic = Some(LARGEST_SHARE * block);
				limits.max_total = Some(NORMAL_SHARE * block);
			})
			.for_class(DispatchClass::Operational, |limits| {
				limits.max_total = Some(attestations);
				limits.reserved = Some(attestations);
			})
			.build_or_panic();
		limits.max_block = block;
		limits
	};
	/// See [`BLOCK_BYTES`].
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(BLOCK_BYTES)
		.modify_max_length_for_class(DispatchClass::Normal, |length| *length = NORMAL_SHARE * *length)
		.build();
}

/// What nodes submit by themselves, such as reports of equivocation, is not signed.
impl<LocalCall> CreateTransactionBase<LocalCall> for Runtime
where
	RuntimeCall: From<LocalCall>,
{
	type Extrinsic = UncheckedExtrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<LocalCall> CreateBare<LocalCall> for Runtime
where
	RuntimeCall: From<LocalCall>,
{
	fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_bare(call)
	}
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type BaseCallFilter = NotNobodys;
	type Block = Block;
	type BlockWeights = RuntimeBlockWeights;
	type BlockLength = RuntimeBlockLength;
	type AccountId = AccountId;
	type Nonce = Nonce;
	type Hash = Hash;
	type BlockHashCount = ConstU32<BLOCK_HASHES>;
	type DbWeight = ParityDbWeight;
	type Version = Version;
	type AccountData = pallet_balances::AccountData<Balance>;
	type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
	type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
	type SS58Prefix = ConstU16<42>;
	type MaxConsumers = ConstU32<16>;
}

impl pallet_timestamp::Config for Runtime {
	type Moment = u64;
	type OnTimestampSet = Aura;
	type MinimumPeriod = ConstU64<{ SLOT_MILLIS / 2 }>;
	type WeightInfo = weights::pallet_timestamp::WeightInfo<Runtime>;
}

impl pallet_balances::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeHoldReason = RuntimeHoldReason;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type Balance = Balance;
	type DustRemoval = ToTreasury;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
	type ReserveIdentifier = [u8; 8];
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxLocks = ConstU32<0>;
	type MaxReserves = ConstU32<0>;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	type DoneSlashHandler = ();
	type WeightInfo = weights::pallet_balances::WeightInfo<Runtime>;
}

impl pallet_transaction_payment::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type OnChargeTransaction = FungibleAdapter<Balances, ToAuthor>;
	type OperationalFeeMultiplier = ConstU8<0>;
	type WeightToFee = OneMicroUsdcPer<PICOSECONDS_PER_MICRO_USDC>;
	type LengthToFee = OneMicroUsdcPer<BYTES_PER_MICRO_USDC>;
	type FeeMultiplierUpdate = PriceOfFullness;
	type WeightInfo = weights::pallet_transaction_payment::WeightInfo<Runtime>;
}

impl pallet_multisig::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type Currency = Balances;
	type DepositBase = ConstU128<MULTISIG_DEPOSIT>;
	type DepositFactor = ConstU128<MULTISIG_DEPOSIT_PER_SIGNATORY>;
	type MaxSignatories = ConstU32<MAX_SIGNATORIES>;
	type BlockNumberProvider = System;
	type WeightInfo = weights::pallet_multisig::WeightInfo<Runtime>;
}

impl pallet_utility::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PalletsOrigin = OriginCaller;
	type WeightInfo = weights::pallet_utility::WeightInfo<Runtime>;
}

#[cfg(feature = "runtime-benchmarks")]
impl pallet_transaction_payment::BenchmarkConfig for Runtime {}
