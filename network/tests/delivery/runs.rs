//! Windows that are served as they come, in runs: over real streams, to who watches and to who stands by.

use super::*;
use clustercast_protocol::{Fetch, Range, Share};

/// Of 25 chunks.
const LARGE: usize = 400_000;

const CHUNK: usize = 16 << 10;

/// Adds these chunks of a window, the rest of which is coming.
fn extend(server: &Server, window: &EncodedWindow, first: u32, count: u32) {
	let run = window.verify(first, &window.chunks(first, count).unwrap()).unwrap();
	assert!(server.feed.extend(window.announced(), run));
}

/// A viewer that has the first window, and the next one, of which nothing is here.
async fn watching(server: &Server, node: &Node) -> (Subscription, EncodedWindow, Broadcast) {
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 1_000);
	let mut subscription = subscribe(node, server).await;
	next_window(&mut subscription).await;
	let window = window(&mut broadcast, LARGE);
	(subscription, window, broadcast)
}

/// Until so many chunks of this window are here.
async fn came(subscription: &mut Subscription, window: &EncodedWindow, chunks: usize) {
	let bytes = |subscription: &Subscription| {
		let here = subscription.viewer().verified(&window.hash(), 0);
		here.map_or(0, |here| here.bytes().len())
	};
	while bytes(subscription) < window.data().len().min(chunks * CHUNK) {
		until(subscription, |event| match event {
			Event::Progress(_) => Some(()),
			Event::Window(_) | Event::Skipped(_) => panic!("{event:?}"),
			_ => None,
		})
		.await;
	}
	assert_eq!(bytes(subscription), chunks * CHUNK, "and no more");
}

/// Until the window ends early; how many chunks of it came.
async fn cut(subscription: &mut Subscription) -> u32 {
	until(subscription, |event| match event {
		Event::Chunks(chunks) => Some(chunks.range().count),
		Event::Window(_) => panic!("{event:?}"),
		_ => None,
	})
	.await
}

/// Pays what is due next; for how many bytes.
async fn pay(subscription: &mut Subscription) -> u64 {
	let due = until(subscription, |event| match event {
		Event::PaymentDue(due) => Some(due),
		_ => None,
	})
	.await;
	let Share::Ticket { bytes, .. } = due.share else {
		panic!("{due:?}");
	};
	let payment = purse().pay(&due, 0).unwrap();
	subscription.session().pay(&due, payment).unwrap();
	until(subscription, |event| matches!(event, Event::Paid(_)).then_some(())).await;
	bytes
}

#[tokio::test]
async fn window_goes_out_as_it_comes_and_is_whole_with_its_last_run() {
	let (server, node) = (Server::start(false, |_| {}).await, viewer(10));
	let (mut subscription, window, mut broadcast) = watching(&server, &node).await;
	extend(&server, &window, 0, 4);
	came(&mut subscription, &window, 4).await;
	extend(&server, &window, 4, 6);
	extend(&server, &window, 10, 5);
	came(&mut subscription, &window, 15).await;
	assert!(server.feed.push(window.clone()));
	assert_eq!(next_window(&mut subscription).await.data(), window.data());
	server.push(&mut broadcast, 1, 1_000);
	assert_eq!(next_window(&mut subscription).await.header().number, 2);
}

/// What is announced to who stands by is there to be fetched, all of it.
#[tokio::test]
async fn who_stands_by_hears_of_a_window_once_it_is_whole() {
	let (server, node) = (Server::start(false, |_| {}).await, viewer(10));
	let (mut watching, window, _) = watching(&server, &node).await;
	let other = viewer(12);
	let config = ViewerConfig {
		follow: Follow::Announcements,
		..viewer_config(&server.address, false)
	};
	let stream = other.connect(&server.address).await.unwrap();
	let mut standby = Subscription::new(stream, ViewerSession::new(config), PATIENCE);
	let announced = |event| match event {
		Event::Announced(of) => Some(of.header().number),
		_ => None,
	};
	assert_eq!(until(&mut standby, announced).await, 0);
	extend(&server, &window, 0, 8);
	came(&mut watching, &window, 8).await;
	let early = timeout(Duration::from_millis(200), until(&mut standby, announced)).await;
	assert!(early.is_err(), "{early:?}");
	assert!(server.feed.push(window.clone()));
	assert_eq!(until(&mut standby, announced).await, 1);
	assert_eq!(fetched(&mut standby, &window, 20).await.first, 20);
}

/// Asks for two chunks of a window that is here.
async fn fetched(subscription: &mut Subscription, window: &EncodedWindow, first: u32) -> Range {
	let range = Range {
		first,
		count: 2,
		..window.range()
	};
	let within_ms = 60_000;
	assert!(subscription.session().fetch(Fetch { range, within_ms }));
	until(subscription, |event| match event {
		Event::Chunks(chunks) => Some(chunks.range()),
		Event::Lacks(range) => panic!("{range}"),
		_ => None,
	})
	.await
}

/// While nothing more comes of it, others are served, and this viewer with what else it wants.
#[tokio::test]
async fn window_that_waits_for_more_holds_up_nothing_else() {
	let (server, node) = (Server::start(false, |_| {}).await, viewer(10));
	server._node.uplink(1_000_000);
	let mut broadcast = broadcast();
	let (first, second) = (window(&mut broadcast, LARGE), window(&mut broadcast, LARGE));
	assert!(server.feed.push(first.clone()));
	let config = ViewerConfig {
		follow: Follow::Announcements,
		..viewer_config(&server.address, false)
	};
	let stream = node.connect(&server.address).await.unwrap();
	let mut subscription = Subscription::new(stream, ViewerSession::new(config), PATIENCE);
	let announced = |event| matches!(event, Event::Announced(_)).then_some(());
	until(&mut subscription, announced).await;
	subscription.session().follow(Follow::Windows);
	// What is asked for behind it is answered behind it.
	assert_eq!(fetched(&mut subscription, &first, 0).await.count, 2);
	extend(&server, &second, 0, 4);
	came(&mut subscription, &second, 4).await;
	let pulled = timeout(Duration::from_secs(5), fetched(&mut subscription, &first, 3)).await;
	assert_eq!(pulled.unwrap().first, 3);
	let other = viewer(12);
	let mut quick = subscribe(&other, &server).await;
	let whole = timeout(Duration::from_secs(5), next_window(&mut quick)).await.unwrap();
	assert_eq!(whole.header().number, 0);
	assert!(server.feed.push(second.clone()));
	assert_eq!(next_window(&mut subscription).await.data(), second.data());
	assert_eq!(next_window(&mut quick).await.data(), second.data());
}

/// Nobody pays for what did not go out, and nobody signs for it.
#[tokio::test]
async fn window_that_is_given_up_ends_behind_what_went_out_and_that_is_paid() {
	let (server, node) = (Server::start(true, |_| {}).await, viewer(10));
	let mut broadcast = broadcast();
	let mut subscription = subscribe(&node, &server).await;
	until(&mut subscription, |event| {
		matches!(event, Event::Terms(_)).then_some(())
	})
	.await;
	server.push(&mut broadcast, 1, 1_000);
	assert_eq!(pay(&mut subscription).await, 65_536);
	let given_up = window(&mut broadcast, LARGE);
	extend(&server, &given_up, 0, 4);
	came(&mut subscription, &given_up, 4).await;
	server.feed.give_up(STREAM);
	assert_eq!(cut(&mut subscription).await, 4);
	// 1,000 and 65,536 bytes, in units, of which one is paid. With the rest it would be six of them.
	assert_eq!(pay(&mut subscription).await, 65_536);
	assert!(!subscription.viewer().owes(), "all that came is paid");
}

#[tokio::test]
async fn window_of_which_nothing_more_comes_ends_with_what_went_out_and_the_next_one_follows() {
	let server = Server::start(false, |config| config.write_timeout = Duration::from_millis(300)).await;
	let node = viewer(10);
	let (mut subscription, stalled, mut broadcast) = watching(&server, &node).await;
	extend(&server, &stalled, 0, 6);
	came(&mut subscription, &stalled, 6).await;
	assert_eq!(cut(&mut subscription).await, 6);
	assert!(server.feed.push(stalled));
	server.push(&mut broadcast, 1, 1_000);
	assert_eq!(next_window(&mut subscription).await.header().number, 2);
}

#[tokio::test]
async fn who_begins_is_given_what_is_whole_and_then_what_comes() {
	let (server, node) = (Server::start(false, |_| {}).await, viewer(10));
	let (mut watching, window, _) = watching(&server, &node).await;
	extend(&server, &window, 0, 4);
	came(&mut watching, &window, 4).await;
	let other = viewer(12);
	let mut late = subscribe(&other, &server).await;
	assert_eq!(next_window(&mut late).await.header().number, 0);
	came(&mut late, &window, 4).await;
	extend(&server, &window, 4, 4);
	came(&mut late, &window, 8).await;
	assert!(server.feed.push(window.clone()));
	for subscription in [&mut late, &mut watching] {
		assert_eq!(next_window(subscription).await.data(), window.data());
	}
}

/// A broadcast that is over ends so, whatever was coming.
#[tokio::test]
async fn end_of_the_broadcast_waits_for_no_rest() {
	let (server, node) = (Server::start(false, |_| {}).await, viewer(10));
	let (mut subscription, window, _) = watching(&server, &node).await;
	extend(&server, &window, 0, 4);
	came(&mut subscription, &window, 4).await;
	server.feed.finish_stream(STREAM);
	assert_eq!(ended(&mut subscription).await, EndReason::Finished);
}
