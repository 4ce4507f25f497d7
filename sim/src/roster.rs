//! Whom a receiver tries next: `player/src/roster.rs` without prices, which are the same for all here, and without the end of a broadcast,
//! which does not come. Of those who are ready the one that failed least often in a row is first: seed 36 (liveness) had three relayers at
//! the head of a viewer's order that bring nothing, and each was ready again before any other was tried, for a minute and a half. And who failed is not asked for a window that those who answer
//! no longer have: in a drill viewers called relayers that were down, five seconds each, for minutes before they went on live.

use crate::{
	calendar::{Micros, SECOND},
	intake::Taste,
	net::NodeId,
	node::Conduct,
};
use clustercast_primitives::chain::TicketRefusal;
use clustercast_protocol::{EndReason, TicketError};

/// Rest after a first failure; doubles with each further one in a row.
const FIRST_REST: Micros = SECOND;

/// The same of one that announces what it does not bring, whatever it brings in between; and longest.
const SHORT_REST: Micros = 15 * SECOND;
const LONGEST_SHORT_REST: Micros = 1_800 * SECOND;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
	/// Never again.
	Fault,
	/// The same: its terms, or its refusal.
	Refused,
	/// Again after a rest.
	Failed,
	/// Again after the longest rest.
	Later,
	/// It announces what it does not bring: again after a rest that is longer each time.
	Short,
	/// It no longer has the window to go on behind.
	Gone,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
	/// Try this one.
	Try(NodeId),
	/// Nobody before this.
	Wait(Micros),
	/// Nobody has the next window: begin live.
	GoLive,
	/// Everyone is out.
	Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
	Ready,
	Resting(Micros),
	Gone,
	Out,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
	node: NodeId,
	standing: Standing,
	failures: u32,
	/// How often it announced what it did not bring.
	shorts: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Roster {
	longest: Micros,
	rests: bool,
	candidates: Vec<Candidate>,
}

impl Candidate {
	fn new(node: NodeId) -> Self {
		Self {
			node,
			standing: Standing::Ready,
			failures: 0,
			shorts: 0,
		}
	}
}

impl Roster {
	/// In this order; no rest is longer than this.
	pub fn new(nodes: impl IntoIterator<Item = NodeId>, longest: Micros) -> Self {
		Self {
			longest,
			rests: true,
			candidates: nodes.into_iter().map(Candidate::new).collect(),
		}
	}

	/// A bug: whoever failed is ready at once.
	pub fn never_rest(&mut self) {
		self.rests = false;
	}

	fn ready(&self, now: Micros) -> impl Iterator<Item = &Candidate> + '_ {
		self.candidates
			.iter()
			.filter(move |candidate| match candidate.standing {
				Standing::Ready => true,
				Standing::Resting(until) => until <= now,
				Standing::Gone | Standing::Out => false,
			})
	}

	/// What to do now.
	pub fn next(&mut self, now: Micros) -> Next {
		let is_gone = self
			.candidates
			.iter()
			.any(|candidate| candidate.standing == Standing::Gone);
		let next = self
			.ready(now)
			.min_by_key(|candidate| (candidate.failures, candidate.shorts));
		if let Some(next) = next.filter(|next| next.failures == 0 || !is_gone) {
			return Next::Try(next.node);
		}
		if is_gone {
			self.forget_gone();
			return Next::GoLive;
		}
		let rests = self.candidates.iter().filter_map(|candidate| match candidate.standing {
			Standing::Resting(until) => Some(until),
			_ => None,
		});
		rests.min().map_or(Next::Nobody, Next::Wait)
	}

	/// Whoever else could be tried.
	pub fn others(&self, than: NodeId, now: Micros) -> Vec<NodeId> {
		self.ready(now)
			.map(|candidate| candidate.node)
			.filter(|node| *node != than)
			.collect()
	}

	/// One that could be tried and is not among these: of those that failed least often in a row the first.
	pub fn standby(&self, than: &[NodeId], now: Micros) -> Option<NodeId> {
		let others = self.ready(now).filter(|candidate| !than.contains(&candidate.node));
		let first = others.min_by_key(|candidate| (candidate.shorts, candidate.failures));
		first.map(|candidate| candidate.node)
	}

	/// How an attempt ended; `served`: it brought a window.
	pub fn report(&mut self, node: NodeId, ending: Ending, served: bool, now: Micros) {
		if served {
			self.forget_gone();
		}
		let (longest, rests) = (self.longest, self.rests);
		let Some(candidate) = self.candidates.iter_mut().find(|other| other.node == node) else {
			return;
		};
		if served {
			candidate.failures = 0;
		}
		candidate.standing = match ending {
			Ending::Fault | Ending::Refused => Standing::Out,
			Ending::Gone => Standing::Gone,
			Ending::Failed => {
				let rest = (FIRST_REST << candidate.failures.min(16)).min(longest);
				candidate.failures += 1;
				Standing::Resting(now + if rests { rest } else { 0 })
			},
			Ending::Later => Standing::Resting(now + longest),
			Ending::Short => {
				let rest = (SHORT_REST << candidate.shorts.min(16)).min(LONGEST_SHORT_REST);
				candidate.shorts += 1;
				Standing::Resting(now + if rests { rest } else { 0 })
			},
		};
	}

	fn forget_gone(&mut self) {
		let gone = self
			.candidates
			.iter_mut()
			.filter(|candidate| candidate.standing == Standing::Gone);
		gone.for_each(|candidate| candidate.standing = Standing::Ready);
	}
}

/// What sources refused last: the rows of `pay/src/refusal.rs` that come here.
#[derive(Debug, Default)]
pub struct Refusals {
	/// The reason of the last end, as long as nothing was paid since.
	last: Option<EndReason>,
}

impl Refusals {
	/// Somebody took a payment.
	pub fn paid(&mut self) {
		self.last = None;
	}

	/// What a source's reason to end means.
	pub fn ending(&mut self, reason: EndReason, taste: &Taste) -> Ending {
		let again = self.last.replace(reason) == Some(reason);
		match reason {
			EndReason::WindowGone if !taste.player => Ending::Failed,
			EndReason::WindowGone => Ending::Gone,
			_ if !taste.player || reason.is_own() => Ending::Failed,
			EndReason::Finished | EndReason::NotServed | EndReason::Full => Ending::Failed,
			EndReason::Idle | EndReason::Replaced | EndReason::PriceRose => Ending::Failed,
			EndReason::ReservationNeeded | EndReason::SeatsTaken if again => Ending::Later,
			EndReason::IdleLately(_) => Ending::Later,
			EndReason::TicketRefused(TicketError::Chain(TicketRefusal::Expired | TicketRefusal::ExpiryTooFar))
				if again =>
			{
				Ending::Later
			},
			EndReason::NotAllowed | EndReason::Denied | EndReason::PaymentRequired | EndReason::WrongChain => {
				Ending::Refused
			},
			_ if again && taste.conduct == Conduct::Honest => Ending::Refused,
			_ => Ending::Failed,
		}
	}
}
