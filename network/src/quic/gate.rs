//! Whose handshake is taken up, before anyone has proved anything: sans-IO. A handshake costs us signatures, and whoever sends one
//! datagram begins it, under any address.

use std::{
	collections::HashMap,
	net::{IpAddr, Ipv6Addr},
};

/// What becomes of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
	/// It goes on.
	Accept,
	/// It is to show first that it comes from where it says: one more round trip (QUIC's Retry).
	Prove,
	/// Nothing is answered; it is tried again by itself.
	Ignore,
}

/// Handshakes in progress, by where they come from.
#[derive(Debug)]
pub struct Gate {
	most: usize,
	in_progress: usize,
	by_source: HashMap<IpAddr, usize>,
}

impl Gate {
	/// At most so many at a time.
	pub fn new(most: usize) -> Self {
		Self {
			most,
			in_progress: 0,
			by_source: HashMap::new(),
		}
	}

	/// Below half load everybody is let in, however many come from one address: hundreds may sit behind one. Above it
	/// addresses are proved, and one has an eighth of the places at most.
	pub fn judge(&self, from: IpAddr, proved: bool) -> Verdict {
		if self.in_progress < self.most / 2 {
			return Verdict::Accept;
		}
		if !proved {
			return Verdict::Prove;
		}
		let held = self.by_source.get(&source(from)).copied().unwrap_or_default();
		match self.in_progress < self.most && held < self.most / 8 {
			true => Verdict::Accept,
			false => Verdict::Ignore,
		}
	}

	/// One began.
	pub fn begin(&mut self, from: IpAddr) {
		self.in_progress += 1;
		*self.by_source.entry(source(from)).or_default() += 1;
	}

	/// One is over, in whatever way.
	pub fn end(&mut self, from: IpAddr) {
		self.in_progress -= 1;
		if let Some(held) = self.by_source.get_mut(&source(from)) {
			*held -= 1;
			if *held == 0 {
				self.by_source.remove(&source(from));
			}
		}
	}
}

/// What one household or server has: an IPv4 address, a /64 of IPv6.
fn source(ip: IpAddr) -> IpAddr {
	match ip.to_canonical() {
		IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
		ip => ip,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn ip(last: u8) -> IpAddr {
		IpAddr::from([10, 0, 0, last])
	}

	#[test]
	fn below_half_load_nobody_is_asked_for_a_proof() {
		let mut gate = Gate::new(64);
		for _ in 0..32 {
			assert_eq!(gate.judge(ip(1), false), Verdict::Accept);
			gate.begin(ip(1));
		}
		assert_eq!(gate.judge(ip(1), false), Verdict::Prove);
		assert_eq!(gate.judge(ip(2), false), Verdict::Prove);
	}

	#[test]
	fn above_it_one_address_leaves_places_to_others() {
		let mut gate = Gate::new(64);
		(0..32).for_each(|n| gate.begin(ip(n)));
		let mut taken = 0;
		while gate.judge(ip(100), true) == Verdict::Accept {
			gate.begin(ip(100));
			taken += 1;
		}
		assert_eq!(taken, 8);
		assert_eq!(gate.judge(ip(101), true), Verdict::Accept);
		for _ in 0..8 {
			gate.end(ip(100));
		}
		assert_eq!(gate.judge(ip(100), true), Verdict::Accept);
	}

	#[test]
	fn there_are_never_more_than_so_many_and_who_leaves_is_forgotten() {
		let mut gate = Gate::new(64);
		let mut from = Vec::new();
		for n in 0..200 {
			if gate.judge(ip(n), true) == Verdict::Accept {
				gate.begin(ip(n));
				from.push(ip(n));
			}
		}
		assert_eq!(from.len(), 64);
		from.into_iter().for_each(|ip| gate.end(ip));
		assert!(gate.by_source.is_empty());
		assert_eq!(gate.in_progress, 0);
	}

	#[test]
	fn whoever_has_one_address_of_version_6_has_many() {
		let mut gate = Gate::new(64);
		(0..32).for_each(|n| gate.begin(ip(n)));
		let of = |n: u16| IpAddr::from([0x2a01, 0x4f8, 0, 1, n, 0, 0, n]);
		(0..8).for_each(|n| gate.begin(of(n)));
		assert_eq!(gate.judge(of(9), true), Verdict::Ignore);
		let neighbour = IpAddr::from([0x2a01, 0x4f8, 0, 2, 0, 0, 0, 1]);
		assert_eq!(gate.judge(neighbour, true), Verdict::Accept);
		assert_eq!(gate.judge("::ffff:10.0.0.200".parse().unwrap(), true), Verdict::Accept);
	}
}
