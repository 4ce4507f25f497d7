//! Drives a [`ViewerSession`] over a stream: one subscription, from `Subscribe` to its end.

use crate::quic::Stream;
use bytes::Bytes;
use clustercast_protocol::{
	viewer::{Event, Fault, ViewerSession},
	Evidence,
};
use std::{io, time::Duration};
use tokio::time::Instant;

/// Read at a time: eight chunks, as many as are hashed at a time. The session verifies what is whole after each read.
const READ_BYTES: usize = 128 * 1024;

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
	session: ViewerSession,
	outgoing: Bytes,
	buffer: Box<[u8]>,
	fault: Option<Error>,
	inactivity: Duration,
	deadline: Instant,
}

impl Subscription {
	/// `inactivity`: longest wait for the next event. Bytes that complete nothing do not extend it.
	pub fn new(stream: Stream, session: ViewerSession, inactivity: Duration) -> Self {
		Self {
			stream,
			session,
			outgoing: Bytes::new(),
			buffer: vec![0; READ_BYTES].into_boxed_slice(),
			fault: None,
			inactivity,
			deadline: Instant::now() + inactivity,
		}
	}

	/// The state machine.
	pub fn session(&mut self) -> &mut ViewerSession {
		&mut self.session
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
			let read = tokio::time::timeout_at(self.deadline, self.exchange()).await;
			let length = read.map_err(|_| Error::Inactive(self.inactivity))??;
			if length == 0 {
				// Inside a frame or not: a relayer that dies is not one that cheats.
				return Err(Error::Closed);
			}
			// What was verified ahead of the fault is yielded first.
			self.fault = self.session.handle(&self.buffer[..length]).err().map(Error::Fault);
		}
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
		while self.session.pursue(&[]) {
			let read = tokio::time::timeout_at(deadline, self.stream.read(&mut self.buffer)).await;
			match read {
				Ok(Ok(length)) if length > 0 => drop(self.session.pursue(&self.buffer[..length])),
				_ => break,
			}
		}
		self.session.take_evidence()
	}

	/// Sends what is to be sent, then reads once. Progress is kept in `self`, so it can be dropped at any await.
	async fn exchange(&mut self) -> io::Result<usize> {
		self.send().await?;
		self.stream.read(&mut self.buffer).await
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
