//! Several streams of several origins through one relayer: each is paid for itself, and what becomes of one disturbs no other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;
#[path = "support/fleet.rs"]
mod fleet;

use clustercast_network::Multiaddr;
use clustercast_primitives::{Balance, StreamId};
use clustercast_protocol::{Cursor, EndReason, Lookup};
use fleet::{key, Origin, Plan, Relayer, Viewer, PATIENCE, UNIT};
use std::time::Duration;
use tokio::time::{sleep, timeout, Instant};

/// Two units of a payment.
const BYTES: usize = 131_072;
const TWO_UNITS: Balance = 2 * UNIT;
/// What a viewer may wait for a window that is there, on a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// Until the relayer has the newest of so many windows.
async fn arrived(relayer: &Relayer, stream: StreamId, windows: u64) {
	let there = async {
		while relayer
			.feed
			.latest(stream, 0)
			.is_none_or(|window| window.id().segment + 1 < windows)
		{
			sleep(Duration::from_millis(5)).await;
		}
	};
	timeout(PATIENCE, there).await.expect("the windows arrive");
}

fn live(stream: StreamId) -> Cursor {
	Cursor::Live { stream, track: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_streams_go_through_one_relayer_and_each_is_paid_for_itself() {
	let dir = tempfile::tempdir().unwrap();
	let (mut first, mut second) = (Origin::start(1, 5).await, Origin::start(2, 6).await);
	let relayer = Relayer::below(dir.path(), Plan::default(), &[&first, &second]).await;
	first.publish(BYTES);
	second.publish(BYTES / 2);
	arrived(&relayer, first.stream, 1).await;
	arrived(&relayer, second.stream, 1).await;
	let (mut one, mut other, mut zapper) = (Viewer::new(1), Viewer::new(2), Viewer::new(3));
	one.tune(&relayer.address, first.stream, first.key.public()).await;
	other.tune(&relayer.address, second.stream, second.key.public()).await;
	zapper.tune(&relayer.address, first.stream, first.key.public()).await;
	for so_far in 1..=10 {
		assert_eq!(one.watch(so_far).await, None);
		assert_eq!(other.watch(so_far).await, None);
		assert_eq!(zapper.watch(so_far).await, None);
		if so_far == 5 {
			zapper.tune(&relayer.address, second.stream, second.key.public()).await;
			assert_eq!(zapper.watch(6).await, None, "the newest of the other is there");
		}
		first.publish(BYTES);
		second.publish(BYTES / 2);
	}
	// Each stream has its own count of what is owed, under its own terms.
	let owed = |viewer, stream| relayer.owed(viewer, stream);
	let (one_owes, other_owes) = (owed(1, first.stream), owed(2, second.stream));
	assert_eq!((one_owes, other_owes), (10 * TWO_UNITS, 10 * UNIT));
	assert_eq!((owed(1, second.stream), owed(2, first.stream)), (0, 0));
	let zapped = (owed(3, first.stream), owed(3, second.stream));
	assert_eq!(zapped, (5 * TWO_UNITS, 5 * UNIT));
	// What is not served is refused, and costs nothing.
	let mut lost = Viewer::new(4);
	lost.tune(&relayer.address, StreamId(9), first.key.public()).await;
	assert_eq!(lost.watch(1).await, Some(EndReason::NotServed));
	assert_eq!(owed(4, StreamId(9)), 0);
	// Each has a place of its own to go on from.
	let positions =
		[first.stream, second.stream].map(|stream| clustercast_relayer::ingest::position(dir.path(), stream));
	assert_ne!(positions[0], positions[1]);
	assert!(positions.iter().all(|position| position.is_file()));
}

/// The origin of one is gone, of one the key was replaced, one lies: it signs with another key than the chain names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_whose_origin_dies_lies_or_is_replaced_disturbs_no_other() {
	let dir = tempfile::tempdir().unwrap();
	let mut well = Origin::start(1, 5).await;
	let mut dies = Origin::start(2, 5).await;
	let mut stolen = Origin::start(3, 5).await;
	let liar = Origin::start(4, 5).await;
	let mut thief = Origin::start_as(4, key(0x0a, 999), 5).await;
	let nobody: Multiaddr = "/ip4/127.0.0.1/udp/9/quic-v1".parse().unwrap();
	let of = |origin: &Origin, at: Vec<Multiaddr>| (origin.stream, origin.key.public(), at);
	let streams = [
		of(&well, vec![well.at.clone()]),
		of(&dies, vec![dies.at.clone()]),
		of(&stolen, vec![stolen.at.clone()]),
		of(&liar, vec![liar.at.clone()]),
		(StreamId(5), key(0x0a, 5).public(), vec![nobody]),
	];
	let relayer = Relayer::start(dir.path(), Plan::default(), &streams).await;
	for origin in [&mut well, &mut dies, &mut stolen] {
		origin.publish(BYTES);
	}
	// The key is right, what it hands out is another's.
	liar.feed.push(thief.next(BYTES));
	for stream in [1, 2, 3] {
		arrived(&relayer, StreamId(stream), 1).await;
	}
	let mut watching = Vec::new();
	for (number, origin) in [&well, &dies, &stolen].into_iter().enumerate() {
		let mut viewer = Viewer::new(number as u16);
		viewer.tune(&relayer.address, origin.stream, origin.key.public()).await;
		assert_eq!(viewer.watch(1).await, None);
		watching.push(viewer);
	}
	dies.die().await;
	relayer.keys[2].send_replace(key(0x0a, 333).public());
	let retired = async {
		while !matches!(relayer.feed.get(live(StreamId(3))), Lookup::NotYet) {
			sleep(Duration::from_millis(5)).await;
		}
	};
	timeout(PATIENCE, retired).await.expect("nobody begins with it");
	let mut slowest = Duration::ZERO;
	for windows in 2..=20 {
		let published = Instant::now();
		well.publish(BYTES);
		liar.feed.push(thief.next(BYTES));
		assert_eq!(timeout(PATIENCE, watching[0].watch(windows)).await.unwrap(), None);
		slowest = slowest.max(published.elapsed());
	}
	assert!(slowest < SOON, "{slowest:?}");
	assert_eq!(relayer.owed(0, well.stream), 20 * TWO_UNITS);
	assert!(
		relayer.feed.latest(StreamId(4), 0).is_none(),
		"nothing of it is relayed"
	);
	assert!(matches!(relayer.feed.get(live(StreamId(1))), Lookup::Found(_)));
	assert!(!relayer.feed.is_over(StreamId(1)));
}

/// The broadcast of one is over, and its broadcaster says so: whoever watches another one is not told that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcast_that_is_over_ends_for_nobody_else() {
	let dir = tempfile::tempdir().unwrap();
	let (mut ends, mut goes_on) = (Origin::start(1, 5).await, Origin::start(2, 5).await);
	let relayer = Relayer::below(dir.path(), Plan::default(), &[&ends, &goes_on]).await;
	ends.publish(BYTES);
	goes_on.publish(BYTES);
	arrived(&relayer, ends.stream, 1).await;
	arrived(&relayer, goes_on.stream, 1).await;
	let (mut one, mut other) = (Viewer::new(1), Viewer::new(2));
	one.tune(&relayer.address, ends.stream, ends.key.public()).await;
	other.tune(&relayer.address, goes_on.stream, goes_on.key.public()).await;
	assert_eq!((one.watch(1).await, other.watch(1).await), (None, None));
	ends.publish(BYTES);
	ends.feed.finish();
	let going_on = async {
		for windows in 2.. {
			goes_on.publish(BYTES);
			assert_eq!(other.watch(windows).await, None);
			sleep(Duration::from_millis(200)).await;
		}
	};
	let told = async { one.watch(usize::MAX).await };
	let told = tokio::select! {
		() = going_on => unreachable!("it goes on for ever"),
		told = timeout(PATIENCE, told) => told.expect("it is told"),
	};
	assert_eq!(
		(told, one.windows),
		(Some(EndReason::Finished), 2),
		"with its last window"
	);
	// And nobody else is served once that is over, too.
	let last = other.windows + 1;
	goes_on.publish(BYTES);
	assert_eq!(other.watch(last).await, None);
	goes_on.feed.finish();
	let told = timeout(SOON, other.watch(usize::MAX)).await.expect("at once");
	assert_eq!(told, Some(EndReason::Finished));
}

/// Somebody subscribes and reads nothing, as a broken player or an attacker does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewer_who_reads_nothing_slows_nobody_and_holds_no_more_than_its_credit() {
	let dir = tempfile::tempdir().unwrap();
	let large = 3 << 20;
	let plan = Plan {
		credit: 16 << 20,
		write_timeout: Duration::from_secs(2),
		..Plan::default()
	};
	let (mut first, mut second) = (Origin::start(1, 5).await, Origin::start(2, 6).await);
	let relayer = Relayer::below(dir.path(), plan, &[&first, &second]).await;
	first.publish(large);
	second.publish(BYTES);
	arrived(&relayer, first.stream, 1).await;
	arrived(&relayer, second.stream, 1).await;
	let mut idlers = Vec::new();
	for number in 10..14 {
		let mut idler = Viewer::new(number);
		idler.tune(&relayer.address, first.stream, first.key.public()).await;
		// As far as its first window; nothing more is read.
		while idler.windows == 0 {
			assert_eq!(idler.step().await, None);
		}
		idlers.push(idler);
	}
	let (mut one, mut other) = (Viewer::new(1), Viewer::new(2));
	one.tune(&relayer.address, first.stream, first.key.public()).await;
	other.tune(&relayer.address, second.stream, second.key.public()).await;
	assert_eq!((one.watch(1).await, other.watch(1).await), (None, None));
	let mut slowest = Duration::ZERO;
	let begun = Instant::now();
	let mut windows = 1;
	// Until those who read nothing are gone.
	let stream = first.stream;
	let watching = || *relayer.desk.streams.get(stream).unwrap().audience().borrow();
	while watching() > 1 || windows < 6 {
		windows += 1;
		let published = Instant::now();
		first.publish(large);
		second.publish(BYTES);
		assert_eq!((one.watch(windows).await, other.watch(windows).await), (None, None));
		slowest = slowest.max(published.elapsed());
		assert!(begun.elapsed() < PATIENCE, "they stay");
		assert!(relayer.feed.bytes() <= plan.cache_bytes);
		sleep(Duration::from_millis(100)).await;
	}
	println!("slowest of {windows} windows: {slowest:?}");
	assert!(slowest < SOON, "{slowest:?}");
}
