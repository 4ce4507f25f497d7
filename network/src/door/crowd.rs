//! Strangers who are on their way to a verdict, bounded in all. Where there is no room the newcomer takes the place of one who
//! has been there for longer than honest ones are, of whoever has most of these; so waiting takes no place from anybody. Where
//! nobody has, it takes the newest place of whoever has most, if that is more than it has itself.

use super::source::Source;
use std::{cmp::Reverse, collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Who is honest is through the door within this, but on the slowest lines: a few round trips and a look-up.
pub const GRACE: Duration = Duration::from_secs(1);

/// One of the crowd.
#[derive(Clone, Copy, Debug)]
pub struct Member {
	/// Where it comes from.
	pub source: Source,
	/// Since when it is there.
	pub since: Instant,
}

/// Where a newcomer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
	/// There is a place.
	Free,
	/// The place of this member.
	Instead(usize),
	/// Away: its own source has as many as any, and nobody is overdue.
	None,
}

/// Where a newcomer goes where there are `most` places, all of `members` counted.
pub fn room(most: usize, members: &[Member], newcomer: Source, now: Instant) -> Room {
	if members.len() < most {
		return Room::Free;
	}
	let overdue: Vec<_> = enumerated(members)
		.filter(|(_, member)| now >= member.since + GRACE)
		.collect();
	let of = counts(overdue.iter().map(|(_, member)| *member));
	let oldest = overdue
		.iter()
		.max_by_key(|(at, member)| (of[&member.source], Reverse(member.since), Reverse(*at)));
	if let Some((at, _)) = oldest {
		return Room::Instead(*at);
	}
	// Those who came before go on: of many at a time from one address, each is through sooner or later.
	let of = counts(members.iter());
	let newest = enumerated(members).max_by_key(|(at, member)| (of[&member.source], member.since, *at));
	match newest {
		Some((at, member)) if of[&member.source] > of.get(&newcomer).copied().unwrap_or_default() => Room::Instead(at),
		_ => Room::None,
	}
}

fn enumerated(members: &[Member]) -> impl Iterator<Item = (usize, &Member)> {
	members.iter().enumerate()
}

fn counts<'a>(members: impl Iterator<Item = &'a Member>) -> HashMap<Source, usize> {
	let mut counts = HashMap::new();
	members.for_each(|member| *counts.entry(member.source).or_default() += 1);
	counts
}

/// What became of who came.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T> {
	/// It is in, under this number; who had to make room.
	In(u64, Option<T>),
	/// It is not.
	Refused,
}

/// See the module. Holds a `T` for each.
#[derive(Debug)]
pub struct Crowd<T> {
	most: usize,
	next: u64,
	members: Vec<Member>,
	/// The same in the same order.
	held: Vec<(u64, T)>,
}

impl<T> Crowd<T> {
	/// Nobody yet, and so many at most.
	pub fn new(most: usize) -> Self {
		Self {
			most,
			next: 0,
			members: Vec::new(),
			held: Vec::new(),
		}
	}

	/// One comes.
	pub fn enter(&mut self, source: Source, now: Instant, holding: T) -> Entry<T> {
		let instead = match room(self.most, &self.members, source, now) {
			Room::Free => None,
			Room::Instead(at) => Some(self.take(at)),
			Room::None => return Entry::Refused,
		};
		let id = self.next;
		self.next += 1;
		self.members.push(Member { source, since: now });
		self.held.push((id, holding));
		Entry::In(id, instead)
	}

	/// One is gone; nothing where it had made room.
	pub fn leave(&mut self, id: u64) {
		if let Some(at) = self.held.iter().position(|(held, _)| *held == id) {
			self.take(at);
		}
	}

	/// How many there are.
	pub fn len(&self) -> usize {
		self.members.len()
	}

	fn take(&mut self, at: usize) -> T {
		self.members.swap_remove(at);
		self.held.swap_remove(at).1
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::net::IpAddr;

	fn from(last: u8) -> Source {
		IpAddr::from([10, 0, 0, last]).into()
	}

	fn entered(crowd: &mut Crowd<u8>, last: u8, now: Instant) -> Option<u8> {
		match crowd.enter(from(last), now, last) {
			Entry::In(_, instead) => instead,
			Entry::Refused => panic!("{last} is refused"),
		}
	}

	#[tokio::test]
	async fn who_waits_for_long_makes_room_for_whoever_comes() {
		let now = Instant::now();
		let mut crowd = Crowd::new(50);
		(0..50).for_each(|n| assert_eq!(entered(&mut crowd, n % 10, now), None));
		for n in 0..50 {
			let displaced = entered(&mut crowd, 100, now + GRACE);
			assert!(displaced.is_some_and(|source| source < 10), "{n}: {displaced:?}");
		}
		assert_eq!(
			crowd.enter(from(100), now + GRACE, 100),
			Entry::Refused,
			"nobody is overdue"
		);
	}

	/// The attack: a stranger with one address floods the door, also from where honest ones come.
	#[tokio::test]
	async fn flood_of_one_address_displaces_itself() {
		let now = Instant::now();
		let mut crowd = Crowd::new(8);
		(0..6).for_each(|_| assert_eq!(entered(&mut crowd, 1, now), None));
		assert_eq!(entered(&mut crowd, 2, now), None);
		assert_eq!(entered(&mut crowd, 3, now), None);
		for _ in 0..100 {
			assert_eq!(crowd.enter(from(1), now, 1), Entry::Refused);
		}
		assert_eq!(entered(&mut crowd, 2, now), Some(1), "another address has room");
		assert_eq!(entered(&mut crowd, 2, now), Some(1));
		assert_eq!(entered(&mut crowd, 1, now + GRACE), Some(1), "overdue, and the most");
	}

	/// Hundreds behind one address are let through, since none of them stays: whoever sits there for long goes first.
	#[tokio::test]
	async fn rush_from_one_address_is_not_displaced_by_strangers_who_trickle_in() {
		let start = Instant::now();
		let mut crowd = Crowd::new(512);
		(0..462).for_each(|n| assert_eq!(entered(&mut crowd, (n % 50) as u8, start), None));
		let mut now = start + GRACE;
		let mut undecided = std::collections::VecDeque::new();
		for n in 0..3_000_u64 {
			now += Duration::from_millis(1);
			// Half a second each until the verdict.
			if undecided.len() == 150 {
				crowd.leave(undecided.pop_front().unwrap());
			}
			if n % 3 == 0 {
				let Entry::In(id, displaced) = crowd.enter(from(200), now, 200) else {
					panic!("{n} is refused")
				};
				assert_ne!(displaced, Some(200), "{n}");
				undecided.push_back(id);
			}
			// A thousand connections from 50 addresses, over and over.
			if n % 4 == 0 {
				assert_ne!(entered(&mut crowd, (n % 50) as u8, now), Some(200), "{n}");
			}
		}
	}

	#[tokio::test]
	async fn who_left_takes_no_place_and_who_was_displaced_leaves_without_effect() {
		let now = Instant::now();
		let mut crowd = Crowd::new(2);
		entered(&mut crowd, 1, now);
		let Entry::In(second, None) = crowd.enter(from(1), now, 1) else {
			panic!("there is room")
		};
		assert_eq!(entered(&mut crowd, 2, now), Some(1));
		crowd.leave(second);
		assert_eq!(crowd.len(), 2);
		assert_eq!(Crowd::new(0).enter(from(1), now, 1), Entry::Refused);
	}
}
