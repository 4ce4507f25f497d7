//! Delivery and payment: stream keys, relayers, tickets.

use crate::{constants::*, weights, Balances, Runtime, RuntimeHoldReason, StreamKeys};
use frame_support::traits::{ConstU128, ConstU32};

impl pallet_stream_keys::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type MintDeposit = ConstU128<STREAM_KEY_DEPOSIT>;
	type MaxTitle = ConstU32<MAX_TITLE>;
	type MaxCategory = ConstU32<MAX_CATEGORY>;
	type MaxBroadcasterShare = ConstU32<MAX_BROADCASTER_SHARE_PPM>;
	type WeightInfo = weights::pallet_stream_keys::WeightInfo<Runtime>;
}

impl pallet_relayer_registry::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type MinBond = ConstU128<MIN_BOND>;
	type UnbondDelay = ConstU32<UNBOND_DELAY>;
	type MaxAddresses = ConstU32<MAX_ADDRESSES>;
	type MaxAddressLength = ConstU32<MAX_ADDRESS_LENGTH>;
	type WeightInfo = weights::pallet_relayer_registry::WeightInfo<Runtime>;
}

impl pallet_ticket_broker::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Streams = StreamKeys;
	type MaxDeposit = ConstU128<MAX_DEPOSIT>;
	type MinFaceValue = ConstU128<MIN_FACE_VALUE>;
	type TreasuryShare = ConstU32<TREASURY_SHARE_PPM>;
	type MaxTicketLife = ConstU32<MAX_TICKET_LIFE>;
	type UnlockDelay = ConstU32<UNLOCK_DELAY>;
	type EpochLength = ConstU32<TICKET_EPOCH>;
	type MaxNonces = ConstU32<MAX_NONCES>;
	type MaxBatch = ConstU32<MAX_BATCH>;
	type MaxSessions = ConstU32<MAX_SESSIONS>;
	type WeightInfo = weights::pallet_ticket_broker::WeightInfo<Runtime>;
}
