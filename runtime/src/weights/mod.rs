//! What calls weigh, measured by `scripts/weights`: a file for each pallet.

pub mod pallet_balances;
pub mod pallet_ticket_broker;
pub mod pallet_timestamp;
