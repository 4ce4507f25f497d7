//! How long USDC is on its way over the bridge, step by step.
//!
//! Four validators, an L2 with a block a second, an agent; one crossing after the other, both ways. A step is over when it
//! can be seen in the chain's best block or the L2's newest one, looked at every 50 ms. All of it is on one machine:
//! between machines, add network paths.

use crate::{
	bridge::{deposit, Agent, Wallet, L2},
	lab::Lab,
	network::Network,
};
use anyhow::{ensure, Context, Result};
use clustercast_chain::{bridge::withdraw, calls, Chain, Wait, Wallet as ChainWallet};
use clustercast_primitives::{amount::USDC, Balance, EthereumAddress};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{sleep, Instant};

/// Crossings of each kind.
const CROSSINGS: usize = 12;

/// Blocks of the L2 behind a final one; it makes one a second.
const FINALITY: u32 = 4;

/// Longest for a step.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Of each deposit, micro-USDC; in the end all of them are in the vault.
const DEPOSIT: Balance = 3 * USDC;

/// Of each withdrawal, micro-USDC, the fee included.
const WITHDRAWAL: Balance = 2 * USDC;

/// Of that for the agent.
const FEE: Balance = USDC / 10;

/// What was measured, in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
	/// Crossings of each kind.
	pub crossings: usize,
	/// From the deposit's block on the L2 until it is final there: the L2's own time.
	pub deposit_final: Spread,
	/// From then until more than two thirds of the validators attested it on the chain.
	pub deposit_attested: Spread,
	/// From then until it is imported: spendable.
	pub deposit_imported: Spread,
	/// From finality on the L2 until spendable.
	pub deposit: Spread,
	/// From sending the extrinsic until the USDC is burnt and its withdrawal waits.
	pub withdrawal_burnt: Spread,
	/// From then until a block has released it.
	pub withdrawal_released: Spread,
	/// From then until BEEFY signed a block with the release.
	pub withdrawal_signed: Spread,
	/// From then until the vault has paid, the commitment included.
	pub withdrawal_paid: Spread,
	/// From sending until paid.
	pub withdrawal: Spread,
	/// For comparison: from sending a plain transfer on the chain until it is final.
	pub transfer: Spread,
}

/// How long something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
	/// Half took no longer.
	pub median: u64,
	/// None took longer.
	pub longest: u64,
}

impl Spread {
	/// Of at least one.
	fn of(times: impl IntoIterator<Item = Duration>) -> Self {
		let mut times: Vec<u64> = times.into_iter().map(|t| t.as_millis() as u64).collect();
		times.sort_unstable();
		let middle = times.len().saturating_sub(1) / 2;
		Self {
			median: times.get(middle).copied().unwrap_or_default(),
			longest: times.last().copied().unwrap_or_default(),
		}
	}
}

/// Runs it, prints the figures as one JSON line, and returns the exit code.
pub fn main() -> u8 {
	crate::bench("clustercast-crossing", run)
}

/// Measures on chains of its own.
pub async fn run(lab: &Lab) -> Result<Figures> {
	let mut l2 = L2::start(lab, "anvil", FINALITY).await?;
	let network = Network::start_bridged(lab, None, &l2).await?;
	l2.deploy(&network).await?;
	let (depositor, payer) = (Wallet::new(lab, 0)?, Wallet::new(lab, 1)?);
	l2.fund(&depositor.address, 1_000 * USDC).await?;
	l2.fund(&payer.address, 0).await?;
	let mut agent = Agent::start(lab, &network, &l2, &payer).await?;
	let bench = Bench {
		chain: network.books().chain(),
		l2: &l2,
		network: &network,
		depositor,
		owner: ChainWallet::from_suri("//Ferdie")?,
	};
	let mut deposits = Vec::new();
	for _ in 0..CROSSINGS {
		deposits.push(bench.inwards().await.context("a deposit")?);
	}
	eprintln!("deposits: {deposits:?}");
	let mut withdrawals = Vec::new();
	for number in 0..CROSSINGS {
		// An address of its own, so that its balance says when it is paid.
		let to = EthereumAddress([0x70 + u8::try_from(number)?; 20]);
		withdrawals.push(bench.outwards(&to).await.context("a withdrawal")?);
	}
	eprintln!("withdrawals: {withdrawals:?}");
	let mut transfers = Vec::new();
	for _ in 0..CROSSINGS {
		transfers.push(bench.transfer().await.context("a transfer")?);
	}
	agent.check_alive()?;

	let step = |crossings: &[[Duration; 4]], step: usize| Spread::of(crossings.iter().map(|c| c[step]));
	let inwards: Vec<[Duration; 4]> = deposits.iter().map(|[a, b, c]| [*a, *b, *c, *b + *c]).collect();
	Ok(Figures {
		crossings: CROSSINGS,
		deposit_final: step(&inwards, 0),
		deposit_attested: step(&inwards, 1),
		deposit_imported: step(&inwards, 2),
		deposit: step(&inwards, 3),
		withdrawal_burnt: step(&withdrawals, 0),
		withdrawal_released: step(&withdrawals, 1),
		withdrawal_signed: step(&withdrawals, 2),
		withdrawal_paid: step(&withdrawals, 3),
		withdrawal: Spread::of(withdrawals.iter().map(|c| c.iter().sum())),
		transfer: Spread::of(transfers),
	})
}

struct Bench<'a> {
	chain: &'a Chain,
	l2: &'a L2,
	network: &'a Network,
	/// Has USDC on the L2.
	depositor: Wallet,
	/// Receives it on the chain and sends it back.
	owner: ChainWallet,
}

impl Bench<'_> {
	/// A deposit: final, attested, imported.
	async fn inwards(&self) -> Result<[Duration; 3]> {
		let number = self.chain.bridge(None).await?.next_deposit;
		let account = self.owner.account();
		let done = deposit(self.network, self.l2, &self.depositor, &account, (DEPOSIT, 0), None).await?;
		let block = done["block"].as_u64().context("a block")?;
		let mut clock = Clock::start();
		let is_final = clock.until(async || Ok(self.l2.finalised().await? >= block)).await?;
		let attested = clock
			.until(async || {
				Ok(self
					.chain
					.bridge(None)
					.await?
					.attested
					.is_some_and(|a| a.count > number))
			})
			.await?;
		let imported = clock
			.until(async || Ok(self.chain.bridge(None).await?.next_deposit > number))
			.await?;
		Ok([is_final, attested, imported])
	}

	/// A withdrawal: burnt, released, signed, paid.
	async fn outwards(&self, to: &EthereumAddress) -> Result<[Duration; 4]> {
		let id = self.chain.bridge(None).await?.next_withdrawal;
		let released_in = async || {
			let found = self.chain.withdrawals(id, 1, None).await?;
			anyhow::Ok(
				found
					.first()
					.and_then(|withdrawal| withdrawal.place)
					.map(|place| place.block),
			)
		};
		let mut clock = Clock::start();
		self.chain
			.submit(&self.owner, &withdraw(to, WITHDRAWAL, FEE), Wait::InBlock)
			.await?;
		let burnt = clock.lap();
		let released = clock.until(async || Ok(released_in().await?.is_some())).await?;
		let block = released_in().await?.context("it was released")?;
		let signed = clock
			.until(async || {
				let head = self.chain.beefy_head().await?;
				let justification = self.chain.justification(head).await?;
				Ok(justification.is_some_and(|j| j.commitment.block >= block))
			})
			.await?;
		let paid = clock.until(async || Ok(self.l2.usdc(to).await? > 0)).await?;
		ensure!(self.l2.usdc(to).await? == WITHDRAWAL - FEE, "another amount was paid");
		Ok([burnt, released, signed, paid])
	}

	/// A transfer of the owner to itself, until it is final.
	async fn transfer(&self) -> Result<Duration> {
		let mut clock = Clock::start();
		let transfer = calls::transfer(&self.owner.account(), WITHDRAWAL / 10);
		self.chain.submit(&self.owner, &transfer, Wait::Finalised).await?;
		Ok(clock.lap())
	}
}

/// Measures one step after the other.
struct Clock(Instant);

impl Clock {
	fn start() -> Self {
		Self(Instant::now())
	}

	/// Since the last lap.
	fn lap(&mut self) -> Duration {
		let now = Instant::now();
		let took = now - self.0;
		self.0 = now;
		took
	}

	/// The lap that ends when something is so.
	async fn until(&mut self, so: impl AsyncFn() -> Result<bool>) -> Result<Duration> {
		while !so().await? {
			ensure!(self.0.elapsed() < PATIENCE, "a step took longer than {PATIENCE:?}");
			sleep(LOOK).await;
		}
		Ok(self.lap())
	}
}
