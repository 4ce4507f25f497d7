//! Assembly: from flags to a viewer in the middle of a broadcast, and its figures at the end.

use crate::{
	accusation::{Inquest, Reporter},
	crew::Crew,
	flag,
	funds::{self, Wanted},
	hls::{self, Hls},
	origins::Origins,
	outlook::Outlook,
	payer::Payer,
	pocket::StateFolder,
	registration,
	roster::{self, Roster},
	sinks::Sinks,
	status::{self, Status},
	subscription::{self, Viewing, USUAL_WINDOW},
	summary::{Ended, Summary},
};
use anyhow::{bail, Context};
use clustercast_chain::{Chain, NodeUrl};
use clustercast_cli::http::Limits;
use clustercast_network::{crew, node, Address, Node};
use clustercast_primitives::{crypto::KeyPair, StreamId, Usdc};
use clustercast_protocol::{viewer, Quiet, Standing, StreamKeys};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
	signal::unix::{signal, SignalKind},
	sync::watch,
	time::Instant,
};

/// Of `--unfinished-mib`: as many windows as are remembered, of the largest kind, take half of it.
const MOST_UNFINISHED_MIB: u64 = 1 << 10;

/// In the state folder: where the list of windows is that is served over HTTP, see [`crate::timeline::Place`].
const LIST: &str = "list.json";

/// What to watch, how to pay, where to put it.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
	/// Node to talk to, ws:// or wss://; of several, the first that is whole
	#[arg(
		long,
		env = "CLUSTERCAST_PLAYER_RPC",
		hide_env_values = true,
		value_name = "URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	pub rpc: Vec<NodeUrl>,
	/// Number of the stream key
	#[arg(long, env = "CLUSTERCAST_PLAYER_STREAM")]
	pub stream: u64,
	/// Account that pays: //Name, a mnemonic, or file:PATH (created when missing); or only its address, Ethereum, SS58
	/// or hex: then its owner deposits and authorises the session key elsewhere, and the player waits for that
	#[arg(long, env = "CLUSTERCAST_PLAYER_ACCOUNT", hide_env_values = true)]
	pub account: String,
	/// Folder for session key and purse; one player at a time
	#[arg(long, env = "CLUSTERCAST_PLAYER_STATE", value_name = "DIR")]
	pub state: PathBuf,
	/// Deposit to keep for tickets, USDC; topped up when less than half is left
	#[arg(long, env = "CLUSTERCAST_PLAYER_DEPOSIT", value_name = "USDC", default_value = "5")]
	pub deposit: Usdc,
	/// Most that one session key may spend, USDC [default: the deposit]
	#[arg(long, env = "CLUSTERCAST_PLAYER_LIMIT", value_name = "USDC")]
	pub limit: Option<Usdc>,
	/// Highest price accepted, micro-USDC per 10^9 bytes (100000 is 0.1 USDC per GB: five times the usual price)
	#[arg(
		long,
		env = "CLUSTERCAST_PLAYER_MAX_PRICE_PER_GB",
		value_name = "N",
		default_value_t = 100_000
	)]
	pub max_price_per_gb: u64,
	/// Most that a single winning ticket may cost, USDC
	#[arg(
		long,
		env = "CLUSTERCAST_PLAYER_MAX_FACE_VALUE",
		value_name = "USDC",
		default_value = "0.1"
	)]
	pub max_face_value: Usdc,
	/// Relayer to watch from, with /p2p/ID; repeat it, first choice first [default: the registry, best first]
	#[arg(long = "relayer", value_name = "MULTIADDR")]
	pub relayers: Vec<Address>,
	/// Do not report relayers that signed for a wrong chunk, nor a broadcaster that signed two windows for one place
	#[arg(long, env = "CLUSTERCAST_PLAYER_NO_REPORT")]
	pub no_report: bool,
	/// Write the stream to this file (fragmented MP4)
	#[arg(long, value_name = "FILE")]
	pub output: Option<PathBuf>,
	/// Serve HLS at this address, e.g. 127.0.0.1:8080, and wait for the next broadcast where one is over; port 0 takes a free one
	#[arg(long, env = "CLUSTERCAST_PLAYER_HLS", value_name = "ADDR", value_parser = clustercast_cli::socket_address)]
	pub hls: Option<SocketAddr>,
	/// Whose pages may read what is served there: `*`, or origins such as https://a.example with commas between, and the word
	/// `loopback` for pages of this machine
	#[arg(
		long,
		env = "CLUSTERCAST_PLAYER_HLS_ORIGINS",
		value_name = "ORIGINS",
		default_value = "*"
	)]
	pub hls_origins: Origins,
	/// Write a JSON line for each window to this file
	#[arg(long, value_name = "FILE")]
	pub window_log: Option<PathBuf>,
	/// Leave a relayer that brings no whole window for so long, seconds [default: three windows' time]
	#[arg(long, env = "CLUSTERCAST_PLAYER_STALL_SECONDS", value_name = "N")]
	pub stall_seconds: Option<u64>,
	/// Relayers beside the one that sends: they bring what it does not in time, and a little all along
	#[arg(long, env = "CLUSTERCAST_PLAYER_STANDBYS", value_name = "N", default_value_t = crew::STANDBYS, value_parser = standbys)]
	pub standbys: usize,
	/// Memory for windows of one relayer that are not whole yet, MiB, and as much again for what is put together of all: beyond it the
	/// oldest of them is given up
	#[arg(long, env = "CLUSTERCAST_PLAYER_UNFINISHED_MIB", value_name = "N", default_value_t = viewer::BUDGET >> 20, value_parser = unfinished_mib)]
	pub unfinished_mib: u64,
	/// Stop after so many windows
	#[arg(long, value_name = "N")]
	pub windows: Option<u64>,
	/// Stop after so many seconds of watching
	#[arg(long, value_name = "N")]
	pub seconds: Option<u64>,
	/// Write the figures of the run to this file
	#[arg(long, value_name = "FILE")]
	pub json: Option<PathBuf>,
}

/// A player, ready to run.
pub struct Player {
	config: Config,
	payer: Payer,
	folder: StateFolder,
}

impl Player {
	/// Checks what can be checked without a network: the secret key and the state folder.
	pub fn load(config: Config) -> anyhow::Result<Self> {
		let payer = Payer::parse(&config.account).context("--account")?;
		let folder = StateFolder::open(&config.state).context("--state")?;
		Ok(Self { config, payer, folder })
	}

	/// Watches until the broadcast, the time, the windows or the relayers are used up, or a signal comes. The figures
	/// are also written where the configuration says, on failure too.
	pub async fn run(self) -> anyhow::Result<Summary> {
		let (stop, mut stopped) = watch::channel(None);
		end_on_signal(stop.clone())?;
		let opened = tokio::select! {
			opened = self.open(stopped.clone()) => opened?,
			_ = stopped.wait_for(Option::is_some) => bail!("interrupted before the first window"),
		};
		tokio::spawn(flag::end_when_flagged(
			opened.chain.clone(),
			opened.stream.id,
			stop.clone(),
			flag::PAUSE,
		));
		if let Some(seconds) = self.config.seconds {
			end_after(stop, Duration::from_secs(seconds));
		}
		self.watch(opened).await
	}

	/// Connects, opens the sinks, and makes sure of the money: all that comes before the first window.
	async fn open(&self, stop: watch::Receiver<Option<Ended>>) -> anyhow::Result<Viewing<Chain>> {
		let chain = Chain::connect(&self.config.rpc).await?;
		let id = StreamId(self.config.stream);
		let stream = chain
			.stream_key(id)
			.await?
			.with_context(|| format!("there is no stream {id} on this chain: ask its broadcaster for the number"))?;
		if let Some(reason) = flag::refusal(&stream) {
			bail!("{reason}");
		}
		let hls = match self.config.hls {
			Some(address) => {
				let options = hls::Options {
					address,
					origins: self.config.hls_origins.clone(),
					place: Some(self.config.state.join(LIST)),
					title: stream.title.clone(),
					limits: Limits::default(),
				};
				let hls = Hls::bind(options)
					.await
					.with_context(|| format!("cannot serve HLS at {address}"))?;
				status::print_line(serde_json::json!({ "hls": hls.url() }));
				Some(hls)
			},
			None => None,
		};
		if self.config.output.is_none() && self.config.hls.is_none() {
			tracing::info!(
				"neither --output nor --hls: what comes is verified and paid, and shown nowhere; Ctrl-C ends that and prints the figures"
			);
		}
		let sinks = Sinks::open(self.config.output.as_deref(), self.config.window_log.as_deref(), hls).await?;
		let wanted = Wanted {
			deposit: self.config.deposit.0,
			limit: self.config.limit.unwrap_or(self.config.deposit).0,
		};
		let account = self.payer.account(&chain).await.context("--account")?;
		let pocket = match self.payer.wallet() {
			Some(wallet) => funds::prepare(&chain, wallet, &self.folder, wanted).await?,
			None => funds::await_session(&chain, account, &self.folder).await?,
		};
		let deposit = chain.viewer_account(&account, None).await?.deposit;
		// A new identity each time: relayers learn nothing of a viewer but the account that pays.
		let (node, _) = Node::start(&KeyPair::from_seed(rand::random()), node::Limits::default())?;
		let wallet = self.payer.wallet().filter(|_| !self.config.no_report);
		let reporter = wallet.map(|wallet| Reporter {
			chain: chain.clone(),
			wallet: wallet.clone(),
		});
		let docket = self.folder.docket(&chain.genesis());
		let (chain_keys, highest) = (chain.follow_stream_key(stream.clone()), chain.head().best);
		let unfinished = self.config.unfinished_mib << 20;
		let mut crew = Crew::new(self.config.standbys);
		crew.hold_at_most(unfinished);
		Ok(Viewing {
			chain,
			inquest: Inquest::start(reporter, docket),
			node,
			named: chain_keys,
			keys: StreamKeys {
				former: stream.previous_keys.clone(),
				..stream.signing_key.into()
			},
			refusals: Default::default(),
			unusable: None,
			highest,
			stream,
			account,
			deposit,
			pocket,
			limits: subscription::Limits {
				max_price_per_gb: self.config.max_price_per_gb,
				max_face_value: self.config.max_face_value,
				stall: self.config.stall_seconds.map(Duration::from_secs),
				windows: self.config.windows,
				unfinished,
			},
			sinks,
			summary: Summary::default(),
			status: Status::default(),
			standing: Standing::default(),
			quiet: Quiet::default(),
			outlook: Outlook::default(),
			begun: Instant::now(),
			resume: None,
			far_behind: None,
			doubted: false,
			window_length: USUAL_WINDOW,
			registry_again: registration::AGAIN,
			stop,
			roster: Roster::default(),
			crew,
			referrals: Default::default(),
			asked: Default::default(),
		})
	}

	async fn watch(&self, mut viewing: Viewing<Chain>) -> anyhow::Result<Summary> {
		let mut given = Roster::default();
		given.add(roster::given(&self.config.relayers));
		let outcome = viewing.watch(given).await;
		viewing.pocket.save().context("cannot store the purse")?;
		viewing.summary.reports = viewing.inquest.finish().await;
		let mut summary = viewing.figures();
		summary.ended = outcome.as_ref().ok().copied();
		if let Some(path) = &self.config.json {
			let json = serde_json::to_vec_pretty(&summary)?;
			if let Err(error) = tokio::fs::write(path, json).await {
				tracing::warn!("cannot write {}: {error}", path.display());
			}
		}
		outcome?;
		if let (Some(Ended::CannotPay), Some(unusable)) = (summary.ended, viewing.unusable) {
			bail!("{unusable}");
		}
		if summary.ended == Some(Ended::NoRelayerLeft) {
			if let Some(lack) = summary.lack() {
				bail!("no relayer serves this account: each {lack}");
			}
			bail!("every relayer known was caught or refused; see the figures");
		}
		if summary.ended == Some(Ended::Flagged) {
			bail!(
				"the broadcaster was caught signing two different things for one place: nothing of it is paid any more"
			);
		}
		Ok(summary)
	}
}

/// More than [`crew::MOST_STANDBYS`] would take seats from others, and bring nothing.
fn standbys(text: &str) -> Result<usize, String> {
	let most = crew::MOST_STANDBYS;
	let count = text.parse().ok().filter(|count| *count <= most);
	count.ok_or_else(|| format!("a number from 0 to {most}"))
}

/// No less than two of the largest windows, and no more than a machine may have.
fn unfinished_mib(text: &str) -> Result<u64, String> {
	let (least, most) = (viewer::MIN_BUDGET >> 20, MOST_UNFINISHED_MIB);
	let mib = text.parse().ok().filter(|mib| (least..=most).contains(mib));
	mib.ok_or_else(|| format!("a number from {least} to {most}"))
}

/// Ends the run on Ctrl-C or SIGTERM.
fn end_on_signal(stop: watch::Sender<Option<Ended>>) -> anyhow::Result<()> {
	let mut interrupt = signal(SignalKind::interrupt())?;
	let mut terminate = signal(SignalKind::terminate())?;
	tokio::spawn(async move {
		tokio::select! {
			_ = interrupt.recv() => {},
			_ = terminate.recv() => {},
			() = stop.closed() => return,
		}
		stop.send_replace(Some(Ended::Interrupted));
	});
	Ok(())
}

/// Ends the run when its time is over.
fn end_after(stop: watch::Sender<Option<Ended>>, time: Duration) {
	tokio::spawn(async move {
		if tokio::time::timeout(time, stop.closed()).await.is_err() {
			stop.send_if_modified(|ended| ended.replace(ended.unwrap_or(Ended::Seconds)).is_none());
		}
	});
}
