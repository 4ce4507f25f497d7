//! How often something is reserved for a relayer that we buy from: each time it has a reward, whatever it sells us. Sans-IO.

use clustercast_primitives::AccountId;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// So often at most within [`REWARDED`].
const MOST: usize = 6;

/// As long as a small reservation lasts at the usual price, at least.
const REWARDED: Duration = Duration::from_secs(900);

/// When something was reserved for an account, of late.
#[derive(Debug, Default)]
pub struct Rewards(HashMap<AccountId, Vec<Instant>>);

impl Rewards {
	/// Whether something may be reserved for this account now: it is rewarded for each, and might end with each.
	pub fn may(&mut self, account: &AccountId, now: Instant) -> bool {
		self.0.retain(|_, times| {
			times.retain(|at| now.saturating_duration_since(*at) < REWARDED);
			!times.is_empty()
		});
		self.0.get(account).is_none_or(|times| times.len() < MOST)
	}

	/// Something was.
	pub fn note(&mut self, account: AccountId, now: Instant) {
		self.0.entry(account).or_default().push(now);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The attack: a relayer takes a reservation, ends the subscription, and is bought from again.
	#[tokio::test]
	async fn something_is_reserved_for_a_relayer_six_times_in_a_quarter_of_an_hour() {
		let (mut rewards, begun) = (Rewards::default(), Instant::now());
		let (greedy, other) = (AccountId([1; 32]), AccountId([2; 32]));
		let mut times = Vec::new();
		for second in 0..3_600 {
			let now = begun + Duration::from_secs(second);
			if rewards.may(&greedy, now) {
				rewards.note(greedy, now);
				times.push(second);
			}
			assert!(rewards.may(&other, now), "others have their own");
		}
		let first: Vec<_> = (0..6).flat_map(|n| [n, n + 900, n + 1_800, n + 2_700]).collect();
		let (mut expected, mut had) = (first, times);
		expected.sort_unstable();
		had.sort_unstable();
		assert_eq!(had, expected);
		let later = begun + Duration::from_secs(7_200);
		assert!(
			rewards.may(&greedy, later) && rewards.0.is_empty(),
			"nothing is remembered for ever"
		);
	}
}
