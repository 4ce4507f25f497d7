//! The door: who takes whose place, and what strangers can do to those who are served.

use super::*;
use clustercast_primitives::BlockNumber;
use clustercast_protocol::{Fetch, Range};
use std::{future::pending, time::Instant};
use tokio::sync::watch;

async fn subscribe_as(node: &Node, server: &Server, config: ViewerConfig) -> Subscription {
	let stream = node.connect(&server.address).await.unwrap();
	Subscription::new(stream, ViewerSession::new(config), PATIENCE)
}

/// Behind a window of this place and hash.
fn behind(server: &Server, window: &EncodedWindow, change: impl FnOnce(&mut Resume)) -> ViewerConfig {
	let mut resume = Resume::after(window);
	change(&mut resume);
	ViewerConfig {
		resume: Some(resume),
		..viewer_config(&server.address, false)
	}
}

/// Calls from this address of the loopback.
async fn viewer_at(seed: u8, address: u8) -> Node {
	let node = viewer(seed);
	let at = format!("/ip4/127.0.0.{address}/udp/0/quic-v1");
	node.listen(at.parse().unwrap()).await.unwrap();
	node
}

/// The fault: a viewer whose line changed was refused, since its own subscription of before had the last seat.
#[tokio::test]
async fn viewer_whose_line_changed_takes_the_place_of_its_own_ghost() {
	let mut server = Server::start(false, |config| config.max_subscriptions = 1).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	let (before, other, after) = (viewer(10), viewer(11), viewer(10));
	let mut ghost = subscribe(&before, &server).await;
	next_window(&mut ghost).await;
	assert_eq!(ended(&mut subscribe(&other, &server).await).await, EndReason::Full);
	assert_eq!(server.closed().await, "ended: Full; 0 unpaid");
	let mut again = subscribe(&after, &server).await;
	next_window(&mut again).await;
	assert_eq!(ended(&mut ghost).await, EndReason::Replaced);
	assert_eq!(
		ended(&mut subscribe(&other, &server).await).await,
		EndReason::Full,
		"one seat"
	);
}

/// The same where the ghost is stuck in the middle of a window that nobody reads.
#[tokio::test]
async fn ghost_that_does_not_read_is_replaced_at_once() {
	let mut server = Server::start(false, |config| config.max_subscriptions = 1).await;
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, MAX_WINDOW_BYTES as usize);
	let (before, after) = (viewer(10), viewer(10));
	let mut ghost = subscribe(&before, &server).await;
	until(&mut ghost, |event| matches!(event, Event::Terms(_)).then_some(())).await;
	let mut again = subscribe(&after, &server).await;
	next_window(&mut again).await;
	assert_eq!(server.closed().await, "ended: Replaced; 0 unpaid");
}

/// The attack: one account takes all seats, or has the credit of all of them, under one peer key after the other.
#[tokio::test]
async fn account_has_so_many_seats_wherever_it_comes_from() {
	let server = Server::start(true, |config| config.max_per_payer = 2).await;
	server.feed.push(window(&mut broadcast(), 1_000));
	let nodes = [viewer(10), viewer(11), viewer(12), viewer(10)];
	let mut served = Vec::new();
	for node in &nodes[..2] {
		let mut subscription = subscribe(node, &server).await;
		next_window(&mut subscription).await;
		served.push(subscription);
	}
	assert_eq!(
		ended(&mut subscribe(&nodes[2], &server).await).await,
		EndReason::SeatsTaken
	);
	let mut again = subscribe(&nodes[3], &server).await;
	next_window(&mut again).await;
	let mut config = viewer_config(&server.address, true);
	config.payment.as_mut().unwrap().session.account = AccountId([7; 32]);
	next_window(&mut subscribe_as(&nodes[2], &server, config).await).await;
}

/// The attack: `Start::After { epoch: far ahead }` holds a seat for ever.
#[tokio::test]
async fn place_far_ahead_or_of_another_history_is_refused_at_once() {
	let server = Server::start(false, |_| {}).await;
	let mut broadcast = broadcast();
	let first = window(&mut broadcast, 1_000);
	server.feed.push(first.clone());
	let node = viewer(10);
	let epoch = |epoch: BlockNumber| move |resume: &mut Resume| resume.id.epoch = epoch;
	for config in [
		behind(&server, &first, epoch(u32::MAX)),
		behind(&server, &first, epoch(1_000)),
		behind(&server, &first, |resume| resume.id.segment = 1_000),
		behind(&server, &first, |resume| resume.header = Hash([9; 32])),
	] {
		let mut subscription = subscribe_as(&node, &server, config).await;
		assert_eq!(ended(&mut subscription).await, EndReason::WindowGone);
	}
}

#[tokio::test]
async fn place_that_nobody_knows_is_waited_for_a_while_and_the_last_one_in_a_pause_for_long() {
	let server = Server::start(false, |config| config.lost_timeout = Duration::from_millis(300)).await;
	let mut broadcast = broadcast();
	// This server never had it, and the broadcaster says that it is the last.
	let last = window(&mut broadcast, 1_000);
	let node = viewer(10);
	let mut unknown = subscribe_as(&node, &server, behind(&server, &last, |_| {})).await;
	assert_eq!(ended(&mut unknown).await, EndReason::WindowGone);
	server
		.feed
		.push_status(broadcast.status(State::Idle, ends_ms(&broadcast) + 4_000));
	let mut other = subscribe_as(
		&node,
		&server,
		behind(&server, &last, |resume| resume.header = Hash([9; 32])),
	)
	.await;
	assert_eq!(ended(&mut other).await, EndReason::WindowGone);
	let mut paused = subscribe_as(&node, &server, behind(&server, &last, |_| {})).await;
	until(&mut paused, |event| matches!(event, Event::Waiting).then_some(())).await;
	// One that is ahead of us by a window is waited for.
	let ahead = window(&mut broadcast, 1_000);
	let next = window(&mut broadcast, 1_000);
	let other = viewer(11);
	let mut early = subscribe_as(&other, &server, behind(&server, &ahead, |_| {})).await;
	until(&mut early, |event| matches!(event, Event::Terms(_)).then_some(())).await;
	server.feed.push(ahead);
	server.feed.push(next.clone());
	assert_eq!(next_window(&mut early).await.id(), next.id());
}

#[tokio::test]
async fn who_is_served_nothing_and_says_nothing_holds_no_seat_for_ever() {
	let mut server = Server::start(false, |config| config.idle_timeout = Duration::from_millis(200)).await;
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	assert_eq!(ended(&mut subscription).await, EndReason::Idle);
	assert_eq!(server.closed().await, "ended: Idle; 0 unpaid");
}

fn standing_by(server: &Server) -> ViewerConfig {
	ViewerConfig {
		follow: Follow::Announcements,
		..viewer_config(&server.address, true)
	}
}

async fn announced(subscription: &mut Subscription) -> Range {
	until(subscription, |event| match event {
		Event::Announced(of) => Some(of.range()),
		_ => None,
	})
	.await
}

/// The attack: who follows announcements alone pays nothing, and held a seat for an hour. Who buys a little now and then keeps it.
#[tokio::test]
async fn who_stands_by_and_buys_nothing_makes_room_and_who_buys_does_not() {
	const WITHIN: Duration = Duration::from_millis(500);
	for buys in [false, true] {
		let mut server = Server::start(true, |config| {
			(config.max_subscriptions, config.earned_within) = (1, WITHIN);
		})
		.await;
		let (mut broadcast, nodes, begun) = (broadcast(), [viewer(10), viewer(11)], Instant::now());
		let mut standby = subscribe_as(&nodes[0], &server, standing_by(&server)).await;
		while begun.elapsed() < 2 * WITHIN {
			server.push(&mut broadcast, 1, 100_000);
			let range = announced(&mut standby).await;
			if buys {
				let four = Fetch {
					range: Range { count: 4, ..range },
					within_ms: 60_000,
				};
				assert!(standby.session().fetch(four));
				let due = until(&mut standby, |event| match event {
					Event::PaymentDue(due) => Some(due),
					_ => None,
				})
				.await;
				let payment = purse().pay(&due, 0).unwrap();
				standby.session().pay(&due, payment).unwrap();
				until(&mut standby, |event| matches!(event, Event::Paid(_)).then_some(())).await;
			}
		}
		let mut other = subscribe_as(&nodes[1], &server, standing_by(&server)).await;
		if buys {
			assert_eq!(ended(&mut other).await, EndReason::Full);
			continue;
		}
		announced(&mut other).await;
		assert_eq!(ended(&mut standby).await, EndReason::Idle);
		assert_eq!(server.closed().await, "ended: Idle; 0 unpaid");
	}
}

/// The fault: who waited for its reservation to become final lost its seat meanwhile, though nothing but the chain was awaited.
#[tokio::test]
async fn who_waits_for_its_reservation_keeps_its_seat_meanwhile() {
	const WITHIN: Duration = Duration::from_millis(600);
	let server = Server::start(true, |config| {
		(config.max_subscriptions, config.earned_within) = (1, WITHIN);
	})
	.await;
	server.policy.asks.store(true, Ordering::Relaxed);
	server.policy.stands.store(false, Ordering::Relaxed);
	let (mut broadcast, nodes) = (broadcast(), [viewer(10), viewer(11)]);
	server.push(&mut broadcast, 1, 70_000);
	let mut waits = subscribe(&nodes[0], &server).await;
	until(&mut waits, |event| matches!(event, Event::Terms(_)).then_some(())).await;
	assert!(waits.session().reserve(reservation(3)));
	let waits = tokio::spawn(async move {
		next_window(&mut waits).await;
		waits
	});
	let begun = Instant::now();
	while begun.elapsed() < 2 * WITHIN {
		server.push(&mut broadcast, 1, 70_000);
		tokio::time::sleep(WITHIN / 10).await;
	}
	assert_eq!(ended(&mut subscribe(&nodes[1], &server).await).await, EndReason::Full);
	server.policy.stands.store(true, Ordering::Relaxed);
	server.push(&mut broadcast, 1, 70_000);
	timeout(PATIENCE, waits).await.expect("it is served").unwrap();
}

/// The fault: a viewer that failed over to a relayer which is behind was held to be idle there, and lost its seat.
#[tokio::test]
async fn who_is_ahead_of_a_relayer_keeps_its_seat_until_that_has_caught_up() {
	const WITHIN: Duration = Duration::from_millis(300);
	let server = Server::start(true, |config| {
		(config.max_subscriptions, config.earned_within) = (1, WITHIN);
	})
	.await;
	let (mut broadcast, nodes) = (broadcast(), [viewer(10), viewer(11)]);
	// It stood by here, and bought.
	server.push(&mut broadcast, 1, 100_000);
	let mut before = subscribe(&nodes[0], &server).await;
	let due = until(&mut before, |event| match event {
		Event::PaymentDue(due) => Some(due),
		_ => None,
	})
	.await;
	let payment = purse().pay(&due, 0).unwrap();
	before.session().pay(&due, payment).unwrap();
	until(&mut before, |event| matches!(event, Event::Paid(_)).then_some(())).await;
	let windows: Vec<_> = (0..8).map(|_| window(&mut broadcast, 10_000)).collect();
	let (next, played) = (windows.last().unwrap(), &windows[windows.len() - 2]);
	let config = ViewerConfig {
		payment: viewer_config(&server.address, true).payment,
		..behind(&server, played, |_| {})
	};
	let mut ahead = subscribe_as(&nodes[0], &server, config).await;
	until(&mut ahead, |event| matches!(event, Event::Terms(_)).then_some(())).await;
	let begun = Instant::now();
	while begun.elapsed() < 2 * WITHIN {
		// It catches up, slowly.
		server
			.feed
			.push_status(broadcast.status(State::Live, ends_ms(&broadcast)));
		tokio::time::sleep(WITHIN / 10).await;
	}
	assert_eq!(ended(&mut subscribe(&nodes[1], &server).await).await, EndReason::Full);
	for window in &windows {
		server.feed.push(window.clone());
	}
	assert_eq!(next_window(&mut ahead).await.id(), next.id());
}

/// Whoever comes is known to pay before its time is over, however much is worth a receipt; and who buys little shows that it pays.
#[tokio::test]
async fn what_comes_first_is_billed_at_once_and_the_rest_after_a_third_of_the_time() {
	const WITHIN: Duration = Duration::from_secs(3);
	let server = Server::start(true, |config| config.earned_within = WITHIN).await;
	server.policy.interval.store(90_000, Ordering::Relaxed);
	let mut broadcast = broadcast();
	server.push(&mut broadcast, 1, 10_000);
	let node = viewer(10);
	let mut subscription = subscribe(&node, &server).await;
	let mut billed = async |since: Instant| {
		let due = until(&mut subscription, |event| match event {
			Event::PaymentDue(due) => Some(due),
			_ => None,
		})
		.await;
		let took = since.elapsed();
		let payment = purse().pay(&due, 0).unwrap();
		subscription.session().pay(&due, payment).unwrap();
		until(&mut subscription, |event| matches!(event, Event::Paid(_)).then_some(())).await;
		took
	};
	let first = billed(Instant::now()).await;
	assert!(first < WITHIN, "{first:?}");
	let feed = server.feed.clone();
	let pushing = tokio::spawn(async move {
		loop {
			// In a second more than the first payment is ahead, and less than is worth a receipt.
			feed.push(window(&mut broadcast, 14_000));
			tokio::time::sleep(Duration::from_millis(200)).await;
		}
	});
	let second = billed(Instant::now()).await;
	assert!(second > WITHIN / 4 && second < WITHIN, "{second:?}");
	pushing.abort();
}

/// Finds nobody but one peer; counts whom it looks for.
struct Stuck {
	served: PublicKey,
	asked: watch::Sender<usize>,
}

impl Policy for Stuck {
	type Seat = ();

	async fn subscribe(&self, peer: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		self.asked.send_modify(|asked| *asked += 1);
		match peer == self.served {
			true => Ok((Grant::Free, ())),
			false => pending().await,
		}
	}
}

/// The attack: seats were held while the chain is asked for accounts that were made up.
#[tokio::test]
async fn strangers_who_are_looked_up_hold_no_seat() {
	let mut config = Config::new(GENESIS, KeyPair::from_seed(RELAYER_SEED).public());
	config.max_subscriptions = 1;
	let (server, incoming) = Node::start(&KeyPair::from_seed(RELAYER_SEED), Limits::default()).unwrap();
	let address = server.listen(LOOPBACK.parse().unwrap()).await.unwrap();
	let feed = Feed::new(64 << 20);
	feed.push(window(&mut broadcast(), 1_000));
	let asked = watch::Sender::new(0);
	let mut looked_up = asked.subscribe();
	let served = KeyPair::from_seed([10; 32]).public();
	let policy = Arc::new(Stuck { served, asked });
	tokio::spawn(serve(incoming, feed, policy, config, pending::<()>()));
	let strangers: Vec<_> = (20..28).map(viewer).collect();
	for stranger in &strangers {
		let stream = stranger.connect(&address).await.unwrap();
		let mut subscription = Subscription::new(stream, session(&address, false), PATIENCE);
		tokio::spawn(async move { while subscription.next().await.is_ok() {} });
	}
	looked_up.wait_for(|asked| *asked == strangers.len()).await.unwrap();
	let node = viewer(10);
	let stream = node.connect(&address).await.unwrap();
	next_window(&mut Subscription::new(stream, session(&address, false), PATIENCE)).await;
}

/// The attack: one host takes all connections of a relayer and of its origin. The relayer's next call came through to neither.
#[tokio::test]
async fn strangers_who_hold_all_connections_shut_out_neither_the_upstream_nor_a_payer() {
	let limits = Limits {
		strangers: 4,
		..Limits::default()
	};
	let start = async |seed: u8| {
		let (node, mut incoming) = Node::start(&KeyPair::from_seed([seed; 32]), limits).unwrap();
		let address = node.listen(LOOPBACK.parse().unwrap()).await.unwrap();
		tokio::spawn(async move {
			let mut held = Vec::new();
			while let Some(stream) = incoming.accept().await {
				held.push(stream);
			}
		});
		(node, address)
	};
	let ((_origin, upstream), (relayer, address)) = (start(1).await, start(2).await);
	let host = viewer_at(50, 2).await;
	let (mut strangers, mut held) = (vec![host], Vec::new());
	for n in 51..60 {
		strangers.push(viewer_at(n, 2).await);
	}
	for to in [&upstream, &address] {
		let mut taken = 0;
		for stranger in &strangers {
			match stranger.connect(to).await {
				Ok(stream) => {
					taken += 1;
					held.push(stream);
				},
				Err(ConnectError::Full) => {},
				Err(error) => panic!("{error}"),
			}
		}
		assert!(taken >= 4, "{taken}");
	}
	relayer.connect(&upstream).await.unwrap();
	viewer_at(10, 3).await.connect(&address).await.unwrap();
}
