//! What befalls a relayer's own node and disk while people watch: they go on, here or with another relayer, and nobody is blamed.

use anyhow::{ensure, Result};
use clustercast_e2e::{
	lab::Lab,
	network::Network,
	programs::{Player, Relayer},
	record::follow_each_other,
	scene::{Scene, TERMS},
	switch::Switch,
};
use std::{
	fs::{self, File},
	io::Write,
	path::{Path, PathBuf},
	process::Command,
	time::{Duration, Instant},
};
use tokio::time::sleep;

/// A window takes 2 s; the rest is slack for a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than anybody who watches may wait for a window on a busy machine, and shorter than any payment may.
const STALLED: Duration = Duration::from_secs(12);

/// A port of a URL.
pub(super) fn port(url: &str) -> Result<u16> {
	Ok(url.rsplit(':').next().unwrap_or_default().parse()?)
}

/// Windows come for so long without a stall.
pub(super) async fn plays_for(player: &mut Player, time: Duration) -> Result<()> {
	let (began, mut windows, mut last) = (Instant::now(), player.windows()?.len(), Instant::now());
	while began.elapsed() < time {
		player.process.check_alive()?;
		let now = player.windows()?.len();
		if now > windows {
			(windows, last) = (now, Instant::now());
		}
		ensure!(last.elapsed() < STALLED, "no window behind {windows}");
		sleep(Duration::from_millis(200)).await;
	}
	Ok(())
}

pub(super) async fn until_metric(relayer: &Relayer, name: &str, fits: impl Fn(u64) -> bool) -> Result<()> {
	let began = Instant::now();
	loop {
		let value = relayer.metric(name).await?;
		if fits(value) {
			return Ok(());
		}
		ensure!(began.elapsed() < PATIENCE, "{name} stays {value}");
		sleep(Duration::from_millis(200)).await;
	}
}

pub(super) fn log(lab: &Lab, name: &str) -> Result<String> {
	Ok(fs::read_to_string(lab.path(&format!("{name}.log")))?)
}

/// Few megabytes that somebody else may take.
struct Disk(PathBuf);

impl Disk {
	/// Where nobody may mount one, nothing is tried on it.
	fn mount(at: &Path) -> Result<Option<Self>> {
		fs::create_dir_all(at)?;
		let mounted = Command::new("mount")
			.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
			.arg(at)
			.output()?;
		if !mounted.status.success() {
			println!("no disk is filled: no tmpfs can be mounted here");
			return Ok(None);
		}
		Ok(Some(Self(at.to_owned())))
	}

	fn fill(&self) -> Result<()> {
		let mut file = File::create(self.0.join("ballast"))?;
		while file.write_all(&[1; 4_096]).is_ok() {}
		Ok(())
	}

	fn empty(&self) -> Result<()> {
		Ok(fs::remove_file(self.0.join("ballast"))?)
	}
}

impl Drop for Disk {
	fn drop(&mut self) {
		// Also while the relayer has it.
		let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
	}
}

#[test]
fn a_node_that_stands_still_and_a_disk_that_fills_up_are_nobodys_fault() {
	Lab::run(async |lab| {
		let mut network = Network::shared(lab).await?;
		let whole = network.rpc(0);
		let switch = Switch::to(port(&whole)?).await?;
		let (_node, still) = network.standing_still(lab, "still").await?;
		network.lead(switch.url());
		let disk = Disk::mount(&lab.path("relayer-1.state"))?;
		let mut scene = Scene::start_on(lab, network, &[TERMS, TERMS]).await?;
		scene.network.lead(whole.clone());
		let relayers = [scene.relayers[0].address.clone(), scene.relayers[1].address.clone()];
		let mut player = scene.watch_from(lab, "player", &[&relayers[0], &relayers[1]], &[])?;
		player.wait_windows(3, PATIENCE).await?;

		// Its node is down for a while; then one answers that knows of nothing new, nor of this viewer.
		let began = Instant::now();
		switch.turn(None);
		plays_for(&mut player, Duration::from_secs(6)).await?;
		switch.turn(Some(still));
		plays_for(&mut player, Duration::from_secs(40).saturating_sub(began.elapsed())).await?;
		until_metric(&scene.relayers[0], "head_age_seconds", |age| age >= 38).await?;
		switch.turn(Some(port(&whole)?));
		until_metric(&scene.relayers[0], "head_age_seconds", |age| age < 10).await?;
		plays_for(&mut player, Duration::from_secs(6)).await?;
		for name in ["tickets_refused_total", "subscriptions_closed_total"] {
			let count = scene.relayers[0].metric(name).await?;
			ensure!(count == 0, "{name}: {count}");
		}
		let said = log(lab, "relayer-1")?;
		for words in ["going on by the clock", "tells of new blocks again"] {
			ensure!(said.contains(words), "{words:?}: {said}");
		}
		ensure!(!log(lab, "player")?.contains("left relayer"), "{}", log(lab, "player")?);

		if let Some(disk) = &disk {
			let tickets = scene.relayers[1].counts().await?.tickets;
			disk.fill()?;
			until_metric(&scene.relayers[0], "store_shut", |shut| shut == 1).await?;
			// On with the other one, at once.
			until_metric(&scene.relayers[1], "tickets_total", |now| now > tickets).await?;
			plays_for(&mut player, Duration::from_secs(4)).await?;
			// It serves nobody on. A last payment that won waits for the disk, for as long as any payment is waited for.
			until_metric(&scene.relayers[0], "viewers", |viewers| viewers == 0).await?;
			disk.empty()?;
			until_metric(&scene.relayers[0], "store_shut", |shut| shut == 0).await?;
			// And back, where that is the only one.
			let tickets = scene.relayers[0].counts().await?.tickets;
			scene.relayers[1].stop().await?;
			until_metric(&scene.relayers[0], "tickets_total", |now| now > tickets).await?;
			let said = log(lab, "relayer-1")?;
			// The place where it goes on after a restart is on that disk, too.
			let words = [
				"nothing is sold until they can",
				"payments are stored again",
				"a restart will begin live",
			];
			for words in words {
				ensure!(said.matches(words).count() == 1, "{words:?}: {said}");
			}
		}
		let summary = player.stop().await?;
		follow_each_other(&player.windows()?)?;
		ensure!(summary["gaps"] == 0, "{summary}");
		for wrong in ["blacklisted", "Unpaid", "did not come in time"] {
			ensure!(!log(lab, "player")?.contains(wrong), "{}", log(lab, "player")?);
		}
		scene.relayers[0].stop().await
	});
}
