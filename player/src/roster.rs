//! Which relayer to try next. Pure: the time, counted from the start of the run, and chance are arguments.
//!
//! Those of the registry are ordered by points, see [`Relayer::points`]; of equal ones each viewer has an order of its own, so that not all
//! turn to the same. Whoever was slashed comes after all who were not. So that newcomers get viewers at all, one order in [`EXPLORE`] begins with one of them: see [`Roster::rank`].

use clustercast_network::Address;
use clustercast_primitives::{
	amount::USDC,
	chain::{RelayerInfo, Reputation},
	crypto::sha256,
	AccountId, Balance, PublicKey,
};
use std::{cmp::Reverse, collections::VecDeque, time::Duration};

/// Rest after a first failure; doubles with each further one in a row.
pub const FIRST_REST: Duration = Duration::from_secs(1);

/// Longest rest: a relayer that comes back is noticed within a minute.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// First rest of one that announces what it does not bring; doubles each time, whatever it brings in between, up to...
pub const SHORT_REST: Duration = Duration::from_secs(15);

/// ...this: whoever goes on so is met twice an hour.
pub const LONGEST_SHORT_REST: Duration = Duration::from_secs(1_800);

/// Of so many orders one begins with a newcomer.
pub const EXPLORE: u64 = 10;

/// What a relayer was paid counts up to so much for each viewer who paid it, micro-USDC: paying oneself a lot is cheap,
/// paying oneself from many accounts less so.
const VALUE_PER_VIEWER: Balance = USDC;

/// A relayer of whose value less than this counts is a newcomer, micro-USDC.
const PROVEN: Balance = USDC;

/// Points for each doubling of the value that counts, from 0.01 USDC on, and most in all.
const REPUTATION_POINTS: (i64, i64) = (2, 40);

/// Points for each doubling of the bond, from 1 USDC on, and most in all.
const BOND_POINTS: (i64, i64) = (2, 20);

/// Points for a relayer that asks nothing; one that asks the viewer's limit has none.
const PRICE_POINTS: i64 = 40;

/// A point less for so much delay beyond that of the quickest relayer so far, and how many at most.
const DELAY_POINTS: (Duration, i64) = (Duration::from_millis(50), 40);

/// A relayer that may be watched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayer {
	/// Its receipt key, which is also its peer.
	pub key: PublicKey,
	/// What the chain has under this key: whom its bond answers for. `None` for one that was given by hand and is not
	/// registered.
	pub account: Option<AccountId>,
	/// Where it listens; tried in this order. At least one.
	pub addresses: Vec<Address>,
	/// Asking price by the registry, micro-USDC per 10^9 bytes; `None` where it was given by hand.
	pub price_per_gb: Option<u64>,
	/// Its bond, micro-USDC; nothing where it was given by hand.
	pub bond: Balance,
	/// What it was paid for; nothing where it was given by hand.
	pub reputation: Reputation,
}

impl Relayer {
	/// What was paid to it, as far as it counts, micro-USDC.
	fn proven(&self) -> Balance {
		let viewers = Balance::from(self.reputation.viewers);
		self.reputation.value.min(viewers.saturating_mul(VALUE_PER_VIEWER))
	}

	/// Neither good nor bad is known of it.
	fn is_newcomer(&self) -> bool {
		self.reputation.slashes == 0 && self.proven() < PROVEN
	}

	/// More is better: up to 40 for what viewers paid it, 20 for its bond, 40 for its price against the highest that is
	/// accepted, less up to 40 for a delay behind the quickest relayer's.
	fn points(&self, max_price_per_gb: u64, behind: Duration) -> i64 {
		let doublings = |amount: Balance, unit: Balance, (each, most): (i64, i64)| {
			let times = (amount / unit).saturating_add(1).ilog2();
			i64::from(times).saturating_mul(each).min(most)
		};
		let price = u128::from(self.price_per_gb.unwrap_or(u64::MAX).min(max_price_per_gb));
		let saved = u128::from(max_price_per_gb) - price;
		let price = saved * PRICE_POINTS as u128 / u128::from(max_price_per_gb.max(1));
		let (step, most) = DELAY_POINTS;
		let delay = (behind.as_millis() / step.as_millis()).min(most as u128);
		doublings(self.proven(), USDC / 100, REPUTATION_POINTS) + doublings(self.bond, USDC, BOND_POINTS) + price as i64
			- delay as i64
	}

	/// From the registry: `None` for one that is leaving, too dear, or without an address that we understand.
	pub fn registered(info: &RelayerInfo, max_price_per_gb: u64) -> Option<Self> {
		if info.unbonds_at.is_some() || info.price_per_gb > max_price_per_gb {
			return None;
		}
		let addresses = info.addresses.iter();
		let addresses: Vec<_> = addresses
			.filter_map(|a| Address::new(a, &info.signing_key).ok())
			.collect();
		(!addresses.is_empty()).then_some(Self {
			key: info.signing_key,
			account: Some(info.account),
			addresses,
			price_per_gb: Some(info.price_per_gb),
			bond: info.bond,
			reputation: info.reputation,
		})
	}
}

/// Why none of these can be watched from, if none can: how many there are, and what is wrong with them.
pub fn nobody(registered: &[RelayerInfo], max_price_per_gb: u64) -> Option<String> {
	if registered
		.iter()
		.any(|info| Relayer::registered(info, max_price_per_gb).is_some())
	{
		return None;
	}
	let (leaving, staying): (Vec<_>, Vec<_>) = registered.iter().partition(|info| info.unbonds_at.is_some());
	let (dear, lost): (Vec<_>, Vec<_>) = staying
		.into_iter()
		.partition(|info| info.price_per_gb > max_price_per_gb);
	let mut why = Vec::new();
	if let Some(cheapest) = dear.iter().map(|info| info.price_per_gb).min() {
		let count = dear.len();
		why.push(format!(
			"{count} above --max-price-per-gb {max_price_per_gb} (the cheapest asks {cheapest})"
		));
	}
	if !leaving.is_empty() {
		why.push(format!("{} leaving", leaving.len()));
	}
	if !lost.is_empty() {
		why.push(format!("{} without an address that can be connected to", lost.len()));
	}
	Some(match registered.len() {
		0 => "there is nobody to watch from: no relayer is registered".into(),
		all => format!(
			"there is nobody to watch from: relayers registered {all}, of which {}",
			why.join(", ")
		),
	})
}

/// Relayers given by hand, in this order; several addresses of one peer are one relayer.
pub fn given(addresses: &[Address]) -> Vec<Relayer> {
	let mut relayers: Vec<Relayer> = Vec::new();
	for address in addresses {
		match relayers.iter_mut().find(|r| r.key == address.peer()) {
			Some(relayer) => relayer.addresses.push(address.clone()),
			None => relayers.push(Relayer {
				key: address.peer(),
				account: None,
				addresses: vec![address.clone()],
				price_per_gb: None,
				bond: 0,
				reputation: Reputation::default(),
			}),
		}
	}
	relayers
}

/// How an attempt at a relayer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
	/// It was caught at a fault. Never again in this run.
	Fault,
	/// Its terms are not acceptable. Never again in this run.
	Refused,
	/// Unreachable, stalled, lost, or it ended the subscription: may be tried again after a rest.
	Failed,
	/// It is of no use now, and will be by itself: may be tried again after the longest rest.
	Later,
	/// It announces what it does not bring: rests longer each time it does so in this run.
	Short,
	/// It no longer has the window to go on behind.
	Gone,
	/// It says that the broadcast is over, and so has the broadcaster.
	Finished,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
	/// Try this relayer.
	Try(Relayer),
	/// Nobody can be tried for so long.
	Wait(Duration),
	/// Nobody has the window to go on behind any more: leave a gap and begin live.
	GoLive,
	/// Somebody says that the broadcast is over, and nobody else can be asked.
	Finished,
	/// Everyone is out, or nobody is known.
	Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
	Ready,
	Resting(Duration),
	Gone,
	Finished,
	Out,
}

#[derive(Debug)]
struct Candidate {
	relayer: Relayer,
	standing: Standing,
	failures: u32,
	/// How often it announced what it did not bring.
	shorts: u32,
	delay: Option<Duration>,
}

impl Candidate {
	fn is_ready(&self, now: Duration) -> bool {
		match self.standing {
			Standing::Ready => true,
			Standing::Resting(until) => until <= now,
			Standing::Gone | Standing::Finished | Standing::Out => false,
		}
	}
}

/// The relayers known, in order of preference; whoever failed more often in a row comes later.
#[derive(Debug, Default)]
pub struct Roster {
	candidates: Vec<Candidate>,
	/// Named by those that refused us: they carry the stream, where that is true. The next ones, each once.
	named: VecDeque<PublicKey>,
}

impl Roster {
	/// Whether it was ever added.
	pub fn knows(&self, key: &PublicKey) -> bool {
		self.candidates.iter().any(|c| c.relayer.key == *key)
	}

	/// This one is next, whatever its order, where it may be tried then.
	pub fn turn_to(&mut self, key: &PublicKey) {
		self.named.push_back(*key);
	}

	/// The first that was named, may be tried at `now` and is not among these.
	fn named(&mut self, than: &[PublicKey], now: Duration) -> Option<Relayer> {
		while let Some(key) = self.named.pop_front() {
			let named = self.candidates.iter().find(|c| c.relayer.key == key);
			if let Some(named) = named.filter(|c| c.is_ready(now) && !than.contains(&key)) {
				return Some(named.relayer.clone());
			}
		}
		None
	}

	/// In the order given, as far as not known yet; the known keep their standing and get the new addresses, price, bond
	/// and reputation.
	pub fn add(&mut self, relayers: impl IntoIterator<Item = Relayer>) {
		for relayer in relayers {
			match self.candidates.iter_mut().find(|c| c.relayer.key == relayer.key) {
				Some(known) => known.relayer = relayer,
				None => self.candidates.push(Candidate {
					relayer,
					standing: Standing::Ready,
					failures: 0,
					shorts: 0,
					delay: None,
				}),
			}
		}
	}

	/// Best first, equal ones by price, then in an order of this viewer's own; who was slashed behind all who were not. `chance` is any number: if it is a
	/// multiple of [`EXPLORE`] and the best is no newcomer, a newcomer of its choice comes first.
	pub fn rank(&mut self, max_price_per_gb: u64, viewer: &PublicKey, chance: u64) {
		let quickest = self.candidates.iter().filter_map(|c| c.delay).min().unwrap_or_default();
		self.candidates.sort_by_key(|c| {
			// Who was not measured yet may be the quickest.
			let behind = c.delay.unwrap_or_default().saturating_sub(quickest);
			let points = c.relayer.points(max_price_per_gb, behind);
			let price = c.relayer.price_per_gb.unwrap_or(u64::MAX);
			let tie = sha256(&[&viewer.0, &c.relayer.key.0]).0;
			(c.relayer.reputation.slashes > 0, Reverse(points), price, tie)
		});
		let is_newcomer = |c: &Candidate| c.relayer.is_newcomer();
		if !chance.is_multiple_of(EXPLORE) || self.candidates.first().is_none_or(is_newcomer) {
			return;
		}
		let places = self.candidates.iter().enumerate().filter(|(_, c)| is_newcomer(c));
		let newcomers: Vec<_> = places.map(|(place, _)| place).collect();
		let pick = (chance / EXPLORE).checked_rem(newcomers.len() as u64);
		if let Some(place) = pick.and_then(|pick| newcomers.get(pick as usize)) {
			self.candidates[..=*place].rotate_right(1);
		}
	}

	/// From capture to playable, as last measured with this relayer.
	pub fn measured(&mut self, key: &PublicKey, delay: Duration) {
		if let Some(candidate) = self.candidates.iter_mut().find(|c| c.relayer.key == *key) {
			candidate.delay = Some(delay);
		}
	}

	/// Notes whose bond answers for those that the registry knows, whether or not they may be chosen from it.
	pub fn identify(&mut self, registered: &[RelayerInfo]) {
		for candidate in &mut self.candidates {
			let relayer = &mut candidate.relayer;
			let info = registered.iter().find(|info| info.signing_key == relayer.key);
			relayer.account = info.map(|info| info.account).or(relayer.account);
		}
	}

	/// Whether nobody was ever added.
	pub fn is_empty(&self) -> bool {
		self.candidates.is_empty()
	}

	/// What to do at `now`.
	pub fn next(&mut self, now: Duration) -> Next {
		if let Some(named) = self.named(&[], now) {
			return Next::Try(named);
		}
		let is_gone = self.candidates.iter().any(|c| c.standing == Standing::Gone);
		// Some that bring nothing would else be ready again, one after the other, before anybody behind them is tried. Nor are they
		// asked for what others no longer have.
		let ready = self.candidates.iter().filter(|c| c.is_ready(now));
		if let Some(candidate) = ready
			.min_by_key(|c| (c.failures, c.shorts))
			.filter(|c| c.failures == 0 || !is_gone)
		{
			return Next::Try(candidate.relayer.clone());
		}
		// One relayer's word ends a broadcast only when there is nobody to contradict it.
		if self.candidates.iter().any(|c| c.standing == Standing::Finished) {
			return Next::Finished;
		}
		if is_gone {
			self.forget(Standing::Gone);
			return Next::GoLive;
		}
		let rests = self.candidates.iter().filter_map(|c| match c.standing {
			Standing::Resting(until) => Some(until),
			_ => None,
		});
		match rests.min() {
			Some(until) => Next::Wait(until.saturating_sub(now)),
			None => Next::Nobody,
		}
	}

	/// Who said that the broadcast is over may be asked for the next one.
	pub fn ask_again(&mut self) {
		self.forget(Standing::Finished);
	}

	/// Whoever else could be tried at `now`, in order: to be asked whether they know more.
	pub fn others(&self, than: &PublicKey, now: Duration) -> Vec<Relayer> {
		let others = self
			.candidates
			.iter()
			.filter(|c| c.relayer.key != *than && c.is_ready(now));
		others.map(|c| c.relayer.clone()).collect()
	}

	/// Whether there is nobody but one who could be tried at `now`.
	pub fn has_no_choice(&self, now: Duration) -> bool {
		self.candidates.iter().filter(|c| c.is_ready(now)).nth(1).is_none()
	}

	/// One that could be tried at `now` and is not among these: of those that failed least often in a row the first.
	pub fn standby(&mut self, than: &[PublicKey], now: Duration) -> Option<Relayer> {
		if let Some(named) = self.named(than, now) {
			return Some(named);
		}
		let others = self.candidates.iter().filter(|c| c.is_ready(now));
		let others = others.filter(|c| !than.contains(&c.relayer.key));
		let other = others.min_by_key(|c| (c.shorts, c.failures));
		other.map(|c| c.relayer.clone())
	}

	/// Notes how an attempt ended at `now`; `served` when it brought at least one window.
	pub fn report(&mut self, key: &PublicKey, ending: Ending, served: bool, now: Duration) {
		if served {
			// The broadcast went on: who said that it was over, or that the place was gone, may be asked again.
			self.forget(Standing::Finished);
			self.forget(Standing::Gone);
		}
		let Some(candidate) = self.candidates.iter_mut().find(|c| c.relayer.key == *key) else {
			return;
		};
		if served {
			candidate.failures = 0;
		}
		candidate.standing = match ending {
			Ending::Fault | Ending::Refused => Standing::Out,
			Ending::Gone => Standing::Gone,
			Ending::Finished => Standing::Finished,
			Ending::Failed => {
				let rest = FIRST_REST
					.saturating_mul(1 << candidate.failures.min(16))
					.min(LONGEST_REST);
				candidate.failures = candidate.failures.saturating_add(1);
				Standing::Resting(now + rest)
			},
			Ending::Later => Standing::Resting(now + LONGEST_REST),
			Ending::Short => {
				let rest = SHORT_REST
					.saturating_mul(1 << candidate.shorts.min(16))
					.min(LONGEST_SHORT_REST);
				candidate.shorts = candidate.shorts.saturating_add(1);
				Standing::Resting(now + rest)
			},
		};
	}

	fn forget(&mut self, standing: Standing) {
		self.candidates
			.iter_mut()
			.filter(|c| c.standing == standing)
			.for_each(|c| c.standing = Standing::Ready);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	/// Who chooses.
	const VIEWER: PublicKey = PublicKey([9; 32]);

	fn relayer(seed: u8, price: Option<u64>) -> Relayer {
		let key = KeyPair::from_seed([seed; 32]).public();
		Relayer {
			key,
			account: None,
			addresses: vec![Address::new("/ip4/127.0.0.1/udp/1/quic-v1", &key).unwrap()],
			price_per_gb: price,
			bond: 10 * USDC,
			reputation: Reputation::default(),
		}
	}

	/// A relayer at the highest price with the least bond, whom `viewers` paid this many USDC.
	fn paid(seed: u8, value: Balance, viewers: u32) -> Relayer {
		let mut relayer = relayer(seed, Some(LIMIT));
		relayer.reputation.value = value * USDC;
		relayer.reputation.viewers = viewers;
		relayer
	}

	/// The highest price that the viewer accepts.
	const LIMIT: u64 = 1_000;

	/// The order of these relayers, by their place in the list, when chance decides nothing.
	fn order(relayers: &[Relayer]) -> Vec<usize> {
		order_by(relayers, 1)
	}

	fn order_by(relayers: &[Relayer], chance: u64) -> Vec<usize> {
		let mut roster = roster(relayers);
		roster.rank(LIMIT, &VIEWER, chance);
		let place = |c: &Candidate| relayers.iter().position(|r| r.key == c.relayer.key).unwrap();
		roster.candidates.iter().map(place).collect()
	}

	fn roster(relayers: &[Relayer]) -> Roster {
		let mut roster = Roster::default();
		roster.add(relayers.iter().cloned());
		roster
	}

	fn at(seconds: u64) -> Duration {
		Duration::from_secs(seconds)
	}

	#[test]
	fn who_was_named_is_next_once_and_only_where_it_may_be_tried() {
		let all = [1, 2, 3].map(|seed| relayer(seed, Some(10)));
		let mut roster = roster(&all);
		let next = |roster: &mut Roster| roster.next(at(0));
		let stranger = relayer(9, None);
		assert!(roster.knows(&all[2].key) && !roster.knows(&stranger.key));
		roster.turn_to(&stranger.key);
		roster.turn_to(&all[2].key);
		assert_eq!(next(&mut roster), Next::Try(all[2].clone()));
		assert_eq!(next(&mut roster), Next::Try(all[0].clone()), "once");
		roster.report(&all[1].key, Ending::Fault, false, at(0));
		roster.turn_to(&all[1].key);
		assert_eq!(next(&mut roster), Next::Try(all[0].clone()), "it was caught");
		roster.turn_to(&all[2].key);
		assert_eq!(roster.standby(&[all[0].key], at(0)), Some(all[2].clone()));
		roster.turn_to(&all[0].key);
		assert_eq!(
			roster.standby(&[all[0].key], at(0)),
			Some(all[2].clone()),
			"that one is in use"
		);
	}

	#[test]
	fn cheapest_comes_first_and_the_viewers_own_order_decides_between_equals() {
		let (a, b, c, d) = (
			relayer(1, Some(30)),
			relayer(2, Some(10)),
			relayer(3, Some(10)),
			relayer(4, None),
		);
		let mut sorted = roster(&[d.clone(), a.clone(), b.clone(), c.clone()]);
		sorted.rank(40, &VIEWER, 0);
		for expected in [&b, &c, &a, &d] {
			assert_eq!(sorted.next(at(0)), Next::Try(expected.clone()));
			sorted.report(&expected.key, Ending::Refused, false, at(0));
		}
		assert_eq!(sorted.next(at(0)), Next::Nobody);
	}

	/// The attack: three that look best bring nothing, and it takes eight seconds to see that, longer than a first rest.
	#[test]
	fn some_that_bring_nothing_do_not_keep_the_next_one_from_being_tried() {
		let relayers: Vec<_> = (1..=4).map(|seed| relayer(seed, Some(u64::from(seed)))).collect();
		let mut roster = roster(&relayers);
		for (round, withheld) in relayers[..3].iter().enumerate() {
			let now = at(8 * round as u64);
			assert_eq!(roster.next(now), Next::Try(withheld.clone()));
			roster.report(&withheld.key, Ending::Failed, false, now + at(8));
		}
		assert_eq!(roster.next(at(24)), Next::Try(relayers[3].clone()));
		roster.report(&relayers[3].key, Ending::Failed, true, at(1_000));
		assert_eq!(
			roster.next(at(1_000)),
			Next::Try(relayers[0].clone()),
			"it served, and rests for a second"
		);
	}

	/// Six that are registered and down take five seconds each to call; meanwhile the others' caches go on.
	#[test]
	fn nobody_that_failed_is_asked_for_a_window_that_those_who_answer_no_longer_have() {
		let relayers: Vec<_> = (1..=7).map(|seed| relayer(seed, Some(u64::from(seed)))).collect();
		let mut roster = roster(&relayers);
		for (round, down) in relayers[..6].iter().enumerate() {
			roster.report(&down.key, Ending::Failed, false, at(5 * round as u64));
		}
		assert_eq!(roster.next(at(30)), Next::Try(relayers[6].clone()));
		roster.report(&relayers[6].key, Ending::Gone, false, at(30));
		assert_eq!(roster.next(at(30)), Next::GoLive);
		assert_eq!(roster.next(at(30)), Next::Try(relayers[6].clone()));
	}

	#[test]
	fn more_of_what_viewers_paid_comes_first() {
		assert_eq!(order(&[paid(1, 1, 9), paid(2, 100, 200), paid(3, 10, 20)]), [1, 2, 0]);
		// A thousand USDC of one viewer counts as one.
		assert_eq!(order(&[paid(1, 1_000, 1), paid(2, 4, 4)]), [1, 0]);
		// There is an end to it.
		assert_eq!(order(&[paid(1, 20_000, 90_000), paid(2, 1 << 60, u32::MAX)]), [0, 1]);
	}

	#[test]
	fn larger_bond_comes_first_up_to_a_bound() {
		let bonded = |seed, usdc| Relayer {
			bond: usdc * USDC,
			..relayer(seed, Some(LIMIT))
		};
		assert_eq!(order(&[bonded(1, 10), bonded(2, 200)]), [1, 0]);
		assert_eq!(order(&[bonded(1, 2_000), bonded(2, 1 << 80)]), [0, 1]);
	}

	#[test]
	fn price_counts_against_the_viewers_limit() {
		// What it asks beyond a well paid one's price decides only if it is enough.
		let (dear, cheap) = (paid(1, 100, 200), relayer(2, Some(LIMIT / 2)));
		assert_eq!(order(&[dear.clone(), cheap]), [0, 1]);
		assert_eq!(order(&[dear, relayer(2, Some(LIMIT / 10))]), [1, 0]);
		// No price that cannot be expressed.
		roster(&[relayer(1, Some(0))]).rank(0, &VIEWER, 0);
		roster(&[relayer(1, Some(u64::MAX))]).rank(u64::MAX, &VIEWER, 0);
	}

	#[test]
	fn slashed_comes_last_whatever_else_it_has() {
		let mut slashed = paid(1, 1_000_000, 9_000);
		slashed.price_per_gb = Some(0);
		slashed.reputation.slashes = 1;
		assert_eq!(order(&[slashed.clone(), relayer(2, Some(LIMIT))]), [1, 0]);
		// It is no newcomer either.
		slashed.reputation.value = 0;
		assert_eq!(order_by(&[slashed, paid(2, 10, 20)], 0), [1, 0]);
	}

	#[test]
	fn quicker_comes_first_and_the_unmeasured_is_taken_for_quick() {
		let relayers = [relayer(1, Some(10)), relayer(2, Some(10)), relayer(3, Some(10))];
		let mut roster = roster(&relayers);
		roster.measured(&relayers[0].key, Duration::from_millis(2_600));
		roster.measured(&relayers[1].key, Duration::from_millis(2_500));
		roster.rank(LIMIT, &VIEWER, 1);
		let keys: Vec<_> = roster.candidates.iter().map(|c| c.relayer.key).collect();
		assert_eq!(keys, [relayers[1].key, relayers[2].key, relayers[0].key]);
		// What is learnt from the registry again does not make it forgotten.
		roster.add(relayers.clone());
		roster.rank(LIMIT, &VIEWER, 1);
		assert_eq!(roster.candidates[2].relayer.key, relayers[0].key);
	}

	#[test]
	fn one_order_in_ten_begins_with_a_newcomer_each_as_often() {
		let relayers = [
			paid(1, 100, 200),
			paid(2, 50, 80),
			relayer(3, Some(LIMIT)),
			relayer(4, Some(LIMIT)),
		];
		let mut first = [0; 4];
		for chance in 0..1_000 {
			let order = order_by(&relayers, chance);
			first[order[0]] += 1;
			// The others keep theirs.
			let proven: Vec<_> = order.into_iter().filter(|n| *n < 2).collect();
			assert_eq!(proven, [0, 1]);
		}
		assert_eq!(first, [900, 0, 50, 50]);
	}

	#[test]
	fn there_is_nothing_to_explore_where_all_are_new_or_none_is() {
		let new = [relayer(1, Some(20)), relayer(2, Some(LIMIT))];
		assert_eq!(order_by(&new, 0), [0, 1]);
		let proven = [paid(1, 100, 200), paid(2, 1, 1)];
		assert_eq!(order_by(&proven, 0), [0, 1]);
		Roster::default().rank(LIMIT, &VIEWER, 0);
	}

	#[test]
	fn caught_relayer_is_never_tried_again() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[a.clone(), b.clone()]);
		roster.report(&a.key, Ending::Fault, true, at(1));
		assert_eq!(roster.next(at(1)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Failed, false, at(1));
		assert_eq!(roster.next(at(1)), Next::Wait(FIRST_REST));
		// Neither time, nor its being announced anew, nor the others' failing brings it back.
		roster.add([a.clone()]);
		assert_eq!(roster.next(at(1_000_000)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Fault, false, at(1_000_000));
		assert_eq!(roster.next(at(9_000_000)), Next::Nobody);
	}

	#[test]
	fn stalled_relayer_rests_longer_each_time_and_serving_forgives() {
		let a = relayer(1, None);
		let mut roster = roster(std::slice::from_ref(&a));
		let mut now = Duration::ZERO;
		for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
			roster.report(&a.key, Ending::Failed, false, now);
			assert_eq!(roster.next(now), Next::Wait(at(expected)));
			now += at(expected);
			assert_eq!(roster.next(now), Next::Try(a.clone()));
		}
		roster.report(&a.key, Ending::Failed, true, now);
		assert_eq!(roster.next(now), Next::Wait(FIRST_REST));
	}

	#[test]
	fn broadcast_is_over_only_when_nobody_else_can_be_asked() {
		let (a, b, c) = (relayer(1, None), relayer(2, None), relayer(3, None));
		let mut roster = roster(&[a.clone(), b.clone(), c.clone()]);
		roster.report(&a.key, Ending::Finished, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(b.clone()));
		// b proves a wrong: a may be asked again when b fails.
		roster.report(&b.key, Ending::Fault, true, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(a.clone()));
		roster.report(&a.key, Ending::Finished, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(c.clone()));
		roster.report(&c.key, Ending::Failed, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Finished);
	}

	#[test]
	fn next_broadcast_is_asked_for_where_the_last_one_ended() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[a.clone(), b.clone()]);
		roster.report(&a.key, Ending::Finished, true, at(0));
		roster.report(&b.key, Ending::Failed, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Finished);
		roster.ask_again();
		assert_eq!(roster.next(at(0)), Next::Try(a.clone()));
		roster.report(&a.key, Ending::Finished, false, at(0));
		assert_eq!(roster.next(at(1)), Next::Try(b), "who was not there may be by now");
	}

	#[test]
	fn gap_is_left_only_when_nobody_has_the_window() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[a.clone(), b.clone()]);
		roster.report(&a.key, Ending::Gone, false, at(0));
		assert_eq!(roster.next(at(0)), Next::Try(b.clone()));
		roster.report(&b.key, Ending::Gone, false, at(0));
		assert_eq!(roster.next(at(0)), Next::GoLive);
		assert_eq!(roster.next(at(0)), Next::Try(a.clone()));
	}

	#[test]
	fn others_are_those_who_could_be_tried() {
		let (a, b, c) = (relayer(1, None), relayer(2, None), relayer(3, None));
		let mut roster = roster(&[a.clone(), b.clone(), c.clone()]);
		assert_eq!(roster.others(&a.key, at(0)), [b.clone(), c.clone()]);
		roster.report(&b.key, Ending::Failed, false, at(0));
		roster.report(&c.key, Ending::Fault, false, at(0));
		assert_eq!(roster.others(&a.key, at(0)), []);
		assert_eq!(roster.others(&a.key, FIRST_REST), [b]);
	}

	/// The fault: all viewers turned to the same one of six equal relayers, and stood by at the same other one.
	#[test]
	fn of_equal_relayers_each_viewer_has_its_own_order_and_keeps_it() {
		let relayers: Vec<_> = (1..=6).map(|seed| relayer(seed, Some(10))).collect();
		let order = |viewer: u8| {
			let mut roster = roster(&relayers);
			roster.rank(LIMIT, &PublicKey([viewer; 32]), 1);
			let first = roster.candidates.iter().map(|c| c.relayer.key).collect::<Vec<_>>();
			roster.rank(LIMIT, &PublicKey([viewer; 32]), 2);
			assert_eq!(
				first,
				roster.candidates.iter().map(|c| c.relayer.key).collect::<Vec<_>>()
			);
			first
		};
		let mut firsts = std::collections::BTreeMap::<_, u32>::new();
		(0..120).for_each(|viewer| *firsts.entry(order(viewer)[0]).or_default() += 1);
		assert!(
			firsts.len() == 6 && firsts.values().all(|viewers| (8..=36).contains(viewers)),
			"{firsts:?}"
		);
	}

	/// The fault: one that withholds was a viewer's standby again each minute.
	#[test]
	fn who_does_not_bring_what_it_announces_rests_longer_each_time_whatever_it_brings_in_between() {
		let (short, other) = (relayer(1, None), relayer(2, None));
		let mut roster = roster(&[short.clone(), other.clone()]);
		let mut now = at(0);
		for expected in [15, 30, 60, 120, 240, 480, 960, 1_800, 1_800] {
			assert_eq!(roster.standby(&[other.key], now), Some(short.clone()));
			roster.report(&short.key, Ending::Short, true, now);
			assert_eq!(roster.standby(&[other.key], now + at(expected) - at(1)), None);
			now += at(expected);
			assert_eq!(
				roster.standby(&[], now),
				Some(other.clone()),
				"before it, whoever failed never"
			);
		}
	}

	#[test]
	fn nobody_is_known_at_first() {
		assert_eq!(Roster::default().next(at(0)), Next::Nobody);
	}

	#[test]
	fn registry_is_filtered() {
		let key = relayer(1, None).key;
		let info = RelayerInfo {
			account: AccountId([1; 32]),
			payout: AccountId([2; 32]),
			operator: AccountId([3; 32]),
			signing_key: key,
			addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into(), "nonsense".into()],
			price_per_gb: 10,
			bond: 10 * USDC,
			unbonds_at: None,
			reputation: Reputation::default(),
		};
		let known = Relayer {
			account: Some(info.account),
			..relayer(1, Some(10))
		};
		assert_eq!(Relayer::registered(&info, 10), Some(known));
		let mut by_hand = Roster::default();
		by_hand.add([relayer(1, None), relayer(2, None)]);
		by_hand.identify(std::slice::from_ref(&info));
		let accounts: Vec<_> = by_hand.candidates.iter().map(|c| c.relayer.account).collect();
		assert_eq!(accounts, [Some(info.account), None]);
		assert_eq!(Relayer::registered(&info, 9), None, "too dear");
		let named = RelayerInfo {
			addresses: vec!["/dns4/relayer.example/udp/1/quic-v1".into()],
			..info.clone()
		};
		assert_eq!(Relayer::registered(&named, 10), None, "names are not looked up");
		let leaving = RelayerInfo {
			unbonds_at: Some(1),
			..info.clone()
		};
		assert_eq!(Relayer::registered(&leaving, 10), None);
		let lost = RelayerInfo {
			addresses: vec!["nonsense".into()],
			..info
		};
		assert_eq!(Relayer::registered(&lost, 10), None);
	}

	#[test]
	fn where_nobody_can_be_watched_from_it_is_said_why() {
		let info = |price_per_gb, unbonds_at, address: &str| RelayerInfo {
			account: AccountId([1; 32]),
			payout: AccountId([2; 32]),
			operator: AccountId([3; 32]),
			signing_key: relayer(1, None).key,
			addresses: vec![address.into()],
			price_per_gb,
			bond: 10 * USDC,
			unbonds_at,
			reputation: Reputation::default(),
		};
		let good = "/ip4/127.0.0.1/udp/1/quic-v1";
		let all = [
			info(30, None, good),
			info(20, None, good),
			info(9, Some(5), good),
			info(9, None, "/dns4/relayer.example/udp/1/quic-v1"),
		];
		assert_eq!(nobody(&all, 20), None);
		assert_eq!(
			nobody(&all, 10).unwrap(),
			"there is nobody to watch from: relayers registered 4, of which 2 above --max-price-per-gb 10 (the cheapest asks 20), \
			 1 leaving, 1 without an address that can be connected to"
		);
		assert!(nobody(&[], 10).unwrap().ends_with("no relayer is registered"));
	}

	#[test]
	fn addresses_of_one_peer_are_one_relayer() {
		let (a, b) = (relayer(1, None), relayer(2, None));
		let (a1, b1) = (a.addresses[0].clone(), b.addresses[0].clone());
		let a2 = Address::new("/ip4/127.0.0.2/udp/2/quic-v1", &a.key).unwrap();
		let relayers = given(&[a1.clone(), b1, a2.clone()]);
		assert_eq!(relayers.len(), 2);
		assert_eq!(relayers[0].addresses, [a1, a2]);
	}
}
