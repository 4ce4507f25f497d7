//! One relayer behind the other, and a viewer behind the last: how late a broadcast is over several hops, whole windows and parts of
//! them, on lines whose uplink is a home's.

use crate::scenario::{Aims, Place, Scenario, Seat, TERMS};
use clustercast_lab::{
	link::{Loss, Shape},
	switch::Access,
};
use std::time::Duration;

/// Downwards, bits per second.
const DOWN: u64 = 10_000_000;

/// Of packets, on each of the two lines of a way: 1 % of a way.
const LOSS: Loss = Loss::Random(0.005);

/// Windows of 2 s over three hops, each with an uplink of 5 Mb/s: origin, two relayers, viewer.
pub fn windows() -> Scenario {
	of(
		"three-hops",
		"two relayers in a row, 5 Mb/s up, 20 ms, 1 % loss",
		&[],
		(2, 5),
		5_000,
	)
}

/// And over four.
pub fn more_windows() -> Scenario {
	of(
		"four-hops",
		"three relayers in a row, 5 Mb/s up, 20 ms, 1 % loss",
		&[],
		(3, 5),
		5_000,
	)
}

/// Parts of 200 ms over two hops with 10 Mb/s up.
pub fn parts() -> Scenario {
	const OPTIONS: &[&str] = &["--low-latency", "200"];
	of(
		"parts",
		"parts of 200 ms over two relayers, 10 Mb/s, 20 ms, 1 % loss",
		OPTIONS,
		(2, 10),
		1_000,
	)
}

/// Parts of 500 ms over two hops with 5 Mb/s up.
pub fn long_parts() -> Scenario {
	const OPTIONS: &[&str] = &["--low-latency", "500"];
	of(
		"long-parts",
		"parts of 500 ms over two relayers, 5 Mb/s up, 20 ms, 1 % loss",
		OPTIONS,
		(2, 5),
		2_000,
	)
}

/// So many relayers with such an uplink, and how late the viewer may be.
fn of(
	name: &'static str,
	says: &'static str,
	options: &'static [&'static str],
	(hops, up_mbps): (usize, u32),
	delay_ms: u64,
) -> Scenario {
	// Half of a way.
	let half = Shape::delay(Duration::from_millis(10)).loss(LOSS);
	let line = Access {
		up: half.rate(u64::from(up_mbps) * 1_000_000),
		down: half.rate(DOWN),
		nat: None,
	};
	let relayers = (0..hops).map(|number| Place {
		uplink_mbps: Some(up_mbps),
		origin: number == 0,
		upstreams: number.checked_sub(1).into_iter().collect(),
		pays: (number > 0).then_some(TERMS.price_per_gb),
		..Place::on(line)
	});
	Scenario {
		name,
		says,
		origin: line,
		options,
		checks: false,
		relayers: relayers.collect(),
		viewers: vec![Seat {
			line,
			relayers: vec![hops - 1],
			joins: Duration::ZERO,
		}],
		outages: Vec::new(),
		foreign: None,
		length: Duration::from_secs(90),
		aims: Aims {
			delay_ms: Some(delay_ms),
			..Aims::default()
		},
		books: None,
	}
}
