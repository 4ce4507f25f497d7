//! Which of a machine's addresses others can use: what a node that listens on all of them is reached at. Pure but for
//! [`of_this_machine`]. And whether it has a way to theirs: [`has_route`].

use std::{
	io,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// From where an address can be used; the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
	/// From anywhere.
	Public,
	/// Within a site: RFC 1918, carriers' NAT (RFC 6598), unique local.
	Private,
	/// On this machine.
	Loopback,
}

impl Scope {
	/// `None` where nobody can use it: unspecified, multicast, or link-local, which says nothing without an interface.
	pub fn of(ip: IpAddr) -> Option<Self> {
		let ip = ip.to_canonical();
		let is_link_local = match ip {
			IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
			IpAddr::V6(ip) => ip.is_unicast_link_local(),
		};
		let is_private = match ip {
			IpAddr::V4(ip) => ip.is_private() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64),
			IpAddr::V6(ip) => ip.is_unique_local(),
		};
		if ip.is_unspecified() || ip.is_multicast() || is_link_local {
			return None;
		}
		Some(match () {
			() if ip.is_loopback() => Self::Loopback,
			() if is_private => Self::Private,
			() => Self::Public,
		})
	}
}

/// Where a socket that is bound to `bound` can be reached on a machine with these addresses, the most useful first: public,
/// private, loopback; IPv4 before IPv6, which not every network carries.
pub fn reachable(bound: IpAddr, machine: &[IpAddr]) -> Vec<IpAddr> {
	if !bound.is_unspecified() {
		return vec![bound];
	}
	let mut found: Vec<(Scope, bool, IpAddr)> = machine
		.iter()
		.filter(|ip| ip.is_ipv6() == bound.is_ipv6())
		.filter_map(|ip| Some((Scope::of(*ip)?, ip.is_ipv6(), *ip)))
		.collect();
	// Of equal ones the system's order counts.
	found.sort_by_key(|(scope, is_v6, _)| (*scope, *is_v6));
	let mut addresses: Vec<IpAddr> = Vec::new();
	for (_, _, ip) in found {
		if !addresses.contains(&ip) {
			addresses.push(ip);
		}
	}
	if addresses.is_empty() {
		addresses.push(match bound {
			IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
			IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
		});
	}
	addresses
}

/// Addresses of this machine's interfaces that are up.
pub fn of_this_machine() -> io::Result<Vec<IpAddr>> {
	let interfaces = if_addrs::get_if_addrs()?;
	Ok(interfaces.into_iter().map(|interface| interface.ip()).collect())
}

/// Whether the system knows a way from this machine there. It says so without sending anything.
pub fn has_route(to: SocketAddr) -> bool {
	let any = match to {
		SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
		SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
	};
	UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(to)).is_ok()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn there_is_a_route_to_this_machine_and_none_to_all_machines() {
		assert!(has_route(([127, 0, 0, 1], 4001).into()));
		assert!(!has_route(([255, 255, 255, 255], 4001).into()));
	}

	fn ip(text: &str) -> IpAddr {
		text.parse().unwrap()
	}

	fn reached(bound: &str, machine: &[&str]) -> Vec<String> {
		let machine: Vec<IpAddr> = machine.iter().map(|text| ip(text)).collect();
		reachable(ip(bound), &machine).iter().map(IpAddr::to_string).collect()
	}

	const MACHINE: [&str; 11] = [
		"127.0.0.1",
		"::1",
		"fe80::1",
		"169.254.3.4",
		"10.9.8.7",
		"fd00:1::7",
		"203.0.114.5",
		"100.64.0.9",
		"2a01:4f8::5",
		"10.9.8.7",
		"172.17.0.1",
	];

	#[test]
	fn all_addresses_are_told_public_first_and_loopback_last() {
		let expected = ["203.0.114.5", "10.9.8.7", "100.64.0.9", "172.17.0.1", "127.0.0.1"];
		assert_eq!(reached("0.0.0.0", &MACHINE), expected);
		assert_eq!(reached("::", &MACHINE), ["2a01:4f8::5", "fd00:1::7", "::1"]);
	}

	#[test]
	fn one_that_was_named_is_told_alone() {
		for named in ["127.0.0.1", "::1", "10.9.8.7", "198.51.100.1"] {
			assert_eq!(reached(named, &MACHINE), [named]);
		}
	}

	#[test]
	fn machine_without_a_usable_address_is_reached_from_itself() {
		assert_eq!(reached("0.0.0.0", &["fd00::1", "169.254.1.1"]), ["127.0.0.1"]);
		assert_eq!(reached("::", &["10.0.0.1", "fe80::2"]), ["::1"]);
	}

	#[test]
	fn scopes_are_told_apart_at_their_borders() {
		for (text, scope) in [
			("100.63.255.255", Some(Scope::Public)),
			("100.64.0.0", Some(Scope::Private)),
			("100.127.255.255", Some(Scope::Private)),
			("100.128.0.0", Some(Scope::Public)),
			("172.32.0.1", Some(Scope::Public)),
			("::ffff:10.0.0.1", Some(Scope::Private)),
			("ff02::1", None),
			("0.0.0.0", None),
			("127.8.8.8", Some(Scope::Loopback)),
		] {
			assert_eq!(Scope::of(ip(text)), scope, "{text}");
		}
	}

	#[test]
	fn this_machine_has_a_loopback_address() {
		assert!(of_this_machine().unwrap().iter().any(IpAddr::is_loopback));
	}
}
