//! Scenarios of the network lab, a file for each, and the program that runs them.

mod hops;
mod two_relayers;

use crate::{
	lab::Lab,
	network::Network,
	scenario::{run, ways, Report, Scenario, Way},
};
use anyhow::{Context, Result};
use clap::Parser;
use clustercast_lab::{control::Tries, star::Star};
use serde::Serialize;
use std::{fs, path::PathBuf};

/// Exit code of a run that was not, or that had windows that nobody broadcast.
const FAILED: u8 = 1;

/// Exit code where no run counted.
const NOT_MEASURED: u8 = 3;

/// All there are.
pub fn all() -> Vec<Scenario> {
	vec![
		two_relayers::scenario(),
		two_relayers::clean(),
		hops::windows(),
		hops::parts(),
		hops::long_parts(),
	]
}

/// The real programs on lines with delay, loss and queues, at nodes of this machine; what viewers had of it. A run in which the
/// machine itself was late is void and is done again, three times at most. Needs the right to make network namespaces.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Options {
	/// Which, or `list`.
	scenario: String,

	/// Of losses and delays: the same packets of each line are lost in every run with it.
	#[arg(long, default_value_t = 1)]
	seed: u64,

	/// Writes the figures to this file, as JSON.
	#[arg(long, value_name = "FILE")]
	json: Option<PathBuf>,

	/// Keeps what the programs logged and wrote, and says where.
	#[arg(long)]
	keep: bool,
}

/// What is written.
#[derive(Serialize)]
struct Outcome {
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
		for scenario in all() {
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
	let scenario = all().into_iter().find(|scenario| scenario.name == options.scenario);
	let scenario = scenario.with_context(|| format!("there is no {:?}: try `list`", options.scenario))?;
	// Before a chain is started for it.
	drop(Star::build(options.seed, &[])?);
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()?;
	let mut tries = Tries::default();
	let report = loop {
		let report = runtime.block_on(once(&scenario, options))?;
		let void = report.void();
		if tries.counts(void.clone()) {
			break Some(report);
		}
		print!("{report}");
		println!("{:<12}{}", "void", void.unwrap_or_default());
		if tries.are_over() {
			break None;
		}
	};
	let ways = match report {
		Some(_) => ways(&scenario, options.seed)?,
		None => Vec::new(),
	};
	let outcome = Outcome {
		report,
		ways,
		voids: tries.voids,
	};
	if let Some(path) = &options.json {
		let json = serde_json::to_string_pretty(&outcome)?;
		fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
	}
	Ok(match outcome.report {
		Some(report) => {
			print!("{report}");
			for way in &outcome.ways {
				println!("{:<12}{way}", "way");
			}
			println!("{:<12}{} runs before this one", "void", outcome.voids.len());
			if report.foreign == 0 {
				0
			} else {
				FAILED
			}
		},
		None => {
			println!("not measured: {} runs were void", outcome.voids.len());
			NOT_MEASURED
		},
	})
}

async fn once(scenario: &Scenario, options: &Options) -> Result<Report> {
	let lab = Lab::new(scenario.name)?;
	let report = run(&lab, Network::start(&lab, None).await?, scenario, options.seed).await?;
	match options.keep {
		true => println!("kept: {}", lab.keep().display()),
		false => lab.passed(),
	}
	Ok(report)
}
