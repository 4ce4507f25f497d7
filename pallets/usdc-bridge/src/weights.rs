//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls, and of its work at the beginning and in idle time of a block.
pub trait WeightInfo {
	/// Weight of `attest` when it is the last that is missing, of as many validators as there can be.
	fn attest() -> Weight;
	/// Weight of `import_deposits` with `n` deposits, each with escrow and session for an account whose unlocking ends.
	fn import_deposits(n: u32) -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of `act` that withdraws all that an account has, with a tip.
	fn act_withdraw() -> Weight;
	/// Weight of `act` that unlocks, with a tip.
	fn act_unlock() -> Weight;
	/// Weight of `act` that collects, with a tip.
	fn act_collect() -> Weight;
	/// Weight of `act` that authorises the last session of an account, with a tip.
	fn act_authorize() -> Weight;
	/// Weight of `refund`.
	fn refund() -> Weight;
	/// Weight of `report_attestation_equivocation`.
	fn report_attestation_equivocation() -> Weight;
	/// Weight of releasing `n` withdrawals into a block's root.
	fn release(n: u32) -> Weight;
	/// Weight of forgetting `n` released withdrawals.
	fn forget_withdrawals(n: u32) -> Weight;
	/// Weight of clearing `n` used actions of an epoch.
	fn clear_actions(n: u32) -> Weight;
}

/// Generous estimates; storage accesses counted by hand.
impl WeightInfo for () {
	fn attest() -> Weight {
		Weight::from_parts(300_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 2))
	}
	fn import_deposits(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(700_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(4 + 6 * n, 3 + 6 * n))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(150_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(5, 4))
	}
	fn act_withdraw() -> Weight {
		Weight::from_parts(600_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 8))
	}
	fn act_unlock() -> Weight {
		Weight::from_parts(500_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(7, 4))
	}
	fn act_collect() -> Weight {
		Weight::from_parts(600_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(7, 6))
	}
	fn act_authorize() -> Weight {
		Weight::from_parts(700_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 6))
	}
	fn refund() -> Weight {
		Weight::from_parts(150_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(6, 6))
	}
	fn report_attestation_equivocation() -> Weight {
		Weight::from_parts(500_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(2, 1))
	}
	fn release(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(20_000_000, 0)
			.saturating_add(Weight::from_parts(30_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(2 + n, 3 + n))
	}
	fn forget_withdrawals(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(20_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(2 + n, 1 + n))
	}
	fn clear_actions(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(30_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(2 + n, 1 + n))
	}
}
