//! A libp2p node: one QUIC endpoint, one Ed25519 identity, one task. Accepts and opens streams of the delivery protocol;
//! knows nothing of what travels in them.

use crate::{
	behaviour::{self, OpenError, Opened},
	identity::{self, Address, AddressError},
	reach,
};
use clustercast_primitives::{crypto::KeyPair, PublicKey};
use clustercast_protocol::PROTOCOL_NAME;
use futures::StreamExt;
use libp2p::{
	connection_limits::{self, ConnectionLimits},
	core::{muxing::StreamMuxerBox, transport::ListenerId, ConnectedPoint},
	multiaddr::Protocol,
	ping, quic,
	swarm::{
		self,
		dial_opts::{DialOpts, PeerCondition},
		ConnectionId, DialError, NetworkBehaviour, SwarmEvent,
	},
	Multiaddr, PeerId, StreamProtocol, Swarm, Transport, TransportError,
};
use std::{collections::HashMap, io, net::IpAddr, time::Duration};
use tokio::{
	sync::{mpsc, oneshot},
	time::timeout,
};

/// A bidirectional stream of the delivery protocol.
pub type Stream = libp2p::Stream;

/// Streams that a peer may hold open on one connection: a few subscriptions and the ping.
const MAX_STREAMS_PER_CONNECTION: u32 = 8;

/// Accepted streams that wait to be taken; past it they are reset. The server takes them at once.
const INCOMING_QUEUE: usize = 64;

/// Requests that wait for the node's task.
const COMMAND_QUEUE: usize = 16;

/// Handshakes in progress; bounds what unproven addresses can make us hold.
const MAX_PENDING_CONNECTIONS: u32 = 256;

/// A connection without streams is closed after this: time to open one.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// Connecting and opening a stream, a second attempt included: generous for far and busy peers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);

/// Opening a stream takes one round trip. A connection that does not answer within this is taken for dead: its peer was
/// killed or the path changed, and QUIC will need until its idle timeout (10 s) to notice.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a peer may send ahead of our reading it: 2 MiB carries 80 Mb/s at 200 ms.
const RECEIVE_WINDOW: u32 = 2 << 20;

/// How many connections a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Connections in all.
	pub connections: u32,
	/// Connections of one peer.
	pub connections_per_peer: u32,
}

impl Default for Limits {
	fn default() -> Self {
		Self {
			connections: 1024,
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
	/// The node has stopped.
	#[error("the node has stopped")]
	Stopped,
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
	/// The stream could not be opened.
	#[error(transparent)]
	Io(io::Error),
	/// The node has stopped.
	#[error("the node has stopped")]
	Stopped,
}

impl From<OpenError> for ConnectError {
	fn from(error: OpenError) -> Self {
		match error {
			OpenError::Unsupported => Self::Unsupported,
			OpenError::Io(e) => Self::Io(e),
		}
	}
}

/// Why no node could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
	/// The key makes no libp2p identity.
	#[error(transparent)]
	Identity(#[from] AddressError),
}

/// Handle of a running node. The node stops, and its connections close, when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Node {
	address: PeerId,
	commands: mpsc::Sender<Command>,
}

/// Streams that peers opened, each with the key that the peer proved to hold.
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

#[derive(Debug)]
enum Command {
	Listen(Multiaddr, oneshot::Sender<Result<Multiaddr, ListenError>>),
	Open {
		to: Address,
		/// Not over a connection that stands.
		fresh: bool,
		connected: oneshot::Sender<Result<(), ConnectError>>,
		opened: Opened,
	},
}

impl Node {
	/// Starts the node's task on the current tokio runtime. It neither listens nor dials by itself; drop `Incoming` to
	/// refuse whatever peers open.
	pub fn start(key: &KeyPair, limits: Limits) -> Result<(Self, Incoming), NodeError> {
		let identity = libp2p::identity::Keypair::ed25519_from_bytes(key.seed())
			.map_err(|_| NodeError::Identity(AddressError::NotEd25519))?;
		let (incoming, streams) = mpsc::channel(INCOMING_QUEUE);
		let (commands, requests) = mpsc::channel(COMMAND_QUEUE);
		let connection_limits = ConnectionLimits::default()
			.with_max_established(Some(limits.connections))
			.with_max_established_per_peer(Some(limits.connections_per_peer))
			.with_max_pending_incoming(Some(MAX_PENDING_CONNECTIONS))
			.with_max_pending_outgoing(Some(MAX_PENDING_CONNECTIONS));
		let behaviour = Behaviour {
			// First, so that nothing is kept for a connection that is over the limit.
			limits: connection_limits::Behaviour::new(connection_limits),
			delivery: behaviour::Behaviour::new(StreamProtocol::new(PROTOCOL_NAME), incoming),
			ping: ping::Behaviour::default(),
		};
		let mut quic = quic::Config::new(&identity);
		quic.max_concurrent_stream_limit = MAX_STREAMS_PER_CONNECTION;
		quic.max_stream_data = RECEIVE_WINDOW;
		quic.max_connection_data = 4 * RECEIVE_WINDOW;
		let transport = quic::tokio::Transport::new(quic)
			.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
			.boxed();
		let config = swarm::Config::with_tokio_executor()
			.with_idle_connection_timeout(IDLE_CONNECTION)
			.with_max_negotiating_inbound_streams(MAX_STREAMS_PER_CONNECTION as usize);
		let swarm = Swarm::new(transport, behaviour, identity.public().to_peer_id(), config);
		let address = *swarm.local_peer_id();
		tokio::spawn(
			Task {
				swarm,
				requests,
				listening: HashMap::new(),
				dialing: HashMap::new(),
			}
			.run(),
		);
		Ok((Self { address, commands }, Incoming { streams }))
	}

	/// Our own peer id.
	pub fn peer_id(&self) -> PeerId {
		self.address
	}

	/// Listens; returns the address that is of most use to others, with the real port and our peer id.
	pub async fn listen(&self, on: Multiaddr) -> Result<Address, ListenError> {
		Ok(self.listen_on(on).await?.swap_remove(0))
	}

	/// Listens; returns where others reach us, with the real port and our peer id, the most useful first: all addresses of
	/// the machine where `on` names none ([`reach`]). At least one.
	pub async fn listen_on(&self, on: Multiaddr) -> Result<Vec<Address>, ListenError> {
		let bound = ip_of(&on);
		let (reply, address) = oneshot::channel();
		let command = Command::Listen(on, reply);
		self.commands.send(command).await.map_err(|_| ListenError::Stopped)?;
		let transport = address.await.map_err(|_| ListenError::Stopped)??;
		let machine = reach::of_this_machine().unwrap_or_else(|error| {
			tracing::warn!(%error, "cannot look up the addresses of this machine");
			Vec::new()
		});
		let usable = bound.map_or_else(Vec::new, |bound| reach::reachable(bound, &machine));
		let mut transports: Vec<Multiaddr> = usable.into_iter().map(|ip| with_ip(&transport, ip)).collect();
		if transports.is_empty() {
			transports.push(transport);
		}
		let own = identity::public_key(&self.address).expect("made from an Ed25519 key in `start`");
		let address = |transport: &Multiaddr| {
			Address::new(&transport.to_string(), &own).expect("libp2p's own address, for our own key")
		};
		Ok(transports.iter().map(address).collect())
	}

	/// Opens a stream to the peer, over the connection that stands or a new one. Whoever answers has proved in the TLS
	/// handshake to hold the key in `to`. Ends within 12 s.
	pub async fn connect(&self, to: &Address) -> Result<Stream, ConnectError> {
		let attempts = async {
			match self.open(to, false).await {
				// The connection was ending, or dead, as we turned to it.
				Err(ConnectError::Lost) => self.open(to, true).await,
				other => other,
			}
		};
		timeout(CONNECT_TIMEOUT, attempts)
			.await
			.unwrap_or(Err(ConnectError::Timeout))
	}

	async fn open(&self, to: &Address, fresh: bool) -> Result<Stream, ConnectError> {
		let (connected, connection) = oneshot::channel();
		let (opened, stream) = oneshot::channel();
		let to = to.clone();
		let command = Command::Open {
			to,
			fresh,
			connected,
			opened,
		};
		self.commands.send(command).await.map_err(|_| ConnectError::Stopped)?;
		connection.await.map_err(|_| ConnectError::Stopped)??;
		let stream = timeout(OPEN_TIMEOUT, stream).await.map_err(|_| ConnectError::Lost)?;
		Ok(stream.map_err(|_| ConnectError::Lost)??)
	}
}

#[derive(NetworkBehaviour)]
struct Behaviour {
	limits: connection_limits::Behaviour,
	delivery: behaviour::Behaviour,
	ping: ping::Behaviour,
}

/// A dial whose stream somebody waits for.
struct Dial {
	peer: PeerId,
	connected: oneshot::Sender<Result<(), ConnectError>>,
	opened: Opened,
}

struct Task {
	swarm: Swarm<Behaviour>,
	requests: mpsc::Receiver<Command>,
	listening: HashMap<ListenerId, oneshot::Sender<Result<Multiaddr, ListenError>>>,
	dialing: HashMap<ConnectionId, Dial>,
}

impl Task {
	async fn run(mut self) {
		loop {
			tokio::select! {
				command = self.requests.recv() => match command {
					Some(Command::Listen(on, reply)) => self.listen(on, reply),
					Some(Command::Open { to, fresh, connected, opened }) => self.open(to, fresh, connected, opened),
					None => return,
				},
				event = self.swarm.select_next_some() => self.on_event(event),
			}
		}
	}

	fn listen(&mut self, on: Multiaddr, reply: oneshot::Sender<Result<Multiaddr, ListenError>>) {
		match self.swarm.listen_on(on.clone()) {
			Ok(listener) => {
				self.listening.insert(listener, reply);
			},
			Err(error) => {
				let _ = reply.send(Err(match error {
					TransportError::MultiaddrNotSupported(on) => ListenError::Unsupported(on),
					TransportError::Other(e) if in_use(&e) => ListenError::PortInUse(on),
					TransportError::Other(e) => ListenError::Io(on, e),
				}));
			},
		}
	}

	fn open(&mut self, to: Address, fresh: bool, connected: oneshot::Sender<Result<(), ConnectError>>, opened: Opened) {
		let peer = to.peer_id();
		if !fresh && self.swarm.is_connected(&peer) {
			self.swarm.behaviour_mut().delivery.open(peer, None, opened);
			let _ = connected.send(Ok(()));
			return;
		}
		let dial = DialOpts::peer_id(peer)
			.addresses(vec![to.transport().clone()])
			.condition(PeerCondition::Always)
			.build();
		let connection = dial.connection_id();
		match self.swarm.dial(dial) {
			Ok(()) => {
				self.dialing.insert(
					connection,
					Dial {
						peer,
						connected,
						opened,
					},
				);
			},
			Err(error) => {
				let _ = connected.send(Err(unreachable_peer(error)));
			},
		}
	}

	fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
		match event {
			SwarmEvent::NewListenAddr { listener_id, address } => {
				if let Some(reply) = self.listening.remove(&listener_id) {
					let _ = reply.send(Ok(address));
				}
			},
			SwarmEvent::ListenerClosed {
				listener_id,
				reason,
				addresses,
			} => {
				let address = addresses.into_iter().next().unwrap_or_else(Multiaddr::empty);
				let error = reason.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into());
				match self.listening.remove(&listener_id) {
					Some(reply) => drop(reply.send(Err(ListenError::Io(address, error)))),
					None => tracing::error!(%address, %error, "no longer listening"),
				}
			},
			SwarmEvent::ConnectionEstablished {
				connection_id,
				endpoint: ConnectedPoint::Dialer { .. },
				..
			} => {
				if let Some(dial) = self.dialing.remove(&connection_id) {
					self.swarm
						.behaviour_mut()
						.delivery
						.open(dial.peer, Some(connection_id), dial.opened);
					let _ = dial.connected.send(Ok(()));
				}
			},
			SwarmEvent::OutgoingConnectionError {
				connection_id, error, ..
			} => {
				if let Some(dial) = self.dialing.remove(&connection_id) {
					let _ = dial.connected.send(Err(unreachable_peer(error)));
				}
			},
			SwarmEvent::IncomingConnectionError { error, .. } => tracing::debug!(%error, "connection refused"),
			_ => {},
		}
	}
}

/// Which address of ours it is.
fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
	address.iter().find_map(|part| match part {
		Protocol::Ip4(ip) => Some(ip.into()),
		Protocol::Ip6(ip) => Some(ip.into()),
		_ => None,
	})
}

/// The same port at another address.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Multiaddr {
	let other = |part| match part {
		Protocol::Ip4(_) | Protocol::Ip6(_) => ip.into(),
		other => other,
	};
	address.iter().map(other).collect()
}

fn unreachable_peer(error: DialError) -> ConnectError {
	match error {
		DialError::WrongPeerId { .. } | DialError::LocalPeerId { .. } => ConnectError::WrongPeer,
		// The addresses are the caller's own; the reasons say enough.
		DialError::Transport(errors) => {
			let reasons: Vec<String> = errors.into_iter().map(|(_, e)| innermost(&e)).collect();
			ConnectError::Unreachable(reasons.join("; "))
		},
		other => ConnectError::Unreachable(innermost(&other)),
	}
}

fn innermost(error: &dyn std::error::Error) -> String {
	let mut cause = error;
	while let Some(next) = cause.source() {
		cause = next;
	}
	cause.to_string()
}

/// Whether the QUIC transport, whose error libp2p boxes, failed to bind because another socket has the port.
fn in_use(error: &io::Error) -> bool {
	let inner = error.get_ref().and_then(|e| e.downcast_ref::<quic::Error>());
	matches!(inner, Some(quic::Error::Io(e)) if e.kind() == io::ErrorKind::AddrInUse)
}
