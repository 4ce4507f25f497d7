//! Chunks on their way to one viewer: written one range after the other, each on a stream of its own, and watched until they are
//! there.

use crate::quic::{BodyOut, Pulse, Sender};
use bytes::Bytes;
use clustercast_protocol::{
	relayer::{Outgoing, SendingId},
	Range,
};
use futures::{
	future::{BoxFuture, FutureExt},
	stream::{FuturesUnordered, StreamExt},
};
use std::{collections::VecDeque, io, time::Duration};
use tokio::time::{sleep_until, Instant};

/// A viewer that does not have for so long what was sent to it cannot follow: windows are passed over for it.
const SLOW: Duration = Duration::from_secs(3);

/// What comes by itself is of use for so long: a window of video.
const PUSHED: Duration = Duration::from_secs(2);

/// However little by little it goes, nobody takes longer for one range.
const LONGEST: Duration = Duration::from_secs(120);

/// See the module.
pub struct Sending {
	sender: Sender,
	/// Of streams, in their order.
	turn: i32,
	now: Option<Writing>,
	/// Handed over, and not known to be there.
	under_way: FuturesUnordered<BoxFuture<'static, SendingId>>,
	/// Since when each of those is, and the one that is being written.
	since: VecDeque<(SendingId, Instant)>,
	/// Something has to go out or to be there within this: else the viewer does not read.
	patience: Duration,
	/// When something went out, or was there, last.
	stirred: Instant,
	/// The viewer was slow, and windows are passed over until it has the newest one.
	behind: bool,
}

struct Writing {
	outgoing: Outgoing,
	/// Once it is open.
	body: Option<BodyOut>,
	/// No more of it is of use.
	until: Option<Instant>,
	/// Of all that waits for the uplink, what is due first goes first.
	due: Instant,
	/// It waits for the uplink: that is not the viewer's fault.
	waits: bool,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
	/// So many chunks of it went out, and so many bytes.
	Over(SendingId, u32, usize),
	/// The viewer has all of it.
	Arrived(SendingId),
	/// The viewer does not read.
	Stuck,
}

impl Sending {
	/// Nothing yet.
	pub fn new(sender: Sender, patience: Duration) -> Self {
		Self {
			patience,
			stirred: Instant::now(),
			sender,
			turn: 0,
			now: None,
			under_way: FuturesUnordered::new(),
			since: VecDeque::new(),
			behind: false,
		}
	}

	/// Whether the viewer acknowledges what goes out.
	pub fn pulse(&self) -> Pulse {
		self.sender.pulse()
	}

	/// Whether something is being written.
	pub fn is_writing(&self) -> bool {
		self.now.is_some()
	}

	/// Writes this next. Nothing else is being written.
	pub fn begin(&mut self, outgoing: Outgoing, now: Instant) {
		debug_assert!(self.now.is_none());
		let use_for = outgoing.within_ms().map(|ms| Duration::from_millis(ms.into()));
		self.since.push_back((outgoing.id(), now));
		self.now = Some(Writing {
			outgoing,
			body: None,
			until: use_for.map(|long| now + long),
			due: now + use_for.unwrap_or(PUSHED),
			waits: false,
		});
	}

	/// These chunks are not wanted any more.
	pub fn cut(&mut self, range: &Range) {
		if let Some(writing) = &mut self.now {
			let own = writing.outgoing.range();
			if (own.header, own.first) == (range.header, range.first) {
				writing.outgoing.cut();
			}
		}
	}

	/// Writes on, and waits for what is on its way; returns when there is something to say. Cancel safe.
	pub async fn next(&mut self) -> io::Result<Step> {
		loop {
			let step = self.step().await?;
			match &self.now {
				Some(writing) if writing.waits && step == Step::Stuck => self.stirred = Instant::now(),
				_ => return Ok(step),
			}
		}
	}

	async fn step(&mut self) -> io::Result<Step> {
		let stuck = self.stuck();
		let Self {
			sender,
			turn,
			now,
			under_way,
			stirred,
			..
		} = self;
		let step = tokio::select! {
			over = write(sender, *turn, now, stirred) => {
				over?;
				None
			},
			Some(id) = under_way.next(), if !under_way.is_empty() => Some(id),
			() = async {
				match stuck {
					Some(at) => sleep_until(at).await,
					None => std::future::pending().await,
				}
			} => return Ok(Step::Stuck),
		};
		Ok(match step {
			None => self.over(),
			Some(id) => {
				self.arrived(id, Instant::now());
				Step::Arrived(id)
			},
		})
	}

	fn over(&mut self) -> Step {
		let Writing { outgoing, body, .. } = self.now.take().expect("it was being written");
		let id = outgoing.id();
		match body {
			Some(body) => {
				self.turn = self.turn.wrapping_add(1) & i32::MAX;
				let arrived = body.finish();
				self.under_way.push(arrived.map(move |()| id).boxed());
			},
			None => self.since.retain(|(other, _)| *other != id),
		}
		Step::Over(id, outgoing.chunks(), outgoing.bytes())
	}

	/// When the viewer is taken for one that does not read.
	fn stuck(&self) -> Option<Instant> {
		let (_, oldest) = self.since.front()?;
		Some((*oldest).max(self.stirred) + self.patience).map(|at| at.min(*oldest + LONGEST))
	}

	fn arrived(&mut self, id: SendingId, now: Instant) {
		self.stirred = now;
		if let Some(at) = self.since.iter().position(|(other, _)| *other == id) {
			if let Some((_, since)) = self.since.remove(at) {
				self.behind |= now > since + SLOW;
			}
		}
	}

	/// Whether windows are passed over, up to the newest one.
	pub fn is_behind(&self) -> bool {
		self.behind
	}

	/// The newest window is sent.
	pub fn caught_up(&mut self) {
		self.behind = false;
	}
}

/// Writes until it is over. Never returns where there is nothing to write.
async fn write(sender: &Sender, turn: i32, now: &mut Option<Writing>, stirred: &mut Instant) -> io::Result<()> {
	let Some(writing) = now else {
		return std::future::pending().await;
	};
	while !writing.outgoing.is_over() {
		let until = writing.until;
		tokio::select! {
			wrote = write_on(sender, turn, writing, stirred) => {
				let wrote = wrote?;
				writing.outgoing.advance(wrote);
				*stirred = Instant::now();
			},
			() = async {
				match until {
					Some(at) => sleep_until(at).await,
					None => std::future::pending().await,
				}
			} => {
				writing.until = None;
				writing.outgoing.cut();
			},
		}
	}
	Ok(())
}

async fn write_on(sender: &Sender, turn: i32, writing: &mut Writing, stirred: &mut Instant) -> io::Result<usize> {
	let body = match &mut writing.body {
		Some(body) => body,
		None => writing.body.insert(sender.open(turn).await?),
	};
	let (rest, due) = (writing.outgoing.rest(), writing.due);
	writing.waits = true;
	// From here on it is the viewer's turn.
	if body.turn(due, rest.iter().map(Bytes::len).sum()).await {
		*stirred = Instant::now();
	}
	writing.waits = false;
	body.write(rest, due).await
}
