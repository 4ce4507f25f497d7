//! Work that fell due, done in idle time: what several pallets do alike at the end of a block.
//!
//! Work lies in numbered lots (blocks, epochs, spans), of which the oldest is done first. What is left over of a block
//! bounds how much is done in it, and so does a number; the rest waits for the next block.

#![cfg_attr(not(feature = "std"), no_std)]

use clustercast_primitives::BlockNumber;
use frame_support::weights::{Weight, WeightMeter};
use sp_runtime::SaturatedConversion;

/// Does what is due, at most `most` of it, as far as `meter` allows.
///
/// `next` is the oldest lot that is not done, if it is due; `work` does at most so much of a lot and says how much that was;
/// `done` is told that nothing is left of it. `weight` says what looking at a lot takes in which so much is done.
pub fn work_off(
	meter: &mut WeightMeter,
	most: u32,
	weight: impl Fn(u32) -> Weight,
	next: impl Fn() -> Option<BlockNumber>,
	work: impl Fn(BlockNumber, u32) -> u32,
	done: impl Fn(BlockNumber),
) {
	let base = weight(0);
	let each = weight(1).saturating_sub(base);
	let mut left = most;
	while meter.try_consume(base).is_ok() {
		let Some(lot) = next() else { return };
		let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
		let limit = left.min(affordable.saturated_into());
		let worked = work(lot, limit);
		meter.consume(each.saturating_mul(worked.into()));
		left = left.saturating_sub(worked);
		if worked >= limit {
			// There may be more of this lot: it goes on in the next block.
			return;
		}
		done(lot);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{cell::RefCell, collections::BTreeMap};

	const BASE: u64 = 10;
	const EACH: u64 = 3;

	fn weight(n: u32) -> Weight {
		Weight::from_parts(BASE + EACH * u64::from(n), 0)
	}

	/// Does what these lots hold, in a block with so much weight left: what is left of them, and the weight that it took.
	fn run(lots: &[(u32, u32)], most: u32, limit: u64) -> (Vec<(u32, u32)>, u64) {
		let lots = RefCell::new(lots.iter().copied().collect::<BTreeMap<_, _>>());
		let mut meter = WeightMeter::with_limit(Weight::from_parts(limit, 0));
		work_off(
			&mut meter,
			most,
			weight,
			|| lots.borrow().keys().next().copied(),
			|lot, limit| {
				let mut lots = lots.borrow_mut();
				let left = lots.get_mut(&lot).expect("it is next");
				let worked = limit.min(*left);
				*left -= worked;
				worked
			},
			|lot| assert_eq!(lots.borrow_mut().remove(&lot), Some(0), "{lot} is not done"),
		);
		(lots.into_inner().into_iter().collect(), meter.consumed().ref_time())
	}

	#[test]
	fn all_lots_are_done_in_their_order() {
		let cost = 3 * BASE + 5 * EACH;
		assert_eq!(run(&[(1, 2), (7, 3)], 100, 1_000), (vec![], cost));
		assert_eq!(run(&[], 100, 1_000), (vec![], BASE));
	}

	#[test]
	fn no_more_is_done_than_there_is_weight_for() {
		let lots = [(1, 2), (7, 3)];
		assert_eq!(run(&lots, 100, BASE - 1), (lots.to_vec(), 0));
		assert_eq!(run(&lots, 100, BASE), (lots.to_vec(), BASE));
		assert_eq!(run(&lots, 100, BASE + EACH), (vec![(1, 1), (7, 3)], BASE + EACH));
		// Whether there was a third is seen in the next block.
		assert_eq!(
			run(&lots, 100, BASE + 2 * EACH),
			(vec![(1, 0), (7, 3)], BASE + 2 * EACH)
		);
		assert_eq!(run(&lots, 100, BASE + 3 * EACH), (vec![(7, 3)], BASE + 2 * EACH));
	}

	#[test]
	fn no_more_is_done_than_the_number_allows() {
		assert_eq!(run(&[(1, 2), (7, 3)], 4, 1_000).0, [(7, 1)]);
		assert_eq!(run(&[(1, 2), (7, 3)], 2, 1_000).0, [(1, 0), (7, 3)]);
	}
}
