//! The collector against a chain that pays each micro-USDC once and may break anywhere.

use super::{super::Receipts, *};
use crate::store::{tests::GENESIS, vouchers::tests::voucher, VoucherSums};
use clustercast_primitives::chain::Payout;
use std::{
	collections::HashMap,
	path::Path,
	sync::{LazyLock, Mutex, MutexGuard},
};

const EXPIRY: BlockNumber = 1_000;
const THRESHOLDS: Thresholds = Thresholds {
	value: 10_000,
	age: Duration::from_secs(60),
	least: 1_000,
	worth: 400,
};

/// No stream's terms have changed.
static BEGUN: LazyLock<BTreeMap<StreamId, u32>> = LazyLock::new(BTreeMap::new);

/// No session.
static NONE: LazyLock<HashSet<PublicKey>> = LazyLock::new(HashSet::new);

/// What is posted is paid when `finalise` is called.
#[derive(Default)]
struct State {
	finalised: BlockNumber,
	pool: Vec<SignedVoucher>,
	paid: HashMap<PublicKey, VoucherTotals>,
	/// Of what was paid in each block.
	earned: HashMap<BlockNumber, Balance>,
	/// The terms have ended: the least counts no more.
	ended: bool,
	/// Whose reservations hold all: it counts no more for these either.
	reserved: HashSet<PublicKey>,
	/// Money that there is, where it is short.
	money: Option<Balance>,
	refusals: HashMap<PublicKey, TicketRefusal>,
	submits: Vec<usize>,
	calls: usize,
	/// The connection breaks at this call: before it is heard, or before the answer is.
	breaks: Option<(usize, bool)>,
	nothing_to_pay: bool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
	fn state(&self) -> MutexGuard<'_, State> {
		self.0.lock().unwrap()
	}

	/// Includes what waits in the pool, by the chain's own rule: the difference, or nothing.
	fn finalise(&self) {
		let mut state = self.state();
		state.finalised += 1;
		for voucher in std::mem::take(&mut state.pool) {
			if let TicketVerdict::Accepted(payout) = Self::verdict(&state, &voucher) {
				let message = voucher.message;
				let paid = payout.relayer + payout.treasury;
				let before = state.paid.get(&message.session).map_or(0, |paid| paid.amount);
				let totals = VoucherTotals {
					amount: before + paid,
					bytes: message.bytes,
				};
				state.paid.insert(message.session, totals);
				let block = state.finalised;
				*state.earned.entry(block).or_default() += payout.relayer;
				state.money = state.money.map(|money| money - paid);
			}
		}
	}

	fn verdict(state: &State, voucher: &SignedVoucher) -> TicketVerdict {
		let message = &voucher.message;
		let paid = state.paid.get(&message.session).copied().unwrap_or_default();
		TicketVerdict::Refused(if state.finalised > message.expiry {
			TicketRefusal::Expired
		} else if let Some(reason) = state.refusals.get(&message.session) {
			*reason
		} else if message.amount <= paid.amount || message.bytes < paid.bytes {
			TicketRefusal::NothingNew
		} else if !state.ended
			&& !state.reserved.contains(&message.session)
			&& message.amount - paid.amount < THRESHOLDS.least
		{
			TicketRefusal::FaceValueTooSmall
		} else {
			// As far as there is money.
			let payable = (message.amount - paid.amount).min(state.money.unwrap_or(Balance::MAX));
			if payable == 0 {
				return TicketVerdict::Refused(TicketRefusal::DepositTooSmall);
			}
			let treasury = payable / 10;
			return TicketVerdict::Accepted(Payout {
				relayer: payable - treasury,
				broadcaster: 0,
				treasury,
			});
		})
	}

	/// Breaks where it was asked to.
	fn answer<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, &'static str> {
		let mut state = self.state();
		let call = state.calls;
		state.calls += 1;
		match state.breaks {
			Some((at, false)) if at == call => Err("not heard"),
			Some((at, true)) if at == call => {
				act(&mut state);
				Err("not answered")
			},
			_ => Ok(act(&mut state)),
		}
	}
}

impl Chain for Fake {
	type Error = &'static str;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
		self.answer(|state| (state.finalised, Hash([0; 32])))
	}

	async fn paid(&self, places: &[VoucherPlace], _: Hash) -> Result<Vec<VoucherTotals>, Self::Error> {
		let of = |state: &State, place: &VoucherPlace| state.paid.get(&place.session).copied().unwrap_or_default();
		self.answer(|state| places.iter().map(|place| of(state, place)).collect())
	}

	async fn check(&self, vouchers: &[SignedVoucher], _: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
		self.answer(|state| vouchers.iter().map(|v| Self::verdict(state, v)).collect())
	}

	async fn submit(&self, vouchers: &[SignedVoucher]) -> Result<Option<Hash>, Self::Error> {
		self.answer(|state| {
			let pays = |v: &SignedVoucher| matches!(Self::verdict(state, v), TicketVerdict::Accepted(_));
			if state.nothing_to_pay || !vouchers.iter().any(pays) {
				return None;
			}
			state.submits.push(vouchers.len());
			state.pool.extend_from_slice(vouchers);
			Some(Hash([9; 32]))
		})
	}
}

impl Events for Fake {
	type Error = &'static str;

	async fn receipts(&self, block: BlockNumber) -> Result<Receipts, Self::Error> {
		let state = self.state();
		Ok(Receipts {
			tickets: Vec::new(),
			earned_by_voucher: state.earned.get(&block).copied().unwrap_or(0),
		})
	}
}

/// A collector as it is after a start: nothing but the store is remembered.
fn restart(dir: &Path, chain: &Fake) -> Collector<Fake> {
	let store = Store::open(&dir.join("winners.redb"), &GENESIS).unwrap();
	Collector::new(Arc::new(store), chain.clone(), THRESHOLDS)
}

/// With vouchers of these amounts, each of a session of its own.
fn with_vouchers(dir: &Path, chain: &Fake, amounts: &[Balance]) -> Collector<Fake> {
	let collector = restart(dir, chain);
	let numbered = amounts.iter().zip(1..);
	let vouchers: Vec<_> = numbered
		.map(|(amount, session)| voucher(session, *amount, EXPIRY))
		.collect();
	collector.store.keep(&vouchers, 0).unwrap();
	collector
}

fn look(now_ms: u64, all: bool, urgent: &HashSet<PublicKey>) -> Look<'_> {
	Look {
		now_ms,
		all,
		urgent,
		reserved: &NONE,
		terms: &BEGUN,
	}
}

async fn step(collector: &Collector<Fake>, now_ms: u64) -> Step {
	let step = collector.step(look(now_ms, false, &HashSet::new())).await.unwrap();
	// Which block it was is looked at where it matters.
	Step { at: 0, ..step }
}

fn sums(collector: &Collector<Fake>) -> VoucherSums {
	collector.store.voucher_sums().unwrap()
}

/// The attack: a few vouchers that owe next to nothing, of sessions that come first, make a batch look worth nothing.
#[tokio::test]
async fn largest_voucher_comes_first() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[5_000, 5_001, 20_000, 7_000]);
	assert_eq!(step(&collector, 0).await.posted, 4);
	let amounts: Vec<_> = chain.state().pool.iter().map(|v| v.message.amount).collect();
	assert_eq!(amounts, [20_000, 7_000, 5_001, 5_000]);
}

#[tokio::test]
async fn vouchers_wait_until_amount_or_age_or_expiry_says_so_each_for_itself() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[9_999; 3]);
	let idle = Step {
		pending: 3,
		pending_value: 29_997,
		..Step::default()
	};
	assert_eq!(step(&collector, 59_999).await, idle);
	assert_eq!(step(&collector, 60_000).await, Step { posted: 3, ..idle }, "age");

	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[10_000, 5_000, 4_999]);
	assert_eq!(step(&collector, 1).await.posted, 2, "what is half-way there goes along");

	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[1_000]);
	chain.state().finalised = EXPIRY - EXPIRY_MARGIN - 1;
	assert_eq!(step(&collector, 1).await.posted, 0);
	chain.state().finalised += 1;
	assert_eq!(step(&collector, 1).await.posted, 1, "expiry");

	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[1_000, 999]);
	let step = collector.step(look(1, true, &HashSet::new())).await.unwrap();
	assert_eq!(
		(step.posted, step.pending),
		(1, 1),
		"asked to, and the chain pays no less than 1,000"
	);
}

#[tokio::test]
async fn voucher_is_credited_once_and_a_newer_one_pays_the_difference() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	assert_eq!(step(&collector, 0).await.posted, 1);
	collector.store.keep(&[voucher(1, 33_000, EXPIRY)], 5).unwrap();
	assert_eq!(step(&collector, 10).await.posted, 0, "one is on its way");
	chain.finalise();
	let settled = step(&collector, 20).await;
	let paid = Settled {
		voucher: voucher(1, 33_000, EXPIRY).message,
		outcome: VoucherOutcome::Paid(20_000),
		amount: 20_000,
	};
	assert_eq!(settled.settled, [paid]);
	assert_eq!((settled.pending, settled.pending_value), (1, 13_000));
	assert_eq!(step(&collector, 30).await.posted, 1);
	chain.finalise();
	assert_eq!(step(&collector, 40).await.pending, 0);
	assert_eq!(step(&collector, 50).await, Step::default());
	let expected = VoucherSums {
		redemptions: 2,
		paid: 33_000,
		earned: 18_000 + 11_700,
		lost: 0,
	};
	assert_eq!(sums(&collector), expected);
	assert_eq!(chain.state().submits, [1, 1]);
}

#[tokio::test]
async fn batch_is_bounded_and_the_rest_follows() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000; 130]);
	assert_eq!(step(&collector, 0).await.posted, MAX_BATCH);
	assert_eq!(step(&collector, 1).await.posted, 30);
	chain.finalise();
	assert_eq!(step(&collector, 2).await.settled.len(), 130);
	assert_eq!(sums(&collector).paid, 130 * 20_000);
}

#[tokio::test]
async fn break_at_any_call_loses_nothing_and_credits_once() {
	for heard in [false, true] {
		let mut at = 0;
		loop {
			let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
			let mut collector = with_vouchers(dir.path(), &chain, &[20_000, 15_000, 12_000]);
			chain.state().breaks = Some((at, heard));
			let mut now = 0;
			for round in 0..60 {
				// Killed wherever the call broke: only the store is left.
				if collector.step(look(now, false, &HashSet::new())).await.is_err() {
					drop(collector);
					collector = restart(dir.path(), &chain);
				}
				if round == 2 {
					collector.store.keep(&[voucher(1, 40_000, EXPIRY)], now).unwrap();
				}
				chain.finalise();
				now += 10_000;
			}
			assert!(collector.store.owing().unwrap().is_empty(), "break at {at}");
			let (credited, state) = (sums(&collector), chain.state());
			assert_eq!(credited.paid, 40_000 + 15_000 + 12_000, "break at {at}");
			assert_eq!(credited.paid, state.paid.values().map(|t| t.amount).sum());
			assert_eq!(credited.lost, 0);
			if state.calls <= at {
				assert!(at > 5);
				break;
			}
			at += 1;
		}
	}
}

#[tokio::test]
async fn voucher_that_is_not_included_is_posted_again_later_and_later() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	let mut posted_at = Vec::new();
	for second in 0..1_500 {
		if step(&collector, second * 1_000).await.posted > 0 {
			posted_at.push(second);
		}
		chain.state().pool.clear();
	}
	assert_eq!(posted_at, [0, 60, 180, 420, 900, 1_380]);
	assert_eq!(step(&collector, 5).await.posted, 1, "a clock set back holds nothing up");
}

#[tokio::test]
async fn voucher_that_the_best_chain_would_not_pay_was_not_posted() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	chain.state().nothing_to_pay = true;
	let first = step(&collector, 0).await;
	assert_eq!((first.posted, first.pending), (0, 1));
	assert_eq!(collector.store.owing().unwrap()[0].1.posted, None);
	chain.state().nothing_to_pay = false;
	assert_eq!(step(&collector, RETRY_MS - 1).await.posted, 0, "not at once again");
	assert_eq!(step(&collector, RETRY_MS).await.posted, 1);
}

#[tokio::test]
async fn refusal_that_may_change_is_asked_again_and_a_final_one_is_not() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000; 4]);
	let key = |session: u8| PublicKey([session; 32]);
	chain.state().refusals.insert(key(1), TicketRefusal::DepositTooSmall);
	chain.state().refusals.insert(key(2), TicketRefusal::BadSignature);
	// Final for a ticket; a voucher grows.
	chain.state().refusals.insert(key(3), TicketRefusal::FaceValueTooSmall);
	let first = step(&collector, 0).await;
	assert_eq!((first.posted, first.pending, first.pending_value), (1, 3, 60_000));
	let lost = Settled {
		voucher: voucher(2, 20_000, EXPIRY).message,
		outcome: VoucherOutcome::Lost(20_000, TicketRefusal::BadSignature),
		amount: 20_000,
	};
	assert_eq!(first.settled, [lost]);
	chain.finalise();
	chain.state().refusals.clear();
	assert_eq!(step(&collector, RETRY_MS - 1).await.posted, 0, "not yet");
	assert_eq!(step(&collector, RETRY_MS).await.posted, 2);
	assert_eq!(sums(&collector).lost, 20_000);
}

#[tokio::test]
async fn viewer_who_spoils_its_vouchers_is_found_out() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	// It handed in one of its own: the least amount, more bytes than it will ever watch.
	let own = VoucherTotals {
		amount: 1_000,
		bytes: u64::MAX,
	};
	chain.state().paid.insert(PublicKey([1; 32]), own);
	let credited = step(&collector, 0).await;
	assert_eq!(credited.settled[0].outcome, VoucherOutcome::Paid(1_000));
	let found = step(&collector, 0).await;
	assert_eq!(
		found.settled[0].outcome,
		VoucherOutcome::Lost(20_000, TicketRefusal::NothingNew)
	);
	assert_eq!((sums(&collector).paid, sums(&collector).lost), (1_000, 19_000));
}

#[tokio::test]
async fn expired_voucher_is_given_up_and_comes_back_with_the_next_one() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[900]);
	chain.state().finalised = EXPIRY;
	assert_eq!(step(&collector, 0).await.settled, []);
	chain.state().finalised = EXPIRY + 1;
	let given_up = step(&collector, 0).await;
	assert_eq!(
		given_up.settled[0].outcome,
		VoucherOutcome::Lost(900, TicketRefusal::Expired)
	);
	assert_eq!(step(&collector, 0).await, Step::default());
	collector.store.keep(&[voucher(1, 20_900, 2 * EXPIRY)], 0).unwrap();
	assert_eq!(step(&collector, 0).await.posted, 1);
	chain.finalise();
	step(&collector, 1).await;
	assert_eq!((sums(&collector).paid, sums(&collector).lost), (20_900, 0));

	// The last block of a voucher is one in which it can be paid.
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	assert_eq!(step(&collector, 0).await.posted, 1);
	chain.state().pool.clear();
	chain.state().finalised = EXPIRY;
	assert_eq!(step(&collector, 1).await.settled, []);
	chain.state().finalised = EXPIRY + 1;
	assert_eq!(step(&collector, 2).await.settled.len(), 1);
}

#[tokio::test]
async fn wrong_number_of_answers_changes_nothing() {
	struct Short(Fake);
	impl Events for Short {
		type Error = &'static str;
		async fn receipts(&self, block: BlockNumber) -> Result<Receipts, Self::Error> {
			self.0.receipts(block).await
		}
	}
	impl Chain for Short {
		type Error = &'static str;
		async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
			self.0.finalised().await
		}
		async fn paid(&self, _: &[VoucherPlace], _: Hash) -> Result<Vec<VoucherTotals>, Self::Error> {
			Ok(Vec::new())
		}
		async fn check(&self, vouchers: &[SignedVoucher], at: Hash) -> Result<Vec<TicketVerdict>, Self::Error> {
			self.0.check(vouchers, at).await
		}
		async fn submit(&self, vouchers: &[SignedVoucher]) -> Result<Option<Hash>, Self::Error> {
			self.0.submit(vouchers).await
		}
	}
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let store = with_vouchers(dir.path(), &chain, &[20_000]).store;
	let collector = Collector::new(store, Short(chain.clone()), THRESHOLDS);
	assert!(matches!(
		collector.step(look(0, true, &HashSet::new())).await,
		Err(Error::Chain(_))
	));
	assert!(chain.state().submits.is_empty());
}

/// A voucher that is not covered whole is paid as far as there is money, and the same one again for the rest.
#[tokio::test]
async fn books_agree_to_the_last_unit_where_vouchers_are_paid_in_part() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[20_000]);
	chain.state().money = Some(12_345);
	assert_eq!(step(&collector, 0).await.posted, 1);
	chain.finalise();
	let settled = step(&collector, 10).await;
	assert_eq!(settled.settled[0].outcome, VoucherOutcome::Paid(12_345));
	assert_eq!((settled.pending, settled.pending_value), (1, 7_655));
	// Of 12,345 a tenth is the treasury's, rounded down.
	assert_eq!((sums(&collector).paid, sums(&collector).earned), (12_345, 11_111));
	chain.state().money = None;
	let urgent = HashSet::from([PublicKey([1; 32])]);
	let again = collector.step(look(RETRY_MS, false, &urgent)).await.unwrap();
	assert_eq!(again.posted, 1, "the same voucher");
	chain.finalise();
	step(&collector, RETRY_MS + 10).await;
	assert_eq!(
		(sums(&collector).paid, sums(&collector).earned),
		(20_000, 11_111 + 6_890)
	);
	assert!(collector.store.owing().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_owed_under_terms_that_ended_is_paid_to_the_last_unit() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[1_000, 999]);
	let none = HashSet::new();
	assert_eq!(
		step(&collector, 0).await.posted,
		0,
		"nothing is due under terms that hold"
	);
	chain.state().ended = true;
	let of_another = Look {
		terms: &BTreeMap::from([(StreamId(3), 0), (StreamId(4), 9)]),
		..look(0, false, &none)
	};
	assert_eq!(collector.step(of_another).await.unwrap().posted, 0);
	let ended = Look {
		terms: &BTreeMap::from([(StreamId(3), 1)]),
		..look(0, false, &none)
	};
	let step = collector.step(ended).await.unwrap();
	assert_eq!((step.posted, step.pending), (2, 2));
}

/// Its viewer is gone: what the reservation holds is paid, where it is worth its fee; nothing is asked for what is not.
#[tokio::test]
async fn what_a_reservation_holds_is_handed_in_down_to_what_is_worth_its_fee() {
	let (dir, chain) = (tempfile::tempdir().unwrap(), Fake::default());
	let collector = with_vouchers(dir.path(), &chain, &[400, 399, 999]);
	let held = HashSet::from([PublicKey([1; 32]), PublicKey([2; 32])]);
	chain.state().reserved = held.clone();
	let urgent = HashSet::from([1, 2, 3].map(|session| PublicKey([session; 32])));
	let leaving = |now_ms| Look {
		reserved: &held,
		..look(now_ms, false, &urgent)
	};
	let first = collector.step(leaving(0)).await.unwrap();
	assert_eq!((first.posted, first.pending, first.waiting), (1, 1, 2));
	chain.finalise();
	let second = collector.step(leaving(1)).await.unwrap();
	assert_eq!((second.settled.len(), second.settled[0].amount), (1, 400));
	let third = collector.step(leaving(2)).await.unwrap();
	assert_eq!(
		(third.pending, third.waiting, third.pending_value),
		(0, 2, 399 + 999),
		"not settled, and not said to be"
	);
}
