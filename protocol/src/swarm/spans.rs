//! Which chunks of a window, as few spans as possible.

use alloc::vec::Vec;

/// The first, and the one behind the last.
pub type Span = (u32, u32);

/// Ascending; neither overlapping nor adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
	/// Adds these; how many were not there.
	pub fn add(&mut self, (mut from, mut to): Span) -> u32 {
		if from >= to {
			return 0;
		}
		let before = self.count();
		self.0.retain(|&(other_from, other_to)| {
			let apart = other_to < from || to < other_from;
			if !apart {
				(from, to) = (from.min(other_from), to.max(other_to));
			}
			apart
		});
		let at = self.0.partition_point(|&(other, _)| other < from);
		self.0.insert(at, (from, to));
		self.count() - before
	}

	/// How many there are.
	pub fn count(&self) -> u32 {
		self.0.iter().map(|(from, to)| to - from).sum()
	}

	/// Whether all of these are among them.
	pub fn has(&self, (from, to): Span) -> bool {
		from >= to || self.0.iter().any(|&(first, end)| first <= from && to <= end)
	}

	/// Of these, what is not among them.
	pub fn missing(&self, (mut from, to): Span) -> Vec<Span> {
		let mut missing = Vec::new();
		for &(first, end) in &self.0 {
			if from < first.min(to) {
				missing.push((from, first.min(to)));
			}
			from = from.max(end);
		}
		if from < to {
			missing.push((from, to));
		}
		missing
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#[test]
		fn spans_are_the_set_that_was_added(added in prop::collection::vec((0u32..40, 0u32..12), 0..20), from in 0u32..50, long in 0u32..50) {
			let (mut spans, mut set) = (Spans::default(), [false; 100]);
			for (first, count) in added {
				let fresh = set[first as usize..(first + count) as usize].iter().filter(|here| !**here).count();
				set[first as usize..(first + count) as usize].fill(true);
				prop_assert_eq!(spans.add((first, first + count)), fresh as u32);
			}
			prop_assert!(spans.0.windows(2).all(|pair| pair[0].1 < pair[1].0));
			let mut missing = [false; 100];
			for (first, end) in spans.missing((from, from + long)) {
				prop_assert!(first < end);
				missing[first as usize..end as usize].fill(true);
			}
			for at in 0..100u32 {
				let within = (from..from + long).contains(&at);
				prop_assert_eq!(missing[at as usize], within && !set[at as usize]);
				prop_assert_eq!(spans.has((at, at + 1)), set[at as usize]);
			}
		}
	}
}
