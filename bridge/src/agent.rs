//! The loops of `run`. Each looks at both chains, does what is due, and looks again; whatever fails is tried again after
//! a pause that grows. A failure that lasts is logged once, and so is its end.

use crate::{
	config::Config,
	imports::Imports,
	l2::{self, L2},
	metrics,
	relay::{Relay, RelayError},
	withdrawals::Withdrawals,
};
use ::metrics::{counter, gauge};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{ensure, Context};
use clustercast_chain::{Chain, ChainError};
use std::{fmt, future::Future, time::Duration};
use tokio::{
	signal::unix::{signal, SignalKind},
	time::sleep,
};

/// Pause between two looks where the chain makes no blocks: looks are made with each block otherwise.
const TICK: Duration = Duration::from_secs(6);

/// Pause after a failure, at first; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// And at most this long: after ten minutes' outage the agent is back within half of one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
		println!(
			"{}",
			serde_json::json!({
				"vault": l2.vault.to_string(),
				"lightClient": l2.light_client.to_string(),
				"payer": signer.address().to_string(),
			})
		);
		let relay = Relay {
			chain: &chain,
			l2: &l2,
			signer: &signer,
		};
		tokio::join!(import(&chain, &l2), withdraw(&relay, &config));
		Ok(())
	}
}

/// Both chains, which belong to each other.
async fn connect(config: &Config) -> anyhow::Result<(Chain, L2)> {
	let chain = Chain::connect(&config.rpc).await?;
	let bridge = chain.bridge(None).await?;
	ensure!(bridge.chain_id != 0, "the chain has no vault");
	let l2 = L2::connect(&config.l2_rpc, &bridge.vault, bridge.chain_id).await?;
	Ok((chain, l2))
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
			Err(error) => sleep(standing.failed(&error)).await,
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
			Err(error) => sleep(standing.failed(&error)).await,
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
			Err(error) => sleep(standing.failed(&error)).await,
		}
	}
}

/// How a loop does.
struct Standing {
	what: &'static str,
	trouble: Option<String>,
	pause: Duration,
}

impl Standing {
	fn new(what: &'static str) -> Self {
		Self {
			what,
			trouble: None,
			pause: FIRST_PAUSE,
		}
	}

	fn well(&mut self) {
		if self.trouble.take().is_some() {
			tracing::info!("{}: well again", self.what);
		}
		self.pause = FIRST_PAUSE;
	}

	/// How long to wait before the next attempt.
	fn failed(&mut self, error: &impl fmt::Display) -> Duration {
		counter!(metrics::FAILURES, "loop" => self.what).increment(1);
		// Causes of errors are part of their text only in this form.
		let error = format!("{error:#}");
		match self.trouble.replace(error.clone()) == Some(error.clone()) {
			true => tracing::debug!("{}: {error}", self.what),
			false => tracing::warn!("{}: {error}", self.what),
		}
		let pause = self.pause;
		self.pause = (pause * 2).min(LONGEST_PAUSE);
		pause
	}
}
