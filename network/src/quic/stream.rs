//! A stream of a connection, both ways. What is written is not copied; one that is dropped before it was closed is reset, so that
//! what was cut short never looks whole.

use super::{
	activity::{Hold, Vouch},
	body::{Bodies, BodyIn, Sender},
};
use crate::door::Source;
use bytes::{Buf, Bytes};
use clustercast_primitives::Hash;
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};
use std::io;
use tokio::time::Instant;

/// A stream was given up by who opened or took it.
pub const ABANDONED: VarInt = VarInt::from_u32(1);
/// There is no room for another stream.
const BUSY: VarInt = VarInt::from_u32(2);

/// Of all streams of a connection it goes first.
const FIRST: i32 = i32::MAX;

/// Which streams of chunks belong to it.
#[derive(Debug)]
pub(crate) enum Chunks {
	/// It was opened here: they come.
	Come(Bodies),
	/// The peer opened it: they go.
	Go(Sender),
}

/// See the module. Its connection stays as long as it does.
#[derive(Debug)]
pub struct Stream {
	send: SendStream,
	receive: RecvStream,
	chunks: Chunks,
	closed: bool,
	/// Kept, so that the connection is not idle.
	hold: Hold,
	source: Source,
	/// SHA-256 of those that a browser may have been shown; none, where peers know each other by their keys.
	certificates: Vec<Hash>,
}

impl Stream {
	/// Of these two ends, with a peer that comes from there; `hold` keeps the connection from being idle.
	pub(crate) fn new(send: SendStream, receive: RecvStream, chunks: Chunks, hold: Hold, source: Source) -> Self {
		let _ = send.set_priority(FIRST);
		Self {
			send,
			receive,
			chunks,
			closed: false,
			hold,
			source,
			certificates: Vec::new(),
		}
	}

	/// The peer knows us by one of these certificates.
	pub(crate) fn shown(mut self, certificates: Vec<Hash>) -> Self {
		self.certificates = certificates;
		self
	}

	/// What the peer may have been shown in place of our key.
	pub fn certificates(&self) -> &[Hash] {
		&self.certificates
	}

	/// Where the peer came from as it was opened.
	pub(crate) fn source(&self) -> Source {
		self.source
	}

	/// Somebody is served on it: as long as this lives its connection is no stranger's.
	pub(crate) fn vouch(&self) -> Vouch {
		self.hold.vouch()
	}

	/// Opens streams of chunks for who opened this one; `None` where that was us.
	pub(crate) fn sender(&self) -> Option<Sender> {
		match &self.chunks {
			Chunks::Come(_) => None,
			Chunks::Go(sender) => Some(sender.clone()),
		}
	}

	/// The next stream of chunks; none, where the peer opened this one. Cancel safe.
	pub(crate) async fn body(&mut self) -> BodyIn {
		match &mut self.chunks {
			Chunks::Come(bodies) => bodies.next().await,
			Chunks::Go(_) => std::future::pending().await,
		}
	}

	/// What comes first: bytes of this stream, of which there are 0 at the end, or a stream of chunks. Cancel safe.
	pub(crate) async fn next(&mut self, buffer: &mut [u8]) -> io::Result<Result<usize, BodyIn>> {
		let bodies = async {
			match &mut self.chunks {
				Chunks::Come(bodies) => bodies.next().await,
				Chunks::Go(_) => std::future::pending().await,
			}
		};
		tokio::select! {
			read = self.receive.read(buffer) => Ok(Ok(read.map_err(read_failed)?.unwrap_or(0))),
			body = bodies => Ok(Err(body)),
		}
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

	/// Sends these bytes to who opened this one, as one stream of chunks. Returns when the peer has all of them, or wants no more.
	pub async fn send_chunks(&self, mut parts: [Bytes; 2]) -> io::Result<()> {
		let sender = self
			.sender()
			.ok_or_else(|| io::Error::other("chunks come on a stream that was opened here"))?;
		let mut body = sender.open(0).await?;
		while !parts.iter().all(Bytes::is_empty) {
			let mut written = body.write(parts.clone(), Instant::now()).await?;
			for part in &mut parts {
				let of_this = written.min(part.len());
				part.advance(of_this);
				written -= of_this;
			}
		}
		body.finish().await;
		Ok(())
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

pub(super) fn read_failed(error: ReadError) -> io::Error {
	match error {
		ReadError::ConnectionLost(error) => lost(error),
		ReadError::Reset(_) => io::Error::new(io::ErrorKind::ConnectionReset, "the peer gave the stream up"),
		other => io::Error::other(other),
	}
}

pub(super) fn write_failed(error: WriteError) -> io::Error {
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
