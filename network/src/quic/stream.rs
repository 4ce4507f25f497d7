//! A stream of a connection, both ways. What is written is not copied; one that is dropped before it was closed is reset, so that
//! what was cut short never looks whole.

use super::activity::{Hold, Vouch};
use crate::door::Source;
use bytes::Bytes;
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};
use std::io;

/// A stream was given up by who opened or took it.
pub const ABANDONED: VarInt = VarInt::from_u32(1);
/// There is no room for another stream.
const BUSY: VarInt = VarInt::from_u32(2);

/// See the module. Its connection stays as long as it does.
#[derive(Debug)]
pub struct Stream {
	send: SendStream,
	receive: RecvStream,
	closed: bool,
	/// Kept, so that the connection is not idle.
	hold: Hold,
	source: Source,
}

impl Stream {
	/// Of these two ends, with a peer that comes from there; `hold` keeps the connection from being idle.
	pub(crate) fn new(send: SendStream, receive: RecvStream, hold: Hold, source: Source) -> Self {
		Self {
			send,
			receive,
			closed: false,
			hold,
			source,
		}
	}

	/// Where the peer came from as it was opened.
	pub(crate) fn source(&self) -> Source {
		self.source
	}

	/// Somebody is served on it: as long as this lives its connection is no stranger's.
	pub(crate) fn vouch(&self) -> Vouch {
		self.hold.vouch()
	}

	/// Reads what is there, or waits for it; 0 at the end. Cancel safe.
	pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		Ok(self.receive.read(buffer).await.map_err(read_failed)?.unwrap_or(0))
	}

	/// Reads on to the end; at most `limit` bytes, else it fails.
	pub async fn read_to_end(&mut self, limit: usize) -> io::Result<Vec<u8>> {
		self.receive.read_to_end(limit).await.map_err(io::Error::other)
	}

	/// Hands over a part of these bytes, at least one, without a copy; takes them off the front. Returns once there is room.
	/// Cancel safe.
	pub async fn write(&mut self, bytes: &mut Bytes) -> io::Result<()> {
		let written = self.send.write_chunks(std::slice::from_mut(bytes)).await;
		written.map(drop).map_err(write_failed)
	}

	/// Hands over all of these bytes, without a copy.
	pub async fn write_all(&mut self, bytes: Bytes) -> io::Result<()> {
		self.send.write_chunk(bytes).await.map_err(write_failed)
	}

	/// Takes it not: there are too many.
	pub fn refuse(mut self) {
		self.closed = true;
		let _ = self.send.reset(BUSY);
	}

	/// Says that no more is written, and waits until the peer has all of it, or wants no more.
	pub async fn part(&mut self) -> io::Result<()> {
		self.close();
		self.send.stopped().await.map(drop).map_err(io::Error::other)
	}

	/// Says that no more is written.
	pub fn close(&mut self) {
		self.closed = true;
		// Fails where the peer has stopped it already: nothing is left to say.
		let _ = self.send.finish();
	}
}

impl Drop for Stream {
	fn drop(&mut self) {
		if !self.closed {
			let _ = self.send.reset(ABANDONED);
		}
		let _ = self.receive.stop(ABANDONED);
	}
}

fn read_failed(error: ReadError) -> io::Error {
	match error {
		ReadError::ConnectionLost(error) => lost(error),
		ReadError::Reset(_) => io::Error::new(io::ErrorKind::ConnectionReset, "the peer gave the stream up"),
		other => io::Error::other(other),
	}
}

fn write_failed(error: WriteError) -> io::Error {
	match error {
		WriteError::ConnectionLost(error) => lost(error),
		WriteError::Stopped(_) => io::Error::new(io::ErrorKind::BrokenPipe, "the peer takes no more of the stream"),
		other => io::Error::other(other),
	}
}

/// How a connection came to its end.
fn lost(error: ConnectionError) -> io::Error {
	let kind = match error {
		ConnectionError::TimedOut => io::ErrorKind::TimedOut,
		ConnectionError::Reset => io::ErrorKind::ConnectionReset,
		_ => io::ErrorKind::ConnectionAborted,
	};
	io::Error::new(kind, error)
}
