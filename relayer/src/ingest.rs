//! Brings windows in: subscribes upstream, verifies, fills the feed. Reconnects and goes on behind the last window, also
//! after a restart: viewers who come back find no gap as long as upstream still has what was missed. A pause of the
//! broadcaster is waited through. Upstream is whoever holds the key that the chain names: where that is replaced, its
//! connection is dropped, nothing more of it is relayed, and who has the new one is looked for. Or it is a relayer, which is
//! paid for what verified. One for each stream.

mod failure;

use crate::{
	buying::{Buyer, Deal, Refused},
	config::streams::Upstream,
	demand::Need,
	desk::{unix_ms, TRACK},
	metrics,
	sources::{self, Seller},
	streams::Served,
	upstream::{Brought, Loss, News, Outage, Turn, Turns, Verdict},
};
use clustercast_chain::Tip;
use clustercast_cli::Seldom;
use clustercast_network::{Address, Feed, Node, Stream, Subscription};
use clustercast_pay::{refusal::Refusals, registration::Unfit};
use clustercast_primitives::{
	chain::StreamKeyInfo, status::State, subscribe::Binding, window::MAX_AHEAD_MS, Hash, History, PublicKey, StreamId,
	WindowId,
};
use clustercast_protocol::{
	viewer::{Event, Resume},
	Change, EncodedWindow, Follow, Patience, Quiet, Silence, Standing, StreamKeys, ViewerConfig, ViewerSession,
};
use codec::{DecodeAll, Encode};
use failure::Failure;
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

/// The same of a relayer that is bought from, where another one may bring it: three windows' time.
const SELLER_STALL: Duration = Duration::from_secs(6);

/// A relayer that serves nobody without a reservation is waited for until that can be final, at the beginning.
const RESERVE_PATIENCE: Duration = Duration::from_secs(40);

/// Who begins live buys no window that ended longer ago, on the broadcaster's clock: what a relayer takes for live, and what it may
/// take to bring it. Milliseconds.
const OLDEST_START_MS: u64 = 30_000;

/// How often it is looked whether something is to be reserved, where nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// How far behind the last window a restart begins: viewers may lack what we had just received. Sixteen seconds.
const REWIND: usize = 8;

/// Connections in a row that served nothing before we stop asking for the window behind the last one.
const MAX_FRUITLESS: u32 = 2;

/// Where windows come from and where they go.
pub struct Ingest {
	/// Dials.
	pub node: Node,
	/// Where the origin may be, whoever holds the stream's signing key there, and relayers.
	pub upstreams: Vec<Upstream>,
	/// Pays relayers; without it all of them are taken for the origin.
	pub buyer: Option<Arc<Buyer>>,
	/// Whether anything is to be fetched.
	pub need: watch::Receiver<Need>,
	/// Signs the stream, by the newest finalised block.
	pub signing_key: watch::Receiver<PublicKey>,
	/// What that block says of the stream beside.
	pub info: watch::Receiver<Option<StreamKeyInfo>>,
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
	/// What relayers refused last.
	refusals: Refusals,
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

	/// Nobody waits for anything: what comes next is live.
	fn rest(&mut self) {
		tracing::info!("nobody waits for the stream: it is fetched no more");
		self.resume = None;
		self.recent.clear();
		self.connected = None;
		self.greeted = false;
		self.outage = Outage::default();
	}

	/// Whether a window is none to begin live with.
	fn is_old(&self, window: &EncodedWindow) -> bool {
		!self
			.standing
			.is_live_within(window.header(), self.now(), OLDEST_START_MS)
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
	/// Runs until it is dropped, or told to stop: then what was bought is paid.
	pub async fn run(mut self) {
		let now = self.tip.block();
		let stored = load(&self.position, self.stream.id).filter(|last| last.id.epoch < now);
		// Nobody waits for what was missed.
		let resume = stored.filter(|_| !self.stream.is_on_demand());
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
			refusals: Refusals::default(),
		};
		let mut fruitless = 0;
		let mut over = false;
		let mut key = *self.signing_key.borrow_and_update();
		let mut turns = Turns::new(self.upstreams.len());
		loop {
			match needed(&mut self.need).await {
				Need::Stop => return,
				Need::Rest => continue,
				Need::Fetch => {},
			}
			let named = *self.signing_key.borrow_and_update();
			if std::mem::replace(&mut key, named) != named {
				self.replaced(&mut memory);
			}
			let at = match turns.next(memory.now()) {
				Turn::Try(at) => at,
				Turn::Wait(rest) => {
					self.pause(rest).await;
					continue;
				},
			};
			let seller = self.seller(&self.upstreams[at], &key).await;
			let before = memory.resume.clone();
			let failure = self.connection(&key, (at, seller), &mut turns, &mut memory).await;
			memory.show(metrics::UPSTREAM_CONNECTED, 0.0);
			// Others have it now.
			self.stream.set_seats(0);
			let served = memory.resume != before;
			let broke = seller.map_or(failure.broke(), |_| failure.lied());
			// That a broadcast is over is the broadcaster's to say.
			let is_told = seller.is_none() || memory.standing.at(memory.now()) == Some(State::Ended);
			let is_over = failure.says_it_is_over() && is_told;
			let gone = failure.gone() && (seller.is_none() || !turns.untried() || !turns.has_others());
			match &failure {
				_ if broke => memory.count(metrics::UPSTREAM_FAULTS, 1),
				_ if is_over => {
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
				Failure::Unneeded => {
					if *self.need.borrow() == Need::Rest {
						memory.rest();
					}
					continue;
				},
				Failure::Renewed => continue,
				_ if gone => {
					if served {
						tracing::info!("too far behind upstream: going on with its newest window");
					}
					memory.resume = None;
				},
				_ => {},
			}
			let verdict = match seller {
				Some(_) => {
					let verdict = failure.verdict(&mut memory.refusals);
					if failure.doubts_our_means() {
						self.buyer.iter().for_each(|buyer| buyer.doubt());
					}
					verdict
				},
				None if served || gone => Verdict::Stay,
				None => Verdict::Pass,
			};
			turns.left(verdict, memory.now());
			// An origin that is there, and never brings what follows, has begun anew.
			if served {
				fruitless = 0;
			} else if seller.is_none() && (broke || matches!(failure, Failure::Failing(_))) {
				fruitless += 1;
				if fruitless >= MAX_FRUITLESS {
					memory.resume = None;
				}
			}
			let now = memory.now();
			let loss = match (&failure, memory.connected.take()) {
				(Failure::Connect(_), _) => Loss::Unreachable,
				_ if gone => Loss::Gone { served },
				(_, since) => Loss::Ended {
					lasted: since.map_or(Duration::ZERO, |since| now.saturating_sub(since)),
					served,
					broke,
				},
			};
			let step = memory.outage.failed(loss, now);
			match step.say && !is_over {
				true if broke => tracing::error!(fault = %failure, "upstream broke the protocol; trying again"),
				true => tracing::info!(%failure, "upstream lost; trying again"),
				false => tracing::debug!(%failure, pause_ms = step.pause.as_millis(), "upstream is still away"),
			}
			// Others can be asked at once.
			let others = seller.is_some() && verdict != Verdict::Stay && turns.has_others() && turns.untried();
			if !others {
				self.pause(step.pause).await;
			}
			if !memory.standing.holds(memory.now()) {
				memory.silence(Silence::Absence);
			}
		}
	}

	/// Waits so long, unless there is another key, and whoever has it may be there already; or nothing is to be fetched any more.
	async fn pause(&mut self, at_most: Duration) {
		let Self { signing_key, need, .. } = self;
		let changed = async {
			if signing_key.changed().await.is_err() {
				std::future::pending::<()>().await;
			}
		};
		tokio::select! {
			_ = timeout(at_most, changed) => {},
			() = unneeded(need) => {},
		}
	}

	/// Who sells at this address.
	async fn seller(&self, upstream: &Upstream, key: &PublicKey) -> Option<Seller> {
		let buyer = self.buyer.as_ref().filter(|_| upstream.peer.is_some())?;
		sources::seller(upstream, key, &buyer.registered().await)
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
	async fn connection(
		&self,
		key: &PublicKey,
		(at, seller): (usize, Option<Seller>),
		turns: &mut Turns,
		memory: &mut Memory,
	) -> Failure {
		let (mut named, mut need) = (self.signing_key.clone(), self.need.clone());
		// An origin's identity is the key that it signs with.
		let peer = seller.map_or(*key, |seller| seller.key);
		let stream = async {
			let address = Address::new(&self.upstreams[at].place.to_string(), &peer)?;
			Ok::<_, Failure>(self.node.connect(&address).await?)
		};
		let stream = tokio::select! {
			stream = stream => stream,
			Ok(_) = named.wait_for(|named| named != key) => Err(Failure::Replaced),
			() = unneeded(&mut need) => Err(Failure::Unneeded),
		};
		let stream = match stream {
			Ok(stream) => stream,
			Err(failure) => return failure,
		};
		let deal = seller.zip(self.buyer.as_ref());
		let mut deal = deal.map(|(seller, buyer)| buyer.deal(seller, self.stream.clone()));
		let mut subscription = self.subscription(stream, key, peer, deal.as_ref(), memory);
		let Err(failure) = self.follow(key, &mut subscription, deal.as_mut(), turns, memory).await;
		if let Some(deal) = deal {
			deal.part(subscription, failure.is_sudden()).await;
		}
		failure
	}

	fn subscription(
		&self,
		stream: Stream,
		key: &PublicKey,
		peer: PublicKey,
		deal: Option<&Deal>,
		memory: &Memory,
	) -> Subscription {
		// A relayer may have windows that a key signed which was replaced; an origin has none.
		let info = self.info.borrow();
		let former = info
			.as_ref()
			.filter(|_| deal.is_some())
			.map(|info| info.previous_keys.clone());
		let mut session = ViewerSession::new(ViewerConfig {
			genesis: self.genesis,
			stream: self.stream.id,
			track: TRACK,
			keys: StreamKeys {
				former: former.unwrap_or_default(),
				..(*key).into()
			},
			relayer_key: peer,
			relayer_account: deal.map(|deal| deal.seller.account),
			binding: Binding::PeerKey(peer.0),
			payment: deal.map(Deal::payment),
			head: self.tip.block(),
			latest_start_ms: latest_start_ms(),
			resume: memory.resume.clone(),
			follow: Follow::Windows,
		});
		session.wait_for_all();
		// `patience` knows better, and sooner, when something is missing.
		let inactivity = deal.map_or(2 * STALL, |_| RESERVE_PATIENCE);
		Subscription::new(stream, session, inactivity)
	}

	/// Takes what comes, until it fails.
	async fn follow(
		&self,
		key: &PublicKey,
		subscription: &mut Subscription,
		mut deal: Option<&mut Deal>,
		turns: &mut Turns,
		memory: &mut Memory,
	) -> Result<Infallible, Failure> {
		let (mut named, mut need) = (self.signing_key.clone(), self.need.clone());
		let have = memory.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		let mut patience = Patience::new(TRACK, have, memory.now());
		let mut news = News::new(memory.now());
		let stall = match deal.is_some() && turns.has_others() {
			true => SELLER_STALL,
			false => STALL,
		};
		let mut served = false;
		loop {
			subscription.session().set_head(self.tip.block());
			subscription.session().set_latest_start(latest_start_ms());
			if let Some(deal) = &deal {
				if deal.tend(subscription).await && !served {
					let until = memory.now() + RESERVE_PATIENCE;
					patience.excuse(until);
					news.excuse(until);
				}
			}
			let (silence, mut until) = patience.judge(&memory.standing, stall, memory.now())?;
			memory.silence(silence);
			if deal.is_some() {
				until = until.min(news.judge(turns, memory.now())?).min(memory.now() + TICK);
			}
			let event = tokio::select! {
				event = timeout_at(memory.begun + until, subscription.next()) => event,
				Ok(_) = named.wait_for(|named| named != key) => return Err(Failure::Replaced),
				() = unneeded(&mut need) => return Err(Failure::Unneeded),
				over = over(&mut deal) => return Err(over.map_or(Failure::Renewed, Failure::from)),
			};
			let Ok(event) = event else {
				continue;
			};
			let event = event?;
			let now = memory.now();
			patience.hear(now);
			if let Some(deal) = &deal {
				deal.note(&event);
			}
			match event {
				Event::Terms(terms) => {
					if let (Some(deal), Some(terms)) = (&deal, &terms) {
						deal.terms(terms)?;
					}
					memory.connect();
				},
				Event::Waiting => patience.answer(now),
				// Who sells to us has no part to give.
				Event::Seats(seats) => {
					if deal.is_none() {
						self.stream.set_seats(seats);
					}
				},
				// Nothing of the past is bought as live.
				Event::Window(window) if deal.is_some() && have.is_none() && !served && memory.is_old(&window) => {
					return Err(Failure::Old);
				},
				Event::Window(window) => {
					let last = Resume::after(&window);
					memory.resume = Some(last.clone());
					memory.standing.note_header(window.header());
					patience.window(window.header(), &memory.standing, now);
					news.note(now);
					turns.serves();
					served = true;
					memory.supplied(Brought::Window);
					memory.window();
					memory.count(metrics::WINDOWS, 1);
					memory.count(metrics::BYTES_RECEIVED, window.header().bytes.into());
					self.stream.came(window.header().bytes.into(), Instant::now());
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
					if memory.standing.note_status(&status, now) {
						news.note(now);
					}
					patience.status(&memory.standing, now);
					if status.status.message.state != State::Ended {
						memory.supplied(Brought::Word);
					}
					self.feed.push_status(*status);
				},
				Event::Challenged(request) => {
					if let Some(deal) = &deal {
						let signed = deal.subscribe(request);
						subscription.session().subscribe(signed);
					}
				},
				Event::PaymentDue(due) => {
					if let Some(deal) = &deal {
						deal.pay(subscription, &due).map_err(Refused::from)?;
					}
				},
				Event::Paid(_) => memory.refusals.paid(),
				// Our viewers would have none of those behind it.
				Event::Skipped(window) => return Err(Failure::Skipped(window)),
				// Catalog and initialisation segment come with each window.
				Event::Catalog(_)
				| Event::Init(_)
				| Event::Announced(_)
				| Event::Progress(_)
				| Event::Chunks(_)
				| Event::Lacks(_)
				| Event::Covered(_)
				| Event::Reserved(_) => {},
			}
		}
	}
}

/// When and why a relayer is not to be bought from any more, or (`None`) with another session key; never, where none is.
async fn over(deal: &mut Option<&mut Deal>) -> Option<Unfit> {
	match deal {
		Some(deal) => deal.over().await,
		None => std::future::pending().await,
	}
}

/// What is to be done, once that is not to rest.
async fn needed(need: &mut watch::Receiver<Need>) -> Need {
	match need.wait_for(|need| *need != Need::Rest).await {
		Ok(need) => *need,
		// Nobody is left to say so.
		Err(_) => Need::Stop,
	}
}

/// Returns when nothing is to be fetched any more.
async fn unneeded(need: &mut watch::Receiver<Need>) {
	if need.wait_for(|need| *need != Need::Fetch).await.is_err() {
		std::future::pending::<()>().await;
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
