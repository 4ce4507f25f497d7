//! Sixteen peers without losses but those of full queues: an origin, four relayers that serve at 20 Mb/s, eleven viewers at 10; three relayers
//! are killed one after the other. The simulator plays the same (`scripts/sim scenario sixteen`), so that its figures can be held
//! against those of the programs.

use crate::scenario::{Aims, Outage, Place, Scenario, Seat};
use clustercast_lab::{link::Shape, switch::Access};
use std::time::Duration;

/// Each direction of lines of those who serve, and of viewers, 10^6 bits per second.
const SERVING_MBPS: u32 = 20;
const WATCHING_MBPS: u32 = 10;

/// Half of a way of each relayer, milliseconds.
const RELAYERS_MS: [u64; 4] = [10, 20, 30, 20];

/// The same of viewers, one after the other.
const VIEWERS_MS: [u64; 3] = [10, 20, 30];

const VIEWERS: usize = 11;

/// See the module.
pub fn scenario() -> Scenario {
	let line = |mbps: u32, ms| Access::both(Shape::delay(Duration::from_millis(ms)).rate(u64::from(mbps) * 1_000_000));
	let relayers = RELAYERS_MS.map(|ms| Place {
		uplink_mbps: Some(SERVING_MBPS),
		..Place::on(line(SERVING_MBPS, ms))
	});
	let seat = |viewer: usize| Seat {
		line: line(WATCHING_MBPS, VIEWERS_MS[viewer % VIEWERS_MS.len()]),
		relayers: (0..RELAYERS_MS.len())
			.map(|step| (viewer + step) % RELAYERS_MS.len())
			.collect(),
		joins: Duration::ZERO,
	};
	let outage = |relayer, at| Outage {
		relayer,
		at: Duration::from_secs(at),
		gone: Duration::from_secs(10),
	};
	Scenario {
		name: "sixteen",
		says: "origin, four relayers, eleven viewers, no losses; three relayers are killed, one after the other: as the simulator has it",
		origin: line(SERVING_MBPS, 10),
		options: &["--uplink-mbps", "20", "--max-relayers", "4"],
		checks: false,
		relayers: relayers.into(),
		viewers: (0..VIEWERS).map(seat).collect(),
		outages: vec![outage(0, 16), outage(1, 42), outage(2, 68)],
		foreign: None,
		length: Duration::from_secs(90),
		aims: Aims::default(),
		books: None,
	}
}
