use super::*;
use clustercast_primitives::{chain::SessionInfo, WindowId};
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
	assert_eq!(errand.hear(Said::Serves, now + SECOND), Step::Wait);
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

/// The attack: whoever said its terms again every few seconds was checked for ever, and nobody else any more.
#[tokio::test]
async fn terms_that_are_said_again_give_no_more_time() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 0), now);
	for second in 1..6 {
		assert_eq!(errand.hear(Said::Serves, now + second * SECOND), Step::Wait);
	}
	assert_eq!(errand.until, now + 7 * SECOND);
}

#[tokio::test]
async fn windows_are_watched_as_many_as_were_drawn_and_old_ones_are_late() {
	let now = Instant::now();
	let mut errand = Errand::new(plan(Follow::Windows, 1), now);
	assert_eq!(errand.hear(Said::Serves, now), Step::Wait);
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
