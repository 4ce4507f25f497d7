//! kill -9 loses no money and stops no chain.

use anyhow::{ensure, Context};
use clustercast_e2e::{
	gauge::Gauge,
	lab::Lab,
	media::latencies_ms,
	network::Network,
	programs::Terms,
	record::follow_each_other,
	scene::{Scene, TERMS},
};
use clustercast_primitives::{amount::USDC, Hash};
use std::{collections::BTreeSet, time::Duration};

/// Winners that wait when the relayer is killed for the first time.
const WINNERS: u64 = 3;

/// Enough for the winners to come in: about six windows, more when luck is bad.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of capture until it is played.
const PLAYHEAD: Duration = Duration::from_secs(6);

/// Neither value nor age is ever reached.
const NEVER: Terms = Terms {
	face_value: 1_500,
	redeem_value: USDC * 9 / 10,
	redeem_age_s: 100_000,
	..TERMS
};

#[test]
fn relayer_killed_between_winning_and_redeeming_is_paid_once() {
	Lab::run(async |lab| {
		let mut scene = Scene::start(lab, None, &[NEVER]).await?;
		let (origin, stream) = (scene.origin.address.clone(), scene.origin.stream);
		let mut player = scene.watch(lab, "player", &[])?;
		let mut windows = 0;
		while scene.relayers[0].counts().await?.winners < WINNERS {
			windows = player.wait_windows(windows + 1, PATIENCE).await?.len();
		}
		scene.relayers[0].kill_9().await?;
		let won = scene.relayers[0].winners(&scene.network)?;
		ensure!(won.len() as u64 >= WINNERS, "{} winners in the store", won.len());

		// From now on it redeems at once: killed again while the batch is on its way, then left to finish. The viewer
		// comes back to it each time, since there is no other.
		scene.relayers[0].redeem_at(1, 1);
		let relayer = &mut scene.relayers[0];
		relayer.run(lab, &scene.network, &origin, stream).await?;
		let books = scene.network.books();
		let best = books.chain().head().best;
		books
			.wait_head("a block after the restart", |head| head.best > best)
			.await?;
		relayer.kill_9().await?;
		relayer.run(lab, &scene.network, &origin, stream).await?;
		player.wait_windows(windows + 2, PATIENCE).await?;
		player.stop().await?;

		let settlement = scene.settle_up().await?;
		let paid: Vec<Hash> = settlement.activity.redeemed.iter().map(|ticket| ticket.id).collect();
		let unique: BTreeSet<Hash> = paid.iter().copied().collect();
		ensure!(paid.len() == unique.len(), "a ticket was paid twice: {paid:?}");
		ensure!(won.is_subset(&unique), "lost: {:?}", won.difference(&unique));
		ensure!(
			settlement.winners == unique,
			"store and chain differ: {:?}",
			settlement.winners
		);
		let value = settlement.activity.paid_out();
		ensure!(
			value == NEVER.face_value * unique.len() as u128,
			"{value} micro-USDC paid"
		);
		scene.check_money(&settlement)?;
		println!(
			"{} winners, {} of them won before the first kill -9, each paid once",
			unique.len(),
			won.len()
		);
		Ok(())
	});
}

/// Each of the two relayers is killed in its turn while it sends, and comes back.
#[test]
fn parent_that_is_killed_stalls_nobody() {
	Lab::run(async |lab| {
		let mut scene = Scene::start_on(lab, Network::shared(lab).await?, &[TERMS, TERMS]).await?;
		let (origin, stream) = (scene.origin.address.clone(), scene.origin.stream);
		let addresses: Vec<String> = scene.relayers.iter().map(|relayer| relayer.address.clone()).collect();
		let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
		let gauge = Gauge::start();
		let mut player = scene.watch_from(lab, "player", &addresses, &[])?;
		let mut seen = player.wait_windows(6, PATIENCE).await?;
		for _ in 0..2 {
			let parent = seen
				.last()
				.and_then(|window| window.relayer.clone())
				.context("a window")?;
			let at = scene.relayers.iter().position(|relayer| relayer.peer() == parent);
			let killed = &mut scene.relayers[at.context("one of ours")?];
			killed.kill_9().await?;
			seen = player.wait_windows(seen.len() + 5, PATIENCE).await?;
			ensure!(
				seen.last().and_then(|window| window.relayer.as_ref()) != Some(&parent),
				"{seen:?}"
			);
			killed.run(lab, &scene.network, &origin, stream).await?;
			// Long enough to stand by again.
			seen = player.wait_windows(seen.len() + 8, PATIENCE).await?;
		}
		let summary = player.stop().await?;
		ensure!(summary["gaps"] == 0 && summary["rejectedBytes"] == 0, "{summary}");
		let log = player.windows()?;
		follow_each_other(&log)?;
		scene.origin.recording()?.check_output(&player.recording()?)?;
		// The first ones are what the relayer had.
		let worst = latencies_ms(&log[2..]).into_iter().max().context("a window")?;
		println!("two relayers killed: {worst} ms from capture to playable at worst");
		ensure!(
			Duration::from_millis(worst) < PLAYHEAD + gauge.late() * 2,
			"{worst} ms, this machine is {:?} late: {:?}",
			gauge.late(),
			latencies_ms(&log)
		);
		Ok(())
	});
}

#[test]
fn one_validator_of_four_may_die() {
	/// Blocks that must be finalised while it is dead.
	const BLOCKS: u32 = 5;

	Lab::run(async |lab| {
		let mut network = Network::start(lab, None).await?;
		network.kill_9(3).await?;
		let head = network.books().chain().head();
		let meanwhile = network.books().finalised(head.best + BLOCKS).await?;
		println!("without it, {BLOCKS} blocks past {} are finalised", head.best);

		let returned = network.restart(lab, 3).await?;
		let caught_up = returned.finalised(meanwhile.number).await?;
		ensure!(
			caught_up == meanwhile,
			"it follows another chain: {caught_up:?}, not {meanwhile:?}"
		);
		// And takes part: its turn comes once in four blocks.
		let next = network
			.books()
			.finalised(network.books().chain().head().best + 4)
			.await?;
		ensure!(returned.finalised(next.number).await? == next, "it fell behind again");
		Ok(())
	});
}
