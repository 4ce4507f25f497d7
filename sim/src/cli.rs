//! What the command line can do: run a seed, hunt through seeds, show that seeded bugs are found, and print figures of crowds.

use clap::{Parser, Subcommand};
use clustercast_sim::{
	actors::Figures,
	bugs::Bug,
	calendar::{Micros, SECOND},
	plan::{Kind, Plan},
	scenario::{fail_over, Scenario},
	world::{Outcome, World},
};
use std::{process::ExitCode, time::Instant};

/// A bug is looked for in so many drills.
const DRILLS: u64 = 2;

/// Simulates the network from a seed: the real protocol, faults, liars, invariants at each event.
#[derive(Debug, Parser)]
#[command(name = "clustercast-sim", version)]
pub struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
	/// Runs one seed and says what came of it.
	Run {
		/// The number that makes the run.
		#[arg(long)]
		seed: u64,
		/// What is to be shown.
		#[arg(long, value_enum, default_value = "safety")]
		kind: Kind,
		/// Prints what happened, since the last fault, to the viewer that took longest to play again.
		#[arg(long)]
		slowest: bool,
		/// A bug that honest nodes are given.
		#[arg(long, value_enum)]
		bug: Option<Bug>,
	},
	/// Runs many seeds of both kinds and prints those that fail.
	Hunt {
		/// From the first to before the last: 0..1000.
		#[arg(long, value_parser = range)]
		seeds: (u64, u64),
	},
	/// Gives honest nodes one bug after the other, and says at which seed it is found.
	Bugs {
		/// Seeds that are tried for each.
		#[arg(long, default_value_t = 200)]
		seeds: u64,
	},
	/// Kills two in five relayers of a crowd at once, and prints how soon everybody plays again.
	Drill {
		/// Viewers, one run for each number.
		#[arg(long, value_delimiter = ',', default_value = "100")]
		viewers: Vec<usize>,
		/// Viewers for each relayer.
		#[arg(long, default_value_t = 20)]
		per_relayer: usize,
		/// Seeds, one run for each.
		#[arg(long, default_value_t = 1)]
		seeds: u64,
		/// Prints what happened to the viewer that took longest.
		#[arg(long)]
		slowest: bool,
		/// A bug that honest nodes are given.
		#[arg(long, value_enum)]
		bug: Option<Bug>,
	},
	/// Plays a scenario of the network lab without losses, and prints what the lab prints.
	Scenario {
		/// Which.
		#[arg(value_enum)]
		scenario: Scenario,
		/// The number that makes the run.
		#[arg(long, default_value_t = 1)]
		seed: u64,
	},
	/// Prints figures of crowds of viewers without faults.
	Crowd {
		/// Viewers, one run for each number.
		#[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000,100000")]
		viewers: Vec<usize>,
		/// Simulated seconds.
		#[arg(long, default_value_t = 60)]
		seconds: u64,
		/// Viewers for each relayer.
		#[arg(long, default_value_t = 100)]
		per_relayer: usize,
		/// Nobody pays, to see what payment costs.
		#[arg(long)]
		free: bool,
		/// Bytes of a window: one chunk, where it is not said. Of larger ones each viewer holds what came of the one that comes.
		#[arg(long, default_value_t = 16 << 10)]
		bytes: usize,
	},
}

fn range(text: &str) -> Result<(u64, u64), String> {
	let parse = |part: &str| part.parse().map_err(|_| format!("not a number: {part}"));
	let (from, to) = text.split_once("..").ok_or("write it as 0..1000")?;
	Ok((parse(from)?, parse(to)?))
}

impl Cli {
	/// Does it.
	pub fn run(self) -> ExitCode {
		let good = match self.command {
			Command::Run {
				seed,
				kind,
				slowest,
				bug,
			} => run(seed, kind, slowest, bug),
			Command::Hunt { seeds: (from, to) } => hunt(from, to),
			Command::Bugs { seeds } => bugs(seeds),
			Command::Crowd {
				viewers,
				seconds,
				per_relayer,
				free,
				bytes,
			} => {
				crowds(&viewers, seconds * SECOND, per_relayer, free, bytes);
				true
			},
			Command::Scenario { scenario, seed } => play_scenario(scenario, seed),
			Command::Drill {
				viewers,
				per_relayer,
				seeds,
				slowest,
				bug,
			} => {
				let mut good = true;
				for count in viewers {
					for seed in 1..=seeds {
						good &= drill(count, per_relayer, seed, slowest, bug);
					}
				}
				good
			},
		};
		match good {
			true => ExitCode::SUCCESS,
			false => ExitCode::FAILURE,
		}
	}
}

fn play(seed: u64, kind: Kind, bug: Option<Bug>) -> Outcome {
	World::new(Plan::new(seed, kind), seed, bug).run()
}

fn show(seed: u64, kind: Kind, outcome: &Outcome) {
	if let Some(violation) = &outcome.violation {
		let name = format!("{kind:?}").to_lowercase();
		println!(
			"seed {seed} ({name}): {:?} at {:.6} s by node {}: {}",
			violation.rule,
			seconds(violation.at),
			violation.node.0,
			violation.what
		);
	}
}

fn run(seed: u64, kind: Kind, slowest: bool, bug: Option<Bug>) -> bool {
	let begun = Instant::now();
	let outcome = play(seed, kind, bug);
	if slowest {
		outcome.slowest.iter().for_each(|line| println!("{line}"));
	}
	outcome.trace.iter().for_each(|line| println!("{line}"));
	show(seed, kind, &outcome);
	let took = begun.elapsed().as_secs_f64();
	println!(
		"{:.1} simulated seconds in {took:.2} s, {} events, {} windows made, {} viewers, {} calls, {} liars caught, {} micro-USDC paid",
		seconds(outcome.lasted),
		outcome.events,
		outcome.made,
		outcome.viewers.len(),
		outcome.calls,
		outcome.caught,
		outcome.paid
	);
	outcome.violation.is_none()
}

fn hunt(from: u64, to: u64) -> bool {
	let begun = Instant::now();
	let (mut failed, mut events, mut recovered) = (Vec::new(), 0, Vec::new());
	for seed in from..to {
		for kind in Kind::HUNTED {
			let outcome = play(seed, kind, None);
			events += outcome.events;
			recovered.extend(&outcome.recovered);
			show(seed, kind, &outcome);
			if outcome.violation.is_some() {
				failed.push(seed);
			}
		}
	}
	recovered.sort_unstable();
	let within = within(&recovered);
	println!(
		"seeds {from}..{to}: {} runs, {} failed, {events} events, {:.0} s; viewers play what is new {:.1} s (p50), {:.1} s (p95), {:.1} s (most) after \
		the last fault, {within} of {} within two windows",
		2 * (to - from),
		failed.len(),
		begun.elapsed().as_secs_f64(),
		seconds(part(&recovered, 50)),
		seconds(part(&recovered, 95)),
		seconds(part(&recovered, 100)),
		recovered.len()
	);
	failed.is_empty()
}

fn bugs(seeds: u64) -> bool {
	let mut all = true;
	for bug in Bug::all() {
		let found = (0..seeds).find_map(|seed| {
			let drill = (seed < DRILLS).then_some(Kind::Drill);
			Kind::HUNTED.into_iter().chain(drill).find_map(|kind| {
				let violation = play(seed, kind, Some(*bug)).violation;
				let violation = violation.filter(|violation| bug.breaks().contains(&violation.rule));
				violation.map(|violation| (seed, kind, violation))
			})
		});
		match found {
			Some((seed, kind, violation)) => {
				println!(
					"{:<18} seed {seed} ({kind:?}): {:?}: {}",
					bug.name(),
					violation.rule,
					violation.what
				);
			},
			None => {
				all = false;
				println!("{:<18} not found in {seeds} seeds", bug.name());
			},
		}
	}
	all
}

/// Who plays what is new within two windows.
fn within(recovered: &[Micros]) -> usize {
	recovered.iter().filter(|took| **took <= 4 * SECOND).count()
}

fn drill(count: usize, per_relayer: usize, seed: u64, slowest: bool, bug: Option<Bug>) -> bool {
	let outcome = World::new(Plan::drill(count, per_relayer, seed), seed, bug).run();
	if slowest {
		outcome.slowest.iter().for_each(|line| println!("{line}"));
	}
	if let Some(violation) = &outcome.violation {
		outcome.trace.iter().for_each(|line| println!("{line}"));
		println!("node {}: {}", violation.node.0, violation.what);
	}
	let mut recovered = outcome.recovered.clone();
	recovered.sort_unstable();
	let sum = |of: fn(&Figures) -> u64| outcome.viewers.iter().map(of).sum::<u64>();
	println!(
		"{count} viewers, seed {seed}: {:.1} % play what is new within two windows of the kill; {:.1} s (p50), {:.1} s (p95), {:.1} s (most), {} never; {} windows \
		came too late or not at all; {:.2} calls a viewer",
		percent(within(&recovered) as u64, count as u64),
		seconds(part(&recovered, 50)),
		seconds(part(&recovered, 95)),
		seconds(part(&recovered, 100)),
		count - recovered.len(),
		sum(|f| f.late + f.missed),
		outcome.calls as f64 / count as f64,
	);
	outcome.violation.is_none()
}

fn play_scenario(scenario: Scenario, seed: u64) -> bool {
	let plan = scenario.plan();
	let bytes = plan.bytes.unwrap_or(0) as u64;
	let outcome = World::new(plan, seed, None).run();
	show(seed, Kind::Safety, &outcome);
	let sorted = |times: Vec<Micros>| {
		let mut times = times;
		times.sort_unstable();
		times
	};
	let viewers = &outcome.viewers;
	let startup = sorted(viewers.iter().filter_map(|figures| figures.startup).collect());
	let played = || viewers.iter().flat_map(|figures| figures.played.iter().flatten());
	let delays = sorted(played().map(|played| played.came - played.captured).collect());
	let fail_over = outcome
		.killed
		.iter()
		.filter_map(|(figures, at)| fail_over(figures, *at));
	let fail_over = sorted(fail_over.collect());
	let sum = |of: fn(&Figures) -> u64| viewers.iter().map(of).sum::<u64>();
	println!(
		"startup {:.2} s (p50), {:.2} s (p95); delay from capture {:.2} s (p50), {:.2} s (p95); {} of {} windows too late, {} missing; fail-over {:.0} ms (p50), \
		{:.0} ms (p95), {:.0} ms (most) of {}; origin {:.2} of the stream",
		seconds(part(&startup, 50)),
		seconds(part(&startup, 95)),
		seconds(part(&delays, 50)),
		seconds(part(&delays, 95)),
		sum(|f| f.late),
		sum(|f| f.windows + f.missed),
		sum(|f| f.missed),
		1e3 * seconds(part(&fail_over, 50)),
		1e3 * seconds(part(&fail_over, 95)),
		1e3 * seconds(part(&fail_over, 100)),
		outcome.killed.len(),
		outcome.sent[0] as f64 / (outcome.made * bytes) as f64,
	);
	outcome.violation.is_none()
}

fn crowds(viewers: &[usize], end: Micros, per_relayer: usize, free: bool, bytes: usize) {
	println!(
		"viewers  relayers  startup p50  p95 s  stalls  late %  missed %  origin copies  from peers %  re-parents/viewer-hour  paid by a viewer  to a relayer  events/CPU s  x real time  KiB/viewer"
	);
	for count in viewers {
		let before = memory();
		let begun = processor();
		let mut plan = Plan::crowd(*count, per_relayer, end);
		plan.bytes = Some(bytes);
		if free {
			plan.give_away();
		}
		let relayers = plan.nodes.len() - 1 - count;
		let outcome = World::new(plan, 1, None).run();
		let (took, held) = (processor() - begun, most_memory().saturating_sub(before));
		let mut startup: Vec<Micros> = outcome.viewers.iter().filter_map(|figures| figures.startup).collect();
		startup.sort_unstable();
		let sum = |of: fn(&Figures) -> u64| outcome.viewers.iter().map(of).sum::<u64>();
		let (windows, late, missed) = (sum(|f| f.windows), sum(|f| f.late), sum(|f| f.missed));
		let stream = outcome.made * bytes as u64;
		let hours = seconds(outcome.lasted) * *count as f64 / 3_600.0;
		let spent: u128 = outcome.spent.iter().sum();
		println!(
			"{count:>7}  {relayers:>8}  {:>11.3}  {:>5.3}  {:>6}  {:>6.2}  {:>8.2}  {:>13.2}  {:>12.1}  {:>22.2}  {:>16.0}  {:>12.0}  {:>12.0}  {:>11.2}  {:>10.1}",
			seconds(part(&startup, 50)),
			seconds(part(&startup, 95)),
			sum(|f| f.stalls),
			percent(late, windows),
			percent(missed, windows + missed),
			outcome.sent[0] as f64 / stream as f64,
			percent(outcome.chunks[1], outcome.chunks.iter().sum()),
			outcome.reparents as f64 / hours,
			spent as f64 / *count as f64,
			outcome.paid as f64 / relayers as f64,
			outcome.events as f64 / took,
			seconds(outcome.lasted) / took,
			held as f64 / *count as f64
		);
	}
}

fn seconds(time: Micros) -> f64 {
	time as f64 / SECOND as f64
}

fn percent(part: u64, of: u64) -> f64 {
	100.0 * part as f64 / of.max(1) as f64
}

/// The value below which this part lies, of 100.
fn part(sorted: &[Micros], percent: usize) -> Micros {
	let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
	sorted.get(at).copied().unwrap_or(0)
}

/// Seconds of processor time so far.
fn processor() -> f64 {
	let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
	// Behind the name, which may have blanks: user and system time, in hundredths.
	let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
	let ticks = |at: usize| {
		fields
			.get(at)
			.and_then(|field| field.parse::<f64>().ok())
			.unwrap_or(0.0)
	};
	(ticks(11) + ticks(12)) / 100.0
}

/// What the process holds, and held at most, KiB.
fn memory() -> u64 {
	status("VmRSS:")
}

fn most_memory() -> u64 {
	status("VmHWM:")
}

fn status(name: &str) -> u64 {
	let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
	let line = status.lines().find_map(|line| line.strip_prefix(name));
	line.and_then(|line| line.split_whitespace().next()?.parse().ok())
		.unwrap_or(0)
}
