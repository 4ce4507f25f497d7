//! `clustercast-network FILE`: four validators that tests share, until its standard input ends. FILE then says where they
//! are; it is not there before they finalise blocks. See `clustercast_e2e::network`.

use anyhow::{Context, Result};
use clustercast_e2e::{lab::Lab, network::Network};
use std::{
	env, fs,
	io::{copy, sink, stdin},
	path::PathBuf,
};
use tokio::task::spawn_blocking;

#[tokio::main]
async fn main() -> Result<()> {
	let file = env::args_os().nth(1).map(PathBuf::from);
	let file = file.context("usage: clustercast-network FILE")?;
	let lab = Lab::new("network")?;
	let network = Network::start(&lab, None).await?;
	// Whoever waits for the file finds it whole.
	let written = file.with_extension("part");
	fs::write(&written, network.describe()).with_context(|| written.display().to_string())?;
	fs::rename(&written, &file)?;
	spawn_blocking(|| copy(&mut stdin(), &mut sink())).await??;
	lab.passed();
	Ok(())
}
