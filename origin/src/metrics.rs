//! What the origin counts, by the names that Prometheus sees. Without an endpoint counting costs nothing.

use crate::tier::{Event, Loss, Outcome, Tier};
use metrics::{counter, describe_counter, describe_gauge, gauge, Unit};
use std::net::SocketAddr;

const COPIES: &str = "clustercast_origin_copies";
const RELAYERS: &str = "clustercast_origin_relayers";
const WAITING: &str = "clustercast_origin_relayers_waiting";
const SEATS_LOST: &str = "clustercast_origin_seats_lost_total";
const CHECKS: &str = "clustercast_origin_checks_total";
const CHECKS_FAILED: &str = "clustercast_origin_checks_failed_total";
const BYTES_SENT: &str = "clustercast_origin_bytes_sent_total";
const SPENT: &str = "clustercast_origin_spent_micro_usdc_total";

/// Serves `http://ADDR/metrics`. Must be called on the runtime, once.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
	clustercast_cli::metrics::serve(address).await?;
	describe_gauge!(
		COPIES,
		"Copies of the stream that there may be, by the uplink and the bit rate"
	);
	describe_gauge!(RELAYERS, "Relayers of the first tier: each has a copy");
	describe_gauge!(WAITING, "Relayers that were refused and wait for a copy");
	describe_counter!(SEATS_LOST, "Seats of the first tier that were lost, by reason");
	describe_counter!(
		CHECKS,
		"Ranges that a customer of ours tried to buy of relayers, by outcome"
	);
	describe_counter!(CHECKS_FAILED, "Of these, those that count against a relayer");
	describe_counter!(BYTES_SENT, Unit::Bytes, "Handed to relayers' streams");
	describe_counter!(
		SPENT,
		"Expected value of what relayers were paid when they were checked, micro-USDC"
	);
	// Present from the start: a counter that appears with its first event cannot be told from one that is missing.
	for name in [SEATS_LOST, CHECKS, CHECKS_FAILED, BYTES_SENT, SPENT] {
		counter!(name).absolute(0);
	}
	for name in [COPIES, RELAYERS, WAITING] {
		gauge!(name).set(0.0);
	}
	Ok(())
}

/// How the first tier stands.
pub(crate) fn tier(tier: &Tier) {
	gauge!(COPIES).set(tier.copies() as f64);
	gauge!(RELAYERS).set(tier.taken() as f64);
	gauge!(WAITING).set(tier.waiting() as f64);
}

/// What happened there.
pub(crate) fn event(event: Event) {
	match event {
		Event::Lost(_, why) => {
			let reason = match why {
				Loss::Failed(failing) => format!("{failing:?}"),
				other => format!("{other:?}"),
			};
			counter!(SEATS_LOST, "reason" => reason).increment(1);
		},
		Event::Failed(..) => counter!(CHECKS_FAILED).increment(1),
		Event::AllFailed | Event::AllSilent => {},
	}
}

/// What came of a check.
pub(crate) fn checked(outcome: Outcome) {
	let outcome = match outcome {
		Outcome::Failed(failing) => format!("{failing:?}"),
		Outcome::Doubtful(_) => "Doubtful".into(),
		other => format!("{other:?}"),
	};
	counter!(CHECKS, "outcome" => outcome).increment(1);
}

/// Bytes went out.
pub(crate) fn sent(bytes: usize) {
	counter!(BYTES_SENT).increment(bytes as u64);
}

/// A relayer was paid this, in expected value.
pub(crate) fn spent(micro_usdc: u64) {
	counter!(SPENT).increment(micro_usdc);
}
