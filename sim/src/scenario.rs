//! Scenarios of the network lab (`e2e/src/scenarios/`), here: the same lines, who knows which relayer, who is killed when. Only those
//! without random losses: what is lost here is a chunk of 16 KiB, there a packet.

use crate::{
	actors::Figures,
	calendar::{Micros, MS, SECOND},
	net::{Line, NodeId},
	node::Conduct,
	plan::{free, Act, Plan, Role},
};
use clustercast_primitives::AccountId;
use clustercast_protocol::Float;

/// Bytes a second each way: 10 Mb/s.
const RATE: u64 = 1_250_000;

/// What waits longer at a line is dropped.
const QUEUE: Micros = 100 * MS;

/// Bytes of a window of two seconds at 1.5 Mb/s.
const WINDOW_BYTES: usize = 375_000;

/// Viewers begin when relayers have something.
const VIEWERS_AT: Micros = 10 * SECOND;

/// How long a relayer is gone.
const GONE: Micros = 10 * SECOND;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
	/// Origin, two relayers, two viewers; 20 to 80 ms, 10 Mb/s; each relayer is killed twice.
	TwoRelayers,
	/// Sixteen peers: origin, four relayers, eleven viewers; 20 to 60 ms, 10 Mb/s, those who serve 20; three relayers are killed, one after
	/// the other.
	Sixteen,
}

/// Of one relayer that was killed, for one viewer that had its windows from there.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
	/// Whose windows came from it.
	pub viewer: NodeId,
	/// When.
	pub at: Micros,
}

impl Scenario {
	/// Delay of half a way of each relayer, milliseconds; of each viewer, and the relayers that it knows, first choice first; which
	/// relayer is killed, and how many seconds after viewers began; for how many they watch.
	#[allow(clippy::type_complexity, reason = "a table")]
	fn places(self) -> (Vec<u64>, Vec<(u64, Vec<usize>)>, Vec<(usize, u64)>, u64) {
		match self {
			Self::TwoRelayers => (
				vec![10, 40],
				vec![(10, vec![0, 1]), (40, vec![1, 0])],
				vec![(0, 16), (1, 42), (0, 68), (1, 94)],
				120,
			),
			Self::Sixteen => (
				vec![10, 20, 30, 20],
				(0..11)
					.map(|viewer| {
						let order = (0..4).map(|step| (viewer + step) % 4).collect();
						([10, 20, 30][viewer % 3], order)
					})
					.collect(),
				vec![(0, 16), (1, 42), (2, 68)],
				90,
			),
		}
	}

	/// Bytes a second each way of those who serve. Windows of three viewers and more, one behind the other at 10 Mb/s, of an origin and then
	/// of a relayer, would be there 6 s behind their capture only as long as nobody is gone.
	fn serving(self) -> u64 {
		match self {
			Self::TwoRelayers => RATE,
			Self::Sixteen => 2 * RATE,
		}
	}

	/// What a run is made of.
	pub fn plan(self) -> Plan {
		let line = |rate, delay| Line {
			up: rate,
			down: rate,
			queue: QUEUE,
			delay: delay * MS,
			loss_ppm: 0,
		};
		let (relayers, viewers, kills, length) = self.places();
		let mut nodes = vec![(Role::Origin, line(self.serving(), 10))];
		let mut acts = vec![(0, Act::Start(NodeId(0)))];
		let relayer = |number: usize| NodeId(1 + number as u32);
		for (number, delay) in relayers.iter().enumerate() {
			let mut offer = free(64 << 20);
			offer.free = false;
			offer.recipient = AccountId([number as u8; 32]);
			(offer.price, offer.face_value, offer.vouchers) = (20_000, 20_000, true);
			(offer.credit, offer.interval, offer.passes) = (4 << 20, 1_500_000, true);
			offer.float = Float {
				bytes: 64 << 20,
				value: 100_000,
				per_hour: 1_000_000_000,
			};
			let (conduct, tier) = (Conduct::Honest, 0);
			nodes.push((Role::Relayer { offer, conduct, tier }, line(self.serving(), *delay)));
			acts.push((100 * MS, Act::Start(relayer(number))));
		}
		let mut orders = vec![Vec::new(); nodes.len()];
		for (delay, order) in viewers {
			let (conduct, samples) = (Conduct::Honest, false);
			acts.push((VIEWERS_AT, Act::Start(NodeId(nodes.len() as u32))));
			nodes.push((Role::Viewer { conduct, samples }, line(RATE, delay)));
			orders.push(order.into_iter().map(relayer).collect());
		}
		for (number, after) in kills {
			let at = VIEWERS_AT + after * SECOND;
			acts.extend([
				(at, Act::Kill(relayer(number))),
				(at + GONE, Act::Start(relayer(number))),
			]);
		}
		Plan {
			nodes,
			acts,
			end: VIEWERS_AT + length * SECOND,
			healed: None,
			bytes: Some(WINDOW_BYTES),
			checked: true,
			most: None,
			orders: Some(orders),
		}
	}
}

/// Of what a viewer played: from when the first window that the killed one did not bring would have been there, by the viewer's median
/// delay until then, to when that window, or a later one, was. `None` where that cannot be said.
pub fn fail_over(figures: &Figures, at: Micros) -> Option<Micros> {
	let played = figures.played.as_deref()?;
	let mut delays: Vec<Micros> = played
		.iter()
		.filter(|played| played.came < at)
		.map(|played| played.came.saturating_sub(played.captured))
		.collect();
	delays.sort_unstable();
	let usual = *delays.get(delays.len() / 2)?;
	let next = played
		.iter()
		.filter(|played| played.came >= at && played.captured + usual >= at)
		.min_by_key(|played| played.came)?;
	// Of those that came behind the kill the first may be a later one.
	let first = played.iter().rfind(|played| played.came < at)?.captured;
	let missed = (1..)
		.map(|window| first + window * crate::desk::WINDOW)
		.find(|captured| captured + usual >= at)?;
	Some(next.came.saturating_sub(missed + usual))
}
