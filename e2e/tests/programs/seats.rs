//! Who has the seats of a stream. Its key limits its viewers: all relayers together serve so many, and as many again when one of them is
//! gone. Who watches has the seat of one who only stands by.

use anyhow::{bail, ensure, Context, Result};
use clustercast_e2e::{
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	programs::{mint, trade, Origin, Player, Relayer},
	scene::{PRICE_PER_GB, TERMS},
};
use futures::future::{try_join3, try_join_all};
use std::{fs, time::Duration};
use tokio::time::{sleep, timeout};

/// Viewers that the stream key allows.
const LIMIT: u64 = 3;

/// Who would like to watch: one more than that.
const NAMES: [&str; 4] = ["first", "second", "third", "fourth"];

/// Windows by which somebody watches.
const WATCHED: usize = 5;

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what a program tells of itself.
const LOOK: Duration = Duration::from_millis(200);

/// How often a viewer for whom there is no room must have been told so, to be sure that both were asked.
const REFUSALS: usize = 3;

#[test]
fn relayers_together_serve_as_many_as_the_stream_key_allows_and_share_anew_when_one_leaves() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let person = |name: &str| Person::new(lab, name);
		let broadcaster = person("broadcaster")?;
		let (one, other) = (person("one")?, person("other")?);
		let viewers = NAMES.map(person).into_iter().collect::<Result<Vec<_>>>()?;
		let people = viewers.iter().chain([&broadcaster, &one, &other]);
		let money: Vec<_> = people.map(|person| (person.account, START_MONEY)).collect();
		network.fund(&money).await?;
		let (stream, mut one, mut other) = try_join3(
			mint(&network, &broadcaster, PRICE_PER_GB),
			Relayer::register(lab, &network, one, "one", TERMS),
			Relayer::register(lab, &network, other, "other", TERMS),
		)
		.await?;
		let limit = ["--max-viewers", &LIMIT.to_string()];
		trade(&network, &broadcaster, "update", stream, &limit).await?;
		let origin = Origin::start(lab, &network, &broadcaster, stream, false).await?;
		one.run(lab, &network, &origin.address, stream).await?;
		other.run(lab, &network, &origin.address, stream).await?;
		let all = [&one, &other];
		let both = async {
			while seats(&all).await? != [1, 2] {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, both).await.context("they do not share")??;

		let watch = |(viewer, name): (&Person, &str)| {
			let port = free_port()?;
			let mut watch = Player::command(lab, name, &network, viewer, stream, port, name)?;
			let from = ["--relayer", &one.address, "--relayer", &other.address];
			Player::run(lab, name, port, watch.args(from))
		};
		let mut fit = viewers.iter().zip(NAMES);
		let mut players = fit
			.by_ref()
			.take(LIMIT as usize)
			.map(watch)
			.collect::<Result<Vec<_>>>()?;
		let all_watch = async {
			let watching = players.iter_mut().map(|player| player.wait_windows(2, PATIENCE));
			try_join_all(watching).await?;
			let one_more = fit.map(watch).collect::<Result<Vec<_>>>()?;
			let refused = async {
				while refusals(lab, NAMES[3])? < REFUSALS {
					sleep(LOOK).await;
				}
				anyhow::Ok(one_more)
			};
			timeout(PATIENCE, refused).await.context("the fourth is not refused")?
		};
		let one_more = tokio::select! {
			refused = all_watch => refused?,
			more = too_many(&all) => return more,
		};
		ensure!(watched(&all).await? == LIMIT, "not all seats are taken");
		players.extend(one_more);

		// Who had the one viewer goes, and its viewer has a place with the other.
		let (fewer, stays) = match seats(&[&one]).await? == [1] {
			true => (&mut one, &other),
			false => (&mut other, &one),
		};
		fewer.stop().await?;
		let left = [stays];
		let again = async {
			while seats(&left).await? != [LIMIT] || watched(&left).await? != LIMIT {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		tokio::select! {
			again = timeout(PATIENCE, again) => again.context("its part does not grow")?,
			more = too_many(&left) => more,
		}
	});
}

/// The fault: on a relayer of one stream the stream was full before it was asked who makes room.
#[test]
fn viewer_has_the_last_seat_of_a_relayer_of_one_stream_before_one_who_stands_by_there() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let names = ["broadcaster", "one", "other", "first", "second"];
		let people = names.map(|name| Person::new(lab, name));
		let [broadcaster, one, other, first, second] = people;
		let (broadcaster, one, other, first, second) = (broadcaster?, one?, other?, first?, second?);
		let all = [&broadcaster, &one, &other, &first, &second];
		network.fund(&all.map(|person| (person.account, START_MONEY))).await?;
		let (stream, mut one, mut other) = try_join3(
			mint(&network, &broadcaster, PRICE_PER_GB),
			Relayer::register(lab, &network, one, "one", TERMS),
			Relayer::register(lab, &network, other, "other", TERMS),
		)
		.await?;
		let origin = Origin::start(lab, &network, &broadcaster, stream, false).await?;
		let upstream = &origin.address;
		let with_one_seat = format!("max_viewers = 1\n[[streams]]\nid = {stream}\nupstream = \"{upstream}\"\n");
		one.run_configured(lab, &network, &with_one_seat).await?;
		other.run_configured(lab, &network, &with_one_seat).await?;

		let watch = |viewer: &Person, name: &str, from: &[&Relayer]| {
			let port = free_port()?;
			let mut watch = Player::command(lab, name, &network, viewer, stream, port, name)?;
			for relayer in from {
				watch.args(["--relayer", &relayer.address]);
			}
			Player::run(lab, name, port, &mut watch)
		};
		let relayers = [&one, &other];
		let mut watching = watch(&first, "first", &relayers)?;
		let has_both = async {
			while try_join_all(relayers.map(|relayer| relayer.metric("viewers"))).await? != [1, 1] {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		timeout(PATIENCE, has_both).await.context("it stands by nowhere")??;
		watching.wait_windows(WATCHED, PATIENCE).await?;
		let sent = try_join_all(relayers.map(|relayer| relayer.metric("bytes_sent_total"))).await?;
		let stands_by = if sent[0] < sent[1] { &one } else { &other };
		let mut comes = watch(&second, "second", &[stands_by])?;
		comes.wait_windows(WATCHED, PATIENCE).await?;
		let so_far = watching.windows()?.len();
		watching.wait_windows(so_far + WATCHED, PATIENCE).await.map(drop)
	});
}

/// What the relayers were told, the least first.
async fn seats(relayers: &[&Relayer]) -> Result<Vec<u64>> {
	let mut told = try_join_all(relayers.iter().map(|relayer| relayer.metric("seats"))).await?;
	told.sort_unstable();
	Ok(told)
}

/// Viewers of all of them.
async fn watched(relayers: &[&Relayer]) -> Result<u64> {
	let viewers = try_join_all(relayers.iter().map(|relayer| relayer.metric("viewers"))).await?;
	Ok(viewers.iter().sum())
}

/// Ends when there are more of them than the stream key allows.
async fn too_many(relayers: &[&Relayer]) -> Result<()> {
	loop {
		let viewers = watched(relayers).await?;
		if viewers > LIMIT {
			bail!("{viewers} viewers of a stream for {LIMIT}");
		}
		sleep(LOOK).await;
	}
}

/// How often a player was told that there is no room.
fn refusals(lab: &Lab, name: &str) -> Result<usize> {
	let log = fs::read_to_string(lab.path(&format!("{name}.log")))?;
	Ok(log.matches("no room for another viewer").count())
}
