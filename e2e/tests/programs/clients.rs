//! Any Substrate client works: metadata decodes and an extrinsic goes in, with subxt and with @polkadot/api from npm.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Wait, Wallet};
use clustercast_e2e::{
	lab::Lab,
	network::{Network, Person, START_MONEY},
	process::{output, tool},
};
use serde_json::json;
use std::{env, path::PathBuf, time::Duration};
use subxt::{dynamic, OnlineClient, SubstrateConfig};
use tokio::process::Command;

/// Micro-USDC.
const AMOUNT: u128 = 1_234_567;

#[test]
fn usual_clients_decode_and_sign() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		subxt(&network).await?;
		let (rust, javascript) = (Person::new(lab, "rust")?, Person::new(lab, "javascript")?);
		network
			.fund(&[(rust.account, START_MONEY), (javascript.account, START_MONEY)])
			.await?;
		our_own(&network, &rust.uri).await?;
		polkadot_js(&network, &javascript.uri).await
	});
}

/// subxt alone, with nothing of ours.
async fn subxt(network: &Network) -> Result<()> {
	let api = OnlineClient::<SubstrateConfig>::from_insecure_url(network.rpc(1)).await?;
	let at = api.at_current_block().await?;
	let pallets: Vec<String> = at.metadata().pallets().map(|pallet| pallet.name().to_owned()).collect();
	for pallet in ["StreamKeys", "RelayerRegistry", "TicketBroker"] {
		ensure!(pallets.iter().any(|name| name == pallet), "no {pallet} in {pallets:?}");
	}
	let minimum = at
		.constants()
		.entry(dynamic::constant::<u128>("Balances", "ExistentialDeposit"))?;
	ensure!(minimum == 1_000, "existential deposit {minimum}");
	Ok(())
}

/// subxt as our programs use it; says what a transfer costs.
async fn our_own(network: &Network, sender: &str) -> Result<()> {
	let chain = network.books().chain();
	let new = Wallet::from_suri(&format!("{sender}//new"))?.account();
	let sender = Wallet::from_suri(sender)?;
	let included = chain
		.submit(&sender, &calls::transfer(&new, AMOUNT), Wait::Finalised)
		.await?;
	ensure!(included.event("Balances", "Transfer").is_some(), "{included:?}");
	let received = chain.viewer_account(&new, Some(included.block)).await?.free;
	ensure!(received == AMOUNT, "received {received}");
	println!("a transfer costs {} micro-USDC", included.fee);
	ensure!(included.fee < 1_000, "a transfer costs {} micro-USDC", included.fee);
	Ok(())
}

async fn polkadot_js(network: &Network, sender: &str) -> Result<()> {
	// As the test runner says, not as it was at build time: a build may be shared by several clones.
	let dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("run me by cargo")?).join("js");
	ensure!(
		dir.join("node_modules").is_dir(),
		"no npm packages: run `scripts/setup test`"
	);
	let recipient = clustercast_chain::account::ss58(&Wallet::from_suri(&format!("{sender}//new"))?.account());
	let mut client = Command::new(tool("node")?);
	client
		.arg(dir.join("client.mjs"))
		.args([&network.rpc(2), sender, &recipient, &AMOUNT.to_string()]);
	let output = output(&mut client, Duration::from_secs(90)).await?;
	let complaints = String::from_utf8_lossy(&output.stderr);
	ensure!(output.status.success(), "{complaints}");
	let seen: serde_json::Value = serde_json::from_slice(&output.stdout).with_context(|| complaints.into_owned())?;
	let expected = json!({ "decimals": 6, "token": "USDC", "ss58Prefix": 42, "existentialDeposit": "1000" });
	for (what, value) in expected.as_object().into_iter().flatten() {
		ensure!(seen[what] == *value, "{what}: {seen}");
	}
	let has = |list: &str, item: &str| {
		seen[list]
			.as_array()
			.is_some_and(|all| all.iter().any(|name| name == item))
	};
	ensure!(
		has("pallets", "TicketBroker") && has("events", "balances.Transfer"),
		"{seen}"
	);
	ensure!(seen["received"] == AMOUNT.to_string(), "{seen}");
	Ok(())
}
