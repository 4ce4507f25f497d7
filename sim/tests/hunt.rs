//! The short hunt of each build: seeds of both kinds break no rule, each seeded bug is found, and a seed makes the same run each time.
//! `scripts/sim` hunts longer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_sim::{
	bugs::Bug,
	calendar::{Micros, SECOND},
	desk::WINDOW,
	plan::{Kind, Plan},
	scenario::{fail_over, Scenario},
	world::{Outcome, World},
};

/// Seeds of the short hunt: a few seconds.
const SEEDS: u64 = 10;

/// Each bug is found within so many.
const SEEDS_OF_A_BUG: u64 = 40;

fn play(seed: u64, kind: Kind, bug: Option<Bug>) -> Outcome {
	World::new(Plan::new(seed, kind), seed, bug).run()
}

/// How long viewers took, since nothing went wrong any more, until they played what is new.
fn holds(kind: Kind) -> Vec<Micros> {
	let mut recovered = Vec::new();
	for seed in 0..SEEDS {
		let outcome = play(seed, kind, None);
		assert_eq!(outcome.violation, None, "seed {seed}: {:#?}", outcome.trace);
		assert!(outcome.made > 10, "the origin works");
		recovered.extend(outcome.recovered);
	}
	recovered
}

#[test]
fn whatever_goes_wrong_no_rule_is_broken() {
	assert!(holds(Kind::Safety).is_empty(), "it goes wrong to the end");
}

/// And nearly all do so within two windows. Those who do not were cut off themselves, and called others meanwhile who rest since, or met
/// relayers that announce and send nothing.
#[test]
fn once_nothing_goes_wrong_everybody_plays() {
	let recovered = holds(Kind::Liveness);
	let within = recovered.iter().filter(|took| **took <= 2 * WINDOW).count();
	assert!(100 * within >= 95 * recovered.len(), "{within} of {}", recovered.len());
}

/// The attack: six in ten played again within two windows of it, the others after 5 to 39 s.
#[test]
fn where_two_in_five_relayers_are_killed_at_once_hardly_anybody_sees_it() {
	for seed in 1..4 {
		let outcome = play(seed, Kind::Drill, None);
		assert_eq!(outcome.violation, None, "seed {seed}: {:#?}", outcome.slowest);
		assert!(outcome.recovered.len() >= 99);
	}
}

#[test]
fn without_a_failure_nobody_changes_its_relayer() {
	let plan = Plan::crowd(50, 25, 600 * SECOND);
	let outcome = World::new(plan, 1, None).run();
	let hours = 50.0 * 600.0 / 3_600.0;
	assert!((outcome.reparents as f64) < hours, "{}", outcome.reparents);
	assert_eq!(outcome.viewers.iter().map(|figures| figures.stalls).sum::<u64>(), 0);
}

/// As the network lab plays it: lines of 10 and 20 Mb/s, 20 to 60 ms, a stream of 1.5 Mb/s.
#[test]
fn of_sixteen_peers_those_whose_relayer_is_killed_play_on_within_a_window() {
	let outcome = World::new(Scenario::Sixteen.plan(), 1, None).run();
	assert_eq!(outcome.violation, None, "{:#?}", outcome.trace);
	assert_eq!(outcome.viewers.len(), 11);
	assert!(
		outcome.killed.len() >= 6,
		"three relayers of viewers: {}",
		outcome.killed.len()
	);
	for (figures, at) in &outcome.killed {
		let took = fail_over(figures, *at).expect("it plays on");
		assert!(took < WINDOW, "{took} us behind the kill at {at} us");
	}
}

#[test]
fn same_seed_makes_the_same_run() {
	for kind in Kind::HUNTED {
		let [one, other] = [0, 1].map(|_| play(7, kind, None));
		assert_eq!((one.events, one.sent, one.paid), (other.events, other.sent, other.paid));
		assert_ne!(one.events, play(8, kind, None).events);
	}
}

/// What the runs are made of: liars are met, viewers pay, windows are passed over, some change relayers.
#[test]
fn runs_reach_what_they_are_made_for() {
	let runs: Vec<Outcome> = (0..SEEDS).map(|seed| play(seed, Kind::Safety, None)).collect();
	let some = |what: fn(&Outcome) -> bool| runs.iter().filter(|run| what(run)).count();
	assert!(some(|run| run.paid > 1_000) > 5);
	assert!(some(|run| run.calls > 2 * run.viewers.len() as u64) > 5);
	assert!(some(|run| run.viewers.iter().any(|figures| figures.missed > 0)) > 2);
	assert!(some(|run| run.caught > 0) > 1);
}

/// Where those were found last that take more than a few seeds: tried first, so that the test is quick as long as they still are.
const FOUND: [(Bug, u64, Kind); 6] = [
	(Bug::LoseWinners, 16, Kind::Safety),
	(Bug::NoPatience, 215, Kind::Liveness),
	(Bug::NoBell, 21, Kind::Liveness),
	(Bug::NoReturn, 38, Kind::Liveness),
	(Bug::StayWithParent, 1, Kind::Drill),
	(Bug::DeafToTime, 1, Kind::Drill),
];

#[test]
fn each_bug_is_found() {
	for bug in Bug::all() {
		let before = FOUND
			.iter()
			.filter(|(found, ..)| found == bug)
			.map(|(_, seed, kind)| (*seed, *kind));
		let seeds = (0..SEEDS_OF_A_BUG).flat_map(|seed| [(seed, Kind::Safety), (seed, Kind::Liveness)]);
		let found = before.chain(seeds).any(|(seed, kind)| {
			let violation = play(seed, kind, Some(*bug)).violation;
			violation.is_some_and(|violation| bug.breaks().contains(&violation.rule))
		});
		assert!(found, "{} is not found", bug.name());
	}
}
