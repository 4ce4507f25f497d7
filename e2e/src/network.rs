//! A chain of validators on loopback.

use crate::{
	books::Books,
	bridge::{CHAIN_ID, L2},
	lab::{free_port, slot, Lab},
	process::{program, Process},
};
use anyhow::{ensure, Context, Result};
use clustercast_chain::{keys, Wallet};
use clustercast_primitives::{
	amount::USDC, bridge::account_of, crypto::KeyPair, AccountId, Balance, BlockNumber, EthereumAddress, PublicKey,
};
use serde_json::{json, Value};
use std::{env, fs, path::PathBuf};
use subxt::rpcs::client::{rpc_params, RpcClient};
use tokio::process::Command;

/// The development accounts that are validators in `chain-specs/local.json`, in its order.
const VALIDATORS: [&str; 4] = ["alice", "bob", "charlie", "dave"];

/// The chain of four that `scripts/chain-specs` writes. Carried along, so that it is found wherever the tree was built.
const LOCAL_CHAIN: &str = include_str!("../../chain-specs/local.json");

/// The same chain without money.
const BRIDGED_CHAIN: &str = include_str!("../../chain-specs/bridged.json");

/// Where a run keeps its chain spec.
const CHAIN_SPEC: &str = "local.json";

/// Rich from genesis on. On a shared network each slot of the test runner has one, which pays for everything that its test needs,
/// so that no two sign with the same nonce.
const FAUCETS: [&str; 8] = [
	"//Eve",
	"//Ferdie",
	"//Alice//stash",
	"//Bob//stash",
	"//Charlie//stash",
	"//Dave//stash",
	"//Eve//stash",
	"//Ferdie//stash",
];

/// Names a network that several tests share, as [`Network::describe`] wrote it.
const SHARED: &str = "CLUSTERCAST_NETWORK";

/// Names the folder in which nodes keep what they compiled; one of the run's own where it is not set.
const COMPILED: &str = "CLUSTERCAST_COMPILED";

/// Four running validators, and the books of the first.
pub struct Network {
	/// URLs of their JSON-RPCs.
	rpcs: Vec<String>,
	/// None when somebody else runs them.
	validators: Vec<Validator>,
	books: Books,
	faucet: Wallet,
}

struct Validator {
	name: &'static str,
	rpc_port: u16,
	p2p_port: u16,
	node_key: KeyPair,
	state: PathBuf,
	/// JSON-RPCs of the L2, comma-separated.
	l2_rpc: Option<String>,
	process: Option<Process>,
}

impl Network {
	/// Starts four validators; returns once they finalise blocks. The first one's JSON-RPC gets `rpc_port` where one
	/// is asked for.
	pub async fn start(lab: &Lab, rpc_port: Option<u16>) -> Result<Self> {
		Self::start_spec(lab, rpc_port, LOCAL_CHAIN, None, None).await
	}

	/// For a test that others on the same chain cannot disturb, and that disturbs none: the network that the test runner
	/// started for all such tests, or one of its own when there is none.
	pub async fn shared(lab: &Lab) -> Result<Self> {
		let Some(file) = env::var_os(SHARED) else {
			return Self::start(lab, None).await;
		};
		let slot = slot().with_context(|| format!("{SHARED} is for tests that nextest runs"))?;
		let faucet = FAUCETS.get(usize::from(slot)).context("--test-threads is above 8")?;
		let described = fs::read(&file).with_context(|| format!("{SHARED}: {}", file.to_string_lossy()))?;
		let rpcs: Vec<String> = serde_json::from_slice(&described).context(SHARED)?;
		let first = rpcs.first().context("a network has validators")?;
		Ok(Self {
			books: Books::open(first).await?,
			faucet: Wallet::from_suri(faucet)?,
			rpcs,
			validators: Vec::new(),
		})
	}

	/// Others use it at the same time.
	pub fn is_shared(&self) -> bool {
		self.validators.is_empty()
	}

	/// What [`Network::shared`] reads.
	pub fn describe(&self) -> String {
		json!(self.rpcs).to_string()
	}

	/// The same with a bridge to this L2, which validators see by these JSON-RPCs, comma-separated, and with a new set of
	/// validators each `session` blocks.
	pub async fn start_beside(lab: &Lab, l2: &L2, l2_rpc: &str, session: BlockNumber) -> Result<Self> {
		Self::start_spec(lab, None, LOCAL_CHAIN, Some((l2, l2_rpc)), Some(session)).await
	}

	/// The same on a chain on which nobody has anything that did not come over the bridge.
	pub async fn start_bridged(lab: &Lab, rpc_port: Option<u16>, l2: &L2) -> Result<Self> {
		Self::start_spec(lab, rpc_port, BRIDGED_CHAIN, Some((l2, &l2.url())), None).await
	}

	async fn start_spec(
		lab: &Lab,
		rpc_port: Option<u16>,
		spec: &str,
		bridge: Option<(&L2, &str)>,
		session: Option<BlockNumber>,
	) -> Result<Self> {
		let mut spec: Value = serde_json::from_str(spec)?;
		let genesis = &mut spec["genesis"]["runtimeGenesis"]["patch"];
		if let Some((l2, _)) = bridge {
			genesis["usdcBridge"] = l2.genesis();
		}
		if let Some(blocks) = session {
			genesis["validators"] = json!({ "sessionLength": blocks });
		}
		fs::write(lab.path(CHAIN_SPEC), spec.to_string()).context("cannot write the chain spec")?;
		let mut validators = VALIDATORS
			.iter()
			.enumerate()
			.map(|(index, name)| {
				let mut seed = [0; 32];
				seed[31] = u8::try_from(index)? + 1;
				Ok(Validator {
					name,
					rpc_port: match rpc_port {
						Some(port) if index == 0 => port,
						_ => free_port()?,
					},
					p2p_port: free_port()?,
					node_key: KeyPair::from_seed(seed),
					state: lab.path(name),
					l2_rpc: bridge.map(|(_, urls)| urls.to_owned()),
					process: None,
				})
			})
			.collect::<Result<Vec<_>>>()?;
		// The others find compiled what the first one compiles.
		start(lab, &mut validators, 0)?;
		let books = open(&mut validators[0]).await?;
		for index in 1..validators.len() {
			start(lab, &mut validators, index)?;
		}
		let network = Self {
			books,
			faucet: Wallet::from_suri(FAUCETS[0])?,
			rpcs: validators.iter().map(Validator::rpc).collect(),
			validators,
		};
		network.books.finalised(1).await?;
		Ok(network)
	}

	/// WebSocket URL of a validator's JSON-RPC.
	pub fn rpc(&self, index: usize) -> String {
		self.rpcs[index].clone()
	}

	/// Programs that are started from now on are given this URL for the first validator's; what they were given before.
	pub fn lead(&mut self, url: String) -> String {
		std::mem::replace(&mut self.rpcs[0], url)
	}

	/// A node of its own that knows the chain up to now and hears of nothing more: its JSON-RPC's port.
	pub async fn standing_still(&self, lab: &Lab, name: &str) -> Result<(Process, u16)> {
		let (spec, port) = (lab.path(&format!("{name}.json")), free_port()?);
		fs::write(&spec, LOCAL_CHAIN)?;
		let command = |more: &[String]| {
			let mut command = node(lab)?;
			command.arg("--chain").arg(&spec).arg("--base-path").arg(lab.path(name));
			command.args(["--unsafe-force-node-key-generation", "--rpc-port", &port.to_string()]);
			command
				.arg("--listen-addr")
				.arg(format!("/ip4/127.0.0.1/tcp/{}", free_port()?));
			command.args(more);
			anyhow::Ok(command)
		};
		let rpc = RpcClient::from_insecure_url(self.rpc(0)).await?;
		let listens: Vec<String> = rpc.request("system_localListenAddresses", rpc_params![]).await?;
		let peers = listens.into_iter().flat_map(|at| ["--bootnodes".to_owned(), at]);
		let mut process = Process::spawn(lab, name, &mut command(&peers.collect::<Vec<_>>())?)?;
		let url = format!("ws://127.0.0.1:{port}");
		let known = self.books.chain().best().await?;
		open_at(&url, &mut process)
			.await?
			.wait_head("the node knows the chain", |head| head.best >= known)
			.await?;
		process.terminate().await?;
		let mut process = Process::spawn(lab, name, &mut command(&["--reserved-only".to_owned()])?)?;
		open_at(&url, &mut process).await?;
		Ok((process, port))
	}

	/// A node of a chain of its own, with another genesis: its JSON-RPC's port.
	pub async fn stranger(&self, lab: &Lab, name: &str) -> Result<(Process, u16)> {
		let (path, port) = (lab.path(&format!("{name}.json")), free_port()?);
		let mut spec: Value = serde_json::from_str(LOCAL_CHAIN)?;
		spec["genesis"]["runtimeGenesis"]["patch"]["validators"] = json!({ "sessionLength": 7 });
		fs::write(&path, spec.to_string())?;
		let mut command = node(lab)?;
		command.arg("--chain").arg(&path).arg("--base-path").arg(lab.path(name));
		command.args([
			"--reserved-only",
			"--unsafe-force-node-key-generation",
			"--rpc-port",
			&port.to_string(),
		]);
		command
			.arg("--listen-addr")
			.arg(format!("/ip4/127.0.0.1/tcp/{}", free_port()?));
		let mut process = Process::spawn(lab, name, &mut command)?;
		let books = open_at(&format!("ws://127.0.0.1:{port}"), &mut process).await?;
		ensure!(
			books.chain().genesis() != self.books.chain().genesis(),
			"it is the same chain"
		);
		Ok((process, port))
	}

	/// The chain, through the first validator.
	pub fn books(&self) -> &Books {
		&self.books
	}

	/// Gives each account this much, and waits until it is final.
	pub async fn fund(&self, accounts: &[(AccountId, Balance)]) -> Result<()> {
		self.books
			.fund(&self.faucet, accounts)
			.await
			.context("cannot fund accounts")
	}

	/// kill -9 of a validator.
	pub async fn kill_9(&mut self, index: usize) -> Result<()> {
		let mut process = self.own()?[index].process.take().context("it runs")?;
		process.kill_9().await
	}

	/// Starts a validator again, on the state it left, and opens its books.
	pub async fn restart(&mut self, lab: &Lab, index: usize) -> Result<Books> {
		let validators = self.own()?;
		start(lab, validators, index)?;
		open(&mut validators[index]).await
	}

	/// Starts all validators again, on the state they left.
	pub async fn restart_all(&mut self, lab: &Lab) -> Result<()> {
		let validators = self.own()?;
		for index in 0..validators.len() {
			start(lab, validators, index)?;
		}
		for validator in validators {
			open(validator).await?;
		}
		Ok(())
	}

	/// Fails when a validator has ended that nobody killed.
	pub fn check_alive(&mut self) -> Result<()> {
		let validators = self.own()?.iter_mut();
		let mut running = validators.filter_map(|validator| validator.process.as_mut());
		running.try_for_each(Process::check_alive)
	}

	/// The validators, to do with as one likes.
	fn own(&mut self) -> Result<&mut [Validator]> {
		ensure!(!self.validators.is_empty(), "others are on the same chain");
		Ok(&mut self.validators)
	}
}

impl Validator {
	fn rpc(&self) -> String {
		format!("ws://127.0.0.1:{}", self.rpc_port)
	}

	fn listen(&self) -> String {
		format!("/ip4/127.0.0.1/tcp/{}", self.p2p_port)
	}
}

/// A node on loopback.
fn node(lab: &Lab) -> Result<Command> {
	let mut command = Command::new(program("clustercast-node")?);
	let compiled = env::var_os(COMPILED).map_or_else(|| lab.path("compiled"), PathBuf::from);
	command.arg("--compiled").arg(compiled);
	command.args(["--no-telemetry", "--no-prometheus", "--no-mdns"]);
	Ok(command)
}

fn start(lab: &Lab, validators: &mut [Validator], index: usize) -> Result<()> {
	let mut command = node(lab)?;
	for other in validators.iter().filter(|other| other.name != validators[index].name) {
		let peer = clustercast_network::peer_id(&other.node_key.public())?;
		command.arg("--bootnodes").arg(format!("{}/p2p/{peer}", other.listen()));
	}
	let validator = &mut validators[index];
	command
		.arg("--chain")
		.arg(lab.path(CHAIN_SPEC))
		.arg("--validator")
		.arg(format!("--{}", validator.name))
		.arg("--base-path")
		.arg(&validator.state)
		.args([
			"--rpc-port",
			&validator.rpc_port.to_string(),
			"--listen-addr",
			&validator.listen(),
		])
		.args(["--node-key", &hex::encode(validator.node_key.seed())])
		// Blocks of the whole run stay readable, however long it is.
		.args(["--state-pruning", "archive"]);
	if let Some(urls) = &validator.l2_rpc {
		command.args(["--l2-rpc", urls]);
	}
	validator.process = Some(Process::spawn(lab, validator.name, &mut command)?);
	Ok(())
}

/// Opens the books of a validator that is starting; ends early, with its reason, when it stops instead.
async fn open(validator: &mut Validator) -> Result<Books> {
	let (url, process) = (validator.rpc(), validator.process.as_mut().context("it was started")?);
	open_at(&url, process).await
}

/// The same of any node.
async fn open_at(url: &str, process: &mut Process) -> Result<Books> {
	loop {
		// Each attempt waits for the port itself.
		match Books::open(url).await {
			Ok(books) => return Ok(books),
			Err(_) => process.check_alive()?,
		}
	}
}

/// Someone with money and keys of their own.
pub struct Person {
	/// Secret URI of the account, or the Ethereum address that it belongs to.
	pub uri: String,
	/// The account.
	pub account: AccountId,
	/// File with the Ed25519 key: a broadcaster's signing key, a relayer's identity.
	pub key_file: PathBuf,
	/// Public half of that key.
	pub key: PublicKey,
}

impl Person {
	/// A new person, the same whenever this is run, and nobody else's.
	pub fn new(lab: &Lab, name: &str) -> Result<Self> {
		let uri = format!("//{}//{name}", lab.name());
		let key_file = lab.path(&format!("{name}.key"));
		Ok(Self {
			account: Wallet::from_suri(&uri)?.account(),
			key: keys::load_or_create(&key_file)?.public(),
			uri,
			key_file,
		})
	}

	/// Somebody whose account belongs to an Ethereum address: programs are given the address alone.
	pub fn ethereum(lab: &Lab, address: &EthereumAddress) -> Result<Self> {
		let key_file = lab.path(&format!("{address}.key"));
		Ok(Self {
			account: account_of(CHAIN_ID, address),
			key: keys::load_or_create(&key_file)?.public(),
			uri: address.to_string(),
			key_file,
		})
	}
}

/// What a person is given to start with: a bond or a full deposit, and fees.
pub const START_MONEY: Balance = 60 * USDC;
