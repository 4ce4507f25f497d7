//! Whether somebody else uses the uplink: then the queue before it delays all who are served at once, while chunks alone, at nine
//! tenths of what it carries, leave none. Sans-IO.
//!
//! A download beside ours that goes by loss (CUBIC, as nearly all do) takes what is left, and nobody leaves it anything: chunks go out
//! at one rate, whoever else waits. So where others are seen, chunks make room for one more of what they are: of n viewers, n parts
//! of n + 1.

use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// A queue before the line delays everybody by so much, at least: more than the pieces that we hand out ourselves.
const QUEUE: Duration = Duration::from_millis(20);

/// For so long, before it is somebody else's.
const LASTS: Duration = Duration::from_millis(500);

/// Who was not seen for so long is gone. Queues of others come and go: CUBIC drains its own whenever it loses something.
const GONE: Duration = Duration::from_secs(5);

/// A path that carried something within this says how the line is now: longer than from a window to the next one.
const FRESH: Duration = Duration::from_secs(3);

/// A path that carried nothing for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The shortest time of a path's way is remembered for so long at least: routes change, and somebody may stay for an hour.
const MEMORY: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct CrossTraffic {
	paths: BTreeMap<usize, Path>,
	/// Since when all are delayed without a break.
	delayed: Option<Instant>,
	/// When somebody was seen last.
	seen: Option<Instant>,
}

/// There and back to one who is served.
#[derive(Clone, Copy, Debug)]
struct Path {
	/// The shortest, in the part of the memory that runs and in the one before.
	shortest: [Duration; 2],
	since: Instant,
	delay: Duration,
	at: Instant,
}

impl Path {
	fn new(round_trip: Duration, now: Instant) -> Self {
		Self {
			shortest: [round_trip; 2],
			since: now,
			delay: Duration::ZERO,
			at: now,
		}
	}

	fn note(&mut self, round_trip: Duration, now: Instant) {
		if now.saturating_duration_since(self.since) >= MEMORY {
			(self.shortest, self.since) = ([round_trip, self.shortest[0]], now);
		}
		self.shortest[0] = self.shortest[0].min(round_trip);
		let shortest = self.shortest[0].min(self.shortest[1]);
		(self.delay, self.at) = (round_trip - shortest, now);
	}
}

impl CrossTraffic {
	/// Something went out on this path, which takes so long there and back now.
	pub fn note(&mut self, path: usize, round_trip: Duration, now: Instant) {
		let known = self.paths.entry(path).or_insert_with(|| Path::new(round_trip, now));
		known.note(round_trip, now);
		let age = |path: &Path| now.saturating_duration_since(path.at);
		self.paths.retain(|_, path| age(path) < FORGOTTEN);
		let fresh = || self.paths.values().filter(|path| age(path) < FRESH);
		// What delays one alone is on its own way.
		let common = match fresh().count() {
			0 | 1 => Duration::ZERO,
			_ => fresh().map(|path| path.delay).min().unwrap_or_default(),
		};
		if common < QUEUE {
			self.delayed = None;
		} else if now.saturating_duration_since(*self.delayed.get_or_insert(now)) >= LASTS {
			self.seen = Some(now);
		}
	}

	/// Of a rate, what chunks may take now.
	pub fn share(&self, rate: u64, now: Instant) -> u64 {
		let is_here = |seen: Instant| now.saturating_duration_since(seen) < GONE;
		if !self.seen.is_some_and(is_here) {
			return rate;
		}
		let fresh = |path: &&Path| now.saturating_duration_since(path.at) < FRESH;
		let served = self.paths.values().filter(fresh).count().max(1) as u64;
		rate / (served + 1) * served
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Each tenth of a second these paths have these round trips, in milliseconds, for so many tenths; when that is over.
	fn watch(traffic: &mut CrossTraffic, from: Instant, tenths: u64, paths: &[(usize, u64)]) -> Instant {
		let at = |tenth| from + Duration::from_millis(100 * tenth);
		for tenth in 0..tenths {
			for (path, ms) in paths {
				traffic.note(*path, Duration::from_millis(*ms), at(tenth));
			}
		}
		at(tenths)
	}

	const RATE: u64 = 1_000_000;

	#[test]
	fn queue_that_delays_all_makes_room_for_one_more_until_it_is_gone() {
		let (mut traffic, begin) = (CrossTraffic::default(), Instant::now());
		let quiet = [(1, 40), (2, 80), (3, 120), (4, 160)];
		let now = watch(&mut traffic, begin, 50, &quiet);
		assert_eq!(traffic.share(RATE, now), RATE);
		let queued = quiet.map(|(path, ms)| (path, ms + 35));
		let now = watch(&mut traffic, now, 4, &queued);
		assert_eq!(traffic.share(RATE, now), RATE, "it may be ours");
		let now = watch(&mut traffic, now, 3, &queued);
		assert_eq!(traffic.share(RATE, now), RATE / 5 * 4);
		// A queue that drains for a moment is not over.
		let now = watch(&mut traffic, now, 30, &quiet);
		assert_eq!(traffic.share(RATE, now), RATE / 5 * 4);
		let now = watch(&mut traffic, now, 30, &quiet);
		assert_eq!(traffic.share(RATE, now), RATE);
	}

	#[test]
	fn what_delays_one_alone_is_its_own_line() {
		let (mut traffic, begin) = (CrossTraffic::default(), Instant::now());
		let now = watch(&mut traffic, begin, 20, &[(1, 40), (2, 40)]);
		let now = watch(&mut traffic, now, 50, &[(1, 200), (2, 40)]);
		assert_eq!(traffic.share(RATE, now), RATE);
		// Nor can it be told apart where there is no other.
		let now = watch(&mut traffic, now, 100, &[(1, 200)]);
		assert_eq!(traffic.share(RATE, now), RATE);
	}

	#[test]
	fn who_left_is_not_counted_and_not_kept() {
		let (mut traffic, begin) = (CrossTraffic::default(), Instant::now());
		let many: Vec<(usize, u64)> = (0..100).map(|path| (path, 40)).collect();
		let now = watch(&mut traffic, begin, 1, &many);
		let now = watch(&mut traffic, now, 40, &[(1, 80), (2, 80)]);
		assert_eq!(traffic.share(RATE, now), RATE / 3 * 2);
		watch(&mut traffic, now, 600, &[(1, 80), (2, 80)]);
		assert_eq!(traffic.paths.len(), 2);
	}

	#[test]
	fn a_way_that_is_longer_now_is_no_queue_for_ever() {
		let (mut traffic, begin) = (CrossTraffic::default(), Instant::now());
		let now = watch(&mut traffic, begin, 10, &[(1, 40), (2, 40)]);
		let now = watch(&mut traffic, now, 5_000, &[(1, 90), (2, 90)]);
		assert!(traffic.share(RATE, now) < RATE);
		let now = watch(&mut traffic, now, 8_000, &[(1, 90), (2, 90)]);
		assert_eq!(traffic.share(RATE, now), RATE);
	}
}
