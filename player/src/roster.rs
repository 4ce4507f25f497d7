//! Which relayer to try next. Pure: the time is an argument, counted from the start of the run.

use clustercast_network::Address;
use clustercast_primitives::{chain::RelayerInfo, PublicKey};
use std::time::Duration;

/// Rest after a first failure; doubles with each further one in a row.
pub const FIRST_REST: Duration = Duration::from_secs(1);

/// Longest rest: a relayer that comes back is noticed within a minute.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// A relayer that may be watched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayer {
	/// Its receipt key, which is also its peer.
	pub key: PublicKey,
	/// Where it listens; tried in this order. At least one.
	pub addresses: Vec<Address>,
	/// Asking price by the registry, micro-USDC per 10^6 bytes; `None` where it was given by hand.
	pub price_per_mb: Option<u64>,
}

impl Relayer {
	/// From the registry: `None` for one that is leaving, too dear, or without an address that we understand.
	pub fn registered(info: &RelayerInfo, max_price_per_mb: u64) -> Option<Self> {
		if info.unbonds_at.is_some() || info.price_per_mb > max_price_per_mb {
			return None;
		}
		let addresses = info.addresses.iter();
		let addresses: Vec<_> = addresses
			.filter_map(|a| Address::new(a, &info.signing_key).ok())
			.collect();
		(!addresses.is_empty()).then_some(Self {
			key: info.signing_key,
			addresses,
			price_per_mb: Some(info.price_per_mb),
		})
	}
}

/// Relayers given by hand, in this order; several addresses of one peer are one relayer.
pub fn given(addresses: &[Address]) -> Vec<Relayer> {
	let mut relayers: Vec<Relayer> = Vec::new();
	for address in addresses {
		match relayers.iter_mut().find(|r| r.key == address.peer()) {
			Some(relayer) => relayer.addresses.push(address.clone()),
			None => relayers.push(Relayer {
				key: address.peer(),
				addresses: vec![address.clone()],
				price_per_mb: None,
			}),
		}
	}
	relayers
}

/// How an attempt at a relayer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
	/// It was caught at a fault. Never again in this run.
	Fault,
	/// Its terms are not acceptable. Never again in this run.
	Refused,
	/// Unreachable, stalled, lost, or it ended the subscription: may be tried again after a rest.
	Failed,
	/// It no longer has the window to go on behind.
	Gone,
	/// It says that the broadcast is over.
	Finished,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
	/// Try this relayer.
	Try(Relayer),
	/// Nobody can be tried for so long.
	Wait(Duration),
	/// Nobody has the window to go on behind any more: leave a gap and begin live.
	GoLive,
	/// Somebody says that the broadcast is over, and nobody else can be asked.
	Finished,
	/// Everyone is out, or nobody is known.
	Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
	Ready,
	Resting(Duration),
	Gone,
	Finished,
	Out,
}

#[derive(Debug)]
struct Candidate {
	relayer: Relayer,
	standing: Standing,
	failures: u32,
}

/// The relayers known, in order of preference.
#[derive(Debug, Default)]
pub struct Roster {
	candidates: Vec<Candidate>,
}

impl Roster {
	/// In the order given, as far as not known yet; the known keep their standing and get the new addresses and price.
	pub fn add(&mut self, relayers: impl IntoIterator<Item = Relayer>) {
		for relayer in relayers {
			match self.candidates.iter_mut().find(|c| c.relayer.key == relayer.key) {
				Some(known) => known.relayer = relayer,
				None => self.candidates.push(Candidate {
					relayer,
					standing: Standing::Ready,
					failures: 0,
				}),
			}
		}
	}

	/// Cheapest first; equal prices keep their order.
	pub fn sort_by_price(&mut self) {
		self.candidates
			.sort_by_key(|c| c.relayer.price_per_mb.unwrap_or(u64::MAX));
	}

	/// Whether nobody was ever added.
	pub fn is_empty(&self) -> bool {
		self.candidates.is_empty()
	}

	/// What to do at `now`.
	pub fn next(&mut self, now: Duration) -> Next {
		let ready = |c: &&Candidate| match c.standing {
			Standing::Ready => true,
			Standing::Resting(until) => until <= now,
			_ => false,
		};
		if let Some(candidate) = self.candidates.iter().find(ready) {
			return Next::Try(candidate.relayer.clone());
		}
		// One relayer's word ends a broadcast only when there is nobody to contradict it.
		if self.candidates.iter().any(|c| c.standing == Standing::Finished) {
			return Next::Finished;
		}
		if self.candidates.iter().any(|c| c.standing == Standing::Gone) {
			self.forget(Standing::Gone);
			return Next::GoLive;
		}
		let rests = self.candidates.iter().filter_map(|c| match c.standing {
			Standing::Resting(until) => Some(until),
			_ => None,
		});
		match rests.min() {
			Some(until) => Next::Wait(until.saturating_sub(now)),
			None => Next::Nobody,
		}
	}

	/// Notes how an attempt ended at `now`; `served` when it brought at least one window.
	pub fn report(&mut self, key: &PublicKey, ending: Ending, served: bool, now: Duration) {
		if served {
			// The broadcast went on: who said that it was over, or that the place was gone, may be asked again.
			self.forget(Standing::Finished);
			self.forget(Standing::Gone);
		}
		let Some(candidate) = self.candidates.iter_mut().find(|c| c.relayer.key == *key) else {
			return;
		};
		if served {
			candidate.failures = 0;
		}
		candidate.standing = match ending {
			Ending::Fault | Ending::Refused => Standing::Out,
			Ending::Gone => Standing::Gone,
			Ending::Finished => Standing::Finished,
			Ending::Failed => {
				let rest = FIRST_REST
					.saturating_mul(1 << candidate.failures.min(16))
					.min(LONGEST_REST);
				candidate.failures = candidate.failures.saturating_add(1);
				Standing::Resting(now + rest)
			},
		};
	}

	fn forget(&mut self, standing: Standing) {
		self.candidates
			.iter_mut()
			.filter(|c| c.standing == standing)
			.for_each(|c| c.standing = Standing::Ready);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	fn relayer(seed: u8, price: Option<u64>) -> Relayer {
		let key = KeyPair::from_seed([seed; 32]).public();
		Relayer {
			key,
			addresses: vec![Address::new("/ip4/127.0.0.1/udp/1/quic-v1", &key).unwrap()],
			price_per_mb: price,
		}
	}

	fn roster(relayers: &[Relayer]) -> Roster {
		let mut roster = Roster::default();
		roster.add(relayers.iter().cloned());
		roster
	}

	fn at(seconds: u64) -> Duration {
		Duration::from_secs(seconds)
	}

	#[test]
	fn cheapest_comes_first_and_given_order_decides_between_equals() {
		let (a, b, c, d) = (
			relayer(1, Some(30)),
			relayer(2, Some(10)),
			relayer(3, Some(10)),
			relayer(4, None),
		);
		let mut sorted = roster(&[d.clone(), a.clone(), b.clone(), c.clone()]);
		sorted.sort_by_price();
		for expected in [&b, &c, &a, &d] {
			assert_eq!(sorted.next(at(0)), Next::Try(expected.clone()));
			sorted.report(&expected.key, Ending::Refused, false, at(0));
		}
		assert_eq!(sorted.next(at(0)), Next::Nobody);
	}

	#[test]
	fn caught_relayer_is_never_tried_again() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[a.clone(), b.clone()]);
		roster.report(&a.key, Ending::Fault, true, at(1));
		assert_eq!(roster.next(at(1)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Failed, false, at(1));
		assert_eq!(roster.next(at(1)), Next::Wait(FIRST_REST));
		// Neither time, nor its being announced anew, nor the others' failing brings it back.
		roster.add([a.clone()]);
		assert_eq!(roster.next(at(1_000_000)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Fault, false, at(1_000_000));
		assert_eq!(roster.next(at(9_000_000)), Next::Nobody);
	}

	#[test]
	fn stalled_relayer_rests_longer_each_time_and_serving_forgives() {
		let a = relayer(1, None);
		let mut roster = roster(std::slice::from_ref(&a));
		let mut now = Duration::ZERO;
		for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
			roster.report(&a.key, Ending::Failed, false, now);
			assert_eq!(roster.next(now), Next::Wait(at(expected)));
			now += at(expected);
			assert_eq!(roster.next(now), Next::Try(a.clone()));
		}
		roster.report(&a.key, Ending::Failed, true, now);
		assert_eq!(roster.next(now), Next::Wait(FIRST_REST));
	}

	#[test]
	fn broadcast_is_over_only_when_nobody_else_can_be_asked() {
		let (a, b, c) = (relayer(1, None), relayer(2, None), relayer(3, None));
		let mut roster = roster(&[a.clone(), b.clone(), c.clone()]);
		roster.report(&a.key, Ending::Finished, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(b.clone()));
		// b proves a wrong: a may be asked again when b fails.
		roster.report(&b.key, Ending::Fault, true, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(a.clone()));
		roster.report(&a.key, Ending::Finished, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(c.clone()));
		roster.report(&c.key, Ending::Failed, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Finished);
	}

	#[test]
	fn gap_is_left_only_when_nobody_has_the_window() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[a.clone(), b.clone()]);
		roster.report(&a.key, Ending::Gone, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Gone, false, at(0));
		assert_eq!(roster.next(at(0)), Next::GoLive);
		assert_eq!(roster.next(at(0)), Next::Try(a.clone()));
	}

	#[test]
	fn nobody_is_known_at_first() {
		assert_eq!(Roster::default().next(at(0)), Next::Nobody);
	}

	#[test]
	fn registry_is_filtered() {
		let key = relayer(1, None).key;
		let info = RelayerInfo {
			account: clustercast_primitives::AccountId([1; 32]),
			signing_key: key,
			addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into(), "nonsense".into()],
			price_per_mb: 10,
			bond: 0,
			unbonds_at: None,
		};
		assert_eq!(Relayer::registered(&info, 10), Some(relayer(1, Some(10))));
		assert_eq!(Relayer::registered(&info, 9), None, "too dear");
		let leaving = RelayerInfo {
			unbonds_at: Some(1),
			..info.clone()
		};
		assert_eq!(Relayer::registered(&leaving, 10), None);
		let lost = RelayerInfo {
			addresses: vec!["nonsense".into()],
			..info
		};
		assert_eq!(Relayer::registered(&lost, 10), None);
	}

	#[test]
	fn addresses_of_one_peer_are_one_relayer() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let (a1, b1) = (a.addresses[0].clone(), b.addresses[0].clone());
		let a2 = Address::new("/ip4/127.0.0.2/udp/2/quic-v1", &a.key).unwrap();
		let relayers = given(&[a1.clone(), b1, a2.clone()]);
		assert_eq!(relayers.len(), 2);
		assert_eq!(relayers[0].addresses, [a1, a2]);
	}
}
