//! Settings of QUIC, and sockets.

use super::congestion::Bounded;
use aws_lc_rs::hmac;
use quinn::{
	crypto::rustls::{QuicClientConfig, QuicServerConfig},
	ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig,
};
use quinn_proto::HashedConnectionIdGenerator;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

/// Streams that a peer may hold open on one connection: a few subscriptions.
const MAX_STREAMS: u32 = 8;

/// Ranges of chunks that a peer whom we called may have under way to us, in all subscriptions on one connection.
const MAX_BODIES: u32 = 32;

/// Streams of its own that HTTP/3 has, and a few that it makes up so that nobody relies on there being no others.
const MAX_HTTP_STREAMS: u32 = 8;

/// Datagrams that a browser sends: we have no use for them, and HTTP/3 asks for room.
const DATAGRAMS: usize = 2 << 10;

/// What a peer may send ahead of our reading it: 2 MiB carries 80 Mb/s at 200 ms.
const RECEIVE_WINDOW: u32 = 2 << 20;

/// The same of a peer who called: what subscribes and pays is a few hundred bytes. So what a stranger sends and nobody reads
/// takes 64 KiB at most, whatever it opens.
const CALLERS_RECEIVE_WINDOW: u32 = 16 << 10;

/// What we keep of a connection until the peer has it: two windows of video at three times the usual rate. Bytes of the same
/// window are shared by all connections.
const SEND_WINDOW: u64 = 2 << 20;

/// A connection of which nothing was heard for so long is dead.
const SILENCE: Duration = Duration::from_secs(10);

/// Something is sent at least this often, so that the other side knows that we live, and routers keep the way open.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// Bytes kept of a handshake that nobody has looked at yet, of one and of all.
const UNSEEN: u64 = 16 << 10;
const UNSEEN_IN_ALL: u64 = 4 << 20;

/// What the system should hold of what came and is not read yet; it may give less.
const SOCKET_BUFFER: usize = 4 << 20;

/// What all connections have in common.
#[derive(Clone, Debug)]
pub struct Settings {
	transport: Arc<TransportConfig>,
	server: ServerConfig,
	endpoint: EndpointConfig,
}

impl Settings {
	/// `secret` is the same after a restart: a peer who still takes us for running is told at once that we know nothing of it.
	pub fn new(server: rustls::ServerConfig, secret: &[u8; 32], most_handshakes: usize) -> Result<Self, rustls::Error> {
		let server = accepting(server, transport(CALLERS_RECEIVE_WINDOW, 0), most_handshakes)?;
		let reset = hmac::Key::new(hmac::HMAC_SHA256, secret);
		let mut ids = [0; 8];
		ids.copy_from_slice(&hmac::sign(&reset, b"connection ids").as_ref()[..8]);
		let ids = u64::from_le_bytes(ids);
		let mut endpoint = EndpointConfig::new(Arc::new(reset));
		// Ids that we might have given out are answered with a reset, others with nothing.
		endpoint.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
		Ok(Self {
			transport: Arc::new(transport(RECEIVE_WINDOW, MAX_BODIES)),
			server,
			endpoint,
		})
	}

	/// The same for browsers that call.
	pub fn for_browsers(&self, server: rustls::ServerConfig, most_handshakes: usize) -> Result<Self, rustls::Error> {
		let mut transport = transport(CALLERS_RECEIVE_WINDOW, MAX_HTTP_STREAMS);
		transport.datagram_receive_buffer_size(Some(DATAGRAMS));
		Ok(Self {
			server: accepting(server, transport, most_handshakes)?,
			..self.clone()
		})
	}

	/// For a connection that we open.
	pub fn client(&self, tls: rustls::ClientConfig) -> Result<ClientConfig, rustls::Error> {
		let crypto = QuicClientConfig::try_from(tls).map_err(|e| rustls::Error::General(e.to_string()))?;
		let mut client = ClientConfig::new(Arc::new(crypto));
		client.transport_config(self.transport.clone());
		Ok(client)
	}
}

/// What is said to who calls.
fn accepting(
	server: rustls::ServerConfig,
	transport: TransportConfig,
	most_handshakes: usize,
) -> Result<ServerConfig, rustls::Error> {
	let crypto = QuicServerConfig::try_from(server).map_err(|e| rustls::Error::General(e.to_string()))?;
	let mut server = ServerConfig::with_crypto(Arc::new(crypto));
	server
		.transport_config(Arc::new(transport))
		.max_incoming(most_handshakes)
		.incoming_buffer_size(UNSEEN)
		.incoming_buffer_size_total(UNSEEN_IN_ALL);
	Ok(server)
}

/// What a connection is like on which a peer may send so much of a stream ahead of our reading it, and four times that in all; and
/// this many ranges of chunks.
fn transport(receive_window: u32, bodies: u32) -> TransportConfig {
	let mut transport = TransportConfig::default();
	transport
		.max_concurrent_bidi_streams(MAX_STREAMS.into())
		.max_concurrent_uni_streams(bodies.into())
		.datagram_receive_buffer_size(None)
		.stream_receive_window(receive_window.into())
		.receive_window((4 * receive_window).into())
		.send_window(SEND_WINDOW)
		.keep_alive_interval(Some(KEEP_ALIVE))
		.max_idle_timeout(SILENCE.try_into().ok())
		.congestion_controller_factory(Arc::new(Bounded::default()))
		.allow_spin(false);
	transport
}

/// A socket of ours; one that `listens` is for others to call. Of IPv6 alone where it is IPv6, so that both families can have one
/// port.
pub fn endpoint(settings: &Settings, at: SocketAddr, listens: bool) -> io::Result<Endpoint> {
	let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
	if at.is_ipv6() {
		socket.set_only_v6(true)?;
	}
	// The system's own limit holds.
	let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
	let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
	socket.bind(&at.into())?;
	let server = listens.then(|| settings.server.clone());
	Endpoint::new(settings.endpoint.clone(), server, socket.into(), Arc::new(TokioRuntime))
}
