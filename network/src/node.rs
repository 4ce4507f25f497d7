//! A node: one Ed25519 identity, its QUIC sockets and connections. Accepts and opens streams of the delivery protocol; knows
//! nothing of what travels in them.

use crate::{
	connections::{Connections, Held},
	identity::{self, Address},
	quic::{
		self, CertificateError, Certificates, Chunks, Credentials, Gate, LinkId, Sender, Session, Settings, Stream,
		TlsError, Verdict, LINK_BYTES, SERVER_NAME,
	},
	reach,
	uplink::Uplink,
};
use clustercast_primitives::{crypto::KeyPair, Hash, PublicKey};
use clustercast_protocol::PROTOCOL_NAME;
use libp2p::{multiaddr::Protocol, Multiaddr, PeerId};
use quinn::{
	ConnectionError, Endpoint, ReadError, ReadExactError, RecvStream, SendStream, TransportErrorCode, VarInt,
	WriteError,
};
use std::{
	io,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
	time::{Duration, SystemTime},
};
use tokio::{
	sync::{mpsc, Notify},
	time::{timeout, Instant},
};

/// Accepted streams that wait to be taken; past it they are reset. The server takes them at once.
const INCOMING_QUEUE: usize = 64;

/// Handshakes in progress; bounds what unproven addresses can make us hold.
const MAX_HANDSHAKES: usize = 256;

/// A connection without streams is closed after this: time to open one.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// Connecting and opening a stream, a second attempt included: generous for far and busy peers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);

/// A handshake is two round trips at most, and a few signatures of a busy peer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opening a stream takes one round trip. A connection that does not answer within this is taken for dead: its peer was
/// killed or the path changed, and QUIC will need until its idle timeout (10 s) to notice.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// The first byte of each stream, either way: who opens it says what it is for, who takes it says that it does. Behind it who opens
/// it says what it is called, so that streams of chunks can name it.
const DELIVERY: u8 = 1;

/// Why a connection is closed.
const STOPPED: VarInt = VarInt::from_u32(0);
const FULL: VarInt = VarInt::from_u32(1);
const IDLE: VarInt = VarInt::from_u32(2);
const NO_PEER: VarInt = VarInt::from_u32(3);

/// How many connections a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Connections of strangers: those that others called with, and on which nobody is served.
	pub strangers: u32,
	/// Connections that one peer called with; past it the newest takes the place of the oldest.
	pub connections_per_peer: u32,
}

impl Default for Limits {
	fn default() -> Self {
		Self {
			// Hundreds who pay may come at a time. Some 64 KiB each, in all 64 MiB.
			strangers: 1024,
			// Some may be dead, and not known to be for ten seconds.
			connections_per_peer: 8,
		}
	}
}

/// Why a node does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
	/// Something else has the port.
	#[error("{0}: the port is in use")]
	PortInUse(Multiaddr),
	/// Not `/ip4|ip6/…/udp/…/quic-v1`.
	#[error("{0}: not an address to listen on; write it like /ip4/0.0.0.0/udp/4001/quic-v1")]
	Unsupported(Multiaddr),
	/// The system refused.
	#[error("{0}: {1}")]
	Io(Multiaddr, io::Error),
}

/// Why a node does not listen for browsers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
	/// The system refused.
	#[error("{0}: {1}")]
	Io(SocketAddr, io::Error),
	/// There is no certificate.
	#[error(transparent)]
	Certificate(#[from] CertificateError),
	/// TLS refuses it.
	#[error(transparent)]
	Tls(#[from] rustls::Error),
}

/// Why no stream to a peer could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
	/// Somebody else answered at this address.
	#[error("another peer answers at this address")]
	WrongPeer,
	/// Nobody answered, or the connection was refused.
	#[error("cannot reach the peer: {0}")]
	Unreachable(String),
	/// No answer in time.
	#[error("the peer does not answer")]
	Timeout,
	/// The connection ended before the stream was open.
	#[error("the connection was lost")]
	Lost,
	/// The peer does not speak the delivery protocol.
	#[error("the peer does not speak {PROTOCOL_NAME}")]
	Unsupported,
	/// The peer holds as many connections or streams as it can.
	#[error("the peer has no room")]
	Full,
}

/// Why no node could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
	/// The key makes no identity.
	#[error(transparent)]
	Tls(#[from] TlsError),
}

/// Handle of a running node. The node stops, and its connections close, when the last handle is dropped.
#[derive(Clone)]
pub struct Node {
	shared: Arc<Shared>,
	_running: Arc<Running>,
}

/// Streams that peers opened, each with the key that the peer proved to hold. A browser proves none: it has a number drawn by chance
/// in its place, of which nobody has the key, so that it is another one on each connection, as whoever makes a key each time is.
#[derive(Debug)]
pub struct Incoming {
	streams: mpsc::Receiver<(PublicKey, Stream)>,
}

impl Incoming {
	/// The next one; `None` when the node has stopped.
	pub async fn accept(&mut self) -> Option<(PublicKey, Stream)> {
		self.streams.recv().await
	}
}

/// What the handles and the tasks of a node have in common.
struct Shared {
	credentials: Credentials,
	settings: Settings,
	/// Those that listen first.
	endpoints: Mutex<Vec<Endpoint>>,
	/// Those that browsers call.
	web: Mutex<Vec<Endpoint>>,
	connections: Mutex<Connections>,
	/// Tells handshakes that are given up.
	gate: Mutex<Gate<Arc<Notify>>>,
	incoming: mpsc::Sender<(PublicKey, Stream)>,
	uplink: Arc<Uplink>,
}

/// Stops the node when it goes.
struct Running(Arc<Shared>);

impl Drop for Running {
	fn drop(&mut self) {
		for endpoint in lock(&self.0.endpoints).iter().chain(&*lock(&self.0.web)) {
			endpoint.close(STOPPED, b"the node stops");
		}
	}
}

impl std::fmt::Debug for Node {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_tuple("Node").field(&self.peer_id()).finish()
	}
}

impl Node {
	/// A node on the current tokio runtime. It neither listens nor dials by itself; drop `Incoming` to refuse whatever
	/// peers open.
	pub fn start(key: &KeyPair, limits: Limits) -> Result<(Self, Incoming), NodeError> {
		let credentials = Credentials::new(key, PROTOCOL_NAME.as_bytes())?;
		let settings = Settings::new(
			credentials.server()?,
			&credentials.secret(b"clustercast/stateless-reset"),
			MAX_HANDSHAKES,
		)
		.map_err(TlsError::Tls)?;
		let (incoming, streams) = mpsc::channel(INCOMING_QUEUE);
		let shared = Arc::new(Shared {
			credentials,
			settings,
			endpoints: Mutex::default(),
			web: Mutex::default(),
			connections: Mutex::new(Connections::new(limits)),
			gate: Mutex::new(Gate::new(MAX_HANDSHAKES)),
			incoming,
			uplink: Arc::default(),
		});
		let node = Self {
			_running: Arc::new(Running(shared.clone())),
			shared,
		};
		Ok((node, Incoming { streams }))
	}

	/// Our own peer id.
	pub fn peer_id(&self) -> PeerId {
		self.shared.credentials.peer_id()
	}

	/// Listens; returns the address that is of most use to others, with the real port and our peer id.
	pub async fn listen(&self, on: Multiaddr) -> Result<Address, ListenError> {
		Ok(self.listen_on(on).await?.swap_remove(0))
	}

	/// Listens; returns where others reach us, with the real port and our peer id, the most useful first: all addresses of
	/// the machine where `on` names none ([`reach`]). At least one.
	pub async fn listen_on(&self, on: Multiaddr) -> Result<Vec<Address>, ListenError> {
		let at = socket_address(&on).ok_or_else(|| ListenError::Unsupported(on.clone()))?;
		let failed = |error: io::Error| match error.kind() {
			io::ErrorKind::AddrInUse => ListenError::PortInUse(on.clone()),
			_ => ListenError::Io(on.clone(), error),
		};
		let endpoint = quic::endpoint(&self.shared.settings, at, true).map_err(failed)?;
		let port = endpoint.local_addr().map_err(failed)?.port();
		lock(&self.shared.endpoints).insert(0, endpoint.clone());
		tokio::spawn(accept(self.shared.clone(), endpoint, None));

		let machine = reach::of_this_machine().unwrap_or_else(|error| {
			tracing::warn!(%error, "cannot look up the addresses of this machine");
			Vec::new()
		});
		let own = identity::public_key(&self.peer_id()).expect("made from an Ed25519 key in `start`");
		let address = |ip: IpAddr| {
			let transport = multiaddress(SocketAddr::new(ip, port));
			Address::new(&transport.to_string(), &own).expect("a socket's address, for our own key")
		};
		Ok(reach::reachable(at.ip(), &machine).into_iter().map(address).collect())
	}

	/// Listens for browsers, which speak WebTransport and find us by these certificates; the port, where `at` names none.
	pub async fn listen_web(&self, at: SocketAddr, certificates: Certificates) -> Result<u16, WebError> {
		let settings = self
			.shared
			.settings
			.for_browsers(certificates.server()?, MAX_HANDSHAKES)?;
		let failed = |error| WebError::Io(at, error);
		let endpoint = quic::endpoint(&settings, at, true).map_err(failed)?;
		let port = endpoint.local_addr().map_err(failed)?.port();
		// Nothing is dialled from it: peers would not know it.
		lock(&self.shared.web).push(endpoint.clone());
		tokio::spawn(accept(self.shared.clone(), endpoint, Some(certificates)));
		Ok(port)
	}

	/// All that goes out together carries so many bytes/s; unlimited where nothing is said. What chunks take of it.
	pub fn uplink(&self, bytes_per_second: u64) -> u64 {
		self.shared.uplink.carries(bytes_per_second)
	}

	/// Whether a window of so many bytes is to be passed on as it comes, and not only once it is whole: it takes more than 300 ms of
	/// the uplink, or of 5 Mb/s where it was not said what that carries.
	pub fn passes_on_runs(&self, bytes: u64) -> bool {
		self.shared.uplink.is_long(bytes)
	}

	/// Opens a stream to the peer, over the connection that stands or a new one. Whoever answers has proved in the TLS
	/// handshake to hold the key in `to`. Ends within 12 s.
	pub async fn connect(&self, to: &Address) -> Result<Stream, ConnectError> {
		let attempts = async {
			let standing = lock(&self.shared.connections).newest(&to.peer());
			if let Some(held) = standing {
				match open(&held).await {
					// It was ending, or dead, as we turned to it.
					Err(ConnectError::Lost) => {},
					other => return other,
				}
			}
			open(&self.dial(to).await?).await
		};
		timeout(CONNECT_TIMEOUT, attempts)
			.await
			.unwrap_or(Err(ConnectError::Timeout))
	}

	/// Whether this machine has a route there at all.
	pub fn has_route(&self, to: &Address) -> bool {
		socket_address(to.transport()).is_some_and(reach::has_route)
	}

	async fn dial(&self, to: &Address) -> Result<Held, ConnectError> {
		let unreachable = |why: &dyn std::fmt::Display| ConnectError::Unreachable(why.to_string());
		if to.peer_id() == self.peer_id() {
			return Err(ConnectError::WrongPeer);
		}
		let at = socket_address(to.transport()).ok_or_else(|| unreachable(&"not an address of QUIC"))?;
		let answered = Arc::new(OnceLock::new());
		let tls = self.shared.credentials.client(to.peer_id(), answered.clone());
		let config = self.shared.settings.client(tls.map_err(|e| unreachable(&e))?);
		let config = config.map_err(|e| unreachable(&e))?;
		let endpoint = self.shared.endpoint_for(at.ip()).map_err(|e| unreachable(&e))?;
		let connecting = endpoint
			.connect_with(config, at, SERVER_NAME)
			.map_err(|e| unreachable(&e))?;
		let connection = timeout(HANDSHAKE_TIMEOUT, connecting)
			.await
			.map_err(|_| ConnectError::Timeout)?
			.map_err(|error| match answered.get() {
				Some(peer) if *peer != to.peer_id() => ConnectError::WrongPeer,
				_ => refused(error),
			})?;
		Ok(self.shared.dialled(to.peer(), connection))
	}
}

impl Shared {
	/// Which of our sockets reaches this address; a new one where none does. Where we listen comes first: others see one
	/// address of ours.
	fn endpoint_for(&self, remote: IpAddr) -> io::Result<Endpoint> {
		let mut endpoints = lock(&self.endpoints);
		let reaches = |endpoint: &&Endpoint| {
			endpoint.local_addr().is_ok_and(|own| {
				let own = own.ip();
				own.is_ipv4() == remote.is_ipv4() && (own.is_unspecified() || own.is_loopback() == remote.is_loopback())
			})
		};
		if let Some(endpoint) = endpoints.iter().find(reaches) {
			return Ok(endpoint.clone());
		}
		let any = match remote {
			IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
			IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
		};
		let endpoint = quic::endpoint(&self.settings, SocketAddr::new(any, 0), false)?;
		endpoints.push(endpoint.clone());
		Ok(endpoint)
	}

	/// Keeps a connection that we made, and takes what the peer opens on it.
	fn dialled(self: &Arc<Self>, peer: PublicKey, connection: quinn::Connection) -> Held {
		let held = lock(&self.connections).dialled(peer, connection);
		tokio::spawn(attend(self.clone(), peer, held.clone()));
		held
	}

	/// The same for one that the peer made; it is closed where there is no room. Browsers were shown one of these certificates.
	fn accepted(self: &Arc<Self>, peer: PublicKey, connection: quinn::Connection, certificates: Option<Certificates>) {
		let accepted = lock(&self.connections).accepted(peer, connection.clone(), Instant::now());
		let Some((held, closing)) = accepted else {
			connection.close(FULL, b"no room");
			tracing::debug!("connection refused: too many");
			return;
		};
		closing.iter().for_each(|other| other.close(FULL, b"no room"));
		match certificates {
			None => drop(tokio::spawn(attend(self.clone(), peer, held))),
			Some(certificates) => drop(tokio::spawn(attend_browser(self.clone(), peer, held, certificates))),
		}
	}

	/// Takes a stream that a peer opened, behind what the transport has it begin with.
	async fn take(&self, peer: PublicKey, held: &Held, stream: (SendStream, RecvStream), browser: Option<&Browser>) {
		let (mut send, mut receive) = stream;
		let hold = held.activity.hold();
		let taken = timeout(OPEN_TIMEOUT, async {
			if let Some(browser) = browser {
				browser.session.is_ours(&mut receive).await.then_some(())?;
			}
			let mut opening = [0; 1 + LINK_BYTES];
			receive.read_exact(&mut opening).await.ok()?;
			let [DELIVERY, link @ ..] = opening else {
				return None;
			};
			send.write_all(&[DELIVERY]).await.ok()?;
			let before = browser.map(|browser| browser.session.one_way()).unwrap_or_default();
			Some(Sender::new(
				held.connection.clone(),
				&before,
				LinkId::from_le_bytes(link),
				self.uplink.clone(),
			))
		});
		let Ok(Some(sender)) = taken.await else {
			let _ = send.reset(quic::ABANDONED);
			return;
		};
		let shown = browser.map(|browser| browser.certificates.clone()).unwrap_or_default();
		let stream = Stream::new(send, receive, Chunks::Go(sender), hold, held.source()).shown(shown);
		if let Err(refused) = self.incoming.try_send((peer, stream)) {
			let (_, stream) = refused.into_inner();
			stream.refuse();
			tracing::debug!("stream refused: too many are waiting");
		}
	}
}

/// A browser's connection.
struct Browser {
	session: Session,
	/// That it may have been shown.
	certificates: Vec<Hash>,
}

/// Takes what others call with, until the socket closes: browsers, where there are certificates for them.
async fn accept(shared: Arc<Shared>, endpoint: Endpoint, certificates: Option<Certificates>) {
	while let Some(handshake) = endpoint.accept().await {
		let (from, given_up) = (handshake.remote_address().ip(), Arc::new(Notify::new()));
		let (proved, now) = (handshake.remote_address_validated(), Instant::now());
		let verdict = lock(&shared.gate).judge(from, proved, now, given_up.clone());
		let id = match verdict {
			Verdict::Accept(id, instead) => {
				if let Some(other) = instead {
					other.notify_one();
				}
				id
			},
			Verdict::Prove => {
				let _ = handshake.retry();
				continue;
			},
			Verdict::Ignore => {
				handshake.ignore();
				continue;
			},
		};
		let (shared, certificates) = (shared.clone(), certificates.clone());
		tokio::spawn(async move {
			let connected = match handshake.accept() {
				Ok(connecting) => tokio::select! {
					connected = timeout(HANDSHAKE_TIMEOUT, connecting) => connected,
					() = given_up.notified() => {
						tracing::debug!("handshake given up for another one");
						return;
					},
				},
				Err(error) => Ok(Err(error)),
			};
			lock(&shared.gate).end(id);
			match connected {
				Ok(Ok(connection)) if certificates.is_some() => {
					shared.accepted(PublicKey(rand::random()), connection, certificates);
				},
				Ok(Ok(connection)) => match peer_of(&connection) {
					Some(peer) => shared.accepted(peer, connection, None),
					None => connection.close(NO_PEER, b"the certificate is not of an Ed25519 key"),
				},
				Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
				Err(_) => tracing::debug!("handshake took too long"),
			}
		});
	}
}

/// Takes the streams that a peer opens, until the connection is over, or nothing uses it.
async fn attend(shared: Arc<Shared>, peer: PublicKey, held: Held) {
	let Held {
		connection, activity, ..
	} = &held;
	loop {
		let stream = tokio::select! {
			opened = connection.accept_bi() => match opened {
				Ok(opened) => opened,
				Err(_) => break,
			},
			opened = connection.accept_uni() => match opened {
				Ok(stream) => {
					// As many at a time as a peer may open.
					let links = held.links.clone();
					tokio::spawn(async move { links.route(stream).await });
					continue;
				},
				Err(_) => break,
			},
			() = activity.idle(IDLE_CONNECTION) => {
				connection.close(IDLE, b"idle");
				break;
			},
		};
		shared.take(peer, &held, stream, None).await;
	}
	lock(&shared.connections).remove(&peer, connection);
}

/// The same of a browser, once it has its session, and until it closes that.
async fn attend_browser(shared: Arc<Shared>, peer: PublicKey, held: Held, certificates: Certificates) {
	let Held {
		connection, activity, ..
	} = &held;
	let shown = certificates.hashes(SystemTime::now()).into();
	let session = timeout(HANDSHAKE_TIMEOUT, Session::accept(connection));
	match session.await {
		Ok(Ok(session)) => {
			let mut browser = Browser {
				session,
				certificates: shown,
			};
			loop {
				let stream = tokio::select! {
					opened = connection.accept_bi() => match opened {
						Ok(opened) => opened,
						Err(_) => break,
					},
					opened = connection.accept_uni() => match opened {
						Ok(stream) => {
							browser.session.keep(stream);
							continue;
						},
						Err(_) => break,
					},
					() = browser.session.closed() => {
						connection.close(STOPPED, b"closed");
						break;
					},
					() = activity.idle(IDLE_CONNECTION) => {
						connection.close(IDLE, b"idle");
						break;
					},
				};
				shared.take(peer, &held, stream, Some(&browser)).await;
			}
		},
		Ok(Err(error)) => {
			tracing::debug!(%error, "no session");
			connection.close(NO_PEER, b"no session");
		},
		Err(_) => connection.close(NO_PEER, b"no session in time"),
	}
	lock(&shared.connections).remove(&peer, connection);
}

/// Opens a stream on a connection, and waits until the peer has taken it.
async fn open(held: &Held) -> Result<Stream, ConnectError> {
	let hold = held.activity.hold();
	let bodies = held.links.open();
	let opening = async {
		let (mut send, mut receive) = held.connection.open_bi().await.map_err(refused)?;
		let mut opening = [DELIVERY; 1 + LINK_BYTES];
		opening[1..].copy_from_slice(&bodies.id().to_le_bytes());
		send.write_all(&opening).await.map_err(|error| match error {
			WriteError::ConnectionLost(error) => refused(error),
			_ => ConnectError::Full,
		})?;
		let mut answer = [0];
		receive.read_exact(&mut answer).await.map_err(|error| match error {
			ReadExactError::ReadError(ReadError::ConnectionLost(error)) => refused(error),
			ReadExactError::ReadError(ReadError::Reset(_)) => ConnectError::Full,
			_ => ConnectError::Lost,
		})?;
		match answer {
			[DELIVERY] => Ok((send, receive)),
			_ => Err(ConnectError::Unsupported),
		}
	};
	let (send, receive): (SendStream, RecvStream) =
		timeout(OPEN_TIMEOUT, opening).await.map_err(|_| ConnectError::Lost)??;
	Ok(Stream::new(send, receive, Chunks::Come(bodies), hold, held.source()))
}

/// Why there is no connection, or no longer.
fn refused(error: ConnectionError) -> ConnectError {
	/// TLS: no protocol in common.
	const NO_APPLICATION_PROTOCOL: u8 = 120;
	let unsupported = TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL);
	match error {
		ConnectionError::ApplicationClosed(closed) if closed.error_code == FULL => ConnectError::Full,
		ConnectionError::TimedOut => ConnectError::Timeout,
		ConnectionError::Reset | ConnectionError::ApplicationClosed(_) | ConnectionError::LocallyClosed => {
			ConnectError::Lost
		},
		ConnectionError::ConnectionClosed(closed) if closed.error_code == unsupported => ConnectError::Unsupported,
		ConnectionError::TransportError(error) if error.code == unsupported => ConnectError::Unsupported,
		other => ConnectError::Unreachable(other.to_string()),
	}
}

/// Whose key the peer proved to hold.
fn peer_of(connection: &quinn::Connection) -> Option<PublicKey> {
	let identity = connection.peer_identity()?;
	let certificates = identity
		.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>()
		.ok()?;
	quic::peer_of(&certificates)
}

/// `/ip4|ip6/…/udp/…/quic-v1`, and nothing behind it.
fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
	let mut parts = address.iter();
	let ip = match parts.next()? {
		Protocol::Ip4(ip) => IpAddr::from(ip),
		Protocol::Ip6(ip) => ip.into(),
		_ => return None,
	};
	match (parts.next()?, parts.next()?, parts.next()) {
		(Protocol::Udp(port), Protocol::QuicV1, None) => Some(SocketAddr::new(ip, port)),
		_ => None,
	}
}

fn multiaddress(at: SocketAddr) -> Multiaddr {
	Multiaddr::from(at.ip())
		.with(Protocol::Udp(at.port()))
		.with(Protocol::QuicV1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is locked here is changed in one step.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
