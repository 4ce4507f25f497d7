//! How many blocks' logs are asked for at a time: sans-IO. Providers allow 100, 1,000, 10,000 or all, some of them so many logs instead,
//! and say so in words of their own; so it is found out, and found out again after a while.

/// Blocks asked for at first, and at most.
const MOST: u64 = 10_000;

/// Pages after which a bound that was met is tried again: it may have been the logs of those blocks.
const CALM: u32 = 64;

/// The size of a page, between the largest that was answered and the smallest that was refused.
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
	size: u64,
	good: u64,
	bad: Option<u64>,
	/// Full pages answered since one was refused.
	calm: u32,
}

impl Default for Ranges {
	fn default() -> Self {
		Self {
			size: MOST,
			good: 0,
			bad: None,
			calm: 0,
		}
	}
}

impl Ranges {
	/// The page that begins with block `from`, of those up to `to`: its last block. `None` behind the end.
	pub fn page(&self, from: u64, to: u64) -> Option<u64> {
		(from <= to).then(|| to.min(from.saturating_add(self.size - 1)))
	}

	/// A page of so many blocks was answered.
	pub fn answered(&mut self, blocks: u64) {
		// The last one, which is smaller than it might be, teaches nothing.
		if blocks < self.size {
			return;
		}
		self.good = blocks;
		self.calm = self.calm.saturating_add(1);
		self.size = match self.bad {
			None => (blocks * 2).min(MOST),
			Some(bad) if bad.saturating_sub(blocks) > bad / 8 => blocks + (bad - blocks) / 2,
			// Close enough, for now.
			Some(_) if self.calm < CALM => blocks,
			Some(_) => {
				(self.bad, self.calm) = (None, 0);
				(blocks * 2).min(MOST)
			},
		};
	}

	/// A page of so many blocks was refused. False where that was one block: fewer there are not.
	pub fn refused(&mut self, blocks: u64) -> bool {
		(self.bad, self.calm) = (Some(blocks), 0);
		if self.good >= blocks {
			self.good = 0;
		}
		self.size = match self.good {
			0 => (blocks / 4).max(1),
			good => good,
		};
		blocks > 1
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Reads so many blocks from a provider that answers what `allows` says of a page: questions asked, and the last size.
	fn read(ranges: &mut Ranges, blocks: u64, allows: impl Fn(u64, u64) -> bool) -> (u32, u64) {
		let (mut from, mut asked) = (0, 0);
		while let Some(last) = ranges.page(from, blocks - 1) {
			let count = last - from + 1;
			asked += 1;
			match allows(from, count) {
				true => {
					ranges.answered(count);
					from = last + 1;
				},
				false => assert!(ranges.refused(count)),
			}
		}
		(asked, ranges.size)
	}

	#[test]
	fn page_comes_close_to_what_a_provider_allows() {
		for allowed in [2u64, 100, 500, 1_000, 2_000, 5_000, 10_000, 100_000] {
			let mut ranges = Ranges::default();
			let (asked, size) = read(&mut ranges, 300 * allowed.min(MOST), |_, count| count <= allowed);
			// Within an eighth of what is allowed, but where a bound is just being tried again.
			let close = allowed.min(MOST) - allowed.min(MOST) / 7;
			assert!(ranges.good >= close.min(size), "{allowed}: {ranges:?}");
			assert!(asked < 400, "{allowed}: {asked} questions for 300 pages");
		}
	}

	#[test]
	fn page_grows_again_where_few_blocks_have_many_logs() {
		let mut ranges = Ranges::default();
		let busy = |from, count: u64| from >= 20_000 || count <= 50;
		let (asked, size) = read(&mut ranges, 3_000_000, busy);
		assert_eq!(size, MOST);
		assert!(asked < 1_000, "{asked}");
	}

	#[test]
	fn one_block_that_is_refused_is_the_end() {
		let mut ranges = Ranges::default();
		let mut refusals = 0;
		while ranges.refused(ranges.page(0, u64::MAX).unwrap() + 1) {
			refusals += 1;
		}
		assert!(refusals < 10, "{refusals}");
		assert_eq!(ranges.page(7, 6), None);
	}
}
