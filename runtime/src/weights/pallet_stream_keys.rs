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
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:0 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	fn mint() -> Weight {
		// Proof size in bytes:
		//  Measured:  `107`
		//  Estimated: `3604`
		// Shortest run: 100_255_000 picoseconds.
		Weight::from_parts(104_250_000, 3604)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn update() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 111_499_000 picoseconds.
		Weight::from_parts(119_867_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_signing_key() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 110_472_000 picoseconds.
		Weight::from_parts(115_636_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn burn() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 113_837_000 picoseconds.
		Weight::from_parts(117_665_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_terms() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 113_850_000 picoseconds.
		Weight::from_parts(118_587_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:3 w:3)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn transfer() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1500`
		//  Estimated: `8832`
		// Shortest run: 203_348_000 picoseconds.
		Weight::from_parts(218_176_000, 8832)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(8))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn list() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 110_054_000 picoseconds.
		Weight::from_parts(115_505_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:4)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:3 w:3)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn buy() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1698`
		//  Estimated: `11402`
		// Shortest run: 383_527_000 picoseconds.
		Weight::from_parts(402_643_000, 11402)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:1)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn set_rent() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 109_279_000 picoseconds.
		Weight::from_parts(112_890_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:4)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:0 w:2)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	fn rent() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1658`
		//  Estimated: `11402`
		// Shortest run: 335_568_000 picoseconds.
		Weight::from_parts(353_133_000, 11402)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	/// Storage: `StreamKeys::OldestDue` (r:1 w:1)
	/// Proof: `StreamKeys::OldestDue` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::Due` (r:101 w:100)
	/// Proof: `StreamKeys::Due` (`max_values`: None, `max_size`: Some(28), added: 2503, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:100)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:200 w:200)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:200 w:200)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn settle(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `31 + n * (1304 ±0)`
		//  Estimated: `3493 + n * (5228 ±0)`
		// Shortest run: 17_486_000 picoseconds.
		Weight::from_parts(18_684_000, 3493)
			// Standard error: 688_298.
			.saturating_add(Weight::from_parts(175_408_606, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((6_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 5228).saturating_mul(n.into()))
	}	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1534), added: 4009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn earned() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1268`
		//  Estimated: `4999`
		// Shortest run: 100_255_000 picoseconds.
		Weight::from_parts(104_250_000, 4999)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
