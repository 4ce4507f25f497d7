//! Which of several nodes is asked: the policy, sans-IO.
//!
//! The first in the list that answers is asked. Another one is gone to when the connection ends, when the head of the one that is
//! asked stands still and another one's rises, or when it has fallen behind another one by more than a few blocks. A chain that
//! stands still itself moves nobody: no node is further. Who was left is gone back to when it followed the chain for a while and
//! comes earlier in the list.
//!
//! What a node says of its height proves nothing: only how that grows can be judged, since a chain makes at most one block in each
//! block's time. More than that counts as nothing, and so does a lead that was there when the node was looked at first: ahead is who
//! has gained on the one that is asked. How far the chain is counts as known once the heads of the one that is asked have risen
//! steadily; until then the order of the list decides. A node whose heads go on while requests hang is left for one that answers the
//! same request. Who was left because it stood still, or did not answer, rests before it is taken again.
//!
//! So whoever invents blocks at just the chain's pace is believed where it comes first in the list; where an honest one does, that
//! one is gone back to.
//!
//! A node of another chain is never asked anything but which chain it has, and that seldom. Which chain is the right one is
//! decided once, by the first in the list that answers at the start.

use crate::tip;
use clustercast_primitives::{BlockNumber, Hash};
use std::{
	collections::VecDeque,
	fmt,
	time::{Duration, Instant},
};

/// Behind another node by more blocks than this, a node is left. Nodes on slow lines are one or two behind.
const BEHIND: BlockNumber = 5;

/// A node whose head stands still is left for one that is so much further: not because one heard of a block a moment sooner.
const AHEAD: BlockNumber = 2;

/// How often those that are not asked for anything are looked at.
const STANDBY: Duration = Duration::from_secs(30);

/// The same while the one that is asked is not whole, at first; less often as that lasts, as where the chain itself stands still.
const HURRY: Duration = Duration::from_secs(5);

/// How long a node of another chain is left alone.
const STRANGER: Duration = Duration::from_secs(60);

/// How long one that was left must have been whole before it is gone back to.
const BACK: Duration = Duration::from_secs(300);

/// Nor is it gone back to where it is further behind than this: by then it does not follow, or what the one that is asked says is
/// long refuted by time.
const NEAR: BlockNumber = 30;

/// With one that answered at hand, how long the others are waited for.
const GRACE: Duration = Duration::from_secs(1);

/// Pauses between attempts where no node is at hand: doubled up to one block.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Heads that rose for so many blocks' time as a chain does, and by half as many blocks at least, say where it is.
const STEADY: u32 = 15;

/// By more than this the head of a node that is asked does not rise faster than the chain can: below [`BEHIND`], so that nobody is
/// left for one that is ahead by what nobody can know.
const REACH: BlockNumber = BEHIND - 1;

/// How long nobody says anything that can be, until what was known counts no more: this machine may have slept.
const UNKNOWN: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
	/// Connect to this node anew and ask which chain it has and how far it is.
	Ask(usize),
	/// From now on everything is asked of this one, over the connection on which it answered last.
	Use(usize, Why),
	/// Put the request that hangs to this one, over the connection on which it answered, and say how that went: [`Choice::tried`].
	Try(usize),
	/// The connection on which this one answered is not needed.
	Discard(usize),
	/// Tell the person.
	Say(Remark),
}

/// Why a node is asked from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
	/// The first one at the start.
	First,
	/// The connection to the one before, or to this one, ended.
	Ended(String),
	/// The head of the one before stood still for so long; or the connection was dead and says so only now.
	Still(Duration),
	/// The one before was so many blocks behind.
	Behind(BlockNumber),
	/// The one before left a request unanswered that this one answered.
	Unanswered,
	/// It comes first in the list and has been whole for a while.
	Back,
}

/// Something about a node that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
	/// It cannot be asked. Said once until it can.
	Trouble(usize, String),
	/// It has another chain. Said once for each.
	Stranger {
		/// Which node.
		node: usize,
		/// Its chain.
		genesis: Hash,
		/// Ours.
		ours: Hash,
	},
}

impl fmt::Display for Why {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::First => f.write_str("it is the first that answers"),
			Self::Ended(reason) => write!(f, "the connection ended: {reason}"),
			Self::Still(time) => write!(f, "nothing new was heard for {} s", time.as_secs()),
			Self::Behind(blocks) => write!(f, "the one before is {blocks} blocks behind"),
			Self::Unanswered => f.write_str("the one before does not answer what this one does"),
			Self::Back => f.write_str("it comes first in the list and is whole again"),
		}
	}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
	/// To be asked from then on.
	Due(Instant),
	/// Being asked.
	Asked,
}

#[derive(Debug)]
struct Node {
	turn: Turn,
	pause: Duration,
	/// It was said that it cannot be asked.
	told: bool,
	/// The other chain that it has, which was said.
	stranger: Option<Hash>,
	/// It answered while no node is asked: its chain, how far it is.
	answer: Option<(Hash, BlockNumber)>,
	/// Since when it was found whole each time.
	whole: Option<Instant>,
	/// The request that hangs is put to it, which is at this block.
	tried: Option<BlockNumber>,
	/// How its head rose while it was looked at.
	trail: Option<Trail>,
	/// It stood still, or did not answer: not taken again until then.
	rests: Option<Instant>,
}

/// The heads of a node that is not asked, as long as they rise no faster than a chain's do.
#[derive(Clone, Copy, Debug)]
struct Trail {
	first: BlockNumber,
	/// When that was.
	at: Instant,
	/// Where the one that is asked was then.
	asked: BlockNumber,
	last: BlockNumber,
}

impl Trail {
	fn rose(&self) -> BlockNumber {
		self.last.saturating_sub(self.first)
	}
}

/// How far the chain is, by what could be true.
#[derive(Clone, Copy, Debug)]
struct Known {
	best: BlockNumber,
	/// It can be here at most,
	most: BlockNumber,
	/// as of this moment.
	at: Instant,
	/// From when on heads rose as a chain's do, and from where.
	since: Instant,
	first: BlockNumber,
	/// When somebody said something last that could be.
	heard: Instant,
}

/// The node that is asked.
#[derive(Debug)]
struct Asked {
	node: usize,
	best: BlockNumber,
	/// When that became known.
	rose: Instant,
	/// Whether it was noticed that it is late.
	late: bool,
	/// Since when a request that it was asked hangs.
	hangs: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct Choice {
	nodes: Vec<Node>,
	block_time: Duration,
	known: Option<Known>,
	/// Genesis of our chain.
	ours: Option<Hash>,
	asked: Option<Asked>,
	/// Why none is asked.
	why: Why,
	/// The highest block that a node which was asked ever told of.
	seen: BlockNumber,
	/// When the first of those at hand answered.
	at_hand: Option<Instant>,
	actions: VecDeque<Action>,
}

impl Choice {
	/// Among so many nodes, in the order in which they are preferred, of a chain with a block in each `block_time`.
	pub fn new(nodes: usize, block_time: Duration, now: Instant) -> Self {
		let fresh = || Node {
			turn: Turn::Due(now),
			pause: PAUSES.0,
			told: false,
			stranger: None,
			answer: None,
			whole: None,
			tried: None,
			trail: None,
			rests: None,
		};
		Self {
			nodes: (0..nodes).map(|_| fresh()).collect(),
			block_time,
			known: None,
			ours: None,
			asked: None,
			why: Why::First,
			seen: 0,
			at_hand: None,
			actions: VecDeque::new(),
		}
	}

	/// The chain makes a block in each so long.
	pub fn set_block_time(&mut self, block_time: Duration) {
		self.block_time = block_time;
	}

	fn late(&self) -> Duration {
		self.block_time.saturating_mul(tip::LATE)
	}

	/// The node that is asked.
	#[cfg(test)]
	pub fn in_use(&self) -> Option<usize> {
		self.asked.as_ref().map(|asked| asked.node)
	}

	/// The one that is asked tells of this block.
	pub fn head(&mut self, best: BlockNumber, now: Instant) {
		if self.asked.is_none() || !self.note(best, now) {
			return;
		}
		let Some(asked) = &self.asked else {
			return;
		};
		// It was found to be where it had said that it was: nobody has lost what others gained meanwhile.
		let passed = self.blocks(now.saturating_duration_since(asked.rose));
		if best > asked.best.saturating_add(passed).saturating_add(BEHIND) {
			self.nodes.iter_mut().for_each(|state| state.trail = None);
		}
		if let Some(asked) = self.asked.as_mut().filter(|asked| best > asked.best) {
			(asked.best, asked.rose, asked.late) = (best, now, false);
		}
		self.seen = self.seen.max(best);
	}

	/// Blocks that a chain makes at most within this.
	fn blocks(&self, time: Duration) -> BlockNumber {
		let blocks = time.as_nanos() / self.block_time.as_nanos().max(1);
		BlockNumber::try_from(blocks).unwrap_or(BlockNumber::MAX)
	}

	/// Whether the chain can be at this block by now, going by the heads of who is asked. Not known where nobody has said for long what
	/// can be.
	fn can_be(&self, best: BlockNumber, now: Instant) -> bool {
		let heard = |known: &Known| now.saturating_duration_since(known.heard) < UNKNOWN;
		let known = self.known.as_ref().filter(|known| heard(known));
		known.is_none_or(|known| best <= self.by_now(known, now))
	}

	/// Whether it is known where the chain is.
	fn is_steady(&self, now: Instant) -> bool {
		self.known.as_ref().is_some_and(|known| {
			let long = now.saturating_duration_since(known.since) >= self.block_time.saturating_mul(STEADY);
			long && known.best.saturating_sub(known.first) >= STEADY / 2
		})
	}

	/// Where the chain is at most by now.
	fn by_now(&self, known: &Known, now: Instant) -> BlockNumber {
		let passed = self.blocks(now.saturating_duration_since(known.at));
		known.most.saturating_add(passed)
	}

	/// The node that is asked is at this block; whether that can be.
	fn note(&mut self, best: BlockNumber, now: Instant) -> bool {
		if !self.can_be(best, now) {
			return false;
		}
		let most = best.saturating_add(REACH);
		let fresh = Known {
			best,
			most,
			at: now,
			since: now,
			first: best,
			heard: now,
		};
		self.known = Some(match self.known {
			Some(known) if best <= self.by_now(&known, now) => Known {
				// Who is behind says nothing of how far the chain is.
				heard: if best > self.seen { now } else { known.heard },
				best: known.best.max(best),
				..match best >= known.best && most < self.by_now(&known, now) {
					// The chain left out blocks.
					true => Known { most, at: now, ..known },
					false => known,
				}
			},
			_ => fresh,
		});
		true
	}

	/// A node that is not asked was looked at, or the one that is on another connection: how its head rose.
	fn follow(&mut self, node: usize, best: BlockNumber, asked: BlockNumber, now: Instant) -> Trail {
		let kept = self.nodes[node].trail.filter(|trail| {
			let passed = self.blocks(now.saturating_duration_since(trail.at));
			let most = trail.first.saturating_add(passed).saturating_add(AHEAD);
			// Another fork may be shorter for a moment.
			(trail.last.saturating_sub(AHEAD)..=most).contains(&best)
		});
		let trail = Trail {
			last: best,
			..kept.unwrap_or(Trail {
				first: best,
				at: now,
				asked,
				last: best,
			})
		};
		self.nodes[node].trail = Some(trail);
		trail
	}

	/// Whether it is not to be taken yet. Who is asked may do so badly that there is no better, or for so long.
	fn rests(&self, node: usize, now: Instant) -> bool {
		let resting = |state: &Node| state.rests.is_some_and(|until| now < until);
		if !resting(&self.nodes[node]) {
			return false;
		}
		let Some(asked) = &self.asked else {
			return true;
		};
		let others = self.nodes.iter().enumerate();
		let mut others = others.filter(|(other, _)| *other != node && *other != asked.node);
		let is_other = others.any(|(_, state)| state.whole.is_some() && !resting(state));
		let since = asked.hangs.or(asked.late.then_some(asked.rose));
		since.is_none_or(|since| is_other && now.saturating_duration_since(since) < self.late() * 3)
	}

	/// A request that was put to the node that is asked has waited for long: others are asked at once, and tried with it.
	pub fn hangs(&mut self, now: Instant) {
		let Some(asked) = self.asked.as_mut().filter(|asked| asked.hangs.is_none()) else {
			return;
		};
		asked.hangs = Some(now);
		let node = asked.node;
		self.look_at_once(now, |other| other != node);
	}

	/// Nothing hangs any more.
	pub fn answers(&mut self) {
		if let Some(asked) = &mut self.asked {
			asked.hangs = None;
		}
	}

	/// Whether a node answered the request that hangs.
	pub fn tried(&mut self, node: usize, answered: bool, now: Instant) {
		let Some(best) = self.nodes[node].tried.take() else {
			return;
		};
		let hangs = self
			.asked
			.as_ref()
			.is_some_and(|asked| asked.hangs.is_some() && asked.node != node);
		match hangs && answered {
			true => self.use_node(node, best, Why::Unanswered, now),
			false => {
				// What takes all of them so long is not asked of each over and over.
				self.nodes[node].turn = Turn::Due(now + STANDBY);
				self.actions.push_back(Action::Discard(node));
			},
		}
	}

	/// A node that was to be asked has this chain, and is so far.
	pub fn answered(&mut self, node: usize, genesis: Hash, best: BlockNumber, now: Instant) {
		let next = self.next_look(now);
		let state = &mut self.nodes[node];
		(state.told, state.pause) = (false, PAUSES.0);
		if let Some(ours) = self.ours.filter(|ours| *ours != genesis) {
			self.actions.push_back(Action::Discard(node));
			self.set_aside(node, genesis, ours, now);
			return;
		}
		(state.turn, state.stranger) = (Turn::Due(next), None);
		let Some(asked) = &self.asked else {
			state.answer = Some((genesis, best));
			self.at_hand.get_or_insert(now);
			self.decide(now);
			return;
		};
		let (in_use, hangs, asked_best) = (asked.node, asked.hangs.is_some(), asked.best);
		let can_be = self.can_be(best, now);
		let is_level = can_be && best.saturating_add(BEHIND) >= asked_best;
		if let (true, Some(known)) = (is_level, &mut self.known) {
			known.heard = now;
		}
		let had = self.nodes[node].trail.is_some();
		let trail = self.follow(node, best, asked_best, now);
		let passed = self.blocks(now.saturating_duration_since(trail.at));
		// What a chain leaves out at most; of one that was looked at once nothing is known.
		let follows = trail.rose() + AHEAD >= passed / 2 && (trail.at < now || !had);
		if !follows {
			self.nodes[node].trail = Some(Trail {
				first: best,
				at: now,
				asked: asked_best,
				last: best,
			});
		}
		let whole = can_be && follows && best.saturating_add(NEAR) >= asked_best;
		let state = &mut self.nodes[node];
		state.whole = whole.then(|| state.whole.unwrap_or(now));
		let rests = self.rests(node, now);
		let none_tried = self.nodes.iter().all(|node| node.tried.is_none());
		let tries = hangs && is_level && node != in_use && none_tried && !rests;
		match self.why_better(node, best, &trail, now).filter(|_| !rests) {
			Some(why) => self.use_node(node, best, why, now),
			None if tries => {
				self.nodes[node].tried = Some(best);
				self.actions.push_back(Action::Try(node));
			},
			None => self.actions.push_back(Action::Discard(node)),
		}
	}

	/// A node that was to be asked cannot be.
	pub fn failed(&mut self, node: usize, reason: String, now: Instant) {
		let next = self.next_look(now);
		let state = &mut self.nodes[node];
		(state.whole, state.trail) = (None, None);
		state.turn = Turn::Due(match self.asked {
			Some(_) => next,
			None => now + state.pause,
		});
		state.pause = (state.pause * 2).min(PAUSES.1);
		if !std::mem::replace(&mut state.told, true) {
			self.actions.push_back(Action::Say(Remark::Trouble(node, reason)));
		}
		self.decide(now);
	}

	/// The connection to the node that is asked ended.
	pub fn lost(&mut self, reason: String, now: Instant) {
		if self.asked.take().is_none() {
			return;
		}
		(self.why, self.at_hand) = (Why::Ended(reason), None);
		for state in &mut self.nodes {
			(state.answer, state.tried, state.pause) = (None, None, PAUSES.0);
			if state.stranger.is_none() {
				state.turn = match state.turn {
					Turn::Due(_) => Turn::Due(now),
					Turn::Asked => Turn::Asked,
				};
			}
		}
	}

	/// What is to be done next, until there is nothing.
	pub fn poll(&mut self, now: Instant) -> Option<Action> {
		self.decide(now);
		if let Some(action) = self.actions.pop_front() {
			return Some(action);
		}
		self.notice_lateness(now);
		let due = (0..self.nodes.len()).find(|node| self.due(*node).is_some_and(|due| due <= now))?;
		self.nodes[due].turn = Turn::Asked;
		Some(Action::Ask(due))
	}

	/// When to look again, if nothing happens before.
	pub fn wake(&self) -> Option<Instant> {
		let asked = self.asked.as_ref().filter(|asked| !asked.late);
		let late = asked.map(|asked| asked.rose + self.late());
		let decision = self.at_hand.filter(|_| self.asked.is_none()).map(|since| since + GRACE);
		let due = (0..self.nodes.len()).filter_map(|node| self.due(node)).min();
		[late, decision, due].into_iter().flatten().min()
	}

	/// When this one is to be asked. The one in use is asked anew only where its connection may be dead; one that answered waits.
	fn due(&self, node: usize) -> Option<Instant> {
		let state = &self.nodes[node];
		let busy = match &self.asked {
			Some(asked) => (asked.node == node && !asked.late) || state.tried.is_some(),
			None => state.answer.is_some(),
		};
		match state.turn {
			Turn::Due(due) if !busy => Some(due),
			_ => None,
		}
	}

	/// As the head of the one that is asked has not risen for long: the others are asked at once, and it on another connection.
	fn notice_lateness(&mut self, now: Instant) {
		let late = self.late();
		let Some(asked) = &mut self.asked else {
			return;
		};
		if asked.late || now.saturating_duration_since(asked.rose) < late {
			return;
		}
		asked.late = true;
		// Who rises from here on rises while this one stands still.
		self.nodes.iter_mut().for_each(|state| state.trail = None);
		self.look_at_once(now, |_| true);
	}

	fn look_at_once(&mut self, now: Instant, at: impl Fn(usize) -> bool) {
		for (node, state) in self.nodes.iter_mut().enumerate() {
			if let (Turn::Due(due), None, true) = (state.turn, state.stranger, at(node)) {
				state.turn = Turn::Due(due.min(now));
			}
		}
	}

	/// When a node is looked at again that was looked at now.
	fn next_look(&self, now: Instant) -> Instant {
		let pause = match &self.asked {
			Some(asked) if asked.late => now.saturating_duration_since(asked.rose).clamp(HURRY, STANDBY),
			Some(asked) if asked.hangs.is_some() || asked.best.saturating_add(BEHIND) < self.seen => HURRY,
			_ => STANDBY,
		};
		now + pause
	}

	/// Why to go from the one that is asked to this one, which is so far, where there is a reason.
	fn why_better(&self, node: usize, best: BlockNumber, trail: &Trail, now: Instant) -> Option<Why> {
		let asked = self.asked.as_ref()?;
		let ahead = best.saturating_sub(asked.best);
		let can_be = self.can_be(best, now);
		if asked.late && (trail.rose() >= AHEAD || (can_be && ahead >= AHEAD)) {
			return Some(Why::Still(now.saturating_duration_since(asked.rose)));
		}
		if node == asked.node {
			return None;
		}
		if ahead > BEHIND {
			let gained = trail.rose().saturating_sub(asked.best.saturating_sub(trail.asked));
			let known = self.known.as_ref().filter(|_| can_be && self.is_steady(now));
			if gained > BEHIND || known.is_some_and(|known| asked.best.saturating_add(BEHIND) < known.best) {
				return Some(Why::Behind(ahead));
			}
		}
		let since = self.nodes[node].whole.filter(|_| node < asked.node)?;
		(now.saturating_duration_since(since) >= BACK).then_some(Why::Back)
	}

	/// Where no node is asked: the one to be asked, once enough have answered.
	fn decide(&mut self, now: Instant) {
		let Some(since) = self.at_hand.filter(|_| self.asked.is_none()) else {
			return;
		};
		let waits = self.nodes.iter().any(|state| state.turn == Turn::Asked);
		if waits && now.saturating_duration_since(since) < GRACE {
			return;
		}
		let answers = |nodes: &[Node]| -> Vec<(usize, Hash, BlockNumber)> {
			let all = nodes.iter().enumerate();
			all.filter_map(|(node, state)| state.answer.map(|(genesis, best)| (node, genesis, best)))
				.collect()
		};
		let at_hand = answers(&self.nodes);
		let Some(ours) = self.ours.or(at_hand.first().map(|(_, genesis, _)| *genesis)) else {
			return;
		};
		self.ours = Some(ours);
		let (friends, strangers): (Vec<_>, Vec<_>) = at_hand.into_iter().partition(|(_, genesis, _)| *genesis == ours);
		for (node, genesis, _) in strangers {
			self.actions.push_back(Action::Discard(node));
			self.set_aside(node, genesis, ours, now);
		}
		// Who rests is asked where there is nobody else.
		let (resting, rested): (Vec<_>, Vec<_>) = friends.iter().partition(|(node, _, _)| self.rests(*node, now));
		let at_best: Vec<&(usize, Hash, BlockNumber)> = if rested.is_empty() { resting } else { rested };
		// And so is who says what cannot be: it is no better than who is behind.
		let credible = |best: BlockNumber| if self.can_be(best, now) { best } else { 0 };
		let highest = at_best
			.iter()
			.map(|(_, _, best)| credible(*best))
			.max()
			.unwrap_or(0)
			.max(self.seen);
		// As long as nobody knows how far the chain is, the order of the list decides.
		let first = at_best.first().filter(|_| !self.is_steady(now));
		let whole = || {
			let mut all = at_best.iter();
			all.find(|(_, _, best)| credible(*best).saturating_add(BEHIND) >= highest)
		};
		// Of those that are all behind the one that is furthest, and of equals the first.
		let furthest = || at_best.iter().rev().max_by_key(|(_, _, best)| credible(*best));
		let Some(&&(node, _, best)) = first.or_else(whole).or_else(furthest) else {
			self.at_hand = None;
			return;
		};
		let why = self.why.clone();
		self.use_node(node, best, why, now);
		for &(other, _, _) in friends.iter().filter(|(other, _, _)| *other != node) {
			self.actions.push_back(Action::Discard(other));
		}
	}

	fn use_node(&mut self, node: usize, best: BlockNumber, why: Why, now: Instant) {
		let left = self.asked.as_ref().map(|asked| asked.node).filter(|left| *left != node);
		if let (Some(left), Why::Still(_) | Why::Unanswered) = (left, &why) {
			self.nodes[left].rests = Some(now + BACK);
		}
		self.nodes[node].rests = None;
		if matches!(why, Why::Still(_) | Why::Behind(_) | Why::Back) {
			// What was known was said by who is left.
			(self.known, self.seen) = (None, 0);
		}
		self.actions.push_back(Action::Use(node, why));
		// Who says what cannot be is asked where there is nobody else, and left for whoever comes.
		let best = if self.note(best, now) { best } else { 0 };
		self.seen = self.seen.max(best);
		self.asked = Some(Asked {
			node,
			best,
			rose: now,
			late: false,
			hangs: None,
		});
		self.at_hand = None;
		let next = self.next_look(now);
		for state in &mut self.nodes {
			(state.answer, state.whole, state.tried, state.trail) = (None, None, None, None);
			if let (Turn::Due(_), None) = (state.turn, state.stranger) {
				state.turn = Turn::Due(next);
			}
		}
	}

	fn set_aside(&mut self, node: usize, genesis: Hash, ours: Hash, now: Instant) {
		let state = &mut self.nodes[node];
		(state.turn, state.answer, state.whole, state.trail) = (Turn::Due(now + STRANGER), None, None, None);
		if state.stranger.replace(genesis) != Some(genesis) {
			let remark = Remark::Stranger { node, genesis, ours };
			self.actions.push_back(Action::Say(remark));
		}
	}
}

#[cfg(test)]
mod tests;
