//! Figures for Prometheus, behind a small HTTP server that strangers can neither exhaust nor make noisy: see [`crate::http`]. One answer a
//! connection.

use crate::http::{self, Limits};
use anyhow::Context;
use hyper::{body::Incoming, header, service::service_fn, Method, Request, Response, StatusCode};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::sleep};

/// Connections: a few scrapers, and far fewer than the descriptors that a program has (usually 1,024).
const LIMITS: Limits = Limits {
	connections: 64,
	head: Duration::from_secs(5),
	answer: Duration::from_secs(10),
	pause: Duration::from_secs(1),
	keep_alive: false,
};

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

/// Answers `GET path` with what `content` makes, until it is dropped.
async fn answer_all(listener: TcpListener, path: &'static str, content: Arc<dyn Fn() -> String + Send + Sync>) {
	let service = service_fn(move |request: Request<Incoming>| {
		let answer = respond(&request, path, &*content);
		async move { Ok::<_, Infallible>(answer) }
	});
	http::serve(listener, service, LIMITS).await;
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
	use std::time::Instant;
	use tokio::{
		io::{AsyncReadExt, AsyncWriteExt},
		net::TcpStream,
		time::timeout,
	};

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
		let read = timeout(2 * LIMITS.answer, connection.read_to_string(&mut answer)).await;
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
			"a".repeat(2 * http::HEAD_BYTES)
		);
		assert!(ask(address, &long).await.starts_with("HTTP/1.1 431"));
	}

	/// The attack: connections that say nothing, more than there are places; and a request that never ends.
	#[tokio::test]
	async fn who_says_nothing_keeps_nobody_out() {
		let address = start().await;
		let mut idle = Vec::new();
		for _ in 0..5 * LIMITS.connections {
			let mut connection = TcpStream::connect(address).await.unwrap();
			connection.write_all(b"GET /metr").await.unwrap();
			idle.push(connection);
		}
		let asked = Instant::now();
		assert!(ask(address, GET).await.ends_with("up 1\n"));
		assert!(asked.elapsed() < LIMITS.head, "it waited for the others");
		// The first of them was put out for those who came later.
		let mut rest = Vec::new();
		let ended = timeout(LIMITS.head, idle[0].read_to_end(&mut rest)).await;
		assert!(ended.is_ok());
		// The last of them is, when its time is over.
		let last = idle.last_mut().unwrap();
		let ended = timeout(2 * LIMITS.answer, last.read_to_end(&mut rest)).await;
		assert!(ended.is_ok(), "it keeps its place for ever");
	}
}
