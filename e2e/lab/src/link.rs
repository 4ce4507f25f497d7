//! One direction of one line: a queue before it, a rate, a delay, losses. Sans-IO: time is an argument, since any beginning.
//!
//! A packet waits behind those that came before it, takes the line for its length, and arrives a delay later, or is lost on the
//! way; what would wait too long is dropped before. Lengths are of IP packets: what Ethernet adds is not counted.

use crate::draw::{Packet, Purpose};
use serde::{Deserialize, Serialize};
use std::{iter, time::Duration};

/// What a link is like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
	/// Bits per second; `None`: any packet at once.
	pub rate: Option<u64>,
	/// From the last bit sent to the packet's arrival.
	pub delay: Duration,
	/// As much longer it takes at most, each length equally likely. Packets stay in order.
	pub jitter: Duration,
	/// Which packets are lost behind the queue.
	pub loss: Loss,
	/// What may wait before the line.
	pub queue: Queue,
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Loss {
	/// None.
	None,
	/// Each with this probability.
	Random(f64),
	/// Gilbert and Elliott's: the link is good or bad, and looks at each packet whether that changes.
	Burst {
		/// Probability that a good link turns bad.
		enter: f64,
		/// Probability that a bad link turns good.
		leave: f64,
		/// Probability of a loss while it is good.
		good: f64,
		/// The same while it is bad.
		bad: f64,
	},
}

impl Loss {
	/// All packets of a burst are lost, none else; `share` of all, below 1, in bursts of `length` on average, at least 1.
	pub fn bursts(share: f64, length: f64) -> Self {
		let leave = 1.0 / length;
		Self::Burst {
			enter: leave * share / (1.0 - share),
			leave,
			good: 0.0,
			bad: 1.0,
		}
	}
}

/// The most that may wait; what comes then is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Queue {
	/// Bytes, the packet itself and the rest of the one that is being sent included.
	Bytes(u64),
	/// No packet waits longer.
	Time(Duration),
}

impl Shape {
	/// As fast and as good as can be, but for the delay.
	pub const fn delay(delay: Duration) -> Self {
		Self {
			rate: None,
			delay,
			jitter: Duration::ZERO,
			loss: Loss::None,
			queue: Queue::Time(Duration::from_millis(100)),
		}
	}

	/// The same at so many bits per second.
	pub const fn rate(mut self, bits: u64) -> Self {
		self.rate = Some(bits);
		self
	}

	/// The same with these losses.
	pub const fn loss(mut self, loss: Loss) -> Self {
		self.loss = loss;
		self
	}

	/// The same with this queue.
	pub const fn queue(mut self, queue: Queue) -> Self {
		self.queue = queue;
		self
	}

	/// The same with this jitter.
	pub const fn jitter(mut self, jitter: Duration) -> Self {
		self.jitter = jitter;
		self
	}

	/// How long `bytes` take the line.
	fn takes(&self, bytes: u64) -> Duration {
		match self.rate {
			Some(rate) => Duration::from_nanos(bytes.saturating_mul(8_000_000_000) / rate.max(1)),
			None => Duration::ZERO,
		}
	}

	/// Whether a packet of this length that would wait for so long is dropped.
	fn overflows(&self, wait: Duration, length: u64) -> bool {
		match self.queue {
			Queue::Time(most) => wait > most,
			Queue::Bytes(most) => wait + self.takes(length) > self.takes(most),
		}
	}
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
	/// It arrives at this time.
	Arrives(Duration),
	/// It is lost on the way.
	Lost,
	/// The queue was full.
	Dropped,
}

/// What a link did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
	/// Packets offered.
	pub packets: u64,
	/// Their bytes.
	pub bytes: u64,
	/// Of the packets, those lost on the way.
	pub lost: u64,
	/// Of the packets, those that found the queue full.
	pub dropped: u64,
	/// Bytes of those that arrive.
	pub passed: u64,
	/// Longest that one waited.
	pub longest_wait: Duration,
}

/// How long packets waited before a line: how many waited for how many whole milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits(Vec<u64>);

impl Waits {
	fn add(&mut self, wait: Duration) {
		let ms = wait.as_millis() as usize;
		if self.0.len() <= ms {
			self.0.resize(ms + 1, 0);
		}
		self.0[ms] += 1;
	}

	/// Those that came after `before`, which was the same link.
	pub fn since(&self, before: &Self) -> Self {
		let before = before.0.iter().chain(iter::repeat(&0));
		Self(self.0.iter().zip(before).map(|(now, before)| now - before).collect())
	}

	/// So many of a hundred waited no longer, to a millisecond; zero where there were none.
	pub fn percentile(&self, percent: u64) -> Duration {
		let rank = (self.0.iter().sum::<u64>() * percent).div_ceil(100).max(1);
		let mut seen = 0;
		let ms = self.0.iter().position(|count| {
			seen += count;
			seen >= rank
		});
		Duration::from_millis(ms.unwrap_or(0) as u64)
	}
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Link {
	shape: Shape,
	next: Packet,
	/// When the line is free.
	free: Duration,
	/// When the packet before arrives.
	latest: Duration,
	bad: bool,
	counts: Counts,
	waits: Waits,
}

impl Link {
	/// A link that nothing was sent over; `number` tells it from others of the run.
	pub fn new(shape: Shape, seed: u64, number: u64) -> Self {
		Self {
			shape,
			next: Packet {
				seed,
				link: number,
				index: 0,
			},
			free: Duration::ZERO,
			latest: Duration::ZERO,
			bad: false,
			counts: Counts::default(),
			waits: Waits::default(),
		}
	}

	/// From now on it is like this; what is under way stays as it is.
	pub fn reshape(&mut self, shape: Shape) {
		self.shape = shape;
	}

	/// What it did so far.
	pub fn counts(&self) -> Counts {
		self.counts
	}

	/// How long packets waited that found room.
	pub fn waits(&self) -> &Waits {
		&self.waits
	}

	/// A packet is sent. Times never go back.
	pub fn push(&mut self, now: Duration, length: usize) -> Fate {
		let packet = self.next;
		self.next.index += 1;
		// Before the queue: which packets are lost does not depend on how long others waited.
		let lost = self.loses(packet);
		let length = length as u64;
		self.counts.packets += 1;
		self.counts.bytes += length;
		let wait = self.free.saturating_sub(now);
		if self.shape.overflows(wait, length) {
			self.counts.dropped += 1;
			return Fate::Dropped;
		}
		self.counts.longest_wait = self.counts.longest_wait.max(wait);
		self.waits.add(wait);
		self.free = now + wait + self.shape.takes(length);
		if lost {
			self.counts.lost += 1;
			return Fate::Lost;
		}
		self.counts.passed += length;
		let jitter = self.shape.jitter.mul_f64(packet.draw(Purpose::Jitter));
		self.latest = self.latest.max(self.free + self.shape.delay + jitter);
		Fate::Arrives(self.latest)
	}

	fn loses(&mut self, packet: Packet) -> bool {
		let probability = match self.shape.loss {
			Loss::None => return false,
			Loss::Random(share) => share,
			Loss::Burst {
				enter,
				leave,
				good,
				bad,
			} => {
				let turns = if self.bad { leave } else { enter };
				self.bad ^= packet.draw(Purpose::Burst) < turns;
				if self.bad {
					bad
				} else {
					good
				}
			},
		};
		packet.draw(Purpose::Loss) < probability
	}
}

#[cfg(test)]
mod tests;
