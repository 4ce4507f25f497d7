//! Delivery and payment: stream keys, relayers, tickets, and the bridge that brings the money.

use crate::{
	constants::*, weights, AccountId, Balance, Balances, RelayerRegistry, Runtime, RuntimeHoldReason, Session,
	StreamKeys, TicketBroker, Validators,
};
use frame_support::traits::{ConstU128, ConstU32, Get};
use pallet_ticket_broker::Relayers;
use pallet_usdc_bridge::AttestationOffences;
use pallet_validators::ATTESTATION;

impl pallet_stream_keys::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = Treasury;
	type MintDeposit = ConstU128<STREAM_KEY_DEPOSIT>;
	type MaxDeposit = ConstU128<MAX_STREAM_KEY_DEPOSIT>;
	type EarningsKept = ConstU32<EARNINGS_KEPT_PPM>;
	type Royalty = ConstU32<ROYALTY_PPM>;
	type ChangeDelay = ConstU32<MAX_TICKET_LIFE>;
	type MaxRental = ConstU32<MAX_RENTAL>;
	type MaxPreviousKeys = ConstU32<MAX_PREVIOUS_KEYS>;
	type KeyMemory = ConstU32<FRAUD_BLOCKS>;
	type MaxTitle = ConstU32<MAX_TITLE>;
	type MaxCategory = ConstU32<MAX_CATEGORY>;
	type MaxBroadcasterShare = ConstU32<MAX_BROADCASTER_SHARE_PPM>;
	type MaxSurge = ConstU32<MAX_SURGE_PPM>;
	type WeightInfo = weights::pallet_stream_keys::WeightInfo<Runtime>;
}

impl pallet_relayer_registry::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type MinBond = ConstU128<MIN_BOND>;
	type MinSlash = ConstU128<MIN_SLASH>;
	type SlashShare = ConstU32<SLASH_SHARE_PPM>;
	type UnbondDelay = ConstU32<UNBOND_DELAY>;
	type KeyMemory = ConstU32<UNBOND_DELAY>;
	type MaxPreviousKeys = ConstU32<MAX_RELAYER_KEYS>;
	type MaxAddresses = ConstU32<MAX_ADDRESSES>;
	type MaxAddressLength = ConstU32<MAX_ADDRESS_LENGTH>;
	type WeightInfo = weights::pallet_relayer_registry::WeightInfo<Runtime>;
}

impl pallet_ticket_broker::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Streams = StreamKeys;
	type Relayers = ToRegistry;
	type MaxDeposit = ConstU128<MAX_DEPOSIT>;
	type MinFaceValue = ConstU128<MIN_FACE_VALUE>;
	type TreasuryShare = ConstU32<TREASURY_SHARE_PPM>;
	type MaxTicketLife = ConstU32<MAX_TICKET_LIFE>;
	type UnlockDelay = ConstU32<UNLOCK_DELAY>;
	type ChannelDelay = ConstU32<CHANNEL_DELAY>;
	type MaxSessionLife = ConstU32<MAX_SESSION_LIFE>;
	type SessionDeposit = ConstU128<SESSION_DEPOSIT>;
	type ShareMemory = ConstU32<SHARE_MEMORY>;
	type MaxBatch = ConstU32<MAX_BATCH>;
	type MaxSessions = ConstU32<MAX_SESSIONS>;
	type WeightInfo = weights::pallet_ticket_broker::WeightInfo<Runtime>;
}

/// Asks the registry who is a relayer, and tells it what was delivered: what was paid for is a relayer's reputation.
pub struct ToRegistry;

impl Relayers<AccountId> for ToRegistry {
	fn is_bonded(who: &AccountId) -> bool {
		RelayerRegistry::is_bonded(who)
	}

	fn may_redeem(who: &AccountId, recipient: &AccountId) -> bool {
		RelayerRegistry::may_redeem(who, recipient)
	}

	fn payout(recipient: &AccountId) -> AccountId {
		RelayerRegistry::payout(recipient)
	}

	fn delivered(relayer: &AccountId, viewer: &AccountId, bytes: u64, value: Balance) {
		RelayerRegistry::note_delivery(relayer, viewer, bytes, value);
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(relayer: &AccountId) {
		let signing_key = clustercast_primitives::PublicKey(relayer.clone().into());
		<RelayerRegistry as pallet_relayer_registry::Bonds<_>>::create(relayer.clone(), signing_key);
	}
}

/// The account that ticket shares, royalties and parts of penalties go to.
pub struct Treasury;

impl Get<Option<AccountId>> for Treasury {
	fn get() -> Option<AccountId> {
		pallet_ticket_broker::Treasury::<Runtime>::get()
	}
}

impl pallet_fraud_proofs::Config for Runtime {
	type Currency = Balances;
	type Relayers = RelayerRegistry;
	type Streams = StreamKeys;
	type Treasury = Treasury;
	type FraudWindow = ConstU32<FRAUD_BLOCKS>;
	type TreasuryPart = ConstU32<PENALTY_TREASURY_PPM>;
	type WeightInfo = weights::pallet_fraud_proofs::WeightInfo<Runtime>;
}

/// What penalties have burnt.
pub struct BurntByPenalties;

impl Get<Balance> for BurntByPenalties {
	fn get() -> Balance {
		let relayers = pallet_fraud_proofs::Burnt::<Runtime>::get();
		relayers.saturating_add(pallet_validators::Burnt::<Runtime>::get())
	}
}

/// A validator that contradicts itself about the L2 loses its bond as for any other equivocation.
pub struct ToValidators;

impl AttestationOffences<AccountId> for ToValidators {
	fn contradicted_itself(validator: &AccountId) {
		// Refused only where it was punished for that in this session.
		let _ = Validators::slash_for(ATTESTATION, validator, Session::current_index(), None);
	}
}

impl pallet_usdc_bridge::Config for Runtime {
	type Currency = Balances;
	type Escrow = TicketBroker;
	type Offences = ToValidators;
	type Burnt = BurntByPenalties;
	type MaxAttestors = ConstU32<MAX_VALIDATORS>;
	type MaxImports = ConstU32<MAX_IMPORTS>;
	type MaxStranded = ConstU32<MAX_STRANDED>;
	type MinWithdrawal = ConstU128<MIN_WITHDRAWAL>;
	type MaxWithdrawal = ConstU128<MAX_WITHDRAWAL>;
	type MaxQueue = ConstU32<MAX_WITHDRAWAL_QUEUE>;
	type ReleasesPerBlock = ConstU32<RELEASES_PER_BLOCK>;
	type OutflowLimit = ConstU128<OUTFLOW_LIMIT>;
	type OutflowPeriod = ConstU32<OUTFLOW_PERIOD>;
	type Memory = ConstU32<WITHDRAWAL_MEMORY>;
	type MaxActionLife = ConstU32<MAX_ACTION_LIFE>;
	type WeightInfo = weights::pallet_usdc_bridge::WeightInfo<Runtime>;
}
