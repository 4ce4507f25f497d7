//! The vault's deposits as read page by page, and how much of that was proven: sans-IO. A failure costs the page that failed; a
//! contradiction costs what was read since the last proof.

use crate::ranges::Ranges;
use clustercast_primitives::bridge::Deposit;

/// Deposits in their order.
#[derive(Default)]
pub(super) struct History {
	deposits: Vec<Deposit>,
	/// Blocks of the L2 before this one were read.
	next: u64,
	/// So many deposits, all those of blocks before this one, had an attested root.
	verified: (usize, u64),
	ranges: Ranges,
}

impl History {
	pub(super) fn deposits(&self) -> &[Deposit] {
		&self.deposits
	}

	/// The next blocks to read, up to `last`, of those from `first` on.
	pub(super) fn page(&self, first: u64, last: u64) -> Option<(u64, u64)> {
		let from = self.next.max(first);
		self.ranges.page(from, last).map(|to| (from, to))
	}

	/// A page and what was in it.
	pub(super) fn read(&mut self, from: u64, to: u64, found: Vec<Deposit>) {
		self.deposits.extend(found);
		self.next = to + 1;
		self.ranges.answered(to - from + 1);
	}

	/// A page was too large; false where it was one block.
	pub(super) fn refused(&mut self, from: u64, to: u64) -> bool {
		self.ranges.refused(to - from + 1)
	}

	/// The first `count` deposits have an attested root, as of L2 block `block`.
	pub(super) fn verified(&mut self, count: u64, block: u64) {
		let count = usize::try_from(count).unwrap_or(usize::MAX);
		// Deposits read behind that block would be read again.
		if count == self.deposits.len() && self.next == block + 1 {
			self.verified = (count, self.next);
		}
	}

	/// What was read since the last proof is not what was attested: it is read again.
	pub(super) fn rewind(&mut self) {
		let (count, next) = self.verified;
		if (self.deposits.len(), self.next) == (count, next) {
			// What was proven once is proven no more: nothing is kept.
			self.verified = (0, 0);
		}
		self.deposits.truncate(self.verified.0);
		self.next = self.verified.1;
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::EthereumAddress;

	fn deposit(number: u64) -> Deposit {
		Deposit {
			l2: 1,
			number,
			kind: 0,
			amount: 1,
			depositor: EthereumAddress([1; 20]),
			refund_to: EthereumAddress([1; 20]),
			body: Default::default(),
		}
	}

	/// Reads up to a block, where each block that is a multiple of 1,000 has a deposit; `allowed` blocks at a time.
	fn read(history: &mut History, to: u64, allowed: u64) -> Vec<u64> {
		let mut pages = Vec::new();
		while let Some((from, last)) = history.page(1, to) {
			if last - from + 1 > allowed {
				assert!(history.refused(from, last));
				continue;
			}
			let found = (from..=last).filter(|block| block % 1_000 == 0);
			history.read(from, last, found.map(|block| deposit(block / 1_000 - 1)).collect());
			pages.push(from);
		}
		pages
	}

	#[test]
	fn page_that_was_answered_is_kept_through_failures() {
		let mut history = History::default();
		let pages = read(&mut history, 50_000, 700);
		assert_eq!(pages.first(), Some(&1));
		assert!(pages.windows(2).all(|two| two[0] < two[1]), "no page twice");
		assert_eq!(history.deposits().len(), 50);
		// A failure is nothing that happened here: the next page is the next one.
		assert_eq!(history.page(1, 50_001), Some((50_001, 50_001)));
	}

	#[test]
	fn contradiction_costs_what_was_read_since_the_last_proof() {
		let mut history = History::default();
		read(&mut history, 5_000, 10_000);
		history.verified(5, 5_000);
		read(&mut history, 9_000, 10_000);
		assert_eq!(history.deposits().len(), 9);
		history.rewind();
		assert_eq!(
			(history.deposits().len(), history.page(1, 9_000)),
			(5, Some((5_001, 9_000)))
		);
		// And where that did not help, everything.
		history.rewind();
		assert_eq!(
			(history.deposits().len(), history.page(1, 9_000)),
			(0, Some((1, 9_000)))
		);
	}

	#[test]
	fn proof_of_less_than_was_read_is_none_of_the_rest() {
		let mut history = History::default();
		read(&mut history, 9_000, 10_000);
		history.verified(5, 5_000);
		history.rewind();
		assert!(history.deposits().is_empty());
	}
}
