//! Weights of `pallet_relayer_registry`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 10, repeats: 10. CPU: AMD EPYC. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_relayer_registry`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_relayer_registry::WeightInfo for WeightInfo<T> {
	/// Storage: `RelayerRegistry::Relayers` (r:2 w:2)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:1 w:4)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:0 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(208), added: 2683, mode: `MaxEncodedLen`)
	fn register() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1436`
		//  Estimated: `7670`
		// Shortest run: 185_547_000 picoseconds.
		Weight::from_parts(196_833_000, 7670)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	fn update() -> Weight {
		// Proof size in bytes:
		//  Measured:  `831`
		//  Estimated: `4330`
		// Shortest run: 23_775_000 picoseconds.
		Weight::from_parts(26_109_000, 4330)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn bond_extra() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1026`
		//  Estimated: `4330`
		// Shortest run: 85_688_000 picoseconds.
		Weight::from_parts(89_854_000, 4330)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	fn unbond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `831`
		//  Estimated: `4330`
		// Shortest run: 22_644_000 picoseconds.
		Weight::from_parts(25_408_000, 4330)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	fn cancel_unbond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `835`
		//  Estimated: `4330`
		// Shortest run: 21_662_000 picoseconds.
		Weight::from_parts(23_385_000, 4330)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:0 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(208), added: 2683, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:0 w:5)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	fn withdraw_bond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1178`
		//  Estimated: `4330`
		// Shortest run: 93_779_000 picoseconds.
		Weight::from_parts(106_048_000, 4330)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn set_payout() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1127`
		//  Estimated: `6326`
		// Shortest run: 91_757_000 picoseconds.
		Weight::from_parts(96_013_000, 6326)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	fn set_operator() -> Weight {
		// Proof size in bytes:
		//  Measured:  `831`
		//  Estimated: `4330`
		// Shortest run: 22_464_000 picoseconds.
		Weight::from_parts(24_616_000, 4330)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:2 w:2)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:1 w:8)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn set_signing_key() -> Weight {
		// Proof size in bytes:
		//  Measured:  `2193`
		//  Estimated: `7670`
		// Shortest run: 130_664_000 picoseconds.
		Weight::from_parts(138_076_000, 7670)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(10))
	}
}
