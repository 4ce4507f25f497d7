//! Whether a seat earns its keep: what is bought in it while there is something to buy. Pauses of a broadcast cost nobody a seat.

use clustercast_protocol::patience::HEARTBEAT;
use std::time::Duration;
use tokio::time::Instant;

/// What a seat has to buy within [`WITHIN`]: the least that a ticket pays for. Who only stands by and fetches as much of each fourth
/// window buys it three times.
pub const LEAST: u64 = 64 << 10;

/// See [`LEAST`]: longer than a viewer without credit waits for what it has reserved to become final.
pub const WITHIN: Duration = Duration::from_secs(30);

/// Of one seat that is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
	/// When there was something to buy last.
	offered: Option<Instant>,
	/// How long there was since it bought enough.
	idle: Duration,
	/// Bytes that were announced to it, and those of them by when it bought enough.
	announced: u64,
	before: u64,
	/// Bytes that it bought since then.
	bought: u64,
	/// Something was paid.
	paid: bool,
}

impl Keep {
	/// There is something to buy; so many bytes were announced so far.
	pub fn offered(&mut self, announced: u64, now: Instant) {
		let since = self.offered.replace(now);
		let passed = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
		// Of a pause nothing counts but this.
		self.idle += passed.min(HEARTBEAT);
		self.announced = announced;
	}

	/// So many bytes were delivered: what becomes of it where they are not paid is another matter. Half of what there is to buy is
	/// enough, where that is less.
	pub fn bought(&mut self, bytes: u64) {
		self.bought += bytes;
		let offered = self.announced.saturating_sub(self.before);
		if self.bought >= LEAST || (offered > 0 && self.bought >= offered / 2) {
			(self.bought, self.idle, self.before) = (0, Duration::ZERO, self.announced);
		}
	}

	/// It goes on in another subscription, to which nothing was announced yet.
	pub fn again(self) -> Self {
		Self {
			announced: 0,
			before: 0,
			..self
		}
	}

	/// A payment was good.
	pub fn paid(&mut self) {
		self.paid = true;
	}

	/// Whether it has paid yet.
	pub fn is_proven(&self) -> bool {
		self.paid
	}

	/// Whether there was something to buy for so long, and it bought less than it has to.
	pub fn has_lapsed(&self, within: Duration) -> bool {
		self.idle >= within
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const WINDOW: Duration = Duration::from_secs(2);
	/// Of a window of 480p.
	const BYTES: u64 = 375_000;

	#[tokio::test]
	async fn who_fetches_of_each_fourth_window_keeps_its_seat_and_who_fetches_nothing_does_not() {
		let (mut honest, mut free, begun) = (Keep::default(), Keep::default(), Instant::now());
		for n in 0..1_000 {
			honest.offered(u64::from(n) * BYTES, begun + n * WINDOW);
			free.offered(u64::from(n) * BYTES, begun + n * WINDOW);
			if n % 4 == 0 {
				honest.bought(LEAST);
			}
			assert!(!honest.has_lapsed(WITHIN), "{n}");
			assert_eq!(free.has_lapsed(WITHIN), n * WINDOW >= WITHIN, "{n}");
		}
	}

	#[tokio::test]
	async fn a_few_bytes_now_and_then_are_not_enough_unless_there_are_no_more() {
		for (window, lapses) in [(BYTES, true), (LEAST / 17, false)] {
			let (mut keep, begun) = (Keep::default(), Instant::now());
			for n in 0..16 {
				keep.offered(u64::from(n) * window, begun + n * WINDOW);
				keep.bought(LEAST / 17);
			}
			assert_eq!(keep.has_lapsed(WITHIN), lapses, "windows of {window} bytes");
			keep.bought(LEAST);
			assert!(!keep.has_lapsed(WITHIN), "it buys again");
		}
	}

	#[tokio::test]
	async fn pause_of_the_broadcast_costs_nobody_a_seat() {
		let (mut keep, begun) = (Keep::default(), Instant::now());
		keep.offered(0, begun);
		keep.offered(BYTES, begun + WINDOW);
		// An hour without a window.
		keep.offered(2 * BYTES, begun + Duration::from_secs(3_600));
		assert!(!keep.has_lapsed(WITHIN));
	}
}
