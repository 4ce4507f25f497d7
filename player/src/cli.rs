//! Flags and subcommands.

use crate::{
	funds,
	payer::Payer as Who,
	player::{Config, Player},
	pocket::StateFolder,
	status,
};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use clustercast_chain::{account, calls, channels::Reserved, Call, Chain, NodeUrl, Wait, Wallet};
use clustercast_primitives::{session::SessionProof, AccountId, StreamId, Usdc};
use std::{path::PathBuf, process::ExitCode};

/// What is logged when RUST_LOG does not say.
const DEFAULT_LOG: &str = "warn,clustercast=info";

#[derive(Debug, Parser)]
#[command(
	name = "clustercast-player",
	version,
	about = "Watch a stream: every chunk verified, every verified byte paid"
)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
	/// Watch a stream, to a file and/or as local HLS
	Watch(Box<Config>),
	/// Add money to the deposit that pays tickets
	Deposit {
		#[command(flatten)]
		payer: Payer,
		/// USDC
		amount: Usdc,
	},
	/// Announce a withdrawal from the deposit, one at a time; it can be made 40 minutes later
	Unlock {
		#[command(flatten)]
		payer: Payer,
		/// USDC
		#[arg(required_unless_present = "cancel")]
		amount: Option<Usdc>,
		/// Keep the announced money in the deposit after all
		#[arg(long, conflicts_with = "amount")]
		cancel: bool,
	},
	/// Take announced money back, once the 40 minutes are over
	Withdraw {
		#[command(flatten)]
		payer: Payer,
	},
	/// Give the broadcaster of a stream money, less the treasury's 2 %
	Tip {
		#[command(flatten)]
		payer: Payer,
		/// Number of the stream key
		stream: u64,
		/// What it costs you, USDC; at least 0.001
		amount: Usdc,
		/// Take it from the deposit that pays tickets
		#[arg(long)]
		from_deposit: bool,
	},
	/// Make a session key and show what a deposit on the L2 has to name so that it can be watched from here
	Session {
		/// Node to talk to, ws:// or wss://; of several, the first that is whole
		#[arg(
			long,
			env = "CLUSTERCAST_PLAYER_RPC",
			hide_env_values = true,
			value_name = "URL",
			value_delimiter = ',',
			default_value = "ws://127.0.0.1:9944"
		)]
		rpc: Vec<NodeUrl>,
		/// Whose deposit it will be: an address, Ethereum, SS58 or hex
		#[arg(long, env = "CLUSTERCAST_PLAYER_ACCOUNT")]
		account: String,
		/// Folder for session key and purse; one player at a time
		#[arg(long, env = "CLUSTERCAST_PLAYER_STATE", value_name = "DIR")]
		state: PathBuf,
	},
	/// Begin to free what is reserved for a relayer that has not released it: free 40 minutes later
	Close {
		#[command(flatten)]
		payer: Payer,
		/// The relayer's account, SS58 address or hex
		relayer: String,
		/// Folder for session key and purse, while no player runs with it
		#[arg(long, env = "CLUSTERCAST_PLAYER_STATE", value_name = "DIR")]
		state: PathBuf,
	},
	/// Show balance, deposit, for whom what of it is reserved and until when, and session keys; micro-USDC
	Account {
		#[command(flatten)]
		payer: Payer,
	},
}

#[derive(Debug, Args)]
struct Payer {
	/// Node to talk to, ws:// or wss://; of several, the first that is whole
	#[arg(
		long,
		env = "CLUSTERCAST_PLAYER_RPC",
		hide_env_values = true,
		value_name = "URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	rpc: Vec<NodeUrl>,
	/// Account: //Name, a mnemonic, or file:PATH (created when missing)
	#[arg(long, env = "CLUSTERCAST_PLAYER_ACCOUNT", hide_env_values = true)]
	account: String,
}

/// The whole program. Results go to standard output as JSON lines.
pub fn main() -> ExitCode {
	let cli = clustercast_cli::parse();
	clustercast_cli::log(DEFAULT_LOG, status::log_writer);
	clustercast_cli::end("clustercast-player", run(cli))
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<()> {
	match cli.command {
		Command::Watch(config) => {
			let summary = Player::load(*config)?.run().await?;
			status::print_line(serde_json::to_string(&summary)?);
			Ok(())
		},
		Command::Deposit { payer, amount } => payer.sign(calls::deposit(amount.0)).await,
		Command::Unlock { payer, amount, cancel } => {
			let call = match (amount, cancel) {
				(Some(amount), false) => calls::request_unlock(amount.0),
				_ => calls::cancel_unlock(),
			};
			payer.sign(call).await
		},
		Command::Withdraw { payer } => payer.sign(calls::withdraw()).await,
		Command::Tip {
			payer,
			stream,
			amount,
			from_deposit,
		} => payer.sign(calls::tip(StreamId(stream), amount.0, from_deposit)).await,
		Command::Session { rpc, account, state } => {
			let payer = Who::parse(&account).context("--account")?;
			let folder = StateFolder::open(&state).context("--state")?;
			let chain = Chain::connect(&rpc).await?;
			let account = payer.account(&chain).await.context("--account")?;
			let (key, expiry) = funds::session_to_authorise(&chain, account, &folder)?;
			let proof = key.sign(SessionProof { account }, &chain.genesis()).signature;
			status::print_line(serde_json::json!({
				"account": account.to_string(),
				"ss58": account::ss58(&account),
				"sessionKey": key.public().to_string(),
				"sessionProof": proof.to_string(),
				"expiry": expiry,
			}));
			Ok(())
		},
		Command::Close { payer, relayer, state } => {
			let relayer = account::parse(&relayer).context("RELAYER")?;
			let folder = StateFolder::open(&state).context("--state")?;
			let (chain, wallet) = payer.open().await?;
			let pocket = funds::session_at_hand(&chain, wallet.account(), &folder)?
				.context("there is no session key in --state")?;
			let submit_by = chain.head().best.saturating_add(chain.constants().max_ticket_life / 2);
			let close = pocket
				.close(&relayer, submit_by)
				.context("nothing was reserved for this relayer")?;
			submit(&chain, &wallet, calls::close_channel(&close)).await
		},
		Command::Account { payer } => payer.show().await,
	}
}

impl Payer {
	async fn open(&self) -> anyhow::Result<(Chain, Wallet)> {
		let wallet = Wallet::from_suri(&self.account).context("--account")?;
		Ok((Chain::connect(&self.rpc).await?, wallet))
	}

	/// Signs one call, waits until it is final, shows the account.
	async fn sign(&self, call: Call) -> anyhow::Result<()> {
		let (chain, wallet) = self.open().await?;
		submit(&chain, &wallet, call).await
	}

	async fn show(&self) -> anyhow::Result<()> {
		let payer = Who::parse(&self.account).context("--account")?;
		let chain = Chain::connect(&self.rpc).await?;
		let account = payer.account(&chain).await.context("--account")?;
		show(&chain, &account).await
	}
}

async fn submit(chain: &Chain, wallet: &Wallet, call: Call) -> anyhow::Result<()> {
	let included = chain.submit(wallet, &call, Wait::Finalised).await?;
	tracing::info!(block = included.number, fee = %Usdc(included.fee), "{} is final", call.full_name());
	show(chain, &wallet.account()).await
}

async fn show(chain: &Chain, account: &AccountId) -> anyhow::Result<()> {
	let found = chain.viewer_account(account, None).await?;
	let sessions: Vec<_> = found.sessions.iter().map(|session| session.key).collect();
	let reserved = chain
		.reserved_by(account, &sessions, chain.finalised_hash().await?)
		.await?;
	let mut shown = serde_json::to_value(found)?;
	shown["reservations"] = reserved.iter().map(reservation).collect();
	shown["account"] = account::ss58(account).into();
	shown["block"] = chain.head().best.into();
	status::print_line(shown);
	Ok(())
}

/// For whom, how much, and until which block at the latest; what `close` wants to know.
fn reservation(reserved: &Reserved) -> serde_json::Value {
	serde_json::json!({
		"relayer": account::ss58(&reserved.recipient),
		"session": reserved.session.to_string(),
		"amount": reserved.channel.open.to_string(),
		"endsAt": reserved.channel.ends_at,
	})
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
	fn unlock_takes_an_amount_or_cancels() {
		let parse = |args: &[&str]| Cli::try_parse_from([&["player", "unlock", "--account", "//Bob"], args].concat());
		assert!(parse(&["1.5"]).is_ok());
		assert!(parse(&["--cancel"]).is_ok());
		assert!(parse(&[]).is_err());
		assert!(parse(&["1", "--cancel"]).is_err());
		assert!(parse(&["1,5"]).is_err());
	}

	#[test]
	fn address_to_serve_at_is_shown_how_it_is_written() {
		for address in ["8080", "localhost:8080"] {
			let args = [
				"player",
				"watch",
				"--stream",
				"1",
				"--account",
				"//Bob",
				"--state",
				"s",
				"--hls",
				address,
			];
			let error = Cli::try_parse_from(args).unwrap_err().to_string();
			assert!(
				error.contains("expected ADDRESS:PORT, such as 127.0.0.1:8080"),
				"{error}"
			);
		}
	}

	#[test]
	fn watch_has_the_documented_defaults() {
		let args = ["player", "watch", "--stream", "1", "--account", "//Bob", "--state", "s"];
		let Command::Watch(config) = Cli::try_parse_from(args).unwrap().command else {
			panic!("another command");
		};
		assert_eq!(config.deposit, Usdc(5_000_000));
		assert_eq!(config.max_price_per_gb, 100_000);
		assert_eq!(config.max_face_value, Usdc(100_000));
		assert!(config.relayers.is_empty() && config.limit.is_none());
	}
}
