//! What happens when: events by time, those of one time in the order in which they were put in.

use std::{
	cmp::Ordering,
	collections::{BTreeMap, BinaryHeap},
};

/// Microseconds since the beginning.
pub type Micros = u64;

/// A second.
pub const SECOND: Micros = 1_000_000;

/// A millisecond.
pub const MS: Micros = 1_000;

/// Microseconds of a slot, as a power of two: a quarter of a millisecond.
const SLOT: u32 = 8;

/// Slots that have a place of their own: four seconds. What happens later is kept by its slot.
const SLOTS: u64 = 1 << 14;

/// See the module. A calendar queue: of all that is to happen only what is of the slot by now is in a heap, so an event costs the same
/// whether ten thousand others wait or ten million.
#[derive(Debug)]
pub struct Calendar<E> {
	/// Of the slot by now, or of one that is over.
	due: BinaryHeap<Entry<E>>,
	slot: u64,
	/// Of those that follow, each in its place.
	ring: Vec<Vec<Entry<E>>>,
	/// How many are in there.
	ahead: usize,
	/// By their slot: those that had no place when they were put in.
	later: BTreeMap<u64, Vec<Entry<E>>>,
	next: u64,
	length: usize,
}

#[derive(Debug)]
struct Entry<E> {
	at: Micros,
	number: u64,
	event: E,
}

impl<E> Default for Calendar<E> {
	fn default() -> Self {
		Self {
			due: BinaryHeap::new(),
			slot: 0,
			ring: (0..SLOTS).map(|_| Vec::new()).collect(),
			ahead: 0,
			later: BTreeMap::new(),
			next: 0,
			length: 0,
		}
	}
}

impl<E> Calendar<E> {
	/// It happens then.
	pub fn put(&mut self, at: Micros, event: E) {
		let number = self.next;
		self.next += 1;
		self.length += 1;
		let entry = Entry { at, number, event };
		let slot = at >> SLOT;
		if slot <= self.slot {
			self.due.push(entry);
		} else if slot < self.slot + SLOTS {
			self.ahead += 1;
			self.ring[(slot % SLOTS) as usize].push(entry);
		} else {
			self.later.entry(slot).or_default().push(entry);
		}
	}

	/// What is next, where it is before `end`.
	pub fn take(&mut self, end: Micros) -> Option<(Micros, E)> {
		while self.due.is_empty() {
			self.turn()?;
		}
		self.due.peek().filter(|entry| entry.at < end)?;
		self.length -= 1;
		self.due.pop().map(|entry| (entry.at, entry.event))
	}

	/// The next slot, or the next one that has something where none near does; `None` where nothing is to happen.
	fn turn(&mut self) -> Option<()> {
		let far = self.later.first_key_value().map(|(slot, _)| *slot);
		self.slot = match self.ahead {
			0 => far?,
			_ => self.slot + 1,
		};
		let mut events = std::mem::take(&mut self.ring[(self.slot % SLOTS) as usize]);
		self.ahead -= events.len();
		if far == Some(self.slot) {
			events.extend(self.later.remove(&self.slot).into_iter().flatten());
		}
		self.due = events.into();
		Some(())
	}

	/// How much is to happen.
	pub fn len(&self) -> usize {
		self.length
	}

	/// Whether nothing is.
	pub fn is_empty(&self) -> bool {
		self.length == 0
	}
}

impl<E> Ord for Entry<E> {
	fn cmp(&self, other: &Self) -> Ordering {
		(other.at, other.number).cmp(&(self.at, self.number))
	}
}

impl<E> PartialOrd for Entry<E> {
	fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
		Some(self.cmp(other))
	}
}

impl<E> PartialEq for Entry<E> {
	fn eq(&self, other: &Self) -> bool {
		self.number == other.number
	}
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn events_come_by_time_and_those_of_one_time_in_their_order() {
		let mut calendar = Calendar::default();
		for (at, event) in [(5, "c"), (1, "a"), (5, "d"), (2, "b"), (9, "e")] {
			calendar.put(at, event);
		}
		let mut took = Vec::new();
		while let Some((_, event)) = calendar.take(9) {
			took.push(event);
		}
		assert_eq!((took, calendar.len()), (vec!["a", "b", "c", "d"], 1));
	}

	#[test]
	fn events_come_in_their_order_however_far_ahead_they_were_put_in() {
		let (mut calendar, mut now, mut waits) = (Calendar::default(), 0, Vec::new());
		let mut draw = 1u64;
		for number in 0..20_000u64 {
			draw = draw
				.wrapping_mul(6_364_136_223_846_793_005)
				.wrapping_add(1_442_695_040_888_963_407);
			// Now, in this slot, in the next ones, and behind all that have a place.
			let far = [1, 300, 5_000_000, 100_000_000][(draw >> 60) as usize % 4];
			let at = now + (draw >> 33) % far;
			calendar.put(at, number);
			waits.push((at, number));
			if (draw >> 20).is_multiple_of(3) {
				let first = waits.iter().copied().min().unwrap();
				waits.retain(|other| *other != first);
				now = first.0;
				assert_eq!(calendar.take(Micros::MAX), Some(first));
			}
		}
		waits.sort_unstable();
		assert_eq!(calendar.len(), waits.len());
		let rest: Vec<_> = std::iter::from_fn(|| calendar.take(Micros::MAX)).collect();
		assert_eq!(rest, waits);
	}
}
