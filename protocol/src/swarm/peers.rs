//! What is known of a source, by what it did and by our own clock: nothing in here is its word.

use core::time::Duration;

/// Names a source to [`super::Swarm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A source that is not measured yet is taken for so many times as fast as windows come: nobody could use a slower one.
const UNMEASURED: u64 = 4;

/// The guess counts as so many bytes, until as many came.
const GUESS: u64 = 1 << 17;

/// Samples are forgotten so that about this many bytes count.
const MEMORY: u64 = 1 << 20;

/// No longer silence is taken for usual: what a lost packet costs across the world, and again.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// A gap that does not come again is forgotten within this.
const FADES: Duration = Duration::from_millis(FADES_MS as u64);
const FADES_MS: u32 = 8_000;

/// No shorter one: what a busy machine may do to an honest source.
const LEAST_GAP: Duration = Duration::from_millis(150);

/// First rest of a source that did not serve what it announced, or refused; doubles each time in a row.
const REST: Duration = Duration::from_secs(2);

/// Longest.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// So often in a row, and another source is better than this one.
pub const MANY: u32 = 4;

/// See the module.
#[derive(Clone, Debug)]
pub struct Source {
	/// Micro-USDC per 10^9 bytes; of equally fast ones the cheaper is preferred.
	pub price: u64,
	/// `hash(chooser, source)`: decides between equals, so that not all viewers choose alike.
	pub tie: u64,
	/// What came, and how long it took, microseconds; older samples count less.
	bytes: u64,
	micros: u64,
	/// Longest silence in the middle of what comes, of late.
	gap: Duration,
	/// When it was seen last.
	faded: Duration,
	/// From asking to the first chunk.
	latency: Option<Duration>,
	/// How long behind the first source it announces.
	lag: Duration,
	/// Announced, asked for, and not served, in a row.
	shortfall: u32,
	rests: Duration,
	/// When it last served a chunk that was newer than the newest window that we had.
	pub(super) ahead: Option<Duration>,
	/// When something came last.
	pub(super) heard: Duration,
	/// When it came, and when it announced a window last.
	pub(super) joined: Duration,
	pub(super) told: Duration,
	/// Windows that it announced since it last delivered something.
	pub(super) idle: u32,
	/// Those of them that were to come by themselves, long enough ago, and came from others or not at all.
	pub(super) withheld: u32,
	/// It sent a window by itself since it is parent.
	pub(super) pushes: bool,
	/// Since when it is better than the parent by as much as it takes.
	pub(super) better: Option<Duration>,
}

impl Source {
	/// Nothing is known of it.
	pub fn new(price: u64, tie: u64) -> Self {
		Self {
			price,
			tie,
			bytes: 0,
			micros: 0,
			gap: LEAST_GAP,
			faded: Duration::ZERO,
			latency: None,
			lag: Duration::ZERO,
			shortfall: 0,
			rests: Duration::ZERO,
			ahead: None,
			heard: Duration::ZERO,
			joined: Duration::ZERO,
			told: Duration::ZERO,
			idle: u32::MAX,
			withheld: 0,
			pushes: false,
			better: None,
		}
	}

	/// Bytes came, so long after what came before them or was asked for.
	pub(super) fn came(&mut self, bytes: u64, took: Duration, now: Duration) {
		// What was read in one piece took some time nevertheless: a gigabit a second.
		let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(bytes / 125);
		while self.bytes > MEMORY {
			(self.bytes, self.micros) = (self.bytes / 2, self.micros / 2);
		}
		(self.bytes, self.micros) = (self.bytes + bytes, self.micros.saturating_add(took));
		(self.heard, self.idle, self.withheld) = (now, 0, 0);
	}

	/// It was silent for so long in the middle of what it sends.
	pub(super) fn paused(&mut self, gap: Duration, now: Duration) {
		let long = now.saturating_sub(self.faded).min(FADES);
		let left = u32::try_from((FADES - long).as_millis()).unwrap_or(u32::MAX);
		let faded = self.gap * left / FADES_MS;
		self.faded = now;
		self.gap = faded.max(gap).clamp(LEAST_GAP, LONGEST_GAP);
	}

	/// From asking to the first chunk.
	pub(super) fn answered(&mut self, took: Duration) {
		self.latency = Some(self.latency.map_or(took, |latency| (latency * 3 + took) / 4));
	}

	/// It served what was asked for.
	pub(super) fn served(&mut self) {
		(self.shortfall, self.rests) = (0, Duration::ZERO);
	}

	/// It announced a window so long behind the first source.
	pub(super) fn announced(&mut self, behind: Duration, now: Duration) {
		self.told = now;
		self.lag = (self.lag * 3 + behind) / 4;
		self.idle = self.idle.saturating_add(1);
	}

	/// It announced what it does not serve.
	pub(super) fn fell_short(&mut self, now: Duration) {
		self.rest(now + REST.saturating_mul(1 << self.shortfall.min(8)).min(LONGEST_REST));
		self.shortfall = self.shortfall.saturating_add(1);
	}

	/// It is asked nothing before this.
	pub(super) fn rest(&mut self, until: Duration) {
		self.rests = self.rests.max(until);
	}

	/// Whether it may be asked.
	pub fn is_ready(&self, now: Duration) -> bool {
		self.rests <= now
	}

	/// When it may be asked again.
	pub(super) fn rests(&self) -> Duration {
		self.rests
	}

	/// When it last served a chunk that was newer than the newest window that we had: it is not behind us.
	pub fn ahead(&self) -> Option<Duration> {
		self.ahead
	}

	/// Announced and not served, in a row.
	pub fn shortfall(&self) -> u32 {
		self.shortfall
	}

	/// Whether it was ever measured.
	pub fn is_measured(&self) -> bool {
		self.bytes > 0
	}

	/// Bytes per second, at least 1; `usual` is what windows of the stream take.
	pub fn rate(&self, usual: u64) -> u64 {
		let guess = u128::from(usual.saturating_mul(UNMEASURED).max(1));
		// One chunk that was late says little.
		let guessed = u128::from(GUESS.saturating_sub(self.bytes));
		let micros = u128::from(self.micros) + guessed * 1_000_000 / guess;
		((guessed + u128::from(self.bytes)) * 1_000_000 / micros.max(1)).clamp(1, 1 << 40) as u64
	}

	/// How long it takes to send so much.
	pub fn takes(&self, bytes: u64, usual: u64) -> Duration {
		Duration::from_micros(bytes.saturating_mul(1_000_000) / self.rate(usual))
	}

	/// The longest silence that is usual.
	pub fn gap(&self) -> Duration {
		self.gap
	}

	/// How long behind the first source it announces.
	pub fn lag(&self) -> Duration {
		self.lag
	}

	/// From asking to the first chunk; what a gap is, where it is not known.
	pub fn latency(&self) -> Duration {
		self.latency.unwrap_or(self.gap)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const SECOND: Duration = Duration::from_secs(1);

	#[test]
	fn rate_is_that_of_the_last_bytes_and_of_one_who_was_never_measured_a_guess() {
		let mut source = Source::new(0, 0);
		assert_eq!((source.rate(100_000), source.is_measured()), (400_000, false));
		source.came(10_000, SECOND, SECOND);
		assert!(source.rate(100_000) > 90_000, "one that was late says little");
		(0..50).for_each(|_| source.came(100_000, SECOND, SECOND));
		assert!((99_000..=100_000).contains(&source.rate(1)), "{}", source.rate(1));
		(0..50).for_each(|_| source.came(100_000, SECOND / 10, SECOND));
		assert!((900_000..=1_000_000).contains(&source.rate(1)), "{}", source.rate(1));
		// What comes at once is no infinite rate.
		(0..50).for_each(|_| source.came(100_000, Duration::ZERO, SECOND));
		assert!(source.rate(1) <= 125_000_000);
	}

	#[test]
	fn usual_gap_is_learnt_at_once_and_forgotten_slowly_and_has_bounds() {
		let mut source = Source::new(0, 0);
		source.paused(SECOND / 2, SECOND);
		assert_eq!(source.gap(), SECOND / 2);
		// However much comes meanwhile.
		(0..99).for_each(|_| source.paused(Duration::ZERO, 2 * SECOND));
		assert!(source.gap() > SECOND / 3);
		source.paused(9 * SECOND, 2 * SECOND);
		assert_eq!(source.gap(), LONGEST_GAP);
		(3..30).for_each(|second| source.paused(Duration::ZERO, second * SECOND));
		assert_eq!(source.gap(), LEAST_GAP);
	}

	#[test]
	fn refusals_rest_longer_each_time_and_are_asked_again() {
		let mut source = Source::new(0, 0);
		let mut now = Duration::ZERO;
		let mut rests = alloc::vec::Vec::new();
		for _ in 0..8 {
			source.fell_short(now);
			rests.push((source.rests() - now).as_secs());
			now = source.rests();
			assert!(source.is_ready(now));
		}
		assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60, 60]);
		source.served();
		source.fell_short(now);
		assert_eq!(source.rests() - now, REST);
	}
}
