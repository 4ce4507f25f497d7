//! What changes on the chain under those who broadcast, relay and watch: the price falls, a session key is revoked, the signing
//! key is replaced. Nobody's settings change, nobody is shut out, and no payment is refused.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Wait, Wallet};
use clustercast_e2e::{
	http,
	lab::{free_port, Lab},
	media::Window,
	network::{Network, Person, START_MONEY},
	programs::{mint, trade, Origin, Player, Relayer, Terms, TEST_PICTURE},
	scene::{PRICE_PER_GB, TERMS},
};
use futures::future::try_join3;
use std::{fs, time::Duration};
use tokio::time::{sleep, timeout, Instant};

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what a program tells of itself.
const LOOK: Duration = Duration::from_millis(200);

/// Asked before the price falls, and the most that is allowed afterwards: relayers may ask twice the stream's price.
const PRICES: (u64, u64) = (3 * PRICE_PER_GB / 2, PRICE_PER_GB);

#[test]
fn price_session_key_and_signing_key_change_while_people_watch() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let person = |name| Person::new(lab, name);
		let (broadcaster, one, other) = (person("broadcaster")?, person("one")?, person("other")?);
		let relayer = person("relayer")?;
		let money = [&broadcaster, &one, &other, &relayer].map(|person| (person.account, START_MONEY));
		network.fund(&money).await?;
		let terms = Terms {
			price_per_gb: PRICES.0,
			payment: "vouchers",
			..TERMS
		};
		let (stream, mut relayer) = futures::future::try_join(
			mint(&network, &broadcaster, PRICE_PER_GB),
			Relayer::register(lab, &network, relayer, "relayer", terms),
		)
		.await?;

		// Whoever broadcasts is at one of two places: who it is, is what the chain says.
		let mut places = Vec::new();
		for _ in 0..2 {
			places.push(format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port()?));
		}
		let start = async |name: &str, who: &Person, place: &str| {
			let mut run = Origin::command_at(lab, name, &network, who, stream, place)?;
			Origin::run(lab, name, stream, run.args(TEST_PICTURE)).await
		};
		let mut origin = start("origin", &broadcaster, &places[0]).await?;
		relayer.run(lab, &network, &places.join(","), stream).await?;
		let watch = |name: &str, viewer: &Person, state: &str| {
			let port = free_port()?;
			let mut watch = Player::command(lab, name, &network, viewer, stream, port, state)?;
			Player::run(lab, name, port, watch.args(["--relayer", &relayer.address]))
		};
		let (mut stays, mut revoked) = (watch("stays", &one, "one")?, watch("revoked", &other, "other")?);
		stays.wait_windows(3, PATIENCE).await?;
		revoked.wait_windows(3, PATIENCE).await?;

		// The owner of the stream makes it cheaper, and replaces its key; the second viewer revokes its session key elsewhere.
		let chain = network.books().chain();
		let session = chain.viewer_account(&other.account, None).await?.sessions;
		let session = session.first().context("a session key")?.key;
		let wallet = Wallet::from_suri(&other.uri)?;
		let revoke = async {
			let call = calls::revoke_session(&session);
			Ok(chain.submit(&wallet, &call, Wait::Finalised).await?)
		};
		let cheaper = ["--price-per-gb", &(PRICE_PER_GB / 2).to_string()];
		let cheap = trade(&network, &broadcaster, "set-terms", stream, &cheaper);
		let metrics = async || http::text(&format!("http://{}/metrics", relayer.metrics())).await;
		let falls = async {
			while relayer.metric("price_per_gb_micro_usdc").await? != PRICES.1 {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, try_join3(revoke, cheap, falls))
			.await
			.context("the price does not fall")??;
		let seen = stays.windows()?.len();
		stays.wait_windows(seen + 2, PATIENCE).await?;

		let successor = person("successor")?;
		let before = stays.windows()?;
		let key_file = successor.key_file.to_string_lossy().into_owned();
		trade(
			&network,
			&broadcaster,
			"rotate-key",
			stream,
			&["--signing-key", &key_file],
		)
		.await?;
		let replaced = Instant::now();
		let ends = origin.process.wait(PATIENCE).await?;
		println!("finalised to the old origin's end: {:?}", replaced.elapsed());
		ensure!(!ends.success(), "an origin whose key was replaced goes on");
		let said = log(lab, "origin")?;
		ensure!(said.contains("and not by this origin's key any more"), "{said}");
		let next = start("next", &successor, &places[1]).await?;
		let listens = Instant::now();
		let is_next = |window: &Window| {
			next.windows()
				.is_ok_and(|all| all.iter().any(|one| one.root == window.root))
		};
		let follows = async {
			while !stays.windows()?.last().is_some_and(is_next) {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, follows)
			.await
			.context("the new origin is not found")??;
		println!(
			"the next origin listens, to its first window seen: {:?}",
			listens.elapsed()
		);
		let old = origin.windows()?;
		let seen = stays.windows()?;
		ensure!(seen.len() > before.len(), "nothing more is seen");
		let strangers: Vec<_> = seen
			.iter()
			.filter(|window| !is_next(window) && !old.iter().any(|one| one.root == window.root))
			.collect();
		ensure!(strangers.is_empty(), "{strangers:?}");

		// Its viewer stops with the cause, and a fresh key is served at once.
		let ends = revoked.process.wait(PATIENCE).await?;
		ensure!(!ends.success(), "a revoked key pays on");
		let said = log(lab, "revoked")?;
		ensure!(said.contains("the session key was revoked"), "{said}");
		let mut fresh = watch("fresh", &other, "other")?;
		fresh.wait_windows(2, PATIENCE).await?;
		for (name, summary) in [("fresh", fresh.stop().await?), ("stays", stays.stop().await?)] {
			ensure!(summary["rejectedBytes"] == 0, "{name}: {summary}");
			let relayers = summary["relayers"].as_object().context("relayers")?;
			for figures in relayers.values() {
				ensure!(figures["faults"] == serde_json::json!([]), "{name}: {summary}");
				let setbacks = figures["setbacks"].as_object().context("setbacks")?;
				// Whose node heard first is chance.
				let others = setbacks
					.keys()
					.filter(|reason| !reason.contains("a replaced key of the stream signed"));
				ensure!(others.count() == 0, "{name}: {summary}");
			}
		}
		let said = metrics().await?;
		let refused = said
			.lines()
			.find(|line| line.starts_with("clustercast_relayer_tickets_refused_total"));
		ensure!(refused.is_none(), "{refused:?}");
		relayer.stop().await
	});
}

fn log(lab: &Lab, name: &str) -> Result<String> {
	let path = lab.path(&format!("{name}.log"));
	fs::read_to_string(&path).with_context(|| path.display().to_string())
}
