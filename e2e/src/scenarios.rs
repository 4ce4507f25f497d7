//! Scenarios of the network lab, a file for each, and the program that runs them.

mod earnings;
mod hops;
mod sharing;
mod sixteen;
mod two_relayers;
mod two_tiers;

use crate::{
	lab::Lab,
	network::Network,
	scenario::{run, ways, Aim, Report, Scenario, Way},
};
use anyhow::{Context, Result};
use clap::Parser;
use clustercast_lab::{control::Tries, star::Star};
use serde::Serialize;
use std::{fs, path::PathBuf, time::Duration};
use tokio::runtime::Runtime;

/// Exit code of a run that was not, or that did not show what it is to show.
const FAILED: u8 = 1;

/// With more relayers the ways are not measured one by one: their lines are alike, and each way takes 12 s.
const MOST_WAYS: usize = 3;

/// Exit code where no run counted.
const NOT_MEASURED: u8 = 3;

/// All there are, with what is drawn by the seed.
pub fn all(seed: u64) -> Vec<Scenario> {
	vec![
		two_tiers::windows(seed),
		two_tiers::parts(seed),
		two_relayers::scenario(),
		two_relayers::clean(),
		sixteen::scenario(),
		hops::windows(),
		hops::more_windows(),
		hops::parts(),
		hops::long_parts(),
		earnings::two(),
		earnings::one(),
		sharing::short(),
		sharing::long(),
		sharing::short_untold(),
		sharing::long_untold(),
	]
}

/// The real programs on lines with delay, loss and queues, at nodes of this machine; what viewers had of it. A run in which the
/// machine itself was late is void and is done again, three times at most. Needs the right to make network namespaces.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Options {
	/// Which, or `list`.
	scenario: String,

	/// Of losses and of what a scenario draws: the same packets of each line are lost in every run with it.
	#[arg(long, default_value_t = 1)]
	seed: u64,

	/// So many runs, each with the next seed: the worst of them counts.
	#[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
	seeds: u64,

	/// Writes the figures to this file, as JSON.
	#[arg(long, value_name = "FILE")]
	json: Option<PathBuf>,

	/// Keeps what the programs logged and wrote, and says where.
	#[arg(long)]
	keep: bool,

	/// Watches for so many seconds only, and once, however late the machine is: for whoever looks for a fault. Nothing of it counts.
	#[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
	look: Option<u64>,
}

/// What is written.
#[derive(Serialize)]
struct Outcome {
	/// Of what the scenario draws, too.
	seed: u64,
	/// `None`: not measured.
	report: Option<Report>,
	/// What TCP gets out of the same ways.
	ways: Vec<Way>,
	/// Why runs do not count that do not.
	voids: Vec<String>,
}

/// Runs one; the process's exit code.
pub fn main() -> u8 {
	let options = Options::parse();
	if options.scenario == "list" {
		for scenario in all(options.seed) {
			println!("{:<20}{}", scenario.name, scenario.says);
		}
		return 0;
	}
	measure(&options).unwrap_or_else(|error| {
		eprintln!("clustercast-lab: {}", format!("{error:#}").replace('\n', " "));
		FAILED
	})
}

fn measure(options: &Options) -> Result<u8> {
	// Before a chain is started for it.
	drop(Star::build(options.seed, &[])?);
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()?;
	let mut outcomes = Vec::new();
	for seed in (options.seed..).take(usize::try_from(options.seeds)?) {
		let scenario = all(seed).into_iter().find(|scenario| scenario.name == options.scenario);
		let mut scenario = scenario.with_context(|| format!("there is no {:?}: try `list`", options.scenario))?;
		if let Some(seconds) = options.look {
			scenario.shorten(Duration::from_secs(seconds));
		}
		outcomes.push(outcome(&scenario, seed, options, &runtime)?);
		// What is measured is kept, whatever becomes of the rest.
		if let Some(path) = &options.json {
			let json = serde_json::to_string_pretty(&outcomes)?;
			fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
		}
	}
	let reports: Vec<&Report> = outcomes.iter().filter_map(|outcome| outcome.report.as_ref()).collect();
	if let [first, _, ..] = reports[..] {
		println!("worst of {} runs", reports.len());
		for aim in worst(first.aims.len(), &reports) {
			println!("{:<12}{aim}", "aim");
		}
	}
	Ok(match reports.len() == outcomes.len() {
		false => NOT_MEASURED,
		true if reports.iter().flat_map(|report| &report.aims).all(|aim| aim.met) => 0,
		true => FAILED,
	})
}

/// Of each aim the run that is furthest from it: all but the last of them are upper bounds.
fn worst(aims: usize, reports: &[&Report]) -> Vec<Aim> {
	let of = |number: usize| {
		let all = reports.iter().filter_map(|report| report.aims.get(number));
		let rank = |aim: &&Aim| (!aim.met, aim.had.map_or(u64::MAX, |had| (had.max(0.0) * 1e3) as u64));
		all.max_by_key(rank).cloned()
	};
	(0..aims).filter_map(of).collect()
}

/// Runs one until a run counts, and prints it.
fn outcome(scenario: &Scenario, seed: u64, options: &Options, runtime: &Runtime) -> Result<Outcome> {
	let mut tries = Tries::default();
	let report = loop {
		let report = runtime.block_on(once(scenario, seed, options))?;
		let void = report.void();
		if tries.counts(void.clone()) {
			break Some(report);
		}
		print!("{report}");
		println!("{:<12}{}", "void", void.unwrap_or_default());
		if tries.are_over() || options.look.is_some() {
			break None;
		}
	};
	let ways = match report {
		Some(_) if scenario.relayers.len() <= MOST_WAYS && options.look.is_none() => ways(scenario, seed)?,
		_ => Vec::new(),
	};
	let outcome = Outcome {
		seed,
		report,
		ways,
		voids: tries.voids,
	};
	match &outcome.report {
		Some(report) => {
			print!("{report}");
			for way in &outcome.ways {
				println!("{:<12}{way}", "way");
			}
			println!("{:<12}{} runs before this one", "void", outcome.voids.len());
		},
		None => println!("seed {seed}: not measured: {} runs were void", outcome.voids.len()),
	}
	Ok(outcome)
}

async fn once(scenario: &Scenario, seed: u64, options: &Options) -> Result<Report> {
	let lab = Lab::new(scenario.name)?;
	let report = run(&lab, Network::start(&lab, None).await?, scenario, seed).await?;
	match options.keep {
		true => println!("kept: {}", lab.keep().display()),
		false => lab.passed(),
	}
	Ok(report)
}
