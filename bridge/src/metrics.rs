//! What the agent counts, by the names that Prometheus sees. Without an endpoint counting costs nothing.

use anyhow::Context;
use metrics::{describe_counter, describe_gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::SocketAddr;

pub(crate) const IMPORTED: &str = "clustercast_bridge_deposits_submitted_total";
pub(crate) const EXECUTED: &str = "clustercast_bridge_withdrawals_executed_total";
pub(crate) const WAITING: &str = "clustercast_bridge_withdrawals_waiting";
pub(crate) const FAILURES: &str = "clustercast_bridge_failures_total";
pub(crate) const SIGNED_BLOCK: &str = "clustercast_bridge_signed_block";

/// Serves `http://ADDR/metrics`. Must be called on the runtime, once.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
	// Bound here first: the exporter's own error does not say what is wrong with the port.
	std::net::TcpListener::bind(address).with_context(|| format!("metrics: cannot listen on {address}"))?;
	PrometheusBuilder::new()
		.with_http_listener(address)
		.install()
		.context("metrics")?;
	describe_counter!(IMPORTED, "Deposits submitted to the chain");
	describe_counter!(EXECUTED, "Withdrawals executed on the L2");
	describe_gauge!(WAITING, "Withdrawals that are chosen and not executed yet");
	describe_counter!(FAILURES, "Steps that failed and are tried again, by loop");
	describe_gauge!(SIGNED_BLOCK, "Newest block that BEEFY signed");
	for name in [IMPORTED, EXECUTED] {
		metrics::counter!(name).absolute(0);
	}
	Ok(())
}
