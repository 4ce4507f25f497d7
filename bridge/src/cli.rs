//! The command line. Each command but `run` prints one JSON object and ends.

use crate::{
	agent::Agent,
	config::{Config, Settings},
	l2::{self, L2},
	relay::Relay,
	signing::{self, Consent, SignedAction},
	status,
	withdrawals::claim,
};
use anyhow::{bail, ensure, Context};
use clap::{Args, Parser, Subcommand};
use clustercast_chain::{account, bridge, Chain, NodeUrl, Wait, Wallet};
use clustercast_primitives::{
	bridge::{account_of, Credit, EthereumAction},
	AccountId, BlockNumber, EthereumAddress, PublicKey, Signature, Usdc,
};
use serde_json::json;
use std::{fs, io::Read, path::PathBuf, process::ExitCode};

/// Blocks that a message to the chain is good, unless it says otherwise: twenty minutes; the chain allows an hour.
const MESSAGE_LIFE: BlockNumber = 600;

#[derive(Parser)]
#[command(
	name = "clustercast-bridge",
	version,
	about = "Brings USDC from an L2 to the chain and back; carries proofs between them"
)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Carry proofs between the chain and the L2
	Run(Box<Run>),
	/// Deposit USDC of an Ethereum key into the vault
	Deposit(Box<Deposit>),
	/// Take USDC of an account of the chain back to the L2
	Withdraw(Withdraw),
	/// Execute one withdrawal on the L2, with the commitments that it needs
	Claim(Claim),
	/// Act for the chain account of an Ethereum key, by a signed message that anyone can submit
	Act(Act),
	/// Say how far a deposit, a withdrawal or an account is
	Status(Status),
}

#[derive(Args)]
struct Run {
	/// TOML file with the same settings; environment and flags go before it
	#[arg(long, value_name = "FILE", env = "CLUSTERCAST_BRIDGE_CONFIG")]
	config: Option<PathBuf>,
	#[command(flatten)]
	settings: Settings,
}

/// Where the chain is.
#[derive(Args)]
struct ChainArgs {
	/// JSON-RPC of a node of the chain; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		env = "CLUSTERCAST_BRIDGE_RPC",
		hide_env_values = true,
		default_value = "ws://127.0.0.1:9944"
	)]
	rpc: Vec<NodeUrl>,
}

/// Where both are.
#[derive(Args)]
struct Ends {
	#[command(flatten)]
	chain: ChainArgs,
	/// The L2's JSON-RPC, http:// or https://
	#[arg(long, value_name = "URL", env = "CLUSTERCAST_BRIDGE_L2_RPC", hide_env_values = true)]
	l2_rpc: String,
}

/// An Ethereum key.
#[derive(Args)]
struct KeyArgs {
	/// Ethereum key: 64 hexadecimal digits or file:PATH
	#[arg(long, value_name = "KEY", env = "CLUSTERCAST_BRIDGE_KEY", hide_env_values = true)]
	key: String,
}

#[derive(Args)]
struct Deposit {
	#[command(flatten)]
	ends: Ends,
	#[command(flatten)]
	key: KeyArgs,
	/// USDC, 1 to 10,000
	#[arg(long, value_name = "USDC")]
	amount: Usdc,
	/// Ethereum address that gets it back where the chain cannot credit it [default: the key's own]
	#[arg(long, value_name = "ADDRESS")]
	refund_to: Option<EthereumAddress>,
	/// Account on the chain that receives it (SS58 or hexadecimal) [default: the key's own, see `act`]
	#[arg(long, value_name = "ACCOUNT")]
	account: Option<String>,
	/// Of the amount, USDC for the deposit that tickets are paid from, as far as its cap allows
	#[arg(long, value_name = "USDC", default_value = "0")]
	escrow: Usdc,
	/// Ed25519 key that may sign tickets for the account, hexadecimal; only for the key's own account
	#[arg(
		long,
		value_name = "HEX",
		requires = "session_limit",
		requires = "session_expiry",
		requires = "session_proof"
	)]
	session_key: Option<PublicKey>,
	/// What that key signed to become the account's, hexadecimal: `clustercast-player session` prints both
	#[arg(long, value_name = "HEX", requires = "session_key")]
	session_proof: Option<Signature>,
	/// Most that the session key may spend, USDC
	#[arg(long, value_name = "USDC", requires = "session_key")]
	session_limit: Option<Usdc>,
	/// Last block of the chain for which the session key may sign
	#[arg(long, value_name = "BLOCK", requires = "session_key")]
	session_expiry: Option<BlockNumber>,
	/// Approve in a transaction of its own instead of a permit in the deposit's
	#[arg(long, conflicts_with = "payer")]
	approve: bool,
	/// Another Ethereum key that sends the transaction and pays for gas: 64 hexadecimal digits or file:PATH
	#[arg(long, value_name = "KEY", env = "CLUSTERCAST_BRIDGE_PAYER", hide_env_values = true)]
	payer: Option<String>,
	/// What the payer receives for it, USDC, on top of the amount
	#[arg(long, value_name = "USDC", default_value = "0", requires = "payer")]
	payer_fee: Usdc,
}

#[derive(Args)]
struct Withdraw {
	#[command(flatten)]
	chain: ChainArgs,
	/// Account of the chain that pays: //NAME, a mnemonic, or file:PATH
	#[arg(
		long,
		value_name = "SURI",
		env = "CLUSTERCAST_BRIDGE_ACCOUNT",
		hide_env_values = true
	)]
	account: String,
	/// Ethereum address that receives it
	#[arg(long, value_name = "ADDRESS")]
	to: EthereumAddress,
	/// USDC
	#[arg(long, value_name = "USDC")]
	amount: Usdc,
	/// Of the amount, USDC for whoever executes it on the L2
	#[arg(long, value_name = "USDC", default_value = "0.02")]
	fee: Usdc,
}

#[derive(Args)]
struct Claim {
	#[command(flatten)]
	ends: Ends,
	#[command(flatten)]
	key: KeyArgs,
	/// Number of the withdrawal
	id: u64,
}

#[derive(Args)]
struct Status {
	#[command(flatten)]
	ends: Ends,
	/// Transaction of the L2 (0x and 64 digits), account (SS58, hexadecimal, or Ethereum address), or number of a withdrawal
	subject: String,
}

#[derive(Args)]
struct Act {
	#[command(flatten)]
	chain: ChainArgs,
	/// Account of the chain that submits the message, pays its fee and receives its tip: //NAME, a mnemonic, or
	/// file:PATH. Without it, the signed message is printed and anyone can submit it
	#[arg(
		long,
		global = true,
		value_name = "SURI",
		env = "CLUSTERCAST_BRIDGE_ACCOUNT",
		hide_env_values = true
	)]
	account: Option<String>,
	#[command(subcommand)]
	what: What,
}

#[derive(Subcommand)]
enum What {
	/// Take free USDC back to the L2
	Withdraw {
		#[command(flatten)]
		envelope: Envelope,
		/// Ethereum address that receives it [default: the key's own]
		#[arg(long, value_name = "ADDRESS")]
		to: Option<EthereumAddress>,
		/// USDC; 0 for everything that is left after the tip
		#[arg(long, value_name = "USDC", default_value = "0")]
		amount: Usdc,
		/// Of the amount, USDC for whoever executes it on the L2
		#[arg(long, value_name = "USDC", default_value = "0.02")]
		fee: Usdc,
	},
	/// Ask for USDC of the deposit for tickets; it can be collected after the chain's delay
	Unlock {
		#[command(flatten)]
		envelope: Envelope,
		/// USDC; 0 for all of it
		#[arg(long, value_name = "USDC", default_value = "0")]
		amount: Usdc,
	},
	/// Take what was asked for out of the deposit for tickets
	Collect {
		#[command(flatten)]
		envelope: Envelope,
	},
	/// Let a session key sign tickets
	Authorize {
		#[command(flatten)]
		envelope: Envelope,
		/// Ed25519 key, hexadecimal
		#[arg(long, value_name = "HEX")]
		session_key: PublicKey,
		/// What that key signed to become the account's, hexadecimal: `clustercast-player session` prints both
		#[arg(long, value_name = "HEX")]
		session_proof: Signature,
		/// Most that it may spend, USDC
		#[arg(long, value_name = "USDC")]
		limit: Usdc,
		/// Last block of the chain for which it may sign
		#[arg(long, value_name = "BLOCK")]
		expiry: BlockNumber,
	},
	/// Submit a message that somebody signed
	Submit {
		/// File with what the other commands print; - for standard input
		file: PathBuf,
	},
}

/// What every message has.
#[derive(Args)]
struct Envelope {
	#[command(flatten)]
	key: KeyArgs,
	/// For whoever submits it on the chain, USDC
	#[arg(long, value_name = "USDC", default_value = "0.01")]
	tip: Usdc,
	/// Last block of the chain in which it is taken [default: 600 from now]
	#[arg(long, value_name = "BLOCK")]
	deadline: Option<BlockNumber>,
	/// Tells apart messages that otherwise say the same [default: random]
	#[arg(long, value_name = "N")]
	nonce: Option<u64>,
}

/// The whole program.
pub fn main() -> ExitCode {
	let cli = clustercast_cli::parse();
	clustercast_cli::log("info", std::io::stderr);
	clustercast_cli::end("clustercast-bridge", run(cli))
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<()> {
	let answer = match cli.command {
		Command::Run(run) => return Agent::load(Config::load(run.config, run.settings)?)?.run().await,
		Command::Deposit(deposit) => deposit.run().await?,
		Command::Withdraw(withdraw) => withdraw.run().await?,
		Command::Claim(claim) => claim.run().await?,
		Command::Act(act) => act.run().await?,
		Command::Status(Status { ends, subject }) => {
			let (chain, l2) = ends.connect().await?;
			status::status(&chain, &l2, &subject).await?
		},
	};
	println!("{answer}");
	Ok(())
}

impl Ends {
	async fn connect(&self) -> anyhow::Result<(Chain, L2)> {
		let chain = Chain::connect(&self.chain.rpc).await?;
		let bridge = chain.bridge(None).await?;
		ensure!(bridge.chain_id != 0, "the chain has no vault");
		let l2 = L2::connect(&self.l2_rpc, &bridge.vault, bridge.chain_id).await?;
		Ok((chain, l2))
	}
}

impl Deposit {
	async fn run(self) -> anyhow::Result<serde_json::Value> {
		let depositor = l2::signer(&self.key.key).context("key")?;
		let payer = self.payer.as_deref().map(l2::signer).transpose().context("payer")?;
		let (_, l2) = self.ends.connect().await?;
		let address = l2::address_of(&depositor);
		let own = account_of(l2.chain_id, &address);
		let account: AccountId = match &self.account {
			Some(text) => account::parse(text).context("account")?,
			None => own,
		};
		ensure!(
			self.session_key.is_none() || account == own,
			"the chain takes a session key only for the key's own account: leave --account or --session-key out"
		);
		let credit = Credit {
			account,
			escrow: self.escrow.0,
			session_key: self.session_key.unwrap_or(PublicKey([0; 32])),
			session_limit: self.session_limit.unwrap_or_default().0,
			session_expiry: self.session_expiry.unwrap_or_default(),
			session_proof: self.session_proof.unwrap_or(Signature([0; 64])),
		};
		let refund_to = self.refund_to.unwrap_or(address);
		let order = signing::order(self.amount.0, &refund_to, &credit);
		let consent = match &payer {
			Some(payer) => Consent::Authorisation {
				payer,
				fee: self.payer_fee.0,
			},
			None if self.approve => Consent::Approval,
			None => Consent::Permit,
		};
		let receipt = signing::deposit(&l2, &depositor, order, consent).await?;
		let deposit = receipt
			.logs()
			.iter()
			.find_map(|log| l2.deposit_of(log))
			.context("the vault recorded nothing")?;
		Ok(json!({
			"transaction": receipt.transaction_hash,
			"block": receipt.block_number,
			"gas": receipt.gas_used,
			"deposit": deposit,
			"credit": deposit.credit(),
		}))
	}
}

impl Withdraw {
	/// Ends when the withdrawal is final on the chain.
	async fn run(self) -> anyhow::Result<serde_json::Value> {
		let wallet = Wallet::from_suri(&self.account).context("account")?;
		let chain = Chain::connect(&self.chain.rpc).await?;
		let call = bridge::withdraw(&self.to, self.amount.0, self.fee.0);
		let done = chain.submit(&wallet, &call, Wait::Finalised).await?;
		Ok(json!({ "withdrawal": withdrawal_id(&done)?, "transaction": done.transaction, "block": done.number }))
	}
}

fn withdrawal_id(done: &clustercast_chain::Included) -> anyhow::Result<u64> {
	let event = done.event("UsdcBridge", "WithdrawalRequested");
	Ok(event.context("no event UsdcBridge::WithdrawalRequested")?.field("id")?)
}

impl Claim {
	async fn run(self) -> anyhow::Result<serde_json::Value> {
		let signer = l2::signer(&self.key.key).context("key")?;
		let (chain, l2) = self.ends.connect().await?;
		let relay = Relay {
			chain: &chain,
			l2: &l2,
			signer: &signer,
		};
		match claim(&relay, self.id).await? {
			Some(ours) => Ok(json!({ "withdrawal": self.id, "executed": true, "byUs": ours })),
			None if l2.executed(self.id).await? => {
				Ok(json!({ "withdrawal": self.id, "executed": true, "byUs": false }))
			},
			None => bail!("the chain knows of no withdrawal {}", self.id),
		}
	}
}

impl Act {
	async fn run(self) -> anyhow::Result<serde_json::Value> {
		let chain = Chain::connect(&self.chain.rpc).await?;
		let bridge = chain.bridge(None).await?;
		let signed = match self.what {
			What::Submit { file } => {
				let text = match file.as_os_str() == "-" {
					true => {
						let mut text = String::new();
						std::io::stdin().read_to_string(&mut text)?;
						text
					},
					false => fs::read_to_string(&file).with_context(|| file.display().to_string())?,
				};
				let signed: SignedAction = serde_json::from_str(&text).context("not a signed message")?;
				ensure!(self.account.is_some(), "give --account: it submits the message");
				signed
			},
			what => {
				let (key, action) = what.action(chain.head().best)?;
				SignedAction::new(&l2::signer(&key.key).context("key")?, action, &bridge)?
			},
		};
		ensure!(
			signed.verify(&bridge),
			"the message is not signed by {} for this chain",
			signed.signer
		);
		let Some(account) = &self.account else {
			return Ok(serde_json::to_value(&signed)?);
		};
		let wallet = Wallet::from_suri(account).context("account")?;
		let call = bridge::act(&signed.action, &signed.signature);
		let done = chain.submit(&wallet, &call, Wait::Finalised).await?;
		Ok(json!({
			"signer": signed.signer,
			"transaction": done.transaction,
			"block": done.number,
			"withdrawal": withdrawal_id(&done).ok(),
		}))
	}
}

impl What {
	/// What is to be signed, with which key, when `now` is the chain's best block.
	fn action(self, now: BlockNumber) -> anyhow::Result<(KeyArgs, EthereumAction)> {
		let common = |envelope: &Envelope| {
			let nonce = envelope.nonce.unwrap_or_else(rand::random);
			let deadline = envelope.deadline.unwrap_or(now.saturating_add(MESSAGE_LIFE));
			(envelope.tip.0, nonce, deadline)
		};
		Ok(match self {
			Self::Withdraw {
				envelope,
				to,
				amount,
				fee,
			} => {
				let (tip, nonce, deadline) = common(&envelope);
				let own = l2::address_of(&l2::signer(&envelope.key.key).context("key")?);
				let action = EthereumAction::Withdraw {
					to: to.unwrap_or(own),
					amount: amount.0,
					fee: fee.0,
					tip,
					nonce,
					deadline,
				};
				(envelope.key, action)
			},
			Self::Unlock { envelope, amount } => {
				let (tip, nonce, deadline) = common(&envelope);
				let amount = amount.0;
				let action = EthereumAction::Unlock {
					amount,
					tip,
					nonce,
					deadline,
				};
				(envelope.key, action)
			},
			Self::Collect { envelope } => {
				let (tip, nonce, deadline) = common(&envelope);
				(envelope.key, EthereumAction::Collect { tip, nonce, deadline })
			},
			Self::Authorize {
				envelope,
				session_key,
				session_proof,
				limit,
				expiry,
			} => {
				let (tip, nonce, deadline) = common(&envelope);
				let action = EthereumAction::Authorize {
					key: session_key,
					limit: limit.0,
					expiry,
					proof: session_proof,
					tip,
					nonce,
					deadline,
				};
				(envelope.key, action)
			},
			Self::Submit { .. } => bail!("nothing is to be signed"),
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::CommandFactory;

	#[test]
	fn command_line_is_consistent() {
		Cli::command().debug_assert();
	}
}
