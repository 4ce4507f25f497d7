//! The program put together: checks everything that can be wrong before it listens, then broadcasts until told to end.

use crate::{
	copies::Copies,
	customer::Customer,
	door::{Lock, Place, Sources, ENVIRONMENT},
	encoder::unix_ms,
	guests::Guests,
	metrics,
	publisher::Publisher,
	reign::{Reign, Replaced},
	signer::{Identity, Signer, SignerError},
	studio::{self, Input, Studio},
	tier::{self, Outcome, Tier},
};
use anyhow::{bail, ensure, Context, Result};
use clustercast_chain::{account, keys, Chain, KeyError, NodeUrl, Wallet};
use clustercast_media::picture::PICTURES_PER_SEGMENT;
use clustercast_network::{
	node::Limits,
	serve::{self, serve},
	Address, Feed, Incoming, Multiaddr, Node,
};
use clustercast_pay::funds::Wanted;
use clustercast_primitives::{
	chain::StreamKeyInfo, crypto::KeyPair, status::State, text::Text, BlockNumber, Hash, PublicKey, StreamId,
};
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};
use std::{
	future::{pending, Future},
	io,
	net::SocketAddr,
	num::NonZeroU64,
	path::{Path, PathBuf},
	pin::Pin,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	signal::unix::{signal, SignalKind},
	sync::{oneshot, watch},
	task::JoinSet,
	time::{sleep, timeout},
};

/// How long relayers may take to fetch the last windows of a broadcast that is over.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long they have when the program has to go: nobody says when they have them.
const HAND_OVER: Duration = Duration::from_secs(1);

/// How long a relayer keeps its seat in a pause.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Between two words on how the broadcast stands: each holds for ten seconds.
const STATUS_INTERVAL: Duration = Duration::from_secs(4);

/// Longest wait for the block that numbers this run.
const EPOCH_LIMIT: Duration = Duration::from_secs(60);

/// A window that begins by more before the end of the last one does so since the clock was set back.
const OVERLAP_MS: u64 = 1_000;

/// Relayers that come again, and those that have just lost their seats, need places beside the copies: few, each gone within seconds.
const PLACES_BESIDE: usize = 16;

/// Who cannot pay for checks tries again after this.
const CHECK_AGAIN: Duration = Duration::from_secs(60);

/// Between two lines about windows that are held back.
const HELD_BACK_LINES: Duration = Duration::from_secs(60);

/// What a broadcast needs; see the command line's help for each.
#[derive(Clone, Debug)]
pub struct Config {
	/// JSON-RPC of a node, `ws://` or `wss://`.
	pub rpc: Vec<NodeUrl>,
	/// The stream.
	pub stream: StreamId,
	/// File of its signing key.
	pub signing_key: PathBuf,
	/// Where relayers connect.
	pub listen: Multiaddr,
	/// Where the video comes from.
	pub input: Input,
	/// Plays a file again and again.
	pub repeat: bool,
	/// File of the key that lets publish; without one the environment's counts, or one that is made in the state's folder.
	pub stream_key_file: Option<PathBuf>,
	/// The FFmpeg program.
	pub ffmpeg: PathBuf,
	/// Folder of the signer's state.
	pub state: PathBuf,
	/// File for what is published.
	pub record: Option<PathBuf>,
	/// File for a line on each window.
	pub window_log: Option<PathBuf>,
	/// Pictures of a part, where segments are signed and sent in parts.
	pub pictures_per_part: Option<u32>,
	/// When to end.
	pub seconds: Option<Duration>,
	/// Serves anyone.
	pub open: bool,
	/// Copies of the stream at most.
	pub max_relayers: usize,
	/// What the uplink carries, bytes/s.
	pub uplink: Option<NonZeroU64>,
	/// The relayer that has a copy whenever it comes.
	pub pinned: Option<PublicKey>,
	/// How long turns, rests and checks of relayers take.
	pub times: tier::Times,
	/// Who buys of relayers to check them.
	pub check: Option<Check>,
	/// Where figures are served.
	pub metrics: Option<SocketAddr>,
	/// Memory for past windows, bytes.
	pub cache_bytes: usize,
}

/// The accounts that buy of relayers.
#[derive(Clone, Debug)]
pub struct Check {
	/// Their secrets: see [`Wallet::from_suri`]. At least one.
	pub accounts: Vec<String>,
	/// Deposit, and limit of a session key, of each.
	pub wanted: Wanted,
}

/// The same once they were read, and where session keys and purses are.
struct Checks {
	chain: Chain,
	wallets: Vec<Arc<Wallet>>,
	wanted: Wanted,
	state: PathBuf,
}

/// A broadcast that is ready to begin: it listens, and nothing is encoded yet.
pub struct Origin {
	stream: StreamId,
	genesis: Hash,
	/// The peer key.
	key: PublicKey,
	studio: Studio,
	/// To be printed once: what a publisher has to know.
	made_key: Option<String>,
	signer: Signer,
	publisher: Publisher,
	feed: Feed,
	/// Where relayers reach it, the most useful first; at least one.
	addresses: Vec<Address>,
	/// Listens as long as it lives.
	node: Node,
	incoming: Incoming,
	registry: Option<Chain>,
	epochs: Epochs,
	lease: Option<Lease>,
	/// What finalised blocks say of the stream, if there is a chain to say so.
	named: Option<watch::Receiver<Option<StreamKeyInfo>>>,
	/// The first tier.
	tier: tier::Config,
	/// What buys of it, if something does.
	checks: Option<Checks>,
	seconds: Option<Duration>,
}

/// Waits for the number of another epoch.
type Epochs = Box<dyn Fn() -> Waited + Send + Sync>;

type Waited = Pin<Box<dyn Future<Output = Result<BlockNumber>> + Send>>;

/// The stream key is rented.
struct Lease {
	chain: Chain,
	/// First block in which it is the owner's again.
	until: BlockNumber,
}

impl Lease {
	/// Waits until it is over.
	async fn over(self) {
		let mut heads = self.chain.heads();
		// Fails only when the chain's connection is dropped, which is ours.
		let _ = heads.wait_for(|head| head.best >= self.until).await;
		tracing::info!(block = self.until, "the rental is over");
	}
}

/// Why a broadcast ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stop {
	/// It is over: its input, its time or its rental, or the broadcaster said so (SIGINT).
	Over,
	/// The program has to go (SIGTERM), and may come back: relayers are not told that the broadcast is over.
	Interrupted,
	/// The chain names another signing key: nobody takes a last word of this one.
	Replaced(Replaced),
}

/// Waits until the chain names another key.
async fn replaced(mut reign: Reign, mut named: watch::Receiver<Option<StreamKeyInfo>>) -> Replaced {
	loop {
		if let Err(replaced) = reign.read(named.borrow_and_update().as_ref()) {
			return replaced;
		}
		if named.changed().await.is_err() {
			return pending().await;
		}
	}
}

impl Origin {
	/// Checks input, key, stream and state, and listens. Fails with one line that says what to do.
	pub async fn load(config: Config) -> Result<Self> {
		ensure!(!config.repeat || config.input.is_file(), "--repeat is for files");
		studio::check(&config.ffmpeg).await?;
		let key = signing_key(&config.signing_key)?;
		let chain = Chain::connect(&config.rpc).await?;
		let stream = config.stream;
		let info = match chain.stream_key(stream).await? {
			// Whoever rents it broadcasts, with a key of its own.
			Some(info) if info.signing_key == key.public() => info,
			Some(StreamKeyInfo {
				rented_until: Some(block),
				previous_keys,
				..
			}) if previous_keys.contains(&key.public()) => {
				bail!("stream {stream} is rented: its owner broadcasts again from block {block}")
			},
			Some(info) => bail!(
				"stream {stream} is signed by {}, but {} holds {}: name the key of mint, or rotate-key to this one",
				info.signing_key,
				config.signing_key.display(),
				key.public()
			),
			None => bail!("there is no stream {stream} on this chain: mint a stream key first"),
		};
		let title = info.title.clone();
		let genesis = chain.genesis();
		let checks = match &config.check {
			Some(check) => Some(Checks {
				chain: chain.clone(),
				wallets: wallets(&check.accounts)?,
				wanted: check.wanted,
				state: config.state.clone(),
			}),
			None => None,
		};
		if let Some(address) = config.metrics {
			metrics::serve(address).await?;
		}
		let lease = info.rented_until.map(|until| Lease {
			chain: chain.clone(),
			until,
		});
		let named = Some(chain.follow_stream_key(info));
		let epoch = timeout(EPOCH_LIMIT, fresh_block(&chain))
			.await
			.context("the node makes no new block")??;
		let registry = (!config.open).then(|| chain.clone());
		let epochs: Epochs = Box::new(move || {
			let chain = chain.clone();
			Box::pin(async move { fresh_block(&chain).await })
		});
		let origin = Self::open(config, key, genesis, epoch, title, registry, epochs).await?;
		Ok(Self {
			lease,
			named,
			checks,
			..origin
		})
	}

	/// With what the chain says: the rest needs none.
	async fn open(
		config: Config,
		key: KeyPair,
		genesis: Hash,
		epoch: BlockNumber,
		title: String,
		registry: Option<Chain>,
		epochs: Epochs,
	) -> Result<Self> {
		let stream = config.stream;
		let identity = Identity {
			stream,
			key: key.clone(),
			genesis,
			title: printable(&title),
		};
		let mut signer = Signer::open(&config.state, identity, epoch, unix_ms())?;
		if config.pictures_per_part.is_some() {
			signer = signer.hurried();
		}
		let mut made_key = None;
		let lock = match &config.input {
			Input::Door(address) => {
				let sources = Sources {
					address: address.key.clone(),
					file: config.stream_key_file.as_deref(),
					environment: std::env::var(ENVIRONMENT).ok(),
					store: &config.state.join("rtmp.key"),
				};
				let found = sources.find()?;
				if let (true, Place::File(file)) = (found.made, &found.place) {
					let (server, key) = (address.to_string(), found.key.reveal());
					made_key =
						Some(serde_json::json!({ "server": server, "streamKey": key, "file": file }).to_string());
				}
				Some(Lock::new(&address.app, &found))
			},
			Input::Own(_) => None,
		};
		let studio = Studio::open(studio::Config {
			ffmpeg: config.ffmpeg,
			input: config.input,
			repeat: config.repeat,
			lock,
			title,
			continues: signer.continues(),
			pictures_per_part: config.pictures_per_part.unwrap_or(PICTURES_PER_SEGMENT),
		})
		.await?;
		let feed = Feed::new(config.cache_bytes);
		let mut publisher = Publisher::new(feed.clone());
		if let Some(path) = &config.record {
			publisher = publisher.record(path).context("--record")?;
		}
		if let Some(path) = &config.window_log {
			publisher = publisher.log(path).context("--window-log")?;
		}
		let (node, incoming) = Node::start(&key, Limits::default())?;
		if let Some(uplink) = config.uplink {
			node.uplink(uplink.get());
		}
		let addresses = node.listen_on(config.listen).await?;
		Ok(Self {
			stream,
			genesis,
			key: key.public(),
			studio,
			made_key,
			signer,
			publisher,
			feed,
			addresses,
			node,
			incoming,
			registry,
			epochs,
			lease: None,
			named: None,
			tier: tier::Config {
				most: config.max_relayers,
				uplink: config.uplink,
				pinned: config.pinned,
				times: config.times,
			},
			checks: None,
			seconds: config.seconds,
		})
	}

	/// Where relayers reach it.
	pub fn address(&self) -> &Address {
		&self.addresses[0]
	}

	/// Broadcasts until the input, the time, or the stream key's rental ends, or a signal comes. Prints where it listens.
	pub async fn run(mut self) -> Result<()> {
		let (lease, requested) = (self.lease.take(), stop_requested(self.seconds)?);
		let (named, reign) = (self.named.clone(), Reign::new(self.stream, self.key));
		let stop = async {
			let over = async {
				match lease {
					Some(lease) => lease.over().await,
					None => std::future::pending().await,
				}
			};
			let replaced = async {
				match named {
					Some(named) => replaced(reign, named).await,
					None => std::future::pending().await,
				}
			};
			tokio::select! {
				stop = requested => stop,
				() = over => Stop::Over,
				replaced = replaced => Stop::Replaced(replaced),
			}
		};
		println!("{}", clustercast_cli::listening(&self.addresses));
		if let Some(key) = self.made_key.take() {
			println!("{key}");
		}
		self.run_until(stop).await
	}

	async fn run_until(mut self, stop: impl Future<Output = Stop>) -> Result<()> {
		let copies = Arc::new(Copies::new(Tier::new(self.tier, StdRng::from_entropy())));
		let follow = {
			let (copies, feed, stream) = (copies.clone(), self.feed.clone(), self.stream);
			tokio::spawn(async move { copies.follow(feed, stream).await })
		};
		if self.checks.is_none() {
			tracing::info!("nobody buys of relayers to check them: --check-account says who pays for that");
		}
		let checking = self.checks.zip(self.named.clone()).map(|(checks, named)| {
			let (copies, feed) = (copies.clone(), self.feed.clone());
			tokio::spawn(async move { checks.run(named, feed, &copies).await })
		});
		let guests = Arc::new(Guests::new(self.stream, self.registry, self.named, copies));
		let (end_serving, serving_ends) = oneshot::channel::<()>();
		let serve_config = serve::Config {
			max_subscriptions: self.tier.most.saturating_mul(2).saturating_add(PLACES_BESIDE),
			// A relayer has one seat, and waits through a night.
			idle_timeout: DAY,
			// Those served are relayers.
			passes: false,
			..serve::Config::new(self.genesis, self.key)
		};
		let server = tokio::spawn(serve(self.incoming, self.feed, guests.clone(), serve_config, async {
			// A sender that was dropped ends it just as well.
			let _ = serving_ends.await;
		}));

		// Signed by the run before, and perhaps seen by nobody yet: relayers continue from it. First how it stands now, so that
		// nobody takes it for live.
		if let Some(ended) = self.signer.ended().cloned() {
			self.publisher.status(ended);
		}
		say(&mut self.studio, &mut self.signer, &mut self.publisher);
		if let Some(window) = self.signer.last().cloned() {
			self.publisher.publish_again(window);
		}
		let outcome = broadcast(
			&mut self.studio,
			&mut self.signer,
			&mut self.publisher,
			&self.epochs,
			stop,
		)
		.await;
		match outcome {
			Ok(Stop::Over) => {
				self.publisher.status(self.signer.end());
				self.publisher.finish();
				if timeout(DRAIN_LIMIT, guests.gone()).await.is_err() {
					tracing::warn!("not all relayers fetched the last windows");
				}
			},
			Ok(Stop::Interrupted) => {
				let now_ms = self.studio.unix_ms();
				self.publisher.status(self.signer.status(State::Idle, now_ms));
				drop(timeout(HAND_OVER, guests.gone()).await);
			},
			Ok(Stop::Replaced(_)) | Err(_) => {},
		}
		drop(end_serving);
		server.await.context("the server failed")?;
		follow.abort();
		if let Some(checking) = checking {
			checking.abort();
		}
		drop(self.node);
		match outcome? {
			Stop::Replaced(replaced) => Err(replaced.into()),
			stop => {
				tracing::info!(?stop, "ended");
				Ok(())
			},
		}
	}
}

impl Checks {
	/// Buys of relayers whenever it is time to, for ever, each time with any of the accounts that can pay.
	async fn run(self, named: watch::Receiver<Option<StreamKeyInfo>>, feed: Feed, copies: &Copies) {
		// One that cannot pay yet holds up no other.
		let (checks, mut preparing) = (Arc::new(self), JoinSet::new());
		for wallet in checks.wallets.clone() {
			let (checks, named, feed) = (checks.clone(), named.clone(), feed.clone());
			preparing.spawn(async move { checks.prepare(wallet, named, feed).await });
		}
		let mut customers: Vec<Customer> = Vec::new();
		let mut chance = StdRng::from_entropy();
		loop {
			let relayer = tokio::select! {
				Some(Ok(customer)) = preparing.join_next() => {
					if customers.is_empty() {
						tracing::info!("relayers of the first tier are checked");
					}
					customers.push(customer);
					continue;
				},
				relayer = copies.next_check(), if !customers.is_empty() => relayer,
				else => return,
			};
			let outcome = match customers.choose_mut(&mut chance) {
				Some(customer) => customer.check(&relayer).await,
				None => Outcome::Void,
			};
			copies.checked(&relayer, outcome);
		}
	}

	/// Makes sure that this account can pay, however long that takes.
	async fn prepare(
		&self,
		wallet: Arc<Wallet>,
		named: watch::Receiver<Option<StreamKeyInfo>>,
		feed: Feed,
	) -> Customer {
		let mut told = false;
		loop {
			let prepared = Customer::prepare(
				self.chain.clone(),
				wallet.clone(),
				&self.state,
				self.wanted,
				named.clone(),
				feed.clone(),
				StdRng::from_entropy(),
			);
			match prepared.await {
				Ok(customer) => return customer,
				Err(error) => {
					if !std::mem::replace(&mut told, true) {
						let account = account::ss58(&wallet.account());
						tracing::warn!(%error, account, "this account of --check-account cannot pay: nothing is bought of relayers with it");
					}
					sleep(CHECK_AGAIN).await;
				},
			}
		}
	}
}

/// Of these secrets; each once.
fn wallets(accounts: &[String]) -> Result<Vec<Arc<Wallet>>> {
	let mut wallets: Vec<Arc<Wallet>> = Vec::new();
	for secret in accounts {
		let wallet = Wallet::from_suri(secret).context("--check-account")?;
		ensure!(
			wallets.iter().all(|known| known.account() != wallet.account()),
			"--check-account names {} twice",
			account::ss58(&wallet.account())
		);
		wallets.push(Arc::new(wallet));
	}
	Ok(wallets)
}

/// The key in the file. None is made here: the chain knows nothing of it, and a path that was mistyped would say so in numbers.
fn signing_key(path: &Path) -> Result<KeyPair> {
	match keys::load_seed(path) {
		Err(KeyError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
			bail!("there is no file {}: name the one that mint was given", path.display())
		},
		seed => Ok(KeyPair::from_seed(seed?)),
	}
}

/// From the studio through the signer to the publisher. The disk is waited for here: on the main thread, where nothing
/// else runs.
async fn broadcast(
	studio: &mut Studio,
	signer: &mut Signer,
	publisher: &mut Publisher,
	epochs: &Epochs,
	stop: impl Future<Output = Stop>,
) -> Result<Stop> {
	tokio::pin!(stop);
	let mut stopping = None;
	let mut held_back = HeldBack::default();
	let mut state = studio.state();
	let mut word = tokio::time::interval(STATUS_INTERVAL);
	word.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	let mut asked: Option<Waited> = None;
	let mut turn = None;
	loop {
		tokio::select! {
			epoch = waited(&mut asked) => {
				asked = None;
				match epoch {
					// The first window that begins before the last one is the epoch's first.
					Ok(epoch) => {
						turn = Some(epoch);
						studio.turn_back();
					},
					Err(error) => tracing::debug!("no number for another epoch: {error:#}"),
				}
			},
			_ = word.tick() => {
				match turn {
					_ if !studio.is_ahead() => {},
					Some(_) => studio.turn_back(),
					None => _ = asked.get_or_insert_with(epochs),
				}
				if let Some(epoch) = turn.take_if(|_| studio.state() == State::Idle) {
					begin_epoch(epoch, signer, publisher)?;
				}
				state = say(studio, signer, publisher);
			},
			why = &mut stop, if stopping.is_none() => {
				if matches!(why, Stop::Replaced(_)) {
					return Ok(why);
				}
				stopping = Some(why);
				studio.finish();
			},
			window = studio.next() => match window? {
				Some(window) => {
					let goes_back = signer.ends_ms().is_some_and(|ends| window.start_ms < ends.saturating_sub(OVERLAP_MS));
					if let Some(epoch) = turn.take_if(|_| goes_back) {
						begin_epoch(epoch, signer, publisher)?;
						state = say(studio, signer, publisher);
					}
					match signer.sign(&window) {
						Ok(window) => publisher.publish(window),
						// Whatever is published must not be newer than what is on disk.
						Err(error @ SignerError::File { .. }) => held_back.say(&error),
						Err(error) => return Err(error.into()),
					}
				},
				None => return Ok(stopping.unwrap_or(Stop::Over)),
			},
		}
		// A pause, and its end, are said at once.
		if studio.state() != state {
			state = say(studio, signer, publisher);
		}
	}
}

/// What of the chain's title a catalog can hold.
fn printable(title: &str) -> Text<128> {
	let title: String = title.chars().filter(|c| !c.is_control()).collect();
	Text::try_from(title.as_str()).unwrap_or_default()
}

/// Signs and publishes how the broadcast stands now.
fn say(studio: &mut Studio, signer: &mut Signer, publisher: &mut Publisher) -> State {
	let (state, now_ms) = (studio.state(), studio.unix_ms());
	publisher.status(signer.status(state, now_ms));
	state
}

/// Capture times go back from here on.
fn begin_epoch(epoch: BlockNumber, signer: &mut Signer, publisher: &mut Publisher) -> Result<()> {
	signer.begin_epoch(epoch)?;
	if let Some(ended) = signer.ended() {
		publisher.status(ended.clone());
	}
	tracing::info!(epoch, "a new epoch begins, by the clock as it was set");
	Ok(())
}

/// The number of another epoch, once one was asked for.
async fn waited(asked: &mut Option<Waited>) -> Result<BlockNumber> {
	match asked {
		Some(asked) => asked.await,
		None => pending().await,
	}
}

/// Windows that could not be published.
#[derive(Default)]
struct HeldBack {
	/// Since the last line.
	windows: u64,
	said: Option<Instant>,
}

impl HeldBack {
	/// One more; at most a line a minute.
	fn say(&mut self, error: &SignerError) {
		self.windows += 1;
		let now = Instant::now();
		if self.said.is_none_or(|said| now >= said + HELD_BACK_LINES) {
			tracing::error!(
				windows = self.windows,
				"held back, and tried again with the next one: {error}"
			);
			(self.windows, self.said) = (0, Some(now));
		}
	}
}

/// A block that is final from now on and was not before: no earlier run can have used its number, whatever became of its
/// state. Waits for it, a few seconds. A node that catches up with the chain would tell old ones.
async fn fresh_block(chain: &Chain) -> Result<BlockNumber> {
	let mut heads = chain.heads();
	let before = heads.borrow().finalised;
	let fresh = heads.wait_for(|head| head.finalised > before).await;
	let fresh = fresh.context("the connection to the node ended")?.finalised;
	ensure!(
		!chain.is_syncing().await?,
		"the node is catching up with the chain: wait until it is there, or use another with --rpc"
	);
	Ok(fresh)
}

/// Listens for signals from now on, not from when it is first awaited.
fn stop_requested(seconds: Option<Duration>) -> Result<impl Future<Output = Stop>> {
	let mut interrupt = signal(SignalKind::interrupt())?;
	let mut terminate = signal(SignalKind::terminate())?;
	Ok(async move {
		let time_is_over = async {
			match seconds {
				Some(seconds) => tokio::time::sleep(seconds).await,
				None => std::future::pending().await,
			}
		};
		tokio::select! {
			_ = interrupt.recv() => Stop::Over,
			() = time_is_over => Stop::Over,
			_ = terminate.recv() => Stop::Interrupted,
		}
	})
}

#[cfg(test)]
mod tests;
