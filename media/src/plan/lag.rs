//! How far behind encoders may be before pictures are left out: live latency is the product.
//!
//! | an encoder | may be behind by |
//! | --- | --- |
//! | runs | [`OVERLOAD`] |
//! | starts, or fell silent while it was in time: it may hang, and another one is fed all of it again | what is held |
//! | runs again after that | what it was behind then, less 20 pictures for each second since: so it comes back, or is helped |
//!
//! What is left out is left out at once, until it is in time again: one cut that is seen and heard, not one after the other.

use super::lane::OWED;
use std::time::Duration;

/// An encoder that has so many pictures to do is slower than they come: those that follow are not taken. 1 s, of which its own
/// lookahead is a tenth.
pub const OVERLOAD: u64 = 30;

/// How much nearer to live an encoder has to come each second, pictures: 5 s of a hang are worked off in 6 s by one that does 50
/// pictures a second. An idle core does 130.
const CATCH_UP: u128 = 20;

/// See the module's own words.
#[derive(Debug)]
pub(super) struct Lag {
	/// When it was last excused, and how much waited then.
	excused: (Duration, u64),
	/// It is being excused for its silence.
	silent: bool,
	/// It was in time since it last was.
	in_time: bool,
	/// Pictures are left out.
	cutting: bool,
}

impl Default for Lag {
	fn default() -> Self {
		Self {
			excused: (Duration::ZERO, 0),
			silent: false,
			in_time: true,
			cutting: false,
		}
	}
}

/// What is to be known of the encoders to judge them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
	/// Pictures that were taken and are not encoded.
	pub(super) waiting: u64,
	/// One of them is to be started, or has written nothing so far.
	pub(super) starts: bool,
	/// One of them owes something and is silent.
	pub(super) silent: bool,
	pub(super) now: Duration,
}

impl Lag {
	/// How it stands.
	pub(super) fn watch(&mut self, look: Look) {
		if look.waiting <= OWED {
			(self.in_time, self.cutting) = (true, false);
		}
		if self.silent && !look.silent {
			// It spoke, or is replaced.
			(self.silent, self.in_time) = (false, false);
		}
		self.silent |= look.silent && self.in_time && !look.starts;
		if self.excuses(look) {
			self.excused = (look.now, look.waiting);
		}
	}

	/// Whether the next picture is to be left out.
	pub(super) fn is_behind(&self, look: Look) -> bool {
		if self.excuses(look) {
			return false;
		}
		let (since, waited) = self.excused;
		let done = look.now.saturating_sub(since).as_millis() * CATCH_UP / 1_000;
		let room = waited.saturating_sub(u64::try_from(done).unwrap_or(u64::MAX));
		look.waiting >= room.max(OVERLOAD) || self.cutting && look.waiting > OWED
	}

	/// A picture is left out.
	pub(super) fn cut(&mut self) {
		self.cutting = true;
	}

	fn excuses(&self, look: Look) -> bool {
		look.starts || look.silent && self.in_time
	}
}
