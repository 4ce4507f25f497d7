//! Stock players in real browsers, and programs, watch a made-up broadcast with faults side by side; each must show moving pictures to
//! the end. e2e/js/players.mjs has the faults and how long a picture may stand still behind each.

use std::{env, path::PathBuf, process::Command};

/// The page; hls.js with its defaults, also opened right behind a restart; programs. e2e/js/players.mjs knows more of them.
const PLAYERS: &str = "page,hls.js,hls.js-late,ffmpeg,mpv";

/// The program that serves the broadcast: cargo builds examples with tests, beside them.
fn serve() -> PathBuf {
	let test = env::current_exe().expect("this test is a file");
	let folder = test
		.parent()
		.and_then(|deps| deps.parent())
		.expect("it lies in a folder of the target folder");
	folder.join("examples/serve")
}

fn play(node: &[&str], players: &str, faults: &str, pause: &str) {
	let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../e2e/js/players.mjs");
	let mut command = Command::new("node");
	command.args(node).arg(script).arg(serve());
	command.args(["--players", players, "--pause", pause, "--faults", faults]);
	let status = command.status().expect("node, as scripts/setup test installs it");
	assert!(status.success(), "a line above says who stood still, and when");
}

#[test]
fn stock_players_play_through_restart_other_relayer_gap_pause_and_other_pictures() {
	play(&[], PLAYERS, "restart 5,stall,miss,pause,source", "10");
}

#[test]
#[ignore = "takes five minutes, firefox-esr and GStreamer"]
fn more_stock_players_play_through_two_minutes_of_pause() {
	let players = format!("{PLAYERS},dash.js,gstreamer,page-firefox");
	// Firefox is spoken to over a WebSocket, which Node.js has without this from 22 on.
	let node = ["--experimental-websocket"];
	play(&node, &players, "restart,stall,miss,pause,source,epoch", "120");
}
