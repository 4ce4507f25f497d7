//! Peer ids and the Ed25519 keys behind them: a peer id *is* its key (identity multihash of the protobuf key), so the
//! chain registers only the key.

use clustercast_primitives::PublicKey;
use libp2p::{
	identity::{ed25519, PublicKey as Libp2pKey},
	multiaddr::Protocol,
	multihash::Multihash,
	Multiaddr, PeerId,
};
use std::{fmt, net::Ipv4Addr, str::FromStr};

/// Multihash code of "the digest is the data".
const IDENTITY_MULTIHASH: u64 = 0;

/// Why something names no peer that we can talk to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
	/// Not a multiaddress.
	#[error("not a multiaddress: {0}")]
	Malformed(String),
	/// No `/p2p/ID` at the end.
	#[error("the address names no peer: end it with /p2p/ID")]
	NoPeer,
	/// The peer id is not that of an Ed25519 key.
	#[error("the peer id is not that of an Ed25519 key")]
	NotEd25519,
	/// Another peer than the one asked for.
	#[error("the address names another peer than expected")]
	OtherPeer,
	/// A name, or another way than QUIC: nothing that we could connect to.
	#[error("{0}: peers are reached at IP addresses over QUIC alone: /ip4/ADDRESS/udp/PORT/quic-v1")]
	NotQuic(Multiaddr),
	/// Nothing that a page could ask.
	#[error(
		"{0}: pages ask over HTTPS: /dns/NAME/tcp/443/https, or on this machine alone /ip4/127.0.0.1/tcp/PORT/http"
	)]
	NotWeb(Multiaddr),
}

/// Peer id of an Ed25519 key. Fails only for bytes that are no point of the curve.
pub fn peer_id(key: &PublicKey) -> Result<PeerId, AddressError> {
	ed25519::PublicKey::try_from_bytes(&key.0)
		.map(|key| Libp2pKey::from(key).to_peer_id())
		.map_err(|_| AddressError::NotEd25519)
}

/// The Ed25519 key that a peer id stands for.
pub fn public_key(peer: &PeerId) -> Result<PublicKey, AddressError> {
	let hash: &Multihash<64> = peer.as_ref();
	if hash.code() != IDENTITY_MULTIHASH {
		return Err(AddressError::NotEd25519);
	}
	Libp2pKey::try_decode_protobuf(hash.digest())
		.ok()
		.and_then(|key| key.try_into_ed25519().ok())
		.map(|key| PublicKey(key.to_bytes()))
		.ok_or(AddressError::NotEd25519)
}

/// Where a peer is reached and who must answer there: `/ip4/…/udp/…/quic-v1/p2p/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
	peer: PublicKey,
	peer_id: PeerId,
	transport: Multiaddr,
}

impl Address {
	/// `address` with or without `/p2p/ID`; when it has one, it must be `peer`'s.
	pub fn new(address: &str, peer: &PublicKey) -> Result<Self, AddressError> {
		let (transport, named) = split(address)?;
		let peer_id = peer_id(peer)?;
		if named.is_some_and(|named| named != peer_id) {
			return Err(AddressError::OtherPeer);
		}
		Ok(Self {
			peer: *peer,
			peer_id,
			transport,
		})
	}

	/// The peer's key.
	pub fn peer(&self) -> PublicKey {
		self.peer
	}

	/// The peer's libp2p id.
	pub fn peer_id(&self) -> PeerId {
		self.peer_id
	}

	/// The address without the peer.
	pub fn transport(&self) -> &Multiaddr {
		&self.transport
	}
}

/// Where somebody is reached, whoever that is: `address` with or without `/p2p/ID`, which is left out.
pub fn place(address: &str) -> Result<Multiaddr, AddressError> {
	split(address).map(|(transport, _)| transport)
}

/// Where pages of browsers find a relayer, by an address such as `/dns/relayer.example/tcp/443/https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
	url: String,
	is_local: bool,
}

impl WebAddress {
	/// Its URL: scheme, host and port, and nothing behind them.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// Whether it is this machine's own, in development: `/ip4/127.0.0.1/tcp/8890/http`.
	pub fn is_local(&self) -> bool {
		self.is_local
	}
}

impl FromStr for WebAddress {
	type Err = AddressError;

	fn from_str(address: &str) -> Result<Self, AddressError> {
		let parsed: Multiaddr = address.parse().map_err(|e| AddressError::Malformed(format!("{e}")))?;
		let parts: Vec<Protocol> = parsed.iter().collect();
		let (host, port, scheme) = match &parts[..] {
			[host, Protocol::Tcp(port), scheme] => (host, *port, scheme),
			_ => return Err(AddressError::NotWeb(parsed)),
		};
		let is_local = *host == Protocol::Ip4(Ipv4Addr::LOCALHOST);
		let scheme = match scheme {
			Protocol::Https => "https",
			// Nobody else's browser would take it.
			Protocol::Http if is_local => "http",
			_ => return Err(AddressError::NotWeb(parsed)),
		};
		let host = match host {
			Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) if is_name(name) => name.to_string(),
			Protocol::Ip4(ip) => ip.to_string(),
			Protocol::Ip6(ip) => format!("[{ip}]"),
			_ => return Err(AddressError::NotWeb(parsed)),
		};
		Ok(Self {
			url: format!("{scheme}://{host}:{port}"),
			is_local,
		})
	}
}

/// Whether a URL with it says what it seems to say.
fn is_name(name: &str) -> bool {
	!name.is_empty()
		&& name
			.bytes()
			.all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

fn split(address: &str) -> Result<(Multiaddr, Option<PeerId>), AddressError> {
	let mut transport: Multiaddr = address.parse().map_err(|e| AddressError::Malformed(format!("{e}")))?;
	let peer = match transport.iter().last() {
		Some(Protocol::P2p(peer)) => Some(peer),
		_ => None,
	};
	if peer.is_some() {
		transport.pop();
	}
	let parts: Vec<Protocol> = transport.iter().collect();
	match parts[..] {
		[Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Udp(_), Protocol::QuicV1] => Ok((transport, peer)),
		_ => Err(AddressError::NotQuic(transport)),
	}
}

impl FromStr for Address {
	type Err = AddressError;

	fn from_str(address: &str) -> Result<Self, AddressError> {
		let (transport, peer_id) = split(address)?;
		let peer_id = peer_id.ok_or(AddressError::NoPeer)?;
		Ok(Self {
			peer: public_key(&peer_id)?,
			peer_id,
			transport,
		})
	}
}

impl fmt::Display for Address {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}/p2p/{}", self.transport, self.peer_id)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	#[test]
	fn peer_id_and_key_turn_into_each_other() {
		let key = KeyPair::from_seed([7; 32]).public();
		let peer = peer_id(&key).unwrap();
		assert_eq!(public_key(&peer), Ok(key));
		let libp2p = libp2p::identity::Keypair::ed25519_from_bytes([7; 32]).unwrap();
		assert_eq!(peer, libp2p.public().to_peer_id());
	}

	#[test]
	fn peer_id_without_an_ed25519_key_is_refused() {
		// Code 0x12 is SHA-256: the key cannot be read back from it.
		let hashed = PeerId::from_multihash(Multihash::wrap(0x12, &[1; 32]).unwrap()).unwrap();
		assert_eq!(public_key(&hashed), Err(AddressError::NotEd25519));
		assert_eq!(public_key(&PeerId::random()), Err(AddressError::NotEd25519));
	}

	#[test]
	fn address_names_its_peer() {
		let (key, other) = (
			KeyPair::from_seed([7; 32]).public(),
			KeyPair::from_seed([8; 32]).public(),
		);
		let bare = "/ip4/127.0.0.1/udp/4001/quic-v1";
		let address = Address::new(bare, &key).unwrap();
		assert_eq!(address.to_string().parse(), Ok(address.clone()));
		assert_eq!(Address::new(&address.to_string(), &key), Ok(address.clone()));
		assert_eq!(address.transport().to_string(), bare);
		assert_eq!(Address::new(&address.to_string(), &other), Err(AddressError::OtherPeer));
		assert_eq!(bare.parse::<Address>(), Err(AddressError::NoPeer));
		assert!(matches!("nonsense".parse::<Address>(), Err(AddressError::Malformed(_))));
	}

	#[test]
	fn what_cannot_be_connected_to_is_no_address() {
		let key = KeyPair::from_seed([7; 32]).public();
		for address in [
			"/dns4/relayer.example/udp/4001/quic-v1",
			"/dns/relayer.example/udp/4001/quic-v1",
			"/ip4/127.0.0.1/tcp/4001",
			"/ip4/127.0.0.1/udp/4001",
			"/ip4/127.0.0.1/udp/4001/quic-v1/webtransport",
			"/ip4/127.0.0.1",
		] {
			let refused = Address::new(address, &key);
			assert!(
				matches!(refused, Err(AddressError::NotQuic(_))),
				"{address}: {refused:?}"
			);
		}
		assert!(Address::new("/ip6/::1/udp/4001/quic-v1", &key).is_ok());
	}

	#[test]
	fn pages_find_a_relayer_over_https_and_without_it_on_this_machine_alone() {
		let url = |address: &str| address.parse::<WebAddress>().map(|web| (web.url, web.is_local));
		for (address, expected) in [
			(
				"/dns/relayer.example/tcp/443/https",
				("https://relayer.example:443", false),
			),
			(
				"/dns4/relayer.example/tcp/8443/https",
				("https://relayer.example:8443", false),
			),
			("/ip4/203.0.113.7/tcp/443/https", ("https://203.0.113.7:443", false)),
			("/ip6/2001:db8::7/tcp/443/https", ("https://[2001:db8::7]:443", false)),
			("/ip4/127.0.0.1/tcp/8890/http", ("http://127.0.0.1:8890", true)),
		] {
			assert_eq!(url(address), Ok((expected.0.into(), expected.1)), "{address}");
		}
		for address in [
			"/dns/relayer.example/tcp/80/http",
			"/ip4/127.0.0.2/tcp/80/http",
			"/ip4/203.0.113.7/tcp/80/http",
			"/dns/user@relayer.example/tcp/443/https",
			"/dns/relayer.example/tcp/443",
			"/ip4/127.0.0.1/udp/4001/quic-v1",
		] {
			assert!(
				matches!(url(address), Err(AddressError::NotWeb(_))),
				"{address}: {:?}",
				url(address)
			);
		}
		assert!(matches!(
			url("https://relayer.example"),
			Err(AddressError::Malformed(_))
		));
	}
}
