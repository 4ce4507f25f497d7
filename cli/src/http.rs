//! Serving HTTP to whoever comes, with bounds: there is a place for whoever comes last, nobody holds a connection for nothing, and
//! where the system has nothing left it is asked again later, not at once. One policy for all small servers of ours.

use crate::Seldom;
use hyper::{
	body::{Body, Incoming},
	server::conn::http1,
	service::Service,
	Request, Response,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
	collections::BTreeMap,
	error::Error,
	future::Future,
	io,
	net::SocketAddr,
	pin::Pin,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	task::{ready, Context, Poll},
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncRead, AsyncWrite, ReadBuf},
	net::{TcpListener, TcpStream},
	task::{AbortHandle, JoinSet},
	time::{sleep, Sleep},
};

/// Bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// Connections at a time; where another comes, one goes: see [`Places`].
	pub connections: usize,
	/// How long the head of a request may take, counted from the moment when one can be sent: also how long a connection idles.
	pub head: Duration,
	/// How long an answer may take from us to the other's system.
	pub answer: Duration,
	/// How long accepting pauses when the system has nothing left.
	pub pause: Duration,
	/// More than one answer a connection.
	pub keep_alive: bool,
}

/// Most connections, however many files the system gives us: players hold one or two each.
const CONNECTIONS: usize = 512;

/// Part of the files that a process may open which connections get; the rest is for the program's own work, state and logs.
const PART_OF_FILES: u64 = 4;

impl Default for Limits {
	fn default() -> Self {
		Self {
			connections: connections(open_files()),
			head: Duration::from_secs(15),
			answer: Duration::from_secs(60),
			pause: Duration::from_millis(500),
			keep_alive: true,
		}
	}
}

/// Files that this process may open.
fn open_files() -> u64 {
	use nix::sys::resource::{getrlimit, Resource};
	getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft)
}

fn connections(open_files: u64) -> usize {
	let part = usize::try_from(open_files / PART_OF_FILES).unwrap_or(CONNECTIONS);
	part.clamp(4, CONNECTIONS)
}

/// Largest head of a request, bytes.
pub const HEAD_BYTES: usize = 16 * 1024;

/// The connections that are open. Where there is no place for another one, that goes which idles longest between requests, or has
/// sent none; where none idles, that whose answer takes longest. So nobody keeps others out by holding on. Sans-IO but for the
/// handle `T` that ends one.
#[derive(Debug)]
struct Places<T> {
	most: usize,
	open: BTreeMap<u64, Place<T>>,
	/// Counts all that happens.
	next: u64,
}

#[derive(Debug)]
struct Place<T> {
	/// A request is being answered.
	answering: bool,
	/// Since this count.
	since: u64,
	handle: Option<T>,
}

impl<T> Places<T> {
	fn new(most: usize) -> Self {
		Self {
			most,
			open: BTreeMap::new(),
			next: 0,
		}
	}

	/// Lets one in: its number, and whom it takes the place of.
	fn enter(&mut self) -> (u64, Option<Place<T>>) {
		let goes = self.open.iter().min_by_key(|(_, place)| (place.answering, place.since));
		let goes = goes.map(|(number, _)| *number).filter(|_| self.open.len() >= self.most);
		let gone = goes.and_then(|number| self.open.remove(&number));
		let number = self.count();
		let place = Place {
			answering: false,
			since: number,
			handle: None,
		};
		self.open.insert(number, place);
		(number, gone)
	}

	/// What ends this one, unless it is gone already.
	fn hold(&mut self, number: u64, handle: T) {
		if let Some(place) = self.open.get_mut(&number) {
			place.handle = Some(handle);
		}
	}

	fn count(&mut self) -> u64 {
		self.next += 1;
		self.next
	}

	/// A request of this one came, or was answered.
	fn turn(&mut self, number: u64, answering: bool) {
		let now = self.count();
		if let Some(place) = self.open.get_mut(&number) {
			(place.answering, place.since) = (answering, now);
		}
	}

	/// One is gone.
	fn leave(&mut self, number: u64) {
		self.open.remove(&number);
	}
}

/// A connection's hold on its place.
struct Seat {
	places: Arc<Mutex<Places<AbortHandle>>>,
	number: u64,
}

impl Seat {
	fn turn(&self, answering: bool) {
		lock(&self.places).turn(self.number, answering);
	}
}

impl Drop for Seat {
	fn drop(&mut self) {
		lock(&self.places).leave(self.number);
	}
}

fn lock<T>(places: &Mutex<Places<T>>) -> MutexGuard<'_, Places<T>> {
	// A list of handles is good in any state.
	places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who asks, among the extensions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Says when it is asked something, and the service by whom.
struct Counted<S> {
	service: S,
	peer: Peer,
	seat: Arc<Seat>,
}

impl<B, S: Service<Request<B>>> Service<Request<B>> for Counted<S> {
	type Response = S::Response;
	type Error = S::Error;
	type Future = S::Future;

	fn call(&self, mut request: Request<B>) -> S::Future {
		self.seat.turn(true);
		request.extensions_mut().insert(self.peer);
		self.service.call(request)
	}
}

/// Serves until it is dropped, and all its connections with it.
pub async fn serve<S, B>(listener: TcpListener, service: S, limits: Limits)
where
	S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
	S::Future: Send,
	S::Error: Into<Box<dyn Error + Send + Sync>>,
	B: Body + Send + 'static,
	B::Data: Send,
	B::Error: Into<Box<dyn Error + Send + Sync>>,
{
	let places = Arc::new(Mutex::new(Places::new(limits.connections)));
	let mut connections = JoinSet::new();
	let (mut short, mut full) = (Seldom::default(), Seldom::default());
	loop {
		while connections.try_join_next().is_some() {}
		let (stream, peer) = match listener.accept().await {
			Ok(accepted) => accepted,
			Err(error) if is_of_one_connection(&error) => continue,
			Err(error) => {
				if let Some(untold) = short.due(Instant::now()) {
					tracing::warn!(%error, untold, "HTTP takes no more connections for now");
				}
				sleep(limits.pause).await;
				continue;
			},
		};
		let (number, gone) = lock(&places).enter();
		let seat = Arc::new(Seat {
			places: places.clone(),
			number,
		});
		let service = Counted {
			service: service.clone(),
			peer: Peer(peer),
			seat: seat.clone(),
		};
		let handle = connections.spawn(serve_one(stream, service, seat, limits));
		lock(&places).hold(number, handle);
		let Some(gone) = gone else {
			continue;
		};
		if let Some(handle) = gone.handle {
			handle.abort();
		}
		if let Some(untold) = full.due(Instant::now()) {
			tracing::warn!(
				limit = limits.connections,
				answering = gone.answering,
				untold,
				"too many HTTP connections: one is closed for each that comes, those that idle longest first"
			);
		}
	}
}

/// Not a matter of ours: the other went away again.
fn is_of_one_connection(error: &io::Error) -> bool {
	use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
	matches!(
		error.kind(),
		ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
	)
}

async fn serve_one<S, B>(stream: TcpStream, service: S, seat: Arc<Seat>, limits: Limits)
where
	S: Service<Request<Incoming>, Response = Response<B>>,
	S::Error: Into<Box<dyn Error + Send + Sync>>,
	B: Body + 'static,
	B::Error: Into<Box<dyn Error + Send + Sync>>,
{
	let _ = stream.set_nodelay(true);
	let io = TokioIo::new(Patient::new(stream, limits.answer, seat));
	let served = http1::Builder::new()
		.timer(TokioTimer::new())
		.header_read_timeout(limits.head)
		.max_buf_size(HEAD_BYTES)
		.keep_alive(limits.keep_alive)
		.serve_connection(io, service)
		.await;
	if let Err(error) = served {
		tracing::debug!(%error, "HTTP connection");
	}
}

/// A connection on which an answer has to get through within a time, however slowly the other reads.
struct Patient<S> {
	stream: S,
	patience: Duration,
	/// Runs while something is to be written.
	deadline: Option<Pin<Box<Sleep>>>,
	seat: Arc<Seat>,
}

impl<S> Patient<S> {
	fn new(stream: S, patience: Duration, seat: Arc<Seat>) -> Self {
		Self {
			stream,
			patience,
			deadline: None,
			seat,
		}
	}

	/// What was done; an error where it is not done in time.
	fn in_time<T>(&mut self, done: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
		let patience = self.patience;
		let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
		match deadline.as_mut().poll(context) {
			Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
			Poll::Pending => done,
		}
	}
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
	fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.stream).poll_read(context, into)
	}
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
	fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
		let written = Pin::new(&mut self.stream).poll_write(context, bytes);
		self.in_time(written, context)
	}

	fn poll_write_vectored(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
		bytes: &[io::IoSlice<'_>],
	) -> Poll<io::Result<usize>> {
		let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
		self.in_time(written, context)
	}

	fn is_write_vectored(&self) -> bool {
		self.stream.is_write_vectored()
	}

	/// Called when all was written.
	fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		ready!(Pin::new(&mut self.stream).poll_flush(context))?;
		// Also called while there is nothing to write yet.
		if self.deadline.take().is_some() {
			self.seat.turn(false);
		}
		Poll::Ready(Ok(()))
	}

	fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.stream).poll_shutdown(context)
	}
}

#[cfg(test)]
mod tests;
