//! Where somebody comes from, as far as it tells one stranger from another.

use std::net::{IpAddr, Ipv6Addr};

/// What one household or server has: an IPv4 address, or a /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
	fn from(ip: IpAddr) -> Self {
		Self(match ip.to_canonical() {
			IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
			ip => ip,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn whoever_has_one_address_of_version_6_has_many_and_of_version_4_one() {
		let of = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
		assert_eq!(of("2a01:4f8:0:1::1"), of("2a01:4f8:0:1:ffff:ffff:ffff:ffff"));
		assert_ne!(of("2a01:4f8:0:1::1"), of("2a01:4f8:0:2::1"));
		assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
		assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
	}
}
