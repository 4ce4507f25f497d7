//! Weights of `pallet_ticket_broker`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 20, repeats: 10. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_ticket_broker`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_ticket_broker::WeightInfo for WeightInfo<T> {
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3593`
		// Shortest run: 112_894_000 picoseconds.
		Weight::from_parts(116_297_000, 3593)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn request_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `97`
		//  Estimated: `3586`
		// Shortest run: 31_848_000 picoseconds.
		Weight::from_parts(33_370_000, 3586)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn cancel_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `132`
		//  Estimated: `3533`
		// Shortest run: 23_962_000 picoseconds.
		Weight::from_parts(25_177_000, 3533)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3593`
		// Shortest run: 95_478_000 picoseconds.
		Weight::from_parts(98_394_000, 3593)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(305), added: 2780, mode: `MaxEncodedLen`)
	fn authorize_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `596`
		//  Estimated: `3770`
		// Shortest run: 39_924_000 picoseconds.
		Weight::from_parts(41_889_000, 3770)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	fn revoke_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `419`
		//  Estimated: `3581`
		// Shortest run: 30_854_000 picoseconds.
		Weight::from_parts(32_440_000, 3581)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(305), added: 2780, mode: `MaxEncodedLen`)
	fn reap_session(_p: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `752`
		//  Estimated: `3770`
		// Shortest run: 40_517_000 picoseconds.
		Weight::from_parts(42_517_000, 3770)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:100)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:100 w:100)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:100)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(211), added: 2686, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:301 w:301)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `t` is in `[0, 100]`.
	fn redeem_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1277 + t * (917 ±0)`
		//  Estimated: `3593 + t * (7809 ±0)`
		// Shortest run: 21_965_000 picoseconds.
		Weight::from_parts(22_160_000, 3593)
			// Standard error: 475_040.
			.saturating_add(Weight::from_parts(248_165_962, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((7_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 7809).saturating_mul(t.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:100 w:0)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(211), added: 2686, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:201 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `t` is in `[0, 100]`.
	fn refuse_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1597 + t * (861 ±0)`
		//  Estimated: `3593 + t * (5206 ±0)`
		// Shortest run: 21_612_000 picoseconds.
		Weight::from_parts(21_862_000, 3593)
			// Standard error: 819_466.
			.saturating_add(Weight::from_parts(138_137_584, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(t.into()))
	}
	fn redeem_vouchers(v: u32, ) -> Weight { Self::redeem_batch(v) }
	fn refuse_vouchers(v: u32, ) -> Weight { Self::refuse_batch(v) }
	fn tip() -> Weight { Self::redeem_batch(1) }
	fn tip_from_deposit() -> Weight { Self::redeem_batch(1) }
	fn submit_tip() -> Weight { Self::redeem_batch(1) }
	/// Storage: `TicketBroker::OldestEpoch` (r:1 w:1)
	/// Proof: `TicketBroker::OldestEpoch` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:101 w:100)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn clear_epoch(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `86 + n * (85 ±0)`
		//  Estimated: `4551 + n * (3561 ±0)`
		// Shortest run: 16_488_000 picoseconds.
		Weight::from_parts(20_346_528, 4551)
			// Standard error: 2_331.
			.saturating_add(Weight::from_parts(5_635_478, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3561).saturating_mul(n.into()))
	}
}
