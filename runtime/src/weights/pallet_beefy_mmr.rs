//! Weights of `pallet_beefy_mmr`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 4, repeats: 3. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_beefy_mmr`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_beefy_mmr::WeightInfo for WeightInfo<T> {
	/// `n` is in `[2, 512]`.
	fn n_leafs_proof_is_optimal(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 1_373_000 picoseconds.
		Weight::from_parts(2_347_108, 0)
			// Standard error: 385.
			.saturating_add(Weight::from_parts(2_023, 0).saturating_mul(n.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn extract_validation_context() -> Weight {
		// Proof size in bytes:
		//  Measured:  `92`
		//  Estimated: `3509`
		// Shortest run: 14_047_000 picoseconds.
		Weight::from_parts(14_848_000, 3509)
			.saturating_add(T::DbWeight::get().reads(1))
	}
	/// Storage: `Mmr::Nodes` (r:1 w:0)
	/// Proof: `Mmr::Nodes` (`max_values`: None, `max_size`: Some(40), added: 2515, mode: `MaxEncodedLen`)
	fn read_peak() -> Weight {
		// Proof size in bytes:
		//  Measured:  `150`
		//  Estimated: `3505`
		// Shortest run: 9_699_000 picoseconds.
		Weight::from_parts(10_478_000, 3505)
			.saturating_add(T::DbWeight::get().reads(1))
	}
	/// Storage: `Mmr::RootHash` (r:1 w:0)
	/// Proof: `Mmr::RootHash` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Mmr::NumberOfLeaves` (r:1 w:0)
	/// Proof: `Mmr::NumberOfLeaves` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// `n` is in `[2, 512]`.
	fn n_items_proof_is_non_canonical(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `142`
		//  Estimated: `1517`
		// Shortest run: 21_283_000 picoseconds.
		Weight::from_parts(21_283_000, 1517)
			// Standard error: 40_085_166.
			.saturating_add(Weight::from_parts(72_584_599, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
}
