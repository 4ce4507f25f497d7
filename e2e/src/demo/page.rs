//! The demo by hand: everything but a viewer, and a page for whoever has a wallet in a browser. It runs until it is ended.

use super::{bridge, open, Options, LINE_EVERY};
use crate::{
	bridge::{Wallet, CHAIN_ID},
	lab::Lab,
	programs::Terms,
	scene::{Scene, TERMS},
};
use anyhow::{Context, Result};
use clustercast_primitives::{amount::USDC, Balance, Usdc};
use std::{convert::Infallible, fs};

/// What the wallet has on the L2, micro-USDC; no ether.
const MONEY: Balance = 50 * USDC;

/// The dearest that the page takes without asking: five times the usual price, so that something is seen of it.
const PRICE: Terms = Terms {
	price_per_gb: 100_000,
	..TERMS
};

/// Starts all of it, says where the page is and which key has the USDC, and shows what is paid.
pub(super) async fn serve(lab: &Lab, options: &Options) -> Result<Infallible> {
	println!("starting an L2, four validators, the bridge, an origin and a relayer with a page...");
	let mut scene = Scene::start_bridged(lab, Some(options.rpc_port), &[PRICE], &[]).await?;
	let (l2, agent) = (&bridge(&scene)?.l2, &bridge(&scene)?.agent);
	let wallet = Wallet::new(lab, 3)?;
	l2.mint(&wallet.address, MONEY).await?;
	let (l2_url, agent_url) = (l2.url(), agent.url.clone());
	let deployment = lab.path("deployment.json");
	fs::write(&deployment, l2.deployment(&scene.network, &[&agent_url])?.to_string())?;

	let origin = &scene.origin;
	let relayer = &mut scene.relayers[0];
	relayer.stop().await?;
	let at = format!("127.0.0.1:{}", options.page_port);
	let mut run = relayer.command(&scene.network, &origin.address, origin.stream)?;
	run.args(["--web", &at]).arg("--web-deployment").arg(&deployment);
	relayer.start(lab, &mut run).await?;

	let page = format!("http://{at}/");
	let key = fs::read_to_string(&wallet.key).context("the wallet's key")?;
	println!("  L2       {l2_url}, chain id {CHAIN_ID}; the page adds it to your wallet");
	println!("  agent    {agent_url}: submits what the wallet signs");
	println!("  chain    {}", scene.network.rpc(0));
	println!(
		"  wallet   0x{}: import this key; {} USDC on the L2 and no ether. Everybody knows it: for this demo alone",
		key.trim(),
		Usdc(MONEY)
	);
	println!("  watch    {page} until Ctrl-C");
	if options.open {
		open(&page);
	}
	let mut before = None;
	loop {
		tokio::time::sleep(LINE_EVERY).await;
		let counts = scene.relayers[0].counts().await?;
		let held = bridge(&scene)?.l2.usdc(&wallet.address).await?;
		let now = (counts.tickets, counts.winners, held);
		if before.replace(now) != Some(now) {
			println!(
				"  {:3} tickets, {} won; the wallet has {} USDC on the L2",
				counts.tickets,
				counts.winners,
				Usdc(held)
			);
		}
	}
}
