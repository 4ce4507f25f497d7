//! Weights of `pallet_multisig`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 10, repeats: 8. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_multisig`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_multisig::WeightInfo for WeightInfo<T> {
	/// `z` is in `[0, 10000]`.
	fn as_multi_threshold_1(z: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Shortest run: 30_531_000 picoseconds.
		Weight::from_parts(40_990_919, 0)
			// Standard error: 132.
			.saturating_add(Weight::from_parts(4_834, 0).saturating_mul(z.into()))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	/// `z` is in `[0, 10000]`.
	fn as_multi_create(s: u32, z: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `6`
		//  Estimated: `4250`
		// Shortest run: 68_908_000 picoseconds.
		Weight::from_parts(64_821_584, 4250)
			// Standard error: 86_682.
			.saturating_add(Weight::from_parts(729_724, 0).saturating_mul(s.into()))
			// Standard error: 156.
			.saturating_add(Weight::from_parts(5_278, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[3, 20]`.
	/// `z` is in `[0, 10000]`.
	fn as_multi_approve(s: u32, z: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `211`
		//  Estimated: `4250`
		// Shortest run: 44_107_000 picoseconds.
		Weight::from_parts(45_223_963, 4250)
			// Standard error: 33_943.
			.saturating_add(Weight::from_parts(265_320, 0).saturating_mul(s.into()))
			// Standard error: 60.
			.saturating_add(Weight::from_parts(4_707, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	/// `z` is in `[0, 10000]`.
	fn as_multi_complete(s: u32, z: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `294 + s * (35 ±0)`
		//  Estimated: `4250`
		// Shortest run: 79_129_000 picoseconds.
		Weight::from_parts(68_885_434, 4250)
			// Standard error: 49_822.
			.saturating_add(Weight::from_parts(811_963, 0).saturating_mul(s.into()))
			// Standard error: 89.
			.saturating_add(Weight::from_parts(5_596, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	fn approve_as_multi_create(s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `6`
		//  Estimated: `4250`
		// Shortest run: 61_053_000 picoseconds.
		Weight::from_parts(64_930_790, 4250)
			// Standard error: 20_554.
			.saturating_add(Weight::from_parts(412_689, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	fn approve_as_multi_approve(s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `211`
		//  Estimated: `4250`
		// Shortest run: 36_416_000 picoseconds.
		Weight::from_parts(38_616_314, 4250)
			// Standard error: 16_758.
			.saturating_add(Weight::from_parts(388_857, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	fn cancel_as_multi(s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `211`
		//  Estimated: `4250`
		// Shortest run: 61_451_000 picoseconds.
		Weight::from_parts(63_647_241, 4250)
			// Standard error: 16_650.
			.saturating_add(Weight::from_parts(356_253, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `Multisig::Multisigs` (r:1 w:1)
	/// Proof: `Multisig::Multisigs` (`max_values`: None, `max_size`: Some(785), added: 3260, mode: `MaxEncodedLen`)
	/// `s` is in `[2, 20]`.
	fn poke_deposit(s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `211`
		//  Estimated: `4250`
		// Shortest run: 57_439_000 picoseconds.
		Weight::from_parts(59_795_619, 4250)
			// Standard error: 11_669.
			.saturating_add(Weight::from_parts(333_174, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
