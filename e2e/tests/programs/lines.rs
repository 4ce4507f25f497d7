//! The programs over lines with delay, loss and queues, each at a node of the network lab. That they play; how well is what `scripts/lab`
//! measures, on a machine that does nothing else.

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	lab::Lab,
	network::Network,
	scenario::{run, Outage, Scenario},
	scenarios,
};
use clustercast_lab::star::Star;
use std::time::Duration;

#[test]
fn broadcast_over_home_lines_plays_on_when_a_relayer_is_killed() {
	// Without the right to it nothing is started.
	if Star::build_or_skip(1, &[]).expect("a star without nodes").is_none() {
		return;
	}
	Lab::run(async |lab| -> Result<()> {
		let scenario = scenarios::all(1)
			.into_iter()
			.find(|scenario| scenario.name == "two-relayers-clean");
		let scenario = scenario.context("it is there")?;
		// Its first outage, sooner.
		let outage = Outage {
			at: Duration::from_secs(6),
			..*scenario.outages.first().context("it has outages")?
		};
		let scenario = Scenario {
			outages: vec![outage],
			length: outage.at + Duration::from_secs(13),
			..scenario
		};
		let report = run(lab, Network::shared(lab).await?, &scenario, 1).await?;
		ensure!(report.foreign == 0, "{report}");
		for viewer in &report.viewers {
			ensure!(viewer.windows >= 4, "{report}");
			ensure!(viewer.summary["rejectedBytes"] == 0, "{report}");
		}
		let failover = report.viewers[0]
			.failover_ms
			.first()
			.context("its relayer was killed")?;
		ensure!(failover.is_some(), "nothing came any more: {report}");
		// Each relayer has the stream once; the start of a connection overruns a queue of 100 ms and is sent again, which in 20 s is as much
		// once more (docs/benchmarks.md).
		ensure!((1.5..5.0).contains(&report.origin_copies), "{report}");
		Ok(())
	});
}
