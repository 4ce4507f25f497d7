//! The command line: `register` and `run`.

use crate::{
	config::{Config, Settings},
	relayer::Relayer,
};
use anyhow::{ensure, Context};
use clap::{Args, Parser, Subcommand};
use clustercast_chain::{account, calls::NewRelayer, keys, Chain, Wait, Wallet};
use clustercast_network::{peer_id, Address};
use clustercast_primitives::{amount::MAX_PRICE_PER_GB, notice::RelayerProof, Usdc};
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
	/// Relay a stream
	Run(Box<Run>),
}

#[derive(Args)]
struct Register {
	/// The node's JSON-RPC
	#[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:9944")]
	rpc: String,
	/// Account that is paid and bonded: //NAME, a mnemonic, or file:PATH
	#[arg(long, value_name = "SURI")]
	account: String,
	/// File with the Ed25519 seed: peer id and receipt key; created when missing
	#[arg(long, value_name = "FILE")]
	identity: PathBuf,
	/// Where viewers reach the relayer, 1 to 4 of at most 128 bytes
	#[arg(long = "address", value_name = "MULTIADDR", required = true, num_args = 1..)]
	addresses: Vec<String>,
	/// Asking price, micro-USDC per 10^9 bytes
	#[arg(long, value_name = "MICRO_USDC", value_parser = clap::value_parser!(u64).range(..=MAX_PRICE_PER_GB))]
	price_per_gb: u64,
	/// Bond, USDC; at least 10. Not used when the account is registered already
	#[arg(long, value_name = "USDC")]
	bond: Usdc,
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
		Command::Run(run) => Relayer::load(Config::load(run.config, run.settings)?)?.run().await,
	}
}

impl Register {
	/// Ends when the registration is final; prints one JSON line.
	async fn run(self) -> anyhow::Result<()> {
		let wallet = Wallet::from_suri(&self.account).context("account")?;
		let identity = keys::load_or_create(&self.identity)?;
		let key = identity.public();
		for address in &self.addresses {
			Address::new(address, &key).with_context(|| format!("address {address}"))?;
		}
		let chain = Chain::connect(&self.rpc).await?;
		let registered = chain
			.relayers()
			.await?
			.into_iter()
			.find(|r| r.account == wallet.account());
		let done = match registered {
			Some(known) => {
				ensure!(
					known.signing_key == key,
					"this account is registered with another identity; unbond that one first"
				);
				let update = clustercast_chain::calls::update_relayer(&self.addresses, self.price_per_gb);
				chain.submit(&wallet, &update, Wait::Finalised).await?
			},
			None => {
				let proof = identity.sign(
					RelayerProof {
						account: wallet.account(),
					},
					&chain.genesis(),
				);
				let relayer = NewRelayer {
					signing_key: key,
					proof: proof.signature,
					addresses: self.addresses,
					price_per_gb: self.price_per_gb,
					bond: self.bond.0,
				};
				chain.register_relayer(&wallet, &relayer).await?
			},
		};
		println!(
			"{}",
			serde_json::json!({
				"account": account::ss58(&wallet.account()),
				"peerId": peer_id(&key)?.to_string(),
				"transaction": done.transaction.to_string(),
			})
		);
		Ok(())
	}
}
