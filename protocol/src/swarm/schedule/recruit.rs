//! Whether another source is to be called: a standby where one is missing, or does not bring what it announced; and where nobody who is there
//! says anything of a window that is overdue, one after the other until somebody does.

use super::{super::offer::Action, Swarm};
use crate::swarm::{peers::Source, window::Window, SourceId};
use core::time::Duration;

/// Behind one that was of no use the next one is called after this, twice as long each time in a row, up to the second: most relayers
/// of a registry carry other streams.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A window that nobody has announced so long after it was to be expected is overdue.
const OVERDUE: Duration = Duration::from_millis(500);

/// Where nobody brings anything, a call has so long to be answered before somebody else is called beside it: a round trip across the
/// world.
const ANSWERS: Duration = Duration::from_millis(300);

/// Calls under way at most. Where two in five relayers of those that are known are down at once, one of so many is not, but for one
/// time in 250.
const CALLS: usize = 6;

/// Who came where nobody brings anything has so long to announce what is overdue; then the next one is called, and has twice as long:
/// it may be that there is none.
const SHOWS: Duration = Duration::from_secs(1);

/// Who begins waits so long for the first window, and then somebody is called who stands by: the parent may be one that sends nothing.
const BEGINS: Duration = Duration::from_millis(400);

/// Who did not bring what it announced so often in a row is counted no more as a standby, and left: once may be the line.
pub(super) const SHORT: u32 = 2;

/// Who has announced nothing for so many windows' time says nothing any more: what is whole is announced a window's time behind the last,
/// and as much later as it is late.
const MUTE: u32 = 2;

/// Where there is nobody to call it is asked again after this.
const NOBODY: Duration = Duration::from_secs(1);

/// What is known of calls.
#[derive(Debug, Default)]
pub(super) struct Recruits {
	/// Standbys at a time; `None` where that is somebody else's to decide.
	most: Option<usize>,
	/// Calls under way.
	calls: usize,
	/// When the last one began.
	called: Duration,
	/// In a row of no use.
	useless: u32,
	not_before: Duration,
	/// Nobody is to be had before this.
	barren: Duration,
}

impl Recruits {
	/// Somebody who was called was of use, or was not.
	pub(super) fn tried(&mut self, of_use: bool, now: Duration) {
		self.useless = if of_use { 0 } else { self.useless.saturating_add(1) };
		if let Some(times) = self.useless.checked_sub(1) {
			self.not_before = now + PAUSE.0.saturating_mul(1 << times.min(16)).min(PAUSE.1);
		}
	}
}

impl Swarm {
	/// With so many standbys: it says whom to call and whom to dismiss.
	pub fn new(most: usize) -> Self {
		let mut swarm = Self::default();
		swarm.recruits.most = Some(most);
		swarm
	}

	/// A source is called, without having been asked for: the first one, or the next parent.
	pub fn calling(&mut self, now: Duration) {
		self.recruits.calls += 1;
		self.recruits.called = now;
	}

	/// A call is over: the source [joins](Swarm::join), or it was not there.
	pub fn called(&mut self, answered: bool, now: Duration) {
		self.recruits.calls = self.recruits.calls.saturating_sub(1);
		if !answered {
			self.recruits.tried(false, now);
		}
		self.decide(now);
	}

	/// There is nobody whom [`Action::Call`] could be done with.
	pub fn nobody(&mut self, now: Duration) {
		self.recruits.calls = self.recruits.calls.saturating_sub(1);
		self.recruits.barren = now + NOBODY;
	}

	/// When a window is overdue that nobody who is there has announced, if none comes before.
	fn overdue_at(&self) -> Option<Duration> {
		let newest = self.windows.back().filter(|_| !self.paused)?;
		// Who announced it may be gone.
		let known = newest.over || !newest.has.is_empty();
		let next = if known { newest.offer.length } else { Duration::ZERO };
		Some(newest.first + next + OVERDUE)
	}

	/// Whether a window is overdue that nobody has announced.
	pub fn is_overdue(&self, now: Duration) -> bool {
		self.overdue_at().is_some_and(|at| at <= now)
	}

	/// Whether this parent was overdue when somebody else announced a window.
	pub(super) fn is_behind(parent: &Source, window: &Window) -> bool {
		window.first > parent.told + parent.lag() + window.offer.length + OVERDUE
	}

	/// The same of the parent there is.
	pub(super) fn was_overdue(&self, at: usize) -> bool {
		let parent = self.parent.and_then(|id| self.sources.get(&id));
		let window = &self.windows[at];
		let told = self.parent.is_some_and(|id| window.has.contains_key(&id));
		!told && parent.is_none_or(|parent| Self::is_behind(parent, window))
	}

	/// Whether this source still announces what is new, or announced more than one that it sent nothing of: if it does not bring that it
	/// cheats, or cannot; any other may be gone.
	pub fn announces(&self, id: SourceId, now: Duration) -> bool {
		let follows = |source: &Source| !self.is_overdue(now) && self.follows(source);
		self.withholds(id) || self.sources.get(&id).is_some_and(follows)
	}

	/// Whether this source announced more than one that was to come by itself, and sent nothing since.
	pub fn withholds(&self, id: SourceId) -> bool {
		self.sources.get(&id).is_some_and(|source| source.withheld >= SHORT)
	}

	/// Whether a source announced something, or came, since the window before the newest was announced.
	fn follows(&self, source: &Source) -> bool {
		self.lacks_behind(source) <= 1
	}

	/// Whether a source has announced nothing for longer than any that works takes.
	pub(super) fn is_mute(&self, source: &Source) -> bool {
		self.lacks_behind(source) > MUTE
	}

	/// How many windows' time before the newest one was announced it announced something last, or came: begun ones count.
	fn lacks_behind(&self, source: &Source) -> u32 {
		let Some(newest) = self.windows.back() else {
			return 0;
		};
		let behind = newest.first.saturating_sub(source.told.max(source.joined));
		let length = newest.offer.length.max(Duration::from_millis(1));
		u32::try_from(behind.as_nanos().div_ceil(length.as_nanos())).unwrap_or(u32::MAX)
	}

	/// When the next call is due, if nothing happens before.
	pub(super) fn call_at(&self) -> Option<Duration> {
		let recruits = &self.recruits;
		let most = recruits.most.filter(|most| *most > 0 && recruits.calls < CALLS)?;
		if self.sources.is_empty() {
			// Whom to call first is not said here.
			let at = (recruits.called + ANSWERS).max(recruits.barren);
			return (recruits.calls > 0).then_some(at);
		}
		let overdue = self.overdue_at().map(|since| {
			let came = self.sources.values().map(|source| source.joined);
			let came = || came.clone().filter(|at| *at >= since);
			let times = u32::try_from(came().count()).unwrap_or(u32::MAX).saturating_sub(1);
			let shown = came().max().map(|at| at + SHOWS.saturating_mul(1 << times.min(16)));
			let answered = match recruits.called >= since {
				true => recruits.called + ANSWERS,
				false => since,
			};
			since.max(answered).max(shown.unwrap_or_default())
		});
		let standbys = self
			.sources
			.iter()
			.filter(|(id, source)| self.parent != Some(**id) && self.follows(source) && !Self::is_short(source));
		let short = standbys.count() + recruits.calls < most;
		let begins = match self.newest {
			Some(_) => Duration::ZERO,
			None => self.sources.values().map(|source| source.joined).min()? + BEGINS,
		};
		let usual = short.then_some(recruits.not_before.max(begins));
		// Who is missing is called behind what is under way.
		let at = overdue.into_iter().chain(usual).min()?;
		Some(at.max(recruits.barren))
	}

	/// It does not bring what it announces.
	fn is_short(source: &Source) -> bool {
		source.shortfall().max(source.withheld) >= SHORT
	}

	pub(super) fn recruit(&mut self, now: Duration) {
		while self.call_at().is_some_and(|at| at <= now) {
			self.calling(now);
			self.actions.push_back(Action::Call);
		}
		let withholds = |(id, source): &(&SourceId, &Source)| self.parent != Some(**id) && source.withheld >= SHORT;
		for (id, _) in self.sources.iter().filter(withholds) {
			if !self.actions.contains(&Action::Replace(*id)) {
				self.actions.push_back(Action::Replace(*id));
			}
		}
		self.dismiss(now);
	}

	/// Once all is well again nobody sends windows beside the parent; and of more standbys than there are to be who follows no more goes,
	/// then who was called last.
	fn dismiss(&mut self, now: Duration) {
		let well = !self.is_overdue(now)
			&& self.windows.back().is_some_and(|newest| {
				let sends = |id: &SourceId| newest.pushed.0 == Some(*id);
				newest.over && self.parent.as_ref().is_some_and(sends)
			});
		if !well {
			return;
		}
		for (id, source) in &mut self.sources {
			if self.parent != Some(*id) && core::mem::take(&mut source.pushes) {
				self.actions.push_back(Action::Rest(*id));
			}
		}
		let standbys = self.sources.iter().filter(|(id, _)| self.parent != Some(**id));
		let most = self.recruits.most.unwrap_or(usize::MAX);
		if standbys.clone().count() <= most {
			return;
		}
		// Who withholds never says so: nothing is waited for of one that fell short.
		let free = |(id, source): &(&SourceId, &Source)| {
			Self::is_short(source) || !self.deliveries.iter().any(|delivery| delivery.source == **id)
		};
		let worst = standbys
			.filter(free)
			.max_by_key(|(id, source)| (!self.follows(source), source.shortfall(), source.joined, **id));
		let goes = worst.map(|(id, source)| match Self::is_short(source) || self.is_mute(source) {
			// And is not called again soon.
			true => Action::Replace(*id),
			false => Action::Dismiss(*id),
		});
		if let Some(goes) = goes.filter(|goes| !self.actions.contains(goes)) {
			self.actions.push_back(goes);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::swarm::{Offer, SourceId};
	use alloc::vec::Vec;
	use clustercast_primitives::{Hash, StreamId, WindowId};

	const LENGTH: Duration = Duration::from_secs(2);
	const ONE: SourceId = SourceId(1);

	fn ms(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	fn offer(number: u64) -> Offer {
		let mut header = [0; 32];
		header[..8].copy_from_slice(&number.to_le_bytes());
		Offer {
			id: WindowId {
				stream: StreamId(1),
				track: 0,
				epoch: 1,
				segment: number,
				part: 0,
			},
			header: Hash(header),
			bytes: 64 << 10,
			chunks: 4,
			chunk_bytes: 16 << 10,
			length: LENGTH,
		}
	}

	const TWO: SourceId = SourceId(2);
	const THREE: SourceId = SourceId(3);

	/// With a parent that has sent so many windows, and a standby that has announced them, and when that was.
	fn swarm(windows: u64) -> (Swarm, Duration) {
		let mut swarm = Swarm::new(1);
		swarm.join(ONE, Source::new(0, 0), Duration::ZERO);
		swarm.join(TWO, Source::new(0, 0), Duration::ZERO);
		let mut now = Duration::ZERO;
		for number in 0..windows {
			now = LENGTH * number as u32;
			send(&mut swarm, ONE, number, now);
			swarm.announced(TWO, offer(number), false, now + 2 * LENGTH, now);
		}
		assert!(!actions(&mut swarm).contains(&Action::Call));
		(swarm, now)
	}

	/// A window, announced and sent by this one by itself.
	fn send(swarm: &mut Swarm, from: SourceId, number: u64, now: Duration) {
		let offer = offer(number);
		swarm.announced(from, offer, true, now + 2 * LENGTH, now);
		for chunk in 0..4 {
			swarm.progress(from, offer.range((chunk, chunk + 1)), now + ms(10 * u64::from(chunk)));
		}
	}

	fn actions(swarm: &mut Swarm) -> Vec<Action> {
		core::iter::from_fn(|| swarm.poll_action()).collect()
	}

	/// When somebody is called until then, where `answer` says what becomes of each call.
	fn calls(
		swarm: &mut Swarm,
		from: Duration,
		until: Duration,
		mut answer: impl FnMut(&mut Swarm, Duration),
	) -> Vec<u64> {
		let (mut now, mut calls) = (from, Vec::new());
		while now < until {
			swarm.tick(now);
			for action in actions(swarm) {
				if action == Action::Call {
					calls.push((now - from).as_millis() as u64);
					answer(swarm, now);
				}
			}
			now += ms(50);
		}
		calls
	}

	#[test]
	fn where_a_window_is_overdue_others_are_called_one_after_the_other_until_somebody_answers() {
		let (mut swarm, newest) = swarm(4);
		let called = calls(&mut swarm, newest, newest + 2 * LENGTH, |_, _| {});
		assert_eq!(
			called,
			[2_500, 2_800, 3_100, 3_400, 3_700],
			"nobody was called before that"
		);
		let called = calls(&mut swarm, newest + 2 * LENGTH, newest + 3 * LENGTH, |_, _| {});
		assert_eq!(called.len(), CALLS - 5, "and only so many at a time");
	}

	#[test]
	fn who_answers_may_show_that_there_is_nothing_newer_before_the_next_one_is_called() {
		let (mut swarm, newest) = swarm(4);
		let mut next = 2;
		let called = calls(&mut swarm, newest, newest + ms(20_000), |swarm, now| {
			next += 1;
			swarm.join(SourceId(next), Source::new(0, 0), now);
			swarm.called(true, now);
		});
		assert_eq!(called, [2_500, 3_500, 5_500, 9_500, 17_500]);
	}

	#[test]
	fn pause_of_the_broadcaster_calls_nobody() {
		let (mut swarm, newest) = swarm(4);
		swarm.status(true, newest + ms(1_000));
		assert!(calls(&mut swarm, newest + ms(1_000), newest + ms(60_000), |_, _| {}).is_empty());
		swarm.status(false, newest + ms(60_000));
		assert!(!calls(&mut swarm, newest + ms(60_000), newest + ms(61_000), |_, _| {}).is_empty());
	}

	#[test]
	fn window_that_only_who_left_has_announced_is_overdue_at_once() {
		let (mut swarm, newest) = swarm(4);
		swarm.announced(TWO, offer(4), false, newest + 3 * LENGTH, newest + LENGTH);
		actions(&mut swarm);
		swarm.leave(TWO, newest + LENGTH + ms(100));
		let called = calls(&mut swarm, newest + LENGTH, newest + LENGTH + ms(1_000), |_, _| {});
		assert_eq!(called.first(), Some(&500));
	}

	#[test]
	fn standby_that_is_missing_is_called_and_one_of_no_use_makes_the_next_wait_longer_each_time() {
		let mut swarm = Swarm::new(1);
		swarm.join(ONE, Source::new(0, 0), Duration::ZERO);
		assert_eq!(actions(&mut swarm), [], "there is nothing to go on behind");
		send(&mut swarm, ONE, 0, Duration::ZERO);
		assert_eq!(actions(&mut swarm), [Action::Call]);
		swarm.status(true, ms(100));
		let (mut now, mut waits) = (ms(100), Vec::new());
		for _ in 0..4 {
			swarm.called(false, now);
			let at = swarm.call_at().unwrap();
			waits.push((at - now).as_secs());
			now = at;
			swarm.tick(now);
			assert_eq!(actions(&mut swarm), [Action::Call]);
		}
		assert_eq!(waits, [1, 2, 4, 8]);
		let mut none = Swarm::new(0);
		none.join(ONE, Source::new(0, 0), Duration::ZERO);
		send(&mut none, ONE, 0, Duration::ZERO);
		assert!(
			calls(&mut none, Duration::ZERO, ms(20_000), |_, _| {}).is_empty(),
			"who wants none has none"
		);
	}

	#[test]
	fn first_call_that_is_not_answered_is_not_waited_for_alone() {
		let mut swarm = Swarm::new(1);
		assert!(
			calls(&mut swarm, Duration::ZERO, ms(5_000), |_, _| {}).is_empty(),
			"whom to call first is the driver's"
		);
		swarm.calling(ms(5_000));
		let called = calls(&mut swarm, ms(5_000), ms(10_000), |_, _| {});
		assert_eq!(called, [300, 600, 900, 1_200, 1_500]);
	}

	#[test]
	fn who_sends_what_the_silent_parent_does_not_is_parent_at_once_and_then_there_are_as_many_as_before() {
		let (mut swarm, newest) = swarm(4);
		let now = newest + ms(2_700);
		actions(&mut swarm);
		swarm.join(THREE, Source::new(0, 0), now);
		assert!(swarm.is_overdue(now));
		send(&mut swarm, THREE, 4, now);
		assert!(actions(&mut swarm).contains(&Action::Promote(THREE)));
		assert_eq!(swarm.parent(), Some(THREE));
		send(&mut swarm, THREE, 5, now + LENGTH);
		// Who announced nothing meanwhile is not missed.
		let dismissed = actions(&mut swarm);
		let gone = |id| {
			[Action::Dismiss(SourceId(id)), Action::Replace(SourceId(id))]
				.iter()
				.any(|goes| dismissed.contains(goes))
		};
		assert!((gone(1) || gone(2)) && !gone(3), "{dismissed:?}");
	}

	#[test]
	fn once_a_hiccup_is_over_who_was_called_sends_nothing_beside_the_parent_and_is_dismissed() {
		let (mut swarm, newest) = swarm(4);
		let now = newest + ms(2_700);
		swarm.join(THREE, Source::new(0, 0), now);
		actions(&mut swarm);
		// All at once, and the parent first.
		send(&mut swarm, ONE, 4, now);
		swarm.announced(TWO, offer(4), false, now + LENGTH, now);
		send(&mut swarm, THREE, 4, now + ms(40));
		let told = actions(&mut swarm);
		assert!(told.contains(&Action::Rest(THREE)), "{told:?}");
		assert!(told.contains(&Action::Dismiss(THREE)) && !told.contains(&Action::Dismiss(TWO)));
		assert_eq!(swarm.parent(), Some(ONE));
	}

	/// The fault: who began at one that announces and sends nothing had nothing to play for three windows' time.
	#[test]
	fn who_begins_at_one_that_sends_nothing_has_the_first_window_from_who_is_called_meanwhile() {
		let mut swarm = Swarm::new(1);
		swarm.join(ONE, Source::new(0, 0), Duration::ZERO);
		swarm.announced(ONE, offer(0), true, ms(4_000), ms(100));
		let called = calls(&mut swarm, Duration::ZERO, ms(600), |swarm, now| {
			swarm.join(TWO, Source::new(0, 0), now);
			swarm.called(true, now);
			swarm.announced(TWO, offer(0), false, ms(4_000), now + ms(100));
			let asked = actions(swarm);
			let fetches = |action: &Action| matches!(action, Action::Fetch { source, .. } if *source == TWO);
			assert!(asked.iter().any(fetches), "{asked:?}");
		});
		assert_eq!(called, [400]);
		swarm.progress(TWO, offer(0).range((0, 4)), ms(720));
		assert_eq!(swarm.figures().windows, 1, "it is whole");
	}

	/// The fault: where the parent failed, the only standby was one that had brought nothing before.
	#[test]
	fn standby_that_did_not_bring_what_it_announced_twice_is_none_and_goes_once_there_is_another() {
		let (mut swarm, mut newest) = swarm(4);
		let times = |swarm: &Swarm| swarm.source(TWO).map(Source::shortfall);
		// What keeps it warm did not come.
		assert!(times(&swarm) < Some(SHORT));
		while times(&swarm) < Some(SHORT) {
			swarm.tick(newest);
			assert!(!actions(&mut swarm).contains(&Action::Call), "once");
			swarm.fell_short(TWO, newest);
		}
		swarm.tick(newest);
		assert!(actions(&mut swarm).contains(&Action::Call));
		swarm.join(THREE, Source::new(0, 0), newest + ms(200));
		swarm.called(true, newest + ms(200));
		let mut told = Vec::new();
		for number in 4..6 {
			newest += LENGTH;
			swarm.announced(TWO, offer(number), false, newest + 2 * LENGTH, newest);
			swarm.announced(THREE, offer(number), false, newest + 2 * LENGTH, newest);
			send(&mut swarm, ONE, number, newest);
			told.extend(actions(&mut swarm));
		}
		assert!(swarm.announces(TWO, newest), "it withholds");
		assert!(
			!swarm.announces(TWO, newest + 2 * LENGTH),
			"nobody announces anything any more"
		);
		assert!(told.contains(&Action::Replace(TWO)), "{told:?}");
		assert!(
			!told.contains(&Action::Dismiss(THREE)) && !told.contains(&Action::Call),
			"{told:?}"
		);
	}
}
