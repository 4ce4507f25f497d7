//! Weights of `pallet_usdc_bridge`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 12, repeats: 6. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_usdc_bridge`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_usdc_bridge::WeightInfo for WeightInfo<T> {
	/// Storage: `UsdcBridge::Attestors` (r:1 w:1)
	/// Proof: `UsdcBridge::Attestors` (`max_values`: Some(1), `max_size`: Some(4801), added: 5296, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(40), added: 535, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Attested` (r:1 w:1)
	/// Proof: `UsdcBridge::Attested` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn attest() -> Weight {
		// Proof size in bytes:
		//  Measured:  `4877`
		//  Estimated: `6286`
		// Shortest run: 147_339_000 picoseconds.
		Weight::from_parts(162_403_000, 6286)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `UsdcBridge::Attested` (r:1 w:0)
	/// Proof: `UsdcBridge::Attested` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::NextDeposit` (r:1 w:1)
	/// Proof: `UsdcBridge::NextDeposit` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:32 w:32)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Imported` (r:1 w:1)
	/// Proof: `UsdcBridge::Imported` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:32 w:32)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:32 w:32)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:32 w:32)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(305), added: 2780, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::CounterForStranded` (r:1 w:0)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// `n` is in `[1, 32]`.
	fn import_deposits(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `395 + n * (12 ±0)`
		//  Estimated: `1565 + n * (2780 ±0)`
		// Not measured anew: another 100 us a deposit for the session key's signature, and the accesses counted by hand.
		Weight::from_parts(41_301_401, 1565)
			// Standard error: 57_124.
			.saturating_add(Weight::from_parts(307_709_208, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2780).saturating_mul(n.into()))
	}
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Proof: `UsdcBridge::Vault` (`max_values`: Some(1), `max_size`: Some(40), added: 535, mode: `MaxEncodedLen`)
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
		//  Measured:  `220`
		//  Estimated: `3593`
		// Shortest run: 73_703_000 picoseconds.
		Weight::from_parts(76_411_000, 3593)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:0)
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Storage: `UsdcBridge::Withdrawn` (r:1 w:1)
	/// Storage: `UsdcBridge::Withdrawals` (r:0 w:1)
	fn act_withdraw() -> Weight {
		// Not measured: the dearest message's time before they were weighed apart, with accesses counted by hand.
		Weight::from_parts(322_240_000, 6196)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:0)
	fn act_unlock() -> Weight {
		// Not measured: the dearest message's time before they were weighed apart, with accesses counted by hand.
		Weight::from_parts(322_240_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn act_collect() -> Weight {
		// Not measured: the dearest message's time before they were weighed apart, with accesses counted by hand.
		Weight::from_parts(322_240_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Storage: `UsdcBridge::UsedActions` (r:1 w:1)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	fn act_authorize() -> Weight {
		// Not measured: the dearest message's time before they were weighed apart, with accesses counted by hand.
		Weight::from_parts(422_240_000, 6196)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `System::Account` (r:2 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// Storage: `UsdcBridge::Stranded` (r:1 w:1)
	/// Storage: `UsdcBridge::CounterForStranded` (r:1 w:1)
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Storage: `UsdcBridge::Imported` (r:1 w:1)
	/// Storage: `UsdcBridge::Withdrawn` (r:1 w:1)
	/// Storage: `UsdcBridge::Withdrawals` (r:0 w:1)
	fn refund() -> Weight {
		// Not measured: the time of `withdraw`, which burns besides, with accesses and proof counted by hand.
		Weight::from_parts(76_411_000, 3593)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// Storage: `UsdcBridge::Attestors` (r:1 w:1)
	/// Proof: `UsdcBridge::Attestors` (`max_values`: Some(1), `max_size`: Some(4801), added: 5296, mode: `MaxEncodedLen`)
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
		//  Measured:  `5539`
		//  Estimated: `7024`
		// Shortest run: 342_535_000 picoseconds.
		Weight::from_parts(367_443_000, 7024)
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `UsdcBridge::Line` (r:1 w:1)
	/// Proof: `UsdcBridge::Line` (`max_values`: Some(1), `max_size`: Some(24), added: 519, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Released` (r:1 w:1)
	/// Proof: `UsdcBridge::Released` (`max_values`: Some(1), `max_size`: Some(20), added: 515, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Withdrawals` (r:16 w:16)
	/// Proof: `UsdcBridge::Withdrawals` (`max_values`: None, `max_size`: Some(81), added: 2556, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::BlockRoot` (r:0 w:1)
	/// Proof: `UsdcBridge::BlockRoot` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `UsdcBridge::Vault` (r:1 w:0)
	/// `n` is in `[0, 16]`.
	fn release(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `245 + n * (52 ±0)`
		//  Estimated: `1509 + n * (2556 ±0)`
		// Shortest run: 5_660_000 picoseconds.
		Weight::from_parts(20_540_935, 1509)
			// Standard error: 18_451.
			.saturating_add(Weight::from_parts(12_698_290, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3))
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
		//  Measured:  `257 + n * (51 ±0)`
		//  Estimated: `3546 + n * (2556 ±0)`
		// Shortest run: 12_854_000 picoseconds.
		Weight::from_parts(19_270_278, 3546)
			// Standard error: 5_275.
			.saturating_add(Weight::from_parts(8_440_176, 0).saturating_mul(n.into()))
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
		//  Measured:  `134 + n * (36 ±0)`
		//  Estimated: `3509 + n * (2519 ±0)`
		// Shortest run: 17_015_000 picoseconds.
		Weight::from_parts(22_321_968, 3509)
			// Standard error: 2_679.
			.saturating_add(Weight::from_parts(4_956_423, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2519).saturating_mul(n.into()))
	}
}
