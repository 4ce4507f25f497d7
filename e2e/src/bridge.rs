//! The bridge between a chain and its L2: the agent, people's deposits and withdrawals, and whether both sides hold the
//! same money.

use crate::{
	books::Books,
	l2::{Ethereum, L2},
	lab::Lab,
	process::{program, Process},
	programs::run_once,
};
use anyhow::{ensure, Result};
use clustercast_primitives::{amount::USDC, crypto::EthereumAddress, AccountId, Balance, BlockNumber, PublicKey, Usdc};
use futures::future::try_join_all;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::{process::Command, time::sleep};

/// Longest from a deposit to its money on the chain: finality on both sides, an attestation, an import.
const DEPOSIT: Duration = Duration::from_secs(120);

/// Longest from a withdrawal to its money on the L2: finality, a commitment, two transactions.
const WITHDRAWAL: Duration = Duration::from_secs(180);

/// What a withdrawal here pays to whoever executes it, micro-USDC.
pub const WITHDRAWAL_FEE: Balance = USDC / 50;

/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The agent's Ethereum key.
const AGENT: &str = "agent";

/// An L2, the agent that carries proofs, and the chain's JSON-RPC.
pub struct Bridge {
	/// The L2.
	pub l2: L2,
	/// The agent; `None` while it does not run.
	pub agent: Option<Process>,
	chain: String,
}

/// A session key inside a deposit.
#[derive(Clone, Copy, Debug)]
pub struct Session {
	/// Signs tickets.
	pub key: PublicKey,
	/// Micro-USDC.
	pub limit: Balance,
	/// Block.
	pub expiry: BlockNumber,
}

impl Bridge {
	/// Deploys the vault for a running chain and starts the agent.
	pub async fn open(lab: &Lab, l2: L2, chain: &str) -> Result<Self> {
		l2.open_vault(chain).await?;
		let mut bridge = Self {
			l2,
			agent: None,
			chain: chain.to_owned(),
		};
		bridge.l2.fund(&Ethereum::new(AGENT)?.address, 0).await?;
		bridge.start_agent(lab)?;
		Ok(bridge)
	}

	/// Starts the agent, again after it was killed.
	pub fn start_agent(&mut self, lab: &Lab) -> Result<()> {
		let mut run = self.command("run")?;
		run.args(["--rpc", &self.chain, "--l2-rpc", &self.l2.rpc, "--all"])
			.args(["--key", &Ethereum::new(AGENT)?.key]);
		self.agent = Some(Process::spawn(lab, "bridge", &mut run)?);
		Ok(())
	}

	/// Gives each account this much, by deposits of strangers, and waits until it is final.
	pub async fn fund(&self, books: &Books, accounts: &[(AccountId, Balance)]) -> Result<()> {
		try_join_all(accounts.iter().map(|(account, amount)| async move {
			let payer = Ethereum::new(&format!("patron of {account}"))?;
			self.deposit(&payer, *account, *amount, 0, None).await?;
			anyhow::Ok(())
		}))
		.await?;
		for (account, amount) in accounts {
			self.arrived(books, account, *amount).await?;
		}
		books.settle().await?;
		Ok(())
	}

	/// Waits until an account has at least so much, deposit for tickets included.
	pub async fn arrived(&self, books: &Books, account: &AccountId, amount: Balance) -> Result<()> {
		let started = Instant::now();
		loop {
			let found = books.chain().viewer_account(account, None).await?;
			if found.free + found.deposit >= amount {
				return Ok(());
			}
			ensure!(
				started.elapsed() < DEPOSIT,
				"no deposit of {} USDC arrived at {account} in {DEPOSIT:?}: {found:?}",
				Usdc(amount)
			);
			sleep(LOOK).await;
		}
	}

	/// Mints USDC for somebody and deposits it to an account; what the command line prints.
	pub async fn deposit(
		&self,
		who: &Ethereum,
		account: AccountId,
		amount: Balance,
		escrow: Balance,
		session: Option<Session>,
	) -> Result<Value> {
		self.l2.fund(&who.address, amount).await?;
		let mut deposit = self.command("deposit")?;
		deposit
			.args(["--rpc", &self.chain, "--l2-rpc", &self.l2.rpc, "--key", &who.key])
			.args(["--account", &account.to_string(), "--amount", &Usdc(amount).to_string()])
			.args(["--escrow", &Usdc(escrow).to_string()]);
		if let Some(session) = session {
			deposit
				.args(["--session-key", &session.key.to_string()])
				.args(["--session-limit", &Usdc(session.limit).to_string()])
				.args(["--session-expiry", &session.expiry.to_string()]);
		}
		run_once(&mut deposit).await
	}

	/// Takes USDC of a wallet's account back to an address, [`WITHDRAWAL_FEE`] included.
	pub async fn withdraw(&self, uri: &str, to: &EthereumAddress, amount: Balance) -> Result<Value> {
		let mut withdraw = self.command("withdraw")?;
		withdraw
			.args(["--rpc", &self.chain, "--account", uri, "--to", &to.to_string()])
			.args([
				"--amount",
				&Usdc(amount).to_string(),
				"--fee",
				&Usdc(WITHDRAWAL_FEE).to_string(),
			]);
		run_once(&mut withdraw).await
	}

	/// A message of an Ethereum key that a wallet's account submits: `what` and its arguments.
	pub async fn act(&self, who: &Ethereum, submitter: &str, what: &[&str]) -> Result<Value> {
		let mut act = self.command("act")?;
		act.args(["--rpc", &self.chain, "--account", submitter])
			.args(what)
			.args(["--key", &who.key]);
		run_once(&mut act).await
	}

	/// Waits until an address holds at least so much; what it holds.
	pub async fn paid(&self, who: &EthereumAddress, amount: Balance) -> Result<Balance> {
		let started = Instant::now();
		loop {
			let balance = self.l2.balance(who).await?;
			if balance >= amount {
				return Ok(balance);
			}
			ensure!(
				started.elapsed() < WITHDRAWAL,
				"{who} has {balance} micro-USDC after {WITHDRAWAL:?}"
			);
			sleep(LOOK).await;
		}
	}

	/// Waits until everything that was deposited is on the chain and everything withdrawn is paid, then checks that the
	/// vault holds what the chain says there is, and what was burnt as penalties. Returns it.
	pub async fn agrees(&self, books: &Books, burnt: Balance) -> Result<Balance> {
		let started = Instant::now();
		loop {
			let issuance = books.snapshot(books.settle().await?).await?.issuance;
			let held = self.l2.balance(&self.l2.vault).await?;
			if held == issuance + burnt {
				return Ok(held);
			}
			ensure!(
				started.elapsed() < WITHDRAWAL,
				"the vault holds {held} micro-USDC, the chain has {issuance}, and {burnt} were burnt"
			);
			sleep(LOOK).await;
		}
	}

	fn command(&self, name: &str) -> Result<Command> {
		let mut command = Command::new(program("clustercast-bridge")?);
		command.arg(name);
		Ok(command)
	}
}
