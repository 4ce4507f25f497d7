//! One uplink for all that a node sends: chunks go out at the rate that it carries, what is due first first. So the queue before a
//! home's line stays short, and nobody's window waits behind two others that were begun with it. What else is said is small, goes
//! before chunks on its connection, and is not asked.

use std::{
	collections::BTreeSet,
	future::pending,
	num::NonZeroU64,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::Notify,
	time::{sleep_until, Instant},
};

/// Of what an uplink carries, parts of ten that chunks may take: the rest is for the headers of packets, control, and what is sent again.
const SHARE: u64 = 9;

/// What takes longer to send than this is passed on as it comes, where it comes bit by bit.
const LONG: Duration = Duration::from_millis(300);

/// Whose uplink carries nobody knows what has a home's of 5 Mb/s.
const USUAL: u64 = 625_000;

/// Bytes that are handed out at a time, at least: seven packets.
const PIECE: u64 = 8 * 1024;

/// What was not made use of is saved up for so long: timers are no finer.
const SAVED: Duration = Duration::from_millis(5);

/// See the module. Unlimited, until it is said what it carries.
#[derive(Debug)]
pub struct Uplink {
	line: Mutex<Line>,
	/// The line has moved on.
	turned: Notify,
}

/// Who waits for the line, and since when it is free.
#[derive(Debug)]
struct Line {
	/// Bytes/s for chunks.
	rate: Option<NonZeroU64>,
	/// All that was handed out has left by then.
	free: Instant,
	waiting: BTreeSet<Place>,
	next: u64,
}

/// By when the chunks are due, and in which order they came.
type Place = (Instant, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
	/// So many bytes.
	Take(usize),
	/// It is its turn, and the line is free then.
	At(Instant),
	/// Others go first.
	Behind,
}

impl Default for Uplink {
	fn default() -> Self {
		Self {
			line: Mutex::new(Line {
				rate: None,
				free: Instant::now(),
				waiting: BTreeSet::new(),
				next: 0,
			}),
			turned: Notify::new(),
		}
	}
}

impl Uplink {
	/// It carries so many bytes/s, headers of packets included; how many of these are for chunks.
	pub fn carries(&self, bytes_per_second: u64) -> u64 {
		let rate = bytes_per_second / 10 * SHARE;
		self.lock().rate = NonZeroU64::new(rate);
		self.turned.notify_waiters();
		rate
	}

	/// Whether so many bytes take it so long that they are better passed on as they come than at once.
	pub fn is_long(&self, bytes: u64) -> bool {
		let rate = self.lock().rate.map_or(USUAL / 10 * SHARE, NonZeroU64::get);
		u128::from(bytes) * 1_000 > u128::from(rate) * LONG.as_millis()
	}

	/// How many of `wanted` bytes of chunks may go out now, at least one where any are wanted; waits until it is their turn. Cancel
	/// safe.
	async fn grant(&self, due: Instant, wanted: usize) -> usize {
		let waits = {
			let mut line = self.lock();
			if line.rate.is_none() || wanted == 0 {
				return wanted;
			}
			Waits {
				uplink: self,
				place: line.enter(due),
			}
		};
		loop {
			let turned = self.turned.notified();
			tokio::pin!(turned);
			// What happens behind the question is heard.
			turned.as_mut().enable();
			let answer = self.lock().ask(waits.place, wanted, Instant::now());
			let free = async {
				match answer {
					Answer::At(at) => sleep_until(at).await,
					_ => pending().await,
				}
			};
			if let Answer::Take(bytes) = answer {
				return bytes;
			}
			tokio::select! {
				() = free => {},
				() = turned => {},
			}
		}
	}

	/// Of what was granted, so much was not sent.
	fn give_back(&self, bytes: usize) {
		let mut line = self.lock();
		if let Some(time) = line.time(bytes as u64) {
			line.free = line.free.checked_sub(time).unwrap_or(line.free);
		}
		drop(line);
		self.turned.notify_waiters();
	}

	fn lock(&self) -> MutexGuard<'_, Line> {
		// What is locked here is changed in one step.
		self.line.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// What one stream of chunks was granted and has not sent. Whoever does not read keeps what it has: it is not asked for again, however
/// often writing is given up and begun anew.
#[derive(Debug)]
pub struct Allowance {
	uplink: Arc<Uplink>,
	bytes: usize,
}

impl Allowance {
	/// Of this uplink, nothing yet.
	pub fn new(uplink: Arc<Uplink>) -> Self {
		Self { uplink, bytes: 0 }
	}

	/// How many of `wanted` bytes may go out, at least one where any are wanted; waits for its turn where there are none left. Cancel safe.
	pub async fn some(&mut self, due: Instant, wanted: usize) -> usize {
		if self.bytes == 0 {
			self.bytes = self.uplink.grant(due, wanted).await;
		}
		self.bytes.min(wanted)
	}

	/// None are left of what was granted.
	pub fn is_empty(&self) -> bool {
		self.bytes == 0
	}

	/// So many of them went out.
	pub fn sent(&mut self, bytes: usize) {
		self.bytes = self.bytes.saturating_sub(bytes);
	}
}

impl Drop for Allowance {
	fn drop(&mut self) {
		if self.bytes > 0 {
			self.uplink.give_back(self.bytes);
		}
	}
}

/// Leaves the line, wherever it stands.
struct Waits<'a> {
	uplink: &'a Uplink,
	place: Place,
}

impl Drop for Waits<'_> {
	fn drop(&mut self) {
		self.uplink.lock().waiting.remove(&self.place);
		self.uplink.turned.notify_waiters();
	}
}

impl Line {
	fn enter(&mut self, due: Instant) -> Place {
		let place = (due, self.next);
		self.next += 1;
		self.waiting.insert(place);
		place
	}

	fn ask(&mut self, place: Place, wanted: usize, now: Instant) -> Answer {
		let Some(rate) = self.rate else {
			return Answer::Take(wanted);
		};
		if self.waiting.first() != Some(&place) {
			return Answer::Behind;
		}
		if self.free > now {
			return Answer::At(self.free);
		}
		let piece = PIECE.max(rate.get() * SAVED.as_millis() as u64 / 1000);
		let bytes = (wanted as u64).min(piece);
		let saved = now.checked_sub(SAVED).unwrap_or(now);
		self.free = self.free.max(saved) + self.time(bytes).unwrap_or_default();
		Answer::Take(bytes as usize)
	}

	/// How long the line is busy with so many bytes.
	fn time(&self, bytes: u64) -> Option<Duration> {
		let rate = self.rate?.get();
		Some(Duration::from_micros(bytes.saturating_mul(1_000_000) / rate))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use futures::FutureExt;
	use std::iter::repeat_n;

	/// 5 Mb/s.
	const HOME: u64 = 625_000;

	fn uplink(bytes_per_second: u64) -> Uplink {
		let uplink = Uplink::default();
		uplink.carries(bytes_per_second);
		uplink
	}

	/// Sends so many bytes each, due so many milliseconds after the begin, from so many on; by when each has, all in milliseconds.
	fn send(uplink: &Uplink, all: &[(u64, u64, usize)]) -> Vec<u64> {
		let mut line = uplink.lock();
		let begin = line.free;
		let ms = |ms: u64| begin + Duration::from_millis(ms);
		let mut left: Vec<(Option<Place>, usize)> = all.iter().map(|(_, _, bytes)| (None, *bytes)).collect();
		let (mut now, mut over) = (begin, vec![0; all.len()]);
		while left.iter().any(|(_, bytes)| *bytes > 0) {
			let mut next = now + Duration::from_millis(1);
			for (number, (from, due, _)) in all.iter().enumerate() {
				if ms(*from) <= now && left[number].1 > 0 && left[number].0.is_none() {
					left[number].0 = Some(line.enter(ms(*due)));
				}
			}
			for number in 0..all.len() {
				let (Some(place), bytes) = left[number] else {
					continue;
				};
				match line.ask(place, bytes, now) {
					Answer::Take(taken) => {
						line.waiting.remove(&place);
						left[number] = (None, bytes - taken);
						over[number] = line.free.duration_since(begin).as_millis() as u64;
						next = now;
					},
					Answer::At(at) => next = next.min(at),
					Answer::Behind => {},
				}
			}
			now = next;
		}
		over
	}

	#[test]
	fn chunks_go_out_at_nine_tenths_of_the_rate_whoever_sends_them() {
		let over = send(&uplink(HOME), &repeat_n((0, 0, 375_000), 4).collect::<Vec<_>>());
		let (last, expected) = (over.iter().max().unwrap(), 4 * 375_000 * 1_000 / (HOME * 9 / 10));
		assert!(
			(expected - 10..expected + 40).contains(last),
			"{last} ms, not {expected}"
		);
	}

	#[test]
	fn what_is_due_first_goes_first_and_overtakes_what_was_begun() {
		let over = send(
			&uplink(HOME),
			&[(0, 2_000, 375_000), (0, 2_001, 375_000), (100, 500, 65_536)],
		);
		assert!(over[2] < 240, "what is pulled: {over:?}");
		assert!(over[0] < 810, "behind the pulled one alone: {over:?}");
		assert!(over[1] > 1_400, "behind the first: {over:?}");
	}

	#[test]
	fn silence_saves_up_next_to_nothing() {
		let uplink = uplink(HOME);
		uplink.lock().free -= Duration::from_secs(60);
		let begin = uplink.lock().free;
		let place = uplink.lock().enter(begin);
		let now = begin + Duration::from_secs(60);
		let mut line = uplink.lock();
		assert_eq!(line.ask(place, 1_000_000, now), Answer::Take(8_192));
		assert!(matches!(line.ask(place, 1_000_000, now), Answer::At(_)));
	}

	#[tokio::test]
	async fn who_leaves_the_line_or_sends_less_holds_nobody_up() {
		let uplink = Arc::new(uplink(80_000));
		let now = Instant::now();
		assert_eq!(uplink.grant(now, 100_000).await, 8_192);
		// Given up while it waits: the line is taken for a tenth of a second.
		assert_eq!(uplink.grant(now, 1).now_or_never(), None);
		uplink.give_back(8_192);
		assert_eq!(uplink.grant(now, 100_000).now_or_never(), Some(8_192));
		// One waits in vain behind another, until that leaves.
		let first = tokio::spawn({
			let uplink = uplink.clone();
			async move { uplink.grant(now, 100_000).await }
		});
		let second = uplink.grant(now + Duration::from_secs(1), 100_000);
		tokio::task::yield_now().await;
		first.abort();
		assert_eq!(second.await, 8_192);
	}

	/// The attack: a viewer that reads nothing has its relayer wake up again and again, and took a piece of the line each time.
	#[tokio::test]
	async fn who_reads_nothing_takes_one_piece_of_the_line_however_often_it_is_tried() {
		let uplink = Arc::new(uplink(80_000));
		let (now, mut stuck) = (Instant::now(), Allowance::new(uplink.clone()));
		for _ in 0..1_000 {
			assert_eq!(stuck.some(now, 100_000).await, 8_192);
		}
		assert!(uplink.lock().free < Instant::now() + Duration::from_millis(200));
		stuck.sent(8_000);
		assert_eq!(stuck.some(now, 100_000).await, 192);
		assert_eq!(stuck.some(now, 100).await, 100, "no more than there is");
		// What it has is another's when it goes.
		let mut other = Allowance::new(uplink.clone());
		assert_eq!(other.some(now, 1).now_or_never(), None);
		let free = uplink.lock().free;
		drop(stuck);
		assert!(uplink.lock().free < free);
	}

	#[test]
	fn what_takes_more_than_300_ms_is_long_and_a_rate_that_is_not_known_is_a_homes() {
		for uplink in [uplink(HOME), Uplink::default()] {
			assert!(!uplink.is_long(HOME * 9 / 10 * 3 / 10));
			assert!(uplink.is_long(HOME * 9 / 10 * 3 / 10 + 1));
		}
		let quick = uplink(100 * HOME);
		assert!(!quick.is_long(8 << 20) && quick.is_long(17 << 20));
	}

	#[tokio::test]
	async fn without_a_rate_nothing_waits() {
		let uplink = Uplink::default();
		assert_eq!(uplink.grant(Instant::now(), 1_000_000).now_or_never(), Some(1_000_000));
	}
}
