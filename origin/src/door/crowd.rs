//! Who of many strangers goes where there is no room for one more. Sans-IO: randomness is an argument.
//!
//! | rule | so |
//! | --- | --- |
//! | each stage of a connection has room of its own | who says nothing drives out nobody who has said something |
//! | who goes has the address of which most are there | one machine drives out its own, and nobody elsewhere |
//! | one of the older half of them goes | who has just come has time for its next word, up to half the room at once |
//! | which one is chance | none is driven out for certain, however many come |

use clustercast_media::rtmp::Progress;
use rand::{seq::SliceRandom, Rng};
use std::{
	collections::HashMap,
	net::{IpAddr, Ipv6Addr},
	time::Instant,
};

/// Most strangers at a stage. Each costs a file (systems give 1,024), and at most 300 kB once it shook hands.
pub const fn room(stage: Progress) -> usize {
	match stage {
		// They hold no more than a part of the greeting. It comes right behind the connection, so at 1,000 a second a publisher has
		// 0.12 s for what takes it some milliseconds.
		Progress::Silent => 256,
		// Here a publisher needs a round trip, or two.
		Progress::Greeted | Progress::Connected => 128,
	}
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Member<I> {
	/// Names it.
	pub id: I,
	/// Where it is.
	pub ip: IpAddr,
	/// When it came to its stage.
	pub since: Instant,
}

/// Who has to go.
pub fn victim<I: Copy>(mut members: Vec<Member<I>>, chance: &mut impl Rng) -> Option<I> {
	let mut counts: HashMap<IpAddr, usize> = HashMap::new();
	for member in &members {
		*counts.entry(network(member.ip)).or_default() += 1;
	}
	let most = counts.values().copied().max()?;
	members.retain(|member| counts[&network(member.ip)] == most);
	members.sort_by_key(|member| member.since);
	let older = members.len().div_ceil(2);
	members[..older].choose(chance).map(|member| member.id)
}

/// What one machine has for itself: of IPv6 64 bits' worth of addresses.
fn network(ip: IpAddr) -> IpAddr {
	match ip {
		IpAddr::V4(_) => ip,
		IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use rand::{rngs::StdRng, SeedableRng};
	use std::{collections::BTreeSet, time::Duration};

	/// Members with these addresses, each a second younger than the one before it.
	fn members(ips: &[&str]) -> Vec<Member<usize>> {
		let start = Instant::now();
		let member = |(id, ip): (usize, &&str)| Member {
			id,
			ip: ip.parse().unwrap(),
			since: start + Duration::from_secs(id as u64),
		};
		ips.iter().enumerate().map(member).collect()
	}

	/// Everybody who may have to go.
	fn victims(ips: &[&str]) -> Vec<usize> {
		let mut chance = StdRng::seed_from_u64(1);
		let victims: BTreeSet<_> = (0..200).filter_map(|_| victim(members(ips), &mut chance)).collect();
		victims.into_iter().collect()
	}

	#[test]
	fn any_of_the_older_half_may_go() {
		assert_eq!(victims(&["10.0.0.1"; 6]), [0, 1, 2]);
		assert_eq!(victims(&["10.0.0.1"; 1]), [0]);
		assert_eq!(victims(&[]), [0; 0]);
	}

	#[test]
	fn the_address_of_which_most_are_there_loses_one() {
		assert_eq!(
			victims(&["10.0.0.9", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1"]),
			[1, 2]
		);
		assert_eq!(
			victims(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
			[0, 1],
			"nobody stands out"
		);
		assert_eq!(
			victims(&["10.0.0.9", "2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1"]),
			[1]
		);
	}
}
