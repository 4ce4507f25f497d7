//! The connections that stand, by whom they are with. Those that we dialled, and those that somebody is served on, are not
//! counted; the rest are strangers, and bounded: where there is no room, one of them makes it ([`door`](crate::door)).

use crate::{
	door::{room, Member, Room, Source},
	node::Limits,
	quic::{Activity, Links},
};
use clustercast_primitives::PublicKey;
use quinn::Connection;
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;

/// A connection, and what uses it.
#[derive(Clone, Debug)]
pub struct Held {
	pub connection: Connection,
	pub activity: Arc<Activity>,
	/// The subscriptions that we opened on it.
	pub links: Arc<Links>,
	/// Of one that was accepted.
	caller: Option<Member>,
}

impl Held {
	/// Where the peer comes from now.
	pub fn source(&self) -> Source {
		self.connection.remote_address().ip().into()
	}

	/// Counted, where it is a stranger's.
	fn stranger(&self) -> Option<Member> {
		self.caller.filter(|_| !self.activity.is_vouched())
	}
}

/// See the module.
#[derive(Debug)]
pub struct Connections {
	limits: Limits,
	/// Newest last.
	by_peer: HashMap<PublicKey, Vec<Held>>,
}

impl Connections {
	/// None yet.
	pub fn new(limits: Limits) -> Self {
		Self {
			limits,
			by_peer: HashMap::new(),
		}
	}

	/// One that we dialled: whoever else is there, it is kept.
	pub fn dialled(&mut self, peer: PublicKey, connection: Connection) -> Held {
		self.keep(peer, connection, None)
	}

	/// One that somebody called with, and those that are to be closed for it: of the peer itself where it has too many, one
	/// of strangers where these are too many. `None` where there is no room.
	pub fn accepted(
		&mut self,
		peer: PublicKey,
		connection: Connection,
		now: Instant,
	) -> Option<(Held, Vec<Connection>)> {
		let source = Source::from(connection.remote_address().ip());
		let mut closing = Vec::new();
		let own = self.by_peer.get(&peer).map(Vec::as_slice).unwrap_or_default();
		if own.len() >= self.limits.connections_per_peer as usize {
			let oldest = own.iter().find(|held| held.caller.is_some())?;
			closing.push((peer, oldest.connection.clone()));
		} else {
			let strangers = self
				.by_peer
				.iter()
				.flat_map(|(peer, held)| held.iter().map(move |held| (peer, held)));
			let strangers: Vec<_> = strangers
				.filter_map(|(peer, held)| Some((peer, held, held.stranger()?)))
				.collect();
			let members: Vec<_> = strangers.iter().map(|(.., member)| *member).collect();
			match room(self.limits.strangers as usize, &members, source, now) {
				Room::Free => {},
				Room::Instead(at) => closing.push((*strangers[at].0, strangers[at].1.connection.clone())),
				Room::None => return None,
			}
		}
		closing
			.iter()
			.for_each(|(peer, connection)| self.remove(peer, connection));
		let held = self.keep(peer, connection, Some(Member { source, since: now }));
		Some((held, closing.into_iter().map(|(_, connection)| connection).collect()))
	}

	fn keep(&mut self, peer: PublicKey, connection: Connection, caller: Option<Member>) -> Held {
		let held = Held {
			connection,
			activity: Arc::new(Activity::new()),
			links: Arc::default(),
			caller,
		};
		self.by_peer.entry(peer).or_default().push(held.clone());
		held
	}

	/// It is over.
	pub fn remove(&mut self, peer: &PublicKey, connection: &Connection) {
		let Some(held) = self.by_peer.get_mut(peer) else {
			return;
		};
		held.retain(|held| held.connection.stable_id() != connection.stable_id());
		if held.is_empty() {
			self.by_peer.remove(peer);
		}
	}

	/// The newest with this peer that we dialled and that is not over. One that it called with is none to subscribe on: it may
	/// send us little.
	pub fn newest(&self, peer: &PublicKey) -> Option<Held> {
		let held = self.by_peer.get(peer)?;
		held.iter()
			.rev()
			.find(|held| held.caller.is_none() && held.connection.close_reason().is_none())
			.cloned()
	}
}
