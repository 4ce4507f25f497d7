//! `[policy]`: what the operator carries at all, and for how much at least. Pure.

use super::streams::Stream;
use clustercast_primitives::StreamId;
use clustercast_protocol::EndReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The table of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
	/// Streams that are carried; all if `None`.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub allowed: Option<Vec<u64>>,
	/// Streams that are not, whatever is allowed.
	pub denied: Vec<u64>,
	/// Micro-USDC per 10^9 bytes: nothing is carried for less.
	pub least_price_per_gb: u64,
	/// Streams at a time.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub most_streams: Option<usize>,
}

/// Checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
	allowed: Option<BTreeSet<u64>>,
	denied: BTreeSet<u64>,
	least_price_per_gb: u64,
}

/// What is to be relayed and must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
	/// A stream.
	#[error("stream {0} is to be relayed, and [policy] does not allow it")]
	Denied(StreamId),
	/// A price.
	#[error(
		"stream {stream} is to be relayed for {asked} micro-USDC per GB, and least_price_per_gb of [policy] is {least}"
	)]
	TooCheap {
		/// Of which.
		stream: StreamId,
		/// What is asked when it is quiet.
		asked: u64,
		/// As it is written.
		least: u64,
	},
	/// A number.
	#[error("{count} streams are to be relayed, and most_streams of [policy] is {most}")]
	TooMany {
		/// Tables.
		count: usize,
		/// As it is written.
		most: usize,
	},
}

impl PolicySettings {
	/// Whether these may be relayed.
	pub fn check(self, streams: &[Stream]) -> Result<Policy, PolicyError> {
		let policy = Policy {
			allowed: self.allowed.map(BTreeSet::from_iter),
			denied: BTreeSet::from_iter(self.denied),
			least_price_per_gb: self.least_price_per_gb,
		};
		if let Some(most) = self.most_streams.filter(|most| streams.len() > *most) {
			let count = streams.len();
			return Err(PolicyError::TooMany { count, most });
		}
		for stream in streams {
			if !policy.admits(stream.id) {
				return Err(PolicyError::Denied(stream.id));
			}
			if stream.price_per_gb < policy.least_price_per_gb {
				return Err(PolicyError::TooCheap {
					stream: stream.id,
					asked: stream.price_per_gb,
					least: policy.least_price_per_gb,
				});
			}
		}
		Ok(policy)
	}
}

impl Policy {
	/// Whether a stream may be carried at all.
	pub fn admits(&self, stream: StreamId) -> bool {
		let allowed = self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&stream.0));
		allowed && !self.denied.contains(&stream.0)
	}

	/// Why nobody is served a stream that is not relayed here.
	pub fn refusal(&self, stream: StreamId) -> EndReason {
		match self.admits(stream) {
			true => EndReason::NotServed,
			false => EndReason::Denied,
		}
	}

	/// Whether it may be sold at this price, micro-USDC per 10^9 bytes: the stream key may allow no other.
	pub fn judge(&self, price_per_gb: u64) -> Result<(), EndReason> {
		match price_per_gb < self.least_price_per_gb {
			// The price that the key allows may be another one tomorrow.
			true => Err(EndReason::NotServed),
			false => Ok(()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn stream(id: u64, price_per_gb: u64) -> Stream {
		Stream {
			id: StreamId(id),
			upstreams: Vec::new(),
			price_per_gb,
			highest_price_per_gb: price_per_gb,
			max_viewers: 1,
			on_demand: None,
			standbys: 1,
		}
	}

	fn policy(settings: PolicySettings) -> Policy {
		settings.check(&[]).unwrap()
	}

	#[test]
	fn what_is_denied_is_not_carried_and_nothing_else_than_what_is_allowed() {
		let all = policy(PolicySettings::default());
		assert_eq!(all.refusal(StreamId(3)), EndReason::NotServed);
		let denies = policy(PolicySettings {
			denied: vec![3],
			..PolicySettings::default()
		});
		assert_eq!(
			[3, 4].map(|id| denies.refusal(StreamId(id))),
			[EndReason::Denied, EndReason::NotServed]
		);
		let allows = policy(PolicySettings {
			allowed: Some(vec![3, 4]),
			denied: vec![3],
			..PolicySettings::default()
		});
		assert_eq!([3, 4, 5].map(|id| allows.admits(StreamId(id))), [false, true, false]);
	}

	#[test]
	fn nothing_is_sold_below_the_least_price() {
		let policy = policy(PolicySettings {
			least_price_per_gb: 10,
			..PolicySettings::default()
		});
		assert_eq!(
			[9, 10].map(|price| policy.judge(price)),
			[Err(EndReason::NotServed), Ok(())]
		);
	}

	#[test]
	fn tables_that_the_policy_forbids_are_refused_by_name() {
		let settings = PolicySettings {
			denied: vec![3],
			least_price_per_gb: 10,
			most_streams: Some(2),
			..PolicySettings::default()
		};
		let check = |streams: &[Stream]| settings.clone().check(streams).map(drop);
		assert_eq!(check(&[stream(1, 10), stream(2, 10)]), Ok(()));
		assert_eq!(check(&[stream(3, 10)]), Err(PolicyError::Denied(StreamId(3))));
		let cheap = PolicyError::TooCheap {
			stream: StreamId(2),
			asked: 9,
			least: 10,
		};
		assert_eq!(check(&[stream(1, 10), stream(2, 9)]), Err(cheap));
		let many = [1, 2, 4].map(|id| stream(id, 10));
		assert_eq!(check(&many), Err(PolicyError::TooMany { count: 3, most: 2 }));
	}
}
