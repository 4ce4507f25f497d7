//! Weights of `pallet_ticket_broker`, measured by `scripts/weights` on 2026-11-29.
//!
//! Steps: 10, repeats: 10. CPU: AMD EPYC. Generated: change the benchmark, not this file.

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
		// Shortest run: 87_670_000 picoseconds.
		Weight::from_parts(90_304_000, 3658)
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
		// Shortest run: 23_054_000 picoseconds.
		Weight::from_parts(24_456_000, 3658)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Unlocks` (r:1 w:1)
	/// Proof: `TicketBroker::Unlocks` (`max_values`: None, `max_size`: Some(68), added: 2543, mode: `MaxEncodedLen`)
	fn cancel_unlock() -> Weight {
		// Proof size in bytes:
		//  Measured:  `132`
		//  Estimated: `3533`
		// Shortest run: 14_762_000 picoseconds.
		Weight::from_parts(15_884_000, 3533)
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
		// Shortest run: 73_470_000 picoseconds.
		Weight::from_parts(76_234_000, 3658)
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
		// Shortest run: 223_383_000 picoseconds.
		Weight::from_parts(233_017_000, 4330)
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
		// Shortest run: 23_064_000 picoseconds.
		Weight::from_parts(25_688_000, 3659)
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
		// Shortest run: 274_779_000 picoseconds.
		Weight::from_parts(285_995_000, 6196)
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
		// Shortest run: 118_156_000 picoseconds.
		Weight::from_parts(128_962_000, 3659)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
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
		//  Measured:  `763`
		//  Estimated: `3659`
		// Shortest run: 141_000_000 picoseconds.
		Weight::from_parts(149_583_000, 3659)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
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
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
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
		//  Measured:  `1032 + s * (1488 ±0) + t * (519 ±0)`
		//  Estimated: `130105 + s * (4019 ±0) + t * (2669 ±0)`
		// Shortest run: 8_586_590_000 picoseconds.
		Weight::from_parts(599_398_927, 130105)
			// Standard error: 1_383_577.
			.saturating_add(Weight::from_parts(144_116_094, 0).saturating_mul(t.into()))
			// Standard error: 1_407_869.
			.saturating_add(Weight::from_parts(21_831_351, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2669).saturating_mul(t.into()))
	}
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
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:0)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// `t` is in `[1, 100]`.
	fn refuse_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1781 + t * (1863 ±0)`
		//  Estimated: `29975 + t * (4019 ±0)`
		// Shortest run: 162_472_000 picoseconds.
		Weight::from_parts(163_824_000, 29975)
			// Standard error: 340_262.
			.saturating_add(Weight::from_parts(101_228_514, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(t.into()))
	}
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
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
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
		//  Measured:  `1044 + s * (1488 ±0) + v * (519 ±0)`
		//  Estimated: `130105 + s * (4019 ±0) + v * (2669 ±0)`
		// Shortest run: 8_208_848_000 picoseconds.
		Weight::from_parts(8_315_476_000, 130105)
			// Standard error: 2_149_417.
			.saturating_add(Weight::from_parts(84_110_338, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2669).saturating_mul(v.into()))
	}
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
	/// Storage: `RelayerRegistry::Relayers` (r:1 w:0)
	/// Proof: `RelayerRegistry::Relayers` (`max_values`: None, `max_size`: Some(865), added: 3340, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Ledgers` (r:99 w:0)
	/// Proof: `TicketBroker::Ledgers` (`max_values`: None, `max_size`: Some(160), added: 2635, mode: `MaxEncodedLen`)
	/// `v` is in `[1, 100]`.
	fn refuse_vouchers(v: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1837 + v * (1862 ±0)`
		//  Estimated: `29975 + v * (4019 ±0)`
		// Shortest run: 177_414_000 picoseconds.
		Weight::from_parts(86_823_671, 29975)
			// Standard error: 745_662.
			.saturating_add(Weight::from_parts(95_427_924, 0).saturating_mul(v.into()))
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
		// Shortest run: 210_333_000 picoseconds.
		Weight::from_parts(215_851_000, 11402)
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
		// Shortest run: 222_071_000 picoseconds.
		Weight::from_parts(227_879_000, 11402)
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
		// Shortest run: 283_241_000 picoseconds.
		Weight::from_parts(296_251_000, 14005)
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
		//  Measured:  `798 + n * (1672 ±0)`
		//  Estimated: `3658 + n * (4019 ±0)`
		// Shortest run: 11_918_000 picoseconds.
		Weight::from_parts(12_348_000, 3658)
			// Standard error: 218_128.
			.saturating_add(Weight::from_parts(131_036_639, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 4019).saturating_mul(n.into()))
	}
}
