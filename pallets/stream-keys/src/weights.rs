//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls. Those of an existing key include bringing it to its block.
pub trait WeightInfo {
	/// Weight of `mint`.
	fn mint() -> Weight;
	/// Weight of `update`.
	fn update() -> Weight;
	/// Weight of `set_signing_key`.
	fn set_signing_key() -> Weight;
	/// Weight of `burn`.
	fn burn() -> Weight;
	/// Weight of `set_terms`.
	fn set_terms() -> Weight;
	/// Weight of `transfer`.
	fn transfer() -> Weight;
	/// Weight of `list`.
	fn list() -> Weight;
	/// Weight of `buy`.
	fn buy() -> Weight;
	/// Weight of `set_rent`.
	fn set_rent() -> Weight;
	/// Weight of `rent`.
	fn rent() -> Weight;
	/// Weight of cleaning up one thing of each of `n` keys of which something fell due in one block.
	fn settle(n: u32) -> Weight;
	/// Weight of keeping a part of what was earned, which whoever tells of it counts.
	fn earned() -> Weight;
}

/// Generous estimates: 50 us of work, storage accesses counted by hand.
impl WeightInfo for () {
	fn mint() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 4))
	}
	fn update() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn set_signing_key() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn burn() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn set_terms() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn transfer() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(7, 8))
	}
	fn list() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn buy() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(9, 9))
	}
	fn set_rent() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 5))
	}
	fn rent() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 9))
	}
	fn settle(n: u32) -> Weight {
		let each = Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(7, 7));
		Weight::from_parts(5_000_000, 0)
			.saturating_add(RocksDbWeight::get().reads_writes(1, 1))
			.saturating_add(each.saturating_mul(n.into()))
	}
	fn earned() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 3))
	}
}
