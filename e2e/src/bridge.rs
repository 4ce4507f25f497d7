//! The L2, and the agent between it and the chain: anvil with the contracts of `contracts/`, made by `contracts/setup`.

use crate::{
	lab::{free_port, Lab},
	network::Network,
	process::{output, program, tool, Process},
	programs::run_once,
};
use anyhow::{ensure, Context, Result};
use clustercast_primitives::{
	amount::USDC,
	bridge::{account_of, beefy::AuthoritySet},
	crypto::keccak256,
	AccountId, Balance, BlockNumber, EthereumAddress, PublicKey, Signature, Usdc,
};
use serde_json::{json, Value};
use std::{env, fs, path::PathBuf, time::Duration};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
	process::Command,
	time::{sleep, timeout},
};

/// anvil's chain id.
pub const CHAIN_ID: u32 = 31_337;

/// anvil's first account, known to everybody, deploys; so the vault, which it creates third, has this address.
const DEPLOYER: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const VAULT: &str = "0x610178da211fef7d417bc0e6fed39f05609ad788";

/// Wallets of those who keep a bridge running: the first is the viewer's.
const PAYER: u8 = 1;
const PATRON: u8 = 2;

/// What the patron has to give away, micro-USDC.
const PATRONAGE: Balance = 10_000 * USDC;

/// What an account with a deposit or a session cannot spend, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;

/// Longest wait for what needs some blocks of both chains.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(200);

/// An L2 that makes a block each second.
pub struct L2 {
	name: &'static str,
	/// Blocks after which one is final; even.
	finality: u32,
	port: u16,
	state: PathBuf,
	process: Option<Process>,
	usdc: Option<String>,
	light_client: Option<String>,
}

impl L2 {
	/// Starts it, without contracts. Blocks are final when `finality` (an even number) others are behind them.
	pub async fn start(lab: &Lab, name: &'static str, finality: u32) -> Result<Self> {
		let mut l2 = Self {
			name,
			finality,
			port: free_port()?,
			state: lab.path(&format!("{name}.json")),
			process: None,
			usdc: None,
			light_client: None,
		};
		l2.resume(lab).await?;
		Ok(l2)
	}

	/// Starts it again on the state that it left.
	pub async fn resume(&mut self, lab: &Lab) -> Result<()> {
		let anvil = contracts()?.join("node_modules/.bin/anvil");
		ensure!(anvil.exists(), "no anvil: run contracts/setup");
		let mut command = Command::new(anvil);
		command
			.args([
				"--port",
				&self.port.to_string(),
				"--block-time",
				"1",
				"--slots-in-an-epoch",
				&(self.finality / 2).to_string(),
			])
			.args(["--state-interval", "1", "--state"])
			.arg(&self.state);
		self.process = Some(Process::spawn(lab, self.name, &mut command)?);
		let listens = async {
			while self.request("eth_chainId", json!([])).await.is_err() {
				sleep(LOOK).await;
			}
		};
		timeout(PATIENCE, listens).await.context("anvil does not listen")
	}

	/// Ends it in order, so that its state is on disk.
	pub async fn stop(&mut self) -> Result<()> {
		let mut process = self.process.take().context("it runs")?;
		process.interrupt().await.map(drop)
	}

	/// Its JSON-RPC.
	pub fn url(&self) -> String {
		format!("http://127.0.0.1:{}", self.port)
	}

	/// The bridge's part of a chain's genesis.
	pub fn genesis(&self) -> Value {
		json!({ "l2": { "chainId": CHAIN_ID, "vault": VAULT }, "interval": 1, "first": 0 })
	}

	/// Deploys USDC, light client and vault for the chain's validators.
	pub async fn deploy(&mut self, network: &Network) -> Result<()> {
		// A node that has just started may not have its first leaf yet.
		let first = async {
			loop {
				match network.books().chain().mmr_leaf(1, 1).await {
					Err(error) if error.to_string().contains("LeafNotFound") => sleep(LOOK).await,
					found => return found,
				}
			}
		};
		let leaf = timeout(PATIENCE, first)
			.await
			.context("the first block has no leaf")??
			.leaf;
		let AuthoritySet {
			id,
			len,
			keyset_commitment,
		} = leaf.next_authority_set;
		// At genesis the next validators are the present ones.
		let set = |id: u64| format!("{id},{len},{keyset_commitment}");
		let mut deploy = Command::new(tool("node")?);
		deploy
			.arg(contracts()?.join("js/deploy.mjs"))
			.args(["--rpc", &self.url(), "--key", DEPLOYER, "--own-usdc"])
			.args(["--current", &set(id - 1), "--next", &set(id)]);
		let deployed = run_once(&mut deploy).await.context("deploy")?;
		let vault = deployed["vault"].as_str().context("a vault")?;
		ensure!(vault.eq_ignore_ascii_case(VAULT), "the vault is at {vault}");
		self.usdc = deployed["usdc"].as_str().map(str::to_owned);
		self.light_client = deployed["lightClient"].as_str().map(str::to_owned);
		Ok(())
	}

	/// What a page has to know of it, to ask wallets; agents in the order in which they are turned to.
	pub fn deployment(&self, network: &Network, agents: &[&str]) -> Result<Value> {
		Ok(json!({
			"name": "the L2 on this machine",
			"chainId": CHAIN_ID,
			"rpcUrls": [self.url()],
			"vault": VAULT,
			"usdc": self.usdc.as_ref().context("it is deployed")?,
			"token": { "name": "USD Coin", "version": "2" },
			"genesis": network.books().chain().genesis(),
			"agents": agents,
		}))
	}

	/// Gives an address ETH for gas, and so much USDC.
	pub async fn fund(&self, address: &EthereumAddress, amount: Balance) -> Result<()> {
		self.request("anvil_setBalance", json!([address, "0xde0b6b3a7640000"]))
			.await?;
		match amount {
			0 => Ok(()),
			amount => self.mint(address, amount).await,
		}
	}

	/// Gives an address so much USDC, and no ETH.
	pub async fn mint(&self, address: &EthereumAddress, amount: Balance) -> Result<()> {
		// mint(address,uint256)
		self.ask_token(&format!("0x40c10f19{:0>64}{amount:064x}", &address.to_string()[2..]))
			.await?;
		self.wait("USDC is minted", async || Ok(self.usdc(address).await? >= amount))
			.await
	}

	/// Puts an address on USDC's blacklist, or takes it off.
	pub async fn blacklist(&self, address: &EthereumAddress, yes: bool) -> Result<()> {
		let function: &[u8] = if yes {
			b"blacklist(address)"
		} else {
			b"unBlacklist(address)"
		};
		self.govern(function, &format!("{:0>64}", &address.to_string()[2..]))
			.await
	}

	/// Pauses USDC for everybody, or lets it go on.
	pub async fn pause(&self, yes: bool) -> Result<()> {
		self.govern(if yes { b"pause()" } else { b"unpause()" }, "").await
	}

	/// Has who has the token's roles call a function of it, and waits until it is done.
	async fn govern(&self, function: &[u8], arguments: &str) -> Result<()> {
		let selector = hex::encode(&keccak256(&[function]).0[..4]);
		let sent = self.ask_token(&format!("0x{selector}{arguments}")).await?;
		let receipt = async || self.request("eth_getTransactionReceipt", json!([sent])).await;
		self.wait("the token is told", async || Ok(!receipt().await?.is_null()))
			.await
	}

	/// Sends the token something, by the account that deployed it and has its roles; anvil signs for it.
	async fn ask_token(&self, data: &str) -> Result<Value> {
		let from = &self.request("eth_accounts", json!([])).await?[0];
		let call = json!([{ "from": from, "to": self.usdc, "data": data }]);
		self.request("eth_sendTransaction", call).await
	}

	/// ETH and transactions of an address: none of either where it never needed any.
	pub async fn ether_and_transactions(&self, address: &EthereumAddress) -> Result<(String, String)> {
		let text = |value: Value| value.as_str().map(str::to_owned).context("a number");
		let ether = self.request("eth_getBalance", json!([address, "latest"])).await?;
		let count = self
			.request("eth_getTransactionCount", json!([address, "latest"]))
			.await?;
		Ok((text(ether)?, text(count)?))
	}

	/// Nothing of this address is on its way any more: what it sent is final. Whoever sent it may be gone.
	pub async fn settled(&self, address: &EthereumAddress) -> Result<()> {
		let count = async |at: &str| self.request("eth_getTransactionCount", json!([address, at])).await;
		let all_final = async || Ok(count("pending").await? == count("finalized").await?);
		self.wait("what was sent is final", all_final).await
	}

	/// USDC of an address, micro-USDC.
	pub async fn usdc(&self, address: &EthereumAddress) -> Result<Balance> {
		// balanceOf(address)
		let data = format!("0x70a08231{:0>64}", &address.to_string()[2..]);
		self.view(&self.usdc, &data).await
	}

	/// Deposits USDC of an address that needs not sign, for something of this kind.
	pub async fn deposit_of_kind(
		&self,
		from: &EthereumAddress,
		(kind, body): (u8, &[u8]),
		amount: Balance,
		refund_to: &EthereumAddress,
	) -> Result<()> {
		let padded = |address: &str| format!("{:0>64}", &address[2..]);
		let selector = |signature: &str| hex::encode(&keccak256(&[signature.as_bytes()]).0[..4]);
		let approve = selector("approve(address,uint256)") + &padded(VAULT) + &format!("{amount:064x}");
		let order = [
			format!("{:064x}{kind:064x}{amount:064x}", 32),
			padded(&refund_to.to_string()),
			format!("{:064x}{:064x}{}", 4 * 32, body.len(), hex::encode(body)),
			"00".repeat(body.len().next_multiple_of(32) - body.len()),
		];
		let deposit = selector("deposit((uint8,uint128,address,bytes))") + &order.concat();
		let before = self.in_vault().await?;
		self.request("anvil_impersonateAccount", json!([from])).await?;
		for (to, data) in [(self.usdc.as_deref(), approve), (Some(VAULT), deposit)] {
			let call = json!([{ "from": from, "to": to, "data": format!("0x{data}") }]);
			self.request("eth_sendTransaction", call).await?;
		}
		self.wait("a deposit is recorded", async || {
			Ok(self.in_vault().await? == before + amount)
		})
		.await
	}

	/// Newest block of the chain that the light client knew in a block of the L2.
	pub async fn known_in(&self, block: u64) -> Result<u128> {
		// newestBlock()
		let data = format!("0x{}", hex::encode(&keccak256(&[b"newestBlock()"]).0[..4]));
		self.view_at(&self.light_client, &data, &format!("{block:#x}")).await
	}

	/// The validator set that the light client follows.
	pub async fn set(&self) -> Result<u64> {
		// currentSet()
		Ok(self.view(&self.light_client, "0x30b86627").await?.try_into()?)
	}

	/// The first number that a function of a contract returns.
	async fn view(&self, contract: &Option<String>, data: &str) -> Result<u128> {
		self.view_at(contract, data, "latest").await
	}

	async fn view_at(&self, contract: &Option<String>, data: &str, block: &str) -> Result<u128> {
		let call = json!([{ "to": contract, "data": data }, block]);
		let answer = self.request("eth_call", call).await?;
		let word = answer.as_str().and_then(|bytes| bytes.get(2..66)).context("a word")?;
		u128::from_str_radix(word, 16).context("a number")
	}

	/// Number of the newest block that is final.
	pub async fn finalised(&self) -> Result<u64> {
		let block = self
			.request("eth_getBlockByNumber", json!(["finalized", false]))
			.await?;
		let number = block["number"].as_str().context("a block")?;
		u64::from_str_radix(number.trim_start_matches("0x"), 16).context("a number")
	}

	/// USDC in the vault, micro-USDC.
	pub async fn in_vault(&self) -> Result<Balance> {
		self.usdc(&VAULT.parse()?).await
	}

	/// Waits until something is so.
	pub async fn wait(&self, what: &str, so: impl AsyncFn() -> Result<bool>) -> Result<()> {
		let waiting = async {
			while !so().await? {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, waiting)
			.await
			.with_context(|| format!("not in time: {what}"))?
	}

	/// One JSON-RPC request.
	pub async fn request(&self, method: &str, params: Value) -> Result<Value> {
		let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
		let head = format!(
			"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
			body.len()
		);
		let exchange = async {
			let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await?;
			connection.write_all(format!("{head}{body}").as_bytes()).await?;
			let mut answer = String::new();
			connection.read_to_string(&mut answer).await?;
			anyhow::Ok(answer)
		};
		let answer = timeout(PATIENCE, exchange).await.context("anvil does not answer")??;
		let (_, json) = answer.split_once("\r\n\r\n").context("no answer")?;
		let answer: Value = serde_json::from_str(json).with_context(|| format!("{method}: {answer}"))?;
		ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
		Ok(answer["result"].clone())
	}
}

fn contracts() -> Result<PathBuf> {
	// As scripts/demo or the test runner says, not as it was at build time: a build may be shared by several clones.
	if let Some(given) = env::var_os("CLUSTERCAST_CONTRACTS") {
		return Ok(given.into());
	}
	let here = env::var_os("CARGO_MANIFEST_DIR").context("CLUSTERCAST_CONTRACTS is not set: run me by cargo")?;
	Ok(PathBuf::from(here).join("../contracts"))
}

/// Somebody with an Ethereum key and nothing else.
pub struct Wallet {
	/// Key file.
	pub key: PathBuf,
	/// Address.
	pub address: EthereumAddress,
}

impl Wallet {
	/// The same one in every run; there are four.
	pub fn new(lab: &Lab, number: u8) -> Result<Self> {
		/// Of the keys that consist of the byte 1, 2, 3 or 4 only.
		const ADDRESSES: [&str; 4] = [
			"0x1a642f0e3c3af545e7acbd38b07251b3990914f1",
			"0x5050a4f4b3f9338c3472dcc01a87c76a144b3c9c",
			"0x3325a78425f17a7e487eb5666b2bfd93abb06c70",
			"0xc48b812bb43401392c037381aca934f4069c0517",
		];
		let address = ADDRESSES.get(usize::from(number)).context("there are four")?;
		let key = lab.path(&format!("ethereum-{number}.key"));
		clustercast_chain::files::create_atomic(&key, hex::encode([number + 1; 32]).as_bytes())?;
		Ok(Self {
			key,
			address: address.parse()?,
		})
	}

	/// Its account on the chain.
	pub fn account(&self) -> AccountId {
		account_of(CHAIN_ID, &self.address)
	}

	/// As the programs take it.
	pub fn secret(&self) -> String {
		format!("file:{}", self.key.display())
	}
}

/// A session key inside a deposit.
#[derive(Clone, Copy, Debug)]
pub struct Session {
	/// Signs tickets.
	pub key: PublicKey,
	/// Signed by the key, for the account.
	pub proof: Signature,
	/// Micro-USDC.
	pub limit: Balance,
	/// Block.
	pub expiry: BlockNumber,
}

/// A command of `clustercast-bridge` that ends by itself.
pub fn command(subcommand: &str, network: &Network) -> Result<Command> {
	let mut command = Command::new(program("clustercast-bridge")?);
	command.arg(subcommand).args(["--rpc", &network.rpc(0)]);
	Ok(command)
}

/// Deposits USDC of `who` to an account; what the command prints.
pub async fn deposit(
	network: &Network,
	l2: &L2,
	who: &Wallet,
	account: &AccountId,
	(amount, escrow): (Balance, Balance),
	session: Option<Session>,
) -> Result<Value> {
	let mut deposit = command("deposit", network)?;
	deposit
		.args(["--l2-rpc", &l2.url(), "--key", &who.secret()])
		.args(["--account", &account.to_string(), "--amount", &Usdc(amount).to_string()])
		.args(["--escrow", &Usdc(escrow).to_string()]);
	if let Some(session) = session {
		deposit
			.args(["--session-key", &session.key.to_string()])
			.args(["--session-proof", &session.proof.to_string()])
			.args(["--session-limit", &Usdc(session.limit).to_string()])
			.args(["--session-expiry", &session.expiry.to_string()]);
	}
	run_once(&mut deposit).await.context("deposit")
}

/// A bridge from which all the money of a chain comes: an L2 with the contracts, the agent, and somebody who has USDC.
pub struct Bridge {
	/// The L2.
	pub l2: L2,
	/// The agent.
	pub agent: Agent,
	patron: Wallet,
}

impl Bridge {
	/// Deploys the contracts for a chain without money and starts the agent, which serves people.
	pub async fn open(lab: &Lab, mut l2: L2, network: &Network) -> Result<Self> {
		l2.deploy(network).await?;
		let (payer, patron) = (Wallet::new(lab, PAYER)?, Wallet::new(lab, PATRON)?);
		l2.fund(&payer.address, 0).await?;
		l2.fund(&patron.address, PATRONAGE).await?;
		// What the chain begins with has to be in the vault as well.
		let issued = network.books().chain().bridge(None).await?.issuance;
		l2.fund(&VAULT.parse()?, issued).await?;
		let agent = Agent::serve(lab, "agent", network, &l2, &payer, &[]).await?;
		Ok(Self { l2, agent, patron })
	}

	/// Gives each account this much, by deposits of the patron, and waits until it is final.
	pub async fn fund(&self, network: &Network, accounts: &[(AccountId, Balance)]) -> Result<()> {
		for (account, amount) in accounts {
			deposit(network, &self.l2, &self.patron, account, (*amount, 0), None).await?;
		}
		for (account, amount) in accounts {
			self.arrived(network, account, *amount).await?;
		}
		network.books().settle().await?;
		Ok(())
	}

	/// Waits until an account has at least so much, deposit for tickets and what keeps it alive included.
	pub async fn arrived(&self, network: &Network, account: &AccountId, amount: Balance) -> Result<()> {
		let there = async || {
			let chain = network.books().chain();
			let found = chain.viewer_account(account, None).await?;
			let held = chain.constants().session_deposit * found.sessions.len() as Balance;
			Ok(found.free + found.deposit + held + EXISTENTIAL_DEPOSIT >= amount)
		};
		self.l2.wait("a deposit is imported", there).await
	}

	/// Takes USDC of a wallet's account back to an address, `fee` of it for whoever executes that, and waits for it.
	pub async fn take_back(
		&self,
		network: &Network,
		uri: &str,
		to: &EthereumAddress,
		(amount, fee): (Balance, Balance),
	) -> Result<()> {
		let before = self.l2.usdc(to).await?;
		let mut withdraw = command("withdraw", network)?;
		withdraw.args(["--account", uri, "--to", &to.to_string()]).args([
			"--amount",
			&Usdc(amount).to_string(),
			"--fee",
			&Usdc(fee).to_string(),
		]);
		run_once(&mut withdraw).await.context("withdraw")?;
		let paid = async || Ok(self.l2.usdc(to).await? > before);
		self.l2.wait("a withdrawal is paid", paid).await?;
		let paid = self.l2.usdc(to).await? - before;
		ensure!(paid == amount - fee, "{paid} micro-USDC arrived");
		Ok(())
	}

	/// What the vault holds, once it is what the chain has issued. Only where nothing was burnt as a penalty.
	pub async fn agrees(&self, network: &Network) -> Result<Balance> {
		let books = network.books();
		let same = async || {
			let issuance = books.snapshot(books.settle().await?).await?.issuance;
			Ok(self.l2.in_vault().await? == issuance)
		};
		self.l2.wait("the vault holds what the chain has issued", same).await?;
		self.l2.in_vault().await
	}
}

/// A running agent.
pub struct Agent {
	process: Process,
	/// Where it takes what people signed, if it does.
	pub url: String,
}

impl Agent {
	/// Starts it; it executes every withdrawal. Returns once both chains answer it.
	pub async fn start(lab: &Lab, network: &Network, l2: &L2, payer: &Wallet) -> Result<Self> {
		Self::start_as(lab, "agent", network, l2, payer, &["--all"]).await
	}

	/// The same with these arguments; it logs under this name.
	pub async fn start_as(
		lab: &Lab,
		name: &str,
		network: &Network,
		l2: &L2,
		payer: &Wallet,
		more: &[&str],
	) -> Result<Self> {
		let mut run = command("agent", network)?;
		run.args(["--l2-rpc", &l2.url(), "--key", &payer.secret()]).args(more);
		let mut process = Process::spawn(lab, name, &mut run)?;
		let line = process.json_line().await?;
		let url = line["serving"].as_str().unwrap_or_default().to_owned();
		Ok(Self { process, url })
	}

	/// One that serves people and executes every withdrawal; its desk is in a folder of this name. Gas on an L2 of tests is dear:
	/// an ether is cheap in return.
	pub async fn serve(
		lab: &Lab,
		name: &str,
		network: &Network,
		l2: &L2,
		payer: &Wallet,
		more: &[&str],
	) -> Result<Self> {
		let desk = lab.path(&format!("{name}-desk")).display().to_string();
		let mut arguments = vec!["--all", "--serve", "127.0.0.1:0", "--ether-price", "50"];
		arguments.extend(["--state", &desk].into_iter().chain(more.iter().copied()));
		Self::start_as(lab, name, network, l2, payer, &arguments).await
	}

	/// kill -9.
	pub async fn kill_9(mut self) -> Result<()> {
		self.process.kill_9().await
	}

	/// Fails when it ended.
	pub fn check_alive(&mut self) -> Result<()> {
		self.process.check_alive()
	}
}

/// Runs `e2e/js/bridge.ts`; what it prints.
pub async fn typescript(network: &Network, l2: &L2, wallet: &Wallet, arguments: &[&str]) -> Result<Value> {
	let js = contracts()?.join("../e2e/js");
	ensure!(
		js.join("node_modules/.bin/tsx").exists(),
		"no npm packages: run `scripts/setup test`"
	);
	let mut command = Command::new(js.join("node_modules/.bin/tsx"));
	command
		.arg(js.join("bridge.ts"))
		.args(arguments)
		.env("L2_RPC", l2.url())
		.env("CHAIN_RPC", network.rpc(0).replace("ws://", "http://"))
		.env("VAULT", VAULT)
		.env("KEY", format!("0x{}", fs::read_to_string(&wallet.key)?.trim()));
	let output = output(&mut command, PATIENCE).await?;
	let complaints = String::from_utf8_lossy(&output.stderr);
	ensure!(output.status.success(), "{complaints}");
	serde_json::from_slice(&output.stdout).with_context(|| complaints.into_owned())
}
