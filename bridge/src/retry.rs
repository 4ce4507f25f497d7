//! When what failed is tried again, and what is given up: sans-IO, and the one place where that is decided.
//!
//! | what failed | then |
//! | --- | --- |
//! | a look at either chain | again after 1 s, twice as long each time, at most 30 s |
//! | because a provider wants fewer requests (429, -32005) | again after 4 s or what it asks for, twice as long each time, at most 2 min |
//! | a withdrawal, under a root that was replaced meanwhile | again with the next look |
//! | a withdrawal, for anything else that may pass: USDC is paused, its recipient is blacklisted | again after 12 s, twice as long each time, at most 1 h |
//! | a withdrawal whose transaction ran and failed | the same: it was an attempt |
//! | a withdrawal that was paid in a block that is not final | looked at again in the same pauses, and executed where it is paid no more |
//! | a withdrawal that a final block paid, or that no vault of this chain can pay | never |

use crate::abi::{LightClient::LightClientErrors, Revert, Vault::VaultErrors};
use std::time::{Duration, Instant};

/// Pause after a failure, at first; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// And at most this long: after ten minutes' outage the agent is back within half of one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The same where a provider wants fewer requests.
const FIRST_REST: Duration = Duration::from_secs(4);

/// Limits of providers are by the second, the minute or the day: two minutes is soon for the first two, and little for the last.
const LONGEST_REST: Duration = Duration::from_secs(120);

/// Pause after a withdrawal was refused, at first.
const FIRST_HOLD: Duration = Duration::from_secs(12);

/// A pause of USDC takes hours, a blacklisting years; each attempt is a few requests.
const LONGEST_HOLD: Duration = Duration::from_secs(3_600);

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
	/// A provider wants fewer requests, and says perhaps after what time.
	Limited(Option<Duration>),
	/// Anything else.
	Other,
}

/// Pauses of something that is done again and again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
	failures: u32,
}

impl Backoff {
	/// It went well.
	pub fn well(&mut self) {
		self.failures = 0;
	}

	/// It failed: how long to wait before the next attempt.
	pub fn failed(&mut self, trouble: Trouble) -> Duration {
		let (first, most) = match trouble {
			Trouble::Limited(_) => (FIRST_REST, LONGEST_REST),
			Trouble::Other => (FIRST_PAUSE, LONGEST_PAUSE),
		};
		let pause = doubled(first, self.failures, most);
		self.failures = self.failures.saturating_add(1);
		match trouble {
			// What is asked for counts, but nobody's word stops us for long.
			Trouble::Limited(Some(asked)) => pause.max(asked.min(LONGEST_REST)),
			_ => pause,
		}
	}
}

/// `first`, doubled so often, at most `most`.
fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
	first
		.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX))
		.min(most)
}

/// What the vault's refusal of a withdrawal says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
	/// It was paid.
	Paid,
	/// This vault never pays it: it names another L2, or is of a kind that it does not know. The proof for it was right.
	Never,
	/// Its root was replaced between our look and our call.
	Stale,
	/// It may pass.
	Held,
}

/// Judges what the vault or USDC reverted with. Whatever is not proven to last is taken for what passes.
pub fn judge(revert: &Revert) -> Verdict {
	match revert {
		Revert::Vault(VaultErrors::AlreadyExecuted(_)) => Verdict::Paid,
		Revert::Vault(VaultErrors::OtherL2(_) | VaultErrors::UnknownKind(_)) => Verdict::Never,
		Revert::Vault(VaultErrors::NoRoot(_) | VaultErrors::WrongLeaf(_)) => Verdict::Stale,
		Revert::LightClient(LightClientErrors::StaleBlock(_) | LightClientErrors::StaleSet(_)) => Verdict::Stale,
		_ => Verdict::Held,
	}
}

/// Attempts at one withdrawal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
	failures: u32,
	/// Not before.
	next: Option<Instant>,
}

impl Attempts {
	/// Whether it is to be tried now.
	pub fn due(&self, now: Instant) -> bool {
		self.next.is_none_or(|next| now >= next)
	}

	/// It was held up: how long it waits.
	pub fn held(&mut self, now: Instant) -> Duration {
		let pause = doubled(FIRST_HOLD, self.failures, LONGEST_HOLD);
		self.failures = self.failures.saturating_add(1);
		self.next = now.checked_add(pause);
		pause
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::abi::{LightClient, Usdc, Vault};
	use alloy::sol_types::SolError;

	fn seconds(pauses: impl IntoIterator<Item = Duration>) -> Vec<u64> {
		pauses.into_iter().map(|pause| pause.as_secs()).collect()
	}

	#[test]
	fn pauses_grow_and_begin_anew_when_all_is_well() {
		let mut backoff = Backoff::default();
		let pauses = (0..7).map(|_| backoff.failed(Trouble::Other));
		assert_eq!(seconds(pauses), [1, 2, 4, 8, 16, 30, 30]);
		backoff.well();
		assert_eq!(backoff.failed(Trouble::Other), Duration::from_secs(1));
		let mut backoff = Backoff { failures: u32::MAX };
		assert_eq!(backoff.failed(Trouble::Other), LONGEST_PAUSE, "for ever");
	}

	#[test]
	fn provider_that_wants_fewer_requests_gets_them_and_stops_nobody_for_long() {
		let mut backoff = Backoff::default();
		let pauses = (0..7).map(|_| backoff.failed(Trouble::Limited(None)));
		assert_eq!(seconds(pauses), [4, 8, 16, 32, 64, 120, 120]);
		let mut asked = |seconds| {
			backoff.well();
			backoff
				.failed(Trouble::Limited(Some(Duration::from_secs(seconds))))
				.as_secs()
		};
		assert_eq!((asked(1), asked(40), asked(86_400)), (4, 40, 120));
	}

	#[test]
	fn withdrawal_is_given_up_only_on_a_proven_cause() {
		let revert = |raw: Vec<u8>| judge(&Revert::decode(&raw.into()));
		assert_eq!(revert(Vault::AlreadyExecuted { id: 3 }.abi_encode()), Verdict::Paid);
		assert_eq!(revert(Vault::OtherL2 { l2: 1 }.abi_encode()), Verdict::Never);
		assert_eq!(revert(Vault::UnknownKind { kind: 1 }.abi_encode()), Verdict::Never);
		let stale = LightClient::StaleBlock {
			blockNumber: 1,
			newest: 2,
		};
		for raw in [
			Vault::NoRoot { slot: 1 }.abi_encode(),
			Vault::WrongLeaf {}.abi_encode(),
			stale.abi_encode(),
		] {
			assert_eq!(revert(raw), Verdict::Stale);
		}
		let said = |reason: &str| alloy::sol_types::Revert::from(reason).abi_encode();
		let failed = Usdc::SafeERC20FailedOperation {
			token: Default::default(),
		};
		for raw in [
			said("Pausable: paused"),
			said("Blacklistable: account is blacklisted"),
			failed.abi_encode(),
			Vault::WrongWithdrawal { id: 1 }.abi_encode(),
			vec![],
			vec![1, 2, 3, 4],
		] {
			assert_eq!(revert(raw.clone()), Verdict::Held, "{raw:?}");
		}
	}

	#[test]
	fn withdrawal_that_is_held_up_for_days_is_tried_each_hour() {
		let start = Instant::now();
		let (mut attempts, mut now, mut tried) = (Attempts::default(), start, 0);
		while now < start + Duration::from_secs(3 * 86_400) {
			assert!(attempts.due(now));
			let pause = attempts.held(now);
			assert!(!attempts.due(now + pause - Duration::from_millis(1)));
			now += pause;
			tried += 1;
		}
		assert!((72..85).contains(&tried), "{tried} attempts");
	}
}
