//! Brings windows in: subscribes upstream, verifies, fills the feed. Reconnects and goes on behind the last window, also
//! after a restart: viewers who come back find no gap as long as upstream still has what was missed. A pause of the
//! broadcaster is waited through. Upstream is whoever holds the key that the chain names: where that is replaced, its
//! connection is dropped, nothing more of it is relayed, and who has the new one is looked for. Or it is a relayer, which is
//! paid for what verified. Others stand by. One for each stream.
//!
//! | module | holds |
//! | --- | --- |
//! | `several` | what is done with several upstreams at once |
//! | `provider` | who is at an address of upstream |
//! | `failure` | why a connection was over, and what follows from that; sans-IO |
//! | `memory` | what outlives a connection |

mod failure;
mod memory;
mod provider;
mod several;

use crate::{
	buying::{Buyer, Deal, Told},
	config::streams::Upstream,
	demand::Need,
	desk::{unix_ms, TRACK},
	metrics,
	sources::{self, Seller},
	streams::Served,
	upstream::{Loss, News, Turn, Turns, Verdict},
};
use clustercast_chain::Tip;
use clustercast_network::{client, node::ConnectError, Address, Feed, Node, Stream, Subscription};
use clustercast_primitives::{
	chain::StreamKeyInfo, status::State, subscribe::Binding, window::MAX_AHEAD_MS, Hash, PublicKey, StreamId,
};
use clustercast_protocol::{
	routes::{behind, below_origin},
	swarm::Source,
	viewer::Event,
	Failing, Follow, Patience, Silence, Standing, StreamKeys, ViewerConfig, ViewerSession,
};
use failure::Failure;
use memory::{load, Memory};
use provider::{Crew, Link, Provider};
use std::{
	convert::Infallible,
	future::Future,
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::watch,
	time::{sleep_until, timeout, timeout_at},
};

/// A window that exists and does not come for this long: the connection is given up and made anew. Several windows of the
/// usual 2 s.
const STALL: Duration = Duration::from_secs(15);

/// The same of a relayer that is bought from, where another one may bring it: three windows' time.
const SELLER_STALL: Duration = Duration::from_secs(6);

/// A relayer that serves nobody without a reservation is waited for until that can be final, at the beginning.
const RESERVE_PATIENCE: Duration = Duration::from_secs(40);

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
	/// Upstreams beside the one that sends windows, at most.
	pub standbys: usize,
}

/// Where the position of a stream is, in the state folder.
pub fn position(state: &Path, stream: StreamId) -> PathBuf {
	state.join(format!("position-{stream}"))
}

impl Ingest {
	/// Runs until it is dropped, or told to stop: then what was bought is paid.
	pub async fn run(mut self) {
		let now = self.tip.block();
		let stored = load(&self.position, self.stream.id).filter(|last| last.id.epoch < now);
		// Nobody waits for what was missed.
		let resume = stored.filter(|_| !self.stream.is_on_demand());
		let upstreams = std::mem::take(&mut self.upstreams);
		let mut turns = Turns::new(upstreams.len());
		let mut memory = Memory::new(self.stream.id, upstreams, resume, self.standbys);
		let mut fruitless = 0;
		let mut over = false;
		let mut key = *self.signing_key.borrow_and_update();
		loop {
			match needed(&mut self.need).await {
				Need::Stop => {
					self.feed.give_up(self.stream.id);
					self.dismiss(&mut memory);
					return memory.settle().await;
				},
				Need::Rest => continue,
				Need::Fetch => {},
			}
			let named = *self.signing_key.borrow_and_update();
			if std::mem::replace(&mut key, named) != named {
				self.replaced(&mut memory);
			}
			let heir = memory.crew.heir().map(|link| link.party.at);
			let at = match heir.map_or_else(|| turns.next(memory.now()), Turn::Try) {
				Turn::Try(at) => at,
				Turn::Wait(rest) => {
					self.dismiss(&mut memory);
					self.pause(rest).await;
					continue;
				},
			};
			turns.turn_to(at);
			let before = memory.last();
			let (seller, failure) = self.attempt(&key, at, &mut turns, &mut memory).await;
			// Another one sends, on the connection that it has.
			if matches!(failure, Failure::Handed) {
				continue;
			}
			let served = memory.last() != before;
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
					self.dismiss(&mut memory);
					self.feed.finish_stream(self.stream.id);
				},
				// Begin live. The feed tells viewers the same.
				Failure::Replaced => {
					tracing::warn!("{failure}");
					memory.connected = None;
					self.dismiss(&mut memory);
					continue;
				},
				Failure::Unneeded => {
					self.dismiss(&mut memory);
					if *self.need.borrow() == Need::Rest {
						self.feed.give_up(self.stream.id);
						memory.rest();
					}
					continue;
				},
				Failure::Renewed => continue,
				// Nor did those that stand by bring the next window: what they bring is behind it.
				Failure::Skipped(_) | Failure::Crowded(_) | Failure::Failing(Failing::Withheld | Failing::Stalled) => {
					self.dismiss(&mut memory)
				},
				_ if gone => {
					if served {
						tracing::info!("too far behind upstream: going on with its newest window");
					}
					self.begin_live(&mut memory);
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
					self.begin_live(&mut memory);
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
			self.refer(None, &mut turns, &mut memory);
			// What it did not bring comes from the others, and one of them goes on.
			self.interregnum(&key, &mut turns, &mut memory).await;
			let goes_on = memory.crew.has_standbys();
			// Others can be asked at once.
			let others = seller.is_some() && verdict != Verdict::Stay && turns.has_others() && turns.untried();
			if !others && !goes_on {
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

	/// What a key signed that was replaced is relayed to nobody who begins, and followed by the next one's.
	fn replaced(&self, memory: &mut Memory) {
		let now = self.tip.block();
		self.feed.retire(self.stream.id, now);
		memory.standing = Standing::default();
		if memory.resume.as_ref().is_some_and(|last| last.id.epoch >= now) {
			memory.resume = None;
		}
		self.dismiss(memory);
	}

	/// Nobody has what follows our place: on with what there is.
	fn begin_live(&self, memory: &mut Memory) {
		self.feed.give_up(self.stream.id);
		memory.resume = None;
		self.dismiss(memory);
	}

	/// One upstream that sends windows, to its end; whom we paid, and why it is over.
	async fn attempt(
		&self,
		key: &PublicKey,
		at: usize,
		turns: &mut Turns,
		memory: &mut Memory,
	) -> (Option<Seller>, Failure) {
		let mut link = match self.parent(key, at, memory).await {
			Ok(link) => link,
			Err(error) => return error,
		};
		let seller = link.party.seller;
		let Err(failure) = self.follow(key, &mut link, turns, memory).await;
		if matches!(failure, Failure::Handed) {
			link.party.deal.iter_mut().for_each(Deal::rests);
			memory.crew.stand_by(link);
			return (seller, failure);
		}
		let now = memory.now();
		let failure = match failure {
			Failure::Failing(_) | Failure::Subscription(client::Error::Inactive(_))
				if seller.is_some() && memory.crew.swarm.announces(link.id, now) =>
			{
				Failure::Short
			},
			failure => failure,
		};
		memory.crew.lose(&mut link, None, now);
		// Where others go on nobody waits for it.
		let waits = !memory.crew.has_standbys();
		self.part(link, failure.is_sudden(), memory);
		if waits {
			memory.show(metrics::UPSTREAM_CONNECTED, 0.0);
			memory.settle().await;
		}
		(seller, failure)
	}

	/// The one that windows come from: a standby's subscription, where it is one.
	async fn parent(&self, key: &PublicKey, at: usize, memory: &mut Memory) -> Result<Link, (Option<Seller>, Failure)> {
		let link = match memory.crew.take(|link| link.party.at == at) {
			Some(mut link) => {
				link.session().follow(Follow::Windows);
				link
			},
			None => {
				let (mut named, mut need) = (self.signing_key.clone(), self.need.clone());
				let (party, stream) = tokio::select! {
					dialled = self.dial(at, *key, Vec::new(), memory) => dialled,
					() = replaced(&mut named, key) => return Err((None, Failure::Replaced)),
					() = unneeded(&mut need) => return Err((None, Failure::Unneeded)),
				};
				let seller = party.seller;
				let stream = stream.map_err(|failure| (seller, failure))?;
				// `patience` knows better, and sooner, when something is missing.
				let inactivity = seller.map_or(2 * STALL, |_| RESERVE_PATIENCE);
				self.link(stream, key, party, (Follow::Windows, inactivity), memory)
			},
		};
		let now = memory.now();
		memory.crew.swarm.appoint(link.id, now);
		if link.party.serves {
			self.leads(&link, memory);
		}
		Ok(link)
	}

	/// It sends windows, and has said how it serves us.
	fn leads(&self, link: &Link, memory: &mut Memory) {
		match &link.party.deal {
			Some(deal) => deal.leads(),
			None => self.stream.set_cost(0),
		}
		self.stream.set_route(&link.party.route);
		memory.connect();
	}

	/// Connects to whoever is at this address, unless that is one of these.
	fn dial(
		&self,
		at: usize,
		key: PublicKey,
		in_use: Vec<PublicKey>,
		memory: &Memory,
	) -> impl Future<Output = (Provider, Result<Stream, Failure>)> + Send + 'static {
		let (node, buyer, upstream) = (self.node.clone(), self.buyer.clone(), memory.upstreams[at].clone());
		let own = self.own(&key);
		async move {
			let seller = match buyer.filter(|_| upstream.peer.is_some()) {
				Some(buyer) => sources::seller(&upstream, &key, &buyer.registered().await),
				None => None,
			};
			// An origin's identity is the key that it signs with.
			let peer = seller.map_or(key, |seller| seller.key);
			let from_there = below_origin(&peer);
			let route = match seller {
				// As long as it says nothing else.
				Some(_) => behind(&from_there, &peer, &own).unwrap_or(from_there),
				None => below_origin(&own),
			};
			let party = Provider {
				at,
				route,
				key: peer,
				seller,
				deal: None,
				serves: false,
			};
			let stream = async {
				if in_use.contains(&peer) {
					return Err(ConnectError::Unreachable("it is connected to already".into()).into());
				}
				let address = Address::new(&upstream.place.to_string(), &peer)?;
				Ok(node.connect(&address).await?)
			};
			let stream = stream.await;
			(party, stream)
		}
	}

	/// Our identity, by which others know us.
	fn own(&self, key: &PublicKey) -> PublicKey {
		// One that Ed25519 made is never refused.
		clustercast_network::public_key(&self.node.peer_id()).unwrap_or(*key)
	}

	/// A subscription at whoever was connected to; for how long nothing may come of it.
	fn link(
		&self,
		stream: Stream,
		key: &PublicKey,
		mut party: Provider,
		(follow, inactivity): (Follow, Duration),
		memory: &mut Memory,
	) -> Link {
		let deal = party.seller.zip(self.buyer.as_ref());
		party.deal = deal.map(|(seller, buyer)| buyer.deal(seller, self.stream.clone()));
		let session = self.session(key, party.key, party.deal.as_ref(), follow, memory);
		let subscription = Subscription::new(stream, session, inactivity);
		let chooser = self.own(key);
		let price = party.seller.map_or(0, |seller| seller.price_per_gb);
		let source = Crew::source(&chooser, &party.key, price);
		let peer = clustercast_network::peer_id(&party.key).map(|peer| peer.to_base58());
		let now = memory.now();
		memory
			.crew
			.join(party, peer.unwrap_or_default(), source, subscription, now)
	}

	fn session(
		&self,
		key: &PublicKey,
		peer: PublicKey,
		deal: Option<&Deal>,
		follow: Follow,
		memory: &Memory,
	) -> ViewerSession {
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
			follow,
		});
		session.wait_for_all();
		session
	}

	/// Takes what comes, until it fails or another one sends.
	async fn follow(
		&self,
		key: &PublicKey,
		link: &mut Link,
		turns: &mut Turns,
		memory: &mut Memory,
	) -> Result<Infallible, Failure> {
		let (mut named, mut need) = (self.signing_key.clone(), self.need.clone());
		let have = memory.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		let begins_live = have.is_none();
		let mut patience = Patience::new(TRACK, have, memory.now());
		if link.party.serves && !begins_live {
			// It stood by: what the broadcaster said before holds for it, too.
			patience.status(&memory.standing, memory.now());
		}
		let mut news = News::new(memory.now());
		let stall = match link.party.seller.is_some() && turns.has_others() {
			true => SELLER_STALL,
			false => STALL,
		};
		let mut served = false;
		loop {
			self.refresh(Some(&mut *link), memory);
			if let Some(deal) = &mut link.party.deal {
				deal.tend();
			}
			self.refer(Some(link.party.at), turns, memory);
			let before = memory.last();
			if self.perform(Some(&mut *link), key, turns, memory) {
				return Err(Failure::Handed);
			}
			// What is behind it and had to go does not come again.
			if let Some(window) = memory.crew.stage.crowded() {
				return Err(Failure::Crowded(window));
			}
			if let Some(last) = memory.resume.as_ref().filter(|last| Some(last.id) != before) {
				patience.reached((last.id.epoch, last.history.count()), &memory.standing, memory.now());
			}
			let (silence, mut until) = patience.judge(&memory.standing, stall, memory.now())?;
			memory.silence(silence);
			let now = memory.now();
			memory.crew.swarm.status(silence != Silence::None, now);
			if link.party.deal.is_some() {
				until = until.min(news.judge(turns, now)?).min(now + TICK);
			}
			let tick = memory.begun + memory.crew.swarm.poll_timeout(now).unwrap_or(now + TICK);
			let looks = self.buyer.is_some() && memory.crew.has_standbys();
			let (until, look) = (memory.begun + until, memory.registry_at);
			let Link {
				subscription, party, ..
			} = &mut *link;
			let event = tokio::select! {
				event = timeout_at(until, subscription.next()) => event,
				heard = memory.crew.next() => {
					self.heard(heard, Some(&mut *link), key, turns, memory);
					continue;
				},
				() = sleep_until(tick) => {
					memory.crew.swarm.tick(memory.now());
					continue;
				},
				() = sleep_until(look), if looks => {
					self.look(memory);
					continue;
				},
				registered = memory.registry.answer() => {
					self.looked(&registered, link, turns, memory);
					continue;
				},
				() = replaced(&mut named, key) => return Err(Failure::Replaced),
				() = unneeded(&mut need) => return Err(Failure::Unneeded),
				told = told(&mut party.deal) => match told {
					Told::Over(over) => return Err(over.map_or(Failure::Renewed, Failure::from)),
					Told::Paid(paid) => {
						let reserved = party.deal.as_mut().is_some_and(|deal| deal.reserve(subscription, paid));
						if reserved && !served {
							let until = memory.now() + RESERVE_PATIENCE;
							patience.excuse(until);
							news.excuse(until);
						}
						continue;
					},
				},
			};
			let Ok(event) = event else {
				continue;
			};
			let event = event?;
			let now = memory.now();
			patience.hear(now);
			match &event {
				Event::Waiting => patience.answer(now),
				// Nothing of the past is bought as live.
				Event::Window(window)
					if link.party.deal.is_some() && begins_live && !served && memory.is_old(window) =>
				{
					return Err(Failure::Old);
				},
				Event::Window(window) => {
					served = true;
					if memory.last() < Some(window.id()) {
						news.note(now);
					}
				},
				_ => {},
			}
			let (terms, words) = (matches!(event, Event::Terms(_)), memory.words);
			let routed = matches!(event, Event::Route(_));
			let skipped = match event {
				Event::Skipped(window) => Some(window),
				_ => None,
			};
			let word = match &event {
				Event::Status(status) => Some(status.clone()),
				_ => None,
			};
			self.said(link, event, memory)?;
			// Our viewers would have none of those behind it.
			if let Some(window) = skipped.filter(|window| !memory.crew.swarm.may_come(*window)) {
				return Err(Failure::Skipped(window));
			}
			if terms {
				self.leads(link, memory);
			}
			if routed {
				self.stream.set_route(&link.party.route);
			}
			if let Some(word) = word {
				patience.status(&memory.standing, now);
				// That a standby was quicker says nothing against it.
				let repeats = memory.standing.status() == Some(&*word) && memory.word_of != Some(link.id);
				if memory.words != words || repeats {
					news.note(now);
				}
			}
			if let Some(at) = memory.crew.swarm.source(link.id).and_then(Source::ahead) {
				news.note(at);
			}
		}
	}
}

/// What there is to know of what is bought; never anything, where nothing is.
async fn told(deal: &mut Option<Deal>) -> Told {
	match deal {
		Some(deal) => deal.told().await,
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

/// Returns when the chain names another key.
async fn replaced(named: &mut watch::Receiver<PublicKey>, key: &PublicKey) {
	if named.wait_for(|named| named != key).await.is_err() {
		std::future::pending::<()>().await;
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

#[cfg(test)]
mod tests;
