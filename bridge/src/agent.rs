//! The loops of `agent`. Each looks at both chains, does what is due, and looks again; whatever fails is tried again after
//! a pause that grows. A failure that lasts is logged once, and so is its end.

use crate::{
	config::Config,
	desk::{self, Desk},
	imports::Imports,
	l2::{self, L2},
	metrics,
	relay::{Relay, RelayError},
	retry::{Backoff, Trouble},
	withdrawals::Withdrawals,
};
use ::metrics::{counter, gauge};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use anyhow::{ensure, Context};
use clustercast_chain::{Chain, ChainError, Wallet};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::{
	signal::unix::{signal, SignalKind},
	time::sleep,
};

/// Pause between two looks where the chain makes no blocks: looks are made with each block otherwise.
const TICK: Duration = Duration::from_secs(6);

/// Pause between two looks at what is left for gas.
const PURSE: Duration = Duration::from_secs(60);

/// An agent that is configured and not yet running.
pub struct Agent {
	config: Config,
	signer: PrivateKeySigner,
}

impl Agent {
	/// Reads the key.
	pub fn load(config: Config) -> anyhow::Result<Self> {
		let signer = l2::signer(&config.key).context("key")?;
		Ok(Self { config, signer })
	}

	/// Runs until SIGINT or SIGTERM. Prints one JSON line when both chains answer.
	pub async fn run(self) -> anyhow::Result<()> {
		let mut interrupt = signal(SignalKind::interrupt())?;
		let mut terminate = signal(SignalKind::terminate())?;
		tokio::select! {
			ended = self.carry() => ended,
			_ = interrupt.recv() => Ok(()),
			_ = terminate.recv() => Ok(()),
		}
	}

	async fn carry(self) -> anyhow::Result<()> {
		let Self { config, signer } = self;
		if let Some(address) = config.metrics {
			metrics::serve(address).await?;
		}
		let (chain, l2) = persist("connecting", || connect(&config)).await;
		let l2 = Arc::new(l2);
		let desk = match &config.serving {
			Some(serving) => {
				let wallet = serving.account.as_deref().map(Wallet::from_suri);
				let wallet = wallet.transpose().context("account")?;
				let (chain, l2, signer) = (chain.clone(), l2.clone(), signer.clone());
				let desk = Desk::open(chain, l2, signer, wallet, serving.offer, &serving.state);
				let desk = Arc::new(desk.context("state")?);
				let (address, server) = desk::serve(desk.clone(), serving.address, serving.behind_proxy).await?;
				Some((address, server, desk))
			},
			None => None,
		};
		println!(
			"{}",
			serde_json::json!({
				"vault": l2.vault.to_string(),
				"lightClient": l2.light_client.to_string(),
				"payer": signer.address().to_string(),
				"serving": desk.as_ref().map(|(address, _, _)| format!("http://{address}")),
			})
		);
		let serve = async {
			if let Some((_, server, desk)) = desk {
				tokio::join!(server, desk.work());
			}
		};
		let relay = Relay {
			chain: &chain,
			l2: &l2,
			signer: &signer,
		};
		tokio::join!(
			import(&chain, &l2),
			withdraw(&relay, &config),
			purse(&l2, signer.address()),
			serve
		);
		Ok(())
	}
}

/// Measures what is left for gas, for ever.
async fn purse(l2: &L2, payer: Address) {
	let mut standing = Standing::new("purse");
	loop {
		match l2.ether(payer).await {
			Ok(wei) => {
				// A figure for people: what a float cannot hold is far below a cent.
				gauge!(metrics::ETHER).set(f64::from(wei) / 1e18);
				standing.well();
				sleep(PURSE).await;
			},
			Err(error) => sleep(standing.failed(&error, error.trouble())).await,
		}
	}
}

/// Both chains, which belong to each other.
async fn connect(config: &Config) -> anyhow::Result<(Chain, L2)> {
	let chain = Chain::connect(&config.rpc).await?;
	let bridge = chain.bridge(None).await?;
	ensure!(bridge.chain_id != 0, "the chain has no vault");
	let l2 = L2::connect(&config.l2_rpc, &bridge.vault, bridge.chain_id).await?;
	Ok((chain, l2.with_rules(config.rules)))
}

/// Deposits, for ever.
async fn import(chain: &Chain, l2: &L2) {
	let mut imports = Imports::default();
	let mut standing = Standing::new("imports");
	let mut heads = chain.heads();
	loop {
		match imports.step(chain, l2).await {
			Ok(count) => {
				counter!(metrics::IMPORTED).increment(count as u64);
				standing.well();
				wait(heads.changed()).await;
			},
			Err(error) => sleep(standing.failed(&error, error.trouble())).await,
		}
	}
}

/// Hand-overs, and withdrawals with the commitments that they need, for ever.
async fn withdraw(relay: &Relay<'_>, config: &Config) {
	let mut withdrawals = Withdrawals::new(config.choice);
	let mut standing = Standing::new("withdrawals");
	let mut heads = relay.chain.heads();
	loop {
		match step(relay, &mut withdrawals).await {
			Ok(executed) => {
				counter!(metrics::EXECUTED).increment(executed as u64);
				standing.well();
				wait(heads.changed()).await;
			},
			Err(error) => sleep(standing.failed(&error, error.trouble())).await,
		}
		gauge!(metrics::WAITING).set(withdrawals.waiting() as f64);
	}
}

async fn step(relay: &Relay<'_>, withdrawals: &mut Withdrawals) -> Result<usize, RelayError> {
	let newest = match relay.newest().await {
		Ok(newest) => newest,
		// A node that has just started knows of no signatures yet.
		Err(RelayError::NotSigned(_) | RelayError::Chain(ChainError::Refused { .. })) => return Ok(0),
		Err(error) => return Err(error),
	};
	gauge!(metrics::SIGNED_BLOCK).set(f64::from(newest.block));
	withdrawals.step(relay, &newest).await
}

async fn wait<E>(news: impl Future<Output = Result<(), E>>) {
	let _ = tokio::time::timeout(TICK, news).await;
}

/// Tries until it succeeds.
async fn persist<T, E: fmt::Display, F: Future<Output = Result<T, E>>>(
	what: &'static str,
	attempt: impl Fn() -> F,
) -> T {
	let mut standing = Standing::new(what);
	loop {
		match attempt().await {
			Ok(done) => {
				standing.well();
				return done;
			},
			Err(error) => sleep(standing.failed(&error, Trouble::Other)).await,
		}
	}
}

/// How a loop does.
pub(crate) struct Standing {
	what: &'static str,
	trouble: Option<String>,
	backoff: Backoff,
}

impl Standing {
	pub(crate) fn new(what: &'static str) -> Self {
		Self {
			what,
			trouble: None,
			backoff: Backoff::default(),
		}
	}

	pub(crate) fn well(&mut self) {
		if self.trouble.take().is_some() {
			tracing::info!("{}: well again", self.what);
		}
		self.backoff.well();
	}

	/// How long to wait before the next attempt.
	pub(crate) fn failed(&mut self, error: &impl fmt::Display, kind: Trouble) -> Duration {
		counter!(metrics::FAILURES, "loop" => self.what).increment(1);
		// Causes of errors are part of their text only in this form.
		let error = format!("{error:#}");
		match self.trouble.replace(error.clone()) == Some(error.clone()) {
			true => tracing::debug!("{}: {error}", self.what),
			false => tracing::warn!("{}: {error}", self.what),
		}
		self.backoff.failed(kind)
	}
}
