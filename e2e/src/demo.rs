//! The demo: starts everything, shows the money moving while relayers lie and die, and says at the end what was measured.
//!
//! ```text
//! origin ──► relayer-1, relayer-2 ──► relayer-3, relayer-4 ──► viewer
//!       └──► liar ──────────────────────────────────────────┘
//! ```
//!
//! The second tier buys from the first. The viewer begins with the liar, who flips a bit; a third of the time later relayer-1 is killed,
//! and after two thirds whoever the viewer has then.

mod page;

use crate::{
	books::Activity,
	bridge::{Bridge, Wallet},
	byzantine::{Byzantine, Trick},
	lab::Lab,
	media::{latencies_ms, percentile, Window},
	network::Person,
	process::{program, tool},
	programs::{Counts, Player, Relayer, Terms},
	pusher::unix_ms,
	scenario::{Killed, Viewer, Watched},
	scene::{Scene, Settlement, PRICE_PER_GB, TERMS},
};
use anyhow::{ensure, Context, Result};
use clap::Parser;
use clustercast_primitives::{amount::USDC, Balance, BlockNumber, Usdc};
use futures::future::try_join_all;
use serde::Serialize;
use std::{
	collections::BTreeMap,
	fmt,
	net::TcpListener,
	path::PathBuf,
	process::Stdio,
	time::{Duration, Instant},
};
use tokio::signal::unix::{signal, SignalKind};

/// What a relayer takes back to the L2 at the end, micro-USDC.
const WITHDRAWN: Balance = 20 * USDC;

/// Of it, what whoever executes that is paid, micro-USDC.
const WITHDRAWAL_FEE: Balance = USDC / 50;

/// What the first tier asks of relayers: half of what viewers pay.
const WHOLESALE: Terms = Terms {
	price_per_gb: PRICE_PER_GB / 2,
	..TERMS
};

/// Relayers of each tier.
const TIER: usize = 2;

/// What relayers of the second tier spend.
const BUYING: &str = "[buying]\ndeposit = 5\nmax_price_per_gb = 1500000\n";

/// Windows that the liar delivers as they are.
const HONEST: usize = 2;

/// How often a line is shown.
const LINE_EVERY: Duration = Duration::from_secs(4);

/// Longest that starting to play may take: the viewer's deposit has to be final.
const FIRST_WINDOW: Duration = Duration::from_secs(60);

/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Exit code of a run that failed, or whose money or output is not as it must be.
const FAILED: u8 = 1;

/// An L2, four validators and the bridge between them, an origin with generated 480p video, two tiers of relayers of which some lie or
/// are killed, and a viewer who pays them with USDC from the L2, all on this machine.
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

	/// You watch, in a browser with an Ethereum wallet, instead of a viewer of ours: until Ctrl-C, and nobody lies or is killed.
	#[arg(long)]
	pub page: bool,

	/// Port of that page.
	#[arg(long, value_name = "PORT", default_value_t = 8890)]
	pub page_port: u16,

	/// Opens what there is to watch in the browser.
	#[arg(long)]
	pub open: bool,
}

/// What was measured. Amounts in micro-USDC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
	/// Seconds from the viewer's start to its end.
	pub seconds: u64,
	/// Relayers that took part, the liar among them.
	pub relayers: usize,
	/// Tiers of them between origin and viewer.
	pub tiers: usize,
	/// Windows that the viewer verified and wrote.
	pub windows: usize,
	/// Bytes of them.
	pub verified_bytes: u64,
	/// Bytes that the viewer refused.
	pub rejected_bytes: u64,
	/// Parts of these windows' bytes, by who delivered them.
	pub delivered: BTreeMap<String, f64>,
	/// Part of these bytes that other viewers delivered: none, as viewers serve nobody yet.
	pub share_from_peers: f64,
	/// Relayers that were killed while the viewer had the stream from them.
	pub failovers: usize,
	/// How much later than usual the next window was there then, milliseconds; the 95th percentile.
	pub failover_ms_p95: Option<u64>,
	/// Windows that were not there 6 s behind their capture.
	pub stalls: u64,
	/// Windows that left the origin, for each that it made.
	pub origin_copies: f64,
	/// Tickets that the viewer signed.
	pub tickets: u64,
	/// Tickets that relayers found to win, those of relayers who buy among them.
	pub winners: usize,
	/// Winners that the finalised chain paid.
	pub redeemed: usize,
	/// Of these, those that the second tier paid the first with.
	pub wholesale: usize,
	/// Face value of what the viewer paid.
	pub redeemed_micro_usdc: Balance,
	/// Of it, what relayers have.
	pub relayers_micro_usdc: Balance,
	/// What they paid as shares when they bought, and did not sell on.
	pub set_aside_micro_usdc: Balance,
	/// Broadcaster's share of it.
	pub broadcaster_micro_usdc: Balance,
	/// Treasury's share of it.
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
	let watched = match options.page {
		true => (options.page_port, "--page-port"),
		false => (options.hls_port, "--hls-port"),
	};
	for (port, flag) in [(options.rpc_port, "--rpc-port"), watched] {
		TcpListener::bind(("127.0.0.1", port))
			.with_context(|| format!("port {port} is in use: free it, or choose another with {flag}"))?;
	}
	Ok(())
}

/// What opens a page on this machine; why nothing does, where that is known before. Without a desktop `xdg-open` would take the terminal
/// for a browser in it.
fn opener(is_macos: bool, is_set: impl Fn(&str) -> bool) -> Result<&'static str, &'static str> {
	if is_macos {
		return Ok("open");
	}
	let desktop = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"].into_iter().any(is_set);
	desktop.then_some("xdg-open").ok_or("there is no desktop here")
}

/// Opens a page in the browser that the desktop has, and waits for nobody: where that fails, a line says so.
fn open(page: &str) {
	let page = page.to_owned();
	tokio::spawn(async move {
		let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
		let why = match opener(cfg!(target_os = "macos"), is_set) {
			Ok(program) => {
				let mut command = tokio::process::Command::new(program);
				command
					.arg(&page)
					.stdin(Stdio::null())
					.stdout(Stdio::null())
					.stderr(Stdio::null());
				match command.status().await {
					Ok(status) if status.success() => return,
					Ok(status) => format!("{program}: {status}"),
					Err(error) => format!("{program}: {error}"),
				}
			},
			Err(why) => why.to_owned(),
		};
		println!("           no browser was opened ({why}): open {page} yourself");
	});
}

async fn run(lab: &Lab, options: &Options) -> Result<u8> {
	if options.page {
		match page::serve(lab, options).await? {}
	}
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
	println!("starting an L2, four validators, the bridge, an origin and two tiers of relayers...");
	let mut cast = Cast::enter(lab, options.rpc_port).await?;
	let deposited = agrees(&cast.scene).await?;
	println!(
		"  L2       {}, whose vault holds {} USDC: all that the chain has issued",
		bridge(&cast.scene)?.l2.url(),
		Usdc(deposited)
	);
	println!(
		"  chain    {} (for polkadot.js and the like)",
		cast.scene.network.rpc(0)
	);
	println!(
		"  stream   {} at {} micro-USDC per GB: dear, so that tickets win while you look on; the usual price is 20000",
		cast.scene.origin.stream, TERMS.price_per_gb
	);
	for (number, relayer) in cast.scene.relayers.iter().enumerate() {
		let tier = if number < TIER {
			"buys of nobody"
		} else {
			"buys of the first two"
		};
		println!("  relayer  {}: {} {tier}", name(number), relayer.address);
	}
	println!("  liar     {}", cast.liar.address);
	let sellers = cast.scene.relayers[TIER..].iter().map(|relayer| &relayer.address);
	let named: Vec<&str> = [&cast.liar.address]
		.into_iter()
		.chain(sellers)
		.flat_map(|address| ["--relayer", address])
		.collect();
	let (stream, hls) = (cast.scene.origin.stream, options.hls_port);
	let started_ms = unix_ms();
	let mut player = Player::watch(
		lab,
		"player",
		&cast.scene.network,
		&cast.scene.viewer,
		stream,
		hls,
		&named,
	)?;
	let page = format!("http://127.0.0.1:{hls}/");
	println!("  watch    {page}");
	println!("           in a browser; VLC, Safari and ffplay take index.m3u8 there. With a wallet of your own: scripts/demo --page");
	if options.open {
		open(&page);
	}

	let started = Instant::now();
	player.wait_windows(1, FIRST_WINDOW).await?;
	let whole = Duration::from_secs(options.seconds);
	let mut live = Live::new(&cast.scene);
	live.show(&cast, &mut player, started, whole / 3).await?;
	cast.kill(0).await?;
	live.show(&cast, &mut player, started, whole * 2 / 3).await?;
	let its = player.windows()?.last().and_then(|window| cast.number(window));
	match its {
		Some(number) if number >= TIER => cast.kill(number).await?,
		_ => println!("  the viewer has nobody of the second tier: nobody else is killed"),
	}
	live.show(&cast, &mut player, started, whole).await?;

	let seconds = started.elapsed().as_secs();
	// What comes while it settles is no part of this.
	let (log, stopped_ms) = (player.windows()?, unix_ms());
	let copies = cast.copies().await?;
	let summary = player.stop().await?;
	println!("the viewer has stopped; the relayers redeem what is left, those that were killed too...");
	cast.revive(lab).await?;
	let settlement = cast.settle_up().await?;
	let scene = &cast.scene;
	let supply = scene.check_money(&settlement);
	let output = scene
		.origin
		.recording()
		.and_then(|broadcast| broadcast.check_output(&player.recording()?));
	println!("a relayer takes {} USDC back to the L2...", Usdc(WITHDRAWN));
	let vault = take_back(lab, scene, deposited).await;
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
	let published = scene.origin.windows()?;
	let watched = Watched {
		name: "viewer".into(),
		started_ms,
		stopped_ms,
		log,
		summary,
	};
	let viewer = Viewer::of(&watched, &cast.killed, &published);
	ensure!(viewer.foreign == 0, "{} windows were not broadcast", viewer.foreign);
	ensure!(
		viewer.failover_ms.iter().all(Option::is_some),
		"nothing came any more behind a relayer that was killed"
	);
	let failovers: Vec<u64> = viewer.failover_ms.iter().copied().flatten().collect();
	let Settlement {
		after,
		activity,
		winners,
	} = settlement;
	let number = |name: &str| {
		watched.summary[name]
			.as_u64()
			.with_context(|| format!("the player did not say {name}"))
	};
	let paid = Paid::of(scene, &activity);
	Ok(Summary {
		seconds,
		relayers: scene.relayers.len() + 1,
		tiers: 2,
		windows: windows.len(),
		verified_bytes: number("verifiedBytes")?,
		rejected_bytes: number("rejectedBytes")?,
		delivered: cast.delivered(&windows),
		share_from_peers: 0.0,
		failovers: failovers.len(),
		failover_ms_p95: percentile(&failovers, 95),
		stalls: viewer.stalls,
		origin_copies: copies,
		tickets: number("tickets")?,
		winners: winners.len(),
		redeemed: activity.redeemed.len(),
		wholesale: activity.redeemed.len() - paid.tickets,
		redeemed_micro_usdc: paid.face,
		relayers_micro_usdc: paid.relayers,
		set_aside_micro_usdc: paid.set_aside,
		broadcaster_micro_usdc: paid.broadcaster,
		treasury_micro_usdc: paid.treasury,
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

/// What became of what the viewer paid, micro-USDC.
struct Paid {
	/// Winners of its tickets that the chain paid, and their face value.
	tickets: usize,
	face: Balance,
	broadcaster: Balance,
	treasury: Balance,
	/// What relayers paid as shares when they bought, and did not sell on.
	set_aside: Balance,
	/// What all of them have of it, however they paid each other.
	relayers: Balance,
}

impl Paid {
	fn of(scene: &Scene, activity: &Activity) -> Self {
		let its = activity.redeemed.iter().filter(|t| t.sender == scene.viewer.account);
		let tickets = its.count();
		let face = tickets as Balance * TERMS.face_value;
		let (broadcaster, treasury) = (
			activity.shares(|payout| payout.broadcaster),
			activity.shares(|payout| payout.treasury),
		);
		let set_aside = scene.buyers(activity).values().map(|shares| shares.set_aside).sum();
		Self {
			tickets,
			face,
			broadcaster,
			treasury,
			set_aside,
			relayers: face.saturating_sub(broadcaster + treasury + set_aside),
		}
	}
}

/// What a relayer is called, as its files are.
fn name(number: usize) -> String {
	format!("relayer-{}", number + 1)
}

/// Who takes part, and what became of them.
struct Cast {
	/// Its relayers: the first tier, then the second.
	scene: Scene,
	liar: Byzantine,
	killed: Vec<Killed>,
	/// What those counted that were killed.
	gone: Counts,
	/// Windows that those of the first tier had got.
	windows: u64,
}

impl Cast {
	async fn enter(lab: &Lab, rpc_port: u16) -> Result<Self> {
		let liar = Person::new(lab, "liar")?;
		let sellers = (TIER..2 * TIER)
			.map(|number| Person::new(lab, &name(number)))
			.collect::<Result<Vec<_>>>()?;
		let others: Vec<&Person> = sellers.iter().chain([&liar]).collect();
		let mut scene = Scene::start_bridged(lab, Some(rpc_port), &[WHOLESALE; TIER], &others).await?;
		let (network, origin) = (&scene.network, &scene.origin);
		let broadcast = (origin.stream, scene.broadcaster.key, origin.address.as_str());
		let liar = Byzantine::start(network, liar, TERMS, broadcast, (HONEST, Trick::FlipBit)).await?;
		let register = sellers.into_iter().enumerate().map(|(number, person)| async move {
			Relayer::register(lab, network, person, &name(TIER + number), TERMS).await
		});
		let sellers = try_join_all(register).await?;
		scene.relayers.extend(sellers);
		let mut cast = Self {
			scene,
			liar,
			killed: Vec::new(),
			gone: Counts::default(),
			windows: 0,
		};
		for number in TIER..2 * TIER {
			cast.run(lab, number).await?;
		}
		Ok(cast)
	}

	/// Starts one of them.
	async fn run(&mut self, lab: &Lab, number: usize) -> Result<()> {
		let Scene {
			network,
			origin,
			relayers,
			..
		} = &mut self.scene;
		let upstreams: Vec<String> = relayers[..TIER].iter().map(|relayer| relayer.address.clone()).collect();
		let relayer = &mut relayers[number];
		if number < TIER {
			return relayer.run(lab, network, &origin.address, origin.stream).await;
		}
		let config = format!(
			"{BUYING}[[streams]]\nid = {}\nupstream = {upstreams:?}\n",
			origin.stream
		);
		relayer.run_configured(lab, network, &config).await
	}

	/// Which of them delivered this.
	fn number(&self, window: &Window) -> Option<usize> {
		let mut relayers = self.scene.relayers.iter();
		relayers.position(|relayer| window.relayer.as_deref() == Some(relayer.peer()))
	}

	async fn kill(&mut self, number: usize) -> Result<()> {
		let relayer = &mut self.scene.relayers[number];
		self.gone += relayer.counts().await?;
		if number < TIER {
			self.windows += relayer.metric("windows_total").await?;
		}
		println!("  kill -9  {}", name(number));
		self.killed.push(Killed {
			peer: relayer.peer().to_owned(),
			at_ms: unix_ms(),
			back_ms: None,
		});
		relayer.kill_9().await
	}

	/// Those that were killed are started again, to redeem what they had won.
	async fn revive(&mut self, lab: &Lab) -> Result<()> {
		for number in 0..self.scene.relayers.len() {
			if self.scene.relayers[number].process.is_none() {
				self.run(lab, number).await?;
			}
		}
		Ok(())
	}

	/// Who buys ends first, and pays.
	async fn settle_up(&mut self) -> Result<Settlement> {
		try_join_all(self.scene.relayers[TIER..].iter_mut().map(Relayer::stop)).await?;
		self.scene.settle_up().await
	}

	/// What all relayers counted.
	async fn counts(&self) -> Result<Counts> {
		let mut sum = self.gone;
		for relayer in self.scene.relayers.iter().filter(|relayer| relayer.process.is_some()) {
			sum += relayer.counts().await?;
		}
		Ok(sum)
	}

	/// Windows that the first tier got, for each that there was.
	async fn copies(&self) -> Result<f64> {
		let mut windows = self.windows + self.liar.windows() as u64;
		for relayer in self.scene.relayers[..TIER]
			.iter()
			.filter(|relayer| relayer.process.is_some())
		{
			windows += relayer.metric("windows_total").await?;
		}
		Ok(windows as f64 / self.scene.origin.windows()?.len().max(1) as f64)
	}

	/// Parts of the bytes, by who delivered them.
	fn delivered(&self, windows: &[Window]) -> BTreeMap<String, f64> {
		let mut by = BTreeMap::<String, f64>::new();
		let all: f64 = windows.iter().map(|window| f64::from(window.bytes)).sum();
		for window in windows {
			let who = self.number(window).map_or_else(|| "liar".to_owned(), name);
			*by.entry(who).or_default() += f64::from(window.bytes) / all;
		}
		by
	}
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

	/// Lines until then, since the viewer started.
	async fn show(&mut self, cast: &Cast, player: &mut Player, started: Instant, until: Duration) -> Result<()> {
		while started.elapsed() + LINE_EVERY <= until {
			tokio::time::sleep(LINE_EVERY).await;
			player.process.check_alive()?;
			println!("{}", self.line(cast, player, started.elapsed()).await?);
		}
		tokio::time::sleep_until((started + until).into()).await;
		Ok(())
	}

	async fn line(&mut self, cast: &Cast, player: &Player, elapsed: Duration) -> Result<String> {
		let scene = &cast.scene;
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
		let (counts, paid) = (cast.counts().await?, Paid::of(scene, &self.activity));
		let from = windows.last().map_or_else(String::new, |window| {
			cast.number(window).map_or_else(|| "liar".to_owned(), name)
		});
		let deposit = chain.viewer_account(&scene.viewer.account, None).await?.deposit;
		let delay = latencies_ms(&windows).last().copied().unwrap_or(0);
		Ok(format!(
			"{:4} s  block {:3}  {:3} windows  {:6.2} MB  {:3} tickets  {:2} won, {:2} paid  deposit {}  \
			 relayers +{}  broadcaster +{}  treasury +{}  delay {:.1} s  from {from}",
			elapsed.as_secs(),
			head.finalised,
			windows.len(),
			bytes as f64 / 1e6,
			counts.tickets,
			counts.winners,
			self.activity.redeemed.len(),
			Usdc(deposit),
			Usdc(paid.relayers),
			Usdc(paid.broadcaster),
			Usdc(paid.treasury),
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
			("refused", format!("{} bytes of the liar's", self.rejected_bytes)),
			(
				"delivered by",
				self.delivered
					.iter()
					.map(|(who, part)| format!("{who} {:.0} %", part * 100.0))
					.collect::<Vec<_>>()
					.join(", "),
			),
			(
				"relayers lost while it watched",
				format!(
					"{}; the next window came at most {} ms later than usual; {} stalls",
					self.failovers,
					self.failover_ms_p95.unwrap_or(0),
					self.stalls
				),
			),
			(
				"the origin sent",
				format!("{:.2} copies, to the first tier and the liar", self.origin_copies),
			),
			("tickets", format!("{} of the viewer", self.tickets)),
			(
				"  won",
				format!(
					"{}, and the chain paid {}; {} of these were the second tier's, for the first",
					self.winners, self.redeemed, self.wholesale
				),
			),
			("the viewer paid", format!("{} USDC", usdc(self.redeemed_micro_usdc))),
			(
				"  relayers",
				format!(
					"{} USDC, and {} as shares of what they bought and did not sell on",
					usdc(self.relayers_micro_usdc),
					usdc(self.set_aside_micro_usdc)
				),
			),
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn page_is_opened_by_the_desktop_and_by_nothing_where_there_is_none() {
		assert_eq!(opener(true, |_| false), Ok("open"));
		assert!(opener(false, |_| false).is_err(), "it would take the terminal");
		for desktop in ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"] {
			assert_eq!(opener(false, |name| name == desktop), Ok("xdg-open"), "{desktop}");
		}
	}
}
