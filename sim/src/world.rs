//! Runs a plan: takes what is next from the calendar, tells the nodes, and looks whether all that must hold does.

use crate::{
	actors::{stream_key, Actor, Figures, Origin, Relayer, Viewer},
	audit::{Audit, Policy, Rule, Violation},
	bugs::Bug,
	calendar::{Micros, SECOND},
	chain::Chain,
	desk::WINDOW,
	intake::{Source, Taste},
	net::{Event, Input, Net, NodeId},
	node::{Conduct, Io},
	plan::{free, Act, Plan, Role},
	pool::Pool,
	scenario::Killed,
	wallet::Wallet,
};
use clustercast_primitives::{crypto::KeyPair, AccountId, Balance};
use rand::{seq::SliceRandom, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Without a complete window a player takes a relayer for failing: three windows.
const STALL: Micros = 3 * WINDOW;

/// The same of a relayer and its upstream.
const RELAYER_STALL: Micros = 15 * SECOND;

/// Longest rest of a relayer that failed, for players; and of an upstream.
const LONGEST_REST: Micros = 60 * SECOND;
const LONGEST_PAUSE: Micros = 15 * SECOND;

/// Relayers that stand by beside the one that sends: as a player has, where it is not told otherwise.
const STANDBYS: usize = 1;

/// Everybody plays so soon after the last fault, by what the players' policy promises today: a rest, a call that is not answered, a relayer
/// that stalls.
pub const RECOVERS: Micros = LONGEST_REST + 5 * SECOND + RELAYER_STALL;

/// Windows that a player may be behind the newest.
const PLAYS: u64 = 2;

/// Windows that it may be behind at the end, where liars are left: one is met, and somebody else is called.
const LIED_TO: u64 = 8;

/// Memory of an origin for windows: minutes.
const ORIGIN_CACHE: usize = 8 << 20;

/// See the module.
#[derive(Debug)]
pub struct World {
	plan: Plan,
	net: Net,
	chain: Chain,
	audit: Audit,
	pool: Pool,
	nodes: Vec<Slot>,
	bug: Option<Bug>,
	events: u64,
	calls: u64,
	healed: bool,
	killed: Vec<Killed>,
}

#[derive(Debug)]
struct Slot {
	/// Absent while it reacts.
	actor: Option<Actor>,
	rng: ChaCha8Rng,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
	/// What must not be.
	pub violation: Option<Violation>,
	/// What happened before it.
	pub trace: Vec<String>,
	/// Things that happened.
	pub events: u64,
	/// Of honest viewers that watch.
	pub viewers: Vec<Figures>,
	/// Bytes sent by the origin, by relayers, by viewers.
	pub sent: [u64; 3],
	/// Of these, in chunks, by relayers and by viewers.
	pub chunks: [u64; 2],
	/// Windows made.
	pub made: u64,
	/// How often a viewer that watched has made another relayer its parent.
	pub reparents: u64,
	/// Micro-USDC that each honest viewer's deposit has paid.
	pub spent: Vec<Balance>,
	/// Calls of viewers.
	pub calls: u64,
	/// How often a liar was caught.
	pub caught: usize,
	/// Micro-USDC that relayers were paid by the chain.
	pub paid: Balance,
	/// Simulated time.
	pub lasted: Micros,
	/// Microseconds from the last fault until each honest viewer played what is new.
	pub recovered: Vec<Micros>,
	/// Whose relayer was killed, where viewers' windows are kept.
	pub killed: Vec<(Figures, Micros)>,
	/// What happened, since then, to the viewer that took longest.
	pub slowest: Vec<String>,
}

fn key(kind: u8, number: usize) -> KeyPair {
	let mut seed = [kind; 32];
	seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
	KeyPair::from_seed(seed)
}

/// Whose deposit this node pays from.
fn account_of(number: usize) -> AccountId {
	let mut account = [0xee; 32];
	account[..8].copy_from_slice(&(number as u64).to_le_bytes());
	AccountId(account)
}

impl World {
	/// Ready to run a plan from a seed; honest nodes have this bug.
	pub fn new(plan: Plan, seed: u64, bug: Option<Bug>) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5ed);
		let mut net = Net::new(ChaCha8Rng::seed_from_u64(seed ^ 0x11e7));
		let (mut chain, mut audit) = (Chain::default(), Audit::default());
		audit.on = plan.checked;
		let origin = Source {
			node: NodeId(0),
			key: stream_key().public(),
			account: None,
			price: 0,
		};
		let of_tier = |tier: u8| {
			let relayers = plan
				.nodes
				.iter()
				.enumerate()
				.filter_map(move |(number, (role, _))| match role {
					Role::Relayer { offer, tier: of, .. } if *of <= tier => Some(Source {
						node: NodeId(number as u32),
						key: key(2, number).public(),
						account: Some(offer.recipient),
						price: offer.price,
					}),
					_ => None,
				});
			Arc::new(relayers.collect::<Vec<_>>())
		};
		let (first, all) = (of_tier(0), of_tier(1));
		let origins = Arc::new(vec![origin]);
		let is_viewer = |(role, _): &&(Role, _)| matches!(role, Role::Viewer { .. });
		let viewers = plan.nodes.iter().filter(is_viewer).count();
		let mut nodes = Vec::new();
		for (number, (role, line)) in plan.nodes.iter().enumerate() {
			let id = net.add(*line);
			let wallet = |chain: &mut Chain| {
				let (account, session) = (account_of(number), key(3, number));
				chain.register(account, session.public());
				Wallet::new(account, session)
			};
			let mut order = |sources: &[Source]| {
				let mut order: Vec<NodeId> = sources
					.iter()
					.map(|source| source.node)
					.filter(|node| *node != id)
					.collect();
				order.shuffle(&mut rng);
				// Nobody knows them all.
				order.truncate(16);
				match plan.orders.as_ref().map(|orders| &orders[number]) {
					Some(given) if !given.is_empty() => given.clone(),
					_ => order,
				}
			};
			let actor = match role {
				Role::Origin => {
					audit.join(id, true, None);
					// Whoever takes from it has a seat, however large the crowd is.
					let mut offer = free(ORIGIN_CACHE);
					offer.seats = offer.seats.max(plan.nodes.len() - 1 - viewers);
					Actor::Origin(Box::new(Origin::new(offer, plan.bytes)))
				},
				Role::Relayer { offer, conduct, tier } => {
					let policy = Policy {
						price: offer.price,
						per_hour: offer.float.per_hour,
						of_one: offer.float.bytes,
						credit: offer.credit.into(),
						recipient: offer.recipient,
					};
					audit.join(id, *conduct == Conduct::Honest, Some(policy));
					let taste = Taste {
						player: false,
						stall: RELAYER_STALL,
						rest: LONGEST_PAUSE,
						samples: false,
						standbys: 0,
						conduct: Conduct::Honest,
					};
					let (sources, wallet) = match tier {
						0 => (origins.clone(), None),
						_ => (first.clone(), Some(wallet(&mut chain))),
					};
					let order = order(&sources);
					let key = key(2, number);
					Actor::Relayer(Box::new(Relayer::new(
						*offer, *conduct, key, taste, sources, order, wallet,
					)))
				},
				Role::Viewer { conduct, samples } => {
					audit.join(id, *conduct == Conduct::Honest, None);
					let honest = *conduct == Conduct::Honest;
					let taste = Taste {
						player: true,
						// Who does not pay comes again as soon as nothing comes.
						stall: if honest { STALL } else { STALL / 2 },
						rest: if honest { LONGEST_REST } else { SECOND },
						samples: *samples,
						// Who does not pay, and who takes single ranges, does so at one at a time.
						standbys: if honest && !samples { STANDBYS } else { 0 },
						conduct: *conduct,
					};
					let order = order(&all);
					let mut viewer = Viewer::new(taste, all.clone(), order, Some(wallet(&mut chain)));
					viewer.figures.played = plan.orders.is_some().then(Vec::new);
					Actor::Viewer(Box::new(viewer))
				},
			};
			nodes.push(Slot {
				actor: Some(actor),
				rng: ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64)),
			});
		}
		for (index, (at, _)) in plan.acts.iter().enumerate() {
			net.calendar.put(*at, Event::Fault(index));
		}
		Self {
			plan,
			net,
			chain,
			audit,
			pool: Pool::default(),
			nodes,
			bug,
			events: 0,
			calls: 0,
			healed: false,
			killed: Vec::new(),
		}
	}

	/// Runs to the end, or to the first violation.
	pub fn run(mut self) -> Outcome {
		let end = self.plan.end;
		while self.audit.violation().is_none() {
			let Some((at, event)) = self.net.calendar.take(end) else {
				break;
			};
			self.net.now = at;
			self.audit.now = at;
			self.events += 1;
			match event {
				Event::Fault(index) => self.act(self.plan.acts[index].1),
				event => self.net.on(event),
			}
			while let Some((node, input)) = self.net.poll() {
				self.tell(node, input);
			}
		}
		if self.audit.violation().is_none() && self.plan.healed.is_some() {
			self.audit.now = end;
			self.check_alive();
		}
		self.outcome()
	}

	fn act(&mut self, act: Act) {
		match act {
			Act::Start(node) => {
				let left = matches!(&self.nodes[node.0 as usize].actor, Some(Actor::Viewer(viewer)) if viewer.left);
				if !left && !self.net.is_alive(node) {
					self.net.start(node);
					self.audit.begins(node, self.net.life(node));
				}
			},
			Act::Kill(node) => {
				if self.net.is_alive(node) {
					self.audit.note(node, "is killed", 0, 0);
					self.bereave(node);
					self.net.kill(node);
					let slot = &mut self.nodes[node.0 as usize];
					if let Some(actor) = &mut slot.actor {
						actor.crash(&mut slot.rng);
					}
				}
			},
			Act::Isolate(node, island) => {
				self.audit.note(node, "is on island", island.into(), 0);
				self.net.isolate(node, island);
			},
			Act::Slow(node, rate) => {
				self.audit.note(node, "has of its rate, percent", rate, 0);
				self.net.slow(node, rate);
			},
			Act::Leave(node) => {
				if self.net.is_alive(node) {
					self.with(node, |actor, io| {
						if let Actor::Viewer(viewer) = actor {
							viewer.leave(io);
						}
					});
				}
			},
			Act::Pause(long) => {
				let until = self.net.now + long;
				if let Some(Actor::Origin(origin)) = &mut self.nodes[0].actor {
					origin.paused = until;
				}
			},
			Act::Healed => {
				self.healed = true;
				if let Some(Actor::Origin(origin)) = &mut self.nodes[0].actor {
					origin.paused = 0;
				}
			},
		}
	}

	/// Whose windows came from a node that is killed.
	fn bereave(&mut self, node: NodeId) {
		if self.plan.orders.is_none() {
			return;
		}
		let at = self.net.now;
		for (number, slot) in self.nodes.iter().enumerate() {
			if matches!(&slot.actor, Some(Actor::Viewer(viewer)) if viewer.parent() == Some(node)) {
				let viewer = NodeId(number as u32);
				self.killed.push(Killed { viewer, at });
			}
		}
	}

	fn with(&mut self, node: NodeId, act: impl FnOnce(&mut Actor, &mut Io<'_>)) {
		let slot = &mut self.nodes[node.0 as usize];
		let Some(mut actor) = slot.actor.take() else { return };
		let mut io = Io {
			node,
			net: &mut self.net,
			chain: &mut self.chain,
			audit: &mut self.audit,
			pool: &mut self.pool,
			rng: &mut slot.rng,
			bug: self.bug,
		};
		act(&mut actor, &mut io);
		slot.actor = Some(actor);
	}

	fn tell(&mut self, node: NodeId, input: Input) {
		if let Input::Chunk(conn, body, prefix, data, _) = &input {
			self.audit.came(*conn, *body, prefix, data);
		}
		self.calls += u64::from(matches!(input, Input::Called(..)) && node.0 > 0);
		self.with(node, |actor, io| actor.on(input, io));
		if self.healed {
			self.look(node);
		}
	}

	/// Number of the next window.
	fn next_segment(&self) -> u64 {
		match &self.nodes[0].actor {
			Some(Actor::Origin(origin)) => origin.next_segment(),
			_ => 0,
		}
	}

	/// Whether a viewer plays what is new, since nothing goes wrong any more.
	fn look(&mut self, node: NodeId) {
		let (newest, now, healed) = (self.next_segment(), self.net.now, self.plan.healed.unwrap_or(0));
		if let Some(Actor::Viewer(viewer)) = &mut self.nodes[node.0 as usize].actor {
			let figures = &mut viewer.figures;
			let plays = figures.last_at >= healed && figures.last.is_some_and(|last| last.segment + PLAYS >= newest);
			if plays {
				figures.recovered.get_or_insert(now - healed);
			}
		}
	}

	/// Everybody who watches has what is new, and had it soon.
	fn check_alive(&mut self) {
		if let Some((percent, within)) = self.plan.most {
			let viewers = self.nodes.iter().filter_map(|slot| match &slot.actor {
				Some(Actor::Viewer(viewer)) if !viewer.left => Some(viewer.figures.recovered),
				_ => None,
			});
			let soon = viewers.clone().flatten().filter(|took| *took <= within).count();
			let all = viewers.count();
			if soon * 100 < all * percent {
				let what = format!("{soon} of {all} play {within} us after the kill");
				return self.audit.violate(NodeId(0), Rule::Alive, what);
			}
		}
		let newest = self.next_segment();
		for number in 0..self.nodes.len() {
			let Role::Viewer {
				conduct: Conduct::Honest,
				samples: false,
			} = self.plan.nodes[number].0
			else {
				continue;
			};
			let Some(Actor::Viewer(viewer)) = &self.nodes[number].actor else {
				continue;
			};
			if viewer.left {
				continue;
			}
			let figures = &viewer.figures;
			let behind = figures
				.last
				.map_or(u64::MAX, |last| newest.saturating_sub(last.segment + 1));
			let node = NodeId(number as u32);
			match figures.recovered {
				_ if behind > LIED_TO => {
					let what = format!("is {behind} windows behind at the end");
					return self.audit.violate(node, Rule::Alive, what);
				},
				Some(took) if took <= RECOVERS => {},
				took => {
					let what = format!("plays {took:?} us after the last fault");
					return self.audit.violate(node, Rule::Alive, what);
				},
			}
		}
	}

	fn outcome(self) -> Outcome {
		let mut outcome = Outcome {
			violation: self.audit.violation().cloned(),
			events: self.events,
			calls: self.calls,
			reparents: self.net.reparents,
			caught: self.audit.all_caught(),
			lasted: self.net.now,
			made: self.next_segment(),
			..Outcome::default()
		};
		if outcome.violation.is_some() {
			outcome.trace = self.audit.trace(120);
		}
		if let Some(healed) = self.plan.healed {
			let took = |number: &usize| match (&self.plan.nodes[*number].0, &self.nodes[*number].actor) {
				(
					Role::Viewer {
						conduct: Conduct::Honest,
						samples: false,
					},
					Some(Actor::Viewer(viewer)),
				) if viewer.figures.joined.is_some() && !viewer.left => Some(viewer.figures.recovered.unwrap_or(Micros::MAX)),
				_ => None,
			};
			let slowest = (0..self.nodes.len()).max_by_key(took);
			let node = NodeId(slowest.unwrap_or_default() as u32);
			outcome.slowest = self.audit.trace_of(node, healed.saturating_sub(4 * SECOND), 60);
		}
		for Killed { viewer, at } in &self.killed {
			if let Some(Actor::Viewer(viewer)) = &self.nodes[viewer.0 as usize].actor {
				outcome.killed.push((viewer.figures.clone(), *at));
			}
		}
		for (number, (role, _)) in self.plan.nodes.iter().enumerate() {
			let sent = self.net.sent(NodeId(number as u32));
			match (role, &self.nodes[number].actor) {
				(Role::Origin, _) => outcome.sent[0] += sent,
				(Role::Relayer { offer, .. }, _) => {
					outcome.sent[1] += sent;
					outcome.chunks[0] += self.net.chunks_sent(NodeId(number as u32));
					outcome.paid += self.chain.paid(&offer.recipient);
				},
				(Role::Viewer { conduct, samples }, Some(Actor::Viewer(viewer))) => {
					outcome.sent[2] += sent;
					outcome.chunks[1] += self.net.chunks_sent(NodeId(number as u32));
					if *conduct == Conduct::Honest && !samples {
						outcome
							.recovered
							.extend(viewer.figures.recovered.filter(|_| !viewer.left));
						outcome.viewers.push(viewer.figures.clone());
						outcome.spent.push(self.chain.spent(&account_of(number)));
					}
				},
				_ => {},
			}
		}
		outcome
	}
}
