//! A relayer of several streams over real QUIC: their origins, its own ingests and desk, viewers who pay. Only the chain is made up:
//! everybody who asks has an account.

#![allow(
	dead_code,
	reason = "each test and example that includes this file uses its own part of it"
)]

use super::fixture::{self, GENESIS};
use bytes::Bytes;
use clustercast_chain::{Head, Tip};
use clustercast_network::{
	node::Limits,
	serve::{serve, Config, Grant, Policy},
	Address, Feed, Multiaddr, Node, Subscription,
};
use clustercast_primitives::{
	amount::USDC,
	catalog::Track,
	chain::{ChannelInfo, ChannelKey, SessionInfo, ViewerAccount, VoucherPlace, VoucherTotals},
	crypto::KeyPair,
	AccountId, Balance, BlockNumber, Hash, PublicKey, StreamId,
};
use clustercast_protocol::{
	viewer::Event, BookConfig, Broadcast, CreditConfig, EncodedWindow, EndReason, Fetch, Float, Follow, PaymentMode,
	PaymentTerms, Purse, PurseConfig, Range, SessionKey, Subscribe, TicketBook, ViewerConfig, ViewerSession,
};
use clustercast_relayer::{
	accounts::{Accounts, Ledger, Pace},
	config::streams::Upstream,
	demand::Need,
	desk::{Desk, MAX_HELD},
	ingest::{position, Ingest},
	payment::{Payment, Rule},
	recorder::Recorder,
	store::Store,
	streams::{Offer, Served},
	surge::Load,
};
use std::{
	path::Path,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{
	sync::{mpsc, watch, Semaphore},
	task::{JoinHandle, JoinSet},
	time::timeout,
};

pub const BLOCK: BlockNumber = 10_000;
pub const FACE_VALUE: Balance = 20_000;
/// A unit of tickets costs 128 micro-USDC.
pub const PRICE: u64 = 1_953_125;
/// Of a unit.
pub const UNIT: Balance = 128;
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Keys of anybody, by number.
pub fn key(kind: u8, number: u16) -> KeyPair {
	let mut seed = [kind; 32];
	seed[..2].copy_from_slice(&number.to_le_bytes());
	KeyPair::from_seed(seed)
}

pub fn account(viewer: u16) -> AccountId {
	let mut id = [7; 32];
	id[..2].copy_from_slice(&viewer.to_le_bytes());
	AccountId(id)
}

pub fn session_key(viewer: u16) -> KeyPair {
	key(0xaa, viewer)
}

/// Everybody is rich.
pub struct Town;

impl Ledger for Town {
	type Error = &'static str;

	async fn viewer_account(&self, id: &AccountId) -> Result<(BlockNumber, ViewerAccount), Self::Error> {
		let viewer = u16::from_le_bytes([id.0[0], id.0[1]]);
		let session = SessionInfo {
			key: session_key(viewer).public(),
			..fixture::account().sessions.remove(0)
		};
		let account = ViewerAccount {
			deposit: 50 * USDC,
			sessions: vec![session],
			..ViewerAccount::default()
		};
		Ok((BLOCK, account))
	}

	async fn vouchers_paid(&self, _: &VoucherPlace) -> Result<VoucherTotals, Self::Error> {
		Ok(VoucherTotals::default())
	}

	async fn channel(&self, _: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), Self::Error> {
		Ok((BLOCK, None))
	}
}

/// Serves anyone for nothing, as an origin does.
struct Free;

impl Policy for Free {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		Ok((Grant::Free, ()))
	}
}

/// A broadcaster, and what its relayers reach.
pub struct Origin {
	pub stream: StreamId,
	pub key: KeyPair,
	pub at: Multiaddr,
	pub feed: Feed,
	broadcast: Broadcast,
	serving: JoinHandle<()>,
	node: Node,
}

impl Origin {
	/// Of this stream, whose key has the same number, from this epoch on.
	pub async fn start(stream: u64, epoch: BlockNumber) -> Self {
		Self::start_as(stream, key(0x0a, stream as u16), epoch).await
	}

	pub async fn start_as(stream: u64, key: KeyPair, epoch: BlockNumber) -> Self {
		let stream = StreamId(stream);
		let (node, incoming) = Node::start(&key, Limits::default()).unwrap();
		let at = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
		let feed = Feed::new(64 << 20);
		let config = Config::new(GENESIS, key.public());
		let serving = tokio::spawn(serve(
			incoming,
			feed.clone(),
			Arc::new(Free),
			config,
			std::future::pending(),
		));
		let mut broadcast = Broadcast::begin(key.clone(), GENESIS, stream, epoch, Hash([0; 32]), 0);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		Self {
			stream,
			key,
			at: at.transport().clone(),
			feed,
			broadcast,
			serving,
			node,
		}
	}

	/// Signs the next window.
	pub fn next(&mut self, bytes: usize) -> EncodedWindow {
		let number = self.broadcast.next().segment;
		let media = fixture::media(bytes, number as u8);
		self.broadcast.segment(2_000 * number, &media).unwrap()
	}

	/// And publishes it.
	pub fn publish(&mut self, bytes: usize) {
		let window = self.next(bytes);
		assert!(self.feed.push(window));
	}

	/// Without a word.
	pub async fn die(self) {
		self.serving.abort();
		let _ = self.serving.await;
		drop(self.node);
	}
}

/// How a relayer is set.
#[derive(Clone, Copy)]
pub struct Plan {
	pub payment: Payment,
	pub cache_bytes: usize,
	pub places: usize,
	pub places_of_each: usize,
	pub credit: u32,
	pub write_timeout: Duration,
	pub earned_within: Duration,
}

impl Default for Plan {
	fn default() -> Self {
		Self {
			payment: Payment::Vouchers,
			cache_bytes: 64 << 20,
			places: 256,
			places_of_each: 256,
			credit: 4 * 65_536,
			write_timeout: Duration::from_secs(10),
			earned_within: Duration::from_secs(30),
		}
	}
}

/// A relayer.
pub struct Relayer {
	pub address: Address,
	pub desk: Arc<Desk<Town>>,
	pub feed: Feed,
	/// Who signs each stream, as the chain says.
	pub keys: Vec<watch::Sender<PublicKey>>,
	tasks: JoinSet<()>,
	_node: Node,
}

impl Relayer {
	/// Of these streams, each with the places where its origin may be.
	pub async fn start(dir: &Path, plan: Plan, streams: &[(StreamId, PublicKey, Vec<Multiaddr>)]) -> Self {
		let store = Arc::new(Store::open(&dir.join("winners.redb"), &GENESIS).unwrap());
		let book = fixture::book_config();
		let book = TicketBook::new(BookConfig {
			min_face_value: 1,
			credit: CreditConfig {
				float: Float {
					per_hour: 1_000 * USDC,
					..book.credit.float
				},
				max_sessions: 1_000,
				..book.credit
			},
			max_expectations: 10_000,
			..book
		});
		let load = Arc::new(Load::new(plan.places, None));
		let offer = Offer {
			baseline: PRICE,
			highest: PRICE,
			places: plan.places_of_each,
			rule: Rule::new(plan.payment, PRICE, FACE_VALUE, Duration::from_secs(300)),
		};
		let served = streams
			.iter()
			.map(|(stream, ..)| Served::new(*stream, offer, fixture::terms().counter, load.clone()));
		let tip = Tip::fixed(Head {
			best: BLOCK,
			finalised: BLOCK,
		});
		let desk = Arc::new(Desk {
			streams: served.collect(),
			load,
			recipient: fixture::RECIPIENT,
			face_value: FACE_VALUE,
			credit: plan.credit,
			interval: 0,
			max_ticket_life: fixture::MAX_TICKET_LIFE,
			signer: fixture::signer(),
			accounts: Accounts::new(Town, Pace::default()),
			tip: tip.clone(),
			recorder: Recorder::start(store.clone(), USDC).unwrap(),
			held: Arc::new(Semaphore::new(MAX_HELD)),
			store,
			book: Mutex::new(book),
			reserve: None,
			genesis: GENESIS,
			orders: mpsc::channel(1).0,
			leniency: Default::default(),
			pending: Default::default(),
			carries: Default::default(),
			directory: Default::default(),
		});
		desk.at_block(BLOCK);
		let (node, incoming) = Node::start(&fixture::relayer_key(), Limits::default()).unwrap();
		let address = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
		let (feed, mut tasks, mut keys) = (Feed::new(plan.cache_bytes), JoinSet::new(), Vec::new());
		for (stream, signing_key, upstreams) in streams {
			feed.expect(*stream);
			let key = watch::Sender::new(*signing_key);
			let ingest = Ingest {
				node: node.clone(),
				upstreams: upstreams
					.iter()
					.map(|place| Upstream {
						place: place.clone(),
						peer: None,
					})
					.collect(),
				buyer: None,
				need: watch::channel(Need::Fetch).1,
				signing_key: key.subscribe(),
				info: watch::channel(None).1,
				tip: tip.clone(),
				genesis: GENESIS,
				stream: desk.streams.get(*stream).unwrap().clone(),
				feed: feed.clone(),
				position: position(dir, *stream),
				standbys: 1,
			};
			keys.push(key);
			tasks.spawn(ingest.run());
		}
		let config = Config {
			max_subscriptions: plan.places,
			write_timeout: plan.write_timeout,
			earned_within: plan.earned_within,
			..Config::new(GENESIS, fixture::relayer_key().public())
		};
		tasks.spawn(serve(
			incoming,
			feed.clone(),
			desk.clone(),
			config,
			std::future::pending(),
		));
		Self {
			address,
			desk,
			feed,
			keys,
			tasks,
			_node: node,
		}
	}

	/// Below these origins.
	pub async fn below(dir: &Path, plan: Plan, origins: &[&Origin]) -> Self {
		let streams = origins
			.iter()
			.map(|origin| (origin.stream, origin.key.public(), vec![origin.at.clone()]));
		Self::start(dir, plan, &streams.collect::<Vec<_>>()).await
	}

	/// What a viewer's newest voucher for a stream owes.
	pub fn owed(&self, viewer: u16, stream: StreamId) -> Balance {
		let owing = self.desk.store.owing().unwrap();
		let session = session_key(viewer).public();
		let place = owing
			.iter()
			.map(|(kept, _)| &kept.newest.message)
			.find(|voucher| (voucher.session, voucher.stream) == (session, stream));
		place.map_or(0, |voucher| voucher.amount)
	}
}

/// Somebody who watches and pays.
pub struct Viewer {
	purse: Purse,
	node: Node,
	viewer: u16,
	subscription: Option<Subscription>,
	/// Verified windows of the subscription, and payments that were acknowledged.
	pub windows: usize,
	pub paid: usize,
	/// Their bytes, in whole units of a payment.
	pub units: u64,
	/// Windows that were announced, and the newest of them.
	announced: usize,
	newest: Option<Range>,
}

impl Viewer {
	pub fn new(viewer: u16) -> Self {
		let config = PurseConfig {
			sender: account(viewer),
			..fixture::purse_config()
		};
		let mut purse = Purse::new(config, session_key(viewer));
		purse.reserve(&fixture::RECIPIENT, BLOCK).unwrap();
		Self {
			purse,
			node: Node::start(&key(0xbb, viewer), Limits::default()).unwrap().0,
			viewer,
			subscription: None,
			windows: 0,
			paid: 0,
			units: 0,
			announced: 0,
			newest: None,
		}
	}

	/// Of this account, under another key of a peer.
	pub fn under(viewer: u16, peer: u16) -> Self {
		Self {
			node: Node::start(&key(0xbc, peer), Limits::default()).unwrap().0,
			..Self::new(viewer)
		}
	}

	/// Leaves what it watches, and begins with this.
	pub async fn tune(&mut self, to: &Address, stream: StreamId, signing_key: PublicKey) {
		self.follow(to, stream, signing_key, Follow::Windows).await;
	}

	/// The same, or it stands by.
	pub async fn follow(&mut self, to: &Address, stream: StreamId, signing_key: PublicKey, follow: Follow) {
		self.leave().await;
		let payment = PaymentTerms {
			session: SessionKey {
				account: account(self.viewer),
				key: session_key(self.viewer).public(),
			},
			..fixture::viewer_config().payment.unwrap()
		};
		let mut session = ViewerSession::new(ViewerConfig {
			stream,
			keys: signing_key.into(),
			payment: Some(payment),
			follow,
			..fixture::viewer_config()
		});
		session.set_head(BLOCK);
		let stream = timeout(PATIENCE, self.node.connect(to)).await.unwrap().unwrap();
		self.subscription = Some(Subscription::new(stream, session, PATIENCE));
	}

	/// Until it has seen so many windows in all and paid for them, or is told to go.
	pub async fn watch(&mut self, windows: usize) -> Option<EndReason> {
		while self.windows < windows || self.paid < self.windows {
			if let Some(ended) = self.step().await {
				return Some(ended);
			}
		}
		None
	}

	/// Until something is announced to it; fetches this much of that, where it is not nothing, and pays for it.
	pub async fn stand_by(&mut self, chunks: u32) -> Option<EndReason> {
		let (announced, paid) = (self.announced, self.paid + usize::from(chunks > 0));
		while self.announced == announced {
			if let Some(ended) = self.step().await {
				return Some(ended);
			}
		}
		if let (Some(range), true) = (self.newest, chunks > 0) {
			let range = Range { count: chunks, ..range };
			let fetch = Fetch {
				range,
				within_ms: 60_000,
			};
			assert!(self.subscription.as_mut().unwrap().session().fetch(fetch));
		}
		while self.paid < paid {
			if let Some(ended) = self.step().await {
				return Some(ended);
			}
		}
		None
	}

	/// The next event; why it is over, where it is.
	pub async fn step(&mut self) -> Option<EndReason> {
		let subscription = self.subscription.as_mut().unwrap();
		let event = timeout(PATIENCE, subscription.next()).await.expect("an event").unwrap();
		match event {
			Event::Challenged(challenge) => {
				let signed = self.purse.subscribe(challenge);
				subscription.session().subscribe(signed);
			},
			Event::Terms(Some(terms)) => {
				if let PaymentMode::Vouchers { newest: Some(newest) } = &terms.mode {
					self.purse.adopt(newest).unwrap();
				}
			},
			Event::Announced(of) => {
				self.announced += 1;
				self.newest = Some(of.range());
			},
			Event::Window(window) => {
				self.windows += 1;
				self.units += u64::from(window.header().bytes).div_ceil(65_536);
			},
			Event::PaymentDue(due) => {
				self.purse.reserve(&due.recipient, BLOCK);
				let payment = self.purse.pay(&due, BLOCK).unwrap();
				// Refused where it is told that it is over.
				let _ = subscription.session().pay(&due, payment);
			},
			Event::Paid(_) => self.paid += 1,
			Event::Ended(reason) => return Some(reason),
			_ => {},
		}
		None
	}

	pub async fn leave(&mut self) {
		if let Some(subscription) = self.subscription.take() {
			subscription.leave(PATIENCE).await;
		}
	}
}
