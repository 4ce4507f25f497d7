//! Drives a [`ViewerSession`] over its streams: one subscription, from `Subscribe` to its end.

use crate::quic::{BodyEnd, BodyIn, Stream};
use bytes::Bytes;
use clustercast_protocol::{
	viewer::{BodyId, Event, Fault, Taken, ViewerSession},
	wire::RANGE_BYTES,
	Evidence,
};
use futures::{
	future::{BoxFuture, FutureExt},
	stream::{FuturesUnordered, StreamExt},
};
use std::{io, time::Duration};
use tokio::time::Instant;

/// Read at a time of chunks: eight of them, as many as are hashed at a time. The session verifies what is whole after each read.
const CHUNKS_READ: usize = 128 * 1024;

/// The same of the subscription's own stream.
const READ_BYTES: usize = 16 * 1024;

/// Streams of chunks that may wait for the announcement of their window: all that there can be.
const MAX_WAITING: usize = 32;

/// Why a subscription is over. What was yielded before had been verified and stays good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// The relayer broke the protocol: trust it no more.
	#[error(transparent)]
	Fault(#[from] Fault),
	/// The stream broke.
	#[error("stream lost: {0}")]
	Io(#[from] io::Error),
	/// The relayer closed the stream without saying why.
	#[error("the peer closed the stream")]
	Closed,
	/// Nothing that counts came for this long.
	#[error("nothing came for {0:?}")]
	Inactive(Duration),
}

/// A subscription in progress.
///
/// Call [`next`](Self::next) until it fails or yields `Event::Ended`; between the calls, act on the session (pay what
/// is due): what it wants sent goes out with the next call.
pub struct Subscription {
	stream: Stream,
	/// The relayer says nothing more on it.
	heard_out: bool,
	session: ViewerSession,
	outgoing: Bytes,
	buffer: Box<[u8]>,
	/// Each reads once of its stream.
	reading: FuturesUnordered<BoxFuture<'static, (Body, Read)>>,
	/// Their windows are not announced yet.
	waiting: Vec<Body>,
	fault: Option<Error>,
	inactivity: Duration,
	deadline: Instant,
}

/// How many bytes were read of a stream of chunks, or how it ended.
type Read = io::Result<Result<usize, BodyEnd>>;

/// A stream of chunks, and what was read of it last.
struct Body {
	stream: BodyIn,
	buffer: Vec<u8>,
	/// Of what it begins with, until it is named.
	prefix: Vec<u8>,
	id: Option<BodyId>,
}

impl Body {
	/// Reads once: what it begins with, or chunks.
	async fn read(mut self) -> (Self, Read) {
		let length = match self.id {
			None => RANGE_BYTES - self.prefix.len(),
			Some(_) => CHUNKS_READ,
		};
		self.buffer.resize(length, 0);
		let read = self.stream.read(&mut self.buffer).await;
		(self, read)
	}
}

/// What came.
enum Came {
	/// So much on the subscription's own stream; 0 at its end.
	Said(usize),
	/// A stream of chunks.
	Body(BodyIn),
	/// Some bytes of one, or its end.
	Chunks(Body, Result<usize, BodyEnd>),
}

impl Subscription {
	/// `inactivity`: longest wait for the next event. Bytes that complete nothing do not extend it.
	pub fn new(stream: Stream, session: ViewerSession, inactivity: Duration) -> Self {
		Self {
			stream,
			heard_out: false,
			session,
			outgoing: Bytes::new(),
			buffer: vec![0; READ_BYTES].into_boxed_slice(),
			reading: FuturesUnordered::new(),
			waiting: Vec::new(),
			fault: None,
			inactivity,
			deadline: Instant::now() + inactivity,
		}
	}

	/// The state machine.
	pub fn session(&mut self) -> &mut ViewerSession {
		&mut self.session
	}

	/// The same, to be looked at.
	pub fn viewer(&self) -> &ViewerSession {
		&self.session
	}

	/// The next event. Cancel safe. After an error, or after `Event::Ended`, drop the subscription.
	pub async fn next(&mut self) -> Result<Event, Error> {
		loop {
			if let Some(event) = self.session.poll_event() {
				self.deadline = Instant::now() + self.inactivity;
				return Ok(event);
			}
			if let Some(fault) = self.fault.take() {
				return Err(fault);
			}
			let came = tokio::time::timeout_at(self.deadline, self.exchange()).await;
			let came = came.map_err(|_| Error::Inactive(self.inactivity))??;
			if let Came::Said(0) = came {
				// Inside a frame or not: a relayer that dies is not one that cheats.
				if !self.session.is_ending() {
					return Err(Error::Closed);
				}
				self.heard_out = true;
			}
			// What was verified ahead of the fault is yielded first.
			self.fault = self.take(came).err().map(Error::Fault);
		}
	}

	/// Hands the session what came.
	fn take(&mut self, came: Came) -> Result<(), Fault> {
		match came {
			Came::Said(length) => {
				self.session.handle(&self.buffer[..length])?;
				// Some may be announced by now.
				for body in std::mem::take(&mut self.waiting) {
					self.begin(body)?;
				}
				Ok(())
			},
			Came::Body(stream) => {
				self.reading.push(
					Body {
						stream,
						buffer: Vec::new(),
						prefix: Vec::new(),
						id: None,
					}
					.read()
					.boxed(),
				);
				Ok(())
			},
			Came::Chunks(body, read) => self.take_chunks(body, read),
		}
	}

	fn take_chunks(&mut self, mut body: Body, read: Result<usize, BodyEnd>) -> Result<(), Fault> {
		match (body.id, read) {
			(None, Ok(length)) => {
				body.prefix.extend_from_slice(&body.buffer[..length]);
				self.begin(body)
			},
			(Some(id), Ok(length)) => {
				let taken = self.session.chunks(id, &body.buffer[..length]);
				self.reading.push(body.read().boxed());
				taken
			},
			// It has said nothing.
			(None, Err(_)) => Ok(()),
			(Some(id), Err(end)) => self.session.end_chunks(id, end == BodyEnd::Ended),
		}
	}

	/// Goes on with a stream that is not named yet.
	fn begin(&mut self, mut body: Body) -> Result<(), Fault> {
		let taken = match <&[u8; RANGE_BYTES]>::try_from(&body.prefix[..]) {
			Ok(prefix) => self.session.begin_chunks(prefix)?,
			Err(_) => {
				self.reading.push(body.read().boxed());
				return Ok(());
			},
		};
		match taken {
			Taken::As(id) => {
				body.id = Some(id);
				self.reading.push(body.read().boxed());
			},
			// Of those that wait too many are given up.
			Taken::NotYet if self.waiting.len() < MAX_WAITING => self.waiting.push(body),
			Taken::NotYet => {},
		}
		Ok(())
	}

	/// Says farewell: sends what is queued and closes our side, and waits until the relayer has it, within this time: the last
	/// payment may be among it, and a node that stops then takes nothing with it.
	pub async fn leave(mut self, patience: Duration) {
		let farewell = async {
			self.send().await?;
			self.stream.part().await
		};
		// Who cannot be told finds out by itself.
		let _ = tokio::time::timeout(patience, farewell).await;
	}

	/// After a fault: reads on to the failed window's receipt, for at most this long. What it shows against the relayer.
	pub async fn evidence(&mut self, patience: Duration) -> Option<Evidence> {
		let deadline = Instant::now() + patience;
		for body in std::mem::take(&mut self.waiting) {
			let _ = self.begin(body);
		}
		while self.session.pursues() {
			match tokio::time::timeout_at(deadline, self.exchange()).await {
				Ok(Ok(Came::Said(0))) => self.heard_out = true,
				Ok(Ok(Came::Said(length))) => self.session.pursue(&self.buffer[..length]),
				// The fault is known.
				Ok(Ok(came)) => drop(self.take(came)),
				_ => break,
			}
		}
		self.session.take_evidence()
	}

	/// Sends what is to be sent, then takes what comes first. Progress is kept in `self`, so it can be dropped at any await.
	async fn exchange(&mut self) -> io::Result<Came> {
		self.send().await?;
		if self.heard_out {
			return tokio::select! {
				body = self.stream.body() => Ok(Came::Body(body)),
				Some((body, read)) = self.reading.next(), if !self.reading.is_empty() => Ok(Came::Chunks(body, read?)),
			};
		}
		tokio::select! {
			next = self.stream.next(&mut self.buffer) => Ok(match next? {
				Ok(length) => Came::Said(length),
				Err(body) => Came::Body(body),
			}),
			Some((body, read)) = self.reading.next(), if !self.reading.is_empty() => Ok(Came::Chunks(body, read?)),
		}
	}

	async fn send(&mut self) -> io::Result<()> {
		loop {
			if self.outgoing.is_empty() {
				match self.session.poll_transmit() {
					Some(bytes) => self.outgoing = bytes,
					None => return Ok(()),
				}
			}
			self.stream.write(&mut self.outgoing).await?;
		}
	}
}
