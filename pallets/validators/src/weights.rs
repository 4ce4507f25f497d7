//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls, and of what other pallets call.
pub trait WeightInfo {
	/// Weight of `register`.
	fn register() -> Weight;
	/// Weight of `bond_more`.
	fn bond_more() -> Weight;
	/// Weight of `leave`.
	fn leave() -> Weight;
	/// Weight of `rejoin`.
	fn rejoin() -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of noting who made a block.
	fn note_author() -> Weight;
	/// Weight of punishing an offender.
	fn slash_for() -> Weight;
	/// Weight of checking who owned a session key, in a full set.
	fn check_key_owner() -> Weight;
	/// Weight of the session pallet's `set_keys` with this chain's keys.
	fn set_keys() -> Weight;
	/// Weight of the session pallet's `purge_keys` with this chain's keys.
	fn purge_keys() -> Weight;
}

/// Generous estimates: 50 us of work, 500 us with signatures or a trie; storage accesses counted by hand.
impl WeightInfo for () {
	fn register() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(7, 5))
	}
	fn bond_more() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 4))
	}
	fn leave() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 2))
	}
	fn rejoin() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(5, 3))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 3))
	}
	fn note_author() -> Weight {
		Weight::from_parts(10_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(0, 1))
	}
	fn slash_for() -> Weight {
		Weight::from_parts(100_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(14, 11))
	}
	fn check_key_owner() -> Weight {
		Weight::from_parts(500_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(40, 0))
	}
	fn set_keys() -> Weight {
		Weight::from_parts(500_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(8, 7))
	}
	fn purge_keys() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 7))
	}
}
