//! Relayers that cheat are caught before anything of it is written, are paid nothing, and the viewer goes on elsewhere.
//! One that signed for what it did is convicted, and its bond frozen, without anybody lifting a finger.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	byzantine::{Byzantine, Trick},
	lab::Lab,
	network::{Network, Person, START_MONEY},
	programs::TEST_PICTURE,
	scene::{Scene, TERMS},
};
use clustercast_primitives::amount::USDC;
use futures::future::try_join_all;
use std::time::Duration;

/// Windows that the viewer watches.
const WINDOWS: usize = 8;

/// All five are met within a few windows' time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the player says of each trick.
const CAUGHT: [(Trick, &str); 5] = [
	(Trick::SignWrong, "is not what the broadcaster signed"),
	(Trick::FlipBit, "is not what the broadcaster signed"),
	(Trick::SwapChunks, "is not what the broadcaster signed"),
	(Trick::ReplayOld, "again"),
	(Trick::OmitOne, "in place of"),
];

/// The viewer's first choice serves two windows and leaves, so that it is in the middle of the stream when it turns to
/// the next: five who cheat at their first window. The honest one is its last choice.
#[test]
fn cheating_relayers_are_caught_and_paid_nothing() {
	Lab::run(async |lab| {
		// All of them take it from the origin.
		let input = [TEST_PICTURE, &["--max-relayers", "7"]].concat();
		let scene = Scene::start_showing(lab, Network::shared(lab).await?, &input, &[TERMS]).await?;
		let plans = [(2, Trick::Leave)]
			.into_iter()
			.chain(CAUGHT.map(|(trick, _)| (0, trick)));
		let mut cheats = start(lab, &scene, plans.collect()).await?;
		let guide = cheats.remove(0);

		let chain = scene.network.books().chain();

		let choices = [&guide]
			.into_iter()
			.chain(&cheats)
			.map(|relayer| relayer.address.as_str());
		let choices: Vec<&str> = choices.chain([scene.relayers[0].address.as_str()]).collect();
		let mut player = scene.watch_from(
			lab,
			"player",
			&choices,
			&["--windows", &WINDOWS.to_string(), "--standbys", "0"],
		)?;
		let summary = player.finish(PATIENCE).await?;

		let figures = |address: &str| summary["relayers"][address.rsplit('/').next().unwrap_or_default()].clone();
		ensure!(guide.tickets() == 2, "the guide got {} tickets", guide.tickets());
		for (cheat, (trick, words)) in cheats.iter().zip(CAUGHT) {
			let seen = figures(&cheat.address);
			let faults = seen["faults"]
				.as_array()
				.with_context(|| format!("{trick:?} unseen: {summary}"))?;
			ensure!(
				faults.len() == 1 && faults[0].as_str().is_some_and(|fault| fault.contains(words)),
				"{trick:?}: {seen}"
			);
			ensure!(
				cheat.tricks() == 1 && cheat.subscriptions() == 1,
				"{trick:?} was tried again: {seen}"
			);
			ensure!(
				cheat.tickets() == 0 && seen["windows"] == 0 && seen["tickets"] == 0,
				"{trick:?} was paid: {seen}"
			);
		}
		ensure!(summary["rejectedBytes"].as_u64() > Some(0), "{summary}");
		let honest = figures(&scene.relayers[0].address);
		ensure!(
			honest["windows"] == WINDOWS - 2 && honest["faults"] == serde_json::json!([]),
			"{honest}"
		);

		ensure!(summary["reports"] == 1, "{summary}");
		scene.network.books().settle().await?;
		let registered = chain.relayers().await?;
		for (cheat, (trick, _)) in cheats.iter().zip(CAUGHT) {
			let bond = registered.iter().find(|r| r.account == cheat.account).map(|r| r.bond);
			// Frozen, and so in no list; what it loses is paid a day later.
			let expected = (trick != Trick::SignWrong).then_some(10 * USDC);
			ensure!(bond == expected, "{trick:?}: a bond of {bond:?}");
		}

		ensure!(summary["gaps"] == 0, "{summary}");
		let received = player.recording()?;
		ensure!(received.len() == WINDOWS, "{} windows", received.len());
		scene.origin.recording()?.check_output(&received)
	});
}

/// Relayers that each play one trick, in this order.
async fn start(lab: &Lab, scene: &Scene, plans: Vec<(usize, Trick)>) -> Result<Vec<Byzantine>> {
	let people = (0..plans.len())
		.map(|rank| Person::new(lab, &format!("cheat-{rank}")))
		.collect::<Result<Vec<_>>>()?;
	scene
		.network
		.fund(
			&people
				.iter()
				.map(|person| (person.account, START_MONEY))
				.collect::<Vec<_>>(),
		)
		.await?;
	let broadcast = (
		scene.origin.stream,
		scene.broadcaster.key,
		scene.origin.address.as_str(),
	);
	let starts = people
		.into_iter()
		.zip(plans)
		.map(|(person, plan)| Byzantine::start(&scene.network, person, TERMS, broadcast, plan));
	try_join_all(starts).await
}
