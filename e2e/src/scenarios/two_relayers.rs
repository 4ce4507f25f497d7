//! Two relayers below the origin, two viewers who each prefer another one, lines as homes have them; both relayers are killed in turn
//! and come back.

use crate::scenario::{Aims, Outage, Place, Scenario, Seat};
use clustercast_lab::{
	link::{Loss, Shape},
	switch::Access,
};
use std::time::Duration;

/// Each direction of each line, bits per second.
const RATE: u64 = 10_000_000;

/// Of packets, on each of the two lines of a way: 1 % of a way.
const LOSS: Loss = Loss::Random(0.005);

/// One way takes 20 ms (origin, relayer 1, viewer 1) to 80 ms (relayer 2, viewer 2).
pub fn scenario() -> Scenario {
	of(
		"two-relayers",
		"origin, two relayers, two viewers; 20 to 80 ms, 1 % loss, 10 Mb/s; each relayer is killed twice",
		LOSS,
	)
}

/// The same without losses, but those of full queues.
pub fn clean() -> Scenario {
	of("two-relayers-clean", "the same without losses", Loss::None)
}

fn of(name: &'static str, says: &'static str, loss: Loss) -> Scenario {
	// Half of a way.
	let line = |delay_ms| Access::both(Shape::delay(Duration::from_millis(delay_ms)).rate(RATE).loss(loss));
	let outage = |relayer, at| Outage {
		relayer,
		at: Duration::from_secs(at),
		gone: Duration::from_secs(10),
	};
	let seat = |line, relayers: [usize; 2]| Seat {
		line,
		relayers: relayers.into(),
		joins: Duration::ZERO,
	};
	Scenario {
		name,
		says,
		origin: line(10),
		options: &[],
		checks: false,
		relayers: vec![Place::on(line(10)), Place::on(line(40))],
		viewers: vec![seat(line(10), [0, 1]), seat(line(40), [1, 0])],
		outages: vec![outage(0, 16), outage(1, 42), outage(0, 68), outage(1, 94)],
		foreign: None,
		length: Duration::from_secs(120),
		aims: Aims {
			startup_ms: Some(2_000),
			failover_ms: Some(1_000),
			no_stall: true,
			..Aims::default()
		},
		books: None,
	}
}
