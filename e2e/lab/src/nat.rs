//! What stands between a home and its line. Sans-IO.
//!
//! Both kinds let in only who was sent to, as routers of homes do (RFC 4787, address and port dependent filtering). UDP and TCP
//! pass; ICMP and fragments do not.

use crate::packet::{flow, set_destination, set_source};
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeMap,
	net::{Ipv4Addr, SocketAddrV4},
	time::Duration,
};

/// Which port a stranger sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
	/// The same whoever it is: two of these can meet, where somebody tells each of the other's.
	Cone,
	/// Another one for each: nobody can be told.
	Symmetric,
}

/// How long a mapping is kept that nothing is sent through: what many routers do with UDP, and less than RFC 4787 asks for.
pub const KEEPS: Duration = Duration::from_secs(30);

/// Ports that are given, one after the other; no more than these are mapped at a time, nor more peers of one.
const PORTS: std::ops::Range<u16> = 20_000..24_000;

/// What has a mapping: protocol and port inside, and of a symmetric one whom it is for.
type Inside = (u8, u16, Option<SocketAddrV4>);

#[derive(Debug)]
struct Mapping {
	inside: Inside,
	/// Who was sent to, and when last.
	peers: BTreeMap<SocketAddrV4, Duration>,
}

impl Mapping {
	fn is_kept(&self, now: Duration) -> bool {
		self.peers.values().any(|sent| now < *sent + KEEPS)
	}
}

/// See the module.
#[derive(Debug)]
pub struct Nat {
	kind: Kind,
	/// Whom it is for, and how that is seen.
	inside: Ipv4Addr,
	outside: Ipv4Addr,
	ports: BTreeMap<Inside, u16>,
	mappings: BTreeMap<u16, Mapping>,
	next: u16,
}

impl Nat {
	/// Nothing was sent yet.
	pub fn new(kind: Kind, inside: Ipv4Addr, outside: Ipv4Addr) -> Self {
		Self {
			kind,
			inside,
			outside,
			ports: BTreeMap::new(),
			mappings: BTreeMap::new(),
			next: PORTS.start,
		}
	}

	/// A packet leaves, as it is seen outside; false: it does not.
	pub fn leaves(&mut self, now: Duration, packet: &mut [u8]) -> bool {
		let Some(flow) = flow(packet).filter(|flow| *flow.source.ip() == self.inside) else {
			return false;
		};
		let peer = flow.destination;
		let inside = (
			flow.protocol,
			flow.source.port(),
			(self.kind == Kind::Symmetric).then_some(peer),
		);
		let Some(port) = self.port(now, inside) else {
			return false;
		};
		let mapping = self.mappings.entry(port).or_insert_with(|| Mapping {
			inside,
			peers: BTreeMap::new(),
		});
		if mapping.peers.len() >= PORTS.len() {
			mapping.peers.retain(|_, sent| now < *sent + KEEPS);
			if mapping.peers.len() >= PORTS.len() {
				return false;
			}
		}
		mapping.peers.insert(peer, now);
		set_source(packet, SocketAddrV4::new(self.outside, port));
		true
	}

	/// A packet comes, for whom it is inside; false: it is not let in.
	pub fn comes(&self, now: Duration, packet: &mut [u8]) -> bool {
		let Some(flow) = flow(packet) else {
			return false;
		};
		let Some(mapping) = self.mappings.get(&flow.destination.port()) else {
			return false;
		};
		let (protocol, port, _) = mapping.inside;
		let sent = mapping.peers.get(&flow.source);
		if protocol != flow.protocol || sent.is_none_or(|sent| now >= *sent + KEEPS) {
			return false;
		}
		set_destination(packet, SocketAddrV4::new(self.inside, port));
		true
	}

	/// The port outside, a new one where none is kept; `None` where all are.
	fn port(&mut self, now: Duration, inside: Inside) -> Option<u16> {
		if let Some(&port) = self.ports.get(&inside) {
			if self.mappings.get(&port).is_some_and(|mapping| mapping.is_kept(now)) {
				return Some(port);
			}
			self.forget(port);
		}
		for _ in PORTS {
			let port = self.next;
			self.next = if port + 1 < PORTS.end { port + 1 } else { PORTS.start };
			if !self.mappings.get(&port).is_some_and(|mapping| mapping.is_kept(now)) {
				self.forget(port);
				self.ports.insert(inside, port);
				return Some(port);
			}
		}
		None
	}

	fn forget(&mut self, port: u16) {
		if let Some(mapping) = self.mappings.remove(&port) {
			self.ports.remove(&mapping.inside);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::packet::testing::{is_whole, udp};

	const S: Duration = Duration::from_secs(1);
	const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 9);
	const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

	fn peer(last: u8, port: u16) -> SocketAddrV4 {
		SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port)
	}

	/// How a peer sees what is sent to it from port 7.
	fn seen(nat: &mut Nat, now: Duration, to: SocketAddrV4) -> SocketAddrV4 {
		let mut packet = udp(SocketAddrV4::new(INSIDE, 7), to);
		assert!(nat.leaves(now, &mut packet) && is_whole(&packet));
		let seen = flow(&packet).unwrap().source;
		assert_eq!(*seen.ip(), OUTSIDE);
		seen
	}

	fn is_let_in(nat: &Nat, now: Duration, from: SocketAddrV4, to: SocketAddrV4) -> bool {
		let mut packet = udp(from, to);
		let is_let_in = nat.comes(now, &mut packet);
		if is_let_in {
			assert!(is_whole(&packet));
			assert_eq!(flow(&packet).unwrap().destination, SocketAddrV4::new(INSIDE, 7));
		}
		is_let_in
	}

	#[test]
	fn cone_is_seen_at_one_port_and_lets_in_only_who_was_sent_to() {
		let mut nat = Nat::new(Kind::Cone, INSIDE, OUTSIDE);
		let port = seen(&mut nat, S, peer(1, 5));
		assert!(is_let_in(&nat, S, peer(1, 5), port));
		assert!(!is_let_in(&nat, S, peer(1, 6), port), "another port");
		assert!(!is_let_in(&nat, S, peer(2, 5), port), "another address");
		assert_eq!(seen(&mut nat, S, peer(2, 5)), port);
		assert!(is_let_in(&nat, S, peer(2, 5), port), "now that one, too");
	}

	#[test]
	fn symmetric_is_seen_at_a_port_of_its_own_by_each() {
		let mut nat = Nat::new(Kind::Symmetric, INSIDE, OUTSIDE);
		let (first, second) = (seen(&mut nat, S, peer(1, 5)), seen(&mut nat, S, peer(2, 5)));
		assert_ne!(first, second);
		assert!(is_let_in(&nat, S, peer(1, 5), first) && is_let_in(&nat, S, peer(2, 5), second));
		assert!(
			!is_let_in(&nat, S, peer(2, 5), first),
			"a port that was told opens nothing"
		);
	}

	#[test]
	fn two_cones_that_are_told_of_each_other_meet_and_a_symmetric_one_meets_none() {
		let meet = |kinds: [Kind; 2]| {
			let homes = [
				(INSIDE, OUTSIDE),
				(Ipv4Addr::new(10, 1, 0, 8), Ipv4Addr::new(10, 0, 0, 8)),
			];
			let mut nats = [0, 1].map(|n| Nat::new(kinds[n], homes[n].0, homes[n].1));
			let send = |nat: &mut Nat, n: usize, to: SocketAddrV4| {
				let mut packet = udp(SocketAddrV4::new(homes[n].0, 7), to);
				assert!(nat.leaves(S, &mut packet));
				packet
			};
			let told = [0, 1].map(|n| flow(&send(&mut nats[n], n, peer(1, 5))).unwrap().source);
			// Both send at once: neither comes through before both have sent.
			let mut packets = [0, 1].map(|n| send(&mut nats[n], n, told[1 - n]));
			nats[1].comes(S, &mut packets[0]) && nats[0].comes(S, &mut packets[1])
		};
		assert!(meet([Kind::Cone, Kind::Cone]));
		assert!(!meet([Kind::Cone, Kind::Symmetric]));
		assert!(!meet([Kind::Symmetric, Kind::Symmetric]));
	}

	#[test]
	fn mapping_goes_when_nothing_is_sent_through_it() {
		let mut nat = Nat::new(Kind::Cone, INSIDE, OUTSIDE);
		let port = seen(&mut nat, S, peer(1, 5));
		assert!(is_let_in(&nat, KEEPS, peer(1, 5), port));
		assert!(
			!is_let_in(&nat, KEEPS + S, peer(1, 5), port),
			"what comes keeps nothing"
		);
		assert_ne!(seen(&mut nat, KEEPS + S, peer(1, 5)), port);
	}

	#[test]
	fn mappings_are_bounded_and_room_comes_back() {
		let mut nat = Nat::new(Kind::Symmetric, INSIDE, OUTSIDE);
		let mut leaves = |now, port| nat.leaves(now, &mut udp(SocketAddrV4::new(INSIDE, 7), peer(1, port)));
		for port in 1..=PORTS.len() as u16 {
			assert!(leaves(S, port));
		}
		assert!(!leaves(S, 60_000));
		assert!(leaves(KEEPS + S, 60_000));
		assert!(nat.mappings.len() <= PORTS.len() && nat.ports.len() <= PORTS.len());
	}

	#[test]
	fn what_names_no_port_does_not_pass() {
		let mut nat = Nat::new(Kind::Cone, INSIDE, OUTSIDE);
		let mut ping = udp(SocketAddrV4::new(INSIDE, 7), peer(1, 5));
		ping[9] = 1;
		assert!(!nat.leaves(S, &mut ping) && !nat.comes(S, &mut ping));
		assert!(
			!nat.leaves(S, &mut udp(peer(1, 5), peer(2, 5))),
			"nor what is of somebody else"
		);
	}
}
