//! A viewer in a browser, which has nothing of ours but the page that a relayer serves: it verifies and pays as the player does.
//!
//! The screenshots of each state are left where `CLUSTERCAST_SHOTS` says.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Wait, Wallet};
use clustercast_e2e::{
	byzantine::{Byzantine, Trick},
	gauge::Gauge,
	http::get,
	lab::Lab,
	network::{Network, Person, START_MONEY},
	process::{program, tool, Process},
	programs::{Terms, TEST_PICTURE},
	scene::{Scene, TERMS},
};
use clustercast_primitives::amount::USDC;
use futures::future::try_join;
use serde_json::{json, Value};
use std::{
	path::{Path, PathBuf},
	time::Duration,
};
use tokio::{process::Command, time::timeout};

/// What the browser watches for.
const WATCHED: Duration = Duration::from_secs(20);

/// Starting a browser, the authorisation, watching, and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Pictures of the test picture a second.
const RATE: u64 = 30;

/// A machine that is later than this by its own clock says nothing of ours.
const BUSY: Duration = Duration::from_millis(250);

/// Longest time without a new picture over one relayer that dies and one that lies, milliseconds.
const LONGEST: u64 = 2_000;

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

/// One of the scripts in `js/`.
fn script(name: &str, arguments: &[&str]) -> Result<Command> {
	let mut command = Command::new(tool("node")?);
	command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("js").join(name));
	command.args(arguments);
	Ok(command)
}

/// Stops a relayer of the scene, and runs it again.
async fn restart(lab: &Lab, scene: &mut Scene, which: usize) -> Result<()> {
	let Scene {
		network,
		origin,
		relayers,
		..
	} = scene;
	relayers[which].stop().await?;
	relayers[which].run(lab, network, &origin.address, origin.stream).await
}

/// The viewer's wallet deposits, and signs for the session key that its page showed.
async fn authorise(scene: &Scene, asked: &Value) -> Result<()> {
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
	let chain = scene.network.books().chain();
	chain
		.submit(&Wallet::from_suri(&scene.viewer.uri)?, &authorise, Wait::Finalised)
		.await
		.context("the page's key and proof")?;
	Ok(())
}

#[test]
fn browser_verifies_shows_and_pays() {
	Lab::run(async |lab| {
		// One of its own: its page is to ask no other relayer's.
		let mut scene = Scene::start_on(lab, Network::start(lab, None).await?, &[TERMS]).await?;
		let page = scene.relayers[0].serve_browsers(&scene.network).await?;
		restart(lab, &mut scene, 0).await?;
		let front = get(&page).await?;
		check_strict(front.field("content-security-policy").context("a policy")?)?;
		ensure!(
			!front.text().contains("<script>") && !front.text().contains("style="),
			"something is inline"
		);

		let account = scene.viewer.account.to_string();
		let mut command = script("watch.mjs", &[&page, &account, &WATCHED.as_secs().to_string()])?;
		if let Some(shots) = std::env::var_os("CLUSTERCAST_SHOTS") {
			command.arg("--shots").arg(shots);
		}
		let gauge = Gauge::start();
		let mut browser = Process::spawn(lab, "browser", &mut command)?;
		let asked = browser.json_line().await.context("a session key")?;
		authorise(&scene, &asked).await?;

		let said = timeout(PATIENCE, browser.json_line()).await.context("it ends")??;
		let late = gauge.late();
		ensure!(browser.wait(PATIENCE).await?.success(), "{said}");
		println!("{said}; this machine was {late:?} late");
		let number = |value: &Value| value.as_f64().context("a number");
		let frames = said["frames"].as_u64().context("frames")?;
		ensure!(said["complaints"] == json!([]), "{said}");
		ensure!(said["requests"] == json!([page.trim_end_matches('/')]), "{said}");
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
		// One of its own: its page is to ask no other relayer's.
		let mut scene = Scene::start_on(lab, Network::start(lab, None).await?, &[TERMS]).await?;
		let page = scene.relayers[0].serve_browsers(&scene.network).await?;
		restart(lab, &mut scene, 0).await?;
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

		let (stream, account) = (scene.origin.stream.to_string(), scene.viewer.account.to_string());
		let seconds = EMBEDDED.as_secs().to_string();
		let mut command = script("embed.mjs", &[&page, &stream, &account, &seconds])?;
		command.arg(share()?.join("embed"));
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

		let said = timeout(PATIENCE, browser.json_line()).await.context("it ends")??;
		ensure!(browser.wait(PATIENCE).await?.success(), "{said}");
		println!("{said}");
		for name in ["element", "frame"] {
			let shown = said["shown"][name].as_f64();
			ensure!(shown > Some(0.7 * EMBEDDED.as_secs_f64()), "{name}: {said}");
		}
		ensure!(said["asked"] == json!([]), "a wallet was asked: {said}");
		ensure!(said["complaints"] == json!([]), "{said}");
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

/// What Chromium complains of, whatever a page does: that nobody answers where a relayer was.
const NOBODY_THERE: [&str; 2] = ["net::ERR_CONNECTION_REFUSED", "WebTransport"];

/// The relayer that served the page is killed, the next one lies at its second window, and the picture goes on from the third. That one
/// is paid for what it brought, and so is the liar for its first window alone.
#[test]
fn browser_goes_on_from_another_relayer_where_one_is_killed_and_one_lies() {
	Lab::run(async |lab| {
		let input = [TEST_PICTURE, &["--max-relayers", "4"]].concat();
		// One of its own: the pages of others on a chain that is shared would ask those that it registers, and some of these are killed.
		let network = Network::start(lab, None).await?;
		let mut scene = Scene::start_showing(lab, network, &input, &[TERMS, TERMS]).await?;
		let liar = Person::new(lab, "liar")?;
		scene.network.fund(&[(liar.account, START_MONEY)]).await?;
		// Asks less, and so comes before the honest one.
		let cheap = Terms {
			price_per_gb: TERMS.price_per_gb - 1,
			..TERMS
		};
		let key = liar.key;
		let [first, second] = &mut scene.relayers[..] else {
			anyhow::bail!("there are two relayers");
		};
		let [page, _] = <[String; 2]>::from(
			try_join(
				first.serve_browsers(&scene.network),
				second.serve_browsers(&scene.network),
			)
			.await?,
		);
		let broadcast = (
			scene.origin.stream,
			scene.broadcaster.key,
			scene.origin.address.as_str(),
		);
		let liar = Byzantine::start_for_browsers(&scene.network, liar, cheap, broadcast, (1, Trick::FlipBit)).await?;
		// Who serves the page has read the registry with the others in it.
		restart(lab, &mut scene, 1).await?;
		restart(lab, &mut scene, 0).await?;

		let (account, last) = (scene.viewer.account.to_string(), scene.relayers[1].person.key);
		let last = last.to_string();
		let mut browser = Process::spawn(lab, "browser", &mut script("failover.mjs", &[&page, &account, &last])?)?;
		let asked = browser.json_line().await.context("a session key")?;
		authorise(&scene, &asked).await?;
		let plays = timeout(PATIENCE, browser.json_line()).await.context("it plays")??;
		ensure!(
			sends(&plays["plays"]) == scene.relayers[0].person.key.to_string(),
			"{plays}"
		);
		ensure!(
			scene.relayers[0].counts().await?.tickets > 0,
			"the first one was not paid"
		);
		let gauge = Gauge::start();
		scene.relayers[0].kill_9().await?;
		let said = timeout(PATIENCE, browser.json_line()).await.context("it goes on")??;
		let late = gauge.late();
		ensure!(browser.wait(PATIENCE).await?.success(), "{said}");
		println!("{said}; this machine was {late:?} late");

		ensure!(said["state"] == "playing" && sends(&said["sources"]) == last, "{said}");
		ensure!(said["rejected"] == "1", "{said}");
		let of = |key: &str| {
			let sources = said["sources"].as_array().into_iter().flatten();
			let mut lines = sources.filter(|source| source["key"] == key);
			lines
				.find_map(|source| source["text"].as_str())
				.unwrap_or_default()
				.to_owned()
		};
		ensure!(of(&key.to_string()).ends_with("lied"), "{said}");
		ensure!(of(&last).ends_with('%'), "{said}");
		let left = of(&scene.relayers[0].person.key.to_string());
		ensure!(
			left.ends_with("fell silent") || left.ends_with("connection lost"),
			"{said}"
		);
		ensure!(
			liar.subscriptions() == 1 && liar.tricks() == 1 && liar.tickets() <= 1,
			"tried again or paid: {said}"
		);
		ensure!(
			scene.relayers[1].counts().await?.tickets > 0,
			"the last one was not paid: {said}"
		);
		let complaints = said["complaints"].as_array().context("a list")?;
		let is_known = |line: &Value| {
			line.as_str()
				.is_some_and(|line| NOBODY_THERE.iter().any(|known| line.contains(known)))
		};
		ensure!(complaints.iter().all(is_known), "{said}");
		if late < BUSY {
			let seconds = said["seconds"].as_u64().context("a number")?;
			ensure!(said["after"].as_u64() >= Some(seconds * RATE * 3 / 4), "{said}");
			ensure!(said["longest"].as_u64() <= Some(LONGEST), "{said}");
		}
		Ok(())
	});
}

/// Who sends, of what the page shows.
fn sends(sources: &Value) -> &str {
	let sources = sources.as_array().into_iter().flatten();
	let mut sending = sources.filter(|source| source["sends"] == true);
	sending.find_map(|source| source["key"].as_str()).unwrap_or_default()
}
