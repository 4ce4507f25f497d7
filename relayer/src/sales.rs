//! What is asked for a stream on demand, and of whom it is asked no longer: what it costs us is shared by those who pay for it, and
//! by nobody else. Sans-IO.
//!
//! What upstream was paid and viewers did not pay back is *arrears*. A subscription keeps its price until these are more than
//! [`ALLOWED`] bytes are worth; then who pays less than its part is let go, and may come again at the price of then. At twice as much
//! nobody new is served, until time has passed in which nothing was bought. So whatever viewers do, no more is lost than that, and
//! once more the same for each [`FORGIVEN`] in which nobody watched.
//!
//! A stream is fetched for who follows its windows, and not for who only stands by. Nor for who pays nothing: what comes while an account
//! that has not paid lately waits for windows is its *trial*. Beyond [`TRIAL`] it is served no longer, until that is forgotten.

use clustercast_primitives::AccountId;
use std::{
	collections::{BTreeMap, VecDeque},
	time::Duration,
};
use tokio::time::Instant;

/// Over how long it is looked who pays: several receipts of each viewer, so that it does not matter where in one it is.
pub const LATELY: Duration = Duration::from_secs(60);

/// Bytes of which the price may be in arrears; or as many as came in [`LATELY`], where that is more. Ninety seconds of 480p: what is
/// on its way to be paid is a fifth of it.
pub const ALLOWED: u64 = 16 << 20;

/// So much is fetched for an account that pays nothing: 45 s of 480p, or as much as came in so long, where that is more. Who has no credit
/// signs a reservation after ten seconds, which is final after 7 to 20 more. As much is forgotten within [`FORGIVEN`].
pub const TRIAL: u64 = 8 << 20;

/// See [`TRIAL`].
const TRIES: Duration = Duration::from_secs(45);

/// Accounts whose trials are remembered; beyond it the oldest one is forgotten.
const MOST_TRIALS: usize = 1_000;

/// While nothing is bought so much of the arrears is forgotten within this as [`ALLOWED`] bytes are worth.
pub const FORGIVEN: Duration = Duration::from_secs(300);

/// Who pays for all that comes owes the last of it: a bill comes every 10 s at least, and takes some time to be paid.
const LAG: Duration = Duration::from_secs(20);

/// What is counted together.
const SLICE: Duration = Duration::from_secs(5);

/// Bytes of [`LATELY`], by slices of time.
#[derive(Clone, Debug, Default)]
struct Recent(VecDeque<(u64, u64)>);

impl Recent {
	fn add(&mut self, slice: u64, bytes: u64) {
		self.forget(slice);
		match self.0.back_mut() {
			Some((last, sum)) if *last >= slice => *sum = sum.saturating_add(bytes),
			_ => self.0.push_back((slice, bytes)),
		}
	}

	fn forget(&mut self, slice: u64) {
		let kept = LATELY.as_secs() / SLICE.as_secs();
		while self.0.front().is_some_and(|(first, _)| first + kept <= slice) {
			self.0.pop_front();
		}
	}

	fn sum(&self, slice: u64) -> u64 {
		self.within(LATELY, slice)
	}

	/// Of no more than this time.
	fn within(&self, time: Duration, slice: u64) -> u64 {
		let kept = time.as_secs() / SLICE.as_secs();
		let slices = self.0.iter().filter(|(at, _)| at + kept > slice);
		slices.fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
	}
}

/// An account that pays.
#[derive(Debug, Default)]
struct Payer {
	paid: Recent,
	/// Bytes that came since it began to pay and that it did not pay for: once each, however much it pays.
	owes: u64,
}

impl Payer {
	/// What it paid for lately, of what was bought; and what may be on its way, where it pays for all that comes. That is no more
	/// than it paid: who pays for a trifle now and then has no part in it.
	fn part(&self, bought: u64, lag: u64, slice: u64) -> u64 {
		let paid = self.paid.sum(slice);
		let coming = if self.owes <= lag { paid.min(lag) } else { 0 };
		paid.saturating_add(coming).min(bought)
	}
}

/// See the module.
#[derive(Debug)]
pub struct Sales {
	begun: Instant,
	/// What upstream asks, micro-USDC per 10^9 bytes.
	cost: u64,
	/// Asked on top of it.
	margin: u64,
	/// That came from upstream.
	bought: Recent,
	/// By account, those who paid lately.
	payers: BTreeMap<AccountId, Payer>,
	/// Bytes that came and whose price no viewer has paid.
	arrears: u64,
	/// When something was bought last.
	last: Option<Instant>,
	/// Bytes that came for accounts that had not paid lately, as of then.
	trials: BTreeMap<AccountId, (u64, Instant)>,
}

impl Sales {
	/// Of a stream that nobody has asked for yet.
	pub fn new(margin: u64, now: Instant) -> Self {
		Self {
			begun: now,
			cost: 0,
			margin,
			bought: Recent::default(),
			payers: BTreeMap::new(),
			arrears: 0,
			last: None,
			trials: BTreeMap::new(),
		}
	}

	/// Upstream asks this, micro-USDC per 10^9 bytes.
	pub fn set_cost(&mut self, cost: u64) {
		self.cost = cost;
	}

	/// So many bytes came from upstream.
	pub fn bought(&mut self, bytes: u64, now: Instant) {
		self.arrears = self.in_arrears(now).saturating_add(bytes);
		self.last = Some(now);
		let slice = self.slice(now);
		self.bought.add(slice, bytes);
		self.payers.retain(|_, payer| {
			payer.owes = payer.owes.saturating_add(bytes);
			payer.paid.sum(slice) > 0
		});
	}

	/// So many bytes came while this account waited for windows.
	pub fn tries(&mut self, account: AccountId, bytes: u64, now: Instant) {
		if self.payers.contains_key(&account) {
			return;
		}
		if self.trials.len() >= MOST_TRIALS && !self.trials.contains_key(&account) {
			let oldest = self.trials.iter().min_by_key(|(_, (_, at))| *at);
			let oldest = oldest.map(|(account, _)| *account);
			oldest.and_then(|oldest| self.trials.remove(&oldest));
		}
		let tried = self.tried(&account, now).saturating_add(bytes);
		self.trials.insert(account, (tried, now));
	}

	/// Whether enough came for it that it did not pay for.
	pub fn has_tried(&self, account: &AccountId, now: Instant) -> bool {
		let enough = self.bought.within(TRIES, self.slice(now)).max(TRIAL);
		self.cost > 0 && self.tried(account, now) > enough
	}

	fn tried(&self, account: &AccountId, now: Instant) -> u64 {
		let Some((bytes, at)) = self.trials.get(account) else {
			return 0;
		};
		let passed = now.saturating_duration_since(*at).as_millis();
		let forgotten = u128::from(TRIAL) * passed / FORGIVEN.as_millis();
		bytes.saturating_sub(u64::try_from(forgotten).unwrap_or(u64::MAX))
	}

	/// An account paid for so many bytes at this price.
	pub fn paid(&mut self, account: AccountId, bytes: u64, price_per_gb: u64, now: Instant) {
		let value = u128::from(bytes) * u128::from(price_per_gb);
		// At no price nothing is owed.
		let covers = value.checked_div(self.cost.into()).unwrap_or(u128::MAX);
		let covers = u64::try_from(covers).unwrap_or(u64::MAX);
		self.arrears = self.in_arrears(now).saturating_sub(covers);
		self.last = self.last.map(|_| now);
		let slice = self.slice(now);
		self.trials.remove(&account);
		let payer = self.payers.entry(account).or_default();
		payer.paid.add(slice, bytes);
		payer.owes = payer.owes.saturating_sub(bytes);
	}

	/// The least that is asked of whoever comes now, micro-USDC per 10^9 bytes: its part of what the stream costs us, rounded up, and
	/// the margin.
	pub fn quote(&self, now: Instant) -> u64 {
		self.part(now).min(self.cost).saturating_add(self.margin)
	}

	/// Whether somebody new may be served.
	pub fn is_open(&self, now: Instant) -> bool {
		self.cost == 0 || self.in_arrears(now) <= self.allowed(now).saturating_mul(2)
	}

	/// Whether somebody is served no longer that came at `since`, at this price. Who is new has not had time to pay; and who pays for all
	/// that comes, and owes what came of late alone, is taken for having paid it: receipts come in lumps, and arrears may be others'.
	pub fn lets_go(&self, price_per_gb: u64, since: Instant, now: Instant) -> bool {
		if self.in_arrears(now) <= self.allowed(now) {
			return false;
		}
		let slice = self.slice(now);
		let lag = self.bought.within(LAG, slice);
		let paid = |payer: &Payer, bought| payer.part(bought, lag, slice);
		let (part, is_new) = (self.part_by(paid, now), now.saturating_duration_since(since) < LATELY);
		price_per_gb < if is_new { part.min(self.cost) } else { part }
	}

	/// What upstream was paid and viewers did not pay back, micro-USDC.
	pub fn arrears(&self, now: Instant) -> u64 {
		let worth = u128::from(self.in_arrears(now)) * u128::from(self.cost);
		u64::try_from(worth / 1_000_000_000).unwrap_or(u64::MAX)
	}

	/// Of what upstream asks the part of one who pays, micro-USDC per 10^9 bytes, rounded up; more than all of it where less is paid for
	/// than came. No account pays for more than there is: several seats of one are one viewer.
	fn part(&self, now: Instant) -> u64 {
		let slice = self.slice(now);
		self.part_by(|payer, bought| payer.paid.sum(slice).min(bought), now)
	}

	/// The same, where each of those who pay has paid for so much of what was bought.
	fn part_by(&self, paid: impl Fn(&Payer, u64) -> u64, now: Instant) -> u64 {
		let bought = self.bought.sum(self.slice(now));
		let paid = self.payers.values().map(|payer| u128::from(paid(payer, bought)));
		let (cost, paid) = (u128::from(self.cost) * u128::from(bought), paid.sum::<u128>());
		match (cost, paid) {
			(0, _) => self.cost,
			(_, 0) => u64::MAX,
			_ => u64::try_from(cost.div_ceil(paid)).unwrap_or(u64::MAX),
		}
	}

	/// Bytes that may be in arrears.
	fn allowed(&self, now: Instant) -> u64 {
		self.bought.sum(self.slice(now)).max(ALLOWED)
	}

	/// Bytes that are.
	fn in_arrears(&self, now: Instant) -> u64 {
		let rests = self.last.map(|last| now.saturating_duration_since(last));
		// Windows come every few seconds: what is shorter is no rest.
		let rests = rests.unwrap_or_default().saturating_sub(LATELY).as_millis();
		let forgotten = u128::from(ALLOWED) * rests / FORGIVEN.as_millis();
		self.arrears
			.saturating_sub(u64::try_from(forgotten).unwrap_or(u64::MAX))
	}

	fn slice(&self, now: Instant) -> u64 {
		now.saturating_duration_since(self.begun).as_secs() / SLICE.as_secs()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const COST: u64 = 20_000;
	const MARGIN: u64 = 5_000;
	/// Of 480p, in a second.
	const BYTES: u64 = 187_500;

	fn account(n: usize) -> AccountId {
		AccountId([n as u8 + 1; 32])
	}

	/// A stream that is fetched, and what comes and is paid in each second.
	struct Play {
		sales: Sales,
		now: Instant,
		/// Micro-USDC per 10^9, in bytes of them.
		paid: u128,
		cost: u128,
	}

	impl Play {
		fn new(margin: u64) -> Self {
			let now = Instant::now();
			let mut sales = Sales::new(margin, now);
			sales.set_cost(COST);
			let (paid, cost) = (0, 0);
			Self { sales, now, paid, cost }
		}

		/// A second in which each of these pays so many parts in 1,000 of what comes, at its price.
		fn second(&mut self, payers: &[(usize, u64, u64)]) {
			self.now += Duration::from_secs(1);
			self.sales.bought(BYTES, self.now);
			self.cost += u128::from(BYTES) * u128::from(COST);
			for (who, ppk, price) in payers {
				let bytes = BYTES * ppk / 1_000;
				self.paid += u128::from(bytes) * u128::from(*price);
				if bytes > 0 {
					self.sales.paid(account(*who), bytes, *price, self.now);
				}
			}
		}

		fn seconds(&mut self, seconds: u64, payers: &[(usize, u64, u64)]) {
			(0..seconds).for_each(|_| self.second(payers));
		}

		fn quote(&self) -> u64 {
			self.sales.quote(self.now)
		}

		/// Bytes whose price was lost.
		fn lost(&self) -> u128 {
			self.cost.saturating_sub(self.paid) / u128::from(COST)
		}
	}

	#[tokio::test]
	async fn each_is_asked_its_part_among_those_who_paid_and_the_margin() {
		let mut play = Play::new(MARGIN);
		assert_eq!(play.quote(), 25_000, "nobody is there");
		play.seconds(10, &[]);
		assert_eq!(play.quote(), 25_000, "nobody paid");
		let all: Vec<_> = (0..3).map(|who| (who, 1_000, 25_000)).collect();
		for (payers, quote) in [(1, 25_000), (2, 15_000), (3, 11_667), (1, 25_000)] {
			play.seconds(LATELY.as_secs() + 5, &all[..payers]);
			assert_eq!(play.quote(), quote, "{payers}");
		}
		let mut free = Play::new(MARGIN);
		free.sales.set_cost(0);
		free.seconds(600, &[]);
		assert_eq!(
			(free.quote(), free.sales.is_open(free.now)),
			(MARGIN, true),
			"of the origin"
		);
		assert!(!free.sales.lets_go(0, free.now - LATELY, free.now));
	}

	/// The attack: a second account pays for a trifle, or many do, or one has many seats, and the first is asked half.
	#[tokio::test]
	async fn who_pays_for_a_trifle_lowers_the_price_by_a_trifle() {
		let mut play = Play::new(0);
		let mut trifles: Vec<_> = (1..5).map(|who| (who, 10, COST)).collect();
		trifles.push((0, 1_000, COST));
		play.seconds(120, &trifles);
		assert!(play.quote() > COST * 24 / 25, "{}", play.quote());
		play.seconds(120, &[(0, 1_000, COST), (0, 1_000, COST), (0, 1_000, COST)]);
		assert_eq!(play.quote(), COST);
	}

	/// The attack: two share the price, and one of them leaves, or pays nothing from then on.
	#[tokio::test]
	async fn who_stays_at_a_low_price_while_others_leave_is_let_go_before_much_is_lost() {
		let mut play = Play::new(MARGIN);
		play.seconds(120, &[(0, 1_000, 25_000), (1, 1_000, 25_000)]);
		let (since, low) = (play.now, play.quote());
		assert_eq!(low, 15_000);
		play.seconds(60, &[(0, 1_000, 25_000), (1, 1_000, 25_000), (2, 1_000, low)]);
		let mut left = Play {
			paid: 0,
			cost: 0,
			..play
		};
		let mut stays = 0;
		while !left.sales.lets_go(low, since, left.now) {
			left.second(&[(2, 1_000, low)]);
			stays += 1;
			assert!(left.lost() <= u128::from(ALLOWED + BYTES), "for {stays} s");
		}
		assert!(left.lost() > u128::from(ALLOWED / 2), "it is not sent away at once");
		assert_eq!(left.quote(), 25_000, "and comes again at this");
		left.seconds(600, &[(2, 1_000, 25_000)]);
		assert!(!left.sales.lets_go(25_000, since, left.now));
	}

	/// Nor is anybody else: who came first pays for all of it, whatever the others do.
	#[tokio::test]
	async fn nobody_is_let_go_who_pays_its_part() {
		let mut play = Play::new(MARGIN);
		let since = play.now;
		// Receipts are for eight seconds, and come late.
		for second in 0..3_600 {
			let pays = second % 8 == 7;
			let of = |who, from, price| (pays && second > from).then_some((who, 8_000, price));
			let payers: Vec<_> = of(0, 15, 25_000)
				.into_iter()
				.chain(of(1, 300, 25_000).filter(|_| second < 900))
				.collect();
			play.second(&payers);
			assert!(!play.sales.lets_go(25_000, since, play.now), "{second}");
		}
	}

	/// The fault: one who pays all of it was let go with a small margin, since the last receipt was on its way, for what came before it
	/// and nobody paid.
	#[tokio::test]
	async fn who_pays_for_all_that_comes_is_not_let_go_for_what_others_owe() {
		for payers in 1..=3 {
			let mut play = Play::new(50);
			play.seconds(110, &[]);
			assert!(play.sales.in_arrears(play.now) > ALLOWED);
			let (since, price) = (play.now, COST.div_ceil(payers as u64) + 50);
			for second in 0..1_800 {
				// Receipts are for eight seconds, and come late; each at its own time.
				let pays = |who: &usize| second > 15 && (second + 3 * who) % 8 == 7;
				let receipts: Vec<_> = (0..payers).filter(pays).map(|who| (who, 8_000, price)).collect();
				play.second(&receipts);
				if second > 75 {
					assert!(!play.sales.lets_go(price, since, play.now), "{payers}: {second}");
				}
			}
			// The others leave.
			let mut stays = 0;
			while payers > 1 && !play.sales.lets_go(price, since, play.now) {
				play.second(&[(0, 1_000, price)]);
				stays += 1;
				assert!(stays <= LATELY.as_secs() + 5, "it is asked for all of it");
			}
		}
	}

	/// The attack: many pay for a trifle now and then, each as if the rest of what comes was on its way.
	#[tokio::test]
	async fn who_pays_for_a_trifle_keeps_nobody_at_half_the_price() {
		let mut play = Play::new(0);
		play.seconds(120, &[(0, 1_000, COST), (1, 1_000, COST)]);
		let since = play.now;
		let mut second = 0;
		while !play.sales.lets_go(COST / 2, since, play.now) {
			let trifle = (2 + second as usize % 16, 50, COST);
			play.second(&[(0, 1_000, COST / 2), trifle]);
			second += 1;
			assert!(second < 400);
		}
	}

	/// The attack: an account waits for windows and has none sent, at a place that nobody knows.
	#[tokio::test]
	async fn little_is_fetched_for_an_account_that_pays_nothing_and_a_payment_ends_the_trial() {
		let mut play = Play::new(0);
		let (idler, payer) = (account(1), account(2));
		let mut seconds = 0;
		while !play.sales.has_tried(&idler, play.now) {
			play.second(&[(2, 1_000, COST)]);
			[idler, payer]
				.iter()
				.for_each(|of| play.sales.tries(*of, BYTES, play.now));
			seconds += 1;
		}
		assert!((45..=60).contains(&seconds), "{seconds}");
		assert!(!play.sales.has_tried(&payer, play.now));
		play.now += FORGIVEN / 10;
		assert!(!play.sales.has_tried(&idler, play.now), "it is forgotten by and by");
		play.sales.tries(idler, TRIAL, play.now);
		assert!(play.sales.has_tried(&idler, play.now));
		play.sales.paid(idler, 1, COST, play.now);
		assert!(!play.sales.has_tried(&idler, play.now));
		(0..2 * MOST_TRIALS).for_each(|n| {
			let mut other = [9; 32];
			other[..8].copy_from_slice(&n.to_le_bytes());
			play.sales.tries(AccountId(other), 1, play.now);
		});
		assert_eq!(play.sales.trials.len(), MOST_TRIALS);
	}

	/// The attack: who stands by buys a little, and all of the stream is fetched for it.
	#[tokio::test]
	async fn who_buys_a_little_of_what_is_fetched_for_it_is_let_go() {
		let mut play = Play::new(MARGIN);
		let since = play.now;
		while !play.sales.lets_go(25_000, since, play.now) {
			play.second(&[(0, 40, 25_000)]);
			assert!(play.lost() <= u128::from(ALLOWED + BYTES));
		}
		// Others come in its place, and do the same.
		while play.sales.is_open(play.now) {
			play.second(&[(1, 40, 25_000)]);
			assert!(play.lost() <= u128::from(2 * ALLOWED + BYTES));
		}
		let closed = play.now;
		play.now += LATELY + FORGIVEN / 2;
		assert!(
			play.sales.is_open(play.now),
			"it was not fetched for {:?}",
			play.now - closed
		);
		assert!(!play.sales.lets_go(25_000, play.now, play.now), "nobody is blamed");
	}

	#[tokio::test]
	async fn what_upstream_asks_from_now_on_is_asked_of_those_who_are_there() {
		let mut play = Play::new(0);
		let since = play.now;
		play.seconds(120, &[(0, 1_000, COST)]);
		play.sales.set_cost(2 * COST);
		assert_eq!(play.quote(), 2 * COST);
		let mut seconds = 0;
		while !play.sales.lets_go(COST, since, play.now) {
			play.second(&[(0, 1_000, COST)]);
			seconds += 1;
			assert!(seconds < 400);
		}
		assert!(seconds > 60, "not at once");
		assert!(!play.sales.lets_go(2 * COST, since, play.now));
	}

	/// Of one viewer in the play: when it comes, how long it stays, and what it pays of what it gets, parts in 1,000.
	fn viewer() -> impl Strategy<Value = (u64, u64, u64)> {
		let pays = prop_oneof![Just(1_000_u64), Just(0), Just(40), 0..1_000_u64];
		(0..3_600_u64, 5..1_500_u64, pays)
	}

	proptest! {
		/// Whoever comes and goes, and whatever they pay: payments are 8 s late, who pays nothing is sent away after 20 s, and the
		/// stream is fetched for 10 s behind the last one.
		#[test]
		fn no_more_is_lost_than_is_said(viewers in prop::collection::vec(viewer(), 1..60), margin in 0..10_000_u64) {
			let mut play = Play::new(margin);
			let begun = play.now;
			// Account, since when, until when, what it pays, at which price.
			let mut there: Vec<(usize, Instant, Instant, u64, u64)> = Vec::new();
			let (mut fetched_until, mut rested) = (begun, 0_u64);
			for second in 0..4_000_u64 {
				for (who, (_, stays, pays)) in viewers.iter().enumerate().filter(|(_, (at, ..))| *at == second) {
					if play.sales.is_open(play.now) {
						let until = play.now + Duration::from_secs(if *pays == 0 { 20 } else { *stays });
						there.push((who, play.now, until, *pays, play.quote()));
					}
				}
				let now = play.now;
				there.retain(|(_, since, until, _, price)| *until > now && !play.sales.lets_go(*price, *since, now));
				if !there.is_empty() {
					fetched_until = now + Duration::from_secs(10);
				}
				if fetched_until <= now {
					play.now += Duration::from_secs(1);
					rested += 1;
				} else {
					let late = Duration::from_secs(8);
					let payers: Vec<_> = there
						.iter()
						.filter(|(_, since, ..)| *since + late <= now)
						.map(|(who, _, _, pays, price)| (*who, *pays, *price))
						.collect();
					play.second(&payers);
				}
				// Twice what is allowed, who was new by then, and what was forgotten since.
				let bound = 2 * ALLOWED + (LATELY.as_secs() + 30) * BYTES + ALLOWED * rested / FORGIVEN.as_secs();
				prop_assert!(play.lost() <= bound.into(), "{} of {bound} at {second}", play.lost());
			}
		}
	}
}
