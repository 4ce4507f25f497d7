//! What arrives over our link, from all sources together.

use alloc::collections::VecDeque;
use core::time::Duration;

/// Over so long what arrives is summed up.
pub(super) const FLOW: Duration = Duration::from_millis(1_500);

/// What arrived is noted in steps of this.
const FLOW_STEP: Duration = Duration::from_millis(50);

/// Behind a silence of so long another burst begins.
const BURST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Flow {
	/// When, and how many bytes since the step before.
	steps: VecDeque<(Duration, u64)>,
	/// When the burst that it is of began.
	burst: Duration,
}

impl Flow {
	/// Bytes came.
	pub(super) fn came(&mut self, bytes: u64, now: Duration) {
		if self.steps.back().is_none_or(|(at, _)| *at + BURST < now) {
			self.burst = now;
		}
		match self.steps.back_mut() {
			Some((at, sum)) if now < *at + FLOW_STEP => *sum += bytes,
			_ => self.steps.push_back((now, bytes)),
		}
		while self.steps.front().is_some_and(|(at, _)| *at + FLOW < now) {
			self.steps.pop_front();
		}
	}

	/// Bytes per second that arrived of late, in this burst; 0 where that is too short to say.
	pub(super) fn rate(&self, since: Duration, now: Duration) -> u64 {
		let since = since.max(now.saturating_sub(FLOW)).max(self.burst);
		let took = now.saturating_sub(since);
		// What came first was under way before.
		let bytes: u64 = self
			.steps
			.iter()
			.filter(|(at, _)| *at > since)
			.map(|(_, bytes)| bytes)
			.sum();
		match took < FLOW / 4 {
			true => 0,
			false => bytes.saturating_mul(1_000_000) / u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1),
		}
	}
}
