//! What a relayer was paid for, in constant space.
//!
//! *Distinct viewers* are counted by a bitmap of [`BITS`]: a viewer sets the bit that a hash of its account names, and
//! the number of viewers is read off as the number of draws that set so many bits on average. The standard error is
//! below 3.5 % up to 2,000 viewers and below 8 % up to 5,000; up to 32 the count is exact unless two share a bit. Each
//! account sets at most one bit, so picking accounts by their hash can fill the bitmap with [`BITS`] of them and never
//! with fewer. (A HyperLogLog of this size counts further, but there a few picked accounts can look like billions.)

use clustercast_primitives::{Balance, BlockNumber};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Bits of a [`Viewers`].
pub const BITS: u16 = 1_024;

/// Which viewers paid: a bit for each, some share one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Viewers([u8; BITS as usize / 8]);

impl Default for Viewers {
	fn default() -> Self {
		Self([0; BITS as usize / 8])
	}
}

impl Viewers {
	/// One that paid, again or for the first time.
	pub fn insert(&mut self, viewer: &[u8; 32]) {
		let [low, high, ..] = sp_io::hashing::blake2_128(viewer);
		let bit = u16::from_le_bytes([low, high]) % BITS;
		self.0[usize::from(bit / 8)] |= 1 << (bit % 8);
	}

	/// How many there are, estimated: 7,689 and more look alike.
	pub fn estimate(&self) -> u32 {
		let set: u32 = self.0.iter().map(|byte| byte.count_ones()).sum();
		let (all, one) = (u64::from(BITS), 1_u64 << 32);
		// With n of m bits set, the next new one takes m / (m - n) draws on average. 32 fractional bits: below 2^45 in all.
		let draws: u64 = (0..u64::from(set)).map(|n| all * one / (all - n)).sum();
		((draws + one / 2) / one) as u32
	}
}

/// What a registered relayer was paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Record {
	/// As the payers signed them.
	pub bytes: u64,
	/// Paid by viewers, all shares included, micro-USDC.
	pub value: Balance,
	/// Who paid.
	pub viewers: Viewers,
	/// Block of the registration.
	pub since: BlockNumber,
	/// Block of its last turn, or of the registration: whose is longest ago comes next.
	pub turn: BlockNumber,
}

impl Record {
	/// Of a relayer that registers in this block.
	pub fn since(now: BlockNumber) -> Self {
		Self {
			since: now,
			turn: now,
			..Self::default()
		}
	}

	/// `viewer` paid.
	pub fn note(&mut self, viewer: &[u8; 32], bytes: u64, value: Balance) {
		self.bytes = self.bytes.saturating_add(bytes);
		self.value = self.value.saturating_add(value);
		self.viewers.insert(viewer);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// A bitmap after viewers `from..to`.
	fn after(from: u32, to: u32) -> Viewers {
		let mut viewers = Viewers::default();
		for n in from..to {
			let mut account = [0; 32];
			account[..4].copy_from_slice(&n.to_le_bytes());
			viewers.insert(&account);
			viewers.insert(&account);
		}
		viewers
	}

	#[test]
	fn viewers_are_counted_within_the_stated_error() {
		// Root mean square over 40 populations, and how many per mille it may be.
		for (count, per_mille) in [(100_u32, 35_f64), (500, 35.), (1_000, 35.), (2_000, 35.), (5_000, 80.)] {
			let squares = (0..40).map(|n| {
				let estimate = after(n * 10_000, n * 10_000 + count).estimate();
				(f64::from(estimate) / f64::from(count) - 1.).powi(2)
			});
			let error = (squares.sum::<f64>() / 40.).sqrt() * 1000.;
			println!("{count} viewers: standard error {error:.1} per mille");
			assert!(error < per_mille * 1.1, "{count}: {error}");
		}
	}

	#[test]
	fn few_viewers_are_counted_exactly_and_the_same_one_once() {
		assert_eq!(Viewers::default().estimate(), 0);
		for count in 1..8 {
			assert_eq!(after(0, count).estimate(), count);
		}
		// As long as the bits differ, nothing is rounded away.
		let mut viewers = Viewers::default();
		viewers.0[..4].fill(0xff);
		assert_eq!(viewers.estimate(), 32);
	}

	#[test]
	fn no_choice_of_accounts_counts_for_more_than_a_full_bitmap() {
		assert_eq!(Viewers([0xff; 128]).estimate(), 7_689);
		assert!(after(0, 100_000).estimate() <= 7_689);
	}

	#[test]
	fn sums_end_at_their_bounds() {
		let mut record = Record::since(7);
		for _ in 0..3 {
			record.note(&[1; 32], u64::MAX, Balance::MAX);
		}
		assert_eq!((record.bytes, record.value, record.since), (u64::MAX, Balance::MAX, 7));
		assert_eq!(record.viewers.estimate(), 1);
	}
}
