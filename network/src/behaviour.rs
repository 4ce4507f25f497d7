//! A libp2p behaviour for one stream protocol: hands accepted streams to a bounded queue, opens streams on request.
//!
//! `libp2p-stream` does nearly this, but keeps an entry for each connection it ever saw and drops streams that arrive
//! while another waits; a stranger could grow the first and provoke the second for free.

use crate::identity;
use clustercast_primitives::PublicKey;
use libp2p::{
	core::{transport::PortUse, upgrade::ReadyUpgrade, Endpoint},
	swarm::{
		handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
		ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
		NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
	},
	Multiaddr, PeerId, Stream, StreamProtocol,
};
use std::{
	collections::VecDeque,
	convert::Infallible,
	io,
	task::{Context, Poll},
};
use tokio::sync::{mpsc, oneshot};

/// Why a stream could not be opened on a connection that stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
	#[error("peer does not speak this protocol")]
	Unsupported,
	#[error(transparent)]
	Io(#[from] io::Error),
}

/// Answers a request for a stream; dropped without an answer when the connection ends first.
pub(crate) type Opened = oneshot::Sender<Result<Stream, OpenError>>;

/// See the module.
pub(crate) struct Behaviour {
	protocol: StreamProtocol,
	incoming: mpsc::Sender<(PublicKey, Stream)>,
	requests: VecDeque<(PeerId, NotifyHandler, Opened)>,
}

impl Behaviour {
	/// Streams that do not fit `incoming` are reset.
	pub fn new(protocol: StreamProtocol, incoming: mpsc::Sender<(PublicKey, Stream)>) -> Self {
		Self {
			protocol,
			incoming,
			requests: VecDeque::new(),
		}
	}

	/// Opens a stream to `peer` on this connection, or on any that there is.
	pub fn open(&mut self, peer: PeerId, connection: Option<ConnectionId>, opened: Opened) {
		let handler = connection.map_or(NotifyHandler::Any, NotifyHandler::One);
		self.requests.push_back((peer, handler, opened));
	}

	fn handler(&self, peer: PeerId) -> Result<Handler, ConnectionDenied> {
		Ok(Handler {
			peer: identity::public_key(&peer).map_err(ConnectionDenied::new)?,
			protocol: self.protocol.clone(),
			incoming: self.incoming.clone(),
			requests: VecDeque::new(),
		})
	}
}

impl NetworkBehaviour for Behaviour {
	type ConnectionHandler = Handler;
	type ToSwarm = Infallible;

	fn handle_established_inbound_connection(
		&mut self,
		_: ConnectionId,
		peer: PeerId,
		_: &Multiaddr,
		_: &Multiaddr,
	) -> Result<THandler<Self>, ConnectionDenied> {
		self.handler(peer)
	}

	fn handle_established_outbound_connection(
		&mut self,
		_: ConnectionId,
		peer: PeerId,
		_: &Multiaddr,
		_: Endpoint,
		_: PortUse,
	) -> Result<THandler<Self>, ConnectionDenied> {
		self.handler(peer)
	}

	fn on_swarm_event(&mut self, _: FromSwarm) {}

	fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
		match event {}
	}

	fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
		// Filled only by the task that polls the swarm, just before it does: no waker is needed.
		match self.requests.pop_front() {
			Some((peer_id, handler, event)) => Poll::Ready(ToSwarm::NotifyHandler {
				peer_id,
				handler,
				event,
			}),
			None => Poll::Pending,
		}
	}
}

/// One connection's side of [`Behaviour`].
pub(crate) struct Handler {
	peer: PublicKey,
	protocol: StreamProtocol,
	incoming: mpsc::Sender<(PublicKey, Stream)>,
	requests: VecDeque<Opened>,
}

impl ConnectionHandler for Handler {
	type FromBehaviour = Opened;
	type ToBehaviour = Infallible;
	type InboundProtocol = ReadyUpgrade<StreamProtocol>;
	type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
	type InboundOpenInfo = ();
	type OutboundOpenInfo = Opened;

	fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
		SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
	}

	fn poll(
		&mut self,
		_: &mut Context<'_>,
	) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Opened, Self::ToBehaviour>> {
		// Filled only by `on_behaviour_event`, after which the connection polls again: no waker is needed.
		match self.requests.pop_front() {
			Some(opened) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
				protocol: SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), opened),
			}),
			None => Poll::Pending,
		}
	}

	fn on_behaviour_event(&mut self, opened: Opened) {
		self.requests.push_back(opened);
	}

	fn on_connection_event(
		&mut self,
		event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Opened>,
	) {
		match event {
			ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
				let refused = self.incoming.try_send((self.peer, stream)).is_err();
				if refused {
					tracing::debug!("incoming stream refused: too many are waiting");
				}
			},
			// A requester that gave up meanwhile leaves nobody to answer: the stream is reset.
			ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info }) => {
				let _ = info.send(Ok(stream));
			},
			ConnectionEvent::DialUpgradeError(DialUpgradeError { error, info }) => {
				let _ = info.send(Err(match error {
					StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
					StreamUpgradeError::Timeout => io::Error::from(io::ErrorKind::TimedOut).into(),
					StreamUpgradeError::Io(e) => e.into(),
					StreamUpgradeError::Apply(never) => match never {},
				}));
			},
			_ => {},
		}
	}
}
