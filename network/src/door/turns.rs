//! Whose request is looked up next: so many at a time, and by turns between the addresses that they come from. Whoever sends
//! thousands waits behind the own ones.

use super::source::Source;
use std::collections::{HashMap, VecDeque};

/// See the module. Holds a `T` for each that waits: as many as come, so whoever asks bounds them.
#[derive(Debug)]
pub struct Turns<T> {
	free: usize,
	/// Sources with somebody who waits, by turns.
	line: VecDeque<Source>,
	waiting: HashMap<Source, VecDeque<T>>,
}

impl<T> Turns<T> {
	/// So many at a time.
	pub fn new(at_a_time: usize) -> Self {
		Self {
			free: at_a_time,
			line: VecDeque::new(),
			waiting: HashMap::new(),
		}
	}

	/// One asks: given back where it is its turn, else it waits.
	pub fn ask(&mut self, source: Source, one: T) -> Option<T> {
		if let Some(left) = self.free.checked_sub(1) {
			self.free = left;
			return Some(one);
		}
		let waiting = self.waiting.entry(source).or_default();
		if waiting.is_empty() {
			self.line.push_back(source);
		}
		waiting.push_back(one);
		None
	}

	/// One is done: whose turn it is now.
	pub fn done(&mut self) -> Option<T> {
		let next = self.line.pop_front().and_then(|source| {
			let waiting = self.waiting.get_mut(&source)?;
			let next = waiting.pop_front();
			match waiting.is_empty() {
				true => drop(self.waiting.remove(&source)),
				false => self.line.push_back(source),
			}
			next
		});
		if next.is_none() {
			self.free += 1;
		}
		next
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::net::IpAddr;

	fn from(last: u8) -> Source {
		IpAddr::from([10, 0, 0, last]).into()
	}

	/// The attack: look-ups cost the node time, so thousands of made-up accounts shut out who pays.
	#[test]
	fn flood_of_one_address_waits_behind_itself() {
		let mut turns = Turns::new(2);
		assert_eq!(turns.ask(from(1), "a"), Some("a"));
		assert_eq!(turns.ask(from(1), "b"), Some("b"));
		(0..1_000).for_each(|_| assert_eq!(turns.ask(from(1), "flood"), None));
		assert_eq!(turns.ask(from(2), "payer"), None);
		assert_eq!(turns.ask(from(3), "another"), None);
		assert_eq!(
			[turns.done(), turns.done(), turns.done()],
			[Some("flood"), Some("payer"), Some("another")]
		);
	}

	#[test]
	fn there_are_never_more_than_so_many_at_a_time() {
		let mut turns = Turns::new(2);
		let begun = (0..9).filter(|n| turns.ask(from(*n), *n).is_some()).count();
		assert_eq!(begun, 2);
		let rest: Vec<_> = std::iter::from_fn(|| turns.done()).collect();
		assert_eq!(rest, [2, 3, 4, 5, 6, 7, 8]);
		assert_eq!(turns.done(), None);
		assert_eq!((turns.free, turns.waiting.len()), (2, 0), "nobody is forgotten");
	}
}
