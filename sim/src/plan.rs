//! What a run is made of, from one number: who takes part, on which lines, and what goes wrong when.

use crate::{
	actors::MOST_CHUNKS,
	calendar::{Micros, MS, SECOND},
	desk::{Offer, WINDOW},
	net::{Line, NodeId},
	node::Conduct,
};
use clustercast_primitives::AccountId;
use clustercast_protocol::Float;
use rand::{seq::SliceRandom, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
	/// That nothing bad happens, whatever goes wrong.
	Safety,
	/// That everybody plays once nothing goes wrong any more.
	Liveness,
	/// That hardly anybody sees it when two in five relayers of a crowd of a hundred are killed at once.
	Drill,
}

impl Kind {
	/// Those that differ much from seed to seed.
	pub const HUNTED: [Self; 2] = [Self::Safety, Self::Liveness];
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub enum Role {
	/// The first node.
	Origin,
	/// Of this tier: 0 takes from the origin, for nothing; 1 buys from those of 0.
	Relayer {
		/// How it serves.
		offer: Offer,
		/// How it behaves.
		conduct: Conduct,
		/// Whom it takes from.
		tier: u8,
	},
	/// Watches.
	Viewer {
		/// How it behaves.
		conduct: Conduct,
		/// Takes announcements and some ranges.
		samples: bool,
	},
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Act {
	/// A node begins.
	Start(NodeId),
	/// It is gone, without a word.
	Kill(NodeId),
	/// It reaches only who is on this island.
	Isolate(NodeId, u8),
	/// So much of its rate is left, of 100.
	Slow(NodeId, u64),
	/// A viewer has seen enough.
	Leave(NodeId),
	/// The broadcaster makes no window for so long.
	Pause(Micros),
	/// Nothing goes wrong from here on.
	Healed,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Plan {
	/// By their number.
	pub nodes: Vec<(Role, Line)>,
	/// When.
	pub acts: Vec<(Micros, Act)>,
	/// When it is over.
	pub end: Micros,
	/// Since when nothing goes wrong, and what is to be shown is that everybody plays.
	pub healed: Option<Micros>,
	/// All windows have so many bytes; `None`: one to four chunks.
	pub bytes: Option<usize>,
	/// Whether it is checked.
	pub checked: bool,
	/// Since nothing goes wrong, so many of a hundred have to play again within so long.
	pub most: Option<(usize, Micros)>,
	/// Whom each node knows, first choice first, and what viewers played is kept; `None`: as it comes, and only figures.
	pub orders: Option<Vec<Vec<NodeId>>>,
}

/// Micro-USDC per 10^9 bytes.
const PRICE: u64 = 2_000_000;

/// Bytes a second that a viewer takes at most.
const RATE: u64 = (64 << 10) / 2;

/// A market's price, and terms of this number's relayer.
fn offer(number: usize, rng: &mut ChaCha8Rng, seats: usize) -> Offer {
	let mut account = [0xaa; 32];
	account[..8].copy_from_slice(&(number as u64).to_le_bytes());
	Offer {
		free: false,
		recipient: AccountId(account),
		price: PRICE,
		face_value: 1_000,
		credit: rng.gen_range(2..=8) * (64 << 10),
		interval: rng.gen_range(0..=2) * (64 << 10),
		vouchers: rng.gen_bool(0.4),
		seats,
		passes: true,
		float: Float {
			bytes: 1 << 20,
			value: 100_000,
			per_hour: 1_000_000,
		},
		cache: 1 << 20,
	}
}

/// Serves relayers for nothing.
pub fn free(cache: usize) -> Offer {
	let mut rng = ChaCha8Rng::seed_from_u64(0);
	Offer {
		free: true,
		passes: false,
		cache,
		..offer(0, &mut rng, 256)
	}
}

fn line(rng: &mut ChaCha8Rng, up: u64, down: u64) -> Line {
	Line {
		up,
		down,
		queue: rng.gen_range(50..=200) * MS,
		delay: rng.gen_range(2..=40) * MS,
		loss_ppm: *[0, 0, 2_000, 10_000].choose(rng).unwrap_or(&0),
	}
}

impl Plan {
	/// Of this number.
	pub fn new(seed: u64, kind: Kind) -> Self {
		if kind == Kind::Drill {
			return Self::drill(100, 20, seed);
		}
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let mut nodes = vec![(Role::Origin, line(&mut rng, 20_000_000, 2_000_000))];
		let (relayers, viewers) = (rng.gen_range(3..=9), rng.gen_range(1..=40));
		// Some are there that work and have room for all.
		let sound = rng.gen_range(1..=2);
		for number in 0..relayers {
			let conduct = match (number < sound, rng.gen_range(0..10)) {
				(true, _) | (_, 0..=3) => Conduct::Honest,
				(_, 4..=6) => Conduct::WrongChunks(rng.gen_range(1..200)),
				(_, 7) => Conduct::WrongReceipts,
				_ => Conduct::Withholds,
			};
			let up = match number < sound {
				true => 2 * RATE * viewers as u64 + 1_000_000,
				false => rng.gen_range(2..40) * RATE,
			};
			let seats = match number < sound {
				true => 64,
				false => (up * 8 / RATE / 10).max(1) as usize,
			};
			let tier = u8::from(number >= sound && rng.gen_bool(0.3));
			let offer = offer(number, &mut rng, seats);
			nodes.push((Role::Relayer { offer, conduct, tier }, line(&mut rng, up, 10 * RATE)));
		}
		for _ in 0..viewers {
			let conduct = match rng.gen_range(0..20) {
				0..=1 => Conduct::NeverPays,
				2 => Conduct::Forges,
				3 => Conduct::Replays,
				_ => Conduct::Honest,
			};
			let samples = conduct == Conduct::Honest && rng.gen_bool(0.15);
			let down = rng.gen_range(2..20) * RATE;
			nodes.push((Role::Viewer { conduct, samples }, line(&mut rng, RATE, down)));
		}
		let mut plan = Self {
			nodes,
			acts: Vec::new(),
			end: 60 * SECOND,
			healed: None,
			bytes: None,
			checked: true,
			most: None,
			orders: None,
		};
		plan.begin(&mut rng);
		let until = match kind {
			Kind::Liveness => 30 * SECOND,
			Kind::Safety | Kind::Drill => plan.end,
		};
		plan.fail(&mut rng, until, sound);
		if kind == Kind::Liveness {
			plan.heal(until);
		}
		plan
	}

	/// Everybody comes within ten seconds, the relayers first.
	fn begin(&mut self, rng: &mut ChaCha8Rng) {
		for (number, (role, _)) in self.nodes.iter().enumerate() {
			let at = match role {
				Role::Origin => 0,
				Role::Relayer { tier, .. } => rng.gen_range(1..500) * MS + Micros::from(*tier) * 500 * MS,
				Role::Viewer { .. } => rng.gen_range(1_000..10_000) * MS,
			};
			self.acts.push((at, Act::Start(NodeId(number as u32))));
		}
	}

	/// What goes wrong before this.
	fn fail(&mut self, rng: &mut ChaCha8Rng, until: Micros, sound: usize) {
		let count = self.nodes.len() as u32;
		for _ in 0..rng.gen_range(0..12) {
			// Those who serve matter more.
			let among = if rng.gen_bool(0.4) { 9.min(count) } else { count };
			let node = NodeId(rng.gen_range(0..among));
			let at = rng.gen_range(11_000..until / MS) * MS;
			let back = (at + rng.gen_range(100..15_000) * MS).min(until - 1);
			let is_viewer = node.0 as usize > 0 && matches!(self.nodes[node.0 as usize].0, Role::Viewer { .. });
			match rng.gen_range(0..10) {
				// A whole epoch is behind the one before.
				0..=3 if node.0 > 0 || rng.gen_ratio(1, 4) => {
					let back = back.max(at + 5 * SECOND);
					self.acts.extend([(at, Act::Kill(node)), (back, Act::Start(node))]);
				},
				4..=5 => self
					.acts
					.extend([(at, Act::Isolate(node, 1)), (back, Act::Isolate(node, 0))]),
				6..=7 => {
					let rate = rng.gen_range(1..50);
					self.acts
						.extend([(at, Act::Slow(node, rate)), (back, Act::Slow(node, 100))]);
				},
				8 if is_viewer => self.acts.push((at, Act::Leave(node))),
				9 if rng.gen_ratio(1, 3) => self.acts.push((at, Act::Pause(back - at))),
				_ => {},
			}
		}
		// The network falls into two.
		if rng.gen_ratio(1, 4) {
			let at = rng.gen_range(11_000..until / MS) * MS;
			let back = (at + rng.gen_range(1_000..20_000) * MS).min(until - 1);
			for number in 1 + sound as u32..count {
				if rng.gen_bool(0.5) {
					let node = NodeId(number);
					self.acts
						.extend([(at, Act::Isolate(node, 2)), (back, Act::Isolate(node, 0))]);
				}
			}
		}
	}

	/// Nothing goes wrong any more from here on.
	fn heal(&mut self, at: Micros) {
		// Who was killed last is back by then, whatever came over what.
		for number in 0..self.nodes.len() as u32 {
			let node = NodeId(number);
			self.acts.extend([
				(at, Act::Isolate(node, 0)),
				(at, Act::Slow(node, 100)),
				(at, Act::Start(node)),
			]);
		}
		self.acts.push((at, Act::Healed));
		self.acts
			.retain(|(when, act)| *when <= at || matches!(act, Act::Healed));
		self.healed = Some(at);
		self.end = at + 100 * SECOND;
	}

	/// A crowd, of whose relayers two in five are killed at once and stay away. Those that are left have room for 1.3 times the viewers.
	pub fn drill(viewers: usize, per_relayer: usize, seed: u64) -> Self {
		let mut plan = Self::crowd(viewers, per_relayer, 90 * SECOND);
		let relayers: Vec<u32> = (1..plan.nodes.len() as u32 - viewers as u32).collect();
		let killed = relayers.len() * 2 / 5;
		let seats = (viewers * 13).div_ceil(10 * (relayers.len() - killed));
		for (role, line) in &mut plan.nodes {
			if let Role::Relayer { offer, .. } = role {
				offer.seats = seats;
				line.up = 2 * RATE * seats as u64;
			}
		}
		// At any moment between two windows.
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let at = 30 * SECOND + rng.gen_range(0..2_000) * MS;
		plan.acts
			.extend(relayers[..killed].iter().map(|node| (at, Act::Kill(NodeId(*node)))));
		plan.acts.push((at, Act::Healed));
		(plan.healed, plan.checked) = (Some(at), true);
		plan.most = Some((99, 2 * WINDOW));
		plan
	}

	/// Nobody pays.
	pub fn give_away(&mut self) {
		for (role, _) in &mut self.nodes {
			if let Role::Relayer { offer, .. } = role {
				offer.free = true;
			}
		}
	}

	/// A crowd on good lines, without a fault: for figures. One relayer for so many viewers.
	pub fn crowd(viewers: usize, per_relayer: usize, end: Micros) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(viewers as u64);
		let relayers = viewers.div_ceil(per_relayer).max(3);
		let mut nodes = vec![(
			Role::Origin,
			line(&mut rng, 100 * RATE.max(1) * relayers as u64, 1_000_000),
		)];
		for number in 0..relayers {
			let seats = per_relayer * 3 / 2 + 8;
			let up = 2 * RATE * seats as u64;
			let offer = Offer {
				vouchers: false,
				credit: 256 << 10,
				interval: 64 << 10,
				float: Float {
					bytes: 1 << 20,
					value: 100_000,
					per_hour: 1_000_000_000,
				},
				..offer(number, &mut rng, seats)
			};
			let conduct = Conduct::Honest;
			nodes.push((
				Role::Relayer {
					offer,
					conduct,
					tier: 0,
				},
				line(&mut rng, up, 100 * RATE),
			));
		}
		for _ in 0..viewers {
			let conduct = Conduct::Honest;
			let down = rng.gen_range(4..20) * RATE;
			nodes.push((
				Role::Viewer {
					conduct,
					samples: false,
				},
				line(&mut rng, RATE, down),
			));
		}
		let mut plan = Self {
			nodes,
			acts: Vec::new(),
			end,
			healed: None,
			bytes: Some(MOST_CHUNKS << 14),
			checked: false,
			most: None,
			orders: None,
		};
		plan.begin(&mut rng);
		plan
	}
}
