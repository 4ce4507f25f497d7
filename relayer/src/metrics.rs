//! What the relayer counts, by the names that Prometheus sees. Without an endpoint counting costs nothing.

use metrics::{describe_counter, describe_gauge, Unit};
use std::net::SocketAddr;

pub(crate) const VIEWERS: &str = "clustercast_relayer_viewers";
pub(crate) const SEATS: &str = "clustercast_relayer_seats";
pub(crate) const SUBSCRIPTIONS: &str = "clustercast_relayer_subscriptions_total";
pub(crate) const CLOSED: &str = "clustercast_relayer_subscriptions_closed_total";
pub(crate) const BYTES_SENT: &str = "clustercast_relayer_bytes_sent_total";
pub(crate) const WINDOWS: &str = "clustercast_relayer_windows_total";
pub(crate) const BYTES_RECEIVED: &str = "clustercast_relayer_bytes_received_total";
pub(crate) const CACHE_BYTES: &str = "clustercast_relayer_cache_bytes";
pub(crate) const UPSTREAM_CONNECTED: &str = "clustercast_relayer_upstream_connected";
pub(crate) const PAUSED: &str = "clustercast_relayer_paused";
pub(crate) const UPSTREAM_FAULTS: &str = "clustercast_relayer_upstream_faults_total";
pub(crate) const BOUGHT: &str = "clustercast_relayer_bought_micro_usdc_total";
pub(crate) const ARREARS: &str = "clustercast_relayer_arrears_micro_usdc";
pub(crate) const HEAD_AGE: &str = "clustercast_relayer_head_age_seconds";
pub(crate) const NODE: &str = "clustercast_relayer_node";
pub(crate) const NODE_CHANGES: &str = "clustercast_relayer_node_changes_total";
pub(crate) const STORE_SHUT: &str = "clustercast_relayer_store_shut";
pub(crate) const TICKETS: &str = "clustercast_relayer_tickets_total";
pub(crate) const TICKETS_REFUSED: &str = "clustercast_relayer_tickets_refused_total";
pub(crate) const VOUCHERS: &str = "clustercast_relayer_vouchers_total";
pub(crate) const VOUCHERS_PENDING: &str = "clustercast_relayer_vouchers_pending";
pub(crate) const VOUCHERS_OWED: &str = "clustercast_relayer_vouchers_owed_micro_usdc";
pub(crate) const VOUCHERS_REDEEMED: &str = "clustercast_relayer_vouchers_redeemed_micro_usdc";
pub(crate) const VOUCHERS_EARNED: &str = "clustercast_relayer_vouchers_earned_micro_usdc";
pub(crate) const VOUCHERS_LOST: &str = "clustercast_relayer_vouchers_lost_micro_usdc";
pub(crate) const PRICE: &str = "clustercast_relayer_price_per_gb_micro_usdc";
pub(crate) const WINNERS: &str = "clustercast_relayer_winners_total";
pub(crate) const WINNERS_PENDING: &str = "clustercast_relayer_winners_pending";
pub(crate) const PENDING: &str = "clustercast_relayer_pending_micro_usdc";
pub(crate) const REDEEMED: &str = "clustercast_relayer_redeemed_micro_usdc";
pub(crate) const EARNED: &str = "clustercast_relayer_earned_micro_usdc";
pub(crate) const LOST: &str = "clustercast_relayer_lost_micro_usdc";

/// Serves `http://ADDR/metrics`. Must be called on the runtime, once.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
	clustercast_cli::metrics::serve(address).await?;
	describe_gauge!(VIEWERS, "Viewers served now, by stream");
	describe_gauge!(
		SEATS,
		"Viewers that upstream lets us serve, by stream: counts where the stream key limits them"
	);
	describe_counter!(SUBSCRIPTIONS, "Subscriptions accepted, by stream");
	describe_counter!(CLOSED, "Streams that are over, by reason");
	describe_counter!(BYTES_SENT, Unit::Bytes, "Handed to viewers' streams");
	describe_counter!(WINDOWS, "Windows received from upstream and verified, by stream");
	describe_counter!(
		BYTES_RECEIVED,
		Unit::Bytes,
		"Media bytes received from upstream and verified, by stream"
	);
	describe_gauge!(CACHE_BYTES, Unit::Bytes, "Windows in the cache, of all streams");
	describe_gauge!(UPSTREAM_CONNECTED, "1 while upstream serves us, by stream");
	describe_gauge!(PAUSED, "1 while the broadcaster pauses or is away, by stream");
	describe_counter!(UPSTREAM_FAULTS, "Times that upstream broke the protocol, by stream");
	describe_counter!(
		BOUGHT,
		"Expected value of what relayers were paid for a stream, micro-USDC"
	);
	describe_gauge!(
		ARREARS,
		"What a stream on demand has cost and its viewers have not paid back, micro-USDC"
	);
	describe_gauge!(
		HEAD_AGE,
		Unit::Seconds,
		"Since the node told of a new block, or what it is behind"
	);
	describe_gauge!(NODE, "1 of the node that is asked, 0 of the others in `rpc`");
	describe_counter!(
		NODE_CHANGES,
		"Times that another node, or another connection, was gone to"
	);
	describe_gauge!(
		STORE_SHUT,
		"1 while payments cannot be stored: the disk is full, or fails"
	);
	describe_counter!(TICKETS, "Tickets accepted");
	describe_counter!(TICKETS_REFUSED, "Tickets and vouchers refused, by reason");
	describe_counter!(VOUCHERS, "Vouchers accepted and stored");
	describe_gauge!(
		VOUCHERS_PENDING,
		"Sessions whose newest voucher owes enough to be redeemed"
	);
	describe_gauge!(VOUCHERS_OWED, "Owed by all newest vouchers, micro-USDC");
	describe_gauge!(
		VOUCHERS_REDEEMED,
		"Paid by the chain for vouchers since the state folder exists, micro-USDC"
	);
	describe_gauge!(VOUCHERS_EARNED, "The relayer's own share of it, micro-USDC");
	describe_gauge!(
		VOUCHERS_LOST,
		"Owed by vouchers that expired or were refused for good, micro-USDC"
	);
	describe_gauge!(
		PRICE,
		"Price of the last subscription, micro-USDC per 10^9 bytes, by stream"
	);
	describe_counter!(WINNERS, "Winning tickets accepted and stored");
	describe_gauge!(WINNERS_PENDING, "Winners not settled on the finalised chain");
	describe_gauge!(PENDING, "Face value of the pending winners, micro-USDC");
	describe_gauge!(
		REDEEMED,
		"Face value paid by the chain since the state folder exists, micro-USDC"
	);
	describe_gauge!(EARNED, "The relayer's own share of what was paid, micro-USDC");
	describe_gauge!(
		LOST,
		"Face value of winners that expired or were refused for good, micro-USDC"
	);
	// Present from the start: a counter that appears with its first event cannot be told from one that is missing.
	for name in [
		SUBSCRIPTIONS,
		BYTES_SENT,
		WINDOWS,
		BYTES_RECEIVED,
		UPSTREAM_FAULTS,
		BOUGHT,
		NODE_CHANGES,
		TICKETS,
		VOUCHERS,
		WINNERS,
	] {
		metrics::counter!(name).absolute(0);
	}
	for name in [VIEWERS, SEATS, UPSTREAM_CONNECTED, PAUSED, HEAD_AGE, STORE_SHUT] {
		metrics::gauge!(name).set(0.0);
	}
	Ok(())
}
