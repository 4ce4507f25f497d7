//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls.
pub trait WeightInfo {
	/// Weight of `mint`.
	fn mint() -> Weight;
	/// Weight of `update`.
	fn update() -> Weight;
	/// Weight of `set_signing_key`.
	fn set_signing_key() -> Weight;
	/// Weight of `burn`.
	fn burn() -> Weight;
}

/// Generous estimates: 50 us of work, storage accesses counted by hand.
impl WeightInfo for () {
	fn mint() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 4))
	}
	fn update() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn set_signing_key() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn burn() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 3))
	}
}
