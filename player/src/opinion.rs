//! Where the relayer that we watch from says that the broadcaster is away, others are asked, one at a time: they may know
//! better. Nothing is taken from them but the broadcaster's word, and nothing is paid.

use crate::{crew, roster::Relayer};
use clustercast_network::{node::ConnectError, Node, Stream, Subscription};
use clustercast_protocol::{viewer::Event, ViewerSession};
use std::{future::Future, pin::Pin, time::Duration};
use tokio::time::{timeout_at, Instant};

/// Between two questions: a relayer that lost its upstream is left within this and what an answer takes.
pub const PAUSE: Duration = Duration::from_secs(5);

/// Whoever does not answer within this knows nothing. Less than what connecting to nobody takes.
const ANSWER: Duration = Duration::from_secs(5);

/// Whom to ask next, and when; sans-IO.
#[derive(Clone, Debug)]
pub struct Rounds {
	others: Vec<Relayer>,
	next: usize,
	not_before: Duration,
}

impl Rounds {
	/// One after the other, over and over.
	pub fn new(others: Vec<Relayer>) -> Self {
		Self {
			others,
			next: 0,
			not_before: Duration::ZERO,
		}
	}

	/// Whom to ask now, if anybody.
	pub fn next(&mut self, now: Duration) -> Option<&Relayer> {
		if now < self.not_before || self.others.is_empty() {
			return None;
		}
		self.not_before = now + PAUSE;
		let at = self.next % self.others.len();
		self.next = at + 1;
		self.others.get(at)
	}
}

type Dial = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

/// A question under way.
pub struct Question {
	session: Option<ViewerSession>,
	dial: Dial,
	subscription: Option<Subscription>,
	deadline: Instant,
}

impl Question {
	/// Puts it to a relayer at these addresses, with a session that would subscribe as we do.
	pub fn put(node: Node, relayer: &Relayer, session: ViewerSession) -> Self {
		let relayer = relayer.clone();
		let dial = async move { crew::dial(&node, &relayer).await };
		Self {
			session: Some(session),
			dial: Box::pin(dial),
			subscription: None,
			deadline: Instant::now() + ANSWER,
		}
	}

	/// What it says next; `None` when there is nothing more to be expected. Cancel safe.
	pub async fn next(&mut self) -> Option<Event> {
		if self.subscription.is_none() {
			let stream = timeout_at(self.deadline, &mut self.dial).await.ok()?.ok()?;
			self.subscription = Some(Subscription::new(stream, self.session.take()?, ANSWER));
		}
		let next = self.subscription.as_mut()?.next();
		match timeout_at(self.deadline, next).await.ok()? {
			Ok(Event::Ended(_) | Event::Waiting) | Err(_) => None,
			Ok(event) => Some(event),
		}
	}

	/// The state machine of the subscription, once there is one.
	pub fn session(&mut self) -> Option<&mut ViewerSession> {
		self.subscription.as_mut().map(Subscription::session)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::roster::given;
	use clustercast_network::Address;
	use clustercast_primitives::crypto::KeyPair;

	#[test]
	fn others_are_asked_in_turn_and_not_all_the_time() {
		let address = |seed| Address::new("/ip4/127.0.0.1/udp/1/quic-v1", &KeyPair::from_seed([seed; 32]).public());
		let others = given(&[address(1).unwrap(), address(2).unwrap()]);
		let mut rounds = Rounds::new(others.clone());
		let mut asked = Vec::new();
		for tenth in 0..200 {
			let now = Duration::from_millis(100 * tenth);
			asked.extend(rounds.next(now).map(|relayer| (now, relayer.key)));
		}
		let expected: Vec<_> = (0..4).map(|n| (PAUSE * n, others[n as usize % 2].key)).collect();
		assert_eq!(asked, expected);
		assert!(Rounds::new(Vec::new()).next(Duration::ZERO).is_none());
	}
}
