//! The command line: `run`, and what changes the registry.

use crate::{
	config::{Config, Settings},
	registry::{Change, Register},
	relayer::Relayer,
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(
	name = "clustercast-relayer",
	version,
	about = "Relays verified live video to viewers who pay in USDC"
)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Enter the registry with a bond, or change addresses and price of what is registered
	Register(Register),
	/// Change who acts for a relayer or what it signs with, or take it out of the registry
	#[command(subcommand)]
	Registry(Change),
	/// Relay a stream, or many
	Run(Box<Run>),
}

#[derive(Args)]
struct Run {
	/// TOML file with the same settings; environment and flags go before it
	#[arg(long, value_name = "FILE", env = "CLUSTERCAST_RELAYER_CONFIG")]
	config: Option<PathBuf>,
	#[command(flatten)]
	settings: Settings,
}

/// The whole program.
pub fn main() -> ExitCode {
	let cli = clustercast_cli::parse();
	clustercast_cli::log("info", std::io::stderr);
	clustercast_cli::end("clustercast-relayer", run(cli))
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<()> {
	match cli.command {
		Command::Register(register) => register.run().await,
		Command::Registry(change) => change.run().await,
		Command::Run(run) => Relayer::load(Config::load(run.config, run.settings)?)?.run().await,
	}
}
