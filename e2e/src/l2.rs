//! An L2 on this machine: anvil, a USDC that anyone may mint, and the bridge's contracts for one chain.

use crate::{
	lab::{free_port, Lab},
	process::Process,
};
use anyhow::{ensure, Context, Result};
use clustercast_primitives::{
	bridge::beefy::keyset_commitment,
	crypto::{keccak256, EthereumAddress},
	Balance, Hash,
};
use serde_json::{json, Value};
use std::{
	env, fs,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};
use subxt::rpcs::client::{rpc_params, RpcClient, RpcParams};
use tokio::{process::Command, time::sleep};

/// Chain id of anvil.
pub const CHAIN_ID: u64 = 31_337;

/// Seconds between its blocks, as on Base.
const BLOCK_TIME: &str = "2";

/// Longest that it may take to answer for the first time.
const START: Duration = Duration::from_secs(30);

/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A running L2 with the contracts. Whoever deploys and mints is an account that anvil signs for.
pub struct L2 {
	/// Its process.
	pub process: Process,
	/// HTTP URL of its JSON-RPC.
	pub rpc: String,
	/// USDC.
	pub usdc: EthereumAddress,
	/// Follows the chain.
	pub light_client: EthereumAddress,
	/// Holds the USDC.
	pub vault: EthereumAddress,
	client: RpcClient,
	rich: String,
}

impl L2 {
	/// Starts anvil, which finalises two blocks behind its head, and deploys the contracts for a chain whose validators
	/// sign BEEFY commitments with these addresses.
	pub async fn start(lab: &Lab, validators: &[EthereumAddress]) -> Result<Self> {
		let port = free_port()?;
		let mut anvil = Command::new(made("node_modules/.bin/anvil")?);
		anvil
			.args(["--port", &port.to_string(), "--chain-id", &CHAIN_ID.to_string()])
			.args(["--block-time", BLOCK_TIME, "--slots-in-an-epoch", "1", "--mixed-mining"]);
		let mut process = Process::spawn(lab, "anvil", &mut anvil)?;
		let started = Instant::now();
		let client = loop {
			match RpcClient::from_insecure_url(format!("ws://127.0.0.1:{port}")).await {
				Ok(client) => break client,
				Err(_) => process.check_alive()?,
			}
			ensure!(started.elapsed() < START, "anvil does not answer");
			sleep(LOOK).await;
		};
		let accounts: Vec<String> = client.request("eth_accounts", rpc_params![]).await?;
		let mut l2 = Self {
			process,
			rpc: format!("http://127.0.0.1:{port}"),
			usdc: EthereumAddress([0; 20]),
			light_client: EthereumAddress([0; 20]),
			vault: EthereumAddress([0; 20]),
			client,
			rich: accounts.into_iter().next().context("anvil has accounts")?,
		};
		l2.usdc = l2.deploy("MockUsdc", &[]).await?;
		let set = |id: u64| {
			let length = validators.len() as u128;
			[word(id.into()), word(length), keyset_commitment(validators).0]
		};
		l2.light_client = l2.deploy("LightClient", &[set(0), set(1)].concat()).await?;
		l2.vault = l2.deploy("Vault", &[address(&l2.usdc), address(&l2.light_client)]).await?;
		Ok(l2)
	}

	/// The chain's genesis says that this is its L2.
	pub fn genesis(&self) -> Value {
		json!({ "chainId": CHAIN_ID, "vault": self.vault.to_string() })
	}

	/// Gives an address so many micro-USDC, and ether for its transactions.
	pub async fn fund(&self, who: &EthereumAddress, amount: Balance) -> Result<()> {
		let ether = format!("0x{:x}", 10u128.pow(18));
		self.request::<Value>("anvil_setBalance", rpc_params![who.to_string(), ether])
			.await?;
		let mint = call("mint(address,uint256)", &[address(who), word(amount)]);
		self.transact(json!({ "to": self.usdc.to_string(), "data": mint })).await?;
		Ok(())
	}

	/// Micro-USDC that an address holds.
	pub async fn balance(&self, who: &EthereumAddress) -> Result<Balance> {
		let data = call("balanceOf(address)", &[address(who)]);
		let query = json!({ "to": self.usdc.to_string(), "data": data });
		let answer: String = self.request("eth_call", rpc_params![query, "latest"]).await?;
		let digits = answer.trim_start_matches("0x").trim_start_matches('0');
		Ok(Balance::from_str_radix(if digits.is_empty() { "0" } else { digits }, 16)?)
	}

	/// Any request.
	pub async fn request<T: serde::de::DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T> {
		self.client.request(method, params).await.with_context(|| method.to_owned())
	}

	async fn deploy(&self, contract: &str, arguments: &[[u8; 32]]) -> Result<EthereumAddress> {
		let artifact = made(&format!("out/{contract}.sol/{contract}.json"))?;
		let artifact: Value = serde_json::from_slice(&fs::read(artifact)?)?;
		let code = artifact["bytecode"]["object"].as_str().context("an artifact has bytecode")?;
		let receipt = self
			.transact(json!({ "data": format!("{code}{}", hex::encode(arguments.concat())) }))
			.await?;
		let address = receipt["contractAddress"].as_str().context("it was deployed")?;
		Ok(address.parse()?)
	}

	/// Sends a transaction of the rich account; its receipt.
	async fn transact(&self, mut transaction: Value) -> Result<Value> {
		transaction["from"] = self.rich.clone().into();
		let hash: Hash = self.request("eth_sendTransaction", rpc_params![transaction]).await?;
		loop {
			let receipt: Value = self.request("eth_getTransactionReceipt", rpc_params![hash.to_string()]).await?;
			if !receipt.is_null() {
				ensure!(receipt["status"] == "0x1", "a transaction failed: {receipt}");
				return Ok(receipt);
			}
			sleep(LOOK).await;
		}
	}
}

/// The folder `contracts/` of this tree, with what `scripts/setup` put into it.
fn contracts() -> Result<PathBuf> {
	if let Some(given) = env::var_os("CLUSTERCAST_CONTRACTS") {
		return Ok(given.into());
	}
	let here = env::var_os("CARGO_MANIFEST_DIR").context("CLUSTERCAST_CONTRACTS is not set: run me by cargo")?;
	Ok(Path::new(&here).join("../contracts"))
}

/// A file in it.
fn made(name: &str) -> Result<PathBuf> {
	let path = contracts()?.join(name);
	ensure!(path.exists(), "{} is missing: run scripts/setup", path.display());
	Ok(path)
}

/// Calldata: selector and words.
fn call(signature: &str, arguments: &[[u8; 32]]) -> String {
	let selector = &keccak256(&[signature.as_bytes()]).0[..4];
	format!("0x{}{}", hex::encode(selector), hex::encode(arguments.concat()))
}

fn word(number: u128) -> [u8; 32] {
	let mut word = [0; 32];
	word[16..].copy_from_slice(&number.to_be_bytes());
	word
}

fn address(address: &EthereumAddress) -> [u8; 32] {
	let mut word = [0; 32];
	word[12..].copy_from_slice(&address.0);
	word
}
