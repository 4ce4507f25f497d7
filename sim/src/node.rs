//! What a node has at hand while it reacts, and how it behaves.

use crate::{
	audit::Audit,
	bugs::Bug,
	calendar::Micros,
	chain::{self, Chain},
	net::{BodyNo, ConnId, Net, NodeId},
	pool::Pool,
};
use bytes::Bytes;
use clustercast_primitives::BlockNumber;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
	/// As it should.
	Honest,
	/// A relayer that sends chunks with a bit flipped, one of so many.
	WrongChunks(u32),
	/// A relayer whose receipts ask a higher price.
	WrongReceipts,
	/// A relayer that announces and sends nothing.
	Withholds,
	/// A viewer that pays nothing.
	NeverPays,
	/// A viewer that pays with tickets that are not good.
	Forges,
	/// A viewer that sends what it paid with before.
	Replays,
}

/// See the module.
#[derive(Debug)]
pub struct Io<'a> {
	/// Who reacts.
	pub node: NodeId,
	/// Connections.
	pub net: &'a mut Net,
	/// The chain.
	pub chain: &'a mut Chain,
	/// Who looks on.
	pub audit: &'a mut Audit,
	/// What others have as well.
	pub pool: &'a mut Pool,
	/// Its chance.
	pub rng: &'a mut ChaCha8Rng,
	/// What honest nodes do wrong.
	pub bug: Option<Bug>,
}

impl Io<'_> {
	/// By now.
	pub fn now(&self) -> Micros {
		self.net.now
	}

	/// The same, as machines count time.
	pub fn time(&self) -> Duration {
		Duration::from_micros(self.net.now)
	}

	/// The chain's newest block.
	pub fn block(&self) -> BlockNumber {
		chain::block(self.net.now)
	}

	/// Whether an honest node has this bug.
	pub fn has(&self, bug: Bug) -> bool {
		self.bug == Some(bug) && self.audit.is_honest(self.node)
	}

	/// Calls a node.
	pub fn call(&mut self, other: NodeId) -> ConnId {
		self.audit.called(self.node, other);
		self.net.call(self.node, other)
	}

	/// Hangs up.
	pub fn close(&mut self, conn: ConnId) {
		self.net.close(conn, self.node);
	}

	/// It has made another source its parent.
	pub fn reparents(&mut self) {
		self.net.reparents += 1;
	}

	/// Sends a frame.
	pub fn frame(&mut self, conn: ConnId, frame: Bytes) {
		self.audit.frame(self.node, conn, &frame);
		self.net.frame(conn, self.node, frame);
	}

	/// Writes a chunk.
	pub fn chunk(&mut self, conn: ConnId, body: BodyNo, prefix: &Bytes, data: Bytes, last: bool) {
		if !data.is_empty() {
			self.audit.writes(self.node, conn, body, prefix, &data);
		}
		self.net.chunk(conn, self.node, body, data, last);
	}

	/// Is to be woken then.
	pub fn wake(&mut self, conn: Option<ConnId>, at: Micros) {
		self.net.wake(self.node, conn, at);
	}
}
