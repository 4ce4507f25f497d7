//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls.
pub trait WeightInfo {
	/// Weight of `register` with a key that another relayer had, which unties all that it keeps.
	fn register() -> Weight;
	/// Weight of `update`.
	fn update() -> Weight;
	/// Weight of `bond_extra`.
	fn bond_extra() -> Weight;
	/// Weight of `unbond`.
	fn unbond() -> Weight;
	/// Weight of `cancel_unbond`.
	fn cancel_unbond() -> Weight;
	/// Weight of `withdraw_bond`, with as many replaced keys as there may be.
	fn withdraw_bond() -> Weight;
	/// Weight of `set_payout`.
	fn set_payout() -> Weight;
	/// Weight of `set_operator`.
	fn set_operator() -> Weight;
	/// Weight of `set_signing_key` with a key that another relayer had; all replaced keys of both are untied.
	fn set_signing_key() -> Weight;
}

/// Generous estimates: 50 us of work, 150 us with a signature; storage accesses counted by hand.
impl WeightInfo for () {
	fn register() -> Weight {
		Weight::from_parts(180_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(6, 10))
	}
	fn update() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn bond_extra() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 3))
	}
	fn unbond() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn cancel_unbond() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 9))
	}
	fn set_payout() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(5, 5))
	}
	fn set_operator() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn set_signing_key() -> Weight {
		Weight::from_parts(200_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 11))
	}
}
