//! One publisher's connection, the server's side: bytes in, bytes and events out. No socket, no clock.
//!
//! ```text
//! bytes -> handshake -> chunk -> message -> session -> Event
//!                                  amf        |-> bytes for the peer
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`session`] | the machine: what is asked, answered and handed over |
//! | [`handshake`] | 1,536 bytes there and back |
//! | [`chunk`] | messages out of interleaved chunks |
//! | [`amf`] | AMF0 values of bounded depth and number |
//! | [`metadata`] | what a publisher says of its stream |
//! | [`script`] | the publisher's side, for tests |
//!
//! Sources: Adobe's Real Time Messaging Protocol 1.0, Action Message Format 0; Veovera Enhanced RTMP v2. Why not `scuffle-rtmp`
//! 0.2: its AMF reader recurses and allocates as deep and as much as a stranger says, its limits are fixed (10 MiB before
//! anybody has shown a key, 4 unfinished messages), it owns socket and time limits, and it skips aborts, aggregates, AMF3's
//! commands and acknowledgements. `rml_rtmp` keeps one buffer for all chunk streams.

pub mod amf;
pub mod chunk;
pub mod handshake;
pub mod metadata;
pub mod script;
pub mod session;

pub use metadata::Metadata;
pub use script::Script;
pub use session::{Event, Path, Progress, Refusal, Session};

/// Most that a stranger's connection may cost.
pub const BEFORE_PUBLISH: chunk::Limits = chunk::Limits {
	// `connect` has some hundred bytes.
	message: 64 * 1024,
	// Publishers use five.
	streams: 8,
};

/// Most that a publisher may send.
pub const AFTER_PUBLISH: chunk::Limits = chunk::Limits {
	// A key frame of 4K at 100 Mb/s has about 2 MB.
	message: 4 * 1024 * 1024,
	streams: 32,
};

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtmpError {
	/// No RTMP at all.
	#[error(transparent)]
	Handshake(#[from] handshake::HandshakeError),
	/// Chunks that cannot be read.
	#[error(transparent)]
	Chunk(#[from] chunk::ChunkError),
	/// A command that cannot be read.
	#[error("a command cannot be read: {0}")]
	Amf(#[from] amf::AmfError),
	/// A control message of a wrong length.
	#[error("a control message of type {kind} has {length} bytes")]
	Control {
		/// RTMP's number.
		kind: u8,
		/// Bytes.
		length: usize,
	},
	/// `publish` before `connect`, or without a name.
	#[error("it publishes without having said where")]
	NoPath,
	/// A second `publish` on one connection.
	#[error("it publishes two streams over one connection")]
	Twice,
	/// `play`.
	#[error("it wants to play, and nothing is played here")]
	Plays,
	/// Its own answers pile up.
	#[error("it asks and does not read the answers")]
	NotReading,
}
