//! Figures for Prometheus, behind a small HTTP server that strangers can neither exhaust nor make noisy: few connections, the oldest
//! goes where another comes, and a deadline for each. One answer a connection.

use crate::Seldom;
use anyhow::Context;
use hyper::{body::Incoming, header, server::conn::http1, service::service_fn, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{
	collections::VecDeque,
	convert::Infallible,
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	net::{TcpListener, TcpStream},
	task::AbortHandle,
	time::{sleep, timeout},
};

/// Connections at a time: a few scrapers, and far fewer than the descriptors that a program has (usually 1,024).
const MAX_CONNECTIONS: usize = 64;

/// From the first byte to the last of an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Until the request is there.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest request: a scraper's has some hundred bytes. hyper takes no smaller limit.
const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Accepting pauses for so long where it fails: there are no descriptors, and the waiting connection stays.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often what was counted is put together where nobody asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves what is counted from now on at `http://ADDR/metrics`. Once in a program.
///
/// # Errors
/// What is wrong with the port.
pub async fn serve(address: SocketAddr) -> anyhow::Result<()> {
	let listener = TcpListener::bind(address)
		.await
		.with_context(|| format!("metrics: cannot listen on {address}"))?;
	let handle = PrometheusBuilder::new().install_recorder().context("metrics")?;
	let upkeep = handle.clone();
	tokio::spawn(async move {
		loop {
			sleep(UPKEEP).await;
			upkeep.run_upkeep();
		}
	});
	tokio::spawn(answer_all(listener, "/metrics", Arc::new(move || handle.render())));
	Ok(())
}

/// The connections that are open, the oldest first. Sans-IO but for the handle `T` that ends one.
#[derive(Debug)]
struct Guests<T> {
	open: VecDeque<(u64, T)>,
	next: u64,
}

impl<T> Default for Guests<T> {
	fn default() -> Self {
		Self {
			open: VecDeque::new(),
			next: 0,
		}
	}
}

impl<T> Guests<T> {
	/// Lets one in; whom it takes the place of.
	fn enter(&mut self, handle: T) -> (u64, Option<T>) {
		let oldest = match self.open.len() >= MAX_CONNECTIONS {
			true => self.open.pop_front(),
			false => None,
		};
		let number = self.next;
		self.next += 1;
		self.open.push_back((number, handle));
		(number, oldest.map(|(_, handle)| handle))
	}

	/// One is gone.
	fn leave(&mut self, number: u64) {
		self.open.retain(|(n, _)| *n != number);
	}
}

/// Answers `GET path` with what `content` makes, until it is dropped.
async fn answer_all(listener: TcpListener, path: &'static str, content: Arc<dyn Fn() -> String + Send + Sync>) {
	let guests = Arc::new(std::sync::Mutex::new(Guests::<AbortHandle>::default()));
	let mut failures = Seldom::default();
	loop {
		let connection = match listener.accept().await {
			Ok((connection, _)) => connection,
			Err(error) => {
				if let Some(untold) = failures.due(Instant::now()) {
					tracing::warn!(%error, untold, "metrics: connections wait; accepting pauses");
				}
				sleep(ACCEPT_PAUSE).await;
				continue;
			},
		};
		let (content, guests_of) = (content.clone(), guests.clone());
		let (told, number) = tokio::sync::oneshot::channel::<u64>();
		let task = tokio::spawn(async move {
			let Ok(number) = number.await else { return };
			// Whoever breaks off or is too slow gets no more; nobody else is concerned.
			let _ = timeout(DEADLINE, answer(connection, path, content)).await;
			lock(&guests_of).leave(number);
		});
		let (number, oldest) = lock(&guests).enter(task.abort_handle());
		let _ = told.send(number);
		if let Some(oldest) = oldest {
			oldest.abort();
		}
	}
}

fn lock<T>(guests: &std::sync::Mutex<Guests<T>>) -> std::sync::MutexGuard<'_, Guests<T>> {
	// A list of handles is good in any state.
	guests.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn answer(
	connection: TcpStream,
	path: &'static str,
	content: Arc<dyn Fn() -> String + Send + Sync>,
) -> Result<(), hyper::Error> {
	let service = service_fn(move |request: Request<Incoming>| {
		let answer = respond(&request, path, &*content);
		async move { Ok::<_, Infallible>(answer) }
	});
	http1::Builder::new()
		.timer(TokioTimer::new())
		.header_read_timeout(HEADER_TIMEOUT)
		.max_buf_size(MAX_REQUEST_BYTES)
		.keep_alive(false)
		.serve_connection(TokioIo::new(connection), service)
		.await
}

fn respond<B>(request: &Request<B>, path: &str, content: &dyn Fn() -> String) -> Response<String> {
	let (status, body) = match (request.method(), request.uri().path() == path) {
		(&Method::GET | &Method::HEAD, true) => (StatusCode::OK, content()),
		(_, true) => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
		(_, false) => (StatusCode::NOT_FOUND, format!("it is at {path}\n")),
	};
	let mut response = Response::new(body);
	*response.status_mut() = status;
	let text = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
	response.headers_mut().insert(header::CONTENT_TYPE, text);
	response
}

#[cfg(test)]
mod tests {
	use super::*;
	use tokio::io::{AsyncReadExt, AsyncWriteExt};

	async fn start() -> SocketAddr {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::spawn(answer_all(listener, "/metrics", Arc::new(|| "up 1\n".into())));
		address
	}

	async fn ask(address: SocketAddr, request: &str) -> String {
		let mut connection = TcpStream::connect(address).await.unwrap();
		connection.write_all(request.as_bytes()).await.unwrap();
		let mut answer = String::new();
		let read = timeout(2 * DEADLINE, connection.read_to_string(&mut answer)).await;
		read.expect("an answer").unwrap();
		answer
	}

	const GET: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

	#[tokio::test]
	async fn figures_are_at_their_path_and_nowhere_else() {
		let address = start().await;
		let answer = ask(address, GET).await;
		assert!(
			answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nup 1\n"),
			"{answer}"
		);
		assert!(answer.contains("text/plain"), "{answer}");
		assert!(ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			.await
			.starts_with("HTTP/1.1 404"));
		assert!(ask(address, "POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
			.await
			.starts_with("HTTP/1.1 405"));
		assert!(ask(address, "\x16\x03\x01nonsense\r\n\r\n")
			.await
			.starts_with("HTTP/1.1 400"));
		let long = format!(
			"GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n",
			"a".repeat(2 * MAX_REQUEST_BYTES)
		);
		assert!(ask(address, &long).await.starts_with("HTTP/1.1 431"));
	}

	/// The attack: connections that say nothing, more than there are places; and a request that never ends.
	#[tokio::test]
	async fn who_says_nothing_keeps_nobody_out() {
		let address = start().await;
		let mut idle = Vec::new();
		for _ in 0..5 * MAX_CONNECTIONS {
			let mut connection = TcpStream::connect(address).await.unwrap();
			connection.write_all(b"GET /metr").await.unwrap();
			idle.push(connection);
		}
		let asked = Instant::now();
		assert!(ask(address, GET).await.ends_with("up 1\n"));
		assert!(asked.elapsed() < HEADER_TIMEOUT, "it waited for the others");
		// The first of them was put out for those who came later.
		let mut rest = Vec::new();
		let ended = timeout(HEADER_TIMEOUT, idle[0].read_to_end(&mut rest)).await;
		assert!(ended.is_ok());
		// The last of them is, when its time is over.
		let last = idle.last_mut().unwrap();
		let ended = timeout(2 * DEADLINE, last.read_to_end(&mut rest)).await;
		assert!(ended.is_ok(), "it keeps its place for ever");
	}

	#[test]
	fn oldest_guest_makes_room() {
		let mut guests = Guests::default();
		let entered: Vec<_> = (0..MAX_CONNECTIONS + 2).map(|n| guests.enter(n)).collect();
		assert!(entered[..MAX_CONNECTIONS].iter().all(|(_, oldest)| oldest.is_none()));
		assert_eq!(
			(entered[MAX_CONNECTIONS].1, entered[MAX_CONNECTIONS + 1].1),
			(Some(0), Some(1))
		);
		guests.leave(entered[5].0);
		assert_eq!(guests.enter(99).1, None);
		assert_eq!(guests.open.len(), MAX_CONNECTIONS);
	}
}
