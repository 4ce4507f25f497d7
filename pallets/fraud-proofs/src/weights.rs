//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls and of its work in idle time.
pub trait WeightInfo {
	/// Weight of `report_invalid_chunk` with the longest paths that can hold.
	fn report_invalid_chunk() -> Weight;
	/// Weight of `report_equivocation` with the longest path, of a stream with as many keys as it keeps.
	fn report_equivocation() -> Weight;
	/// Weight of paying `n` claims of a case, the treasury's part and what is left included.
	fn settle(n: u32) -> Weight;
	/// Weight of forgetting `n` offences of a span.
	fn forget(n: u32) -> Weight;
}

/// Generous estimates; storage accesses counted by hand.
impl WeightInfo for () {
	fn report_invalid_chunk() -> Weight {
		Weight::from_parts(2_000_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(9, 8))
	}
	fn report_equivocation() -> Weight {
		Weight::from_parts(2_000_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 6))
	}
	fn settle(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(300_000_000, 0)
			.saturating_add(Weight::from_parts(200_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(12 + 6 * n, 12 + 7 * n))
	}
	fn forget(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(3 + n, 1 + n))
	}
}
