//! Whether a peer acknowledges what is sent to it. Any acknowledgement of QUIC on its connection counts, of whatever.

use quinn::Connection;
use std::{
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

/// Of who has a subscription. Clones are the same.
#[derive(Clone, Debug)]
pub struct Pulse {
	connection: Connection,
	beat: Arc<Mutex<Beat>>,
}

impl Pulse {
	/// Of who is at the other end.
	pub(super) fn new(connection: Connection) -> Self {
		Self {
			connection,
			beat: Arc::default(),
		}
	}

	/// Chunks went out.
	pub(super) fn sent(&self, now: Instant) {
		self.with(|beat, acknowledged| beat.sent(acknowledged, now));
	}

	/// For how long it has acknowledged nothing, though chunks went out to it.
	pub fn silent(&self, now: Instant) -> Duration {
		self.with(|beat, acknowledged| beat.silent(acknowledged, now))
	}

	fn with<T>(&self, change: impl FnOnce(&mut Beat, u64) -> T) -> T {
		let acknowledged = self.connection.stats().frame_rx.acks;
		// What is locked here is changed in one step.
		change(
			&mut self.beat.lock().unwrap_or_else(PoisonError::into_inner),
			acknowledged,
		)
	}
}

/// What went out, and what came back: sans-IO. It is looked at when something goes out and when somebody asks: an acknowledgement that
/// comes in between is seen then, so nobody is silent for longer than it says.
#[derive(Clone, Copy, Debug, Default)]
struct Beat {
	/// Acknowledgements by the last look.
	acknowledged: u64,
	/// The first chunks that went out since.
	waits: Option<Instant>,
}

impl Beat {
	fn look(&mut self, acknowledged: u64) {
		if self.acknowledged != acknowledged {
			(self.acknowledged, self.waits) = (acknowledged, None);
		}
	}

	fn sent(&mut self, acknowledged: u64, now: Instant) {
		self.look(acknowledged);
		self.waits.get_or_insert(now);
	}

	fn silent(&mut self, acknowledged: u64, now: Instant) -> Duration {
		self.look(acknowledged);
		self.waits
			.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const SECOND: Duration = Duration::from_secs(1);

	#[tokio::test]
	async fn who_acknowledges_nothing_is_silent_since_something_went_out() {
		let (mut beat, begin) = (Beat::default(), Instant::now());
		let at = |seconds: u32| begin + seconds * SECOND;
		assert_eq!(beat.silent(7, at(60)), Duration::ZERO, "nothing went out");
		beat.sent(7, at(60));
		beat.sent(7, at(61));
		assert_eq!(beat.silent(7, at(63)), 3 * SECOND);
		assert_eq!(beat.silent(8, at(63)), Duration::ZERO, "it acknowledges");
		assert_eq!(beat.silent(8, at(90)), Duration::ZERO, "a pause is nobody's silence");
		beat.sent(8, at(90));
		// Seen only now, and heard at any time since.
		beat.sent(9, at(92));
		assert_eq!(beat.silent(9, at(93)), SECOND);
	}
}
