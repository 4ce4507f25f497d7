//! Price by load. Up to half of what the relayer can carry the price is its baseline; from there it rises in a straight
//! line and is highest when nothing is left. It is stated in a subscription's terms and holds as long as that lasts: who
//! came when it was quiet is not asked more because others come. Places and uplink are those of the whole relayer, a price is a stream's.

use clustercast_primitives::chain::{StreamKeyInfo, PPM};
use std::{
	sync::{
		atomic::{AtomicU64, AtomicUsize, Ordering},
		Mutex, PoisonError,
	},
	time::Duration,
};
use tokio::time::Instant;

/// Load up to which the price does not rise.
const CALM_PPM: u128 = 500_000;

/// Over how long the uplink is measured: several windows, so that it does not jump with each.
const MEASURED: Duration = Duration::from_secs(10);

/// Highest price that a stream key allows, micro-USDC per 10^9 bytes. A lower one that is announced counts already: what
/// was agreed before is redeemed by the time it comes into force.
pub fn bound(stream: &StreamKeyInfo) -> u64 {
	let now = stream.terms().max_price_per_gb();
	let announced = stream.change.and_then(|change| change.terms);
	announced.map_or(now, |terms| terms.max_price_per_gb().min(now))
}

/// How full the relayer is, whatever is watched.
#[derive(Debug)]
pub struct Load {
	/// Viewers at a time.
	places: usize,
	/// Bytes/s; `None` where it is not known.
	uplink: Option<u64>,
	viewers: AtomicUsize,
	sent: Mutex<Meter>,
}

impl Load {
	/// Of a relayer that nobody uses yet.
	pub fn new(places: usize, uplink: Option<u64>) -> Self {
		Self {
			places,
			uplink,
			viewers: AtomicUsize::new(0),
			sent: Mutex::new(Meter::default()),
		}
	}

	/// What the uplink carries, bytes/s, where that is known.
	pub fn uplink(&self) -> Option<u64> {
		self.uplink
	}

	/// A viewer comes.
	pub fn enter(&self) {
		self.viewers.fetch_add(1, Ordering::Relaxed);
	}

	/// A viewer goes.
	pub fn leave(&self) {
		self.viewers.fetch_sub(1, Ordering::Relaxed);
	}

	/// Bytes went out.
	pub fn sent(&self, bytes: usize, now: Instant) {
		let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
		sent.advance(now);
		sent.current = sent.current.saturating_add(bytes as u64);
	}

	/// The fuller of places and uplink, parts per million.
	pub fn ppm(&self, now: Instant) -> u128 {
		let places = share(self.viewers.load(Ordering::Relaxed) as u64, self.places as u64);
		let uplink = self.uplink.map_or(0, |uplink| {
			let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
			share(sent.per_second(now), uplink)
		});
		places.max(uplink)
	}
}

/// Parts per million.
pub fn share(used: u64, all: u64) -> u128 {
	u128::from(used) * u128::from(PPM) / u128::from(all.max(1))
}

/// What is asked for a stream of whoever comes now.
#[derive(Debug)]
pub struct Surge {
	/// Micro-USDC per 10^9 bytes, when it is quiet.
	baseline: u64,
	/// When it is full; at least the baseline.
	highest: u64,
	/// What the stream key allows.
	bound: AtomicU64,
}

impl Surge {
	/// Of a stream of whose key nothing is known yet.
	pub fn new(baseline: u64, highest: u64) -> Self {
		Self {
			baseline,
			highest: highest.max(baseline),
			bound: AtomicU64::new(u64::MAX),
		}
	}

	/// Micro-USDC per 10^9 bytes, where it is quiet.
	pub fn baseline(&self) -> u64 {
		self.baseline
	}

	/// Micro-USDC per 10^9 bytes, for whoever subscribes at this load.
	pub fn price(&self, load_ppm: u128) -> u64 {
		price(self.baseline, self.highest, load_ppm).min(self.bound.load(Ordering::Relaxed))
	}

	/// Whether the stream key allows this price.
	pub fn allows(&self, price_per_gb: u64) -> bool {
		price_per_gb <= self.bound.load(Ordering::Relaxed)
	}

	/// Asks no more than this from now on, however full it is.
	pub fn limit(&self, bound: u64) {
		self.bound.store(bound, Ordering::Relaxed);
	}
}

/// The straight line; `load` in parts per million, above which nothing rises.
fn price(baseline: u64, highest: u64, load_ppm: u128) -> u64 {
	let full = u128::from(PPM);
	let above = load_ppm.clamp(CALM_PPM, full) - CALM_PPM;
	let rise = u128::from(highest - baseline) * above / (full - CALM_PPM);
	baseline + u64::try_from(rise).unwrap_or(u64::MAX)
}

/// Bytes in the period that runs and in the one before.
#[derive(Debug, Default)]
struct Meter {
	begun: Option<Instant>,
	current: u64,
	previous: u64,
}

impl Meter {
	fn advance(&mut self, now: Instant) {
		let begun = *self.begun.get_or_insert(now);
		let age = now.saturating_duration_since(begun);
		if age < MEASURED {
			return;
		}
		// More than a period without a look: what was before is too old.
		(self.begun, self.previous) = match age < 2 * MEASURED {
			true => (Some(begun + MEASURED), self.current),
			false => (Some(now), 0),
		};
		self.current = 0;
	}

	/// Over the last period: the part of the one before that lies in it, and all of the current one.
	fn per_second(&mut self, now: Instant) -> u64 {
		self.advance(now);
		let age = self
			.begun
			.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
		let left = MEASURED.saturating_sub(age).as_millis();
		let before = u128::from(self.previous) * left / MEASURED.as_millis();
		let bytes = before.saturating_add(self.current.into());
		u64::try_from(bytes * 1_000 / MEASURED.as_millis()).unwrap_or(u64::MAX)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{
		chain::{StreamTerms, TermsChange},
		AccountId, PublicKey, StreamId,
	};

	#[test]
	fn bound_is_the_lower_of_what_holds_and_what_is_announced() {
		let terms = |price_per_gb, max_surge_ppm| StreamTerms {
			price_per_gb,
			max_surge_ppm,
			broadcaster_share_ppm: 0,
		};
		let stream = |change| StreamKeyInfo {
			id: StreamId(0),
			owner: AccountId([1; 32]),
			broadcaster: AccountId([1; 32]),
			payee: AccountId([1; 32]),
			signing_key: PublicKey([2; 32]),
			title: String::new(),
			category: String::new(),
			max_viewers: 0,
			price_per_gb: 1_000_000,
			max_surge_ppm: 1_500_000,
			broadcaster_share_ppm: 0,
			terms_counter: 0,
			change,
			previous_keys: Vec::new(),
			deposit: 0,
			flagged: false,
			sale_price: None,
			rent_offer: None,
			rented_until: None,
		};
		let announced = |terms| bound(&stream(Some(TermsChange { terms, from: 9 })));
		assert_eq!(bound(&stream(None)), 1_500_000);
		assert_eq!(announced(Some(terms(1_200_000, PPM))), 1_200_000);
		assert_eq!(announced(Some(terms(1_000_000, 2 * PPM))), 1_500_000);
		assert_eq!(announced(None), 1_500_000, "burnt: pays until then");
	}

	#[test]
	fn price_rises_in_a_straight_line_from_half_load_to_the_bound() {
		let at = |percent: u128| price(1_000, 3_000, percent * 10_000);
		assert_eq!(
			[at(0), at(50), at(51), at(75), at(100), at(300)],
			[1_000, 1_000, 1_040, 2_000, 3_000, 3_000]
		);
		assert_eq!(price(1_000, 1_000, 1_000_000), 1_000);
		assert_eq!(price(0, u64::MAX, 1_000_000), u64::MAX);
	}

	#[tokio::test]
	async fn the_fuller_of_places_and_uplink_counts() {
		let now = Instant::now();
		let (load, surge) = (Load::new(4, Some(1_000)), Surge::new(100, 200));
		let price = |now| surge.price(load.ppm(now));
		assert_eq!(price(now), 100);
		(0..3).for_each(|_| load.enter());
		assert_eq!(price(now), 150, "three places of four");
		// 900 bytes/s over ten seconds.
		load.sent(9_000, now);
		assert_eq!(price(now), 180);
		assert_eq!(price(now + MEASURED), 180, "all of it in the period before");
		assert_eq!(
			price(now + MEASURED + MEASURED / 2),
			150,
			"half of it: places count again"
		);
		assert_eq!(price(now + 3 * MEASURED), 150);
		load.leave();
		assert_eq!(price(now + 3 * MEASURED), 100);
		assert_eq!(Surge::new(100, 50).price(0), 100, "never below the baseline");
	}

	#[test]
	fn stream_key_bounds_the_price_whatever_the_load() {
		let (full, surge) = (PPM.into(), Surge::new(100, 200));
		assert_eq!(surge.price(full), 200);
		surge.limit(150);
		assert_eq!(surge.price(full), 150);
		surge.limit(50);
		assert_eq!(surge.price(full), 50);
		assert!(surge.allows(50) && !surge.allows(51));
	}
}
