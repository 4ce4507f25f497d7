//! The demo: starts everything, shows the money moving, and says at the end what was measured.

use crate::{
	books::Activity,
	bridge::{Bridge, Wallet},
	lab::Lab,
	media::{latencies_ms, percentile},
	process::{program, tool},
	programs::{Counts, Player, Terms},
	scene::{Scene, Settlement, TERMS},
};
use anyhow::{ensure, Context, Result};
use clap::Parser;
use clustercast_primitives::{amount::USDC, Balance, BlockNumber, Usdc};
use serde::Serialize;
use std::{
	fmt,
	net::TcpListener,
	path::PathBuf,
	time::{Duration, Instant},
};
use tokio::signal::unix::{signal, SignalKind};

/// What a relayer takes back to the L2 at the end, micro-USDC.
const WITHDRAWN: Balance = 20 * USDC;

/// Of it, what whoever executes that is paid, micro-USDC.
const WITHDRAWAL_FEE: Balance = USDC / 50;

/// How often a line is shown.
const LINE_EVERY: Duration = Duration::from_secs(4);

/// Longest that starting to play may take: the viewer's deposit has to be final.
const FIRST_WINDOW: Duration = Duration::from_secs(60);

/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Exit code of a run that failed, or whose money or output is not as it must be.
const FAILED: u8 = 1;

/// An L2, four validators and the bridge between them, an origin with generated 480p video, two relayers and a viewer
/// who pays them with USDC from the L2, all on this machine.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Options {
	/// How long the viewer watches, seconds.
	#[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=86_400))]
	pub seconds: u64,

	/// Writes the summary to this file, as JSON.
	#[arg(long, value_name = "FILE")]
	pub json: Option<PathBuf>,

	/// Port of the first validator's JSON-RPC.
	#[arg(long, value_name = "PORT", default_value_t = 9944)]
	pub rpc_port: u16,

	/// Port of the viewer's local HLS.
	#[arg(long, value_name = "PORT", default_value_t = 8880)]
	pub hls_port: u16,
}

/// What was measured. Amounts in micro-USDC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
	/// Seconds from the viewer's start to its end.
	pub seconds: u64,
	/// Windows that the viewer verified and wrote.
	pub windows: usize,
	/// Bytes of them.
	pub verified_bytes: u64,
	/// Bytes that the viewer refused.
	pub rejected_bytes: u64,
	/// Tickets that the viewer signed.
	pub tickets: u64,
	/// Tickets that the relayers found to win.
	pub winners: usize,
	/// Winners that the finalised chain paid.
	pub redeemed: usize,
	/// Face value of these.
	pub redeemed_micro_usdc: Balance,
	/// Relayers' shares of these.
	pub relayers_micro_usdc: Balance,
	/// Broadcaster's share of these.
	pub broadcaster_micro_usdc: Balance,
	/// Treasury's share of these.
	pub treasury_micro_usdc: Balance,
	/// Fees of all transactions: registering, minting, depositing, redeeming.
	pub fees_micro_usdc: Balance,
	/// Fees of the redemptions alone.
	pub redemption_fees_micro_usdc: Balance,
	/// Deposited on the L2 before anybody watched.
	pub deposited_micro_usdc: Balance,
	/// Taken back to the L2 by a relayer at the end, fee included.
	pub withdrawn_micro_usdc: Balance,
	/// What the vault holds in the end.
	pub vault_micro_usdc: Balance,
	/// Milliseconds from asking for the withdrawal to having it.
	pub withdrawal_ms: u64,
	/// Median milliseconds from capture to playable at the viewer.
	pub latency_ms_p50: u64,
	/// 95th percentile of the same.
	pub latency_ms_p95: u64,
	/// Blocks that were finalised.
	pub finalised_blocks: BlockNumber,
	/// Issuance and the sum over all accounts are what they were, and everyone has what tickets and fees say.
	pub supply_ok: bool,
	/// The vault held what the chain had issued: when everyone was funded, when all was redeemed, and in the end.
	pub vault_agrees: bool,
	/// The viewer's file is the broadcast, byte for byte but for its media times.
	pub output_matches_origin: bool,
}

/// Runs the demo; the process's exit code. Prints one line on standard error when it cannot.
pub fn main() -> u8 {
	let options = Options::parse();
	let runtime = match tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()
	{
		Ok(runtime) => runtime,
		Err(error) => {
			eprintln!("clustercast-demo: {error}");
			return FAILED;
		},
	};
	let outcome = runtime.block_on(start(&options));
	outcome.unwrap_or_else(|error| {
		eprintln!("clustercast-demo: {}", format!("{error:#}").replace('\n', " "));
		FAILED
	})
}

async fn interrupted() -> &'static str {
	let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
	else {
		return std::future::pending().await;
	};
	tokio::select! {
		_ = interrupt.recv() => "interrupted",
		_ = terminate.recv() => "terminated",
	}
}

async fn start(options: &Options) -> Result<u8> {
	check(options)?;
	let lab = Lab::new("demo")?;
	// Whatever ends the run also drops, and so kills, all that it started.
	tokio::select! {
		outcome = run(&lab, options) => outcome,
		name = interrupted() => {
			lab.passed();
			eprintln!("\n{name}: everything is stopped");
			Ok(INTERRUPTED)
		},
	}
}

/// What would only be noticed half-way otherwise.
fn check(options: &Options) -> Result<()> {
	for name in [
		"clustercast-node",
		"clustercast-bridge",
		"clustercast-origin",
		"clustercast-relayer",
		"clustercast-player",
	] {
		program(name)?;
	}
	tool("ffmpeg")?;
	for (port, flag) in [(options.rpc_port, "--rpc-port"), (options.hls_port, "--hls-port")] {
		TcpListener::bind(("127.0.0.1", port))
			.with_context(|| format!("port {port} is in use: free it, or choose another with {flag}"))?;
	}
	Ok(())
}

async fn run(lab: &Lab, options: &Options) -> Result<u8> {
	let summary = show(lab, options).await?;
	print!("{summary}");
	if let Some(path) = &options.json {
		let json = serde_json::to_string_pretty(&summary)?;
		std::fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
	}
	if !summary.supply_ok || !summary.vault_agrees || !summary.output_matches_origin {
		return Ok(FAILED);
	}
	lab.passed();
	Ok(0)
}

async fn show(lab: &Lab, options: &Options) -> Result<Summary> {
	println!("starting an L2, four validators, the bridge, an origin and two relayers...");
	let dearer = Terms {
		price_per_gb: TERMS.price_per_gb + 100,
		..TERMS
	};
	let mut scene = Scene::start_bridged(lab, Some(options.rpc_port), &[TERMS, dearer]).await?;
	let deposited = agrees(&scene).await?;
	println!(
		"  L2       {}, whose vault holds {} USDC: all that the chain has issued",
		bridge(&scene)?.l2.url(),
		Usdc(deposited)
	);
	println!("  chain    {} (for polkadot.js and the like)", scene.network.rpc(0));
	println!(
		"  stream   {} at {} micro-USDC per GB: dear, so that tickets win while you look on; the usual price is 20000",
		scene.origin.stream, TERMS.price_per_gb
	);
	for relayer in &scene.relayers {
		println!("  relayer  {}", relayer.address);
	}
	let (stream, hls) = (scene.origin.stream, options.hls_port);
	let mut player = Player::watch(lab, "player", &scene.network, &scene.viewer, stream, hls, &[])?;
	println!("  viewer   {} (for VLC, Safari, ffplay)", player.hls);

	let started = Instant::now();
	player.wait_windows(1, FIRST_WINDOW).await?;
	let mut live = Live::new(&scene);
	let until = started + Duration::from_secs(options.seconds);
	while Instant::now() + LINE_EVERY <= until {
		tokio::time::sleep(LINE_EVERY).await;
		player.process.check_alive()?;
		println!("{}", live.line(&scene, &player, started.elapsed()).await?);
	}
	tokio::time::sleep_until(until.into()).await;

	let seconds = started.elapsed().as_secs();
	let player_summary = player.stop().await?;
	println!("the viewer has stopped; the relayers redeem what is left...");
	let settlement = scene.settle_up().await?;
	let supply = scene.check_money(&settlement);
	let output = scene
		.origin
		.recording()
		.and_then(|broadcast| broadcast.check_output(&player.recording()?));
	println!("a relayer takes {} USDC back to the L2...", Usdc(WITHDRAWN));
	let vault = take_back(lab, &scene, deposited).await;
	let (vault_micro_usdc, withdrawal_ms) = *vault.as_ref().unwrap_or(&(0, 0));
	let vault = vault.map(drop);
	for failed in [&supply, &vault, &output]
		.into_iter()
		.filter_map(|check| check.as_ref().err())
	{
		eprintln!("clustercast-demo: {failed:#}");
	}

	let windows = player.windows()?;
	let latencies = latencies_ms(&windows);
	let Settlement {
		after,
		activity,
		winners,
	} = settlement;
	let number = |name: &str| {
		player_summary[name]
			.as_u64()
			.with_context(|| format!("the player did not say {name}"))
	};
	Ok(Summary {
		seconds,
		windows: windows.len(),
		verified_bytes: number("verifiedBytes")?,
		rejected_bytes: number("rejectedBytes")?,
		tickets: number("tickets")?,
		winners: winners.len(),
		redeemed: activity.redeemed.len(),
		redeemed_micro_usdc: activity.redeemed_value(),
		relayers_micro_usdc: activity.shares(|payout| payout.relayer),
		broadcaster_micro_usdc: activity.shares(|payout| payout.broadcaster),
		treasury_micro_usdc: activity.shares(|payout| payout.treasury),
		fees_micro_usdc: activity.all_fees(),
		redemption_fees_micro_usdc: activity.redemption_fees,
		deposited_micro_usdc: deposited,
		withdrawn_micro_usdc: WITHDRAWN,
		vault_micro_usdc,
		withdrawal_ms,
		latency_ms_p50: percentile(&latencies, 50).context("the viewer played nothing")?,
		latency_ms_p95: percentile(&latencies, 95).context("the viewer played nothing")?,
		finalised_blocks: after.block.number,
		supply_ok: supply.is_ok(),
		vault_agrees: vault.is_ok(),
		output_matches_origin: output.is_ok(),
	})
}

fn bridge(scene: &Scene) -> Result<&Bridge> {
	scene.bridge.as_ref().context("the demo is bridged")
}

/// What the vault holds, where it is what the chain has issued.
async fn agrees(scene: &Scene) -> Result<Balance> {
	bridge(scene)?.agrees(&scene.network).await
}

/// The first relayer takes some of its USDC to an address of its own on the L2, on a chain on which everything was settled.
/// What the vault holds then, and how long it took, ms.
async fn take_back(lab: &Lab, scene: &Scene, deposited: Balance) -> Result<(Balance, u64)> {
	ensure!(agrees(scene).await? == deposited, "the vault paid without a withdrawal");
	let relayer = scene.relayers.first().context("there are two relayers")?;
	let address = Wallet::new(lab, 3)?.address;
	let started = Instant::now();
	bridge(scene)?
		.take_back(
			&scene.network,
			&relayer.person.uri,
			&address,
			(WITHDRAWN, WITHDRAWAL_FEE),
		)
		.await?;
	let took = started.elapsed();
	let held = agrees(scene).await?;
	ensure!(held == deposited - WITHDRAWN, "the vault holds {held} micro-USDC");
	Ok((held, u64::try_from(took.as_millis())?))
}

async fn counts(scene: &Scene) -> Result<Counts> {
	let mut sum = Counts::default();
	for relayer in &scene.relayers {
		sum += relayer.counts().await?;
	}
	Ok(sum)
}

/// What the lines show, followed block by block.
struct Live {
	activity: Activity,
	seen: BlockNumber,
}

impl Live {
	fn new(scene: &Scene) -> Self {
		Self {
			activity: Activity::default(),
			seen: scene.before.block.number,
		}
	}

	async fn line(&mut self, scene: &Scene, player: &Player, elapsed: Duration) -> Result<String> {
		let chain = scene.network.books().chain();
		let head = chain.head();
		scene
			.network
			.books()
			.follow(&mut self.activity, self.seen, head.finalised)
			.await?;
		self.seen = head.finalised;
		let windows = player.windows()?;
		let bytes: u64 = windows.iter().map(|window| u64::from(window.bytes)).sum();
		let counts = counts(scene).await?;
		let deposit = chain.viewer_account(&scene.viewer.account, None).await?.deposit;
		let delay = latencies_ms(&windows).last().copied().unwrap_or(0);
		Ok(format!(
			"{:4} s  block {:3}  {:3} windows  {:6.2} MB  {:3} tickets  {:2} won, {:2} paid  deposit {}  \
			 relayers +{}  broadcaster +{}  treasury +{}  delay {:.1} s",
			elapsed.as_secs(),
			head.finalised,
			windows.len(),
			bytes as f64 / 1e6,
			counts.tickets,
			counts.winners,
			self.activity.redeemed.len(),
			Usdc(deposit),
			Usdc(self.activity.shares(|payout| payout.relayer)),
			Usdc(self.activity.shares(|payout| payout.broadcaster)),
			Usdc(self.activity.shares(|payout| payout.treasury)),
			delay as f64 / 1e3,
		))
	}
}

impl fmt::Display for Summary {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let yes = |ok: bool| if ok { "yes" } else { "NO" };
		let usdc = |amount: Balance| Usdc(amount).to_string();
		let megabytes = self.verified_bytes as f64 / 1e6;
		writeln!(f)?;
		for (what, value) in [
			(
				"watched",
				format!(
					"{} s, {} windows, {megabytes:.2} MB verified",
					self.seconds, self.windows
				),
			),
			("refused", format!("{} bytes", self.rejected_bytes)),
			(
				"tickets",
				format!(
					"{}, of which {} won, and the chain paid {}",
					self.tickets, self.winners, self.redeemed
				),
			),
			("redeemed", format!("{} USDC", usdc(self.redeemed_micro_usdc))),
			("  relayers", format!("{} USDC", usdc(self.relayers_micro_usdc))),
			("  broadcaster", format!("{} USDC", usdc(self.broadcaster_micro_usdc))),
			("  treasury", format!("{} USDC", usdc(self.treasury_micro_usdc))),
			(
				"fees",
				format!(
					"{} USDC, {} of them for redeeming",
					usdc(self.fees_micro_usdc),
					usdc(self.redemption_fees_micro_usdc)
				),
			),
			(
				"delay",
				format!(
					"{} ms median, {} ms at the 95th percentile",
					self.latency_ms_p50, self.latency_ms_p95
				),
			),
			("chain", format!("{} blocks finalised", self.finalised_blocks)),
			(
				"bridge",
				format!(
					"{} USDC in, {} out in {:.0} s, {} left in the vault",
					usdc(self.deposited_micro_usdc),
					usdc(self.withdrawn_micro_usdc),
					self.withdrawal_ms as f64 / 1e3,
					usdc(self.vault_micro_usdc)
				),
			),
			("the vault holds what the chain issued", yes(self.vault_agrees).into()),
			("every micro-USDC accounted for", yes(self.supply_ok).into()),
			(
				"output is the broadcast, times moved",
				yes(self.output_matches_origin).into(),
			),
		] {
			writeln!(f, "{what:<40}{value}")?;
		}
		Ok(())
	}
}
