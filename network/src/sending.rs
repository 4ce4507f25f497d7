//! Chunks on their way to one viewer: written one range after the other, each on a stream of its own, and watched until they are
//! there. A window that is not whole yet is written as it comes: as long as it waits for more, what else is due goes out, and nobody
//! waits for it at the uplink.

use crate::quic::{BodyOut, Pulse, Sender};
use bytes::Bytes;
use clustercast_primitives::Hash;
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

/// Of that, who passes it on has one part in so many: others wait for it there, and have it later by as much as this one has it late.
const RESELLS: u32 = 4;

/// However little by little it goes, nobody takes longer for one range.
const LONGEST: Duration = Duration::from_secs(120);

/// See the module.
pub struct Sending {
	sender: Sender,
	/// Of streams, in their order.
	turn: i32,
	/// Of all but one everything that is here is written.
	writing: Vec<Writing>,
	/// Handed over, and not known to be there.
	under_way: FuturesUnordered<BoxFuture<'static, SendingId>>,
	/// Since when each of those is, and those that are being written.
	since: VecDeque<(SendingId, Instant)>,
	/// Something has to go out or to be there within this: else the viewer does not read. Nor is waited for longer for the rest of a window.
	patience: Duration,
	/// What comes by itself is due so long after it was begun.
	pushed: Duration,
	/// When something went out, or was there, last.
	stirred: Instant,
	/// The viewer was slow, and windows are passed over until it has the newest one.
	behind: bool,
}

struct Writing {
	outgoing: Outgoing,
	/// Of its stream.
	turn: i32,
	/// Once it is open.
	body: Option<BodyOut>,
	/// No more of it is of use.
	until: Option<Instant>,
	/// Of all that waits for the uplink, what is due first goes first.
	due: Instant,
	/// It waits for the uplink: that is not the viewer's fault.
	waits: bool,
	/// Since when all that is here of it is written.
	starved: Option<Instant>,
}

impl Writing {
	/// When it ends as it is then, where nothing more comes for so long.
	fn ends(&self, patience: Duration) -> Option<Instant> {
		let starved = self.starved.map(|since| since + patience);
		self.until.into_iter().chain(starved).min()
	}
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
			pushed: PUSHED,
			stirred: Instant::now(),
			sender,
			turn: 0,
			writing: Vec::new(),
			under_way: FuturesUnordered::new(),
			since: VecDeque::new(),
			behind: false,
		}
	}

	/// Who has it passes it on: what comes by itself goes out to it before it goes out to viewers.
	pub fn hurry(&mut self) {
		self.pushed = PUSHED / RESELLS;
	}

	/// Whether the viewer acknowledges what goes out.
	pub fn pulse(&self) -> Pulse {
		self.sender.pulse()
	}

	/// Whether something is being written that does not wait for more.
	pub fn is_writing(&self) -> bool {
		self.writing.iter().any(|writing| writing.starved.is_none())
	}

	/// Writes this next. Nothing else is being written.
	pub fn begin(&mut self, outgoing: Outgoing, now: Instant) {
		debug_assert!(!self.is_writing());
		let use_for = outgoing.within_ms().map(|ms| Duration::from_millis(ms.into()));
		self.since.push_back((outgoing.id(), now));
		self.writing.push(Writing {
			starved: outgoing.waits().then_some(now),
			outgoing,
			turn: self.turn,
			body: None,
			until: use_for.map(|long| now + long),
			due: now + use_for.unwrap_or(self.pushed),
			waits: false,
		});
		self.turn = self.turn.wrapping_add(1) & i32::MAX;
	}

	/// Hands over what has come of windows that were not whole: `rest` says what is here from a chunk on, and `None` of those that went.
	pub fn hand(&mut self, rest: impl Fn(&Hash, u32) -> Option<Vec<Bytes>>, now: Instant) {
		for writing in &mut self.writing {
			let Some(from) = writing.outgoing.lacks() else {
				continue;
			};
			match rest(&writing.outgoing.range().header, from) {
				Some(runs) => runs.into_iter().for_each(|run| writing.outgoing.hand(run)),
				None => writing.outgoing.cut(),
			}
			if !writing.outgoing.waits() && !writing.outgoing.is_over() && writing.starved.take().is_some() {
				begin_anew(&mut self.since, writing.outgoing.id(), now);
			}
		}
	}

	/// These chunks are not wanted any more.
	pub fn cut(&mut self, range: &Range) {
		for writing in &mut self.writing {
			let own = writing.outgoing.range();
			if (own.header, own.first) == (range.header, range.first) {
				writing.outgoing.cut();
			}
		}
	}

	/// Of windows that are not whole nothing more is waited for.
	pub fn cut_open(&mut self) {
		let open = self
			.writing
			.iter_mut()
			.filter(|writing| writing.outgoing.lacks().is_some());
		open.for_each(|writing| writing.outgoing.cut());
	}

	/// Writes on, and waits for what is on its way; returns when there is something to say. Cancel safe.
	pub async fn next(&mut self) -> io::Result<Step> {
		loop {
			let step = self.step().await?;
			let waits = self.writing.iter().any(|writing| writing.waits);
			match step {
				Step::Stuck if waits => self.excuse(Instant::now()),
				_ => return Ok(step),
			}
		}
	}

	/// What waits for the uplink is begun now: that was not the viewer's fault.
	fn excuse(&mut self, now: Instant) {
		self.stirred = now;
		for writing in self.writing.iter().filter(|writing| writing.waits) {
			begin_anew(&mut self.since, writing.outgoing.id(), now);
		}
	}

	async fn step(&mut self) -> io::Result<Step> {
		let stuck = self.stuck();
		let Self {
			sender,
			writing,
			under_way,
			stirred,
			patience,
			..
		} = self;
		let arrived = tokio::select! {
			over = write(sender, writing, *patience, stirred) => Err(over?),
			Some(id) = under_way.next(), if !under_way.is_empty() => Ok(id),
			() = at(stuck) => return Ok(Step::Stuck),
		};
		Ok(match arrived {
			Ok(id) => {
				self.arrived(id, Instant::now());
				Step::Arrived(id)
			},
			Err(over) => self.over(over),
		})
	}

	fn over(&mut self, at: usize) -> Step {
		let Writing {
			outgoing,
			body,
			starved,
			..
		} = self.writing.remove(at);
		let id = outgoing.id();
		if starved.is_some() {
			self.stirred = Instant::now();
			begin_anew(&mut self.since, id, self.stirred);
		}
		match body {
			Some(body) => {
				let arrived = body.finish();
				self.under_way.push(arrived.map(move |()| id).boxed());
			},
			None => self.since.retain(|(other, _)| *other != id),
		}
		Step::Over(id, outgoing.chunks(), outgoing.bytes())
	}

	/// When the viewer is taken for one that does not read. What waits for more is not its fault.
	fn stuck(&self) -> Option<Instant> {
		let starved = |id: &SendingId| {
			let mut writing = self.writing.iter();
			writing.any(|writing| writing.outgoing.id() == *id && writing.starved.is_some())
		};
		let since = self.since.iter().filter(|(id, _)| !starved(id));
		let oldest = since.map(|(_, since)| *since).min()?;
		Some((oldest.max(self.stirred) + self.patience).min(oldest + LONGEST))
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

/// The viewer took what there was of this: from here on it is its turn again.
fn begin_anew(all: &mut VecDeque<(SendingId, Instant)>, id: SendingId, now: Instant) {
	let since = all.iter_mut().find(|(other, _)| *other == id);
	since.into_iter().for_each(|(_, since)| *since = now);
}

/// Then; never, where that is not said.
async fn at(then: Option<Instant>) {
	match then {
		Some(at) => sleep_until(at).await,
		None => std::future::pending().await,
	}
}

/// Writes until one is over; which. Never returns where there is nothing to write.
async fn write(sender: &Sender, all: &mut [Writing], patience: Duration, stirred: &mut Instant) -> io::Result<usize> {
	loop {
		// Who waited for the uplink, and was overtaken, waits for that one.
		all.iter_mut().for_each(|writing| writing.waits = false);
		if let Some(over) = all.iter().position(|writing| writing.outgoing.is_over()) {
			return Ok(over);
		}
		let ends = all.iter().filter_map(|writing| writing.ends(patience)).min();
		let able = all.iter_mut().filter(|writing| writing.starved.is_none());
		let first = able.min_by_key(|writing| writing.due);
		let wrote = async {
			match first {
				Some(writing) => write_on(sender, writing, stirred).await,
				None => std::future::pending().await,
			}
		};
		tokio::select! {
			wrote = wrote => wrote?,
			() = at(ends) => {
				let now = Instant::now();
				let over = |writing: &&mut Writing| writing.ends(patience).is_some_and(|ends| ends <= now);
				for writing in all.iter_mut().filter(over) {
					writing.until = None;
					writing.outgoing.cut();
				}
			},
		}
	}
}

/// Writes some of what is here of one.
async fn write_on(sender: &Sender, writing: &mut Writing, stirred: &mut Instant) -> io::Result<()> {
	let body = match &mut writing.body {
		Some(body) => body,
		None => writing.body.insert(sender.open(writing.turn).await?),
	};
	let (rest, due) = (writing.outgoing.rest(), writing.due);
	writing.waits = true;
	// From here on it is the viewer's turn.
	if body.turn(due, rest.iter().map(Bytes::len).sum()).await {
		*stirred = Instant::now();
	}
	writing.waits = false;
	let wrote = body.write(rest, due).await?;
	writing.outgoing.advance(wrote);
	*stirred = Instant::now();
	writing.starved = writing.outgoing.waits().then(Instant::now);
	Ok(())
}
