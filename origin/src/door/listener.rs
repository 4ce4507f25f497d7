//! Sockets for the policy: a task for each connection moves its bytes, one task has the table.
//!
//! A connection reads a piece, hands it over, and reads no more before it is told what to answer and to go on. So nothing piles up:
//! a peer that does not read its answers is not read either, and a broadcast that does not take its tags stops its publisher alone.

use super::{
	address::{Address, Lock},
	event::Event,
	policy::{Door, Id, Output, Proof, Verdict},
};
use bytes::{Bytes, BytesMut};
use nix::errno::Errno;
use rand::{rngs::StdRng, SeedableRng};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
	collections::{HashMap, VecDeque},
	io,
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{lookup_host, TcpListener, TcpStream},
	sync::{mpsc, Semaphore},
	time::{sleep, sleep_until, timeout},
};

/// Bytes that are read at once.
const PIECE: usize = 32 * 1024;

/// How long a peer may take to read its answers.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// How long a peer that was told why it has to go may take to read that.
const PARTING_LIMIT: Duration = Duration::from_secs(2);

/// How many may do so at a time; others go at once.
const PARTINGS: usize = 64;

/// Between two tries to accept where the system has no files left: each makes room by one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Between lines that say so.
const ACCEPT_LINES: Duration = Duration::from_secs(60);

/// Connections that wait for being accepted.
const BACKLOG: i32 = 1024;

/// Events that wait for the broadcast; behind that their publisher waits.
const EVENTS: usize = 64;

/// Pieces and ends of connections that wait for the table.
const PIECES: usize = 64;

/// Orders that wait for a connection. It has one piece at the table at a time: one answer, one leave to go on, one end.
const ORDERS: usize = 4;

/// Nobody can publish there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for publishers on {address}: {error}")]
pub struct ListenError {
	/// Without its key.
	pub address: String,
	/// From the system.
	pub error: io::Error,
}

/// An open door. Closed when it is dropped.
#[derive(Debug)]
pub struct Listener {
	addresses: Vec<SocketAddr>,
	invitation: String,
	events: mpsc::Receiver<Event>,
	proofs: mpsc::Sender<(u64, Verdict)>,
}

impl Listener {
	/// Listens on every address that the host's name has.
	pub async fn open(address: &Address, lock: Lock, proof: Proof) -> Result<Self, ListenError> {
		let listeners = listen(address).await.map_err(|error| ListenError {
			address: address.to_string(),
			error,
		})?;
		let addresses: Vec<SocketAddr> = listeners
			.iter()
			.filter_map(|listener| listener.local_addr().ok())
			.collect();
		let server = address.as_typed(addresses.first().map_or(address.port, SocketAddr::port));
		let invitation = format!("{server}, stream key {}", lock.place());
		let advice = format!("in OBS the server is {server}, the stream key stands {}", lock.place());
		let (to_broadcast, events) = mpsc::channel(EVENTS);
		let (proofs, proved) = mpsc::channel(1);
		let (to_table, pieces) = mpsc::channel(PIECES);
		let table = Table {
			door: Door::new(lock, proof, advice, StdRng::from_entropy()),
			to_table,
			connections: HashMap::new(),
			events: to_broadcast,
			waiting: VecDeque::new(),
			stopped: Vec::new(),
			partings: Arc::new(Semaphore::new(PARTINGS)),
		};
		tokio::spawn(table.run(listeners, pieces, proved));
		Ok(Self {
			addresses,
			invitation,
			events,
			proofs,
		})
	}

	/// Where it listens.
	pub fn addresses(&self) -> &[SocketAddr] {
		&self.addresses
	}

	/// Where publishers come to, and where their key is found.
	pub fn invitation(&self) -> &str {
		&self.invitation
	}

	/// The next event; cancel safe. Who does not ask for it stops the publisher, and nobody else.
	pub async fn next(&mut self) -> Event {
		match self.events.recv().await {
			Some(event) => event,
			// The table runs as long as somebody listens.
			None => std::future::pending().await,
		}
	}

	/// The answer to [`Event::Asks`].
	pub async fn proved(&self, publisher: u64, verdict: Verdict) {
		let _ = self.proofs.send((publisher, verdict)).await;
	}
}

async fn listen(address: &Address) -> io::Result<Vec<TcpListener>> {
	let mut listeners = Vec::new();
	let mut failed = None;
	for address in lookup_host((&*address.host, address.port)).await? {
		match listen_on(address) {
			Ok(listener) => listeners.push(listener),
			Err(error) => failed = Some((address, error)),
		}
	}
	match failed {
		// `localhost` has an IPv6 address on machines without IPv6.
		Some((_, error)) if !listeners.is_empty() && error.kind() == io::ErrorKind::AddrNotAvailable => Ok(listeners),
		Some((_, error)) => Err(error),
		None if listeners.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
		None => Ok(listeners),
	}
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
	let socket = Socket::new(
		Domain::for_address(address),
		Type::STREAM.nonblocking(),
		Some(Protocol::TCP),
	)?;
	socket.set_reuse_address(true)?;
	if address.is_ipv6() {
		// Without an IPv4 socket beside it, [::] is for everybody.
		socket.set_only_v6(false)?;
	}
	socket.bind(&address.into())?;
	socket.listen(BACKLOG)?;
	TcpListener::from_std(socket.into())
}

/// What a connection says to the table.
#[derive(Debug)]
enum Piece {
	Bytes(Bytes),
	Closed,
}

/// What the table says to a connection.
#[derive(Debug)]
enum Order {
	Send(Bytes),
	/// Read on.
	GoOn,
	/// Go, and politely if so many may.
	Close(bool),
}

struct Table {
	door: Door,
	to_table: mpsc::Sender<(Id, Piece)>,
	connections: HashMap<Id, mpsc::Sender<Order>>,
	events: mpsc::Sender<Event>,
	/// Events for which there is no room. Not more than what one piece brings, or a takeover.
	waiting: VecDeque<Event>,
	/// Publishers that are not read meanwhile.
	stopped: Vec<Id>,
	partings: Arc<Semaphore>,
}

impl Table {
	async fn run(
		mut self,
		listeners: Vec<TcpListener>,
		mut pieces: mpsc::Receiver<(Id, Piece)>,
		mut proved: mpsc::Receiver<(u64, Verdict)>,
	) {
		let (to_door, mut accepted) = mpsc::channel(1);
		let mut acceptors = tokio::task::JoinSet::new();
		for listener in listeners {
			acceptors.spawn(accept(listener, to_door.clone()));
		}
		let events = self.events.clone();
		loop {
			let now = Instant::now();
			let deadline = self.door.deadline(now).unwrap_or(now + Duration::from_secs(3600));
			tokio::select! {
				permit = events.reserve(), if !self.waiting.is_empty() => {
					let (Ok(permit), Some(event)) = (permit, self.waiting.pop_front()) else {
						break;
					};
					permit.send(event);
				},
				() = events.closed() => break,
				Some((id, piece)) = pieces.recv() => self.piece(id, piece),
				Some(arrival) = accepted.recv() => match arrival {
					Arrival::Peer(stream, from) => self.connected(stream, from),
					Arrival::NoFiles => self.door.make_room(Instant::now()),
				},
				Some((publisher, verdict)) = proved.recv() => self.door.proved(publisher, verdict, Instant::now()),
				() = sleep_until(deadline.into()) => self.door.tick(Instant::now()),
			}
			self.carry_out();
		}
		acceptors.abort_all();
		self.door.shut(Instant::now());
		self.carry_out();
	}

	fn connected(&mut self, stream: TcpStream, from: SocketAddr) {
		let id = self
			.door
			.connected(SocketAddr::new(from.ip().to_canonical(), from.port()), Instant::now());
		let (orders, to_connection) = mpsc::channel(ORDERS);
		self.connections.insert(id, orders);
		tokio::spawn(connection(
			stream,
			id,
			self.to_table.clone(),
			to_connection,
			self.partings.clone(),
		));
	}

	fn piece(&mut self, id: Id, piece: Piece) {
		let now = Instant::now();
		match piece {
			Piece::Bytes(bytes) => {
				self.door.received(id, &bytes, now);
				self.carry_out();
				if !self.waiting.is_empty() && self.door.is_live(id) {
					self.door.withhold(id);
					self.stopped.push(id);
				} else {
					self.order(id, Order::GoOn);
				}
			},
			Piece::Closed => {
				self.connections.remove(&id);
				self.door.closed(id, now);
			},
		}
	}

	/// Does what the policy says, and lets publishers go on where there is room.
	fn carry_out(&mut self) {
		while let Some(output) = self.door.poll() {
			match output {
				Output::Send(id, bytes) => self.order(id, Order::Send(bytes)),
				Output::Close { id, politely } => {
					self.order(id, Order::Close(politely));
					self.connections.remove(&id);
				},
				Output::Event(event) => self.waiting.push_back(event),
				Output::Line(line) if line.what.is_warning() => tracing::warn!("{line}"),
				Output::Line(line) => tracing::info!("{line}"),
			}
		}
		while let Some(event) = self.waiting.pop_front() {
			if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
				self.waiting.push_front(event);
				return;
			}
		}
		for id in std::mem::take(&mut self.stopped) {
			self.door.resume(id, Instant::now());
			self.order(id, Order::GoOn);
		}
	}

	fn order(&mut self, id: Id, order: Order) {
		let sent = self.connections.get(&id).map(|orders| orders.try_send(order));
		if sent.is_some_and(|sent| sent.is_err()) {
			// It has ended, or there is more for it than it can have asked for: without a sender it ends.
			self.connections.remove(&id);
			self.door.closed(id, Instant::now());
		}
	}
}

enum Arrival {
	Peer(TcpStream, SocketAddr),
	/// Somebody waits, and there is no file for it.
	NoFiles,
}

async fn accept(listener: TcpListener, to_table: mpsc::Sender<Arrival>) {
	let mut said: Option<Instant> = None;
	loop {
		let arrival = match listener.accept().await {
			Ok((stream, from)) => Arrival::Peer(stream, from),
			Err(error) if no_files(&error) => {
				if said.is_none_or(|said| said.elapsed() >= ACCEPT_LINES) {
					tracing::warn!("publishers wait: {error}");
					said = Some(Instant::now());
				}
				sleep(ACCEPT_PAUSE).await;
				Arrival::NoFiles
			},
			// The peer went before it was accepted, or its network told why.
			Err(_) => {
				sleep(ACCEPT_PAUSE).await;
				continue;
			},
		};
		if to_table.send(arrival).await.is_err() {
			return;
		}
	}
}

fn no_files(error: &io::Error) -> bool {
	let error = error.raw_os_error().map(Errno::from_raw);
	matches!(
		error,
		Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
	)
}

/// Moves the bytes of one peer until the table or the peer ends it.
async fn connection(
	mut stream: TcpStream,
	id: Id,
	to_table: mpsc::Sender<(Id, Piece)>,
	mut orders: mpsc::Receiver<Order>,
	partings: Arc<Semaphore>,
) {
	// Answers are small, and waited for.
	let _ = stream.set_nodelay(true);
	let mut buffer = BytesMut::new();
	let mut reads = true;
	loop {
		buffer.reserve(PIECE);
		tokio::select! {
			order = orders.recv() => match order {
				Some(Order::Send(bytes)) => match timeout(WRITE_LIMIT, stream.write_all(&bytes)).await {
					Ok(Ok(())) => {},
					_ => break,
				},
				Some(Order::GoOn) => reads = true,
				Some(Order::Close(politely)) => {
					let parting = politely.then(|| partings.try_acquire_owned().ok()).flatten();
					if parting.is_some() {
						let _ = timeout(PARTING_LIMIT, part(stream, buffer)).await;
					}
					return;
				},
				None => return,
			},
			read = stream.read_buf(&mut buffer), if reads => match read {
				Ok(0) | Err(_) => break,
				Ok(_) => {
					reads = false;
					if to_table.send((id, Piece::Bytes(buffer.split().freeze()))).await.is_err() {
						return;
					}
				},
			},
		}
	}
	let _ = to_table.send((id, Piece::Closed)).await;
}

/// Lets the peer read what it was told: a socket that is closed with bytes unread resets the connection.
async fn part(mut stream: TcpStream, mut buffer: BytesMut) {
	if stream.shutdown().await.is_ok() {
		loop {
			buffer.clear();
			if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
				return;
			}
		}
	}
}
