//! What is bought of a stream, as it is paid: bytes by account and time. Sans-IO.

use clustercast_primitives::AccountId;
use std::{
	collections::{HashMap, VecDeque},
	time::Duration,
};
use tokio::time::Instant;

/// For how long what was bought counts: a few receipts of whoever watches.
pub const LATELY: Duration = Duration::from_secs(30);

/// What is bought within this is counted as one.
const STEP: Duration = Duration::from_secs(1);

/// See the module. Holds what was bought within [`LATELY`]: of each account at most one entry a second.
#[derive(Debug, Default)]
pub struct Bought {
	entries: VecDeque<Entry>,
	sums: HashMap<AccountId, u64>,
	total: u64,
}

#[derive(Debug)]
struct Entry {
	at: Instant,
	of: AccountId,
	bytes: u64,
}

impl Bought {
	/// This account paid for so many bytes.
	pub fn note(&mut self, of: AccountId, bytes: u64, now: Instant) {
		self.forget(now);
		self.total = self.total.saturating_add(bytes);
		let sum = self.sums.entry(of).or_default();
		*sum = sum.saturating_add(bytes);
		let recent = |entry: &&mut Entry| now.saturating_duration_since(entry.at) < STEP;
		let same = self
			.entries
			.iter_mut()
			.rev()
			.take_while(recent)
			.find(|entry| entry.of == of);
		match same {
			Some(entry) => entry.bytes = entry.bytes.saturating_add(bytes),
			None => self.entries.push_back(Entry { at: now, of, bytes }),
		}
	}

	/// Bytes that all of them paid for lately.
	pub fn total(&mut self, now: Instant) -> u64 {
		self.forget(now);
		self.total
	}

	/// Bytes that this one paid for lately.
	pub fn of(&mut self, account: &AccountId, now: Instant) -> u64 {
		self.forget(now);
		self.sums.get(account).copied().unwrap_or_default()
	}

	fn forget(&mut self, now: Instant) {
		let is_old = |entry: &Entry| now.saturating_duration_since(entry.at) >= LATELY;
		while let Some(Entry { of, bytes, .. }) = self.entries.pop_front_if(|entry| is_old(entry)) {
			self.total = self.total.saturating_sub(bytes);
			if let Some(sum) = self.sums.get_mut(&of) {
				*sum = sum.saturating_sub(bytes);
				if *sum == 0 {
					self.sums.remove(&of);
				}
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const SECOND: Duration = Duration::from_secs(1);

	#[tokio::test]
	async fn what_was_paid_lately_counts_by_account_and_what_was_before_does_not() {
		let (mut bought, begun) = (Bought::default(), Instant::now());
		let (one, other) = (AccountId([1; 32]), AccountId([2; 32]));
		bought.note(one, 100, begun);
		bought.note(other, 10, begun);
		bought.note(one, 1, begun + SECOND / 2);
		bought.note(one, 1_000, begun + 20 * SECOND);
		assert_eq!(bought.entries.len(), 3, "within a second it is one");
		let now = begun + 29 * SECOND;
		assert_eq!(
			(bought.of(&one, now), bought.of(&other, now), bought.total(now)),
			(1_101, 10, 1_111)
		);
		let now = begun + LATELY;
		assert_eq!(
			(bought.of(&one, now), bought.of(&other, now), bought.total(now)),
			(1_000, 0, 1_000)
		);
		assert_eq!(bought.total(begun + 50 * SECOND), 0);
		assert!(bought.sums.is_empty() && bought.entries.is_empty());
	}
}
