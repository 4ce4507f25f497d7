//! Weights of `pallet_ticket_broker`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 16, repeats: 10. CPU: AMD EPYC. Generated: change the benchmark, not this file.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
#[allow(unused_imports)] // Get: not every pallet reads the database.
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_ticket_broker`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_ticket_broker::WeightInfo for WeightInfo<T> {
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3658`
		// Shortest run: 87_560_000 picoseconds.
		Weight::from_parts(90_505_000, 3658)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn request_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `97`
		//  Estimated: `3658`
		// Shortest run: 23_485_000 picoseconds.
		Weight::from_parts(25_057_000, 3658)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn cancel_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `132`
		//  Estimated: `3533`
		// Shortest run: 15_123_000 picoseconds.
		Weight::from_parts(16_204_000, 3533)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof size in bytes:
		//  Measured:  `327`
		//  Estimated: `3658`
		// Shortest run: 73_249_000 picoseconds.
		Weight::from_parts(76_254_000, 3658)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(313), added: 2788, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:1)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	fn authorize_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `915`
		//  Estimated: `4330`
		// Shortest run: 213_979_000 picoseconds.
		Weight::from_parts(229_171_000, 4330)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:1)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	fn revoke_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `294`
		//  Estimated: `3659`
		// Shortest run: 23_365_000 picoseconds.
		Weight::from_parts(25_849_000, 3659)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:1 w:1)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn reserve() -> Weight {
		// Proof size in bytes:
		//  Measured:  `869`
		//  Estimated: `6196`
		// Shortest run: 271_104_000 picoseconds.
		Weight::from_parts(281_990_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:1 w:1)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:1)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	fn close_channel() -> Weight {
		// Proof size in bytes:
		//  Measured:  `636`
		//  Estimated: `3659`
		// Shortest run: 117_966_000 picoseconds.
		Weight::from_parts(124_325_000, 3659)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:1 w:1)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn release() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1594`
		//  Estimated: `4330`
		// Shortest run: 151_575_000 picoseconds.
		Weight::from_parts(158_296_000, 4330)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:100)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:100 w:100)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:102 w:102)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:50 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:104 w:103)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:99)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:1 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(208), added: 2683, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:99)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	/// `t` is in `[50, 100]`.
	/// `s` is in `[1, 50]`.
	fn redeem_batch(t: u32, s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `938 + s * (1488 ±0) + t * (519 ±0)`
		//  Estimated: `130105 + s * (4019 ±0) + t * (2669 ±0)`
		// Shortest run: 8_640_251_000 picoseconds.
		Weight::from_parts(228_180_565, 130105)
			// Standard error: 1_390_233.
			.saturating_add(Weight::from_parts(147_187_130, 0).saturating_mul(t.into()))
			// Standard error: 1_415_558.
			.saturating_add(Weight::from_parts(23_815_569, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2669).saturating_mul(t.into()))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:100 w:0)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:0)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// `t` is in `[1, 100]`.
	fn refuse_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1777 + t * (1863 ±0)`
		//  Estimated: `16800 + t * (4019 ±0)`
		// Shortest run: 169_963_000 picoseconds.
		Weight::from_parts(85_556_896, 16800)
			// Standard error: 244_293.
			.saturating_add(Weight::from_parts(99_776_751, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(t.into()))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:100)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::VouchersPaid` (r:100 w:100)
	/// Proof: `TicketBroker::VouchersPaid` (`max_values`: None, `max_size`: Some(166), added: 2641, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:50 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:104 w:103)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:100 w:100)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:102 w:102)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:99)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:1 w:1)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(208), added: 2683, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:0 w:99)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	/// `v` is in `[50, 100]`.
	/// `s` is in `[1, 50]`.
	fn redeem_vouchers(v: u32, s: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1036 + s * (1489 ±0) + v * (518 ±0)`
		//  Estimated: `130105 + s * (4019 ±0) + v * (2669 ±62)`
		// Shortest run: 8_256_569_000 picoseconds.
		Weight::from_parts(73_001_427, 130105)
			// Standard error: 1_669_438.
			.saturating_add(Weight::from_parts(150_288_249, 0).saturating_mul(v.into()))
			// Standard error: 1_699_850.
			.saturating_add(Weight::from_parts(16_782_861, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2669).saturating_mul(v.into()))
	}
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::VouchersPaid` (r:100 w:0)
	/// Proof: `TicketBroker::VouchersPaid` (`max_values`: None, `max_size`: Some(166), added: 2641, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Channels` (r:100 w:0)
	/// Proof: `TicketBroker::Channels` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:0)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// `v` is in `[1, 100]`.
	fn refuse_vouchers(v: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1836 + v * (1863 ±0)`
		//  Estimated: `16800 + v * (4019 ±0)`
		// Shortest run: 165_076_000 picoseconds.
		Weight::from_parts(259_507_434, 16800)
			// Standard error: 4_270_459.
			.saturating_add(Weight::from_parts(94_689_789, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(v.into()))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	fn tip() -> Weight {
		// Proof size in bytes:
		//  Measured:  `2051`
		//  Estimated: `11402`
		// Shortest run: 209_111_000 picoseconds.
		Weight::from_parts(215_461_000, 11402)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Unlocks` (r:0 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn tip_from_deposit() -> Weight {
		// Proof size in bytes:
		//  Measured:  `2209`
		//  Estimated: `11402`
		// Shortest run: 221_079_000 picoseconds.
		Weight::from_parts(227_719_000, 11402)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(194), added: 2669, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:1)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:5 w:4)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn submit_tip() -> Weight {
		// Proof size in bytes:
		//  Measured:  `2622`
		//  Estimated: `14005`
		// Shortest run: 286_146_000 picoseconds.
		Weight::from_parts(303_071_000, 14005)
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().writes(8))
	}
	/// Storage: `TicketBroker::OldestEnd` (r:1 w:1)
	/// Proof: `TicketBroker::OldestEnd` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ends` (r:101 w:100)
	/// Proof: `TicketBroker::Ends` (`max_values`: None, `max_size`: Some(94), added: 2569, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:100 w:100)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:101 w:101)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1544), added: 4019, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn end(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `811 + n * (1673 ±0)`
		//  Estimated: `3658 + n * (4019 ±0)`
		// Shortest run: 11_918_000 picoseconds.
		Weight::from_parts(30_524_957, 3658)
			// Standard error: 408_919.
			.saturating_add(Weight::from_parts(128_960_970, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(n.into()))
	}
}
