//! What cannot work says so in one clear line, and with an exit code.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	process::{output, program},
	programs::{command, mint, register},
	scene::PRICE_PER_GB,
};
use std::{
	net::{TcpListener, UdpSocket},
	time::Duration,
};
use tokio::process::Command;

/// The longest of them waits 20 s for a node.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program that cannot succeed: one line of error with all these words in it.
async fn fails(command: &mut Command, words: &[&str]) -> Result<()> {
	let output = output(command.env("RUST_LOG", "off").env_remove("RUST_BACKTRACE"), PATIENCE).await?;
	let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
	let what = format!("{:?}: {}: {said:?}", command.as_std(), output.status);
	ensure!(output.status.code().is_some_and(|code| code != 0), "{what}");
	ensure!(said.lines().count() == 1, "not one line: {what}");
	for word in words {
		ensure!(said.contains(word), "does not say {word:?}: {what}");
	}
	ensure!(!said.contains("panicked"), "{what}");
	Ok(())
}

#[test]
fn demo_says_what_is_missing() {
	Lab::run(async |lab| {
		let demo = || program("clustercast-demo").map(Command::new);
		let taken = TcpListener::bind("127.0.0.1:0")?;
		let port = taken.local_addr()?.port().to_string();
		fails(demo()?.args(["--rpc-port", &port]), &[&port, "in use", "--rpc-port"]).await?;
		let free = free_port()?.to_string();
		fails(
			demo()?.args(["--rpc-port", &free, "--hls-port", &port]),
			&[&port, "in use", "--hls-port"],
		)
		.await?;
		let (rpc, hls) = (free_port()?.to_string(), free_port()?.to_string());
		let ports = ["--rpc-port", &rpc, "--hls-port", &hls];
		fails(
			demo()?.args(ports).env("PATH", lab.path("")),
			&["ffmpeg", "scripts/setup"],
		)
		.await?;
		let empty = lab.path("");
		fails(
			demo()?.args(ports).env("CLUSTERCAST_BIN", empty),
			&["clustercast-node", "scripts/build"],
		)
		.await
	});
}

#[test]
fn programs_say_what_is_wrong() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let (broadcaster, relayer) = (Person::new(lab, "broadcaster")?, Person::new(lab, "relayer")?);
		network
			.fund(&[(broadcaster.account, START_MONEY), (relayer.account, START_MONEY)])
			.await?;
		let stream = mint(&network, &broadcaster, PRICE_PER_GB).await?.to_string();

		let nowhere = format!("ws://127.0.0.1:{}", free_port()?);
		let wrong_node = async |name: &str, more: &[&str]| {
			let mut command = Command::new(program(name)?);
			command
				.args(more)
				.args(["--rpc", &nowhere])
				.arg("--state")
				.arg(lab.path("unused"));
			fails(&mut command, &[&nowhere])
				.await
				.with_context(|| format!("{name}, no node"))
		};
		let watch = ["watch", "--account", "//Bob", "--stream", &stream];
		wrong_node("clustercast-player", &watch).await?;

		let taken = UdpSocket::bind("127.0.0.1:0")?;
		let listen = format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr()?.port());
		let any = "/ip4/127.0.0.1/udp/0/quic-v1";
		let origin = |stream: &str, listen: &str| -> Result<Command> {
			let mut run = command("clustercast-origin", "run", &network)?;
			run.args(["--stream", stream, "--input", "test", "--listen", listen])
				.arg("--signing-key");
			run.arg(&broadcaster.key_file).arg("--state").arg(lab.path("origin"));
			Ok(run)
		};
		fails(&mut origin("4242", any)?, &["4242"])
			.await
			.context("origin, unknown stream")?;
		fails(&mut origin(&stream, &listen)?, &["in use"])
			.await
			.context("origin, port in use")?;
		fails(origin(&stream, any)?.env("PATH", lab.path("")), &["ffmpeg"])
			.await
			.context("origin, no ffmpeg")?;

		let mut watch = command("clustercast-player", "watch", &network)?;
		watch
			.args(["--account", "//Bob", "--stream", "4242"])
			.arg("--state")
			.arg(lab.path("player"));
		fails(&mut watch, &["4242"]).await.context("player, unknown stream")?;

		register(&network, &relayer, &[any], PRICE_PER_GB).await?;
		let peer = clustercast_network::peer_id(&broadcaster.key)?;
		let mut run = command("clustercast-relayer", "run", &network)?;
		run.args(["--account", &relayer.uri, "--listen", &listen, "--stream", &stream])
			.args([
				"--upstream",
				&format!("{any}/p2p/{peer}"),
				"--price-per-gb",
				"100",
				"--face-value",
				"0.05",
			])
			.arg("--identity")
			.arg(&relayer.key_file)
			.arg("--state")
			.arg(lab.path("relayer"));
		fails(&mut run, &["in use"]).await.context("relayer, port in use")
	});
}
