//! Relayers that cheat: they take part like any other, then do one thing to what they deliver. In the process of a test, or as a
//! program of its own ([`main`]) that buys what it sells, for places of the network lab.

use crate::{
	http,
	lab::free_port,
	network::{Network, Person},
	programs::{register, web_address, Terms},
};
use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use clap::{Parser, ValueEnum};
use clustercast_chain::{keys, Chain, NodeUrl, Wallet};
use clustercast_network::{
	client::Subscription,
	feed::Feed,
	node::{Incoming, Limits},
	Address, Certificates, Node, Stream,
};
use clustercast_pay::{
	funds::{self, Wanted},
	pocket::{Pocket, StateFolder},
};
use clustercast_primitives::{
	amount::USDC,
	crypto::{sha256, KeyPair},
	merkle,
	receipt::{deliveries_root, Deliveries, SignedReceipt},
	subscribe::Binding,
	AccountId, Hash, PublicKey, StreamId,
};
use clustercast_protocol::{
	relayer::{Event as Request, Quote},
	viewer::Event,
	wire::{self, Fetch, Kind, ToViewer},
	Cursor, EncodedWindow, EndReason, Follow, Lookup, PaymentTerms, ReceiptSigner, RelayerSession, SessionKey,
	StreamKeys, ViewerConfig, ViewerSession, PROTOCOL_NAME,
};
use clustercast_relayer::web::{notice, About, AboutStream};
use codec::{Decode, Encode};
use std::{
	collections::VecDeque,
	io,
	path::PathBuf,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex, PoisonError,
	},
	time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

/// Windows that it holds: a minute of 480p, so that it always has an old one at hand.
const CACHE_BYTES: usize = 64 << 20;

/// Of a window, as the origin cuts it.
const CHUNK_BYTES: usize = 1 << merkle::DEFAULT_CHUNK_LOG2;

/// How far behind the newest block its receipts are dated, as honest ones are.
const RECEIPT_LAG: u32 = 4;

/// Longest pause of the origin.
const INACTIVITY: Duration = Duration::from_secs(30);

/// Between two attempts to have the stream.
const AGAIN: Duration = Duration::from_secs(1);

/// What the program may spend on the stream.
const WANTED: Wanted = Wanted {
	deposit: 5 * USDC,
	limit: 5 * USDC,
};

/// What it does in place of delivering the next window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Trick {
	/// Delivers it with one bit flipped.
	FlipBit,
	/// Delivers it with one bit flipped, and signs a receipt for just that.
	SignWrong,
	/// Delivers it with its first two chunks swapped.
	SwapChunks,
	/// Delivers the one before once more.
	ReplayOld,
	/// Delivers the one after it.
	OmitOne,
	/// Nothing bad: ends the subscription, and refuses any other.
	Leave,
	/// Takes the stream, and sells it to nobody.
	Refuse,
	/// Delivers it with one bit flipped, and so all that is fetched.
	Corrupt,
	/// Says that it comes and sends none of it, nor what is fetched.
	Withhold,
}

impl Trick {
	/// The name of it that [`main`] takes.
	pub fn name(self) -> String {
		self.to_possible_value()
			.map(|value| value.get_name().to_owned())
			.unwrap_or_default()
	}

	/// Who stands by at it can fetch; of others it ends the subscription.
	fn serves_fetches(self) -> bool {
		matches!(self, Self::Corrupt | Self::Withhold)
	}
}

/// A cheating relayer. It stops when dropped.
pub struct Byzantine {
	/// Where viewers reach it: `MULTIADDR/p2p/ID`.
	pub address: String,
	/// Its account.
	pub account: AccountId,
	state: Arc<State>,
	tasks: Vec<JoinHandle<()>>,
}

/// Buys what it cheats with.
struct Purse {
	account: AccountId,
	pocket: Pocket,
}

struct State {
	genesis: Hash,
	stream: StreamId,
	terms: wire::Terms,
	key: KeyPair,
	signer: Arc<ReceiptSigner>,
	feed: Feed,
	/// All that came, in order.
	came: Mutex<Vec<EncodedWindow>>,
	honest: usize,
	trick: Trick,
	subscriptions: AtomicUsize,
	tickets: AtomicUsize,
	tricks: AtomicUsize,
}

impl Byzantine {
	/// Registers it and starts it below the origin, which serves it like any relayer. Of each subscription it serves
	/// `honest` windows as it should, then plays its trick.
	pub async fn start(
		network: &Network,
		person: Person,
		terms: Terms,
		broadcast: (u64, PublicKey, &str),
		plan: (usize, Trick),
	) -> Result<Self> {
		let (node, mut started) = Self::begin(network, person, terms, broadcast, plan, None).await?;
		started.tasks.push(tokio::spawn(async move {
			// It lives as long as its handle.
			let _node = node;
			std::future::pending().await
		}));
		Ok(started)
	}

	/// The same; pages of browsers find it as well.
	pub async fn start_for_browsers(
		network: &Network,
		person: Person,
		terms: Terms,
		broadcast: (u64, PublicKey, &str),
		plan: (usize, Trick),
	) -> Result<Self> {
		let port = free_port()?;
		let (node, mut started) = Self::begin(network, person, terms, broadcast, plan, Some(port)).await?;
		let certificates = Certificates::new(SystemTime::now())?;
		node.listen_web(([127, 0, 0, 1], port).into(), certificates.clone())
			.await?;
		let listener = TcpListener::bind(("127.0.0.1", port)).await?;
		let chain = network.books().chain().clone();
		let info = chain.stream_key(StreamId(broadcast.0)).await?;
		let info = info.context("there is no such stream")?;
		let (key, account, price) = (started.state.key.clone(), started.account, terms.price_per_gb);
		let about = move || {
			let certificates = certificates.hashes(SystemTime::now());
			let notice = notice(&key, account, info.id, certificates, (price, 1));
			let stream = AboutStream {
				id: info.id.0,
				title: info.title.clone(),
				signing_key: info.signing_key,
				previous_keys: info.previous_keys.clone(),
				terms_counter: info.terms_counter,
				price_per_gb: price,
				notice: format!("0x{}", hex::encode(key.sign(notice, &chain.genesis()).encode())),
			};
			let about = About {
				genesis: chain.genesis(),
				head: chain.tip().block(),
				max_ticket_life: chain.constants().max_ticket_life,
				max_session_life: chain.constants().max_session_life,
				account,
				key: key.public(),
				port,
				path: PROTOCOL_NAME,
				certificates,
				streams: vec![stream],
			};
			serde_json::json!(about).to_string()
		};
		started.tasks.push(tokio::spawn(async move {
			let _node = node;
			http::serve(listener, about).await;
		}));
		Ok(started)
	}

	async fn begin(
		network: &Network,
		person: Person,
		terms: Terms,
		(stream, signing_key, origin): (u64, PublicKey, &str),
		plan: (usize, Trick),
		web: Option<u16>,
	) -> Result<(Node, Self)> {
		let listen = format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port()?);
		let web = web.map(web_address);
		let addresses: Vec<&str> = [&*listen].into_iter().chain(web.as_deref()).collect();
		register(network, &person, &addresses, terms.price_per_gb).await?;
		let key = keys::load_or_create(&person.key_file)?;
		let chain = network.books().chain();
		let (node, incoming) = Node::start(&key, Limits::default())?;
		let address = node.listen(listen.parse()?).await?.to_string();
		let state = State::new(chain.genesis(), key, person.account, terms, stream, plan);
		let origin: Address = origin.parse()?;
		let connection = node.connect(&origin).await.context("the origin refuses it")?;
		let session = state.subscribes(chain, &origin, signing_key.into(), None);
		let upstream = Subscription::new(connection, session, INACTIVITY);
		let ingesting = state.clone();
		let ingest = tokio::spawn(async move { ingesting.ingest(upstream, None).await });
		let follow = tokio::spawn(state.clone().follow(chain.clone()));
		let serve = tokio::spawn(state.clone().welcome(incoming));
		let started = Self {
			address,
			account: person.account,
			state,
			tasks: vec![ingest, serve, follow],
		};
		Ok((node, started))
	}

	/// Subscriptions that viewers made.
	pub fn subscriptions(&self) -> usize {
		self.state.subscriptions.load(Ordering::SeqCst)
	}

	/// Tickets that viewers sent.
	pub fn tickets(&self) -> usize {
		self.state.tickets.load(Ordering::SeqCst)
	}

	/// Windows that it got from the origin.
	pub fn windows(&self) -> usize {
		self.state.came.lock().unwrap_or_else(PoisonError::into_inner).len()
	}

	/// How often it played its trick.
	pub fn tricks(&self) -> usize {
		self.state.tricks.load(Ordering::SeqCst)
	}
}

impl Drop for Byzantine {
	fn drop(&mut self) {
		self.tasks.iter().for_each(JoinHandle::abort);
	}
}

/// What goes out in place of what is true.
enum Lie {
	/// Of the window that is announced.
	Announcement(Bytes),
	/// All its chunks.
	Chunks(Bytes),
	/// One bit of whatever goes out.
	Bit,
	/// Nothing goes out.
	Silence,
	/// None: it is as it was asked for.
	Truth,
}

/// What goes out next.
enum Step {
	/// This window, with a lie if any.
	Deliver(EncodedWindow, Option<Lie>),
	/// The end.
	Leave,
}

impl State {
	fn new(
		genesis: Hash,
		key: KeyPair,
		recipient: AccountId,
		terms: Terms,
		stream: u64,
		(honest, trick): (usize, Trick),
	) -> Arc<Self> {
		Arc::new(Self {
			genesis,
			stream: StreamId(stream),
			terms: wire::Terms {
				recipient,
				price_per_gb: terms.price_per_gb,
				mode: wire::PaymentMode::Tickets {
					face_value: terms.face_value,
				},
				credit: 1_500_000,
				interval: 0,
				counter: 0,
				reserve: None,
			},
			signer: Arc::new(ReceiptSigner::new(key.clone(), [7; 32])),
			key,
			feed: Feed::new(CACHE_BYTES),
			came: Mutex::default(),
			honest,
			trick,
			subscriptions: AtomicUsize::new(0),
			tickets: AtomicUsize::new(0),
			tricks: AtomicUsize::new(0),
		})
	}

	/// A subscription to all that comes, against payment where there is one to this account.
	fn subscribes(
		&self,
		chain: &Chain,
		upstream: &Address,
		keys: StreamKeys,
		payment: Option<(AccountId, PaymentTerms)>,
	) -> ViewerSession {
		let (relayer_account, payment) = payment.unzip();
		ViewerSession::new(ViewerConfig {
			genesis: self.genesis,
			stream: self.stream,
			track: 0,
			keys,
			relayer_key: upstream.peer(),
			relayer_account,
			binding: Binding::PeerKey(upstream.peer().0),
			payment,
			head: chain.heads().borrow().best,
			latest_start_ms: u64::MAX,
			resume: None,
			follow: Follow::Windows,
		})
	}

	/// Takes all that comes of a subscription, and pays for it.
	async fn ingest(&self, mut upstream: Subscription, mut purse: Option<(&mut Purse, &Chain)>) {
		while let Ok(event) = upstream.next().await {
			if let Some((_, chain)) = &purse {
				upstream.session().set_head(chain.tip().block());
			}
			match event {
				Event::Window(window) => {
					let came = &self.came;
					came.lock().unwrap_or_else(PoisonError::into_inner).push(window.clone());
					self.feed.push(window);
				},
				Event::Status(status) => drop(self.feed.push_status(*status)),
				Event::Challenged(request) => {
					if let Some((purse, _)) = &mut purse {
						let signed = purse.pocket.subscribe(request);
						upstream.session().subscribe(signed);
					}
				},
				Event::PaymentDue(due) => {
					let Some((purse, chain)) = &mut purse else {
						return;
					};
					let head = chain.tip().block();
					match purse.pocket.pay(&due, head) {
						// Refused only where it was found to cheat: the next event says so.
						Ok(payment) => drop(upstream.session().pay(&due, payment)),
						Err(error) => {
							tracing::warn!(%error, "cannot pay");
							return;
						},
					}
				},
				Event::Ended(reason) => {
					tracing::info!(?reason, "ended");
					return;
				},
				_ => {},
			}
		}
	}

	/// Receipts are dated as the chain is.
	async fn follow(self: Arc<Self>, chain: Chain) {
		let mut heads = chain.heads();
		loop {
			self.signer
				.set_block(heads.borrow_and_update().best.saturating_sub(RECEIPT_LAG));
			if heads.changed().await.is_err() {
				return;
			}
		}
	}

	/// Serves whoever comes.
	async fn welcome(self: Arc<Self>, mut incoming: Incoming) {
		while let Some((_, stream)) = incoming.accept().await {
			// A viewer that caught it hangs up: nothing to be done about that.
			tokio::spawn(self.clone().serve(stream));
		}
	}

	/// Serves one subscription until either side has enough of it.
	async fn serve(self: Arc<Self>, mut stream: Stream) -> io::Result<()> {
		let serial = self.subscriptions.fetch_add(1, Ordering::SeqCst);
		let challenge = sha256(&[b"byzantine", &serial.to_le_bytes(), &self.key.public().0]);
		let bindings = match stream.certificates() {
			[] => vec![Binding::PeerKey(self.key.public().0)],
			shown => shown.iter().map(|hash| Binding::Certificate(hash.0)).collect(),
		};
		let mut session = RelayerSession::new(self.genesis, challenge, bindings);
		let (mut news, mut buffer, mut delivered) = (self.feed.news(self.stream), vec![0; CHUNK_BYTES], 0);
		let mut fetches = VecDeque::new();
		loop {
			while let Some(request) = session.poll_event() {
				match request {
					Request::Subscribed(_) if self.trick == Trick::Leave && serial > 0 => session.end(EndReason::Full),
					Request::Subscribed(_) if self.trick == Trick::Refuse => session.end(EndReason::Full),
					Request::Subscribed(_) => {
						session
							.accept(self.terms.clone(), self.signer.clone())
							.map_err(io::Error::other)?;
					},
					Request::Ticket(ticket) => {
						self.tickets.fetch_add(1, Ordering::SeqCst);
						session.paid(ticket.message.commitment).map_err(io::Error::other)?;
					},
					Request::Voucher { .. } | Request::Reserve(_) => {
						return Err(io::Error::other("its terms ask for tickets, and to reserve nothing"));
					},
					Request::Fetch(_) | Request::Cancel(_) if !self.trick.serves_fetches() => {
						return Err(io::Error::other("all comes by itself"));
					},
					Request::Fetch(fetch) => fetches.push_back(fetch),
					Request::Cancel(range) => {
						let before = fetches.len();
						fetches.retain(|fetch: &Fetch| fetch.range != range);
						if fetches.len() < before {
							session.lacks(&range);
						}
					},
				}
			}
			let mut lie = self.answer(&mut session, &mut fetches, delivered)?;
			if lie.is_some() {
				self.transmit(&mut session, &mut stream, lie.as_ref()).await?;
				continue;
			}
			match session.wants().and_then(|cursor| self.step(cursor, delivered)) {
				Some(Step::Deliver(window, instead)) => {
					session.deliver(&window).map_err(io::Error::other)?;
					delivered += 1;
					lie = instead;
				},
				Some(Step::Leave) => session.end(EndReason::Full),
				None => {},
			}
			if self.transmit(&mut session, &mut stream, lie.as_ref()).await? {
				continue;
			}
			tokio::select! {
				read = stream.read(&mut buffer) => {
					let length = read?;
					if length == 0 || session.handle(&buffer[..length]).is_err() {
						return Ok(());
					}
				},
				changed = news.changed() => if changed.is_err() { return Ok(()) },
			}
		}
	}

	/// Says and sends all that is queued, with this lie about the window among it; whether there was anything.
	async fn transmit(&self, session: &mut RelayerSession, stream: &mut Stream, lie: Option<&Lie>) -> io::Result<bool> {
		let mut any = false;
		loop {
			while let Some(frame) = session.poll_transmit() {
				// Nobody is told that it does not come.
				if matches!(lie, Some(Lie::Silence)) && is_a(&frame, Kind::Lacks) {
					continue;
				}
				let frame = match lie {
					Some(Lie::Announcement(lie)) if is_a(&frame, Kind::Pushed) => lie.clone(),
					Some(Lie::Chunks(lie)) if self.trick == Trick::SignWrong && is_a(&frame, Kind::Receipt) => {
						self.admit(&frame, lie)?
					},
					_ => frame,
				};
				stream.write_all(frame).await?;
				any = true;
			}
			let Some(outgoing) = session.poll_sending() else {
				return Ok(any);
			};
			if let Some(Lie::Silence) = lie {
				session.sent(outgoing.id(), 0);
				session.arrived(outgoing.id());
				continue;
			}
			let [range, data] = outgoing.rest();
			let data = match lie {
				Some(Lie::Chunks(lie)) => lie.clone(),
				Some(Lie::Bit) => flipped(&data),
				_ => data,
			};
			stream.send_chunks([range, data]).await?;
			session.sent(outgoing.id(), outgoing.chunks());
			session.arrived(outgoing.id());
		}
	}

	/// Queues what the oldest fetch asks for, of a subscription that got `delivered` windows; what goes out in its place. `None` where
	/// nothing does.
	fn answer(
		&self,
		session: &mut RelayerSession,
		fetches: &mut VecDeque<Fetch>,
		delivered: usize,
	) -> io::Result<Option<Lie>> {
		let cheats = delivered >= self.honest;
		if !session.may_send() || (cheats && self.trick == Trick::Withhold) {
			return Ok(None);
		}
		let Some(fetch) = fetches.front() else {
			return Ok(None);
		};
		let window = self.feed.find(self.stream, &fetch.range.header);
		let Some(window) = window.filter(|window| session.has_new(window, &fetch.range)) else {
			session.lacks(&fetch.range);
			fetches.pop_front();
			return Ok(Some(Lie::Truth));
		};
		if matches!(session.quote(&window, &fetch.range), Ok(Quote::TooMuch)) {
			session.settle();
			return Ok(None);
		}
		session.send(&window, fetch).map_err(io::Error::other)?;
		fetches.pop_front();
		if !cheats {
			return Ok(Some(Lie::Truth));
		}
		self.tricks.fetch_add(1, Ordering::SeqCst);
		Ok(Some(Lie::Bit))
	}

	/// What to send of a subscription that got `delivered` windows; `None` while the origin has not sent it yet.
	fn step(&self, cursor: Cursor, delivered: usize) -> Option<Step> {
		let next = self.get(cursor)?;
		if delivered < self.honest {
			return Some(Step::Deliver(next, None));
		}
		let id = next.id();
		let mut data = BytesMut::from(&next.data()[..]);
		let step = match self.trick {
			Trick::Leave | Trick::Refuse => Step::Leave,
			Trick::Corrupt => Step::Deliver(next, Some(Lie::Bit)),
			Trick::Withhold => Step::Deliver(next, Some(Lie::Silence)),
			Trick::FlipBit | Trick::SignWrong => Step::Deliver(next, Some(Lie::Chunks(flipped(&data)))),
			Trick::SwapChunks => {
				let (first, second) = data.split_at_mut(CHUNK_BYTES);
				first.swap_with_slice(&mut second[..CHUNK_BYTES]);
				Step::Deliver(next, Some(Lie::Chunks(data.freeze())))
			},
			Trick::ReplayOld => {
				let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
				let old = came.iter().rev().find(|window| window.id() < id)?;
				let lie = old.announcement(true);
				Step::Deliver(next, Some(Lie::Announcement(lie)))
			},
			Trick::OmitOne => Step::Deliver(self.get(behind(&next))?, None),
		};
		self.tricks.fetch_add(1, Ordering::SeqCst);
		Some(step)
	}

	/// The receipt in `frame`, as one for the window's chunks as they are in `lie`.
	fn admit(&self, frame: &[u8], lie: &[u8]) -> io::Result<Bytes> {
		let (signed, mut deliveries) =
			<(SignedReceipt, Deliveries)>::decode(&mut &frame[wire::PREFIX_BYTES..]).map_err(io::Error::other)?;
		let mut receipt = signed.message;
		let leaves = merkle::leaves(lie, merkle::DEFAULT_CHUNK_LOG2);
		for delivery in deliveries.iter_mut() {
			delivery.delivered = merkle::root(&leaves);
		}
		receipt.root = deliveries_root(&deliveries);
		Ok(ToViewer::Receipt(self.key.sign(receipt, &self.genesis), deliveries).to_frame())
	}

	fn get(&self, cursor: Cursor) -> Option<EncodedWindow> {
		match self.feed.get(cursor) {
			Lookup::Found(window) => Some(window),
			_ => None,
		}
	}
}

/// What follows this window.
fn behind(window: &EncodedWindow) -> Cursor {
	Cursor::After {
		id: window.id(),
		header: window.hash(),
	}
}

fn is_a(frame: &[u8], kind: Kind) -> bool {
	frame.get(wire::PREFIX_BYTES - 1) == Some(&(kind as u8))
}

/// The same but for a bit in the first chunk, or in the middle where there is less of it.
fn flipped(data: &[u8]) -> Bytes {
	let mut data = BytesMut::from(data);
	let middle = data.len().min(CHUNK_BYTES) / 2;
	if let Some(byte) = data.get_mut(middle) {
		*byte ^= 1;
	}
	data.freeze()
}

/// A relayer that cheats, registered already. It takes the stream from whoever is named, one after the other as one ends, and pays
/// those whom the registry has. The first line printed is {"listening":"ADDRESS/p2p/ID"}, the second {"windows":1} once it has one.
#[derive(Parser, Debug)]
struct Options {
	/// A node's JSON-RPC
	#[arg(long, value_name = "WS")]
	rpc: NodeUrl,
	/// The account that registered, which pays: //Name
	#[arg(long)]
	account: String,
	/// Its key
	#[arg(long, value_name = "FILE")]
	identity: PathBuf,
	/// Where it is reached
	#[arg(long, value_name = "MULTIADDR")]
	listen: String,
	/// Keeps what it pays with
	#[arg(long, value_name = "DIR")]
	state: PathBuf,
	/// Number of the stream key
	#[arg(long, value_name = "N")]
	stream: u64,
	/// Where the stream is, first choice first: ADDRESS/p2p/ID
	#[arg(long, value_name = "ADDRESS", required = true)]
	upstream: Vec<String>,
	/// What it asks, micro-USDC per GB
	#[arg(long, value_name = "N")]
	price_per_gb: u64,
	/// Of its tickets, micro-USDC
	#[arg(long, value_name = "N")]
	face_value: u128,
	/// Windows that it delivers as they are, of each subscription
	#[arg(long, value_name = "N")]
	honest: usize,
	/// What it does then
	#[arg(long, value_enum)]
	trick: Trick,
}

/// Runs one as a program, until it is killed.
pub async fn main() -> Result<()> {
	let options = Options::parse();
	tracing_subscriber::fmt()
		.with_writer(io::stderr)
		.with_ansi(false)
		.init();
	let upstreams = options.upstream.iter().map(|address| Ok(address.parse()?));
	let upstreams = upstreams.collect::<Result<Vec<Address>>>()?;
	let chain = Chain::connect(&[options.rpc]).await?;
	let wallet = Wallet::from_suri(&options.account)?;
	let folder = StateFolder::open(&options.state)?;
	let mut purse = Purse {
		account: wallet.account(),
		pocket: funds::prepare(&chain, &wallet, &folder, WANTED).await?,
	};
	let key = keys::load_or_create(&options.identity)?;
	let (node, incoming) = Node::start(&key, Limits::default())?;
	let address = node.listen(options.listen.parse()?).await?;
	let terms = Terms {
		price_per_gb: options.price_per_gb,
		face_value: options.face_value,
		redeem_value: 0,
		redeem_age_s: 0,
		payment: "tickets",
	};
	let plan = (options.honest, options.trick);
	let state = State::new(chain.genesis(), key, purse.account, terms, options.stream, plan);
	tokio::spawn(state.clone().follow(chain.clone()));
	tokio::spawn(state.clone().welcome(incoming));
	println!("{}", serde_json::json!({ "listening": address.to_string() }));
	let mut news = state.feed.news(state.stream);
	tokio::spawn(async move {
		if news.wait_for(|news| news.windows > 0).await.is_ok() {
			println!("{}", serde_json::json!({ "windows": 1 }));
		}
	});
	for upstream in upstreams.iter().cycle() {
		if let Err(error) = state.take(&chain, &node, upstream, &mut purse).await {
			tracing::info!(%error, %upstream, "no stream");
		}
		sleep(AGAIN).await;
	}
	Ok(())
}

impl State {
	/// Has the stream from there, as long as it lasts.
	async fn take(&self, chain: &Chain, node: &Node, upstream: &Address, purse: &mut Purse) -> Result<()> {
		let stream = chain.stream_key(self.stream).await?;
		let stream = stream.context("there is no such stream")?;
		let registered = chain.relayers().await?;
		let seller = registered.iter().find(|info| info.signing_key == upstream.peer());
		let payment = seller.map(|info| {
			let session = SessionKey {
				account: purse.account,
				key: purse.pocket.session(),
			};
			let terms = PaymentTerms {
				session,
				vouchers: false,
				terms: stream.terms_counter,
				max_price_per_gb: info.price_per_gb,
				max_face_value: USDC,
			};
			(info.account, terms)
		});
		let session = self.subscribes(chain, upstream, stream.signing_key.into(), payment);
		let connection = node.connect(upstream).await?;
		let subscription = Subscription::new(connection, session, INACTIVITY);
		self.ingest(subscription, Some((purse, chain))).await;
		purse.pocket.save()?;
		Ok(())
	}
}
