//! Who has USDC on the L2 and a wallet in a browser opens a page, signs once, and watches: with real validators, vault and agents.
//!
//! The screenshots of each state are left where `CLUSTERCAST_SHOTS` says.

use super::World;
use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	bridge::{Agent, Wallet},
	http,
	lab::{free_port, Lab},
	process::{tool, Process},
	scene::{Scene, TERMS},
};
use clustercast_primitives::amount::USDC;
use serde_json::{json, Value};
use std::{fs, path::Path, time::Duration};
use tokio::{process::Command, time::timeout};

/// What the browser watches for.
const WATCHED: Duration = Duration::from_secs(10);

/// One part of what the browser does: a deposit, with an agent that holds it back, and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// What the wallet has, and what its owner lets two keys spend, one after the other.
const MONEY: u128 = 6 * USDC;
const LIMITS: [u128; 2] = [3 * USDC, 2 * USDC];

/// What is deposited beside a limit, for the way back.
const SPARE: u128 = USDC / 20;

/// The next line of a browser that runs.
async fn said(browser: &mut Process, what: &str) -> Result<Value> {
	let line = timeout(PATIENCE, browser.json_line()).await;
	let line = line.with_context(|| format!("in time: {what}"))?;
	line.with_context(|| what.to_owned())
}

#[test]
fn page_opens_its_wallet_signs_once_and_it_plays() {
	Lab::run(async |lab| {
		let World { l2, network, payer, .. } = World::start(lab, 4, &[]).await?;
		let mut scene = Scene::start_on(lab, network, &[TERMS]).await?;
		let network = &scene.network;

		// USDC, and nothing else on either chain.
		let viewer = Wallet::new(lab, 2)?;
		l2.mint(&viewer.address, MONEY).await?;

		// One agent is dead, one takes what it is given and keeps it, one is good.
		let other = Wallet::new(lab, 3)?;
		l2.fund(&other.address, 0).await?;
		let dead = format!("http://127.0.0.1:{}", free_port()?);
		let holds = ["--max-gas-price", "0.000000001"];
		let holds = Agent::serve(lab, "holds", network, &l2, &other, &holds).await?;
		let good = Agent::serve(lab, "good", network, &l2, &payer, &["--account", "//Bob"]).await?;
		let deployment = lab.path("deployment.json");
		let agents = [dead.as_str(), &holds.url, &good.url];
		fs::write(&deployment, l2.deployment(network, &agents)?.to_string())?;

		let origin = scene.origin.address.clone();
		let relayer = &mut scene.relayers[0];
		relayer.stop().await?;
		let at = format!("127.0.0.1:{}", free_port()?);
		let mut run = relayer.command(network, &origin, scene.origin.stream)?;
		run.args(["--web", &at]).arg("--web-deployment").arg(&deployment);
		relayer.start(lab, &mut run).await?;
		let page = format!("http://{at}/");
		let front = http::get(&page).await?;
		let policy = front.field("content-security-policy").context("a policy")?;
		ensure!(
			policy.contains("connect-src 'self' https: wss: http://127.0.0.1:*;"),
			"{policy}"
		);

		let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/wallet.mjs");
		let mut command = Command::new(tool("node")?);
		command.arg(script).arg(&page).arg(&viewer.key);
		command.args([&l2.url(), &WATCHED.as_secs().to_string()]);
		if let Some(shots) = std::env::var_os("CLUSTERCAST_SHOTS") {
			command.arg("--shots").arg(shots);
		}
		let mut browser = Process::spawn(lab, "browser", &mut command)?;

		// What is to be signed is shown before; who says no has signed nothing.
		let offered = said(&mut browser, "an offer").await?;
		let offer = &offered["offer"];
		ensure!(offered["none"] == 0 && offer["limit"] == "3.00 USDC", "{offered}");
		ensure!(offer["origin"] == page.trim_end_matches('/'), "{offered}");

		let watched = said(&mut browser, "a picture").await?;
		println!("{watched}");
		ensure!(watched["signatures"] == 1, "{watched}");
		ensure!(
			watched["typed"]["primaryType"] == "ReceiveWithAuthorization" && watched["overflow"].as_i64() <= Some(0),
			"{watched}"
		);
		ensure!(
			watched["shown"].as_f64() > Some(0.7 * WATCHED.as_secs_f64()),
			"{watched}"
		);
		ensure!(
			watched["stages"].as_array().is_some_and(|all| all.len() >= 2),
			"{watched}"
		);
		let chain = network.books().chain();
		let account = chain.viewer_account(&viewer.account(), None).await?;
		let [session] = &account.sessions[..] else {
			anyhow::bail!("{account:?}");
		};
		ensure!(session.limit == LIMITS[0], "{account:?}");
		let tickets = scene.relayers[0].counts().await?.tickets;
		ensure!(tickets > 0, "nothing was paid");

		// A reload asks nobody for anything.
		let back = said(&mut browser, "a picture, after a reload").await?;
		ensure!(back["signatures"] == 1 && back["asked"] == 2, "{back}");

		let topped = said(&mut browser, "a picture, from the next key, and the way back").await?;
		println!("{topped}");
		ensure!(browser.wait(PATIENCE).await?.success(), "{topped}");
		// A deposit each, and the message that asks for the rest.
		ensure!(
			topped["signatures"] == 3 && topped["complaints"] == json!([]),
			"{topped}"
		);
		let asked = topped["requests"].as_array().context("whom it asked")?;
		let known = [&[page.trim_end_matches('/')][..], &agents[..]].concat();
		ensure!(
			asked
				.iter()
				.all(|one| one.as_str().is_some_and(|one| known.contains(&one))),
			"{topped}"
		);
		let transaction = topped["methods"].to_string();
		ensure!(!transaction.contains("Transaction"), "{transaction}");

		let chain = network.books().chain();
		let account = chain.viewer_account(&viewer.account(), None).await?;
		let mut limits: Vec<_> = account.sessions.iter().map(|session| session.limit).collect();
		limits.sort_unstable();
		ensure!(limits == [LIMITS[1], LIMITS[0]], "{account:?}");
		let all = account.unlocking.as_ref().is_some_and(|asked| asked.amount > 4 * USDC);
		ensure!(all, "{account:?}");
		let fees = l2.usdc(&payer.address).await?;
		ensure!(
			fees > 0 && l2.usdc(&other.address).await? == 0,
			"the good one earned {fees}"
		);
		let spent: u128 = LIMITS.iter().map(|limit| limit + SPARE).sum();
		ensure!(
			l2.usdc(&viewer.address).await? == MONEY - spent - fees,
			"paid once for each signature"
		);
		let never = ("0x0".to_owned(), "0x0".to_owned());
		ensure!(l2.ether_and_transactions(&viewer.address).await? == never);

		let counts = scene.relayers[0].counts().await?;
		ensure!(counts.tickets > tickets, "{counts:?}, and {tickets} before");
		scene.relayers[0].stop().await?;
		let winners = scene.relayers[0].winners(&scene.network)?;
		ensure!(!winners.is_empty(), "{counts:?} and none of them won");
		Ok(())
	});
}
