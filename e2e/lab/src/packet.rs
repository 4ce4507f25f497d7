//! What is read of an IPv4 packet, and rewritten on its way.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Numbers of the protocols whose ports are known here.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where the addresses are.
const SOURCE: usize = 12;
const DESTINATION: usize = 16;

/// From where to where, by which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
	/// Number of the protocol.
	pub protocol: u8,
	/// Who sent it.
	pub source: SocketAddrV4,
	/// Whom it is for.
	pub destination: SocketAddrV4,
}

/// Where a packet goes; `None` where it is no IPv4 packet.
pub fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
	payload(packet)?;
	address(packet, DESTINATION)
}

/// Of UDP or TCP; `None` of anything else, and of fragments, which name no ports.
pub fn flow(packet: &[u8]) -> Option<Flow> {
	let (payload, protocol) = (payload(packet)?, *packet.get(9)?);
	let is_fragment = word(packet, 6)? & 0x3fff != 0;
	if is_fragment || !matches!(protocol, TCP | UDP) {
		return None;
	}
	Some(Flow {
		protocol,
		source: SocketAddrV4::new(address(packet, SOURCE)?, word(packet, payload)?),
		destination: SocketAddrV4::new(address(packet, DESTINATION)?, word(packet, payload + 2)?),
	})
}

/// Makes a packet that has a [`Flow`] one from somebody else.
pub fn set_source(packet: &mut [u8], to: SocketAddrV4) {
	let _ = rewrite(packet, SOURCE, 0, to);
}

/// Makes a packet that has a [`Flow`] one for somebody else.
pub fn set_destination(packet: &mut [u8], to: SocketAddrV4) {
	let _ = rewrite(packet, DESTINATION, 2, to);
}

/// Address and port in these places, and the checksums over them; nothing where there are none.
fn rewrite(packet: &mut [u8], address_at: usize, port_at: usize, to: SocketAddrV4) -> Option<()> {
	let protocol = flow(packet)?.protocol;
	let payload = payload(packet)?;
	let checksum = payload + if protocol == TCP { 16 } else { 6 };
	// UDP may go without.
	let has_checksum = protocol == TCP || word(packet, checksum)? != 0;
	let [a, b, c, d] = to.ip().octets();
	let address = [
		(address_at, u16::from_be_bytes([a, b])),
		(address_at + 2, u16::from_be_bytes([c, d])),
	];
	for (at, new) in address {
		let old = word(packet, at)?;
		set(packet, 10, adjusted(word(packet, 10)?, old, new))?;
		if has_checksum {
			set(packet, checksum, adjusted(word(packet, checksum)?, old, new))?;
		}
		set(packet, at, new)?;
	}
	let old = word(packet, payload + port_at)?;
	if has_checksum {
		let sum = adjusted(word(packet, checksum)?, old, to.port());
		// In UDP a sum of zero says that there is none.
		set(packet, checksum, if protocol == UDP && sum == 0 { 0xffff } else { sum })?;
	}
	set(packet, payload + port_at, to.port())
}

/// A checksum when one word under it changes (RFC 1624, equation 3).
fn adjusted(sum: u16, old: u16, new: u16) -> u16 {
	let mut total = u32::from(!sum) + u32::from(!old) + u32::from(new);
	while total > 0xffff {
		total = (total & 0xffff) + (total >> 16);
	}
	!(total as u16)
}

/// Where it begins, behind a header of at least 20 bytes; `None` where this is no IPv4 packet.
fn payload(packet: &[u8]) -> Option<usize> {
	let &first = packet.first()?;
	let length = usize::from(first & 0xf) * 4;
	(first >> 4 == 4 && length >= 20 && packet.len() >= length).then_some(length)
}

fn address(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
	let address: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
	Some(address.into())
}

fn word(packet: &[u8], at: usize) -> Option<u16> {
	Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}

fn set(packet: &mut [u8], at: usize, word: u16) -> Option<()> {
	packet.get_mut(at..at + 2)?.copy_from_slice(&word.to_be_bytes());
	Some(())
}

/// For tests of whoever moves packets.
#[cfg(test)]
pub mod testing {
	use super::*;

	/// A UDP packet with right checksums.
	pub fn udp(source: SocketAddrV4, destination: SocketAddrV4) -> Vec<u8> {
		let mut packet = vec![0; 32];
		packet[0] = 0x45;
		packet[3] = 32;
		packet[8] = 64;
		packet[9] = UDP;
		packet[12..16].copy_from_slice(&source.ip().octets());
		packet[16..20].copy_from_slice(&destination.ip().octets());
		packet[20..22].copy_from_slice(&source.port().to_be_bytes());
		packet[22..24].copy_from_slice(&destination.port().to_be_bytes());
		packet[25] = 12;
		packet[28..].copy_from_slice(b"what");
		let header = !sum(&packet[..20]);
		packet[10..12].copy_from_slice(&header.to_be_bytes());
		let whole = !sum(&pseudo(&packet));
		packet[26..28].copy_from_slice(&whole.to_be_bytes());
		packet
	}

	/// Whether both checksums are right.
	pub fn is_whole(packet: &[u8]) -> bool {
		sum(&packet[..20]) == 0xffff && sum(&pseudo(packet)) == 0xffff
	}

	/// What UDP's checksum is over.
	fn pseudo(packet: &[u8]) -> Vec<u8> {
		let length = u16::try_from(packet.len() - 20).unwrap().to_be_bytes();
		[&packet[12..20], &[0, UDP], &length, &packet[20..]].concat()
	}

	fn sum(bytes: &[u8]) -> u16 {
		let words = bytes
			.chunks(2)
			.map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0)));
		let mut total: u32 = words.sum();
		while total > 0xffff {
			total = (total & 0xffff) + (total >> 16);
		}
		total as u16
	}
}

#[cfg(test)]
mod tests {
	use super::{testing::*, *};

	fn at(last: u8, port: u16) -> SocketAddrV4 {
		SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port)
	}

	#[test]
	fn only_what_is_ipv4_goes_anywhere() {
		let mut packet = udp(at(1, 5), at(2, 6));
		assert_eq!(destination(&packet), Some(*at(2, 6).ip()));
		assert_eq!(destination(&packet[..19]), None);
		assert_eq!(destination(&[]), None);
		packet[0] = 0x44;
		assert_eq!(destination(&packet), None, "a header is at least 20 bytes");
		packet[0] = 0x60;
		assert_eq!(
			destination(&packet),
			None,
			"what IPv6 says by itself is nobody's packet"
		);
	}

	#[test]
	fn rewritten_packet_is_whole() {
		let mut packet = udp(at(1, 5), at(2, 6));
		assert!(is_whole(&packet));
		set_source(&mut packet, at(200, 60_000));
		set_destination(&mut packet, at(77, 1));
		assert!(is_whole(&packet));
		let flow = flow(&packet).unwrap();
		assert_eq!((flow.source, flow.destination), (at(200, 60_000), at(77, 1)));
	}

	#[test]
	fn fragments_and_other_protocols_have_no_ports() {
		let mut packet = udp(at(1, 5), at(2, 6));
		packet[7] = 1;
		assert_eq!(flow(&packet), None);
		packet[7] = 0;
		packet[9] = 1;
		assert_eq!(flow(&packet), None);
	}
}
