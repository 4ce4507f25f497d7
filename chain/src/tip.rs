//! How far the chain is by now, also where nothing new is heard of it: a node that stands still, is down or syncs anew tells old
//! numbers, and whoever judges others by these blames those who know better.
//!
//! | the head | the block is | the head's age |
//! | --- | --- | --- |
//! | rises, as a chain does | the best one heard of | since it rose last |
//! | has not risen for [`LATE`] blocks' time | the best one, and one more for each block's time since it rose; no more than so many ahead of it | since it rose last |
//! | rises again and is behind that | the same as before, by the clock | what it is behind |
//! | does so for [`STEADY`] blocks' time, no faster than a chain | the best one: the chain itself stood still | since it rose last |
//!
//! [`Estimate`] is sans-IO; [`Tip`] is one on the clock of this machine, which [`crate::Chain`] keeps current. Only time that this
//! process lives through counts: no wall clock is asked.

use crate::Head;
use clustercast_primitives::BlockNumber;
use std::{
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// A head that has not risen for so many blocks' time is late. Validators that are away leave out one or two.
pub const LATE: u32 = 5;

/// How far a relayer goes by the clock alone: two minutes. What may happen to its viewers' accounts meanwhile is what it risks;
/// payments that honest viewers sign are good with it for as long.
pub const MAX_AHEAD: BlockNumber = 60;

/// A head that rises for so long, and no faster than twice a chain's pace, is where the chain is.
const STEADY: u32 = 15;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
	block_time: Duration,
	/// The highest block heard of.
	seen: BlockNumber,
	/// When that was.
	rose: Instant,
	/// From where on the head has risen without being late.
	run: (BlockNumber, Instant),
	/// The clock, while the head is behind it: it was at this block then.
	clock: Option<(BlockNumber, Instant)>,
}

impl Estimate {
	/// Of a chain with a block in each `block_time` whose best block is this one.
	pub fn new(block_time: Duration, best: BlockNumber, now: Instant) -> Self {
		Self {
			// A chain without time is none; it must not be divided by.
			block_time: block_time.max(Duration::from_millis(1)),
			seen: best,
			rose: now,
			run: (best, now),
			clock: None,
		}
	}

	/// The node says that this is its best block. What is below one that was heard of before says nothing: a reorganisation, or a
	/// node that syncs anew.
	pub fn note(&mut self, best: BlockNumber, now: Instant) {
		if best <= self.seen {
			return;
		}
		if self.is_silent(now) {
			self.clock.get_or_insert((self.seen, self.rose));
			self.run = (best, now);
		}
		(self.seen, self.rose) = (best, now);
		let Some(clock) = self.clock else {
			return;
		};
		let (from, since) = self.run;
		let lasted = self.blocks(since, now);
		let caught_up = best.saturating_add(LATE) >= self.at(clock, now);
		match lasted >= STEADY {
			// It was the chain that made no blocks.
			true if best.saturating_sub(from) <= lasted.saturating_mul(2) => self.clock = None,
			true => self.run = (best, now),
			false => {},
		}
		if caught_up {
			self.clock = None;
		}
	}

	/// The chain's block by now, at most so many ahead of the best one heard of.
	pub fn block(&self, now: Instant, most_ahead: BlockNumber) -> BlockNumber {
		let by_clock = self.clock_at(now).map_or(self.seen, |clock| self.at(clock, now));
		by_clock.clamp(self.seen, self.seen.saturating_add(most_ahead))
	}

	/// How old the head is.
	pub fn age(&self, now: Instant) -> Duration {
		let silent = now.saturating_duration_since(self.rose);
		let behind = self.block(now, BlockNumber::MAX) - self.seen;
		silent.max(self.block_time.saturating_mul(behind))
	}

	/// Whether the block is one by the clock.
	pub fn is_late(&self, now: Instant) -> bool {
		self.clock_at(now).is_some()
	}

	/// Whether the chain may be further than the clock is followed.
	pub fn is_lost(&self, now: Instant, most_ahead: BlockNumber) -> bool {
		self.age(now) >= self.block_time.saturating_mul(most_ahead)
	}

	/// What the block goes by, where that is the clock.
	fn clock_at(&self, now: Instant) -> Option<(BlockNumber, Instant)> {
		self.clock.or(self.is_silent(now).then_some((self.seen, self.rose)))
	}

	fn is_silent(&self, now: Instant) -> bool {
		self.blocks(self.rose, now) >= LATE
	}

	fn at(&self, (block, since): (BlockNumber, Instant), now: Instant) -> BlockNumber {
		block.saturating_add(self.blocks(since, now))
	}

	/// Blocks that a chain makes in this time.
	fn blocks(&self, since: Instant, now: Instant) -> BlockNumber {
		let time = now.saturating_duration_since(since);
		BlockNumber::try_from(time.as_nanos() / self.block_time.as_nanos()).unwrap_or(BlockNumber::MAX)
	}
}

/// The chain's tip as this program knows it. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug)]
pub struct Tip {
	head: watch::Receiver<Head>,
	estimate: Arc<Mutex<Estimate>>,
}

impl Tip {
	/// Begins at this head; the second half is told what comes behind it.
	pub(crate) fn new(block_time: Duration, head: Head) -> (Self, Follower) {
		let (sender, heads) = watch::channel(head);
		let estimate = Estimate::new(block_time, head.best, Instant::now());
		let estimate = Arc::new(Mutex::new(estimate));
		let tip = Self {
			head: heads,
			estimate: estimate.clone(),
		};
		(tip, Follower { head: sender, estimate })
	}

	/// One that stays where it is, for tests.
	pub fn fixed(head: Head) -> Self {
		Self::new(Duration::MAX, head).0
	}

	/// One with blocks of 2 s that heard of this head so long ago and of nothing since, for tests.
	pub fn heard(head: Head, ago: Duration) -> Self {
		let (tip, follower) = Self::new(Duration::from_secs(2), head);
		let then = Instant::now().checked_sub(ago);
		lock(&follower.estimate).rose = then.unwrap_or_else(Instant::now);
		tip
	}

	/// As last heard.
	pub fn head(&self) -> Head {
		*self.head.borrow()
	}

	/// Says when something is heard.
	pub fn heads(&self) -> watch::Receiver<Head> {
		self.head.clone()
	}

	/// The chain's block by now, by the clock for at most [`MAX_AHEAD`] blocks: what payments, receipts and reservations are
	/// judged by.
	pub fn block(&self) -> BlockNumber {
		self.block_within(MAX_AHEAD)
	}

	/// The same for at most so many blocks.
	pub fn block_within(&self, most_ahead: BlockNumber) -> BlockNumber {
		lock(&self.estimate).block(Instant::now(), most_ahead)
	}

	/// How old the head is.
	pub fn age(&self) -> Duration {
		lock(&self.estimate).age(Instant::now())
	}

	/// Whether the block is one by the clock: the head is late.
	pub fn is_late(&self) -> bool {
		lock(&self.estimate).is_late(Instant::now())
	}

	/// Whether the head is so old that the clock is followed no further than [`MAX_AHEAD`].
	pub fn is_lost(&self) -> bool {
		lock(&self.estimate).is_lost(Instant::now(), MAX_AHEAD)
	}
}

/// Keeps a [`Tip`] current.
pub(crate) struct Follower {
	head: watch::Sender<Head>,
	estimate: Arc<Mutex<Estimate>>,
}

impl Follower {
	/// The node's best block is this one.
	pub fn best(&self, best: BlockNumber) {
		lock(&self.estimate).note(best, Instant::now());
		self.head
			.send_if_modified(|head| std::mem::replace(&mut head.best, best) != best);
	}

	/// Its last finalised one is this.
	pub fn finalised(&self, finalised: BlockNumber) {
		self.head
			.send_if_modified(|head| std::mem::replace(&mut head.finalised, finalised) != finalised);
	}

	/// Whether nobody listens any more.
	pub fn is_closed(&self) -> bool {
		self.head.is_closed()
	}

	/// Returns when nobody listens any more.
	pub async fn closed(&self) {
		self.head.closed().await;
	}
}

fn lock(estimate: &Mutex<Estimate>) -> MutexGuard<'_, Estimate> {
	// Numbers: good in any state that a panic leaves.
	estimate.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
	use super::*;

	const BLOCK_TIME: Duration = Duration::from_secs(2);
	const MOST: BlockNumber = 60;

	/// A chain and a node, played second by second.
	struct Play {
		start: Instant,
		second: u32,
		estimate: Estimate,
	}

	impl Play {
		fn new() -> Self {
			let start = Instant::now();
			Self {
				start,
				second: 0,
				estimate: Estimate::new(BLOCK_TIME, 1_000, start),
			}
		}

		fn now(&self) -> Instant {
			self.start + Duration::from_secs(self.second.into())
		}

		/// Where a chain is that never stands still.
		fn chain(&self) -> BlockNumber {
			1_000 + self.second / 2
		}

		fn block(&self) -> BlockNumber {
			self.estimate.block(self.now(), MOST)
		}

		fn age(&self) -> u64 {
			self.estimate.age(self.now()).as_secs()
		}

		/// So many seconds, in each of which the node may say a number.
		fn pass(&mut self, seconds: u32, mut node: impl FnMut(&Self) -> Option<BlockNumber>) -> &mut Self {
			for _ in 0..seconds {
				let before = self.block();
				self.second += 1;
				if let Some(best) = node(self) {
					self.estimate.note(best, self.now());
				}
				assert!(
					self.block() + LATE >= before,
					"it goes back from {before} to {}",
					self.block()
				);
				assert!(self.block() <= self.estimate.seen + MOST);
			}
			self
		}
	}

	fn whole(play: &Play) -> Option<BlockNumber> {
		Some(play.chain())
	}

	fn silent(_: &Play) -> Option<BlockNumber> {
		None
	}

	#[test]
	fn head_that_rises_is_where_the_chain_is() {
		let mut play = Play::new();
		play.pass(600, |play| {
			assert!(!play.estimate.is_late(play.now()));
			whole(play)
		});
		assert_eq!(play.block(), play.chain());
		assert!(play.age() <= 2);
		// A validator is away: each fourth block is missing.
		let mut slow = Play::new();
		slow.pass(600, |slow| {
			let best = 1_000 + slow.second / 8 * 3 + (slow.second % 8 / 2).min(2);
			assert!(slow.block() <= best, "ahead of the chain");
			Some(best)
		});
	}

	#[test]
	fn head_that_stands_still_is_left_behind_by_the_clock_up_to_a_bound() {
		let mut play = Play::new();
		play.pass(20, whole).pass(9, silent);
		assert_eq!((play.block(), play.estimate.is_late(play.now())), (1_010, false));
		play.pass(31, silent);
		assert_eq!((play.block(), play.age()), (play.chain(), 40));
		assert!(play.estimate.is_late(play.now()) && !play.estimate.is_lost(play.now(), MOST));
		play.pass(80, silent);
		assert_eq!((play.block(), play.age()), (1_070, 120));
		assert!(play.estimate.is_lost(play.now(), MOST));
		play.pass(360, silent);
		assert_eq!((play.block(), play.age()), (1_070, 480), "eight minutes");
		play.pass(2, whole);
		assert_eq!(play.block(), play.chain());
		assert!(
			!play.estimate.is_late(play.now()) && play.age() <= 2,
			"whole again at once"
		);
	}

	#[test]
	fn node_that_syncs_anew_or_catches_up_does_not_turn_the_clock_back() {
		for from in [0, 900, 1_020] {
			let mut play = Play::new();
			play.pass(40, whole).pass(10, silent);
			// Forty blocks a second from where it is.
			let begun = play.second;
			play.pass(30, |play| {
				let block = play.block();
				assert!(
					block + LATE >= play.chain() && block <= play.chain() + 1,
					"{block}, not {}",
					play.chain()
				);
				Some((from + (play.second - begun) * 40).min(play.chain()))
			});
			assert_eq!(play.block(), play.chain());
			assert!(!play.estimate.is_late(play.now()), "from {from}");
		}
	}

	/// A little faster than the chain goes on: still behind for minutes.
	#[test]
	fn node_that_catches_up_slowly_is_as_old_as_it_is_behind() {
		let mut play = Play::new();
		play.pass(20, whole).pass(100, silent);
		let begun = play.second;
		play.pass(20, |play| Some(1_010 + (play.second - begun) * 2));
		assert_eq!(play.block(), play.chain());
		assert_eq!(play.age(), 2 * u64::from(play.chain() - 1_050));
		assert!(play.estimate.is_late(play.now()));
	}

	#[test]
	fn chain_that_stood_still_itself_is_believed_in_half_a_minute() {
		let mut play = Play::new();
		play.pass(20, whole).pass(600, silent);
		assert!(play.estimate.is_lost(play.now(), MOST));
		let begun = play.second;
		let resumed = move |play: &Play| Some(1_010 + (play.second - begun) / 2);
		for _ in 0..40 {
			play.second += 1;
			let best = resumed(&play).unwrap();
			play.estimate.note(best, play.now());
		}
		assert_eq!(play.block(), 1_030);
		assert!(!play.estimate.is_late(play.now()) && play.age() <= 2);
	}

	#[test]
	fn nothing_overflows() {
		let start = Instant::now();
		let mut estimate = Estimate::new(Duration::ZERO, BlockNumber::MAX - 1, start);
		let late = start + Duration::from_secs(1 << 40);
		estimate.note(0, late);
		assert_eq!(estimate.block(late, BlockNumber::MAX), BlockNumber::MAX);
		assert_eq!(estimate.block(start, 0), BlockNumber::MAX - 1, "time goes back");
		assert_eq!(Tip::fixed(Head { best: 7, finalised: 5 }).block(), 7);
		assert_eq!(Tip::fixed(Head { best: 7, finalised: 5 }).age().as_secs(), 0);
	}
}
