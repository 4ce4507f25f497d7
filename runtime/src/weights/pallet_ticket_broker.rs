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
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(305), added: 2780, mode: `MaxEncodedLen`)
	fn authorize_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `596`
		//  Estimated: `3770`
		// Shortest run: 41_083_000 picoseconds.
		Weight::from_parts(43_190_000, 3770)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	fn revoke_session() -> Weight {
		// Proof size in bytes:
		//  Measured:  `423`
		//  Estimated: `3585`
		// Shortest run: 31_835_000 picoseconds.
		Weight::from_parts(33_540_000, 3585)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::VouchersPaid` (r:64 w:64)
	/// Proof: `TicketBroker::VouchersPaid` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SessionsOf` (r:1 w:1)
	/// Proof: `TicketBroker::SessionsOf` (`max_values`: None, `max_size`: Some(305), added: 2780, mode: `MaxEncodedLen`)
	/// `p` is in `[0, 64]`.
	fn reap_session(p: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `826 + p * (86 ±0)`
		//  Estimated: `3770 + p * (2603 ±0)`
		// Shortest run: 49_870_000 picoseconds.
		Weight::from_parts(54_985_944, 3770)
			// Standard error: 2_026.
			.saturating_add(Weight::from_parts(2_009_802, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:100)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:100 w:100)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:100)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:301 w:301)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:100 w:100)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(204), added: 2679, mode: `MaxEncodedLen`)
	/// `t` is in `[0, 100]`.
	fn redeem_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1977 + t * (1850 ±0)`
		//  Estimated: `3593 + t * (7809 ±0)`
		// Shortest run: 22_771_000 picoseconds.
		Weight::from_parts(23_264_000, 3593)
			// Standard error: 1_761_487.
			.saturating_add(Weight::from_parts(284_772_540, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((8_u64).saturating_mul(t.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 7809).saturating_mul(t.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:100 w:0)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:201 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `t` is in `[0, 100]`.
	fn refuse_batch(t: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1783 + t * (1705 ±0)`
		//  Estimated: `3593 + t * (5206 ±0)`
		// Shortest run: 23_379_000 picoseconds.
		Weight::from_parts(23_899_000, 3593)
			// Standard error: 826_168.
			.saturating_add(Weight::from_parts(150_035_767, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(t.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(t.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:100)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::VouchersPaid` (r:100 w:100)
	/// Proof: `TicketBroker::VouchersPaid` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:100)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:301 w:301)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `RelayerRegistry::Reputations` (r:100 w:100)
	/// Proof: `RelayerRegistry::Reputations` (`max_values`: None, `max_size`: Some(204), added: 2679, mode: `MaxEncodedLen`)
	/// `v` is in `[0, 100]`.
	fn redeem_vouchers(v: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `1342 + v * (1760 ±0)`
		//  Estimated: `3593 + v * (7809 ±0)`
		// Shortest run: 23_684_000 picoseconds.
		Weight::from_parts(24_372_000, 3593)
			// Standard error: 1_872_766.
			.saturating_add(Weight::from_parts(267_048_644, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((8_u64).saturating_mul(v.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 7809).saturating_mul(v.into()))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:100 w:0)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::VouchersPaid` (r:100 w:0)
	/// Proof: `TicketBroker::VouchersPaid` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:100 w:0)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:100 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:201 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// `v` is in `[0, 100]`.
	fn refuse_vouchers(v: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `864 + v * (1617 ±0)`
		//  Estimated: `3593 + v * (5206 ±0)`
		// Shortest run: 24_121_000 picoseconds.
		Weight::from_parts(24_750_000, 3593)
			// Standard error: 377_722.
			.saturating_add(Weight::from_parts(135_475_893, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
			.saturating_add(Weight::from_parts(0, 5206).saturating_mul(v.into()))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn tip() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1390`
		//  Estimated: `6196`
		// Shortest run: 109_806_000 picoseconds.
		Weight::from_parts(115_034_000, 6196)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn tip_from_deposit() -> Weight {
		// Proof size in bytes:
		//  Measured:  `1517`
		//  Estimated: `6196`
		// Shortest run: 123_374_000 picoseconds.
		Weight::from_parts(127_821_000, 6196)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Treasury` (r:1 w:0)
	/// Proof: `TicketBroker::Treasury` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::Sessions` (r:1 w:1)
	/// Proof: `TicketBroker::Sessions` (`max_values`: None, `max_size`: Some(120), added: 2595, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:1 w:1)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `StreamKeys::StreamKeys` (r:1 w:0)
	/// Proof: `StreamKeys::StreamKeys` (`max_values`: None, `max_size`: Some(1083), added: 3558, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn submit_tip() -> Weight {
		// Proof size in bytes:
		//  Measured:  `3262`
		//  Estimated: `8799`
		// Shortest run: 299_254_000 picoseconds.
		Weight::from_parts(326_645_000, 8799)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// Storage: `TicketBroker::OldestEpoch` (r:1 w:1)
	/// Proof: `TicketBroker::OldestEpoch` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `TicketBroker::SpentNonces` (r:101 w:100)
	/// Proof: `TicketBroker::SpentNonces` (`max_values`: None, `max_size`: Some(1086), added: 3561, mode: `MaxEncodedLen`)
	/// `n` is in `[0, 100]`.
	fn clear_epoch(n: u32, ) -> Weight {
		// Proof size in bytes:
		//  Measured:  `159 + n * (85 ±0)`
		//  Estimated: `4551 + n * (3561 ±0)`
		// Shortest run: 18_974_000 picoseconds.
		Weight::from_parts(23_952_038, 4551)
			// Standard error: 3_874.
			.saturating_add(Weight::from_parts(5_678_538, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3561).saturating_mul(n.into()))
	}
}
