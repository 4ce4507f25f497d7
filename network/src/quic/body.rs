//! Streams of chunks: opened by who serves, on the connection of the subscription that they belong to, which they name first.

use super::{
	pulse::Pulse,
	stream::{read_failed, write_failed, ABANDONED},
};
use crate::uplink::{Allowance, Uplink};
use bytes::Bytes;
use quinn::{Connection, ReadError, RecvStream, SendStream};
use std::{
	collections::HashMap,
	future::Future,
	io,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::mpsc,
	time::{timeout, Instant},
};

/// Streams of one subscription that wait to be taken.
const WAITING: usize = 32;

/// Who opens a stream names its subscription within this.
const NAME_TIMEOUT: Duration = Duration::from_secs(10);

/// Names a subscription on its connection, by who opened it.
pub type LinkId = u32;

/// Length of its name.
pub const LINK_BYTES: usize = 4;

/// The subscriptions that we opened on a connection, and where their chunks go.
#[derive(Debug, Default)]
pub struct Links {
	open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
	next: LinkId,
	by_id: HashMap<LinkId, mpsc::Sender<BodyIn>>,
}

impl Links {
	/// Another subscription.
	pub fn open(self: &Arc<Self>) -> Bodies {
		let (sender, incoming) = mpsc::channel(WAITING);
		let mut open = self.lock();
		let id = open.next;
		open.next = id.wrapping_add(1);
		open.by_id.insert(id, sender);
		Bodies {
			links: self.clone(),
			id,
			incoming,
		}
	}

	/// Takes a stream that the peer has opened to the subscription that it names.
	pub async fn route(&self, mut stream: RecvStream) {
		let mut name = [0; LINK_BYTES];
		let named = timeout(NAME_TIMEOUT, stream.read_exact(&mut name)).await;
		let body = BodyIn(stream);
		if matches!(named, Ok(Ok(()))) {
			let sender = self.lock().by_id.get(&LinkId::from_le_bytes(name)).cloned();
			if let Some(sender) = sender {
				// Who takes none of them is no longer there, or has more than it allowed: it is given up.
				let _ = sender.try_send(body);
			}
		}
	}

	fn lock(&self) -> MutexGuard<'_, Open> {
		// What is locked here is changed in one step.
		self.open.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Streams of chunks that come for a subscription of ours.
#[derive(Debug)]
pub struct Bodies {
	links: Arc<Links>,
	id: LinkId,
	incoming: mpsc::Receiver<BodyIn>,
}

impl Bodies {
	/// What the subscription is called.
	pub fn id(&self) -> LinkId {
		self.id
	}

	/// The next one. Cancel safe.
	pub async fn next(&mut self) -> BodyIn {
		match self.incoming.recv().await {
			Some(body) => body,
			// The other end is kept as long as this one.
			None => std::future::pending().await,
		}
	}
}

impl Drop for Bodies {
	fn drop(&mut self) {
		self.links.lock().by_id.remove(&self.id);
	}
}

/// Chunks that come.
#[derive(Debug)]
pub struct BodyIn(RecvStream);

/// How a stream of chunks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
	/// The peer ended it.
	Ended,
	/// The peer gave it up.
	Broke,
}

impl BodyIn {
	/// Reads what is there, or waits for it.
	pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Result<usize, BodyEnd>> {
		match self.0.read(buffer).await {
			Ok(Some(length)) => Ok(Ok(length)),
			Ok(None) => Ok(Err(BodyEnd::Ended)),
			Err(ReadError::Reset(_)) => Ok(Err(BodyEnd::Broke)),
			Err(error) => Err(read_failed(error)),
		}
	}
}

impl Drop for BodyIn {
	fn drop(&mut self) {
		let _ = self.0.stop(ABANDONED);
	}
}

/// Opens streams of chunks for a subscription of the peer's.
#[derive(Clone, Debug)]
pub struct Sender {
	connection: Connection,
	/// What streams begin with.
	name: Bytes,
	uplink: Arc<Uplink>,
	pulse: Pulse,
}

impl Sender {
	/// On the connection that the peer opened this subscription on; chunks go at the rate of this uplink. `before` is what the
	/// transport has all streams begin with: nothing, but for browsers.
	pub fn new(connection: Connection, before: &[u8], link: LinkId, uplink: Arc<Uplink>) -> Self {
		Self {
			pulse: Pulse::new(connection.clone()),
			connection,
			name: [before, &link.to_le_bytes()].concat().into(),
			uplink,
		}
	}

	/// Whether the peer acknowledges what goes out.
	pub fn pulse(&self) -> Pulse {
		self.pulse.clone()
	}

	/// Another stream; of those that have something to send, what has the lower `turn` goes first. Waits until the peer allows
	/// it. Cancel safe.
	pub async fn open(&self, turn: i32) -> io::Result<BodyOut> {
		let stream = self.connection.open_uni().await.map_err(io::Error::other)?;
		let _ = stream.set_priority(turn.saturating_neg());
		Ok(BodyOut {
			stream,
			name: self.name.clone(),
			allowance: Allowance::new(self.uplink.clone()),
			pulse: self.pulse.clone(),
			finished: false,
		})
	}
}

/// Chunks that go. One that is dropped before it is finished is reset.
#[derive(Debug)]
pub struct BodyOut {
	stream: SendStream,
	name: Bytes,
	allowance: Allowance,
	pulse: Pulse,
	finished: bool,
}

impl BodyOut {
	/// Waits until the uplink is free for some of so many bytes, due by then; whether they had to ask for it. Cancel safe.
	pub async fn turn(&mut self, due: Instant, wanted: usize) -> bool {
		let asks = self.allowance.is_empty();
		self.allowance.some(due, wanted).await;
		asks
	}

	/// Hands over a part of these bytes, due by then, without a copy; how much. Returns once there is room, and the uplink is free
	/// for them. Cancel safe.
	pub async fn write(&mut self, [mut first, mut second]: [Bytes; 2], due: Instant) -> io::Result<usize> {
		let granted = self.allowance.some(due, first.len() + second.len()).await;
		first.truncate(granted);
		second.truncate(granted - first.len());
		let mut chunks = [self.name.clone(), first, second];
		let written = self.stream.write_chunks(&mut chunks).await.map_err(write_failed)?;
		self.pulse.sent(Instant::now());
		let name = self.name.len() - chunks[0].len();
		self.name = chunks[0].clone();
		let sent = written.bytes - name;
		self.allowance.sent(sent);
		Ok(sent)
	}

	/// Says that no more is written; the result ends when the peer has all of it, or it is lost.
	pub fn finish(mut self) -> impl Future<Output = ()> + Send + 'static {
		self.finished = true;
		// Fails where the peer has stopped it already: nothing is left to say.
		let _ = self.stream.finish();
		let arrived = self.stream.stopped();
		async move {
			let _ = arrived.await;
		}
	}
}

impl Drop for BodyOut {
	fn drop(&mut self) {
		if !self.finished {
			let _ = self.stream.reset(ABANDONED);
		}
	}
}
