//! Which nonces of a session were seen: the highest, and which of the [`WINDOW`] below it. The chain keeps the same of what
//! it redeemed, for each session and recipient, so a nonce that passes here passes there.

/// Nonces below the highest that are told apart. Older ones count as seen.
pub const WINDOW: u64 = 128;

/// Why a nonce cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
	/// It was seen.
	Seen,
	/// It is too far below the highest to tell.
	TooOld,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nonces {
	/// One above the highest seen.
	next: u64,
	/// Bit n is for `next - 1 - n`.
	seen: u128,
}

impl Nonces {
	/// All below this are taken for seen, whether they were or not.
	pub fn from(next: u64) -> Self {
		Self { next, seen: u128::MAX }
	}

	/// One above the highest seen.
	pub fn next(&self) -> u64 {
		self.next
	}

	/// Whether this one can be used.
	pub fn check(&self, nonce: u64) -> Result<(), Unusable> {
		if nonce >= self.next {
			return Ok(());
		}
		match self.next - 1 - nonce {
			below if below >= WINDOW => Err(Unusable::TooOld),
			below if self.seen >> below & 1 == 1 => Err(Unusable::Seen),
			_ => Ok(()),
		}
	}

	/// Uses it; whether that was possible. The highest number of all cannot be used: nothing could follow it.
	pub fn insert(&mut self, nonce: u64) -> bool {
		let Some(next) = nonce.checked_add(1) else {
			return false;
		};
		if self.check(nonce).is_err() {
			return false;
		}
		if next > self.next {
			let by = u32::try_from(next - self.next).unwrap_or(u32::MAX);
			self.seen = self.seen.checked_shl(by).unwrap_or(0);
			self.next = next;
		}
		self.seen |= 1 << (self.next - 1 - nonce);
		true
	}

	/// All below this count as seen from now on, where they are not told apart already.
	pub fn raise(&mut self, next: u64) {
		if next > self.next {
			*self = Self::from(next);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;
	use std::collections::BTreeSet;

	#[test]
	fn window_reaches_128_below_the_highest() {
		let mut nonces = Nonces::default();
		assert!(nonces.insert(1_000));
		assert_eq!(nonces.check(1_000), Err(Unusable::Seen));
		assert_eq!(nonces.check(1_000 - 127), Ok(()));
		assert_eq!(nonces.check(1_000 - 128), Err(Unusable::TooOld));
		assert!(nonces.insert(873) && !nonces.insert(873));
		assert!(nonces.insert(1_001));
		assert_eq!(nonces.check(873), Err(Unusable::TooOld));
		assert!(nonces.insert(u64::MAX - 1) && !nonces.insert(u64::MAX));
		assert_eq!(nonces.check(1_001), Err(Unusable::TooOld));
	}

	#[test]
	fn what_the_chain_has_redeemed_is_not_taken_again() {
		let mut nonces = Nonces::from(50);
		assert_eq!(nonces.check(49), Err(Unusable::Seen));
		assert!(nonces.insert(50));
		nonces.raise(51);
		assert!(nonces.insert(51), "raised to where it is: nothing is forgotten");
		nonces.raise(60);
		assert_eq!(nonces.check(55), Err(Unusable::Seen));
	}

	proptest! {
		/// As a set that forgets nothing would, but for what lies too low.
		#[test]
		fn no_nonce_passes_twice(tried in prop::collection::vec(prop_oneof![0u64..300, 0u64..5_000], 1..300)) {
			let (mut nonces, mut all) = (Nonces::default(), BTreeSet::new());
			for nonce in tried {
				let lowest = all.last().map_or(0, |highest: &u64| highest.saturating_sub(WINDOW - 1));
				prop_assert_eq!(nonces.insert(nonce), nonce >= lowest && all.insert(nonce));
			}
		}
	}
}
