//! Who has USDC on the L2 and nothing else is served by agents, of whom some are dead, dear, or hold back what they were given; and pays
//! once.

use super::World;
use anyhow::{bail, ensure, Context, Result};
use clustercast_e2e::{
	bridge::{command, typescript, Agent, Wallet},
	http,
	lab::{free_port, Lab},
	network::{Network, Person},
	programs::{run_once, session, until, Player},
	scene::{Scene, TERMS},
};
use clustercast_primitives::{amount::USDC, Balance, Usdc};
use serde_json::{json, Value};
use std::{fs, time::Duration};
use tokio::{process::Command, time::sleep};

/// What is paid to an agent at most: above what one asks whose margin is the usual one, far below the dear one's.
const MAX_FEE: Usdc = Usdc(100_000);

/// Where what agents were given is kept.
const HANDED_OVER: &str = "handed-over";

/// Pause before a question: agents answer two a second.
const ASK: Duration = Duration::from_secs(1);

/// A command of somebody with a key of the L2 and nothing else: no chain account, no ETH. It ends by itself.
fn by(lab: &Lab, who: &Wallet, what: &str, network: &Network, agents: &[&str]) -> Result<Command> {
	let mut command = command(what, network)?;
	command.arg("--state").arg(lab.path(HANDED_OVER));
	command.args(agents.iter().flat_map(|url| ["--agent", url]));
	// Whoever holds back a deposit is waited for; an action is told of when it is final.
	command.args(["--agent-wait", if what == "act" { "60" } else { "8" }]);
	command.env("CLUSTERCAST_BRIDGE_KEY", who.secret());
	Ok(command)
}

/// What an agent says of something that it was given. Asked as often as one may.
async fn report(agent: &Agent, what: &str, id: &str) -> Result<Value> {
	sleep(ASK).await;
	Ok(serde_json::from_str(
		&http::get(&format!("{}/v1/{what}/{id}", agent.url)).await?.text(),
	)?)
}

/// How a command failed.
async fn failure(command: &mut Command) -> Result<String> {
	match run_once(command).await {
		Ok(answer) => bail!("it succeeded: {answer}"),
		Err(error) => Ok(format!("{error:#}")),
	}
}

#[test]
fn key_with_nothing_but_usdc_deposits_watches_and_withdraws() {
	Lab::run(async |lab| {
		let World {
			l2,
			network,
			alice,
			payer,
		} = World::start(lab, 4, &[]).await?;
		l2.request("anvil_setBalance", json!([alice.address, "0x0"])).await?;
		let mut scene = Scene::start_on(lab, network, &[TERMS]).await?;
		let network = &scene.network;
		let genesis = network.books().chain().bridge(None).await?.issuance;

		// Three who answer and one who does not: one asks a thousand times what it costs, one takes what it is given and keeps it.
		let (second, third) = (Wallet::new(lab, 2)?, Wallet::new(lab, 3)?);
		for wallet in [&second, &third] {
			l2.fund(&wallet.address, 0).await?;
		}
		let dead = format!("http://127.0.0.1:{}", free_port()?);
		let dear = ["--margin", "100000", "--account", "//Charlie", "--min-tip", "1"];
		let dear = Agent::serve(lab, "dear", network, &l2, &second, &dear).await?;
		let holds = ["--max-gas-price", "0.000000001"];
		let holds = Agent::serve(lab, "holds", network, &l2, &third, &holds).await?;
		let honest = Agent::serve(lab, "honest", network, &l2, &payer, &["--account", "//Bob"]).await?;
		let all = [&dead, &dear.url, &holds.url, &honest.url].map(String::as_str);

		// One signature: USDC, of it some for tickets, and a session key.
		let viewer = Person::ethereum(lab, &alice.address)?;
		let player = session(lab, network, &viewer).await?;
		let deposit = |amount: &str, agents: &[&str]| {
			let mut deposit = by(lab, &alice, "deposit", network, agents)?;
			deposit
				.args(["--l2-rpc", &l2.url(), "--amount", amount, "--escrow", "10"])
				.args(["--session-key", &player.key.to_string()])
				.args(["--session-proof", &player.proof.to_string()])
				.args(["--session-limit", &Usdc(player.limit).to_string()])
				.args(["--session-expiry", &player.expiry.to_string()])
				.args(["--max-fee", &MAX_FEE.to_string()]);
			anyhow::Ok(deposit)
		};
		let refused = failure(&mut deposit("20", &[&dead, &dear.url])?).await?;
		ensure!(
			refused.contains("no agent does it") && refused.contains("at most 0.100000 USDC"),
			"{refused}"
		);
		let held = failure(&mut deposit("20", &[&holds.url])?).await?;
		ensure!(
			held.contains("not deposited yet") && held.contains("hands over the same one"),
			"{held}"
		);
		// What was signed may still be used: nothing else is.
		let other = failure(&mut deposit("21", &all)?).await?;
		ensure!(other.contains("until then nothing else is signed"), "{other}");
		let kept = fs::read_dir(lab.path(HANDED_OVER))?
			.flatten()
			.map(|file| file.path())
			.find(|path| path.extension().is_some_and(|ext| ext == "json"));
		let kept = fs::read_to_string(kept.context("the authorisation is kept")?)?;
		let bytes = serde_json::from_str::<Value>(&kept)?["deposit"].to_string();

		let made = run_once(&mut deposit("20", &all)?).await?;
		let id = made["id"].as_str().context("an id")?;
		let fee: Usdc = made["fee"].as_str().context("a fee")?.parse()?;
		ensure!(fee > Usdc(0) && fee <= MAX_FEE, "{made}");
		ensure!(l2.usdc(&payer.address).await? == fee.0, "the honest one earned it");
		for agent in [&honest, &holds] {
			until("the deposit is usable", async || {
				Ok(report(agent, "deposits", id).await?["state"] == "usable")
			})
			.await?;
		}
		// The same bytes again: known, and no second deposit.
		let again = http::post(&format!("{}/v1/deposits", honest.url), &bytes).await?;
		ensure!(again.status == 202, "{}", again.text());
		let again: Value = serde_json::from_str(&again.text())?;
		ensure!(
			(&again["id"], &again["state"]) == (&json!(id), &json!("usable")),
			"{again}"
		);
		ensure!(l2.usdc(&alice.address).await? == 80 * USDC - fee.0, "paid once");

		// Another one, with viem.
		typescript(network, &l2, &alice, &["deposit", "10", &honest.url]).await?;
		let fees = l2.usdc(&payer.address).await?;
		ensure!(fees > fee.0 && fees <= 2 * MAX_FEE.0, "the honest one has {fees}");
		ensure!(l2.usdc(&alice.address).await? == 70 * USDC - fees);

		// It watches with what it deposited.
		let hls = free_port()?;
		let mut watch = Player::command(lab, "viewer", network, &viewer, scene.origin.stream, hls, "wallet")?;
		let mut watching = Player::run(lab, "viewer", hls, &mut watch)?;
		watching.wait_windows(3, Duration::from_secs(60)).await?;
		watching.stop().await?;

		// And takes back what is free, while the token refuses it for a while: her alone, then everybody.
		l2.blacklist(&alice.address, true).await?;
		let withdraw = |agents: &[&str]| {
			let mut withdraw = by(lab, &alice, "act", network, agents)?;
			withdraw.args(["withdraw", "--amount", "5", "--fee", "0.5"]);
			anyhow::Ok(withdraw)
		};
		let dear = failure(&mut withdraw(&[&dead, &dear.url, &holds.url])?).await?;
		ensure!(
			dear.contains("at most 0.050000") && dear.contains("does not offer this"),
			"{dear}"
		);
		let done = run_once(&mut withdraw(&all)?).await?;
		let (id, withdrawal) = (done["id"].as_str().context("an id")?, done["withdrawal"].as_u64());
		ensure!(withdrawal.is_some() && done["block"].is_u64(), "{done}");
		let held = async |why: &str| {
			until(why, async || {
				let logs = ["honest.log", "dear.log"].map(|log| fs::read_to_string(lab.path(log)));
				let says = |line: &str| line.contains("a withdrawal is held up") && line.contains(why);
				Ok(logs.into_iter().flatten().any(|log| log.lines().any(says)))
			})
			.await
		};
		held("Blacklistable: account is blacklisted").await?;
		l2.pause(true).await?;
		l2.blacklist(&alice.address, false).await?;
		held("Pausable: paused").await?;
		l2.pause(false).await?;
		until("the withdrawal is paid", async || {
			Ok(report(&honest, "actions", id).await?["state"] == "paid")
		})
		.await?;
		let back: Balance = 70 * USDC - fees + 5 * USDC - USDC / 2;
		ensure!(l2.usdc(&alice.address).await? == back);
		let never = ("0x0".to_owned(), "0x0".to_owned());
		ensure!(l2.ether_and_transactions(&alice.address).await? == never);

		scene.relayers[0].stop().await?;
		let bridge = scene.network.books().chain().bridge(None).await?;
		let vault = l2.in_vault().await?;
		ensure!(
			vault == bridge.imported - bridge.withdrawn && bridge.issuance == genesis + vault,
			"the vault holds {vault}: {bridge:?}"
		);
		Ok(())
	});
}

#[test]
fn agent_killed_with_orders_on_its_desk_does_them_once() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let World {
			l2,
			network,
			alice,
			payer,
		} = &world;
		let deposit = |agents: &[&str], amount: &str| {
			let mut deposit = by(lab, alice, "deposit", network, agents)?;
			deposit.args(["--l2-rpc", &l2.url(), "--amount", amount, "--max-fee", "1"]);
			anyhow::Ok(deposit)
		};
		let start = async |more: &[&str]| {
			let more: Vec<_> = ["--account", "//Bob"].iter().chain(more).copied().collect();
			Agent::serve(lab, "agent", network, l2, payer, &more).await
		};
		// It takes two orders and sends nothing, since gas is too dear for it.
		let dear = ["--max-gas-price", "0.000000001"];
		let agent = start(&dear).await?;
		let held = failure(&mut deposit(&[&agent.url], "20")?).await?;
		ensure!(held.contains("not deposited yet"), "{held}");
		agent.kill_9().await?;
		ensure!(l2.in_vault().await? == 0);

		// Again, with gas that it pays for: nobody hands over anything.
		let agent = start(&[]).await?;
		world.wait_imported(1).await?;
		ensure!(world.holdings().await?.0 == 20 * USDC);
		agent.kill_9().await?;

		// What was done is told as done, and another amount is another deposit.
		let agent = start(&[]).await?;
		let told = run_once(&mut deposit(&[&agent.url], "20")?).await?;
		ensure!(l2.in_vault().await? == 20 * USDC, "{told}");
		run_once(&mut deposit(&[&agent.url], "10")?).await?;
		world.wait_imported(2).await?;
		ensure!(world.holdings().await?.0 == 30 * USDC);

		// An action that it is given just before it dies.
		let mut message = by(lab, alice, "act", network, &[])?;
		message.args(["withdraw", "--amount", "5", "--fee", "0.5", "--tip", "0.05"]);
		let message = run_once(&mut message).await?.to_string();
		let taken = http::post(&format!("{}/v1/actions", agent.url), &message).await?;
		ensure!(taken.status == 202, "{}", taken.text());
		agent.kill_9().await?;
		let agent = start(&[]).await?;
		let taken: Value = serde_json::from_str(&taken.text())?;
		let id = taken["id"].as_str().context("an id")?;
		until("the withdrawal is paid", async || {
			Ok(report(&agent, "actions", id).await?["state"] == "paid")
		})
		.await?;
		ensure!(world.holdings().await?.0 == 25 * USDC - USDC / 20, "once");
		// And whoever hands it over again is told so.
		let again = http::post(&format!("{}/v1/actions", agent.url), &message).await?;
		ensure!(again.status == 202 && again.text().contains("paid"), "{}", again.text());
		Ok(())
	});
}

#[test]
fn door_of_an_agent_is_narrow_and_says_why() {
	Lab::run(async |lab| {
		let World { l2, network, payer, .. } = World::start(lab, 4, &[]).await?;
		let agent = Agent::serve(lab, "agent", &network, &l2, &payer, &[]).await?;
		let code = |answer: &http::Answer| {
			let answer: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
			answer["error"]["code"].as_str().unwrap_or_default().to_owned()
		};
		let terms = http::get(&format!("{}/v1/terms", agent.url)).await?;
		let asked: Value = serde_json::from_str(&terms.text())?;
		ensure!(terms.status == 200 && asked["action"].is_null(), "{asked}");
		ensure!(terms.field("access-control-allow-origin") == Some("*"));
		let may = http::ask(
			"OPTIONS",
			&format!("{}/v1/deposits", agent.url),
			"Origin: https://a\r\n",
		)
		.await?;
		ensure!((may.status, may.field("access-control-allow-methods")) == (204, Some("GET, POST")));
		let deposits = format!("{}/v1/deposits", agent.url);
		let long = format!("{{\"depositor\": \"{}\"}}", "7".repeat(5_000));
		for (answer, status, why) in [
			(http::get(&format!("{}/v2/terms", agent.url)).await?, 404, "noSuchPath"),
			(http::get(&deposits).await?, 405, "method"),
			(
				http::get(&format!("{deposits}/0x{}", "07".repeat(32))).await?,
				404,
				"unknownId",
			),
			(http::post(&deposits, "{}").await?, 400, "malformed"),
			(http::post(&deposits, &long).await?, 413, "tooLong"),
		] {
			ensure!(
				(answer.status, &code(&answer)[..]) == (status, why),
				"{}",
				answer.text()
			);
		}
		let mut refused = None;
		for _ in 0..20 {
			let answer = http::post(&deposits, "{}").await?;
			if answer.status == 429 {
				refused = Some(answer);
				break;
			}
		}
		let refused = refused.context("nobody is stopped")?;
		ensure!(code(&refused) == "tooMany" && refused.field("retry-after").is_some());
		Ok(())
	});
}
