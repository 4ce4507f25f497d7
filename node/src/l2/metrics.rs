//! What the worker counts, by the names that Prometheus sees. Without an endpoint counting costs nothing.

use substrate_prometheus_endpoint::{register, Counter, CounterVec, Gauge, Opts, PrometheusError, Registry, U64};

/// All of it.
#[derive(Clone)]
pub struct Metrics {
	/// Newest final block of the L2 that a majority of endpoints vouches for.
	pub finalised: Gauge<U64>,
	/// Deposits in the vault in the newest statement that was signed.
	pub signed_count: Gauge<U64>,
	/// Statements signed.
	pub signed: Counter<U64>,
	/// Times that endpoints said different things about one block.
	pub disagreements: Counter<U64>,
	/// Times that a statement was not signed because of one signed before.
	pub withheld: Counter<U64>,
	failures: CounterVec<U64>,
}

impl Metrics {
	/// Shown where there is a registry.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let metrics = Self {
			finalised: Gauge::new("clustercast_l2_finalised_block", "Newest final block of the L2")?,
			signed_count: Gauge::new(
				"clustercast_l2_signed_deposits",
				"Deposits in the newest signed statement",
			)?,
			signed: Counter::new(
				"clustercast_l2_statements_signed_total",
				"Statements about the vault that were signed",
			)?,
			disagreements: Counter::new(
				"clustercast_l2_disagreements_total",
				"Times that the L2's endpoints said different things about one block",
			)?,
			withheld: Counter::new(
				"clustercast_l2_statements_withheld_total",
				"Statements not signed because they contradict or precede one signed before",
			)?,
			failures: CounterVec::new(
				Opts::new(
					"clustercast_l2_endpoint_failures_total",
					"Requests that an endpoint of the L2 failed",
				),
				&["endpoint"],
			)?,
		};
		if let Some(registry) = registry {
			register(metrics.finalised.clone(), registry)?;
			register(metrics.signed_count.clone(), registry)?;
			register(metrics.signed.clone(), registry)?;
			register(metrics.disagreements.clone(), registry)?;
			register(metrics.withheld.clone(), registry)?;
			register(metrics.failures.clone(), registry)?;
		}
		Ok(metrics)
	}

	/// Counts a failed request of the endpoint with this number.
	pub fn failed(&self, endpoint: usize) {
		self.failures.with_label_values(&[&endpoint.to_string()]).inc();
	}
}
