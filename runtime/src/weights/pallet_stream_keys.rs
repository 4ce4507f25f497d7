//! Weights of `pallet_stream_keys`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 12, repeats: 6. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

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
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:0 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(501), added: 2976, mode: `MaxEncodedLen`)
	fn mint() -> Weight {
		// Proof size in bytes:
		//  Measured:  `107`
		//  Estimated: `3593`
		// Shortest run: 99_994_000 picoseconds.
		Weight::from_parts(102_900_000, 3593)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(501), added: 2976, mode: `MaxEncodedLen`)
	fn update() -> Weight {
		// Proof size in bytes:
		//  Measured:  `273`
		//  Estimated: `3966`
		// Shortest run: 27_392_000 picoseconds.
		Weight::from_parts(28_823_000, 3966)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(501), added: 2976, mode: `MaxEncodedLen`)
	fn set_signing_key() -> Weight {
		// Proof size in bytes:
		//  Measured:  `273`
		//  Estimated: `3966`
		// Shortest run: 27_696_000 picoseconds.
		Weight::from_parts(29_302_000, 3966)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(501), added: 2976, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn burn() -> Weight {
		// Proof size in bytes:
		//  Measured:  `431`
		//  Estimated: `3966`
		// Shortest run: 91_881_000 picoseconds.
		Weight::from_parts(94_930_000, 3966)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
