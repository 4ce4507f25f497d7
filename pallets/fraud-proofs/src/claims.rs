//! How far a sum reaches over claims of all sizes, in constant space.
//!
//! *Each gets what it claims, up to one bound for all*, so that a claim is cut only where claims no larger than itself,
//! and the same bound for each larger one, exceed the sum: no number of large claims takes anything from a small one, and
//! the order in which they were made is nothing. Claims are counted by the length of their amount in bits, and the bound is
//! chosen so that it holds whatever they are within a level: it is at least half of the exact one.

use clustercast_primitives::Balance;
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Levels: amounts of the same length in bits; the last one holds all of 2^30 micro-USDC, a thousand USDC, and more.
const LEVELS: usize = 32;

/// Claims by level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Levels {
	counts: [u32; LEVELS],
	sums: [Balance; LEVELS],
}

impl Levels {
	/// One more claim of so much.
	pub fn note(&mut self, amount: Balance) {
		let level = ((Balance::BITS - amount.leading_zeros()) as usize).min(LEVELS - 1);
		self.counts[level] = self.counts[level].saturating_add(1);
		self.sums[level] = self.sums[level].saturating_add(amount);
	}

	/// How many there are.
	pub fn count(&self) -> u32 {
		self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
	}

	/// What each may get at most, so that all of them together get no more than `pool`. [`Balance::MAX`] where it is
	/// enough for all.
	pub fn most_each(&self, pool: Balance) -> Balance {
		let mut pool = pool;
		for level in 0..LEVELS {
			let wanted = self.sums[level..]
				.iter()
				.fold(0, |sum: Balance, more| sum.saturating_add(*more));
			if wanted <= pool {
				break;
			}
			// Not none: something is wanted.
			let count: Balance = self.counts[level..].iter().map(|count| Balance::from(*count)).sum();
			let most = pool.checked_div(count).unwrap_or_default();
			if level + 1 == LEVELS || most < (1 << level) - 1 {
				return most;
			}
			pool = pool.saturating_sub(self.sums[level]);
		}
		Balance::MAX
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn levels(claims: &[Balance]) -> Levels {
		let mut levels = Levels::default();
		claims.iter().for_each(|claim| levels.note(*claim));
		levels
	}

	/// What all get under a bound.
	fn paid(claims: &[Balance], most: Balance) -> Balance {
		claims.iter().map(|claim| (*claim).min(most)).sum()
	}

	/// The largest bound that `pool` is enough for; the pool is not enough for all.
	fn exact(claims: &[Balance], pool: Balance) -> Balance {
		let (mut low, mut high) = (0, pool + 1);
		while high - low > 1 {
			let middle = low + (high - low) / 2;
			match paid(claims, middle) <= pool {
				true => low = middle,
				false => high = middle,
			}
		}
		low
	}

	#[test]
	fn what_is_enough_for_all_is_paid_to_all() {
		for claims in [vec![], vec![0, 0], vec![5, 7, 1 << 40], vec![1; 1_000]] {
			let pool = claims.iter().sum();
			assert_eq!(levels(&claims).most_each(pool), Balance::MAX);
			assert_eq!(levels(&claims).count() as usize, claims.len());
		}
	}

	/// The attack: a thousand receipts for more than anybody ever had.
	#[test]
	fn no_number_of_large_claims_cuts_a_small_one() {
		let mut claims = vec![Balance::MAX / 2_000; 1_000];
		claims.push(750);
		let most = levels(&claims).most_each(1_875_000);
		assert!(most >= 750 && paid(&claims, most) <= 1_875_000, "{most}");
		// In proportion it would have got nothing.
		assert_eq!(750 * 1_875_000 / claims.iter().sum::<Balance>(), 0);
	}

	proptest! {
		#[test]
		fn never_more_than_there_is_and_never_less_than_half_of_the_exact_bound(
			claims in prop::collection::vec((0..40u32, any::<u64>()), 1..60),
			pool in 0..1u128 << 36,
		) {
			let claims: Vec<Balance> = claims.into_iter().map(|(bits, n)| Balance::from(n >> (63 - bits))).collect();
			let most = levels(&claims).most_each(pool);
			prop_assert!(paid(&claims, most) <= pool);
			match paid(&claims, Balance::MAX) <= pool {
				true => prop_assert_eq!(most, Balance::MAX),
				false => prop_assert!(2 * most + 1 >= exact(&claims, pool).min(1 << 30), "{} {}", most, exact(&claims, pool)),
			}
		}
	}
}
