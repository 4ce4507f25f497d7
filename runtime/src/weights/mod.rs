//! What calls weigh, measured by `scripts/weights`: a file for each pallet.

pub mod pallet_balances;
pub mod pallet_beefy_mmr;
pub mod pallet_fraud_proofs;
pub mod pallet_mmr;
pub mod pallet_multisig;
pub mod pallet_relayer_registry;
pub mod pallet_stream_keys;
pub mod pallet_ticket_broker;
pub mod pallet_timestamp;
pub mod pallet_transaction_payment;
pub mod pallet_usdc_bridge;
pub mod pallet_utility;
pub mod pallet_validators;
