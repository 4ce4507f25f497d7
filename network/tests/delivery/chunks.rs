//! Chunks over real streams: fetched from several relayers, cancelled, passed over for who is slow.

use super::*;
use clustercast_protocol::{Assembly, Fetch, Range, Share};
use std::collections::HashMap;

/// A server on this key, so that there can be two.
async fn second(paid: bool) -> Server {
	let key = KeyPair::from_seed([11; 32]);
	Server::start_with(key, paid, |_| {}).await
}

async fn standby(node: &Node, server: &Server) -> Subscription {
	let stream = node.connect(&server.address).await.unwrap();
	let config = ViewerConfig {
		follow: Follow::Announcements,
		..viewer_config(&server.address, server.policy.paid)
	};
	Subscription::new(stream, ViewerSession::new(config), PATIENCE)
}

/// A half of one window from each of two relayers, and each is paid for its own.
#[tokio::test]
async fn ranges_of_one_window_come_from_two_relayers_and_each_is_paid_for_its_own() {
	let servers = [Server::start(true, |_| {}).await, second(true).await];
	let mut broadcast = broadcast();
	let sent = window(&mut broadcast, 90_000);
	servers
		.iter()
		.for_each(|server| assert!(server.feed.push(sent.clone())));
	let node = viewer(10);
	let (mut assembly, mut shares) = (None, HashMap::new());
	for (server, (first, count)) in servers.iter().zip([(0, 2), (2, 4)]) {
		let mut subscription = standby(&node, server).await;
		let of = until(&mut subscription, |event| match event {
			Event::Announced(of) => Some(of),
			_ => None,
		})
		.await;
		let range = Range {
			first,
			count,
			..of.range()
		};
		let assembly = assembly.get_or_insert_with(|| Assembly::new(of));
		let fetch = Fetch {
			range,
			within_ms: 60_000,
		};
		assert!(subscription.session().fetch(fetch));
		let chunks = until(&mut subscription, |event| match event {
			Event::Chunks(chunks) => Some(chunks),
			_ => None,
		})
		.await;
		assert_eq!(chunks.range(), range);
		assert!(assembly.put(&chunks));
		subscription.session().leave();
		let due = until(&mut subscription, |event| match event {
			Event::PaymentDue(due) => Some(due),
			_ => None,
		})
		.await;
		let Share::Ticket { bytes, .. } = due.share else {
			panic!("{due:?}");
		};
		shares.insert(first, bytes);
		let payment = purse().pay(&due, 0).unwrap();
		subscription.session().pay(&due, payment).unwrap();
		until(&mut subscription, |event| matches!(event, Event::Paid(_)).then_some(())).await;
	}
	// 32,768 and 57,232 bytes, in units.
	assert_eq!(shares, HashMap::from([(0, 65_536), (2, 65_536)]));
	assert_eq!(assembly.unwrap().finish().unwrap().data(), sent.data());
}

#[tokio::test]
async fn what_is_not_there_or_too_late_is_said_not_to_come() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 50_000);
	let node = viewer(10);
	let mut subscription = standby(&node, &server).await;
	let of = until(&mut subscription, |event| match event {
		Event::Announced(of) => Some(of),
		_ => None,
	})
	.await;
	let at_once = Fetch {
		range: of.range(),
		within_ms: 0,
	};
	assert!(subscription.session().fetch(at_once));
	let lacks = |event| match event {
		Event::Lacks(range) => Some(range),
		_ => None,
	};
	assert_eq!(until(&mut subscription, lacks).await, of.range());
	// Out of the cache by now.
	for _ in 0..9 {
		server.push(&mut broadcast, 1, MAX_WINDOW_BYTES as usize);
		until(&mut subscription, |event| {
			matches!(event, Event::Announced(_)).then_some(())
		})
		.await;
	}
	assert!(subscription.session().fetch(Fetch {
		within_ms: 60_000,
		..at_once
	}));
	assert_eq!(until(&mut subscription, lacks).await, of.range());
}

#[tokio::test]
async fn cancelled_window_ends_at_a_chunk_and_the_next_one_follows() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	server.push(&mut broadcast, 1, MAX_WINDOW_BYTES as usize);
	let of = until(&mut subscription, |event| match event {
		Event::Announced(of) => Some(of),
		_ => None,
	})
	.await;
	subscription.session().cancel(of.range());
	server.push(&mut broadcast, 1, 1_000);
	let skipped = until(&mut subscription, |event| match event {
		Event::Skipped(id) => Some(id),
		Event::Window(window) => panic!("{window:?} came whole"),
		_ => None,
	})
	.await;
	assert_eq!(skipped, of.id());
	assert_eq!(next_window(&mut subscription).await.header().number, 1);
}

/// Who takes longer than seconds for two windows is not sent those of before, but the newest. Each is larger than what a line takes
/// of one before it is read.
#[tokio::test]
async fn slow_viewer_is_passed_over_to_the_newest_window_and_slows_nobody() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	let (node, other) = (viewer(10), viewer(12));
	server.push(&mut broadcast, 1, 4_000_000);
	let (mut slow, mut quick) = (subscribe(&node, &server).await, subscribe(&other, &server).await);
	assert_eq!(next_window(&mut slow).await.header().number, 0);
	assert_eq!(next_window(&mut quick).await.header().number, 0);
	for number in 1..9 {
		server.push(&mut broadcast, 1, 4_000_000);
		let window = timeout(Duration::from_secs(20), next_window(&mut quick)).await.unwrap();
		assert_eq!(window.header().number, number);
		// The other one reads nothing.
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
	let mut came = Vec::new();
	let mut skipped = 0;
	while came.last() != Some(&8) {
		match timeout(PATIENCE, slow.next()).await.unwrap().unwrap() {
			Event::Window(window) => came.push(window.header().number),
			Event::Skipped(_) => skipped += 1,
			_ => {},
		}
	}
	assert!(
		came.len() < 6 && skipped + came.len() == 8,
		"{came:?}, {skipped} passed over"
	);
}
