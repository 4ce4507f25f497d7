//! What is remembered of accounts that pay, whatever keys they come with: how long their seats were idle, how
//! long they waited in them for what we did not have, and what they bought lately.

use super::lately::{Lately, Sum};
use clustercast_primitives::AccountId;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Each second in which a seat was idle, or we lacked what it waited for, is forgotten after so many.
const FORGOTTEN_AFTER: u32 = 10;

/// Who bought something within twice this is known.
const PERIOD: Duration = Duration::from_secs(300);

/// Accounts that are remembered; beyond it the one that was heard of least lately is forgotten. Some 200 bytes each.
const MOST: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Payer {
	/// For how long it had seats for nothing, as of then.
	idle: Duration,
	at: Instant,
	/// For how long it waited for what we did not have, as of then.
	lacked: Duration,
	lacked_at: Instant,
	bought: Lately,
	heard: Instant,
}

impl Payer {
	fn new(now: Instant) -> Self {
		Self {
			idle: Duration::ZERO,
			at: now,
			lacked: Duration::ZERO,
			lacked_at: now,
			bought: Lately::new(PERIOD),
			heard: now,
		}
	}

	fn idle(&self, now: Instant) -> Duration {
		let passed = now.saturating_duration_since(self.at);
		self.idle.saturating_sub(passed / FORGOTTEN_AFTER)
	}

	fn lacked(&self, now: Instant) -> Duration {
		let passed = now.saturating_duration_since(self.lacked_at);
		self.lacked.saturating_sub(passed / FORGOTTEN_AFTER)
	}

	fn is_known(&self, now: Instant) -> bool {
		!self.idle(now).is_zero() || !self.lacked(now).is_zero() || self.bought.sum(now) != Sum::default()
	}
}

/// See the module.
#[derive(Debug, Default)]
pub struct Payers(HashMap<AccountId, Payer>);

impl Payers {
	/// One of its seats was kept for nothing for so long; no more than `most` is held against it.
	pub fn idled(&mut self, account: AccountId, idle: Duration, most: Duration, now: Instant) {
		if !idle.is_zero() {
			let payer = self.of(account, now);
			(payer.idle, payer.at) = ((payer.idle(now) + idle).min(most), now);
		}
	}

	/// It waited so long in one of its seats for what we did not have.
	pub fn waited(&mut self, account: AccountId, lacked: Duration, now: Instant) {
		if !lacked.is_zero() {
			let payer = self.of(account, now);
			(payer.lacked, payer.lacked_at) = (payer.lacked(now) + lacked, now);
		}
	}

	/// For how long it did, as far as that is not forgotten.
	pub fn lacked(&self, account: &AccountId, now: Instant) -> Duration {
		self.0.get(account).map_or(Duration::ZERO, |payer| payer.lacked(now))
	}

	/// It paid for so many bytes.
	pub fn bought(&mut self, account: AccountId, bytes: u64, now: Instant) {
		let bought = Sum {
			offered: 0,
			bought: bytes,
		};
		self.of(account, now).bought.note(bought, now);
	}

	/// For how long it had seats for nothing, as far as that is not forgotten.
	pub fn idle(&self, account: &AccountId, now: Instant) -> Duration {
		self.0.get(account).map_or(Duration::ZERO, |payer| payer.idle(now))
	}

	/// When no more than `most` of that is left.
	pub fn rests(&self, account: &AccountId, most: Duration, now: Instant) -> Option<Duration> {
		let left = self.idle(account, now).saturating_sub(most);
		(!left.is_zero()).then_some(left * FORGOTTEN_AFTER)
	}

	/// Bytes that it paid for lately.
	pub fn has_bought(&self, account: &AccountId, now: Instant) -> u64 {
		self.0.get(account).map_or(0, |payer| payer.bought.sum(now).bought)
	}

	fn of(&mut self, account: AccountId, now: Instant) -> &mut Payer {
		if self.0.len() >= MOST && !self.0.contains_key(&account) {
			self.0.retain(|_, payer| payer.is_known(now));
			let oldest = self.0.iter().min_by_key(|(_, payer)| payer.heard);
			let oldest = oldest.map(|(account, _)| *account);
			if let (Some(oldest), true) = (oldest, self.0.len() >= MOST) {
				self.0.remove(&oldest);
			}
		}
		let payer = self.0.entry(account).or_insert_with(|| Payer::new(now));
		payer.heard = now;
		payer
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn account(n: usize) -> AccountId {
		AccountId(std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(0)))
	}

	const SECOND: Duration = Duration::from_secs(1);

	#[tokio::test]
	async fn what_an_account_was_idle_for_is_forgotten_by_and_by_and_it_is_known_when() {
		let (mut payers, one, now) = (Payers::default(), account(1), Instant::now());
		payers.idled(one, 20 * SECOND, 60 * SECOND, now);
		assert_eq!(payers.rests(&one, 10 * SECOND, now), Some(100 * SECOND));
		assert_eq!(payers.rests(&one, 10 * SECOND, now + 99 * SECOND), Some(SECOND));
		assert_eq!(payers.rests(&one, 10 * SECOND, now + 100 * SECOND), None);
		// What comes on top of it begins from what is left.
		payers.idled(one, 5 * SECOND, 60 * SECOND, now + 100 * SECOND);
		assert_eq!(payers.idle(&one, now + 100 * SECOND), 15 * SECOND);
		(0..9).for_each(|_| payers.idled(one, 20 * SECOND, 60 * SECOND, now + 100 * SECOND));
		assert_eq!(payers.idle(&one, now + 100 * SECOND), 60 * SECOND, "no more than that");
		assert_eq!(payers.idle(&one, now + 700 * SECOND), Duration::ZERO);
		assert_eq!(payers.rests(&account(2), Duration::ZERO, now), None);
	}

	#[tokio::test]
	async fn who_bought_something_is_known_for_a_while() {
		let (mut payers, one, now) = (Payers::default(), account(1), Instant::now());
		payers.bought(one, 5, now);
		payers.bought(one, 6, now + SECOND);
		assert_eq!(payers.has_bought(&one, now + PERIOD), 11);
		assert_eq!(payers.has_bought(&one, now + 3 * PERIOD), 0);
	}

	#[tokio::test]
	async fn who_is_remembered_is_bounded_and_the_newest_of_them_are() {
		let (mut payers, now) = (Payers::default(), Instant::now());
		for n in 0..MOST + 5 {
			payers.idled(
				account(n),
				20 * SECOND,
				60 * SECOND,
				now + Duration::from_millis(n as u64),
			);
		}
		assert_eq!(payers.0.len(), MOST);
		assert!(payers.0.contains_key(&account(MOST + 4)) && !payers.0.contains_key(&account(4)));
		// Whom nothing is known of any more makes room first.
		payers.bought(account(MOST + 9), 1, now + 3_600 * SECOND);
		assert_eq!(payers.0.len(), 1);
	}
}
