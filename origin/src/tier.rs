//! The first tier: which relayers have the copies of the stream that the uplink carries, who waits for one, and who loses its own.
//! Sans-IO: time is counted from any beginning, and chance is a seed's.
//!
//! | seat | whose |
//! | --- | --- |
//! | pinned | of the relayer that the broadcaster names, at once when it comes. Others have it meanwhile, and no check takes it |
//! | rotating | of who came last, where there are two copies or more: after its turn it makes room for who waits |
//! | any other | kept as long as it is earned |
//!
//! A seat is lost by who acknowledges nothing ([`SILENT`]), by who fails two checks in a row, and at once by who brings what the broadcaster
//! did not sign: then it rests, and has a seat only where nobody else wants one. Who failed once is checked again soon, unless it
//! acknowledges nothing meanwhile; who has just come is checked sooner than others. Nothing that anybody says of a relayer counts, only what the origin finds when it buys as a customer.
//!
//! A silence is compared: it counts from when another one that was here is last known to have been heard. Where all are silent together
//! that is never, since our own line fails so, and acknowledgements come back later than those who ask. But who asks is heard, so the
//! line carries something: whoever is not heard within [`TOGETHER`] from then on is silent. Who is alone is compared with nobody.
//!
//! A check that fails is compared: the others are bought from at once, one after the other, until one serves. If none does, nothing
//! is held against anybody, since it may be our own fault. Who is alone is compared with itself: what it acknowledges shows that it is
//! reached. What may be our own fault nevertheless ([`Outcome::Doubtful`]) is not held against it.
//!
//! Who is refused waits in line, as long as it asks again and again; a seat that falls free is of the first one there. So who asks more
//! often has it no sooner.

use clustercast_primitives::PublicKey;
use rand::{rngs::StdRng, seq::SliceRandom, Rng};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	num::NonZeroU64,
	time::Duration,
};

/// Who acknowledged nothing for so long, though something was sent, makes room at once: a window's time. Of parts a segment's: a
/// lost packet is no silence.
pub const SILENT: Duration = Duration::from_secs(2);

/// Those who are silent together may be so for this long after somebody else was heard: what was lost in an outage is sent again after
/// about as long as the outage took, and who waits asks again only later.
const TOGETHER: Duration = Duration::from_secs(10);

/// Of the uplink, parts of ten that copies may take: another one has to fit into this much...
const GROWS: u64 = 8;

/// ...and is given up where they take more than this, which is all that chunks have of it.
const SHRINKS: u64 = 9;

/// Bytes/s of a stream that is not measured yet: 480p.
const USUAL: u64 = 187_500;

/// Who waits and does not ask for so long is passed over: relayers ask every 15 s where they have the stream from nobody, and once a
/// minute where they look for somebody who stands by.
const ASKS: Duration = Duration::from_secs(90);

/// Who did not ask for so long waits no more.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// So many wait at most; who comes later is not remembered.
const MOST_WAITING: usize = 64;

/// Checks that fail in a row and cost the seat.
const MOST_FAILED: u32 = 2;

/// Who has just come, and is not known, is checked so many times as soon as others...
const SOONER: u32 = 4;

/// ...and who failed a check.
const AGAIN_SOONER: u32 = 8;

/// What the broadcaster says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
	/// Copies at most.
	pub most: usize,
	/// What the uplink carries, bytes/s; no limit where nothing is said.
	pub uplink: Option<NonZeroU64>,
	/// Has a seat whenever it comes.
	pub pinned: Option<PublicKey>,
	/// How long things take.
	pub times: Times,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
	/// The rotating seat is somebody's for so long, where others wait.
	pub turn: Duration,
	/// Who lost its seat rests for so long.
	pub rest: Duration,
	/// From one check of a relayer to the next, on average.
	pub check: Duration,
}

impl Default for Times {
	/// Ten minutes, half an hour, a minute.
	fn default() -> Self {
		Self {
			turn: Duration::from_secs(600),
			rest: Duration::from_secs(1_800),
			check: Duration::from_secs(60),
		}
	}
}

/// What a relayer did to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Failing {
	/// It sold nothing.
	#[error("refused")]
	Refused,
	/// It asked more than the registry says.
	#[error("dearer than announced")]
	Dear,
	/// What it sold did not come in time.
	#[error("late")]
	Late,
	/// It brought what the broadcaster did not sign.
	#[error("not what was signed")]
	Wrong,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
	/// It was paid for what it brought.
	Served,
	/// It was not.
	Failed(Failing),
	/// It was not, perhaps for a reason of our own, which others who serve us disprove.
	Doubtful(Failing),
	/// Nothing can be said: the broadcast paused, or we could not pay, or do not know what the chain says.
	Void,
}

/// Why a seat is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
	/// The pinned relayer came.
	#[error("the pinned relayer has come")]
	Pinned,
	/// See [`SILENT`].
	#[error("it acknowledges nothing")]
	Silent,
	/// Its turn is over, and others wait.
	#[error("its turn is over")]
	Turn,
	/// It failed two checks, or lied in one.
	#[error("customers found it {0}")]
	Failed(Failing),
	/// The uplink does not carry it any more.
	#[error("the uplink carries fewer copies")]
	Uplink,
}

/// What happened, for log and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
	/// A relayer lost its seat.
	Lost(PublicKey, Loss),
	/// A check failed, and counts.
	Failed(PublicKey, Failing),
	/// All that were compared failed: none counts.
	AllFailed,
	/// All are silent, and somebody else was heard: none counts for [`TOGETHER`].
	AllSilent,
}

/// Somebody's copy.
#[derive(Clone, Copy, Debug)]
struct Seat {
	/// In the order in which they came.
	number: u64,
	since: Duration,
	/// When it is checked.
	check_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
	key: PublicKey,
	/// It asked last.
	asked: Duration,
}

/// What is held against a relayer, whether it has a seat or not.
#[derive(Clone, Copy, Debug)]
struct Record {
	failed: u32,
	/// The last of them.
	why: Failing,
	at: Duration,
}

impl Record {
	fn rests(&self) -> bool {
		self.failed >= MOST_FAILED
	}
}

/// See the module.
#[derive(Debug)]
pub struct Tier {
	config: Config,
	copies: usize,
	seats: BTreeMap<PublicKey, Seat>,
	next: u64,
	/// They have lost their seats, and are served until they hear of it.
	leaving: BTreeSet<PublicKey>,
	/// All have been silent since before this, when somebody else was heard.
	all_silent: Option<Duration>,
	/// In the order in which they came.
	line: Vec<Waiting>,
	records: BTreeMap<PublicKey, Record>,
	/// It is being bought from.
	checking: Option<PublicKey>,
	/// Who failed since one served, as far as they are being compared; whether it acknowledged what was sent.
	compared: Vec<(PublicKey, Failing, bool)>,
	chance: StdRng,
	events: VecDeque<Event>,
}

impl Tier {
	/// Nobody is here; as many copies as there are of a usual stream.
	pub fn new(config: Config, chance: StdRng) -> Self {
		let mut tier = Self {
			config,
			copies: 1,
			seats: BTreeMap::new(),
			next: 0,
			leaving: BTreeSet::new(),
			all_silent: None,
			line: Vec::new(),
			records: BTreeMap::new(),
			checking: None,
			compared: Vec::new(),
			chance,
			events: VecDeque::new(),
		};
		tier.copies = tier.fit(USUAL, GROWS);
		tier
	}

	/// The stream takes so many bytes/s.
	pub fn takes(&mut self, rate: u64) {
		let (grown, kept) = (self.fit(rate, GROWS), self.fit(rate, SHRINKS));
		self.copies = self.copies.clamp(grown, kept);
		while self.seats.len() > self.copies {
			let Some(last) = self.last() else { return };
			self.lose(last, Loss::Uplink);
		}
	}

	/// How many copies of so many bytes/s so many tenths of the uplink carry; at least one.
	fn fit(&self, rate: u64, tenths: u64) -> usize {
		let most = self.config.most.max(1);
		let Some(uplink) = self.config.uplink else {
			return most;
		};
		let fit = u128::from(uplink.get()) * u128::from(tenths) / 10 / u128::from(rate.max(1));
		usize::try_from(fit).unwrap_or(most).clamp(1, most)
	}

	/// A relayer asks for a copy; whether it has one from now on. `silent`: for how long one acknowledges nothing.
	pub fn ask(&mut self, key: PublicKey, now: Duration, silent: impl Fn(&PublicKey) -> Duration) -> bool {
		self.forget(now);
		if self.seats.contains_key(&key) {
			return true;
		}
		let ahead = self.ahead(&key, now);
		let still = self.still(now, silent);
		if !self.leaving.contains(&key) {
			let mut still = still.into_iter();
			while self.free() <= ahead {
				let Some(other) = still.next() else { break };
				// It hears nothing: nobody waits until it does.
				self.seats.remove(&other);
				self.events.push_back(Event::Lost(other, Loss::Silent));
			}
			if self.free() > ahead {
				self.sit(key, now);
				return true;
			}
		}
		if self.is_pinned(&key) {
			// At once, beside who makes room for it and is served until it hears of that: else nobody had this copy until this one asks again.
			if let Some(last) = self.last().filter(|_| self.spare() == 0) {
				self.lose(last, Loss::Pinned);
			}
			self.sit(key, now);
			return true;
		}
		self.wait(key, now);
		self.send_away(now);
		if ahead == 0 && !self.rests(&key) {
			self.make_room(now);
		}
		false
	}

	/// Somebody was heard: who acknowledges nothing, as far as that is not our own line's fault.
	fn still(&mut self, now: Duration, silent: impl Fn(&PublicKey) -> Duration) -> Vec<PublicKey> {
		let silences: Vec<(PublicKey, Duration)> = self.seats.keys().map(|key| (*key, silent(key))).collect();
		let least = silences.iter().map(|(_, silence)| *silence).min().unwrap_or_default();
		let alone = silences.len() == 1;
		// Since before that all of them were silent: if not, one was heard meanwhile.
		let before = self.all_silent.filter(|since| now.saturating_sub(*since) <= least);
		self.all_silent = (least >= SILENT && !alone).then(|| before.unwrap_or(now));
		if self.all_silent.is_some() && before.is_none() {
			self.events.push_back(Event::AllSilent);
		}
		let is_known = self.all_silent.is_some_and(|since| now >= since + TOGETHER);
		// Who sat down a moment ago has not heard what the others have missed.
		let sat = |key: &PublicKey, long: Duration| {
			let seat = self.seats.get(key);
			seat.is_some_and(|seat| now.saturating_sub(seat.since) >= long.min(TOGETHER))
		};
		let counts = |(key, silence): &(PublicKey, Duration)| {
			let others = silences
				.iter()
				.filter(|(other, _)| other != key && sat(other, *silence));
			let heard = others.map(|(_, silence)| *silence).min();
			let from = match heard {
				_ if alone || is_known => Duration::ZERO,
				Some(heard) => heard,
				None => return false,
			};
			*silence >= SILENT + from
		};
		silences
			.iter()
			.filter(|silence| counts(silence))
			.map(|(key, _)| *key)
			.collect()
	}

	/// It is served no more.
	pub fn left(&mut self, key: &PublicKey) {
		self.seats.remove(key);
		self.leaving.remove(key);
	}

	/// Time passes: who has not asked for long waits no more.
	pub fn tick(&mut self, now: Duration) {
		self.forget(now);
	}

	/// Whether this relayer has a copy.
	pub fn has(&self, key: &PublicKey) -> bool {
		self.seats.contains_key(key)
	}

	/// Who has copies and serves customers, as far as is known: whom to name to others.
	pub fn members(&self) -> impl Iterator<Item = PublicKey> + '_ {
		self.seats.keys().copied().filter(move |key| !self.rests(key))
	}

	/// How many copies there may be.
	pub fn copies(&self) -> usize {
		self.copies
	}

	/// How many have one.
	pub fn taken(&self) -> usize {
		self.seats.len()
	}

	/// How many wait.
	pub fn waiting(&self) -> usize {
		self.line.len()
	}

	/// What happened since it was asked last.
	pub fn poll_event(&mut self) -> Option<Event> {
		self.events.pop_front()
	}

	/// When the next check is due, if nothing happens before.
	pub fn check_at(&self) -> Option<Duration> {
		if self.checking.is_some() {
			return None;
		}
		match self.compared.is_empty() {
			true => self.seats.values().map(|seat| seat.check_at).min(),
			false => Some(Duration::ZERO),
		}
	}

	/// Whom to buy from now, as a customer; until [`Tier::checked`] says what came of it, nobody else.
	pub fn check(&mut self, now: Duration) -> Option<PublicKey> {
		if self.checking.is_some() {
			return None;
		}
		if self.compared.is_empty() {
			let next = self.seats.iter().min_by_key(|(_, seat)| seat.check_at);
			self.checking = next.filter(|(_, seat)| seat.check_at <= now).map(|(key, _)| *key);
			return self.checking;
		}
		let others = self.not_compared();
		self.checking = others.choose(&mut self.chance).copied();
		if self.checking.is_none() {
			// They have left meanwhile.
			self.compared.clear();
		}
		self.checking
	}

	/// What came of it. `hears`: it acknowledges what is sent to it, so nothing stands between us.
	pub fn checked(&mut self, outcome: Outcome, hears: bool, now: Duration) {
		let Some(key) = self.checking.take() else {
			return;
		};
		let next = self.interval();
		if let Some(seat) = self.seats.get_mut(&key) {
			seat.check_at = now + next;
		}
		match outcome {
			Outcome::Void => self.compared.clear(),
			Outcome::Served => {
				if self.records.get(&key).is_some_and(|record| !record.rests()) {
					self.records.remove(&key);
				}
				self.count(now);
			},
			Outcome::Doubtful(_) if self.seats.len() <= 1 => self.compared.clear(),
			Outcome::Failed(why) | Outcome::Doubtful(why) => {
				self.compared.push((key, why, hears));
				if self.not_compared().is_empty() {
					match self.compared.len() == 1 && hears {
						true => self.count(now),
						false => {
							self.compared.clear();
							self.events.push_back(Event::AllFailed);
						},
					}
				}
			},
		}
		self.send_away(now);
	}

	/// Who has a seat and is not compared yet.
	fn not_compared(&self) -> Vec<PublicKey> {
		let is_new = |key: &&PublicKey| self.compared.iter().all(|(failed, ..)| failed != *key);
		self.seats.keys().filter(is_new).copied().collect()
	}

	/// What those that are compared failed in was their own doing.
	fn count(&mut self, now: Duration) {
		for (key, why, hears) in std::mem::take(&mut self.compared) {
			let before = self.records.get(&key).map_or(0, |record| record.failed);
			let record = Record {
				// A lie is no accident.
				failed: match why {
					Failing::Wrong => MOST_FAILED.max(before),
					_ => before.saturating_add(1),
				},
				why,
				at: now,
			};
			let soon = now + self.interval() / AGAIN_SOONER;
			if let Some(seat) = self.seats.get_mut(&key).filter(|_| hears && !record.rests()) {
				seat.check_at = seat.check_at.min(soon);
			}
			self.records.insert(key, record);
			self.events.push_back(Event::Failed(key, why));
		}
	}

	/// From a quarter of the time to seven quarters: nobody knows when.
	fn interval(&mut self) -> Duration {
		let quarter = self.config.times.check / 4;
		self.chance.gen_range(quarter..=7 * quarter)
	}

	fn sit(&mut self, key: PublicKey, now: Duration) {
		self.line.retain(|waiting| waiting.key != key);
		let seat = Seat {
			number: self.next,
			since: now,
			check_at: now + self.interval() / SOONER,
		};
		self.next += 1;
		self.seats.insert(key, seat);
	}

	fn wait(&mut self, key: PublicKey, now: Duration) {
		let has_room = self.line.len() < MOST_WAITING || self.is_pinned(&key);
		match self.line.iter_mut().find(|waiting| waiting.key == key) {
			Some(waiting) => waiting.asked = now,
			None if has_room => self.line.push(Waiting { key, asked: now }),
			None => {},
		}
	}

	fn forget(&mut self, now: Duration) {
		self.line.retain(|waiting| now < waiting.asked + FORGOTTEN);
		let rest = self.config.times.rest;
		self.records.retain(|_, record| now < record.at + rest);
	}

	fn rests(&self, key: &PublicKey) -> bool {
		!self.is_pinned(key) && self.records.get(key).is_some_and(Record::rests)
	}

	fn is_pinned(&self, key: &PublicKey) -> bool {
		self.config.pinned == Some(*key)
	}

	/// Seats that nobody has, once those who lost theirs have left.
	fn spare(&self) -> usize {
		self.copies.saturating_sub(self.seats.len())
	}

	/// Of these, where nobody is served any more.
	fn free(&self) -> usize {
		self.spare().saturating_sub(self.leaving.len())
	}

	/// Those who wait and do not rest, and ask for it often enough.
	fn asking(&self, now: Duration) -> impl Iterator<Item = &PublicKey> {
		let line = self.line.iter();
		let asking = line
			.filter(move |waiting| now < waiting.asked + ASKS)
			.map(|waiting| &waiting.key);
		asking.filter(move |key| !self.rests(key))
	}

	/// How many have a seat that falls free before this one.
	fn ahead(&self, key: &PublicKey, now: Duration) -> usize {
		if self.is_pinned(key) {
			return 0;
		}
		let others = self.asking(now).filter(|other| *other != key);
		match self.rests(key) {
			true => others.count(),
			false => {
				let before = self.line.iter().take_while(|waiting| waiting.key != *key);
				let before: BTreeSet<PublicKey> = before.map(|waiting| waiting.key).collect();
				others
					.filter(|other| self.is_pinned(other) || before.contains(*other))
					.count()
			},
		}
	}

	/// Who came last, but for who is pinned.
	fn last(&self) -> Option<PublicKey> {
		let seats = self.seats.iter().filter(|(key, _)| !self.is_pinned(key));
		seats.max_by_key(|(_, seat)| seat.number).map(|(key, _)| *key)
	}

	/// Who failed makes room for those who wait.
	fn send_away(&mut self, now: Duration) {
		while self.asking(now).count() > self.spare() {
			let failed = self.seats.keys().find(|key| self.rests(key));
			let Some((key, why)) = failed.and_then(|key| Some((*key, self.records.get(key)?.why))) else {
				return;
			};
			self.lose(key, Loss::Failed(why));
		}
	}

	/// Who came last makes room for who asks and is next, where its turn is over. For nobody who does not ask: it may never come.
	fn make_room(&mut self, now: Duration) {
		let Some(last) = self.last().filter(|_| self.spare() == 0) else {
			return;
		};
		let turned = |seat: &Seat| now >= seat.since + self.config.times.turn;
		if self.copies > 1 && self.seats.get(&last).is_some_and(turned) {
			self.lose(last, Loss::Turn);
		}
	}

	fn lose(&mut self, key: PublicKey, why: Loss) {
		if self.seats.remove(&key).is_some() {
			self.leaving.insert(key);
			self.events.push_back(Event::Lost(key, why));
		}
	}
}

#[cfg(test)]
mod tests;
