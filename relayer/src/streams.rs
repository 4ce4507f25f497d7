//! The streams that are served: of each its terms on the chain, its price, who watches it and how it stands. What becomes of one
//! changes nothing of another. Sans-IO.

use crate::{
	demand::LINGER,
	metrics,
	payment::{Rule, Standings},
	sales::Sales,
	surge::{self, Load, Surge},
};
use clustercast_primitives::{AccountId, PublicKey, StreamId};
use clustercast_protocol::{routes::Path, Bitrate, EndReason, Follow};
use std::{
	collections::{BTreeMap, HashMap},
	hash::Hash,
	sync::{
		atomic::{AtomicBool, AtomicU32, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};
use tokio::{sync::watch, time::Instant};

/// Bytes/s of a stream that is not measured yet: 480p.
const USUAL: u64 = 187_500;

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
	/// Subscriptions that have a seat and follow windows, by peer: one that comes again has two for a moment.
	waiting: Mutex<HashMap<PublicKey, usize>>,
	/// How many peers these are, for whoever follows that.
	audience: watch::Sender<usize>,
	/// Those subscriptions by account.
	accounts: Mutex<HashMap<AccountId, usize>>,
	/// When the last of them went.
	left: Mutex<Option<Instant>>,
	/// Those of them that buy.
	viewers: Mutex<HashMap<PublicKey, usize>>,
	/// Fetched on demand: what it costs us, and who pays for it.
	sales: Option<Mutex<Sales>>,
	/// There is no such key on the chain any more.
	gone: AtomicBool,
	/// The relayers that it comes through, ours first; empty as long as that is not known.
	route: Mutex<Path>,
	/// What it took of late, and bytes/s as last measured.
	bitrate: Mutex<(Bitrate, u64)>,
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
			waiting: Mutex::default(),
			audience: watch::Sender::default(),
			accounts: Mutex::default(),
			left: Mutex::default(),
			viewers: Mutex::default(),
			sales: None,
			gone: AtomicBool::new(false),
			route: Mutex::default(),
			bitrate: Mutex::new((Bitrate::default(), USUAL)),
		}
	}

	/// It is fetched on demand: this is asked at least on top of what it costs us, micro-USDC per 10^9 bytes.
	pub fn on_demand(self, margin: u64) -> Self {
		Self {
			sales: Some(Mutex::new(Sales::new(margin, Instant::now()))),
			..self
		}
	}

	/// Whether it is fetched only while somebody watches it.
	pub fn is_on_demand(&self) -> bool {
		self.sales.is_some()
	}

	/// How many have a seat and follow windows: they watch it, or wait for it, and can pay.
	pub fn audience(&self) -> watch::Receiver<usize> {
		self.audience.subscribe()
	}

	/// Whether there is anything for who only stands by: nothing is fetched for it.
	fn is_fetched(&self, now: Instant) -> bool {
		let lingers = || lock(&self.left).is_some_and(|left| now < left + LINGER);
		!self.is_on_demand() || *self.audience.borrow() > 0 || lingers()
	}

	/// A window of so many bytes and so long came.
	pub fn measure(&self, bytes: u64, length_ms: u64) {
		let (bitrate, rate) = &mut *lock(&self.bitrate);
		*rate = bitrate.window(bytes, length_ms).unwrap_or(*rate);
	}

	/// What a copy of it takes, bytes/s.
	pub fn takes(&self) -> u64 {
		lock(&self.bitrate).1
	}

	/// Upstream asks this, micro-USDC per 10^9 bytes.
	pub fn set_cost(&self, cost: u64) {
		self.with_sales(|sales| sales.set_cost(cost));
	}

	/// So many bytes came from upstream.
	pub fn came(&self, bytes: u64, now: Instant) {
		let arrears = self.with_sales(|sales| {
			sales.bought(bytes, now);
			lock(&self.accounts)
				.keys()
				.for_each(|account| sales.tries(*account, bytes, now));
			sales.arrears(now)
		});
		if let Some(arrears) = arrears {
			::metrics::gauge!(metrics::ARREARS, "stream" => self.id.to_string()).set(arrears as f64);
		}
	}

	/// An account paid for so many bytes at this price, micro-USDC per 10^9 of them.
	pub fn paid(&self, account: AccountId, bytes: u64, price_per_gb: u64, now: Instant) {
		self.with_sales(|sales| sales.paid(account, bytes, price_per_gb, now));
	}

	/// `None` where it is not fetched on demand.
	fn with_sales<T>(&self, then: impl FnOnce(&mut Sales) -> T) -> Option<T> {
		self.sales.as_ref().map(|sales| then(&mut lock(sales)))
	}

	/// The least that is asked of whoever comes now.
	fn least(&self, now: Instant) -> u64 {
		self.with_sales(|sales| sales.quote(now)).unwrap_or(0)
	}

	/// It comes through these relayers, ours first.
	pub fn set_route(&self, path: &Path) {
		lock(&self.route).clone_from(path);
	}

	/// See there; `None` as long as that is not known.
	pub fn route(&self) -> Option<Path> {
		let path = lock(&self.route).clone();
		(!path.is_empty()).then_some(path)
	}

	/// Peers that have it, as far as we know: those that it comes through, and those that take it here.
	pub fn neighbours(&self) -> Vec<PublicKey> {
		let below: Vec<_> = lock(&self.viewers).keys().copied().collect();
		let above = lock(&self.route).clone();
		above.into_iter().chain(below).collect()
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
		let (price, least) = (self.surge.price(own.max(self.load.ppm(now))), self.least(now));
		match self.surge.allows(least) {
			true => price.max(least),
			false => price,
		}
	}

	/// Peers that watch it and pay for it.
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

	/// Seats of it: who has them decides the door of [`serve`](mod@clustercast_network::serve), and tells the [`Viewer`]. Upstream says
	/// our part of a limited stream when we fetch it, and on demand that is when there is one who waits.
	pub fn places(&self) -> usize {
		let asks = usize::from(self.is_on_demand()).min(self.places);
		self.most().max(asks)
	}

	/// A viewer comes. Not where the stream key allows no price that pays for it, nor where too much was bought of late that nobody
	/// paid for, or that this account did not; nor to stand by, where that is all that anybody does.
	pub fn enter(self: &Arc<Self>, peer: PublicKey, account: AccountId, follow: Follow) -> Result<Viewer, EndReason> {
		let now = Instant::now();
		let sells = |sales: &mut Sales| sales.is_open(now) && !sales.has_tried(&account, now);
		let is_open = self.with_sales(sells).unwrap_or(true) && (follow == Follow::Windows || self.is_fetched(now));
		match is_open && self.surge.allows(self.least(now)) {
			true => Ok(Viewer {
				stream: self.clone(),
				peer,
				account,
				since: now,
				seated: false.into(),
				follows: (follow == Follow::Windows).into(),
				waits: false.into(),
				counts: false.into(),
			}),
			false => Err(EndReason::NotServed),
		}
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

/// One subscription. Is seated, and counts, as the door says, and no longer than it lives.
#[derive(Debug)]
pub struct Viewer {
	/// What it watches.
	pub stream: Arc<Served>,
	peer: PublicKey,
	account: AccountId,
	seated: AtomicBool,
	/// It follows windows.
	follows: AtomicBool,
	/// Both: the stream is fetched for it.
	waits: AtomicBool,
	/// When it came.
	since: Instant,
	counts: AtomicBool,
}

impl Viewer {
	/// Whose it is, by the key that it proved.
	pub fn peer(&self) -> &PublicKey {
		&self.peer
	}

	/// Why nothing more is sold to it at this price, micro-USDC per 10^9 bytes, where that is so.
	pub fn shut(&self, price_per_gb: u64, now: Instant) -> Option<EndReason> {
		let goes = self
			.stream
			.with_sales(|sales| sales.lets_go(price_per_gb, self.since, now));
		let rose = goes.unwrap_or(false).then_some(EndReason::PriceRose);
		let tried = self.stream.with_sales(|sales| sales.has_tried(&self.account, now));
		let follows = self.follows.load(Ordering::Relaxed);
		let for_nothing = tried.unwrap_or(false) || !(follows || self.stream.is_fetched(now));
		let nothing = for_nothing.then_some(EndReason::NotServed);
		self.stream.shut().or(rose).or(nothing)
	}

	/// Whether it has a seat from now on.
	pub fn sit(&self, seated: bool) {
		if self.seated.swap(seated, Ordering::Relaxed) == seated {
			return;
		}
		self.wait();
		let stream = &self.stream;
		let (label, gauge) = (stream.id.to_string(), if seated { 1.0 } else { -1.0 });
		::metrics::gauge!(metrics::VIEWERS, "stream" => label.clone()).increment(gauge);
		match seated {
			true => ::metrics::counter!(metrics::SUBSCRIPTIONS, "stream" => label).increment(1),
			false => self.count(false),
		}
	}

	/// What comes to it by itself from now on.
	pub fn follow(&self, follow: Follow) {
		self.follows.store(follow == Follow::Windows, Ordering::Relaxed);
		self.wait();
	}

	/// Whether the stream is fetched for it.
	fn wait(&self) {
		let waits = self.seated.load(Ordering::Relaxed) && self.follows.load(Ordering::Relaxed);
		if self.waits.swap(waits, Ordering::Relaxed) == waits {
			return;
		}
		let stream = &self.stream;
		add(&mut lock(&stream.accounts), self.account, waits);
		let mut peers = lock(&stream.waiting);
		add(&mut peers, self.peer, waits);
		if peers.is_empty() {
			*lock(&stream.left) = Some(Instant::now());
		}
		stream.audience.send_replace(peers.len());
	}

	/// Whether it buys, and counts to the price.
	pub fn count(&self, counts: bool) {
		if self.counts.swap(counts, Ordering::Relaxed) == counts {
			return;
		}
		add(&mut lock(&self.stream.viewers), self.peer, counts);
		match counts {
			true => self.stream.load.enter(),
			false => self.stream.load.leave(),
		}
	}
}

impl Drop for Viewer {
	fn drop(&mut self) {
		self.count(false);
		self.sit(false);
	}
}

/// One more, or one less, of a peer or account.
fn add<K: Copy + Eq + Hash>(peers: &mut HashMap<K, usize>, peer: K, comes: bool) {
	let subscriptions = peers.entry(peer).or_default();
	*subscriptions = match comes {
		true => *subscriptions + 1,
		false => subscriptions.saturating_sub(1),
	};
	if *subscriptions == 0 {
		peers.remove(&peer);
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
	use crate::{
		payment::Payment,
		sales::{ALLOWED, LATELY},
	};
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

	fn account(n: u8) -> AccountId {
		AccountId([n; 32])
	}

	/// Has a seat and pays.
	fn pays(stream: &Arc<Served>, n: u8) -> Viewer {
		let viewer = stream.enter(peer(n), account(n), Follow::Windows).unwrap();
		viewer.sit(true);
		viewer.follow(Follow::Windows);
		viewer.count(true);
		viewer
	}

	#[tokio::test]
	async fn there_are_as_many_places_as_the_stream_key_allows_and_no_more_than_our_own() {
		let (first, _) = two();
		assert_eq!(first.places(), 4);
		first.set_seats(1_000);
		first.allow(2);
		assert_eq!(first.places(), 2);
		first.allow(1_000);
		assert_eq!(first.places(), 4, "nor than we are set to");
		first.allow(0);
		assert_eq!(first.places(), 4, "no limit");
	}

	/// The attack: seats that cost nothing make a stream dear for those who pay.
	#[tokio::test]
	async fn whoever_buys_nothing_counts_to_no_price() {
		let ((first, _), now) = (two(), Instant::now());
		let idlers: Vec<_> = (0..4)
			.map(|n| first.enter(peer(n), account(n), Follow::Windows).unwrap())
			.collect();
		for idler in &idlers {
			idler.follow(Follow::Windows);
			idler.sit(true);
		}
		assert_eq!((first.price(now), first.watching()), (100, 0));
		assert_eq!(*first.audience().borrow(), 4, "they wait for it");
		idlers.iter().for_each(|idler| idler.count(true));
		idlers[0].count(true);
		assert_eq!((first.price(now), first.watching()), (200, 4));
		idlers[1].count(false);
		idlers[2].sit(false);
		assert_eq!((first.price(now), first.watching()), (100, 2));
		assert_eq!(*first.audience().borrow(), 3);
		drop(idlers);
		assert_eq!(
			(first.price(now), first.watching(), *first.audience().borrow()),
			(100, 0, 0)
		);
	}

	/// Its line changed: its ghost goes later.
	#[tokio::test]
	async fn peer_that_comes_again_counts_once() {
		let (first, _) = two();
		let (ghost, again) = (pays(&first, 0), pays(&first, 0));
		assert_eq!((first.watching(), *first.audience().borrow()), (1, 1));
		drop(ghost);
		assert_eq!((first.watching(), *first.audience().borrow()), (1, 1));
		drop(again);
		assert_eq!((first.watching(), *first.audience().borrow()), (0, 0));
	}

	#[tokio::test]
	async fn no_more_watch_than_upstream_lets_us_have_of_those_whom_the_stream_key_allows() {
		let (first, _) = two();
		first.allow(3);
		assert_eq!(first.places(), 0, "nothing was said yet");
		first.set_seats(2);
		assert_eq!(first.places(), 2);
		// Another relayer came; then there are more relayers than viewers.
		first.set_seats(1);
		assert_eq!(first.places(), 1);
		first.set_seats(0);
		assert_eq!(first.places(), 0);
		// What the chain says is of now, what upstream said may be of before.
		first.set_seats(3);
		first.allow(1);
		assert_eq!(first.places(), 1);
		first.set_seats(0);
		first.allow(0);
		assert_eq!(first.places(), 4, "no limit, no parts");
		let load = Arc::new(Load::new(8, None));
		let on_demand = Served::new(StreamId(1), offer(8), 0, load).on_demand(50);
		on_demand.allow(3);
		assert_eq!(on_demand.places(), 1, "who waits for it, before anything is said");
	}

	#[tokio::test]
	async fn price_is_that_of_the_fuller_of_stream_and_relayer() {
		let ((first, second), now) = (two(), Instant::now());
		let prices = || (first.price(now), second.price(now));
		assert_eq!(prices(), (100, 100));
		let some: Vec<_> = (0..3).map(|n| pays(&first, n)).collect();
		assert_eq!(prices(), (150, 100), "three of its four places, and of our eight");
		let more: Vec<_> = (0..3).map(|n| pays(&second, n)).collect();
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

	fn on_demand(places: usize, margin: u64) -> Arc<Served> {
		let load = Arc::new(Load::new(8, None));
		Arc::new(Served::new(StreamId(1), offer(places), 0, load).on_demand(margin))
	}

	/// The attack: a second account subscribes and pays nothing, and the first has the stream for half of what it costs.
	#[tokio::test]
	async fn whoever_pays_nothing_shares_nothing_of_what_a_stream_costs() {
		let (stream, now) = (on_demand(8, 50), Instant::now());
		stream.set_cost(300);
		let accomplice = stream.enter(peer(1), account(1), Follow::Windows).unwrap();
		assert_eq!(stream.price(now), 350);
		stream.came(1_000_000, now);
		stream.paid(AccountId([1; 32]), 65_536, 350, now);
		assert_eq!(stream.price(now), 350);
		drop(accomplice);
	}

	#[tokio::test]
	async fn stream_on_demand_costs_each_its_part_and_is_not_sold_below() {
		let stream = on_demand(8, 50);
		let (now, audience) = (Instant::now(), stream.audience());
		assert_eq!(stream.price(now), 100, "the origin asks nothing");
		stream.set_cost(300);
		assert_eq!(stream.price(now), 350);
		let (first, second) = (pays(&stream, 1), pays(&stream, 2));
		assert_eq!(
			(stream.price(now), *audience.borrow()),
			(350, 2),
			"nobody paid for its bytes"
		);
		stream.came(1_000_000, now);
		for (account, price) in [(1, 350), (2, 200), (3, 150)] {
			stream.paid(AccountId([account; 32]), 1_000_000, price, now);
			assert_eq!(stream.price(now), price);
		}
		drop((first, second));
		assert_eq!(*audience.borrow(), 0);
		stream.surge.limit(149);
		assert_eq!(
			stream.enter(peer(3), account(3), Follow::Windows).unwrap_err(),
			EndReason::NotServed
		);
		stream.surge.limit(150);
		assert!(stream.enter(peer(3), account(3), Follow::Windows).is_ok());
	}

	#[tokio::test]
	async fn who_does_not_pay_its_part_any_more_is_let_go_and_others_are_not() {
		let stream = on_demand(8, 0);
		stream.set_cost(300);
		let viewer = stream.enter(peer(1), account(1), Follow::Windows).unwrap();
		let now = Instant::now();
		assert_eq!(viewer.shut(299, now), None, "nothing was lost");
		stream.came(ALLOWED, now);
		assert_eq!(viewer.shut(299, now), None, "it may be on its way");
		let now = now + LATELY;
		stream.came(1_000, now);
		let newer = Viewer {
			stream: stream.clone(),
			peer: peer(1),
			account: account(1),
			since: now,
			seated: false.into(),
			follows: true.into(),
			waits: false.into(),
			counts: false.into(),
		};
		assert_eq!(newer.shut(299, now), Some(EndReason::PriceRose));
		assert_eq!(newer.shut(300, now), None, "it has had no time to pay");
		assert_eq!(viewer.shut(300, now), Some(EndReason::PriceRose), "and this one had");
		assert!(stream.enter(peer(2), account(2), Follow::Windows).is_ok());
		stream.came(ALLOWED, now + LATELY);
		stream.came(ALLOWED, now + 2 * LATELY);
		assert_eq!(
			stream.enter(peer(3), account(3), Follow::Windows).unwrap_err(),
			EndReason::NotServed
		);
		stream.set_gone(true);
		assert_eq!(viewer.shut(300, now), Some(EndReason::NotServed));
		// A stream that is always fetched costs the same whoever watches.
		let (always, _) = two();
		always.set_cost(300);
		always.came(10 * ALLOWED, now);
		assert_eq!(
			always.enter(peer(1), account(1), Follow::Windows).unwrap().shut(0, now),
			None
		);
	}

	/// The attack: one account stands by, buys nothing, and all of the stream is fetched for it.
	#[tokio::test]
	async fn stream_on_demand_is_fetched_for_who_follows_windows_and_not_for_who_stands_by() {
		let stream = on_demand(8, 50);
		let standby = || stream.enter(peer(1), account(1), Follow::Announcements);
		assert_eq!(standby().unwrap_err(), EndReason::NotServed, "nothing would come of it");
		let viewer = pays(&stream, 2);
		let stands_by = standby().unwrap();
		stands_by.sit(true);
		stands_by.follow(Follow::Announcements);
		assert_eq!(*stream.audience().borrow(), 1);
		assert_eq!(stands_by.shut(350, Instant::now()), None, "it is fetched for somebody");
		viewer.follow(Follow::Announcements);
		assert_eq!(*stream.audience().borrow(), 0);
		let gone = Instant::now();
		for (other, price) in [(&stands_by, 350), (&viewer, 350)] {
			assert_eq!(other.shut(price, gone), None, "it may come back");
			assert_eq!(other.shut(price, gone + LINGER), Some(EndReason::NotServed));
		}
		stands_by.follow(Follow::Windows);
		assert_eq!(
			(*stream.audience().borrow(), viewer.shut(350, gone + LINGER)),
			(1, None)
		);
		// One that is always fetched is announced to anybody.
		let (always, _) = two();
		let free = always.enter(peer(1), account(1), Follow::Announcements).unwrap();
		assert_eq!(free.shut(0, gone + LINGER), None);
	}

	/// The attack: it follows windows, from a place that nobody has.
	#[tokio::test]
	async fn little_is_fetched_for_an_account_that_pays_nothing() {
		let (stream, now) = (on_demand(8, 50), Instant::now());
		stream.set_cost(300);
		let (idler, viewer) = (pays(&stream, 1), pays(&stream, 2));
		for _ in 0..=8 {
			stream.came(1 << 20, now);
			stream.paid(account(2), 1 << 20, 350, now);
		}
		assert_eq!(
			(
				viewer.shut(350, now),
				stream.enter(peer(2), account(2), Follow::Windows).is_ok()
			),
			(None, true)
		);
		let now = now + LATELY;
		stream.came(1, now);
		assert_eq!(
			idler.shut(350, now),
			None,
			"what comes in 45 s may be on its way to be paid"
		);
		stream.came(3 << 20, now);
		assert_eq!(idler.shut(350, now), Some(EndReason::NotServed));
		let again = stream.enter(peer(3), account(1), Follow::Windows);
		assert_eq!(again.unwrap_err(), EndReason::NotServed, "whatever keys it has");
	}

	/// Upstream says our part of a limited stream when it is asked for the stream, and on demand it is not asked for nobody.
	#[tokio::test]
	async fn limited_stream_on_demand_has_a_place_before_our_part_is_known() {
		let stream = on_demand(4, 0);
		stream.allow(10);
		assert_eq!(stream.places(), 1, "one is enough to ask");
		stream.set_seats(2);
		assert_eq!(stream.places(), 2);
		stream.set_seats(0);
		assert_eq!(
			stream.places(),
			1,
			"more relayers than viewers: whoever is asked says so"
		);
		let small = on_demand(0, 0);
		small.allow(10);
		assert_eq!(small.places(), 0, "no more than we are set to");
	}
}
