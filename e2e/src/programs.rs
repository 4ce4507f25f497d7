//! Origin, relayer and player, as a person would start them.

use crate::{
	bridge::Session,
	byzantine::Trick,
	http,
	lab::{free_port, Lab},
	media::{window_log, Recording, Window},
	network::{Network, Person},
	process::{output, program, Process},
};
use anyhow::{bail, ensure, Context, Result};
use clustercast_primitives::{amount::USDC, chain::VoucherPlace, Balance, Hash, Usdc};
use clustercast_relayer::store::{Kept, Store};
use serde_json::Value;
use std::{
	collections::{BTreeMap, BTreeSet},
	fs,
	future::Future,
	ops::AddAssign,
	path::{Path, PathBuf},
	process::ExitStatus,
	time::Duration,
};
use tokio::{
	process::Command,
	time::{sleep, timeout},
};

/// Longest wait for a program that has one thing to do: a few blocks until its transaction is final.
const PATIENCE: Duration = Duration::from_secs(90);

/// Highest price that our viewers accept, micro-USDC per GB: above every price in the tests.
const MAX_PRICE_PER_GB: u64 = 10_000_000;

/// How often a growing file is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs a program that does one thing; its last line of output as JSON, or null when it prints none.
///
/// # Errors
/// What it printed to standard error, when it does not succeed.
pub async fn run_once(command: &mut Command) -> Result<Value> {
	let output = output(command, PATIENCE).await?;
	let name = command.as_std().get_program().to_string_lossy().into_owned();
	ensure!(
		output.status.success(),
		"{name}: {}: {}",
		output.status,
		String::from_utf8_lossy(&output.stderr).trim()
	);
	match String::from_utf8_lossy(&output.stdout).lines().last() {
		Some(line) => serde_json::from_str(line).with_context(|| format!("{name} printed {line:?}")),
		None => Ok(Value::Null),
	}
}

/// A command of one of our programs.
pub fn command(name: &str, subcommand: &str, network: &Network) -> Result<Command> {
	let mut command = Command::new(program(name)?);
	command.arg(subcommand).args(["--rpc", &network.rpc(0)]);
	Ok(command)
}

/// Mints a stream key at this price (micro-USDC per GB), which relayers may double; its number.
pub async fn mint(network: &Network, broadcaster: &Person, price_per_gb: u64) -> Result<u64> {
	let mut mint = command("clustercast-origin", "mint", network)?;
	mint.args([
		"--account",
		&broadcaster.uri,
		"--title",
		"test pattern",
		"--category",
		"test",
	])
	.args([
		"--price-per-gb",
		&price_per_gb.to_string(),
		"--max-surge-ppm",
		"2000000",
		"--broadcaster-share-ppm",
		"200000",
	])
	.arg("--signing-key")
	.arg(&broadcaster.key_file);
	let answer = run_once(&mut mint).await.context("mint")?;
	answer["stream"]
		.as_u64()
		.with_context(|| format!("no stream number in {answer}"))
}

/// Does something with a stream key; what `clustercast-origin` says of it.
pub async fn trade(network: &Network, who: &Person, what: &str, stream: u64, more: &[&str]) -> Result<Value> {
	let mut trade = command("clustercast-origin", what, network)?;
	trade
		.args(["--account", &who.uri, "--stream", &stream.to_string()])
		.args(more);
	run_once(&mut trade).await.with_context(|| what.to_owned())
}

/// FFmpeg's test picture, for whoever needs a broadcast of anything.
pub const TEST_PICTURE: &[&str] = &["--input", "test"];

/// A running origin.
pub struct Origin {
	/// Number of the stream key.
	pub stream: u64,
	/// Where relayers reach it: `MULTIADDR/p2p/ID`.
	pub address: String,
	/// Its first line.
	pub said: Value,
	/// The process.
	pub process: Process,
	/// What it broadcasts, as a file.
	pub record: PathBuf,
	log: PathBuf,
}

impl Origin {
	/// Starts it with the test picture; returns once it listens. Serves relayers that are registered, or with `open` anyone.
	pub async fn start(lab: &Lab, network: &Network, broadcaster: &Person, stream: u64, open: bool) -> Result<Self> {
		Self::start_as(lab, "origin", network, broadcaster, stream, open).await
	}

	/// The same; its files are called `name`.
	pub async fn start_as(
		lab: &Lab,
		name: &str,
		network: &Network,
		broadcaster: &Person,
		stream: u64,
		open: bool,
	) -> Result<Self> {
		let mut run = Self::command(lab, name, network, broadcaster, stream)?;
		run.args(TEST_PICTURE);
		if open {
			run.arg("--open");
		}
		Self::run(lab, name, stream, &mut run).await
	}

	/// Its command line, but for what it broadcasts, on a port of its own; its files are called `name`.
	pub fn command(lab: &Lab, name: &str, network: &Network, broadcaster: &Person, stream: u64) -> Result<Command> {
		Self::command_at(lab, name, network, broadcaster, stream, "/ip4/127.0.0.1/udp/0/quic-v1")
	}

	/// The same; relayers reach it at `listen`.
	pub fn command_at(
		lab: &Lab,
		name: &str,
		network: &Network,
		broadcaster: &Person,
		stream: u64,
		listen: &str,
	) -> Result<Command> {
		let mut run = command("clustercast-origin", "run", network)?;
		run.args(["--stream", &stream.to_string(), "--listen", listen])
			.arg("--signing-key")
			.arg(&broadcaster.key_file)
			.arg("--state")
			.arg(lab.path(name))
			.arg("--record")
			.arg(lab.path(&format!("{name}.mp4")))
			.arg("--window-log")
			.arg(lab.path(&format!("{name}.windows")));
		Ok(run)
	}

	/// Starts what [`Origin::command`] made; returns once it listens.
	pub async fn run(lab: &Lab, name: &str, stream: u64, run: &mut Command) -> Result<Self> {
		let mut process = Process::spawn(lab, name, run)?;
		let said = process.json_line().await?;
		Ok(Self {
			stream,
			address: address(&said)?,
			said,
			process,
			record: lab.path(&format!("{name}.mp4")),
			log: lab.path(&format!("{name}.windows")),
		})
	}

	/// The windows that it published.
	pub fn windows(&self) -> Result<Vec<Window>> {
		window_log(&self.log)
	}

	/// All that it published so far.
	pub fn recording(&self) -> Result<Recording> {
		Recording::open(&self.record, &self.log)
	}
}

/// What a relayer asks for and when it redeems.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
	/// Micro-USDC per GB.
	pub price_per_gb: u64,
	/// Of each ticket, micro-USDC.
	pub face_value: Balance,
	/// Redeems once its winners are worth this, micro-USDC...
	pub redeem_value: Balance,
	/// ...or the oldest is as old as this, seconds.
	pub redeem_age_s: u32,
	/// How viewers pay: `--payment`.
	pub payment: &'static str,
}

/// A registered relayer, running or not.
pub struct Relayer {
	/// Who runs it.
	pub person: Person,
	/// Where viewers reach it: `MULTIADDR/p2p/ID`.
	pub address: String,
	/// The process, while it runs.
	pub process: Option<Process>,
	state: PathBuf,
	metrics_port: u16,
	web_port: Option<u16>,
	name: String,
	listen: String,
	terms: Terms,
}

impl Relayer {
	/// Registers a relayer with the smallest bond; its person has money already.
	pub async fn register(lab: &Lab, network: &Network, person: Person, name: &str, terms: Terms) -> Result<Self> {
		let listen = format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port()?);
		Self::register_at(lab, network, person, name, terms, listen).await
	}

	/// The same; viewers reach it at `listen`.
	pub async fn register_at(
		lab: &Lab,
		network: &Network,
		person: Person,
		name: &str,
		terms: Terms,
		listen: String,
	) -> Result<Self> {
		register(network, &person, &[&listen], terms.price_per_gb).await?;
		Ok(Self {
			address: format!("{listen}/p2p/{}", clustercast_network::peer_id(&person.key)?),
			person,
			process: None,
			state: lab.path(&format!("{name}.state")),
			metrics_port: free_port()?,
			web_port: None,
			name: name.to_owned(),
			listen,
			terms,
		})
	}

	/// Enters in the registry that it serves browsers, which it does from the next run on; where their page is.
	pub async fn serve_browsers(&mut self, network: &Network) -> Result<String> {
		let port = free_port()?;
		let addresses = [&*self.listen, &web_address(port)];
		register(network, &self.person, &addresses, self.terms.price_per_gb).await?;
		self.web_port = Some(port);
		Ok(format!("http://127.0.0.1:{port}/"))
	}

	/// What it asks for.
	pub fn terms(&self) -> Terms {
		self.terms
	}

	/// Where it serves its metrics: `HOST:PORT`.
	pub fn metrics(&self) -> String {
		format!("127.0.0.1:{}", self.metrics_port)
	}

	/// Its peer id.
	pub fn peer(&self) -> &str {
		self.address.rsplit('/').next().expect("a split has a last part")
	}

	/// Runs it below `upstream`; returns once it listens.
	pub async fn run(&mut self, lab: &Lab, network: &Network, upstream: &str, stream: u64) -> Result<()> {
		let mut run = self.command(network, upstream, stream)?;
		self.start(lab, &mut run).await
	}

	/// Runs it below these origins, a table of its configuration for each: number of the stream, and where that is.
	pub async fn run_streams(&mut self, lab: &Lab, network: &Network, streams: &[(u64, &str)]) -> Result<()> {
		let tables = streams
			.iter()
			.map(|(id, upstream)| format!("[[streams]]\nid = {id}\nupstream = \"{upstream}\"\n"));
		self.run_configured(lab, network, &tables.collect::<String>()).await
	}

	/// Runs it with this in its configuration, beside what its command line says; returns once it listens.
	pub async fn run_configured(&mut self, lab: &Lab, network: &Network, text: &str) -> Result<()> {
		let mut run = self.command_configured(lab, network, text)?;
		self.start(lab, &mut run).await
	}

	/// The command line of [`Relayer::run_configured`].
	pub fn command_configured(&self, lab: &Lab, network: &Network, text: &str) -> Result<Command> {
		let config = lab.path(&format!("{}.toml", self.name));
		fs::write(&config, text).context("the relayer's configuration")?;
		let mut run = self.command_of_any(network)?;
		run.arg("--config").arg(config);
		Ok(run)
	}

	/// The command line of [`Relayer::run`].
	pub fn command(&self, network: &Network, upstream: &str, stream: u64) -> Result<Command> {
		let mut run = self.command_of_any(network)?;
		run.args(["--upstream", upstream, "--stream", &stream.to_string()]);
		Ok(run)
	}

	/// In its place, one that cheats: see [`crate::byzantine::main`].
	pub fn command_cheating(
		&self,
		lab: &Lab,
		network: &Network,
		stream: u64,
		upstreams: &[String],
		(honest, trick): (usize, Trick),
	) -> Result<Command> {
		let mut run = Command::new(program("clustercast-byzantine")?);
		run.args(["--rpc", &network.rpc(0), "--account", &self.person.uri])
			.args(["--listen", &self.listen, "--stream", &stream.to_string()])
			.args(["--price-per-gb", &self.terms.price_per_gb.to_string()])
			.args(["--face-value", &self.terms.face_value.to_string()])
			.args(["--honest", &honest.to_string(), "--trick", &trick.name()])
			.args(upstreams.iter().flat_map(|address| ["--upstream", address]))
			.arg("--identity")
			.arg(&self.person.key_file)
			.arg("--state")
			.arg(lab.path(&format!("{}.state", self.name)));
		Ok(run)
	}

	/// The command line of any relayer, but for what it relays.
	fn command_of_any(&self, network: &Network) -> Result<Command> {
		let terms = self.terms;
		let mut run = command("clustercast-relayer", "run", network)?;
		run.args(["--account", &self.person.uri, "--listen", &self.listen])
			.args(["--price-per-gb", &terms.price_per_gb.to_string()])
			.args(["--face-value", &Usdc(terms.face_value).to_string()])
			.args(["--payment", terms.payment])
			.args(["--redeem-value", &Usdc(terms.redeem_value).to_string()])
			.args(["--redeem-age-s", &terms.redeem_age_s.to_string()])
			.args(["--voucher-age-s", &terms.redeem_age_s.to_string()])
			.args(["--metrics", &format!("127.0.0.1:{}", self.metrics_port)])
			.arg("--identity")
			.arg(&self.person.key_file)
			.arg("--state")
			.arg(&self.state);
		if let Some(port) = self.web_port {
			run.args(["--web", &format!("127.0.0.1:{port}")]);
		}
		Ok(run)
	}

	/// Starts what [`Relayer::command`] made; returns once it listens.
	pub async fn start(&mut self, lab: &Lab, run: &mut Command) -> Result<()> {
		let mut process = Process::spawn(lab, &self.name, run)?;
		let address = listening(&mut process).await?;
		ensure!(
			address == self.address,
			"it listens on {address}, not on {}",
			self.address
		);
		self.process = Some(process);
		Ok(())
	}

	/// From the next run on, redeems at this value (micro-USDC) or age (seconds).
	pub fn redeem_at(&mut self, value: Balance, age_s: u32) {
		(self.terms.redeem_value, self.terms.redeem_age_s) = (value, age_s);
	}

	/// What it counted since it started.
	pub async fn counts(&self) -> Result<Counts> {
		Ok(Counts {
			tickets: self.metric("tickets_total").await?,
			winners: self.metric("winners_total").await?,
		})
	}

	/// Waits until so many of its tickets have won, since it started.
	pub async fn wait_winners(&self, count: u64, limit: Duration) -> Result<()> {
		let wait = async {
			while self.counts().await?.winners < count {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		let won = timeout(limit, wait).await;
		won.with_context(|| format!("not {count} winners within {limit:?}"))?
	}

	/// One of its metrics, over all labels: `clustercast_relayer_NAME`.
	pub async fn metric(&self, name: &str) -> Result<u64> {
		let text = http::text(&format!("http://{}/metrics", self.metrics())).await?;
		let name = format!("clustercast_relayer_{name}");
		let samples = text.lines().filter(|line| line.split([' ', '{']).next() == Some(&name));
		let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
		Ok(values.sum::<f64>() as u64)
	}

	/// Ends it as Ctrl-C does: it redeems what it holds, then goes.
	pub async fn stop(&mut self) -> Result<()> {
		let status = self.process.take().context("it runs")?.interrupt().await?;
		success("the relayer", status)
	}

	/// All winners in its store, by `WinningTicket::id`, whatever became of them. Only while it does not run.
	pub fn winners(&self, network: &Network) -> Result<BTreeSet<Hash>> {
		Ok(self.winners_by_stream(network)?.into_keys().collect())
	}

	/// The same, each with its stream.
	pub fn winners_by_stream(&self, network: &Network) -> Result<BTreeMap<Hash, u64>> {
		let chain = network.books().chain();
		let path = self.state.join("winners.redb");
		let store = Store::open(&path, &chain.genesis()).context("winners")?;
		let (waiting, settled) = (store.winners()?, store.settled()?);
		let waiting = waiting.into_iter().map(|(_, winner)| winner);
		let all = waiting.chain(settled.into_iter().map(|settled| settled.winner));
		Ok(all
			.map(|winner| (winner.ticket.id(), winner.message().stream.0))
			.collect())
	}

	/// The newest voucher of a place in its store. Only while it does not run.
	pub fn voucher(&self, network: &Network, place: &VoucherPlace) -> Result<Option<Kept>> {
		let path = self.state.join("winners.redb");
		let store = Store::open(&path, &network.books().chain().genesis()).context("vouchers")?;
		Ok(store.voucher(place)?)
	}

	/// kill -9.
	pub async fn kill_9(&mut self) -> Result<()> {
		self.process.take().context("it runs")?.kill_9().await
	}
}

/// A relayer's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
	/// Tickets accepted.
	pub tickets: u64,
	/// Of these, winners.
	pub winners: u64,
}

impl AddAssign for Counts {
	fn add_assign(&mut self, other: Self) {
		self.tickets += other.tickets;
		self.winners += other.winners;
	}
}

/// Registers a relayer that is reached at these addresses, or changes them.
pub async fn register(network: &Network, person: &Person, addresses: &[&str], price_per_gb: u64) -> Result<()> {
	let mut register = command("clustercast-relayer", "register", network)?;
	register
		.args(["--account", &person.uri, "--bond", "10", "--address"])
		.args(addresses)
		.args(["--price-per-gb", &price_per_gb.to_string()])
		.arg("--identity")
		.arg(&person.key_file);
	run_once(&mut register).await.context("register")?;
	Ok(())
}

/// As the registry has a page at this port of loopback.
pub fn web_address(port: u16) -> String {
	format!("/ip4/127.0.0.1/tcp/{port}/http")
}

/// The session key of a player for an account whose wallet is elsewhere: what a deposit on the L2 has to name.
pub async fn session(lab: &Lab, network: &Network, viewer: &Person) -> Result<Session> {
	let mut session = command("clustercast-player", "session", network)?;
	session
		.args(["--account", &viewer.uri])
		.arg("--state")
		.arg(lab.path("wallet"));
	let answer = run_once(&mut session).await.context("session")?;
	let key = answer["sessionKey"].as_str().context("it prints a key")?.parse()?;
	let proof = answer["sessionProof"].as_str().context("it prints a proof")?.parse()?;
	let expiry = answer["expiry"].as_u64().context("it prints an expiry")?;
	Ok(Session {
		key,
		proof,
		limit: 10 * USDC,
		expiry: expiry.try_into()?,
	})
}

/// A running player.
pub struct Player {
	/// The process.
	pub process: Process,
	/// What it plays, as a file.
	pub output: PathBuf,
	/// Where it serves HLS.
	pub hls: String,
	log: PathBuf,
	summary: PathBuf,
}

impl Player {
	/// Starts watching with a deposit of 10 USDC, and serves HLS on a port, which must be free. Its files are called
	/// `name`. Relayers come from the registry, unless `more` arguments of the program name some.
	pub fn watch(
		lab: &Lab,
		name: &str,
		network: &Network,
		viewer: &Person,
		stream: u64,
		hls_port: u16,
		more: &[&str],
	) -> Result<Self> {
		let mut watch = Self::command(lab, name, network, viewer, stream, hls_port, "wallet")?;
		Self::run(lab, name, hls_port, watch.args(more))
	}

	/// The command line of [`Player::watch`]; its state is called `state`. Several may have one, one after the other.
	pub fn command(
		lab: &Lab,
		name: &str,
		network: &Network,
		viewer: &Person,
		stream: u64,
		hls_port: u16,
		state: &str,
	) -> Result<Command> {
		let hls = format!("127.0.0.1:{hls_port}");
		let mut watch = command("clustercast-player", "watch", network)?;
		watch
			.args([
				"--account",
				&viewer.uri,
				"--stream",
				&stream.to_string(),
				"--deposit",
				"10",
			])
			.args(["--hls", &hls, "--max-price-per-gb", &MAX_PRICE_PER_GB.to_string()])
			.arg("--state")
			.arg(lab.path(state))
			.arg("--output")
			.arg(lab.path(&format!("{name}.mp4")))
			.arg("--window-log")
			.arg(lab.path(&format!("{name}.windows")))
			.arg("--json")
			.arg(lab.path(&format!("{name}.json")));
		Ok(watch)
	}

	/// Starts what [`Player::command`] made.
	pub fn run(lab: &Lab, name: &str, hls_port: u16, watch: &mut Command) -> Result<Self> {
		Ok(Self {
			process: Process::spawn(lab, name, watch)?,
			output: lab.path(&format!("{name}.mp4")),
			hls: format!("http://127.0.0.1:{hls_port}/index.m3u8"),
			log: lab.path(&format!("{name}.windows")),
			summary: lab.path(&format!("{name}.json")),
		})
	}

	/// The windows that it wrote so far.
	pub fn windows(&self) -> Result<Vec<Window>> {
		window_log(&self.log)
	}

	/// Waits until it wrote this many windows; they.
	pub async fn wait_windows(&mut self, count: usize, limit: Duration) -> Result<Vec<Window>> {
		let wait = async {
			loop {
				let windows = window_log(&self.log)?;
				if windows.len() >= count {
					return Ok(windows);
				}
				self.process.check_alive()?;
				sleep(LOOK).await;
			}
		};
		match timeout(limit, wait).await {
			Ok(windows) => windows,
			Err(_) => bail!(
				"{} windows after {limit:?}, wanted {count}",
				window_log(&self.log)?.len()
			),
		}
	}

	/// Waits until it ends of itself; its summary.
	pub async fn finish(&mut self, limit: Duration) -> Result<Value> {
		success("the player", self.process.wait(limit).await?)?;
		self.summary()
	}

	/// Ends it as Ctrl-C does; its summary.
	pub async fn stop(&mut self) -> Result<Value> {
		success("the player", self.process.interrupt().await?)?;
		self.summary()
	}

	/// What it wrote when it ended.
	pub fn summary(&self) -> Result<Value> {
		let text = fs::read(&self.summary).with_context(|| self.summary.display().to_string())?;
		Ok(serde_json::from_slice(&text)?)
	}

	/// All that it wrote.
	pub fn recording(&self) -> Result<Recording> {
		Recording::read(&self.output, &self.log)
	}

	/// Path of its output.
	pub fn output(&self) -> &Path {
		&self.output
	}
}

/// Longest that is waited for what a program is to come to by itself.
const BY_ITSELF: Duration = Duration::from_secs(120);

/// Waits until what programs tell of themselves is so.
pub async fn until<F: Future<Output = Result<bool>>>(what: &str, is_so: impl Fn() -> F) -> Result<()> {
	let wait = async {
		while !is_so().await? {
			sleep(LOOK).await;
		}
		anyhow::Ok(())
	};
	timeout(BY_ITSELF, wait)
		.await
		.with_context(|| format!("never: {what}"))?
}

/// An error where a program failed.
pub fn success(what: &str, status: ExitStatus) -> Result<()> {
	ensure!(status.success(), "{what} ended with {status}");
	Ok(())
}

/// The address in a program's first line.
async fn listening(process: &mut Process) -> Result<String> {
	address(&process.json_line().await?)
}

fn address(line: &Value) -> Result<String> {
	let address = line["listening"].as_str();
	address
		.map(str::to_owned)
		.with_context(|| format!("no address in {line}"))
}
