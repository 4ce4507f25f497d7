use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use std::collections::BTreeMap;

const SECOND: Duration = Duration::from_secs(1);

/// Any of a cartel's three.
const CARTEL: [u8; 3] = [101, 102, 103];

fn key(seed: u8) -> PublicKey {
	PublicKey([seed; 32])
}

fn at(seconds: u64) -> Duration {
	Duration::from_secs(seconds)
}

fn config(most: usize) -> Config {
	Config {
		most,
		uplink: None,
		pinned: None,
		times: Times::default(),
	}
}

fn tier(config: Config) -> Tier {
	Tier::new(config, StdRng::seed_from_u64(1))
}

/// Of so many copies.
fn of(most: usize) -> Tier {
	tier(config(most))
}

/// All are heard.
fn ask(tier: &mut Tier, seed: u8, now: Duration) -> bool {
	tier.ask(key(seed), now, |_| Duration::ZERO)
}

fn events(tier: &mut Tier) -> Vec<Event> {
	std::iter::from_fn(|| tier.poll_event()).collect()
}

/// Those who lost their seats hear of it.
fn depart(tier: &mut Tier) {
	for key in tier.leaving.clone() {
		tier.left(&key);
	}
}

/// The next check, whenever it is due, of whomever; when that was.
fn check(tier: &mut Tier, now: Duration, outcome: impl Fn(&PublicKey) -> Outcome) -> (PublicKey, Duration) {
	let when = tier.check_at().expect("somebody is here").max(now);
	let key = tier.check(when).expect("it is due");
	tier.checked(outcome(&key), true, when);
	(key, when)
}

/// Checks for so long, and those who wait ask all along; when it is over.
fn go_on(
	tier: &mut Tier,
	from: Duration,
	long: Duration,
	waiting: &[u8],
	outcome: impl Fn(&PublicKey) -> Outcome,
) -> Duration {
	let mut now = from;
	while now < from + long {
		now += 5 * SECOND;
		tier.tick(now);
		depart(tier);
		for seed in waiting {
			ask(tier, *seed, now);
		}
		while tier.check_at().is_some_and(|due| due <= now) {
			if let Some(key) = tier.check(now) {
				tier.checked(outcome(&key), true, now);
			}
		}
	}
	now
}

#[test]
fn uplink_carries_as_many_copies_as_fit_into_four_fifths_of_it_three_at_most_and_one_at_least() {
	let copies = |megabits: Option<u64>, rate: u64| {
		let uplink = megabits.and_then(|megabits| NonZeroU64::new(megabits * 125_000));
		let mut tier = tier(Config { uplink, ..config(3) });
		tier.takes(rate);
		tier.copies()
	};
	for (megabits, expected) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (100, 3)] {
		assert_eq!(copies(Some(megabits), USUAL), expected, "{megabits} Mb/s");
	}
	assert_eq!(copies(None, USUAL), 3);
	assert_eq!(copies(Some(12), 4 * USUAL), 1);
	assert_eq!(copies(Some(12), 0), 3, "nothing is measured");
}

/// The fault that this avoids: a bit rate that goes up and down at the border sends a relayer away each time.
#[test]
fn copy_is_given_up_only_where_they_take_more_than_nine_tenths_of_the_uplink() {
	let uplink = NonZeroU64::new(1_000_000);
	let mut tier = tier(Config { uplink, ..config(3) });
	tier.takes(260_000);
	assert_eq!(tier.copies(), 3);
	assert!((1..=3).all(|seed| ask(&mut tier, seed, at(0))));
	tier.takes(299_000);
	assert_eq!((tier.copies(), tier.taken()), (3, 3));
	tier.takes(301_000);
	assert_eq!((tier.copies(), tier.taken()), (2, 2));
	assert_eq!(events(&mut tier), [Event::Lost(key(3), Loss::Uplink)], "who came last");
	tier.takes(270_000);
	assert_eq!(tier.copies(), 2);
	tier.takes(266_000);
	assert_eq!(tier.copies(), 3);
	depart(&mut tier);
	assert!(ask(&mut tier, 3, at(1)));
}

#[test]
fn beyond_the_copies_relayers_wait_in_line_and_who_asks_more_often_has_no_seat_sooner() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	assert!(!ask(&mut tier, 3, at(1)) && !ask(&mut tier, 4, at(2)));
	for tenth in 20..160 {
		assert!(!ask(&mut tier, 4, Duration::from_millis(100 * tenth)));
	}
	assert_eq!(tier.members().collect::<Vec<_>>(), [key(1), key(2)], "whom to name");
	assert!(ask(&mut tier, 1, at(16)), "its line changed");
	tier.left(&key(1));
	assert!(!ask(&mut tier, 4, at(16)) && !ask(&mut tier, 1, at(16)));
	assert!(ask(&mut tier, 3, at(16)));
	tier.left(&key(2));
	assert!(!ask(&mut tier, 1, at(17)));
	assert!(ask(&mut tier, 4, at(17)));
}

#[test]
fn who_waits_and_does_not_ask_is_passed_over() {
	let mut tier = of(1);
	assert!(ask(&mut tier, 1, at(0)));
	assert!(!ask(&mut tier, 2, at(0)) && !ask(&mut tier, 3, at(1)));
	tier.left(&key(1));
	assert!(!ask(&mut tier, 3, ASKS - SECOND), "it is the other one's turn");
	assert!(ask(&mut tier, 3, ASKS));
}

#[test]
fn who_acknowledges_nothing_for_a_windows_time_makes_room_for_who_asks_and_for_nobody_else() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	let silent = |long: Duration| move |of: &PublicKey| if *of == key(2) { long } else { Duration::ZERO };
	tier.tick(at(100));
	assert!(tier.has(&key(2)), "nobody asks");
	assert!(!tier.ask(key(3), at(100), silent(SILENT - SECOND / 10)));
	assert!(tier.ask(key(3), at(101), silent(SILENT)));
	assert!(tier.has(&key(1)) && !tier.has(&key(2)));
	assert_eq!(events(&mut tier), [Event::Lost(key(2), Loss::Silent)]);
	// It is no fault: it waits like others.
	assert!(!ask(&mut tier, 2, at(102)));
	tier.left(&key(1));
	assert!(ask(&mut tier, 2, at(103)));
}

/// So long do these acknowledge nothing; all others are heard.
fn silences(of: &[(u8, Duration)]) -> impl Fn(&PublicKey) -> Duration {
	let of: BTreeMap<PublicKey, Duration> = of.iter().map(|(seed, long)| (key(*seed), *long)).collect();
	move |key| of.get(key).copied().unwrap_or_default()
}

/// The fault: our own line was down for some seconds, and as it came back who waits was heard before those who have the copies: they
/// acknowledge only what is sent to them again, later by as long as the outage took.
#[test]
fn outage_of_our_own_line_costs_nobody_its_seat_through_silence() {
	for outage in [2, 3, 8, 20] {
		let mut tier = of(3);
		assert!((1..=3).all(|seed| ask(&mut tier, seed, at(0))));
		// They were sent the last window within two seconds of each other.
		let silent = |since_it_ended: u64| {
			let long = at(outage + since_it_ended);
			silences(&[(1, long), (2, long + SECOND), (3, long + 19 * SECOND / 10)])
		};
		let back = at(100 + outage);
		for after in [0, 1, 5, 9] {
			assert!(!tier.ask(key(4), back + at(after), silent(after)));
		}
		assert_eq!(
			(events(&mut tier), tier.taken()),
			(vec![Event::AllSilent], 3),
			"{outage} s"
		);
		// They are heard again, and the same happens a while later.
		assert!(!ask(&mut tier, 4, back + at(12)));
		assert!(!tier.ask(key(4), back + at(100), silent(0)));
		assert!(!tier.ask(key(4), back + at(109), silent(9)));
		assert_eq!(
			(events(&mut tier), tier.taken()),
			(vec![Event::AllSilent], 3),
			"{outage} s"
		);
	}
}

/// Nobody asked in between, so nobody saw that they were heard.
#[test]
fn two_outages_of_our_own_line_are_not_taken_for_one_silence() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	for begun in [100, 120, 140] {
		let long = silences(&[(1, at(5)), (2, at(5))]);
		assert!(!tier.ask(key(3), at(begun + 5), long));
		assert_eq!(events(&mut tier), [Event::AllSilent]);
	}
	assert_eq!(tier.taken(), 2);
}

/// The attack: who has all seats is silent together, and keeps them.
#[test]
fn those_who_stay_silent_together_are_let_go_where_somebody_else_was_heard_for_ten_seconds() {
	let mut tier = of(3);
	assert!(CARTEL.iter().all(|seed| ask(&mut tier, *seed, at(0))));
	let silent = |long: u64| silences(&CARTEL.map(|seed| (seed, at(long))));
	assert!(!tier.ask(key(1), at(100), silent(60)));
	assert!(!tier.ask(key(1), at(109), silent(69)));
	assert_eq!(events(&mut tier), [Event::AllSilent]);
	assert!(tier.ask(key(1), at(110), silent(70)));
	assert_eq!(events(&mut tier), [Event::Lost(key(CARTEL[0]), Loss::Silent)]);
	// The others too, once the newcomer has heard what they have missed.
	assert!(!tier.ask(key(2), at(111), silent(71)));
	assert!(tier.ask(key(2), at(120), silent(80)) && tier.ask(key(3), at(121), silent(81)));
	assert_eq!(tier.members().collect::<Vec<_>>(), [1, 2, 3].map(key));
}

#[test]
fn who_was_silent_before_the_others_were_makes_room_at_once() {
	let mut tier = of(3);
	assert!((1..=3).all(|seed| ask(&mut tier, seed, at(0))));
	let silent = silences(&[(1, at(5)), (2, at(9)), (3, at(5))]);
	assert!(tier.ask(key(4), at(100), silent));
	assert_eq!(events(&mut tier), [Event::AllSilent, Event::Lost(key(2), Loss::Silent)]);
}

/// It sat down behind the outage in which they were lost to us.
#[test]
fn newcomer_that_is_heard_does_not_show_that_those_before_it_are_silent() {
	let mut tier = of(3);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	let silent = |long: u64| silences(&[(1, at(long)), (2, at(long))]);
	assert!(tier.ask(key(3), at(100), silent(8)), "there was a seat");
	assert!(!tier.ask(key(4), at(101), silent(9)));
	assert!(!tier.ask(key(4), at(109), silent(17)));
	assert!(tier.ask(key(4), at(110), silent(18)));
}

#[test]
fn of_two_copies_or_more_who_came_last_makes_room_after_its_turn_where_others_wait() {
	let mut tier = of(3);
	assert!((1..=3).all(|seed| ask(&mut tier, seed, at(seed.into()))));
	tier.tick(at(5_000));
	assert_eq!(tier.taken(), 3, "nobody waits");
	tier.left(&key(3));
	assert!(ask(&mut tier, 3, at(5_000)));
	assert!(!ask(&mut tier, 4, at(5_590)) && !ask(&mut tier, 5, at(5_591)));
	assert!(!ask(&mut tier, 4, at(5_599)) && !ask(&mut tier, 5, at(5_600)));
	assert_eq!(
		(tier.taken(), events(&mut tier)),
		(3, vec![]),
		"the other one is next, and does not ask"
	);
	assert!(!ask(&mut tier, 4, at(5_600)), "it is still served");
	assert_eq!(events(&mut tier), [Event::Lost(key(3), Loss::Turn)]);
	tier.left(&key(3));
	assert!(!ask(&mut tier, 3, at(5_601)), "behind who waits");
	assert!(ask(&mut tier, 4, at(5_601)));
	assert!(tier.has(&key(1)) && tier.has(&key(2)));

	let mut alone = of(1);
	assert!(ask(&mut alone, 1, at(0)) && !ask(&mut alone, 2, at(5_000)) && !ask(&mut alone, 2, at(5_001)));
	assert!(alone.has(&key(1)), "all below it would be without the stream");
}

#[test]
fn pinned_relayer_has_a_seat_whenever_it_comes_and_no_check_takes_it() {
	let mut tier = tier(Config {
		pinned: Some(key(9)),
		..config(3)
	});
	assert!((1..=3).all(|seed| ask(&mut tier, seed, at(0))), "it is not here");
	assert!(!ask(&mut tier, 4, at(1)));
	assert!(ask(&mut tier, 9, at(2)), "it was not there first, and is first");
	assert_eq!(events(&mut tier), [Event::Lost(key(3), Loss::Pinned)]);
	depart(&mut tier);
	assert!(!ask(&mut tier, 4, at(3)));
	let now = go_on(&mut tier, at(4), at(1_000), &[4], |of| match *of == key(9) {
		true => Outcome::Failed(Failing::Late),
		false => Outcome::Served,
	});
	assert!(tier.has(&key(9)) && tier.members().any(|of| of == key(9)));
	let lost = events(&mut tier);
	let lost = |of: u8| {
		lost.iter()
			.any(|event| matches!(event, Event::Lost(lost, _) if *lost == key(of)))
	};
	assert!(lost(2) && !lost(1) && !lost(9), "the last one takes turns: {now:?}");
}

/// The fault: who had the only copy was sent away, and the pinned one, which had been refused, asked again up to 90 s later.
#[test]
fn who_makes_room_for_the_pinned_relayer_has_its_copy_until_that_one_has_it() {
	for copies in [1, 2, 3] {
		let mut tier = tier(Config {
			pinned: Some(key(9)),
			..config(copies)
		});
		let here: Vec<u8> = (1..=copies).map(|seed| seed as u8).collect();
		assert!(here.iter().all(|seed| ask(&mut tier, *seed, at(0))));
		let last = key(*here.last().unwrap());
		assert!(!tier.has(&key(9)) && tier.has(&last));
		assert!(ask(&mut tier, 9, at(1)), "{copies}");
		assert!(tier.has(&key(9)) && !tier.has(&last));
		assert_eq!(
			(tier.taken(), events(&mut tier)),
			(copies, vec![Event::Lost(last, Loss::Pinned)])
		);
		// Nobody else has a seat beside who is still served.
		assert!(!ask(&mut tier, 4, at(1)));
	}
	// Nor does it wait for who makes room for somebody else.
	let mut tier = tier(Config {
		pinned: Some(key(9)),
		..config(2)
	});
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	assert!(!ask(&mut tier, 3, at(700)));
	assert_eq!(events(&mut tier), [Event::Lost(key(2), Loss::Turn)]);
	assert!(ask(&mut tier, 9, at(701)));
	assert_eq!((events(&mut tier), tier.taken()), (vec![], 2));
}

#[test]
fn who_fails_twice_in_a_row_makes_room_for_who_waits_and_rests() {
	for why in [Failing::Refused, Failing::Dear, Failing::Late, Failing::Wrong] {
		let mut tier = of(2);
		assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
		let outcome = |of: &PublicKey| match *of == key(2) {
			true => Outcome::Failed(why),
			false => Outcome::Served,
		};
		let mut now = at(0);
		while why != Failing::Wrong && !events(&mut tier).contains(&Event::Failed(key(2), why)) {
			now = check(&mut tier, now, outcome).1;
		}
		assert!(
			tier.members().any(|of| of == key(2)),
			"once is not enough, but of a lie"
		);
		while !events(&mut tier).contains(&Event::Failed(key(2), why)) {
			now = check(&mut tier, now, outcome).1;
		}
		// Nobody else wants it.
		assert!(tier.has(&key(2)) && !tier.members().any(|of| of == key(2)));
		assert!(!ask(&mut tier, 3, now));
		assert_eq!(events(&mut tier), [Event::Lost(key(2), Loss::Failed(why))]);
		depart(&mut tier);
		assert!(!ask(&mut tier, 2, now), "it rests");
		assert!(ask(&mut tier, 3, now));
		tier.left(&key(3));
		// It may have what nobody wants, and makes room for whoever comes.
		assert!(ask(&mut tier, 2, now) && !ask(&mut tier, 4, now));
		assert_eq!(events(&mut tier), [Event::Lost(key(2), Loss::Failed(why))]);
		depart(&mut tier);
		assert!(ask(&mut tier, 4, now));
		now += Times::default().rest;
		tier.left(&key(4));
		assert!(
			ask(&mut tier, 2, now) && !ask(&mut tier, 4, now + SECOND),
			"it has rested"
		);
	}
}

/// The fault: a relayer that withholds had its copy for two minutes.
#[test]
fn who_failed_is_checked_again_soon_unless_it_hears_nothing() {
	for hears in [true, false] {
		let mut tier = of(2);
		assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
		let mut now = at(0);
		loop {
			let when = tier.check_at().unwrap().max(now);
			let checked = tier.check(when).unwrap();
			let fails = checked == key(2);
			let outcome = if fails {
				Outcome::Failed(Failing::Late)
			} else {
				Outcome::Served
			};
			tier.checked(outcome, hears, when);
			now = when;
			if events(&mut tier).contains(&Event::Failed(key(2), Failing::Late)) {
				break;
			}
		}
		let soon = tier.seats[&key(2)].check_at <= now + at(105) / AGAIN_SOONER;
		assert_eq!(soon, hears, "one that was killed has its time to come back");
	}
}

#[test]
fn one_that_serves_again_is_forgiven_what_it_failed_once() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	let failures = std::cell::Cell::new(0);
	// Each second time.
	let outcome = |of: &PublicKey| match *of == key(2) {
		true => {
			failures.set(failures.get() + 1);
			match failures.get() % 2 {
				0 => Outcome::Served,
				_ => Outcome::Failed(Failing::Late),
			}
		},
		false => Outcome::Served,
	};
	go_on(&mut tier, at(0), at(500), &[3], outcome);
	assert!(failures.get() > 3 && tier.has(&key(1)));
	let events = events(&mut tier);
	let failed = |event: &Event| matches!(event, Event::Lost(_, Loss::Failed(_)));
	assert!(!events.iter().any(failed), "{events:?}");
}

/// The accident: our own line carries nothing in, or our node says nonsense.
#[test]
fn nothing_is_held_against_anybody_where_all_checks_fail_at_once() {
	for copies in [2, 3] {
		let mut tier = of(copies);
		let here: Vec<u8> = (1..=copies).map(|seed| seed as u8).collect();
		assert!(here.iter().all(|seed| ask(&mut tier, *seed, at(0))));
		let fails = |_: &PublicKey| Outcome::Failed(Failing::Late);
		let now = go_on(&mut tier, at(0), at(400), &[9], fails);
		assert!(here.iter().all(|seed| tier.has(&key(*seed))));
		let so_far = events(&mut tier);
		assert!(so_far.contains(&Event::AllFailed) && so_far.iter().all(|event| *event == Event::AllFailed));
		// Nor afterwards.
		go_on(&mut tier, now, at(180), &[9], |_| Outcome::Served);
		assert_eq!(tier.members().count(), copies);
	}
}

/// The same for a moment, in which some are checked and others not.
#[test]
fn short_outage_of_our_own_costs_nobody_a_seat_whenever_it_is() {
	for (seed, begin) in (0..20).flat_map(|seed| [100, 137, 160].map(|begin| (seed, begin))) {
		let mut tier = Tier::new(config(3), StdRng::seed_from_u64(seed));
		assert!((1..=3).all(|seed| ask(&mut tier, seed, at(0))));
		let mut now = at(0);
		while now < at(500) {
			now = check(&mut tier, now, |_| Outcome::Served).1;
			let outage = at(begin)..at(begin + 150);
			while tier.check_at().is_some_and(|due| outage.contains(&due.max(now))) {
				now = check(&mut tier, now, |_| Outcome::Failed(Failing::Refused)).1;
			}
		}
		assert!(
			!events(&mut tier).iter().any(|event| matches!(event, Event::Failed(..))),
			"{seed}, {begin}"
		);
	}
}

#[test]
fn what_cannot_be_judged_is_held_against_nobody() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	let mut now = at(0);
	for _ in 0..20 {
		// One fails, and then we cannot pay.
		let (first, when) = check(&mut tier, now, |_| Outcome::Failed(Failing::Refused));
		let (other, when) = check(&mut tier, when, |_| Outcome::Void);
		assert_ne!(first, other);
		now = when;
	}
	assert_eq!(events(&mut tier), []);
}

#[test]
fn who_is_alone_is_held_to_what_it_fails_where_it_acknowledges_what_is_sent() {
	let fails = |hears: bool| {
		let mut tier = of(1);
		assert!(ask(&mut tier, 1, at(0)));
		for _ in 0..2 {
			let when = tier.check_at().unwrap();
			assert_eq!(tier.check(when), Some(key(1)));
			tier.checked(Outcome::Failed(Failing::Refused), hears, when);
		}
		assert!(!ask(&mut tier, 2, at(300)));
		!tier.has(&key(1))
	};
	assert!(fails(true));
	assert!(!fails(false), "our line may carry nothing");
}

/// The fault: it was reached over a protocol that our machine does not have, or the like. Where others serve us it is its own.
#[test]
fn what_may_be_our_own_fault_is_held_against_a_relayer_only_where_another_one_serves() {
	let doubtful = |of: &PublicKey| match *of == key(1) {
		true => Outcome::Doubtful(Failing::Refused),
		false => Outcome::Served,
	};
	let mut alone = of(1);
	assert!(ask(&mut alone, 1, at(0)));
	let now = go_on(&mut alone, at(0), at(600), &[2], doubtful);
	assert!(alone.has(&key(1)) && events(&mut alone).is_empty(), "{now:?}");
	let mut two = of(2);
	assert!(ask(&mut two, 1, at(0)) && ask(&mut two, 2, at(0)));
	go_on(&mut two, at(0), at(590), &[3], doubtful);
	assert!(events(&mut two).contains(&Event::Lost(key(1), Loss::Failed(Failing::Refused))));
	assert!(two.has(&key(2)));
}

/// The attack: three bonds, which take all copies and sell to nobody. They hold together, so all checks fail at once; but one seat takes
/// turns, and whoever honest has it shows what they are.
#[test]
fn three_bonds_of_one_person_are_no_cartel() {
	for seed in 0..20 {
		let mut tier = Tier::new(config(3), StdRng::seed_from_u64(seed));
		assert!(CARTEL.iter().all(|seed| ask(&mut tier, *seed, at(0))));
		let outcome = |of: &PublicKey| match CARTEL.iter().any(|seed| *of == key(*seed)) {
			true => Outcome::Failed(Failing::Refused),
			false => Outcome::Served,
		};
		let waiting = [[1, 2, 3], CARTEL].concat();
		let now = go_on(&mut tier, at(0), Times::default().turn + at(360), &waiting, outcome);
		let here: Vec<_> = tier.members().collect();
		assert_eq!(here, [1, 2, 3].map(key), "{seed}, {now:?}");
	}
}

/// The same with as many bonds as they like: the honest ones wait no longer than those before them have their turns.
#[test]
fn many_bonds_in_line_do_not_keep_an_honest_relayer_out_for_ever() {
	let mut tier = of(3);
	let many: Vec<u8> = (101..121).collect();
	many.iter().for_each(|seed| _ = ask(&mut tier, *seed, at(0)));
	let outcome = |of: &PublicKey| match *of == key(1) {
		true => Outcome::Served,
		false => Outcome::Failed(Failing::Refused),
	};
	let waiting = [&many[..], &[1]].concat();
	let turns = u32::try_from(many.len()).unwrap() * (Times::default().turn + at(30));
	let now = go_on(&mut tier, at(0), turns, &waiting, outcome);
	assert!(tier.has(&key(1)));
	go_on(&mut tier, now, turns, &waiting, outcome);
	assert!(
		tier.has(&key(1)),
		"it is not the last one any more, and the others fail"
	);
}

/// The attack: a relayer that sells only to who comes when a check is due. There is no such time.
#[test]
fn checks_come_when_nobody_expects_them() {
	const BIN: u64 = 5;
	let mut tier = of(1);
	assert!(ask(&mut tier, 1, at(0)));
	// The first one comes sooner.
	let begun = check(&mut tier, at(0), |_| Outcome::Served).1;
	assert!(begun <= at(105) / SOONER);
	let (mut bins, mut now, mut all) = (BTreeMap::<u64, u32>::new(), begun, 0);
	while all < 4_000 {
		let (_, when) = check(&mut tier, now, |_| Outcome::Served);
		*bins.entry((when - now).as_secs() / BIN).or_default() += 1;
		(now, all) = (when, all + 1);
	}
	let mean = (now - begun) / all;
	assert!(at(55) < mean && mean < at(65), "a range a minute: {mean:?}");
	// Who serves for the five seconds that are likeliest is caught by most checks.
	let likeliest = bins.values().max().copied().unwrap_or_default();
	assert!(likeliest < all / 12, "{likeliest} of {all}");
	assert!(bins.keys().min() >= Some(&(15 / BIN)) && bins.keys().max() <= Some(&(105 / BIN)));
	// Nor does one seed tell of another.
	let times = |seed| {
		let mut tier = Tier::new(config(1), StdRng::seed_from_u64(seed));
		assert!(ask(&mut tier, 1, at(0)));
		check(&mut tier, at(0), |_| Outcome::Served).1
	};
	assert!(times(1) == times(1) && times(1) != times(2));
}

#[test]
fn one_that_leaves_between_checks_and_comes_again_is_not_forgiven() {
	let mut tier = of(2);
	assert!(ask(&mut tier, 1, at(0)) && ask(&mut tier, 2, at(0)));
	let outcome = |of: &PublicKey| match *of == key(2) {
		true => Outcome::Failed(Failing::Dear),
		false => Outcome::Served,
	};
	let (mut now, mut failed) = (at(0), 0);
	while failed < 2 {
		now = check(&mut tier, now, outcome).1;
		if events(&mut tier).contains(&Event::Failed(key(2), Failing::Dear)) {
			failed += 1;
			tier.left(&key(2));
			assert!(ask(&mut tier, 2, now));
		}
	}
	assert!(!ask(&mut tier, 3, now) && !tier.has(&key(2)));
}

#[derive(Clone, Debug)]
enum Step {
	Ask(u8),
	Left(u8),
	Depart,
	Silent(u8),
	AllSilent(u8, u16),
	Check(Option<Failing>),
	Takes(u64),
	Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
	let who = || 0u8..12;
	let failing = prop_oneof![Just(None), Just(Some(Failing::Refused)), Just(Some(Failing::Late)),];
	prop_oneof![
		6 => who().prop_map(Step::Ask),
		2 => who().prop_map(Step::Left),
		2 => Just(Step::Depart),
		1 => who().prop_map(Step::Silent),
		1 => (who(), 0u16..100).prop_map(|(by, long)| Step::AllSilent(by, long)),
		4 => failing.prop_map(Step::Check),
		1 => (100_000u64..800_000).prop_map(Step::Takes),
		3 => (1u16..700).prop_map(Step::Wait),
	]
}

proptest! {
	/// Whatever happens: no more seats than there are copies, nobody who asks is told one thing and has another, the pinned one has a seat
	/// at once, and a seat is lost for a reason.
	#[test]
	fn copies_are_never_exceeded_and_seats_are_lost_for_a_reason(
		steps in prop::collection::vec(step(), 1..200),
		most in 1usize..5,
		pinned in prop::option::of(0u8..12),
	) {
		let config = Config { uplink: NonZeroU64::new(1_000_000), pinned: pinned.map(key), ..config(most) };
		let mut tier = tier(config);
		let mut now = at(0);
		let mut here: BTreeSet<PublicKey> = BTreeSet::new();
		for step in steps {
			match step {
				Step::Ask(seed) | Step::Silent(seed) | Step::AllSilent(seed, _) => {
					let has = tier.ask(key(seed), now, |of| match step {
						Step::Silent(seed) if *of == key((seed + 1) % 12) => SILENT,
						Step::AllSilent(_, long) => at(long.into()),
						_ => Duration::ZERO,
					});
					prop_assert_eq!(has, tier.has(&key(seed)));
					if has {
						here.insert(key(seed));
					}
				},
				Step::Left(seed) => {
					tier.left(&key(seed));
					here.remove(&key(seed));
				},
				Step::Depart => depart(&mut tier),
				Step::Check(failing) => {
					if let Some(of) = tier.check(now) {
						prop_assert!(tier.has(&of));
						tier.checked(failing.map_or(Outcome::Served, Outcome::Failed), true, now);
					}
				},
				Step::Takes(rate) => tier.takes(rate),
				Step::Wait(seconds) => {
					now += at(seconds.into());
					tier.tick(now);
				},
			}
			while let Some(event) = tier.poll_event() {
				if let Event::Lost(of, why) = event {
					prop_assert!(here.remove(&of), "who had none lost one");
					prop_assert!(Some(of) != pinned.map(key) || matches!(why, Loss::Silent), "{:?}", why);
				}
			}
			prop_assert!(tier.taken() <= tier.copies() && (1..=most).contains(&tier.copies()));
			prop_assert!(here.iter().all(|of| tier.has(of)) && here.len() == tier.taken());
			prop_assert!(tier.line.len() <= MOST_WAITING && tier.leaving.len() <= 12);
			prop_assert!(tier.line.iter().all(|waiting| !tier.has(&waiting.key)));
		}
		if let Some(pinned) = pinned {
			prop_assert!(ask(&mut tier, pinned, now));
		}
	}
}
