//! Whether somebody else sends over the uplink as well, and how much of it is left to them. Sans-IO.
//!
//! What goes by losses, as TCP with CUBIC does, gives way to what goes at a rate of its own: beside four viewers on 5 Mb/s a download is
//! left a quarter of its share (`docs/benchmarks.md`). So where packets of most of what we send wait in a queue, and more of them are
//! lost than lines lose by chance, we are not alone: our rate goes down by steps, to a bound, and up again once that is over. We alone do
//! not fill a queue: we send less than the line carries.

use std::{collections::HashMap, time::Duration};

/// Of what an uplink carries, parts of a thousand for chunks where we are alone: the rest is for the headers of packets, control, and
/// what is sent again.
pub const MOST: u64 = 900;

/// The same where we are not: with what chunks take beside, a seventh of the uplink is left to others. Three viewers who pay are not
/// given up for them.
const LEAST: u64 = 800;

/// By so much it changes from one look to the next.
const STEP: u64 = 10;

/// Longer than this behind the shortest round trip a packet waits in a queue: pieces that we send at a time take less.
const QUEUE: Duration = Duration::from_millis(25);

/// Of packets, parts of a thousand: more than lines lose by chance.
const LOSS: u64 = 20;

/// Fewer packets say nothing.
const FEW: u64 = 50;

/// What was sent on a connection so far.
#[derive(Clone, Copy, Debug)]
pub struct Path {
	/// Tells it from the others.
	pub connection: usize,
	/// Packets sent.
	pub sent: u64,
	/// Of these, packets that did not arrive.
	pub lost: u64,
	/// Smoothed round-trip time.
	pub rtt: Duration,
}

/// See the module. It is to look once a second.
#[derive(Debug)]
pub struct CrossTraffic {
	/// By the last look, with the shortest round trip of each.
	seen: HashMap<usize, Path>,
	share: u64,
}

impl Default for CrossTraffic {
	fn default() -> Self {
		Self {
			seen: HashMap::new(),
			share: MOST,
		}
	}
}

impl CrossTraffic {
	/// Of what the uplink carries, parts of a thousand for chunks from now on.
	pub fn look(&mut self, paths: impl IntoIterator<Item = Path>) -> u64 {
		let (mut sent, mut lost, mut waited) = (0, 0, 0);
		let mut seen = HashMap::new();
		for path in paths {
			let Some(before) = self.seen.get(&path.connection) else {
				seen.insert(path.connection, path);
				continue;
			};
			let packets = path.sent.saturating_sub(before.sent);
			sent += packets;
			lost += path.lost.saturating_sub(before.lost);
			if path.rtt.saturating_sub(before.rtt) > QUEUE {
				waited += packets;
			}
			let rtt = path.rtt.min(before.rtt);
			seen.insert(path.connection, Path { rtt, ..path });
		}
		self.seen = seen;
		let shared = sent >= FEW && lost * 1_000 > sent * LOSS && waited * 2 > sent;
		self.share = if shared {
			(self.share - STEP).max(LEAST)
		} else {
			(self.share + STEP).min(MOST)
		};
		self.share
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	/// Four connections that sent so many packets each, lost so many of them, with round trips of so long.
	fn four(sent: u64, lost: u64, rtt_ms: u32) -> impl Iterator<Item = Path> {
		(0..4).map(move |connection| Path {
			connection,
			sent,
			lost,
			rtt: rtt_ms * MS,
		})
	}

	/// What is left after so many seconds of 100 packets each, of which so many are lost.
	fn after(seconds: u64, lost: u64, rtt_ms: u32) -> (CrossTraffic, u64) {
		let mut traffic = CrossTraffic::default();
		let mut share = traffic.look(four(0, 0, 40));
		for second in 1..=seconds {
			share = traffic.look(four(100 * second, lost * second, rtt_ms));
		}
		(traffic, share)
	}

	#[test]
	fn who_shares_its_uplink_gives_way_by_steps_and_to_a_bound() {
		assert_eq!(after(1, 4, 85).1, MOST - STEP);
		assert_eq!(after(60, 4, 85).1, LEAST);
	}

	#[test]
	fn losses_of_a_line_or_a_slow_peer_alone_are_no_other_traffic() {
		assert_eq!(after(60, 8, 60).1, MOST, "nothing waits: the line loses by chance");
		assert_eq!(after(60, 2, 85).1, MOST, "it waits, and nothing is lost");
		let mut traffic = CrossTraffic::default();
		for second in 0..60 {
			let slow = Path {
				connection: 4,
				sent: 100 * second,
				lost: 50 * second,
				rtt: if second == 0 { 40 * MS } else { 400 * MS },
			};
			assert_eq!(traffic.look(four(100 * second, second, 40).chain([slow])), MOST);
		}
		let few = (0..60).map(|second| traffic.look(four(second, second, 85))).min();
		assert_eq!(few, Some(MOST), "so few packets say nothing");
	}

	#[test]
	fn once_it_is_over_all_is_ours_again() {
		let (mut traffic, share) = after(60, 4, 85);
		assert_eq!(share, LEAST);
		let back = (61..=71).map(|second| traffic.look(four(100 * second, 4 * 60, 42)));
		assert_eq!(back.last(), Some(MOST));
		// Connections that are new, or gone, are no sign of anything.
		assert_eq!(traffic.look([]), MOST);
		assert_eq!(traffic.look(four(1_000_000, 500_000, 400)), MOST);
	}
}
