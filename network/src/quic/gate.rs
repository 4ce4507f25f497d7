//! Whose handshake is taken up, before anyone has proved anything: sans-IO. A handshake costs us signatures, and whoever sends one
//! datagram begins it, under any address.

use crate::door::{Crowd, Entry, Source};
use std::net::IpAddr;
use tokio::time::Instant;

/// What becomes of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<T> {
	/// It goes on, under this number; which one is given up for it.
	Accept(u64, Option<T>),
	/// It is to show first that it comes from where it says: one more round trip (QUIC's Retry).
	Prove,
	/// Nothing is answered; it is tried again by itself.
	Ignore,
}

/// Handshakes in progress; holds a `T` for each.
#[derive(Debug)]
pub struct Gate<T> {
	most: usize,
	crowd: Crowd<T>,
}

impl<T> Gate<T> {
	/// At most so many at a time.
	pub fn new(most: usize) -> Self {
		Self {
			most,
			crowd: Crowd::new(most),
		}
	}

	/// Below half load everybody is let in, however many come from one address: hundreds may sit behind one. Above it
	/// addresses are proved, and who dawdles makes room for who comes.
	pub fn judge(&mut self, from: IpAddr, proved: bool, now: Instant, holding: T) -> Verdict<T> {
		if !proved && self.crowd.len() >= self.most / 2 {
			return Verdict::Prove;
		}
		match self.crowd.enter(Source::from(from), now, holding) {
			Entry::In(id, instead) => Verdict::Accept(id, instead),
			Entry::Refused => Verdict::Ignore,
		}
	}

	/// One is over, in whatever way.
	pub fn end(&mut self, id: u64) {
		self.crowd.leave(id);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::time::Duration;

	fn ip(last: u8) -> IpAddr {
		IpAddr::from([10, 0, 0, last])
	}

	#[tokio::test]
	async fn below_half_load_nobody_is_asked_for_a_proof() {
		let now = Instant::now();
		let mut gate = Gate::new(64);
		for n in 0..32 {
			assert_eq!(gate.judge(ip(1), false, now, ()), Verdict::Accept(n, None));
		}
		assert_eq!(gate.judge(ip(1), false, now, ()), Verdict::Prove);
		assert_eq!(gate.judge(ip(2), false, now, ()), Verdict::Prove);
		gate.end(0);
		assert_eq!(gate.judge(ip(2), false, now, ()), Verdict::Accept(32, None));
	}

	/// The attack: eight addresses begin handshakes and never go on, so that all places are taken.
	#[tokio::test]
	async fn handshakes_that_do_not_go_on_shut_nobody_out() {
		let now = Instant::now();
		let mut gate = Gate::new(64);
		for n in 0..64 {
			assert_eq!(
				gate.judge(ip(n % 8), true, now, ip(n % 8)),
				Verdict::Accept(n.into(), None)
			);
		}
		assert_eq!(gate.judge(ip(3), true, now, ip(3)), Verdict::Ignore);
		assert!(matches!(
			gate.judge(ip(100), true, now, ip(100)),
			Verdict::Accept(64, Some(_))
		));
		let later = now + Duration::from_secs(1);
		let verdict = gate.judge(ip(100), true, later, ip(100));
		assert!(
			matches!(verdict, Verdict::Accept(65, Some(displaced)) if displaced != ip(100)),
			"{verdict:?}"
		);
	}
}
