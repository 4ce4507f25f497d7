//! The command line. Each command but `agent` prints one JSON object and ends.

use crate::{
	abi::{self, Vault},
	acts::{Acted, REMEMBERED},
	agent::Agent,
	client::{self, AgentUrl, Agents, Authorisation, Before, Message},
	config::{Config, Settings},
	handover::{Expected, Sum},
	l2::{self, L2},
	pending::Pending,
	recipient::{self, Contracts},
	relay::Relay,
	signing::{self, Consent, SignedAction},
	status,
	wire::{Report, SignedDeposit, State, Terms},
	withdrawals::claim,
};
use alloy::{
	primitives::{Address, Bytes, U256},
	sol_types::SolCall,
};
use anyhow::{bail, ensure, Context};
use clap::{Args, Parser, Subcommand};
use clustercast_chain::{account, bridge, Chain, NodeUrl, Wait, Wallet};
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		account_of,
		deposit::{MAX_DEPOSIT, MIN_ACTION},
		Action, BridgeInfo, Credit, EthereumAction,
	},
	AccountId, Balance, BlockNumber, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature, Usdc,
};
use serde_json::json;
use std::{env, fs, io::Read, path::PathBuf, process::ExitCode, str::FromStr, time::Duration};

/// Blocks that a message to the chain is good, unless it says otherwise: twenty minutes; the chain allows an hour.
const MESSAGE_LIFE: BlockNumber = 600;

/// For whoever submits a message, unless it or an agent says otherwise.
const TIP: Usdc = Usdc(10_000);

/// Least and largest withdrawal: the chain's bounds.
const MIN_WITHDRAWAL: Balance = USDC;
const MAX_WITHDRAWAL: Balance = 10_000 * USDC;

/// What an account may have to keep to exist.
const KEPT: Balance = 1_000;

/// How much: USDC, or all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
	Max,
	Usdc(Usdc),
}

impl FromStr for Amount {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		match text {
			"max" => Ok(Self::Max),
			text => match text.parse::<Usdc>() {
				Ok(Usdc(0)) => Err("nothing; for all of it write max".into()),
				Ok(amount) => Ok(Self::Usdc(amount)),
				Err(error) => Err(error.to_string()),
			},
		}
	}
}

impl Amount {
	/// As messages have it: 0 for everything.
	fn in_message(self) -> Balance {
		match self {
			Self::Max => 0,
			Self::Usdc(amount) => amount.0,
		}
	}

	/// So much of what is there, at most `most`.
	fn of(self, there: Balance, most: Balance) -> Balance {
		match self {
			Self::Max => there.min(most),
			Self::Usdc(amount) => amount.0,
		}
	}
}

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
	/// Carry proofs between the chain and the L2; with --serve also take signed deposits and actions of others
	#[command(visible_alias = "run")]
	Agent(Box<Run>),
	/// Deposit USDC of an Ethereum key into the vault
	Deposit(Box<Deposit>),
	/// Take USDC of an account of the chain back to the L2
	Withdraw(Withdraw),
	/// Execute one withdrawal on the L2, with the commitments that it needs
	Claim(Claim),
	/// Act for the chain account of an Ethereum key, by a signed message that anyone can submit
	Act(Box<Act>),
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

/// Agents that do it for a fee, so that who signs needs neither ETH nor a key of the chain.
#[derive(Args)]
struct AgentArgs {
	/// Hand what is signed to this agent, http:// or https://; of several, one after the other, each the same bytes
	#[arg(
		long = "agent",
		global = true,
		value_name = "URL",
		value_delimiter = ',',
		env = "CLUSTERCAST_BRIDGE_AGENTS"
	)]
	agents: Vec<AgentUrl>,
	/// How long an agent has to submit it until the next is turned to, seconds
	#[arg(long, global = true, value_name = "SECONDS", default_value = "30")]
	agent_wait: u64,
	/// Folder for what agents were given, until it is used or over [default: $XDG_STATE_HOME, or ~/.local/state, and
	/// clustercast-bridge in it]
	#[arg(long, global = true, value_name = "DIR", env = "CLUSTERCAST_BRIDGE_STATE")]
	state: Option<PathBuf>,
}

impl AgentArgs {
	fn state_folder(&self) -> anyhow::Result<PathBuf> {
		if let Some(folder) = &self.state {
			return Ok(folder.clone());
		}
		let base = match (env::var_os("XDG_STATE_HOME"), env::var_os("HOME")) {
			(Some(state), _) if !state.is_empty() => PathBuf::from(state),
			(_, Some(home)) => PathBuf::from(home).join(".local/state"),
			_ => bail!("give --state: it is not known where this user's files are"),
		};
		Ok(base.join("clustercast-bridge"))
	}

	fn agents(&self) -> Option<Agents> {
		let patience = Duration::from_secs(self.agent_wait);
		(!self.agents.is_empty()).then(|| Agents::new(self.agents.clone(), patience))
	}
}

/// What an agent has to serve.
fn expected(bridge: &BridgeInfo, l2: Option<&L2>) -> Expected {
	Expected {
		l2: bridge.chain_id,
		vault: bridge.vault,
		usdc: l2.map(|l2| EthereumAddress(l2.usdc.0 .0)),
		genesis: bridge.genesis,
	}
}

/// The L2, where somebody who needs it for nothing but its token's address may say where it is.
#[derive(Args)]
struct TokenArgs {
	/// The L2's JSON-RPC, http:// or https://: it says which contracts no USDC may be sent to
	#[arg(
		long,
		global = true,
		value_name = "URL",
		env = "CLUSTERCAST_BRIDGE_L2_RPC",
		hide_env_values = true
	)]
	l2_rpc: Option<String>,
}

impl TokenArgs {
	async fn connect(&self, bridge: &BridgeInfo) -> anyhow::Result<Option<L2>> {
		ensure!(bridge.chain_id != 0, "the chain has no vault");
		Ok(match &self.l2_rpc {
			Some(url) => Some(L2::connect(url, &bridge.vault, bridge.chain_id).await?),
			None => None,
		})
	}
}

fn contracts(bridge: &BridgeInfo, l2: Option<&L2>) -> Contracts {
	l2.map_or_else(|| Contracts::known(bridge.chain_id, bridge.vault), L2::contracts)
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
	#[command(flatten)]
	agents: AgentArgs,
	/// Most that an agent may ask for, USDC, on top of the amount
	#[arg(long, value_name = "USDC", default_value = "0.10")]
	max_fee: Usdc,
	/// USDC, 1 to 10,000; max for all that the key has
	#[arg(long, value_name = "USDC")]
	amount: Amount,
	/// Ethereum address that gets it back where the chain cannot credit it [default: the key's own]
	#[arg(long, value_name = "ADDRESS", value_parser = recipient::parse)]
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
	#[arg(long, conflicts_with_all = ["payer", "agents"])]
	approve: bool,
	/// Another Ethereum key that sends the transaction and pays for gas: 64 hexadecimal digits or file:PATH
	#[arg(
		long,
		value_name = "KEY",
		env = "CLUSTERCAST_BRIDGE_PAYER",
		hide_env_values = true,
		conflicts_with = "agents"
	)]
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
	#[command(flatten)]
	token: TokenArgs,
	/// Ethereum address that receives it
	#[arg(long, value_name = "ADDRESS", value_parser = recipient::parse)]
	to: EthereumAddress,
	/// USDC, 1 to 10,000; max for all that is free after the chain's fee
	#[arg(long, value_name = "USDC")]
	amount: Amount,
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
		hide_env_values = true,
		conflicts_with = "agents"
	)]
	account: Option<String>,
	#[command(flatten)]
	agents: AgentArgs,
	/// Sign nothing: print the transactions with which this wallet, a contract (Safe, Base Account), has it done. Each is `to`,
	/// `value` and `data`, for its transaction builder: the vault may take --bring, and is sent it with the action
	#[arg(long, global = true, value_name = "WALLET", value_parser = recipient::parse)]
	send: Option<EthereumAddress>,
	/// USDC that --send brings to the wallet's account on the chain, at least 0.10
	#[arg(long, global = true, value_name = "USDC", default_value = "0.10")]
	bring: Usdc,
	/// Highest tip that an agent may ask for, USDC, where no --tip is given
	#[arg(long, global = true, value_name = "USDC", default_value = "0.05")]
	max_tip: Usdc,
	#[command(flatten)]
	token: TokenArgs,
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
		#[arg(long, value_name = "ADDRESS", value_parser = recipient::parse)]
		to: Option<EthereumAddress>,
		/// USDC, 1 to 10,000; max for all that is left after the tip
		#[arg(long, value_name = "USDC", default_value = "max")]
		amount: Amount,
		/// Of the amount, USDC for whoever executes it on the L2
		#[arg(long, value_name = "USDC", default_value = "0.02")]
		fee: Usdc,
	},
	/// Ask for USDC of the deposit for tickets; it can be collected after the chain's delay
	Unlock {
		#[command(flatten)]
		envelope: Envelope,
		/// USDC; max for all of it
		#[arg(long, value_name = "USDC", default_value = "max")]
		amount: Amount,
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
	/// Ethereum key: 64 hexadecimal digits or file:PATH. Not with --send
	#[arg(long, value_name = "KEY", env = "CLUSTERCAST_BRIDGE_KEY", hide_env_values = true)]
	key: Option<String>,
	/// For whoever submits it on the chain, USDC [default: what the agent asks, or 0.01]
	#[arg(long, value_name = "USDC")]
	tip: Option<Usdc>,
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
		Command::Agent(run) => return Agent::load(Config::load(run.config, run.settings)?)?.run().await,
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
		let (chain, l2) = self.ends.connect().await?;
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
		l2.contracts().check(&refund_to).context("--refund-to")?;
		let there = l2.balance(depositor.address()).await?.saturating_to::<Balance>();
		if let Some(agents) = self.agents.agents() {
			let bridge = chain.bridge(None).await?;
			let unsigned = SignedDeposit {
				depositor: address,
				kind: Credit::KIND,
				amount: 0,
				refund_to,
				body: credit.body(),
				fee: 0,
				valid_after: 0,
				valid_before: 0,
				signature: EthereumSignature([0; 65]),
			};
			let asked = match self.amount {
				Amount::Max => None,
				Amount::Usdc(amount) => Some(amount.0),
			};
			let order = (unsigned, Sum { asked, there });
			let bounds = (&expected(&bridge, Some(&l2)), self.max_fee.0);
			let name = Authorisation::name(&l2, &depositor.address());
			let mut pending = Pending::open(&self.agents.state_folder()?, &name)?;
			let (made, authorised) = client::deposit(&agents, &mut pending, &l2, &depositor, order, bounds).await?;
			return Ok(json!({
				"transaction": made.transaction,
				"block": made.block,
				"deposit": made.deposit,
				"credit": made.deposit.credit(),
				"id": authorised.id,
				"fee": Usdc(authorised.fee).to_string(),
			}));
		}
		let spent = if payer.is_some() { self.payer_fee.0 } else { 0 };
		let amount = self.amount.of(there.saturating_sub(spent), MAX_DEPOSIT);
		let order = signing::order(amount, &refund_to, &credit);
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
		let bridge = chain.bridge(None).await?;
		let l2 = self.token.connect(&bridge).await?;
		contracts(&bridge, l2.as_ref()).check(&self.to).context("--to")?;
		let call = |amount| bridge::withdraw(&self.to, amount, self.fee.0);
		let amount = match self.amount {
			Amount::Usdc(amount) => amount.0,
			Amount::Max => {
				let free = chain.viewer_account(&wallet.account(), None).await?.free;
				let fee = chain.try_out(&wallet, &call(MIN_WITHDRAWAL)).await?;
				free.saturating_sub(fee + KEPT).min(MAX_WITHDRAWAL)
			},
		};
		let call = call(amount);
		// What must fail is not paid for.
		chain.try_out(&wallet, &call).await?;
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
		let l2 = self.token.connect(&bridge).await?;
		if let Some(wallet) = &self.send {
			let bring = self.bring.0;
			let message = self.what.action(wallet, chain.head().best, Usdc(0))?;
			let free = chain
				.viewer_account(&account_of(bridge.chain_id, wallet), None)
				.await?
				.free;
			return sent(&bridge, &contracts(&bridge, l2.as_ref()), wallet, &message, bring, free);
		}
		let domain = signing::domain(&bridge);
		let fits = async |signer: &EthereumAddress, action: &EthereumAction| {
			if let EthereumAction::Withdraw { to, .. } = action {
				contracts(&bridge, l2.as_ref()).check(to).context("recipient")?;
			}
			let account = account_of(bridge.chain_id, signer);
			check_bounds(action, chain.viewer_account(&account, None).await?.free)
		};
		let agents = self.agents.agents();
		let expected = expected(&bridge, l2.as_ref());
		let plan = async |agents: &Agents, most: Usdc| {
			let tip = |terms: &Terms| terms.action.map(|action| action.tip);
			agents.plan(&expected, tip, most.0).await
		};
		let signed: SignedAction = match &self.what {
			What::Submit { file } => {
				let text = match file.as_os_str() == "-" {
					true => {
						let mut text = String::new();
						std::io::stdin().read_to_string(&mut text)?;
						text
					},
					false => fs::read_to_string(file).with_context(|| file.display().to_string())?,
				};
				let signed: SignedAction = serde_json::from_str(&text).context("not a signed message")?;
				let to_whom = self.account.is_some() || agents.is_some();
				ensure!(to_whom, "give --account or --agent: it submits the message");
				ensure!(
					signed.verify(&bridge),
					"the message is not signed by {} for this chain",
					signed.signer
				);
				signed
			},
			what => {
				let envelope = what.envelope().context("nothing is to be signed")?;
				let key = envelope
					.key
					.as_deref()
					.context("give --key; or --send, for a contract")?;
				let signer = l2::signer(key).context("key")?;
				let address = l2::address_of(&signer);
				if let Some(agents) = &agents {
					let name = Message::name(&chain.genesis(), &domain, &signer.address());
					let mut pending = Pending::open(&self.agents.state_folder()?, &name)?;
					let wanted = what.action(&address, chain.head().best, Usdc(0))?;
					let plan = match client::before(&mut pending, &chain, &wanted, envelope.nonce).await? {
						Before::Done(message, acted) => {
							tracing::warn!("the chain followed this message already, which was handed over before");
							return acted_on(&message.signed, message.key, &acted);
						},
						Before::Open => {
							let tip = pending.kept().map_or(0, |message| message.signed.action.tip());
							plan(agents, Usdc(tip)).await?
						},
						Before::Nothing => {
							let plan = plan(agents, envelope.tip.unwrap_or(self.max_tip)).await?;
							let tip = envelope.tip.unwrap_or(Usdc(plan.pays));
							let action = what.action(&address, chain.head().best, tip)?;
							// Before it is signed: what must fail would be in everybody's way until its deadline.
							fits(&address, &action).await?;
							let from = chain.head().finalised;
							let signed = SignedAction::new(&signer, action, &domain)?;
							let key = signed.key(&domain);
							pending.keep(Message { signed, key, from })?;
							plan
						},
					};
					let (signed, key, acted) = client::act(agents, &mut pending, &chain, &plan).await?;
					return acted_on(&signed, key, &acted);
				}
				let action = what.action(&address, chain.head().best, envelope.tip.unwrap_or(TIP))?;
				SignedAction::new(&signer, action, &domain)?
			},
		};
		// What was signed before may be done already: the chain says so, whatever is free by now.
		let signed_before = matches!(self.what, What::Submit { .. });
		if !signed_before && (self.account.is_some() || agents.is_some()) {
			fits(&signed.signer, &signed.action).await?;
		} else if let EthereumAction::Withdraw { to, .. } = &signed.action {
			contracts(&bridge, l2.as_ref()).check(to).context("recipient")?;
		}
		if let Some(agents) = &agents {
			let plan = plan(agents, Usdc(signed.action.tip())).await?;
			let key = signed.key(&domain);
			// It may have been handed over before.
			let from = chain.head().finalised.saturating_sub(REMEMBERED);
			let message = Message { signed, key, from };
			let acted = agents.submit(&chain, &message, &plan).await?;
			return acted_on(&message.signed, key, &acted);
		}
		let Some(account) = &self.account else {
			return Ok(serde_json::to_value(&signed)?);
		};
		let wallet = Wallet::from_suri(account).context("account")?;
		let call = bridge::act(&signed.action, &signed.signature);
		// A message that must fail is not paid for.
		let fee = chain.try_out(&wallet, &call).await?;
		if fee > signed.action.tip() {
			tracing::warn!(
				"submitting it costs {} USDC, its tip is {}",
				Usdc(fee),
				Usdc(signed.action.tip())
			);
		}
		let done = chain.submit(&wallet, &call, Wait::Finalised).await?;
		Ok(json!({
			"signer": signed.signer,
			"transaction": done.transaction,
			"block": done.number,
			"withdrawal": withdrawal_id(&done).ok(),
		}))
	}
}

/// What is printed of a message that a final block of the chain has.
fn acted_on(signed: &SignedAction, key: Hash, acted: &Acted) -> anyhow::Result<serde_json::Value> {
	let state = match acted.withdrawal {
		Some(withdrawal) => State::Queued { withdrawal },
		None => State::Done { block: acted.block },
	};
	let mut answer = serde_json::to_value(Report { id: key, state })?;
	answer["signer"] = json!(signed.signer);
	answer["block"] = json!(acted.block);
	Ok(answer)
}

/// What a contract wallet calls so that this is done for its account, on which so much is free: it lets the vault take what
/// is to be brought, and sends that with the action.
fn sent(
	bridge: &BridgeInfo,
	contracts: &Contracts,
	wallet: &EthereumAddress,
	message: &EthereumAction,
	bring: Balance,
	free: Balance,
) -> anyhow::Result<serde_json::Value> {
	ensure!(
		(MIN_ACTION..=MAX_DEPOSIT).contains(&bring),
		"--bring is {} to {} USDC",
		Usdc(MIN_ACTION),
		Usdc(MAX_DEPOSIT)
	);
	contracts.check(wallet).context("--send")?;
	if let EthereumAction::Withdraw { to, .. } = message {
		contracts.check(to).context("recipient")?;
	}
	check_bounds(message, free.saturating_add(bring))?;
	let usdc = contracts
		.usdc()
		.context("give --l2-rpc: the token of this L2 is not known here")?;
	let action = Action::from(message);
	let approve = abi::Usdc::approveCall {
		spender: Address::from(bridge.vault.0),
		value: U256::from(bring),
	};
	let send = Vault::sendCall {
		amount: bring,
		body: action.body().bytes().to_vec().into(),
	};
	let transaction = |to: EthereumAddress, data: Vec<u8>| json!({ "to": to, "value": "0", "data": Bytes::from(data) });
	Ok(json!({
		"wallet": wallet,
		"account": account_of(bridge.chain_id, wallet),
		"chainId": bridge.chain_id.to_string(),
		"action": action,
		"transactions": [
			transaction(usdc, approve.abi_encode()),
			transaction(bridge.vault, send.abi_encode()),
		],
	}))
}

/// Whether a withdrawal is within the chain's bounds after its tip, of so much that is free; the chain names no amounts.
fn check_bounds(action: &EthereumAction, free: Balance) -> anyhow::Result<()> {
	let EthereumAction::Withdraw { amount, tip, .. } = action else {
		return Ok(());
	};
	let left = free.saturating_sub(*tip);
	let asked = if *amount == 0 { left } else { *amount };
	ensure!(
		asked <= left,
		"{} USDC are free; after the tip of {} that leaves {}",
		Usdc(free),
		Usdc(*tip),
		Usdc(left)
	);
	ensure!(
		asked >= MIN_WITHDRAWAL,
		"a withdrawal is at least {} USDC; {} are free, of which the tip takes {}",
		Usdc(MIN_WITHDRAWAL),
		Usdc(free),
		Usdc(*tip)
	);
	Ok(())
}

impl What {
	/// What every message has; none where it is signed already.
	fn envelope(&self) -> Option<&Envelope> {
		match self {
			Self::Withdraw { envelope, .. }
			| Self::Unlock { envelope, .. }
			| Self::Collect { envelope }
			| Self::Authorize { envelope, .. } => Some(envelope),
			Self::Submit { .. } => None,
		}
	}

	/// What is to be signed by `own`, when `now` is the chain's best block.
	fn action(&self, own: &EthereumAddress, now: BlockNumber, tip: Usdc) -> anyhow::Result<EthereumAction> {
		let envelope = self.envelope().context("nothing is to be signed")?;
		let nonce = envelope.nonce.unwrap_or_else(rand::random);
		let deadline = envelope.deadline.unwrap_or(now.saturating_add(MESSAGE_LIFE));
		let tip = tip.0;
		Ok(match self {
			Self::Withdraw { to, amount, fee, .. } => EthereumAction::Withdraw {
				to: to.unwrap_or(*own),
				amount: amount.in_message(),
				fee: fee.0,
				tip,
				nonce,
				deadline,
			},
			Self::Unlock { amount, .. } => EthereumAction::Unlock {
				amount: amount.in_message(),
				tip,
				nonce,
				deadline,
			},
			Self::Collect { .. } => EthereumAction::Collect { tip, nonce, deadline },
			Self::Authorize {
				session_key,
				session_proof,
				limit,
				expiry,
				..
			} => EthereumAction::Authorize {
				key: *session_key,
				limit: limit.0,
				expiry: *expiry,
				proof: *session_proof,
				tip,
				nonce,
				deadline,
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
	fn everything_is_max_and_nothing_is_nothing() {
		assert_eq!("max".parse(), Ok(Amount::Max));
		assert_eq!("1.5".parse(), Ok(Amount::Usdc(Usdc(1_500_000))));
		for wrong in ["0", "0.0", "Max", "all", "-1", ""] {
			assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
		}
		assert_eq!(Amount::Max.of(30, 20), 20);
		assert_eq!(Amount::Max.of(10, 20), 10);
		assert_eq!(Amount::Max.in_message(), 0);
	}

	#[test]
	fn withdrawal_that_the_chain_would_refuse_is_told_with_its_tip() {
		let judged = |amount, free| {
			let action = EthereumAction::Withdraw {
				to: EthereumAddress([1; 20]),
				amount,
				fee: 0,
				tip: 10_000,
				nonce: 1,
				deadline: 1,
			};
			check_bounds(&action, free).map_err(|error| error.to_string())
		};
		assert_eq!(judged(0, USDC + 10_000), Ok(()));
		assert_eq!(judged(USDC, USDC + 10_000), Ok(()));
		let all = judged(USDC, USDC).unwrap_err();
		assert!(
			all.contains("1.000000 USDC are free; after the tip of 0.010000"),
			"{all}"
		);
		let least = judged(0, USDC).unwrap_err();
		assert!(least.contains("at least 1.000000 USDC"), "{least}");
	}

	fn bridge() -> BridgeInfo {
		BridgeInfo {
			chain_id: 8_453,
			vault: EthereumAddress([0xfa; 20]),
			interval: 1,
			first: 0,
			attested: None,
			next_deposit: 0,
			stranded: 0,
			next_withdrawal: 0,
			queued: 0,
			outflow_left: 0,
			imported: 0,
			withdrawn: 0,
			issuance: 0,
			attestors: 1,
			threshold: 1,
			genesis: Hash([1; 32]),
		}
	}

	/// A contract wallet's two transactions, as its transaction builder takes them.
	#[test]
	fn contract_wallet_is_told_what_to_call() {
		let (bridge, wallet) = (bridge(), EthereumAddress([0x5a; 20]));
		let contracts = Contracts::known(bridge.chain_id, bridge.vault);
		let withdraw = |to: EthereumAddress, amount| EthereumAction::Withdraw {
			to,
			amount,
			fee: 20_000,
			tip: 0,
			nonce: 0,
			deadline: 0,
		};
		let asked = |message: EthereumAction, bring, free| sent(&bridge, &contracts, &wallet, &message, bring, free);
		let answer = asked(withdraw(wallet, 0), 100_000, 900_000).unwrap();
		let (vault, five, fee) = ("fa".repeat(20), "5a".repeat(20), 20_000);
		let body = format!("0100{five}{:032x}{fee:032x}", 0);
		let padded = format!("{body}{}", "0".repeat(20));
		assert_eq!(
			answer["transactions"],
			json!([
				{
					"to": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
					"value": "0",
					"data": format!("0x095ea7b3{vault:0>64}{:064x}", 100_000),
				},
				{
					"to": format!("0x{vault}"),
					"value": "0",
					"data": format!("0x2bb9c7de{:064x}{:064x}{:064x}{padded}", 100_000, 64, 54),
				},
			])
		);
		assert_eq!(answer["account"], json!(account_of(8_453, &wallet)));
		assert_eq!(answer["action"]["withdraw"]["fee"], "20000");

		let refused = |message, bring, free| format!("{:#}", asked(message, bring, free).unwrap_err());
		// Less than the vault takes; with what comes along not enough; to a contract that gives nothing back.
		assert!(refused(withdraw(wallet, 0), 99_999, USDC).contains("--bring is 0.100000"));
		assert!(refused(withdraw(wallet, 0), 100_000, 899_999).contains("at least 1.000000 USDC"));
		assert!(refused(withdraw(bridge.vault, 0), 100_000, USDC).contains("is the vault"));
		let elsewhere = sent(
			&bridge,
			&Contracts::known(1, bridge.vault),
			&wallet,
			&withdraw(wallet, 0),
			100_000,
			USDC,
		);
		assert!(elsewhere.unwrap_err().to_string().contains("--l2-rpc"));
	}

	#[test]
	fn mistyped_recipient_is_refused_by_the_command_line() {
		let parse = |to: &str| {
			let arguments = [
				"clustercast-bridge",
				"withdraw",
				"--account",
				"//Bob",
				"--to",
				to,
				"--amount",
				"max",
			];
			Cli::try_parse_from(arguments)
				.map(drop)
				.map_err(|error| error.to_string())
		};
		assert_eq!(parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), Ok(()));
		let error = parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed").unwrap_err();
		assert!(error.contains("checksum"), "{error}");
	}

	#[test]
	fn agent_and_key_that_pays_exclude_each_other() {
		let parse = |more: &[&str]| {
			let deposit = [
				"clustercast-bridge",
				"deposit",
				"--l2-rpc",
				"http://a",
				"--key",
				"k",
				"--amount",
				"1",
			];
			Cli::try_parse_from(deposit.iter().chain(more)).is_ok()
		};
		assert!(parse(&[
			"--agent",
			"http://a",
			"--agent",
			"https://b",
			"--max-fee",
			"0.2"
		]));
		assert!(!parse(&["--agent", "http://a", "--payer", "k"]));
		assert!(!parse(&["--agent", "http://a", "--approve"]));
		assert!(!parse(&["--agent", "a"]));
	}

	#[test]
	fn command_line_is_consistent() {
		Cli::command().debug_assert();
	}
}
