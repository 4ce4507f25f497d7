//! A viewer in a browser, which has nothing of ours but the page that a relayer serves: it verifies and pays as the player does.
//!
//! The screenshots of each state are left where `CLUSTERCAST_SHOTS` says.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Wait, Wallet};
use clustercast_e2e::{
	gauge::Gauge,
	http::get,
	lab::{free_port, Lab},
	network::Network,
	process::{program, tool, Process},
	scene::{Scene, TERMS},
};
use clustercast_primitives::amount::USDC;
use std::{
	path::{Path, PathBuf},
	time::Duration,
};
use tokio::process::Command;

/// What the browser watches for.
const WATCHED: Duration = Duration::from_secs(20);

/// Starting a browser, the authorisation, watching, and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Pictures of the test picture a second.
const RATE: u64 = 30;

/// A machine that is later than this by its own clock says nothing of ours.
const BUSY: Duration = Duration::from_millis(250);

/// Where what is no program is installed, beside the folder of the programs.
fn share() -> Result<PathBuf> {
	let folder = program("clustercast-relayer")?;
	let root = folder.parent().and_then(Path::parent);
	Ok(root.context("a folder of programs")?.join("share/clustercast"))
}

/// The page asks whoever serves it, and nobody else.
fn check_strict(policy: &str) -> Result<()> {
	for part in [
		"default-src 'none'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
	] {
		ensure!(policy.contains(part), "{part}: {policy}");
	}
	ensure!(
		!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
		"{policy}"
	);
	Ok(())
}

#[test]
fn browser_verifies_shows_and_pays() {
	Lab::run(async |lab| {
		let mut scene = Scene::start_on(lab, Network::shared(lab).await?, &[TERMS]).await?;
		let origin = scene.origin.address.clone();
		let relayer = &mut scene.relayers[0];
		relayer.stop().await?;
		let at = format!("127.0.0.1:{}", free_port()?);
		let mut run = relayer.command(&scene.network, &origin, scene.origin.stream)?;
		run.args(["--web", &at]);
		relayer.start(lab, &mut run).await?;

		let page = format!("http://{at}/");
		let front = get(&page).await?;
		check_strict(front.field("content-security-policy").context("a policy")?)?;
		ensure!(
			!front.text().contains("<script>") && !front.text().contains("style="),
			"something is inline"
		);

		let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/watch.mjs");
		let mut command = Command::new(tool("node")?);
		let account = scene.viewer.account.to_string();
		command
			.arg(script)
			.args([&page, &account, &WATCHED.as_secs().to_string()]);
		if let Some(shots) = std::env::var_os("CLUSTERCAST_SHOTS") {
			command.arg("--shots").arg(shots);
		}
		let gauge = Gauge::start();
		let mut browser = Process::spawn(lab, "browser", &mut command)?;
		let asked = browser.json_line().await.context("a session key")?;
		let text = |name: &str| asked[name].as_str().context("a text");
		let authorise = calls::batch_all(vec![
			calls::deposit(5 * USDC),
			calls::authorize_session(
				&text("key")?.parse()?,
				5 * USDC,
				0,
				asked["expiry"].as_u64().context("a block")?.try_into()?,
				&text("proof")?.parse()?,
			),
		]);
		let chain = scene.network.books().chain().clone();
		chain
			.submit(&Wallet::from_suri(&scene.viewer.uri)?, &authorise, Wait::Finalised)
			.await
			.context("the page's key and proof")?;

		let said = tokio::time::timeout(PATIENCE, browser.json_line())
			.await
			.context("it ends")??;
		let late = gauge.late();
		ensure!(browser.wait(PATIENCE).await?.success(), "{said}");
		println!("{said}; this machine was {late:?} late");
		let number = |value: &serde_json::Value| value.as_f64().context("a number");
		let frames = said["frames"].as_u64().context("frames")?;
		ensure!(said["complaints"] == serde_json::json!([]), "{said}");
		ensure!(
			said["requests"] == serde_json::json!([page.trim_end_matches('/')]),
			"{said}"
		);
		ensure!(
			said["figures"]["rejected"] == "0" && said["state"] == "playing",
			"{said}"
		);
		ensure!(said["overflow"].as_i64() <= Some(0), "wider than a phone: {said}");
		for key in ["unmuted", "paused", "live"] {
			ensure!(said["keys"][key] == true, "{key}: {said}");
		}
		if late < BUSY {
			let seconds = WATCHED.as_secs();
			ensure!(
				frames >= seconds * RATE * 3 / 4,
				"{frames} pictures in {seconds} s: {said}"
			);
			ensure!(number(&said["shown"])? > 0.9 * WATCHED.as_secs_f64(), "{said}");
			ensure!(number(&said["longest"])? < 2_000.0, "it stood still: {said}");
		}
		let counts = scene.relayers[0].counts().await?;
		ensure!(counts.tickets > 0, "nothing was paid: {counts:?}");
		let settlement = scene.settle_up().await?;
		ensure!(!settlement.winners.is_empty(), "{counts:?} and none of them won");
		scene.check_money(&settlement)
	});
}

/// What each of two pages shows.
const EMBEDDED: Duration = Duration::from_secs(8);

#[test]
fn player_in_pages_of_others_watches_with_its_own_key_and_asks_no_wallet() {
	Lab::run(async |lab| {
		let mut scene = Scene::start_on(lab, Network::shared(lab).await?, &[TERMS]).await?;
		let origin = scene.origin.address.clone();
		let relayer = &mut scene.relayers[0];
		relayer.stop().await?;
		let at = format!("127.0.0.1:{}", free_port()?);
		let mut run = relayer.command(&scene.network, &origin, scene.origin.stream)?;
		run.args(["--web", &at]);
		relayer.start(lab, &mut run).await?;

		let page = format!("http://{at}/");
		let framed = get(&format!("{page}embed.html")).await?;
		let policy = framed.field("content-security-policy").context("a policy")?;
		ensure!(policy.contains("frame-ancestors *;"), "{policy}");
		let facts = get(&format!("{page}relayer.json")).await?;
		ensure!(
			facts.field("access-control-allow-origin") == Some("*"),
			"other pages read it"
		);
		let deployment = get(&format!("{page}deployment.json")).await?;
		ensure!(
			deployment.field("access-control-allow-origin").is_none(),
			"only its own page"
		);

		let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
		let embed = share()?.join("embed");
		let mut command = Command::new(tool("node")?);
		command.arg(folder.join("js/embed.mjs")).args([
			&page,
			&scene.origin.stream.to_string(),
			&scene.viewer.account.to_string(),
			&EMBEDDED.as_secs().to_string(),
		]);
		command.arg(embed);
		if let Some(shots) = std::env::var_os("CLUSTERCAST_SHOTS") {
			command.arg("--shots").arg(shots);
		}
		let mut browser = Process::spawn(lab, "browser", &mut command)?;
		let asked = browser.json_line().await.context("session keys")?;
		let mut authorise = vec![calls::deposit(5 * USDC)];
		for name in ["element", "frame"] {
			let text = |field: &str| asked[name][field].as_str().context("a text");
			let there = text("there")?;
			ensure!(
				there == format!("{page}?stream={}", scene.origin.stream),
				"nobody's deployment: {there}"
			);
			authorise.push(calls::authorize_session(
				&text("key")?.parse()?,
				USDC,
				0,
				asked[name]["expiry"].as_u64().context("a block")?.try_into()?,
				&text("proof")?.parse()?,
			));
		}
		ensure!(
			asked["element"]["key"] != asked["frame"]["key"],
			"each has its own: {asked}"
		);
		let chain = scene.network.books().chain().clone();
		chain
			.submit(
				&Wallet::from_suri(&scene.viewer.uri)?,
				&calls::batch_all(authorise),
				Wait::Finalised,
			)
			.await
			.context("keys and proofs of both")?;

		let said = tokio::time::timeout(PATIENCE, browser.json_line())
			.await
			.context("it ends")??;
		ensure!(browser.wait(PATIENCE).await?.success(), "{said}");
		println!("{said}");
		for name in ["element", "frame"] {
			let shown = said["shown"][name].as_f64();
			ensure!(shown > Some(0.7 * EMBEDDED.as_secs_f64()), "{name}: {said}");
		}
		ensure!(said["asked"] == serde_json::json!([]), "a wallet was asked: {said}");
		ensure!(said["complaints"] == serde_json::json!([]), "{said}");
		ensure!(said["said"]["stopped"] == "stopped", "{said}");
		let spent = said["said"]["spent"].as_str().context("what was spent")?;
		ensure!(spent.ends_with(" USDC") && spent != "0 USDC", "{said}");
		let mut known = [
			page.trim_end_matches('/'),
			said["origin"].as_str().context("its origin")?,
		];
		let mut requests: Vec<&str> = said["requests"]
			.as_array()
			.context("whom it asked")?
			.iter()
			.filter_map(|one| one.as_str())
			.collect();
		known.sort_unstable();
		requests.sort_unstable();
		ensure!(requests == known, "{said}");
		let counts = scene.relayers[0].counts().await?;
		ensure!(counts.tickets > 0, "nothing was paid: {counts:?}");
		let settlement = scene.settle_up().await?;
		scene.check_money(&settlement)
	});
}
