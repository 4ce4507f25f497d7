//! Weights of `pallet_fraud_proofs`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 10, repeats: 10. CPU: AMD EPYC. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_fraud_proofs`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_fraud_proofs::WeightInfo for WeightInfo<T> {
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Punished` (r:1 w:1)
	/// Proof: `FraudProofs::Punished` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:1 w:0)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::CaseOf` (r:1 w:1)
	/// Proof: `FraudProofs::CaseOf` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Slashes` (r:1 w:1)
	/// Proof: `RelayerRegistry::Slashes` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::OldestSpan` (r:1 w:1)
	/// Proof: `FraudProofs::OldestSpan` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::NextCase` (r:1 w:1)
	/// Proof: `FraudProofs::NextCase` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Cases` (r:0 w:1)
	/// Proof: `FraudProofs::Cases` (`max_values`: None, `max_size`: Some(769), added: 3244, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Claims` (r:0 w:1)
	/// Proof: `FraudProofs::Claims` (`max_values`: None, `max_size`: Some(140), added: 2615, mode: `MaxEncodedLen`)
	fn report_invalid_chunk() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1083`
		//  Estimated: `4330`
		// Shortest run: 354_728_000 picoseconds.
		Weight::from_parts(366_806_000, 4330)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Taken` (r:1 w:1)
	/// Proof: `FraudProofs::Taken` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Burnt` (r:1 w:1)
	/// Proof: `FraudProofs::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn report_equivocation() -> Weight {
		// Proof size in bytes:
		//  Measured:  `2021`
		//  Estimated: `8799`
		// Shortest run: 361_699_000 picoseconds.
		Weight::from_parts(379_756_000, 8799)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// Storage: `FraudProofs::OldestCase` (r:1 w:1)
	/// Proof: `FraudProofs::OldestCase` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Cases` (r:2 w:1)
	/// Proof: `FraudProofs::Cases` (`max_values`: None, `max_size`: Some(769), added: 3244, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:1)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:202 w:202)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Taken` (r:1 w:1)
	/// Proof: `FraudProofs::Taken` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Burnt` (r:1 w:1)
	/// Proof: `FraudProofs::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Claims` (r:101 w:100)
	/// Proof: `FraudProofs::Claims` (`max_values`: None, `max_size`: Some(140), added: 2615, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:0 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(208), added: 2683, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::SigningKeys` (r:0 w:1)
	/// Proof: `RelayerRegistry::SigningKeys` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::CaseOf` (r:0 w:1)
	/// Proof: `FraudProofs::CaseOf` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn settle(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `2201 + n * (303 ±0)`
		//  Estimated: `7478 + n * (5206 ±0)`
		// Shortest run: 154_590_000 picoseconds.
		Weight::from_parts(123_687_818, 7478)
			// Standard error: 65_325.
			.saturating_add(Weight::from_parts(89_570_237, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(11))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(n.into()))
	}
	/// Storage: `FraudProofs::OldestSpan` (r:1 w:1)
	/// Proof: `FraudProofs::OldestSpan` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `FraudProofs::Punished` (r:101 w:100)
	/// Proof: `FraudProofs::Punished` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn forget(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `537 + n * (6 ±0)`
		//  Estimated: `3509 + n * (2519 ±0)`
		// Shortest run: 11_166_000 picoseconds.
		Weight::from_parts(11_545_042, 3509)
			// Standard error: 697.
			.saturating_add(Weight::from_parts(3_701_440, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2519).saturating_mul(n.into()))
	}
}
