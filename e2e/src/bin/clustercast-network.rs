//! `clustercast-network FILE`: four validators that tests share, until its standard input ends. FILE says where they are; it is
//! not there before they finalise blocks. Their logs are kept, unless the last line that it reads is `passed`.

use anyhow::{Context, Result};
use clustercast_e2e::{lab::Lab, network::Network};
use std::{
	env, fs,
	io::{read_to_string, stdin},
	path::PathBuf,
};
use tokio::task::spawn_blocking;

#[tokio::main]
async fn main() -> Result<()> {
	let file = env::args_os().nth(1).map(PathBuf::from);
	let file = file.filter(|file| !file.as_os_str().as_encoded_bytes().starts_with(b"-"));
	let file = file.context("usage: clustercast-network FILE")?;
	let lab = Lab::new("network")?;
	let mut network = Network::start(&lab, None).await?;
	// Whoever waits for the file finds it whole.
	let written = file.with_extension("part");
	fs::write(&written, network.describe()).with_context(|| written.display().to_string())?;
	fs::rename(&written, &file)?;
	let said = spawn_blocking(|| read_to_string(stdin())).await??;
	network.check_alive()?;
	if said.trim() == "passed" {
		lab.passed();
	}
	Ok(())
}
