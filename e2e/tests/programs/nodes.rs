//! Several nodes in `--rpc`: whichever of them goes down, stands still or has another chain, those who watch notice nothing, nothing
//! is settled by what a stranger says, and no transaction runs twice.

use super::troubles::{log, plays_for, port, until_metric, PATIENCE};
use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Chain, NodeUrl, Wait, Wallet};
use clustercast_e2e::{
	http,
	lab::Lab,
	network::{Network, Person, START_MONEY},
	programs::Relayer,
	record::follow_each_other,
	scene::{Scene, TERMS},
	switch::Switch,
};
use clustercast_primitives::Balance;
use futures::future::try_join_all;
use std::{
	net::TcpListener,
	process::Stdio,
	time::{Duration, Instant},
};
use tokio::{io::copy_bidirectional, net::TcpStream, process::Command, time::sleep};

/// Longer than a node of another chain is left alone.
const STRANGER: Duration = Duration::from_secs(90);

/// Which of these nodes a relayer asks, by its metrics.
async fn asked(relayer: &Relayer, urls: &[String]) -> Result<Option<usize>> {
	let said = http::text(&format!("http://{}/metrics", relayer.metrics())).await?;
	let is_asked = |url: &String| said.contains(&format!("clustercast_relayer_node{{node=\"{url}\"}} 1"));
	Ok(urls.iter().position(is_asked))
}

async fn until_asked(relayer: &Relayer, urls: &[String], node: usize, patience: Duration) -> Result<()> {
	let began = Instant::now();
	while asked(relayer, urls).await? != Some(node) {
		ensure!(began.elapsed() < patience, "it does not go to {}", urls[node]);
		sleep(Duration::from_millis(200)).await;
	}
	Ok(())
}

#[test]
fn viewers_notice_nothing_of_nodes_that_fail_and_nobody_believes_another_chain() {
	Lab::run(async |lab| {
		let mut network = Network::shared(lab).await?;
		let whole = [port(&network.rpc(0))?, port(&network.rpc(1))?];
		let (_still_node, still) = network.standing_still(lab, "still").await?;
		let (_stranger_node, stranger) = network.stranger(lab, "stranger").await?;
		let nodes = [Switch::to(whole[0]).await?, Switch::to(whole[1]).await?];
		let urls = nodes.each_ref().map(Switch::url);
		network.lead(urls.join(","));
		let mut scene = Scene::start_on(lab, network, &[TERMS]).await?;
		let address = scene.relayers[0].address.clone();
		let mut player = scene.watch_from(lab, "player", &[&address], &[])?;
		player.wait_windows(3, PATIENCE).await?;
		until_asked(&scene.relayers[0], &urls, 0, PATIENCE).await?;

		// The first one knows of nothing new from now on.
		nodes[0].turn(Some(still));
		let began = Instant::now();
		plays_for(&mut player, Duration::from_secs(4)).await?;
		until_asked(&scene.relayers[0], &urls, 1, PATIENCE).await?;
		println!("the second node is asked after {:?}", began.elapsed());
		plays_for(&mut player, Duration::from_secs(10)).await?;
		until_metric(&scene.relayers[0], "head_age_seconds", |age| age < 10).await?;

		// Then another chain is where it was, and the second one is down: winners wait, and nobody judges them.
		nodes[0].turn(Some(stranger));
		nodes[1].turn(None);
		plays_for(&mut player, Duration::from_secs(20)).await?;
		ensure!(asked(&scene.relayers[0], &urls).await?.is_none(), "a stranger is asked");
		for name in ["relayer-1", "player", "origin"] {
			let said = log(lab, name)?;
			let times = said.matches("this node has another chain").count();
			ensure!(times == 1, "{name} says so {times} times: {said}");
		}
		nodes[1].turn(Some(whole[1]));
		until_asked(&scene.relayers[0], &urls, 1, PATIENCE).await?;
		until_metric(&scene.relayers[0], "head_age_seconds", |age| age < 10).await?;
		plays_for(&mut player, Duration::from_secs(4)).await?;

		// The first one has our chain again: it is found out, and takes over.
		nodes[0].turn(Some(whole[0]));
		nodes[1].turn(None);
		until_asked(&scene.relayers[0], &urls, 0, STRANGER).await?;
		plays_for(&mut player, Duration::from_secs(4)).await?;
		until_metric(&scene.relayers[0], "redeemed_micro_usdc", |redeemed| redeemed > 0).await?;

		for name in ["lost_micro_usdc", "tickets_refused_total", "subscriptions_closed_total"] {
			let count = scene.relayers[0].metric(name).await?;
			ensure!(count == 0, "{name}: {count}");
		}
		let summary = player.stop().await?;
		follow_each_other(&player.windows()?)?;
		ensure!(summary["gaps"] == 0, "{summary}");
		let said = log(lab, "player")?;
		for wrong in ["left relayer", "blacklisted", "Unpaid"] {
			ensure!(!said.contains(wrong), "{said}");
		}
		scene.relayers[0].stop().await
	});
}

/// Each moves another amount, so that whichever ran twice or never is known by the sum.
const AMOUNTS: std::ops::Range<Balance> = 1_000..1_024;

#[test]
fn transactions_run_once_whichever_node_is_gone_to_while_they_are_on_their_way() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let (sender, recipient) = (Person::new(lab, "sender")?, Person::new(lab, "recipient")?);
		network.fund(&[(sender.account, START_MONEY)]).await?;
		let whole = [port(&network.rpc(0))?, port(&network.rpc(1))?];
		let nodes = [Switch::to(whole[0]).await?, Switch::to(whole[1]).await?];
		let urls: Vec<NodeUrl> = nodes
			.iter()
			.map(|node| Ok(node.url().parse()?))
			.collect::<Result<_>>()?;
		let chain = Chain::connect(&urls).await?;
		let wallet = Wallet::from_suri(&sender.uri)?;
		let (chain, wallet) = (&chain, &wallet);
		let transfers = AMOUNTS.map(|amount| async move {
			// Over some seconds, so that each is overtaken at another moment.
			let turn = u64::try_from(amount - AMOUNTS.start)?;
			sleep(Duration::from_millis(250 * turn)).await;
			let call = calls::transfer(&recipient.account, amount);
			chain
				.submit(wallet, &call, Wait::Finalised)
				.await
				.with_context(|| format!("{amount}"))
		});
		let turning = async {
			for turn in 0_usize.. {
				sleep(Duration::from_millis(330)).await;
				nodes[turn % 2].turn(None);
				sleep(Duration::from_millis(170)).await;
				nodes[turn % 2].turn(Some(whole[turn % 2]));
			}
		};
		tokio::select! {
			sent = try_join_all(transfers) => {
				let mut transactions: Vec<_> = sent?.iter().map(|included| included.transaction).collect();
				transactions.sort_unstable();
				transactions.dedup();
				ensure!(transactions.len() == AMOUNTS.count(), "some are told to be others");
			},
			() = turning => {},
		}
		println!("the node changed {} times", chain.asked().changes);
		ensure!(chain.asked().changes >= 8, "nothing was overtaken");
		let books = network.books().chain();
		let received = books
			.viewer_account(&recipient.account, Some(books.finalised_hash().await?))
			.await?;
		ensure!(received.free == AMOUNTS.sum::<Balance>(), "{received:?}");
		ensure!(wallet.rivals() == 0, "it takes itself for another program");
		Ok(())
	});
}

/// What stands behind a URL and is no node that can be asked: said by name within seconds, by programs that run on and by commands.
#[test]
fn a_node_that_cannot_be_asked_is_told_with_the_true_cause() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let taken = TcpListener::bind("127.0.0.1:0")?;
		let nobody = taken.local_addr()?.port();
		drop(taken);
		let real = port(&network.rpc(0))?;
		let forwarded = forward(real).await?;
		for (url, cause, at_once) in [
			(format!("http://127.0.0.1:{real}"), "write ws://127.0.0.1", true),
			(format!("127.0.0.1:{real}"), "expected ws://HOST:PORT", true),
			// A name by which the node does not know itself.
			(format!("ws://127.0.0.1:{forwarded}"), "refuses the host name", true),
			(format!("ws://127.0.0.1:{nobody}"), "refused", false),
		] {
			let mut account = Command::new(clustercast_e2e::process::program("clustercast-player")?);
			account.args(["account", "--account", "//Bob", "--rpc", &url]);
			account.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
			let began = Instant::now();
			let mut process = account.spawn()?;
			let said = said_by(process.stderr.take().context("a pipe")?, cause).await;
			said.with_context(|| format!("{url} after {:?}", began.elapsed()))?;
			ensure!(
				began.elapsed() < Duration::from_secs(10),
				"{url}: {:?}",
				began.elapsed()
			);
			if at_once {
				let status = tokio::time::timeout(Duration::from_secs(10), process.wait()).await??;
				ensure!(!status.success(), "{url}");
			}
		}
		Ok(())
	});
}

/// A port that leads to this one, with every byte as it is.
async fn forward(port: u16) -> Result<u16> {
	let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
	let own = listener.local_addr()?.port();
	tokio::spawn(async move {
		while let Ok((mut client, _)) = listener.accept().await {
			let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
				return;
			};
			tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
		}
	});
	Ok(own)
}

/// Reads until these words come.
async fn said_by(mut from: impl tokio::io::AsyncRead + Unpin, words: &str) -> Result<()> {
	use tokio::io::AsyncReadExt;
	let mut said = Vec::new();
	let reading = async {
		while from.read_buf(&mut said).await? > 0 {
			if String::from_utf8_lossy(&said).contains(words) {
				return Ok(());
			}
		}
		anyhow::bail!("it ends")
	};
	let outcome = tokio::time::timeout(PATIENCE, reading).await;
	outcome
		.unwrap_or_else(|_| Err(anyhow::anyhow!("it goes on")))
		.with_context(|| format!("{words:?} is not in {}", String::from_utf8_lossy(&said)))
}
