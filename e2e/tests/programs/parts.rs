//! A broadcast in parts of 200 ms: verified, paid and listed part by part, in as few receipts as whole segments; how late it is, beside
//! a control of the machine, for the player itself and for a stock player in a browser.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	gauge::Gauge,
	http::get,
	lab::Lab,
	media::Window,
	network::Network,
	process::{output, tool},
	programs::{Player, TEST_PICTURE},
	scene::{Scene, TERMS},
};
use std::{collections::BTreeSet, fs, path::Path, time::Duration};
use tokio::process::Command;

/// Starting up, and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Parts of a segment.
const PARTS: u16 = 10;

/// Parts that are watched: 24 s.
const WATCHED: usize = 120;

/// The first ones come from the cache, with the time that was gone before.
const SETTLING: usize = 30;

/// A machine that is later than this by its own clock says nothing of ours.
const BUSY: Duration = Duration::from_millis(250);

/// What delays may be where it is not: issues no verdict on a busy machine, and is far above what is measured on a quiet one.
const LATE_MS: u64 = 1_500;

/// How far hls.js, with nothing set, may show a picture behind its capture, seconds: three parts of a list's hold back, and what a browser
/// needs. With whole segments it is 6 to 8.
const BROWSER_BEHIND: f64 = 3.0;

/// From the capture of a part's first picture to where it could be played, milliseconds; sorted.
fn delays(windows: &[Window]) -> Result<Vec<u64>> {
	let delay = |window: &Window| Some(window.playable_ms?.saturating_sub(window.start_ms));
	let mut delays: Vec<u64> = windows.iter().map(delay).collect::<Option<_>>().context("times")?;
	delays.sort_unstable();
	Ok(delays)
}

/// Each part behind the one before.
fn follow_each_other(windows: &[Window]) -> Result<()> {
	for pair in windows.windows(2) {
		let ((segment, part), next) = (pair[0].place(), pair[1].place());
		let expected = if part + 1 == PARTS {
			(segment + 1, 0)
		} else {
			(segment, part + 1)
		};
		ensure!(next == expected, "{next:?} follows {:?}", (segment, part));
	}
	Ok(())
}

/// How far hls.js in Chromium shows pictures behind their capture after a while, seconds.
async fn behind_in_a_browser(lab: &Lab, player: &Player) -> Result<f64> {
	let (page, steps) = (player.hls.replace("index.m3u8", ""), lab.path("steps.json"));
	fs::write(&steps, "[]")?;
	let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/players.mjs");
	let mut command = Command::new(tool("node")?);
	command
		.arg(script)
		.arg(page)
		.args(["--players", "hls.js", "--steps"])
		.arg(steps);
	let output = output(&mut command, PATIENCE).await?;
	let (said, complaints) = (
		String::from_utf8_lossy(&output.stdout),
		String::from_utf8_lossy(&output.stderr),
	);
	ensure!(output.status.success(), "{said}{complaints}");
	let verdict: serde_json::Value = serde_json::from_str(&said)?;
	verdict["behind"]["begin"].as_f64().with_context(|| said.into_owned())
}

#[test]
fn parts_are_watched_paid_and_listed_as_they_come() {
	Lab::run(async |lab| {
		let input: Vec<&str> = TEST_PICTURE.iter().copied().chain(["--low-latency"]).collect();
		let mut scene = Scene::start_showing(lab, Network::shared(lab).await?, &input, &[TERMS]).await?;
		let relayer = scene.relayers[0].address.clone();
		let mut player = scene.watch_from(lab, "player", &[&relayer], &[])?;
		player.wait_windows(SETTLING, PATIENCE).await?;
		let gauge = Gauge::start();
		let windows = player.wait_windows(WATCHED, PATIENCE).await?;
		let late = gauge.late();
		follow_each_other(&windows)?;

		let list = get(&player.hls).await?.text();
		for tag in [
			"#EXT-X-PART-INF:PART-TARGET=0.200\n",
			"CAN-BLOCK-RELOAD=YES",
			"#EXT-X-PRELOAD-HINT:TYPE=PART",
		] {
			ensure!(list.contains(tag), "{tag}: {list}");
		}
		let parts = list.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count();
		ensure!(parts >= 2 * usize::from(PARTS), "{parts} parts are listed: {list}");
		let hint = list
			.lines()
			.find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""));
		let hint = hint.and_then(|hint| hint.strip_suffix('"')).context("a name")?;
		let next = get(&player.hls.replace("index.m3u8", hint)).await?;
		ensure!(next.status == 200 && !next.body.is_empty(), "{}", next.status);

		let delays = delays(&windows[SETTLING..])?;
		let of = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)];
		println!(
			"from capture to playable: median {} ms, p95 {} ms; this machine was {late:?} late",
			of(50),
			of(95)
		);
		ensure!(
			late > BUSY || of(95) < LATE_MS,
			"late on a machine that is not: {delays:?}"
		);

		let gauge = Gauge::start();
		let behind = behind_in_a_browser(lab, &player).await?;
		let late = gauge.late();
		println!("hls.js shows pictures {behind} s behind their capture; this machine was {late:?} late");
		ensure!(late > BUSY || behind < BROWSER_BEHIND, "{behind} s behind in a browser");

		let windows = player.windows()?;
		let summary = player.stop().await?;
		let paid = summary["tickets"].as_u64().context("a count")?;
		let segments: BTreeSet<u64> = windows.iter().map(|window| window.segment).collect();
		ensure!(
			paid > 0 && paid <= segments.len() as u64 + 4,
			"{paid} payments for {} segments",
			segments.len()
		);
		let settlement = scene.settle_up().await?;
		scene.check_money(&settlement)
	});
}
