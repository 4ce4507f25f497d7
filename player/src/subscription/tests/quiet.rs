//! Pauses, and a broadcaster that is away: relayers here serve as ours do.

use super::*;
use crate::hls::{self, Hls};
use clustercast_network::{
	serve::{self, Grant, Policy},
	Feed,
};
use clustercast_primitives::{PublicKey, SignedTicket};
use clustercast_protocol::{Expectation, Subscribe};

/// What a viewer may wait for the first window behind a pause.
const SOON: Duration = Duration::from_secs(3);

/// Serves against tickets that all pass.
struct Paid(Arc<ReceiptSigner>);

impl Policy for Paid {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		let terms = Terms {
			recipient: AccountId([9; 32]),
			price_per_gb: PRICE,
			mode: PaymentMode::Tickets { face_value: 100_000 },
			credit: CREDIT as u32 * BYTES,
			interval: 0,
			counter: 0,
			reserve: None,
		};
		Ok((Grant::Paid(terms, self.0.clone()), ()))
	}

	fn lend(&self, (): &(), _: Expectation) -> Result<bool, EndReason> {
		Ok(true)
	}

	async fn ticket(&self, (): &(), _: SignedTicket) -> Result<(), EndReason> {
		Ok(())
	}
}

/// A relayer on loopback, and what it has.
struct Honest {
	relayer: TestRelayer,
	feed: Feed,
}

impl Honest {
	async fn start(seed: u8) -> Self {
		let key = KeyPair::from_seed([seed; 32]);
		let (node, incoming) = Node::start(&key, node::Limits::default()).unwrap();
		let address = node
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let feed = Feed::new(64 << 20);
		let config = serve::Config::new(GENESIS, key.public());
		let signer = ReceiptSigner::new(key, [seed; 32]);
		signer.set_block(BLOCK);
		let policy = Arc::new(Paid(Arc::new(signer)));
		tokio::spawn(serve::serve(
			incoming,
			feed.clone(),
			policy,
			config,
			std::future::pending(),
		));
		let relayer = TestRelayer {
			address,
			paid: Arc::default(),
			reserved: Arc::default(),
			_node: node,
		};
		Self { relayer, feed }
	}

	fn given(&self) -> Relayer {
		roster::given(std::slice::from_ref(&self.relayer.address)).remove(0)
	}
}

/// A broadcaster in the middle of a run.
struct Broadcaster {
	broadcast: Broadcast,
	/// Unix time by its clock, milliseconds; it is wrong by days.
	clock: u64,
}

impl Broadcaster {
	fn new() -> Self {
		Self::run(1, 0)
	}

	/// A later run, whose first window has this segment.
	fn run(epoch: BlockNumber, segment: u64) -> Self {
		let key = KeyPair::from_seed(BROADCASTER);
		let mut broadcast = Broadcast::begin(key, GENESIS, STREAM, epoch, Hash([0; 32]), segment);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		Self {
			broadcast,
			clock: unix_ms() - 500_000_000,
		}
	}

	/// Two seconds later there is a window.
	fn window(&mut self) -> EncodedWindow {
		let start = self.clock;
		self.clock += 2_000;
		let segment = self.broadcast.next().segment;
		self.broadcast
			.segment(start, &vec![segment as u8; BYTES as usize])
			.unwrap()
	}

	fn status(&mut self, state: State) -> SignedStatus {
		self.broadcast.status(state, self.clock)
	}

	/// Two words of which the later one held no more when it came: nothing was heard for long.
	fn last_words(&mut self) -> [SignedStatus; 2] {
		self.clock += 60_000;
		let before = self.status(State::Live);
		self.clock -= 30_000;
		[before, self.status(State::Live)]
	}
}

/// Waits until so many windows have arrived.
async fn written(seen: &PathBuf, windows: usize) {
	let there = async {
		while tokio::fs::read_to_string(seen)
			.await
			.map_or(0, |log| log.lines().count())
			< windows
		{
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	};
	tokio::time::timeout(PATIENCE, there).await.expect("the windows arrive");
}

#[tokio::test]
async fn viewer_stays_through_a_pause_and_has_the_first_window_behind_it_at_once() {
	for state in [State::Idle, State::Live] {
		let relayer = Honest::start(11).await;
		let mut broadcaster = Broadcaster::new();
		let mut test = Test::new().await;
		test.viewing.limits.stall = Some(Duration::from_millis(300));
		test.viewing.limits.windows = Some(2);
		relayer.feed.push_status(broadcaster.status(State::Live));
		relayer.feed.push(broadcaster.window());
		let (feed, output) = (relayer.feed.clone(), test.seen.clone());
		let goes_on = tokio::spawn(async move {
			written(&output, 1).await;
			// Eight times what a window may take.
			for _ in 0..4 {
				feed.push_status(broadcaster.status(state));
				tokio::time::sleep(Duration::from_millis(600)).await;
				broadcaster.clock += 600;
			}
			feed.push(broadcaster.window());
			let published = Instant::now();
			written(&output, 2).await;
			published.elapsed()
		});
		assert_eq!(test.watch(&[&relayer.relayer]).await, Ended::Windows);
		assert!(goes_on.await.unwrap() < SOON);
		let figures = test.figures(&relayer.relayer);
		assert!(
			figures.setbacks.is_empty() && figures.faults.is_empty(),
			"{state:?}: {figures:?}"
		);
		let summary = test.viewing.figures();
		assert_eq!((summary.pauses, summary.gaps), (1, 0), "{state:?}");
		assert!((1_500..60_000).contains(&summary.paused_ms), "{summary:?}");
	}
}

/// The broadcaster says that there are more windows than this relayer gives.
#[tokio::test]
async fn relayer_that_hides_windows_is_left_as_stalled_though_it_passes_statuses_on() {
	let (hides, good) = (Honest::start(11).await, Honest::start(12).await);
	let mut broadcaster = Broadcaster::new();
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(Duration::from_secs(1));
	test.viewing.limits.windows = Some(3);
	let first = broadcaster.window();
	hides.feed.push(first.clone());
	hides.feed.push_status(broadcaster.status(State::Live));
	good.feed.push(first);
	let (hiding, having, output) = (hides.feed.clone(), good.feed.clone(), test.seen.clone());
	tokio::spawn(async move {
		written(&output, 1).await;
		for _ in 0..2 {
			having.push(broadcaster.window());
		}
		let status = broadcaster.status(State::Idle);
		hiding.push_status(status.clone());
		having.push_status(status);
	});
	assert_eq!(test.watch(&[&hides.relayer, &good.relayer]).await, Ended::Windows);
	let figures = test.figures(&hides.relayer);
	assert!(
		figures.setbacks.keys().any(|reason| reason.starts_with("stalled")),
		"{figures:?}"
	);
	assert_eq!((figures.windows, test.figures(&good.relayer).windows), (1, 2));
	assert_eq!(test.viewing.figures().pauses, 0, "nobody paused");
}

#[tokio::test]
async fn relayer_that_lost_the_broadcaster_is_left_only_where_another_has_not() {
	let (lost, other) = (Honest::start(11).await, Honest::start(12).await);
	let mut broadcaster = Broadcaster::new();
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(Duration::from_secs(1));
	test.viewing.limits.windows = Some(2);
	let first = broadcaster.window();
	for relayer in [&lost, &other] {
		relayer.feed.push(first.clone());
	}
	for status in broadcaster.last_words() {
		lost.feed.push_status(status.clone());
		other.feed.push_status(status);
	}
	// Who begins live is not given what is old: this one goes on behind it.
	test.viewing.on_window(&first, &[("before".into(), 1)].into()).await;
	{
		let relayers = [&lost.relayer, &other.relayer];
		let mut watching = Box::pin(test.watch(&relayers));
		// Both are away, for long: nobody is left. Then one has news.
		let away = tokio::time::timeout(2 * STALL, &mut watching).await;
		assert!(away.is_err());
		broadcaster.clock += 120_000;
		other.feed.push_status(broadcaster.status(State::Live));
		other.feed.push(broadcaster.window());
		assert_eq!(watching.await, Ended::Windows);
	}
	let reasons: Vec<String> = test.figures(&lost.relayer).setbacks.into_keys().collect();
	assert!(
		reasons.len() == 1 && reasons[0].contains("lost the broadcaster"),
		"{reasons:?}"
	);
	assert!(test.figures(&other.relayer).setbacks.is_empty());
	assert_eq!(test.viewing.figures().pauses, 1);
}

/// The attack: a window from before the pause is sold as live to a newcomer.
#[tokio::test]
async fn nothing_of_before_a_pause_is_paid_as_live() {
	let sells = Honest::start(11).await;
	let mut broadcaster = Broadcaster::new();
	// It gives a window and does not tell how the broadcast stands; the viewer knows that already.
	sells.feed.push(broadcaster.window());
	let mut test = Test::new().await;
	broadcaster.clock += 600_000;
	let (status, now) = (broadcaster.status(State::Live), test.viewing.now());
	test.viewing.standing.note_status(&status, now);
	let attempt = tokio::time::timeout(PATIENCE, test.viewing.attempt(&sells.given(), Vec::new())).await;
	let attempt = attempt.unwrap().unwrap();
	assert_eq!((attempt.ending, attempt.served), (Some(Ending::Failed), false));
	assert_eq!((test.viewing.summary.windows, test.viewing.summary.tickets), (0, 0));
}

/// The fault: whoever had nothing for a minute fetched that minute as fast as relayers sent it, and took from others what they needed.
#[tokio::test]
async fn who_is_far_behind_goes_on_live_and_blames_nobody() {
	let relayer = Honest::start(11).await;
	let mut broadcaster = Broadcaster::new();
	let mut test = Test::new().await;
	let first = broadcaster.window();
	relayer.feed.push(first.clone());
	for _ in 0..30 {
		relayer.feed.push(broadcaster.window());
	}
	let newest = broadcaster.window();
	relayer.feed.push(newest.clone());
	relayer.feed.push_status(broadcaster.status(State::Live));
	test.viewing.on_window(&first, &[("before".into(), 1)].into()).await;
	let newest = newest.header().id;
	{
		let relayers = [&relayer.relayer];
		let mut watching = Box::pin(test.watch(&relayers));
		let ended = tokio::time::timeout(STALL / 2, &mut watching).await;
		assert!(ended.is_err(), "it waits for the next");
	}
	assert_eq!(test.viewing.resume.as_ref().map(|last| last.id), Some(newest));
	let figures = test.viewing.figures();
	assert_eq!(figures.gaps, 1);
	assert!(figures.windows < 20, "{}", figures.windows);
	assert!(test.figures(&relayer.relayer).setbacks.is_empty());
}

/// The fault: a relayer that had lost its upstream gave newcomers as the newest window what was a minute old, and they watched on from there.
#[tokio::test]
async fn who_gives_an_old_window_as_the_newest_is_left() {
	let (stale, fresh) = (Honest::start(11).await, Honest::start(12).await);
	let mut broadcaster = Broadcaster::new();
	let mut test = Test::new().await;
	let old = broadcaster.window();
	stale.feed.push(old.clone());
	fresh.feed.push(old.clone());
	broadcaster.clock += 25_000;
	let newest = broadcaster.window();
	fresh.feed.push(newest.clone());
	let (status, now) = (broadcaster.status(State::Live), test.viewing.now());
	test.viewing.standing.note_status(&status, now);
	fresh.feed.push_status(status);
	test.viewing.limits.windows = Some(1);
	let ended = tokio::time::timeout(PATIENCE, test.watch(&[&stale.relayer, &fresh.relayer])).await;
	assert_eq!(ended.unwrap(), Ended::Windows);
	assert_eq!(
		test.viewing.resume.as_ref().map(|last| last.id),
		Some(newest.header().id)
	);
	let reasons: Vec<String> = test.figures(&stale.relayer).setbacks.into_keys().collect();
	assert!(reasons.iter().any(|reason| reason.contains("old")), "{reasons:?}");
}

/// The fault: a relayer that had lost its upstream had an old word of the broadcaster's as well, and nothing said that its windows were old.
#[tokio::test]
async fn first_window_that_is_old_by_our_clock_is_doubted_once_where_there_is_somebody_else() {
	let (stale, fresh) = (Honest::start(11).await, Honest::start(12).await);
	let mut broadcaster = Broadcaster::new();
	broadcaster.clock = unix_ms() - 60_000;
	let mut test = Test::new().await;
	let old = broadcaster.window();
	for relayer in [&stale, &fresh] {
		relayer.feed.push(old.clone());
	}
	stale.feed.push_status(broadcaster.status(State::Live));
	broadcaster.clock = unix_ms() - 2_000;
	let newest = broadcaster.window();
	fresh.feed.push(newest.clone());
	fresh.feed.push_status(broadcaster.status(State::Live));
	(test.viewing.limits.windows, test.viewing.doubted) = (Some(1), false);
	let ended = tokio::time::timeout(PATIENCE, test.watch(&[&stale.relayer, &fresh.relayer])).await;
	assert_eq!(ended.unwrap(), Ended::Windows);
	let watched = |test: &Test| test.viewing.resume.as_ref().map(|last| last.id);
	assert_eq!(watched(&test), Some(newest.header().id));
	// Both may be right, and our clock wrong; and one may be all there is.
	let agree = [Honest::start(13).await, Honest::start(14).await];
	for relayer in &agree {
		relayer.feed.push(old.clone());
	}
	for relayers in [&agree[..], &agree[..1]] {
		let mut test = Test::new().await;
		(test.viewing.limits.windows, test.viewing.doubted) = (Some(1), false);
		let relayers: Vec<_> = relayers.iter().map(|relayer| &relayer.relayer).collect();
		let ended = tokio::time::timeout(PATIENCE, test.watch(&relayers)).await;
		assert_eq!(ended.unwrap(), Ended::Windows);
		assert_eq!(watched(&test), Some(old.header().id));
	}
}

/// What `/state.json` says.
async fn told(hls: std::net::SocketAddr) -> String {
	use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
	let mut stream = tokio::net::TcpStream::connect(hls).await.unwrap();
	let request = b"GET /state.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	stream.write_all(request).await.unwrap();
	let mut answer = String::new();
	stream.read_to_string(&mut answer).await.unwrap();
	let (_, body) = answer.split_once("\r\n\r\n").unwrap();
	let told: serde_json::Value = serde_json::from_str(body).unwrap();
	told["state"].as_str().unwrap().into()
}

/// Waits until that is this word.
async fn says(hls: std::net::SocketAddr, word: &str) {
	let said = async {
		while told(hls).await != word {
			tokio::time::sleep(Duration::from_millis(50)).await;
		}
	};
	let said = tokio::time::timeout(PATIENCE, said).await;
	assert!(said.is_ok(), "{word} is never said, but {}", told(hls).await);
}

/// With an address to serve at; which one.
async fn serving() -> (Test, std::net::SocketAddr) {
	let mut test = Test::new().await;
	let hls = Hls::bind(hls::Options::at("127.0.0.1:0".parse().unwrap()))
		.await
		.unwrap();
	let address = hls
		.url()
		.trim_start_matches("http://")
		.trim_end_matches("/index.m3u8")
		.parse()
		.unwrap();
	test.viewing.sinks = Sinks::open(None, Some(&test.seen), Some(hls)).await.unwrap();
	(test, address)
}

/// Whoever has the page open is there when the next broadcast begins.
#[tokio::test]
async fn end_is_a_pause_for_those_who_are_served_and_the_next_broadcast_follows() {
	let relayer = Honest::start(11).await;
	let mut first = Broadcaster::new();
	let (mut test, hls) = serving().await;
	test.viewing.limits.windows = Some(2);
	relayer.feed.push_status(first.status(State::Live));
	relayer.feed.push(first.window());
	let (feed, seen) = (relayer.feed.clone(), test.seen.clone());
	let next = tokio::spawn(async move {
		written(&seen, 1).await;
		feed.push_status(first.status(State::Ended));
		feed.finish();
		says(hls, "over").await;
		let mut second = Broadcaster::run(2, first.broadcast.next().segment);
		second.clock = first.clock + 10_000;
		feed.push_status(second.status(State::Live));
		feed.push(second.window());
		written(&seen, 2).await;
	});
	assert_eq!(test.watch(&[&relayer.relayer]).await, Ended::Windows);
	next.await.unwrap();
	let summary = test.viewing.figures();
	assert_eq!((summary.windows, summary.gaps), (2, 0));
	assert_eq!(summary.broadcast, crate::outlook::Broadcast::Live);
	let figures = test.figures(&relayer.relayer);
	assert!(figures.faults.is_empty() && figures.setbacks.is_empty(), "{figures:?}");
}

/// `watch` is started between two broadcasts.
#[tokio::test]
async fn end_of_a_broadcast_that_was_not_watched_ends_nothing() {
	let relayer = Honest::start(11).await;
	let mut before = Broadcaster::new();
	before.window();
	relayer.feed.push_status(before.status(State::Ended));
	relayer.feed.finish();
	let mut test = Test::new().await;
	test.viewing.limits.windows = Some(1);
	let relayers = [&relayer.relayer];
	let mut watching = Box::pin(test.watch(&relayers));
	let asked = tokio::time::timeout(STALL, &mut watching).await;
	assert!(asked.is_err(), "it ended: {asked:?}");
	let mut next = Broadcaster::run(2, 1);
	next.clock = before.clock + 10_000;
	relayer.feed.push_status(next.status(State::Live));
	relayer.feed.push(next.window());
	assert_eq!(watching.await, Ended::Windows);
}
