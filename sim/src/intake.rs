//! Where a node has its windows from: one session at a time, with fail-over, or several at once. Viewers and relayers know nothing else
//! of it.

use crate::{
	calendar::{Micros, SECOND},
	net::{ConnId, Input, NodeId},
	node::{Conduct, Io},
	several::Several,
	single::Single,
};
use clustercast_primitives::{AccountId, PublicKey, SignedStatus};
use clustercast_protocol::EncodedWindow;

/// At the end, how long receipts and acknowledgements are waited for.
pub const SETTLE: Micros = 3 * SECOND;

/// Who begins live is given no window that ended longer ago, milliseconds.
pub const OLDEST_START_MS: u64 = 30_000;

/// How a node receives.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
	/// As a player: who is caught is never called again, and others are asked where the broadcaster is away.
	pub player: bool,
	/// How long a window may take that exists.
	pub stall: Micros,
	/// Longest rest of who failed.
	pub rest: Micros,
	/// Takes announcements, and some ranges.
	pub samples: bool,
	/// Sources that stand by.
	pub standbys: usize,
	/// How it pays.
	pub conduct: Conduct,
}

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
	/// Micro-USDC per 10^9 bytes.
	pub price: u64,
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
	/// It is gone, and begins again with what is on the disk, and sources in this order.
	fn crash(&mut self, order: Vec<NodeId>);
}

/// The kinds there are.
#[derive(Debug)]
pub enum Any {
	/// One session at a time.
	Single(Box<Single>),
	/// Several.
	Several(Box<Several>),
}

impl Any {
	/// The machine.
	pub fn machine(&mut self) -> &mut dyn Intake {
		match self {
			Self::Single(single) => &mut **single,
			Self::Several(several) => &mut **several,
		}
	}

	/// Whom windows come from by themselves.
	pub fn parent(&self) -> Option<NodeId> {
		match self {
			Self::Single(single) => single.parent(),
			Self::Several(several) => several.parent(),
		}
	}

	/// Whether a connection is its own.
	pub fn has(&self, conn: ConnId) -> bool {
		match self {
			Self::Single(single) => single.has(conn),
			Self::Several(several) => several.has(conn),
		}
	}
}
