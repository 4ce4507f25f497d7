//! A broadcast over lines with delay, loss and queues: the real programs, each at a node of the network lab, JSON-RPC included.
//!
//! The chain itself runs outside, where it was started: the node `chain` leads to its first validator. Deposits and session keys are
//! there before anybody watches: what is measured is watching.

mod earnings;
mod figures;
mod hops;
mod sharing;

pub use earnings::Earnings;
pub use figures::{Aim, Aims, Killed, Report, Spread, Viewer, Watched, PLAYHEAD_MS};
pub use hops::Hop;
pub use sharing::{Shared, Sharing};

use crate::{
	books::Snapshot,
	byzantine::Trick,
	lab::Lab,
	network::{Network, Person, START_MONEY},
	programs::{mint, Origin, Player, Relayer, Terms, TEST_PICTURE},
	pusher::unix_ms,
	switch::Switch,
};
use anyhow::{Context, Result};
use clustercast_lab::{
	link::{Shape, Waits},
	star::{Node, Star},
	switch::Access,
	tcp::{self, Transfer},
};
use futures::future::{join_all, try_join, try_join_all};
use serde::Serialize;
use std::{
	fmt,
	fmt::Write as _,
	io::{Read, Write as _},
	net::{TcpListener as Listener, TcpStream},
	time::Duration,
};
use tokio::{
	net::TcpListener,
	time::{sleep, sleep_until, timeout, Instant},
};

/// Longest that a viewer may take until it has its deposit, its session key and a window.
const PREPARE: Duration = Duration::from_secs(90);

/// Between two looks at what a relayer counted.
const LOOK: Duration = Duration::from_millis(200);

/// Ports at the nodes, where nobody else has any.
const RPC_PORT: u16 = 9_944;
const QUIC_PORT: u16 = 4_001;
const HLS_PORT: u16 = 8_080;

/// Who downloads something else.
const FOREIGN: &str = "foreign";

/// Behind the beginning of viewers and of the foreign download it is measured how they share: what starts up has no share.
const SETTLE: Duration = Duration::from_secs(20);

/// How long a way is measured, with each congestion control.
const TRANSFER: Duration = Duration::from_secs(6);

/// As far as most machines of a data centre are from their neighbours.
const CHAIN_LINE: Access = Access::both(Shape::delay(Duration::from_millis(10)));

/// What relayers say beside the usual: when they have which window, and why subscriptions are over.
const LOG: &str = "info,clustercast_relayer::ingest=debug,clustercast_relayer::desk=debug,clustercast_network::serve=debug,clustercast_network::crew=trace";

/// The usual price and face value (`docs/economics.md`).
pub const TERMS: Terms = Terms {
	price_per_gb: 20_000,
	face_value: 20_000,
	redeem_value: 100_000,
	redeem_age_s: 3_600,
	payment: "auto",
};

/// Who is where, and what happens.
#[derive(Clone, Debug)]
pub struct Scenario {
	/// As `scripts/lab` calls it.
	pub name: &'static str,
	/// In a line.
	pub says: &'static str,
	/// The origin's line.
	pub origin: Access,
	/// What its program is told beside.
	pub options: &'static [&'static str],
	/// It buys of its relayers now and then, to see whether they sell.
	pub checks: bool,
	/// Each relayer.
	pub relayers: Vec<Place>,
	/// Each viewer.
	pub viewers: Vec<Seat>,
	/// What happens to relayers.
	pub outages: Vec<Outage>,
	/// Somebody else on a relayer's line.
	pub foreign: Option<Foreign>,
	/// How long viewers watch.
	pub length: Duration,
	/// What it is to show.
	pub aims: Aims,
	/// This relayer's books are closed at the end.
	pub books: Option<usize>,
}

/// A relayer's place.
#[derive(Clone, Debug)]
pub struct Place {
	/// Its line.
	pub line: Access,
	/// What it is told that its line carries upwards, 10^6 bits/s.
	pub uplink_mbps: Option<u32>,
	/// Asks the origin, before anybody else.
	pub origin: bool,
	/// Relayers that it buys from, first choice first: their numbers, from 0 on.
	pub upstreams: Vec<usize>,
	/// What it pays at most, micro-USDC per GB; `None`: it buys of nobody.
	pub pays: Option<u64>,
	/// What it asks.
	pub terms: Terms,
	/// It cheats, after so many windows of each subscription.
	pub trick: Option<(usize, Trick)>,
}

impl Place {
	/// Below the origin, told nothing.
	pub fn on(line: Access) -> Self {
		Self {
			line,
			uplink_mbps: None,
			origin: true,
			upstreams: Vec::new(),
			pays: None,
			terms: TERMS,
			trick: None,
		}
	}
}

/// A viewer's place.
#[derive(Clone, Debug)]
pub struct Seat {
	/// Its line.
	pub line: Access,
	/// Relayers that it knows, first choice first: their numbers, from 0 on. All that the registry has, where none is named.
	pub relayers: Vec<usize>,
	/// When it begins.
	pub joins: Duration,
}

/// Downloads over a relayer's uplink by TCP (CUBIC) as fast as it gets it, while viewers watch.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
	/// The relayer's number, from 0 on.
	pub relayer: usize,
	/// Its own line.
	pub line: Access,
}

/// A relayer is killed, and comes back.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
	/// Its number, from 0 on.
	pub relayer: usize,
	/// When, since the first viewer began.
	pub at: Duration,
	/// How long it is gone.
	pub gone: Duration,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
	Join(usize),
	Kill(usize),
	Restart(usize),
	Settle,
}

impl Scenario {
	/// Ends it so long after its begin.
	pub fn shorten(&mut self, length: Duration) {
		self.length = self.length.min(length);
		self.viewers.retain(|seat| seat.joins < length);
		self.outages.retain(|outage| outage.at + outage.gone < length);
	}

	/// The nodes: chain, origin, relayers, viewers.
	fn nodes(&self) -> Vec<(String, Access)> {
		let relayers = self
			.relayers
			.iter()
			.enumerate()
			.map(|(n, place)| (relayer_name(n), place.line));
		let viewers = self
			.viewers
			.iter()
			.enumerate()
			.map(|(n, seat)| (viewer_name(n), seat.line));
		let foreign = self.foreign.map(|foreign| (FOREIGN.to_owned(), foreign.line));
		[("chain".to_owned(), CHAIN_LINE), ("origin".to_owned(), self.origin)]
			.into_iter()
			.chain(relayers)
			.chain(viewers)
			.chain(foreign)
			.collect()
	}

	/// In the order of time.
	fn events(&self) -> Vec<(Duration, Event)> {
		let both = |outage: &Outage| {
			[
				(outage.at, Event::Kill(outage.relayer)),
				(outage.at + outage.gone, Event::Restart(outage.relayer)),
			]
		};
		let seats = self.viewers.iter().enumerate();
		let joins = seats.map(|(number, seat)| (seat.joins, Event::Join(number)));
		let settle = self.foreign.map(|_| (SETTLE, Event::Settle));
		let mut events: Vec<_> = joins.chain(self.outages.iter().flat_map(both)).chain(settle).collect();
		events.sort_by_key(|(at, _)| *at);
		events
	}
}

fn relayer_name(number: usize) -> String {
	format!("relayer-{}", number + 1)
}

fn viewer_name(number: usize) -> String {
	format!("viewer-{}", number + 1)
}

/// Where a peer at a node is reached.
fn listen(node: &Node) -> String {
	format!("/ip4/{}/udp/{QUIC_PORT}/quic-v1", node.address())
}

/// Everything but the viewers, running.
struct Stage<'l> {
	lab: &'l Lab,
	network: Network,
	/// Leads to the chain.
	_door: Switch,
	origin: Origin,
	relayers: Vec<Relayer>,
	viewers: Vec<Person>,
	/// All money, before anything was registered or paid.
	before: Snapshot,
	/// Last: when lines end before programs, these complain.
	star: Star,
}

impl<'l> Stage<'l> {
	async fn set(lab: &'l Lab, mut network: Network, scenario: &Scenario, seed: u64) -> Result<Self> {
		let nodes = scenario.nodes();
		let nodes: Vec<(&str, Access)> = nodes.iter().map(|(name, line)| (name.as_str(), *line)).collect();
		let star = Star::build(seed, &nodes)?;

		let person = |name: String| Person::new(lab, &name);
		let broadcaster = person("broadcaster".into())?;
		let customer = person("customer".into())?;
		let people = (0..scenario.relayers.len())
			.map(|n| person(relayer_name(n)))
			.collect::<Result<Vec<_>>>()?;
		let viewers = (0..scenario.viewers.len())
			.map(|n| person(viewer_name(n)))
			.collect::<Result<Vec<_>>>()?;
		let all = people.iter().chain(&viewers).chain([&broadcaster, &customer]);
		network
			.fund(&all.map(|person| (person.account, START_MONEY)).collect::<Vec<_>>())
			.await?;
		let before = network.books().snapshot(network.books().settle().await?).await?;
		let places = people.into_iter().zip(&scenario.relayers);
		let register = places.enumerate().map(|(number, (person, place))| {
			let (star, network, name) = (&star, &network, relayer_name(number));
			async move {
				let at = listen(star.node(&name)?);
				Relayer::register_at(lab, network, person, &name, place.terms, at).await
			}
		});
		let mint = mint(&network, &broadcaster, TERMS.price_per_gb);
		let (stream, relayers) = try_join(mint, try_join_all(register)).await?;

		// From here on programs run at nodes, and reach the chain over their lines.
		let chain = star.node("chain")?;
		let listener = chain.inside(|| Listener::bind((chain.address(), RPC_PORT)))?;
		listener.set_nonblocking(true)?;
		let port = network.rpc(0).rsplit(':').next().and_then(|port| port.parse().ok());
		let door = Switch::on(
			TcpListener::from_std(listener)?,
			port.context("a URL ends with its port")?,
		)?;
		network.lead(door.url());

		let node = star.node("origin")?;
		let mut run = Origin::command_at(lab, "origin", &network, &broadcaster, stream, &listen(node))?;
		if scenario.checks {
			run.args(["--check-account", &customer.uri]);
		}
		node.enter(run.args(TEST_PICTURE).args(scenario.options).as_std_mut());
		let origin = Origin::run(lab, "origin", stream, &mut run).await?;
		let mut stage = Self {
			lab,
			star,
			network,
			_door: door,
			origin,
			relayers,
			viewers,
			before,
		};
		for number in 0..stage.relayers.len() {
			stage.start_relayer(scenario, number).await?;
			stage.has_stream(scenario, number).await?;
		}
		Ok(stage)
	}

	/// Waits until a relayer that was started has its first window: who comes first has a copy of the origin's.
	async fn has_stream(&mut self, scenario: &Scenario, number: usize) -> Result<()> {
		if scenario.relayers[number].trick.is_some() {
			let process = self.relayers[number].process.as_mut().context("it was started")?;
			process.json_line().await?;
			return Ok(());
		}
		let wait = async {
			while self.figure(number, "windows_total")? < 1.0 {
				sleep(LOOK).await;
			}
			anyhow::Ok(())
		};
		let has = timeout(PREPARE, wait).await;
		has.with_context(|| format!("{} has no stream", relayer_name(number)))?
	}

	/// A figure of a relayer that does not cheat, over all labels.
	fn figure(&self, number: usize, name: &str) -> Result<f64> {
		let (node, at) = (self.star.node(&relayer_name(number))?, self.relayers[number].metrics());
		let text = node.inside(|| {
			let mut stream = TcpStream::connect(&at)?;
			stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {at}\r\n\r\n").as_bytes())?;
			let mut text = String::new();
			stream.read_to_string(&mut text)?;
			Ok(text)
		})?;
		let name = format!("clustercast_relayer_{name}");
		let samples = text.lines().filter(|line| line.split([' ', '{']).next() == Some(&name));
		Ok(samples
			.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
			.sum())
	}

	async fn start_relayer(&mut self, scenario: &Scenario, number: usize) -> Result<()> {
		let place = &scenario.relayers[number];
		let sellers = place.upstreams.iter().map(|&above| &self.relayers[above].address);
		let upstreams = place.origin.then_some(&self.origin.address).into_iter().chain(sellers);
		let upstreams: Vec<String> = upstreams.cloned().collect();
		let (stream, relayer) = (self.origin.stream, &mut self.relayers[number]);
		let mut run = match place.trick {
			Some(plan) => relayer.command_cheating(self.lab, &self.network, stream, &upstreams, plan)?,
			None => {
				let mut config = String::new();
				if let Some(most) = place.pays {
					writeln!(config, "[buying]\ndeposit = 5\nmax_price_per_gb = {most}")?;
				}
				writeln!(config, "[[streams]]\nid = {stream}\nupstream = {upstreams:?}")?;
				relayer.command_configured(self.lab, &self.network, &config)?
			},
		};
		if let Some(mbps) = place.uplink_mbps.filter(|_| place.trick.is_none()) {
			run.args(["--uplink-mbps", &mbps.to_string()]);
		}
		run.env("RUST_LOG", LOG);
		self.star.node(&relayer_name(number))?.enter(run.as_std_mut());
		relayer.start(self.lab, &mut run).await
	}

	/// A viewer's program, whose files are called `name`.
	fn watch(&self, number: usize, seat: &Seat, name: &str, more: &[&str]) -> Result<Player> {
		let state = format!("{}.state", viewer_name(number));
		let mut watch = Player::command(
			self.lab,
			name,
			&self.network,
			&self.viewers[number],
			self.origin.stream,
			HLS_PORT,
			&state,
		)?;
		for &relayer in &seat.relayers {
			watch.args(["--relayer", &self.relayers[relayer].address]);
		}
		self.star
			.node(&viewer_name(number))?
			.enter(watch.args(more).as_std_mut());
		Player::run(self.lab, name, HLS_PORT, &mut watch)
	}

	/// Deposits and session keys are made, by watching for a moment.
	async fn prepare(&self, scenario: &Scenario) -> Result<()> {
		let prepare = scenario.viewers.iter().enumerate().map(|(number, seat)| async move {
			let name = format!("{}-before", viewer_name(number));
			let mut player = self.watch(number, seat, &name, &["--windows", "1"])?;
			player
				.finish(PREPARE)
				.await
				.with_context(|| format!("{name} has nothing to watch"))
		});
		try_join_all(prepare).await?;
		Ok(())
	}

	/// All that happens while viewers watch.
	async fn play(&mut self, scenario: &Scenario) -> Result<Played> {
		let (began, mut killed) = (Instant::now(), Vec::<Killed>::new());
		let mut watching = Vec::new();
		let mut download = match scenario.foreign {
			Some(foreign) => Some(Download::start(&self.star, foreign)?),
			None => None,
		};
		for (at, event) in scenario.events() {
			sleep_until(began + at).await;
			match event {
				Event::Join(number) => {
					let (name, started_ms) = (viewer_name(number), unix_ms());
					let player = self.watch(number, &scenario.viewers[number], &name, &[])?;
					watching.push(Watching {
						player,
						name,
						started_ms,
					});
				},
				Event::Kill(number) => {
					killed.push(Killed {
						peer: self.relayers[number].peer().to_owned(),
						at_ms: unix_ms(),
						back_ms: None,
					});
					self.relayers[number].kill_9().await?;
				},
				Event::Restart(number) => {
					let peer = self.relayers[number].peer().to_owned();
					let gone = killed.iter_mut().rfind(|killed| killed.peer == peer);
					if let Some(gone) = gone {
						gone.back_ms = Some(unix_ms());
					}
					self.start_relayer(scenario, number).await?;
				},
				Event::Settle => {
					if let Some(download) = &mut download {
						download.settle(&self.star)?;
					}
				},
			}
		}
		sleep_until(began + scenario.length).await;
		let shared = download.map(|download| download.end(&self.star)).transpose()?;
		Ok(Played {
			watching,
			killed,
			shared,
		})
	}
}

/// What happened while viewers watched.
struct Played {
	watching: Vec<Watching>,
	killed: Vec<Killed>,
	shared: Option<Shared>,
}

/// A foreign download that goes on, and where it was once all were at work.
struct Download {
	relayer: String,
	transfer: Transfer,
	from_ms: u64,
	received: u64,
	waits: Waits,
}

impl Download {
	fn start(star: &Star, foreign: Foreign) -> Result<Self> {
		let relayer = relayer_name(foreign.relayer);
		Ok(Self {
			transfer: Transfer::start(star.node(&relayer)?, star.node(FOREIGN)?, "cubic")?,
			relayer,
			from_ms: unix_ms(),
			received: 0,
			waits: Waits::default(),
		})
	}

	/// What counts begins now.
	fn settle(&mut self, star: &Star) -> Result<()> {
		(self.from_ms, self.received) = (unix_ms(), self.transfer.received());
		self.waits = star.waits(star.node(&self.relayer)?);
		Ok(())
	}

	fn end(self, star: &Star) -> Result<Shared> {
		Ok(Shared {
			from_ms: self.from_ms,
			until_ms: unix_ms(),
			downloaded: self.transfer.received() - self.received,
			queue: star.waits(star.node(&self.relayer)?).since(&self.waits),
		})
	}
}

/// A viewer whose program runs.
struct Watching {
	player: Player,
	name: String,
	started_ms: u64,
}

/// A way of the stream, and what one TCP connection gets out of it, bits per second: the most that a program with the same congestion
/// control can have there, but for what it does better than the kernel.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
	/// Who sends.
	pub from: String,
	/// Who receives.
	pub to: String,
	/// By CUBIC.
	pub cubic: f64,
	/// By BBR; `None` where the kernel has none.
	pub bbr: Option<f64>,
}

impl fmt::Display for Way {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"{} to {}: TCP gets {:.2} Mb/s by CUBIC",
			self.from,
			self.to,
			self.cubic / 1e6
		)?;
		match self.bbr {
			Some(bbr) => write!(f, ", {:.2} by BBR", bbr / 1e6),
			None => Ok(()),
		}
	}
}

/// Measures the ways of a scenario, one after the other, on lines on which nothing else is: to each relayer from its
/// first choice, and so to each viewer.
pub fn ways(scenario: &Scenario, seed: u64) -> Result<Vec<Way>> {
	let nodes = scenario.nodes();
	let nodes: Vec<(&str, Access)> = nodes.iter().map(|(name, line)| (name.as_str(), *line)).collect();
	let star = Star::build(seed, &nodes)?;
	let to_relayers = scenario.relayers.iter().enumerate().filter_map(|(number, place)| {
		let above = match place.origin {
			true => "origin".to_owned(),
			false => relayer_name(*place.upstreams.first()?),
		};
		Some((above, relayer_name(number)))
	});
	let seats = scenario.viewers.iter().enumerate();
	let to_viewers =
		seats.filter_map(|(number, seat)| Some((relayer_name(*seat.relayers.first()?), viewer_name(number))));
	let way = |(from, to): (String, String)| {
		let (sends, receives) = (star.node(&from)?, star.node(&to)?);
		Ok(Way {
			cubic: tcp::rate(sends, receives, "cubic", TRANSFER)?,
			bbr: tcp::rate(sends, receives, "bbr", TRANSFER).ok(),
			from,
			to,
		})
	};
	to_relayers.chain(to_viewers).map(way).collect()
}

/// Runs it once, on this chain.
pub async fn run(lab: &Lab, network: Network, scenario: &Scenario, seed: u64) -> Result<Report> {
	let mut stage = Stage::set(lab, network, scenario, seed).await?;
	stage.prepare(scenario).await?;

	let bought = scenario.books.map(|number| stage.bought(number)).transpose()?;
	let control = stage.star.control()?;
	let Played {
		watching,
		killed,
		shared,
	} = stage.play(scenario).await?;
	let control = control.verdict();
	let bought = match scenario.books.zip(bought) {
		Some((number, before)) => Some((number, (before, stage.bought(number)?))),
		None => None,
	};

	let stop = watching.into_iter().map(|watching| async move {
		let Watching {
			mut player,
			name,
			started_ms,
		} = watching;
		// Before it ends: what comes while it settles is no part of this.
		let (log, stopped_ms) = (player.windows()?, unix_ms());
		let summary = player.stop().await.with_context(|| name.clone())?;
		let watched = Watched {
			name,
			started_ms,
			stopped_ms,
			log,
			summary,
		};
		anyhow::Ok((watched, player))
	});
	let stopped = join_all(stop).await.into_iter().collect::<Result<Vec<_>>>()?;
	let (watched, players): (Vec<Watched>, Vec<Player>) = stopped.into_iter().unzip();
	let published = stage.origin.windows()?;
	let bytes: u64 = published.iter().map(|window| u64::from(window.bytes)).sum();
	let sent = stage.star.traffic(stage.star.node("origin")?).up.bytes;
	let mut viewers: Vec<Viewer> = watched
		.iter()
		.map(|watched| Viewer::of(watched, &killed, &published))
		.collect();
	let broadcast = stage.origin.recording()?;
	for (viewer, player) in viewers.iter_mut().zip(&players) {
		viewer.foreign += broadcast.foreign(&player.recording()?);
	}
	let by_number = (0..).zip(&watched).map(|(number, watched)| (number, &watched.log[..]));
	let hops = hops::hops(lab, scenario, &published, &by_number.collect::<Vec<_>>())?;
	let earnings = match bought {
		Some((number, bought)) => {
			let seconds = scenario.length.as_secs_f64();
			Some(stage.close_books(number, bought, seconds, &watched).await?)
		},
		None => None,
	};
	let report = Report::of(
		(scenario.name, seed),
		control,
		sent as f64 / bytes.max(1) as f64,
		&published,
		viewers,
		&watched,
	);
	Ok(Report {
		hops,
		earnings,
		sharing: shared.map(|shared| Sharing::of(&shared, &watched)),
		..report
	}
	.judged(&scenario.aims))
}
