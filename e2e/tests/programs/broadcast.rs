//! A whole broadcast: what the viewer gets is what was sent, any player plays it, in time, and the money adds up; and
//! an encoder that dies does not end it.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	lab::Lab,
	media::{decode, latencies_ms, percentile, probe, MediaStream},
	programs::{Player, Terms},
	scene::{Scene, TERMS},
};
use nix::sys::signal::{kill, Signal};
use std::time::{Duration, Instant};

/// Windows of the first part: 24 s.
const WINDOWS: usize = 12;

/// Each window's ticket wins in more than half of the cases: that none of the first part's does has p < 0.0002.
const OFTEN: Terms = Terms {
	face_value: 1_500,
	..TERMS
};

/// A window takes 2 s; the rest is starting up and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn broadcast_reaches_the_viewer_whole_and_is_paid() {
	Lab::run(async |lab| {
		let dearer = Terms {
			price_per_gb: OFTEN.price_per_gb + 100,
			..OFTEN
		};
		let mut scene = Scene::start(lab, None, &[OFTEN, dearer]).await?;
		let mut player = scene.watch(lab, "player", &[])?;
		plays_anywhere(&mut player).await?;
		player.wait_windows(WINDOWS, PATIENCE).await?;
		let summary = player.stop().await?;

		file_is_the_broadcast(&scene, &player).await?;
		delay_is_below_five_seconds(&player)?;
		let tickets = summary["tickets"].as_u64().context("tickets")?;
		// One for each 700 kB, which a window passes by up to its length.
		ensure!(
			tickets >= WINDOWS as u64 / 4 && tickets <= WINDOWS as u64,
			"{tickets} tickets for {WINDOWS} windows: {summary}"
		);
		ensure!(summary["rejectedBytes"] == 0 && summary["gaps"] == 0, "{summary}");

		encoder_restart_goes_unnoticed(&scene, lab).await?;
		money_adds_up(&mut scene).await
	});
}

/// FFmpeg, which knows nothing of us, plays what the player serves.
async fn plays_anywhere(player: &mut Player) -> Result<()> {
	player.wait_windows(4, PATIENCE).await?;
	let frames = decode(&player.hls, 4).await.context("local HLS")?;
	ensure!(frames >= 90, "4 s of HLS had {frames} frames");
	Ok(())
}

/// Byte for byte, and it is what a file of 480p should be.
async fn file_is_the_broadcast(scene: &Scene, player: &Player) -> Result<()> {
	let (broadcast, received) = (scene.origin.recording()?, player.recording()?);
	ensure!(received.len() >= WINDOWS, "{} windows", received.len());
	broadcast.check_output(&received)?;
	let video = MediaStream {
		codec_name: "h264".into(),
		width: Some(854),
		height: Some(480),
	};
	let audio = MediaStream {
		codec_name: "aac".into(),
		width: None,
		height: None,
	};
	let streams = probe(player.output()).await?;
	ensure!(streams == [video, audio], "{streams:?}");
	let frames = decode(player.output(), 3600).await?;
	// 2 s windows of at least 24 frames a second.
	ensure!(
		frames as usize >= received.len() * 48,
		"{frames} frames in {} windows",
		received.len()
	);
	Ok(())
}

fn delay_is_below_five_seconds(player: &Player) -> Result<()> {
	let delays = latencies_ms(&player.windows()?);
	let at = |percent| percentile(&delays, percent).context("no window");
	println!("capture to playable: {} ms median, {} ms p95", at(50)?, at(95)?);
	ensure!(at(95)? < 5_000, "{delays:?}");
	Ok(())
}

/// kill -9 of each FFmpeg under the origin, decoder and both encoders: others go on, the viewer sees one unbroken chain of windows.
async fn encoder_restart_goes_unnoticed(scene: &Scene, lab: &Lab) -> Result<()> {
	let mut player = scene.watch(lab, "second-player", &[])?;
	let mut windows = player.wait_windows(2, PATIENCE).await?.len();
	let children = scene.origin.process.children("ffmpeg")?;
	ensure!(children.len() == 3, "{children:?}");
	for child in &children {
		kill(*child, Signal::SIGKILL)?;
		let killed = Instant::now();
		windows = player.wait_windows(windows + 2, PATIENCE).await?.len();
		println!(
			"two windows within {:.1} s of the death of one FFmpeg",
			killed.elapsed().as_secs_f32()
		);
	}
	let others = scene.origin.process.children("ffmpeg")?;
	ensure!(
		others.len() == 3 && others.iter().all(|other| !children.contains(other)),
		"{children:?}, then {others:?}"
	);
	let summary = player.stop().await?;
	ensure!(summary["gaps"] == 0 && summary["rejectedBytes"] == 0, "{summary}");
	scene.origin.recording()?.check_output(&player.recording()?)
}

/// All winners are paid, and every account has exactly what tickets and fees say.
async fn money_adds_up(scene: &mut Scene) -> Result<()> {
	let settlement = scene.settle_up().await?;
	let (winners, activity) = (settlement.winners.len(), &settlement.activity);
	ensure!(winners > 0, "no ticket won");
	ensure!(
		activity.redeemed.len() == winners,
		"{winners} won, {} paid",
		activity.redeemed.len()
	);
	let value = activity.paid_out();
	ensure!(
		value == OFTEN.face_value * winners as u128,
		"{value} micro-USDC for {winners} winners"
	);
	ensure!(activity.refused == 0, "{} refused", activity.refused);
	scene.check_money(&settlement)?;
	println!(
		"{winners} winners paid {} micro-USDC; redeeming cost {} micro-USDC",
		activity.paid_out(),
		activity.redemption_fees
	);
	Ok(())
}
