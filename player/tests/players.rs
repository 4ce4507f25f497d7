//! Stock players in a real browser, and FFmpeg, watch a made-up broadcast with faults; each must show moving pictures to the end.
//! e2e/js/players.mjs has the faults and how long a picture may stand still behind each.

use std::{env, path::PathBuf, process::Command};

/// The page; hls.js with its defaults, also opened right behind a restart; FFmpeg. e2e/js/players.mjs knows more of them.
const PLAYERS: &str = "page,hls.js,hls.js-late,ffmpeg";

/// The program that serves the broadcast: cargo builds examples with tests, beside them.
fn serve() -> PathBuf {
	let test = env::current_exe().expect("this test is a file");
	let folder = test
		.parent()
		.and_then(|deps| deps.parent())
		.expect("it lies in a folder of the target folder");
	folder.join("examples/serve")
}

#[test]
fn stock_players_play_through_restart_gap_other_pictures_and_pause() {
	let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../e2e/js/players.mjs");
	let mut command = Command::new("node");
	command.arg(script).arg(serve()).args([
		"--players",
		PLAYERS,
		"--pause",
		"10",
		"--faults",
		"restart,miss,source,pause",
	]);
	let status = command.status().expect("node, as scripts/setup test installs it");
	assert!(status.success(), "a line above says who stood still, and when");
}
