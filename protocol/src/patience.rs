//! What it means that no window comes: a pause of the broadcaster, its absence, or a failing of the peer that we
//! are subscribed to.
//!
//! | the newest status | the peer | it is |
//! | --- | --- | --- |
//! | says that there are more windows than came | whatever else it says | a failing: [`Failing::Withheld`], once they are overdue |
//! | says idle and holds, or says live once a window was overdue; there are no more | answers | the broadcaster's pause |
//! | holds no more | answers that it has nothing newer | the broadcaster's absence; others may know better |
//! | holds no more | brings nothing and says nothing | a failing: [`Failing::Stalled`] |
//! | | was not heard of for long | a failing: [`Failing::Mute`] |
//!
//! Time is our own, from any beginning, and only goes forward.

use crate::standing::{reach, Reach, Standing};
use clustercast_primitives::{status::State, TrackId, WindowHeader};
use core::time::Duration;

/// How often a peer says at least that it is there. Longer than between two statuses, so that it is seldom needed.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// A peer that was not heard of for so long has failed: two words were lost.
pub const MUTE: Duration = Duration::from_secs(13);

/// Within this a peer has passed on a word of the broadcaster, which comes every 4 s, or has said that there is none: a
/// heartbeat, and two seconds for the way.
const ANSWER: Duration = Duration::from_secs(7);

/// How often a silence is looked at again: a status may cease to hold.
const STEP: Duration = Duration::from_secs(1);

/// Why no window comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
	/// There is none: windows come, or are due at any moment.
	#[default]
	None,
	/// The broadcaster pauses.
	Pause,
	/// Nothing was heard of the broadcaster for longer than its last word holds.
	Absence,
	/// The broadcast is over.
	Over,
}

/// What the peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failing {
	/// Windows exist, by the broadcaster's word, and do not come.
	#[error("stalled: the broadcaster has signed windows that do not come")]
	Withheld,
	/// Nothing explains that none comes.
	#[error("stalled")]
	Stalled,
	/// It says nothing at all.
	#[error("stalled: nothing was heard for {} s", MUTE.as_secs())]
	Mute,
}

/// See the module. One for each subscription.
#[derive(Clone, Debug)]
pub struct Patience {
	track: TrackId,
	/// How far our windows are; of who begins live, how far the broadcaster was as it began. `None` until that is told.
	have: Option<Reach>,
	/// The last window, or the beginning.
	fed: Duration,
	/// The last word of any kind.
	heard: Duration,
	/// The last status.
	told: Duration,
	/// The last word that there is nothing newer.
	answered: Option<Duration>,
	/// Since when we know of windows that we do not have.
	behind: Option<Duration>,
	/// No failing before this.
	excused: Duration,
}

impl Patience {
	/// Begins a subscription to this track; `have` is what is resumed, `None` begins live.
	pub fn new(track: TrackId, have: Option<Reach>, now: Duration) -> Self {
		Self {
			track,
			have,
			fed: now,
			heard: now,
			told: now,
			answered: None,
			behind: None,
			excused: now,
		}
	}

	/// The peer said something.
	pub fn hear(&mut self, now: Duration) {
		self.heard = now;
	}

	/// It said that it has nothing newer.
	pub fn answer(&mut self, now: Duration) {
		(self.heard, self.answered) = (now, Some(now));
	}

	/// It passed on a status, which `standing` has noted.
	pub fn status(&mut self, standing: &Standing, now: Duration) {
		(self.heard, self.told) = (now, now);
		let Some(told) = standing.told(self.track) else {
			return;
		};
		let have = *self.have.get_or_insert(told);
		// A run that has no window yet has none to give.
		let ahead = told > have && told.1 > 0;
		self.behind = ahead.then(|| self.behind.unwrap_or(now));
	}

	/// It brought a window.
	pub fn window(&mut self, header: &WindowHeader, standing: &Standing, now: Duration) {
		self.hear(now);
		self.reached(reach(header), standing, now);
	}

	/// Windows up to there are here, whoever brought them.
	pub fn reached(&mut self, have: Reach, standing: &Standing, now: Duration) {
		(self.fed, self.have) = (now, Some(have));
		let ahead = standing.told(self.track).is_some_and(|told| told > have && told.1 > 0);
		// It gives what it has: overdue is what does not come from now on.
		self.behind = ahead.then_some(now);
	}

	/// It cannot be expected to bring anything before this.
	pub fn excuse(&mut self, until: Duration) {
		self.excused = self.excused.max(until);
	}

	/// Why no window comes, and when to ask again at the latest; or what the peer did wrong. `stall`: how long a window may
	/// take that exists.
	pub fn judge(&self, standing: &Standing, stall: Duration, now: Duration) -> Result<(Silence, Duration), Failing> {
		let judged = self.strictly(standing, stall, now);
		match judged {
			Err(_) if now < self.excused => Ok((Silence::None, self.excused)),
			other => other,
		}
	}

	fn strictly(&self, standing: &Standing, stall: Duration, now: Duration) -> Result<(Silence, Duration), Failing> {
		let mute = self.heard + MUTE.max(stall);
		if mute <= now {
			return Err(Failing::Mute);
		}
		let until = |silence, at: Duration| Ok((silence, at.min(mute)));
		if let Some(behind) = self.behind {
			let overdue = behind.max(self.fed) + stall;
			return match now < overdue {
				true => until(Silence::None, overdue),
				false => Err(Failing::Withheld),
			};
		}
		let mut due = self.fed + stall.max(ANSWER);
		match standing.at(now) {
			Some(State::Ended) => return until(Silence::Over, mute),
			Some(State::Idle) => return until(Silence::Pause, now + STEP),
			// When a window was overdue the broadcaster had made none.
			Some(State::Live) if self.told >= self.fed + stall && now < self.told + ANSWER => {
				return until(Silence::Pause, now + STEP)
			},
			// It may say that at any moment.
			Some(State::Live) => due = due.max(self.told + ANSWER),
			None => {},
		}
		let answered = self.answered.is_some_and(|at| at >= self.fed && now < at + MUTE);
		match answered {
			_ if now < due => until(Silence::None, due),
			true => until(Silence::Absence, now + STEP),
			false => Err(Failing::Stalled),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast, EPOCH, GENESIS, STREAM};
	use clustercast_primitives::{
		status::{SignedStatus, TrackState},
		BlockNumber, Hash, Status,
	};

	const STALL: Duration = Duration::from_secs(6);
	const SECOND: Duration = Duration::from_secs(1);
	/// Between two statuses.
	const INTERVAL: u64 = 4;

	/// A subscription, played second by second.
	struct Play {
		broadcast: Broadcast,
		standing: Standing,
		patience: Patience,
		second: u64,
		status: u64,
		epoch: BlockNumber,
	}

	fn status(epoch: BlockNumber, number: u64, state: State, second: u64, count: u64) -> SignedStatus {
		let status = Status {
			stream: STREAM,
			epoch,
			number,
			state,
			at_ms: 5_000_000 + second * 1_000,
			valid_ms: 10_000,
			after: Hash([0; 32]),
			tracks: Hash([0; 32]),
		};
		let track = TrackState {
			track: 0,
			count,
			last: Hash([0; 32]),
			history: Hash([0; 32]),
		};
		SignedStatus::sign(
			status,
			vec![track].try_into().unwrap(),
			&fixture::stream_key(),
			&GENESIS,
		)
	}

	impl Play {
		fn new(have: Option<Reach>) -> Self {
			Self {
				broadcast: Broadcast::default(),
				standing: Standing::default(),
				patience: Patience::new(0, have, Duration::ZERO),
				second: 0,
				status: 0,
				epoch: EPOCH,
			}
		}

		fn now(&self) -> Duration {
			Duration::from_secs(self.second)
		}

		fn status(&mut self, state: State, count: u64) {
			self.status += 1;
			let status = status(self.epoch, self.status, state, self.second, count);
			self.standing.note_status(&status, self.now());
			self.patience.status(&self.standing, self.now());
		}

		fn window(&mut self) {
			let window = self.broadcast.segment(&[1; 10]);
			self.standing.note_header(window.header());
			self.patience.window(window.header(), &self.standing, self.now());
		}

		fn judge(&self) -> Result<Silence, Failing> {
			let judged = self.patience.judge(&self.standing, STALL, self.now());
			judged.map(|(silence, until)| {
				assert!(until > self.now(), "it would be asked without end");
				silence
			})
		}

		/// So many seconds, in each of which `say` may say something; what was judged in each, without repetitions.
		fn pass(&mut self, seconds: u64, mut say: impl FnMut(&mut Self)) -> Vec<Result<Silence, Failing>> {
			let mut judged = Vec::new();
			for _ in 0..seconds {
				self.second += 1;
				say(self);
				judged.push(self.judge());
			}
			judged.dedup();
			judged
		}
	}

	fn every(play: &Play, seconds: u64) -> bool {
		play.second.is_multiple_of(seconds)
	}

	#[test]
	fn pause_of_any_length_is_no_failing_while_statuses_say_so() {
		for state in [State::Idle, State::Live] {
			let mut play = Play::new(None);
			play.status(State::Live, 0);
			play.window();
			let judged = play.pass(3_600, |play| {
				if every(play, INTERVAL) {
					play.status(state, 1);
				}
			});
			assert_eq!(judged, [Ok(Silence::None), Ok(Silence::Pause)], "{state:?}");
			play.window();
			assert_eq!(play.judge(), Ok(Silence::None));
		}
	}

	#[test]
	fn windows_that_exist_and_do_not_come_are_a_failing_whatever_else_is_said() {
		for state in [State::Idle, State::Live, State::Ended] {
			let mut play = Play::new(None);
			play.status(State::Live, 0);
			play.window();
			let judged = play.pass(INTERVAL + STALL.as_secs(), |play| {
				play.patience.answer(play.now());
				if every(play, INTERVAL) {
					play.status(state, 2);
				}
			});
			assert_eq!(judged, [Ok(Silence::None), Err(Failing::Withheld)], "{state:?}");
		}
	}

	/// The attack: what is behind is given one by one, slower than it is made.
	#[test]
	fn relayer_that_gives_windows_slowly_is_judged_by_each() {
		let mut play = Play::new(None);
		play.status(State::Live, 0);
		let judged = play.pass(60, |play| {
			if every(play, INTERVAL) {
				play.status(State::Live, play.second / 2);
			}
			if every(play, STALL.as_secs() - 1) {
				play.window();
			}
		});
		assert_eq!(judged, [Ok(Silence::None)]);
		assert_eq!(play.pass(STALL.as_secs(), |_| {}).last(), Some(&Err(Failing::Withheld)));
	}

	#[test]
	fn word_that_comes_just_before_its_window_makes_nobody_late() {
		let mut play = Play::new(Some((EPOCH, 0)));
		play.pass(120, |play| {
			if every(play, INTERVAL) {
				play.status(State::Idle, 0);
			}
		});
		play.status(State::Live, 1);
		assert_eq!(play.judge(), Ok(Silence::None));
		play.window();
		assert_eq!(play.judge(), Ok(Silence::None));
	}

	#[test]
	fn absence_of_the_broadcaster_is_no_failing_of_a_relayer_that_answers() {
		let mut play = Play::new(None);
		play.status(State::Live, 0);
		play.window();
		play.status(State::Live, 1);
		let judged = play.pass(3_600, |play| {
			if every(play, HEARTBEAT.as_secs()) {
				play.patience.answer(play.now());
			}
		});
		assert_eq!(
			judged,
			[Ok(Silence::None), Ok(Silence::Absence)],
			"it never seemed to pause"
		);
		play.epoch += 1;
		play.status(State::Live, 0);
		assert_eq!(play.judge(), Ok(Silence::Pause), "it is back, and has no window yet");
		play.broadcast.begin_epoch(EPOCH + 1);
		play.window();
		assert_eq!(play.judge(), Ok(Silence::None));
	}

	#[test]
	fn relayer_that_knows_of_no_broadcaster_is_waited_with() {
		let mut play = Play::new(None);
		let judged = play.pass(600, |play| {
			if every(play, HEARTBEAT.as_secs()) {
				play.patience.answer(play.now());
			}
		});
		assert_eq!(judged, [Ok(Silence::None), Ok(Silence::Absence)]);
	}

	#[test]
	fn relayer_that_explains_nothing_has_stalled() {
		let mut play = Play::new(None);
		play.window();
		let judged = play.pass(ANSWER.as_secs(), |_| {});
		assert_eq!(judged, [Ok(Silence::None), Err(Failing::Stalled)]);
	}

	/// In the middle of a broadcast, each moment after a status.
	#[test]
	fn relayer_that_dies_is_left_within_a_word_of_the_broadcaster_and_nobody_seems_to_pause() {
		for last_word in 0..INTERVAL {
			let mut play = Play::new(None);
			for second in 1..=20 {
				play.pass(1, |_| {});
				if every(&play, 2) {
					play.window();
				}
				if second <= 20 - last_word && every(&play, INTERVAL) {
					play.status(State::Live, play.second / 2);
				}
			}
			let judged = play.pass(ANSWER.as_secs() + 1, |_| {});
			assert_eq!(judged, [Ok(Silence::None), Err(Failing::Stalled)], "{last_word}");
		}
	}

	#[test]
	fn relayer_that_says_nothing_is_dead_whatever_the_broadcaster_said() {
		let mut play = Play::new(None);
		play.status(State::Idle, 0);
		let judged = play.pass(MUTE.as_secs(), |_| {});
		assert_eq!(judged.first(), Some(&Ok(Silence::Pause)));
		assert!(
			matches!(judged.last(), Some(Err(Failing::Mute | Failing::Stalled))),
			"{judged:?}"
		);
		// One that says no more than what it said is not: but it does not say that there is nothing newer.
		let mut play = Play::new(None);
		play.status(State::Idle, 0);
		let judged = play.pass(60, |play| play.patience.hear(play.now()));
		assert_eq!(judged.last(), Some(&Err(Failing::Stalled)));
	}

	#[test]
	fn newcomer_in_a_pause_waits_and_is_owed_what_is_made_from_then_on() {
		let mut play = Play::new(None);
		play.status(State::Idle, 40);
		let judged = play.pass(120, |play| {
			if every(play, INTERVAL) {
				play.status(State::Idle, 40);
			}
		});
		assert_eq!(judged, [Ok(Silence::Pause)]);
		play.status(State::Live, 41);
		let judged = play.pass(STALL.as_secs(), |play| play.patience.hear(play.now()));
		assert_eq!(judged, [Ok(Silence::None), Err(Failing::Withheld)]);
	}

	#[test]
	fn who_resumes_is_owed_what_it_lacks_at_once() {
		let mut play = Play::new(Some((EPOCH, 30)));
		play.status(State::Idle, 40);
		let judged = play.pass(STALL.as_secs(), |play| play.patience.hear(play.now()));
		assert_eq!(judged, [Ok(Silence::None), Err(Failing::Withheld)]);
	}

	#[test]
	fn excuse_puts_off_and_forgives_nothing() {
		let mut play = Play::new(None);
		play.status(State::Live, 1);
		play.status(State::Live, 2);
		play.patience.excuse(40 * SECOND);
		let judged = play.pass(40, |play| play.patience.hear(play.now()));
		assert_eq!(judged, [Ok(Silence::None), Err(Failing::Withheld)]);
	}

	/// The origin dies in a pause in which it said that it is live.
	#[test]
	fn broadcaster_that_dies_in_its_pause_is_away() {
		let mut play = Play::new(None);
		play.status(State::Live, 0);
		play.window();
		let judged = play.pass(100, |play| {
			if play.second < 60 && every(play, INTERVAL) {
				play.status(State::Live, 1);
			}
			// Its last word was at 56.
			if play.second > 56 && (play.second - 56).is_multiple_of(HEARTBEAT.as_secs()) {
				play.patience.answer(play.now());
			}
		});
		assert_eq!(judged, [Ok(Silence::None), Ok(Silence::Pause), Ok(Silence::Absence)]);
	}

	#[test]
	fn broadcast_that_is_over_is_no_failing() {
		let mut play = Play::new(Some((EPOCH, 1)));
		play.status(State::Ended, 1);
		assert_eq!(play.pass(10, |_| {}), [Ok(Silence::Over)]);
	}
}
