//! Who has the seats of a relayer: over real QUIC, with its own desk and door. Its stream has as many places as it has itself, as
//! that of a relayer of one stream has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;
#[path = "support/fleet.rs"]
mod fleet;

use clustercast_protocol::{EndReason, Follow};
use fleet::{Origin, Plan, Relayer, Viewer};
use std::{path::Path, time::Duration};
use tokio::time::sleep;

const BYTES: usize = 131_072;
const PLACES: usize = 8;
/// As relayers have it.
const WITHIN: Duration = Duration::from_secs(30);

/// With so many places, and a first window.
async fn relayer(dir: &Path, places: usize, earned_within: Duration) -> (Origin, Relayer) {
	let plan = Plan {
		places,
		places_of_each: places,
		earned_within,
		..Plan::default()
	};
	let mut origin = Origin::start(1, 5).await;
	let relayer = Relayer::below(dir, plan, &[&origin]).await;
	origin.publish(BYTES);
	(origin, relayer)
}

async fn stands_by(viewer: Viewer, origin: &Origin, relayer: &Relayer, buys: bool) -> Viewer {
	let mut viewer = viewer;
	let key = origin.key.public();
	viewer
		.follow(&relayer.address, origin.stream, key, Follow::Announcements)
		.await;
	assert_eq!(viewer.stand_by(u32::from(buys)).await, None);
	viewer
}

async fn watches(viewer: u16, origin: &Origin, relayer: &Relayer) -> (Viewer, Option<EndReason>) {
	let mut viewer = Viewer::new(viewer);
	viewer.tune(&relayer.address, origin.stream, origin.key.public()).await;
	let ended = viewer.watch(1).await;
	(viewer, ended)
}

/// Of these, how many are told that somebody else has their seats, by the time that one is.
async fn unseated(viewers: Vec<Viewer>) -> EndReason {
	let told = viewers.into_iter().map(|mut viewer| {
		Box::pin(async move {
			loop {
				if let Some(reason) = viewer.step().await {
					return reason;
				}
			}
		})
	});
	futures::future::select_all(told).await.0
}

/// The attack: one account holds all places of the stream for nothing. Where these are as many as the relayer's, whoever pays was
/// told that the stream is full before the door had chosen who makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pays_has_the_place_of_one_of_many_that_pay_nothing_on_a_relayer_of_one_stream() {
	let dir = tempfile::tempdir().unwrap();
	let (origin, relayer) = relayer(dir.path(), PLACES, WITHIN).await;
	let mut idle = Vec::new();
	for peer in 0..PLACES as u16 {
		idle.push(stands_by(Viewer::under(1, peer), &origin, &relayer, false).await);
	}
	let (_payer, ended) = watches(2, &origin, &relayer).await;
	assert_eq!(ended, None);
	assert_eq!(unseated(idle).await, EndReason::Idle);
}

/// The same by accounts that buy a little: they stand by, and have a quarter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_has_the_place_of_one_who_stands_by_on_a_relayer_of_one_stream() {
	let dir = tempfile::tempdir().unwrap();
	let (origin, relayer) = relayer(dir.path(), PLACES, WITHIN).await;
	let mut standing_by = Vec::new();
	for viewer in 0..PLACES as u16 {
		standing_by.push(stands_by(Viewer::new(viewer), &origin, &relayer, true).await);
	}
	let (_payer, ended) = watches(20, &origin, &relayer).await;
	assert_eq!(ended, None);
	assert_eq!(unseated(standing_by).await, EndReason::Idle);
}

/// The attack: places that cost nothing make a stream dear for those who pay, and are had again under another key before the time
/// is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pays_nothing_counts_to_no_price() {
	let dir = tempfile::tempdir().unwrap();
	let (origin, relayer) = relayer(dir.path(), PLACES, WITHIN).await;
	let stream = relayer.desk.streams.get(origin.stream).unwrap();
	let mut idle = Vec::new();
	for peer in 0..PLACES as u16 {
		idle.push(stands_by(Viewer::under(1, peer), &origin, &relayer, false).await);
		assert_eq!(stream.watching(), 0, "{peer}");
	}
	drop(idle);
	let (mut payer, ended) = watches(2, &origin, &relayer).await;
	assert_eq!((ended, stream.watching()), (None, 1));
	payer.leave().await;
}

/// The attack: as many keys of one account as there are seats hold them for nothing, and come again under others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_that_had_seats_for_nothing_has_none_before_others_whatever_keys_it_comes_with() {
	const WITHIN: Duration = Duration::from_millis(900);
	let dir = tempfile::tempdir().unwrap();
	let (mut origin, relayer) = relayer(dir.path(), 2, WITHIN).await;
	let mut idle = Vec::new();
	for peer in 0..2 {
		idle.push(stands_by(Viewer::under(1, peer), &origin, &relayer, false).await);
	}
	let begun = std::time::Instant::now();
	while begun.elapsed() < WITHIN {
		origin.publish(BYTES);
		sleep(WITHIN / 9).await;
	}
	let (_first, ended) = watches(2, &origin, &relayer).await;
	assert_eq!(ended, None);
	for peer in 2..5 {
		let mut again = Viewer::under(1, peer);
		again.tune(&relayer.address, origin.stream, origin.key.public()).await;
		let ended = again.watch(1).await;
		assert!(matches!(ended, Some(EndReason::IdleLately(1..=60))), "{ended:?}");
	}
	let (_second, ended) = watches(3, &origin, &relayer).await;
	assert_eq!(ended, None, "the other seat was for others");
	let (_, ended) = watches(4, &origin, &relayer).await;
	assert_eq!(ended, Some(EndReason::Full));
}
