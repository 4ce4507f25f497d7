//! A viewer of several relayers at once, in real time: those of [`clustercast_network::serve`], behind wires that fall silent or become
//! slow. What is watched is played 6 s behind its capture.

use super::*;
use clustercast_network::{
	serve::{self, Closed, Grant, Policy, Unpaid},
	Feed,
};
use clustercast_primitives::{window::flags, PublicKey, SignedTicket};
use clustercast_protocol::{Subscribe, Timing};
use std::{
	net::SocketAddr,
	sync::atomic::{AtomicI64, AtomicU64, Ordering},
};
use tokio::{net::UdpSocket, sync::Mutex as AsyncMutex};

/// 1.5 Mb/s.
const LARGE: usize = 375_000;
/// Of capture until it is played.
const PLAYHEAD_MS: i64 = 6_000;

/// Serves whoever pays by tickets, and adds these up.
struct Till {
	signer: Arc<ReceiptSigner>,
	paid: Arc<AtomicU64>,
	unpaid: Arc<AtomicU64>,
}

fn terms() -> Terms {
	Terms {
		recipient: AccountId([9; 32]),
		price_per_gb: PRICE,
		mode: PaymentMode::Tickets { face_value: 100_000 },
		credit: 1_500_000,
		interval: 700_000,
		counter: 0,
		reserve: None,
	}
}

impl Policy for Till {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		Ok((Grant::Paid(terms(), self.signer.clone()), ()))
	}

	fn lend(&self, _: &(), _: clustercast_protocol::Expectation) -> Result<bool, EndReason> {
		Ok(true)
	}

	async fn ticket(&self, _: &(), ticket: SignedTicket) -> Result<(), EndReason> {
		self.paid.fetch_add(ticket.message.bytes, Ordering::Relaxed);
		Ok(())
	}

	fn closed(&self, _: Option<()>, unpaid: Unpaid, _: &Closed) {
		self.unpaid.fetch_add(unpaid.sent.len() as u64, Ordering::Relaxed);
	}
}

/// What a wire does to what comes from the relayer.
#[derive(Clone)]
struct Wire {
	/// Bytes that still pass, at most.
	left: Arc<AtomicI64>,
	/// Bytes per second.
	rate: Arc<AtomicU64>,
	/// When it is free again.
	free: Arc<AsyncMutex<Instant>>,
}

impl Wire {
	fn new() -> Self {
		Self {
			left: Arc::new(AtomicI64::new(i64::MAX)),
			rate: Arc::new(AtomicU64::new(10_000_000)),
			free: Arc::new(AsyncMutex::new(Instant::now())),
		}
	}

	/// Between a viewer, whoever calls first, and this relayer.
	async fn lay(&self, to: SocketAddr) -> SocketAddr {
		let (outer, inner) = (bind().await, bind().await);
		let address = outer.local_addr().unwrap();
		let wire = self.clone();
		tokio::spawn(async move {
			let mut viewer = None;
			let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
			loop {
				tokio::select! {
					came = outer.recv_from(&mut up) => {
						let (length, from) = came.unwrap();
						viewer = Some(from);
						inner.send_to(&up[..length], to).await.unwrap();
					},
					came = inner.recv_from(&mut down) => {
						let (length, _) = came.unwrap();
						if wire.left.fetch_sub(length as i64, Ordering::Relaxed) < length as i64 {
							wire.left.store(0, Ordering::Relaxed);
							continue;
						}
						let took = Duration::from_micros(1_000_000 * length as u64 / wire.rate.load(Ordering::Relaxed));
						let at = {
							let mut free = wire.free.lock().await;
							*free = (*free).max(Instant::now()) + took;
							*free
						};
						// Timers are no finer.
						if at > Instant::now() + Duration::from_millis(2) {
							sleep_until(at).await;
						}
						outer.send_to(&down[..length], viewer.unwrap()).await.unwrap();
					},
				}
			}
		});
		address
	}
}

async fn bind() -> UdpSocket {
	UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

struct Served {
	address: Address,
	wire: Wire,
	paid: Arc<AtomicU64>,
	unpaid: Arc<AtomicU64>,
	_node: Node,
}

impl Served {
	async fn start(seed: u8, feed: &Feed, wire: Wire) -> Self {
		let key = KeyPair::from_seed([seed; 32]);
		let (node, incoming) = Node::start(&key, node::Limits::default()).unwrap();
		let listens = node
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let (paid, unpaid) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
		let signer = ReceiptSigner::new(KeyPair::from_seed([seed; 32]), [seed; 32]);
		signer.set_block(BLOCK);
		let policy = Till {
			signer: Arc::new(signer),
			paid: paid.clone(),
			unpaid: unpaid.clone(),
		};
		let config = serve::Config::new(GENESIS, key.public());
		tokio::spawn(serve::serve(
			incoming,
			feed.clone(),
			Arc::new(policy),
			config,
			std::future::pending(),
		));
		let address = wired(&wire, &listens).await;
		Self {
			address,
			wire,
			paid,
			unpaid,
			_node: node,
		}
	}
}

/// The same relayer at the other end of a wire.
async fn wired(wire: &Wire, listens: &Address) -> Address {
	let transport = listens.transport().to_string();
	let port = transport.split('/').nth(4).unwrap().parse().unwrap();
	let laid = wire.lay(([127, 0, 0, 1], port).into()).await;
	Address::new(&format!("/ip4/127.0.0.1/udp/{}/quic-v1", laid.port()), &listens.peer()).unwrap()
}

/// Serves what is in the feed, and spoils whatever is fetched.
async fn liar(seed: u8, feed: Feed) -> (Address, Node) {
	let key = KeyPair::from_seed([seed; 32]);
	let (node, mut incoming) = Node::start(&key, node::Limits::default()).unwrap();
	let address = node
		.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
		.await
		.unwrap();
	let signer = ReceiptSigner::new(key, [seed; 32]);
	signer.set_block(BLOCK);
	let signer = Arc::new(signer);
	tokio::spawn(async move {
		while let Some((_, stream)) = incoming.accept().await {
			tokio::spawn(lie(stream, feed.clone(), signer.clone()));
		}
	});
	(address, node)
}

async fn lie(mut stream: Stream, feed: Feed, signer: Arc<ReceiptSigner>) -> Option<()> {
	let mut session = RelayerSession::new(GENESIS, Hash(rand::random()), vec![Binding::PeerKey(signer.public().0)]);
	let (mut news, mut buffer) = (feed.news(STREAM), vec![0; 4_096]);
	loop {
		while let Some(cursor) = session.wants() {
			let clustercast_protocol::Lookup::Found(window) = feed.get(cursor) else {
				break;
			};
			session.deliver(&window).unwrap();
		}
		while let Some(frame) = session.poll_transmit() {
			stream.write_all(frame).await.ok()?;
		}
		while let Some(outgoing) = session.poll_sending() {
			let [range, data] = outgoing.rest();
			stream.send_chunks([range, spoil(data, Trick::FlipBit)]).await.ok()?;
			session.sent(outgoing.id(), outgoing.chunks());
			session.arrived(outgoing.id());
		}
		tokio::select! {
			read = stream.read(&mut buffer) => session.handle(&buffer[..read.ok().filter(|n| *n > 0)?]).ok()?,
			_ = news.changed() => {},
		}
		while let Some(event) = session.poll_event() {
			match event {
				relayer::Event::Subscribed(_) => session.accept(terms(), signer.clone()).unwrap(),
				relayer::Event::Fetch(fetch) => {
					let window = feed.find(STREAM, &fetch.range.header)?;
					session.send(&window, &fetch).unwrap();
				},
				_ => {},
			}
		}
	}
}

/// A window each 2 s, as it is captured, and the broadcaster's word every 4 s; `before` each window something may happen.
fn go_on_air(feed: &Feed, mut before: impl FnMut(u64) + Send + 'static) {
	let key = KeyPair::from_seed(BROADCASTER);
	let mut broadcast = Broadcast::begin(key, GENESIS, STREAM, 1, Hash([0; 32]), 0);
	broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	let feed = feed.clone();
	feed.expect(STREAM);
	tokio::spawn(async move {
		let begun = Instant::now();
		for number in 0.. {
			sleep_until(begun + USUAL_WINDOW * number).await;
			before(number.into());
			let data: Vec<u8> = (0..LARGE as u32)
				.map(|i| ((i + number).wrapping_mul(2_654_435_761) >> 24) as u8)
				.collect();
			let timing = Timing {
				flags: flags::INDEPENDENT | flags::LAST_PART,
				start_ms: crate::sinks::unix_ms() - 2_000,
				duration_ms: 2_000,
			};
			feed.push(broadcast.sign(timing, &data).unwrap());
			if number % 2 == 0 {
				feed.push_status(broadcast.status(State::Live, crate::sinks::unix_ms()));
			}
		}
	});
}

impl Test {
	/// Watches so many windows from these at once.
	async fn watch_all(&mut self, relayers: &[Address], windows: u64) {
		self.viewing.crew = Crew::new(relayers.len() - 1);
		self.viewing.limits.stall = None;
		self.viewing.limits.windows = Some(windows);
		let mut given = Roster::default();
		given.add(roster::given(relayers));
		let ended = tokio::time::timeout(PATIENCE, self.viewing.watch(given)).await;
		assert_eq!(ended.unwrap().unwrap(), Ended::Windows);
	}

	/// From capture to playable, of each window, milliseconds; they follow each other.
	fn delays(&self) -> Vec<i64> {
		let log = std::fs::read_to_string(&self.seen).unwrap();
		let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
		let segments: Vec<u64> = lines.iter().map(|line| line["segment"].as_u64().unwrap()).collect();
		assert!(segments.windows(2).all(|pair| pair[1] == pair[0] + 1), "{segments:?}");
		lines.iter().map(|line| line["delayMs"].as_i64().unwrap()).collect()
	}

	fn by(&self, address: &Address) -> RelayerFigures {
		let peer = address.peer_id().to_base58();
		self.viewing.summary.relayers.get(&peer).cloned().unwrap_or_default()
	}

	/// No window was late, and who is not `lost` was paid for what it delivered, whether it was of use or not.
	fn assert_played_and_paid(&self, relayers: &[Served], lost: Option<usize>) {
		let delays = self.delays();
		assert!(
			delays.iter().all(|delay| *delay < PLAYHEAD_MS),
			"{delays:?}: {:?}",
			self.viewing.crew.swarm.figures()
		);
		for (place, relayer) in relayers.iter().enumerate().filter(|(place, _)| Some(*place) != lost) {
			let (taken, paid) = (
				self.by(&relayer.address).taken_bytes,
				relayer.paid.load(Ordering::Relaxed),
			);
			assert_eq!(paid, amount::ticket_bytes(taken), "{place}: {taken} bytes came");
			assert_eq!(relayer.unpaid.load(Ordering::Relaxed), 0, "{place}");
		}
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parent_that_falls_silent_in_the_middle_of_a_window_stalls_nobody() {
	let feed = Feed::new(64 << 20);
	let mut relayers = Vec::new();
	for seed in [11, 12, 13] {
		relayers.push(Served::start(seed, &feed, Wire::new()).await);
	}
	let wire = relayers[0].wire.clone();
	go_on_air(&feed, move |number| {
		if number == 5 {
			wire.left.store(150_000, Ordering::Relaxed);
		}
	});
	let addresses: Vec<Address> = relayers.iter().map(|relayer| relayer.address.clone()).collect();
	let mut test = Test::new().await;
	test.watch_all(&addresses, 12).await;
	test.assert_played_and_paid(&relayers, Some(0));
	assert_eq!(test.viewing.crew.swarm.figures().failovers, 1);
	let served: u64 = [1, 2].map(|at: usize| test.by(&addresses[at]).windows).iter().sum();
	assert!(served >= 5, "{:?}", test.viewing.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parent_that_becomes_slow_is_helped_and_left_and_paid() {
	let feed = Feed::new(64 << 20);
	let mut relayers = Vec::new();
	for seed in [11, 12] {
		relayers.push(Served::start(seed, &feed, Wire::new()).await);
	}
	let wire = relayers[0].wire.clone();
	go_on_air(&feed, move |number| {
		if number == 5 {
			wire.rate.store(60_000, Ordering::Relaxed);
		}
	});
	let addresses: Vec<Address> = relayers.iter().map(|relayer| relayer.address.clone()).collect();
	let mut test = Test::new().await;
	test.watch_all(&addresses, 14).await;
	test.assert_played_and_paid(&relayers[1..], None);
	assert!(test.by(&addresses[1]).windows >= 5, "{:?}", test.viewing.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_that_lies_is_caught_unpaid_and_the_others_go_on() {
	let feed = Feed::new(64 << 20);
	let good = Served::start(11, &feed, Wire::new()).await;
	let other = Served::start(13, &feed, Wire::new()).await;
	let (lies, _node) = liar(12, feed.clone()).await;
	go_on_air(&feed, |_| {});
	let mut test = Test::new().await;
	let addresses = [good.address.clone(), lies.clone(), other.address.clone()];
	test.watch_all(&addresses, 5).await;
	let figures = test.by(&lies);
	assert_eq!(figures.faults.len(), 1, "{figures:?}");
	assert_eq!((figures.tickets, figures.windows), (0, 0));
	test.assert_played_and_paid(&[good, other], None);
}
