//! What a relayer earns whose line is a home's: 5 Mb/s up and 10 down. It buys of a relayer below the origin for half of what it asks.

use crate::{
	programs::Terms,
	scenario::{Aims, Place, Scenario, Seat, TERMS},
};
use clustercast_lab::{
	link::{Loss, Shape},
	switch::Access,
};
use std::time::Duration;

/// Downwards, bits per second.
const DOWN: u64 = 10_000_000;

/// Of packets, on each of the two lines of a way: 1 % of a way.
const LOSS: Loss = Loss::Random(0.005);

/// What is asked of viewers: 0.02 USDC per GB, in tickets of the smallest face value, so that some win while it runs.
const RETAIL: Terms = Terms {
	face_value: 1_000,
	payment: "tickets",
	..TERMS
};

/// What is asked of relayers.
const WHOLESALE: Terms = Terms {
	price_per_gb: RETAIL.price_per_gb / 2,
	..RETAIL
};

/// Two viewers.
pub fn two() -> Scenario {
	of("earnings", "what a relayer earns with 5 Mb/s up and two viewers", 2)
}

/// One viewer.
pub fn one() -> Scenario {
	of("earnings-of-one", "the same with one viewer", 1)
}

fn of(name: &'static str, says: &'static str, viewers: usize) -> Scenario {
	// Half of a way.
	let half = Shape::delay(Duration::from_millis(10)).loss(LOSS);
	let line = |up_mbps: u32| Access {
		up: half.rate(u64::from(up_mbps) * 1_000_000),
		down: half.rate(DOWN),
		nat: None,
	};
	let place = |up_mbps| Place {
		uplink_mbps: Some(up_mbps),
		..Place::on(line(up_mbps))
	};
	let above = Place {
		terms: WHOLESALE,
		..place(10)
	};
	let below = Place {
		origin: false,
		upstreams: vec![0],
		pays: Some(WHOLESALE.price_per_gb),
		terms: RETAIL,
		..place(5)
	};
	let seat = Seat {
		line: line(10),
		relayers: vec![1],
		joins: Duration::ZERO,
	};
	Scenario {
		name,
		says,
		origin: line(10),
		options: &[],
		checks: false,
		relayers: vec![above, below],
		viewers: vec![seat; viewers],
		outages: Vec::new(),
		foreign: None,
		length: Duration::from_secs(180),
		aims: Aims {
			earns: true,
			..Aims::default()
		},
		books: Some(1),
	}
}
