//! Which nonces were spent: the highest, and which of the [`WINDOW`] below it. The chain keeps it of what it paid, for each
//! session and recipient, and a relayer of what it took: so a nonce that passes there passes here.

use crate::chain::TicketRefusal;
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Nonces that are told apart, the highest included. Those further down count as spent.
pub const WINDOW: u64 = 128;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
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

	/// Why a nonce cannot be spent any more. The highest number of all never can: nothing could follow it.
	pub fn check(&self, nonce: u64) -> Result<(), TicketRefusal> {
		if nonce == u64::MAX {
			return Err(TicketRefusal::AlreadyRedeemed);
		}
		if nonce >= self.next {
			return Ok(());
		}
		match self.next - 1 - nonce {
			below if below >= WINDOW => Err(TicketRefusal::NonceTooOld),
			below if self.seen >> below & 1 == 1 => Err(TicketRefusal::AlreadyRedeemed),
			_ => Ok(()),
		}
	}

	/// Spends it; whether that was possible.
	pub fn insert(&mut self, nonce: u64) -> bool {
		if self.check(nonce).is_err() {
			return false;
		}
		// The check leaves out the one number that has no next.
		let next = nonce.saturating_add(1);
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
	fn the_highest_number_of_all_is_never_free() {
		let mut nonces = Nonces::default();
		assert_eq!(nonces.check(u64::MAX), Err(TicketRefusal::AlreadyRedeemed));
		assert!(!nonces.insert(u64::MAX));
		assert!(nonces.insert(u64::MAX - 1) && !nonces.insert(u64::MAX));
	}

	#[test]
	fn window_reaches_128_below_the_highest() {
		let mut nonces = Nonces::default();
		assert!(nonces.insert(1_000));
		assert_eq!(nonces.check(1_000), Err(TicketRefusal::AlreadyRedeemed));
		assert_eq!(nonces.check(1_000 - 127), Ok(()));
		assert_eq!(nonces.check(1_000 - 128), Err(TicketRefusal::NonceTooOld));
		assert!(nonces.insert(873) && !nonces.insert(873));
		assert!(nonces.insert(1_001));
		assert_eq!(nonces.check(873), Err(TicketRefusal::NonceTooOld));
		assert!(nonces.insert(u64::MAX - 1) && !nonces.insert(u64::MAX));
		assert_eq!(nonces.check(1_001), Err(TicketRefusal::NonceTooOld));
	}

	#[test]
	fn what_the_chain_has_redeemed_is_not_taken_again() {
		let mut nonces = Nonces::from(50);
		assert_eq!(nonces.check(49), Err(TicketRefusal::AlreadyRedeemed));
		assert!(nonces.insert(50));
		nonces.raise(51);
		assert!(nonces.insert(51), "raised to where it is: nothing is forgotten");
		nonces.raise(60);
		assert_eq!(nonces.check(55), Err(TicketRefusal::AlreadyRedeemed));
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
