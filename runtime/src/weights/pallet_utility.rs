//! Weights of `pallet_utility`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 10, repeats: 8. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_utility`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_utility::WeightInfo for WeightInfo<T> {
	/// `c` is in `[0, 1000]`.
	fn batch(c: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 13_145_000 picoseconds.
		Weight::from_parts(16_769_201, 0)
			// Standard error: 5_611.
			.saturating_add(Weight::from_parts(5_914_846, 0).saturating_mul(c.into()))
	}
	fn as_derivative() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 11_944_000 picoseconds.
		Weight::from_parts(13_393_000, 0)
	}
	/// `c` is in `[0, 1000]`.
	fn batch_all(c: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 13_613_000 picoseconds.
		Weight::from_parts(30_511_323, 0)
			// Standard error: 3_053.
			.saturating_add(Weight::from_parts(6_771_587, 0).saturating_mul(c.into()))
	}
	fn dispatch_as() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 17_617_000 picoseconds.
		Weight::from_parts(19_970_000, 0)
	}
	/// `c` is in `[0, 1000]`.
	fn force_batch(c: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 13_313_000 picoseconds.
		Weight::from_parts(14_159_000, 0)
			// Standard error: 593_402.
			.saturating_add(Weight::from_parts(13_044_955, 0).saturating_mul(c.into()))
	}
	fn dispatch_as_fallible() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 17_629_000 picoseconds.
		Weight::from_parts(19_732_000, 0)
	}
	fn if_else() -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 21_217_000 picoseconds.
		Weight::from_parts(23_462_000, 0)
	}
}
