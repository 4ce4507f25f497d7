//! Runs the real programs, on loopback, and looks at what they did.
//!
//! | module | holds |
//! | --- | --- |
//! | [`lab`] | where a run keeps its files and logs; a run that failed on a machine that was late is void, and done again |
//! | [`gauge`] | how late the machine is |
//! | [`process`] | programs: found, started, stopped, never left behind |
//! | [`books`] | the chain's money, read from finalised blocks |
//! | [`bridge`] | the L2, and the agent between it and the chain |
//! | [`media`] | what was broadcast against what arrived |
//! | [`http`] | what HTTP servers answer |
//! | [`network`] | four validators, and people with money; one that several tests share |
//! | [`programs`] | origin, relayer and player, as a person starts them |
//! | [`scene`] | all of these together |
//! | [`scenario`] | the same on the network lab (`e2e/lab`): lines with delay, loss and queues; what viewers had of it |
//! | [`scenarios`] | what `scripts/lab` runs |
//! | [`pusher`] | a publisher over RTMP, with every fault that is asked for |
//! | [`record`] | what of it was broadcast: windows without a seam, what is seen and heard when |
//! | [`byzantine`] | relayers that cheat |
//! | [`demo`] | what `scripts/demo` runs |
//! | [`crossing`] | what `scripts/bench bridge-latency` runs |
//! | [`throughput`] | what `scripts/bench redeem-throughput` runs |
//!
//! The tests in `tests/` start from a [`scene::Scene`]; each says in its first lines what it shows.

pub mod books;
pub mod bridge;
pub mod byzantine;
pub mod crossing;
pub mod demo;
pub mod gauge;
pub mod http;
pub mod lab;
pub mod media;
pub mod network;
pub mod process;
pub mod programs;
pub mod pusher;
pub mod record;
pub mod scenario;
pub mod scenarios;
pub mod scene;
pub mod switch;
pub mod throughput;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Runs a benchmark in a lab of its own, prints its figures as one JSON line, and returns the exit code.
fn bench<F: Serialize>(name: &str, run: impl AsyncFnOnce(&lab::Lab) -> Result<F>) -> u8 {
	let figures = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()
		.context("no threads")
		.and_then(|runtime| {
			let lab = lab::Lab::new(name)?;
			let figures = runtime.block_on(run(&lab))?;
			lab.passed();
			Ok(serde_json::to_string(&figures)?)
		});
	match figures {
		Ok(figures) => {
			println!("{figures}");
			0
		},
		Err(error) => {
			eprintln!("{name}: {}", format!("{error:#}").replace('\n', " "));
			1
		},
	}
}
