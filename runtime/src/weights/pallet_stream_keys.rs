//! Weights of `pallet_stream_keys`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 50, repeats: 20. CPU: AMD EPYC. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_stream_keys`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_stream_keys::WeightInfo for WeightInfo<T> {
	/// Storage: `StreamKeys::NextStream` (r:1 w:1)
	/// Proof: `StreamKeys::NextStream` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:0 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	fn mint() -> Weight {
		// Proof size in bytes:
		//  Measured:  `107`
		//  Estimated: `3658`
		// Shortest run: 72_828_000 picoseconds.
		Weight::from_parts(75_282_000, 3658)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn update() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 27_801_000 picoseconds.
		Weight::from_parts(29_354_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_signing_key() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 27_301_000 picoseconds.
		Weight::from_parts(28_813_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn burn() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 26_890_000 picoseconds.
		Weight::from_parts(28_482_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_terms() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 27_031_000 picoseconds.
		Weight::from_parts(28_562_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn transfer() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1741`
		//  Estimated: `6326`
		// Shortest run: 153_097_000 picoseconds.
		Weight::from_parts(157_334_000, 6326)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn list() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 26_961_000 picoseconds.
		Weight::from_parts(28_713_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn buy() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1900`
		//  Estimated: `8799`
		// Shortest run: 201_150_000 picoseconds.
		Weight::from_parts(205_516_000, 8799)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_rent() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1405`
		//  Estimated: `5009`
		// Shortest run: 27_060_000 picoseconds.
		Weight::from_parts(28_572_000, 5009)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn rent() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1900`
		//  Estimated: `8799`
		// Shortest run: 201_319_000 picoseconds.
		Weight::from_parts(206_477_000, 8799)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// Storage: `StreamKeys::OldestDue` (r:1 w:1)
	/// Proof: `StreamKeys::OldestDue` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:101 w:100)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:100)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:100 w:100)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:100)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn settle(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `51 + n * (1026 ±0)`
		//  Estimated: `3493 + n * (4019 ±0)`
		// Shortest run: 11_207_000 picoseconds.
		Weight::from_parts(11_497_000, 3493)
			// Standard error: 308_722.
			.saturating_add(Weight::from_parts(104_373_186, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(n.into()))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn earned() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1601`
		//  Estimated: `5009`
		// Shortest run: 77_655_000 picoseconds.
		Weight::from_parts(80_550_000, 5009)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
