//! Weights of `pallet_usdc_bridge`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 20, repeats: 20. CPU: AMD EPYC. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_usdc_bridge`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_usdc_bridge::WeightInfo for WeightInfo<T> {
	/// Storage: `UsdcBridge::Attestors` (r:1 w:1)
	/// Proof: `UsdcBridge::Attestors` (`max_values`: Some(1), `max_size`: Some(5121), added: 5616, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Attested` (r:1 w:1)
	/// Proof: `UsdcBridge::Attested` (`max_values`: Some(1), `max_size`: Some(89), added: 584, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn attest() -> Weight {
		// Proof size in bytes:
		//  Measured:  `5184`
		//  Estimated: `6606`
		// Shortest run: 110_965_000 picoseconds.
		Weight::from_parts(121_571_000, 6606)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `UsdcBridge::Attested` (r:1 w:0)
	/// Proof: `UsdcBridge::Attested` (`max_values`: Some(1), `max_size`: Some(89), added: 584, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::NextDeposit` (r:1 w:1)
	/// Proof: `UsdcBridge::NextDeposit` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::CounterForStranded` (r:1 w:0)
	/// Proof: `UsdcBridge::CounterForStranded` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:32 w:32)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Imported` (r:1 w:1)
	/// Proof: `UsdcBridge::Imported` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:32 w:32)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:32 w:32)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:32 w:32)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(313), added: 2788, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Relayers` (r:32 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:32)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	/// `n` is in `[1, 32]`.
	fn import_deposits(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `405 + n * (229 ±0)`
		//  Estimated: `3509 + n * (3340 ±0)`
		// Shortest run: 321_568_000 picoseconds.
		Weight::from_parts(43_901_035, 3509)
			// Standard error: 751_109.
			.saturating_add(Weight::from_parts(293_347_188, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((6_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3340).saturating_mul(n.into()))
	}
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawn` (r:1 w:1)
	/// Proof: `UsdcBridge::Withdrawn` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:0 w:1)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof size in bytes:
		//  Measured:  `216`
		//  Estimated: `3593`
		// Shortest run: 52_007_000 picoseconds.
		Weight::from_parts(54_621_000, 3593)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Proof: `UsdcBridge::UsedActions` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawn` (r:1 w:1)
	/// Proof: `UsdcBridge::Withdrawn` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:0 w:1)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	fn act_withdraw() -> Weight {
		// Proof size in bytes:
		//  Measured:  `342`
		//  Estimated: `6196`
		// Shortest run: 218_535_000 picoseconds.
		Weight::from_parts(232_115_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Proof: `UsdcBridge::UsedActions` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn act_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `439`
		//  Estimated: `6196`
		// Shortest run: 196_522_000 picoseconds.
		Weight::from_parts(205_726_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Proof: `UsdcBridge::UsedActions` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn act_collect() -> Weight {
		// Proof size in bytes:
		//  Measured:  `529`
		//  Estimated: `6196`
		// Shortest run: 234_649_000 picoseconds.
		Weight::from_parts(244_754_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Proof: `UsdcBridge::UsedActions` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(313), added: 2788, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:1)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:0 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn act_authorize() -> Weight {
		// Proof size in bytes:
		//  Measured:  `498`
		//  Estimated: `6196`
		// Shortest run: 322_801_000 picoseconds.
		Weight::from_parts(343_631_000, 6196)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(8))
	}
	/// Storage: `System::Account` (r:2 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Attestors` (r:1 w:1)
	/// Proof: `UsdcBridge::Attestors` (`max_values`: Some(1), `max_size`: Some(5121), added: 5616, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Session::CurrentIndex` (r:1 w:0)
	/// Proof: `Session::CurrentIndex` (`max_values`: Some(1), `max_size`: None, mode: `Measured`)
	/// Storage: `Validators::Punished` (r:1 w:1)
	/// Proof: `Validators::Punished` (`max_values`: None, `max_size`: Some(76), added: 2551, mode: `MaxEncodedLen`)
	/// Storage: `Session::Validators` (r:1 w:0)
	/// Proof: `Session::Validators` (`max_values`: Some(1), `max_size`: None, mode: `Measured`)
	/// Storage: `Session::QueuedKeys` (r:1 w:0)
	/// Proof: `Session::QueuedKeys` (`max_values`: Some(1), `max_size`: None, mode: `Measured`)
	/// Storage: `Validators::Bonds` (r:1 w:0)
	/// Proof: `Validators::Bonds` (`max_values`: None, `max_size`: Some(69), added: 2544, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Validators::Taken` (r:1 w:1)
	/// Proof: `Validators::Taken` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Validators::Burnt` (r:1 w:1)
	/// Proof: `Validators::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn report_attestation_equivocation() -> Weight {
		// Proof size in bytes:
		//  Measured:  `5850`
		//  Estimated: `7335`
		// Shortest run: 239_707_000 picoseconds.
		Weight::from_parts(263_472_000, 7335)
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Stranded` (r:1 w:1)
	/// Proof: `UsdcBridge::Stranded` (`max_values`: None, `max_size`: Some(97), added: 2572, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::CounterForStranded` (r:1 w:1)
	/// Proof: `UsdcBridge::CounterForStranded` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Imported` (r:1 w:1)
	/// Proof: `UsdcBridge::Imported` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawn` (r:1 w:1)
	/// Proof: `UsdcBridge::Withdrawn` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:0 w:1)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	fn refund() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1362`
		//  Estimated: `3562`
		// Shortest run: 49_854_000 picoseconds.
		Weight::from_parts(57_636_000, 3562)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(36), added: 531, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Released` (r:1 w:1)
	/// Proof: `UsdcBridge::Released` (`max_values`: Some(1), `max_size`: Some(20), added: 515, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:16 w:16)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::BlockRoot` (r:0 w:1)
	/// Proof: `UsdcBridge::BlockRoot` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 16]`.
	fn release(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `270 + n * (52 ±0)`
		//  Estimated: `1521 + n * (2556 ±0)`
		// Shortest run: 3_355_000 picoseconds.
		Weight::from_parts(13_501_171, 1521)
			// Standard error: 10_548.
			.saturating_add(Weight::from_parts(9_358_965, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2556).saturating_mul(n.into()))
	}
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:101 w:100)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn forget_withdrawals(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `254 + n * (51 ±0)`
		//  Estimated: `3546 + n * (2556 ±0)`
		// Shortest run: 8_633_000 picoseconds.
		Weight::from_parts(7_728_720, 3546)
			// Standard error: 2_147.
			.saturating_add(Weight::from_parts(6_728_985, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2556).saturating_mul(n.into()))
	}
	/// Storage: `UsdcBridge::OldestEpoch` (r:1 w:1)
	/// Proof: `UsdcBridge::OldestEpoch` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::UsedActions` (r:101 w:100)
	/// Proof: `UsdcBridge::UsedActions` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn clear_actions(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `136 + n * (36 ±0)`
		//  Estimated: `3509 + n * (2519 ±0)`
		// Shortest run: 10_606_000 picoseconds.
		Weight::from_parts(11_201_190, 3509)
			// Standard error: 1_120.
			.saturating_add(Weight::from_parts(4_103_650, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2519).saturating_mul(n.into()))
	}
}
