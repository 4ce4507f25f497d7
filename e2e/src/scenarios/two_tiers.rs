//! Origin and six relayers in two tiers, of them one that lies and one that withholds, and twelve viewers; every 20 s one relayer is
//! killed and comes back. Who is where, how far away, and who is killed when is drawn by the seed.
//!
//! | seed | who cheats is | killed are |
//! | --- | --- | --- |
//! | 1, 5, ... | in tier 1 | honest relayers |
//! | 2, 6, ... | in tier 2 | any |
//! | 3, 7, ... | in tier 1 | any |
//! | 4, 8, ... | in tier 2 | honest relayers |
//!
//! The origin gives three copies. Who comes behind is told who has them, and buys there. Viewers know what the registry has.

use crate::{
	byzantine::Trick,
	scenario::{Aims, Outage, Place, Scenario, Seat, TERMS},
};
use clustercast_lab::{
	draw::{Packet, Purpose},
	link::{Loss, Shape},
	switch::Access,
};
use std::{iter::successors, time::Duration};

/// Each direction of each line, bits per second.
const RATE_MBPS: u32 = 10;

/// Of packets, on each of the two lines of a way: 1 % of a way.
const LOSS: Loss = Loss::Random(0.005);

/// Half of a way, milliseconds: from this to this.
const HALF_MS: [u64; 2] = [10, 40];

const RELAYERS: usize = 6;
const TIER: usize = 3;
const VIEWERS: usize = 12;

/// From one viewer to the next, and from the last one to the first kill.
const JOIN_EVERY: Duration = Duration::from_secs(3);

const FIRST_KILL: Duration = Duration::from_secs(45);
const KILL_EVERY: Duration = Duration::from_secs(20);
const GONE: Duration = Duration::from_secs(10);

/// Behind the last kill: what follows is part of the figures.
const LAST: Duration = Duration::from_secs(30);

const LENGTH: Duration = Duration::from_secs(600);

/// Windows that who cheats delivers as they are, of each subscription: fewer than this.
const MOST_HONEST: usize = 9;

/// Windows of 2 s.
pub fn windows(seed: u64) -> Scenario {
	of(
		"two-tiers",
		"six relayers in two tiers, one lies and one withholds, 12 viewers, 20 to 80 ms, 1 % loss; one is killed every 20 s; 10 min",
		&["--uplink-mbps", "10"],
		seed,
	)
}

/// Parts of 500 ms. Each hop passes on what is whole: six copies of a window of 2 s take 1.8 s of the uplink, and of such a part 0.5 s.
pub fn parts(seed: u64) -> Scenario {
	of(
		"two-tiers-parts",
		"the same with parts of 500 ms",
		&["--uplink-mbps", "10", "--low-latency", "500"],
		seed,
	)
}

fn of(name: &'static str, says: &'static str, options: &'static [&'static str], seed: u64) -> Scenario {
	let mut chance = Chance { seed, drawn: 0 };
	let half = |chance: &mut Chance| {
		let ms = HALF_MS[0] + chance.below((HALF_MS[1] - HALF_MS[0] + 1) as usize) as u64;
		let rate = u64::from(RATE_MBPS) * 1_000_000;
		Access::both(Shape::delay(Duration::from_millis(ms)).rate(rate).loss(LOSS))
	};
	let (first_tier, only_honest) = (seed % 2 == 1, matches!(seed % 4, 0 | 1));
	// Two places of one tier, of the three that it has.
	let tier = if first_tier { 0 } else { TIER };
	let liar = chance.below(TIER);
	let withholds = (liar + 1 + chance.below(TIER - 1)) % TIER;
	let (liar, withholds) = (tier + liar, tier + withholds);
	let honest: Vec<usize> = (0..RELAYERS).filter(|n| ![liar, withholds].contains(n)).collect();
	let relayers = (0..RELAYERS).map(|number| {
		let line = half(&mut chance);
		let trick = match number {
			_ if number == liar => Some(Trick::Corrupt),
			_ if number == withholds => Some(Trick::Withhold),
			_ => None,
		};
		let trick = trick.map(|trick| (chance.below(MOST_HONEST), trick));
		Place {
			uplink_mbps: Some(RATE_MBPS),
			// Who cheats in the second tier buys of those who do not.
			origin: trick.is_none() || first_tier,
			upstreams: match trick {
				Some(_) if !first_tier => honest.clone(),
				_ => Vec::new(),
			},
			pays: Some(TERMS.price_per_gb),
			trick,
			..Place::on(line)
		}
	});
	let relayers: Vec<Place> = relayers.collect();
	let viewers = (0..VIEWERS as u32).map(|number| Seat {
		line: half(&mut chance),
		relayers: Vec::new(),
		joins: JOIN_EVERY * number,
	});
	let viewers = viewers.collect();
	let kills = successors(Some(FIRST_KILL), |at| Some(*at + KILL_EVERY)).take_while(|at| *at + LAST <= LENGTH);
	let outages = kills.map(|at| Outage {
		relayer: match only_honest {
			true => honest[chance.below(honest.len())],
			false => chance.below(RELAYERS),
		},
		at,
		gone: GONE,
	});
	let outages = outages.collect();
	Scenario {
		name,
		says,
		origin: half(&mut chance),
		options,
		checks: true,
		relayers,
		viewers,
		outages,
		foreign: None,
		length: LENGTH,
		aims: Aims {
			startup_ms: Some(2_000),
			failover_ms: Some(1_000),
			no_stall: true,
			origin_copies: Some(3.2),
			..Aims::default()
		},
		books: None,
	}
}

/// Chance that repeats.
struct Chance {
	seed: u64,
	drawn: u64,
}

impl Chance {
	/// One of so many, each equally likely.
	fn below(&mut self, many: usize) -> usize {
		self.drawn += 1;
		let draw = Packet {
			seed: self.seed,
			// No line has this number.
			link: u64::MAX,
			index: self.drawn,
		};
		((draw.draw(Purpose::Jitter) * many as f64) as usize).min(many - 1)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn cheats(scenario: &Scenario) -> Vec<usize> {
		let places = scenario.relayers.iter().enumerate();
		places
			.filter_map(|(number, place)| place.trick.map(|_| number))
			.collect()
	}

	#[test]
	fn each_seed_has_two_that_cheat_in_one_tier_and_a_kill_every_20_s() {
		for seed in 1..=40 {
			let scenario = windows(seed);
			let cheats = cheats(&scenario);
			assert_eq!(cheats.len(), 2, "seed {seed}");
			assert!(
				cheats.iter().all(|number| (*number < TIER) == (seed % 2 == 1)),
				"seed {seed}"
			);
			assert_eq!(scenario.outages.len(), 27);
			let honest_dies = scenario.outages.iter().all(|outage| !cheats.contains(&outage.relayer));
			assert_eq!(honest_dies, matches!(seed % 4, 0 | 1), "seed {seed}");
			for place in &scenario.relayers {
				let delay = place.line.up.delay.as_millis() as u64;
				assert!((HALF_MS[0]..=HALF_MS[1]).contains(&delay), "seed {seed}: {delay} ms");
			}
		}
	}

	#[test]
	fn seeds_differ_and_repeat() {
		let said = |seed| format!("{:?}", windows(seed));
		assert_eq!(said(1), said(1));
		assert_ne!(said(1), said(5));
	}
}
