//! Whether a seat earns its keep: what is paid in it while there is something to buy. Pauses of a broadcast cost nobody a seat.

use super::lately::{Lately, Sum};
use clustercast_protocol::patience::HEARTBEAT;
use std::time::Duration;
use tokio::time::Instant;

/// What is to be paid for in a seat within [`WITHIN`], bytes: the least that a ticket pays for.
pub const LEAST: u64 = 64 << 10;

/// Or one part in so many of what there was to buy, where that is less. The standbys of a viewer bring a fortieth of the stream among
/// them, 64 KiB at a time or a whole window where that is smaller: with parts of 200 ms one such piece is enough, as with others.
const PART: u64 = 160;

/// See [`LEAST`].
pub const WITHIN: Duration = Duration::from_secs(30);

/// Who has paid nothing yet has two thirds of that: who stands by fetches of each fourth window, and who has no credit signs a
/// reservation after ten seconds. From then on it waits for us.
pub const PROVEN_WITHIN: (u32, u32) = (2, 3);

/// Who waits for what we do not have yet is not idle for so long: as long as a relayer that works falls behind another, and a place is
/// waited for. Beyond it, by what is remembered of the account, it is: or a place that nobody has would hold a seat for nothing.
pub const LACKED_WITHIN: Duration = Duration::from_secs(30);

/// What was bought is measured over twice this.
const PERIOD: Duration = Duration::from_secs(60);

/// Parts of a million.
const WHOLE: u128 = 1_000_000;

/// Of one seat that is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
	/// When there was something to buy last.
	offered: Option<Instant>,
	/// How long there was since it paid for enough.
	idle: Duration,
	/// Bytes that were announced to it, and those of them by when it had paid for enough.
	announced: u64,
	before: u64,
	/// Bytes that it paid for since then.
	paid: u64,
	/// A payment was good.
	proven: bool,
	/// Until when it waits for us.
	waits: Option<Instant>,
	/// When we were found to lack what it is behind, as long as we do.
	lacks: Option<Instant>,
	/// How long we did.
	lacked: Duration,
	/// How long we may still.
	excused: Duration,
	lately: Lately,
}

impl Default for Keep {
	fn default() -> Self {
		Self {
			offered: None,
			idle: Duration::ZERO,
			announced: 0,
			before: 0,
			paid: 0,
			proven: false,
			waits: None,
			lacks: None,
			lacked: Duration::ZERO,
			excused: LACKED_WITHIN,
			lately: Lately::new(PERIOD),
		}
	}
}

impl Keep {
	/// There is something to buy; so many bytes were announced so far.
	pub fn offered(&mut self, announced: u64, now: Instant) {
		self.lacks = None;
		let since = self.offered.replace(now);
		let passed = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
		if !self.waits(now) {
			// Of a pause nothing counts but this.
			self.idle += passed.min(HEARTBEAT);
		}
		let more = Sum {
			offered: announced.saturating_sub(self.announced),
			bought: 0,
		};
		self.lately.note(more, now);
		self.announced = announced;
	}

	/// Of the time in which we may lack what it waits for so much is over: its account had it in other seats.
	pub fn lacked_before(&mut self, lacked: Duration) {
		self.excused = LACKED_WITHIN.saturating_sub(lacked);
	}

	/// Whether we lack what it is behind, and all that is later.
	pub fn lacks(&mut self, lacks: bool, now: Instant) {
		if !lacks {
			self.lacks = None;
			return;
		}
		let since = self.lacks.replace(now);
		let passed = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
		let excused = passed.min(self.excused);
		(self.excused, self.lacked) = (self.excused - excused, self.lacked + excused);
		self.idle += passed - excused;
		// From then on it is counted anew.
		self.offered = None;
	}

	/// How long it waited for what we did not have, and was not held to be idle.
	pub fn lacked(&self) -> Duration {
		self.lacked
	}

	/// So many bytes were delivered and are paid.
	pub fn paid(&mut self, bytes: u64, now: Instant) {
		let more = Sum {
			offered: 0,
			bought: bytes,
		};
		self.lately.note(more, now);
		self.paid = self.paid.saturating_add(bytes);
		let offered = self.announced.saturating_sub(self.before);
		if self.paid >= LEAST || (offered > 0 && self.paid >= offered.div_ceil(PART)) {
			(self.paid, self.idle, self.before) = (0, Duration::ZERO, self.announced);
		}
	}

	/// It goes on in another subscription, to which nothing was announced yet.
	pub fn again(self) -> Self {
		Self {
			announced: 0,
			before: 0,
			waits: None,
			lacks: None,
			..self
		}
	}

	/// A payment was good.
	pub fn proves(&mut self) {
		self.proven = true;
	}

	/// Whether something was paid in it yet.
	pub fn is_proven(&self) -> bool {
		self.proven
	}

	/// What it has handed in is on its way to the chain, until then at most; `None`: no more.
	pub fn wait(&mut self, until: Option<Instant>) {
		self.waits = until;
	}

	/// Whether it waits for us.
	pub fn waits(&self, now: Instant) -> bool {
		self.waits_for_what_lacks() || self.waits_for_the_chain(now)
	}

	/// Whether it waits for what we do not have yet, and that is not held against it.
	pub fn waits_for_what_lacks(&self) -> bool {
		self.lacks.is_some() && !self.excused.is_zero()
	}

	/// Whether what it has handed in is on its way.
	pub fn waits_for_the_chain(&self, now: Instant) -> bool {
		self.waits.is_some_and(|until| now < until)
	}

	/// How long there was something to buy since it paid for enough.
	pub fn idle(&self) -> Duration {
		self.idle
	}

	/// Whether there was something to buy for so long, and it paid for less than it has to; its account had other seats for nothing for
	/// `before`, which counts until it has paid.
	pub fn has_lapsed(&self, before: Duration, within: Duration) -> bool {
		match self.proven {
			true => self.idle >= within,
			false => self.idle + before >= within * PROVEN_WITHIN.0 / PROVEN_WITHIN.1,
		}
	}

	/// Of what there was to buy lately, how much it paid for; parts of a million. Of nothing all.
	pub fn share(&self, now: Instant) -> u32 {
		let Sum { offered, bought } = self.lately.sum(now);
		let share = match offered {
			0 => WHOLE,
			offered => (u128::from(bought) * WHOLE / u128::from(offered)).min(WHOLE),
		};
		share as u32
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const WINDOW: Duration = Duration::from_secs(2);
	/// Of a window of 480p.
	const BYTES: u64 = 375_000;

	/// It paid before, under an account that did not idle.
	fn proven() -> Keep {
		let mut keep = Keep::default();
		keep.proves();
		keep
	}

	fn has_lapsed(keep: &Keep) -> bool {
		keep.has_lapsed(Duration::ZERO, WITHIN)
	}

	#[tokio::test]
	async fn who_pays_for_some_of_each_fourth_window_keeps_its_seat_and_who_pays_nothing_does_not() {
		let (mut honest, mut free, begun) = (proven(), proven(), Instant::now());
		for n in 0..1_000 {
			let now = begun + n * WINDOW;
			honest.offered(u64::from(n) * BYTES, now);
			free.offered(u64::from(n) * BYTES, now);
			if n % 4 == 0 {
				honest.paid(LEAST, now);
			}
			assert!(!has_lapsed(&honest), "{n}");
			assert_eq!(has_lapsed(&free), n * WINDOW >= WITHIN, "{n}");
		}
		let now = begun + 1_000 * WINDOW;
		assert_eq!(
			(honest.share(now) / 1_000, free.share(now)),
			(43, 0),
			"64 KiB of each fourth"
		);
	}

	#[tokio::test]
	async fn a_few_bytes_now_and_then_are_not_enough_unless_there_are_no_more() {
		for (window, lapses) in [(BYTES, true), (2 * PART * 1_000, false)] {
			let (mut keep, begun) = (proven(), Instant::now());
			for n in 0..16 {
				let now = begun + n * WINDOW;
				keep.offered(u64::from(n) * window, now);
				keep.paid(if n == 0 { 0 } else { 2_100 }, now);
			}
			assert_eq!(has_lapsed(&keep), lapses, "windows of {window} bytes");
			keep.paid(LEAST, begun);
			assert!(!has_lapsed(&keep), "it buys again");
		}
	}

	/// The fault: of 200 ms a standby fetches a piece that is smaller than 64 KiB, and two such are not always within the time.
	#[tokio::test]
	async fn who_stands_by_keeps_its_seat_with_parts_as_well_as_with_whole_windows() {
		for (every, bytes) in [(WINDOW, BYTES), (WINDOW / 10, BYTES / 10)] {
			let (mut keep, begun) = (proven(), Instant::now());
			let piece = bytes.min(LEAST);
			// Two of them share what is spent on that: a fortieth.
			let (mut paid, mut lapsed) = (0, 0);
			for n in 0..2_000_u32 {
				let now = begun + n * every;
				let announced = u64::from(n) * bytes;
				keep.offered(announced, now);
				lapsed += u32::from(has_lapsed(&keep));
				if paid + piece <= announced / 80 {
					paid += piece;
					keep.paid(piece, now);
				}
			}
			assert_eq!(lapsed, 0, "windows of {every:?}");
		}
	}

	#[tokio::test]
	async fn pause_of_the_broadcast_costs_nobody_a_seat() {
		let (mut keep, begun) = (proven(), Instant::now());
		keep.offered(0, begun);
		keep.offered(BYTES, begun + WINDOW);
		// An hour without a window.
		keep.offered(2 * BYTES, begun + Duration::from_secs(3_600));
		assert!(!has_lapsed(&keep));
		assert_eq!(Keep::default().share(begun), 1_000_000, "nothing was to be had");
	}

	#[tokio::test]
	async fn who_has_paid_nothing_has_less_time_and_none_where_its_account_had_its_time() {
		let (mut keep, begun) = (Keep::default(), Instant::now());
		let tried = |keep: &Keep, before| keep.has_lapsed(Duration::from_secs(before), WITHIN);
		(0..=10).for_each(|n| keep.offered(u64::from(n) * BYTES, begun + n * WINDOW));
		assert!(tried(&keep, 0) && !has_lapsed(&Keep { proven: true, ..keep }));
		let mut again = Keep::default();
		(0..=5).for_each(|n| again.offered(u64::from(n) * BYTES, begun + n * WINDOW));
		assert!(!tried(&again, 9) && tried(&again, 10));
		again.proves();
		assert!(!tried(&again, 60), "what it pays for counts by itself");
	}

	/// The fault: who failed over to a relayer that is behind waited there for what it had not played yet, and was held to be idle.
	#[tokio::test]
	async fn who_waits_for_what_we_do_not_have_is_not_idle_as_long_as_a_relayer_may_be_behind() {
		let (mut keep, begun) = (Keep::default(), Instant::now());
		for n in 0..=15 {
			keep.lacks(true, begun + n * WINDOW);
			assert_eq!(keep.waits(begun + n * WINDOW), n < 15, "{n}");
		}
		assert_eq!((keep.idle(), keep.lacked()), (Duration::ZERO, LACKED_WITHIN));
		let mut came = keep;
		came.offered(BYTES, begun + 16 * WINDOW);
		assert_eq!(came.idle(), Duration::ZERO, "it has its time from then on");
		(16..=25).for_each(|n| keep.lacks(true, begun + n * WINDOW));
		assert!(has_lapsed(&keep), "nobody has that place");
		// What its account had of that in other seats counts.
		let mut again = Keep::default();
		again.lacked_before(LACKED_WITHIN - WINDOW);
		(0..=5).for_each(|n| again.lacks(true, begun + n * WINDOW));
		assert_eq!((again.idle(), again.lacked()), (4 * WINDOW, WINDOW));
		again.lacks(false, begun + 6 * WINDOW);
		again.lacks(true, begun + 60 * WINDOW);
		assert_eq!(again.idle(), 4 * WINDOW, "it had what there was meanwhile");
	}

	/// The fault: who waits for its reservation to become final lost its seat meanwhile.
	#[tokio::test]
	async fn who_waits_for_us_is_not_idle() {
		let (mut keep, begun) = (Keep::default(), Instant::now());
		keep.offered(BYTES, begun);
		keep.wait(Some(begun + 30 * WINDOW));
		for n in 1..=30 {
			keep.offered(BYTES, begun + n * WINDOW);
			assert_eq!(keep.waits(begun + n * WINDOW), n < 30, "{n}");
		}
		assert_eq!(keep.idle(), WINDOW, "but for what is beyond that");
		keep.wait(Some(begun + 40 * WINDOW));
		keep.wait(None);
		(31..=41).for_each(|n| keep.offered(BYTES, begun + n * WINDOW));
		assert!(has_lapsed(&keep), "it is final, and nothing is bought");
	}
}
