//! Large windows are passed on as they come, whoever brings them, and small ones once they are whole.

use super::*;
use clustercast_protocol::EncodedWindow;

/// Of 25 chunks; takes longer than 300 ms of 5 Mb/s.
const LARGE: usize = 400_000;

fn window(broadcast: &mut Broadcast, bytes: usize) -> EncodedWindow {
	let segment = broadcast.next().segment;
	let data: Vec<u8> = (0..bytes).map(|at| (at / 1_000) as u8 ^ segment as u8).collect();
	broadcast.segment(2_000 * segment, &data).unwrap()
}

/// Adds these chunks of a window, the rest of which is coming.
fn extend(feed: &Feed, window: &EncodedWindow, first: u32, count: u32) {
	let run = window.verify(first, &window.chunks(first, count).unwrap()).unwrap();
	assert!(feed.extend(window.announced(), run));
}

/// Until so much of this window is here, but for what makes no run of 64 KiB.
async fn reached(feed: &Feed, window: &EncodedWindow, chunks: u32) {
	let mut news = feed.news(STREAM);
	let here = || feed.reached(window).unwrap_or_default();
	let arrived = async {
		while here() + 3 < chunks {
			news.changed().await.unwrap();
		}
	};
	tokio::time::timeout(PATIENCE, arrived).await.expect("it is passed on");
	let here = feed.rest(&window.hash(), 0).unwrap().concat();
	assert!(here.len() <= (chunks as usize) << 14);
	assert_eq!(here, window.data()[..here.len()]);
}

async fn whole(feed: &Feed, window: &EncodedWindow) {
	let mut news = feed.news(STREAM);
	let arrived = async {
		while feed.find(STREAM, &window.hash()).is_none() {
			news.changed().await.unwrap();
		}
	};
	tokio::time::timeout(PATIENCE, arrived).await.expect("it comes");
}

#[tokio::test]
async fn large_window_is_passed_on_over_two_hops_before_it_is_whole() {
	let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
	let source = Feed::new(1 << 20);
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &dirs[0].path().join("position"));
	let first = tokio::spawn(ingest);
	// The second one takes the first for the origin: it has its key.
	let (relayer, _relayer, _) = serve_feed(1, LOOPBACK, feed.clone()).await;
	let (below, ingest) = start_ingest(&relayer, &dirs[1].path().join("position"));
	let second = tokio::spawn(ingest);
	let mut broadcast = broadcast();
	let before = window(&mut broadcast, 1_000);
	source.push(before.clone());
	whole(&below, &before).await;
	let large = window(&mut broadcast, LARGE);
	for (first, count) in [(0, 4), (4, 9)] {
		extend(&source, &large, first, count);
		reached(&feed, &large, first + count).await;
		reached(&below, &large, first + count).await;
	}
	source.push(large.clone());
	whole(&below, &large).await;
	assert_eq!(below.latest(STREAM, TRACK).unwrap().data(), large.data());
	first.abort();
	second.abort();
}

#[tokio::test]
async fn window_that_takes_little_of_the_uplink_is_passed_on_whole() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let (origin, _origin, _) = serve_feed(1, LOOPBACK, source.clone()).await;
	let key = watch::Sender::new(broadcaster().public());
	let ingest = ingest(&[&origin], &key, &dir.path().join("position"));
	let feed = ingest.feed.clone();
	// 100 Mb/s.
	ingest.node.uplink(12_500_000);
	let ingesting = tokio::spawn(ingest.run());
	let mut broadcast = broadcast();
	let before = window(&mut broadcast, 1_000);
	source.push(before.clone());
	whole(&feed, &before).await;
	let large = window(&mut broadcast, LARGE);
	extend(&source, &large, 0, 20);
	let early = tokio::time::timeout(Duration::from_millis(300), reached(&feed, &large, 20)).await;
	assert!(early.is_err() && feed.reached(&large) == Some(0));
	source.push(large.clone());
	whole(&feed, &large).await;
	ingesting.abort();
}

/// It fills the same window: who watches notices nothing.
#[tokio::test]
async fn window_whose_upstream_dies_is_filled_by_the_next_one() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let (origin, node, serving) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &dir.path().join("position"));
	let ingesting = tokio::spawn(ingest);
	let (relayer, _relayer, _) = serve_feed(7, LOOPBACK, feed.clone()).await;
	let (mut viewer, _viewer) = watch(&relayer).await;
	let mut broadcast = broadcast();
	let before = window(&mut broadcast, 1_000);
	source.push(before.clone());
	assert_eq!(next_window(&mut viewer).await.0, 0);
	let large = window(&mut broadcast, LARGE);
	extend(&source, &large, 0, 5);
	reached(&feed, &large, 5).await;
	serving.abort();
	drop(node);
	let source = Feed::new(1 << 20);
	let (_, _origin, _) = serve_feed(1, &origin.transport().to_string(), source.clone()).await;
	source.push(before);
	// It has less of it, then more.
	extend(&source, &large, 0, 4);
	extend(&source, &large, 4, 8);
	reached(&feed, &large, 12).await;
	source.push(large.clone());
	loop {
		match tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap().unwrap() {
			Event::Window(window) => break assert_eq!(window.data(), large.data()),
			Event::Skipped(_) | Event::Ended(_) => panic!("it was cut"),
			_ => {},
		}
	}
	ingesting.abort();
}

/// Upstream has no more of it and goes on elsewhere: what is here of it goes, and its viewers are told.
#[tokio::test]
async fn window_whose_rest_nobody_has_is_given_up() {
	let dir = tempfile::tempdir().unwrap();
	let source = Feed::new(1 << 20);
	let (origin, node, serving) = serve_feed(1, LOOPBACK, source.clone()).await;
	let (feed, ingest) = start_ingest(&origin, &dir.path().join("position"));
	let ingesting = tokio::spawn(ingest);
	let mut broadcast = broadcast();
	let before = window(&mut broadcast, 1_000);
	source.push(before.clone());
	whole(&feed, &before).await;
	let large = window(&mut broadcast, LARGE);
	extend(&source, &large, 0, 5);
	reached(&feed, &large, 5).await;
	serving.abort();
	drop(node);
	// It has lost what it had.
	let source = Feed::new(1 << 20);
	let (_, _origin, _) = serve_feed(1, &origin.transport().to_string(), source.clone()).await;
	let next = window(&mut broadcast, 1_000);
	source.push(next.clone());
	whole(&feed, &next).await;
	assert!(feed.rest(&large.hash(), 0).is_none());
	ingesting.abort();
}
