//! How a broadcast stands, from what its key signed: nobody between can end it, or keep it alive, by repeating old words.
//!
//! Time is our own, from any beginning, and only goes forward. The broadcaster's clock is what its statuses say, counted on
//! by ours: so a computer whose clock is wrong by minutes, or is set while it watches, judges no worse than another.

use clustercast_primitives::{
	status::{SignedStatus, State},
	BlockNumber, TrackId, WindowHeader,
};
use core::time::Duration;

/// A window that ended longer ago is not given to whoever begins live: as long as a status holds. Milliseconds.
pub const LIVE_AGE_MS: u64 = 10_000;

/// How far a track is: epoch, and windows in it.
pub type Reach = (BlockNumber, u64);

/// How far a track is with this window.
pub fn reach(header: &WindowHeader) -> Reach {
	(header.id.epoch, header.number.saturating_add(1))
}

/// The newest status of a stream, and how far its windows are.
#[derive(Clone, Debug, Default)]
pub struct Standing {
	status: Option<SignedStatus>,
	/// What the broadcaster's clock showed at least (Unix time, milliseconds), and when; of the newest status' epoch.
	clock: Option<(u64, Duration)>,
	/// Of the newest header.
	reached: Option<Reach>,
}

impl Standing {
	/// Takes a status whose signature verified and that is heard `now`; `false`, and nothing is changed, where a newer one
	/// is known.
	pub fn note_status(&mut self, status: &SignedStatus, now: Duration) -> bool {
		let message = &status.status.message;
		let known = self.status.as_ref().map(|known| &known.status.message);
		if known.is_some_and(|known| !message.supersedes(known)) {
			return false;
		}
		// A clock that was wrong in an earlier run says nothing of this one's.
		if known.is_some_and(|known| known.epoch != message.epoch) {
			self.clock = None;
		}
		self.clock = Some((message.at_ms.max(self.clock_ms(now).unwrap_or_default()), now));
		self.status = Some(status.clone());
		true
	}

	/// Takes a header whose signature verified.
	pub fn note_header(&mut self, header: &WindowHeader) {
		self.reached = self.reached.max(Some(reach(header)));
	}

	/// The newest status.
	pub fn status(&self) -> Option<&SignedStatus> {
		self.status.as_ref()
	}

	/// What the broadcaster's clock shows at least: Unix time, milliseconds. `None` where nothing says.
	pub fn clock_ms(&self, now: Duration) -> Option<u64> {
		let (ms, since) = self.clock?;
		let passed = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
		Some(ms.saturating_add(passed))
	}

	/// How far a track is by the newest status, whether or not that still holds.
	pub fn told(&self, track: TrackId) -> Option<Reach> {
		let status = self.status.as_ref()?;
		let count = status.track(track).map_or(0, |state| state.count);
		Some((status.status.message.epoch, count))
	}

	/// Whether the newest status still holds.
	pub fn holds(&self, now: Duration) -> bool {
		let status = self.status.as_ref().map(|status| &status.status.message);
		status
			.zip(self.clock_ms(now))
			.is_some_and(|(status, clock)| status.holds_at(clock, 0))
	}

	/// Whether a window is known that was signed after the newest status.
	pub fn is_behind(&self) -> bool {
		self.reached > self.told_most()
	}

	/// How it stands; `None` where nothing says, or the last word holds no more. A window that was signed after a status voids
	/// its word that none comes.
	pub fn at(&self, now: Duration) -> Option<State> {
		let status = &self.status.as_ref()?.status.message;
		let voided = match status.state {
			State::Ended => self.reached.is_some_and(|(epoch, _)| epoch > status.epoch),
			_ => self.is_behind(),
		};
		self.holds(now)
			.then_some(if voided { State::Live } else { status.state })
	}

	/// Whether this window is live: what may be given, and charged, to whoever asks for the newest. That is a window which was
	/// signed after the newest status, or one that ended within [`LIVE_AGE_MS`] while windows come. Where no status is known
	/// nothing can be told.
	pub fn is_live(&self, header: &WindowHeader, now: Duration) -> bool {
		self.is_live_within(header, now, LIVE_AGE_MS)
	}

	/// The same for another age, milliseconds.
	pub fn is_live_within(&self, header: &WindowHeader, now: Duration, age_ms: u64) -> bool {
		let (Some(status), Some(told)) = (&self.status, self.told(header.id.track)) else {
			return true;
		};
		if reach(header) > told {
			return true;
		}
		let ends = header.start_ms.saturating_add(header.duration_ms.into());
		let is_young = self
			.clock_ms(now)
			.is_none_or(|clock| clock.saturating_sub(ends) <= age_ms);
		status.status.message.state == State::Live && is_young
	}

	/// Of the track that is furthest.
	fn told_most(&self) -> Option<Reach> {
		let status = self.status.as_ref()?;
		let count = status.tracks.iter().map(|track| track.count).max();
		Some((status.status.message.epoch, count.unwrap_or(0)))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast, EPOCH, GENESIS, STREAM};
	use clustercast_primitives::{status::TrackState, Hash, Status};

	/// Says at `at_ms` that there are `count` windows.
	fn status(epoch: BlockNumber, number: u64, state: State, at_ms: u64, count: u64) -> SignedStatus {
		let status = Status {
			stream: STREAM,
			epoch,
			number,
			state,
			at_ms,
			valid_ms: 5_000,
			after: Hash([0; 32]),
			tracks: Hash([0; 32]),
		};
		let track = TrackState {
			track: 0,
			count,
			last: Hash([0; 32]),
			history: Hash([0; 32]),
		};
		let tracks = vec![track].try_into().unwrap();
		SignedStatus::sign(status, tracks, &fixture::stream_key(), &GENESIS)
	}

	fn at(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	/// The attack: a relayer repeats an old status to a viewer who has a newer one, or to one who has newer windows.
	#[test]
	fn repeated_status_changes_nothing() {
		let mut standing = Standing::default();
		let (idle, live) = (status(5, 1, State::Idle, 1_000, 0), status(5, 2, State::Live, 2_000, 0));
		assert!(standing.note_status(&idle, at(0)));
		assert_eq!(standing.at(at(500)), Some(State::Idle));
		assert!(standing.note_status(&live, at(1_000)));
		assert!(
			!standing.note_status(&idle, at(1_000)),
			"without the rule the stream would look idle again"
		);
		assert_eq!(standing.at(at(6_000)), Some(State::Live));
		assert_eq!(standing.at(at(6_001)), None, "and it says nothing for ever");
	}

	/// The attack: statuses of an hour's pause are kept back and dealt out one by one, each just before the last one ends.
	#[test]
	fn status_that_was_held_back_is_worth_what_is_left_of_it() {
		let mut standing = Standing::default();
		standing.note_status(&status(5, 1, State::Idle, 1_000_000, 0), at(0));
		standing.note_status(&status(5, 2, State::Idle, 1_004_000, 0), at(5_000));
		assert_eq!(standing.at(at(9_000)), Some(State::Idle));
		assert_eq!(
			standing.at(at(9_001)),
			None,
			"it was signed 5 s after the first, whenever it comes"
		);
		standing.note_status(&status(5, 3, State::Idle, 1_008_000, 0), at(60_000));
		assert_eq!(standing.at(at(60_000)), None);
	}

	#[test]
	fn clock_of_ours_that_is_wrong_by_minutes_changes_nothing() {
		for wrong in [0, 600_000, 3_000_000] {
			let mut standing = Standing::default();
			standing.note_status(&status(5, 1, State::Idle, 1_000_000 + wrong, 0), at(40));
			assert_eq!(standing.at(at(5_040)), Some(State::Idle));
			assert_eq!(standing.at(at(5_041)), None);
			assert_eq!(standing.clock_ms(at(1_040)), Some(1_001_000 + wrong));
		}
	}

	#[test]
	fn newer_window_voids_idle_and_not_the_end() {
		let mut broadcast = Broadcast::default();
		let window = broadcast.segment(&[1; 10]);
		let mut standing = Standing::default();
		standing.note_status(&status(EPOCH, 1, State::Idle, 1_000, 0), at(0));
		assert_eq!(standing.at(at(0)), Some(State::Idle));
		standing.note_header(window.header());
		assert_eq!(standing.at(at(0)), Some(State::Live));
		standing.note_status(&status(EPOCH, 2, State::Idle, 1_000, 1), at(0));
		assert_eq!(standing.at(at(0)), Some(State::Idle), "a pause behind this window");
		standing.note_status(&status(EPOCH, 3, State::Ended, 1_000, 1), at(0));
		assert_eq!(standing.at(at(u64::MAX)), Some(State::Ended));
		broadcast.begin_epoch(EPOCH + 1);
		standing.note_header(broadcast.segment(&[2; 10]).header());
		assert_eq!(standing.at(at(0)), Some(State::Live), "another epoch began");
	}

	#[test]
	fn nothing_is_known_before_a_status() {
		let mut standing = Standing::default();
		let window = Broadcast::default().segment(&[1; 10]);
		standing.note_header(window.header());
		assert_eq!((standing.at(at(0)), standing.clock_ms(at(0))), (None, None));
		assert!(standing.status().is_none());
		assert!(standing.is_live(window.header(), at(0)));
	}

	#[test]
	fn window_is_live_while_it_is_young_or_newer_than_the_last_word() {
		let mut broadcast = Broadcast::default();
		let (first, second) = (broadcast.segment(&[1; 10]), broadcast.segment(&[2; 10]));
		let ends = first.header().start_ms + 2_000;
		let mut standing = Standing::default();
		standing.note_status(&status(EPOCH, 1, State::Live, ends, 1), at(0));
		assert!(standing.is_live(first.header(), at(LIVE_AGE_MS)));
		assert!(
			!standing.is_live(first.header(), at(LIVE_AGE_MS + 1)),
			"from before a pause"
		);
		assert!(
			standing.is_live(second.header(), at(3_600_000)),
			"the first one behind a pause"
		);
		standing.note_status(&status(EPOCH, 2, State::Idle, ends + 4_000, 1), at(4_000));
		assert!(
			!standing.is_live(first.header(), at(4_000)),
			"there is nothing live in a pause"
		);
		assert!(standing.is_live(second.header(), at(4_000)));
	}

	/// A run of yesterday, whose last window the origin gives again so that nobody misses it.
	#[test]
	fn window_of_an_earlier_run_is_not_live_when_it_is_old() {
		let mut broadcast = Broadcast::default();
		let old = broadcast.segment(&[1; 10]);
		let ends = old.header().start_ms + 2_000;
		let mut standing = Standing::default();
		// Its clock was a day ahead then.
		standing.note_status(&status(EPOCH, 1, State::Live, ends + 86_400_000, 1), at(0));
		standing.note_status(&status(EPOCH + 1, 0, State::Live, ends + 30_000, 0), at(0));
		assert!(!standing.is_live(old.header(), at(0)));
		broadcast.begin_epoch(EPOCH + 1);
		assert!(standing.is_live(broadcast.segment(&[2; 10]).header(), at(0)));
		let mut quick = Standing::default();
		quick.note_status(&status(EPOCH + 1, 0, State::Live, ends + 5_000, 0), at(0));
		assert!(quick.is_live(old.header(), at(0)), "it restarted within seconds");
	}
}
