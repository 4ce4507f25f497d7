//! Whether there is something to show: the input, the slate for ten minutes after it went, nothing before it came and after
//! those. Time is an argument, on a clock that never goes back.
//!
//! ```text
//!          came                    left                10 minutes, and a window ends
//! Nothing ──────► Input ◄──────────────────► Slate ────────────────────────────────► Pause, then Nothing
//!                              came
//! ```

use clustercast_primitives::status::State;
use std::time::Duration;

/// How long the slate is shown: a broadcaster who comes back within it finds its viewers where they were.
pub const SLATE: Duration = Duration::from_secs(600);

/// What the next picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
	/// That of the mixer.
	Input,
	/// The slate, with silence.
	Slate,
	/// None. Said once: [`crate::encoder::Encoder::pause`] is due.
	Pause,
	/// None.
	Nothing,
}

/// See the module's own words.
#[derive(Debug, Default)]
pub struct Presence(Now);

#[derive(Debug, Default)]
enum Now {
	/// Somebody publishes, or a file plays.
	Here,
	/// Left at this time.
	Gone(Duration),
	#[default]
	Idle,
}

impl Presence {
	/// There is input.
	pub fn came(&mut self) {
		self.0 = Now::Here;
	}

	/// There is none any more. Whether that is new.
	pub fn left(&mut self, now: Duration) -> bool {
		let was_here = matches!(self.0, Now::Here);
		if was_here {
			self.0 = Now::Gone(now);
		}
		was_here
	}

	/// What the picture of this moment is. `at_boundary`: no window is open ([`crate::encoder::Encoder::at_boundary`]).
	pub fn show(&mut self, now: Duration, at_boundary: bool) -> Show {
		match self.0 {
			Now::Here => Show::Input,
			Now::Gone(since) if now < since + SLATE || !at_boundary => Show::Slate,
			Now::Gone(_) => {
				self.0 = Now::Idle;
				Show::Pause
			},
			Now::Idle => Show::Nothing,
		}
	}

	/// What the broadcast's status says. `all_out`: no window is still to come ([`crate::encoder::Encoder::is_idle`]).
	pub fn state(&self, all_out: bool) -> State {
		match self.0 {
			Now::Idle if all_out => State::Idle,
			_ => State::Live,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const START: Duration = Duration::from_secs(1_000);

	#[test]
	fn nothing_is_shown_before_somebody_comes() {
		let mut presence = Presence::default();
		assert!(!presence.left(START));
		assert_eq!(presence.show(START + 2 * SLATE, true), Show::Nothing);
		assert_eq!(presence.state(true), State::Idle);
		presence.came();
		assert_eq!(presence.show(START, false), Show::Input);
		assert_eq!(presence.state(true), State::Live);
	}

	#[test]
	fn slate_is_shown_for_ten_minutes_and_to_the_end_of_its_window() {
		let mut presence = Presence::default();
		presence.came();
		assert!(presence.left(START));
		assert!(!presence.left(START + SLATE / 2), "said once");
		let almost = START + SLATE - Duration::from_millis(1);
		assert_eq!(presence.show(almost, true), Show::Slate);
		assert_eq!(presence.show(START + SLATE, false), Show::Slate);
		assert_eq!(presence.state(true), State::Live);
		assert_eq!(presence.show(START + SLATE, true), Show::Pause);
		assert_eq!(presence.show(START + SLATE, true), Show::Nothing, "said once");
		assert_eq!(presence.state(false), State::Live, "its last window is to come");
		assert_eq!(presence.state(true), State::Idle);
	}

	#[test]
	fn who_comes_back_is_shown_at_once() {
		let mut presence = Presence::default();
		presence.came();
		presence.left(START);
		assert_eq!(presence.show(START, false), Show::Slate);
		presence.came();
		assert_eq!(presence.show(START + 2 * SLATE, false), Show::Input);
		presence.left(START + 2 * SLATE);
		assert_eq!(presence.show(START + 3 * SLATE, true), Show::Pause);
		presence.came();
		assert_eq!(presence.show(START + 3 * SLATE, true), Show::Input);
	}
}
