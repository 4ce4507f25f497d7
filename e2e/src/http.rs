//! HTTP/1.1 as a page or a script asks: one request on a connection of its own.

use anyhow::{ensure, Context, Result};
use std::time::Duration;
use tokio::{
	io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
	net::{TcpListener, TcpStream},
	time::timeout,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
	/// Such as 200.
	pub status: u16,
	/// Status line and fields, names in small letters.
	head: String,
	/// What follows.
	pub body: Vec<u8>,
}

impl Answer {
	/// The body as text.
	pub fn text(&self) -> String {
		String::from_utf8_lossy(&self.body).into_owned()
	}

	/// A field of the head, by its name in small letters.
	pub fn field(&self, name: &str) -> Option<&str> {
		let fields = self.head.lines().filter_map(|line| line.split_once(": "));
		fields.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
	}

	fn read(answer: &[u8]) -> Result<Self> {
		let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
		let end = end.context("an answer without a head")?;
		let head = String::from_utf8_lossy(&answer[..end]).replace("\r\n", "\n");
		let (first, fields) = head.split_once('\n').unwrap_or((&head, ""));
		let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
		let fields = fields.lines().map(|line| match line.split_once(':') {
			Some((name, value)) => format!("{}: {}\n", name.to_ascii_lowercase(), value.trim()),
			None => format!("{line}\n"),
		});
		Ok(Self {
			status: status.with_context(|| format!("{first:?} is no status"))?,
			head: fields.collect(),
			body: answer[end + 4..].to_vec(),
		})
	}
}

/// `GET` of `http://HOST:PORT/PATH`.
pub async fn get(url: &str) -> Result<Answer> {
	ask("GET", url, "").await
}

/// Any method, with these fields, each with its end of line.
pub async fn ask(method: &str, url: &str, fields: &str) -> Result<Answer> {
	exchange(method, url, fields, "").await
}

/// `POST` of this JSON.
pub async fn post(url: &str, json: &str) -> Result<Answer> {
	let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
	exchange("POST", url, &fields, json).await
}

async fn exchange(method: &str, url: &str, fields: &str, body: &str) -> Result<Answer> {
	let rest = url
		.strip_prefix("http://")
		.with_context(|| format!("{url} is no URL"))?;
	let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
	let request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n{body}");
	let asked = async {
		let mut connection = TcpStream::connect(host).await?;
		connection.write_all(request.as_bytes()).await?;
		let mut answer = Vec::new();
		connection.read_to_end(&mut answer).await?;
		anyhow::Ok(answer)
	};
	let answer = timeout(PATIENCE, asked)
		.await
		.with_context(|| format!("{url} does not answer"))??;
	Answer::read(&answer)
}

/// The body of what is there.
pub async fn text(url: &str) -> Result<String> {
	let answer = get(url).await?;
	ensure!(answer.status == 200, "{url}: {} {}", answer.status, answer.text());
	Ok(answer.text())
}

/// Answers whatever is asked with this JSON, which pages of any origin may read, until it is dropped.
pub async fn serve(listener: TcpListener, answer: impl Fn() -> String) {
	while let Ok((mut connection, _)) = listener.accept().await {
		let body = answer();
		// Browsers connect ahead of what they ask.
		tokio::spawn(timeout(PATIENCE, async move {
			let mut lines = BufReader::new(&mut connection).lines();
			while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
			let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\nConnection: close";
			let said = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
			connection.write_all(said.as_bytes()).await
		}));
	}
}
