//! Brings windows in: subscribes upstream, verifies, fills the feed. Reconnects and goes on behind the last window, also
//! after a restart: viewers who come back find no gap as long as upstream still has what was missed. A pause of the
//! broadcaster is waited through. Upstream is whoever holds the key that the chain names: where that is replaced, its
//! connection is dropped, nothing more of it is relayed, and who has the new one is looked for. One for each stream.

use crate::{
	desk::{unix_ms, TRACK},
	metrics,
	streams::Served,
	upstream::{Brought, Loss, Outage, Turns},
};
use clustercast_chain::Tip;
use clustercast_cli::Seldom;
use clustercast_network::{client, Address, AddressError, Feed, Multiaddr, Node, Subscription};
use clustercast_primitives::{
	status::State, subscribe::Binding, window::MAX_AHEAD_MS, Hash, History, PublicKey, StreamId, WindowId,
};
use clustercast_protocol::{
	viewer::{Event, Resume},
	Change, EndReason, Failing, Follow, Patience, Quiet, Silence, Standing, ViewerConfig, ViewerSession,
};
use codec::{DecodeAll, Encode};
use std::{
	collections::VecDeque,
	convert::Infallible,
	fs, io,
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::watch,
	time::{timeout, timeout_at, Instant},
};

/// A window that exists and does not come for this long: the connection is given up and made anew. Several windows of the
/// usual 2 s.
const STALL: Duration = Duration::from_secs(15);

/// How far behind the last window a restart begins: viewers may lack what we had just received. Sixteen seconds.
const REWIND: usize = 8;

/// Connections in a row that served nothing before we stop asking for the window behind the last one.
const MAX_FRUITLESS: u32 = 2;

/// Where windows come from and where they go.
pub struct Ingest {
	/// Dials.
	pub node: Node,
	/// Where the origin may be: whoever holds the stream's signing key there.
	pub upstreams: Vec<Multiaddr>,
	/// Signs the stream, by the newest finalised block.
	pub signing_key: watch::Receiver<PublicKey>,
	/// How far the chain is.
	pub tip: Tip,
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// What is ingested.
	pub stream: Arc<Served>,
	/// Takes the windows.
	pub feed: Feed,
	/// File that names a window shortly before the last one.
	pub position: PathBuf,
}

/// Why a connection was over.
#[derive(Debug, thiserror::Error)]
enum Failure {
	#[error("cannot connect: {0}")]
	Connect(#[from] clustercast_network::node::ConnectError),
	#[error(transparent)]
	Subscription(#[from] client::Error),
	#[error("ended by upstream: {0:?}")]
	Ended(EndReason),
	#[error(transparent)]
	Failing(#[from] Failing),
	#[error("upstream: {0}")]
	Address(#[from] AddressError),
	#[error("the chain names another signing key for the stream: the origin that has it is looked for")]
	Replaced,
}

/// Where the position of a stream is, in the state folder.
pub fn position(state: &Path, stream: StreamId) -> PathBuf {
	state.join(format!("position-{stream}"))
}

/// What outlives a connection.
struct Memory {
	/// The stream, as metrics name it.
	name: String,
	/// Time is counted from here.
	begun: Instant,
	/// Behind which window it goes on.
	resume: Option<Resume>,
	/// The last windows, the oldest first.
	recent: VecDeque<Resume>,
	/// What the broadcaster says.
	standing: Standing,
	/// What was told of its pauses.
	quiet: Quiet,
	outage: Outage,
	/// It was told that there is an upstream.
	greeted: bool,
	/// Since when upstream serves us.
	connected: Option<Duration>,
	/// The position cannot be written.
	unstored: Seldom,
}

impl Memory {
	fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	fn show(&self, gauge: &'static str, value: f64) {
		::metrics::gauge!(gauge, "stream" => self.name.clone()).set(value);
	}

	fn count(&self, counter: &'static str, more: u64) {
		::metrics::counter!(counter, "stream" => self.name.clone()).increment(more);
	}

	/// No window comes.
	fn silence(&mut self, silence: Silence) {
		match self.quiet.note(silence, self.now()) {
			Some(Change::Paused) => tracing::info!("the broadcaster pauses"),
			Some(Change::Lost) => tracing::info!("nothing is heard of the broadcaster; waiting for it"),
			Some(Change::Found) => tracing::info!("the broadcaster is there again, and pauses"),
			Some(Change::Over(_)) | None => return,
		}
		self.show(metrics::PAUSED, 1.0);
	}

	/// A window came.
	fn window(&mut self) {
		if let Some(Change::Over(took)) = self.quiet.window(self.now()) {
			self.show(metrics::PAUSED, 0.0);
			tracing::info!(pause_s = took.as_secs(), "the broadcast goes on");
		}
	}

	/// Upstream serves us.
	fn connect(&mut self) {
		self.connected = Some(self.now());
		self.show(metrics::UPSTREAM_CONNECTED, 1.0);
	}

	/// Upstream brings something of a broadcast that goes on.
	fn supplied(&mut self, brought: Brought) {
		let took = self.outage.connected(brought, self.now());
		match (std::mem::replace(&mut self.greeted, true), took) {
			(false, _) => tracing::info!("connected to upstream"),
			(true, Some(took)) => tracing::info!(outage_s = took.as_secs(), "connected to upstream again"),
			(true, None) => {},
		}
	}
}

impl Ingest {
	/// Runs until it is dropped.
	pub async fn run(mut self) {
		let now = self.tip.block();
		let resume = load(&self.position, self.stream.id).filter(|last| last.id.epoch < now);
		let mut memory = Memory {
			name: self.stream.id.to_string(),
			begun: Instant::now(),
			recent: VecDeque::from_iter(resume.clone()),
			resume,
			standing: Standing::default(),
			quiet: Quiet::default(),
			outage: Outage::default(),
			greeted: false,
			connected: None,
			unstored: Seldom::default(),
		};
		let mut fruitless = 0;
		let mut over = false;
		let mut key = *self.signing_key.borrow_and_update();
		let mut turns = Turns::new(self.upstreams.len());
		loop {
			let named = *self.signing_key.borrow_and_update();
			if std::mem::replace(&mut key, named) != named {
				self.replaced(&mut memory);
			}
			let before = memory.resume.clone();
			let Err(failure) = self.connection(&key, turns.now(), &mut memory).await;
			memory.show(metrics::UPSTREAM_CONNECTED, 0.0);
			// Others have it now.
			self.stream.set_seats(0);
			let served = memory.resume != before;
			let broke = matches!(failure, Failure::Subscription(client::Error::Fault(_)));
			match &failure {
				_ if broke => memory.count(metrics::UPSTREAM_FAULTS, 1),
				Failure::Ended(EndReason::Finished) => {
					if served || !over {
						tracing::info!("the broadcast is over");
					}
					over = true;
					self.feed.finish_stream(self.stream.id);
				},
				// Begin live. The feed tells viewers the same.
				Failure::Replaced => {
					tracing::warn!("{failure}");
					memory.connected = None;
					continue;
				},
				Failure::Ended(EndReason::WindowGone) => {
					if served {
						tracing::info!("too far behind upstream: going on with its newest window");
					}
					memory.resume = None;
				},
				_ => {},
			}
			if !served && !matches!(failure, Failure::Ended(EndReason::WindowGone)) {
				turns.pass();
			}
			// An upstream that is there, and never brings what follows, has begun anew.
			if served {
				fruitless = 0;
			} else if broke || matches!(failure, Failure::Failing(_)) {
				fruitless += 1;
				if fruitless >= MAX_FRUITLESS {
					memory.resume = None;
				}
			}
			let now = memory.now();
			let loss = match (&failure, memory.connected.take()) {
				(Failure::Connect(_), _) => Loss::Unreachable,
				(Failure::Ended(EndReason::WindowGone), _) => Loss::Gone { served },
				(_, since) => Loss::Ended {
					lasted: since.map_or(Duration::ZERO, |since| now.saturating_sub(since)),
					served,
					broke,
				},
			};
			let step = memory.outage.failed(loss, now);
			let is_over = matches!(failure, Failure::Ended(EndReason::Finished));
			match step.say && !is_over {
				true if broke => tracing::error!(fault = %failure, "upstream broke the protocol; trying again"),
				true => tracing::info!(%failure, "upstream lost; trying again"),
				false => tracing::debug!(%failure, pause_ms = step.pause.as_millis(), "upstream is still away"),
			}
			// Another key: whoever has it may be there already.
			let changed = async {
				if self.signing_key.changed().await.is_err() {
					std::future::pending::<()>().await;
				}
			};
			let _ = timeout(step.pause, changed).await;
			if !memory.standing.holds(memory.now()) {
				memory.silence(Silence::Absence);
			}
		}
	}

	/// What a key signed that was replaced is relayed to nobody who begins, and followed by the next one's.
	fn replaced(&self, memory: &mut Memory) {
		let now = self.tip.block();
		self.feed.retire(self.stream.id, now);
		memory.standing = Standing::default();
		if memory.resume.as_ref().is_some_and(|last| last.id.epoch >= now) {
			memory.resume = None;
		}
	}

	/// One connection, to its end.
	async fn connection(&self, key: &PublicKey, upstream: usize, memory: &mut Memory) -> Result<Infallible, Failure> {
		let mut named = self.signing_key.clone();
		// An origin's identity is the key that it signs with.
		let upstream = Address::new(&self.upstreams[upstream].to_string(), key)?;
		let stream = tokio::select! {
			stream = self.node.connect(&upstream) => stream?,
			Ok(_) = named.wait_for(|named| named != key) => return Err(Failure::Replaced),
		};
		let session = ViewerSession::new(ViewerConfig {
			genesis: self.genesis,
			stream: self.stream.id,
			track: TRACK,
			keys: (*key).into(),
			relayer_key: upstream.peer(),
			relayer_account: None,
			binding: Binding::PeerKey(upstream.peer().0),
			payment: None,
			head: self.tip.block(),
			latest_start_ms: latest_start_ms(),
			resume: memory.resume.clone(),
			follow: Follow::Windows,
		});
		// `patience` knows better, and sooner, when something is missing.
		let mut subscription = Subscription::new(stream, session, 2 * STALL);
		let have = memory.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		let mut patience = Patience::new(TRACK, have, memory.now());
		loop {
			subscription.session().set_head(self.tip.block());
			subscription.session().set_latest_start(latest_start_ms());
			let (silence, until) = patience.judge(&memory.standing, STALL, memory.now())?;
			memory.silence(silence);
			let event = tokio::select! {
				event = timeout_at(memory.begun + until, subscription.next()) => event,
				Ok(_) = named.wait_for(|named| named != key) => return Err(Failure::Replaced),
			};
			let Ok(event) = event else {
				continue;
			};
			let event = event?;
			let now = memory.now();
			patience.hear(now);
			match event {
				Event::Terms(_) => memory.connect(),
				Event::Waiting => patience.answer(now),
				Event::Seats(seats) => self.stream.set_seats(seats),
				Event::Window(window) => {
					let last = Resume::after(&window);
					memory.resume = Some(last.clone());
					memory.standing.note_header(window.header());
					patience.window(window.header(), &memory.standing, now);
					memory.supplied(Brought::Window);
					memory.window();
					memory.count(metrics::WINDOWS, 1);
					memory.count(metrics::BYTES_RECEIVED, window.header().bytes.into());
					tracing::debug!(window = %window.id(), bytes = window.header().bytes, "received");
					self.feed.push(window);
					::metrics::gauge!(metrics::CACHE_BYTES).set(self.feed.bytes() as f64);
					let recent = &mut memory.recent;
					recent.push_back(last);
					recent.drain(..recent.len().saturating_sub(REWIND));
					match recent.front().map(|first| store(&self.position, first)) {
						Some(Err(error)) => {
							if memory.unstored.due(Instant::now().into_std()).is_some() {
								tracing::warn!(%error, "a restart will begin live: {}", self.position.display());
							}
						},
						_ => drop(memory.unstored.well()),
					}
				},
				Event::Ended(reason) => return Err(Failure::Ended(reason)),
				Event::Status(status) => {
					memory.standing.note_status(&status, now);
					patience.status(&memory.standing, now);
					if status.status.message.state != State::Ended {
						memory.supplied(Brought::Word);
					}
					self.feed.push_status(*status);
				},
				// Free service has none of them; catalog and initialisation segment come with each window.
				Event::Catalog(_)
				| Event::Init(_)
				| Event::Challenged(_)
				| Event::PaymentDue(_)
				| Event::Announced(_)
				| Event::Skipped(_)
				| Event::Chunks(_)
				| Event::Lacks(_)
				| Event::Covered(_)
				| Event::Paid(_)
				| Event::Reserved(_) => {},
			}
		}
	}
}

/// No broadcaster's clock goes further ahead of ours.
fn latest_start_ms() -> u64 {
	unix_ms().saturating_add(MAX_AHEAD_MS)
}

/// Where a restart begins. A file that is missing or damaged costs a gap, nothing else.
fn load(path: &Path, stream: StreamId) -> Option<Resume> {
	let bytes = fs::read(path).ok()?;
	let (id, header, history, last_part) = <(WindowId, Hash, History, bool)>::decode_all(&mut bytes.as_slice()).ok()?;
	let fits = id.stream == stream && id.track == TRACK && history.is_well_formed();
	fits.then_some(Resume {
		id,
		header,
		history,
		last_part,
	})
}

/// Replaces the file in one step. Not synced: after a power cut nobody waits for the next window.
fn store(path: &Path, window: &Resume) -> io::Result<()> {
	let temporary = path.with_extension("new");
	fs::write(
		&temporary,
		(window.id, window.header, &window.history, window.last_part).encode(),
	)?;
	fs::rename(temporary, path)
}

#[cfg(test)]
mod tests;
