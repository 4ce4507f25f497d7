//! The command line.

use crate::{
	encoder::{self, Input},
	origin::{Config, Origin},
};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use clustercast_chain::{calls::NewStream, keys, Chain, Wallet};
use clustercast_network::Multiaddr;
use clustercast_primitives::StreamId;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// Broadcasts live video to relayers, every window signed.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
	/// Mints a stream key; prints {"stream":N}
	Mint(Mint),
	/// Broadcasts; the first line printed is {"listening":"ADDRESS/p2p/ID"}
	Run(Run),
}

#[derive(Debug, clap::Args)]
struct Mint {
	/// A node's JSON-RPC
	#[arg(
		long,
		value_name = "WS",
		default_value = "ws://127.0.0.1:9944",
		env = "CLUSTERCAST_ORIGIN_RPC"
	)]
	rpc: String,
	/// Owner of the stream key, receives the broadcaster's share: //Name, a mnemonic phrase, or file:PATH
	#[arg(
		long,
		value_name = "SURI",
		env = "CLUSTERCAST_ORIGIN_ACCOUNT",
		hide_env_values = true
	)]
	account: String,
	/// Key that will sign the windows: 32-byte seed as hex; created when missing
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// What the stream is called; at most 64 bytes
	#[arg(long)]
	title: String,
	/// What kind of stream it is; at most 32 bytes
	#[arg(long, default_value = "")]
	category: String,
	/// Most viewers at a time; 0 is no limit
	#[arg(long, value_name = "N", default_value_t = 0)]
	max_viewers: u32,
	/// Baseline price, micro-USDC per MB (10^6 bytes)
	#[arg(long, value_name = "N", default_value_t = 100)]
	price_per_mb: u64,
	/// The broadcaster's share of every payment, parts per million; 0 to 300000
	#[arg(long, value_name = "N", default_value_t = 200_000)]
	broadcaster_share_ppm: u32,
}

#[derive(Debug, clap::Args)]
struct Run {
	/// A node's JSON-RPC
	#[arg(
		long,
		value_name = "WS",
		default_value = "ws://127.0.0.1:9944",
		env = "CLUSTERCAST_ORIGIN_RPC"
	)]
	rpc: String,
	/// Number of the stream key
	#[arg(long, value_name = "N")]
	stream: u64,
	/// The stream's signing key; also the identity on the network
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// Where relayers connect; UDP port 0 takes a free one
	#[arg(long, value_name = "MULTIADDR", default_value = "/ip4/0.0.0.0/udp/4001/quic-v1")]
	listen: Multiaddr,
	/// test, rtmp://HOST:PORT/APP/KEY (listens for OBS or FFmpeg), device:PATH, or the path of a file
	#[arg(long, value_name = "INPUT")]
	input: Input,
	/// Plays a file again and again
	#[arg(long)]
	repeat: bool,
	/// Folder that keeps the stream's place in its chain of signed headers. Never copy it, never lose it
	#[arg(long, value_name = "DIR")]
	state: PathBuf,
	/// Writes what is published to this file; replaces it
	#[arg(long, value_name = "FILE")]
	record: Option<PathBuf>,
	/// Writes a line of JSON for each window to this file; replaces it
	#[arg(long, value_name = "FILE")]
	window_log: Option<PathBuf>,
	/// Ends the broadcast after so many seconds
	#[arg(long, value_name = "N")]
	seconds: Option<u64>,
	/// Serves anyone, not only registered relayers
	#[arg(long)]
	open: bool,
	/// Most relayers at a time: each takes the whole stream from your line
	#[arg(long, value_name = "N", default_value_t = 32)]
	max_relayers: usize,
	/// Memory for past windows, MB (10^6 bytes): what a relayer can catch up
	#[arg(long, value_name = "N", default_value_t = 64)]
	cache_mb: usize,
	/// The FFmpeg program
	#[arg(
		long,
		value_name = "PATH",
		default_value = "ffmpeg",
		env = "CLUSTERCAST_ORIGIN_FFMPEG"
	)]
	ffmpeg: PathBuf,
}

/// The program: what goes wrong is one line on standard error.
pub async fn main() -> ExitCode {
	match run().await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("clustercast-origin: {}", one_line(&error));
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

async fn run() -> Result<()> {
	let cli = Cli::parse();
	tracing_subscriber::fmt()
		.with_writer(std::io::stderr)
		.with_ansi(std::io::stderr().is_terminal())
		.with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
		.init();
	match cli.command {
		Command::Mint(args) => mint(args).await,
		Command::Run(args) => Origin::load(args.into()).await?.run().await,
	}
}

async fn mint(args: Mint) -> Result<()> {
	let wallet = Wallet::from_suri(&args.account).context("--account")?;
	let key = keys::load_or_create(&args.signing_key)?;
	let chain = Chain::connect(&args.rpc).await?;
	let stream = NewStream {
		signing_key: key.public(),
		title: args.title,
		category: args.category,
		max_viewers: args.max_viewers,
		price_per_mb: args.price_per_mb,
		broadcaster_share_ppm: args.broadcaster_share_ppm,
	};
	let id = chain
		.mint(&wallet, &stream)
		.await
		.context("cannot mint the stream key")?;
	println!("{}", serde_json::json!({ "stream": id }));
	Ok(())
}

impl From<Run> for Config {
	fn from(args: Run) -> Self {
		Self {
			rpc: args.rpc,
			stream: StreamId(args.stream),
			signing_key: args.signing_key,
			listen: args.listen,
			encoder: encoder::Config {
				input: args.input,
				repeat: args.repeat,
				ffmpeg: args.ffmpeg,
			},
			state: args.state,
			record: args.record,
			window_log: args.window_log,
			seconds: args.seconds.map(Duration::from_secs),
			open: args.open,
			max_relayers: args.max_relayers,
			cache_bytes: args.cache_mb.saturating_mul(1_000_000),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::CommandFactory;

	#[test]
	fn command_line_is_well_formed() {
		Cli::command().debug_assert();
	}

	#[test]
	fn error_is_one_line_that_repeats_nothing() {
		let cause = std::io::Error::other("disk full");
		let error = anyhow::Error::from(cause)
			.context("record: disk full")
			.context("--record");
		assert_eq!(one_line(&error), "--record: record: disk full");
	}
}
