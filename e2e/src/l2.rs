//! An L2 on this machine: anvil, a USDC that anyone may mint, the bridge's contracts for one chain, and people with
//! Ethereum keys.

use crate::{
	lab::{free_port, Lab},
	process::Process,
};
use anyhow::{ensure, Context, Result};
use clustercast_bridge::l2::{address_of, signer};
use clustercast_primitives::{
	bridge::{account_of, beefy::AuthoritySet},
	crypto::{keccak256, EthereumAddress},
	AccountId, Balance, Hash,
};
use codec::Decode;
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

/// What there is on a bridged chain at genesis: the treasury's existential deposit, micro-USDC.
pub const GENESIS: Balance = 1_000;

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
	/// Holds the USDC; where [`L2::open_vault`] will put it.
	pub vault: EthereumAddress,
	client: RpcClient,
	rich: String,
}

impl L2 {
	/// Starts anvil, which finalises two blocks behind its head, with USDC on it.
	pub async fn start(lab: &Lab) -> Result<Self> {
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
			vault: EthereumAddress([0; 20]),
			client,
			rich: accounts.into_iter().next().context("anvil has accounts")?,
		};
		l2.usdc = l2.deploy("MockUsdc", &[]).await?;
		// After the USDC and the light client it is the third thing that this account deploys.
		l2.vault = created(&l2.rich.parse()?, 2);
		Ok(l2)
	}

	/// What the genesis of a chain has to say so that this is its L2.
	pub fn genesis(&self) -> Value {
		json!({ "l2": { "chainId": CHAIN_ID, "vault": self.vault }, "interval": 1 })
	}

	/// Deploys light client and vault for the chain behind a node's JSON-RPC.
	pub async fn open_vault(&self, chain: &str) -> Result<()> {
		let mut sets = Vec::new();
		let node = RpcClient::from_insecure_url(chain).await?;
		for call in [
			"BeefyMmrApi_authority_set_proof",
			"BeefyMmrApi_next_authority_set_proof",
		] {
			let answer: String = node.request("state_call", rpc_params![call, "0x"]).await?;
			let set = AuthoritySet::decode(&mut &hex::decode(answer.trim_start_matches("0x"))?[..])?;
			sets.extend([word(set.id.into()), word(set.len.into()), set.keyset_commitment.0]);
		}
		let light_client = self.deploy("LightClient", &sets).await?;
		let vault = self
			.deploy("Vault", &[address(&self.usdc), address(&light_client)])
			.await?;
		ensure!(vault == self.vault, "the vault is at {vault}, not at {}", self.vault);
		// What the chain begins with has to be there as well.
		self.fund(&vault, GENESIS).await
	}

	/// Gives an address so many micro-USDC, and ether for its transactions.
	pub async fn fund(&self, who: &EthereumAddress, amount: Balance) -> Result<()> {
		let ether = format!("0x{:x}", 10u128.pow(18));
		self.request::<Value>("anvil_setBalance", rpc_params![who.to_string(), ether])
			.await?;
		let mint = call("mint(address,uint256)", &[address(who), word(amount)]);
		self.transact(json!({ "to": self.usdc.to_string(), "data": mint }))
			.await?;
		Ok(())
	}

	/// Micro-USDC that an address holds.
	pub async fn balance(&self, who: &EthereumAddress) -> Result<Balance> {
		let data = call("balanceOf(address)", &[address(who)]);
		let query = json!({ "to": self.usdc.to_string(), "data": data });
		let answer: String = self.request("eth_call", rpc_params![query, "latest"]).await?;
		let digits = answer.trim_start_matches("0x").trim_start_matches('0');
		Ok(Balance::from_str_radix(
			if digits.is_empty() { "0" } else { digits },
			16,
		)?)
	}

	/// Any request.
	pub async fn request<T: serde::de::DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T> {
		self.client
			.request(method, params)
			.await
			.with_context(|| method.to_owned())
	}

	async fn deploy(&self, contract: &str, arguments: &[[u8; 32]]) -> Result<EthereumAddress> {
		let artifact = made(&format!("out/{contract}.sol/{contract}.json"))?;
		let artifact: Value = serde_json::from_slice(&fs::read(artifact)?)?;
		let code = artifact["bytecode"]["object"]
			.as_str()
			.context("an artifact has bytecode")?;
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
			let receipt: Value = self
				.request("eth_getTransactionReceipt", rpc_params![hash.to_string()])
				.await?;
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

/// Address of the `nonce`-th contract that an account creates, from 0: of the RLP of both.
fn created(by: &EthereumAddress, nonce: u8) -> EthereumAddress {
	// Lengths below 56 and numbers from 1 to 127 are one byte each.
	let digest = keccak256(&[&[0xd6, 0x94], &by.0, &[nonce]]);
	let mut address = [0; 20];
	address.copy_from_slice(&digest.0[12..]);
	EthereumAddress(address)
}

/// Someone with an Ethereum key and nothing else.
pub struct Ethereum {
	/// The secret key, 64 hexadecimal digits.
	pub key: String,
	/// Its address.
	pub address: EthereumAddress,
	/// The account on the chain that belongs to it.
	pub account: AccountId,
}

impl Ethereum {
	/// A new person, the same in every run.
	pub fn new(name: &str) -> Result<Self> {
		let key = hex::encode(keccak256(&[name.as_bytes()]).0);
		let address = address_of(&signer(&key)?);
		Ok(Self {
			key,
			address,
			account: account_of(&address),
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn created_addresses_are_ethereums() {
		// The first accounts of anvil: what their third transaction creates is known from Foundry's books.
		let rich = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().unwrap();
		let third = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0".parse().unwrap();
		assert_eq!(created(&rich, 2), third);
	}
}
