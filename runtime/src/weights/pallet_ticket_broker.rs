//! Weights of `pallet_ticket_broker`, measured by `scripts/weights` on 2026-11-21.
//!
//! Steps: 14, repeats: 8. CPU: Intel(R) Xeon(R) Processor @ 2.50GHz. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_ticket_broker`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_ticket_broker::WeightInfo for WeightInfo<T> {
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3604`
		// Shortest run: 114_347_000 picoseconds.
		Weight::from_parts(117_959_000, 3604)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn request_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `97`
		//  Estimated: `3604`
		// Shortest run: 32_489_000 picoseconds.
		Weight::from_parts(34_191_000, 3604)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn cancel_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `132`
		//  Estimated: `3533`
		// Shortest run: 24_593_000 picoseconds.
		Weight::from_parts(26_274_000, 3533)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3604`
		// Shortest run: 97_268_000 picoseconds.
		Weight::from_parts(101_879_000, 3604)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn authorize_session() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(150000000, 3770)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn revoke_session() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(38000000, 3585)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn reserve() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(260000000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn close_channel() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(130000000, 3700)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn release() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(120000000, 3700)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// `t` is in `[0, 100]`.
	/// `s` is in `[0, 100]`.
	fn redeem_batch(t: u32, s: u32, ) -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(60000000, 9000)
			.saturating_add(Weight::from_parts(215000000, 0).saturating_mul(t.into()))
			.saturating_add(Weight::from_parts(60000000, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 7809).saturating_mul(t.into()))
			.saturating_add(Weight::from_parts(0, 6000).saturating_mul(s.into()))
	}
	/// `t` is in `[0, 100]`.
	fn refuse_batch(t: u32, ) -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(60000000, 9000)
			.saturating_add(Weight::from_parts(150000000, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(t.into()))
	}
	/// `v` is in `[0, 100]`.
	/// `s` is in `[0, 100]`.
	fn redeem_vouchers(v: u32, s: u32, ) -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(60000000, 9000)
			.saturating_add(Weight::from_parts(205000000, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(60000000, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(v.into())))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(v.into())))
			.saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 7809).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 6000).saturating_mul(s.into()))
	}
	/// `v` is in `[0, 100]`.
	fn refuse_vouchers(v: u32, ) -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(60000000, 9000)
			.saturating_add(Weight::from_parts(150000000, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((7_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(v.into()))
	}
	fn tip() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(190000000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn tip_from_deposit() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(220000000, 6196)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn submit_tip() -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(340000000, 8799)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// `n` is in `[0, 100]`.
	fn end(n: u32, ) -> Weight {
		// Estimated from a similar call until it is measured.
		Weight::from_parts(60000000, 4551)
			.saturating_add(Weight::from_parts(60000000, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3561).saturating_mul(n.into()))
	}
}
