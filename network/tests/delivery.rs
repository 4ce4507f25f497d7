//! Real QUIC nodes on loopback: delivery, and everything that strangers and slow viewers try.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "delivery/chunks.rs"]
mod chunks;
#[path = "delivery/door.rs"]
mod door;
#[path = "delivery/runs.rs"]
mod runs;

use bytes::Bytes;
use clustercast_network::{
	client::{Error, Subscription},
	node::{ConnectError, Limits, ListenError},
	serve::{serve, Closed, Config, Grant, Policy, Unpaid},
	Address, Feed, Node, Stream,
};
use clustercast_primitives::{
	catalog::Track, channel::Reservation, channel::SignedReservation, crypto::KeyPair, status::State,
	subscribe::Binding, window::MAX_WINDOW_BYTES, AccountId, Hash, PublicKey, SignedTicket, StreamId,
};
use clustercast_protocol::{
	routes::Names, viewer::Event, Broadcast, EncodedWindow, EndReason, Expectation, Fault, Follow, PaymentMode,
	PaymentTerms, Purse, PurseConfig, ReceiptSigner, ReserveTerms, Resume, SessionKey, Subscribe, Terms, ViewerConfig,
	ViewerSession, WireError,
};
use std::{
	sync::{
		atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::{
	sync::{mpsc, oneshot},
	task::JoinHandle,
	time::timeout,
};

const GENESIS: Hash = Hash([7; 32]);
const STREAM: StreamId = StreamId(3);
const RELAYER_SEED: [u8; 32] = [1; 32];
/// May have what this relayer has.
const OTHER: PublicKey = PublicKey([6; 32]);
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
/// Length of the frame that comes first.
const CHALLENGE: usize = 4 + 1 + 32;
/// Far longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves whoever asks: for nothing, or against tickets that all pass.
struct Open {
	paid: bool,
	/// Signs receipts.
	key: KeyPair,
	/// Counter of the reservation that was handed in; only then windows go out, where it is asked for.
	reserved: AtomicU32,
	/// It is final.
	stands: AtomicBool,
	asks: AtomicBool,
	/// Bytes that are worth a receipt.
	interval: AtomicU32,
	/// Nothing is sold.
	shut: AtomicBool,
	/// Others may ask less.
	dear: AtomicBool,
	lent: AtomicUsize,
	closed: mpsc::Sender<String>,
	seats: Arc<()>,
}

impl Open {
	fn asks(&self) -> bool {
		self.asks.load(Ordering::Relaxed)
	}

	/// Counter of the reservation that is final.
	fn stands(&self) -> Option<u32> {
		let counter = self.reserved.load(Ordering::Relaxed);
		(counter > 0 && self.stands.load(Ordering::Relaxed)).then_some(counter)
	}
}

impl Policy for Open {
	type Seat = Arc<()>;

	async fn subscribe(&self, _: PublicKey, request: &Subscribe) -> Result<(Grant, Arc<()>), EndReason> {
		if request.stream != STREAM {
			return Err(EndReason::NotServed);
		}
		let grant = match self.paid {
			false => Grant::Free,
			true => Grant::Paid(
				Terms {
					recipient: AccountId([9; 32]),
					price_per_gb: 1_000_000,
					mode: PaymentMode::Tickets { face_value: 1_000_000 },
					credit: 2 * 50_000,
					interval: self.interval.load(Ordering::Relaxed),
					counter: 0,
					reserve: self.asks().then_some(ReserveTerms { least: 1, reward: 2 }),
				},
				Arc::new(ReceiptSigner::new(KeyPair::from_seed(self.key.seed()), [5; 32])),
			),
		};
		Ok((grant, self.seats.clone()))
	}

	async fn reserve(&self, _: &Arc<()>, reservation: SignedReservation) -> Result<(), EndReason> {
		self.reserved.store(reservation.message.counter, Ordering::Relaxed);
		Ok(())
	}

	fn reserved(&self, _: &Arc<()>) -> Result<Option<u32>, EndReason> {
		Ok(self.stands())
	}

	fn lend(&self, _: &Arc<()>, _: Expectation) -> Result<bool, EndReason> {
		let lends = !self.asks() || self.stands().is_some();
		self.lent.fetch_add(usize::from(lends), Ordering::Relaxed);
		Ok(lends)
	}

	fn shut(&self, _: &Arc<()>) -> Option<EndReason> {
		self.shut.load(Ordering::Relaxed).then_some(EndReason::CannotStore)
	}

	fn is_dear(&self, _: &Arc<()>) -> bool {
		self.dear.load(Ordering::Relaxed)
	}

	fn others(&self, _: &PublicKey, _: &Subscribe) -> Names {
		vec![OTHER].try_into().unwrap()
	}

	async fn ticket(&self, _: &Arc<()>, _: SignedTicket) -> Result<(), EndReason> {
		Ok(())
	}

	fn closed(&self, _: Option<Arc<()>>, unpaid: Unpaid, why: &Closed) {
		let kind = match why {
			Closed::Session(e) => format!("session: {e}"),
			other => other.to_string(),
		};
		self.closed
			.try_send(format!("{kind}; {} unpaid", unpaid.sent.len() + unpaid.unsent.len()))
			.unwrap();
	}
}

/// A server on loopback and the news it has of its subscriptions.
struct Server {
	address: Address,
	feed: Feed,
	policy: Arc<Open>,
	closed: mpsc::Receiver<String>,
	stop: oneshot::Sender<()>,
	task: JoinHandle<()>,
	_node: Node,
}

impl Server {
	async fn start(paid: bool, adjust: impl FnOnce(&mut Config)) -> Self {
		Self::start_with(KeyPair::from_seed(RELAYER_SEED), paid, adjust).await
	}

	async fn start_with(key: KeyPair, paid: bool, adjust: impl FnOnce(&mut Config)) -> Self {
		let mut config = Config::new(GENESIS, key.public());
		adjust(&mut config);
		let (node, incoming) = Node::start(&key, Limits::default()).unwrap();
		let address = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
		let feed = Feed::new(64 << 20);
		let (sender, closed) = mpsc::channel(100);
		let policy = Arc::new(Open {
			paid,
			key,
			reserved: AtomicU32::new(0),
			stands: AtomicBool::new(true),
			asks: AtomicBool::new(false),
			interval: AtomicU32::new(0),
			shut: AtomicBool::new(false),
			dear: AtomicBool::new(false),
			lent: AtomicUsize::new(0),
			closed: sender,
			seats: Arc::new(()),
		});
		let (stop, stopped) = oneshot::channel::<()>();
		let stopped = async { drop(stopped.await) };
		let task = tokio::spawn(serve(incoming, feed.clone(), policy.clone(), config, stopped));
		Self {
			address,
			feed,
			policy,
			closed,
			stop,
			task,
			_node: node,
		}
	}

	fn push(&self, broadcast: &mut Broadcast, count: usize, bytes: usize) {
		for _ in 0..count {
			assert!(self.feed.push(window(broadcast, bytes)));
		}
	}

	async fn closed(&mut self) -> String {
		timeout(PATIENCE, self.closed.recv())
			.await
			.expect("a subscription should have closed")
			.unwrap()
	}
}

/// A run of the broadcast that has not begun.
fn broadcast() -> Broadcast {
	let key = KeyPair::from_seed([2; 32]);
	let mut broadcast = Broadcast::begin(key, GENESIS, STREAM, 1, Hash([0; 32]), 0);
	broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	broadcast
}

/// Its next window, of this length.
fn window(broadcast: &mut Broadcast, bytes: usize) -> EncodedWindow {
	let segment = broadcast.next().segment;
	let data: Vec<u8> = (0..bytes).map(|i| (i as u64 * 31 + segment) as u8).collect();
	broadcast.segment(2_000 * segment, &data).unwrap()
}

fn viewer(seed: u8) -> Node {
	Node::start(&KeyPair::from_seed([seed; 32]), Limits::default())
		.unwrap()
		.0
}

fn session_key() -> KeyPair {
	KeyPair::from_seed([4; 32])
}

fn reservation(counter: u32) -> SignedReservation {
	let reservation = Reservation {
		sender: AccountId([8; 32]),
		session: session_key().public(),
		recipient: AccountId([9; 32]),
		counter,
		cap: 1_000,
		reward: 2,
		submit_by: 90,
	};
	session_key().sign(reservation, &GENESIS)
}

fn session(relayer: &Address, paid: bool) -> ViewerSession {
	ViewerSession::new(viewer_config(relayer, paid))
}

fn viewer_config(relayer: &Address, paid: bool) -> ViewerConfig {
	ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		track: 0,
		keys: KeyPair::from_seed([2; 32]).public().into(),
		relayer_key: relayer.peer(),
		relayer_account: None,
		binding: Binding::PeerKey(relayer.peer().0),
		payment: paid.then_some(PaymentTerms {
			session: SessionKey {
				account: AccountId([8; 32]),
				key: session_key().public(),
			},
			vouchers: false,
			terms: 0,
			max_price_per_gb: 1_000_000,
			max_face_value: 1_000_000,
		}),
		head: 0,
		latest_start_ms: u64::MAX,
		resume: None,
		follow: Follow::Windows,
	}
}

async fn subscribe(node: &Node, server: &Server) -> Subscription {
	let stream = node.connect(&server.address).await.unwrap();
	Subscription::new(stream, session(&server.address, server.policy.paid), PATIENCE)
}

/// Events until one that `wanted` takes.
async fn until<T>(subscription: &mut Subscription, wanted: impl Fn(Event) -> Option<T>) -> T {
	loop {
		let event = timeout(PATIENCE, subscription.next())
			.await
			.expect("an event")
			.unwrap_or_else(|error| panic!("{error:?}"));
		if let Event::Challenged(challenge) = &event {
			let signed = session_key().sign(challenge.clone(), &GENESIS);
			subscription.session().subscribe(signed);
		}
		if let Some(found) = wanted(event) {
			return found;
		}
	}
}

async fn next_window(subscription: &mut Subscription) -> EncodedWindow {
	until(subscription, |event| match event {
		Event::Window(window) => Some(window),
		_ => None,
	})
	.await
}

async fn ended(subscription: &mut Subscription) -> EndReason {
	until(subscription, |event| match event {
		Event::Ended(reason) => Some(reason),
		_ => None,
	})
	.await
}

/// The fault: whoever found a busy relayer too dear left, and nobody told it who else has the stream.
#[tokio::test]
async fn who_finds_the_price_too_high_is_told_before_who_else_may_have_the_stream() {
	let server = Server::start(true, |_| {}).await;
	for (dear, told) in [(false, vec![]), (true, vec![OTHER])] {
		server.policy.dear.store(dear, Ordering::Relaxed);
		let node = viewer(10 + u8::from(dear));
		let stream = node.connect(&server.address).await.unwrap();
		let mut config = viewer_config(&server.address, true);
		config.payment.as_mut().unwrap().max_price_per_gb = 999_999;
		let mut subscription = Subscription::new(stream, ViewerSession::new(config), PATIENCE);
		let mut named = Vec::new();
		let fault = loop {
			match timeout(PATIENCE, subscription.next()).await.expect("an event") {
				Ok(Event::Challenged(challenge)) => {
					let signed = session_key().sign(challenge, &GENESIS);
					subscription.session().subscribe(signed);
				},
				Ok(Event::Others(names)) => named.extend(names),
				Ok(event) => panic!("{event:?}"),
				Err(error) => break error,
			}
		};
		assert!(
			matches!(fault, Error::Fault(Fault::PriceTooHigh { asked: 1_000_000, .. })),
			"{fault:?}"
		);
		assert_eq!(named, told);
	}
}

#[tokio::test]
async fn windows_arrive_verified_and_in_order_until_the_broadcast_ends() {
	let mut server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	let before = window(&mut broadcast, 300_000);
	server.feed.push(before.clone());
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	assert_eq!(
		next_window(&mut subscription).await.data(),
		before.data(),
		"live begins with the newest"
	);
	for bytes in [1, 16_384, 400_000] {
		let window = window(&mut broadcast, bytes);
		assert!(server.feed.push(window.clone()));
		assert!(!server.feed.push(window.clone()), "its place is taken");
		let received = next_window(&mut subscription).await;
		assert_eq!((received.id(), received.data()), (window.id(), window.data()));
	}
	server.feed.finish();
	assert_eq!(ended(&mut subscription).await, EndReason::Finished);
	assert_eq!(server.closed().await, "ended: Finished; 0 unpaid");
}

#[tokio::test]
async fn newest_status_reaches_every_viewer_once() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 1_000);
	let (old, new) = (broadcast.status(State::Idle, 1), broadcast.status(State::Live, 2));
	assert!(server.feed.push_status(new.clone()));
	assert!(!server.feed.push_status(old), "a newer one is here");
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let status = |event| match event {
		Event::Status(status) => Some(*status),
		_ => None,
	};
	assert_eq!(until(&mut subscription, status).await, new);
	let ended = broadcast.end();
	server.feed.push_status(ended.clone());
	assert_eq!(until(&mut subscription, status).await, ended);
}

/// Where the newest window ends, Unix time in milliseconds.
fn ends_ms(broadcast: &Broadcast) -> u64 {
	2_000 * broadcast.next().segment
}

#[tokio::test]
async fn who_comes_in_a_pause_is_told_so_and_waits_for_the_first_window_behind_it() {
	for state in [State::Idle, State::Live] {
		let server = Server::start(true, |_| {}).await;
		let mut broadcast = broadcast();
		server.push(&mut broadcast, 3, 50_000);
		// A clock like any other: nobody compares it with ours.
		let later = ends_ms(&broadcast) + 94_000;
		server.feed.push_status(broadcast.status(state, later));
		let node = viewer(10);
		let mut subscription = subscribe(&node, &server).await;
		let mut told = None;
		let mut resumed = None;
		let first = loop {
			match timeout(PATIENCE, subscription.next()).await.expect("an event").unwrap() {
				Event::Challenged(challenge) => {
					let signed = session_key().sign(challenge, &GENESIS);
					subscription.session().subscribe(signed);
				},
				Event::Status(status) => {
					told = Some(status.status.message.state);
					resumed.get_or_insert_with(|| {
						let lent = server.policy.lent.load(Ordering::Relaxed);
						assert_eq!(lent, 0, "nothing is charged in a pause");
						server.push(&mut broadcast, 1, 50_000);
					});
				},
				Event::Window(window) => break window,
				_ => {},
			}
		};
		assert_eq!(told, Some(state));
		assert_eq!(
			first.header().number,
			3,
			"{state:?}: the last window from before the pause is not live"
		);
	}
}

#[tokio::test]
async fn who_goes_on_behind_a_window_gets_the_next_however_old_it_is() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	let first = window(&mut broadcast, 1_000);
	server.feed.push(first.clone());
	server.push(&mut broadcast, 1, 1_000);
	let later = ends_ms(&broadcast) + 3_600_000;
	server.feed.push_status(broadcast.status(State::Idle, later));
	let node = viewer(10);
	let stream = node.connect(&server.address).await.unwrap();
	let session = ViewerSession::new(ViewerConfig {
		resume: Some(Resume::after(&first)),
		..viewer_config(&server.address, false)
	});
	let mut subscription = Subscription::new(stream, session, PATIENCE);
	assert_eq!(next_window(&mut subscription).await.header().number, 1);
}

#[tokio::test]
async fn viewer_hears_that_the_server_is_there_when_nothing_else_is_to_be_said() {
	let server = Server::start(false, |_| {}).await;
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	until(&mut subscription, |event| matches!(event, Event::Waiting).then_some(())).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	next_window(&mut subscription).await;
}

/// The address that is printed is given to others.
#[tokio::test]
async fn node_that_listens_everywhere_says_all_addresses_that_others_can_use() {
	for (everywhere, loopback) in [
		("/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/127.0.0.1/"),
		("/ip6/::/udp/0/quic-v1", "/ip6/::1/"),
	] {
		let (node, mut incoming) = Node::start(&KeyPair::from_seed(RELAYER_SEED), Limits::default()).unwrap();
		let addresses = node.listen_on(everywhere.parse().unwrap()).await.unwrap();
		let texts: Vec<String> = addresses.iter().map(Address::to_string).collect();
		assert!(texts
			.iter()
			.all(|a| !a.contains("/0.0.0.0/") && !a.contains("/::/") && !a.contains("/udp/0/")));
		let is_loopback: Vec<bool> = texts.iter().map(|a| a.starts_with(loopback)).collect();
		assert!(is_loopback.is_sorted(), "loopback comes last: {texts:?}");
		tokio::spawn(async move {
			let mut held = Vec::new();
			while let Some(stream) = incoming.accept().await {
				held.push(stream);
			}
		});
		for address in &addresses {
			viewer(10).connect(address).await.unwrap();
		}
	}
}

#[tokio::test]
async fn one_connection_carries_several_subscriptions() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 100_000);
	let node = viewer(10);
	let mut first = subscribe(&node, &server).await;
	let stream = node.connect(&server.address).await.unwrap();
	let other_track = ViewerConfig {
		track: 1,
		..viewer_config(&server.address, false)
	};
	let mut second = Subscription::new(stream, ViewerSession::new(other_track), PATIENCE);
	until(&mut second, |event| matches!(event, Event::Terms(_)).then_some(())).await;
	next_window(&mut first).await;
	let window = broadcast.segment(2_000, &[1; 100]).unwrap();
	server.feed.push(window.clone());
	assert_eq!(next_window(&mut first).await.id(), window.id(), "it goes on");
}

#[tokio::test]
async fn unpaid_windows_stop_at_the_credit_and_end_the_subscription() {
	let mut server = Server::start(true, |config| config.pay_timeout = Duration::from_millis(500)).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 5, 50_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let first = next_window(&mut subscription).await;
	assert_eq!(first.id().segment, 4, "live begins with the newest");
	server.push(&mut broadcast, 5, 50_000);
	assert_eq!(ended(&mut subscription).await, EndReason::Unpaid);
	assert_eq!(server.closed().await, "ended: Unpaid; 2 unpaid");
	assert_eq!(server.policy.lent.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn shop_that_is_shut_sends_nothing_more_and_ends_with_a_reason_of_its_own() {
	let mut server = Server::start(true, |config| config.stop_timeout = Duration::from_millis(100)).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 50_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	next_window(&mut subscription).await;
	server.policy.shut.store(true, Ordering::Relaxed);
	server.push(&mut broadcast, 1, 50_000);
	assert_eq!(ended(&mut subscription).await, EndReason::CannotStore);
	assert_eq!(server.closed().await, "ended: CannotStore; 1 unpaid");
	assert_eq!(server.policy.lent.load(Ordering::Relaxed), 1);
}

/// A player that ends has paid what it had.
#[tokio::test]
async fn last_payment_arrives_though_the_node_stops_right_behind_it() {
	let mut server = Server::start(true, |_| {}).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 50_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let due = until(&mut subscription, |event| match event {
		Event::PaymentDue(due) => Some(due),
		_ => None,
	})
	.await;
	let payment = purse().pay(&due, 0).unwrap();
	subscription.session().pay(&due, payment).unwrap();
	subscription.leave(PATIENCE).await;
	drop(node);
	assert_eq!(server.closed().await, "the viewer left; 0 unpaid");
}

/// Has a ticket for the recipient of these tests.
fn purse() -> Purse {
	let mut purse = Purse::new(
		PurseConfig {
			genesis: GENESIS,
			sender: AccountId([8; 32]),
			session_expiry: 10_000,
			ticket_life: 100,
			budget: 1_000_000_000,
		},
		session_key(),
	);
	purse.reserve(&AccountId([9; 32]), 0).unwrap();
	purse
}

/// The same where there is no farewell, and the server is in the middle of a window that takes long.
#[tokio::test]
async fn last_payment_arrives_though_the_node_stops_without_a_farewell() {
	let mut server = Server::start(true, |_| {}).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 50_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let due = until(&mut subscription, |event| match event {
		Event::PaymentDue(due) => Some(due),
		_ => None,
	});
	let due = due.await;
	server.push(&mut broadcast, 1, MAX_WINDOW_BYTES as usize);
	let payment = purse().pay(&due, 0).unwrap();
	subscription.session().pay(&due, payment).unwrap();
	// It goes out with this.
	let _ = timeout(Duration::from_millis(5), subscription.next()).await;
	// As a program does that just ends: nothing is said on the stream.
	drop((subscription, node));
	let closed = server.closed().await;
	assert!(
		closed.starts_with("stream lost") && closed.ends_with("; 1 unpaid"),
		"{closed}"
	);
}

#[tokio::test]
async fn window_waits_for_a_reservation_and_who_brings_none_is_told_so() {
	let mut server = Server::start(true, |config| config.credit_timeout = Duration::from_millis(500)).await;
	server.policy.asks.store(true, Ordering::Relaxed);
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 70_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let terms = until(&mut subscription, |event| match event {
		Event::Terms(terms) => terms,
		_ => None,
	});
	assert_eq!(terms.await.reserve, Some(ReserveTerms { least: 1, reward: 2 }));
	assert_eq!(ended(&mut subscription).await, EndReason::ReservationNeeded);
	assert_eq!(server.closed().await, "ended: ReservationNeeded; 0 unpaid");
	assert_eq!(server.policy.lent.load(Ordering::Relaxed), 0);

	let mut subscription = subscribe(&node, &server).await;
	until(&mut subscription, |event| {
		matches!(event, Event::Terms(_)).then_some(())
	})
	.await;
	assert!(subscription.session().reserve(reservation(3)));
	let told = until(&mut subscription, |event| match event {
		Event::Reserved(counter) => Some(counter),
		_ => None,
	});
	assert_eq!(told.await, 3);
	next_window(&mut subscription).await;
}

#[tokio::test]
async fn viewer_who_does_not_read_is_ended() {
	let mut server = Server::start(false, |config| config.write_timeout = Duration::from_millis(300)).await;
	let mut broadcast = broadcast();
	server.feed.push(window(&mut broadcast, 100_000));
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	next_window(&mut subscription).await;
	// Each is more than flow control lets a server send of one to a viewer who reads nothing.
	server.push(&mut broadcast, 8, 1 << 22);
	assert_eq!(server.closed().await, "reads too slowly; 0 unpaid");

	let other = viewer(11);
	let mut subscription = subscribe(&other, &server).await;
	assert_eq!(
		next_window(&mut subscription).await.id().segment,
		8,
		"others are still served"
	);
}

async fn answer(stream: &mut Stream) -> Vec<u8> {
	timeout(PATIENCE, stream.read_to_end(1 << 20))
		.await
		.expect("an end")
		.unwrap()
}

#[tokio::test]
async fn garbage_gets_a_typed_error_and_the_server_stays_up() {
	let mut server = Server::start(false, |_| {}).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	let node = viewer(10);
	for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4_096], &[0, 0, 0, 0, 0]] {
		let mut stream = node.connect(&server.address).await.unwrap();
		stream.write_all(Bytes::from_static(garbage)).await.unwrap();
		// Behind the challenge: length 2, kind End, reason ProtocolError.
		assert_eq!(answer(&mut stream).await[CHALLENGE..], [2, 0, 0, 0, 0x86, 9]);
		assert!(server.closed().await.starts_with("session: "));
	}
	// Hangs up inside a message.
	let mut stream = node.connect(&server.address).await.unwrap();
	stream.write_all(Bytes::from_static(&[200, 0])).await.unwrap();
	stream.close();
	assert_eq!(server.closed().await, "session: message cut short; 0 unpaid");

	let mut subscription = subscribe(&node, &server).await;
	next_window(&mut subscription).await;
}

#[tokio::test]
async fn server_that_lies_is_a_fault_and_one_that_dies_is_not() {
	let (node, mut incoming) = Node::start(&KeyPair::from_seed(RELAYER_SEED), Limits::default()).unwrap();
	let address = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
	let liar = tokio::spawn(async move {
		for answer in [&[1, 0, 0, 0, 0x42][..], &[1, 0]] {
			let (_, mut stream) = incoming.accept().await.unwrap();
			stream.write_all(Bytes::from_static(answer)).await.unwrap();
			stream.close();
			// Until the viewer has seen it.
			let _ = stream.read_to_end(1 << 20).await;
		}
	});
	let viewer = viewer(10);
	let connect = || async {
		Subscription::new(
			viewer.connect(&address).await.unwrap(),
			session(&address, false),
			PATIENCE,
		)
	};
	let error = connect().await.next().await.unwrap_err();
	assert!(
		matches!(error, Error::Fault(Fault::Wire(WireError::UnknownKind(0x42)))),
		"{error}"
	);
	let error = connect().await.next().await.unwrap_err();
	assert!(matches!(error, Error::Closed), "{error}");
	liar.await.unwrap();
}

#[tokio::test]
async fn silent_relayer_is_given_up() {
	let server = Server::start(false, |_| {}).await;
	let node = viewer(10);
	let stream = node.connect(&server.address).await.unwrap();
	let mut subscription = Subscription::new(stream, session(&server.address, false), Duration::from_millis(200));
	let error = loop {
		match subscription.next().await {
			Ok(Event::Terms(None)) => {},
			Ok(other) => panic!("{other:?}"),
			Err(error) => break error,
		}
	};
	assert!(matches!(error, Error::Inactive(_)), "{error}");
}

#[tokio::test]
async fn server_is_full_and_says_so() {
	let server = Server::start(false, |config| config.max_subscriptions = 1).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	let (node, other) = (viewer(10), viewer(11));
	let mut first = subscribe(&node, &server).await;
	next_window(&mut first).await;
	assert_eq!(ended(&mut subscribe(&other, &server).await).await, EndReason::Full);
	drop(first);
	// The place is free again as soon as the server has noticed that the viewer is gone.
	timeout(PATIENCE, async {
		while Arc::strong_count(&server.policy.seats) > 1 {
			tokio::task::yield_now().await;
		}
	})
	.await
	.unwrap();
	let mut again = subscribe(&other, &server).await;
	next_window(&mut again).await;
}

#[tokio::test]
async fn stopping_server_says_so_to_every_viewer() {
	let server = Server::start(true, |config| config.stop_timeout = Duration::from_millis(200)).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	let (one, two) = (viewer(10), viewer(11));
	let mut silent = one.connect(&server.address).await.unwrap();
	silent.write_all(Bytes::from_static(&[9])).await.unwrap();
	let (mut first, mut second) = (subscribe(&one, &server).await, subscribe(&two, &server).await);
	next_window(&mut first).await;
	next_window(&mut second).await;
	server.stop.send(()).unwrap();
	assert_eq!(ended(&mut first).await, EndReason::ShuttingDown);
	assert_eq!(ended(&mut second).await, EndReason::ShuttingDown);
	// Behind the challenge: length 2, kind End, reason ShuttingDown.
	assert_eq!(answer(&mut silent).await[CHALLENGE..], [2, 0, 0, 0, 0x86, 10]);
	drop((first, second, silent));
	timeout(PATIENCE, server.task)
		.await
		.expect("the server returns")
		.unwrap();
}

#[tokio::test]
async fn refused_subscription_is_told_why() {
	let server = Server::start(true, |_| {}).await;
	let node = viewer(10);
	let unpaid = node.connect(&server.address).await.unwrap();
	let mut unpaid = Subscription::new(unpaid, session(&server.address, false), PATIENCE);
	assert_eq!(ended(&mut unpaid).await, EndReason::PaymentRequired);
}

#[tokio::test]
async fn whoever_answers_must_hold_the_key() {
	let server = Server::start(false, |_| {}).await;
	let impostor = Address::new(
		&server.address.transport().to_string(),
		&KeyPair::from_seed([99; 32]).public(),
	)
	.unwrap();
	let error = viewer(10).connect(&impostor).await.unwrap_err();
	assert!(matches!(error, ConnectError::WrongPeer), "{error}");
}

#[tokio::test]
async fn port_in_use_is_said_plainly() {
	let server = Server::start(false, |_| {}).await;
	let error = viewer(10).listen(server.address.transport().clone()).await.unwrap_err();
	assert!(matches!(error, ListenError::PortInUse(_)), "{error:?}");
	let error = viewer(11)
		.listen("/ip4/127.0.0.1/tcp/0".parse().unwrap())
		.await
		.unwrap_err();
	assert!(matches!(error, ListenError::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_an_error_in_time() {
	// A port that was just free.
	let free = std::net::UdpSocket::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap()
		.port();
	let nobody = format!("/ip4/127.0.0.1/udp/{free}/quic-v1");
	let nobody = Address::new(&nobody, &KeyPair::from_seed([99; 32]).public()).unwrap();
	let error = timeout(PATIENCE, viewer(10).connect(&nobody))
		.await
		.expect("in time")
		.unwrap_err();
	assert!(
		matches!(error, ConnectError::Unreachable(_) | ConnectError::Timeout),
		"{error:?}"
	);
}

#[tokio::test]
async fn connections_of_strangers_are_limited_and_the_newest_of_a_peer_takes_the_place_of_its_oldest() {
	let limits = Limits {
		strangers: 2,
		connections_per_peer: 1,
	};
	let (node, mut incoming) = Node::start(&KeyPair::from_seed(RELAYER_SEED), limits).unwrap();
	let address = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
	tokio::spawn(async move {
		let mut held = Vec::new();
		while let Some(stream) = incoming.accept().await {
			held.push(stream);
		}
	});
	let (one, twin, two, three) = (viewer(10), viewer(10), viewer(11), viewer(12));
	let mut first = one.connect(&address).await.unwrap();
	let is_over = async |stream: &mut Stream| {
		let read = timeout(PATIENCE, stream.read(&mut [0])).await.expect("an end");
		assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
	};
	let mut again = twin.connect(&address).await.unwrap();
	is_over(&mut first).await;
	let _second = two.connect(&address).await.unwrap();
	// Both are of one address, as the third is: the first of them that lingers makes room.
	let third = async {
		loop {
			match three.connect(&address).await {
				Err(ConnectError::Full) => tokio::task::yield_now().await,
				other => return other.unwrap(),
			}
		}
	};
	let _third = timeout(PATIENCE, third).await.expect("room");
	is_over(&mut again).await;
}

#[test]
fn peer_that_was_killed_and_is_back_is_reached_at_once() {
	/// Far below the 10 s after which QUIC gives a silent connection up.
	const SOON: Duration = Duration::from_secs(6);
	let runtime = || tokio::runtime::Runtime::new().unwrap();
	let serve_on = |address: String| async move {
		let (node, mut incoming) = Node::start(&KeyPair::from_seed(RELAYER_SEED), Limits::default()).unwrap();
		let address = loop {
			match node.listen(address.parse().unwrap()).await {
				// The system frees it when the first runtime has really gone.
				Err(ListenError::PortInUse(_)) => tokio::task::yield_now().await,
				other => break other.unwrap(),
			}
		};
		let task = async move {
			let mut held = vec![];
			while let Some(stream) = incoming.accept().await {
				held.push((stream, node.clone()));
			}
		};
		(address, task)
	};

	let first = runtime();
	let (address, task) = first.block_on(serve_on(LOOPBACK.into()));
	first.spawn(task);
	let client = runtime();
	let node = client.block_on(async { viewer(10) });
	let mut stream = client.block_on(node.connect(&address)).unwrap();
	// As kill -9 does: nothing more is sent.
	first.shutdown_background();

	let second = runtime();
	let (again, task) = second.block_on(serve_on(address.transport().to_string()));
	second.spawn(task);
	assert_eq!(again, address);
	client.block_on(async {
		let _again = timeout(SOON, node.connect(&address)).await.expect("soon").unwrap();
		// It said so itself that it knows nothing of the old connection: nobody had to wait until it was silent for too long.
		let error = timeout(PATIENCE, stream.read(&mut [0]))
			.await
			.expect("an end")
			.unwrap_err();
		assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
	});
}
