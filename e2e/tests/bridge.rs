//! The bridge between the real chain and a real EVM: a person with nothing but an Ethereum key pays for video and takes
//! everything back; lies, reorganisations and crashes make no money and lose none.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	bridge::WITHDRAWAL_FEE,
	l2::Ethereum,
	lab::Lab,
	network::{Network, Person},
};
use clustercast_primitives::{amount::USDC, AccountId, Balance};
use std::time::Duration;

/// A wallet's account that submits what others signed.
const HELPER: &str = "//helper";

/// In and out again by two wallets, with the agent killed at each step: after the deposit and before its import, after
/// the withdrawal and before its commitment, after the commitment and before its execution.
#[test]
fn money_comes_and_goes_though_the_agent_is_killed_at_every_step() {
	Lab::run(async |lab| {
		let mut network = Network::start_bridged(lab, None).await?;
		let helper = Person::new(lab, "helper")?;
		network.fund(&[(helper.account, 5 * USDC)]).await?;
		ensure!(
			agrees(&network).await? == 5 * USDC + clustercast_e2e::l2::GENESIS,
			"5 USDC were deposited"
		);

		let owner = Ethereum::new("owner")?;
		kill(&mut network).await?;
		let bridge = network.bridge().context("it is bridged")?;
		bridge.deposit(&owner, owner.account, 20 * USDC, 5 * USDC, None).await?;
		restart(lab, &mut network)?;
		let bridge = network.bridge().context("it is bridged")?;
		bridge.arrived(network.books(), &owner.account, 20 * USDC).await?;
		let account = network.books().chain().viewer_account(&owner.account, None).await?;
		ensure!((account.free, account.deposit) == (15 * USDC, 5 * USDC), "{account:?}");
		agrees(&network).await?;

		// A message that the owner signs and somebody else submits.
		kill(&mut network).await?;
		let bridge = network.bridge().context("it is bridged")?;
		bridge.act(&owner, HELPER, &["withdraw", "--amount", "10"]).await?;
		network.books().settle().await?;
		ensure!(bridge.l2.balance(&owner.address).await? == 0, "nobody executed it yet");
		for moment in [Duration::ZERO, Duration::from_millis(700), Duration::from_millis(2_500)] {
			restart(lab, &mut network)?;
			tokio::time::sleep(moment).await;
			kill(&mut network).await?;
		}
		restart(lab, &mut network)?;
		let bridge = network.bridge().context("it is bridged")?;
		let paid = bridge.paid(&owner.address, 1).await?;
		ensure!(paid == 10 * USDC - WITHDRAWAL_FEE, "{paid} micro-USDC arrived");
		agrees(&network).await?;
		ensure!(
			bridge.l2.balance(&owner.address).await? == paid,
			"a withdrawal was paid twice"
		);
		free(&network, &owner.account)
			.await
			.map(|left| assert!(left < 5 * USDC, "{left}"))
	});
}

async fn free(network: &Network, account: &AccountId) -> Result<Balance> {
	Ok(network.books().chain().viewer_account(account, None).await?.free)
}

async fn agrees(network: &Network) -> Result<Balance> {
	let bridge = network.bridge().context("it is bridged")?;
	bridge.agrees(network.books(), 0).await
}

async fn kill(network: &mut Network) -> Result<()> {
	let agent = network.bridge_mut().context("it is bridged")?.agent.take();
	agent.context("it runs")?.kill_9().await
}

fn restart(lab: &Lab, network: &mut Network) -> Result<()> {
	network.bridge_mut().context("it is bridged")?.start_agent(lab)
}
