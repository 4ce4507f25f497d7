//! The connections that stand, by whom they are with.

use crate::{node::Limits, quic::Activity};
use clustercast_primitives::PublicKey;
use quinn::Connection;
use std::{collections::HashMap, sync::Arc};

/// A connection, and what uses it.
#[derive(Clone, Debug)]
pub struct Held {
	pub connection: Connection,
	pub activity: Arc<Activity>,
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

	/// One more; `None` where that is too many.
	pub fn add(&mut self, peer: PublicKey, connection: Connection) -> Option<Held> {
		let in_all: usize = self.by_peer.values().map(Vec::len).sum();
		let of_peer = self.by_peer.get(&peer).map_or(0, Vec::len);
		if in_all >= self.limits.connections as usize || of_peer >= self.limits.connections_per_peer as usize {
			return None;
		}
		let held = Held {
			connection,
			activity: Arc::new(Activity::new()),
		};
		self.by_peer.entry(peer).or_default().push(held.clone());
		Some(held)
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

	/// The newest with this peer that is not over.
	pub fn newest(&self, peer: &PublicKey) -> Option<Held> {
		let held = self.by_peer.get(peer)?;
		held.iter()
			.rev()
			.find(|held| held.connection.close_reason().is_none())
			.cloned()
	}
}
