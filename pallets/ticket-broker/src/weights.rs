//! What the calls weigh. A runtime brings measured figures; those here are for the tests of this workspace only.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the pallet's calls and of its work in idle time.
pub trait WeightInfo {
	/// Weight of `deposit`.
	fn deposit() -> Weight;
	/// Weight of `request_unlock`.
	fn request_unlock() -> Weight;
	/// Weight of `cancel_unlock`.
	fn cancel_unlock() -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of `authorize_session`.
	fn authorize_session() -> Weight;
	/// Weight of `revoke_session`.
	fn revoke_session() -> Weight;
	/// Weight of `reserve`.
	fn reserve() -> Weight;
	/// Weight of `close_channel`.
	fn close_channel() -> Weight;
	/// Weight of `release`.
	fn release() -> Weight;
	/// Weight of `redeem_batch` with `t` tickets of as many viewers, for `s` streams, each paid.
	fn redeem_batch(t: u32, s: u32) -> Weight;
	/// Weight of `redeem_batch` with `t` tickets, each refused by the last check.
	fn refuse_batch(t: u32) -> Weight;
	/// Weight of `redeem_vouchers` with `v` vouchers of as many viewers, for `s` streams, each paid.
	fn redeem_vouchers(v: u32, s: u32) -> Weight;
	/// Weight of `redeem_vouchers` with `v` vouchers, each refused by the last check.
	fn refuse_vouchers(v: u32) -> Weight;
	/// Weight of `tip`.
	fn tip() -> Weight;
	/// Weight of `tip_from_deposit`.
	fn tip_from_deposit() -> Weight;
	/// Weight of `submit_tip`.
	fn submit_tip() -> Weight;
	/// Weight of ending `n` channels of a session that is over, or as much.
	fn end(n: u32) -> Weight;
}

/// Generous estimates: 50 us of work for a call, 150 us for a ticket; storage accesses counted by hand.
impl WeightInfo for () {
	fn deposit() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 3))
	}
	fn request_unlock() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(2, 1))
	}
	fn cancel_unlock() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 3))
	}
	fn authorize_session() -> Weight {
		Weight::from_parts(120_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(6, 6))
	}
	fn revoke_session() -> Weight {
		Weight::from_parts(50_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(1, 2))
	}
	fn reserve() -> Weight {
		Weight::from_parts(150_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(6, 5))
	}
	fn close_channel() -> Weight {
		Weight::from_parts(120_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 2))
	}
	fn release() -> Weight {
		Weight::from_parts(80_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(5, 4))
	}
	fn redeem_vouchers(v: u32, s: u32) -> Weight {
		Self::redeem_batch(v, s)
	}
	fn refuse_vouchers(v: u32) -> Weight {
		Self::refuse_batch(v)
	}
	fn tip() -> Weight {
		Weight::from_parts(100_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(3, 2))
	}
	fn tip_from_deposit() -> Weight {
		Weight::from_parts(100_000_000, 0).saturating_add(RocksDbWeight::get().reads_writes(4, 3))
	}
	fn submit_tip() -> Weight {
		Self::redeem_batch(1, 1)
	}
	fn redeem_batch(t: u32, s: u32) -> Weight {
		let (t, s) = (u64::from(t), u64::from(s));
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(150_000_000, 0).saturating_mul(t))
			.saturating_add(Weight::from_parts(50_000_000, 0).saturating_mul(s))
			.saturating_add(RocksDbWeight::get().reads_writes(8 + 5 * t + 4 * s, 5 + 5 * t + 4 * s))
	}
	fn refuse_batch(t: u32) -> Weight {
		let t = u64::from(t);
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(150_000_000, 0).saturating_mul(t))
			.saturating_add(RocksDbWeight::get().reads(3 + 7 * t))
	}
	fn end(n: u32) -> Weight {
		let n = u64::from(n);
		Weight::from_parts(50_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(n))
			.saturating_add(RocksDbWeight::get().reads_writes(4 + 3 * n, 4 + 4 * n))
	}
}
