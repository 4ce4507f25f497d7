//! Weights of `pallet_relayer_registry`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 12, repeats: 6. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_relayer_registry`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_relayer_registry::WeightInfo for WeightInfo<T> {
	/// Storage: `RelayerRegistry::Relayers` (r:2 w:2)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:1 w:5)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:0 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(204), added: 2679, mode: `MaxEncodedLen`)
	fn register() -> Weight {
		// Proof size in bytes:
		//  Measured:  `236`
		//  Estimated: `7668`
		// Shortest run: 229_258_000 picoseconds.
		// By hand: with four keys of another relayer that are untied.
		Weight::from_parts(310_000_000, 7668)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(10))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	fn update() -> Weight {
		// Proof size in bytes:
		//  Measured:  `764`
		//  Estimated: `4329`
		// Shortest run: 41_263_000 picoseconds.
		Weight::from_parts(47_714_000, 4329)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn bond_extra() -> Weight {
		// Proof size in bytes:
		//  Measured:  `959`
		//  Estimated: `4329`
		// Shortest run: 133_416_000 picoseconds.
		Weight::from_parts(141_946_000, 4329)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	fn unbond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `764`
		//  Estimated: `4329`
		// Shortest run: 40_428_000 picoseconds.
		Weight::from_parts(48_520_000, 4329)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	fn cancel_unbond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `768`
		//  Estimated: `4329`
		// Shortest run: 37_252_000 picoseconds.
		Weight::from_parts(41_632_000, 4329)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:0 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(204), added: 2679, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:0 w:1)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	fn withdraw_bond() -> Weight {
		// Proof size in bytes:
		//  Measured:  `963`
		//  Estimated: `4329`
		// Shortest run: 121_733_000 picoseconds.
		Weight::from_parts(126_190_000, 4329)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(9))
	}	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn set_payout() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1226`
		//  Estimated: `6218`
		// By hand: as `bond_extra`, for two accounts.
		Weight::from_parts(230_000_000, 6218)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	fn set_operator() -> Weight {
		// Proof size in bytes:
		//  Measured:  `764`
		//  Estimated: `4329`
		// By hand: as `unbond`.
		Weight::from_parts(48_520_000, 4329)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:2 w:2)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(864), added: 3339, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:1 w:9)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn set_signing_key() -> Weight {
		// Proof size in bytes:
		//  Measured:  `900`
		//  Estimated: `7668`
		// By hand: as `register`, without what it holds, and with eight keys that are untied.
		Weight::from_parts(290_000_000, 7668)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(11))
	}
}
