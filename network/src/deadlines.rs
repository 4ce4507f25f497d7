//! When a subscription that is served has to end, and when something has to be said: sans-IO.

use crate::serve::Config;
use clustercast_protocol::{patience::HEARTBEAT, EndReason};
use tokio::time::Instant;

/// What is to be done when a deadline is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
	/// Say that we are there: the viewer would take us for dead.
	Say,
	/// End the subscription.
	End(EndReason),
}

/// See the module. One for each subscription.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
	config: Config,
	/// Since when a receipt waits to be paid, or the last payment.
	owing: Option<Instant>,
	/// Since when a window waits for credit.
	short: Option<Instant>,
	/// No more is delivered.
	closing: Option<(EndReason, Instant)>,
	/// When the viewer was told something last.
	said: Instant,
	/// When something was delivered or heard last.
	stirred: Instant,
	/// Since when the place that the viewer named is unknown.
	lost: Option<Instant>,
}

impl Deadlines {
	/// Begins to serve.
	pub fn new(config: Config, now: Instant) -> Self {
		Self {
			config,
			owing: None,
			short: None,
			closing: None,
			said: now,
			stirred: now,
			lost: None,
		}
	}

	/// A window went out.
	pub fn delivered(&mut self, now: Instant) {
		(self.short, self.lost, self.stirred) = (None, None, now);
	}

	/// The viewer said something.
	pub fn heard(&mut self, now: Instant) {
		self.stirred = now;
	}

	/// Neither the place that the viewer named is known, nor any window behind it.
	pub fn lost(&mut self, now: Instant) {
		self.lost.get_or_insert(now);
	}

	/// There is nothing newer than what the viewer has.
	pub fn found(&mut self) {
		self.lost = None;
	}

	/// There is no credit for the next window.
	pub fn short(&mut self, now: Instant) {
		self.short.get_or_insert(now);
	}

	/// A receipt was paid; others may wait to be.
	pub fn paid(&mut self, now: Instant) {
		self.owing = Some(now);
	}

	/// Whether a receipt waits to be paid.
	pub fn owes(&mut self, owes: bool, now: Instant) {
		match owes {
			true => _ = self.owing.get_or_insert(now),
			false => self.owing = None,
		}
	}

	/// The viewer was told something.
	pub fn said(&mut self, now: Instant) {
		self.said = now;
	}

	/// There is nothing more to deliver: what is unpaid may be paid for as long as viewers always have.
	pub fn finish(&mut self, now: Instant) {
		self.close(EndReason::Finished, now + self.config.pay_timeout);
	}

	/// The server stops: what is unpaid may be paid for a moment.
	pub fn stop(&mut self, now: Instant) {
		self.close(EndReason::ShuttingDown, now + self.config.stop_timeout);
	}

	/// Nothing is sold for now, for this reason of our own: what is unpaid may be paid for a moment.
	pub fn shut(&mut self, reason: EndReason, now: Instant) {
		self.close(reason, now + self.config.stop_timeout);
	}

	fn close(&mut self, reason: EndReason, at: Instant) {
		self.closing.get_or_insert((reason, at));
	}

	/// Why no more is delivered, where that is so: the end, once all is paid.
	pub fn closing(&self) -> Option<EndReason> {
		self.closing.map(|(reason, _)| reason)
	}

	/// What comes first, and when.
	pub fn next(&self) -> (Due, Instant) {
		let ends = [
			self.closing,
			self.owing
				.map(|since| (EndReason::Unpaid, since + self.config.pay_timeout)),
			self.short
				.map(|since| (EndReason::ReservationNeeded, since + self.config.credit_timeout)),
			self.lost
				.map(|since| (EndReason::WindowGone, since + self.config.lost_timeout)),
			Some((EndReason::Idle, self.stirred + self.config.idle_timeout)),
		];
		let end = ends.into_iter().flatten().min_by_key(|(_, at)| *at);
		let say = self.said + HEARTBEAT;
		match end {
			Some((reason, at)) if at <= say => (Due::End(reason), at),
			_ => (Due::Say, say),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{Hash, PublicKey};
	use std::time::Duration;

	const SECOND: Duration = Duration::from_secs(1);

	/// 20 s to pay, 60 s to reserve, 1 s at the end.
	fn begin() -> (Deadlines, Instant, Config) {
		let config = Config::new(Hash([0; 32]), PublicKey([0; 32]));
		let now = Instant::now();
		(Deadlines::new(config, now), now, config)
	}

	/// Says whatever is to be said in between; what ends it, and when.
	fn end(mut deadlines: Deadlines) -> (EndReason, Instant) {
		for _ in 0..1_000 {
			match deadlines.next() {
				(Due::Say, at) => deadlines.said(at),
				(Due::End(reason), at) => return (reason, at),
			}
		}
		panic!("it never ends: {deadlines:?}");
	}

	#[tokio::test]
	async fn who_owes_nothing_is_never_ended_and_hears_of_us() {
		let (mut deadlines, now, _) = begin();
		for n in 1..10_000 {
			assert_eq!(deadlines.next(), (Due::Say, now + n * HEARTBEAT));
			deadlines.said(now + n * HEARTBEAT);
			deadlines.delivered(now + n * HEARTBEAT);
		}
	}

	#[tokio::test]
	async fn each_payment_gives_time_for_the_next() {
		let (mut deadlines, now, config) = begin();
		deadlines.owes(true, now);
		deadlines.owes(true, now + 5 * SECOND);
		assert_eq!(end(deadlines), (EndReason::Unpaid, now + config.pay_timeout));
		deadlines.paid(now + 19 * SECOND);
		assert_eq!(
			end(deadlines),
			(EndReason::Unpaid, now + 19 * SECOND + config.pay_timeout)
		);
		deadlines.owes(false, now + 20 * SECOND);
		assert_eq!(deadlines.next(), (Due::Say, now + HEARTBEAT));
	}

	/// The attack: a seat that costs nothing, since nothing is ever delivered to it.
	#[tokio::test]
	async fn who_is_served_nothing_and_says_nothing_is_ended() {
		let (mut deadlines, now, config) = begin();
		assert_eq!(end(deadlines), (EndReason::Idle, now + config.idle_timeout));
		deadlines.heard(now + SECOND);
		assert_eq!(end(deadlines), (EndReason::Idle, now + SECOND + config.idle_timeout));
		deadlines.delivered(now + 2 * SECOND);
		assert_eq!(
			end(deadlines),
			(EndReason::Idle, now + 2 * SECOND + config.idle_timeout)
		);
	}

	#[tokio::test]
	async fn place_that_stays_unknown_is_told_so_and_one_that_comes_is_not() {
		let (mut deadlines, now, config) = begin();
		deadlines.lost(now);
		deadlines.lost(now + 5 * SECOND);
		let gone = (EndReason::WindowGone, now + config.lost_timeout);
		assert_eq!(end(deadlines), gone);
		deadlines.heard(now + 6 * SECOND);
		assert_eq!(end(deadlines), gone, "whatever it says");
		let mut found = deadlines;
		found.found();
		assert_eq!(end(found).0, EndReason::Idle);
		deadlines.delivered(now + 7 * SECOND);
		assert_eq!(end(deadlines).0, EndReason::Idle);
	}

	#[tokio::test]
	async fn who_has_no_credit_is_told_so_and_a_window_takes_it_back() {
		let (mut deadlines, now, config) = begin();
		deadlines.short(now);
		deadlines.short(now + 30 * SECOND);
		assert_eq!(
			end(deadlines),
			(EndReason::ReservationNeeded, now + config.credit_timeout)
		);
		deadlines.delivered(now + 40 * SECOND);
		assert!(matches!(deadlines.next(), (Due::Say, _)));
	}

	#[tokio::test]
	async fn shop_that_is_shut_leaves_a_moment_to_pay_for_what_went_out() {
		let (mut deadlines, now, config) = begin();
		deadlines.owes(true, now);
		deadlines.shut(EndReason::CannotStore, now + SECOND);
		deadlines.shut(EndReason::CannotStore, now + 2 * SECOND);
		assert_eq!(deadlines.closing(), Some(EndReason::CannotStore), "no more goes out");
		assert_eq!(
			end(deadlines),
			(EndReason::CannotStore, now + SECOND + config.stop_timeout)
		);
	}

	#[tokio::test]
	async fn first_reason_to_close_counts_and_leaves_time_to_pay() {
		let (mut deadlines, now, config) = begin();
		assert_eq!(deadlines.closing(), None);
		deadlines.owes(true, now);
		deadlines.stop(now + SECOND);
		deadlines.finish(now + SECOND);
		assert_eq!(deadlines.closing(), Some(EndReason::ShuttingDown));
		assert_eq!(
			end(deadlines),
			(EndReason::ShuttingDown, now + SECOND + config.stop_timeout)
		);
	}
}
