//! One relayer carries the streams of two broadcasters: each is paid for its own, and goes on where the other one's origin is killed.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	programs::{mint, Origin, Player, Relayer},
	scene::{settle, PRICE_PER_GB, TERMS},
};
use clustercast_primitives::AccountId;
use futures::future::{try_join, try_join3};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};
use tokio::time::{sleep, timeout};

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what a program tells of itself.
const LOOK: Duration = Duration::from_millis(200);

/// A stream that nobody minted.
const NOWHERE: u64 = 1 << 40;

#[test]
fn one_relayer_carries_two_broadcasters_and_pays_each_for_its_own() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let person = |name| Person::new(lab, name);
		let (first, second) = (person("first-broadcaster")?, person("second-broadcaster")?);
		let (one, other, zapper) = (person("one")?, person("other")?, person("zapper")?);
		let carrier = person("relayer")?;
		let people = [&first, &second, &one, &other, &zapper, &carrier].map(|person| person.account);
		let money: Vec<_> = people.iter().map(|account| (*account, START_MONEY)).collect();
		network.fund(&money).await?;
		let books = network.books();
		let before = books.snapshot(books.settle().await?).await?;

		let (stream, other_stream, mut relayer) = try_join3(
			mint(&network, &first, PRICE_PER_GB),
			mint(&network, &second, PRICE_PER_GB),
			Relayer::register(lab, &network, carrier, "relayer", TERMS),
		)
		.await?;
		let (mut origin, other_origin) = try_join(
			Origin::start_as(lab, "first", &network, &first, stream, false),
			Origin::start_as(lab, "second", &network, &second, other_stream, false),
		)
		.await?;
		let streams = [
			(stream, origin.address.as_str()),
			(other_stream, other_origin.address.as_str()),
		];
		// A stream that is not there is found at the start, by its number.
		let nowhere = [streams[0], (NOWHERE, streams[1].1)];
		let refused = relayer.run_streams(lab, &network, &nowhere).await;
		ensure!(refused.is_err(), "it starts");
		let said = std::fs::read_to_string(lab.path("relayer.log"))?;
		ensure!(said.contains(&format!("there is no stream {NOWHERE}")), "{said}");
		relayer.run_streams(lab, &network, &streams).await?;

		let watch = |name: &str, viewer: &Person, stream: u64, state: &str| {
			let port = free_port()?;
			let mut watch = Player::command(lab, name, &network, viewer, stream, port, state)?;
			Player::run(lab, name, port, watch.args(["--relayer", &relayer.address]))
		};
		let mut stays = watch("one", &one, stream, "one")?;
		// Which ticket wins is a lottery: one of each stream has to.
		relayer.wait_winners(1, PATIENCE).await?;
		let mut goes_on = watch("other", &other, other_stream, "other")?;
		let mut zaps = watch("zapper-first", &zapper, stream, "zapper")?;
		stays.wait_windows(4, PATIENCE).await?;
		goes_on.wait_windows(4, PATIENCE).await?;
		zaps.wait_windows(4, PATIENCE).await?;
		zaps.stop().await?;
		let mut zapped = watch("zapper-second", &zapper, other_stream, "zapper")?;
		zapped.wait_windows(4, PATIENCE).await?;
		ensure!(relayer.metric("upstream_connected").await? == 2, "both are there");

		origin.process.kill_9().await?;
		let lost = async {
			while relayer.metric("upstream_connected").await? != 1 {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, lost).await.context("its loss is not noticed")??;
		let seen = (goes_on.windows()?.len(), zapped.windows()?.len());
		goes_on.wait_windows(seen.0 + 4, PATIENCE).await?;
		zapped.wait_windows(seen.1 + 4, PATIENCE).await?;
		let won = relayer.counts().await?.winners;
		relayer.wait_winners(won + 1, PATIENCE).await?;

		// Each saw what its own broadcaster published, and nothing else.
		let roots = |windows: Vec<clustercast_e2e::media::Window>| -> BTreeSet<String> {
			windows.iter().map(|window| window.root.to_string()).collect()
		};
		let published = (roots(origin.windows()?), roots(other_origin.windows()?));
		for (name, seen, published) in [
			("one", roots(stays.windows()?), &published.0),
			("other", roots(goes_on.windows()?), &published.1),
			("zapper", roots(zaps.windows()?), &published.0),
			("zapper, later", roots(zapped.windows()?), &published.1),
		] {
			ensure!(
				!seen.is_empty() && seen.is_subset(published),
				"{name} saw something else"
			);
		}
		let summaries = (goes_on.stop().await?, zapped.stop().await?, stays.stop().await?);
		for summary in [&summaries.0, &summaries.1, &summaries.2] {
			ensure!(summary["rejectedBytes"] == 0, "{summary}");
		}
		relayer.stop().await?;

		// To the last micro-USDC, by stream.
		let winners = relayer.winners_by_stream(&network)?;
		let settlement = settle(&network, &before, &[&relayer], &people).await?;
		let activity = &settlement.activity;
		let carried: BTreeSet<u64> = winners.values().copied().collect();
		ensure!(
			carried == BTreeSet::from([stream, other_stream]),
			"tickets won for {carried:?}"
		);
		let mut expected: BTreeMap<AccountId, i128> = BTreeMap::new();
		let mut add = |account: AccountId, amount: u128, sign: i128| -> Result<()> {
			*expected.entry(account).or_default() += sign * i128::try_from(amount)?;
			Ok(())
		};
		for ticket in &activity.redeemed {
			let of_the_first = winners[&ticket.id] == stream;
			let broadcaster = if of_the_first { &first } else { &second };
			add(ticket.sender, ticket.paid_out(), -1)?;
			add(ticket.recipient, ticket.payout.relayer, 1)?;
			add(broadcaster.account, ticket.payout.broadcaster, 1)?;
		}
		for account in people {
			add(account, activity.fees_of(&account), -1)?;
		}
		let changes = before.changes(&settlement.after);
		for (account, expected) in expected {
			let change = changes.get(&account).copied().unwrap_or(0);
			ensure!(
				change == expected,
				"{account} changed by {change} micro-USDC, not by {expected}"
			);
		}
		Ok(())
	});
}
