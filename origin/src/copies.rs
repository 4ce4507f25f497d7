//! The first tier ([`crate::tier`]) as tasks see it: measures the stream, hears who acknowledges what, says what happens.

use crate::{
	metrics,
	tier::{Event, Outcome, Tier, SILENT},
};
use clustercast_network::{serve::Pulse, Feed};
use clustercast_primitives::{PublicKey, StreamId};
use clustercast_protocol::Bitrate;
use std::{
	collections::BTreeMap,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::Notify,
	time::{interval, sleep_until, Instant, MissedTickBehavior},
};

/// How often turns are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Picture and sound.
const TRACK: u16 = 0;

/// Shared by all who serve and check.
#[derive(Debug)]
pub struct Copies {
	/// Time is counted from here.
	begun: Instant,
	inner: Mutex<Inner>,
	/// Another check may be due.
	changed: Notify,
}

#[derive(Debug)]
struct Inner {
	tier: Tier,
	/// Of those that are served.
	pulses: BTreeMap<PublicKey, Pulse>,
}

impl Copies {
	/// Nobody is served yet.
	pub fn new(tier: Tier) -> Self {
		Self {
			begun: Instant::now(),
			inner: Mutex::new(Inner {
				tier,
				pulses: BTreeMap::new(),
			}),
			changed: Notify::new(),
		}
	}

	/// A relayer asks for a copy; whether it has one from now on.
	pub fn ask(&self, key: PublicKey) -> bool {
		self.change(|Inner { tier, pulses }, now| {
			let silent = |of: &PublicKey| {
				pulses
					.get(of)
					.map_or(Duration::ZERO, |pulse| pulse.silent(Instant::now()))
			};
			tier.ask(key, now, silent)
		})
	}

	/// It is served no more.
	pub fn left(&self, key: &PublicKey) {
		self.change(|Inner { tier, pulses }, _| {
			tier.left(key);
			pulses.remove(key);
		});
	}

	/// Says whether it acknowledges what is sent to it.
	pub fn pulse(&self, key: PublicKey, pulse: Pulse) {
		self.lock().pulses.insert(key, pulse);
	}

	/// Whether it has a copy.
	pub fn has(&self, key: &PublicKey) -> bool {
		self.lock().tier.has(key)
	}

	/// Whom to name to who is refused.
	pub fn members(&self) -> Vec<PublicKey> {
		self.lock().tier.members().collect()
	}

	/// Measures what is published and lets turns end, for ever.
	pub async fn follow(&self, feed: Feed, stream: StreamId) {
		let (mut news, mut bitrate, mut last) = (feed.news(stream), Bitrate::default(), None);
		let mut tick = interval(TICK);
		tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
		loop {
			tokio::select! {
				_ = tick.tick() => self.change(|inner, now| inner.tier.tick(now)),
				// The feed is ours as well.
				_ = news.changed() => {},
			}
			let newest = feed.latest(stream, TRACK).filter(|window| last != Some(window.id()));
			if let Some(window) = newest {
				last = Some(window.id());
				let header = window.header();
				if let Some(rate) = bitrate.window(header.bytes.into(), header.duration_ms.into()) {
					self.change(|inner, _| inner.tier.takes(rate));
				}
			}
		}
	}

	/// Waits until a relayer is to be checked: whom. What comes of it is told with [`Copies::checked`].
	pub async fn next_check(&self) -> PublicKey {
		loop {
			let changed = self.changed.notified();
			let (next, due) = {
				let mut inner = self.lock();
				(inner.tier.check(self.now()), inner.tier.check_at())
			};
			if let Some(key) = next {
				return key;
			}
			let due = async {
				match due {
					Some(due) => sleep_until(self.begun + due).await,
					None => std::future::pending().await,
				}
			};
			tokio::select! {
				() = due => {},
				() = changed => {},
			}
		}
	}

	/// A customer was at this relayer.
	pub fn checked(&self, key: &PublicKey, outcome: Outcome) {
		metrics::checked(outcome);
		tracing::debug!(relayer = %key, ?outcome, "checked");
		self.change(|Inner { tier, pulses }, now| {
			let hears = pulses
				.get(key)
				.is_some_and(|pulse| pulse.silent(Instant::now()) < SILENT);
			tier.checked(outcome, hears, now);
		});
	}

	fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	fn change<T>(&self, change: impl FnOnce(&mut Inner, Duration) -> T) -> T {
		let mut inner = self.lock();
		let changed = change(&mut inner, self.now());
		while let Some(event) = inner.tier.poll_event() {
			say(event);
		}
		metrics::tier(&inner.tier);
		drop(inner);
		self.changed.notify_one();
		changed
	}

	fn lock(&self) -> MutexGuard<'_, Inner> {
		// The machine's own code does not panic half-way.
		self.inner.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

fn say(event: Event) {
	metrics::event(event);
	match event {
		Event::Lost(relayer, why) => tracing::info!(%relayer, %why, "a relayer has lost its seat in the first tier"),
		Event::Failed(relayer, why) => tracing::info!(%relayer, found = %why, "a relayer failed a check"),
		Event::AllSilent => tracing::warn!("no relayer of the first tier acknowledges anything: it may be our own line, or theirs together"),
		Event::AllFailed => tracing::warn!("no relayer of the first tier served a customer: it may be our own fault, or theirs together; --pin names one"),
	}
}
