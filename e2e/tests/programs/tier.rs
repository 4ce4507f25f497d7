//! The first tier of an origin that has a single copy to give: who comes behind it has the stream through who has it, and one that sells
//! to nobody loses its seat, since the origin buys as a customer.

use anyhow::{ensure, Result};
use clustercast_e2e::{
	byzantine::{Byzantine, Trick},
	http,
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	programs::{mint, until, Origin, Player, Relayer, Terms, TEST_PICTURE},
	scene::{PRICE_PER_GB, TERMS},
};
use futures::future::try_join3;
use std::time::Duration;

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of relayers that relayers may buy from.
const WHOLESALE: Terms = Terms {
	price_per_gb: PRICE_PER_GB / 2,
	..TERMS
};

/// What a relayer that may buy from others relays: what this origin says, if it is not refused.
fn below(origin: &Origin) -> String {
	format!(
		"[buying]\ndeposit = 5\nmax_price_per_gb = 1500000\n\n[[streams]]\nid = {}\nupstream = {:?}\n",
		origin.stream, origin.address
	)
}

/// An origin with one copy, and what else it is told.
async fn origin(lab: &Lab, network: &Network, broadcaster: &Person, stream: u64, more: &[&str]) -> Result<Origin> {
	let mut run = Origin::command(lab, "origin", network, broadcaster, stream)?;
	run.args(TEST_PICTURE).args(["--max-relayers", "1"]).args(more);
	Origin::run(lab, "origin", stream, &mut run).await
}

/// A figure of the origin, of those with this label where one is named.
async fn figure(metrics: &str, name: &str, label: &str) -> Result<u64> {
	let text = http::text(&format!("http://{metrics}/metrics")).await?;
	let name = format!("clustercast_origin_{name}");
	let samples = text
		.lines()
		.filter(|line| line.split([' ', '{']).next() == Some(&name) && line.contains(label));
	let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
	Ok(values.sum::<f64>() as u64)
}

#[test]
fn relayer_behind_the_copies_has_the_stream_through_who_has_it_and_its_copy_where_that_is_killed() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let people = ["broadcaster", "first", "second", "viewer"].map(|name| Person::new(lab, name));
		let [broadcaster, first, second, viewer] = people;
		let (broadcaster, first, second, viewer) = (broadcaster?, first?, second?, viewer?);
		let money = [&broadcaster, &first, &second, &viewer].map(|person| (person.account, START_MONEY));
		network.fund(&money).await?;
		let (stream, mut first, mut second) = try_join3(
			mint(&network, &broadcaster, PRICE_PER_GB),
			Relayer::register(lab, &network, first, "first", WHOLESALE),
			Relayer::register(lab, &network, second, "second", TERMS),
		)
		.await?;
		let metrics = format!("127.0.0.1:{}", free_port()?);
		let origin = origin(lab, &network, &broadcaster, stream, &["--metrics", &metrics]).await?;
		first.run(lab, &network, &origin.address, stream).await?;
		until("the first relayer has the copy", || async {
			Ok(first.metric("windows_total").await? >= 1)
		})
		.await?;
		second.run_configured(lab, &network, &below(&origin)).await?;
		let mut player = {
			let port = free_port()?;
			let mut watch = Player::command(lab, "player", &network, &viewer, stream, port, "wallet")?;
			Player::run(lab, "player", port, watch.args(["--relayer", &second.address]))?
		};
		player.wait_windows(3, PATIENCE).await?;
		ensure!(first.metric("viewers").await? == 1, "somebody else sells it");
		ensure!(
			second.metric("bought_micro_usdc_total").await? > 0,
			"nothing was bought"
		);
		ensure!(figure(&metrics, "relayers", "").await? == 1, "there is one copy");
		ensure!(figure(&metrics, "relayers_waiting", "").await? == 1, "nobody waits");
		ensure!(
			figure(&metrics, "seats_lost_total", "").await? == 0,
			"who acknowledges lost it"
		);

		// It acknowledges nothing any more: the other one has its copy, at the latest once its connection is known to be dead.
		first.kill_9().await?;
		let seen = player.windows()?.len();
		player.wait_windows(seen + 4, PATIENCE).await?;
		until("the second relayer has the copy", || async {
			Ok(figure(&metrics, "relayers_waiting", "").await? == 0)
		})
		.await?;
		// Which of the two came first goes by when it asked.
		let (lost, silent) = (
			figure(&metrics, "seats_lost_total", "").await?,
			figure(&metrics, "seats_lost_total", "Silent").await?,
		);
		ensure!(
			lost == silent && silent <= 1,
			"{lost} lost their seats, {silent} by silence"
		);
		ensure!(figure(&metrics, "relayers", "").await? == 1, "there is one copy");
		let summary = player.stop().await?;
		ensure!(summary["rejectedBytes"] == 0, "{summary}");
		second.stop().await
	});
}

#[test]
fn relayer_that_sells_to_nobody_loses_its_seat_to_one_that_waits() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let people = ["broadcaster", "liar", "honest", "customer", "other"].map(|name| Person::new(lab, name));
		let [broadcaster, liar, honest, customer, other] = people;
		let (broadcaster, liar, honest, customer, other) = (broadcaster?, liar?, honest?, customer?, other?);
		let money = [&broadcaster, &liar, &honest, &customer, &other].map(|person| (person.account, START_MONEY));
		network.fund(&money).await?;
		let (stream, mut honest) = futures::future::try_join(
			mint(&network, &broadcaster, PRICE_PER_GB),
			Relayer::register(lab, &network, honest, "honest", TERMS),
		)
		.await?;
		let metrics = format!("127.0.0.1:{}", free_port()?);
		let checks = [
			"--metrics",
			&metrics,
			"--check-account",
			&customer.uri,
			"--check-account",
			&other.uri,
			"--check-seconds",
			"3",
		];
		let origin = origin(lab, &network, &broadcaster, stream, &checks).await?;
		let broadcast = (stream, broadcaster.key, origin.address.as_str());
		let liar = Byzantine::start(&network, liar, WHOLESALE, broadcast, (0, Trick::Refuse)).await?;
		until("the liar has the copy", || async {
			Ok(figure(&metrics, "relayers", "").await? == 1)
		})
		.await?;
		honest.run_configured(lab, &network, &below(&origin)).await?;
		until("the honest one has the copy", || async {
			Ok(honest.metric("windows_total").await? >= 1)
		})
		.await?;
		ensure!(liar.subscriptions() >= 2, "nobody asked the liar");
		let refused = figure(&metrics, "seats_lost_total", "Refused").await?;
		ensure!(refused == 1, "{refused} seats were lost by refusals");
		ensure!(figure(&metrics, "relayers", "").await? == 1, "there is one copy");

		// Whoever has it now sells to the customers, and keeps it.
		until("the honest one is checked", || async {
			Ok(figure(&metrics, "checks_total", "Served").await? >= 3)
		})
		.await?;
		ensure!(honest.counts().await?.tickets > 0, "it is paid nothing");
		ensure!(
			figure(&metrics, "spent_micro_usdc_total", "").await? > 0,
			"nothing was spent"
		);
		let refused = figure(&metrics, "seats_lost_total", "Refused").await?;
		ensure!(refused == 1, "{refused} seats were lost by refusals");
		honest.stop().await
	});
}
