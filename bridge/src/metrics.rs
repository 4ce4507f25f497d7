//! What the agent counts, by the names that Prometheus sees. Without an endpoint counting costs nothing.

use metrics::{describe_counter, describe_gauge};
use std::net::SocketAddr;

pub(crate) const IMPORTED: &str = "clustercast_bridge_deposits_submitted_total";
pub(crate) const EXECUTED: &str = "clustercast_bridge_withdrawals_executed_total";
pub(crate) const WAITING: &str = "clustercast_bridge_withdrawals_waiting";
pub(crate) const FAILURES: &str = "clustercast_bridge_failures_total";
pub(crate) const ETHER: &str = "clustercast_bridge_ether";
pub(crate) const SIGNED_BLOCK: &str = "clustercast_bridge_signed_block";

/// Serves `http://ADDR/metrics`. Once in a program.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
	clustercast_cli::metrics::serve(address).await?;
	describe_counter!(IMPORTED, "Deposits submitted to the chain");
	describe_counter!(EXECUTED, "Withdrawals executed on the L2");
	describe_gauge!(WAITING, "Withdrawals that are chosen and not executed yet");
	describe_counter!(FAILURES, "Steps that failed and are tried again, by loop");
	describe_gauge!(ETHER, "Ether that the agent has left for gas on the L2");
	describe_gauge!(SIGNED_BLOCK, "Newest block that BEEFY signed");
	for name in [IMPORTED, EXECUTED] {
		metrics::counter!(name).absolute(0);
	}
	Ok(())
}
