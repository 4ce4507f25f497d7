//! Who brings what: decides at each event, and at [`Swarm::poll_timeout`].
//!
//! | rule | says |
//! | --- | --- |
//! | pull | what is missing of a window is fetched from standbys when the parent's projected completion misses the time that it is due less the time of one pull. A silence beyond the usual lasts as long again as it has, so it is found before it is over |
//! | share | in proportion to measured rates, runs of 64 KiB at least; the parent keeps a part of its own as long as it sends. What arrived elsewhere is cancelled |
//! | own link | where pulling did not raise the sum of rates the link is ours: no pulls beside a parent that sends, nobody's fault, late windows are skipped |
//! | warmth | each standby brings 64 KiB of every fourth window, as far as all of that stays below [`WARMTH`] of the stream |
//! | parent | is changed when it is silent or gone, when two windows in a row had to be pulled, or for a gain of a fifth that held for half a minute; only to who served a chunk newer than our newest window, and still says what is new |
//! | call | another source where a standby is missing. Where a window is overdue that nobody announces, one after the other until somebody does |
//! | room | nothing is asked for of a window as long as those from the first one that is not whole to this one are more than may be held |
//! | skip | a window that is due is passed over when nobody brings it and a later one is here; a window's time later also one that is brought, where the next one is here. Where the link is ours, one that will not be here in time is passed over before it begins. Never by who passes windows on ([`Swarm::relay`]) |
//!
//! That nothing is announced is nobody's failure here: [`crate::Patience`] judges that.

use super::{
	flow::{Flow, FLOW},
	offer::{Action, Figures, Offer, RUN_BYTES},
	peers::{Source, SourceId, MANY},
	spans::{Span, Spans},
	window::{covers, Delivery, Has, Pull, Window},
};
use crate::{
	viewer::{BUDGET, MIN_BUDGET},
	wire::{Range, MAX_FETCHES},
};
use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use clustercast_primitives::{Hash, WindowId};
use core::{cmp::Reverse, time::Duration};
use recruit::Recruits;

mod parent;
mod recruit;
mod skip;

/// A standby brings something of one window in so many.
pub const EVERY: u32 = 4;

/// Of the stream's bytes at most one in so many keeps standbys warm: what is had twice.
pub const WARMTH: u64 = 40;

/// Windows that are remembered.
pub const MAX_WINDOWS: usize = 64;

/// Those that are over are remembered as long as there are no more than so many behind them: for standbys that announce late.
const OVER: usize = 8;

/// Requests under way at one source. Fewer than it must take, since what is cancelled counts until it says so.
const MAX_PULLS: usize = MAX_FETCHES / 2;

/// So many parts of ten must pulls add to the sum of rates.
const RAISES: u64 = 2;

/// What came of a pull is known within this.
const TRIED: Duration = Duration::from_secs(2);

/// Once the link is found to be ours, it is for so long; twice as long each time in a row, up to the second.
const OURS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(120));

/// Who sends nothing for so long is silent, also where the link is ours.
const OURS_SILENT: Duration = Duration::from_secs(2);

/// Where nothing can be done it is tried again after this.
const AGAIN: Duration = Duration::from_millis(250);

/// One that is late already has at most this.
const LONGEST: Duration = Duration::from_secs(10);

/// However short windows are, one that is passed on has this.
const LEAST_AT_HOP: Duration = Duration::from_millis(500);

/// A pull has at least this.
const LEAST: Duration = Duration::from_millis(300);

/// Bytes that may be held of windows that are not whole, and of those that wait for them.
#[derive(Debug)]
struct Room(u64);

impl Default for Room {
	fn default() -> Self {
		Self(BUDGET)
	}
}

/// See the module.
#[derive(Debug, Default)]
pub struct Swarm {
	sources: BTreeMap<SourceId, Source>,
	parent: Option<SourceId>,
	/// In their order.
	windows: VecDeque<Window>,
	deliveries: Vec<Delivery>,
	/// The newest one that was whole.
	newest: Option<WindowId>,
	/// Those up to this one are forgotten.
	floor: Option<WindowId>,
	/// What arrived.
	flow: Flow,
	/// The link is ours until then.
	ours: Duration,
	/// It was found to be for so long.
	ours_for: Duration,
	/// What it carries then, bytes per second.
	link: u64,
	/// What may still be had to keep standbys warm, bytes times [`WARMTH`].
	warmth: u64,
	/// When the parent was made so.
	since: Duration,
	strikes: u32,
	/// The parent was silent, and another brought what it did not.
	failed: bool,
	paused: bool,
	/// What comes is passed on.
	relays: bool,
	room: Room,
	recruits: Recruits,
	figures: Figures,
	actions: VecDeque<Action>,
}

impl Swarm {
	/// What comes is passed on. Those below have none of the windows behind one that is missing, so none is passed over, however late; and
	/// they have their own time, so each is due sooner.
	pub fn relay(&mut self) {
		self.relays = true;
	}

	/// So many bytes may be held at most of windows that are not whole, and of those that wait for them: [`BUDGET`] unless it is said,
	/// [`MIN_BUDGET`] at least.
	pub fn hold_at_most(&mut self, bytes: u64) {
		self.room = Room(bytes.max(MIN_BUDGET));
	}

	/// A source is there. The first one is the parent.
	pub fn join(&mut self, id: SourceId, mut source: Source, now: Duration) {
		source.joined = now;
		self.sources.insert(id, source);
		// The first range is for measuring it.
		self.warmth = self.warmth.saturating_add(RUN_BYTES * WARMTH);
		if self.parent.is_none() && self.sources.len() == 1 {
			self.parent = Some(id);
		}
		self.decide(now);
	}

	/// This one sends windows by itself from now on, whatever is known of it: there is nobody else.
	pub fn appoint(&mut self, id: SourceId, now: Duration) {
		if self.sources.contains_key(&id) && self.parent != Some(id) {
			self.appointed(id, now);
		}
		self.decide(now);
	}

	/// A source is lost, ended or was caught.
	pub fn leave(&mut self, id: SourceId, now: Duration) {
		let known = self.sources.remove(&id);
		if let Some(source) = known.filter(|_| self.parent != Some(id)) {
			// Of those that were called most never served this stream.
			self.recruits.tried(source.is_measured(), now);
		}
		self.deliveries.retain(|delivery| delivery.source != id);
		self.windows.iter_mut().for_each(|window| _ = window.has.remove(&id));
		self.actions.retain(|action| match action {
			Action::Fetch { source, .. } | Action::Cancel { source, .. } => *source != id,
			Action::Promote(source) | Action::Replace(source) | Action::Dismiss(source) | Action::Rest(source) => {
				*source != id
			},
			Action::Skip(_) | Action::Whole | Action::Call => true,
		});
		if self.parent == Some(id) {
			self.parent = None;
		}
		self.decide(now);
	}

	/// A source announced a window; `pushed`: it comes by itself. `due`: when it has to be here, for the first who announces it.
	pub fn announced(&mut self, id: SourceId, offer: Offer, pushed: bool, due: Duration, now: Duration) {
		let behind = self.floor.is_some_and(|floor| offer.id <= floor);
		if behind || !self.sources.contains_key(&id) {
			return;
		}
		let due = if self.relays {
			self.due_at_hop(&offer, due, now)
		} else {
			due
		};
		let known = self
			.windows
			.iter()
			.position(|window| window.offer.header == offer.header);
		let at = match known {
			Some(at) => at,
			None if self.windows.len() >= MAX_WINDOWS && !self.forget() => return,
			None => {
				self.warmth = self
					.warmth
					.saturating_add(offer.bytes.into())
					.min(4 * RUN_BYTES * WARMTH);
				let at = self.windows.partition_point(|window| window.offer.id < offer.id);
				let (here, pushed) = Default::default();
				let window = Window {
					offer,
					due,
					first: now,
					here,
					pushed,
					has: BTreeMap::new(),
					pull: None,
					peak: 0,
					over: false,
				};
				self.windows.insert(at, window);
				at
			},
		};
		let window = &mut self.windows[at];
		if window.has.contains_key(&id) {
			return;
		}
		let behind = now.saturating_sub(window.first);
		let Some(source) = self.sources.get_mut(&id) else {
			return;
		};
		source.announced(behind, now);
		// A parent that passes a window over has found that we are too slow for it.
		let lacks = self.parent == Some(id) && source.pushes && !pushed;
		source.pushes |= pushed;
		window.has.insert(id, Has { pushed, lacks });
		if pushed && !self.windows[at].over {
			let (range, until) = (offer.range(offer.all()), Duration::MAX);
			let (warmth, cancelled, given_up) = (false, false, false);
			let got = 0;
			self.deliveries.push(Delivery {
				source: id,
				range,
				pushed,
				warmth,
				asked: now,
				last: None,
				got,
				until,
				cancelled,
				given_up,
			});
		} else if pushed {
			// It is here already, or passed over.
			self.actions.push_back(Action::Cancel {
				source: id,
				range: offer.range(offer.all()),
			});
		} else {
			self.warm(id, at, now);
		}
		self.decide(now);
	}

	/// When a window has to be here that is passed on: within its length, or within what is usual for the parent, and as long again, and a
	/// half; later than for a viewer never.
	fn due_at_hop(&self, offer: &Offer, due: Duration, now: Duration) -> Duration {
		let parent = self.parent.and_then(|id| self.sources.get(&id));
		let takes = parent.map_or(Duration::ZERO, |parent| parent.takes(offer.bytes.into(), offer.rate()));
		due.min(now + (takes * 5 / 2).max(offer.length).max(LEAST_AT_HOP))
	}

	/// These chunks came from this source and are right; how many bytes that is, of a window that is remembered.
	pub fn progress(&mut self, id: SourceId, range: Range, now: Duration) -> u64 {
		let Some(at) = self.find(&range.header) else {
			return 0;
		};
		let span = (range.first, range.first.saturating_add(range.count));
		let newer = self.newest < Some(self.windows[at].offer.id);
		let window = &mut self.windows[at];
		if !window.offer_has(span) {
			return 0;
		}
		let bytes = window.offer.bytes(span);
		let fresh: u64 = window
			.here
			.missing(span)
			.iter()
			.map(|span| window.offer.bytes(*span))
			.sum();
		window.here.add(span);
		if window.has.get(&id).is_some_and(|has| has.pushed) {
			if window.pushed.0 != Some(id) {
				window.pushed = (Some(id), Spans::default());
			}
			window.pushed.1.add(span);
		}
		self.figures.bytes += bytes;
		self.figures.twice += bytes - fresh;
		self.flow.came(bytes, now);
		let flow = self.flow.rate(Duration::ZERO, now);
		let window = &mut self.windows[at];
		window.peak = window.peak.max(flow);
		let silent = self
			.parent
			.is_some_and(|parent| self.is_silent(parent, &self.windows[at], now));
		let overdue = self.was_overdue(at);
		let delivery = self.deliveries.iter_mut().find(|delivery| {
			delivery.source == id && delivery.range.header == range.header && covers(delivery.span(), span)
		});
		let Some(source) = self.sources.get_mut(&id) else {
			return bytes;
		};
		if let Some(delivery) = delivery {
			// What is behind another one waits for it.
			let began = delivery.last.unwrap_or(delivery.asked).max(source.heard);
			let took = now.saturating_sub(began);
			match delivery.last {
				Some(_) => source.paused(took, now),
				None if !delivery.pushed => source.answered(took),
				None => {},
			}
			source.came(bytes, took, now);
			source.served();
			(delivery.last, delivery.given_up) = (Some(now), false);
			delivery.got += range.count;
			let pulled = !delivery.pushed && !delivery.warmth;
			let unasked = delivery.pushed && self.parent != Some(id);
			if let (Some(pull), true) = (&mut self.windows[at].pull, pulled) {
				pull.came.get_or_insert(now);
				// It brings what the parent does not, though it was to.
				self.failed |= pull.owes && pull.from > self.since && silent;
			}
			// Called for this, as nobody else announced it.
			self.failed |= unasked && overdue && self.windows[at].is_whole();
		} else {
			source.came(bytes, now.saturating_sub(source.heard), now);
		}
		if newer {
			source.ahead = Some(now);
		}
		self.judge_link(at, now);
		if self.windows[at].is_whole() {
			self.complete(at);
		}
		self.decide(now);
		bytes
	}

	/// What was fetched is over, as far as it came.
	pub fn ended(&mut self, id: SourceId, range: Range, now: Duration) {
		let asked = |delivery: &Delivery| {
			(delivery.source, delivery.range.header, delivery.range.first) == (id, range.header, range.first)
				&& !delivery.pushed
		};
		if let Some(at) = self.deliveries.iter().position(asked) {
			let delivery = self.deliveries.swap_remove(at);
			let short = range.count < delivery.range.count && !delivery.cancelled;
			if short && now < delivery.until {
				self.fell_short(id, now);
			}
		}
		self.decide(now);
	}

	/// What was fetched does not come, or could not be asked for.
	pub fn lacks(&mut self, id: SourceId, range: Range, now: Duration) {
		let asked = |delivery: &Delivery| (delivery.source, delivery.range) == (id, range);
		if let Some(at) = self.deliveries.iter().position(asked) {
			let delivery = self.deliveries.swap_remove(at);
			if !delivery.cancelled && now < delivery.until {
				let has = self
					.find(&range.header)
					.and_then(|at| self.windows[at].has.get_mut(&id));
				has.into_iter().for_each(|has| has.lacks = true);
				self.fell_short(id, now);
			}
		}
		self.decide(now);
	}

	/// A window that was to come from this source by itself does not.
	pub fn passed(&mut self, id: SourceId, window: WindowId, now: Duration) {
		if let Some(window) = self.windows.iter_mut().find(|known| known.offer.id == window) {
			window.has.entry(id).or_default().lacks = true;
			let header = window.offer.header;
			self.deliveries
				.retain(|delivery| !(delivery.pushed && delivery.source == id && delivery.range.header == header));
		}
		self.decide(now);
	}

	/// Of a window that is not whole only these are not here, whatever was said of it: who brought more was lost with it.
	pub fn lost(&mut self, header: &Hash, missing: &[Range], now: Duration) {
		if let Some(at) = self.find(header) {
			let window = &mut self.windows[at];
			let mut gone = Spans::default();
			for range in missing {
				gone.add((range.first, range.first + range.count));
			}
			window.here = Spans::default();
			for span in gone.missing(window.offer.all()) {
				window.here.add(span);
			}
			window.over = window.is_whole();
		}
		self.decide(now);
	}

	/// A source refuses, for its price or because it is full: it is asked again then.
	pub fn refused(&mut self, id: SourceId, until: Duration, now: Duration) {
		if let Some(source) = self.sources.get_mut(&id) {
			source.rest(until);
		}
		self.decide(now);
	}

	/// Whether the broadcaster says that there is nothing new.
	pub fn status(&mut self, paused: bool, now: Duration) {
		self.paused = paused;
		if paused {
			// What held while windows came says nothing of what comes.
			self.sources.values_mut().for_each(|source| source.better = None);
		}
		self.decide(now);
	}

	/// Time has passed.
	pub fn tick(&mut self, now: Duration) {
		self.decide(now);
	}

	/// What is to be done next.
	pub fn poll_action(&mut self) -> Option<Action> {
		self.actions.pop_front()
	}

	/// When [`Swarm::tick`] is due, if nothing happens before.
	pub fn poll_timeout(&self, now: Duration) -> Option<Duration> {
		let open = || self.windows.iter().filter(|window| !window.over);
		let pulls = open()
			.filter_map(|window| self.pull_at(window, now))
			.map(|at| if at > now { at } else { now + AGAIN });
		let stalls = self.deliveries.iter().filter_map(|delivery| self.stalls_at(delivery));
		let rests = self.sources.values().map(Source::rests);
		let gains = self
			.sources
			.values()
			.filter_map(|source| source.better)
			.map(|since| since + parent::HELD);
		let dues = open()
			.map(|window| window.due)
			.chain(stalls)
			.chain(gains)
			.chain(rests)
			.filter(|at| *at > now);
		let again = open().any(|window| window.due <= now).then_some(now + AGAIN);
		let call = self.call_at().filter(|at| *at > now);
		dues.chain(pulls).chain(again).chain(call).min()
	}

	/// Who sends windows by itself.
	pub fn parent(&self) -> Option<SourceId> {
		self.parent
	}

	/// What is known of a source.
	pub fn source(&self, id: SourceId) -> Option<&Source> {
		self.sources.get(&id)
	}

	/// What it did.
	pub fn figures(&self) -> Figures {
		self.figures
	}

	/// Whether some source has not said that it does not bring this window.
	pub fn may_come(&self, id: WindowId) -> bool {
		let window = self.windows.iter().find(|window| window.offer.id == id);
		window.is_none_or(|window| {
			let lacks = |source| window.has.get(source).is_some_and(|has| has.lacks);
			self.sources.keys().any(|source| !lacks(source))
		})
	}

	/// Whether our own link is the limit.
	pub fn is_limited(&self, now: Duration) -> bool {
		now < self.ours
	}

	/// Requests that are under way.
	pub fn requests(&self) -> usize {
		self.deliveries.iter().filter(|delivery| !delivery.pushed).count()
	}

	fn find(&self, header: &Hash) -> Option<usize> {
		self.windows.iter().position(|window| window.offer.header == *header)
	}

	/// Makes room for a window; whether there is some.
	fn forget(&mut self) -> bool {
		match self.windows.front() {
			Some(window) if window.over => {
				self.floor = self.floor.max(Some(window.offer.id));
				let header = window.offer.header;
				self.deliveries.retain(|delivery| delivery.range.header != header);
				self.windows.pop_front();
				true
			},
			_ => false,
		}
	}

	fn fell_short(&mut self, id: SourceId, now: Duration) {
		let Some(source) = self.sources.get_mut(&id) else {
			return;
		};
		source.fell_short(now);
		if source.shortfall() >= MANY && self.parent != Some(id) {
			self.actions.push_back(Action::Replace(id));
		}
	}

	/// Whether a pull raised the sum of rates.
	fn judge_link(&mut self, at: usize, now: Duration) {
		let window = &self.windows[at];
		let Some(pull) = window.pull.filter(|pull| !pull.judged && pull.before > 0) else {
			return;
		};
		let Some(came) = pull.came else {
			return;
		};
		let over = window.is_whole();
		if now < came + FLOW / 2 && !over {
			return;
		}
		let after = self.flow.rate(came, now);
		// To one that fell silent nothing was added, nor to one that was lost meanwhile.
		let parent = self.parent.and_then(|id| self.sources.get(&id));
		let beside = pull.from > self.since && parent.is_some_and(|parent| parent.heard > came);
		// What is here at once did raise it.
		let ours = beside && after > 0 && after < pull.before + pull.before * RAISES / 10;
		self.ours_for = match ours {
			true => {
				let long = self.ours_for.saturating_mul(2).clamp(OURS.0, OURS.1);
				(self.ours, self.link, self.strikes) = (now + long, after, 0);
				long
			},
			false => {
				self.strikes = self.strikes.saturating_add(u32::from(pull.owes));
				Duration::ZERO
			},
		};
		if let Some(pull) = &mut self.windows[at].pull {
			pull.judged = true;
		}
	}

	fn complete(&mut self, at: usize) {
		let window = &mut self.windows[at];
		if core::mem::replace(&mut window.over, true) {
			return;
		}
		self.newest = self.newest.max(Some(window.offer.id));
		self.figures.windows += 1;
		let alone = window.pushed.1.has(window.offer.all());
		if !alone {
			self.actions.push_back(Action::Whole);
		}
		match &window.pull {
			Some(_) => {
				self.figures.pulled += 1;
				self.figures.spurious += u64::from(alone);
			},
			None => self.strikes = 0,
		}
	}

	/// Whether this source sends nothing any more: a silence beyond twice the usual, and as much again for each other that shares our link.
	fn is_silent(&self, id: SourceId, window: &Window, now: Duration) -> bool {
		let Some(source) = self.sources.get(&id) else {
			return true;
		};
		let sends = |other: &SourceId| {
			let mut own = self.deliveries.iter().filter(|delivery| delivery.source == *other);
			own.any(|delivery| !delivery.pushed && !delivery.given_up)
		};
		let others = self
			.sources
			.keys()
			.filter(|other| **other != id && sends(other))
			.count();
		let patience = 2 * source.gap() * (1 + u32::try_from(others).unwrap_or(u32::MAX));
		let patience = if now < self.ours {
			patience.max(OURS_SILENT)
		} else {
			patience
		};
		now > self.last(id, window) + patience
	}

	/// When the parent sent something last, as far as this window is concerned.
	fn last(&self, id: SourceId, window: &Window) -> Duration {
		let push = self
			.deliveries
			.iter()
			.find(|delivery| delivery.pushed && delivery.source == id && delivery.range.header == window.offer.header);
		let heard = self.sources.get(&id).map_or(Duration::ZERO, |source| source.heard);
		let begun = push.map_or(window.first, |push| push.last.unwrap_or(push.asked));
		begun.max(heard)
	}

	/// Who could bring something of it now that it does not bring by itself.
	fn helpers<'a>(&'a self, window: &'a Window, now: Duration) -> impl Iterator<Item = (SourceId, &'a Source)> + 'a {
		let header = window.offer.header;
		window.has.iter().filter_map(move |(id, has)| {
			let source = self.sources.get(id)?;
			let mut own = self.deliveries.iter().filter(|delivery| delivery.source == *id);
			let stuck = own
				.clone()
				.any(|delivery| delivery.range.header == header && (delivery.given_up || delivery.cancelled));
			let busy = own.by_ref().filter(|delivery| !delivery.pushed).count() >= MAX_PULLS;
			let free = !has.lacks && !has.pushed && !stuck && !busy && source.is_ready(now);
			free.then_some((*id, source))
		})
	}

	/// When pulling begins for a window, if nothing comes of it before; `None` where there is nobody to pull from.
	fn pull_at(&self, window: &Window, now: Duration) -> Option<Duration> {
		let usual = window.offer.rate();
		if self.helpers(window, now).next().is_none() || self.unasked(window).is_empty() {
			return None;
		}
		// Those that have not announced it yet will.
		let (mut sum, mut latency) = (1u64, Duration::ZERO);
		let likely = |(id, source): &(&SourceId, &Source)| {
			self.parent != Some(**id) && source.is_ready(now) && source.shortfall() == 0
		};
		for (_, source) in self.sources.iter().filter(likely) {
			sum = sum.saturating_add(source.rate(usual));
			latency = latency.max(source.latency());
		}
		let Some((id, parent)) = self.parent.and_then(|id| Some((id, self.sources.get(&id)?))) else {
			return Some(Duration::ZERO);
		};
		let has = window.has.get(&id);
		let pushes = |delivery: &&Delivery| {
			delivery.pushed && delivery.source == id && !delivery.cancelled && !delivery.given_up
		};
		let push = self
			.deliveries
			.iter()
			.filter(pushes)
			.any(|delivery| delivery.range.header == window.offer.header);
		if has.is_some() && !push {
			return Some(Duration::ZERO);
		}
		// Windows come one behind the other.
		let ahead: u64 = self
			.windows
			.iter()
			.take_while(|other| other.offer.id < window.offer.id)
			.filter(|other| !other.over)
			.map(Window::missing)
			.sum();
		let pull = Duration::from_micros(window.missing().saturating_mul(1_000_000) / sum) * 5 / 4 + latency;
		// Who takes longer than that is no help, however early it is asked.
		let pull = pull.min(window.due.saturating_sub(window.first) / 2);
		let needed = window
			.due
			.saturating_sub(pull)
			.saturating_sub(parent.takes(ahead + window.missing(), usual));
		let lag = if has.is_some() { Duration::ZERO } else { parent.lag() };
		let usual_until = self.last(id, window) + parent.gap() + lag;
		// Who begins has nothing to play meanwhile.
		if self.newest.is_none() {
			return Some(usual_until);
		}
		// A silence lasts as long again as it has; one that lasts since before the window could be had is over.
		let overdue = has.is_none() && Self::is_behind(parent, window);
		Some(match needed <= usual_until {
			true => needed,
			false if overdue => usual_until,
			false => (needed + usual_until) / 2,
		})
	}

	/// What is neither here nor asked of a standby.
	fn unasked(&self, window: &Window) -> Vec<Span> {
		let mut coming = window.here.clone();
		let asked = self.deliveries.iter().filter(|delivery| {
			!delivery.pushed
				&& !delivery.given_up
				&& !delivery.cancelled
				&& delivery.range.header == window.offer.header
		});
		asked.for_each(|delivery| _ = coming.add(delivery.span()));
		coming.missing(window.offer.all())
	}

	/// When a request is given up.
	fn stalls_at(&self, delivery: &Delivery) -> Option<Duration> {
		if delivery.pushed || delivery.given_up || delivery.cancelled {
			return None;
		}
		let source = self.sources.get(&delivery.source)?;
		let window = &self.windows[self.find(&delivery.range.header)?];
		let usual = window.offer.rate();
		// Behind what it was asked for before.
		let before: u64 = self
			.deliveries
			.iter()
			.filter(|other| other.source == delivery.source && other.asked <= delivery.asked && !other.pushed)
			.filter_map(|other| {
				let window = &self.windows[self.find(&other.range.header)?];
				Some(
					window
						.here
						.missing(other.span())
						.iter()
						.map(|span| window.offer.bytes(*span))
						.sum::<u64>(),
				)
			})
			.sum();
		let patience = match delivery.last {
			Some(_) => 2 * source.gap(),
			None => 2 * (source.latency() + source.takes(before, usual)) + source.gap(),
		};
		Some(delivery.last.unwrap_or(delivery.asked) + patience.max(LEAST))
	}

	/// So many windows, from the oldest on, may be asked for: with the first chunk of one there is room for all of it.
	fn has_room_for(&self) -> usize {
		let windows = self.windows.iter();
		// Those before the first one that is not whole are out.
		let held = windows.scan((false, 0u64), |(waits, held), window| {
			*waits |= !window.over;
			*held += u64::from(window.offer.bytes) * u64::from(*waits);
			Some(*held)
		});
		held.take_while(|held| *held <= self.room.0).count()
	}

	fn decide(&mut self, now: Duration) {
		while self.windows.len() > OVER
			&& self
				.windows
				.iter()
				.take(self.windows.len() - OVER)
				.any(|window| window.over)
			&& self.forget()
		{}
		self.give_up(now);
		for at in 0..self.has_room_for() {
			let window = &self.windows[at];
			if !window.over && self.pull_at(window, now).is_some_and(|from| from <= now) {
				self.pull(at, now);
			}
		}
		self.cancel(now);
		self.change_parent(now);
		self.skip(now);
		self.recruit(now);
	}

	fn give_up(&mut self, now: Duration) {
		for at in 0..self.deliveries.len() {
			let delivery = self.deliveries[at];
			if self.stalls_at(&delivery).is_some_and(|stalls| stalls <= now) {
				self.deliveries[at].given_up = true;
				if delivery.warmth {
					self.deliveries[at].cancelled = true;
					self.actions.push_back(Action::Cancel {
						source: delivery.source,
						range: delivery.range,
					});
				}
				self.fell_short(delivery.source, now);
			}
		}
	}

	/// Asks standbys for what is missing.
	fn pull(&mut self, at: usize, now: Duration) {
		let window = &self.windows[at];
		let offer = window.offer;
		let usual = offer.rate();
		let sends = self.parent.filter(|id| !self.is_silent(*id, window, now));
		// What comes too seldom to be summed up.
		let seldom = || {
			sends
				.and_then(|id| self.sources.get(&id))
				.filter(|source| source.is_measured())
				.map_or(0, |source| source.rate(usual))
		};
		let before = Some(window.peak).filter(|peak| *peak > 0).unwrap_or_else(seldom);
		// Beside a parent that sends one thing is tried at a time, so that it can be said what came of it.
		let tried = |other: &Window| {
			other.offer.header != offer.header
				&& other
					.pull
					.is_some_and(|pull| pull.before > 0 && !pull.judged && now < pull.from + TRIED)
		};
		if sends.is_some() && (now < self.ours || before == 0 || self.windows.iter().any(tried)) {
			return;
		}
		let pushes = sends.filter(|id| window.has.get(id).is_some_and(|has| has.pushed && !has.lacks));
		let unasked = self.unasked(window);
		let chunks: u32 = unasked.iter().map(|(from, to)| to - from).sum();
		// Who fell short is asked where there is nobody else.
		let sure = self.helpers(window, now).any(|(_, source)| source.shortfall() == 0);
		let helpers = self
			.helpers(window, now)
			.filter(|(_, source)| !sure || source.shortfall() == 0);
		let mut helpers: Vec<(SourceId, u64, u64, u64)> = helpers
			.map(|(id, source)| (id, source.rate(usual), source.price, source.tie))
			.collect();
		// The quickest last: it has what is left over.
		helpers.sort_by_key(|&(_, rate, price, tie)| (rate.checked_ilog2(), Reverse(price), tie));
		let own = pushes
			.and_then(|id| self.sources.get(&id))
			.map_or(0, |parent| parent.rate(usual));
		let sum = helpers.iter().fold(own, |sum, (_, rate, ..)| sum.saturating_add(*rate));
		let quota =
			|rate: u64| u32::try_from(u128::from(chunks) * u128::from(rate) / u128::from(sum.max(1))).unwrap_or(chunks);
		let kept = if own > 0 {
			quota(own).min(chunks.saturating_sub(1))
		} else {
			0
		};
		let mut left = chunks - kept;
		let mut tail: Vec<Span> = unasked;
		let count = helpers.len();
		let mut asks = Vec::new();
		for (place, (id, rate, ..)) in helpers.into_iter().enumerate() {
			let last = place + 1 == count;
			let mut share = match last {
				true => left,
				false => quota(rate).max(offer.run()).min(left),
			};
			left -= share;
			// From the end: the parent, where it sends, begins at the beginning.
			while share > 0 {
				let Some((from, to)) = tail.pop() else {
					break;
				};
				let taken = share.min(to - from);
				share -= taken;
				if taken < to - from {
					tail.push((from, to - taken));
				}
				asks.push((id, (to - taken, to)));
			}
		}
		let window = &mut self.windows[at];
		// What was announced before it was made parent does not come by itself.
		let owes = self.parent.is_some_and(|id| {
			window.has.get(&id).is_none_or(|has| has.pushed) || window.first > self.since + offer.length
		});
		if window.pull.is_none() {
			let before = if sends.is_some() { before } else { 0 };
			window.pull = Some(Pull {
				from: now,
				before,
				owes,
				came: None,
				judged: false,
			});
			self.strikes = self.strikes.saturating_add(u32::from(owes && sends.is_none()));
		}
		let due = window.due;
		for (id, span) in asks {
			self.ask(id, offer, span, due, false, now);
		}
	}

	fn ask(&mut self, source: SourceId, offer: Offer, span: Span, due: Duration, warmth: bool, now: Duration) {
		let pulls = self
			.deliveries
			.iter()
			.filter(|delivery| delivery.source == source && !delivery.pushed)
			.count();
		let Some(known) = self.sources.get(&source).filter(|_| pulls < MAX_PULLS) else {
			return;
		};
		// One that is late already is of use nevertheless.
		let takes = 4 * (known.latency() + known.takes(offer.bytes(span), offer.rate()));
		let until = due.max(now + takes.clamp(4 * LEAST, LONGEST));
		let range = offer.range(span);
		self.deliveries.push(Delivery {
			source,
			range,
			pushed: false,
			warmth,
			asked: now,
			last: None,
			got: 0,
			until,
			cancelled: false,
			given_up: false,
		});
		self.actions.push_back(Action::Fetch {
			source,
			range,
			within: until - now,
		});
	}

	/// A standby that brought nothing for a while brings a little: the last chunks, which the parent sends last.
	fn warm(&mut self, id: SourceId, at: usize, now: Duration) {
		let window = &self.windows[at];
		let offer = window.offer;
		let span = (offer.chunks.saturating_sub(offer.run()), offer.chunks);
		let cost = offer.bytes(span) * WARMTH;
		let Some(source) = self.sources.get(&id) else {
			return;
		};
		let busy = self.deliveries.iter().any(|delivery| delivery.source == id);
		// Whoever brought nothing for longest comes first.
		let mut others = self
			.sources
			.iter()
			.filter(|(other, _)| **other != id && self.parent != Some(**other));
		let first = others.all(|(_, other)| other.idle <= source.idle || !other.is_ready(now));
		let due = first && source.idle >= EVERY && source.is_ready(now) && !self.paused && now >= self.ours;
		let nothing = self.parent == Some(id) || self.parent.is_none() || at >= self.has_room_for();
		if !due || busy || nothing || cost > self.warmth {
			return;
		}
		self.warmth -= cost;
		let due = window.due;
		self.ask(id, offer, span, due, true, now);
	}

	/// What was to come by itself and is not wanted any more is forgotten. Whoever had long enough for it, and sent nothing at all since,
	/// holds it back.
	fn forget_pushed(&mut self, now: Duration) {
		let over = |delivery: &Delivery| delivery.pushed && delivery.cancelled;
		for delivery in self.deliveries.iter().filter(|delivery| over(delivery)) {
			if let Some(source) = self.sources.get_mut(&delivery.source) {
				let begins = delivery.asked + source.latency() + 2 * source.gap();
				source.withheld += u32::from(source.heard < delivery.asked && begins < now);
			}
		}
		self.deliveries.retain(|delivery| !over(delivery));
	}

	/// What arrived elsewhere is not wanted.
	fn cancel(&mut self, now: Duration) {
		for delivery in &mut self.deliveries {
			let Some(window) = self
				.windows
				.iter()
				.find(|window| window.offer.header == delivery.range.header)
			else {
				continue;
			};
			let here = window.here.has(delivery.span());
			if !here || delivery.cancelled || delivery.warmth {
				continue;
			}
			delivery.cancelled = true;
			// What this one brought itself is at its end.
			if delivery.got < delivery.range.count {
				self.actions.push_back(Action::Cancel {
					source: delivery.source,
					range: delivery.range,
				});
			}
		}
		self.forget_pushed(now);
	}
}

#[cfg(test)]
mod tests;
