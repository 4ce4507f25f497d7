//! Weights of `pallet_balances`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 20, repeats: 10. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_balances`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_balances::WeightInfo for WeightInfo<T> {
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	fn transfer_allow_death() -> Weight {
		// Proof size in bytes:
		//  Measured:  `163`
		//  Estimated: `6196`
		// Shortest run: 139_075_000 picoseconds.
		Weight::from_parts(143_243_000, 6196)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn transfer_keep_alive() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `3593`
		// Shortest run: 83_244_000 picoseconds.
		Weight::from_parts(86_439_000, 3593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn force_set_balance_creating() -> Weight {
		// Proof size in bytes:
		//  Measured:  `39`
		//  Estimated: `3593`
		// Shortest run: 46_685_000 picoseconds.
		Weight::from_parts(49_165_000, 3593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn force_set_balance_killing() -> Weight {
		// Proof size in bytes:
		//  Measured:  `174`
		//  Estimated: `3593`
		// Shortest run: 47_349_000 picoseconds.
		Weight::from_parts(50_143_000, 3593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	fn force_transfer() -> Weight {
		// Proof size in bytes:
		//  Measured:  `266`
		//  Estimated: `8799`
		// Shortest run: 142_255_000 picoseconds.
		Weight::from_parts(149_073_000, 8799)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn transfer_all() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `3593`
		// Shortest run: 102_543_000 picoseconds.
		Weight::from_parts(105_407_000, 3593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn force_unreserve() -> Weight {
		// Proof size in bytes:
		//  Measured:  `174`
		//  Estimated: `3593`
		// Shortest run: 38_580_000 picoseconds.
		Weight::from_parts(40_696_000, 3593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `System::Account` (r:1000 w:1000)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `u` is in `[1, 1000]`.
	fn upgrade_accounts(u: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0 + u * (85 ±0)`
		//  Estimated: `990 + u * (2603 ±0)`
		// Shortest run: 38_012_000 picoseconds.
		Weight::from_parts(38_589_000, 990)
			// Standard error: 41_999.
			.saturating_add(Weight::from_parts(27_696_003, 0).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(u.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(u.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(u.into()))
	}
	fn force_adjust_total_issuance() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 15_341_000 picoseconds.
		Weight::from_parts(16_431_000, 0)
	}
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn burn_allow_death() -> Weight {
		// Proof size in bytes:
		//  Measured:  `163`
		//  Estimated: `3593`
		// Shortest run: 102_298_000 picoseconds.
		Weight::from_parts(105_321_000, 3593)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn burn_keep_alive() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 45_651_000 picoseconds.
		Weight::from_parts(48_437_000, 0)
	}
}
