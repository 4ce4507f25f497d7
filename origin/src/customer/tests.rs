use super::*;
use clustercast_primitives::{
	chain::{Reputation, SessionInfo, Unlocking},
	WindowId,
};
use rand::SeedableRng;
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);

fn offer(chunks: u32) -> Offer {
	Offer {
		header: Hash([7; 32]),
		chunks,
		chunk_log2: 14,
		length: 2 * SECOND,
		old: false,
	}
}

fn plan(follow: Follow, lets_by: u32) -> Plan {
	Plan {
		follow,
		lets_by,
		at: 0x8000,
		more: 0x8000,
	}
}

#[test]
fn any_range_of_a_window_may_be_bought_and_none_smaller_than_what_standbys_take() {
	for chunks in [1, 3, 4, 5, 23, 200] {
		let mut chance = StdRng::seed_from_u64(1);
		let mut ends = BTreeSet::new();
		for _ in 0..2_000 {
			let plan = Plan::draw(&mut chance);
			let range = plan.range(&offer(chunks));
			assert!(range.count >= chunks.min(4), "{range}");
			assert!(range.end().is_some_and(|end| end <= chunks), "{range}");
			assert!(plan.lets_by <= MOST_LET_BY);
			ends.insert((range.first, range.count));
		}
		// Of 23 chunks there are 210 ranges of four or more.
		assert!(chunks != 23 || ends.len() > 180, "{}", ends.len());
	}
	let draw = |seed| Plan::draw(&mut StdRng::seed_from_u64(seed));
	assert!(draw(1) == draw(1) && draw(1) != draw(2));
}

#[tokio::test]
async fn range_is_asked_for_behind_those_that_are_let_by_and_served_when_all_of_it_is_there() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Announcements, 2), now);
	assert_eq!(errand.until, now + 6 * SECOND);
	assert_eq!(errand.hear(Said::Serves { asks: false }, now + SECOND), Step::Wait);
	for _ in 0..2 {
		assert_eq!(errand.hear(Said::Announced(offer(23)), now + 5 * SECOND), Step::Wait);
	}
	let Step::Fetch(fetch) = errand.hear(Said::Announced(offer(23)), now + 7 * SECOND) else {
		panic!("nothing is asked for");
	};
	assert_eq!((fetch.range.first, fetch.range.count, fetch.within_ms), (5, 14, 6_000));
	// What is announced behind it gives it no more time.
	assert_eq!(errand.hear(Said::Announced(offer(23)), now + 9 * SECOND), Step::Wait);
	assert_eq!(errand.until, now + 13 * SECOND);
	errand.published(now + 7 * SECOND);
	assert_eq!(errand.hear(Said::Came(fetch.range), now), Step::Over(Outcome::Served));
	let late = Step::Over(Outcome::Failed(Failing::Late));
	let part = Range {
		count: 2,
		..fetch.range
	};
	for said in [Said::Came(part), Said::Lacks(fetch.range)] {
		let mut again = errand;
		assert_eq!(again.hear(said, now), late);
	}
}

/// The fault: our own encoder fell behind, and a relayer to which nothing was sent was late.
#[tokio::test]
async fn what_we_have_not_broadcast_is_late_at_nobody_and_has_its_time_from_when_we_have() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 1), now);
	assert_eq!(errand.hear(Said::Serves { asks: false }, now), Step::Wait);
	let mut never = errand;
	assert_eq!(never.late(now + 6 * SECOND), Step::Over(Outcome::Void));
	errand.published(now + 5 * SECOND);
	assert_eq!(errand.until, now + 11 * SECOND);
	errand.published(now + 7 * SECOND);
	assert_eq!(errand.until, now + 11 * SECOND, "the first one should be here");
	let mut other = errand;
	assert_eq!(
		other.late(now + 11 * SECOND),
		Step::Over(Outcome::Failed(Failing::Late))
	);
	assert_eq!(errand.hear(Said::Whole, now + 8 * SECOND), Step::Wait);
	assert_eq!(
		errand.late(now + 14 * SECOND),
		Step::Over(Outcome::Void),
		"and again for the next one"
	);
}

/// The attack: whoever said its terms again every few seconds was checked for ever, and nobody else any more.
#[tokio::test]
async fn terms_that_are_said_again_give_no_more_time() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 0), now);
	for second in 1..6 {
		assert_eq!(
			errand.hear(Said::Serves { asks: false }, now + second * SECOND),
			Step::Wait
		);
	}
	assert_eq!(errand.until, now + 7 * SECOND);
}

/// The fault: who lends strangers nothing was late each time, though players reserve something for it and have the stream.
#[tokio::test]
async fn who_asks_to_have_something_reserved_has_that_once_it_kept_us_waiting_and_then_has_to_serve() {
	let now = Instant::now();
	let lacking = |errand: &mut Errand| {
		let Step::Fetch(fetch) = errand.hear(Said::Announced(offer(23)), now + SECOND) else {
			panic!("nothing is asked for");
		};
		errand.published(now + SECOND);
		errand.hear(Said::Lacks(fetch.range), now + 7 * SECOND)
	};
	let silent = |errand: &mut Errand| errand.late(now + 7 * SECOND);
	type Wait<'a> = &'a dyn Fn(&mut Errand) -> Step;
	let waits: [(Follow, Wait); 3] = [
		(Follow::Windows, &silent),
		(Follow::Announcements, &silent),
		(Follow::Announcements, &lacking),
	];
	for (follow, wait) in waits {
		let begun = |asks| {
			let mut errand = Errand::new(plan(follow, 0), now);
			assert_eq!(errand.hear(Said::Serves { asks }, now), Step::Wait);
			errand.published(now);
			errand
		};
		let late = Step::Over(Outcome::Failed(Failing::Late));
		assert_eq!(wait(&mut begun(false)), late, "it asks for nothing");
		let mut errand = begun(true);
		assert_eq!(wait(&mut errand), Step::Reserve);
		// Viewers would not do it yet.
		assert_eq!(
			(errand.late(now + 9 * SECOND), errand.until),
			(Step::Reserve, now + 11 * SECOND)
		);
		errand.reserve(now + 11 * SECOND);
		assert_eq!(errand.until, now + 51 * SECOND, "until it can be final");
		let mut never = errand;
		assert_eq!(never.late(now + 51 * SECOND), late, "once");
		assert_eq!(errand.hear(Said::Reserved, now + 30 * SECOND), Step::Wait);
		assert_eq!(errand.until, now + 36 * SECOND, "no longer than others from then on");
		assert_eq!(errand.hear(Said::Whole, now + 31 * SECOND), Step::Over(Outcome::Served));
	}
}

/// The attack: whoever says something again and again is checked for ever, and nobody else any more.
#[tokio::test]
async fn nothing_that_a_relayer_says_makes_a_check_longer_than_it_may_be() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 2), now);
	assert_eq!(errand.hear(Said::Serves { asks: true }, now), Step::Wait);
	for second in 1..LONGEST.as_secs() {
		assert!(now + Duration::from_secs(second) < errand.until, "{second} s");
		assert_eq!(
			errand.hear(Said::Reserved, now + Duration::from_secs(second)),
			Step::Wait
		);
	}
	assert_eq!(errand.until, now + LONGEST);
	errand.published(errand.until);
	assert_eq!(errand.late(errand.until), Step::Over(Outcome::Failed(Failing::Late)));
}

#[test]
fn reservation_that_is_not_final_is_the_relayers_fault_where_others_could_be() {
	let reserved = Reserved {
		channel: ChannelKey {
			session: PublicKey([4; 32]),
			recipient: AccountId([5; 32]),
		},
		counter: 3,
		finalised: 100,
	};
	assert!(reserved.could_be_final(3, 100), "it is");
	assert!(reserved.could_be_final(2, 110), "it was not handed in");
	assert!(!reserved.could_be_final(2, 109), "our node finalises nothing");
}

#[tokio::test]
async fn windows_are_watched_as_many_as_were_drawn_and_old_ones_are_late() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 1), now);
	assert_eq!(errand.hear(Said::Serves { asks: false }, now), Step::Wait);
	assert_eq!(errand.hear(Said::Announced(offer(23)), now), Step::Wait);
	assert_eq!(errand.hear(Said::Whole, now + 2 * SECOND), Step::Wait);
	assert_eq!(errand.until, now + 8 * SECOND);
	assert_eq!(errand.hear(Said::Whole, now + 4 * SECOND), Step::Over(Outcome::Served));
	let old = Said::Announced(Offer { old: true, ..offer(23) });
	for follow in [Follow::Windows, Follow::Announcements] {
		let said = Errand::new(plan(follow, 0), now).hear(old, now);
		assert_eq!(said, Step::Over(Outcome::Failed(Failing::Late)));
	}
}

#[test]
fn parts_are_late_after_two_seconds_and_segments_after_six() {
	let ms = Duration::from_millis;
	assert_eq!(
		[late(ms(200)), late(ms(2_000)), late(ms(60_000))],
		[2, 6, 30].map(|s| s * SECOND)
	);
}

#[test]
fn account_pays_that_has_a_ticket_left_in_deposit_and_limit_and_a_session_that_lasts() {
	let key = PublicKey([4; 32]);
	let account = |deposit: Balance, spent: Balance, expiry: BlockNumber| ViewerAccount {
		deposit: deposit + 3,
		reserved: 3,
		sessions: vec![SessionInfo {
			key,
			limit: 10 * MAX_FACE_VALUE,
			spent,
			extra_limit: 0,
			extra_spent: 0,
			expiry,
			registered: 1,
		}],
		..ViewerAccount::default()
	};
	let most = MAX_FACE_VALUE;
	assert!(pays(&account(most, 9 * most, 250), &key, 100));
	assert!(!pays(&account(most - 1, 9 * most, 250), &key, 100));
	assert!(!pays(&account(most, 9 * most + 1, 250), &key, 100));
	assert!(!pays(&account(most, 9 * most, 249), &key, 100));
	assert!(!pays(&account(most, 0, 250), &PublicKey([5; 32]), 100));
	let leaving = ViewerAccount {
		unlocking: Some(Unlocking {
			amount: 1,
			unlocks_at: 200,
		}),
		..account(most, 0, 250)
	};
	assert!(!pays(&leaving, &key, 100), "relayers do not count on it");
}

#[test]
fn each_account_has_a_folder_of_its_own() {
	let folder = |seed| folder_of(Path::new("state"), &AccountId([seed; 32]));
	assert_eq!(folder(0xab), Path::new("state/check/abababababababab"));
	assert_ne!(folder(1), folder(2));
}

/// The attack: a relayer that names terms which are not there, so that a check of it would be nobody's fault for ever.
#[test]
fn whatever_a_relayer_breaks_is_held_against_it() {
	let window = WindowId::default();
	for (fault, failing) in [
		(Fault::PriceTooHigh { max: 1, asked: 2 }, Failing::Dear),
		(Fault::FaceValue { max: 1, asked: 2 }, Failing::Dear),
		(Fault::BadChunk { window, index: 0 }, Failing::Wrong),
		(Fault::Replayed(window), Failing::Wrong),
		(Fault::WrongTerms { known: 1, asked: 2 }, Failing::Refused),
		(Fault::FutureStart(window), Failing::Refused),
	] {
		assert_eq!(of_fault(&fault), failing, "{fault}");
	}
	assert_eq!(of_end(&EndReason::Full), Failing::Refused);
	assert_eq!(of_end(&EndReason::PriceRose), Failing::Dear);
}

fn info(price_per_gb: u64) -> RelayerInfo {
	RelayerInfo {
		account: AccountId([1; 32]),
		payout: AccountId([2; 32]),
		operator: AccountId([3; 32]),
		signing_key: PublicKey([6; 32]),
		addresses: Vec::new(),
		price_per_gb,
		bond: 10 * USDC,
		unbonds_at: None,
		reputation: Reputation::default(),
	}
}

/// The fault: what only our node did not know yet, or our clock, counted against who was alone in the tier. And the attack: whoever says
/// such a thing, and it is not so, is held to nothing.
#[test]
fn what_a_relayer_knew_sooner_than_we_did_is_not_held_against_it_and_what_nobody_knows_is() {
	let before = crate::reign::tests::named(PublicKey([7; 32]));
	let most = before.terms().max_price_per_gb();
	let (counter, id) = (before.terms_counter, WindowId::default());
	let registered = info(most);
	let replaced = crate::reign::tests::named(PublicKey([8; 32]));
	let changed = StreamKeyInfo {
		terms_counter: counter + 2,
		..before.clone()
	};
	let known = |stream: &StreamKeyInfo, fault: Fault| {
		let known = Known {
			info: Some(&registered),
			stream: Some(stream),
			newest: Some((50, 9_000)),
			head: 50,
			latest_start_ms: 9_000,
		};
		(known.excuses(&fault, &before), {
			let behind = Known {
				head: 49,
				latest_start_ms: 8_999,
				..known
			};
			behind.excuses(&fault, &before)
		})
	};
	let price = |asked| Fault::PriceTooHigh { max: 1, asked };
	assert_eq!(
		known(&before, price(most)),
		(true, true),
		"it has registered another one"
	);
	assert_eq!(known(&before, price(most + 1)), (false, false));
	let pays = |asked| Fault::WrongRecipient {
		registered: AccountId([9; 32]),
		asked,
	};
	assert_eq!(known(&before, pays(AccountId([1; 32]))), (true, true));
	assert_eq!(known(&before, pays(AccountId([2; 32]))), (false, false));
	let terms = |asked| Fault::WrongTerms { known: counter, asked };
	assert_eq!(known(&changed, terms(counter + 2)), (true, true));
	assert_eq!(known(&changed, terms(counter + 3)), (true, true), "they are announced");
	assert_eq!(known(&before, terms(counter + 2)), (false, false));
	for fault in [Fault::FormerKey(id), Fault::UnknownKey(50)] {
		assert_eq!(known(&replaced, fault.clone()), (true, true));
		assert_eq!(known(&before, fault), (false, false));
	}
	// We have broadcast what our own node or clock says cannot be there yet.
	for fault in [Fault::FutureStart(id), Fault::FutureEpoch { id, head: 49 }] {
		assert_eq!(known(&before, fault), (false, true));
	}
	assert_eq!(known(&before, Fault::BadChunk { window: id, index: 0 }), (false, false));
}
