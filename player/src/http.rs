//! Serving HTTP to whoever comes, with bounds: what is too much is told so and the rest is served, nobody holds a connection for
//! nothing, and where the system has nothing left it is asked again later, not at once.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
	rt::{TokioIo, TokioTimer},
	service::TowerToHyperService,
};
use std::{
	future::Future,
	io,
	pin::Pin,
	sync::Arc,
	task::{ready, Context, Poll},
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
	net::{TcpListener, TcpStream},
	sync::Semaphore,
	task::JoinSet,
	time::{sleep, timeout, Sleep},
};

/// Bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// Connections at a time.
	pub connections: usize,
	/// How long the head of a request may take, counted from the moment when one can be sent: also how long a connection idles.
	pub head: Duration,
	/// How long an answer may take from us to the other's system.
	pub answer: Duration,
	/// How long accepting pauses when the system has nothing left.
	pub pause: Duration,
}

/// Most connections, however many files the system gives us: players hold one or two each.
const CONNECTIONS: usize = 512;

/// Part of the files that a process may open which connections get; the rest is for the broadcast, state and logs.
const PART_OF_FILES: u64 = 4;

impl Default for Limits {
	fn default() -> Self {
		Self {
			connections: connections(open_files()),
			head: Duration::from_secs(15),
			answer: Duration::from_secs(60),
			pause: Duration::from_millis(500),
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

/// Who is too much hears so, this many at a time; others find the connection closed.
const REFUSED_AT_A_TIME: usize = 8;

/// How long it may take to hear it.
const REFUSAL: Duration = Duration::from_secs(1);

/// Largest head of a request, bytes.
const HEAD_BYTES: usize = 16 * 1024;

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\
	Access-Control-Allow-Origin: *\r\nRetry-After: 2\r\nConnection: close\r\n\r\ntoo many connections\n";

/// Says a thing again only after a minute.
#[derive(Debug, Default)]
pub struct Minutely(Option<Instant>);

impl Minutely {
	/// Whether it is to be said at `now`.
	pub fn is_due(&mut self, now: Instant) -> bool {
		const MINUTE: Duration = Duration::from_secs(60);
		let due = self.0.is_none_or(|last| now.saturating_duration_since(last) >= MINUTE);
		if due {
			self.0 = Some(now);
		}
		due
	}
}

/// Serves until it is dropped, and all its connections with it.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
	let free = Arc::new(Semaphore::new(limits.connections));
	let refusals = Arc::new(Semaphore::new(REFUSED_AT_A_TIME));
	let mut connections = JoinSet::new();
	let (mut short, mut full) = (Minutely::default(), Minutely::default());
	loop {
		while connections.try_join_next().is_some() {}
		let stream = match listener.accept().await {
			Ok((stream, _)) => stream,
			Err(error) if is_of_one_connection(&error) => continue,
			Err(error) => {
				if short.is_due(Instant::now()) {
					tracing::warn!(%error, "HTTP takes no more connections for now");
				}
				sleep(limits.pause).await;
				continue;
			},
		};
		if let Ok(permit) = free.clone().try_acquire_owned() {
			let router = router.clone();
			connections.spawn(async move {
				serve_one(stream, router, limits).await;
				drop(permit);
			});
			continue;
		}
		if full.is_due(Instant::now()) {
			tracing::warn!(
				limit = limits.connections,
				"too many HTTP connections: the newest are refused"
			);
		}
		if let Ok(permit) = refusals.clone().try_acquire_owned() {
			connections.spawn(async move {
				let _ = timeout(REFUSAL, refuse(stream)).await;
				drop(permit);
			});
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

async fn serve_one(stream: TcpStream, router: Router, limits: Limits) {
	let _ = stream.set_nodelay(true);
	let io = TokioIo::new(Patient::new(stream, limits.answer));
	let served = http1::Builder::new()
		.timer(TokioTimer::new())
		.header_read_timeout(limits.head)
		.max_buf_size(HEAD_BYTES)
		.serve_connection(io, TowerToHyperService::new(router))
		.await;
	if let Err(error) = served {
		tracing::debug!(%error, "HTTP connection");
	}
}

/// Says that there are too many; hears the other out, so that it hears us.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
	stream.write_all(TOO_MANY).await?;
	stream.shutdown().await?;
	let mut ignored = [0; 1_024];
	while stream.read(&mut ignored).await? > 0 {}
	Ok(())
}

/// A connection on which an answer has to get through within a time, however slowly the other reads.
struct Patient<S> {
	stream: S,
	patience: Duration,
	/// Runs while something is to be written.
	deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
	fn new(stream: S, patience: Duration) -> Self {
		Self {
			stream,
			patience,
			deadline: None,
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
		self.deadline = None;
		Poll::Ready(Ok(()))
	}

	fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.stream).poll_shutdown(context)
	}
}

#[cfg(test)]
mod tests;
