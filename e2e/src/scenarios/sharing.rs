//! Four viewers and a foreign download share the uplink of a relayer: together they want more than it carries.

use crate::scenario::{Aims, Foreign, Place, Scenario, Seat};
use clustercast_lab::{
	link::{Queue, Shape},
	switch::Access,
};
use std::time::Duration;

/// The relayer's uplink, 10^6 bits per second.
const UP_MBPS: u32 = 5;

/// What everybody else has, bits per second.
const RATE: u64 = 50_000_000;

/// A queue of 50 ms before the uplink; the relayer is told what that carries.
pub fn short() -> Scenario {
	of(
		"sharing-50",
		"four viewers and a download by CUBIC on a relayer's 5 Mb/s up, queue of 50 ms",
		50,
		Some(UP_MBPS),
	)
}

/// The same with a queue of 200 ms.
pub fn long() -> Scenario {
	of("sharing-200", "the same, queue of 200 ms", 200, Some(UP_MBPS))
}

/// A relayer that does not know its uplink, and so takes more viewers than that carries: 50 ms.
pub fn short_untold() -> Scenario {
	of(
		"sharing-50-untold",
		"the same with 50 ms, and the relayer does not know what its uplink carries",
		50,
		None,
	)
}

/// The same with 200 ms.
pub fn long_untold() -> Scenario {
	of("sharing-200-untold", "the same, queue of 200 ms", 200, None)
}

fn of(name: &'static str, says: &'static str, queue_ms: u64, uplink_mbps: Option<u32>) -> Scenario {
	// Half of a way.
	let half = Shape::delay(Duration::from_millis(10));
	let wide = Access::both(half.rate(RATE));
	let up = half
		.rate(u64::from(UP_MBPS) * 1_000_000)
		.queue(Queue::Time(Duration::from_millis(queue_ms)));
	let seat = || Seat {
		line: wide,
		relayers: vec![0],
		joins: Duration::ZERO,
	};
	Scenario {
		name,
		says,
		origin: wide,
		options: &[],
		checks: false,
		relayers: vec![Place {
			uplink_mbps,
			..Place::on(Access { up, ..wide })
		}],
		viewers: (0..4).map(|_| seat()).collect(),
		outages: Vec::new(),
		foreign: Some(Foreign { relayer: 0, line: wide }),
		length: Duration::from_secs(80),
		aims: Aims::default(),
		books: None,
	}
}
