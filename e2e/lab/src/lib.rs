//! A network for tests, on kernels without `netem`: namespaces with a TUN device each, and one thread that passes packets between
//! them with the delay, loss, rate and queue that were asked for.
//!
//! | module | holds |
//! | --- | --- |
//! | [`draw`] | chance: a function of seed, link and packet |
//! | [`link`] | one direction of one line: what becomes of a packet, and when. Sans-IO |
//! | [`packet`] | what is read of an IPv4 packet, and rewritten |
//! | [`nat`] | what stands between a home and its line. Sans-IO |
//! | [`switch`] | all links, and the packets that are under way. Sans-IO |
//! | [`namespace`] | a namespace without a name, its TUN device, programs and sockets in it |
//! | [`star`] | the topology: nodes around a switch, each with its line; the thread that moves their packets |
//! | [`control`] | whether the machine was quick enough for what was measured on it |
//! | [`tcp`] | what the kernel's own transport gets out of a way |
//!
//! Nothing here knows ClusterCast: `e2e` puts the real programs on it, tests of other crates may put parts of them. No figure of
//! processor time is to be taken here: a TUN device has no segmentation offload.

pub mod control;
pub mod draw;
pub mod link;
pub mod namespace;
pub mod nat;
pub mod packet;
pub mod star;
pub mod switch;
pub mod tcp;

use nix::errno::Errno;
use std::io;

/// Why there is no network, or why it came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// This process may not make namespaces or TUN devices, or the kernel has none.
	#[error("no right to make network namespaces: {what}: {why}")]
	NoRight {
		/// What was tried.
		what: &'static str,
		/// What the kernel said.
		why: Errno,
	},
	/// A call of the system failed.
	#[error("{what}: {why}")]
	System {
		/// What was tried.
		what: &'static str,
		/// What the kernel said.
		why: io::Error,
	},
	/// More nodes than there are addresses.
	#[error("a star has at most {} nodes", star::MOST_NODES)]
	TooManyNodes,
	/// There is no node of this name.
	#[error("there is no node {0:?}")]
	NoSuchNode(String),
}

impl Error {
	/// Without the right to do `what`, tests are skipped; anything else is a failure.
	fn of(what: &'static str) -> impl Fn(io::Error) -> Self {
		move |why| match why.raw_os_error().map(Errno::from_raw) {
			Some(errno @ (Errno::EPERM | Errno::EACCES | Errno::ENOENT | Errno::ENODEV | Errno::ENOSPC)) => {
				Self::NoRight { what, why: errno }
			},
			_ => Self::System { what, why },
		}
	}
}
