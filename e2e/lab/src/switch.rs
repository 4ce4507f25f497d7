//! Nodes around a switch, each with a link to it and one from it, and the packets that are under way. Sans-IO.

use crate::{
	link::{Counts, Fate, Link, Shape, Waits},
	nat::{Kind, Nat},
	packet,
};
use serde::{Deserialize, Serialize};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BinaryHeap},
	net::Ipv4Addr,
	time::Duration,
};

/// Packets under way at once: what fills 1 Gb/s for 700 ms. More are dropped.
pub const MOST_UNDER_WAY: usize = 65_536;

/// A node's line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
	/// From the node.
	pub up: Shape,
	/// To the node.
	pub down: Shape,
	/// What stands between the node and its line.
	pub nat: Option<Kind>,
}

impl Access {
	/// The same in both directions.
	pub const fn both(shape: Shape) -> Self {
		Self {
			up: shape,
			down: shape,
			nat: None,
		}
	}

	/// The same line behind this.
	pub const fn behind(mut self, nat: Kind) -> Self {
		self.nat = Some(nat);
		self
	}
}

/// What a node's links did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
	/// From the node.
	pub up: Counts,
	/// To the node.
	pub down: Counts,
}

struct Port {
	up: Link,
	down: Link,
	nat: Option<Nat>,
}

/// Where a packet is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
	/// At the switch, on its way to this node.
	Switch(usize),
	/// At this node.
	Node(usize),
}

/// A packet that is there at this time; of one time, those that were sent first come first.
type UnderWay = Reverse<(Duration, u64, Place, Vec<u8>)>;

/// See the module.
#[derive(Default)]
pub struct Switch {
	seed: u64,
	ports: Vec<Port>,
	addresses: BTreeMap<Ipv4Addr, usize>,
	under_way: BinaryHeap<UnderWay>,
	sent: u64,
	crowded: u64,
}

impl Switch {
	/// Without nodes.
	pub fn new(seed: u64) -> Self {
		Self {
			seed,
			..Self::default()
		}
	}

	/// A node more, with its own address, and the one that others see, which differs behind NAT alone; its number, from 0 on.
	pub fn attach(&mut self, inside: Ipv4Addr, address: Ipv4Addr, access: Access) -> usize {
		let node = self.ports.len();
		let number = node as u64 * 2;
		self.ports.push(Port {
			up: Link::new(access.up, self.seed, number),
			down: Link::new(access.down, self.seed, number + 1),
			nat: access.nat.map(|kind| Nat::new(kind, inside, address)),
		});
		self.addresses.insert(address, node);
		node
	}

	/// From now on the node has this line; what stands before it stays.
	pub fn reshape(&mut self, node: usize, access: Access) {
		if let Some(port) = self.ports.get_mut(node) {
			port.up.reshape(access.up);
			port.down.reshape(access.down);
		}
	}

	/// What a node's links did so far.
	pub fn traffic(&self, node: usize) -> Traffic {
		let port = self.ports.get(node);
		port.map_or_else(Traffic::default, |port| Traffic {
			up: port.up.counts(),
			down: port.down.counts(),
		})
	}

	/// How long packets waited before a node's line upwards.
	pub fn waits(&self, node: usize) -> Waits {
		let port = self.ports.get(node);
		port.map_or_else(Waits::default, |port| port.up.waits().clone())
	}

	/// Packets dropped because [`MOST_UNDER_WAY`] were.
	pub fn crowded(&self) -> u64 {
		self.crowded
	}

	/// A node sends a packet. What is for nobody, or no IPv4, is no packet of any link.
	pub fn send(&mut self, now: Duration, node: usize, packet: &mut [u8]) {
		let to = packet::destination(packet).and_then(|address| self.addresses.get(&address));
		let (Some(&to), Some(port)) = (to, self.ports.get_mut(node)) else {
			return;
		};
		if !port.nat.as_mut().is_none_or(|nat| nat.leaves(now, packet)) {
			return;
		}
		if let Fate::Arrives(at) = port.up.push(now, packet.len()) {
			self.add(at, Place::Switch(to), packet.to_vec());
		}
	}

	/// When there is something to do next.
	pub fn next(&self) -> Option<Duration> {
		self.under_way.peek().map(|Reverse((at, ..))| *at)
	}

	/// A packet that is at its node by now.
	pub fn receive(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
		while self.next().is_some_and(|at| at <= now) {
			let Reverse((at, _, place, mut packet)) = self.under_way.pop()?;
			match place {
				Place::Node(node) => {
					let nat = self.ports.get(node).and_then(|port| port.nat.as_ref());
					if nat.is_none_or(|nat| nat.comes(at, &mut packet)) {
						return Some((node, packet));
					}
				},
				Place::Switch(to) => {
					// When it came, not when somebody looked.
					let fate = self.ports.get_mut(to).map(|port| port.down.push(at, packet.len()));
					if let Some(Fate::Arrives(at)) = fate {
						self.add(at, Place::Node(to), packet);
					}
				},
			}
		}
		None
	}

	fn add(&mut self, at: Duration, place: Place, packet: Vec<u8>) {
		if self.under_way.len() >= MOST_UNDER_WAY {
			self.crowded += 1;
			return;
		}
		self.sent += 1;
		self.under_way.push(Reverse((at, self.sent, place, packet)));
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	fn address(node: u8) -> Ipv4Addr {
		Ipv4Addr::new(10, 0, 0, node)
	}

	fn packet(to: u8, mark: u8) -> Vec<u8> {
		let mut packet = vec![0; 100];
		packet[0] = 0x45;
		packet[16..20].copy_from_slice(&address(to).octets());
		packet[99] = mark;
		packet
	}

	fn star() -> Switch {
		let mut switch = Switch::new(1);
		for node in 1..=3 {
			switch.attach(
				address(node),
				address(node),
				Access::both(Shape::delay(10 * MS * u32::from(node))),
			);
		}
		switch
	}

	#[test]
	fn packet_crosses_the_senders_link_and_then_the_receivers() {
		let mut switch = star();
		switch.send(MS, 0, &mut packet(3, 7));
		assert_eq!(switch.next(), Some(11 * MS));
		assert_eq!(switch.receive(11 * MS), None);
		assert_eq!(switch.next(), Some(41 * MS));
		assert_eq!(switch.receive(40 * MS), None);
		let (node, received) = switch.receive(41 * MS).unwrap();
		assert_eq!((node, received), (2, packet(3, 7)));
		assert_eq!(switch.next(), None);
		assert_eq!((switch.traffic(0).up.packets, switch.traffic(2).down.packets), (1, 1));
		assert_eq!(switch.traffic(1), Traffic::default());
	}

	#[test]
	fn who_looks_late_delays_the_packet_and_no_link() {
		let mut switch = star();
		switch.send(Duration::ZERO, 0, &mut packet(2, 1));
		switch.send(Duration::ZERO, 0, &mut packet(2, 2));
		// Long after both were due, and in order.
		let marks: Vec<u8> = std::iter::from_fn(|| switch.receive(500 * MS))
			.map(|(_, packet)| packet[99])
			.collect();
		assert_eq!(marks, [1, 2]);
		assert_eq!(switch.traffic(1).down.longest_wait, Duration::ZERO);
	}

	#[test]
	fn what_is_for_nobody_counts_nowhere() {
		let mut switch = star();
		switch.send(Duration::ZERO, 0, &mut packet(9, 0));
		switch.send(Duration::ZERO, 0, &mut [0x60; 60]);
		assert_eq!((switch.next(), switch.traffic(0)), (None, Traffic::default()));
	}

	#[test]
	fn packets_under_way_are_bounded() {
		let mut switch = star();
		for _ in 0..MOST_UNDER_WAY + 5 {
			switch.send(Duration::ZERO, 0, &mut packet(2, 0));
		}
		assert_eq!((switch.under_way.len(), switch.crowded()), (MOST_UNDER_WAY, 5));
	}
}
