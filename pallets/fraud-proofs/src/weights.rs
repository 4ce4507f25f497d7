//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls and of its work in idle time.
pub trait WeightInfo {
	/// Weight of `report_invalid_chunk` with the longest paths that can hold.
	fn report_invalid_chunk() -> Weight;
	/// Weight of `report_equivocation` with the longest path, signed by the oldest key that a stream keeps.
	fn report_equivocation() -> Weight;
	/// Weight of forgetting `n` offences of a span.
	fn forget(n: u32) -> Weight;
}

/// Generous estimates; storage accesses counted by hand.
impl WeightInfo for () {
	fn report_invalid_chunk() -> Weight {
		Weight::from_parts(2_000_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(13, 11))
	}
	fn report_equivocation() -> Weight {
		Weight::from_parts(2_000_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 6))
	}
	fn forget(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(3 + n, 1 + n))
	}
}
