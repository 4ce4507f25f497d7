//! The streams that are served: of each its terms on the chain, its price, who watches it and how it stands. What becomes of one
//! changes nothing of another. Sans-IO.

use crate::{
	demand, metrics,
	payment::{Rule, Standings},
	surge::{self, Load, Surge},
};
use clustercast_primitives::{PublicKey, StreamId};
use clustercast_protocol::EndReason;
use std::{
	collections::{BTreeMap, HashMap},
	sync::{
		atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};
use tokio::{sync::watch, time::Instant};

/// What is asked for a stream, and of how many.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
	/// Micro-USDC per 10^9 bytes, when it is quiet.
	pub baseline: u64,
	/// The same when the relayer is full.
	pub highest: u64,
	/// Viewers at a time.
	pub places: usize,
	/// Tickets or vouchers.
	pub rule: Rule,
}

/// One of the streams.
#[derive(Debug)]
pub struct Served {
	/// Number of its key.
	pub id: StreamId,
	/// What windows cost.
	pub surge: Surge,
	/// Tickets or vouchers.
	pub rule: Rule,
	/// What sessions have paid for it by ticket.
	pub standings: Standings,
	/// Counter of its terms: vouchers add up under it.
	terms: AtomicU32,
	/// How full the relayer is.
	load: Arc<Load>,
	/// Viewers at a time, by our settings.
	places: usize,
	/// The same by the stream key, of all relayers together; 0 is no limit.
	allowed: AtomicU32,
	/// Of these, those that upstream lets us serve.
	seats: AtomicU32,
	/// Subscriptions by peer: one that comes again takes its own place.
	viewers: Mutex<HashMap<PublicKey, usize>>,
	/// How many these are, for whoever follows that.
	audience: watch::Sender<usize>,
	/// Fetched on demand: what is asked on top of what it costs us, micro-USDC per 10^9 bytes.
	margin: Option<u64>,
	/// What upstream asks, micro-USDC per 10^9 bytes.
	cost: AtomicU64,
	/// There is no such key on the chain any more.
	gone: AtomicBool,
}

impl Served {
	/// A stream that nobody watches yet, under terms of this counter.
	pub fn new(id: StreamId, offer: Offer, terms: u32, load: Arc<Load>) -> Self {
		Self {
			id,
			surge: Surge::new(offer.baseline, offer.highest),
			rule: offer.rule,
			standings: Standings::default(),
			terms: terms.into(),
			load,
			places: offer.places,
			allowed: AtomicU32::new(0),
			seats: AtomicU32::new(0),
			viewers: Mutex::default(),
			audience: watch::Sender::default(),
			margin: None,
			cost: AtomicU64::new(0),
			gone: AtomicBool::new(false),
		}
	}

	/// It is fetched on demand: this is asked at least on top of what it costs us, micro-USDC per 10^9 bytes.
	pub fn on_demand(self, margin: u64) -> Self {
		Self {
			margin: Some(margin),
			..self
		}
	}

	/// Whether it is fetched only while somebody watches it.
	pub fn is_on_demand(&self) -> bool {
		self.margin.is_some()
	}

	/// How many watch it, or wait for it: all of them can pay.
	pub fn audience(&self) -> watch::Receiver<usize> {
		self.audience.subscribe()
	}

	/// Upstream asks this, micro-USDC per 10^9 bytes.
	pub fn set_cost(&self, cost: u64) {
		self.cost.store(cost, Ordering::Relaxed);
	}

	/// The least that is asked of whoever comes now.
	fn least(&self) -> u64 {
		let cost = self.cost.load(Ordering::Relaxed);
		self.margin
			.map_or(0, |margin| demand::quote(cost, self.watching() + 1, margin))
	}

	/// Counter of its terms now.
	pub fn terms(&self) -> u32 {
		self.terms.load(Ordering::Relaxed)
	}

	/// It has terms of this counter from now on; that of those before.
	pub fn set_terms(&self, counter: u32) -> u32 {
		self.terms.swap(counter, Ordering::Relaxed)
	}

	/// Micro-USDC per 10^9 bytes, for whoever subscribes now: by the fuller of relayer and stream, and what it costs us where it is
	/// fetched on demand.
	pub fn price(&self, now: Instant) -> u64 {
		let own = surge::share(self.watching() as u64, self.most() as u64);
		let (price, least) = (self.surge.price(own.max(self.load.ppm(now))), self.least());
		match self.surge.allows(least) {
			true => price.max(least),
			false => price,
		}
	}

	/// Peers that watch it.
	pub fn watching(&self) -> usize {
		lock(&self.viewers).len()
	}

	/// The stream key allows so many viewers; 0 is no limit.
	pub fn allow(&self, viewers: u32) {
		self.allowed.store(viewers, Ordering::Relaxed);
	}

	/// Upstream lets us serve so many of the viewers that the stream key allows: none as long as it said nothing, or is away.
	pub fn set_seats(&self, seats: u32) {
		self.seats.store(seats, Ordering::Relaxed);
		::metrics::gauge!(metrics::SEATS, "stream" => self.id.to_string()).set(seats);
	}

	/// Viewers at a time: what we are set to, and where the stream key limits them no more than it allows, nor than our part.
	fn most(&self) -> usize {
		match self.allowed.load(Ordering::Relaxed) {
			0 => self.places,
			allowed => self
				.places
				.min(allowed.min(self.seats.load(Ordering::Relaxed)) as usize),
		}
	}

	/// A viewer takes a place as long as the answer lives. Not where the stream key allows no price that pays for it.
	pub fn enter(self: &Arc<Self>, peer: PublicKey) -> Result<Viewer, EndReason> {
		if !self.surge.allows(self.least()) {
			return Err(EndReason::NotServed);
		}
		self.take(peer)?;
		::metrics::counter!(metrics::SUBSCRIPTIONS, "stream" => self.id.to_string()).increment(1);
		Ok(Viewer {
			stream: self.clone(),
			peer,
			counts: true.into(),
		})
	}

	/// A viewer counts from now on.
	fn take(&self, peer: PublicKey) -> Result<(), EndReason> {
		let mut viewers = lock(&self.viewers);
		// Upstream says our part of a limited stream when we fetch it, and on demand that is when there is one who waits.
		let asks = usize::from(self.is_on_demand()).min(self.places);
		if !viewers.contains_key(&peer) && viewers.len() >= self.most().max(asks) {
			return Err(EndReason::Full);
		}
		*viewers.entry(peer).or_default() += 1;
		self.audience.send_replace(viewers.len());
		drop(viewers);
		self.load.enter();
		::metrics::gauge!(metrics::VIEWERS, "stream" => self.id.to_string()).increment(1.0);
		Ok(())
	}

	/// One that counted does no more.
	fn give(&self, peer: &PublicKey) {
		let mut viewers = lock(&self.viewers);
		if let Some(subscriptions) = viewers.get_mut(peer) {
			*subscriptions -= 1;
			if *subscriptions == 0 {
				viewers.remove(peer);
			}
		}
		self.audience.send_replace(viewers.len());
		drop(viewers);
		self.load.leave();
		::metrics::gauge!(metrics::VIEWERS, "stream" => self.id.to_string()).decrement(1.0);
	}

	/// Whether the chain knows its key. One that was burnt may be read again where a node was wrong.
	pub fn set_gone(&self, gone: bool) {
		self.gone.store(gone, Ordering::Relaxed);
	}

	/// Whether nobody may sign it.
	pub fn is_gone(&self) -> bool {
		self.gone.load(Ordering::Relaxed)
	}

	/// Why nothing of it is sold, where that is so.
	pub fn shut(&self) -> Option<EndReason> {
		self.is_gone().then_some(EndReason::NotServed)
	}
}

/// Counts a viewer as long as it lives, but for times in which it buys nothing.
#[derive(Debug)]
pub struct Viewer {
	/// What it watches.
	pub stream: Arc<Served>,
	peer: PublicKey,
	counts: AtomicBool,
}

impl Viewer {
	/// Whether it counts from now on: to places and price. An error where there is no place for it any more.
	pub fn count(&self, counts: bool) -> Result<(), EndReason> {
		match (self.counts.swap(counts, Ordering::Relaxed), counts) {
			(true, false) => self.stream.give(&self.peer),
			(false, true) => self.stream.take(self.peer).inspect_err(|_| {
				self.counts.store(false, Ordering::Relaxed);
			})?,
			_ => {},
		}
		Ok(())
	}
}

impl Drop for Viewer {
	fn drop(&mut self) {
		if self.counts.load(Ordering::Relaxed) {
			self.stream.give(&self.peer);
		}
	}
}

/// All of them, by number.
#[derive(Clone, Debug, Default)]
pub struct Streams(BTreeMap<StreamId, Arc<Served>>);

impl FromIterator<Served> for Streams {
	fn from_iter<I: IntoIterator<Item = Served>>(served: I) -> Self {
		let served = served.into_iter().map(|served| (served.id, Arc::new(served)));
		Self(served.collect())
	}
}

impl Streams {
	/// One that is served, whose key is on the chain.
	pub fn get(&self, id: StreamId) -> Option<&Arc<Served>> {
		self.0.get(&id)
	}

	/// All of them.
	pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
		self.0.values()
	}

	/// Counters of their terms.
	pub fn terms(&self) -> BTreeMap<StreamId, u32> {
		self.0.iter().map(|(id, served)| (*id, served.terms())).collect()
	}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is locked here is changed in one step.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::payment::Payment;
	use std::time::Duration;

	fn offer(places: usize) -> Offer {
		Offer {
			baseline: 100,
			highest: 200,
			places,
			rule: Rule::new(Payment::Tickets, 100, 1_000, Duration::ZERO),
		}
	}

	/// Two streams of a relayer with eight places; the first has four of them at most.
	fn two() -> (Arc<Served>, Arc<Served>) {
		let load = Arc::new(Load::new(8, None));
		let served = |id, places| Arc::new(Served::new(StreamId(id), offer(places), 0, load.clone()));
		(served(1, 4), served(2, 8))
	}

	fn peer(n: u8) -> PublicKey {
		PublicKey([n; 32])
	}

	#[tokio::test]
	async fn stream_has_so_many_viewers_and_the_others_have_their_own() {
		let (first, second) = two();
		let mut seats: Vec<_> = (0..4).map(|n| first.enter(peer(n)).unwrap()).collect();
		assert_eq!(first.enter(peer(9)).unwrap_err(), EndReason::Full);
		// The line of one changed: it takes the place of its own ghost, which goes later.
		let again = first.enter(peer(0)).unwrap();
		drop(seats.remove(0));
		assert_eq!(first.enter(peer(9)).unwrap_err(), EndReason::Full);
		assert!(second.enter(peer(9)).is_ok());
		drop(again);
		assert!(first.enter(peer(9)).is_ok());
	}

	#[tokio::test]
	async fn no_more_watch_than_the_stream_key_allows() {
		let (first, _) = two();
		first.set_seats(1_000);
		first.allow(2);
		let seats: Vec<_> = (0..2).map(|n| first.enter(peer(n)).unwrap()).collect();
		assert_eq!(first.enter(peer(9)).unwrap_err(), EndReason::Full);
		// Nobody is sent away where it is fewer from now on.
		first.allow(1);
		drop(seats);
		let one = first.enter(peer(0)).unwrap();
		assert_eq!(first.enter(peer(1)).unwrap_err(), EndReason::Full);
		first.allow(0);
		assert!(first.enter(peer(1)).is_ok(), "no limit");
		drop(one);
		first.allow(1_000);
		let _all: Vec<_> = (0..4).map(|n| first.enter(peer(n)).unwrap()).collect();
		assert_eq!(
			first.enter(peer(9)).unwrap_err(),
			EndReason::Full,
			"nor than we are set to"
		);
	}

	/// The attack: seats that cost nothing take a stream's places, and make it dear for those who pay.
	#[tokio::test]
	async fn whoever_buys_nothing_counts_neither_to_places_nor_to_the_price() {
		let ((first, _), now) = (two(), Instant::now());
		let idlers: Vec<_> = (0..4).map(|n| first.enter(peer(n)).unwrap()).collect();
		assert_eq!(first.price(now), 200);
		idlers.iter().for_each(|idler| idler.count(false).unwrap());
		assert_eq!((first.price(now), first.watching()), (100, 0));
		let paying: Vec<_> = (10..13).map(|n| first.enter(peer(n)).unwrap()).collect();
		idlers[0].count(true).unwrap();
		idlers[0].count(true).unwrap();
		assert_eq!(
			idlers[1].count(true).unwrap_err(),
			EndReason::Full,
			"its place is another's"
		);
		assert_eq!(first.watching(), 4);
		drop((idlers, paying));
		assert_eq!((first.watching(), first.price(now)), (0, 100));
	}

	#[tokio::test]
	async fn no_more_watch_than_upstream_lets_us_have_of_those_whom_the_stream_key_allows() {
		let (first, _) = two();
		let enter = |n| first.enter(peer(n));
		first.allow(3);
		assert_eq!(enter(0).unwrap_err(), EndReason::Full, "nothing was said yet");
		first.set_seats(2);
		let mut seats: Vec<_> = (0..2).map(|n| enter(n).unwrap()).collect();
		assert_eq!(enter(9).unwrap_err(), EndReason::Full);
		// Another relayer came: nobody is sent away, who watches may come again, and newcomers wait until there are fewer.
		first.set_seats(1);
		let again = enter(0).unwrap();
		seats.remove(1);
		assert_eq!(enter(1).unwrap_err(), EndReason::Full);
		drop((again, seats));
		let one = enter(1).unwrap();
		assert_eq!(enter(2).unwrap_err(), EndReason::Full);
		// More relayers than viewers.
		first.set_seats(0);
		drop(one);
		assert_eq!(enter(1).unwrap_err(), EndReason::Full);
		// What the chain says is of now, what upstream said may be of before.
		first.set_seats(3);
		first.allow(1);
		let one = enter(1).unwrap();
		assert_eq!(enter(2).unwrap_err(), EndReason::Full);
		first.set_seats(0);
		first.allow(0);
		assert!(enter(2).is_ok(), "no limit, no parts");
		drop(one);
	}

	#[tokio::test]
	async fn price_is_that_of_the_fuller_of_stream_and_relayer() {
		let ((first, second), now) = (two(), Instant::now());
		let prices = || (first.price(now), second.price(now));
		assert_eq!(prices(), (100, 100));
		let some: Vec<_> = (0..3).map(|n| first.enter(peer(n)).unwrap()).collect();
		assert_eq!(prices(), (150, 100), "three of its four places, and of our eight");
		let more: Vec<_> = (0..3).map(|n| second.enter(peer(n)).unwrap()).collect();
		assert_eq!(prices(), (150, 150), "six of eight");
		drop((some, more));
		assert_eq!(prices(), (100, 100));
	}

	#[tokio::test]
	async fn stream_whose_key_was_burnt_is_not_sold_and_others_are() {
		let (first, second) = two();
		first.set_gone(true);
		assert_eq!(first.shut(), Some(EndReason::NotServed));
		assert_eq!(second.shut(), None);
		first.set_gone(false);
		assert_eq!(first.shut(), None);
	}

	#[tokio::test]
	async fn stream_on_demand_costs_each_its_part_and_is_not_sold_below() {
		let load = Arc::new(Load::new(8, None));
		let stream = Arc::new(Served::new(StreamId(1), offer(8), 0, load).on_demand(50));
		let (now, audience) = (Instant::now(), stream.audience());
		assert_eq!(stream.price(now), 100, "the origin asks nothing");
		stream.set_cost(300);
		assert_eq!(stream.price(now), 350);
		let first = stream.enter(peer(1)).unwrap();
		assert_eq!((stream.price(now), *audience.borrow()), (200, 1));
		let second = stream.enter(peer(2)).unwrap();
		assert_eq!((stream.price(now), *audience.borrow()), (150, 2));
		drop((first, second));
		assert_eq!(*audience.borrow(), 0);
		stream.surge.limit(349);
		assert_eq!(stream.enter(peer(3)).unwrap_err(), EndReason::NotServed);
		stream.surge.limit(350);
		assert!(stream.enter(peer(3)).is_ok());
	}
}
