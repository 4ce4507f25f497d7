//! Where a node has its windows from. Today that is one session at a time, with fail-over; a machine that takes them from several is to be
//! another [`Intake`]: viewers and relayers know nothing else of it.

use crate::{
	net::{ConnId, Input, NodeId},
	node::Io,
	single::Single,
};
use clustercast_primitives::{AccountId, PublicKey, SignedStatus};
use clustercast_protocol::EncodedWindow;

/// What came. Verified.
#[derive(Debug)]
pub enum Got {
	/// The next window.
	Window(EncodedWindow),
	/// What comes next may be behind a gap.
	Skipped,
	/// A newer word of the broadcaster.
	Status(Box<SignedStatus>),
}

/// Somebody to take windows from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
	/// Where.
	pub node: NodeId,
	/// Signs its receipts.
	pub key: PublicKey,
	/// Whom the chain pays; `None` where it serves for nothing.
	pub account: Option<AccountId>,
}

/// See the module. Reacts to what its own connections bring, and to being woken without naming one.
pub trait Intake {
	/// Begins.
	fn start(&mut self, io: &mut Io<'_>);
	/// Whether a connection is its own.
	fn has(&self, conn: ConnId) -> bool;
	/// Something happened to it.
	fn on(&mut self, input: Input, io: &mut Io<'_>);
	/// What came next.
	fn poll(&mut self) -> Option<Got>;
	/// Wants no more: pays what it has, and hangs up.
	fn leave(&mut self, io: &mut Io<'_>);
}

/// The kinds there are.
#[derive(Debug)]
pub enum Any {
	/// One session at a time.
	Single(Box<Single>),
}

impl Any {
	/// The machine.
	pub fn machine(&mut self) -> &mut dyn Intake {
		match self {
			Self::Single(single) => &mut **single,
		}
	}

	/// Whether a connection is its own.
	pub fn has(&self, conn: ConnId) -> bool {
		match self {
			Self::Single(single) => single.has(conn),
		}
	}
}
