//! Attacks and accidents that a review of the protocol found, each between both real sides: first seen to succeed, then ended.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/fixture.rs"]
mod fixture;
use clustercast_primitives::Hash;
use clustercast_protocol::{
	relayer, viewer,
	viewer::Taken,
	wire::{range_prefix, Kind, ToRelayer},
	Fetch, Follow, Range, RelayerSession, Start, Subscribe, Terms, ViewerConfig, ViewerSession,
};
use fixture::{Broadcast, GENESIS};

fn pair(credit: u32, interval: u32, follow: Follow) -> (RelayerSession, ViewerSession) {
	let mut relayer = RelayerSession::new(GENESIS, Hash([5; 32]), vec![fixture::binding()]);
	let mut viewer = ViewerSession::new(ViewerConfig {
		follow,
		..fixture::viewer_config()
	});
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	let Some(viewer::Event::Challenged(s)) = viewer.poll_event() else {
		panic!()
	};
	viewer.subscribe(fixture::session_key().sign(s, &GENESIS));
	up(&mut viewer, &mut relayer);
	assert!(matches!(relayer.poll_event(), Some(relayer::Event::Subscribed(_))));
	relayer
		.accept(
			Terms {
				credit,
				interval,
				..fixture::terms()
			},
			fixture::signer(),
		)
		.unwrap();
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	(relayer, viewer)
}
fn up(viewer: &mut ViewerSession, relayer: &mut RelayerSession) {
	while let Some(f) = viewer.poll_transmit() {
		relayer.handle(&f).unwrap();
	}
}
fn events(viewer: &mut ViewerSession) -> Vec<viewer::Event> {
	std::iter::from_fn(|| viewer.poll_event()).collect()
}

/// A receipt named more windows than the viewer remembered: an honest relayer was left unpaid.
#[test]
fn many_small_windows_are_billed_before_they_are_forgotten() {
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Windows);
	let mut b = Broadcast::default();
	for n in 0..70 {
		let w = b.segment(&fixture::media(3_000, n));
		relayer.deliver(&w).unwrap();
		fixture::carry(&mut relayer, &mut viewer).unwrap();
	}
	relayer.settle();
	let r = fixture::carry(&mut relayer, &mut viewer);
	assert!(r.is_ok(), "{r:?}");
}

#[test]
fn what_was_fetched_long_ago_is_paid() {
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Announcements);
	let mut b = Broadcast::default();
	let first = b.segment(&fixture::media(375_000, 1));
	relayer.deliver(&first).unwrap();
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	let range = Range {
		count: 3,
		..first.range()
	};
	assert!(viewer.fetch(Fetch { range, within_ms: 1000 }));
	up(&mut viewer, &mut relayer);
	let Some(relayer::Event::Fetch(f)) = relayer.poll_event() else {
		panic!()
	};
	relayer.send(&first, &f).unwrap();
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	for n in 0..64 {
		let w = b.segment(&fixture::media(375_000, n));
		relayer.deliver(&w).unwrap();
		fixture::carry(&mut relayer, &mut viewer).unwrap();
	}
	viewer.leave();
	up(&mut viewer, &mut relayer);
	let r = fixture::carry(&mut relayer, &mut viewer);
	assert!(r.is_ok(), "{r:?}");
}

/// Who catches up hears all announcements before the first chunk.
#[test]
fn burst_of_small_windows_comes_whole() {
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Windows);
	let mut b = Broadcast::default();
	let mut announced = 0;
	while relayer.wants().is_some() {
		let w = b.segment(&fixture::media(3_000, announced as u8));
		relayer.deliver(&w).unwrap();
		while let Some(f) = relayer.poll_transmit() {
			viewer.handle(&f).unwrap();
		}
		announced += 1;
	}
	let (mut not_yet, mut bodies) = (0, 0);
	while let Some(o) = relayer.poll_sending() {
		bodies += 1;
		match viewer
			.begin_chunks(&range_prefix(&o.range())[..].try_into().unwrap())
			.unwrap()
		{
			Taken::As(id) => {
				viewer.chunks(id, &o.rest()[1]).unwrap();
				viewer.end_chunks(id, true).unwrap();
			},
			Taken::NotYet => not_yet += 1,
		}
		relayer.sent(o.id(), o.chunks());
		relayer.arrived(o.id());
	}
	relayer.settle();
	let mut fault = None;
	while let Some(f) = relayer.poll_transmit() {
		if let Err(e) = viewer.handle(&f) {
			fault = Some(e);
		}
	}
	assert_eq!((not_yet, &fault), (0, &None), "announced {announced}, bodies {bodies}");
}

/// It was delivered and billed.
#[test]
fn fetch_that_waits_can_be_cancelled() {
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Announcements);
	let mut b = Broadcast::default();
	let w = b.segment(&fixture::media(100_000, 1));
	relayer.deliver(&w).unwrap();
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	assert!(viewer.fetch(Fetch {
		range: w.range(),
		within_ms: 60_000
	}));
	viewer.cancel(w.range());
	up(&mut viewer, &mut relayer);
	let all: Vec<_> = std::iter::from_fn(|| relayer.poll_event()).collect();
	assert!(all.contains(&relayer::Event::Cancel(w.range())), "{all:?}");
}

/// The last chunk, of one byte, again and again.
#[test]
fn guest_has_a_few_streams_under_way_and_no_more_than_was_announced() {
	let mut relayer = RelayerSession::new(GENESIS, Hash([5; 32]), vec![fixture::binding()]);
	relayer
		.handle(
			&ToRelayer::Subscribe(Subscribe {
				genesis: GENESIS,
				stream: fixture::STREAM,
				tracks: vec![0].try_into().unwrap(),
				start: Start::Live,
				follow: Follow::Announcements,
				payer: None,
			})
			.to_frame(),
		)
		.unwrap();
	relayer.poll_event();
	relayer.accept_free().unwrap();
	let mut b = Broadcast::default();
	let w = b.segment(&fixture::media(16_384 + 1, 1));
	relayer.deliver(&w).unwrap();
	let range = Range {
		header: w.hash(),
		first: 1,
		count: 1,
	};
	let mut n = 0;
	while n < 5_000 && relayer.may_send() && relayer.has_new(&w, &range) {
		relayer
			.handle(
				&ToRelayer::Fetch(Fetch {
					range,
					within_ms: 60_000,
				})
				.to_frame(),
			)
			.unwrap();
		let Some(relayer::Event::Fetch(f)) = relayer.poll_event() else {
			panic!()
		};
		relayer.send(&w, &f).unwrap();
		let o = relayer.poll_sending().unwrap();
		relayer.sent(o.id(), o.chunks());
		n += 1;
	}
	assert!(n <= 16, "{n} under way, none arrived");
}

/// It was paid and never shown.
#[test]
fn window_on_its_way_leaves_though_announcements_alone_are_followed_from_now_on() {
	let (mut relayer, mut viewer) = pair(1_500_000, 0, Follow::Windows);
	let mut b = Broadcast::default();
	let w = b.segment(&fixture::media(70_000, 1));
	relayer.deliver(&w).unwrap();
	viewer.follow(Follow::Announcements);
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	let e = events(&mut viewer);
	let shown = e
		.iter()
		.any(|e| matches!(e, viewer::Event::Window(_) | viewer::Event::Chunks(_)));
	let due = e.iter().any(|e| matches!(e, viewer::Event::PaymentDue(_)));
	assert!(
		shown || !due,
		"{:?}",
		e.iter()
			.map(|e| format!("{e:?}").chars().take(20).collect::<String>())
			.collect::<Vec<_>>()
	);
}
/// What a receipt named that waited for one late piece was forgotten meanwhile, and never due.
#[test]
fn one_late_piece_among_hundreds_of_small_ones_holds_up_no_payment_for_ever() {
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Announcements);
	let mut b = Broadcast {
		chunk_log2: 12,
		..Broadcast::default()
	};
	let one = b.segment(&fixture::media(500 * 4_096, 1));
	relayer.deliver(&one).unwrap();
	fixture::carry(&mut relayer, &mut viewer).unwrap();
	let (mut late, mut receipts, mut n) = (None, 0, 0);
	for first in 0..500 {
		if !relayer.may_send() {
			break;
		}
		let range = Range {
			header: one.hash(),
			first,
			count: 1,
		};
		assert!(viewer.fetch(Fetch {
			range,
			within_ms: 60_000
		}));
		up(&mut viewer, &mut relayer);
		let Some(relayer::Event::Fetch(f)) = relayer.poll_event() else {
			panic!()
		};
		if relayer.send(&one, &f).is_err() {
			break;
		}
		let o = relayer.poll_sending().unwrap();
		relayer.sent(o.id(), o.chunks());
		relayer.arrived(o.id());
		if first == 5 {
			late = Some(o)
		} else {
			fixture::give(&mut viewer, o.range(), &o.rest()[1]).unwrap();
		}
		while let Some(f) = relayer.poll_transmit() {
			receipts += usize::from(f[4] == Kind::Receipt as u8);
			viewer.handle(&f).unwrap();
		}
		n += 1;
	}
	let o = late.unwrap();
	fixture::give(&mut viewer, o.range(), &o.rest()[1]).unwrap();
	let due = events(&mut viewer)
		.iter()
		.filter(|e| matches!(e, viewer::Event::PaymentDue(_)))
		.count();
	assert_eq!(due, receipts, "of {n} pieces, {} owed at the relayer", relayer.owed());
}

/// Whether the last of so many receipts, all of which overtook their chunks, convicts.
fn convicts(windows: u8) -> bool {
	use clustercast_primitives::{
		merkle,
		receipt::{deliveries_root, Deliveries, SignedReceipt},
	};
	use codec::DecodeAll;
	let (mut relayer, mut viewer) = pair(1_500_000, 0, Follow::Windows);
	let mut b = Broadcast::default();
	let mut bodies = vec![];
	for n in 0..windows {
		let w = b.segment(&fixture::media(10_000, n));
		relayer.deliver(&w).unwrap();
		while let Some(o) = relayer.poll_sending() {
			relayer.sent(o.id(), o.chunks());
			bodies.push((o.range(), o.rest()[1].clone()));
		}
		while let Some(f) = relayer.poll_transmit() {
			if f[4] == Kind::Receipt as u8 && n == windows - 1 {
				let (signed, mut d): (SignedReceipt, Deliveries) = DecodeAll::decode_all(&mut &f[5..]).unwrap();
				let mut bad = bodies.last().unwrap().1.to_vec();
				bad[0] ^= 1;
				d.iter_mut().for_each(|d| d.delivered = merkle::leaf_hash(&bad));
				let mut r = signed.message;
				r.root = deliveries_root(&d);
				let f = clustercast_protocol::wire::ToViewer::Receipt(fixture::relayer_key().sign(r, &GENESIS), d)
					.to_frame();
				viewer.handle(&f).unwrap();
			} else {
				viewer.handle(&f).unwrap();
			}
		}
	}
	let (range, data) = bodies.pop().unwrap();
	let Taken::As(id) = viewer
		.begin_chunks(&range_prefix(&range)[..].try_into().unwrap())
		.unwrap()
	else {
		panic!()
	};
	let mut bad = data.to_vec();
	bad[0] ^= 1;
	assert!(viewer.chunks(id, &bad).is_err());
	let _ = viewer.end_chunks(id, true);
	viewer.take_evidence().is_some()
}
#[test]
fn receipt_that_convicts_is_found_among_those_that_wait() {
	assert!(convicts(8) && convicts(9) && convicts(15));
}

#[test]
fn end_is_told_though_a_window_that_was_announced_never_began() {
	use clustercast_protocol::EndReason;
	let (mut relayer, mut viewer) = pair(1_500_000, 700_000, Follow::Windows);
	let mut b = Broadcast::default();
	let w = b.segment(&fixture::media(100_000, 1));
	relayer.deliver(&w).unwrap();
	relayer.end(EndReason::ShuttingDown);
	while let Some(f) = relayer.poll_transmit() {
		viewer.handle(&f).unwrap();
	}
	viewer.finish().unwrap();
	let told = events(&mut viewer).iter().any(|e| matches!(e, viewer::Event::Ended(_)));
	assert!(told, "is_ending {}", viewer.is_ending());
}
