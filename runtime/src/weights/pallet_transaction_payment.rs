//! Weights of `pallet_transaction_payment`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 10, repeats: 8. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_transaction_payment`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_transaction_payment::WeightInfo for WeightInfo<T> {
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	fn charge_transaction_payment() -> Weight {
		// Proof size in bytes:
		//  Measured:  `264`
		//  Estimated: `6196`
		// Shortest run: 103_543_000 picoseconds.
		Weight::from_parts(107_404_000, 6196)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}
