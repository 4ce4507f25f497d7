//! When upstream is tried again after it was lost, and what is said of it: sans-IO. Time is counted from any beginning.

use std::time::Duration;

/// Pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause where nobody answers. An attempt takes five seconds by itself and costs three packets; the first window after
/// the origin is back must not wait.
const UNREACHABLE_PAUSE: Duration = FIRST_PAUSE;

/// Longest pause where somebody answers and does not serve us: it has work with each attempt.
const REFUSED_PAUSE: Duration = Duration::from_secs(15);

/// A connection that lasted for so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// An outage is told as it begins, and again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// How a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
	/// There was none.
	Unreachable,
	/// It ended by itself or was ended: after so long, and whether windows had come.
	Ended {
		/// From being served to the end.
		lasted: Duration,
		/// At least one.
		served: bool,
		/// It broke the protocol.
		broke: bool,
	},
	/// It is there, and no longer has what follows our place: it is asked for what it has.
	Gone {
		/// It brought windows before.
		served: bool,
	},
}

/// What upstream gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
	/// A word of the broadcaster.
	Word,
	/// A window.
	Window,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
	/// Before the next attempt.
	pub pause: Duration,
	/// Worth a line.
	pub say: bool,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outage {
	/// Failures in a row.
	failures: u32,
	/// It has just been asked for what it has.
	gone: bool,
	/// Begin of the outage, and when it was told last.
	since: Option<(Duration, Duration)>,
	/// It ended with what we refuse: that upstream speaks with us says nothing yet.
	refused: bool,
}

impl Outage {
	/// A connection is lost, or none could be had.
	pub fn failed(&mut self, loss: Loss, now: Duration) -> Step {
		let longest = match loss {
			Loss::Unreachable => {
				self.gone = false;
				UNREACHABLE_PAUSE
			},
			Loss::Ended { lasted, served, broke } => {
				self.refused = broke;
				if served || lasted >= GOOD {
					self.failures = 0;
					self.gone = false;
				}
				REFUSED_PAUSE
			},
			// Nobody's failing, after a restart or a pause: unless what it has is gone at once, too.
			Loss::Gone { served } if served || !self.gone => {
				self.gone = true;
				return Step {
					pause: Duration::ZERO,
					say: false,
				};
			},
			Loss::Gone { .. } => REFUSED_PAUSE,
		};
		let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(longest);
		self.failures = self.failures.saturating_add(1);
		let say = self.since.is_none_or(|(_, told)| now >= told + SAY_AGAIN);
		let begin = self.since.map_or(now, |(begin, _)| begin);
		let told = self.since.map_or(now, |(_, told)| if say { now } else { told });
		self.since = Some((begin, told));
		Step { pause, say }
	}

	/// Upstream serves us; how long it did not, where that was told. What we refused before must first come otherwise.
	pub fn connected(&mut self, brought: Brought, now: Duration) -> Option<Duration> {
		if self.refused && brought == Brought::Word {
			return None;
		}
		self.refused = false;
		let (begin, _) = self.since.take()?;
		Some(now.saturating_sub(begin))
	}
}

/// Who answers, and refuses for a reason that passes by itself, is asked again after this.
pub const LATER: Duration = Duration::from_secs(60);

/// Who ended what stood by is not asked to again before this: it has work with each attempt.
pub const SOON: Duration = Duration::from_secs(5);

/// The same where nobody brings anything: the one that did may be gone, and its place is free as soon as that is known.
pub const AT_ONCE: Duration = Duration::from_secs(1);

/// The same for a reason that does not: its operator may change it, or ours.
pub const MUCH_LATER: Duration = Duration::from_secs(600);

/// A relayer that we turn to shows within this that it has something that we lack: two words of the broadcaster, and the way.
const PROVES: Duration = Duration::from_secs(10);

/// The same of one that we buy from already: three windows' time.
const GOES_ON: Duration = Duration::from_secs(6);

/// The same where nobody has anything newer: the broadcaster is away, and it makes no sense to go round quickly.
const NOBODY_HAS: Duration = Duration::from_secs(30);

/// What becomes of an upstream that was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
	/// It is tried again at once.
	Stay,
	/// The next one is tried.
	Pass,
	/// The same, and this one not again for so long.
	Rest(Duration),
	/// The same, and this one never again in this run: it lied.
	Out,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
	/// Try this one.
	Try(usize),
	/// None may be tried for so long.
	Wait(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
	Ready,
	Resting(Duration),
	Out,
}

impl Standing {
	fn is_ready(self, now: Duration) -> bool {
		match self {
			Self::Ready => true,
			Self::Resting(until) => until <= now,
			Self::Out => false,
		}
	}

	fn then(self, verdict: Verdict, now: Duration) -> Self {
		match verdict {
			Verdict::Stay => self,
			Verdict::Pass => Self::Ready,
			Verdict::Rest(rest) => Self::Resting(now + rest),
			Verdict::Out => Self::Out,
		}
	}
}

/// Which of several upstreams is next: one after the other, as long as none serves us.
#[derive(Clone, Debug)]
pub struct Turns {
	standings: Vec<Standing>,
	at: usize,
	/// The one that was taken as a standby last.
	standby: usize,
	/// Left in a row, and none has served us since.
	fruitless: usize,
}

impl Turns {
	/// Of so many; the first one is first.
	pub fn new(upstreams: usize) -> Self {
		Self {
			standings: vec![Standing::Ready; upstreams],
			at: 0,
			standby: 0,
			fruitless: 0,
		}
	}

	/// The one to try now.
	pub fn next(&mut self, now: Duration) -> Turn {
		let count = self.standings.len();
		let mut order = (0..count).map(|step| (self.at + step) % count);
		if let Some(at) = order.find(|at| self.standings[*at].is_ready(now)) {
			self.at = at;
			return Turn::Try(at);
		}
		let rests = self.standings.iter().filter_map(|standing| match *standing {
			Standing::Resting(until) => Some(until.saturating_sub(now)),
			_ => None,
		});
		Turn::Wait(rests.min().unwrap_or(MUCH_LATER))
	}

	/// The next one to stand by, none of these: each in its turn.
	pub fn standby(&mut self, in_use: &[usize], now: Duration) -> Option<usize> {
		let count = self.standings.len();
		let mut order = (1..=count).map(|step| (self.standby + step) % count);
		let at = order.find(|at| !in_use.contains(at) && self.standings[*at].is_ready(now))?;
		self.standby = at;
		Some(at)
	}

	/// A standby is left.
	pub fn report(&mut self, at: usize, verdict: Verdict, now: Duration) {
		if let Some(standing) = self.standings.get_mut(at) {
			*standing = standing.then(verdict, now);
		}
	}

	/// There is somebody else at this place, or one place more.
	pub fn admit(&mut self, at: usize) {
		match self.standings.get_mut(at) {
			Some(standing) => *standing = Standing::Ready,
			None => self.standings.push(Standing::Ready),
		}
	}

	/// Which of these places is of least use now: one that lied, then one that rests; of equals the first.
	pub fn worst(&self, places: impl IntoIterator<Item = usize>, now: Duration) -> Option<usize> {
		let use_of = |at: &usize| match self.standings.get(*at) {
			Some(Standing::Out) | None => 0,
			Some(standing) if !standing.is_ready(now) => 1,
			Some(_) => 2,
		};
		places.into_iter().min_by_key(use_of)
	}

	/// This one is the next: it brought what the one that was tried did not.
	pub fn turn_to(&mut self, at: usize) {
		self.at = at;
	}

	/// The one that is tried serves us.
	pub fn serves(&mut self) {
		self.fruitless = 0;
	}

	/// The one that was tried is left.
	pub fn left(&mut self, verdict: Verdict, now: Duration) {
		if verdict == Verdict::Stay {
			return;
		}
		self.standings[self.at] = self.standings[self.at].then(verdict, now);
		self.fruitless = self.fruitless.saturating_add(1);
		self.at = (self.at + 1).checked_rem(self.standings.len()).unwrap_or(0);
	}

	/// Whether there are others that may have what this one lacks.
	pub fn has_others(&self) -> bool {
		self.standings
			.iter()
			.filter(|standing| **standing != Standing::Out)
			.count() > 1
	}

	/// Whether, since somebody served us, one was not asked yet.
	pub fn untried(&self) -> bool {
		self.fruitless < self.standings.len()
	}
}

/// A relayer that we buy from has nothing that we lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has nothing newer than what we have")]
pub struct NothingNewer;

/// Whether a relayer that we buy from brings anything newer than the newest that we have: a window, or a word of the
/// broadcaster. Who buys from us, over however many hops, never does. So nobody stays in a circle that the broadcaster is not in,
/// whatever anybody says of where it buys. One for each subscription.
#[derive(Clone, Copy, Debug)]
pub struct News {
	last: Duration,
	brought: bool,
	excused: Duration,
}

impl News {
	/// It is asked.
	pub fn new(now: Duration) -> Self {
		Self {
			last: now,
			brought: false,
			excused: now,
		}
	}

	/// It brought something newer.
	pub fn note(&mut self, now: Duration) {
		(self.last, self.brought) = (self.last.max(now), true);
	}

	/// It cannot be expected to bring anything before this.
	pub fn excuse(&mut self, until: Duration) {
		self.excused = self.excused.max(until);
	}

	/// When to ask again at the latest; or that it is to be left.
	pub fn judge(&self, turns: &Turns, now: Duration) -> Result<Duration, NothingNewer> {
		let patience = match (turns.untried(), self.brought) {
			(false, _) => NOBODY_HAS,
			(true, false) => PROVES,
			(true, true) => GOES_ON,
		};
		let until = (self.last + patience).max(self.excused);
		match now < until {
			true => Ok(until),
			// Nobody else could know better.
			false if !turns.has_others() => Ok(now + GOES_ON),
			false => Err(NothingNewer),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(seconds: u64) -> Duration {
		Duration::from_secs(seconds)
	}

	#[test]
	fn upstreams_take_turns_and_one_that_serves_keeps_its_own() {
		let mut turns = Turns::new(3);
		for expected in [0, 1, 2, 0] {
			assert_eq!(turns.next(at(0)), Turn::Try(expected));
			assert_eq!(turns.next(at(0)), Turn::Try(expected), "until it is left");
			turns.left(Verdict::Pass, at(0));
		}
		turns.serves();
		turns.left(Verdict::Stay, at(0));
		assert_eq!(turns.next(at(0)), Turn::Try(1));
	}

	#[test]
	fn who_lied_is_never_asked_again_and_who_refused_later() {
		let mut turns = Turns::new(3);
		turns.left(Verdict::Out, at(0));
		assert!(turns.has_others());
		turns.left(Verdict::Rest(LATER), at(0));
		assert_eq!(turns.next(at(0)), Turn::Try(2));
		turns.left(Verdict::Out, at(1));
		assert!(!turns.has_others());
		assert_eq!(turns.next(at(1)), Turn::Wait(at(59)));
		assert_eq!(turns.next(at(60)), Turn::Try(1));
		turns.left(Verdict::Out, at(60));
		assert_eq!(turns.next(at(1_000_000)), Turn::Wait(MUCH_LATER), "nobody is left");
	}

	/// The fault: whoever was named next took the place of one that had served, and those that had lied kept theirs.
	#[test]
	fn who_is_named_has_the_place_of_one_that_lied_then_of_one_that_rests_and_only_then_of_another() {
		let mut turns = Turns::new(4);
		assert_eq!(turns.worst(1..4, at(0)), Some(1));
		turns.report(2, Verdict::Rest(LATER), at(0));
		assert_eq!(turns.worst(1..4, at(0)), Some(2));
		turns.report(3, Verdict::Out, at(0));
		assert_eq!(turns.worst(1..4, at(0)), Some(3));
		assert_eq!(turns.worst(1..3, at(60)), Some(1), "it has rested");
		assert_eq!(turns.worst([], at(0)), None);
	}

	#[test]
	fn standbys_take_turns_and_who_brought_what_was_missing_is_next() {
		let mut turns = Turns::new(4);
		assert_eq!(turns.next(at(0)), Turn::Try(0));
		assert_eq!(turns.standby(&[0], at(0)), Some(1));
		assert_eq!(turns.standby(&[0, 1], at(0)), Some(2));
		turns.report(2, Verdict::Rest(LATER), at(0));
		assert_eq!(turns.standby(&[0, 1], at(0)), Some(3));
		turns.report(3, Verdict::Out, at(0));
		// One that is not reached is asked again in its turn, and is next where there is no other.
		turns.report(1, Verdict::Pass, at(0));
		assert_eq!(turns.standby(&[0], at(0)), Some(1));
		assert_eq!(turns.standby(&[0, 1], at(0)), None);
		assert_eq!(turns.standby(&[0, 1], at(60)), Some(2));
		turns.admit(4);
		assert_eq!(turns.standby(&[0, 1, 2], at(0)), Some(4), "somebody was named");
		turns.report(4, Verdict::Out, at(0));
		turns.admit(4);
		assert_eq!(turns.standby(&[0, 1, 2], at(0)), Some(4), "and somebody else");
		turns.report(4, Verdict::Out, at(0));
		turns.turn_to(2);
		assert_eq!(turns.next(at(60)), Turn::Try(2));
		assert_eq!(turns.next(at(59)), Turn::Try(0), "who rests is passed over");
	}

	/// The attack, or the accident: relayers that buy from each other, and none of them from the broadcaster.
	#[test]
	fn who_has_nothing_newer_is_left_while_another_may_have() {
		let mut turns = Turns::new(2);
		let mut news = News::new(at(0));
		assert_eq!(news.judge(&turns, at(9)), Ok(at(10)));
		assert_eq!(news.judge(&turns, at(10)), Err(NothingNewer), "it was to show it");
		news.note(at(3));
		assert_eq!(news.judge(&turns, at(8)), Ok(at(9)));
		assert_eq!(news.judge(&turns, at(9)), Err(NothingNewer), "it dried up");
		news.excuse(at(40));
		assert_eq!(news.judge(&turns, at(39)), Ok(at(40)), "it waits for our reservation");
		assert_eq!(news.judge(&turns, at(40)), Err(NothingNewer));
		// The broadcaster is away: round and round, and slowly.
		turns.left(Verdict::Pass, at(9));
		assert!(turns.untried());
		turns.left(Verdict::Pass, at(19));
		assert!(!turns.untried());
		let mut news = News::new(at(19));
		assert_eq!(news.judge(&turns, at(20)), Ok(at(49)));
		// And back.
		turns.serves();
		news.note(at(30));
		assert_eq!(news.judge(&turns, at(31)), Ok(at(36)));
	}

	#[test]
	fn who_is_the_only_one_is_kept() {
		let mut turns = Turns::new(1);
		assert!(News::new(at(0)).judge(&turns, at(1_000)).is_ok());
		turns = Turns::new(2);
		turns.left(Verdict::Out, at(0));
		assert!(News::new(at(0)).judge(&turns, at(1_000)).is_ok());
	}

	/// Two relayers below one origin that name each other: when the origin leaves one of them, a circle forms and dissolves.
	#[test]
	fn circle_of_two_dissolves_and_the_origin_is_found_again() {
		/// What each is below: the origin, or the other one.
		#[derive(Clone, Copy, PartialEq, Debug)]
		enum Parent {
			Origin,
			Other,
		}
		struct Node {
			turns: Turns,
			news: News,
			parent: Parent,
			newest: u64,
		}
		let node = || Node {
			turns: Turns::new(2),
			news: News::new(at(0)),
			parent: Parent::Origin,
			newest: 0,
		};
		let mut nodes = [node(), node()];
		let mut published = 0;
		for second in 0..300 {
			let now = at(second);
			published += u64::from(second % 2 == 0);
			// The origin serves neither for a minute.
			let away = (100..160).contains(&second);
			for me in [0, 1] {
				let other = nodes[1 - me].newest;
				let node = &mut nodes[me];
				let has = match node.parent {
					Parent::Origin if away => None,
					Parent::Origin => Some(published),
					Parent::Other => Some(other),
				};
				let left = match has {
					None => true,
					Some(has) if has > node.newest => {
						node.newest = has;
						node.news.note(now);
						node.turns.serves();
						false
					},
					Some(_) => node.parent == Parent::Other && node.news.judge(&node.turns, now).is_err(),
				};
				if left {
					node.turns.left(Verdict::Pass, now);
					node.news = News::new(now);
					node.parent = match node.turns.next(now) {
						Turn::Try(0) => Parent::Origin,
						_ => Parent::Other,
					};
				}
			}
			if (100..160).contains(&second) {
				assert!(nodes.iter().all(|node| node.newest <= 51));
			}
		}
		assert!(
			nodes.iter().all(|node| node.newest + 1 >= published),
			"both are live again"
		);
		assert!(
			nodes.iter().any(|node| node.parent == Parent::Origin),
			"one of them is below the origin"
		);
	}

	fn ended(seconds: u64, served: bool) -> Loss {
		Loss::Ended {
			lasted: Duration::from_secs(seconds),
			served,
			broke: false,
		}
	}

	#[test]
	fn origin_that_is_gone_is_tried_all_the_time_and_told_of_every_ten_minutes() {
		let mut outage = Outage::default();
		let mut now = Duration::ZERO;
		let mut told = Vec::new();
		for _ in 0..5_000 {
			let step = outage.failed(Loss::Unreachable, now);
			assert!(step.pause <= UNREACHABLE_PAUSE);
			told.extend(step.say.then_some(now.as_secs()));
			now += step.pause;
		}
		assert_eq!(told, [0, 600, 1_200, 1_800, 2_400]);
		assert_eq!(outage.connected(Brought::Word, now), Some(now));
		assert_eq!(outage.connected(Brought::Word, now), None, "once");
		assert!(outage.failed(Loss::Unreachable, now).say, "another outage");
	}

	#[test]
	fn who_refuses_us_is_asked_less_and_less_often() {
		let mut outage = Outage::default();
		let pauses: Vec<u128> = (0..8)
			.map(|_| outage.failed(ended(0, false), Duration::ZERO).pause.as_millis())
			.collect();
		assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
		assert_eq!(
			outage.failed(Loss::Unreachable, Duration::ZERO).pause,
			UNREACHABLE_PAUSE,
			"it restarts"
		);
	}

	/// The fault: an origin whose windows come from the future for an hour had three lines every 15 s, since its statuses are right.
	#[test]
	fn windows_that_are_refused_for_hours_are_told_of_every_ten_minutes() {
		let mut outage = Outage::default();
		let (mut now, mut told) = (Duration::ZERO, Vec::new());
		while now < Duration::from_secs(3_600) {
			let loss = Loss::Ended {
				lasted: Duration::ZERO,
				served: false,
				broke: true,
			};
			let step = outage.failed(loss, now);
			told.extend(step.say.then_some(now.as_secs() / 60));
			now += step.pause;
			assert_eq!(outage.connected(Brought::Word, now), None);
		}
		assert_eq!(told, [0, 10, 20, 30, 40, 50]);
		assert_eq!(outage.connected(Brought::Window, now), Some(now));
	}

	#[test]
	fn upstream_without_what_follows_our_place_is_asked_for_what_it_has_at_once_and_it_is_no_outage() {
		let mut outage = Outage::default();
		let at_once = Step {
			pause: Duration::ZERO,
			say: false,
		};
		assert_eq!(outage.failed(Loss::Gone { served: false }, Duration::ZERO), at_once);
		assert_eq!(
			outage.connected(Brought::Word, Duration::ZERO),
			None,
			"nothing was told"
		);
		assert_eq!(outage.failed(Loss::Gone { served: true }, Duration::ZERO), at_once);
		// One that gives nothing is not asked without end.
		let step = outage.failed(Loss::Gone { served: false }, Duration::ZERO);
		assert!(step.say && step.pause == FIRST_PAUSE, "{step:?}");
		let pause = (0..8).map(|_| outage.failed(Loss::Gone { served: false }, Duration::ZERO).pause);
		assert_eq!(pause.last(), Some(REFUSED_PAUSE));
		// It was restarted.
		outage.failed(Loss::Unreachable, Duration::ZERO);
		assert_eq!(outage.failed(Loss::Gone { served: false }, Duration::ZERO), at_once);
	}

	#[test]
	fn good_connection_forgives() {
		for good in [ended(0, true), ended(10, false)] {
			let mut outage = Outage::default();
			for _ in 0..9 {
				outage.failed(ended(0, false), Duration::ZERO);
			}
			assert_eq!(outage.failed(good, Duration::ZERO).pause, FIRST_PAUSE);
		}
	}
}
