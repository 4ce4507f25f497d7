//! Pays from the chain's treasury: each signatory runs it once with the same payee and amount; the last one of those who
//! are needed makes the payment.

use anyhow::{ensure, Context};
use clap::Parser;
use clustercast_chain::{
	account::{self, ss58},
	treasury::{Payment, Signatories},
	Chain, NodeUrl, Wait, Wallet,
};
use clustercast_primitives::{AccountId, Usdc};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
	name = "clustercast-treasury",
	version,
	about = "Pays from the treasury, which several signatories hold together"
)]
struct Cli {
	/// A node's JSON-RPC; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	rpc: Vec<NodeUrl>,
	/// Signatory who signs now: //NAME, a mnemonic, or file:PATH
	#[arg(long, value_name = "SURI")]
	account: String,
	/// All signatories of the treasury, in any order, SS58 or hex
	#[arg(long, value_name = "ACCOUNT", required = true, num_args = 2.., value_parser = account::parse)]
	signatories: Vec<AccountId>,
	/// How many of them make a payment
	#[arg(long, value_name = "N", default_value_t = 2)]
	threshold: u16,
	/// Who is paid, SS58 or hex
	#[arg(long, value_name = "ACCOUNT", value_parser = account::parse)]
	to: AccountId,
	/// How much, USDC
	#[arg(long, value_name = "USDC")]
	amount: Usdc,
	/// Take the payment back; only who signed first can
	#[arg(long)]
	cancel: bool,
}

fn main() -> ExitCode {
	clustercast_cli::end("clustercast-treasury", run(clustercast_cli::parse()))
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<()> {
	let wallet = Wallet::from_suri(&cli.account).context("--account")?;
	let signatories = Signatories::new(cli.signatories, cli.threshold).context("--signatories, --threshold")?;
	ensure!(
		signatories.contains(&wallet.account()),
		"{} is none of the signatories",
		ss58(&wallet.account())
	);
	let chain = Chain::connect(&cli.rpc).await?;
	let treasury = chain.treasury().await?.context("this chain has no treasury")?;
	ensure!(
		signatories.account() == treasury,
		"these signatories hold {}, and the treasury is {}",
		ss58(&signatories.account()),
		ss58(&treasury)
	);
	let (to, amount) = (cli.to, cli.amount.0);
	if cli.cancel {
		let included = chain
			.cancel_payment(&wallet, &signatories, &to, amount, Wait::Finalised)
			.await?;
		println!(r#"{{"cancelled": true, "transaction": "{}"}}"#, included.transaction);
		return Ok(());
	}
	let payment = chain.pay_together(&wallet, &signatories, &to, amount, Wait::Finalised);
	match payment.await? {
		Payment::Waiting { approvals, included } => println!(
			r#"{{"paid": false, "signatures": {approvals}, "needed": {}, "transaction": "{}"}}"#,
			signatories.threshold(),
			included.transaction
		),
		Payment::Paid(included) => println!(r#"{{"paid": true, "transaction": "{}"}}"#, included.transaction),
	}
	Ok(())
}
