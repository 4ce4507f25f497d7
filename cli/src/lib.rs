//! What every command line of ours has in common.
//!
//! Results go to standard output, logs to standard error. What goes wrong is one line on standard error, and exit code 1. With
//! [`DOCS`] in its environment a program writes its manual pages and completions instead.

mod documents;
pub mod http;
pub mod metrics;
pub mod seldom;

use clap::Parser;
use std::{
	io::{self, IsTerminal},
	net::SocketAddr,
	process::ExitCode,
};
use tracing_subscriber::{fmt::MakeWriter, EnvFilter};

pub use documents::{document, DOCS};
pub use seldom::Seldom;

/// The command line, parsed; ends the program where there is nothing to run: a wrong flag, `--help`, [`DOCS`].
pub fn parse<C: Parser>() -> C {
	document(C::command());
	C::parse()
}

/// Logs from now on, to `writer`: what `RUST_LOG` says, or `default` where it says nothing. Coloured if standard error is a
/// terminal. Once in a program.
pub fn log<W>(default: &str, writer: W)
where
	W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
	tracing_subscriber::fmt()
		.with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default)))
		.with_ansi(io::stderr().is_terminal())
		.with_writer(writer)
		.init();
}

/// Where a server of ours is to listen, of a flag's value.
///
/// # Errors
/// How it is written; with the port, where one is there.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
	text.parse().map_err(|_| {
		let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
		format!("expected ADDRESS:PORT, such as 127.0.0.1:{}", port.unwrap_or(8080))
	})
}

/// First line of a program that listens: where it is reached, the most useful address first.
pub fn listening(addresses: &[impl ToString]) -> String {
	let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
	let (best, all) = (serde_json::json!(addresses.first()), serde_json::json!(addresses));
	format!("{{\"listening\":{best},\"addresses\":{all}}}")
}

/// How a program ends: a failure is one line on standard error and exit code 1.
pub fn end<E: Into<anyhow::Error>>(program: &str, result: Result<(), E>) -> ExitCode {
	match result {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("{program}: {}", one_line(&error.into()));
			ExitCode::FAILURE
		},
	}
}

/// An error with its causes; one that its wrapper repeats adds nothing.
fn one_line(error: &anyhow::Error) -> String {
	error
		.chain()
		.map(ToString::to_string)
		.fold(String::new(), |line, cause| match line {
			line if line.is_empty() => cause,
			line if line.contains(&cause) => line,
			line => format!("{line}: {cause}"),
		})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn first_line_has_the_best_address_and_all() {
		let line: serde_json::Value = serde_json::from_str(&listening(&["a", "b"])).unwrap();
		assert_eq!(line, serde_json::json!({ "listening": "a", "addresses": ["a", "b"] }));
	}

	#[test]
	fn address_that_is_none_is_shown_how_it_is_written() {
		for (text, port) in [
			("8080", 8080),
			("localhost:9000", 9000),
			(":81", 81),
			("::1:82", 82),
			("127.0.0.1", 8080),
			("example.org:http", 8080),
			("", 8080),
		] {
			let error = socket_address(text).unwrap_err();
			assert_eq!(
				error,
				format!("expected ADDRESS:PORT, such as 127.0.0.1:{port}"),
				"{text}"
			);
		}
		assert_eq!(socket_address("[::1]:8080"), Ok("[::1]:8080".parse().unwrap()));
	}

	#[test]
	fn error_is_one_line_that_repeats_nothing() {
		let cause = io::Error::other("disk full");
		let error = anyhow::Error::from(cause)
			.context("record: disk full")
			.context("--record");
		assert_eq!(one_line(&error), "--record: record: disk full");
	}
}
