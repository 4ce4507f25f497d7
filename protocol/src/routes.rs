//! Where a relayer has a stream from, and who else may have it: what is said of that, and what follows from it. Sans-IO.
//!
//! All of it may be a lie, so nothing rests on it but whom to try: that somebody brings what is newer than all that we have is what shows
//! that it is not behind us ([`crate::swarm`]), and who is named is looked up in the registry, under an address of its own choice.
//!
//! | lie | what comes of it |
//! | --- | --- |
//! | a path without us, though it leads through us | who said it brings nothing newer, and is left |
//! | a path that is too long, names one twice, or is another's | it is not followed |
//! | a path with us, though it does not lead through us | it is not followed: the loss is theirs who said it |
//! | names of strangers, of ourselves, of who has just been tried | nothing |
//! | names of relayers that are down or carry something else | [`MOST_TRIES`] attempts in [`FORGOTTEN`], whoever names them, each at an address that its owner has in the registry |

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use bounded_collections::{BoundedVec, ConstU32};
use clustercast_primitives::{crypto::sha256, PublicKey};
use core::time::Duration;

/// Relayers between a viewer and the origin, at most: each adds a window's time where something fails, and its price.
pub const MAX_HOPS: u32 = 8;

/// Relayers that a refusal names, at most.
pub const MAX_NAMED: u32 = 3;

/// Who was named is tried so often at most within [`FORGOTTEN`].
pub const MOST_TRIES: usize = 6;

/// One who was tried or refused is tried again, because it is named, after this.
pub const FORGOTTEN: Duration = Duration::from_secs(600);

/// So many of these are remembered.
const MOST_SEEN: usize = 64;

/// The relayers that a stream comes through, by their keys: whoever says so first, the one below the origin last.
pub type Path = BoundedVec<PublicKey, ConstU32<MAX_HOPS>>;

/// Relayers that may serve what is refused.
pub type Names = BoundedVec<PublicKey, ConstU32<MAX_NAMED>>;

/// Why a path is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Detour {
	/// It comes through us.
	#[error("what it sends comes through us")]
	Circle,
	/// With us it would have more hops than there may be.
	#[error("what it sends comes over more than {MAX_HOPS} relayers")]
	TooLong,
	/// It does not begin with whoever says so.
	#[error("the path that it states is not its own")]
	NotItsOwn,
	/// It names somebody twice.
	#[error("the path that it states leads in a circle")]
	Twice,
}

/// Our own path where we have a stream from `peer`, which says that it comes so; of an origin, which says nothing, [`below_origin`].
pub fn behind(path: &Path, peer: &PublicKey, own: &PublicKey) -> Result<Path, Detour> {
	if path.first() != Some(peer) {
		return Err(Detour::NotItsOwn);
	}
	if path.contains(own) {
		return Err(Detour::Circle);
	}
	let twice = |(at, key): (usize, &PublicKey)| path[..at].contains(key);
	if path.iter().enumerate().any(twice) {
		return Err(Detour::Twice);
	}
	let ours: Vec<PublicKey> = core::iter::once(*own).chain(path.iter().copied()).collect();
	ours.try_into().map_err(|_| Detour::TooLong)
}

/// The path of who has a stream from its origin.
pub fn below_origin(own: &PublicKey) -> Path {
	let mut path = Path::default();
	path.try_push(*own).expect("one of eight");
	path
}

/// Whom a refusal names to `asker`: those of `known` that come first in an order of its own, so that not all are sent to the same.
pub fn named(asker: &PublicKey, own: &PublicKey, known: impl IntoIterator<Item = PublicKey>) -> Names {
	let others = known.into_iter().filter(|key| key != asker && key != own);
	let ordered: BTreeMap<[u8; 32], PublicKey> = others.map(|key| (sha256(&[&asker.0, &key.0]).0, key)).collect();
	let first: Vec<PublicKey> = ordered.into_values().take(MAX_NAMED as usize).collect();
	first.try_into().unwrap_or_default()
}

/// Whom to try of those that refusals named.
#[derive(Clone, Debug, Default)]
pub struct Referrals {
	/// In the order in which they were named.
	waiting: VecDeque<PublicKey>,
	/// Who was tried or refused, and when, the oldest first.
	seen: VecDeque<(PublicKey, Duration)>,
	/// When somebody was tried because it was named.
	tries: VecDeque<Duration>,
}

impl Referrals {
	/// `by` refuses us and names these. `known`: whether we would deal with one at all, by the registry; strangers are nobody.
	pub fn note(&mut self, by: &PublicKey, names: &Names, known: impl Fn(&PublicKey) -> bool, now: Duration) {
		self.see(*by, now);
		for name in names {
			let again = self.waiting.contains(name) || self.seen.iter().any(|(seen, _)| seen == name);
			if !again && self.waiting.len() < MOST_TRIES && known(name) {
				self.waiting.push_back(*name);
			}
		}
	}

	/// The next one to try; `None` where there is none, or enough were tried of late.
	pub fn next(&mut self, now: Duration) -> Option<PublicKey> {
		while self.tries.front().is_some_and(|at| *at + FORGOTTEN <= now) {
			self.tries.pop_front();
		}
		if self.tries.len() >= MOST_TRIES {
			return None;
		}
		let next = self.waiting.pop_front()?;
		self.see(next, now);
		self.tries.push_back(now);
		Some(next)
	}

	/// It has had its turn, by whatever way.
	fn see(&mut self, key: PublicKey, now: Duration) {
		self.waiting.retain(|waiting| *waiting != key);
		self.seen.retain(|(seen, at)| *seen != key && now < *at + FORGOTTEN);
		if self.seen.len() >= MOST_SEEN {
			self.seen.pop_front();
		}
		self.seen.push_back((key, now));
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec;

	const SECOND: Duration = Duration::from_secs(1);

	fn key(seed: u8) -> PublicKey {
		PublicKey([seed; 32])
	}

	fn path(keys: &[u8]) -> Path {
		keys.iter().copied().map(key).collect::<Vec<_>>().try_into().unwrap()
	}

	fn names(keys: &[u8]) -> Names {
		keys.iter().copied().map(key).collect::<Vec<_>>().try_into().unwrap()
	}

	#[test]
	fn path_grows_by_each_hop_from_the_origin_on() {
		let first = below_origin(&key(1));
		let second = behind(&first, &key(1), &key(2)).unwrap();
		assert_eq!(behind(&second, &key(2), &key(3)), Ok(path(&[3, 2, 1])));
	}

	/// Relayers that buy from each other: each sees itself in what the other one says.
	#[test]
	fn path_that_comes_through_us_is_not_followed() {
		assert_eq!(behind(&path(&[2, 7, 1]), &key(2), &key(7)), Err(Detour::Circle));
		assert_eq!(behind(&path(&[2, 7, 1]), &key(2), &key(8)), Ok(path(&[8, 2, 7, 1])));
	}

	#[test]
	fn path_is_no_longer_than_eight_with_us_and_names_nobody_twice_nor_somebody_else() {
		let longest = path(&[2, 3, 4, 5, 6, 7, 8]);
		assert_eq!(behind(&longest, &key(2), &key(9)).unwrap().len(), 8);
		let longer = path(&[2, 3, 4, 5, 6, 7, 8, 10]);
		assert_eq!(behind(&longer, &key(2), &key(9)), Err(Detour::TooLong));
		assert_eq!(behind(&path(&[2, 3, 4, 3]), &key(2), &key(9)), Err(Detour::Twice));
		assert_eq!(behind(&path(&[3, 2]), &key(2), &key(9)), Err(Detour::NotItsOwn));
		assert_eq!(behind(&Path::default(), &key(2), &key(9)), Err(Detour::NotItsOwn));
	}

	#[test]
	fn refusal_names_three_that_are_neither_the_asker_nor_us_and_each_asker_its_own() {
		let known = || (1..=40).chain(1..=40).map(key);
		let mut first = alloc::collections::BTreeSet::new();
		for asker in 1..=40 {
			let named = named(&key(asker), &key(40), known());
			assert_eq!(named.len(), 3);
			assert!(!named.contains(&key(asker)) && !named.contains(&key(40)), "{asker}");
			assert!(
				named[0] != named[1] && named[1] != named[2] && named[0] != named[2],
				"{asker}"
			);
			first.insert(named[0]);
		}
		assert!(first.len() > 10, "all are sent to the same: {}", first.len());
		assert_eq!(named(&key(1), &key(2), [1, 2, 3].map(key)), names(&[3]));
	}

	fn all(referrals: &mut Referrals, now: Duration) -> Vec<PublicKey> {
		core::iter::from_fn(|| referrals.next(now)).collect()
	}

	#[test]
	fn who_was_named_is_tried_once_and_strangers_never() {
		let mut referrals = Referrals::default();
		let known = |name: &PublicKey| *name != key(9);
		referrals.note(&key(1), &names(&[2, 9, 3]), known, SECOND);
		assert_eq!(all(&mut referrals, SECOND), [2, 3].map(key));
		// Who refused has had its turn as well, and they name each other.
		referrals.note(&key(2), &names(&[1, 3, 2]), known, 2 * SECOND);
		assert_eq!(all(&mut referrals, 2 * SECOND), []);
		let later = 2 * SECOND + FORGOTTEN;
		referrals.note(&key(2), &names(&[1, 3, 2]), known, later);
		assert_eq!(all(&mut referrals, later), [1, 3].map(key));
	}

	/// The attack: refusals that name others, who name others, to have us connect to whom they like.
	#[test]
	fn chain_of_refusals_makes_six_attempts_in_ten_minutes_whoever_is_named() {
		let mut referrals = Referrals::default();
		let mut tried = vec![key(0)];
		let mut next = 1..=u8::MAX;
		for second in 0..599 {
			let now = second * SECOND;
			let fresh: Vec<u8> = next.by_ref().take(3).collect();
			if let Ok(named) = fresh.into_iter().map(key).collect::<Vec<_>>().try_into() {
				let by = *tried.last().unwrap();
				referrals.note(&by, &named, |_| true, now);
			}
			tried.extend(referrals.next(now));
		}
		assert_eq!(tried.len() - 1, MOST_TRIES);
		assert!(referrals.waiting.len() <= MOST_TRIES && referrals.seen.len() <= MOST_SEEN);
		assert_eq!(
			all(&mut referrals, FORGOTTEN + 599 * SECOND).len(),
			MOST_TRIES,
			"and again later"
		);
	}
}
