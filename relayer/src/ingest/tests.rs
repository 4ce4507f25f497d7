//! Ingest over real connections: pauses, restarts, keys that are replaced, parts of what a stream key allows.

mod runs;

use super::{memory::store, *};
use crate::{
	payment::{Payment, Rule},
	streams::Offer,
	surge::Load,
};
use bytes::Bytes;
use clustercast_chain::Head;
use clustercast_network::{
	node::{Limits, ListenError},
	serve::{serve, Config, Grant, Policy},
};
use clustercast_primitives::{catalog::Track, crypto::KeyPair, History, WindowId};
use clustercast_protocol::{viewer::Resume, Broadcast, Cursor, EndReason, Lookup, Subscribe};
use std::{
	fs,
	future::Future,
	sync::atomic::{AtomicU32, Ordering},
	time::SystemTime,
};
use tokio::time::Instant;

const STREAM: StreamId = StreamId(3);
const GENESIS: Hash = Hash([7; 32]);

fn broadcaster() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

/// Serves anyone for nothing.
struct Free;

impl Policy for Free {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		Ok((Grant::Free, ()))
	}
}

/// A run of the broadcast that has not begun.
fn broadcast() -> Broadcast {
	let mut broadcast = Broadcast::begin(broadcaster(), GENESIS, STREAM, 1, Hash([0; 32]), 0);
	broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	broadcast
}

/// Adds `count` windows to what is in the feed.
/// Hashes of what it brings.
fn go_on(broadcast: &mut Broadcast, feed: &Feed, count: u64) -> Vec<Hash> {
	let window = |_| {
		let segment = broadcast.next().segment;
		let window = broadcast.segment(2_000 * segment, &[segment as u8; 1_000]).unwrap();
		feed.push(window.clone());
		window.hash()
	};
	(0..count).map(window).collect()
}

fn served(id: StreamId) -> Arc<Served> {
	let offer = Offer {
		baseline: 1,
		highest: 1,
		places: 1,
		rule: Rule::new(Payment::Tickets, 1, 1, Duration::ZERO),
	};
	Arc::new(Served::new(id, offer, 0, Arc::new(Load::new(1, None))))
}

/// As a relayer does that was just started.
fn start_ingest(upstream: &Address, position: &Path) -> (Feed, impl Future<Output = ()>) {
	let key = watch::Sender::new(broadcaster().public());
	start_ingest_of(&[upstream], &key, position)
}

/// The same at these addresses, and while the chain says this.
fn start_ingest_of(
	upstreams: &[&Address],
	key: &watch::Sender<PublicKey>,
	position: &Path,
) -> (Feed, impl Future<Output = ()>) {
	let ingest = ingest(upstreams, key, position);
	(ingest.feed.clone(), ingest.run())
}

fn ingest(upstreams: &[&Address], key: &watch::Sender<PublicKey>, position: &Path) -> Ingest {
	let (node, _incoming) = Node::start(&KeyPair::from_seed([9; 32]), Limits::default()).unwrap();
	Ingest {
		node,
		upstreams: upstreams
			.iter()
			.map(|upstream| Upstream {
				place: upstream.transport().clone(),
				peer: None,
			})
			.collect(),
		buyer: None,
		need: watch::channel(Need::Fetch).1,
		signing_key: key.subscribe(),
		info: watch::channel(None).1,
		tip: Tip::fixed(Head {
			best: 1_000,
			finalised: 1_000,
		}),
		genesis: GENESIS,
		stream: served(STREAM),
		feed: Feed::new(1 << 20),
		position: position.into(),
		standbys: 1,
	}
}

/// Ingests from `upstream` as a relayer does that was just started, until it has the window `last`.
async fn ingest_until(upstream: &Address, position: &Path, last: u64) -> Feed {
	let (feed, ingest) = start_ingest(upstream, position);
	let mut news = feed.news(STREAM);
	let arrived = async {
		while feed.latest(STREAM, TRACK).is_none_or(|w| w.id().segment < last) {
			news.changed().await.unwrap();
		}
	};
	tokio::select! {
		() = ingest => unreachable!("it runs for ever"),
		arrived = tokio::time::timeout(PATIENCE, arrived) => arrived.expect("the windows arrive"),
	}
	feed
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a viewer may wait for the first window behind a pause.
const SOON: Duration = Duration::from_secs(3);

/// Serves a feed for nothing, under this key.
async fn serve_feed(seed: u8, on: &str, feed: Feed) -> (Address, Node, tokio::task::JoinHandle<()>) {
	serve_feed_by(seed, on, feed, Arc::new(Free)).await
}

async fn serve_feed_by(
	seed: u8,
	on: &str,
	feed: Feed,
	policy: Arc<impl Policy>,
) -> (Address, Node, tokio::task::JoinHandle<()>) {
	let key = KeyPair::from_seed([seed; 32]);
	let (node, incoming) = Node::start(&key, Limits::default()).unwrap();
	let address = loop {
		match node.listen(on.parse().unwrap()).await {
			// The one before is on its way out.
			Err(ListenError::PortInUse(_)) => tokio::task::yield_now().await,
			other => break other.unwrap(),
		}
	};
	let config = Config::new(GENESIS, key.public());
	let serving = serve(incoming, feed, policy, config, std::future::pending());
	(address, node, tokio::spawn(serving))
}

const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A viewer who pays nothing and begins live.
async fn watch(relayer: &Address) -> (Subscription, Node) {
	let (node, _) = Node::start(&KeyPair::from_seed(rand_seed()), Limits::default()).unwrap();
	let session = ViewerSession::new(ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		track: TRACK,
		keys: broadcaster().public().into(),
		relayer_key: relayer.peer(),
		relayer_account: None,
		binding: Binding::PeerKey(relayer.peer().0),
		payment: None,
		head: 1_000,
		latest_start_ms: u64::MAX,
		follow: Follow::Windows,
		resume: None,
	});
	let stream = node.connect(relayer).await.unwrap();
	(Subscription::new(stream, session, PATIENCE), node)
}

fn rand_seed() -> [u8; 32] {
	let (high, low) = (unix_ms().to_le_bytes(), std::process::id().to_le_bytes());
	std::array::from_fn(|i| high.get(i).or(low.get(i.wrapping_sub(8))).copied().unwrap_or(7))
}

/// The number of the next window, and the states that were told before it.
async fn next_window(viewer: &mut Subscription) -> (u64, Vec<State>) {
	let mut told = Vec::new();
	loop {
		match tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap().unwrap() {
			Event::Window(window) => return (window.id().segment, told),
			Event::Status(status) => told.push(status.status.message.state),
			_ => {},
		}
	}
}

async fn next_state(viewer: &mut Subscription) -> State {
	loop {
		match tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap().unwrap() {
			Event::Window(window) => panic!("window {} in a pause", window.id()),
			Event::Status(status) => return status.status.message.state,
			_ => {},
		}
	}
}

#[tokio::test]
async fn pause_passes_through_two_hops_and_the_first_window_behind_it_at_once() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &dir.path().join("position"));
	let ingesting = tokio::spawn(ingest);
	let (relayer, _relayer, _) = serve_feed(7, LOOPBACK, feed).await;
	let (mut early, _early) = watch(&relayer).await;
	let mut broadcast = broadcast();
	source.push_status(broadcast.status(State::Live, 0));
	go_on(&mut broadcast, &source, 1);
	assert_eq!(next_window(&mut early).await.0, 0);
	// Days, by the broadcaster's clock.
	source.push_status(broadcast.status(State::Idle, 500_000_000));
	while next_state(&mut early).await != State::Idle {}
	let (mut late, _late) = watch(&relayer).await;
	assert_eq!(next_state(&mut late).await, State::Idle);
	let published = Instant::now();
	go_on(&mut broadcast, &source, 1);
	assert_eq!(next_window(&mut early).await.0, 1);
	assert_eq!(next_window(&mut late).await.0, 1, "nothing of before the pause");
	assert!(published.elapsed() < SOON);
	ingesting.abort();
}

/// Restarted in a pause it fetches the last windows for those who come back. Nobody else is given them.
#[tokio::test]
async fn relayer_that_restarts_in_a_pause_gives_newcomers_nothing_old() {
	let dir = tempfile::tempdir().unwrap();
	let position = dir.path().join("position");
	let source = Feed::new(1 << 20);
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let mut broadcast = broadcast();
	go_on(&mut broadcast, &source, 1);
	ingest_until(&origin, &position, 0).await;
	go_on(&mut broadcast, &source, 19);
	source.push_status(broadcast.status(State::Live, 40_000));
	ingest_until(&origin, &position, 19).await;
	source.push_status(broadcast.status(State::Live, 160_000));
	let feed = ingest_until(&origin, &position, 19).await;
	let live = Cursor::Live {
		stream: STREAM,
		track: TRACK,
	};
	assert!(feed.latest(STREAM, TRACK).is_some());
	assert!(matches!(feed.get(live), Lookup::NotYet));
}

/// Its place is one that upstream no longer knows: nobody's failing, and nothing to wait for.
#[tokio::test]
async fn relayer_with_an_old_place_waits_through_a_pause_like_everybody() {
	let dir = tempfile::tempdir().unwrap();
	let position = dir.path().join("position");
	let source = Feed::new(1 << 20);
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let mut broadcast = broadcast();
	go_on(&mut broadcast, &source, 1);
	ingest_until(&origin, &position, 0).await;
	// All but the last two are gone.
	let source = Feed::new(2_500);
	go_on(&mut broadcast, &source, 19);
	source.push_status(broadcast.status(State::Idle, 160_000));
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &position);
	let ingesting = tokio::spawn(ingest);
	let mut news = feed.news(STREAM);
	let told = news.wait_for(|news| news.statuses > 0);
	tokio::time::timeout(PATIENCE, told).await.expect("it is told").unwrap();
	assert!(feed.latest(STREAM, TRACK).is_none(), "nothing of before the pause");
	go_on(&mut broadcast, &source, 1);
	let came = news.wait_for(|news| news.windows > 0);
	tokio::time::timeout(SOON, came).await.expect("at once").unwrap();
	assert_eq!(feed.latest(STREAM, TRACK).unwrap().id().segment, 20);
	ingesting.abort();
}

#[tokio::test]
async fn origin_that_comes_back_is_noticed_at_once() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let (origin, node, serving) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &dir.path().join("position"));
	let ingesting = tokio::spawn(ingest);
	let (relayer, _relayer, _) = serve_feed(7, LOOPBACK, feed).await;
	let (mut viewer, _viewer) = watch(&relayer).await;
	let mut broadcast = broadcast();
	source.push_status(broadcast.status(State::Live, 0));
	go_on(&mut broadcast, &source, 1);
	assert_eq!(next_window(&mut viewer).await.0, 0);
	serving.abort();
	drop(node);
	// The relayer is there, and says so.
	loop {
		match tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap().unwrap() {
			Event::Waiting => break,
			Event::Ended(reason) => panic!("{reason:?}"),
			_ => {},
		}
	}
	let source = Feed::new(1 << 20);
	let (_, _origin, _) = serve_feed(1, &origin.transport().to_string(), source.clone()).await;
	// Its first window takes so long to make.
	tokio::time::sleep(Duration::from_secs(2)).await;
	let published = Instant::now();
	go_on(&mut broadcast, &source, 1);
	source.push_status(broadcast.status(State::Live, 2_000));
	assert_eq!(next_window(&mut viewer).await.0, 1);
	assert!(published.elapsed() < SOON, "{:?}", published.elapsed());
	ingesting.abort();
}

/// The same for nothing, and lets whom it serves serve so many.
struct Sharing(AtomicU32);

impl Policy for Sharing {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		Ok((Grant::Free, ()))
	}

	fn seats(&self, (): &()) -> Option<u32> {
		Some(self.0.load(Ordering::Relaxed))
	}
}

/// The fault: each relayer served as many as the stream key allows in all.
#[tokio::test]
async fn relayer_serves_so_many_of_a_limited_stream_as_upstream_lets_it() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let shares = Arc::new(Sharing(AtomicU32::new(1)));
	let (origin, node, serving) = serve_feed_by(1, LOOPBACK, source.clone(), shares.clone()).await;
	let key = watch::Sender::new(broadcaster().public());
	let relayer = ingest(&[&origin], &key, &dir.path().join("position"));
	let stream = relayer.stream.clone();
	stream.allow(1);
	assert_eq!(stream.places(), 0, "before it has heard of its part");
	let ingesting = tokio::spawn(relayer.run());
	let heard = async |may: bool| {
		while (stream.places() > 0) != may {
			tokio::task::yield_now().await;
		}
	};
	timeout(PATIENCE, heard(true))
		.await
		.expect("it is told before there is a window");
	// One more relayer came: said with whatever is said next.
	shares.0.store(0, Ordering::Relaxed);
	go_on(&mut broadcast(), &source, 1);
	timeout(PATIENCE, heard(false)).await.expect("it is told of fewer");
	shares.0.store(1, Ordering::Relaxed);
	timeout(PATIENCE, heard(true))
		.await
		.expect("and of more, though nothing else is said");

	serving.abort();
	drop(node);
	timeout(PATIENCE, heard(false)).await.expect("others have its part now");
	ingesting.abort();
}

/// The attack: whoever stole the key goes on with it, and its relayers are paid for that.
#[tokio::test]
async fn replaced_key_is_relayed_no_more_and_who_has_the_new_one_is_found() {
	let dir = tempfile::tempdir().unwrap();
	let (stolen, source) = (Feed::new(1 << 20), Feed::new(1 << 20));
	let (old, _old, _) = serve_feed(1, LOOPBACK, stolen.clone()).await;
	let (new, _new, _) = serve_feed(2, LOOPBACK, source.clone()).await;
	let key = watch::Sender::new(broadcaster().public());
	let (feed, ingest) = start_ingest_of(&[&old, &new], &key, &dir.path().join("position"));
	let ingesting = tokio::spawn(ingest);
	let mut news = feed.news(STREAM);
	let mut before = broadcast();
	let live = Cursor::Live {
		stream: STREAM,
		track: TRACK,
	};
	let mut first = None;
	stolen.push_status(before.status(State::Live, 0));
	for count in 1..=2 {
		go_on(&mut before, &stolen, 1);
		let came = news.wait_for(|news| news.windows == count && news.statuses == 1);
		tokio::time::timeout(PATIENCE, came)
			.await
			.expect("they arrive")
			.unwrap();
		if let Lookup::Found(window) = feed.get(live) {
			first.get_or_insert(window);
		}
	}
	let first = first.expect("it came");

	let successor = KeyPair::from_seed([2; 32]);
	key.send_replace(successor.public());
	let mut after = Broadcast::begin(successor, GENESIS, STREAM, 2, Hash([0; 32]), 9);
	after.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	let retired = async {
		while !matches!(feed.get(live), Lookup::NotYet) || feed.status(STREAM).is_some() {
			tokio::task::yield_now().await;
		}
	};
	tokio::time::timeout(PATIENCE, retired)
		.await
		.expect("nobody begins with it");
	go_on(&mut before, &stolen, 1);
	go_on(&mut after, &source, 1);
	let came = news.wait_for(|news| news.windows == 3);
	tokio::time::timeout(PATIENCE, came)
		.await
		.expect("it is found")
		.unwrap();
	assert_eq!(
		feed.latest(STREAM, TRACK).unwrap().id().epoch,
		2,
		"and nothing more of the old one"
	);
	assert!(matches!(feed.get(live), Lookup::Found(window) if window.id().epoch == 2));
	let behind = Cursor::After {
		id: first.id(),
		header: first.hash(),
	};
	assert!(
		matches!(feed.get(behind), Lookup::Found(window) if window.id().epoch == 1),
		"what it signed before is good"
	);
	// And back, as where a rental is over.
	key.send_replace(broadcaster().public());
	let mut again = Broadcast::begin(broadcaster(), GENESIS, STREAM, 3, Hash([0; 32]), 20);
	again.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	go_on(&mut again, &stolen, 1);
	let came = news.wait_for(|news| news.windows == 4);
	tokio::time::timeout(PATIENCE, came)
		.await
		.expect("it is found again")
		.unwrap();
	assert_eq!(feed.latest(STREAM, TRACK).unwrap().id().epoch, 3);
	ingesting.abort();
}

#[tokio::test]
async fn restarted_relayer_has_what_its_viewers_lack() {
	let dir = tempfile::tempdir().unwrap();
	let position = dir.path().join("position");
	let origin_key = broadcaster();
	let (origin, incoming) = Node::start(&origin_key, Limits::default()).unwrap();
	let address = origin
		.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
		.await
		.unwrap();
	let source = Feed::new(1 << 20);
	let serving = serve(
		incoming,
		source.clone(),
		Arc::new(Free),
		Config::new(GENESIS, origin_key.public()),
		std::future::pending(),
	);
	tokio::spawn(serving);

	let mut broadcast = broadcast();
	let mut headers = go_on(&mut broadcast, &source, 1);
	ingest_until(&address, &position, 0).await;
	headers.extend(go_on(&mut broadcast, &source, 19));
	ingest_until(&address, &position, 19).await;
	// Missed while it was down.
	headers.extend(go_on(&mut broadcast, &source, 2));
	source.push_status(broadcast.status(State::Live, 44_000));
	let feed = ingest_until(&address, &position, 21).await;
	let status = feed.status(STREAM).expect("passed on with the windows");
	assert_eq!(status.tracks[0].count, 22);
	let after = |segment: u64| {
		let id = WindowId {
			stream: STREAM,
			track: TRACK,
			epoch: 1,
			segment,
			part: 0,
		};
		let header = headers[segment as usize];
		feed.get(Cursor::After { id, header })
	};
	// It remembered 12 to 19 and went on behind the first of them.
	assert!(matches!(after(13), Lookup::Found(w) if w.id().segment == 14));
	assert!(matches!(after(20), Lookup::Found(w) if w.id().segment == 21));
	assert!(matches!(after(12), Lookup::Gone), "only so far back");
}

#[test]
fn position_is_read_back_for_its_stream_only() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("position");
	assert_eq!(load(&path, StreamId(3)), None);
	let id = WindowId {
		stream: StreamId(3),
		track: TRACK,
		epoch: 1,
		segment: 8,
		part: 1,
	};
	let last = Resume {
		id,
		header: Hash([5; 32]),
		history: History::default(),
		last_part: true,
	};
	store(
		&path,
		&Resume {
			last_part: false,
			..last.clone()
		},
	)
	.unwrap();
	store(&path, &last).unwrap();
	assert_eq!(load(&path, StreamId(3)), Some(last));
	// Nobody waits for what follows it any more.
	let written = SystemTime::now() - Duration::from_secs(10);
	let file = fs::File::options().write(true).open(&path).unwrap();
	file.set_modified(written).unwrap();
	assert_eq!(load(&path, StreamId(3)), None);
	assert_eq!(load(&path, StreamId(4)), None);
	fs::write(&path, b"damaged").unwrap();
	assert_eq!(load(&path, StreamId(3)), None);
}
